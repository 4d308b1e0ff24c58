/*
 * The batches a sink has taken and not given back, in the order they came: batches are returned from the front only, so
 * what comes back is always a prefix of what was sent. Its length is bounded by the pool the batches come from.
 */
#ifndef TR_SINKS_INFLIGHT_H
#define TR_SINKS_INFLIGHT_H

#include "events/batch.h"

typedef struct tr_inflight {
	tr_batch **items; /* ring of `capacity` (a power of two) */
	size_t head, count, capacity;
} tr_inflight;

void tr_inflight_init(tr_inflight *f);
/* Frees the list. Batches still in it go back to their pool, FAILED: nothing may refer to their bytes any more. */
void tr_inflight_release(tr_inflight *f);
/* Takes the batch: state SENT. */
int tr_inflight_push(tr_inflight *f, tr_batch *batch, tr_err *err);
/* The i-th oldest; i < count. */
tr_batch *tr_inflight_at(const tr_inflight *f, size_t i);
/* The oldest when it is SETTLED or FAILED and nothing refers to its bytes (pending is 0), removed; else NULL. */
tr_batch *tr_inflight_pop_settled(tr_inflight *f);

/* The batch fails with this error unless it already has one. */
void tr_batch_fail(tr_batch *batch, const tr_err *why);

#endif
