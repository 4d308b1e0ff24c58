/*
 * Arrays in text form: {1,NULL,"a b",{...}} with an optional "[2:3][0:1]=" before it. The published schema has one
 * dimension whatever the value has. Text elements can say what is inside: an inner array is published as its own text, and
 * nothing is lost. Of other elements the values come in storage order, without the nesting.
 */
#include "decoders/pgoutput/convert.h"

#define DEPTH_MAX 6 /* MAXDIM of the server */

typedef enum expectation { ELEMENT_OR_END, ELEMENT, DELIMITER } expectation;

typedef struct scan {
	const uint8_t *at, *end;
	const tr_pg_arg *arg;
	tr_datum in;
	tr_arena *scratch;
	tr_value *items;
	size_t count, cap;
	bool lost_null; /* a null element that the schema has no place for */
} scan;

/* One more than the delimiters is at least the number of elements. */
static size_t count_upper(tr_datum in, uint8_t delimiter)
{
	size_t count = 1;

	for (size_t i = 0; i < in.len; i++)
		count += in.ptr[i] == delimiter;
	return count;
}

static int add_item(scan *s, tr_datum item, tr_err *err)
{
	tr_value *out = &s->items[s->count];

	if (s->count == s->cap)
		return tr_pg_bad(s->arg, s->in, "elements that do not add up", err);
	s->count++;
	if (item.form == TR_D_NULL) {
		*out = tr_value_null();
		s->lost_null = s->lost_null || !s->arg->item_optional;
		return 0;
	}
	return s->arg->item(s->arg->item_arg, item, s->scratch, out, err);
}

/* After the opening quote. Without a backslash the element is a slice of the text itself. */
static int quoted_item(scan *s, tr_err *err)
{
	const uint8_t *start = s->at;
	uint8_t *copy = NULL, *to = NULL;
	tr_datum item = {.ptr = start, .form = TR_D_TEXT};

	for (; s->at < s->end && *s->at != '"'; s->at++) {
		if (*s->at == '\\') {
			if (!copy) {
				copy = to = tr_arena_alloc(s->scratch, (size_t)(s->end - start));
				if (!copy)
					return tr_pg_no_room(s->arg, err);
				memcpy(copy, start, (size_t)(s->at - start));
				to += s->at - start;
			}
			if (++s->at == s->end)
				break;
		}
		if (copy)
			*to++ = *s->at;
	}
	if (s->at == s->end)
		return tr_pg_bad(s->arg, s->in, "a quoted element without an end", err);
	item.len = (uint32_t)(copy ? to - copy : s->at - start);
	if (copy)
		item.ptr = copy;
	s->at++;
	return add_item(s, item, err);
}

static int bare_item(scan *s, tr_err *err)
{
	const uint8_t *start = s->at;
	tr_datum item = {.ptr = start, .form = TR_D_TEXT};

	while (s->at < s->end && *s->at != (uint8_t)s->arg->delimiter && *s->at != '}' && *s->at != '{' &&
	       *s->at != '"' && *s->at != '\\')
		s->at++;
	item.len = (uint32_t)(s->at - start);
	if (item.len == 0)
		return tr_pg_bad(s->arg, s->in, "an element without text or quotes", err);
	if (item.len == 4 && memcmp(start, "NULL", 4) == 0)
		item = (tr_datum){.form = TR_D_NULL};
	return add_item(s, item, err);
}

/* "[l:u][l:u]=": the bounds are not published. */
static bool skip_bounds(scan *s)
{
	if (s->at == s->end || *s->at != '[')
		return true;
	while (s->at < s->end && *s->at != '=')
		s->at++;
	if (s->at == s->end)
		return false;
	s->at++;
	return true;
}

/* An inner array from its brace to the matching one, as it stands. */
static int nested_text(scan *s, tr_err *err)
{
	const uint8_t *start = s->at;
	int depth = 0;
	bool quoted = false;

	for (; s->at < s->end; s->at++) {
		if (*s->at == '\\' && s->at + 1 < s->end)
			s->at++;
		else if (*s->at == '"')
			quoted = !quoted;
		else if (!quoted && *s->at == '{' && ++depth >= DEPTH_MAX)
			return tr_pg_bad(s->arg, s->in, "more dimensions than an array can have", err);
		else if (!quoted && *s->at == '}' && --depth == 0)
			break;
	}
	if (s->at == s->end)
		return tr_pg_bad(s->arg, s->in, "an inner array without an end", err);
	s->at++;
	return add_item(s, (tr_datum){.ptr = start, .len = (uint32_t)(s->at - start), .form = TR_D_TEXT}, err);
}

static int read_element(scan *s, int *depth, expectation *state, tr_err *err)
{
	if (*s->at == '{' && *depth == 1 && s->arg->nested_text) {
		*state = DELIMITER;
		return nested_text(s, err);
	}
	if (*s->at == '{') {
		if (++*depth > DEPTH_MAX)
			return tr_pg_bad(s->arg, s->in, "more dimensions than an array can have", err);
		s->at++;
		*state = ELEMENT_OR_END;
		return 0;
	}
	*state = DELIMITER;
	if (*s->at != '"')
		return bare_item(s, err);
	s->at++;
	return quoted_item(s, err);
}

static int read_items(scan *s, tr_err *err)
{
	expectation state = ELEMENT;
	int depth = 0;

	if (!skip_bounds(s) || s->at == s->end || *s->at != '{')
		return tr_pg_bad(s->arg, s->in, "not an array", err);
	do {
		if (state != ELEMENT && *s->at == '}') {
			depth--;
			s->at++;
			state = DELIMITER;
		} else if (state == DELIMITER) {
			if (*s->at != (uint8_t)s->arg->delimiter)
				return tr_pg_bad(s->arg, s->in, "no delimiter between elements", err);
			s->at++;
			state = ELEMENT;
		} else if (read_element(s, &depth, &state, err) != 0) {
			return -1;
		}
	} while (depth > 0 && s->at < s->end);
	if (depth != 0 || s->at != s->end)
		return tr_pg_bad(s->arg, s->in, "an array without an end, or bytes after it", err);
	return 0;
}

int tr_pg_decode_array(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	scan s = {.at = in.ptr, .end = in.ptr + in.len, .arg = a, .in = in, .scratch = scratch};

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(a, err);
	s.cap = count_upper(in, (uint8_t)a->delimiter);
	s.items = TR_ARENA_ARRAY(scratch, tr_value, s.cap);
	if (!s.items)
		return tr_pg_no_room(a, err);
	if (read_items(&s, err) != 0)
		return -1;
	if (s.lost_null)
		return tr_pg_unfit(a, in, "a null element, which the array's schema has no place for", out, err);
	*out = tr_value_list(s.items, s.count);
	return 0;
}

int tr_pg_decode_vector_list(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	scan s = {.at = in.ptr, .end = in.ptr + in.len, .arg = a, .in = in, .scratch = scratch};

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(a, err);
	s.cap = count_upper(in, ' ');
	s.items = TR_ARENA_ARRAY(scratch, tr_value, s.cap);
	if (!s.items)
		return tr_pg_no_room(a, err);
	while (s.at < s.end) {
		const uint8_t *space = memchr(s.at, ' ', (size_t)(s.end - s.at)), *stop = space ? space : s.end;
		tr_datum item = {.ptr = s.at, .len = (uint32_t)(stop - s.at), .form = TR_D_TEXT};

		if (add_item(&s, item, err) != 0)
			return -1;
		s.at = space ? space + 1 : s.end;
	}
	*out = tr_value_list(s.items, s.count);
	return 0;
}

int tr_pg_decode_no_form(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	(void)scratch;
	return tr_pg_unfit(arg, in, "the schema that is compatible has no place for an array of bit strings", out, err);
}
