/*
 * Debezium's fixed shapes, as types: the envelope around a row, the transaction block, and the keys and values of
 * transaction, heartbeat, logical message and schema change records. One place for their field names and for the order of the fields,
 * which is the order of the values that emitter.c builds.
 *
 * Knows no format and no table; a builder returns NULL when the arena is full.
 */
#ifndef TR_EVENTS_ENVELOPE_H
#define TR_EVENTS_ENVELOPE_H

#include "events/change.h"
#include "events/options.h"

/* Fields in order. */
enum {
	TR_ENV_BEFORE,
	TR_ENV_AFTER,
	TR_ENV_SOURCE,
	TR_ENV_TRANSACTION,
	TR_ENV_OP,
	TR_ENV_TS_MS,
	TR_ENV_TS_US,
	TR_ENV_TS_NS,
	TR_ENV_COUNT
};
enum { TR_TXN_ID, TR_TXN_TOTAL_ORDER, TR_TXN_COLLECTION_ORDER, TR_TXN_COUNT };
enum { TR_END_STATUS, TR_END_ID, TR_END_EVENT_COUNT, TR_END_COLLECTIONS, TR_END_TS_MS, TR_END_COUNT };
enum { TR_DDL_SOURCE, TR_DDL_TS_MS, TR_DDL_DATABASE, TR_DDL_SCHEMA, TR_DDL_TEXT, TR_DDL_CHANGES, TR_DDL_COUNT };
enum { TR_MSG_OP, TR_MSG_TS_MS, TR_MSG_SOURCE, TR_MSG_TRANSACTION, TR_MSG_MESSAGE, TR_MSG_COUNT };

/* What one record of a kind consists of. */
typedef struct tr_record_types {
	const tr_type *key, *value;
} tr_record_types;

/* The `transaction` field: optional event.block. */
const tr_type *tr_envelope_transaction_block(tr_arena *a);
/* name: full schema name, adjusted. row: the optional row struct, shared by before and after. */
const tr_type *tr_envelope_type(tr_arena *a, const char *name, const tr_type *row, const tr_type *source,
				const tr_type *block);
bool tr_envelope_transaction(tr_arena *a, tr_record_types *out);
bool tr_envelope_heartbeat(tr_arena *a, tr_record_types *out);
/* Logical messages belong to a connector's name space; their content follows the binary mode. */
bool tr_envelope_message(tr_arena *a, const char *connector, const tr_event_options *options, const tr_type *source,
			 const tr_type *block, tr_record_types *out);
/* Schema changes belong to a connector's name space, too. */
bool tr_envelope_schema_change(tr_arena *a, const char *connector, const tr_type *source, tr_record_types *out);
/* Their tableChanges as a value of that type; false when the arena is full. schema_change.c */
bool tr_envelope_table_changes(tr_arena *scratch, const tr_schema_change *change, tr_value *out);

/* The text of source.snapshot. */
const char *tr_snapshot_mark_text(tr_snapshot_mark mark);

#endif
