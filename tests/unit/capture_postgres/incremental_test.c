#include "capture/postgres/incremental.h"
#include "tests/unit/capture_postgres/rig.h"

#define SIGNALS "CREATE TABLE signals (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));"

static void begin(rig *r, const char *name, const char *tables, uint32_t chunk_rows)
{
	rig_init(r, name);
	rig_sql(r, SIGNALS "%s", tables);
	r->options.snapshot_mode = TR_SNAPSHOT_NEVER;
	r->options.signal_table = "public.signals";
	r->options.signal_chunk_rows = chunk_rows;
	rig_begin_streaming(r);
}

static void execute(rig *r, const char *id, const char *table, const char *more)
{
	rig_sql(r, "INSERT INTO signals VALUES ('%s', 'execute-snapshot', '{\"data-collections\": [\"%s\"]%s}')", id, table,
		more);
}

static tr_pgc_incremental *state(rig *r)
{
	return ((tr_pgc *)(void *)r->source)->incremental;
}

static const char *long_position(rig *r)
{
	static char text[65536];
	tr_writer w;

	tr_writer_init(&w, sizeof(text));
	r->source->ops->position(r->source, &w);
	snprintf(text, sizeof(text), "%.*s", (int)w.len, w.data ? (const char *)w.data : "");
	tr_writer_release(&w);
	return text;
}

static size_t count(rig *r, const char *text);

/* Until the signals sent before have come and nothing is left to do, or nothing that ends by itself. */
static void settle(rig *r)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;
	static unsigned number;
	char sent[32];

	snprintf(sent, sizeof(sent), "m settle=%u", ++number);
	rig_sql(r, "SELECT pg_logical_emit_message(true, 'settle', '%u')", number);
	while (count(r, sent) == 0 && tr_clock_mono_us() < end_us)
		rig_read(r, 20);
	do
		rig_read(r, 20);
	while (tr_pgc_incremental_busy((tr_pgc *)(void *)r->source) && tr_clock_mono_us() < end_us);
	ck_assert(!tr_pgc_incremental_busy((tr_pgc *)(void *)r->source));
}

/* Lines that contain the text. */
static size_t count(rig *r, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += strstr(r->lines[i], text) != NULL;
	return n;
}

static size_t place(rig *r, const char *text)
{
	for (size_t i = 0; i < r->count; i++)
		if (strstr(r->lines[i], text))
			return i;
	ck_abort_msg("no line has %s", text);
}

START_TEST(rows_come_in_chunks_between_marks)
{
	rig r;

	begin(&r, "inc_chunks", "CREATE TABLE t (a text, b int, v text, PRIMARY KEY (b, a));"
	      "INSERT INTO t SELECT chr(97 + g % 3), g, 'row ' || g FROM generate_series(1, 25) g", 10);
	execute(&r, "one", "public.t", "");
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.t"), 25);
	ck_assert_uint_eq(count(&r, " incremental"), 25);
	ck_assert_uint_eq(count(&r, "snapshot-window-open"), 3);
	ck_assert_uint_eq(count(&r, "snapshot-window-close"), 3);
	ck_assert_uint_eq(place(&r, "snapshot-window-close") + 2, place(&r, "r public.t (b,1,row 1)"));
	ck_assert_int_eq(r.last_txid, -1);
	ck_assert_ptr_null(strstr(long_position(&r), "incremental"));
	rig_release_all(&r);
}
END_TEST

/* Keys that only the server can compare: quotes, case, collation, numbers as text, a type of another schema. */
START_TEST(keys_are_compared_by_the_server)
{
	rig r;

	begin(&r, "inc_keys",
	      "CREATE SCHEMA other; CREATE DOMAIN other.code AS varchar(20); CREATE TYPE other.mood AS ENUM ('z', 'a', 'm');"
	      "CREATE TABLE \"T x\" (k other.code COLLATE \"C\", m other.mood, n numeric, ts timestamptz, PRIMARY KEY (m, k, n, ts));"
	      "INSERT INTO \"T x\" SELECT (ARRAY['it''s', 'A', 'a', 'B', '\\', E'tab\\t', ''])[1 + g % 7], (ARRAY['z', 'a', "
	      "'m'])[1 + g % 3]::other.mood, g / 10.0, '2020-01-01 00:00:00.000001+00'::timestamptz + g * interval '1 us'"
	      " FROM generate_series(1, 100) g", 7);
	execute(&r, "one", "public\\\\..*x", "");
	settle(&r);
	ck_assert_uint_eq(count(&r, " incremental"), 100);
	rig_release_all(&r);
}
END_TEST

START_TEST(conditions_choose_rows)
{
	rig r;

	begin(&r, "inc_filter", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 9)", 4);
	execute(&r, "one", "public.t",
		", \"additional-conditions\": [{\"data-collection\": \"public.t\", \"filter\": \"id % 2 = 0 -- even\"}]");
	settle(&r);
	ck_assert_uint_eq(count(&r, " incremental"), 4);
	ck_assert_uint_eq(count(&r, "r public.t (8) incremental"), 1);
	rig_forget(&r);
	/* A condition is one expression: it cannot end the statement and begin another. */
	execute(&r, "two", "public.t",
		", \"additional-conditions\": [{\"data-collection\": \"public.t\", \"filter\": \"true) TO STDOUT; DROP TABLE t; "
		"COPY (SELECT 1\"}]");
	settle(&r);
	ck_assert_uint_eq(count(&r, " incremental"), 0);
	ck_assert_str_eq(rig_value(&r, "SELECT count(*) FROM t"), "9");
	ck_assert_uint_eq(state(&r)->progress.count, 0);
	rig_release_all(&r);
}
END_TEST

START_TEST(what_cannot_be_done_is_left)
{
	static const char *const bad[] = {"{\"data-collections\": [\"public.t\"], \"type\": \"blocking\"}",
					  "{\"data-collections\": [\"public.t\"], \"surrogate-key\": \"id\"}",
					  "{\"data-collections\": [\"public.none\"]}",
					  "{\"data-collections\": [\"(\"]}",
					  "{\"data-collections\": []}",
					  "{\"data-collections\": [\"public.keyless\", 5]}",
					  "{\"data-collections\": [\"public.keyless\"]}",
					  "{}", "[]", "{", ""};
	rig r;

	begin(&r, "inc_bad", "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1);"
	      "CREATE TABLE keyless (id int); INSERT INTO keyless VALUES (1)", 4);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		rig_sql(&r, "INSERT INTO signals VALUES ('b%zu', 'execute-snapshot', '%s')", i, bad[i]);
	rig_sql(&r, "INSERT INTO signals VALUES ('x', 'unknown', NULL), ('y', 'stop-snapshot', NULL), ('z', 'pause-snapshot', '{}')");
	settle(&r);
	ck_assert_uint_eq(count(&r, " incremental"), 0);
	ck_assert_uint_eq(state(&r)->progress.count, 0);
	ck_assert_uint_eq(count(&r, "c public.signals"), sizeof(bad) / sizeof(bad[0]) + 3);
	rig_release_all(&r);
}
END_TEST

static void read_until(rig *r, tr_pgc_phase phase)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;

	while (state(r)->phase != phase && tr_clock_mono_us() < end_us)
		rig_read(r, 5);
	ck_assert_int_eq(state(r)->phase, phase);
}

/* Stops in the window: the chunk's rows are here, and its second mark waits for a lock until `hold` is closed. */
static PGconn *read_into_window(rig *r, const char *table)
{
	PGconn *gate = rig_connect(r->database), *hold = rig_connect(r->database);
	char sql[200];

	snprintf(sql, sizeof(sql), "BEGIN; LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", table);
	rig_sql_on(gate, sql);
	read_until(r, TR_PGC_INC_LOCKING);
	rig_sql_on(hold, "BEGIN; LOCK TABLE signals IN SHARE MODE");
	PQfinish(gate);
	read_until(r, TR_PGC_INC_CLOSING);
	return hold;
}

START_TEST(touched_rows_are_left_to_the_stream)
{
	rig r;
	PGconn *hold;

	begin(&r, "inc_touched", "CREATE TABLE t (id int PRIMARY KEY, v text);"
	      "INSERT INTO t SELECT g, 'old' FROM generate_series(1, 6) g", 10);
	execute(&r, "one", "public.t", "");
	hold = read_into_window(&r, "t");
	rig_sql(&r, "UPDATE t SET v = 'new' WHERE id = 1; DELETE FROM t WHERE id = 2; UPDATE t SET id = 30 WHERE id = 3;"
		    "INSERT INTO t VALUES (7, 'late')");
	PQfinish(hold);
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.t"), 3);
	ck_assert_uint_eq(count(&r, "r public.t (4,old)"), 1);
	ck_assert_uint_lt(place(&r, "c public.t (7,late)"), place(&r, "r public.t (4,old)"));
	rig_forget(&r);
	execute(&r, "two", "public.t", "");
	hold = read_into_window(&r, "t");
	rig_sql(&r, "TRUNCATE t; INSERT INTO t VALUES (8, 'again')");
	PQfinish(hold);
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.t"), 0);
	ck_assert_uint_eq(count(&r, "c public.t (8,again)"), 1);
	rig_release_all(&r);
}
END_TEST

START_TEST(other_identities_are_matched_by_their_own_columns)
{
	rig r;
	PGconn *hold;

	begin(&r, "inc_identity", "CREATE TABLE t (id int PRIMARY KEY, code text NOT NULL UNIQUE, v int);"
	      "ALTER TABLE t REPLICA IDENTITY USING INDEX t_code_key; CREATE TABLE f (id int PRIMARY KEY, v int);"
	      "ALTER TABLE f REPLICA IDENTITY FULL; INSERT INTO f VALUES (1, 1), (2, 2);"
	      "INSERT INTO t SELECT g, 'c' || g, 0 FROM generate_series(1, 5) g", 10);
	execute(&r, "one", "public.t", "");
	hold = read_into_window(&r, "t");
	rig_sql(&r, "UPDATE t SET id = 10 WHERE id = 1; UPDATE t SET code = 'x' WHERE id = 2; DELETE FROM t WHERE id = 3");
	PQfinish(hold);
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.t"), 2);
	ck_assert_uint_eq(count(&r, "r public.t (4,c4,0)") + count(&r, "r public.t (5,c5,0)"), 2);
	execute(&r, "two", "public.f", "");
	hold = read_into_window(&r, "f");
	rig_sql(&r, "UPDATE f SET id = 3 WHERE id = 1");
	PQfinish(hold);
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.f"), 1);
	ck_assert_uint_eq(count(&r, "r public.f (2,2)"), 1);
	rig_release_all(&r);
}
END_TEST

START_TEST(a_changed_table_is_read_again)
{
	rig r;
	PGconn *hold;

	begin(&r, "inc_ddl", "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b')", 10);
	execute(&r, "one", "public.t", "");
	hold = read_into_window(&r, "t");
	rig_sql(&r, "ALTER TABLE t ADD COLUMN n int DEFAULT 7; INSERT INTO t VALUES (3, 'c', 8)");
	rig_read(&r, 50);
	PQfinish(hold);
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.t"), 2); /* what is above the greatest key at the start is in the stream */
	ck_assert_uint_eq(count(&r, "r public.t (1,a,7) incremental"), 1);
	rig_release_all(&r);
}
END_TEST

/* A commit that the stream has shown and new snapshots do not: as behind a synchronous standby that does not answer. */
START_TEST(a_chunk_waits_for_what_was_streamed)
{
	rig r;
	tr_pgc_incremental *i;

	begin(&r, "inc_visible", "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'old')", 10);
	rig_sql(&r, "ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
	rig_reload(&r);
	PGconn *waits = rig_connect("inc_visible");
	ck_assert_int_eq(PQsendQuery(waits, "UPDATE t SET v = 'new' WHERE id = 1"), 1);
	rig_read_lines(&r, 3);
	ck_assert_uint_eq(count(&r, "u public.t (1,new)"), 1);
	ck_assert_str_eq(rig_value(&r, "SELECT v FROM t"), "old"); /* the trap itself */
	rig_sql(&r, "SET synchronous_commit = local");
	rig_sql(&r, "ALTER ROLE postgres SET synchronous_commit = local");
	execute(&r, "one", "public.t", "");
	i = state(&r);
	for (int n = 0; n < 30; n++)
		rig_read(&r, 20);
	ck_assert_uint_eq(count(&r, " incremental"), 0);
	ck_assert_uint_eq(i->unseen_count, 1);
	rig_sql(&r, "ALTER SYSTEM RESET synchronous_standby_names");
	rig_sql(&r, "SELECT pg_reload_conf()");
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.t (1,new) incremental"), 1);
	rig_sql(&r, "ALTER ROLE postgres RESET synchronous_commit");
	PQfinish(waits);
	rig_release_all(&r);
}
END_TEST

START_TEST(progress_survives_a_crash)
{
	rig r;
	char position[65536], identity[512];
	size_t before;

	begin(&r, "inc_crash", "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY);"
	      "INSERT INTO t SELECT generate_series(1, 50); INSERT INTO u VALUES (1)", 10);
	execute(&r, "one", "public.[tu]", "");
	while (count(&r, " incremental") < 20)
		rig_read(&r, 1);
	before = count(&r, " incremental");
	snprintf(position, sizeof(position), "%s", long_position(&r));
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	ck_assert_ptr_nonnull(strstr(position, "\"incremental\":{\"tables\":[{\"schema\":\"public\",\"table\":\"t\"}"));
	ck_assert_int_eq(r.source->ops->compare(tr_slice_str(position), tr_slice_str(position)), 0);
	rig_close(&r);
	rig_forget(&r);
	rig_prepare(&r, position, identity);
	rig_start(&r);
	settle(&r);
	/* The chunks before the position are not read again, the one that was under way is. */
	ck_assert_uint_eq(count(&r, "r public.t"), 50 - before);
	ck_assert_uint_eq(count(&r, "r public.u"), 1);
	rig_release_all(&r);
}
END_TEST

START_TEST(pause_resume_stop)
{
	rig r;

	begin(&r, "inc_pause", "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY);"
	      "INSERT INTO t SELECT generate_series(1, 200); INSERT INTO u SELECT generate_series(1, 3)", 1);
	execute(&r, "one", "public.(t|u)", "");
	while (count(&r, " incremental") < 5)
		rig_read(&r, 1);
	rig_sql(&r, "INSERT INTO signals VALUES ('p', 'pause-snapshot', '{}')");
	settle(&r);
	size_t paused = count(&r, " incremental");
	ck_assert_uint_lt(paused, 203);
	ck_assert_ptr_nonnull(strstr(long_position(&r), "\"paused\":true"));
	rig_read(&r, 200);
	ck_assert_uint_eq(count(&r, " incremental"), paused);
	rig_sql(&r, "INSERT INTO signals VALUES ('s', 'stop-snapshot', '{\"data-collections\": [\"public.t\"], \"type\": \"incremental\"}')");
	rig_sql(&r, "INSERT INTO signals VALUES ('r', 'resume-snapshot', NULL)");
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.u"), 3);
	ck_assert_uint_eq(count(&r, "r public.t"), paused);
	rig_release_all(&r);
}
END_TEST

START_TEST(missing_rights_wait_and_are_named)
{
	rig r;
	char url[256];

	rig_init(&r, "inc_rights");
	rig_sql(&r, SIGNALS "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
	rig_sql(&r, "DROP ROLE IF EXISTS weak; CREATE ROLE weak LOGIN REPLICATION; GRANT SELECT ON t TO weak;"
		    "CREATE PUBLICATION tailrace_inc_rights FOR TABLE t, signals");
	snprintf(url, sizeof(url), "postgres://weak@127.0.0.1:%d/inc_rights", rig_port);
	r.options.url = url;
	r.options.snapshot_mode = TR_SNAPSHOT_NEVER;
	r.options.signal_table = "public.signals";
	rig_begin_streaming(&r);
	execute(&r, "one", "public.t", "");
	for (int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US; state(&r)->failures == 0 && tr_clock_mono_us() < end_us;)
		rig_read(&r, 20);
	ck_assert_uint_eq(state(&r)->failures, 1);
	ck_assert_uint_eq(state(&r)->progress.count, 1);
	rig_sql(&r, "GRANT SELECT, INSERT ON signals TO weak");
	for (int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US; count(&r, " incremental") == 0 && tr_clock_mono_us() < end_us;)
		rig_read(&r, 20);
	ck_assert_uint_eq(count(&r, "r public.t (1) incremental"), 1);
	rig_close(&r);
	rig_drop_slot(&r);
	rig_sql(&r, "DROP OWNED BY weak; DROP ROLE weak");
	rig_release_all(&r);
}
END_TEST

/* The stream's keys are binary, the chunk's are text: what is touched in the window is known all the same. */
START_TEST(binary_keys_of_the_stream_meet_text_keys_of_the_chunk)
{
	rig r;

	rig_init(&r, "inc_binary");
	r.options.binary = true;
	rig_sql(&r, "%s", SIGNALS "CREATE TABLE t (b bool, i smallint, l bigint, n numeric, f float8, u uuid, y bytea, ts timestamptz, d date, c text,"
		    " v int, PRIMARY KEY (b, i, l, n, f, u, y, ts, d, c)); INSERT INTO t SELECT g % 2 = 0, -g, g::bigint << 40, g / 100.0, g / 3.0,"
		    " md5(g::text)::uuid, decode(md5(g::text), 'hex'), '1999-12-31 23:59:59.999999+00'::timestamptz + g * interval '1.000001 s',"
		    " '2000-02-29'::date - g * 400, 'é' || g, 0 FROM generate_series(1, 12) g");
	r.options.snapshot_mode = TR_SNAPSHOT_NEVER;
	r.options.signal_table = "public.signals";
	r.options.signal_chunk_rows = 20;
	rig_begin_streaming(&r);
	execute(&r, "one", "public.t", "");
	PGconn *hold = read_into_window(&r, "t");
	rig_sql(&r, "UPDATE t SET v = 1 WHERE i IN (-1, -2, -3); DELETE FROM t WHERE i = -4; UPDATE t SET n = n + 1 WHERE i = -5");
	PQfinish(hold);
	settle(&r);
	ck_assert_uint_eq(count(&r, "u public.t"), 4);
	ck_assert_uint_ge(count(&r, "u public.t (b1,b2,b8,"), 4); /* it was binary indeed */
	ck_assert_uint_eq(count(&r, "r public.t"), 7);
	ck_assert_uint_eq(count(&r, "r public.t (t,-6,"), 1);
	rig_release_all(&r);
}
END_TEST

/* What the publication leaves out, an incremental snapshot leaves out: by leaves, and by the root. */
START_TEST(partitions_and_row_filters)
{
	static const char tables[] =
	    SIGNALS "CREATE TABLE p (id int, k int, v text, secret text, PRIMARY KEY (id, k)) PARTITION BY LIST (k);"
		    "CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1); CREATE TABLE p2 PARTITION OF p FOR VALUES IN (2);"
		    "INSERT INTO p SELECT g, 1 + g % 2, 'v' || g, 'hidden' FROM generate_series(1, 8) g;";
	rig r;

	if (rig_major() < 15)
		return; /* publications have no filters */
	rig_init(&r, "inc_leaf_filter");
	rig_sql(&r, "%sCREATE PUBLICATION tailrace_inc_leaf_filter FOR TABLE signals, p1 (id, k, v) WHERE (id > 2), p2", tables);
	r.tables[0] = "!public.p";
	r.options.tables = r.tables;
	r.options.table_count = 1;
	r.options.snapshot_mode = TR_SNAPSHOT_NEVER;
	r.options.signal_table = "public.signals";
	r.options.signal_chunk_rows = 3;
	rig_begin_streaming(&r);
	execute(&r, "one", "public.p[12]", "");
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.p1"), 3);
	ck_assert_uint_eq(count(&r, "r public.p1 (4,1,v4) incremental"), 1);
	ck_assert_uint_eq(count(&r, "r public.p2"), 4);
	ck_assert_uint_eq(count(&r, "r public.p2 (7,2,v7,hidden) incremental"), 1);
	rig_release_all(&r);

	rig_init(&r, "inc_root");
	rig_sql(&r, "%sCREATE PUBLICATION tailrace_inc_root FOR TABLE signals, p WHERE (id > 2) WITH (publish_via_partition_root = true)",
		tables);
	r.options.snapshot_mode = TR_SNAPSHOT_NEVER;
	r.options.publish_via_root = true;
	r.options.signal_table = "public.signals";
	r.options.signal_chunk_rows = 10;
	rig_begin_streaming(&r);
	execute(&r, "one", "public.p", "");
	PGconn *hold = read_into_window(&r, "p");
	rig_sql(&r, "UPDATE p1 SET v = 'new' WHERE id = 4; UPDATE p SET k = 1 WHERE id = 5; DELETE FROM p WHERE id = 6");
	PQfinish(hold);
	settle(&r);
	ck_assert_uint_eq(count(&r, "r public.p ("), 3);
	ck_assert_uint_eq(count(&r, "r public.p (3,2,v3,hidden) incremental"), 1);
	ck_assert_uint_eq(count(&r, "u public.p (4,1,new,hidden)"), 1);
	rig_release_all(&r);
}
END_TEST

/* Rows too large for one chunk cut it short; nothing is left out. */
START_TEST(large_rows_cut_a_chunk)
{
	rig r;

	begin(&r, "inc_large", "CREATE TABLE t (id int PRIMARY KEY, v text);"
	      "INSERT INTO t SELECT g, repeat('x', 3000000) FROM generate_series(1, 10) g", 100);
	execute(&r, "one", "public.t", "");
	settle(&r);
	ck_assert_uint_eq(count(&r, " incremental"), 10);
	ck_assert_uint_ge(count(&r, "snapshot-window-close"), 4);
	rig_release_all(&r);
}
END_TEST

START_TEST(texts_of_progress)
{
	static const char *const good = "{\"tables\":[{\"schema\":\"a\\\"b\",\"table\":\"t\",\"filter\":\"x > '}'\"},{\"schema\":\"s\","
					"\"table\":\"u\"}],\"key\":[\"id\"],\"last\":[\"1\"],\"max\":[\"9\"],\"rows\":1}";
	static const char *const bad[] = {"{", "[]", "{\"tables\":1}", "{\"tables\":[{}]}",
					  "{\"tables\":[],\"key\":[1]}", "{\"tables\":[],\"key\":[\"a\"],\"max\":[]}"};
	tr_inc_progress p = {0};
	tr_err err = {0};
	tr_writer w;
	char position[1024];

	ck_assert_int_eq(tr_inc_progress_load(&p, tr_slice_str(good), &err), 0);
	ck_assert_str_eq(p.text, good);
	ck_assert_str_eq(p.todo[0].filter, "x > '}'");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_int_eq(tr_inc_progress_load(&p, tr_slice_str(bad[i]), &err), -1);
		ck_assert_int_eq(err.code, TR_E_STATE_CORRUPT);
	}
	tr_writer_init(&w, 4096);
	snprintf(position, sizeof(position), "{\"lsn\":\"0/10\",\"incremental\":%s,\"commit\":\"0/5\"}", good);
	tr_pgc_position_incremental(tr_slice_str(position), &w);
	ck_assert(tr_slice_eq(tr_writer_view(&w), tr_slice_str(good)));
	tr_pgc_position back;
	ck_assert(tr_pgc_position_read(tr_slice_str(position), &back));
	ck_assert_uint_eq(back.commit, 5);
	ck_assert(!tr_pgc_position_read(tr_slice_str("{\"lsn\":\"0/10\",\"incremental\":{\"a\":\"}\""), &back));
	ck_assert(!tr_pgc_position_read(tr_slice_str("{\"lsn\":\"0/10\",\"other\":{}}"), &back));
	tr_writer_release(&w);
	tr_inc_progress_release(&p);
}
END_TEST

RIG_MAIN("capture_postgres.incremental", "", rows_come_in_chunks_between_marks, keys_are_compared_by_the_server,
	 conditions_choose_rows, what_cannot_be_done_is_left, touched_rows_are_left_to_the_stream,
	 other_identities_are_matched_by_their_own_columns, a_changed_table_is_read_again,
	 a_chunk_waits_for_what_was_streamed, progress_survives_a_crash, pause_resume_stop,
	 missing_rights_wait_and_are_named, binary_keys_of_the_stream_meet_text_keys_of_the_chunk, partitions_and_row_filters, large_rows_cut_a_chunk, texts_of_progress)
