/* The Kafka sink against librdkafka's mock cluster: properties, errors of brokers, outages, headers, partitions, size. */
#include "tests/unit/sinks/mock.h"
#include "tests/unit/sinks/rig.h"

static rig r;
static mock m;
static tr_err err;

static void setup(void)
{
	mock_open(&m, 1);
	rig_init(&r, m.url);
}

static void teardown(void)
{
	rig_close(&r);
	mock_close(&m);
	rig_release(&r);
}

static const char *brokers(void)
{
	return m.url + strlen("kafka://");
}

static void send_ok(tr_batch *batch)
{
	ck_assert_msg(rig_send(&r, batch, &err) == 0, "%s: %s", err.text, err.detail);
}

static void collect_ok(size_t count, int timeout_ms)
{
	uint64_t next = r.sequence - count + 1;

	ck_assert_msg(rig_collect(&r, count, timeout_ms, &next, &err) == count, "%s: %s", err.text, err.detail);
}

static void refused(const char *key, const char *value, const char *in_text)
{
	tr_property p = {key, value};
	tr_sink *s = NULL;

	r.options.properties = &p;
	r.options.property_count = 1;
	ck_assert_msg(tr_sink_kafka.open(&s, &r.options, NULL, &err) == -1, "%s=%s was accepted", key, value);
	ck_assert(s == NULL);
	ck_assert_int_eq(err.code, TR_E_SINK_CONFIG);
	ck_assert_msg(strstr(err.text, in_text) != NULL, "%s", err.text);
}

START_TEST(protects_the_guarantees)
{
	refused("enable.idempotence", "false", "enable.idempotence");
	refused("acks", "1", "acks");
	refused("request.required.acks", "0", "acks");
	refused("enable.gapless.guarantee", "false", "gapless");
	refused("message.timeout.ms", "1000", "message.timeout.ms");
	refused("delivery.timeout.ms", "120000", "message.timeout.ms");
	refused("delivery.report.only.error", "true", "delivery.report.only.error");
	refused("queuing.strategy", "lifo", "queuing.strategy");
	refused("transactional.id", "x", "transactional.id");
	refused("bootstrap.servers", "a:1", "sink.url");
	refused("allow.auto.create.topics", "true", "allow.auto.create.topics");
}
END_TEST

START_TEST(names_the_bad_property)
{
	refused("linger.msec", "5", "linger.msec");
	ck_assert_msg(strstr(err.detail, "No such configuration property") != NULL, "%s", err.detail);
	refused("linger.ms", "soon", "linger.ms");
	refused("compression.type", "rar", "compression.type");
	refused("max.in.flight", "100", "do not fit together");
	ck_assert(strstr(err.detail, "max.in.flight") != NULL);
}
END_TEST

START_TEST(refuses_urls)
{
	static const char *const urls[] = {"kafka:", "kafka://", "kafka:///x", "kafka://user:secret@host:1"};
	tr_sink *s;

	for (size_t i = 0; i < 4; i++) {
		r.options.url = urls[i];
		ck_assert_int_eq(tr_sink_kafka.open(&s, &r.options, NULL, &err), -1);
		ck_assert_int_eq(err.code, TR_E_SINK_CONFIG);
		ck_assert(!strstr(err.text, "secret"));
	}
}
END_TEST

START_TEST(passes_properties_through)
{
	static const tr_property p[] = {{"compression.type", "gzip"}, {"acks", "all"}, {"request.required.acks", "-1"},
	    {"enable.idempotence", "true"}, {"linger.ms", "1"}, {"client.id", "me"}, {"max.in.flight", "1"}};

	r.options.properties = p;
	r.options.property_count = sizeof(p) / sizeof(p[0]);
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	rig_add(&r, batch, 0, "1", "{}");
	send_ok(batch);
	collect_ok(1, 10000);
}
END_TEST

typedef struct seen {
	size_t count;
	int next;
	bool order;
	int32_t partition[64];
	char key[64][64];
	char headers[256];
} seen;

static void see(void *context, const rd_kafka_message_t *msg)
{
	seen *s = context;
	rd_kafka_headers_t *h;
	int n = msg->payload ? (int)strtol(msg->payload, NULL, 10) : -1;

	s->order = (s->count == 0 || s->order) && n == s->next;
	s->next++;
	if (s->count < 64) {
		s->partition[s->count] = msg->partition;
		snprintf(s->key[s->count], 64, "%.*s", (int)msg->key_len, msg->key ? (const char *)msg->key : "");
	}
	if (rd_kafka_message_headers(msg, &h) == 0) {
		const char *name;
		const void *value;
		size_t len;
		s->headers[0] = '\0';
		for (size_t i = 0; rd_kafka_header_get_all(h, i, &name, &value, &len) == 0; i++) {
			size_t at = strlen(s->headers);
			snprintf(s->headers + at, sizeof(s->headers) - at, "%s=%.*s;", name, (int)len, (const char *)value);
		}
	}
	s->count++;
}

static void send_numbers(int from, int count)
{
	tr_batch *batch = rig_batch(&r);

	for (int i = 0; i < count; i++) {
		char value[16];
		snprintf(value, sizeof(value), "%d", from + i);
		rig_add(&r, batch, 0, "k", value);
	}
	send_ok(batch);
}

/* Errors that pass, over and over: every record once, in order. */
START_TEST(retries_keep_order)
{
	static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
	    RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, RD_KAFKA_RESP_ERR__TRANSPORT};
	seen s = {0};

	rig_open(&r);
	send_numbers(0, 10);
	collect_ok(1, 10000);
	for (int i = 0; i < 12; i++) {
		rd_kafka_mock_push_request_errors(m.cluster, MOCK_PRODUCE, 1, errors[i % 4]);
		send_numbers(10 + i * 10, 10);
	}
	collect_ok(12, 40000);
	rig_close(&r);
	mock_read(brokers(), r.topics[0].name, 4, 130, see, &s);
	ck_assert_uint_eq(s.count, 130);
	ck_assert(s.order);
}
END_TEST

START_TEST(outage_fails_nothing)
{
	seen s = {0};
	uint64_t next;

	rig_open(&r);
	send_numbers(0, 10);
	collect_ok(1, 10000);
	rd_kafka_mock_broker_set_down(m.cluster, 1);
	for (int i = 1; i < 10; i++)
		send_numbers(i * 10, 10);
	next = r.sequence - 8;
	ck_assert_uint_eq(rig_collect(&r, 9, 4000, &next, &err), 0);
	ck_assert_msg(err.code == TR_OK, "%s: %s", err.text, err.detail);
	rd_kafka_mock_broker_set_up(m.cluster, 1);
	collect_ok(9, 30000);
	rig_close(&r);
	mock_read(brokers(), r.topics[0].name, 4, 100, see, &s);
	ck_assert_uint_eq(s.count, 100);
	ck_assert(s.order);
}
END_TEST

START_TEST(free_during_an_outage)
{
	rig_open(&r);
	send_numbers(0, 10);
	collect_ok(1, 10000);
	rd_kafka_mock_broker_set_down(m.cluster, 1);
	for (int i = 0; i < 20; i++)
		send_numbers(i, 100);
	int64_t begin_us = tr_clock_mono_us();
	rig_close(&r);
	ck_assert_int_lt(tr_clock_mono_us() - begin_us, 5000000);
	for (int b = 0; b < RIG_BATCHES; b++)
		ck_assert(tr_batch_take(r.pool, 0) != NULL);
	rd_kafka_mock_broker_set_up(m.cluster, 1);
}
END_TEST

/* Permanent errors of brokers, and what they are to us. */
START_TEST(classifies)
{
	static const struct {
		rd_kafka_resp_err_t error;
		tr_err_code code;
	} rows[] = {
		{RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, TR_E_SINK_AUTH},
		{RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, TR_E_SINK_AUTH},
		{RD_KAFKA_RESP_ERR_INVALID_RECORD, TR_E_SINK_TOPIC},
		{RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, TR_E_RECORD_OVERSIZE},
		{RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, TR_E_SINK_FATAL},
	};
	uint64_t next;

	rig_open(&r);
	send_numbers(0, 1);
	collect_ok(1, 10000);
	rd_kafka_mock_push_request_errors(m.cluster, MOCK_PRODUCE, 1, rows[_i].error);
	send_numbers(1, 10);
	send_numbers(11, 10);
	next = r.sequence - 1;
	ck_assert_uint_eq(rig_collect(&r, 2, 10000, &next, &err), 0);
	ck_assert_msg(err.code == rows[_i].code, "%s is %s: %s: %s", rd_kafka_err2name(rows[_i].error), tr_err_symbol(err.code), err.text,
	    err.detail);
	ck_assert_msg(strstr(err.text, "shop.public.orders") != NULL, "%s", err.text);
}
END_TEST

START_TEST(no_broker_is_there)
{
	r.options.url = "kafka://127.0.0.1:9";
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	rig_add(&r, batch, 0, "1", "{}");
	ck_assert_int_eq(rig_send(&r, batch, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_UNAVAILABLE);
	ck_assert_msg(strstr(err.text, "127.0.0.1:9") && strstr(err.detail, "refused"), "%s: %s", err.text, err.detail);
	ck_assert_int_eq(tr_err_reaction(err.code), TR_REACT_RETRY);
}
END_TEST

START_TEST(interrupt_ends_a_wait)
{
	r.options.url = "kafka://127.0.0.1:9";
	rig_open(&r);
	r.sink->ops->interrupt(r.sink);
	tr_batch *batch = rig_batch(&r);
	rig_add(&r, batch, 0, "1", "{}");
	int64_t begin_us = tr_clock_mono_us();
	ck_assert_int_eq(rig_send(&r, batch, &err), -1);
	ck_assert_int_eq(err.code, TR_E_INTERRUPTED);
	ck_assert_int_lt(tr_clock_mono_us() - begin_us, 3000000);
}
END_TEST

/* The extra header comes first, then the shared ones in order; records without any go between in order. */
START_TEST(headers)
{
	static const char *const expected[] = {"a=1;b=;", "__debezium.newkey=nk;a=1;b=;", "__debezium.oldkey=ok;"};
	tr_header shared[] = {{"a", {(const uint8_t *)"1", 1}}, {"b", {NULL, 0}}};

	rig_open(&r);
	for (int i = 0; i < 3; i++) {
		seen s = {0};
		tr_batch *batch = rig_batch(&r);
		batch->headers = shared;
		batch->header_count = 2;
		rig_add(&r, batch, i, "k", "0");
		tr_record *record = rig_add(&r, batch, i, "k", "1");
		record->shared_headers = i < 2;
		if (i > 0) {
			record->extra_name = i == 1 ? "__debezium.newkey" : "__debezium.oldkey";
			record->extra_at = (uint32_t)batch->bytes.len;
			record->extra_len = 2;
			tr_writer_text(&batch->bytes, i == 1 ? "nk" : "ok");
		}
		rig_add(&r, batch, i, "k", "2");
		send_ok(batch);
		collect_ok(1, 10000);
		mock_read(brokers(), r.topics[i].name, 4, 3, see, &s);
		ck_assert_uint_eq(s.count, 3);
		ck_assert(s.order);
		ck_assert_str_eq(s.headers, expected[i]);
	}
}
END_TEST

/* The partitions that Java's murmur2 gives these keys among four. */
START_TEST(partitions_as_java_does)
{
	static const struct {
		const char *key;
		int32_t partition;
	} rows[] = {{"21", 0}, {"foobar", 2}, {"a-little-bit-long-string", 0}, {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 1}};
	seen s = {0};
	size_t found = 0;

	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	for (size_t i = 0; i < 4; i++)
		rig_add(&r, batch, 0, rows[i].key, "0");
	send_ok(batch);
	collect_ok(1, 10000);
	mock_read(brokers(), r.topics[0].name, 4, 4, see, &s);
	for (size_t k = 0; k < s.count; k++)
		for (size_t i = 0; i < 4; i++)
			found += strcmp(s.key[k], rows[i].key) == 0 && s.partition[k] == rows[i].partition;
	ck_assert_uint_eq(found, 4);
}
END_TEST

static tr_batch *large_batch(size_t bytes)
{
	tr_batch *batch = rig_batch(&r);
	char *large = calloc(1, bytes);

	memset(large, 'x', bytes);
	rig_add(&r, batch, 0, "k", "0");
	rig_add_bytes(&r, batch, 0, "secret-key", large, bytes)->op = 'u';
	rig_add(&r, batch, 0, "k", "1");
	free(large);
	return batch;
}

START_TEST(oversize_stops)
{
	rig_open(&r);
	tr_batch *batch = large_batch(1048588);
	ck_assert_int_eq(rig_send(&r, batch, &err), -1);
	ck_assert_int_eq(err.code, TR_E_RECORD_OVERSIZE);
	ck_assert(strstr(err.text, "shop.public.orders"));
	ck_assert_msg(strstr(err.detail, "1048684 bytes") && strstr(err.detail, "key: 10 bytes"), "%s", err.detail);
	ck_assert(!strstr(err.text, "secret-key") && !strstr(err.detail, "secret-key") && !strstr(err.hint, "secret-key"));
	/* One that just fits goes. */
	send_ok(large_batch(1048588 - 86 - 10));
	collect_ok(1, 20000);
}
END_TEST

static void keep_text(void *context, const rd_kafka_message_t *msg)
{
	snprintf(context, 100000, "%.*s", (int)msg->len, (const char *)msg->payload);
}

START_TEST(oversize_to_dead_letter)
{
	static char text[100000];
	seen s = {0};

	r.options.oversize = TR_OVERSIZE_DEAD_LETTER;
	rig_open(&r);
	tr_batch *batch = large_batch(2000000);
	tr_writer_text(&batch->position, "{\"lsn\":\"0/1\"}");
	send_ok(batch);
	collect_ok(1, 10000);
	mock_read(brokers(), r.topics[0].name, 4, 2, see, &s);
	ck_assert_uint_eq(s.count, 2);
	ck_assert(s.order);
	mock_read(brokers(), "shop.dead_letter", 4, 1, keep_text, text);
	const char *head = "{\"topic\":\"shop.public.orders\",\"op\":\"u\",\"size\":2000096,\"limit\":1048588,\"timestamp_ms\":1700000000000,"
	                   "\"position\":{\"lsn\":\"0/1\"},\"key_size\":10,\"key_base64\":\"c2VjcmV0LWtleQ==\",\"key_truncated\":false,"
	                   "\"value_size\":2000000,\"value_base64\":\"eHh4";
	ck_assert_msg(strncmp(text, head, strlen(head)) == 0, "%.300s", text);
	ck_assert(strstr(text, "\",\"value_truncated\":true}"));
	ck_assert_int_eq(tr_metric_get(&r.metrics, TR_M_DEAD_LETTERS), 1);
}
END_TEST

/* Batches larger than the queue: taken, finished in poll; the next one waits. */
START_TEST(small_queue)
{
	static const tr_property p = {"queue.buffering.max.messages", "100"};
	seen s = {0};

	r.options.properties = &p;
	r.options.property_count = 1;
	rig_open(&r);
	for (int b = 0; b < 5; b++)
		send_numbers(b * 700, 700);
	collect_ok(5, 30000);
	rig_close(&r);
	mock_read(brokers(), r.topics[0].name, 4, 3500, see, &s);
	ck_assert_uint_eq(s.count, 3500);
	ck_assert(s.order);
}
END_TEST

static void count_findings(void *context, const tr_finding *f)
{
	int *n = context;

	n[f->severity]++;
}

START_TEST(check_reaches_the_cluster)
{
	int n[4] = {0};

	rig_open(&r);
	r.options.create_topics = false;
	r.options.name = "fresh"; /* topics that are there would be described by the controller, and the mock cluster has none */
	ck_assert_msg(r.sink->ops->check(r.sink, count_findings, n, &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_int_ge(n[TR_FINDING_OK], 1);
	ck_assert_int_eq(n[TR_FINDING_ERROR], 0);
}
END_TEST

START_TEST(check_without_a_broker)
{
	int n[4] = {0};

	r.options.url = "kafka://127.0.0.1:9";
	rig_open(&r);
	ck_assert_int_eq(r.sink->ops->check(r.sink, count_findings, n, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_UNAVAILABLE);
}
END_TEST

int main(void)
{
	const TTest *const each[] = {protects_the_guarantees, names_the_bad_property, refuses_urls, passes_properties_through,
	    retries_keep_order, outage_fails_nothing, free_during_an_outage, no_broker_is_there, interrupt_ends_a_wait, headers,
	    partitions_as_java_does, oversize_stops, oversize_to_dead_letter, small_queue, check_reaches_the_cluster,
	    check_without_a_broker};
	Suite *suite = suite_create("kafka sink");
	TCase *cases = tcase_create("kafka sink");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		tcase_add_test(cases, each[i]);
	tcase_add_loop_test(cases, classifies, 0, 5);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
