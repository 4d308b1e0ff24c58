#include "decoders/binlog/decoder.h"

#define LOGICAL_CLOCK 2
#define TIME_BYTES 7
#define TIME_MASK ((UINT64_C(1) << 55) - 1)
#define ORIGINAL_FOLLOWS (UINT64_C(1) << 55)

static int report(const tr_bl_cursor *c, const tr_bl_gtid *m, tr_err *err)
{
	if (tr_bl_finish(c, err) != 0)
		return -1;
	/* A new group: the tables of the last one's statements are over. */
	c->d->statement++;
	return c->d->handler.gtid ? c->d->handler.gtid(c->d->context, &c->e, m, err) : 0;
}

/* What came after the transaction number, version by version: each part only if there is something left. */
static void read_gtid_rest(tr_reader *r, tr_bl_gtid *m)
{
	uint64_t time;

	if (tr_reader_left(r) < 17 || tr_reader_u8(r) != LOGICAL_CLOCK)
		return;
	m->last_committed = tr_reader_le(r, 8);
	m->sequence = tr_reader_le(r, 8);
	if (tr_reader_left(r) < TIME_BYTES)
		return;
	time = tr_reader_le(r, TIME_BYTES);
	m->commit_us = m->original_commit_us = (int64_t)(time & TIME_MASK);
	if (time & ORIGINAL_FOLLOWS)
		m->original_commit_us = (int64_t)(tr_reader_le(r, TIME_BYTES) & TIME_MASK);
	if (tr_reader_left(r) > 0)
		m->transaction_bytes = tr_bl_packed(r);
}

int tr_bl_read_gtid(tr_bl_cursor *c, tr_err *err)
{
	tr_bl_gtid m = {.kind = c->e.type == TR_BL_GTID_EVENT ? TR_BL_GTID : TR_BL_ANONYMOUS};
	const uint8_t *uuid;

	tr_reader_u8(&c->r); /* flags: may have statements */
	uuid = tr_reader_take(&c->r, sizeof(m.uuid));
	if (uuid)
		memcpy(m.uuid, uuid, sizeof(m.uuid));
	m.number = tr_reader_le(&c->r, 8);
	read_gtid_rest(&c->r, &m);
	return report(c, &m, err);
}

/*
 * The serialization library of MySQL 8.3 and later (libs/mysql/serialization): the number of trailing ones in the first
 * byte is the number of bytes that follow, the value the bits above them. Signed values have their sign in the lowest bit.
 */
static uint64_t read_var(tr_reader *r)
{
	uint8_t first = tr_reader_u8(r);
	unsigned more = first == 0xff ? 8 : (unsigned)__builtin_ctz(~(unsigned)first);
	uint64_t rest = more > 0 ? tr_reader_le(r, more) : 0;

	if (more >= 7)
		return rest;
	return rest << (7 - more) | (uint64_t)first >> (more + 1);
}

static uint64_t read_signed_var(tr_reader *r)
{
	uint64_t value = read_var(r);

	return (value >> 1) ^ (0 - (value & 1));
}

enum { FIELD_FLAGS, FIELD_UUID, FIELD_NUMBER, FIELD_TAG, FIELD_LAST_COMMITTED, FIELD_SEQUENCE, FIELD_COMMIT_TIME,
       FIELD_ORIGINAL_TIME, FIELD_BYTES, FIELD_VERSION, FIELD_ORIGINAL_VERSION, FIELD_TICKET };

static int read_tag(tr_bl_cursor *c, tr_bl_gtid *m, tr_err *err)
{
	uint64_t bytes = read_var(&c->r);

	if (bytes > TR_BL_TAG_MAX)
		return tr_bl_fail(c, TR_E_DECODE_VALUE, err, "its tag has %llu bytes; there can be %d", (unsigned long long)bytes,
		                  TR_BL_TAG_MAX);
	m->tag = tr_reader_bytes(&c->r, (size_t)bytes);
	return 0;
}

static int read_field(tr_bl_cursor *c, uint64_t field, tr_bl_gtid *m, tr_err *err)
{
	tr_reader *r = &c->r;

	switch (field) {
	case FIELD_FLAGS: read_var(r); return 0;
	case FIELD_UUID:
		for (size_t i = 0; i < sizeof(m->uuid); i++)
			m->uuid[i] = (uint8_t)read_var(r);
		return 0;
	case FIELD_NUMBER: m->number = read_signed_var(r); return 0;
	case FIELD_TAG: return read_tag(c, m, err);
	case FIELD_LAST_COMMITTED: m->last_committed = read_signed_var(r); return 0;
	case FIELD_SEQUENCE: m->sequence = read_signed_var(r); return 0;
	case FIELD_COMMIT_TIME: m->commit_us = (int64_t)(read_var(r) & TIME_MASK); return 0;
	case FIELD_ORIGINAL_TIME: m->original_commit_us = (int64_t)(read_var(r) & TIME_MASK); return 0;
	case FIELD_BYTES: m->transaction_bytes = read_var(r); return 0;
	default: read_var(r); return 0;
	}
}

/* Fields come in the order of their numbers and have no lengths: the first unknown one ends what can be read. */
int tr_bl_read_tagged_gtid(tr_bl_cursor *c, tr_err *err)
{
	tr_bl_gtid m = {.kind = TR_BL_GTID};
	uint64_t version = read_var(&c->r), needed;

	read_var(&c->r); /* bytes in all */
	needed = read_var(&c->r);
	if (tr_bl_finish(c, err) != 0)
		return -1;
	if (version != 1)
		return tr_bl_fail(c, TR_E_DECODE_UNKNOWN, err, "serialization version %llu; known is 1", (unsigned long long)version);
	while (!c->r.failed && tr_reader_left(&c->r) > 0) {
		uint64_t field = read_var(&c->r);

		if (field > FIELD_TICKET && field <= needed)
			return tr_bl_fail(c, TR_E_DECODE_UNKNOWN, err, "field %llu is not known and cannot be left out",
			                  (unsigned long long)field);
		if (field > FIELD_TICKET)
			break;
		if (read_field(c, field, &m, err) != 0)
			return -1;
	}
	if (m.original_commit_us == 0)
		m.original_commit_us = m.commit_us;
	return report(c, &m, err);
}

enum { MARIADB_STANDALONE = 1, MARIADB_GROUP_COMMIT = 2, MARIADB_TRANSACTIONAL = 4, MARIADB_DDL = 32, MARIADB_PREPARED_XA = 64,
       MARIADB_COMPLETED_XA = 128 };
enum { EXTRA_ENGINES = 1, EXTRA_START_ALTER = 2, EXTRA_COMMIT_ALTER = 4, EXTRA_ROLLBACK_ALTER = 8, EXTRA_THREAD_ID = 16 };

static int read_mariadb_xid(tr_bl_cursor *c, tr_bl_xid *xid, tr_err *err)
{
	unsigned gtrid_bytes, bqual_bytes;

	xid->format_id = (int32_t)tr_reader_le(&c->r, 4);
	gtrid_bytes = tr_reader_u8(&c->r);
	bqual_bytes = tr_reader_u8(&c->r);
	if (gtrid_bytes > TR_BL_XID_MAX || bqual_bytes > TR_BL_XID_MAX)
		return tr_bl_fail(c, TR_E_DECODE_VALUE, err, "the transaction's name has parts of %u and %u bytes", gtrid_bytes,
		                  bqual_bytes);
	xid->gtrid = tr_reader_bytes(&c->r, gtrid_bytes);
	xid->bqual = tr_reader_bytes(&c->r, bqual_bytes);
	return 0;
}

/* Missing at the end, or zeros up to the old fixed size: nothing extra. */
static void read_mariadb_extra(tr_reader *r, tr_bl_gtid *m)
{
	unsigned extra = tr_reader_left(r) > 0 ? tr_reader_u8(r) : 0;

	if (extra & EXTRA_ENGINES)
		tr_reader_u8(r);
	if (extra & EXTRA_START_ALTER)
		m->alter = TR_BL_ALTER_START;
	else if (extra & (EXTRA_COMMIT_ALTER | EXTRA_ROLLBACK_ALTER)) {
		m->alter = extra & EXTRA_COMMIT_ALTER ? TR_BL_ALTER_COMMIT : TR_BL_ALTER_ROLLBACK;
		m->alter_start = tr_reader_le(r, 8);
	}
	if (extra & EXTRA_THREAD_ID)
		m->thread_id = (uint32_t)tr_reader_le(r, 4);
}

int tr_bl_read_mariadb_gtid(tr_bl_cursor *c, tr_err *err)
{
	tr_bl_gtid m = {.kind = TR_BL_GTID_MARIADB};
	unsigned flags;

	m.number = tr_reader_le(&c->r, 8);
	m.domain = (uint32_t)tr_reader_le(&c->r, 4);
	flags = tr_reader_u8(&c->r);
	m.standalone = (flags & MARIADB_STANDALONE) != 0;
	m.transactional = (flags & MARIADB_TRANSACTIONAL) != 0;
	m.ddl = (flags & MARIADB_DDL) != 0;
	m.prepared_xa = (flags & MARIADB_PREPARED_XA) != 0;
	m.completed_xa = (flags & MARIADB_COMPLETED_XA) != 0;
	if (flags & MARIADB_GROUP_COMMIT)
		tr_reader_le(&c->r, 8);
	if ((m.prepared_xa || m.completed_xa) && read_mariadb_xid(c, &m.xid, err) != 0)
		return -1;
	read_mariadb_extra(&c->r, &m);
	return report(c, &m, err);
}

int tr_bl_read_gtid_list(tr_bl_cursor *c, tr_err *err)
{
	uint32_t packed = (uint32_t)tr_reader_le(&c->r, 4);
	tr_bl_gtid_list m = {.count = packed & 0x0fffffff, .flags = packed >> 28};
	tr_writer *list = &c->d->list;

	tr_writer_reset(list);
	for (size_t i = 0; i < m.count && !c->r.failed; i++) {
		tr_bl_domain_gtid gtid;

		gtid.domain = (uint32_t)tr_reader_le(&c->r, 4);
		gtid.server_id = (uint32_t)tr_reader_le(&c->r, 4);
		gtid.sequence = tr_reader_le(&c->r, 8);
		tr_writer_put(list, &gtid, sizeof(gtid));
	}
	if (tr_bl_finish(c, err) != 0)
		return -1;
	if (!tr_writer_ok(list))
		return tr_bl_too_big(c, m.count * sizeof(tr_bl_domain_gtid), err);
	m.gtids = (const tr_bl_domain_gtid *)(const void *)list->data;
	return c->d->handler.gtid_list ? c->d->handler.gtid_list(c->d->context, &c->e, &m, err) : 0;
}
