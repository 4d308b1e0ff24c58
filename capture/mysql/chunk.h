/*
 * One chunk of an incremental snapshot, on a thread and a connection of its own, so that the stream never waits for a
 * statement: the window's first mark, the proof that what was streamed can be seen, the rows in one view, the second mark.
 * Knows nothing of the stream but what its order says.
 *
 * What was streamed before the order must be visible in the view, and a log's event is sent before its commit can be seen.
 * So the view is taken only when one of these has proved it:
 *
 * - MySQL with GTIDs: WAIT_FOR_EXECUTED_GTID_SET of all that was streamed. A GTID counts as executed once the engine has
 *   committed.
 * - MariaDB: a consistent snapshot tells its place in the log; before it everything is visible, and it has to be behind the
 *   end of what was streamed.
 * - The first mark, where neither can be had: engines commit in the order of the log (MySQL: binlog_order_commits; MariaDB:
 *   always), what was streamed is before the mark in the log, and the answer to the mark's INSERT comes after its commit.
 * - XA COMMIT of another session takes no part in that order. As long as XA RECOVER lists an XA transaction whose end was
 *   streamed, it is not over. When there were too many to remember, all that it lists at first have to go from the list, but
 *   for those that the stream knows to be prepared.
 *
 * Changes that the view shows were logged before the second mark, which is written when the view is over.
 *
 * Refuses: keeping more than TR_INC_CHUNK_BYTES of rows (the chunk is then cut), but for a single row that is larger.
 */
#ifndef TR_CAPTURE_MYSQL_CHUNK_H
#define TR_CAPTURE_MYSQL_CHUNK_H

#include "capture/incremental/window.h"
#include "capture/mysql/key.h"
#include "capture/mysql/mysql.h"

#define TR_MYC_INC_NAME_MAX 260 /* 64 characters, and room for what is no name */
#define TR_MYC_XA_ENDED_MAX 4096

/* XA transactions whose end was streamed, by the hash of their names. */
typedef struct tr_myc_xa_ended {
	uint64_t hashes[TR_MYC_XA_ENDED_MAX];
	size_t count;
	uint64_t total; /* ever added */
	bool overflow;  /* there were more: each that is prepared may be one of them */
	bool checked;   /* of an order: none of them is prepared any more */
} tr_myc_xa_ended;
void tr_myc_xa_ended_add(tr_myc_xa_ended *e, const char *xid);
uint64_t tr_myc_xa_hash(const char *xid);

typedef enum tr_myc_chunk_end {
	TR_MYC_CHUNK_READ,   /* the rows are here, both marks are written */
	TR_MYC_CHUNK_SHAPE,  /* the table is another one than ordered (or nothing was known of it): its facts are here */
	TR_MYC_CHUNK_BEHIND, /* the server does not show yet what it has sent */
	TR_MYC_CHUNK_FAILED, /* err says why */
} tr_myc_chunk_end;

typedef struct tr_myc_chunk {
	/* The order; not touched while the work runs. Texts are borrowed until then. */
	const tr_myc_dial *dial;
	bool mariadb;
	const char *signal_database, *signal_name, *database, *name;
	const char *filter;       /* SQL condition, or NULL */
	tr_slice signature;       /* of the facts that `key` and `columns` were made of; empty: only facts are wanted */
	const tr_myc_key *key;
	const char *columns;      /* SQL: all columns */
	size_t column_count;
	tr_inc_key last;
	uint32_t limit;           /* rows */
	tr_inc_window window;
	tr_writer executed;       /* GTIDs, NUL-terminated; empty = not proved by them */
	char streamed_file[TR_BL_FILE_MAX]; /* MariaDB: the end of what was streamed */
	uint64_t streamed_pos;
	tr_myc_xa_ended xa;
	uint64_t pending[TR_MYC_XA_MAX]; /* XA transactions that are prepared and not over, as the stream knows */
	size_t pending_count;
	/* The outcome. */
	bool in_view;             /* the view was had */
	tr_myc_chunk_end end;
	tr_err err;
	bool of_mark;             /* the signal table was at fault */
	bool of_statement;        /* SQL that will fail again: the condition's, or the table is gone */
	bool read_only;
	tr_myc_facts facts;
	tr_inc_key max;           /* part of the order, too, unless it is empty */
	tr_writer rows;           /* per row: key expressions, then columns; each u32 length (TR_MYC_CHUNK_NULL), bytes */
	uint32_t row_count;
	bool cut;                 /* the rest did not fit */
	bool empty;               /* the table has no rows */
	/* The thread. */
	MYSQL *c;                 /* the work's while it runs; NULL = not open */
	tr_myc_wake wake;
	int done_fd;              /* readable once the work is done */
	pthread_t thread;
	bool started;
	_Atomic(bool) done;
} tr_myc_chunk;

#define TR_MYC_CHUNK_NULL UINT32_MAX

int tr_myc_chunk_init(tr_myc_chunk *c, tr_err *err);
void tr_myc_chunk_release(tr_myc_chunk *c);
/* Starts the work that was ordered. */
int tr_myc_chunk_start(tr_myc_chunk *c, tr_err *err);
static inline bool tr_myc_chunk_done(const tr_myc_chunk *c)
{
	return c->started && atomic_load_explicit(&c->done, memory_order_acquire);
}
/* After `done`: the outcome may be looked at. */
void tr_myc_chunk_join(tr_myc_chunk *c);
/* Ends work and connection, whatever they are at, and forgets the outcome. */
void tr_myc_chunk_stop(tr_myc_chunk *c);

#endif
