#include "core/map.h"
#include "tests/unit/test.h"

#include <stdio.h>

static int freed;

static void count_free(void *value)
{
	freed++;
	free(value);
}

static tr_slice number_key(char *buffer, int i)
{
	return tr_slice_of(buffer, (size_t)snprintf(buffer, 32, "key-%d", i));
}

START_TEST(put_get_replace_remove)
{
	int a, b;
	tr_map *map = tr_map_new();

	ck_assert_ptr_null(tr_map_get(map, tr_slice_str("x")));
	ck_assert_ptr_null(tr_map_remove(map, tr_slice_str("x")));
	ck_assert_ptr_null(tr_map_put(map, tr_slice_str("x"), &a));
	ck_assert_ptr_eq(tr_map_get(map, tr_slice_str("x")), &a);
	ck_assert_ptr_eq(tr_map_put(map, tr_slice_str("x"), &b), &a);
	ck_assert_uint_eq(tr_map_count(map), 1);
	ck_assert_ptr_eq(tr_map_remove(map, tr_slice_str("x")), &b);
	ck_assert_ptr_null(tr_map_get(map, tr_slice_str("x")));
	ck_assert_uint_eq(tr_map_count(map), 0);
	/* Keys are bytes: empty ones and ones with a NUL are keys like others. */
	tr_map_put(map, tr_slice_of(NULL, 0), &a);
	tr_map_put(map, tr_slice_of("a\0b", 3), &b);
	ck_assert_ptr_eq(tr_map_get(map, tr_slice_of("", 0)), &a);
	ck_assert_ptr_eq(tr_map_get(map, tr_slice_of("a\0b", 3)), &b);
	ck_assert_ptr_null(tr_map_get(map, tr_slice_of("a\0c", 3)));
	tr_map_free(map, NULL);
	tr_map_free(NULL, NULL);
}
END_TEST

START_TEST(keys_are_copied)
{
	int a;
	char key[] = "orders";
	tr_map *map = tr_map_new();

	tr_map_put(map, tr_slice_str(key), &a);
	key[0] = 'X';
	ck_assert_ptr_eq(tr_map_get(map, tr_slice_str("orders")), &a);
	tr_map_free(map, NULL);
}
END_TEST

START_TEST(many_keys_with_churn)
{
	char buffer[32];
	tr_map *map = tr_map_new();

	freed = 0;
	for (int i = 0; i < 20000; i++) {
		int *value = malloc(sizeof(*value));
		*value = i;
		ck_assert_ptr_null(tr_map_put(map, number_key(buffer, i), value));
		if (i % 3 == 0)
			free(tr_map_remove(map, number_key(buffer, i)));
	}
	for (int i = 0; i < 20000; i++) {
		const int *value = tr_map_get(map, number_key(buffer, i));
		ck_assert_int_eq(value ? *value : -1, i % 3 == 0 ? -1 : i);
	}
	ck_assert_uint_eq(tr_map_count(map), 13333);
	tr_map_free(map, count_free);
	ck_assert_int_eq(freed, 13333);
}
END_TEST

START_TEST(same_key_in_and_out_stays_small)
{
	int a;
	tr_map *map = tr_map_new();

	for (int i = 0; i < 100000; i++) {
		ck_assert_ptr_null(tr_map_put(map, tr_slice_str("x"), &a));
		ck_assert_ptr_eq(tr_map_remove(map, tr_slice_str("x")), &a);
	}
	ck_assert_uint_eq(tr_map_count(map), 0);
	tr_map_free(map, NULL);
}
END_TEST

START_TEST(iteration_in_insertion_order_with_removal)
{
	static const char *const names[] = {"c", "a", "d", "b"};
	tr_map *map = tr_map_new();
	size_t cursor = 0;
	tr_slice key;
	void *value;
	char seen[8] = "";

	for (size_t i = 0; i < 4; i++)
		tr_map_put(map, tr_slice_str(names[i]), &freed);
	while (tr_map_next(map, &cursor, &key, &value)) {
		strncat(seen, (const char *)key.ptr, 1);
		ck_assert_ptr_eq(value, &freed);
		if (key.ptr[0] == 'a')
			tr_map_remove(map, tr_slice_str("d"));
	}
	ck_assert_str_eq(seen, "cab");
	cursor = 0;
	while (tr_map_next(map, &cursor, NULL, NULL))
		;
	ck_assert(!tr_map_next(map, &cursor, NULL, NULL));
	tr_map_free(map, NULL);
}
END_TEST

TEST_MAIN("map", put_get_replace_remove, keys_are_copied, many_keys_with_churn, same_key_in_and_out_stays_small,
    iteration_in_insertion_order_with_removal)
