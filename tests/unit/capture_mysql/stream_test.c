/* The stream on real servers: each case runs on every server that the environment names. */
#include "tests/unit/capture_mysql/rig.h"

START_TEST(transactions_arrive_in_commit_order)
{
	rig r;

	EACH_SERVER(r, "tr_stream_order")
	{
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY, v varchar(20))");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "INSERT INTO t VALUES (1, 'a'), (2, NULL)");
		rs_sql(r.sql, "BEGIN; UPDATE t SET v = 'b' WHERE id = 1; UPDATE t SET id = 3 WHERE id = 2; DELETE FROM t WHERE id = 1;"
			      "COMMIT");
		rs_sql(r.sql, "BEGIN; INSERT INTO t VALUES (9, 'never'); ROLLBACK");
		rs_sql(r.sql, "BEGIN; INSERT INTO t VALUES (4, 'x'); SAVEPOINT a; INSERT INTO t VALUES (5, 'gone');"
			      "ROLLBACK TO SAVEPOINT a; INSERT INTO t VALUES (6, 'y'); COMMIT");
		RIG_EXPECT(&r, "begin", "c @.t (1,a)", "c @.t (2,~)", "commit", "begin", "u @.t (1,a)>(1,b)", "u @.t (2,~)>(3,~)",
			   "d @.t (1,b)>", "commit", "begin", "c @.t (4,x)", "c @.t (6,y)", "commit");
		rig_release(&r);
	}
}
END_TEST

START_TEST(source_block_and_ids)
{
	rig r;

	EACH_SERVER(r, "tr_stream_source")
	{
		char expected[200];
		int64_t before_us;

		r.ids = true;
		r.options.include_query = true;
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		before_us = tr_clock_wall_ns() / 1000;
		if (!r.server->mariadb)
			rs_sql(r.sql, "SET binlog_rows_query_log_events = 1");
		rs_sql(r.sql, "INSERT INTO t VALUES (1), (2)");
		rig_read_lines(&r, 4);
		snprintf(expected, sizeof(expected), "begin %s", r.gtid);
		ck_assert_str_eq(r.lines[0], expected);
		ck_assert_int_eq(r.row, 1);
		ck_assert_int_eq(r.thread, r.server->mariadb ? 0 : (int64_t)mysql_thread_id(r.sql));
		ck_assert_str_eq(r.query, "INSERT INTO t VALUES (1), (2)");
		ck_assert_int_gt(r.server_id, 0);
		ck_assert_ptr_nonnull(strchr(r.file, '.'));
		ck_assert_int_gt(r.pos, 4);
		ck_assert_int_ge(r.commit_us, r.server->mariadb ? before_us / 1000000 * 1000000 : before_us - 100000);
		ck_assert_int_eq(r.commit_us % 1000000 == 0, r.server->mariadb);
		rig_release(&r);
	}
}
END_TEST

START_TEST(ddl_and_truncate)
{
	rig r;

	EACH_SERVER(r, "tr_stream_ddl")
	{
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "INSERT INTO t VALUES (1)");
		rig_read_lines(&r, 3);
		rs_sql(r.sql, "ALTER TABLE t ADD COLUMN v varchar(9) NOT NULL DEFAULT 'd'");
		rig_read_lines(&r, 4);
		rs_sql(r.sql, "INSERT INTO t VALUES (2, 'x')");
		rig_read_lines(&r, 7);
		rs_sql(r.sql, "TRUNCATE TABLE t");
		rs_sql(r.sql, "CREATE TEMPORARY TABLE tmp (a int); INSERT INTO tmp VALUES (1); DROP TEMPORARY TABLE tmp");
		rs_sql(r.sql, "INSERT INTO t VALUES (3, 'y')");
		if (r.server->mariadb)
			RIG_EXPECT(&r, "begin", "c @.t (1)", "commit", "s ALTER TABLE t ADD COLUMN v varchar(9) NOT NULL DEFAULT 'd'",
				   "begin", "c @.t (2,x)", "commit", "begin", "t @.t", "commit", "begin", "c @.t (3,y)", "commit");
		else
			RIG_EXPECT(&r, "begin", "c @.t (1)", "commit", "s ALTER TABLE t ADD COLUMN v varchar(9) NOT NULL DEFAULT 'd'",
				   "begin", "c @.t (2,x)", "commit", "t plain @.t", "begin", "c @.t (3,y)", "commit");
		rig_release(&r);
	}
}
END_TEST

START_TEST(resumes_behind_what_was_reported)
{
	rig r;

	EACH_SERVER(r, "tr_stream_resume")
	{
		char *position, *identity;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "INSERT INTO t VALUES (1)");
		RIG_EXPECT(&r, "begin", "c @.t (1)", "commit");
		position = rig_position(&r);
		identity = strdup(rig_identity(&r));
		rig_close(&r);
		rs_sql(r.sql, "INSERT INTO t VALUES (2)");
		rig_start(&r, position, identity);
		RIG_EXPECT(&r, "begin", "c @.t (2)", "commit");
		rig_read_until_caught_up(&r);
		free(position);
		free(identity);
		rig_release(&r);
	}
}
END_TEST

START_TEST(resumes_inside_a_transaction)
{
	rig r;

	EACH_SERVER(r, "tr_stream_inside")
	{
		char *position;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "BEGIN; INSERT INTO t VALUES (1), (2); INSERT INTO other VALUES (7); INSERT INTO t VALUES (3), (4); COMMIT");
		rs_sql(r.sql, "INSERT INTO t VALUES (5)");
		rig_read_until_busy(&r, 3);
		position = rig_position(&r);
		ck_assert_msg(strstr(position, "\"tx\":\"") && strstr(position, "\"index\":3"), "%s", position);
		rig_expect_at(&r, __LINE__, (const char *const[]){"begin", "c @.t (1)", "c @.t (2)", "c @.other (7)"}, 4);
		rig_close(&r);
		rig_start(&r, position, "");
		RIG_EXPECT(&r, "begin", "c @.t (3)", "c @.t (4)", "commit", "begin", "c @.t (5)", "commit");
		ck_assert_uint_eq(r.replayed, 3);
		free(position);
		rig_release(&r);
	}
}
END_TEST

START_TEST(other_captured_tables_publish_an_open_transaction_again)
{
	rig r;

	EACH_SERVER(r, "tr_stream_filter")
	{
		char *position;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "BEGIN; INSERT INTO other VALUES (1), (2); INSERT INTO t VALUES (3); COMMIT");
		rig_read_until_busy(&r, 2);
		position = rig_position(&r);
		rig_close(&r);
		rig_forget(&r);
		r.tables[1] = "!*.other";
		r.options.table_count = 2;
		rig_start(&r, position, "");
		RIG_EXPECT(&r, "begin", "c @.t (3)", "commit");
		free(position);
		rig_release(&r);
	}
}
END_TEST

TEST_MAIN("capture_mysql.stream", transactions_arrive_in_commit_order, source_block_and_ids, ddl_and_truncate,
	  resumes_behind_what_was_reported, resumes_inside_a_transaction,
	  other_captured_tables_publish_an_open_transaction_again)
