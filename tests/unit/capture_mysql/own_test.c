/* What needs a server of its own: restarts, silence, purged logs. */
#include "tests/unit/capture_mysql/rig.h"

/* MySQL and one MariaDB: a start takes seconds. */
#define EACH_OWN(own, settings)                                                                                        \
	for (size_t rig_i = 0; rig_i < 2; rig_i++)                                                                     \
		if (rig_own_start(&(own), &rs_servers[rig_i], (settings)))

static void signal_server(const rig_own *o, int number)
{
	ck_assert_int_eq(rig_run("kill -%d $(cat %s/s/data/server.pid)", number, o->dir), 0);
}

START_TEST(restart_purge_and_silence)
{
	rig_own own;

	EACH_OWN(own, "")
	{
		char *position, *identity, *late;
		rig r;
		tr_err err;

		ck_assert(rig_init(&r, &own.server, "tr_own_restart"));
		r.options.receive_timeout_ms = 3000;
		rs_sql(r.sql, "CREATE TABLE t (id int PRIMARY KEY)");
		rig_start(&r, NULL, NULL);
		rs_sql(r.sql, "INSERT INTO t VALUES (1)");
		RIG_EXPECT(&r, "begin", "c @.t (1)", "commit");
		position = rig_position(&r);
		identity = strdup(rig_identity(&r));

		/* an orderly restart */
		rig_own_down(&own);
		err = rig_read_fails(&r);
		ck_assert_msg(err.code == TR_E_SOURCE_UNAVAILABLE, "%d %s", err.code, err.text);
		r.source->ops->disconnect(r.source);
		rig_own_up(&own);
		rig_reconnect(&r);
		rig_start(&r, position, identity);
		rs_sql(r.sql, "INSERT INTO t VALUES (2)");
		RIG_EXPECT(&r, "begin", "c @.t (2)", "commit");
		late = rig_position(&r);

		/* a server that is there, and says nothing */
		signal_server(&own, SIGSTOP);
		err = rig_read_fails(&r);
		signal_server(&own, SIGCONT);
		ck_assert_msg(err.code == TR_E_SOURCE_UNAVAILABLE, "%d %s", err.code, err.text);
		r.source->ops->disconnect(r.source);

		/* purged behind us is fine */
		rs_sql(r.sql, "FLUSH BINARY LOGS");
		rig_purge_all_but_last(&r);
		rig_start(&r, late, identity);
		rs_sql(r.sql, "INSERT INTO t VALUES (3)");
		RIG_EXPECT(&r, "begin", "c @.t (3)", "commit");
		free(late);
		late = rig_position(&r);
		rig_close(&r);

		/* purged before us is the end, with the missing set where the server tells it */
		rs_sql(r.sql, "INSERT INTO t VALUES (4)");
		rs_sql(r.sql, "FLUSH BINARY LOGS");
		rig_purge_all_but_last(&r);
		err = rig_begin_fails(&r, late, identity);
		ck_assert_msg(err.code == TR_E_POSITION_LOST, "%d %s | %s", err.code, err.text, err.detail);
		ck_assert_ptr_nonnull(strstr(err.hint, "offsets reset"));
		ck_assert_int_eq(strstr(err.detail, "purged, not published: ") != NULL, !r.server->mariadb);
		free(late);
		free(position);
		free(identity);
		rig_release(&r);
		rig_own_remove(&own);
	}
}
END_TEST

TEST_MAIN("capture_mysql.own", restart_purge_and_silence)
