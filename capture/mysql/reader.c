/* One snapshot reader: its connection, its tasks, its rows. */
#include <errmsg.h>
#include <mysqld_error.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/mysql/raw.h"
#include "capture/mysql/snapshot.h"
#include "core/clock.h"

#define PROGRESS_ROWS 4096
#define ROW_MAX       ((size_t)3 << 30) /* the server's largest packet is 1 GiB; a row is not larger */
#define SQL_MAX       ((size_t)16 << 20)
#define REST_MS       200 /* the rest of a row follows its beginning */

static const char read_rows[] = "read a table for the snapshot";

/* --- marks and rows ---------------------------------------------------------------------------- */

/* The precedence is Debezium's: a table with one row has only a last one. */
static tr_snapshot_mark mark_of(const tr_myc_reader *r, bool last_in_table, bool last)
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

static int emit_held(tr_myc_reader *r, bool last_in_table, bool last, tr_err *err)
{
	const tr_table *table = r->held_shape;
	int64_t now_ns = tr_clock_wall_ns();
	const tr_change change = {.op = TR_OP_READ,
				  .table = table,
				  .after = r->row,
				  .source = &r->block,
				  .commit_us = now_ns / 1000,
				  .read_ns = now_ns,
				  .mark = mark_of(r, last_in_table, last)};

	r->holds = false;
	return tr_myc_snapshot_report(r->run->s, r->listener, &change, err);
}

/* The row that another table's row pushes out: is it the last of its table? */
static int emit_finished(tr_myc_reader *r, tr_err *err)
{
	tr_myc_snapshot_run *run = r->run;

	pthread_mutex_lock(&run->lock);
	r->held_table->held--;
	bool last_in_table = r->held_table->ranges_left == 0 && r->held_table->held == 0;
	pthread_mutex_unlock(&run->lock);
	return emit_held(r, last_in_table, false, err);
}

static void count_rows(tr_myc_reader *r, tr_myc_snapshot_table *table, bool range_done)
{
	tr_myc_snapshot_run *run = r->run;
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

static int need_columns(tr_myc_reader *r, size_t count, tr_err *err)
{
	tr_datum *row;

	if (count <= r->row_capacity)
		return 0;
	row = realloc(r->row, count * sizeof(*row));
	if (!row)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for a row");
	r->row = row;
	r->row_capacity = count;
	return 0;
}

/* The library's buffer holds one row only, and the newest one is kept until there is another. */
static int copy_row(tr_myc_reader *r, MYSQL_ROW row, const unsigned long *lengths, size_t count, tr_err *err)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += row[i] ? lengths[i] : 0;
	tr_writer_reset(&r->held);
	if (!tr_writer_reserve(&r->held, total ? total : 1))
		return tr_err_set(err, TR_E_MEMORY, "out of memory for a row of %zu bytes", total);
	for (size_t i = 0; i < count; i++) {
		if (!row[i]) {
			r->row[i] = (tr_datum){.form = TR_D_NULL};
			continue;
		}
		r->row[i] = (tr_datum){
		    .ptr = r->held.data + r->held.len, .len = (uint32_t)lengths[i], .form = TR_D_TEXT};
		tr_writer_put(&r->held, row[i], lengths[i]);
	}
	return 0;
}

static int take_row(tr_myc_reader *r, tr_myc_snapshot_table *table, MYSQL_ROW row, const unsigned long *lengths,
		    tr_err *err)
{
	bool same = r->holds && r->held_table == table;

	if (r->holds && (same ? emit_held(r, false, false, err) : emit_finished(r, err)))
		return -1;
	r->held_first = false;
	if (!same) {
		pthread_mutex_lock(&r->run->lock);
		table->held++;
		r->held_first = !table->any_row;
		table->any_row = true;
		pthread_mutex_unlock(&r->run->lock);
		r->held_table = table;
		r->held_shape = table->shape;
		tr_myc_snapshot_block(&r->run->point, table->listed->name, &r->block);
		if (need_columns(r, table->shape->column_count, err))
			return -1;
	}
	if (copy_row(r, row, lengths, table->shape->column_count, err))
		return -1;
	r->holds = true;
	if (++r->uncounted == PROGRESS_ROWS)
		count_rows(r, table, false);
	return 0;
}

/* --- one task ---------------------------------------------------------------------------------- */

static int changed(const tr_myc_listed *t, const char *how, tr_err *err)
{
	tr_err_set(err, TR_E_SNAPSHOT_FAILED, "table \"%s.%s\" was changed by DDL since the snapshot began", t->database,
		   t->name);
	tr_err_detail(err, "%s", how);
	return tr_err_hint(err, "Nothing is lost; the snapshot is made again.");
}

/* The client library closes a connection whose packet is too large, and calls it lost. Then the rest of the row still comes, on
 * the duplicate of its socket; from a server that is gone nothing comes but the end. */
static bool is_too_large(const tr_myc_reader *r)
{
	unsigned number = mysql_errno(*r->c);
	tr_err ignored = {0};
	char byte;

	if (number == CR_NET_PACKET_TOO_LARGE)
		return true;
	return number == CR_SERVER_LOST && r->socket >= 0 &&
	       tr_myc_wait(&r->run->s->wake, r->socket, POLLIN, REST_MS, &ignored) > 0 &&
	       recv(r->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static int too_large(const tr_myc_reader *r, const tr_myc_listed *t, tr_err *err)
{
	tr_err_set(err, TR_E_BATCH_LIMIT, "a row of table \"%s.%s\" is larger than limits.memory allows", t->database, t->name);
	tr_err_detail(err, "one may have a quarter of limits.memory, %llu bytes as the server sends it",
		      (unsigned long long)r->run->s->options->event_max_bytes);
	return tr_err_hint(err, "Nothing was skipped. Set limits.memory to more than four times the length of the row, or leave the table "
				"out of source.tables; the snapshot is made anew.");
}

/* A DDL since the point: the table is not there any more, or its past cannot be read in its new shape. */
static int explain(tr_myc_reader *r, const tr_myc_listed *t, tr_err *err)
{
	unsigned number = mysql_errno(*r->c);

	if (err->code == TR_E_INTERRUPTED || err->code == TR_E_MEMORY)
		return -1;
	if (number == ER_TABLE_DEF_CHANGED || number == ER_NO_SUCH_TABLE || number == ER_BAD_FIELD_ERROR) {
		char detail[sizeof(err->detail)];

		memcpy(detail, err->detail, sizeof(detail));
		return changed(t, detail, err);
	}
	return tr_err_prefix(err, "snapshot of table \"%s.%s\"", t->database, t->name);
}

static bool is_key(const tr_table *shape, size_t index)
{
	for (size_t i = 0; i < shape->key_count; i++)
		if (shape->key[i]->index == index)
			return true;
	return false;
}

/* Columns that nobody gets to see are not fetched, but keep their place. */
static const char *select_sql(tr_arena *a, const tr_myc_listed *t, const tr_table *shape, const tr_myc_facts *facts)
{
	tr_writer w;
	const char *sql;

	tr_writer_init(&w, SQL_MAX);
	for (size_t i = 0; i < shape->column_count; i++) {
		tr_writer_text(&w, i ? ", " : "SELECT ");
		if (!shape->columns[i].type && !is_key(shape, i)) {
			tr_writer_text(&w, "NULL");
			continue;
		}
		tr_myc_ident(&w, shape->columns[i].name);
		tr_writer_text(&w, tr_bl_select_suffix(&facts->columns[i]));
	}
	tr_writer_text(&w, " FROM ");
	tr_myc_qualified(&w, t->database, t->name);
	sql = tr_writer_ok(&w) ? tr_arena_strndup(a, w.data, w.len) : NULL;
	tr_writer_release(&w);
	return sql;
}

/* What the readers share of a table; under the catalogue's lock. */
static int make_shape(tr_myc_reader *r, tr_myc_snapshot_table *table, tr_err *err)
{
	const tr_myc_listed *t = table->listed;
	tr_myc_relation *rel;

	if (tr_myc_relation_read(&r->run->s->catalog, t->database, t->name, r->listener->catalogue, &rel, err))
		return -1;
	if (!rel || tr_myc_facts_hash(rel->facts) != table->definition)
		return changed(t, "its definition is not what it was before the snapshot's point", err);
	table->select = select_sql(&r->run->arena, t, rel->table, rel->facts);
	if (!table->select)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for a statement");
	table->shape = rel->table;
	return 0;
}

/* The catalogue and its connection are shared, so one reader at a time. The table is locked against DDL by this reader's
 * transaction. */
static int shape_of(tr_myc_reader *r, tr_myc_snapshot_table *table, tr_err *err)
{
	tr_myc_catalog *c = &r->run->s->catalog;
	int result;

	pthread_mutex_lock(&c->lock);
	result = table->shape ? 0 : make_shape(r, table, err);
	pthread_mutex_unlock(&c->lock);
	return result;
}

/* The metadata lock lasts until the savepoint is restored; the view stays. */
static int lock_table(tr_myc_reader *r, const tr_myc_listed *t, tr_err *err)
{
	MYSQL_RES *answer = NULL;
	tr_writer w;
	int result;

	tr_writer_init(&w, SQL_MAX);
	tr_writer_text(&w, "SELECT 1 FROM ");
	tr_myc_qualified(&w, t->database, t->name);
	tr_writer_text(&w, " LIMIT 0");
	tr_writer_u8(&w, '\0');
	result = tr_writer_ok(&w)
		     ? tr_myc_query(*r->c, &r->run->s->wake, read_rows, (const char *)w.data, &answer, err)
		     : tr_err_set(err, TR_E_MEMORY, "out of memory for a statement");
	if (answer)
		mysql_free_result(answer);
	tr_writer_release(&w);
	return result;
}

static int fetch_rows(tr_myc_reader *r, tr_myc_snapshot_table *table, MYSQL_RES *rows, tr_err *err)
{
	unsigned long *lengths;
	MYSQL_ROW row;
	int found;

	while ((found = tr_myc_fetch(*r->c, &r->run->s->wake, read_rows, rows, &row, &lengths, err)) > 0) {
		if (atomic_load_explicit(&r->run->failed, memory_order_relaxed))
			return tr_err_set(err, TR_E_INTERRUPTED, "another snapshot reader failed");
		if (take_row(r, table, row, lengths, err))
			return -1;
	}
	return found;
}

static int read_range(tr_myc_reader *r, const tr_myc_task *task, tr_err *err)
{
	MYSQL_RES *rows = NULL;
	tr_writer w;
	int result = -1;

	tr_writer_init(&w, SQL_MAX);
	tr_writer_text(&w, task->table->select);
	tr_writer_text(&w, task->where);
	tr_writer_u8(&w, '\0');
	if (!tr_writer_ok(&w))
		tr_err_set(err, TR_E_MEMORY, "out of memory for a statement");
	else if (tr_myc_query_rows(*r->c, &r->run->s->wake, read_rows, (const char *)w.data, &rows, err) == 0)
		result = fetch_rows(r, task->table, rows, err);
	tr_writer_release(&w);
	if (result && err->code != TR_E_INTERRUPTED && is_too_large(r))
		too_large(r, task->table->listed, err);
	else if (result)
		explain(r, task->table->listed, err);
	/* Rows that are left would all be fetched by freeing the result. The snapshot has failed, so the connection may, too. */
	if (result && rows)
		shutdown(r->socket, SHUT_RDWR);
	if (rows)
		mysql_free_result(rows);
	return result;
}

static int run_task(tr_myc_reader *r, const tr_myc_task *task, tr_err *err)
{
	tr_myc_snapshot_table *table = task->table;
	const tr_myc_listed *t = table->listed;

	if (lock_table(r, t, err))
		return explain(r, t, err);
	if (shape_of(r, table, err))
		return -1;
	if (read_range(r, task, err))
		return -1;
	if (tr_myc_run(*r->c, &r->run->s->wake, read_rows, "ROLLBACK TO SAVEPOINT tailrace", err))
		return -1;
	count_rows(r, table, true);
	return r->listener->snapshot_progress(r->listener, table->shape, 0, true, err) == TR_LISTEN_FAILED ? -1 : 0;
}

/* --- a reader's life --------------------------------------------------------------------------- */

static int open_reader(tr_myc_reader *r, tr_err *err)
{
	tr_writer_init(&r->held, ROW_MAX);
	r->socket = dup(tr_myc_raw_socket(*r->c));
	if (r->run->s->options->event_max_bytes > 0)
		tr_myc_raw_packet_max(*r->c, (size_t)r->run->s->options->event_max_bytes);
	r->listener = r->run->host->listener(r->run->host->context, r->number, err);
	if (!r->listener)
		return -1;
	return tr_myc_run(*r->c, &r->run->s->wake, "begin the snapshot", "SAVEPOINT tailrace", err);
}

static const tr_myc_task *next_task(tr_myc_snapshot_run *run)
{
	const tr_myc_task *task = NULL;

	pthread_mutex_lock(&run->lock);
	if (!run->failed && run->next_task < run->task_count)
		task = &run->tasks[run->next_task++];
	pthread_mutex_unlock(&run->lock);
	return task;
}

/* Joins the readers that have no task left; true when this one holds the very last row. */
static bool meet(tr_myc_reader *r)
{
	tr_myc_snapshot_run *run = r->run;

	pthread_mutex_lock(&run->lock);
	run->reading--;
	if (r->holds && (!run->best || r->held_table > run->best)) {
		run->best = r->held_table;
		run->best_reader = r->number;
	}
	pthread_cond_broadcast(&run->changed);
	while (run->reading > 0 && !run->failed)
		pthread_cond_wait(&run->changed, &run->lock);
	bool is_last = r->holds && run->best_reader == r->number && !run->failed;
	while (is_last && run->inside > 1 && !run->failed)
		pthread_cond_wait(&run->changed, &run->lock);
	is_last = is_last && !run->failed;
	pthread_mutex_unlock(&run->lock);
	return is_last;
}

static int read_all(tr_myc_reader *r, tr_err *err)
{
	const tr_myc_task *task;

	while ((task = next_task(r->run)))
		if (run_task(r, task, err))
			return -1;
	/* The others may need the batch that this one has, for as long as they read. */
	if (r->listener->pause(r->listener, err) == TR_LISTEN_FAILED)
		return -1;
	if (meet(r))
		return emit_held(r, false, true, err);
	return r->holds && !r->run->failed ? emit_finished(r, err) : 0;
}

static void note_failure(tr_myc_snapshot_run *run, const tr_err *err)
{
	pthread_mutex_lock(&run->lock);
	if (!run->failed)
		run->error = *err;
	run->failed = true;
	run->reading -= run->reading > 0;
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
}

static void leave(tr_myc_reader *r)
{
	tr_myc_snapshot_run *run = r->run;

	if (r->listener)
		run->host->release(run->host->context, r->listener);
	tr_writer_release(&r->held);
	free(r->row);
	if (r->socket >= 0)
		close(r->socket);
	mysql_thread_end();
	pthread_mutex_lock(&run->lock);
	run->inside--;
	pthread_cond_broadcast(&run->changed);
	pthread_mutex_unlock(&run->lock);
}

void *tr_myc_reader_main(void *reader)
{
	tr_myc_reader *r = reader;
	tr_err err = {0};

	if (open_reader(r, &err) || read_all(r, &err))
		note_failure(r->run, &err);
	leave(r);
	return NULL;
}
