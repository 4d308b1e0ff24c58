/*
 * What tests of this folder need of a server, without our own code in between: plain connections with the client library,
 * statements, one value. Addresses come from TR_TEST_MYSQL_97 and the like (host:port); the superuser has no password.
 */
#ifndef TR_TESTS_UNIT_CAPTURE_MYSQL_RIG_SQL_H
#define TR_TESTS_UNIT_CAPTURE_MYSQL_RIG_SQL_H

#include <mysql.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/test.h"

typedef struct rs_server {
	const char *variable; /* of the environment */
	bool mariadb;
} rs_server;

static const rs_server rs_servers[] = {
    {"TR_TEST_MYSQL_97", false}, {"TR_TEST_MARIADB_1011", true}, {"TR_TEST_MARIADB_118", true}};
#define RS_SERVER_COUNT (sizeof(rs_servers) / sizeof(*rs_servers))

/* "127.0.0.1:3306", or NULL: then the case says that it was left out. */
static inline const char *rs_address(const rs_server *s)
{
	const char *address = getenv(s->variable);

	if (!address || !*address)
		fprintf(stderr, "left out: %s is not set\n", s->variable);
	return address && *address ? address : NULL;
}

static inline MYSQL *rs_connect(const char *address, const char *database)
{
	MYSQL *m = mysql_init(NULL);
	char host[100];
	const char *colon = strchr(address, ':');

	ck_assert_ptr_nonnull(m);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	mysql_options(m, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	ck_assert_msg(mysql_real_connect(m, host, "root", "", database, (unsigned)strtoul(colon + 1, NULL, 10), NULL,
					 CLIENT_MULTI_STATEMENTS) != NULL,
		      "%s", mysql_error(m));
	return m;
}

/* One or more statements; their results are thrown away. */
static inline void rs_sql(MYSQL *m, const char *sql)
{
	ck_assert_msg(mysql_real_query(m, sql, strlen(sql)) == 0, "%s: %s", sql, mysql_error(m));
	for (;;) {
		MYSQL_RES *r = mysql_store_result(m);
		int more;

		if (r)
			mysql_free_result(r);
		more = mysql_next_result(m);
		ck_assert_msg(more <= 0, "%s: %s", sql, mysql_error(m));
		if (more < 0)
			return;
	}
}

/* The first value of the answer, "" for none; valid until the next call. */
static inline const char *rs_value(MYSQL *m, const char *sql)
{
	static _Thread_local char value[4096];
	MYSQL_ROW row;

	ck_assert_msg(mysql_query(m, sql) == 0, "%s: %s", sql, mysql_error(m));
	MYSQL_RES *r = mysql_store_result(m);
	ck_assert_ptr_nonnull(r);
	row = mysql_fetch_row(r);
	snprintf(value, sizeof(value), "%s", row && row[0] ? row[0] : "");
	mysql_free_result(r);
	return value;
}

/* Rolls back what a test that was killed has left prepared: it forbids every start, and keeps its tables locked. The tests of
 * one server run one after the other. */
static inline void rs_forget_prepared(MYSQL *m)
{
	MYSQL_ROW row;

	ck_assert_msg(mysql_query(m, "XA RECOVER") == 0, "%s", mysql_error(m));
	MYSQL_RES *r = mysql_store_result(m);
	ck_assert_ptr_nonnull(r);
	while ((row = mysql_fetch_row(r)) != NULL) {
		char sql[400];
		size_t at = (size_t)snprintf(sql, sizeof(sql), "XA ROLLBACK X'"), data = 0;

		for (int part = 1; part <= 2; part++) {
			for (unsigned long left = strtoul(row[part], NULL, 10); left > 0; left--)
				at += (size_t)snprintf(sql + at, sizeof(sql) - at, "%02x", (uint8_t)row[3][data++]);
			at += (size_t)snprintf(sql + at, sizeof(sql) - at, part == 1 ? "',X'" : "',");
		}
		snprintf(sql + at, sizeof(sql) - at, "%s", row[0]);
		rs_sql(m, sql);
	}
	mysql_free_result(r);
}

/* An empty database of this name, with the given tables. */
static inline void rs_database(const char *address, const char *name, const char *sql)
{
	MYSQL *m = rs_connect(address, NULL);
	char text[400];

	rs_forget_prepared(m);
	snprintf(text, sizeof(text), "DROP DATABASE IF EXISTS `%s`; CREATE DATABASE `%s`; USE `%s`", name, name, name);
	rs_sql(m, text);
	if (sql)
		rs_sql(m, sql);
	mysql_close(m);
}

#endif
