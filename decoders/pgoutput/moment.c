/* Dates and times as the server prints them (DateStyle ISO), and as ISO 8601 in Java's dress. */
#include "core/digits.h"
#include "decoders/pgoutput/convert.h"

#define YEAR_DIGITS_MAX 7 /* a date goes to 5874897 */

typedef struct scan {
	const uint8_t *at, *end;
} scan;

/* Days since 1970-01-01 in the proleptic Gregorian calendar, by eras of 400 years that begin in March. */
int64_t tr_pg_days(tr_pg_civil date)
{
	int64_t year = date.year - (date.month <= 2);
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

tr_pg_civil tr_pg_civil_of(int64_t days)
{
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t day = shifted - era * 146097;
	int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t of_year = day - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;

	return (tr_pg_civil){
		.year = year + era * 400 + (month >= 10),
		.month = (int)(month < 10 ? month + 3 : month - 9),
		.day = (int)(of_year - (153 * month + 2) / 5 + 1),
	};
}

static bool take(scan *s, char c)
{
	if (s->at == s->end || *s->at != (uint8_t)c)
		return false;
	s->at++;
	return true;
}

/* Exactly two digits. */
static bool two(scan *s, int *out)
{
	unsigned high, low;

	if (s->end - s->at < 2)
		return false;
	high = s->at[0] - (unsigned)'0';
	low = s->at[1] - (unsigned)'0';
	if (high > 9 || low > 9)
		return false;
	*out = (int)(high * 10 + low);
	s->at += 2;
	return true;
}

static bool take_year(scan *s, int64_t *out)
{
	const uint8_t *start = s->at;

	for (*out = 0; s->at < s->end && (unsigned)(*s->at - '0') <= 9; s->at++) {
		if (s->at - start == YEAR_DIGITS_MAX)
			return false;
		*out = *out * 10 + (*s->at - '0');
	}
	return s->at - start >= 4;
}

static int days_of_month(int64_t year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		return 29;
	return days[month - 1];
}

static bool take_date(scan *s, tr_pg_civil *out)
{
	return take_year(s, &out->year) && take(s, '-') && two(s, &out->month) && take(s, '-') && two(s, &out->day) &&
	       out->month >= 1 && out->month <= 12 && out->day >= 1;
}

static bool take_fraction(scan *s, int64_t *us)
{
	int digits = 0;

	if (!take(s, '.'))
		return true;
	for (; s->at < s->end && (unsigned)(*s->at - '0') <= 9; s->at++, digits++) {
		if (digits == 6)
			return false;
		*us = *us * 10 + (*s->at - '0');
	}
	for (int i = digits; i < 6; i++)
		*us *= 10;
	return digits > 0;
}

static bool take_time(scan *s, int64_t *day_us)
{
	int hour, minute, second;
	int64_t us = 0;

	if (!two(s, &hour) || !take(s, ':') || !two(s, &minute) || !take(s, ':') || !two(s, &second) || !take_fraction(s, &us))
		return false;
	*day_us = ((hour * INT64_C(60) + minute) * 60 + second) * 1000000 + us;
	return minute < 60 && second < 60 && *day_us <= TR_PG_DAY_US;
}

/* "+02", "-03:30", "+01:02:03" */
static bool take_zone(scan *s, int32_t *offset_s)
{
	bool negative = s->at < s->end && *s->at == '-';
	int hour, minute = 0, second = 0;

	if (!take(s, '+') && !take(s, '-'))
		return false;
	if (!two(s, &hour) || (take(s, ':') && (!two(s, &minute) || (take(s, ':') && !two(s, &second)))))
		return false;
	*offset_s = (hour * 60 + minute) * 60 + second;
	if (negative)
		*offset_s = -*offset_s;
	return minute < 60 && second < 60 && hour < 16;
}

static bool parse_parts(scan *s, unsigned has, tr_pg_moment *out)
{
	if (has & TR_PG_HAS_DATE && !take_date(s, &out->date))
		return false;
	if (has & TR_PG_HAS_DATE && has & TR_PG_HAS_TIME && !take(s, ' '))
		return false;
	if (has & TR_PG_HAS_TIME && !take_time(s, &out->day_us))
		return false;
	return !(has & TR_PG_HAS_ZONE) || take_zone(s, &out->offset_s);
}

bool tr_pg_moment_parse(tr_slice text, unsigned has, tr_pg_moment *out)
{
	scan s = {.at = text.ptr, .end = text.ptr + text.len};

	*out = (tr_pg_moment){0};
	if (has & TR_PG_HAS_DATE && tr_slice_eq(text, tr_slice_str("infinity")))
		out->infinite = 1;
	if (has & TR_PG_HAS_DATE && tr_slice_eq(text, tr_slice_str("-infinity")))
		out->infinite = -1;
	if (out->infinite != 0)
		return true;
	if (!parse_parts(&s, has, out))
		return false;
	if (!(has & TR_PG_HAS_DATE))
		return s.at == s.end;
	if (s.end - s.at == 3 && memcmp(s.at, " BC", 3) == 0) {
		out->date.year = 1 - out->date.year;
		s.at += 3;
	}
	return s.at == s.end && out->date.day <= days_of_month(out->date.year, out->date.month);
}

/* At least four digits; '-' before the year 0, '+' when there are more than four digits. */
uint8_t *tr_pg_put_date(uint8_t *at, tr_pg_civil date)
{
	uint64_t year = (uint64_t)(date.year < 0 ? -date.year : date.year);
	unsigned digits = 4;

	for (uint64_t limit = 10000; year >= limit; limit *= 10)
		digits++;
	if (date.year < 0)
		*at++ = '-';
	else if (digits > 4)
		*at++ = '+';
	at = tr_put_fixed(at, year, digits);
	*at++ = '-';
	at = tr_put_pair(at, (unsigned)date.month);
	*at++ = '-';
	return tr_put_pair(at, (unsigned)date.day);
}

uint8_t *tr_pg_put_time(uint8_t *at, int64_t day_us, int digits)
{
	uint32_t seconds = (uint32_t)(day_us / 1000000), fraction = (uint32_t)(day_us % 1000000);
	uint8_t *end;

	at = tr_put_pair(at, seconds / 3600);
	*at++ = ':';
	at = tr_put_pair(at, seconds / 60 % 60);
	*at++ = ':';
	at = tr_put_pair(at, seconds % 60);
	if (digits == 0 || (digits < 0 && fraction == 0))
		return at;
	*at++ = '.';
	end = tr_put_fixed(at, fraction, 6);
	if (digits > 0)
		return at + digits;
	while (end[-1] == '0')
		end--;
	return end;
}
