#include "tests/unit/capture_postgres/rig.h"

START_TEST(a_reconnect_goes_on_where_it_stood)
{
	rig r;
	char position[512], identity[512];

	rig_init(&r, "reconnect");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t VALUES (1)");
	RIG_EXPECT(&r, "begin", "c public.t (1)", "commit");
	snprintf(position, sizeof(position), "%s", rig_position(&r));
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	rig_sql(&r, "INSERT INTO t VALUES (2)");
	RIG_EXPECT(&r, "begin", "c public.t (2)", "commit"); /* reported, but not durable when the connection goes */
	rig_confirm(&r); /* and confirmed, though never recorded: too far for the record */
	rig_disconnect(&r);
	tr_err err = rig_prepare_fails(&r, position, identity);
	ck_assert_int_eq(err.code, TR_E_POSITION_LOST);
	rig_release_all(&r);
	/* Without that mistake: nothing is lost, and what was not durable comes again. */
	rig_init(&r, "reconnect_well");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t VALUES (1)");
	RIG_EXPECT(&r, "begin", "c public.t (1)", "commit");
	rig_confirm(&r);
	snprintf(position, sizeof(position), "%s", rig_position(&r));
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	rig_sql(&r, "INSERT INTO t VALUES (2)");
	RIG_EXPECT(&r, "begin", "c public.t (2)", "commit");
	rig_disconnect(&r);
	ck_assert(!rig_prepare(&r, position, identity));
	rig_start(&r);
	ck_assert_str_eq(rig_position(&r), position);
	rig_sql(&r, "INSERT INTO t VALUES (3)");
	RIG_EXPECT(&r, "begin", "c public.t (2)", "commit", "begin", "c public.t (3)", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(the_server_is_killed)
{
	rig r;
	char position[512], identity[512];
	tr_err err = {0};

	rig_init(&r, "kill_walsender");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t VALUES (1)");
	RIG_EXPECT(&r, "begin", "c public.t (1)", "commit");
	snprintf(position, sizeof(position), "%s", rig_position(&r));
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	rig_sql(&r, "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = "
		    "'tailrace_kill_walsender'");
	for (int i = 0; i < 100 && err.code == TR_OK; i++)
		r.source->ops->read(r.source, &r.stream.base, 50, &err);
	ck_assert_msg(err.code == TR_E_SOURCE_UNAVAILABLE, "%d %s %s", err.code, err.text, err.detail);
	ck_assert_int_eq(tr_err_reaction(err.code), TR_REACT_RETRY);
	rig_disconnect(&r);
	rig_sql(&r, "INSERT INTO t VALUES (2)");
	ck_assert(!rig_prepare(&r, position, identity));
	rig_start(&r);
	RIG_EXPECT(&r, "begin", "c public.t (2)", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(resume_inside_a_transaction)
{
	rig r;
	char position[512], identity[512];

	rig_init(&r, "mid_transaction");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO u VALUES (0)");
	RIG_EXPECT(&r, "begin", "c public.u (0)", "commit");
	r.stop_after_changes = r.changes + 3;
	rig_sql(&r, "BEGIN; INSERT INTO t VALUES (1), (2); INSERT INTO u VALUES (3); INSERT INTO t VALUES (4); COMMIT");
	rig_sql(&r, "INSERT INTO u VALUES (5)");
	RIG_EXPECT(&r, "begin", "c public.t (1)", "c public.t (2)", "c public.u (3)");
	rig_read(&r, 50);
	snprintf(position, sizeof(position), "%s", rig_position(&r));
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	ck_assert_ptr_nonnull(strstr(position, "\"index\":3}"));
	rig_confirm(&r); /* confirms only what committed before */
	rig_disconnect(&r);
	r.busy = false;
	ck_assert(!rig_prepare(&r, position, identity));
	rig_start(&r);
	/* Until the transaction is passed the position must not go back. */
	ck_assert_int_eq(r.source->ops->compare(tr_slice_str(rig_position(&r)), tr_slice_str(position)), 0);
	RIG_EXPECT(&r, "begin", "c public.t (1) replayed", "c public.t (2) replayed", "c public.u (3) replayed",
		   "c public.t (4)", "commit", "begin", "c public.u (5)", "commit");
	ck_assert_int_eq(r.source->ops->compare(tr_slice_str(rig_position(&r)), tr_slice_str(position)), 1);
	rig_release_all(&r);
}
END_TEST

START_TEST(slots_that_cannot_serve_are_refused)
{
	rig r;
	char position[512], identity[512], other[512];
	tr_err err;

	rig_init(&r, "slot_errors");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	rig_read(&r, 100);
	snprintf(position, sizeof(position), "%s", rig_position(&r));
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	/* busy: the stream of the first source goes on */
	rig second = r;
	second.source = NULL;
	second.streams = false;
	err = rig_prepare_fails(&second, position, identity);
	ck_assert_int_eq(err.code, TR_E_SLOT_BUSY);
	rig_close(&second);
	rig_close(&r);
	/* there, but nobody knows whose */
	err = rig_prepare_fails(&r, NULL, NULL);
	ck_assert_int_eq(err.code, TR_E_SLOT_FOREIGN);
	/* another server, database, slot */
	snprintf(other, sizeof(other),
		 "{\"system\":\"1\",\"timeline\":1,\"database\":\"slot_errors\",\"slot\":\"tailrace_slot_errors\"}");
	err = rig_prepare_fails(&r, position, other);
	ck_assert_int_eq(err.code, TR_E_SOURCE_IDENTITY);
	rig_drop_slot(&r);
	err = rig_prepare_fails(&r, position, identity);
	ck_assert_int_eq(err.code, TR_E_SLOT_MISSING);
	rig_sql(&r, "SELECT pg_create_logical_replication_slot('tailrace_slot_errors', 'test_decoding')");
	err = rig_prepare_fails(&r, position, identity);
	ck_assert_int_eq(err.code, TR_E_SLOT_FOREIGN);
	rig_drop_slot(&r);
	rig_sql(&r, "SELECT pg_create_physical_replication_slot('tailrace_slot_errors')");
	err = rig_prepare_fails(&r, position, identity);
	ck_assert_int_eq(err.code, TR_E_SLOT_FOREIGN);
	rig_drop_slot(&r);
	PGconn *c = rig_connect("postgres");
	rig_sql_on(c, "SELECT pg_create_logical_replication_slot('tailrace_slot_errors', 'pgoutput')");
	PQfinish(c);
	err = rig_prepare_fails(&r, position, identity);
	ck_assert_int_eq(err.code, TR_E_SLOT_FOREIGN);
	ck_assert_ptr_nonnull(strstr(err.text, "database \"postgres\""));
	rig_drop_slot(&r);
	/* moved by somebody else */
	rig_sql(&r, "SELECT pg_create_logical_replication_slot('tailrace_slot_errors', 'pgoutput')");
	err = rig_prepare_fails(&r, position, identity);
	ck_assert_int_eq(err.code, TR_E_POSITION_LOST);
	/* a state nobody can read */
	err = rig_prepare_fails(&r, "{\"file\":\"binlog.1\"}", identity);
	ck_assert_int_eq(err.code, TR_E_STATE_CORRUPT);
	rig_drop_slot(&r);
	rig_release_all(&r);
}
END_TEST

START_TEST(a_slot_that_lost_its_log_is_refused)
{
	rig r;
	char position[512], identity[512];
	tr_err err;

	rig_init(&r, "lost_log");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY, v text)");
	rig_begin_streaming(&r);
	snprintf(position, sizeof(position), "%s", rig_position(&r));
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	rig_close(&r);
	rig_sql(&r, "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'");
	rig_reload(&r);
	for (int i = 0;
	     i < 6 &&
	     strcmp(rig_value(&r, "SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'tailrace_lost_log'"),
		    "lost");
	     i++) {
		rig_sql(
		    &r,
		    "INSERT INTO t SELECT g, repeat('x', 900) FROM generate_series(1, 10) g ON CONFLICT DO NOTHING");
		rig_sql(&r, "SELECT pg_switch_wal()");
		rig_sql(&r, "CHECKPOINT");
	}
	rig_sql(&r, "ALTER SYSTEM RESET max_slot_wal_keep_size");
	rig_reload(&r);
	err = rig_prepare_fails(&r, position, identity);
	ck_assert_msg(err.code == TR_E_SLOT_INVALID, "%d %s %s", err.code, err.text, err.detail);
	ck_assert_ptr_nonnull(strstr(err.detail, "lost"));
	/* what when_needed does: without a position and with our identity the slot is made anew */
	ck_assert(rig_prepare(&r, NULL, identity));
	rig_snapshot(&r);
	rig_start(&r);
	rig_forget(&r);
	rig_sql(&r, "INSERT INTO t VALUES (-1, 'after')");
	RIG_EXPECT(&r, "begin", "c public.t (-1,after)", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(an_idle_slot_moves_on)
{
	rig r;
	uint64_t before, after;

	rig_init(&r, "idle_slot");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int)");
	r.tables[0] = "public.t";
	r.options.tables = r.tables;
	r.options.table_count = 1;
	rig_begin_streaming(&r);
	rig_read(&r, 200);
	before = strtoull(
	    rig_value(
		&r,
		"SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE slot_name = 'tailrace_idle_slot'"),
	    NULL, 10);
	rig_sql(&r, "INSERT INTO other SELECT generate_series(1, 20000)");
	uint64_t target = strtoull(rig_value(&r, "SELECT pg_current_wal_lsn() - '0/0'"), NULL, 10);
	after = before;
	for (int i = 0; i < 100 && after < target; i++) {
		rig_read(&r, 50);
		rig_confirm(&r); /* as the pipeline does once it is durable */
		after = strtoull(rig_value(&r, "SELECT confirmed_flush_lsn - '0/0' FROM pg_replication_slots WHERE "
					       "slot_name = 'tailrace_idle_slot'"),
				 NULL, 10);
	}
	ck_assert_msg(after >= target, "%llu -> %llu, log end %llu", (unsigned long long)before,
		      (unsigned long long)after, (unsigned long long)target);
	ck_assert_uint_eq(r.count, 0);
	ck_assert_uint_gt(r.idle_calls, 0);
	rig_release_all(&r);
}
END_TEST

START_TEST(unconfirmed_changes_hold_the_slot)
{
	rig r;

	rig_init(&r, "unconfirmed");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	char before[64], after[64];
	snprintf(
	    before, sizeof(before), "%s",
	    rig_value(&r,
		      "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'tailrace_unconfirmed'"));
	rig_sql(&r, "INSERT INTO t VALUES (1)");
	RIG_EXPECT(&r, "begin", "c public.t (1)", "commit");
	for (int i = 0; i < 30; i++)
		rig_read(&r, 50);
	snprintf(
	    after, sizeof(after), "%s",
	    rig_value(&r,
		      "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = 'tailrace_unconfirmed'"));
	ck_assert_str_eq(before, after);
	rig_release_all(&r);
}
END_TEST

START_TEST(a_busy_listener_keeps_the_connection)
{
	rig r;

	rig_init(&r, "busy_listener");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	r.busy = true;
	rig_sql(&r, "INSERT INTO t SELECT generate_series(1, 3)");
	int64_t end_us = tr_clock_mono_us() + 5000000; /* wal_sender_timeout is 2 s in this test's server */
	while (tr_clock_mono_us() < end_us)
		rig_read(&r, 50);
	ck_assert_uint_eq(r.count, 0);
	r.busy = false;
	RIG_EXPECT(&r, "begin", "c public.t (1)", "c public.t (2)", "c public.t (3)", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(catching_up_is_noticed)
{
	rig r;
	char position[512], identity[512];

	rig_init(&r, "catching_up");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE other (id int)");
	rig_begin_streaming(&r);
	for (int i = 0; i < 100 && !r.source->ops->caught_up(r.source); i++)
		rig_read(&r, 50);
	ck_assert(r.source->ops->caught_up(r.source)); /* nothing had to be reported at all */
	rig_confirm(&r);
	snprintf(position, sizeof(position), "%s", rig_position(&r));
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	rig_close(&r);
	rig_sql(&r, "INSERT INTO t SELECT generate_series(1, 5000); INSERT INTO other VALUES (1)");
	ck_assert(!rig_prepare(&r, position, identity));
	rig_start(&r);
	int64_t start_us = tr_clock_mono_us();
	while (!r.source->ops->caught_up(r.source) && tr_clock_mono_us() - start_us < RIG_WAIT_US)
		rig_read(&r, 50);
	ck_assert(r.source->ops->caught_up(r.source));
	ck_assert_uint_eq(r.changes, 5001);
	tr_source_lag lag;
	rig_read(&r, 50);
	r.source->ops->lag(r.source, &lag);
	ck_assert_int_eq(lag.lag_us, 0);
	rig_release_all(&r);
}
END_TEST

static void *interrupt_soon(void *source)
{
	usleep(200000);
	((tr_source *)source)->ops->interrupt(source);
	return NULL;
}

START_TEST(a_read_can_be_interrupted)
{
	rig r;
	pthread_t thread;
	tr_err err = {0};

	rig_init(&r, "interrupt_read");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_soon, r.source), 0);
	int64_t start_us = tr_clock_mono_us();
	ck_assert_int_eq(r.source->ops->read(r.source, &r.stream.base, 10000, &err), -1);
	ck_assert_int_eq(err.code, TR_E_INTERRUPTED);
	ck_assert_int_lt(tr_clock_mono_us() - start_us, 9000000);
	pthread_join(thread, NULL);
	rig_release_all(&r);
}
END_TEST

START_TEST(low_latency_at_low_rates_and_full_speed_when_behind)
{
	rig r;

	rig_init(&r, "pace");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY, v text)");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(1, 30000) g");
	rig_read_lines(&r, 30002);
	rig_forget(&r);
	for (int i = 0; i < 10; i++)
		rig_read(&r, 20);
	int late = 0;
	for (int i = 0; i < 20; i++) {
		size_t had = r.count;
		rig_sql(&r, "INSERT INTO t VALUES (%d, 'y')", 100000 + i);
		int64_t start_us = tr_clock_mono_us();
		while (r.count < had + 3 && tr_clock_mono_us() - start_us < 2000000)
			rig_read(&r, 5);
		late += tr_clock_mono_us() - start_us > 500000;
	}
	/* Sanitizers and shared cores: the point is that no low-water mark holds the events back for ever. */
	ck_assert_int_lt(late, 10);
	rig_release_all(&r);
}
END_TEST

RIG_MAIN("capture_postgres.resume", "wal_sender_timeout=2s", a_reconnect_goes_on_where_it_stood, the_server_is_killed,
	 resume_inside_a_transaction, slots_that_cannot_serve_are_refused, a_slot_that_lost_its_log_is_refused,
	 an_idle_slot_moves_on, unconfirmed_changes_hold_the_slot, a_busy_listener_keeps_the_connection,
	 catching_up_is_noticed, a_read_can_be_interrupted, low_latency_at_low_rates_and_full_speed_when_behind)
