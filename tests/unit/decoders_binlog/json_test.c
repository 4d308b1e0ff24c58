/* Corners of binary JSON that no honest server writes, and partial updates one by one. Whole documents: oracle_test.c. */
#include "core/text.h"
#include "decoders/binlog/json.h"
#include "tests/unit/decoders_binlog/values.h"

#define SCRATCH_MAX ((size_t)4 << 20)

static char *printed(const char *hex)
{
	uint8_t bytes[1024];
	size_t len = unhex(hex, bytes);
	uint8_t *exact = malloc(len + (len == 0));
	tr_arena scratch;
	tr_slice text;
	tr_err err = {0};
	char *out;

	memcpy(exact, bytes, len);
	tr_arena_init(&scratch, SCRATCH_MAX);
	if (tr_bl_json_print(tr_slice_of(exact, len), &scratch, &text, &err) == 0)
		out = tr_text_copy(text);
	else
		out = strdup(err.code == TR_E_DECODE_VALUE ? "refused" : err.text);
	tr_arena_release(&scratch);
	free(exact);
	return out;
}

static void expect_print(const char *hex, const char *want)
{
	char *have = printed(hex);

	ck_assert_msg(strcmp(have, want) == 0, "%s: %s, not %s", hex, have, want);
	free(have);
}

START_TEST(documents)
{
	expect_print("", "null"); /* INSERT IGNORE leaves no bytes at all */
	expect_print("0400", "null");
	expect_print("0401", "true");
	expect_print("0402", "false");
	expect_print("05ffff", "-1");
	expect_print("06ffff", "65535");
	expect_print("07 00000080", "-2147483648");
	expect_print("0a ffffffffffffffff", "18446744073709551615");
	expect_print("09 0000000000000080", "-9223372036854775808");
	expect_print("0b 0000000000000840", "3.0");
	expect_print("0b 0000000000000080", "-0.0");
	expect_print("0b 0100000000000000", "5e-324");
	expect_print("0b ffffffffffffef7f", "1.7976931348623157e308");
	expect_print("0c 03 61220a", "\"a\\\"\\n\"");
	expect_print("0c 01 01", "\"\\u0001\"");
	expect_print("02 0000 0400", "[]");
	expect_print("00 0000 0400", "{}");
	/* {"a": 1, "b": [1, 2]} */
	expect_print("00 0200 1e00 1200 0100 1300 0100 05 0100 02 1400 61 62 0200 0a00 05 0100 05 0200", "{\"a\": 1, \"b\": [1, 2]}");
	expect_print("0f f6 04 0502 8001 32", "refused");
	expect_print("0f f6 05 0502 8001 32", "1.50");
	expect_print("0f 0a 08 000000000044a519", "\"2020-01-02\"");
	expect_print("0f 0c 08 0000000000 000000", "\"0000-00-00 00:00:00.000000\"");
	expect_print("0f fc 02 00ff", "\"base64:type252:AP8=\"");
}
END_TEST

START_TEST(what_is_no_document_is_refused)
{
	static const char *const broken[] = {
		"04", "0403", "05ff", "0b00", "0c", "0c05", "0cffffffffffffff", "0e00", "0f", "0ff6", "ff00", "02", "02ffff0400",
		"02 0100 0700 05 0000 00 0000", "02 0100 0700 0c ffff", "00 0100 0b00 ffff 0100 04 0000", "03 ffffff7f ffffff7f",
		"0ff6 03 ff0000", "0f 0b 08 00000000ff ffff7f", "0f 0a 08 ffffffffffffff7f", "0f f6 8080808080",
	};

	for (size_t i = 1; i < sizeof(broken) / sizeof(broken[0]); i++) {
		if (i == 13)
			continue; /* valid: the array is shorter than its size */
		expect_print(broken[i], "refused");
	}
	expect_print(broken[0], "refused");
	expect_print(broken[13], "[0]");
}
END_TEST

/* An array whose only item is the array itself. */
START_TEST(a_document_that_contains_itself_ends)
{
	expect_print("02 0100 0700 02 0000", "refused");
	/* Twice in each: 2^100 items, were there room for them. */
	expect_print("02 0200 0a00 02 0000 02 0000", "refused");
}
END_TEST

static void expect_patch(const char *before, const char *diffs, const char *want)
{
	uint8_t document[512], changes[512];
	size_t document_len = unhex(before, document), changes_len = unhex(diffs, changes);
	tr_arena scratch;
	tr_slice text;
	tr_err err = {0};

	tr_arena_init(&scratch, SCRATCH_MAX);
	if (tr_bl_json_patch(tr_slice_of(document, document_len), tr_slice_of(changes, changes_len), &scratch, &text, &err) != 0) {
		ck_assert_msg(!want, "refused: %s (%s)", diffs, err.detail);
		ck_assert_int_eq(err.code, TR_E_DECODE_VALUE);
	} else {
		ck_assert_msg(want != NULL, "accepted: %s", diffs);
		ck_assert_msg(tr_slice_eq(text, tr_slice_str(want)), "%s: %.*s, not %s", diffs, (int)text.len, text.ptr, want);
	}
	tr_arena_release(&scratch);
}

/* {"a": 1, "b": [1, 2]} */
#define BEFORE "00 0200 1e00 1200 0100 1300 0100 05 0100 02 1400 61 62 0200 0a00 05 0100 05 0200"

/* PARTIAL_JSON: replaying the wrong document, or the diffs in another way, loses updates without a sound. */
START_TEST(partial_json_updates)
{
	expect_patch(BEFORE, "", "{\"a\": 1, \"b\": [1, 2]}");
	expect_patch(BEFORE, "00 03 242e61 03 050700", "{\"a\": 7, \"b\": [1, 2]}");               /* replace $.a */
	expect_patch(BEFORE, "02 03 242e61", "{\"b\": [1, 2]}");                                 /* remove $.a */
	expect_patch(BEFORE, "01 03 242e63 02 0401", "{\"a\": 1, \"b\": [1, 2], \"c\": true}");     /* insert $.c */
	expect_patch(BEFORE, "01 04 242e6161 02 0400", "{\"a\": 1, \"b\": [1, 2], \"aa\": null}");  /* longer keys come later */
	expect_patch(BEFORE, "01 06 242e625b305d 02 0402", "{\"a\": 1, \"b\": [false, 1, 2]}");    /* insert $.b[0] */
	expect_patch(BEFORE, "01 06 242e625b395d 02 0402", "{\"a\": 1, \"b\": [1, 2, false]}");    /* beyond the end: at the end */
	expect_patch(BEFORE, "02 06 242e625b305d 00 06 242e625b305d 03 050900", "{\"a\": 1, \"b\": [9]}");
	expect_patch(BEFORE, "00 01 24 02 0400", "null");
	expect_patch(BEFORE, "01 07 242e225c2278 22 02 0401", "{\"a\": 1, \"b\": [1, 2], \"\\\"x\": true}");
	/* What does not fit the document. */
	expect_patch(BEFORE, "00 03 242e63 03 050700", NULL);
	expect_patch(BEFORE, "02 03 242e63", NULL);
	expect_patch(BEFORE, "01 03 242e61 03 050700", NULL);
	expect_patch(BEFORE, "00 06 242e625b325d 02 0400", NULL);
	expect_patch(BEFORE, "00 06 242e615b305d 02 0400", NULL);
	expect_patch(BEFORE, "00 05 242e622e78 02 0400", NULL);
	/* What is no list of diffs. */
	expect_patch(BEFORE, "03 03 242e61", NULL);
	expect_patch(BEFORE, "00", NULL);
	expect_patch(BEFORE, "00 03 2e2e61 02 0400", NULL);
	expect_patch(BEFORE, "00 03 242e", NULL);
	expect_patch(BEFORE, "00 02 242e 02 0400", NULL);
	expect_patch(BEFORE, "00 03 245b5d 02 0400", NULL);
	expect_patch(BEFORE, "00 0d 245b3939393939393939395d31 02 0400", NULL);
	expect_patch(BEFORE, "02 01 24", NULL);
	expect_patch(BEFORE, "00 fb", NULL);
	expect_patch(BEFORE, "00 fe ffffffffffffffff", NULL);
	expect_patch("02", "", NULL);
}
END_TEST

START_TEST(output_ends_with_the_arena)
{
	uint8_t document[8 + 60000];
	tr_arena scratch;
	tr_slice text;
	tr_err err = {0};

	memset(document, 1, sizeof(document));
	memcpy(document, "\x0c\xe0\xd4\x03", 4); /* a string of 60000 control characters */
	tr_arena_init(&scratch, 100000);
	ck_assert_int_eq(tr_bl_json_print(tr_slice_of(document, sizeof(document)), &scratch, &text, &err), -1);
	ck_assert_int_eq(err.code, TR_E_BATCH_LIMIT);
	tr_arena_release(&scratch);
}
END_TEST

TEST_MAIN("json", documents, what_is_no_document_is_refused, a_document_that_contains_itself_ends, partial_json_updates,
          output_ends_with_the_arena)
