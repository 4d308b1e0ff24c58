/*
 * What must survive: one record per pipeline. A store keeps it durably; `save` returns only when it is on stable storage.
 * The record is written by pipeline/commit.c and nothing else while a pipeline runs.
 */
#ifndef TR_STATE_STORE_H
#define TR_STATE_STORE_H

#include "core/err.h"
#include "core/property.h"
#include "core/writer.h"
#include "state/record.h"

typedef struct tr_store tr_store;

typedef struct tr_store_options {
	const char *url;      /* file:DIR | kafka | kafka:TOPIC | kafka://BROKERS[/TOPIC] */
	const char *pipeline;
	bool read_only;       /* no lock, no creation: for `status` and `offsets show` */
	bool transactional;   /* the record travels in the sink's transactions: with file:DIR, DIR holds a copy (with_copy.c) */
	bool copy_suffices;   /* read_only: where there is a copy it is enough, and Kafka is not asked */
	/* For a store on the brokers of the sink: its url and properties; NULL when the sink is another. */
	const char *kafka_url;
	const tr_property *kafka_properties;
	size_t kafka_property_count;
	int replication;      /* of a topic made by us; -1 = the broker's default */
	int transaction_timeout_ms; /* of the store's own transactions; 0 = the client's default */
	/* A writer by transactions of a sink (those of `entry`) that must not go on beside this store: it is fenced, too, when the
	 * store is opened to be written. Empty = none, or it is this pipeline's own sink, which fences by itself. */
	char sink_transactional_id[320];
	const char *copies;   /* directory for `reset`'s copies, for a store that has no place of its own; NULL = the working directory */
	/* Ends waits with INTERRUPTED. With it a store on brokers waits longer for their answer; NULL: some seconds. */
	const volatile bool *stop;
} tr_store_options;

/* A record of a store that lies in Kafka, ready to be produced there within a transaction of the sink. */
typedef struct tr_store_entry {
	const char *topic;
	int32_t partition;
	tr_slice key, value; /* valid until the next call */
} tr_store_entry;

typedef struct tr_store_ops {
	const char *kind;    /* "sqlite" */
	const char *schemes; /* "file" */
	/* Opens or makes the store for this pipeline and takes its lock: STATE_BUSY when another process has it; or, in Kafka,
	 * an earlier writer is fenced and gets SINK_FENCED at its next save. read_only: no lock, no creation, for `status` and
	 * `offsets show`; a store that does not exist is then not an error: load finds nothing. What the options point to is
	 * borrowed until free. */
	int (*open)(tr_store **out, const tr_store_options *options, tr_err *err);
	/* 1: found and read into record (initialised by the caller), 0: none stored (of record only the count of saves to go on
	 * from and the time of a reset may be set), -1: damaged or newer version. */
	int (*load)(tr_store *s, tr_record_state *record, tr_err *err);
	/* Durable on return. */
	int (*save)(tr_store *s, const tr_record_state *record, tr_err *err);
	/* NULL: the store is not in Kafka. The record as the sink's transaction has to write it, instead of `save`: it says
	 * exactly_once whatever the record does. After `load`; a transaction that was not committed is repeated after a new load. */
	int (*entry)(tr_store *s, const tr_record_state *record, tr_store_entry *out, tr_err *err);
	/* NULL: nothing to do. What `entry` gave is committed. */
	int (*committed)(tr_store *s, const tr_record_state *record, tr_err *err);
	/* Removes the record, readable or not, after keeping a copy of it (offsets reset/set/import): the copy's name goes to
	 * backup, "" when there was nothing to copy. Works after a load that failed with STATE_CORRUPT or STATE_BACKWARDS. */
	int (*reset)(tr_store *s, char *backup, size_t backup_size, tr_err *err);
	/* All pipelines in this store. */
	int (*list)(tr_store *s, void (*each)(void *context, const char *pipeline, const tr_record_state *record), void *context,
	            tr_err *err);
	void (*free)(tr_store *s);
} tr_store_ops;

struct tr_store {
	uint32_t magic;
	const tr_store_ops *ops;
};
#define TR_STORE_MAGIC 0x5703e001u

#define TR_STORE(kind) extern const tr_store_ops tr_store_##kind;
#include "state/stores.def"
#undef TR_STORE

/* Opens what the options mean; CONFIG when no store has the url's scheme. Its operations: (*out)->ops. */
int tr_store_open(tr_store **out, const tr_store_options *options, tr_err *err);

/* By scheme of a url; NULL when there is none. *known receives the schemes for the message. */
const tr_store_ops *tr_store_find(const char *url, const char **known);
/* The rows of stores.def in order; NULL past the last. */
const tr_store_ops *tr_store_at(size_t index);

#endif
