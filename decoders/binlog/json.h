/*
 * MySQL's binary JSON (type 245) to the text that the server itself prints: `{"a": 1, "b": [1, 2]}`, members in stored
 * order, doubles in the server's shortest form, opaque values as the server shows them (decimals as numbers, temporal
 * values as quoted text, others as "base64:typeN:...").
 * Source: MySQL 9.7 source documentation of json_binary and of the JSON diff list.
 *
 * Accepts any bytes: what is no document is DECODE_VALUE, never with its content. Nesting is bounded by
 * TR_BL_JSON_DEPTH_MAX, the server's own limit; output by the scratch arena (BATCH_LIMIT).
 */
#ifndef TR_BINLOG_JSON_H
#define TR_BINLOG_JSON_H

#include "core/arena.h"
#include "core/err.h"

#define TR_BL_JSON_DEPTH_MAX 100

/* Text of a document. Empty bytes are JSON null (an INSERT IGNORE leaves them). */
int tr_bl_json_print(tr_slice document, tr_arena *scratch, tr_slice *out, tr_err *err);

/*
 * Applies the diffs of a PARTIAL_UPDATE_ROWS event to the column's value before the update (binary form): gives the text of
 * the new document. `diffs` is the list without its own length prefix. A diff that does not fit the document is
 * DECODE_VALUE: the row image was not what the server changed.
 */
int tr_bl_json_patch(tr_slice before, tr_slice diffs, tr_arena *scratch, tr_slice *out, tr_err *err);

#endif
