#include "core/ring.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/obj.h"

#define RING_MAGIC 0x52494e47u

struct tr_ring {
	uint32_t magic;
	size_t capacity;
	pthread_mutex_t lock;
	pthread_cond_t not_empty, not_full;
	/* Under lock; count and closed are also read without it. */
	size_t head; /* the oldest item */
	_Atomic(size_t) count;
	atomic_bool closed;
	void *items[];
};

tr_ring *tr_ring_new(size_t capacity)
{
	TR_ASSERT(capacity > 0 && capacity < SIZE_MAX / sizeof(void *) / 2);
	tr_ring *ring = calloc(1, sizeof(*ring) + capacity * sizeof(void *));
	pthread_condattr_t attr;

	if (!ring)
		return NULL;
	ring->magic = RING_MAGIC;
	ring->capacity = capacity;
	pthread_mutex_init(&ring->lock, NULL);
	pthread_condattr_init(&attr);
	/* A stepped wall clock must not stretch a timeout. */
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&ring->not_empty, &attr);
	pthread_cond_init(&ring->not_full, &attr);
	pthread_condattr_destroy(&attr);
	return ring;
}

void tr_ring_free(tr_ring *ring)
{
	if (!ring)
		return;
	TR_CHECK_OBJ(ring, RING_MAGIC);
	ring->magic = 0;
	pthread_cond_destroy(&ring->not_empty);
	pthread_cond_destroy(&ring->not_full);
	pthread_mutex_destroy(&ring->lock);
	free(ring);
}

static struct timespec deadline_after(int timeout_ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

/* With the lock held. False when the deadline has passed. */
static bool wait_for(tr_ring *ring, pthread_cond_t *cond, int timeout_ms, const struct timespec *deadline)
{
	if (timeout_ms == 0)
		return false;
	if (timeout_ms < 0)
		return pthread_cond_wait(cond, &ring->lock) == 0;
	return pthread_cond_timedwait(cond, &ring->lock, deadline) != ETIMEDOUT;
}

bool tr_ring_push(tr_ring *ring, void *item, int timeout_ms)
{
	TR_CHECK_OBJ(ring, RING_MAGIC);
	TR_ASSERT(item != NULL);
	struct timespec deadline = timeout_ms > 0 ? deadline_after(timeout_ms) : (struct timespec){0};
	bool done = false;

	pthread_mutex_lock(&ring->lock);
	while (!ring->closed && ring->count == ring->capacity)
		if (!wait_for(ring, &ring->not_full, timeout_ms, &deadline))
			break;
	if (!ring->closed && ring->count < ring->capacity) {
		ring->items[(ring->head + ring->count) % ring->capacity] = item;
		ring->count++;
		done = true;
		pthread_cond_signal(&ring->not_empty);
	}
	pthread_mutex_unlock(&ring->lock);
	return done;
}

void *tr_ring_pop(tr_ring *ring, int timeout_ms)
{
	TR_CHECK_OBJ(ring, RING_MAGIC);
	struct timespec deadline = timeout_ms > 0 ? deadline_after(timeout_ms) : (struct timespec){0};
	void *item = NULL;

	pthread_mutex_lock(&ring->lock);
	while (!ring->closed && ring->count == 0)
		if (!wait_for(ring, &ring->not_empty, timeout_ms, &deadline))
			break;
	if (ring->count > 0) {
		item = ring->items[ring->head];
		ring->head = (ring->head + 1) % ring->capacity;
		ring->count--;
		pthread_cond_signal(&ring->not_full);
	}
	pthread_mutex_unlock(&ring->lock);
	return item;
}

void tr_ring_close(tr_ring *ring)
{
	TR_CHECK_OBJ(ring, RING_MAGIC);
	pthread_mutex_lock(&ring->lock);
	ring->closed = true;
	pthread_cond_broadcast(&ring->not_empty);
	pthread_cond_broadcast(&ring->not_full);
	pthread_mutex_unlock(&ring->lock);
}

bool tr_ring_closed(const tr_ring *ring)
{
	TR_CHECK_OBJ(ring, RING_MAGIC);
	return atomic_load(&ring->closed);
}

size_t tr_ring_count(const tr_ring *ring)
{
	TR_CHECK_OBJ(ring, RING_MAGIC);
	return atomic_load(&ring->count);
}
