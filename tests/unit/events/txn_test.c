/* Counting the events of transactions, and the order of collections in END (checked against captured records). */
#include <stdio.h>

#include "events/internal.h"
#include "events/naming.h"
#include "tests/unit/test.h"

static tr_topic topics[40];
static tr_table tables[40];
static char names[40][32];
static tr_txn txn;
static tr_err err;

static tr_table *table(uint32_t number, const char *collection)
{
	topics[number] = (tr_topic){.magic = TR_TOPIC_MAGIC, .number = number};
	tables[number].topic = &topics[number];
	tables[number].collection = collection;
	tables[number].collection_hash = tr_naming_java_hash(collection);
	return &tables[number];
}

static void begin(void)
{
	ck_assert_int_eq(tr_txn_begin(&txn, tr_slice_str("1:1"), 0, &err), 0);
}

static uint64_t count(const tr_table *t)
{
	uint64_t order = 0;

	ck_assert_int_eq(tr_txn_count(&txn, t, &order, &err), 0);
	return order;
}

/* The order in END of collections met in the order given; NULL ends. */
static void ck_order(const char *const *met, const char *const *want)
{
	tr_arena scratch;
	size_t n = 0;

	tr_arena_init(&scratch, 1 << 20);
	begin();
	for (; met[n]; n++)
		count(table((uint32_t)n, met[n]));
	const tr_txn_collection **list = tr_txn_end_order(&txn, &scratch);
	for (size_t i = 0; i < n; i++)
		ck_assert_str_eq(list[i]->name, want[i]);
	tr_arena_release(&scratch);
}

#define ORDER(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(order_as_captured)
{
	tr_txn_init(&txn);
	ck_order(ORDER("golden.item", "golden.two_key"), ORDER("golden.two_key", "golden.item"));
	ck_order(ORDER("golden.child", "golden.parent"), ORDER("golden.child", "golden.parent"));
	ck_order(ORDER("golden.audit", "golden.parent"), ORDER("golden.parent", "golden.audit"));
	ck_order(ORDER("inv.trunc_b", "inv.trunc_a"), ORDER("inv.trunc_a", "inv.trunc_b"));
	ck_order(ORDER("inv.part_2024", "inv.part_2023"), ORDER("inv.part_2023", "inv.part_2024"));
	ck_order(ORDER("inv.two_key", "inv.ident_default"), ORDER("inv.ident_default", "inv.two_key"));
	tr_txn_release(&txn);
}
END_TEST

START_TEST(equal_slots_keep_the_order_of_events)
{
	tr_txn_init(&txn);
	/* "Aa" and "BB" have one hash in Java */
	ck_order(ORDER("BB", "Aa"), ORDER("BB", "Aa"));
	ck_order(ORDER("Aa", "BB"), ORDER("Aa", "BB"));
	tr_txn_release(&txn);
}
END_TEST

START_TEST(the_map_doubles_and_stays_large)
{
	tr_arena scratch;

	tr_arena_init(&scratch, 1 << 20);
	tr_txn_init(&txn);
	begin();
	for (uint32_t i = 0; i < 12; i++) {
		snprintf(names[i], sizeof(names[i]), "inv.t%u", i);
		count(table(i, names[i]));
	}
	tr_txn_end_order(&txn, &scratch);
	ck_assert_uint_eq(txn.order_slots, 16);
	count(table(12, "inv.t12"));
	tr_txn_end_order(&txn, &scratch);
	ck_assert_uint_eq(txn.order_slots, 32);
	begin();
	count(table(0, "inv.t0"));
	tr_txn_end_order(&txn, &scratch);
	ck_assert_uint_eq(txn.order_slots, 32);
	tr_txn_release(&txn);
	tr_arena_release(&scratch);
}
END_TEST

START_TEST(counting_and_taking_back)
{
	tr_txn_init(&txn);
	begin();
	tr_table *a = table(3, "inv.a"), *b = table(39, "inv.b");
	ck_assert_uint_eq(count(a), 1);
	ck_assert_uint_eq(count(a), 2);
	ck_assert_uint_eq(count(b), 1);
	ck_assert_uint_eq(txn.total, 3);
	tr_txn_uncount(&txn, b);
	ck_assert_uint_eq(txn.touched_count, 1);
	ck_assert_uint_eq(txn.total, 2);
	tr_txn_uncount(&txn, a);
	ck_assert_uint_eq(count(a), 2);
	ck_assert_uint_eq(count(b), 1);
	begin();
	ck_assert_uint_eq(txn.total, 0);
	ck_assert_uint_eq(count(a), 1);
	tr_txn_release(&txn);
}
END_TEST

START_TEST(many_tables)
{
	tr_txn_init(&txn);
	begin();
	for (uint32_t i = 0; i < 1000; i++) {
		topics[0] = (tr_topic){.number = i};
		tables[0] = (tr_table){.topic = &topics[0], .collection = "inv.x"};
		ck_assert_uint_eq(count(&tables[0]), 1);
	}
	ck_assert_uint_eq(txn.touched_count, 1000);
	begin();
	ck_assert_uint_eq(txn.touched_count, 0);
	topics[0].number = 999;
	ck_assert_uint_eq(count(&tables[0]), 1);
	tr_txn_release(&txn);
}
END_TEST

TEST_MAIN("txn", order_as_captured, equal_slots_keep_the_order_of_events, the_map_doubles_and_stays_large,
	  counting_and_taking_back, many_tables)
