/*
 * The running stream: shared by stream.c (the loop around the dump, positions), group.c (the log's events to the
 * listener's) and xa.c (prepared transactions). A group is what the server logs as one: a transaction, a DDL, one half of an
 * XA transaction. One thread.
 */
#ifndef TR_CAPTURE_MYSQL_STREAM_H
#define TR_CAPTURE_MYSQL_STREAM_H

#include "capture/mysql/ddl.h"
#include "capture/mysql/mysql.h"
#include "capture/pace.h"

#define TR_MYC_SAVEPOINTS_MAX 64

/* The open group. */
typedef struct tr_myc_group {
	bool open;
	bool explicit_end; /* ends with XID, COMMIT or the like; else the next QUERY is all of it */
	bool begun;        /* the listener knows of it */
	bool xa;           /* ends with XA PREPARE: its rows wait for the outcome */
	tr_bl_gtid gtid;   /* tag and xid point to copies below; kind ANONYMOUS also when there was no GTID event at all */
	char tag[TR_BL_TAG_MAX + 1];
	bool has_gtid;
	char gtid_text[TR_BL_GTID_TEXT]; /* "" = none */
	char tx[TR_MYC_TX_TEXT];         /* as the position names it */
	char txn_id[TR_MYC_TX_TEXT + 16];
	char file[TR_BL_FILE_MAX];
	uint64_t pos;      /* of its first event */
	uint32_t server_id;
	uint32_t thread_id; /* of its BEGIN, 0 = not told (MariaDB) */
	int64_t commit_us; /* 0 = the events' own times */
	int64_t time_us;   /* of its first event, whole seconds */
	uint64_t index;    /* rows and truncates of captured tables so far */
	bool ddl_told;     /* the record of its DDL was reported (CREATE TABLE ... SELECT goes on with rows) */
	char xa_xid[TR_MYC_XID_TEXT];
} tr_myc_group;

typedef struct tr_myc_savepoint {
	uint32_t hash; /* of its name */
	uint64_t index;
} tr_myc_savepoint;

struct tr_myc_stream {
	tr_listener *listener;
	tr_bl_decoder *decoder;
	tr_myc_dump *dump;
	tr_myc_position at;  /* everything before it was reported; tx and index: of a transaction that has still to come again */
	char streamed_file[TR_BL_FILE_MAX]; /* the end of the last group; at the start, the log's end: nothing sent lies behind it */
	uint64_t streamed_pos;
	bool place_known;    /* at.file and at.pos are of this server */
	uint64_t skip_to;    /* events of the first file before this place are passed over; 0 = none */
	uint64_t filter;     /* number of the set of captured tables */
	/* what --once waits for */
	char goal_file[TR_BL_FILE_MAX];
	uint64_t goal_pos;
	tr_bl_gtid_set goal_gtids;
	tr_bl_domain_set goal_domains;
	bool caught_up;
	tr_myc_group group;
	const tr_myc_xa *replay; /* its rows are being read for the group at hand */
	tr_bl_decoder *replay_decoder;
	tr_myc_savepoint savepoints[TR_MYC_SAVEPOINTS_MAX];
	size_t savepoint_count;
	tr_source_block block;
	bool filled;         /* with what the rows of the event at hand share */
	tr_writer query;     /* the statement's text, with include_query; empty = none */
	tr_arena scratch;    /* of one QUERY event */
	int64_t read_ns;     /* our clock when the event at hand was read */
	/* monotonic times */
	int64_t last_received_us, next_tick_us;
	tr_pace pace;
	bool is_tcp; /* the socket knows low-water marks */
	int low_water;
};

/* stream.c: waits a moment for a listener that has no room, until it has. */
int tr_myc_stream_admit(tr_myc *s, tr_err *err);

/* group.c */
extern const tr_bl_handler tr_myc_group_handler; /* context: the source */
/* Reports a row of the open group, whoever read it. */
int tr_myc_group_row(tr_myc *s, const tr_bl_event *e, const tr_bl_row *m, tr_err *err);
int tr_myc_group_commit(tr_myc *s, const tr_bl_event *e, tr_err *err);
/* Closes the group without a word to the listener: nothing of it was reported. */
int tr_myc_group_pass(tr_myc *s, const tr_bl_event *e, tr_err *err);
/* An event outside of transactions; e: where. */
int tr_myc_group_report_alone(tr_myc *s, const tr_bl_event *e, tr_change *change, const char *table, tr_err *err);

/* xa.c */
/* The group at hand is a prepared transaction: only where it lies is kept. */
int tr_myc_xa_prepared(tr_myc *s, const tr_bl_event *e, tr_err *err);
/* XA COMMIT (or COMMIT ONE PHASE) in the group at hand: its rows are read again and reported in this group. */
int tr_myc_xa_commit(tr_myc *s, const tr_bl_event *e, const char *xid, tr_err *err);
int tr_myc_xa_rollback(tr_myc *s, const tr_bl_event *e, const char *xid, tr_err *err);
/* Before a new pipeline starts: nothing may be prepared whose rows lie before the start. */
int tr_myc_xa_none_pending(tr_myc *s, tr_err *err);

#endif
