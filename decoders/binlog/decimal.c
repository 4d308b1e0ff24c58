/*
 * Packed DECIMAL (type 246): nine digits in four bytes, big-endian, what is left over in fewer; the top bit says that it is
 * not negative, and a negative one has all its bits turned. It goes straight to the published form.
 */
#include "decoders/binlog/convert.h"

#include <stdlib.h>

#define DIGITS_MAX 65
#define LIMBS 4 /* 65 digits are less than 2^216 */

static const uint8_t digit_bytes[10] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
static const uint64_t powers[19] = {
	UINT64_C(1), UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000), UINT64_C(100000), UINT64_C(1000000),
	UINT64_C(10000000), UINT64_C(100000000), UINT64_C(1000000000), UINT64_C(10000000000), UINT64_C(100000000000),
	UINT64_C(1000000000000), UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
	UINT64_C(10000000000000000), UINT64_C(100000000000000000), UINT64_C(1000000000000000000)};

/* Digits in groups of at most nine, most significant first. */
typedef struct groups {
	bool negative;
	unsigned count;
	uint32_t value[10];
	uint8_t digits[10];
} groups;

size_t tr_bl_decimal_bytes(unsigned precision, unsigned scale)
{
	unsigned whole = precision - scale;

	if (precision == 0 || precision > DIGITS_MAX || scale > precision)
		return 0;
	return whole / 9 * 4 + digit_bytes[whole % 9] + scale / 9 * 4 + digit_bytes[scale % 9];
}

static bool take_group(groups *g, const uint8_t **at, unsigned digits, bool first)
{
	uint32_t value = 0;
	uint8_t turn = g->negative ? 0xff : 0;

	if (digits == 0)
		return true;
	for (unsigned i = 0; i < digit_bytes[digits]; i++) {
		uint8_t byte = (uint8_t)(*(*at)++ ^ turn);

		if (first && i == 0)
			byte ^= 0x80;
		value = value << 8 | byte;
	}
	g->value[g->count] = value;
	g->digits[g->count++] = (uint8_t)digits;
	return value < powers[digits];
}

static bool unpack(const uint8_t *at, size_t bytes, unsigned precision, unsigned scale, groups *g)
{
	unsigned whole = precision - scale, first = whole % 9;
	bool good = true;

	*g = (groups){0};
	if (bytes == 0 || bytes != tr_bl_decimal_bytes(precision, scale))
		return false;
	g->negative = !(*at & 0x80);
	good = take_group(g, &at, first, true);
	for (unsigned i = 0; i < whole / 9; i++)
		good &= take_group(g, &at, 9, g->count == 0);
	for (unsigned i = 0; i < scale / 9; i++)
		good &= take_group(g, &at, 9, g->count == 0);
	return take_group(g, &at, scale % 9, g->count == 0) && good;
}

uint8_t *tr_bl_put_decimal(uint8_t *at, const uint8_t *packed, size_t bytes, unsigned precision, unsigned scale)
{
	uint8_t digits[DIGITS_MAX + 9], *end = digits, *from = digits;
	bool zero = true;
	groups g;

	if (!unpack(packed, bytes, precision, scale, &g))
		return NULL;
	for (unsigned i = 0; i < g.count; i++) {
		end = tr_bl_put_digits(end, g.value[i], g.digits[i]);
		zero &= g.value[i] == 0;
	}
	if (g.negative && !zero)
		*at++ = '-';
	for (; end - from > (ptrdiff_t)scale && *from == '0'; from++)
		;
	if (end - from == (ptrdiff_t)scale)
		*at++ = '0';
	for (; from < end; from++) {
		if (end - from == (ptrdiff_t)scale)
			*at++ = '.';
		*at++ = *from;
	}
	return at;
}

/* A number of up to 256 bits, least limb first. */
typedef struct big {
	uint64_t limb[LIMBS];
	unsigned used;
} big;

/* value * factor + more; both fit in 64 bits, and the caller keeps to DIGITS_MAX digits. */
static void multiply_add(big *b, uint64_t factor, uint64_t more)
{
	uint64_t carry = more;

	for (unsigned i = 0; i < b->used; i++) {
		unsigned __int128 product = (unsigned __int128)b->limb[i] * factor + carry;

		b->limb[i] = (uint64_t)product;
		carry = (uint64_t)(product >> 64);
	}
	if (carry > 0 && b->used < LIMBS)
		b->limb[b->used++] = carry;
}

/* Big-endian two's complement, shortest. */
static int put_unscaled(const tr_bl_arg *arg, const big *b, bool negative, tr_arena *scratch, tr_value *out, tr_err *err)
{
	enum { BYTES = 8 * LIMBS + 1 };
	uint8_t *bytes = tr_arena_alloc(scratch, BYTES);
	unsigned carry = 1, start = 0;

	if (!bytes)
		return tr_bl_no_room(arg, err);
	for (unsigned i = 0; i < BYTES - 1; i++)
		bytes[BYTES - 1 - i] = (uint8_t)(i / 8 < b->used ? b->limb[i / 8] >> 8 * (i % 8) : 0);
	for (unsigned i = BYTES; negative && i > 0; i--) {
		unsigned sum = (uint8_t)~bytes[i - 1] + carry;

		bytes[i - 1] = (uint8_t)sum;
		carry = sum >> 8;
	}
	while (start + 1 < BYTES && ((bytes[start] == 0x00 && !(bytes[start + 1] & 0x80)) ||
	                             (bytes[start] == 0xff && (bytes[start + 1] & 0x80))))
		start++;
	*out = tr_value_bytes(bytes + start, BYTES - start);
	return 0;
}

/* The digits of a text with the point taken out and zeros up to the scale; false when it is no number of the type. */
typedef struct digits {
	bool negative;
	unsigned count;
	uint8_t digit[DIGITS_MAX + 1];
} digits;

static bool read_digits(const tr_bl_arg *arg, tr_datum in, digits *d)
{
	unsigned after = 0;
	bool point = false, any = false;

	*d = (digits){0};
	for (uint32_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (c == '-' && i == 0) {
			d->negative = true;
		} else if (c == '.' && !point) {
			point = true;
		} else if ((unsigned)(c - '0') <= 9) {
			any = true;
			if (point && ++after > arg->scale)
				return false;
			if (c == '0' && d->count == 0)
				continue;
			if (d->count == DIGITS_MAX)
				return false;
			d->digit[d->count++] = (uint8_t)(c - '0');
		} else {
			return false;
		}
	}
	for (; d->count > 0 && after < arg->scale; after++) {
		if (d->count == DIGITS_MAX)
			return false;
		d->digit[d->count++] = 0;
	}
	d->negative &= d->count > 0;
	return any;
}

static const char no_decimal[] = "not a decimal number of this precision and scale";

int tr_bl_decode_decimal(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	big number = {.used = 1};
	digits d;
	groups g;

	if (in.form == TR_D_BINARY) {
		if (!unpack(in.ptr, in.len, a->precision, a->scale, &g))
			return tr_bl_bad(a, in, no_decimal, err);
		for (unsigned i = 0; i < g.count; i++)
			multiply_add(&number, powers[g.digits[i]], g.value[i]);
		return put_unscaled(a, &number, g.negative, scratch, out, err);
	}
	if (!read_digits(a, in, &d))
		return tr_bl_bad(a, in, no_decimal, err);
	for (unsigned i = 0; i < d.count; i++)
		multiply_add(&number, 10, d.digit[i]);
	return put_unscaled(a, &number, d.negative, scratch, out, err);
}

/* In either form, as the server prints it, but without ZEROFILL's zeros. */
static uint8_t *put_text(const tr_bl_arg *a, tr_datum in, uint8_t *at)
{
	digits d;

	if (in.form == TR_D_BINARY)
		return tr_bl_put_decimal(at, in.ptr, in.len, a->precision, a->scale);
	if (!read_digits(a, in, &d))
		return NULL;
	if (d.negative)
		*at++ = '-';
	if (d.count <= a->scale)
		*at++ = '0';
	for (unsigned i = d.count > a->scale ? d.count : a->scale; i > 0; i--) {
		if (i == a->scale)
			*at++ = '.';
		*at++ = (uint8_t)('0' + (i <= d.count ? d.digit[d.count - i] : 0));
	}
	return at;
}

int tr_bl_decode_decimal_text(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	uint8_t *text = tr_arena_alloc(scratch, TR_BL_DECIMAL_TEXT_BYTES), *end;

	if (!text)
		return tr_bl_no_room(arg, err);
	end = put_text(arg, in, text);
	if (!end)
		return tr_bl_bad(arg, in, no_decimal, err);
	*out = tr_value_bytes(text, (size_t)(end - text));
	return 0;
}

int tr_bl_decode_decimal_double(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	uint8_t text[TR_BL_DECIMAL_TEXT_BYTES], *end = put_text(arg, in, text);
	double value;

	(void)scratch;
	if (!end || !tr_bl_parse_double(tr_slice_of(text, (size_t)(end - text)), &value))
		return tr_bl_bad(arg, in, no_decimal, err);
	*out = tr_value_float(value);
	return 0;
}
