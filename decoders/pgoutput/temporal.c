#include "decoders/pgoutput/convert.h"

#define TEXT_BYTES 48 /* the longest: "+294276-12-31T23:59:59.999999Z" */
/* What Debezium's reader makes of an infinite date: the days of 2000 added to the largest and smallest 32-bit number. */
#define PLUS_INFINITY_DAYS INT64_C(-2147472692)
#define MINUS_INFINITY_DAYS INT64_C(-2147472691)

static int infinite_text(int sign, tr_value *out)
{
	*out = tr_value_text(sign > 0 ? "infinity" : "-infinity");
	return 0;
}

/* Rounds down; the rest is never negative. */
static int64_t floor_div(int64_t a, int64_t b, int64_t *rest)
{
	*rest = a % b;
	if (*rest >= 0)
		return a / b;
	*rest += b;
	return a / b - 1;
}

/* Binary date: days since 2000-01-01, the extremes mean infinity. */
static int read_date(const tr_pg_arg *arg, tr_datum in, tr_pg_moment *m, tr_err *err)
{
	int32_t days;

	if (in.form != TR_D_BINARY) {
		if (!tr_pg_moment_parse(tr_slice_of(in.ptr, in.len), TR_PG_HAS_DATE, m))
			return tr_pg_bad(arg, in, "not a date", err);
		return 0;
	}
	if (in.len != 4)
		return tr_pg_bad(arg, in, "not the length of its binary form", err);
	days = (int32_t)tr_pg_be(in.ptr, 4);
	*m = (tr_pg_moment){.infinite = days == INT32_MAX ? 1 : days == INT32_MIN ? -1 : 0};
	m->date = tr_pg_civil_of((int64_t)days + TR_PG_EPOCH_2000_US / TR_PG_DAY_US);
	return 0;
}

int tr_pg_decode_date(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	tr_pg_moment m;
	uint8_t *text, *end;

	if (in.form == TR_D_BINARY && in.len == 4 && a->unit != TR_PG_ISO) {
		/* Days to days: no calendar in between. */
		int32_t days = (int32_t)tr_pg_be(in.ptr, 4);
		if (days != INT32_MAX && days != INT32_MIN) {
			*out = tr_value_int((int64_t)days + TR_PG_EPOCH_2000_US / TR_PG_DAY_US);
			return 0;
		}
	}
	if (read_date(a, in, &m, err) != 0)
		return -1;
	if (a->unit != TR_PG_ISO) {
		if (m.infinite == 0)
			*out = tr_value_int(tr_pg_days(m.date));
		else
			*out = tr_value_int(m.infinite > 0 ? PLUS_INFINITY_DAYS : MINUS_INFINITY_DAYS);
		return 0;
	}
	if (m.infinite != 0)
		return infinite_text(m.infinite, out);
	text = tr_arena_alloc(scratch, TEXT_BYTES);
	if (!text)
		return tr_pg_no_room(a, err);
	end = tr_pg_put_date(text, m.date);
	*end++ = 'Z';
	*out = tr_value_bytes(text, (size_t)(end - text));
	return 0;
}

static int time_text(const tr_pg_arg *arg, int64_t day_us, tr_arena *scratch, tr_value *out, tr_err *err)
{
	uint8_t *text = tr_arena_alloc(scratch, TEXT_BYTES), *end;

	if (!text)
		return tr_pg_no_room(arg, err);
	end = tr_pg_put_time(text, day_us, -1);
	*end++ = 'Z';
	*out = tr_value_bytes(text, (size_t)(end - text));
	return 0;
}

int tr_pg_decode_time(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	tr_pg_moment m = {0};

	if (in.form == TR_D_BINARY) {
		uint64_t us = in.len == 8 ? tr_pg_be(in.ptr, 8) : UINT64_MAX;

		if (us > (uint64_t)TR_PG_DAY_US)
			return tr_pg_bad(a, in, "not a time of day", err);
		m.day_us = (int64_t)us;
	} else if (!tr_pg_moment_parse(tr_slice_of(in.ptr, in.len), TR_PG_HAS_TIME, &m)) {
		return tr_pg_bad(a, in, "not a time of day", err);
	}
	switch (a->unit) {
	case TR_PG_MILLIS: *out = tr_value_int(m.day_us / 1000); return 0;
	case TR_PG_MICROS: *out = tr_value_int(m.day_us); return 0;
	case TR_PG_NANOS: *out = tr_value_int(m.day_us * 1000); return 0;
	case TR_PG_ISO: break;
	}
	return time_text(a, m.day_us, scratch, out, err);
}

/* Binary timestamp: microseconds since 2000-01-01, the extremes mean infinity. */
static int read_binary_moment(const tr_pg_arg *arg, tr_datum in, tr_pg_moment *m, tr_err *err)
{
	int64_t us, days;

	if (in.len != 8)
		return tr_pg_bad(arg, in, "not the length of its binary form", err);
	us = (int64_t)tr_pg_be(in.ptr, 8);
	*m = (tr_pg_moment){.infinite = us == INT64_MAX ? 1 : us == INT64_MIN ? -1 : 0};
	days = floor_div(us, TR_PG_DAY_US, &m->day_us);
	m->date = tr_pg_civil_of(days + TR_PG_EPOCH_2000_US / TR_PG_DAY_US);
	return 0;
}

static int read_moment(const tr_pg_arg *arg, tr_datum in, unsigned has, tr_pg_moment *m, tr_err *err)
{
	if (in.form == TR_D_BINARY)
		return read_binary_moment(arg, in, m, err);
	if (!tr_pg_moment_parse(tr_slice_of(in.ptr, in.len), has, m))
		return tr_pg_bad(arg, in, "not a timestamp", err);
	return 0;
}

static int64_t infinite_number(int sign, tr_pg_unit unit)
{
	int64_t us = sign > 0 ? TR_PG_PLUS_INFINITY_US : TR_PG_MINUS_INFINITY_US;

	if (unit == TR_PG_NANOS)
		return sign > 0 ? INT64_MAX : INT64_MIN;
	return unit == TR_PG_MILLIS ? us / 1000 : us;
}

/* Units since 1970; false when 64 bits do not hold it. */
static bool moment_number(const tr_pg_moment *m, tr_pg_unit unit, int64_t *out)
{
	int64_t per_day = TR_PG_DAY_US, of_day = m->day_us;

	if (unit == TR_PG_NANOS) {
		per_day *= 1000;
		of_day *= 1000;
	} else if (unit == TR_PG_MILLIS) {
		per_day /= 1000;
		of_day /= 1000;
	}
	return !__builtin_mul_overflow(tr_pg_days(m->date), per_day, out) && !__builtin_add_overflow(*out, of_day, out);
}

static int moment_text(const tr_pg_arg *arg, const tr_pg_moment *m, int digits, tr_arena *scratch, tr_value *out,
                       tr_err *err)
{
	uint8_t *text = tr_arena_alloc(scratch, TEXT_BYTES), *end;

	if (!text)
		return tr_pg_no_room(arg, err);
	end = tr_pg_put_date(text, m->date);
	*end++ = 'T';
	end = tr_pg_put_time(end, m->day_us, digits);
	*end++ = 'Z';
	*out = tr_value_bytes(text, (size_t)(end - text));
	return 0;
}

/* The binary form as a number: microseconds to units, no calendar in between. False: infinite, or not that simple. */
static bool plain_timestamp(tr_pg_unit unit, tr_datum in, int64_t *out)
{
	int64_t us, rest;

	if (in.form != TR_D_BINARY || in.len != 8 || unit == TR_PG_ISO)
		return false;
	us = (int64_t)tr_pg_be(in.ptr, 8);
	if (us == INT64_MIN || us > INT64_MAX - TR_PG_EPOCH_2000_US)
		return false;
	us += TR_PG_EPOCH_2000_US;
	if (unit == TR_PG_NANOS)
		return !__builtin_mul_overflow(us, 1000, out);
	*out = unit == TR_PG_MILLIS ? floor_div(us, 1000, &rest) : us;
	return true;
}

int tr_pg_decode_timestamp(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	tr_pg_moment m;
	int64_t number;

	if (plain_timestamp(a->unit, in, &number)) {
		*out = tr_value_int(number);
		return 0;
	}
	if (read_moment(a, in, TR_PG_HAS_DATE | TR_PG_HAS_TIME, &m, err) != 0)
		return -1;
	if (a->unit == TR_PG_ISO)
		return m.infinite != 0 ? infinite_text(m.infinite, out) : moment_text(a, &m, -1, scratch, out, err);
	if (m.infinite != 0)
		number = infinite_number(m.infinite, a->unit);
	else if (!moment_number(&m, a->unit, &number))
		return tr_pg_bad(a, in, "outside of what 64 bits hold in the configured unit (time.precision.mode)", err);
	*out = tr_value_int(number);
	return 0;
}

/* Moves the moment to UTC. */
static void to_utc(tr_pg_moment *m)
{
	int64_t us = m->day_us - (int64_t)m->offset_s * 1000000, days;

	if (m->offset_s == 0 && us < TR_PG_DAY_US)
		return;
	days = floor_div(us, TR_PG_DAY_US, &m->day_us);
	m->date = tr_pg_civil_of(tr_pg_days(m->date) + days);
	m->offset_s = 0;
}

int tr_pg_decode_timestamptz(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	tr_pg_moment m;

	if (read_moment(a, in, TR_PG_HAS_DATE | TR_PG_HAS_TIME | TR_PG_HAS_ZONE, &m, err) != 0)
		return -1;
	if (m.infinite != 0)
		return infinite_text(m.infinite, out);
	to_utc(&m);
	return moment_text(a, &m, a->digits, scratch, out, err);
}

/* Binary: microseconds of the day, then seconds west of Greenwich. 24:00 stays so when it is UTC, as in `time`. */
int tr_pg_decode_timetz(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_pg_moment m = {0};
	int64_t us;

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (!tr_pg_moment_parse(tr_slice_of(in.ptr, in.len), TR_PG_HAS_TIME | TR_PG_HAS_ZONE, &m))
		return tr_pg_bad(arg, in, "not a time of day with a zone", err);
	us = m.day_us - (int64_t)m.offset_s * 1000000;
	if (us < 0)
		us += TR_PG_DAY_US;
	else if (us > TR_PG_DAY_US || (us == TR_PG_DAY_US && m.offset_s != 0))
		us -= TR_PG_DAY_US;
	return time_text(arg, us, scratch, out, err);
}
