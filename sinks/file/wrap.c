#include "sinks/file/wrap.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX 64
#define NAME_MAX_BYTES 512

static bool is_named(const char *type)
{
	return type && (strcmp(type, "record") == 0 || strcmp(type, "enum") == 0 || strcmp(type, "fixed") == 0 ||
	                   strcmp(type, "error") == 0);
}

/* Avro's rule: a dotted name is full, else the namespace of the type or of what encloses it comes before it. */
static void full_name(const json_t *type, const char *space, char out[NAME_MAX_BYTES])
{
	const char *name = json_string_value(json_object_get(type, "name"));
	const char *own = json_string_value(json_object_get(type, "namespace"));

	if (own)
		space = own;
	if (!name)
		name = "";
	if (strchr(name, '.') || !space[0])
		snprintf(out, NAME_MAX_BYTES, "%s", name);
	else
		snprintf(out, NAME_MAX_BYTES, "%s.%s", space, name);
}

static json_t *walk(json_t *node, const char *space, json_t *seen, int depth);

static void walk_member(json_t *object, const char *member, const char *space, json_t *seen, int depth)
{
	json_t *child = json_object_get(object, member);

	if (child)
		json_object_set_new(object, member, walk(child, space, seen, depth));
}

static json_t *walk_named(json_t *node, const char *space, json_t *seen, int depth)
{
	char name[NAME_MAX_BYTES], inner[NAME_MAX_BYTES];
	json_t *field;
	size_t i;

	full_name(node, space, name);
	if (json_object_get(seen, name))
		return json_string(name);
	json_object_set_new(seen, name, json_true());
	snprintf(inner, sizeof(inner), "%s", name);
	char *dot = strrchr(inner, '.');
	if (dot)
		*dot = '\0';
	else
		inner[0] = '\0';
	json_array_foreach(json_object_get(node, "fields"), i, field)
		walk_member(field, "type", inner, seen, depth);
	return json_incref(node);
}

/* Returns what stands for the node: itself, changed in place, or the name of a type that was defined before. */
static json_t *walk(json_t *node, const char *space, json_t *seen, int depth)
{
	json_t *child;
	size_t i;

	if (depth > DEPTH_MAX)
		return json_incref(node);
	if (json_is_array(node)) {
		json_array_foreach(node, i, child)
			json_array_set_new(node, i, walk(child, space, seen, depth + 1));
		return json_incref(node);
	}
	if (!json_is_object(node))
		return json_incref(node);
	if (is_named(json_string_value(json_object_get(node, "type"))))
		return walk_named(node, space, seen, depth + 1);
	walk_member(node, "type", space, seen, depth + 1);
	walk_member(node, "items", space, seen, depth + 1);
	walk_member(node, "values", space, seen, depth + 1);
	return json_incref(node);
}

static json_t *parse(const char *schema, json_t *seen, tr_err *err)
{
	json_error_t why;
	json_t *node = schema ? json_loads(schema, JSON_DECODE_ANY, &why) : json_string("null");

	if (!node) {
		tr_err_set(err, TR_E_BUG, "a compiled schema is not JSON: %s", why.text);
		return NULL;
	}
	json_t *result = walk(node, "", seen, 0);
	json_decref(node);
	return result;
}

int tr_wrap_schema(const char *key, const char *value, tr_writer *out, tr_err *err)
{
	json_t *seen = json_object();
	json_t *key_type = parse(key, seen, err);
	json_t *value_type = key_type ? parse(value, seen, err) : NULL;
	json_t *root = NULL;
	char *text = NULL;
	int result = -1;

	if (!key_type || !value_type)
		goto out;
	if (json_is_array(value_type)) {
		tr_err_set(err, TR_E_BUG, "the schema of a row is a union");
		goto out;
	}
	/* A union may not hold a union, nor null twice. */
	json_t *alternatives = value ? json_pack("[s, O]", "null", value_type) : json_pack("[s]", "null");
	root = json_pack("{s:s, s:s, s:[{s:s, s:O}, {s:s, s:o}]}", "type", "record", "name", "TailraceChange", "fields", "name",
	    "key", "type", key_type, "name", "value", "type", alternatives);
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	if (!text) {
		tr_err_set(err, TR_E_MEMORY, "the schema of a file could not be built");
		goto out;
	}
	tr_writer_text(out, text);
	tr_writer_u8(out, '\0');
	result = tr_writer_ok(out) ? 0 : tr_err_set(err, TR_E_MEMORY, "the schema of a file could not be built");
out:
	free(text);
	json_decref(root);
	json_decref(value_type);
	json_decref(key_type);
	json_decref(seen);
	return result;
}
