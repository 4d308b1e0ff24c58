/* Windows, noted keys, and chunks on their way to the listener; chunk.c reads them. */
#include "capture/mysql/incremental.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/mysql/snapshot.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/text.h"

#define SCRATCH_MAX      ((size_t)1 << 31)
#define SQL_MAX          ((size_t)4 << 20)
#define FAILURE_PAUSE_US 1000000
#define FAILURE_MAX      6 /* doublings of the pause */
#define BEHIND_PAUSE_US  200000
#define BEHIND_WARN      5 /* tries of some two seconds */
#define MISSING_MARK_US  30000000
#define READ_MS          3600000 /* a condition may have the server look for long before it finds a row */

/* --- life -------------------------------------------------------------------------------------- */

static void forget_shape(tr_myc_incremental *i)
{
	tr_myc_inc_shape *h = &i->shape;

	tr_table_free(h->table);
	h->table = NULL;
	tr_myc_facts_release(&h->facts);
	tr_writer_release(&h->signature);
	tr_writer_release(&h->columns);
	tr_writer_init(&h->signature, SQL_MAX * 16);
	tr_writer_init(&h->columns, SQL_MAX);
	tr_arena_release(&h->arena);
	tr_arena_init(&h->arena, SQL_MAX);
	i->stream_table = NULL;
}

static void forget_window(tr_myc_incremental *i)
{
	i->phase = TR_MYC_INC_IDLE;
	i->tracked = NULL;
	i->again = i->is_closed = false;
	i->chunk.window.id[0] = '\0';
	i->stream_table = NULL;
	tr_inc_touched_clear(&i->touched);
}

/* Back to where nothing is under way on the server; the progress stays. */
static void reset(tr_myc_incremental *i)
{
	tr_myc_chunk_stop(&i->chunk);
	forget_window(i);
	forget_shape(i);
	tr_inc_touched_release(&i->touched);
	tr_inc_touched_init(&i->touched);
}

int tr_myc_incremental_new(tr_myc_incremental **out, tr_err *err)
{
	tr_myc_incremental *i = calloc(1, sizeof(*i));

	*out = i;
	if (!i)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	tr_inc_touched_init(&i->touched);
	tr_arena_init(&i->scratch, SCRATCH_MAX);
	tr_arena_init(&i->stream_arena, SQL_MAX);
	if (tr_myc_chunk_init(&i->chunk, err))
		return -1;
	forget_shape(i);
	return 0;
}

static void forget_order(tr_myc_incremental *i)
{
	free(i->database);
	free(i->name);
	free(i->filter);
	i->database = i->name = i->filter = NULL;
}

void tr_myc_incremental_free(tr_myc_incremental *i)
{
	if (!i)
		return;
	tr_myc_chunk_release(&i->chunk);
	forget_shape(i);
	forget_order(i);
	tr_inc_touched_release(&i->touched);
	tr_arena_release(&i->scratch);
	tr_arena_release(&i->stream_arena);
	tr_inc_progress_release(&i->progress);
	free(i->row);
	free(i);
}

void tr_myc_incremental_abandon(tr_myc *s)
{
	reset(s->incremental);
}

static uint32_t most_rows(const tr_myc *s)
{
	return s->options->signal_chunk_rows ? s->options->signal_chunk_rows : TR_INC_CHUNK_ROWS;
}

int tr_myc_incremental_load(tr_myc *s, tr_slice text, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;
	bool can = tr_myc_signal_table(s, i->signal_database, i->signal_name);

	reset(i);
	i->not_before_us = 0;
	i->failures = 0;
	i->ended = (tr_myc_xa_ended){0};
	i->limit = most_rows(s);
	if (tr_inc_progress_load(&i->progress, text, err))
		return -1;
	if (i->progress.count > 0 && !can)
		tr_log(TR_LOG_WARN, s->name, "incremental.waiting",
		       "an incremental snapshot of %zu tables is not finished; it waits for source.signal_table to be set",
		       i->progress.count);
	else if (i->progress.count > 0)
		tr_log(TR_LOG_INFO, s->name, "incremental.continued",
		       "the incremental snapshot goes on with table \"%s.%s\"%s", i->progress.todo[0].schema,
		       i->progress.todo[0].name, i->progress.paused ? " when it is resumed" : "");
	return 0;
}

static bool may_begin(const tr_myc_incremental *i)
{
	return i->signal_name[0] && i->progress.count > 0 && !i->progress.paused;
}

bool tr_myc_incremental_busy(const tr_myc *s)
{
	const tr_myc_incremental *i = s->incremental;

	return i->phase != TR_MYC_INC_IDLE || (may_begin(i) && i->failures == 0);
}

int tr_myc_incremental_fd(const tr_myc *s, int64_t *wait_ms)
{
	const tr_myc_incremental *i = s->incremental;
	int64_t pause_ms;

	if (i->phase == TR_MYC_INC_WORKING)
		return i->chunk.done_fd;
	if (i->phase == TR_MYC_INC_IDLE && may_begin(i)) {
		pause_ms = (i->not_before_us - tr_clock_mono_us() + 999) / 1000;
		if (pause_ms < *wait_ms)
			*wait_ms = pause_ms > 1 ? pause_ms : 1;
	}
	return -1;
}

/* --- failures ---------------------------------------------------------------------------------- */

static void drop_table(tr_myc_incremental *i, const char *pipeline)
{
	tr_err err = {0};

	forget_window(i);
	forget_shape(i);
	tr_inc_progress_remove(&i->progress, 0);
	if (i->progress.count == 0)
		reset(i);
	/* Out of memory here means only that the table is tried again after a restart. */
	if (tr_inc_progress_save(&i->progress, &err))
		tr_log_err(TR_LOG_WARN, pipeline, "incremental.progress", &err);
}

static void refuse(tr_myc *s, const char *why)
{
	tr_myc_incremental *i = s->incremental;

	tr_log(TR_LOG_WARN, s->name, "incremental.refused", "table \"%s.%s\" %s; it is left out of the incremental snapshot",
	       i->progress.todo[0].schema, i->progress.todo[0].name, why);
	drop_table(i, s->name);
}

static void hint_of_failure(tr_myc *s, tr_err *why)
{
	tr_myc_incremental *i = s->incremental;
	char on[2 * TR_MYC_INC_NAME_MAX + 8], grant[320];

	snprintf(on, sizeof(on), "`%s`.`%s`", i->chunk.of_mark ? i->signal_database : i->database,
		 i->chunk.of_mark ? i->signal_name : i->name);
	if (i->chunk.read_only) {
		tr_err_hint(why, "The stream goes on and the snapshot waits: it writes marks to the signal table, so source.url has to "
				 "name a server that is not read-only.");
	} else if (why->code == TR_E_SOURCE_PRIVILEGE) {
		tr_myc_grant_sql(s, i->chunk.of_mark ? "SELECT, INSERT" : "SELECT", on, grant, sizeof(grant));
		tr_err_hint(why, "The stream goes on and the snapshot waits. Run: %s%s", grant,
			    i->chunk.of_mark ? "" : " or send a stop-snapshot signal.");
	}
}

/* Nothing here may stop the stream: it is said and tried again, or the table is given up when its own statement is at
 * fault (a condition that is not SQL, a table that is gone). */
static int failed(tr_myc *s, tr_err *why)
{
	tr_myc_incremental *i = s->incremental;

	if (why->code == TR_E_MEMORY)
		return -1;
	hint_of_failure(s, why);
	if (i->progress.count > 0)
		tr_err_prefix(why, "incremental snapshot of table \"%s.%s\"", i->progress.todo[0].schema,
			      i->progress.todo[0].name);
	if (i->chunk.of_statement && i->progress.count > 0) {
		tr_err_hint(why, "The table is left out; mend the signal's condition, or the table, and send it again.");
		tr_log_err(TR_LOG_WARN, s->name, "incremental.failed", why);
		drop_table(i, s->name);
		tr_err_clear(why);
		return 0;
	}
	/* Said once, then once in a while: the pause doubles. */
	tr_log_err(TR_LOG_WARN, s->name, "incremental.waiting", why);
	i->not_before_us = tr_clock_mono_us() + ((int64_t)FAILURE_PAUSE_US << i->failures);
	if (i->failures < FAILURE_MAX)
		i->failures++;
	forget_window(i);
	tr_err_clear(why);
	return 0;
}

/* --- the table's shape ------------------------------------------------------------------------- */

static bool is_published_key(const tr_table *t, size_t index)
{
	for (size_t i = 0; i < t->key_count; i++)
		if (t->key[i]->index == index)
			return true;
	return false;
}

/* Columns that nobody gets to see are not fetched, but keep their place. */
static int write_columns(tr_myc_inc_shape *h, tr_err *err)
{
	for (size_t i = 0; i < h->table->column_count; i++) {
		tr_writer_text(&h->columns, i ? ", " : "");
		if (!h->table->columns[i].type && !is_published_key(h->table, i) && h->facts.columns[i].key_rank == 0) {
			tr_writer_text(&h->columns, "NULL");
			continue;
		}
		tr_myc_ident(&h->columns, h->facts.columns[i].name);
		tr_writer_text(&h->columns, tr_bl_select_suffix(&h->facts.columns[i]));
	}
	tr_writer_u8(&h->columns, '\0');
	return tr_writer_ok(&h->columns) ? 0 : tr_err_set(err, TR_E_MEMORY, "out of memory for a statement");
}

/* A key's values as the server has them, without what the configuration makes of them. */
static int resolve_key(const tr_bl_column *column, tr_arena *arena, tr_column *out, tr_err *err)
{
	static const tr_event_options plain = {0};

	*out = (tr_column){0};
	return tr_bl_resolve(column, &plain, arena, out, err);
}

/* Progress belongs to a key of certain columns in a certain order: with another key the table starts again. */
static int check_progress(tr_myc *s, tr_err *err)
{
	tr_inc_progress *p = &s->incremental->progress;
	const tr_myc_key *key = &s->incremental->shape.key;
	tr_inc_key now = {0};

	if (tr_myc_key_names(key, &now, err)) {
		tr_inc_key_clear(&now);
		return -1;
	}
	if (p->columns.count > 0 && (!tr_inc_key_equal(&now, &p->columns) || !tr_myc_key_fits(key, &p->last) ||
				     !tr_myc_key_fits(key, &p->max))) {
		tr_log(TR_LOG_WARN, s->name, "incremental.restarted",
		       "the key of table \"%s.%s\" has changed: its incremental snapshot starts again", p->todo[0].schema,
		       p->todo[0].name);
		tr_inc_progress_rewind(p);
	}
	tr_inc_key_clear(&p->columns);
	p->columns = now;
	return 0;
}

/* The facts that the chunk's work has brought become the shape. 1 = good, 0 = the table cannot be read (said). */
static int take_shape(tr_myc *s, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;
	tr_myc_inc_shape *h = &i->shape;
	const char *why;

	forget_shape(i);
	h->facts = i->chunk.facts;
	i->chunk.facts = (tr_myc_facts){0};
	why = h->facts.exists ? tr_myc_key_find(&h->facts, &h->key) : "is gone";
	if (why) {
		refuse(s, why);
		return 0;
	}
	tr_myc_facts_sign(&h->facts, &h->signature);
	for (size_t n = 0; n < h->key.count; n++)
		if (resolve_key(h->key.columns[n].column, &h->arena, &h->match[n], err))
			return -1;
	if (tr_myc_facts_compile(&s->catalog, &h->facts, s->stream->listener->catalogue, &h->table, err) ||
	    write_columns(h, err) || check_progress(s, err))
		return -1;
	return 1;
}

/* --- a chunk's order --------------------------------------------------------------------------- */

static int copy_key(const tr_inc_key *from, tr_inc_key *to, tr_err *err)
{
	tr_inc_key_clear(to);
	for (size_t i = 0; i < from->count; i++)
		if (tr_inc_key_push(to, tr_slice_str(from->parts[i]), err))
			return -1;
	return 0;
}

static int copy_order(tr_myc_incremental *i, tr_err *err)
{
	const tr_inc_todo *t = &i->progress.todo[0];
	tr_myc_chunk *c = &i->chunk;

	forget_order(i);
	i->database = strdup(t->schema);
	i->name = strdup(t->name);
	i->filter = t->filter ? strdup(t->filter) : NULL;
	if (!i->database || !i->name || (t->filter && !i->filter))
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	c->database = i->database;
	c->name = i->name;
	c->filter = i->filter;
	return copy_key(&i->progress.last, &c->last, err) || copy_key(&i->progress.max, &c->max, err) ? -1 : 0;
}

/* What was streamed up to here, which is between two groups. */
static int note_streamed(tr_myc *s, tr_err *err)
{
	const tr_myc_stream *st = s->stream;
	tr_myc_incremental *i = s->incremental;
	tr_myc_chunk *c = &i->chunk;

	tr_writer_reset(&c->executed);
	c->streamed_file[0] = '\0';
	c->xa = i->ended;
	i->ordered_count = i->ended.count;
	i->ordered_total = i->ended.total;
	for (c->pending_count = 0; c->pending_count < st->at.xa_count && c->pending_count < TR_MYC_XA_MAX; c->pending_count++)
		c->pending[c->pending_count] = tr_myc_xa_hash(st->at.xa[c->pending_count].xid);
	if (s->mariadb) {
		memcpy(c->streamed_file, st->streamed_file, sizeof(c->streamed_file));
		c->streamed_pos = st->streamed_pos;
		return 0;
	}
	if (st->at.kind != TR_MYC_BY_GTID)
		return 0;
	tr_bl_gtid_set_print(&st->at.gtids, &c->executed);
	tr_writer_u8(&c->executed, '\0');
	return tr_writer_ok(&c->executed) ? 0 : tr_err_set(err, TR_E_MEMORY, "out of memory for the executed GTIDs");
}

/* From here on streamed keys are noted, so everything streamed before must be visible in the chunk. The first order of a
 * table asks for its shape only: without it nobody knows what its key is. */
static int begin_chunk(tr_myc *s, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;
	tr_myc_chunk *c = &i->chunk;

	forget_window(i);
	if (copy_order(i, err) || note_streamed(s, err) || tr_inc_window_new(&c->window, err))
		return -1;
	if (i->shape.table && (strcmp(i->shape.facts.database, i->database) != 0 || strcmp(i->shape.facts.name, i->name) != 0))
		forget_shape(i);
	if (i->shape.table && tr_myc_relation_named(&s->catalog, i->database, i->name, &i->tracked, err))
		return -1;
	tr_myc_dial_more(s, &i->url, &i->dial);
	i->dial.wake = &c->wake;
	i->dial.read_ms = READ_MS;
	i->dial.packet_max = (size_t)s->options->event_max_bytes;
	c->dial = &i->dial;
	c->mariadb = s->mariadb;
	c->signal_database = i->signal_database;
	c->signal_name = i->signal_name;
	c->signature = i->shape.table ? tr_writer_view(&i->shape.signature) : tr_slice_of(NULL, 0);
	c->key = &i->shape.key;
	c->columns = (const char *)i->shape.columns.data;
	c->column_count = i->shape.table ? i->shape.table->column_count : 0;
	c->limit = i->limit;
	i->phase = TR_MYC_INC_WORKING;
	return tr_myc_chunk_start(c, err);
}

/* --- noted keys -------------------------------------------------------------------------------- */

/* Where the key's columns are in the stream's own shape of the table, and which binary form they have there. */
static bool translate(tr_myc_incremental *i, const tr_myc_relation *rel)
{
	const tr_table *t = rel->table;
	tr_err ignored; /* the chunk is read again */

	tr_arena_reset(&i->stream_arena);
	i->stream_table = NULL;
	for (size_t n = 0; n < i->shape.key.count; n++) {
		tr_bl_column column = *i->shape.key.columns[n].column;
		size_t at = 0;

		while (at < t->column_count && strcmp(t->columns[at].name, column.name) != 0)
			at++;
		if (at == t->column_count || !rel->map || at >= rel->map->column_count)
			return false;
		column.wire_type = rel->map->columns[at].type;
		if (resolve_key(&column, &i->stream_arena, &i->stream_match[n], &ignored))
			return false;
		i->stream_index[n] = (uint16_t)at;
	}
	i->stream_table = t;
	i->stream_map = rel->map;
	return true;
}

/* Text is compared as it is stored: no conversion to UTF-8, the server's or ours, comes between. */
static const tr_column *compared_as(const tr_myc_incremental *i, size_t n, const tr_column *column)
{
	return i->shape.key.columns[n].form == TR_MYC_KEY_TEXT ? NULL : column;
}

/* False when the row does not tell its key. */
static bool touch(tr_myc_incremental *i, const tr_datum *row)
{
	const tr_column *columns[TR_INC_KEY_MAX];
	tr_datum data[TR_INC_KEY_MAX];
	size_t count = i->shape.key.count;

	for (size_t n = 0; n < count; n++) {
		columns[n] = compared_as(i, n, &i->stream_match[n]);
		data[n] = row[i->stream_index[n]];
		if (data[n].form != TR_D_BINARY)
			return false;
	}
	tr_inc_touched_add(&i->touched, columns, data, count);
	return true;
}

/* A change of a row that the chunk may show has an old row, and that tells its key in every binlog_row_image. A new row's key
 * is noted, too, where it is told: then the chunk need not repeat it. */
static void note_row(tr_myc_incremental *i, const tr_myc_relation *rel, const tr_change *change)
{
	if ((i->stream_table != rel->table || i->stream_map != rel->map) && !translate(i, rel)) {
		i->again = true;
		return;
	}
	if (change->before && !touch(i, change->before))
		i->again = true;
	if (change->after)
		touch(i, change->after);
}

/* --- the stream -------------------------------------------------------------------------------- */

/* Where the mark is, for the source blocks of the chunk's rows. */
static void note_mark(tr_myc_incremental *i, const tr_change *change)
{
	tr_value *f = i->block.fields;

	i->block = *change->source;
	tr_text_format(i->block_file, sizeof(i->block_file), "%.*s", (int)f[TR_MYC_SRC_FILE].s.len,
		       (const char *)f[TR_MYC_SRC_FILE].s.ptr);
	f[TR_MYC_SRC_FILE] = tr_value_text(i->block_file);
	if (f[TR_MYC_SRC_GTID].kind == TR_V_BYTES) {
		tr_text_format(i->block_gtid, sizeof(i->block_gtid), "%.*s", (int)f[TR_MYC_SRC_GTID].s.len,
			       (const char *)f[TR_MYC_SRC_GTID].s.ptr);
		f[TR_MYC_SRC_GTID] = tr_value_text(i->block_gtid);
	}
	f[TR_MYC_SRC_ROW] = tr_value_int(0);
	f[TR_MYC_SRC_QUERY] = tr_value_null();
}

int tr_myc_incremental_row(tr_myc *s, const tr_myc_relation *rel, const tr_change *change, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;
	bool was_closed = i->is_closed;

	if (rel == i->tracked)
		note_row(i, rel, change);
	if (!((const tr_myc_table_info *)rel->table->source_data)->is_signal || change->op != TR_OP_CREATE || change->replayed)
		return 0;
	if (tr_myc_signal_row(s, change, err))
		return -1;
	if (i->is_closed && !was_closed)
		note_mark(i, change);
	return 0;
}

void tr_myc_incremental_ddl(tr_myc *s, const tr_myc_ddl *ddl)
{
	tr_myc_incremental *i = s->incremental;

	if (i->tracked && !ddl->temporary && (ddl->kind == TR_MYC_DDL_TRUNCATE_TABLE || tr_myc_ddl_changes_shape(ddl->kind)))
		i->again = i->again || tr_myc_ddl_touches(ddl, i->tracked->database, i->tracked->name);
}

/* --- the end of a window ----------------------------------------------------------------------- */

static int finish_table(tr_myc *s, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;

	tr_log(TR_LOG_INFO, s->name, "incremental.finished",
	       "the incremental snapshot of table \"%s.%s\" is complete: %llu rows were read", i->progress.todo[0].schema,
	       i->progress.todo[0].name, (unsigned long long)i->progress.rows);
	tr_inc_progress_remove(&i->progress, 0);
	forget_shape(i);
	if (i->progress.count == 0)
		reset(i);
	return tr_inc_progress_save(&i->progress, err);
}

/* Cuts the next row out of the chunk's bytes: the key's expressions into `key`, the columns into i->row. */
static const uint8_t *cut_row(const tr_myc_incremental *i, const uint8_t *at, tr_slice *key)
{
	size_t keys = i->shape.key.count, count = keys + i->chunk.column_count;

	for (size_t n = 0; n < count; n++) {
		uint32_t len;
		bool null;

		memcpy(&len, at, sizeof(len));
		at += sizeof(len);
		null = len == TR_MYC_CHUNK_NULL;
		len = null ? 0 : len;
		if (n < keys)
			key[n] = tr_slice_of(at, len);
		else
			i->row[n - keys] = (tr_datum){.ptr = at, .len = len, .form = null ? TR_D_NULL : TR_D_TEXT};
		at += len;
	}
	return at;
}

static int left_to_stream(tr_myc_incremental *i, const tr_slice *key, bool *out, tr_err *err)
{
	const tr_column *columns[TR_INC_KEY_MAX];
	tr_datum data[TR_INC_KEY_MAX];

	for (size_t n = 0; n < i->shape.key.count; n++) {
		columns[n] = compared_as(i, n, &i->shape.match[n]);
		data[n] = columns[n] ? i->row[i->shape.key.columns[n].index]
				     : (tr_datum){.ptr = key[n].ptr, .len = (uint32_t)key[n].len, .form = TR_D_TEXT};
	}
	return tr_inc_touched_has(&i->touched, columns, data, i->shape.key.count, out, err);
}

static int publish_row(tr_myc *s, const tr_slice *key, uint64_t *published, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;
	const tr_table *table = i->shape.table;
	bool touched;

	if (left_to_stream(i, key, &touched, err))
		return -1;
	if (touched)
		return 0;
	i->block.fields[TR_MYC_SRC_TABLE] = ((const tr_myc_table_info *)table->source_data)->table;
	const tr_change change = {.op = TR_OP_READ,
				  .table = table,
				  .after = i->row,
				  .source = &i->block,
				  .commit_us = tr_clock_wall_ns() / 1000,
				  .mark = TR_MARK_INCREMENTAL};
	++*published;
	return tr_myc_snapshot_report(s, s->stream->listener, &change, err);
}

static int need_columns(tr_myc_incremental *i, tr_err *err)
{
	tr_datum *row;

	if (i->chunk.column_count <= i->row_capacity)
		return 0;
	row = realloc(i->row, i->chunk.column_count * sizeof(*row));
	if (!row)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for a row");
	i->row = row;
	i->row_capacity = i->chunk.column_count;
	return 0;
}

/* *last becomes the key of the last row that was read. */
static int publish_rows(tr_myc *s, uint64_t *published, tr_inc_key *last, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;
	const uint8_t *at = i->chunk.rows.data;
	tr_slice key[TR_INC_KEY_MAX];

	if (need_columns(i, err))
		return -1;
	for (uint32_t row = 0; row < i->chunk.row_count; row++) {
		at = cut_row(i, at, key);
		if (publish_row(s, key, published, err))
			return -1;
	}
	for (size_t n = 0; i->chunk.row_count > 0 && n < i->shape.key.count; n++)
		if (tr_myc_key_push(&i->shape.key, n, key[n], last, err))
			return -1;
	return 0;
}

static int take_max(tr_myc *s, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;

	if (i->progress.max.count > 0 || i->chunk.empty)
		return 0;
	tr_log(TR_LOG_INFO, s->name, "incremental.started", "the incremental snapshot of table \"%s.%s\" begins",
	       i->progress.todo[0].schema, i->progress.todo[0].name);
	return copy_key(&i->chunk.max, &i->progress.max, err);
}

/* Rows and progress become durable together: the progress is that of before until the last row was reported. */
static int publish_chunk(tr_myc *s, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;
	const tr_myc_chunk *c = &i->chunk;
	tr_inc_key last = {0};
	uint64_t published = 0;
	bool done;

	if (take_max(s, err) || publish_rows(s, &published, &last, err)) {
		tr_inc_key_clear(&last);
		return -1;
	}
	tr_log(TR_LOG_DEBUG, s->name, "incremental.chunk", "%u rows read, %llu published", c->row_count,
	       (unsigned long long)published);
	i->progress.rows += c->row_count;
	/* The chunk holds the greatest key, or there was no more. */
	done = c->row_count == 0 || (!c->cut && c->row_count < c->limit) || tr_inc_key_equal(&last, &i->progress.max);
	if (last.count > 0) {
		tr_inc_key_clear(&i->progress.last);
		i->progress.last = last;
	}
	i->limit = tr_inc_next_limit(i->limit, most_rows(s), c->cut, false, c->row_count);
	return done ? finish_table(s, err) : tr_inc_progress_save(&i->progress, err);
}

static int close_window(tr_myc *s, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;
	int result = 0;

	i->phase = TR_MYC_INC_IDLE;
	i->tracked = NULL; /* what is published now is not streamed */
	if (i->again || i->touched.failed) {
		tr_log(TR_LOG_DEBUG, s->name, "incremental.again", "the chunk is read again");
		i->limit = i->touched.failed ? tr_inc_next_limit(i->limit, most_rows(s), false, true, 0) : i->limit;
	} else {
		result = publish_chunk(s, err);
	}
	if (result == 0)
		forget_window(i);
	return result;
}

/* --- steps ------------------------------------------------------------------------------------- */

/* Those that the order had are over. Those that came since then stay; when they could not all be noted, nobody knows which. */
static void forget_ended(tr_myc_incremental *i)
{
	tr_myc_xa_ended *e = &i->ended;

	if (e->overflow && e->total != i->ordered_total)
		return;
	e->count -= i->ordered_count;
	memmove(e->hashes, e->hashes + i->ordered_count, e->count * sizeof(e->hashes[0]));
	e->overflow = false;
}

/* What was streamed cannot be seen: usual for a moment, but not for long. */
static void behind(tr_myc *s)
{
	tr_myc_incremental *i = s->incremental;

	i->not_before_us = tr_clock_mono_us() + BEHIND_PAUSE_US;
	if (++i->behind == BEHIND_WARN)
		tr_log(TR_LOG_WARN, s->name, "incremental.waiting",
		       "the incremental snapshot waits: the server has sent changes that no SELECT shows yet (a semi-synchronous "
		       "replica that does not answer, or an XA transaction whose name was used again?)");
	forget_window(i);
}

/* The chunk's thread has ended its work. */
static int settle(tr_myc *s, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;
	tr_err why;

	tr_myc_chunk_join(&i->chunk);
	if (i->chunk.xa.checked)
		forget_ended(i);
	switch (i->chunk.end) {
	case TR_MYC_CHUNK_READ:
		i->failures = i->behind = 0;
		i->phase = TR_MYC_INC_AWAITING;
		i->since_us = tr_clock_mono_us();
		return 0;
	case TR_MYC_CHUNK_SHAPE:
		if (take_shape(s, err) < 0)
			return failed(s, err);
		forget_window(i);
		return 0;
	case TR_MYC_CHUNK_BEHIND:
		behind(s);
		return 0;
	default:
		why = i->chunk.err;
		if (failed(s, &why) == 0)
			return 0;
		*err = why;
		return -1;
	}
}

static void watch_mark(tr_myc *s)
{
	tr_myc_incremental *i = s->incremental;

	if (i->since_us == 0 || tr_clock_mono_us() - i->since_us < MISSING_MARK_US || !s->stream->caught_up)
		return;
	i->since_us = 0;
	tr_log(TR_LOG_WARN, s->name, "incremental.waiting",
	       "the incremental snapshot waits for its row in the signal table \"%s\" to come through the stream: does the server "
	       "log changes of that table?", s->options->signal_table);
}

/*
 * The second mark may come through the stream before the server's answer to its INSERT; keys are noted until the chunk is
 * published, so it does no harm when that is a while after the mark.
 */
int tr_myc_incremental_step(tr_myc *s, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;

	if (tr_myc_chunk_done(&i->chunk) && settle(s, err))
		return -1;
	if (i->phase == TR_MYC_INC_AWAITING && i->is_closed && close_window(s, err))
		return -1;
	if (i->phase == TR_MYC_INC_IDLE && may_begin(i) && tr_clock_mono_us() >= i->not_before_us)
		return begin_chunk(s, err);
	return 0;
}

int tr_myc_incremental_service(tr_myc *s, int64_t now_us, tr_err *err)
{
	tr_myc_incremental *i = s->incremental;

	(void)now_us;
	if (i->progress.count == 0)
		return 0;
	if (i->phase == TR_MYC_INC_AWAITING)
		watch_mark(s);
	return s->stream->group.open ? 0 : tr_myc_incremental_step(s, err);
}
