/* What the tests of this room share: a resolved column from a type's name and modifier, values and types as JSON. */
#ifndef TR_TESTS_PGOUTPUT_FIXTURE_H
#define TR_TESTS_PGOUTPUT_FIXTURE_H

#include <jansson.h>
#include <math.h>

#include "decoders/pgoutput/types.h"
#include "tests/unit/test.h"

#define FIXTURE_TYPES_MAX 512

/* A catalogue in memory: the lookup's context. */
typedef struct catalogue {
	tr_pg_type types[FIXTURE_TYPES_MAX];
	size_t count;
} catalogue;

static inline const tr_pg_type *catalogue_find(void *context, uint32_t oid)
{
	catalogue *c = context;

	for (size_t i = 0; i < c->count; i++)
		if (c->types[i].oid == oid)
			return &c->types[i];
	return NULL;
}

static inline tr_event_options fixture_options(void)
{
	return (tr_event_options){.unavailable = "__debezium_unavailable_value", .money_fraction_digits = 2};
}

static inline json_t *bytes_json(tr_slice s)
{
	char *hex = malloc(2 * s.len + 1);
	json_t *out;

	for (size_t i = 0; i < s.len; i++)
		snprintf(hex + 2 * i, 3, "%02x", s.ptr[i]);
	hex[2 * s.len] = '\0';
	out = json_pack("{s:s}", "$bytes", hex);
	free(hex);
	return out;
}

static inline json_t *float_json(double value)
{
	if (isnan(value))
		return json_pack("{s:s}", "$float", "NaN");
	if (isinf(value))
		return json_pack("{s:s}", "$float", value > 0 ? "Infinity" : "-Infinity");
	return json_real(value);
}

static inline json_t *value_json(const tr_type *type, const tr_value *v);

static inline json_t *list_json(const tr_type *type, const tr_value *v)
{
	bool text_keys = type->kind == TR_MAP && type->key->kind == TR_STRING;
	json_t *out = type->kind == TR_ARRAY || (type->kind == TR_MAP && !text_keys) ? json_array() : json_object();

	for (uint32_t i = 0; i < v->count; i++) {
		if (type->kind == TR_ARRAY) {
			json_array_append_new(out, value_json(type->item, &v->list[i]));
		} else if (type->kind == TR_STRUCT) {
			json_object_set_new(out, type->fields[i].name, value_json(type->fields[i].type, &v->list[i]));
		} else if (text_keys) {
			char *key = strndup((const char *)v->list[i].s.ptr, v->list[i].s.len);
			json_object_set_new(out, key, value_json(type->item, &v->list[i + 1]));
			free(key);
			i++;
		} else {
			json_array_append_new(out, json_pack("{s:o, s:o}", "key", value_json(type->key, &v->list[i]), "value",
			                                     value_json(type->item, &v->list[i + 1])));
			i++;
		}
	}
	return out;
}

/* A value as the golden records show it. */
static inline json_t *value_json(const tr_type *type, const tr_value *v)
{
	if (v->kind == TR_V_NULL)
		return json_null();
	switch (type->kind) {
	case TR_BOOLEAN:
		ck_assert_int_eq(v->kind, TR_V_BOOL);
		return json_boolean(v->i);
	case TR_FLOAT32:
	case TR_FLOAT64:
		ck_assert_int_eq(v->kind, TR_V_FLOAT);
		return float_json(v->f);
	case TR_STRING:
		ck_assert_int_eq(v->kind, TR_V_BYTES);
		return json_stringn((const char *)v->s.ptr, v->s.len);
	case TR_BYTES:
		ck_assert_int_eq(v->kind, TR_V_BYTES);
		return bytes_json(v->s);
	case TR_ARRAY:
	case TR_MAP:
	case TR_STRUCT:
		ck_assert_int_eq(v->kind, TR_V_LIST);
		return list_json(type, v);
	default:
		ck_assert_int_eq(v->kind, TR_V_INT);
		return json_integer(v->i);
	}
}

static inline json_t *type_json(const tr_type *type)
{
	static const char *const kinds[] = {"BOOLEAN", "INT8", "INT16", "INT32", "INT64", "FLOAT32",
	                                    "FLOAT64", "STRING", "BYTES", "ARRAY", "MAP", "STRUCT"};
	json_t *out = json_pack("{s:s, s:b}", "kind", kinds[type->kind], "optional", type->optional);

	if (type->name)
		json_object_set_new(out, "name", json_string(type->name));
	if (type->version)
		json_object_set_new(out, "version", json_integer(type->version));
	if (type->doc)
		json_object_set_new(out, "doc", json_string(type->doc));
	for (size_t i = 0; i < type->param_count; i++) {
		if (i == 0)
			json_object_set_new(out, "params", json_object());
		json_object_set_new(json_object_get(out, "params"), type->params[i].key, json_string(type->params[i].value));
	}
	if (type->default_value)
		json_object_set_new(out, "default", value_json(type, type->default_value));
	if (type->key)
		json_object_set_new(out, "key", type_json(type->key));
	if (type->item)
		json_object_set_new(out, "item", type_json(type->item));
	for (size_t i = 0; i < type->field_count; i++) {
		if (i == 0)
			json_object_set_new(out, "fields", json_array());
		json_array_append_new(json_object_get(out, "fields"), json_pack("{s:s, s:o}", "name", type->fields[i].name, "type",
		                                                                  type_json(type->fields[i].type)));
	}
	return out;
}

/* Fails with both texts when they differ; takes both. */
static inline void assert_json(json_t *have, json_t *want, const char *where)
{
	if (!json_equal(have, want)) {
		char *a = json_dumps(have, JSON_ENCODE_ANY), *b = json_dumps(want, JSON_ENCODE_ANY);
		ck_abort_msg("%s:\n have %s\n want %s", where, a, b);
	}
	json_decref(have);
	json_decref(want);
}

/* One resolved column with its memory. */
typedef struct probe {
	tr_arena arena, scratch;
	tr_column column;
	tr_err err;
} probe;

static inline void probe_release(probe *p)
{
	tr_arena_release(&p->arena);
	tr_arena_release(&p->scratch);
}

static inline void resolve_in(probe *p, const tr_pg_column *in, const tr_event_options *options, catalogue *known)
{
	const tr_pg_type_lookup lookup = {.context = known, .find = known ? catalogue_find : NULL};

	memset(p, 0, sizeof(*p));
	tr_arena_init(&p->arena, (size_t)4 << 20);
	tr_arena_init(&p->scratch, (size_t)4 << 20);
	if (tr_pg_resolve(in, &lookup, options, &p->arena, &p->column, &p->err) != 0)
		ck_abort_msg("%s", p->err.text);
}

static inline void resolve_one(probe *p, uint32_t type, int32_t typmod, const tr_event_options *options)
{
	const tr_pg_column in = {.name = "c", .type = type, .typmod = typmod};

	resolve_in(p, &in, options, NULL);
}

static inline int decode_as(probe *p, const void *bytes, size_t len, tr_datum_form form, tr_value *out)
{
	/* Exactly as long as the datum, so that a sanitizer sees any byte read beyond it. */
	uint8_t *copy = tr_arena_memdup(&p->arena, bytes, len);

	return p->column.decode(p->column.decode_arg, (tr_datum){.ptr = copy, .len = (uint32_t)len, .form = form}, &p->scratch,
	                        out, &p->err);
}

/* json NULL: the text is refused. */
static inline void expect_text(probe *p, const char *text, const char *json)
{
	tr_value value;
	int result = decode_as(p, text, strlen(text), TR_D_TEXT, &value);

	if (!json) {
		ck_assert_msg(result == -1, "accepted: %s", text);
		ck_assert_int_eq(p->err.code, TR_E_DECODE_VALUE);
		/* Row data never appears in an error. */
		ck_assert(strlen(text) < 4 || !strstr(p->err.text, text));
		ck_assert(strlen(text) < 4 || !strstr(p->err.detail, text));
		return;
	}
	ck_assert_msg(result == 0, "refused: %s (%s)", text, p->err.detail);
	assert_json(value_json(p->column.type, &value), json_loads(json, JSON_DECODE_ANY, NULL), text);
}

#endif
