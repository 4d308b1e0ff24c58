#include "decoders/binlog/convert.h"
#include "decoders/binlog/names.h"

#define TIME_PREFIX "io.debezium.time."
#define DATA_PREFIX "io.debezium.data."

typedef struct plan {
	const tr_bl_column *in;
	const tr_event_options *options;
	tr_arena *arena;
	tr_err *err;
	tr_type *type; /* NULL: not published */
	tr_decode_fn decode;
	tr_bl_arg *arg;
} plan;

static int out_of_memory(const plan *p)
{
	return tr_err_set(p->err, TR_E_MEMORY, "no memory for column \"%s\"", p->in->name);
}

/* name: semantic, version 1; or NULL. */
static int set(plan *p, tr_kind kind, const char *name, tr_decode_fn decode)
{
	p->type = tr_type_new(p->arena, kind, name, name ? 1 : 0);
	p->decode = decode;
	return p->type ? 0 : out_of_memory(p);
}

static int param(plan *p, const char *key, const char *value)
{
	return value && tr_type_param(p->arena, p->type, key, value) == 0 ? 0 : out_of_memory(p);
}

static int number_param(plan *p, const char *key, uint32_t value)
{
	return param(p, key, tr_arena_format(p->arena, "%u", value));
}

static int plan_decimal_bytes(plan *p, uint32_t precision, uint32_t scale, tr_decode_fn decode)
{
	if (set(p, TR_BYTES, TR_CONNECT_DECIMAL, decode) != 0 || number_param(p, "scale", scale) != 0)
		return -1;
	return number_param(p, "connect.decimal.precision", precision);
}

static int plan_int(plan *p)
{
	static const struct { uint8_t bytes; tr_kind kind, of_unsigned; } sizes[] = {
		[TR_BL_SQL_TINYINT] = {1, TR_INT16, TR_INT16}, [TR_BL_SQL_SMALLINT] = {2, TR_INT16, TR_INT32},
		[TR_BL_SQL_MEDIUMINT] = {3, TR_INT32, TR_INT32}, [TR_BL_SQL_INT] = {4, TR_INT32, TR_INT64},
		[TR_BL_SQL_BIGINT] = {8, TR_INT64, TR_INT64},
	};
	tr_bl_sql sql = p->in->sql;

	p->arg->bytes = sizes[sql].bytes;
	if (sql == TR_BL_SQL_BIGINT && p->in->is_unsigned && p->options->unsigned_bigint == TR_UNSIGNED_PRECISE)
		return plan_decimal_bytes(p, 20, 0, tr_bl_decode_unsigned_decimal);
	return set(p, p->in->is_unsigned ? sizes[sql].of_unsigned : sizes[sql].kind, NULL, tr_bl_decode_int);
}

static int bad_size(const plan *p)
{
	tr_err_set(p->err, TR_E_TYPE_UNSUPPORTED, "column \"%s\" has a size that its type %s cannot have", p->in->name, p->arg->type);
	return tr_err_hint(p->err, "exclude the column, and please report its definition");
}

static int plan_decimal(plan *p)
{
	if (tr_bl_decimal_bytes(p->in->precision, p->in->scale) == 0)
		return bad_size(p);
	switch (p->options->decimal) {
	case TR_DECIMAL_DOUBLE: return set(p, TR_FLOAT64, NULL, tr_bl_decode_decimal_double);
	case TR_DECIMAL_STRING: return set(p, TR_STRING, NULL, tr_bl_decode_decimal_text);
	case TR_DECIMAL_PRECISE: break;
	}
	return plan_decimal_bytes(p, p->in->precision, p->in->scale, tr_bl_decode_decimal);
}

static int plan_bit(plan *p)
{
	if (p->in->length > 64)
		return bad_size(p);
	if (p->in->length <= 1)
		return set(p, TR_BOOLEAN, NULL, tr_bl_decode_bit);
	if (set(p, TR_BYTES, DATA_PREFIX "Bits", tr_bl_decode_bits) != 0)
		return -1;
	return number_param(p, "length", p->in->length);
}

static int plan_date(plan *p)
{
	switch (p->options->time) {
	case TR_TIME_CONNECT: return set(p, TR_INT32, TR_CONNECT_DATE, tr_bl_decode_date);
	case TR_TIME_ISOSTRING:
		p->arg->unit = TR_BL_ISO;
		return set(p, TR_STRING, TIME_PREFIX "IsoDate", tr_bl_decode_date);
	default: return set(p, TR_INT32, TIME_PREFIX "Date", tr_bl_decode_date);
	}
}

static int plan_moment(plan *p, tr_bl_unit unit, tr_kind kind, const char *name, tr_decode_fn decode)
{
	p->arg->unit = unit;
	return set(p, kind, name, decode);
}

static int plan_time(plan *p)
{
	switch (p->options->time) {
	case TR_TIME_CONNECT:
		p->arg->one_day = true;
		return plan_moment(p, TR_BL_MILLIS, TR_INT32, TR_CONNECT_TIME, tr_bl_decode_time);
	case TR_TIME_ISOSTRING: return plan_moment(p, TR_BL_ISO, TR_STRING, TIME_PREFIX "IsoTime", tr_bl_decode_time);
	case TR_TIME_NANOSECONDS: return plan_moment(p, TR_BL_NANOS, TR_INT64, TIME_PREFIX "NanoTime", tr_bl_decode_time);
	/* Adaptive, too: 838 hours are more milliseconds than 32 bits hold, and Debezium has no other mode for MySQL. */
	default: break;
	}
	return plan_moment(p, TR_BL_MICROS, TR_INT64, TIME_PREFIX "MicroTime", tr_bl_decode_time);
}

static int plan_datetime(plan *p)
{
	switch (p->options->time) {
	case TR_TIME_CONNECT: return plan_moment(p, TR_BL_MILLIS, TR_INT64, TR_CONNECT_TIMESTAMP, tr_bl_decode_datetime);
	case TR_TIME_ISOSTRING: return plan_moment(p, TR_BL_ISO, TR_STRING, TIME_PREFIX "IsoTimestamp", tr_bl_decode_datetime);
	case TR_TIME_NANOSECONDS:
		return plan_moment(p, TR_BL_NANOS, TR_INT64, TIME_PREFIX "NanoTimestamp", tr_bl_decode_datetime);
	case TR_TIME_ADAPTIVE: case TR_TIME_ADAPTIVE_MICROSECONDS:
		if (p->in->fsp <= 3)
			return plan_moment(p, TR_BL_MILLIS, TR_INT64, TIME_PREFIX "Timestamp", tr_bl_decode_datetime);
		break;
	case TR_TIME_MICROSECONDS: break;
	}
	return plan_moment(p, TR_BL_MICROS, TR_INT64, TIME_PREFIX "MicroTimestamp", tr_bl_decode_datetime);
}

static int plan_text(plan *p)
{
	const char *charset = p->in->charset ? p->in->charset : "utf8mb4";

	if (tr_bl_charset_find(charset, &p->arg->charset, p->err) != 0)
		return tr_err_prefix(p->err, "column \"%s\"", p->in->name);
	return set(p, TR_STRING, NULL, tr_bl_decode_text);
}

static int plan_bytes(plan *p)
{
	p->arg->length = p->in->sql == TR_BL_SQL_BINARY ? p->in->length : 0;
	return set(p, p->options->binary == TR_BINARY_BYTES ? TR_BYTES : TR_STRING, NULL, tr_bl_decode_bytes);
}

/* Labels with a comma or a backslash in them have a backslash before it. */
static const char *allowed(const plan *p)
{
	size_t len = 1;
	char *text, *at;

	for (size_t i = 0; i < p->in->value_count; i++)
		len += 2 * strlen(p->in->values[i]) + 1;
	text = at = tr_arena_alloc(p->arena, len);
	for (size_t i = 0; text && i < p->in->value_count; i++) {
		if (i > 0)
			*at++ = ',';
		for (const char *c = p->in->values[i]; *c; c++) {
			if (*c == ',' || *c == '\\')
				*at++ = '\\';
			*at++ = *c;
		}
	}
	return text;
}

static int plan_labels(plan *p, bool one)
{
	size_t count = p->in->value_count;
	tr_slice *labels = TR_ARENA_ARRAY(p->arena, tr_slice, count + 1);

	if (!labels)
		return out_of_memory(p);
	for (size_t i = 0; i < count; i++)
		labels[i] = tr_slice_str(p->in->values[i]);
	p->arg->labels = labels;
	p->arg->label_count = count;
	if (one)
		p->arg->bytes = count < 256 ? 1 : 2;
	else
		p->arg->bytes = (uint8_t)(count > 32 ? 8 : (count + 7) / 8);
	if (set(p, TR_STRING, one ? DATA_PREFIX "Enum" : DATA_PREFIX "EnumSet", one ? tr_bl_decode_enum : tr_bl_decode_set) != 0)
		return -1;
	return param(p, "allowed", allowed(p));
}

static int plan_geometry(plan *p)
{
	bool point = p->in->geometry_type == 1;
	const tr_type *bytes = tr_type_new(p->arena, TR_BYTES, NULL, 0), *number = tr_type_new(p->arena, TR_FLOAT64, NULL, 0);
	const tr_type *int32 = tr_type_new(p->arena, TR_INT32, NULL, 0), *srid, *wkb;

	if (!bytes || !number || !int32)
		return out_of_memory(p);
	srid = tr_type_optional(p->arena, int32, true);
	wkb = tr_type_optional(p->arena, bytes, true);
	const tr_field of_point[] = {{"x", number}, {"y", number}, {"wkb", wkb}, {"srid", srid}};
	const tr_field of_any[] = {{"wkb", bytes}, {"srid", srid}};
	p->decode = point ? tr_bl_decode_point : tr_bl_decode_geometry;
	p->type = !srid || !wkb ? NULL
	          : point      ? tr_type_struct(p->arena, DATA_PREFIX "geometry.Point", 1, of_point, 4)
	                       : tr_type_struct(p->arena, DATA_PREFIX "geometry.Geometry", 1, of_any, 2);
	if (!p->type)
		return out_of_memory(p);
	p->type->doc = point ? "Geometry (POINT)" : "Geometry";
	return 0;
}

static int plan_vector(plan *p)
{
	const tr_type *item = tr_type_new(p->arena, TR_FLOAT32, NULL, 0);

	p->type = item ? tr_type_array(p->arena, item) : NULL;
	if (!p->type)
		return out_of_memory(p);
	p->type->name = DATA_PREFIX "FloatVector";
	p->type->version = 1;
	p->decode = tr_bl_decode_vector;
	return 0;
}

static int plan_fixed(plan *p, uint32_t bytes, const char *name, tr_decode_fn decode)
{
	p->arg->length = bytes;
	return set(p, TR_STRING, name, decode);
}

static int plan_type(plan *p)
{
	switch (p->in->sql) {
	case TR_BL_SQL_TINYINT: case TR_BL_SQL_SMALLINT: case TR_BL_SQL_MEDIUMINT: case TR_BL_SQL_INT: case TR_BL_SQL_BIGINT:
		return plan_int(p);
	case TR_BL_SQL_FLOAT:
		p->arg->narrow = true;
		return set(p, p->in->decimals_told ? TR_FLOAT64 : TR_FLOAT32, NULL, tr_bl_decode_float);
	case TR_BL_SQL_DOUBLE: return set(p, TR_FLOAT64, NULL, tr_bl_decode_float);
	case TR_BL_SQL_DECIMAL: return plan_decimal(p);
	case TR_BL_SQL_BIT: return plan_bit(p);
	case TR_BL_SQL_YEAR: return set(p, TR_INT32, TIME_PREFIX "Year", tr_bl_decode_year);
	case TR_BL_SQL_DATE: return plan_date(p);
	case TR_BL_SQL_TIME: return plan_time(p);
	case TR_BL_SQL_DATETIME: return plan_datetime(p);
	case TR_BL_SQL_TIMESTAMP: return set(p, TR_STRING, TIME_PREFIX "ZonedTimestamp", tr_bl_decode_timestamp);
	case TR_BL_SQL_CHAR: case TR_BL_SQL_VARCHAR: case TR_BL_SQL_TINYTEXT: case TR_BL_SQL_TEXT: case TR_BL_SQL_MEDIUMTEXT:
	case TR_BL_SQL_LONGTEXT:
		return plan_text(p);
	case TR_BL_SQL_BINARY: case TR_BL_SQL_VARBINARY: case TR_BL_SQL_TINYBLOB: case TR_BL_SQL_BLOB: case TR_BL_SQL_MEDIUMBLOB:
	case TR_BL_SQL_LONGBLOB:
		return plan_bytes(p);
	case TR_BL_SQL_ENUM: return plan_labels(p, true);
	case TR_BL_SQL_SET: return plan_labels(p, false);
	case TR_BL_SQL_JSON: return set(p, TR_STRING, DATA_PREFIX "Json", tr_bl_decode_json);
	case TR_BL_SQL_GEOMETRY: return plan_geometry(p);
	case TR_BL_SQL_VECTOR: return plan_vector(p);
	case TR_BL_SQL_UUID: return plan_fixed(p, 16, DATA_PREFIX "Uuid", tr_bl_decode_uuid);
	case TR_BL_SQL_INET4: return plan_fixed(p, 4, NULL, tr_bl_decode_inet4);
	case TR_BL_SQL_INET6: return plan_fixed(p, 16, NULL, tr_bl_decode_inet6);
	case TR_BL_SQL_UNKNOWN: break;
	}
	return p->options->unknown_types ? plan_bytes(p) : 0;
}

static bool is_date(tr_bl_sql sql)
{
	return sql == TR_BL_SQL_DATE || sql == TR_BL_SQL_DATETIME || sql == TR_BL_SQL_TIMESTAMP;
}

/* 1970-01-01 in the published form. */
static int epoch(const plan *p, const tr_bl_arg *arg, tr_value *out)
{
	static const char text[] = "1970-01-01";
	const tr_datum datum = {.ptr = (const uint8_t *)text, .len = sizeof(text) - 1, .form = TR_D_TEXT};

	return p->decode(arg, datum, p->arena, out, p->err);
}

/* Zero dates and 1970-01-01 itself are one and the same to Debezium. */
static bool is_epoch(const plan *p, tr_slice text)
{
	tr_bl_moment m;

	if (!is_date(p->in->sql) || !tr_bl_moment_parse(text, p->in->sql != TR_BL_SQL_DATE, &m))
		return false;
	return tr_bl_is_zero(&m) || (m.year == 1970 && m.month == 1 && m.day == 1 && m.hour + m.minute + m.second + m.us == 0);
}

/* The text that is decoded for the default, and the constants that do it. */
static tr_slice default_text(const plan *p, tr_bl_arg *arg)
{
	static const char long_max[] = "9223372036854775807";
	tr_slice text = p->in->default_text;
	bool negative;
	uint64_t magnitude;

	arg->digits = -1;
	arg->narrow = p->type->kind == TR_FLOAT32;
	arg->length = p->in->sql == TR_BL_SQL_BIT ? arg->length : 0;
	if (tr_bl_sql_is_text(p->in->sql) || tr_bl_sql_is_bytes(p->in->sql) || p->in->sql == TR_BL_SQL_ENUM ||
	    p->in->sql == TR_BL_SQL_SET)
		return tr_bl_as_written(text, p->in->sql == TR_BL_SQL_BINARY ? p->in->length : 0, p->arena);
	if (p->decode == tr_bl_decode_int && tr_bl_parse_int(text, &negative, &magnitude) && !negative && magnitude > INT64_MAX)
		return tr_slice_str(long_max);
	return text;
}

static bool has_no_default(tr_bl_sql sql)
{
	return sql == TR_BL_SQL_UNKNOWN || sql == TR_BL_SQL_JSON || sql == TR_BL_SQL_GEOMETRY || sql == TR_BL_SQL_VECTOR ||
	       sql == TR_BL_SQL_UUID;
}

/* What cannot be read as a value of the type is no default, and no error. */
static int set_default(plan *p)
{
	const tr_bl_column *in = p->in;
	tr_bl_arg arg = *p->arg;
	tr_value value = tr_value_null();
	tr_err ignored;
	tr_slice text;

	if (has_no_default(in->sql) || (in->default_kind != TR_BL_DEFAULT_LITERAL && in->default_kind != TR_BL_DEFAULT_NOW))
		return 0;
	text = default_text(p, &arg);
	if (!text.ptr)
		return out_of_memory(p);
	if (in->default_kind == TR_BL_DEFAULT_NOW || is_epoch(p, text)) {
		if (in->nullable)
			return 0;
		if (epoch(p, &arg, &value) != 0)
			return -1;
	} else {
		/* A literal shows the digits of its type, zeros too; the epoch has none. */
		arg.digits = p->arg->digits;
		if (p->decode(&arg, (tr_datum){.ptr = text.ptr, .len = (uint32_t)text.len, .form = TR_D_TEXT}, p->arena, &value, &ignored) != 0)
			return 0;
	}
	if (value.kind == TR_V_NULL)
		return 0;
	return tr_type_default(p->arena, p->type, &value) == 0 ? 0 : out_of_memory(p);
}

/* What a zero date becomes: null where that is allowed, else the default, else 1970-01-01. */
static int set_zero(plan *p)
{
	p->arg->zero = tr_value_null();
	if (!is_date(p->in->sql) || p->in->nullable)
		return 0;
	if (!p->type->default_value)
		return epoch(p, p->arg, &p->arg->zero);
	p->arg->zero = *p->type->default_value;
	return 0;
}

static bool is_old_form(uint8_t wire)
{
	return wire == TR_BL_TIMESTAMP || wire == TR_BL_TIME || wire == TR_BL_DATETIME;
}

static tr_bl_arg *new_arg(const tr_bl_column *in, const tr_event_options *options, tr_arena *arena)
{
	const tr_bl_sql_name *name = tr_bl_sql_name_of(in);
	tr_bl_arg *arg = TR_ARENA_NEW(arena, tr_bl_arg);

	if (!arg)
		return NULL;
	*arg = (tr_bl_arg){.type = name ? name->name : "unknown", .required = !in->nullable, .is_unsigned = in->is_unsigned,
	                   .precision = in->precision, .scale = in->scale, .fsp = in->fsp, .digits = (int8_t)in->fsp,
	                   .old_form = is_old_form(in->wire_type), .binary = options->binary,
	                   .length = in->sql == TR_BL_SQL_BIT ? in->length : 0};
	return arg;
}

int tr_bl_resolve(const tr_bl_column *in, const tr_event_options *options, tr_arena *arena, tr_column *column, tr_err *err)
{
	plan p = {.in = in, .options = options, .arena = arena, .err = err, .arg = new_arg(in, options, arena)};

	if (!p.arg)
		return out_of_memory(&p);
	if (plan_type(&p) != 0)
		return -1;
	column->name = tr_arena_strdup(arena, in->name);
	column->identity = in->key_rank > 0;
	column->required = !in->nullable;
	column->key_rank = in->key_rank;
	column->type = p.type;
	if (!column->name)
		return out_of_memory(&p);
	if (!p.type)
		return 0;
	p.type->optional = in->nullable;
	if (options->schema_comments && in->comment) {
		p.type->doc = tr_arena_strdup(arena, in->comment);
		if (!p.type->doc)
			return out_of_memory(&p);
	}
	if (set_default(&p) != 0 || set_zero(&p) != 0)
		return -1;
	column->decode = p.decode;
	column->decode_arg = p.arg;
	return 0;
}

const char *tr_bl_select_suffix(const tr_bl_column *column)
{
	return column->sql == TR_BL_SQL_FLOAT || (column->sql == TR_BL_SQL_DOUBLE && column->decimals_told) ? " * 1e0" : "";
}
