#include "events/json/json_text.h"

#include <float.h>
#include <math.h>

#include "core/text.h"

#define NESTING_MAX 64 /* levels of compound types */

/* Characters that are not written as they are; 'u' = \u00XX. Bytes from 0x80 on are checked to be UTF-8. */
static const uint8_t escape_of[256] = {
    ['"'] = '"',
    ['\\'] = '\\',
    [0x00] = 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u', 'f', 'r', 'u', 'u',
    [0x10] = 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
    [0x80 ... 0xff] = 1,
};

static void put_escape(tr_writer *w, uint8_t byte)
{
	static const char hex[] = "0123456789ABCDEF";

	tr_writer_u8(w, '\\');
	tr_writer_u8(w, escape_of[byte]);
	if (escape_of[byte] == 'u') {
		tr_writer_put(w, "00", 2);
		tr_writer_u8(w, (uint8_t)hex[byte >> 4]);
		tr_writer_u8(w, (uint8_t)hex[byte & 15]);
	}
}

/* One character at `at` that is not plain; returns its bytes. */
static size_t put_odd(tr_writer *w, tr_slice text, size_t at)
{
	if (text.ptr[at] < 0x80) {
		put_escape(w, text.ptr[at]);
		return 1;
	}
	size_t n = tr_text_utf8_char(tr_slice_of(text.ptr + at, text.len - at));
	if (n == 0) {
		tr_writer_put(w, "\xef\xbf\xbd", 3);
		return 1;
	}
	tr_writer_put(w, text.ptr + at, n);
	return n;
}

void tr_json_string(tr_writer *w, tr_slice text)
{
	size_t at = 0;

	tr_writer_u8(w, '"');
	while (at < text.len) {
		size_t plain = at;
		while (at < text.len && escape_of[text.ptr[at]] == 0)
			at++;
		tr_writer_put(w, text.ptr + plain, at - plain);
		if (at < text.len)
			at += put_odd(w, text, at);
	}
	tr_writer_u8(w, '"');
}

void tr_json_latin1(tr_writer *w, tr_slice bytes)
{
	tr_writer_u8(w, '"');
	for (size_t i = 0; i < bytes.len; i++) {
		uint8_t byte = bytes.ptr[i];
		if (byte >= 0x80) {
			tr_writer_u8(w, (uint8_t)(0xc0 | byte >> 6));
			tr_writer_u8(w, (uint8_t)(0x80 | (byte & 0x3f)));
		} else if (escape_of[byte]) {
			put_escape(w, byte);
		} else {
			tr_writer_u8(w, byte);
		}
	}
	tr_writer_u8(w, '"');
}

static bool put_integer(tr_kind kind, int64_t i, tr_writer *w)
{
	static const int64_t max[] = {
	    [TR_INT8] = INT8_MAX, [TR_INT16] = INT16_MAX, [TR_INT32] = INT32_MAX, [TR_INT64] = INT64_MAX};

	if (i > max[kind] || i < -max[kind] - 1)
		return false;
	tr_writer_decimal_i64(w, i);
	return true;
}

static bool put_float(tr_kind kind, double f, tr_writer *w)
{
	if (kind == TR_FLOAT64) {
		tr_json_double(w, f);
		return true;
	}
	if (isfinite(f) && fabs(f) > (double)FLT_MAX)
		return false;
	tr_json_float(w, (float)f);
	return true;
}

bool tr_json_scalar(tr_kind kind, const tr_value *v, tr_writer *w)
{
	static const uint8_t wanted[] = {
	    [TR_BOOLEAN] = TR_V_BOOL,   [TR_INT8] = TR_V_INT,      [TR_INT16] = TR_V_INT,
	    [TR_INT32] = TR_V_INT,      [TR_INT64] = TR_V_INT,     [TR_FLOAT32] = TR_V_FLOAT,
	    [TR_FLOAT64] = TR_V_FLOAT,  [TR_STRING] = TR_V_BYTES,  [TR_BYTES] = TR_V_BYTES,
	};

	if (kind > TR_BYTES || v->kind != wanted[kind])
		return false;
	switch (v->kind) {
	case TR_V_BOOL:
		tr_writer_text(w, v->i ? "true" : "false");
		return true;
	case TR_V_INT:
		return put_integer(kind, v->i, w);
	case TR_V_FLOAT:
		return put_float(kind, v->f, w);
	default:
		break;
	}
	if (kind == TR_STRING) {
		tr_json_string(w, v->s);
	} else {
		tr_writer_u8(w, '"');
		tr_text_base64(w, v->s);
		tr_writer_u8(w, '"');
	}
	return true;
}

/* The way from the root to a value: for messages only. */
typedef struct path {
	const struct path *parent;
	const char *name; /* of a field; NULL = an item of the parent */
	int depth;
} path;

static void put_path(tr_writer *w, const path *at)
{
	if (at->parent)
		put_path(w, at->parent);
	if (at->name) {
		if (w->len > 0)
			tr_writer_u8(w, '.');
		tr_writer_text(w, at->name);
	} else if (at->parent) {
		tr_writer_text(w, "[]");
	}
}

static int misfit(const path *at, const char *why, tr_err *err)
{
	tr_writer text;

	tr_writer_init(&text, 4096);
	put_path(&text, at);
	if (text.len == 0)
		tr_writer_text(&text, "(the whole value)");
	tr_err_set(err, TR_E_ENCODE_VALUE, "field \"%.*s\" does not fit its schema", (int)text.len, (const char *)text.data);
	tr_err_detail(err, "%s", why);
	tr_writer_release(&text);
	return -1;
}

static int put_value(const tr_type *type, const tr_value *v, const path *at, tr_writer *w, tr_err *err);

static int put_struct(const tr_type *type, const tr_value *v, const path *at, tr_writer *w, tr_err *err)
{
	if (v->count != type->field_count)
		return misfit(at, "the struct has another number of fields", err);
	tr_writer_u8(w, '{');
	for (size_t i = 0; i < type->field_count; i++) {
		path field = {.parent = at, .name = type->fields[i].name, .depth = at->depth + 1};
		if (i > 0)
			tr_writer_u8(w, ',');
		tr_json_string(w, tr_slice_str(type->fields[i].name));
		tr_writer_u8(w, ':');
		if (put_value(type->fields[i].type, &v->list[i], &field, w, err) != 0)
			return -1;
	}
	tr_writer_u8(w, '}');
	return 0;
}

static int put_array(const tr_type *type, const tr_value *v, const path *at, tr_writer *w, tr_err *err)
{
	path item = {.parent = at, .depth = at->depth + 1};

	tr_writer_u8(w, '[');
	for (size_t i = 0; i < v->count; i++) {
		if (i > 0)
			tr_writer_u8(w, ',');
		if (put_value(type->item, &v->list[i], &item, w, err) != 0)
			return -1;
	}
	tr_writer_u8(w, ']');
	return 0;
}

/* String keys make an object, all others a list of pairs. */
static int put_map(const tr_type *type, const tr_value *v, const path *at, tr_writer *w, tr_err *err)
{
	path item = {.parent = at, .depth = at->depth + 1};
	bool object = type->key->kind == TR_STRING;

	if (v->count % 2 != 0)
		return misfit(at, "the map has a key without a value", err);
	tr_writer_u8(w, object ? '{' : '[');
	for (size_t i = 0; i < v->count; i += 2) {
		if (i > 0)
			tr_writer_u8(w, ',');
		if (!object)
			tr_writer_u8(w, '[');
		if (object && v->list[i].kind != TR_V_BYTES)
			return misfit(&item, "a key is not a text", err);
		if (put_value(type->key, &v->list[i], &item, w, err) != 0)
			return -1;
		tr_writer_u8(w, object ? ':' : ',');
		if (put_value(type->item, &v->list[i + 1], &item, w, err) != 0)
			return -1;
		if (!object)
			tr_writer_u8(w, ']');
	}
	tr_writer_u8(w, object ? '}' : ']');
	return 0;
}

static int put_value(const tr_type *type, const tr_value *v, const path *at, tr_writer *w, tr_err *err)
{
	if (v->kind == TR_V_NULL) {
		if (!type->optional)
			return misfit(at, "it is required but has no value", err);
		tr_writer_put(w, "null", 4);
		return 0;
	}
	if (type->kind < TR_ARRAY)
		return tr_json_scalar(type->kind, v, w) ? 0 : misfit(at, "the value is of another type or out of range", err);
	if (v->kind != TR_V_LIST)
		return misfit(at, "the value is not a compound one", err);
	if (at->depth >= NESTING_MAX)
		return misfit(at, "the type is nested too deeply", err);
	if (type->kind == TR_STRUCT)
		return put_struct(type, v, at, w, err);
	return type->kind == TR_MAP ? put_map(type, v, at, w, err) : put_array(type, v, at, w, err);
}

int tr_json_value(const tr_type *type, const tr_value *v, tr_writer *w, tr_err *err)
{
	path root = {.depth = 0};

	if (put_value(type, v, &root, w, err) != 0)
		return -1;
	if (!tr_writer_ok(w))
		return tr_err_set(err, TR_E_BATCH_LIMIT, "could not write a value as JSON: it is larger than the memory allowed");
	return 0;
}

static void put_member(tr_writer *w, const char *name)
{
	tr_writer_put(w, ",\"", 2);
	tr_writer_text(w, name);
	tr_writer_put(w, "\":", 2);
}

/* What every schema node has after its own shape, in JsonConverter's order; it ends with `field`, the parent's name. */
static int put_properties(const tr_type *type, const char *field, tr_writer *w, tr_err *err)
{
	put_member(w, "optional");
	tr_writer_text(w, type->optional ? "true" : "false");
	if (type->name) {
		put_member(w, "name");
		tr_json_string(w, tr_slice_str(type->name));
	}
	if (type->version) {
		put_member(w, "version");
		tr_writer_decimal_i64(w, type->version);
	}
	if (type->doc) {
		put_member(w, "doc");
		tr_json_string(w, tr_slice_str(type->doc));
	}
	for (size_t i = 0; i < type->param_count; i++) {
		if (i == 0)
			put_member(w, "parameters");
		tr_writer_u8(w, i ? ',' : '{');
		tr_json_string(w, tr_slice_str(type->params[i].key));
		tr_writer_u8(w, ':');
		tr_json_string(w, tr_slice_str(type->params[i].value));
	}
	if (type->param_count > 0)
		tr_writer_u8(w, '}');
	if (type->default_value && type->default_value->kind != TR_V_NULL) {
		put_member(w, "default");
		if (tr_json_value(type, type->default_value, w, err) != 0)
			return tr_err_prefix(err, "default value");
	}
	if (field) {
		put_member(w, "field");
		tr_json_string(w, tr_slice_str(field));
	}
	tr_writer_u8(w, '}');
	return 0;
}

static int put_schema(const tr_type *type, const char *field, int depth, tr_writer *w, tr_err *err)
{
	static const char *const names[] = {"boolean", "int8",   "int16", "int32", "int64", "float",
	                                    "double",  "string", "bytes", "array", "map",   "struct"};

	if (depth >= NESTING_MAX)
		return tr_err_set(err, TR_E_TYPE_UNSUPPORTED, "a type is nested more than %d levels deep", NESTING_MAX);
	tr_writer_text(w, "{\"type\":\"");
	tr_writer_text(w, names[type->kind]);
	tr_writer_u8(w, '"');
	if (type->kind == TR_MAP) {
		put_member(w, "keys");
		if (put_schema(type->key, NULL, depth + 1, w, err) != 0)
			return -1;
	}
	if (type->kind == TR_MAP || type->kind == TR_ARRAY) {
		put_member(w, type->kind == TR_MAP ? "values" : "items");
		if (put_schema(type->item, NULL, depth + 1, w, err) != 0)
			return -1;
	}
	if (type->kind == TR_STRUCT) {
		put_member(w, "fields");
		tr_writer_u8(w, '[');
		for (size_t i = 0; i < type->field_count; i++) {
			if (i > 0)
				tr_writer_u8(w, ',');
			if (put_schema(type->fields[i].type, type->fields[i].name, depth + 1, w, err) != 0)
				return -1;
		}
		tr_writer_u8(w, ']');
	}
	return put_properties(type, field, w, err);
}

int tr_json_schema(const tr_type *type, tr_writer *w, tr_err *err)
{
	if (put_schema(type, NULL, 0, w, err) != 0)
		return -1;
	if (!tr_writer_ok(w))
		return tr_err_set(err, TR_E_BATCH_LIMIT, "could not write a schema as JSON: it is larger than the memory allowed");
	return 0;
}
