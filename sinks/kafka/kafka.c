#include "sinks/kafka/kafka.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/obj.h"

/* What librdkafka holds of a record beside our bytes: its own struct with a copy of the key, and headers. */
#define MESSAGE_BYTES 512
#define MESSAGES_MIN 1000
#define MESSAGES_MAX 1000000
#define QUEUE_BYTES_DEFAULT (16u << 20)
#define FLUSH_MS 20
/* librdkafka's threads have to see that something is flushed while the flush lasts. */
#define TURN_MS 1
#define RESEND_US 5000 /* then twice as long, and so on */
/* A login that is refused for this long, with nothing delivered in between, is not a broker starting up. */
#define REFUSED_US (30 * 1000000LL)
#define FATAL_GRACE_US 1000000

static void count(tr_kafka_sink *s, tr_metric metric, size_t n)
{
	if (s->metrics && n > 0)
		tr_metric_add(s->metrics, metric, (int64_t)n);
}

static bool is_vague(tr_err_code code)
{
	return code == TR_E_SINK_FATAL || code == TR_E_SINK_TRANSACTION;
}

int tr_kafka_fail(tr_kafka_sink *s, tr_batch *batch, const tr_err *why)
{
	bool first = s->failed.code == TR_OK;
	tr_err news = *why;

	tr_kafka_begin_anew(s, &news);
	/* "The client cannot go on" follows from a record's failure, which is the better news. */
	if (first || (is_vague(s->failed.code) && !is_vague(news.code)))
		s->failed = news;
	if (batch)
		tr_batch_fail(batch, &news);
	if (s->current) {
		/* What was not produced yet will not be. */
		s->current->pending -= s->current->count - s->next;
		tr_batch_fail(s->current, &s->failed);
		s->current = NULL;
		s->next = 0;
	}
	for (; s->held > 0; s->held--) {
		tr_batch *held = tr_inflight_at(&s->inflight, s->inflight.count - s->held);
		held->pending = 0;
		tr_batch_fail(held, &s->failed);
	}
	if (first)
		rd_kafka_purge(s->client.rk, RD_KAFKA_PURGE_F_QUEUE);
	return -1;
}

static void record_failed(tr_kafka_sink *s, tr_batch *batch, const rd_kafka_message_t *m)
{
	const char *topic = rd_kafka_topic_name(m->rkt);
	char object[300];
	tr_err why = {0};

	snprintf(object, sizeof(object), "a record to topic \"%.240s\" partition %d", topic, m->partition);
	/* Purged records fail because another one did. */
	if (m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || m->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		why = s->failed;
	if (why.code == TR_OK && (m->err == RD_KAFKA_RESP_ERR__FATAL || m->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE))
		why = s->client.fatal;
	if (why.code == TR_OK)
		tr_kafka_error(&why, m->err, NULL, "deliver", object);
	tr_kafka_fail(s, batch, &why);
	count(s, TR_M_RECORDS_FAILED, 1);
}

/* Runs inside of rd_kafka_poll, so on the delivery thread. */
static void on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	tr_kafka_sink *s = (tr_kafka_sink *)(void *)((char *)opaque - offsetof(tr_kafka_sink, client));
	tr_batch *batch = m->_private;

	(void)rk;
	s->queued--;
	if (s->flying > 0)
		s->flying--;
	if (batch) /* else the state's record */
		batch->pending--;
	if (__builtin_expect(m->err != RD_KAFKA_RESP_ERR_NO_ERROR, 0)) {
		record_failed(s, batch, m);
		return;
	}
	tr_kafka_client_alive(&s->client);
	if (batch && batch->pending == 0 && batch->state == TR_BATCH_SENT) {
		batch->state = TR_BATCH_SETTLED;
		count(s, TR_M_RECORDS_DELIVERED, batch->count);
	}
}

static int max_messages(const tr_sink_options *options)
{
	uint64_t n = (options->queue_bytes > 0 ? options->queue_bytes : QUEUE_BYTES_DEFAULT) / MESSAGE_BYTES;

	return n < MESSAGES_MIN ? MESSAGES_MIN : n > MESSAGES_MAX ? MESSAGES_MAX : (int)n;
}

static int open_sink(tr_sink **out, const tr_sink_options *options, tr_metrics *metrics, tr_err *err)
{
	tr_kafka_sink *s = calloc(1, sizeof(*s));
	tr_kafka_options o = {.url = options->url, .pipeline = options->name, .properties = options->properties,
	    .property_count = options->property_count, .max_messages = max_messages(options), .delivered = on_delivered,
	    .transactional_id = options->transactional_id, .transaction_timeout_ms = options->transaction_timeout_ms};

	*out = NULL;
	if (!s)
		return tr_err_set(err, TR_E_MEMORY, "the sink could not be made");
	s->base = (tr_sink){.magic = TR_SINK_MAGIC, .ops = &tr_sink_kafka};
	s->options = options;
	s->metrics = metrics;
	tr_inflight_init(&s->inflight);
	if (options->dead_letter_topic)
		snprintf(s->dead_letter_name, sizeof(s->dead_letter_name), "%s", options->dead_letter_topic);
	else
		snprintf(s->dead_letter_name, sizeof(s->dead_letter_name), "%.230s.dead_letter", options->name);
	if (tr_kafka_client_open(&s->client, &o, err) != 0) {
		tr_sink_kafka.free(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}

/* The cluster names itself; one that does not is any such one. */
static int identity(tr_sink *base, char *out, size_t size, const volatile bool *stop, tr_err *err)
{
	tr_kafka_sink *s = tr_kafka_self(base);
	const struct rd_kafka_metadata *m;

	s->client.stop_flag = stop;
	int result = tr_kafka_metadata(&s->client, false, &m, err);
	s->client.stop_flag = NULL;
	if (result != 0)
		return -1;
	rd_kafka_metadata_destroy(m);
	char *id = rd_kafka_clusterid(s->client.rk, 0);
	snprintf(out, size, id ? "kafka:%s" : "kafka", id);
	if (id)
		rd_kafka_mem_free(s->client.rk, id);
	return 0;
}

static int check(tr_sink *base, tr_finding_fn report, void *context, tr_err *err)
{
	return tr_kafka_check(tr_kafka_self(base), report, context, err);
}

static int failed(const tr_kafka_sink *s, tr_err *err)
{
	if (err)
		*err = s->failed;
	return -1;
}

static int send_batch(tr_sink *base, tr_batch *batch, tr_err *err)
{
	tr_kafka_sink *s = tr_kafka_self(base);

	if (s->failed.code != TR_OK || tr_kafka_produce(s) != 0)
		return failed(s, err);
	if (s->current || s->client.fatal.code != TR_OK)
		return 1;
	if (tr_kafka_prepare(s, batch, err) != 0 || tr_inflight_push(&s->inflight, batch, err) != 0)
		return -1;
	batch->pending = batch->count;
	s->held++;
	/* From here the sink owns the batch: a failure comes back through poll and settled. */
	tr_kafka_produce(s);
	return 0;
}

/* States of the client that no record reports. The report that says why the client cannot go on comes right behind that news. */
static int check_client(tr_kafka_sink *s)
{
	tr_err why = {0};

	if (s->failed.code != TR_OK) {
		tr_kafka_ask_reason(s);
		return -1;
	}
	if (s->client.fatal.code != TR_OK && (s->queued == 0 || tr_clock_mono_us() - s->client.fatal_since_us > FATAL_GRACE_US))
		return tr_kafka_fail(s, NULL, &s->client.fatal);
	if (s->client.refused_since_us != 0 && s->queued > 0 && tr_clock_mono_us() - s->client.refused_since_us > REFUSED_US) {
		tr_kafka_no_answer(&s->client, "log in", &why);
		return tr_kafka_fail(s, NULL, &why);
	}
	return 0;
}

/* Sends what is queued when nothing is in flight any more. A flush serves reports as poll does, but lasts: then nothing may be
 * queued. So with a next turn behind it, it is no longer than the threads need to see it; in case they have not, once more. */
static void drive(tr_kafka_sink *s, int timeout_ms)
{
	int64_t now_us = tr_clock_mono_us();

	if (s->flying == 0 && s->queued > 0) {
		s->flying = s->queued;
		s->flush_us = now_us;
		s->flush_pause_us = RESEND_US;
	}
	bool behind = s->queued > s->flying;
	if (s->flying == 0 || (behind && now_us < s->flush_us)) {
		rd_kafka_poll(s->client.rk, timeout_ms);
		return;
	}
	s->flush_us = now_us + s->flush_pause_us;
	if (behind)
		s->flush_pause_us *= 2;
	rd_kafka_flush(s->client.rk, behind || timeout_ms < TURN_MS ? TURN_MS : timeout_ms);
}

static int poll_sink(tr_sink *base, int timeout_ms, tr_err *err)
{
	tr_kafka_sink *s = tr_kafka_self(base);

	tr_kafka_produce(s);
	drive(s, timeout_ms);
	tr_kafka_produce(s);
	return check_client(s) == 0 ? 0 : failed(s, err);
}

static tr_batch *settled(tr_sink *base)
{
	tr_kafka_sink *s = tr_kafka_self(base);
	tr_batch *batch = tr_inflight_pop_settled(&s->inflight);

	/* Behind a failure nothing is durable for the reader of the prefix, even if the broker has it. */
	if (batch && s->broken)
		tr_batch_fail(batch, &s->failed);
	/* The reason was asked for behind the report. */
	if (batch && batch->error && s->reason_asked)
		*batch->error = s->failed;
	s->broken |= batch && batch->state == TR_BATCH_FAILED;
	return batch;
}

static int flush(tr_sink *base, tr_err *err)
{
	tr_kafka_sink *s = tr_kafka_self(base);

	tr_kafka_produce(s);
	/* Ends the lingering of what is queued; the reports are awaited by poll. */
	rd_kafka_flush(s->client.rk, FLUSH_MS);
	return check_client(s) == 0 ? 0 : failed(s, err);
}

static void interrupt(tr_sink *base)
{
	tr_kafka_client_interrupt(&tr_kafka_self(base)->client);
}

static void free_sink(tr_sink *base)
{
	if (!base)
		return;
	tr_kafka_sink *s = tr_kafka_self(base);
	tr_kafka_handles_free(s);
	tr_kafka_client_close(&s->client);
	/* Only now nothing refers to the bytes of the batches. */
	tr_inflight_release(&s->inflight);
	if (s->headers)
		rd_kafka_headers_destroy(s->headers);
	s->base.magic = 0;
	free(s);
}

const tr_sink_ops tr_sink_kafka = {
	.kind = "kafka",
	.schemes = "kafka redpanda",
	.open = open_sink,
	.identity = identity,
	.check = check,
	.send = send_batch,
	.poll = poll_sink,
	.settled = settled,
	.flush = flush,
	.fence = tr_kafka_fence,
	.begin = tr_kafka_begin,
	.commit = tr_kafka_commit,
	.abort = tr_kafka_abort,
	.interrupt = interrupt,
	.free = free_sink,
};
