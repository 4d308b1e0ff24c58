/* What a stream meets in real logs: compression, domains, tags, large events, other servers' statements, no GTIDs. */
#include "tests/unit/capture_mysql/rig.h"

/* The old bug: a reader that takes positions from inside of a compressed transaction, or knows the event not at all. */
START_TEST(compressed_transactions)
{
	rig r;

	if (!rig_init(&r, &rs_servers[0], "tr_more_compressed"))
		return;
	rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY, v mediumtext)");
	rig_start(&r, NULL, NULL);
	rs_sql(r.sql, "SET binlog_transaction_compression = ON");
	rs_sql(r.sql, "BEGIN; INSERT INTO t VALUES (1, REPEAT('a', 100000)); UPDATE t SET v = 'b'; COMMIT");
	rs_sql(r.sql, "INSERT INTO t VALUES (2, 'c')");
	char *position;
	rig_read_until_busy(&r, 1);
	position = rig_position(&r);
	rig_close(&r);
	rig_expect_at(&r, __LINE__, (const char *const[]){"begin", "c @.t (1,#100000)"}, 2);
	rig_start(&r, position, "");
	RIG_EXPECT(&r, "begin", "u @.t (1,#100000)>(1,b)", "commit", "begin", "c @.t (2,c)", "commit");
	free(position);
	rig_release(&r);
}
END_TEST

START_TEST(compressed_rows_of_mariadb)
{
	for (size_t i = 1; i < RS_SERVER_COUNT; i++) {
		rig r;

		if (!rig_init(&r, &rs_servers[i], "tr_more_packed"))
			continue;
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY, v mediumtext)");
		rs_sql(r.sql, "SET GLOBAL log_bin_compress = ON");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "INSERT INTO t VALUES (1, REPEAT('a', 100000)), (2, REPEAT('b', 300))");
		rs_sql(r.sql, "DELETE FROM t WHERE id = 2");
		RIG_EXPECT(&r, "begin", "c @.t (1,#100000)", "c @.t (2,#300)", "commit", "begin", "d @.t (2,#300)>", "commit");
		rs_sql(r.sql, "SET GLOBAL log_bin_compress = OFF");
		rig_release(&r);
	}
}
END_TEST

START_TEST(two_domains_move_on_their_own)
{
	for (size_t i = 1; i < RS_SERVER_COUNT; i++) {
		rig r;
		char *position;

		if (!rig_init(&r, &rs_servers[i], "tr_more_domains"))
			continue;
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "SET gtid_domain_id = 7; INSERT INTO t VALUES (1); SET gtid_domain_id = 8; INSERT INTO t VALUES (2)");
		RIG_EXPECT(&r, "begin", "c @.t (1)", "commit", "begin", "c @.t (2)", "commit");
		position = rig_position(&r);
		ck_assert_ptr_nonnull(strstr(position, ",7-2-"));
		ck_assert_ptr_nonnull(strstr(position, ",8-2-"));
		rig_close(&r);
		rs_sql(r.sql, "SET gtid_domain_id = 7; INSERT INTO t VALUES (3); SET gtid_domain_id = 0; INSERT INTO t VALUES (4)");
		rig_start(&r, position, "");
		RIG_EXPECT(&r, "begin", "c @.t (3)", "commit", "begin", "c @.t (4)", "commit");
		free(position);
		rig_release(&r);
	}
}
END_TEST

START_TEST(tagged_gtids)
{
	rig r;
	char *position;

	if (!rig_init(&r, &rs_servers[0], "tr_more_tags"))
		return;
	rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_start(&r, NULL, NULL);
	r.ids = true;
	rs_sql(r.sql, "SET gtid_next = 'AUTOMATIC:blue'; INSERT INTO t VALUES (1); SET gtid_next = 'AUTOMATIC'; INSERT INTO t VALUES (2)");
	rig_read_lines(&r, 6);
	ck_assert_ptr_nonnull(strstr(r.lines[0], ":blue:"));
	ck_assert_ptr_null(strstr(r.lines[3], ":blue:"));
	position = rig_position(&r);
	ck_assert_ptr_nonnull(strstr(position, ":blue:"));
	rig_close(&r);
	rig_forget(&r);
	r.ids = false;
	rs_sql(r.sql, "SET gtid_next = 'AUTOMATIC:blue'; INSERT INTO t VALUES (3)");
	rig_start(&r, position, "");
	RIG_EXPECT(&r, "begin", "c @.t (3)", "commit");
	free(position);
	rig_release(&r);
}
END_TEST

/* Packets are cut at 16 MiB: the event is joined again, whatever its size is modulo that. */
START_TEST(events_larger_than_a_packet)
{
	static const size_t sizes[] = {(1 << 24) - 1000, 20000000, 35000000};
	rig r;

	EACH_SERVER(r, "tr_more_large")
	{
		MYSQL *large;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY, v longblob)");
		rs_sql(r.sql, "SET GLOBAL max_allowed_packet = 1073741824");
		large = rs_connect(r.address, r.database);
		rig_start(&r, NULL, NULL);
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			char sql[200], line[100];

			snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%zu, REPEAT('x', %zu))", i, sizes[i]);
			rs_sql(large, sql);
			snprintf(line, sizeof(line), "c @.t (%zu,#%zu)", i, sizes[i]);
			RIG_EXPECT(&r, "begin", line, "commit");
		}
		mysql_close(large);
		rig_release(&r);
	}
}
END_TEST

START_TEST(an_event_beyond_the_limit_is_named)
{
	rig r;

	EACH_SERVER(r, "tr_more_limit")
	{
		tr_err err;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY, v longblob)");
		r.options.event_max_bytes = 1 << 20;
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "INSERT INTO t VALUES (1, REPEAT('x', 2000000))");
		err = rig_read_fails(&r);
		ck_assert_msg(err.code == TR_E_BATCH_LIMIT, "%s | %s", err.text, err.detail);
		rig_release(&r);
	}
}
END_TEST

START_TEST(rows_changed_by_a_logged_statement_stop)
{
	rig r;

	EACH_SERVER(r, "tr_more_statement")
	{
		tr_err err;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rs_sql(r.sql, "CREATE DATABASE IF NOT EXISTS tr_more_not_captured; CREATE TABLE IF NOT EXISTS tr_more_not_captured.x (a int)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "SET binlog_format = STATEMENT; INSERT INTO tr_more_not_captured.x VALUES (1); SET binlog_format = ROW");
		rs_sql(r.sql, "INSERT INTO t VALUES (1)");
		RIG_EXPECT(&r, "begin", "c @.t (1)", "commit");
		rs_sql(r.sql, "SET binlog_format = STATEMENT; INSERT INTO t VALUES (2)");
		err = rig_read_fails(&r);
		ck_assert_int_eq(err.code, TR_E_LOG_UNREADABLE);
		ck_assert_ptr_nonnull(strstr(err.text, "tr_more_statement.t"));
		rig_release(&r);
	}
}
END_TEST

START_TEST(create_table_as_select)
{
	rig r;

	EACH_SERVER(r, "tr_more_as_select")
	{
		rs_sql(r.sql, "CREATE TABLE other (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY) SELECT 1 AS id");
		rig_read_lines(&r, 4);
		ck_assert_ptr_nonnull(strstr(r.lines[0], "CREATE TABLE"));
		ck_assert_str_eq(r.lines[1], "begin");
		ck_assert_str_eq(r.lines[2], "c tr_more_as_select.t (1)");
		ck_assert_str_eq(r.lines[3], "commit");
		rig_release(&r);
	}
}
END_TEST

START_TEST(rotation_goes_on_in_the_next_file)
{
	rig r;

	EACH_SERVER(r, "tr_more_rotate")
	{
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		for (int i = 0; i < 5; i++) {
			char sql[80], line[40], file[300];

			snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%d)", i);
			rs_sql(r.sql, sql);
			snprintf(line, sizeof(line), "c @.t (%d)", i);
			RIG_EXPECT(&r, "begin", line, "commit");
			ck_assert_msg(i == 0 || strcmp(file, r.file) != 0, "%s", file);
			snprintf(file, sizeof(file), "%s", r.file);
			rs_sql(r.sql, "FLUSH BINARY LOGS");
		}
		rig_release(&r);
	}
}
END_TEST

START_TEST(the_other_flavour_is_an_error)
{
	rig r;

	EACH_SERVER(r, "tr_more_flavour")
	{
		tr_err err;

		snprintf(r.url, sizeof(r.url), "%s://root@%s/", r.server->mariadb ? "mysql" : "mariadb", r.address);
		err = rig_begin_fails(&r, NULL, NULL);
		ck_assert_int_eq(err.code, TR_E_CONFIG);
		ck_assert_ptr_nonnull(strstr(err.hint, r.server->mariadb ? "mariadb://" : "mysql://"));
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_host_that_does_not_answer_is_passed_over)
{
	rig r;

	EACH_SERVER(r, "tr_more_hosts")
	{
		snprintf(r.url, sizeof(r.url), "%s://root@127.0.0.1:1,%s/", rig_service(r.server), r.address);
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "INSERT INTO t VALUES (1)");
		RIG_EXPECT(&r, "begin", "c @.t (1)", "commit");
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_namesake_replica_is_not_thrown_out)
{
	rig r, other;

	EACH_SERVER(r, "tr_more_namesake")
	{
		tr_err err;

		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		r.options.server_id = 77001;
		rig_start(&r, NULL, NULL);
		ck_assert(rig_init(&other, r.server, "tr_more_namesake2"));
		rs_sql(other.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		other.options.server_id = 77001;
		other.options.receive_timeout_ms = 4000; /* how long a left-over is waited for depends on it */
		err = rig_begin_fails(&other, NULL, NULL);
		ck_assert_int_eq(err.code, TR_E_SERVER_ID_TAKEN);
		ck_assert_ptr_nonnull(strstr(err.hint, "server_id"));
		rig_release(&other);
		rs_sql(r.sql, "INSERT INTO t VALUES (1)");
		RIG_EXPECT(&r, "begin", "c @.t (1)", "commit");
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_server_with_our_number_is_refused)
{
	rig r;

	EACH_SERVER(r, "tr_more_own_number")
	{
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		r.options.server_id = (uint32_t)strtoul(rs_value(r.sql, "SELECT @@server_id"), NULL, 10);
		ck_assert_int_eq(rig_begin_fails(&r, NULL, NULL).code, TR_E_SERVER_ID_TAKEN);
		rig_release(&r);
	}
}
END_TEST

TEST_MAIN("capture_mysql.more", compressed_transactions, compressed_rows_of_mariadb, two_domains_move_on_their_own, tagged_gtids,
	  events_larger_than_a_packet, an_event_beyond_the_limit_is_named, rows_changed_by_a_logged_statement_stop,
	  create_table_as_select, rotation_goes_on_in_the_next_file, the_other_flavour_is_an_error,
	  a_host_that_does_not_answer_is_passed_over, a_namesake_replica_is_not_thrown_out, a_server_with_our_number_is_refused)
