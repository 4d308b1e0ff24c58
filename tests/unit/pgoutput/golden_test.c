/*
 * All types of the golden cases: schemas and values as Debezium 3.5 published them, from what a real server printed
 * (golden.jsonl; golden_data.py makes it, and says where our values are the true ones and not Debezium's).
 */
#include "tests/unit/pgoutput/fixture.h"

#include <stdio.h>

#include "decoders/pgoutput/message.h"

#define COLUMNS_MAX 64
#define LINE_BYTES (1 << 20)

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int64_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void load_labels(const json_t *row, tr_pg_type *type, tr_arena *arena)
{
	const json_t *labels = json_object_get(row, "labels");
	const char **texts = TR_ARENA_ARRAY(arena, const char *, json_array_size(labels));

	for (size_t i = 0; i < json_array_size(labels); i++)
		texts[i] = json_string_value(json_array_get(labels, i));
	type->labels = texts;
	type->label_count = json_array_size(labels);
}

static void load_types(const json_t *rows, catalogue *c, tr_arena *arena)
{
	for (size_t i = 0; i < json_array_size(rows); i++) {
		const json_t *row = json_array_get(rows, i);
		tr_pg_type *type = &c->types[c->count++];

		ck_assert_uint_lt(c->count, FIXTURE_TYPES_MAX);
		*type = (tr_pg_type){
			.oid = (uint32_t)number_of(row, "oid"),
			.name = text_of(row, "name"),
			.schema = text_of(row, "schema"),
			.typtype = *text_of(row, "typtype"),
			.category = *text_of(row, "category"),
			.delimiter = *text_of(row, "delimiter"),
			.element = (uint32_t)number_of(row, "element"),
			.base = (uint32_t)number_of(row, "base"),
			.base_typmod = (int32_t)number_of(row, "base_typmod"),
		};
		load_labels(row, type, arena);
	}
}

static tr_event_options load_options(const json_t *o)
{
	static const char *const decimals[] = {"precise", "double", "string"};
	static const char *const times[] = {"adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds",
	                                    "nanoseconds"};
	static const char *const binaries[] = {"bytes", "base64", "base64-url-safe", "hex"};
	tr_event_options out = fixture_options();
	const char *value;

	for (unsigned i = 0; (value = text_of(o, "decimal.handling.mode")) && i < 3; i++)
		if (strcmp(value, decimals[i]) == 0)
			out.decimal = (tr_decimal_mode)i;
	for (unsigned i = 0; (value = text_of(o, "time.precision.mode")) && i < 6; i++)
		if (strcmp(value, times[i]) == 0)
			out.time = (tr_time_mode)i;
	for (unsigned i = 0; (value = text_of(o, "binary.handling.mode")) && i < 4; i++)
		if (strcmp(value, binaries[i]) == 0)
			out.binary = (tr_binary_mode)i;
	out.interval = text_of(o, "interval.handling.mode") ? TR_INTERVAL_STRING : TR_INTERVAL_NUMERIC;
	out.hstore = text_of(o, "hstore.handling.mode") ? TR_HSTORE_MAP : TR_HSTORE_JSON;
	out.unknown_types = text_of(o, "include.unknown.datatypes") != NULL;
	return out;
}

typedef struct table {
	const char *where;
	size_t count;
	tr_column columns[COLUMNS_MAX];
	tr_arena arena, scratch;
} table;

static void resolve_table(table *t, const json_t *line)
{
	const json_t *columns = json_object_get(line, "columns"), *schema = json_object_get(line, "schema");
	tr_event_options options = load_options(json_object_get(line, "options"));
	catalogue *known = calloc(1, sizeof(*known));
	const tr_pg_type_lookup lookup = {.context = known, .find = catalogue_find};
	size_t published = 0;
	tr_err err = {0};

	load_types(json_object_get(line, "types"), known, &t->arena);
	t->count = json_array_size(columns);
	for (size_t i = 0; i < t->count; i++) {
		const json_t *row = json_array_get(columns, i);
		const json_t *want = json_object_get(schema, text_of(row, "name"));
		const tr_pg_column in = {.name = text_of(row, "name"),
		                         .type = (uint32_t)number_of(row, "type"),
		                         .typmod = (int32_t)number_of(row, "typmod"),
		                         .not_null = json_is_true(json_object_get(row, "not_null")),
		                         .default_expr = text_of(row, "default_expr")};

		if (tr_pg_resolve(&in, &lookup, &options, &t->arena, &t->columns[i], &err) != 0)
			ck_abort_msg("%s.%s: %s", t->where, in.name, err.text);
		ck_assert_msg((t->columns[i].type != NULL) == (want != NULL), "%s.%s: published or not", t->where, in.name);
		if (want)
			assert_json(type_json(t->columns[i].type), json_incref((json_t *)(uintptr_t)want), in.name);
		published += want != NULL;
	}
	ck_assert_uint_eq(published, json_object_size(schema));
	free(known);
}

static void check_row(table *t, const json_t *row)
{
	const char *copy = text_of(row, "copy");
	const json_t *expect = json_object_get(row, "expect");
	tr_datum data[COLUMNS_MAX];
	tr_err err = {0};

	tr_arena_reset(&t->scratch);
	ck_assert_int_eq(tr_pg_copy_text_row(tr_slice_str(copy), &t->scratch, data, t->count, &err), 0);
	for (size_t i = 0; i < t->count; i++) {
		const tr_column *c = &t->columns[i];
		tr_value value;
		char where[160];

		/* A null is the emitter's business. */
		if (!c->type || data[i].form == TR_D_NULL)
			continue;
		snprintf(where, sizeof(where), "%s.%s of row %.20s", t->where, c->name, copy);
		if (c->decode(c->decode_arg, data[i], &t->scratch, &value, &err) != 0)
			ck_abort_msg("%s: %s; %s", where, err.text, err.detail);
		assert_json(value_json(c->type, &value), json_incref(json_object_get(expect, c->name)), where);
	}
}

static size_t check_line(const json_t *line)
{
	const json_t *rows = json_object_get(line, "rows");
	char where[160];
	table *t = calloc(1, sizeof(*t));

	snprintf(where, sizeof(where), "%s: %s", text_of(line, "case"), text_of(line, "table"));
	t->where = where;
	tr_arena_init(&t->arena, (size_t)16 << 20);
	tr_arena_init(&t->scratch, (size_t)16 << 20);
	resolve_table(t, line);
	for (size_t i = 0; i < json_array_size(rows); i++)
		check_row(t, json_array_get(rows, i));
	tr_arena_release(&t->arena);
	tr_arena_release(&t->scratch);
	free(t);
	return json_array_size(rows);
}

START_TEST(golden_types)
{
	const char *root = getenv("TAILRACE_SOURCE_DIR");
	char path[512], *text = malloc(LINE_BYTES);
	size_t tables = 0, rows = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/unit/pgoutput/golden.jsonl", root ? root : ".");
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s", path);
	while (fgets(text, LINE_BYTES, file)) {
		json_t *line = json_loads(text, 0, NULL);

		ck_assert_ptr_nonnull(line);
		rows += check_line(line);
		tables++;
		json_decref(line);
	}
	fclose(file);
	free(text);
	ck_assert_uint_ge(tables, 38);
	ck_assert_uint_ge(rows, 170);
}
END_TEST

TEST_MAIN("pgoutput.golden", golden_types)
