#include "events/avro/node.h"

#include <jansson.h>

#include "core/map.h"

#define DEPTH_MAX 100
#define NODES_MAX 200000

typedef struct parsing {
	tr_arena *arena;
	tr_map *named; /* full name -> tr_avro_node */
	const char *space;
	int depth;
	size_t nodes;
	tr_err *err;
} parsing;

static const tr_avro_node *parse_node(parsing *p, const json_t *json);

static const tr_avro_node *bad(parsing *p, const char *why)
{
	tr_err_set(p->err, TR_E_DECODE_VALUE, "cannot read an Avro schema: %s", why);
	return NULL;
}

static const tr_avro_node *no_memory(parsing *p)
{
	tr_err_set(p->err, TR_E_MEMORY, "cannot read an Avro schema: it is too large");
	return NULL;
}

static const char *text_at(const json_t *json, const char *key)
{
	return json_string_value(json_object_get(json, key));
}

static tr_avro_node *new_node(parsing *p, tr_avro_kind kind)
{
	tr_avro_node *n = p->nodes++ < NODES_MAX ? TR_ARENA_NEW(p->arena, tr_avro_node) : NULL;

	if (!n) {
		no_memory(p);
		return NULL;
	}
	n->kind = kind;
	return n;
}

static bool primitive_kind(const char *name, tr_avro_kind *out)
{
	static const char *const names[] = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0) {
			*out = (tr_avro_kind)i;
			return true;
		}
	return false;
}

static const struct meaning_row {
	const char *name;
	tr_avro_kind kind;
	tr_avro_meaning meaning;
} meanings[] = {
    {"decimal", TR_AVRO_BYTES, TR_AVRO_DECIMAL},
    {"decimal", TR_AVRO_FIXED, TR_AVRO_DECIMAL},
    {"date", TR_AVRO_INT, TR_AVRO_DATE},
    {"time-millis", TR_AVRO_INT, TR_AVRO_TIME_MS},
    {"time-micros", TR_AVRO_LONG, TR_AVRO_TIME_US},
    {"timestamp-millis", TR_AVRO_LONG, TR_AVRO_INSTANT_MS},
    {"timestamp-micros", TR_AVRO_LONG, TR_AVRO_INSTANT_US},
    {"local-timestamp-millis", TR_AVRO_LONG, TR_AVRO_STAMP_MS},
    {"local-timestamp-micros", TR_AVRO_LONG, TR_AVRO_STAMP_US},
    {"io.debezium.time.Date", TR_AVRO_INT, TR_AVRO_DATE},
    {"io.debezium.time.Time", TR_AVRO_INT, TR_AVRO_TIME_MS},
    {"io.debezium.time.MicroTime", TR_AVRO_LONG, TR_AVRO_TIME_US},
    {"io.debezium.time.NanoTime", TR_AVRO_LONG, TR_AVRO_TIME_NS},
    {"io.debezium.time.Timestamp", TR_AVRO_LONG, TR_AVRO_STAMP_MS},
    {"io.debezium.time.MicroTimestamp", TR_AVRO_LONG, TR_AVRO_STAMP_US},
    {"io.debezium.time.NanoTimestamp", TR_AVRO_LONG, TR_AVRO_STAMP_NS},
    {"io.debezium.time.MicroDuration", TR_AVRO_LONG, TR_AVRO_DURATION_US},
};

static tr_avro_meaning meaning_of(tr_avro_kind kind, const char *name)
{
	for (size_t i = 0; name && i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (meanings[i].kind == kind && strcmp(meanings[i].name, name) == 0)
			return meanings[i].meaning;
	return TR_AVRO_PLAIN;
}

static void add_meaning(tr_avro_node *n, const json_t *json)
{
	json_int_t scale = json_integer_value(json_object_get(json, "scale"));

	n->meaning = meaning_of(n->kind, text_at(json, "logicalType"));
	if (n->meaning == TR_AVRO_PLAIN)
		n->meaning = meaning_of(n->kind, text_at(json, "connect.name"));
	n->scale = scale < INT32_MIN || scale > INT32_MAX ? INT32_MAX : (int)scale;
}

/* The full name by Avro's rules: dots in the name win over a namespace, a missing namespace is the enclosing one. */
static const char *full_name(parsing *p, const char *name, const char *space)
{
	if (strchr(name, '.') || !space || !*space)
		return name;
	return tr_arena_format(p->arena, "%s.%s", space, name);
}

static const tr_avro_node *find_name(parsing *p, const char *name)
{
	tr_avro_kind kind;

	if (primitive_kind(name, &kind))
		return new_node(p, kind);
	const char *full = full_name(p, name, p->space);
	const tr_avro_node *n = full ? tr_map_get(p->named, tr_slice_str(full)) : NULL;
	if (!n)
		n = tr_map_get(p->named, tr_slice_str(name));
	return n ? n : bad(p, "it uses a type that it does not define");
}

/* Before the inside is parsed, so that it can refer to itself. */
static bool define(parsing *p, tr_avro_node *n, const json_t *json, const char **out_space)
{
	const char *name = text_at(json, "name"), *space = text_at(json, "namespace");
	const char *full = name ? full_name(p, name, space ? space : p->space) : NULL;

	if (!name || !*name) {
		bad(p, "a named type has no name");
		return false;
	}
	const char *dot = full ? strrchr(full, '.') : NULL;
	*out_space = dot ? tr_arena_strndup(p->arena, full, (size_t)(dot - full)) : "";
	if (!full || !*out_space) {
		no_memory(p);
		return false;
	}
	if (tr_map_get(p->named, tr_slice_str(full))) {
		bad(p, "it defines a name twice");
		return false;
	}
	tr_map_put(p->named, tr_slice_str(full), n);
	return true;
}

static bool room_for(parsing *p, tr_avro_node *n, size_t count, const tr_avro_node ***inner, const char ***names)
{
	n->count = count;
	*inner = TR_ARENA_ARRAY(p->arena, const tr_avro_node *, count + 1);
	*names = TR_ARENA_ARRAY(p->arena, const char *, count + 1);
	n->inner = *inner;
	n->names = *names;
	if (*inner && *names)
		return true;
	no_memory(p);
	return false;
}

static bool is_variable_decimal(const tr_avro_node *n, const char *connect_name)
{
	return connect_name && strcmp(connect_name, "io.debezium.data.VariableScaleDecimal") == 0 && n->count == 2 &&
	       n->inner[0]->kind == TR_AVRO_INT && n->inner[1]->kind == TR_AVRO_BYTES;
}

static const tr_avro_node *parse_record(parsing *p, const json_t *json)
{
	const json_t *fields = json_object_get(json, "fields");
	tr_avro_node *n = new_node(p, TR_AVRO_RECORD);
	const char *outer = p->space, *space;
	const tr_avro_node **inner;
	const char **names;

	if (!json_is_array(fields))
		return bad(p, "a record has no list of fields");
	if (!n || !define(p, n, json, &space) || !room_for(p, n, json_array_size(fields), &inner, &names))
		return NULL;
	p->space = space;
	for (size_t i = 0; i < n->count; i++) {
		const json_t *field = json_array_get(fields, i);
		if (!text_at(field, "name"))
			return bad(p, "a field has no name");
		names[i] = tr_arena_strdup(p->arena, text_at(field, "name"));
		if (!names[i])
			return no_memory(p);
		inner[i] = parse_node(p, json_object_get(field, "type"));
		if (!inner[i])
			return NULL;
	}
	p->space = outer;
	if (is_variable_decimal(n, text_at(json, "connect.name")))
		n->meaning = TR_AVRO_VARIABLE_DECIMAL;
	return n;
}

static const tr_avro_node *parse_enum(parsing *p, const json_t *json)
{
	const json_t *symbols = json_object_get(json, "symbols");
	tr_avro_node *n = new_node(p, TR_AVRO_ENUM);
	const tr_avro_node **inner;
	const char **names, *space;

	if (!n || !define(p, n, json, &space) || !room_for(p, n, json_array_size(symbols), &inner, &names))
		return NULL;
	for (size_t i = 0; i < n->count; i++) {
		const char *symbol = json_string_value(json_array_get(symbols, i));
		if (!symbol)
			return bad(p, "an enum's symbol is not a text");
		names[i] = tr_arena_strdup(p->arena, symbol);
		if (!names[i])
			return no_memory(p);
	}
	return n;
}

static const tr_avro_node *parse_fixed(parsing *p, const json_t *json)
{
	json_int_t size = json_integer_value(json_object_get(json, "size"));
	tr_avro_node *n = new_node(p, TR_AVRO_FIXED);
	const char *space;

	if (size < 0)
		return bad(p, "a fixed type has a negative size");
	if (!n || !define(p, n, json, &space))
		return NULL;
	n->size = (size_t)size;
	add_meaning(n, json);
	return n;
}

static const tr_avro_node *parse_blocks(parsing *p, tr_avro_kind kind, const json_t *item)
{
	tr_avro_node *n = new_node(p, kind);
	const tr_avro_node **inner;
	const char **names;

	if (!n || !room_for(p, n, 1, &inner, &names))
		return NULL;
	inner[0] = parse_node(p, item);
	return inner[0] ? n : NULL;
}

static const tr_avro_node *parse_union(parsing *p, const json_t *json)
{
	tr_avro_node *n = new_node(p, TR_AVRO_UNION);
	const tr_avro_node **inner;
	const char **names;

	if (!n || !room_for(p, n, json_array_size(json), &inner, &names))
		return NULL;
	for (size_t i = 0; i < n->count; i++) {
		inner[i] = parse_node(p, json_array_get(json, i));
		if (!inner[i])
			return NULL;
	}
	return n;
}

static const tr_avro_node *parse_object(parsing *p, const json_t *json)
{
	const json_t *type = json_object_get(json, "type");
	const char *name = json_string_value(type);
	tr_avro_kind kind;

	if (json_is_object(type) || json_is_array(type))
		return parse_node(p, type); /* {"type":{"type":...}} */
	if (!name)
		return bad(p, "a type has no name");
	if (strcmp(name, "record") == 0 || strcmp(name, "error") == 0)
		return parse_record(p, json);
	if (strcmp(name, "enum") == 0)
		return parse_enum(p, json);
	if (strcmp(name, "fixed") == 0)
		return parse_fixed(p, json);
	if (strcmp(name, "array") == 0)
		return parse_blocks(p, TR_AVRO_ARRAY, json_object_get(json, "items"));
	if (strcmp(name, "map") == 0)
		return parse_blocks(p, TR_AVRO_MAP, json_object_get(json, "values"));
	if (!primitive_kind(name, &kind))
		return find_name(p, name);
	tr_avro_node *n = new_node(p, kind);
	if (n)
		add_meaning(n, json);
	return n;
}

static const tr_avro_node *parse_node(parsing *p, const json_t *json)
{
	const tr_avro_node *n;

	if (p->depth >= DEPTH_MAX)
		return bad(p, "it is nested too deeply");
	p->depth++;
	if (json_is_string(json))
		n = find_name(p, json_string_value(json));
	else if (json_is_array(json))
		n = parse_union(p, json);
	else if (json_is_object(json))
		n = parse_object(p, json);
	else
		n = bad(p, "a type is missing");
	p->depth--;
	return n;
}

int tr_avro_node_parse(tr_arena *arena, tr_slice schema, const tr_avro_node **out, tr_err *err)
{
	parsing p = {.arena = arena, .err = err};
	json_error_t why;
	json_t *json = json_loadb((const char *)schema.ptr, schema.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &why);

	*out = NULL;
	if (!json) {
		tr_err_set(err, TR_E_DECODE_VALUE, "cannot read an Avro schema: it is not JSON");
		return tr_err_detail(err, "at byte %d: %s", why.position, why.text);
	}
	p.named = tr_map_new();
	*out = parse_node(&p, json);
	tr_map_free(p.named, NULL);
	json_decref(json);
	return *out ? 0 : -1;
}
