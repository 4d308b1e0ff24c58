/* The state in Kafka against a real broker (TR_TEST_KAFKA; without it there is nothing to test): what others do to the topic. */
#include <pthread.h>
#include <sys/stat.h>

#include "state/kafka/frame.h"
#include "state/store.h"
#include "tests/unit/state/topic.h"

#define POSITION "{\"lsn\":\"0/%llu\"}"

static const tr_store_ops *ops;
static const char *brokers;
static char topic[128], url[256], dir[64], backup[512];
static tr_err err;
static tr_record_state record;
static volatile bool stop;

static void setup(void)
{
	ops = tr_store_find("kafka", NULL);
	brokers = getenv("TR_TEST_KAFKA");
	topic_name(topic, sizeof(topic));
	snprintf(url, sizeof(url), "kafka://%s/%s", brokers, topic);
	snprintf(dir, sizeof(dir), "/tmp/tr-state-XXXXXX");
	ck_assert(mkdtemp(dir) != NULL);
	tr_record_state_init(&record);
	stop = false;
}

static void teardown(void)
{
	char command[128];

	tr_record_state_release(&record);
	topic_delete(brokers, topic);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert(system(command) == 0);
}

static int try_open(tr_store **out, bool read_only)
{
	tr_err_clear(&err);
	return ops->open(out, &(tr_store_options){.url = url, .pipeline = "shop", .read_only = read_only, .copies = dir}, &err);
}

static tr_store *open_store(bool read_only)
{
	tr_store *s;

	ck_assert_msg(try_open(&s, read_only) == 0, "%s: %s", err.text, err.detail);
	return s;
}

static int save(tr_store *s, uint64_t sequence)
{
	tr_record_state r;

	tr_err_clear(&err);
	tr_record_state_init(&r);
	tr_writer_format(&r.position, POSITION, (unsigned long long)sequence);
	r.sequence = sequence;
	int result = ops->save(s, &r, &err);
	tr_record_state_release(&r);
	return result;
}

static void save_ok(tr_store *s, uint64_t sequence)
{
	ck_assert_msg(save(s, sequence) == 0, "%s: %s", err.text, err.detail);
}

static int load(tr_store *s)
{
	tr_err_clear(&err);
	tr_record_state_release(&record);
	tr_record_state_init(&record);
	return ops->load(s, &record, &err);
}

static void holds(tr_store *s, uint64_t sequence)
{
	ck_assert_msg(load(s) == 1, "%s: %s", err.text, err.detail);
	ck_assert_uint_eq(record.sequence, sequence);
}

static void make(uint64_t saves)
{
	tr_store *s = open_store(false);

	for (uint64_t n = 1; n <= saves; n++)
		save_ok(s, n);
	ops->free(s);
}

/* Both kinds of opening, then loading, must refuse; a save must, too. Whatever lies there stays. */
static void refused(tr_err_code code, const char *words)
{
	tr_store *s;

	for (int read_only = 0; read_only < 2; read_only++) {
		int result = try_open(&s, read_only);
		if (result == 0)
			result = load(s);
		ck_assert_msg(result == -1, "accepted (read only %d): %d, %llu", read_only, result, (unsigned long long)record.sequence);
		ck_assert_msg(err.code == code, "%s: %s: %s", tr_err_symbol(err.code), err.text, err.detail);
		ck_assert_msg(strstr(err.text, topic) != NULL, "%s", err.text);
		ck_assert_msg(strstr(err.text, words) || strstr(err.detail, words), "%s: %s", err.text, err.detail);
		ck_assert(err.detail[0] && err.hint[0]);
		if (s && !read_only)
			ck_assert(save(s, 1000) == -1 && err.code == code);
		ops->free(s);
	}
}

/* The way out: afterwards there is nothing, and saves count anew. Returns what the copy holds. */
static const char *reset_helps(void)
{
	static char text[4096];
	tr_store *s = open_store(false);

	text[0] = '\0';
	load(s);
	ck_assert_msg(ops->reset(s, backup, sizeof(backup), &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_msg(load(s) == 0, "%s: %s", err.text, err.detail);
	ops->free(s);
	s = open_store(false);
	ck_assert_msg(load(s) == 0, "%s: %s", err.text, err.detail);
	save_ok(s, 1);
	holds(s, 1);
	ops->free(s);
	if (backup[0]) {
		FILE *in = fopen(backup, "r");
		ck_assert(in != NULL);
		text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
		fclose(in);
	}
	return text;
}

/* A value as the store would write it under this key. */
static void put_frame(const char *key, const char *frame_key, uint64_t serial, const char *text)
{
	tr_writer w;

	tr_writer_init(&w, 65536);
	tr_state_frame_put(&w, tr_slice_str(frame_key), serial, tr_slice_str(text));
	tr_writer_u8(&w, 0);
	topic_put(brokers, topic, 0, key, (const char *)w.data);
	tr_writer_release(&w);
}

#define BODY(version, name, sequence)                                                                                      \
	"{\"version\":" version ",\"pipeline\":\"" name "\",\"source\":{},\"position\":{\"lsn\":\"0/1\"},"                    \
	"\"snapshot\":{\"state\":\"done\",\"tables\":{}},\"sequence\":" sequence ",\"saved_at_ms\":1,\"writer\":\"tailrace 9\"" \
	"}"

START_TEST(reader_of_no_topic)
{
	tr_store *s = open_store(true);

	ck_assert_int_eq(load(s), 0);
	ck_assert_int_eq(ops->list(s, NULL, NULL, &err), 0);
	ops->free(s);
	make(0); /* for teardown; and an empty topic holds nothing */
	s = open_store(true);
	ck_assert_int_eq(load(s), 0);
	ops->free(s);
}
END_TEST

START_TEST(made_compacted)
{
	make(1);
	rd_kafka_t *rk = topic_client(brokers, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	size_t n, count;
	int right = 0;

	rd_kafka_DescribeConfigs(rk, &resource, 1, NULL, queue);
	rd_kafka_event_t *event = topic_answer(queue);
	const rd_kafka_ConfigResource_t **r =
	    rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(r[0], &count);
	for (size_t i = 0; i < count; i++) {
		const char *name = rd_kafka_ConfigEntry_name(entries[i]), *value = rd_kafka_ConfigEntry_value(entries[i]);
		right += strcmp(name, "cleanup.policy") == 0 && strcmp(value, "compact") == 0;
		right += strcmp(name, "segment.bytes") == 0 && strcmp(value, "8388608") == 0;
		right += strcmp(name, "retention.ms") == 0 && strcmp(value, "-1") == 0;
	}
	ck_assert_int_eq(right, 3);
	rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}
END_TEST

START_TEST(other_policies_are_refused)
{
	static const char *const policies[] = {"delete", "compact,delete"};
	const char *settings[] = {"cleanup.policy", policies[_i], NULL};

	topic_create(brokers, topic, 1, settings);
	refused(TR_E_SINK_TOPIC, "cleanup.policy");
	ck_assert_msg(strstr(err.hint, "kafka-configs") && strstr(err.hint, "cleanup.policy=compact"), "%s", err.hint);
}
END_TEST

typedef struct opened {
	rd_kafka_t *rk;
	int64_t after_ms;
} opened;

static void *abort_later(void *context)
{
	opened *o = context;

	tr_clock_sleep_ms((int)o->after_ms);
	rd_kafka_abort_transaction(o->rk, 20000);
	return NULL;
}

/* A transaction of another producer that is left open, with records in front of ours. */
static rd_kafka_t *open_transaction(void)
{
	char id[160];

	snprintf(id, sizeof(id), "%s-other", topic);
	rd_kafka_t *rk = topic_client(brokers, id);
	ck_assert(!rd_kafka_init_transactions(rk, 20000));
	ck_assert(!rd_kafka_begin_transaction(rk));
	topic_queue(rk, topic, 0, "other", "{\"tailrace_state\":1}");
	ck_assert(rd_kafka_flush(rk, 20000) == 0);
	return rk;
}

/* The end for a reader of committed records stands in front of it, and the older of our records, too. */
START_TEST(waits_behind_an_open_transaction)
{
	pthread_t thread;

	make(1);
	opened o = {.rk = open_transaction(), .after_ms = 2500};
	tr_store *s = open_store(false);
	int64_t began_us = tr_clock_mono_us();
	pthread_create(&thread, NULL, abort_later, &o);
	save_ok(s, 2);
	holds(s, 2);
	ck_assert_int_gt(tr_clock_mono_us() - began_us, 2000000);
	pthread_join(thread, NULL);
	rd_kafka_destroy(o.rk);
	ops->free(s);
}
END_TEST

static void *stop_later(void *context)
{
	tr_clock_sleep_ms(700);
	stop = true;
	return context;
}

START_TEST(stops_while_it_waits)
{
	tr_store *s;
	pthread_t thread;

	make(1);
	rd_kafka_t *rk = open_transaction();
	ck_assert(ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop", .stop = &stop}, &err) == 0);
	pthread_create(&thread, NULL, stop_later, NULL);
	int64_t began_us = tr_clock_mono_us();
	ck_assert_int_eq(load(s), -1);
	ck_assert_int_eq(err.code, TR_E_INTERRUPTED);
	ck_assert_int_lt(tr_clock_mono_us() - began_us, 3000000);
	pthread_join(thread, NULL);
	ops->free(s);
	rd_kafka_destroy(rk);
}
END_TEST

/* A service waits for its brokers until it is stopped. */
START_TEST(brokers_away)
{
	tr_store *s;
	pthread_t thread;
	char away[256];

	make(1);
	snprintf(away, sizeof(away), "kafka://127.0.0.1:1/%s", topic);
	pthread_create(&thread, NULL, stop_later, NULL);
	int64_t began_us = tr_clock_mono_us();
	ck_assert_int_eq(ops->open(&s, &(tr_store_options){.url = away, .pipeline = "shop", .stop = &stop}, &err), -1);
	ck_assert_int_eq(err.code, TR_E_INTERRUPTED);
	ck_assert_int_lt(tr_clock_mono_us() - began_us, 6000000);
	pthread_join(thread, NULL);
	/* A command does not. */
	ck_assert_int_eq(ops->open(&s, &(tr_store_options){.url = away, .pipeline = "shop", .read_only = true}, &err), -1);
	ck_assert_msg(err.code == TR_E_SINK_UNAVAILABLE, "%s", err.text);
	ck_assert(err.hint[0] && s == NULL);
}
END_TEST

START_TEST(topic_removed_meanwhile)
{
	tr_store *s = open_store(false);

	save_ok(s, 1);
	topic_delete(brokers, topic);
	int64_t began_us = tr_clock_mono_us();
	ck_assert_int_eq(save(s, 2), -1);
	ck_assert_msg(err.code == TR_E_SINK_TOPIC, "%s: %s", err.text, err.detail);
	ck_assert_int_eq(load(s), -1);
	ck_assert_msg(err.code == TR_E_SINK_TOPIC, "%s: %s", err.text, err.detail);
	ck_assert(strstr(err.text, topic) && err.hint[0]);
	ck_assert_int_lt(tr_clock_mono_us() - began_us, 50000000);
	ops->free(s);
	make(0); /* for teardown */
}
END_TEST

START_TEST(truncated)
{
	make(3);
	topic_cut(brokers, topic, 0, -1);
	refused(TR_E_STATE_CORRUPT, "beginning was removed");
	ck_assert_str_eq(reset_helps(), "");
}
END_TEST

/* What is left of the topic has our record: that it was the newest is sure, since older ones go first. */
START_TEST(truncated_in_front)
{
	make(3);
	topic_cut(brokers, topic, 0, 2);
	tr_store *s = open_store(false);
	holds(s, 3);
	save_ok(s, 4);
	ops->free(s);
}
END_TEST

START_TEST(garbage_under_our_key)
{
	make(3);
	topic_put(brokers, topic, 0, "shop", "{\"offset\":7}");
	refused(TR_E_STATE_CORRUPT, "no state of tailrace");
	ck_assert_str_eq(reset_helps(), "{\"offset\":7}");
}
END_TEST

START_TEST(tombstone_under_our_key)
{
	make(3);
	topic_put(brokers, topic, 0, "shop", NULL);
	refused(TR_E_STATE_CORRUPT, "tombstone");
	ck_assert_str_eq(reset_helps(), "");
}
END_TEST

START_TEST(damaged)
{
	make(1);
	/* Right under another key. */
	put_frame("shop", "stock", 5, BODY("1", "shop", "5"));
	refused(TR_E_STATE_CORRUPT, "checksum");
	ck_assert_ptr_nonnull(strstr(reset_helps(), "\"serial\":5"));
	put_frame("shop", "shop", 50, BODY("1", "stock", "50"));
	refused(TR_E_STATE_CORRUPT, "another pipeline");
	reset_helps();
	put_frame("shop", "shop", 90, "{}");
	refused(TR_E_STATE_CORRUPT, "");
	reset_helps();
	topic_put(brokers, topic, 0, "shop", "{\"tailrace_state\":1,\"serial\":99,\"crc");
	refused(TR_E_STATE_CORRUPT, "");
	reset_helps();
}
END_TEST

START_TEST(versions)
{
	char newer[64];

	snprintf(newer, sizeof(newer), "{\"version\":%d,\"writer\":\"tailrace 9.0\"}", TR_STATE_VERSION + 1);
	make(1);
	put_frame("shop", "shop", 9, BODY("1", "shop", "9"));
	tr_store *s = open_store(false);
	holds(s, 9);
	ck_assert_int_eq(record.delivery, TR_STATE_AT_LEAST_ONCE);
	save_ok(s, 10);
	ops->free(s);
	put_frame("shop", "shop", 20, newer);
	refused(TR_E_STATE_NEWER, "tailrace 9.0");
	topic_put(brokers, topic, 0, "shop", "{\"tailrace_state\":2,\"anything\":1}");
	refused(TR_E_STATE_NEWER, "newer form");
}
END_TEST

START_TEST(two_writers)
{
	make(3);
	put_frame("shop", "shop", 3, BODY("1", "shop", "9"));
	refused(TR_E_STATE_BACKWARDS, "two writers");
	reset_helps();
}
END_TEST

static void count(void *context, const char *pipeline, const tr_record_state *r)
{
	int *n = context;

	ck_assert(r->sequence > 0 && pipeline[0]);
	++*n;
}

START_TEST(topic_of_another_application)
{
	static const char *const settings[] = {"cleanup.policy", "compact", NULL};
	tr_store *s;
	int n = 0;

	topic_create(brokers, topic, 1, settings);
	topic_put(brokers, topic, 0, "customer-1", "{\"name\":\"x\"}");
	refused(TR_E_STATE_CORRUPT, "another application");
	s = open_store(false);
	ck_assert_int_eq(ops->reset(s, backup, sizeof(backup), &err), -1);
	ck_assert_int_eq(err.code, TR_E_STATE_CORRUPT);
	ck_assert_int_eq(ops->list(s, count, &n, &err), -1);
	ops->free(s);
	/* Among states it is only noise. */
	put_frame("stock", "stock", 1, BODY("1", "stock", "1"));
	s = open_store(false);
	ck_assert_int_eq(load(s), 0);
	save_ok(s, 1);
	holds(s, 1);
	ck_assert_msg(ops->list(s, count, &n, &err) == 0 && n == 2, "%d %s", n, err.text);
	ops->free(s);
}
END_TEST

/* As the sink does it: the record in a transaction of another producer. */
static void commit_entry(tr_store *s, rd_kafka_t *rk, uint64_t sequence, bool abort_it)
{
	tr_record_state r;
	tr_store_entry e;

	tr_record_state_init(&r);
	r.sequence = sequence;
	ck_assert_msg(ops->entry(s, &r, &e, &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_str_eq(e.topic, topic);
	ck_assert(!rd_kafka_begin_transaction(rk));
	rd_kafka_resp_err_t code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(e.topic), RD_KAFKA_V_PARTITION(e.partition),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(e.key.ptr, e.key.len),
	    RD_KAFKA_V_VALUE((void *)(uintptr_t)e.value.ptr, e.value.len), RD_KAFKA_V_END);
	ck_assert(code == 0);
	ck_assert(rd_kafka_flush(rk, 20000) == 0);
	rd_kafka_error_t *failed = abort_it ? rd_kafka_abort_transaction(rk, 20000) : rd_kafka_commit_transaction(rk, 20000);
	ck_assert_msg(!failed, "%s", rd_kafka_error_string(failed));
	tr_record_state_release(&r);
}

START_TEST(record_in_a_transaction)
{
	tr_store *s = open_store(false);
	tr_record_state r;
	tr_store_entry e;
	rd_kafka_t *rk = topic_client(brokers, topic);

	tr_record_state_init(&r);
	r.sequence = 1;
	ck_assert(ops->entry(s, &r, &e, &err) == -1 && err.code == TR_E_BUG); /* nobody looked what is there */
	ck_assert(!rd_kafka_init_transactions(rk, 20000));
	ck_assert_int_eq(load(s), 0);
	commit_entry(s, rk, 1, false);
	commit_entry(s, rk, 2, false);
	holds(s, 2);
	ck_assert_int_eq(record.delivery, TR_STATE_EXACTLY_ONCE);
	commit_entry(s, rk, 3, true);
	holds(s, 2);
	commit_entry(s, rk, 3, false);
	holds(s, 3);
	r.sequence = 3;
	ck_assert(ops->entry(s, &r, &e, &err) == -1 && err.code == TR_E_STATE_BACKWARDS);
	/* delivery may be changed from one start to the next. */
	save_ok(s, 4);
	holds(s, 4);
	ck_assert_int_eq(record.delivery, TR_STATE_AT_LEAST_ONCE);
	commit_entry(s, rk, 5, false);
	holds(s, 5);
	tr_record_state_release(&r);
	rd_kafka_destroy(rk);
	ops->free(s);
}
END_TEST

/* A writer by transactions is fenced by a store that is told of it. */
START_TEST(fences_the_sink)
{
	rd_kafka_t *rk = topic_client(brokers, topic);
	tr_store *s;

	ck_assert(!rd_kafka_init_transactions(rk, 20000));
	ck_assert(!rd_kafka_begin_transaction(rk));
	tr_store_options fencing = {.url = url, .pipeline = "shop"};
	snprintf(fencing.sink_transactional_id, sizeof(fencing.sink_transactional_id), "%s", topic);
	ck_assert(ops->open(&s, &fencing, &err) == 0);
	topic_queue(rk, topic, 0, "x", "{\"tailrace_state\":1}");
	rd_kafka_error_t *e = rd_kafka_commit_transaction(rk, 20000);
	ck_assert(e && rd_kafka_error_is_fatal(e));
	rd_kafka_error_destroy(e);
	rd_kafka_destroy(rk);
	ops->free(s);
}
END_TEST

/* The record stays where it is, in whatever partition; one that lies elsewhere and is older does not count. */
START_TEST(several_partitions)
{
	static const char *const settings[] = {"cleanup.policy", "compact", NULL};
	tr_store *s;

	topic_create(brokers, topic, 3, settings);
	for (int i = 0; i < 3; i++)
		put_frame("stock", "stock", 1, BODY("1", "stock", "1"));
	tr_writer w;
	tr_writer_init(&w, 4096);
	for (int32_t p = 0; p < 3; p++) {
		tr_writer_reset(&w);
		tr_state_frame_put(&w, tr_slice_str("shop"), p == 1 ? 9 : 3 + (uint64_t)p, tr_slice_str(BODY("1", "shop", "9")));
		tr_writer_u8(&w, 0);
		topic_put(brokers, topic, p, "shop", (char *)w.data);
	}
	s = open_store(false);
	holds(s, 9);
	save_ok(s, 10);
	ops->free(s);
	s = open_store(false);
	holds(s, 10);
	ops->free(s);
	/* Of the same age: nobody can say. */
	tr_writer_reset(&w);
	tr_state_frame_put(&w, tr_slice_str("shop"), 10, tr_slice_str(BODY("1", "shop", "9")));
	tr_writer_u8(&w, 0);
	topic_put(brokers, topic, 2, "shop", (char *)w.data);
	refused(TR_E_STATE_BACKWARDS, "same age");
	topic_put(brokers, topic, 0, "shop", "garbage");
	refused(TR_E_STATE_CORRUPT, "no state");
	reset_helps();
	tr_writer_release(&w);
}
END_TEST

START_TEST(urls)
{
	static const struct {
		const char *url, *sink;
		tr_err_code code;
	} wrong[] = {{"kafka", NULL, TR_E_CONFIG}, {"kafka:a b", "kafka://127.0.0.1:1", TR_E_CONFIG},
	    {"kafka://127.0.0.1:1/a/b", NULL, TR_E_CONFIG}, {"kafka:///x", NULL, TR_E_SINK_CONFIG},
	    {"kafka://u:p@127.0.0.1:1/x", NULL, TR_E_SINK_CONFIG}, {"kafka:..", "kafka://127.0.0.1:1", TR_E_CONFIG}};
	char own[160], sink[160];
	tr_store *s;

	make(2);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		tr_store_options o = {.url = wrong[i].url, .pipeline = "shop", .kafka_url = wrong[i].sink, .read_only = true};
		tr_err_clear(&err);
		ck_assert_int_eq(ops->open(&s, &o, &err), -1);
		ck_assert_msg(err.code == wrong[i].code && !strstr(err.text, "u:p"), "%s: %s", wrong[i].url, err.text);
	}
	snprintf(own, sizeof(own), "kafka:%s", topic);
	snprintf(sink, sizeof(sink), "kafka://%s", brokers);
	ck_assert(ops->open(&s, &(tr_store_options){.url = own, .pipeline = "shop", .kafka_url = sink, .read_only = true}, &err) == 0);
	holds(s, 2);
	ops->free(s);
}
END_TEST

START_TEST(frames)
{
	static const char *const foreign[] = {"", "x", "{}", "{\"tailrace_state\":", "{\"tailrace_state\":x", "{ \"tailrace_state\":1}"};
	tr_slice key = tr_slice_str("shop"), text = tr_slice_str("{\"a\":1}"), got;
	uint64_t serial;
	tr_writer w;

	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		ck_assert_int_eq(tr_state_frame_get(key, tr_slice_str(foreign[i]), &serial, &got), TR_STATE_FRAME_FOREIGN);
	tr_writer_init(&w, 4096);
	tr_state_frame_put(&w, key, 12, text);
	ck_assert_int_eq(tr_state_frame_get(key, tr_writer_view(&w), &serial, &got), TR_STATE_FRAME_OK);
	ck_assert(serial == 12 && tr_slice_eq(got, text));
	ck_assert_int_eq(tr_state_frame_get(tr_slice_str("shop2"), tr_writer_view(&w), &serial, &got), TR_STATE_FRAME_DAMAGED);
	/* Cut or changed anywhere. */
	for (size_t i = 0; i < w.len; i++) {
		uint8_t old = w.data[i];
		ck_assert_int_ne(tr_state_frame_get(key, tr_slice_of(w.data, i), &serial, &got), TR_STATE_FRAME_OK);
		for (int bit = 0; bit < 8; bit++) {
			w.data[i] = old ^ (uint8_t)(1u << bit);
			ck_assert_msg(tr_state_frame_get(key, tr_writer_view(&w), &serial, &got) != TR_STATE_FRAME_OK, "byte %zu", i);
		}
		w.data[i] = old;
	}
	tr_writer_release(&w);
}
END_TEST

int main(void)
{
	const TTest *const each[] = {reader_of_no_topic, made_compacted, waits_behind_an_open_transaction, stops_while_it_waits,
	    brokers_away, topic_removed_meanwhile, truncated, truncated_in_front, garbage_under_our_key, tombstone_under_our_key, damaged,
	    versions, two_writers, topic_of_another_application, record_in_a_transaction, fences_the_sink, several_partitions, urls};
	Suite *suite = suite_create("state in Kafka");
	TCase *cases = tcase_create("real broker"), *alone = tcase_create("frames");
	bool broker = getenv("TR_TEST_KAFKA") != NULL;

	tcase_add_test(alone, frames);
	suite_add_tcase(suite, alone);
	tcase_set_timeout(cases, 100);
	tcase_add_checked_fixture(cases, setup, teardown);
	for (size_t i = 0; broker && i < sizeof(each) / sizeof(each[0]); i++)
		tcase_add_test(cases, each[i]);
	if (broker)
		tcase_add_loop_test(cases, other_policies_are_refused, 0, 2);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
