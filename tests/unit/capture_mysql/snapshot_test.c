/*
 * The snapshot joins the log without gap or overlap: while sessions write all the time, a snapshot is taken, then the stream
 * goes on from its point. Each event has to fit what was told before it: an insert a row that is not there, the old row of
 * an update or delete the row as it is. What comes out in the end is the table.
 */
#include "tests/unit/capture_mysql/rig.h"

#define IDS_MAX  200000
#define WRITERS  3
#define ABSENT_V INT64_MIN

/* What a reader of the events knows. */
typedef struct mirror {
	tr_listener base; /* first */
	pthread_mutex_t lock;
	rig *r;
	int64_t *v[2]; /* tables a and b, by id; ABSENT_V = no row */
	size_t rows, changes, first, last, last_in_table, first_in_table, tables;
	bool lenient; /* rows of the snapshot only */
	int64_t marker;
} mirror;

static mirror *mirror_of(tr_listener *l)
{
	return (mirror *)(void *)l;
}

static int64_t number(const tr_table *t, size_t column, const tr_datum *row)
{
	const tr_column *c = &t->columns[column];
	tr_value v = {0};
	tr_err err = {0};

	ck_assert_int_ne(row[column].form, TR_D_NULL);
	ck_assert_msg(c->decode(c->decode_arg, row[column], NULL, &v, &err) == 0, "%s", err.text);
	return v.i;
}

static void mirror_row(mirror *m, const tr_change *c)
{
	int64_t *v = m->v[strcmp(c->table->name, "b") == 0];
	const tr_datum *row = c->after ? c->after : c->before;
	int64_t id = number(c->table, 0, row);

	ck_assert_int_lt(id, IDS_MAX);
	if (c->op == TR_OP_READ || c->op == TR_OP_CREATE)
		ck_assert_msg(v[id] == ABSENT_V, "%c of row %s %lld, which is there already", c->op, c->table->name, (long long)id);
	else
		ck_assert_msg(v[id] == number(c->table, 1, c->before), "%c of row %s %lld, which is not as it was", c->op,
			      c->table->name, (long long)id);
	v[id] = c->op == TR_OP_DELETE ? ABSENT_V : number(c->table, 1, c->after);
}

static tr_listen mirror_change(tr_listener *l, const tr_change *c, tr_err *err)
{
	mirror *m = mirror_of(l);

	(void)err;
	if (c->op == TR_OP_SCHEMA)
		return TR_LISTEN_OK;
	pthread_mutex_lock(&m->lock);
	m->first += c->mark == TR_MARK_FIRST;
	m->last += c->mark == TR_MARK_LAST;
	m->first_in_table += c->mark == TR_MARK_FIRST_IN_TABLE;
	m->last_in_table += c->mark == TR_MARK_LAST_IN_TABLE;
	if (strcmp(c->table->name, "marker") == 0)
		m->marker = number(c->table, 0, c->after);
	else
		mirror_row(m, c);
	m->rows += c->op == TR_OP_READ;
	m->changes += c->op != TR_OP_READ;
	pthread_mutex_unlock(&m->lock);
	return TR_LISTEN_OK;
}

static tr_listen mirror_ready(tr_listener *l)
{
	(void)l;
	return TR_LISTEN_OK;
}

static tr_listen mirror_edge(tr_listener *l, tr_slice id, int64_t commit_us, tr_err *err)
{
	(void)l;
	(void)id;
	(void)commit_us;
	(void)err;
	return TR_LISTEN_OK;
}

static tr_listen mirror_idle(tr_listener *l, tr_err *err)
{
	(void)l;
	(void)err;
	return TR_LISTEN_OK;
}

static tr_listen mirror_progress(tr_listener *l, const tr_table *table, uint64_t rows, bool done, tr_err *err)
{
	(void)table;
	(void)rows;
	(void)err;
	mirror_of(l)->tables += done;
	return TR_LISTEN_OK;
}

/* All readers tell the same one. */
static tr_listener *host_listener(void *context, unsigned reader, tr_err *err)
{
	(void)reader;
	(void)err;
	return context;
}

static void host_release(void *context, tr_listener *l)
{
	ck_assert_ptr_eq(context, l);
}

static void mirror_init(mirror *m, rig *r)
{
	*m = (mirror){.r = r};
	m->base = (tr_listener){.magic = TR_LISTENER_MAGIC,
				.ready = mirror_ready,
				.begin = mirror_edge,
				.change = mirror_change,
				.commit = mirror_edge,
				.idle = mirror_idle,
				.snapshot_progress = mirror_progress,
				.pause = mirror_idle,
				.catalogue = r->catalogue};
	pthread_mutex_init(&m->lock, NULL);
	for (int t = 0; t < 2; t++) {
		m->v[t] = malloc(IDS_MAX * sizeof(*m->v[t]));
		for (size_t i = 0; i < IDS_MAX; i++)
			m->v[t][i] = ABSENT_V;
	}
}

static void mirror_release(mirror *m)
{
	free(m->v[0]);
	free(m->v[1]);
	pthread_mutex_destroy(&m->lock);
}

static void take_snapshot(rig *r, mirror *m)
{
	const tr_snapshot_host host = {.context = &m->base, .listener = host_listener, .release = host_release};

	ck_assert(rig_prepare(r, "", ""));
	mirror_init(m, r);
	RIG_OK(r->source->ops->snapshot(r->source, &host, err));
}

/* --- writers ----------------------------------------------------------------------------------- */

typedef struct writer {
	pthread_t thread;
	const char *address, *database;
	unsigned number;
	unsigned pause_us; /* after each transaction */
	_Atomic(bool) *stop;
	_Atomic(unsigned) *done;
} writer;

static void *write_rows(void *arg)
{
	writer *w = arg;
	MYSQL *m = rs_connect(w->address, w->database);
	unsigned seed = w->number * 7919 + 1, own = 10000 + w->number * 50000, made = 0;
	char sql[400];

	while (!*w->stop && made < 49000) {
		unsigned id = own + made, other = 1 + (unsigned)rand_r(&seed) % 4000;

		switch (rand_r(&seed) % 5) {
		case 0:
			snprintf(sql, sizeof(sql), "INSERT INTO a VALUES (%u, %u, 'new')", id, id);
			made++;
			break;
		case 1:
			snprintf(sql, sizeof(sql), "UPDATE a SET v = v + 1 WHERE id = %u", other);
			break;
		case 2:
			snprintf(sql, sizeof(sql), "DELETE FROM a WHERE id = %u", other);
			break;
		case 3: /* two tables, one transaction */
			snprintf(sql, sizeof(sql),
				 "BEGIN; UPDATE a SET v = v - 7 WHERE id = %u; INSERT INTO b VALUES (%u, 7); COMMIT", other, id);
			made++;
			break;
		default:
			snprintf(sql, sizeof(sql), "BEGIN; UPDATE a SET v = 0 WHERE id = %u; ROLLBACK", other);
			break;
		}
		rs_sql(m, sql);
		++*w->done;
		usleep(w->pause_us);
	}
	mysql_close(m);
	mysql_thread_end();
	return NULL;
}

static void make_tables(rig *r)
{
	rs_sql(r->sql, "CREATE TABLE a (id INT PRIMARY KEY, v BIGINT NOT NULL, pad VARCHAR(300));"
		       "CREATE TABLE b (id INT PRIMARY KEY, v BIGINT NOT NULL);"
		       "CREATE TABLE empty_one (id INT PRIMARY KEY);"
		       "CREATE TABLE marker (id INT PRIMARY KEY)");
}

static void fill(rig *r)
{
	for (int part = 0; part < 4; part++) {
		char sql[64 << 10];
		size_t at = (size_t)snprintf(sql, sizeof(sql), "INSERT INTO a VALUES ");

		for (int i = 1; i <= 1000; i++)
			at += (size_t)snprintf(sql + at, sizeof(sql) - at, "%s(%d, %d, REPEAT('x', 250))", i > 1 ? "," : "",
					       part * 1000 + i, i);
		rs_sql(r->sql, sql);
	}
	rs_sql(r->sql, "ANALYZE TABLE a");
}

/* Reads until the stream has brought the marker. */
static void follow(rig *r, mirror *m, int marker)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;
	char sql[80];

	snprintf(sql, sizeof(sql), "INSERT INTO marker VALUES (%d)", marker);
	rs_sql(r->sql, sql);
	RIG_OK(r->source->ops->start(r->source, &m->base, err));
	while (m->marker != marker) {
		ck_assert_msg(tr_clock_mono_us() < end_us, "the marker never came");
		RIG_OK(r->source->ops->read(r->source, &m->base, 50, err));
	}
}

static void compare_table(rig *r, const mirror *m, const char *table, const int64_t *v)
{
	char sql[100];
	size_t count = 0, known = 0;
	MYSQL_ROW row;

	(void)m;
	snprintf(sql, sizeof(sql), "SELECT id, v FROM %s", table);
	ck_assert_int_eq(mysql_query(r->sql, sql), 0);
	MYSQL_RES *rows = mysql_store_result(r->sql);
	while ((row = mysql_fetch_row(rows))) {
		count++;
		ck_assert_msg(v[strtol(row[0], NULL, 10)] == strtoll(row[1], NULL, 10), "%s: row %s differs", table, row[0]);
	}
	mysql_free_result(rows);
	for (size_t i = 0; i < IDS_MAX; i++)
		known += v[i] != ABSENT_V;
	ck_assert_uint_eq(count, known);
}

static void one_round(rig *r, int round, unsigned count, unsigned pause_us)
{
	_Atomic(bool) stop = false;
	_Atomic(unsigned) done = 0;
	writer writers[WRITERS];
	mirror m;

	for (unsigned i = 0; i < count; i++) {
		writers[i] = (writer){.address = r->address, .database = r->database, .number = i, .pause_us = pause_us,
				      .stop = &stop, .done = &done};
		ck_assert_int_eq(pthread_create(&writers[i].thread, NULL, write_rows, &writers[i]), 0);
	}
	while (done < 20 * count)
		usleep(1000);
	take_snapshot(r, &m);
	unsigned until = done + 20 * count;
	while (done < until)
		usleep(1000);
	stop = true;
	for (unsigned i = 0; i < count; i++)
		pthread_join(writers[i].thread, NULL);
	follow(r, &m, round + 1);
	ck_assert_uint_eq(m.last, 1);
	ck_assert_uint_eq(m.first, 1);
	ck_assert_uint_gt(m.changes, 10);
	compare_table(r, &m, "a", m.v[0]);
	compare_table(r, &m, "b", m.v[1]);
	rig_close(r);
	mirror_release(&m);
	rs_sql(r->sql, "DELETE FROM a WHERE id > 4000; DELETE FROM b; DELETE FROM marker");
}

static void rounds(rig *r, int count, unsigned sessions, unsigned pause_us)
{
	r->options.snapshot_mode = TR_SNAPSHOT_INITIAL;
	r->options.snapshot_readers = 3;
	r->options.snapshot_split_bytes = 200000;
	for (int i = 0; i < count; i++)
		one_round(r, i, sessions, pause_us);
}

START_TEST(joins_the_log_under_load)
{
	rig r;

	EACH_SERVER(r, "t_snapshot_join")
	{
		make_tables(&r);
		fill(&r);
		rounds(&r, 2, WRITERS, 0);
		rig_release(&r);
	}
}
END_TEST

static void grant(rig *r, const char *user, const char *privilege)
{
	char sql[400];

	snprintf(sql, sizeof(sql), "CREATE USER %s@'%%'; GRANT %sSELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO %s@'%%'",
		 user, privilege, user);
	rs_sql(r->sql, sql);
	snprintf(r->url, sizeof(r->url), "mysql://%s@%s/", user, r->address);
}

/*
 * The time between a change's place in the log and its commit in the engine, made long: it is sent long before it can be
 * seen. Without the right to lock, the point has to be found between two transactions.
 */
START_TEST(a_change_is_in_the_log_before_it_is_visible)
{
	rig_own own;
	rig r;

	if (!rig_own_start(&own, &rs_servers[0], "binlog-group-commit-sync-delay=20000 sync-binlog=1"))
		return;
	ck_assert(rig_init(&r, &own.server, "t_snapshot_gap"));
	make_tables(&r);
	fill(&r);
	rounds(&r, 1, WRITERS, 0); /* by a lock: some transaction is always in between */
	grant(&r, "locks_nothing", "");
	rounds(&r, 3, 1, 15000);
	rig_release(&r);
	rig_own_remove(&own);
}
END_TEST

/* Without GTIDs only a lock gives a point: the global one, one of the tables, or none. */
START_TEST(without_gtids_a_lock_is_needed)
{
	static const struct {
		const char *user, *grant;
	} roles[] = {{"reloads", "RELOAD, "}, {"locks", "LOCK TABLES, "}, {"neither", ""}};
	rig_own own;
	rig r;

	if (!rig_own_start(&own, &rs_servers[0], "gtid-mode=OFF enforce-gtid-consistency=OFF"))
		return;
	ck_assert(rig_init(&r, &own.server, "t_snapshot_lock"));
	make_tables(&r);
	fill(&r);
	for (size_t i = 0; i < 3; i++) {
		bool snapshot;
		tr_err err = {0};
		mirror m;

		grant(&r, roles[i].user, roles[i].grant);
		if (i < 2) {
			rounds(&r, 1, WRITERS, 0);
			continue;
		}
		rig_open(&r);
		ck_assert_int_eq(r.source->ops->prepare(r.source, tr_slice_str(""), tr_slice_str(""), &snapshot, &err), 0);
		mirror_init(&m, &r);
		const tr_snapshot_host host = {.context = &m.base, .listener = host_listener, .release = host_release};
		ck_assert_int_eq(r.source->ops->snapshot(r.source, &host, &err), -1);
		ck_assert_int_eq(err.code, TR_E_SOURCE_PRIVILEGE);
		ck_assert_ptr_nonnull(strstr(err.hint, "GRANT RELOAD"));
		mirror_release(&m);
	}
	rig_release(&r);
	rig_own_remove(&own);
}
END_TEST

/* --- ranges ------------------------------------------------------------------------------------ */

typedef struct counter {
	tr_listener base; /* first */
	pthread_mutex_t lock;
	size_t rows, ranges;
} counter;

static tr_listen counter_change(tr_listener *l, const tr_change *c, tr_err *err)
{
	counter *k = (counter *)(void *)l;

	(void)err;
	pthread_mutex_lock(&k->lock);
	k->rows += c->op == TR_OP_READ;
	pthread_mutex_unlock(&k->lock);
	return TR_LISTEN_OK;
}

static tr_listen counter_progress(tr_listener *l, const tr_table *table, uint64_t rows, bool done, tr_err *err)
{
	counter *k = (counter *)(void *)l;

	(void)table;
	(void)rows;
	(void)err;
	pthread_mutex_lock(&k->lock);
	k->ranges += done;
	pthread_mutex_unlock(&k->lock);
	return TR_LISTEN_OK;
}

static const char *const key_types[] = {"BIGINT UNSIGNED", "DECIMAL(20,4)", "VARCHAR(40)", "VARBINARY(40)", "DATETIME(6)", "DOUBLE",
					"VARCHAR(40) COLLATE utf8mb4_bin", "VARCHAR(40) CHARACTER SET latin1"};
/* Of the row's number. Quotes, backslashes, case and accents among the texts. */
static const char *const key_values[] = {"18446744073709551615 - n * 1000", "n / 8 - 100", "CONCAT(IF(n % 2, 'a', 'Á\\\\'''), n)",
					 "UNHEX(LPAD(HEX(n * 7919), 8, '0'))", "'2000-01-01' + INTERVAL n * 1001 MICROSECOND", "n / 3",
					 "CONCAT(IF(n % 2, 'a', 'A'), n)", "CONCAT(IF(n % 2, 'é', 'E'), n)"};

static void count_keys(rig *r, size_t type)
{
	counter k = {0};
	char sql[1000];

	snprintf(sql, sizeof(sql),
		 "DROP TABLE IF EXISTS k; CREATE TABLE k (id %s, x INT, pad VARCHAR(300), PRIMARY KEY (id, x)) "
		 "DEFAULT CHARSET = utf8mb4; INSERT INTO k SELECT %s, n, REPEAT('x', 250) FROM numbers; ANALYZE TABLE k",
		 key_types[type], key_values[type]);
	rs_sql(r->sql, sql);
	rig_prepare(r, "", "");
	k.base = (tr_listener){.magic = TR_LISTENER_MAGIC,
			       .ready = mirror_ready,
			       .change = counter_change,
			       .snapshot_progress = counter_progress,
			       .pause = mirror_idle,
			       .catalogue = r->catalogue};
	pthread_mutex_init(&k.lock, NULL);
	const tr_snapshot_host host = {.context = &k.base, .listener = host_listener, .release = host_release};
	RIG_OK(r->source->ops->snapshot(r->source, &host, err));
	ck_assert_msg(k.rows == 3000, "%s: %zu rows", key_types[type], k.rows);
	if (strcmp(key_types[type], "DOUBLE") != 0)
		ck_assert_msg(k.ranges > 2, "%s: %zu ranges", key_types[type], k.ranges);
	else
		ck_assert_uint_eq(k.ranges, 1);
	rig_close(r);
	pthread_mutex_destroy(&k.lock);
}

START_TEST(ranges_are_the_whole_table)
{
	rig r;

	EACH_SERVER(r, "t_snapshot_keys")
	{
		rs_sql(r.sql, "CREATE TABLE digits (d INT); INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9);"
			      "CREATE TABLE numbers (n INT PRIMARY KEY); INSERT INTO numbers SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d"
			      " FROM digits a, digits b, digits c, digits e WHERE e.d < 3");
		r.tables[0] = "t_snapshot_keys.k";
		r.options.snapshot_mode = TR_SNAPSHOT_INITIAL;
		r.options.snapshot_split_bytes = 100000;
		r.options.snapshot_readers = 3;
		/* The texts are what servers differ in. */
		for (size_t i = r.server->mariadb ? 6 : 0; i < sizeof(key_types) / sizeof(*key_types); i++)
			count_keys(&r, i);
		rig_release(&r);
	}
}
END_TEST

/* --- trouble ----------------------------------------------------------------------------------- */

static tr_err snapshot_fails(rig *r, mirror *m)
{
	const tr_snapshot_host host = {.context = &m->base, .listener = host_listener, .release = host_release};
	tr_err err = {0};

	ck_assert(rig_prepare(r, "", ""));
	mirror_init(m, r);
	ck_assert_int_eq(r->source->ops->snapshot(r->source, &host, &err), -1);
	mirror_release(m);
	rig_close(r);
	return err;
}

/* Its rows are in the log before the point, and nowhere to be seen. */
START_TEST(a_prepared_xa_transaction_is_refused_by_name)
{
	rig r;

	EACH_SERVER(r, "t_snapshot_xa")
	{
		MYSQL *other = rs_connect(r.address, "t_snapshot_xa");
		mirror m;

		make_tables(&r);
		rs_sql(other, "XA START 'left_over'; INSERT INTO b VALUES (1, 1); XA END 'left_over'; XA PREPARE 'left_over'");
		r.options.snapshot_mode = TR_SNAPSHOT_INITIAL;
		tr_err err = snapshot_fails(&r, &m);
		ck_assert_int_eq(err.code, TR_E_SOURCE_SETTING);
		ck_assert_msg(strstr(err.text, "left_over") != NULL, "%s", err.text);
		rs_sql(other, "XA ROLLBACK 'left_over'");
		mysql_close(other);
		take_snapshot(&r, &m);
		mirror_release(&m);
		rig_release(&r);
	}
}
END_TEST

/* Changes the shape of the table that is read last as soon as the first row of the first one comes. */
static _Atomic(bool) altered;
static const char *alter_sql;

static tr_listen altering_change(tr_listener *l, const tr_change *c, tr_err *err)
{
	mirror *m = mirror_of(l);

	if (c->op == TR_OP_READ && !altered) {
		altered = true;
		rs_sql(m->r->sql, alter_sql);
	}
	return mirror_change(l, c, err);
}

START_TEST(ddl_in_between_makes_the_snapshot_anew)
{
	static const char *const ddl[] = {"ALTER TABLE b DROP COLUMN v, ADD COLUMN w INT", "DROP TABLE b",
					  "ALTER TABLE b ENGINE = InnoDB, FORCE", "ALTER TABLE b ADD COLUMN w INT",
					  "RENAME TABLE b TO x, c TO b", "TRUNCATE TABLE b"};
	rig r;

	EACH_SERVER(r, "t_snapshot_ddl")
	{
		r.options.snapshot_mode = TR_SNAPSHOT_INITIAL;
		r.options.snapshot_readers = 1;
		for (size_t i = 0; i < sizeof(ddl) / sizeof(*ddl); i++) {
			tr_err err = {0};
			mirror m;

			rs_sql(r.sql, "DROP TABLE IF EXISTS x, c, a, b, empty_one, marker");
			rs_sql(r.sql, "CREATE TABLE c (id INT PRIMARY KEY, v BIGINT NOT NULL)");
			/* Tables are told apart by the second in which they were made. */
			if (strncmp(ddl[i], "RENAME", 6) == 0)
				rs_sql(r.sql, "DO SLEEP(1.1)");
			make_tables(&r);
			rs_sql(r.sql, "INSERT INTO a VALUES (1, 1, ''), (2, 2, ''); INSERT INTO b VALUES (1, 1), (2, 2)");
			alter_sql = ddl[i];
			altered = false;
			ck_assert(rig_prepare(&r, "", ""));
			mirror_init(&m, &r);
			m.base.change = altering_change;
			const tr_snapshot_host host = {.context = &m.base, .listener = host_listener, .release = host_release};
			ck_assert_msg(r.source->ops->snapshot(r.source, &host, &err) == -1, "%s", ddl[i]);
			ck_assert_msg(err.code == TR_E_SNAPSHOT_FAILED, "%s: %s | %s", ddl[i], err.text, err.detail);
			ck_assert_int_eq(tr_err_reaction(err.code), TR_REACT_RETRY);
			mirror_release(&m);
			rig_close(&r);
		}
		rig_release(&r);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {joins_the_log_under_load, a_change_is_in_the_log_before_it_is_visible,
				      without_gtids_a_lock_is_needed, ranges_are_the_whole_table,
				      a_prepared_xa_transaction_is_refused_by_name, ddl_in_between_makes_the_snapshot_anew};

	rig_unused();
	(void)rig_read_lines;
	tr_log_setup(TR_LOG_AUTO, TR_LOG_WARN);
	return test_run("capture_mysql.snapshot", tests, sizeof(tests) / sizeof(tests[0]));
}
