#include "events/type.h"

static const char *copied(tr_arena *a, const char *text, bool *ok)
{
	const char *copy = text ? tr_arena_strdup(a, text) : NULL;

	if (text && !copy)
		*ok = false;
	return copy;
}

tr_type *tr_type_new(tr_arena *a, tr_kind kind, const char *name, int version)
{
	tr_type *type = TR_ARENA_NEW(a, tr_type);
	bool ok = true;

	if (!type)
		return NULL;
	type->kind = kind;
	type->version = version;
	type->name = copied(a, name, &ok);
	return ok ? type : NULL;
}

tr_type *tr_type_copy(tr_arena *a, const tr_type *type)
{
	return tr_arena_memdup(a, type, sizeof(*type));
}

tr_type *tr_type_optional(tr_arena *a, const tr_type *type, bool optional)
{
	tr_type *copy = tr_type_copy(a, type);

	if (copy)
		copy->optional = optional;
	return copy;
}

tr_type *tr_type_array(tr_arena *a, const tr_type *item)
{
	tr_type *type = item ? tr_type_new(a, TR_ARRAY, NULL, 0) : NULL;

	if (type)
		type->item = item;
	return type;
}

tr_type *tr_type_map(tr_arena *a, const tr_type *key, const tr_type *item)
{
	tr_type *type = key && item ? tr_type_new(a, TR_MAP, NULL, 0) : NULL;

	if (type) {
		type->key = key;
		type->item = item;
	}
	return type;
}

tr_type *tr_type_struct(tr_arena *a, const char *name, int version, const tr_field *fields, size_t count)
{
	tr_type *type = tr_type_new(a, TR_STRUCT, name, version);
	tr_field *own = TR_ARENA_ARRAY(a, tr_field, count);
	bool ok = type && own;

	for (size_t i = 0; ok && i < count; i++) {
		own[i] = (tr_field){.name = copied(a, fields[i].name, &ok), .type = fields[i].type};
		/* A field's type is NULL when building it failed: the caller needs to ask only once. */
		ok = ok && own[i].name && own[i].type;
	}
	if (!ok)
		return NULL;
	type->fields = own;
	type->field_count = count;
	return type;
}

int tr_type_param(tr_arena *a, tr_type *type, const char *key, const char *value)
{
	tr_param *params = type ? TR_ARENA_ARRAY(a, tr_param, type->param_count + 1) : NULL;
	bool ok = params != NULL;

	if (!ok)
		return -1;
	if (type->param_count > 0)
		memcpy(params, type->params, type->param_count * sizeof(*params));
	params[type->param_count] = (tr_param){.key = copied(a, key, &ok), .value = copied(a, value, &ok)};
	if (!ok)
		return -1;
	type->params = params;
	type->param_count++;
	return 0;
}

int tr_type_default(tr_arena *a, tr_type *type, const tr_value *value)
{
	tr_value *copy = type ? TR_ARENA_NEW(a, tr_value) : NULL;

	if (!copy || !tr_value_copy(a, value, copy))
		return -1;
	type->default_value = copy->kind == TR_V_NULL ? NULL : copy;
	return 0;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_params(const tr_type *a, const tr_type *b)
{
	if (a->param_count != b->param_count)
		return false;
	for (size_t i = 0; i < a->param_count; i++)
		if (!same_text(a->params[i].key, b->params[i].key) ||
		    !same_text(a->params[i].value, b->params[i].value))
			return false;
	return true;
}

static bool same_default(const tr_value *a, const tr_value *b)
{
	return a == b || (a && b && tr_value_equal(a, b));
}

static bool same_fields(const tr_type *a, const tr_type *b)
{
	if (a->field_count != b->field_count)
		return false;
	for (size_t i = 0; i < a->field_count; i++)
		if (!same_text(a->fields[i].name, b->fields[i].name) ||
		    !tr_type_equal(a->fields[i].type, b->fields[i].type))
			return false;
	return true;
}

bool tr_type_equal(const tr_type *a, const tr_type *b)
{
	if (a == b)
		return true;
	if (!a || !b)
		return false;
	return a->kind == b->kind && a->optional == b->optional && a->version == b->version &&
	       same_text(a->name, b->name) && same_text(a->doc, b->doc) && same_params(a, b) &&
	       same_default(a->default_value, b->default_value) && tr_type_equal(a->key, b->key) &&
	       tr_type_equal(a->item, b->item) && same_fields(a, b);
}

const char *tr_kind_name(tr_kind kind)
{
	static const char *const names[] = {"boolean", "int8",	 "int16", "int32", "int64", "float32",
					    "float64", "string", "bytes", "array", "map",	"struct"};

	return names[kind];
}
