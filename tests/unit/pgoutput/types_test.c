/* Single types: values at their limits in all modes, what is refused, and the binary forms of a real server. */
#include "tests/unit/pgoutput/fixture.h"

#include <stdio.h>

typedef struct expectation {
	uint32_t type;
	int32_t typmod;
	const char *text, *json;
} expectation;

static void expect_all(const expectation *e, size_t count, const tr_event_options *options)
{
	for (size_t i = 0; i < count; i++) {
		probe p;

		resolve_one(&p, e[i].type, e[i].typmod, options);
		expect_text(&p, e[i].text, e[i].json);
		probe_release(&p);
	}
}

#define EXPECT(table, options) expect_all(table, sizeof(table) / sizeof((table)[0]), options)
#define NUMERIC(precision, scale) ((precision) << 16 | ((scale) & 0x7ff)) + 4

START_TEST(numbers)
{
	static const expectation table[] = {
		{16, -1, "t", "true"}, {16, -1, "f", "false"}, {16, -1, "tru", NULL}, {16, -1, "", NULL},
		{21, -1, "-32768", "-32768"}, {21, -1, "32768", NULL}, {21, -1, "-32769", NULL},
		{23, -1, "2147483647", "2147483647"}, {23, -1, "2147483648", NULL}, {23, -1, "", NULL}, {23, -1, "-", NULL},
		{23, -1, "1 ", NULL}, {23, -1, "1.0", NULL}, {23, -1, "+1", NULL},
		{20, -1, "-9223372036854775808", "-9223372036854775808"}, {20, -1, "9223372036854775808", NULL},
		{20, -1, "-9223372036854775809", NULL}, {20, -1, "99999999999999999999", NULL},
		{26, -1, "4294967295", "4294967295"}, {26, -1, "4294967296", NULL}, {26, -1, "-1", NULL},
		{700, -1, "0.1", "0.10000000149011612"}, {700, -1, "16777217", "16777216.0"},
		{700, -1, "3.4028235e+38", "3.4028234663852886e+38"}, {700, -1, "1e-45", "1.401298464324817e-45"},
		{701, -1, "0.1", "0.1"}, {701, -1, "1e23", "1e23"}, {701, -1, "123456789012345678901", "1.2345678901234568e+20"},
		{701, -1, "8.5e-5", "8.5e-5"}, {701, -1, "1.7976931348623157e+308", "1.7976931348623157e+308"},
		{701, -1, "NaN", "{\"$float\":\"NaN\"}"}, {701, -1, "-Infinity", "{\"$float\":\"-Infinity\"}"},
		{701, -1, "nan", NULL}, {701, -1, "inf", NULL}, {701, -1, "0x10", NULL}, {701, -1, "1e", NULL}, {701, -1, "", NULL},
		{701, -1, "1.2.3", NULL}, {701, -1, ".", NULL}, {701, -1, "1,5", NULL},
	};
	tr_event_options options = fixture_options();
	tr_value value;
	probe p;

	EXPECT(table, &options);
	resolve_one(&p, 701, -1, &options);
	ck_assert_int_eq(decode_as(&p, "-0", 2, TR_D_TEXT, &value), 0);
	ck_assert(signbit(value.f) && value.f == 0);
	probe_release(&p);
}
END_TEST

START_TEST(numeric_precise)
{
	static const expectation table[] = {
		{1700, NUMERIC(5, 2), "999.99", "{\"$bytes\":\"01869f\"}"},
		{1700, NUMERIC(5, 2), "-1.28", "{\"$bytes\":\"80\"}"},
		{1700, NUMERIC(5, 2), "1.5", "{\"$bytes\":\"0096\"}"},
		{1700, NUMERIC(5, 2), "-0.01", "{\"$bytes\":\"ff\"}"},
		{1700, NUMERIC(5, 2), "0.00", "{\"$bytes\":\"00\"}"},
		{1700, NUMERIC(5, 2), "1.005", NULL},
		{1700, NUMERIC(5, 2), "1.500", "{\"$bytes\":\"0096\"}"},
		{1700, NUMERIC(5, 2), "NaN", "null"},
		{1700, NUMERIC(5, 2), "-Infinity", "null"},
		{1700, NUMERIC(20, 0), "9223372036854775808", "{\"$bytes\":\"008000000000000000\"}"},
		{1700, NUMERIC(20, 0), "-9223372036854775808", "{\"$bytes\":\"8000000000000000\"}"},
		{1700, NUMERIC(20, 0), "-9223372036854775809", "{\"$bytes\":\"ff7fffffffffffffff\"}"},
		{1700, NUMERIC(40, 0), "-340282366920938463463374607431768211456", "{\"$bytes\":\"ff00000000000000000000000000000000\"}"},
		{1700, NUMERIC(38, 10), "-9999999999999999999999999999.9999999999", "{\"$bytes\":\"b4c4b357a5793b85f675ddc000000001\"}"},
		{1700, -1, "1.500", "{\"scale\":1,\"value\":{\"$bytes\":\"0f\"}}"},
		{1700, -1, "100", "{\"scale\":0,\"value\":{\"$bytes\":\"64\"}}"},
		{1700, -1, "0.000", "{\"scale\":0,\"value\":{\"$bytes\":\"00\"}}"},
		{1700, -1, "-0.000000000000000000001", "{\"scale\":21,\"value\":{\"$bytes\":\"ff\"}}"},
		{1700, -1, "NaN", "null"},
		{1700, -1, "", NULL}, {1700, -1, "-", NULL}, {1700, -1, ".", NULL}, {1700, -1, "1e5", NULL}, {1700, -1, "1.2.3", NULL},
		{1700, -1, "--1", NULL}, {1700, -1, "12a", NULL},
	};
	tr_event_options options = fixture_options();

	EXPECT(table, &options);
}
END_TEST

/* NaN has no place in a decimal; in a column without null it must not become anything else. */
START_TEST(numeric_required_nan_is_an_error)
{
	const tr_pg_column in = {.name = "c", .type = 1700, .typmod = -1, .not_null = true};
	tr_event_options options = fixture_options();
	probe p;

	resolve_in(&p, &in, &options, NULL);
	expect_text(&p, "NaN", NULL);
	expect_text(&p, "1", "{\"scale\":0,\"value\":{\"$bytes\":\"01\"}}");
	probe_release(&p);
}
END_TEST

/* 131072 digits: against the same number built digit by digit from its hexadecimal form. */
START_TEST(numeric_of_the_largest_size)
{
	enum { DIGITS = 131072 };
	tr_event_options options = fixture_options();
	char *text = malloc(DIGITS + 1);
	tr_value value;
	probe p;

	resolve_one(&p, 1700, -1, &options);
	memset(text, '0', DIGITS);
	text[0] = '1'; /* 10^131071: 2^131071 * 5^131071, so 131071 bits are zero and the next one is not */
	ck_assert_int_eq(decode_as(&p, text, DIGITS, TR_D_TEXT, &value), 0);
	tr_slice bytes = value.list[1].s;
	/* 131071 * log2(10) = 435408.6: 435409 bits in 54427 bytes, whose first has one bit: no sign byte is needed. */
	ck_assert_uint_eq(bytes.len, 54427);
	for (size_t i = 0; i < 131071 / 8; i++)
		ck_assert_int_eq(bytes.ptr[bytes.len - 1 - i], 0);
	ck_assert_int_eq(bytes.ptr[bytes.len - 1 - 131071 / 8], 0x80);
	ck_assert_int_eq(bytes.ptr[0], 1);
	tr_arena_reset(&p.scratch);
	text = realloc(text, 150001);
	memset(text, '1', 150000);
	ck_assert_int_eq(decode_as(&p, text, 150000, TR_D_TEXT, &value), -1);
	probe_release(&p);
	free(text);
}
END_TEST

START_TEST(numeric_text_and_double)
{
	static const expectation text[] = {
		{1700, NUMERIC(12, 4), "-0.0001", "\"-0.0001\""}, {1700, -1, "1.50", "\"1.50\""}, {1700, -1, "NaN", "\"NAN\""},
		{1700, -1, "Infinity", "\"POSITIVE_INFINITY\""}, {1700, -1, "-Infinity", "\"NEGATIVE_INFINITY\""},
		{1700, -1, "x", NULL}, {790, -1, "$1,234.50", "\"1234.50\""}, {790, -1, "-$0.01", "\"-0.01\""},
		{790, -1, "-92.233.720.368.547.758,08 \xe2\x82\xac", "\"-92233720368547758.08\""}, {790, -1, "\xc2\xa5" "1,234", "\"1234\""},
		{790, -1, "(1 234,5)", "\"-1234.5\""}, {790, -1, "Rs.100.25", "\"100.25\""}, {790, -1, "$1,234,567", "\"1234567\""},
		{790, -1, "$", NULL}, {790, -1, "", NULL}, {790, -1, "$1111111111111111111111111111", NULL},
	};
	static const expectation wide[] = {
		{1700, -1, "123456789012345678901234567890.123456789", "1.2345678901234568e+29"}, {1700, -1, "-1e5", NULL},
		{1700, -1, "0.1", "0.1"}, {1700, -1, "NaN", "{\"$float\":\"NaN\"}"}, {790, -1, "-$1,234.56", "-1234.56"},
	};
	tr_event_options options = fixture_options();

	options.decimal = TR_DECIMAL_STRING;
	EXPECT(text, &options);
	options.decimal = TR_DECIMAL_DOUBLE;
	EXPECT(wide, &options);
}
END_TEST

START_TEST(money_and_fraction_digits)
{
	static const expectation two[] = {
		{790, -1, "$92,233,720,368,547,758.07", "{\"$bytes\":\"7fffffffffffffff\"}"},
		{790, -1, "-$92,233,720,368,547,758.08", "{\"$bytes\":\"8000000000000000\"}"},
		{790, -1, "$0.00", "{\"$bytes\":\"00\"}"}, {790, -1, "\xc2\xa5" "100", "{\"$bytes\":\"2710\"}"},
	};
	static const expectation none[] = {
		{790, -1, "$1.50", "{\"$bytes\":\"02\"}"}, {790, -1, "$1.49", "{\"$bytes\":\"01\"}"},
		{790, -1, "-$1.50", "{\"$bytes\":\"fe\"}"}, {790, -1, "$9.99", "{\"$bytes\":\"0a\"}"},
	};
	static const expectation three[] = {{790, -1, "1.234", "{\"$bytes\":\"04d2\"}"}, {790, -1, "$1.50", "{\"$bytes\":\"05dc\"}"}};
	tr_event_options options = fixture_options();

	EXPECT(two, &options);
	options.money_fraction_digits = 0;
	EXPECT(none, &options);
	options.money_fraction_digits = 3;
	EXPECT(three, &options);
}
END_TEST

START_TEST(temporal_adaptive)
{
	static const expectation table[] = {
		{1082, -1, "0001-12-31 BC", "-719163"}, {1082, -1, "5874897-12-31", "2145042905"}, {1082, -1, "1582-10-10", "-141432"},
		{1082, -1, "infinity", "-2147472692"}, {1082, -1, "-infinity", "-2147472691"}, {1082, -1, "2023-02-29", NULL},
		{1082, -1, "2024-13-01", NULL}, {1082, -1, "2024-00-10", NULL}, {1082, -1, "2024-01-00", NULL}, {1082, -1, "24-01-01", NULL},
		{1082, -1, "2024-01-01 AD", NULL}, {1082, -1, "12345678-01-01", NULL}, {1082, -1, "", NULL}, {1082, -1, "1900-02-29", NULL},
		{1083, -1, "24:00:00", "86400000000"}, {1083, 3, "23:59:59.999", "86399999"}, {1083, 3, "24:00:00", "86400000"},
		{1083, -1, "24:00:00.000001", NULL}, {1083, -1, "12:60:00", NULL}, {1083, -1, "12:00", NULL}, {1083, -1, "12:00:00.", NULL},
		{1083, -1, "12:00:00.1234567", NULL},
		{1114, -1, "1969-12-31 23:59:59.999999", "-1"}, {1114, 3, "1969-12-31 23:59:59.001", "-999"},
		{1114, -1, "0044-03-15 12:00:00.5 BC", "-63517780799500000"}, {1114, -1, "294246-12-31 23:59:59.999999", "9223371244799999999"},
		{1114, -1, "infinity", "9223372036825200000"}, {1114, 0, "-infinity", "-9223372036832400"},
		{1114, -1, "294276-12-31 23:59:59.999999", NULL}, {1114, 3, "294276-12-31 23:59:59.999", "9224318015999999"},
		{1114, -1, "2024-01-01", NULL}, {1114, -1, "2024-01-01T00:00:00", NULL}, {1114, -1, "2024-01-01 00:00:00+00", NULL},
		{1184, -1, "2024-02-29 23:59:59.5+00", "\"2024-02-29T23:59:59.500000Z\""}, {1184, 0, "2024-02-29 23:59:59+00", "\"2024-02-29T23:59:59Z\""},
		{1184, 1, "2024-02-29 23:59:59.5+00", "\"2024-02-29T23:59:59.5Z\""}, {1184, -1, "2024-01-01 01:00:00+02", "\"2023-12-31T23:00:00.000000Z\""},
		{1184, 0, "2024-12-31 23:30:00-00:45", "\"2025-01-01T00:15:00Z\""}, {1184, 3, "0001-01-01 00:00:00+00 BC", "\"0000-01-01T00:00:00.000Z\""},
		{1184, 0, "10000-01-01 00:00:00+00", "\"+10000-01-01T00:00:00Z\""}, {1184, -1, "infinity", "\"infinity\""},
		{1184, -1, "2024-01-01 00:00:00", NULL}, {1184, -1, "2024-01-01 00:00:00+99", NULL},
		{1266, -1, "23:59:59.999999+14", "\"09:59:59.999999Z\""}, {1266, -1, "00:00:00+00", "\"00:00:00Z\""},
		{1266, -1, "03:04:05.1-08", "\"11:04:05.1Z\""}, {1266, -1, "01:00:00+02:30:30", "\"22:29:30Z\""},
		{1266, -1, "24:00:00+00", "\"24:00:00Z\""}, {1266, -1, "24:00:00+02", "\"22:00:00Z\""}, {1266, -1, "23:00:00-01", "\"00:00:00Z\""},
		{1266, -1, "12:00:00", NULL},
	};
	tr_event_options options = fixture_options();

	EXPECT(table, &options);
}
END_TEST

START_TEST(temporal_other_modes)
{
	static const expectation iso[] = {
		{1082, -1, "0044-03-15 BC", "\"-0043-03-15Z\""}, {1082, -1, "10000-01-01", "\"+10000-01-01Z\""}, {1082, -1, "infinity", "\"infinity\""},
		{1083, -1, "12:34:56.7", "\"12:34:56.7Z\""}, {1083, -1, "24:00:00", "\"24:00:00Z\""},
		{1114, 3, "2024-01-02 03:04:05.12", "\"2024-01-02T03:04:05.12Z\""}, {1114, -1, "-infinity", "\"-infinity\""},
		{1114, -1, "2024-01-02 03:04:00", "\"2024-01-02T03:04:00Z\""},
	};
	static const expectation nanos[] = {
		{1083, 0, "00:00:01", "1000000000"}, {1114, 0, "1969-12-31 23:59:59", "-1000000000"}, {1114, -1, "infinity", "9223372036854775807"},
		{1114, -1, "-infinity", "-9223372036854775808"}, {1114, -1, "9999-12-31 00:00:00", NULL},
		{1114, -1, "2262-04-11 23:47:16.854775", "9223372036854775000"}, {1114, -1, "2262-04-11 23:47:16.854776", NULL},
	};
	static const expectation connect[] = {
		{1082, -1, "1970-01-02", "1"}, {1083, -1, "23:59:59.999999", "86399999"}, {1114, -1, "1969-12-31 23:59:59.999999", "-1"},
		{1114, -1, "infinity", "9223372036825200"},
	};
	static const expectation micros[] = {{1083, 0, "00:00:01", "1000000"}, {1114, 0, "1970-01-01 00:00:01", "1000000"}};
	static const expectation adaptive_micros[] = {{1083, 0, "00:00:01", "1000000"}, {1114, 0, "1970-01-01 00:00:01", "1000"}};
	tr_event_options options = fixture_options();

	options.time = TR_TIME_ISOSTRING;
	EXPECT(iso, &options);
	options.time = TR_TIME_NANOSECONDS;
	EXPECT(nanos, &options);
	options.time = TR_TIME_CONNECT;
	EXPECT(connect, &options);
	options.time = TR_TIME_MICROSECONDS;
	EXPECT(micros, &options);
	options.time = TR_TIME_ADAPTIVE_MICROSECONDS;
	EXPECT(adaptive_micros, &options);
}
END_TEST

START_TEST(intervals)
{
	static const expectation micros[] = {
		{1186, -1, "1 year 2 mons 3 days 04:05:06.789012", "37091106789012"}, {1186, -1, "-1 years +2 mons -3 days +04:05:06", "-26542494000000"},
		{1186, -1, "00:00:00", "0"}, {1186, -1, "1 mon", "2629800000000"}, {1186, -1, "-00:00:00.000001", "-1"},
		{1186, -1, "178000000 years", "9223372036854775807"}, {1186, -1, "-178000000 years", "-9223372036854775808"},
		{1186, -1, "2562047788:00:54.775807", "9223372036854775807"}, {1186, -1, "infinity", "9223372036854775807"},
		{1186, -1, "-infinity", "-9223372036854775808"}, {1186, -1, "", NULL}, {1186, -1, "1", NULL}, {1186, -1, "1 fortnight", NULL},
		{1186, -1, "1 day ", NULL}, {1186, -1, "1 day 04:05", NULL}, {1186, -1, "infinity 1 day", NULL},
		{1186, -1, "9999999999999 days", NULL}, {1186, -1, "00:60:00", NULL}, {1186, -1, "P1Y", NULL},
	};
	static const expectation texts[] = {
		{1186, -1, "-1 years -2 mons +3 days -04:05:06.789012", "\"P-1Y-2M3DT-4H-5M-6.789012S\""},
		{1186, -1, "-00:00:00.5", "\"P0Y0M0DT0H0M-0.5S\""}, {1186, -1, "-00:00:01", "\"P0Y0M0DT0H0M-1S\""},
		{1186, -1, "00:00:10.10", "\"P0Y0M0DT0H0M10.1S\""}, {1186, -1, "infinity", "\"infinity\""},
	};
	tr_event_options options = fixture_options();

	EXPECT(micros, &options);
	options.interval = TR_INTERVAL_STRING;
	EXPECT(texts, &options);
}
END_TEST

START_TEST(texts_and_bytes)
{
	static const expectation table[] = {
		{25, -1, "", "\"\""}, {25, -1, "plain ascii of some length", "\"plain ascii of some length\""},
		{25, -1, "12345678\xc5\xbe", "\"12345678\xc5\xbe\""}, {25, -1, "1234567\xff", NULL}, {25, -1, "12345678901\xed\xa0\x80", NULL},
		{17, -1, "\\x00ff10", "{\"$bytes\":\"00ff10\"}"}, {17, -1, "\\x", "{\"$bytes\":\"\"}"}, {17, -1, "\\x0", NULL},
		{17, -1, "\\x0g", NULL}, {17, -1, "abc", NULL}, {17, -1, "\\xG0", NULL}, {17, -1, "", NULL},
		{1560, 5, "10101", "{\"$bytes\":\"15\"}"}, {1560, 5, "00000", "{\"$bytes\":\"\"}"}, {1560, 5, "1012", NULL},
		{1562, -1, "", "{\"$bytes\":\"\"}"}, {1562, -1, "100000000", "{\"$bytes\":\"0001\"}"},
		{1560, 1, "1", "true"}, {1560, 1, "0", "false"}, {1560, 1, "10", NULL}, {1562, 1, "", "null"},
		{2950, -1, "abcdef01-2345-6789-abcd-ef0123456789", "\"abcdef01-2345-6789-abcd-ef0123456789\""}, {2950, -1, "abc", NULL},
		{600, -1, "(1.5,-2.25)", "{\"x\":1.5,\"y\":-2.25,\"wkb\":{\"$bytes\":\"0101000000000000000000f83f00000000000002c0\"},\"srid\":null}"},
		{600, -1, "(1)", NULL}, {600, -1, "(1,2,3)", NULL}, {600, -1, "[1,2]", NULL}, {600, -1, "(a,b)", NULL}, {600, -1, "", NULL},
		{22, -1, "4 5", "[4,5]"}, {22, -1, "", "[]"}, {22, -1, "4  5", NULL}, {22, -1, "99999", NULL}, {30, -1, "4294967295", "[4294967295]"},
	};
	tr_event_options options = fixture_options();

	EXPECT(table, &options);
}
END_TEST

/* With a scale of its own a numeric has a short way of its own: same value, or refused in both forms. */
static void numeric_agrees(const char *text, const uint8_t *bytes, size_t len, int scale)
{
	tr_event_options options = fixture_options();
	tr_value a, b;
	probe p;

	resolve_one(&p, 1700, NUMERIC(38, scale), &options);
	int from_text = decode_as(&p, text, strlen(text), TR_D_TEXT, &a);
	ck_assert_msg(decode_as(&p, bytes, len, TR_D_BINARY, &b) == from_text, "%s with scale %d", text, scale);
	if (from_text == 0)
		assert_json(value_json(p.column.type, &b), value_json(p.column.type, &a), text);
	probe_release(&p);
}

/* Text and binary form of a value, as a real server made both, become the same. */
START_TEST(binary_is_text)
{
	const char *root = getenv("TAILRACE_SOURCE_DIR");
	static const struct { tr_decimal_mode decimal; tr_time_mode time; } modes[] = {
		{TR_DECIMAL_PRECISE, TR_TIME_ADAPTIVE}, {TR_DECIMAL_STRING, TR_TIME_ISOSTRING}, {TR_DECIMAL_DOUBLE, TR_TIME_CONNECT}};
	char path[512], line[8192];
	unsigned lines = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/unit/pgoutput/binary.tsv", root ? root : ".");
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s", path);
	for (; fgets(line, sizeof(line), file); lines++) {
		char *text = strchr(line, '\t') + 1, *hex = strchr(text, '\t');
		uint32_t type = (uint32_t)strtoul(line, NULL, 10);
		uint8_t bytes[2048];
		size_t len = 0;

		*hex++ = '\0';
		for (; sscanf(hex + 2 * len, "%2hhx", &bytes[len]) == 1; len++)
			;
		/* COPY's own escapes: only bytea and one text have them here. */
		if (type == 17)
			memmove(text, text + 1, strlen(text));
		else if (strchr(text, '\\'))
			continue;
		ck_assert(tr_pg_binary_ok(type));
		for (size_t m = 0; m < 3; m++) {
			tr_event_options options = fixture_options();
			tr_value a, b;
			probe p;

			options.decimal = modes[m].decimal;
			options.time = modes[m].time;
			resolve_one(&p, type, -1, &options);
			ck_assert_msg(decode_as(&p, text, strlen(text), TR_D_TEXT, &a) == 0, "%s: %s", line, text);
			ck_assert_msg(decode_as(&p, bytes, len, TR_D_BINARY, &b) == 0, "%s binary: %s: %s", line, text, p.err.detail);
			assert_json(value_json(p.column.type, &b), value_json(p.column.type, &a), text);
			/* Not one byte less or more is taken for the same type of a fixed length. */
			if (type == 23 || type == 20 || type == 701 || type == 1114 || type == 1082 || type == 2950 || type == 1700)
				ck_assert_int_eq(decode_as(&p, bytes, len - 1, TR_D_BINARY, &b), -1);
			probe_release(&p);
		}
		for (int scale = 0; type == 1700 && scale <= 18; scale += 2)
			numeric_agrees(text, bytes, len, scale);
	}
	fclose(file);
	ck_assert_uint_ge(lines, 130);
}
END_TEST

START_TEST(binary_is_refused_where_it_is_not_read)
{
	static const uint32_t types[] = {600, 790, 1186, 1266, 1560, 1562, 22, 30};
	tr_event_options options = fixture_options();

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		tr_value value;
		probe p;

		ck_assert(!tr_pg_binary_ok(types[i]));
		resolve_one(&p, types[i], 5, &options);
		ck_assert_int_eq(decode_as(&p, "\0\0\0\1", 4, TR_D_BINARY, &value), -1);
		ck_assert_int_eq(p.err.code, TR_E_DECODE_VALUE);
		probe_release(&p);
	}
	ck_assert(!tr_pg_binary_ok(0));
	ck_assert(!tr_pg_binary_ok(3614));
}
END_TEST

/* With no memory left, every function says so and none breaks. */
START_TEST(scratch_has_a_limit)
{
	static const struct { uint32_t type; const char *text; } cases[] = {
		{17, "\\x0011"}, {600, "(1,2)"}, {1184, "2024-01-01 00:00:00+00"}, {1266, "00:00:00+00"}, {1560, "101"}, {1700, "1"},
		{790, "$1.00"}, {22, "1 2"}};
	tr_event_options options = fixture_options();

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tr_value value;
		probe p;

		resolve_one(&p, cases[i].type, 3, &options);
		p.scratch.max = 0;
		ck_assert_int_eq(decode_as(&p, cases[i].text, strlen(cases[i].text), TR_D_TEXT, &value), -1);
		ck_assert_int_eq(p.err.code, TR_E_BATCH_LIMIT);
		probe_release(&p);
	}
}
END_TEST

TEST_MAIN("pgoutput.types", numbers, numeric_precise, numeric_required_nan_is_an_error, numeric_of_the_largest_size,
          numeric_text_and_double, money_and_fraction_digits, temporal_adaptive, temporal_other_modes, intervals,
          texts_and_bytes, binary_is_text, binary_is_refused_where_it_is_not_read, scratch_has_a_limit)
