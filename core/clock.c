#include "core/clock.h"

#include <errno.h>
#include <time.h>

int64_t tr_clock_mono_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t tr_clock_wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

void tr_clock_sleep_ms(int ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};

	while (ms > 0 && nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

void tr_backoff_init(tr_backoff *b, int first_ms, int max_ms)
{
	*b = (tr_backoff){.first_ms = first_ms, .max_ms = max_ms};
	/* Differs between processes started in the same instant: the address is randomised. */
	b->seed = (uint64_t)tr_clock_wall_ns() ^ (uint64_t)(uintptr_t)b;
}

/* splitmix64 */
static uint64_t next_random(uint64_t *seed)
{
	uint64_t z = (*seed += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

int tr_backoff_next_ms(tr_backoff *b)
{
	int64_t limit = b->first_ms > 0 ? b->first_ms : 1;

	for (int i = 0; i <= b->attempt && limit < b->max_ms; i++)
		limit *= 2;
	if (limit > b->max_ms)
		limit = b->max_ms;
	if (limit < 1)
		limit = 1;
	if (b->attempt < 62)
		b->attempt++;
	return (int)(1 + next_random(&b->seed) % (uint64_t)limit);
}

void tr_backoff_reset(tr_backoff *b)
{
	b->attempt = 0;
}
