/* What becomes of a column: defaults, stand-ins, arrays, extensions, unknown types, and the driver's view of it. */
#include "tests/unit/pgoutput/fixture.h"

#include <stdio.h>

enum { MOOD = 20001, MOOD_ARRAY, PRICE, PRICE_ARRAY, PAIR, PAIR_ARRAY, HSTORE, HSTORE_ARRAY, GEOMETRY, GEOGRAPHY, VECTOR,
       HALFVEC, SPARSEVEC, LTREE, LTREE_ARRAY, ISBN, CUBE, CUBE_ARRAY, OTHER_MOOD, NESTED, BOXES, LOOP, MOOD_DOMAIN,
       FLOAT_RANGE, VECTOR_ARRAY };

static const char *const moods[] = {"sad", "ok", "very happy", "a, b"};
static const tr_pg_attribute pair_attributes[] = {{"a", 23, -1}, {"b c", 25, -1}, {"m", MOOD, -1}, {"n", 1231, -1}};
static const tr_pg_attribute clash_attributes[] = {{"a b", 23, -1}, {"a-b", 23, -1}};

#define BASE(oid, name, category) {oid, name, "public", NULL, 'b', category, ',', 0, 0, -1, NULL, 0, NULL, 0}
#define ARRAY(oid, name, element) {oid, name, "public", NULL, 'b', 'A', ',', element, 0, -1, NULL, 0, NULL, 0}
#define DOMAIN(oid, name, base, typmod) {oid, name, "public", NULL, 'd', 'S', ',', 0, base, typmod, NULL, 0, NULL, 0}

static catalogue *new_catalogue(void)
{
	static const tr_pg_type rows[] = {
		{MOOD, "mood", "public", NULL, 'e', 'E', ',', 0, 0, -1, moods, 4, NULL, 0},
		{OTHER_MOOD, "Mood", "inv", NULL, 'e', 'E', ',', 0, 0, -1, moods, 1, NULL, 0},
		ARRAY(MOOD_ARRAY, "_mood", MOOD), DOMAIN(PRICE, "price", 1700, (5 << 16 | 2) + 4), DOMAIN(NESTED, "nested", PRICE, -1),
		DOMAIN(LOOP, "loop", LOOP, -1), DOMAIN(MOOD_DOMAIN, "mood_domain", MOOD, -1),
		ARRAY(PRICE_ARRAY, "_price", PRICE),
		{PAIR, "pair", "public", NULL, 'c', 'C', ',', 0, 0, -1, NULL, 0, pair_attributes, 4},
		{CUBE, "cube", "public", "cube", 'b', 'U', ',', 0, 0, -1, NULL, 0, NULL, 0},
		ARRAY(PAIR_ARRAY, "_pair", PAIR), BASE(HSTORE, "hstore", 'U'), ARRAY(HSTORE_ARRAY, "_hstore", HSTORE),
		BASE(GEOMETRY, "geometry", 'U'), BASE(GEOGRAPHY, "geography", 'U'), BASE(VECTOR, "vector", 'U'),
		BASE(HALFVEC, "halfvec", 'U'), BASE(SPARSEVEC, "sparsevec", 'U'), BASE(LTREE, "ltree", 'U'),
		ARRAY(LTREE_ARRAY, "_ltree", LTREE), BASE(ISBN, "isbn", 'U'), ARRAY(CUBE_ARRAY, "_cube", CUBE),
		{BOXES, "_box", "pg_catalog", NULL, 'b', 'A', ';', 603, 0, -1, NULL, 0, NULL, 0},
		{FLOAT_RANGE, "floatrange", "public", NULL, 'r', 'R', ',', 0, 0, -1, NULL, 0, NULL, 0},
		ARRAY(VECTOR_ARRAY, "_vector", VECTOR),
		/* built-in arrays */
		ARRAY(1007, "_int4", 23), ARRAY(1009, "_text", 25), ARRAY(1231, "_numeric", 1700), ARRAY(791, "_money", 790),
		ARRAY(1187, "_interval", 1186), ARRAY(143, "_xml", 142), ARRAY(1003, "_name", 19), ARRAY(1563, "_varbit", 1562),
		ARRAY(1561, "_bit", 1560), ARRAY(1017, "_point", 600), ARRAY(2951, "_uuid", 2950), ARRAY(1001, "_bytea", 17),
		ARRAY(1016, "_int8", 20), ARRAY(1021, "_float4", 700), ARRAY(1000, "_bool", 16), ARRAY(1182, "_date", 1082),
		ARRAY(3221, "_pg_lsn", 3220), ARRAY(1015, "_varchar", 1043), ARRAY(3643, "_tsvector", 3614), ARRAY(719, "_circle", 718),
		BASE(3220, "pg_lsn", 'U'), BASE(2205, "regclass", 'N'),
	};
	catalogue *c = calloc(1, sizeof(*c));

	memcpy(c->types, rows, sizeof(rows));
	c->count = sizeof(rows) / sizeof(rows[0]);
	return c;
}

static void resolve_type(probe *p, uint32_t type, int32_t typmod, const tr_event_options *options)
{
	const tr_pg_column in = {.name = "c", .type = type, .typmod = typmod};
	catalogue *known = new_catalogue();

	resolve_in(p, &in, options, known);
	free(known); /* nothing of it may be kept */
}

static void expect_type(uint32_t type, int32_t typmod, const tr_event_options *options, const char *json)
{
	probe p;

	resolve_type(&p, type, typmod, options);
	if (!json)
		ck_assert_msg(p.column.type == NULL, "type %u is published", type);
	else
		assert_json(type_json(p.column.type), json_loads(json, 0, NULL), json);
	probe_release(&p);
}

static void expect_value(uint32_t type, int32_t typmod, const tr_event_options *options, const char *text, const char *json)
{
	probe p;

	resolve_type(&p, type, typmod, options);
	ck_assert_ptr_nonnull(p.column.type);
	expect_text(&p, text, json);
	probe_release(&p);
}

/* json NULL: no default. */
static void expect_default(uint32_t type, int32_t typmod, const char *expr, const char *json)
{
	const tr_pg_column in = {.name = "c", .type = type, .typmod = typmod, .default_expr = expr};
	tr_event_options options = fixture_options();
	catalogue *known = new_catalogue();
	probe p;

	resolve_in(&p, &in, &options, known);
	free(known);
	if (!json)
		ck_assert_msg(p.column.type->default_value == NULL, "%s is a default", expr);
	else if (!p.column.type->default_value)
		ck_abort_msg("%s is no default", expr);
	else
		assert_json(value_json(p.column.type, p.column.type->default_value), json_loads(json, JSON_DECODE_ANY, NULL), expr);
	probe_release(&p);
}

START_TEST(defaults_of_numbers)
{
	expect_default(23, -1, "42", "42");
	expect_default(21, -1, "'-7'::integer", "-7");
	expect_default(20, -1, "'9007199254740993'::bigint", "9007199254740993");
	expect_default(23, -1, "nextval('t_s4_seq'::regclass)", "0");
	expect_default(23, -1, "(1 + 2)", NULL);
	expect_default(23, -1, "((random() * (10)::double precision))::integer", NULL);
	expect_default(23, -1, "(floor(random()))::integer", "0");
	expect_default(23, -1, "public.my_func(1, 2)", "0");
	expect_default(23, -1, "NULL::integer", NULL);
	expect_default(701, -1, "1.5", "1.5");
	expect_default(701, -1, "'-2.25'::numeric", "-2.25");
	expect_default(700, -1, "random()", "0.0");
	expect_default(1700, (8 << 16 | 3) + 4, "12.340", "{\"$bytes\":\"3034\"}");
	expect_default(1700, (8 << 16 | 3) + 4, "12.3405", NULL);
	expect_default(1700, -1, "3.14159", NULL);
	expect_default(16, -1, "true", "true");
	expect_default(16, -1, "(1 = 1)", "false");
	expect_default(16, -1, "is_it()", "false");
	expect_default(790, -1, "9.95", NULL);
	expect_default(26, -1, "1", NULL);
	expect_default(PRICE, -1, "1.5", NULL);
}
END_TEST

START_TEST(defaults_of_texts)
{
	expect_default(1043, -1, "'plain'::character varying", "\"plain\"");
	expect_default(1043, -1, "'it''s'::character varying", "\"it\"");
	expect_default(25, -1, "E'one\\n two'::text", "\"one\\\\n two\"");
	expect_default(25, -1, "'one\ntwo'::text", NULL);
	expect_default(25, -1, "'one\ntwo' || 'three'::text", "\" || \"");
	expect_default(25, -1, "CURRENT_USER", "\"CURRENT_USER\"");
	expect_default(25, -1, "upper('x'::text)", "\"\"");
	expect_default(25, -1, "('a'::text || 'b'::text)", "\"a\"");
	expect_default(25, -1, "NULL::text", NULL);
	expect_default(1042, 9, "'ab'::bpchar", "\"ab\"");
	expect_default(19, -1, "'n'::name", NULL);
	expect_default(17, -1, "'\\\\x00'::bytea", NULL);
	expect_default(114, -1, "'{\"a\": [1, 2]}'::json", "\"{\\\"a\\\": [1, 2]}\"");
	expect_default(3802, -1, "jsonb_build_object()", "\"{}\"");
	expect_default(2950, -1, "gen_random_uuid()", "\"00000000-0000-0000-0000-000000000000\"");
	expect_default(1560, 5, "B'10110'::\"bit\"", "{\"$bytes\":\"16\"}");
	expect_default(1560, 1, "B'1'::\"bit\"", "true");
	expect_default(869, -1, "'10.0.0.1'::inet", NULL);
	expect_default(1007, -1, "'{1,2}'::integer[]", NULL);
	expect_default(HSTORE, -1, "'\"a\"=>\"1\"'::hstore", NULL);
}
END_TEST

START_TEST(defaults_of_enums)
{
	expect_default(MOOD, -1, "'ok'::mood", "\"ok\"");
	expect_default(MOOD, -1, "'ok'::public.mood", "\"ok\"");
	expect_default(MOOD, -1, "pick()", NULL);
	expect_default(OTHER_MOOD, -1, "'sad'::inv.\"Mood\"", NULL);
	expect_default(MOOD_DOMAIN, -1, "'ok'::mood", NULL);
}
END_TEST

START_TEST(defaults_of_times)
{
	expect_default(1082, -1, "'2020-02-29'::date", "18321");
	expect_default(1082, -1, "CURRENT_DATE", "0");
	expect_default(1083, 3, "'01:02:03.004'::time without time zone", "3723004");
	expect_default(1114, -1, "now()", "0");
	expect_default(1114, -1, "CURRENT_TIMESTAMP", "0");
	expect_default(1114, -1, "'2020-02-29'::date", "1582934400000000");
	expect_default(1184, -1, " now() ", "\"1970-01-01T00:00:00.000000Z\"");
	expect_default(1184, 3, "'2021-03-04 02:06:07.089+00'::timestamp with time zone", "\"2021-03-04T02:06:07.089Z\"");
	expect_default(1184, -1, "(now() - '1 day'::interval)", "\"1970-01-01T00:00:00.000000Z\"");
	expect_default(1184, -1, "('now'::text)::timestamp with time zone", NULL);
	expect_default(1266, -1, "'08:00:00+02'::time with time zone", NULL);
	expect_default(1186, -1, "'1 day 02:03:04'::interval", "93784000000");
	expect_default(1186, -1, "age(now())", "0");
}
END_TEST

START_TEST(an_infinite_instant_is_no_default)
{
	expect_default(1184, -1, "'infinity'::timestamp with time zone", NULL);
	expect_default(1184, -1, "'-infinity'::timestamp with time zone", NULL);
}
END_TEST

START_TEST(defaults_without_an_expression)
{
	tr_pg_column in = {.name = "c", .type = 1043, .typmod = -1, .default_text = "it's"};
	tr_event_options options = fixture_options();
	probe p;

	resolve_in(&p, &in, &options, NULL);
	assert_json(value_json(p.column.type, p.column.type->default_value), json_string("it's"), "text");
	probe_release(&p);
	in = (tr_pg_column){.name = "c", .type = 23, .typmod = -1, .default_volatile = true};
	resolve_in(&p, &in, &options, NULL);
	assert_json(value_json(p.column.type, p.column.type->default_value), json_integer(0), "volatile");
	probe_release(&p);
}
END_TEST

/* Both stand-ins of a column, as JSON. */
static void expect_stand_ins(uint32_t type, int32_t typmod, bool not_null, const tr_event_options *options,
                             const char *unavailable, const char *absent)
{
	const tr_pg_column in = {.name = "c", .type = type, .typmod = typmod, .not_null = not_null};
	catalogue *known = new_catalogue();
	char where[32];
	probe p;

	resolve_in(&p, &in, options, known);
	free(known);
	snprintf(where, sizeof(where), "type %u", type);
	assert_json(value_json(p.column.type, &p.column.unavailable), json_loads(unavailable, JSON_DECODE_ANY, NULL), where);
	assert_json(value_json(p.column.type, &p.column.absent), json_loads(absent, JSON_DECODE_ANY, NULL), where);
	probe_release(&p);
}

START_TEST(placeholders_of_unchanged_values)
{
	tr_event_options options = fixture_options();

	options.unavailable = "uv";
	expect_stand_ins(25, -1, false, &options, "\"uv\"", "null");
	expect_stand_ins(3802, -1, false, &options, "\"uv\"", "null");
	expect_stand_ins(17, -1, false, &options, "{\"$bytes\":\"7576\"}", "null");
	expect_stand_ins(1009, -1, false, &options, "[\"uv\"]", "null");
	expect_stand_ins(1001, -1, false, &options, "[{\"$bytes\":\"7576\"}]", "null");
	expect_stand_ins(1007, -1, false, &options, "[117,118]", "null");
	expect_stand_ins(1016, -1, false, &options, "[117,118]", "null");
	expect_stand_ins(1021, -1, false, &options, "[117.0,118.0]", "null");
	expect_stand_ins(1182, -1, false, &options, "[117,118]", "null");
	expect_stand_ins(1000, -1, false, &options, "null", "null");
	expect_stand_ins(HSTORE, -1, false, &options, "\"{\\\"uv\\\":\\\"uv\\\"}\"", "null");
	expect_stand_ins(1700, -1, false, &options, "{\"scale\":0,\"value\":{\"$bytes\":\"7576\"}}", "null");
	expect_stand_ins(GEOMETRY, -1, false, &options, "{\"wkb\":{\"$bytes\":\"7576\"},\"srid\":null}", "null");
	expect_stand_ins(VECTOR, -1, false, &options, "[117.0,118.0]", "null");
	expect_stand_ins(23, -1, true, &options, "0", "0");
	options.hstore = TR_HSTORE_MAP;
	expect_stand_ins(HSTORE, -1, false, &options, "{\"uv\":\"uv\"}", "null");
	/* the UUID that Java names after the placeholder's bytes */
	options.unavailable = "__debezium_unavailable_value";
	expect_stand_ins(2951, -1, false, &options, "[\"b68a35a7-17ad-35b3-af2a-ae46edb4545a\"]", "null");
}
END_TEST

START_TEST(zero_values_of_required_columns)
{
	tr_event_options options = fixture_options();

	options.unavailable = "u";
	expect_stand_ins(25, -1, true, &options, "\"u\"", "\"\"");
	expect_stand_ins(16, -1, true, &options, "false", "false");
	expect_stand_ins(1700, (5 << 16 | 2) + 4, true, &options, "{\"$bytes\":\"75\"}", "{\"$bytes\":\"00\"}");
	expect_stand_ins(1700, -1, true, &options, "{\"scale\":0,\"value\":{\"$bytes\":\"75\"}}", "{\"scale\":0,\"value\":{\"$bytes\":\"00\"}}");
	expect_stand_ins(1184, 0, true, &options, "\"u\"", "\"1970-01-01T00:00:00Z\"");
	expect_stand_ins(1184, 3, true, &options, "\"u\"", "\"1970-01-01T00:00:00Z\"");
	expect_stand_ins(1266, -1, true, &options, "\"u\"", "\"00:00:00Z\"");
	expect_stand_ins(1114, -1, true, &options, "0", "0");
	expect_stand_ins(1007, -1, true, &options, "[117]", "[]");
	expect_stand_ins(HSTORE, -1, true, &options, "\"{\\\"u\\\":\\\"u\\\"}\"", "\"{}\"");
	expect_stand_ins(SPARSEVEC, -1, true, &options, "{\"dimensions\":0,\"vector\":[]}", "{\"dimensions\":0,\"vector\":[]}");
	expect_stand_ins(GEOGRAPHY, -1, true, &options, "{\"wkb\":{\"$bytes\":\"75\"},\"srid\":null}",
	                 "{\"wkb\":{\"$bytes\":\"010700000000000000\"},\"srid\":null}");
	/* geometry is optional whatever the column says */
	expect_stand_ins(GEOMETRY, -1, true, &options, "{\"wkb\":{\"$bytes\":\"75\"},\"srid\":null}", "null");
	options.time = TR_TIME_ISOSTRING;
	expect_stand_ins(1082, -1, true, &options, "\"u\"", "\"1970-01-01Z\"");
	expect_stand_ins(1083, -1, true, &options, "\"u\"", "\"00:00:00Z\"");
	expect_stand_ins(1114, -1, true, &options, "\"u\"", "\"1970-01-01T00:00:00Z\"");
	options.decimal = TR_DECIMAL_STRING;
	expect_stand_ins(1700, (5 << 16 | 2) + 4, true, &options, "\"u\"", "\"0.00\"");
	expect_stand_ins(790, -1, true, &options, "\"u\"", "\"0.00\"");
}
END_TEST

START_TEST(absent_is_the_default_where_it_is_meant)
{
	tr_pg_column in = {.name = "c", .type = 23, .typmod = -1, .default_expr = "7"};
	tr_event_options options = fixture_options();
	probe p;

	resolve_in(&p, &in, &options, NULL);
	ck_assert_int_eq(p.column.absent.kind, TR_V_NULL);
	probe_release(&p);
	options.null_as_default = true;
	resolve_in(&p, &in, &options, NULL);
	ck_assert_int_eq(p.column.absent.i, 7);
	probe_release(&p);
	in.not_null = true;
	options.null_as_default = false;
	resolve_in(&p, &in, &options, NULL);
	ck_assert_int_eq(p.column.absent.i, 7);
	probe_release(&p);
}
END_TEST

START_TEST(domains_are_their_base)
{
	tr_event_options options = fixture_options();
	const tr_pg_column loop = {.name = "c", .type = LOOP, .typmod = -1};
	catalogue *known = new_catalogue();
	const tr_pg_type_lookup lookup = {.context = known, .find = catalogue_find};
	tr_err err = {0};
	tr_column column;
	tr_arena arena;

	expect_value(NESTED, -1, &options, "1.50", "{\"$bytes\":\"0096\"}");
	expect_type(MOOD_DOMAIN, -1, &options, "{\"kind\":\"STRING\",\"optional\":true,\"name\":\"io.debezium.data.Enum\",\"version\":1,"
	                                       "\"params\":{\"allowed\":\"sad,ok,very happy,a, b\"}}");
	tr_arena_init(&arena, 1 << 20);
	ck_assert_int_eq(tr_pg_resolve(&loop, &lookup, &options, &arena, &column, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_PROTOCOL);
	tr_arena_release(&arena);
	free(known);
}
END_TEST

START_TEST(arrays)
{
	tr_event_options options = fixture_options();

	expect_value(1007, -1, &options, "{1,NULL,-3}", "[1,null,-3]");
	expect_value(1007, -1, &options, "[5:6]={50,60}", "[50,60]");
	expect_value(1007, -1, &options, "{{1,2},{3,NULL}}", "[1,2,3,null]");
	expect_value(1007, -1, &options, "{{{1},{2}}}", "[1,2]");
	expect_value(1007, -1, &options, "{}", "[]");
	expect_value(1009, -1, &options, "{{a,b},{c,NULL}}", "[\"{a,b}\",\"{c,NULL}\"]");
	expect_value(1009, -1, &options, "[0:0][1:1]={{\"x}\\\"\"}}", "[\"{\\\"x}\\\\\\\"\\\"}\"]");
	expect_value(1009, -1, &options, "{a,\"\",NULL,\"NULL\",\"with \\\"quote\\\"\",\"c,d\",\"b\\\\s\",\"{x}\",null}",
	             "[\"a\",\"\",null,\"NULL\",\"with \\\"quote\\\"\",\"c,d\",\"b\\\\s\",\"{x}\",\"null\"]");
	static const char *const bad[] = {"", "1", "{", "}", "{1", "{1,}", "{,1}", "{1}}", "{{1}", "{1}x", "{\"a}", "{a\"b\"}", "{\"a\"b}",
	                                  "[1:2", "[1:2]=", "{1,,2}", "{{{{{{{1}}}}}}}", "{\"a\\", "{a{b}}", "{}{}"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_value(1009, -1, &options, bad[i], NULL);
	expect_value(1007, -1, &options, "{1,x}", NULL);
	expect_value(1231, (6 << 16 | 1) + 4, &options, "{1.5,NULL,NaN}", "[{\"$bytes\":\"0f\"},null,null]");
	expect_value(LTREE_ARRAY, -1, &options, "{a.b,NULL}", "[\"a.b\",null]");
	expect_value(HSTORE_ARRAY, -1, &options, "{\"\\\"a\\\"=>\\\"1\\\"\",NULL}", "[\"{\\\"a\\\":\\\"1\\\"}\",null]");
	/* elements that may not be null, so that the whole is null */
	expect_value(MOOD_ARRAY, -1, &options, "{sad,\"very happy\"}", "[\"sad\",\"very happy\"]");
	expect_value(MOOD_ARRAY, -1, &options, "{sad,NULL}", "null");
	expect_type(VECTOR_ARRAY, -1, &options, "{\"kind\":\"ARRAY\",\"optional\":true,\"item\":{\"kind\":\"ARRAY\",\"optional\":false,"
	            "\"name\":\"io.debezium.data.DoubleVector\",\"version\":1,\"item\":{\"kind\":\"FLOAT64\",\"optional\":false}}}");
	expect_value(1561, 5, &options, "{10101}", "null");
}
END_TEST

START_TEST(a_required_array_keeps_its_nulls_or_stops)
{
	const tr_pg_column in = {.name = "c", .type = MOOD_ARRAY, .typmod = -1, .not_null = true};
	tr_event_options options = fixture_options();
	catalogue *known = new_catalogue();
	probe p;

	resolve_in(&p, &in, &options, known);
	expect_text(&p, "{sad,NULL}", NULL);
	probe_release(&p);
	free(known);
}
END_TEST

START_TEST(hstore_order_and_escapes)
{
	tr_event_options options = fixture_options();

	/* the order of Java's HashMap, not of the text: hash of 1..17 grows past one table of sixteen */
	expect_value(HSTORE, -1, &options, "\"b\"=>\"1\", \"a\"=>NULL", "\"{\\\"a\\\":null,\\\"b\\\":\\\"1\\\"}\"");
	expect_value(HSTORE, -1, &options, "\"\xc4\x8d\"=>\"\xc5\xbe\", \"q\\\"uote\"=>\"back\\\\slash\"",
	             "\"{\\\"q\\\\\\\"uote\\\":\\\"back\\\\\\\\slash\\\",\\\"\xc4\x8d\\\":\\\"\xc5\xbe\\\"}\"");
	expect_value(HSTORE, -1, &options, "\"k\"=>\"\x01\t\x1f\x7f\"", "\"{\\\"k\\\":\\\"\\\\u0001\\\\t\\\\u001F\x7f\\\"}\"");
	expect_value(HSTORE, -1, &options, "", "\"{}\"");
	expect_value(HSTORE, -1, &options, "\"\xf0\x9f\x98\x80\"=>\"\"", "\"{\\\"\xf0\x9f\x98\x80\\\":\\\"\\\"}\"");
	static const char *const bad[] = {"a", "\"a\"", "\"a\"=>", "\"a\"=>\"b", "\"a\"=>\"b\",", "\"a\"=>\"b\" \"c\"=>\"d\"",
	                                  "\"a\"=>NUL", "\"a\\", "\"\xff\"=>\"b\""};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_value(HSTORE, -1, &options, bad[i], NULL);
}
END_TEST

START_TEST(extensions)
{
	tr_event_options options = fixture_options();

	expect_value(VECTOR, -1, &options, "[1,2.5,-3]", "[1.0,2.5,-3.0]");
	expect_value(VECTOR, -1, &options, "[]", NULL);
	expect_value(VECTOR, -1, &options, "1,2", NULL);
	expect_value(VECTOR, -1, &options, "[1,]", NULL);
	expect_value(HALFVEC, -1, &options, "[0.1]", "[0.10000000149011612]");
	expect_value(SPARSEVEC, -1, &options, "{1:1,3:2.5}/5",
	             "{\"dimensions\":5,\"vector\":[{\"key\":1,\"value\":1.0},{\"key\":3,\"value\":2.5}]}");
	/* 1, 2 and 4 in a map that starts with four places: 4 comes first */
	expect_value(SPARSEVEC, -1, &options, "{1:1,2:1,4:1}/9",
	             "{\"dimensions\":9,\"vector\":[{\"key\":4,\"value\":1.0},{\"key\":1,\"value\":1.0},{\"key\":2,\"value\":1.0}]}");
	static const char *const bad[] = {"", "{}", "/5", "{1}/5", "{1:}/5", "{:1}/5", "{1:1}/", "{1:1}/99999", "{99999:1}/5", "{1:1/5", "{x:1}/5"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_value(SPARSEVEC, -1, &options, bad[i], NULL);
	expect_value(GEOMETRY, -1, &options, "0101000020E6100000000000000000F03F0000000000000040",
	             "{\"wkb\":{\"$bytes\":\"0101000020e6100000000000000000f03f0000000000000040\"},\"srid\":4326}");
	/* big-endian, without a SRID */
	expect_value(GEOMETRY, -1, &options, "00000000013FF00000000000004000000000000000",
	             "{\"wkb\":{\"$bytes\":\"00000000013ff00000000000004000000000000000\"},\"srid\":null}");
	static const char *const wrong[] = {"", "01", "0101000020E610", "0201000000", "01010000zz", "010100000"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_value(GEOMETRY, -1, &options, wrong[i], NULL);
	expect_type(ISBN, -1, &options, "{\"kind\":\"STRING\",\"optional\":true}");
}
END_TEST

START_TEST(dropped_types)
{
	static const uint32_t types[] = {3220, 2205, 601, 602, 603, 604, 628, 718, 1790, PAIR, CUBE, FLOAT_RANGE, 791, 1187, 143, 1003,
	                                 1563, 1017, PRICE_ARRAY, PAIR_ARRAY, CUBE_ARRAY, 3221, 719, BOXES, 99999};
	tr_event_options options = fixture_options();

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		expect_type(types[i], -1, &options, NULL);
}
END_TEST

START_TEST(unknown_types_as_bytes)
{
	tr_event_options options = fixture_options();

	options.unknown_types = true;
	expect_type(3220, -1, &options, "{\"kind\":\"BYTES\",\"optional\":true}");
	expect_value(3220, -1, &options, "0/1", "{\"$bytes\":\"302f31\"}");
	expect_type(791, -1, &options, NULL);
	expect_type(3221, -1, &options, "{\"kind\":\"ARRAY\",\"optional\":true,\"item\":{\"kind\":\"BYTES\",\"optional\":false}}");
	expect_value(PRICE_ARRAY, -1, &options, "{1.5}", "[{\"$bytes\":\"312e35\"}]");
	options.binary = TR_BINARY_HEX;
	expect_value(3220, -1, &options, "0/1", "\"302f31\"");
}
END_TEST

/* Geometric values are shown as Java prints their numbers, because the driver's objects do. */
START_TEST(unknown_shapes_in_javas_dress)
{
	static const struct { const char *text, *java; } shapes[] = {
		{"<(1,2),3>", "<(1.0,2.0),3.0>"}, {"{1,-1,0}", "{1.0,-1.0,0.0}"}, {"((0,0),(1e300,-1e-300))", "((0.0,0.0),(1.0E300,-1.0E-300))"},
		{"[(123456.789,0.001),(9999999,10000000)]", "[(123456.789,0.001),(9999999.0,1.0E7)]"},
		{"(0.0001,12345678.5),(-0,100)", "(1.0E-4,1.23456785E7),(-0.0,100.0)"}, {"<(NaN,Infinity),-Infinity>", "<(NaN,Infinity),-Infinity>"},
		{"{1.5e+10,1e-07,0.5}", "{1.5E10,1.0E-7,0.5}"},
	};
	tr_event_options options = fixture_options();

	options.unknown_types = true;
	options.binary = TR_BINARY_HEX;
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		char hex[200] = "\"";

		for (size_t j = 0; j <= strlen(shapes[i].java); j++)
			snprintf(hex + 1 + 2 * j, 4, j < strlen(shapes[i].java) ? "%02x" : "\"", shapes[i].java[j]);
		expect_value(718, -1, &options, shapes[i].text, hex);
	}
	expect_value(718, -1, &options, "<(a,1),2>", NULL);
	expect_value(718, -1, &options, "<(1e,1),2x>", NULL);
}
END_TEST

START_TEST(carried_types)
{
	tr_event_options options = fixture_options();

	options.carry_all_types = true;
	expect_value(3220, -1, &options, "0/1", "\"0/1\"");
	expect_value(99999, -1, &options, "x", "\"x\"");
	expect_value(791, -1, &options, "{$1.50,NULL}", "[{\"$bytes\":\"0096\"},null]");
	expect_value(1187, -1, &options, "{\"1 day\",-02:00:00}", "[86400000000,-7200000000]");
	expect_value(143, -1, &options, "{<a/>}", "[\"<a/>\"]");
	expect_value(1003, -1, &options, "{abc,NULL}", "[\"abc\",null]");
	expect_value(1563, -1, &options, "{1,0011}", "[{\"$bytes\":\"01\"},{\"$bytes\":\"03\"}]");
	expect_value(1561, 5, &options, "{10101,NULL}", "[{\"$bytes\":\"15\"},null]");
	expect_value(1017, -1, &options, "{\"(1,2)\"}", "[{\"x\":1.0,\"y\":2.0,\"wkb\":{\"$bytes\":\"0101000000000000000000f03f0000000000000040\"},\"srid\":null}]");
	expect_value(MOOD_ARRAY, -1, &options, "{sad,NULL}", "[\"sad\",null]");
	expect_value(PRICE_ARRAY, -1, &options, "{1.50,NULL}", "[{\"$bytes\":\"0096\"},null]");
	expect_value(718, -1, &options, "<(1,2),3>",
	             "{\"center\":{\"x\":1.0,\"y\":2.0,\"wkb\":{\"$bytes\":\"0101000000000000000000f03f0000000000000040\"},\"srid\":null},\"radius\":3.0}");
	expect_value(628, -1, &options, "{1,-1,0}", "{\"a\":1.0,\"b\":-1.0,\"c\":0.0}");
	expect_value(601, -1, &options, "[(0,0),(1,0)]",
	             "{\"wkb\":{\"$bytes\":\"01020000000200000000000000000000000000000000000000000000000000f03f0000000000000000\"},\"srid\":null}");
	expect_value(601, -1, &options, "[(0,0)]", NULL);
	expect_value(604, -1, &options, "((1,0))",
	             "{\"wkb\":{\"$bytes\":\"01030000000100000002000000000000000000f03f0000000000000000000000000000f03f0000000000000000\"},\"srid\":null}");
}
END_TEST

START_TEST(box_arrays_use_their_delimiter)
{
	tr_event_options options = fixture_options();
	tr_value value;
	probe p;

	options.carry_all_types = true;
	resolve_type(&p, BOXES, -1, &options);
	ck_assert_int_eq(decode_as(&p, "{(1,1),(0,0);(2,2),(0,0)}", 25, TR_D_TEXT, &value), 0);
	ck_assert_uint_eq(value.count, 2);
	ck_assert_uint_eq(value.list[0].list[0].s.len, 13 + 5 * 16);
	probe_release(&p);
}
END_TEST

START_TEST(composites)
{
	tr_event_options options = fixture_options();
	static const char *const bad[] = {"", "(", "(1", "(1,2)", "(1,,,,)", "(1,,,)x", "(1,\"a,,)", "(x,,,)", "1,2,,"};

	options.carry_all_types = true;
	expect_value(PAIR, -1, &options, "(1,\"x \"\"y\"\" \\\\ z\",ok,\"{1.5,NULL}\")",
	             "{\"a\":1,\"b_c\":\"x \\\"y\\\" \\\\ z\",\"m\":\"ok\",\"n\":[{\"scale\":1,\"value\":{\"$bytes\":\"0f\"}},null]}");
	expect_value(PAIR, -1, &options, "(,\"\",,)", "{\"a\":null,\"b_c\":\"\",\"m\":null,\"n\":null}");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_value(PAIR, -1, &options, bad[i], NULL);
	expect_value(PAIR_ARRAY, -1, &options, "{\"(1,,,)\",NULL}", "[{\"a\":1,\"b_c\":null,\"m\":null,\"n\":null},null]");
}
END_TEST

START_TEST(attributes_that_become_equal_are_refused)
{
	const tr_pg_column in = {.name = "c", .type = 1, .typmod = -1};
	tr_event_options options = fixture_options();
	catalogue known = {.count = 1};
	const tr_pg_type_lookup lookup = {.context = &known, .find = catalogue_find};
	tr_err err = {0};
	tr_column column;
	tr_arena arena;

	known.types[0] = (tr_pg_type){.oid = 1, .name = "clash", .typtype = 'c', .attributes = clash_attributes, .attribute_count = 2};
	options.carry_all_types = true;
	tr_arena_init(&arena, 1 << 20);
	ck_assert_int_eq(tr_pg_resolve(&in, &lookup, &options, &arena, &column, &err), -1);
	ck_assert_int_eq(err.code, TR_E_NAME_COLLISION);
	tr_arena_release(&arena);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
	static const uint32_t types[] = {23, 25, 1700, 1114, 600, MOOD, MOOD_ARRAY, HSTORE, SPARSEVEC, GEOMETRY, PAIR, 718, 628, 22};
	tr_event_options options = fixture_options();
	catalogue *known = new_catalogue();
	const tr_pg_type_lookup lookup = {.context = known, .find = catalogue_find};

	options.carry_all_types = true;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		const tr_pg_column in = {.name = "c", .type = types[i], .typmod = -1, .not_null = true, .default_expr = "7"};
		int result = -1;

		/* Every amount of memory up to the one that is enough. */
		for (size_t max = 0; result != 0; max += 16) {
			tr_column column;
			tr_arena arena;
			tr_err err = {0};

			ck_assert_uint_lt(max, 65536);
			tr_arena_init(&arena, max);
			result = tr_pg_resolve(&in, &lookup, &options, &arena, &column, &err);
			ck_assert(result == 0 || err.code == TR_E_MEMORY || err.code == TR_E_BATCH_LIMIT);
			tr_arena_release(&arena);
		}
	}
	free(known);
}
END_TEST

START_TEST(source_columns)
{
	static const struct { uint32_t type; int32_t typmod; const char *expr, *name; int64_t length, scale; } cases[] = {
		{23, -1, NULL, "INT4", 10, 0}, {23, -1, "nextval('s'::regclass)", "SERIAL", 10, 0}, {20, -1, NULL, "INT8", 19, 0},
		{20, -1, "nextval('s'::regclass)", "BIGSERIAL", 19, 0}, {21, -1, NULL, "INT2", 5, 0}, {16, -1, NULL, "BOOL", 1, 0},
		{1043, 34, NULL, "VARCHAR", 30, 0}, {1043, -1, NULL, "VARCHAR", 2147483647, 0}, {1042, 7, NULL, "BPCHAR", 3, 0},
		{25, -1, NULL, "TEXT", 2147483647, 0}, {1700, (9 << 16 | 2) + 4, NULL, "NUMERIC", 9, 2}, {1700, -1, NULL, "NUMERIC", 131089, 0},
		{1114, 3, NULL, "TIMESTAMP", 26, 3}, {1114, -1, NULL, "TIMESTAMP", 29, 6}, {1184, 0, NULL, "TIMESTAMPTZ", 28, 0},
		{1083, -1, NULL, "TIME", 15, 6}, {1082, -1, NULL, "DATE", 13, 0}, {700, -1, NULL, "FLOAT4", 8, 8}, {701, -1, NULL, "FLOAT8", 17, 17},
		{1009, -1, NULL, "_TEXT", 2147483647, 0}, {1015, 24, NULL, "_VARCHAR", 20, 0}, {MOOD, -1, NULL, "MOOD", 2147483647, 0},
		{OTHER_MOOD, -1, NULL, "\"INV\".\"MOOD\"", 2147483647, 0}, {NESTED, -1, NULL, "NESTED", 5, 2}, {1560, 5, NULL, "BIT", 5, 0},
	};
	catalogue *known = new_catalogue();
	const tr_pg_type_lookup lookup = {.context = known, .find = catalogue_find};
	tr_arena arena;

	tr_arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const tr_pg_column in = {.name = "c", .type = cases[i].type, .typmod = cases[i].typmod, .default_expr = cases[i].expr};
		tr_source_column out;

		ck_assert_int_eq(tr_pg_source_column(&in, &lookup, &arena, &out), 0);
		ck_assert_str_eq(out.type_name, cases[i].name);
		ck_assert_int_eq(out.length, cases[i].length);
		ck_assert_int_eq(out.scale, cases[i].scale);
	}
	tr_arena_release(&arena);
	free(known);
}
END_TEST

TEST_MAIN("pgoutput.resolve", defaults_of_numbers, defaults_of_texts, defaults_of_enums, defaults_of_times,
          an_infinite_instant_is_no_default, defaults_without_an_expression, placeholders_of_unchanged_values,
          zero_values_of_required_columns, absent_is_the_default_where_it_is_meant, domains_are_their_base, arrays,
          a_required_array_keeps_its_nulls_or_stops, hstore_order_and_escapes, extensions, dropped_types,
          unknown_types_as_bytes, unknown_shapes_in_javas_dress, carried_types, box_arrays_use_their_delimiter, composites,
          attributes_that_become_equal_are_refused, no_memory_is_an_error, source_columns)
