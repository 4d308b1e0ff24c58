#include "core/reader.h"
#include "tests/unit/test.h"

static tr_reader reader_of(const void *bytes, size_t len)
{
	tr_reader r;

	tr_reader_init(&r, tr_slice_of(bytes, len));
	return r;
}

START_TEST(integers_in_both_orders)
{
	tr_reader r = reader_of("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10\x11\x12", 18);

	ck_assert_uint_eq(tr_reader_u8(&r), 1);
	ck_assert_uint_eq(tr_reader_be16(&r), 0x0203);
	ck_assert_uint_eq(tr_reader_be32(&r), 0x04050607);
	ck_assert_uint_eq(tr_reader_be64(&r), 0x08090a0b0c0d0e0fu);
	ck_assert_uint_eq(tr_reader_le(&r, 3), 0x121110);
	ck_assert_uint_eq(tr_reader_left(&r), 0);
	ck_assert(!r.failed);
}
END_TEST

START_TEST(little_endian_of_each_width)
{
	static const uint64_t want[] = {0x01, 0x0201, 0x030201, 0x04030201, 0x0504030201, 0x060504030201,
	    0x07060504030201, 0x8807060504030201u};

	for (unsigned n = 1; n <= 8; n++) {
		tr_reader r = reader_of("\x01\x02\x03\x04\x05\x06\x07\x88", 8);
		ck_assert_uint_eq(tr_reader_le(&r, n), want[n - 1]);
		ck_assert_uint_eq(tr_reader_offset(&r), n);
	}
}
END_TEST

START_TEST(first_failure_is_kept)
{
	tr_reader r = reader_of("abcde", 5);
	tr_err err;

	tr_reader_u8(&r);
	tr_reader_be16(&r);
	ck_assert_uint_eq(tr_reader_be32(&r), 0);
	/* Two bytes are left, but after a failure nothing is read any more. */
	ck_assert_uint_eq(tr_reader_u8(&r), 0);
	ck_assert_ptr_null(tr_reader_bytes(&r, 1).ptr);
	ck_assert(r.failed);
	ck_assert_uint_eq(r.fail_offset, 3);
	ck_assert_uint_eq(r.fail_wanted, 4);
	ck_assert_uint_eq(r.fail_left, 2);
	ck_assert_int_eq(tr_reader_error(&r, "message 'R'", &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_SHORT);
	ck_assert_str_eq(err.text, "message 'R' ends at byte 3: 4 wanted, 2 left");
}
END_TEST

START_TEST(half_a_be64_is_none)
{
	tr_reader r = reader_of("abcdef", 6);

	ck_assert_uint_eq(tr_reader_be64(&r), 0);
	ck_assert(r.failed);
	ck_assert_uint_eq(r.fail_offset, 0);
	ck_assert_uint_eq(r.fail_wanted, 8);
	ck_assert_uint_eq(r.fail_left, 6);
}
END_TEST

START_TEST(huge_wants_do_not_wrap)
{
	tr_reader r = reader_of("abc", 3);

	ck_assert_ptr_null(tr_reader_take(&r, SIZE_MAX));
	ck_assert_uint_eq(r.fail_wanted, SIZE_MAX);
	ck_assert_uint_eq(r.fail_offset, 0);
}
END_TEST

START_TEST(cstrings)
{
	tr_reader r = reader_of("public\0\0rest", 12);

	ck_assert(tr_slice_eq(tr_reader_cstring(&r), tr_slice_str("public")));
	ck_assert_uint_eq(tr_reader_cstring(&r).len, 0);
	ck_assert(!r.failed);
	ck_assert_ptr_null(tr_reader_cstring(&r).ptr);
	ck_assert(r.failed);
	ck_assert_uint_eq(r.fail_offset, 8);
	ck_assert_uint_eq(r.fail_wanted, 5);
	ck_assert_uint_eq(r.fail_left, 4);
}
END_TEST

START_TEST(nothing_to_read)
{
	tr_reader r = reader_of(NULL, 0);

	ck_assert_uint_eq(tr_reader_left(&r), 0);
	ck_assert_ptr_nonnull(tr_reader_take(&r, 0));
	ck_assert(!r.failed);
	tr_reader_cstring(&r);
	ck_assert(r.failed);
	ck_assert_uint_eq(r.fail_wanted, 1);
}
END_TEST

START_TEST(caller_declares_a_failure)
{
	tr_reader r = reader_of("abc", 3);

	tr_reader_u8(&r);
	tr_reader_fail(&r, 100);
	tr_reader_fail(&r, 7);
	ck_assert_uint_eq(r.fail_offset, 1);
	ck_assert_uint_eq(r.fail_wanted, 100);
}
END_TEST

TEST_MAIN("reader", integers_in_both_orders, little_endian_of_each_width, first_failure_is_kept,
    half_a_be64_is_none, huge_wants_do_not_wrap, cstrings, nothing_to_read, caller_declares_a_failure)
