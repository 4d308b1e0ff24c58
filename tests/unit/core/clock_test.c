#include "core/clock.h"
#include "tests/unit/test.h"

START_TEST(time_goes_on)
{
	int64_t mono_us = tr_clock_mono_us(), wall_ns = tr_clock_wall_ns();

	tr_clock_sleep_ms(20);
	ck_assert_int_ge(tr_clock_mono_us() - mono_us, 20000);
	ck_assert_int_gt(wall_ns, 1577836800000000000); /* 2020 */
	tr_clock_sleep_ms(0);
	tr_clock_sleep_ms(-5);
}
END_TEST

START_TEST(delays_stay_within_their_limits)
{
	tr_backoff b;
	int64_t sum = 0;

	tr_backoff_init(&b, 100, 5000);
	for (int round = 0; round < 200; round++) {
		tr_backoff_reset(&b);
		for (int n = 1, limit = 200; n < 100; n++, limit = limit < 5000 ? 2 * limit : limit) {
			int ms = tr_backoff_next_ms(&b);
			ck_assert_int_ge(ms, 1);
			ck_assert_int_le(ms, limit < 5000 ? limit : 5000);
			sum += n == 1 ? ms : 0;
		}
	}
	/* The first is around 100 ms: 200 uniform draws have their mean within a third of it. */
	ck_assert_int_gt(sum / 200, 66);
	ck_assert_int_lt(sum / 200, 134);
}
END_TEST

START_TEST(two_do_not_go_in_step)
{
	tr_backoff a, b;
	int same = 0;

	tr_backoff_init(&a, 1000, 1000000);
	tr_backoff_init(&b, 1000, 1000000);
	for (int i = 0; i < 20; i++)
		same += tr_backoff_next_ms(&a) == tr_backoff_next_ms(&b);
	ck_assert_int_lt(same, 5);
}
END_TEST

TEST_MAIN("clock", time_goes_on, delays_stay_within_their_limits, two_do_not_go_in_step)
