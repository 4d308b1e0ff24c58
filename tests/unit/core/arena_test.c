#include "core/arena.h"
#include "tests/unit/test.h"

START_TEST(aligned_and_zeroed_also_when_reused)
{
	tr_arena a;

	tr_arena_init(&a, 1 << 20);
	for (int round = 0; round < 3; round++) {
		for (size_t n = 1; n < 300; n++) {
			uint8_t *p = tr_arena_alloc(&a, n);
			ck_assert_ptr_nonnull(p);
			ck_assert_uint_eq((uintptr_t)p % 16, 0);
			for (size_t i = 0; i < n; i++)
				ck_assert_uint_eq(p[i], 0);
			memset(p, 0xee, n);
		}
		tr_arena_reset(&a);
		ck_assert_uint_eq(a.used, 0);
	}
	tr_arena_release(&a);
}
END_TEST

START_TEST(maximum_is_refused_and_reset_gives_it_back)
{
	tr_arena a;

	tr_arena_init(&a, 10000);
	ck_assert_ptr_null(tr_arena_alloc(&a, 10001));
	ck_assert_ptr_nonnull(tr_arena_alloc(&a, 9000));
	ck_assert_ptr_null(tr_arena_alloc(&a, 1001));
	ck_assert_ptr_nonnull(tr_arena_alloc(&a, 900));
	tr_arena_reset(&a);
	ck_assert_ptr_nonnull(tr_arena_alloc(&a, 10000));
	ck_assert_ptr_null(tr_arena_alloc(&a, 1));
	ck_assert_ptr_null(tr_arena_format(&a, "%d", 1));
	ck_assert_ptr_null(tr_arena_strdup(&a, "x"));
	tr_arena_release(&a);
	ck_assert_uint_eq(a.max, 10000);
	ck_assert_ptr_nonnull(tr_arena_alloc(&a, 1));
	tr_arena_release(&a);
}
END_TEST

START_TEST(sizes_that_overflow_are_refused)
{
	tr_arena a;

	tr_arena_init(&a, SIZE_MAX);
	ck_assert_ptr_null(tr_arena_alloc(&a, SIZE_MAX));
	ck_assert_ptr_null(TR_ARENA_ARRAY(&a, uint64_t, SIZE_MAX / 4));
	ck_assert_ptr_null(tr_arena_strndup(&a, "", SIZE_MAX));
	ck_assert_ptr_nonnull(TR_ARENA_ARRAY(&a, uint64_t, 0));
	tr_arena_release(&a);
}
END_TEST

START_TEST(the_same_work_again_needs_no_new_memory)
{
	tr_arena a;
	const void *block;

	tr_arena_init(&a, 1 << 24);
	for (int i = 0; i < 500; i++)
		ck_assert_ptr_nonnull(tr_arena_alloc(&a, 1000));
	tr_arena_reset(&a);
	block = a.head;
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 500; i++)
			ck_assert_ptr_nonnull(tr_arena_alloc(&a, 1000));
		ck_assert_ptr_eq(a.head, block);
		tr_arena_reset(&a);
	}
	tr_arena_release(&a);
}
END_TEST

START_TEST(copies_end_in_nul)
{
	tr_arena a;
	const int numbers[] = {1, 2, 3};

	tr_arena_init(&a, 1 << 16);
	ck_assert_str_eq(tr_arena_strdup(&a, "orders"), "orders");
	ck_assert_str_eq(tr_arena_strndup(&a, "orders", 3), "ord");
	ck_assert_str_eq(tr_arena_strndup(&a, NULL, 0), "");
	ck_assert_str_eq(tr_arena_format(&a, "%s.%s", "public", "orders"), "public.orders");
	ck_assert_mem_eq(tr_arena_memdup(&a, numbers, sizeof(numbers)), numbers, sizeof(numbers));
	ck_assert_ptr_nonnull(TR_ARENA_NEW(&a, tr_arena));
	tr_arena_release(&a);
}
END_TEST

TEST_MAIN("arena", aligned_and_zeroed_also_when_reused, maximum_is_refused_and_reset_gives_it_back,
    sizes_that_overflow_are_refused, the_same_work_again_needs_no_new_memory, copies_end_in_nul)
