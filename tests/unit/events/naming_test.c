#include "events/naming.h"
#include "tests/unit/test.h"

static tr_arena arena;
static const tr_event_options options = {.name = "gold-pg.odd",
					 .topic_delimiter = ".",
					 .heartbeat_prefix = "__debezium-heartbeat",
					 .transaction_topic = "transaction"};

#define ck_name(call, want)                                                                                            \
	do {                                                                                                           \
		tr_arena_init(&arena, 1 << 20);                                                                        \
		ck_assert_str_eq((call), (want));                                                                      \
		tr_arena_release(&arena);                                                                              \
	} while (0)

START_TEST(topics_are_sanitized)
{
	ck_name(tr_naming_topic(&arena, &options, "Odd Schema", "Mixed Case-Table"),
		"gold-pg.odd.Odd_Schema.Mixed_Case-Table");
	ck_name(tr_naming_topic(&arena, &options, "public", "naïve.tbl"), "gold-pg.odd.public.na_ve.tbl");
	/* Java counts UTF-16: an emoji is two characters. */
	ck_name(tr_naming_topic(&arena, &options, "public", "\xf0\x9f\x98\x80"), "gold-pg.odd.public.__");
	ck_name(tr_naming_topic(&arena, &options, "p",
				"bad\xff"
				"byte"),
		"gold-pg.odd.p.bad_byte");
}
END_TEST

START_TEST(blank_parts_and_dots)
{
	tr_event_options o = options;

	ck_name(tr_naming_topic(&arena, &options, " ", "t"), "gold-pg.odd.t");
	ck_name(tr_naming_topic(&arena, &options, NULL, "t"), "gold-pg.odd.t");
	o.name = "";
	ck_name(tr_naming_topic(&arena, &o, NULL, ".."), "__");
	ck_name(tr_naming_topic(&arena, &o, NULL, "..."), "...");
	o.name = "a";
	o.topic_delimiter = "-";
	ck_name(tr_naming_topic(&arena, &o, "s", "t"), "a-s-t");
	ck_name(tr_naming_message_topic(&arena, &o), "a.message");
	ck_name(tr_naming_transaction_topic(&arena, &o), "a-transaction");
	ck_name(tr_naming_heartbeat_topic(&arena, &o), "__debezium-heartbeat-a");
}
END_TEST

START_TEST(long_topics_are_cut)
{
	char table[400];

	memset(table, 'x', sizeof(table));
	table[sizeof(table) - 1] = '\0';
	tr_arena_init(&arena, 1 << 20);
	ck_assert_uint_eq(strlen(tr_naming_topic(&arena, &options, "s", table)), 249);
	tr_arena_release(&arena);
}
END_TEST

START_TEST(schema_names)
{
	ck_name(tr_naming_schema(&arena, TR_NAMES_NONE, "gold-pg.1t.Key"), "gold-pg.1t.Key");
	ck_name(tr_naming_schema(&arena, TR_NAMES_AVRO, "gold-pg.odd.Odd_Schema.1table.Key"),
		"gold_pg.odd.Odd_Schema.1table.Key");
	ck_name(tr_naming_schema(&arena, TR_NAMES_AVRO, "1srv.t.Key"), "_1srv.t.Key");
	ck_name(tr_naming_schema(&arena, TR_NAMES_AVRO_UNICODE, "gold-pg.uni.Odd_Schema.1table.Key"),
		"gold_u002dpg.uni.Odd_u005fSchema.1table.Key");
	ck_name(tr_naming_schema(&arena, TR_NAMES_AVRO_UNICODE, "1srv.t.Key"), "_u0031srv.t.Key");
}
END_TEST

START_TEST(field_names)
{
	static const char *const cases[][3] = {
	    {"Id", "Id", "Id"},
	    {"Col Name", "Col_Name", "Col_u0020Name"},
	    {"1st", "_1st", "_u0031st"},
	    {"a.b", "a_b", "a_u002eb"},
	    {"a-b", "a_b", "a_u002db"},
	    {"ünïcode", "_n_code", "_u00fcn_u00efcode"},
	    {"$dollar", "_dollar", "_u0024dollar"},
	    {"_under", "_under", "_u005funder"},
	    {"Čára", "__ra", "_u10c_u00e1ra"},
	    {"名", "_", "_u540d"},
	    {"\xf0\x9f\x98\x80", "__", "_ud83d_ude00"},
	    {"a\tb", "a_b", "a_u009b"},
	    {"", "", ""},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_name(tr_naming_field(&arena, TR_NAMES_NONE, cases[i][0]), cases[i][0]);
		ck_name(tr_naming_field(&arena, TR_NAMES_AVRO, cases[i][0]), cases[i][1]);
		ck_name(tr_naming_field(&arena, TR_NAMES_AVRO_UNICODE, cases[i][0]), cases[i][2]);
	}
}
END_TEST

START_TEST(what_avro_takes)
{
	ck_assert(tr_naming_avro_schema_valid("gold_pg.odd.1table.Key"));
	ck_assert(!tr_naming_avro_schema_valid("gold-pg.odd.Key"));
	ck_assert(!tr_naming_avro_schema_valid("1gold.Key"));
	ck_assert(!tr_naming_avro_schema_valid(""));
	ck_assert(tr_naming_avro_field_valid("_1st"));
	ck_assert(!tr_naming_avro_field_valid("a.b"));
	ck_assert(!tr_naming_avro_field_valid("1st"));
	ck_assert(!tr_naming_avro_field_valid("naïve"));
}
END_TEST

START_TEST(java_hash)
{
	ck_assert_uint_eq(tr_naming_java_hash(""), 0);
	ck_assert_uint_eq(tr_naming_java_hash("a"), 97);
	ck_assert_uint_eq(tr_naming_java_hash("polygenelubricants"), 0x80000000u);
	ck_assert_uint_eq(tr_naming_java_hash("ü"), 0xfc);
}
END_TEST

TEST_MAIN("naming", topics_are_sanitized, blank_parts_and_dots, long_topics_are_cut, schema_names, field_names,
	  what_avro_takes, java_hash)
