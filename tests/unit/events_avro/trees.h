/* Type trees and values for the tests of the formats: short builders, Debezium's well-known types, random ones. */
#ifndef TR_TESTS_EVENTS_AVRO_TREES_H
#define TR_TESTS_EVENTS_AVRO_TREES_H

#include <stdio.h>

#include "events/envelope.h"
#include "events/type.h"
#include "tests/unit/test.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static inline tr_type *plain(tr_arena *a, tr_kind kind)
{
	return tr_type_new(a, kind, NULL, 0);
}

static inline tr_type *named(tr_arena *a, tr_kind kind, const char *name)
{
	return tr_type_new(a, kind, name, 1);
}

static inline tr_type *opt(tr_type *type)
{
	type->optional = true;
	return type;
}

static inline tr_type *dflt(tr_arena *a, tr_type *type, tr_value value)
{
	ck_assert_int_eq(tr_type_default(a, type, &value), 0);
	return type;
}

static inline tr_type *par(tr_arena *a, tr_type *type, const char *key, const char *value)
{
	ck_assert_int_eq(tr_type_param(a, type, key, value), 0);
	return type;
}

static inline tr_type *decimal(tr_arena *a, const char *scale, const char *precision)
{
	tr_type *type = par(a, named(a, TR_BYTES, TR_CONNECT_DECIMAL), "scale", scale);
	return precision ? par(a, type, "connect.decimal.precision", precision) : type;
}

static inline tr_type *variable_decimal(tr_arena *a)
{
	tr_field fields[] = {{"scale", plain(a, TR_INT32)}, {"value", plain(a, TR_BYTES)}};
	tr_type *type = tr_type_struct(a, "io.debezium.data.VariableScaleDecimal", 1, fields, 2);
	type->doc = "Variable scaled decimal";
	return type;
}

static inline const tr_type *postgres_source(tr_arena *a)
{
	tr_type *snapshot = par(a, named(a, TR_STRING, "io.debezium.data.Enum"), "allowed",
	                        "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental");
	tr_field fields[] = {
	    {"version", plain(a, TR_STRING)},
	    {"connector", plain(a, TR_STRING)},
	    {"name", plain(a, TR_STRING)},
	    {"ts_ms", plain(a, TR_INT64)},
	    {"snapshot", opt(dflt(a, snapshot, tr_value_text("false")))},
	    {"db", plain(a, TR_STRING)},
	    {"sequence", opt(plain(a, TR_STRING))},
	    {"ts_us", opt(plain(a, TR_INT64))},
	    {"ts_ns", opt(plain(a, TR_INT64))},
	    {"schema", plain(a, TR_STRING)},
	    {"table", plain(a, TR_STRING)},
	    {"txId", opt(plain(a, TR_INT64))},
	    {"lsn", opt(plain(a, TR_INT64))},
	    {"xmin", opt(plain(a, TR_INT64))},
	    {"origin", opt(plain(a, TR_STRING))},
	    {"origin_lsn", opt(plain(a, TR_INT64))},
	};
	return tr_type_struct(a, "io.debezium.connector.postgresql.Source", 1, fields, COUNT_OF(fields));
}

/* Debezium's envelope around a row of these columns; table is "prefix.schema.table". */
static inline const tr_type *envelope(tr_arena *a, const char *table, const tr_field *columns, size_t count)
{
	const tr_type *row =
	    opt(tr_type_struct(a, tr_arena_format(a, "%s.Value", table), 0, columns, count));
	return tr_envelope_type(a, tr_arena_format(a, "%s.Envelope", table), row, postgres_source(a),
	                        tr_envelope_transaction_block(a));
}

/* splitmix64: the same cases on every machine. */
typedef struct rng {
	uint64_t state;
} rng;

static inline uint64_t rng_next(rng *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline unsigned rng_below(rng *r, unsigned n)
{
	return (unsigned)(rng_next(r) % n);
}

/* Integers of all sizes, not only huge ones. */
static inline int64_t rng_integer(rng *r, int bits)
{
	int64_t i = (int64_t)rng_next(r) >> (64 - 1 - rng_below(r, (unsigned)bits));
	return rng_below(r, 20) == 0 ? INT64_MIN >> (64 - bits) : rng_below(r, 20) == 0 ? INT64_MAX >> (64 - bits) : i;
}

static inline double rng_double(rng *r)
{
	static const double odd[] = {0, -0.0, 1, -1.5, 1e300, 5e-324, 1.0 / 0.0, -1.0 / 0.0};
	double d;
	uint64_t bits = rng_next(r);

	if (rng_below(r, 3) == 0)
		return odd[rng_below(r, COUNT_OF(odd))];
	memcpy(&d, &bits, sizeof(d));
	return d == d ? d : 0.25;
}

static inline tr_slice rng_text(rng *r, tr_arena *a)
{
	static const char *const parts[] = {"a", "Z", " ", "\"", "\\", "\n", "\x01", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "0"};
	size_t len = 0, count = rng_below(r, 10) == 0 ? 200 : rng_below(r, 12);
	char *text = tr_arena_alloc(a, 4 * count + 1);

	for (size_t i = 0; i < count; i++) {
		const char *part = parts[rng_below(r, COUNT_OF(parts))];
		memcpy(text + len, part, strlen(part));
		len += strlen(part);
	}
	return tr_slice_of(text, len);
}

static inline tr_slice rng_bytes(rng *r, tr_arena *a)
{
	size_t len = rng_below(r, 10) == 0 ? 300 : rng_below(r, 9);
	uint8_t *bytes = tr_arena_alloc(a, len + 1);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)rng_next(r);
	return tr_slice_of(bytes, len);
}

static inline tr_value rng_value(rng *r, tr_arena *a, const tr_type *type);

static inline tr_value rng_list(rng *r, tr_arena *a, const tr_type *type)
{
	size_t count = type->kind == TR_STRUCT ? type->field_count : rng_below(r, 10) == 0 ? 70 : rng_below(r, 4);
	size_t values = type->kind == TR_MAP ? 2 * count : count;
	tr_value *list = TR_ARENA_ARRAY(a, tr_value, values + 1);

	for (size_t i = 0; i < values; i++) {
		const tr_type *t = type->kind == TR_STRUCT ? type->fields[i].type
		                   : type->kind == TR_MAP && i % 2 == 0 ? type->key : type->item;
		list[i] = rng_value(r, a, t);
		/* avro-c keeps one value per key */
		if (type->kind == TR_MAP && i % 2 == 0 && type->key->kind == TR_STRING)
			list[i] = tr_value_text(tr_arena_format(a, "k%zu", i));
	}
	return tr_value_list(list, values);
}

static inline tr_value rng_value(rng *r, tr_arena *a, const tr_type *type)
{
	if (type->optional && rng_below(r, 3) == 0)
		return tr_value_null();
	switch (type->kind) {
	case TR_BOOLEAN:
		return tr_value_bool(rng_below(r, 2));
	case TR_INT8:
		return tr_value_int(rng_integer(r, 8));
	case TR_INT16:
		return tr_value_int(rng_integer(r, 16));
	case TR_INT32:
		return tr_value_int(rng_integer(r, 32));
	case TR_INT64:
		return tr_value_int(rng_integer(r, 64));
	case TR_FLOAT32:
		return tr_value_float((double)(float)(rng_double(r) > 1e38 ? 1e38 : rng_double(r) * 1e-300));
	case TR_FLOAT64:
		return tr_value_float(rng_double(r));
	case TR_STRING:
		return tr_value_slice(rng_text(r, a));
	case TR_BYTES:
		return tr_value_slice(rng_bytes(r, a));
	default:
		return rng_list(r, a, type);
	}
}

/* A random type; *names counts records so that each has its own name. */
static inline tr_type *rng_type(rng *r, tr_arena *a, int depth, unsigned *names)
{
	tr_kind kind = (tr_kind)rng_below(r, depth > 0 ? TR_STRUCT + 1 : TR_ARRAY);
	tr_type *type;

	if (kind == TR_ARRAY) {
		type = tr_type_array(a, rng_type(r, a, depth - 1, names));
	} else if (kind == TR_MAP) {
		tr_type *key = rng_below(r, 2) ? plain(a, TR_STRING) : plain(a, TR_INT16);
		type = tr_type_map(a, key, rng_type(r, a, depth - 1, names));
	} else if (kind == TR_STRUCT) {
		tr_field fields[6];
		size_t count = 1 + rng_below(r, 6);
		unsigned number = ++*names;
		for (size_t i = 0; i < count; i++)
			fields[i] = (tr_field){tr_arena_format(a, "f%zu", i), rng_type(r, a, depth - 1, names)};
		const char *name = rng_below(r, 4) == 0 ? NULL : tr_arena_format(a, "space%u.Record%u", rng_below(r, 2), number);
		type = tr_type_struct(a, name, (int)rng_below(r, 3), fields, count);
	} else {
		type = plain(a, kind);
		if (rng_below(r, 4) == 0)
			type->name = "io.debezium.time.Any";
		tr_value value = rng_value(r, a, type);
		/* avro-c cannot parse a schema with a zero byte in a default */
		bool zero = value.kind == TR_V_BYTES && value.s.len > 0 && memchr(value.s.ptr, 0, value.s.len);
		if (rng_below(r, 4) == 0 && !zero)
			dflt(a, type, value);
	}
	type->optional = rng_below(r, 2);
	return type;
}

#endif
