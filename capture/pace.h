/*
 * How a socket is read follows what arrives. A server flushes every message by itself, so a reader that wakes for each one
 * spends its time in system calls while it is behind. Three paces, chosen by the rate of the last 20 ms:
 *
 *     each    below 256 KiB/s: every message is reported, and the listener told of idleness, at once
 *     gather  up to 2 ms pass before idleness is told, so that batches get more than one event
 *     fill    above 4 MiB/s: a low-water mark lets TR_PACE_FILL_BYTES come together, for at most TR_PACE_FILL_MS
 *
 * One thread. Times are monotonic.
 */
#ifndef TR_CAPTURE_PACE_H
#define TR_CAPTURE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/metric.h"

#define TR_PACE_GATHER_MS  2
#define TR_PACE_FILL_MS    20
#define TR_PACE_FILL_BYTES (64 << 10)

typedef enum tr_pace_kind { TR_PACE_EACH, TR_PACE_GATHER, TR_PACE_FILL } tr_pace_kind;

typedef struct tr_pace {
	tr_pace_kind kind;
	int64_t window_start_us;
	int64_t gather_since_us; /* 0 = nothing is held back */
	uint64_t bytes;          /* read within the window: the reader adds to it */
} tr_pace;

/* Chooses anew when the window is over, and counts its bytes (metrics may be NULL). */
void tr_pace_measure(tr_pace *p, int64_t now_us, tr_metrics *metrics);
/* How long to wait for more before idleness is told; 0 = not at all. */
int tr_pace_linger_ms(const tr_pace *p);
/* More has come: whether to read on before idleness is told. What comes steadily, with never a pause of TR_PACE_GATHER_MS, must
 * not wait for one; while much comes, batches get full. */
bool tr_pace_gathers(tr_pace *p, int64_t now_us);
/* Idleness is told. */
static inline void tr_pace_idle(tr_pace *p)
{
	p->gather_since_us = 0;
}

#endif
