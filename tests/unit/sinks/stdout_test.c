/* stdout as a pipe: lines as promised, partial writes, a reader that leaves. */
#include <fcntl.h>
#include <pthread.h>

#include "tests/unit/sinks/rig.h"

static rig r;
static tr_err err;
static int reader;

static void setup(void)
{
	int ends[2];

	rig_init(&r, "stdout");
	ck_assert(pipe(ends) == 0 && dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
	close(ends[1]);
	reader = ends[0];
	rig_open(&r);
}

START_TEST(one_object_a_line)
{
	char text[4096];
	tr_batch *batch = rig_batch(&r);

	r.topics[0].name = "shop.\"odd\"";
	rig_add(&r, batch, 0, "{\"id\":1}", "{\"a\":[1,2]}");
	rig_add(&r, batch, 0, "{\"id\":1}", NULL);
	rig_add(&r, batch, 1, NULL, "{}");
	ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	ssize_t n = read(reader, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_str_eq(text, "{\"topic\":\"shop.\\\"odd\\\"\",\"key\":{\"id\":1},\"value\":{\"a\":[1,2]}}\n"
	                       "{\"topic\":\"shop.\\\"odd\\\"\",\"key\":{\"id\":1},\"value\":null}\n"
	                       "{\"topic\":\"shop.public.items\",\"key\":null,\"value\":{}}\n");
	rig_release(&r);
}
END_TEST

static void *slow_reader(void *context)
{
	size_t *total = context;
	char buffer[5000];
	ssize_t n;

	while ((n = read(reader, buffer, sizeof(buffer))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			*total += buffer[i] == '\n';
		usleep(500);
	}
	return NULL;
}

/* A non-blocking pipe that is read slowly: every line arrives, once. */
START_TEST(partial_writes)
{
	pthread_t thread;
	size_t lines = 0;

	ck_assert(fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK) == 0);
	ck_assert(pthread_create(&thread, NULL, slow_reader, &lines) == 0);
	for (int b = 0; b < 5; b++) {
		uint64_t next = r.sequence + 1;
		tr_batch *batch = rig_batch(&r);
		for (int i = 0; i < 4000; i++)
			rig_add(&r, batch, 0, "\"0123456789012345678901234567890123456789\"", "{}");
		ck_assert_int_eq(rig_send(&r, batch, &err), 0);
		ck_assert_uint_eq(rig_collect(&r, 1, 1000, &next, &err), 1);
	}
	close(STDOUT_FILENO);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(lines, 20000);
	rig_release(&r);
}
END_TEST

START_TEST(reader_leaves)
{
	close(reader);
	tr_batch *batch = rig_batch(&r);
	rig_add(&r, batch, 0, "1", "{}");
	ck_assert_int_eq(rig_send(&r, batch, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_IO);
	ck_assert_str_eq(err.text, "stdout was closed by its reader");
	rig_release(&r);
}
END_TEST

START_TEST(json_only)
{
	tr_sink *s;

	r.events.format = TR_FORMAT_AVRO;
	ck_assert_int_eq(tr_sink_stdout.open(&s, &r.options, NULL, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_CONFIG);
	rig_release(&r);
}
END_TEST

int main(void)
{
	const TTest *const each[] = {one_object_a_line, partial_writes, reader_leaves, json_only};
	Suite *suite = suite_create("stdout sink");
	TCase *cases = tcase_create("stdout sink");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, NULL);
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		tcase_add_test(cases, each[i]);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
