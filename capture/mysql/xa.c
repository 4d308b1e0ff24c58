/*
 * XA transactions. The server logs one as two groups: its rows when it is prepared, its outcome later, in another group, often
 * in another file, with anything in between. When a group is prepared, the position remembers where it lies, and that
 * becomes durable with it; at XA COMMIT it is read again on a connection of its own and reported as the transaction of the
 * XA COMMIT; at XA ROLLBACK it is forgotten. Its memory is its name, however large it is.
 *
 * What proves that nothing is lost: the position that holds the prepared group's GTID holds its entry in `xa`, too, from
 * the same call on; and the entry goes in the same call in which the outcome's GTID comes.
 */
#include <stdio.h>
#include <string.h>

#include "capture/mysql/incremental.h"

/* --- remembering ------------------------------------------------------------------------------- */

int tr_myc_xa_prepared(tr_myc *s, const tr_bl_event *e, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	tr_myc_group *g = &st->group;
	tr_myc_xa xa = {.pos = g->pos};
	tr_writer after;
	int result;

	(void)e;
	tr_writer_init(&after, (size_t)4 << 20);
	memcpy(xa.xid, g->xa_xid, sizeof(xa.xid));
	memcpy(xa.gtid, g->gtid_text, sizeof(xa.gtid));
	memcpy(xa.file, g->file, sizeof(xa.file));
	if (st->at.kind == TR_MYC_BY_DOMAIN) {
		tr_bl_domain_set_print(&st->at.domains, &after);
		tr_writer_u8(&after, '\0');
		xa.after = (char *)after.data;
	}
	result = tr_writer_ok(&after) ? tr_myc_xa_add(&st->at, &xa, err) : tr_err_set(err, TR_E_MEMORY, "out of memory");
	tr_writer_release(&after);
	return result;
}

static int unknown(const char *xid, tr_err *err)
{
	tr_err_set(err, TR_E_LOG_UNREADABLE, "XA transaction %s was prepared before the stored position and is committed now", xid);
	return tr_err_hint(err, "Its rows lie in the part of the log before this pipeline's start. Nothing was skipped. Start over with a "
				"new snapshot while no XA transaction is prepared (XA RECOVER): `tailrace offsets reset`, then run.");
}

/* --- reading again ----------------------------------------------------------------------------- */

typedef struct replay {
	tr_myc *s;
	const tr_myc_xa *xa;
	bool inside, done;
} replay;

/* Which group this is: by GTID, or, without, the first one at its place. */
static int replay_gtid(void *context, const tr_bl_event *e, const tr_bl_gtid *m, tr_err *err)
{
	replay *r = context;
	char gtid[TR_BL_GTID_TEXT] = "";

	(void)err;
	if (m->kind == TR_BL_GTID)
		tr_bl_gtid_text(gtid, m->uuid, m->tag, m->number);
	else if (m->kind == TR_BL_GTID_MARIADB)
		tr_bl_domain_text(gtid, m->domain, e->server_id, m->number);
	r->inside = r->xa->gtid[0] ? strcmp(gtid, r->xa->gtid) == 0 : e->start == r->xa->pos && strcmp(e->file, r->xa->file) == 0;
	return 0;
}

static int replay_table_map(void *context, const tr_bl_event *e, tr_bl_table *table, tr_err *err)
{
	replay *r = context;
	tr_myc_relation *rel;

	(void)e;
	if (!r->inside) {
		table->wanted = false;
		return 0;
	}
	return tr_myc_relation_map(&r->s->catalog, table, &rel, err);
}

static void replay_forget(void *context, tr_bl_table *table)
{
	tr_myc_relation_forget(&((replay *)context)->s->catalog, table);
}

static int replay_row(void *context, const tr_bl_event *e, const tr_bl_row *m, tr_err *err)
{
	replay *r = context;

	return r->inside ? tr_myc_group_row(r->s, e, m, err) : 0;
}

static int replay_rows_query(void *context, const tr_bl_event *e, tr_slice text, tr_err *err)
{
	replay *r = context;

	return r->inside ? tr_myc_group_handler.rows_query(r->s, e, text, err) : 0;
}

/* Savepoints within it. */
static int replay_query(void *context, const tr_bl_event *e, const tr_bl_query *m, tr_err *err)
{
	replay *r = context;

	return r->inside ? tr_myc_group_handler.query(r->s, e, m, err) : 0;
}

static int replay_prepare(void *context, const tr_bl_event *e, const tr_bl_xid *m, bool one_phase, tr_err *err)
{
	replay *r = context;

	(void)e;
	(void)m;
	(void)one_phase;
	(void)err;
	r->done = r->done || r->inside;
	r->inside = false;
	return 0;
}

static const tr_bl_handler replay_handler = {
    .gtid = replay_gtid,
    .query = replay_query,
    .rows_query = replay_rows_query,
    .table_map = replay_table_map,
    .forget = replay_forget,
    .row = replay_row,
    .xa_prepare = replay_prepare,
};

static int gone(const tr_myc_xa *xa, tr_err *err)
{
	tr_err_set(err, TR_E_LOG_UNREADABLE, "the rows of XA transaction %s are no longer in the server's log", xa->xid);
	tr_err_detail(err, "prepared as %s at %s:%llu", xa->gtid[0] ? xa->gtid : "-", xa->file, (unsigned long long)xa->pos);
	return tr_err_hint(err, "It was prepared so long ago that its log was purged before its XA COMMIT came. Nothing was skipped. Point "
				"source.url to a server that still has it, or start over with a new snapshot: `tailrace offsets "
				"reset`, then run.");
}

/* Everything that is not wanted counts as known: then the server sends the one group. */
static int all_but(tr_myc *s, const tr_myc_xa *xa, tr_bl_gtid_set *known, tr_err *err)
{
	tr_bl_gtid_set one = {0};
	int result = -1;

	if (tr_myc_open_sql(s, err) || tr_myc_server_place(s, err))
		return -1;
	if (tr_bl_gtid_set_copy(known, &s->server.executed, err) == 0 &&
	    tr_bl_gtid_set_unite(known, &s->stream->at.gtids, err) == 0 &&
	    tr_bl_gtid_set_parse(&one, tr_slice_str(xa->gtid), err) == 0 && tr_bl_gtid_set_subtract(known, &one, err) == 0)
		result = 0;
	tr_bl_gtid_set_release(&one);
	return result;
}

static int open_again(tr_myc *s, const tr_myc_xa *xa, tr_myc_dump **out, tr_err *err)
{
	tr_bl_gtid_set known = {0};
	tr_bl_domain_set after = {0};
	tr_myc_dump_from from = {.kind = s->stream->at.kind, .gtids = &known, .domains = &after, .file = xa->file, .pos = xa->pos,
				 .to_end = true};
	int result = 0;

	if (from.kind == TR_MYC_BY_GTID)
		result = all_but(s, xa, &known, err);
	else if (from.kind == TR_MYC_BY_DOMAIN)
		result = tr_bl_domain_set_parse(&after, tr_slice_str(xa->after ? xa->after : ""), err);
	if (result == 0 && from.kind == TR_MYC_BY_FILE && from.pos > UINT32_MAX)
		from.pos = 4; /* a place beyond 4 GiB cannot be asked for */
	if (result == 0)
		result = tr_myc_dump_open(s, &from, out, err);
	tr_bl_gtid_set_release(&known);
	tr_bl_domain_set_release(&after);
	return result;
}

static int read_again(replay *r, tr_bl_decoder *decoder, tr_myc_dump *dump, tr_err *err)
{
	while (!r->done) {
		tr_slice event;
		int got = tr_myc_dump_next(dump, r->s->options->receive_timeout_ms, &event, err);

		if (got < 0)
			return err->code == TR_E_POSITION_LOST ? gone(r->xa, err) : -1;
		if (got == 0)
			return tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "the source has sent nothing for %d ms",
					  r->s->options->receive_timeout_ms);
		if (got == 2)
			return gone(r->xa, err);
		if (tr_bl_decode(decoder, event, err))
			return -1;
	}
	return 0;
}

static int report_again(tr_myc *s, const tr_myc_xa *xa, tr_err *err)
{
	tr_bl_limits limits = {.event_max_bytes = s->options->event_max_bytes};
	replay r = {.s = s, .xa = xa};
	tr_bl_decoder *decoder = tr_bl_decoder_new(&limits, &replay_handler, &r);
	tr_myc_dump *dump = NULL;
	int result = -1;

	if (!decoder) {
		tr_err_set(err, TR_E_MEMORY, "out of memory");
		goto out;
	}
	if (open_again(s, xa, &dump, err)) {
		if (err->code == TR_E_POSITION_LOST)
			gone(xa, err);
		goto out;
	}
	result = read_again(&r, decoder, dump, err);
out:
	tr_myc_dump_close(dump);
	tr_bl_decoder_free(decoder);
	return result;
}

/* --- outcomes ---------------------------------------------------------------------------------- */

int tr_myc_xa_commit(tr_myc *s, const tr_bl_event *e, const char *xid, tr_err *err)
{
	tr_myc_stream *st = s->stream;
	const tr_myc_xa *xa = tr_myc_xa_find(&st->at, xid);

	if (!xa)
		return unknown(xid, err);
	if (report_again(s, xa, err))
		return -1;
	if (tr_myc_group_commit(s, e, err))
		return -1;
	tr_myc_xa_remove(&st->at, xid);
	tr_myc_xa_ended_add(&s->incremental->ended, xid);
	return 0;
}

/* Of a transaction prepared before our start it needs no rows. */
int tr_myc_xa_rollback(tr_myc *s, const tr_bl_event *e, const char *xid, tr_err *err)
{
	if (tr_myc_group_pass(s, e, err))
		return -1;
	tr_myc_xa_remove(&s->stream->at, xid);
	return 0;
}

int tr_myc_xa_none_pending(tr_myc *s, tr_err *err)
{
	MYSQL_RES *r;
	MYSQL_ROW row;
	char named[160] = "";

	if (tr_myc_query(s->sql, &s->wake, "list the prepared XA transactions", "XA RECOVER", &r, err)) {
		/* Without XA_RECOVER_ADMIN (MySQL 8.0 on) nobody can tell; one that is committed later stops the stream. */
		if (err->code != TR_E_SOURCE_PRIVILEGE && mysql_errno(s->sql) != 1401)
			return -1;
		tr_err_clear(err);
		return 0;
	}
	row = mysql_fetch_row(r);
	if (row && mysql_num_fields(r) > 3 && row[3])
		snprintf(named, sizeof(named), "%.150s", row[3]);
	mysql_free_result(r);
	if (!row)
		return 0;
	tr_err_set(err, TR_E_SOURCE_SETTING, "XA transaction \"%s\" is prepared, and its rows lie before the start", named);
	return tr_err_hint(err, "Nothing was read. Let its owner commit it or roll it back (XA RECOVER lists all), then run again.");
}
