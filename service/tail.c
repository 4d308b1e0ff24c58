#include "service/tail.h"

#include <time.h>

#include "core/text.h"
#include "service/json_view.h"

#define VALUE_SHOWN 200u /* bytes of one value on a line for people */

static bool is_null(tr_slice value)
{
	return value.len == 0 || tr_slice_eq(value, tr_slice_str("null"));
}

void tr_tail_table(const tr_tail_event *e, char *out, size_t size)
{
	tr_slice source = tr_json_view_get(e->value, "source");
	tr_slice schema = tr_json_view_text(tr_json_view_get(source, "schema")), table = tr_json_view_text(tr_json_view_get(source, "table"));
	const char *dot;

	if (!is_null(table)) {
		if (is_null(schema))
			schema = tr_json_view_text(tr_json_view_get(source, "db"));
		tr_text_format(out, size, "%.*s.%.*s", (int)schema.len, (const char *)schema.ptr, (int)table.len, (const char *)table.ptr);
		return;
	}
	dot = strchr(e->topic, '.');
	tr_text_format(out, size, "%s", dot ? dot + 1 : e->topic);
}

bool tr_tail_matches(const char *pattern, const char *table)
{
	const char *dot = strrchr(table, '.');

	return tr_text_glob(pattern, tr_slice_str(table)) || (dot && tr_text_glob(pattern, tr_slice_str(dot + 1)));
}

bool tr_tail_wanted(const tr_tail_event *e, const char *const *patterns, size_t count)
{
	char table[512];

	tr_tail_table(e, table, sizeof(table));
	for (size_t i = 0; i < count; i++)
		if (tr_tail_matches(patterns[i], table))
			return true;
	return count == 0;
}

static void put_time(const tr_tail_event *e, tr_writer *w)
{
	tr_slice text = tr_json_view_get(e->value, "ts_ms");
	int64_t ms = e->timestamp_ms;
	time_t seconds;
	struct tm tm;

	/* A file keeps no time of its own: the record's. */
	if (ms < 0) {
		for (size_t i = 0; i < text.len && text.ptr[i] >= '0' && text.ptr[i] <= '9' && i < 18; i++)
			ms = (ms < 0 ? 0 : ms) * 10 + (text.ptr[i] - '0');
	}
	if (ms < 0)
		return;
	seconds = (time_t)(ms / 1000);
	localtime_r(&seconds, &tm);
	tr_writer_format(w, "%02d:%02d:%02d.%03d ", tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
}

static void put_cut(tr_slice value, tr_writer *w)
{
	if (value.len <= VALUE_SHOWN) {
		tr_writer_slice(w, value);
		return;
	}
	tr_writer_slice(w, tr_text_cut_bytes(value, VALUE_SHOWN));
	tr_writer_text(w, "...");
}

/* Control characters of a text that is not JSON never reach the terminal. */
static void put_plain(tr_slice value, tr_writer *w)
{
	value = value.len > VALUE_SHOWN ? tr_text_cut_bytes(value, VALUE_SHOWN) : value;
	for (size_t i = 0; i < value.len; i++)
		tr_writer_u8(w, value.ptr[i] < 0x20 || value.ptr[i] == 0x7f ? '?' : value.ptr[i]);
}

/*
 * name=value of a row's fields; with `old` only those that differ, as name=old→new, and the first one when the record has
 * no key that says which row it is.
 */
static void put_fields(tr_slice row, tr_slice old, bool first, const tr_colours *c, tr_writer *w)
{
	tr_slice name, value;
	bool any = false;

	for (size_t at = 0; tr_json_view_next(row, &at, &name, &value); first = false) {
		size_t old_at = 0;
		tr_slice old_name, old_value = {0};

		while (old.len > 0 && tr_json_view_next(old, &old_at, &old_name, &old_value) && !tr_slice_eq(old_name, name))
			old_value = (tr_slice){0};
		if (old.len > 0 && tr_slice_eq(old_value, value) && !first)
			continue;
		any = any || !first;
		tr_writer_format(w, " %s%.*s%s=", c->dim, (int)name.len, (const char *)name.ptr, c->reset);
		if (old.len > 0 && !tr_slice_eq(old_value, value)) {
			put_cut(old_value, w);
			tr_writer_text(w, " → ");
		}
		put_cut(value, w);
	}
	if (!any && old.len > 0)
		tr_writer_text(w, " (nothing differs)");
}

typedef struct shown {
	char op;
	const char *word, *colour;
} shown;

static shown find_op(const tr_tail_event *e, const tr_colours *c)
{
	const shown ops[] = {{'r', "read", c->dim}, {'c', "create", c->green}, {'u', "update", c->yellow}, {'d', "delete", c->red},
	    {'t', "truncate", c->red}, {'m', "message", c->blue}};
	tr_slice op = tr_json_view_text(tr_json_view_get(e->value, "op"));

	if (is_null(e->value))
		return (shown){'x', "tombstone", c->dim};
	for (size_t i = 0; op.len == 1 && i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (ops[i].op == op.ptr[0])
			return ops[i];
	}
	return (shown){0, is_null(tr_json_view_get(e->value, "ddl")) ? "record" : "schema", c->blue};
}

/* JsonConverter's wrapping is taken off. */
static tr_slice payload_of(tr_slice value)
{
	tr_slice payload = tr_json_view_get(value, "payload");

	return payload.len > 0 && tr_json_view_get(value, "schema").len > 0 ? payload : value;
}

void tr_tail_line(const tr_tail_event *given, const tr_colours *c, tr_writer *w)
{
	tr_tail_event e = *given;
	tr_slice before, after;
	char table[512];
	shown op;

	e.value = payload_of(e.value);
	e.key = payload_of(e.key);
	before = tr_json_view_get(e.value, "before");
	after = tr_json_view_get(e.value, "after");
	op = find_op(&e, c);
	tr_tail_table(&e, table, sizeof(table));
	put_time(&e, w);
	tr_writer_format(w, "%s%-9s%s %s%s%s", op.colour, op.word, c->reset, c->bold, table, c->reset);
	if (e.key.len > 0) {
		tr_writer_u8(w, ' ');
		put_plain(e.key, w);
	}
	if (op.op == 'u' && !is_null(before))
		put_fields(after, before, e.key.len == 0, c, w);
	else if (op.op == 'd')
		put_fields(before, (tr_slice){0}, false, c, w);
	else if (op.op != 0 && !is_null(after))
		put_fields(after, (tr_slice){0}, false, c, w);
	else if (op.op == 'm')
		put_fields(tr_json_view_get(e.value, "message"), (tr_slice){0}, false, c, w);
	else if (op.op == 0 && !is_null(tr_json_view_get(e.value, "ddl"))) {
		tr_writer_u8(w, ' ');
		put_cut(tr_json_view_get(e.value, "ddl"), w);
	} else if (op.op == 0 && e.value.len > 0 && e.value.ptr[0] == '{')
		put_fields(e.value, (tr_slice){0}, false, c, w);
	else if (op.op == 0) {
		tr_writer_u8(w, ' ');
		put_plain(e.value, w);
	}
	tr_writer_u8(w, '\n');
}

void tr_tail_json(const tr_tail_event *e, tr_writer *w)
{
	tr_writer_text(w, "{\"topic\":\"");
	tr_text_json_escape(w, tr_slice_str(e->topic));
	tr_writer_u8(w, '"');
	if (e->partition >= 0)
		tr_writer_format(w, ",\"partition\":%d", e->partition);
	tr_writer_format(w, ",\"offset\":%lld", (long long)e->offset);
	if (e->timestamp_ms >= 0)
		tr_writer_format(w, ",\"timestamp_ms\":%lld", (long long)e->timestamp_ms);
	tr_writer_text(w, ",\"key\":");
	tr_writer_slice(w, e->key.len > 0 ? e->key : tr_slice_str("null"));
	tr_writer_text(w, ",\"value\":");
	tr_writer_slice(w, e->value.len > 0 ? e->value : tr_slice_str("null"));
	tr_writer_text(w, "}\n");
}
