#include "events/value.h"

#include "core/arena.h"

static bool equal_lists(const tr_value *a, const tr_value *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count; i++)
		if (!tr_value_equal(&a->list[i], &b->list[i]))
			return false;
	return true;
}

bool tr_value_equal(const tr_value *a, const tr_value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case TR_V_NULL:
		return true;
	case TR_V_BOOL:
	case TR_V_INT:
		return a->i == b->i;
	case TR_V_FLOAT:
		return memcmp(&a->f, &b->f, sizeof(a->f)) == 0 || (a->f != a->f && b->f != b->f);
	case TR_V_BYTES:
	case TR_V_ENCODED:
		return tr_slice_eq(a->s, b->s);
	case TR_V_LIST:
		return equal_lists(a, b);
	}
	return false;
}

bool tr_value_copy(tr_arena *a, const tr_value *in, tr_value *out)
{
	*out = *in;
	if (in->kind == TR_V_BYTES) {
		out->s.ptr = tr_arena_memdup(a, in->s.ptr, in->s.len);
		return out->s.ptr != NULL;
	}
	if (in->kind != TR_V_LIST)
		return true;
	tr_value *list = TR_ARENA_ARRAY(a, tr_value, in->count);
	if (!list)
		return false;
	for (uint32_t i = 0; i < in->count; i++)
		if (!tr_value_copy(a, &in->list[i], &list[i]))
			return false;
	out->list = list;
	return true;
}
