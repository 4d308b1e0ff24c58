/*
 * One column of a MySQL or MariaDB table, whoever described it (information_schema, or a TABLE_MAP event written with
 * binlog_row_metadata=FULL), and how its values are published: Debezium 3.5's types in all modes.
 *
 * Values come in two forms, and both give the same tr_value:
 * - TR_D_BINARY: the column's own bytes of a row image, without a length prefix. TINYINT..BIGINT little-endian in their
 *   size; CHAR, VARCHAR, TEXT and their binary kin in the column's own character set; GEOMETRY, JSON, VECTOR the bytes of
 *   the blob.
 * - TR_D_TEXT: the server's text protocol in a session with TR_BL_SESSION_SETTINGS. BINARY, BLOB, BIT, GEOMETRY and VECTOR
 *   are raw bytes there, too. A JSON document rebuilt from a partial update has this form as well.
 * Sources: MySQL 9.7 manual (data type storage requirements, replication protocol), MariaDB's documentation of its
 * row event, information_schema of both servers.
 *
 * No I/O, no locks. Memory is the arena's that is passed; errors: TYPE_UNSUPPORTED, DECODE_VALUE, DECODE_PROTOCOL, MEMORY,
 * BATCH_LIMIT (a scratch arena at its maximum).
 */
#ifndef TR_BINLOG_COLUMN_H
#define TR_BINLOG_COLUMN_H

#include "events/table.h"

/*
 * For every session whose text values are decoded here. TIMESTAMP values depend on the zone, text on the character set of
 * results. sql_mode and the rest do not change how stored values are printed.
 */
#define TR_BL_SESSION_SETTINGS \
	"SET NAMES utf8mb4", "SET SESSION character_set_results = utf8mb4", "SET SESSION time_zone = '+00:00'"

/* Type bytes of the protocol and of TABLE_MAP events. */
enum {
	TR_BL_TYPE_DECIMAL = 0,
	TR_BL_TYPE_TINY = 1,
	TR_BL_TYPE_SHORT = 2,
	TR_BL_TYPE_LONG = 3,
	TR_BL_TYPE_FLOAT = 4,
	TR_BL_TYPE_DOUBLE = 5,
	TR_BL_TYPE_NULL = 6,
	TR_BL_TYPE_TIMESTAMP = 7, /* before 5.6: 4 bytes little-endian */
	TR_BL_TYPE_LONGLONG = 8,
	TR_BL_TYPE_INT24 = 9,
	TR_BL_TYPE_DATE = 10,
	TR_BL_TYPE_TIME = 11,     /* before 5.6: 3 bytes little-endian, hhmmss in decimal */
	TR_BL_TYPE_DATETIME = 12, /* before 5.6: 8 bytes little-endian, yyyymmddhhmmss in decimal */
	TR_BL_TYPE_YEAR = 13,
	TR_BL_TYPE_NEWDATE = 14,
	TR_BL_TYPE_VARCHAR = 15,
	TR_BL_TYPE_BIT = 16,
	TR_BL_TYPE_TIMESTAMP2 = 17,
	TR_BL_TYPE_DATETIME2 = 18,
	TR_BL_TYPE_TIME2 = 19,
	TR_BL_TYPE_TYPED_ARRAY = 20,
	TR_BL_TYPE_BLOB_COMPRESSED = 140,    /* MariaDB */
	TR_BL_TYPE_VARCHAR_COMPRESSED = 141, /* MariaDB */
	TR_BL_TYPE_VECTOR = 242,
	TR_BL_TYPE_JSON = 245,
	TR_BL_TYPE_NEWDECIMAL = 246,
	TR_BL_TYPE_ENUM = 247,
	TR_BL_TYPE_SET = 248,
	TR_BL_TYPE_TINY_BLOB = 249,
	TR_BL_TYPE_MEDIUM_BLOB = 250,
	TR_BL_TYPE_LONG_BLOB = 251,
	TR_BL_TYPE_BLOB = 252,
	TR_BL_TYPE_VAR_STRING = 253,
	TR_BL_TYPE_STRING = 254,
	TR_BL_TYPE_GEOMETRY = 255,
};

/*
 * One column as a TABLE_MAP event tells it: what is always there, then what binlog_row_metadata adds. Made by the event
 * decoder; slices point into the event.
 */
typedef struct tr_bl_map_column {
	uint8_t type;      /* the real type: ENUM and SET are taken out of STRING's metadata */
	bool nullable;
	bool sign_told;    /* numeric columns: is_unsigned is known */
	bool is_unsigned;
	bool visibility_told, invisible;
	bool key_told;     /* the event lists the primary key: key_rank is known for all columns */
	uint16_t key_rank; /* 1.. in the primary key, else 0 */
	uint32_t key_prefix; /* characters of a prefix key part; 0 = whole column */
	uint32_t length;   /* max bytes of STRING, VARCHAR; size of the length prefix of blobs; bytes of ENUM and SET; bits of BIT */
	uint8_t precision, scale; /* NEWDECIMAL */
	uint8_t fsp;       /* TIMESTAMP2, DATETIME2, TIME2: digits of the fraction */
	uint32_t collation; /* id; 0 = not told */
	int32_t geometry_type; /* 0 geometry, 1 point ...; -1 = not told */
	uint32_t vector_dimension; /* 0 = not told */
	tr_slice name;     /* ptr NULL = not told; UTF-8 */
	const tr_slice *values; /* ENUM, SET: in the column's character set; NULL = not told */
	size_t value_count;
} tr_bl_map_column;

typedef enum tr_bl_sql {
	TR_BL_UNKNOWN,
	TR_BL_TINYINT, TR_BL_SMALLINT, TR_BL_MEDIUMINT, TR_BL_INT, TR_BL_BIGINT,
	TR_BL_FLOAT, TR_BL_DOUBLE, TR_BL_DECIMAL, TR_BL_BIT,
	TR_BL_YEAR, TR_BL_DATE, TR_BL_TIME, TR_BL_DATETIME, TR_BL_TIMESTAMP,
	TR_BL_CHAR, TR_BL_VARCHAR, TR_BL_TINYTEXT, TR_BL_TEXT, TR_BL_MEDIUMTEXT, TR_BL_LONGTEXT,
	TR_BL_BINARY, TR_BL_VARBINARY, TR_BL_TINYBLOB, TR_BL_BLOB, TR_BL_MEDIUMBLOB, TR_BL_LONGBLOB,
	TR_BL_ENUM, TR_BL_SET, TR_BL_JSON, TR_BL_GEOMETRY, TR_BL_VECTOR,
	TR_BL_UUID, TR_BL_INET4, TR_BL_INET6, /* MariaDB */
} tr_bl_sql;

typedef enum tr_bl_default_kind {
	TR_BL_DEFAULT_NONE,       /* no DEFAULT clause, or nothing is known of it */
	TR_BL_DEFAULT_NULL,
	TR_BL_DEFAULT_LITERAL,    /* default_text is the value as the server prints it; bytes for binary types */
	TR_BL_DEFAULT_NOW,        /* CURRENT_TIMESTAMP and its synonyms */
	TR_BL_DEFAULT_EXPRESSION, /* default_text is the expression; its value is not known */
} tr_bl_default_kind;

/* Strings are NUL-terminated UTF-8 in the arena the column was made in. */
typedef struct tr_bl_column {
	const char *name;
	tr_bl_sql sql;
	bool mariadb;         /* the server is MariaDB */
	bool is_unsigned, zerofill, nullable, auto_increment, invisible;
	bool generated;       /* virtual or stored */
	bool width_told;      /* length is known */
	uint32_t length;      /* CHAR, VARCHAR: characters; BINARY, VARBINARY: bytes; BIT: bits; integers: display width; VECTOR: items */
	uint8_t precision, scale; /* DECIMAL; FLOAT(p,s) and DOUBLE(p,s) with decimals_told */
	bool decimals_told;
	uint8_t fsp;          /* TIME, DATETIME, TIMESTAMP */
	uint32_t collation;   /* id, 0 = not known */
	const char *charset;  /* of text, ENUM and SET: "utf8mb4"; "binary" for bytes; NULL = none or not known */
	const char *const *values; /* ENUM, SET: labels in UTF-8 */
	size_t value_count;
	int32_t geometry_type;     /* 0 any, 1 point, 2 linestring, 3 polygon, 4..6 their collections, 7 geometrycollection */
	tr_bl_default_kind default_kind;
	tr_slice default_text;     /* NUL-terminated, but may hold NULs */
	const char *type_text;     /* COLUMN_TYPE ("int(10) unsigned"), or NULL */
	const char *comment;       /* or NULL */
	const char *generation;    /* expression of a generated column, or NULL */
	uint16_t key_rank;         /* 1.. in the primary key (or the unique index that stands for it), else 0 */
	uint8_t wire_type;         /* type byte of the binary form; 0 = the newest of this SQL type */
} tr_bl_column;

/* One row of information_schema.COLUMNS, the texts as the server gives them (UTF-8); NULL stays NULL. */
typedef struct tr_bl_facts {
	bool mariadb;
	const char *name;          /* COLUMN_NAME */
	const char *data_type;     /* DATA_TYPE */
	const char *column_type;   /* COLUMN_TYPE */
	const char *charset;       /* CHARACTER_SET_NAME */
	const char *collation;     /* COLLATION_NAME; kept for its id only where the caller knows it */
	uint32_t collation_id;     /* 0 = not known */
	const char *column_default; /* COLUMN_DEFAULT */
	const char *extra;         /* EXTRA */
	const char *is_nullable;   /* IS_NULLABLE */
	const char *generation;    /* GENERATION_EXPRESSION */
	const char *comment;       /* COLUMN_COMMENT */
	uint16_t key_rank;         /* from information_schema.STATISTICS, as the caller chose the key */
} tr_bl_facts;

/* TYPE_UNSUPPORTED when the type is none of the servers' known ones. */
int tr_bl_column_from_facts(const tr_bl_facts *facts, tr_arena *arena, tr_bl_column *out, tr_err *err);
/*
 * From a TABLE_MAP with names. What the map cannot tell (default, comment, DECIMAL ZEROFILL, JSON kept as LONGTEXT, UUID kept
 * as BINARY, TINYTEXT against TEXT with MariaDB's compressed columns) stays unset or the wire's own type. DECODE_PROTOCOL
 * when the map lacks what FULL has (name, signedness, labels).
 */
int tr_bl_column_from_map(const tr_bl_map_column *map, bool mariadb, tr_arena *arena, tr_bl_column *out, tr_err *err);
/*
 * Whether rows with this map column can be values of this definition: type, sizes, signedness, fraction digits, character
 * set, name and labels, each as far as the map tells it.
 */
bool tr_bl_column_matches(const tr_bl_map_column *map, const tr_bl_column *column);

/*
 * Fills column->name, type (optional, default, semantic name and parameters set), decode, decode_arg, absent, identity,
 * required and key_rank. index is the caller's. All memory from `arena`.
 */
int tr_bl_resolve(const tr_bl_column *in, const tr_event_options *options, tr_arena *arena, tr_column *column, tr_err *err);

/* For column.propagate.source.type: names, lengths and scales as Debezium's catalogue has them. -1: no memory. */
int tr_bl_source_column(const tr_bl_column *in, tr_arena *arena, tr_source_column *out);

/* "utf8mb4" of a collation id; NULL when it is not known here. */
const char *tr_bl_collation_charset(uint32_t collation);

#endif
