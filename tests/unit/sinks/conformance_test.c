/* The contract of sinks/sink.h, run for every row of sinks.def: order, settle order, failure, flush, free with unsettled. */
#include <fcntl.h>
#include <glob.h>

#include "tests/unit/sinks/mock.h"
#include "tests/unit/sinks/rig.h"

#define KEEPS_MAX 4096

/* What a sink kept of a topic, in order. */
typedef struct kept {
	size_t count;
	char lines[KEEPS_MAX][48];
} kept;

typedef struct kind {
	const char *name;
	void (*setup)(rig *r);
	/* From now on writing fails. NULL: this sink cannot fail. */
	void (*damage)(rig *r);
	/* NULL: it keeps nothing. */
	void (*read)(rig *r, int topic, size_t count, kept *out);
	void (*release)(rig *r);
} kind;

static char url[256];
static mock cluster;

static void keep(kept *k, const char *text, size_t len)
{
	ck_assert(k->count < KEEPS_MAX && len < sizeof(k->lines[0]));
	memcpy(k->lines[k->count], text, len);
	k->lines[k->count++][len] = '\0';
}

/* kafka */
static void kafka_setup(rig *r)
{
	mock_open(&cluster, 1);
	r->options.url = cluster.url;
}

static void kafka_damage(rig *r)
{
	(void)r;
	for (int i = 0; i < 20; i++)
		rd_kafka_mock_push_request_errors(cluster.cluster, MOCK_PRODUCE, 1, RD_KAFKA_RESP_ERR_INVALID_RECORD);
}

static void keep_message(void *context, const rd_kafka_message_t *m)
{
	keep(context, m->payload ? m->payload : "null", m->payload ? m->len : 4);
}

static void kafka_read(rig *r, int topic, size_t count, kept *out)
{
	mock_read(cluster.url + strlen("kafka://"), r->topics[topic].name, 4, count, keep_message, out);
}

static void kafka_release(rig *r)
{
	(void)r;
	mock_close(&cluster);
}

/* file */
static void file_setup(rig *r)
{
	snprintf(url, sizeof(url), "file:%s/out", r->dir);
	r->options.url = url;
}

static void file_damage(rig *r)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s/out'", r->dir);
	ck_assert(system(command) == 0);
}

static void keep_lines(const char *path, const char *must_have, kept *out)
{
	char line[512];
	FILE *in = fopen(path, "r");

	ck_assert(in != NULL);
	while (fgets(line, sizeof(line), in)) {
		if (!strstr(line, must_have))
			continue;
		char *value = strstr(line, "\"value\":");
		value = value ? value + 8 : line;
		size_t len = strcspn(value, "\n");
		keep(out, value, value != line ? len - 1 : len); /* without the closing brace of a wrapped line */
	}
	fclose(in);
}

static void file_read(rig *r, int topic, size_t count, kept *out)
{
	char pattern[512];
	glob_t found;

	(void)count;
	snprintf(pattern, sizeof(pattern), "%s/out/%s-*.jsonl", r->dir, r->topics[topic].name);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		keep_lines(found.gl_pathv[i], "", out);
	globfree(&found);
}

/* stdout */
static void stdout_setup(rig *r)
{
	char path[128];

	r->options.url = "stdout";
	snprintf(path, sizeof(path), "%s/stdout", r->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_APPEND, 0600);
	ck_assert(fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
	close(fd);
}

static void stdout_damage(rig *r)
{
	int fd = open("/dev/full", O_WRONLY);

	(void)r;
	ck_assert(fd >= 0 && dup2(fd, STDOUT_FILENO) == STDOUT_FILENO);
	close(fd);
}

static void stdout_read(rig *r, int topic, size_t count, kept *out)
{
	char path[128], must_have[96];

	(void)count;
	snprintf(path, sizeof(path), "%s/stdout", r->dir);
	snprintf(must_have, sizeof(must_have), "{\"topic\":\"%s\",", r->topics[topic].name);
	keep_lines(path, must_have, out);
}

static void null_setup(rig *r)
{
	r->options.url = "null:";
}

static const kind kinds[] = {
	{"kafka", kafka_setup, kafka_damage, kafka_read, kafka_release},
	{"file", file_setup, file_damage, file_read, NULL},
	{"stdout", stdout_setup, stdout_damage, stdout_read, NULL},
	{"null", null_setup, NULL, NULL, NULL},
};

/* The suite is for all rows: one without a way to test it here is a failure. */
static const kind *kind_at(size_t i)
{
	const tr_sink_ops *ops = tr_sink_at(i);

	if (!ops)
		return NULL;
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		if (strcmp(kinds[k].name, ops->kind) == 0)
			return &kinds[k];
	ck_abort_msg("no conformance setup for sink \"%s\"", ops->kind);
}

static const kind *begin(rig *r, int i)
{
	const kind *k = kind_at((size_t)i);

	rig_init(r, "");
	k->setup(r);
	rig_open(r);
	return k;
}

static void end(rig *r, const kind *k)
{
	rig_close(r);
	if (k->release)
		k->release(r);
	rig_release(r);
}

START_TEST(keeps_order)
{
	rig r;
	const kind *k = begin(&r, _i);
	tr_err err = {0};
	uint64_t next = 1;
	int n = 0;

	for (int b = 0; b < 20; b++) {
		tr_batch *batch = rig_batch(&r);
		for (int i = 0; i < 60; i++, n++) {
			char value[32];
			snprintf(value, sizeof(value), "{\"n\":%d}", n);
			rig_add(&r, batch, i % RIG_TOPICS, "\"k\"", value);
		}
		ck_assert_msg(rig_send(&r, batch, &err) == 0, "%s: %s", err.text, err.detail);
	}
	ck_assert_int_eq(r.sink->ops->flush(r.sink, &err), 0);
	ck_assert_uint_eq(rig_collect(&r, 20, 20000, &next, &err), 20);
	ck_assert_int_eq(tr_metric_get(&r.metrics, TR_M_RECORDS_DELIVERED), 1200);
	for (int t = 0; k->read && t < RIG_TOPICS; t++) {
		kept *out = calloc(1, sizeof(*out));
		k->read(&r, t, 400, out);
		ck_assert_uint_eq(out->count, 400);
		for (size_t i = 0; i < 400; i++) {
			char value[32];
			snprintf(value, sizeof(value), "{\"n\":%zu}", i * RIG_TOPICS + (size_t)t);
			ck_assert_str_eq(out->lines[i], value);
		}
		free(out);
	}
	end(&r, k);
}
END_TEST

START_TEST(carries_absent_keys_and_values)
{
	rig r;
	const kind *k = begin(&r, _i);
	tr_err err = {0};
	uint64_t next = 1;
	tr_batch *batch = rig_batch(&r);

	r.events.envelope = TR_ENVELOPE_FLAT;
	rig_close(&r);
	rig_open(&r);
	rig_add(&r, batch, 0, "\"k\"", "{\"n\":1}");
	rig_add(&r, batch, 0, "\"k\"", NULL);
	rig_add(&r, batch, 0, NULL, "{\"n\":2}");
	ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	ck_assert_int_eq(r.sink->ops->flush(r.sink, &err), 0);
	ck_assert_uint_eq(rig_collect(&r, 1, 10000, &next, &err), 1);
	if (k->read) {
		kept *out = calloc(1, sizeof(*out));
		size_t nulls = 0;
		k->read(&r, 0, 3, out);
		ck_assert_uint_eq(out->count, 3);
		for (size_t i = 0; i < 3; i++)
			nulls += strcmp(out->lines[i], "null") == 0;
		ck_assert_uint_eq(nulls, 1);
		free(out);
	}
	end(&r, k);
}
END_TEST

/* Batches without records (notes of the pipeline) come back in their place. */
START_TEST(empty_batches_keep_their_place)
{
	rig r;
	const kind *k = begin(&r, _i);
	tr_err err = {0};
	uint64_t next = 1;

	ck_assert_int_eq(rig_send(&r, rig_batch(&r), &err), 0);
	ck_assert_uint_eq(rig_collect(&r, 1, 5000, &next, &err), 1);
	for (int b = 0; b < 6; b++) {
		tr_batch *batch = rig_batch(&r);
		if (b % 2 == 0)
			rig_add(&r, batch, 0, "1", "{}");
		ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	}
	ck_assert_uint_eq(rig_collect(&r, 6, 10000, &next, &err), 6);
	end(&r, k);
}
END_TEST

/* Without flush, too: a position must not wait for a file to be full. */
START_TEST(settles_without_flush)
{
	rig r;
	const kind *k = begin(&r, _i);
	tr_err err = {0};
	uint64_t next = 1;

	for (int b = 0; b < 5; b++) {
		tr_batch *batch = rig_batch(&r);
		rig_add(&r, batch, 0, "1", "{}");
		ck_assert_int_eq(rig_send(&r, batch, &err), 0);
		ck_assert_uint_eq(rig_collect(&r, 1, 5000, &next, &err), 1);
	}
	end(&r, k);
}
END_TEST

START_TEST(stops_at_the_first_failure)
{
	rig r;
	const kind *k = begin(&r, _i);
	tr_err err = {0};
	uint64_t next = 1;
	tr_batch *batch = rig_batch(&r);

	rig_add(&r, batch, 0, "1", "{}");
	ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	ck_assert_uint_eq(rig_collect(&r, 1, 10000, &next, &err), 1);
	if (k->damage) {
		k->damage(&r);
		bool failed = false;
		for (int b = 0; b < 5 && !failed; b++) {
			batch = rig_batch(&r);
			rig_add(&r, batch, 0, "1", "{}");
			failed = rig_send(&r, batch, &err) != 0;
		}
		ck_assert_uint_eq(rig_collect(&r, 5, 10000, &next, &err), 0);
		ck_assert_msg(err.code != TR_OK, "no error");
		ck_assert_msg(err.code == TR_E_SINK_IO || err.code == TR_E_SINK_TOPIC, "%s: %s", err.text, err.detail);
		ck_assert(err.text[0] && err.hint[0]);
		/* For good. */
		batch = rig_batch(&r);
		rig_add(&r, batch, 0, "1", "{}");
		ck_assert_int_eq(rig_send(&r, batch, &err), -1);
		ck_assert_int_eq(r.sink->ops->poll(r.sink, 0, &err), -1);
		ck_assert_int_eq(r.sink->ops->flush(r.sink, &err), -1);
	}
	end(&r, k);
}
END_TEST

START_TEST(free_gives_back_what_is_not_settled)
{
	rig r;
	const kind *k = begin(&r, _i);
	tr_err err = {0};

	for (int b = 0; b < RIG_BATCHES; b++) {
		tr_batch *batch = rig_batch(&r);
		for (int i = 0; i < 100; i++)
			rig_add(&r, batch, i % RIG_TOPICS, "1", "{}");
		ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	}
	rig_close(&r);
	for (int b = 0; b < RIG_BATCHES; b++)
		ck_assert_msg(tr_batch_take(r.pool, 0) != NULL, "batch %d is lost", b);
	for (int i = 0; i < RIG_TOPICS; i++)
		ck_assert(atomic_load(&r.topics[i].sink_handle) == NULL);
	end(&r, k);
}
END_TEST

START_TEST(opens_again_for_the_same_topics)
{
	rig r;
	const kind *k = begin(&r, _i);
	tr_err err = {0};

	for (int round = 0; round < 3; round++) {
		uint64_t next = r.sequence + 1;
		tr_batch *batch = rig_batch(&r);
		rig_add(&r, batch, 0, "1", "{}");
		ck_assert_int_eq(rig_send(&r, batch, &err), 0);
		ck_assert_uint_eq(rig_collect(&r, 1, 10000, &next, &err), 1);
		rig_close(&r);
		rig_open(&r);
	}
	if (k->read) {
		kept *out = calloc(1, sizeof(*out));
		k->read(&r, 0, 3, out);
		ck_assert_uint_eq(out->count, 3);
		free(out);
	}
	end(&r, k);
}
END_TEST

static void count_finding(void *context, const tr_finding *f)
{
	int *n = context;

	ck_assert(f->subject[0] && f->what[0]);
	if (f->severity == TR_FINDING_ERROR)
		ck_assert(f->code != TR_OK && f->fix[0]);
	++*n;
}

START_TEST(checks_and_makes_nothing)
{
	rig r;
	const kind *k = begin(&r, _i);
	tr_err err = {0};
	int n = 0;
	char out[128];

	r.options.name = "fresh"; /* without topics: the mock cluster has no controller that could describe them */
	ck_assert_msg(r.sink->ops->check(r.sink, count_finding, &n, &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_int_gt(n, 0);
	snprintf(out, sizeof(out), "%s/out", r.dir);
	ck_assert_int_ne(access(out, F_OK), 0);
	end(&r, k);
}
END_TEST

START_TEST(free_takes_null)
{
	tr_sink_at((size_t)_i)->free(NULL);
}
END_TEST

START_TEST(finds_by_scheme)
{
	const char *known = NULL;

	ck_assert_str_eq(tr_sink_find("kafka://a:1", &known)->kind, "kafka");
	ck_assert_str_eq(tr_sink_find("redpanda://a:1", NULL)->kind, "kafka");
	ck_assert_str_eq(tr_sink_find("file:/x", NULL)->kind, "file");
	ck_assert_str_eq(tr_sink_find("stdout", NULL)->kind, "stdout");
	ck_assert_str_eq(tr_sink_find("null:", NULL)->kind, "null");
	ck_assert(tr_sink_find("kafk://a:1", NULL) == NULL);
	ck_assert(tr_sink_find("", NULL) == NULL);
	ck_assert(strstr(known, "kafka redpanda") && strstr(known, "stdout"));
}
END_TEST

int main(void)
{
	const TTest *const each[] = {keeps_order, carries_absent_keys_and_values, empty_batches_keep_their_place,
	    settles_without_flush, stops_at_the_first_failure, free_gives_back_what_is_not_settled, opens_again_for_the_same_topics,
	    checks_and_makes_nothing, free_takes_null};
	Suite *suite = suite_create("sinks");
	TCase *cases = tcase_create("conformance");
	int rows = 0, failed;

	while (tr_sink_at((size_t)rows))
		rows++;
	tcase_set_timeout(cases, 60);
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		tcase_add_loop_test(cases, each[i], 0, rows);
	tcase_add_test(cases, finds_by_scheme);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
