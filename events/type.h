/*
 * The shape of what is published: a tree in the terms of Kafka Connect's schemas (the terms Debezium's contracts are
 * written in), neutral to the source and to the format. A format renders a tree (Avro as Confluent's AvroConverter does,
 * JSON as JsonConverter does) and compiles it to a codec; values walk beside it (value.h).
 *
 * Trees are immutable once built, live in the arena of the table or pipeline they belong to, and may share nodes.
 */
#ifndef TR_EVENTS_TYPE_H
#define TR_EVENTS_TYPE_H

#include "core/arena.h"
#include "events/value.h"

typedef enum tr_kind {
	TR_BOOLEAN,
	TR_INT8,
	TR_INT16,
	TR_INT32,
	TR_INT64,
	TR_FLOAT32,
	TR_FLOAT64,
	TR_STRING,
	TR_BYTES,
	TR_ARRAY,
	TR_MAP,
	TR_STRUCT,
} tr_kind;

typedef struct tr_param {
	const char *key, *value;
} tr_param;

typedef struct tr_type tr_type;

typedef struct tr_field {
	const char *name; /* as published, already adjusted */
	const tr_type *type;
} tr_field;

struct tr_type {
	tr_kind kind;
	bool optional;
	int version;          /* 0 = none */
	const char *name;     /* semantic name, e.g. "io.debezium.time.Date"; for a struct its full name; or NULL */
	const char *doc;      /* or NULL */
	const tr_param *params; /* in order of publication */
	size_t param_count;
	const tr_value *default_value; /* NULL = no default; a TR_V_NULL value is not a default */
	const tr_type *key;   /* TR_MAP */
	const tr_type *item;  /* TR_ARRAY elements, TR_MAP values */
	const tr_field *fields; /* TR_STRUCT */
	size_t field_count;
};

/* Builders: allocate in the arena; NULL when it is full. Copies keep everything but the named property. */
tr_type *tr_type_new(tr_arena *a, tr_kind kind, const char *name, int version);
tr_type *tr_type_copy(tr_arena *a, const tr_type *type);
tr_type *tr_type_optional(tr_arena *a, const tr_type *type, bool optional);
tr_type *tr_type_array(tr_arena *a, const tr_type *item);
tr_type *tr_type_map(tr_arena *a, const tr_type *key, const tr_type *item);
tr_type *tr_type_struct(tr_arena *a, const char *name, int version, const tr_field *fields, size_t count);
/* Appends a parameter in place (the type must still be private to the caller). */
int tr_type_param(tr_arena *a, tr_type *type, const char *key, const char *value);
/* Copies the value (deeply) into the arena as the type's default. */
int tr_type_default(tr_arena *a, tr_type *type, const tr_value *value);
bool tr_type_equal(const tr_type *a, const tr_type *b);
const char *tr_kind_name(tr_kind kind); /* "int64", as Connect writes it */

/* Names known to formats, because they render them with a logical type. */
#define TR_CONNECT_DECIMAL "org.apache.kafka.connect.data.Decimal"
#define TR_CONNECT_DATE "org.apache.kafka.connect.data.Date"
#define TR_CONNECT_TIME "org.apache.kafka.connect.data.Time"
#define TR_CONNECT_TIMESTAMP "org.apache.kafka.connect.data.Timestamp"

#endif
