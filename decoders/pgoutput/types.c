#include "decoders/pgoutput/types.h"

#include <stdio.h>

#include "decoders/pgoutput/resolve.h"

#define DEBEZIUM_TIME "io.debezium.time."
#define DEBEZIUM_DATA "io.debezium.data."
#define DIGITS_DEFAULT 6 /* of a second's fraction, when the type names none */

typedef struct builtin builtin;
typedef int (*build_fn)(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out);

/* One row per built-in type that is published by a rule of its own: either build, or kind, semantic name and decode. */
struct builtin {
	uint32_t oid;
	const char *name;
	build_fn build;
	tr_kind kind;
	const char *semantic;
	tr_decode_fn decode;
	tr_pg_array_rule array;
	bool binary;
};

int tr_pg_oom(const tr_pg_resolver *r)
{
	return tr_err_set(r->err, TR_E_MEMORY, "out of memory for the columns of a table");
}

int tr_pg_plan_new(const tr_pg_resolver *r, const tr_pg_shape *s, tr_kind kind, const char *semantic, tr_decode_fn decode,
                   tr_pg_plan *out)
{
	out->type = tr_type_new(r->arena, kind, semantic, semantic ? 1 : 0);
	out->arg = TR_ARENA_NEW(r->arena, tr_pg_arg);
	out->decode = decode;
	if (!out->type || !out->arg || !(out->arg->type = tr_arena_strdup(r->arena, s->name)))
		return tr_pg_oom(r);
	out->arg->binary = r->options->binary;
	return 0;
}

int tr_pg_plan_param(const tr_pg_resolver *r, tr_pg_plan *plan, const char *key, const char *value)
{
	return tr_type_param(r->arena, plan->type, key, value) == 0 ? 0 : tr_pg_oom(r);
}

static int number_param(const tr_pg_resolver *r, tr_pg_plan *plan, const char *key, int32_t value)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", value);
	return tr_pg_plan_param(r, plan, key, text);
}

static int build_bytea(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	tr_kind kind = r->options->binary == TR_BINARY_BYTES ? TR_BYTES : TR_STRING;

	return tr_pg_plan_new(r, s, kind, NULL, tr_pg_decode_bytea, out);
}

int tr_pg_plan_bits(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	/* Without a length bit is bit(1) and varbit has no end. */
	int32_t length = s->typmod >= 0 ? s->typmod : strcmp(s->name, "varbit") == 0 ? INT32_MAX : 1;

	if (length <= 1)
		return tr_pg_plan_new(r, s, TR_BOOLEAN, NULL, tr_pg_decode_bit_bool, out);
	if (tr_pg_plan_new(r, s, TR_BYTES, DEBEZIUM_DATA "Bits", tr_pg_decode_bits, out) != 0)
		return -1;
	return number_param(r, out, "length", length);
}

static int build_bits(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	return tr_pg_plan_bits(r, s, out);
}

/* Precision and scale of numeric(p,s); false without. A negative scale shows as 2048 minus it: so Debezium names it, and
 * the values follow. */
static bool numeric_limits(int32_t typmod, int32_t *precision, int32_t *scale)
{
	if (typmod < 4)
		return false;
	*precision = (typmod - 4) >> 16 & 0xffff;
	*scale = (typmod - 4) & 0xffff;
	return true;
}

static int plan_variable_decimal(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	const tr_field fields[] = {
		{"scale", tr_type_new(r->arena, TR_INT32, NULL, 0)},
		{"value", tr_type_new(r->arena, TR_BYTES, NULL, 0)},
	};

	if (tr_pg_plan_new(r, s, TR_STRUCT, NULL, tr_pg_decode_variable_decimal, out) != 0)
		return -1;
	out->type = tr_type_struct(r->arena, DEBEZIUM_DATA "VariableScaleDecimal", 1, fields, 2);
	if (!out->type)
		return tr_pg_oom(r);
	out->type->doc = "Variable scaled decimal";
	return 0;
}

static int plan_decimal(const tr_pg_resolver *r, const tr_pg_shape *s, int32_t scale, tr_decode_fn decode, tr_pg_plan *out)
{
	if (tr_pg_plan_new(r, s, TR_BYTES, TR_CONNECT_DECIMAL, decode, out) != 0)
		return -1;
	out->arg->scale = scale;
	return number_param(r, out, "scale", scale);
}

static int build_numeric(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	int32_t precision = 0, scale = 0;
	bool limited = numeric_limits(s->typmod, &precision, &scale);

	switch (r->options->decimal) {
	case TR_DECIMAL_DOUBLE:
		return tr_pg_plan_new(r, s, TR_FLOAT64, NULL, tr_pg_decode_numeric_double, out);
	case TR_DECIMAL_STRING:
		if (tr_pg_plan_new(r, s, TR_STRING, NULL, tr_pg_decode_numeric_text, out) != 0)
			return -1;
		out->arg->scale = scale;
		return 0;
	case TR_DECIMAL_PRECISE:
		break;
	}
	if (!limited)
		return plan_variable_decimal(r, s, out);
	if (plan_decimal(r, s, scale, tr_pg_decode_decimal, out) != 0)
		return -1;
	return number_param(r, out, "connect.decimal.precision", precision);
}

static int build_money(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	int32_t scale = r->options->money_fraction_digits < 32 ? (int32_t)r->options->money_fraction_digits : 32;

	if (r->options->decimal == TR_DECIMAL_PRECISE)
		return plan_decimal(r, s, scale, tr_pg_decode_money, out);
	if (r->options->decimal == TR_DECIMAL_DOUBLE
	        ? tr_pg_plan_new(r, s, TR_FLOAT64, NULL, tr_pg_decode_money_double, out) != 0
	        : tr_pg_plan_new(r, s, TR_STRING, NULL, tr_pg_decode_money_text, out) != 0)
		return -1;
	out->arg->scale = scale;
	return 0;
}

static int32_t fraction_digits(int32_t typmod)
{
	return typmod < 0 || typmod > DIGITS_DEFAULT ? DIGITS_DEFAULT : typmod;
}

static tr_pg_unit unit_of(tr_time_mode mode, int32_t digits, bool time_of_day)
{
	switch (mode) {
	case TR_TIME_CONNECT: return TR_PG_MILLIS;
	case TR_TIME_ISOSTRING: return TR_PG_ISO;
	case TR_TIME_NANOSECONDS: return TR_PG_NANOS;
	case TR_TIME_MICROSECONDS: return TR_PG_MICROS;
	case TR_TIME_ADAPTIVE_MICROSECONDS:
		if (time_of_day)
			return TR_PG_MICROS;
		break;
	case TR_TIME_ADAPTIVE: break;
	}
	return digits <= 3 ? TR_PG_MILLIS : TR_PG_MICROS;
}

static int build_date(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	bool iso = r->options->time == TR_TIME_ISOSTRING;
	const char *semantic = iso                                      ? DEBEZIUM_TIME "IsoDate"
	                       : r->options->time == TR_TIME_CONNECT ? TR_CONNECT_DATE
	                                                              : DEBEZIUM_TIME "Date";

	if (tr_pg_plan_new(r, s, iso ? TR_STRING : TR_INT32, semantic, tr_pg_decode_date, out) != 0)
		return -1;
	out->arg->unit = iso ? TR_PG_ISO : TR_PG_MILLIS;
	return 0;
}

static int build_time(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	static const char *const names[] = {[TR_PG_MILLIS] = DEBEZIUM_TIME "Time", [TR_PG_MICROS] = DEBEZIUM_TIME "MicroTime",
	                                    [TR_PG_NANOS] = DEBEZIUM_TIME "NanoTime", [TR_PG_ISO] = DEBEZIUM_TIME "IsoTime"};
	tr_pg_unit unit = unit_of(r->options->time, fraction_digits(s->typmod), true);
	tr_kind kind = unit == TR_PG_ISO ? TR_STRING : unit == TR_PG_MILLIS ? TR_INT32 : TR_INT64;
	const char *semantic = r->options->time == TR_TIME_CONNECT ? TR_CONNECT_TIME : names[unit];

	if (tr_pg_plan_new(r, s, kind, semantic, tr_pg_decode_time, out) != 0)
		return -1;
	out->arg->unit = unit;
	return 0;
}

static int build_timestamp(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	static const char *const names[] = {
		[TR_PG_MILLIS] = DEBEZIUM_TIME "Timestamp", [TR_PG_MICROS] = DEBEZIUM_TIME "MicroTimestamp",
		[TR_PG_NANOS] = DEBEZIUM_TIME "NanoTimestamp", [TR_PG_ISO] = DEBEZIUM_TIME "IsoTimestamp"};
	tr_pg_unit unit = unit_of(r->options->time, fraction_digits(s->typmod), false);
	const char *semantic = r->options->time == TR_TIME_CONNECT ? TR_CONNECT_TIMESTAMP : names[unit];

	if (tr_pg_plan_new(r, s, unit == TR_PG_ISO ? TR_STRING : TR_INT64, semantic, tr_pg_decode_timestamp, out) != 0)
		return -1;
	out->arg->unit = unit;
	return 0;
}

static int build_timestamptz(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	if (tr_pg_plan_new(r, s, TR_STRING, DEBEZIUM_TIME "ZonedTimestamp", tr_pg_decode_timestamptz, out) != 0)
		return -1;
	out->arg->digits = fraction_digits(s->typmod);
	return 0;
}

static int build_interval(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	if (r->options->interval == TR_INTERVAL_STRING)
		return tr_pg_plan_new(r, s, TR_STRING, DEBEZIUM_TIME "Interval", tr_pg_decode_interval_text, out);
	return tr_pg_plan_new(r, s, TR_INT64, DEBEZIUM_TIME "MicroDuration", tr_pg_decode_interval_micros, out);
}

int tr_pg_plan_point(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	const tr_type *wkb = tr_type_new(r->arena, TR_BYTES, NULL, 0), *srid = tr_type_new(r->arena, TR_INT32, NULL, 0);
	const tr_type *number = tr_type_new(r->arena, TR_FLOAT64, NULL, 0);

	if (!wkb || !srid || tr_pg_plan_new(r, s, TR_STRUCT, NULL, tr_pg_decode_point, out) != 0)
		return tr_pg_oom(r);
	const tr_field fields[] = {{"x", number},
	                           {"y", number},
	                           {"wkb", tr_type_optional(r->arena, wkb, true)},
	                           {"srid", tr_type_optional(r->arena, srid, true)}};
	out->type = tr_type_struct(r->arena, DEBEZIUM_DATA "geometry.Point", 1, fields, 4);
	if (!out->type)
		return tr_pg_oom(r);
	out->type->doc = "Geometry (POINT)";
	return 0;
}

static int build_point(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	return tr_pg_plan_point(r, s, out);
}

static int build_int2vector(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	return tr_pg_plan_vector_list(r, s, 21, out);
}

static int build_oidvector(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	return tr_pg_plan_vector_list(r, s, 26, out);
}

#define PLAIN(oid, name, kind, semantic, decode, array, binary) \
	{oid, name, NULL, kind, semantic, decode, TR_PG_ARRAY_##array, binary}
#define BUILT(oid, name, build, array, binary) {oid, name, build, TR_STRING, NULL, NULL, TR_PG_ARRAY_##array, binary}
#define TEXT(oid, name, array, binary) PLAIN(oid, name, TR_STRING, NULL, tr_pg_decode_text, array, binary)

/* Sorted by oid. Types that are not here are enums, compound, of an extension, or unknown. */
static const builtin builtins[] = {
	PLAIN(16, "bool", TR_BOOLEAN, NULL, tr_pg_decode_bool, OPTIONAL, true),
	BUILT(17, "bytea", build_bytea, OPTIONAL, true),
	TEXT(18, "char", OPTIONAL, false),
	TEXT(19, "name", DROPPED, true),
	PLAIN(20, "int8", TR_INT64, NULL, tr_pg_decode_int64, OPTIONAL, true),
	PLAIN(21, "int2", TR_INT16, NULL, tr_pg_decode_int16, OPTIONAL, true),
	BUILT(22, "int2vector", build_int2vector, REQUIRED, false),
	PLAIN(23, "int4", TR_INT32, NULL, tr_pg_decode_int32, OPTIONAL, true),
	TEXT(25, "text", OPTIONAL, true),
	PLAIN(26, "oid", TR_INT64, NULL, tr_pg_decode_oid, OPTIONAL, true),
	BUILT(30, "oidvector", build_oidvector, REQUIRED, false),
	PLAIN(114, "json", TR_STRING, DEBEZIUM_DATA "Json", tr_pg_decode_text, OPTIONAL, true),
	PLAIN(142, "xml", TR_STRING, DEBEZIUM_DATA "Xml", tr_pg_decode_text, DROPPED, false),
	BUILT(600, "point", build_point, DROPPED, false),
	BUILT(601, "lseg", tr_pg_plan_unknown, REQUIRED, false),
	BUILT(602, "path", tr_pg_plan_unknown, REQUIRED, false),
	BUILT(603, "box", tr_pg_plan_unknown, REQUIRED, false),
	BUILT(604, "polygon", tr_pg_plan_unknown, REQUIRED, false),
	BUILT(628, "line", tr_pg_plan_unknown, REQUIRED, false),
	TEXT(650, "cidr", OPTIONAL, false),
	PLAIN(700, "float4", TR_FLOAT32, NULL, tr_pg_decode_float32, OPTIONAL, true),
	PLAIN(701, "float8", TR_FLOAT64, NULL, tr_pg_decode_float64, OPTIONAL, true),
	BUILT(718, "circle", tr_pg_plan_unknown, REQUIRED, false),
	TEXT(774, "macaddr8", OPTIONAL, false),
	BUILT(790, "money", build_money, DROPPED, false),
	TEXT(829, "macaddr", OPTIONAL, false),
	TEXT(869, "inet", OPTIONAL, false),
	TEXT(1042, "bpchar", OPTIONAL, true),
	TEXT(1043, "varchar", OPTIONAL, true),
	BUILT(1082, "date", build_date, OPTIONAL, true),
	BUILT(1083, "time", build_time, OPTIONAL, true),
	BUILT(1114, "timestamp", build_timestamp, OPTIONAL, true),
	BUILT(1184, "timestamptz", build_timestamptz, OPTIONAL, true),
	BUILT(1186, "interval", build_interval, DROPPED, false),
	PLAIN(1266, "timetz", TR_STRING, DEBEZIUM_TIME "ZonedTime", tr_pg_decode_timetz, OPTIONAL, false),
	BUILT(1560, "bit", build_bits, BITS, false),
	BUILT(1562, "varbit", build_bits, DROPPED, false),
	BUILT(1700, "numeric", build_numeric, OPTIONAL, true),
	BUILT(1790, "refcursor", tr_pg_plan_unknown, DROPPED, false),
	PLAIN(2950, "uuid", TR_STRING, DEBEZIUM_DATA "Uuid", tr_pg_decode_uuid, OPTIONAL, true),
	PLAIN(3614, "tsvector", TR_STRING, DEBEZIUM_DATA "Tsvector", tr_pg_decode_text, REQUIRED, false),
	PLAIN(3802, "jsonb", TR_STRING, DEBEZIUM_DATA "Json", tr_pg_decode_jsonb, OPTIONAL, true),
	TEXT(3904, "int4range", OPTIONAL, false),
	TEXT(3906, "numrange", OPTIONAL, false),
	TEXT(3908, "tsrange", OPTIONAL, false),
	TEXT(3910, "tstzrange", OPTIONAL, false),
	TEXT(3912, "daterange", OPTIONAL, false),
	TEXT(3926, "int8range", OPTIONAL, false),
};

static const builtin *find_builtin(uint32_t oid)
{
	size_t low = 0, high = sizeof(builtins) / sizeof(builtins[0]);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (builtins[middle].oid == oid)
			return &builtins[middle];
		if (builtins[middle].oid < oid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool tr_pg_binary_ok(uint32_t type)
{
	const builtin *row = find_builtin(type);

	return row && row->binary;
}

tr_pg_array_rule tr_pg_array_rule_of(const tr_pg_shape *element)
{
	const builtin *row = find_builtin(element->oid);
	tr_pg_array_rule rule = TR_PG_ARRAY_REQUIRED;

	if (row)
		return row->array;
	tr_pg_extension_array_rule(element->name, &rule);
	return rule;
}

int tr_pg_shape_of(const tr_pg_resolver *r, uint32_t oid, int32_t typmod, tr_pg_shape *out)
{
	const builtin *row;

	*out = (tr_pg_shape){.oid = oid, .typmod = typmod};
	for (unsigned depth = 0; depth < TR_PG_DEPTH_MAX; depth++) {
		out->type = r->lookup->find ? r->lookup->find(r->lookup->context, out->oid) : NULL;
		if (!out->type || out->type->typtype != 'd') {
			row = find_builtin(out->oid);
			out->name = row ? row->name : out->type ? out->type->name : "unknown";
			return 0;
		}
		out->domain = true;
		if (out->typmod < 0)
			out->typmod = out->type->base_typmod;
		out->oid = out->type->base;
	}
	return tr_err_set(r->err, TR_E_DECODE_PROTOCOL, "the type with oid %u is a domain over itself", oid);
}

static bool is_array(const tr_pg_type *type)
{
	return type && type->typtype == 'b' && type->category == 'A' && type->element != 0;
}

int tr_pg_plan_any(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	const builtin *row = find_builtin(s->oid);
	int done;

	if (row && row->build)
		return row->build(r, s, out);
	if (row)
		return tr_pg_plan_new(r, s, row->kind, row->semantic, row->decode, out);
	if (is_array(s->type))
		return tr_pg_plan_array(r, s, out);
	if (s->type && s->type->typtype == 'e')
		return tr_pg_plan_enum(r, s, out);
	done = tr_pg_plan_extension(r, s, out);
	return done != 0 ? (done > 0 ? 0 : -1) : tr_pg_plan_unknown(r, s, out);
}

/* The values that stand in for what is not there. */
static int fill_stand_ins(const tr_pg_resolver *r, const tr_pg_shape *s, const tr_pg_plan *plan, tr_column *column)
{
	const tr_value *value = plan->type->default_value;

	column->absent = tr_value_null();
	if (value && (r->options->null_as_default || !plan->type->optional))
		column->absent = *value;
	else if (!plan->type->optional && tr_pg_zero(r, s, plan, &column->absent) != 0)
		return -1;
	if (tr_pg_unavailable(r, s, plan->type, &column->unavailable) != 0)
		return -1;
	if (column->unavailable.kind == TR_V_NULL && !plan->type->optional)
		column->unavailable = column->absent;
	return 0;
}

int tr_pg_resolve(const tr_pg_column *in, const tr_pg_type_lookup *lookup, const tr_event_options *options, tr_arena *arena,
                  tr_column *column, tr_err *err)
{
	tr_pg_resolver r = {.lookup = lookup, .options = options, .arena = arena, .err = err};
	tr_pg_shape shape;
	tr_pg_plan plan = {0};

	column->name = tr_arena_strdup(arena, in->name);
	if (!column->name)
		return tr_pg_oom(&r);
	column->required = in->not_null;
	column->identity = in->identity;
	column->key_rank = in->key_rank;
	column->type = NULL;
	if (tr_pg_shape_of(&r, in->type, in->typmod, &shape) != 0 || tr_pg_plan_any(&r, &shape, &plan) != 0)
		return -1;
	if (!plan.type)
		return 0;
	/* PostGIS's geometry is optional whatever the column says: Debezium's builder of that schema is. */
	plan.type->optional = plan.type->optional || !in->not_null;
	plan.arg->required = !plan.type->optional;
	if (tr_pg_plan_default(&r, in, &shape, &plan) != 0 || fill_stand_ins(&r, &shape, &plan, column) != 0)
		return -1;
	column->type = plan.type;
	column->decode = plan.decode;
	column->decode_arg = plan.arg;
	return 0;
}
