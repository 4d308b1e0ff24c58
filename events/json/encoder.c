/*
 * The format "json": what Kafka Connect's JsonConverter writes. Plain values by default; with options.json_schemas each
 * record is {"schema":...,"payload":...}, and the schema part is rendered once, when the type is compiled. There is no
 * registry in this format.
 *
 * A compiled type is a tree of nodes; a field's node has its name ready as `,"name":`.
 */
#include "events/json/encoder.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/map.h"
#include "core/obj.h"
#include "events/json/json_text.h"

#define SCHEMA_MAX_BYTES ((size_t)16 << 20)
#define PLAN_BYTES ((size_t)16 << 20)
#define NESTING_MAX 64

typedef struct node node;
struct node {
	tr_kind kind;
	bool optional;
	bool object;       /* a map with text keys */
	uint32_t count;    /* inner nodes */
	const node *inner; /* STRUCT: fields; ARRAY: item; MAP: key, value */
	tr_slice prefix;   /* of a field: ,"name": */
	const node *parent;
	const char *name;
};

typedef struct json_codec {
	tr_codec base;
	tr_arena arena;
	node root;
	tr_slice head; /* {"schema":...,"payload": or empty */
} json_codec;

typedef struct json_encoder {
	tr_encoder base;
	bool schemas;
	pthread_mutex_t lock; /* guards codecs and text */
	tr_map *codecs;       /* subject, NUL, schema text -> json_codec */
	tr_writer text;
} json_encoder;

static json_encoder *self(tr_encoder *e)
{
	TR_CHECK_OBJ(e, TR_ENCODER_MAGIC);
	TR_ASSERT(e->ops == &tr_json_encoder_ops);
	return (json_encoder *)e;
}

/* NULL when v was written, else the node that could not. */
static const node *put_node(const node *n, const tr_value *v, tr_writer *w);

static const node *put_struct(const node *n, const tr_value *v, tr_writer *w)
{
	const node *failed = NULL;

	if (v->count != n->count)
		return n;
	tr_writer_u8(w, '{');
	for (uint32_t i = 0; i < n->count && !failed; i++) {
		/* The first field goes without its comma. */
		tr_writer_put(w, n->inner[i].prefix.ptr + (i == 0), n->inner[i].prefix.len - (i == 0));
		failed = put_node(&n->inner[i], &v->list[i], w);
	}
	tr_writer_u8(w, '}');
	return failed;
}

static const node *put_array(const node *n, const tr_value *v, tr_writer *w)
{
	const node *failed = NULL;

	tr_writer_u8(w, '[');
	for (uint32_t i = 0; i < v->count && !failed; i++) {
		if (i > 0)
			tr_writer_u8(w, ',');
		failed = put_node(n->inner, &v->list[i], w);
	}
	tr_writer_u8(w, ']');
	return failed;
}

/* Text keys make an object, others a list of pairs. */
static const node *put_map(const node *n, const tr_value *v, tr_writer *w)
{
	const node *failed = NULL;

	if (v->count % 2 != 0)
		return n;
	tr_writer_u8(w, n->object ? '{' : '[');
	for (uint32_t i = 0; i < v->count && !failed; i++) {
		if (i % 2 == 0) {
			if (i > 0)
				tr_writer_u8(w, ',');
			if (!n->object)
				tr_writer_u8(w, '[');
			else if (v->list[i].kind == TR_V_NULL)
				return &n->inner[0];
		} else {
			tr_writer_u8(w, n->object ? ':' : ',');
		}
		failed = put_node(&n->inner[i % 2], &v->list[i], w);
		if (i % 2 == 1 && !n->object)
			tr_writer_u8(w, ']');
	}
	tr_writer_u8(w, n->object ? '}' : ']');
	return failed;
}

static const node *put_node(const node *n, const tr_value *v, tr_writer *w)
{
	if (v->kind == TR_V_NULL) {
		tr_writer_put(w, "null", 4);
		return n->optional ? NULL : n;
	}
	if (n->kind < TR_ARRAY)
		return tr_json_scalar(n->kind, v, w) ? NULL : n;
	if (v->kind != TR_V_LIST)
		return n;
	return n->kind == TR_STRUCT ? put_struct(n, v, w) : n->kind == TR_ARRAY ? put_array(n, v, w) : put_map(n, v, w);
}

static void put_path(tr_writer *w, const node *n)
{
	if (n->parent)
		put_path(w, n->parent);
	if (n->name) {
		if (w->len > 0)
			tr_writer_u8(w, '.');
		tr_writer_text(w, n->name);
	} else if (n->parent) {
		tr_writer_put(w, "[]", 2);
	}
}

static int report(const node *n, tr_err *err)
{
	tr_writer path;

	tr_writer_init(&path, 4096);
	put_path(&path, n);
	if (path.len == 0)
		tr_writer_text(&path, "(the whole value)");
	tr_err_set(err, TR_E_ENCODE_VALUE, "field \"%.*s\" does not fit its schema", (int)path.len, (const char *)path.data);
	tr_writer_release(&path);
	return tr_err_detail(err, "the value is missing, of another type, or out of range");
}

static int json_write(const tr_codec *codec, const tr_value *v, tr_writer *w, tr_err *err)
{
	const json_codec *c = (const json_codec *)codec;
	size_t start = w->len;

	tr_writer_slice(w, c->head);
	const node *failed = put_node(&c->root, v, w);
	if (c->head.len > 0)
		tr_writer_u8(w, '}');
	if (__builtin_expect(!failed && tr_writer_ok(w), 1))
		return 0;
	w->len = start;
	if (failed)
		return report(failed, err);
	return tr_err_set(err, TR_E_BATCH_LIMIT, "could not write an event as JSON: it is larger than the memory allowed");
}

static int compile(tr_arena *a, node *n, const tr_type *type, const node *parent, const char *name, int depth, tr_err *err);

static int compile_inner(tr_arena *a, node *n, const tr_type *type, int depth, tr_err *err)
{
	size_t count = type->kind == TR_STRUCT ? type->field_count : type->kind == TR_MAP ? 2 : 1;
	node *inner = TR_ARENA_ARRAY(a, node, count ? count : 1);

	if (depth >= NESTING_MAX)
		return tr_err_set(err, TR_E_TYPE_UNSUPPORTED, "a type is nested more than %d levels deep", NESTING_MAX);
	if (!inner)
		return tr_err_set(err, TR_E_MEMORY, "out of memory while compiling a JSON codec");
	n->inner = inner;
	n->count = (uint32_t)count;
	n->object = type->kind == TR_MAP && type->key->kind == TR_STRING;
	for (size_t i = 0; i < count; i++) {
		const tr_type *t = type->kind == TR_STRUCT ? type->fields[i].type
		                   : type->kind == TR_MAP && i == 0 ? type->key : type->item;
		const char *name = type->kind == TR_STRUCT ? type->fields[i].name : NULL;
		if (compile(a, &inner[i], t, n, name, depth + 1, err) != 0)
			return -1;
	}
	return 0;
}

static bool field_prefix(tr_arena *a, node *n, const char *name)
{
	tr_writer text;

	tr_writer_init(&text, 8 * strlen(name) + 16);
	tr_writer_u8(&text, ',');
	tr_json_string(&text, tr_slice_str(name));
	tr_writer_u8(&text, ':');
	n->prefix = tr_slice_of(tr_arena_memdup(a, text.data, text.len), text.len);
	n->name = tr_arena_strdup(a, name);
	bool made = tr_writer_ok(&text) && n->prefix.ptr && n->name;
	tr_writer_release(&text);
	return made;
}

static int compile(tr_arena *a, node *n, const tr_type *type, const node *parent, const char *name, int depth, tr_err *err)
{
	*n = (node){.kind = type->kind, .optional = type->optional, .parent = parent};
	if (name && !field_prefix(a, n, name))
		return tr_err_set(err, TR_E_MEMORY, "out of memory while compiling a JSON codec");
	return type->kind >= TR_ARRAY ? compile_inner(a, n, type, depth, err) : 0;
}

static int json_open(tr_encoder **out, const tr_event_options *options, const tr_registry_options *registry, tr_err *err)
{
	json_encoder *e = calloc(1, sizeof(*e));

	(void)registry;
	*out = NULL;
	if (!e)
		return tr_err_set(err, TR_E_MEMORY, "out of memory while opening the JSON encoder");
	e->base = (tr_encoder){.magic = TR_ENCODER_MAGIC, .ops = &tr_json_encoder_ops};
	e->schemas = options->json_schemas;
	pthread_mutex_init(&e->lock, NULL);
	e->codecs = tr_map_new();
	tr_writer_init(&e->text, SCHEMA_MAX_BYTES);
	*out = &e->base;
	return 0;
}

static void codec_free(void *value)
{
	json_codec *c = value;

	TR_CHECK_OBJ(&c->base, TR_CODEC_MAGIC);
	c->base.magic = 0;
	tr_arena_release(&c->arena);
	free(c);
}

static int codec_new(const json_encoder *e, const char *subject, const char *schema, const tr_type *type, json_codec **out,
                     tr_err *err)
{
	json_codec *c = calloc(1, sizeof(*c));

	if (!c)
		return tr_err_set(err, TR_E_MEMORY, "out of memory while compiling subject \"%s\"", subject);
	/* The schema twice (text and head), beside the plan. */
	tr_arena_init(&c->arena, PLAN_BYTES + 2 * SCHEMA_MAX_BYTES);
	c->base = (tr_codec){.magic = TR_CODEC_MAGIC, .subject = tr_arena_strdup(&c->arena, subject),
	                     .schema = tr_arena_strdup(&c->arena, schema), .write = json_write};
	if (e->schemas)
		c->head = tr_slice_str(tr_arena_format(&c->arena, "{\"schema\":%s,\"payload\":", schema));
	int result = 0;
	if (!c->base.subject || !c->base.schema || (e->schemas && !c->head.ptr))
		result = tr_err_set(err, TR_E_MEMORY, "out of memory while compiling subject \"%s\"", subject);
	else
		result = compile(&c->arena, &c->root, type, NULL, NULL, 0, err);
	if (result != 0)
		codec_free(c);
	else
		*out = c;
	return result;
}

static int compile_locked(json_encoder *e, const char *subject, const tr_type *type, const tr_codec **out, tr_err *err)
{
	size_t schema_at = strlen(subject) + 1;

	tr_writer_reset(&e->text);
	tr_writer_put(&e->text, subject, schema_at);
	if (tr_json_schema(type, &e->text, err) != 0)
		return tr_err_prefix(err, "subject \"%s\"", subject);
	size_t key_len = e->text.len;
	tr_writer_u8(&e->text, 0);
	if (!tr_writer_ok(&e->text))
		return tr_err_set(err, TR_E_MEMORY, "the schema of subject \"%s\" is too large", subject);
	tr_slice key = tr_slice_of(e->text.data, key_len);
	json_codec *c = tr_map_get(e->codecs, key);
	if (!c) {
		const char *text = (const char *)e->text.data;
		if (codec_new(e, text, text + schema_at, type, &c, err) != 0)
			return -1;
		tr_map_put(e->codecs, key, c);
	}
	*out = &c->base;
	return 0;
}

static int json_compile(tr_encoder *base, const char *subject, const tr_type *type, const volatile bool *stop,
                        const tr_codec **out, tr_err *err)
{
	json_encoder *e = self(base);

	(void)stop; /* nothing to wait for */
	pthread_mutex_lock(&e->lock);
	int result = compile_locked(e, subject, type, out, err);
	pthread_mutex_unlock(&e->lock);
	return result;
}

static int json_check(tr_encoder *base, tr_err *err)
{
	self(base);
	tr_err_clear(err);
	return 0;
}

static void json_free(tr_encoder *base)
{
	if (!base)
		return;
	json_encoder *e = self(base);
	base->magic = 0;
	tr_map_free(e->codecs, codec_free);
	tr_writer_release(&e->text);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

const tr_encoder_ops tr_json_encoder_ops = {
    .name = "json", .open = json_open, .compile = json_compile, .check = json_check, .free = json_free};
