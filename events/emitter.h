/*
 * Turns changes into records: the envelope, the key, tombstones, the key-change pair with its headers, truncates, logical
 * messages, transaction metadata and heartbeats. Format-neutral: it builds values and lets codecs write them into the open
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
	const char *version;            /* source.version: ours */
	const volatile bool *stop;
	tr_metrics *metrics;            /* may be NULL in tests */
} tr_catalogue_config;

int tr_catalogue_new(tr_catalogue **out, const tr_catalogue_config *config, tr_err *err);
void tr_catalogue_free(tr_catalogue *c);
/* The topic with this name, made at first use. Thread-safe. */
tr_topic *tr_catalogue_topic(tr_catalogue *c, const char *name, bool meta);

/* Decides everything about a table (names, topic, key, filters, masks, types) and compiles its codecs. Blocks on the
 * registry. Takes `arena` over on success (the spec's strings, types and decode args live in it). */
int tr_table_compile(tr_catalogue *c, tr_arena *arena, const tr_table_spec *spec, tr_table **out, tr_err *err);
void tr_table_free(tr_table *table);

tr_emitter *tr_emitter_new(tr_catalogue *c);
void tr_emitter_free(tr_emitter *e);
/* Where records go from now on; NULL = nowhere (a bug if something is emitted). */
void tr_emitter_batch(tr_emitter *e, tr_batch *batch);

/* All return -1 with the error filled; then the batch holds exactly the records it held before the call. */
int tr_emitter_begin(tr_emitter *e, tr_slice txn_id, int64_t commit_us, tr_err *err);
int tr_emitter_change(tr_emitter *e, const tr_change *change, tr_err *err); /* row, truncate or message */
int tr_emitter_commit(tr_emitter *e, tr_slice txn_id, int64_t commit_us, tr_err *err);
int tr_emitter_heartbeat(tr_emitter *e, tr_err *err);

/* A place to go back to when a transaction has to be forgotten before it was sealed (reconnect in mid-transaction). */
typedef struct tr_emitter_mark {
	size_t records, bytes;
	uint64_t total_order;
} tr_emitter_mark;

#endif
