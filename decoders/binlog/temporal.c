/*
 * DATE, TIME, DATETIME and TIMESTAMP in both forms. Binary: since MySQL 5.6 big-endian bit fields with up to three bytes of
 * fraction after them, before that decimal numbers; a negative TIME is one signed number of field and fraction together.
 * MariaDB's own form with a fraction (before 10.1, or mysql56_temporal_format=OFF) is one big-endian number in units of the
 * last digit: of the time of day moved above zero, or of mixed-radix fields.
 */
#include "decoders/binlog/convert.h"

#define DAY_S 86400
#define TEXT_BYTES 48
#define HOURS_MAX 838

/* Days since 1970-01-01 in the proleptic Gregorian calendar, by eras of 400 years that begin in March. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void set_days(int64_t days, tr_bl_moment *m)
{
	int64_t shifted = days + 719468, era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t day = shifted - era * 146097, year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t of_year = day - (365 * year + year / 4 - year / 100), month = (5 * of_year + 2) / 153;

	m->year = (int32_t)(year + era * 400 + (month >= 10));
	m->month = (uint32_t)(month < 10 ? month + 3 : month - 9);
	m->day = (uint32_t)(of_year - (153 * month + 2) / 5 + 1);
}

static bool clock_ok(const tr_bl_moment *m)
{
	return m->minute < 60 && m->second < 60 && m->us < 1000000;
}

/* Also true for dates that the server allows though the calendar has them not (ALLOW_INVALID_DATES). */
static bool moment_ok(const tr_bl_moment *m)
{
	return m->year <= 9999 && m->month <= 12 && m->day <= 31 && m->hour < 24 && clock_ok(m);
}

static bool in_calendar(const tr_bl_moment *m)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = m->year % 4 == 0 && (m->year % 100 != 0 || m->year % 400 == 0);

	return m->day <= days[m->month - 1] + (m->month == 2 && leap ? 1u : 0u);
}

/* Up to three bytes: hundredths, ten-thousandths or millionths. */
static uint32_t fraction_us(const uint8_t *at, size_t bytes)
{
	static const uint32_t unit_us[] = {0, 10000, 100, 1};

	return (uint32_t)tr_bl_be(at, bytes) * unit_us[bytes];
}

static void set_date(uint64_t bits, tr_bl_moment *m)
{
	m->day = bits & 31;
	m->month = bits >> 5 & 15;
	m->year = (int32_t)(bits >> 9);
}

/* 17 bits of year * 13 + month, 5 of the day, then the clock. */
static void set_packed(uint64_t bits, tr_bl_moment *m)
{
	uint64_t months = bits >> 22;

	m->year = (int32_t)(months / 13);
	m->month = (uint32_t)(months % 13);
	m->day = bits >> 17 & 31;
	m->hour = bits >> 12 & 31;
	m->minute = bits >> 6 & 63;
	m->second = bits & 63;
}

static bool set_clock(uint64_t hms, uint32_t us, tr_bl_moment *m)
{
	m->hour = (uint32_t)(hms >> 12);
	m->minute = hms >> 6 & 63;
	m->second = hms & 63;
	m->us = us;
	return m->hour <= HOURS_MAX && clock_ok(m);
}

bool tr_bl_moment_packed(int64_t packed, bool time, tr_bl_moment *out)
{
	uint64_t magnitude = packed < 0 ? 0 - (uint64_t)packed : (uint64_t)packed;

	*out = (tr_bl_moment){.negative = packed < 0};
	if (time)
		return set_clock(magnitude >> 24, magnitude & 0xffffff, out);
	set_packed(magnitude >> 24, out);
	out->us = magnitude & 0xffffff;
	return packed >= 0 && moment_ok(out);
}

/* yyyymmddhhmmss as a decimal number. */
static bool set_decimal(uint64_t value, tr_bl_moment *m)
{
	uint64_t date = value / 1000000, clock = value % 1000000;

	if (date > 99991231)
		return false;
	m->year = (int32_t)(date / 10000);
	m->month = (uint32_t)(date / 100 % 100);
	m->day = (uint32_t)(date % 100);
	m->hour = (uint32_t)(clock / 10000);
	m->minute = (uint32_t)(clock / 100 % 100);
	m->second = (uint32_t)(clock % 100);
	return moment_ok(m);
}

typedef struct scan {
	const uint8_t *at, *end;
} scan;

/* Between `min` and `max` digits. */
static bool take_number(scan *s, int min, int max, uint32_t *out)
{
	int digits = 0;

	for (*out = 0; digits < max && s->at < s->end && (unsigned)(*s->at - '0') <= 9; digits++)
		*out = *out * 10 + (*s->at++ - (uint32_t)'0');
	return digits >= min;
}

static bool take(scan *s, char c)
{
	if (s->at == s->end || *s->at != (uint8_t)c)
		return false;
	s->at++;
	return true;
}

static bool take_clock(scan *s, int hour_digits, tr_bl_moment *m)
{
	const uint8_t *start;

	if (!take_number(s, 2, hour_digits, &m->hour) || !take(s, ':') || !take_number(s, 2, 2, &m->minute) || !take(s, ':') ||
	    !take_number(s, 2, 2, &m->second))
		return false;
	if (!take(s, '.'))
		return s->at == s->end;
	start = s->at;
	if (!take_number(s, 1, 6, &m->us))
		return false;
	for (ptrdiff_t digits = s->at - start; digits < 6; digits++)
		m->us *= 10;
	return s->at == s->end;
}

bool tr_bl_moment_parse(tr_slice text, bool time, tr_bl_moment *out)
{
	scan s = {.at = text.ptr, .end = text.ptr + text.len};
	uint32_t year;

	*out = (tr_bl_moment){0};
	if (!take_number(&s, 4, 4, &year) || !take(&s, '-') || !take_number(&s, 2, 2, &out->month) || !take(&s, '-') ||
	    !take_number(&s, 2, 2, &out->day))
		return false;
	out->year = (int32_t)year;
	if (s.at != s.end && (!time || !take(&s, ' ') || !take_clock(&s, 2, out)))
		return false;
	return moment_ok(out);
}

static bool parse_time(tr_slice text, tr_bl_moment *out)
{
	scan s = {.at = text.ptr, .end = text.ptr + text.len};

	*out = (tr_bl_moment){0};
	out->negative = take(&s, '-');
	return take_clock(&s, 3, out) && out->hour <= HOURS_MAX && clock_ok(out);
}

uint8_t *tr_bl_put_date(uint8_t *at, const tr_bl_moment *m)
{
	at = tr_bl_put_digits(at, (uint64_t)m->year, 4);
	*at++ = '-';
	at = tr_bl_put_digits(at, m->month, 2);
	*at++ = '-';
	return tr_bl_put_digits(at, m->day, 2);
}

uint8_t *tr_bl_put_time(uint8_t *at, const tr_bl_moment *m, int digits)
{
	uint32_t fraction = m->us;

	if (m->negative)
		*at++ = '-';
	at = tr_bl_put_digits(at, m->hour, m->hour > 99 ? 3 : 2);
	*at++ = ':';
	at = tr_bl_put_digits(at, m->minute, 2);
	*at++ = ':';
	at = tr_bl_put_digits(at, m->second, 2);
	if (digits == 0 || (digits < 0 && fraction == 0))
		return at;
	*at++ = '.';
	for (int i = 0; digits < 0 ? fraction > 0 : i < digits; i++) {
		*at++ = (uint8_t)('0' + fraction / 100000);
		fraction = fraction % 100000 * 10;
	}
	return at;
}

static int64_t clock_us(const tr_bl_moment *m)
{
	int64_t us = ((int64_t)m->hour * 3600 + m->minute * 60 + m->second) * 1000000 + m->us;

	return m->negative ? -us : us;
}

static int put_text(const tr_bl_arg *arg, const tr_bl_moment *m, bool date, int digits, tr_arena *scratch, tr_value *out,
                    tr_err *err)
{
	uint8_t *text = tr_arena_alloc(scratch, TEXT_BYTES), *end = text;

	if (!text)
		return tr_bl_no_room(arg, err);
	if (date) {
		end = tr_bl_put_date(end, m);
		*end++ = 'T';
	}
	end = tr_bl_put_time(end, m, digits);
	*end++ = 'Z';
	*out = tr_value_bytes(text, (size_t)(end - text));
	return 0;
}

/* Zero dates and what the calendar does not have. 1: out is set, 0: go on. */
static int special_date(const tr_bl_arg *arg, tr_datum in, const tr_bl_moment *m, tr_value *out, tr_err *err)
{
	if (tr_bl_is_zero(m)) {
		*out = arg->zero;
		return 1;
	}
	return in_calendar(m) ? 0 : tr_bl_bad(arg, in, "a day that its month does not have (ALLOW_INVALID_DATES)", err);
}

int tr_bl_decode_date(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	tr_bl_moment m = {0};
	uint8_t *text, *end;
	int special;

	if (in.form == TR_D_BINARY && in.len == 3) {
		set_date(tr_bl_le(in.ptr, 3), &m);
		if (!moment_ok(&m))
			return tr_bl_bad(a, in, "not a date", err);
	} else if (in.form == TR_D_BINARY || !tr_bl_moment_parse(tr_slice_of(in.ptr, in.len), false, &m)) {
		return tr_bl_bad(a, in, "not a date", err);
	}
	special = special_date(a, in, &m, out, err);
	if (special != 0)
		return special < 0 ? -1 : 0;
	if (a->unit != TR_BL_ISO) {
		*out = tr_value_int(days_of(m.year, m.month, m.day));
		return 0;
	}
	text = tr_arena_alloc(scratch, TEXT_BYTES);
	if (!text)
		return tr_bl_no_room(a, err);
	end = tr_bl_put_date(text, &m);
	*end++ = 'Z';
	*out = tr_value_bytes(text, (size_t)(end - text));
	return 0;
}

static const uint32_t last_digit_us[] = {1000000, 100000, 10000, 1000, 100, 10, 1};

/* -838:59:59 and a second more is 0. */
static bool old_time_with_fraction(const tr_bl_arg *a, tr_datum in, tr_bl_moment *m)
{
	static const uint8_t bytes[] = {3, 4, 4, 5, 5, 5, 6};
	const int64_t zero_us = (HOURS_MAX + 1) * INT64_C(3600) * 1000000;
	int64_t us;
	uint64_t seconds;

	if (in.len != bytes[a->fsp])
		return false;
	us = (int64_t)tr_bl_be(in.ptr, in.len) * last_digit_us[a->fsp] - zero_us;
	m->negative = us < 0;
	us = us < 0 ? -us : us;
	seconds = (uint64_t)us / 1000000;
	m->hour = (uint32_t)(seconds / 3600);
	m->minute = (uint32_t)(seconds / 60 % 60);
	m->second = (uint32_t)(seconds % 60);
	m->us = (uint32_t)(us % 1000000);
	return m->hour <= HOURS_MAX;
}

static bool old_datetime_with_fraction(const tr_bl_arg *a, tr_datum in, tr_bl_moment *m)
{
	static const uint8_t bytes[] = {5, 6, 6, 7, 7, 7, 8};
	uint64_t units, per_second = 1000000 / last_digit_us[a->fsp], rest;

	if (in.len != bytes[a->fsp])
		return false;
	units = tr_bl_be(in.ptr, in.len);
	m->us = (uint32_t)(units % per_second * last_digit_us[a->fsp]);
	rest = units / per_second;
	m->second = (uint32_t)(rest % 60);
	m->minute = (uint32_t)(rest / 60 % 60);
	m->hour = (uint32_t)(rest / 3600 % 24);
	rest /= DAY_S;
	m->day = (uint32_t)(rest % 32);
	m->month = (uint32_t)(rest / 32 % 13);
	m->year = rest / 32 / 13 > 9999 ? 10000 : (int32_t)(rest / 32 / 13);
	return moment_ok(m);
}

/* Three bytes of hours, minutes and seconds, biased; then the fraction, which belongs to the same signed number: of a
 * negative time with a fraction the field is one too low, and the fraction is counted back from the next. */
static bool read_time(const tr_bl_arg *a, tr_datum in, tr_bl_moment *m)
{
	size_t rest = (size_t)(a->fsp + 1) / 2;
	int64_t value;
	uint64_t magnitude;

	if (a->old_form && a->fsp > 0)
		return old_time_with_fraction(a, in, m);
	if (a->old_form) {
		uint32_t old = in.len == 3 ? (uint32_t)tr_bl_le(in.ptr, 3) : UINT32_MAX;
		int32_t hms = (int32_t)(old & 0x800000 ? old | 0xff000000u : old);
		uint32_t positive = (uint32_t)(hms < 0 ? -hms : hms);

		*m = (tr_bl_moment){.negative = hms < 0, .hour = positive / 10000, .minute = positive / 100 % 100, .second = positive % 100};
		return in.len == 3 && m->hour <= HOURS_MAX && clock_ok(m);
	}
	if (in.len != 3 + rest || rest > 3)
		return false;
	value = (int64_t)tr_bl_be(in.ptr, in.len) - (INT64_C(0x800000) << 8 * rest);
	magnitude = (uint64_t)(value < 0 ? -value : value);
	m->negative = value < 0;
	const uint8_t fraction[3] = {(uint8_t)(rest > 2 ? magnitude >> 16 : rest > 1 ? magnitude >> 8 : magnitude),
	                             (uint8_t)(rest > 2 ? magnitude >> 8 : magnitude), (uint8_t)magnitude};
	return set_clock(magnitude >> 8 * rest, fraction_us(fraction, rest), m);
}

int tr_bl_decode_time(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	tr_bl_moment m = {0};
	int64_t us;

	if (in.form == TR_D_BINARY ? !read_time(a, in, &m) : !parse_time(tr_slice_of(in.ptr, in.len), &m))
		return tr_bl_bad(a, in, "not a time", err);
	us = clock_us(&m);
	/* The end of the day is one of its times, as in Java. */
	if (a->one_day && (us < 0 || us > DAY_S * INT64_C(1000000)))
		return tr_bl_unfit(a, in, "no time of one day (time.precision.mode=connect holds no other)", out, err);
	switch (a->unit) {
	case TR_BL_MILLIS: *out = tr_value_int(us / 1000); return 0;
	case TR_BL_MICROS: *out = tr_value_int(us); return 0;
	case TR_BL_NANOS: *out = tr_value_int(us * 1000); return 0;
	case TR_BL_ISO: break;
	}
	return put_text(a, &m, false, -1, scratch, out, err);
}

static bool read_datetime(const tr_bl_arg *a, tr_datum in, tr_bl_moment *m)
{
	size_t rest = (size_t)(a->fsp + 1) / 2;
	uint64_t bits;

	if (a->old_form && a->fsp > 0)
		return old_datetime_with_fraction(a, in, m);
	if (a->old_form)
		return in.len == 8 && set_decimal(tr_bl_le(in.ptr, 8), m);
	if (in.len != 5 + rest || rest > 3)
		return false;
	bits = tr_bl_be(in.ptr, 5);
	if (!(bits >> 39))
		return false;
	set_packed(bits & UINT64_C(0x7fffffffff), m);
	m->us = fraction_us(in.ptr + 5, rest);
	return moment_ok(m);
}

/* Units since 1970; false when 64 bits do not hold it. What is below the unit is cut towards the past, as Java does. */
static bool moment_number(const tr_bl_moment *m, tr_bl_unit unit, int64_t *out)
{
	int64_t us = days_of(m->year, m->month, m->day) * DAY_S * 1000000 + clock_us(m);

	switch (unit) {
	case TR_BL_MILLIS: *out = us >= 0 ? us / 1000 : -((-us + 999) / 1000); return true;
	case TR_BL_NANOS: return !__builtin_mul_overflow(us, 1000, out);
	default: *out = us; return true;
	}
}

int tr_bl_decode_datetime(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	tr_bl_moment m = {0};
	int64_t number;
	int special;

	if (in.form == TR_D_BINARY ? !read_datetime(a, in, &m)
	                           : !tr_bl_moment_parse(tr_slice_of(in.ptr, in.len), true, &m))
		return tr_bl_bad(a, in, "not a date and time", err);
	special = special_date(a, in, &m, out, err);
	if (special != 0)
		return special < 0 ? -1 : 0;
	if (a->unit == TR_BL_ISO)
		return put_text(a, &m, true, -1, scratch, out, err);
	if (!moment_number(&m, a->unit, &number))
		return tr_bl_bad(a, in, "outside of what 64 bits hold in nanoseconds (time.precision.mode)", err);
	*out = tr_value_int(number);
	return 0;
}

/* Seconds since 1970 in UTC; MariaDB uses all 32 bits. 0 is the zero date. */
static bool read_timestamp(const tr_bl_arg *a, tr_datum in, tr_bl_moment *m)
{
	size_t rest = (size_t)(a->fsp + 1) / 2;
	bool little = a->old_form && a->fsp == 0;
	uint64_t seconds;

	if (in.len != 4 + rest || rest > 3)
		return false;
	seconds = little ? tr_bl_le(in.ptr, 4) : tr_bl_be(in.ptr, 4);
	set_days((int64_t)(seconds / DAY_S), m);
	m->hour = (uint32_t)(seconds % DAY_S / 3600);
	m->minute = (uint32_t)(seconds / 60 % 60);
	m->second = (uint32_t)(seconds % 60);
	/* MariaDB's old fraction counts its last digit, whatever the bytes could hold. */
	m->us = a->old_form && rest > 0 ? (uint32_t)tr_bl_be(in.ptr + 4, rest) * last_digit_us[a->fsp] : fraction_us(in.ptr + 4, rest);
	return clock_ok(m);
}

/* A zero TIMESTAMP is 1970-01-01 00:00:00, which no other one can be: the type begins a second later. */
int tr_bl_decode_timestamp(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	tr_bl_moment m = {0};

	if (in.form == TR_D_BINARY ? !read_timestamp(a, in, &m)
	                           : !tr_bl_moment_parse(tr_slice_of(in.ptr, in.len), true, &m))
		return tr_bl_bad(a, in, "not a timestamp", err);
	if (tr_bl_is_zero(&m))
		m = (tr_bl_moment){.year = 1970, .month = 1, .day = 1};
	if (!in_calendar(&m))
		return tr_bl_bad(a, in, "not a timestamp", err);
	return put_text(a, &m, true, a->digits, scratch, out, err);
}
