/*
 * The contract of a sink. sinks.def has one row per kind. A sink takes sealed batches in order, delivers their records in
 * order per topic partition, and settles each batch: SETTLED when every record is durable there, FAILED otherwise. Accepted
 * is not delivered.
 *
 * Exactly once: a sink with transactions (fence, begin, commit, abort: all of them or none) makes what was sent between begin
 * and commit visible to readers of committed records together with the pipeline's state record, or not at all:
 *
 *     open -> fence -> (the state is read) -> begin -> send... -> all settled -> commit -> begin -> ...
 *
 * After any error of these the outcome is unknown to the caller: it frees the sink, opens a new one, fences, and reads the
 * state again; what that says is the outcome.
 *
 * Threads: all functions are called by the delivery thread, except check (main thread, nothing running), fence and identity
 * (before the delivery thread runs) and interrupt.
 */
#ifndef TR_SINKS_SINK_H
#define TR_SINKS_SINK_H

#include "core/finding.h"
#include "core/metric.h"
#include "core/property.h"
#include "events/batch.h"

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
	const char *transactional_id;       /* exactly once: one for the pipeline, in all its instances; NULL = no transactions */
	int transaction_timeout_ms;         /* after which the brokers abort what is open */
} tr_sink_options;

/* A record that becomes durable with a transaction: the state. */
typedef struct tr_sink_entry {
	const char *topic;
	int32_t partition;
	tr_slice key, value;
} tr_sink_entry;

typedef struct tr_sink tr_sink;

typedef struct tr_sink_ops {
	const char *kind;    /* "kafka" */
	const char *schemes; /* "kafka redpanda" */
	/* May connect; must not create anything. */
	int (*open)(tr_sink **out, const tr_sink_options *options, tr_metrics *metrics, tr_err *err);
	/* Where the events go, in a word that stays the same for as long as it is the same place: "kafka:<cluster id>",
	 * "file:/real/path", "stdout"; valid UTF-8. After open (and fence); makes the directory, asks brokers (*stop ends waits). */
	int (*identity)(tr_sink *s, char *out, size_t size, const volatile bool *stop, tr_err *err);
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
	/* NULL: the sink has no transactions. Waits until no earlier instance can write any more and what it left open is decided
	 * (its transaction committed or aborted). *stop ends the wait with INTERRUPTED. SINK_FENCED: a newer instance came. */
	int (*fence)(tr_sink *s, const volatile bool *stop, tr_err *err);
	int (*begin)(tr_sink *s, tr_err *err);
	/* Everything sent is settled. Commits it together with the entry; 0: both are durable and visible. */
	int (*commit)(tr_sink *s, const tr_sink_entry *entry, tr_err *err);
	/* Takes everything since begin back. */
	int (*abort)(tr_sink *s, tr_err *err);
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
