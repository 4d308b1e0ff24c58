#include <string.h>

#include "capture/postgres/connect.h"
#include "capture/postgres/position.h"
#include "capture/source.h"
#include "tests/unit/test.h"

static const char *written(const tr_pgc_position *p)
{
	static char text[256];
	tr_writer w;

	tr_writer_init(&w, 4096);
	tr_pgc_position_write(p, &w);
	snprintf(text, sizeof(text), "%.*s", (int)w.len, (const char *)w.data);
	tr_writer_release(&w);
	return text;
}

START_TEST(lsn_text_round_trips)
{
	uint64_t lsn;
	char text[TR_PGC_LSN_TEXT];

	ck_assert(tr_pgc_lsn_parse("16/B374D848", &lsn));
	ck_assert_uint_eq(lsn, UINT64_C(0x16B374D848));
	tr_pgc_lsn_format(text, lsn);
	ck_assert_str_eq(text, "16/B374D848");
	ck_assert(tr_pgc_lsn_parse("0/0", &lsn));
	ck_assert(tr_pgc_lsn_parse("FFFFFFFF/ffffffff", &lsn));
	ck_assert_uint_eq(lsn, UINT64_MAX);
	const char *const bad[] = {"", "/", "1", "1/", "/1", "1/2/3", "x/1", "1/123456789", "123456789/1", "1/2 "};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!tr_pgc_lsn_parse(bad[i], &lsn), "%s", bad[i]);
	ck_assert(!tr_pgc_lsn_parse(NULL, &lsn));
}
END_TEST

START_TEST(position_round_trips)
{
	const tr_pgc_position cases[] = {{.lsn = 0x16B3748},
					 {.lsn = 0x16B3748, .commit = 0x16B3700},
					 {.lsn = 1, .commit = 1, .tx = 0x900000001, .index = 4711}};
	const char *const texts[] = {"{\"lsn\":\"0/16B3748\"}", "{\"lsn\":\"0/16B3748\",\"commit\":\"0/16B3700\"}",
				     "{\"lsn\":\"0/1\",\"commit\":\"0/1\",\"tx\":\"9/1\",\"index\":4711}"};

	for (size_t i = 0; i < 3; i++) {
		tr_pgc_position back;

		ck_assert_str_eq(written(&cases[i]), texts[i]);
		ck_assert(tr_pgc_position_read(tr_slice_str(texts[i]), &back));
		ck_assert_mem_eq(&back, &cases[i], sizeof(back));
	}
}
END_TEST

START_TEST(position_refuses_what_it_does_not_know)
{
	const char *const bad[] = {"",
				   "{}",
				   "null",
				   "{\"lsn\":\"0/0\"}",
				   "{\"lsn\":1}",
				   "{\"lsn\":\"0/1\"",
				   "{\"lsn\":\"0/1\"}x",
				   "{\"lsn\":\"0/1\",}",
				   "{\"lsn\":\"0/1\",\"gtid\":\"x\"}",
				   "{\"lsn\":\"0/1\",\"index\":3}",
				   "{\"lsn\":\"0/1\\n\"}",
				   "[\"0/1\"]"};
	tr_pgc_position p;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(!tr_pgc_position_read(tr_slice_str(bad[i]), &p), "%s", bad[i]);
	ck_assert(tr_pgc_position_read(tr_slice_str(" { \"lsn\" : \"0/1\" } \n"), &p));
}
END_TEST

static int compared(const char *a, const char *b)
{
	return tr_pgc_position_compare(tr_slice_str(a), tr_slice_str(b));
}

START_TEST(positions_compare_in_commit_order)
{
	const char *const ordered[] = {"{\"lsn\":\"0/10\"}",
				       "{\"lsn\":\"0/20\"}",
				       "{\"lsn\":\"0/20\",\"tx\":\"0/30\",\"index\":1}",
				       "{\"lsn\":\"0/20\",\"tx\":\"0/30\",\"index\":2}",
				       "{\"lsn\":\"0/38\"}",
				       "{\"lsn\":\"1/0\"}"};

	for (size_t i = 0; i < 6; i++)
		for (size_t j = 0; j < 6; j++)
			ck_assert_int_eq(compared(ordered[i], ordered[j]), i < j ? -1 : i > j);
	ck_assert_int_eq(compared("{\"lsn\":\"0/10\"}", "{\"lsn\":\"0/10\",\"commit\":\"0/8\"}"), 0);
	ck_assert_int_eq(compared("{\"lsn\":\"0/10\"}", "x"), 2);
}
END_TEST

START_TEST(identity_round_trips)
{
	tr_pgc_identity id = {.system = "7412345678901234567",
			      .database = "a \"b\"\\c",
			      .slot = "tailrace_shop",
			      .timeline = 3},
			back;
	char text[512];

	tr_pgc_identity_write(&id, text, sizeof(text));
	ck_assert_str_eq(text, "{\"system\":\"7412345678901234567\",\"timeline\":3,\"database\":\"a "
			       "\\\"b\\\"\\\\c\",\"slot\":\"tailrace_shop\"}");
	ck_assert(tr_pgc_identity_read(tr_slice_str(text), &back));
	ck_assert_str_eq(back.database, id.database);
	ck_assert_str_eq(back.system, id.system);
	ck_assert_uint_eq(back.timeline, 3);
	ck_assert(!tr_pgc_identity_read(tr_slice_str("{\"system\":\"1\"}"), &back));
}
END_TEST

START_TEST(sources_are_found_by_scheme)
{
	const char *known;

	ck_assert_str_eq(tr_source_find("postgres://h/db", &known)->kind, "postgres");
	ck_assert_str_eq(tr_source_find("postgresql://h/db", NULL)->kind, "postgres");
	ck_assert_ptr_null(tr_source_find("oracle://h/db", &known));
	ck_assert_ptr_nonnull(strstr(known, "postgres postgresql"));
	ck_assert_ptr_null(tr_source_find("postgres", NULL));
	ck_assert_ptr_null(tr_source_find(NULL, NULL));
}
END_TEST

TEST_MAIN("capture_postgres.position", lsn_text_round_trips, position_round_trips,
	  position_refuses_what_it_does_not_know, positions_compare_in_commit_order, identity_round_trips,
	  sources_are_found_by_scheme)
