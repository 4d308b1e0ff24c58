/* Digits and variable-length integers beside the plain way of making them. */
#include "core/digits.h"
#include "tests/unit/test.h"

#include <stdio.h>

static size_t plain_zigzag(uint8_t *at, int64_t value)
{
	uint64_t n = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
	size_t len = 0;

	for (; n > 0x7f; n >>= 7)
		at[len++] = (uint8_t)(n | 0x80);
	at[len++] = (uint8_t)n;
	return len;
}

static void compare(uint64_t value)
{
	uint8_t a[TR_DECIMAL_BYTES + 1], b[TR_DECIMAL_BYTES + 1];
	char text[32];
	size_t len = plain_zigzag(a, (int64_t)value);

	ck_assert_uint_eq((size_t)(tr_put_zigzag(b, (int64_t)value) - b), len);
	ck_assert_mem_eq(a, b, len);
	len = (size_t)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	ck_assert_uint_eq((size_t)(tr_put_decimal(b, value) - b), len);
	ck_assert_mem_eq(text, b, len);
	snprintf(text, sizeof(text), "%020llu", (unsigned long long)value);
	for (unsigned count = 1; count <= TR_DECIMAL_BYTES; count++) {
		ck_assert_ptr_eq(tr_put_fixed(b, value, count), b + count);
		ck_assert_mem_eq(text + TR_DECIMAL_BYTES - count, b, count);
	}
}

START_TEST(around_every_power)
{
	for (int bit = 0; bit < 64; bit++)
		for (int64_t near = -3; near <= 3; near++) {
			compare((UINT64_C(1) << bit) + (uint64_t)near);
			compare(0 - (UINT64_C(1) << bit) + (uint64_t)near);
		}
	for (uint64_t power = 1; power < UINT64_C(10000000000000000000); power *= 10)
		for (int64_t near = -2; near <= 2; near++)
			compare(power + (uint64_t)near);
}
END_TEST

START_TEST(all_over)
{
	uint64_t state = 42;

	for (int i = 0; i < 20000; i++) {
		state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		compare(state >> (state & 63));
	}
}
END_TEST

TEST_MAIN("digits", around_every_power, all_over)
