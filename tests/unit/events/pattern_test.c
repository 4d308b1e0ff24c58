#include "events/pattern.h"
#include "tests/unit/test.h"

static bool matches(const char *pattern, const char *name)
{
	tr_pattern *p;
	tr_err err = {0};

	ck_assert_msg(tr_pattern_new(&p, pattern, &err) == 0, "%s: %s", pattern, err.text);
	bool result = tr_pattern_match(p, name);
	tr_pattern_free(p);
	return result;
}

#define ck_yes(pattern, name) ck_assert_msg(matches(pattern, name), "%s does not match %s", pattern, name)
#define ck_no(pattern, name)  ck_assert_msg(!matches(pattern, name), "%s matches %s", pattern, name)

START_TEST(whole_and_without_case)
{
	ck_yes("public.cust.secret", "public.cust.secret");
	ck_yes("PUBLIC.Cust.*", "public.cust.secret");
	ck_no("public.cust", "public.cust.secret");
	ck_no("cust.secret", "public.cust.secret");
	ck_yes("public\\.(a|b)\\.x", "public.b.x");
	ck_no("public\\.x", "publicyx");
	/* Alternatives are each whole. */
	ck_no("a|b", "ab");
	ck_no("a|b.c", "a.c");
	ck_yes("^a$", "a");
}
END_TEST

START_TEST(java_forms)
{
	ck_yes("t_\\d+", "t_2024");
	ck_no("t_\\d+", "t_x");
	ck_yes("\\w+\\.\\w+", "a_1.b2");
	ck_no("\\w+", "a.b");
	ck_yes("\\S+\\s\\S+", "a b");
	ck_yes("\\Qa.b*\\E.*", "a.b*c");
	ck_no("\\Qa.b\\E", "axb");
	ck_yes("(?:a|b){2}", "ba");
	ck_yes("(?i)abc", "ABC");
	ck_yes("a.*?c", "abbc");
	ck_yes("a{1,2}?b", "aab");
	ck_yes("\\-\\_x", "-_x");
	ck_yes("x]y}", "x]y}");
	ck_yes(".*", "");
}
END_TEST

START_TEST(classes)
{
	ck_yes("[\\w.]+", "a.b_1");
	ck_no("[\\w.]+", "a-b");
	ck_yes("[^\\d]+", "abc");
	ck_no("[^\\d]+", "ab1");
	ck_yes("[\\]\\[^-]+", "[]^-");
	ck_no("[\\]\\[^-]+", "a");
	ck_yes("[\\^]", "^");
	ck_yes("[\\^-]+", "-^");
	ck_yes("[a\\-z]+", "a-z");
	ck_no("[a\\-z]+", "b");
	ck_yes("[\\[.]+", "[.");
	ck_yes("[A-Cx-z_]+", "bY_");
	ck_yes("[^.]+\\.[^.]+", "naïve.t");
}
END_TEST

START_TEST(refused)
{
	static const char *const bad[] = {"(?!audit).*", "(?<=a)b", "a++",   "a*+", "\\p{Alpha}", "[a[b]]",
					  "[a&&b]",      "(a",      "a)",    "[a",  "a{1",        "\\",
					  "(a)\\1",      "[z-a]",   "[\\p]", "*",   "[\\"};
	tr_pattern *p;
	tr_err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err = (tr_err){0};
		ck_assert_msg(tr_pattern_new(&p, bad[i], &err) == -1, "%s was taken", bad[i]);
		ck_assert_int_eq(err.code, TR_E_CONFIG);
		ck_assert_ptr_nonnull(strstr(err.text, bad[i]));
		ck_assert_ptr_null(p);
	}
}
END_TEST

/* The library's compiler writes repetitions out and walks groups on the stack: it must never see these. */
START_TEST(patterns_that_grow_beyond_measure)
{
	static const char *const bad[] = {"a{1000}{1000}{1000}", "((a{100}){100}){100}", "(a{0,200}b){200}",
					  "(a(b|c{90}){90})", "a{99999999999999999999}"};
	char *deep = malloc(200002);
	tr_pattern *p;
	tr_err err;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err = (tr_err){0};
		ck_assert_msg(tr_pattern_new(&p, bad[i], &err) == -1, "%s was taken", bad[i]);
		ck_assert_int_eq(err.code, TR_E_CONFIG);
	}
	ck_assert_ptr_nonnull(deep);
	memset(deep, '(', 100000);
	deep[100000] = 'a';
	memset(deep + 100001, ')', 100000);
	deep[200001] = '\0';
	ck_assert_int_eq(tr_pattern_new(&p, deep, &err), -1);
	free(deep);
	ck_yes("(\\w{1,63}\\.){1,3}x{1000}|y", "y");
	ck_yes("((a|b){2}_){3}", "ab_ba_aa_");
}
END_TEST

TEST_MAIN("pattern", whole_and_without_case, java_forms, classes, refused, patterns_that_grow_beyond_measure)
