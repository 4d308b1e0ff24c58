/*
 * The running stream: shared by stream.c (the loop around the socket), feedback.c (what the server is told and asked)
 * and wire.c (messages to events). One thread.
 */
#ifndef TR_CAPTURE_POSTGRES_STREAM_H
#define TR_CAPTURE_POSTGRES_STREAM_H

#include "capture/pace.h"
#include "capture/postgres/large.h"

#define TR_PGC_ORIGIN_MAX 512

struct tr_pgc_stream {
	tr_pg_decoder *decoder;
	tr_listener *listener;
	char *aside; /* at most one message taken from libpq and not yet reported; NULL = none */
	int aside_len;
	tr_pgc_coming coming;
	/* what was reported */
	uint64_t at_lsn;        /* everything that committed before was reported */
	bool binary;              /* values come in their binary form where a type has one */
	uint64_t last_commit;   /* end of the newest reported commit, 0 = none since the beginning */
	uint64_t start_lsn;     /* transactions whose commit record lies before are not ours any more */
	tr_pgc_position resume; /* tx set: the stored position lies inside a transaction we have not passed yet */
	/* the open transaction */
	bool in_txn, skipping, begun;
	uint64_t final_lsn, index;
	int64_t commit_us;
	uint32_t xid;
	char origin[TR_PGC_ORIGIN_MAX];
	uint32_t origin_len; /* 0 = none */
	uint64_t origin_lsn;
	/* the message at hand */
	uint64_t header_lsn;
	int64_t read_ns;   /* our clock when what libpq holds was read */
	int64_t header_us; /* server's clock when sent, us since 1970 */
	uint64_t text_lsn; /* the LSN that txn_text and sequence_text hold now */
	char txn_text[48], sequence_text[64];
	uint32_t txn_prefix, txn_len, sequence_prefix, sequence_len;
	tr_source_block block;
	tr_datum old_row[TR_PG_COLUMNS_MAX], new_row[TR_PG_COLUMNS_MAX];
	/* the conversation; monotonic times */
	uint64_t received; /* greatest log position heard of */
	uint64_t flush_sent;
	bool answer_now, flush_pending;
	int feedback_interval_ms;
	int64_t last_received_us, last_news_us, last_feedback_us, last_ping_us, next_tick_us;
	bool has_news; /* `received` has moved since last_news_us was taken */
	bool caught_up;
	tr_pace pace;
	bool is_tcp; /* the socket knows low-water marks */
};

/* wire.c: reports an event outside of transactions, when the listener has room. */
int tr_pgc_wire_report(tr_pgc *s, tr_change *change, tr_err *err);
/* wire.c: one CopyData payload. */
int tr_pgc_wire_message(tr_pgc *s, const char *data, int len, tr_err *err);
/* True when the payload is a keepalive (reported even while the listener is busy). */
static inline bool tr_pgc_wire_is_keepalive(const char *data, int len)
{
	return len > 0 && data[0] == 'k';
}

/* feedback.c */
/* Sends what is due, asks for life, notices silence. Called often. */
int tr_pgc_feedback_service(tr_pgc *s, int64_t now_us, tr_err *err);
int tr_pgc_feedback_send(tr_pgc *s, bool ask_reply, tr_err *err);
/* When the server should hear from us so that it looks for news (monotonic). */
int64_t tr_pgc_nudge_due_us(const tr_pgc *s);
/* Waits a moment for a listener that has no room, keeping the conversation alive. */
int tr_pgc_feedback_pump(tr_pgc *s, int wait_ms, tr_err *err);
/* Asks the catalogue now and then: lag, new tables. */
int tr_pgc_tick(tr_pgc *s, int64_t now_us, tr_err *err);

#endif
