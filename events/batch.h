/*
 * A batch: the records encoded between two positions, in order, with the bytes they consist of. The capture thread (or a
 * snapshot reader) fills it, seals it and gives it to the delivery thread; from then on the bytes never move, and the
 * batch belongs to the sink until all of its records are settled. Batches are pooled: their number times their size is the
 * pipeline's memory.
 */
#ifndef TR_EVENTS_BATCH_H
#define TR_EVENTS_BATCH_H

#include "core/ring.h"
#include "core/writer.h"
#include "events/encoder.h"
#include "events/table.h"

#define TR_ABSENT_LEN UINT32_MAX /* key_len or value_len of a null key or a tombstone */

/* Constant headers shared by all data records of a pipeline, in order. */
typedef struct tr_header {
	const char *name;
	tr_slice value;
} tr_header;

typedef struct tr_record {
	tr_topic *topic;
	const tr_codec *key_codec, *value_codec; /* NULL when the part is absent */
	uint32_t key_at, key_len;     /* offsets into bytes; len TR_ABSENT_LEN = null */
	uint32_t value_at, value_len;
	uint32_t extra_at, extra_len; /* value of the extra header, when extra_name is set */
	const char *extra_name;       /* "__debezium.newkey", "__debezium.oldkey" or NULL; comes before the shared ones */
	bool shared_headers;          /* carries the pipeline's context headers */
	char op;                      /* tr_op, for metrics and dead letters; 0 for meta records */
	int64_t timestamp_ms;         /* of the record: wall clock when encoded */
} tr_record;

typedef enum tr_batch_state { TR_BATCH_OPEN, TR_BATCH_SEALED, TR_BATCH_SENT, TR_BATCH_SETTLED, TR_BATCH_FAILED } tr_batch_state;

/* What a batch tells the commit besides rows: the snapshot's turning points travel in order with the rows. */
typedef enum tr_batch_note { TR_NOTE_NONE, TR_NOTE_IDENTITY, TR_NOTE_SNAPSHOT_STARTED, TR_NOTE_SNAPSHOT_DONE } tr_batch_note;

typedef struct tr_batch_pool tr_batch_pool;

typedef struct tr_batch {
	uint32_t magic;
	tr_batch_pool *pool;
	tr_writer bytes;
	tr_record *records;
	size_t count, capacity;
	const tr_header *headers; /* the shared ones */
	size_t header_count;
	/* set when sealed */
	uint64_t sequence;        /* order of sealing in this run, from 1 */
	tr_writer position;       /* the source's position after this batch (source.h); empty = no position moves (snapshot rows) */
	tr_writer progress;       /* JSON object of snapshot progress for the state record; usually empty */
	tr_batch_note note;
	int64_t last_commit_us;   /* of the newest transaction inside; 0 = none */
	uint64_t transactions, changes;
	bool inside;              /* its position lies inside of a source transaction */
	bool live;                /* sealed because the source had nothing more to read */
	size_t accounted_bytes;   /* the pool's: what it counts for this batch */
	/* owned by the delivery thread from here on */
	tr_batch_state state;
	size_t pending;           /* records not yet settled */
	tr_err *error;            /* first failure, owned by the batch; NULL = none */
} tr_batch;
#define TR_BATCH_MAGIC 0xba7c4001u

/* count batches of at most max_bytes each (and never 4 GiB; bytes grow on demand; a single event may pass the target size
 * of its owner up to max_bytes). NULL when memory ran out. */
tr_batch_pool *tr_batch_pool_new(size_t count, size_t max_bytes);
void tr_batch_pool_free(tr_batch_pool *pool);
/* An empty open batch; waits up to timeout_ms for one to come back (back-pressure); NULL on timeout. Any thread. */
tr_batch *tr_batch_take(tr_batch_pool *pool, int timeout_ms);
/* Empties the batch and frees its error. A buffer that one large event blew up is given back to the system. Any thread. */
void tr_batch_put_back(tr_batch *batch);
/* What all batches together should hold; set before use. */
void tr_batch_pool_budget(tr_batch_pool *pool, size_t bytes);
/* True while the batches hold more than the budget and some are away, so that waiting for them helps. Any thread. */
bool tr_batch_pool_exhausted(tr_batch_pool *pool);
/* Bytes held by all batches of the pool now. */
size_t tr_batch_pool_bytes(const tr_batch_pool *pool);

/* Appends an empty record (zeroed, lengths TR_ABSENT_LEN); NULL when memory ran out. Records before it may move. */
tr_record *tr_batch_add(tr_batch *batch);

static inline tr_slice tr_record_key(const tr_batch *b, const tr_record *r)
{
	return r->key_len == TR_ABSENT_LEN ? tr_slice_of(NULL, 0) : tr_slice_of(b->bytes.data + r->key_at, r->key_len);
}

static inline tr_slice tr_record_value(const tr_batch *b, const tr_record *r)
{
	return r->value_len == TR_ABSENT_LEN ? tr_slice_of(NULL, 0) : tr_slice_of(b->bytes.data + r->value_at, r->value_len);
}

#endif
