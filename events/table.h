/*
 * The model of a captured table: one immutable version of its shape, compiled for publication. A new Relation (or
 * TABLE_MAP) with another shape makes a new tr_table; the old one is freed when the capture thread lets go of it.
 *
 * All names, filters, masks, keys and modes are decided here, once; the way of a row compares pointers only.
 */
#ifndef TR_EVENTS_TABLE_H
#define TR_EVENTS_TABLE_H

#include "core/err.h"
#include "events/options.h"
#include "events/type.h"

/* One column of one row as the source sent it. Borrowed: valid until the source reads its next message. */
typedef enum tr_datum_form {
	TR_D_NULL,
	TR_D_TEXT,      /* the server's text output, UTF-8 */
	TR_D_BINARY,    /* the server's binary form (PostgreSQL send format, MySQL binlog) */
	TR_D_UNCHANGED, /* not sent, as the old row has it: unchanged TOAST value, column outside of an update's image */
	TR_D_ABSENT,    /* not sent: not part of the replica identity or row image */
} tr_datum_form;

typedef struct tr_datum {
	const uint8_t *ptr;
	uint32_t len; /* bytes */
	tr_datum_form form;
} tr_datum;

/*
 * Converts one TEXT or BINARY datum to the value of the column's type. `arg` holds the column's constants. Compound
 * values and rewritten text go to `scratch`. Must accept any bytes: bad input is DECODE_VALUE, never a crash.
 */
typedef int (*tr_decode_fn)(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err);

typedef struct tr_column {
	const char *name;     /* in the source */
	const char *field;    /* as published: name after field_names adjustment */
	const tr_type *type;  /* with optional and default set; NULL = not published (excluded, or unknown type dropped) */
	tr_decode_fn decode;
	const void *decode_arg;
	tr_value unavailable; /* what is published for TR_D_UNCHANGED (placeholder in the column's type) */
	tr_value absent;      /* what is published in `before` for TR_D_ABSENT: null, the default (null_as_default), or the
	                         type's zero value when the column is required */
	tr_value null_value;  /* what is published for NULL: null; the default or zero value (null_as_default); the mask. A null
	                         here under a required type means that NULL cannot be published. Set by tr_table_compile */
	uint16_t index;       /* place in the source's tuple */
	bool identity;        /* part of the replica identity */
	bool required;        /* NOT NULL in the source */
	bool excluded;        /* by a column rule: that is why it has no type */
	uint16_t key_rank;    /* 1.. = place in the published key; 0 = not in the key */
} tr_column;

/* Where records go: one per topic name for the life of the pipeline; sinks and the registry hang their handles on it. */
typedef struct tr_topic {
	uint32_t magic;
	uint32_t number;      /* 0.. in order of first use */
	const char *name;
	enum { TR_TOPIC_DATA, TR_TOPIC_META } kind; /* META: transaction, heartbeat, message, schema changes */
	_Atomic(void *) sink_handle; /* owned by the sink */
} tr_topic;
#define TR_TOPIC_MAGIC 0x70c1c001u

typedef struct tr_codec tr_codec; /* encoder.h */

typedef struct tr_table {
	uint32_t magic;
	tr_arena arena;       /* owns everything below that is not shared */
	uint64_t source_id;   /* PostgreSQL: relation oid; MySQL: table id */
	uint32_t version;     /* counts shapes of this table in this run, from 1 */
	const char *database, *schema, *name; /* in the source */
	const char *collection;               /* "schema.table" (PostgreSQL) or "db.table": for transaction metadata and logs */
	uint32_t collection_hash;             /* tr_naming_java_hash(collection) */
	tr_topic *topic;      /* its number is the table's, whatever the version */
	tr_column *columns;   /* in tuple order */
	size_t column_count;
	const tr_column **published; /* columns with a type, in field order */
	size_t published_count;
	const tr_column **key;       /* in key order; NULL and 0 when the table has none. Copies: a key is published as the
	                                source has it, also when the column is excluded, masked or cut in the row */
	int *key_slots;              /* place in `published` of a column with the same values, or -1: decode it for the key */
	size_t key_count;
	bool identity_full;   /* the source sends whole old rows */
	const tr_source_column *source_columns; /* parallel to columns; NULL when the source told none */
	const tr_type *key_type, *row_type, *value_type; /* value_type: envelope, or flat row */
	/* Compiled at the first record that needs them (tr_table_key_codec): a schema is registered when it is used, as
	 * Connect does, not for tables that never get a row. */
	_Atomic(const tr_codec *) key_codec, value_codec;
	void *source_data;    /* the source's own, lives in the arena */
} tr_table;
#define TR_TABLE_MAGIC 0x7ab1e001u

/*
 * What a source tells about a table before it is compiled. `columns` come with name, type (semantic type by the source's
 * rules and options, optional and default set), decode, decode_arg, index, identity, required, key_rank (by primary key).
 */
typedef struct tr_table_spec {
	uint64_t source_id;
	const char *database, *schema, *name;
	const char *namespace_name; /* second topic part: PostgreSQL the schema, MySQL the database */
	tr_column *columns;
	const tr_source_column *source_columns; /* parallel to columns: for propagate.source.type; may be NULL */
	size_t column_count;
	bool identity_full;
} tr_table_spec;

#endif
