#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/obj.h"
#include "core/text.h"
#include "decoders/binlog/decoder.h"

#define DECODER_MAGIC 0xb10900deu
#define EVENT_MAX_DEFAULT ((size_t)1 << 30)
#define TABLES_MAX_DEFAULT ((size_t)4096)
#define FIRST_POSITION 4 /* after the file's magic bytes */
#define FLAGS_AT 17
#define FLAG_IN_USE 0x01 /* of a FORMAT_DESCRIPTION: set and cleared without a new checksum */
#define FORMAT_FIXED_BYTES 57
#define SERVER_VERSION_BYTES 50
#define CHECKSUM_CRC32 1
#define KEEP_BYTES ((size_t)4 << 20) /* buffers that one large event has grown beyond this are given back */

/* Types by number, as the servers print them. */
static const char *const names[256] = {
	[2] = "Query", [3] = "Stop", [4] = "Rotate", [5] = "Intvar", [9] = "Append_block", [11] = "Delete_file", [13] = "RAND",
	[14] = "User var", [15] = "Format_desc", [16] = "Xid", [17] = "Begin_load_query", [18] = "Execute_load_query",
	[19] = "Table_map", [23] = "Write_rows_v1", [24] = "Update_rows_v1", [25] = "Delete_rows_v1", [26] = "Incident",
	[27] = "Heartbeat", [28] = "Ignorable", [29] = "Rows_query", [30] = "Write_rows", [31] = "Update_rows",
	[32] = "Delete_rows", [33] = "Gtid", [34] = "Anonymous_Gtid", [35] = "Previous_gtids", [36] = "Transaction_context",
	[37] = "View_change", [38] = "XA_prepare", [39] = "Update_rows_partial", [40] = "Transaction_payload",
	[41] = "Heartbeat_v2", [42] = "Gtid_tagged", [160] = "Annotate_rows", [161] = "Binlog_checkpoint", [162] = "Gtid",
	[163] = "Gtid_list", [164] = "Start_encryption", [165] = "Query_compressed", [166] = "Write_rows_compressed_v1",
	[167] = "Update_rows_compressed_v1", [168] = "Delete_rows_compressed_v1", [169] = "Write_rows_compressed",
	[170] = "Update_rows_compressed", [171] = "Delete_rows_compressed", [172] = "Partial_row_data",
};

const char *tr_bl_event_name(uint8_t type)
{
	return names[type] ? names[type] : "event";
}

int tr_bl_fail(const tr_bl_cursor *c, tr_err_code code, tr_err *err, const char *format, ...)
{
	char what[320];
	va_list args;

	va_start(args, format);
	tr_text_vformat(what, sizeof(what), format, args);
	va_end(args);
	tr_err_set(err, code, "cannot decode the binlog event %s (type %u) at %s:%llu", tr_bl_event_name(c->e.type), c->e.type,
	           c->e.file[0] ? c->e.file : "(unnamed log)", (unsigned long long)c->e.start);
	tr_err_detail(err, "%s", what);
	return tr_err_hint(err, "everything before this transaction is safe and the position stays in front of it; look at the "
	                        "event with mysqlbinlog --hexdump and report its type and the server's version");
}

int tr_bl_finish(const tr_bl_cursor *c, tr_err *err)
{
	if (!c->r.failed)
		return 0;
	return tr_bl_fail(c, TR_E_DECODE_SHORT, err, "it ends at byte %zu of its body: %zu wanted, %zu left", c->r.fail_offset,
	                  c->r.fail_wanted, c->r.fail_left);
}

int tr_bl_too_big(const tr_bl_cursor *c, uint64_t bytes, tr_err *err)
{
	tr_bl_fail(c, TR_E_BATCH_LIMIT, err, "it has or unpacks to %llu bytes; the limit is %zu", (unsigned long long)bytes,
	           c->d->event_max_bytes);
	return tr_err_hint(err, "everything before this transaction is safe; raise limits.memory");
}

int tr_bl_oom(const tr_bl_cursor *c, tr_err *err)
{
	return tr_bl_fail(c, TR_E_MEMORY, err, "no memory to unpack it");
}

size_t tr_bl_post_bytes(const tr_bl_decoder *d, uint8_t type, size_t known)
{
	return type > 0 && type <= d->post_count ? d->post_bytes[type - 1] : known;
}

tr_reader tr_bl_post(tr_bl_cursor *c, size_t known)
{
	tr_reader post;
	size_t bytes = tr_bl_post_bytes(c->d, c->e.type, known);

	/* A shorter one than we read would be another format: the missing bytes are the event's failure. */
	tr_reader_init(&post, tr_reader_bytes(&c->r, bytes < known ? known : bytes));
	return post;
}

uint64_t tr_bl_packed(tr_reader *r)
{
	uint8_t first = tr_reader_u8(r);

	switch (first) {
	case 252: return tr_reader_le(r, 2);
	case 253: return tr_reader_le(r, 3);
	case 254: return tr_reader_le(r, 8);
	case 251: case 255: tr_reader_fail(r, 1); return 0;
	default: return first;
	}
}

bool tr_bl_header(tr_slice event, tr_bl_event *out, uint32_t *next_position)
{
	tr_reader r;

	if (event.len < TR_BL_HEADER_BYTES)
		return false;
	tr_reader_init(&r, event);
	*out = (tr_bl_event){.file = ""};
	out->time_s = (uint32_t)tr_reader_le(&r, 4);
	out->type = tr_reader_u8(&r);
	out->server_id = (uint32_t)tr_reader_le(&r, 4);
	out->size = (uint32_t)tr_reader_le(&r, 4);
	*next_position = (uint32_t)tr_reader_le(&r, 4);
	out->flags = (uint16_t)tr_reader_le(&r, 2);
	out->artificial = (out->flags & TR_BL_FLAG_ARTIFICIAL) != 0;
	out->end = *next_position;
	out->start = *next_position > out->size ? *next_position - out->size : 0;
	return true;
}

bool tr_bl_peek(tr_slice event, tr_bl_event *out)
{
	uint32_t next_position;

	return tr_bl_header(event, out, &next_position) && out->size == event.len;
}

tr_bl_decoder *tr_bl_decoder_new(const tr_bl_limits *limits, const tr_bl_handler *handler, void *context)
{
	tr_bl_decoder *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->magic = DECODER_MAGIC;
	d->event_max_bytes = limits && limits->event_max_bytes ? limits->event_max_bytes : EVENT_MAX_DEFAULT;
	d->tables_max = limits && limits->tables_max ? limits->tables_max : TABLES_MAX_DEFAULT;
	d->handler = *handler;
	d->context = context;
	d->position = FIRST_POSITION;
	tr_arena_init(&d->scratch, d->event_max_bytes);
	tr_writer_init(&d->inflated, d->event_max_bytes);
	tr_writer_init(&d->inner, d->event_max_bytes);
	tr_writer_init(&d->list, d->event_max_bytes);
	tr_writer_init(&d->pieces.joined, d->event_max_bytes);
	return d;
}

void tr_bl_decoder_free(tr_bl_decoder *d)
{
	if (!d)
		return;
	TR_CHECK_OBJ(d, DECODER_MAGIC);
	tr_bl_drop_shapes(d);
	tr_arena_release(&d->scratch);
	tr_writer_release(&d->inflated);
	tr_writer_release(&d->inner);
	tr_writer_release(&d->list);
	tr_writer_release(&d->pieces.joined);
	ZSTD_freeDCtx(d->zstd);
	d->magic = 0;
	free(d);
}

static int set_file(tr_bl_decoder *d, tr_slice file, uint64_t position)
{
	if (file.len >= sizeof(d->file) || (file.len > 0 && memchr(file.ptr, 0, file.len)))
		return -1;
	if (file.len > 0)
		memcpy(d->file, file.ptr, file.len);
	d->file[file.len] = '\0';
	d->position = position;
	return 0;
}

int tr_bl_decoder_at(tr_bl_decoder *d, const char *file, uint64_t position, tr_err *err)
{
	TR_CHECK_OBJ(d, DECODER_MAGIC);
	if (set_file(d, tr_slice_str(file), position) != 0)
		return tr_err_set(err, TR_E_DECODE_VALUE, "the log file's name has more than %d bytes", TR_BL_FILE_MAX - 1);
	return 0;
}

/*
 * Where the event lies. The header has the low 32 bits of its end, 0 where the server does not know it (a format sent again
 * at a start in the middle of a file; some events of MariaDB 11.4 and later), so the rest is counted: the log only goes
 * forward, and less than 4 GiB are skipped at once.
 */
static void place(tr_bl_cursor *c, uint32_t next_position)
{
	tr_bl_decoder *d = c->d;
	uint64_t end = (d->position & ~(uint64_t)UINT32_MAX) | next_position;

	c->e.file = d->file;
	if (c->e.type == TR_BL_FORMAT_EVENT && next_position == 0)
		c->e.artificial = true;
	if (c->e.artificial || c->e.type == TR_BL_HEARTBEAT_EVENT || c->e.type == TR_BL_HEARTBEAT_V2_EVENT) {
		c->e.artificial = true;
		if (next_position != 0)
			d->position = end < d->position ? end + ((uint64_t)1 << 32) : end;
		c->e.start = c->e.end = d->position;
		return;
	}
	if (next_position == 0)
		end = d->position + c->e.size;
	else if (end < d->position)
		end += (uint64_t)1 << 32;
	c->e.end = end;
	c->e.start = end > c->e.size ? end - c->e.size : 0;
	d->position = end;
}

static uint32_t checksum_of(tr_slice event)
{
	uint8_t flags[2];
	uint32_t crc = (uint32_t)crc32(0, event.ptr, FLAGS_AT);

	memcpy(flags, event.ptr + FLAGS_AT, sizeof(flags));
	if (event.ptr[4] == TR_BL_FORMAT_EVENT)
		flags[0] &= (uint8_t)~FLAG_IN_USE;
	crc = (uint32_t)crc32(crc, flags, sizeof(flags));
	return (uint32_t)crc32_z(crc, event.ptr + TR_BL_HEADER_BYTES, event.len - TR_BL_HEADER_BYTES - TR_BL_CHECKSUM_BYTES);
}

static bool checksum_right(tr_slice event)
{
	const uint8_t *at = event.ptr + event.len - TR_BL_CHECKSUM_BYTES;
	uint32_t wanted = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;

	return checksum_of(event) == wanted;
}

/*
 * Whether the event ends with a checksum. A format says so itself; before the first one comes only the ROTATE that names
 * the file, and whether that has one nothing tells but the checksum.
 */
static int take_checksum(const tr_bl_cursor *c, tr_slice *event, tr_err *err)
{
	size_t least = TR_BL_HEADER_BYTES + TR_BL_CHECKSUM_BYTES;
	bool has = c->d->checksums;

	if (c->e.type == TR_BL_FORMAT_EVENT)
		has = event->len > least && event->ptr[event->len - TR_BL_CHECKSUM_BYTES - 1] == CHECKSUM_CRC32;
	else if (!c->d->has_format)
		has = event->len >= least && checksum_right(*event);
	if (has && event->len < least)
		return tr_bl_fail(c, TR_E_DECODE_SHORT, err, "it has %zu bytes and no room for its checksum", event->len);
	if (has && !checksum_right(*event)) {
		tr_bl_fail(c, TR_E_DECODE_CHECKSUM, err, "its CRC32 does not fit its %zu bytes", event->len);
		return tr_err_hint(err, "everything before this transaction is safe; the log file or the way here damages data: "
		                        "look with mysqlbinlog --verify-binlog-checksum on the server, then start again");
	}
	if (has || c->e.type == TR_BL_FORMAT_EVENT)
		event->len -= event->len >= least ? TR_BL_CHECKSUM_BYTES : 0;
	return 0;
}

static int read_format(tr_bl_cursor *c, tr_err *err)
{
	tr_bl_decoder *d = c->d;
	tr_bl_format m = {.version = (uint16_t)tr_reader_le(&c->r, 2)};
	tr_slice version = tr_reader_bytes(&c->r, SERVER_VERSION_BYTES);
	uint8_t header_bytes;
	size_t left;

	m.server_version = tr_slice_of(version.ptr, version.ptr ? strnlen((const char *)version.ptr, version.len) : 0);
	m.created_s = (uint32_t)tr_reader_le(&c->r, 4);
	header_bytes = tr_reader_u8(&c->r);
	left = tr_reader_left(&c->r);
	if (c->r.failed || left < 1)
		tr_reader_fail(&c->r, 1);
	if (tr_bl_finish(c, err) != 0)
		return -1;
	if (m.version != 4 || header_bytes != TR_BL_HEADER_BYTES)
		return tr_bl_fail(c, TR_E_DECODE_UNKNOWN, err, "log format %u with headers of %u bytes; known is 4 with %d", m.version,
		                  header_bytes, TR_BL_HEADER_BYTES);
	d->post_count = left - 1 < sizeof(d->post_bytes) ? left - 1 : sizeof(d->post_bytes);
	memcpy(d->post_bytes, c->r.at, d->post_count);
	d->mariadb = d->post_count >= BL_ANNOTATE_ROWS;
	const uint8_t algorithm = c->r.at[left - 1];
	if (algorithm > CHECKSUM_CRC32)
		return tr_bl_fail(c, TR_E_DECODE_UNKNOWN, err, "checksum algorithm %u is not known", algorithm);
	m.checksums = d->checksums = algorithm == CHECKSUM_CRC32;
	d->has_format = true;
	return d->handler.format ? d->handler.format(d->context, &c->e, &m, err) : 0;
}

static int read_rotate(tr_bl_cursor *c, tr_err *err)
{
	tr_reader post = tr_bl_post(c, 8);
	tr_bl_rotate m = {.position = tr_reader_le(&post, 8)};

	m.file = tr_reader_bytes(&c->r, tr_reader_left(&c->r));
	if (tr_bl_finish(c, err) != 0)
		return -1;
	const tr_bl_handler *h = &c->d->handler;
	if (h->rotate && h->rotate(c->d->context, &c->e, &m, err) != 0)
		return -1;
	if (set_file(c->d, m.file, m.position) != 0)
		return tr_bl_fail(c, TR_E_DECODE_VALUE, err, "the next file's name is none, or has more than %d bytes",
		                  TR_BL_FILE_MAX - 1);
	/* For `end`: the log goes on in that file. */
	c->e.start = c->e.end = m.position;
	return 0;
}

static int read_heartbeat(tr_bl_cursor *c, tr_err *err)
{
	tr_bl_heartbeat m = {.file = tr_slice_of(c->r.at, tr_reader_left(&c->r)), .position = c->e.end};

	return c->d->handler.heartbeat ? c->d->handler.heartbeat(c->d->context, &c->e, &m, err) : 0;
}

/* Fields of type, length and value; type 0 ends them. Unknown ones are passed over. */
static int read_heartbeat_v2(tr_bl_cursor *c, tr_err *err)
{
	enum { END, FILE_NAME, POSITION };
	tr_bl_heartbeat m = {.position = c->e.end};
	uint64_t type;

	while (!c->r.failed && tr_reader_left(&c->r) > 0 && (type = tr_bl_packed(&c->r)) != END) {
		tr_reader field;

		tr_reader_init(&field, tr_reader_bytes(&c->r, tr_bl_packed(&c->r)));
		if (type == FILE_NAME)
			m.file = tr_slice_of(field.start, tr_reader_left(&field));
		else if (type == POSITION)
			m.position = tr_bl_packed(&field);
		if (field.failed)
			tr_reader_fail(&c->r, 1);
	}
	if (tr_bl_finish(c, err) != 0)
		return -1;
	c->d->position = c->e.start = c->e.end = m.position;
	return c->d->handler.heartbeat ? c->d->handler.heartbeat(c->d->context, &c->e, &m, err) : 0;
}

static int read_incident(tr_bl_cursor *c, tr_err *err)
{
	tr_reader post = tr_bl_post(c, 2);
	tr_bl_incident m = {.number = (uint16_t)tr_reader_le(&post, 2)};

	m.message = tr_reader_bytes(&c->r, tr_reader_u8(&c->r));
	if (tr_bl_finish(c, err) != 0)
		return -1;
	return c->d->handler.incident ? c->d->handler.incident(c->d->context, &c->e, &m, err) : 0;
}

static int read_xid(tr_bl_cursor *c, tr_err *err)
{
	tr_reader post = tr_bl_post(c, 0);
	uint64_t xid;

	(void)post;
	xid = tr_reader_le(&c->r, 8);
	if (tr_bl_finish(c, err) != 0)
		return -1;
	return c->d->handler.xid ? c->d->handler.xid(c->d->context, &c->e, xid, err) : 0;
}

static int read_xa_prepare(tr_bl_cursor *c, tr_err *err)
{
	tr_reader post = tr_bl_post(c, 0);
	tr_bl_xid m = {0};
	bool one_phase = tr_reader_u8(&c->r) != 0;
	uint32_t gtrid_bytes, bqual_bytes;

	(void)post;
	m.format_id = (int32_t)tr_reader_le(&c->r, 4);
	gtrid_bytes = (uint32_t)tr_reader_le(&c->r, 4);
	bqual_bytes = (uint32_t)tr_reader_le(&c->r, 4);
	if (gtrid_bytes > TR_BL_XID_MAX || bqual_bytes > TR_BL_XID_MAX)
		return tr_bl_fail(c, TR_E_DECODE_VALUE, err, "the transaction's name has parts of %u and %u bytes", gtrid_bytes,
		                  bqual_bytes);
	m.gtrid = tr_reader_bytes(&c->r, gtrid_bytes);
	m.bqual = tr_reader_bytes(&c->r, bqual_bytes);
	if (tr_bl_finish(c, err) != 0)
		return -1;
	return c->d->handler.xa_prepare ? c->d->handler.xa_prepare(c->d->context, &c->e, &m, one_phase, err) : 0;
}

static int read_previous_gtids(tr_bl_cursor *c, tr_err *err)
{
	tr_slice set = tr_slice_of(c->r.at, tr_reader_left(&c->r));

	return c->d->handler.previous_gtids ? c->d->handler.previous_gtids(c->d->context, &c->e, set, err) : 0;
}

/* The events with nothing to tell: what they prepare is either in the rows, or in a statement that the QUERY event shows. */
static int read_other(const tr_bl_cursor *c, tr_err *err)
{
	switch (c->e.type) {
	case TR_BL_STOP_EVENT: case BL_INTVAR: case BL_APPEND_BLOCK: case BL_DELETE_FILE: case BL_RAND: case BL_USER_VAR:
	case BL_BEGIN_LOAD_QUERY: case BL_IGNORABLE: case BL_TRANSACTION_CONTEXT: case BL_VIEW_CHANGE: case BL_BINLOG_CHECKPOINT:
	case BL_START_ENCRYPTION:
		return 0;
	default:
		if (c->e.flags & TR_BL_FLAG_IGNORABLE)
			return 0;
		return tr_bl_fail(c, TR_E_DECODE_UNKNOWN, err,
		                  "this type is not known and its flags (0x%04x) do not allow to pass over it", c->e.flags);
	}
}

int tr_bl_dispatch(tr_bl_cursor *c, tr_err *err)
{
	switch (c->e.type) {
	case BL_WRITE_ROWS: case BL_UPDATE_ROWS: case BL_DELETE_ROWS: case BL_PARTIAL_UPDATE_ROWS: case BL_WRITE_ROWS_V1:
	case BL_UPDATE_ROWS_V1: case BL_DELETE_ROWS_V1: case BL_WRITE_ROWS_COMPRESSED_V1: case BL_UPDATE_ROWS_COMPRESSED_V1:
	case BL_DELETE_ROWS_COMPRESSED_V1: case BL_WRITE_ROWS_COMPRESSED: case BL_UPDATE_ROWS_COMPRESSED:
	case BL_DELETE_ROWS_COMPRESSED:
		return tr_bl_read_rows(c, err);
	case TR_BL_TABLE_MAP_EVENT: return tr_bl_read_table_map(c, err);
	case TR_BL_QUERY_EVENT: return tr_bl_read_query(c, false, false, err);
	case BL_QUERY_COMPRESSED: return tr_bl_read_query(c, false, true, err);
	case BL_EXECUTE_LOAD_QUERY: return tr_bl_read_query(c, true, false, err);
	case TR_BL_XID_EVENT: return read_xid(c, err);
	case TR_BL_GTID_EVENT: case TR_BL_ANONYMOUS_GTID_EVENT: return tr_bl_read_gtid(c, err);
	case TR_BL_GTID_TAGGED_EVENT: return tr_bl_read_tagged_gtid(c, err);
	case TR_BL_MARIADB_GTID_EVENT: return tr_bl_read_mariadb_gtid(c, err);
	case TR_BL_MARIADB_GTID_LIST_EVENT: return tr_bl_read_gtid_list(c, err);
	case BL_ROWS_QUERY: return tr_bl_read_rows_query(c, err);
	case BL_ANNOTATE_ROWS: return tr_bl_read_annotate(c, err);
	case TR_BL_TRANSACTION_PAYLOAD_EVENT: return tr_bl_read_payload(c, err);
	case BL_PARTIAL_ROW_DATA: return tr_bl_read_piece(c, err);
	case TR_BL_XA_PREPARE_EVENT: return read_xa_prepare(c, err);
	case TR_BL_PREVIOUS_GTIDS_EVENT: return read_previous_gtids(c, err);
	case TR_BL_ROTATE_EVENT: return read_rotate(c, err);
	case TR_BL_FORMAT_EVENT: return read_format(c, err);
	case TR_BL_HEARTBEAT_EVENT: return read_heartbeat(c, err);
	case TR_BL_HEARTBEAT_V2_EVENT: return read_heartbeat_v2(c, err);
	case TR_BL_INCIDENT_EVENT: return read_incident(c, err);
	default: return read_other(c, err);
	}
}

/* What may come before the log has told its format. */
static bool needs_no_format(uint8_t type)
{
	return type == TR_BL_FORMAT_EVENT || type == TR_BL_ROTATE_EVENT || type == TR_BL_HEARTBEAT_EVENT ||
	       type == TR_BL_HEARTBEAT_V2_EVENT;
}

static void give_back(tr_writer *w)
{
	if (w->cap > KEEP_BYTES)
		tr_writer_release(w);
}

static void give_back_buffers(tr_bl_decoder *d)
{
	give_back(&d->inflated);
	give_back(&d->inner);
	if (d->pieces.count == 0)
		give_back(&d->pieces.joined);
	if (d->scratch.used > KEEP_BYTES)
		tr_arena_release(&d->scratch);
	if (d->zstd && ZSTD_sizeof_DCtx(d->zstd) > KEEP_BYTES) {
		ZSTD_freeDCtx(d->zstd);
		d->zstd = NULL;
	}
}

void tr_bl_describe_next(const tr_bl_decoder *d, tr_writer *out)
{
	tr_writer_format(out, "%s:%llu", d->file[0] ? d->file : "(unnamed log)", (unsigned long long)d->position);
	tr_bl_list_tables(d, out);
}

int tr_bl_decode(tr_bl_decoder *d, tr_slice event, tr_err *err)
{
	tr_bl_cursor c = {.d = d};
	uint32_t next_position;

	TR_CHECK_OBJ(d, DECODER_MAGIC);
	if (!tr_bl_header(event, &c.e, &next_position))
		return tr_err_set(err, TR_E_DECODE_SHORT, "a binlog event of %zu bytes has no room for its header", event.len);
	place(&c, next_position);
	if (c.e.size != event.len)
		return tr_bl_fail(&c, TR_E_DECODE_PROTOCOL, err, "its header tells %u bytes, but %zu came", c.e.size, event.len);
	if (event.len > d->event_max_bytes)
		return tr_bl_too_big(&c, event.len, err);
	if (!d->has_format && !needs_no_format(c.e.type))
		return tr_bl_fail(&c, TR_E_DECODE_PROTOCOL, err, "it comes before the log's Format_desc event");
	if (take_checksum(&c, &event, err) != 0)
		return -1;
	tr_reader_init(&c.r, tr_slice_of(event.ptr + TR_BL_HEADER_BYTES, event.len - TR_BL_HEADER_BYTES));
	if (tr_bl_dispatch(&c, err) != 0)
		return -1;
	give_back_buffers(d);
	return d->handler.end ? d->handler.end(d->context, &c.e, err) : 0;
}
