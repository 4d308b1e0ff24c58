#include "decoders/pgoutput/message.h"

#include <stdlib.h>

#include "core/obj.h"

#define DECODER_MAGIC 0x9600d001u
#define EPOCH_2000_US UINT64_C(946684800000000)
#define COLUMN_IDENTITY 0x01
#define TRUNCATE_CASCADE 0x01
#define TRUNCATE_RESTART 0x02
#define MESSAGE_TRANSACTIONAL 0x01
#define UNDECODED_HINT \
	"nothing of this transaction has been confirmed to the server; please report the message type and the server's version"

struct tr_pg_decoder {
	uint32_t magic;
	uint32_t *truncated; /* grows to the longest list of relations seen; bounded by the message */
	size_t truncated_cap;
	tr_pg_relation relation;
	tr_datum old_row[TR_PG_COLUMNS_MAX], new_row[TR_PG_COLUMNS_MAX];
};

/* One message being read: where it stands, and to whom it goes. */
typedef struct cursor {
	tr_reader r;
	char type;
	tr_pg_decoder *d;
	const tr_pg_handler *handler;
	void *context;
} cursor;

tr_pg_decoder *tr_pg_decoder_new(void)
{
	tr_pg_decoder *d = calloc(1, sizeof(*d));

	if (d)
		d->magic = DECODER_MAGIC;
	return d;
}

void tr_pg_decoder_free(tr_pg_decoder *d)
{
	if (!d)
		return;
	TR_CHECK_OBJ(d, DECODER_MAGIC);
	free(d->truncated);
	d->magic = 0;
	free(d);
}

static int refuse(const cursor *c, tr_err_code code, const char *what, size_t offset, tr_err *err)
{
	tr_err_set(err, code, "cannot decode pgoutput message '%c'", c->type);
	tr_err_detail(err, "%s at byte %zu", what, offset);
	return tr_err_hint(err, UNDECODED_HINT);
}

/* Every message ends here: all bytes there, and none left over. */
static int finish(cursor *c, tr_err *err)
{
	char what[64] = "pgoutput message ' '";

	what[18] = c->type;
	if (c->r.failed)
		return tr_reader_error(&c->r, what, err);
	if (tr_reader_left(&c->r) > 0)
		return refuse(c, TR_E_DECODE_PROTOCOL, "bytes left over", tr_reader_offset(&c->r), err);
	return 0;
}

static int64_t read_time_us(tr_reader *r)
{
	return (int64_t)(tr_reader_be64(r) + EPOCH_2000_US);
}

/* The server leaves the name of pg_catalog out. */
static tr_slice read_namespace(tr_reader *r)
{
	tr_slice name = tr_reader_cstring(r);

	return name.len > 0 ? name : tr_slice_str("pg_catalog");
}

static int decode_begin(cursor *c, tr_err *err)
{
	tr_pg_begin m = {0};

	m.final_lsn = tr_reader_be64(&c->r);
	m.commit_us = read_time_us(&c->r);
	m.xid = tr_reader_be32(&c->r);
	if (finish(c, err) != 0)
		return -1;
	return c->handler->begin(c->context, &m, err);
}

static int decode_commit(cursor *c, tr_err *err)
{
	tr_pg_commit m = {0};
	uint8_t flags = tr_reader_u8(&c->r);

	m.commit_lsn = tr_reader_be64(&c->r);
	m.end_lsn = tr_reader_be64(&c->r);
	m.commit_us = read_time_us(&c->r);
	if (finish(c, err) != 0)
		return -1;
	if (flags != 0)
		return refuse(c, TR_E_DECODE_UNKNOWN, "unknown flags", 1, err);
	return c->handler->commit(c->context, &m, err);
}

static int decode_origin(cursor *c, tr_err *err)
{
	tr_pg_origin m = {0};

	m.lsn = tr_reader_be64(&c->r);
	m.name = tr_reader_cstring(&c->r);
	if (finish(c, err) != 0)
		return -1;
	return c->handler->origin(c->context, &m, err);
}

static int read_relation_columns(cursor *c, tr_pg_relation *m, tr_err *err)
{
	size_t at = tr_reader_offset(&c->r);

	m->column_count = tr_reader_be16(&c->r);
	if (m->column_count > TR_PG_COLUMNS_MAX)
		return refuse(c, TR_E_DECODE_PROTOCOL, "more columns than a table can have", at, err);
	for (size_t i = 0; i < m->column_count && !c->r.failed; i++) {
		tr_pg_relation_column *column = &m->columns[i];

		column->identity = (tr_reader_u8(&c->r) & COLUMN_IDENTITY) != 0;
		column->name = tr_reader_cstring(&c->r);
		column->type = tr_reader_be32(&c->r);
		column->typmod = (int32_t)tr_reader_be32(&c->r);
	}
	return finish(c, err);
}

static int decode_relation(cursor *c, tr_err *err)
{
	tr_pg_relation *m = &c->d->relation;
	size_t at;

	m->oid = tr_reader_be32(&c->r);
	m->schema = read_namespace(&c->r);
	m->name = tr_reader_cstring(&c->r);
	at = tr_reader_offset(&c->r);
	m->identity = (char)tr_reader_u8(&c->r);
	if (!c->r.failed && !memchr("dnfi", m->identity, 4))
		return refuse(c, TR_E_DECODE_UNKNOWN, "unknown replica identity", at, err);
	if (read_relation_columns(c, m, err) != 0)
		return -1;
	return c->handler->relation(c->context, m, err);
}

static int decode_type_name(cursor *c, tr_err *err)
{
	tr_pg_typename m = {0};

	m.oid = tr_reader_be32(&c->r);
	m.schema = read_namespace(&c->r);
	m.name = tr_reader_cstring(&c->r);
	if (finish(c, err) != 0)
		return -1;
	return c->handler->type_name(c->context, &m, err);
}

/* One column of a tuple. */
static int read_datum(cursor *c, tr_datum *out, tr_err *err)
{
	size_t at = tr_reader_offset(&c->r);
	uint8_t kind = tr_reader_u8(&c->r);
	tr_slice bytes;

	switch (kind) {
	case 't':
	case 'b':
		out->form = kind == 't' ? TR_D_TEXT : TR_D_BINARY;
		out->len = tr_reader_be32(&c->r);
		bytes = tr_reader_bytes(&c->r, out->len);
		out->ptr = bytes.ptr;
		return 0;
	case 'n':
		*out = (tr_datum){.form = TR_D_NULL};
		return 0;
	case 'u':
		*out = (tr_datum){.form = TR_D_UNCHANGED};
		return 0;
	default:
		return c->r.failed ? 0 : refuse(c, TR_E_DECODE_UNKNOWN, "unknown kind of column value", at, err);
	}
}

/* The usual column: its kind, its length and its bytes, all there. False: nothing was taken, read_datum tells. */
static inline bool take_bytes(tr_reader *r, tr_datum *out)
{
	const uint8_t *at = r->at;
	size_t left = (size_t)(r->end - at);

	if (left < 5 || (at[0] != 'b' && at[0] != 't'))
		return false;
	uint32_t len = tr_get_be32(at + 1);
	if (len > left - 5)
		return false;
	*out = (tr_datum){.ptr = at + 5, .len = len, .form = at[0] == 't' ? TR_D_TEXT : TR_D_BINARY};
	r->at = at + 5 + len;
	return true;
}

static int read_tuple(cursor *c, tr_datum *row, size_t *count, tr_err *err)
{
	size_t at = tr_reader_offset(&c->r);

	*count = tr_reader_be16(&c->r);
	if (*count > TR_PG_COLUMNS_MAX)
		return refuse(c, TR_E_DECODE_PROTOCOL, "more columns than a table can have", at, err);
	for (size_t i = 0; i < *count && !c->r.failed; i++)
		if (!take_bytes(&c->r, &row[i]) && read_datum(c, &row[i], err) != 0)
			return -1;
	return 0;
}

static int read_old(cursor *c, char kind, tr_pg_row *m, tr_err *err)
{
	m->old_kind = kind;
	m->old_row = c->d->old_row;
	return read_tuple(c, c->d->old_row, &m->old_count, err);
}

static int read_new(cursor *c, tr_pg_row *m, tr_err *err)
{
	m->new_row = c->d->new_row;
	return read_tuple(c, c->d->new_row, &m->new_count, err);
}

static int refuse_part(cursor *c, size_t at, tr_err *err)
{
	return c->r.failed ? finish(c, err) : refuse(c, TR_E_DECODE_UNKNOWN, "unknown part of a row message", at, err);
}

static int decode_insert(cursor *c, tr_err *err)
{
	tr_pg_row m = {.relation = tr_reader_be32(&c->r)};
	size_t at = tr_reader_offset(&c->r);

	if (tr_reader_u8(&c->r) != 'N')
		return refuse_part(c, at, err);
	if (read_new(c, &m, err) != 0 || finish(c, err) != 0)
		return -1;
	return c->handler->insert(c->context, &m, err);
}

static int decode_update(cursor *c, tr_err *err)
{
	tr_pg_row m = {.relation = tr_reader_be32(&c->r)};
	size_t at = tr_reader_offset(&c->r);
	uint8_t part = tr_reader_u8(&c->r);

	if (part == 'K' || part == 'O') {
		if (read_old(c, (char)part, &m, err) != 0)
			return -1;
		at = tr_reader_offset(&c->r);
		part = tr_reader_u8(&c->r);
	}
	if (part != 'N')
		return refuse_part(c, at, err);
	if (read_new(c, &m, err) != 0 || finish(c, err) != 0)
		return -1;
	return c->handler->update(c->context, &m, err);
}

static int decode_delete(cursor *c, tr_err *err)
{
	tr_pg_row m = {.relation = tr_reader_be32(&c->r)};
	size_t at = tr_reader_offset(&c->r);
	uint8_t part = tr_reader_u8(&c->r);

	if (part != 'K' && part != 'O')
		return refuse_part(c, at, err);
	if (read_old(c, (char)part, &m, err) != 0 || finish(c, err) != 0)
		return -1;
	return c->handler->delete_row(c->context, &m, err);
}

static int reserve_truncated(tr_pg_decoder *d, size_t count, tr_err *err)
{
	uint32_t *grown;

	if (count <= d->truncated_cap)
		return 0;
	grown = realloc(d->truncated, count * sizeof(*grown));
	if (!grown)
		return tr_err_set(err, TR_E_MEMORY, "could not keep the list of %zu truncated tables", count);
	d->truncated = grown;
	d->truncated_cap = count;
	return 0;
}

static int decode_truncate(cursor *c, tr_err *err)
{
	uint32_t count = tr_reader_be32(&c->r);
	uint8_t flags = tr_reader_u8(&c->r);
	tr_pg_truncate m = {.cascade = flags & TRUNCATE_CASCADE, .restart_identity = flags & TRUNCATE_RESTART, .count = count};

	/* The count is believed only as far as there are bytes for it. */
	if (!c->r.failed && count > tr_reader_left(&c->r) / 4)
		tr_reader_fail(&c->r, (size_t)count * 4);
	if (c->r.failed)
		return finish(c, err);
	if (reserve_truncated(c->d, count, err) != 0)
		return -1;
	for (uint32_t i = 0; i < count; i++)
		c->d->truncated[i] = tr_reader_be32(&c->r);
	m.relations = c->d->truncated;
	if (finish(c, err) != 0)
		return -1;
	return c->handler->truncate(c->context, &m, err);
}

static int decode_logical(cursor *c, tr_err *err)
{
	tr_pg_logical m = {0};

	m.transactional = tr_reader_u8(&c->r) & MESSAGE_TRANSACTIONAL;
	m.lsn = tr_reader_be64(&c->r);
	m.prefix = tr_reader_cstring(&c->r);
	m.content = tr_reader_bytes(&c->r, tr_reader_be32(&c->r));
	if (finish(c, err) != 0)
		return -1;
	return c->handler->logical(c->context, &m, err);
}

int tr_pg_decode(tr_pg_decoder *d, tr_slice message, const tr_pg_handler *handler, void *context, tr_err *err)
{
	cursor c = {.d = d, .handler = handler, .context = context};
	uint8_t type;

	TR_CHECK_OBJ(d, DECODER_MAGIC);
	tr_reader_init(&c.r, message);
	type = tr_reader_u8(&c.r);
	if (c.r.failed)
		return tr_reader_error(&c.r, "pgoutput message", err);
	c.type = type >= 0x20 && type < 0x7f ? (char)type : '?';
	switch (type) {
	case 'B': return decode_begin(&c, err);
	case 'C': return decode_commit(&c, err);
	case 'D': return decode_delete(&c, err);
	case 'I': return decode_insert(&c, err);
	case 'M': return decode_logical(&c, err);
	case 'O': return decode_origin(&c, err);
	case 'R': return decode_relation(&c, err);
	case 'T': return decode_truncate(&c, err);
	case 'U': return decode_update(&c, err);
	case 'Y': return decode_type_name(&c, err);
	default: break;
	}
	tr_err_set(err, TR_E_DECODE_UNKNOWN, "cannot decode pgoutput message '%c'", c.type);
	tr_err_detail(err, "type 0x%02x at byte 0 of %zu is not one of protocol version 1", type, message.len);
	return tr_err_hint(err, UNDECODED_HINT);
}
