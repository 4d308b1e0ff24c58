/* What `check` asks the source: every finding says what was found, why it matters and the exact SQL that mends it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/postgres/check.h"
#include "core/text.h"

void tr_pgc_found(tr_pgc_checkup *k, tr_finding *f, const char *subject, ...)
{
	va_list args;

	va_start(args, subject);
	tr_text_vformat(f->subject, sizeof(f->subject), subject, args);
	va_end(args);
	k->report(k->context, f);
}

tr_finding *tr_pgc_finding(tr_pgc_checkup *k, tr_severity severity, tr_err_code code)
{
	k->finding = (tr_finding){.severity = severity, .code = code};
	return &k->finding;
}

void tr_pgc_finding_say(char *field, size_t cap, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tr_text_vformat(field, cap, format, args);
	va_end(args);
}

/* An error that would stop `run` becomes a finding with the same words. */
static void found_error(tr_pgc_checkup *k, const char *subject, const tr_err *err)
{
	tr_finding *f = tr_pgc_finding(k, TR_FINDING_ERROR, err->code);

	SAY(f->what, "%s", err->text);
	SAY(f->why, "%s", err->detail[0] ? err->detail : tr_err_summary(err->code));
	SAY(f->fix, "%s", err->hint);
	tr_pgc_found(k, f, "%s", subject);
}

static void found_ok(tr_pgc_checkup *k, const char *subject, const char *what)
{
	tr_finding *f = tr_pgc_finding(k, TR_FINDING_OK, TR_OK);

	SAY(f->what, "%s", what);
	tr_pgc_found(k, f, "%s", subject);
}

/* --- settings of the server -------------------------------------------------------------------- */

/* One row; settings that a version does not have are null. */
static const char settings_sql[] =
    "SELECT coalesce(current_setting('effective_wal_level', true), current_setting('wal_level')),"
    " current_setting('max_replication_slots')::int, (SELECT count(*) FROM pg_replication_slots),"
    " current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_stat_activity WHERE backend_type = "
    "'walsender'),"
    " pg_encoding_to_char(d.encoding), current_setting('max_slot_wal_keep_size'),"
    " current_setting('idle_replication_slot_timeout', true),"
    " current_setting('hot_standby_feedback'), current_setting('primary_slot_name'),"
    " r.rolreplication OR r.rolsuper, r.rolsuper, has_database_privilege(d.oid, 'CREATE')"
    " FROM pg_database d, pg_roles r WHERE d.datname = current_database() AND r.rolname = current_user";

enum {
	WAL_LEVEL,
	MAX_SLOTS,
	SLOTS,
	MAX_SENDERS,
	SENDERS,
	ENCODING,
	WAL_KEEP,
	IDLE_TIMEOUT,
	STANDBY_FEEDBACK,
	PRIMARY_SLOT,
	CAN_REPLICATE,
	IS_SUPERUSER,
	CAN_CREATE
};

static const char *setting(const tr_pgc_checkup *k, int column)
{
	return PQgetvalue(k->settings, 0, column);
}

static long number(const tr_pgc_checkup *k, int column)
{
	return strtol(setting(k, column), NULL, 10);
}

static void check_wal_level(tr_pgc_checkup *k)
{
	tr_finding *f;

	if (strcmp(setting(k, WAL_LEVEL), "logical") == 0) {
		found_ok(k, "setting wal_level", "logical");
		return;
	}
	f = tr_pgc_finding(k, TR_FINDING_ERROR, TR_E_SOURCE_SETTING);
	SAY(f->what, "wal_level is %s", setting(k, WAL_LEVEL));
	SAY(f->why, "the log holds no row changes to decode; no slot can be made");
	SAY(f->fix, "ALTER SYSTEM SET wal_level = 'logical'; then restart the server");
	tr_pgc_found(k, f, "setting wal_level");
}

static void check_limit(tr_pgc_checkup *k, const char *name, int max_column, int used_column, long needed)
{
	long max = number(k, max_column), used = number(k, used_column);
	tr_finding *f = tr_pgc_finding(k, used + needed <= max ? TR_FINDING_OK : TR_FINDING_ERROR,
				       used + needed <= max ? TR_OK : TR_E_SLOT_LIMIT);

	SAY(f->what, "%ld of %ld in use", used, max);
	if (f->severity == TR_FINDING_ERROR) {
		SAY(f->why, "%ld more %s needed", needed, needed == 1 ? "is" : "are");
		SAY(f->fix,
		    "ALTER SYSTEM SET %s = %ld; then restart the server; or drop what is not used (SELECT slot_name, "
		    "active "
		    "FROM pg_replication_slots)",
		    name, used + needed + 4);
	}
	tr_pgc_found(k, f, "setting %s", name);
}

static void check_encoding(tr_pgc_checkup *k)
{
	tr_finding *f;

	if (strcmp(setting(k, ENCODING), "UTF8") == 0) {
		found_ok(k, "database encoding", "UTF8");
		return;
	}
	bool none = strcmp(setting(k, ENCODING), "SQL_ASCII") == 0;
	f = tr_pgc_finding(k, none ? TR_FINDING_WARNING : TR_FINDING_NOTE, none ? TR_E_SOURCE_SETTING : TR_OK);
	SAY(f->what, "the database is encoded in %s", setting(k, ENCODING));
	SAY(f->why, none ? "its text may be anything; what is not UTF-8 stops the capture"
			 : "the server converts its text to UTF-8");
	SAY(f->fix, none ? "make the database anew with ENCODING 'UTF8' (pg_dump, createdb -E UTF8, restore)" : "");
	tr_pgc_found(k, f, "database encoding");
}

static void check_retention(tr_pgc_checkup *k)
{
	tr_finding *f;

	if (strcmp(setting(k, WAL_KEEP), "-1") == 0) {
		f = tr_pgc_finding(k, TR_FINDING_NOTE, TR_OK);
		SAY(f->what, "no limit");
		SAY(f->why, "while tailrace is down the server keeps all log for its slot and can fill its disk");
		SAY(f->fix, "ALTER SYSTEM SET max_slot_wal_keep_size = '64GB'; SELECT pg_reload_conf(); -- what the "
			    "disk can spare; a slot "
			    "that needs more is lost, and a new snapshot is needed");
		tr_pgc_found(k, f, "setting max_slot_wal_keep_size");
	}
	if (!PQgetisnull(k->settings, 0, IDLE_TIMEOUT) && strtol(setting(k, IDLE_TIMEOUT), NULL, 10) != 0) {
		f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_SLOT_INVALID);
		SAY(f->what, "slots that are idle for %s are invalidated", setting(k, IDLE_TIMEOUT));
		SAY(f->why, "after a longer stop of tailrace the changes are gone and a new snapshot is needed");
		SAY(f->fix, "ALTER SYSTEM SET idle_replication_slot_timeout = 0; SELECT pg_reload_conf();");
		tr_pgc_found(k, f, "setting idle_replication_slot_timeout");
	}
}

static void check_standby(tr_pgc_checkup *k)
{
	tr_finding *f;

	if (!k->s->server.standby)
		return;
	if (strcmp(setting(k, STANDBY_FEEDBACK), "on") == 0 && setting(k, PRIMARY_SLOT)[0]) {
		found_ok(k, "standby", "hot_standby_feedback is on and a physical slot is used");
		return;
	}
	f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_SOURCE_SETTING);
	SAY(f->what, "hot_standby_feedback is %s, primary_slot_name is \"%s\"", setting(k, STANDBY_FEEDBACK),
	    setting(k, PRIMARY_SLOT));
	SAY(f->why,
	    "the primary may remove catalogue rows that decoding here needs; the slot is then invalidated for good");
	SAY(f->fix, "on the standby: ALTER SYSTEM SET hot_standby_feedback = on; ALTER SYSTEM SET primary_slot_name = "
		    "'...'; SELECT "
		    "pg_reload_conf(); -- with a physical slot of that name on the primary");
	tr_pgc_found(k, f, "standby");
}

static int check_settings(tr_pgc_checkup *k, tr_err *err)
{
	long new_slots = !k->slot.exists || !k->s->options->create;

	if (!tr_source_reads_rows(k->s->options) && k->slot.exists)
		new_slots = 0;
	(void)err;
	check_wal_level(k);
	check_limit(k, "max_replication_slots", MAX_SLOTS, SLOTS, new_slots);
	check_limit(k, "max_wal_senders", MAX_SENDERS, SENDERS, k->s->repl || k->slot.active ? 0 : 1);
	check_encoding(k);
	check_retention(k);
	check_standby(k);
	return 0;
}

/* --- the role ---------------------------------------------------------------------------------- */

static int check_replication_login(tr_pgc_checkup *k, tr_err *err)
{
	tr_err login = {0};
	tr_finding *f;

	if (tr_pgc_open_repl(k->s, &login) == 0) {
		found_ok(k, "replication login", "works");
		return 0;
	}
	if (login.code == TR_E_INTERRUPTED) {
		*err = login;
		return -1;
	}
	f = tr_pgc_finding(k, TR_FINDING_ERROR, login.code);
	SAY(f->what, "%s", login.text);
	SAY(f->why, "%s", login.detail);
	SAY(f->fix, setting(k, CAN_REPLICATE)[0] == 't' ? "%s" : "ALTER ROLE \"%s\" REPLICATION;",
	    setting(k, CAN_REPLICATE)[0] == 't' ? login.hint : k->s->server.user);
	tr_pgc_found(k, f, "replication login");
	return 0;
}

/* --- the slot ---------------------------------------------------------------------------------- */

static void check_slot_health(tr_pgc_checkup *k)
{
	const tr_pgc_slot *slot = &k->slot;
	bool risky = strcmp(slot->wal_status, "unreserved") == 0 || strcmp(slot->wal_status, "extended") == 0;
	tr_finding *f =
	    tr_pgc_finding(k, risky ? TR_FINDING_WARNING : TR_FINDING_OK, risky ? TR_E_SLOT_INVALID : TR_OK);

	SAY(f->what, "%s; the server keeps %.1f MiB of log for it, wal_status %s",
	    slot->active ? "in use now" : "not in use now", (double)slot->retained_bytes / 1048576.0,
	    slot->wal_status[0] ? slot->wal_status : "unknown");
	if (risky) {
		SAY(f->why, "when max_slot_wal_keep_size is passed the log is removed, and a new snapshot is needed");
		SAY(f->fix,
		    "run tailrace soon; or ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf();");
	}
	tr_pgc_found(k, f, "slot %s", k->s->slot);
	if (k->s->options->failover && !slot->failover) {
		f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_SLOT_FOREIGN);
		SAY(f->what, "it is not a failover slot");
		SAY(f->why, "source.failover is true, but after a promotion this slot will not be on the new primary");
		SAY(f->fix,
		    "stop tailrace and run in a replication session (psql \"replication=database ...\"): "
		    "ALTER_REPLICATION_SLOT \"%s\" "
		    "(FAILOVER true);",
		    k->s->slot);
		tr_pgc_found(k, f, "slot %s", k->s->slot);
	}
}

static int check_slot(tr_pgc_checkup *k, tr_err *err)
{
	char subject[TR_PGC_NAME_MAX + 8];
	tr_err unusable = {0};
	tr_finding *f;

	(void)err;
	snprintf(subject, sizeof(subject), "slot %s", k->s->slot);
	if (k->slot.exists && tr_pgc_slot_usable(k->s, &k->slot, &unusable)) {
		found_error(k, subject, &unusable);
	} else if (k->slot.exists) {
		check_slot_health(k);
	} else if (k->s->options->create) {
		found_ok(k, subject, "does not exist yet; the first run makes it");
	} else {
		f = tr_pgc_finding(k, TR_FINDING_ERROR, TR_E_SLOT_MISSING);
		SAY(f->what, "the slot does not exist and source.create is false");
		SAY(f->why, "changes can only be read through a replication slot");
		SAY(f->fix, "SELECT pg_create_logical_replication_slot('%s', 'pgoutput');", k->s->slot);
		tr_pgc_found(k, f, "%s", subject);
	}
	if (k->s->options->failover && k->s->server.version < 170000) {
		f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_SOURCE_SETTING);
		SAY(f->what, "source.failover has no effect before PostgreSQL 17");
		SAY(f->why, "the slot is not synchronised to standbys; after a promotion a new snapshot is needed");
		SAY(f->fix, "set source.failover to false, or upgrade the server");
		tr_pgc_found(k, f, "%s", subject);
	}
	return 0;
}

/* --- the publication --------------------------------------------------------------------------- */

static void check_publish(tr_pgc_checkup *k)
{
	const tr_pgc_publication *p = &k->publication;
	tr_finding *f;

	if (!p->insert || !p->update || !p->delete_ || !p->truncate) {
		f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_PUBLICATION_TABLES);
		SAY(f->what, "it leaves out%s%s%s%s", p->insert ? "" : " insert", p->update ? "" : " update",
		    p->delete_ ? "" : " delete", p->truncate ? "" : " truncate");
		SAY(f->why, "these changes never reach tailrace; a copy of the tables would drift away from them");
		SAY(f->fix, "ALTER PUBLICATION \"%s\" SET (publish = 'insert, update, delete, truncate');",
		    k->s->publication);
		tr_pgc_found(k, f, "publication %s", k->s->publication);
	}
	if (p->via_root != k->s->options->publish_via_root) {
		f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_PUBLICATION_TABLES);
		SAY(f->what, "publish_via_partition_root is %s, source.publish_via_root is %s",
		    p->via_root ? "true" : "false", k->s->options->publish_via_root ? "true" : "false");
		SAY(f->why, "snapshot and stream would name the rows of partitioned tables differently");
		SAY(f->fix, "ALTER PUBLICATION \"%s\" SET (publish_via_partition_root = %s);", k->s->publication,
		    k->s->options->publish_via_root ? "true" : "false");
		tr_pgc_found(k, f, "publication %s", k->s->publication);
	}
}

/* The statement alone, as it has to be run. */
static void fix_of(tr_pgc_checkup *k, tr_finding *f, void (*build)(const tr_pgc *, const tr_pgc_list *, tr_writer *))
{
	tr_writer sql;

	tr_writer_init(&sql, 16u << 20);
	build(k->s, &k->capturable, &sql);
	SAY(f->fix, "%.*s;", (int)sql.len, sql.data ? (const char *)sql.data : "");
	tr_writer_release(&sql);
}

static void check_missing_publication(tr_pgc_checkup *k)
{
	bool all = k->s->options->publication_mode && strcmp(k->s->options->publication_mode, "all_tables") == 0;
	bool may = all ? setting(k, IS_SUPERUSER)[0] == 't' : setting(k, CAN_CREATE)[0] == 't' && k->not_owned == 0;
	tr_finding *f;

	if (k->s->options->create && may && !k->s->server.standby) {
		f = tr_pgc_finding(k, TR_FINDING_OK, TR_OK);
		SAY(f->what, "does not exist yet; the first run makes it");
		tr_pgc_found(k, f, "publication %s", k->s->publication);
		return;
	}
	f = tr_pgc_finding(k, TR_FINDING_ERROR,
			   k->s->options->create ? TR_E_SOURCE_PRIVILEGE : TR_E_PUBLICATION_MISSING);
	SAY(f->what, "the publication does not exist%s", k->s->options->create ? " and this role may not make it" : "");
	if (k->s->server.standby)
		SAY(f->why, "nothing can be made on a standby: make it on the primary");
	else if (!k->s->options->create)
		SAY(f->why, "source.create is false");
	else if (all)
		SAY(f->why, "FOR ALL TABLES takes a superuser");
	else
		SAY(f->why,
		    "it takes CREATE on the database (%s) and ownership of every table (%zu are owned by others)",
		    setting(k, CAN_CREATE)[0] == 't' ? "there" : "missing", k->not_owned);
	fix_of(k, f, tr_pgc_publication_make_sql);
	tr_pgc_found(k, f, "publication %s", k->s->publication);
}

static int check_publication(tr_pgc_checkup *k, tr_err *err)
{
	size_t uncovered = 0;
	tr_finding *f;

	(void)err;
	if (!k->publication.exists) {
		check_missing_publication(k);
		return 0;
	}
	check_publish(k);
	for (size_t i = 0; i < k->capturable.count; i++)
		uncovered += !k->capturable.tables[i].covered;
	bool mendable = k->publication.ours && k->s->options->create && !k->s->server.standby;
	if (uncovered == 0 || mendable) {
		f = tr_pgc_finding(k, TR_FINDING_OK, TR_OK);
		SAY(f->what, uncovered ? "the next run adds %zu tables" : "covers all %zu captured tables",
		    uncovered ? uncovered : k->capturable.count);
	} else {
		f = tr_pgc_finding(k, TR_FINDING_ERROR, TR_E_PUBLICATION_TABLES);
		SAY(f->what, "does not cover %zu of %zu captured tables", uncovered, k->capturable.count);
		SAY(f->why, "their changes would never reach tailrace");
		fix_of(k, f, tr_pgc_publication_add_sql);
	}
	tr_pgc_found(k, f, "publication %s", k->s->publication);
	return 0;
}

/* --- all of it --------------------------------------------------------------------------------- */

static int read_server(tr_pgc_checkup *k, tr_err *err)
{
	tr_pgc *s = k->s;

	s->server.version = PQserverVersion(s->sql);
	if (tr_pgc_sql(s, "read the server's settings", settings_sql, 0, NULL, &k->settings, err))
		return -1;
	if (PQntuples(k->settings) != 1)
		return tr_err_set(err, TR_E_SOURCE_SQL, "could not read the server's settings");
	return 0;
}

static int read_identity(tr_pgc_checkup *k, tr_err *err)
{
	PGresult *r;
	tr_finding *f = tr_pgc_finding(k, TR_FINDING_OK, TR_OK);

	if (tr_pgc_sql(k->s, "read the server's state",
		       "SELECT current_database(), current_user, pg_is_in_recovery(), version()", 0, NULL, &r, err))
		return -1;
	tr_text_format(k->s->server.id.database, sizeof(k->s->server.id.database), "%s", PQgetvalue(r, 0, 0));
	tr_text_format(k->s->server.user, sizeof(k->s->server.user), "%s", PQgetvalue(r, 0, 1));
	k->s->server.standby = PQgetvalue(r, 0, 2)[0] == 't';
	SAY(f->what, "%.*s, database \"%s\", role \"%s\"%s", (int)strcspn(PQgetvalue(r, 0, 3), ","),
	    PQgetvalue(r, 0, 3), k->s->server.id.database, k->s->server.user,
	    k->s->server.standby ? ", a standby" : "");
	tr_pgc_found(k, f, "server");
	PQclear(r);
	if (k->s->server.standby && k->s->server.version < 160000) {
		f = tr_pgc_finding(k, TR_FINDING_ERROR, TR_E_SOURCE_SETTING);
		SAY(f->what, "a standby of PostgreSQL %d", k->s->server.version / 10000);
		SAY(f->why, "logical decoding on a standby needs PostgreSQL 16");
		SAY(f->fix, "connect to the primary");
		tr_pgc_found(k, f, "server");
	}
	return 0;
}

int tr_pgc_check(tr_pgc *s, tr_finding_fn report, void *context, tr_err *err)
{
	tr_pgc_checkup k = {.s = s, .report = report, .context = context};
	int result = -1;

	if (tr_pgc_open_sql(s, err) || read_server(&k, err) || read_identity(&k, err) ||
	    check_replication_login(&k, err) || tr_pgc_slot_read(s, &k.slot, err) ||
	    tr_pgc_publication_read(s, &k.publication, err))
		goto out;
	if (check_settings(&k, err) || tr_pgc_check_tables(&k, err) || check_publication(&k, err) ||
	    check_slot(&k, err) || tr_pgc_check_signal(&k, err))
		goto out;
	result = 0;
out:
	PQclear(k.settings);
	tr_pgc_list_release(&k.capturable);
	return result;
}
