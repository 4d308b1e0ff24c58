#include "capture/filter.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "events/pattern.h"

enum { TABLE_INCLUDE, TABLE_EXCLUDE, SCHEMA_INCLUDE, SCHEMA_EXCLUDE, RULE_COUNT };

/* Two names of 64 characters (MySQL counts characters, up to three bytes each) and what is between them. */
#define QUALIFIED_MAX 520

/* One list of regular expressions. */
typedef struct rule_list {
	const char *text; /* NULL = unused */
	tr_pattern **patterns;
	size_t count;
} rule_list;

struct tr_filter {
	const tr_source_options *options;
	tr_filter_system_fn is_system;
	rule_list rules[RULE_COUNT];
};

static const char *const rule_names[RULE_COUNT] = {"source.table_include", "source.table_exclude",
						   "source.schema_include", "source.schema_exclude"};

/* Length of what a backslash begins: a quotation to its \\E, or two characters. */
static size_t escape_length(const char *text)
{
	const char *end = text[1] == 'Q' ? strstr(text, "\\E") : NULL;

	if (end)
		return (size_t)(end - text) + 2;
	return text[1] == 'Q' ? strlen(text) : text[1] ? 2 : 1;
}

/* Length up to the next comma that separates: one at the top level, not escaped. */
static size_t part_length(const char *text)
{
	int depth = 0, classes = 0; /* parentheses and braces within a class stand for themselves */
	size_t i = 0;

	while (text[i] && (depth > 0 || classes > 0 || text[i] != ',')) {
		if (text[i] == '\\') {
			i += escape_length(text + i);
			continue;
		}
		if (strchr("[]", text[i]))
			classes += text[i] == '[' ? 1 : classes > 0 ? -1 : 0;
		else if (classes == 0)
			depth += (strchr("({", text[i]) != NULL) - (strchr(")}", text[i]) != NULL);
		i++;
	}
	return i;
}

static int add_pattern(rule_list *r, const char *from, size_t len, tr_err *err)
{
	tr_pattern **more;
	char *text;
	int result;

	while (len > 0 && (*from == ' ' || *from == '\t')) {
		from++;
		len--;
	}
	while (len > 0 && (from[len - 1] == ' ' || from[len - 1] == '\t'))
		len--;
	if (len == 0)
		return 0;
	text = strndup(from, len);
	more = realloc(r->patterns, (r->count + 1) * sizeof(*more));
	r->patterns = more ? more : r->patterns;
	if (!text || !more)
		result = tr_err_set(err, TR_E_MEMORY, "out of memory");
	else
		result = tr_pattern_new(&r->patterns[r->count], text, err);
	r->count += result == 0;
	free(text);
	return result;
}

static int compile(rule_list *r, const char *name, const char *text, tr_err *err)
{
	tr_err local;

	err = err ? err : &local;
	r->text = text;
	for (const char *at = text; *at;) {
		size_t len = part_length(at);

		if (add_pattern(r, at, len, err) != 0) {
			char where[sizeof(err->detail)];

			tr_text_format(where, sizeof(where), "%s", err->detail);
			tr_err_prefix(err, "%s", name);
			return tr_err_detail(err, "%s = %s%s%s", name, text, *where ? "; " : "", where);
		}
		at += len + (at[len] == ',');
	}
	return 0;
}

int tr_filter_new(tr_filter **out, const tr_source_options *options, tr_filter_system_fn is_system, tr_err *err)
{
	const char *const texts[RULE_COUNT] = {options->table_include, options->table_exclude, options->schema_include,
					       options->schema_exclude};
	tr_filter *f = calloc(1, sizeof(*f));

	*out = NULL;
	if (!f)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	f->options = options;
	f->is_system = is_system;
	for (int i = 0; i < RULE_COUNT; i++) {
		if (texts[i] && *texts[i] && compile(&f->rules[i], rule_names[i], texts[i], err)) {
			tr_filter_free(f);
			return -1;
		}
	}
	*out = f;
	return 0;
}

void tr_filter_free(tr_filter *f)
{
	if (!f)
		return;
	for (int i = 0; i < RULE_COUNT; i++) {
		for (size_t k = 0; k < f->rules[i].count; k++)
			tr_pattern_free(f->rules[i].patterns[k]);
		free(f->rules[i].patterns);
	}
	free(f);
}

/* The first expression that matches, or their count. */
static size_t rule_find(const tr_filter *f, int rule, const char *text)
{
	size_t i = 0;

	while (i < f->rules[rule].count && !tr_pattern_match(f->rules[rule].patterns[i], text))
		i++;
	return i;
}

static bool rule_matches(const tr_filter *f, int rule, const char *text)
{
	return rule_find(f, rule, text) < f->rules[rule].count;
}

static bool glob_matches(const char *glob, const char *qualified, const char *name)
{
	return tr_text_glob(glob, tr_slice_str(strchr(glob, '.') ? qualified : name));
}

static bool globs_match(const tr_source_options *o, const char *qualified, const char *name)
{
	bool any_include = false, included = false;

	for (size_t i = 0; i < o->table_count; i++) {
		const char *glob = o->tables[i];

		if (*glob == '!') {
			if (glob_matches(glob + 1, qualified, name))
				return false;
		} else {
			any_include = true;
			included = included || glob_matches(glob, qualified, name);
		}
	}
	return included || !any_include;
}

/* Whether some glob that includes names a table of this schema; without any all schemas count. */
static bool globs_match_schema(const tr_source_options *options, const char *schema)
{
	bool any_include = false;

	for (size_t i = 0; i < options->table_count; i++) {
		const char *glob = options->tables[i], *dot = strchr(glob, '.');
		char part[QUALIFIED_MAX];

		if (*glob == '!')
			continue;
		any_include = true;
		snprintf(part, sizeof(part), "%.*s", dot ? (int)(dot - glob) : (int)strlen(glob), glob);
		if (!dot || tr_text_glob(part, tr_slice_str(schema)))
			return true;
	}
	return !any_include;
}

bool tr_filter_match_schema(const tr_filter *f, const char *schema)
{
	if (!globs_match_schema(f->options, schema))
		return false;
	if (f->rules[SCHEMA_INCLUDE].text && !rule_matches(f, SCHEMA_INCLUDE, schema))
		return false;
	return !rule_matches(f, SCHEMA_EXCLUDE, schema);
}

bool tr_filter_match(const tr_filter *f, const char *schema, const char *name)
{
	char qualified[QUALIFIED_MAX];

	if (f->is_system(schema, name))
		return false;
	snprintf(qualified, sizeof(qualified), "%s.%s", schema, name);
	/* Signals are read from the stream, so their table is always part of it. */
	if (f->options->signal_table && strcmp(f->options->signal_table, qualified) == 0)
		return true;
	if (!tr_filter_match_schema(f, schema) || rule_matches(f, TABLE_EXCLUDE, qualified))
		return false;
	if (f->rules[TABLE_INCLUDE].text && !rule_matches(f, TABLE_INCLUDE, qualified))
		return false;
	return globs_match(f->options, qualified, name);
}

size_t tr_filter_rank(const tr_filter *f, const char *schema, const char *name)
{
	char qualified[QUALIFIED_MAX];

	snprintf(qualified, sizeof(qualified), "%s.%s", schema, name);
	return rule_find(f, TABLE_INCLUDE, qualified);
}

void tr_filter_describe(const tr_filter *f, char *out, size_t cap)
{
	tr_writer w;

	tr_writer_init(&w, 64 << 10);
	for (size_t i = 0; i < f->options->table_count; i++)
		tr_writer_format(&w, "%s%s", i ? ", " : "source.tables = ", f->options->tables[i]);
	for (int i = 0; i < RULE_COUNT; i++)
		if (f->rules[i].text)
			tr_writer_format(&w, "%s%s = %s", w.len ? "; " : "", rule_names[i], f->rules[i].text);
	if (w.len == 0)
		tr_writer_text(&w, "all user tables");
	tr_text_format(out, cap, "%.*s", (int)w.len, w.data ? (const char *)w.data : "");
	tr_writer_release(&w);
}
