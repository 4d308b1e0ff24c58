#include "core/text.h"
#include "tests/unit/test.h"

static tr_slice lit(const char *text)
{
	return tr_slice_str(text);
}

static tr_writer w;

/* The writer's text, for ck_assert_str_eq; the writer is empty afterwards. */
static const char *written(void)
{
	tr_writer_u8(&w, 0);
	ck_assert(tr_writer_ok(&w));
	tr_writer_reset(&w);
	return (const char *)w.data;
}

START_TEST(formatting_cuts_between_characters)
{
	char out[10];

	tr_text_format(out, sizeof(out), "%s", "123456789");
	ck_assert_str_eq(out, "123456789");
	tr_text_format(out, sizeof(out), "%s", "1234567890");
	ck_assert_str_eq(out, "123456...");
	tr_text_format(out, sizeof(out), "%s", "12345\xc3\xa4yz890");
	ck_assert_str_eq(out, "12345...");
	tr_text_format(out, sizeof(out), "%s", "1234\xc3\xa4xyz890");
	ck_assert_str_eq(out, "1234\xc3\xa4...");
}
END_TEST

START_TEST(distances)
{
	ck_assert_uint_eq(tr_text_distance("", ""), 0);
	ck_assert_uint_eq(tr_text_distance("", "abc"), 3);
	ck_assert_uint_eq(tr_text_distance("kitten", "sitting"), 3);
	ck_assert_uint_eq(tr_text_distance("tables", "table"), 1);
	ck_assert_uint_eq(tr_text_distance("flaw", "lawn"), 2);
}
END_TEST

START_TEST(nearest_name)
{
	static const char *const known[] = {"tables", "url", "slot", "publication", "create"};
	char huge[200];

	ck_assert_str_eq(tr_text_nearest("table", known, 5), "tables");
	ck_assert_str_eq(tr_text_nearest("tabels", known, 5), "tables");
	ck_assert_str_eq(tr_text_nearest("publicaton", known, 5), "publication");
	ck_assert_str_eq(tr_text_nearest("slots", known, 5), "slot");
	ck_assert_str_eq(tr_text_nearest("slot", known, 5), "slot");
	ck_assert_ptr_null(tr_text_nearest("password", known, 5));
	ck_assert_ptr_null(tr_text_nearest("", known, 5));
	ck_assert_ptr_null(tr_text_nearest("x", known, 0));
	memset(huge, 'u', sizeof(huge));
	huge[199] = '\0';
	ck_assert_ptr_null(tr_text_nearest(huge, known, 5));
}
END_TEST

START_TEST(globs)
{
	static const struct {
		const char *pattern, *text;
		bool matches;
	} cases[] = {
	    {"public.*", "public.orders", true}, {"public.*", "public.", true}, {"public.*", "Public.orders", false},
	    {"public.*", "publicXorders", false}, {"*", "", true}, {"*", "anything", true}, {"", "", true}, {"", "a", false},
	    {"?", "a", true}, {"?", "", false}, {"?", "\xc3\xa4", true}, {"??", "\xc3\xa4", false}, {"a?c", "a\xe2\x82\xac" "c", true},
	    {"*.audit_*", "public.audit_log", true}, {"*.audit_*", "public.audit", false}, {"a*b*c", "aXbYc", true},
	    {"a*b*c", "aXbY", false}, {"*ab", "aab", true}, {"*ab", "aaba", false}, {"**a**", "bab", true},
	    {"orders", "orders", true}, {"orders", "orders2", false}, {"orders2", "orders", false}, {"[a]", "a", false},
	    {"a*aaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ck_assert_msg(tr_text_glob(cases[i].pattern, lit(cases[i].text)) == cases[i].matches, "%s on %s",
		    cases[i].pattern, cases[i].text);
}
END_TEST

START_TEST(sizes)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} good[] = {{"0", 0}, {"4096", 4096}, {"1B", 1}, {"64KiB", 65536}, {"64MiB", 67108864}, {"1GB", 1000000000}, {"2 MiB", 2097152},
	    {"16k", 16384}, {"2G", 2147483648u}, {"1TiB", 1099511627776}};
	static const char *const bad[] = {"", "MiB", "-1", "1.5GB", "64MiBs", "64 mib", "1 0", "99999999999999999999", "9000000000GiB", "0x10"};
	uint64_t bytes;
	tr_err err;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(tr_text_parse_size(good[i].text, &bytes, &err) == 0, "%s", good[i].text);
		ck_assert_uint_eq(bytes, good[i].bytes);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(tr_text_parse_size(bad[i], &bytes, &err) == -1, "%s", bad[i]);
		ck_assert_int_eq(err.code, TR_E_CONFIG);
		ck_assert_ptr_nonnull(strstr(err.text, bad[i]));
	}
}
END_TEST

START_TEST(durations)
{
	static const struct {
		const char *text;
		int64_t us;
	} good[] = {{"0", 0}, {"0s", 0}, {"50us", 50}, {"200ms", 200000}, {"10s", 10000000}, {"5m", 300000000}, {"5min", 300000000},
	    {"2h", 7200000000}, {"1d", 86400000000}, {"1 s", 1000000}};
	static const char *const bad[] = {"", "10", "s", "-5s", "1.5s", "5 parsecs", "99999999999999d", "10S"};
	int64_t us;
	tr_err err;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ck_assert_msg(tr_text_parse_duration(good[i].text, &us, &err) == 0, "%s", good[i].text);
		ck_assert_int_eq(us, good[i].us);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(tr_text_parse_duration(bad[i], &us, &err) == -1, "%s", bad[i]);
		ck_assert_int_eq(err.code, TR_E_CONFIG);
	}
}
END_TEST

START_TEST(hex_and_base64)
{
	static const char *const want[] = {"", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};

	tr_writer_init(&w, 1 << 16);
	tr_text_hex(&w, tr_slice_of("\x00\x7f\xff\xa5", 4));
	ck_assert_str_eq(written(), "007fffa5");
	ck_assert_int_eq(tr_text_unhex(&w, lit("6A6b")), 0);
	ck_assert_str_eq(written(), "jk");
	ck_assert_int_eq(tr_text_unhex(&w, lit("6a6")), -1);
	ck_assert_int_eq(tr_text_unhex(&w, lit("6a6g")), -1);
	ck_assert_uint_eq(w.len, 0);
	for (size_t n = 0; n <= 6; n++) { /* RFC 4648, section 10 */
		tr_text_base64(&w, tr_slice_of("foobar", n));
		ck_assert_str_eq(written(), want[n]);
	}
	tr_text_base64(&w, tr_slice_of("\xfb\xff\xfe", 3));
	ck_assert_str_eq(written(), "+//+");
	tr_text_base64_url(&w, tr_slice_of("\xfb\xff\xfe\xff", 4));
	ck_assert_str_eq(written(), "-__-_w==");
	tr_writer_release(&w);
	tr_writer_init(&w, 7);
	tr_text_base64(&w, lit("foobar"));
	ck_assert(!tr_writer_ok(&w));
	tr_writer_reset(&w);
	tr_text_hex(&w, lit("foobar"));
	ck_assert(!tr_writer_ok(&w));
	tr_writer_release(&w);
}
END_TEST

START_TEST(json_strings)
{
	tr_writer_init(&w, 1 << 16);
	tr_text_json_escape(&w, tr_slice_of("a\"b\\c\n\t\r\b\f\v\x01\x1f\x7f/\0z", 17));
	ck_assert_str_eq(written(), "a\\\"b\\\\c\\n\\t\\r\\b\\f\\u000b\\u0001\\u001f\\u007f/\\u0000z");
	tr_text_json_escape(&w, lit("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"));
	ck_assert_str_eq(written(), "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
	tr_text_json_escape(&w, tr_slice_of(NULL, 0));
	ck_assert_str_eq(written(), "");
	tr_text_json_escape(&w, lit("a\xff" "b\xc3"));
	ck_assert_str_eq(written(), "a\xef\xbf\xbd" "b\xef\xbf\xbd");
	tr_writer_release(&w);
}
END_TEST

START_TEST(utf8_validity)
{
	static const char *const good[] = {"", "plain ascii that is long enough for the fast way", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
	    "\xed\x9f\xbf", "\xee\x80\x80", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "12345678\xc3\xa4"};
	static const char *const bad[] = {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xc3(", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xef\xbf",
	    "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "12345678\xff", "1234567\xc3"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ck_assert_msg(tr_text_utf8_valid(lit(good[i])), "good %zu", i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!tr_text_utf8_valid(lit(bad[i])), "bad %zu", i);
}
END_TEST

START_TEST(utf8_mended)
{
	tr_writer_init(&w, 100);
	tr_text_utf8_mend(&w, lit("a\x80\xff\xc3\xa9\xe2\x82"));
	ck_assert_str_eq(written(), "a\xef\xbf\xbd\xef\xbf\xbd\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd");
	tr_writer_release(&w);
}
END_TEST

START_TEST(utf8_lengths_and_cuts)
{
	tr_slice text = lit("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z");
	static const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};

	ck_assert_uint_eq(tr_text_utf8_length(text), 5);
	ck_assert_uint_eq(tr_text_utf8_length(lit("a\xff\xfe")), 3);
	ck_assert_uint_eq(tr_text_cut_chars(text, 0).len, 0);
	ck_assert_uint_eq(tr_text_cut_chars(text, 3).len, 6);
	ck_assert_uint_eq(tr_text_cut_chars(text, 99).len, 11);
	for (size_t n = 0; n <= 12; n++)
		ck_assert_uint_eq(tr_text_cut_bytes(text, n).len, whole[n]);
	/* What is no character cannot be split. */
	ck_assert_uint_eq(tr_text_cut_bytes(lit("\x80\x80\x80\x80\x80\x80"), 5).len, 5);
}
END_TEST

TEST_MAIN("text", formatting_cuts_between_characters, distances, nearest_name, globs, sizes, durations, hex_and_base64,
    json_strings, utf8_validity, utf8_mended, utf8_lengths_and_cuts)
