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

#include "decoders/binlog/event.h"

/*
 * For every session whose text values are decoded here. TIMESTAMP values depend on the zone, text on the character set of
 * results, CHAR on PAD_CHAR_TO_FULL_LENGTH in sql_mode.
 */
#define TR_BL_SESSION_SETTINGS \
	"SET NAMES utf8mb4", "SET SESSION character_set_results = utf8mb4", "SET SESSION time_zone = '+00:00'", \
	    "SET SESSION sql_mode = ''"

typedef enum tr_bl_sql {
	TR_BL_SQL_UNKNOWN,
	TR_BL_SQL_TINYINT, TR_BL_SQL_SMALLINT, TR_BL_SQL_MEDIUMINT, TR_BL_SQL_INT, TR_BL_SQL_BIGINT,
	TR_BL_SQL_FLOAT, TR_BL_SQL_DOUBLE, TR_BL_SQL_DECIMAL, TR_BL_SQL_BIT,
	TR_BL_SQL_YEAR, TR_BL_SQL_DATE, TR_BL_SQL_TIME, TR_BL_SQL_DATETIME, TR_BL_SQL_TIMESTAMP,
	TR_BL_SQL_CHAR, TR_BL_SQL_VARCHAR, TR_BL_SQL_TINYTEXT, TR_BL_SQL_TEXT, TR_BL_SQL_MEDIUMTEXT, TR_BL_SQL_LONGTEXT,
	TR_BL_SQL_BINARY, TR_BL_SQL_VARBINARY, TR_BL_SQL_TINYBLOB, TR_BL_SQL_BLOB, TR_BL_SQL_MEDIUMBLOB, TR_BL_SQL_LONGBLOB,
	TR_BL_SQL_ENUM, TR_BL_SQL_SET, TR_BL_SQL_JSON, TR_BL_SQL_GEOMETRY, TR_BL_SQL_VECTOR,
	TR_BL_SQL_UUID, TR_BL_SQL_INET4, TR_BL_SQL_INET6, /* MariaDB */
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
	uint8_t wire_type;         /* the TABLE_MAP's type byte; 0 = the newest binary form of this SQL type */
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

/* A type that is not known here gives TR_BL_SQL_UNKNOWN. DECODE_PROTOCOL when the texts are not the server's. */
int tr_bl_column_from_facts(const tr_bl_facts *facts, tr_arena *arena, tr_bl_column *out, tr_err *err);
/*
 * From a TABLE_MAP with names. What the map cannot tell (default, comment, DECIMAL ZEROFILL, JSON kept as LONGTEXT, UUID kept
 * as BINARY, TINYTEXT against TEXT with MariaDB's compressed columns) stays unset or the wire's own type. DECODE_PROTOCOL
 * when the map lacks what FULL has (name, signedness, labels).
 */
int tr_bl_column_from_map(const tr_bl_table *table, size_t index, bool mariadb, tr_arena *arena, tr_bl_column *out,
                          tr_err *err);
/*
 * Whether rows of this map can be values of this definition of its column: type, sizes, signedness, fraction digits, character
 * set, name and labels, each as far as the map tells it.
 */
bool tr_bl_column_matches(const tr_bl_table *table, size_t index, const tr_bl_column *column);

/*
 * Fills column->name, type (optional, default, semantic name and parameters set), decode, decode_arg, identity, required and
 * key_rank. type stays NULL when the column is not published: a type that is not known here, unless options carry unknown
 * types, which are then bytes as the source has them. index is the caller's. All memory from `arena`.
 *
 * wire_type has to be the TABLE_MAP's where there is one: temporal columns made before MySQL 5.6 have another binary form.
 *
 * Defaults are those of Debezium's schemas: constants only; a text as it stands in SHOW CREATE TABLE (quotes doubled);
 * CURRENT_TIMESTAMP and zero dates are 1970-01-01 in a required column, none in a nullable one; none for UUID, JSON, spatial
 * types and vectors; BIGINT UNSIGNED cut to 2^63-1 unless precise.
 */
int tr_bl_resolve(const tr_bl_column *in, const tr_event_options *options, tr_arena *arena, tr_column *column, tr_err *err);

/*
 * What a snapshot has to put behind the column's quoted name so that the text is exact: "" for all but FLOAT, which the
 * server prints with six digits only, and FLOAT and DOUBLE with decimals, which it rounds. As a plain DOUBLE (" * 1e0") it
 * prints them exactly.
 */
const char *tr_bl_select_suffix(const tr_bl_column *column);

/* For column.propagate.source.type: names, lengths and scales as Debezium's catalogue has them. -1: no memory. */
int tr_bl_source_column(const tr_bl_column *in, tr_arena *arena, tr_source_column *out);
/* For schema change records; comment is the column's or NULL, as the caller likes it. -1: no memory. */
int tr_bl_schema_column(const tr_bl_column *in, tr_arena *arena, tr_schema_column *out);

/* "utf8mb4" of a collation id; NULL when it is not known here. */
const char *tr_bl_collation_charset(uint32_t collation);

#endif
