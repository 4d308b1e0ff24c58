/*
 * What kind of statement a QUERY event holds, and which databases and tables it names. A scanner of tokens, not a parser of
 * SQL: it knows comments, quotes and the first words of statements, and never looks at columns.
 *
 * Text inside of version comments (those that begin with an exclamation mark) is read as SQL whatever the version, MySQL's
 * as well as MariaDB's: partitions and the like are written in them.
 *
 * A statement that is not known is TR_MYC_DDL_UNKNOWN: whoever has to be sure takes it for a change of any table.
 * `complete` is false when a statement may touch tables that were not found (UPDATE of a join, say).
 *
 * Sources: the SQL statement chapters of the MySQL 9.7 and MariaDB manuals. Any bytes are accepted; no I/O.
 * Errors: MEMORY only (more than TR_MYC_DDL_NAMES_MAX names are cut off and make the list incomplete).
 */
#ifndef TR_CAPTURE_MYSQL_DDL_H
#define TR_CAPTURE_MYSQL_DDL_H

#include "core/arena.h"
#include "core/err.h"
#include "core/slice.h"
#include "decoders/binlog/event.h"

#define TR_MYC_DDL_NAMES_MAX 16384

/* Bits of sql_mode that change what a quote means. */
#define TR_MYC_MODE_ANSI_QUOTES          4u
#define TR_MYC_MODE_NO_BACKSLASH_ESCAPES 0x100000u

typedef enum tr_myc_ddl_kind {
	TR_MYC_DDL_UNKNOWN,
	TR_MYC_DDL_OTHER, /* known, and without effect on the shape or the rows of a table: views, users, SET ... */
	/* transactions */
	TR_MYC_DDL_BEGIN, TR_MYC_DDL_COMMIT, TR_MYC_DDL_ROLLBACK, TR_MYC_DDL_SAVEPOINT, TR_MYC_DDL_ROLLBACK_TO,
	TR_MYC_DDL_RELEASE,
	TR_MYC_DDL_XA_START, TR_MYC_DDL_XA_END, TR_MYC_DDL_XA_PREPARE, TR_MYC_DDL_XA_COMMIT, TR_MYC_DDL_XA_ROLLBACK,
	/* rows in statement format: INSERT, REPLACE, UPDATE, DELETE, LOAD DATA, CALL, DO */
	TR_MYC_DDL_DML,
	/* shapes */
	TR_MYC_DDL_CREATE_TABLE, TR_MYC_DDL_ALTER_TABLE, TR_MYC_DDL_DROP_TABLE, TR_MYC_DDL_RENAME_TABLE,
	TR_MYC_DDL_TRUNCATE_TABLE, TR_MYC_DDL_CREATE_INDEX, TR_MYC_DDL_DROP_INDEX,
	TR_MYC_DDL_CREATE_DATABASE, TR_MYC_DDL_ALTER_DATABASE, TR_MYC_DDL_DROP_DATABASE,
} tr_myc_ddl_kind;

/* Unquoted, UTF-8, NUL-terminated. */
typedef struct tr_myc_ddl_name {
	const char *database; /* as written, else the session's; "" = none */
	const char *name;     /* "" for a database */
	/* RENAME TABLE, and ALTER TABLE with RENAME: what it is called afterwards; NULL otherwise */
	const char *new_database, *new_name;
	tr_slice clause; /* RENAME TABLE: the pair as written; empty otherwise */
} tr_myc_ddl_name;

typedef struct tr_myc_ddl {
	tr_myc_ddl_kind kind;
	bool temporary;  /* of temporary tables: no business of a log reader */
	bool if_exists;
	bool keeps;      /* CREATE TABLE with IF NOT EXISTS or OR REPLACE, but for LIKE: to Debezium a table that is there stays */
	bool complete;   /* all tables it touches are in `names` */
	const char *unique_index; /* CREATE UNIQUE INDEX: its name; NULL otherwise */
	const char *suffix; /* DROP TABLE: " RESTRICT", " CASCADE" or "" */
	/*
	 * The tables (or the one database) the statement is about. RENAME TABLE: one entry a pair. Index statements: the
	 * table. ALTER TABLE: the table first, then those it exchanges partitions with. A source (LIKE, SELECT) is not named.
	 */
	tr_myc_ddl_name *names;
	size_t count;
	tr_slice rest;   /* of the text, behind what was understood: the xid of an XA statement, say */
	/*
	 * CREATE, ALTER, DROP, RENAME: the statement as Debezium shows it, a part of the text: without comments before and
	 * behind it, version comments among them, without a semicolon, and without the START TRANSACTION that a CREATE TABLE
	 * ... SELECT ends with in MySQL's log. Otherwise empty.
	 */
	tr_slice statement;
} tr_myc_ddl;

/* All memory from the arena. sql_mode: of the statement's session. */
int tr_myc_ddl_scan(tr_slice text, const char *database, uint64_t sql_mode, tr_arena *arena, tr_myc_ddl *out, tr_err *err);
/* The words of a kind, for messages: "ALTER TABLE". */
const char *tr_myc_ddl_name_of(tr_myc_ddl_kind kind);
/* Changes what information_schema says about some table (TRUNCATE does not). */
bool tr_myc_ddl_changes_shape(tr_myc_ddl_kind kind);
/* Whether the statement may change the table, all doubts included. */
bool tr_myc_ddl_touches(const tr_myc_ddl *ddl, const char *database, const char *name);
/*
 * The statement as UTF-8, from the character set of the session that sent it. Borrowed from the event when it is UTF-8
 * already; what cannot be converted becomes U+FFFD.
 */
int tr_myc_ddl_text(const tr_bl_query *query, tr_arena *arena, tr_slice *out, tr_err *err);

#endif
