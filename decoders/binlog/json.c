#include "decoders/binlog/json.h"

#include "decoders/binlog/convert.h"
#include "decoders/binlog/json_value.h"

#define DECIMAL_TYPE 246
#define BASE64_LINE 57 /* bytes: the server breaks its base64 into lines */

bool tr_bl_json_fail(tr_bl_json_text *t, const char *why)
{
	if (!t->why && !t->full)
		t->why = why;
	return false;
}

bool tr_bl_json_room(tr_bl_json_text *t, size_t bytes)
{
	size_t cap = t->cap;
	uint8_t *data;

	if (bytes <= t->cap - t->len)
		return true;
	if (t->full || t->why)
		return false;
	while (cap - t->len < bytes)
		cap = cap < 64 ? 128 : 2 * cap;
	data = tr_arena_alloc(t->scratch, cap);
	if (!data) {
		t->full = true;
		return false;
	}
	if (t->len > 0)
		memcpy(data, t->data, t->len);
	t->data = data;
	t->cap = cap;
	return true;
}

bool tr_bl_json_put(tr_bl_json_text *t, const void *bytes, size_t len)
{
	if (!tr_bl_json_room(t, len))
		return false;
	if (len > 0)
		memcpy(t->data + t->len, bytes, len);
	t->len += len;
	return true;
}

/* The letter of a two-character escape, 'u' for the other control characters, 0 for what stands for itself. */
static char escape_of(uint8_t c)
{
	switch (c) {
	case '"': case '\\': return (char)c;
	case '\b': return 'b';
	case '\f': return 'f';
	case '\n': return 'n';
	case '\r': return 'r';
	case '\t': return 't';
	default: return c < 0x20 ? 'u' : 0;
	}
}

bool tr_bl_json_put_string(tr_bl_json_text *t, tr_slice text)
{
	static const char hex[] = "0123456789abcdef";
	size_t plain = 0;

	if (!tr_bl_json_room(t, text.len + 2))
		return false;
	t->data[t->len++] = '"';
	for (size_t i = 0; i < text.len; i++) {
		char e = escape_of(text.ptr[i]);
		const char letters[6] = {'\\', e, '0', '0', hex[text.ptr[i] >> 4], hex[text.ptr[i] & 15]};

		if (e == 0)
			continue;
		if (!tr_bl_json_put(t, text.ptr + plain, i - plain) || !tr_bl_json_put(t, letters, e == 'u' ? 6 : 2))
			return false;
		plain = i + 1;
	}
	return tr_bl_json_put(t, text.ptr + plain, text.len - plain) && tr_bl_json_put(t, "\"", 1);
}

bool tr_bl_json_document(tr_slice bytes, tr_bl_json_value *out)
{
	/* No bytes at all: what INSERT IGNORE leaves for NULL in a NOT NULL column. */
	static const uint8_t null_document[] = {TR_BL_JSON_LITERAL, 0};

	if (bytes.len == 0)
		bytes = tr_slice_of(null_document, sizeof(null_document));
	*out = (tr_bl_json_value){.type = bytes.ptr[0], .bytes = tr_slice_of(bytes.ptr + 1, bytes.len - 1)};
	return bytes.len > 1;
}

bool tr_bl_json_open(const tr_bl_json_value *value, tr_bl_json_container *out)
{
	bool large = value->type == TR_BL_JSON_LARGE_OBJECT || value->type == TR_BL_JSON_LARGE_ARRAY;
	uint64_t size, entries;

	if (value->type > TR_BL_JSON_LARGE_ARRAY)
		return false;
	*out = (tr_bl_json_container){.object = value->type <= TR_BL_JSON_LARGE_OBJECT, .word = large ? 4 : 2};
	if (value->bytes.len < 2 * out->word)
		return false;
	out->count = (uint32_t)tr_bl_le(value->bytes.ptr, out->word);
	size = tr_bl_le(value->bytes.ptr + out->word, out->word);
	out->bytes = tr_slice_of(value->bytes.ptr, size);
	entries = (uint64_t)out->count * ((out->object ? out->word + 2 : 0) + 1 + out->word);
	return size <= value->bytes.len && 2 * out->word + entries <= size;
}

bool tr_bl_json_key(const tr_bl_json_container *c, uint32_t index, tr_slice *out)
{
	const uint8_t *entry = c->bytes.ptr + 2 * c->word + (size_t)index * (c->word + 2);
	uint64_t offset = tr_bl_le(entry, c->word), len = tr_bl_le(entry + c->word, 2);

	*out = tr_slice_of(c->bytes.ptr + offset, len);
	return offset + len <= c->bytes.len;
}

static bool stands_inline(uint8_t type, unsigned word)
{
	return type == TR_BL_JSON_LITERAL || type == TR_BL_JSON_INT16 || type == TR_BL_JSON_UINT16 ||
	       (word == 4 && (type == TR_BL_JSON_INT32 || type == TR_BL_JSON_UINT32));
}

bool tr_bl_json_child(const tr_bl_json_container *c, uint32_t index, tr_bl_json_value *out)
{
	size_t keys = c->object ? (size_t)c->count * (c->word + 2) : 0;
	const uint8_t *entry = c->bytes.ptr + 2 * c->word + keys + (size_t)index * (1 + c->word);
	uint64_t offset = tr_bl_le(entry + 1, c->word);

	out->type = entry[0];
	if (stands_inline(out->type, c->word)) {
		out->bytes = tr_slice_of(entry + 1, c->word);
		return true;
	}
	out->bytes = tr_slice_of(c->bytes.ptr + offset, c->bytes.len - offset);
	return offset < c->bytes.len;
}

static const char too_short[] = "a JSON value ends too early";

/* Length in groups of seven bits, least first, at most five of them; then the bytes. */
static bool take_counted(tr_slice *rest, tr_slice *out)
{
	uint64_t len = 0;

	for (size_t i = 0; i < 5 && i < rest->len; i++) {
		len |= (uint64_t)(rest->ptr[i] & 0x7f) << 7 * i;
		if (rest->ptr[i] & 0x80)
			continue;
		*out = tr_slice_of(rest->ptr + i + 1, len);
		return len <= rest->len - i - 1;
	}
	return false;
}

static bool put_integer(tr_bl_json_text *t, const tr_bl_json_value *value)
{
	static const uint8_t sizes[] = {2, 2, 4, 4, 8, 8};
	unsigned size = sizes[value->type - TR_BL_JSON_INT16];
	bool has_sign = (value->type - TR_BL_JSON_INT16) % 2 == 0;
	uint64_t number;
	uint8_t *at;

	if (value->bytes.len < size)
		return tr_bl_json_fail(t, too_short);
	if (!tr_bl_json_room(t, 24))
		return false;
	number = tr_bl_le(value->bytes.ptr, size);
	at = t->data + t->len;
	if (has_sign && number >> (8 * size - 1)) {
		*at++ = '-';
		number = (0 - number) << (64 - 8 * size) >> (64 - 8 * size);
	}
	t->len = (size_t)(tr_bl_put_u64(at, number) - t->data);
	return true;
}

/* A double shows that it is one. */
static bool put_real(tr_bl_json_text *t, tr_slice bytes)
{
	uint64_t bits;
	double value;
	uint8_t *start, *end;

	if (bytes.len < 8)
		return tr_bl_json_fail(t, too_short);
	if (!tr_bl_json_room(t, TR_BL_DOUBLE_BYTES + 2))
		return false;
	bits = tr_bl_le(bytes.ptr, 8);
	memcpy(&value, &bits, sizeof(value));
	start = t->data + t->len;
	end = tr_bl_put_double(start, value);
	if (!memchr(start, '.', (size_t)(end - start)) && !memchr(start, 'e', (size_t)(end - start))) {
		*end++ = '.';
		*end++ = '0';
	}
	t->len = (size_t)(end - t->data);
	return true;
}

/* Precision, scale, then the packed digits. */
static bool put_decimal(tr_bl_json_text *t, tr_slice bytes)
{
	uint8_t *end;

	if (bytes.len < 3)
		return tr_bl_json_fail(t, too_short);
	if (!tr_bl_json_room(t, TR_BL_DECIMAL_TEXT_BYTES))
		return false;
	end = tr_bl_put_decimal(t->data + t->len, bytes.ptr + 2, bytes.len - 2, bytes.ptr[0], bytes.ptr[1]);
	if (!end)
		return tr_bl_json_fail(t, "a decimal in JSON is none");
	t->len = (size_t)(end - t->data);
	return true;
}

static bool put_moment(tr_bl_json_text *t, uint8_t type, tr_slice bytes)
{
	tr_bl_moment m;
	uint8_t *at;

	if (bytes.len != 8 || !tr_bl_moment_packed((int64_t)tr_bl_le(bytes.ptr, 8), type == TR_BL_TIME, &m))
		return tr_bl_json_fail(t, "a date or time in JSON is none");
	if (!tr_bl_json_room(t, 48))
		return false;
	at = t->data + t->len;
	*at++ = '"';
	if (type != TR_BL_TIME)
		at = tr_bl_put_date(at, &m);
	if (type == TR_BL_DATETIME || type == TR_BL_TIMESTAMP)
		*at++ = ' ';
	if (type != TR_BL_DATE)
		at = tr_bl_put_time(at, &m, 6);
	*at++ = '"';
	t->len = (size_t)(at - t->data);
	return true;
}

static bool put_base64(tr_bl_json_text *t, uint8_t type, tr_slice bytes)
{
	if (!tr_bl_json_put(t, "\"base64:type", 12) || !tr_bl_json_room(t, 8))
		return false;
	t->len = (size_t)(tr_bl_put_u64(t->data + t->len, type) - t->data);
	if (!tr_bl_json_put(t, ":", 1))
		return false;
	for (size_t at = 0; at < bytes.len; at += BASE64_LINE) {
		size_t len = bytes.len - at < BASE64_LINE ? bytes.len - at : BASE64_LINE;

		if ((at > 0 && !tr_bl_json_put(t, "\\n", 2)) || !tr_bl_json_room(t, 4 * (BASE64_LINE / 3 + 1)))
			return false;
		t->len = (size_t)(tr_bl_put_base64(t->data + t->len, tr_slice_of(bytes.ptr + at, len), false) - t->data);
	}
	return tr_bl_json_put(t, "\"", 1);
}

/* A type of SQL, its length, its bytes. */
static bool put_opaque(tr_bl_json_text *t, tr_slice rest)
{
	uint8_t type;
	tr_slice bytes;

	if (rest.len < 1)
		return tr_bl_json_fail(t, too_short);
	type = *rest.ptr++;
	rest.len--;
	if (!take_counted(&rest, &bytes))
		return tr_bl_json_fail(t, too_short);
	switch (type) {
	case DECIMAL_TYPE: return put_decimal(t, bytes);
	case TR_BL_DATE: case TR_BL_TIME: case TR_BL_DATETIME: case TR_BL_TIMESTAMP: return put_moment(t, type, bytes);
	default: return put_base64(t, type, bytes);
	}
}

static bool put_literal(tr_bl_json_text *t, tr_slice bytes)
{
	switch (bytes.len > 0 ? *bytes.ptr : 0xff) {
	case 0: return tr_bl_json_put(t, "null", 4);
	case 1: return tr_bl_json_put(t, "true", 4);
	case 2: return tr_bl_json_put(t, "false", 5);
	default: return tr_bl_json_fail(t, "an unknown literal in JSON");
	}
}

/* Recursion: at most TR_BL_JSON_DEPTH_MAX; each round prints something, so that overlapping values end with the arena. */
static bool put_container(tr_bl_json_text *t, const tr_bl_json_value *value, unsigned depth)
{
	tr_bl_json_container c;
	tr_bl_json_value child;
	tr_slice key;

	if (depth >= TR_BL_JSON_DEPTH_MAX)
		return tr_bl_json_fail(t, "JSON is nested more than 100 deep");
	if (!tr_bl_json_open(value, &c))
		return tr_bl_json_fail(t, "an object or array of JSON is longer than its value");
	if (!tr_bl_json_put(t, c.object ? "{" : "[", 1))
		return false;
	for (uint32_t i = 0; i < c.count; i++) {
		if (i > 0 && !tr_bl_json_put(t, ", ", 2))
			return false;
		if (c.object && !tr_bl_json_key(&c, i, &key))
			return tr_bl_json_fail(t, too_short);
		if (c.object && (!tr_bl_json_put_string(t, key) || !tr_bl_json_put(t, ": ", 2)))
			return false;
		if (!tr_bl_json_child(&c, i, &child))
			return tr_bl_json_fail(t, too_short);
		if (!tr_bl_json_put_value(t, &child, depth + 1))
			return false;
	}
	return tr_bl_json_put(t, c.object ? "}" : "]", 1);
}

bool tr_bl_json_put_value(tr_bl_json_text *t, const tr_bl_json_value *value, unsigned depth)
{
	tr_slice rest = value->bytes, text;

	switch (value->type) {
	case TR_BL_JSON_SMALL_OBJECT: case TR_BL_JSON_LARGE_OBJECT: case TR_BL_JSON_SMALL_ARRAY: case TR_BL_JSON_LARGE_ARRAY:
		return put_container(t, value, depth);
	case TR_BL_JSON_LITERAL: return put_literal(t, rest);
	case TR_BL_JSON_INT16: case TR_BL_JSON_UINT16: case TR_BL_JSON_INT32: case TR_BL_JSON_UINT32: case TR_BL_JSON_INT64:
	case TR_BL_JSON_UINT64:
		return put_integer(t, value);
	case TR_BL_JSON_DOUBLE: return put_real(t, rest);
	case TR_BL_JSON_STRING:
		if (!take_counted(&rest, &text))
			return tr_bl_json_fail(t, too_short);
		return tr_bl_json_put_string(t, text);
	case TR_BL_JSON_OPAQUE: return put_opaque(t, rest);
	default: return tr_bl_json_fail(t, "an unknown type in JSON");
	}
}

int tr_bl_json_finish(const tr_bl_json_text *t, tr_slice *out, tr_err *err)
{
	const tr_bl_arg arg = {.type = "json"};

	if (t->full)
		return tr_bl_no_room(&arg, err);
	if (t->why)
		return tr_bl_bad(&arg, (tr_datum){.form = TR_D_BINARY}, t->why, err);
	*out = tr_slice_of(t->data, t->len);
	return 0;
}

int tr_bl_json_print(tr_slice document, tr_arena *scratch, tr_slice *out, tr_err *err)
{
	tr_bl_json_text text = {.scratch = scratch};
	tr_bl_json_value root;

	if (!tr_bl_json_document(document, &root))
		tr_bl_json_fail(&text, too_short);
	else if (tr_bl_json_room(&text, document.len + document.len / 2 + 16))
		tr_bl_json_put_value(&text, &root, 0);
	return tr_bl_json_finish(&text, out, err);
}
