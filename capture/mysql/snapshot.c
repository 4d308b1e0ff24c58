#include "capture/mysql/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "capture/mysql/schema.h"
#include "core/clock.h"
#include "core/failpoint.h"
#include "core/log.h"
#include "core/text.h"

#define RUN_MAX ((size_t)256 << 20)
/* A reader waits for its rows at most this long: the first ones of a range may have to be looked for. */
#define ROWS_MS 600000

static int out_of_memory(tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "out of memory for the snapshot's plan");
}

/* --- which tables ------------------------------------------------------------------------------ */

static int list_tables(tr_myc_snapshot_run *run, tr_err *err)
{
	if (tr_myc_catalog_list(&run->s->catalog, false, &run->list, err))
		return -1;
	run->tables = TR_ARENA_ARRAY(&run->arena, tr_myc_snapshot_table, run->list.count + 1);
	run->progress = TR_ARENA_ARRAY(&run->arena, tr_snapshot_table, run->list.count + 1);
	if (!run->tables || !run->progress)
		return out_of_memory(err);
	for (size_t i = 0; i < run->list.count; i++) {
		const tr_myc_listed *t = &run->list.tables[i];

		if (!t->transactional && tr_source_reads_rows(run->s->options))
			tr_log(TR_LOG_WARN, run->s->name, "snapshot.engine",
			       "table \"%s.%s\" has no transactions (%s): its rows are those of the moment of reading",
			       t->database, t->name, t->engine ? t->engine : "no engine");
		run->tables[i].listed = t;
		run->progress[i] =
		    (tr_snapshot_table){.collection = tr_arena_format(&run->arena, "%s.%s", t->database, t->name),
					.rows_estimated = t->rows,
					.bytes_estimated = t->bytes};
		if (!run->progress[i].collection)
			return out_of_memory(err);
	}
	run->table_count = run->list.count;
	return 0;
}

/* --- ranges ------------------------------------------------------------------------------------ */

/* How a value of the column is written in SQL again: the server compares it, as it compares the column. */
typedef enum { NOT_WRITABLE, AS_NUMBER, AS_TEXT, AS_BYTES } writable;

static writable writable_of(const tr_bl_column *c)
{
	switch (c->sql) {
	case TR_BL_SQL_TINYINT:
	case TR_BL_SQL_SMALLINT:
	case TR_BL_SQL_MEDIUMINT:
	case TR_BL_SQL_INT:
	case TR_BL_SQL_BIGINT:
	case TR_BL_SQL_DECIMAL:
		return AS_NUMBER;
	case TR_BL_SQL_DATE:
	case TR_BL_SQL_DATETIME:
	case TR_BL_SQL_TIMESTAMP:
	case TR_BL_SQL_CHAR:
	case TR_BL_SQL_VARCHAR:
		return AS_TEXT;
	case TR_BL_SQL_BINARY:
	case TR_BL_SQL_VARBINARY:
		return AS_BYTES;
	default:
		return NOT_WRITABLE;
	}
}

typedef struct splitter {
	tr_myc_snapshot_run *run;
	tr_myc_snapshot_table *table;
	const tr_bl_column *column; /* the first of the primary key */
	writable form;
	char *last; /* the newest boundary, as it is written in SQL; NULL = none yet */
} splitter;

static void put_column(const splitter *p, tr_writer *w)
{
	tr_myc_ident(w, p->column->name);
}

static int add_task(tr_myc_snapshot_run *run, tr_myc_snapshot_table *table, const char *where, tr_err *err)
{
	if (run->task_count == run->task_capacity) {
		size_t capacity = run->task_capacity ? run->task_capacity * 2 : 64;
		tr_myc_task *tasks = TR_ARENA_ARRAY(&run->arena, tr_myc_task, capacity);

		if (!tasks)
			return out_of_memory(err);
		if (run->task_count)
			memcpy(tasks, run->tasks, run->task_count * sizeof(*tasks));
		run->tasks = tasks;
		run->task_capacity = capacity;
	}
	if (!where)
		return out_of_memory(err);
	run->tasks[run->task_count++] = (tr_myc_task){.table = table, .where = where};
	table->ranges = ++table->ranges_left;
	return 0;
}

/* The range from the newest boundary to the next one; NULL = to the end. All ranges together are the whole table: whatever
 * the order that the server compares in, each value is below the boundary or not. */
static int add_range(splitter *p, const char *next, tr_err *err)
{
	tr_writer w;
	int result;

	tr_writer_init(&w, 1 << 20);
	if (p->last) {
		tr_writer_text(&w, " WHERE ");
		put_column(p, &w);
		tr_writer_format(&w, " >= %s", p->last);
	}
	if (next) {
		tr_writer_text(&w, p->last ? " AND " : " WHERE ");
		put_column(p, &w);
		tr_writer_format(&w, " < %s", next);
	}
	tr_writer_u8(&w, '\0');
	result = add_task(p->run, p->table,
			  tr_writer_ok(&w) ? tr_arena_strdup(&p->run->arena, (const char *)w.data) : NULL, err);
	tr_writer_release(&w);
	return result;
}

static char *write_value(const splitter *p, const char *value, size_t len)
{
	tr_writer w;
	char *text;

	tr_writer_init(&w, 1 << 20);
	if (p->form == AS_NUMBER) {
		tr_writer_put(&w, value, len);
	} else if (p->form == AS_TEXT) {
		tr_myc_literal(&w, value);
	} else {
		tr_writer_text(&w, "X'");
		tr_text_hex(&w, tr_slice_of(value, len));
		tr_writer_u8(&w, '\'');
	}
	text = tr_writer_ok(&w) ? tr_arena_strndup(&p->run->arena, w.data, w.len) : NULL;
	tr_writer_release(&w);
	return text;
}

/* The value that stands `step` rows behind the newest boundary; *found false at the end of the table. */
static int next_boundary(splitter *p, uint64_t step, char **out, tr_err *err)
{
	tr_myc *s = p->run->s;
	MYSQL_RES *r = NULL;
	MYSQL_ROW row;
	tr_writer w;
	int result = -1;

	*out = NULL;
	tr_writer_init(&w, 1 << 20);
	tr_writer_text(&w, "SELECT ");
	put_column(p, &w);
	tr_writer_text(&w, " FROM ");
	tr_myc_qualified(&w, p->table->listed->database, p->table->listed->name);
	if (p->last) {
		tr_writer_text(&w, " WHERE ");
		put_column(p, &w);
		tr_writer_format(&w, " > %s", p->last);
	}
	tr_writer_text(&w, " ORDER BY 1");
	tr_writer_format(&w, " LIMIT 1 OFFSET %llu", (unsigned long long)step);
	tr_writer_u8(&w, '\0');
	if (!tr_writer_ok(&w)) {
		out_of_memory(err);
		goto out;
	}
	if (tr_myc_query(s->sql, &s->wake, "divide a table for the snapshot", (const char *)w.data, &r, err))
		goto out;
	row = mysql_fetch_row(r);
	if (row && row[0] && !(*out = write_value(p, row[0], mysql_fetch_lengths(r)[0]))) {
		out_of_memory(err);
		goto out;
	}
	result = 0;
out:
	if (r)
		mysql_free_result(r);
	tr_writer_release(&w);
	return result;
}

static int split(splitter *p, unsigned wanted, tr_err *err)
{
	uint64_t step = p->table->listed->rows / wanted;
	char *next = NULL;

	for (unsigned i = 1; i < wanted && step > 0; i++) {
		if (next_boundary(p, step, &next, err))
			return -1;
		/* The same once more when the server finds the newest one greater than itself: then there is no order. */
		if (!next || (p->last && strcmp(next, p->last) == 0))
			break;
		if (add_range(p, next, err))
			return -1;
		p->last = next;
	}
	return add_range(p, NULL, err);
}

static unsigned ranges_of(const tr_myc_snapshot_run *run, const tr_myc_listed *t)
{
	uint64_t bytes = run->s->options->snapshot_split_bytes, count;

	if (!t->has_key || !t->transactional || bytes == 0 || t->bytes <= bytes || run->s->options->snapshot_readers < 2)
		return 1;
	count = (t->bytes + bytes - 1) / bytes;
	return count > TR_MYC_RANGES_MAX ? TR_MYC_RANGES_MAX : (unsigned)count;
}

/* The boundaries need not be of the snapshot's moment: any will do. */
static int divide_table(tr_myc_snapshot_run *run, tr_myc_snapshot_table *table, const tr_myc_facts *facts, tr_err *err)
{
	splitter p = {.run = run, .table = table};
	unsigned wanted = ranges_of(run, table->listed);

	for (size_t i = 0; i < facts->column_count && !p.column && wanted > 1; i++)
		if (facts->key_primary && facts->columns[i].key_rank == 1)
			p.column = &facts->columns[i];
	p.form = p.column ? writable_of(p.column) : NOT_WRITABLE;
	return p.form == NOT_WRITABLE ? add_task(run, table, "", err) : split(&p, wanted, err);
}

static int plan_table(tr_myc_snapshot_run *run, tr_myc_snapshot_table *table, tr_err *err)
{
	tr_myc_facts facts;
	int result;

	if (tr_myc_facts_read(run->s->sql, &run->s->wake, run->s->mariadb, table->listed->database, table->listed->name,
			      false, &facts, err))
		return -1;
	table->definition = tr_myc_facts_hash(&facts);
	result = divide_table(run, table, &facts, err);
	tr_myc_facts_release(&facts);
	return result;
}

static int plan_tasks(tr_myc_snapshot_run *run, tr_err *err)
{
	for (size_t i = 0; i < run->table_count; i++)
		if (plan_table(run, &run->tables[i], err))
			return -1;
	return 0;
}

/* --- connections and the point ----------------------------------------------------------------- */

static unsigned readers_wanted(const tr_myc_snapshot_run *run)
{
	unsigned wanted = run->s->options->snapshot_readers ? run->s->options->snapshot_readers : 1;

	wanted = wanted > TR_MYC_READERS_MAX ? TR_MYC_READERS_MAX : wanted;
	if (run->task_count < wanted)
		wanted = (unsigned)run->task_count;
	return wanted ? wanted : 1;
}

static int open_connections(tr_myc_snapshot_run *run, tr_err *err)
{
	for (unsigned i = 0; i < run->reader_count; i++) {
		if (tr_myc_open_more(run->s, ROWS_MS, &run->connections[i], err) ||
		    tr_myc_run(run->connections[i], &run->s->wake, "begin the snapshot",
			       "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", err))
			return -1;
	}
	return 0;
}

static void close_connections(tr_myc_snapshot_run *run)
{
	for (unsigned i = 0; i < TR_MYC_READERS_MAX; i++)
		if (run->connections[i])
			tr_myc_close(&run->s->wake, &run->connections[i]);
}

static int take_point(tr_myc_snapshot_run *run, tr_err *err)
{
	unsigned count = run->reader_count;

	if (open_connections(run, err) || tr_myc_point_take(run, &count, err))
		return -1;
	run->reader_count = count;
	tr_failpoint_at(TR_FP_SNAPSHOT_POINT);
	return 0;
}

/* --- events ------------------------------------------------------------------------------------ */

void tr_myc_snapshot_block(const tr_myc_position *point, const char *table, tr_source_block *out)
{
	tr_value *f = out->fields;

	f[TR_SRC_SEQUENCE] = tr_value_null();
	f[TR_MYC_SRC_TABLE] = table ? tr_value_text(table) : tr_value_null();
	f[TR_MYC_SRC_SERVER_ID] = tr_value_int(0);
	f[TR_MYC_SRC_GTID] = tr_value_null();
	f[TR_MYC_SRC_FILE] = tr_value_text(point->file);
	f[TR_MYC_SRC_POS] = tr_value_int((int64_t)point->pos);
	f[TR_MYC_SRC_ROW] = tr_value_int(0);
	f[TR_MYC_SRC_THREAD] = f[TR_MYC_SRC_QUERY] = tr_value_null();
}

int tr_myc_snapshot_report(tr_myc *s, tr_listener *l, const tr_change *change, tr_err *err)
{
	for (;;) {
		tr_listen answer = l->ready(l);

		if (answer == TR_LISTEN_OK)
			answer = l->change(l, change, err);
		else if (answer == TR_LISTEN_FAILED)
			return tr_err_set(err, TR_E_INTERRUPTED, "the receiver of the events gave up");
		if (answer != TR_LISTEN_BUSY)
			return answer == TR_LISTEN_OK ? 0 : -1;
		if (tr_myc_wait(&s->wake, -1, 0, 2, err) < 0)
			return -1;
	}
}

typedef struct schema_target {
	tr_myc_snapshot_run *run;
	tr_listener *listener;
} schema_target;

static int report_schema(void *context, const tr_schema_change *schema, const char *table, tr_err *err)
{
	const schema_target *t = context;
	tr_source_block block;
	tr_change change = {.op = TR_OP_SCHEMA,
			    .schema = schema,
			    .source = &block,
			    .commit_us = tr_clock_wall_ns() / 1000,
			    .mark = TR_MARK_TRUE};

	tr_myc_snapshot_block(&t->run->point, table, &block);
	return tr_myc_snapshot_report(t->run->s, t->listener, &change, err);
}

static int report_schemas(tr_myc_snapshot_run *run, tr_err *err)
{
	schema_target target = {.run = run};
	int result;

	if (!run->s->events->schema_changes)
		return 0;
	target.listener = run->host->listener(run->host->context, 0, err);
	if (!target.listener)
		return -1;
	result = tr_myc_schema_snapshot(run->s, run->s->sql, report_schema, &target, err);
	run->host->release(run->host->context, target.listener);
	return result;
}

/* --- readers ----------------------------------------------------------------------------------- */

static void not_started(tr_myc_snapshot_run *run)
{
	pthread_mutex_lock(&run->lock);
	if (!run->failed)
		tr_err_set(&run->error, TR_E_SYSTEM, "could not start a snapshot reader");
	run->failed = true;
	run->reading--;
	run->inside--;
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
}

static int run_readers(tr_myc_snapshot_run *run, tr_err *err)
{
	tr_myc_reader *readers = calloc(run->reader_count, sizeof(*readers));

	if (!readers)
		return out_of_memory(err);
	run->reading = run->inside = run->reader_count;
	for (unsigned i = 0; i < run->reader_count; i++) {
		readers[i].run = run;
		readers[i].number = i;
		readers[i].c = &run->connections[i];
		readers[i].started = pthread_create(&readers[i].thread, NULL, tr_myc_reader_main, &readers[i]) == 0;
		if (!readers[i].started)
			not_started(run);
	}
	for (unsigned i = 0; i < run->reader_count; i++)
		if (readers[i].started)
			pthread_join(readers[i].thread, NULL);
	free(readers);
	if (run->failed)
		*err = run->error;
	return run->failed ? -1 : 0;
}

static void run_init(tr_myc_snapshot_run *run, tr_myc *s, const tr_snapshot_host *host)
{
	*run = (tr_myc_snapshot_run){.s = s, .host = host};
	tr_arena_init(&run->arena, RUN_MAX);
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->changed, NULL);
}

static void run_release(tr_myc_snapshot_run *run)
{
	close_connections(run);
	tr_myc_position_release(&run->point);
	tr_myc_list_release(&run->list);
	tr_arena_release(&run->arena);
	pthread_mutex_destroy(&run->lock);
	pthread_cond_destroy(&run->changed);
}

int tr_myc_snapshot(tr_myc *s, const tr_snapshot_host *host, tr_err *err)
{
	const bool rows = tr_source_reads_rows(s->options);
	tr_myc_snapshot_run run;
	int result = -1;

	run_init(&run, s, host);
	tr_myc_catalog_session(&s->catalog);
	if (tr_myc_open_sql(s, err) || list_tables(&run, err) || (rows && plan_tasks(&run, err)))
		goto out;
	run.reader_count = readers_wanted(&run);
	if (take_point(&run, err))
		goto out;
	if (host->tables && rows)
		host->tables(host->context, run.progress, run.table_count);
	/* The stream begins at the point, also without rows: what it brings is newer than the shapes that were told. */
	if (report_schemas(&run, err) || (rows && run_readers(&run, err)) ||
	    tr_myc_position_copy(&s->position, &run.point, err))
		goto out;
	result = 0;
out:
	run_release(&run);
	return result;
}
