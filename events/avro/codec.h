/*
 * Compiled Avro encoding: a type tree becomes a tree of nodes with one function pointer each, and writing a value is one
 * walk over it, straight into the batch. A NULL always takes the null branch: a default never replaces it.
 *
 * Refuses values that do not fit (ENCODE_VALUE with the path of the field, never the value); then nothing was appended.
 */
#ifndef TR_EVENTS_AVRO_CODEC_H
#define TR_EVENTS_AVRO_CODEC_H

#include "core/err.h"
#include "core/writer.h"
#include "events/type.h"

typedef struct tr_avro_plan tr_avro_plan;

/* Keeps nothing of `type`. */
int tr_avro_plan_new(tr_avro_plan **out, const tr_type *type, tr_err *err);
void tr_avro_plan_free(tr_avro_plan *plan); /* NULL is fine */
/* The body alone, without any frame. No lock, no allocation but the writer's; any number of threads. */
int tr_avro_plan_write(const tr_avro_plan *plan, const tr_value *v, tr_writer *w, tr_err *err);

#endif
