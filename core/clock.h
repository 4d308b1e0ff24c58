/* Time with the unit in the name. Monotonic for timers and back-off; wall clock only for what is published. */
#ifndef TR_CORE_CLOCK_H
#define TR_CORE_CLOCK_H

#include <stdint.h>

int64_t tr_clock_mono_us(void);
int64_t tr_clock_wall_ns(void);
void tr_clock_sleep_ms(int ms);

/*
 * Exponential back-off with full jitter: the n-th delay (from 1) is uniform in 1 .. min(max_ms, first_ms * 2^n), so the
 * first is around first_ms.
 */
typedef struct tr_backoff {
	int first_ms, max_ms, attempt;
	uint64_t seed;
} tr_backoff;
void tr_backoff_init(tr_backoff *b, int first_ms, int max_ms);
int tr_backoff_next_ms(tr_backoff *b);
void tr_backoff_reset(tr_backoff *b);

#endif
