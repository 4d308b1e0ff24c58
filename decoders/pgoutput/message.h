/*
 * pgoutput's messages (PostgreSQL documentation, "Logical Replication Message Formats", protocol versions 1 to 4 as far
 * as version 1 can send them), one function per message. Bytes in, fields out; nothing is copied, no I/O, no globals.
 * Unknown or short messages are errors with the message type and offset. Trailing bytes are errors, too.
 */
#ifndef TR_PGOUTPUT_MESSAGE_H
#define TR_PGOUTPUT_MESSAGE_H

#include "core/reader.h"
#include "events/table.h"

#define TR_PG_COLUMNS_MAX 1664 /* MaxTupleAttributeNumber */

typedef struct tr_pg_begin { uint64_t final_lsn; int64_t commit_us; uint32_t xid; } tr_pg_begin;       /* us since 1970 */
typedef struct tr_pg_commit { uint64_t commit_lsn, end_lsn; int64_t commit_us; } tr_pg_commit;
typedef struct tr_pg_origin { uint64_t lsn; tr_slice name; } tr_pg_origin;
typedef struct tr_pg_relation_column { bool identity; tr_slice name; uint32_t type; int32_t typmod; } tr_pg_relation_column;
typedef struct tr_pg_relation {
	uint32_t oid;
	tr_slice schema, name;  /* schema empty on the wire means pg_catalog: decoded as that */
	char identity;          /* d n f i */
	size_t column_count;
	tr_pg_relation_column columns[TR_PG_COLUMNS_MAX];
} tr_pg_relation;
typedef struct tr_pg_typename { uint32_t oid; tr_slice schema, name; } tr_pg_typename;
/* A row message: old and new point into the decoder's own arrays, valid until the next message. */
/* With 'K' the server sends the columns outside of the replica identity as NULL: which those are, only the relation
 * tells (tr_pg_relation_column.identity). */
typedef struct tr_pg_row {
	uint32_t relation;
	char old_kind;          /* 0 none, 'K', 'O' */
	const tr_datum *old_row, *new_row; /* NULL when absent */
	size_t old_count, new_count;
} tr_pg_row;
typedef struct tr_pg_truncate { bool cascade, restart_identity; size_t count; const uint32_t *relations; } tr_pg_truncate;
typedef struct tr_pg_logical { bool transactional; uint64_t lsn; tr_slice prefix, content; } tr_pg_logical;

/* Called for each message; a NULL slot is a bug. -1 ends decoding with the callee's error. */
typedef struct tr_pg_handler {
	int (*begin)(void *context, const tr_pg_begin *m, tr_err *err);
	int (*commit)(void *context, const tr_pg_commit *m, tr_err *err);
	int (*origin)(void *context, const tr_pg_origin *m, tr_err *err);
	int (*relation)(void *context, const tr_pg_relation *m, tr_err *err);
	int (*type_name)(void *context, const tr_pg_typename *m, tr_err *err);
	int (*insert)(void *context, const tr_pg_row *m, tr_err *err);
	int (*update)(void *context, const tr_pg_row *m, tr_err *err);
	int (*delete_row)(void *context, const tr_pg_row *m, tr_err *err);
	int (*truncate)(void *context, const tr_pg_truncate *m, tr_err *err);
	int (*logical)(void *context, const tr_pg_logical *m, tr_err *err);
} tr_pg_handler;

/* Reused arrays of one decoder; allocated once. */
typedef struct tr_pg_decoder tr_pg_decoder;
tr_pg_decoder *tr_pg_decoder_new(void);
void tr_pg_decoder_free(tr_pg_decoder *d);
/* Decodes one message (the payload of one 'w' CopyData) and calls the handler. */
int tr_pg_decode(tr_pg_decoder *d, tr_slice message, const tr_pg_handler *handler, void *context, tr_err *err);

/* COPY ... TO STDOUT (text format): splits one line (without its newline) into data. Fields without backslashes are slices
 * into `line`; others are unescaped into `scratch`. count must match. */
int tr_pg_copy_text_row(tr_slice line, tr_arena *scratch, tr_datum *data, size_t count, tr_err *err);

#endif
