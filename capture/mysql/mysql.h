/*
 * The MySQL and MariaDB source: what its files share. The two rows of sources.def (mysql, mariadb) are the same code; the
 * server's flavour is asked, and one that is not the url's is an error. A source has a plain connection `sql` (settings,
 * catalogue) and, while it streams, a dump of the binary log; XA transactions and look-aheads open further ones. Life:
 *
 *     opened --prepare--> prepared --snapshot--> prepared --start--> streaming --disconnect--> opened
 *
 * Refuses: two threads in one source at a time. Only `wake` and the numbers in `lag` are touched from outside. Features are
 * probed; versions are never compared.
 */
#ifndef TR_CAPTURE_MYSQL_MYSQL_H
#define TR_CAPTURE_MYSQL_MYSQL_H

#include "capture/mysql/catalog.h"
#include "capture/mysql/connect.h"
#include "capture/mysql/position.h"
#include "capture/source.h"

#define TR_MYC_NAME_MAX 128

typedef struct tr_myc_server {
	bool mariadb;
	char version[96];   /* for messages and fake columns of old clients; never compared */
	char user[96];      /* as the server knows us: cdc@%  */
	tr_myc_identity id;
	bool log_bin, row_format, full_image, full_metadata;
	bool has_metadata;  /* knows binlog_row_metadata */
	/* MariaDB 11.4 and later: events of a transaction do not say where they end; their sizes do, if none is left out. It is
	 * known by a setting that came with it. */
	bool sums_places;
	bool gtid;          /* MySQL: gtid_mode is ON; MariaDB: always */
	/* when it was last asked; what --once waits for is kept in `goal` */
	char log_file[TR_BL_FILE_MAX];
	uint64_t log_pos;
	tr_bl_gtid_set executed, purged; /* MySQL */
	tr_bl_domain_set domains;        /* MariaDB: gtid_binlog_pos */
} tr_myc_server;

/* Written by the capture thread, read by any. */
typedef struct tr_myc_lag {
	_Atomic(uint64_t) lag_bytes, retained_bytes;
	_Atomic(int64_t) newest_commit_us; /* 0 = caught up */
} tr_myc_lag;

typedef struct tr_myc_stream tr_myc_stream;
typedef struct tr_myc_incremental tr_myc_incremental;

typedef struct tr_myc {
	tr_source base;
	bool mariadb;       /* of the url; server.mariadb is equal once it was asked */
	char name[TR_MYC_NAME_MAX];
	const tr_source_options *options;
	const tr_event_options *events;
	tr_metrics *metrics; /* may be NULL */
	tr_filter *filter;
	tr_myc_wake wake;
	tr_myc_url url;
	size_t host;        /* of url.hosts: where `sql` is connected to; others connect there, too */
	uint32_t server_id; /* ours, as a replica */
	char replica_name[64]; /* what SHOW REPLICAS shows: pipeline@host */
	char replica_uuid[40]; /* made from it: our own left-over dump is thrown out, nobody else's */
	MYSQL *sql;
	tr_myc_server server;
	tr_myc_catalog catalog;
	/* Where the stream starts; snapshot sets it to the point that its rows show. */
	tr_myc_position position;
	tr_myc_lag lag;
	tr_myc_stream *stream; /* NULL before start */
	tr_myc_incremental *incremental;
} tr_myc;

/* connections */
int tr_myc_open_sql(tr_myc *s, tr_err *err); /* when it is not open */
/* Another connection to the same host. read_ms as in tr_myc_dial. Closed by tr_myc_close(&s->wake, &c). */
int tr_myc_open_more(tr_myc *s, int read_ms, MYSQL **out, tr_err *err);
/* How it is made, for another thread: `one` is what out->url points to. The caller chooses read_ms, packet_max and wake. */
void tr_myc_dial_more(tr_myc *s, tr_myc_url *one, tr_myc_dial *out);

/* server.c */
int tr_myc_server_read(tr_myc *s, tr_err *err);   /* everything in tr_myc_server, on `sql` */
int tr_myc_server_place(tr_myc *s, tr_err *err);  /* only where its log ends: log_file to domains */
void tr_myc_server_release(tr_myc_server *server);
int tr_myc_identity_check(tr_myc *s, const tr_myc_identity *stored, tr_err *err);
/* Whether the server still has (and ever had) what follows the position. */
int tr_myc_server_serves(tr_myc *s, const tr_myc_position *position, tr_err *err);
/* The position "now", from the numbers in `server`. */
int tr_myc_server_now(tr_myc *s, tr_myc_position *out, tr_err *err);
/* What follows a lost position, for hints. */
extern const char tr_myc_start_over[];
/* GRANT ... TO the user we are; the other as a hint, returns -1. */
void tr_myc_grant_sql(const tr_myc *s, const char *privileges, const char *on, char *out, size_t cap);
int tr_myc_grant_hint(const tr_myc *s, const char *privileges, const char *on, tr_err *err);
/* Fails when another replica, that the server shows us, uses our server id. */
int tr_myc_server_unique(tr_myc *s, tr_err *err);
int tr_myc_server_id_taken(const tr_myc *s, const char *by, tr_err *err); /* the error */

/*
 * dump.c: a stream of raw events on a connection of its own. The checksums are those of the log. next: 1 and an event
 * (valid until the next call), 0 when none came within wait_ms, 2 at the server's end (to_end only), -1.
 */
typedef struct tr_myc_dump tr_myc_dump;
typedef struct tr_myc_dump_from {
	tr_myc_place_kind kind;
	const tr_bl_gtid_set *gtids;     /* everything else is sent */
	const tr_bl_domain_set *domains; /* everything behind them is sent */
	const char *file;
	uint64_t pos;
	bool to_end;                     /* ends at the end of the log instead of waiting for more; unknown to other replicas */
} tr_myc_dump_from;
int tr_myc_dump_open(tr_myc *s, const tr_myc_dump_from *from, tr_myc_dump **out, tr_err *err);
int tr_myc_dump_next(tr_myc_dump *d, int wait_ms, tr_slice *event, tr_err *err);
int tr_myc_dump_fd(const tr_myc_dump *d); /* to poll, or to set its low-water mark */
void tr_myc_dump_close(tr_myc_dump *d); /* NULL is fine */

/* check.c */
int tr_myc_check(tr_myc *s, tr_finding_fn report, void *context, tr_err *err);
/* There is nothing to capture: says so in err, or which privilege is missing to see it. Returns -1. */
int tr_myc_no_table(tr_myc *s, tr_err *err);

/* How a variable is set so that it stays: MariaDB forgets it at a restart unless its configuration has it, too. */
static inline const char *tr_myc_set_scope(bool mariadb)
{
	return mariadb ? "GLOBAL" : "PERSIST";
}

/* image.c: logs what the new row lacks, if that cannot be seen in its event. */
void tr_myc_image_tell(const tr_myc *s, tr_myc_relation *rel, const tr_bl_row *m);

/* plan.c: what would be captured, table by table */
int tr_myc_plan(tr_myc *s, tr_catalogue *catalogue, tr_source_table_fn each, void *context, tr_err *err);

/* snapshot.c: reads everything at one point; on success s->position is that point. */
int tr_myc_snapshot(tr_myc *s, const tr_snapshot_host *host, tr_err *err);

/* stream.c */
int tr_myc_stream_start(tr_myc *s, tr_listener *l, tr_err *err);
int tr_myc_stream_read(tr_myc *s, tr_listener *l, int wait_ms, tr_err *err);
void tr_myc_stream_stop(tr_myc *s); /* NULL stream is fine; s->position is what was reported */
/* Writes the position after the last event reported. */
void tr_myc_stream_position(const tr_myc *s, tr_writer *out);
bool tr_myc_stream_caught_up(const tr_myc *s);

/* source_block.c. Of a row read by SELECT, too: gtid, thread and query are then null. */
const tr_type *tr_myc_source_type_mysql(tr_arena *arena);
const tr_type *tr_myc_source_type_mariadb(tr_arena *arena);
enum { TR_MYC_SRC_TABLE = TR_SRC_OWN, TR_MYC_SRC_SERVER_ID, TR_MYC_SRC_GTID, TR_MYC_SRC_FILE, TR_MYC_SRC_POS, TR_MYC_SRC_ROW,
       TR_MYC_SRC_THREAD, TR_MYC_SRC_QUERY };

#endif
