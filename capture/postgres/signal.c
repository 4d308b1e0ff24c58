#include "capture/postgres/signal.h"

#include <stdlib.h>

#include "capture/incremental/signal.h"
#include "capture/postgres/incremental.h"
#include "capture/postgres/snapshot.h"
#include "core/log.h"
#include "core/text.h"

/* --- one row ----------------------------------------------------------------------------------- */

static int each_table(void *context, tr_inc_table_fn each, void *argument, tr_err *err)
{
	tr_pgc *s = context;
	tr_pgc_list list;
	int result = 0;

	if (tr_pgc_catalog_list(&s->catalog, s->publication, false, false, &list, err))
		return -1;
	for (size_t i = 0; i < list.count && result == 0; i++) {
		const tr_pgc_listed *t = &list.tables[i];

		if (tr_pgc_snapshot_belongs(s, t))
			result = each(argument, t->schema, t->name, t->has_key, err);
	}
	tr_pgc_list_release(&list);
	return result;
}

static void abandon(void *context)
{
	tr_pgc_incremental_abandon(context);
}

static void closed(void *context, tr_slice id)
{
	tr_pgc_incremental_closed(context, id);
}

static void position(void *context, tr_writer *out)
{
	tr_pgc *s = context;

	s->base.ops->position(&s->base, out);
}

/* Text has the same bytes in both of the server's forms. */
static tr_slice text_of(const tr_datum *d)
{
	return d->form == TR_D_TEXT || d->form == TR_D_BINARY ? tr_slice_of(d->ptr, d->len) : tr_slice_of(NULL, 0);
}

int tr_pgc_signal_row(tr_pgc *s, const tr_table *table, const tr_datum *row, tr_err *err)
{
	const tr_inc_host host = {.name = s->name,
				  .context = s,
				  .progress = &s->incremental->progress,
				  .tables = each_table,
				  .abandon = abandon,
				  .closed = closed,
				  .position = position};

	if (table->column_count < 2)
		return tr_inc_signal_misshapen(&host, table->column_count);
	return tr_inc_signal(&host, text_of(&row[0]), text_of(&row[1]),
			     table->column_count > 2 ? text_of(&row[2]) : tr_slice_of(NULL, 0), err);
}

/* --- rights ------------------------------------------------------------------------------------ */

static const char rights_sql[] =
    "SELECT has_schema_privilege(c.relnamespace, 'USAGE'), has_table_privilege(c.oid, 'INSERT'),"
    " has_table_privilege(c.oid, 'SELECT'),"
    " (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2"
    " AND c.relkind IN ('r', 'p')";

int tr_pgc_signal_rights_read(tr_pgc *s, char schema[TR_PGC_NAME_MAX], char name[TR_PGC_NAME_MAX],
			      tr_pgc_signal_rights *out, tr_err *err)
{
	const char *given = s->options->signal_table, *dot = strchr(given, '.');
	const char *params[] = {schema, name};
	PGresult *r;

	*out = (tr_pgc_signal_rights){0};
	tr_text_format(schema, TR_PGC_NAME_MAX, "%.*s", dot ? (int)(dot - given) : 6, dot ? given : "public");
	tr_text_format(name, TR_PGC_NAME_MAX, "%s", dot ? dot + 1 : given);
	if (tr_pgc_sql(s, "look at the signal table", rights_sql, 2, params, &r, err))
		return -1;
	if (PQntuples(r) == 1) {
		out->exists = true;
		out->usage = PQgetvalue(r, 0, 0)[0] == 't';
		out->insert = PQgetvalue(r, 0, 1)[0] == 't';
		out->select = PQgetvalue(r, 0, 2)[0] == 't';
		out->columns = strtoul(PQgetvalue(r, 0, 3), NULL, 10);
	}
	PQclear(r);
	return 0;
}

void tr_pgc_signal_grant(const tr_pgc *s, const char *schema, const char *name, const tr_pgc_signal_rights *r, char *out,
			 size_t cap)
{
	char usage[3 * TR_PGC_NAME_MAX] = "";

	out[0] = '\0';
	if (r->usage && r->insert && r->select)
		return;
	if (!r->usage)
		snprintf(usage, sizeof(usage), "GRANT USAGE ON SCHEMA \"%s\" TO \"%s\"; ", schema, s->server.user);
	tr_text_format(out, cap, "%sGRANT SELECT, INSERT ON TABLE \"%s\".\"%s\" TO \"%s\";", usage, schema, name,
		       s->server.user);
}

int tr_pgc_signal_probe(tr_pgc *s, tr_err *err)
{
	char schema[TR_PGC_NAME_MAX], name[TR_PGC_NAME_MAX], grant[512];
	tr_pgc_signal_rights rights;

	if (!s->options->signal_table)
		return 0;
	if (tr_pgc_signal_rights_read(s, schema, name, &rights, err))
		return -1;
	tr_pgc_signal_grant(s, schema, name, &rights, grant, sizeof(grant));
	if (!rights.exists)
		tr_log(TR_LOG_WARN, s->name, "signal.table", "the signal table \"%s.%s\" does not exist; until it does "
		       "there are no signals: CREATE TABLE \"%s\".\"%s\" (id varchar(42) PRIMARY KEY, type varchar(32) NOT "
		       "NULL, data varchar(2048));", schema, name, schema, name);
	else if (grant[0])
		tr_log(TR_LOG_WARN, s->name, "signal.table",
		       "role \"%s\" lacks a privilege on the signal table, so incremental snapshots cannot run: %s",
		       s->server.user, grant);
	else if (s->server.standby)
		tr_log(TR_LOG_WARN, s->name, "signal.table",
		       "the source is a standby: incremental snapshots need to write to the signal table and cannot run");
	return 0;
}
