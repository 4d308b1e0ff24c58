/* Numbers, bits and labels. */
#include "decoders/binlog/convert.h"

int tr_bl_bad(const tr_bl_arg *arg, tr_datum in, const char *why, tr_err *err)
{
	tr_err_set(err, TR_E_DECODE_VALUE, "cannot decode a value of type \"%s\"", arg->type);
	tr_err_detail(err, "%s; %u bytes in %s form", why, (unsigned)in.len, in.form == TR_D_BINARY ? "binary" : "text");
	return tr_err_hint(err, "nothing was published or confirmed beyond this row: change the value or exclude the "
	                        "column, then start again");
}

int tr_bl_no_room(const tr_bl_arg *arg, tr_err *err)
{
	tr_err_set(err, TR_E_BATCH_LIMIT, "a value of type \"%s\" needs more memory than the limit allows", arg->type);
	return tr_err_hint(err, "raise limits.memory or exclude the column; nothing beyond this row was published");
}

int tr_bl_unfit(const tr_bl_arg *arg, tr_datum in, const char *why, tr_value *out, tr_err *err)
{
	if (arg->required)
		return tr_bl_bad(arg, in, why, err);
	*out = tr_value_null();
	return 0;
}

/* Little-endian in the column's size. */
static int64_t binary_int(const tr_bl_arg *a, tr_datum in)
{
	unsigned unused = 64 - 8 * (unsigned)a->bytes;
	uint64_t value = tr_bl_le(in.ptr, a->bytes) << unused;

	return a->is_unsigned ? (int64_t)(value >> unused) : (int64_t)value >> unused;
}

/* Within what `bytes` bytes hold, with or without a sign. */
static bool int_fits(const tr_bl_arg *a, bool negative, uint64_t magnitude)
{
	unsigned bits = 8 * (unsigned)a->bytes;
	uint64_t top = UINT64_C(1) << (bits - 1);

	if (a->is_unsigned)
		return !negative && magnitude <= top - 1 + top;
	return negative ? magnitude <= top : magnitude < top;
}

/* BIGINT UNSIGNED beyond 2^63 wraps, as Debezium's long mode does. */
int tr_bl_decode_int(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	bool negative;
	uint64_t magnitude;

	(void)scratch;
	if (in.form == TR_D_BINARY) {
		if (in.len != a->bytes)
			return tr_bl_bad(a, in, "not the length of its binary form", err);
		*out = tr_value_int(binary_int(a, in));
		return 0;
	}
	if (!tr_bl_parse_int(tr_slice_of(in.ptr, in.len), &negative, &magnitude) || !int_fits(a, negative, magnitude))
		return tr_bl_bad(a, in, "not an integer of this type", err);
	*out = tr_value_int((int64_t)(negative ? 0 - magnitude : magnitude));
	return 0;
}

int tr_bl_decode_unsigned_decimal(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	uint8_t *bytes = tr_arena_alloc(scratch, 9);
	size_t start = 0;
	tr_value number;

	if (!bytes)
		return tr_bl_no_room(arg, err);
	if (tr_bl_decode_int(arg, in, scratch, &number, err) != 0)
		return -1;
	for (unsigned i = 0; i < 8; i++)
		bytes[8 - i] = (uint8_t)((uint64_t)number.i >> 8 * i);
	while (start < 8 && bytes[start] == 0 && !(bytes[start + 1] & 0x80))
		start++;
	*out = tr_value_bytes(bytes + start, 9 - start);
	return 0;
}

/* One byte from 1900 on; 0 is the year 0000. */
int tr_bl_decode_year(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	bool negative;
	uint64_t year;

	(void)scratch;
	if (in.form == TR_D_BINARY) {
		if (in.len != 1)
			return tr_bl_bad(arg, in, "not the length of its binary form", err);
		*out = tr_value_int(*in.ptr == 0 ? 0 : 1900 + *in.ptr);
		return 0;
	}
	if (!tr_bl_parse_int(tr_slice_of(in.ptr, in.len), &negative, &year) || negative || year > 2155)
		return tr_bl_bad(arg, in, "not a year", err);
	*out = tr_value_int((int64_t)year);
	return 0;
}

int tr_bl_decode_float(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	uint64_t bits;
	uint32_t narrow_bits;
	float narrow;
	double value;

	(void)scratch;
	if (in.form != TR_D_BINARY) {
		if (!tr_bl_parse_double(tr_slice_of(in.ptr, in.len), &value))
			return tr_bl_bad(a, in, "not a number", err);
		*out = tr_value_float(a->narrow ? (double)(float)value : value);
		return 0;
	}
	if (in.len != (a->narrow ? 4 : 8))
		return tr_bl_bad(a, in, "not the length of its binary form", err);
	bits = tr_bl_le(in.ptr, in.len);
	narrow_bits = (uint32_t)bits;
	memcpy(&narrow, &narrow_bits, sizeof(narrow));
	memcpy(&value, &bits, sizeof(value));
	*out = tr_value_float(a->narrow ? (double)narrow : value);
	return 0;
}

/* Big-endian in both forms. */
static bool bits_ok(const tr_bl_arg *a, tr_datum in)
{
	unsigned spare = a->length % 8;

	return in.len == (a->length + 7) / 8 && in.len > 0 && (spare == 0 || *in.ptr >> spare == 0);
}

int tr_bl_decode_bit(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	(void)scratch;
	if (!bits_ok(arg, in))
		return tr_bl_bad(arg, in, "not one bit", err);
	*out = tr_value_bool(*in.ptr != 0);
	return 0;
}

/* Little-endian in all of the column's bytes. */
int tr_bl_decode_bits(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	uint8_t *bytes;

	if (!bits_ok(arg, in))
		return tr_bl_bad(arg, in, "not the bits of this type", err);
	bytes = tr_arena_alloc(scratch, in.len);
	if (!bytes)
		return tr_bl_no_room(arg, err);
	for (uint32_t i = 0; i < in.len; i++)
		bytes[i] = in.ptr[in.len - 1 - i];
	*out = tr_value_bytes(bytes, in.len);
	return 0;
}

/* Text: the label itself. Binary: its number from 1; 0 is the empty text of an invalid value. */
int tr_bl_decode_enum(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	uint64_t number;

	(void)scratch;
	if (in.form != TR_D_BINARY) {
		*out = tr_value_bytes(in.ptr, in.len);
		return 0;
	}
	number = in.len == a->bytes ? tr_bl_le(in.ptr, in.len) : UINT64_MAX;
	if (number > a->label_count)
		return tr_bl_bad(a, in, "no label of this type", err);
	*out = number == 0 ? tr_value_text("") : tr_value_slice(a->labels[number - 1]);
	return 0;
}

int tr_bl_decode_set(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	size_t len = 0, count = a->label_count;
	uint64_t mask;
	uint8_t *text, *at;

	if (in.form != TR_D_BINARY) {
		*out = tr_value_bytes(in.ptr, in.len);
		return 0;
	}
	mask = in.len == a->bytes ? tr_bl_le(in.ptr, in.len) : UINT64_MAX;
	if (in.len != a->bytes || (count < 64 && mask >> count != 0))
		return tr_bl_bad(a, in, "no label of this type", err);
	for (size_t i = 0; i < count; i++)
		len += mask >> i & 1 ? a->labels[i].len + 1 : 0;
	text = at = tr_arena_alloc(scratch, len + 1);
	if (!text)
		return tr_bl_no_room(a, err);
	for (size_t i = 0; i < count; i++) {
		if (!(mask >> i & 1))
			continue;
		if (at > text)
			*at++ = ',';
		memcpy(at, a->labels[i].ptr, a->labels[i].len);
		at += a->labels[i].len;
	}
	*out = tr_value_bytes(text, (size_t)(at - text));
	return 0;
}
