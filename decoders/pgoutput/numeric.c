#include "decoders/pgoutput/convert.h"

#include <math.h>

#include "core/reader.h"

#define DIGITS_MAX (131072u + 16383u) /* before and after the point: the server's limit for numeric */
#define CHUNK_DIGITS 18               /* decimal digits that fit in 64 bits with room to spare */

static const uint64_t chunk_powers[CHUNK_DIGITS + 1] = {
	UINT64_C(1), UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000), UINT64_C(100000), UINT64_C(1000000),
	UINT64_C(10000000), UINT64_C(100000000), UINT64_C(1000000000), UINT64_C(10000000000), UINT64_C(100000000000),
	UINT64_C(1000000000000), UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
	UINT64_C(10000000000000000), UINT64_C(100000000000000000), UINT64_C(1000000000000000000)};

static size_t count_digits(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *start = at;

	while (at < end && (unsigned)(*at - '0') <= 9)
		at++;
	return (size_t)(at - start);
}

static bool special(tr_slice text, tr_pg_number *out)
{
	if (tr_slice_eq(text, tr_slice_str("NaN")))
		out->kind = TR_PG_NAN;
	else if (tr_slice_eq(text, tr_slice_str("Infinity")))
		out->kind = TR_PG_PLUS_INFINITY;
	else if (tr_slice_eq(text, tr_slice_str("-Infinity")))
		out->kind = TR_PG_MINUS_INFINITY;
	else
		return false;
	return true;
}

bool tr_pg_number_parse(tr_slice text, tr_pg_number *out)
{
	const uint8_t *at = text.ptr, *end = text.ptr + text.len;

	*out = (tr_pg_number){.kind = TR_PG_FINITE};
	if (at < end && *at == '-') {
		out->negative = true;
		at++;
	}
	out->whole = tr_slice_of(at, count_digits(at, end));
	at += out->whole.len;
	if (at < end && *at == '.') {
		at++;
		out->fraction = tr_slice_of(at, count_digits(at, end));
		at += out->fraction.len;
	}
	if (at != end || out->whole.len + out->fraction.len == 0)
		return special(text, out);
	if (out->whole.len + out->fraction.len > DIGITS_MAX)
		return false;
	while (out->whole.len > 0 && *out->whole.ptr == '0') {
		out->whole.ptr++;
		out->whole.len--;
	}
	return true;
}

/* Walks the digits of a number as one run: whole part, fraction, then zeros. */
typedef struct digit_run {
	tr_slice whole, fraction;
	size_t zeros;
} digit_run;

static size_t run_length(const digit_run *run)
{
	return run->whole.len + run->fraction.len + run->zeros;
}

static uint64_t take_digits(digit_run *run, size_t count)
{
	uint64_t value = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned digit = 0;

		if (run->whole.len > 0) {
			digit = *run->whole.ptr++ - (unsigned)'0';
			run->whole.len--;
		} else if (run->fraction.len > 0) {
			digit = *run->fraction.ptr++ - (unsigned)'0';
			run->fraction.len--;
		} else {
			run->zeros--;
		}
		value = value * 10 + digit;
	}
	return value;
}

/* Limbs, least first, as two's complement: shortest, big-endian. The top limb has a spare sign bit or is 0. */
static tr_slice put_twos_complement(uint64_t *limbs, size_t count, bool negative, tr_arena *scratch)
{
	size_t bytes = 8 * count, start = 0;
	uint8_t *out = tr_arena_alloc(scratch, bytes);
	uint64_t carry = negative;

	if (!out)
		return tr_slice_of(NULL, 0);
	for (size_t i = 0; i < count; i++) {
		uint64_t limb = negative ? ~limbs[i] + carry : limbs[i];

		carry = negative && carry && limb == 0;
		for (size_t b = 0; b < 8; b++)
			out[bytes - 1 - (8 * i + b)] = (uint8_t)(limb >> (8 * b));
	}
	/* A leading byte goes when the next one says the same sign. */
	while (start + 1 < bytes && ((out[start] == 0x00 && !(out[start + 1] & 0x80)) ||
	                             (out[start] == 0xff && (out[start + 1] & 0x80))))
		start++;
	return tr_slice_of(out + start, bytes - start);
}

static tr_slice unscaled_large(digit_run *run, bool negative, tr_arena *scratch)
{
	/* 18 digits are less than 60 bits: one limb per chunk, and one that stays 0 for the sign. */
	size_t chunks = run_length(run) / CHUNK_DIGITS + 1, used = 1;
	uint64_t *limbs = TR_ARENA_ARRAY(scratch, uint64_t, chunks + 1);

	if (!limbs)
		return tr_slice_of(NULL, 0);
	while (run_length(run) > 0) {
		size_t count = run_length(run) < CHUNK_DIGITS ? run_length(run) : CHUNK_DIGITS;
		uint64_t carry = take_digits(run, count);

		for (size_t i = 0; i < used; i++) {
			unsigned __int128 product = (unsigned __int128)limbs[i] * chunk_powers[count] + carry;

			limbs[i] = (uint64_t)product;
			carry = (uint64_t)(product >> 64);
		}
		if (carry > 0)
			limbs[used++] = carry;
	}
	return put_twos_complement(limbs, used + 1, negative, scratch);
}

tr_slice tr_pg_number_unscaled(const tr_pg_number *n, size_t scale, tr_arena *scratch)
{
	digit_run run = {.whole = n->whole, .fraction = n->fraction};
	uint64_t limbs[2] = {0, 0};

	if (run.fraction.len > scale)
		run.fraction.len = scale;
	run.zeros = scale - run.fraction.len;
	if (run_length(&run) > CHUNK_DIGITS)
		return unscaled_large(&run, n->negative, scratch);
	limbs[0] = take_digits(&run, run_length(&run));
	return put_twos_complement(limbs, 1, n->negative && limbs[0] != 0, scratch);
}

static uint8_t *put_group(uint8_t *at, unsigned value)
{
	for (unsigned i = 4; i > 0; i--, value /= 10)
		at[i - 1] = (uint8_t)('0' + value % 10);
	return at + 4;
}

#define SIGN_NEGATIVE 0x4000u
#define SIGN_NAN 0xc000u
#define SIGN_PLUS_INFINITY 0xd000u
#define SIGN_MINUS_INFINITY 0xf000u

static int binary_special(const tr_pg_arg *arg, tr_datum in, unsigned sign, tr_slice *text, tr_err *err)
{
	switch (sign) {
	case SIGN_NAN: *text = tr_slice_str("NaN"); return 0;
	case SIGN_PLUS_INFINITY: *text = tr_slice_str("Infinity"); return 0;
	case SIGN_MINUS_INFINITY: *text = tr_slice_str("-Infinity"); return 0;
	default: return tr_pg_bad(arg, in, "an unknown sign", err);
	}
}

/* Groups of four decimal digits; those that are not sent are zero. */
static unsigned group_at(const uint8_t *groups, unsigned count, int i)
{
	return i >= 0 && (unsigned)i < count ? (unsigned)tr_pg_be(groups + 2 * i, 2) : 0;
}

/* Printed as the server prints them: no zeros before the first digit but one. */
static uint8_t *put_groups(uint8_t *at, const uint8_t *groups, unsigned count, int weight, unsigned scale)
{
	uint8_t *start = at, *point;
	size_t zeros = 0;

	*at++ = '0';
	for (int i = 0; i <= weight; i++)
		at = put_group(at, group_at(groups, count, i));
	while (start + zeros + 1 < at && start[zeros] == '0')
		zeros++;
	memmove(start, start + zeros, (size_t)(at - start) - zeros);
	at -= zeros;
	if (scale == 0)
		return at;
	*at++ = '.';
	point = at;
	for (int i = weight + 1; at < point + scale; i++)
		at = put_group(at, group_at(groups, count, i));
	return point + scale;
}

/* Header: group count, weight of the first group, sign, digits after the point; then the groups. */
static int binary_text(const tr_pg_arg *arg, tr_datum in, tr_arena *scratch, tr_slice *text, tr_err *err)
{
	unsigned count, sign, scale;
	int weight;
	uint8_t *start, *at;

	if (in.len < 8)
		return tr_pg_bad(arg, in, "shorter than its header", err);
	count = (unsigned)tr_pg_be(in.ptr, 2);
	weight = (int16_t)tr_pg_be(in.ptr + 2, 2);
	sign = (unsigned)tr_pg_be(in.ptr + 4, 2);
	scale = (unsigned)tr_pg_be(in.ptr + 6, 2);
	if (in.len != 8 + 2 * (size_t)count || scale > 16383)
		return tr_pg_bad(arg, in, "not the length that its header says", err);
	if (sign != 0 && sign != SIGN_NEGATIVE)
		return binary_special(arg, in, sign, text, err);
	for (unsigned i = 0; i < count; i++)
		if (tr_pg_be(in.ptr + 8 + 2 * i, 2) > 9999)
			return tr_pg_bad(arg, in, "a group of more than four digits", err);
	at = start = tr_arena_alloc(scratch, 4 * ((size_t)(weight > 0 ? weight : 0) + 2) + scale + 8);
	if (!start)
		return tr_pg_no_room(arg, err);
	if (sign == SIGN_NEGATIVE)
		*at++ = '-';
	at = put_groups(at, in.ptr + 8, count, weight, scale);
	*text = tr_slice_of(start, (size_t)(at - start));
	return 0;
}

static int numeric_text(const tr_pg_arg *arg, tr_datum in, tr_arena *scratch, tr_slice *text, tr_pg_number *n,
                        tr_err *err)
{
	*text = tr_slice_of(in.ptr, in.len);
	if (in.form == TR_D_BINARY && binary_text(arg, in, scratch, text, err) != 0)
		return -1;
	if (!tr_pg_number_parse(*text, n))
		return tr_pg_bad(arg, in, "not a decimal number", err);
	return 0;
}

/* Digits beyond the scale that are not zero would be lost. */
static bool fits_scale(const tr_pg_number *n, size_t scale)
{
	for (size_t i = scale; i < n->fraction.len; i++)
		if (n->fraction.ptr[i] != '0')
			return false;
	return true;
}

/* The same for one limb that fits in 63 bits. */
static tr_slice put_small(int64_t value, tr_arena *scratch)
{
	uint8_t *out = tr_arena_alloc(scratch, 8);
	/* Bits that differ from the sign; one more for the sign itself. */
	uint64_t magnitude = (uint64_t)(value ^ (value >> 63));
	size_t bytes = magnitude == 0 ? 1 : (size_t)(64 - __builtin_clzll(magnitude)) / 8 + 1;

	if (!out)
		return tr_slice_of(NULL, 0);
	tr_put_be64(out, (uint64_t)value);
	return tr_slice_of(out + 8 - bytes, bytes);
}

/*
 * The binary form of a number whose digits, down to the scale, fit in 64 bits: groups straight to the unscaled value.
 * False: it is longer, special or malformed, which the way over text tells apart.
 */
static bool small_unscaled(tr_datum in, size_t scale, int64_t *out)
{
	unsigned count, sign;
	int weight, next = 0;
	int64_t value = 0;

	if (in.form != TR_D_BINARY || in.len < 8 || scale > CHUNK_DIGITS)
		return false;
	count = (unsigned)tr_pg_be(in.ptr, 2);
	weight = (int16_t)tr_pg_be(in.ptr + 2, 2);
	sign = (unsigned)tr_pg_be(in.ptr + 4, 2);
	if (in.len != 8 + 2 * (size_t)count || (sign != 0 && sign != SIGN_NEGATIVE) || weight < -1 ||
	    4 * (size_t)(weight + 1) + scale > CHUNK_DIGITS)
		return false;
	for (int left = 4 * (weight + 1) + (int)scale; left > 0; left -= 4, next++) {
		unsigned group = group_at(in.ptr + 8, count, next), places = left < 4 ? (unsigned)left : 4;
		unsigned cut = (unsigned)chunk_powers[4 - places];

		if (group > 9999 || group % cut != 0)
			return false;
		value = value * (int64_t)chunk_powers[places] + group / cut;
	}
	/* What comes behind would be lost. */
	if ((unsigned)next < count)
		return false;
	*out = sign == SIGN_NEGATIVE ? -value : value;
	return true;
}

static const char no_special[] = "NaN and infinity have no place in a Decimal (decimals as string or double carry them)";

int tr_pg_decode_decimal(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	size_t scale = (size_t)a->scale;
	int64_t small;
	tr_pg_number n;
	tr_slice text, bytes;

	if (small_unscaled(in, scale, &small)) {
		bytes = put_small(small, scratch);
		if (!bytes.ptr)
			return tr_pg_no_room(a, err);
		*out = tr_value_slice(bytes);
		return 0;
	}
	if (numeric_text(a, in, scratch, &text, &n, err) != 0)
		return -1;
	if (n.kind != TR_PG_FINITE)
		return tr_pg_unfit(a, in, no_special, out, err);
	if (!fits_scale(&n, scale))
		return tr_pg_bad(a, in, "more digits after the point than the column's type has", err);
	bytes = tr_pg_number_unscaled(&n, scale, scratch);
	if (!bytes.ptr)
		return tr_pg_no_room(a, err);
	*out = tr_value_slice(bytes);
	return 0;
}

/* Scale without trailing zeros, never below 0. */
int tr_pg_decode_variable_decimal(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_pg_number n;
	tr_slice text, bytes;
	tr_value *fields;

	if (numeric_text(arg, in, scratch, &text, &n, err) != 0)
		return -1;
	if (n.kind != TR_PG_FINITE)
		return tr_pg_unfit(arg, in, no_special, out, err);
	while (n.fraction.len > 0 && n.fraction.ptr[n.fraction.len - 1] == '0')
		n.fraction.len--;
	bytes = tr_pg_number_unscaled(&n, n.fraction.len, scratch);
	fields = TR_ARENA_ARRAY(scratch, tr_value, 2);
	if (!bytes.ptr || !fields)
		return tr_pg_no_room(arg, err);
	fields[0] = tr_value_int((int64_t)n.fraction.len);
	fields[1] = tr_value_slice(bytes);
	*out = tr_value_list(fields, 2);
	return 0;
}

int tr_pg_decode_numeric_double(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_pg_number n;
	tr_slice text;
	double value;

	if (numeric_text(arg, in, scratch, &text, &n, err) != 0)
		return -1;
	if (!tr_pg_float64_parse(text, &value))
		return tr_pg_bad(arg, in, "not a number", err);
	*out = tr_value_float(value);
	return 0;
}

/* The plain text, with zeros up to the column's scale: the server prints them but for a negative scale, which Debezium
 * takes for a large positive one. */
static int plain_text(const tr_pg_arg *arg, const tr_pg_number *n, tr_slice text, tr_arena *scratch, tr_value *out,
                      tr_err *err)
{
	size_t scale = arg->scale > 0 ? (size_t)arg->scale : 0, missing = scale > n->fraction.len ? scale - n->fraction.len : 0;
	bool point = missing > 0 && n->fraction.len == 0;
	uint8_t *padded;

	if (missing == 0) {
		*out = tr_value_slice(text);
		return 0;
	}
	padded = tr_arena_alloc(scratch, text.len + 1 + missing);
	if (!padded)
		return tr_pg_no_room(arg, err);
	memcpy(padded, text.ptr, text.len);
	if (point)
		padded[text.len] = '.';
	memset(padded + text.len + point, '0', missing);
	*out = tr_value_bytes(padded, text.len + point + missing);
	return 0;
}

int tr_pg_decode_numeric_text(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_pg_number n;
	tr_slice text;

	if (numeric_text(arg, in, scratch, &text, &n, err) != 0)
		return -1;
	switch (n.kind) {
	case TR_PG_NAN: *out = tr_value_text("NAN"); return 0;
	case TR_PG_PLUS_INFINITY: *out = tr_value_text("POSITIVE_INFINITY"); return 0;
	case TR_PG_MINUS_INFINITY: *out = tr_value_text("NEGATIVE_INFINITY"); return 0;
	case TR_PG_FINITE: break;
	}
	return plain_text(arg, &n, text, scratch, out, err);
}
