/*
 * The initial snapshot: shared by snapshot.c (plan, threads, end) and reader.c (one connection's work).
 *
 * Tables are read in the order of their names, big ones in ranges of pages; each reader holds its newest row back until
 * it has another one, so that the last row of a table, and of all, can say so. When no task is left, the readers meet:
 * those whose row is not the last of all report it and leave; the one that holds the row of the last table waits for
 * them.
 */
#ifndef TR_CAPTURE_POSTGRES_SNAPSHOT_H
#define TR_CAPTURE_POSTGRES_SNAPSHOT_H

#include <pthread.h>

#include "capture/postgres/postgres.h"

#define TR_PGC_READERS_MAX 64
#define TR_PGC_RANGES_MAX  4096 /* of one table */

typedef struct tr_pgc_snapshot_table {
	const tr_pgc_listed *listed;
	const tr_map *columns;              /* as the publication carries them; NULL = all */
	const char *row_filter;             /* the publication's, or NULL */
	unsigned ranges, ranges_left, held; /* held: readers that keep a row of it back */
	bool any_row;                       /* some reader has seen its first row */
} tr_pgc_snapshot_table;

typedef struct tr_pgc_task {
	tr_pgc_snapshot_table *table;
	uint64_t first_page, end_page; /* end 0 = to the end of the table */
} tr_pgc_task;

typedef struct tr_pgc_snapshot_run {
	tr_pgc *s;
	const tr_snapshot_host *host;
	tr_pgc_list list;
	tr_arena arena;
	tr_pgc_snapshot_table *tables;
	size_t table_count;
	tr_pgc_task *tasks;
	size_t task_count;
	uint64_t row_max_bytes; /* as the server sends a row */
	char snapshot_name[64];
	uint64_t consistent; /* the stream starts here */
	uint64_t
	    row_lsn; /* what rows carry: just before, so that a reader sees them older than any change of the stream */
	char sequence_text[40];
	uint32_t sequence_len;
	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t next_task;
	unsigned reader_count, reading, inside; /* inside: not yet released their listener */
	tr_pgc_snapshot_table *best;            /* of the rows held back at the end: the one of the last table */
	unsigned best_reader;
	tr_snapshot_table *progress;
	_Atomic(bool) failed; /* set under lock, looked at by busy readers without */
	tr_err error;
} tr_pgc_snapshot_run;

typedef struct tr_pgc_reader {
	tr_pgc_snapshot_run *run;
	unsigned number;
	pthread_t thread;
	bool started;
	PGconn *c;
	tr_listener *listener;
	tr_arena scratch;
	tr_source_block block;
	tr_datum row[TR_PG_COLUMNS_MAX];
	int64_t txid; /* -1 = null */
	/* the row held back; data belongs to libpq */
	char *held;
	int held_len;
	int64_t read_ns; /* wall clock when what libpq holds was read */
	bool held_first;
	tr_pgc_snapshot_table *held_table;
	const tr_table *held_shape;
	uint64_t uncounted; /* rows not yet in the progress */
} tr_pgc_reader;

void *tr_pgc_reader_main(void *reader);
/* Whether a captured table is read itself, or through its root or its partitions. */
bool tr_pgc_snapshot_belongs(const tr_pgc *s, const tr_pgc_listed *t);

/* snapshot.c: an empty run; then its tables, with the columns and rows that the publication carries (all, while it does not
 * exist). The connection `sql` must be open. */
void tr_pgc_snapshot_run_init(tr_pgc_snapshot_run *run, tr_pgc *s, const tr_snapshot_host *host);
int tr_pgc_snapshot_run_tables(tr_pgc_snapshot_run *run, tr_err *err);
void tr_pgc_snapshot_run_release(tr_pgc_snapshot_run *run);

#endif
