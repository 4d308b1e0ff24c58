#include "tests/unit/capture_postgres/rig.h"

/* Findings as lines: "ERROR TR203 table public.t: what | why | fix". */
static void note(void *context, const tr_finding *f)
{
	static const char *const words[] = {"OK", "NOTE", "WARNING", "ERROR"};

	rig_say(context, "%s TR%d %s: %s | %s | %s", words[f->severity], f->code, f->subject, f->what, f->why, f->fix);
	if (f->severity >= TR_FINDING_WARNING) {
		ck_assert_msg(f->code != TR_OK, "%s", f->subject);
		ck_assert_msg(f->why[0] && f->fix[0], "%s: %s", f->subject, f->what);
	}
}

static void check(rig *r)
{
	rig_forget(r);
	if (!r->source)
		rig_open(r);
	RIG_OK(r->source->ops->check(r->source, note, r, err));
	rig_close(r);
}

static const char *found(const rig *r, const char *a, const char *b)
{
	for (size_t i = 0; i < r->count; i++)
		if (strstr(r->lines[i], a) && strstr(r->lines[i], b))
			return r->lines[i];
	return NULL;
}

#define FOUND(r, a, b)                                                                                                 \
	do {                                                                                                           \
		if (!found((r), (a), (b))) {                                                                           \
			for (size_t n = 0; n < (r)->count; n++)                                                        \
				printf("%s\n", (r)->lines[n]);                                                         \
			ck_abort_msg("nothing found with '%s' and '%s'", (a), (b));                                    \
		}                                                                                                      \
	} while (0)

static size_t errors(const rig *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->count; i++)
		n += strncmp(r->lines[i], "ERROR", 5) == 0;
	return n;
}

START_TEST(all_is_well)
{
	rig r;

	rig_init(&r, "check_well");
	rig_sql(&r, "CREATE TABLE t (id int PRIMARY KEY)");
	check(&r);
	ck_assert_uint_eq(errors(&r), 0);
	FOUND(&r, "OK TR0 setting wal_level", "logical");
	FOUND(&r, "OK TR0 tables", "1 match");
	FOUND(&r, "OK TR0 slot tailrace_check_well", "makes it");
	FOUND(&r, "OK TR0 publication tailrace_check_well", "makes it");
	FOUND(&r, "OK TR0 database encoding", "UTF8");
	ck_assert_str_eq(rig_value(&r, "SELECT count(*) FROM pg_replication_slots"), "0");
	rig_begin_streaming(&r);
	rig_read(&r, 50);
	rig_close(&r);
	check(&r);
	ck_assert_uint_eq(errors(&r), 0);
	FOUND(&r, "OK TR0 publication tailrace_check_well", "covers all 1");
	rig_release_all(&r);
}
END_TEST

START_TEST(missing_privileges_come_with_their_grants)
{
	rig r;

	rig_init(&r, "check_grants");
	rig_sql(&r, "CREATE ROLE poor LOGIN; CREATE SCHEMA inv; CREATE TABLE inv.t (id int PRIMARY KEY); CREATE TABLE "
		    "u (id int PRIMARY KEY);"
		    "CREATE TABLE hidden (id int PRIMARY KEY); ALTER TABLE hidden ENABLE ROW LEVEL SECURITY; GRANT "
		    "SELECT ON hidden TO poor");
	snprintf(r.url, sizeof(r.url), "postgres://poor@127.0.0.1:%d/check_grants", rig_port);
	check(&r);
	FOUND(&r, "ERROR TR203 replication login", "ALTER ROLE \"poor\" REPLICATION;");
	FOUND(&r, "ERROR TR203 table inv.t", "GRANT USAGE ON SCHEMA \"inv\" TO \"poor\"; GRANT SELECT");
	FOUND(&r, "ERROR TR203 table public.u", "GRANT SELECT ON TABLE \"public\".\"u\" TO \"poor\";");
	FOUND(&r, "ERROR TR203 table public.hidden", "BYPASSRLS");
	FOUND(&r, "ERROR TR203 publication",
	      "CREATE PUBLICATION \"tailrace_check_grants\" FOR TABLE ONLY \"inv\".\"t\", ONLY");
	/* and run says the same */
	tr_err failure = rig_prepare_fails(&r, NULL, NULL);
	ck_assert_int_eq(failure.code, TR_E_SOURCE_PRIVILEGE);
	rig_close(&r);
	rig_sql(&r, "ALTER ROLE poor REPLICATION BYPASSRLS; GRANT USAGE ON SCHEMA inv TO poor; GRANT SELECT ON ALL "
		    "TABLES IN SCHEMA inv,"
		    " public TO poor");
	failure = rig_prepare_fails(&r, NULL, NULL);
	ck_assert_int_eq(failure.code, TR_E_SOURCE_PRIVILEGE);
	ck_assert_ptr_nonnull(strstr(failure.hint, "CREATE PUBLICATION"));
	rig_close(&r);
	rig_sql(&r, "CREATE PUBLICATION tailrace_check_grants FOR TABLE inv.t, u, hidden");
	check(&r);
	ck_assert_uint_eq(errors(&r), 0);
	ck_assert(rig_prepare(&r, NULL, NULL));
	rig_release_all(&r);
}
END_TEST

START_TEST(tables_that_need_attention)
{
	rig r;

	rig_init(&r, "check_tables");
	rig_sql(&r, "CREATE TABLE no_key (a int); CREATE TABLE nothing (id int PRIMARY KEY); ALTER TABLE nothing "
		    "REPLICA IDENTITY NOTHING;"
		    "CREATE UNLOGGED TABLE fast (id int PRIMARY KEY); CREATE TABLE p (id int) PARTITION BY LIST (id);"
		    "CREATE TABLE q1 PARTITION OF p FOR VALUES IN (1)");
	r.tables[0] = "!public.q1";
	r.options.tables = r.tables;
	r.options.table_count = 1;
	check(&r);
	FOUND(&r, "WARNING TR204 table public.no_key", "ALTER TABLE \"public\".\"no_key\" REPLICA IDENTITY FULL;");
	FOUND(&r, "WARNING TR204 table public.nothing", "REPLICA IDENTITY DEFAULT;");
	FOUND(&r, "WARNING TR216 table public.fast", "SET LOGGED");
	FOUND(&r, "WARNING TR216 table public.p:", "publish_via_root");
	r.tables[0] = "nowhere.*";
	check(&r);
	FOUND(&r, "ERROR TR217 tables", "nowhere.*");
	tr_err failure = rig_prepare_fails(&r, NULL, NULL);
	ck_assert_int_eq(failure.code, TR_E_TABLE_MISSING);
	ck_assert_ptr_nonnull(strstr(failure.detail, "nowhere.*"));
	rig_release_all(&r);
}
END_TEST

START_TEST(publications_that_do_not_fit)
{
	rig r;

	rig_init(&r, "check_pub");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (id int PRIMARY KEY)");
	r.options.create = false;
	check(&r);
	FOUND(&r, "ERROR TR215 publication",
	      "CREATE PUBLICATION \"tailrace_check_pub\" FOR TABLE ONLY \"public\".\"a\", ONLY \"public\".\"b\";");
	FOUND(&r, "ERROR TR210 slot", "pg_create_logical_replication_slot('tailrace_check_pub', 'pgoutput')");
	rig_sql(&r, "SELECT pg_create_logical_replication_slot('tailrace_check_pub', 'pgoutput')");
	tr_err failure = rig_prepare_fails(&r, NULL, NULL);
	ck_assert_int_eq(failure.code, TR_E_PUBLICATION_MISSING);
	ck_assert_ptr_nonnull(strstr(failure.hint, "CREATE PUBLICATION"));
	rig_sql(&r, "CREATE PUBLICATION tailrace_check_pub FOR TABLE a WITH (publish = 'insert', "
		    "publish_via_partition_root = true)");
	check(&r);
	FOUND(&r, "ERROR TR216 publication",
	      "ALTER PUBLICATION \"tailrace_check_pub\" ADD TABLE ONLY \"public\".\"b\";");
	FOUND(&r, "WARNING TR216 publication", "leaves out update delete truncate");
	FOUND(&r, "WARNING TR216 publication", "publish_via_partition_root = false");
	r.options.create = true; /* still: it is the operator's publication, so it is not touched */
	rig_drop_slot(&r);
	failure = rig_prepare_fails(&r, NULL, NULL);
	ck_assert_int_eq(failure.code, TR_E_PUBLICATION_TABLES);
	ck_assert_ptr_nonnull(strstr(failure.hint, "ADD TABLE ONLY \"public\".\"b\""));
	rig_release_all(&r);
}
END_TEST

START_TEST(a_publication_of_ours_grows)
{
	rig r;
	char position[512], identity[512];

	rig_init(&r, "check_grow");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY)");
	rig_begin_streaming(&r);
	snprintf(position, sizeof(position), "%s", rig_position(&r));
	snprintf(identity, sizeof(identity), "%s", rig_identity(&r));
	rig_close(&r);
	rig_sql(&r, "CREATE TABLE b (id int PRIMARY KEY)");
	check(&r);
	FOUND(&r, "OK TR0 publication", "the next run adds 1 tables");
	ck_assert(!rig_prepare(&r, position, identity));
	ck_assert_str_eq(rig_value(&r, "SELECT count(*) FROM pg_publication_tables"), "2");
	rig_release_all(&r);
}
END_TEST

START_TEST(slots_in_every_state)
{
	rig r;

	rig_init(&r, "check_slot");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY)");
	rig_sql(&r, "SELECT pg_create_logical_replication_slot('tailrace_check_slot', 'test_decoding')");
	r.options.failover = true;
	check(&r);
	FOUND(&r, "ERROR TR213 slot tailrace_check_slot", "test_decoding");
	if (rig_major() < 17)
		FOUND(&r, "WARNING TR204 slot", "before PostgreSQL 17");
	rig_release_all(&r);
}
END_TEST

static tr_err connect_error(rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static tr_err connect_error(rig *r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->url, sizeof(r->url), format, args);
	va_end(args);
	tr_err err = rig_prepare_fails(r, NULL, NULL), again = {0};
	ck_assert_int_eq(r->source->ops->check(r->source, note, r, &again), -1);
	ck_assert_int_eq(again.code, err.code);
	rig_close(r);
	return err;
}

START_TEST(connections_that_fail_say_why)
{
	rig r;
	tr_err err;

	rig_init(&r, "check_connect");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY)");
	err = connect_error(&r, "postgres://postgres@127.0.0.1:%d/no_such_database", rig_port);
	ck_assert_int_eq(err.code, TR_E_SOURCE_DATABASE);
	err = connect_error(&r, "postgres://nobody_here@127.0.0.1:%d/check_connect", rig_port);
	ck_assert_int_eq(err.code, TR_E_SOURCE_AUTH);
	err = connect_error(&r, "postgres://postgres@127.0.0.1:1/check_connect?connect_timeout=2");
	ck_assert_int_eq(err.code, TR_E_SOURCE_UNAVAILABLE);
	err = connect_error(&r, "postgres://postgres@no-such-host.invalid/check_connect");
	ck_assert_int_eq(err.code, TR_E_SOURCE_UNAVAILABLE);
	rig_release_all(&r);
}
END_TEST

START_TEST(passwords_come_as_psql_takes_them)
{
	rig r;

	rig_init(&r, "check_password");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY); CREATE ROLE secretive SUPERUSER LOGIN PASSWORD 'right'");
	ck_assert_int_eq(
	    rig_run("sed -i '1i host all secretive 127.0.0.1/32 scram-sha-256' %s/s/data/pg_hba.conf", rig_dir), 0);
	rig_reload(&r);
	tr_err err = connect_error(&r, "postgres://secretive:wrong@127.0.0.1:%d/check_password", rig_port);
	ck_assert_msg(err.code == TR_E_SOURCE_AUTH, "%d %s %s", err.code, err.text, err.detail);
	ck_assert_ptr_null(strstr(err.detail, "wrong"));
	err = connect_error(&r, "postgres://secretive@127.0.0.1:%d/check_password", rig_port);
	ck_assert_msg(err.code == TR_E_SOURCE_AUTH, "%d %s %s", err.code, err.text, err.detail);
	setenv("PGPASSWORD", "right", 1);
	check(&r);
	ck_assert_uint_eq(errors(&r), 0);
	unsetenv("PGPASSWORD");
	rig_release_all(&r);
}
END_TEST

START_TEST(the_signal_table_must_be_there_and_writable)
{
	rig r;

	rig_init(&r, "check_signal");
	rig_sql(&r, "CREATE TABLE a (id int PRIMARY KEY); CREATE ROLE mute LOGIN REPLICATION; GRANT SELECT ON a TO mute");
	r.options.signal_table = "public.signals";
	check(&r);
	FOUND(&r, "ERROR TR217 signal table public.signals", "CREATE TABLE \"public\".\"signals\" (id varchar(42)");
	rig_sql(&r, "CREATE TABLE signals (id varchar(42) PRIMARY KEY, type varchar(32) NOT NULL, data varchar(2048))");
	check(&r);
	ck_assert_uint_eq(errors(&r), 0);
	FOUND(&r, "OK TR0 signal table public.signals", "written");
	snprintf(r.url, sizeof(r.url), "postgres://mute@127.0.0.1:%d/check_signal", rig_port);
	check(&r);
	FOUND(&r, "ERROR TR203 signal table public.signals", "GRANT SELECT, INSERT ON TABLE \"public\".\"signals\" TO \"mute\";");
	rig_sql(&r, "GRANT SELECT, INSERT ON signals TO mute; ALTER TABLE signals ADD COLUMN more int");
	check(&r);
	FOUND(&r, "WARNING TR204 signal table public.signals", "4 columns");
	rig_release_all(&r);
}
END_TEST

RIG_MAIN("capture_postgres.check", "", all_is_well, missing_privileges_come_with_their_grants,
	 tables_that_need_attention, publications_that_do_not_fit, a_publication_of_ours_grows, slots_in_every_state,
	 connections_that_fail_say_why, passwords_come_as_psql_takes_them,
	 the_signal_table_must_be_there_and_writable)
