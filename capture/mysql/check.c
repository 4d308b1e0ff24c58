/* What `check` asks the source: every finding says what was found, why it matters and the exact SQL that mends it. What
 * may be done is tried, not read from grants: roles and proxies make those unreadable. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/mysql/incremental.h"
#include "core/clock.h"
#include "core/text.h"

#define DAY_S           86400
#define CLOCK_OFF_US    5000000
#define TABLES_TRIED    2000 /* whether they may be read; of more the first ones speak for all */

typedef struct checkup {
	tr_myc *s;
	tr_finding_fn report;
	void *context;
	tr_finding f; /* the one being written */
} checkup;

static void say(char *field, size_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void say(char *field, size_t cap, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tr_text_vformat(field, cap, format, args);
	va_end(args);
}
#define SAY(field, ...) say((field), sizeof(field), __VA_ARGS__)

static tr_finding *begin(checkup *k, tr_severity severity, tr_err_code code, const char *subject, ...)
    __attribute__((format(printf, 4, 5)));
static tr_finding *begin(checkup *k, tr_severity severity, tr_err_code code, const char *subject, ...)
{
	va_list args;

	k->f = (tr_finding){.severity = severity, .code = code};
	va_start(args, subject);
	tr_text_vformat(k->f.subject, sizeof(k->f.subject), subject, args);
	va_end(args);
	return &k->f;
}

static void end(checkup *k)
{
	k->report(k->context, &k->f);
}

static void found_ok(checkup *k, const char *subject, const char *what)
{
	tr_finding *f = begin(k, TR_FINDING_OK, TR_OK, "%s", subject);

	SAY(f->what, "%s", what);
	end(k);
}

/* An error that would stop `run` becomes a finding with the same words. */
static void found_error(checkup *k, const char *subject, const tr_err *err)
{
	tr_finding *f = begin(k, TR_FINDING_ERROR, err->code, "%s", subject);

	SAY(f->what, "%s", err->text);
	SAY(f->why, "%s", err->detail[0] ? err->detail : tr_err_summary(err->code));
	SAY(f->fix, "%s", err->hint);
	end(k);
}

static const char *set_word(const checkup *k)
{
	return tr_myc_set_scope(k->s->server.mariadb);
}

static const char *keep_word(const checkup *k)
{
	return k->s->server.mariadb ? "; and the same in the server's configuration" : "";
}

/* --- settings ---------------------------------------------------------------------------------- */

static void check_format(checkup *k)
{
	tr_finding *f;

	if (k->s->server.row_format) {
		found_ok(k, "setting binlog_format", "ROW");
		return;
	}
	f = begin(k, TR_FINDING_ERROR, TR_E_SOURCE_SETTING, "setting binlog_format");
	SAY(f->what, "binlog_format is not ROW");
	SAY(f->why, "statements are logged instead of the rows they change");
	SAY(f->fix, "SET %s binlog_format = 'ROW'%s; sessions that are open keep the old format", set_word(k), keep_word(k));
	end(k);
}

static void check_image(checkup *k)
{
	tr_finding *f;

	if (k->s->server.full_image) {
		found_ok(k, "setting binlog_row_image", "FULL");
		return;
	}
	f = begin(k, TR_FINDING_WARNING, TR_E_SOURCE_SETTING, "setting binlog_row_image");
	SAY(f->what, "binlog_row_image is not FULL");
	SAY(f->why, "columns that a statement did not set are not in the log: texts show events.unavailable, all others are null or their "
		    "default, which no reader can tell from the value");
	SAY(f->fix, "SET %s binlog_row_image = 'FULL'%s; sessions that are open keep what they have", set_word(k), keep_word(k));
	end(k);
}

static void check_metadata(checkup *k)
{
	const tr_myc_server *server = &k->s->server;
	tr_finding *f;

	if (server->full_metadata) {
		found_ok(k, "setting binlog_row_metadata", "FULL");
		return;
	}
	f = begin(k, TR_FINDING_WARNING, TR_E_SOURCE_SETTING, "setting binlog_row_metadata");
	SAY(f->what, server->has_metadata ? "binlog_row_metadata is not FULL" : "the server has no binlog_row_metadata");
	SAY(f->why, "names of columns are not in the log: a table that is altered while its older rows are still unread stops the stream");
	if (server->has_metadata)
		SAY(f->fix, "SET %s binlog_row_metadata = 'FULL'%s", set_word(k), keep_word(k));
	else
		SAY(f->fix, "let the stream catch up before a table is altered; or upgrade (MySQL 8.0.1, MariaDB 10.5)");
	end(k);
}

static void check_gtid(checkup *k)
{
	tr_finding *f;

	if (k->s->server.gtid) {
		found_ok(k, "GTIDs", "the position is a set of transactions, and may be continued on another server");
		return;
	}
	f = begin(k, TR_FINDING_WARNING, TR_E_SOURCE_SETTING, "setting gtid_mode");
	SAY(f->what, "gtid_mode is not ON");
	SAY(f->why, "the position is a place in a file of this server: after a failover a new snapshot is needed");
	SAY(f->fix, "SET PERSIST enforce_gtid_consistency = ON; SET PERSIST gtid_mode = OFF_PERMISSIVE; SET PERSIST gtid_mode = "
		    "ON_PERMISSIVE; SET PERSIST gtid_mode = ON; then `tailrace offsets reset` (a new snapshot)");
	end(k);
}

static int check_expiry(checkup *k, tr_err *err)
{
	double seconds = 0;
	tr_finding *f;
	MYSQL_RES *r;
	MYSQL_ROW row;

	if (tr_myc_query(k->s->sql, &k->s->wake, "read the settings of the log",
			 "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('binlog_expire_logs_seconds', 'expire_logs_days')", &r, err))
		return -1;
	while ((row = mysql_fetch_row(r)) != NULL) {
		double value = row[1] ? strtod(row[1], NULL) : 0;

		value *= row[0] && strcmp(row[0], "expire_logs_days") == 0 ? DAY_S : 1;
		seconds = value > seconds ? value : seconds;
	}
	mysql_free_result(r);
	if (seconds <= 0 || seconds >= DAY_S) {
		f = begin(k, TR_FINDING_OK, TR_OK, "log retention");
		if (seconds > 0)
			SAY(f->what, "%.1f days", seconds / DAY_S);
		else
			SAY(f->what, "the log is not removed by age");
	} else {
		f = begin(k, TR_FINDING_WARNING, TR_E_SOURCE_SETTING, "log retention");
		SAY(f->what, "the log is kept for %.0f s", seconds);
		SAY(f->why, "after a pause that is longer a new snapshot is needed");
		SAY(f->fix, "SET %s binlog_expire_logs_seconds = 259200%s", set_word(k), keep_word(k));
	}
	end(k);
	return 0;
}

static int check_clock(checkup *k, tr_err *err)
{
	char text[64];
	int64_t before_us = tr_clock_wall_ns() / 1000, after_us, server_us, off_us;
	tr_finding *f;

	if (tr_myc_value(k->s->sql, &k->s->wake, "read the server's clock",
			 "SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)", text, sizeof(text), NULL, err))
		return -1;
	after_us = tr_clock_wall_ns() / 1000;
	server_us = strtoll(text, NULL, 10);
	off_us = server_us < before_us ? before_us - server_us : server_us > after_us ? server_us - after_us : 0;
	if (off_us < CLOCK_OFF_US) {
		found_ok(k, "clock", "the server's and ours agree");
		return 0;
	}
	f = begin(k, TR_FINDING_WARNING, TR_E_SOURCE_SETTING, "clock");
	SAY(f->what, "the server's clock and ours are %.1f s apart", (double)off_us / 1e6);
	SAY(f->why, "the lag that is shown is wrong by that much, and times of events are the server's");
	SAY(f->fix, "set the clocks of both machines by NTP");
	end(k);
	return 0;
}

/* --- privileges -------------------------------------------------------------------------------- */

static void missing(checkup *k, const char *subject, const char *privileges, const char *on, const char *why)
{
	tr_finding *f = begin(k, TR_FINDING_ERROR, TR_E_SOURCE_PRIVILEGE, "%s", subject);

	SAY(f->what, "%s is not granted to %s", privileges, k->s->server.user);
	SAY(f->why, "%s", why);
	tr_myc_grant_sql(k->s, privileges, on, f->fix, sizeof(f->fix));
	end(k);
}

/* The first packet of a dump: from the end of the log, or from its beginning when nobody told where it ends. */
static int check_dump(checkup *k, bool end_known, tr_err *err)
{
	tr_myc *s = k->s;
	tr_myc_dump_from from = {.kind = TR_MYC_BY_FILE, .file = end_known ? s->server.log_file : "",
				 .pos = end_known ? s->server.log_pos : 4, .to_end = true};
	tr_myc_dump *dump = NULL;
	tr_slice event;
	int result = -1;

	if (tr_myc_dump_open(s, &from, &dump, err) == 0 && tr_myc_dump_next(dump, TR_MYC_QUERY_MS, &event, err) >= 0) {
		found_ok(k, "privilege REPLICATION SLAVE", "the log may be read");
		result = 0;
	} else if (err->code == TR_E_SOURCE_PRIVILEGE) {
		missing(k, "privilege REPLICATION SLAVE", "REPLICATION SLAVE", "*.*", "the log cannot be read");
		tr_err_clear(err);
		result = 0;
	}
	tr_myc_dump_close(dump);
	return result;
}

static int check_server_id(checkup *k, tr_err *err)
{
	tr_finding *f;

	if (k->s->server.id.server_id == 0) {
		f = begin(k, TR_FINDING_ERROR, TR_E_SOURCE_SETTING, "setting server_id");
		SAY(f->what, "the server's server_id is 0");
		SAY(f->why, "it refuses replicas then");
		SAY(f->fix, "SET %s server_id = 1%s", set_word(k), keep_word(k));
		end(k);
	}
	if (tr_myc_server_unique(k->s, err)) {
		if (err->code != TR_E_SERVER_ID_TAKEN)
			return -1;
		found_error(k, "key source.server_id", err);
		tr_err_clear(err);
		return 0;
	}
	f = begin(k, TR_FINDING_OK, TR_OK, "key source.server_id");
	SAY(f->what, "%u is free", k->s->server_id);
	end(k);
	return 0;
}

/* --- tables ------------------------------------------------------------------------------------ */

static int can_read(checkup *k, const tr_myc_listed *t, bool *can, tr_err *err)
{
	tr_writer sql;
	int result = -1;

	*can = true;
	tr_writer_init(&sql, 4096);
	tr_writer_text(&sql, "SELECT 1 FROM ");
	tr_myc_qualified(&sql, t->database, t->name);
	tr_writer_text(&sql, " LIMIT 0");
	tr_writer_u8(&sql, '\0');
	if (!tr_writer_ok(&sql)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory");
	} else if (tr_myc_run(k->s->sql, &k->s->wake, "read a table", (const char *)sql.data, err) == 0) {
		result = 0;
	} else if (err->code == TR_E_SOURCE_PRIVILEGE || err->code == TR_E_SOURCE_SQL) {
		/* Dropped meanwhile, or damaged: the snapshot will say so. */
		*can = err->code != TR_E_SOURCE_PRIVILEGE;
		tr_err_clear(err);
		result = 0;
	}
	tr_writer_release(&sql);
	return result;
}

static int check_table(checkup *k, const tr_myc_listed *t, tr_err *err)
{
	char on[300];
	bool can;
	tr_finding *f;

	if (can_read(k, t, &can, err))
		return -1;
	snprintf(on, sizeof(on), "`%s`.`%s`", t->database, t->name);
	if (!can) {
		f = begin(k, TR_FINDING_ERROR, TR_E_SOURCE_PRIVILEGE, "table %s.%s", t->database, t->name);
		SAY(f->what, "%s may not read it", k->s->server.user);
		SAY(f->why, "the snapshot cannot be taken");
		tr_myc_grant_sql(k->s, "SELECT", on, f->fix, sizeof(f->fix));
		end(k);
	}
	if (!t->transactional) {
		f = begin(k, TR_FINDING_NOTE, TR_OK, "table %s.%s", t->database, t->name);
		SAY(f->what, "its engine %s has no transactions", t->engine ? t->engine : "");
		SAY(f->why, "its snapshot is consistent only while the tables are locked, or nobody writes to it");
		SAY(f->fix, "ALTER TABLE %s ENGINE = InnoDB", on);
		end(k);
	}
	return 0;
}

/* The database that the patterns name, when they name one. */
static void select_on(const tr_myc *s, char *out, size_t cap)
{
	const char *pattern = s->options->table_count > 0 ? s->options->tables[0] : "", *dot = strchr(pattern, '.');

	if (s->options->table_count == 1 && dot && strcspn(pattern, "*?!`") > (size_t)(dot - pattern))
		snprintf(out, cap, "`%.*s`.*", (int)(dot - pattern), pattern);
	else
		snprintf(out, cap, "*.*");
}

/* Tables that may not be read are not even listed: without any, whether some privilege would show more. */
int tr_myc_no_table(tr_myc *s, tr_err *err)
{
	char patterns[200], on[300], granted[8];

	if (tr_myc_value(s->sql, &s->wake, "read the privileges",
			 "SELECT EXISTS (SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'SELECT') OR"
			 " EXISTS (SELECT 1 FROM information_schema.schema_privileges WHERE privilege_type = 'SELECT') OR"
			 " EXISTS (SELECT 1 FROM information_schema.table_privileges WHERE privilege_type = 'SELECT')",
			 granted, sizeof(granted), NULL, err))
		return -1;
	tr_filter_describe(s->filter, patterns, sizeof(patterns));
	if (strcmp(granted, "0") == 0) {
		tr_err_set(err, TR_E_SOURCE_PRIVILEGE, "%s may read no table", s->server.user);
		select_on(s, on, sizeof(on));
		return tr_myc_grant_hint(s, "SELECT", on, err);
	}
	tr_err_set(err, TR_E_TABLE_MISSING, "no table of the server matches the configured patterns");
	tr_err_detail(err, "%s", patterns);
	return tr_err_hint(err, "Patterns are globs on database.table, as \"shop.*\". Tables that %s may not SELECT do not count; see what "
				"there is: SHOW TABLES FROM a_database.",
			   s->server.user);
}

static int check_tables(checkup *k, tr_err *err)
{
	tr_myc_list list;
	tr_finding *f;
	int result = -1;

	if (tr_myc_catalog_list(&k->s->catalog, false, &list, err))
		return -1;
	if (list.count == 0) {
		if (tr_myc_no_table(k->s, err) == 0 || (err->code != TR_E_TABLE_MISSING && err->code != TR_E_SOURCE_PRIVILEGE))
			goto out;
		if (err->code == TR_E_SOURCE_PRIVILEGE) { /* a fix is a statement, nothing else */
			char on[300], sql[400];

			select_on(k->s, on, sizeof(on));
			tr_myc_grant_sql(k->s, "SELECT", on, sql, sizeof(sql));
			tr_err_detail(err, "tables that may not be read are not even listed");
			tr_err_hint(err, "%s", sql);
		}
		found_error(k, "tables", err);
		tr_err_clear(err);
	} else {
		f = begin(k, TR_FINDING_OK, TR_OK, "tables");
		SAY(f->what, "%zu match", list.count);
		end(k);
	}
	for (size_t i = 0; i < list.count && i < TABLES_TRIED; i++)
		if (check_table(k, &list.tables[i], err))
			goto out;
	result = 0;
out:
	tr_myc_list_release(&list);
	return result;
}

/* A table of three columns that we may write to. */
static int check_signal(checkup *k, tr_err *err)
{
	static const struct {
		tr_severity severity;
		tr_err_code code;
		const char *what, *why;
	} says[] = {
	    [TR_MYC_SIGNAL_GOOD] = {TR_FINDING_OK, TR_OK, "may be read and written", ""},
	    [TR_MYC_SIGNAL_MISSING] = {TR_FINDING_ERROR, TR_E_TABLE_MISSING, "it does not exist",
				       "commands such as incremental snapshots are rows of it (source.signal_table)"},
	    [TR_MYC_SIGNAL_MISSHAPEN] = {TR_FINDING_WARNING, TR_E_SOURCE_SETTING, "it cannot take the values id, type and data",
					 "the windows of an incremental snapshot are marked by rows written there"},
	    [TR_MYC_SIGNAL_DENIED] = {TR_FINDING_ERROR, TR_E_SOURCE_PRIVILEGE, "it may not be written to",
				      "the windows of an incremental snapshot are marked by rows written there"},
	    [TR_MYC_SIGNAL_READ_ONLY] = {TR_FINDING_WARNING, TR_E_SOURCE_SETTING, "the server is read-only",
					 "incremental snapshots cannot write their marks"},
	};
	char database[TR_MYC_INC_NAME_MAX], name[TR_MYC_INC_NAME_MAX], fix[400];
	tr_myc_signal_state state;
	tr_finding *f;

	if (!tr_myc_signal_table(k->s, database, name))
		return 0;
	if (tr_myc_signal_try(k->s, &state, fix, sizeof(fix), err))
		return -1;
	f = begin(k, says[state].severity, says[state].code, "signal table %s.%s", database, name);
	SAY(f->what, "%s", says[state].what);
	SAY(f->why, "%s", says[state].why);
	if (state == TR_MYC_SIGNAL_READ_ONLY)
		SAY(f->fix, "connect to a server that takes writes for incremental snapshots");
	else if (state != TR_MYC_SIGNAL_GOOD)
		SAY(f->fix, "%s", fix);
	end(k);
	return 0;
}

/* --- all --------------------------------------------------------------------------------------- */

static int check_log(checkup *k, tr_err *err)
{
	check_format(k);
	check_image(k);
	check_metadata(k);
	check_gtid(k);
	return check_expiry(k, err) || check_clock(k, err) || check_dump(k, true, err) || check_server_id(k, err) ? -1 : 0;
}

int tr_myc_check(tr_myc *s, tr_finding_fn report, void *context, tr_err *err)
{
	checkup k = {.s = s, .report = report, .context = context};
	tr_finding *f;

	if (tr_myc_open_sql(s, err))
		return -1;
	if (tr_myc_server_read(s, err)) {
		bool privilege = err->code == TR_E_SOURCE_PRIVILEGE;

		if (!privilege && err->code != TR_E_SOURCE_SETTING)
			return -1;
		if (privilege)
			missing(&k, "privilege REPLICATION CLIENT", "REPLICATION CLIENT", "*.*", "the log's end cannot be asked for");
		else
			found_error(&k, "setting log_bin", err);
		tr_err_clear(err);
		if (privilege && check_dump(&k, false, err))
			return -1;
	} else {
		f = begin(&k, TR_FINDING_OK, TR_OK, "server");
		SAY(f->what, "%s %s", s->server.mariadb ? "MariaDB" : "MySQL", s->server.version);
		end(&k);
		if (check_log(&k, err))
			return -1;
	}
	return check_tables(&k, err) || check_signal(&k, err) ? -1 : 0;
}
