/* The situations of Debezium's captured records (tests/golden/cases/postgres-changes and -mode-options), one by one. */
#include <pthread.h>

#include "tests/unit/events/fixture.h"

static fx f;

static void begin(void)
{
	fx_init(&f);
	f.options.null_as_default = true; /* as Debezium */
}

static tr_table *ident_default(void)
{
	return fx_table(&f, "ident_default", "id:int!#1@", "name:text!", "qty:int", "note:text=none");
}

#define AFTER4    "{id:4,name:four,qty:40,note:none}"
#define ONLY_KEY4 "{id:4,name:,qty:-,note:none}"

START_TEST(read_create_update)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = ident_default();

	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("4", "four", "40", "none"));
	ck_assert_str_eq(fx_take(&f), "srv.inv.ident_default K{id:4} V" ENVELOPE("c", "-", AFTER4) " +ctx\n");
	fx_emit(&f, TR_OP_UPDATE, t, NULL, ROW("4", "four", "41", NUL));
	ck_assert_str_eq(fx_take(&f), "srv.inv.ident_default K{id:4} V" ENVELOPE(
					  "u", "-", "{id:4,name:four,qty:41,note:none}") " +ctx\n");
	fx_emit(&f, TR_OP_READ, t, NULL, ROW("1", "one", NUL, "x"));
	ck_assert_str_eq(fx_take(&f), "srv.inv.ident_default K{id:1} V" ENVELOPE(
					  "r", "-", "{id:1,name:one,qty:-,note:x}") " +ctx\n");
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_CREATE), 1);
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_UPDATE), 1);
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_READ), 1);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(null_stays_null_unless_asked)
{
	fx_init(&f);
	fx_start(&f, 1 << 20);
	tr_table *t = ident_default();

	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("4", "four", NUL, NUL));
	ck_assert_str_eq(fx_take(&f), "srv.inv.ident_default K{id:4} V" ENVELOPE(
					  "c", "-", "{id:4,name:four,qty:-,note:-}") " +ctx\n");
	fx_emit(&f, TR_OP_DELETE, t, ROW("4", ABSENT, ABSENT, ABSENT), NULL);
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "before:{id:4,name:,qty:-,note:-},after:-"));
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(delete_with_tombstone)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = ident_default();

	fx_emit(&f, TR_OP_DELETE, t, ROW("4", ABSENT, ABSENT, ABSENT), NULL);
	ck_assert_str_eq(fx_take(&f), "srv.inv.ident_default K{id:4} V" ENVELOPE(
					  "d", ONLY_KEY4, "-") " +ctx\n"
							       "srv.inv.ident_default K{id:4} V- +ctx\n");
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_DELETE), 1);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(key_change)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = ident_default();

	fx_emit(&f, TR_OP_UPDATE, t, ROW("4", ABSENT, ABSENT, ABSENT), ROW("44", "four", "41", "none"));
	ck_assert_str_eq(
	    fx_take(&f),
	    "srv.inv.ident_default K{id:4} V" ENVELOPE(
		"d", ONLY_KEY4, "-") " __debezium.newkey={\"id\":44} +ctx\n"
				     "srv.inv.ident_default K{id:4} V- __debezium.newkey={\"id\":44} +ctx\n"
				     "srv.inv.ident_default K{id:44} V" ENVELOPE(
					 "c", "-",
					 "{id:44,name:four,qty:41,note:none}") " __debezium.oldkey={\"id\":4} +ctx\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(key_change_with_json_headers_without_tombstones)
{
	begin();
	f.options.tombstones = false;
	f.options.headers_format = TR_HEADERS_JSON;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "cust", "id:int!#1@");

#define KEY_SCHEMA                                                                                                     \
	"{\"schema\":{\"type\":\"struct\",\"fields\":[{\"type\":\"int32\",\"optional\":false,\"field\":\"id\"}],"      \
	"\"optional\":false,\"name\":\"srv.inv.cust.Key\"},\"payload\":"
	fx_emit(&f, TR_OP_UPDATE, t, ROW("3"), ROW("30"));
	ck_assert_str_eq(fx_take(&f), "srv.inv.cust K{id:3} V" ENVELOPE(
					  "d", "{id:3}", "-") " __debezium.newkey=" KEY_SCHEMA "{\"id\":30}} +ctx\n"
							      "srv.inv.cust K{id:30} V" ENVELOPE(
								  "c", "-", "{id:30}") " __debezium.oldkey=" KEY_SCHEMA
										       "{\"id\":3}} +ctx\n");
	ck_assert_uint_eq(f.batch->header_count, 4);
	ck_assert_str_eq(f.batch->headers[0].name, "__debezium.context.connectorLogicalName");
	ck_assert(
	    tr_slice_eq(f.batch->headers[0].value,
			tr_slice_str("{\"schema\":{\"type\":\"string\",\"optional\":false},\"payload\":\"srv\"}")));
	fx_emit(&f, TR_OP_DELETE, t, ROW("30"), NULL);
	ck_assert_str_eq(fx_take(&f), "srv.inv.cust K{id:30} V" ENVELOPE("d", "{id:30}", "-") " +ctx\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(context_headers)
{
	begin();
	fx_start(&f, 1 << 20);
	ck_assert_uint_eq(f.batch->header_count, 4);
	ck_assert_str_eq(f.batch->headers[1].name, "__debezium.context.taskId");
	ck_assert(tr_slice_eq(f.batch->headers[1].value, tr_slice_str("0")));
	ck_assert(tr_slice_eq(f.batch->headers[2].value, tr_slice_str("postgresql")));
	ck_assert_str_eq(f.batch->headers[3].name, "__debezium.context.runId");
	ck_assert_uint_eq(f.batch->headers[3].value.len, 36);
	ck_assert_int_eq(f.batch->headers[3].value.ptr[14], '4');
	fx_stop(&f);
	begin();
	f.options.context_headers = false;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@");
	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("1"));
	ck_assert_ptr_null(strstr(fx_take(&f), "+ctx"));
	ck_assert_uint_eq(f.batch->header_count, 0);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(full_identity)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "ident_full", "id:int!#1@", "name:text!@", "qty:int@");

	fx_emit(&f, TR_OP_UPDATE, t, ROW("4", "four", "40"), ROW("4", "four", NUL));
	ck_assert_str_eq(fx_take(&f), "srv.inv.ident_full K{id:4} V" ENVELOPE("u", "{id:4,name:four,qty:40}",
									      "{id:4,name:four,qty:-}") " +ctx\n");
	fx_emit(&f, TR_OP_UPDATE, t, ROW("4", "four", NUL), ROW("44", "four", NUL));
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.ident_full K{id:4} V" ENVELOPE(
			     "d", "{id:4,name:four,qty:-}",
			     "-") " __debezium.newkey={\"id\":44} +ctx\n"
				  "srv.inv.ident_full K{id:4} V- __debezium.newkey={\"id\":44} +ctx\n"
				  "srv.inv.ident_full K{id:44} V" ENVELOPE(
				      "c", "-", "{id:44,name:four,qty:-}") " __debezium.oldkey={\"id\":4} +ctx\n");
	fx_emit(&f, TR_OP_DELETE, t, ROW("44", "four", "1"), NULL);
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "before:{id:44,name:four,qty:1},after:-"));
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

/* A replica identity that lacks the key: the old key is made of zero values, and differs from the new one. */
START_TEST(index_identity)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "ident_index", "id:int!#1", "code:text!@", "name:text");

	fx_emit(&f, TR_OP_UPDATE, t, NULL, ROW("33", "CC", "GAMMA"));
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.ident_index K{id:33} V" ENVELOPE("u", "-", "{id:33,code:CC,name:GAMMA}") " +ctx\n");
	fx_emit(&f, TR_OP_UPDATE, t, ROW(ABSENT, "C", ABSENT), ROW("3", "CC", "GAMMA"));
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.ident_index K{id:0} V" ENVELOPE(
			     "d", "{id:0,code:C,name:-}",
			     "-") " __debezium.newkey={\"id\":3} +ctx\n"
				  "srv.inv.ident_index K{id:0} V- __debezium.newkey={\"id\":3} +ctx\n"
				  "srv.inv.ident_index K{id:3} V" ENVELOPE(
				      "c", "-", "{id:3,code:CC,name:GAMMA}") " __debezium.oldkey={\"id\":0} +ctx\n");
	fx_emit(&f, TR_OP_DELETE, t, ROW(ABSENT, "A", ABSENT), NULL);
	ck_assert_str_eq(fx_take(&f), "srv.inv.ident_index K{id:0} V" ENVELOPE(
					  "d", "{id:0,code:A,name:-}", "-") " +ctx\n"
									    "srv.inv.ident_index K{id:0} V- +ctx\n");
	/* a row whose key is the zero value has not changed it */
	fx_emit(&f, TR_OP_UPDATE, t, ROW(ABSENT, "C", ABSENT), ROW("0", "CC", "x"));
	ck_assert_str_eq(fx_take(&f), "srv.inv.ident_index K{id:0} V" ENVELOPE("u", "{id:0,code:C,name:-}",
									       "{id:0,code:CC,name:x}") " +ctx\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(no_key)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "no_key_full", "a:int@", "b:text@");

	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW(NUL, NUL));
	ck_assert_str_eq(fx_take(&f), "srv.inv.no_key_full K- V" ENVELOPE("c", "-", "{a:-,b:-}") " +ctx\n");
	fx_emit(&f, TR_OP_UPDATE, t, ROW("3", "z"), ROW("4", "Z"));
	ck_assert_str_eq(fx_take(&f), "srv.inv.no_key_full K- V" ENVELOPE("u", "{a:3,b:z}", "{a:4,b:Z}") " +ctx\n");
	fx_emit(&f, TR_OP_DELETE, t, ROW("3", "Z"), NULL);
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.no_key_full K- V" ENVELOPE("d", "{a:3,b:Z}", "-") " +ctx\n"
										    "srv.inv.no_key_full K- V- +ctx\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(two_keys_in_their_own_order)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "two_key", "region:text!#2@", "num:int!#1@", "amount:bytes");

	fx_emit(&f, TR_OP_UPDATE, t, ROW("eu", "2", ABSENT), ROW("uk", "2", "A"));
	ck_assert_str_eq(
	    fx_take(&f),
	    "srv.inv.two_key K{num:2,region:eu} V" ENVELOPE(
		"d", "{region:eu,num:2,amount:-}",
		"-") " __debezium.newkey={\"num\":2,\"region\":\"uk\"} +ctx\n"
		     "srv.inv.two_key K{num:2,region:eu} V- __debezium.newkey={\"num\":2,\"region\":\"uk\"} +ctx\n"
		     "srv.inv.two_key K{num:2,region:uk} V" ENVELOPE(
			 "c", "-",
			 "{region:uk,num:2,amount:x41}") " __debezium.oldkey={\"num\":2,\"region\":\"eu\"} +ctx\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

#define GONE       "__debezium_unavailable_value"
#define GONE_BYTES "x5f5f646562657a69756d5f756e617661696c61626c655f76616c7565"

START_TEST(unchanged_values)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "toast", "id:int!#1@", "big:text", "bigb:bytes", "nn:text!");

	fx_emit(&f, TR_OP_UPDATE, t, NULL, ROW("1", UNCHANGED, UNCHANGED, UNCHANGED));
	ck_assert_str_eq(fx_take(&f), "srv.inv.toast K{id:1} V" ENVELOPE(
					  "u", "-", "{id:1,big:" GONE ",bigb:" GONE_BYTES ",nn:" GONE "}") " +ctx\n");
	/* also in the create of a key change; the key-only old row has no values to lend */
	fx_emit(&f, TR_OP_UPDATE, t, ROW("1", ABSENT, ABSENT, ABSENT), ROW("2", "short", UNCHANGED, UNCHANGED));
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "after:{id:2,big:short,bigb:" GONE_BYTES ",nn:" GONE "}"));
	/* with the full identity the old row has the value */
	fx_emit(&f, TR_OP_UPDATE, t, ROW("1", "old big", NUL, "old nn"), ROW("1", UNCHANGED, "B", UNCHANGED));
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.toast K{id:1} V" ENVELOPE("u", "{id:1,big:old big,bigb:-,nn:old nn}",
							    "{id:1,big:old big,bigb:x42,nn:old nn}") " +ctx\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(an_unchanged_key_is_no_change)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "toast_key", "k:text!#1@", "v:int@");

	fx_emit(&f, TR_OP_UPDATE, t, ROW("long key", "1"), ROW(UNCHANGED, "2"));
	ck_assert_str_eq(fx_take(&f), "srv.inv.toast_key K{k:long key} V" ENVELOPE("u", "{k:long key,v:1}",
										   "{k:long key,v:2}") " +ctx\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(truncate)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "trunc_a", "id:int!#1@");

	fx_emit(&f, TR_OP_TRUNCATE, t, NULL, NULL);
	ck_assert_str_eq(fx_take(&f), "srv.inv.trunc_a K- V" ENVELOPE("t", "-", "-") " +ctx\n");
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_TRUNCATE), 1);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(masked_in_the_row_but_not_in_the_key)
{
	const tr_column_rule rules[] = {{TR_COLUMN_MASK, "inv.cust.card", .length = 5}, {TR_COLUMN_EXCLUDE, "inv.cust.id", .length = 0}};

	begin();
	f.options.column_rules = rules;
	f.options.column_rule_count = 2;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "cust", "id:int!#1@", "card:text!#2@", "x:text");

	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("1", "4111", "x"));
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.cust K{id:1,card:4111} V" ENVELOPE("c", "-", "{card:*****,x:x}") " +ctx\n");
	fx_emit(&f, TR_OP_DELETE, t, ROW("1", "4111", ABSENT), NULL);
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "K{id:1,card:4111} V{before:{card:*****,x:-}"));
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(chosen_key_columns)
{
	static const char *const columns[] = {"a", "b"};
	const tr_key_rule rules[] = {{"inv.log_plain", columns, 2}};

	begin();
	f.options.key_rules = rules;
	f.options.key_rule_count = 1;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "log_plain", "a:int!@", "b:text@", "c:text@");

	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("2", NUL, "null key part"));
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "K{a:2,b:-} V"));
	fx_emit(&f, TR_OP_UPDATE, t, ROW("1", "k", "v"), ROW("1", "kk", "v"));
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "__debezium.oldkey={\"a\":1,\"b\":\"k\"}"));
	fx_emit(&f, TR_OP_UPDATE, t, ROW("1", NUL, "v"), ROW("1", NUL, "vv"));
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "op:u"));
	fx_emit(&f, TR_OP_UPDATE, t, ROW("1", NUL, "v"), ROW("1", "x", "v"));
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "__debezium.oldkey={\"a\":1,\"b\":null}"));
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(snapshot_marks_and_clocks)
{
	static const char *const texts[] = {
	    "false", "true", "first", "first_in_data_collection", "last_in_data_collection", "last", "incremental"};
	tr_datum row[1];

	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@");
	for (int mark = TR_MARK_NONE; mark <= TR_MARK_INCREMENTAL; mark++) {
		tr_change change = fx_change_of(&f, TR_OP_READ, t, NULL);
		char want[60];
		change.mark = mark;
		change.after = fx_row(row, ROW("1"), 1);
		ck_assert_int_eq(tr_emitter_change(f.emitter, &change, &f.err), 0);
		snprintf(want, sizeof(want), "snapshot:%s,", texts[mark]);
		ck_assert_ptr_nonnull(strstr(fx_take(&f), want));
	}
	f.encoder.clocks = true;
	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("1"));
	const char *shown = fx_take(&f);
	ck_assert_ptr_nonnull(strstr(shown, "ts_ms:1700000000123,snapshot"));
	ck_assert_ptr_nonnull(strstr(shown, "ts_us:1700000000123456,ts_ns:1700000000123456000,lsn"));
	long long ms, us, ns;
	ck_assert_int_eq(sscanf(strstr(shown, "op:c,ts_ms:"), "op:c,ts_ms:%lld,ts_us:%lld,ts_ns:%lld}", &ms, &us, &ns),
			 3);
	ck_assert_int_eq(ms, us / 1000);
	ck_assert_int_eq(us, ns / 1000);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(flat_envelope)
{
	begin();
	f.options.envelope = TR_ENVELOPE_FLAT;
	f.options.tombstones = false; /* a delete has no other form */
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@", "v:text");

	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("1", "a"));
	fx_emit(&f, TR_OP_UPDATE, t, NULL, ROW("1", NUL));
	fx_emit(&f, TR_OP_UPDATE, t, ROW("1", ABSENT), ROW("2", "b"));
	fx_emit(&f, TR_OP_DELETE, t, ROW("2", ABSENT), NULL);
	fx_emit(&f, TR_OP_TRUNCATE, t, NULL, NULL);
	ck_assert_str_eq(fx_take(&f), "srv.inv.t K{id:1} V{id:1,v:a} +ctx\n"
				      "srv.inv.t K{id:1} V{id:1,v:-} +ctx\n"
				      "srv.inv.t K{id:1} V- __debezium.newkey={\"id\":2} +ctx\n"
				      "srv.inv.t K{id:2} V{id:2,v:b} __debezium.oldkey={\"id\":1} +ctx\n"
				      "srv.inv.t K{id:2} V- +ctx\n");
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_SKIPPED), 1);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(skipped_operations)
{
	begin();
	f.options.skip_delete = f.options.skip_update = f.options.skip_truncate = true;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@");

	fx_emit(&f, TR_OP_UPDATE, t, NULL, ROW("1"));
	fx_emit(&f, TR_OP_DELETE, t, ROW("1"), NULL);
	fx_emit(&f, TR_OP_TRUNCATE, t, NULL, NULL);
	ck_assert_str_eq(fx_take(&f), "");
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_SKIPPED), 3);
	/* of a key change the delete is skipped, the create is not */
	fx_emit(&f, TR_OP_UPDATE, t, ROW("1"), ROW("2"));
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.t K{id:2} V" ENVELOPE("c", "-", "{id:2}") " __debezium.oldkey={\"id\":1} +ctx\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

/* MySQL and MariaDB: what is passed over are the changes of the log, and an update of a key is an update there. */
START_TEST(skipped_changes_of_the_log)
{
	begin();
	f.skips_changes = f.options.skip_delete = f.options.skip_create = true;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@");

	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("1"));
	fx_emit(&f, TR_OP_DELETE, t, ROW("1"), NULL);
	ck_assert_str_eq(fx_take(&f), "");
	fx_emit(&f, TR_OP_UPDATE, t, ROW("1"), ROW("2"));
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.t K{id:1} V" ENVELOPE("d", "{id:1}", "-") " __debezium.newkey={\"id\":2} +ctx\n"
			 "srv.inv.t K{id:1} V- __debezium.newkey={\"id\":2} +ctx\n"
			 "srv.inv.t K{id:2} V" ENVELOPE("c", "-", "{id:2}") " __debezium.oldkey={\"id\":1} +ctx\n");
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_SKIPPED), 2);
	f.options.skip_update = true;
	fx_emit(&f, TR_OP_UPDATE, t, ROW("2"), ROW("3"));
	ck_assert_str_eq(fx_take(&f), "");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(updates_without_a_published_change)
{
	const tr_column_rule rule = {.action = TR_COLUMN_EXCLUDE, .pattern = "inv.t.hidden"};

	for (int skip = 0; skip < 2; skip++) {
		begin();
		f.options.skip_unchanged = skip == 1;
		f.options.column_rules = &rule;
		f.options.column_rule_count = 1;
		fx_start(&f, 1 << 20);
		tr_table *t = fx_table(&f, "t", "id:int!#1@", "v:text", "hidden:text");

		fx_emit(&f, TR_OP_UPDATE, t, ROW("1", NUL, "x"), ROW("1", NUL, "y"));
		ck_assert_str_eq(fx_take(&f), skip ? "" : "srv.inv.t K{id:1} V" ENVELOPE("u", "{id:1,v:-}", "{id:1,v:-}") " +ctx\n");
		ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_SKIPPED), skip);
		fx_emit(&f, TR_OP_UPDATE, t, ROW("1", "a", "x"), ROW("1", "b", "x"));
		ck_assert_str_eq(fx_take(&f), "srv.inv.t K{id:1} V" ENVELOPE("u", "{id:1,v:a}", "{id:1,v:b}") " +ctx\n");
		/* no old row to compare with */
		fx_emit(&f, TR_OP_UPDATE, t, NULL, ROW("1", "b", "x"));
		ck_assert_str_eq(fx_take(&f), "srv.inv.t K{id:1} V" ENVELOPE("u", "-", "{id:1,v:b}") " +ctx\n");
		tr_table_free(t);
		fx_stop(&f);
	}
}
END_TEST

START_TEST(heartbeats)
{
	begin();
	fx_start(&f, 1 << 20);
	f.encoder.clocks = true;
	ck_assert_int_eq(tr_emitter_heartbeat(f.emitter, &f.err), 0);
	const char *shown = fx_take(&f);
	ck_assert_ptr_eq(strstr(shown, "__debezium-heartbeat.srv K{serverName:srv} V{ts_ms:1"), shown);
	ck_assert_ptr_null(strstr(shown, "ctx"));
	ck_assert_int_eq(f.batch->records[0].topic->kind, TR_TOPIC_META);
	ck_assert_str_eq(f.encoder.codecs[0]->subject, "__debezium-heartbeat.srv-key");
	fx_stop(&f);
}
END_TEST

static void message(const char *prefix, const char *content, size_t len, const char *txn_id)
{
	tr_change change = fx_change_of(&f, TR_OP_MESSAGE, NULL, txn_id);

	change.message_prefix = tr_slice_str(prefix);
	change.message_content = tr_slice_of(content, len);
	ck_assert_msg(tr_emitter_change(f.emitter, &change, &f.err) == 0, "%s", f.err.text);
}

START_TEST(messages)
{
	static const struct {
		tr_binary_mode mode;
		const char *content;
	} modes[] = {{TR_BINARY_BYTES, "x00ff3e"},
		     {TR_BINARY_BASE64, "AP8+"},
		     {TR_BINARY_BASE64_URL, "AP8-"},
		     {TR_BINARY_HEX, "00ff3e"}};

	for (size_t i = 0; i < 4; i++) {
		char want[400];
		begin();
		f.options.binary = modes[i].mode;
		fx_start(&f, 1 << 20);
		message("p", "\0\xff\x3e", 3, NULL);
		snprintf(
		    want, sizeof(want),
		    "srv.message K{prefix:p} V{op:m," SOURCE("false") ",transaction:-,message:{prefix:p,content:%s}}\n",
		    modes[i].content);
		ck_assert_str_eq(fx_take(&f), want);
		ck_assert_str_eq(f.encoder.codecs[1]->type->name, "io.debezium.connector.postgresql.MessageValue");
		ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_MESSAGE), 1);
		message("", NULL, 0, NULL);
		ck_assert_ptr_nonnull(strstr(fx_take(&f), "K{prefix:} V"));
		fx_stop(&f);
	}
}
END_TEST

static void txn_begin(const char *id)
{
	ck_assert_int_eq(tr_emitter_begin(f.emitter, tr_slice_str(id), 1700000000000000, &f.err), 0);
}

static void txn_commit(const char *id)
{
	ck_assert_msg(tr_emitter_commit(f.emitter, tr_slice_str(id), 1700000000000000, &f.err) == 0, "%s", f.err.text);
}

START_TEST(transactions)
{
	begin();
	f.options.transaction_metadata = true;
	fx_start(&f, 1 << 20);
	/* in the order of Java's map, whatever came first */
	tr_table *a = fx_table(&f, "two_key", "id:int!#1@"), *b = fx_table(&f, "ident_default", "id:int!#1@");

	txn_begin("35:37");
	ck_assert_str_eq(fx_take(&f), "");
	fx_emit_txn(&f, TR_OP_CREATE, a, NULL, ROW("1"), "35:37");
	ck_assert_str_eq(fx_take(&f),
			 "srv.transaction K{id:35:37} V{status:BEGIN,id:35:37,event_count:-,data_collections:-}\n"
			 "srv.inv.two_key K{id:1} V" ENVELOPE_TXN("c", "-", "{id:1}", "35:37", "1", "1") " +ctx\n");
	fx_emit_txn(&f, TR_OP_UPDATE, b, ROW("4"), ROW("44"), "35:38");
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.ident_default K{id:4} V" ENVELOPE_TXN(
			     "d", "{id:4}", "-", "35:38", "2",
			     "1") " __debezium.newkey={\"id\":44} +ctx\n"
				  "srv.inv.ident_default K{id:4} V- __debezium.newkey={\"id\":44} +ctx\n"
				  "srv.inv.ident_default K{id:44} V" ENVELOPE_TXN(
				      "c", "-", "{id:44}", "35:38", "3", "2") " __debezium.oldkey={\"id\":4} +ctx\n");
	fx_emit_txn(&f, TR_OP_TRUNCATE, a, NULL, NULL, "35:39");
	ck_assert_str_eq(fx_take(&f), "srv.inv.two_key K- V" ENVELOPE_TXN("t", "-", "-", "35:39", "4", "2") " +ctx\n");
	txn_commit("35:99");
	ck_assert_str_eq(
	    fx_take(&f),
	    "srv.transaction K{id:35:99} V{status:END,id:35:99,event_count:4,data_collections:["
	    "{data_collection:inv.ident_default,event_count:2},{data_collection:inv.two_key,event_count:2}]}\n");
	/* the next one counts anew; one without events is announced, too */
	txn_begin("36:1");
	txn_commit("36:2");
	ck_assert_str_eq(fx_take(&f),
			 "srv.transaction K{id:36:1} V{status:BEGIN,id:36:1,event_count:-,data_collections:-}\n"
			 "srv.transaction K{id:36:2} V{status:END,id:36:2,event_count:0,data_collections:[]}\n");
	txn_begin("37:1");
	fx_emit_txn(&f, TR_OP_CREATE, a, NULL, ROW("1"), "37:1");
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "transaction:{id:37:1,total_order:1,data_collection_order:1}"));
	tr_table_free(a);
	tr_table_free(b);
	txn_commit("37:2");
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "[{data_collection:inv.two_key,event_count:1}]"));
	fx_stop(&f);
}
END_TEST

START_TEST(messages_in_transactions)
{
	begin();
	f.options.transaction_metadata = true;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@");

	txn_begin("50:63");
	message("plain", "x", 1, NULL);
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "transaction:-"));
	message("tx", "a", 1, "50:63");
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "transaction:{id:50:63,total_order:1,data_collection_order:1}"));
	fx_emit_txn(&f, TR_OP_CREATE, t, NULL, ROW("1"), "50:63");
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "total_order:2,data_collection_order:1"));
	message("tx", "b", 1, "50:64");
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "total_order:3,data_collection_order:1"));
	txn_commit("50:70");
	ck_assert_str_eq(fx_take(&f),
			 "srv.transaction K{id:50:70} V{status:END,id:50:70,event_count:3,data_collections:["
			 "{data_collection:inv.t,event_count:1},{data_collection:srv.message,event_count:1},"
			 "{data_collection:srv.message,event_count:1}]}\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

/* Resumed inside a transaction: what is durable is counted, not published again, and BEGIN is not announced twice. */
START_TEST(replayed_changes_only_count)
{
	begin();
	f.options.transaction_metadata = true;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@");

	txn_begin("9:1");
	ck_assert_int_eq(fx_try_txn(&f, TR_OP_CREATE, t, NULL, ROW("1"), "9:1", true), 0);
	ck_assert_int_eq(fx_try_txn(&f, TR_OP_UPDATE, t, ROW("1"), ROW("2"), "9:2", true), 0);
	ck_assert_str_eq(fx_take(&f), "");
	fx_emit_txn(&f, TR_OP_CREATE, t, NULL, ROW("5"), "9:3");
	ck_assert_str_eq(fx_take(&f),
			 "srv.inv.t K{id:5} V" ENVELOPE_TXN("c", "-", "{id:5}", "9:3", "4", "4") " +ctx\n");
	txn_commit("9:4");
	ck_assert_ptr_nonnull(
	    strstr(fx_take(&f), "event_count:4,data_collections:[{data_collection:inv.t,event_count:4}]"));
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_CREATE), 1);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(without_metadata_there_is_none)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@");

	txn_begin("1:1");
	fx_emit_txn(&f, TR_OP_CREATE, t, NULL, ROW("1"), "1:1");
	txn_commit("1:2");
	ck_assert_str_eq(fx_take(&f), "srv.inv.t K{id:1} V" ENVELOPE("c", "-", "{id:1}") " +ctx\n");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

/* Whatever write fails, the batch is as before, and a second try gives what it would have given at first. */
START_TEST(failures_leave_no_trace)
{
	/* BEGIN key and value, key, delete, key, create: six writes */
	for (int n = 1; n <= 6; n++) {
		begin();
		f.options.transaction_metadata = true;
		fx_start(&f, 1 << 20);
		tr_table *t = fx_table(&f, "t", "id:int!#1@");
		fx_emit(&f, TR_OP_READ, t, NULL, ROW("1"));
		size_t records = f.batch->count, bytes = f.batch->bytes.len;
		txn_begin("7:1");
		f.encoder.writes = 0;
		f.encoder.fail_writes_from = n;
		ck_assert_int_eq(fx_try_txn(&f, TR_OP_UPDATE, t, ROW("1"), ROW("2"), "7:1", false), -1);
		ck_assert_int_eq(f.err.code, TR_E_ENCODE_VALUE);
		ck_assert_uint_eq(f.batch->count, records);
		ck_assert_uint_eq(f.batch->bytes.len, bytes);
		fx_take(&f);
		fx_emit_txn(&f, TR_OP_UPDATE, t, ROW("1"), ROW("2"), "7:1");
		const char *shown = fx_take(&f);
		ck_assert_ptr_nonnull(strstr(shown, "status:BEGIN"));
		ck_assert_ptr_nonnull(strstr(shown, "total_order:2,data_collection_order:2"));
		ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_DELETE), 1);
		txn_commit("7:9");
		ck_assert_ptr_nonnull(strstr(fx_take(&f), "[{data_collection:inv.t,event_count:2}]"));
		tr_table_free(t);
		fx_stop(&f);
	}
}
END_TEST

START_TEST(a_full_batch_is_told)
{
	begin();
	fx_start(&f, 400);
	tr_table *t = fx_table(&f, "t", "id:int!#1@", "v:text");

	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("1", "a"));
	size_t bytes = f.batch->bytes.len;
	ck_assert_int_eq(fx_try_txn(&f, TR_OP_UPDATE, t, ROW("1", ABSENT), ROW("2", "b"), NULL, false), -1);
	ck_assert_int_eq(f.err.code, TR_E_BATCH_LIMIT);
	ck_assert_str_eq(f.err.text, "an event of table \"inv.t\" does not fit into a batch of 400 bytes");
	ck_assert_uint_eq(f.batch->count, 1);
	ck_assert_uint_eq(f.batch->bytes.len, bytes);
	ck_assert(tr_writer_ok(&f.batch->bytes));
	/* a fresh batch has the room */
	tr_batch *other = tr_batch_take(f.pool, 0);
	tr_batch_put_back(f.batch);
	f.batch = other;
	f.seen = 0;
	tr_emitter_batch(f.emitter, f.batch);
	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("2", "b"));
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "K{id:2}"));
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(errors_name_the_column)
{
	begin();
	f.options.null_as_default = false;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@", "n:int!");

	ck_assert_int_eq(fx_try_txn(&f, TR_OP_CREATE, t, NULL, ROW("1", "x"), NULL, false), -1);
	ck_assert_str_eq(f.err.text, "column \"n\" of table \"inv.t\": a value is no integer");
	ck_assert_int_eq(fx_try_txn(&f, TR_OP_CREATE, t, NULL, ROW("1", NUL), NULL, false), -1);
	ck_assert_int_eq(f.err.code, TR_E_ENCODE_VALUE);
	ck_assert_str_eq(f.err.text, "column \"n\" of table \"inv.t\" is NULL where its schema has NOT NULL");
	ck_assert_int_eq(fx_try_txn(&f, TR_OP_DELETE, t, NULL, NULL, NULL, false), -1);
	ck_assert_int_eq(f.err.code, TR_E_DECODE_PROTOCOL);
	f.encoder.compile_error = TR_E_REGISTRY_UNAVAILABLE;
	ck_assert_int_eq(fx_try_txn(&f, TR_OP_CREATE, t, NULL, ROW("1", "1"), NULL, false), -1);
	ck_assert_int_eq(f.err.code, TR_E_REGISTRY_UNAVAILABLE);
	ck_assert_uint_eq(f.batch->count, 0);
	f.encoder.compile_error = TR_OK;
	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("1", "1"));
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(schemas_are_compiled_when_needed)
{
	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@");

	ck_assert_uint_eq(f.encoder.count, 0);
	fx_emit(&f, TR_OP_TRUNCATE, t, NULL, NULL);
	ck_assert_uint_eq(f.encoder.count, 1);
	ck_assert_str_eq(f.encoder.codecs[0]->subject, "srv.inv.t-value");
	fx_emit(&f, TR_OP_CREATE, t, NULL, ROW("1"));
	ck_assert_uint_eq(f.encoder.count, 2);
	ck_assert_str_eq(f.encoder.codecs[1]->subject, "srv.inv.t-key");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

/* Readers of one table share it: the first of them compiles its codecs. */
typedef struct reader {
	const tr_table *table;
	tr_batch *batch;
	int64_t sum;
} reader;

static void *read_rows(void *context)
{
	reader *r = context;
	tr_emitter *e = tr_emitter_new(f.catalogue);
	tr_source_block source = f.source;
	tr_datum row[2];
	tr_err err;

	source.fields[TR_SRC_OWN] = tr_value_int(1);
	tr_emitter_batch(e, r->batch);
	for (int i = 0; i < 500; i++) {
		tr_change change = {
		    .op = TR_OP_READ, .table = r->table, .source = &source, .after = fx_row(row, ROW("1", "v"), 2)};
		r->sum += tr_emitter_change(e, &change, &err) == 0;
	}
	tr_emitter_free(e);
	return NULL;
}

START_TEST(readers_share_a_table)
{
	pthread_t threads[2];
	reader readers[2];

	begin();
	fx_start(&f, 1 << 20);
	f.encoder.fail_writes_from = -1;
	tr_table *t = fx_table(&f, "t", "id:int!#1@", "v:text");
	tr_batch *other = tr_batch_take(f.pool, 0);
	for (int i = 0; i < 2; i++) {
		readers[i] = (reader){.table = t, .batch = i == 0 ? f.batch : other};
		ck_assert_int_eq(pthread_create(&threads[i], NULL, read_rows, &readers[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		ck_assert_int_eq(readers[i].sum, 500);
	}
	ck_assert_uint_eq(f.batch->count, 500);
	ck_assert_uint_eq(f.batch->bytes.len, other->bytes.len);
	ck_assert_uint_eq(f.encoder.count, 2);
	ck_assert_int_eq(tr_metric_get(&f.metrics, TR_M_EVENTS_READ), 1000);
	tr_batch_put_back(other);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

/* A clock far off must not be undefined behaviour. */
START_TEST(commit_times_beyond_nanoseconds)
{
	static const int64_t times[] = {INT64_MAX, INT64_MIN, 66253135857951931};
	tr_err err = {0};

	begin();
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1@", "v:text");
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		static const char *const texts[] = {"1", "x"};
		tr_change change = fx_change_of(&f, TR_OP_CREATE, t, "1");
		tr_datum row[2];

		change.after = fx_row(row, texts, 2);
		change.commit_us = times[i];
		ck_assert_int_eq(tr_emitter_change(f.emitter, &change, &err), 0);
	}
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

TEST_MAIN("emitter", commit_times_beyond_nanoseconds, read_create_update, null_stays_null_unless_asked, delete_with_tombstone, key_change,
	  key_change_with_json_headers_without_tombstones, context_headers, full_identity, index_identity, no_key,
	  two_keys_in_their_own_order, unchanged_values, an_unchanged_key_is_no_change, truncate,
	  masked_in_the_row_but_not_in_the_key, chosen_key_columns, snapshot_marks_and_clocks, flat_envelope,
	  skipped_operations, skipped_changes_of_the_log, updates_without_a_published_change,
	  heartbeats, messages, transactions, messages_in_transactions, replayed_changes_only_count,
	  without_metadata_there_is_none, failures_leave_no_trace, a_full_batch_is_told, errors_name_the_column,
	  schemas_are_compiled_when_needed, readers_share_a_table)
