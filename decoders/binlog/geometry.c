/* GEOMETRY: a little-endian SRID and well-known binary; VECTOR: little-endian floats. The same bytes in both forms. */
#include "decoders/binlog/convert.h"

#define SRID_BYTES 4
#define POINT_BYTES 21 /* byte order, kind, two doubles */
#define WKB_POINT 1

static tr_value srid_value(const uint8_t *at)
{
	uint32_t srid = (uint32_t)tr_bl_le(at, SRID_BYTES);

	/* 0 says that there is none. */
	return srid == 0 ? tr_value_null() : tr_value_int((int32_t)srid);
}

int tr_bl_decode_geometry(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_value *fields;

	if (in.len < SRID_BYTES + 5)
		return tr_bl_bad(arg, in, "too short for a geometry", err);
	fields = TR_ARENA_ARRAY(scratch, tr_value, 2);
	if (!fields)
		return tr_bl_no_room(arg, err);
	fields[0] = tr_value_bytes(in.ptr + SRID_BYTES, in.len - SRID_BYTES);
	fields[1] = srid_value(in.ptr);
	*out = tr_value_list(fields, 2);
	return 0;
}

static double double_at(const uint8_t *at, bool little)
{
	uint64_t bits = little ? tr_bl_le(at, 8) : tr_bl_be(at, 8);
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

int tr_bl_decode_point(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const uint8_t *wkb = in.ptr + SRID_BYTES;
	bool little;
	tr_value *fields;

	if (in.len != SRID_BYTES + POINT_BYTES)
		return tr_bl_bad(arg, in, "not the length of a point", err);
	little = *wkb == 1;
	if (*wkb > 1 || (little ? tr_bl_le(wkb + 1, 4) : tr_bl_be(wkb + 1, 4)) != WKB_POINT)
		return tr_bl_bad(arg, in, "not a point", err);
	fields = TR_ARENA_ARRAY(scratch, tr_value, 4);
	if (!fields)
		return tr_bl_no_room(arg, err);
	fields[0] = tr_value_float(double_at(wkb + 5, little));
	fields[1] = tr_value_float(double_at(wkb + 13, little));
	fields[2] = tr_value_bytes(wkb, POINT_BYTES);
	fields[3] = srid_value(in.ptr);
	*out = tr_value_list(fields, 4);
	return 0;
}

int tr_bl_decode_vector(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	size_t count = in.len / 4;
	tr_value *items;

	if (in.len % 4 != 0)
		return tr_bl_bad(arg, in, "not a whole number of floats", err);
	items = TR_ARENA_ARRAY(scratch, tr_value, count + 1);
	if (!items)
		return tr_bl_no_room(arg, err);
	for (size_t i = 0; i < count; i++) {
		uint32_t bits = (uint32_t)tr_bl_le(in.ptr + 4 * i, 4);
		float value;

		memcpy(&value, &bits, sizeof(value));
		items[i] = tr_value_float((double)value);
	}
	*out = tr_value_list(items, count);
	return 0;
}
