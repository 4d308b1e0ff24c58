/* Windows and phases; chunk.c has the rows. */
#include "capture/postgres/incremental.h"

#include <stdio.h>
#include <stdlib.h>

#include "capture/postgres/chunk.h"
#include "capture/postgres/signal.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/text.h"

#define SCRATCH_MAX      ((size_t)1 << 31)
#define SQL_MAX          ((size_t)4 << 20)
#define UNSEEN_PAUSE_US  20000
#define FAILURE_PAUSE_US 1000000
#define FAILURE_MAX      6 /* doublings of the pause */
#define MISSING_MARK_US  30000000

/* --- life -------------------------------------------------------------------------------------- */

int tr_pgc_incremental_new(tr_pgc_incremental **out, tr_err *err)
{
	tr_pgc_incremental *i = calloc(1, sizeof(*i));

	*out = i;
	if (!i)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	tr_inc_touched_init(&i->touched);
	tr_writer_init(&i->rows, (size_t)1 << 31);
	tr_arena_init(&i->scratch, SCRATCH_MAX);
	return 0;
}

/* Back to where nothing is under way on the server; the progress stays. */
static void reset(tr_pgc_incremental *i)
{
	PQclear(i->result);
	PQfinish(i->c);
	i->result = NULL;
	i->c = NULL;
	i->phase = TR_PGC_INC_IDLE;
	i->copying = i->truncated = i->again = i->is_closed = i->is_early = false;
	i->tracked_oid = i->oid = 0;
	i->window.id[0] = '\0';
	tr_writer_release(&i->rows);
	tr_writer_init(&i->rows, (size_t)1 << 31);
	tr_inc_touched_release(&i->touched);
	tr_inc_touched_init(&i->touched);
	tr_pgc_relation_free(i->shape);
	i->shape = NULL;
	i->stream_table = NULL;
	free(i->row_filter);
	i->row_filter = NULL;
}

void tr_pgc_incremental_free(tr_pgc_incremental *i)
{
	if (!i)
		return;
	reset(i);
	tr_inc_touched_release(&i->touched);
	tr_writer_release(&i->rows);
	tr_arena_release(&i->scratch);
	tr_inc_progress_release(&i->progress);
	free(i);
}

void tr_pgc_incremental_abandon(tr_pgc *s)
{
	reset(s->incremental);
}

static uint32_t most_rows(const tr_pgc *s)
{
	return s->options->signal_chunk_rows ? s->options->signal_chunk_rows : TR_INC_CHUNK_ROWS;
}

int tr_pgc_incremental_load(tr_pgc *s, tr_slice position, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	tr_writer text;
	int result;

	reset(i);
	i->not_before_us = 0;
	i->failures = 0;
	i->limit = most_rows(s);
	tr_writer_init(&text, (size_t)16 << 20);
	tr_pgc_position_incremental(position, &text);
	result = tr_inc_progress_load(&i->progress, tr_writer_view(&text), err);
	tr_writer_release(&text);
	if (result)
		return -1;
	if (i->progress.count > 0 && !s->options->signal_table)
		tr_log(TR_LOG_WARN, s->name, "incremental.waiting",
		       "an incremental snapshot of %zu tables is not finished; it waits for source.signal_table to be set",
		       i->progress.count);
	else if (i->progress.count > 0)
		tr_log(TR_LOG_INFO, s->name, "incremental.continued",
		       "the incremental snapshot goes on with table \"%s.%s\"%s", i->progress.todo[0].schema,
		       i->progress.todo[0].name, i->progress.paused ? " when it is resumed" : "");
	return 0;
}

static bool may_begin(const tr_pgc *s)
{
	return s->options->signal_table && s->incremental->progress.count > 0 && !s->incremental->progress.paused;
}

bool tr_pgc_incremental_busy(const tr_pgc *s)
{
	return s->incremental->phase != TR_PGC_INC_IDLE || (may_begin(s) && s->incremental->failures == 0);
}

int tr_pgc_incremental_socket(const tr_pgc *s, int64_t *wait_us)
{
	const tr_pgc_incremental *i = s->incremental;
	int64_t pause_us;

	if (i->phase == TR_PGC_INC_IDLE || i->phase == TR_PGC_INC_OPENED) {
		pause_us = i->not_before_us - tr_clock_mono_us();
		if ((i->phase == TR_PGC_INC_OPENED || may_begin(s)) && pause_us < *wait_us)
			*wait_us = pause_us > 1000 ? pause_us : 1000;
		return -1;
	}
	return i->phase == TR_PGC_INC_AWAITING || !i->c ? -1 : PQsocket(i->c);
}

/* --- failures ---------------------------------------------------------------------------------- */

static void drop_table(tr_pgc *s)
{
	tr_pgc_incremental *i = s->incremental;
	tr_err err = {0};

	reset(i);
	tr_inc_progress_remove(&i->progress, 0);
	/* Out of memory here means only that the table is tried again after a restart. */
	if (tr_inc_progress_save(&i->progress, &err))
		tr_log_err(TR_LOG_WARN, s->name, "incremental.progress", &err);
}

static void privilege_hint(tr_pgc *s, tr_err *err)
{
	const tr_inc_todo *t = &s->incremental->progress.todo[0];

	if (s->incremental->phase == TR_PGC_INC_OPENING || s->incremental->phase == TR_PGC_INC_CLOSING)
		tr_err_hint(err, "The stream goes on and the snapshot waits. Run: GRANT SELECT, INSERT ON TABLE %s TO \"%s\";",
			    s->options->signal_table, s->server.user);
	else
		tr_err_hint(err,
			    "The stream goes on and the snapshot waits. Run: GRANT USAGE ON SCHEMA \"%s\" TO \"%s\"; GRANT "
			    "SELECT ON TABLE \"%s\".\"%s\" TO \"%s\"; or send a stop-snapshot signal.",
			    t->schema, s->server.user, t->schema, t->name, s->server.user);
}

/* Nothing here may stop the stream: it is said and tried again, or the table is given up when its own statement is at
 * fault (a condition that is not SQL, a table that is gone). */
static int failed(tr_pgc *s, const PGresult *r, tr_err *why)
{
	tr_pgc_incremental *i = s->incremental;
	const char *state = tr_pgc_sqlstate(r);
	bool of_table = i->phase != TR_PGC_INC_OPENING && i->phase != TR_PGC_INC_CLOSING;

	if (why->code == TR_E_INTERRUPTED || why->code == TR_E_MEMORY)
		return -1;
	if (i->progress.count > 0)
		tr_err_prefix(why, "incremental snapshot of table \"%s.%s\"", i->progress.todo[0].schema,
			      i->progress.todo[0].name);
	if (strcmp(state, "42501") == 0)
		privilege_hint(s, why);
	else if (of_table && (strncmp(state, "42", 2) == 0 || strncmp(state, "22", 2) == 0)) {
		tr_err_hint(why, "The table is left out; mend the signal's condition, or the table, and send it again.");
		tr_log_err(TR_LOG_WARN, s->name, "incremental.failed", why);
		drop_table(s);
		tr_err_clear(why);
		return 0;
	}
	/* Said once, then once in a while: the pause doubles. */
	tr_log_err(TR_LOG_WARN, s->name, "incremental.waiting", why);
	i->not_before_us = tr_clock_mono_us() + ((int64_t)FAILURE_PAUSE_US << i->failures);
	if (i->failures < FAILURE_MAX)
		i->failures++;
	reset(i);
	tr_err_clear(why);
	return 0;
}

/* --- statements -------------------------------------------------------------------------------- */

static int send(tr_pgc *s, tr_pgc_phase phase, tr_writer *sql, bool many, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	bool ok = tr_writer_ok(sql);

	i->phase = phase;
	/* Without parameters the simple protocol would take several statements: a condition must not bring its own. */
	int sent = !ok    ? 0
		   : many ? PQsendQuery(i->c, (const char *)sql->data)
			  : PQsendQueryParams(i->c, (const char *)sql->data, 0, NULL, NULL, NULL, NULL, 0);
	tr_writer_release(sql);
	if (!ok)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	if (sent)
		return 0;
	tr_pgc_error(i->c, NULL, "read a chunk", err);
	return failed(s, NULL, err);
}

static int send_mark(tr_pgc *s, tr_pgc_phase phase, tr_err *err)
{
	const char *table = s->options->signal_table, *dot = strchr(table, '.');
	char schema[TR_PGC_NAME_MAX];
	tr_writer w;

	tr_writer_init(&w, SQL_MAX);
	tr_text_format(schema, sizeof(schema), "%.*s", dot ? (int)(dot - table) : 6, dot ? table : "public");
	tr_writer_text(&w, "INSERT INTO ");
	tr_pgc_qualified(&w, schema, dot ? dot + 1 : table);
	tr_writer_text(&w, " VALUES (");
	tr_inc_window_values(&s->incremental->window, phase == TR_PGC_INC_CLOSING, &w);
	tr_writer_u8(&w, ')');
	tr_writer_u8(&w, '\0');
	return send(s, phase, &w, false, err);
}

/* --- phases ------------------------------------------------------------------------------------ */

static int open_window(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	tr_pgc_dial dial = tr_pgc_dial_of(s);

	i->phase = TR_PGC_INC_OPENING;
	if (!i->c && tr_pgc_connect(&i->c, &dial, false, err))
		return failed(s, NULL, err);
	/* Nothing was read while the login took its time. */
	s->stream->last_received_us = tr_clock_mono_us();
	if (tr_inc_window_new(&i->window, err))
		return -1;
	return send_mark(s, TR_PGC_INC_OPENING, err);
}

/* From here on streamed keys are noted, so everything streamed before must be visible in the chunk. */
static int begin_chunk(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	tr_writer w;
	int found = tr_pgc_chunk_find(s, i->c, &i->oid, &i->kind, err);

	if (found < 0)
		return failed(s, NULL, err);
	if (!found) {
		tr_log(TR_LOG_WARN, s->name, "incremental.refused",
		       "table \"%s.%s\" is gone; it is left out of the incremental snapshot",
		       i->progress.todo[0].schema, i->progress.todo[0].name);
		drop_table(s);
		return 0;
	}
	/* To note keys it has to be known what a key is. Only the holder of the table's lock can ask without waiting for
	 * others, so a table's first transaction does no more than that. */
	i->tracked_oid = i->shape && i->shape->oid == i->oid ? i->oid : 0;
	tr_inc_touched_clear(&i->touched);
	tr_writer_reset(&i->rows);
	i->stream_table = NULL;
	i->row_count = 0;
	i->cut = i->truncated = i->again = i->is_closed = i->empty = false;
	i->streamed_before = i->streamed_count;
	tr_writer_init(&w, SQL_MAX);
	tr_pgc_chunk_begin_sql(s, &w);
	return send(s, TR_PGC_INC_LOCKING, &w, true, err);
}

static bool is_visible(const char *snapshot, uint32_t xid)
{
	char *at;
	uint32_t xmin = (uint32_t)strtoull(snapshot, &at, 10);
	uint32_t xmax = *at == ':' ? (uint32_t)strtoull(at + 1, &at, 10) : xmin;

	if ((int32_t)(xid - xmin) < 0)
		return true;
	if ((int32_t)(xid - xmax) >= 0)
		return false;
	while (*at == ':' || *at == ',') {
		if ((at[1] < '0' || at[1] > '9'))
			break;
		if ((uint32_t)strtoull(at + 1, &at, 10) == xid)
			return false;
	}
	return true;
}

/* Looks the transactions streamed before the chunk up in its snapshot. Those that it does not show are remembered until
 * one does, however many are streamed meanwhile. */
static bool all_visible(tr_pgc_incremental *i, const char *snapshot)
{
	uint64_t from = i->streamed_before > TR_PGC_STREAMED_MAX ? i->streamed_before - TR_PGC_STREAMED_MAX : 0;
	size_t kept = 0;

	for (size_t n = 0; n < i->unseen_count; n++)
		if (!is_visible(snapshot, i->unseen[n]))
			i->unseen[kept++] = i->unseen[n];
	i->unseen_count = kept;
	/* What was written over since the chunk began cannot be looked at any more. */
	if (i->streamed_count > TR_PGC_STREAMED_MAX && i->streamed_count - TR_PGC_STREAMED_MAX > from)
		from = i->streamed_count - TR_PGC_STREAMED_MAX;
	for (uint64_t n = from; n < i->streamed_before; n++) {
		uint32_t xid = i->streamed[n % TR_PGC_STREAMED_MAX];
		bool known = false;

		if (is_visible(snapshot, xid))
			continue;
		for (size_t k = 0; k < i->unseen_count; k++)
			known = known || i->unseen[k] == xid;
		if (!known && i->unseen_count < TR_PGC_UNSEEN_MAX)
			i->unseen[i->unseen_count++] = xid;
	}
	return i->unseen_count == 0;
}

static int end_chunk(tr_pgc *s, tr_err *err)
{
	tr_writer w;

	tr_writer_init(&w, SQL_MAX);
	tr_writer_put(&w, "COMMIT", sizeof("COMMIT"));
	return send(s, TR_PGC_INC_ENDING, &w, true, err);
}

static int read_chunk(tr_pgc *s, tr_err *err)
{
	tr_writer w;

	tr_writer_init(&w, SQL_MAX);
	tr_pgc_chunk_copy_sql(s, &w);
	return send(s, TR_PGC_INC_READING, &w, false, err);
}

static int locked(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	uint32_t oid;
	char kind;
	int good;

	if (i->tracked_oid != 0 && !all_visible(i, PQgetvalue(i->result, 0, 0))) {
		i->again = true;
		i->not_before_us = tr_clock_mono_us() + UNSEEN_PAUSE_US;
		return end_chunk(s, err);
	}
	good = tr_pgc_chunk_find(s, i->c, &oid, &kind, err);
	if (good == 1 && (oid != i->oid || kind != i->kind)) {
		i->again = true;
		return end_chunk(s, err);
	}
	const tr_table *before = i->shape ? i->shape->table : NULL;
	if (good == 1)
		good = tr_pgc_chunk_describe(s, err);
	/* Keys noted by another shape mean nothing. */
	if (good == 1 && before != i->shape->table) {
		i->stream_table = NULL;
		i->again = i->again || i->touched.count > 0;
	}
	if (good < 0)
		return failed(s, NULL, err);
	if (good == 0) {
		drop_table(s);
		return 0;
	}
	if (i->tracked_oid == 0) {
		i->again = true;
		return end_chunk(s, err);
	}
	if (i->progress.max.count > 0)
		return read_chunk(s, err);
	tr_writer w;
	tr_writer_init(&w, SQL_MAX);
	tr_pgc_chunk_max_sql(s, &w);
	return send(s, TR_PGC_INC_BOUNDING, &w, false, err);
}

static int bounded(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;

	i->empty = PQntuples(i->result) == 0;
	if (i->empty)
		return end_chunk(s, err);
	for (int n = 0; n < PQnfields(i->result); n++)
		if (tr_inc_key_push(&i->progress.max, tr_slice_str(PQgetvalue(i->result, 0, n)), err))
			return -1;
	tr_log(TR_LOG_INFO, s->name, "incremental.started", "the incremental snapshot of table \"%s.%s\" begins",
	       i->progress.todo[0].schema, i->progress.todo[0].name);
	if (tr_inc_progress_save(&i->progress, err))
		return -1;
	return read_chunk(s, err);
}

static int next_phase(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;

	switch (i->phase) {
	case TR_PGC_INC_OPENING:
		i->phase = TR_PGC_INC_OPENED;
		return 0;
	case TR_PGC_INC_LOCKING:
		return locked(s, err);
	case TR_PGC_INC_BOUNDING:
		return bounded(s, err);
	case TR_PGC_INC_READING:
		return end_chunk(s, err);
	case TR_PGC_INC_ENDING:
		/* A chunk that has to be read again keeps its window. */
		if (i->again) {
			i->phase = TR_PGC_INC_OPENED;
			i->tracked_oid = 0;
			return 0;
		}
		return send_mark(s, TR_PGC_INC_CLOSING, err);
	case TR_PGC_INC_CLOSING:
		i->failures = 0;
		i->phase = i->is_early ? TR_PGC_INC_IDLE : TR_PGC_INC_AWAITING;
		i->is_early = false;
		i->since_us = tr_clock_mono_us();
		return 0;
	default:
		return 0;
	}
}

/* --- answers ----------------------------------------------------------------------------------- */

/* Rows that are there; 1 = the last one was taken. */
static int take_rows(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	char *data;
	int len, result;

	while ((len = PQgetCopyData(i->c, &data, 1)) > 0) {
		result = tr_pgc_chunk_keep(i, data, (size_t)len, err);
		PQfreemem(data);
		if (result)
			return -1;
	}
	i->copying = len == 0;
	return !i->copying;
}

/* 1 = the statement has ended and i->result says how, 0 = not yet. */
static int collect(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	PGresult *r;

	if (i->copying) {
		int taken = take_rows(s, err);

		if (taken <= 0)
			return taken;
	}
	while (!PQisBusy(i->c)) {
		r = PQgetResult(i->c);
		if (!r)
			return 1;
		i->copying = PQresultStatus(r) == PGRES_COPY_OUT;
		if (i->result && PQresultStatus(i->result) == PGRES_FATAL_ERROR) {
			PQclear(r);
		} else {
			PQclear(i->result);
			i->result = r;
		}
		if (i->copying) {
			int taken = take_rows(s, err);

			if (taken <= 0)
				return taken;
		}
	}
	return 0;
}

/* One statement's end, when it is there; *more: another may be. */
static int advance(tr_pgc *s, bool *more, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	PGresult *r;
	int ended, result;

	*more = false;
	if (!PQconsumeInput(i->c)) {
		tr_pgc_error(i->c, NULL, "read a chunk", err);
		return failed(s, NULL, err);
	}
	ended = collect(s, err);
	if (ended <= 0)
		return ended;
	if (!i->result || PQresultStatus(i->result) == PGRES_FATAL_ERROR) {
		r = i->result;
		i->result = NULL;
		tr_pgc_error(i->c, r, i->phase == TR_PGC_INC_OPENING || i->phase == TR_PGC_INC_CLOSING
					  ? "write to the signal table" : "read a chunk", err);
		result = failed(s, r, err);
		PQclear(r);
		return result;
	}
	result = next_phase(s, err);
	PQclear(i->result);
	i->result = NULL;
	*more = result == 0 && i->c && i->phase > TR_PGC_INC_OPENED && i->phase < TR_PGC_INC_AWAITING;
	return result;
}

static void watch_mark(tr_pgc *s, int64_t now_us)
{
	tr_pgc_incremental *i = s->incremental;

	if (i->since_us == 0 || now_us - i->since_us < MISSING_MARK_US || !s->stream->caught_up)
		return;
	i->since_us = 0;
	tr_log(TR_LOG_WARN, s->name, "incremental.waiting",
	       "the incremental snapshot waits for its row in the signal table \"%s\" to come through the stream: is the "
	       "table part of publication \"%s\"?", s->options->signal_table, s->publication);
}

int tr_pgc_incremental_service(tr_pgc *s, int64_t now_us, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	bool more = true;

	if (i->phase == TR_PGC_INC_IDLE) {
		if (!may_begin(s) || now_us < i->not_before_us)
			return 0;
		return open_window(s, err);
	}
	if (i->phase == TR_PGC_INC_AWAITING) {
		watch_mark(s, now_us);
		return 0;
	}
	if (i->phase == TR_PGC_INC_OPENED)
		return s->stream->in_txn || now_us < i->not_before_us ? 0 : begin_chunk(s, err);
	while (more)
		if (advance(s, &more, err))
			return -1;
	return 0;
}

/* --- the stream -------------------------------------------------------------------------------- */

/* Where the identity's columns are in the stream's own shape of the table. */
static bool translate(tr_pgc_incremental *i, const tr_table *table)
{
	for (size_t n = 0; n < i->match_count; n++) {
		const char *name = i->shape->columns[i->match[n]].name;
		size_t at = 0;

		while (at < table->column_count && strcmp(table->columns[at].name, name) != 0)
			at++;
		if (at == table->column_count)
			return false;
		i->stream_match[n] = (uint16_t)at;
	}
	i->stream_table = table;
	return true;
}

/* 1 = noted, 0 = the row does not tell its key. */
static int touch(tr_pgc_incremental *i, const tr_table *table, const tr_datum *row)
{
	const tr_column *columns[TR_INC_KEY_MAX];
	tr_datum data[TR_INC_KEY_MAX];

	for (size_t n = 0; n < i->match_count; n++) {
		columns[n] = tr_pgc_incremental_column(table, i->stream_match[n]);
		data[n] = row[i->stream_match[n]];
		if (data[n].form != TR_D_TEXT && data[n].form != TR_D_BINARY)
			return 0;
	}
	tr_inc_touched_add(&i->touched, columns, data, i->match_count);
	return 1;
}

static void note_row(tr_pgc_incremental *i, const tr_change *change)
{
	if (i->stream_table != change->table && !translate(i, change->table)) {
		i->again = true;
		return;
	}
	bool before = change->before && touch(i, change->table, change->before);
	bool after = change->after && touch(i, change->table, change->after);

	/* An old key without the new one: the new one is unchanged (TOAST). The old row is only left out when its key is the
	 * same; a delete, or an old row that came, has to tell its key. */
	if ((change->before && !before) || (!before && !after))
		i->again = true;
}

int tr_pgc_incremental_change(tr_pgc *s, const tr_change *change, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;

	if (change->table->source_id == i->tracked_oid) {
		if (change->op == TR_OP_TRUNCATE)
			i->truncated = true;
		else
			note_row(i, change);
	}
	if (((const tr_pgc_table_info *)change->table->source_data)->is_signal && change->op == TR_OP_CREATE &&
	    !change->replayed)
		return tr_pgc_signal_row(s, change->table, change->after, err);
	return 0;
}

void tr_pgc_incremental_relation(tr_pgc *s, const tr_pg_relation *m)
{
	tr_pgc_incremental *i = s->incremental;

	i->stream_table = NULL;
	if (m->oid != i->tracked_oid)
		return;
	bool same = m->identity == i->shape->identity && m->column_count == i->shape->column_count;
	for (size_t n = 0; same && n < m->column_count; n++)
		same = m->columns[n].type == i->shape->columns[n].type &&
		       m->columns[n].typmod == i->shape->columns[n].typmod &&
		       tr_slice_eq(m->columns[n].name, tr_slice_str(i->shape->columns[n].name));
	i->again = i->again || !same;
}

void tr_pgc_incremental_closed(tr_pgc *s, tr_slice id)
{
	tr_pgc_incremental *i = s->incremental;

	i->is_closed = i->is_closed || tr_inc_window_is_closed_by(&i->window, id);
}

/* --- the end of a window ----------------------------------------------------------------------- */

static void adapt_limit(tr_pgc *s)
{
	tr_pgc_incremental *i = s->incremental;

	i->limit = tr_inc_next_limit(i->limit, most_rows(s), i->cut, i->touched.failed, i->row_count);
}

static int finish_table(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;

	tr_log(TR_LOG_INFO, s->name, "incremental.finished",
	       "the incremental snapshot of table \"%s.%s\" is complete: %llu rows were read", i->progress.todo[0].schema,
	       i->progress.todo[0].name, (unsigned long long)i->progress.rows);
	tr_inc_progress_remove(&i->progress, 0);
	tr_pgc_relation_free(i->shape);
	i->shape = NULL;
	i->stream_table = NULL;
	if (i->progress.count == 0)
		reset(i);
	return tr_inc_progress_save(&i->progress, err);
}

static int publish_chunk(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	tr_inc_key last = {0};
	uint64_t published = 0;

	if (!i->empty && tr_pgc_chunk_publish(s, &published, &last, err)) {
		tr_inc_key_clear(&last);
		return -1;
	}
	tr_log(TR_LOG_DEBUG, s->name, "incremental.chunk", "%u rows read, %llu published", i->row_count,
	       (unsigned long long)published);
	i->progress.rows += i->row_count;
	/* The chunk holds the greatest key, or there was no more. */
	bool done = i->empty || i->row_count == 0 || (!i->cut && i->row_count < i->limit) ||
		    tr_inc_key_equal(&last, &i->progress.max);
	if (last.count > 0) {
		tr_inc_key_clear(&i->progress.last);
		i->progress.last = last;
	}
	adapt_limit(s);
	return done ? finish_table(s, err) : tr_inc_progress_save(&i->progress, err);
}

int tr_pgc_incremental_commit(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	int result = 0;

	i->streamed[i->streamed_count++ % TR_PGC_STREAMED_MAX] = s->stream->xid;
	if (!i->is_closed)
		return 0;
	/* The mark may come through the stream before the server's answer to its INSERT. */
	i->is_early = i->phase == TR_PGC_INC_CLOSING;
	if (!i->is_early)
		i->phase = TR_PGC_INC_IDLE;
	i->is_closed = false;
	i->tracked_oid = 0;
	i->window.id[0] = '\0';
	if (i->again || i->touched.failed) {
		tr_log(TR_LOG_DEBUG, s->name, "incremental.again", "the chunk is read again");
		if (i->touched.failed)
			adapt_limit(s);
	} else {
		result = publish_chunk(s, err);
	}
	tr_writer_reset(&i->rows);
	tr_inc_touched_clear(&i->touched);
	return result;
}
