/* Numbers and their digits. Printing is exact and knows no locale; reading a double is strtod's, after a look at its form. */
#include "decoders/binlog/convert.h"

#include <math.h>
#include <stdlib.h>

#define FIXED_MAX 15 /* digits before the point, unless some follow it, and zeros after it, up to which no exponent is printed */

bool tr_bl_parse_int(tr_slice text, bool *negative, uint64_t *magnitude)
{
	uint64_t value = 0;

	*negative = text.len > 0 && *text.ptr == '-';
	if (text.len <= *negative)
		return false;
	for (size_t i = *negative; i < text.len; i++) {
		unsigned digit = text.ptr[i] - (unsigned)'0';

		if (digit > 9 || __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
			return false;
	}
	*magnitude = value;
	return !*negative || value <= UINT64_C(1) << 63;
}

/* Digits, a point, an exponent: none of the words and hexadecimal forms that strtod takes. */
static bool is_number(tr_slice text)
{
	bool digit = false;

	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];

		digit |= (unsigned)(c - '0') <= 9;
		if ((unsigned)(c - '0') > 9 && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E')
			return false;
	}
	return digit;
}

bool tr_bl_parse_double(tr_slice text, double *out)
{
	char copy[400], *end;

	if (text.len == 0 || text.len >= sizeof(copy) || !is_number(text))
		return false;
	memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	*out = strtod(copy, &end);
	return end == copy + text.len && isfinite(*out);
}

uint8_t *tr_bl_put_digits(uint8_t *at, uint64_t value, unsigned digits)
{
	for (unsigned i = digits; i > 0; i--, value /= 10)
		at[i - 1] = (uint8_t)('0' + value % 10);
	return at + digits;
}

uint8_t *tr_bl_put_u64(uint8_t *at, uint64_t value)
{
	unsigned digits = 1;

	for (uint64_t rest = value; rest >= 10; rest /= 10)
		digits++;
	return tr_bl_put_digits(at, value, digits);
}

/*
 * Shortest digits (Steele and White 1990, in the form of Burger and Dybvig 1996): the value and half its distances to its
 * neighbours are fractions of large integers, and digits are taken until what remains is within the distance.
 */
#define BIG_WORDS 36 /* 2^1074 * 10 and some room */
typedef struct bignum {
	uint32_t word[BIG_WORDS];
	unsigned used;
} bignum;

static void big_set(bignum *b, uint64_t value)
{
	b->word[0] = (uint32_t)value;
	b->word[1] = (uint32_t)(value >> 32);
	b->used = b->word[1] ? 2 : 1;
}

static void big_multiply(bignum *b, uint32_t factor)
{
	uint64_t carry = 0;

	for (unsigned i = 0; i < b->used; i++) {
		carry += (uint64_t)b->word[i] * factor;
		b->word[i] = (uint32_t)carry;
		carry >>= 32;
	}
	if (carry && b->used < BIG_WORDS)
		b->word[b->used++] = (uint32_t)carry;
}

static void big_shift(bignum *b, unsigned bits)
{
	for (; bits >= 31; bits -= 31)
		big_multiply(b, UINT32_C(1) << 31);
	big_multiply(b, UINT32_C(1) << bits);
}

static void big_power(bignum *b, unsigned exponent)
{
	for (; exponent >= 9; exponent -= 9)
		big_multiply(b, 1000000000);
	for (; exponent > 0; exponent--)
		big_multiply(b, 10);
}

/* Sign of a + more - b; more may be NULL. */
static int big_compare(const bignum *a, const bignum *more, const bignum *b)
{
	int64_t carry = 0;
	int sign = 0;
	unsigned top = a->used > b->used ? a->used : b->used;

	if (more && more->used > top)
		top = more->used;
	for (unsigned i = 0; i < top; i++) {
		int64_t sum = carry + (i < a->used ? a->word[i] : 0) + (more && i < more->used ? more->word[i] : 0) -
		              (i < b->used ? (int64_t)b->word[i] : 0);

		carry = sum >> 32;
		if ((uint32_t)sum != 0)
			sign = 1;
	}
	return carry < 0 ? -1 : carry > 0 ? 1 : sign;
}

static void big_subtract(bignum *a, const bignum *b)
{
	int64_t borrow = 0;

	for (unsigned i = 0; i < a->used; i++) {
		int64_t sum = borrow + (int64_t)a->word[i] - (i < b->used ? (int64_t)b->word[i] : 0);

		a->word[i] = (uint32_t)sum;
		borrow = sum >> 32;
	}
	while (a->used > 1 && a->word[a->used - 1] == 0)
		a->used--;
}

/* r / s is the value, below / s and above / s half the distance to the neighbours. */
typedef struct fraction {
	bignum r, s, below, above;
	bool even; /* the neighbours' halves are ours */
} fraction;

static void to_fraction(double value, fraction *f)
{
	int exponent;
	uint64_t mantissa = (uint64_t)ldexp(frexp(value, &exponent), 53);
	bool closer; /* the neighbour below a power of two is half as far */

	exponent -= 53;
	if (exponent < -1074) {
		mantissa >>= -1074 - exponent;
		exponent = -1074;
	}
	closer = mantissa == UINT64_C(1) << 52 && exponent > -1074;
	f->even = mantissa % 2 == 0;
	big_set(&f->r, mantissa);
	big_set(&f->s, 1);
	big_set(&f->below, 1);
	big_shift(&f->r, (unsigned)(exponent > 0 ? exponent : 0) + 1 + closer);
	big_shift(&f->s, (unsigned)(exponent < 0 ? -exponent : 0) + 1 + closer);
	big_shift(&f->below, (unsigned)(exponent > 0 ? exponent : 0));
	f->above = f->below;
	if (closer)
		big_shift(&f->above, 1);
}

/* Places the point so that the first digit is the one before it: the value is 0.d1d2... * 10^point. */
static int scale_fraction(double value, fraction *f)
{
	int point = (int)ceil(log10(value) - 1e-10);
	int high;

	if (point >= 0) {
		big_power(&f->s, (unsigned)point);
	} else {
		big_power(&f->r, (unsigned)-point);
		big_power(&f->below, (unsigned)-point);
		big_power(&f->above, (unsigned)-point);
	}
	/* The estimate may be one too low: then the value, rounded up, would begin before the first place. */
	high = big_compare(&f->r, &f->above, &f->s);
	if (high > 0 || (high == 0 && f->even)) {
		big_multiply(&f->s, 10);
		point++;
	}
	return point;
}

static unsigned take_digit(fraction *f)
{
	unsigned digit = 0;

	big_multiply(&f->r, 10);
	big_multiply(&f->below, 10);
	big_multiply(&f->above, 10);
	for (; digit < 9 && big_compare(&f->r, NULL, &f->s) >= 0; digit++)
		big_subtract(&f->r, &f->s);
	return digit;
}

static unsigned slow_digits(double value, uint8_t *digits, int *point)
{
	fraction f;
	unsigned count = 0;

	to_fraction(value, &f);
	*point = scale_fraction(value, &f);
	for (;;) {
		unsigned digit = take_digit(&f);
		int low = big_compare(&f.r, NULL, &f.below), high = big_compare(&f.r, &f.above, &f.s);
		bool stop_low = low < 0 || (low == 0 && f.even), stop_high = high > 0 || (high == 0 && f.even);

		if ((stop_low && stop_high ? big_compare(&f.r, &f.r, &f.s) > 0 : stop_high) && digit < 9)
			digit++;
		digits[count++] = (uint8_t)('0' + digit);
		if (stop_low || stop_high || count == 17)
			return count;
	}
}

/* Numbers of at most 15 digits: any such text is one double only, so the first that gives it back is the shortest. */
static unsigned fast_digits(double value, uint8_t *digits, int *point)
{
	static const double tens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10};

	for (unsigned places = 0; places < sizeof(tens) / sizeof(tens[0]); places++) {
		double scaled = value * tens[places];
		uint64_t whole;
		unsigned count;

		if (scaled >= 1e15)
			return 0;
		whole = (uint64_t)(scaled + 0.5);
		if (whole == 0 || (double)whole / tens[places] != value)
			continue;
		count = (unsigned)(tr_bl_put_u64(digits, whole) - digits);
		*point = (int)count - (int)places;
		while (count > 1 && digits[count - 1] == '0')
			count--;
		return count;
	}
	return 0;
}

static uint8_t *put_exponent(uint8_t *at, const uint8_t *digits, unsigned count, int point)
{
	*at++ = digits[0];
	if (count > 1) {
		*at++ = '.';
		memcpy(at, digits + 1, count - 1);
		at += count - 1;
	}
	*at++ = 'e';
	if (point - 1 < 0)
		*at++ = '-';
	return tr_bl_put_u64(at, (uint64_t)abs(point - 1));
}

uint8_t *tr_bl_put_double(uint8_t *at, double value)
{
	uint8_t digits[20];
	unsigned count;
	int point;

	if (signbit(value)) {
		*at++ = '-';
		value = -value;
	}
	if (value == 0 || !isfinite(value)) {
		*at++ = '0';
		return at;
	}
	count = fast_digits(value, digits, &point);
	if (count == 0)
		count = slow_digits(value, digits, &point);
	if ((point > FIXED_MAX && (int)count <= point) || point < -FIXED_MAX + 1)
		return put_exponent(at, digits, count, point);
	if (point <= 0) {
		*at++ = '0';
		*at++ = '.';
		for (int i = point; i < 0; i++)
			*at++ = '0';
	}
	for (int i = 0; i < (int)count || i < point; i++) {
		if (i == point && i > 0)
			*at++ = '.';
		*at++ = i < (int)count ? digits[i] : '0';
	}
	return at;
}
