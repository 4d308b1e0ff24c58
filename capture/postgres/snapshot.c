#include "capture/postgres/snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/failpoint.h"
#include "core/log.h"
#include "core/text.h"

#define RUN_MAX     ((size_t)256 << 20)
#define BLOCK_BYTES 8192u /* servers built with another block size only get ranges of another size */

/* --- which tables, which columns --------------------------------------------------------------- */

/* With publish_via_root a root speaks for its partitions; without, the partitions do. Debezium reads both. */
bool tr_pgc_snapshot_belongs(const tr_pgc *s, const tr_pgc_listed *t)
{
	if (s->options->snapshot_as_debezium)
		return true;
	return s->options->publish_via_root ? !(t->partition && t->root_captured) : t->kind != 'p';
}

static int read_publication_columns(tr_pgc_snapshot_run *run, PGresult **out, tr_err *err)
{
	const char *params[] = {run->s->publication};

	*out = NULL;
	/* Column lists and row filters exist from 15 on; before that the stream carries all but generated columns. */
	if (run->s->server.version < 150000)
		return 0;
	return tr_pgc_sql(
	    run->s, "read the publication's columns",
	    "SELECT p.schemaname, p.tablename, p.rowfilter, u.name"
	    " FROM pg_publication_tables p, unnest(p.attnames) WITH ORDINALITY u(name, o) WHERE p.pubname = $1"
	    " ORDER BY 1, 2, u.o",
	    1, params, out, err);
}

/* One row per column, in the tables' order: gives each table its set of columns. */
static int assign_columns(tr_pgc_snapshot_run *run, const PGresult *r)
{
	int rows = r ? PQntuples(r) : 0;

	for (int i = 0; i < rows;) {
		const char *schema = PQgetvalue(r, i, 0), *name = PQgetvalue(r, i, 1);
		tr_pgc_snapshot_table *table = NULL;
		tr_map *columns = NULL;

		for (size_t t = 0; !table && t < run->table_count; t++)
			if (strcmp(run->tables[t].listed->schema, schema) == 0 &&
			    strcmp(run->tables[t].listed->name, name) == 0)
				table = &run->tables[t];
		if (table)
			table->columns = columns = tr_map_new();
		if (table && !PQgetisnull(r, i, 2) &&
		    !(table->row_filter = tr_arena_strdup(&run->arena, PQgetvalue(r, i, 2))))
			return -1;
		for (; i < rows && strcmp(PQgetvalue(r, i, 0), schema) == 0 && strcmp(PQgetvalue(r, i, 1), name) == 0;
		     i++)
			if (columns)
				tr_map_put(columns, tr_slice_str(PQgetvalue(r, i, 3)), table);
	}
	return 0;
}

int tr_pgc_snapshot_run_tables(tr_pgc_snapshot_run *run, tr_err *err)
{
	PGresult *r = NULL;
	int result;

	if (tr_pgc_catalog_list(&run->s->catalog, run->s->publication, true, false, &run->list, err))
		return -1;
	run->tables = TR_ARENA_ARRAY(&run->arena, tr_pgc_snapshot_table, run->list.count + 1);
	run->progress = TR_ARENA_ARRAY(&run->arena, tr_snapshot_table, run->list.count + 1);
	if (!run->tables || !run->progress)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the list of tables");
	for (size_t i = 0; i < run->list.count; i++) {
		const tr_pgc_listed *t = &run->list.tables[i];

		if (!tr_pgc_snapshot_belongs(run->s, t))
			continue;
		run->progress[run->table_count] =
		    (tr_snapshot_table){.collection = tr_arena_format(&run->arena, "%s.%s", t->schema, t->name),
					.rows_estimated = t->rows > 0 ? (uint64_t)t->rows : 0,
					.bytes_estimated = t->bytes};
		run->tables[run->table_count++].listed = t;
	}
	if (read_publication_columns(run, &r, err))
		return -1;
	result = assign_columns(run, r);
	PQclear(r);
	return result ? tr_err_set(err, TR_E_MEMORY, "out of memory for the list of tables") : 0;
}

/* --- tasks ------------------------------------------------------------------------------------- */

static unsigned ranges_of(const tr_pgc_snapshot_run *run, const tr_pgc_listed *t)
{
	uint64_t split = run->s->options->snapshot_split_bytes, count;

	if (t->kind != 'r' || split == 0 || t->bytes <= split || run->s->options->snapshot_readers < 2)
		return 1;
	count = (t->bytes + split - 1) / split;
	return count > TR_PGC_RANGES_MAX ? TR_PGC_RANGES_MAX : (unsigned)count;
}

static int plan_tasks(tr_pgc_snapshot_run *run, tr_err *err)
{
	size_t total = 0, at = 0;

	for (size_t i = 0; i < run->table_count; i++)
		total += run->tables[i].ranges = run->tables[i].ranges_left = ranges_of(run, run->tables[i].listed);
	run->tasks = TR_ARENA_ARRAY(&run->arena, tr_pgc_task, total + 1);
	if (!run->tasks)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the snapshot's plan");
	for (size_t i = 0; i < run->table_count; i++) {
		tr_pgc_snapshot_table *t = &run->tables[i];
		uint64_t pages = t->listed->bytes / BLOCK_BYTES / t->ranges + 1;

		for (unsigned n = 0; n < t->ranges; n++)
			run->tasks[at++] = (tr_pgc_task){
			    .table = t, .first_page = n * pages, .end_page = n + 1 < t->ranges ? (n + 1) * pages : 0};
	}
	run->task_count = total;
	return 0;
}

/* --- readers ----------------------------------------------------------------------------------- */

static unsigned readers_wanted(const tr_pgc_snapshot_run *run)
{
	unsigned wanted = run->s->options->snapshot_readers ? run->s->options->snapshot_readers : 1;

	if (wanted > TR_PGC_READERS_MAX)
		wanted = TR_PGC_READERS_MAX;
	return run->task_count < wanted ? (unsigned)run->task_count : wanted;
}

static int run_readers(tr_pgc_snapshot_run *run, tr_err *err)
{
	tr_pgc_reader *readers = calloc(run->reader_count ? run->reader_count : 1, sizeof(*readers));

	if (!readers)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the snapshot's readers");
	run->reading = run->inside = run->reader_count;
	for (unsigned i = 0; i < run->reader_count; i++) {
		readers[i].run = run;
		readers[i].number = i;
		readers[i].started = pthread_create(&readers[i].thread, NULL, tr_pgc_reader_main, &readers[i]) == 0;
		if (readers[i].started)
			continue;
		pthread_mutex_lock(&run->lock);
		if (!run->failed)
			tr_err_set(&run->error, TR_E_SYSTEM, "could not start a snapshot reader");
		run->failed = true;
		run->reading--;
		run->inside--;
		pthread_cond_broadcast(&run->changed);
		pthread_mutex_unlock(&run->lock);
	}
	for (unsigned i = 0; i < run->reader_count; i++)
		if (readers[i].started)
			pthread_join(readers[i].thread, NULL);
	free(readers);
	if (run->failed)
		*err = run->error;
	return run->failed ? -1 : 0;
}

/* --- the slot and its snapshot ----------------------------------------------------------------- */

/*
 * A slot that exists cannot export a snapshot any more, but another one can: a temporary slot's consistent point lies
 * after everything the old slot has confirmed, and streaming the old slot from that point on joins the two without gap
 * or overlap.
 */
static int borrow_snapshot(tr_pgc_snapshot_run *run, PGconn **c, tr_err *err)
{
	tr_pgc_dial dial = tr_pgc_dial_of(run->s);
	char name[TR_PGC_NAME_MAX];

	if (tr_pgc_connect(c, &dial, true, err))
		return -1;
	snprintf(name, sizeof(name), "tailrace_snapshot_%d", PQbackendPID(*c));
	return tr_pgc_slot_make(run->s, *c, name, true, &run->consistent, run->snapshot_name, err);
}

static int export_snapshot(tr_pgc_snapshot_run *run, PGconn **borrowed, tr_err *err)
{
	tr_pgc *s = run->s;

	if (s->plan == TR_PGC_SLOT_USE || s->plan == TR_PGC_SLOT_BORROW)
		return borrow_snapshot(run, borrowed, err);
	if (s->plan == TR_PGC_SLOT_REMAKE && tr_pgc_slot_drop(s, err))
		return -1;
	if (tr_pgc_slot_make(s, s->repl, s->slot, false, &run->consistent, run->snapshot_name, err))
		return -1;
	s->plan = TR_PGC_SLOT_USE;
	tr_log(TR_LOG_INFO, s->name, "slot.created", "replication slot \"%s\" was made", s->slot);
	return 0;
}

static void sequence_text(tr_pgc_snapshot_run *run)
{
	run->row_lsn =
	    run->consistent - 1; /* the first record of the stream may start at the consistent point itself */
	int n = snprintf(run->sequence_text, sizeof(run->sequence_text), "[null,\"%llu\"]",
			 (unsigned long long)run->row_lsn);
	run->sequence_len = (uint32_t)n;
}

void tr_pgc_snapshot_run_init(tr_pgc_snapshot_run *run, tr_pgc *s, const tr_snapshot_host *host)
{
	*run = (tr_pgc_snapshot_run){.s = s, .host = host};
	run->row_max_bytes = s->options->event_max_bytes > 0 ? s->options->event_max_bytes : INT32_MAX;
	tr_arena_init(&run->arena, RUN_MAX);
	pthread_mutex_init(&run->lock, NULL);
	pthread_cond_init(&run->changed, NULL);
}

void tr_pgc_snapshot_run_release(tr_pgc_snapshot_run *run)
{
	for (size_t i = 0; i < run->table_count; i++)
		tr_map_free((tr_map *)(uintptr_t)run->tables[i].columns, NULL);
	tr_pgc_list_release(&run->list);
	tr_arena_release(&run->arena);
	pthread_mutex_destroy(&run->lock);
	pthread_cond_destroy(&run->changed);
}

int tr_pgc_snapshot(tr_pgc *s, const tr_snapshot_host *host, tr_err *err)
{
	tr_pgc_snapshot_run run;
	PGconn *borrowed = NULL;
	int result = -1;

	tr_pgc_snapshot_run_init(&run, s, host);
	tr_pgc_catalog_session(&s->catalog);
	if (export_snapshot(&run, &borrowed, err) || tr_pgc_snapshot_run_tables(&run, err) || plan_tasks(&run, err))
		goto out;
	tr_failpoint_at(TR_FP_SNAPSHOT_POINT);
	sequence_text(&run);
	run.reader_count = readers_wanted(&run);
	if (host->tables)
		host->tables(host->context, run.progress, run.table_count);
	if (run_readers(&run, err))
		goto out;
	s->position = (tr_pgc_position){.lsn = run.consistent};
	result = 0;
out:
	PQfinish(borrowed);
	tr_pgc_snapshot_run_release(&run);
	return result;
}
