/*
 * Exactly once: librdkafka's transactions behind the contract of sinks/sink.h, and what their errors mean for us.
 *
 * The producer's transactional id is the pipeline's. The coordinator gives each producer that initialises it a higher epoch
 * and refuses the ones before (the fence); what those had open it aborts, or completes when it had been told to commit, before
 * it answers. So after `fence` nothing of an earlier instance is undecided, and what the state topic says is the outcome.
 */
#include <stdio.h>

#include "core/clock.h"
#include "core/failpoint.h"
#include "core/log.h"
#include "sinks/kafka/kafka.h"

/* Each call of librdkafka that waits can be taken up again after its time; in between requests to stop are seen. */
#define SLICE_MS 500
#define FENCE_MS 60000
/* Longer than the brokers keep a transaction open: then they have decided, and waiting does not help. */
#define COMMIT_GRACE_MS 30000
#define ABORT_MS 5000
/* The coordinator answers a commit before its markers are written, and a new transaction meanwhile with "concurrent
 * transactions", upon which librdkafka waits for 20 ms. */
#define MARKERS_MS 4

void tr_kafka_begin_anew(const tr_kafka_sink *s, tr_err *err)
{
	if (!s->options->transactional_id) {
		/* Nobody can fence a producer without an id: its brokers have lost it. */
		if (err->code == TR_E_SINK_FENCED)
			err->code = TR_E_SINK_FATAL;
		return;
	}
	/* Whatever ended it: the next session has a new epoch, reads the state again and goes on from what it says. */
	if (err->code == TR_E_SINK_FATAL || err->code == TR_E_SINK_UNAVAILABLE) {
		err->code = TR_E_SINK_TRANSACTION;
		tr_err_hint(err, "tailrace begins anew from the last committed position by itself; nothing is lost or doubled.");
	}
}

/* Takes the error over. */
static int refused(tr_kafka_sink *s, rd_kafka_error_t *e, const char *verb, tr_err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_error_code(e);
	char why[512], object[300];

	snprintf(why, sizeof(why), "%s", rd_kafka_error_string(e));
	snprintf(object, sizeof(object), "the transaction of \"%.250s\"", s->options->transactional_id);
	if (rd_kafka_error_is_fatal(e) && code == RD_KAFKA_RESP_ERR__FATAL)
		code = rd_kafka_fatal_error(s->client.rk, why, sizeof(why));
	rd_kafka_error_destroy(e);
	/* The record that failed is the better news. */
	if (s->failed.code != TR_OK) {
		*err = s->failed;
		return -1;
	}
	tr_kafka_error(err, code, why, verb, object);
	tr_kafka_begin_anew(s, err);
	return -1;
}

void tr_kafka_ask_reason(tr_kafka_sink *s)
{
	rd_kafka_error_t *e;
	tr_err why = {0};

	if (s->failed.code != TR_E_SINK_TRANSACTION || s->reason_asked)
		return;
	s->reason_asked = true;
	e = rd_kafka_begin_transaction(s->client.rk);
	if (e && rd_kafka_error_txn_requires_abort(e)) {
		tr_kafka_error(&why, rd_kafka_error_code(e), rd_kafka_error_string(e), "write within", "the transaction");
		tr_kafka_begin_anew(s, &why);
		if (why.code != TR_E_SINK_TRANSACTION)
			s->failed = why;
	}
	if (e)
		rd_kafka_error_destroy(e);
}

int tr_kafka_fence(tr_sink *base, const volatile bool *stop, tr_err *err)
{
	tr_kafka_sink *s = tr_kafka_self(base);
	int64_t deadline_us = tr_clock_mono_us() + (int64_t)FENCE_MS * 1000;

	for (;;) {
		rd_kafka_error_t *e = rd_kafka_init_transactions(s->client.rk, SLICE_MS);

		if (!e)
			return 0;
		rd_kafka_poll(s->client.rk, 0);
		if (!rd_kafka_error_is_retriable(e))
			return refused(s, e, "begin", err);
		if (*stop) {
			rd_kafka_error_destroy(e);
			return tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
		}
		/* A refused login does not get better by waiting. */
		if (s->client.refused_since_us != 0 || tr_clock_mono_us() > deadline_us) {
			rd_kafka_error_destroy(e);
			return tr_kafka_no_answer(&s->client, "begin transactions", err);
		}
		rd_kafka_error_destroy(e);
	}
}

int tr_kafka_begin(tr_sink *base, tr_err *err)
{
	tr_kafka_sink *s = tr_kafka_self(base);
	int64_t since_us = tr_clock_mono_us() - s->committed_us;

	if (since_us < MARKERS_MS * 1000)
		tr_clock_sleep_ms(MARKERS_MS - (int)(since_us / 1000));
	rd_kafka_error_t *e = rd_kafka_begin_transaction(s->client.rk);

	return e ? refused(s, e, "begin", err) : 0;
}

/* Its report comes with a NULL batch (kafka.c). */
static int produce_entry(tr_kafka_sink *s, const tr_sink_entry *entry, tr_err *err)
{
	rd_kafka_vu_t parts[] = {
		{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = entry->topic},
		{.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = entry->partition},
		{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {.ptr = (void *)(uintptr_t)entry->key.ptr, .size = entry->key.len}},
		{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {.ptr = (void *)(uintptr_t)entry->value.ptr, .size = entry->value.len}},
		{.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
	};
	rd_kafka_error_t *e = rd_kafka_produceva(s->client.rk, parts, sizeof(parts) / sizeof(parts[0]));

	if (e)
		return refused(s, e, "write the state within", err);
	s->queued++;
	return 0;
}

int tr_kafka_commit(tr_sink *base, const tr_sink_entry *entry, tr_err *err)
{
	tr_kafka_sink *s = tr_kafka_self(base);
	int64_t deadline_us =
	    tr_clock_mono_us() + (int64_t)(s->options->transaction_timeout_ms + COMMIT_GRACE_MS) * 1000;

	TR_ASSERT(s->queued == 0 && s->held == 0 && !s->current);
	if (produce_entry(s, entry, err) != 0)
		return -1;
	tr_failpoint_at(TR_FP_STATE_WRITE);
	for (;;) {
		/* Flushes first, so a failure of the entry's delivery is an error here, too. */
		rd_kafka_error_t *e = rd_kafka_commit_transaction(s->client.rk, SLICE_MS);

		if (!e) {
			s->committed_us = tr_clock_mono_us();
			return 0;
		}
		/* Only time ran out: the same call goes on where it was. The outcome is open until it says 0. */
		if (!rd_kafka_error_is_retriable(e) || atomic_load(&s->client.stop) || tr_clock_mono_us() > deadline_us)
			return refused(s, e, "commit", err);
		rd_kafka_error_destroy(e);
	}
}

int tr_kafka_abort(tr_sink *base, tr_err *err)
{
	tr_kafka_sink *s = tr_kafka_self(base);

	rd_kafka_purge(s->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_error_t *e = rd_kafka_abort_transaction(s->client.rk, ABORT_MS);

	return e ? refused(s, e, "abort", err) : 0;
}
