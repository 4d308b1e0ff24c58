/*
 * The events of a MySQL or MariaDB binary log, version 4 (MySQL internals manual "Binary Log", libs/mysql/binlog/event of
 * the server, MariaDB's "Replication Protocol" pages): bytes in, changes out. One decoder is fed whole events, in order,
 * as a dump sends them (without the packet's 0x00) or as a file has them (after its four magic bytes), and calls a
 * handler. What is compressed (TRANSACTION_PAYLOAD, MariaDB's compressed queries, rows and columns) or in pieces
 * (PARTIAL_ROW_DATA) is unpacked in here and reported as if it had come plain.
 *
 * Nothing is copied but what has to be unpacked: slices and data point into the event or into the decoder's buffers and
 * are valid until the callee returns. No I/O, no globals, one thread at a time. Accepts any bytes: what is short, damaged
 * or unknown is an error that names the event, its type and its place, never a crash; after an error the decoder is of no
 * further use.
 *
 * Refuses: a failed checksum, an unknown event without the ignorable flag, rows of a table whose TABLE_MAP is not valid
 * any more, an event that would grow beyond the limit, logs older than version 4 (MySQL 5.0).
 */
#ifndef TR_BINLOG_EVENT_H
#define TR_BINLOG_EVENT_H

#include "core/arena.h"
#include "core/reader.h"
#include "core/writer.h"
#include "events/change.h"

#define TR_BL_COLUMNS_MAX 4096   /* of a table */
#define TR_BL_FILE_MAX 512       /* bytes of a log file's name, with the NUL */
#define TR_BL_TAG_MAX 32         /* characters of a GTID's tag */
#define TR_BL_XID_MAX 64         /* bytes of each part of an XA transaction's name */

/* Event types that a stream's owner has to tell apart; the decoder knows the others, too. */
enum {
	TR_BL_QUERY_EVENT = 2, TR_BL_STOP_EVENT = 3, TR_BL_ROTATE_EVENT = 4, TR_BL_FORMAT_EVENT = 15, TR_BL_XID_EVENT = 16,
	TR_BL_TABLE_MAP_EVENT = 19, TR_BL_INCIDENT_EVENT = 26, TR_BL_HEARTBEAT_EVENT = 27, TR_BL_GTID_EVENT = 33,
	TR_BL_ANONYMOUS_GTID_EVENT = 34, TR_BL_PREVIOUS_GTIDS_EVENT = 35, TR_BL_XA_PREPARE_EVENT = 38,
	TR_BL_TRANSACTION_PAYLOAD_EVENT = 40, TR_BL_HEARTBEAT_V2_EVENT = 41, TR_BL_GTID_TAGGED_EVENT = 42,
	TR_BL_MARIADB_GTID_EVENT = 162, TR_BL_MARIADB_GTID_LIST_EVENT = 163,
};

/* Flags of the header. */
enum { TR_BL_FLAG_ARTIFICIAL = 0x20, TR_BL_FLAG_IGNORABLE = 0x80 };

/* The event that is being reported. Inside of a payload: the inner event's time, type and server, the payload's place. */
typedef struct tr_bl_event {
	uint8_t type;
	uint16_t flags;
	uint32_t time_s;     /* whole seconds since 1970: the statement's start; 0 for artificial events */
	uint32_t server_id;  /* of the server that made it */
	uint32_t size;       /* bytes in the log, header and checksum included */
	bool artificial;     /* made by the sending server, not in the log */
	bool inside;         /* within a TRANSACTION_PAYLOAD: no position lies here; start and end are the payload's */
	const char *file;    /* name from the last ROTATE; "" before the first */
	/* Places in the file in bytes, counted in 64 bits although the header has 32. Artificial events: both are the place
	 * where the sender stands. `start` presumes that checksums are as the log has them (do not ask for 'NONE'). */
	uint64_t start, end;
} tr_bl_event;

typedef struct tr_bl_rotate { tr_slice file; uint64_t position; } tr_bl_rotate; /* event.artificial: names the file being sent */
typedef struct tr_bl_format {
	uint16_t version;        /* 4 */
	tr_slice server_version; /* "9.7.0", "11.8.3-MariaDB-log" */
	uint32_t created_s;      /* other than 0: the server has started with this file */
	bool checksums;          /* CRC32 on every event */
} tr_bl_format;

/* An XA transaction's name. */
typedef struct tr_bl_xid {
	int32_t format_id;
	tr_slice gtrid, bqual; /* bytes, at most TR_BL_XID_MAX each */
} tr_bl_xid;

/* The opening of a group (transaction or DDL), whatever the server. */
typedef struct tr_bl_gtid {
	enum { TR_BL_ANONYMOUS, TR_BL_GTID, TR_BL_GTID_MARIADB } kind;
	uint8_t uuid[16];        /* GTID */
	tr_slice tag;            /* GTID: lower case, empty when it has none */
	uint64_t number;         /* GTID: the transaction number; MARIADB: the sequence number */
	uint32_t domain;         /* MARIADB; its server is event.server_id */
	/* Microseconds since 1970, 0 = not told (MySQL 5.7, MariaDB): on the server sending it, and where it was first made. */
	int64_t commit_us, original_commit_us;
	uint64_t last_committed, sequence; /* logical clock; 0 = not told */
	uint64_t transaction_bytes;        /* whole group with this event, uncompressed or not as the log has it; 0 = not told */
	uint32_t thread_id;                /* MARIADB 11.5 and later; 0 = not told */
	/* MARIADB: */
	bool standalone;         /* one event (a DDL) follows, without a commit after it */
	bool ddl, transactional;
	bool prepared_xa;        /* the group ends with XA PREPARE; `xid` names it */
	bool completed_xa;       /* XA COMMIT or ROLLBACK of `xid` */
	enum { TR_BL_ALTER_WHOLE, TR_BL_ALTER_START, TR_BL_ALTER_COMMIT, TR_BL_ALTER_ROLLBACK } alter; /* two-phase ALTER */
	uint64_t alter_start;    /* COMMIT, ROLLBACK: sequence number of its START */
	tr_bl_xid xid;
} tr_bl_gtid;

/* One entry of MariaDB's GTID_LIST. */
typedef struct tr_bl_domain_gtid { uint32_t domain, server_id; uint64_t sequence; } tr_bl_domain_gtid;
typedef struct tr_bl_gtid_list {
	const tr_bl_domain_gtid *gtids;
	size_t count;
	uint32_t flags;          /* high 4 bits of the count: 0x1 until reached, 0x2 ignored by the reader */
} tr_bl_gtid_list;

typedef struct tr_bl_query {
	tr_slice database;       /* of the session; may be empty */
	tr_slice text;           /* in the character set of client_collation */
	uint16_t error_code;     /* of the statement on its server; 0 = none */
	uint32_t thread_id;
	uint16_t client_collation; /* id; 0 = not told */
	uint32_t fraction_us;    /* of event.time_s, 0 = not told */
	uint64_t sql_mode;       /* 0 = not told */
	bool load_data;          /* EXECUTE_LOAD_QUERY: rows came from a file, statement format */
} tr_bl_query;

/* SQL types as TABLE_MAP has them. STRING's packed forms are unpacked: type is STRING, ENUM or SET. */
enum {
	TR_BL_DECIMAL_OLD = 0, TR_BL_TINY = 1, TR_BL_SHORT = 2, TR_BL_LONG = 3, TR_BL_FLOAT = 4, TR_BL_DOUBLE = 5, TR_BL_NULL = 6,
	TR_BL_TIMESTAMP = 7, TR_BL_LONGLONG = 8, TR_BL_INT24 = 9, TR_BL_DATE = 10, TR_BL_TIME = 11, TR_BL_DATETIME = 12,
	TR_BL_YEAR = 13, TR_BL_NEWDATE = 14, TR_BL_VARCHAR = 15, TR_BL_BIT = 16, TR_BL_TIMESTAMP2 = 17, TR_BL_DATETIME2 = 18,
	TR_BL_TIME2 = 19, TR_BL_TYPED_ARRAY = 20, TR_BL_BLOB_COMPRESSED = 140, TR_BL_VARCHAR_COMPRESSED = 141, TR_BL_VECTOR = 242,
	TR_BL_JSON = 245, TR_BL_NEWDECIMAL = 246, TR_BL_ENUM = 247, TR_BL_SET = 248, TR_BL_TINY_BLOB = 249,
	TR_BL_MEDIUM_BLOB = 250, TR_BL_LONG_BLOB = 251, TR_BL_BLOB = 252, TR_BL_VAR_STRING = 253, TR_BL_STRING = 254,
	TR_BL_GEOMETRY = 255,
};

/* One column of a TABLE_MAP. What only FULL metadata has is empty or 0 otherwise; the table says which parts came. */
typedef struct tr_bl_map_column {
	uint8_t type;            /* see above */
	/*
	 * What the type's metadata says, unpacked: STRING, VARCHAR (also compressed) length_bytes = the maximum in bytes;
	 * BLOB family, JSON, GEOMETRY, VECTOR: bytes of the length prefix in `scale`; NEWDECIMAL precision and scale; BIT
	 * length_bytes = bits; temporal types `scale` = fractional digits; ENUM, SET: bytes in the row in `scale`.
	 */
	uint32_t length_bytes;
	uint8_t precision, scale;
	bool nullable;
	bool is_unsigned;        /* numeric types */
	bool visible;            /* true when not told */
	uint16_t collation;      /* id of character columns and of ENUM and SET; 0 = not told or not one */
	tr_slice name;           /* UTF-8; empty when not told */
	const tr_slice *values;  /* ENUM, SET: members as stored, in the character set of `collation` */
	uint32_t value_count;
	uint16_t geometry;       /* 0 geometry, 1 point ... 7 collection */
	uint16_t dimensions;     /* VECTOR; 0 = not told */
	uint16_t key_rank;       /* 1.. = place in the primary key, 0 = not in it or not told */
	uint32_t key_prefix;     /* characters of the column that are in the key; 0 = all */
} tr_bl_map_column;

/*
 * One version of a table's shape. The same object is reported again while its TABLE_MAP comes again unchanged, so the
 * owner may hang what it compiled on `user`; `forget` is called before the object goes.
 */
typedef struct tr_bl_table {
	uint64_t id;             /* the server's number: valid within a statement only */
	uint64_t serial;         /* of this object, from 1; never used twice by a decoder */
	tr_slice database, name; /* UTF-8 */
	const tr_bl_map_column *columns;
	size_t column_count;
	/* Which optional metadata came. With binlog_row_metadata=FULL all of them that the table has something for: with
	 * names but without a key there is no primary key. MariaDB does not tell visibility. */
	bool has_signedness, has_names, has_key, has_visibility, has_collations;
	bool wanted;             /* set before each table_map, where the owner may clear it: rows are passed over unread */
	void *user;              /* the owner's */
} tr_bl_table;

/* One row of a rows event. */
typedef struct tr_bl_row {
	tr_op op;                /* TR_OP_CREATE, TR_OP_UPDATE, TR_OP_DELETE */
	tr_bl_table *table;
	/*
	 * column_count data each, or NULL (before of an insert, after of a delete). BINARY: the column's own bytes without
	 * length prefix, as the log has them (CHAR, BINARY and what MariaDB stores in them, such as UUID: without the padding
	 * at their end; MariaDB's compressed columns: unpacked); ABSENT: not in the row image; TEXT: a
	 * JSON document that was put together from a partial update; UNCHANGED: an update's new row without the column
	 * (it is as in the old one, which may lack it, too), or a JSON document of which only the difference came, and
	 * the document before is not in the image.
	 */
	const tr_datum *before, *after;
	size_t index;            /* of the row in its event, from 0 */
	bool statement_end;      /* the last row of its statement */
	bool after_lacks;        /* the event's new rows come without some column: UNCHANGED or ABSENT */
} tr_bl_row;

typedef struct tr_bl_heartbeat { tr_slice file; uint64_t position; } tr_bl_heartbeat;
typedef struct tr_bl_incident { uint16_t number; tr_slice message; } tr_bl_incident;

/* Called for each event; a NULL slot: of no interest. -1 ends decoding with the callee's error. */
typedef struct tr_bl_handler {
	int (*rotate)(void *context, const tr_bl_event *e, const tr_bl_rotate *m, tr_err *err);
	int (*format)(void *context, const tr_bl_event *e, const tr_bl_format *m, tr_err *err);
	/* The encoded set, as gtid_set.h reads it (plain or tagged form). */
	int (*previous_gtids)(void *context, const tr_bl_event *e, tr_slice encoded, tr_err *err);
	int (*gtid_list)(void *context, const tr_bl_event *e, const tr_bl_gtid_list *m, tr_err *err);
	int (*gtid)(void *context, const tr_bl_event *e, const tr_bl_gtid *m, tr_err *err);
	int (*query)(void *context, const tr_bl_event *e, const tr_bl_query *m, tr_err *err);
	/* The statement's text before its rows: ROWS_QUERY, ANNOTATE_ROWS. */
	int (*rows_query)(void *context, const tr_bl_event *e, tr_slice text, tr_err *err);
	int (*table_map)(void *context, const tr_bl_event *e, tr_bl_table *table, tr_err *err);
	/* The table's object goes: take back what hangs on `user`. Also from tr_bl_decoder_free. */
	void (*forget)(void *context, tr_bl_table *table);
	int (*row)(void *context, const tr_bl_event *e, const tr_bl_row *m, tr_err *err);
	int (*xid)(void *context, const tr_bl_event *e, uint64_t xid, tr_err *err);
	int (*xa_prepare)(void *context, const tr_bl_event *e, const tr_bl_xid *m, bool one_phase, tr_err *err);
	int (*heartbeat)(void *context, const tr_bl_event *e, const tr_bl_heartbeat *m, tr_err *err);
	int (*incident)(void *context, const tr_bl_event *e, const tr_bl_incident *m, tr_err *err);
	/*
	 * After everything of a top-level event has been reported, also of those that have no slot (STOP, RAND, unknown but
	 * ignorable ones): e->end is where the log goes on. Not within a payload.
	 */
	int (*end)(void *context, const tr_bl_event *e, tr_err *err);
} tr_bl_handler;

typedef struct tr_bl_limits {
	size_t event_max_bytes;  /* of one event, packed or unpacked, and of a value put together; 0 = 1 GiB */
	size_t tables_max;       /* shapes kept; the one not seen for longest goes first; 0 = 4096 */
} tr_bl_limits;

typedef struct tr_bl_decoder tr_bl_decoder;
/* The handler is copied. NULL when memory ran out. */
tr_bl_decoder *tr_bl_decoder_new(const tr_bl_limits *limits, const tr_bl_handler *handler, void *context);
void tr_bl_decoder_free(tr_bl_decoder *d);
/* Where the log stands that is fed without a ROTATE before (a file from its beginning: position 4). */
int tr_bl_decoder_at(tr_bl_decoder *d, const char *file, uint64_t position, tr_err *err);
/* Decodes one event, header and checksum included. */
int tr_bl_decode(tr_bl_decoder *d, tr_slice event, tr_err *err);
/* For people: the place of the event to come, and the tables whose rows it may hold, if a statement has named some. */
void tr_bl_describe_next(const tr_bl_decoder *d, tr_writer *out);

/*
 * MariaDB's temporal columns in its format before 10.1 (mysql56_temporal_format=OFF, or a table from then) have a fraction
 * that TABLE_MAP is silent about. The owner has to tell it within table_map, from the catalogue, for each such column
 * (TR_BL_TIME, TR_BL_DATETIME, TR_BL_TIMESTAMP, tr_bl_unsure) of a wanted table: rows would be cut wrongly without. 0 is an
 * answer, too. With a fraction the value is a big-endian integer: of microseconds since -838:59:59 (TIME) or of the
 * packed fields (DATETIME) in 3 to 8 bytes, or 4 bytes of seconds and up to 3 of the fraction (TIMESTAMP).
 */
bool tr_bl_unsure(const tr_bl_table *table, size_t column);
int tr_bl_tell_fraction(tr_bl_table *table, size_t column, unsigned digits, tr_err *err);

/* Reads the header alone (scanning ahead for QUERY events, say). false when it is short or tells a wrong size. */
bool tr_bl_peek(tr_slice event, tr_bl_event *out);
/* The type's name as the server prints it ("Write_rows"), or "event". */
const char *tr_bl_event_name(uint8_t type);

#endif
