#include "events/type.h"
#include "tests/unit/test.h"

static tr_arena arena;

static tr_type *sample(void)
{
	tr_type *number = tr_type_new(&arena, TR_INT32, "io.debezium.time.Date", 1);
	tr_value zero = tr_value_int(0);

	ck_assert_int_eq(tr_type_param(&arena, number, "scale", "2"), 0);
	ck_assert_int_eq(tr_type_default(&arena, number, &zero), 0);
	const tr_field fields[] = {{"n", number},
				   {"list", tr_type_array(&arena, tr_type_new(&arena, TR_STRING, NULL, 0))},
				   {"map", tr_type_map(&arena, tr_type_new(&arena, TR_STRING, NULL, 0), number)}};
	return tr_type_struct(&arena, "srv.t.Value", 0, fields, 3);
}

START_TEST(equal_is_deep)
{
	tr_arena_init(&arena, 1 << 20);
	tr_type *a = sample(), *b = sample();

	ck_assert(tr_type_equal(a, b));
	ck_assert(!tr_type_equal(a, tr_type_optional(&arena, b, true)));
	ck_assert(!tr_type_equal(a, NULL));
	tr_type *other = tr_type_copy(&arena, b->fields[0].type);
	ck_assert_int_eq(tr_type_param(&arena, other, "x", "y"), 0);
	const tr_field changed[] = {{"n", other}, b->fields[1], b->fields[2]};
	ck_assert(!tr_type_equal(a, tr_type_struct(&arena, "srv.t.Value", 0, changed, 3)));
	const tr_field renamed[] = {{"m", b->fields[0].type}, b->fields[1], b->fields[2]};
	ck_assert(!tr_type_equal(a, tr_type_struct(&arena, "srv.t.Value", 0, renamed, 3)));
	tr_type *no_default = tr_type_copy(&arena, b->fields[0].type);
	no_default->default_value = NULL;
	ck_assert(!tr_type_equal(b->fields[0].type, no_default));
	tr_arena_release(&arena);
}
END_TEST

START_TEST(params_do_not_leak_into_the_original)
{
	tr_arena_init(&arena, 1 << 20);
	tr_type *a = tr_type_new(&arena, TR_STRING, NULL, 0);
	ck_assert_int_eq(tr_type_param(&arena, a, "k", "v"), 0);
	tr_type *b = tr_type_copy(&arena, a);
	ck_assert_int_eq(tr_type_param(&arena, b, "masked", "true"), 0);
	ck_assert_uint_eq(a->param_count, 1);
	ck_assert_uint_eq(b->param_count, 2);
	ck_assert_str_eq(b->params[0].key, "k");
	ck_assert_str_eq(b->params[1].value, "true");
	tr_arena_release(&arena);
}
END_TEST

START_TEST(defaults_are_copied_deeply)
{
	char text[] = "none";
	tr_value items[] = {tr_value_text(text), tr_value_null()}, list = tr_value_list(items, 2),
		 null = tr_value_null();

	tr_arena_init(&arena, 1 << 20);
	tr_type *type = tr_type_array(&arena, tr_type_new(&arena, TR_STRING, NULL, 0));
	ck_assert_int_eq(tr_type_default(&arena, type, &list), 0);
	ck_assert(tr_value_equal(type->default_value, &list));
	text[0] = 'X';
	ck_assert(!tr_value_equal(type->default_value, &list));
	ck_assert_int_eq(tr_type_default(&arena, type, &null), 0);
	ck_assert_ptr_null(type->default_value);
	tr_arena_release(&arena);
}
END_TEST

START_TEST(values_compare_as_java)
{
	tr_value nan1 = tr_value_float(__builtin_nan("")), nan2 = tr_value_float(-__builtin_nan("1"));
	tr_value zero = tr_value_float(0.0), minus = tr_value_float(-0.0), one = tr_value_int(1),
		 text = tr_value_text("1");

	ck_assert(tr_value_equal(&nan1, &nan2));
	ck_assert(!tr_value_equal(&zero, &minus));
	ck_assert(!tr_value_equal(&one, &text));
}
END_TEST

START_TEST(full_arenas_give_null)
{
	tr_arena_init(&arena, 64);
	const tr_field fields[] = {{"n", NULL}};
	ck_assert_ptr_null(tr_type_struct(&arena, "x", 0, fields, 1));
	while (tr_type_new(&arena, TR_STRING, NULL, 0))
		;
	ck_assert_ptr_null(tr_type_new(&arena, TR_STRING, "name", 1));
	ck_assert_ptr_null(tr_type_array(&arena, NULL));
	ck_assert_int_eq(tr_type_param(&arena, NULL, "a", "b"), -1);
	tr_arena_release(&arena);
}
END_TEST

TEST_MAIN("type", equal_is_deep, params_do_not_leak_into_the_original, defaults_are_copied_deeply,
	  values_compare_as_java, full_arenas_give_null)
