#include "core/writer.h"
#include "tests/unit/test.h"

#include <inttypes.h>
#include <stdio.h>

static tr_slice lit(const char *text)
{
	return tr_slice_str(text);
}

START_TEST(appends_and_keeps_memory)
{
	tr_writer w;

	tr_writer_init(&w, 1 << 20);
	for (int i = 0; i < 1000; i++)
		tr_writer_text(&w, "abc");
	ck_assert(tr_writer_ok(&w));
	ck_assert_uint_eq(w.len, 3000);
	ck_assert_mem_eq(w.data + 2997, "abc", 3);
	const uint8_t *before = w.data;
	size_t cap = w.cap;
	tr_writer_reset(&w);
	ck_assert_uint_eq(w.len, 0);
	tr_writer_u8(&w, 'x');
	ck_assert_ptr_eq(w.data, before);
	ck_assert_uint_eq(w.cap, cap);
	tr_writer_release(&w);
	ck_assert_ptr_null(w.data);
	ck_assert_uint_eq(w.max, 1 << 20);
}
END_TEST

START_TEST(maximum_is_exact_and_failure_sticks)
{
	tr_writer w;

	tr_writer_init(&w, 1000);
	for (int i = 0; i < 1000; i++)
		tr_writer_u8(&w, 'x');
	ck_assert(tr_writer_ok(&w));
	ck_assert_uint_le(w.cap, 1000);
	tr_writer_u8(&w, 'y');
	ck_assert(!tr_writer_ok(&w));
	ck_assert_uint_eq(w.len, 1000);
	w.len = 10; /* even with room again: */
	tr_writer_text(&w, "abc");
	tr_writer_be64(&w, 1);
	tr_writer_zigzag(&w, 1);
	tr_writer_format(&w, "%d", 5);
	ck_assert_uint_eq(w.len, 10);
	tr_writer_reset(&w);
	ck_assert(tr_writer_ok(&w));
	tr_writer_release(&w);
}
END_TEST

START_TEST(too_large_at_once)
{
	tr_writer w;

	tr_writer_init(&w, 100);
	tr_writer_u8(&w, 'x');
	ck_assert(!tr_writer_grow(&w, SIZE_MAX));
	ck_assert(!tr_writer_ok(&w));
	tr_writer_reset(&w);
	ck_assert(!tr_writer_reserve(&w, 101));
	tr_writer_reset(&w);
	ck_assert(tr_writer_reserve(&w, 100));
	tr_writer_release(&w);
	tr_writer_init(&w, 0);
	tr_writer_put(&w, NULL, 0);
	ck_assert(tr_writer_ok(&w));
	tr_writer_u8(&w, 1);
	ck_assert(!tr_writer_ok(&w));
	tr_writer_release(&w);
}
END_TEST

START_TEST(zigzag_as_avro_writes_it)
{
	static const struct {
		int64_t value;
		const char *bytes;
		size_t len;
	} cases[] = {
	    {0, "\x00", 1}, {-1, "\x01", 1}, {1, "\x02", 1}, {-64, "\x7f", 1}, {64, "\x80\x01", 2}, {8192, "\x80\x80\x01", 3},
	    {INT64_MAX, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
	    {INT64_MIN, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},
	};
	tr_writer w;

	tr_writer_init(&w, 100);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tr_writer_reset(&w);
		tr_writer_zigzag(&w, cases[i].value);
		ck_assert(tr_slice_eq(tr_writer_view(&w), tr_slice_of(cases[i].bytes, cases[i].len)));
	}
	tr_writer_release(&w);
}
END_TEST

START_TEST(decimals_as_printf_writes_them)
{
	static const int64_t values[] = {0, 1, -1, 9, 10, 99, 100, -100, 1234567890123, INT64_MAX, INT64_MIN};
	tr_writer w;
	char want[32];

	tr_writer_init(&w, 100);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		tr_writer_reset(&w);
		tr_writer_decimal_i64(&w, values[i]);
		snprintf(want, sizeof(want), "%" PRId64, values[i]);
		ck_assert(tr_slice_eq(tr_writer_view(&w), lit(want)));
	}
	tr_writer_reset(&w);
	tr_writer_decimal_u64(&w, UINT64_MAX);
	ck_assert(tr_slice_eq(tr_writer_view(&w), lit("18446744073709551615")));
	tr_writer_release(&w);
}
END_TEST

START_TEST(big_endian_and_format)
{
	tr_writer w;

	tr_writer_init(&w, 1000);
	tr_writer_be32(&w, 0x01020304);
	tr_writer_be64(&w, 0x05060708090a0b0cu);
	ck_assert(tr_slice_eq(tr_writer_view(&w), tr_slice_of("\1\2\3\4\5\6\7\x8\x9\xa\xb\xc", 12)));
	tr_writer_reset(&w);
	tr_writer_format(&w, "%s=%d", "a", 5);
	tr_writer_format(&w, ",%300s", "x");
	ck_assert_uint_eq(w.len, 304);
	ck_assert_mem_eq(w.data, "a=5,  ", 6);
	ck_assert_uint_eq(w.data[303], 'x');
	tr_writer_release(&w);
}
END_TEST

TEST_MAIN("writer", appends_and_keeps_memory, maximum_is_exact_and_failure_sticks, too_large_at_once,
    zigzag_as_avro_writes_it, decimals_as_printf_writes_them, big_endian_and_format)
