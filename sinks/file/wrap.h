/*
 * The schema of files that must show deletes: in the flat envelope a delete is a key without a value, so each record of a
 * container is {key, value: null | row}. The record has no namespace of its own: names inside keep theirs.
 */
#ifndef TR_SINKS_FILE_WRAP_H
#define TR_SINKS_FILE_WRAP_H

#include "core/err.h"
#include "core/writer.h"

/* key or value may be NULL: that part is always null then. A type that both define is defined once and named the second time. */
int tr_wrap_schema(const char *key, const char *value, tr_writer *out, tr_err *err);

#endif
