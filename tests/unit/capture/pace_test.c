#include "capture/pace.h"
#include "tests/unit/test.h"

#define START_US 1000000

/* The pace after a window of 20 ms in which so much came. */
static tr_pace after(uint64_t bytes)
{
	tr_pace p = {.window_start_us = START_US, .bytes = bytes};

	tr_pace_measure(&p, START_US + 20000, NULL);
	return p;
}

START_TEST(the_rate_of_a_window_chooses)
{
	ck_assert_int_eq(after(0).kind, TR_PACE_EACH);
	ck_assert_int_eq(after(5 << 10).kind, TR_PACE_EACH);
	ck_assert_int_eq(after(6 << 10).kind, TR_PACE_GATHER);
	ck_assert_int_eq(after(80 << 10).kind, TR_PACE_GATHER);
	ck_assert_int_eq(after(100 << 10).kind, TR_PACE_FILL);
	ck_assert_int_eq((int)after(100 << 10).bytes, 0);
}
END_TEST

START_TEST(a_window_is_measured_when_it_is_over)
{
	tr_pace p = {.window_start_us = START_US, .bytes = 1 << 20};

	tr_pace_measure(&p, START_US + 19999, NULL);
	ck_assert_int_eq(p.kind, TR_PACE_EACH);
	ck_assert_int_eq((int)p.bytes, 1 << 20);
	tr_pace_measure(&p, START_US + 20000, NULL);
	ck_assert_int_eq(p.kind, TR_PACE_FILL);
	tr_pace_measure(&p, START_US + 40000, NULL);
	ck_assert_int_eq(p.kind, TR_PACE_EACH);
}
END_TEST

START_TEST(a_slow_flow_never_lingers)
{
	const tr_pace each = after(0), gather = after(20 << 10), fill = after(1 << 20);

	ck_assert_int_eq(tr_pace_linger_ms(&each), 0);
	ck_assert_int_eq(tr_pace_linger_ms(&gather), TR_PACE_GATHER_MS);
	ck_assert_int_eq(tr_pace_linger_ms(&fill), TR_PACE_FILL_MS);
}
END_TEST

/* Something comes each millisecond: idleness is told after 2 ms all the same, and the next wait is a new one. */
START_TEST(a_steady_flow_is_held_back_for_a_moment_only)
{
	tr_pace p = after(20 << 10);

	for (int round = 0; round < 3; round++) {
		const int64_t from_us = START_US + 30000 + round * 10000;

		ck_assert(tr_pace_gathers(&p, from_us));
		ck_assert(tr_pace_gathers(&p, from_us + 1000));
		ck_assert(!tr_pace_gathers(&p, from_us + 2000));
		tr_pace_idle(&p);
	}
	p = after(1 << 20);
	ck_assert(tr_pace_gathers(&p, START_US + 30000));
	ck_assert(tr_pace_gathers(&p, START_US + 90000));
}
END_TEST

TEST_MAIN("capture.pace", the_rate_of_a_window_chooses, a_window_is_measured_when_it_is_over, a_slow_flow_never_lingers,
	  a_steady_flow_is_held_back_for_a_moment_only)
