/* pgoutput's messages become events: filter, lazily opened transactions, resume inside a transaction, source block. */
#include <stdio.h>
#include <string.h>

#include "capture/postgres/incremental.h"
#include "core/clock.h"
#include "core/digits.h"
#include "core/failpoint.h"
#include "core/log.h"
#include "core/obj.h"
#include "core/reader.h"

#define PG_EPOCH_US INT64_C(946684800000000) /* 2000-01-01 in microseconds since 1970 */

/* --- small texts, built without printf: once per LSN ------------------------------------------- */

static uint32_t put_decimal(char *out, uint64_t value)
{
	uint8_t *at = (uint8_t *)out;

	return (uint32_t)(tr_put_decimal(at, value) - at);
}

/* `["<last commit>",` or `[null,`: constant for a transaction. */
static void sequence_prefix(tr_pgc_stream *st)
{
	char *out = st->sequence_text;
	uint32_t n = 0;

	out[n++] = '[';
	if (st->last_commit) {
		out[n++] = '"';
		n += put_decimal(out + n, st->last_commit);
		out[n++] = '"';
	} else {
		memcpy(out + n, "null", 4);
		n += 4;
	}
	out[n++] = ',';
	out[n++] = '"';
	st->sequence_prefix = n;
	st->text_lsn = 0;
}

static void txn_prefix(tr_pgc_stream *st)
{
	uint32_t n = put_decimal(st->txn_text, st->xid);

	st->txn_text[n++] = ':';
	st->txn_prefix = n;
	st->text_lsn = 0;
}

static void texts_for(tr_pgc_stream *st, uint64_t lsn)
{
	char digits[20];
	uint32_t n;

	if (st->text_lsn == lsn)
		return;
	n = put_decimal(digits, lsn);
	memcpy(st->txn_text + st->txn_prefix, digits, n);
	st->txn_len = st->txn_prefix + n;
	memcpy(st->sequence_text + st->sequence_prefix, digits, n);
	memcpy(st->sequence_text + st->sequence_prefix + n, "\"]", 2);
	st->sequence_len = st->sequence_prefix + n + 2;
	st->text_lsn = lsn;
}

static tr_slice txn_id(tr_pgc_stream *st, uint64_t lsn)
{
	texts_for(st, lsn);
	return tr_slice_of(st->txn_text, st->txn_len);
}

/* --- reporting --------------------------------------------------------------------------------- */

static int stopped(tr_err *err)
{
	return tr_err_set(err, TR_E_INTERRUPTED, "the receiver of the events gave up");
}

/* Waits until the listener has room for one event; the server is kept informed meanwhile. */
static int admit(tr_pgc *s, tr_err *err)
{
	for (;;) {
		tr_listen answer = s->stream->listener->ready(s->stream->listener);

		if (answer == TR_LISTEN_OK)
			return 0;
		if (answer == TR_LISTEN_FAILED)
			return stopped(err);
		if (tr_pgc_feedback_pump(s, 2, err))
			return -1;
	}
}

static int begin_if_needed(tr_pgc *s, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	tr_listen answer;

	if (st->begun)
		return 0;
	do {
		if (admit(s, err))
			return -1;
		answer = st->listener->begin(st->listener, tr_slice_of(st->txn_text, st->txn_len), st->commit_us, err);
	} while (answer == TR_LISTEN_BUSY);
	if (answer == TR_LISTEN_FAILED)
		return -1;
	st->begun = true;
	return 0;
}

static int report(tr_pgc *s, tr_change *change, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	tr_listen answer;

	do {
		if (admit(s, err))
			return -1;
		answer = st->listener->change(st->listener, change, err);
	} while (answer == TR_LISTEN_BUSY);
	return answer == TR_LISTEN_OK ? 0 : -1;
}

int tr_pgc_wire_report(tr_pgc *s, tr_change *change, tr_err *err)
{
	return report(s, change, err);
}

/* Counts an event of the open transaction as done; every one, published or not, so that an index stays true when
 * filters change between two runs. */
static void count_event(tr_pgc_stream *st)
{
	st->index++;
	if (st->resume.tx == st->final_lsn && st->index >= st->resume.index)
		st->resume.tx = 0;
}

static bool is_replayed(const tr_pgc_stream *st)
{
	return st->resume.tx != 0 && st->resume.tx == st->final_lsn && st->index < st->resume.index;
}

static void fill_source(tr_pgc_stream *st, const tr_pgc_table_info *info, uint64_t lsn, bool transactional)
{
	tr_value *f = st->block.fields;

	texts_for(st, lsn);
	f[TR_SRC_SEQUENCE] = tr_value_bytes(st->sequence_text, st->sequence_len);
	f[TR_SRC_OWN] = info ? info->schema : tr_value_bytes("", 0);
	f[TR_SRC_OWN + 1] = info ? info->table : tr_value_bytes("", 0);
	f[TR_SRC_OWN + 2] = transactional ? tr_value_int(st->xid) : tr_value_null();
	f[TR_SRC_OWN + 3] = tr_value_int((int64_t)lsn);
	f[TR_SRC_OWN + 4] = tr_value_null(); /* xmin */
	f[TR_SRC_OWN + 5] =
	    transactional && st->origin_len ? tr_value_bytes(st->origin, st->origin_len) : tr_value_null();
	f[TR_SRC_OWN + 6] = transactional && st->origin_len ? tr_value_int((int64_t)st->origin_lsn) : tr_value_null();
}

/* An event of the open transaction. */
static int report_in_txn(tr_pgc *s, tr_change *change, tr_err *err)
{
	tr_pgc_stream *st = s->stream;

	if (begin_if_needed(s, err))
		return -1;
	fill_source(st, change->table ? change->table->source_data : NULL, st->header_lsn, true);
	change->source = &st->block;
	change->commit_us = st->commit_us;
	change->read_ns = st->read_ns;
	change->txn_id = tr_slice_of(st->txn_text, st->txn_len);
	change->replayed = is_replayed(st);
	if (report(s, change, err))
		return -1;
	count_event(st);
	return 0;
}

/* --- transactions ------------------------------------------------------------------------------ */

static int on_begin(void *context, const tr_pg_begin *m, tr_err *err)
{
	tr_pgc_stream *st = ((tr_pgc *)context)->stream;

	if (st->in_txn)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "BEGIN inside of a transaction");
	if (st->resume.tx != 0 && m->final_lsn > st->resume.tx) {
		/* The transaction we stopped in has no published rows any more: the publication was changed. */
		st->at_lsn = st->resume.tx > st->at_lsn ? st->resume.tx : st->at_lsn;
		st->resume.tx = 0;
	}
	st->in_txn = true;
	st->begun = false;
	st->skipping = m->final_lsn < st->start_lsn;
	st->final_lsn = m->final_lsn;
	st->index = 0;
	st->commit_us = m->commit_us;
	st->xid = m->xid;
	st->origin_len = 0;
	sequence_prefix(st);
	txn_prefix(st);
	texts_for(st, st->header_lsn); /* the id that BEGIN metadata carries */
	return 0;
}

static int report_commit(tr_pgc *s, const tr_pg_commit *m, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	tr_listen answer;

	do {
		if (admit(s, err))
			return -1;
		answer = st->listener->commit(st->listener, txn_id(st, m->end_lsn), st->commit_us, err);
	} while (answer == TR_LISTEN_BUSY);
	return answer == TR_LISTEN_OK ? 0 : -1;
}

static int on_commit(void *context, const tr_pg_commit *m, tr_err *err)
{
	tr_pgc *s = context;
	tr_pgc_stream *st = s->stream;

	if (!st->in_txn)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "COMMIT outside of a transaction");
	if (st->begun && report_commit(s, m, err))
		return -1;
	st->in_txn = st->begun = false;
	if (st->resume.tx == st->final_lsn)
		st->resume.tx = 0;
	if (!st->skipping)
		st->last_commit = m->end_lsn;
	if (m->end_lsn > st->at_lsn)
		st->at_lsn = m->end_lsn;
	atomic_store_explicit(&s->lag.newest_commit_us, st->commit_us, memory_order_relaxed);
	return tr_pgc_incremental_commit(s, err);
}

static int on_origin(void *context, const tr_pg_origin *m, tr_err *err)
{
	tr_pgc_stream *st = ((tr_pgc *)context)->stream;

	if (m->name.len > sizeof(st->origin))
		return tr_err_set(err, TR_E_DECODE_VALUE, "a replication origin's name has %zu bytes", m->name.len);
	memcpy(st->origin, m->name.ptr, m->name.len);
	st->origin_len = (uint32_t)m->name.len;
	st->origin_lsn = m->lsn;
	return 0;
}

/* --- relations --------------------------------------------------------------------------------- */

static int on_relation(void *context, const tr_pg_relation *m, tr_err *err)
{
	tr_pgc_incremental_relation(context, m);
	return tr_pgc_relation_message(&((tr_pgc *)context)->catalog, m, err);
}

static int on_type_name(void *context, const tr_pg_typename *m, tr_err *err)
{
	(void)m;
	(void)err;
	tr_pgc_types_forget(&((tr_pgc *)context)->catalog);
	return 0;
}

/* The relation of an event; *out stays NULL when the event is not for us (counted, or before our start). */
static int route(tr_pgc *s, uint32_t oid, const tr_table **out, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	tr_pgc_relation *rel;

	*out = NULL;
	if (!st->in_txn)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "a change outside of a transaction");
	if (st->skipping)
		return 0;
	rel = tr_pgc_relation_find(&s->catalog, oid);
	if (!rel || !rel->schema)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "a change of relation %u, which no message described",
				  oid);
	if (!rel->captured) {
		count_event(st);
		return 0;
	}
	if (__builtin_expect(rel->stale, 0) &&
	    (tr_pgc_binary_fits(s, rel, err) || tr_pgc_relation_compile(&s->catalog, rel, st->listener->catalogue, err)))
		return -1;
	*out = rel->table;
	return 0;
}

/* --- rows -------------------------------------------------------------------------------------- */

static int wrong_count(const tr_table *table, size_t count, tr_err *err)
{
	return tr_err_set(err, TR_E_DECODE_PROTOCOL, "a row of table \"%s\" has %zu columns, its description %zu",
			  table->collection, count, table->column_count);
}

/* A key tuple has nulls in the place of all that is not part of the identity: not sent is not null. */
static const tr_datum *old_of(tr_pgc_stream *st, const tr_table *table, const tr_pg_row *m)
{
	if (m->old_kind != 'K')
		return m->old_row;
	for (size_t i = 0; i < table->column_count; i++) {
		st->old_row[i] = m->old_row[i];
		if (!table->columns[i].identity)
			st->old_row[i] = (tr_datum){.form = TR_D_ABSENT};
	}
	return st->old_row;
}

/* With the whole old row at hand an unchanged TOAST value is known. */
static const tr_datum *new_of(tr_pgc_stream *st, const tr_table *table, const tr_pg_row *m)
{
	bool copied = false;

	if (m->old_kind != 'O' || !m->new_row)
		return m->new_row;
	for (size_t i = 0; i < table->column_count; i++) {
		if (m->new_row[i].form != TR_D_UNCHANGED || m->old_row[i].form == TR_D_UNCHANGED)
			continue;
		if (!copied)
			memcpy(st->new_row, m->new_row, table->column_count * sizeof(*st->new_row));
		copied = true;
		st->new_row[i] = m->old_row[i];
	}
	return copied ? st->new_row : m->new_row;
}

/* The catalogue may be newer than the row and call a column NOT NULL that has NULL here: once more, without that. */
static int report_optional(tr_pgc *s, uint32_t oid, tr_change *change, tr_err *err)
{
	tr_pgc_relation *rel = tr_pgc_relation_find(&s->catalog, oid);
	const char *column = tr_pgc_relation_note_nulls(rel, change->before, change->after);

	if (!column)
		return -1;
	tr_log(TR_LOG_WARN, s->name, "column.nullable",
	       "column \"%s\" of table \"%s.%s\" is NULL in a row written before it became NOT NULL; it is published as "
	       "optional until the stream reaches that change",
	       column, rel->schema, rel->name);
	tr_err_clear(err);
	if (tr_pgc_relation_compile(&s->catalog, rel, s->stream->listener->catalogue, err))
		return -1;
	change->table = rel->table;
	return report_in_txn(s, change, err);
}

/* Commands by rows, and rows of a table that is read meanwhile, are looked at once they are reported. */
static int watch(tr_pgc *s, const tr_change *change, tr_err *err)
{
	return __builtin_expect(tr_pgc_incremental_concerns(s, change->table), 0)
		   ? tr_pgc_incremental_change(s, change, err)
		   : 0;
}

static int on_row(tr_pgc *s, tr_op op, const tr_pg_row *m, tr_err *err)
{
	const tr_table *table;

	if (route(s, m->relation, &table, err))
		return -1;
	if (!table)
		return 0;
	if (m->old_row && m->old_count != table->column_count)
		return wrong_count(table, m->old_count, err);
	if (m->new_row && m->new_count != table->column_count)
		return wrong_count(table, m->new_count, err);
	tr_change change = {
	    .op = op, .table = table, .before = old_of(s->stream, table, m), .after = new_of(s->stream, table, m)};
	if (__builtin_expect(report_in_txn(s, &change, err) != 0, 0) &&
	    (err->code != TR_E_ENCODE_VALUE || report_optional(s, m->relation, &change, err)))
		return -1;
	return watch(s, &change, err);
}

static int on_insert(void *context, const tr_pg_row *m, tr_err *err)
{
	return on_row(context, TR_OP_CREATE, m, err);
}

static int on_update(void *context, const tr_pg_row *m, tr_err *err)
{
	return on_row(context, TR_OP_UPDATE, m, err);
}

static int on_delete(void *context, const tr_pg_row *m, tr_err *err)
{
	return on_row(context, TR_OP_DELETE, m, err);
}

static int on_truncate(void *context, const tr_pg_truncate *m, tr_err *err)
{
	tr_pgc *s = context;

	for (size_t i = 0; i < m->count; i++) {
		const tr_table *table;

		if (route(s, m->relations[i], &table, err))
			return -1;
		tr_change change = {.op = TR_OP_TRUNCATE, .table = table};
		if (table && (report_in_txn(s, &change, err) || watch(s, &change, err)))
			return -1;
	}
	return 0;
}

/* Written outside of any transaction (or in one, but not part of it): the server sends it between transactions. */
static int on_plain_message(tr_pgc *s, tr_change *change, uint64_t lsn, tr_err *err)
{
	tr_pgc_stream *st = s->stream;

	if (lsn <= st->start_lsn)
		return 0;
	st->last_commit = lsn; /* no COMMIT follows it: it is its own, also in source.sequence */
	sequence_prefix(st);
	fill_source(st, NULL, st->header_lsn, false);
	change->source = &st->block;
	change->commit_us = st->header_us;
	if (report(s, change, err))
		return -1;
	if (!st->in_txn && st->resume.tx == 0 && lsn > st->at_lsn)
		st->at_lsn = lsn;
	return 0;
}

static int on_logical(void *context, const tr_pg_logical *m, tr_err *err)
{
	tr_pgc *s = context;
	tr_change change = {.op = TR_OP_MESSAGE, .message_prefix = m->prefix, .message_content = m->content};

	if (!m->transactional)
		return on_plain_message(s, &change, m->lsn, err);
	if (!s->stream->in_txn)
		return tr_err_set(err, TR_E_DECODE_PROTOCOL, "a transactional message outside of a transaction");
	return s->stream->skipping ? 0 : report_in_txn(s, &change, err);
}

static const tr_pg_handler handler = {
    .begin = on_begin,
    .commit = on_commit,
    .origin = on_origin,
    .relation = on_relation,
    .type_name = on_type_name,
    .insert = on_insert,
    .update = on_update,
    .delete_row = on_delete,
    .truncate = on_truncate,
    .logical = on_logical,
};

/* --- CopyData ---------------------------------------------------------------------------------- */

static void heard(tr_pgc *s, uint64_t log_end)
{
	tr_pgc_stream *st = s->stream;

	if (log_end <= st->received)
		return;
	st->received = log_end;
	st->has_news = true;
}

/*
 * The server tells how far it has decoded. Between transactions that means: everything that committed before was sent.
 * So the idle advance: when nothing is pending the reported position is the end of the log received, and once that
 * position is durable the slot follows it. Inside a transaction a keepalive says nothing about it.
 */
static int on_keepalive(tr_pgc *s, tr_reader *r, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	uint64_t log_end = tr_reader_be64(r);

	(void)tr_reader_be64(r);
	st->answer_now = tr_reader_u8(r) != 0 || st->answer_now;
	if (r->failed)
		return tr_reader_error(r, "a keepalive", err);
	heard(s, log_end);
	if (st->in_txn)
		return 0;
	if (st->resume.tx != 0 && log_end > st->resume.tx)
		st->resume.tx = 0;
	if (st->resume.tx == 0 && log_end > st->at_lsn)
		st->at_lsn = log_end;
	return 0;
}

static int on_data(tr_pgc *s, tr_reader *r, tr_err *err)
{
	tr_pgc_stream *st = s->stream;
	char lsn[TR_PGC_LSN_TEXT];

	st->header_lsn = tr_reader_be64(r);
	heard(s, tr_reader_be64(r));
	st->header_us = (int64_t)tr_reader_be64(r) + PG_EPOCH_US;
	if (r->failed)
		return tr_reader_error(r, "the head of a message", err);
	tr_failpoint_at(TR_FP_READ);
	if (tr_pg_decode(st->decoder, tr_slice_of(r->at, tr_reader_left(r)), &handler, s, err) == 0)
		return 0;
	if (err->code >= TR_E_DECODE_SHORT && err->code <= TR_E_DECODE_PROTOCOL) {
		tr_pgc_lsn_format(lsn, st->header_lsn);
		tr_err_prefix(err, "at log position %s", lsn);
	}
	return -1;
}

int tr_pgc_wire_message(tr_pgc *s, const char *data, int len, tr_err *err)
{
	tr_reader r;
	int result;

	tr_reader_init(&r, tr_slice_of(data, (size_t)len));
	switch (tr_reader_u8(&r)) {
	case 'w':
		result = on_data(s, &r, err);
		break;
	case 'k':
		result = on_keepalive(s, &r, err);
		break;
	default:
		return tr_err_set(err, TR_E_DECODE_UNKNOWN,
				  "a message of the replication stream has the unknown type 0x%02x",
				  len > 0 ? (unsigned char)data[0] : 0);
	}
	if (!s->stream->in_txn)
		atomic_store_explicit(&s->lag.reported, s->stream->at_lsn, memory_order_relaxed);
	return result;
}
