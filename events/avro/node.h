/*
 * A parsed Avro schema, for reading: inside of the decoder. Parsing keeps what is needed to walk a body and to show it:
 * kinds, names, sizes and meanings (logical types and Connect's and Debezium's semantic names); defaults are dropped.
 */
#ifndef TR_EVENTS_AVRO_NODE_H
#define TR_EVENTS_AVRO_NODE_H

#include "core/arena.h"
#include "core/err.h"
#include "core/writer.h"

#define TR_AVRO_SCHEMA_BYTES ((size_t)32 << 20) /* of one parsed schema */

typedef enum tr_avro_kind {
	TR_AVRO_NULL,
	TR_AVRO_BOOLEAN,
	TR_AVRO_INT,
	TR_AVRO_LONG,
	TR_AVRO_FLOAT,
	TR_AVRO_DOUBLE,
	TR_AVRO_BYTES,
	TR_AVRO_STRING,
	TR_AVRO_FIXED,
	TR_AVRO_ENUM,
	TR_AVRO_ARRAY,
	TR_AVRO_MAP,
	TR_AVRO_UNION,
	TR_AVRO_RECORD,
} tr_avro_kind;

typedef enum tr_avro_meaning {
	TR_AVRO_PLAIN,
	TR_AVRO_DECIMAL,
	TR_AVRO_VARIABLE_DECIMAL,
	TR_AVRO_DATE,
	TR_AVRO_TIME_MS,
	TR_AVRO_TIME_US,
	TR_AVRO_TIME_NS,
	TR_AVRO_STAMP_MS, /* Debezium's, without a zone */
	TR_AVRO_STAMP_US,
	TR_AVRO_STAMP_NS,
	TR_AVRO_INSTANT_MS, /* Avro's, in UTC */
	TR_AVRO_INSTANT_US,
	TR_AVRO_DURATION_US,
} tr_avro_meaning;

typedef struct tr_avro_node tr_avro_node;
struct tr_avro_node {
	tr_avro_kind kind;
	tr_avro_meaning meaning;
	int scale;                        /* DECIMAL */
	size_t size;                      /* FIXED: bytes */
	size_t count;                     /* RECORD: fields; UNION: branches; ENUM: symbols; ARRAY, MAP: 1 */
	const char *const *names;         /* RECORD: fields; ENUM: symbols */
	const tr_avro_node *const *inner; /* RECORD, UNION, ARRAY, MAP */
};

int tr_avro_node_parse(tr_arena *arena, tr_slice schema, const tr_avro_node **out, tr_err *err);

/* Writes the meaning of a number with quotes; false (nothing written) when it has none. */
bool tr_avro_pretty_integer(tr_avro_meaning meaning, int64_t i, tr_writer *w);
/* Writes big-endian two's complement bytes as a JSON number; false (nothing written) when it would be absurdly long. */
bool tr_avro_pretty_decimal(tr_slice unscaled, int scale, tr_writer *w);

#endif
