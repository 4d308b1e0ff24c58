#include "events/avro/codec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "core/digits.h"
#include "core/obj.h"
#include "events/avro/schema.h"

#define PLAN_BYTES ((size_t)16 << 20)
#define BYTES_MAX ((size_t)INT32_MAX) /* readers count in ints */

typedef struct node node;
/* NULL when v was written; otherwise the node that could not write, and *bad is its value. */
typedef const node *(*write_fn)(const node *n, const tr_value *v, tr_writer *w, const tr_value **bad);

struct node {
	write_fn write;
	const node *inner;  /* STRUCT: its fields side by side; ARRAY: the item; MAP: key and value */
	uint32_t count;     /* fields of a STRUCT */
	uint8_t null_branch, value_branch; /* encoded index in the union */
	uint8_t bits;       /* of an integer */
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

static inline const node *refuse(const node *n, const tr_value *v, const tr_value **bad)
{
	*bad = v;
	return n;
}

/* Room for n bytes at the end, NULL when the writer is full. What is written there counts only after `commit`: a local
 * pointer spares reloading the writer after each byte. */
static inline uint8_t *room(tr_writer *w, size_t n)
{
	return tr_writer_reserve(w, n) ? w->data + w->len : NULL;
}

static inline void commit(tr_writer *w, const uint8_t *end)
{
	w->len = (size_t)(end - w->data);
}

#define BRANCH_BYTES 1

/* Little-endian whatever the machine; compilers make one store of it. */
static inline uint8_t *put_le(uint8_t *p, uint64_t bits, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(bits >> (8 * i));
	return p + bytes;
}

/*
 * One writer per kind, inlined twice: for required values, and for unions after the null branch has been ruled out
 * (`nullable` is a constant; then the byte of the value's branch comes first). A full writer is no misfit: it is sticky, and
 * the caller asks once.
 */
#define WRITER(kind) \
	static inline __attribute__((always_inline)) const node *put_##kind(const node *n, const tr_value *v, tr_writer *w, \
	                                                                    const tr_value **bad, bool nullable)

WRITER(boolean)
{
	uint8_t *p;

	if (__builtin_expect(v->kind != TR_V_BOOL, 0))
		return refuse(n, v, bad);
	if ((p = room(w, BRANCH_BYTES + 1)) != NULL) {
		if (nullable)
			*p++ = n->value_branch;
		*p++ = v->i != 0;
		commit(w, p);
	}
	return NULL;
}

WRITER(integer)
{
	uint8_t *p;

	/* Out of range when the bits above the sign bit are not all like it. */
	if (__builtin_expect(v->kind != TR_V_INT || v->i >> (n->bits - 1) != v->i >> 63, 0))
		return refuse(n, v, bad);
	if ((p = room(w, BRANCH_BYTES + TR_ZIGZAG_BYTES)) != NULL) {
		if (nullable)
			*p++ = n->value_branch;
		commit(w, tr_put_zigzag(p, v->i));
	}
	return NULL;
}

WRITER(float)
{
	uint32_t bits;
	uint8_t *p;

	if (__builtin_expect(v->kind != TR_V_FLOAT || (isfinite(v->f) && fabs(v->f) > (double)FLT_MAX), 0))
		return refuse(n, v, bad);
	float narrow = (float)v->f;
	memcpy(&bits, &narrow, sizeof(bits));
	if ((p = room(w, BRANCH_BYTES + sizeof(bits))) != NULL) {
		if (nullable)
			*p++ = n->value_branch;
		commit(w, put_le(p, bits, sizeof(bits)));
	}
	return NULL;
}

WRITER(double)
{
	uint64_t bits;
	uint8_t *p;

	if (__builtin_expect(v->kind != TR_V_FLOAT, 0))
		return refuse(n, v, bad);
	memcpy(&bits, &v->f, sizeof(bits));
	if ((p = room(w, BRANCH_BYTES + sizeof(bits))) != NULL) {
		if (nullable)
			*p++ = n->value_branch;
		commit(w, put_le(p, bits, sizeof(bits)));
	}
	return NULL;
}

/* Text too: Avro strings are length and UTF-8. */
WRITER(bytes)
{
	uint8_t *p;

	if (__builtin_expect(v->kind != TR_V_BYTES || v->s.len > BYTES_MAX, 0))
		return refuse(n, v, bad);
	if ((p = room(w, BRANCH_BYTES + TR_ZIGZAG_BYTES + v->s.len)) != NULL) {
		if (nullable)
			*p++ = n->value_branch;
		p = tr_put_zigzag(p, (int64_t)v->s.len);
		if (v->s.len > 0)
			memcpy(p, v->s.ptr, v->s.len);
		commit(w, p + v->s.len);
	}
	return NULL;
}

WRITER(struct)
{
	const node *failed = NULL;

	if (__builtin_expect(v->kind != TR_V_LIST || v->count != n->count, 0))
		return refuse(n, v, bad);
	if (nullable)
		tr_writer_u8(w, n->value_branch);
	for (uint32_t i = 0; i < n->count && !failed; i++)
		failed = n->inner[i].write(&n->inner[i], &v->list[i], w, bad);
	return failed;
}

/* One block with all items, then the empty block that ends it. */
WRITER(array)
{
	const node *failed = NULL;

	if (__builtin_expect(v->kind != TR_V_LIST, 0))
		return refuse(n, v, bad);
	if (nullable)
		tr_writer_u8(w, n->value_branch);
	if (v->count > 0)
		tr_writer_zigzag(w, v->count);
	for (uint32_t i = 0; i < v->count && !failed; i++)
		failed = n->inner->write(n->inner, &v->list[i], w, bad);
	tr_writer_u8(w, 0);
	return failed;
}

/* An Avro map and an array of entry records are the same bytes. */
WRITER(map)
{
	const node *failed = NULL;

	if (__builtin_expect(v->kind != TR_V_LIST || v->count % 2 != 0, 0))
		return refuse(n, v, bad);
	if (nullable)
		tr_writer_u8(w, n->value_branch);
	if (v->count > 0)
		tr_writer_zigzag(w, v->count / 2);
	for (uint32_t i = 0; i < v->count && !failed; i++)
		failed = n->inner[i % 2].write(&n->inner[i % 2], &v->list[i], w, bad);
	tr_writer_u8(w, 0);
	return failed;
}

#define WRITERS(which)                                                                                                \
	static const node *write_##which(const node *n, const tr_value *v, tr_writer *w, const tr_value **bad)         \
	{                                                                                                             \
		return put_##which(n, v, w, bad, false);                                                               \
	}                                                                                                             \
	static const node *write_##which##_or_null(const node *n, const tr_value *v, tr_writer *w, const tr_value **bad) \
	{                                                                                                             \
		if (v->kind != TR_V_NULL)                                                                             \
			return put_##which(n, v, w, bad, true);                                                        \
		tr_writer_u8(w, n->null_branch);                                                                      \
		return NULL;                                                                                          \
	}
WRITERS(boolean)
WRITERS(integer)
WRITERS(float)
WRITERS(double)
WRITERS(bytes)
WRITERS(struct)
WRITERS(array)
WRITERS(map)

static const struct kind_row {
	write_fn required, optional;
	uint8_t bits;
	const char *name;
} kinds[] = {
    [TR_BOOLEAN] = {write_boolean, write_boolean_or_null, 0, "boolean"},
    [TR_INT8] = {write_integer, write_integer_or_null, 8, "8-bit integer"},
    [TR_INT16] = {write_integer, write_integer_or_null, 16, "16-bit integer"},
    [TR_INT32] = {write_integer, write_integer_or_null, 32, "32-bit integer"},
    [TR_INT64] = {write_integer, write_integer_or_null, 64, "64-bit integer"},
    [TR_FLOAT32] = {write_float, write_float_or_null, 0, "32-bit float"},
    [TR_FLOAT64] = {write_double, write_double_or_null, 0, "64-bit float"},
    [TR_STRING] = {write_bytes, write_bytes_or_null, 0, "text"},
    [TR_BYTES] = {write_bytes, write_bytes_or_null, 0, "bytes"},
    [TR_ARRAY] = {write_array, write_array_or_null, 0, "array"},
    [TR_MAP] = {write_map, write_map_or_null, 0, "map"},
    [TR_STRUCT] = {write_struct, write_struct_or_null, 0, "struct"},
};

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
	    .write = type->optional ? kinds[type->kind].optional : kinds[type->kind].required,
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
	const tr_value *bad = NULL;
	const node *failed = plan->root.write(&plan->root, v, w, &bad);

	if (__builtin_expect(!failed && tr_writer_ok(w), 1))
		return 0;
	w->len = start;
	if (failed)
		return report(failed, bad, err);
	return tr_err_set(err, TR_E_BATCH_LIMIT, "could not write an event as Avro: it is larger than the memory allowed");
}
