#include "tests/unit/capture_postgres/rig.h"

START_TEST(marks_follow_the_order_of_names)
{
	rig r;

	rig_init(&r, "marks");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY, v text); CREATE TABLE c "
		    "(id int PRIMARY KEY);"
		    "CREATE TABLE d (id int PRIMARY KEY); INSERT INTO b VALUES (1, 'x'), (2, E'tab\\t\\\\'), (3, "
		    "NULL); INSERT INTO c VALUES (1)");
	r.options.snapshot_readers = 1;
	ck_assert(rig_prepare(&r, NULL, NULL));
	rig_snapshot(&r);
	/* a is empty, so nothing is the first of all; d is empty, so the row of c is the last of all. */
	RIG_EXPECT(&r, "r public.b (1,x) first_in", "r public.b (2,tab\t\\) true", "r public.b (3,~) last_in",
		   "r public.c (1) last");
	ck_assert_str_eq(strchr(r.sequence, ','), strstr(r.sequence, ",\""));
	ck_assert_int_eq(strncmp(r.sequence, "[null,\"", 7), 0);
	ck_assert_int_gt(r.last_txid, 0);
	rig_release_all(&r);
	rig_init(&r, "marks_first");
	rig_sql(&r,
		"CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY); INSERT INTO a VALUES (1);"
		"INSERT INTO b VALUES (1), (2)");
	r.options.snapshot_readers = 1;
	ck_assert(rig_prepare(&r, NULL, NULL));
	rig_snapshot(&r);
	RIG_EXPECT(&r, "r public.a (1) first", "r public.b (1) first_in", "r public.b (2) last");
	rig_release_all(&r);
	rig_init(&r, "marks_none");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY)");
	ck_assert(rig_prepare(&r, NULL, NULL));
	rig_snapshot(&r);
	ck_assert_uint_eq(r.count, 0);
	rig_release_all(&r);
}
END_TEST

/* Debezium's order: expression by expression as they are listed, by name within each. */
START_TEST(tables_follow_the_order_of_their_expressions)
{
	rig r;

	rig_init(&r, "listed");
	rig_sql(&r, "CREATE TABLE aa (id int PRIMARY KEY); CREATE TABLE mm (id int PRIMARY KEY); CREATE TABLE mx (id int PRIMARY KEY);"
		    "CREATE TABLE zz (id int PRIMARY KEY); INSERT INTO aa VALUES (1); INSERT INTO mm VALUES (1);"
		    "INSERT INTO mx VALUES (1); INSERT INTO zz VALUES (1)");
	r.options.table_include = "public.zz,public.aa,public.m.*";
	r.options.snapshot_readers = 1;
	ck_assert(rig_prepare(&r, NULL, NULL));
	rig_snapshot(&r);
	RIG_EXPECT(&r, "r public.zz (1) first", "r public.aa (1) last_in", "r public.mm (1) last_in", "r public.mx (1) last");
	rig_release_all(&r);
}
END_TEST

static size_t lines_with(const rig *r, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += strstr(r->lines[i], text) != NULL;
	return n;
}

START_TEST(many_readers_mark_one_last_row)
{
	rig r;

	rig_init(&r, "many_readers");
	rig_sql(&r, "DO $$ BEGIN FOR i IN 10..29 LOOP EXECUTE format('CREATE TABLE t%%s (id int PRIMARY KEY, v text)', "
		    "i); EXECUTE"
		    " format('INSERT INTO t%%s SELECT g, repeat(''x'', 100) FROM generate_series(1, %%s) g', i, i * "
		    "20); END LOOP; END $$;"
		    "CREATE TABLE big (id int PRIMARY KEY, v text); INSERT INTO big SELECT g, repeat('y', 500) FROM "
		    "generate_series(1, 20000) g");
	r.options.snapshot_readers = 5;
	ck_assert(rig_prepare(&r, NULL, NULL));
	rig_snapshot(&r);
	ck_assert_uint_eq(r.count, 20000 + 20 * 390);
	ck_assert_uint_eq(lines_with(&r, "public.big "), 20000);
	ck_assert_uint_eq(lines_with(&r, ") last_in"), 20);
	ck_assert_uint_eq(lines_with(&r, ") first_in"), 20);
	ck_assert_uint_eq(lines_with(&r, ") first"), 21);
	ck_assert_ptr_nonnull(strstr(r.lines[r.count - 1], "public.t29 "));
	ck_assert_ptr_nonnull(strstr(r.lines[r.count - 1], ") last"));
	ck_assert_ptr_null(strstr(r.lines[r.count - 1], ") last_in"));
	rig_release_all(&r);
}
END_TEST

/* Writes while the snapshot is taken: rows 1, 2, 3 ... each in a transaction of its own, updates in between. */
static _Atomic(int) writer_rows;
static _Atomic(bool) writer_stop;
static void *write_rows(void *url)
{
	PGconn *c = PQconnectdb(url);
	char sql[256];

	while (!writer_stop) {
		int n = ++writer_rows;

		snprintf(sql, sizeof(sql), "INSERT INTO t%d VALUES (%d, 0); UPDATE t0 SET n = n + 1 WHERE id = -1",
			 n % 4, n);
		PQclear(PQexec(c, sql));
	}
	PQfinish(c);
	return NULL;
}

START_TEST(snapshot_and_stream_join_without_gap_or_overlap)
{
	rig r;
	pthread_t writer;

	rig_init(&r, "no_gap");
	rig_sql(&r, "CREATE TABLE t0 (id int PRIMARY KEY, n int); CREATE TABLE t1 (LIKE t0 INCLUDING ALL); CREATE "
		    "TABLE t2 (LIKE t0"
		    " INCLUDING ALL); CREATE TABLE t3 (LIKE t0 INCLUDING ALL); INSERT INTO t0 VALUES (-1, 0);"
		    "INSERT INTO t1 SELECT g, 0 FROM generate_series(1000000, 1080000) g");
	r.options.snapshot_readers = 3;
	writer_stop = false;
	ck_assert_int_eq(pthread_create(&writer, NULL, write_rows, r.url), 0);
	while (writer_rows < 50)
		usleep(1000);
	ck_assert(rig_prepare(&r, NULL, NULL));
	rig_snapshot(&r);
	int at_end_of_snapshot = writer_rows;
	rig_start(&r);
	while (writer_rows < at_end_of_snapshot + 200)
		rig_read(&r, 10);
	writer_stop = true;
	pthread_join(writer, NULL);
	int total = writer_rows, last_update = -1;
	char *seen = calloc((size_t)total + 1, 1);
	for (int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US; last_update < total && tr_clock_mono_us() < end_us;) {
		rig_read(&r, 50);
		if (r.count)
			sscanf(r.lines[r.count - 2], "u public.t0 (-1,%d)", &last_update);
	}
	/* Every row once, by snapshot or stream; the counter has no hole and nothing twice. */
	int counter = -1;
	for (size_t i = 0; i < r.count; i++) {
		int table, id, n;
		char op;

		if (sscanf(r.lines[i], "%c public.t%d (%d,%d)", &op, &table, &id, &n) != 4 || id >= 1000000)
			continue;
		if (id > 0) {
			ck_assert_msg(!seen[id], "row %d twice", id);
			seen[id] = 1;
		} else {
			ck_assert_msg(op == 'r' || counter < 0 || n == counter + 1, "%s after %d", r.lines[i], counter);
			counter = n;
		}
	}
	for (int id = 1; id <= total; id++)
		ck_assert_msg(seen[id], "row %d of %d is missing", id, total);
	ck_assert_int_eq(counter, total);
	free(seen);
	rig_release_all(&r);
}
END_TEST

START_TEST(an_existing_slot_joins_a_borrowed_snapshot)
{
	rig r;

	rig_init(&r, "borrowed");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION tailrace_borrowed FOR TABLE t");
	rig_sql(&r, "SELECT pg_create_logical_replication_slot('tailrace_borrowed', 'pgoutput')");
	rig_sql(&r, "INSERT INTO t VALUES (1)"); /* after the slot, before the snapshot: must come once */
	r.options.create = false;
	ck_assert(rig_prepare(&r, NULL, NULL));
	rig_snapshot(&r);
	rig_sql(&r, "INSERT INTO t VALUES (2)");
	rig_start(&r);
	RIG_EXPECT(&r, "r public.t (1) last", "begin", "c public.t (2)", "commit");
	ck_assert_str_eq(rig_value(&r, "SELECT count(*) FROM pg_replication_slots WHERE temporary"), "0");
	rig_release_all(&r);
}
END_TEST

START_TEST(only_a_snapshot_leaves_no_slot)
{
	rig r;

	rig_init(&r, "only_snapshot");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)");
	r.options.snapshot_mode = TR_SNAPSHOT_ONLY;
	ck_assert(rig_prepare(&r, NULL, NULL));
	rig_snapshot(&r);
	RIG_EXPECT(&r, "r public.t (1) last");
	rig_close(&r);
	ck_assert_str_eq(
	    rig_value(&r, "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'tailrace_only_snapshot'"), "0");
	rig_release_all(&r);
}
END_TEST

START_TEST(generated_columns_are_as_in_the_stream)
{
	rig r;
	bool published = rig_version[0] == '1' && rig_version[1] == '8';

	rig_init(&r, "generated");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED, v text); INSERT "
		    "INTO t VALUES (1, DEFAULT, 'x')");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t VALUES (2, DEFAULT, 'y')");
	if (published)
		RIG_EXPECT(&r, "r public.t (1,2,x) last", "begin", "c public.t (2,4,y)", "commit");
	else
		RIG_EXPECT(&r, "r public.t (1,x) last", "begin", "c public.t (2,y)", "commit");
	ck_assert_int_eq(tr_metric_get(&r.metrics, TR_M_SCHEMA_CHANGES), 0);
	rig_release_all(&r);
	if (published)
		return;
	rig_init(&r, "generated_debezium");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY, g int GENERATED ALWAYS AS (id * 2) STORED, v text); INSERT "
		    "INTO t VALUES (1, DEFAULT, 'x')");
	r.options.snapshot_as_debezium = true;
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t VALUES (2, DEFAULT, 'y')");
	RIG_EXPECT(&r, "r public.t (1,2,x) last", "begin", "c public.t (2,y)", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(column_lists_and_row_filters_count_for_the_snapshot)
{
	rig r;

	if (rig_major() < 15)
		return; /* publications have neither */
	rig_init(&r, "column_lists");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY, secret text, v text, n int); INSERT INTO t VALUES (1, 's', "
		    "'x', 5), (2, 's', 'y', 50);"
		    "CREATE PUBLICATION tailrace_column_lists FOR TABLE t (id, v) WHERE (id < 2 OR id > 9)");
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO t VALUES (3, 's', 'z', 1), (10, 's', 'z', 1)");
	RIG_EXPECT(&r, "r public.t (1,x) last", "begin", "c public.t (10,z)", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(inheritance_and_odd_names)
{
	rig r;

	rig_init(&r, "odd_names");
	rig_sql(&r, "CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);"
		    "INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2); CREATE SCHEMA \"Odd \"\"S\";"
		    "CREATE TABLE \"Odd \"\"S\".\"T-1\" (\"a.b\" int PRIMARY KEY, \"ünï\" text); INSERT INTO \"Odd "
		    "\"\"S\".\"T-1\" VALUES (1, 'ß');"
		    "CREATE TABLE nothing ()");
	r.options.snapshot_readers = 1;
	rig_begin_streaming(&r);
	rig_sql(&r, "INSERT INTO child VALUES (3); INSERT INTO \"Odd \"\"S\".\"T-1\" VALUES (2, 'x'); INSERT INTO "
		    "nothing DEFAULT VALUES");
	RIG_EXPECT(&r, "r Odd \"S.T-1 (1,ß) first", "r public.child (2) last_in", "r public.parent (1) last", "begin",
		   "c public.child (3)", "c Odd \"S.T-1 (2,x)", "c public.nothing ()", "commit");
	rig_release_all(&r);
}
END_TEST

START_TEST(a_snapshot_can_be_interrupted)
{
	rig r;
	bool snapshot;
	tr_err failure = {0};

	rig_init(&r, "interrupted");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 100000)");
	ck_assert(rig_prepare(&r, NULL, NULL));
	r.stop_after_changes = 10; /* the listener gets busy, then somebody wants to stop */
	r.source->ops->interrupt(r.source);
	ck_assert_int_eq(r.source->ops->snapshot(r.source, &r.host, &failure), -1);
	ck_assert_int_eq(failure.code, TR_E_INTERRUPTED);
	char identity[512];
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	r.source->ops->disconnect(r.source);
	/* The slot may be there already: with our identity on record it is made anew. */
	rig_sql(
	    &r,
	    "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'tailrace_interrupted') THEN"
	    " PERFORM pg_create_logical_replication_slot('tailrace_interrupted', 'pgoutput'); END IF; END $$");
	r.stop_after_changes = 0;
	r.busy = false;
	RIG_OK(r.source->ops->prepare(r.source, tr_slice_str(NULL), tr_slice_str(identity), &snapshot, err));
	ck_assert(snapshot);
	rig_forget(&r);
	rig_snapshot(&r);
	ck_assert_uint_eq(r.count, 100000);
	rig_start(&r);
	rig_sql(&r, "INSERT INTO t VALUES (-1)");
	rig_forget(&r);
	RIG_EXPECT(&r, "begin", "c public.t (-1)", "commit");
	rig_release_all(&r);
}
END_TEST

static void *truncate_when_busy(void *context)
{
	rig *r = context;

	while (!r->busy)
		usleep(1000);
	rig_sql(r, "TRUNCATE z");
	r->busy = false;
	return NULL;
}

START_TEST(tables_rewritten_meanwhile_are_noticed)
{
	rig r;
	tr_err failure = {0};

	rig_init(&r, "rewritten");
	rig_sql(&r,
		"CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE z (id int PRIMARY KEY, v int); INSERT INTO a SELECT"
		" generate_series(1, 1000); INSERT INTO z VALUES (1, 1)");
	r.options.snapshot_readers = 1;
	ck_assert(rig_prepare(&r, NULL, NULL));
	r.stop_after_changes = 10;
	pthread_t other;
	ck_assert_int_eq(pthread_create(&other, NULL, truncate_when_busy, &r), 0);
	ck_assert_int_eq(r.source->ops->snapshot(r.source, &r.host, &failure), -1);
	pthread_join(other, NULL);
	ck_assert_msg(failure.code == TR_E_SNAPSHOT_FAILED, "%d %s %s", failure.code, failure.text, failure.detail);
	rig_release_all(&r);
}
END_TEST

RIG_MAIN("capture_postgres.snapshot", "", marks_follow_the_order_of_names, tables_follow_the_order_of_their_expressions,
	 many_readers_mark_one_last_row,
	 snapshot_and_stream_join_without_gap_or_overlap, an_existing_slot_joins_a_borrowed_snapshot,
	 only_a_snapshot_leaves_no_slot, generated_columns_are_as_in_the_stream,
	 column_lists_and_row_filters_count_for_the_snapshot, inheritance_and_odd_names, a_snapshot_can_be_interrupted,
	 tables_rewritten_meanwhile_are_noticed)
