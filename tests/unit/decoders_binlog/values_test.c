/* Single values at their limits in all modes, in both forms, and what is refused. */
#include "tests/unit/decoders_binlog/values.h"

typedef struct expectation {
	const char *type, *hex, *text, *want; /* hex or text NULL: not tried; want NULL: refused */
} expectation;

static void expect_all(const expectation *e, size_t count, const tr_event_options *options)
{
	for (size_t i = 0; i < count; i++) {
		probe p;

		probe_type(&p, e[i].type, options);
		if (e[i].hex)
			expect_hex(&p, e[i].hex, e[i].want);
		if (e[i].text)
			expect_text(&p, e[i].text, e[i].want);
		probe_release(&p);
	}
}

#define EXPECT(table, options) expect_all(table, sizeof(table) / sizeof((table)[0]), options)

START_TEST(integers)
{
	static const expectation table[] = {
		{"tinyint", "80", "-128", "-128"}, {"tinyint unsigned", "ff", "255", "255"}, {"smallint", "0080", "-32768", "-32768"},
		{"smallint unsigned", "ffff", "65535", "65535"}, {"mediumint", "000080", "-8388608", "-8388608"},
		{"mediumint unsigned", "ffffff", "16777215", "16777215"}, {"int", "ffffffff", "-1", "-1"},
		{"int unsigned zerofill", "07000000", "00000007", "7"}, {"int unsigned", "ffffffff", "4294967295", "4294967295"},
		{"bigint", "0000000000000080", "-9223372036854775808", "-9223372036854775808"},
		{"bigint unsigned", "ffffffffffffffff", "18446744073709551615", "-1"},
		{"tinyint", "8000", "128", NULL}, {"tinyint unsigned", "", "-1", NULL}, {"int", "000000", "2147483648", NULL},
		{"bigint", NULL, "9223372036854775808", NULL}, {"bigint unsigned", NULL, "18446744073709551616", NULL},
		{"int", NULL, "", NULL}, {"int", NULL, "1.0", NULL}, {"int", NULL, "-", NULL}, {"int", NULL, "+1", NULL},
		{"year", "00", "0000", "0"}, {"year", "01", "1901", "1901"}, {"year", "ff", "2155", "2155"}, {"year", "0001", "2156", NULL},
	};
	static const expectation precise[] = {
		{"bigint unsigned", "ffffffffffffffff", "18446744073709551615", "x00ffffffffffffffff"},
		{"bigint unsigned", "8000000000000000", "128", "x0080"}, {"bigint unsigned", "7f00000000000000", "127", "x7f"},
		{"bigint unsigned", "0000000000000000", "0", "x00"}, {"bigint", "8000000000000000", "128", "128"},
	};
	tr_event_options options = value_options();

	EXPECT(table, &options);
	options.unsigned_bigint = TR_UNSIGNED_PRECISE;
	EXPECT(precise, &options);
}
END_TEST

START_TEST(floats_and_bits)
{
	static const expectation table[] = {
		{"float", "cdcccc3d", "0.1", "0.10000000149011612"}, {"float", "ffffff7f7f", "nan", NULL}, {"float", "", "", NULL},
		{"float(7,3)", "ff3f1c46", "9999.999", "9999.9990234375"}, {"double", "9a9999999999b93f", "0.1", "0.10000000000000001"},
		{"double", "00", "0x10", NULL}, {"double", NULL, "1e999", NULL}, {"double", NULL, "1,5", NULL},
		{"bit(1)", "01", NULL, "true"}, {"bit(1)", "00", NULL, "false"}, {"bit(1)", "02", NULL, NULL}, {"bit(1)", "0001", NULL, NULL},
		{"bit(12)", "0801", NULL, "x0108"}, {"bit(12)", "1000", NULL, NULL}, {"bit(64)", "8000000000000001", NULL, "x0100000000000080"},
		{"vector(2)", "0000803f00002040", NULL, "(1,2.5)"}, {"vector(2)", "0000803f00", NULL, NULL},
	};
	const tr_event_options options = value_options();

	EXPECT(table, &options);
}
END_TEST

START_TEST(decimals)
{
	static const expectation precise[] = {
		{"decimal(5,2)", "83e763", "999.99", "x01869f"}, {"decimal(5,2)", "7c189c", "-999.99", "xfe7961"},
		{"decimal(5,2)", "800000", "0.00", "x00"}, {"decimal(5,2)", "7ffffe", "-0.01", "xff"}, {"decimal(5,2)", "80011c", "1.28", "x0080"},
		{"decimal(5,2)", "7ffee3", "-1.28", "x80"}, {"decimal(5,2)", NULL, "-0.00", "x00"}, {"decimal(5,2)", NULL, "1", "x64"},
		{"decimal(5,2)", NULL, "1.234", NULL}, {"decimal(5,2)", NULL, "", NULL}, {"decimal(5,2)", NULL, "1.2.3", NULL},
		{"decimal(5,2)", "8000", ".", NULL}, {"decimal(5,2)", "8003e8 00", "1e2", NULL},
		/* More digits in a group than it can have. */
		{"decimal(9,0)", "ffffffff", NULL, NULL}, {"decimal(9,0)", "bb9ac9ff", "999999999", "x3b9ac9ff"},
	};
	static const expectation text[] = {
		{"decimal(8,2) unsigned zerofill", "80000132", "000001.50", "'1.50'"}, {"decimal(30,30)", NULL, "0.000000000000000000000000000001",
		 "'0.000000000000000000000000000001'"}, {"decimal(5,2)", "7ffffe", "-0.01", "'-0.01'"}, {"decimal(6,0)", NULL, "-1", "'-1'"},
		{"decimal(6,2)", NULL, "0", "'0.00'"},
	};
	static const expectation reals[] = {{"decimal(5,2)", "83e763", "999.99", "999.99000000000001"}, {"decimal(5,2)", "7ffffe", "-0.01", "-0.01"}};
	tr_event_options options = value_options();

	EXPECT(precise, &options);
	options.decimal = TR_DECIMAL_STRING;
	EXPECT(text, &options);
	options.decimal = TR_DECIMAL_DOUBLE;
	EXPECT(reals, &options);
}
END_TEST

/* Field and fraction are one signed number: a decoder that reads them apart is a second off (go-mysql #678 and others). */
START_TEST(negative_time_with_fraction)
{
	static const expectation table[] = {
		{"time(1)", "7fffffce", "-00:00:00.5", "-500000"}, {"time(2)", "7fffff9d", "-00:00:00.99", "-990000"},
		{"time(3)", "7f3ffffff6", "-12:00:00.001", "-43200001000"}, {"time(6)", "7fffffffffff", "-00:00:00.000001", "-1"},
		{"time(6)", "7fe84480 0001", NULL, NULL}, {"time", "7fffff", "-00:00:01", "-1000000"},
		{"time", "b4 6efb", "838:59:59", "3020399000000"}, {"time", "4b9105", "-838:59:59", "-3020399000000"},
		{"time(6)", "7ffffffffffffffe", NULL, NULL}, {"time", "ffffff", "839:00:00", NULL}, {"time", NULL, "00:60:00", NULL},
		{"time", NULL, "1:00:00", NULL}, {"time", NULL, "00:00:00.", NULL}, {"time", NULL, "00:00", NULL},
	};
	const tr_event_options options = value_options();

	EXPECT(table, &options);
}
END_TEST

START_TEST(times_in_all_modes)
{
	static const struct { tr_time_mode mode; const char *type, *text, *want; } table[] = {
		{TR_TIME_ADAPTIVE, "time(3)", "-838:59:59.500", "-3020399500000"}, {TR_TIME_ADAPTIVE, "time(4)", "00:00:00.0001", "100"},
		{TR_TIME_CONNECT, "time", "23:59:59", "86399000"}, {TR_TIME_CONNECT, "time", "24:00:00", "86400000"},
		{TR_TIME_CONNECT, "time(6)", "24:00:00.000001", "null"}, {TR_TIME_CONNECT, "time", "25:00:00", "null"},
		{TR_TIME_CONNECT, "time", "-00:00:01", "null"}, {TR_TIME_CONNECT, "time(6)", "00:00:00.000999", "0"},
		{TR_TIME_ISOSTRING, "time(6)", "12:00:00.500000", "'12:00:00.5Z'"}, {TR_TIME_ISOSTRING, "time", "-838:59:59", "'-838:59:59Z'"},
		{TR_TIME_NANOSECONDS, "time", "-838:59:59", "-3020399000000000"}, {TR_TIME_MICROSECONDS, "time", "00:00:01", "1000000"},
		{TR_TIME_CONNECT, "datetime(6)", "1969-12-31 23:59:59.000001", "-1000"},
		{TR_TIME_ADAPTIVE, "datetime(3)", "1582-10-10 01:02:03.400", "-12219721076600"},
		{TR_TIME_MICROSECONDS, "datetime", "1970-01-01 00:00:01", "1000000"},
		{TR_TIME_NANOSECONDS, "datetime", "2262-04-11 23:47:16", "9223372036000000000"}, {TR_TIME_NANOSECONDS, "datetime", "9999-12-31 23:59:59", NULL},
		{TR_TIME_ISOSTRING, "datetime(3)", "2000-01-01 00:00:00.500", "'2000-01-01T00:00:00.5Z'"},
		{TR_TIME_ISOSTRING, "date", "2024-02-29", "'2024-02-29Z'"}, {TR_TIME_ISOSTRING, "date", "0000-00-00", "null"},
		{TR_TIME_CONNECT, "date", "1969-12-31", "-1"}, {TR_TIME_ADAPTIVE, "date", "2023-02-30", NULL}, {TR_TIME_ADAPTIVE, "date", "1900-02-29", NULL},
		{TR_TIME_ADAPTIVE, "date", "2024-13-01", NULL}, {TR_TIME_ADAPTIVE, "date", "0001-01-01", "-719162"},
		{TR_TIME_ADAPTIVE, "timestamp(3)", "2024-07-01 10:00:00.120", "'2024-07-01T10:00:00.120Z'"},
		{TR_TIME_ADAPTIVE, "timestamp(1)", "0000-00-00 00:00:00.0", "'1970-01-01T00:00:00.0Z'"},
	};
	tr_event_options options = value_options();

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		probe p;

		options.time = table[i].mode;
		probe_type(&p, table[i].type, &options);
		expect_text(&p, table[i].text, table[i].want);
		probe_release(&p);
	}
}
END_TEST

/* Columns from before MySQL 5.6 keep their form until the table is rebuilt. */
START_TEST(old_temporal_forms)
{
	static const struct { const char *type; uint8_t wire; const char *hex, *want; } table[] = {
		{"time", TR_BL_TIME, "40e201", "45296000000"}, {"time", TR_BL_TIME, "c01dfe", "-45296000000"}, {"time", TR_BL_TIME, "ffff7f", NULL},
		{"datetime", TR_BL_DATETIME, "af65fe9361120000", "1614834367000"}, {"datetime", TR_BL_DATETIME, "ffffffffffffffff", NULL},
		{"datetime", TR_BL_DATETIME, "0000000000000000", "null"}, {"timestamp", TR_BL_TIMESTAMP, "01000000", "'1970-01-01T00:00:01Z'"},
		{"timestamp", TR_BL_TIMESTAMP, "00000001 00", NULL},
		/* MariaDB's, with a fraction. */
		{"time(1)", TR_BL_TIME, "01cce060", "0"}, {"time(1)", TR_BL_TIME, "01cce05b", "-500000"}, {"time(1)", TR_BL_TIME, "ffffffff", NULL},
		{"timestamp(3)", TR_BL_TIMESTAMP, "00000001 0078", "'1970-01-01T00:00:01.120Z'"}, {"timestamp(3)", TR_BL_TIMESTAMP, "00000001 ffff", NULL},
	};
	const tr_event_options options = value_options();

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		probe p;

		probe_type(&p, table[i].type, &options);
		p.in.wire_type = table[i].wire;
		ck_assert_int_eq(tr_bl_resolve(&p.in, &options, &p.arena, &p.column, &p.err), 0);
		expect_hex(&p, table[i].hex, table[i].want);
		probe_release(&p);
	}
}
END_TEST

START_TEST(zero_dates_in_required_columns)
{
	static const struct { tr_time_mode mode; const char *type, *text, *standard, *want; } table[] = {
		{TR_TIME_ADAPTIVE, "date", "0000-00-00", NULL, "0"}, {TR_TIME_ADAPTIVE, "date", "2024-01-00", "2020-02-29", "18321"},
		{TR_TIME_ISOSTRING, "date", "0000-00-00", NULL, "'1970-01-01Z'"}, {TR_TIME_ADAPTIVE, "datetime(6)", "0000-00-00 00:00:00.000000", NULL, "0"},
		{TR_TIME_ISOSTRING, "datetime", "0000-00-00 00:00:00", NULL, "'1970-01-01T00:00:00Z'"},
		{TR_TIME_ADAPTIVE, "timestamp", "0000-00-00 00:00:00", "2000-01-01 00:00:00", "'1970-01-01T00:00:00Z'"},
	};
	tr_event_options options = value_options();

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		probe p;
		char data_type[64];
		tr_bl_facts facts = facts_of(table[i].type, data_type);

		facts.is_nullable = "NO";
		facts.column_default = table[i].standard;
		options.time = table[i].mode;
		probe_facts(&p, &facts, &options);
		expect_text(&p, table[i].text, table[i].want);
		probe_release(&p);
	}
}
END_TEST

START_TEST(texts_and_bytes)
{
	static const expectation table[] = {
		{"varchar(9)", "c5be", "\xc5\xbe", "'\xc5\xbe'"}, {"varchar(9)", "ff41", NULL, NULL}, {"varchar(9)", "", "", "''"},
		{"binary(4)", "6162", NULL, "x61620000"}, {"binary(2)", "616263", NULL, NULL}, {"varbinary(4)", "6162", NULL, "x6162"},
		{"enum('a','it''s','b\\\\c')", "02", "it's", "'it's'"}, {"enum('a','b')", "00", "", "''"}, {"enum('a','b')", "03", NULL, NULL},
		{"enum('a','b')", "0100", NULL, NULL}, {"set('a','b','c')", "05", "a,c", "'a,c'"}, {"set('a','b','c')", "08", NULL, NULL},
		{"set('a','b','c')", "00", "", "''"}, {"uuid", "123e4567e89b12d3a45642665544", "123e4567-e89b-12d3-a456-426655440000",
		 "'123e4567-e89b-12d3-a456-426655440000'"}, {"inet4", "010203", "1.2.3.0", "'1.2.3.0'"}, {"inet6", "", "::", "'::'"},
		{"point", "e6100000 0101000000 0000000000002c40 0000000000004940", NULL, "(14,50,x01010000000000000000002c400000000000004940,4326)"},
		{"point", "00000000 0102000000 0000000000002c40 0000000000004940", NULL, NULL}, {"point", "00000000", NULL, NULL},
		{"point", "00000000 0000000001 402c000000000000 4049000000000000", NULL, "(14,50,x0000000001402c0000000000004049000000000000,null)"},
		{"geometry", "00000000 0101000000 0000", NULL, "(x01010000000000,null)"}, {"geometry", "0000", NULL, NULL},
	};
	static const expectation hex[] = {{"varbinary(9)", "fbefbe", NULL, "'fbefbe'"}, {"blob", "", NULL, "''"}};
	static const expectation base64[] = {{"blob", "fbefbe", NULL, "'++++'"}, {"blob", "61", NULL, "'YQ=='"}, {"blob", "6162", NULL, "'YWI='"}};
	static const expectation url[] = {{"blob", "fbefbe", NULL, "'----'"}};
	tr_event_options options = value_options();

	EXPECT(table, &options);
	options.binary = TR_BINARY_HEX;
	EXPECT(hex, &options);
	options.binary = TR_BINARY_BASE64;
	EXPECT(base64, &options);
	options.binary = TR_BINARY_BASE64_URL;
	EXPECT(url, &options);
}
END_TEST

START_TEST(charsets)
{
	static const struct { const char *set, *hex, *want; } table[] = {
		{"latin1", "80e9", "'\xe2\x82\xac\xc3\xa9'"}, {"latin1", "6162", "'ab'"}, {"utf16", "d83dde00", "'\xf0\x9f\x98\x80'"},
		{"utf16", "d83d0061", "'?a'"}, {"utf16", "00", "'?'"}, {"ucs2", "017e", "'\xc5\xbe'"}, {"utf16le", "7e01", "'\xc5\xbe'"},
		{"utf32", "0001f600", "'\xf0\x9f\x98\x80'"}, {"utf32", "00110000", "'?'"}, {"gbk", "d6d0", "'\xe4\xb8\xad'"}, {"gbk", "d6", "'?'"},
		{"sjis", "b1", "'\xef\xbd\xb1'"}, {"ujis", "8fb0a1", "'\xe4\xb8\x82'"}, {"gb18030", "81308130", "'\xc2\x80'"},
		{"gb18030", "90308130", "'\xf0\x90\x80\x80'"}, {"ascii", "80", "'?'"}, {"utf8mb3", "c5be", "'\xc5\xbe'"},
	};
	const tr_event_options options = value_options();

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		probe p;
		const tr_bl_facts facts = {.name = "c", .data_type = "varchar", .column_type = "varchar(9)", .charset = table[i].set};

		probe_facts(&p, &facts, &options);
		expect_hex(&p, table[i].hex, table[i].want);
		probe_release(&p);
	}
}
END_TEST

START_TEST(an_unknown_charset_is_refused_when_the_table_is_met)
{
	const tr_bl_column column = {.name = "c", .sql = TR_BL_SQL_VARCHAR, .charset = "klingon"};
	const tr_event_options options = value_options();
	tr_arena arena;
	tr_column out;
	tr_err err;

	tr_arena_init(&arena, 1 << 20);
	ck_assert_int_eq(tr_bl_resolve(&column, &options, &arena, &out, &err), -1);
	ck_assert_int_eq(err.code, TR_E_TYPE_UNSUPPORTED);
	tr_arena_release(&arena);
}
END_TEST

TEST_MAIN("values", integers, floats_and_bits, decimals, negative_time_with_fraction, times_in_all_modes, old_temporal_forms,
          zero_dates_in_required_columns, texts_and_bytes, charsets, an_unknown_charset_is_refused_when_the_table_is_met)
