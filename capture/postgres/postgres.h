/*
 * The PostgreSQL source: what its files share. A source has two connections: `repl` (a walsender, which also makes the
 * slot and keeps its exported snapshot alive) and `sql` (the catalogue). Life:
 *
 *     opened --prepare--> prepared --snapshot--> prepared --start--> streaming --disconnect--> opened
 *
 * Refuses: two threads in one source at a time. Only `wake`, `confirmed` and the numbers in `lag` are touched from
 * outside.
 */
#ifndef TR_CAPTURE_POSTGRES_POSTGRES_H
#define TR_CAPTURE_POSTGRES_POSTGRES_H

#include "capture/postgres/catalog.h"
#include "capture/postgres/connect.h"
#include "capture/postgres/position.h"
#include "capture/source.h"

#define TR_PGC_NAME_MAX 64 /* NAMEDATALEN */

typedef struct tr_pgc_server {
	int version;        /* 150020 */
	tr_pgc_identity id; /* slot: ours */
	char user[TR_PGC_NAME_MAX];
	bool standby;
	bool logical;          /* wal_level */
	int sender_timeout_ms; /* 0 = none */
	uint64_t log_end;      /* when prepared: what --once waits for */
} tr_pgc_server;

/* How the slot comes to be; decided by prepare, carried out by snapshot or start. */
typedef enum tr_pgc_slot_plan {
	TR_PGC_SLOT_USE,    /* it is there */
	TR_PGC_SLOT_MAKE,   /* it is not there */
	TR_PGC_SLOT_REMAKE, /* it is there from an interrupted first start, or useless and may be replaced */
	TR_PGC_SLOT_BORROW, /* snapshot only: a temporary one */
} tr_pgc_slot_plan;

typedef struct tr_pgc_slot {
	bool exists, active, logical, temporary;
	bool invalid; /* lost, invalidated or conflicting */
	bool failover;
	int active_pid;
	char plugin[TR_PGC_NAME_MAX], database[TR_PGC_NAME_MAX];
	char wal_status[24]; /* reserved extended unreserved lost; "" when not known */
	char reason[64];     /* invalidation_reason, or "conflicting" */
	uint64_t restart_lsn, confirmed_lsn;
	uint64_t retained_bytes;
} tr_pgc_slot;

typedef struct tr_pgc_publication {
	bool exists, all_tables, ours; /* ours: made by tailrace (its comment says so) and owned by our role */
	bool insert, update, delete_, truncate, via_root;
} tr_pgc_publication;

/* Written by the capture thread, read by any. */
typedef struct tr_pgc_lag {
	_Atomic(uint64_t) log_end, reported, retained_bytes;
	_Atomic(int64_t) newest_commit_us; /* 0 = caught up */
} tr_pgc_lag;

typedef struct tr_pgc_stream tr_pgc_stream;
typedef struct tr_pgc_incremental tr_pgc_incremental;

typedef struct tr_pgc {
	tr_source base;
	char name[TR_PGC_NAME_MAX * 2];
	const tr_source_options *options;
	const tr_event_options *events;
	tr_metrics *metrics; /* may be NULL */
	tr_filter *filter;
	tr_pgc_wake wake;
	char slot[TR_PGC_NAME_MAX], publication[TR_PGC_NAME_MAX];
	PGconn *sql, *repl;
	tr_pgc_server server;
	tr_pgc_catalog catalog;
	tr_pgc_slot_plan plan;
	tr_pgc_position position;    /* where the stream starts */
	_Atomic(uint64_t) confirmed; /* durable: may be told to the server */
	tr_pgc_lag lag;
	bool publication_ours; /* missing tables may be added while streaming */
	bool publication_lost; /* the server left changes out because the publication did not exist at their place */
	bool text_only;        /* a table came that is not read in binary: no session of this run asks for it again */
	tr_pgc_stream *stream; /* NULL before start */
	tr_pgc_incremental *incremental;
} tr_pgc;

tr_pgc_dial tr_pgc_dial_of(tr_pgc *s);
/* Opens what is not open. */
int tr_pgc_open_sql(tr_pgc *s, tr_err *err);
int tr_pgc_open_repl(tr_pgc *s, tr_err *err);
/* Runs a catalogue statement on `sql`. */
int tr_pgc_sql(tr_pgc *s, const char *what, const char *sql, size_t param_count, const char *const *params,
	       PGresult **out, tr_err *err);

/* slot.c */
int tr_pgc_server_read(tr_pgc *s, tr_err *err); /* both connections must be open */
int tr_pgc_identity_check(tr_pgc *s, const tr_pgc_identity *stored, uint64_t position, const tr_pgc_slot *slot, tr_err *err);
int tr_pgc_slot_read(tr_pgc *s, tr_pgc_slot *out, tr_err *err);
/* Whether the slot can go on from the stored position. */
int tr_pgc_slot_serves(tr_pgc *s, const tr_pgc_slot *slot, uint64_t position, tr_err *err);
int tr_pgc_slot_usable(const tr_pgc *s, const tr_pgc_slot *slot, tr_err *err); /* plugin, database, validity */
int tr_pgc_slot_drop(tr_pgc *s, tr_err *err);
/* Makes a slot on connection c; snapshot_name (when wanted) is valid until the next statement on c. */
int tr_pgc_slot_make(tr_pgc *s, PGconn *c, const char *name, bool temporary, uint64_t *consistent,
		     char snapshot_name[64], tr_err *err);

/* publication.c */
int tr_pgc_publication_read(tr_pgc *s, tr_pgc_publication *out, tr_err *err);
/* Makes or completes the publication, or says what is missing. */
int tr_pgc_publication_prepare(tr_pgc *s, tr_err *err);
/* Adds captured tables that are missing (streaming); *added counts them. */
int tr_pgc_publication_extend(tr_pgc *s, size_t *added, tr_err *err);
/* The statement that would make it, or add the tables that are not covered, for messages. Empty when there are none. */
void tr_pgc_publication_make_sql(const tr_pgc *s, const tr_pgc_list *list, tr_writer *w);
void tr_pgc_publication_add_sql(const tr_pgc *s, const tr_pgc_list *list, tr_writer *w);

/* leave.c */
void tr_pgc_leaves(const tr_pgc *s, tr_source_left *out);
int tr_pgc_drop(tr_pgc *s, char *what, size_t size, tr_err *err);

/* check.c */
int tr_pgc_check(tr_pgc *s, tr_finding_fn report, void *context, tr_err *err);

/* plan.c: what would be captured, table by table */
int tr_pgc_plan(tr_pgc *s, tr_catalogue *catalogue, tr_source_table_fn each, void *context, tr_err *err);

/* snapshot.c: reads everything at the exported snapshot; on success s->position is the point it shows. */
int tr_pgc_snapshot(tr_pgc *s, const tr_snapshot_host *host, tr_err *err);

/* stream.c */
int tr_pgc_stream_start(tr_pgc *s, tr_listener *l, tr_err *err);
int tr_pgc_stream_read(tr_pgc *s, tr_listener *l, int wait_ms, tr_err *err);
void tr_pgc_stream_stop(tr_pgc *s); /* last feedback, end of COPY; NULL stream is fine */
/* The position after the last event reported. */
tr_pgc_position tr_pgc_stream_position(const tr_pgc *s);
bool tr_pgc_stream_caught_up(const tr_pgc *s);

/* binary.c: whether a session may ask for binary values, and whether a relation that comes later is read in them. */
int tr_pgc_binary_choose(tr_pgc *s, bool *binary, tr_err *err);
int tr_pgc_binary_fits(tr_pgc *s, const tr_pgc_relation *rel, tr_err *err);

/* source_block.c */
const tr_type *tr_pgc_source_type(tr_arena *arena);

#endif
