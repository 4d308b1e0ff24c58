/* The signal table of a MySQL or MariaDB source: its rows, which are commands (capture/incremental/signal.h), and whether we
 * may write to it. */
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

#include "capture/incremental/signal.h"
#include "capture/mysql/incremental.h"
#include "core/log.h"
#include "core/text.h"

/* --- rows -------------------------------------------------------------------------------------- */

static int each_table(void *context, tr_inc_table_fn each, void *argument, tr_err *err)
{
	tr_myc *s = context;
	tr_myc_list list;
	int result = 0;

	if (tr_myc_open_sql(s, err) || tr_myc_catalog_list(&s->catalog, false, &list, err))
		return -1;
	/* Whether a unique index stands for a key is seen when the table's turn comes. */
	for (size_t i = 0; i < list.count && result == 0; i++)
		result = each(argument, list.tables[i].database, list.tables[i].name, true, err);
	tr_myc_list_release(&list);
	return result;
}

static void abandon(void *context)
{
	tr_myc_incremental_abandon(context);
}

static void closed(void *context, tr_slice id)
{
	tr_myc_incremental *i = ((tr_myc *)context)->incremental;

	i->is_closed = i->is_closed || tr_inc_window_is_closed_by(&i->chunk.window, id);
}

static void position(void *context, tr_writer *out)
{
	tr_myc *s = context;

	s->base.ops->position(&s->base, out);
}

/* One of the first three columns as UTF-8; empty when it is null, or is no text. */
static int text_of(tr_myc *s, const tr_change *change, size_t n, tr_slice *out, tr_err *err)
{
	const tr_table *t = change->table;
	tr_value value;

	*out = tr_slice_of(NULL, 0);
	if (n >= t->column_count || !t->columns[n].decode ||
	    (change->after[n].form != TR_D_BINARY && change->after[n].form != TR_D_TEXT))
		return 0;
	if (t->columns[n].decode(t->columns[n].decode_arg, change->after[n], &s->incremental->scratch, &value, err))
		return -1;
	if (value.kind == TR_V_BYTES)
		*out = value.s;
	return 0;
}

int tr_myc_signal_row(tr_myc *s, const tr_change *change, tr_err *err)
{
	const tr_inc_host host = {.name = s->name,
				  .context = s,
				  .progress = &s->incremental->progress,
				  .tables = each_table,
				  .abandon = abandon,
				  .closed = closed,
				  .position = position};
	tr_slice id, type, data;

	if (change->table->column_count < 2)
		return tr_inc_signal_misshapen(&host, change->table->column_count);
	tr_arena_reset(&s->incremental->scratch);
	if (text_of(s, change, 0, &id, err) || text_of(s, change, 1, &type, err) || text_of(s, change, 2, &data, err))
		return -1;
	return tr_inc_signal(&host, id, type, data, err);
}

/* --- the table itself -------------------------------------------------------------------------- */

bool tr_myc_signal_table(const tr_myc *s, char database[TR_MYC_INC_NAME_MAX], char name[TR_MYC_INC_NAME_MAX])
{
	const char *given = s->options->signal_table, *dot = given ? strchr(given, '.') : NULL;

	tr_text_format(database, TR_MYC_INC_NAME_MAX, "%.*s", dot ? (int)(dot - given) : 0, dot ? given : "");
	tr_text_format(name, TR_MYC_INC_NAME_MAX, "%s", dot ? dot + 1 : "");
	return dot != NULL;
}

static tr_myc_signal_state state_of(unsigned number)
{
	switch (number) {
	case 0:
		return TR_MYC_SIGNAL_GOOD;
	case ER_NO_SUCH_TABLE:
	case ER_BAD_DB_ERROR:
		return TR_MYC_SIGNAL_MISSING;
	case ER_OPTION_PREVENTS_STATEMENT:
		return TR_MYC_SIGNAL_READ_ONLY;
	default:
		return TR_MYC_SIGNAL_MISSHAPEN;
	}
}

/* EXPLAIN asks for the privileges and the columns that the statement itself needs. */
int tr_myc_signal_try(tr_myc *s, tr_myc_signal_state *out, char *fix, size_t fix_cap, tr_err *err)
{
	char database[TR_MYC_INC_NAME_MAX], name[TR_MYC_INC_NAME_MAX], on[2 * TR_MYC_INC_NAME_MAX + 8];
	tr_writer w;
	int result;

	*out = TR_MYC_SIGNAL_GOOD;
	tr_myc_signal_table(s, database, name);
	snprintf(on, sizeof(on), "`%s`.`%s`", database, name);
	tr_text_format(fix, fix_cap,
		       "CREATE TABLE %s (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));", on);
	tr_writer_init(&w, 4096);
	tr_writer_text(&w, "EXPLAIN INSERT INTO ");
	tr_myc_qualified(&w, database, name);
	tr_writer_text(&w, " VALUES ('', '', '')");
	tr_writer_u8(&w, '\0');
	if (!tr_writer_ok(&w))
		result = tr_err_set(err, TR_E_MEMORY, "out of memory");
	else
		result = tr_myc_run(s->sql, &s->wake, "look at the signal table", (const char *)w.data, err);
	tr_writer_release(&w);
	if (result == 0)
		return 0;
	if (err->code == TR_E_SOURCE_PRIVILEGE) {
		*out = TR_MYC_SIGNAL_DENIED;
		tr_myc_grant_sql(s, "SELECT, INSERT", on, fix, fix_cap);
	} else if (err->code == TR_E_SOURCE_SQL || err->code == TR_E_SOURCE_DATABASE) {
		*out = state_of(mysql_errno(s->sql));
	} else {
		return -1;
	}
	tr_err_clear(err);
	return 0;
}

int tr_myc_signal_probe(tr_myc *s, tr_err *err)
{
	static const char *const what[] = {[TR_MYC_SIGNAL_MISSING] = "does not exist",
					   [TR_MYC_SIGNAL_MISSHAPEN] = "cannot take the three values id, type and data",
					   [TR_MYC_SIGNAL_DENIED] = "may not be written to",
					   [TR_MYC_SIGNAL_READ_ONLY] = "is on a server that is read-only"};
	char database[TR_MYC_INC_NAME_MAX], name[TR_MYC_INC_NAME_MAX], fix[400];
	tr_myc_signal_state state;

	if (!s->options->signal_table)
		return 0;
	if (!tr_myc_signal_table(s, database, name)) {
		tr_log(TR_LOG_WARN, s->name, "signal.table",
		       "source.signal_table \"%s\" is not of the form database.table, so there are no signals", s->options->signal_table);
		return 0;
	}
	if (tr_myc_open_sql(s, err) || tr_myc_signal_try(s, &state, fix, sizeof(fix), err))
		return -1;
	if (state == TR_MYC_SIGNAL_READ_ONLY)
		fix[0] = '\0';
	if (state != TR_MYC_SIGNAL_GOOD)
		tr_log(TR_LOG_WARN, s->name, "signal.table",
		       "the signal table \"%s.%s\" %s, so incremental snapshots cannot run%s%s", database, name, what[state],
		       fix[0] ? ": " : "", fix);
	return 0;
}
