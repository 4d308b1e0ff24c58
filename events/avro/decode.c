#include "events/avro/decode.h"

#include <stdlib.h>

#include "core/arena.h"
#include "core/map.h"
#include "core/obj.h"
#include "core/reader.h"
#include "core/text.h"
#include "events/avro/node.h"
#include "events/json/json_text.h"

#define DEPTH_MAX 200 /* of a value: recursive schemas are legal */

struct tr_avro_decoder {
	uint32_t magic;
	tr_arena arena;
	const tr_avro_node *root;
};
#define DECODER_MAGIC 0xa720de01u

typedef struct decoding {
	tr_reader r;
	tr_writer *w;
	bool pretty;
	int depth;
	tr_err *err;
} decoding;

static int decode_node(decoding *d, const tr_avro_node *n);

/* Zig-zag, at most ten bytes. */
static int64_t read_long(decoding *d)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t byte = tr_reader_u8(&d->r);
		n |= shift < 64 ? (uint64_t)(byte & 0x7f) << shift : 0;
		if (!(byte & 0x80))
			return (int64_t)(n >> 1 ^ (0 - (n & 1)));
	}
	tr_reader_fail(&d->r, 1);
	return 0;
}

static tr_slice read_bytes(decoding *d)
{
	int64_t len = read_long(d);

	if (len < 0 || (uint64_t)len > tr_reader_left(&d->r)) {
		tr_reader_fail(&d->r, len < 0 ? 0 : (size_t)len);
		return tr_slice_of(NULL, 0);
	}
	return tr_reader_bytes(&d->r, (size_t)len);
}

static uint64_t read_le(decoding *d, unsigned n)
{
	return tr_reader_le(&d->r, n);
}

static int wrong(decoding *d, const char *what)
{
	tr_err_set(d->err, TR_E_DECODE_VALUE, "an Avro record does not match its schema: %s", what);
	return tr_err_detail(d->err, "at byte %zu of the body", tr_reader_offset(&d->r));
}

static void put_integer(decoding *d, const tr_avro_node *n, int64_t i)
{
	if (!d->pretty || !tr_avro_pretty_integer(n->meaning, i, d->w))
		tr_writer_decimal_i64(d->w, i);
}

static void put_bytes(decoding *d, const tr_avro_node *n, tr_slice bytes)
{
	if (d->pretty && n->meaning == TR_AVRO_DECIMAL && tr_avro_pretty_decimal(bytes, n->scale, d->w))
		return;
	tr_writer_u8(d->w, '"');
	tr_text_base64(d->w, bytes);
	tr_writer_u8(d->w, '"');
}

static int decode_int(decoding *d, const tr_avro_node *n)
{
	int64_t i = read_long(d);

	if (i < INT32_MIN || i > INT32_MAX)
		return wrong(d, "an int is out of range");
	put_integer(d, n, i);
	return 0;
}

static void decode_float(decoding *d)
{
	uint32_t bits = (uint32_t)read_le(d, 4);
	float f;

	memcpy(&f, &bits, sizeof(f));
	tr_json_float(d->w, f);
}

static void decode_double(decoding *d)
{
	uint64_t bits = read_le(d, 8);
	double f;

	memcpy(&f, &bits, sizeof(f));
	tr_json_double(d->w, f);
}

static int decode_boolean(decoding *d)
{
	uint8_t byte = tr_reader_u8(&d->r);

	if (byte > 1)
		return wrong(d, "a boolean is neither 0 nor 1");
	tr_writer_text(d->w, byte ? "true" : "false");
	return 0;
}

static int decode_enum(decoding *d, const tr_avro_node *n)
{
	int64_t i = read_long(d);

	if (i < 0 || (uint64_t)i >= n->count)
		return wrong(d, "an enum has no such symbol");
	tr_json_string(d->w, tr_slice_str(n->names[i]));
	return 0;
}

static int decode_union(decoding *d, const tr_avro_node *n)
{
	int64_t i = read_long(d);

	if (i < 0 || (uint64_t)i >= n->count)
		return wrong(d, "a union has no such branch");
	return decode_node(d, n->inner[i]);
}

/* Blocks of items until an empty one; a negative count is followed by the block's size in bytes. */
static int decode_blocks(decoding *d, const tr_avro_node *n)
{
	bool map = n->kind == TR_AVRO_MAP, first = true;

	tr_writer_u8(d->w, map ? '{' : '[');
	for (;;) {
		int64_t count = read_long(d);
		if (count < 0) {
			read_long(d);
			count = count == INT64_MIN ? INT64_MAX : -count;
		}
		if (count == 0 || d->r.failed)
			break;
		/* Items may take no bytes at all, so what ends a lying count is the writer's maximum. */
		for (; count > 0 && !d->r.failed && tr_writer_ok(d->w); count--, first = false) {
			if (!first)
				tr_writer_u8(d->w, ',');
			if (map) {
				tr_json_string(d->w, read_bytes(d));
				tr_writer_u8(d->w, ':');
			}
			if (decode_node(d, n->inner[0]) != 0)
				return -1;
		}
		if (!tr_writer_ok(d->w))
			break;
	}
	tr_writer_u8(d->w, map ? '}' : ']');
	return 0;
}

/* {"scale":2,"value":"..."} of Debezium as one number; false when it has to be shown as the record it is. */
static bool decode_variable_decimal(decoding *d, const tr_avro_node *n)
{
	tr_reader start = d->r;

	if (!d->pretty || n->meaning != TR_AVRO_VARIABLE_DECIMAL)
		return false;
	int64_t scale = read_long(d);
	tr_slice bytes = read_bytes(d);
	if (!d->r.failed && scale >= INT32_MIN && scale <= INT32_MAX && tr_avro_pretty_decimal(bytes, (int)scale, d->w))
		return true;
	d->r = start;
	return false;
}

static int decode_record(decoding *d, const tr_avro_node *n)
{
	if (decode_variable_decimal(d, n))
		return 0;
	tr_writer_u8(d->w, '{');
	for (size_t i = 0; i < n->count && !d->r.failed && tr_writer_ok(d->w); i++) {
		if (i > 0)
			tr_writer_u8(d->w, ',');
		tr_json_string(d->w, tr_slice_str(n->names[i]));
		tr_writer_u8(d->w, ':');
		if (decode_node(d, n->inner[i]) != 0)
			return -1;
	}
	tr_writer_u8(d->w, '}');
	return 0;
}

static int decode_compound(decoding *d, const tr_avro_node *n)
{
	if (d->depth >= DEPTH_MAX)
		return wrong(d, "it is nested too deeply");
	d->depth++;
	int result = n->kind == TR_AVRO_RECORD ? decode_record(d, n)
	             : n->kind == TR_AVRO_UNION ? decode_union(d, n) : decode_blocks(d, n);
	d->depth--;
	return result;
}

static int decode_node(decoding *d, const tr_avro_node *n)
{
	switch (n->kind) {
	case TR_AVRO_NULL:
		tr_writer_put(d->w, "null", 4);
		return 0;
	case TR_AVRO_BOOLEAN:
		return decode_boolean(d);
	case TR_AVRO_INT:
		return decode_int(d, n);
	case TR_AVRO_LONG:
		put_integer(d, n, read_long(d));
		return 0;
	case TR_AVRO_FLOAT:
		decode_float(d);
		return 0;
	case TR_AVRO_DOUBLE:
		decode_double(d);
		return 0;
	case TR_AVRO_BYTES:
		put_bytes(d, n, read_bytes(d));
		return 0;
	case TR_AVRO_FIXED:
		put_bytes(d, n, tr_reader_bytes(&d->r, n->size));
		return 0;
	case TR_AVRO_STRING:
		tr_json_string(d->w, read_bytes(d));
		return 0;
	case TR_AVRO_ENUM:
		return decode_enum(d, n);
	default:
		return decode_compound(d, n);
	}
}

int tr_avro_decoder_new(tr_avro_decoder **out, tr_slice schema, tr_err *err)
{
	tr_avro_decoder *d = calloc(1, sizeof(*d));

	*out = NULL;
	if (!d)
		return tr_err_set(err, TR_E_MEMORY, "out of memory while reading an Avro schema");
	d->magic = DECODER_MAGIC;
	tr_arena_init(&d->arena, TR_AVRO_SCHEMA_BYTES);
	if (tr_avro_node_parse(&d->arena, schema, &d->root, err) != 0) {
		tr_avro_decoder_free(d);
		return -1;
	}
	*out = d;
	return 0;
}

void tr_avro_decoder_free(tr_avro_decoder *d)
{
	if (!d)
		return;
	TR_CHECK_OBJ(d, DECODER_MAGIC);
	d->magic = 0;
	tr_arena_release(&d->arena);
	free(d);
}

int tr_avro_decode(const tr_avro_decoder *decoder, tr_slice body, tr_avro_style style, tr_writer *w, tr_err *err)
{
	decoding d = {.w = w, .pretty = style == TR_AVRO_PRETTY, .err = err};

	TR_CHECK_OBJ(decoder, DECODER_MAGIC);
	tr_reader_init(&d.r, body);
	if (decode_node(&d, decoder->root) != 0)
		return -1;
	if (d.r.failed)
		return tr_reader_error(&d.r, "an Avro record", err);
	if (!tr_writer_ok(w))
		return tr_err_set(err, TR_E_DECODE_VALUE, "an Avro record is too large to show");
	if (tr_reader_left(&d.r) > 0)
		return wrong(&d, "bytes are left after its end");
	return 0;
}

int tr_avro_unframe(tr_slice record, int32_t *out_id, tr_slice *out_body, tr_err *err)
{
	tr_reader r;

	tr_reader_init(&r, record);
	uint8_t magic = tr_reader_u8(&r);
	uint32_t id = tr_reader_be32(&r);
	if (r.failed)
		return tr_reader_error(&r, "the schema id of a record", err);
	if (magic != 0 || id > INT32_MAX)
		return tr_err_set(err, TR_E_DECODE_VALUE, "a record does not start with a zero byte and a schema id");
	*out_id = (int32_t)id;
	*out_body = tr_slice_of(r.at, tr_reader_left(&r));
	return 0;
}
