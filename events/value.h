/*
 * One value on its way to a format. Scalars by value, text and bytes as slices into the source's message, compound values
 * as lists in a scratch arena that is reset per event. No ownership, no reference counts.
 */
#ifndef TR_EVENTS_VALUE_H
#define TR_EVENTS_VALUE_H

#include "core/slice.h"

typedef enum tr_value_kind {
	TR_V_NULL,
	TR_V_BOOL,  /* i: 0 or 1 */
	TR_V_INT,   /* i: for INT8..INT64 */
	TR_V_FLOAT, /* f: for FLOAT32 and FLOAT64 */
	TR_V_BYTES, /* s: UTF-8 for STRING, raw for BYTES (a decimal: big-endian two's complement, shortest) */
	TR_V_LIST,  /* list: items of ARRAY; key, value, key, value... of MAP; fields in order of STRUCT */
	TR_V_ENCODED, /* s: `count` fields of a STRUCT from this one on, as a codec's piece wrote them; the values in their places
	                 are not looked at. Only for formats that have pieces (encoder.h) */
} tr_value_kind;

typedef struct tr_value tr_value;
struct tr_value {
	tr_value_kind kind;
	uint32_t count; /* of list, of fields */
	union {
		int64_t i;
		double f;
		tr_slice s;
		const tr_value *list;
	};
};

static inline tr_value tr_value_null(void) { return (tr_value){.kind = TR_V_NULL}; }
static inline tr_value tr_value_bool(bool b) { return (tr_value){.kind = TR_V_BOOL, .i = b}; }
static inline tr_value tr_value_int(int64_t i) { return (tr_value){.kind = TR_V_INT, .i = i}; }
static inline tr_value tr_value_float(double f) { return (tr_value){.kind = TR_V_FLOAT, .f = f}; }
static inline tr_value tr_value_bytes(const void *p, size_t n)
{
	return (tr_value){.kind = TR_V_BYTES, .s = {.ptr = (const uint8_t *)p, .len = n}};
}
static inline tr_value tr_value_slice(tr_slice s) { return (tr_value){.kind = TR_V_BYTES, .s = s}; }
static inline tr_value tr_value_text(const char *text) { return tr_value_slice(tr_slice_str(text)); }
static inline tr_value tr_value_list(const tr_value *items, size_t count)
{
	return (tr_value){.kind = TR_V_LIST, .count = (uint32_t)count, .list = items};
}

static inline tr_value tr_value_encoded(tr_slice bytes, size_t fields)
{
	return (tr_value){.kind = TR_V_ENCODED, .count = (uint32_t)fields, .s = bytes};
}

/* Deep comparison; floats by bits, as Java's Double.equals does (NaN equals NaN, 0.0 differs from -0.0). */
bool tr_value_equal(const tr_value *a, const tr_value *b);

typedef struct tr_arena tr_arena; /* core/arena.h */
/* Copies with everything inside into the arena; false when it is full. */
bool tr_value_copy(tr_arena *a, const tr_value *in, tr_value *out);

#endif
