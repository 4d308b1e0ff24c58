#include <stdio.h>
#include <string.h>

#include "service/json_view.h"
#include "service/progress.h"
#include "service/status.h"
#include "service/tail.h"
#include "tests/unit/test.h"

#define SOURCE "\"source\":{\"db\":\"d\",\"schema\":\"public\",\"table\":\"orders\"}"

static const tr_colours none = {"", "", "", "", "", "", ""};
static char line[4096];

static const char *show(const char *key, const char *value)
{
	tr_tail_event e = {.topic = "shop.public.orders", .partition = 1, .offset = 7, .timestamp_ms = -1,
	    .key = tr_slice_str(key), .value = tr_slice_str(value)};
	tr_writer w;

	tr_writer_init(&w, sizeof(line));
	tr_tail_line(&e, &none, &w);
	snprintf(line, sizeof(line), "%.*s", (int)w.len, (const char *)w.data);
	tr_writer_release(&w);
	return line;
}

START_TEST(members_are_found_without_parsing)
{
	tr_slice o = tr_slice_str(" {\"a\" : [1,{\"b\":\"}\"}] , \"c\\\"d\":\"x\\\"y\",\"n\":12345678901234567890.123, \"z\":null}");
	tr_slice key, value;
	size_t at = 0;
	unsigned count = 0;

	while (tr_json_view_next(o, &at, &key, &value))
		count++;
	ck_assert_uint_eq(count, 4);
	ck_assert(tr_slice_eq(tr_json_view_get(o, "a"), tr_slice_str("[1,{\"b\":\"}\"}]")));
	ck_assert(tr_slice_eq(tr_json_view_text(tr_json_view_get(o, "c\\\"d")), tr_slice_str("x\\\"y")));
	ck_assert(tr_slice_eq(tr_json_view_get(o, "n"), tr_slice_str("12345678901234567890.123")));
	ck_assert_uint_eq(tr_json_view_get(o, "b").len, 0);
}
END_TEST

START_TEST(damaged_texts_end)
{
	static const char *const texts[] = {"", "{", "{\"", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":\"", "{\"a\":[", "{\"a\":\"\\", "[1]", "x", "{,"};
	tr_slice key, value;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		size_t at = 0;
		for (int steps = 0; tr_json_view_next(tr_slice_str(texts[i]), &at, &key, &value); steps++)
			ck_assert_int_lt(steps, 3);
	}
}
END_TEST

START_TEST(events_become_lines)
{
	ck_assert_str_eq(show("{\"databaseName\":\"d\"}", "{" SOURCE ",\"databaseName\":\"d\",\"ddl\":\"DROP TABLE t\","
					      "\"tableChanges\":[]}"),
			 "schema    public.orders {\"databaseName\":\"d\"} \"DROP TABLE t\"\n");
	ck_assert_str_eq(show("{\"id\":1}", "{\"before\":null,\"after\":{\"id\":1,\"n\":\"x\"}," SOURCE ",\"op\":\"c\"}"),
	    "create    public.orders {\"id\":1} id=1 n=\"x\"\n");
	ck_assert_str_eq(show("{\"id\":1}", "{\"before\":{\"id\":1,\"n\":\"x\"},\"after\":{\"id\":1,\"n\":\"y\"}," SOURCE ",\"op\":\"u\"}"),
	    "update    public.orders {\"id\":1} n=\"x\" → \"y\"\n");
	ck_assert_str_eq(show("", "{\"before\":{\"id\":1,\"n\":\"x\"},\"after\":{\"id\":1,\"n\":\"y\"}," SOURCE ",\"op\":\"u\"}"),
	    "update    public.orders id=1 n=\"x\" → \"y\"\n");
	ck_assert_str_eq(show("{\"id\":1}", "{\"before\":{\"id\":1},\"after\":null," SOURCE ",\"op\":\"d\"}"),
	    "delete    public.orders {\"id\":1} id=1\n");
	ck_assert_str_eq(show("{\"id\":1}", ""), "tombstone public.orders {\"id\":1}\n");
	ck_assert_str_eq(show("{\"schema\":{},\"payload\":{\"id\":1}}",
	                     "{\"schema\":{},\"payload\":{\"before\":null,\"after\":{\"id\":1}," SOURCE ",\"op\":\"r\"}}"),
	    "read      public.orders {\"id\":1} id=1\n");
	ck_assert_str_eq(show("", "{\"id\":1,\"n\":null}"), "record    public.orders id=1 n=null\n");
	ck_assert_str_eq(show("", "\"a\tb\""), "record    public.orders \"a?b\"\n");
}
END_TEST

START_TEST(events_become_json)
{
	tr_tail_event e = {.topic = "t", .partition = -1, .offset = 3, .timestamp_ms = -1, .value = tr_slice_str("{\"a\":1}")};
	tr_writer w;

	tr_writer_init(&w, 4096);
	tr_tail_json(&e, &w);
	ck_assert(tr_slice_eq(tr_writer_view(&w), tr_slice_str("{\"topic\":\"t\",\"offset\":3,\"key\":null,\"value\":{\"a\":1}}\n")));
	tr_writer_release(&w);
}
END_TEST

START_TEST(tables_are_chosen_by_pattern)
{
	tr_tail_event e = {.topic = "shop.public.orders", .value = tr_slice_str("{" SOURCE "}")};
	const char *full[] = {"public.*"}, *bare[] = {"orders"}, *other[] = {"public.o", "x"};

	ck_assert(tr_tail_wanted(&e, NULL, 0));
	ck_assert(tr_tail_wanted(&e, full, 1));
	ck_assert(tr_tail_wanted(&e, bare, 1));
	ck_assert(!tr_tail_wanted(&e, other, 2));
	e.value = tr_slice_str("");
	ck_assert(tr_tail_wanted(&e, bare, 1));
}
END_TEST

START_TEST(progress_is_one_line)
{
	tr_pipeline_status s = {.name = "shop", .snapshot_rows = 1500000, .snapshot_rows_estimated = 3000000,
	    .snapshot_elapsed_us = 10000000, .snapshot_tables = 4, .snapshot_tables_done = 1};
	char out[256];

	tr_progress_line(&s, 200, out, sizeof(out));
	ck_assert_str_eq(out, "shop: snapshot [############------------]  50% 1.5M/~3.0M rows, 150k rows/s, 1/4 tables, ETA 00:10");
	/* More rows than the statistics promised: never above 100 %. */
	s.snapshot_rows = 4000000;
	tr_progress_line(&s, 200, out, sizeof(out));
	ck_assert_ptr_nonnull(strstr(out, "100% 4.0M/~4.0M"));
	s.snapshot_rows = s.snapshot_rows_estimated = 0;
	s.snapshot_elapsed_us = 0;
	tr_progress_line(&s, 40, out, sizeof(out));
	ck_assert_uint_le(strlen(out), 40);
}
END_TEST

START_TEST(addresses_are_split)
{
	char host[64], port[8];

	ck_assert(tr_status_split("127.0.0.1:8480", host, sizeof(host), port, sizeof(port)));
	ck_assert_str_eq(host, "127.0.0.1");
	ck_assert_str_eq(port, "8480");
	ck_assert(tr_status_split("[::1]:1", host, sizeof(host), port, sizeof(port)));
	ck_assert_str_eq(host, "::1");
	ck_assert(tr_status_split(":9", host, sizeof(host), port, sizeof(port)));
	ck_assert_str_eq(host, "");
	ck_assert(!tr_status_split("8480", host, sizeof(host), port, sizeof(port)));
	ck_assert(!tr_status_split("h:", host, sizeof(host), port, sizeof(port)));
	ck_assert(!tr_status_split("::1:8480", host, sizeof(host), port, sizeof(port)));
	ck_assert(!tr_status_split("h:70000", host, sizeof(host), port, sizeof(port)));
	ck_assert(!tr_status_split("h:8x", host, sizeof(host), port, sizeof(port)));
}
END_TEST

TEST_MAIN("view", members_are_found_without_parsing, damaged_texts_end, events_become_lines, events_become_json,
    tables_are_chosen_by_pattern, progress_is_one_line, addresses_are_split)
