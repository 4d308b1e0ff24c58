#include "events/avro/codec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/digits.h"
#include "core/obj.h"
#include "events/avro/schema.h"

#define PLAN_BYTES ((size_t)16 << 20)
#define BYTES_MAX ((size_t)INT32_MAX) /* readers count in ints */

/* How a value of each kind is written. Text is bytes: both are a length and the bytes. */
typedef enum form { BOOLEAN, INTEGER, FLOAT, DOUBLE, BYTES, STRUCT, ARRAY, MAP } form;

#define BRANCH_BYTES 1 /* the index in a union */
#define END_BYTES    1 /* the empty block behind the last item */

static const struct kind_row {
	form form;
	uint8_t bits, max_bytes; /* of an integer; of what has no length of its own, but for the branch */
	const char *name;
} kinds[] = {
    [TR_BOOLEAN] = {BOOLEAN, 0, 1, "boolean"},
    [TR_INT8] = {INTEGER, 8, TR_ZIGZAG_BYTES, "8-bit integer"},
    [TR_INT16] = {INTEGER, 16, TR_ZIGZAG_BYTES, "16-bit integer"},
    [TR_INT32] = {INTEGER, 32, TR_ZIGZAG_BYTES, "32-bit integer"},
    [TR_INT64] = {INTEGER, 64, TR_ZIGZAG_BYTES, "64-bit integer"},
    [TR_FLOAT32] = {FLOAT, 0, sizeof(float), "32-bit float"},
    [TR_FLOAT64] = {DOUBLE, 0, sizeof(double), "64-bit float"},
    [TR_STRING] = {BYTES, 0, TR_ZIGZAG_BYTES, "text"},
    [TR_BYTES] = {BYTES, 0, TR_ZIGZAG_BYTES, "bytes"},
    [TR_ARRAY] = {ARRAY, 0, TR_ZIGZAG_BYTES + END_BYTES, "array"},
    [TR_MAP] = {MAP, 0, TR_ZIGZAG_BYTES + END_BYTES, "map"},
    [TR_STRUCT] = {STRUCT, 0, 0, "struct"},
};

typedef struct node node;
struct node {
	const node *inner;  /* STRUCT: its fields side by side; ARRAY: the item; MAP: key and value */
	uint32_t count;     /* of inner */
	uint32_t rest;      /* what this field and all behind it take at most, without the bytes of texts and without items */
	uint8_t form, bits; /* bits: of an integer */
	uint8_t null_branch, value_branch; /* encoded index in the union */
	bool optional;
	tr_kind kind;
	const node *parent;
	const char *name;   /* of a field; NULL = an item of the parent */
};

struct tr_avro_plan {
	uint32_t magic;
	tr_arena arena;
	node root;
};
#define PLAN_MAGIC 0xa7204001u

/*
 * Where the bytes go. The writers take the place and return the one behind what they wrote, NULL when they failed: then
 * `failed` could not hold `bad`, or there was no room when it is NULL.
 *
 * Room is made ahead. When a field's turn comes there are `rest` bytes at least, made once for a whole event; each
 * field takes no more than its own share of them, so the next one has its `rest`, too. What has no maximum (texts and
 * items) makes its own room and that of the rest.
 */
typedef struct output {
	tr_writer *w;
	const uint8_t *end;
	const node *failed;
	const tr_value *bad;
} output;

static uint8_t *more_room(output *o, uint8_t *at, size_t bytes)
{
	o->w->len = (size_t)(at - o->w->data);
	if (!tr_writer_reserve(o->w, bytes))
		return NULL;
	o->end = o->w->data + o->w->cap;
	return o->w->data + o->w->len;
}

static inline uint8_t *room(output *o, uint8_t *at, size_t bytes)
{
	return __builtin_expect(bytes <= (size_t)(o->end - at), 1) ? at : more_room(o, at, bytes);
}

static uint8_t *put_fields(const node *n, uint32_t count, const tr_value *v, uint8_t *at, output *o);

/* One block with all items, then the empty block that ends it. An Avro map and an array of entry records are the same
 * bytes: its inner nodes take turns. */
static uint8_t *put_items(const node *n, uint32_t per_item, const tr_value *v, uint8_t *at, output *o)
{
	if (v->count > 0)
		at = tr_put_zigzag(at, v->count / per_item);
	for (uint32_t i = 0; at && i < v->count; i += per_item)
		if ((at = room(o, at, n->inner->rest)) != NULL)
			at = put_fields(n->inner, per_item, &v->list[i], at, o);
	if (at && (at = room(o, at, n->rest)) != NULL)
		*at++ = 0;
	return at;
}

static inline uint8_t *put_bytes(const node *n, tr_slice s, uint8_t *at, output *o)
{
	if ((at = room(o, at, n->rest + s.len)) == NULL)
		return NULL;
	at = tr_put_zigzag(at, (int64_t)s.len);
	if (s.len > 0)
		memcpy(at, s.ptr, s.len);
	return at + s.len;
}

static inline uint8_t *put_float(double value, uint8_t *at)
{
	float narrow = (float)value;
	uint32_t bits;

	memcpy(&bits, &narrow, sizeof(bits));
	return tr_put_le(at, bits, sizeof(bits));
}

static inline uint8_t *put_double(double value, uint8_t *at)
{
	uint64_t bits;

	memcpy(&bits, &value, sizeof(bits));
	return tr_put_le(at, bits, sizeof(bits));
}

/* What does not fit leaves the switch. */
static inline uint8_t *put_value(const node *n, const tr_value *v, uint8_t *at, output *o)
{
	switch ((form)n->form) {
	case BOOLEAN:
		if (v->kind != TR_V_BOOL)
			break;
		*at = v->i != 0;
		return at + 1;
	case INTEGER:
		/* Out of range when the bits above the sign bit are not all like it. */
		if (v->kind != TR_V_INT || v->i >> (n->bits - 1) != v->i >> 63)
			break;
		return tr_put_zigzag(at, v->i);
	case FLOAT:
		if (v->kind != TR_V_FLOAT || (isfinite(v->f) && fabs(v->f) > (double)FLT_MAX))
			break;
		return put_float(v->f, at);
	case DOUBLE:
		if (v->kind != TR_V_FLOAT)
			break;
		return put_double(v->f, at);
	case BYTES:
		if (v->kind != TR_V_BYTES || v->s.len > BYTES_MAX)
			break;
		return put_bytes(n, v->s, at, o);
	case STRUCT:
		if (v->kind != TR_V_LIST || v->count != n->count)
			break;
		return put_fields(n->inner, n->count, v->list, at, o);
	case ARRAY:
		if (v->kind != TR_V_LIST)
			break;
		return put_items(n, 1, v, at, o);
	case MAP:
		if (v->kind != TR_V_LIST || v->count % 2 != 0)
			break;
		return put_items(n, 2, v, at, o);
	}
	o->failed = n;
	o->bad = v;
	return NULL;
}

/* A run of fields that was written before. */
static uint8_t *put_encoded(const node *n, uint32_t left, const tr_value *v, uint8_t *at, output *o)
{
	TR_ASSERT(v->count > 0 && v->count <= left);
	if ((at = room(o, at, n->rest + v->s.len)) == NULL)
		return NULL;
	memcpy(at, v->s.ptr, v->s.len);
	return at + v->s.len;
}

/* Fields side by side, the values beside them. */
static uint8_t *put_fields(const node *n, uint32_t count, const tr_value *v, uint8_t *at, output *o)
{
	for (const node *end = n + count; at && n < end; n++, v++) {
		TR_DEBUG_ASSERT(n->rest <= (size_t)(o->end - at));
		if (v->kind == TR_V_ENCODED) {
			at = put_encoded(n, (uint32_t)(end - n), v, at, o);
			n += v->count - 1;
			v += v->count - 1;
		} else if (v->kind == TR_V_NULL && n->optional) {
			*at++ = n->null_branch;
		} else {
			*at = n->value_branch; /* each field has room for it, also the required ones */
			at = put_value(n, v, at + n->optional, o);
		}
	}
	return at;
}

static int compile(tr_arena *arena, node *n, const tr_type *type, const node *parent, const char *name, int depth,
                   tr_err *err);

static int compile_inner(tr_arena *arena, node *n, const tr_type *type, int depth, tr_err *err)
{
	size_t count = type->kind == TR_STRUCT ? type->field_count : type->kind == TR_MAP ? 2 : 1;
	node *inner = TR_ARENA_ARRAY(arena, node, count ? count : 1);

	if (depth >= TR_AVRO_NESTING_MAX)
		return tr_err_set(err, TR_E_TYPE_UNSUPPORTED, "a type is nested more than %d levels deep", TR_AVRO_NESTING_MAX);
	if (!inner)
		return tr_err_set(err, TR_E_MEMORY, "out of memory while compiling an Avro schema");
	n->inner = inner;
	n->count = (uint32_t)count;
	for (size_t i = 0; i < count; i++) {
		const tr_type *t = type->kind == TR_STRUCT ? type->fields[i].type
		                   : type->kind == TR_MAP && i == 0 ? type->key : type->item;
		const char *name = type->kind == TR_STRUCT ? type->fields[i].name : NULL;
		if (compile(arena, &inner[i], t, n, name, depth + 1, err) != 0)
			return -1;
	}
	return 0;
}

static int compile(tr_arena *arena, node *n, const tr_type *type, const node *parent, const char *name, int depth,
                   tr_err *err)
{
	bool value_first = tr_avro_has_default(type);

	*n = (node){
	    .form = (uint8_t)kinds[type->kind].form,
	    .bits = kinds[type->kind].bits,
	    .null_branch = value_first ? 2 : 0,
	    .value_branch = value_first ? 0 : 2,
	    .optional = type->optional,
	    .kind = type->kind,
	    .parent = parent,
	    .name = name ? tr_arena_strdup(arena, name) : NULL,
	};
	if (name && !n->name)
		return tr_err_set(err, TR_E_MEMORY, "out of memory while compiling an Avro schema");
	return type->kind >= TR_ARRAY ? compile_inner(arena, n, type, depth, err) : 0;
}

/* Fills `rest` from the end to the beginning; returns that of the first. */
static uint32_t settle_rest(node *n, uint32_t count, uint32_t behind)
{
	while (count-- > 0) {
		node *inner = (node *)(uintptr_t)n[count].inner; /* still ours */
		if (n[count].form == STRUCT)
			behind = settle_rest(inner, n[count].count, behind);
		else if (inner)
			settle_rest(inner, n[count].count, 0);
		n[count].rest = behind += BRANCH_BYTES + kinds[n[count].kind].max_bytes;
	}
	return behind;
}

int tr_avro_plan_new(tr_avro_plan **out, const tr_type *type, tr_err *err)
{
	tr_avro_plan *plan = calloc(1, sizeof(*plan));

	*out = NULL;
	if (!plan)
		return tr_err_set(err, TR_E_MEMORY, "out of memory while compiling an Avro schema");
	plan->magic = PLAN_MAGIC;
	tr_arena_init(&plan->arena, PLAN_BYTES);
	if (compile(&plan->arena, &plan->root, type, NULL, NULL, 0, err) != 0) {
		tr_avro_plan_free(plan);
		return -1;
	}
	settle_rest(&plan->root, 1, 0);
	*out = plan;
	return 0;
}

void tr_avro_plan_free(tr_avro_plan *plan)
{
	if (!plan)
		return;
	TR_CHECK_OBJ(plan, PLAN_MAGIC);
	plan->magic = 0;
	tr_arena_release(&plan->arena);
	free(plan);
}

/* "after.tags[]": from the root down, so the parents come first. */
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

static int report(const node *n, const tr_value *v, tr_err *err)
{
	tr_writer path;

	tr_writer_init(&path, 4096);
	put_path(&path, n);
	if (path.len == 0)
		tr_writer_text(&path, "(the whole value)");
	tr_err_set(err, TR_E_ENCODE_VALUE, "field \"%.*s\" does not fit its schema", (int)path.len, (const char *)path.data);
	tr_writer_release(&path);
	if (v->kind == TR_V_NULL)
		return tr_err_detail(err, "it is a required %s, but has no value", kinds[n->kind].name);
	if (n->kind == TR_STRUCT && v->kind == TR_V_LIST)
		return tr_err_detail(err, "the struct has %u fields, the value %u", (unsigned)n->count, (unsigned)v->count);
	return tr_err_detail(err, "the value is not a %s, or out of its range", kinds[n->kind].name);
}

int tr_avro_plan_write(const tr_avro_plan *plan, const tr_value *v, tr_writer *w, tr_err *err)
{
	size_t start = w->len;
	output o = {.w = w};
	uint8_t *at = more_room(&o, w->data + start, plan->root.rest);

	if (at)
		at = put_fields(&plan->root, 1, v, at, &o);
	if (__builtin_expect(at != NULL, 1)) {
		TR_ASSERT(at <= o.end);
		w->len = (size_t)(at - w->data);
		return 0;
	}
	w->len = start;
	if (o.failed)
		return report(o.failed, o.bad, err);
	return tr_err_set(err, TR_E_BATCH_LIMIT, "could not write an event as Avro: it is larger than the memory allowed");
}
