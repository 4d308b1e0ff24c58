#include "events/avro/schema.h"

#include <math.h>
#include <stdlib.h>

#include "core/text.h"
#include "events/json/json_text.h"

#define DEFAULT_SPACE "io.confluent.connect.avro" /* of records that have no name of their own */
#define NAMES_BYTES ((size_t)4 << 20)
#define DECIMAL_PRECISION "64" /* when the source does not say */

/* A record written in this schema; its next use is its name alone. */
typedef struct seen {
	struct seen *next;
	const char *space; /* NULL = none */
	const char *name;
	const char *full;
	const tr_type *type; /* a struct, or the map whose entry it is */
} seen;

typedef struct render {
	tr_writer *w;
	tr_arena names;
	seen *first;
	const char *space; /* of the record being written */
	unsigned nameless, entries;
	int depth;
	tr_err *err;
} render;

static int put_schema(render *r, const tr_type *type);

static bool finite_value(const tr_value *v)
{
	if (v->kind == TR_V_FLOAT)
		return isfinite(v->f);
	if (v->kind == TR_V_LIST)
		for (size_t i = 0; i < v->count; i++)
			if (!finite_value(&v->list[i]))
				return false;
	return true;
}

bool tr_avro_has_default(const tr_type *type)
{
	return type->default_value && type->default_value->kind != TR_V_NULL && finite_value(type->default_value);
}

static void put_text(render *r, const char *text)
{
	tr_writer_text(r->w, text);
}

static void put_quoted(render *r, const char *text)
{
	tr_json_string(r->w, tr_slice_str(text));
}

/* ,"name": */
static void put_member(render *r, const char *name)
{
	tr_writer_put(r->w, ",\"", 2);
	tr_writer_text(r->w, name);
	tr_writer_put(r->w, "\":", 2);
}

/* Letters, digits and _, no digit first; beyond ASCII any character, as Java's Avro takes letters of all scripts. */
static bool name_valid(const char *name)
{
	if (*name == '\0' || (*name >= '0' && *name <= '9'))
		return false;
	for (const char *c = name; *c; c++) {
		unsigned char u = (unsigned char)*c;
		if (!(u >= 0x80 || (u >= 'a' && u <= 'z') || (u >= 'A' && u <= 'Z') || (u >= '0' && u <= '9') || u == '_'))
			return false;
	}
	return tr_text_utf8_valid(tr_slice_str(name));
}

static int refuse_name(render *r, const char *what, const char *name, const char *where, const char *option)
{
	tr_err_set(r->err, TR_E_NAME_INVALID, "%s \"%s\" of \"%s\" cannot be used in an Avro schema", what, name, where);
	tr_err_detail(r->err, "a name starts with a letter or _ and goes on with letters, digits or _");
	return tr_err_hint(r->err, "set %s: avro to have such names adjusted, or rename it in the source", option);
}

static int put_value(render *r, const tr_type *type, const tr_value *v);

static int put_list_value(render *r, const tr_type *type, const tr_value *v)
{
	size_t step = type->kind == TR_MAP ? 2 : 1;

	if (type->kind == TR_STRUCT && v->count != type->field_count)
		return tr_err_set(r->err, TR_E_ENCODE_VALUE, "the default value of a struct has another number of fields");
	if (v->count % step != 0)
		return tr_err_set(r->err, TR_E_ENCODE_VALUE, "the default value of a map has a key without a value");
	tr_writer_u8(r->w, type->kind == TR_ARRAY ? '[' : '{');
	for (size_t i = 0; i < v->count; i += step) {
		if (i > 0)
			tr_writer_u8(r->w, ',');
		if (type->kind == TR_STRUCT)
			put_quoted(r, type->fields[i].name);
		else if (type->kind == TR_MAP && put_value(r, type->key, &v->list[i]) != 0)
			return -1;
		if (type->kind != TR_ARRAY)
			tr_writer_u8(r->w, ':');
		if (put_value(r, type->kind == TR_STRUCT ? type->fields[i].type : type->item, &v->list[i + step - 1]) != 0)
			return -1;
	}
	tr_writer_u8(r->w, type->kind == TR_ARRAY ? ']' : '}');
	return 0;
}

/* A default: as JSON, but bytes are text with one character a byte. */
static int put_value(render *r, const tr_type *type, const tr_value *v)
{
	if (v->kind == TR_V_NULL) {
		put_text(r, "null");
		return 0;
	}
	if (type->kind >= TR_ARRAY && v->kind == TR_V_LIST)
		return put_list_value(r, type, v);
	if (type->kind == TR_BYTES && v->kind == TR_V_BYTES) {
		tr_json_latin1(r->w, v->s);
		return 0;
	}
	if (!tr_json_scalar(type->kind, v, r->w))
		return tr_err_set(r->err, TR_E_ENCODE_VALUE, "the default value of a column does not fit its type");
	return 0;
}

static void put_params(render *r, const tr_type *type)
{
	put_member(r, "connect.parameters");
	for (size_t i = 0; i < type->param_count; i++) {
		tr_writer_u8(r->w, i ? ',' : '{');
		put_quoted(r, type->params[i].key);
		tr_writer_u8(r->w, ':');
		put_quoted(r, type->params[i].value);
	}
	tr_writer_u8(r->w, '}');
}

static const char *connect_type(const tr_type *type)
{
	return type->kind == TR_INT8 ? "int8" : type->kind == TR_INT16 ? "int16" : NULL;
}

static const char *logical_type(const tr_type *type)
{
	static const struct { const char *name; tr_kind kind; const char *logical; } known[] = {
	    {TR_CONNECT_DECIMAL, TR_BYTES, "decimal"},
	    {TR_CONNECT_DATE, TR_INT32, "date"},
	    {TR_CONNECT_TIME, TR_INT32, "time-millis"},
	    {TR_CONNECT_TIMESTAMP, TR_INT64, "timestamp-millis"},
	};

	for (size_t i = 0; type->name && i < sizeof(known) / sizeof(known[0]); i++)
		if (type->kind == known[i].kind && strcmp(type->name, known[i].name) == 0)
			return known[i].logical;
	return NULL;
}

static int put_properties(render *r, const tr_type *type)
{
	const char *logical = logical_type(type);

	if (type->doc) {
		put_member(r, "connect.doc");
		put_quoted(r, type->doc);
	}
	if (type->version) {
		put_member(r, "connect.version");
		tr_writer_decimal_i64(r->w, type->version);
	}
	if (type->param_count > 0)
		put_params(r, type);
	if (tr_avro_has_default(type)) {
		put_member(r, "connect.default");
		if (put_value(r, type, type->default_value) != 0)
			return -1;
	}
	if (type->name) {
		put_member(r, "connect.name");
		put_quoted(r, type->name);
	}
	if (connect_type(type)) {
		put_member(r, "connect.type");
		put_quoted(r, connect_type(type));
	}
	if (logical) {
		put_member(r, "logicalType");
		put_quoted(r, logical);
	}
	tr_writer_u8(r->w, '}');
	return 0;
}

static const char *param(const tr_type *type, const char *key)
{
	for (size_t i = 0; i < type->param_count; i++)
		if (strcmp(type->params[i].key, key) == 0)
			return type->params[i].value;
	return NULL;
}

static int put_number_param(render *r, const tr_type *type, const char *attribute, const char *key, const char *otherwise)
{
	const char *text = param(type, key) ? param(type, key) : otherwise;
	char *end;
	long number = strtol(text, &end, 10);

	if (end == text || *end)
		return tr_err_set(r->err, TR_E_BUG, "parameter \"%s\" of a decimal type is not a number", key);
	put_member(r, attribute);
	tr_writer_decimal_i64(r->w, number);
	return 0;
}

static int put_primitive(render *r, const tr_type *type)
{
	static const char *const names[] = {"boolean", "int",   "int",    "int",    "long",
	                                    "float",   "double", "string", "bytes"};
	const char *logical = logical_type(type);

	if (!type->doc && !type->version && type->param_count == 0 && !tr_avro_has_default(type) && !type->name &&
	    !connect_type(type)) {
		put_quoted(r, names[type->kind]);
		return 0;
	}
	put_text(r, "{\"type\":");
	put_quoted(r, names[type->kind]);
	if (logical && type->kind == TR_BYTES &&
	    (put_number_param(r, type, "scale", "scale", "0") != 0 ||
	     put_number_param(r, type, "precision", "connect.decimal.precision", DECIMAL_PRECISION) != 0))
		return -1;
	return put_properties(r, type);
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static seen *find_seen(render *r, const char *full)
{
	for (seen *s = r->first; s; s = s->next)
		if (strcmp(s->full, full) == 0)
			return s;
	return NULL;
}

static seen *add_seen(render *r, const char *full, const tr_type *type)
{
	seen *s = TR_ARENA_NEW(&r->names, seen);
	const char *dot = strrchr(full, '.');

	if (!s || !(s->full = tr_arena_strdup(&r->names, full)) || !(s->name = tr_arena_strdup(&r->names, dot ? dot + 1 : full)) ||
	    (dot && !(s->space = tr_arena_strndup(&r->names, full, (size_t)(dot - full))))) {
		tr_err_set(r->err, TR_E_MEMORY, "out of memory while rendering an Avro schema");
		return NULL;
	}
	s->type = type;
	s->next = r->first;
	r->first = s;
	if (!name_valid(s->name)) {
		refuse_name(r, "record name", s->name, full, "events.schema_names");
		return NULL;
	}
	return s;
}

static bool primitive_name(const char *name)
{
	static const char *const all[] = {"null",   "boolean", "int",  "long",  "float", "double", "string",
	                                  "bytes",  "record",  "enum", "array", "map",   "fixed",  "union"};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i], name) == 0)
			return true;
	return false;
}

/* The short name inside its own namespace, unless that would read as a primitive type. */
static void put_reference(render *r, const seen *s)
{
	bool near = s->space && same_text(s->space, r->space) && !primitive_name(s->name);

	put_quoted(r, near ? s->name : s->full);
}

/* {"type":"record","name":...,"namespace":...,"fields":[ ; a namespace equal to the enclosing one is left out. */
static void open_record(render *r, const seen *s)
{
	put_text(r, "{\"type\":\"record\",\"name\":");
	put_quoted(r, s->name);
	if (!same_text(s->space, r->space)) {
		put_member(r, "namespace");
		put_quoted(r, s->space ? s->space : "");
	}
	put_text(r, ",\"fields\":[");
	r->space = s->space;
}

/* One record name may come again with other properties, not with other fields. */
static bool same_shape(const tr_type *a, const tr_type *b)
{
	if (a == b)
		return true;
	if (a->kind != b->kind)
		return false;
	if (a->kind == TR_MAP)
		return tr_type_equal(a->key, b->key) && tr_type_equal(a->item, b->item);
	if (a->field_count != b->field_count)
		return false;
	for (size_t i = 0; i < a->field_count; i++)
		if (strcmp(a->fields[i].name, b->fields[i].name) != 0 || !tr_type_equal(a->fields[i].type, b->fields[i].type))
			return false;
	return true;
}

/* A struct without a name gets the next free one; an equal one before it lends its name. */
static const char *nameless_name(render *r, const tr_type *type)
{
	for (seen *s = r->first; s; s = s->next)
		if (s->type->kind == TR_STRUCT && !s->type->name && same_shape(s->type, type))
			return s->full;
	r->nameless++;
	return r->nameless == 1 ? DEFAULT_SPACE ".ConnectDefault"
	                        : tr_arena_format(&r->names, DEFAULT_SPACE ".ConnectDefault%u", r->nameless);
}

/* What a type renders as a reference to: the record seen before, or NULL. */
static seen *earlier_use(render *r, const tr_type *type)
{
	return type->kind == TR_STRUCT && type->name ? find_seen(r, type->name) : NULL;
}

static int put_field(render *r, const char *record, const char *name, const tr_type *type)
{
	/* Properties of a type cannot stand beside a mere name, so its parameters move to the field. */
	bool reused = earlier_use(r, type) != NULL;

	if (!name_valid(name))
		return refuse_name(r, "field name", name, record, "events.field_names");
	put_text(r, "{\"name\":");
	put_quoted(r, name);
	put_member(r, "type");
	if (put_schema(r, type) != 0)
		return -1;
	if (tr_avro_has_default(type)) {
		put_member(r, "default");
		if (put_value(r, type, type->default_value) != 0)
			return tr_err_prefix(r->err, "field \"%s\"", name);
	} else if (type->optional) {
		put_member(r, "default");
		put_text(r, "null");
	}
	if (reused && type->param_count > 0)
		put_params(r, type);
	tr_writer_u8(r->w, '}');
	return 0;
}

static int unique_fields(render *r, const tr_type *type, const char *record)
{
	/* Quadratic, but once per schema, and names that differ mostly differ early. */
	for (size_t i = 1; i < type->field_count; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(type->fields[i].name, type->fields[j].name) == 0) {
				tr_err_set(r->err, TR_E_NAME_COLLISION, "record \"%s\" has two fields named \"%s\"", record,
				           type->fields[i].name);
				return tr_err_hint(r->err, "two columns become equal after name adjustment: rename or exclude one");
			}
	return 0;
}

static int put_struct(render *r, const tr_type *type)
{
	const char *full = type->name ? type->name : nameless_name(r, type);
	const char *outer = r->space;
	seen *s = full ? find_seen(r, full) : NULL;

	if (!full)
		return tr_err_set(r->err, TR_E_MEMORY, "out of memory while rendering an Avro schema");
	if (s && !same_shape(s->type, type)) {
		tr_err_set(r->err, TR_E_NAME_COLLISION, "record name \"%s\" stands for two different shapes in one schema", full);
		return tr_err_hint(r->err, "rename the table or column that leads to this name");
	}
	if (s) {
		put_reference(r, s);
		return 0;
	}
	if (unique_fields(r, type, full) != 0 || !(s = add_seen(r, full, type)))
		return -1;
	open_record(r, s);
	for (size_t i = 0; i < type->field_count; i++) {
		if (i > 0)
			tr_writer_u8(r->w, ',');
		if (put_field(r, full, type->fields[i].name, type->fields[i].type) != 0)
			return -1;
	}
	r->space = outer;
	tr_writer_u8(r->w, ']');
	return put_properties(r, type);
}

static const char *entry_name(render *r, const tr_type *map)
{
	for (seen *s = r->first; s; s = s->next)
		if (s->type->kind == TR_MAP && same_text(s->type->name, map->name) && same_shape(s->type, map))
			return s->full;
	if (map->name)
		return map->name;
	r->entries++;
	return r->entries == 1 ? DEFAULT_SPACE ".MapEntry"
	                       : tr_arena_format(&r->names, DEFAULT_SPACE ".MapEntry%u", r->entries);
}

/* The record of a map whose keys are not required strings: an array of these stands for the map. */
static int put_entry(render *r, const tr_type *map)
{
	const char *full = entry_name(r, map);
	const char *outer = r->space;
	seen *s = full ? find_seen(r, full) : NULL;

	if (!full)
		return tr_err_set(r->err, TR_E_MEMORY, "out of memory while rendering an Avro schema");
	if (s && !same_shape(s->type, map))
		return tr_err_set(r->err, TR_E_NAME_COLLISION, "record name \"%s\" stands for two different shapes", full);
	if (s) {
		put_reference(r, s);
		return 0;
	}
	if (!(s = add_seen(r, full, map)))
		return -1;
	open_record(r, s);
	if (put_field(r, full, "key", map->key) != 0)
		return -1;
	tr_writer_u8(r->w, ',');
	if (put_field(r, full, "value", map->item) != 0)
		return -1;
	r->space = outer;
	put_text(r, map->name ? "],\"connect.internal.type\":\"MapEntry\"}" : "]}");
	return 0;
}

static int put_compound(render *r, const tr_type *type)
{
	if (type->kind == TR_STRUCT)
		return put_struct(r, type);
	if (type->kind == TR_MAP && type->key->kind == TR_STRING && !type->key->optional) {
		put_text(r, "{\"type\":\"map\",\"values\":");
		if (put_schema(r, type->item) != 0)
			return -1;
	} else {
		put_text(r, "{\"type\":\"array\",\"items\":");
		if ((type->kind == TR_MAP ? put_entry(r, type) : put_schema(r, type->item)) != 0)
			return -1;
	}
	return put_properties(r, type);
}

static int put_base(render *r, const tr_type *type)
{
	if (type->kind < TR_ARRAY)
		return put_primitive(r, type);
	if (r->depth >= TR_AVRO_NESTING_MAX)
		return tr_err_set(r->err, TR_E_TYPE_UNSUPPORTED, "a type is nested more than %d levels deep", TR_AVRO_NESTING_MAX);
	r->depth++;
	int result = put_compound(r, type);
	r->depth--;
	return result;
}

static int put_schema(render *r, const tr_type *type)
{
	bool value_first = tr_avro_has_default(type);

	if (!type->optional)
		return put_base(r, type);
	put_text(r, value_first ? "[" : "[\"null\",");
	if (put_base(r, type) != 0)
		return -1;
	put_text(r, value_first ? ",\"null\"]" : "]");
	return 0;
}

int tr_avro_schema(const tr_type *type, tr_writer *w, tr_err *err)
{
	render r = {.w = w, .err = err};

	tr_arena_init(&r.names, NAMES_BYTES);
	int result = put_schema(&r, type);
	if (result == 0 && !tr_writer_ok(w)) {
		result = tr_err_set(err, TR_E_MEMORY, "the Avro schema of \"%s\" is too large", type->name ? type->name : "a value");
		tr_err_detail(err, "more than %zu bytes", w->max);
	}
	tr_arena_release(&r.names);
	return result;
}
