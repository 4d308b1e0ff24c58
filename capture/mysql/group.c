/* The log's events become the listener's: groups, rows, statements that matter, the source block. */
#include <stdio.h>
#include <string.h>

#include "capture/mysql/incremental.h"
#include "capture/mysql/schema.h"
#include "core/clock.h"
#include "core/failpoint.h"
#include "core/log.h"

static tr_myc_stream *stream_of(void *context)
{
	return ((tr_myc *)context)->stream;
}

/* A place beyond 4 GiB cannot be asked for, so the file is read from its beginning. */
static bool passed_over(const tr_myc_stream *st, const tr_bl_event *e)
{
	return __builtin_expect(st->skip_to != 0, 0) && e->start < st->skip_to;
}

/* --- reporting --------------------------------------------------------------------------------- */

static int64_t time_of(const tr_myc_group *g, const tr_bl_event *e)
{
	return g->commit_us ? g->commit_us : (int64_t)e->time_s * 1000000;
}

static tr_slice txn_id(const tr_myc_group *g)
{
	return tr_slice_str(g->txn_id);
}

/* What all rows of an event share is filled in once for it. */
static void fill_event(tr_myc_stream *st, const tr_bl_event *e)
{
	tr_value *f = st->block.fields;
	const tr_myc_group *g = &st->group;

	f[TR_SRC_SEQUENCE] = tr_value_null();
	f[TR_MYC_SRC_SERVER_ID] = tr_value_int(e->server_id);
	f[TR_MYC_SRC_GTID] = g->gtid_text[0] ? tr_value_text(g->gtid_text) : tr_value_null();
	f[TR_MYC_SRC_FILE] = tr_value_text(e->file);
	f[TR_MYC_SRC_POS] = tr_value_int((int64_t)e->start);
	f[TR_MYC_SRC_THREAD] = g->thread_id ? tr_value_int(g->thread_id) : tr_value_null();
	f[TR_MYC_SRC_QUERY] = st->query.len > 0 ? tr_value_bytes(st->query.data, st->query.len) : tr_value_null();
}

static void fill_source(tr_myc_stream *st, const tr_bl_event *e, tr_value table, size_t row)
{
	tr_value *f = st->block.fields;

	/* The first row of an event has the index 0; in a payload all events have one place. */
	if (row == 0 || !st->filled)
		fill_event(st, e);
	st->filled = true;
	f[TR_MYC_SRC_TABLE] = table;
	f[TR_MYC_SRC_ROW] = tr_value_int((int64_t)row);
}

static int begin_if_needed(tr_myc *s, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	tr_myc_group *g = &st->group;
	tr_listen answer;

	if (g->begun)
		return 0;
	do {
		if (tr_myc_stream_admit(s, err))
			return -1;
		answer = st->listener->begin(st->listener, txn_id(g), g->commit_us ? g->commit_us : g->time_us, err);
	} while (answer == TR_LISTEN_BUSY);
	g->begun = answer == TR_LISTEN_OK;
	return g->begun ? 0 : -1;
}

static int report(tr_myc *s, tr_change *change, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	tr_listen answer;

	do {
		if (tr_myc_stream_admit(s, err))
			return -1;
		answer = st->listener->change(st->listener, change, err);
	} while (answer == TR_LISTEN_BUSY);
	return answer == TR_LISTEN_OK ? 0 : -1;
}

/* The transaction that the stored position lies in has come again, and this event of it is durable already. */
static bool is_replayed(const tr_myc_stream *st)
{
	return st->at.tx[0] && st->group.index < st->at.index && strcmp(st->at.tx, st->group.tx) == 0;
}

static void count_event(tr_myc_stream *st)
{
	st->group.index++;
	if (st->at.tx[0] && st->group.index >= st->at.index && strcmp(st->at.tx, st->group.tx) == 0)
		st->at.tx[0] = '\0';
}

static int report_in_txn(tr_myc *s, const tr_bl_event *e, tr_change *change, size_t row, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	const tr_myc_table_info *info = change->table->source_data;

	if (begin_if_needed(s, err))
		return -1;
	fill_source(st, e, info->table, row);
	change->source = &st->block;
	change->commit_us = time_of(&st->group, e);
	change->txn_id = txn_id(&st->group);
	change->replayed = is_replayed(st);
	if (report(s, change, err))
		return -1;
	count_event(st);
	return 0;
}

int tr_myc_group_report_alone(tr_myc *s, const tr_bl_event *e, tr_change *change, const char *table, tr_err *err)
{
	tr_myc_stream *st = s->stream;

	tr_writer_reset(&st->query);
	fill_source(st, e, table ? tr_value_text(table) : tr_value_null(), 0);
	change->source = &st->block;
	change->commit_us = time_of(&st->group, e);
	return report(s, change, err);
}

/* --- the beginning and the end of groups -------------------------------------------------------- */

static void copy_text(char *out, const char *text, size_t cap)
{
	size_t len = strlen(text);

	if (len >= cap)
		len = cap - 1;
	memcpy(out, text, len);
	out[len] = '\0';
}

/* A group without a GTID is named by its place. */
static void name_by_place(tr_myc_group *g)
{
	snprintf(g->tx, sizeof(g->tx), "%s:%llu", g->file, (unsigned long long)g->pos);
	snprintf(g->txn_id, sizeof(g->txn_id), "file=%s,pos=%llu", g->file, (unsigned long long)g->pos);
}

static void open_group(tr_myc_stream *st, const tr_bl_event *e)
{
	tr_myc_group *g = &st->group;

	*g = (tr_myc_group){.open = true, .pos = e->start, .server_id = e->server_id, .time_us = (int64_t)e->time_s * 1000000};
	copy_text(g->file, e->file, sizeof(g->file));
	st->savepoint_count = 0;
	st->filled = false;
	tr_writer_reset(&st->query);
}

static void name_group(tr_myc_stream *st, const tr_bl_gtid *m)
{
	tr_myc_group *g = &st->group;

	g->gtid = *m;
	g->gtid.xid = (tr_bl_xid){0};
	memcpy(g->tag, m->tag.ptr ? (const char *)m->tag.ptr : "", m->tag.len < TR_BL_TAG_MAX ? m->tag.len : TR_BL_TAG_MAX);
	g->gtid.tag = tr_slice_str(g->tag);
	g->has_gtid = m->kind != TR_BL_ANONYMOUS;
	if (m->kind == TR_BL_GTID)
		tr_bl_gtid_text(g->gtid_text, m->uuid, g->gtid.tag, m->number);
	else if (m->kind == TR_BL_GTID_MARIADB)
		tr_bl_domain_text(g->gtid_text, m->domain, g->server_id, m->number);
	if (g->has_gtid) {
		copy_text(g->tx, g->gtid_text, sizeof(g->tx));
		copy_text(g->txn_id, g->gtid_text, sizeof(g->txn_id));
	} else {
		name_by_place(g);
	}
	g->commit_us = m->original_commit_us ? m->original_commit_us : m->commit_us;
}

static int on_gtid(void *context, const tr_bl_event *e, const tr_bl_gtid *m, tr_err *err)
{
	tr_myc_stream *st = stream_of(context);
	tr_myc_group *g = &st->group;

	if (passed_over(st, e))
		return 0;
	if (g->open)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "a transaction begins inside of transaction %s", g->tx);
	open_group(st, e);
	name_group(st, m);
	/* MariaDB has no BEGIN: the GTID says whether one event is all. */
	g->explicit_end = m->kind == TR_BL_GTID_MARIADB && !m->standalone;
	if (m->kind == TR_BL_GTID_MARIADB && m->prepared_xa) {
		g->xa = true;
		tr_myc_xid_text(g->xa_xid, &m->xid);
	}
	return 0;
}

/* Everything of the open group was reported: the position moves behind it. */
static int close_group(tr_myc *s, const tr_bl_event *e, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	tr_myc_group *g = &st->group;
	tr_myc_position *at = &st->at;

	if (at->kind != TR_MYC_BY_FILE && !g->has_gtid) {
		tr_err_set(err, TR_E_SOURCE_SETTING, "a transaction has no GTID, though the position is a set of GTIDs");
		tr_err_detail(err, "at %s:%llu", g->file, (unsigned long long)g->pos);
		return tr_err_hint(err, "Nothing was skipped. gtid_mode must stay ON; to go on without GTIDs: `tailrace offsets reset`, "
					"then run (a new snapshot).");
	}
	if (at->kind == TR_MYC_BY_GTID &&
	    tr_bl_gtid_set_add(&at->gtids, g->gtid.uuid, g->gtid.tag, g->gtid.number, err))
		return -1;
	if (at->kind == TR_MYC_BY_DOMAIN &&
	    tr_bl_domain_set_move(&at->domains, g->gtid.domain, g->server_id, g->gtid.number, err))
		return -1;
	if (at->tx[0] && strcmp(at->tx, g->tx) == 0)
		at->tx[0] = '\0';
	copy_text(at->file, e->file, sizeof(at->file));
	at->pos = e->end;
	memcpy(st->streamed_file, at->file, sizeof(st->streamed_file));
	st->streamed_pos = e->end;
	st->place_known = true;
	g->open = g->begun = false;
	tr_writer_reset(&st->query);
	atomic_store_explicit(&s->lag.newest_commit_us, time_of(g, e), memory_order_relaxed);
	return 0;
}

int tr_myc_group_pass(tr_myc *s, const tr_bl_event *e, tr_err *err)
{
	return close_group(s, e, err);
}

int tr_myc_group_commit(tr_myc *s, const tr_bl_event *e, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	tr_myc_group *g = &st->group;
	tr_listen answer = TR_LISTEN_OK;

	if (!g->open)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "a commit outside of a transaction");
	while (g->begun) {
		if (tr_myc_stream_admit(s, err))
			return -1;
		answer = st->listener->commit(st->listener, txn_id(g), time_of(g, e), err);
		if (answer == TR_LISTEN_FAILED)
			return -1;
		if (answer == TR_LISTEN_OK)
			break;
	}
	return close_group(s, e, err);
}

static int undone(const tr_myc_group *g, const char *by, tr_err *err)
{
	tr_err_set(err, TR_E_LOG_UNREADABLE, "transaction %s has rows in the log that %s took back", g->tx, by);
	return tr_err_hint(err, "The transaction mixes tables with and without transactions, so the server logged rows of both before "
				"it was rolled back. Compare the captured tables with their topics, then go on behind it: "
				"`tailrace offsets reset`, then run (a new snapshot).");
}

static int roll_back(tr_myc *s, const tr_bl_event *e, tr_err *err)
{
	tr_myc_group *g = &s->stream->group;

	if (!g->open)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "a rollback outside of a transaction");
	return g->index > 0 ? undone(g, "a ROLLBACK", err) : close_group(s, e, err);
}

/* --- savepoints -------------------------------------------------------------------------------- */

static uint32_t hash_of(const tr_myc_ddl *ddl)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < ddl->rest.len; i++)
		hash = (hash ^ ddl->rest.ptr[i]) * 16777619u;
	return hash;
}

static void set_savepoint(tr_myc_stream *st, const tr_myc_ddl *ddl)
{
	/* When there are too many the oldest known one stands for those in between: it is the more careful answer. */
	if (st->savepoint_count == TR_MYC_SAVEPOINTS_MAX)
		st->savepoint_count--;
	st->savepoints[st->savepoint_count++] = (tr_myc_savepoint){hash_of(ddl), st->group.index};
}

/* The server takes rows back by cutting its cache, and then nothing of them is in the log. Only when the transaction has
 * touched tables without transactions it logs rows and statement both. */
static int to_savepoint(tr_myc_stream *st, const tr_myc_ddl *ddl, tr_err *err)
{
	uint64_t index = 0;

	for (size_t i = 0; i < st->savepoint_count; i++)
		if (st->savepoints[i].hash == hash_of(ddl))
			index = st->savepoints[i].index;
	return st->group.index > index ? undone(&st->group, "a ROLLBACK TO SAVEPOINT", err) : 0;
}

/* --- tables and rows --------------------------------------------------------------------------- */

static int on_table_map(void *context, const tr_bl_event *e, tr_bl_table *table, tr_err *err)
{
	tr_myc *s = context;
	tr_myc_relation *rel;

	if (passed_over(s->stream, e)) {
		table->wanted = false;
		return 0;
	}
	return tr_myc_relation_map(&s->catalog, table, &rel, err);
}

static void on_forget(void *context, tr_bl_table *table)
{
	tr_myc *s = context;

	tr_myc_relation_forget(&s->catalog, table);
}

int tr_myc_group_row(tr_myc *s, const tr_bl_event *e, const tr_bl_row *m, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	tr_myc_relation *rel = tr_myc_relation_of(m->table);
	tr_myc_place place = {.file = e->file, .position = e->start};

	if (__builtin_expect(rel->stale, 0) &&
	    tr_myc_relation_compile(&s->catalog, rel, st->listener->catalogue, place, err))
		return -1;
	if (__builtin_expect(m->after_lacks && !rel->image_told, 0))
		tr_myc_image_tell(s, rel, m);
	tr_change change = {.op = m->op, .table = rel->table, .before = m->before, .after = m->after, .read_ns = st->read_ns};
	if (report_in_txn(s, e, &change, m->index, err))
		return -1;
	/* Commands by rows, and rows of a table that is read meanwhile, are looked at once they are reported. */
	if (__builtin_expect(tr_myc_incremental_concerns(s, rel), 0) && tr_myc_incremental_row(s, rel, &change, err))
		return -1;
	if (m->statement_end)
		tr_writer_reset(&st->query);
	return 0;
}

static int on_row(void *context, const tr_bl_event *e, const tr_bl_row *m, tr_err *err)
{
	tr_myc_stream *st = stream_of(context);

	if (passed_over(st, e))
		return 0;
	if (!st->group.open)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "a row outside of a transaction");
	tr_failpoint_at(TR_FP_READ);
	/* Rows of a transaction that is only prepared are read again when its outcome is known. */
	return st->group.xa ? 0 : tr_myc_group_row(context, e, m, err);
}

static int on_rows_query(void *context, const tr_bl_event *e, tr_slice text, tr_err *err)
{
	tr_myc *s = context;

	(void)e;
	if (!s->options->include_query)
		return 0;
	tr_writer_reset(&s->stream->query);
	tr_writer_slice(&s->stream->query, text);
	return tr_writer_ok(&s->stream->query) ? 0 : tr_err_set(err, TR_E_BATCH_LIMIT, "a statement's text has %zu bytes", text.len);
}

/* --- statements -------------------------------------------------------------------------------- */

static bool captured(const tr_myc *s, const tr_myc_ddl_name *name)
{
	return tr_filter_match(s->filter, name->database, name->name);
}

/* Which rows a statement changed is nowhere in the log. */
static int check_statement(tr_myc *s, const tr_bl_query *m, const tr_myc_ddl *ddl, tr_err *err)
{
	const tr_myc_ddl_name *named = NULL;

	for (size_t i = 0; i < ddl->count && !named; i++)
		if (captured(s, &ddl->names[i]))
			named = &ddl->names[i];
	if (!named && ddl->complete && ddl->count > 0)
		return 0;
	if (!named && tr_myc_is_system((const char *)(ddl->count > 0 ? ddl->names[0].database : ""), ""))
		return 0;
	if (named)
		tr_err_set(err, TR_E_LOG_UNREADABLE, "rows of table \"%s.%s\" were changed by %s that is logged as text", named->database,
			   named->name, m->load_data ? "LOAD DATA" : "a statement");
	else
		tr_err_set(err, TR_E_LOG_UNREADABLE, "rows were changed by a statement that is logged as text and may concern captured tables");
	return tr_err_hint(err, "A session had binlog_format other than ROW. Nothing was skipped. SET GLOBAL binlog_format = ROW and take "
				"the privilege to change it from the application; then start over with a new snapshot: `tailrace "
				"offsets reset`, then run.");
}

static int truncate_table(tr_myc *s, const tr_bl_event *e, const tr_myc_ddl_name *name, tr_err *err)
{
	tr_myc_relation *rel;

	if (tr_myc_relation_read(&s->catalog, name->database, name->name, s->stream->listener->catalogue, &rel, err))
		return -1;
	if (!rel || !rel->table) {
		tr_log(TR_LOG_WARN, s->name, "truncate.unknown",
		       "TRUNCATE of table \"%s.%s\" is not published: the table does not exist any more", name->database,
		       name->name);
		return 0;
	}
	tr_change change = {.op = TR_OP_TRUNCATE, .table = rel->table};
	/* As Debezium has it: a transaction on MariaDB, an event of its own on MySQL. */
	if (s->mariadb)
		return report_in_txn(s, e, &change, 0, err);
	return tr_myc_group_report_alone(s, e, &change, rel->name, err);
}

static int on_truncate(tr_myc *s, const tr_bl_event *e, const tr_myc_ddl *ddl, tr_err *err)
{
	for (size_t i = 0; i < ddl->count && !s->events->skip_truncate; i++)
		if (!ddl->temporary && captured(s, &ddl->names[i]) && truncate_table(s, e, &ddl->names[i], err))
			return -1;
	return 0;
}

/* The half of a two-phase ALTER that has no effect yet, or never gets one. */
static bool is_ineffective(const tr_myc_group *g)
{
	return g->gtid.alter == TR_BL_ALTER_START || g->gtid.alter == TR_BL_ALTER_ROLLBACK;
}

static int on_xa_statement(tr_myc *s, const tr_bl_event *e, const tr_myc_ddl *ddl, tr_err *err)
{
	tr_myc_group *g = &s->stream->group;
	char xid[TR_MYC_XID_TEXT];
	tr_slice rest;

	if (!tr_myc_xid_parse(xid, ddl->rest, &rest))
		return tr_err_set(err, TR_E_DECODE_VALUE, "the name of an XA transaction cannot be read");
	if (ddl->kind == TR_MYC_DDL_XA_COMMIT)
		return tr_myc_xa_commit(s, e, xid, err);
	if (ddl->kind == TR_MYC_DDL_XA_ROLLBACK)
		return tr_myc_xa_rollback(s, e, xid, err);
	g->xa = g->explicit_end = true;
	memcpy(g->xa_xid, xid, sizeof(xid));
	return 0;
}

typedef struct place_of {
	tr_myc *s;
	const tr_bl_event *e;
} place_of;

/* In a CREATE TABLE ... SELECT that is read again because its rows were not all durable, the record was before them. */
static int on_schema(void *context, const tr_schema_change *schema, const char *table, tr_err *err)
{
	const place_of *at = context;
	const tr_myc_stream *st = at->s->stream;
	tr_change change = {.op = TR_OP_SCHEMA, .schema = schema,
			    .replayed = st->at.tx[0] && strcmp(st->at.tx, st->group.tx) == 0};

	return tr_myc_group_report_alone(at->s, at->e, &change, table, err);
}

/* A statement that is no part of a transaction's frame. */
static int on_other(tr_myc *s, const tr_bl_event *e, const tr_bl_query *m, const tr_myc_ddl *ddl, tr_err *err)
{
	tr_myc_group *g = &s->stream->group;

	tr_myc_incremental_ddl(s, ddl);
	if (ddl->kind == TR_MYC_DDL_DML && check_statement(s, m, ddl, err))
		return -1;
	if (ddl->kind == TR_MYC_DDL_TRUNCATE_TABLE && on_truncate(s, e, ddl, err))
		return -1;
	if (!is_ineffective(g) && tr_myc_ddl_changes_shape(ddl->kind)) {
		if (tr_myc_schema_ddl(s, ddl, e->time_s, on_schema, &(place_of){s, e}, err))
			return -1;
		/* Not before all of its records were reported: from here on none of them is reported again. */
		g->ddl_told = true;
	}
	if (g->explicit_end)
		return 0;
	return g->begun ? tr_myc_group_commit(s, e, err) : close_group(s, e, err);
}

static int dispatch(tr_myc *s, const tr_bl_event *e, const tr_bl_query *m, const tr_myc_ddl *ddl, tr_err *err)
{
	tr_myc_stream *st = s->stream;

	switch (ddl->kind) {
	case TR_MYC_DDL_BEGIN:
		st->group.explicit_end = true;
		return 0;
	case TR_MYC_DDL_COMMIT:
		return tr_myc_group_commit(s, e, err);
	case TR_MYC_DDL_ROLLBACK:
		return roll_back(s, e, err);
	case TR_MYC_DDL_SAVEPOINT:
		set_savepoint(st, ddl);
		return 0;
	case TR_MYC_DDL_ROLLBACK_TO:
		return to_savepoint(st, ddl, err);
	case TR_MYC_DDL_RELEASE:
	case TR_MYC_DDL_XA_END:
	case TR_MYC_DDL_XA_PREPARE:
		return 0;
	case TR_MYC_DDL_XA_START:
	case TR_MYC_DDL_XA_COMMIT:
	case TR_MYC_DDL_XA_ROLLBACK:
		return on_xa_statement(s, e, ddl, err);
	default:
		return on_other(s, e, m, ddl, err);
	}
}

static int scan(tr_myc *s, const tr_bl_event *e, const tr_bl_query *m, tr_err *err)
{
	tr_arena *a = &s->stream->scratch;
	const char *database;
	tr_myc_ddl ddl;
	tr_slice text;

	tr_arena_reset(a);
	database = tr_arena_strndup(a, m->database.ptr ? (const char *)m->database.ptr : "", m->database.len);
	if (!database)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	if (tr_myc_ddl_text(m, a, &text, err) || tr_myc_ddl_scan(text, database, m->sql_mode, a, &ddl, err))
		return -1;
	return dispatch(s, e, m, &ddl, err);
}

static bool is_text(tr_slice text, const char *wanted, size_t len)
{
	return text.len == len && memcmp(text.ptr, wanted, len) == 0;
}

static int on_query(void *context, const tr_bl_event *e, const tr_bl_query *m, tr_err *err)
{
	tr_myc *s = context;
	tr_myc_stream *st = s->stream;

	if (passed_over(st, e))
		return 0;
	/* Servers before 5.7 open groups by no event of their own. */
	if (!st->group.open) {
		open_group(st, e);
		name_by_place(&st->group);
	}
	if (is_text(m->text, "BEGIN", 5)) {
		st->group.explicit_end = true;
		st->group.thread_id = m->thread_id;
		return 0;
	}
	return is_text(m->text, "COMMIT", 6) ? tr_myc_group_commit(s, e, err) : scan(s, e, m, err);
}

static int on_xid(void *context, const tr_bl_event *e, uint64_t xid, tr_err *err)
{
	(void)xid;
	return passed_over(stream_of(context), e) ? 0 : tr_myc_group_commit(context, e, err);
}

static int on_xa_prepare(void *context, const tr_bl_event *e, const tr_bl_xid *m, bool one_phase, tr_err *err)
{
	tr_myc *s = context;
	tr_myc_group *g = &s->stream->group;
	char xid[TR_MYC_XID_TEXT];

	if (passed_over(s->stream, e))
		return 0;
	tr_myc_xid_text(xid, m);
	if (!g->open || !g->xa || strcmp(g->xa_xid, xid) != 0)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "XA PREPARE of a transaction that was not begun");
	if (tr_myc_xa_prepared(s, e, err))
		return -1;
	return one_phase ? tr_myc_xa_commit(s, e, xid, err) : close_group(s, e, err);
}

/* --- the log itself ---------------------------------------------------------------------------- */

static void move_to(tr_myc_stream *st, tr_slice file, uint64_t position)
{
	if (st->group.open || file.len >= sizeof(st->at.file) || file.len == 0)
		return;
	memcpy(st->at.file, file.ptr, file.len);
	st->at.file[file.len] = '\0';
	st->at.pos = position;
	st->place_known = true;
}

/* A file begins; also how the server names the one it sends from. Nothing of a group is open then. */
static int on_rotate(void *context, const tr_bl_event *e, const tr_bl_rotate *m, tr_err *err)
{
	tr_myc_stream *st = stream_of(context);

	(void)err;
	if (st->skip_to && !e->artificial)
		st->skip_to = 0;
	if (!st->skip_to)
		move_to(st, m->file, m->position);
	return 0;
}

/* Between groups the server's sign of life says how far it has read: everything before was sent. */
static int on_heartbeat(void *context, const tr_bl_event *e, const tr_bl_heartbeat *m, tr_err *err)
{
	tr_myc_stream *st = stream_of(context);

	(void)e;
	(void)err;
	if (!st->skip_to)
		move_to(st, m->file, m->position);
	return 0;
}

/* A file that the server began at its own start: what the one before left open was never committed. */
static int on_format(void *context, const tr_bl_event *e, const tr_bl_format *m, tr_err *err)
{
	tr_myc_stream *st = stream_of(context);

	if (e->artificial || m->created_s == 0 || !st->group.open)
		return 0;
	if (st->group.index > 0)
		return undone(&st->group, "the server's crash", err);
	st->group.open = false;
	return 0;
}

/* What lies before a file that we come to must be what we have: a heal or a purge in between may not skip anything. */
static int on_previous_gtids(void *context, const tr_bl_event *e, tr_slice encoded, tr_err *err)
{
	tr_myc_stream *st = stream_of(context);
	tr_bl_gtid_set missing = {0};
	tr_writer w;
	int result = -1;

	if (st->at.kind != TR_MYC_BY_GTID || e->inside)
		return 0;
	tr_writer_init(&w, (size_t)1 << 20);
	if (tr_bl_gtid_set_decode(&missing, encoded, err) || tr_bl_gtid_set_subtract(&missing, &st->at.gtids, err))
		goto out;
	if (tr_bl_gtid_set_empty(&missing)) {
		result = 0;
		goto out;
	}
	tr_bl_gtid_set_print(&missing, &w);
	tr_writer_u8(&w, '\0');
	tr_err_set(err, TR_E_POSITION_LOST, "the server's log goes on behind transactions that were not sent");
	tr_err_detail(err, "not sent: %s", tr_writer_ok(&w) ? (const char *)w.data : "(too long to show)");
	tr_err_hint(err, "%s", tr_myc_start_over);
out:
	tr_writer_release(&w);
	tr_bl_gtid_set_release(&missing);
	return result;
}

static int on_incident(void *context, const tr_bl_event *e, const tr_bl_incident *m, tr_err *err)
{
	(void)context;
	tr_err_set(err, TR_E_LOG_UNREADABLE, "the server reports that its log has a hole here (incident %u)", m->number);
	tr_err_detail(err, "at %s:%llu", e->file, (unsigned long long)e->start);
	return tr_err_hint(err, "Changes of that moment are in no log. Start over with a new snapshot: `tailrace offsets reset`, then run.");
}

static int on_end(void *context, const tr_bl_event *e, tr_err *err)
{
	tr_myc_stream *st = stream_of(context);

	if (st->skip_to && !e->artificial && e->end >= st->skip_to)
		st->skip_to = 0;
	if (st->group.open || st->skip_to)
		return 0;
	if (!e->artificial && e->type != TR_BL_ROTATE_EVENT && (st->at.pos != e->end || strcmp(st->at.file, e->file) != 0))
		move_to(st, tr_slice_str(e->file), e->end);
	return tr_myc_incremental_between(context, err);
}

const tr_bl_handler tr_myc_group_handler = {
    .rotate = on_rotate,
    .format = on_format,
    .previous_gtids = on_previous_gtids,
    .gtid = on_gtid,
    .query = on_query,
    .rows_query = on_rows_query,
    .table_map = on_table_map,
    .forget = on_forget,
    .row = on_row,
    .xid = on_xid,
    .xa_prepare = on_xa_prepare,
    .heartbeat = on_heartbeat,
    .incident = on_incident,
    .end = on_end,
};
