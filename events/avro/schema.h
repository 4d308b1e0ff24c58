/*
 * A type tree as Avro schema text, in the words of Kafka Connect's Avro converter: the same attributes in the same order,
 * so that a registry finds the schema a Connect worker registered. Compact JSON, no line breaks.
 *
 * Refuses names Avro cannot hold (NAME_INVALID) and one record name for two shapes (NAME_COLLISION). Names are not
 * adjusted here: the table's compiler has done that.
 */
#ifndef TR_EVENTS_AVRO_SCHEMA_H
#define TR_EVENTS_AVRO_SCHEMA_H

#include "core/err.h"
#include "core/writer.h"
#include "events/type.h"

#define TR_AVRO_NESTING_MAX 64 /* levels of compound types */

int tr_avro_schema(const tr_type *type, tr_writer *w, tr_err *err);

/* True when the type's default can be written in a schema: NULL and floats that are not finite cannot. An optional type
 * with one is a union [T, null], without one [null, T]. */
bool tr_avro_has_default(const tr_type *type);

#endif
