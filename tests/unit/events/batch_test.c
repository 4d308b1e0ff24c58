#include <pthread.h>

#include "core/clock.h"
#include "events/batch.h"
#include "tests/unit/test.h"

START_TEST(a_pool_is_bounded)
{
	tr_batch_pool *pool = tr_batch_pool_new(2, 1 << 20);
	tr_batch *a = tr_batch_take(pool, 0), *b = tr_batch_take(pool, 0);

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_ne(a, b);
	int64_t from = tr_clock_mono_us();
	ck_assert_ptr_null(tr_batch_take(pool, 0));
	ck_assert_ptr_null(tr_batch_take(pool, 30));
	ck_assert_int_ge(tr_clock_mono_us() - from, 29000);
	tr_batch_put_back(a);
	ck_assert_ptr_eq(tr_batch_take(pool, 1000), a);
	tr_batch_put_back(a);
	tr_batch_put_back(b);
	tr_batch_pool_free(pool);
	tr_batch_pool_free(NULL);
}
END_TEST

static void *put_later(void *batch)
{
	tr_clock_sleep_ms(30);
	tr_batch_put_back(batch);
	return NULL;
}

START_TEST(taking_waits_for_a_return)
{
	tr_batch_pool *pool = tr_batch_pool_new(1, 1 << 20);
	tr_batch *a = tr_batch_take(pool, 0);
	pthread_t thread;

	pthread_create(&thread, NULL, put_later, a);
	ck_assert_ptr_eq(tr_batch_take(pool, 5000), a);
	pthread_join(thread, NULL);
	tr_batch_put_back(a);
	tr_batch_pool_free(pool);
}
END_TEST

START_TEST(put_back_empties_but_keeps_memory)
{
	tr_batch_pool *pool = tr_batch_pool_new(1, 1 << 20);
	tr_batch *b = tr_batch_take(pool, 0);

	tr_writer_text(&b->bytes, "0123456789");
	tr_writer_text(&b->position, "{}");
	tr_record *r = tr_batch_add(b);
	ck_assert_uint_eq(r->key_len, TR_ABSENT_LEN);
	ck_assert_uint_eq(r->value_len, TR_ABSENT_LEN);
	ck_assert_uint_eq(tr_record_key(b, r).len, 0);
	r->key_at = 2;
	r->key_len = 3;
	ck_assert(tr_slice_eq(tr_record_key(b, r), tr_slice_str("234")));
	b->state = TR_BATCH_FAILED;
	b->note = TR_NOTE_SNAPSHOT_DONE;
	b->transactions = b->changes = b->sequence = 7;
	b->pending = 1;
	b->error = calloc(1, sizeof(*b->error));
	const void *records = b->records;
	tr_batch_put_back(b);
	b = tr_batch_take(pool, 0);
	ck_assert_uint_eq(
	    b->count + b->bytes.len + b->position.len + b->sequence + b->transactions + b->changes + b->pending, 0);
	ck_assert_int_eq(b->state, TR_BATCH_OPEN);
	ck_assert_int_eq(b->note, TR_NOTE_NONE);
	ck_assert_ptr_null(b->error);
	ck_assert_ptr_eq(b->records, records);
	ck_assert_uint_gt(b->bytes.cap, 0);
	tr_batch_put_back(b);
	tr_batch_pool_free(pool);
}
END_TEST

static void fill(tr_batch *b, size_t bytes)
{
	char chunk[4096] = {0};

	for (size_t i = 0; i < bytes; i += sizeof(chunk))
		tr_writer_put(&b->bytes, chunk, sizeof(chunk));
	ck_assert(tr_writer_ok(&b->bytes));
	ck_assert_ptr_nonnull(tr_batch_add(b));
}

START_TEST(a_giant_gives_its_memory_back)
{
	tr_batch_pool *pool = tr_batch_pool_new(1, 64 << 20);
	tr_batch *b;

	for (int i = 0; i < 4; i++) {
		fill(b = tr_batch_take(pool, 0), 512 << 10);
		tr_batch_put_back(b);
	}
	size_t usual = tr_batch_pool_bytes(pool);
	ck_assert_uint_ge(usual, 512 << 10);
	fill(b = tr_batch_take(pool, 0), 32 << 20);
	ck_assert_uint_ge(tr_batch_pool_bytes(pool), 32 << 20);
	tr_batch_put_back(b);
	ck_assert_uint_le(tr_batch_pool_bytes(pool), usual);
	tr_batch_pool_free(pool);
}
END_TEST

START_TEST(offsets_never_overflow)
{
	tr_batch_pool *pool = tr_batch_pool_new(1, (size_t)1 << 40);
	tr_batch *b = tr_batch_take(pool, 0);

	ck_assert_uint_eq(b->bytes.max, TR_ABSENT_LEN - 1);
	tr_batch_put_back(b);
	tr_batch_pool_free(pool);
}
END_TEST

START_TEST(records_grow)
{
	tr_batch_pool *pool = tr_batch_pool_new(1, 1 << 20);
	tr_batch *b = tr_batch_take(pool, 0);

	for (uint32_t i = 0; i < 5000; i++)
		tr_batch_add(b)->key_at = i;
	for (uint32_t i = 0; i < 5000; i++)
		ck_assert_uint_eq(b->records[i].key_at, i);
	ck_assert_uint_ge(tr_batch_pool_bytes(pool), 5000 * sizeof(tr_record));
	tr_batch_put_back(b);
	tr_batch_pool_free(pool);
}
END_TEST

TEST_MAIN("batch", a_pool_is_bounded, taking_waits_for_a_return, put_back_empties_but_keeps_memory,
	  a_giant_gives_its_memory_back, offsets_never_overflow, records_grow)
