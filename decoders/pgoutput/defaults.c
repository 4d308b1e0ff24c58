/*
 * The schema's default of a column, from the text of its default expression, by Debezium 3.5's rules, so that the
 * schemas are equal:
 * - only these types and enums have one, never a domain or an identity column, and none is an infinite timestamptz;
 * - a function call stands for the type's zero value, as nextval() does: a serial column shows 0;
 * - the first text between two single quotes of one line is the literal, else the whole expression is;
 * - what cannot be read as a value of the type then, is no default.
 * A quote inside of a literal ends it early ('it''s' shows as "it"): rows are not touched by this.
 */
#include "decoders/pgoutput/resolve.h"

static const struct rule {
	const char *type, *generated; /* generated: the text that stands for a function's result */
	bool trim;
} rules[] = {
	{"bit", "0", true},
	{"varbit", "0", true},
	{"bool", "false", true},
	{"bpchar", "", false},
	{"varchar", "", false},
	{"text", "", false},
	{"numeric", "0.0", true},
	{"float4", "0.0", true},
	{"float8", "0.0", true},
	{"int2", "0", true},
	{"int4", "0", true},
	{"int8", "0", true},
	{"json", "{}", false},
	{"jsonb", "{}", false},
	{"xml", "", false},
	{"uuid", "00000000-0000-0000-0000-000000000000", true},
	{"date", "1970-01-01", true},
	{"time", "00:00:00", true},
	{"timestamp", "1970-01-01 00:00:00", true},
	{"timestamptz", "1970-01-01 00:00:00+00", true},
	{"interval", "00:00:00", true},
};

static const struct rule *find_rule(const char *type)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (strcmp(rules[i].type, type) == 0)
			return &rules[i];
	return NULL;
}

/* Bytes of the line terminator here (those that a dot of Java's patterns does not match), or 0. */
static size_t line_end(const char *at)
{
	if (*at == '\n' || *at == '\r')
		return 1;
	if (strncmp(at, "\xc2\x85", 2) == 0)
		return 2;
	return strncmp(at, "\xe2\x80\xa8", 3) == 0 || strncmp(at, "\xe2\x80\xa9", 3) == 0 ? 3 : 0;
}

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

/* "name(...)", "(name(...)" on one line. */
static bool is_call(const char *expr)
{
	const char *at = expr + (*expr == '('), *name = at;

	while (is_name_char(*at))
		at++;
	if (at == name || *at++ != '(')
		return false;
	for (; *at && line_end(at) == 0; at++)
		if (*at == ')')
			return true;
	return false;
}

static bool is_clock(const char *expr)
{
	static const char *const names[] = {"current_timestamp", "current_time", "current_date", "localtime", "localtimestamp"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcasecmp(names[i], expr) == 0)
			return true;
	return false;
}

/* The text between the first two quotes that stand on one line; false when there is none. */
static bool between_quotes(const char *expr, tr_slice *out)
{
	for (const char *start = strchr(expr, '\''); start; start = strchr(start + 1, '\'')) {
		const char *end = start + 1;

		while (*end && *end != '\'' && line_end(end) == 0)
			end++;
		if (*end == '\'') {
			*out = tr_slice_of(start + 1, (size_t)(end - start - 1));
			return true;
		}
	}
	return false;
}

static bool literal_of(const char *expr, const struct rule *rule, tr_slice *out)
{
	if (is_call(expr) || is_clock(expr)) {
		*out = tr_slice_str(rule->generated);
		return true;
	}
	if (strchr(expr, '\''))
		return between_quotes(expr, out);
	*out = tr_slice_str(expr);
	return strncmp(expr, "NULL::", 6) != 0;
}

static bool ends_with(tr_slice text, const char *a, const char *b, const char *c, size_t *before)
{
	const char *parts[] = {c, b, a};

	*before = text.len;
	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(parts[i]);

		if (*before < len || memcmp(text.ptr + *before - len, parts[i], len) != 0)
			return false;
		*before -= len;
	}
	return true;
}

/* 'label'::name; a session with an empty search path prints the schema public, too. */
static bool enum_literal(const char *expr, const char *type, tr_slice *out)
{
	tr_slice text = tr_slice_str(expr);
	size_t before;

	if (!ends_with(text, "::", "", type, &before) && !ends_with(text, "::", "public.", type, &before))
		return false;
	if (before < 2 || text.ptr[0] != '\'' || text.ptr[before - 1] != '\'')
		return false;
	*out = tr_slice_of(text.ptr + 1, before - 2);
	return true;
}

static const char *trimmed(const tr_pg_resolver *r, const char *expr)
{
	size_t len;

	while (*expr > 0 && *expr <= ' ')
		expr++;
	len = strlen(expr);
	while (len > 0 && expr[len - 1] > 0 && expr[len - 1] <= ' ')
		len--;
	return tr_arena_strndup(r->arena, expr, len);
}

/* From what the literal says to what the server would print for a value: booleans are words, a date may stand for a
 * timestamp. */
static tr_slice as_printed(const tr_pg_resolver *r, const char *type, tr_slice literal)
{
	tr_pg_moment day;
	const char *midnight = strcmp(type, "timestamptz") == 0 ? " 00:00:00+00" : " 00:00:00";

	if (strcmp(type, "bool") == 0)
		return tr_slice_str(literal.len == 4 && strncasecmp((const char *)literal.ptr, "true", 4) == 0 ? "t" : "f");
	if (strncmp(type, "timestamp", 9) == 0 && tr_pg_moment_parse(literal, TR_PG_HAS_DATE, &day) && day.infinite == 0)
		return tr_slice_str(tr_arena_format(r->arena, "%.*s%s", (int)literal.len, (const char *)literal.ptr, midnight));
	return literal;
}

static bool is_infinite_instant(const char *type, tr_slice text)
{
	tr_pg_moment at;

	return strcmp(type, "timestamptz") == 0 &&
	       tr_pg_moment_parse(text, TR_PG_HAS_DATE | TR_PG_HAS_TIME | TR_PG_HAS_ZONE, &at) && at.infinite != 0;
}

/* Decodes the text as a value of the column; what does not decode is no default, and no error either. */
static int set_default(const tr_pg_resolver *r, tr_slice text, tr_pg_plan *plan)
{
	tr_datum datum = {.ptr = text.ptr, .len = (uint32_t)text.len, .form = TR_D_TEXT};
	tr_value value;
	tr_err ignored;

	tr_err_clear(&ignored);
	if (!text.ptr || plan->decode(plan->arg, datum, r->arena, &value, &ignored) != 0)
		return ignored.code == TR_E_BATCH_LIMIT ? tr_pg_oom(r) : 0;
	/* Structures cannot be defaults in Connect's schemas. */
	if (value.kind == TR_V_NULL || value.kind == TR_V_LIST)
		return 0;
	return tr_type_default(r->arena, plan->type, &value) == 0 ? 0 : tr_pg_oom(r);
}

int tr_pg_plan_default(const tr_pg_resolver *r, const tr_pg_column *in, const tr_pg_shape *s, tr_pg_plan *plan)
{
	const struct rule *rule = find_rule(s->name);
	const char *expr = in->default_expr;
	tr_slice text;

	if (s->domain)
		return 0;
	if (s->type && s->type->typtype == 'e')
		return expr && enum_literal(expr, s->name, &text) ? set_default(r, text, plan) : 0;
	if (!rule)
		return 0;
	if (expr && rule->trim)
		expr = trimmed(r, expr);
	if (in->default_expr && !expr)
		return tr_pg_oom(r);
	if (expr)
		return literal_of(expr, rule, &text) && !is_infinite_instant(s->name, text)
			   ? set_default(r, as_printed(r, s->name, text), plan)
			   : 0;
	if (in->default_volatile)
		return set_default(r, as_printed(r, s->name, tr_slice_str(rule->generated)), plan);
	return in->default_text ? set_default(r, tr_slice_str(in->default_text), plan) : 0;
}
