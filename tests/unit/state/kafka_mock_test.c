/* What brokers may answer: librdkafka's mock cluster gives the errors that a real one rarely does. It has no Admin API, so the
 * topic's settings stay unseen here, and it does not hide open transactions. */
#include "state/store.h"
#include "tests/unit/sinks/mock.h"

#define API_FETCH 1
#define API_LIST_OFFSETS 2
#define API_ADD_PARTITIONS 24
#define API_END_TXN 26

static const tr_store_ops *ops;
static mock m;
static char url[256];
static tr_err err;
static volatile bool stop;

static void setup(void)
{
	ops = tr_store_find("kafka", NULL);
	mock_open(&m, 1);
	rd_kafka_mock_topic_create(m.cluster, "state", 1, 1);
	snprintf(url, sizeof(url), "%s/state", m.url);
	stop = false;
}

static void teardown(void)
{
	mock_close(&m);
}

static int try_open(tr_store **out)
{
	tr_err_clear(&err);
	return ops->open(out, &(tr_store_options){.url = url, .pipeline = "shop", .stop = &stop}, &err);
}

static tr_store *open_store(void)
{
	tr_store *s;

	ck_assert_msg(try_open(&s) == 0, "%s: %s", err.text, err.detail);
	return s;
}

static int save(tr_store *s, uint64_t sequence, const char *position)
{
	tr_record_state r;

	tr_err_clear(&err);
	tr_record_state_init(&r);
	tr_writer_format(&r.position, "{\"lsn\":\"%s\"}", position);
	r.sequence = sequence;
	int result = ops->save(s, &r, &err);
	tr_record_state_release(&r);
	return result;
}

static void save_ok(tr_store *s, uint64_t sequence, const char *position)
{
	ck_assert_msg(save(s, sequence, position) == 0, "%s: %s", err.text, err.detail);
}

static int load(tr_store *s, uint64_t *sequence)
{
	tr_record_state r;

	tr_err_clear(&err);
	tr_record_state_init(&r);
	int result = ops->load(s, &r, &err);
	*sequence = r.sequence;
	tr_record_state_release(&r);
	return result;
}

static void next(int16_t api, size_t count, rd_kafka_resp_err_t e)
{
	for (size_t i = 0; i < count; i++)
		rd_kafka_mock_push_request_errors(m.cluster, api, 1, e);
}

static void is(tr_err_code code)
{
	ck_assert_msg(err.code == code, "%s: %s: %s", tr_err_symbol(err.code), err.text, err.detail);
	ck_assert_msg(err.text[0] && err.detail[0] && err.hint[0], "%s: %s: %s", err.text, err.detail, err.hint);
}

START_TEST(keeps)
{
	tr_store *s = open_store();
	uint64_t sequence;

	ck_assert_int_eq(load(s, &sequence), 0);
	save_ok(s, 1, "0/1");
	save_ok(s, 2, "0/2");
	ck_assert(load(s, &sequence) == 1 && sequence == 2);
	ops->free(s);
}
END_TEST

START_TEST(refused_at_the_fence)
{
	static const rd_kafka_resp_err_t codes[] = {RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
	    RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED};
	tr_store *s;

	next(MOCK_INIT_PRODUCER_ID, 1, codes[_i]);
	ck_assert_int_eq(try_open(&s), -1);
	is(TR_E_SINK_AUTH);
	ck_assert_msg(strstr(err.hint, "tailrace-state-shop"), "%s", err.hint);
}
END_TEST

/* A coordinator that is not there yet is waited for. */
START_TEST(waits_at_the_fence)
{
	uint64_t sequence;

	next(MOCK_INIT_PRODUCER_ID, 2, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
	next(MOCK_INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
	next(MOCK_INIT_PRODUCER_ID, 1, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS);
	tr_store *s = open_store();
	ck_assert_int_eq(load(s, &sequence), 0);
	ops->free(s);
}
END_TEST

START_TEST(refused_reading)
{
	tr_store *s = open_store();
	uint64_t sequence;

	save_ok(s, 1, "0/1");
	next(API_FETCH, 3, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_int_eq(load(s, &sequence), -1);
	is(TR_E_SINK_AUTH);
	ops->free(s);
}
END_TEST

START_TEST(reads_on_after_trouble)
{
	tr_store *s = open_store();
	uint64_t sequence;

	save_ok(s, 1, "0/1");
	next(API_LIST_OFFSETS, 2, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
	next(API_FETCH, 2, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
	ck_assert_msg(load(s, &sequence) == 1 && sequence == 1, "%s: %s", err.text, err.detail);
	ops->free(s);
}
END_TEST

START_TEST(refused_writing)
{
	static const struct {
		int16_t api;
		rd_kafka_resp_err_t e;
		tr_err_code code;
	} cases[] = {{MOCK_PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, TR_E_SINK_AUTH},
	    {MOCK_PRODUCE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, TR_E_RECORD_OVERSIZE},
	    {API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, TR_E_SINK_AUTH},
	    {API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, TR_E_SINK_AUTH},
	    {API_ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, TR_E_SINK_FENCED},
	    {API_END_TXN, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, TR_E_SINK_FENCED}};
	tr_store *s = open_store();

	save_ok(s, 1, "0/1");
	next(cases[_i].api, 1, cases[_i].e);
	ck_assert_int_eq(save(s, 2, "0/2"), -1);
	is(cases[_i].code);
	/* What passes by itself passes; who was fenced stays so. */
	int again = save(s, 2, "0/3");
	ck_assert_msg(again == (cases[_i].code == TR_E_SINK_FENCED ? -1 : 0), "%s: %s", err.text, err.detail);
	if (cases[_i].code == TR_E_SINK_FENCED)
		is(TR_E_SINK_FENCED);
	ops->free(s);
}
END_TEST

START_TEST(writes_on_after_trouble)
{
	tr_store *s = open_store();
	uint64_t sequence;

	next(API_ADD_PARTITIONS, 1, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS);
	next(MOCK_PRODUCE, 2, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS);
	next(API_END_TXN, 1, RD_KAFKA_RESP_ERR_NOT_COORDINATOR);
	save_ok(s, 1, "0/1");
	ck_assert(load(s, &sequence) == 1 && sequence == 1);
	ops->free(s);
}
END_TEST

/* The commit is done, but its answer comes too late: the caller was told that it failed, and may use its count again. */
START_TEST(answer_is_lost)
{
	tr_store *s = open_store();
	uint64_t sequence;

	save_ok(s, 1, "0/1");
	stop = true; /* the last save before the end gets less time */
	rd_kafka_mock_broker_push_request_error_rtts(m.cluster, 1, API_END_TXN, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 8000);
	ck_assert_int_eq(save(s, 2, "0/2"), -1);
	is(TR_E_SINK_UNAVAILABLE);
	stop = false;
	save_ok(s, 2, "0/3");
	ck_assert(load(s, &sequence) == 1 && sequence == 2);
	ck_assert_int_eq(save(s, 2, "0/4"), -1);
	is(TR_E_STATE_BACKWARDS);
	ops->free(s);
}
END_TEST

/* An older writer whose producer had failed comes back with a new one: what the newer one wrote meanwhile says who goes on. */
START_TEST(comes_back_too_late)
{
	tr_store *s = open_store();

	save_ok(s, 1, "0/1");
	next(MOCK_PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_int_eq(save(s, 2, "0/2"), -1);
	tr_store *newer = open_store();
	save_ok(newer, 2, "0/3");
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(save(s, 3, "0/4"), -1);
		is(TR_E_SINK_FENCED);
	}
	ops->free(newer);
	ops->free(s);
}
END_TEST

START_TEST(broker_goes_and_comes)
{
	tr_store *s = open_store();
	uint64_t sequence;

	save_ok(s, 1, "0/1");
	rd_kafka_mock_broker_set_down(m.cluster, 1);
	stop = true;
	ck_assert_int_eq(save(s, 2, "0/2"), -1);
	is(TR_E_SINK_UNAVAILABLE);
	stop = false;
	rd_kafka_mock_broker_set_up(m.cluster, 1);
	save_ok(s, 2, "0/3");
	ck_assert(load(s, &sequence) == 1 && sequence == 2);
	ops->free(s);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("state in Kafka");
	TCase *cases = tcase_create("mock cluster");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_test(cases, keeps);
	tcase_add_loop_test(cases, refused_at_the_fence, 0, 2);
	tcase_add_test(cases, waits_at_the_fence);
	tcase_add_test(cases, refused_reading);
	tcase_add_test(cases, reads_on_after_trouble);
	tcase_add_loop_test(cases, refused_writing, 0, 6);
	tcase_add_test(cases, writes_on_after_trouble);
	tcase_add_test(cases, answer_is_lost);
	tcase_add_test(cases, comes_back_too_late);
	tcase_add_test(cases, broker_goes_and_comes);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
