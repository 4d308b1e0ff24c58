/*
 * Geometric types: the server's own ("(1,2)", "[(0,0),(1,1)]", "<(1,2),3>"), and PostGIS's, which come as hexadecimal
 * EWKB. Well-known binary is written little-endian.
 */
#include "decoders/pgoutput/convert.h"

#define WKB_POINT 1
#define WKB_LINESTRING 2
#define WKB_POLYGON 3
#define EWKB_HAS_SRID 0x20000000u
#define POINT_BYTES 21

static bool is_punctuation(uint8_t c)
{
	return c == ',' || c == '(' || c == ')' || c == '[' || c == ']' || c == '<' || c == '>' || c == '{' || c == '}';
}

/* The next number: skips what stands between two; false at the end. */
static bool next_number(tr_slice *rest, tr_slice *number)
{
	const uint8_t *at = rest->ptr, *end = rest->ptr + rest->len;

	while (at < end && is_punctuation(*at))
		at++;
	number->ptr = at;
	while (at < end && !is_punctuation(*at))
		at++;
	number->len = (size_t)(at - number->ptr);
	*rest = tr_slice_of(at, (size_t)(end - at));
	return number->len > 0;
}

static size_t count_numbers(tr_slice text)
{
	size_t count = 0;
	tr_slice number;

	while (next_number(&text, &number))
		count++;
	return count;
}

/* All numbers of a value that starts and ends with the given brackets. */
static int read_numbers(const tr_pg_arg *arg, tr_datum in, const char *brackets, double *out, size_t count, tr_err *err)
{
	tr_slice rest = tr_slice_of(in.ptr, in.len), number;
	size_t found = 0;

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (in.len < 2 || in.ptr[0] != (uint8_t)brackets[0] || in.ptr[in.len - 1] != (uint8_t)brackets[1])
		return tr_pg_bad(arg, in, "not in the brackets of its type", err);
	while (next_number(&rest, &number))
		if (found == count || !tr_pg_float64_parse(number, &out[found++]))
			return tr_pg_bad(arg, in, "not the numbers of its type", err);
	return found == count ? 0 : tr_pg_bad(arg, in, "not the numbers of its type", err);
}

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		*at++ = (uint8_t)(value >> (8 * i));
	return at;
}

static uint8_t *put_double(uint8_t *at, double value)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	at = put_u32(at, (uint32_t)bits);
	return put_u32(at, (uint32_t)(bits >> 32));
}

static uint8_t *put_header(uint8_t *at, uint32_t kind)
{
	*at++ = 1;
	return put_u32(at, kind);
}

static bool point_value(double x, double y, tr_arena *scratch, tr_value *out)
{
	uint8_t *wkb = tr_arena_alloc(scratch, POINT_BYTES);
	tr_value *fields = TR_ARENA_ARRAY(scratch, tr_value, 4);

	if (!wkb || !fields)
		return false;
	put_double(put_double(put_header(wkb, WKB_POINT), x), y);
	fields[0] = tr_value_float(x);
	fields[1] = tr_value_float(y);
	fields[2] = tr_value_bytes(wkb, POINT_BYTES);
	fields[3] = tr_value_null();
	*out = tr_value_list(fields, 4);
	return true;
}

int tr_pg_decode_point(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	double xy[2];

	if (read_numbers(arg, in, "()", xy, 2, err) != 0)
		return -1;
	return point_value(xy[0], xy[1], scratch, out) ? 0 : tr_pg_no_room(arg, err);
}

int tr_pg_decode_circle(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	double numbers[3];
	tr_value *fields;

	if (read_numbers(arg, in, "<>", numbers, 3, err) != 0)
		return -1;
	fields = TR_ARENA_ARRAY(scratch, tr_value, 2);
	if (!fields || !point_value(numbers[0], numbers[1], scratch, &fields[0]))
		return tr_pg_no_room(arg, err);
	fields[1] = tr_value_float(numbers[2]);
	*out = tr_value_list(fields, 2);
	return 0;
}

int tr_pg_decode_line(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	double numbers[3];
	tr_value *fields;

	if (read_numbers(arg, in, "{}", numbers, 3, err) != 0)
		return -1;
	fields = TR_ARENA_ARRAY(scratch, tr_value, 3);
	if (!fields)
		return tr_pg_no_room(arg, err);
	for (size_t i = 0; i < 3; i++)
		fields[i] = tr_value_float(numbers[i]);
	*out = tr_value_list(fields, 3);
	return 0;
}

/* A line string, or the one ring of a polygon, closed by repeating its first point. */
static tr_slice path_wkb(const double *numbers, size_t points, bool ring, tr_arena *scratch)
{
	uint8_t *wkb = tr_arena_alloc(scratch, 13 + (points + 1) * 16), *at;

	if (!wkb)
		return tr_slice_of(NULL, 0);
	at = put_header(wkb, ring ? WKB_POLYGON : WKB_LINESTRING);
	if (ring)
		at = put_u32(at, 1);
	at = put_u32(at, (uint32_t)(points + ring));
	for (size_t i = 0; i < 2 * points; i++)
		at = put_double(at, numbers[i]);
	if (ring)
		at = put_double(put_double(at, numbers[0]), numbers[1]);
	return tr_slice_of(wkb, (size_t)(at - wkb));
}

static tr_slice box_wkb(const double *n, tr_arena *scratch)
{
	const double corners[] = {n[0], n[1], n[0], n[3], n[2], n[3], n[2], n[1]};

	return path_wkb(corners, 4, true, scratch);
}

static int geometry_value(const tr_pg_arg *arg, tr_slice wkb, tr_value srid, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_value *fields = TR_ARENA_ARRAY(scratch, tr_value, 2);

	if (!fields || !wkb.ptr)
		return tr_pg_no_room(arg, err);
	fields[0] = tr_value_slice(wkb);
	fields[1] = srid;
	*out = tr_value_list(fields, 2);
	return 0;
}

/* An open path is a line string, a closed one a polygon: that is how they stay apart. */
int tr_pg_decode_shape_wkb(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	size_t count = count_numbers(tr_slice_of(in.ptr, in.len));
	bool open = in.len > 0 && *in.ptr == '[';
	double *numbers = TR_ARENA_ARRAY(scratch, double, count);
	tr_slice wkb;

	if (!numbers)
		return tr_pg_no_room(a, err);
	if (read_numbers(a, in, open ? "[]" : "()", numbers, count, err) != 0)
		return -1;
	if (count < 2 || count % 2 != 0 || ((a->shape == 'l' || a->shape == 'b') && count != 4))
		return tr_pg_bad(a, in, "not the numbers of its type", err);
	if (a->shape == 'b')
		wkb = box_wkb(numbers, scratch);
	else
		wkb = path_wkb(numbers, count / 2, !open, scratch);
	return geometry_value(a, wkb, tr_value_null(), scratch, out, err);
}

/* Digits of a float's shortest text without zeros around them; the value is 0.digits * 10^exponent. */
static bool scan_digits(tr_slice number, uint8_t digits[32], int *count, int *exponent)
{
	size_t i = 0;
	int power = 0, sign = 1;
	bool point = false;

	*count = *exponent = 0;
	for (; i < number.len && number.ptr[i] != 'e'; i++) {
		uint8_t c = number.ptr[i];

		if (c == '.' && !point) {
			point = true;
			continue;
		}
		if (c < '0' || c > '9' || *count == 32)
			return false;
		if (*count > 0 || c != '0')
			digits[(*count)++] = c;
		*exponent += point ? (*count == 0 ? -1 : 0) : (*count > 0);
	}
	if (i < number.len && ++i < number.len && (number.ptr[i] == '-' || number.ptr[i] == '+'))
		sign = number.ptr[i++] == '-' ? -1 : 1;
	for (; i < number.len; i++) {
		if (number.ptr[i] < '0' || number.ptr[i] > '9' || power > 999)
			return false;
		power = power * 10 + (number.ptr[i] - '0');
	}
	*exponent += sign * power;
	while (*count > 0 && digits[*count - 1] == '0')
		(*count)--;
	return true;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static uint8_t *put_plain(uint8_t *at, const uint8_t *digits, int count, int exponent)
{
	int i = 0;

	if (exponent <= 0)
		*at++ = '0';
	for (; i < exponent; i++)
		*at++ = i < count ? digits[i] : '0';
	*at++ = '.';
	for (int zeros = exponent; zeros < 0; zeros++)
		*at++ = '0';
	if (i >= count)
		*at++ = '0';
	return i < count ? put_bytes(at, digits + i, (size_t)(count - i)) : at;
}

static uint8_t *put_scientific(uint8_t *at, const uint8_t *digits, int count, int exponent)
{
	int power = exponent - 1;

	*at++ = digits[0];
	*at++ = '.';
	if (count == 1)
		*at++ = '0';
	at = put_bytes(at, digits + 1, (size_t)(count - 1));
	*at++ = 'E';
	if (power < 0)
		*at++ = '-';
	power = power < 0 ? -power : power;
	if (power >= 100)
		*at++ = (uint8_t)('0' + power / 100);
	if (power >= 10)
		*at++ = (uint8_t)('0' + power / 10 % 10);
	*at++ = (uint8_t)('0' + power % 10);
	return at;
}

/* A double as Java's Double.toString prints it; at has room for 40 bytes. NULL when it is no number. */
static uint8_t *put_java_double(uint8_t *at, tr_slice number)
{
	uint8_t digits[32];
	int count, exponent;

	if (tr_slice_eq(number, tr_slice_str("NaN")) || tr_slice_eq(number, tr_slice_str("Infinity")) ||
	    tr_slice_eq(number, tr_slice_str("-Infinity")))
		return put_bytes(at, number.ptr, number.len);
	if (*number.ptr == '-') {
		*at++ = '-';
		number = tr_slice_of(number.ptr + 1, number.len - 1);
	}
	if (!scan_digits(number, digits, &count, &exponent) || exponent > 400 || exponent < -400)
		return NULL;
	if (count == 0)
		return put_bytes(at, "0.0", 3);
	/* From 10^-3 up to 10^7 Java writes plain digits. */
	return exponent >= -2 && exponent <= 7 ? put_plain(at, digits, count, exponent)
	                                       : put_scientific(at, digits, count, exponent);
}

int tr_pg_decode_shape_opaque(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_slice rest = tr_slice_of(in.ptr, in.len), number;
	uint8_t *text = tr_arena_alloc(scratch, in.len + 40 * count_numbers(rest)), *at = text;
	const uint8_t *done = in.ptr;

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (!text)
		return tr_pg_no_room(arg, err);
	while (next_number(&rest, &number)) {
		at = put_bytes(at, done, (size_t)(number.ptr - done));
		at = put_java_double(at, number);
		if (!at)
			return tr_pg_bad(arg, in, "not the numbers of its type", err);
		done = number.ptr + number.len;
	}
	at = put_bytes(at, done, (size_t)(in.ptr + in.len - done));
	return tr_pg_binary_value(arg, in, tr_slice_of(text, (size_t)(at - text)), scratch, out, err);
}

static uint32_t read_u32(const uint8_t *at, bool little)
{
	if (!little)
		return (uint32_t)tr_pg_be(at, 4);
	return (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

/* The extended form is published as it is, with the SRID inside; the SRID is shown beside it, too. */
int tr_pg_decode_ewkb(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_slice wkb = tr_slice_of(in.ptr, in.len);
	tr_value srid = tr_value_null();
	uint8_t *raw;
	uint32_t kind;

	if (in.form != TR_D_BINARY) {
		raw = tr_arena_alloc(scratch, in.len / 2 + 1);
		if (!raw)
			return tr_pg_no_room(arg, err);
		if (!tr_pg_unhex(wkb, raw))
			return tr_pg_bad(arg, in, "not pairs of hexadecimal digits", err);
		wkb = tr_slice_of(raw, in.len / 2);
	}
	if (wkb.len < 5 || wkb.ptr[0] > 1)
		return tr_pg_bad(arg, in, "not EWKB", err);
	kind = read_u32(wkb.ptr + 1, wkb.ptr[0] == 1);
	if (kind & EWKB_HAS_SRID) {
		if (wkb.len < 9)
			return tr_pg_bad(arg, in, "EWKB without its SRID", err);
		srid = tr_value_int((int32_t)read_u32(wkb.ptr + 5, wkb.ptr[0] == 1));
	}
	return geometry_value(arg, wkb, srid, scratch, out, err);
}
