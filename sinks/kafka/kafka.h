/*
 * Inside of the Kafka sink: what its files share.
 *
 * A batch is taken whole or not at all: its topics exist and its records are small enough before the first one is produced.
 * Then its records are produced in order, as far as the queue has room; the rest follows in poll. librdkafka refers to the
 * values in the batch (no copy), so a batch goes back only when every one of its records was reported, or after the client is
 * gone. The first record that fails stops the sink: nothing is produced after it, ever.
 *
 * librdkafka has one request in flight per partition when it is idempotent, and its broker thread polls without pause while
 * records that are due wait behind it (800,000 polls per million records). So it is told when: what is queued lingers until
 * nothing is in flight; then a flush sends all of it, a turn, in one request. Meanwhile the next turn is queued. That also is
 * the lingering, and costs a quiet stream none.
 */
#ifndef TR_SINKS_KAFKA_KAFKA_H
#define TR_SINKS_KAFKA_KAFKA_H

#include "core/obj.h"
#include "sinks/inflight.h"
#include "sinks/kafka/client.h"
#include "sinks/kafka/topics.h"

#define TR_KAFKA_RUN 256 /* records of one produce call */

typedef struct tr_kafka_handle tr_kafka_handle;
struct tr_kafka_handle {
	rd_kafka_topic_t *rkt;
	tr_topic *topic;       /* NULL: the dead letter topic */
	size_t limit_bytes;    /* of one record */
	tr_kafka_handle *next;
};

typedef struct tr_kafka_sink {
	tr_sink base;
	const tr_sink_options *options;
	tr_metrics *metrics;   /* may be NULL */
	tr_kafka_client client;
	bool opened;
	tr_inflight inflight;
	tr_batch *current;     /* being produced; NULL = none */
	size_t held;           /* the newest of inflight that wait for their turn */
	size_t turn_bytes;     /* queued behind the turn that was sent */
	size_t flying;         /* records of the turn that was sent, not reported */
	int64_t flush_us;      /* monotonic: when that turn is flushed again, if another one is queued behind it */
	int64_t flush_pause_us;
	int64_t committed_us;  /* monotonic: when the last transaction was committed; 0 = none */
	size_t next;           /* its first record that is not produced */
	size_t queued;         /* records produced and not reported */
	tr_kafka_handle *handles, *dead_letter;
	char dead_letter_name[256];
	const tr_header *header_source; /* what `headers` was made of */
	size_t header_count;
	rd_kafka_headers_t *headers;
	tr_err failed;         /* code TR_OK = none */
	bool reason_asked;     /* of that failure: transaction.c */
	bool broken;           /* a FAILED batch went back */
	rd_kafka_message_t run[TR_KAFKA_RUN];
} tr_kafka_sink;

static inline tr_kafka_handle *tr_kafka_handle_of(const tr_record *r)
{
	return atomic_load_explicit(&r->topic->sink_handle, memory_order_relaxed);
}

static inline tr_kafka_sink *tr_kafka_self(tr_sink *s)
{
	TR_CHECK_OBJ(s, TR_SINK_MAGIC);
	return (tr_kafka_sink *)(void *)s;
}

/* An upper bound of what the broker compares with max.message.bytes when the record is alone in its request. */
size_t tr_kafka_record_bytes(const tr_batch *batch, const tr_record *r);

/* kafka.c: the sink stops with this error; the batch fails (NULL: none of them). Returns -1. */
int tr_kafka_fail(tr_kafka_sink *s, tr_batch *batch, const tr_err *why);

/* prepare.c: every topic of the batch has a handle, every record fits (or goes to the dead letter topic). */
int tr_kafka_prepare(tr_kafka_sink *s, const tr_batch *batch, tr_err *err);
void tr_kafka_handles_free(tr_kafka_sink *s);

/* produce.c: produces what is left of the current batch while the queue has room, and held batches when it is their turn. */
int tr_kafka_produce(tr_kafka_sink *s);

/* transaction.c */
/* Gives an error the meaning that it has within transactions, or without: that of beginning anew, or of an end. */
void tr_kafka_begin_anew(const tr_kafka_sink *s, tr_err *err);
/* Why records of the transaction were purged, which their reports do not say: one that can only be aborted answers every
 * begin with its reason (the other answers to a begin within a transaction change nothing). Mends `failed`. */
void tr_kafka_ask_reason(tr_kafka_sink *s);
int tr_kafka_fence(tr_sink *base, const volatile bool *stop, tr_err *err);
int tr_kafka_begin(tr_sink *base, tr_err *err);
int tr_kafka_commit(tr_sink *base, const tr_sink_entry *entry, tr_err *err);
int tr_kafka_abort(tr_sink *base, tr_err *err);

/* dead_letter.c: the note that takes the place of a record that is too large. */
int tr_kafka_dead_letter(tr_kafka_sink *s, tr_batch *batch, const tr_record *r, rd_kafka_resp_err_t *queue, tr_err *err);

/* check.c */
int tr_kafka_check(tr_kafka_sink *s, tr_finding_fn report, void *context, tr_err *err);

#endif
