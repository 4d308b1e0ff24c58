/*
 * A librdkafka client made from our options: defaults that give the guarantees, the user's properties on top, and a refusal of
 * those that would take a guarantee away. Errors of librdkafka become ours here and nowhere else.
 *
 * Shared by the Kafka sink, the Kafka state store and the fleet. Refuses to print: librdkafka's log lines go to our log, at debug.
 */
#ifndef TR_SINKS_KAFKA_CLIENT_H
#define TR_SINKS_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "core/err.h"
#include "sinks/sink.h"

typedef struct tr_kafka_client {
	rd_kafka_t *rk;
	const char *pipeline;       /* for logs */
	char brokers[512];
	int max_messages;           /* queue.buffering.max.messages in force */
	int max_message_bytes;      /* message.max.bytes as the user set it; 0 = not set */
	int batch_bytes;            /* batch.size in force */
	_Atomic(bool) stop;         /* set by interrupt: waits end with INTERRUPTED */
	const volatile bool *stop_flag; /* of the options */
	/* what librdkafka last said; written in its callbacks, which run in the thread that polls */
	rd_kafka_resp_err_t last;
	char last_text[256];
	bool unreachable;           /* all brokers are down; logged once */
	int64_t refused_since_us;   /* monotonic time of the first refused login since the last delivery; 0 = none */
	tr_err fatal;               /* the client cannot go on; code TR_OK = none */
	int64_t fatal_since_us;     /* monotonic */
} tr_kafka_client;

typedef struct tr_kafka_options {
	const char *url;
	const char *pipeline;       /* NULL: of none */
	const tr_property *properties;
	size_t property_count;
	int max_messages;           /* unless the user sets queue.buffering.max.messages; 0 = librdkafka's default */
	bool consumer;              /* reads (or only asks) instead of producing */
	const char *transactional_id; /* a producer with transactions; NULL = without */
	int transaction_timeout_ms; /* 0 = librdkafka's default */
	const tr_property *fixed;   /* of ours, set after the user's properties */
	size_t fixed_count;
	const volatile bool *stop;  /* ends waits as interrupt does; may be NULL */
	/* A record's delivery report, in the thread that polls; opaque is the client. NULL: none is needed. */
	void (*delivered)(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque);
	/* A consumer's, in the thread that polls; opaque is the client. NULL: takes part in no group. */
	void (*rebalance)(rd_kafka_t *rk, rd_kafka_resp_err_t e, rd_kafka_topic_partition_list_t *parts, void *opaque);
} tr_kafka_options;

/* Makes no connection yet. SINK_CONFIG names the property. */
int tr_kafka_client_open(tr_kafka_client *c, const tr_kafka_options *options, tr_err *err);
/* Ends its threads; nothing refers to produced bytes afterwards. A client that was not opened is fine. */
void tr_kafka_client_close(tr_kafka_client *c);
/* Wakes the thread that polls; waits return INTERRUPTED. Any thread. */
void tr_kafka_client_interrupt(tr_kafka_client *c);

/* Was the end of waiting asked for, by interrupt or the options' flag? */
static inline bool tr_kafka_stopped(const tr_kafka_client *c)
{
	return atomic_load(&c->stop) || (c->stop_flag && *c->stop_flag);
}

/* Our code for an error of librdkafka or a broker. */
tr_err_code tr_kafka_code(rd_kafka_resp_err_t e);
/* Sets code, text ("verb object: reason"), hint. object e.g. "topic \"shop.public.orders\"". Returns -1. */
int tr_kafka_error(tr_err *err, rd_kafka_resp_err_t e, const char *reason, const char *verb, const char *object);
/* The error of a wait that got no answer: what the client last said about its brokers. Returns -1. */
int tr_kafka_no_answer(const tr_kafka_client *c, const char *verb, tr_err *err);

/* Waits for one answer of an admin request on `queue`, serving callbacks meanwhile; NULL with err filled on timeout or stop. */
rd_kafka_event_t *tr_kafka_wait(tr_kafka_client *c, rd_kafka_queue_t *queue, int timeout_ms, const char *verb, tr_err *err);

void tr_kafka_client_back(tr_kafka_client *c);
/* The cluster as its brokers tell it (free with rd_kafka_metadata_destroy): with all its topics, or those in use. */
int tr_kafka_metadata(tr_kafka_client *c, bool all_topics, const struct rd_kafka_metadata **out, tr_err *err);

/* Notes a delivery: the brokers are there. */
static inline void tr_kafka_client_alive(tr_kafka_client *c)
{
	if (__builtin_expect(c->unreachable || c->refused_since_us != 0, 0))
		tr_kafka_client_back(c);
}

#endif
