/* Numbers and bytes as people read them: dates, times, decimals. */
#include <stdio.h>

#include "events/avro/node.h"

#define DECIMAL_MAX_BYTES 2048
#define DECIMAL_MAX_SCALE 10000
#define DIGITS_PER_WORD 9

/* Floor division: times before 1970 count down to the day before. */
static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Days since 1970-01-01 in the proleptic Gregorian calendar; years in 400-year cycles that begin in March. */
static void put_date(tr_writer *w, int64_t days)
{
	days += 719468;
	int64_t cycle = floor_div(days, 146097), day = days - cycle * 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t day_of_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * day_of_year + 2) / 153;
	int day_of_month = (int)(day_of_year - (153 * month + 2) / 5 + 1);
	int month_of_year = (int)(month < 10 ? month + 3 : month - 9);

	year += cycle * 400 + (month_of_year <= 2);
	tr_writer_format(w, "%s%04lld-%02d-%02d", year < 0 ? "-" : "", (long long)(year < 0 ? -year : year), month_of_year,
	                 day_of_month);
}

/* Of a day; `per_second` units a second; trailing zeros of the fraction are left out by groups of three. */
static void put_time(tr_writer *w, int64_t t, int64_t per_second)
{
	int64_t seconds = t / per_second;
	long long fraction = (long long)(t % per_second);
	int digits = per_second == 1000 ? 3 : per_second == 1000000 ? 6 : 9;

	tr_writer_format(w, "%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
	for (; digits > 0 && fraction % 1000 == 0; digits -= 3)
		fraction /= 1000;
	if (digits > 0)
		tr_writer_format(w, ".%0*lld", digits, fraction);
}

static bool put_clock(tr_writer *w, int64_t t, int64_t per_second)
{
	if (t < 0 || t > 86400 * per_second)
		return false; /* MySQL's TIME goes from -838 to 838 hours: better the plain number */
	tr_writer_u8(w, '"');
	put_time(w, t, per_second);
	tr_writer_u8(w, '"');
	return true;
}

static bool put_stamp(tr_writer *w, int64_t t, int64_t per_second, const char *zone)
{
	int64_t day = 86400 * per_second, of_day = t % day;

	tr_writer_u8(w, '"');
	put_date(w, floor_div(t, day));
	tr_writer_u8(w, 'T');
	put_time(w, of_day < 0 ? of_day + day : of_day, per_second);
	tr_writer_text(w, zone);
	tr_writer_u8(w, '"');
	return true;
}

static bool put_duration(tr_writer *w, int64_t us)
{
	uint64_t size = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;

	tr_writer_format(w, "\"%sPT%lluH%lluM%llu.%06lluS\"", us < 0 ? "-" : "", (unsigned long long)(size / 3600000000u),
	                 (unsigned long long)(size / 60000000u % 60), (unsigned long long)(size / 1000000u % 60),
	                 (unsigned long long)(size % 1000000u));
	return true;
}

bool tr_avro_pretty_integer(tr_avro_meaning meaning, int64_t i, tr_writer *w)
{
	switch (meaning) {
	case TR_AVRO_DATE:
		tr_writer_u8(w, '"');
		put_date(w, i);
		tr_writer_u8(w, '"');
		return true;
	case TR_AVRO_TIME_MS:
		return put_clock(w, i, 1000);
	case TR_AVRO_TIME_US:
		return put_clock(w, i, 1000000);
	case TR_AVRO_TIME_NS:
		return put_clock(w, i, 1000000000);
	case TR_AVRO_STAMP_MS:
		return put_stamp(w, i, 1000, "");
	case TR_AVRO_STAMP_US:
		return put_stamp(w, i, 1000000, "");
	case TR_AVRO_STAMP_NS:
		return put_stamp(w, i, 1000000000, "");
	case TR_AVRO_INSTANT_MS:
		return put_stamp(w, i, 1000, "Z");
	case TR_AVRO_INSTANT_US:
		return put_stamp(w, i, 1000000, "Z");
	case TR_AVRO_DURATION_US:
		return put_duration(w, i);
	default:
		return false;
	}
}

typedef struct magnitude {
	uint32_t word[DECIMAL_MAX_BYTES / 4 + 1]; /* most significant first, of the absolute value */
	size_t count;
	bool negative;
} magnitude;

static void load_magnitude(magnitude *m, tr_slice bytes)
{
	unsigned carry;

	m->negative = bytes.len > 0 && bytes.ptr[0] >= 0x80;
	m->count = (bytes.len + 3) / 4;
	memset(m->word, 0, sizeof(m->word));
	carry = m->negative;
	for (size_t i = 0; i < 4 * m->count; i++) {
		unsigned byte = i < bytes.len ? bytes.ptr[bytes.len - 1 - i] : m->negative ? 0xff : 0;
		if (m->negative) {
			byte = (byte ^ 0xff) + carry;
			carry = byte >> 8;
			byte &= 0xff;
		}
		m->word[m->count - 1 - i / 4] |= byte << (8 * (i % 4));
	}
	/* -2^(8n-1) of whole words still fits: its absolute value needs no further bit in an unsigned word. */
}

/* Divides by 10^9 and returns the rest. */
static uint32_t next_digits(magnitude *m, bool *zero)
{
	uint64_t rest = 0;

	*zero = true;
	for (size_t i = 0; i < m->count; i++) {
		rest = rest << 32 | m->word[i];
		m->word[i] = (uint32_t)(rest / 1000000000u);
		*zero = *zero && m->word[i] == 0;
		rest %= 1000000000u;
	}
	return (uint32_t)rest;
}

/* Digits from the last one on, without leading zeros but at least one. */
static size_t load_digits(magnitude *m, char *digits)
{
	size_t count = 0;

	for (bool zero = false; !zero;) {
		uint32_t nine = next_digits(m, &zero);
		for (int i = 0; i < DIGITS_PER_WORD; i++, nine /= 10)
			digits[count++] = (char)('0' + nine % 10);
	}
	while (count > 1 && digits[count - 1] == '0')
		count--;
	return count;
}

bool tr_avro_pretty_decimal(tr_slice unscaled, int scale, tr_writer *w)
{
	char digits[DECIMAL_MAX_BYTES * 5 / 2 + 2 * DIGITS_PER_WORD]; /* log10(256) < 2.41 */
	magnitude m;

	if (unscaled.len > DECIMAL_MAX_BYTES || scale > DECIMAL_MAX_SCALE || scale < -DECIMAL_MAX_SCALE)
		return false;
	load_magnitude(&m, unscaled);
	size_t count = load_digits(&m, digits), after = scale > 0 ? (size_t)scale : 0;
	bool zero = count == 1 && digits[0] == '0';
	if (m.negative)
		tr_writer_u8(w, '-');
	if (count <= after)
		tr_writer_u8(w, '0');
	for (size_t i = count; i > after; i--)
		tr_writer_u8(w, (uint8_t)digits[i - 1]);
	for (int i = scale; i < 0 && !zero; i++)
		tr_writer_u8(w, '0');
	if (after > 0)
		tr_writer_u8(w, '.');
	for (size_t i = after; i > 0; i--)
		tr_writer_u8(w, i > count ? '0' : (uint8_t)digits[i - 1]);
	return true;
}
