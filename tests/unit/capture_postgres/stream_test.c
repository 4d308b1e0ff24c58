#include "tests/unit/capture_postgres/rig.h"

START_TEST(transactions_arrive_in_commit_order)
{
	rig r;

	rig_init(&r, "order_of_commits");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY, v text)");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t VALUES (1, 'a'), (2, NULL)");
	rig_sql(&r, "BEGIN; UPDATE t SET v = 'b' WHERE id = 1; UPDATE t SET id = 3 WHERE id = 2; DELETE FROM t WHERE "
		    "id = 1; COMMIT");
	rig_sql(&r, "BEGIN; INSERT INTO t VALUES (9, 'never'); ROLLBACK");
	RIG_EXPECT(&r, "begin", "c public.t (1,a)", "c public.t (2,~)", "commit", "begin", "u public.t (1,b)",
		   "u public.t (2,-)>(3,~)", "d public.t (1,-)>", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(ids_lsn_and_sequence_follow_the_transaction)
{
	rig r;
	char expected[128];

	rig_init(&r, "ids_of_events");
	r.ids = true;
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t VALUES (1)");
	rig_read_lines(&r, 3);
	uint64_t first_lsn = r.last_lsn;
	snprintf(expected, sizeof(expected), "begin %lld:%llu", (long long)r.last_txid, (unsigned long long)first_lsn);
	ck_assert_str_eq(r.lines[0], expected);
	snprintf(expected, sizeof(expected), "[null,\"%llu\"]", (unsigned long long)first_lsn);
	ck_assert_str_eq(r.sequence, expected);
	uint64_t end_lsn = strtoull(strchr(r.lines[2], ':') + 1, NULL, 10);
	ck_assert_uint_gt(end_lsn, first_lsn);
	rig_forget(&r);
	rig_sql(&r, "INSERT INTO t VALUES (2)");
	rig_read_lines(&r, 3);
	snprintf(expected, sizeof(expected), "[\"%llu\",\"%llu\"]", (unsigned long long)end_lsn,
		 (unsigned long long)r.last_lsn);
	ck_assert_str_eq(r.sequence, expected);
	rig_release_all(&r);
}
END_TEST

START_TEST(truncates_and_messages)
{
	rig r;

	rig_init(&r, "truncates");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, a int REFERENCES a)");
	rig_begin_streaming(&r);
	rig_sql(&r, "TRUNCATE a, b");
	rig_sql(&r, "SELECT pg_logical_emit_message(false, 'pre', 'outside')");
	rig_sql(&r, "BEGIN; SELECT pg_logical_emit_message(true, 'tx', 'inside'); INSERT INTO a VALUES (1);"
		    " SELECT pg_logical_emit_message(false, 'pre', 'before the commit'); COMMIT");
	rig_sql(&r, "BEGIN; SELECT pg_logical_emit_message(true, 'tx', 'rolled back'); ROLLBACK");
	RIG_EXPECT(&r, "begin", "t public.a", "t public.b", "commit", "m plain pre=outside",
		   "m plain pre=before the commit", "begin", "m tx=inside", "c public.a (1)", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(positions_in_the_source_block_never_fall_back)
{
	rig r;
	char expected[128];

	rig_init(&r, "source_positions");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
	rig_begin_streaming(&r);
	uint64_t snapshot_lsn = r.last_lsn;
	rig_forget(&r);
	rig_sql(&r, "INSERT INTO t VALUES (2)");
	rig_read_lines(&r, 3);
	ck_assert_uint_gt(r.last_lsn,
			  snapshot_lsn); /* also when the first change stands at the consistent point itself */
	rig_forget(&r);
	/* A message outside of transactions counts as its own commit. */
	rig_sql(&r, "SELECT pg_logical_emit_message(false, 'pre', 'x')");
	rig_sql(&r, "CREATE TABLE flushes (id int)"); /* the server sends what is flushed, and a message alone flushes
							 nothing */
	rig_read_lines(&r, 1);
	uint64_t message_lsn = r.last_lsn;
	snprintf(expected, sizeof(expected), "[\"%llu\",\"%llu\"]", (unsigned long long)message_lsn,
		 (unsigned long long)message_lsn);
	ck_assert_str_eq(r.sequence, expected);
	rig_sql(&r, "INSERT INTO t VALUES (3)");
	rig_read_lines(&r, 4);
	snprintf(expected, sizeof(expected), "[\"%llu\",\"%llu\"]", (unsigned long long)message_lsn,
		 (unsigned long long)r.last_lsn);
	if (rig_major() >= 15) /* 14 also sends transactions without changes, as that of the CREATE TABLE */
		ck_assert_str_eq(r.sequence, expected);
	rig_release_all(&r);
}
END_TEST

START_TEST(identities_decide_what_is_known)
{
	rig r;

	rig_init(&r, "identities");
	rig_sql(
	    &r,
	    "CREATE TABLE full_t (id int PRIMARY KEY, v text, big text); ALTER TABLE full_t REPLICA IDENTITY FULL;"
	    "CREATE TABLE def_t (id int PRIMARY KEY, big text); CREATE TABLE idx_t (id int PRIMARY KEY, code text NOT "
	    "NULL);"
	    "CREATE UNIQUE INDEX idx_code ON idx_t (code); ALTER TABLE idx_t REPLICA IDENTITY USING INDEX idx_code;"
	    "ALTER TABLE full_t ALTER big SET STORAGE EXTERNAL; ALTER TABLE def_t ALTER big SET STORAGE EXTERNAL;"
	    "INSERT INTO full_t VALUES (1, 'x', repeat('b', 5000)); INSERT INTO def_t VALUES (1, repeat('b', 5000));"
	    "INSERT INTO idx_t VALUES (1, 'A')");
	r.options.snapshot_mode = TR_SNAPSHOT_NEVER;
	rig_begin_streaming(&r);
	rig_sql(&r, "UPDATE full_t SET v = NULL"); /* the unchanged value is known from the old row */
	rig_sql(&r, "UPDATE def_t SET id = 2");
	rig_sql(&r, "DELETE FROM idx_t");
	rig_sql(&r, "DELETE FROM full_t");
	RIG_EXPECT(&r, "begin", "u public.full_t (1,x,#5000)>(1,~,#5000)", "commit", "begin",
		   "u public.def_t (1,-)>(2,?)", "commit", "begin", "d public.idx_t (-,A)>", "commit", "begin",
		   "d public.full_t (1,~,#5000)>", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(tables_change_while_streaming)
{
	rig r;

	rig_init(&r, "ddl_in_midstream");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')");
	rig_begin_streaming(&r);
	RIG_EXPECT(&r, "r public.t (1,a) last");
	rig_sql(&r, "ALTER TABLE t ADD COLUMN n int DEFAULT 7; INSERT INTO t VALUES (2, 'b')");
	RIG_EXPECT(&r, "begin", "c public.t (2,b,7)", "commit");
	rig_sql(
	    &r,
	    "BEGIN; INSERT INTO t VALUES (3, 'c'); ALTER TABLE t DROP COLUMN v; INSERT INTO t VALUES (4, 1); COMMIT");
	RIG_EXPECT(&r, "begin", "c public.t (3,c,7)", "c public.t (4,1)", "commit");
	rig_sql(&r, "ALTER TABLE t RENAME TO u; INSERT INTO u VALUES (5, 2)");
	RIG_EXPECT(&r, "begin", "c public.u (5,2)", "commit");
	ck_assert_int_ge(tr_metric_get(&r.metrics, TR_M_SCHEMA_CHANGES), 3);
	rig_release_all(&r);
}
END_TEST

START_TEST(unchanged_tables_are_not_compiled_anew)
{
	rig r;

	rig_init(&r, "same_shape");
	rig_sql(&r, "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (id int PRIMARY KEY, m mood DEFAULT 'ok'); INSERT "
		    "INTO t VALUES (1)");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t VALUES (2)");
	rig_sql(&r, "ANALYZE t; GRANT SELECT ON t TO PUBLIC; INSERT INTO t VALUES (3)"); /* makes the server describe it
											    again */
	RIG_EXPECT(&r, "r public.t (1,ok) last", "begin", "c public.t (2,ok)", "commit", "begin", "c public.t (3,ok)",
		   "commit");
	ck_assert_int_eq(tr_metric_get(&r.metrics, TR_M_SCHEMA_CHANGES), 0);
	rig_sql(&r, "ALTER TABLE t ALTER m SET NOT NULL; INSERT INTO t VALUES (4)");
	RIG_EXPECT(&r, "begin", "c public.t (4,ok)", "commit");
	ck_assert_int_eq(tr_metric_get(&r.metrics, TR_M_SCHEMA_CHANGES), 1);
	rig_release_all(&r);
}
END_TEST

static void columns_of(rig *r, const char *table, const char *expected)
{
	char sql[128];

	(void)expected;
	snprintf(sql, sizeof(sql), "INSERT INTO %s DEFAULT VALUES", table);
	rig_sql(r, "%s", sql);
	rig_read_lines(r, 3);
	rig_forget(r);
}

/* The key of the table of the newest event, as the emitter will see it. */
static char last_key[256];
static tr_listen keep_key(tr_listener *l, const tr_change *c, tr_err *err)
{
	size_t at = 0;

	last_key[0] = '\0';
	for (size_t i = 0; i < c->table->key_count; i++)
		at += (size_t)snprintf(last_key + at, sizeof(last_key) - at, "%s%s", i ? "," : "",
				       c->table->key[i]->name);
	return rig_change(l, c, err);
}

START_TEST(keys_are_chosen_as_debezium_does)
{
	static const char *const cases[][2] = {{"two_key", "num,region"}, {"no_key", ""},      {"unique_only", "u"},
					       {"nothing_t", "id"},       {"two_unique", "b"}, {"expr_only", ""}};
	rig r;

	rig_init(&r, "choice_of_keys");
	rig_sql(
	    &r,
	    "CREATE TABLE two_key (region text DEFAULT 'x', num int DEFAULT 1, PRIMARY KEY (num, region));"
	    "CREATE TABLE no_key (a int); CREATE TABLE unique_only (u int NOT NULL DEFAULT 1 UNIQUE, b text);"
	    "CREATE TABLE nothing_t (id int DEFAULT 1 PRIMARY KEY); ALTER TABLE nothing_t REPLICA IDENTITY NOTHING;"
	    "CREATE TABLE two_unique (a int DEFAULT 1, b int DEFAULT 1); CREATE UNIQUE INDEX z_a ON two_unique (a);"
	    "CREATE UNIQUE INDEX a_b ON two_unique (b); CREATE TABLE expr_only (a text DEFAULT 'x');"
	    "CREATE UNIQUE INDEX e_x ON expr_only (lower(a)); CREATE UNIQUE INDEX e_p ON expr_only (a) WHERE a > 'b'");
	rig_prepare(&r, NULL, NULL);
	rig_snapshot(&r);
	r.stream.base.change = keep_key;
	rig_start(&r);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		columns_of(&r, cases[i][0], cases[i][1]);
		ck_assert_msg(strcmp(last_key, cases[i][1]) == 0, "%s: key %s, expected %s", cases[i][0], last_key,
			      cases[i][1]);
	}
	rig_release_all(&r);
}
END_TEST

START_TEST(filtered_tables_are_left_out)
{
	rig r;

	rig_init(&r, "filtered");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE audit_x (id int PRIMARY KEY); CREATE "
		    "PUBLICATION tailrace_filtered"
		    " FOR ALL TABLES");
	r.tables[0] = "public.*";
	r.tables[1] = "!public.audit_*";
	r.options.tables = r.tables;
	r.options.table_count = 2;
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO audit_x VALUES (1)");
	rig_sql(&r, "BEGIN; INSERT INTO audit_x VALUES (2); INSERT INTO a VALUES (1); TRUNCATE a, audit_x; COMMIT");
	RIG_EXPECT(&r, "begin", "c public.a (1)", "t public.a", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(origins_are_told)
{
	rig r;

	rig_init(&r, "origins");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	rig_sql(
	    &r,
	    "SELECT pg_replication_origin_create('upstream'); SELECT pg_replication_origin_session_setup('upstream')");
	rig_sql(&r, "BEGIN; SELECT pg_replication_origin_xact_setup('0/ABC', now()); INSERT INTO t VALUES (1); COMMIT");
	RIG_EXPECT(&r, "begin", "c public.t (1)", "commit");
	ck_assert_str_eq(r.origin, "upstream");
	rig_sql(&r, "SELECT pg_replication_origin_session_reset(); INSERT INTO t VALUES (2)");
	RIG_EXPECT(&r, "begin", "c public.t (2)", "commit");
	ck_assert_str_eq(r.origin, "~");
	rig_sql(&r, "SELECT pg_replication_origin_drop('upstream')");
	rig_release_all(&r);
}
END_TEST

START_TEST(partitions_by_leaf_and_by_root)
{
	for (int via_root = 0; via_root < 2; via_root++) {
		rig r;

		rig_init(&r, via_root ? "parts_by_root" : "parts_by_leaf");
		rig_sql(&r, "CREATE TABLE p (id int, d int, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);"
			    "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);"
			    "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20); INSERT INTO p VALUES (1, 1), "
			    "(2, 11)");
		r.options.publish_via_root = via_root;
		r.options.snapshot_readers = 1;
		rig_begin_streaming(&r);
		if (via_root)
			RIG_EXPECT(&r, "r public.p (1,1) first", "r public.p (2,11) last");
		else
			RIG_EXPECT(&r, "r public.p1 (1,1) first", "r public.p2 (2,11) last");
		rig_sql(&r, "INSERT INTO p VALUES (3, 3); CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30)");
		rig_sql(&r, "INSERT INTO p VALUES (4, 25); TRUNCATE p");
		if (via_root)
			RIG_EXPECT(&r, "begin", "c public.p (3,3)", "commit", "begin", "c public.p (4,25)",
				   "t public.p", "commit");
		else
			RIG_EXPECT(&r, "begin", "c public.p1 (3,3)", "commit", "begin", "c public.p3 (4,25)",
				   "t public.p1", "t public.p2", "t public.p3", "commit");
		rig_release_all(&r);
	}
}
END_TEST

START_TEST(a_table_made_later_is_captured)
{
	rig r;

	rig_init(&r, "made_later");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	rig_sql(&r, "CREATE TABLE later (id int PRIMARY KEY)");
	for (int i = 0;
	     i < 100 && rig_value(&r, "SELECT 1 FROM pg_publication_tables WHERE tablename = 'later'")[0] == '\0'; i++)
		rig_read(&r, 50);
	rig_sql(&r, "INSERT INTO later VALUES (1)");
	RIG_EXPECT(&r, "begin", "c public.later (1)", "commit");
	rig_release_all(&r);
	/* With a publication for all tables not even the first row is missed. */
	rig_init(&r, "made_later_all");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	r.options.publication_mode = "all_tables";
	rig_begin_streaming(&r);
	rig_sql(&r, "CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1)");
	RIG_EXPECT(&r, "begin", "c public.later (1)", "commit");
	rig_release_all(&r);
}
END_TEST

RIG_MAIN("capture_postgres.stream", "", transactions_arrive_in_commit_order,
	 ids_lsn_and_sequence_follow_the_transaction, truncates_and_messages,
	 positions_in_the_source_block_never_fall_back, identities_decide_what_is_known, tables_change_while_streaming,
	 unchanged_tables_are_not_compiled_anew, keys_are_chosen_as_debezium_does, filtered_tables_are_left_out,
	 origins_are_told, partitions_by_leaf_and_by_root, a_table_made_later_is_captured)
