/* The Kafka sink against a real broker (TR_TEST_KAFKA, as tests/services/all sets it; without it there is nothing to test):
 * what the mock cluster does not have, the Admin API. */
#include "sinks/kafka/topics.h"
#include "tests/unit/sinks/mock.h"
#include "tests/unit/sinks/rig.h"

static rig r;
static char url[128], name[64], names[RIG_TOPICS + 1][128];
static tr_err err;

static void setup(void)
{
	snprintf(url, sizeof(url), "kafka://%s", getenv("TR_TEST_KAFKA"));
	rig_init(&r, url);
	snprintf(name, sizeof(name), "unit-%ld-%lld", (long)getpid(), (long long)tr_clock_mono_us());
	snprintf(names[0], sizeof(names[0]), "%s.public.orders", name);
	snprintf(names[1], sizeof(names[1]), "%s.public.items", name);
	snprintf(names[2], sizeof(names[2]), "%s.transaction", name);
	snprintf(names[3], sizeof(names[3]), "%s.dead_letter", name);
	for (int i = 0; i < RIG_TOPICS; i++)
		r.topics[i].name = names[i];
	r.options.name = name;
}

/* Removes what the test made. */
static void teardown(void)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	rig_release(&r);
	rd_kafka_conf_set(conf, "bootstrap.servers", getenv("TR_TEST_KAFKA"), why, sizeof(why));
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_DeleteTopic_t *gone[RIG_TOPICS + 1];
	for (int i = 0; i <= RIG_TOPICS; i++)
		gone[i] = rd_kafka_DeleteTopic_new(names[i]);
	rd_kafka_DeleteTopics(rk, gone, RIG_TOPICS + 1, NULL, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_DeleteTopic_destroy_array(gone, RIG_TOPICS + 1);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}

static int send_one(int topic, const char *key, const char *value)
{
	tr_batch *batch = rig_batch(&r);

	rig_add(&r, batch, topic, key, value);
	return rig_send(&r, batch, &err);
}

static void collect_ok(size_t count)
{
	uint64_t next = r.sequence - count + 1;

	ck_assert_msg(rig_collect(&r, count, 20000, &next, &err) == count, "%s: %s", err.text, err.detail);
}

/* cleanup.policy and max.message.bytes by the room's own describe, partitions by the metadata. */
static void describe(tr_kafka_topic *topic, int *partitions)
{
	tr_kafka_client c;
	tr_kafka_options o = {.url = url, .pipeline = "test", .max_messages = 1000};
	const struct rd_kafka_metadata *m;

	ck_assert_msg(tr_kafka_client_open(&c, &o, &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_msg(tr_kafka_topics_describe(&c, topic, 1, &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_msg(tr_kafka_metadata(&c, true, &m, &err) == 0, "%s: %s", err.text, err.detail);
	*partitions = 0;
	for (int i = 0; i < m->topic_cnt; i++)
		if (strcmp(m->topics[i].topic, topic->name) == 0)
			*partitions = m->topics[i].partition_cnt;
	rd_kafka_metadata_destroy(m);
	tr_kafka_client_close(&c);
}

START_TEST(makes_topics_as_configured)
{
	static const tr_property p[] = {{"max.message.bytes", "3000000"}, {"retention.ms", "86400000"}};
	tr_kafka_topic t = {.name = names[0]};
	int partitions;

	r.options.partitions = 3;
	r.options.cleanup_policy = "compact,delete";
	r.options.topic_properties = p;
	r.options.topic_property_count = 2;
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	rig_add(&r, batch, 0, "1", "{}");
	rig_add(&r, batch, 1, NULL, "{}");
	rig_add(&r, batch, 2, "1", "{}");
	ck_assert_msg(rig_send(&r, batch, &err) == 0, "%s: %s", err.text, err.detail);
	collect_ok(1);
	describe(&t, &partitions);
	ck_assert_int_eq(partitions, 3);
	ck_assert_int_eq(t.max_message_bytes, 3000000);
	ck_assert(strstr(t.cleanup_policy, "compact") && strstr(t.cleanup_policy, "delete"));
	t = (tr_kafka_topic){.name = names[1]};
	describe(&t, &partitions);
	ck_assert_int_eq(partitions, 3);
	ck_assert_str_eq(t.cleanup_policy, "delete"); /* no key: it could not be compacted */
	t = (tr_kafka_topic){.name = names[2]};
	describe(&t, &partitions);
	ck_assert_int_eq(partitions, 1);
}
END_TEST

/* The topic's own limit counts, not the client's or the broker's default. */
START_TEST(takes_the_limit_of_the_topic)
{
	static const tr_property p = {"max.message.bytes", "3000000"};
	char *large = calloc(1, 3000000);

	memset(large, 'x', 3000000);
	r.options.topic_properties = &p;
	r.options.topic_property_count = 1;
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	rig_add_bytes(&r, batch, 0, "1", large, 3000000 - 87);
	ck_assert_msg(rig_send(&r, batch, &err) == 0, "%s: %s", err.text, err.detail);
	collect_ok(1);
	batch = rig_batch(&r);
	rig_add_bytes(&r, batch, 0, "1", large, 3000000);
	ck_assert_int_eq(rig_send(&r, batch, &err), -1);
	ck_assert_int_eq(err.code, TR_E_RECORD_OVERSIZE);
	ck_assert(strstr(err.detail, "the limit is 3000000"));
	free(large);
}
END_TEST

START_TEST(dead_letter_topic_is_made)
{
	static char large[1100000];
	tr_kafka_topic t = {.name = names[3]};
	int partitions;

	memset(large, 'x', sizeof(large));
	r.options.oversize = TR_OVERSIZE_DEAD_LETTER;
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	rig_add_bytes(&r, batch, 0, "1", large, sizeof(large));
	ck_assert_msg(rig_send(&r, batch, &err) == 0, "%s: %s", err.text, err.detail);
	collect_ok(1);
	describe(&t, &partitions);
	ck_assert_int_eq(partitions, 1);
}
END_TEST

START_TEST(missing_topic_without_create)
{
	r.options.create_topics = false;
	rig_open(&r);
	ck_assert_int_eq(send_one(0, "1", "{}"), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_TOPIC);
	ck_assert(strstr(err.text, names[0]) && strstr(err.hint, "sink.topics.create"));
}
END_TEST

START_TEST(broker_refuses_the_topic)
{
	static const tr_property p = {"max.message.byte", "1"};
	int partitions;
	tr_kafka_topic t = {.name = names[0]};

	r.options.topic_properties = &p;
	r.options.topic_property_count = 1;
	rig_open(&r);
	ck_assert_int_eq(send_one(0, "1", "{}"), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_TOPIC);
	ck_assert_msg(strstr(err.detail, "max.message.byte") != NULL, "%s", err.detail);
	rig_close(&r);
	r.options.topic_property_count = 0;
	r.options.replication = 7;
	rig_open(&r);
	ck_assert_int_eq(send_one(0, "1", "{}"), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_TOPIC);
	rig_close(&r);
	r.options.replication = 1;
	r.topics[0].name = "not a topic name";
	rig_open(&r);
	ck_assert_int_eq(send_one(0, "1", "{}"), -1);
	ck_assert_msg(err.code == TR_E_SINK_TOPIC, "%s: %s", err.text, err.detail);
	describe(&t, &partitions);
	ck_assert_int_eq(partitions, 0);
}
END_TEST

/* A topic that accepts less than a request: refused before the broker would refuse records. */
START_TEST(topic_smaller_than_a_request)
{
	static const tr_property topic = {"max.message.bytes", "50000"}, batch_size = {"batch.size", "50000"};

	r.options.topic_properties = &topic;
	r.options.topic_property_count = 1;
	rig_open(&r);
	ck_assert_int_eq(send_one(0, "1", "{}"), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_TOPIC);
	ck_assert_msg(strstr(err.hint, "batch.size: 50000") != NULL, "%s", err.hint);
	rig_close(&r);
	r.options.properties = &batch_size;
	r.options.property_count = 1;
	rig_open(&r);
	for (int b = 0; b < 10; b++) {
		tr_batch *batch = rig_batch(&r);
		for (int i = 0; i < 5000; i++)
			rig_add(&r, batch, 0, "k", "01234567890123456789012345678901234567890123456789");
		ck_assert_msg(rig_send(&r, batch, &err) == 0, "%s: %s", err.text, err.detail);
	}
	collect_ok(10);
}
END_TEST

/* A record without a key in a compacted topic that was there before: the broker refuses it, the sink stops. */
START_TEST(no_key_in_a_compacted_topic)
{
	uint64_t next;

	r.options.cleanup_policy = "compact";
	rig_open(&r);
	ck_assert_int_eq(send_one(0, "1", "{}"), 0);
	collect_ok(1);
	ck_assert_int_eq(send_one(0, NULL, "{}"), 0);
	next = r.sequence;
	ck_assert_uint_eq(rig_collect(&r, 1, 10000, &next, &err), 0);
	ck_assert_msg(err.code == TR_E_SINK_TOPIC, "%s: %s", err.text, err.detail);
	ck_assert(strstr(err.text, names[0]));
}
END_TEST

typedef struct counted {
	size_t count;
	bool order;
} counted;

static void see(void *context, const rd_kafka_message_t *m)
{
	counted *c = context;

	c->order = (c->count == 0 || c->order) && (size_t)strtol(m->payload, NULL, 10) == c->count;
	c->count++;
}

START_TEST(a_hundred_thousand_in_order)
{
	counted c = {0};
	uint64_t next = 1;
	size_t collected = 0;
	int n = 0;

	rig_open(&r);
	for (int b = 0; b < 100; b++) {
		tr_batch *batch = rig_batch(&r);
		for (int i = 0; i < 1000; i++, n++) {
			char value[128];
			snprintf(value, sizeof(value), "%d %0100d", n, n);
			rig_add(&r, batch, 0, "k", value);
		}
		ck_assert_msg(rig_send(&r, batch, &err) == 0, "%s: %s", err.text, err.detail);
		while (r.sequence - collected > RIG_BATCHES / 2)
			collected += rig_collect(&r, 1, 10000, &next, &err);
	}
	collected += rig_collect(&r, 100 - collected, 20000, &next, &err);
	ck_assert_uint_eq(collected, 100);
	mock_read(getenv("TR_TEST_KAFKA"), names[0], 1, 100000, see, &c);
	ck_assert_uint_eq(c.count, 100000);
	ck_assert(c.order);
}
END_TEST

static void keep_worst(void *context, const tr_finding *f)
{
	tr_finding *worst = context;

	if (f->severity >= worst->severity)
		*worst = *f;
}

START_TEST(check_finds_trouble_and_makes_nothing)
{
	static const tr_property p = {"max.message.byte", "1"};
	tr_finding worst = {0};

	rig_open(&r);
	ck_assert_msg(r.sink->ops->check(r.sink, keep_worst, &worst, &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_msg(worst.severity <= TR_FINDING_NOTE, "%s: %s", worst.subject, worst.what);
	rig_close(&r);
	r.options.topic_properties = &p;
	r.options.topic_property_count = 1;
	rig_open(&r);
	ck_assert_int_eq(r.sink->ops->check(r.sink, keep_worst, &worst, &err), 0);
	ck_assert_int_eq(worst.severity, TR_FINDING_ERROR);
	ck_assert_int_eq(worst.code, TR_E_SINK_TOPIC);
	ck_assert_msg(strstr(worst.what, "max.message.byte") != NULL, "%s", worst.what);
	rig_close(&r);
	worst = (tr_finding){0};
	r.options.topic_property_count = 0;
	r.options.replication = 7;
	rig_open(&r);
	ck_assert_int_eq(r.sink->ops->check(r.sink, keep_worst, &worst, &err), 0);
	ck_assert_int_eq(worst.severity, TR_FINDING_ERROR);
	int partitions;
	snprintf(names[3], sizeof(names[3]), "%s.tailrace-check", name);
	describe(&(tr_kafka_topic){.name = names[3]}, &partitions);
	ck_assert_int_eq(partitions, 0);
}
END_TEST

int main(void)
{
	const TTest *const each[] = {makes_topics_as_configured, takes_the_limit_of_the_topic, dead_letter_topic_is_made,
	    missing_topic_without_create, broker_refuses_the_topic, topic_smaller_than_a_request, no_key_in_a_compacted_topic,
	    a_hundred_thousand_in_order, check_finds_trouble_and_makes_nothing};

	if (!getenv("TR_TEST_KAFKA")) {
		fprintf(stderr, "skipped: TR_TEST_KAFKA is not set; start the servers with ./test, or by tests/services/all\n");
		return 77;
	}
	Suite *suite = suite_create("kafka sink, real broker");
	TCase *cases = tcase_create("kafka sink, real broker");
	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		tcase_add_test(cases, each[i]);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
