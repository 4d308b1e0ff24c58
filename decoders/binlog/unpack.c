#define ZLIB_CONST
#include <zlib.h>
#include <zstd_errors.h>

#include "decoders/binlog/decoder.h"

#define PACKED 0x80         /* MariaDB: first byte of what is packed */
#define ALGORITHM_MASK 0x70 /* of an event; 0 is zlib */
#define RAW_DEFLATE 0x08    /* of a column: without zlib's own header */
#define LENGTH_MASK 0x07    /* bytes of the length that follows */
#define LENGTH_BYTES_MAX 4
#define ZSTD_WINDOW_LOG_MAX 27

/* The first byte's length field; false when damaged. */
static bool read_length(tr_reader *r, unsigned bytes, uint64_t *out)
{
	*out = 0;
	if (bytes < 1 || bytes > LENGTH_BYTES_MAX)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		*out = *out << 8 | tr_reader_u8(r);
	return !r->failed;
}

/* The whole of `in` must give exactly `len` bytes. */
static bool inflate_into(tr_slice in, int window_bits, uint8_t *out, size_t len)
{
	z_stream z = {.next_in = in.ptr, .avail_in = (uInt)in.len, .next_out = out, .avail_out = (uInt)len};
	bool right;

	if (inflateInit2(&z, window_bits) != Z_OK)
		return false;
	right = inflate(&z, Z_FINISH) == Z_STREAM_END && z.avail_out == 0;
	inflateEnd(&z);
	return right;
}

int tr_bl_inflate_event(tr_bl_cursor *c, tr_slice packed, tr_slice *out, tr_err *err)
{
	tr_writer *w = &c->d->inflated;
	uint64_t bytes;
	unsigned head;
	tr_reader r;

	tr_reader_init(&r, packed);
	head = tr_reader_u8(&r);
	if (!(head & PACKED) || (head & ALGORITHM_MASK) || !read_length(&r, head & LENGTH_MASK, &bytes))
		return tr_bl_fail(c, TR_E_DECODE_UNKNOWN, err, "its compression (first byte 0x%02x) is not known", head);
	if (bytes > c->d->event_max_bytes)
		return tr_bl_too_big(c, bytes, err);
	tr_writer_reset(w);
	/* One more, so that nothing is something, too. */
	if (!tr_writer_reserve(w, (size_t)bytes) || !w->data)
		return bytes > 0 ? tr_bl_oom(c, err) : tr_bl_fail(c, TR_E_DECODE_VALUE, err, "it is compressed from nothing");
	if (!inflate_into(tr_slice_of(r.at, tr_reader_left(&r)), MAX_WBITS, w->data, (size_t)bytes))
		return tr_bl_fail(c, TR_E_DECODE_VALUE, err, "its compressed bytes do not unpack to the %llu they should",
		                  (unsigned long long)bytes);
	w->len = (size_t)bytes;
	*out = tr_writer_view(w);
	return 0;
}

/* MariaDB manual, "Storage-Engine Independent Column Compression": a byte of method, then as for events. */
int tr_bl_inflate_value(tr_slice packed, tr_arena *scratch, tr_slice *out)
{
	uint64_t bytes;
	unsigned head;
	uint8_t *at;
	tr_reader r;

	*out = packed;
	if (packed.len == 0)
		return 0;
	tr_reader_init(&r, packed);
	head = tr_reader_u8(&r);
	if (head == 0) {
		*out = tr_slice_of(r.at, tr_reader_left(&r));
		return 0;
	}
	if (!(head & PACKED) || (head & ALGORITHM_MASK) || !read_length(&r, head & LENGTH_MASK, &bytes) || bytes == 0)
		return -1;
	at = tr_arena_alloc(scratch, (size_t)bytes);
	if (!at)
		return -2;
	*out = tr_slice_of(at, (size_t)bytes);
	return inflate_into(tr_slice_of(r.at, tr_reader_left(&r)), head & RAW_DEFLATE ? -MAX_WBITS : MAX_WBITS, at,
	                    (size_t)bytes) ? 0 : -1;
}

/* Reports one inner event. Its place is the payload's, its checksum and position are not there. */
static int dispatch_inner(tr_bl_cursor *outer, tr_slice event, tr_err *err)
{
	tr_bl_cursor c = {.d = outer->d};
	uint32_t ignored;

	if (!tr_bl_header(event, &c.e, &ignored))
		return tr_bl_fail(outer, TR_E_DECODE_SHORT, err, "an inner event has no room for its header");
	c.e.inside = true;
	c.e.file = outer->e.file;
	c.e.start = outer->e.start;
	c.e.end = outer->e.end;
	switch (c.e.type) {
	case TR_BL_TRANSACTION_PAYLOAD_EVENT: case TR_BL_FORMAT_EVENT: case TR_BL_ROTATE_EVENT: case TR_BL_HEARTBEAT_EVENT:
	case TR_BL_HEARTBEAT_V2_EVENT: case BL_PARTIAL_ROW_DATA:
		return tr_bl_fail(outer, TR_E_DECODE_PROTOCOL, err, "an inner event of type %u, which cannot be inside", c.e.type);
	default: break;
	}
	tr_reader_init(&c.r, tr_slice_of(event.ptr + TR_BL_HEADER_BYTES, event.len - TR_BL_HEADER_BYTES));
	return tr_bl_dispatch(&c, err);
}

/* How many bytes the inner event that `have` begins has; 0: its header is not complete yet. */
static int inner_bytes(const tr_bl_cursor *c, tr_slice have, size_t *out, tr_err *err)
{
	tr_bl_event e;
	uint32_t ignored;

	*out = 0;
	if (!tr_bl_header(have, &e, &ignored))
		return 0;
	if (e.size < TR_BL_HEADER_BYTES)
		return tr_bl_fail(c, TR_E_DECODE_PROTOCOL, err, "an inner event of %u bytes", e.size);
	if (e.size > c->d->event_max_bytes)
		return tr_bl_too_big(c, e.size, err);
	*out = e.size;
	return 0;
}

static int read_plain_payload(tr_bl_cursor *c, tr_slice events, tr_err *err)
{
	while (events.len > 0) {
		size_t bytes;

		if (inner_bytes(c, events, &bytes, err) != 0)
			return -1;
		if (bytes == 0 || bytes > events.len)
			return tr_bl_fail(c, TR_E_DECODE_SHORT, err, "its last inner event is cut off");
		if (dispatch_inner(c, tr_slice_of(events.ptr, bytes), err) != 0)
			return -1;
		events = tr_slice_of(events.ptr + bytes, events.len - bytes);
	}
	return 0;
}

/* A window larger than the limit would be memory of the same size: refused by zstd itself. */
static int start_zstd(tr_bl_cursor *c, tr_err *err)
{
	tr_bl_decoder *d = c->d;
	int window_log = 10;

	if (!d->zstd && !(d->zstd = ZSTD_createDCtx()))
		return tr_bl_oom(c, err);
	while (window_log < ZSTD_WINDOW_LOG_MAX && ((size_t)2 << window_log) <= d->event_max_bytes)
		window_log++;
	ZSTD_DCtx_reset(d->zstd, ZSTD_reset_session_only);
	ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, window_log);
	return 0;
}

/* A payload being unpacked. */
typedef struct stream {
	ZSTD_inBuffer in;
	bool whole; /* the compressed stream has come to its own end */
	bool ended; /* nothing more comes out */
} stream;

static int fail_zstd(const tr_bl_cursor *c, size_t result, tr_err *err)
{
	if (ZSTD_getErrorCode(result) != ZSTD_error_frameParameter_windowTooLarge)
		return tr_bl_fail(c, TR_E_DECODE_VALUE, err, "zstd: %s", ZSTD_getErrorName(result));
	tr_bl_fail(c, TR_E_BATCH_LIMIT, err, "unpacking needs a window larger than the limit of %zu bytes", c->d->event_max_bytes);
	return tr_err_hint(err, "everything before this transaction is safe; raise limits.memory");
}

/* Fills the buffer of the inner event up to `wanted` bytes, unless the stream ends before. */
static int fill_inner(tr_bl_cursor *c, stream *s, size_t wanted, tr_err *err)
{
	tr_writer *w = &c->d->inner;

	if (!tr_writer_reserve(w, wanted - w->len))
		return tr_bl_oom(c, err);
	while (w->len < wanted) {
		ZSTD_outBuffer out = {.dst = w->data + w->len, .size = wanted - w->len};
		size_t before = s->in.pos, result = ZSTD_decompressStream(c->d->zstd, &out, &s->in);

		if (ZSTD_isError(result))
			return fail_zstd(c, result, err);
		w->len += out.pos;
		if (out.pos == 0 && s->in.pos == before) {
			s->ended = true;
			return 0;
		}
		s->whole = result == 0;
	}
	return 0;
}

static int read_zstd_payload(tr_bl_cursor *c, tr_slice packed, tr_err *err)
{
	stream s = {.in = {.src = packed.ptr, .size = packed.len}};
	tr_writer *w = &c->d->inner;
	size_t bytes;

	if (start_zstd(c, err) != 0)
		return -1;
	for (;;) {
		tr_writer_reset(w);
		if (fill_inner(c, &s, TR_BL_HEADER_BYTES, err) != 0)
			return -1;
		if (s.ended)
			break;
		if (inner_bytes(c, tr_writer_view(w), &bytes, err) != 0 || fill_inner(c, &s, bytes, err) != 0)
			return -1;
		if (s.ended)
			break;
		if (dispatch_inner(c, tr_writer_view(w), err) != 0)
			return -1;
	}
	if (w->len > 0 || !s.whole)
		return tr_bl_fail(c, TR_E_DECODE_SHORT, err, "its compressed bytes end before its last inner event does");
	return 0;
}

enum { PAYLOAD_END, PAYLOAD_SIZE, PAYLOAD_ALGORITHM, PAYLOAD_UNPACKED_SIZE };
enum { ALGORITHM_ZSTD = 0, ALGORITHM_NONE = 255 };

/* Fields of type, length and value up to type 0, then the events themselves. */
int tr_bl_read_payload(tr_bl_cursor *c, tr_err *err)
{
	uint64_t type, algorithm = ALGORITHM_NONE, size = UINT64_MAX;
	tr_slice events;

	while (!c->r.failed && (type = tr_bl_packed(&c->r)) != PAYLOAD_END) {
		tr_reader field;

		tr_reader_init(&field, tr_reader_bytes(&c->r, tr_bl_packed(&c->r)));
		if (c->r.failed)
			break;
		if (type == PAYLOAD_SIZE)
			size = tr_bl_packed(&field);
		else if (type == PAYLOAD_ALGORITHM)
			algorithm = tr_bl_packed(&field);
		if (field.failed)
			tr_reader_fail(&c->r, 1);
	}
	events = tr_reader_bytes(&c->r, size == UINT64_MAX ? tr_reader_left(&c->r) : size);
	if (tr_bl_finish(c, err) != 0)
		return -1;
	switch (algorithm) {
	case ALGORITHM_ZSTD: return read_zstd_payload(c, events, err);
	case ALGORITHM_NONE: return read_plain_payload(c, events, err);
	default:
		return tr_bl_fail(c, TR_E_DECODE_UNKNOWN, err, "compression algorithm %llu is not known", (unsigned long long)algorithm);
	}
}

#define PIECE_HAS_SIZE 0x01

/*
 * MariaDB 12.3, "PARTIAL_ROW_DATA_EVENT". Its manual page and the server's comments differ in which of the two numbers comes
 * first; the first piece has number 1 and says so (of a group of one piece both are 1).
 */
static int begin_pieces(tr_bl_cursor *c, uint32_t a, uint32_t b, uint8_t flags, tr_err *err)
{
	tr_bl_pieces *p = &c->d->pieces;

	if (!(flags & PIECE_HAS_SIZE) || (a != 1 && b != 1))
		return tr_bl_fail(c, TR_E_DECODE_PROTOCOL, err, "piece %u/%u without the first one before it", a, b);
	p->count_first = b == 1;
	p->count = p->count_first ? a : b;
	p->seen = 0;
	p->total_bytes = tr_reader_le(&c->r, 8);
	tr_writer_reset(&p->joined);
	if (p->total_bytes > c->d->event_max_bytes)
		return tr_bl_too_big(c, p->total_bytes, err);
	return 0;
}

/* The whole event, with its own header and without a checksum. */
static int finish_pieces(tr_bl_cursor *c, tr_err *err)
{
	tr_bl_pieces *p = &c->d->pieces;
	tr_slice event = tr_writer_view(&p->joined);
	tr_bl_cursor whole = *c;
	tr_bl_event e;
	uint32_t ignored;

	p->count = 0;
	if (event.len != p->total_bytes || !tr_bl_header(event, &e, &ignored))
		return tr_bl_fail(c, TR_E_DECODE_PROTOCOL, err, "the pieces have %zu bytes in all and should have %llu", event.len,
		                  (unsigned long long)p->total_bytes);
	if ((e.type < BL_WRITE_ROWS_V1 || e.type > BL_DELETE_ROWS_V1) && (e.type < BL_WRITE_ROWS || e.type > BL_DELETE_ROWS) &&
	    (e.type < BL_WRITE_ROWS_COMPRESSED_V1 || e.type > BL_DELETE_ROWS_COMPRESSED))
		return tr_bl_fail(c, TR_E_DECODE_PROTOCOL, err, "the pieces make an event of type %u, which has no rows", e.type);
	whole.e.type = e.type;
	tr_reader_init(&whole.r, tr_slice_of(event.ptr + TR_BL_HEADER_BYTES, event.len - TR_BL_HEADER_BYTES));
	return tr_bl_dispatch(&whole, err);
}

int tr_bl_read_piece(tr_bl_cursor *c, tr_err *err)
{
	tr_bl_pieces *p = &c->d->pieces;
	uint32_t a = (uint32_t)tr_reader_le(&c->r, 4), b = (uint32_t)tr_reader_le(&c->r, 4), number, count;
	uint8_t flags = tr_reader_u8(&c->r);
	tr_slice piece;

	if (tr_bl_finish(c, err) != 0)
		return -1;
	if ((p->count == 0 || flags & PIECE_HAS_SIZE) && begin_pieces(c, a, b, flags, err) != 0)
		return -1;
	number = p->count_first ? b : a;
	count = p->count_first ? a : b;
	if (number != p->seen + 1 || count != p->count || number > count)
		return tr_bl_fail(c, TR_E_DECODE_PROTOCOL, err, "piece %u of %u after piece %u of %u", number, count, p->seen, p->count);
	piece = tr_reader_bytes(&c->r, tr_reader_left(&c->r));
	if (tr_bl_finish(c, err) != 0)
		return -1;
	if (piece.len > p->total_bytes - p->joined.len)
		return tr_bl_fail(c, TR_E_DECODE_PROTOCOL, err, "the pieces have more than the %llu bytes they should",
		                  (unsigned long long)p->total_bytes);
	tr_writer_slice(&p->joined, piece);
	if (!tr_writer_ok(&p->joined))
		return tr_bl_oom(c, err);
	p->seen = number;
	return number == count ? finish_pieces(c, err) : 0;
}
