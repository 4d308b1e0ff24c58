#include "sinks/inflight.h"

#include <stdlib.h>

#define FIRST_CAPACITY 16

void tr_inflight_init(tr_inflight *f)
{
	*f = (tr_inflight){0};
}

tr_batch *tr_inflight_at(const tr_inflight *f, size_t i)
{
	return f->items[(f->head + i) & (f->capacity - 1)];
}

void tr_inflight_release(tr_inflight *f)
{
	for (size_t i = 0; i < f->count; i++) {
		tr_batch *batch = tr_inflight_at(f, i);
		batch->state = TR_BATCH_FAILED;
		tr_batch_put_back(batch);
	}
	free(f->items);
	tr_inflight_init(f);
}

static bool grow(tr_inflight *f)
{
	size_t capacity = f->capacity ? f->capacity * 2 : FIRST_CAPACITY;
	tr_batch **items = malloc(capacity * sizeof(*items));

	if (!items)
		return false;
	for (size_t i = 0; i < f->count; i++)
		items[i] = tr_inflight_at(f, i);
	free(f->items);
	f->items = items;
	f->capacity = capacity;
	f->head = 0;
	return true;
}

int tr_inflight_push(tr_inflight *f, tr_batch *batch, tr_err *err)
{
	if (f->count == f->capacity && !grow(f))
		return tr_err_set(err, TR_E_MEMORY, "the list of batches in flight could not grow");
	f->items[(f->head + f->count++) & (f->capacity - 1)] = batch;
	batch->state = TR_BATCH_SENT;
	return 0;
}

tr_batch *tr_inflight_pop_settled(tr_inflight *f)
{
	tr_batch *batch = f->count > 0 ? tr_inflight_at(f, 0) : NULL;

	if (!batch || batch->pending > 0 || batch->state == TR_BATCH_SENT)
		return NULL;
	f->head = (f->head + 1) & (f->capacity - 1);
	f->count--;
	return batch;
}

void tr_batch_fail(tr_batch *batch, const tr_err *why)
{
	batch->state = TR_BATCH_FAILED;
	if (batch->error)
		return;
	batch->error = malloc(sizeof(*batch->error));
	if (batch->error)
		*batch->error = *why;
}
