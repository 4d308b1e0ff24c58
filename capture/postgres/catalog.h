/*
 * What the database's catalogue knows about tables, and the relations seen in this run: from a Relation message (or the
 * catalogue itself, for a snapshot) to a compiled tr_table.
 *
 * The message is the authority for names, types and order of the columns; the catalogue adds what no message carries
 * (key, not null, defaults) and may already be newer: facts that do not fit the message are dropped, never guessed. A
 * table is compiled anew only when its facts changed.
 *
 * Refuses: being used by two threads at once; whoever shares it holds `lock` (snapshot readers).
 */
#ifndef TR_CAPTURE_POSTGRES_CATALOG_H
#define TR_CAPTURE_POSTGRES_CATALOG_H

#include <libpq-fe.h>
#include <pthread.h>

#include "capture/postgres/connect.h"
#include "capture/filter.h"
#include "core/map.h"
#include "decoders/pgoutput/message.h"
#include "decoders/pgoutput/types.h"
#include "events/emitter.h"

/* One user table as the catalogue lists it. */
typedef struct tr_pgc_listed {
	uint32_t oid;
	const char *schema, *name;
	char kind;                        /* r, p (partitioned), f (foreign; only for check) */
	char persistence;                 /* p, u */
	char identity;                    /* relreplident */
	bool partition, has_key, covered; /* covered: in the publication, itself or by an ancestor or its schema */
	bool root_captured;               /* some ancestor is captured, too */
	int64_t rows;                     /* estimate; -1 = never analysed */
	uint64_t bytes;                   /* of the main fork; 0 when not asked for */
	size_t rank, row; /* tr_filter_rank; the place by name */
} tr_pgc_listed;

typedef struct tr_pgc_list {
	tr_arena arena;
	tr_pgc_listed *tables; /* the order of Debezium's snapshot: by rank, then by schema.name in byte order */
	size_t count;
} tr_pgc_list;
void tr_pgc_list_release(tr_pgc_list *list);

/* What a tr_table of ours carries in source_data. */
typedef struct tr_pgc_table_info {
	tr_value schema, table; /* for the source block */
	char identity;
	bool is_signal; /* its new rows are commands */
} tr_pgc_table_info;

typedef struct tr_pgc_relation {
	uint32_t oid;
	tr_arena arena; /* names and columns below */
	const char *schema, *name;
	char identity;
	tr_pg_column *columns;
	bool *null_seen; /* per column: a row has NULL where the catalogue, newer than the row, says NOT NULL */
	size_t column_count;
	bool captured;
	bool generated_defaults; /* generated columns have their expression for a default, as Debezium's snapshot tells them */
	bool stale;          /* a message came since the table was compiled: look at the catalogue again */
	tr_table *table;     /* NULL until first needed */
	tr_writer signature; /* all facts `table` was compiled from */
} tr_pgc_relation;

typedef struct tr_pgc_catalog {
	PGconn **sql; /* the source's plain connection; it may be replaced after a disconnect */
	tr_pgc_wake *wake;
	const tr_filter *filter;
	const tr_event_options *events;
	const char *database;
	const char *signal_table; /* schema.table, or NULL */
	tr_metrics *metrics;
	pthread_mutex_t lock;
	tr_arena types_arena;
	tr_map *types;           /* oid -> tr_pg_type */
	tr_err type_error;       /* of the last lookup that failed for another reason than "unknown" */
	tr_writer *touched;      /* collects the facts of the types a table uses */
	tr_pgc_relation **slots; /* open addressing by oid; capacity is a power of two */
	size_t slot_count, used;
	tr_pgc_relation *last; /* the relation of the previous row */
} tr_pgc_catalog;

int tr_pgc_catalog_init(tr_pgc_catalog *c, tr_err *err);
void tr_pgc_catalog_release(tr_pgc_catalog *c);
/* A new session: the server will send Relation messages again; compiled tables stay for comparison. */
void tr_pgc_catalog_session(tr_pgc_catalog *c);

/* All captured tables (`everything`: also what the filter leaves out and what cannot be captured, for check). */
int tr_pgc_catalog_list(tr_pgc_catalog *c, const char *publication, bool sizes, bool everything, tr_pgc_list *out,
			tr_err *err);

/* NULL when no message named it. The way of a row: one compare when it is the same as before. */
tr_pgc_relation *tr_pgc_relation_find(tr_pgc_catalog *c, uint32_t oid);
/* A Relation message. */
int tr_pgc_relation_message(tr_pgc_catalog *c, const tr_pg_relation *m, tr_err *err);
/* A Type message (or anything else that may have changed a user type). */
void tr_pgc_types_forget(tr_pgc_catalog *c);
/* Makes rel->table fit the newest message; asks the catalogue and, for a new shape, the schema registry. */
int tr_pgc_relation_compile(tr_pgc_catalog *c, tr_pgc_relation *rel, tr_catalogue *events, tr_err *err);
/*
 * A row that could not be published: marks the columns that are NULL in it although the compiled table has them required,
 * because the catalogue was asked after they became NOT NULL. Returns the name of one, or NULL: then there is none. The
 * table compiled next has them optional, until the next Relation message. before and after may be NULL.
 */
const char *tr_pgc_relation_note_nulls(tr_pgc_relation *rel, const tr_datum *before, const tr_datum *after);
/*
 * For the snapshot: the relation as the stream would describe it now. columns: names to take (as the publication
 * carries them), or NULL for all but generated ones; `generated`: those, too. NULL in *out when the table is gone.
 */
int tr_pgc_relation_read(tr_pgc_catalog *c, uint32_t oid, const tr_map *columns, bool generated, tr_pgc_relation **out,
			 tr_err *err);
/*
 * The same into a relation of the caller's, which the stream's messages do not touch: made when *rel is NULL. schema is
 * NULL when the table is gone.
 */
int tr_pgc_relation_own(tr_pgc_catalog *c, uint32_t oid, const tr_map *columns, bool generated, tr_pgc_relation **rel,
			tr_err *err);
void tr_pgc_relation_free(tr_pgc_relation *rel); /* NULL is fine */

#endif
