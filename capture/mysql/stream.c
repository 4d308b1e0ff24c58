/* The loop around the dump. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "capture/mysql/incremental.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/obj.h"

#define BUSY_MS     2
#define TICK_US     1000000
#define SCRATCH_MAX ((size_t)64 << 20)
#define QUERY_MAX   ((size_t)64 << 20)

/* --- start ------------------------------------------------------------------------------------- */

static void hash_text(uint64_t *hash, const char *text)
{
	for (const char *p = text ? text : ""; *p; p++)
		*hash = (*hash ^ (uint8_t)*p) * UINT64_C(1099511628211);
	*hash = (*hash ^ 0xff) * UINT64_C(1099511628211);
}

/* Numbers the set of captured tables: an index in a transaction counts their rows. */
static uint64_t filter_number(const tr_source_options *o)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < o->table_count; i++)
		hash_text(&hash, o->tables[i]);
	hash_text(&hash, o->table_include);
	hash_text(&hash, o->table_exclude);
	hash_text(&hash, o->schema_include);
	hash_text(&hash, o->schema_exclude);
	return hash >> 32;
}

static int set_goal(tr_myc *s, tr_myc_stream *st, tr_err *err)
{
	snprintf(st->goal_file, sizeof(st->goal_file), "%s", s->server.log_file);
	st->goal_pos = s->server.log_pos;
	return tr_bl_gtid_set_copy(&st->goal_gtids, &s->server.executed, err) ||
		       tr_bl_domain_set_copy(&st->goal_domains, &s->server.domains, err)
		   ? -1
		   : 0;
}

static bool reached(const tr_myc_stream *st)
{
	int order;

	if (st->group.open || st->at.tx[0])
		return false;
	if (st->at.kind == TR_MYC_BY_GTID && tr_bl_gtid_set_contains(&st->at.gtids, &st->goal_gtids))
		return true;
	if (st->at.kind == TR_MYC_BY_DOMAIN && tr_bl_domain_set_covers(&st->at.domains, &st->goal_domains))
		return true;
	order = tr_myc_place_compare(st->at.file, st->at.pos, st->goal_file, st->goal_pos);
	return st->place_known && (order == 0 || order == 1);
}

static int open_dump(tr_myc *s, tr_myc_stream *st, tr_err *err)
{
	tr_myc_dump_from from = {.kind = st->at.kind, .gtids = &st->at.gtids, .domains = &st->at.domains, .file = st->at.file,
				 .pos = st->at.pos};

	if (st->at.kind == TR_MYC_BY_FILE && st->at.pos > UINT32_MAX) {
		st->skip_to = st->at.pos;
		from.pos = 4;
	}
	return tr_myc_dump_open(s, &from, &st->dump, err);
}

static void free_stream(tr_myc_stream *st)
{
	tr_myc_dump_close(st->dump);
	tr_bl_decoder_free(st->decoder);
	tr_myc_position_release(&st->at);
	tr_bl_gtid_set_release(&st->goal_gtids);
	tr_bl_domain_set_release(&st->goal_domains);
	tr_writer_release(&st->query);
	tr_arena_release(&st->scratch);
	free(st);
}

static int init_stream(tr_myc *s, tr_myc_stream *st, tr_err *err)
{
	tr_bl_limits limits = {.event_max_bytes = s->options->event_max_bytes};

	tr_arena_init(&st->scratch, SCRATCH_MAX);
	tr_writer_init(&st->query, QUERY_MAX);
	st->filter = filter_number(s->options);
	if (tr_myc_position_copy(&st->at, &s->position, err) || set_goal(s, st, err))
		return -1;
	if (st->at.tx[0] && st->at.filter != st->filter) {
		tr_log(TR_LOG_WARN, s->name, "position.filter",
		       "other tables are captured than when transaction %s was interrupted: it is published again from its beginning",
		       st->at.tx);
		st->at.tx[0] = '\0';
	}
	st->decoder = tr_bl_decoder_new(&limits, &tr_myc_group_handler, s);
	if (!st->decoder)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	st->last_received_us = st->pace.window_start_us = st->next_tick_us = tr_clock_mono_us();
	/* A place on the server the position was stored for; with GTIDs it may be another. */
	st->place_known = st->at.kind == TR_MYC_BY_FILE;
	st->caught_up = reached(st);
	memcpy(st->streamed_file, s->server.log_file, sizeof(st->streamed_file));
	st->streamed_pos = s->server.log_pos;
	st->low_water = 1;
	return 0;
}

int tr_myc_stream_start(tr_myc *s, tr_listener *l, tr_err *err)
{
	tr_myc_stream *st = calloc(1, sizeof(*st));
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);

	TR_ASSERT(s->stream == NULL);
	if (!st)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	st->listener = l;
	tr_myc_catalog_session(&s->catalog);
	if (init_stream(s, st, err) || tr_myc_server_unique(s, err) || open_dump(s, st, err)) {
		free_stream(st);
		return -1;
	}
	st->is_tcp = getsockname(tr_myc_dump_fd(st->dump), (struct sockaddr *)&address, &len) == 0 && address.ss_family != AF_UNIX;
	atomic_store(&s->lag.newest_commit_us, 0);
	s->stream = st;
	return 0;
}

/* --- pace -------------------------------------------------------------------------------------- */

static void set_low_water(tr_myc_stream *st, int bytes)
{
	if (!st->is_tcp || st->low_water == bytes)
		return;
	/* When the system refuses, reading only costs more. */
	if (setsockopt(tr_myc_dump_fd(st->dump), SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof(bytes)) != 0)
		st->is_tcp = false;
	st->low_water = bytes;
}

/* Lets more come together when much is coming. True when there is something to read. The low-water mark stands only while
 * nothing is read: within an event it would wait for bytes that belong to the next. */
static int linger(tr_myc *s, bool *more, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	int n;

	*more = false;
	if (st->pace.kind == TR_PACE_EACH)
		return 0;
	if (st->pace.kind == TR_PACE_FILL)
		set_low_water(st, TR_PACE_FILL_BYTES);
	n = tr_myc_wait(&s->wake, tr_myc_dump_fd(st->dump), POLLIN, tr_pace_linger_ms(&st->pace), err);
	set_low_water(st, 1);
	*more = n > 0;
	return n < 0 ? -1 : 0;
}

/* --- now and then ------------------------------------------------------------------------------ */

static int check_silence(tr_myc *s, int64_t now_us, tr_err *err)
{
	int64_t limit_us = (int64_t)s->options->receive_timeout_ms * 1000;

	if (limit_us <= 0 || now_us - s->stream->last_received_us <= limit_us)
		return 0;
	tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "the source has sent nothing for %d ms", s->options->receive_timeout_ms);
	return tr_err_hint(err, "The connection is made anew and continues where it stood; source.receive_timeout sets the limit.");
}

/* Bytes between our place and the server's end, over the files in between. */
static int read_behind(tr_myc *s, uint64_t *out, tr_err *err)
{
	const tr_myc_position *at = &s->stream->at;
	const char *end = s->server.log_file;
	MYSQL_RES *r;
	MYSQL_ROW row;

	*out = 0;
	if (tr_myc_file_compare(at->file, end) == 0) {
		*out = s->server.log_pos > at->pos ? s->server.log_pos - at->pos : 0;
		return 0;
	}
	if (tr_myc_query(s->sql, &s->wake, "list the binary logs", "SHOW BINARY LOGS", &r, err))
		return -1;
	while ((row = mysql_fetch_row(r)) != NULL) {
		uint64_t bytes = row[1] ? strtoull(row[1], NULL, 10) : 0;

		if (!row[0] || tr_myc_file_compare(row[0], at->file) == -1)
			continue;
		if (strcmp(row[0], at->file) == 0)
			bytes -= bytes > at->pos ? at->pos : bytes;
		*out += bytes;
	}
	mysql_free_result(r);
	return 0;
}

/* How far behind we are; also what notices a server that is gone while its dump says nothing. */
static int tick(tr_myc *s, int64_t now_us, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	uint64_t behind = 0;
	int64_t done_us, pause_us;

	if (now_us < st->next_tick_us)
		return 0;
	if (tr_myc_open_sql(s, err) || tr_myc_server_place(s, err))
		return -1;
	if (st->place_known && read_behind(s, &behind, err))
		return -1;
	atomic_store_explicit(&s->lag.lag_bytes, behind, memory_order_relaxed);
	if (behind == 0 && !st->group.open)
		atomic_store_explicit(&s->lag.newest_commit_us, 0, memory_order_relaxed);
	/* At most a hundredth of the time goes into asking. */
	done_us = tr_clock_mono_us();
	pause_us = (done_us - now_us) * 100;
	st->next_tick_us = done_us + (pause_us > TICK_US ? pause_us : TICK_US);
	return 0;
}

/* --- the loop ---------------------------------------------------------------------------------- */

static int gave_up(tr_err *err)
{
	return tr_err_set(err, TR_E_INTERRUPTED, "the receiver of the events gave up");
}

/* The server is not read meanwhile. It keeps what it has to say: its patience with a slow receiver was set to a day. */
int tr_myc_stream_admit(tr_myc *s, tr_err *err)
{
	tr_myc_stream *st = s->stream;

	for (;;) {
		tr_listen answer = st->listener->ready(st->listener);

		if (answer == TR_LISTEN_OK)
			return 0;
		if (answer == TR_LISTEN_FAILED)
			return gave_up(err);
		if (tr_myc_wait(&s->wake, -1, 0, BUSY_MS, err) < 0)
			return -1;
		st->last_received_us = tr_clock_mono_us();
	}
}

static int decode(tr_myc *s, tr_slice event, tr_err *err)
{
	tr_myc_stream *st = s->stream;

	st->pace.bytes += event.len;
	st->read_ns = tr_clock_wall_ns();
	return tr_bl_decode(st->decoder, event, err);
}

/* Which event was too large to be taken from the server. */
static void describe_event(const tr_myc_stream *st, tr_err *err)
{
	tr_writer text;

	tr_writer_init(&text, 4096);
	tr_bl_describe_next(st->decoder, &text);
	if (tr_writer_ok(&text))
		tr_err_detail(err, "it is at %.*s", (int)text.len, (const char *)text.data);
	tr_writer_release(&text);
}

/* Everything that is there, until the time is over. *busy: the listener has no room for the next event. */
static int take(tr_myc *s, int64_t end_us, bool *busy, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	unsigned count = 0;

	*busy = false;
	for (;;) {
		tr_listen answer = st->listener->ready(st->listener);
		tr_slice event;
		int got;

		if (answer == TR_LISTEN_FAILED)
			return gave_up(err);
		if (answer == TR_LISTEN_BUSY) {
			*busy = true;
			return 0;
		}
		got = tr_myc_dump_next(st->dump, 0, &event, err);
		if (got < 0 && err->code == TR_E_BATCH_LIMIT)
			describe_event(st, err);
		if (got <= 0)
			return got;
		if (decode(s, event, err))
			return -1;
		/* The clock is read now and then only. */
		if ((++count & 63) == 0 || event.len > 65536) {
			st->last_received_us = tr_clock_mono_us();
			if (st->last_received_us >= end_us)
				return 0;
		} else if (count == 1) {
			st->last_received_us = tr_clock_mono_us();
		}
	}
}

static int tell_idle(tr_myc *s, tr_err *err)
{
	tr_myc_stream *st = s->stream;

	tr_pace_idle(&st->pace);
	return st->listener->idle(st->listener, err) == TR_LISTEN_FAILED ? -1 : 0;
}

static int await(tr_myc *s, int64_t now_us, int64_t end_us, bool busy, tr_err *err)
{
	int64_t left_ms = (end_us - now_us + 999) / 1000;
	int other;

	if (busy) {
		s->stream->last_received_us = now_us;
		return tr_myc_wait(&s->wake, -1, 0, left_ms < BUSY_MS ? (int)left_ms : BUSY_MS, err) < 0 ? -1 : 0;
	}
	other = tr_myc_incremental_fd(s, &left_ms);
	return tr_myc_wait_two(&s->wake, tr_myc_dump_fd(s->stream->dump), POLLIN, other, (int)left_ms, err) < 0 ? -1 : 0;
}

int tr_myc_stream_read(tr_myc *s, tr_listener *l, int wait_ms, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	int64_t now_us = tr_clock_mono_us(), end_us = now_us + (int64_t)wait_ms * 1000;
	bool busy, more;

	st->listener = l;
	do {
		if (atomic_load_explicit(&s->wake.stop, memory_order_relaxed))
			return tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
		if (take(s, end_us, &busy, err))
			return -1;
		st->caught_up = st->caught_up || reached(st);
		now_us = tr_clock_mono_us();
		tr_pace_measure(&st->pace, now_us, s->metrics);
		if (check_silence(s, now_us, err) || tick(s, now_us, err) || tr_myc_incremental_service(s, now_us, err))
			return -1;
		if (!busy && now_us < end_us) {
			if (linger(s, &more, err))
				return -1;
			if (more && tr_pace_gathers(&st->pace, tr_clock_mono_us()))
				continue;
			if (tell_idle(s, err))
				return -1;
		}
		now_us = tr_clock_mono_us();
		if (now_us < end_us && await(s, now_us, end_us, busy, err))
			return -1;
		now_us = tr_clock_mono_us();
	} while (now_us < end_us);
	return 0;
}

/* --- position and end -------------------------------------------------------------------------- */

/* A shallow copy: what it points to stays the stream's. */
static tr_myc_position position_of(const tr_myc *s)
{
	const tr_myc_stream *st = s->stream;
	tr_myc_position p = st->at;

	p.incremental = s->incremental->progress.text;
	/* Until the transaction of the stored position has come again, that is still the truth about it. */
	if (!p.tx[0] && st->group.open && (st->group.index > 0 || st->group.ddl_told)) {
		memcpy(p.tx, st->group.tx, sizeof(p.tx));
		p.index = st->group.index;
		p.filter = st->filter;
	}
	return p;
}

void tr_myc_stream_position(const tr_myc *s, tr_writer *out)
{
	tr_myc_position p = position_of(s);

	tr_myc_position_write(&p, out);
}

bool tr_myc_stream_caught_up(const tr_myc *s)
{
	return s->stream && s->stream->caught_up && !tr_myc_incremental_busy(s);
}

void tr_myc_stream_stop(tr_myc *s)
{
	tr_myc_stream *st = s->stream;
	tr_myc_position p;
	tr_err err = {0};

	if (!st)
		return;
	tr_myc_incremental_abandon(s);
	p = position_of(s);
	if (tr_myc_position_copy(&s->position, &p, &err))
		tr_log_err(TR_LOG_WARN, s->name, "position.forgotten", &err);
	/* The decoder tells the catalogue which tables go, and that looks for the stream. */
	free_stream(st);
	s->stream = NULL;
}
