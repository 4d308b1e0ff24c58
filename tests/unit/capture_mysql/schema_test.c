/* Schema change records as they are told: of a snapshot, and of each kind of DDL in the stream. */
#include "tests/unit/capture_mysql/rig.h"

/* "database|source.table|TYPE id [name TYPE length key...]|ddl" */
static tr_listen note_schema(tr_listener *l, const tr_change *c, tr_err *err)
{
	const tr_schema_change *s = c->schema;
	const tr_value *table = &c->source->fields[TR_SRC_OWN];
	char text[2000];
	size_t at;

	if (c->op != TR_OP_SCHEMA)
		return rig_change(l, c, err);
	at = (size_t)snprintf(text, sizeof(text), "%s|%.*s|%s %s", s->database, table->kind == TR_V_NULL ? 1 : (int)table->s.len,
			      table->kind == TR_V_NULL ? "~" : (const char *)table->s.ptr, s->type ? s->type : "-",
			      s->type ? s->id : "-");
	for (size_t i = 0; s->table && i < s->table->column_count; i++) {
		const tr_schema_column *k = &s->table->columns[i];

		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %s", i ? ", " : " [", k->name, k->type);
	}
	for (size_t i = 0; s->table && i < s->table->key_count; i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? "," : "] key ", s->table->key[i]);
	snprintf(text + at, sizeof(text) - at, "|%.*s", (int)s->ddl.len, (const char *)s->ddl.ptr);
	rig_say(rig_of(l), "%s", text);
	return TR_LISTEN_OK;
}

typedef struct step {
	const char *sql, *told[3];
} step;

static const step steps[] = {
    {"CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9))",
     {"@|t|CREATE \"@\".\"t\" [id INT, a VARCHAR] key id|CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(9))"}},
    {"/* why */ ALTER TABLE t ADD b INT AFTER id, ADD UNIQUE u (b) -- so",
     {"@|t|ALTER \"@\".\"t\" [id INT, b INT, a VARCHAR] key id|ALTER TABLE t ADD b INT AFTER id, ADD UNIQUE u (b)"}},
    {"CREATE INDEX i ON t (a)", {"@||- -|CREATE INDEX i ON t (a)"}},
    {"DROP INDEX i ON t", {"@||- -|DROP INDEX i ON t"}},
    {"CREATE UNIQUE INDEX no_key ON t (a)", {"@||- -|CREATE UNIQUE INDEX no_key ON t (a)"}},
    {"DROP INDEX no_key ON t", {"@||- -|DROP INDEX no_key ON t"}},
    {"CREATE TABLE IF NOT EXISTS fresh (a INT NOT NULL)",
     {"@|fresh|CREATE \"@\".\"fresh\" [a INT|CREATE TABLE IF NOT EXISTS fresh (a INT NOT NULL)"}},
    {"CREATE UNIQUE INDEX is_key ON fresh (a)",
     {"@|fresh|ALTER \"@\".\"fresh\" [a INT] key a|CREATE UNIQUE INDEX is_key ON fresh (a)"}},
    {"DROP TABLE fresh", {"@|fresh|DROP \"@\".\"fresh\"|DROP TABLE `@`.`fresh`"}},
    {"CREATE TABLE IF NOT EXISTS fresh (b INT)", {"@|fresh|CREATE \"@\".\"fresh\" [b INT|CREATE TABLE IF NOT EXISTS fresh (b INT)"}},
    {"DROP TABLE fresh", {"@|fresh|DROP \"@\".\"fresh\"|DROP TABLE `@`.`fresh`"}},
    {"TRUNCATE TABLE t", {"plain t @.t"}},
    {"CREATE VIEW v AS SELECT * FROM t", {NULL}},
    {"DROP VIEW v", {NULL}},
    {"CREATE TABLE `o``dd \"x\"` LIKE t",
     {"@|o`dd \"x\"|CREATE \"@\".\"o`dd \"\"x\"\"\" [id INT, b INT, a VARCHAR] key id|CREATE TABLE `o``dd \"x\"` LIKE t"}},
    {"RENAME TABLE t TO t2, `o``dd \"x\"` TO u",
     {"@|t2,u|ALTER \"@\".\"t2\" [id INT, b INT, a VARCHAR] key id|RENAME TABLE t TO t2",
      "@|t2,u|ALTER \"@\".\"u\" [id INT, b INT, a VARCHAR] key id|RENAME TABLE `o``dd \"x\"` TO u"}},
    {"RENAME TABLE t2 TO for_now, u TO t2, for_now TO u",
     {"@|t2,u,for_now|- -|RENAME TABLE t2 TO for_now",
      "@|t2,u,for_now|ALTER \"@\".\"t2\" [id INT, b INT, a VARCHAR] key id|RENAME TABLE u TO t2",
      "@|t2,u,for_now|ALTER \"@\".\"u\" [id INT, b INT, a VARCHAR] key id|RENAME TABLE for_now TO u"}},
    {"ALTER TABLE u DROP PRIMARY KEY, DROP a, RENAME TO w",
     {"@|w|ALTER \"@\".\"w\" [id INT, b INT|ALTER TABLE u DROP PRIMARY KEY, DROP a, RENAME TO w"}},
    {"DROP TABLE IF EXISTS t2, w, never CASCADE",
     {"@|t2,w,never|DROP \"@\".\"t2\"|DROP TABLE IF EXISTS `@`.`t2`", "@|t2,w,never|DROP \"@\".\"w\"|DROP TABLE IF EXISTS `@`.`w`",
      "@|t2,w,never|DROP \"@\".\"never\"|DROP TABLE IF EXISTS `@`.`never`"}},
    {"CREATE TABLE made AS SELECT 1 AS one", {"rows"}},
    {"ALTER DATABASE CHARACTER SET latin1", {"@||- -|ALTER DATABASE CHARACTER SET latin1"}},
    {"CREATE DATABASE IF NOT EXISTS t_schema", {"@|~|- -|CREATE DATABASE IF NOT EXISTS t_schema"}},
    {"CREATE TEMPORARY TABLE tmp (a INT)", {NULL}},
    {"CREATE TABLE other_db.x (a INT)", {NULL}},
    {"DROP TABLE other_db.x", {NULL}},
};

/* What comes until a row of `sync` does. */
static void told_until_sync(rig *r, int number)
{
	char sql[100], wanted[100];
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;

	snprintf(sql, sizeof(sql), "INSERT INTO sync VALUES (%d)", number);
	rs_sql(r->sql, sql);
	snprintf(wanted, sizeof(wanted), "c %s.sync (%d)", r->database, number);
	while (r->count < 3 || strcmp(r->lines[r->count - 2], wanted) != 0) {
		ck_assert_msg(tr_clock_mono_us() < end_us, "row %d never came", number);
		rig_read(r, 20);
	}
	for (size_t i = 0; i < 3; i++)
		free(r->lines[--r->count]);
}

static void expand(const char *text, const char *database, char *out, size_t cap)
{
	size_t at = 0;

	for (; *text && at + 80 < cap; text++)
		at += (size_t)(*text == '@' ? snprintf(out + at, cap - at, "%s", database) : snprintf(out + at, cap - at, "%c", *text));
	out[at] = '\0';
}

static void take_step(rig *r, const step *s, int number)
{
	size_t told = 0;

	rs_sql(r->sql, s->sql);
	told_until_sync(r, number);
	while (told < 3 && s->told[told])
		told++;
	/* The servers differ in what is a transaction of its own. */
	if (told == 1 && (strcmp(s->told[0], "rows") == 0 || strncmp(s->told[0], "plain", 5) == 0)) {
		ck_assert_uint_ge(r->count, 1);
		rig_forget(r);
		return;
	}
	ck_assert_msg(r->count == told, "%s: %s: %zu told, first %s", r->server->variable, s->sql, r->count,
		      r->count ? r->lines[0] : "none");
	for (size_t k = 0; k < told; k++) {
		char wanted[1000];

		expand(s->told[k], r->database, wanted, sizeof(wanted));
		ck_assert_msg(strncmp(r->lines[k], wanted, strlen(wanted)) == 0, "%s: told %s\nnot %s", r->server->variable,
			      r->lines[k], wanted);
	}
	rig_forget(r);
}

START_TEST(each_kind_of_ddl)
{
	/* A table that is there: known by its rows, and by its age. MariaDB's log has no statement that found nothing to do. */
	static const step kept[] = {{"CREATE TABLE IF NOT EXISTS sync (x INT)", {"@||- -|CREATE TABLE IF NOT EXISTS sync (x INT)"}},
				    {"CREATE TABLE IF NOT EXISTS older (y INT)", {"@||- -|CREATE TABLE IF NOT EXISTS older (y INT)"}}};
	static const step replaced[] = {{"CREATE OR REPLACE TABLE made (x INT)", {"@||- -|CREATE OR REPLACE TABLE made (x INT)"}},
					{"DROP TABLE made", {"@|made|DROP \"@\".\"made\"|DROP TABLE `@`.`made`"}}};
	const int count = (int)(sizeof(steps) / sizeof(*steps));
	rig r;

	EACH_SERVER(r, "t_schema")
	{
		rs_database(r.address, "other_db", NULL);
		/* What is older than a statement is told by seconds. */
		rs_sql(r.sql, "CREATE TABLE sync (n INT PRIMARY KEY); CREATE TABLE older (x INT); DO SLEEP(1.1)");
		rig_start(&r, NULL, NULL);
		r.base.change = note_schema;
		for (int i = 0; i < count; i++)
			take_step(&r, &steps[i], i);
		for (int i = 0; i < 2; i++)
			take_step(&r, r.server->mariadb ? &replaced[i] : &kept[i], count + i);
		rs_sql(r.sql, "DROP DATABASE other_db");
		rig_release(&r);
	}
}
END_TEST

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

static tr_listen no_progress(tr_listener *l, const tr_table *table, uint64_t rows, bool done, tr_err *err)
{
	(void)l;
	(void)table;
	(void)rows;
	(void)done;
	(void)err;
	return TR_LISTEN_OK;
}

START_TEST(the_beginning_of_a_snapshot)
{
	rig r;

	EACH_SERVER(r, "t_schema_first")
	{
		char ddl[200];

		rs_sql(r.sql, "CREATE TABLE b (id INT PRIMARY KEY) DEFAULT CHARSET = latin1; CREATE TABLE A (x INT, y BINARY(2) DEFAULT x'80ff');"
			      "CREATE TABLE left_out (x INT); CREATE VIEW v AS SELECT 1; INSERT INTO b VALUES (7)");
		r.options.snapshot_mode = TR_SNAPSHOT_INITIAL;
		r.options.table_exclude = "t_schema_first\\.left_out";
		ck_assert(rig_prepare(&r, "", ""));
		r.base.change = note_schema;
		r.base.snapshot_progress = no_progress;
		const tr_snapshot_host host = {.context = &r.base, .listener = host_listener, .release = host_release};
		RIG_OK(r.source->ops->snapshot(r.source, &host, err));
		snprintf(ddl, sizeof(ddl), "|~|- -|SET character_set_server=utf8mb4, collation_server=%.60s",
			 rs_value(r.sql, "SELECT @@collation_server"));
		ck_assert_str_eq(r.lines[0], ddl);
		static const char *const lines[] = {
		    "@|A|DROP \"@\".\"A\"|DROP TABLE IF EXISTS `@`.`A`", "@|b|DROP \"@\".\"b\"|DROP TABLE IF EXISTS `@`.`b`",
		    "@|~|- -|DROP DATABASE IF EXISTS `@`", "@|~|- -|CREATE DATABASE `@` CHARSET utf8mb4 COLLATE ",
		    "@|~|- -|USE `@`", "@|A|CREATE \"@\".\"A\" [x INT, y BINARY|CREATE TABLE `A` (", "@|b|CREATE \"@\".\"b\" [id INT] key id|CREATE TABLE `b` (",
		    "r plain @.b (7)"};
		ck_assert_uint_eq(r.count, 1 + sizeof(lines) / sizeof(*lines));
		for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++) {
			char wanted[1000];

			expand(lines[i], r.database, wanted, sizeof(wanted));
			ck_assert_msg(strncmp(r.lines[i + 1], wanted, strlen(wanted)) == 0, "%s: told %s\nnot %s", r.server->variable,
				      r.lines[i + 1], wanted);
			/* MariaDB shows the default of y as bytes. */
			ck_assert(tr_text_utf8_valid(tr_slice_str(r.lines[i + 1])));
		}
		rig_release(&r);
	}
}
END_TEST

static void make_snapshot(rig *r)
{
	const tr_snapshot_host host = {.context = &r->base, .listener = host_listener, .release = host_release};

	ck_assert(rig_prepare(r, "", ""));
	r->base.change = note_schema;
	r->base.snapshot_progress = no_progress;
	RIG_OK(r->source->ops->snapshot(r->source, &host, err));
}

static void make_four(rig *r)
{
	rs_sql(r->sql, "CREATE TABLE aa (id INT PRIMARY KEY); CREATE TABLE mm (id INT PRIMARY KEY); CREATE TABLE mx (id INT PRIMARY KEY);"
		       "CREATE TABLE zz (id INT PRIMARY KEY); INSERT INTO aa VALUES (1); INSERT INTO mm VALUES (1);"
		       "INSERT INTO mx VALUES (1); INSERT INTO zz VALUES (1)");
}

static void expect_last(const rig *r, size_t count, const char *const *lines)
{
	ck_assert_uint_ge(r->count, count);
	for (size_t i = 0; i < count; i++) {
		const char *line = r->lines[r->count - count + i];
		char wanted[1000];

		expand(lines[i], r->database, wanted, sizeof(wanted));
		ck_assert_msg(strncmp(line, wanted, strlen(wanted)) == 0, "%s: told %s\nnot %s", r->server->variable, line, wanted);
	}
}

/* Debezium's order: shapes by name; rows expression by expression as they are listed, by name within each. */
START_TEST(tables_follow_the_order_of_their_expressions)
{
	static const char *const lines[] = {"@|mx|CREATE", "@|zz|CREATE", "r plain @.zz", "r plain @.aa", "r plain @.mm", "r plain @.mx"};
	rig r;

	EACH_SERVER(r, "t_schema_order")
	{
		make_four(&r);
		r.options.snapshot_mode = TR_SNAPSHOT_INITIAL;
		r.options.snapshot_readers = 1;
		r.options.table_include = "t_schema_order.zz,t_schema_order.aa,t_schema_order.m.*";
		make_snapshot(&r);
		expect_last(&r, 6, lines);
		rig_release(&r);
	}
}
END_TEST

/* Debezium's no_data: the records of the tables' shapes, no row, and the stream from there on. */
START_TEST(no_data_tells_shapes_and_reads_no_rows)
{
	static const char *const lines[] = {"@|~|- -|USE `@`", "@|aa|CREATE", "@|mm|CREATE", "@|mx|CREATE", "@|zz|CREATE"};
	static const char *const inserted[] = {"begin", "c @.aa (2)", "commit"};
	rig r;

	EACH_SERVER(r, "t_schema_no_data")
	{
		make_four(&r);
		r.options.snapshot_mode = TR_SNAPSHOT_NO_DATA;
		make_snapshot(&r);
		ck_assert_uint_eq(r.count, 12);
		expect_last(&r, 5, lines);
		rig_forget(&r);
		rs_sql(r.sql, "INSERT INTO aa VALUES (2)");
		RIG_OK(r.source->ops->start(r.source, &r.base, err));
		rig_read_lines(&r, 3);
		expect_last(&r, 3, inserted);
		rig_release(&r);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {each_kind_of_ddl, the_beginning_of_a_snapshot, tables_follow_the_order_of_their_expressions,
				       no_data_tells_shapes_and_reads_no_rows};

	rig_unused();
	(void)rig_read_lines;
	tr_log_setup(TR_LOG_AUTO, TR_LOG_ERROR);
	return test_run("capture_mysql.schema", tests, sizeof(tests) / sizeof(tests[0]));
}
