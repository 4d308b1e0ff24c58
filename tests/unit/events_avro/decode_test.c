/* The reader for `tail`: it gives back what was encoded, shows decimals and times, and survives any bytes and schema. */
#include "events/avro/decode.h"

#include "events/avro/codec.h"
#include "events/avro/schema.h"
#include "events/json/json_text.h"
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

static bool has_entries(const tr_type *t)
{
	if (t->kind == TR_MAP)
		return t->key->kind != TR_STRING || has_entries(t->item);
	for (size_t i = 0; i < t->field_count; i++)
		if (has_entries(t->fields[i].type))
			return true;
	return t->kind == TR_ARRAY && has_entries(t->item);
}

START_TEST(raw_is_what_json_would_write)
{
	tr_writer schema, body, got, want;
	tr_err err = {0};
	int compared = 0;

	tr_writer_init(&schema, 16 << 20);
	tr_writer_init(&body, 16 << 20);
	tr_writer_init(&got, 16 << 20);
	tr_writer_init(&want, 16 << 20);
	for (unsigned i = 0; i < 3000; i++) {
		rng r = {.state = i};
		unsigned names = 0;
		tr_avro_plan *plan;
		tr_avro_decoder *d;
		tr_arena_init(a, 64 << 20);
		const tr_type *type = rng_type(&r, a, 4, &names);
		tr_value v = rng_value(&r, a, type);
		tr_writer_reset(&schema), tr_writer_reset(&body), tr_writer_reset(&got), tr_writer_reset(&want);
		ck_assert_int_eq(tr_avro_schema(type, &schema, &err), 0);
		ck_assert_int_eq(tr_avro_plan_new(&plan, type, &err), 0);
		ck_assert_int_eq(tr_avro_plan_write(plan, &v, &body, &err), 0);
		ck_assert_msg(tr_avro_decoder_new(&d, tr_writer_view(&schema), &err) == 0, "%s %s", err.text, err.detail);
		ck_assert_msg(tr_avro_decode(d, tr_writer_view(&body), TR_AVRO_RAW, &got, &err) == 0, "%s %s", err.text, err.detail);
		ck_assert_int_eq(tr_json_value(type, &v, &want, &err), 0);
		if (!has_entries(type)) {
			ck_assert_msg(tr_slice_eq(tr_writer_view(&got), tr_writer_view(&want)), "got %.900s want %.900s",
			              text_of(&got), text_of(&want));
			compared++;
		}
		/* Every shorter body is an error, never a crash. */
		for (size_t len = 0; len < body.len && len < 40; len++) {
			tr_writer_reset(&got);
			ck_assert_int_eq(tr_avro_decode(d, tr_slice_of(body.data, len), TR_AVRO_RAW, &got, &err), -1);
		}
		tr_avro_decoder_free(d);
		tr_avro_plan_free(plan);
		tr_arena_release(a);
	}
	ck_assert_int_gt(compared, 1000);
	tr_writer_release(&schema), tr_writer_release(&body), tr_writer_release(&got), tr_writer_release(&want);
}
END_TEST

static void shows(const char *schema, const void *body, size_t len, tr_avro_style style, const char *want)
{
	tr_avro_decoder *d;
	tr_writer w;
	tr_err err = {0};

	tr_writer_init(&w, 100000);
	ck_assert_msg(tr_avro_decoder_new(&d, tr_slice_str(schema), &err) == 0, "%s", err.text);
	ck_assert_msg(tr_avro_decode(d, tr_slice_of(body, len), style, &w, &err) == 0, "%s: %s", schema, err.text);
	ck_assert_str_eq(text_of(&w), want);
	tr_avro_decoder_free(d);
	tr_writer_release(&w);
}

static void shows_long(const char *type, const char *attribute, const char *name, int64_t value, const char *want)
{
	char schema[200];
	tr_writer body;

	tr_writer_init(&body, 100);
	tr_writer_zigzag(&body, value);
	snprintf(schema, sizeof(schema), "{\"type\":\"%s\",\"%s\":\"%s\"}", type, attribute, name);
	shows(schema, body.data, body.len, TR_AVRO_PRETTY, want);
	tr_writer_release(&body);
}

START_TEST(times_are_shown_as_iso)
{
	shows_long("int", "logicalType", "date", 18321, "\"2020-02-29\"");
	shows_long("int", "connect.name", "io.debezium.time.Date", -1, "\"1969-12-31\"");
	shows_long("int", "connect.name", "io.debezium.time.Date", -719529, "\"-0001-12-31\"");
	shows_long("int", "connect.name", "io.debezium.time.Time", 45296789, "\"12:34:56.789\"");
	shows_long("long", "connect.name", "io.debezium.time.MicroTime", 45296789012, "\"12:34:56.789012\"");
	shows_long("long", "connect.name", "io.debezium.time.MicroTime", 86400000000, "\"24:00:00\"");
	shows_long("long", "connect.name", "io.debezium.time.MicroTime", -1, "-1");
	shows_long("long", "connect.name", "io.debezium.time.NanoTime", 1000001000, "\"00:00:01.000001\"");
	shows_long("long", "connect.name", "io.debezium.time.Timestamp", 1614834367089, "\"2021-03-04T05:06:07.089\"");
	shows_long("long", "connect.name", "io.debezium.time.MicroTimestamp", 1614834367000000, "\"2021-03-04T05:06:07\"");
	shows_long("long", "connect.name", "io.debezium.time.MicroTimestamp", -1, "\"1969-12-31T23:59:59.999999\"");
	shows_long("long", "connect.name", "io.debezium.time.NanoTimestamp", INT64_MIN, "\"1677-09-21T00:12:43.145224192\"");
	shows_long("long", "connect.name", "io.debezium.time.Timestamp", INT64_MIN, "\"-292275055-05-16T16:47:04.192\"");
	shows_long("long", "logicalType", "timestamp-millis", 0, "\"1970-01-01T00:00:00Z\"");
	shows_long("long", "connect.name", "io.debezium.time.MicroDuration", -3723000004, "\"-PT1H2M3.000004S\"");
	shows_long("int", "connect.name", "io.debezium.time.Year", 2020, "2020");
	shows("{\"type\":\"int\",\"logicalType\":\"date\"}", "\x02", 1, TR_AVRO_RAW, "1");
}
END_TEST

static void shows_decimal(const char *bytes, size_t len, int scale, const char *want)
{
	char schema[200], body[100];

	snprintf(schema, sizeof(schema), "{\"type\":\"bytes\",\"scale\":%d,\"precision\":9,\"logicalType\":\"decimal\"}", scale);
	body[0] = (char)(2 * len);
	memcpy(body + 1, bytes, len);
	shows(schema, body, len + 1, TR_AVRO_PRETTY, want);
}

START_TEST(decimals_are_shown_as_numbers)
{
	shows_decimal("\x04\x1a", 2, 2, "10.50");
	shows_decimal("\xff", 1, 2, "-0.01");
	shows_decimal("\x80", 1, 0, "-128");
	shows_decimal("\x00", 1, 3, "0.000");
	shows_decimal("", 0, 0, "0");
	shows_decimal("\x05", 1, -3, "5000");
	shows_decimal("\x00", 1, -3, "0");
	shows_decimal("\x80\x00\x00\x00", 4, 0, "-2147483648");
	shows_decimal("\x80\x00\x00\x00\x00", 5, 0, "-549755813888");
	shows_decimal("\x01\x00\x00\x00\x00\x00\x00\x00\x00", 9, 1, "1844674407370955161.6");
	shows_decimal("\x0d\xe0\xb6\xb3\xa7\x64\x00\x00", 8, 0, "1000000000000000000");
	shows_decimal("\x05", 1, 20000, "\"BQ==\"");
	shows("{\"type\":\"record\",\"name\":\"V\",\"connect.name\":\"io.debezium.data.VariableScaleDecimal\",\"fields\":["
	      "{\"name\":\"scale\",\"type\":\"int\"},{\"name\":\"value\",\"type\":\"bytes\"}]}",
	      "\x04\x04\x04\x1a", 4, TR_AVRO_PRETTY, "10.50");
	shows("{\"type\":\"record\",\"name\":\"V\",\"connect.name\":\"io.debezium.data.VariableScaleDecimal\",\"fields\":["
	      "{\"name\":\"scale\",\"type\":\"int\"},{\"name\":\"value\",\"type\":\"bytes\"}]}",
	      "\x04\x04\x04\x1a", 4, TR_AVRO_RAW, "{\"scale\":2,\"value\":\"BBo=\"}");
}
END_TEST

START_TEST(all_of_avro_is_read)
{
	shows("{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]}", "\x02", 1, TR_AVRO_RAW, "\"B\"");
	shows("{\"type\":\"fixed\",\"name\":\"F\",\"size\":2}", "ab", 2, TR_AVRO_RAW, "\"YWI=\"");
	/* a block with its size, then one without */
	shows("{\"type\":\"array\",\"items\":\"int\"}", "\x01\x02\x02\x02\x04\x00", 6, TR_AVRO_RAW, "[1,2]");
	shows("{\"type\":\"record\",\"name\":\"L\",\"namespace\":\"n\",\"fields\":[{\"name\":\"v\",\"type\":\"int\"},"
	      "{\"name\":\"next\",\"type\":[\"null\",\"L\"]}]}",
	      "\x02\x02\x04\x00", 4, TR_AVRO_RAW, "{\"v\":1,\"next\":{\"v\":2,\"next\":null}}");
}
END_TEST

static void refuses(const char *schema, const char *body, size_t len)
{
	tr_avro_decoder *d;
	tr_writer w;
	tr_err err = {0};

	tr_writer_init(&w, 100000);
	int result = tr_avro_decoder_new(&d, tr_slice_str(schema), &err);
	if (result == 0)
		result = tr_avro_decode(d, tr_slice_of(body, len), TR_AVRO_PRETTY, &w, &err);
	ck_assert_msg(result == -1 && err.code != TR_OK, "%s", schema);
	tr_avro_decoder_free(d);
	tr_writer_release(&w);
}

START_TEST(bad_schemas_and_bodies_are_errors)
{
	refuses("", "", 0);
	refuses("{", "", 0);
	refuses("7", "", 0);
	refuses("\"nothing\"", "", 0);
	refuses("{\"type\":\"record\",\"name\":\"R\"}", "", 0);
	refuses("{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\",\"type\":\"R\"}]}", "", 0);
	refuses("{\"type\":\"fixed\",\"name\":\"F\",\"size\":9000000000}", "abc", 3);
	refuses("{\"type\":\"array\",\"items\":\"null\"}", "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 11);
	refuses("{\"type\":\"array\",\"items\":\"null\"}", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00", 12);
	refuses("\"long\"", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
	refuses("\"int\"", "\xff\xff\xff\xff\xff\x01", 6);
	refuses("\"boolean\"", "\x02", 1);
	refuses("[\"null\"]", "\x02", 1);
	refuses("[\"null\"]", "\x01", 1);
	refuses("\"string\"", "\x01", 1);
	refuses("\"string\"", "\x08hi", 3);
	refuses("\"null\"", "x", 1);
}
END_TEST

/* Random bodies under random schemas, and schemas with random bytes changed: errors at most. */
START_TEST(random_damage_never_crashes)
{
	tr_writer schema, w;
	tr_err err = {0};
	int read = 0;

	tr_writer_init(&schema, 16 << 20);
	tr_writer_init(&w, 1 << 16);
	for (unsigned i = 0; i < 3000; i++) {
		rng r = {.state = i + 777};
		unsigned names = 0;
		tr_arena_init(a, 64 << 20);
		tr_writer_reset(&schema);
		ck_assert_int_eq(tr_avro_schema(rng_type(&r, a, 3, &names), &schema, &err), 0);
		for (int j = 0; j < 8; j++) {
			tr_avro_decoder *d;
			tr_slice body = rng_bytes(&r, a);
			if (j > 1)
				schema.data[rng_below(&r, (unsigned)schema.len)] = (uint8_t)"\"{}[],:a0\\"[rng_below(&r, 10)];
			if (tr_avro_decoder_new(&d, tr_writer_view(&schema), &err) != 0)
				continue;
			tr_writer_reset(&w);
			read += tr_avro_decode(d, body, j % 2 ? TR_AVRO_PRETTY : TR_AVRO_RAW, &w, &err) == 0;
			tr_avro_decoder_free(d);
		}
		tr_arena_release(a);
	}
	ck_assert_int_gt(read, 0);
	tr_writer_release(&schema);
	tr_writer_release(&w);
}
END_TEST

START_TEST(frames)
{
	tr_slice body;
	int32_t id;
	tr_err err = {0};

	ck_assert_int_eq(tr_avro_unframe(tr_slice_of("\0\0\0\1\2xyz", 8), &id, &body, &err), 0);
	ck_assert_int_eq(id, 258);
	ck_assert(tr_slice_eq(body, tr_slice_str("xyz")));
	ck_assert_int_eq(tr_avro_unframe(tr_slice_of("\0\0\0\1", 4), &id, &body, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_SHORT);
	ck_assert_int_eq(tr_avro_unframe(tr_slice_of("{\"a\":1}", 7), &id, &body, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_VALUE);
}
END_TEST

TEST_MAIN("avro decode", raw_is_what_json_would_write, times_are_shown_as_iso, decimals_are_shown_as_numbers,
          all_of_avro_is_read, bad_schemas_and_bodies_are_errors, random_damage_never_crashes, frames)
