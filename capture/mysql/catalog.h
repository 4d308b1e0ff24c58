/*
 * What information_schema knows about tables, and the tables that a stream has named: from a TABLE_MAP (or from
 * information_schema itself, for a snapshot) to a compiled tr_table.
 *
 * With binlog_row_metadata=FULL the TABLE_MAP is the authority for names, order, signedness, key and members; the catalogue
 * adds what no event carries (defaults, comments, exact types) and may already be newer: a fact that does not fit the event
 * is dropped, never guessed.
 *
 * Without (MINIMAL, or MySQL 5.7) the catalogue's columns have to fit the event, all of them in order, and it has to be
 * proved that they were the same when the row was written: ahead.c reads the log from the row's place to the server's end
 * as it was when the catalogue was read, and no DDL in between may name the table. Else SOURCE_SETTING says to set FULL.
 * Nothing is published by a guess.
 *
 * Facts are read anew when a DDL names the table, when the server gives the table another number (it does so whenever it
 * opens the table anew, hence after every DDL), and in each session. A table is compiled anew only when its facts changed.
 *
 * Sources: the information_schema chapters of the MySQL 9.7 and MariaDB manuals.
 * Refuses: being used by two threads at once; whoever shares it holds `lock` (snapshot readers).
 */
#ifndef TR_CAPTURE_MYSQL_CATALOG_H
#define TR_CAPTURE_MYSQL_CATALOG_H

#include <mysql.h>
#include <pthread.h>

#include "capture/filter.h"
#include "capture/mysql/connect.h"
#include "core/map.h"
#include "core/metric.h"
#include "decoders/binlog/column.h"
#include "decoders/binlog/event.h"
#include "events/emitter.h"

/* Everything about one table at one moment. */
typedef struct tr_myc_facts {
	tr_arena arena;             /* owns what follows */
	const char *database, *name;
	bool exists;                /* a base table of this name is there and may be seen */
	tr_bl_column *columns;      /* in order; key_rank set by the primary key, else the first unique index without NULLs */
	const char **collations;    /* names, parallel to columns; NULL = none */
	size_t column_count;
	bool key_primary;
	const char *charset;        /* default of the table, or NULL */
	const char *comment;        /* "" = none */
	const char *key_name;       /* of the index that is the key; "" = none */
	const char *made;           /* CREATE_TIME; a table keeps it when it is renamed. "" = not told */
	/* With `locked`: the end of the server's log behind the lock. Everything that made these facts lies before it. */
	char log_file[TR_BL_FILE_MAX];
	uint64_t log_pos;
} tr_myc_facts;
void tr_myc_facts_release(tr_myc_facts *f);
/* Everything that a table compiled from these facts depends on, to compare. */
void tr_myc_facts_sign(const tr_myc_facts *f, tr_writer *w);

/* One table as information_schema lists it. */
typedef struct tr_myc_listed {
	const char *database, *name;
	const char *engine;         /* "InnoDB", or NULL */
	bool transactional;         /* the engine takes part in a consistent snapshot */
	bool has_key;               /* a primary key */
	bool captured;
	uint64_t rows, bytes;       /* estimates */
	size_t rank; /* tr_filter_rank; 0 when everything is listed */
} tr_myc_listed;

typedef struct tr_myc_list {
	tr_arena arena;
	tr_myc_listed *tables; /* the order of Debezium's snapshot: by rank, then by database.name in byte order */
	size_t count;
} tr_myc_list;
void tr_myc_list_release(tr_myc_list *list);

/* What a tr_table of ours carries in source_data. */
typedef struct tr_myc_table_info {
	tr_value table; /* for the source block */
	bool is_signal; /* its new rows are commands */
} tr_myc_table_info;

/* One table name of the stream. */
typedef struct tr_myc_relation {
	const char *database, *name;
	bool captured;
	bool stale;            /* compile before the next row */
	bool there;            /* at this place of the log, for certain: a row or a DDL of this session has shown it */
	bool image_told;       /* that its rows lack columns was logged */
	tr_table *table;       /* NULL until first compiled */
	/* the catalogue's: */
	tr_bl_table *map;      /* the newest TABLE_MAP; NULL after it was forgotten */
	uint64_t map_id;       /* the server's number for it, 0 = none yet */
	tr_myc_facts *facts;   /* NULL = to be read */
	bool facts_by_ddl;     /* read at a DDL, whose number for the table is still to come */
	tr_writer signature;   /* everything `table` was compiled from */
	char *names;           /* owns database and name */
} tr_myc_relation;

/* A place in the binary log. */
typedef struct tr_myc_place {
	const char *file; /* "" = not known */
	uint64_t position;
} tr_myc_place;

/* ahead.c */
typedef struct tr_myc_ahead tr_myc_ahead;
typedef struct tr_myc tr_myc;

typedef struct tr_myc_catalog {
	tr_myc *source;        /* for ahead.c's dumps; NULL: MINIMAL metadata is refused */
	MYSQL **sql;           /* the source's plain connection; it may be replaced after a disconnect */
	tr_myc_wake *wake;
	const tr_filter *filter;
	const tr_event_options *events;
	const char *signal_table; /* database.table, or NULL */
	const bool *mariadb;   /* the flavour, once probed */
	tr_metrics *metrics;   /* may be NULL */
	pthread_mutex_t lock;
	tr_map *relations;     /* "database\0name" -> tr_myc_relation */
	tr_myc_ahead *ahead;   /* NULL until first needed */
} tr_myc_catalog;

/* SOURCE_SETTING: the names of the table's columns at the place of its row cannot be known. Returns -1. */
int tr_myc_columns_unknown(const tr_myc_catalog *c, const char *database, const char *name, const char *why, tr_err *err);

/* The fields from `source` to `metrics` are the caller's to set. */
int tr_myc_catalog_init(tr_myc_catalog *c, tr_err *err);
void tr_myc_catalog_release(tr_myc_catalog *c);
/* A new session: table numbers begin anew, facts are read again; compiled tables stay for comparison. */
void tr_myc_catalog_session(tr_myc_catalog *c);
/* The servers' own schemas (mysql, sys, ...), for tr_filter_new. */
bool tr_myc_is_system(const char *database, const char *name);

/*
 * The table_map slot of the decoder's handler: sets map->user to the relation and map->wanted. After it, rows of the table
 * find their relation by `tr_myc_relation_of(row->table)`; when it is `stale`, compile first.
 */
int tr_myc_relation_map(tr_myc_catalog *c, tr_bl_table *map, tr_myc_relation **out, tr_err *err);
/* The relation of this name, known or not yet; it stays where it is as long as the catalogue. */
int tr_myc_relation_named(tr_myc_catalog *c, const char *database, const char *name, tr_myc_relation **out, tr_err *err);
/* The forget slot. */
void tr_myc_relation_forget(tr_myc_catalog *c, tr_bl_table *map);
static inline tr_myc_relation *tr_myc_relation_of(const tr_bl_table *map)
{
	return (tr_myc_relation *)map->user;
}
/*
 * Makes rel->table fit its newest TABLE_MAP. Asks the server when facts are missing. row: the place of the TABLE_MAP, for
 * MINIMAL metadata. SOURCE_SETTING when MINIMAL metadata cannot be proved right.
 */
int tr_myc_relation_compile(tr_myc_catalog *c, tr_myc_relation *rel, tr_catalogue *events, tr_myc_place row, tr_err *err);

/*
 * A DDL named this table: its facts are read now, and *out (may be NULL) shows them until the next call for this table.
 * They are those of this moment: where a later DDL has changed the table already, the newer ones. Waits for a DDL that has
 * been logged but is not visible yet: the question is asked behind the table's metadata lock.
 */
int tr_myc_catalog_ddl(tr_myc_catalog *c, const char *database, const char *name, const tr_myc_facts **out, tr_err *err);
/* What is known of the table is not true any more; nothing is asked. */
int tr_myc_catalog_forget(tr_myc_catalog *c, const char *database, const char *name, tr_err *err);
/* A statement that is not understood, or names a whole database: all facts are to be read again. */
void tr_myc_catalog_stale(tr_myc_catalog *c);

/* All captured tables (`everything`: all base tables but the server's own). */
int tr_myc_catalog_list(tr_myc_catalog *c, bool everything, tr_myc_list *out, tr_err *err);
/*
 * facts.c: one table, asked on connection m. `locked`: behind the table's metadata lock, so that no DDL on it is under way:
 * what the log has of it is visible, and what is visible is in the log.
 */
int tr_myc_facts_read(MYSQL *m, tr_myc_wake *wake, bool mariadb, const char *database, const char *name, bool locked,
		      tr_myc_facts *out, tr_err *err);
/* Equal as long as no DDL has changed the table's columns, or put another table in its place. */
uint64_t tr_myc_facts_hash(const tr_myc_facts *f);
/* The end of the log now. file "" when binary logging is off. */
int tr_myc_log_end(MYSQL *m, tr_myc_wake *wake, char file[TR_BL_FILE_MAX], uint64_t *position, tr_err *err);
/* ahead.c: 0 when the log between the two places names no table so; SOURCE_SETTING when it does, or cannot be read. */
int tr_myc_ahead_clear(tr_myc_catalog *c, const char *database, const char *name, tr_myc_place from, tr_myc_place to,
		       tr_err *err);
void tr_myc_ahead_free(tr_myc_ahead *a); /* NULL is fine */
/*
 * For the snapshot and for check: the table as information_schema has it now, compiled. NULL in *out when it is gone. The
 * table stays the relation's.
 */
int tr_myc_relation_read(tr_myc_catalog *c, const char *database, const char *name, tr_catalogue *events,
			 tr_myc_relation **out, tr_err *err);

/* A table of the caller's own, compiled from facts of its own; to be freed by tr_table_free. */
int tr_myc_facts_compile(tr_myc_catalog *c, const tr_myc_facts *f, tr_catalogue *events, tr_table **out, tr_err *err);

#endif
