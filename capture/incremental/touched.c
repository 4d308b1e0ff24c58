#include "capture/incremental/touched.h"

#include <stdlib.h>

#define KEYS_MAX    ((size_t)8 << 20)
#define ONE_MAX     ((size_t)1 << 20)
#define SCRATCH_MAX ((size_t)16 << 20)

void tr_inc_touched_init(tr_inc_touched *t)
{
	*t = (tr_inc_touched){0};
	tr_writer_init(&t->keys, KEYS_MAX);
	tr_writer_init(&t->one, ONE_MAX);
	tr_arena_init(&t->scratch, SCRATCH_MAX);
}

void tr_inc_touched_release(tr_inc_touched *t)
{
	tr_writer_release(&t->keys);
	tr_writer_release(&t->one);
	tr_arena_release(&t->scratch);
	free(t->slots);
	t->slots = NULL;
}

void tr_inc_touched_clear(tr_inc_touched *t)
{
	tr_writer_reset(&t->keys);
	if (t->slots)
		memset(t->slots, 0, t->slot_count * sizeof(*t->slots));
	t->count = 0;
	t->failed = false;
}

/* --- one key ----------------------------------------------------------------------------------- */

static void put_value(tr_writer *w, const tr_value *v)
{
	tr_writer_u8(w, (uint8_t)v->kind);
	switch (v->kind) {
	case TR_V_NULL:
		break;
	case TR_V_BOOL:
	case TR_V_INT:
		tr_writer_be64(w, (uint64_t)v->i);
		break;
	case TR_V_FLOAT:
		tr_writer_put(w, &v->f, sizeof(v->f));
		break;
	case TR_V_BYTES:
	case TR_V_ENCODED: /* not of columns */
		tr_writer_be64(w, v->s.len);
		tr_writer_slice(w, v->s);
		break;
	case TR_V_LIST:
		tr_writer_be32(w, v->count);
		for (uint32_t i = 0; i < v->count; i++)
			put_value(w, &v->list[i]);
		break;
	}
}

static int build(tr_inc_touched *t, const tr_column *const *columns, const tr_datum *data, size_t count, tr_err *err)
{
	tr_writer_reset(&t->one);
	tr_arena_reset(&t->scratch);
	for (size_t i = 0; i < count; i++) {
		tr_value value;

		if (!t->decoded[i]) {
			tr_writer_be32(&t->one, data[i].len);
			tr_writer_put(&t->one, data[i].ptr, data[i].len);
			continue;
		}
		if (!columns[i]->decode)
			return tr_err_set(err, TR_E_DECODE_VALUE, "a key column's type cannot be compared");
		if (columns[i]->decode(columns[i]->decode_arg, data[i], &t->scratch, &value, err))
			return -1;
		put_value(&t->one, &value);
	}
	return tr_writer_ok(&t->one) ? 0 : tr_err_set(err, TR_E_MEMORY, "a key is larger than %zu bytes", ONE_MAX);
}

/* --- the set ----------------------------------------------------------------------------------- */

static uint64_t hash(tr_slice s)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ s.ptr[i]) * UINT64_C(1099511628211);
	return h ^ h >> 29;
}

static tr_slice key_at(const tr_inc_touched *t, uint32_t offset)
{
	uint32_t len;

	memcpy(&len, t->keys.data + offset, sizeof(len));
	return tr_slice_of(t->keys.data + offset + sizeof(len), len);
}

static size_t slot_of(const tr_inc_touched *t, tr_slice key)
{
	size_t at = hash(key) & (t->slot_count - 1);

	while (t->slots[at] && !tr_slice_eq(key_at(t, t->slots[at] - 1), key))
		at = (at + 1) & (t->slot_count - 1);
	return at;
}

static bool grow(tr_inc_touched *t)
{
	tr_inc_touched larger = *t;

	larger.slot_count = t->slot_count ? t->slot_count * 2 : 1024;
	larger.slots = calloc(larger.slot_count, sizeof(*larger.slots));
	if (!larger.slots)
		return false;
	for (size_t i = 0; i < t->slot_count; i++)
		if (t->slots[i])
			larger.slots[slot_of(&larger, key_at(t, t->slots[i] - 1))] = t->slots[i];
	free(t->slots);
	t->slots = larger.slots;
	t->slot_count = larger.slot_count;
	return true;
}

void tr_inc_touched_add(tr_inc_touched *t, const tr_column *const *columns, const tr_datum *data, size_t count)
{
	tr_err ignored; /* the chunk is read again: `failed` */
	uint32_t len;
	size_t slot;

	for (size_t i = 0; i < count; i++) {
		bool decoded = columns[i] && data[i].form == TR_D_BINARY;

		if (t->count > 0 && t->decoded[i] != decoded)
			t->failed = true;
		t->decoded[i] = decoded;
	}
	if (t->failed)
		return;
	if (build(t, columns, data, count, &ignored) || (t->count * 2 >= t->slot_count && !grow(t))) {
		t->failed = true;
		return;
	}
	slot = slot_of(t, tr_writer_view(&t->one));
	if (t->slots[slot])
		return;
	t->slots[slot] = (uint32_t)t->keys.len + 1;
	len = (uint32_t)t->one.len;
	tr_writer_put(&t->keys, &len, sizeof(len));
	tr_writer_slice(&t->keys, tr_writer_view(&t->one));
	t->count++;
	t->failed = !tr_writer_ok(&t->keys);
}

int tr_inc_touched_has(tr_inc_touched *t, const tr_column *const *columns, const tr_datum *data, size_t count, bool *out,
		       tr_err *err)
{
	*out = false;
	if (t->count == 0)
		return 0;
	if (build(t, columns, data, count, err))
		return -1;
	*out = t->slots[slot_of(t, tr_writer_view(&t->one))] != 0;
	return 0;
}
