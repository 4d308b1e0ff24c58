#include "capture/mysql/incremental.h"
#include "tests/unit/capture_mysql/rig.h"

#define SIGNALS "CREATE TABLE signals (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048));"

static char signal_table[100];

static void sql(rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void sql(rig *r, const char *format, ...)
{
	char text[8192];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	rs_sql(r->sql, text);
}

static void begin(rig *r, const char *tables, uint32_t chunk_rows)
{
	sql(r, SIGNALS "%s", tables);
	snprintf(signal_table, sizeof(signal_table), "%s.signals", r->database);
	r->options.signal_table = signal_table;
	r->options.signal_chunk_rows = chunk_rows;
	rig_start(r, NULL, NULL);
}

/* table: as a JSON text has it; the database is put before it. */
static void execute(rig *r, const char *id, const char *table, const char *more)
{
	sql(r, "SET @@sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES');"
	       "INSERT INTO signals VALUES ('%s', 'execute-snapshot', '{\"data-collections\": [\"%s.%s\"]%s}')",
	    id, r->database, table, more);
}

static tr_myc_incremental *state(rig *r)
{
	return ((tr_myc *)(void *)r->source)->incremental;
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

static void read_until(rig *r, const char *text, size_t wanted)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;

	while (count(r, text) < wanted && tr_clock_mono_us() < end_us)
		rig_read(r, 5);
	ck_assert_uint_ge(count(r, text), wanted);
}

/* Until the signals sent before have come and nothing is left to do, or nothing that ends by itself. */
static void settle(rig *r)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;
	static unsigned number;
	char sent[128];

	snprintf(sent, sizeof(sent), "c %s.signals (settle %u,", r->database, ++number);
	sql(r, "INSERT INTO signals VALUES ('settle %u', 'snapshot-window-open', NULL)", number);
	read_until(r, sent, 1);
	do
		rig_read(r, 20);
	while (tr_myc_incremental_busy((tr_myc *)(void *)r->source) && tr_clock_mono_us() < end_us);
	ck_assert_msg(!tr_myc_incremental_busy((tr_myc *)(void *)r->source), "%s: phase %d", r->server->variable, state(r)->phase);
}

START_TEST(rows_come_in_chunks_between_marks)
{
	rig r;

	EACH_SERVER(r, "tr_inc_chunks")
	{
		char *position;

		begin(&r, "CREATE TABLE t (a varchar(10), b int, v varchar(20), PRIMARY KEY (b, a));"
			  "INSERT INTO t WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 25)"
			  " SELECT CHAR(97 + n % 3), n DIV 3, CONCAT('row ', n) FROM g", 10);
		execute(&r, "one", "t", "");
		settle(&r);
		ck_assert_uint_eq(count(&r, "r plain "), 25);
		ck_assert_uint_eq(count(&r, "snapshot-window-open,{"), 3);
		ck_assert_uint_eq(count(&r, "snapshot-window-close"), 3);
		ck_assert_uint_eq(place(&r, "snapshot-window-close") + 2, place(&r, "r plain "));
		position = rig_position(&r);
		ck_assert_ptr_null(strstr(position, "incremental"));
		free(position);
		rig_release(&r);
	}
}
END_TEST

/* --- keys of all kinds ------------------------------------------------------------------------- */

typedef struct kind {
	const char *columns, *key, *values; /* values: of row n */
	int mariadb; /* 1 only there, 0 only MySQL, -1 both */
} kind;

static const kind kinds[] = {
    {"k bigint unsigned", "k", "IF(n % 2, n, 18446744073709551615 - n)", -1},
    {"k bigint", "k", "(n - 20) * 400000000000000000", -1},
    {"k tinyint", "k", "n - 20", -1},
    {"k decimal(30,10)", "k", "(n - 20) * 1234567890.0123456789", -1},
    {"k float", "k", "n / 3 - 5", -1},
    {"k double", "k", "(n - 20) / 7e10", -1},
    {"k float(9,2)", "k", "n / 3", -1},
    {"k varchar(20) CHARACTER SET utf8mb4", "k", "ELT(1 + n % 3, CONCAT('é', n), CONCAT('E', n, 'x'), CONCAT('e''\\\\', n))", -1},
    {"k varchar(20) CHARACTER SET latin1 COLLATE latin1_german1_ci", "k", "CONCAT(ELT(1 + n % 4, 'ä', 'B', 'b', 'Z'), n)", -1},
    {"k varchar(20) CHARACTER SET utf16", "k", "CONCAT(ELT(1 + n % 3, 'ä', 'B', 'z'), n)", -1},
    {"k char(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "k", "CONCAT(ELT(1 + n % 3, 'a', 'B', 'ü'), n)", -1},
    {"k char(12) CHARACTER SET gbk", "k", "CONCAT(ELT(1 + n % 3, '中', 'b', '文'), n)", -1},
    {"k binary(4)", "k", "UNHEX(CONCAT(LPAD(HEX(n), 2, '0'), ELT(1 + n % 3, '000000', '00FF00', '0A0000')))", -1},
    {"k varbinary(9)", "k", "CONCAT(CHAR(255 - n), CHAR(0), n)", -1},
    {"k blob", "k(20)", "CONCAT(CHAR(n * 5), 'x', CHAR(0))", -1},
    {"k text", "k(20)", "CONCAT('T', n)", -1},
    {"k enum('z','b,c','a','Y'), j int", "k, j", "1 + n % 4, n", -1},
    {"k set('z','y','x','w','v','u')", "k", "n", -1},
    {"k bit(64)", "k", "18446744073709551615 - n", -1},
    {"k bit(3), j int", "k, j", "n % 8, n", -1},
    {"k date, j int", "k, j", "'1999-12-20' + INTERVAL n DIV 2 DAY, n", -1},
    {"k time(3)", "k", "SEC_TO_TIME((n - 20) * 3000.125)", -1},
    {"k datetime(6)", "k", "'2001-02-03 04:05:06.000001' + INTERVAL n MICROSECOND", -1},
    {"k timestamp(2)", "k", "'2001-02-03 04:05:06.5' + INTERVAL n * 10000 MICROSECOND", -1},
    {"k year, j int", "k, j", "IF(n % 5 = 0, 0, 1990 + n % 5), n", -1},
    {"k date, j int", "k, j", "IF(n % 3 = 0, '0000-00-00', '2000-01-01'), n", -1},
    {"a varchar(4), b int unsigned, c varbinary(4)", "c, a, b", "ELT(1 + n % 2, 'a', 'B'), n % 3, CHAR(n DIV 6)", -1},
    {"k uuid", "k", "CONCAT('123e4567-e89b-12d3-a456-4266141740', LPAD(n, 2, '0'))", 1},
    {"k inet6", "k", "CONCAT('2001:db8::', n)", 1},
};

#define KIND_ROWS 40

static bool make_kind(rig *r, const kind *k)
{
	if (k->mariadb >= 0 && k->mariadb != r->server->mariadb)
		return false;
	sql(r, "SET sql_mode = ''; DROP TABLE IF EXISTS t; CREATE TABLE t (%s, v int, PRIMARY KEY (%s)) CHARACTER SET utf8mb4;"
	       "INSERT INTO t WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < %d) SELECT %s, n FROM g",
	    k->columns, k->key, KIND_ROWS, k->values);
	ck_assert_int_eq(strtol(rs_value(r->sql, "SELECT COUNT(*) FROM t"), NULL, 10), KIND_ROWS);
	return true;
}

/* Each row once, in whatever order the server has for them; the last column tells them apart. */
static void check_rows(rig *r, const char *what)
{
	for (int n = 1; n <= KIND_ROWS; n++) {
		char end[16];
		size_t found = 0;

		snprintf(end, sizeof(end), ",%d)", n);
		for (size_t i = 0; i < r->count; i++) {
			size_t len = strlen(r->lines[i]);

			found += strncmp(r->lines[i], "r plain", 7) == 0 && len > strlen(end) &&
				 strcmp(r->lines[i] + len - strlen(end), end) == 0;
		}
		ck_assert_msg(found == 1, "%s, %s: row %d came %zu times", r->server->variable, what, n, found);
	}
}

START_TEST(keys_are_compared_by_the_server)
{
	rig r;

	EACH_SERVER(r, "tr_inc_keys")
	{
		begin(&r, "", 7);
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			char id[20];

			if (!make_kind(&r, &kinds[i]))
				continue;
			snprintf(id, sizeof(id), "kind %zu", i);
			execute(&r, id, "t", "");
			settle(&r);
			check_rows(&r, kinds[i].columns);
			ck_assert_uint_eq(count(&r, "r plain"), KIND_ROWS);
			rig_forget(&r);
		}
		rig_release(&r);
	}
}
END_TEST

/* --- inside of a window ------------------------------------------------------------------------ */

/* A list of processes may fail while one of them goes. */
static bool is_blocked(rig *r, const char *statement)
{
	char question[400];
	MYSQL_RES *answer;
	MYSQL_ROW row;
	bool blocked;

	snprintf(question, sizeof(question),
		 "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for%%' AND info LIKE '%s %%%s%%'",
		 statement, r->database);
	answer = mysql_query(r->sql, question) == 0 ? mysql_store_result(r->sql) : NULL;
	if (!answer)
		fprintf(stderr, "no list of processes: %s\n", mysql_error(r->sql));
	row = answer ? mysql_fetch_row(answer) : NULL;
	blocked = row && row[0] && row[0][0] != '0';
	mysql_free_result(answer);
	return blocked;
}

static void await_blocked(rig *r, const char *statement)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;

	while (!is_blocked(r, statement)) {
		ck_assert_msg(tr_clock_mono_us() < end_us, "%s: no %s waits", r->server->variable, statement);
		rig_read(r, 5);
	}
}

typedef struct window {
	MYSQL *gate, *hold;
} window;

/* Stops in the window of a signal: the chunk's view is taken and its rows are here, and its second mark waits. */
static window read_into_window(rig *r, const char *id)
{
	window w = {rs_connect(r->address, r->database), rs_connect(r->address, r->database)};

	rs_sql(w.gate, "LOCK TABLES t WRITE");
	execute(r, id, "t", "");
	await_blocked(r, "SELECT");
	rs_sql(w.hold, "LOCK TABLES signals READ");
	rs_sql(w.gate, "UNLOCK TABLES");
	mysql_close(w.gate);
	await_blocked(r, "INSERT");
	return w;
}

static void leave_window(rig *r, window *w)
{
	mysql_close(w->hold);
	settle(r);
}

START_TEST(touched_rows_are_left_to_the_stream)
{
	rig r;
	window w;

	EACH_SERVER(r, "tr_inc_touched")
	{
		begin(&r, "CREATE TABLE t (id int PRIMARY KEY, v varchar(9));"
			  "INSERT INTO t VALUES (1,'old'),(2,'old'),(3,'old'),(4,'old'),(5,'old'),(6,'old')", 10);
		w = read_into_window(&r, "one");
		sql(&r, "UPDATE t SET v = 'new' WHERE id = 1; DELETE FROM t WHERE id = 2; UPDATE t SET id = 30 WHERE id = 3;"
			"INSERT INTO t VALUES (7, 'late')");
		leave_window(&r, &w);
		ck_assert_uint_eq(count(&r, "r plain"), 3);
		ck_assert_uint_eq(count(&r, "t (4,old)") + count(&r, "t (5,old)") + count(&r, "t (6,old)"), 3);
		ck_assert_uint_lt(place(&r, "t (7,late)"), place(&r, "t (4,old)"));
		rig_forget(&r);
		w = read_into_window(&r, "two");
		sql(&r, "TRUNCATE TABLE t; INSERT INTO t VALUES (8, 'again')");
		leave_window(&r, &w);
		ck_assert_uint_eq(count(&r, "old"), 0);
		ck_assert_uint_eq(count(&r, "c tr_inc_touched.t (8,again)"), 1);
		rig_release(&r);
	}
}
END_TEST

/* A row that was changed in the window is told by its key's bytes: none that was comes as it was, none that was not is lost. */
START_TEST(touched_keys_of_all_kinds)
{
	rig r;
	window w;

	EACH_SERVER(r, "tr_inc_kinds")
	{
		begin(&r, "", 100);
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			char id[20];

			if (!make_kind(&r, &kinds[i]))
				continue;
			snprintf(id, sizeof(id), "kind %zu", i);
			settle(&r); /* a lock must not stand before the stream's own questions about new tables */
			w = read_into_window(&r, id);
			sql(&r, "UPDATE t SET v = v + 1000 WHERE v %% 3 = 1; DELETE FROM t WHERE v %% 3 = 2 AND v < 1000");
			leave_window(&r, &w);
			for (int n = 1; n <= KIND_ROWS; n++) {
				char end[16];

				snprintf(end, sizeof(end), ",%d)", n);
				size_t lines = 0;
				for (size_t k = 0; k < r.count; k++) {
					size_t len = strlen(r.lines[k]);

					lines += strncmp(r.lines[k], "r plain", 7) == 0 &&
						 strcmp(r.lines[k] + len - strlen(end), end) == 0;
				}
				ck_assert_msg(lines == (n % 3 == 0), "%s, %s: row %d came %zu times", r.server->variable,
					      kinds[i].columns, n, lines);
			}
			rig_forget(&r);
		}
		rig_release(&r);
	}
}
END_TEST

/* Another case of the same name: the old row is left out, the new one is the stream's. */
START_TEST(keys_that_are_equal_by_collation)
{
	rig r;
	window w;

	EACH_SERVER(r, "tr_inc_case")
	{
		begin(&r, "CREATE TABLE t (k varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, v int);"
			  "INSERT INTO t VALUES ('anna', 1), ('Berta', 2), ('cäsar', 3), ('dora', 4)", 10);
		w = read_into_window(&r, "one");
		sql(&r, "UPDATE t SET k = 'ANNA' WHERE k = 'anna'; DELETE FROM t WHERE k = 'BERTA'; INSERT INTO t VALUES ('berta', 5);"
			"UPDATE t SET v = 6 WHERE k = 'CASAR'");
		leave_window(&r, &w);
		ck_assert_uint_eq(count(&r, "r plain"), 1);
		ck_assert_uint_eq(count(&r, "t (dora,4)"), 1);
		rig_release(&r);
	}
}
END_TEST

/* The old row tells its key in every image, also where the new one does not. */
START_TEST(minimal_row_images)
{
	rig r;
	window w;

	EACH_SERVER(r, "tr_inc_minimal")
	{
		begin(&r, "CREATE TABLE t (a int, b int, v int, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1,1,0),(2,2,0),(3,3,0),(4,4,0)", 10);
		w = read_into_window(&r, "one");
		sql(&r, "SET SESSION binlog_row_image = 'MINIMAL'; UPDATE t SET v = 9 WHERE a = 1; UPDATE t SET b = 9 WHERE a = 2;"
			"DELETE FROM t WHERE a = 3");
		leave_window(&r, &w);
		ck_assert_uint_eq(count(&r, "r plain"), 1);
		ck_assert_uint_eq(count(&r, "t (4,4,0)"), 1);
		rig_release(&r);
	}
}
END_TEST

START_TEST(a_changed_table_is_read_again)
{
	rig r;
	window w;

	EACH_SERVER(r, "tr_inc_ddl")
	{
		begin(&r, "CREATE TABLE t (id int PRIMARY KEY, v varchar(9)); INSERT INTO t VALUES (1, 'a'), (2, 'b')", 10);
		w = read_into_window(&r, "one");
		sql(&r, "ALTER TABLE t ADD COLUMN n int DEFAULT 7; INSERT INTO t VALUES (3, 'c', 8)");
		leave_window(&r, &w);
		ck_assert_uint_ge(count(&r, "snapshot-window-close"), 2);
		ck_assert_uint_eq(count(&r, "r plain"), 3); /* nothing was emitted yet, so the greatest key is a new one */
		ck_assert_uint_eq(count(&r, "r plain tr_inc_ddl.t (1,a,7)"), 1);
		rig_forget(&r);
		w = read_into_window(&r, "two");
		sql(&r, "DROP TABLE t");
		leave_window(&r, &w);
		ck_assert_uint_eq(count(&r, "r plain"), 0);
		rig_release(&r);
	}
}
END_TEST

/* --- visibility -------------------------------------------------------------------------------- */

/* As long as a server lists an XA transaction whose end was streamed, it does not show its rows for sure. */
START_TEST(a_chunk_waits_for_the_end_of_xa)
{
	rig r;

	EACH_SERVER(r, "tr_inc_xa")
	{
		MYSQL *xa = rs_connect(r.address, r.database);

		begin(&r, "CREATE TABLE t (id int PRIMARY KEY)", 10);
		rs_sql(xa, "XA START 'tr_inc'; INSERT INTO t VALUES (1); XA END 'tr_inc'; XA PREPARE 'tr_inc'; XA COMMIT 'tr_inc'");
		read_until(&r, "c tr_inc_xa.t (1)", 1);
		/* The same name again: as if the first were not over. */
		rs_sql(xa, "XA START 'tr_inc'; INSERT INTO t VALUES (2); XA END 'tr_inc'; XA PREPARE 'tr_inc'");
		execute(&r, "one", "t", "");
		read_until(&r, "snapshot-window-open,{", 1);
		for (int i = 0; i < 50; i++)
			rig_read(&r, 20);
		ck_assert_uint_eq(count(&r, "r plain"), 0);
		rs_sql(xa, "XA COMMIT 'tr_inc'");
		settle(&r);
		ck_assert_uint_ge(count(&r, "r plain"), 1);
		mysql_close(xa);
		rig_release(&r);
	}
}
END_TEST

/* --- signals and progress ---------------------------------------------------------------------- */

START_TEST(conditions_choose_rows)
{
	rig r;

	EACH_SERVER(r, "tr_inc_filter")
	{
		begin(&r, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9)", 3);
		execute(&r, "one", "t", ", \"additional-conditions\": [{\"data-collection\": \"tr_inc_filter.t\", \"filter\": \"id % 2 = 0 -- even\"}]");
		settle(&r);
		ck_assert_uint_eq(count(&r, "r plain"), 4);
		rig_forget(&r);
		/* A condition is one expression: it cannot end the statement and begin another. */
		execute(&r, "two", "t", ", \"additional-condition\": \"TRUE); DROP TABLE t; SELECT (1\"");
		settle(&r);
		ck_assert_uint_eq(count(&r, "r plain"), 0);
		ck_assert_str_eq(rs_value(r.sql, "SELECT COUNT(*) FROM t"), "9");
		ck_assert_uint_eq(state(&r)->progress.count, 0);
		rig_release(&r);
	}
}
END_TEST

START_TEST(what_cannot_be_done_is_left)
{
	static const char *const bad[] = {"{\"data-collections\": [\"tr_inc_bad.t\"], \"type\": \"blocking\"}",
					  "{\"data-collections\": [\"tr_inc_bad.none\"]}", "{\"data-collections\": [\"(\"]}",
					  "{\"data-collections\": [\"tr_inc_bad.keyless\"]}", "{}", "[]", "{", ""};
	rig r;

	EACH_SERVER(r, "tr_inc_bad")
	{
		begin(&r, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); CREATE TABLE keyless (id int UNIQUE);"
			  "INSERT INTO keyless VALUES (1); CREATE TABLE u (id int NOT NULL UNIQUE); INSERT INTO u VALUES (1)", 4);
		for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
			sql(&r, "INSERT INTO signals VALUES ('b%zu', 'execute-snapshot', '%s')", i, bad[i]);
		sql(&r, "INSERT INTO signals VALUES ('x', 'unknown', NULL), ('y', 'stop-snapshot', NULL), ('z', 'pause-snapshot', '{}'),"
			"('l', 'log', '{\"message\": \"at {}\"}')");
		settle(&r);
		ck_assert_uint_eq(count(&r, "r plain"), 0);
		ck_assert_uint_eq(state(&r)->progress.count, 0);
		execute(&r, "unique", "u", "");
		settle(&r);
		ck_assert_uint_eq(count(&r, "r plain tr_inc_bad.u (1)"), 1);
		rig_release(&r);
	}
}
END_TEST

START_TEST(progress_survives_a_crash)
{
	rig r;

	EACH_SERVER(r, "tr_inc_crash")
	{
		char *position, *identity;
		size_t before;

		begin(&r, "CREATE TABLE t (id varchar(20) PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY);"
			  "INSERT INTO t WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 50)"
			  " SELECT CONCAT(ELT(1 + n % 3, 'A', 'b', 'C'), n) FROM g; INSERT INTO u VALUES (1)", 10);
		execute(&r, "one", "[tu]", "");
		read_until(&r, "r plain", 20);
		before = count(&r, "r plain");
		position = rig_position(&r);
		identity = strdup(rig_identity(&r));
		ck_assert_ptr_nonnull(strstr(position, "\"incremental\":{\"tables\":[{\"schema\":\"tr_inc_crash\",\"table\":\"t\"}"));
		ck_assert_int_eq(r.source->ops->compare(tr_slice_str(position), tr_slice_str(position)), 0);
		rig_close(&r);
		rig_forget(&r);
		rig_start(&r, position, identity);
		settle(&r);
		/* The chunks before the position are not read again, the one that was under way is. */
		ck_assert_uint_eq(count(&r, "r plain tr_inc_crash.t"), 50 - before);
		ck_assert_uint_eq(count(&r, "r plain tr_inc_crash.u"), 1);
		rig_close(&r);
		/* Another key: what was done belongs to an order that is no more. */
		rig_forget(&r);
		sql(&r, "ALTER TABLE t MODIFY id varchar(20) CHARACTER SET latin1 COLLATE latin1_bin");
		rig_start(&r, position, identity);
		settle(&r);
		ck_assert_uint_eq(count(&r, "r plain tr_inc_crash.t"), 50);
		free(position);
		free(identity);
		rig_release(&r);
	}
}
END_TEST

START_TEST(pause_resume_stop)
{
	rig r;

	EACH_SERVER(r, "tr_inc_pause")
	{
		char *position;
		size_t paused;

		begin(&r, "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1),(2),(3);"
			  "INSERT INTO t WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 200) SELECT n FROM g", 1);
		execute(&r, "one", "(t|u)", "");
		read_until(&r, "r plain", 5);
		sql(&r, "INSERT INTO signals VALUES ('p', 'pause-snapshot', '{}')");
		settle(&r);
		paused = count(&r, "r plain");
		ck_assert_uint_lt(paused, 203);
		position = rig_position(&r);
		ck_assert_ptr_nonnull(strstr(position, "\"paused\":true"));
		free(position);
		rig_read(&r, 200);
		ck_assert_uint_eq(count(&r, "r plain"), paused);
		sql(&r, "INSERT INTO signals VALUES ('s', 'stop-snapshot', '{\"data-collections\": [\"tr_inc_pause.t\"]}');"
			"INSERT INTO signals VALUES ('r', 'resume-snapshot', NULL)");
		settle(&r);
		ck_assert_uint_eq(count(&r, "r plain tr_inc_pause.u"), 3);
		ck_assert_uint_eq(count(&r, "r plain tr_inc_pause.t"), paused);
		/* Stopped while its thread waits for a lock. */
		rig_forget(&r);
		MYSQL *gate = rs_connect(r.address, r.database);
		rs_sql(gate, "LOCK TABLES t WRITE");
		execute(&r, "two", "t", "");
		await_blocked(&r, "SELECT");
		sql(&r, "INSERT INTO signals VALUES ('s2', 'stop-snapshot', NULL)");
		settle(&r);
		mysql_close(gate);
		ck_assert_uint_eq(count(&r, "r plain"), 0);
		rig_release(&r);
	}
}
END_TEST

START_TEST(missing_rights_wait_and_are_named)
{
	rig r;
	char url[300];

	EACH_SERVER(r, "tr_inc_rights")
	{
		snprintf(url, sizeof(url), "%s://tr_inc_weak@%s/", r.server->mariadb ? "mariadb" : "mysql", r.address);
		sql(&r, "SET sql_log_bin = 0; DROP USER IF EXISTS tr_inc_weak; CREATE USER tr_inc_weak;"
			"GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO tr_inc_weak; SET sql_log_bin = 1");
		r.options.url = url;
		sql(&r, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1); SET sql_log_bin = 0;"
			"GRANT SELECT ON tr_inc_rights.* TO tr_inc_weak; SET sql_log_bin = 1");
		begin(&r, "", 10);
		execute(&r, "one", "t", "");
		for (int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US; state(&r)->failures == 0 && tr_clock_mono_us() < end_us;)
			rig_read(&r, 20);
		ck_assert_uint_eq(state(&r)->failures, 1);
		ck_assert_uint_eq(state(&r)->progress.count, 1);
		sql(&r, "SET sql_log_bin = 0; GRANT INSERT ON tr_inc_rights.signals TO tr_inc_weak; SET sql_log_bin = 1");
		read_until(&r, "r plain tr_inc_rights.t (1)", 1);
		rig_close(&r);
		sql(&r, "SET sql_log_bin = 0; DROP USER tr_inc_weak; SET sql_log_bin = 1");
		rig_release(&r);
	}
}
END_TEST

/* --- a server of its own ----------------------------------------------------------------------- */

/* Without GTIDs the order of commits is what proves that the view is good. */
START_TEST(without_gtids)
{
	rig_own own;
	rig r;

	if (!rig_own_start(&own, &rs_servers[0], "gtid-mode=OFF enforce-gtid-consistency=OFF"))
		return;
	ck_assert(rig_init(&r, &own.server, "tr_inc_file"));
	begin(&r, "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1),(2),(3)", 2);
	execute(&r, "one", "t", "");
	settle(&r);
	ck_assert_uint_eq(count(&r, "r plain"), 3);
	rig_forget(&r);
	sql(&r, "SET GLOBAL binlog_order_commits = OFF");
	execute(&r, "two", "t", "");
	for (int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US; state(&r)->failures == 0 && tr_clock_mono_us() < end_us;)
		rig_read(&r, 20);
	ck_assert_uint_eq(count(&r, "r plain"), 0);
	sql(&r, "SET GLOBAL binlog_order_commits = ON");
	read_until(&r, "r plain", 3);
	rig_release(&r);
	rig_own_remove(&own);
}
END_TEST

TEST_MAIN("capture_mysql.incremental", rows_come_in_chunks_between_marks, keys_are_compared_by_the_server,
	  touched_rows_are_left_to_the_stream, touched_keys_of_all_kinds, keys_that_are_equal_by_collation, minimal_row_images,
	  a_changed_table_is_read_again, a_chunk_waits_for_the_end_of_xa, conditions_choose_rows, what_cannot_be_done_is_left,
	  progress_survives_a_crash, pause_resume_stop, missing_rights_wait_and_are_named, without_gtids)
