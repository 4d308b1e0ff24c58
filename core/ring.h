/*
 * A bounded single-producer single-consumer queue of pointers between the two threads of a pipeline. One operation per
 * batch, never per row. Both ends block with a timeout on a condition variable; close wakes both.
 */
#ifndef TR_CORE_RING_H
#define TR_CORE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tr_ring tr_ring;

tr_ring *tr_ring_new(size_t capacity);
void tr_ring_free(tr_ring *ring);
/* Producer. True when the pointer was put in; false on timeout (full) or when closed. timeout_ms 0 = do not wait,
 * below 0 = wait without end. */
bool tr_ring_push(tr_ring *ring, void *item, int timeout_ms);
/* Consumer. NULL on timeout, or when closed and empty. */
void *tr_ring_pop(tr_ring *ring, int timeout_ms);
/* No more pushes; what is inside can still be popped. Any thread. */
void tr_ring_close(tr_ring *ring);
bool tr_ring_closed(const tr_ring *ring);
size_t tr_ring_count(const tr_ring *ring);

#endif
