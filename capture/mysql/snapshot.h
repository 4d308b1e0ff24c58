/*
 * The initial snapshot: shared by snapshot.c (plan, threads, end), point.c (the one point that all readers show) and
 * reader.c (one connection's work).
 *
 * Tables are read in the order of tr_filter_rank, then of their names, big ones in ranges of their key's first column; each reader holds its newest
 * row back until it has another one, so that the last row of a table, and of all, can say so. When no task is left, the
 * readers meet: those whose row is not the last of all report it and leave; the one that holds the row of the last table
 * waits for them.
 *
 * A DDL on a table waits while the table is read, and not longer. One that comes between the point and the reading makes
 * the snapshot fail with SNAPSHOT_FAILED, and it is made anew: the server says so (error 1412), and where it does not, as
 * after instant DDL and renames, the definition differs from the one before the point. Tables of engines without transactions (MyISAM) have no past:
 * their rows are those of the moment of reading, and the stream brings changes again that they show already.
 */
#ifndef TR_CAPTURE_MYSQL_SNAPSHOT_H
#define TR_CAPTURE_MYSQL_SNAPSHOT_H

#include <pthread.h>

#include "capture/mysql/mysql.h"

#define TR_MYC_READERS_MAX 32
#define TR_MYC_RANGES_MAX  4096 /* of one table */

typedef struct tr_myc_snapshot_table {
	const tr_myc_listed *listed;
	uint64_t definition;                /* tr_myc_facts_hash before the point */
	const tr_table *shape;              /* once a reader came to it; under the catalogue's lock */
	const char *select;                 /* the statement up to WHERE */
	unsigned ranges, ranges_left, held; /* held: readers that keep a row of it back */
	bool any_row;                       /* some reader has seen its first row */
} tr_myc_snapshot_table;

typedef struct tr_myc_task {
	tr_myc_snapshot_table *table;
	const char *where; /* "" = all */
} tr_myc_task;

typedef struct tr_myc_snapshot_run {
	tr_myc *s;
	const tr_snapshot_host *host;
	tr_myc_list list;
	tr_arena arena; /* the capture thread's; with catalog.lock also the readers' */
	tr_myc_snapshot_table *tables;
	size_t table_count;
	tr_myc_task *tasks;
	size_t task_count, task_capacity;
	MYSQL *connections[TR_MYC_READERS_MAX]; /* all within one view */
	tr_myc_position point;
	/* under lock */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t next_task;
	unsigned reader_count, reading, inside; /* inside: not yet released their listener */
	tr_myc_snapshot_table *best;            /* of the rows held back at the end: the one of the last table */
	unsigned best_reader;
	tr_snapshot_table *progress;
	_Atomic(bool) failed; /* set under lock, looked at by busy readers without */
	tr_err error;
} tr_myc_snapshot_run;

typedef struct tr_myc_reader {
	tr_myc_snapshot_run *run;
	unsigned number;
	pthread_t thread;
	bool started;
	MYSQL **c;
	int socket; /* a duplicate of the connection's: what it still gets when the library has closed it */
	tr_listener *listener;
	tr_source_block block;
	/* the row held back, copied out of the client library's buffer */
	tr_writer held;
	tr_datum *row;
	size_t row_capacity;
	bool holds, held_first;
	tr_myc_snapshot_table *held_table;
	const tr_table *held_shape;
	uint64_t uncounted; /* rows not yet in the progress */
} tr_myc_reader;

void *tr_myc_reader_main(void *reader);
/* An event outside of the stream: waits while the listener has no room. */
int tr_myc_snapshot_report(tr_myc *s, tr_listener *l, const tr_change *change, tr_err *err);
/* What the source block of all events of the snapshot has; table NULL = null. */
void tr_myc_snapshot_block(const tr_myc_position *point, const char *table, tr_source_block *out);

/*
 * point.c: begins a transaction on each of the connections, all of which show the same moment, and says which place of the
 * log that is. *count becomes 1 when only one reader can be had (MariaDB without the right to lock).
 */
int tr_myc_point_take(tr_myc_snapshot_run *run, unsigned *count, tr_err *err);

#endif
