/*
 * A handler that writes down what the event decoder reports, one line per call, and readers of recorded logs. The lines hold
 * everything that is told, so a recording's trace is a test by itself.
 */
#ifndef TR_TESTS_UNIT_DECODERS_BINLOG_TRACE_H
#define TR_TESTS_UNIT_DECODERS_BINLOG_TRACE_H

#include <stdio.h>

#include "core/text.h"
#include "decoders/binlog/event.h"
#include "tests/unit/test.h"

#define TRACE_MAX ((size_t)4 << 20)
#define FILE_BYTES_MAX ((size_t)1 << 20)
#define HEX_BYTES_MAX 64

typedef struct trace {
	tr_writer w;
	bool tells_fractions; /* answers what tr_bl_unsure asks: 0 up to column 4, then 3, 6, 2 */
	bool passes_over;     /* wants no table */
	unsigned forgotten, ends;
	tr_bl_event last;     /* of the last `end` */
	int answer;           /* of `row` */
} trace;

static inline void trace_event(trace *t, const tr_bl_event *e, const char *what)
{
	tr_writer_format(&t->w, "%s:%llu-%llu %s%s%s ", e->file, (unsigned long long)e->start, (unsigned long long)e->end, what,
	                 e->inside ? " inside" : "", e->artificial ? " artificial" : "");
}

static inline void trace_bytes(trace *t, tr_slice s)
{
	tr_text_hex(&t->w, tr_slice_of(s.ptr, s.len < HEX_BYTES_MAX ? s.len : HEX_BYTES_MAX));
	if (s.len > HEX_BYTES_MAX)
		tr_writer_format(&t->w, "..%zu", s.len);
}

static inline int on_rotate(void *context, const tr_bl_event *e, const tr_bl_rotate *m, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "rotate");
	tr_writer_slice(&t->w, m->file);
	tr_writer_format(&t->w, " %llu\n", (unsigned long long)m->position);
	return 0;
}

static inline int on_format(void *context, const tr_bl_event *e, const tr_bl_format *m, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "format");
	tr_writer_slice(&t->w, m->server_version);
	tr_writer_format(&t->w, " v%u created=%u checksums=%d\n", m->version, m->created_s, m->checksums);
	return 0;
}

static inline int on_previous_gtids(void *context, const tr_bl_event *e, tr_slice encoded, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "previous_gtids");
	trace_bytes(t, encoded);
	tr_writer_text(&t->w, "\n");
	return 0;
}

static inline int on_gtid_list(void *context, const tr_bl_event *e, const tr_bl_gtid_list *m, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "gtid_list");
	for (size_t i = 0; i < m->count; i++)
		tr_writer_format(&t->w, "%u-%u-%llu ", m->gtids[i].domain, m->gtids[i].server_id,
		                 (unsigned long long)m->gtids[i].sequence);
	tr_writer_format(&t->w, "flags=%u\n", m->flags);
	return 0;
}

static inline void trace_xid(trace *t, const tr_bl_xid *xid)
{
	tr_writer_format(&t->w, " xid=%d:", xid->format_id);
	trace_bytes(t, xid->gtrid);
	tr_writer_text(&t->w, ":");
	trace_bytes(t, xid->bqual);
}

static inline int on_gtid(void *context, const tr_bl_event *e, const tr_bl_gtid *m, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "gtid");
	if (m->kind == TR_BL_GTID_MARIADB) {
		tr_writer_format(&t->w, "%u-%u-%llu standalone=%d ddl=%d transactional=%d thread=%u", m->domain, e->server_id,
		                 (unsigned long long)m->number, m->standalone, m->ddl, m->transactional, m->thread_id);
		if (m->prepared_xa || m->completed_xa) {
			tr_writer_text(&t->w, m->prepared_xa ? " prepared" : " completed");
			trace_xid(t, &m->xid);
		}
		if (m->alter != TR_BL_ALTER_WHOLE)
			tr_writer_format(&t->w, " alter=%d:%llu", m->alter, (unsigned long long)m->alter_start);
	} else {
		tr_writer_text(&t->w, m->kind == TR_BL_ANONYMOUS ? "anonymous " : "");
		trace_bytes(t, tr_slice_of(m->uuid, sizeof(m->uuid)));
		tr_writer_text(&t->w, ":");
		tr_writer_slice(&t->w, m->tag);
		tr_writer_format(&t->w, ":%llu commit=%lld original=%lld clock=%llu,%llu bytes=%llu", (unsigned long long)m->number,
		                 (long long)m->commit_us, (long long)m->original_commit_us, (unsigned long long)m->last_committed,
		                 (unsigned long long)m->sequence, (unsigned long long)m->transaction_bytes);
	}
	tr_writer_text(&t->w, "\n");
	return 0;
}

static inline int on_query(void *context, const tr_bl_event *e, const tr_bl_query *m, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, m->load_data ? "load_data" : "query");
	tr_writer_format(&t->w, "time=%u.%06u thread=%u error=%u collation=%u mode=%llx ", e->time_s, m->fraction_us, m->thread_id,
	                 m->error_code, m->client_collation, (unsigned long long)m->sql_mode);
	tr_writer_slice(&t->w, m->database);
	tr_writer_text(&t->w, ": ");
	tr_text_json_escape(&t->w, m->text);
	tr_writer_text(&t->w, "\n");
	return 0;
}

static inline int on_rows_query(void *context, const tr_bl_event *e, tr_slice text, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "rows_query");
	tr_text_json_escape(&t->w, text);
	tr_writer_text(&t->w, "\n");
	return 0;
}

static inline void trace_column(trace *t, const tr_bl_map_column *c)
{
	tr_writer_text(&t->w, "  ");
	tr_writer_slice(&t->w, c->name);
	tr_writer_format(&t->w, " type=%u length=%u precision=%u scale=%u%s%s%s collation=%u geometry=%u dimensions=%u key=%u/%u",
	                 c->type, c->length_bytes, c->precision, c->scale, c->nullable ? "" : " required",
	                 c->is_unsigned ? " unsigned" : "", c->visible ? "" : " invisible", c->collation, c->geometry,
	                 c->dimensions, c->key_rank, c->key_prefix);
	for (uint32_t i = 0; i < c->value_count; i++) {
		tr_writer_text(&t->w, " ");
		trace_bytes(t, c->values[i]);
	}
	tr_writer_text(&t->w, "\n");
}

static inline int tell_fractions(tr_bl_table *table, tr_err *err)
{
	static const uint8_t digits[] = {3, 6, 2};

	for (size_t i = 0; i < table->column_count; i++)
		if (tr_bl_unsure(table, i) && tr_bl_tell_fraction(table, i, i < 4 ? 0 : digits[(i - 4) % 3], err) != 0)
			return -1;
	return 0;
}

static inline int on_table_map(void *context, const tr_bl_event *e, tr_bl_table *table, tr_err *err)
{
	trace *t = context;

	trace_event(t, e, "table_map");
	tr_writer_format(&t->w, "id=%llu serial=%llu ", (unsigned long long)table->id, (unsigned long long)table->serial);
	tr_writer_slice(&t->w, table->database);
	tr_writer_text(&t->w, ".");
	tr_writer_slice(&t->w, table->name);
	tr_writer_format(&t->w, "%s%s%s%s%s\n", table->has_signedness ? " signedness" : "", table->has_names ? " names" : "",
	                 table->has_key ? " key" : "", table->has_visibility ? " visibility" : "",
	                 table->has_collations ? " collations" : "");
	if (t->tells_fractions && tell_fractions(table, err) != 0)
		return -1;
	for (size_t i = 0; !table->user && i < table->column_count; i++)
		trace_column(t, &table->columns[i]);
	table->user = t;
	table->wanted = !t->passes_over;
	return 0;
}

static inline void on_forget(void *context, tr_bl_table *table)
{
	trace *t = context;

	ck_assert_ptr_eq(table->user, t);
	t->forgotten++;
}

static inline void trace_image(trace *t, const char *name, const tr_datum *data, size_t count)
{
	if (!data)
		return;
	tr_writer_format(&t->w, "  %s", name);
	for (size_t i = 0; i < count; i++) {
		const tr_slice bytes = tr_slice_of(data[i].ptr, data[i].len);

		tr_writer_text(&t->w, " ");
		switch (data[i].form) {
		case TR_D_NULL: tr_writer_text(&t->w, "NULL"); break;
		case TR_D_ABSENT: tr_writer_text(&t->w, "-"); break;
		case TR_D_UNCHANGED: tr_writer_text(&t->w, "="); break;
		case TR_D_TEXT: tr_writer_slice(&t->w, bytes); break;
		case TR_D_BINARY: default:
			tr_writer_text(&t->w, "x");
			trace_bytes(t, bytes);
		}
	}
	tr_writer_text(&t->w, "\n");
}

static inline int on_row(void *context, const tr_bl_event *e, const tr_bl_row *row, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "row");
	tr_writer_format(&t->w, "%c %zu ", row->op, row->index);
	tr_writer_slice(&t->w, row->table->name);
	tr_writer_text(&t->w, row->statement_end ? " end\n" : "\n");
	trace_image(t, "before", row->before, row->table->column_count);
	trace_image(t, "after", row->after, row->table->column_count);
	return t->answer;
}

static inline int on_xid(void *context, const tr_bl_event *e, uint64_t xid, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "xid");
	tr_writer_format(&t->w, "%llu\n", (unsigned long long)xid);
	return 0;
}

static inline int on_xa_prepare(void *context, const tr_bl_event *e, const tr_bl_xid *m, bool one_phase, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "xa_prepare");
	trace_xid(t, m);
	tr_writer_text(&t->w, one_phase ? " one phase\n" : "\n");
	return 0;
}

static inline int on_heartbeat(void *context, const tr_bl_event *e, const tr_bl_heartbeat *m, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "heartbeat");
	tr_writer_slice(&t->w, m->file);
	tr_writer_format(&t->w, " %llu\n", (unsigned long long)m->position);
	return 0;
}

static inline int on_incident(void *context, const tr_bl_event *e, const tr_bl_incident *m, tr_err *err)
{
	trace *t = context;

	(void)err;
	trace_event(t, e, "incident");
	tr_writer_format(&t->w, "%u ", m->number);
	tr_writer_slice(&t->w, m->message);
	tr_writer_text(&t->w, "\n");
	return 0;
}

static inline int on_end(void *context, const tr_bl_event *e, tr_err *err)
{
	trace *t = context;

	(void)err;
	t->ends++;
	t->last = *e;
	return 0;
}

static const tr_bl_handler trace_handler = {
	.rotate = on_rotate, .format = on_format, .previous_gtids = on_previous_gtids, .gtid_list = on_gtid_list, .gtid = on_gtid,
	.query = on_query, .rows_query = on_rows_query, .table_map = on_table_map, .forget = on_forget, .row = on_row, .xid = on_xid,
	.xa_prepare = on_xa_prepare, .heartbeat = on_heartbeat, .incident = on_incident, .end = on_end};

static inline void trace_init(trace *t)
{
	*t = (trace){0};
	tr_writer_init(&t->w, TRACE_MAX);
}

static inline void trace_release(trace *t)
{
	tr_writer_release(&t->w);
}

/* What was written, as a string; valid until the next writing. */
static inline const char *trace_text(trace *t)
{
	tr_writer_u8(&t->w, 0);
	ck_assert(tr_writer_ok(&t->w));
	t->w.len--;
	return (const char *)t->w.data;
}

static inline const char *data_path(const char *name)
{
	static char path[1024];
	const char *source = getenv("TAILRACE_SOURCE_DIR");

	snprintf(path, sizeof(path), "%s/tests/unit/decoders_binlog/data/%s", source ? source : ".", name);
	return path;
}

/* The bytes of a file in data/, the caller's. */
static inline uint8_t *read_data(const char *name, size_t *len)
{
	uint8_t *bytes = malloc(FILE_BYTES_MAX);
	FILE *f = fopen(data_path(name), "rb");

	ck_assert_msg(f != NULL, "%s: cannot be read", data_path(name));
	*len = fread(bytes, 1, FILE_BYTES_MAX, f);
	ck_assert_uint_lt(*len, FILE_BYTES_MAX);
	fclose(f);
	return bytes;
}

/* Log files start with four magic bytes, recorded dumps with the first event. */
static inline size_t first_event(const uint8_t *bytes, size_t len)
{
	return len >= 4 && memcmp(bytes, "\xfe"
	                                 "bin", 4) == 0 ? 4 : 0;
}

static inline uint32_t le32(const uint8_t *at)
{
	return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static inline void put_le(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

#endif
