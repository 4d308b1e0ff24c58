/*
 * What every unit test file needs of Check. A file lists its cases and calls TEST_MAIN:
 *
 *     START_TEST(reads_nothing) { ... } END_TEST
 *     TEST_MAIN("reader", reads_nothing, reads_more)
 */
#ifndef TR_TESTS_UNIT_TEST_H
#define TR_TESTS_UNIT_TEST_H

#include <check.h>
#include <stdlib.h>

static inline int test_run(const char *name, const TTest *const *tests, size_t count)
{
	Suite *suite = suite_create(name);
	TCase *cases = tcase_create(name);
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(cases, 120);
	for (size_t i = 0; i < count; i++)
		tcase_add_test(cases, tests[i]);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#define TEST_MAIN(name, ...)                                                                        \
	int main(void)                                                                              \
	{                                                                                           \
		const TTest *const tests[] = {__VA_ARGS__};                                         \
		return test_run((name), tests, sizeof(tests) / sizeof(tests[0]));                   \
	}

#endif
