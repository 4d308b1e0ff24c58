/*
 * Turns changes into records: the envelope, the key, tombstones, the key-change pair with its headers, truncates, logical
 * messages, schema changes, transaction metadata and heartbeats. Format-neutral: it builds values and lets codecs write them into the open
 * batch. One emitter per thread that emits (capture thread, each snapshot reader); emitters share the catalogue.
 *
 * On the way of a row: no allocation (scratch arena), no lock, no lookup by name.
 */
#ifndef TR_EVENTS_EMITTER_H
#define TR_EVENTS_EMITTER_H

#include "events/batch.h"
#include "events/change.h"

typedef struct tr_catalogue tr_catalogue; /* what all emitters of a pipeline share: topics, encoder, options, types */
typedef struct tr_emitter tr_emitter;

typedef struct tr_catalogue_config {
	const tr_event_options *options;
	const tr_encoder_ops *encoder_ops;
	tr_encoder *encoder;            /* borrowed */
	const tr_type *source_type;     /* the connector's `source` struct; borrowed for the pipeline's life */
	const char *connector;          /* "postgresql" */
	const char *database;
	bool skips_changes;             /* events.skip is about the change in the log, not about the records made of it */
	const char *version;            /* source.version: ours */
	const volatile bool *stop;
	tr_metrics *metrics;            /* may be NULL in tests */
} tr_catalogue_config;

int tr_catalogue_new(tr_catalogue **out, const tr_catalogue_config *config, tr_err *err);
void tr_catalogue_free(tr_catalogue *c);
/* The topic with this name, made at first use. Thread-safe. */
tr_topic *tr_catalogue_topic(tr_catalogue *c, const char *name, bool meta);

/*
 * Decides everything about a table: names, topic, key, filters, masks, types. Takes `arena` over on success (the spec's
 * strings, types and decode args live in it); after a failure it is the caller's as before, but larger.
 *
 * Rules, as Debezium has them:
 * - Column rules match schema.table.column (database.table.column). Of TRUNCATE, MASK and PROPAGATE_TYPE only the first that
 *   matches, in that order, is applied. TRUNCATE cuts text (characters) and plain bytes; MASK replaces text, also NULL.
 *   Columns of other types are refused with CONFIG (Debezium publishes them in the clear), but for those that cannot be
 *   longer than TRUNCATE allows.
 * - The key is that of the key rules that match (in the order of their columns), else the primary key in its own order. Key
 *   columns are published in the key as they are, whatever the column rules say about the row.
 * - NAME_COLLISION when two columns get one field name, or two tables one topic; NAME_INVALID when Avro cannot hold a name
 *   and the names modes leave it so.
 * Codecs are compiled, and schemas registered, at the first record that needs them. Thread-safe.
 */
int tr_table_compile(tr_catalogue *c, tr_arena *arena, const tr_table_spec *spec, tr_table **out, tr_err *err);
void tr_table_free(tr_table *table);

tr_emitter *tr_emitter_new(tr_catalogue *c);
void tr_emitter_free(tr_emitter *e);
/* Where records go from now on; NULL = nowhere (a bug if something is emitted). */
void tr_emitter_batch(tr_emitter *e, tr_batch *batch);

/*
 * All return -1 with the error filled; then batch and emitter are exactly as before the call, which may be repeated. The
 * first record of a schema may block on the registry.
 *
 * The records of one call never straddle two batches. When they do not fit, the result is BATCH_LIMIT: seal a batch that
 * holds other records and call again with an empty one; in an empty batch it is final.
 *
 * Flat envelope: the value is the row, a delete is a tombstone, a key change a tombstone and a row. A truncate has no flat
 * form and is counted as skipped.
 *
 * begin is published together with the first change (or at commit, when there is none), so that a transaction resumed
 * after that is not announced twice: its first change is then `replayed`.
 */
int tr_emitter_begin(tr_emitter *e, tr_slice txn_id, int64_t commit_us, tr_err *err);
int tr_emitter_change(tr_emitter *e, const tr_change *change, tr_err *err); /* row, truncate, message, schema change */
int tr_emitter_commit(tr_emitter *e, tr_slice txn_id, int64_t commit_us, tr_err *err);
int tr_emitter_heartbeat(tr_emitter *e, tr_err *err);

#endif
