/* pgvector's types in text form: [1,2.5,-3] and, sparse, {1:1,3:2.5}/5 (indexes from 1). */
#include "decoders/pgoutput/convert.h"

static bool parse_small(tr_slice text, int64_t *out)
{
	if (text.len == 0)
		return false;
	for (*out = 0; text.len > 0 && *out <= INT16_MAX; text.ptr++, text.len--) {
		if ((unsigned)(*text.ptr - '0') > 9)
			return false;
		*out = *out * 10 + (*text.ptr - '0');
	}
	return text.len == 0;
}

static bool parse_element(tr_slice text, bool narrow, tr_value *out)
{
	float small;
	double wide;

	if (narrow ? !tr_pg_float32_parse(text, &small) : !tr_pg_float64_parse(text, &wide))
		return false;
	*out = tr_value_float(narrow ? (double)small : wide);
	return true;
}

/* Takes the text up to the next comma; true while there is one more. */
static bool next_part(tr_slice *rest, tr_slice *part)
{
	const uint8_t *comma;

	if (!rest->ptr)
		return false;
	comma = rest->len > 0 ? memchr(rest->ptr, ',', rest->len) : NULL;
	*part = *rest;
	if (!comma) {
		*rest = tr_slice_of(NULL, 0);
		return true;
	}
	part->len = (size_t)(comma - rest->ptr);
	*rest = tr_slice_of(comma + 1, rest->len - part->len - 1);
	return true;
}

static size_t count_parts(tr_slice text)
{
	size_t count = 1;

	for (size_t i = 0; i < text.len; i++)
		count += text.ptr[i] == ',';
	return count;
}

static int decode_dense(const tr_pg_arg *arg, tr_datum in, bool narrow, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_slice rest, part;
	size_t count = 0;
	tr_value *items;

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (in.len < 2 || in.ptr[0] != '[' || in.ptr[in.len - 1] != ']')
		return tr_pg_bad(arg, in, "not a vector", err);
	rest = tr_slice_of(in.ptr + 1, in.len - 2);
	items = TR_ARENA_ARRAY(scratch, tr_value, count_parts(rest));
	if (!items)
		return tr_pg_no_room(arg, err);
	while (next_part(&rest, &part))
		if (!parse_element(part, narrow, &items[count++]))
			return tr_pg_bad(arg, in, "an element that is not a number", err);
	*out = tr_value_list(items, count);
	return 0;
}

int tr_pg_decode_vector(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	return decode_dense(arg, in, false, scratch, out, err);
}

int tr_pg_decode_halfvec(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	return decode_dense(arg, in, true, scratch, out, err);
}

typedef struct entry {
	tr_value index, value;
} entry;

static bool parse_entry(tr_slice text, entry *out)
{
	const uint8_t *colon = text.len > 0 ? memchr(text.ptr, ':', text.len) : NULL;
	size_t before = colon ? (size_t)(colon - text.ptr) : 0;
	int64_t index;

	if (before == 0 || !parse_small(tr_slice_of(text.ptr, before), &index) || index > INT16_MAX)
		return false;
	out->index = tr_value_int(index);
	return parse_element(tr_slice_of(colon + 1, text.len - before - 1), false, &out->value);
}

/* The capacity that Debezium's map starts with: a power of two not below the number of entries. */
static size_t initial_capacity(size_t count)
{
	size_t capacity = 1;

	while (capacity < count)
		capacity *= 2;
	return capacity;
}

static int sparse_entries(const tr_pg_arg *arg, tr_datum in, tr_slice body, tr_arena *scratch, tr_value *out, tr_err *err)
{
	size_t parts = body.len > 0 ? count_parts(body) : 0, count = 0;
	entry *entries = TR_ARENA_ARRAY(scratch, entry, parts);
	uint32_t *hashes = TR_ARENA_ARRAY(scratch, uint32_t, parts), *order = TR_ARENA_ARRAY(scratch, uint32_t, parts);
	tr_value *items = TR_ARENA_ARRAY(scratch, tr_value, 2 * parts);
	tr_slice part;

	if (!entries || !hashes || !order || !items)
		return tr_pg_no_room(arg, err);
	for (tr_slice rest = body; count < parts && next_part(&rest, &part); count++) {
		if (!parse_entry(part, &entries[count]))
			return tr_pg_bad(arg, in, "an entry that is no number, or an index beyond the schema's 16 bits", err);
		hashes[count] = (uint32_t)entries[count].index.i;
	}
	if (!tr_pg_hash_order(hashes, count, initial_capacity(count), order, scratch))
		return tr_pg_no_room(arg, err);
	for (size_t i = 0; i < count; i++) {
		items[2 * i] = entries[order[i]].index;
		items[2 * i + 1] = entries[order[i]].value;
	}
	*out = tr_value_list(items, 2 * count);
	return 0;
}

int tr_pg_decode_sparsevec(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const uint8_t *slash = in.len > 0 ? memrchr(in.ptr, '/', in.len) : NULL;
	size_t before = slash ? (size_t)(slash - in.ptr) : 0;
	int64_t dimensions;
	tr_value *fields;

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (before < 2 || in.ptr[0] != '{' || slash[-1] != '}')
		return tr_pg_bad(arg, in, "not a sparse vector", err);
	if (!parse_small(tr_slice_of(slash + 1, in.len - before - 1), &dimensions) || dimensions > INT16_MAX)
		return tr_pg_bad(arg, in, "more dimensions than the schema's 16 bits hold", err);
	fields = TR_ARENA_ARRAY(scratch, tr_value, 2);
	if (!fields)
		return tr_pg_no_room(arg, err);
	fields[0] = tr_value_int(dimensions);
	if (sparse_entries(arg, in, tr_slice_of(in.ptr + 1, before - 2), scratch, &fields[1], err) != 0)
		return -1;
	*out = tr_value_list(fields, 2);
	return 0;
}
