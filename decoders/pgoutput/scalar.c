#include "decoders/pgoutput/convert.h"

#include <math.h>
#include <stdlib.h>

#define BUFFER_BYTES 400 /* longer than any float the server prints */

int tr_pg_bad(const tr_pg_arg *arg, tr_datum in, const char *why, tr_err *err)
{
	tr_err_set(err, TR_E_DECODE_VALUE, "cannot decode a value of type \"%s\"", arg->type);
	tr_err_detail(err, "%s; %u bytes in %s form", why, (unsigned)in.len, in.form == TR_D_BINARY ? "binary" : "text");
	return tr_err_hint(err, "nothing was published or confirmed beyond this row: change the value or exclude the "
	                        "column, then start again");
}

int tr_pg_no_room(const tr_pg_arg *arg, tr_err *err)
{
	tr_err_set(err, TR_E_BATCH_LIMIT, "a value of type \"%s\" needs more memory than the limit allows", arg->type);
	return tr_err_hint(err, "raise limits.memory or exclude the column; nothing beyond this row was published");
}

int tr_pg_no_binary(const tr_pg_arg *arg, tr_err *err)
{
	tr_err_set(err, TR_E_DECODE_VALUE, "cannot decode a value of type \"%s\" in binary form", arg->type);
	return tr_err_hint(err, "this is a fault of the capture, which has to ask for text; please report the type");
}

int tr_pg_unfit(const tr_pg_arg *arg, tr_datum in, const char *why, tr_value *out, tr_err *err)
{
	if (arg->required)
		return tr_pg_bad(arg, in, why, err);
	*out = tr_value_null();
	return 0;
}

tr_slice tr_pg_copy(tr_arena *scratch, const void *bytes, size_t len)
{
	return tr_slice_of(tr_arena_memdup(scratch, bytes, len), len);
}

int tr_pg_decode_bool(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	uint8_t yes = in.form == TR_D_BINARY ? 1 : 't', no = in.form == TR_D_BINARY ? 0 : 'f';

	(void)scratch;
	if (in.len != 1 || (*in.ptr != yes && *in.ptr != no))
		return tr_pg_bad(arg, in, "neither true nor false", err);
	*out = tr_value_bool(*in.ptr == yes);
	return 0;
}

/* Decimal digits with an optional minus; false when empty, not digits, or beyond 64 bits. */
static bool parse_int(const uint8_t *at, size_t len, int64_t *out)
{
	bool negative = len > 0 && *at == '-';
	uint64_t value = 0;

	at += negative;
	len -= negative;
	if (len == 0 || len > 19)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned digit = at[i] - (unsigned)'0';

		if (digit > 9)
			return false;
		value = value * 10 + digit; /* 19 digits fit in 64 bits */
	}
	if (value > (uint64_t)INT64_MAX + negative)
		return false;
	*out = (int64_t)(negative ? 0 - value : value);
	return true;
}

static inline __attribute__((always_inline)) int decode_int(const void *arg, tr_datum in, size_t bytes, tr_value *out, tr_err *err)
{
	int64_t value, max = INT64_MAX >> (64 - 8 * bytes);

	if (in.form == TR_D_BINARY) {
		if (in.len != bytes)
			return tr_pg_bad(arg, in, "not the length of its binary form", err);
		/* Sign extension from the top byte. */
		value = (int64_t)(tr_pg_be(in.ptr, bytes) << (64 - 8 * bytes)) >> (64 - 8 * bytes);
	} else if (!parse_int(in.ptr, in.len, &value) || value > max || value < -max - 1) {
		return tr_pg_bad(arg, in, "not an integer of this size", err);
	}
	*out = tr_value_int(value);
	return 0;
}

int tr_pg_decode_int16(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	(void)scratch;
	return decode_int(arg, in, 2, out, err);
}

int tr_pg_decode_int32(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	(void)scratch;
	return decode_int(arg, in, 4, out, err);
}

int tr_pg_decode_int64(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	(void)scratch;
	return decode_int(arg, in, 8, out, err);
}

int tr_pg_decode_oid(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	int64_t value;

	(void)scratch;
	if (in.form == TR_D_BINARY && in.len == 4)
		value = (int64_t)tr_pg_be(in.ptr, 4);
	else if (in.form == TR_D_BINARY || !parse_int(in.ptr, in.len, &value) || value < 0 || value > UINT32_MAX)
		return tr_pg_bad(arg, in, "not an unsigned integer of 32 bits", err);
	*out = tr_value_int(value);
	return 0;
}

/* A float's text taken apart: mantissa (as far as it fits) and power of ten. */
typedef struct decimal {
	bool negative, exact; /* exact: all digits are in the mantissa */
	uint64_t mantissa;
	int exponent;
} decimal;

/* Digits with at most one point; returns how many there are, SIZE_MAX never. */
static size_t scan_mantissa(const uint8_t **at, const uint8_t *end, decimal *out)
{
	size_t digits = 0;
	bool point = false;

	for (; *at < end; (*at)++) {
		unsigned digit = **at - (unsigned)'0';

		if (**at == '.' && !point) {
			point = true;
			continue;
		}
		if (digit > 9)
			break;
		digits++;
		if (out->mantissa > (UINT64_MAX - 9) / 10) {
			out->exact = false;
			continue;
		}
		out->mantissa = out->mantissa * 10 + digit;
		out->exponent -= point;
	}
	return digits;
}

static bool scan_exponent(const uint8_t **at, const uint8_t *end, decimal *out)
{
	bool negative;
	int value = 0;
	size_t digits = 0;

	if (*at == end)
		return true;
	if (**at != 'e' && **at != 'E')
		return false;
	(*at)++;
	negative = *at < end && **at == '-';
	if (*at < end && (**at == '-' || **at == '+'))
		(*at)++;
	for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, digits++)
		value = value < 100000 ? value * 10 + (**at - '0') : value;
	out->exponent += negative ? -value : value;
	return digits > 0;
}

static bool scan_float(tr_slice text, decimal *out)
{
	const uint8_t *at = text.ptr, *end = text.ptr + text.len;

	*out = (decimal){.exact = true};
	if (at < end && *at == '-') {
		out->negative = true;
		at++;
	}
	return scan_mantissa(&at, end, out) > 0 && scan_exponent(&at, end, out) && at == end;
}

static bool special_float(tr_slice text, double *out)
{
	if (tr_slice_eq(text, tr_slice_str("NaN")))
		*out = NAN;
	else if (tr_slice_eq(text, tr_slice_str("Infinity")))
		*out = INFINITY;
	else if (tr_slice_eq(text, tr_slice_str("-Infinity")))
		*out = -INFINITY;
	else
		return false;
	return true;
}

static const double powers_of_ten[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
                                       1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/*
 * The C library for what the short way cannot do exactly. The syntax was checked before; should a locale have another
 * decimal point, the end would not be reached, and that is an error, not another number.
 */
static bool library_float(tr_slice text, double *wide, float *narrow)
{
	char stack[BUFFER_BYTES], *buffer = stack, *end;
	bool ok;

	if (text.len >= sizeof(stack) && !(buffer = malloc(text.len + 1)))
		return false;
	memcpy(buffer, text.ptr, text.len);
	buffer[text.len] = '\0';
	if (narrow)
		*narrow = strtof(buffer, &end);
	else
		*wide = strtod(buffer, &end);
	ok = end == buffer + text.len;
	if (buffer != stack)
		free(buffer);
	return ok;
}

bool tr_pg_float64_parse(tr_slice text, double *out)
{
	decimal d;
	double value;

	if (!scan_float(text, &d))
		return special_float(text, out);
	/* Both operands are exact doubles, so the one rounding of the operation is the right one. */
	if (d.exact && d.mantissa <= (UINT64_C(1) << 53) && d.exponent >= -22 && d.exponent <= 22) {
		value = (double)d.mantissa;
		value = d.exponent < 0 ? value / powers_of_ten[-d.exponent] : value * powers_of_ten[d.exponent];
		*out = d.negative ? -value : value;
		return true;
	}
	return library_float(text, out, NULL);
}

bool tr_pg_float32_parse(tr_slice text, float *out)
{
	decimal d;
	double special;

	if (!scan_float(text, &d)) {
		if (!special_float(text, &special))
			return false;
		*out = (float)special;
		return true;
	}
	if (d.exact && d.mantissa <= (UINT64_C(1) << 24) && d.exponent >= -10 && d.exponent <= 10) {
		float value = (float)d.mantissa, power = (float)powers_of_ten[d.exponent < 0 ? -d.exponent : d.exponent];

		value = d.exponent < 0 ? value / power : value * power;
		*out = d.negative ? -value : value;
		return true;
	}
	return library_float(text, NULL, out);
}

int tr_pg_decode_float32(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	float value;

	(void)scratch;
	if (in.form == TR_D_BINARY) {
		uint32_t bits = in.len == 4 ? (uint32_t)tr_pg_be(in.ptr, 4) : 0;

		if (in.len != 4)
			return tr_pg_bad(arg, in, "not the length of its binary form", err);
		memcpy(&value, &bits, sizeof(value));
	} else if (!tr_pg_float32_parse(tr_slice_of(in.ptr, in.len), &value)) {
		return tr_pg_bad(arg, in, "not a number", err);
	}
	*out = tr_value_float((double)value);
	return 0;
}

int tr_pg_decode_float64(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	double value;

	(void)scratch;
	if (in.form == TR_D_BINARY) {
		uint64_t bits = in.len == 8 ? tr_pg_be(in.ptr, 8) : 0;

		if (in.len != 8)
			return tr_pg_bad(arg, in, "not the length of its binary form", err);
		memcpy(&value, &bits, sizeof(value));
	} else if (!tr_pg_float64_parse(tr_slice_of(in.ptr, in.len), &value)) {
		return tr_pg_bad(arg, in, "not a number", err);
	}
	*out = tr_value_float(value);
	return 0;
}
