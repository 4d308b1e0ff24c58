/*
 * Inside of the room: how a column's type becomes a plan (schema, function, constants). types.c has the built-in types,
 * compound.c what is made of other types, extension.c the types of extensions, defaults.c the values that stand in.
 *
 * Refuses: I/O and state. All memory is the table's arena; running out of it is MEMORY.
 */
#ifndef TR_PGOUTPUT_RESOLVE_H
#define TR_PGOUTPUT_RESOLVE_H

#include "decoders/pgoutput/convert.h"

/* What tr_pg_resolve was called with, and how deep in nested types it is. */
typedef struct tr_pg_resolver {
	const tr_pg_type_lookup *lookup;
	const tr_event_options *options;
	tr_arena *arena;
	tr_err *err;
	unsigned depth;
} tr_pg_resolver;
#define TR_PG_DEPTH_MAX 32

/* A type with domains taken off. */
typedef struct tr_pg_shape {
	uint32_t oid;
	int32_t typmod;         /* of the column, else of the innermost domain that has one */
	const tr_pg_type *type; /* NULL when the catalogue does not know it */
	const char *name;
	bool domain;            /* there was one */
} tr_pg_shape;

/* type NULL: not published. */
typedef struct tr_pg_plan {
	tr_type *type;
	tr_decode_fn decode;
	tr_pg_arg *arg;
} tr_pg_plan;

/* What Debezium makes of an array of the type. */
typedef enum tr_pg_array_rule {
	TR_PG_ARRAY_REQUIRED, /* elements that may not be null: its general way */
	TR_PG_ARRAY_OPTIONAL, /* elements that may be null: the types it lists by name */
	TR_PG_ARRAY_DROPPED,  /* not published, also with unknown types on */
	TR_PG_ARRAY_BITS,     /* the schema of one bit string, whose value is always null */
} tr_pg_array_rule;

int tr_pg_oom(const tr_pg_resolver *r);
/* Domains off; -1 when they nest without end. */
int tr_pg_shape_of(const tr_pg_resolver *r, uint32_t oid, int32_t typmod, tr_pg_shape *out);
/* Plan of any type. out->type stays NULL when it is not published. */
int tr_pg_plan_any(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out);
/* A plan of this kind, with a semantic name (version 1) or NULL. */
int tr_pg_plan_new(const tr_pg_resolver *r, const tr_pg_shape *s, tr_kind kind, const char *semantic, tr_decode_fn decode,
                   tr_pg_plan *out);
int tr_pg_plan_param(const tr_pg_resolver *r, tr_pg_plan *plan, const char *key, const char *value);
/* bit and varbit of this length: one bit is a boolean. */
int tr_pg_plan_bits(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out);
int tr_pg_plan_point(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out);
/* The built-in table's rule for arrays of this element type. */
tr_pg_array_rule tr_pg_array_rule_of(const tr_pg_shape *element);

/* compound.c */
int tr_pg_plan_array(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out);
int tr_pg_plan_vector_list(tr_pg_resolver *r, const tr_pg_shape *s, uint32_t element, tr_pg_plan *out);
int tr_pg_plan_enum(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out);
/* What Debezium does not know: dropped, opaque bytes, or carried, as the options say. */
int tr_pg_plan_unknown(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out);

/* extension.c: 1 = planned, 0 = not one of them, -1 = error. */
int tr_pg_plan_extension(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out);
bool tr_pg_extension_array_rule(const char *name, tr_pg_array_rule *out);
int tr_pg_plan_geometry(const tr_pg_resolver *r, const tr_pg_shape *s, const char *semantic, const char *doc,
                        tr_decode_fn decode, tr_pg_plan *out);

/* defaults.c */
/* The schema's default from the column's default expression, when the rules make one of it. */
int tr_pg_plan_default(const tr_pg_resolver *r, const tr_pg_column *in, const tr_pg_shape *s, tr_pg_plan *plan);
/* The placeholder of an unchanged TOAST value in this type. */
int tr_pg_unavailable(const tr_pg_resolver *r, const tr_pg_shape *s, const tr_type *type, tr_value *out);
/* The value of a required column of which nothing is known. */
int tr_pg_zero(const tr_pg_resolver *r, const tr_pg_shape *s, const tr_pg_plan *plan, tr_value *out);

#endif
