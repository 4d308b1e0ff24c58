#include "capture/postgres/filter.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

enum { TABLE_INCLUDE, TABLE_EXCLUDE, SCHEMA_INCLUDE, SCHEMA_EXCLUDE, RULE_COUNT };

struct tr_pgc_filter {
	const tr_source_options *options;
	struct {
		const char *text;
		bool set;
		regex_t regex;
	} rules[RULE_COUNT];
};

static const char *const rule_names[RULE_COUNT] = {"source.table_include", "source.table_exclude",
						   "source.schema_include", "source.schema_exclude"};

/* Java's classes in POSIX terms; a comma at the top level separates alternatives, as in Debezium's lists. */
static int to_posix(const char *java, tr_writer *w)
{
	int depth = 0;

	for (const char *at = java; *at; at++) {
		if (at[0] == '\\' && at[1] == 'd') {
			tr_writer_text(w, "[0-9]");
			at++;
		} else if (at[0] == '\\' && at[1]) {
			tr_writer_put(w, at, 2);
			at++;
		} else if (at[0] == '(' && at[1] == '?') {
			if (at[2] != ':')
				return -1;
			tr_writer_u8(w, '(');
			depth++;
			at += 2;
		} else if (depth == 0 && *at == ',') {
			tr_writer_u8(w, '|');
			at += strspn(at + 1, " ");
		} else {
			depth += (*at == '(' || *at == '[' || *at == '{') - (*at == ')' || *at == ']' || *at == '}');
			tr_writer_u8(w, (uint8_t)*at);
		}
	}
	return 0;
}

static int compile(tr_pgc_filter *f, int rule, const char *text, tr_err *err)
{
	tr_writer w;
	int code = 0, result = -1;
	char reason[128] = "look-around is not supported";

	tr_writer_init(&w, 1 << 20);
	tr_writer_text(&w, "^(");
	if (to_posix(text, &w) == 0) {
		tr_writer_put(&w, ")$", 3);
		if (!tr_writer_ok(&w))
			goto out;
		code = regcomp(&f->rules[rule].regex, (const char *)w.data, REG_EXTENDED | REG_ICASE | REG_NOSUB);
		if (code == 0) {
			f->rules[rule].set = true;
			f->rules[rule].text = text;
			result = 0;
			goto out;
		}
		regerror(code, &f->rules[rule].regex, reason, sizeof(reason));
	}
out:
	if (result) {
		tr_err_set(err, TR_E_CONFIG, "cannot use the regular expression in %s: %s", rule_names[rule], reason);
		tr_err_detail(err, "%s", text);
	}
	tr_writer_release(&w);
	return result;
}

int tr_pgc_filter_new(tr_pgc_filter **out, const tr_source_options *options, tr_err *err)
{
	const char *const texts[RULE_COUNT] = {options->table_include, options->table_exclude, options->schema_include,
					       options->schema_exclude};
	tr_pgc_filter *f = calloc(1, sizeof(*f));

	*out = NULL;
	if (!f)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	f->options = options;
	for (int i = 0; i < RULE_COUNT; i++) {
		if (texts[i] && *texts[i] && compile(f, i, texts[i], err)) {
			tr_pgc_filter_free(f);
			return -1;
		}
	}
	*out = f;
	return 0;
}

void tr_pgc_filter_free(tr_pgc_filter *f)
{
	if (!f)
		return;
	for (int i = 0; i < RULE_COUNT; i++)
		if (f->rules[i].set)
			regfree(&f->rules[i].regex);
	free(f);
}

static bool rule_matches(const tr_pgc_filter *f, int rule, const char *text)
{
	return f->rules[rule].set && regexec(&f->rules[rule].regex, text, 0, NULL, 0) == 0;
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

static bool is_system_schema(const char *schema)
{
	return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0;
}

bool tr_pgc_filter_match(const tr_pgc_filter *f, const char *schema, const char *name)
{
	char qualified[256];

	if (is_system_schema(schema))
		return false;
	snprintf(qualified, sizeof(qualified), "%s.%s", schema, name);
	if (f->rules[SCHEMA_INCLUDE].set && !rule_matches(f, SCHEMA_INCLUDE, schema))
		return false;
	if (rule_matches(f, SCHEMA_EXCLUDE, schema) || rule_matches(f, TABLE_EXCLUDE, qualified))
		return false;
	if (f->rules[TABLE_INCLUDE].set && !rule_matches(f, TABLE_INCLUDE, qualified))
		return false;
	return globs_match(f->options, qualified, name);
}

void tr_pgc_filter_describe(const tr_pgc_filter *f, char *out, size_t cap)
{
	tr_writer w;

	tr_writer_init(&w, 64 << 10);
	for (size_t i = 0; i < f->options->table_count; i++)
		tr_writer_format(&w, "%s%s", i ? ", " : "source.tables = ", f->options->tables[i]);
	for (int i = 0; i < RULE_COUNT; i++)
		if (f->rules[i].set)
			tr_writer_format(&w, "%s%s = %s", w.len ? "; " : "", rule_names[i], f->rules[i].text);
	if (w.len == 0)
		tr_writer_text(&w, "all user tables");
	tr_text_format(out, cap, "%.*s", (int)w.len, w.data ? (const char *)w.data : "");
	tr_writer_release(&w);
}
