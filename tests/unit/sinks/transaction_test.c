/* The transactions of the Kafka sink against librdkafka's mock cluster: what each error of a coordinator or a leader, which
 * real brokers rarely give, is to us. Nothing is ever counted as committed that is not, and only a newer instance is a fence. */
#include "tests/unit/sinks/mock.h"
#include "tests/unit/sinks/rig.h"

#define FIND_COORDINATOR  10
#define ADD_PARTITIONS    24
#define END_TRANSACTION   26

typedef enum step { AT_FENCE, AT_SEND, AT_COMMIT, NOWHERE } step;

static rig r;
static mock m;
static tr_err err;
static const volatile bool stop;

static void setup(void)
{
	mock_open(&m, 1);
	rig_init(&r, m.url);
	r.options.transactional_id = "tailrace-shop";
	r.options.transaction_timeout_ms = 10000;
	rig_open(&r);
}

static void teardown(void)
{
	rig_close(&r);
	mock_close(&m);
	rig_release(&r);
}

static int send_one(void)
{
	tr_batch *batch = rig_batch(&r);
	uint64_t next = batch->sequence;

	rig_add(&r, batch, 0, "k", "v");
	if (r.sink->ops->begin(r.sink, &err) != 0) {
		tr_batch_put_back(batch);
		return -1;
	}
	return rig_send(&r, batch, &err) == 0 && rig_collect(&r, 1, 20000, &next, &err) == 1 ? 0 : -1;
}

static int commit(void)
{
	const tr_sink_entry entry = {.topic = "shop.transaction", .key = tr_slice_str("shop"), .value = tr_slice_str("{}")};

	return r.sink->ops->commit(r.sink, &entry, &err);
}

/* Where it ended with an error, which is left in err. */
static step transaction(void)
{
	if (r.sink->ops->fence(r.sink, &stop, &err) != 0)
		return AT_FENCE;
	if (send_one() != 0)
		return AT_SEND;
	return commit() != 0 ? AT_COMMIT : NOWHERE;
}

static const struct {
	int16_t request;
	rd_kafka_resp_err_t error;
	step ends;
	tr_err_code code;
} rows[] = {
	/* A coordinator that moves, loads or is slow: the same again, and it goes through. */
	{FIND_COORDINATOR, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, NOWHERE, TR_OK},
	{MOCK_INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, NOWHERE, TR_OK},
	{MOCK_INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, NOWHERE, TR_OK},
	{MOCK_INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, NOWHERE, TR_OK},
	{MOCK_INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, NOWHERE, TR_OK},
	{ADD_PARTITIONS, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, NOWHERE, TR_OK},
	{ADD_PARTITIONS, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, NOWHERE, TR_OK},
	{ADD_PARTITIONS, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, NOWHERE, TR_OK},
	{MOCK_PRODUCE, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, NOWHERE, TR_OK},
	{MOCK_PRODUCE, RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, NOWHERE, TR_OK},
	{MOCK_PRODUCE, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, NOWHERE, TR_OK},
	{END_TRANSACTION, RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, NOWHERE, TR_OK},
	{END_TRANSACTION, RD_KAFKA_RESP_ERR_NOT_COORDINATOR, NOWHERE, TR_OK},
	{END_TRANSACTION, RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, NOWHERE, TR_OK},
	{END_TRANSACTION, RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, NOWHERE, TR_OK},
	/* Another has come. Whether that is a newer instance or the brokers' own doing, the state tells (pipeline/owner.c). */
	{ADD_PARTITIONS, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, AT_SEND, TR_E_SINK_FENCED},
	{ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, AT_SEND, TR_E_SINK_FENCED},
	{END_TRANSACTION, RD_KAFKA_RESP_ERR_PRODUCER_FENCED, AT_COMMIT, TR_E_SINK_FENCED},
	{END_TRANSACTION, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, AT_COMMIT, TR_E_SINK_FENCED},
	/* This transaction is lost, the next session begins from the state. */
	{MOCK_PRODUCE, RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, AT_SEND, TR_E_SINK_TRANSACTION},
	{MOCK_PRODUCE, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, AT_SEND, TR_E_SINK_TRANSACTION},
	{ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, AT_SEND, TR_E_SINK_TRANSACTION},
	{ADD_PARTITIONS, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, AT_SEND, TR_E_SINK_TRANSACTION},
	{END_TRANSACTION, RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, AT_COMMIT, TR_E_SINK_TRANSACTION},
	{END_TRANSACTION, RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, AT_COMMIT, TR_E_SINK_TRANSACTION},
	/* A person has to mend it. */
	{MOCK_INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, AT_FENCE, TR_E_SINK_AUTH},
	{MOCK_INIT_PRODUCER_ID, RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, AT_FENCE, TR_E_SINK_CONFIG},
	{MOCK_PRODUCE, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, AT_SEND, TR_E_SINK_AUTH},
	{ADD_PARTITIONS, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, AT_SEND, TR_E_SINK_AUTH},
	{END_TRANSACTION, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, AT_COMMIT, TR_E_SINK_AUTH},
};

START_TEST(each_error_is_what_it_says)
{
	rd_kafka_mock_push_request_errors(m.cluster, rows[_i].request, 1, rows[_i].error);
	step ended = transaction();

	ck_assert_msg(ended == rows[_i].ends && err.code == rows[_i].code, "request %d, %s: step %d, %s: %s: %s", rows[_i].request,
	    rd_kafka_err2name(rows[_i].error), ended, tr_err_symbol(err.code), err.text, err.detail);
}
END_TEST

/* The answer to a commit does not come, though it was carried out: asked again, it is the same commit. */
START_TEST(the_answer_to_a_commit_is_lost)
{
	ck_assert_msg(r.sink->ops->fence(r.sink, &stop, &err) == 0 && send_one() == 0, "%s: %s", err.text, err.detail);
	rd_kafka_mock_push_request_errors(m.cluster, END_TRANSACTION, 2, RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__TRANSPORT);
	ck_assert_msg(commit() == 0, "%s: %s", err.text, err.detail);
	ck_assert_msg(send_one() == 0 && commit() == 0, "%s: %s", err.text, err.detail);
}
END_TEST

/* After an abort the same client goes on. */
START_TEST(goes_on_after_an_abort)
{
	ck_assert_msg(r.sink->ops->fence(r.sink, &stop, &err) == 0 && send_one() == 0, "%s: %s", err.text, err.detail);
	ck_assert_msg(r.sink->ops->abort(r.sink, &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_msg(send_one() == 0 && commit() == 0, "%s: %s", err.text, err.detail);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("transactions of the kafka sink");
	TCase *cases = tcase_create("mock cluster");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	tcase_add_loop_test(cases, each_error_is_what_it_says, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(cases, the_answer_to_a_commit_is_lost);
	tcase_add_test(cases, goes_on_after_an_abort);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
