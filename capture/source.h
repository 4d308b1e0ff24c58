/*
 * The contract of a source. sources.def has one row per kind. A source knows its server's protocol; it does not know
 * formats, sinks or state. It reports what it reads through a listener, in commit order.
 *
 * Positions are texts (one JSON object) that only the source reads: {"lsn":"0/16B3748",...}. A position is always a point
 * between source transactions, or (commit position, index of the next event) inside one; never a row's own position.
 *
 * Threads: all functions are called by the capture thread, except interrupt (any thread, async-signal-safe is not needed)
 * and confirm (any thread). read never waits for the sink: when the listener says BUSY the source goes on with its
 * keepalives and stops reading rows (that is the back-pressure).
 */
#ifndef TR_CAPTURE_SOURCE_H
#define TR_CAPTURE_SOURCE_H

#include "core/finding.h"
#include "core/metric.h"
#include "core/writer.h"
#include "events/change.h"
#include "events/emitter.h"

typedef struct tr_source_options {
	const char *url;
	const char *kind;          /* "postgres": from the url's scheme */
	const char *const *tables; /* globs on schema.table, "!" excludes; source.tables */
	size_t table_count;
	/* Debezium's filters as imported: regular expressions, matched whole; NULL when unused */
	const char *table_include, *table_exclude, *schema_include, *schema_exclude;
	const char *slot, *publication;
	/* What a publication made by us covers: NULL or "tables" = the captured tables only (tables that match later are added
	 * when they are seen, so their first rows may be missed); "all_tables" = FOR ALL TABLES (needs a superuser) with the
	 * filter on our side, as Debezium does by default: nothing of a new table is missed. */
	const char *publication_mode;
	bool create;               /* make slot and publication when missing */
	bool failover;             /* failover slot, PostgreSQL 17+ */
	bool publish_via_root;
	bool messages;             /* logical messages */
	bool binary;               /* binary values in the stream when all types of the captured tables allow it */
	const char *origin;        /* "any" or "none" (PostgreSQL 16+) */
	/* MySQL, MariaDB */
	uint32_t server_id;        /* as a replica; 0 = made from the name */
	bool include_query;        /* source.query: the statement's text, where the server logs it */
	uint64_t event_max_bytes;  /* of one event of the log; set by the pipeline from limits.memory; 0 = 1 GiB */
	const char *signal_table;  /* schema.table or NULL */
	uint32_t signal_chunk_rows;
	int connect_timeout_ms, status_interval_ms, receive_timeout_ms, retry_max_ms;
	/* The fleet this pipeline is shared in, NULL = none: what an instance of it left open at the server is ended. */
	const char *fleet;
	int64_t retry_total_ms;    /* give up (exit 69) after this long without success; 0 = never */
	/* snapshot */
	/* NO_DATA: the shapes of the tables where the source publishes them (MySQL, MariaDB), no rows; elsewhere as NEVER */
	enum {
		TR_SNAPSHOT_INITIAL,
		TR_SNAPSHOT_NEVER,
		TR_SNAPSHOT_ONLY,
		TR_SNAPSHOT_WHEN_NEEDED,
		TR_SNAPSHOT_NO_DATA
	} snapshot_mode;
	uint32_t snapshot_readers; /* parallel connections */
	uint64_t snapshot_split_bytes; /* tables larger than this are read in ctid ranges */
	/* As Debezium's snapshot: partitioned tables and their partitions are both read, and generated columns, too, where the
	 * stream cannot carry them. Otherwise the snapshot holds exactly the tables and columns of the stream. */
	bool snapshot_as_debezium;
} tr_source_options;

static inline bool tr_source_reads_rows(const tr_source_options *options)
{
	return options->snapshot_mode != TR_SNAPSHOT_NEVER && options->snapshot_mode != TR_SNAPSHOT_NO_DATA;
}

typedef enum { TR_LISTEN_OK = 0, TR_LISTEN_BUSY = 1, TR_LISTEN_FAILED = -1 } tr_listen;

/*
 * What the source reports to. Order: (begin, change*, commit)* with tables before their first change. Non-transactional
 * messages and snapshot rows come outside of begin/commit. After FAILED the source returns at once with that error.
 */
typedef struct tr_listener tr_listener;
struct tr_listener {
	uint32_t magic;
	/* Room for at least one more event? Asked before each message is taken from the connection; BUSY = not now. */
	tr_listen (*ready)(tr_listener *l);
	tr_listen (*begin)(tr_listener *l, tr_slice txn_id, int64_t commit_us, tr_err *err);
	tr_listen (*change)(tr_listener *l, const tr_change *change, tr_err *err);
	tr_listen (*commit)(tr_listener *l, tr_slice txn_id, int64_t commit_us, tr_err *err);
	/* The source has nothing more to read right now (its socket is drained): a good moment to seal. Also called when only
	 * the position has moved (keepalives of an idle server): it has to be made durable and confirmed then, at least once a
	 * second, or the server keeps its log for us and cannot shut down in peace. */
	tr_listen (*idle)(tr_listener *l, tr_err *err);
	/* A snapshot reader finished a table (or ctid range): rows so far may be sealed; done/total in rows for progress. */
	tr_listen (*snapshot_progress)(tr_listener *l, const tr_table *table, uint64_t rows, bool table_done, tr_err *err);
	/* A snapshot reader is about to wait for other readers, who may need what it holds: all of it has to go on its way. */
	tr_listen (*pause)(tr_listener *l, tr_err *err);
	tr_catalogue *catalogue; /* to compile tables */
};
#define TR_LISTENER_MAGIC 0x11573e01u

typedef struct tr_source tr_source;

/* What a stored position belongs to; compared at start, any difference stops with SOURCE_IDENTITY. */
typedef struct tr_source_identity {
	char text[512]; /* JSON object: {"system":"7412…","database":"shop","slot":"tailrace_shop"} */
} tr_source_identity;

typedef struct tr_source_lag {
	uint64_t lag_bytes;      /* server's log end minus what was read and published */
	int64_t lag_us;          /* now minus the commit time of the newest transaction read, 0 when caught up */
	uint64_t retained_bytes; /* log the server keeps for us */
} tr_source_lag;

typedef struct tr_snapshot_table {
	const char *collection;
	uint64_t rows_done, rows_estimated, bytes_estimated;
	bool done;
} tr_snapshot_table;

/* Gives each snapshot reader thread its own listener (own emitter and batch). */
typedef struct tr_snapshot_host {
	void *context;
	tr_listener *(*listener)(void *context, unsigned reader, tr_err *err);
	void (*release)(void *context, tr_listener *listener); /* seals what is left */
	/* Called before the very last row of all is emitted with TR_MARK_LAST: all other readers' rows are sealed first. */
	void (*tables)(void *context, const tr_snapshot_table *tables, size_t count); /* progress; any reader thread, locked by the source */
} tr_snapshot_host;

/* What a source that ends leaves at the server, made by it or by an earlier run. */
typedef struct tr_source_left {
	char what[320]; /* for a sentence: replication slot "a" and publication "b"; "" = nothing */
	char sql[480];  /* what drops it */
	bool keeps_log; /* the server keeps its log for it */
} tr_source_left;

/* One captured table as it would be published now; table is NULL when it cannot be, and failure says why. */
typedef void (*tr_source_table_fn)(void *context, const char *collection, const tr_table *table, const tr_err *failure);

typedef struct tr_source_ops {
	const char *kind;        /* "postgres" */
	const char *schemes;     /* "postgres postgresql" */
	const char *connector;   /* "postgresql": Debezium's word */
	bool skips_changes;      /* events.skip passes over changes of the log: an update of a key is an update */
	/* No connection is made. name = pipeline name (slot and publication default to tailrace_<name>). */
	int (*open)(tr_source **out, const char *name, const tr_source_options *options, const tr_event_options *events,
	            tr_metrics *metrics, tr_err *err);
	/* The `source` struct type, in the given arena. */
	const tr_type *(*source_type)(tr_arena *arena);
	/* Reports every finding; -1 only when nothing could be asked (no connection). Makes nothing. */
	int (*check)(tr_source *s, tr_finding_fn report, void *context, tr_err *err);
	/* For `check`: gives every captured table, in the order of names, compiled from what the server's catalogue says now;
	 * tables are borrowed for the call. Connects, makes nothing. -1 when the server could not be asked. Optional. */
	int (*tables)(tr_source *s, tr_catalogue *catalogue, tr_source_table_fn each, void *context, tr_err *err);
	/* For `check`: whether the server can go on from a stored position, with the errors of `prepare`. Connects, makes
	 * nothing. Optional: NULL where `check` finds that out without the position. */
	int (*serves)(tr_source *s, tr_slice position, tr_slice identity, tr_err *err);
	/* Connects, compares identity, checks slot and publication, makes the publication. position: stored one or empty (new
	 * pipeline). On return *snapshot says whether an initial snapshot has to be read before streaming. MAKES NO SLOT: a slot
	 * is made by `snapshot` (exported) or, without a snapshot, by `start`, after the pipeline has made its intent durable
	 * (a record with our identity and no position), so that a crash in between is recognised as ours. Hence:
	 *   identity empty, position empty: new; a slot of our name that exists already is an error (SLOT_FOREIGN, with the ways
	 *     out) unless options say to use it (create: false, or snapshot mode never);
	 *   identity given, position empty: an earlier first start was interrupted: our own inactive slot is dropped and made anew;
	 *   position given: the slot must be there and able to serve it. Any doubt is an error (SLOT_MISSING, SLOT_INVALID,
	 *     SOURCE_IDENTITY, POSITION_LOST). */
	int (*prepare)(tr_source *s, tr_slice position, tr_slice identity, bool *snapshot, tr_err *err);
	void (*identity)(tr_source *s, tr_source_identity *out);
	/* The database's name, known after prepare. */
	const char *(*database)(tr_source *s);
	/* Reads all captured tables through the slot's exported snapshot; returns when all rows were reported. */
	int (*snapshot)(tr_source *s, const tr_snapshot_host *host, tr_err *err);
	/* Starts streaming after the position given to prepare (or the slot's consistent point). */
	int (*start)(tr_source *s, tr_listener *l, tr_err *err);
	/* Takes what is there, for at most wait_ms; reports through the listener. 0 = go on, -1 = error (reaction decides:
	 * RETRY means call prepare and start again). Sends feedback when due, also while the listener is BUSY. */
	int (*read)(tr_source *s, tr_listener *l, int wait_ms, tr_err *err);
	/* Writes the position after the last event reported (called by the listener's owner when it seals, on the capture
	 * thread, at any point between events). */
	void (*position)(tr_source *s, tr_writer *out);
	/* That position is durable: it may be confirmed to the server. Any thread; never goes back. */
	void (*confirm)(tr_source *s, tr_slice position);
	/* -1 a before b, 0 equal, 1 after; 2 = not comparable or not readable. */
	int (*compare)(tr_slice a, tr_slice b);
	/* True when everything committed at `prepare` time has been reported (for --once). */
	bool (*caught_up)(tr_source *s);
	void (*lag)(tr_source *s, tr_source_lag *out); /* any thread */
	/* Makes a blocking call return INTERRUPTED soon. Any thread. */
	void (*interrupt)(tr_source *s);
	void (*disconnect)(tr_source *s); /* before a retry */
	/* After prepare, connected or not. Optional: NULL where nothing stays at the server. */
	void (*leaves)(tr_source *s, tr_source_left *out);
	/* Drops at the server what a run with these options has made, for `offsets reset --drop`: `what` names it, "" = nothing was
	 * there. Refuses what is in use or not ours. Connects. Optional as `leaves`. */
	int (*drop)(tr_source *s, char *what, size_t size, tr_err *err);
	/* Sends a last feedback (when connected), closes, frees. NULL is fine. */
	void (*free)(tr_source *s);
} tr_source_ops;

struct tr_source {
	uint32_t magic;
	const tr_source_ops *ops;
};
#define TR_SOURCE_MAGIC 0x50c3ce01u

/* By scheme of a url ("postgres://…"); NULL when there is none. *known receives a list of schemes for the message. */
const tr_source_ops *tr_source_find(const char *url, const char **known);
/* The rows of sources.def in order; NULL past the last. */
const tr_source_ops *tr_source_at(size_t index);

#endif
