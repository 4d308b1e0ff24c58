#include <stdlib.h>

#include "events/internal.h"

#define ID_MAX_BYTES    ((size_t)64 << 10)
#define NAMES_MAX_BYTES ((size_t)16 << 20)
#define COLLECTIONS_MAX ((size_t)1 << 22)
#define FIRST_SLOTS     ((size_t)16) /* java.util.HashMap */

void tr_txn_init(tr_txn *t)
{
	*t = (tr_txn){.order_slots = FIRST_SLOTS};
	tr_writer_init(&t->id, ID_MAX_BYTES);
	tr_arena_init(&t->names, NAMES_MAX_BYTES);
}

void tr_txn_release(tr_txn *t)
{
	tr_writer_release(&t->id);
	tr_arena_release(&t->names);
	free(t->collections);
	free(t->touched);
	t->collections = NULL;
	t->touched = NULL;
}

int tr_txn_begin(tr_txn *t, tr_slice id, int64_t commit_us, tr_err *err)
{
	for (size_t i = 0; i < t->touched_count; i++)
		t->collections[t->touched[i]] = (tr_txn_collection){0};
	tr_arena_reset(&t->names);
	tr_writer_reset(&t->id);
	tr_writer_slice(&t->id, id);
	t->commit_us = commit_us;
	t->open = true;
	t->announced = false;
	t->total = t->messages = 0;
	t->touched_count = 0;
	return tr_writer_ok(&t->id)
		   ? 0
		   : tr_err_set(err, TR_E_DECODE_VALUE, "a transaction's id is longer than %zu bytes", ID_MAX_BYTES);
}

static int no_room(tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "out of memory for the tables of a transaction");
}

static int make_room(tr_txn *t, size_t number, tr_err *err)
{
	size_t capacity = t->capacity ? t->capacity : 64;

	while (capacity <= number)
		capacity *= 2;
	if (capacity > COLLECTIONS_MAX)
		return no_room(err);
	tr_txn_collection *collections = realloc(t->collections, capacity * sizeof(*collections));
	if (!collections)
		return no_room(err);
	t->collections = collections;
	uint32_t *touched = realloc(t->touched, capacity * sizeof(*touched));
	if (!touched)
		return no_room(err);
	t->touched = touched;
	memset(collections + t->capacity, 0, (capacity - t->capacity) * sizeof(*collections));
	t->capacity = capacity;
	return 0;
}

int tr_txn_count(tr_txn *t, const tr_table *table, uint64_t *order, tr_err *err)
{
	size_t number = table->topic->number;

	if (number >= t->capacity && make_room(t, number, err) != 0)
		return -1;
	tr_txn_collection *entry = &t->collections[number];
	if (entry->events == 0) {
		/* A copy: the table may change its shape and be freed before the transaction ends. */
		entry->name = tr_arena_strdup(&t->names, table->collection);
		if (!entry->name)
			return no_room(err);
		entry->hash = table->collection_hash;
		entry->place = (uint32_t)t->touched_count;
		t->touched[t->touched_count++] = (uint32_t)number;
	}
	t->total++;
	*order = ++entry->events;
	return 0;
}

void tr_txn_uncount(tr_txn *t, const tr_table *table)
{
	tr_txn_collection *entry = &t->collections[table->topic->number];

	t->total--;
	if (--entry->events > 0)
		return;
	*entry = (tr_txn_collection){0};
	t->touched_count--;
}

static size_t slot_of(const tr_txn_collection *entry, size_t slots)
{
	return (entry->hash ^ (entry->hash >> 16)) & (slots - 1);
}

static int by_slot(const void *left, const void *right, void *slots)
{
	const tr_txn_collection *a = *(const tr_txn_collection *const *)left,
				*b = *(const tr_txn_collection *const *)right;
	size_t slot_a = slot_of(a, *(const size_t *)slots), slot_b = slot_of(b, *(const size_t *)slots);

	if (slot_a != slot_b)
		return slot_a < slot_b ? -1 : 1;
	return a->place < b->place ? -1 : a->place > b->place;
}

const tr_txn_collection **tr_txn_end_order(tr_txn *t, tr_arena *scratch)
{
	const tr_txn_collection **list = TR_ARENA_ARRAY(scratch, const tr_txn_collection *, t->touched_count);
	size_t entries = t->touched_count + (size_t)t->messages;

	if (!list)
		return NULL;
	for (size_t i = 0; i < t->touched_count; i++)
		list[i] = &t->collections[t->touched[i]];
	/* The map doubles when it is more than three quarters full, and stays that large when it is cleared. */
	while (4 * entries > 3 * t->order_slots)
		t->order_slots *= 2;
	qsort_r(list, t->touched_count, sizeof(*list), by_slot, &t->order_slots);
	return list;
}
