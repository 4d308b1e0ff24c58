/*
 * The producer of a store that is opened to be written: fenced at its start, one transaction for each save.
 *
 * What a commit that was not answered did is known to nobody. The producer is closed then, as after any failure; the next
 * one's init_transactions has the brokers end the transaction one way or the other, and the topic says which.
 */
#include <stdio.h>

#include "core/clock.h"
#include "core/failpoint.h"
#include "state/kafka/kafka.h"

#define SLICE_MS 500
#define INIT_US (20 * 1000000LL)
#define COMMIT_US (20 * 1000000LL)
/* When the service is to end: the last save may take as long, within the time that it has. */
#define COMMIT_STOPPING_US (4 * 1000000LL)

int tr_sk_fenced(tr_sk_store *s, const char *reason, tr_err *err)
{
	s->fenced = true;
	tr_err_set(err, TR_E_SINK_FENCED, "another instance has taken over pipeline \"%s\"", s->pipeline);
	tr_err_detail(err, "%s", reason && reason[0] ? reason : "a newer writer of its state was let in");
	return tr_err_hint(err, "It goes on from the last position that was saved; nothing is lost. See that only one instance runs "
	                        "this pipeline.");
}

static bool is_fence(rd_kafka_resp_err_t e)
{
	return e == RD_KAFKA_RESP_ERR__FENCED || e == RD_KAFKA_RESP_ERR_PRODUCER_FENCED || e == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

/* Takes the error. A fatal one hides its reason. */
static int transaction_error(tr_sk_store *s, rd_kafka_error_t *e, const char *verb, tr_err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_error_code(e);
	char reason[256];

	snprintf(reason, sizeof(reason), "%s", rd_kafka_error_string(e));
	if (code == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_error_is_fatal(e)) {
		rd_kafka_resp_err_t first = rd_kafka_fatal_error(s->client.rk, reason, sizeof(reason));
		code = first != RD_KAFKA_RESP_ERR_NO_ERROR ? first : code;
	}
	rd_kafka_error_destroy(e);
	if (is_fence(code))
		return tr_sk_fenced(s, reason, err);
	return tr_sk_error(s, code, reason, verb, err);
}

static int init_transactions(tr_sk_store *s, tr_kafka_client *c, tr_err *err)
{
	int64_t end_us = tr_clock_mono_us() + INIT_US;

	for (;;) {
		rd_kafka_error_t *e = rd_kafka_init_transactions(c->rk, SLICE_MS);
		rd_kafka_poll(c->rk, 0);
		if (!e)
			return 0;
		if (tr_kafka_stopped(c)) {
			rd_kafka_error_destroy(e);
			return tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
		}
		if (!rd_kafka_error_is_retriable(e) || c->refused_since_us != 0 || tr_clock_mono_us() > end_us) {
			if (rd_kafka_error_code(e) != RD_KAFKA_RESP_ERR__TIMED_OUT)
				return transaction_error(s, e, "take over", err);
			rd_kafka_error_destroy(e);
			tr_kafka_no_answer(c, "talk about the state", err);
			return tr_sk_hint(s, err);
		}
		rd_kafka_error_destroy(e);
	}
}

static int open_client(tr_sk_store *s, tr_kafka_client *c, const char *transactional_id, tr_err *err)
{
	static const tr_property fixed[] = {
		/* Asked for the end of a partition, this is the one that counts what is in open transactions. */
		{"isolation.level", "read_uncommitted"},
		{"linger.ms", "0"},
		/* A topic that vanished is an error sooner; a new one was seen before anything is written. */
		{"topic.metadata.propagation.max.ms", "5000"},
	};
	tr_kafka_options o = {.url = s->url, .pipeline = s->options.pipeline, .properties = s->options.kafka_properties,
	    .property_count = s->options.kafka_property_count, .consumer = transactional_id == NULL,
	    .transactional_id = transactional_id, .fixed = fixed, .fixed_count = sizeof(fixed) / sizeof(fixed[0]),
	    .transaction_timeout_ms = transactional_id ? s->options.transaction_timeout_ms : 0, .stop = s->options.stop};

	return tr_kafka_client_open(c, &o, err);
}

int tr_sk_client_open(tr_sk_store *s, tr_err *err)
{
	if (open_client(s, &s->client, s->options.read_only ? NULL : s->transactional_id, err) != 0)
		return -1;
	s->rkt = rd_kafka_topic_new(s->client.rk, s->topic, NULL);
	return s->rkt ? 0 : tr_sk_error(s, rd_kafka_last_error(), NULL, "use", err);
}

void tr_sk_client_close(tr_sk_store *s)
{
	if (s->rkt)
		rd_kafka_topic_destroy(s->rkt);
	s->rkt = NULL;
	tr_kafka_client_close(&s->client);
	s->connected = false;
}

int tr_sk_fence(tr_sk_store *s, tr_err *err)
{
	return init_transactions(s, &s->client, err);
}

int tr_sk_fence_other(tr_sk_store *s, tr_err *err)
{
	tr_kafka_client c = {0};
	int result = open_client(s, &c, s->options.sink_transactional_id, err);

	if (result == 0)
		result = init_transactions(s, &c, err);
	tr_kafka_client_close(&c);
	return result;
}

static bool in_time(const tr_sk_store *s, int64_t began_us)
{
	return tr_clock_mono_us() - began_us < (tr_kafka_stopped(&s->client) ? COMMIT_STOPPING_US : COMMIT_US);
}

/* 0: taken back, so surely not written. */
static int take_back(tr_sk_store *s, int64_t began_us)
{
	rd_kafka_error_t *e;
	bool again;

	do {
		e = rd_kafka_abort_transaction(s->client.rk, SLICE_MS);
		rd_kafka_poll(s->client.rk, 0);
		if (!e)
			return 0;
		again = rd_kafka_error_is_retriable(e) && in_time(s, began_us);
		rd_kafka_error_destroy(e);
	} while (again);
	return -1;
}

static int commit(tr_sk_store *s, int64_t began_us, tr_err *err)
{
	rd_kafka_error_t *e;

	for (;;) {
		e = rd_kafka_commit_transaction(s->client.rk, SLICE_MS);
		rd_kafka_poll(s->client.rk, 0);
		if (!e)
			return 0;
		if (!rd_kafka_error_is_retriable(e) || !in_time(s, began_us))
			break;
		rd_kafka_error_destroy(e);
	}
	/* Only a transaction that can still be aborted was surely not committed. */
	bool abortable = rd_kafka_error_txn_requires_abort(e);
	transaction_error(s, e, "write to", err);
	s->unsure = !s->fenced && !(abortable && take_back(s, began_us) == 0);
	return -1;
}

static int produce(tr_sk_store *s, int32_t partition, tr_err *err)
{
	rd_kafka_resp_err_t e = rd_kafka_producev(s->client.rk, RD_KAFKA_V_RKT(s->rkt), RD_KAFKA_V_PARTITION(partition),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(s->pipeline, strlen(s->pipeline)),
	    RD_KAFKA_V_VALUE(s->value.data, s->value.len), RD_KAFKA_V_END);

	return e == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : tr_sk_error(s, e, NULL, "write to", err);
}

int tr_sk_write(tr_sk_store *s, int32_t partition, tr_err *err)
{
	int64_t began_us = tr_clock_mono_us();
	rd_kafka_error_t *e = rd_kafka_begin_transaction(s->client.rk);
	int result;

	s->unsure = false;
	result = e ? transaction_error(s, e, "write to", err) : produce(s, partition, err);
	if (result == 0 && tr_failpoint_at(TR_FP_STATE_WRITE))
		result = tr_err_set(err, TR_E_STATE_IO, "stopped at a failpoint inside the state's transaction");
	if (result == 0)
		result = commit(s, began_us, err);
	else if (!s->fenced)
		take_back(s, began_us);
	/* The next one begins with a new epoch: nothing of this one comes late, and its sequence numbers have no gap. */
	if (result != 0)
		tr_sk_client_close(s);
	return result;
}
