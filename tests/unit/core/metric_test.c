#include "core/clock.h"
#include "core/metric.h"
#include "tests/unit/test.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static tr_metrics shop, audit;

static char *render(const tr_metric_source *sources, size_t count)
{
	tr_writer w;

	tr_writer_init(&w, 1 << 20);
	tr_metric_render(&w, sources, count);
	tr_writer_u8(&w, 0);
	ck_assert(tr_writer_ok(&w));
	return (char *)w.data;
}

static int occurrences(const char *text, const char *what)
{
	int count = 0;

	for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
		count++;
	return count;
}

START_TEST(two_pipelines_one_head_each)
{
	const tr_metric_source sources[] = {{"shop", &shop}, {"aud\"it\\\n", &audit}};

	tr_metric_add(&shop, TR_M_EVENTS_CREATE, 3);
	tr_metric_add(&shop, TR_M_EVENTS_CREATE, 4);
	tr_metric_add(&audit, TR_M_EVENTS_UPDATE, 5);
	tr_metric_set(&shop, TR_M_LAG_TIME, 1500000);
	tr_metric_set(&audit, TR_M_LAG_TIME, -250000);
	ck_assert_int_eq(tr_metric_get(&shop, TR_M_EVENTS_CREATE), 7);
	char *text = render(sources, 2);
	ck_assert_int_eq(occurrences(text, "# TYPE tailrace_events_total counter\n"), 1);
	ck_assert_int_eq(occurrences(text, "# HELP tailrace_events_total "), 1);
	ck_assert_ptr_nonnull(strstr(text, "\ntailrace_events_total{pipeline=\"shop\",op=\"create\"} 7\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ntailrace_events_total{pipeline=\"aud\\\"it\\\\\\n\",op=\"update\"} 5\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ntailrace_lag_seconds{pipeline=\"shop\"} 1.500000\n"));
	ck_assert_ptr_nonnull(strstr(text, "} -0.250000\n"));
	ck_assert_ptr_nonnull(strstr(text, "# TYPE tailrace_lag_seconds gauge\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nprocess_resident_memory_bytes "));
	free(text);
}
END_TEST

START_TEST(ages_appear_with_their_first_moment)
{
	const tr_metric_source sources[] = {{"shop", &shop}};
	char *text = render(sources, 1);
	double age;

	ck_assert_ptr_null(strstr(text, "tailrace_confirmed_age_seconds{"));
	free(text);
	tr_metric_touch(&shop, TR_M_CONFIRMED);
	tr_clock_sleep_ms(20);
	text = render(sources, 1);
	const char *sample = strstr(text, "tailrace_confirmed_age_seconds{pipeline=\"shop\"} ");
	ck_assert_ptr_nonnull(sample);
	ck_assert_int_eq(sscanf(strchr(sample, ' '), "%lf", &age), 1);
	ck_assert_double_ge(age, 0.02);
	ck_assert_double_lt(age, 30);
	free(text);
}
END_TEST

START_TEST(errors_by_code)
{
	const tr_metric_source sources[] = {{"shop", &shop}};

	tr_metric_error(&shop, TR_E_SOURCE_UNAVAILABLE);
	tr_metric_error(&shop, TR_E_SOURCE_UNAVAILABLE);
	tr_metric_error(&shop, (tr_err_code)77777);
	ck_assert_int_eq(tr_metric_errors(&shop, TR_E_SOURCE_UNAVAILABLE), 2);
	ck_assert_int_eq(tr_metric_errors(&shop, TR_E_BUG), 0);
	ck_assert_int_eq(tr_metric_errors(&shop, (tr_err_code)77777), 0);
	char *text = render(sources, 1);
	ck_assert_int_eq(occurrences(text, "\ntailrace_errors_total{"), 1);
	ck_assert_ptr_nonnull(
	    strstr(text, "tailrace_errors_total{pipeline=\"shop\",code=\"TR201\",error=\"SOURCE_UNAVAILABLE\"} 2\n"));
	free(text);
}
END_TEST

START_TEST(every_line_is_a_comment_or_a_sample)
{
	const tr_metric_source sources[] = {{"shop", &shop}};
	char *text = render(sources, 1), *rest;
	int samples = 0;

	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char name[200];
		double value;
		if (line[0] == '#')
			continue;
		ck_assert_msg(sscanf(line, "%199s %lf", name, &value) == 2, "%s", line);
		samples++;
	}
	ck_assert_int_ge(samples, 25);
	free(text);
	text = render(sources, 0);
	ck_assert_int_eq(occurrences(text, "pipeline="), 0);
	free(text);
}
END_TEST

START_TEST(catalogue_is_sound)
{
	for (int i = 0; i < TR_M_COUNT; i++) {
		const char *name = tr_metric_name((tr_metric)i);
		ck_assert_ptr_eq(strstr(name, "tailrace_"), name);
		for (int j = 0; j < i; j++)
			ck_assert_str_ne(name, tr_metric_name((tr_metric)j));
	}
	ck_assert_str_eq(tr_metric_name(TR_M_COUNT), "");
}
END_TEST

static void *count_up(void *arg)
{
	(void)arg;
	for (int i = 0; i < 100000; i++)
		tr_metric_add(&audit, TR_M_BATCHES, 1);
	return NULL;
}

START_TEST(threads_lose_no_count)
{
	const tr_metric_source sources[] = {{"audit", &audit}};
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, count_up, NULL), 0);
	free(render(sources, 1));
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_int_eq(tr_metric_get(&audit, TR_M_BATCHES), 200000);
}
END_TEST

TEST_MAIN("metric", two_pipelines_one_head_each, ages_appear_with_their_first_moment, errors_by_code,
    every_line_is_a_comment_or_a_sample, catalogue_is_sound, threads_lose_no_count)
