/* The oracle: whatever the compiled plans write, avro-c reads back equal under the schema that was rendered. */
#include "events/avro/codec.h"

#include <avro.h>
#include <jansson.h>
#include <math.h>
#include <unistd.h>

#include "core/text.h"
#include "events/avro/encoder.h"
#include "events/avro/schema.h"
#include "events/json/json_text.h"
#include "tests/unit/events_avro/trees.h"

static tr_arena arena;
static tr_arena *a = &arena;

static void same(const tr_type *type, const tr_value *v, avro_value_t *got);

static void same_scalar(const tr_type *type, const tr_value *v, avro_value_t *got)
{
	int flag;
	int32_t i32;
	int64_t i64;
	float f;
	double d;
	const char *text;
	const void *bytes;
	size_t size;

	switch (type->kind) {
	case TR_BOOLEAN:
		ck_assert_int_eq(avro_value_get_boolean(got, &flag), 0);
		ck_assert_int_eq(flag, v->i);
		break;
	case TR_INT64:
		ck_assert_int_eq(avro_value_get_long(got, &i64), 0);
		ck_assert_int_eq(i64, v->i);
		break;
	case TR_FLOAT32:
		ck_assert_int_eq(avro_value_get_float(got, &f), 0);
		ck_assert((double)f == v->f);
		break;
	case TR_FLOAT64:
		ck_assert_int_eq(avro_value_get_double(got, &d), 0);
		ck_assert(memcmp(&d, &v->f, sizeof(d)) == 0);
		break;
	case TR_STRING:
		ck_assert_int_eq(avro_value_get_string(got, &text, &size), 0);
		ck_assert(tr_slice_eq(v->s, tr_slice_of(text, size - 1)));
		break;
	case TR_BYTES:
		ck_assert_int_eq(avro_value_get_bytes(got, &bytes, &size), 0);
		ck_assert(tr_slice_eq(v->s, tr_slice_of(bytes, size)));
		break;
	default:
		ck_assert_int_eq(avro_value_get_int(got, &i32), 0);
		ck_assert_int_eq(i32, v->i);
	}
}

static void same_map(const tr_type *type, const tr_value *v, avro_value_t *got)
{
	bool map = avro_value_get_type(got) == AVRO_MAP;
	size_t size;

	ck_assert_int_eq(avro_value_get_size(got, &size), 0);
	ck_assert_uint_eq(size, v->count / 2);
	for (size_t i = 0; i < size; i++) {
		avro_value_t entry, field;
		const char *key;
		ck_assert_int_eq(avro_value_get_by_index(got, i, &entry, &key), 0);
		if (map) {
			ck_assert(tr_slice_eq(v->list[2 * i].s, tr_slice_str(key)));
			same(type->item, &v->list[2 * i + 1], &entry);
			continue;
		}
		for (size_t j = 0; j < 2; j++) {
			ck_assert_int_eq(avro_value_get_by_index(&entry, j, &field, NULL), 0);
			same(j ? type->item : type->key, &v->list[2 * i + j], &field);
		}
	}
}

static void same_list(const tr_type *type, const tr_value *v, avro_value_t *got)
{
	size_t size;

	ck_assert_int_eq(avro_value_get_size(got, &size), 0);
	ck_assert_uint_eq(size, v->count);
	for (size_t i = 0; i < size; i++) {
		avro_value_t item;
		ck_assert_int_eq(avro_value_get_by_index(got, i, &item, NULL), 0);
		same(type->kind == TR_STRUCT ? type->fields[i].type : type->item, &v->list[i], &item);
	}
}

static void same(const tr_type *type, const tr_value *v, avro_value_t *got)
{
	avro_value_t branch;

	if (type->optional) {
		ck_assert_int_eq(avro_value_get_type(got), AVRO_UNION);
		ck_assert_int_eq(avro_value_get_current_branch(got, &branch), 0);
		if (v->kind == TR_V_NULL) {
			ck_assert_int_eq(avro_value_get_type(&branch), AVRO_NULL);
			return;
		}
		ck_assert_int_ne(avro_value_get_type(&branch), AVRO_NULL);
		got = &branch;
	}
	if (type->kind < TR_ARRAY)
		same_scalar(type, v, got);
	else if (type->kind == TR_MAP)
		same_map(type, v, got);
	else
		same_list(type, v, got);
}

static const char *text_of(tr_writer *w)
{
	tr_writer_u8(w, 0);
	w->len--;
	return (const char *)w->data;
}

static void oracle(const tr_type *type, const tr_value *values, size_t count)
{
	avro_schema_t schema;
	avro_value_t got;
	tr_writer text, bytes;
	tr_avro_plan *plan;
	tr_err err = {0};

	tr_writer_init(&text, 16 << 20);
	tr_writer_init(&bytes, 64 << 20);
	ck_assert_msg(tr_avro_schema(type, &text, &err) == 0, "%s", err.text);
	ck_assert_msg(avro_schema_from_json_length((const char *)text.data, text.len, &schema) == 0, "%s in %.2000s", avro_strerror(),
	              text_of(&text));
	ck_assert_msg(tr_avro_plan_new(&plan, type, &err) == 0, "%s", err.text);
	avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
	for (size_t i = 0; i < count; i++) {
		tr_writer_reset(&bytes);
		ck_assert_msg(tr_avro_plan_write(plan, &values[i], &bytes, &err) == 0, "%s: %s", err.text, err.detail);
		tr_writer_u8(&bytes, 0x55); /* never empty, and shows a reader that goes too far */
		avro_generic_value_new(iface, &got);
		avro_reader_t reader = avro_reader_memory((const char *)bytes.data, (int64_t)bytes.len);
		ck_assert_msg(avro_value_read(reader, &got) == 0, "%s in %.2000s", avro_strerror(), text_of(&text));
		same(type, &values[i], &got);
		char last;
		ck_assert_int_eq(avro_read(reader, &last, 1), 0);
		ck_assert_int_eq(last, 0x55);
		ck_assert_int_ne(avro_read(reader, &last, 1), 0);
		avro_reader_free(reader);
		avro_value_decref(&got);
	}
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
	tr_avro_plan_free(plan);
	tr_writer_release(&text);
	tr_writer_release(&bytes);
}

START_TEST(random_types_and_values_read_back_equal)
{
	for (unsigned i = 0; i < 1200; i++) {
		rng r = {.state = i};
		unsigned names = 0;
		tr_value values[4];
		tr_arena_init(a, 64 << 20);
		const tr_type *type = rng_type(&r, a, 4, &names);
		for (size_t j = 0; j < COUNT_OF(values); j++)
			values[j] = rng_value(&r, a, type);
		oracle(type, values, COUNT_OF(values));
		tr_arena_release(a);
	}
}
END_TEST

START_TEST(random_envelopes_read_back_equal)
{
	for (unsigned i = 0; i < 300; i++) {
		rng r = {.state = i + 1000000};
		unsigned names = 0;
		tr_field columns[12];
		tr_value values[4];
		tr_arena_init(a, 64 << 20);
		for (size_t j = 0; j < COUNT_OF(columns); j++)
			columns[j] = (tr_field){tr_arena_format(a, "c%zu", j), rng_type(&r, a, 2, &names)};
		const tr_type *type = envelope(a, "p.s.t", columns, COUNT_OF(columns));
		for (size_t j = 0; j < COUNT_OF(values); j++)
			values[j] = rng_value(&r, a, type);
		oracle(type, values, COUNT_OF(values));
		tr_arena_release(a);
	}
}
END_TEST

static void put_case(FILE *out, unsigned seed)
{
	rng r = {.state = seed};
	unsigned names = 0;
	tr_avro_plan *plan;
	tr_writer schema, body, line;
	tr_err err = {0};

	tr_arena_init(a, 64 << 20);
	tr_writer_init(&schema, 16 << 20);
	tr_writer_init(&body, 16 << 20);
	tr_writer_init(&line, 64 << 20);
	const tr_type *type = rng_type(&r, a, 4, &names);
	tr_value v = rng_value(&r, a, type);
	ck_assert_int_eq(tr_avro_schema(type, &line, &err), 0);
	tr_writer_u8(&line, '\t');
	ck_assert_int_eq(tr_avro_plan_new(&plan, type, &err), 0);
	ck_assert_int_eq(tr_avro_plan_write(plan, &v, &body, &err), 0);
	tr_text_base64(&line, tr_writer_view(&body));
	tr_writer_u8(&line, '\t');
	ck_assert_int_eq(tr_json_value(type, &v, &line, &err), 0);
	tr_writer_u8(&line, '\n');
	ck_assert(tr_writer_ok(&line));
	fwrite(line.data, 1, line.len, out);
	tr_avro_plan_free(plan);
	tr_writer_release(&schema);
	tr_writer_release(&body);
	tr_writer_release(&line);
	tr_arena_release(a);
}

/* A second reader that shares no code with the first. */
START_TEST(fastavro_reads_back_equal)
{
	char path[] = "/tmp/tr-codec-XXXXXX", command[1024];
	const char *dir = getenv("TAILRACE_SOURCE_DIR"), *python = getenv("TR_TEST_PYTHON");
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");

	ck_assert_ptr_nonnull(out);
	for (unsigned i = 0; i < 2000; i++)
		put_case(out, i + 5000);
	fclose(out);
	snprintf(command, sizeof(command), "'%s' '%s/tests/unit/events_avro/fastavro_read.py' %s", python ? python : "python3",
	         dir ? dir : ".", path);
	fflush(NULL);
	int status = system(command);
	unlink(path);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77 || WEXITSTATUS(status) == 127)
		printf("no fastavro (TR_TEST_PYTHON): not compared\n");
	else
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

START_TEST(known_bytes)
{
	tr_avro_plan *plan;
	tr_writer w;
	tr_err err = {0};

	tr_arena_init(a, 1 << 20);
	tr_writer_init(&w, 1000);
	tr_field f[] = {
	    {"a", opt(plain(a, TR_INT32))},
	    {"b", opt(dflt(a, plain(a, TR_INT32), tr_value_int(5)))},
	    {"c", plain(a, TR_STRING)},
	    {"d", tr_type_array(a, plain(a, TR_INT64))},
	    {"e", opt(dflt(a, plain(a, TR_INT32), tr_value_int(5)))},
	};
	tr_value items[] = {tr_value_int(-1), tr_value_int(64)};
	tr_value v[] = {tr_value_null(), tr_value_null(), tr_value_text("hi"), tr_value_list(items, 2), tr_value_int(5)};
	tr_value all = tr_value_list(v, 5);
	ck_assert_int_eq(tr_avro_plan_new(&plan, tr_type_struct(a, "R", 0, f, 5), &err), 0);
	ck_assert_int_eq(tr_avro_plan_write(plan, &all, &w, &err), 0);
	/* null branch 0; null is the second branch of a union with a default: a NULL stays NULL */
	static const uint8_t want[] = {0, 2, 4, 'h', 'i', 4, 1, 0x80, 1, 0, 0, 10};
	ck_assert_uint_eq(w.len, sizeof(want));
	ck_assert_mem_eq(w.data, want, sizeof(want));
	tr_avro_plan_free(plan);
	tr_writer_release(&w);
	tr_arena_release(a);
}
END_TEST

static void misfit(const tr_avro_plan *plan, const tr_value *v, const char *text, const char *detail)
{
	tr_writer w;
	tr_err err = {0};

	tr_writer_init(&w, 1000);
	tr_writer_text(&w, "before");
	ck_assert_int_eq(tr_avro_plan_write(plan, v, &w, &err), -1);
	ck_assert_int_eq(err.code, TR_E_ENCODE_VALUE);
	ck_assert_str_eq(err.text, text);
	ck_assert_str_eq(err.detail, detail);
	ck_assert_uint_eq(w.len, 6);
	tr_writer_release(&w);
}

START_TEST(misfits_name_the_field)
{
	tr_avro_plan *plan;
	tr_err err = {0};

	tr_arena_init(a, 1 << 20);
	tr_field inner[] = {{"n", plain(a, TR_INT16)}};
	tr_field f[] = {{"id", plain(a, TR_STRING)}, {"list", opt(tr_type_array(a, tr_type_struct(a, "I", 0, inner, 1)))}};
	tr_field envelope_fields[] = {{"after", tr_type_struct(a, "O", 0, f, 2)}};
	ck_assert_int_eq(tr_avro_plan_new(&plan, tr_type_struct(a, "E", 0, envelope_fields, 1), &err), 0);
	tr_value n = tr_value_int(32768), in = tr_value_list(&n, 1), list = tr_value_list(&in, 1);
	tr_value row[] = {tr_value_text("x"), list}, after = tr_value_list(row, 2), all = tr_value_list(&after, 1);
	misfit(plan, &all, "field \"after.list[].n\" does not fit its schema", "the value is not a 16-bit integer, or out of its range");
	n = tr_value_text("secret");
	misfit(plan, &all, "field \"after.list[].n\" does not fit its schema", "the value is not a 16-bit integer, or out of its range");
	n = tr_value_null();
	misfit(plan, &all, "field \"after.list[].n\" does not fit its schema", "it is a required 16-bit integer, but has no value");
	row[0] = tr_value_null();
	misfit(plan, &all, "field \"after.id\" does not fit its schema", "it is a required text, but has no value");
	after.count = 1;
	misfit(plan, &all, "field \"after\" does not fit its schema", "the struct has 2 fields, the value 1");
	all = tr_value_null();
	misfit(plan, &all, "field \"(the whole value)\" does not fit its schema", "it is a required struct, but has no value");
	tr_avro_plan_free(plan);
	tr_arena_release(a);
}
END_TEST

START_TEST(float_out_of_range_is_refused)
{
	tr_avro_plan *plan;
	tr_err err = {0};
	tr_value big = tr_value_float(1e39);

	tr_arena_init(a, 1 << 20);
	ck_assert_int_eq(tr_avro_plan_new(&plan, plain(a, TR_FLOAT32), &err), 0);
	misfit(plan, &big, "field \"(the whole value)\" does not fit its schema", "the value is not a 32-bit float, or out of its range");
	tr_avro_plan_free(plan);
	tr_arena_release(a);
}
END_TEST

START_TEST(too_small_a_writer_is_a_limit)
{
	tr_avro_plan *plan;
	tr_writer w;
	tr_err err = {0};
	tr_value v = tr_value_bytes("0123456789", 10);

	tr_arena_init(a, 1 << 20);
	tr_writer_init(&w, 8);
	ck_assert_int_eq(tr_avro_plan_new(&plan, plain(a, TR_BYTES), &err), 0);
	ck_assert_int_eq(tr_avro_plan_write(plan, &v, &w, &err), -1);
	ck_assert_int_eq(err.code, TR_E_BATCH_LIMIT);
	ck_assert_uint_eq(w.len, 0);
	tr_avro_plan_free(plan);
	tr_writer_release(&w);
	tr_arena_release(a);
}
END_TEST

/* Room is made for what has no maximum as it comes: one more byte than there is fails, wherever it comes in an event. */
START_TEST(every_limit_gives_the_event_or_nothing)
{
	tr_avro_plan *plan;
	tr_err err = {0};
	tr_writer whole, w;

	tr_arena_init(a, 1 << 20);
	tr_field f[] = {{"s", opt(plain(a, TR_STRING))}, {"list", tr_type_array(a, opt(plain(a, TR_INT64)))}, {"d", opt(plain(a, TR_FLOAT64))},
	                {"map", tr_type_map(a, plain(a, TR_STRING), plain(a, TR_STRING))}, {"n", plain(a, TR_INT64)}};
	ck_assert_int_eq(tr_avro_plan_new(&plan, tr_type_struct(a, "E", 0, f, 5), &err), 0);
	tr_value items[3] = {tr_value_int(INT64_MIN), tr_value_null(), tr_value_int(-1)};
	tr_value entries[4] = {tr_value_text("k"), tr_value_text("0123456789"), tr_value_text(""), tr_value_text("x")};
	tr_value fields[5] = {tr_value_text("0123456789012345678901234567890123456789"), tr_value_list(items, 3), tr_value_float(0.5),
	                      tr_value_list(entries, 4), tr_value_int(INT64_MAX)};
	tr_value all = tr_value_list(fields, 5);
	tr_writer_init(&whole, 1000);
	ck_assert_int_eq(tr_avro_plan_write(plan, &all, &whole, &err), 0);
	for (size_t max = 1, done = 0; !done; max++) {
		tr_writer_init(&w, max);
		done = tr_avro_plan_write(plan, &all, &w, &err) == 0;
		ck_assert(done ? tr_slice_eq(tr_writer_view(&w), tr_writer_view(&whole)) : w.len == 0 && err.code == TR_E_BATCH_LIMIT);
		ck_assert_uint_lt(max, 300);
		tr_writer_release(&w);
	}
	tr_writer_release(&whole);
	tr_avro_plan_free(plan);
	tr_arena_release(a);
}
END_TEST

START_TEST(encoded_fields_stand_for_themselves)
{
	const tr_codec *codec, *piece;
	tr_event_options options = {0};
	tr_encoder *e;
	tr_writer whole, run, w;
	tr_err err = {0};

	tr_arena_init(a, 1 << 20);
	tr_field f[] = {{"a", plain(a, TR_INT32)}, {"b", opt(plain(a, TR_STRING))}, {"c", plain(a, TR_INT64)}, {"d", plain(a, TR_STRING)}};
	const tr_type middle = {.kind = TR_STRUCT, .fields = f + 1, .field_count = 2};
	tr_value fields[] = {tr_value_int(5), tr_value_text("text"), tr_value_int(1 << 30), tr_value_text("end")};
	tr_value all = tr_value_list(fields, 4), list = tr_value_list(fields + 1, 2);
	tr_writer_init(&whole, 100), tr_writer_init(&run, 100), tr_writer_init(&w, 100);
	ck_assert_int_eq(tr_avro_encoder_ops.open(&e, &options, NULL, &err), 0);
	ck_assert_int_eq(tr_avro_encoder_ops.compile(e, "t", tr_type_struct(a, "E", 0, f, 4), NULL, &codec, &err), 0);
	ck_assert_int_eq(tr_avro_encoder_ops.piece(e, &middle, &piece, &err), 0);
	ck_assert_int_eq(codec->write(codec, &all, &whole, &err), 0);
	ck_assert_int_eq(piece->write(piece, &list, &run, &err), 0);
	fields[1] = tr_value_encoded(tr_writer_view(&run), 2);
	fields[2] = tr_value_text("not looked at");
	ck_assert_int_eq(codec->write(codec, &all, &w, &err), 0);
	ck_assert(tr_slice_eq(tr_writer_view(&w), tr_writer_view(&whole)));
	tr_avro_encoder_ops.free(e);
	tr_writer_release(&whole), tr_writer_release(&run), tr_writer_release(&w);
	tr_arena_release(a);
}
END_TEST

START_TEST(encoder_without_registry_writes_bare_bodies)
{
	const tr_codec *codec, *again, *other;
	tr_event_options options = {0};
	tr_encoder *e;
	tr_writer w;
	tr_err err = {0};
	tr_value v = tr_value_int(-1);

	tr_arena_init(a, 1 << 20);
	tr_writer_init(&w, 100);
	ck_assert_int_eq(tr_avro_encoder_ops.open(&e, &options, NULL, &err), 0);
	ck_assert_int_eq(tr_avro_encoder_ops.check(e, &err), 0);
	ck_assert_int_eq(tr_avro_encoder_ops.compile(e, "t-key", plain(a, TR_INT64), NULL, &codec, &err), 0);
	ck_assert_int_eq(tr_avro_encoder_ops.compile(e, "t-key", plain(a, TR_INT64), NULL, &again, &err), 0);
	ck_assert_int_eq(tr_avro_encoder_ops.compile(e, "u-key", plain(a, TR_INT64), NULL, &other, &err), 0);
	ck_assert_ptr_eq(codec, again);
	ck_assert_ptr_ne(codec, other);
	ck_assert_int_eq(codec->schema_id, 0);
	ck_assert_str_eq(codec->schema, "\"long\"");
	ck_assert_str_eq(codec->subject, "t-key");
	ck_assert_int_eq(codec->write(codec, &v, &w, &err), 0);
	ck_assert_uint_eq(w.len, 1);
	ck_assert_uint_eq(w.data[0], 1);
	ck_assert_int_eq(tr_avro_encoder_ops.compile(e, "bad", tr_type_struct(a, "a-b", 0, NULL, 0), NULL, &other, &err), -1);
	ck_assert_int_eq(err.code, TR_E_NAME_INVALID);
	tr_avro_encoder_ops.free(e);
	tr_writer_release(&w);
	tr_arena_release(a);
}
END_TEST

TEST_MAIN("avro codec", random_types_and_values_read_back_equal, random_envelopes_read_back_equal, fastavro_reads_back_equal, known_bytes,
          misfits_name_the_field, float_out_of_range_is_refused, too_small_a_writer_is_a_limit,
          every_limit_gives_the_event_or_nothing, encoded_fields_stand_for_themselves, encoder_without_registry_writes_bare_bodies)
