/*
 * Inside of the event decoder: what its files share. event.c frames and dispatches, gtid.c, query.c, table_map.c and rows.c
 * read one kind each, unpack.c undoes compression and fragments.
 *
 * Refuses: growing a buffer beyond the limit; it is checked before memory is asked for.
 */
#ifndef TR_BINLOG_DECODER_H
#define TR_BINLOG_DECODER_H

#include <zstd.h>

#include "core/writer.h"
#include "decoders/binlog/event.h"

#define TR_BL_HEADER_BYTES 19
#define TR_BL_CHECKSUM_BYTES 4
#define TR_BL_SHAPE_BUCKETS 1024 /* a power of two */

/* The other types, by the servers' numbers. */
enum {
	BL_INTVAR = 5, BL_APPEND_BLOCK = 9, BL_DELETE_FILE = 11, BL_RAND = 13, BL_USER_VAR = 14, BL_BEGIN_LOAD_QUERY = 17,
	BL_EXECUTE_LOAD_QUERY = 18, BL_WRITE_ROWS_V1 = 23, BL_UPDATE_ROWS_V1 = 24, BL_DELETE_ROWS_V1 = 25, BL_IGNORABLE = 28,
	BL_ROWS_QUERY = 29, BL_WRITE_ROWS = 30, BL_UPDATE_ROWS = 31, BL_DELETE_ROWS = 32, BL_TRANSACTION_CONTEXT = 36,
	BL_VIEW_CHANGE = 37, BL_PARTIAL_UPDATE_ROWS = 39, BL_ANNOTATE_ROWS = 160, BL_BINLOG_CHECKPOINT = 161,
	BL_START_ENCRYPTION = 164, BL_QUERY_COMPRESSED = 165, BL_WRITE_ROWS_COMPRESSED_V1 = 166,
	BL_UPDATE_ROWS_COMPRESSED_V1 = 167, BL_DELETE_ROWS_COMPRESSED_V1 = 168, BL_WRITE_ROWS_COMPRESSED = 169,
	BL_UPDATE_ROWS_COMPRESSED = 170, BL_DELETE_ROWS_COMPRESSED = 171, BL_PARTIAL_ROW_DATA = 172,
};

/* How one column stands in a row: `prefix` bytes of length and then as many, or `bytes` if prefix is 0. */
typedef struct tr_bl_step {
	uint16_t column;
	uint8_t prefix;
	bool unsure;             /* see tr_bl_unsure */
	enum { TR_BL_PLAIN, TR_BL_JSON_STEP, TR_BL_COMPRESSED_STEP } kind;
	uint32_t bytes;
} tr_bl_step;

/* A table with what its rows are walked by. */
typedef struct tr_bl_shape {
	tr_bl_table table; /* first: the owner knows only this part */
	tr_arena arena;
	tr_slice body;           /* what it was made from: when that comes again, so does the shape */
	tr_bl_map_column *columns; /* the table's, while they are filled */
	tr_bl_step *steps;       /* one per column */
	size_t json_count;
	size_t unsure_count;     /* columns whose size in a row the owner has not told yet */
	bool unpacks;            /* has compressed columns: a row needs scratch memory */
	uint64_t statement;      /* the last that named it */
	uint64_t used;           /* clock of the last TABLE_MAP */
	struct tr_bl_shape *next; /* in its bucket */
} tr_bl_shape;

/* Pieces of one rows event (PARTIAL_ROW_DATA). */
typedef struct tr_bl_pieces {
	tr_writer joined;
	uint64_t total_bytes;
	uint32_t count, seen;
	bool count_first;        /* the order of the two numbers in this group */
} tr_bl_pieces;

struct tr_bl_decoder {
	uint32_t magic;
	size_t event_max_bytes, tables_max;
	tr_bl_handler handler;
	void *context;

	char file[TR_BL_FILE_MAX];
	uint64_t position;
	bool has_format, checksums;
	bool mariadb;            /* knows MariaDB's own event types */
	uint8_t post_bytes[256]; /* by type - 1; valid for types up to post_count */
	size_t post_count;

	tr_bl_shape *buckets[TR_BL_SHAPE_BUCKETS];
	size_t shape_count;
	uint64_t serial, clock, statement;

	tr_datum before[TR_BL_COLUMNS_MAX], after[TR_BL_COLUMNS_MAX];
	tr_bl_step before_steps[TR_BL_COLUMNS_MAX], after_steps[TR_BL_COLUMNS_MAX];
	tr_arena scratch;        /* of a row */

	tr_writer inflated;      /* MariaDB's packed queries and rows */
	tr_writer inner;         /* one event of a payload */
	tr_writer list;          /* tr_bl_domain_gtid */
	tr_bl_pieces pieces;
	ZSTD_DCtx *zstd;
};

/* One event being read: `r` stands after the header, and ends before the checksum. */
typedef struct tr_bl_cursor {
	tr_bl_decoder *d;
	tr_bl_event e;
	tr_reader r;
} tr_bl_cursor;

/* Names the event and its place; returns -1. */
int tr_bl_fail(const tr_bl_cursor *c, tr_err_code code, tr_err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* 0, or -1 with the reader's failure as the event's. */
int tr_bl_finish(const tr_bl_cursor *c, tr_err *err);
int tr_bl_too_big(const tr_bl_cursor *c, uint64_t bytes, tr_err *err);
int tr_bl_oom(const tr_bl_cursor *c, tr_err *err);
/* Bytes of the type's post-header as the log's own format has it; `known` when it does not tell. */
size_t tr_bl_post_bytes(const tr_bl_decoder *d, uint8_t type, size_t known);
/* A reader of the post-header, which may be longer than we know but not shorter than `known`; r goes on behind it. */
tr_reader tr_bl_post(tr_bl_cursor *c, size_t known);
/* Length-encoded integer (the protocol's "int<lenenc>"); 251 (NULL) and 255 are failures. */
uint64_t tr_bl_packed(tr_reader *r);
/* Reports an event whose body c->r holds; for the log's own events and those of a payload. */
int tr_bl_dispatch(tr_bl_cursor *c, tr_err *err);
/* Header of an event. false: short. */
bool tr_bl_header(tr_slice event, tr_bl_event *out, uint32_t *next_position);

/* gtid.c */
int tr_bl_read_gtid(tr_bl_cursor *c, tr_err *err);
int tr_bl_read_tagged_gtid(tr_bl_cursor *c, tr_err *err);
int tr_bl_read_mariadb_gtid(tr_bl_cursor *c, tr_err *err);
int tr_bl_read_gtid_list(tr_bl_cursor *c, tr_err *err);

/* query.c */
int tr_bl_read_query(tr_bl_cursor *c, bool load, bool packed, tr_err *err);
int tr_bl_read_rows_query(tr_bl_cursor *c, tr_err *err);
int tr_bl_read_annotate(tr_bl_cursor *c, tr_err *err);

/* table_map.c */
/* The tables of the statement under way. */
void tr_bl_list_tables(const tr_bl_decoder *d, tr_writer *out);
int tr_bl_read_table_map(tr_bl_cursor *c, tr_err *err);
/* NULL when no TABLE_MAP of this statement has named it. */
tr_bl_shape *tr_bl_find_shape(tr_bl_decoder *d, uint64_t id);
void tr_bl_drop_shapes(tr_bl_decoder *d);
/* table_meta.c: fills columns and steps from types and metadata, then the optional part. */
int tr_bl_read_columns(tr_bl_cursor *c, tr_bl_shape *s, tr_err *err);
int tr_bl_read_optional(tr_bl_cursor *c, tr_bl_shape *s, tr_err *err);

/* rows.c */
int tr_bl_read_rows(tr_bl_cursor *c, tr_err *err);

/* unpack.c */
/* MariaDB's packed bytes: a byte of algorithm and size of length, the length, a zlib stream. Valid until the next one. */
int tr_bl_inflate_event(tr_bl_cursor *c, tr_slice packed, tr_slice *out, tr_err *err);
/* A value of a compressed column; -1 without an error text when damaged, -2 when scratch is full. */
int tr_bl_inflate_value(tr_slice packed, tr_arena *scratch, tr_slice *out);
int tr_bl_read_payload(tr_bl_cursor *c, tr_err *err);
int tr_bl_read_piece(tr_bl_cursor *c, tr_err *err);

#endif
