/* Composite values in text form: (1,"x ""y""",,) where nothing between commas is NULL. */
#include "decoders/pgoutput/convert.h"

typedef struct scan {
	const uint8_t *at, *end;
	const tr_pg_arg *arg;
	tr_datum in;
	tr_arena *scratch;
} scan;

/* Takes one attribute up to its comma or the closing parenthesis; quotes may begin and end anywhere in it. */
static int take_attribute(scan *s, tr_datum *out, tr_err *err)
{
	const uint8_t *start = s->at;
	bool quoted = false, any_quote = false;
	uint8_t *copy = tr_arena_alloc(s->scratch, (size_t)(s->end - start)), *to = copy;

	if (!copy)
		return tr_pg_no_room(s->arg, err);
	for (; s->at < s->end && (quoted || (*s->at != ',' && *s->at != ')')); s->at++) {
		if (*s->at == '"' && quoted && s->end - s->at > 1 && s->at[1] == '"') {
			*to++ = *++s->at;
		} else if (*s->at == '"') {
			quoted = !quoted;
			any_quote = true;
		} else {
			if (*s->at == '\\' && s->end - s->at > 1)
				s->at++;
			*to++ = *s->at;
		}
	}
	if (s->at == s->end)
		return tr_pg_bad(s->arg, s->in, "a composite value without an end", err);
	*out = (tr_datum){.ptr = copy, .len = (uint32_t)(to - copy), .form = TR_D_TEXT};
	if (out->len == 0 && !any_quote)
		*out = (tr_datum){.form = TR_D_NULL};
	return 0;
}

static int read_attributes(scan *s, tr_value *fields, tr_err *err)
{
	const tr_pg_arg *a = s->arg;

	for (size_t i = 0; i < a->field_count; i++) {
		uint8_t end = i + 1 < a->field_count ? ',' : ')';
		tr_datum datum;

		if (take_attribute(s, &datum, err) != 0)
			return -1;
		if (*s->at++ != end)
			return tr_pg_bad(a, s->in, "another number of attributes than its type has", err);
		if (datum.form == TR_D_NULL)
			fields[i] = tr_value_null();
		else if (a->fields[i](a->field_args[i], datum, s->scratch, &fields[i], err) != 0)
			return -1;
	}
	return s->at == s->end ? 0 : tr_pg_bad(a, s->in, "bytes after the composite value", err);
}

int tr_pg_decode_composite(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	scan s = {.at = in.ptr + 1, .end = in.ptr + in.len, .arg = a, .in = in, .scratch = scratch};
	tr_value *fields;

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(a, err);
	if (in.len < 2 || *in.ptr != '(')
		return tr_pg_bad(a, in, "not a composite value", err);
	fields = TR_ARENA_ARRAY(scratch, tr_value, a->field_count);
	if (!fields)
		return tr_pg_no_room(a, err);
	if (read_attributes(&s, fields, err) != 0)
		return -1;
	*out = tr_value_list(fields, a->field_count);
	return 0;
}
