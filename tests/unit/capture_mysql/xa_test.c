/* XA transactions, on servers of our own since a prepared one forbids others to start: published when they are committed, as the transaction of the XA COMMIT. */
#include "tests/unit/capture_mysql/rig.h"

/* The server lets go of a prepared transaction a moment after its connection has ended. */
static void xa_end(rig *r, const char *sql)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;

	while (mysql_query(r->sql, sql) != 0) {
		ck_assert_msg(mysql_errno(r->sql) == 1397 && tr_clock_mono_us() < end_us, "%s: %s", sql, mysql_error(r->sql));
		usleep(20000);
	}
}

static char *xa_position(rig *r)
{
	/* Behind everything: the position moves with each group, also one that reports nothing. */
	rig_read(r, 300);
	return rig_position(r);
}

START_TEST(xa_commit_publishes_and_rollback_drops)
{
	rig r;

	EACH_SERVER(r, "tr_xa_outcome")
	{
		char *position;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY, v varchar(9))");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "XA START 'a'; INSERT INTO t VALUES (1, 'a'), (2, 'b'); UPDATE t SET v = 'c' WHERE id = 1; XA END 'a'; XA PREPARE 'a'");
		rig_reconnect(&r);
		rs_sql(r.sql, "INSERT INTO t VALUES (10, 'between')");
		rs_sql(r.sql, "XA START 'b','branch',7; INSERT INTO t VALUES (3, 'never'); XA END 'b','branch',7; XA PREPARE 'b','branch',7");
		rig_reconnect(&r);
		RIG_EXPECT(&r, "begin", "c @.t (10,between)", "commit");
		position = xa_position(&r);
		ck_assert_ptr_nonnull(strstr(position, "\"xid\":\"0x61,0x,1\""));
		ck_assert_ptr_nonnull(strstr(position, "\"xid\":\"0x62,0x6272616e6368,7\""));
		free(position);
		xa_end(&r, "XA ROLLBACK 'b','branch',7");
		xa_end(&r, "XA COMMIT 'a'");
		rs_sql(r.sql, "INSERT INTO t VALUES (11, 'after')");
		RIG_EXPECT(&r, "begin", "c @.t (1,a)", "c @.t (2,b)", "u @.t (1,a)>(1,c)", "commit", "begin", "c @.t (11,after)",
			   "commit");
		position = xa_position(&r);
		ck_assert_ptr_null(strstr(position, "\"xa\""));
		free(position);
		rig_release(&r);
	}
}
END_TEST

START_TEST(xa_prepared_survives_a_restart)
{
	rig r;

	EACH_SERVER(r, "tr_xa_restart")
	{
		char *position, expected[200];

		r.ids = true;
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "XA START 'r'; INSERT INTO t VALUES (1), (2), (3); XA END 'r'; XA PREPARE 'r'");
		rig_reconnect(&r);
		position = xa_position(&r);
		rig_close(&r);
		rs_sql(r.sql, "FLUSH BINARY LOGS");
		xa_end(&r, "XA COMMIT 'r'");
		rig_start(&r, position, "");
		rig_read_lines(&r, 5);
		snprintf(expected, sizeof(expected), "begin %s", r.gtid);
		ck_assert_str_eq(r.lines[0], expected);
		ck_assert_ptr_null(strstr(position, r.gtid));
		free(position);
		rig_release(&r);
	}
}
END_TEST

START_TEST(xa_one_phase_is_a_transaction)
{
	rig r;

	EACH_SERVER(r, "tr_xa_one_phase")
	{
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "XA START 'o'; INSERT INTO t VALUES (1), (2); XA END 'o'; XA COMMIT 'o' ONE PHASE");
		rs_sql(r.sql, "INSERT INTO t VALUES (3)");
		RIG_EXPECT(&r, "begin", "c @.t (1)", "c @.t (2)", "commit", "begin", "c @.t (3)", "commit");
		rig_release(&r);
	}
}
END_TEST

/* Nothing was changed, or by a statement of its own: no group, or an empty one. */
START_TEST(xa_without_rows_is_nothing)
{
	rig r;

	EACH_SERVER(r, "tr_xa_empty")
	{
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "XA START 'e'; SELECT * FROM t; XA END 'e'; XA PREPARE 'e'; XA COMMIT 'e'");
		rs_sql(r.sql, "XA START 'e2'; SELECT * FROM t; XA END 'e2'; XA COMMIT 'e2' ONE PHASE");
		rs_sql(r.sql, "XA START 'e3'; INSERT INTO t VALUES (9); XA END 'e3'; XA ROLLBACK 'e3'");
		rs_sql(r.sql, "INSERT INTO t VALUES (3)");
		RIG_EXPECT(&r, "begin", "c @.t (3)", "commit");
		rig_release(&r);
	}
}
END_TEST

START_TEST(xa_resumes_inside_its_commit)
{
	rig r;

	EACH_SERVER(r, "tr_xa_inside")
	{
		char *position;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "XA START 'i'; INSERT INTO t VALUES (1), (2), (3), (4); XA END 'i'; XA PREPARE 'i'");
		rig_reconnect(&r);
		xa_end(&r, "XA COMMIT 'i'");
		rig_read_until_busy(&r, 2);
		position = rig_position(&r);
		ck_assert_msg(strstr(position, "\"index\":2") && strstr(position, "\"xid\""), "%s", position);
		rig_close(&r);
		rig_forget(&r);
		rig_start(&r, position, "");
		RIG_EXPECT(&r, "begin", "c @.t (3)", "c @.t (4)", "commit");
		ck_assert_uint_eq(r.replayed, 2);
		free(position);
		rig_release(&r);
	}
}
END_TEST

START_TEST(xa_whose_rows_were_purged_stops_and_a_prepared_one_forbids_a_start)
{
	rig r;

	EACH_SERVER(r, "tr_xa_purged")
	{
		tr_err err;
		char *position;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "XA START 'p'; INSERT INTO t VALUES (1); XA END 'p'; XA PREPARE 'p'");
		rig_reconnect(&r);
		rs_sql(r.sql, "FLUSH BINARY LOGS");
		rs_sql(r.sql, "INSERT INTO t VALUES (2)");
		RIG_EXPECT(&r, "begin", "c @.t (2)", "commit");
		position = xa_position(&r);
		rig_close(&r);
		err = rig_begin_fails(&r, NULL, NULL);
		ck_assert_int_eq(err.code, TR_E_SOURCE_SETTING);
		ck_assert_ptr_nonnull(strstr(err.text, "\"p\""));
		rig_purge(&r, r.file);
		xa_end(&r, "XA COMMIT 'p'");
		rig_start(&r, position, "");
		err = rig_read_fails(&r);
		ck_assert_int_eq(err.code, TR_E_LOG_UNREADABLE);
		ck_assert_ptr_nonnull(strstr(err.text, "0x70,0x,1"));
		free(position);
		rig_release(&r);
	}
}
END_TEST

RIG_OWN_MAIN("capture_mysql.xa", xa_commit_publishes_and_rollback_drops, xa_prepared_survives_a_restart,
	  xa_one_phase_is_a_transaction, xa_without_rows_is_nothing, xa_resumes_inside_its_commit,
	  xa_whose_rows_were_purged_stops_and_a_prepared_one_forbids_a_start)
