#include <stdio.h>

#include "decoders/binlog/gtid_set.h"
#include "tests/unit/test.h"

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"
#define B "4e11fa47-71ca-11e1-9e33-c80aa9429562"

static const uint8_t uuid_a[16] = {0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62};

static tr_bl_gtid_set parsed(const char *text)
{
	tr_bl_gtid_set s = {0};
	tr_err err = {0};

	ck_assert_msg(tr_bl_gtid_set_parse(&s, tr_slice_str(text), &err) == 0, "%s: %s", text, err.text);
	return s;
}

/* Valid until the next but one call. */
static const char *printed(const tr_bl_gtid_set *s)
{
	static char texts[2][4096];
	static unsigned turn;
	char *text = texts[turn++ % 2];
	tr_writer w;

	tr_writer_init(&w, 1 << 20);
	tr_bl_gtid_set_print(s, &w);
	snprintf(text, sizeof(texts[0]), "%.*s", (int)w.len, w.data ? (const char *)w.data : "");
	tr_writer_release(&w);
	return text;
}

static void check_printed(const char *text, const char *wanted)
{
	tr_bl_gtid_set s = parsed(text);

	ck_assert_str_eq(printed(&s), wanted);
	tr_bl_gtid_set_release(&s);
}

START_TEST(texts_are_read_and_printed_in_one_form)
{
	check_printed("", "");
	check_printed(A ":1", A ":1");
	check_printed(A ":1-5:7:9-12", A ":1-5:7:9-12");
	check_printed(A ":9-12:1-5:6", A ":1-6:9-12");
	check_printed("3E11FA47-71CA-11E1-9E33-C80AA9429562:1", A ":1");
	check_printed(B ":1-3,\n" A ":4 , " A ":5", A ":4-5," B ":1-3");
	check_printed(A ":1-5:Tag_1:2-3:7:zz:1", A ":1-5:tag_1:2-3:7:zz:1");
	check_printed(A ":tag:1," A ":2", A ":2:tag:1");
	check_printed("," A ":1,", A ":1");
	check_printed(A ":9223372036854775806", A ":9223372036854775806");
}
END_TEST

START_TEST(other_texts_are_refused)
{
	static const char *const texts[] = {"x", A, A ":", A ":0", A ":5-3", A ":1-", A ":-1", A ":1;2", A ":9223372036854775807",
					    "3e11fa47-71ca-11e1-9e33-c80aa942956:1", A ":99999999999999999999999", A ":tag", A ":1 2",
					    A ":a23456789012345678901234567890123:1"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		tr_bl_gtid_set s = {0};
		tr_err err = {0};
		/* A uuid alone, or a tag alone, names no transaction: the server takes it for nothing. */
		bool empty = i == 1 || i == 11;

		ck_assert_msg((tr_bl_gtid_set_parse(&s, tr_slice_str(texts[i]), &err) == 0) == empty, "%s", texts[i]);
		ck_assert(tr_bl_gtid_set_empty(&s));
		tr_bl_gtid_set_release(&s);
	}
}
END_TEST

START_TEST(numbers_are_added_in_any_order)
{
	static const uint64_t numbers[] = {5, 1, 2, 9, 8, 3, 7, 4, 6, 1, 20};
	tr_bl_gtid_set s = {0};
	tr_err err = {0};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		ck_assert_int_eq(tr_bl_gtid_set_add(&s, uuid_a, tr_slice_str(""), numbers[i], &err), 0);
	ck_assert_str_eq(printed(&s), A ":1-9:20");
	ck_assert(tr_bl_gtid_set_has(&s, uuid_a, tr_slice_str(""), 9));
	ck_assert(!tr_bl_gtid_set_has(&s, uuid_a, tr_slice_str(""), 10));
	ck_assert(!tr_bl_gtid_set_has(&s, uuid_a, tr_slice_str("t"), 9));
	ck_assert(tr_bl_gtid_set_knows(&s, uuid_a));
	ck_assert_int_eq(tr_bl_gtid_set_add(&s, uuid_a, tr_slice_str(""), 0, &err), -1);
	tr_bl_gtid_set_release(&s);
}
END_TEST

static void check_difference(const char *from, const char *part, const char *left)
{
	tr_bl_gtid_set a = parsed(from), b = parsed(part);
	tr_err err = {0};

	ck_assert_int_eq(tr_bl_gtid_set_subtract(&a, &b, &err), 0);
	ck_assert_str_eq(printed(&a), left);
	ck_assert_int_eq(tr_bl_gtid_set_empty(&a), left[0] == '\0');
	tr_bl_gtid_set_release(&a);
	tr_bl_gtid_set_release(&b);
}

START_TEST(sets_are_subtracted)
{
	check_difference(A ":1-10", A ":1-10", "");
	check_difference(A ":1-10", A ":3-5", A ":1-2:6-10");
	check_difference(A ":1-10", A ":8-20", A ":1-7");
	check_difference(A ":5-10", A ":1-6", A ":7-10");
	check_difference(A ":1-3:5-7:9-11", A ":2-10", A ":1:11");
	check_difference(A ":1-3," B ":1-3", A ":1-3", B ":1-3");
	check_difference(A ":1-3:t:1-3", A ":t:2", A ":1-3:t:1:3");
	check_difference(A ":1-3", B ":1-3", A ":1-3");
}
END_TEST

START_TEST(sets_contain_each_other)
{
	static const struct {
		const char *whole, *part;
		bool contains;
	} cases[] = {{"", "", true}, {A ":1-5", "", true}, {"", A ":1", false}, {A ":1-5", A ":2-4", true}, {A ":1-5", A ":1-6", false},
		     {A ":1-5:7-9", A ":5:7", true}, {A ":1-5:7-9", A ":5-7", false}, {A ":1," B ":1", B ":1", true},
		     {A ":t:1-5", A ":1", false}, {A ":1-5", A ":t:1", false}, {A ":1-5:t:1", A ":t:1", true}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		tr_bl_gtid_set a = parsed(cases[i].whole), b = parsed(cases[i].part);

		ck_assert_int_eq(tr_bl_gtid_set_contains(&a, &b), cases[i].contains);
		tr_bl_gtid_set_release(&a);
		tr_bl_gtid_set_release(&b);
	}
}
END_TEST

static void check_wire(const char *text)
{
	tr_bl_gtid_set a = parsed(text), b = {0};
	tr_err err = {0};
	tr_writer w;

	tr_writer_init(&w, 1 << 20);
	tr_bl_gtid_set_encode(&a, &w);
	ck_assert_msg(tr_bl_gtid_set_decode(&b, tr_writer_view(&w), &err) == 0, "%s: %s", text, err.text);
	ck_assert_str_eq(printed(&b), printed(&a));
	for (size_t len = 0; len < w.len; len++) {
		ck_assert_int_eq(tr_bl_gtid_set_decode(&b, tr_slice_of(w.data, len), &err), -1);
		ck_assert(tr_bl_gtid_set_empty(&b));
	}
	tr_writer_release(&w);
	tr_bl_gtid_set_release(&a);
	tr_bl_gtid_set_release(&b);
}

START_TEST(the_wire_form_goes_there_and_back)
{
	check_wire("");
	check_wire(A ":1-5:7");
	check_wire(A ":1-5:7," B ":1");
	check_wire(A ":1-5:tag:7-8:z:1," B ":q:1");
}
END_TEST

START_TEST(the_plain_wire_form_byte_by_byte)
{
	static const uint8_t wanted[] = {1, 0, 0, 0, 0, 0, 0, 0, 0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a,
					 0xa9, 0x42, 0x95, 0x62, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0};
	tr_bl_gtid_set s = parsed(A ":2-5");
	tr_writer w;

	tr_writer_init(&w, 1 << 20);
	tr_bl_gtid_set_encode(&s, &w);
	ck_assert_uint_eq(w.len, sizeof(wanted));
	ck_assert_mem_eq(w.data, wanted, sizeof(wanted));
	tr_writer_release(&w);
	tr_bl_gtid_set_release(&s);
}
END_TEST

/* Against a bitmap, with steps that a small generator chooses. */
START_TEST(random_sets_agree_with_a_bitmap)
{
	bool bits[2][64] = {{false}};
	tr_bl_gtid_set s[2] = {{0}};
	uint32_t state = 12345;
	tr_err err = {0};

	for (int step = 0; step < 20000; step++) {
		state = state * 1664525u + 1013904223u;
		unsigned which = state >> 31, first = 1 + (state >> 8) % 60, len = (state >> 16) % 4;
		char text[100];
		tr_bl_gtid_set change;

		snprintf(text, sizeof(text), A ":%u-%u", first, first + len);
		change = parsed(text);
		bool add = (state >> 24) % 2;
		ck_assert_int_eq(add ? tr_bl_gtid_set_unite(&s[which], &change, &err) : tr_bl_gtid_set_subtract(&s[which], &change, &err), 0);
		for (unsigned n = first; n <= first + len; n++)
			bits[which][n] = add;
		tr_bl_gtid_set_release(&change);
		bool contains = true;
		for (unsigned n = 1; n < 64; n++) {
			ck_assert_int_eq(tr_bl_gtid_set_has(&s[which], uuid_a, tr_slice_str(""), n), bits[which][n]);
			contains = contains && (bits[0][n] || !bits[1][n]);
		}
		ck_assert_int_eq(tr_bl_gtid_set_contains(&s[0], &s[1]), contains);
	}
	tr_bl_gtid_set_release(&s[0]);
	tr_bl_gtid_set_release(&s[1]);
}
END_TEST

START_TEST(domains_of_mariadb)
{
	tr_bl_domain_set s = {0}, t = {0};
	tr_err err = {0};
	tr_writer w;

	tr_writer_init(&w, 4096);
	ck_assert_int_eq(tr_bl_domain_set_parse(&s, tr_slice_str("1-2-7, 0-1-100"), &err), 0);
	tr_bl_domain_set_print(&s, &w);
	ck_assert(tr_slice_eq(tr_writer_view(&w), tr_slice_str("0-1-100,1-2-7")));
	ck_assert_int_eq(tr_bl_domain_set_parse(&t, tr_slice_str("0-9-100"), &err), 0);
	ck_assert(tr_bl_domain_set_covers(&s, &t));
	ck_assert(!tr_bl_domain_set_covers(&t, &s));
	ck_assert_int_eq(tr_bl_domain_set_move(&t, 0, 3, 5, &err), 0);
	ck_assert_uint_eq(tr_bl_domain_set_find(&t, 0)->sequence, 5);
	ck_assert_ptr_null(tr_bl_domain_set_find(&t, 1));
	ck_assert_int_eq(tr_bl_domain_set_parse(&t, tr_slice_str(""), &err), 0);
	ck_assert_uint_eq(t.count, 0);
	static const char *const bad[] = {"0-1", "0-1-2-3", "a", "0-1-2;", "4294967296-1-1", "0-1-", "-1-1-1"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(tr_bl_domain_set_parse(&t, tr_slice_str(bad[i]), &err) == -1, "%s", bad[i]);
	tr_writer_release(&w);
	tr_bl_domain_set_release(&s);
	tr_bl_domain_set_release(&t);
}
END_TEST

TEST_MAIN("decoders_binlog.gtid_set", texts_are_read_and_printed_in_one_form, other_texts_are_refused,
	  numbers_are_added_in_any_order, sets_are_subtracted, sets_contain_each_other, the_wire_form_goes_there_and_back,
	  the_plain_wire_form_byte_by_byte, random_sets_agree_with_a_bitmap, domains_of_mariadb)
