/* Rendered schemas against the texts that Debezium's converter registered: some built by hand, all others parsed back. */
#include "events/avro/schema.h"

#include <glob.h>
#include <jansson.h>
#include <math.h>

#include "tests/unit/events_avro/trees.h"

static tr_arena arena;
static tr_arena *a = &arena;

static const char *source_dir(void)
{
	return getenv("TAILRACE_SOURCE_DIR") ? getenv("TAILRACE_SOURCE_DIR") : ".";
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	char *text = calloc(1, 1 << 20);

	ck_assert_msg(f != NULL, "%s", path);
	ck_assert_uint_lt(fread(text, 1, (1 << 20) - 1, f), (1 << 20) - 1);
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static char *rendered(const tr_type *type)
{
	tr_writer w;
	tr_err err = {0};

	tr_writer_init(&w, 1 << 20);
	ck_assert_msg(tr_avro_schema(type, &w, &err) == 0, "%s: %s", err.text, err.detail);
	tr_writer_u8(&w, 0);
	return (char *)w.data;
}

static void same_as_file(const tr_type *type, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/unit/events_avro/data/%s.avsc", source_dir(), name);
	char *want = read_file(path), *got = rendered(type);
	ck_assert_str_eq(got, want);
	free(want);
	free(got);
}

static void same_as_text(const tr_type *type, const char *want)
{
	char *got = rendered(type);

	ck_assert_str_eq(got, want);
	free(got);
}

static void setup(void)
{
	tr_arena_init(a, 64 << 20);
}

static void teardown(void)
{
	tr_arena_release(a);
}

START_TEST(key_of_a_table)
{
	setup();
	tr_field fields[] = {{"id", plain(a, TR_INT32)}};
	same_as_file(tr_type_struct(a, "gold_pg_options.public.cust.Key", 0, fields, 1), "key");
	teardown();
}
END_TEST

START_TEST(numeric_columns)
{
	setup();
	tr_field f[] = {
	    {"id", plain(a, TR_INT16)},
	    {"n5_2", opt(decimal(a, "2", "5"))},
	    {"n10_0", opt(decimal(a, "0", "10"))},
	    {"n38_10", opt(decimal(a, "10", "38"))},
	    {"n4_6", opt(decimal(a, "6", "4"))},
	    {"nu", opt(variable_decimal(a))},
	    {"m", opt(decimal(a, "2", NULL))},
	    {"n_d", dflt(a, decimal(a, "3", "8"), tr_value_bytes("04", 2))},
	    {"nu_d", opt(variable_decimal(a))},
	    {"m_d", opt(decimal(a, "2", NULL))},
	};
	same_as_file(envelope(a, "gold_pg_scalar.public.t_numeric", f, COUNT_OF(f)), "numeric");
	teardown();
}
END_TEST

START_TEST(integer_columns)
{
	setup();
	tr_field f[] = {
	    {"id", plain(a, TR_INT32)},
	    {"b", opt(plain(a, TR_BOOLEAN))},
	    {"i2", opt(plain(a, TR_INT16))},
	    {"i4", opt(plain(a, TR_INT32))},
	    {"i8", opt(plain(a, TR_INT64))},
	    {"s2", dflt(a, plain(a, TR_INT16), tr_value_int(0))},
	    {"s4", dflt(a, plain(a, TR_INT32), tr_value_int(0))},
	    {"s8", dflt(a, plain(a, TR_INT64), tr_value_int(0))},
	    {"o", opt(plain(a, TR_INT64))},
	    {"b_d", dflt(a, plain(a, TR_BOOLEAN), tr_value_bool(true))},
	    {"i2_d", opt(dflt(a, plain(a, TR_INT16), tr_value_int(-7)))},
	    {"i4_d", opt(dflt(a, plain(a, TR_INT32), tr_value_int(42)))},
	    {"i8_d", dflt(a, plain(a, TR_INT64), tr_value_int(9007199254740993))},
	    {"gen", opt(plain(a, TR_INT64))},
	    {"idn", plain(a, TR_INT32)},
	};
	same_as_file(envelope(a, "gold_pg_scalar.public.t_int", f, COUNT_OF(f)), "int");
	teardown();
}
END_TEST

static tr_type *bits(const char *length)
{
	return opt(par(a, named(a, TR_BYTES, "io.debezium.data.Bits"), "length", length));
}

START_TEST(byte_columns)
{
	setup();
	tr_field f[] = {
	    {"id", plain(a, TR_INT32)},
	    {"by", opt(plain(a, TR_BYTES))},
	    {"b1", opt(plain(a, TR_BOOLEAN))},
	    {"b5", bits("5")},
	    {"b8", bits("8")},
	    {"b33", bits("33")},
	    {"b64", bits("64")},
	    {"vb", bits("2147483647")},
	    {"vb12", bits("12")},
	    {"by_d", opt(plain(a, TR_BYTES))},
	    {"b1_d", opt(dflt(a, plain(a, TR_BOOLEAN), tr_value_bool(true)))},
	    {"b5_d", dflt(a, bits("5"), tr_value_bytes("\x16", 1))},
	    {"vb_d", dflt(a, bits("12"), tr_value_bytes("\x05", 1))},
	};
	same_as_file(envelope(a, "gold_pg_scalar.public.t_bytes", f, COUNT_OF(f)), "bytes");
	teardown();
}
END_TEST

START_TEST(float_columns)
{
	setup();
	tr_field f[] = {
	    {"id", plain(a, TR_INT64)},
	    {"f4", opt(plain(a, TR_FLOAT32))},
	    {"f8", opt(plain(a, TR_FLOAT64))},
	    {"f4_d", opt(dflt(a, plain(a, TR_FLOAT32), tr_value_float(1.5)))},
	    {"f8_d", dflt(a, plain(a, TR_FLOAT64), tr_value_float(-2.25))},
	};
	same_as_file(envelope(a, "gold_pg_scalar.public.t_float", f, COUNT_OF(f)), "float");
	teardown();
}
END_TEST

START_TEST(map_with_other_keys_than_text)
{
	setup();
	tr_field vector[] = {{"dimensions", plain(a, TR_INT16)},
	                     {"vector", tr_type_map(a, plain(a, TR_INT16), plain(a, TR_FLOAT64))}};
	tr_type *sparse = tr_type_struct(a, "io.debezium.data.SparseDoubleVector", 1, vector, 2);
	sparse->doc = "Sparse double vector";
	tr_type *doubles = tr_type_array(a, plain(a, TR_FLOAT64)), *floats = tr_type_array(a, plain(a, TR_FLOAT32));
	doubles->name = "io.debezium.data.DoubleVector";
	floats->name = "io.debezium.data.FloatVector";
	doubles->version = floats->version = 1;
	tr_field f[] = {{"id", plain(a, TR_INT32)}, {"v", opt(doubles)}, {"vu", opt(doubles)}, {"hv", opt(floats)}, {"sv", opt(sparse)}};
	same_as_file(envelope(a, "gold_pg_ext.public.e_vec", f, COUNT_OF(f)), "vector");
	teardown();
}
END_TEST

START_TEST(map_with_text_keys)
{
	setup();
	tr_type *map = opt(tr_type_map(a, plain(a, TR_STRING), opt(plain(a, TR_STRING))));
	tr_field f[] = {{"id", plain(a, TR_INT32)}, {"h", map}, {"h_d", map}, {"ha", opt(tr_type_array(a, map))}};
	same_as_file(envelope(a, "gold_pg_hstore.public.hs", f, COUNT_OF(f)), "hstore");
	teardown();
}
END_TEST

static tr_type *propagated(tr_type *type, const char *jdbc, const char *length, const char *scale, const char *name)
{
	par(a, type, "__debezium.source.column.type", jdbc);
	par(a, type, "__debezium.source.column.length", length);
	par(a, type, "__debezium.source.column.scale", scale);
	return par(a, type, "__debezium.source.column.name", name);
}

START_TEST(propagated_parameters)
{
	setup();
	tr_type *size = par(a, named(a, TR_STRING, "io.debezium.data.Enum"), "allowed", "s,m,l");
	tr_field f[] = {
	    {"id", propagated(plain(a, TR_INT32), "INT4", "10", "0", "id")},
	    {"name", opt(propagated(plain(a, TR_STRING), "VARCHAR", "30", "0", "name"))},
	    {"card", opt(par(a, plain(a, TR_STRING), "masked", "true"))},
	    {"bio", opt(par(a, plain(a, TR_STRING), "truncateLength", "4"))},
	    {"amount", opt(propagated(decimal(a, "2", "9"), "NUMERIC", "9", "2", "amount"))},
	    {"made", opt(propagated(named(a, TR_INT64, "io.debezium.time.Timestamp"), "TIMESTAMP", "26", "3", "made"))},
	    {"tags", opt(propagated(tr_type_array(a, opt(plain(a, TR_STRING))), "_TEXT", "2147483647", "0", "tags"))},
	    {"sz", opt(propagated(size, "SIZE", "2147483647", "0", "sz"))},
	};
	same_as_file(envelope(a, "gold_pg_options.public.cust", f, COUNT_OF(f)), "options");
	teardown();
}
END_TEST

START_TEST(logical_types)
{
	setup();
	tr_type *date = opt(named(a, TR_INT32, TR_CONNECT_DATE)), *stamp = opt(named(a, TR_INT64, TR_CONNECT_TIMESTAMP));
	tr_type *time = opt(named(a, TR_INT32, TR_CONNECT_TIME));
	tr_type *zoned = opt(named(a, TR_STRING, "io.debezium.time.ZonedTimestamp"));
	tr_field f[] = {
	    {"id", plain(a, TR_INT32)},
	    {"d", date},
	    {"t", time},
	    {"t0", time},
	    {"t3", time},
	    {"tz", opt(named(a, TR_STRING, "io.debezium.time.ZonedTime"))},
	    {"ts", stamp},
	    {"ts0", stamp},
	    {"ts3", stamp},
	    {"tstz", zoned},
	    {"tstz3", zoned},
	    {"d_d", dflt(a, named(a, TR_INT32, TR_CONNECT_DATE), tr_value_int(18321))},
	    {"t_d", opt(dflt(a, named(a, TR_INT32, TR_CONNECT_TIME), tr_value_int(45296789)))},
	    {"ts_d", dflt(a, named(a, TR_INT64, TR_CONNECT_TIMESTAMP), tr_value_int(1614834367089))},
	    {"tz_d", opt(dflt(a, named(a, TR_STRING, "io.debezium.time.ZonedTimestamp"), tr_value_text("2021-03-04T02:06:07.089012Z")))},
	    {"da", opt(tr_type_array(a, date))},
	    {"tsa", opt(tr_type_array(a, stamp))},
	    {"tza", opt(tr_type_array(a, zoned))},
	};
	same_as_file(envelope(a, "gold_pg_time_connect.public.tm", f, COUNT_OF(f)), "time_connect");
	teardown();
}
END_TEST

/* The way back, Avro schema -> type tree, as a Connect consumer would do it. */
typedef struct back {
	const char *space;
	const tr_type *seen[64];
	const char *names[64];
	size_t count;
} back;

static const tr_type *type_of(back *b, json_t *node);

static const char *text_at(json_t *node, const char *key)
{
	return json_string_value(json_object_get(node, key));
}

static tr_value value_of(const tr_type *type, json_t *node)
{
	if (json_is_boolean(node))
		return tr_value_bool(json_is_true(node));
	if (type->kind == TR_FLOAT32 || type->kind == TR_FLOAT64)
		return tr_value_float(json_number_value(node));
	if (json_is_integer(node))
		return tr_value_int(json_integer_value(node));
	ck_assert(json_is_string(node));
	const char *text = json_string_value(node);
	size_t len = json_string_length(node), n = 0;
	if (type->kind == TR_STRING)
		return tr_value_slice(tr_slice_of(tr_arena_memdup(a, text, len), len));
	uint8_t *bytes = tr_arena_alloc(a, len + 1);
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)text[i] < 0x80)
			bytes[n++] = (uint8_t)text[i];
		else
			bytes[n++] = (uint8_t)((text[i] & 3) << 6 | (text[i + 1] & 0x3f)), i++;
	return tr_value_bytes(bytes, n);
}

static tr_kind kind_of(const char *avro, const char *connect)
{
	static const struct { const char *avro; tr_kind kind; } known[] = {
	    {"boolean", TR_BOOLEAN}, {"int", TR_INT32}, {"long", TR_INT64}, {"float", TR_FLOAT32},
	    {"double", TR_FLOAT64}, {"string", TR_STRING}, {"bytes", TR_BYTES}};

	if (connect)
		return strcmp(connect, "int8") == 0 ? TR_INT8 : TR_INT16;
	for (size_t i = 0; i < COUNT_OF(known); i++)
		if (strcmp(known[i].avro, avro) == 0)
			return known[i].kind;
	ck_abort_msg("type %s", avro);
	return TR_STRING;
}

static tr_type *record_of(back *b, json_t *node)
{
	const char *outer = b->space, *space = text_at(node, "namespace");
	json_t *fields = json_object_get(node, "fields");
	size_t count = json_array_size(fields);
	tr_field *list = TR_ARENA_ARRAY(a, tr_field, count + 1);

	b->space = space ? space : outer;
	const char *full = b->space && *b->space ? tr_arena_format(a, "%s.%s", b->space, text_at(node, "name")) : text_at(node, "name");
	for (size_t i = 0; i < count; i++) {
		json_t *field = json_array_get(fields, i);
		tr_type *type = tr_type_copy(a, type_of(b, json_object_get(field, "type")));
		json_t *parameters = json_object_get(field, "connect.parameters");
		const char *key;
		json_t *value;
		json_object_foreach(parameters, key, value)
			par(a, type, key, json_string_value(value));
		list[i] = (tr_field){text_at(field, "name"), type};
	}
	b->space = outer;
	tr_type *type = tr_type_struct(a, text_at(node, "connect.name"), 0, list, count);
	b->seen[b->count] = type;
	b->names[b->count++] = full;
	return type;
}

static const tr_type *reference_of(back *b, const char *name)
{
	const char *full = strchr(name, '.') || !b->space ? name : tr_arena_format(a, "%s.%s", b->space, name);

	for (size_t i = 0; i < b->count; i++)
		if (strcmp(b->names[i], full) == 0)
			return b->seen[i];
	return NULL;
}

static const tr_type *union_of(back *b, json_t *node)
{
	size_t at = json_is_string(json_array_get(node, 0)) && strcmp(json_string_value(json_array_get(node, 0)), "null") == 0;
	return tr_type_optional(a, type_of(b, json_array_get(node, at)), true);
}

static tr_type *array_of(back *b, json_t *items)
{
	const tr_type *item = type_of(b, items);

	if (json_is_object(items) && text_at(items, "name") && strcmp(text_at(items, "name"), "MapEntry") == 0)
		return tr_type_map(a, item->fields[0].type, item->fields[1].type);
	return tr_type_array(a, item);
}

static const tr_type *type_of(back *b, json_t *node)
{
	const char *key, *avro = json_is_string(node) ? json_string_value(node) : text_at(node, "type");
	json_t *value, *dflt_json = json_object_get(node, "connect.default");
	tr_type *type;

	if (json_is_array(node))
		return union_of(b, node);
	if (json_is_string(node) && reference_of(b, avro))
		return reference_of(b, avro);
	if (strcmp(avro, "record") == 0)
		type = record_of(b, node);
	else if (strcmp(avro, "array") == 0)
		type = array_of(b, json_object_get(node, "items"));
	else if (strcmp(avro, "map") == 0)
		type = tr_type_map(a, plain(a, TR_STRING), type_of(b, json_object_get(node, "values")));
	else
		type = plain(a, kind_of(avro, text_at(node, "connect.type")));
	type->name = text_at(node, "connect.name");
	type->doc = text_at(node, "connect.doc");
	type->version = (int)json_integer_value(json_object_get(node, "connect.version"));
	json_object_foreach(json_object_get(node, "connect.parameters"), key, value)
		par(a, type, key, json_string_value(value));
	if (dflt_json)
		dflt(a, type, value_of(type, dflt_json));
	return type;
}

static void round_trip(const char *path)
{
	json_error_t error;
	back b = {0};

	setup();
	char *want = read_file(path);
	json_t *json = json_loads(want, JSON_ALLOW_NUL, &error);
	ck_assert_msg(json != NULL, "%s: %s", path, error.text);
	char *got = rendered(type_of(&b, json));
	ck_assert_msg(strcmp(got, want) == 0, "%s\n got %s\nwant %s", path, got, want);
	json_decref(json);
	free(got);
	free(want);
	teardown();
}

START_TEST(all_golden_schemas)
{
	const char *cases = getenv("TR_TEST_GOLDEN");
	char pattern[512];
	glob_t found;

	if (cases)
		snprintf(pattern, sizeof(pattern), "%s/*/schemas/*.avsc", cases);
	else
		snprintf(pattern, sizeof(pattern), "%s/tests/golden/cases/*/schemas/*.avsc", source_dir());
	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	ck_assert_uint_gt(found.gl_pathc, 100);
	for (size_t i = 0; i < found.gl_pathc; i++)
		round_trip(found.gl_pathv[i]);
	printf("%zu golden schemas\n", found.gl_pathc);
	globfree(&found);
}
END_TEST

START_TEST(reused_record_has_its_parameters_on_the_field)
{
	setup();
	tr_field f[] = {
	    {"a", par(a, variable_decimal(a), "p", "1")},
	    {"b", opt(par(a, variable_decimal(a), "p", "2"))},
	};
	same_as_text(tr_type_struct(a, "s.R", 0, f, 2),
	             "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"s\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"record\","
	             "\"name\":\"VariableScaleDecimal\",\"namespace\":\"io.debezium.data\",\"fields\":[{\"name\":\"scale\",\"type\":\"int\"},"
	             "{\"name\":\"value\",\"type\":\"bytes\"}],\"connect.doc\":\"Variable scaled decimal\",\"connect.version\":1,"
	             "\"connect.parameters\":{\"p\":\"1\"},\"connect.name\":\"io.debezium.data.VariableScaleDecimal\"}},"
	             "{\"name\":\"b\",\"type\":[\"null\",\"io.debezium.data.VariableScaleDecimal\"],\"default\":null,"
	             "\"connect.parameters\":{\"p\":\"2\"}}],\"connect.name\":\"s.R\"}");
	teardown();
}
END_TEST

START_TEST(records_without_names_are_numbered)
{
	setup();
	tr_field one[] = {{"x", plain(a, TR_INT32)}}, two[] = {{"y", plain(a, TR_INT64)}};
	tr_field f[] = {{"a", tr_type_struct(a, NULL, 0, one, 1)},
	                {"b", tr_type_struct(a, NULL, 0, two, 1)},
	                {"c", opt(tr_type_struct(a, NULL, 0, one, 1))}};
	same_as_text(tr_type_struct(a, "R", 0, f, 3),
	             "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"record\",\"name\":\"ConnectDefault\","
	             "\"namespace\":\"io.confluent.connect.avro\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}},"
	             "{\"name\":\"b\",\"type\":{\"type\":\"record\",\"name\":\"ConnectDefault2\",\"namespace\":\"io.confluent.connect.avro\","
	             "\"fields\":[{\"name\":\"y\",\"type\":\"long\"}]}},{\"name\":\"c\",\"type\":[\"null\","
	             "\"io.confluent.connect.avro.ConnectDefault\"],\"default\":null}],\"connect.name\":\"R\"}");
	teardown();
}
END_TEST

START_TEST(namespaces_are_inherited_and_left)
{
	setup();
	tr_field inner[] = {{"x", plain(a, TR_INT32)}};
	tr_type *near = tr_type_struct(a, "s.Near", 0, inner, 1), *none = tr_type_struct(a, "None", 0, inner, 1);
	tr_field f[] = {{"a", near}, {"b", none}, {"c", near}, {"d", none}};
	same_as_text(tr_type_struct(a, "s.R", 0, f, 4),
	             "{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"s\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"record\","
	             "\"name\":\"Near\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}],\"connect.name\":\"s.Near\"}},{\"name\":\"b\",\"type\":"
	             "{\"type\":\"record\",\"name\":\"None\",\"namespace\":\"\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}],"
	             "\"connect.name\":\"None\"}},{\"name\":\"c\",\"type\":\"Near\"},{\"name\":\"d\",\"type\":\"None\"}],\"connect.name\":\"s.R\"}");
	teardown();
}
END_TEST

START_TEST(defaults_of_all_kinds)
{
	setup();
	tr_value items[] = {tr_value_int(1), tr_value_null()}, pairs[] = {tr_value_text("k\"\x1f"), tr_value_float(1e10)};
	tr_field f[] = {
	    {"a", dflt(a, tr_type_array(a, opt(plain(a, TR_INT32))), tr_value_list(items, 2))},
	    {"b", dflt(a, tr_type_map(a, plain(a, TR_STRING), plain(a, TR_FLOAT64)), tr_value_list(pairs, 2))},
	    {"c", opt(dflt(a, plain(a, TR_FLOAT64), tr_value_float((double)NAN)))},
	    {"d", dflt(a, plain(a, TR_BYTES), tr_value_bytes("\x00\xff\x80\"", 4))},
	    {"e", dflt(a, plain(a, TR_INT8), tr_value_int(-128))},
	};
	same_as_text(tr_type_struct(a, "R", 0, f, 5),
	             "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":[\"null\",\"int\"],"
	             "\"connect.default\":[1,null]},\"default\":[1,null]},{\"name\":\"b\",\"type\":{\"type\":\"map\",\"values\":\"double\","
	             "\"connect.default\":{\"k\\\"\\u001F\":1.0E10}},\"default\":{\"k\\\"\\u001F\":1.0E10}},"
	             "{\"name\":\"c\",\"type\":[\"null\",\"double\"],\"default\":null},"
	             "{\"name\":\"d\",\"type\":{\"type\":\"bytes\",\"connect.default\":\"\\u0000\xc3\xbf\xc2\x80\\\"\"},\"default\":\"\\u0000\xc3\xbf\xc2\x80\\\"\"},"
	             "{\"name\":\"e\",\"type\":{\"type\":\"int\",\"connect.default\":-128,\"connect.type\":\"int8\"},\"default\":-128}],"
	             "\"connect.name\":\"R\"}");
	teardown();
}
END_TEST

static void refused(const tr_type *type, tr_err_code code, const char *name)
{
	tr_writer w;
	tr_err err = {0};

	tr_writer_init(&w, 1 << 20);
	ck_assert_int_eq(tr_avro_schema(type, &w, &err), -1);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.text, name) != NULL, "%s", err.text);
	tr_writer_release(&w);
}

START_TEST(refuses_what_avro_cannot_hold)
{
	setup();
	tr_field dotted[] = {{"a.b", plain(a, TR_INT32)}}, twice[] = {{"a", plain(a, TR_INT32)}, {"a", plain(a, TR_INT32)}};
	tr_field digit[] = {{"1a", plain(a, TR_INT32)}}, x[] = {{"x", plain(a, TR_INT32)}}, y[] = {{"y", plain(a, TR_INT32)}};
	tr_field shapes[] = {{"a", tr_type_struct(a, "s.S", 0, x, 1)}, {"b", tr_type_struct(a, "s.S", 0, y, 1)}};
	tr_type *deep = plain(a, TR_INT32);
	refused(tr_type_struct(a, "R", 0, dotted, 1), TR_E_NAME_INVALID, "a.b");
	refused(tr_type_struct(a, "R", 0, digit, 1), TR_E_NAME_INVALID, "1a");
	refused(tr_type_struct(a, "s.my-table", 0, x, 1), TR_E_NAME_INVALID, "my-table");
	refused(tr_type_struct(a, "R", 0, twice, 2), TR_E_NAME_COLLISION, "\"a\"");
	refused(tr_type_struct(a, "R", 0, shapes, 2), TR_E_NAME_COLLISION, "s.S");
	for (int i = 0; i < 100; i++)
		deep = tr_type_array(a, deep);
	refused(deep, TR_E_TYPE_UNSUPPORTED, "64");
	teardown();
}
END_TEST

TEST_MAIN("avro schema", key_of_a_table, numeric_columns, integer_columns, byte_columns, float_columns,
          map_with_other_keys_than_text, map_with_text_keys, propagated_parameters, logical_types, all_golden_schemas,
          reused_record_has_its_parameters_on_the_field, records_without_names_are_numbered,
          namespaces_are_inherited_and_left, defaults_of_all_kinds, refuses_what_avro_cannot_hold)
