/* What a table looked like when its row was written: with FULL metadata from the log, with MINIMAL only where it is proved. */
#include "tests/unit/capture_mysql/rig.h"

/* Stops at a place, lets `sql` happen, and goes on from there: the catalogue is newer than the log that is read. */
static void fall_behind(rig *r, const char *sql)
{
	char *position, *identity;

	rig_start(r, "", "");
	position = rig_position(r);
	identity = strdup(rig_identity(r));
	rig_close(r);
	rs_sql(r->sql, sql);
	rig_forget(r);
	rig_start(r, position, identity);
	free(position);
	free(identity);
}

/* Before each row the names of its columns, those of the key with a star. */
static tr_listen note_names(tr_listener *l, const tr_change *c, tr_err *err)
{
	char names[400] = "";
	size_t at = 0;

	for (size_t i = 0; c->table && i < c->table->column_count; i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s%s", i ? "," : "", c->table->columns[i].name,
				       c->table->columns[i].key_rank || (c->table->key_count && c->table->key[0]->index == i) ? "*"
															    : "");
	rig_say(rig_of(l), "n %s", names);
	return rig_change(l, c, err);
}

START_TEST(full_metadata_names_the_columns_of_then)
{
	rig r;

	EACH_SERVER(r, "t_catalog_full")
	{
		r.events.schema_changes = false;
		rs_sql(r.sql, "CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20), e ENUM('x','y'))");
		fall_behind(&r, "INSERT INTO t VALUES (1, 'one', 'y');"
				"ALTER TABLE t CHANGE a b VARCHAR(20) FIRST, CHANGE e e ENUM('p','y'), DROP PRIMARY KEY;"
				"ALTER TABLE t DROP COLUMN e; INSERT INTO t VALUES ('two', 2)");
		r.base.change = note_names;
		RIG_EXPECT(&r, "begin", "n id*,a,e", "c @.t (1,one,y)", "commit", "begin", "n b,id", "c @.t (two,2)", "commit");
		rig_release(&r);
	}
}
END_TEST

/* A unique index stands for a key only as long as it fits what the log says. */
START_TEST(unique_index_is_a_key)
{
	rig r;

	EACH_SERVER(r, "t_catalog_unique")
	{
		r.events.schema_changes = false;
		rs_sql(r.sql, "CREATE TABLE t (a INT, b INT NOT NULL, c INT NOT NULL, UNIQUE z (a), UNIQUE y (c), UNIQUE x (b))");
		rig_start(&r, "", "");
		r.base.change = note_names;
		rs_sql(r.sql, "INSERT INTO t VALUES (1, 2, 3)");
		RIG_EXPECT(&r, "begin", "n a,b,c*", "c @.t (1,2,3)", "commit");
		rs_sql(r.sql, "DROP INDEX y ON t; INSERT INTO t VALUES (2, 3, 4)");
		RIG_EXPECT(&r, "begin", "n a,b*,c", "c @.t (2,3,4)", "commit");
		rig_release(&r);
	}
}
END_TEST

/* --- MINIMAL ----------------------------------------------------------------------------------- */

static bool minimal(rig_own *own, rig *r, size_t server, const char *name)
{
	if (!rig_own_start(own, &rs_servers[server], "binlog-row-metadata=MINIMAL"))
		return false;
	ck_assert(rig_init(r, &own->server, name));
	r->events.schema_changes = false;
	return true;
}

static void refused(rig *r, const char *sql)
{
	char *position, *identity;
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;
	tr_err err = {0};

	rig_start(r, "", "");
	position = rig_position(r);
	identity = strdup(rig_identity(r));
	rig_close(r);
	rs_sql(r->sql, sql);
	rig_forget(r);
	rig_start(r, position, identity);
	while (r->source->ops->read(r->source, &r->base, 50, &err) == 0)
		ck_assert_msg(tr_clock_mono_us() < end_us, "%s: nothing failed", sql);
	ck_assert_msg(err.code == TR_E_SOURCE_SETTING, "%s: %s | %s", sql, err.text, err.detail);
	ck_assert_ptr_nonnull(strstr(err.hint, "binlog_row_metadata"));
	for (size_t i = 0; i < r->count; i++)
		ck_assert_ptr_null(strstr(r->lines[i], ".t ("));
	rig_close(r);
	rig_forget(r);
	free(position);
	free(identity);
}

/* One own server a kind: they take seconds to start. */
START_TEST(minimal_metadata_is_proved_or_refused)
{
	static const char *const ddl[] = {
	    "INSERT INTO t VALUES (1, 2, 'x'); ALTER TABLE t RENAME COLUMN a TO q, RENAME COLUMN b TO a",
	    "INSERT INTO t VALUES (2, 2, 'x'); RENAME TABLE t TO u, other TO t",
	    "INSERT INTO t VALUES (3, 2, 'x'); ALTER TABLE t ADD COLUMN z INT",
	    "INSERT INTO t VALUES (4, 2, 'x'); DROP TABLE t",
	    "INSERT INTO t VALUES (5, 2, 'x'); ALTER TABLE t MODIFY s ENUM('y', 'x')"};

	for (size_t server = 0; server < 2; server++) {
		rig_own own;
		rig r;

		if (!minimal(&own, &r, server, "t_minimal"))
			continue;
		rs_sql(r.sql, "CREATE TABLE t (a INT PRIMARY KEY, b INT, s ENUM('x','y')); CREATE TABLE v (i INT)");
		/* Live, with DDL that the stream meets in its place. */
		rig_start(&r, "", "");
		r.base.change = note_names;
		rs_sql(r.sql, "INSERT INTO t VALUES (1, 2, 'y')");
		RIG_EXPECT(&r, "begin", "n a*,b,s", "c @.t (1,2,y)", "commit");
		rs_sql(r.sql, "ALTER TABLE t RENAME COLUMN b TO c; INSERT INTO t VALUES (2, 3, 'x')");
		RIG_EXPECT(&r, "begin", "n a*,c,s", "c @.t (2,3,x)", "commit");
		rs_sql(r.sql, "ALTER TABLE t RENAME COLUMN c TO b");
		rig_close(&r);
		/* Behind: DDL of other tables does no harm. */
		r.base.change = rig_change;
		fall_behind(&r, "INSERT INTO t VALUES (3, 4, 'x'); ALTER TABLE v ADD COLUMN j INT; CREATE TABLE w (t INT);"
				"INSERT INTO v VALUES (1, 2)");
		RIG_EXPECT(&r, "begin", "c @.t (3,4,x)", "commit", "begin", "c @.v (1,2)", "commit");
		rig_close(&r);
		for (size_t i = 0; i < sizeof(ddl) / sizeof(*ddl); i++) {
			rs_sql(r.sql, "DROP TABLE IF EXISTS t, u, other; CREATE TABLE t (a INT PRIMARY KEY, b INT, s ENUM('x','y'));"
				      "CREATE TABLE other (b INT PRIMARY KEY, a INT, s ENUM('x','y'))");
			refused(&r, ddl[i]);
		}
		rig_release(&r);
		rig_own_remove(&own);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {full_metadata_names_the_columns_of_then, unique_index_is_a_key,
				      minimal_metadata_is_proved_or_refused};

	rig_unused();
	tr_log_setup(TR_LOG_AUTO, TR_LOG_ERROR);
	return test_run("capture_mysql.catalog", tests, sizeof(tests) / sizeof(tests[0]));
}
