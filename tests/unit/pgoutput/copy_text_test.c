#include "decoders/pgoutput/message.h"

#include "tests/unit/test.h"

#define COUNT 4

typedef struct row {
	tr_arena scratch;
	tr_datum data[COUNT];
	tr_err err;
} row;

static int split(row *r, const char *line, size_t count)
{
	tr_arena_init(&r->scratch, 1 << 16);
	memset(r->data, 0xff, sizeof(r->data));
	return tr_pg_copy_text_row(tr_slice_str(line), &r->scratch, r->data, count, &r->err);
}

static void assert_field(const row *r, size_t field, const char *text)
{
	if (!text) {
		ck_assert_int_eq(r->data[field].form, TR_D_NULL);
		return;
	}
	ck_assert_int_eq(r->data[field].form, TR_D_TEXT);
	ck_assert_uint_eq(r->data[field].len, strlen(text));
	ck_assert(memcmp(r->data[field].ptr, text, strlen(text)) == 0);
}

START_TEST(plain_fields_are_slices)
{
	const char *line = "1\ttwo\t\tfour";
	row r;

	ck_assert_int_eq(split(&r, line, 4), 0);
	assert_field(&r, 0, "1");
	assert_field(&r, 1, "two");
	assert_field(&r, 2, "");
	assert_field(&r, 3, "four");
	ck_assert_ptr_eq(r.data[1].ptr, line + 2);
	ck_assert_uint_eq(r.scratch.used, 0);
	tr_arena_release(&r.scratch);
}
END_TEST

START_TEST(nulls_and_escapes)
{
	row r;

	ck_assert_int_eq(split(&r, "\\N\ta\\tb\\nc\\\\d\t\\\\N\t\\b\\f\\r\\v", 4), 0);
	assert_field(&r, 0, NULL);
	assert_field(&r, 1, "a\tb\nc\\d");
	assert_field(&r, 2, "\\N");
	assert_field(&r, 3, "\b\f\r\v");
	tr_arena_release(&r.scratch);
}
END_TEST

START_TEST(another_count_is_refused)
{
	row r;

	ck_assert_int_eq(split(&r, "a\tb", 3), -1);
	ck_assert_int_eq(r.err.code, TR_E_DECODE_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(r.err.detail, "field 2"));
	ck_assert_int_eq(split(&r, "a\tb\tc", 2), -1);
	ck_assert_int_eq(split(&r, "", 1), 0);
	assert_field(&r, 0, "");
	ck_assert_int_eq(split(&r, "", 0), 0);
	ck_assert_int_eq(split(&r, "a", 0), -1);
}
END_TEST

START_TEST(unknown_escapes_are_refused)
{
	row r;

	ck_assert_int_eq(split(&r, "a\\qb", 1), -1);
	tr_arena_release(&r.scratch);
	ck_assert_int_eq(split(&r, "a\\", 1), -1);
	tr_arena_release(&r.scratch);
}
END_TEST

START_TEST(scratch_has_a_limit)
{
	row r = {0};

	tr_arena_init(&r.scratch, 4);
	ck_assert_int_eq(tr_pg_copy_text_row(tr_slice_str("aaaaaaaaaaaaaaaaaaaaaaaa\\n"), &r.scratch, r.data, 1, &r.err), -1);
	ck_assert_int_eq(r.err.code, TR_E_BATCH_LIMIT);
	tr_arena_release(&r.scratch);
}
END_TEST

TEST_MAIN("pgoutput.copy_text", plain_fields_are_slices, nulls_and_escapes, another_count_is_refused,
          unknown_escapes_are_refused, scratch_has_a_limit)
