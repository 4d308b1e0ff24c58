#include "core/obj.h"
#include "core/ring.h"
#include "tests/unit/test.h"

#include <signal.h>

typedef struct thing {
	uint32_t magic;
} thing;

START_TEST(right_object_passes)
{
	thing t = {0x1234};

	TR_CHECK_OBJ(&t, 0x1234u);
	TR_ASSERT(1 + 1 == 2);
}
END_TEST

START_TEST(other_object_aborts)
{
	long other[16] = {0};
	void *border = other;

	tr_ring_count(border);
}
END_TEST

/* A test that has to die of a signal needs Check's own call. */
int main(void)
{
	Suite *suite = suite_create("obj");
	TCase *cases = tcase_create("obj");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(cases, right_object_passes);
	tcase_add_test_raise_signal(cases, other_object_aborts, SIGABRT);
	suite_add_tcase(suite, cases);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
