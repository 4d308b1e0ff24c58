/*
 * One reading of the topic to its end.
 *
 * The end is the high watermark as of the start, asked for with read_uncommitted: everything that was committed before this
 * reading began lies in front of it. Reading until the consumer reports the end of a partition is not enough: for a reader of
 * committed records that is the last stable offset, which stands still in front of any open transaction, and a record of ours
 * that was committed meanwhile lies behind it (another pipeline's transaction, held open by a process that was stopped). Taking
 * what is in front for the newest would go back. So the end of the partition is waited for until it has passed the watermark;
 * the brokers abort an open transaction when its time is over.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "state/kafka/kafka.h"

#define ASK_MS 2000
#define WAIT_MS 100
#define SAY_AFTER_US 3000000
/* Brokers allow transactions of 15 minutes at most (transaction.max.timeout.ms), and look for late ones every 10 s. A command
 * waits for as long as clients take by default. */
#define OPEN_TRANSACTION_US (16 * 60 * 1000000LL)
#define OPEN_TRANSACTION_SHORT_US (75 * 1000000LL)

typedef struct part {
	int64_t low, high, at; /* at: the next offset that is not read */
	bool started, ended;   /* ended: the last stable offset was reached */
} part;

typedef struct scan {
	tr_sk_store *s;
	const char *only;
	tr_sk_found *out;
	tr_kafka_client client;
	rd_kafka_topic_t *rkt;
	rd_kafka_queue_t *queue;
	part parts[TR_SK_PARTITIONS_MAX];
	int32_t left;          /* partitions that are not read to their end */
	int64_t moved_us;      /* when something was read last */
	bool said;
} scan;

static int ask_end(scan *c, int32_t partition, tr_err *err)
{
	tr_sk_store *s = c->s;
	part *p = &c->parts[partition];
	rd_kafka_resp_err_t e = rd_kafka_query_watermark_offsets(s->client.rk, s->topic, partition, &p->low, &p->high, ASK_MS);

	rd_kafka_poll(s->client.rk, 0);
	if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
		return tr_sk_error(s, e, NULL, "read", err);
	p->at = p->low;
	c->out->truncated |= p->low > 0;
	return 0;
}

static int open_reader(scan *c, tr_err *err)
{
	static const tr_property fixed[] = {
		{"isolation.level", "read_committed"},
		{"enable.partition.eof", "true"},
		/* Where the beginning vanishes meanwhile: an error, no jump to the end. */
		{"auto.offset.reset", "error"},
		{"fetch.wait.max.ms", "100"},
	};
	tr_kafka_options o = {.url = c->s->url, .pipeline = c->s->options.pipeline, .properties = c->s->options.kafka_properties,
	    .property_count = c->s->options.kafka_property_count, .consumer = true, .fixed = fixed,
	    .fixed_count = sizeof(fixed) / sizeof(fixed[0]), .stop = c->s->options.stop};

	if (tr_kafka_client_open(&c->client, &o, err) != 0)
		return -1;
	c->rkt = rd_kafka_topic_new(c->client.rk, c->s->topic, NULL);
	c->queue = rd_kafka_queue_new(c->client.rk);
	for (int32_t i = 0; i < c->s->partitions; i++) {
		part *p = &c->parts[i];
		if (p->high <= p->low)
			continue;
		if (rd_kafka_consume_start_queue(c->rkt, i, p->low, c->queue) != 0)
			return tr_sk_error(c->s, rd_kafka_last_error(), NULL, "read", err);
		p->started = true;
		c->left++;
	}
	return 0;
}

static void close_reader(scan *c)
{
	for (int32_t i = 0; i < c->s->partitions; i++)
		if (c->parts[i].started)
			rd_kafka_consume_stop(c->rkt, i);
	if (c->queue)
		rd_kafka_queue_destroy(c->queue);
	if (c->rkt)
		rd_kafka_topic_destroy(c->rkt);
	tr_kafka_client_close(&c->client);
}

/* Every partition that is left was read up to an open transaction. */
static bool blocked(const scan *c)
{
	for (int32_t i = 0; i < c->s->partitions; i++)
		if (c->parts[i].started && c->parts[i].at < c->parts[i].high && !c->parts[i].ended)
			return false;
	return true;
}

static int open_transaction(const scan *c, tr_err *err)
{
	tr_err_set(err, TR_E_SINK_UNAVAILABLE, "the state in topic \"%s\" is hidden behind an open transaction", c->s->topic);
	tr_err_detail(err, "its end could not be read for %lld s", (long long)((tr_clock_mono_us() - c->moved_us) / 1000000));
	return tr_err_hint(err, "Another producer left a transaction open that the brokers do not end. kafka-transactions "
	                        "find-hanging and abort ends it. Nothing was changed; a running service tries again by itself.");
}

/* Whether to go on waiting for what is left. */
static int check_wait(scan *c, tr_err *err)
{
	int64_t quiet_us = tr_clock_mono_us() - c->moved_us;
	bool waits = blocked(c), long_wait = c->s->options.stop != NULL;

	if (tr_kafka_stopped(&c->client))
		return tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
	if (!waits && (c->client.refused_since_us != 0 || quiet_us > tr_sk_answer_us(c->s))) {
		tr_kafka_no_answer(&c->client, "talk about the state", err);
		return tr_sk_hint(c->s, err);
	}
	if (waits && quiet_us > SAY_AFTER_US && !c->said) {
		tr_log(TR_LOG_WARN, c->s->options.pipeline, "state.waiting", "an open transaction of another producer lies in front of the "
		       "end of topic \"%s\"; waiting until it ends", c->s->topic);
		c->said = true;
	}
	if (waits && quiet_us > (long_wait ? OPEN_TRANSACTION_US : OPEN_TRANSACTION_SHORT_US))
		return open_transaction(c, err);
	return 0;
}

static int take(scan *c, const rd_kafka_message_t *m, tr_err *err)
{
	part *p = &c->parts[m->partition];
	bool whole = p->at >= p->high;

	if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
		tr_err_set(err, TR_E_SINK_UNAVAILABLE, "records of topic \"%s\" were removed while it was read", c->s->topic);
		return tr_err_hint(err, "It is read again. Nothing was changed.");
	}
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && m->err != RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return tr_sk_error(c->s, m->err, rd_kafka_message_errstr(m), "read", err);
	p->ended = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
	int64_t next = p->ended ? m->offset : m->offset + 1;
	if (!whole && next > p->at)
		c->moved_us = tr_clock_mono_us();
	p->at = next;
	if (!whole && p->at >= p->high)
		c->left--;
	return p->ended ? 0 : tr_sk_found_take(c->out, c->only, m, err);
}

static int take_any(scan *c, const rd_kafka_message_t *m, tr_err *err)
{
	if (m->partition >= 0 && m->partition < c->s->partitions)
		return take(c, m, err);
	/* Errors of no partition: all brokers are down. */
	return tr_sk_error(c->s, m->err, rd_kafka_message_errstr(m), "read", err);
}

static int read_all(scan *c, tr_err *err)
{
	int result = 0;

	while (c->left > 0 && result == 0) {
		rd_kafka_message_t *m = rd_kafka_consume_queue(c->queue, WAIT_MS);

		rd_kafka_poll(c->client.rk, 0);
		if (m) {
			result = take_any(c, m, err);
			rd_kafka_message_destroy(m);
		}
		if (result == 0)
			result = check_wait(c, err);
	}
	return result;
}

int tr_sk_scan(tr_sk_store *s, const char *only, tr_sk_found *out, tr_err *err)
{
	scan *c = calloc(1, sizeof(*c));
	int result = -1;

	*out = (tr_sk_found){.keys = tr_map_new()};
	if (!c)
		return tr_err_set(err, TR_E_MEMORY, "the state topic could not be read");
	*c = (scan){.s = s, .only = only, .out = out, .moved_us = tr_clock_mono_us()};
	for (int32_t i = 0; i < s->partitions; i++)
		if (ask_end(c, i, err) != 0)
			goto out;
	if (open_reader(c, err) != 0)
		goto out;
	result = read_all(c, err);
out:
	close_reader(c);
	free(c);
	if (result != 0)
		tr_sk_found_release(out);
	return result;
}
