/* JSON text: numbers in Java's form, strings, values, schemas, and the format "json" as a whole. */
#include "events/json/json_text.h"

#include <float.h>
#include <jansson.h>
#include <math.h>

#include "events/json/encoder.h"
#include "tests/unit/events_avro/trees.h"

static tr_arena arena;
static tr_arena *a = &arena;

static const char *text_of(tr_writer *w)
{
	tr_writer_u8(w, 0);
	ck_assert(tr_writer_ok(w));
	w->len--;
	return (const char *)w->data;
}

START_TEST(doubles_as_java_prints_them)
{
	static const struct { double value; const char *text; } cases[] = {
	    {1, "1.0"}, {-1.5, "-1.5"}, {0, "0.0"}, {-0.0, "-0.0"}, {0.1, "0.1"}, {100, "100.0"}, {1234567, "1234567.0"},
	    {12345678, "1.2345678E7"}, {1e7, "1.0E7"}, {9999999, "9999999.0"}, {0.001, "0.001"}, {0.0001, "1.0E-4"},
	    {0.00123, "0.00123"}, {1e10, "1.0E10"}, {1e23, "1.0E23"}, {2e23, "2.0E23"}, {3.14159, "3.14159"},
	    {123.456, "123.456"}, {4.9e-324, "4.9E-324"}, {DBL_MAX, "1.7976931348623157E308"}, {DBL_MIN, "2.2250738585072014E-308"},
	    {1.0 / 3, "0.3333333333333333"}, {2.0 / 3, "0.6666666666666666"}, {9007199254740993.0, "9.007199254740992E15"},
	    {1.0 / 0.0, "\"Infinity\""}, {-1.0 / 0.0, "\"-Infinity\""}, {0.0 / 0.0, "\"NaN\""}, {5e-324 * 2, "9.9E-324"},
	    {2251799813685248.5, "2.2517998136852485E15"}, {1e22, "1.0E22"}, {1.2345e-5, "1.2345E-5"}};
	tr_writer w;

	tr_writer_init(&w, 1000);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		tr_writer_reset(&w);
		tr_json_double(&w, cases[i].value);
		ck_assert_str_eq(text_of(&w), cases[i].text);
	}
	tr_writer_release(&w);
}
END_TEST

START_TEST(floats_as_java_prints_them)
{
	static const struct { float value; const char *text; } cases[] = {
	    {1.5f, "1.5"}, {0.1f, "0.1"}, {3.14159f, "3.14159"}, {FLT_MAX, "3.4028235E38"}, {FLT_MIN, "1.1754944E-38"},
	    {1.4e-45f, "1.4E-45"}, {16777216.0f, "1.6777216E7"}, {1e10f, "1.0E10"}, {0.3f, "0.3"}, {33554432.0f, "3.3554432E7"}};
	tr_writer w;

	tr_writer_init(&w, 1000);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		tr_writer_reset(&w);
		tr_json_float(&w, cases[i].value);
		ck_assert_str_eq(text_of(&w), cases[i].text);
	}
	tr_writer_release(&w);
}
END_TEST

static int significant(const char *text)
{
	int count = 0, zeros = 0;

	for (; *text && *text != 'E'; text++) {
		if (*text < '0' || *text > '9' || (*text == '0' && count == 0))
			continue;
		count += 1, zeros = *text == '0' ? zeros + 1 : 0;
	}
	return count - zeros;
}

/* Reads back equal, has no more digits than the shortest printf that does, and is as near as that one. */
START_TEST(random_doubles_are_shortest)
{
	rng r = {.state = 42};
	char shortest[64];
	tr_writer w;

	tr_writer_init(&w, 1000);
	for (int i = 0; i < 50000; i++) {
		uint64_t bits = rng_next(&r);
		double d;
		memcpy(&d, &bits, sizeof(d));
		if (i % 4 == 0)
			d = (double)(int64_t)bits / 1000;
		if (!isfinite(d) || d == 0)
			continue;
		tr_writer_reset(&w);
		tr_json_double(&w, d);
		const char *got = text_of(&w);
		ck_assert_msg(strtod(got, NULL) == d, "%s %a", got, d);
		int digits = 0;
		do
			snprintf(shortest, sizeof(shortest), "%.*e", digits, d);
		while (strtod(shortest, NULL) != d && ++digits < 18);
		ck_assert_msg(significant(got) <= digits + 1 || digits == 0, "%s %s", got, shortest);
	}
	tr_writer_release(&w);
}
END_TEST

START_TEST(random_floats_are_shortest)
{
	rng r = {.state = 43};
	char shortest[64];
	tr_writer w;

	tr_writer_init(&w, 1000);
	for (int i = 0; i < 50000; i++) {
		uint32_t bits = (uint32_t)rng_next(&r);
		float f;
		memcpy(&f, &bits, sizeof(f));
		if (!isfinite(f) || f == 0)
			continue;
		tr_writer_reset(&w);
		tr_json_float(&w, f);
		const char *got = text_of(&w);
		ck_assert_msg(strtof(got, NULL) == f, "%s %a", got, (double)f);
		int digits = 0;
		do
			snprintf(shortest, sizeof(shortest), "%.*e", digits, (double)f);
		while (strtof(shortest, NULL) != f && ++digits < 12);
		ck_assert_msg(significant(got) <= digits + 1 || digits == 0, "%s %s", got, shortest);
	}
	tr_writer_release(&w);
}
END_TEST

START_TEST(strings_are_escaped_as_jackson_does)
{
	tr_writer w;

	tr_writer_init(&w, 1000);
	tr_json_string(&w, tr_slice_of("a\"\\/\b\f\n\r\t\x00\x1f\x7f\xc3\xa4\xff", 15));
	ck_assert_str_eq(text_of(&w), "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0000\\u001F\x7f\xc3\xa4\xef\xbf\xbd\"");
	tr_writer_reset(&w);
	tr_json_latin1(&w, tr_slice_of("\x00 a\"\xff", 5));
	ck_assert_str_eq(text_of(&w), "\"\\u0000 a\\\"\xc3\xbf\"");
	tr_writer_release(&w);
}
END_TEST

/* A struct with one of everything. */
static const tr_type *wide(void)
{
	tr_field f[] = {
	    {"id", plain(a, TR_INT32)},
	    {"d", opt(decimal(a, "2", "9"))},
	    {"t", dflt(a, plain(a, TR_STRING), tr_value_text("x\"y"))},
	    {"l", opt(tr_type_array(a, opt(plain(a, TR_FLOAT64))))},
	    {"m", tr_type_map(a, plain(a, TR_STRING), plain(a, TR_BOOLEAN))},
	    {"e", tr_type_map(a, plain(a, TR_INT16), plain(a, TR_FLOAT32))},
	};
	return tr_type_struct(a, "s.Wide", 2, f, COUNT_OF(f));
}

static const char wide_schema[] =
    "{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":false,\"field\":\"id\"},"
    "{\"type\":\"bytes\",\"optional\":true,\"name\":\"org.apache.kafka.connect.data.Decimal\",\"version\":1,"
    "\"parameters\":{\"scale\":\"2\",\"connect.decimal.precision\":\"9\"},\"field\":\"d\"},"
    "{\"type\":\"string\",\"optional\":false,\"default\":\"x\\\"y\",\"field\":\"t\"},"
    "{\"type\":\"array\",\"items\":{\"type\":\"double\",\"optional\":true},\"optional\":true,\"field\":\"l\"},"
    "{\"type\":\"map\",\"keys\":{\"type\":\"string\",\"optional\":false},\"values\":{\"type\":\"boolean\",\"optional\":false},"
    "\"optional\":false,\"field\":\"m\"},"
    "{\"type\":\"map\",\"keys\":{\"type\":\"int16\",\"optional\":false},\"values\":{\"type\":\"float\",\"optional\":false},"
    "\"optional\":false,\"field\":\"e\"}],\"optional\":false,\"name\":\"s.Wide\",\"version\":2}";
static const char wide_payload[] =
    "{\"id\":7,\"d\":\"BBo=\",\"t\":\"\xc3\xa4\",\"l\":[1.0,null,\"NaN\"],\"m\":{\"k\":true},\"e\":[[1,0.5],[2,0.25]]}";

static const tr_value floats[] = {{.kind = TR_V_FLOAT, .f = 1}, {.kind = TR_V_NULL}, {.kind = TR_V_FLOAT, .f = (double)NAN}};

static tr_value wide_value(void)
{
	tr_value *m = TR_ARENA_ARRAY(a, tr_value, 2), *e = TR_ARENA_ARRAY(a, tr_value, 4), *v = TR_ARENA_ARRAY(a, tr_value, 6);
	m[0] = tr_value_text("k"), m[1] = tr_value_bool(true);
	e[0] = tr_value_int(1), e[1] = tr_value_float(0.5), e[2] = tr_value_int(2), e[3] = tr_value_float(0.25);
	v[0] = tr_value_int(7);
	v[1] = tr_value_bytes("\x04\x1a", 2);
	v[2] = tr_value_text("\xc3\xa4");
	v[3] = tr_value_list(floats, 3);
	v[4] = tr_value_list(m, 2);
	v[5] = tr_value_list(e, 4);
	return tr_value_list(v, 6);
}

START_TEST(values_and_schemas)
{
	tr_writer w;
	tr_err err = {0};

	tr_arena_init(a, 1 << 20);
	tr_writer_init(&w, 100000);
	tr_value v = wide_value();
	ck_assert_int_eq(tr_json_value(wide(), &v, &w, &err), 0);
	ck_assert_str_eq(text_of(&w), wide_payload);
	tr_writer_reset(&w);
	ck_assert_int_eq(tr_json_schema(wide(), &w, &err), 0);
	ck_assert_str_eq(text_of(&w), wide_schema);
	tr_writer_release(&w);
	tr_arena_release(a);
}
END_TEST

static void encoded(bool schemas, const char *want)
{
	tr_event_options options = {.json_schemas = schemas};
	const tr_codec *codec, *again;
	tr_encoder *e;
	tr_writer w;
	tr_err err = {0};

	tr_arena_init(a, 1 << 20);
	tr_writer_init(&w, 100000);
	ck_assert_int_eq(tr_json_encoder_ops.open(&e, &options, NULL, &err), 0);
	ck_assert_int_eq(tr_json_encoder_ops.check(e, &err), 0);
	ck_assert_int_eq(tr_json_encoder_ops.compile(e, "t-value", wide(), NULL, &codec, &err), 0);
	ck_assert_int_eq(tr_json_encoder_ops.compile(e, "t-value", wide(), NULL, &again, &err), 0);
	ck_assert_ptr_eq(codec, again);
	ck_assert_int_eq(tr_json_encoder_ops.compile(e, "u-value", wide(), NULL, &again, &err), 0);
	ck_assert_ptr_ne(codec, again);
	ck_assert_str_eq(codec->subject, "t-value");
	ck_assert_str_eq(codec->schema, wide_schema);
	tr_value v = wide_value();
	tr_arena_release(a);
	tr_arena_init(a, 1 << 20);
	v = wide_value(); /* the codec keeps nothing of the type it was made from */
	ck_assert_int_eq(codec->write(codec, &v, &w, &err), 0);
	ck_assert_str_eq(text_of(&w), want);
	tr_json_encoder_ops.free(e);
	tr_writer_release(&w);
	tr_arena_release(a);
}

START_TEST(encoder_without_schemas)
{
	encoded(false, wide_payload);
}
END_TEST

START_TEST(encoder_with_schemas)
{
	char want[4096];

	snprintf(want, sizeof(want), "{\"schema\":%s,\"payload\":%s}", wide_schema, wide_payload);
	encoded(true, want);
}
END_TEST

START_TEST(misfits_name_the_field)
{
	tr_event_options options = {0};
	const tr_codec *codec;
	tr_encoder *e;
	tr_writer w;
	tr_err err = {0};

	tr_arena_init(a, 1 << 20);
	tr_writer_init(&w, 100000);
	tr_field inner[] = {{"n", plain(a, TR_INT8)}};
	tr_field outer[] = {{"list", tr_type_array(a, tr_type_struct(a, "I", 0, inner, 1))}};
	const tr_type *type = tr_type_struct(a, "O", 0, outer, 1);
	tr_value n = tr_value_int(128), in = tr_value_list(&n, 1), list = tr_value_list(&in, 1), out = tr_value_list(&list, 1);
	ck_assert_int_eq(tr_json_value(type, &out, &w, &err), -1);
	ck_assert_int_eq(err.code, TR_E_ENCODE_VALUE);
	ck_assert_str_eq(err.text, "field \"list[].n\" does not fit its schema");
	ck_assert_ptr_null(strstr(err.detail, "128"));
	ck_assert_int_eq(tr_json_encoder_ops.open(&e, &options, NULL, &err), 0);
	ck_assert_int_eq(tr_json_encoder_ops.compile(e, "s", type, NULL, &codec, &err), 0);
	tr_writer_reset(&w);
	ck_assert_int_eq(codec->write(codec, &out, &w, &err), -1);
	ck_assert_str_eq(err.text, "field \"list[].n\" does not fit its schema");
	ck_assert_uint_eq(w.len, 0);
	n = tr_value_null();
	ck_assert_int_eq(codec->write(codec, &out, &w, &err), -1);
	ck_assert_int_eq(tr_json_value(type, &out, &w, &err), -1);
	tr_json_encoder_ops.free(e);
	tr_writer_release(&w);
	tr_arena_release(a);
}
END_TEST

START_TEST(too_small_a_writer_is_a_limit)
{
	tr_writer w;
	tr_err err = {0};

	tr_arena_init(a, 1 << 20);
	tr_writer_init(&w, 20);
	tr_value v = wide_value();
	ck_assert_int_eq(tr_json_value(wide(), &v, &w, &err), -1);
	ck_assert_int_eq(err.code, TR_E_BATCH_LIMIT);
	tr_writer_release(&w);
	tr_arena_release(a);
}
END_TEST

/* Any value is JSON that another parser takes, and the codec writes what the tree walk writes. */
START_TEST(random_values_parse)
{
	tr_event_options options = {0};
	tr_err err = {0};
	json_error_t error;
	tr_encoder *e;

	ck_assert_int_eq(tr_json_encoder_ops.open(&e, &options, NULL, &err), 0);
	for (unsigned i = 0; i < 3000; i++) {
		rng r = {.state = i};
		unsigned names = 0;
		const tr_codec *codec;
		tr_writer one, two;
		tr_arena_init(a, 64 << 20);
		tr_writer_init(&one, 16 << 20);
		tr_writer_init(&two, 16 << 20);
		const tr_type *type = rng_type(&r, a, 4, &names);
		tr_value v = rng_value(&r, a, type);
		ck_assert_int_eq(tr_json_value(type, &v, &one, &err), 0);
		json_t *parsed = json_loadb((const char *)one.data, one.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
		ck_assert_msg(parsed != NULL, "%s in %s", error.text, text_of(&one));
		ck_assert_int_eq(tr_json_encoder_ops.compile(e, "s", type, NULL, &codec, &err), 0);
		ck_assert_int_eq(codec->write(codec, &v, &two, &err), 0);
		ck_assert(tr_slice_eq(tr_writer_view(&one), tr_writer_view(&two)));
		json_decref(parsed);
		tr_writer_release(&one);
		tr_writer_release(&two);
		tr_arena_release(a);
	}
	tr_json_encoder_ops.free(e);
}
END_TEST

TEST_MAIN("json", doubles_as_java_prints_them, floats_as_java_prints_them, random_doubles_are_shortest,
          random_floats_are_shortest, strings_are_escaped_as_jackson_does, values_and_schemas, encoder_without_schemas,
          encoder_with_schemas, misfits_name_the_field, too_small_a_writer_is_a_limit, random_values_parse)
