/*
 * money is printed by the server's lc_monetary: "$1,234.56", "-1.234,56 €", "(1 234)". The point is the last separator
 * unless exactly three digits follow and the configured fraction is not three: then it groups thousands.
 */
#include "decoders/pgoutput/convert.h"

#define DIGITS_MAX 24 /* 64 bits have 19 */

typedef struct money {
	bool negative;
	size_t digits, fraction; /* fraction: how many of the digits stand after the point */
	uint8_t text[DIGITS_MAX];
} money;

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Where the point stands: at the last '.' or ',' between digits; SIZE_MAX when there is none. */
static size_t find_point(tr_datum in, int32_t scale)
{
	size_t point = SIZE_MAX, after = 0, separators = 0;
	uint8_t kind = 0;
	bool mixed = false;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (is_digit(c)) {
			after++;
		} else if ((c == '.' || c == ',') && i > 0 && is_digit(in.ptr[i - 1]) && i + 1 < in.len &&
		           is_digit(in.ptr[i + 1])) {
			mixed = mixed || (separators > 0 && c != kind);
			kind = c;
			point = i;
			after = 0;
			separators++;
		}
	}
	if (after == 3 && scale != 3 && !mixed)
		return SIZE_MAX;
	return separators > 1 && !mixed ? SIZE_MAX : point;
}

static bool parse_money(tr_datum in, int32_t scale, money *m)
{
	size_t point = find_point(in, scale);

	*m = (money){0};
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		m->negative = m->negative || c == '-' || c == '(';
		if (!is_digit(c))
			continue;
		if (m->digits == DIGITS_MAX)
			return false;
		m->text[m->digits++] = c;
		m->fraction += point != SIZE_MAX && i > point;
	}
	return m->digits > 0;
}

/* Half up on the digits themselves, as far as the scale asks. */
static void round_money(money *m, size_t scale)
{
	size_t dropped = m->fraction > scale ? m->fraction - scale : 0;
	size_t i = m->digits - dropped;
	bool up = dropped > 0 && m->text[i] >= '5';

	m->digits -= dropped;
	m->fraction -= dropped;
	while (up && i > 0) {
		i--;
		up = m->text[i] == '9';
		m->text[i] = up ? '0' : (uint8_t)(m->text[i] + 1);
	}
	if (up && m->digits < DIGITS_MAX) {
		memmove(m->text + 1, m->text, m->digits);
		m->text[0] = '1';
		m->digits++;
	}
}

static tr_slice money_text(const money *m, tr_arena *scratch)
{
	uint8_t *start = tr_arena_alloc(scratch, m->digits + 3), *at = start;
	size_t whole = m->digits - m->fraction;

	if (!start)
		return tr_slice_of(NULL, 0);
	if (m->negative)
		*at++ = '-';
	if (whole == 0)
		*at++ = '0';
	memcpy(at, m->text, whole);
	at += whole;
	if (m->fraction > 0) {
		*at++ = '.';
		memcpy(at, m->text + whole, m->fraction);
		at += m->fraction;
	}
	return tr_slice_of(start, (size_t)(at - start));
}

static int read_money(const tr_pg_arg *arg, tr_datum in, money *m, tr_err *err)
{
	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (!parse_money(in, arg->scale, m))
		return tr_pg_bad(arg, in, "no amount in it", err);
	return 0;
}

int tr_pg_decode_money(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	tr_pg_number n = {.kind = TR_PG_FINITE};
	tr_slice bytes;
	money m;

	if (read_money(a, in, &m, err) != 0)
		return -1;
	round_money(&m, (size_t)a->scale);
	n.negative = m.negative;
	n.whole = tr_slice_of(m.text, m.digits - m.fraction);
	n.fraction = tr_slice_of(m.text + n.whole.len, m.fraction);
	bytes = tr_pg_number_unscaled(&n, (size_t)a->scale, scratch);
	if (!bytes.ptr)
		return tr_pg_no_room(a, err);
	*out = tr_value_slice(bytes);
	return 0;
}

int tr_pg_decode_money_double(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_slice text;
	double value;
	money m;

	if (read_money(arg, in, &m, err) != 0)
		return -1;
	text = money_text(&m, scratch);
	if (!text.ptr)
		return tr_pg_no_room(arg, err);
	if (!tr_pg_float64_parse(text, &value))
		return tr_pg_bad(arg, in, "no amount in it", err);
	*out = tr_value_float(value);
	return 0;
}

int tr_pg_decode_money_text(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_slice text;
	money m;

	if (read_money(arg, in, &m, err) != 0)
		return -1;
	text = money_text(&m, scratch);
	if (!text.ptr)
		return tr_pg_no_room(arg, err);
	*out = tr_value_slice(text);
	return 0;
}
