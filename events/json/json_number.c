/*
 * Floating point as Java's Double.toString and Float.toString (since 19) print it: the shortest decimal that reads back
 * equal, the nearest one if there are several, at least two digits. The method is Raffaello Giulietti's "Schubfach": three
 * multiplications by a 128-bit power of ten, each rounded to odd, decide everything in integers.
 */
#include "events/json/json_text.h"

#include <math.h>
#include <pthread.h>

__extension__ typedef unsigned __int128 u128;

#define POW10_MIN (-292)
#define POW10_MAX 324
#define BIG_WORDS 20 /* 10^324 has 1077 bits; 2^1216 / 10^292 still has 245 significant ones */

/* 10^k as a 128-bit number with the top bit set; rounded up where it is not exact. */
static struct { uint64_t hi, lo; } pow10_table[POW10_MAX - POW10_MIN + 1];
static pthread_once_t pow10_once = PTHREAD_ONCE_INIT;

typedef struct big {
	uint64_t word[BIG_WORDS]; /* least significant first */
} big;

static void big_multiply(big *b, uint64_t factor)
{
	u128 carry = 0;

	for (int i = 0; i < BIG_WORDS; i++) {
		carry += (u128)b->word[i] * factor;
		b->word[i] = (uint64_t)carry;
		carry >>= 64;
	}
}

static void big_divide(big *b, uint64_t divisor)
{
	u128 rest = 0;

	for (int i = BIG_WORDS - 1; i >= 0; i--) {
		rest = rest << 64 | b->word[i];
		b->word[i] = (uint64_t)(rest / divisor);
		rest %= divisor;
	}
}

/* The top 128 bits, plus one when anything was cut off or `inexact`. */
static void big_top(const big *b, bool inexact, int k)
{
	int top = BIG_WORDS - 1;

	while (top > 0 && b->word[top] == 0)
		top--;
	int shift = __builtin_clzll(b->word[top]);
	uint64_t w[3] = {top >= 2 ? b->word[top - 2] : 0, top >= 1 ? b->word[top - 1] : 0, b->word[top]};
	u128 value = (u128)w[2] << 64 | w[1];
	if (shift > 0)
		value = value << shift | w[0] >> (64 - shift);
	if ((w[0] << shift) != 0)
		inexact = true;
	for (int i = 0; i < top - 2; i++)
		if (b->word[i] != 0)
			inexact = true;
	value += inexact;
	pow10_table[k - POW10_MIN].hi = (uint64_t)(value >> 64);
	pow10_table[k - POW10_MIN].lo = (uint64_t)value;
}

static void pow10_fill(void)
{
	big up = {.word = {1}}, down = {.word = {[BIG_WORDS - 1] = 1}};

	for (int k = 0; k <= POW10_MAX; k++, big_multiply(&up, 10))
		big_top(&up, false, k);
	for (int k = -1; k >= POW10_MIN; k--) {
		big_divide(&down, 10);
		big_top(&down, true, k);
	}
}

static uint64_t multiply_round_to_odd(int k, uint64_t cp)
{
	u128 low = (u128)pow10_table[k - POW10_MIN].lo * cp;
	u128 high = (u128)pow10_table[k - POW10_MIN].hi * cp + (uint64_t)(low >> 64);

	return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

typedef struct decimal {
	uint64_t digits;
	int exponent; /* digits * 10^exponent */
} decimal;

/* The shortest decimal for c * 2^q, c > 0; `narrow`: the neighbour below is only half as far as the one above. */
static decimal shortest(uint64_t c, int q, bool narrow)
{
	uint64_t odd = c & 1;
	int k = (q * 1262611 - (narrow ? 524031 : 0)) >> 22;
	int h = q + ((-k * 1741647) >> 19) + 1;
	uint64_t value = multiply_round_to_odd(-k, (4 * c) << h);
	uint64_t lower = multiply_round_to_odd(-k, (4 * c - 2 + narrow) << h) + odd;
	uint64_t upper = multiply_round_to_odd(-k, (4 * c + 2) << h) - odd;
	uint64_t s = value / 4;

	if (s >= 100) {
		uint64_t tens = s / 10;
		bool below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
		if (below != above)
			return (decimal){tens + above, k + 1};
	}
	bool below = lower <= 4 * s, above = 4 * s + 4 <= upper;
	if (below != above)
		return (decimal){s + above, k};
	uint64_t middle = 4 * s + 2;
	return (decimal){s + (value > middle || (value == middle && (s & 1))), k};
}

/* Java's layout: plain from 10^-3 up to 10^7, else one digit before the point and an exponent. */
static void put_decimal(tr_writer *w, bool negative, decimal d)
{
	char digit[20], out[40];
	int count = 0, at = 0;

	while (d.digits % 10 == 0)
		d.digits /= 10, d.exponent++;
	for (uint64_t rest = d.digits; rest > 0; rest /= 10)
		digit[count++] = (char)('0' + rest % 10);
	int scientific = d.exponent + count - 1; /* exponent of the first digit */
	bool plain = scientific >= -3 && scientific < 7;
	int before = !plain ? 1 : scientific >= 0 ? scientific + 1 : 0; /* digits before the point */
	if (negative)
		out[at++] = '-';
	if (before == 0)
		out[at++] = '0';
	for (int i = 0; i < before; i++)
		out[at++] = i < count ? digit[count - 1 - i] : '0';
	out[at++] = '.';
	for (int i = scientific; plain && i < -1; i++)
		out[at++] = '0';
	for (int i = before; i < count; i++)
		out[at++] = digit[count - 1 - i];
	if (before >= count)
		out[at++] = '0';
	tr_writer_put(w, out, (size_t)at);
	if (!plain) {
		tr_writer_u8(w, 'E');
		tr_writer_decimal_i64(w, scientific);
	}
}

static void put_special(tr_writer *w, double value)
{
	if (isnan(value))
		tr_writer_text(w, "\"NaN\"");
	else if (isinf(value))
		tr_writer_text(w, value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
	else
		tr_writer_text(w, signbit(value) ? "-0.0" : "0.0");
}

/* fraction and exponent as stored; `bits` of fraction, exponent biased by `bias`. */
static void put_binary(tr_writer *w, bool negative, uint64_t fraction, int exponent, int bits, int bias)
{
	uint64_t c = exponent ? fraction | (uint64_t)1 << bits : fraction;
	int q = (exponent ? exponent : 1) - bias - bits;

	if (q <= 0 && q > -bits - 1 && (c & (((uint64_t)1 << -q) - 1)) == 0) {
		put_decimal(w, negative, (decimal){c >> -q, 0}); /* an integer */
		return;
	}
	pthread_once(&pow10_once, pow10_fill);
	/* The smallest numbers have one digit only; ten times as much gives the second one that Java prints. */
	bool tiny = exponent == 0 && c < (bits == 52 ? 3 : 8);
	decimal d = shortest(tiny ? 10 * c : c, q, fraction == 0 && exponent > 1);
	d.exponent -= tiny;
	put_decimal(w, negative, d);
}

void tr_json_double(tr_writer *w, double value)
{
	uint64_t b;

	if (value == 0 || !isfinite(value)) {
		put_special(w, value);
		return;
	}
	memcpy(&b, &value, sizeof(b));
	put_binary(w, b >> 63, b & (((uint64_t)1 << 52) - 1), (int)(b >> 52 & 0x7ff), 52, 1023);
}

void tr_json_float(tr_writer *w, float value)
{
	uint32_t b;

	if (value == 0 || !isfinite(value)) {
		put_special(w, (double)value);
		return;
	}
	memcpy(&b, &value, sizeof(b));
	put_binary(w, b >> 31, b & (((uint32_t)1 << 23) - 1), (int)(b >> 23 & 0xff), 23, 127);
}
