/* One snapshot reader: its connection, its tasks, its rows. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/postgres/large.h"
#include "capture/postgres/snapshot.h"
#include "core/clock.h"

#define PROGRESS_ROWS 4096
#define SCRATCH_MAX   ((size_t)1 << 31) /* a row of PostgreSQL is below 1 GiB, unescaped it is not longer */

/* --- marks and rows ---------------------------------------------------------------------------- */

static int exec(tr_pgc_reader *r, const char *what, const char *sql, PGresult **out, tr_err *err)
{
	return tr_pgc_exec(r->c, &r->run->s->wake, TR_PGC_NO_LIMIT, what, sql, 0, NULL, out, err);
}

/* The precedence is Debezium's: a table with one row has only a last one. */
static tr_snapshot_mark mark_of(const tr_pgc_reader *r, bool last_in_table, bool last)
{
	bool first_table = r->held_table == &r->run->tables[0];

	if (last)
		return TR_MARK_LAST;
	if (r->held_first && first_table)
		return TR_MARK_FIRST;
	if (last_in_table)
		return TR_MARK_LAST_IN_TABLE;
	return r->held_first ? TR_MARK_FIRST_IN_TABLE : TR_MARK_TRUE;
}

static void fill_source(tr_pgc_reader *r, const tr_table *table)
{
	const tr_pgc_table_info *info = table->source_data;
	tr_value *f = r->block.fields;

	f[TR_SRC_SEQUENCE] = tr_value_bytes(r->run->sequence_text, r->run->sequence_len);
	f[TR_SRC_OWN] = info->schema;
	f[TR_SRC_OWN + 1] = info->table;
	f[TR_SRC_OWN + 2] = r->txid < 0 ? tr_value_null() : tr_value_int(r->txid);
	f[TR_SRC_OWN + 3] = tr_value_int((int64_t)r->run->row_lsn);
	f[TR_SRC_OWN + 4] = f[TR_SRC_OWN + 5] = f[TR_SRC_OWN + 6] = tr_value_null();
}

static int report(tr_pgc_reader *r, const tr_change *change, tr_err *err)
{
	for (;;) {
		tr_listen answer = r->listener->ready(r->listener);

		if (answer == TR_LISTEN_OK)
			answer = r->listener->change(r->listener, change, err);
		else if (answer == TR_LISTEN_FAILED)
			return tr_err_set(err, TR_E_INTERRUPTED, "the receiver of the events gave up");
		if (answer != TR_LISTEN_BUSY)
			return answer == TR_LISTEN_OK ? 0 : -1;
		if (tr_pgc_wait(&r->run->s->wake, -1, 0, 2, err) < 0)
			return -1;
	}
}

static int emit_held(tr_pgc_reader *r, bool last_in_table, bool last, tr_err *err)
{
	const tr_table *table = r->held_shape;
	int len = r->held_len, result;

	len -= len > 0 && r->held[len - 1] == '\n';
	tr_arena_reset(&r->scratch);
	result = tr_pg_copy_text_row(tr_slice_of(r->held, (size_t)len), &r->scratch, r->row, table->column_count, err);
	if (result == 0) {
		fill_source(r, table);
		tr_change change = {.op = TR_OP_READ,
				    .table = table,
				    .after = r->row,
				    .source = &r->block,
				    .commit_us = r->read_ns / 1000,
				    .read_ns = r->read_ns,
				    .mark = mark_of(r, last_in_table, last)};
		result = report(r, &change, err);
	}
	PQfreemem(r->held);
	r->held = NULL;
	return result;
}

/* The row that another task's row pushes out: is it the last of its table? */
static int emit_finished(tr_pgc_reader *r, tr_err *err)
{
	tr_pgc_snapshot_run *run = r->run;

	pthread_mutex_lock(&run->lock);
	r->held_table->held--;
	bool last_in_table = r->held_table->ranges_left == 0 && r->held_table->held == 0;
	pthread_mutex_unlock(&run->lock);
	return emit_held(r, last_in_table, false, err);
}

static void count_rows(tr_pgc_reader *r, tr_pgc_snapshot_table *table, bool range_done)
{
	tr_pgc_snapshot_run *run = r->run;
	tr_snapshot_table *progress = &run->progress[table - run->tables];

	pthread_mutex_lock(&run->lock);
	progress->rows_done += r->uncounted;
	if (range_done && --table->ranges_left == 0)
		progress->done = true;
	if (run->host->tables)
		run->host->tables(run->host->context, run->progress, run->table_count);
	pthread_mutex_unlock(&run->lock);
	r->uncounted = 0;
}

static int take_row(tr_pgc_reader *r, tr_pgc_snapshot_table *table, const tr_table *shape, char *data, int len,
		    tr_err *err)
{
	bool same = r->held_table == table;
	int result = 0;

	if (r->held)
		result = same ? emit_held(r, false, false, err) : emit_finished(r, err);
	else
		same = false;
	r->held = data;
	r->held_len = len;
	r->held_first = false;
	if (!same) {
		pthread_mutex_lock(&r->run->lock);
		table->held++;
		r->held_first = !table->any_row;
		table->any_row = true;
		pthread_mutex_unlock(&r->run->lock);
	}
	r->held_table = table;
	r->held_shape = shape;
	if (++r->uncounted == PROGRESS_ROWS)
		count_rows(r, table, false);
	return result;
}

/* --- one task ---------------------------------------------------------------------------------- */

static int refuse_large(tr_pgc_reader *r, const tr_pgc_snapshot_table *table, uint64_t bytes, tr_err *err)
{
	return tr_pgc_large_error(r->run->s, table->listed->schema, table->listed->name, bytes, err);
}

static int copy_rows(tr_pgc_reader *r, tr_pgc_snapshot_table *table, const tr_table *shape, tr_err *err)
{
	uint64_t max = r->run->row_max_bytes;
	tr_pgc_coming coming = {0};

	for (;;) {
		char *data = NULL;
		int len = PQgetCopyData(r->c, &data, 1);

		if (len > 0) {
			if (atomic_load_explicit(&r->run->failed, memory_order_relaxed)) {
				PQfreemem(data);
				return tr_err_set(err, TR_E_INTERRUPTED, "another snapshot reader failed");
			}
			if ((uint64_t)len > max) {
				PQfreemem(data);
				return refuse_large(r, table, (uint64_t)len, err);
			}
			tr_pgc_coming_whole(&coming);
			if (take_row(r, table, shape, data, len, err))
				return -1;
			continue;
		}
		if (len == -1)
			return 0;
		if (len < 0)
			return tr_pgc_error(r->c, NULL, "read a table for the snapshot", err);
		if (tr_pgc_coming_too_long(&coming, r->c, max))
			return refuse_large(r, table, 0, err);
		if (tr_pgc_wait(&r->run->s->wake, PQsocket(r->c), POLLIN, -1, err) < 0)
			return -1;
		if (!PQconsumeInput(r->c))
			return tr_pgc_error(r->c, NULL, "read a table for the snapshot", err);
		r->read_ns = tr_clock_wall_ns();
	}
}

/* What comes after the last row: the command's own result. */
static int finish_copy(tr_pgc_reader *r, tr_err *err)
{
	PGresult *result;
	int failed = 0;

	while ((result = PQgetResult(r->c))) {
		if (PQresultStatus(result) != PGRES_COMMAND_OK && !failed)
			failed = tr_pgc_error(r->c, result, "read a table for the snapshot", err);
		PQclear(result);
	}
	return failed;
}

static void column_list(const tr_table *shape, tr_writer *w)
{
	for (size_t i = 0; i < shape->column_count; i++) {
		tr_writer_text(w, i ? ", " : "");
		tr_pgc_ident(w, shape->columns[i].name);
	}
}

static void copy_sql(const tr_pgc_task *task, const tr_table *shape, tr_writer *w)
{
	const tr_pgc_listed *t = task->table->listed;
	bool where = false;

	tr_writer_text(w, "COPY (SELECT ");
	column_list(shape, w);
	/* Children by inheritance are tables of their own; a partitioned table has no rows but its partitions'. */
	tr_writer_text(w, t->kind == 'p' ? " FROM " : " FROM ONLY ");
	tr_pgc_qualified(w, t->schema, t->name);
	if (task->table->row_filter) {
		tr_writer_format(w, " WHERE (%s)", task->table->row_filter);
		where = true;
	}
	if (task->first_page > 0 || task->end_page > 0) {
		tr_writer_format(w, "%s ctid >= '(%llu,0)'::tid", where ? " AND" : " WHERE",
				 (unsigned long long)task->first_page);
		if (task->end_page > 0)
			tr_writer_format(w, " AND ctid < '(%llu,0)'::tid", (unsigned long long)task->end_page);
	}
	tr_writer_text(w, ") TO STDOUT");
	tr_writer_u8(w, '\0');
}

static int run_sql(tr_pgc_reader *r, tr_writer *sql, const char *what, PGresult **out, tr_err *err)
{
	*out = NULL;
	if (!tr_writer_ok(sql))
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	return exec(r, what, (const char *)sql->data, out, err);
}

/*
 * TRUNCATE and rewriting ALTER TABLE are not MVCC-safe: a table rewritten since the snapshot was exported looks empty
 * in it. So the table is locked against them, and its file now must be the file of the snapshot.
 */
static int lock_table(tr_pgc_reader *r, const tr_pgc_listed *t, tr_err *err)
{
	PGresult *answer = NULL;
	tr_writer sql;
	int result;

	tr_writer_init(&sql, 4096);
	tr_writer_text(&sql, t->kind == 'p' ? "LOCK TABLE " : "LOCK TABLE ONLY ");
	tr_pgc_qualified(&sql, t->schema, t->name);
	tr_writer_format(
	    &sql,
	    " IN ACCESS SHARE MODE; SELECT relkind <> 'r' OR pg_relation_filenode(oid) IS NOT DISTINCT FROM relfilenode"
	    " OR relfilenode = 0 FROM pg_class WHERE oid = %u",
	    t->oid);
	tr_writer_u8(&sql, '\0');
	result = run_sql(r, &sql, "lock a table for the snapshot", &answer, err);
	if (result == 0 && (PQntuples(answer) != 1 || PQgetvalue(answer, 0, 0)[0] != 't')) {
		result = tr_err_set(err, TR_E_SNAPSHOT_FAILED, "table \"%s.%s\" was rewritten while the snapshot began",
				    t->schema, t->name);
		tr_err_hint(err, "Nothing is lost; the snapshot is made again.");
	}
	if (result && err->code == TR_E_SOURCE_PRIVILEGE)
		tr_err_hint(err,
			    "Run: GRANT USAGE ON SCHEMA \"%s\" TO \"%s\"; GRANT SELECT ON TABLE \"%s\".\"%s\" TO "
			    "\"%s\"; then start again: "
			    "the snapshot is made anew.",
			    t->schema, r->run->s->server.user, t->schema, t->name, r->run->s->server.user);
	PQclear(answer);
	tr_writer_release(&sql);
	return result;
}

/* The compiled shape; the catalogue and its connection are shared, so one reader at a time. NULL when the table is
 * gone. */
static int shape_of(tr_pgc_reader *r, tr_pgc_snapshot_table *table, const tr_table **out, tr_err *err)
{
	tr_pgc *s = r->run->s;
	tr_pgc_relation *rel;
	int result = 0;

	pthread_mutex_lock(&s->catalog.lock);
	rel = tr_pgc_relation_find(&s->catalog, table->listed->oid);
	if (!rel || rel->stale || !rel->table) {
		result = tr_pgc_relation_read(&s->catalog, table->listed->oid, table->columns,
					      s->options->snapshot_as_debezium, &rel, err);
		if (result == 0 && rel)
			result = tr_pgc_relation_compile(&s->catalog, rel, r->listener->catalogue, err);
	}
	*out = result == 0 && rel ? rel->table : NULL;
	pthread_mutex_unlock(&s->catalog.lock);
	if (result == 0 && !*out) {
		tr_err_set(err, TR_E_SNAPSHOT_FAILED, "table \"%s.%s\" was dropped while the snapshot began",
			   table->listed->schema, table->listed->name);
		return tr_err_hint(err, "Nothing is lost; the snapshot is made again.");
	}
	return result;
}

static int run_task(tr_pgc_reader *r, const tr_pgc_task *task, tr_err *err)
{
	const tr_pgc_listed *t = task->table->listed;
	const tr_table *shape;
	PGresult *answer = NULL;
	tr_writer sql;
	int result = -1;

	tr_writer_init(&sql, 1 << 20);
	r->read_ns = tr_clock_wall_ns();
	if (lock_table(r, t, err) || shape_of(r, task->table, &shape, err))
		goto out;
	copy_sql(task, shape, &sql);
	if (run_sql(r, &sql, "read a table for the snapshot", &answer, err) || copy_rows(r, task->table, shape, err) ||
	    finish_copy(r, err))
		goto out;
	count_rows(r, task->table, true);
	if (r->listener->snapshot_progress(r->listener, shape, 0, true, err) == TR_LISTEN_FAILED)
		goto out;
	result = 0;
out:
	if (result && err->code != TR_E_INTERRUPTED && err->code != TR_E_SNAPSHOT_FAILED && err->code != TR_E_BATCH_LIMIT)
		tr_err_prefix(err, "snapshot of table \"%s.%s\"", t->schema, t->name);
	PQclear(answer);
	tr_writer_release(&sql);
	return result;
}

/* --- a reader's life --------------------------------------------------------------------------- */

/* The newest transaction that the snapshot surely holds: all older ones are finished, and streamed ones are newer. */
static const char txid_sql[] = "SELECT (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1) & 4294967295";

static int open_reader(tr_pgc_reader *r, tr_err *err)
{
	tr_pgc_dial dial = tr_pgc_dial_of(r->run->s);
	PGresult *answer = NULL;
	tr_writer sql;
	int result = -1;

	tr_writer_init(&sql, 4096);
	tr_arena_init(&r->scratch, SCRATCH_MAX);
	r->listener = r->run->host->listener(r->run->host->context, r->number, err);
	if (!r->listener || tr_pgc_connect(&r->c, &dial, false, err))
		goto out;
	tr_writer_text(&sql, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT ");
	tr_pgc_literal(&sql, r->run->snapshot_name);
	tr_writer_format(&sql, "; %s", txid_sql);
	tr_writer_u8(&sql, '\0');
	if (run_sql(r, &sql, "import the slot's snapshot", &answer, err))
		goto out;
	r->txid = strtoll(PQgetvalue(answer, 0, 0), NULL, 10);
	result = 0;
out:
	PQclear(answer);
	tr_writer_release(&sql);
	return result;
}

static const tr_pgc_task *next_task(tr_pgc_snapshot_run *run)
{
	const tr_pgc_task *task = NULL;

	pthread_mutex_lock(&run->lock);
	if (!run->failed && run->next_task < run->task_count)
		task = &run->tasks[run->next_task++];
	pthread_mutex_unlock(&run->lock);
	return task;
}

/* Joins the readers that have no task left; true when this one holds the very last row. */
static bool meet(tr_pgc_reader *r)
{
	tr_pgc_snapshot_run *run = r->run;

	pthread_mutex_lock(&run->lock);
	run->reading--;
	if (r->held && (!run->best || r->held_table > run->best)) {
		run->best = r->held_table;
		run->best_reader = r->number;
	}
	pthread_cond_broadcast(&run->changed);
	while (run->reading > 0 && !run->failed)
		pthread_cond_wait(&run->changed, &run->lock);
	bool is_last = r->held && run->best_reader == r->number && !run->failed;
	while (is_last && run->inside > 1 && !run->failed)
		pthread_cond_wait(&run->changed, &run->lock);
	is_last = is_last && !run->failed;
	pthread_mutex_unlock(&run->lock);
	return is_last;
}

static int read_all(tr_pgc_reader *r, tr_err *err)
{
	const tr_pgc_task *task;

	while ((task = next_task(r->run)))
		if (run_task(r, task, err))
			return -1;
	/* The others may need the batch that this one has, for as long as they read. */
	if (r->listener->pause(r->listener, err) == TR_LISTEN_FAILED)
		return -1;
	if (meet(r))
		return emit_held(r, false, true, err);
	return r->held && !r->run->failed ? emit_finished(r, err) : 0;
}

static void note_failure(tr_pgc_snapshot_run *run, const tr_err *err, bool was_reading)
{
	pthread_mutex_lock(&run->lock);
	if (!run->failed)
		run->error = *err;
	run->failed = true;
	run->reading -= was_reading && run->reading > 0;
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
}

static void leave(tr_pgc_reader *r)
{
	tr_pgc_snapshot_run *run = r->run;

	if (r->listener)
		run->host->release(run->host->context, r->listener);
	if (r->held)
		PQfreemem(r->held);
	PQfinish(r->c);
	tr_arena_release(&r->scratch);
	pthread_mutex_lock(&run->lock);
	run->inside--;
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
}

void *tr_pgc_reader_main(void *reader)
{
	tr_pgc_reader *r = reader;
	tr_err err = {0};

	if (open_reader(r, &err) || read_all(r, &err))
		note_failure(r->run, &err, true);
	leave(r);
	return NULL;
}
