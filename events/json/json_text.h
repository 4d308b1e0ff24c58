/*
 * JSON as Kafka Connect's JsonConverter writes it, for the JSON format and for record headers: values in the order of their
 * type, bytes and decimals in base64, floats as Java prints them ("NaN" and "Infinity" as texts). Nothing here allocates
 * but the writer.
 *
 * Refuses values that do not fit their type (ENCODE_VALUE names the field, never the value). Bytes of a STRING that are
 * not UTF-8 become U+FFFD: JSON has no other way to hold them.
 */
#ifndef TR_EVENTS_JSON_TEXT_H
#define TR_EVENTS_JSON_TEXT_H

#include "core/err.h"
#include "core/writer.h"
#include "events/type.h"

/* The value alone ("payload" of JsonConverter, what SimpleHeaderConverter writes for a struct): {"id":44}. */
int tr_json_value(const tr_type *type, const tr_value *v, tr_writer *w, tr_err *err);
/* The schema alone: {"type":"struct","fields":[{"type":"int32","optional":false,"field":"id"}],"optional":false,"name":...} */
int tr_json_schema(const tr_type *type, tr_writer *w, tr_err *err);

/* With its quotes. */
void tr_json_string(tr_writer *w, tr_slice text);
/* Every byte as the character of that number (ISO 8859-1), with quotes: how Avro schemas write defaults of bytes. */
void tr_json_latin1(tr_writer *w, tr_slice bytes);
/* The shortest digits that read back equal, in Java's form: 1.5, 1.0E10. Not finite: "NaN", "Infinity", "-Infinity". */
void tr_json_double(tr_writer *w, double value);
void tr_json_float(tr_writer *w, float value);

/* For codecs: a value of one scalar kind; false when it is not of that kind or out of its range. Never NULL. */
bool tr_json_scalar(tr_kind kind, const tr_value *v, tr_writer *w);

#endif
