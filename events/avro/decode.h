/*
 * Reads any Avro record under its schema text and writes it as one line of JSON: for `tailrace tail` and for tests. The
 * schema need not be ours: all of Avro is read, with references, recursion, enums and fixed.
 *
 * Safe on any bytes and any schema: nesting, schema size and output (the writer's maximum) are bounded. Not on the way of
 * a row: it may be slow.
 */
#ifndef TR_EVENTS_AVRO_DECODE_H
#define TR_EVENTS_AVRO_DECODE_H

#include "core/err.h"
#include "core/writer.h"

typedef struct tr_avro_decoder tr_avro_decoder;

typedef enum tr_avro_style {
	TR_AVRO_RAW,    /* values as they stand; bytes in base64 */
	TR_AVRO_PRETTY, /* decimals as numbers; dates, times and timestamps (Avro's, Connect's, Debezium's) as ISO texts */
} tr_avro_style;

int tr_avro_decoder_new(tr_avro_decoder **out, tr_slice schema, tr_err *err);
void tr_avro_decoder_free(tr_avro_decoder *d); /* NULL is fine */
/* The whole body must be one value; on failure w has what could be read (DECODE_SHORT, DECODE_VALUE). */
int tr_avro_decode(const tr_avro_decoder *d, tr_slice body, tr_avro_style style, tr_writer *w, tr_err *err);
/* Splits <0> <schema id> <body>. */
int tr_avro_unframe(tr_slice record, int32_t *out_id, tr_slice *out_body, tr_err *err);

#endif
