/*
 * Incremental snapshots: tables are read in chunks by their key while the stream goes on. A window around each chunk is
 * marked by two rows in the signal table; a row of the chunk that the stream touches inside of the window is left to the
 * stream, the others are published when the second mark arrives. All of it happens on the capture thread; statements run
 * on a connection of their own and are never waited for.
 *
 * From the moment before the chunk's snapshot is taken all streamed keys of the table are noted. So a transaction is
 * either noted, or it was streamed before, and then the chunk must see it. It may not: a commit can be decoded before
 * new snapshots show it. Hence the transactions streamed last are looked up in the chunk's own snapshot, and the chunk
 * is tried again as long as one of them is not visible.
 *
 * A row left to the stream whose event carries an unchanged TOAST value shows the placeholder there, as any update does.
 *
 * Refuses: tables without a key that is never null; keeping more of a chunk than TR_INC_CHUNK_BYTES (it is then cut).
 */
#ifndef TR_CAPTURE_POSTGRES_INCREMENTAL_H
#define TR_CAPTURE_POSTGRES_INCREMENTAL_H

#include "capture/incremental/progress.h"
#include "capture/postgres/stream.h"
#include "capture/incremental/touched.h"
#include "capture/incremental/window.h"

#define TR_PGC_STREAMED_MAX 16384u /* transactions remembered; a power of two */
#define TR_PGC_UNSEEN_MAX   256u

typedef enum tr_pgc_phase {
	TR_PGC_INC_IDLE,
	TR_PGC_INC_OPENING,  /* the window's first mark is being written */
	TR_PGC_INC_OPENED,   /* waits for the end of the streamed transaction */
	TR_PGC_INC_LOCKING,  /* the chunk's transaction begins */
	TR_PGC_INC_BOUNDING, /* the table's greatest key is asked for */
	TR_PGC_INC_READING,
	TR_PGC_INC_ENDING,  /* the chunk's transaction ends */
	TR_PGC_INC_CLOSING, /* the second mark is being written */
	TR_PGC_INC_AWAITING, /* the second mark has to arrive in the stream */
} tr_pgc_phase;

struct tr_pgc_incremental {
	tr_inc_progress progress;
	PGconn *c; /* NULL = not open */
	tr_pgc_phase phase;
	int64_t not_before_us; /* monotonic: after a failure */
	int64_t since_us;      /* of the phase AWAITING */
	unsigned failures;
	PGresult *result; /* of the statement that runs; the first error, else the last */
	bool copying;
	/* the newest streamed transactions; survive reconnects */
	uint32_t streamed[TR_PGC_STREAMED_MAX];
	uint64_t streamed_count, streamed_before; /* before: up to the chunk's beginning */
	uint32_t unseen[TR_PGC_UNSEEN_MAX]; /* streamed, but not visible when a chunk began */
	size_t unseen_count;
	/* the window */
	tr_inc_window window;
	uint32_t tracked_oid; /* its streamed keys are noted; 0 = none */
	tr_inc_touched touched;
	bool truncated, again, is_closed;
	bool is_early; /* the window is over, the answer to its last INSERT is not here */
	/* the chunk */
	uint32_t oid;
	char kind;                /* relkind */
	tr_pgc_relation *shape;   /* ours alone: what the catalogue said in the chunk's transaction */
	uint16_t key[TR_INC_KEY_MAX], match[TR_INC_KEY_MAX]; /* columns of shape: paging; identity in the stream */
	size_t key_count, match_count;
	char *row_filter;         /* the publication's, or NULL */
	const tr_table *stream_table; /* `match` was translated for it */
	uint16_t stream_match[TR_INC_KEY_MAX];
	uint32_t limit, row_count; /* rows */
	bool cut;                  /* the rest did not fit */
	bool empty;                /* the table has no rows */
	tr_writer rows;            /* lines of COPY */
	tr_arena scratch;
	tr_datum row[TR_PG_COLUMNS_MAX];
	tr_source_block block;
};

int tr_pgc_incremental_new(tr_pgc_incremental **out, tr_err *err);
void tr_pgc_incremental_free(tr_pgc_incremental *i);
/* From the stored position (empty: a new beginning). */
int tr_pgc_incremental_load(tr_pgc *s, tr_slice position, tr_err *err);

/* Called between messages, often: goes on as far as the server has answered. */
int tr_pgc_incremental_service(tr_pgc *s, int64_t now_us, tr_err *err);
/* The socket to wait for as well, or -1; *wait_us is lowered when it has to be called again soon. */
int tr_pgc_incremental_socket(const tr_pgc *s, int64_t *wait_us);
/* True while it has something to do that will end by itself. */
bool tr_pgc_incremental_busy(const tr_pgc *s);
/* Forgets the chunk at hand; its rows will be read again. */
void tr_pgc_incremental_abandon(tr_pgc *s);

/* From wire.c. */
static inline bool tr_pgc_incremental_concerns(const tr_pgc *s, const tr_table *table)
{
	return ((const tr_pgc_table_info *)table->source_data)->is_signal ||
	       table->source_id == s->incremental->tracked_oid;
}
/* A column as its values are compared: without what rules and masks make of them, where it is part of the published key. */
static inline const tr_column *tr_pgc_incremental_column(const tr_table *table, size_t index)
{
	for (size_t n = 0; n < table->key_count; n++)
		if (table->key[n]->index == index)
			return table->key[n];
	return &table->columns[index];
}
int tr_pgc_incremental_change(tr_pgc *s, const tr_change *change, tr_err *err);
void tr_pgc_incremental_relation(tr_pgc *s, const tr_pg_relation *m);
/* A transaction was streamed to its end: remembers it; publishes the chunk when it closed the window. */
int tr_pgc_incremental_commit(tr_pgc *s, tr_err *err);
/* A close mark was inserted. */
void tr_pgc_incremental_closed(tr_pgc *s, tr_slice id);

#endif
