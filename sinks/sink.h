/*
 * The contract of a sink. sinks.def has one row per kind. A sink takes sealed batches in order, delivers their records in
 * order per topic partition, and settles each batch: SETTLED when every record is durable there, FAILED otherwise. Accepted
 * is not delivered.
 *
 * Threads: all functions are called by the delivery thread, except check (main thread, nothing running) and interrupt.
 */
#ifndef TR_SINKS_SINK_H
#define TR_SINKS_SINK_H

#include "core/finding.h"
#include "core/metric.h"
#include "events/batch.h"

typedef struct tr_property {
	const char *key, *value;
} tr_property;

typedef struct tr_sink_options {
	const char *url;                    /* kafka://host:port[,host:port] | file:DIR | stdout | null */
	const tr_property *properties;      /* passed through (librdkafka) */
	size_t property_count;
	/* topics made by us */
	bool create_topics;
	int partitions, replication;        /* -1 = the broker's default */
	const char *cleanup_policy;         /* "compact", "delete", "compact,delete", or NULL = broker default */
	const tr_property *topic_properties;
	size_t topic_property_count;
	enum { TR_OVERSIZE_STOP, TR_OVERSIZE_DEAD_LETTER } oversize;
	const char *dead_letter_topic;      /* default <name>.dead_letter */
	/* files */
	uint64_t roll_bytes;
	int64_t roll_ms;
	const char *file_codec;             /* "null", "deflate" */
	/* set by the pipeline */
	const char *name;                   /* pipeline name */
	const tr_event_options *events;
	uint64_t queue_bytes;               /* share of limits.memory the sink may hold beyond the batches */
} tr_sink_options;

typedef struct tr_sink tr_sink;

typedef struct tr_sink_ops {
	const char *kind;    /* "kafka" */
	const char *schemes; /* "kafka redpanda" */
	/* May connect; must not create anything. */
	int (*open)(tr_sink **out, const tr_sink_options *options, tr_metrics *metrics, tr_err *err);
	int (*check)(tr_sink *s, tr_finding_fn report, void *context, tr_err *err);
	/* Hands a batch over. 0: the sink owns it until it is settled. 1: full, try again after poll. -1: error, not taken. */
	int (*send)(tr_sink *s, tr_batch *batch, tr_err *err);
	/* Drives delivery for up to timeout_ms. Settled batches change state; they are collected by `settled`. -1: error. */
	int (*poll)(tr_sink *s, int timeout_ms, tr_err *err);
	/* The oldest batch handed over when it is SETTLED or FAILED, else NULL: batches come back in the order they were sent,
	 * so what is returned is always the durable prefix. */
	tr_batch *(*settled)(tr_sink *s);
	/* Asks for everything sent to become durable soon (idle, end of --once): files are closed and made visible. */
	int (*flush)(tr_sink *s, tr_err *err);
	void (*interrupt)(tr_sink *s);
	/* Forgets what is not settled (those batches go back to their pool, FAILED), closes, frees. NULL is fine. Called before
	 * the topics the records point at are freed: the sink's handles on them are taken off. */
	void (*free)(tr_sink *s);
} tr_sink_ops;

struct tr_sink {
	uint32_t magic;
	const tr_sink_ops *ops;
};
#define TR_SINK_MAGIC 0x51cc0001u

#define TR_SINK(kind) extern const tr_sink_ops tr_sink_##kind;
#include "sinks/sinks.def"
#undef TR_SINK

/* By scheme of a url; NULL when there is none. *known receives the schemes for the message. */
const tr_sink_ops *tr_sink_find(const char *url, const char **known);
/* The rows of sinks.def in order; NULL past the last. */
const tr_sink_ops *tr_sink_at(size_t index);

#endif
