/* The record's encoding: what is written reads back, and nothing else is taken for a record. */
#include "state/record.h"
#include "tests/unit/test.h"

static void decode(const char *text, tr_err *err, int expected)
{
	tr_record_state r;

	tr_record_state_init(&r);
	int result = tr_record_state_decode(&r, tr_slice_str(text), err);
	ck_assert_msg(result == expected, "%s: %s %s", text, err->text, err->detail);
	tr_record_state_release(&r);
}

#define GOOD_SNAPSHOT "\"snapshot\":{\"state\":\"done\",\"tables\":{}}"
#define GOOD_END "\"sequence\":1,\"saved_at_ms\":2,\"writer\":\"x\"}"

START_TEST(encodes_as_documented)
{
	tr_record_state r;
	tr_writer w;
	tr_err err;

	tr_record_state_init(&r);
	tr_writer_init(&w, 4096);
	tr_writer_text(&r.position, "{\"lsn\":\"0/16B3748\"}");
	r.snapshot = TR_SNAPSHOT_DONE;
	r.sequence = 42;
	r.saved_at_ms = 1700000000123;
	r.delivery = TR_STATE_EXACTLY_ONCE;
	tr_writer_text(&r.sink, "kafka:\"x\"");
	tr_writer_text(&r.owner, "01ab@db1");
	ck_assert_int_eq(tr_record_state_encode(&r, "a\"b", &w, &err), 0);
	const char *head = "{\"version\":3,\"pipeline\":\"a\\\"b\",\"delivery\":\"exactly_once\",\"sink\":\"kafka:\\\"x\\\"\",\"owner\":\"01ab@db1\",\"source\":{},\"position\":{\"lsn\":\"0/16B3748\"},\"snapshot\":{\"state\":"
	                   "\"done\",\"tables\":{}},\"sequence\":42,\"saved_at_ms\":1700000000123,\"writer\":\"tailrace ";
	ck_assert_msg(w.len > strlen(head) && memcmp(w.data, head, strlen(head)) == 0, "%.*s", (int)w.len, (char *)w.data);
	ck_assert_int_eq(tr_record_state_decode(&r, tr_writer_view(&w), &err), 0);
	ck_assert_uint_eq(r.sequence, 42);
	ck_assert_int_eq(r.delivery, TR_STATE_EXACTLY_ONCE);
	ck_assert(tr_slice_eq(tr_writer_view(&r.sink), tr_slice_str("kafka:\"x\"")));
	ck_assert(tr_slice_eq(tr_writer_view(&r.owner), tr_slice_str("01ab@db1")));
	ck_assert(!r.reset && tr_slice_eq(tr_writer_view(&r.pipeline), tr_slice_str("a\"b")));
	r.reset = true;
	tr_writer_reset(&r.sink);
	tr_writer_reset(&w);
	ck_assert_int_eq(tr_record_state_encode(&r, "p", &w, &err), 0);
	ck_assert_int_eq(tr_record_state_decode(&r, tr_writer_view(&w), &err), 0);
	ck_assert(r.reset && r.sink.len == 0);
	tr_writer_release(&w);
	tr_record_state_release(&r);
}
END_TEST

START_TEST(refuses_a_newer_version)
{
	tr_err err;

	decode("{\"version\":4,\"writer\":\"tailrace 9.0\",\"anything\":1}", &err, -1);
	ck_assert_int_eq(err.code, TR_E_STATE_NEWER);
	ck_assert(strstr(err.detail, "tailrace 9.0") && err.hint[0]);
	tr_err_clear(&err);
	decode("{\"version\":4}", &err, -1);
	ck_assert_int_eq(err.code, TR_E_STATE_NEWER);
	ck_assert_ptr_null(strstr(err.detail, "null"));
}
END_TEST

/* The bytes that version 1 wrote. */
START_TEST(reads_version_1)
{
	static const char text[] = "{\"version\":1,\"pipeline\":\"shop\",\"source\":{\"system\":\"7412\"},\"position\":{\"lsn\":\"0/2A\","
	                           "\"index\":3},\"snapshot\":{\"state\":\"running\",\"tables\":{\"public.a\":{\"rows\":10,\"done\":true}}},"
	                           "\"sequence\":7,\"saved_at_ms\":1700000000000,\"writer\":\"tailrace 0.1.0\"}";
	tr_record_state r;
	tr_writer w;
	tr_err err;

	tr_record_state_init(&r);
	tr_writer_init(&w, 4096);
	r.delivery = TR_STATE_EXACTLY_ONCE;
	r.reset = true;
	ck_assert_msg(tr_record_state_decode(&r, tr_slice_str(text), &err) == 0, "%s", err.detail);
	ck_assert_int_eq(r.delivery, TR_STATE_AT_LEAST_ONCE);
	ck_assert(!r.reset && r.sequence == 7 && r.snapshot == TR_SNAPSHOT_RUNNING);
	ck_assert(tr_slice_eq(tr_writer_view(&r.position), tr_slice_str("{\"lsn\":\"0/2A\",\"index\":3}")));
	ck_assert(tr_slice_eq(tr_writer_view(&r.pipeline), tr_slice_str("shop")));
	/* What is written of it is the newest version. */
	ck_assert_int_eq(tr_record_state_encode(&r, "shop", &w, &err), 0);
	tr_writer_u8(&w, 0);
	ck_assert_msg(strstr((char *)w.data, "{\"version\":3,\"pipeline\":\"shop\",\"delivery\":\"at_least_once\",") != NULL, "%s", (char *)w.data);
	tr_writer_release(&w);
	tr_record_state_release(&r);
}
END_TEST

#define GOOD_2 "{\"version\":2,\"pipeline\":\"p\",\"source\":{},\"position\":{}," GOOD_SNAPSHOT

#define GOOD_3 "{\"version\":3,\"pipeline\":\"p\",\"delivery\":\"exactly_once\",\"source\":{},\"position\":{}," GOOD_SNAPSHOT

START_TEST(refuses_damage)
{
	static const char *const texts[] = {"", "{", "[]", "null", "{}", "{\"version\":0}", "{\"version\":\"1\"}", "{\"version\":1}",
	    "{\"version\":1,\"pipeline\":\"p\",\"source\":{},\"position\":[]," GOOD_SNAPSHOT "," GOOD_END,
	    "{\"version\":1,\"pipeline\":\"p\",\"source\":{},\"position\":{}," GOOD_SNAPSHOT ",\"more\":1," GOOD_END,
	    "{\"version\":1,\"pipeline\":\"p\",\"source\":{},\"position\":{},\"snapshot\":{\"state\":\"maybe\",\"tables\":{}}," GOOD_END,
	    "{\"version\":1,\"pipeline\":\"p\",\"source\":{},\"position\":{},\"snapshot\":{\"tables\":{}}," GOOD_END,
	    "{\"version\":1,\"pipeline\":\"p\",\"source\":{},\"position\":{}," GOOD_SNAPSHOT ",\"sequence\":-1,\"saved_at_ms\":2}",
	    "{\"version\":1,\"version\":1,\"pipeline\":\"p\",\"source\":{},\"position\":{}," GOOD_SNAPSHOT "," GOOD_END,
	    "{\"version\":1,\"pipeline\":\"p\",\"source\":{},\"position\":{}," GOOD_SNAPSHOT "," GOOD_END "x",
	    "{\"version\":1,\"pipeline\":\"p\",\"delivery\":\"at_least_once\",\"source\":{},\"position\":{}," GOOD_SNAPSHOT "," GOOD_END,
	    GOOD_2 "," GOOD_END, GOOD_2 ",\"delivery\":\"twice\"," GOOD_END,
	    GOOD_2 ",\"delivery\":\"exactly_once\",\"reset\":false," GOOD_END,
	    GOOD_2 ",\"delivery\":\"exactly_once\",\"sink\":\"stdout\"," GOOD_END, GOOD_3 ",\"sink\":\"\"," GOOD_END,
	    GOOD_3 ",\"owner\":7," GOOD_END};
	tr_err err;

	decode("{\"version\":1,\"pipeline\":\"p\",\"source\":{},\"position\":{}," GOOD_SNAPSHOT "," GOOD_END, &err, 0);
	decode(GOOD_3 "," GOOD_END, &err, 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		tr_err_clear(&err);
		decode(texts[i], &err, -1);
		ck_assert_int_eq(err.code, TR_E_STATE_CORRUPT);
		ck_assert(err.detail[0] && err.hint[0]);
	}
}
END_TEST

TEST_MAIN("state record", encodes_as_documented, reads_version_1, refuses_a_newer_version, refuses_damage)
