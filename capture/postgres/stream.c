/* The loop around the replication connection (COPY BOTH). */
#include "capture/postgres/incremental.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "core/clock.h"
#include "core/metric.h"
#include "core/obj.h"
#include "core/text.h"

#define BUFFER_BYTES "131072" /* of libpq, at least: one call takes what has come together */
#define BUSY_MS      2

/* --- start ------------------------------------------------------------------------------------- */

static void start_sql(const tr_pgc *s, tr_writer *w, bool binary)
{
	char lsn[TR_PGC_LSN_TEXT];
	tr_writer name;

	tr_pgc_lsn_format(lsn, s->position.lsn);
	tr_writer_init(&name, 4096);
	tr_pgc_ident(&name, s->publication);
	tr_writer_u8(&name, '\0');
	tr_writer_text(w, "START_REPLICATION SLOT ");
	tr_pgc_ident(w, s->slot);
	tr_writer_format(w, " LOGICAL %s (proto_version '1', publication_names ", lsn);
	tr_pgc_literal(w, tr_writer_ok(&name) ? (const char *)name.data : "");
	if (s->options->messages)
		tr_writer_text(w, ", messages 'true'");
	if (s->options->origin && strcmp(s->options->origin, "none") == 0 && s->server.version >= 160000)
		tr_writer_text(w, ", origin 'none'");
	if (binary)
		tr_writer_text(w, ", binary 'true'");
	tr_writer_text(w, ")");
	tr_writer_u8(w, '\0');
	tr_writer_release(&name);
}

static void hint_of_publication(const tr_pgc *s, tr_err *err)
{
	tr_err_hint(err,
		    "Publication \"%s\" has to exist since before the slot \"%s\" was made: the server looks it up in the "
		    "past. If it was dropped, changes since then cannot be read: `tailrace offsets reset`, drop the slot, "
		    "and run.",
		    s->publication, s->slot);
}

/* Since version 18 a publication that is missing is no error: the server warns once and leaves out every change of that
 * time. The name of the function is the same in every language. */
static void take_notice(void *source, const PGresult *notice)
{
	const char *from = PQresultErrorField(notice, PG_DIAG_SOURCE_FUNCTION);
	tr_pgc *s = source;

	if (from && strcmp(from, "LoadPublications") == 0)
		s->publication_lost = true;
}

/* What libpq handed out before the notice came before it in the log; nothing after it may be confirmed. */
static int check_publication(const tr_pgc *s, tr_err *err)
{
	if (!s->publication_lost)
		return 0;
	tr_err_set(err, TR_E_PUBLICATION_MISSING, "changes were left out: publication \"%s\" did not exist when they were made",
		   s->publication);
	hint_of_publication(s, err);
	return -1;
}

/* The server's errors of the stream in our terms. */
static int stream_error(tr_pgc *s, const PGresult *r, const char *what, tr_err *err)
{
	const char *state = tr_pgc_sqlstate(r), *text = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;

	tr_pgc_error(s->repl, r, what, err);
	if (strcmp(state, "42704") == 0 && text && strstr(text, "publication")) {
		err->code = TR_E_PUBLICATION_MISSING;
		hint_of_publication(s, err);
	} else if (strcmp(state, "42704") == 0) {
		err->code = TR_E_SLOT_MISSING;
	} else if (strcmp(state, "55000") == 0 || err->code == TR_E_POSITION_LOST) {
		err->code = TR_E_SLOT_INVALID;
		tr_err_hint(err, "The server has removed log that the slot needed (SELECT * FROM "
				 "pg_replication_slots). Start over with a "
				 "new snapshot: `tailrace offsets reset`, then run.");
	}
	return -1;
}

/* libpq reads into a buffer of 16 KiB, which a longer row makes grow for good. */
static int widen_buffer(tr_pgc *s, tr_err *err)
{
	PGresult *r = NULL;
	int result = tr_pgc_exec(s->repl, &s->wake, TR_PGC_QUERY_MS, "prepare streaming",
				 "SELECT pg_catalog.repeat(' ', " BUFFER_BYTES ")", 0, NULL, &r, err);

	PQclear(r);
	return result;
}

static int start_copy(tr_pgc *s, bool binary, tr_err *err)
{
	tr_writer sql;
	PGresult *r = NULL;
	int result = -1;

	s->publication_lost = false;
	PQsetNoticeReceiver(s->repl, take_notice, s);
	tr_writer_init(&sql, 8192);
	start_sql(s, &sql, binary);
	if (!tr_writer_ok(&sql)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory");
		goto out;
	}
	if (widen_buffer(s, err))
		goto out;
	if (tr_pgc_exec(s->repl, &s->wake, TR_PGC_QUERY_MS, "start streaming", (const char *)sql.data, 0, NULL, &r,
			err))
		goto out;
	if (PQresultStatus(r) != PGRES_COPY_BOTH || PQsetnonblocking(s->repl, 1) != 0) {
		tr_err_set(err, TR_E_SOURCE_SQL, "could not start streaming: the server did not begin to copy");
		goto out;
	}
	result = 0;
out:
	PQclear(r);
	tr_writer_release(&sql);
	return result;
}

static void init_stream(tr_pgc *s, tr_pgc_stream *st)
{
	int64_t now_us = tr_clock_mono_us();
	int third_ms = s->server.sender_timeout_ms / 3;
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	st->at_lsn = st->start_lsn = st->received = st->flush_sent = s->position.lsn;
	st->last_commit = s->position.commit;
	st->resume = s->position;
	st->feedback_interval_ms = s->options->status_interval_ms > 0 ? s->options->status_interval_ms : 10000;
	if (third_ms > 0 && third_ms < st->feedback_interval_ms)
		st->feedback_interval_ms = third_ms;
	st->last_received_us = st->last_news_us = st->last_feedback_us = st->last_ping_us = st->pace.window_start_us = now_us;
	st->next_tick_us = now_us;
	st->caught_up = s->position.lsn >= s->server.log_end;
	st->is_tcp =
	    getsockname(PQsocket(s->repl), (struct sockaddr *)&address, &len) == 0 && address.ss_family != AF_UNIX;
	atomic_store(&s->confirmed, s->position.lsn);
	atomic_store(&s->lag.reported, s->position.lsn);
	atomic_store(&s->lag.log_end, s->server.log_end);
	atomic_store(&s->lag.newest_commit_us, 0);
}

int tr_pgc_stream_start(tr_pgc *s, tr_listener *l, tr_err *err)
{
	tr_pgc_stream *st = calloc(1, sizeof(*st));

	TR_ASSERT(s->stream == NULL);
	if (!st || !(st->decoder = tr_pg_decoder_new())) {
		free(st);
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	}
	st->listener = l;
	init_stream(s, st);
	tr_pgc_catalog_session(&s->catalog);
	if (tr_pgc_binary_choose(s, &st->binary, err) || start_copy(s, st->binary, err)) {
		tr_pg_decoder_free(st->decoder);
		free(st);
		return -1;
	}
	s->stream = st;
	return 0;
}

/* --- taking messages --------------------------------------------------------------------------- */

/* The server ended the copy: by an error, by shutting down, or because we asked for it. */
static int ended(tr_pgc *s, tr_err *err)
{
	PGresult *r = PQgetResult(s->repl);
	ExecStatusType status = r ? PQresultStatus(r) : PGRES_FATAL_ERROR;

	if (status == PGRES_FATAL_ERROR)
		stream_error(s, r, "read the replication stream", err);
	else
		tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "the source ended the replication stream");
	PQclear(r);
	return -1;
}

static bool is_too_large(const tr_pgc *s, int len)
{
	return s->options->event_max_bytes > 0 && (uint64_t)len > s->options->event_max_bytes;
}

/* Reports one message, or sets it aside when the listener has no room. */
static int hand_over(tr_pgc *s, char *data, int len, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	int result;

	if (__builtin_expect(is_too_large(s, len), 0)) {
		result = tr_pgc_large_message(s, data, len, err);
		PQfreemem(data);
		return result;
	}
	if (!tr_pgc_wire_is_keepalive(data, len)) {
		switch (st->listener->ready(st->listener)) {
		case TR_LISTEN_OK:
			break;
		case TR_LISTEN_BUSY:
			st->aside = data;
			st->aside_len = len;
			return 0;
		case TR_LISTEN_FAILED:
			PQfreemem(data);
			return tr_err_set(err, TR_E_INTERRUPTED, "the receiver of the events gave up");
		}
	}
	result = tr_pgc_wire_message(s, data, len, err);
	PQfreemem(data);
	return result;
}

static int retry_aside(tr_pgc *s, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	char *data = st->aside;

	if (!data)
		return 0;
	st->aside = NULL;
	return hand_over(s, data, st->aside_len, err);
}

/* All that libpq has; *count is raised by the number of messages. */
static int drain(tr_pgc *s, size_t *count, tr_err *err)
{
	tr_pgc_stream *st = s->stream;

	while (!st->aside) {
		char *data = NULL;
		int len = PQgetCopyData(s->repl, &data, 1);

		if (check_publication(s, err)) {
			PQfreemem(data);
			return -1;
		}
		if (len == 0)
			return 0;
		if (len == -1)
			return ended(s, err);
		if (len < 0)
			return tr_pgc_error(s->repl, NULL, "read the replication stream", err);
		st->pace.bytes += (uint64_t)len;
		(*count)++;
		tr_pgc_coming_whole(&st->coming);
		if (hand_over(s, data, len, err))
			return -1;
	}
	return 0;
}

/* Reads until the socket is empty, the listener is busy or the time is over. */
static int take(tr_pgc *s, int64_t end_us, size_t *count, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	uint64_t bytes_before;

	st->read_ns = tr_clock_wall_ns();
	if (retry_aside(s, err))
		return -1;
	if (drain(s, count, err))
		return -1;
	do {
		bytes_before = st->pace.bytes;
		if (st->aside)
			break;
		if (!PQconsumeInput(s->repl))
			return tr_pgc_error(s->repl, NULL, "read the replication stream", err);
		st->read_ns = tr_clock_wall_ns();
		if (drain(s, count, err))
			return -1;
		if (st->pace.bytes == bytes_before && tr_pgc_coming_too_long(&st->coming, s->repl, s->options->event_max_bytes))
			return tr_pgc_large_coming(s, err);
	} while (st->pace.bytes > bytes_before && !st->aside && tr_clock_mono_us() < end_us);
	if (*count > 0)
		st->last_received_us = tr_clock_mono_us();
	if (st->has_news)
		st->last_news_us = st->last_received_us;
	st->has_news = false;
	return 0;
}

/* --- pace -------------------------------------------------------------------------------------- */

static void set_low_water(tr_pgc *s, int bytes)
{
	/* When the system refuses, reading only costs more. */
	if (s->stream->is_tcp && setsockopt(PQsocket(s->repl), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)) != 0)
		s->stream->is_tcp = false;
}

static void measure(tr_pgc *s, int64_t now_us)
{
	tr_pgc_stream *st = s->stream;
	bool filled = st->pace.kind == TR_PACE_FILL;

	tr_pace_measure(&st->pace, now_us, s->metrics);
	if ((st->pace.kind == TR_PACE_FILL) != filled)
		set_low_water(s, filled ? 1 : TR_PACE_FILL_BYTES);
}

/* Lets more come together when much is coming. True when there is something to read. */
static int linger(tr_pgc *s, bool *more, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	int n;

	*more = false;
	if (st->pace.kind == TR_PACE_EACH)
		return 0;
	/* A Unix socket has no low-water mark in poll: a short sleep does it. */
	if (st->pace.kind == TR_PACE_FILL && !st->is_tcp && tr_pgc_wait(&s->wake, -1, 0, 1, err) < 0)
		return -1;
	n = tr_pgc_wait(&s->wake, PQsocket(s->repl), POLLIN, tr_pace_linger_ms(&st->pace), err);
	*more = n > 0;
	return n < 0 ? -1 : 0;
}

/* --- the loop ---------------------------------------------------------------------------------- */

static int tell_idle(tr_pgc *s, tr_err *err)
{
	tr_pgc_stream *st = s->stream;

	tr_pace_idle(&st->pace);
	if (!st->in_txn)
		atomic_store_explicit(&s->lag.newest_commit_us, 0, memory_order_relaxed);
	return st->listener->idle(st->listener, err) == TR_LISTEN_FAILED ? -1 : 0;
}

static int await(tr_pgc *s, int64_t now_us, int64_t end_us, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	int64_t wait_us = end_us - now_us;
	int64_t nudge_us = tr_pgc_nudge_due_us(s) - now_us;
	short events = (short)(POLLIN | (st->flush_pending ? POLLOUT : 0));
	int other;

	if (st->aside)
		return tr_pgc_wait(&s->wake, -1, 0, wait_us < BUSY_MS * 1000 ? (int)(wait_us / 1000) : BUSY_MS, err) < 0
			   ? -1
			   : 0;
	/* A low-water mark would hold back the few bytes that a quiet server sends. */
	if (st->pace.kind == TR_PACE_FILL && wait_us > TR_PACE_FILL_MS * 1000)
		wait_us = TR_PACE_FILL_MS * 1000;
	if (nudge_us < wait_us)
		wait_us = nudge_us > 0 ? nudge_us : 0;
	other = tr_pgc_incremental_socket(s, &wait_us);
	return tr_pgc_wait_two(&s->wake, PQsocket(s->repl), events, other, (int)((wait_us + 999) / 1000), err) < 0 ? -1 : 0;
}

static void note_progress(tr_pgc *s)
{
	tr_pgc_stream *st = s->stream;

	if (!st->caught_up && !st->in_txn && !st->aside && st->at_lsn >= s->server.log_end)
		st->caught_up = true;
}

int tr_pgc_stream_read(tr_pgc *s, tr_listener *l, int wait_ms, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	int64_t now_us = tr_clock_mono_us(), end_us = now_us + (int64_t)wait_ms * 1000;
	bool more;

	TR_ASSERT(st != NULL);
	st->listener = l;
	do {
		size_t count = 0;

		if (take(s, end_us, &count, err))
			return -1;
		now_us = tr_clock_mono_us();
		measure(s, now_us);
		note_progress(s);
		if (tr_pgc_feedback_service(s, now_us, err) || tr_pgc_tick(s, now_us, err) ||
		    tr_pgc_incremental_service(s, now_us, err))
			return -1;
		if (!st->aside && now_us < end_us) {
			if (linger(s, &more, err))
				return -1;
			if (more && tr_pace_gathers(&st->pace, tr_clock_mono_us()))
				continue;
			if (tell_idle(s, err))
				return -1;
		}
		now_us = tr_clock_mono_us();
		if (now_us < end_us && await(s, now_us, end_us, err))
			return -1;
		now_us = tr_clock_mono_us();
	} while (now_us < end_us);
	return 0;
}

/* --- end --------------------------------------------------------------------------------------- */

/* Tells the server the last durable position and leaves politely, so that the slot is free at once. Best effort:
 * whatever fails here, the connection is closed next. */
static void say_goodbye(tr_pgc *s)
{
	tr_err ignored = {0};
	int64_t end_us = tr_clock_mono_us() + 500000;

	if (PQstatus(s->repl) != CONNECTION_OK || tr_pgc_feedback_send(s, false, &ignored) ||
	    PQputCopyEnd(s->repl, NULL) <= 0)
		return;
	while (tr_clock_mono_us() < end_us) {
		char *data = NULL;
		int len;

		if (PQflush(s->repl) < 0 || tr_pgc_wait(NULL, PQsocket(s->repl), POLLIN, 50, &ignored) < 0 ||
		    !PQconsumeInput(s->repl))
			return;
		while ((len = PQgetCopyData(s->repl, &data, 1)) > 0)
			PQfreemem(data);
		if (len < 0)
			return;
	}
}

void tr_pgc_stream_stop(tr_pgc *s)
{
	tr_pgc_stream *st = s->stream;

	if (!st)
		return;
	if (st->aside)
		PQfreemem(st->aside);
	st->aside = NULL;
	if (s->repl)
		say_goodbye(s);
	tr_pgc_incremental_abandon(s);
	/* What was reported stays known for `position`, which may still be asked. */
	s->position = tr_pgc_stream_position(s);
	tr_pg_decoder_free(st->decoder);
	free(st);
	s->stream = NULL;
}

tr_pgc_position tr_pgc_stream_position(const tr_pgc *s)
{
	const tr_pgc_stream *st = s->stream;
	tr_pgc_position p = {.lsn = st->at_lsn, .commit = st->last_commit};

	/* Until the transaction of the stored position is passed, that position is still the truth. */
	if (st->resume.tx != 0)
		return st->resume;
	if (st->in_txn && !st->skipping && st->index > 0) {
		p.tx = st->final_lsn;
		p.index = st->index;
	}
	return p;
}

bool tr_pgc_stream_caught_up(const tr_pgc *s)
{
	return s->stream && s->stream->caught_up && !tr_pgc_incremental_busy(s);
}
