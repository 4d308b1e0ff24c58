/* What needs servers of its own: another host by GTID, and a server without GTIDs. */
#include "tests/unit/capture_mysql/rig.h"

/* A second server with the same transactions and other files: the stream goes on by GTID. One without them is refused. */
START_TEST(failover_by_gtid)
{
	rig_own first, second;

	if (!rig_own_start(&first, &rs_servers[0], "server-id=11"))
		return;
	ck_assert(rig_own_start(&second, &rs_servers[0], "server-id=12"));
	char *position, *identity, sql[4200];
	rig r, s;
	tr_err err;

	ck_assert(rig_init(&r, &first.server, "tr_own_failover"));
	rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_start(&r, NULL, NULL);
	rs_sql(r.sql, "INSERT INTO t VALUES (1)");
	RIG_EXPECT(&r, "begin", "c @.t (1)", "commit");
	position = rig_position(&r);
	identity = strdup(rig_identity(&r));
	rig_close(&r);

	/* a stranger */
	ck_assert(rig_init(&s, &second.server, "tr_own_failover"));
	rs_sql(s.sql, "CREATE TABLE t (id int PRIMARY KEY)");
	err = rig_begin_fails(&s, position, identity);
	ck_assert_int_eq(err.code, TR_E_SOURCE_IDENTITY);
	rig_close(&s);

	/* a replica: it has what was published, and goes on */
	rs_sql(s.sql, "RESET BINARY LOGS AND GTIDS");
	snprintf(sql, sizeof(sql), "SET GLOBAL gtid_purged = '%s'", rs_value(r.sql, "SELECT @@global.gtid_executed"));
	rs_sql(s.sql, sql);
	rs_sql(s.sql, "FLUSH BINARY LOGS; INSERT INTO t VALUES (2)");
	rig_start(&s, position, identity);
	RIG_EXPECT(&s, "begin", "c @.t (2)", "commit");
	free(position);
	position = rig_position(&s);
	rig_close(&s);

	/* back again, where the transaction that was published meanwhile is missing */
	err = rig_begin_fails(&r, position, identity);
	ck_assert_int_eq(err.code, TR_E_POSITION_LOST);
	ck_assert_ptr_nonnull(strstr(err.detail, rs_value(s.sql, "SELECT @@server_uuid")));
	free(position);
	free(identity);
	rig_release(&r);
	rig_release(&s);
	rig_own_remove(&first);
	rig_own_remove(&second);
}
END_TEST

START_TEST(without_gtids_by_file_and_place)
{
	rig_own own;
	rig r;
	char *position, *identity;
	tr_err err;

	if (!rig_own_start(&own, &rs_servers[0], "gtid-mode=OFF enforce-gtid-consistency=OFF"))
		return;
	ck_assert(rig_init(&r, &own.server, "tr_own_file"));
	r.ids = true;
	rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_start(&r, NULL, NULL);
	rs_sql(r.sql, "INSERT INTO t VALUES (1)");
	rig_read_lines(&r, 3);
	ck_assert_ptr_nonnull(strstr(r.lines[0], "begin file=binlog.0"));
	ck_assert_ptr_nonnull(strstr(r.lines[0], ",pos="));
	ck_assert_str_eq(r.gtid, "~");
	rig_forget(&r);
	r.ids = false;
	rs_sql(r.sql, "BEGIN; INSERT INTO t VALUES (2), (3); COMMIT");
	rig_read_until_busy(&r, 1);
	position = rig_position(&r);
	identity = strdup(rig_identity(&r));
	ck_assert_msg(strncmp(position, "{\"file\":\"binlog.0", 17) == 0 && strstr(position, "\"tx\":\"binlog.0"), "%s", position);
	rig_close(&r);
	rig_forget(&r);
	rs_sql(r.sql, "FLUSH BINARY LOGS; INSERT INTO t VALUES (4)");
	rs_sql(r.sql, "XA START 'a'; INSERT INTO t VALUES (5), (6); XA END 'a'; XA PREPARE 'a'");
	rig_reconnect(&r);
	rs_sql(r.sql, "FLUSH BINARY LOGS; XA COMMIT 'a'");
	rig_start(&r, position, identity);
	RIG_EXPECT(&r, "begin", "c @.t (3)", "commit", "begin", "c @.t (4)", "commit", "begin", "c @.t (5)", "c @.t (6)", "commit");
	rig_read_until_caught_up(&r);
	rig_close(&r);

	/* the place means nothing elsewhere, nor when the file is gone */
	err = rig_begin_fails(&r, "{\"file\":\"binlog.000001\",\"pos\":4}",
			      "{\"flavour\":\"mysql\",\"server_uuid\":\"x\",\"server_id\":1,\"gtid\":false}");
	ck_assert_int_eq(err.code, TR_E_SOURCE_IDENTITY);
	rig_purge_all_but_last(&r);
	ck_assert_int_eq(rig_begin_fails(&r, position, identity).code, TR_E_POSITION_LOST);
	free(position);
	free(identity);
	rig_release(&r);
	rig_own_remove(&own);
}
END_TEST

TEST_MAIN("capture_mysql.failover", failover_by_gtid, without_gtids_by_file_and_place)
