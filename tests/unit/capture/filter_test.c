#include <string.h>

#include "capture/filter.h"
#include "tests/unit/test.h"

static bool is_system(const char *schema, const char *name)
{
	return strncmp(schema, "pg_", 3) == 0 || strcmp(name, "internal") == 0;
}

static bool captured(const tr_source_options *options, const char *schema, const char *name)
{
	tr_filter *f;
	tr_err err = {0};

	ck_assert_msg(tr_filter_new(&f, options, is_system, &err) == 0, "%s", err.text);
	bool answer = tr_filter_match(f, schema, name);
	tr_filter_free(f);
	return answer;
}

START_TEST(default_is_all_user_tables)
{
	const tr_source_options o = {0};

	ck_assert(captured(&o, "public", "t"));
	ck_assert(captured(&o, "Odd Schema", "Mixed Case-Table"));
	ck_assert(!captured(&o, "pg_catalog", "pg_class"));
	ck_assert(!captured(&o, "public", "internal"));
}
END_TEST

START_TEST(globs_include_and_exclude)
{
	const char *const globs[] = {"public.*", "orders", "!public.audit_*", "!*.secret"};
	const tr_source_options o = {.tables = globs, .table_count = 4};

	ck_assert(captured(&o, "public", "customers"));
	ck_assert(!captured(&o, "public", "audit_log"));
	ck_assert(captured(&o, "sales", "orders")); /* a pattern without a dot names a table in any schema */
	ck_assert(!captured(&o, "sales", "lines"));
	ck_assert(!captured(&o, "public", "secret"));
	ck_assert(!captured(&o, "public2", "customers"));
}
END_TEST

START_TEST(only_excludes_mean_all_others)
{
	const char *const globs[] = {"!public.audit_*"};
	const tr_source_options o = {.tables = globs, .table_count = 1};

	ck_assert(captured(&o, "inv", "t"));
	ck_assert(!captured(&o, "public", "audit_x"));
}
END_TEST

START_TEST(regular_expressions_match_whole_and_any_case)
{
	const tr_source_options o = {.table_include = "public.cust,public\\.log_.*|inv\\.t\\d+"};

	ck_assert(captured(&o, "public", "cust"));
	ck_assert(captured(&o, "public", "CUST"));
	ck_assert(!captured(&o, "public", "customers"));
	ck_assert(captured(&o, "public", "log_plain"));
	ck_assert(captured(&o, "inv", "t12"));
	ck_assert(!captured(&o, "inv", "t"));
}
END_TEST

START_TEST(schema_and_table_rules_combine)
{
	const tr_source_options o = {.schema_include = "a|b", .table_exclude = "a\\.(?:x|y)"};

	ck_assert(captured(&o, "a", "z"));
	ck_assert(!captured(&o, "a", "x"));
	ck_assert(captured(&o, "b", "x"));
	ck_assert(!captured(&o, "c", "z"));
	const tr_source_options no_schema = {.schema_exclude = "b"};
	ck_assert(!captured(&no_schema, "b", "x"));
	ck_assert(captured(&no_schema, "bb", "x"));
}
END_TEST

START_TEST(commas_in_repeat_counts_are_not_separators)
{
	const tr_source_options o = {.table_include = "public\\.t[0-9]{1,2}, public\\.(a|b)"};

	ck_assert(captured(&o, "public", "t7"));
	ck_assert(captured(&o, "public", "t77"));
	ck_assert(!captured(&o, "public", "t777"));
	ck_assert(captured(&o, "public", "b"));
}
END_TEST

/* One translator for all regular expressions of the configuration: events/pattern.h. */
START_TEST(expressions_are_javas)
{
	const tr_source_options o = {.table_include = "public\\.\\Qa.b\\E, (?i)public\\.c[\\w-]+?,public\\.x\\,y"};

	ck_assert(captured(&o, "public", "a.b"));
	ck_assert(!captured(&o, "public", "axb"));
	ck_assert(captured(&o, "public", "c_1-z"));
	ck_assert(!captured(&o, "public", "c"));
	ck_assert(captured(&o, "public", "x,y"));
	ck_assert(!captured(&o, "public", "x"));
}
END_TEST

static size_t rank(const tr_source_options *options, const char *schema, const char *name)
{
	tr_filter *f;
	tr_err err = {0};

	ck_assert_msg(tr_filter_new(&f, options, is_system, &err) == 0, "%s", err.text);
	size_t answer = tr_filter_rank(f, schema, name);
	tr_filter_free(f);
	return answer;
}

/* The order of a snapshot: expression by expression; brackets in classes and quotations do not hide a comma. */
START_TEST(tables_rank_by_the_first_expression_that_matches)
{
	const tr_source_options o = {.table_include = "(?:g.z[(]z),(?:g\\.\\Qa(a\\E),g.m.*,(?:G.MX)", .signal_table = "g.signal"};
	const char *const globs[] = {"g.zz", "g.aa"};
	const tr_source_options native = {.tables = globs, .table_count = 2};

	ck_assert_uint_eq(rank(&o, "g", "z(z"), 0);
	ck_assert_uint_eq(rank(&o, "g", "a(a"), 1);
	ck_assert_uint_eq(rank(&o, "g", "mm"), 2);
	ck_assert_uint_eq(rank(&o, "g", "mx"), 2);
	ck_assert_uint_eq(rank(&o, "g", "signal"), 4);
	ck_assert_uint_eq(rank(&native, "g", "aa"), 0);
	ck_assert_uint_eq(rank(&native, "g", "zz"), 0);
}
END_TEST

START_TEST(bad_expressions_are_configuration_errors)
{
	const char *const bad[] = {"public\\.(?!audit).*", "public\\.(", "[z-a]"};

	for (size_t i = 0; i < 3; i++) {
		const tr_source_options o = {.table_exclude = bad[i]};
		tr_filter *f;
		tr_err err = {0};

		ck_assert_int_eq(tr_filter_new(&f, &o, is_system, &err), -1);
		ck_assert_int_eq(err.code, TR_E_CONFIG);
		ck_assert_ptr_nonnull(strstr(err.text, "source.table_exclude"));
		ck_assert_ptr_nonnull(strstr(err.detail, bad[i]));
	}
}
END_TEST

TEST_MAIN("capture.filter", default_is_all_user_tables, globs_include_and_exclude,
	  only_excludes_mean_all_others, regular_expressions_match_whole_and_any_case, schema_and_table_rules_combine,
	  commas_in_repeat_counts_are_not_separators, expressions_are_javas, tables_rank_by_the_first_expression_that_matches,
	  bad_expressions_are_configuration_errors)
