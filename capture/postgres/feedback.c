/*
 * What the server hears from us: how far the log is durable here, that we live, and whether it lives. Nothing here
 * waits for the sink: `confirmed` is set by whoever made a position durable, and this file passes it on.
 */
#include <stdlib.h>

#include "capture/postgres/stream.h"
#include "core/clock.h"
#include "core/failpoint.h"
#include "core/log.h"

#define PG_EPOCH_US     INT64_C(946684800000000)
#define TICK_US         1000000
#define CONFIRM_PACE_US 1000000 /* a newly confirmed position is told at most this often, beyond the interval */
#define PING_BEHIND_US  100000  /* while waiting to be caught up the server is asked where it stands */
#define NUDGE_MIN_US    10000
#define NUDGE_MAX_US    1000000

static int flush_output(tr_pgc *s, tr_err *err)
{
	int left = PQflush(s->repl);

	if (left < 0)
		return tr_pgc_error(s->repl, NULL, "send a status to the source", err);
	s->stream->flush_pending = left > 0;
	return 0;
}

static void put_be64(uint8_t *out, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* 'r', then written, flushed and applied log positions, our clock, and whether an answer is wanted. Only "flushed"
 * moves the slot: it is what is durable here, and it never becomes smaller. */
int tr_pgc_feedback_send(tr_pgc *s, bool ask_reply, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	uint64_t durable = atomic_load(&s->confirmed);
	uint8_t message[34];

	if (durable > st->flush_sent)
		tr_failpoint_at(TR_FP_FEEDBACK);
	if (durable > st->flush_sent)
		st->flush_sent = durable;
	message[0] = 'r';
	put_be64(message + 1, st->received > st->flush_sent ? st->received : st->flush_sent);
	put_be64(message + 9, st->flush_sent);
	put_be64(message + 17, st->flush_sent);
	put_be64(message + 25, (uint64_t)(tr_clock_wall_ns() / 1000 - PG_EPOCH_US));
	message[33] = ask_reply;
	if (PQputCopyData(s->repl, (const char *)message, sizeof(message)) < 0)
		return tr_pgc_error(s->repl, NULL, "send a status to the source", err);
	st->last_feedback_us = tr_clock_mono_us();
	if (ask_reply)
		st->last_ping_us = st->last_feedback_us;
	st->answer_now = false;
	return flush_output(s, err);
}

static int check_silence(tr_pgc *s, int64_t now_us, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	int64_t limit_us = (int64_t)s->options->receive_timeout_ms * 1000;

	/* While the listener is busy we do not listen, so silence means nothing. */
	if (limit_us <= 0 || st->aside) {
		st->last_received_us = now_us;
		return 0;
	}
	if (now_us - st->last_received_us > limit_us) {
		tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "the source has sent nothing for %d ms",
			   s->options->receive_timeout_ms);
		return tr_err_hint(
		    err,
		    "The connection is made anew and continues where it stood; source.receive_timeout sets the limit.");
	}
	return 0;
}

static bool wants_ping(const tr_pgc *s, int64_t now_us)
{
	const tr_pgc_stream *st = s->stream;
	int64_t half_us = (int64_t)s->options->receive_timeout_ms * 500;

	if (!st->caught_up && !st->aside && now_us - st->last_received_us > PING_BEHIND_US &&
	    now_us - st->last_ping_us > PING_BEHIND_US)
		return true;
	return half_us > 0 && now_us - st->last_received_us > half_us && now_us - st->last_ping_us > half_us;
}

/*
 * Since version 16 a walsender can sleep through a commit: it looks how far the log is flushed, and only then waits for the
 * condition variable of flushes, so one in between wakes nobody. The transaction then stays with it until the next flush, or
 * for half of wal_sender_timeout. Any message from us makes it look again. As it happens right behind other activity, the
 * first one goes soon after the log has moved, the next ones ever later.
 */
int64_t tr_pgc_nudge_due_us(const tr_pgc *s)
{
	const tr_pgc_stream *st = s->stream;
	int64_t pause_us = st->last_feedback_us - st->last_news_us;

	if (s->server.version < 160000)
		return INT64_MAX;
	if (pause_us < 0)
		return st->last_news_us + NUDGE_MIN_US;
	pause_us = pause_us < NUDGE_MIN_US ? NUDGE_MIN_US : pause_us > NUDGE_MAX_US ? NUDGE_MAX_US : pause_us;
	return st->last_feedback_us + pause_us;
}

int tr_pgc_feedback_service(tr_pgc *s, int64_t now_us, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	int64_t since_us = now_us - st->last_feedback_us;
	bool moved = atomic_load_explicit(&s->confirmed, memory_order_relaxed) > st->flush_sent;

	if (st->flush_pending && flush_output(s, err))
		return -1;
	if (check_silence(s, now_us, err))
		return -1;
	if (wants_ping(s, now_us))
		return tr_pgc_feedback_send(s, true, err);
	if (st->answer_now || since_us > (int64_t)st->feedback_interval_ms * 1000 ||
	    (moved && since_us > CONFIRM_PACE_US) || now_us >= tr_pgc_nudge_due_us(s))
		return tr_pgc_feedback_send(s, false, err);
	return 0;
}

int tr_pgc_feedback_pump(tr_pgc *s, int wait_ms, tr_err *err)
{
	if (tr_pgc_wait(&s->wake, -1, 0, wait_ms, err) < 0)
		return -1;
	s->stream->last_received_us = tr_clock_mono_us();
	return tr_pgc_feedback_service(s, s->stream->last_received_us, err);
}

/* --- now and then ------------------------------------------------------------------------------ */

static const char lag_sql[] =
    "SELECT e.log_end, coalesce((SELECT greatest(pg_wal_lsn_diff(e.log_end, s.restart_lsn), 0)::bigint"
    " FROM pg_replication_slots s WHERE s.slot_name = $1), 0)"
    " FROM (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END AS "
    "log_end) e";

/* The stream is not read meanwhile, so a server that does not answer has no more time here than there. */
static int read_lag(tr_pgc *s, tr_err *err)
{
	const char *params[] = {s->slot};
	int limit_ms = (int)s->options->receive_timeout_ms;
	PGresult *r;
	uint64_t log_end;

	if (limit_ms <= 0 || limit_ms > TR_PGC_QUERY_MS)
		limit_ms = TR_PGC_QUERY_MS;
	if (tr_pgc_exec(s->sql, &s->wake, limit_ms, "read the lag", lag_sql, 1, params, &r, err))
		return -1;
	if (tr_pgc_lsn_parse(PQgetvalue(r, 0, 0), &log_end))
		atomic_store_explicit(&s->lag.log_end, log_end, memory_order_relaxed);
	atomic_store_explicit(&s->lag.retained_bytes, strtoull(PQgetvalue(r, 0, 1), NULL, 10), memory_order_relaxed);
	PQclear(r);
	return 0;
}

/* A privilege that is missing for a new table must not stop the others: it is said once, and tried again after the next
 * connect. */
static int add_new_tables(tr_pgc *s, tr_err *err)
{
	size_t added = 0;

	if (!s->publication_ours)
		return 0;
	if (tr_pgc_publication_extend(s, &added, err)) {
		if (tr_err_reaction(err->code) == TR_REACT_RETRY || err->code == TR_E_INTERRUPTED)
			return -1;
		tr_log_err(TR_LOG_WARN, s->name, "publication.incomplete", err);
		s->publication_ours = false;
		tr_err_clear(err);
		return 0;
	}
	if (added > 0)
		tr_log(TR_LOG_WARN, s->name, "publication.extended",
		       "%zu new tables were added to publication \"%s\"; rows written before that are not captured",
		       added, s->publication);
	return 0;
}

int tr_pgc_tick(tr_pgc *s, int64_t now_us, tr_err *err)
{
	tr_pgc_stream *st = s->stream;

	if (now_us < st->next_tick_us)
		return 0;
	if (read_lag(s, err) || add_new_tables(s, err))
		return -1;
	/* At most a hundredth of the time goes into asking. */
	int64_t done_us = tr_clock_mono_us();
	int64_t pause_us = (done_us - now_us) * 100;
	st->next_tick_us = done_us + (pause_us > TICK_US ? pause_us : TICK_US);
	return 0;
}
