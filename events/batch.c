#include "events/batch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "core/obj.h"

#define POOL_MAGIC         0xba7c4002u
#define FIRST_RECORDS      ((size_t)256)
#define RECORDS_MAX        ((size_t)1 << 24)
#define POSITION_MAX_BYTES ((size_t)16 << 20)
/* A buffer is kept when it is below this, or not more than four times what batches usually need. */
#define KEEP_BYTES  ((size_t)256 << 10)
#define KEEP_FACTOR 4

struct tr_batch_pool {
	uint32_t magic;
	size_t count;
	tr_batch *batches;
	_Atomic(size_t) bytes;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t returned;
	tr_batch **free; /* a stack: the batch used last has warm memory */
	size_t free_count;
	size_t usual_bytes; /* what batches held lately */
	size_t budget_bytes; /* 0 = none */
};

static size_t held_bytes(const tr_batch *b)
{
	return b->bytes.cap + b->capacity * sizeof(tr_record) + b->position.cap + b->progress.cap;
}

static void account(tr_batch *b)
{
	size_t now = held_bytes(b);

	if (now == b->accounted_bytes)
		return;
	/* Modulo arithmetic makes a decrease of an increase by "minus". */
	atomic_fetch_add_explicit(&b->pool->bytes, now - b->accounted_bytes, memory_order_relaxed);
	b->accounted_bytes = now;
}

static void init_batch(tr_batch_pool *pool, tr_batch *b, size_t max_bytes)
{
	*b = (tr_batch){.magic = TR_BATCH_MAGIC, .pool = pool};
	tr_writer_init(&b->bytes, max_bytes);
	tr_writer_init(&b->position, POSITION_MAX_BYTES);
	tr_writer_init(&b->progress, POSITION_MAX_BYTES);
}

static int init_condition(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	int code = pthread_condattr_init(&attr);

	if (code != 0)
		return code;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	code = pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
	return code;
}

tr_batch_pool *tr_batch_pool_new(size_t count, size_t max_bytes)
{
	tr_batch_pool *pool = calloc(1, sizeof(*pool));

	TR_ASSERT(count > 0);
	/* Records address the bytes with 32 bits, and one value of them means "absent". */
	if (max_bytes >= TR_ABSENT_LEN)
		max_bytes = TR_ABSENT_LEN - 1;
	if (!pool)
		return NULL;
	pool->magic = POOL_MAGIC;
	pool->count = count;
	pool->batches = calloc(count, sizeof(*pool->batches));
	pool->free = calloc(count, sizeof(tr_batch *));
	if (!pool->batches || !pool->free || init_condition(&pool->returned) != 0) {
		free(pool->batches);
		free(pool->free);
		free(pool);
		return NULL;
	}
	pthread_mutex_init(&pool->lock, NULL);
	for (size_t i = 0; i < count; i++) {
		init_batch(pool, &pool->batches[i], max_bytes);
		pool->free[pool->free_count++] = &pool->batches[i];
	}
	return pool;
}

void tr_batch_pool_free(tr_batch_pool *pool)
{
	if (!pool)
		return;
	TR_CHECK_OBJ(pool, POOL_MAGIC);
	for (size_t i = 0; i < pool->count; i++) {
		tr_batch *b = &pool->batches[i];
		tr_writer_release(&b->bytes);
		tr_writer_release(&b->position);
		tr_writer_release(&b->progress);
		free(b->records);
		free(b->error);
		b->magic = 0;
	}
	pthread_cond_destroy(&pool->returned);
	pthread_mutex_destroy(&pool->lock);
	free(pool->batches);
	free(pool->free);
	pool->magic = 0;
	free(pool);
}

static struct timespec deadline_after(int timeout_ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += timeout_ms / 1000;
	t.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

tr_batch *tr_batch_take(tr_batch_pool *pool, int timeout_ms)
{
	tr_batch *b = NULL;
	int code = 0;

	TR_CHECK_OBJ(pool, POOL_MAGIC);
	pthread_mutex_lock(&pool->lock);
	if (pool->free_count == 0 && timeout_ms > 0) {
		struct timespec deadline = deadline_after(timeout_ms);
		while (pool->free_count == 0 && code != ETIMEDOUT)
			code = pthread_cond_timedwait(&pool->returned, &pool->lock, &deadline);
	}
	if (pool->free_count > 0)
		b = pool->free[--pool->free_count];
	pthread_mutex_unlock(&pool->lock);
	return b;
}

/* Empties everything but the memory, the pool's own fields and the limits. */
static void reset_batch(tr_batch *b)
{
	tr_batch empty = {
	    .magic = b->magic,
	    .pool = b->pool,
	    .bytes = b->bytes,
	    .records = b->records,
	    .capacity = b->capacity,
	    .position = b->position,
	    .progress = b->progress,
	    .accounted_bytes = b->accounted_bytes,
	};

	free(b->error);
	*b = empty;
	tr_writer_reset(&b->bytes);
	tr_writer_reset(&b->position);
	tr_writer_reset(&b->progress);
}

/* A single giant must not become what is usual: it at most doubles at a time, and goes down by an eighth. */
static size_t next_usual(size_t usual, size_t used)
{
	if (used == 0)
		return usual;
	if (used <= usual)
		return usual - (usual - used) / 8;
	return used < 2 * usual + KEEP_BYTES ? used : 2 * usual + KEEP_BYTES;
}

static void shrink_batch(tr_batch *b, size_t usual_bytes, size_t used_records)
{
	if (b->bytes.cap > KEEP_BYTES && b->bytes.cap / KEEP_FACTOR > usual_bytes)
		tr_writer_release(&b->bytes);
	if (b->capacity * sizeof(tr_record) > KEEP_BYTES && b->capacity / (2 * KEEP_FACTOR) > used_records) {
		free(b->records);
		b->records = NULL;
		b->capacity = 0;
	}
}

void tr_batch_put_back(tr_batch *batch)
{
	TR_CHECK_OBJ(batch, TR_BATCH_MAGIC);
	tr_batch_pool *pool = batch->pool;
	size_t used_bytes = batch->bytes.len, used_records = batch->count;

	TR_CHECK_OBJ(pool, POOL_MAGIC);
	reset_batch(batch);
	pthread_mutex_lock(&pool->lock);
	TR_ASSERT(pool->free_count < pool->count);
	pool->usual_bytes = next_usual(pool->usual_bytes, used_bytes);
	shrink_batch(batch, pool->usual_bytes, used_records);
	/* Over the budget nobody keeps memory, so with all batches back the pool is below it again. */
	if (pool->budget_bytes > 0 && tr_batch_pool_bytes(pool) > pool->budget_bytes)
		tr_writer_release(&batch->bytes);
	account(batch);
	pool->free[pool->free_count++] = batch;
	pthread_cond_signal(&pool->returned);
	pthread_mutex_unlock(&pool->lock);
}

size_t tr_batch_pool_bytes(const tr_batch_pool *pool)
{
	TR_CHECK_OBJ(pool, POOL_MAGIC);
	return atomic_load_explicit(&pool->bytes, memory_order_relaxed);
}

void tr_batch_pool_budget(tr_batch_pool *pool, size_t bytes)
{
	TR_CHECK_OBJ(pool, POOL_MAGIC);
	pool->budget_bytes = bytes;
}

bool tr_batch_pool_exhausted(tr_batch_pool *pool)
{
	TR_CHECK_OBJ(pool, POOL_MAGIC);
	pthread_mutex_lock(&pool->lock);
	bool waiting_helps = pool->free_count < pool->count;
	pthread_mutex_unlock(&pool->lock);
	return waiting_helps && pool->budget_bytes > 0 && tr_batch_pool_bytes(pool) > pool->budget_bytes;
}

static bool grow_records(tr_batch *batch)
{
	size_t capacity = batch->capacity ? 2 * batch->capacity : FIRST_RECORDS;

	if (capacity > RECORDS_MAX)
		return false;
	tr_record *records = realloc(batch->records, capacity * sizeof(*records));
	if (!records)
		return false;
	batch->records = records;
	batch->capacity = capacity;
	return true;
}

tr_record *tr_batch_add(tr_batch *batch)
{
	if (batch->count == batch->capacity && !grow_records(batch))
		return NULL;
	account(batch);
	tr_record *r = &batch->records[batch->count++];
	*r = (tr_record){.key_len = TR_ABSENT_LEN, .value_len = TR_ABSENT_LEN};
	return r;
}
