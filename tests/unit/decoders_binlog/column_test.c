/* Columns as the servers' catalogues tell them: types, defaults, schemas, and the words of Debezium's own catalogue. */
#include "tests/unit/decoders_binlog/values.h"

typedef struct schema {
	bool mariadb, nullable;
	const char *type, *standard, *extra, *want; /* standard: COLUMN_DEFAULT */
} schema;

/* COLUMN_DEFAULT and EXTRA as MySQL 9.7 and MariaDB 10.11 give them. */
static const schema schemas[] = {
	{false, true, "tinyint(1)", NULL, "", "int16?"}, {false, false, "int", "42", "", "int32 =42"},
	{false, true, "int", NULL, "auto_increment", "int32?"}, {true, true, "int(11)", "NULL", "", "int32?"},
	{false, true, "int unsigned", "4294967295", "", "int64? =4294967295"},
	{false, true, "bigint unsigned", "18446744073709551615", "", "int64? =9223372036854775807"},
	{true, true, "bigint(20) unsigned", "18446744073709551615", "", "int64? =9223372036854775807"},
	{false, true, "int(8) unsigned zerofill", "00000007", "", "int64? =7"}, {false, true, "float", "1.5", "", "float32? =1.5"},
	{false, true, "float(7,3)", "0.100", "", "float64? =0.10000000000000001"}, {false, false, "double", "-22500000000", "", "float64 =-22500000000"},
	{false, false, "decimal(8,3)", "12.340", "",
	 "bytes org.apache.kafka.connect.data.Decimal {scale=3, connect.decimal.precision=8} =x3034"},
	{true, true, "decimal(8,3) unsigned zerofill", "00012.340", "",
	 "bytes? org.apache.kafka.connect.data.Decimal {scale=3, connect.decimal.precision=8} =x3034"},
	{false, true, "bit(1)", "b'1'", "", "boolean? =true"},
	{false, false, "bit(12)", "b'101010101010'", "", "bytes io.debezium.data.Bits {length=12} =xaa0a"},
	{true, false, "bit(12)", "b'101010101010'", "", "bytes io.debezium.data.Bits {length=12} =xaa0a"},
	{false, true, "year", "2020", "", "int32? io.debezium.time.Year =2020"},
	{true, true, "year(4)", "2020", "", "int32? io.debezium.time.Year =2020"},
	{false, false, "date", "2020-02-29", "", "int32 io.debezium.time.Date =18321"},
	{true, false, "date", "'2020-02-29'", "", "int32 io.debezium.time.Date =18321"},
	{false, true, "date", "0000-00-00", "", "int32? io.debezium.time.Date"},
	{false, false, "date", "0000-00-00", "", "int32 io.debezium.time.Date =0"},
	{false, true, "date", "1970-01-01", "", "int32? io.debezium.time.Date"},
	{false, false, "time(6)", "-01:02:03.000004", "", "int64 io.debezium.time.MicroTime =-3723000004"},
	{false, false, "datetime(3)", "CURRENT_TIMESTAMP(3)", "DEFAULT_GENERATED", "int64 io.debezium.time.Timestamp =0"},
	{true, false, "datetime(3)", "current_timestamp(3)", "", "int64 io.debezium.time.Timestamp =0"},
	{false, true, "timestamp", "CURRENT_TIMESTAMP", "DEFAULT_GENERATED on update CURRENT_TIMESTAMP", "string? io.debezium.time.ZonedTimestamp"},
	{true, false, "timestamp", "current_timestamp()", "on update current_timestamp()",
	 "string io.debezium.time.ZonedTimestamp ='1970-01-01T00:00:00Z'"},
	{false, true, "timestamp(3)", "2021-03-04 05:06:07.089", "", "string? io.debezium.time.ZonedTimestamp ='2021-03-04T05:06:07.089Z'"},
	{true, false, "timestamp(6)", "'2021-03-04 05:06:07.000000'", "", "string io.debezium.time.ZonedTimestamp ='2021-03-04T05:06:07.000000Z'"},
	{false, false, "timestamp(3)", "2021-03-04 05:06:07.500", "", "string io.debezium.time.ZonedTimestamp ='2021-03-04T05:06:07.500Z'"},
	{false, false, "timestamp(3)", "0000-00-00 00:00:00.000", "", "string io.debezium.time.ZonedTimestamp ='1970-01-01T00:00:00Z'"},
	{false, false, "timestamp(6)", "CURRENT_TIMESTAMP(6)", "DEFAULT_GENERATED", "string io.debezium.time.ZonedTimestamp ='1970-01-01T00:00:00Z'"},
	{false, false, "varchar(30)", "it's a \"d\"\\ \n", "", "string ='it''s a \"d\"\\\\ \\n'"},
	{true, false, "varchar(30)", "'it''s a \"d\"\\\\ \\n'", "", "string ='it''s a \"d\"\\\\ \\n'"},
	{false, true, "varchar(5)", "NULL", "", "string? ='NULL'"}, {true, true, "varchar(5)", "'NULL'", "", "string? ='NULL'"},
	{true, true, "varchar(5)", "NULL", "", "string?"}, {false, true, "varchar(30)", "CURRENT_TIMESTAMP", "", "string? ='CURRENT_TIMESTAMP'"},
	{false, true, "varchar(5)", "", "", "string? =''"}, {false, true, "varchar(9)", "uuid()", "DEFAULT_GENERATED", "string?"},
	{true, true, "varchar(9)", "concat('a','b')", "", "string?"}, {true, true, "text", "'plain'", "", "string? ='plain'"},
	{false, true, "int", "(1 + 2)", "DEFAULT_GENERATED", "int32?"}, {true, true, "int(11)", "(1 + 2)", "", "int32?"},
	{false, true, "binary(3)", "0x6162", "", "bytes? =x61625c30"}, {true, true, "binary(3)", "'ab\\0'", "", "bytes? =x61625c30"},
	{false, true, "varbinary(5)", "0xFF41", "", "bytes?"}, {false, true, "varbinary(5)", "0xC3A9", "", "bytes? =xc3a9"}, {true, true, "blob", "X'ff00'", "", "bytes? =xff5c30"},
	{false, false, "enum('x','it''s','a,b','b\\\\c')", "it's", "", "string io.debezium.data.Enum {allowed=x,it's,a\\,b,b\\\\c} ='it''s'"},
	{true, true, "set('p','q')", "'p,q'", "", "string? io.debezium.data.EnumSet {allowed=p,q} ='p,q'"},
	{false, true, "json", "json_array(1,2)", "DEFAULT_GENERATED", "string? io.debezium.data.Json"},
	{false, true, "point", NULL, "", "struct? io.debezium.data.geometry.Point"},
	{false, true, "geomcollection", NULL, "", "struct? io.debezium.data.geometry.Geometry"},
	{false, true, "vector(3)", NULL, "", "array? io.debezium.data.FloatVector"},
	{true, true, "uuid", "'123e4567-e89b-12d3-a456-426655440000'", "", "string? io.debezium.data.Uuid"},
	{true, true, "inet4", "'1.2.3.4'", "", "string? ='1.2.3.4'"}, {true, true, "varchar(20) /*M!100301 COMPRESSED*/", "NULL", "", "string?"},
	{false, true, "int", NULL, "STORED GENERATED", "int32?"},
};

START_TEST(schemas_are_debeziums)
{
	const tr_event_options options = value_options();

	for (size_t i = 0; i < sizeof(schemas) / sizeof(schemas[0]); i++) {
		const schema *s = &schemas[i];
		char data_type[64], *have;
		tr_bl_facts facts = facts_of(s->type, data_type);
		probe p;

		facts.mariadb = s->mariadb;
		facts.is_nullable = s->nullable ? "YES" : "NO";
		facts.column_default = s->standard;
		facts.extra = s->extra;
		probe_facts(&p, &facts, &options);
		have = type_text(p.column.type);
		ck_assert_msg(strcmp(have, s->want) == 0, "%s default %s: %s, not %s", s->type, s->standard ? s->standard : "-", have, s->want);
		free(have);
		probe_release(&p);
	}
}
END_TEST

typedef struct description {
	const char *type, *standard;
	int32_t jdbc;
	const char *name;
	int64_t length, scale;
	const char *expression;
} description;

START_TEST(descriptions_are_those_of_schema_changes)
{
	static const description table[] = {
		{"int", NULL, 4, "INT", -1, -1, NULL}, {"int(11)", "5", 4, "INT", 11, -1, "5"},
		{"bigint(20) unsigned zerofill", NULL, -5, "BIGINT UNSIGNED ZEROFILL", 20, -1, NULL}, {"tinyint(1)", NULL, 5, "TINYINT", 1, -1, NULL},
		{"float(7,3)", NULL, 6, "FLOAT", 7, 3, NULL}, {"double", NULL, 8, "DOUBLE", -1, -1, NULL}, {"decimal(10,0)", NULL, 3, "DECIMAL", 10, 0, NULL},
		{"decimal(6,3) unsigned", NULL, 3, "DECIMAL UNSIGNED", 6, 3, NULL}, {"bit(12)", "b'101010101010'", -7, "BIT", 12, -1, "101010101010"},
		{"datetime(3)", "CURRENT_TIMESTAMP(3)", 93, "DATETIME", 3, -1, "1970-01-01 00:00:00"}, {"timestamp", NULL, 2014, "TIMESTAMP", -1, -1, NULL},
		{"binary(3)", "0x6162", -2, "BINARY", 3, -1, "ab\\0"}, {"binary(2)", "0x80FF", -2, "BINARY", 2, -1, NULL}, {"longtext", NULL, 12, "LONGTEXT", -1, -1, NULL},
		{"varchar(30)", "it's", 12, "VARCHAR", 30, -1, "it''s"}, {"enum('x','it''s')", "x", 1, "ENUM", 1, -1, "x"},
		{"set('a','b','c','d')", NULL, 1, "SET", 7, -1, NULL}, {"geomcollection", NULL, 1111, "GEOMCOLLECTION", -1, -1, NULL},
		{"geometrycollection", NULL, 1111, "GEOMETRYCOLLECTION", -1, -1, NULL}, {"vector(3)", NULL, 1111, "VECTOR", 3, -1, NULL},
		{"longblob", NULL, 2004, "LONGBLOB", -1, -1, NULL}, {"year(4)", NULL, 4, "YEAR", 4, -1, NULL},
	};
	const tr_event_options options = value_options();

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const description *d = &table[i];
		char data_type[64];
		tr_bl_facts facts = facts_of(d->type, data_type);
		tr_schema_column have;
		probe p;

		facts.column_default = d->standard;
		probe_facts(&p, &facts, &options);
		ck_assert_int_eq(tr_bl_schema_column(&p.in, &p.arena, &have), 0);
		ck_assert_str_eq(have.type, d->name);
		ck_assert_int_eq(have.jdbc_type, d->jdbc);
		ck_assert_msg(have.length == d->length && have.scale == d->scale, "%s: %lld, %lld", d->type, (long long)have.length,
		              (long long)have.scale);
		ck_assert_msg(d->expression ? have.default_expression && strcmp(have.default_expression, d->expression) == 0
		                            : !have.default_expression, "%s: %s", d->type, have.default_expression);
		if (p.in.sql == TR_BL_SQL_ENUM)
			ck_assert_str_eq(have.values[1], "'it''s'");
		probe_release(&p);
	}
}
END_TEST

/* One map column against a definition. */
static bool matches(tr_bl_map_column map, const char *type, const char *charset)
{
	const tr_event_options options = value_options();
	char data_type[64];
	tr_bl_facts facts = facts_of(type, data_type);
	tr_bl_table table = {.columns = &map, .column_count = 1, .has_signedness = true, .has_names = true};
	probe p;
	bool result;

	if (charset)
		facts.charset = charset;
	map.nullable = true;
	if (!map.name.ptr)
		map.name = tr_slice_str("c");
	probe_facts(&p, &facts, &options);
	result = tr_bl_column_matches(&table, 0, &p.in);
	probe_release(&p);
	return result;
}

#define MAP(...) ((tr_bl_map_column){__VA_ARGS__})

START_TEST(maps_that_fit_and_that_do_not)
{
	const tr_slice labels[] = {tr_slice_str("a"), tr_slice_str("\xe4")}, others[] = {tr_slice_str("a"), tr_slice_str("b")};

	ck_assert(matches(MAP(.type = TR_BL_LONG), "int", NULL));
	ck_assert(!matches(MAP(.type = TR_BL_LONG, .is_unsigned = true), "int", NULL));
	ck_assert(matches(MAP(.type = TR_BL_LONG, .is_unsigned = true), "int unsigned", NULL));
	ck_assert(!matches(MAP(.type = TR_BL_LONGLONG), "int", NULL));
	ck_assert(!matches(MAP(.type = TR_BL_LONG, .name = tr_slice_str("d")), "int", NULL));
	ck_assert(matches(MAP(.type = TR_BL_VARCHAR, .length_bytes = 40), "varchar(10)", NULL));
	ck_assert(!matches(MAP(.type = TR_BL_VARCHAR, .length_bytes = 44), "varchar(10)", NULL));
	ck_assert(matches(MAP(.type = TR_BL_VARCHAR, .length_bytes = 10, .collation = 8), "varchar(10)", "latin1"));
	ck_assert(!matches(MAP(.type = TR_BL_VARCHAR, .length_bytes = 10, .collation = 9), "varchar(10)", "latin1"));
	ck_assert(matches(MAP(.type = TR_BL_NEWDECIMAL, .precision = 5, .scale = 2), "decimal(5,2)", NULL));
	ck_assert(!matches(MAP(.type = TR_BL_NEWDECIMAL, .precision = 6, .scale = 2), "decimal(5,2)", NULL));
	ck_assert(matches(MAP(.type = TR_BL_DATETIME2, .scale = 3), "datetime(3)", NULL));
	ck_assert(!matches(MAP(.type = TR_BL_DATETIME2, .scale = 0), "datetime(3)", NULL));
	ck_assert(matches(MAP(.type = TR_BL_DATETIME), "datetime", NULL));
	ck_assert(matches(MAP(.type = TR_BL_BLOB, .scale = 2), "text", NULL));
	ck_assert(!matches(MAP(.type = TR_BL_BLOB, .scale = 3), "text", NULL));
	ck_assert(matches(MAP(.type = TR_BL_STRING, .length_bytes = 16), "uuid", NULL));
	ck_assert(!matches(MAP(.type = TR_BL_STRING, .length_bytes = 4), "uuid", NULL));
	ck_assert(matches(MAP(.type = TR_BL_ENUM, .scale = 1, .values = labels, .value_count = 2, .collation = 8), "enum('a','\xc3\xa4')", "latin1"));
	ck_assert(!matches(MAP(.type = TR_BL_ENUM, .scale = 1, .values = others, .value_count = 2, .collation = 8), "enum('a','\xc3\xa4')", "latin1"));
	ck_assert(!matches(MAP(.type = TR_BL_SET, .scale = 1), "enum('a','b')", NULL));
}
END_TEST

START_TEST(collations)
{
	static const struct { uint32_t id; const char *charset; } table[] = {
		{8, "latin1"}, {33, "utf8mb3"}, {45, "utf8mb4"}, {63, "binary"}, {255, "utf8mb4"}, {309, "utf8mb4"}, {248, "gb18030"}, {76, "utf8mb3"},
		{1032, "latin1"}, {1069, "utf8mb4"}, {2304, "utf8mb4"}, {2048, "utf8mb3"}, {3270, "utf32"}, {611, "utf8mb4"}, {35, "ucs2"},
		{101, "utf16"}, {56, "utf16le"}, {99, "cp1250"}, {0, NULL}, {17, NULL}, {100, NULL}, {70000, NULL},
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		const char *have = tr_bl_collation_charset(table[i].id);

		ck_assert_msg(table[i].charset ? have && strcmp(have, table[i].charset) == 0 : !have, "%u: %s", table[i].id, have);
	}
}
END_TEST

START_TEST(a_type_that_is_not_known_is_left_out)
{
	tr_event_options options = value_options();
	probe p;

	probe_type(&p, "xmltype", &options);
	ck_assert_ptr_null(p.column.type);
	probe_release(&p);
	options.unknown_types = true;
	probe_type(&p, "xmltype", &options);
	ck_assert_int_eq(p.column.type->kind, TR_BYTES);
	expect_hex(&p, "00ff", "x00ff");
	probe_release(&p);
}
END_TEST

START_TEST(labels_that_are_none_are_refused)
{
	static const char *const types[] = {"enum(", "enum('a'", "enum('a',)", "enum()", "enum(a)", "set('a'x)"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		char data_type[64];
		const tr_bl_facts facts = facts_of(types[i], data_type);
		tr_bl_column out;
		tr_arena arena;
		tr_err err;

		tr_arena_init(&arena, 1 << 20);
		ck_assert_msg(tr_bl_column_from_facts(&facts, &arena, &out, &err) == -1, "%s", types[i]);
		ck_assert_int_eq(err.code, TR_E_DECODE_PROTOCOL);
		tr_arena_release(&arena);
	}
}
END_TEST

TEST_MAIN("column", schemas_are_debeziums, descriptions_are_those_of_schema_changes, maps_that_fit_and_that_do_not, collations,
          a_type_that_is_not_known_is_left_out, labels_that_are_none_are_refused)
