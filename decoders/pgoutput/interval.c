/* Intervals in the server's `postgres` style: "1 year -2 mons +3 days 04:05:06.789", or "infinity" (PostgreSQL 17). */
#include "decoders/pgoutput/convert.h"

#define DAYS_PER_YEAR_QUARTERS INT64_C(1461) /* 365.25 days, in quarters of a day */
#define MONTH_US (DAYS_PER_YEAR_QUARTERS * TR_PG_DAY_US / 4 / 12)
#define TEXT_BYTES 160
#define NUMBER_MAX INT64_C(100000000000) /* hours of the largest interval have 10 digits */

typedef struct interval {
	int infinite; /* -1, 0, 1 */
	int64_t years, months, days, hours, minutes, us; /* us: seconds and fraction; the last three share a sign */
} interval;

typedef struct scan {
	const uint8_t *at, *end;
} scan;

static bool number(scan *s, int64_t *out, bool *negative)
{
	const uint8_t *start;

	*negative = s->at < s->end && *s->at == '-';
	if (s->at < s->end && (*s->at == '-' || *s->at == '+'))
		s->at++;
	start = s->at;
	for (*out = 0; s->at < s->end && (unsigned)(*s->at - '0') <= 9; s->at++)
		if ((*out = *out * 10 + (*s->at - '0')) > NUMBER_MAX)
			return false;
	return s->at > start;
}

static bool word(scan *s, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, text, len) != 0)
		return false;
	s->at += len;
	return true;
}

/* After the hours: ":MM:SS[.ffffff]". */
static bool clock_part(scan *s, int64_t hours, bool negative, interval *out)
{
	int64_t minutes, seconds, fraction = 0;
	bool ignored;
	int digits = 0;

	if (!word(s, ":") || !number(s, &minutes, &ignored) || !word(s, ":") || !number(s, &seconds, &ignored))
		return false;
	if (s->at < s->end && *s->at == '.') {
		for (s->at++; s->at < s->end && (unsigned)(*s->at - '0') <= 9 && digits < 6; s->at++, digits++)
			fraction = fraction * 10 + (*s->at - '0');
		for (int i = digits; i < 6; i++)
			fraction *= 10;
	}
	out->hours = negative ? -hours : hours;
	out->minutes = negative ? -minutes : minutes;
	out->us = seconds * 1000000 + fraction;
	out->us = negative ? -out->us : out->us;
	return minutes < 60 && seconds < 60;
}

static bool unit_part(scan *s, int64_t value, interval *out)
{
	if (word(s, " years") || word(s, " year"))
		out->years = value;
	else if (word(s, " mons") || word(s, " mon"))
		out->months = value;
	else if (word(s, " days") || word(s, " day"))
		out->days = value;
	else
		return false;
	return true;
}

static bool parse(tr_datum in, interval *out)
{
	scan s = {.at = in.ptr, .end = in.ptr + in.len};
	int64_t value;
	bool negative;

	*out = (interval){0};
	if (word(&s, "infinity"))
		out->infinite = 1;
	else if (word(&s, "-infinity"))
		out->infinite = -1;
	if (out->infinite != 0 || s.at == s.end)
		return s.at == s.end && out->infinite != 0;
	for (;;) {
		if (!number(&s, &value, &negative))
			return false;
		if (s.at < s.end && *s.at == ':')
			return clock_part(&s, value, negative, out) && s.at == s.end;
		if (!unit_part(&s, negative ? -value : value, out))
			return false;
		if (s.at == s.end)
			return true;
		if (!word(&s, " "))
			return false;
	}
}

static int read_interval(const void *arg, tr_datum in, interval *out, tr_err *err)
{
	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (!parse(in, out))
		return tr_pg_bad(arg, in, "not an interval", err);
	return 0;
}

/* A month has 365.25 / 12 days; beyond 64 bits the largest number stands, as in Java's conversion of a double. */
int tr_pg_decode_interval_micros(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	interval v;
	__int128 us;

	(void)scratch;
	if (read_interval(arg, in, &v, err) != 0)
		return -1;
	us = (__int128)(v.years * 12 + v.months) * MONTH_US + (__int128)v.days * TR_PG_DAY_US;
	us += (__int128)(v.hours * 60 + v.minutes) * 60000000 + v.us;
	if (v.infinite > 0 || us > INT64_MAX)
		us = INT64_MAX;
	if (v.infinite < 0 || us < INT64_MIN)
		us = INT64_MIN;
	*out = tr_value_int((int64_t)us);
	return 0;
}

static uint8_t *put_number(uint8_t *at, int64_t value)
{
	uint64_t positive = value < 0 ? 0 - (uint64_t)value : (uint64_t)value, limit = 10;
	int digits = 1;

	if (value < 0)
		*at++ = '-';
	for (; positive >= limit; limit *= 10)
		digits++;
	for (int i = digits; i > 0; i--, positive /= 10)
		at[i - 1] = (uint8_t)('0' + positive % 10);
	return at + digits;
}

/* Seconds with as many digits after the point as are not zero. */
static uint8_t *put_seconds(uint8_t *at, int64_t us)
{
	int64_t fraction = (us < 0 ? -us : us) % 1000000;

	if (us < 0 && us > -1000000)
		*at++ = '-';
	at = put_number(at, us / 1000000);
	if (fraction > 0)
		*at++ = '.';
	for (; fraction > 0; fraction = fraction % 100000 * 10)
		*at++ = (uint8_t)('0' + fraction / 100000);
	return at;
}

int tr_pg_decode_interval_text(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	interval v;
	uint8_t *text, *at;

	if (read_interval(arg, in, &v, err) != 0)
		return -1;
	if (v.infinite != 0) {
		*out = tr_value_text(v.infinite > 0 ? "infinity" : "-infinity");
		return 0;
	}
	at = text = tr_arena_alloc(scratch, TEXT_BYTES);
	if (!text)
		return tr_pg_no_room(arg, err);
	const struct { int64_t value; char prefix, suffix; } parts[] = {
		{v.years, 'P', 'Y'}, {v.months, 0, 'M'}, {v.days, 0, 'D'}, {v.hours, 'T', 'H'}, {v.minutes, 0, 'M'}};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].prefix)
			*at++ = (uint8_t)parts[i].prefix;
		at = put_number(at, parts[i].value);
		*at++ = (uint8_t)parts[i].suffix;
	}
	at = put_seconds(at, v.us);
	*at++ = 'S';
	*out = tr_value_bytes(text, (size_t)(at - text));
	return 0;
}
