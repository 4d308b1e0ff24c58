#include "core/clock.h"
#include "core/ring.h"
#include "tests/unit/test.h"

#include <pthread.h>

#define ITEMS 20000

START_TEST(order_capacity_and_no_waiting)
{
	int items[4];
	tr_ring *ring = tr_ring_new(3);

	ck_assert_ptr_null(tr_ring_pop(ring, 0));
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++)
			ck_assert(tr_ring_push(ring, &items[i], 0));
		ck_assert(!tr_ring_push(ring, &items[3], 0));
		ck_assert_uint_eq(tr_ring_count(ring), 3);
		for (int i = 0; i < 3; i++)
			ck_assert_ptr_eq(tr_ring_pop(ring, 0), &items[i]);
		ck_assert_ptr_eq(tr_ring_pop(ring, 0), NULL);
		/* Shift the start, so that the rounds wrap at different places. */
		ck_assert(tr_ring_push(ring, &items[0], 0));
		ck_assert_ptr_nonnull(tr_ring_pop(ring, 0));
	}
	tr_ring_free(ring);
	tr_ring_free(NULL);
}
END_TEST

START_TEST(both_ends_time_out)
{
	int item;
	tr_ring *ring = tr_ring_new(1);
	int64_t start_us = tr_clock_mono_us();

	ck_assert_ptr_null(tr_ring_pop(ring, 30));
	ck_assert_int_ge(tr_clock_mono_us() - start_us, 30000);
	ck_assert(tr_ring_push(ring, &item, 30));
	start_us = tr_clock_mono_us();
	ck_assert(!tr_ring_push(ring, &item, 30));
	ck_assert_int_ge(tr_clock_mono_us() - start_us, 30000);
	tr_ring_free(ring);
}
END_TEST

START_TEST(closed_ring_takes_nothing_and_gives_the_rest)
{
	int items[2];
	tr_ring *ring = tr_ring_new(4);

	ck_assert(tr_ring_push(ring, &items[0], 0));
	ck_assert(tr_ring_push(ring, &items[1], 0));
	ck_assert(!tr_ring_closed(ring));
	tr_ring_close(ring);
	tr_ring_close(ring);
	ck_assert(tr_ring_closed(ring));
	ck_assert(!tr_ring_push(ring, &items[0], -1));
	ck_assert_ptr_eq(tr_ring_pop(ring, -1), &items[0]);
	ck_assert_ptr_eq(tr_ring_pop(ring, -1), &items[1]);
	ck_assert_ptr_null(tr_ring_pop(ring, -1));
	tr_ring_free(ring);
}
END_TEST

typedef struct producer {
	tr_ring *ring;
	long *items;
	int timeout_ms;
} producer;

static void *produce(void *arg)
{
	producer *p = arg;

	for (int i = 0; i < ITEMS; i++) {
		p->items[i] = i; /* plain memory: handing it over has to publish it */
		while (!tr_ring_push(p->ring, &p->items[i], p->timeout_ms))
			;
	}
	tr_ring_close(p->ring);
	return NULL;
}

static void two_threads(size_t capacity, int timeout_ms)
{
	producer p = {tr_ring_new(capacity), calloc(ITEMS, sizeof(long)), timeout_ms};
	pthread_t thread;
	long want = 0, *item;

	ck_assert_int_eq(pthread_create(&thread, NULL, produce, &p), 0);
	while ((item = tr_ring_pop(p.ring, timeout_ms)) || !tr_ring_closed(p.ring) || tr_ring_count(p.ring) > 0)
		if (item)
			ck_assert_int_eq(*item, want++);
	pthread_join(thread, NULL);
	ck_assert_int_eq(want, ITEMS);
	free(p.items);
	tr_ring_free(p.ring);
}

START_TEST(two_threads_lose_nothing)
{
	two_threads(1, -1);
	two_threads(7, 1);
	two_threads(1000, 0);
}
END_TEST

static void *close_soon(void *ring)
{
	tr_clock_sleep_ms(20);
	tr_ring_close(ring);
	return NULL;
}

START_TEST(close_wakes_a_waiting_end)
{
	for (int full = 0; full < 2; full++) {
		tr_ring *ring = tr_ring_new(1);
		pthread_t thread;

		if (full)
			ck_assert(tr_ring_push(ring, ring, 0));
		ck_assert_int_eq(pthread_create(&thread, NULL, close_soon, ring), 0);
		if (full)
			ck_assert(!tr_ring_push(ring, ring, -1));
		else
			ck_assert_ptr_null(tr_ring_pop(ring, -1));
		pthread_join(thread, NULL);
		tr_ring_free(ring);
	}
}
END_TEST

TEST_MAIN("ring", order_capacity_and_no_waiting, both_ends_time_out, closed_ring_takes_nothing_and_gives_the_rest,
    two_threads_lose_nothing, close_wakes_a_waiting_end)
