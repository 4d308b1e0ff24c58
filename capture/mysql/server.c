/* What the server is, where its log ends, and whether it can go on from a position. Features are asked for by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/mysql/mysql.h"

#define NOT_LOGGING 1381 /* "you are not using binary logging" */

const char tr_myc_start_over[] =
    "Nothing was skipped. Point source.url to a server that has what is missing, or start over with a new snapshot: `tailrace "
    "offsets reset`, then run (snapshot.mode when_needed does that by itself).";

static int ask(tr_myc *s, const char *what, const char *sql, MYSQL_RES **out, tr_err *err)
{
	return tr_myc_query(s->sql, &s->wake, what, sql, out, err);
}

void tr_myc_server_release(tr_myc_server *server)
{
	tr_bl_gtid_set_release(&server->executed);
	tr_bl_gtid_set_release(&server->purged);
	tr_bl_domain_set_release(&server->domains);
}

/* --- privileges -------------------------------------------------------------------------------- */

/* The server shows user@host, without quotes; a host has no @. */
void tr_myc_grant_sql(const tr_myc *s, const char *privileges, const char *on, char *out, size_t cap)
{
	const char *user = s->server.user, *at = strrchr(user, '@');
	int len = at ? (int)(at - user) : (int)strlen(user);

	snprintf(out, cap, "GRANT %s ON %s TO `%.*s`@`%s`;", privileges, on, len, user, at ? at + 1 : "%");
}

int tr_myc_grant_hint(const tr_myc *s, const char *privileges, const char *on, tr_err *err)
{
	char sql[400];

	tr_myc_grant_sql(s, privileges, on, sql, sizeof(sql));
	return tr_err_hint(err, "Nothing was lost. As an administrator: %s `tailrace check` shows all that is missing.", sql);
}

/* --- settings ---------------------------------------------------------------------------------- */

static bool is(const char *value, const char *wanted)
{
	return strcasecmp(value, wanted) == 0;
}

static void take_setting(tr_myc_server *server, const char *name, const char *value)
{
	if (is(name, "server_uuid") || is(name, "server_uid"))
		snprintf(server->id.server_uuid, sizeof(server->id.server_uuid), "%.39s", value);
	else if (is(name, "server_id"))
		server->id.server_id = (uint32_t)strtoul(value, NULL, 10);
	else if (is(name, "version"))
		snprintf(server->version, sizeof(server->version), "%.95s", value);
	else if (is(name, "gtid_domain_id"))
		server->mariadb = true;
	else if (is(name, "log_bin"))
		server->log_bin = is(value, "ON") || is(value, "1");
	else if (is(name, "binlog_format"))
		server->row_format = is(value, "ROW");
	else if (is(name, "binlog_row_image"))
		server->full_image = is(value, "FULL");
	else if (is(name, "binlog_gtid_index"))
		server->sums_places = true;
	else if (is(name, "gtid_mode"))
		server->gtid = is(value, "ON");
	else if (is(name, "binlog_row_metadata")) {
		server->has_metadata = true;
		server->full_metadata = is(value, "FULL");
	}
}

static int read_settings(tr_myc *s, tr_err *err)
{
	tr_myc_server *server = &s->server;
	MYSQL_RES *r;
	MYSQL_ROW row;

	if (ask(s, "read the server's settings",
		"SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid', 'server_id', 'version', "
		"'gtid_domain_id', 'log_bin', 'binlog_format', 'binlog_row_image', 'binlog_row_metadata', 'gtid_mode', "
		"'binlog_gtid_index')",
		&r, err))
		return -1;
	memset(&server->id, 0, sizeof(server->id));
	/* Servers that do not know a setting behave as if it were the best one: formats before row images, say. */
	server->mariadb = server->gtid = server->log_bin = server->has_metadata = server->full_metadata = false;
	server->sums_places = false;
	server->row_format = server->full_image = true;
	while ((row = mysql_fetch_row(r)) != NULL)
		if (row[0] && row[1])
			take_setting(server, row[0], row[1]);
	mysql_free_result(r);
	server->gtid = server->gtid || server->mariadb;
	server->id.gtid = server->gtid;
	snprintf(server->id.flavour, sizeof(server->id.flavour), "%s", server->mariadb ? "mariadb" : "mysql");
	return 0;
}

static int read_user(tr_myc *s, tr_err *err)
{
	tr_myc_server *server = &s->server;

	return tr_myc_value(s->sql, &s->wake, "read the user's name", "SELECT CURRENT_USER()", server->user,
			    sizeof(server->user), NULL, err);
}

static int check_flavour(const tr_myc *s, tr_err *err)
{
	const char *is_name = s->server.mariadb ? "MariaDB" : "MySQL", *scheme = s->server.mariadb ? "mariadb" : "mysql";

	if (s->server.mariadb == s->mariadb)
		return 0;
	tr_err_set(err, TR_E_CONFIG, "the server is %s %s, but source.url says %s://", is_name, s->server.version,
		   s->mariadb ? "mariadb" : "mysql");
	return tr_err_hint(err, "Nothing was read. Write %s:// in source.url.", scheme);
}

/* --- where the log ends ------------------------------------------------------------------------ */

static int no_log(tr_err *err)
{
	tr_err_set(err, TR_E_SOURCE_SETTING, "the server has no binary log");
	return tr_err_hint(err, "Nothing was read. Set log_bin and server_id in the server's configuration and restart it.");
}

/* One statement under its names, newest first; a server answers those it knows, and a syntax error to others. */
static int ask_either(tr_myc *s, const char *what, const char *const *statements, MYSQL_RES **out, tr_err *err)
{
	int result = -1;

	for (; *statements && result; statements++) {
		result = ask(s, what, *statements, out, err);
		if (result && mysql_errno(s->sql) != 1064 && mysql_errno(s->sql) != 1193)
			return -1;
	}
	return result;
}

static int take_gtid_set(tr_bl_gtid_set *set, const char *text, const char *what, tr_err *err)
{
	if (tr_bl_gtid_set_parse(set, tr_slice_str(text ? text : ""), err))
		return tr_err_prefix(err, "%s", what);
	return 0;
}

/* MariaDB. BINLOG_GTID_POS would name exactly the place of SHOW BINLOG STATUS, but reads the file from its beginning; this
 * is asked before, so it lies at that place or before it, and it is what decides. */
static int read_domains(tr_myc *s, tr_err *err)
{
	MYSQL_RES *r;
	MYSQL_ROW row;
	int result;

	if (!s->server.mariadb)
		return 0;
	if (ask(s, "read the position of the log", "SELECT @@global.gtid_binlog_pos", &r, err))
		return -1;
	row = mysql_fetch_row(r);
	result = tr_bl_domain_set_parse(&s->server.domains, tr_slice_str(row && row[0] ? row[0] : ""), err);
	mysql_free_result(r);
	return result;
}

int tr_myc_server_place(tr_myc *s, tr_err *err)
{
	static const char *const statements[] = {"SHOW BINARY LOG STATUS", "SHOW BINLOG STATUS", "SHOW MASTER STATUS", NULL};
	MYSQL_RES *r = NULL;
	MYSQL_ROW row;
	int result = -1;

	if (read_domains(s, err))
		return -1;
	if (ask_either(s, "read the position of the log", statements, &r, err))
		return mysql_errno(s->sql) == NOT_LOGGING ? no_log(err)
		       : err->code == TR_E_SOURCE_PRIVILEGE ? tr_myc_grant_hint(s, "REPLICATION CLIENT", "*.*", err) : -1;
	row = mysql_fetch_row(r);
	if (!row || !row[0] || !row[1]) {
		no_log(err);
		goto out;
	}
	snprintf(s->server.log_file, sizeof(s->server.log_file), "%s", row[0]);
	s->server.log_pos = strtoull(row[1], NULL, 10);
	if (!s->server.mariadb && mysql_num_fields(r) > 4 &&
	    take_gtid_set(&s->server.executed, row[4], "the server's executed GTIDs", err))
		goto out;
	result = 0;
out:
	mysql_free_result(r);
	return result;
}

static int read_purged(tr_myc *s, tr_err *err)
{
	MYSQL_RES *r;
	MYSQL_ROW row;
	int result;

	if (s->server.mariadb || !s->server.gtid)
		return 0;
	if (ask(s, "read the purged GTIDs", "SELECT @@global.gtid_purged", &r, err))
		return -1;
	row = mysql_fetch_row(r);
	result = take_gtid_set(&s->server.purged, row ? row[0] : NULL, "the server's purged GTIDs", err);
	mysql_free_result(r);
	return result;
}

int tr_myc_server_read(tr_myc *s, tr_err *err)
{
	if (read_user(s, err) || read_settings(s, err) || check_flavour(s, err))
		return -1;
	return tr_myc_server_place(s, err) || read_purged(s, err) ? -1 : 0;
}

int tr_myc_server_now(tr_myc *s, tr_myc_position *out, tr_err *err)
{
	tr_myc_position_release(out);
	out->kind = s->server.mariadb ? TR_MYC_BY_DOMAIN : s->server.gtid ? TR_MYC_BY_GTID : TR_MYC_BY_FILE;
	snprintf(out->file, sizeof(out->file), "%s", s->server.log_file);
	out->pos = s->server.log_pos;
	if (out->kind == TR_MYC_BY_GTID)
		return tr_bl_gtid_set_copy(&out->gtids, &s->server.executed, err);
	return out->kind == TR_MYC_BY_DOMAIN ? tr_bl_domain_set_copy(&out->domains, &s->server.domains, err) : 0;
}

/* --- whether it can go on ---------------------------------------------------------------------- */

static int start_over(tr_err *err)
{
	return tr_err_hint(err, "%s", tr_myc_start_over);
}

/* A set as it fits into a message. */
static const char *shown(const tr_bl_gtid_set *set, tr_writer *w)
{
	tr_bl_gtid_set_print(set, w);
	tr_writer_u8(w, '\0');
	return tr_writer_ok(w) ? (const char *)w->data : "(too long to show)";
}

static int lost(tr_err_code code, const char *text, const char *label, const tr_bl_gtid_set *missing, tr_err *err)
{
	tr_writer w;

	tr_writer_init(&w, (size_t)1 << 20);
	tr_err_set(err, code, "%s", text);
	tr_err_detail(err, "%s: %s", label, shown(missing, &w));
	tr_writer_release(&w);
	return start_over(err);
}

/* Everything we have has to be known to the server, else it is another one, or it lost transactions that we have
 * published; and all that it has thrown away has to be known to us. */
static int serves_gtids(tr_myc *s, const tr_myc_position *p, tr_err *err)
{
	tr_bl_gtid_set missing = {0};
	uint8_t uuid[16];
	int result = -1;

	if (tr_bl_gtid_set_copy(&missing, &p->gtids, err) || tr_bl_gtid_set_subtract(&missing, &s->server.executed, err))
		goto out;
	if (!tr_bl_gtid_set_empty(&missing)) {
		bool own = tr_bl_uuid_parse(tr_slice_str(s->server.id.server_uuid), uuid) && tr_bl_gtid_set_knows(&p->gtids, uuid);
		bool stranger = !own && tr_bl_gtid_set_contains(&missing, &p->gtids);

		lost(stranger ? TR_E_SOURCE_IDENTITY : TR_E_POSITION_LOST,
		     stranger ? "the server has none of the transactions that were published"
			      : "the server lacks transactions that were published (a failover or a restore lost them)",
		     "published, but not on the server", &missing, err);
		goto out;
	}
	if (tr_bl_gtid_set_copy(&missing, &s->server.purged, err) || tr_bl_gtid_set_subtract(&missing, &p->gtids, err))
		goto out;
	if (!tr_bl_gtid_set_empty(&missing)) {
		lost(TR_E_POSITION_LOST, "the server has purged transactions that were not yet published", "purged, not published",
		     &missing, err);
		goto out;
	}
	result = 0;
out:
	tr_bl_gtid_set_release(&missing);
	return result;
}

static int lost_file(tr_myc *s, const tr_myc_position *p, const char *first, tr_err *err)
{
	tr_err_set(err, TR_E_POSITION_LOST, "the server no longer has the log at the stored position");
	tr_err_detail(err, "stored %s:%llu; the server's log begins with %s and ends at %s:%llu", p->file,
		      (unsigned long long)p->pos, first, s->server.log_file, (unsigned long long)s->server.log_pos);
	return start_over(err);
}

static int serves_file(tr_myc *s, const tr_myc_position *p, tr_err *err)
{
	char first[TR_BL_FILE_MAX] = "nothing";
	uint64_t bytes = 0;
	bool found = false;
	MYSQL_RES *r;
	MYSQL_ROW row;

	if (ask(s, "list the binary logs", "SHOW BINARY LOGS", &r, err))
		return -1;
	while ((row = mysql_fetch_row(r)) != NULL) {
		if (!row[0] || !row[1])
			continue;
		if (strcmp(first, "nothing") == 0)
			snprintf(first, sizeof(first), "%s", row[0]);
		if (strcmp(row[0], p->file) == 0) {
			found = true;
			bytes = strtoull(row[1], NULL, 10);
		}
	}
	mysql_free_result(r);
	return found && bytes >= p->pos ? 0 : lost_file(s, p, first, err);
}

/* MariaDB alone knows what it can serve (a domain's GTID may be of another server that it replicated), and says so when a
 * dump begins: one is begun, and ended at its first event. */
static int try_dump(tr_myc *s, const tr_myc_position *p, tr_err *err)
{
	tr_myc_dump_from from = {.kind = TR_MYC_BY_DOMAIN, .domains = &p->domains, .to_end = true};
	tr_myc_dump *dump = NULL;
	tr_slice event;
	int result = -1;

	if (tr_myc_dump_open(s, &from, &dump, err) == 0 && tr_myc_dump_next(dump, TR_MYC_QUERY_MS, &event, err) >= 0)
		result = 0;
	tr_myc_dump_close(dump);
	return result;
}

/* It must not stand behind us, nor have thrown away what follows. */
static int serves_domains(tr_myc *s, const tr_myc_position *p, tr_err *err)
{
	for (size_t i = 0; i < p->domains.count; i++) {
		const tr_bl_domain_position *ours = &p->domains.domains[i], *its;
		char text[TR_BL_GTID_TEXT];

		its = tr_bl_domain_set_find(&s->server.domains, ours->domain);
		if (its && its->sequence >= ours->sequence)
			continue;
		tr_bl_domain_text(text, ours->domain, ours->server_id, ours->sequence);
		tr_err_set(err, TR_E_POSITION_LOST, "the server lacks transactions that were published (another server, or one that "
						    "a failover or a restore put back)");
		if (its)
			tr_err_detail(err, "published up to %s, the server is at %u-%u-%llu", text, its->domain, its->server_id,
				      (unsigned long long)its->sequence);
		else
			tr_err_detail(err, "published up to %s, the server has nothing of domain %u", text, ours->domain);
		return start_over(err);
	}
	return p->domains.count > 0 ? try_dump(s, p, err) : 0;
}

int tr_myc_server_serves(tr_myc *s, const tr_myc_position *p, tr_err *err)
{
	bool by_gtid = p->kind != TR_MYC_BY_FILE;

	if (!s->mariadb && p->kind == TR_MYC_BY_DOMAIN) {
		tr_err_set(err, TR_E_SOURCE_IDENTITY, "the stored position is one of MariaDB, the server is MySQL");
		return start_over(err);
	}
	if (s->mariadb && p->kind == TR_MYC_BY_GTID) {
		tr_err_set(err, TR_E_SOURCE_IDENTITY, "the stored position is one of MySQL, the server is MariaDB");
		return start_over(err);
	}
	if (by_gtid && !s->server.gtid) {
		tr_err_set(err, TR_E_SOURCE_SETTING, "the stored position is a GTID set, but the server has gtid_mode off");
		return tr_err_hint(err, "Nothing was read. Set gtid_mode to ON again.");
	}
	if (p->kind == TR_MYC_BY_FILE)
		return serves_file(s, p, err);
	return p->kind == TR_MYC_BY_GTID ? serves_gtids(s, p, err) : serves_domains(s, p, err);
}

/*
 * With GTIDs any server may go on that has all of ours (tr_myc_server_serves). A place in a file means something on one
 * server only. Two MariaDB servers with one server_id cannot belong to one topology, so their equal GTIDs mean nothing.
 */
int tr_myc_identity_check(tr_myc *s, const tr_myc_identity *stored, tr_err *err)
{
	const tr_myc_identity *now = &s->server.id;
	bool same_uuid = strcmp(stored->server_uuid, now->server_uuid) == 0;
	bool known = stored->server_uuid[0] && now->server_uuid[0];

	if (strcmp(stored->flavour, now->flavour) == 0) {
		if (s->mariadb && (stored->server_id != now->server_id || same_uuid || !known))
			return 0;
		if (!s->mariadb && (same_uuid || (stored->gtid && now->gtid)))
			return 0;
	}
	tr_err_set(err, TR_E_SOURCE_IDENTITY, "the server is not the one that the stored position belongs to");
	tr_err_detail(err, "stored: %s %s, server id %u; the server: %s %s, server id %u", stored->flavour, stored->server_uuid,
		      stored->server_id, now->flavour, now->server_uuid, now->server_id);
	return start_over(err);
}

/* --- our server id ----------------------------------------------------------------------------- */

/* A dump of ours that was left behind on another machine ends when the server's next signs of life find nobody. */
int tr_myc_server_id_taken(const tr_myc *s, const char *by, tr_err *err)
{
	tr_err_set(err, TR_E_SERVER_ID_TAKEN, "server id %u is used by %s", s->server_id, by);
	return tr_err_hint(err, "Two replicas with one id throw each other out, so nothing was read; it is tried again for "
				"source.retry_for. If this pipeline does not run elsewhere, too, choose another source.server_id.");
}

/* Another replica with our id, as the server lists them; by: empty when there is none. */
static int find_namesake(tr_myc *s, char *by, size_t cap, tr_err *err)
{
	static const char *const statements[] = {"SHOW REPLICAS", "SHOW REPLICA HOSTS", "SHOW SLAVE HOSTS", NULL};
	tr_err denied = {0};
	MYSQL_RES *r;
	MYSQL_ROW row;

	by[0] = '\0';
	if (ask_either(s, "list the replicas", statements, &r, &denied)) {
		/* Not everyone may see them; then a second replica shows when it throws this one out. */
		if (denied.code == TR_E_SOURCE_PRIVILEGE)
			return 0;
		*err = denied;
		return -1;
	}
	while ((row = mysql_fetch_row(r)) != NULL)
		if (row[0] && strtoul(row[0], NULL, 10) == s->server_id && strcmp(row[1] ? row[1] : "", s->replica_name) != 0)
			snprintf(by, cap, "another replica, \"%.150s\"", row[1] ? row[1] : "");
	mysql_free_result(r);
	return 0;
}

int tr_myc_server_unique(tr_myc *s, tr_err *err)
{
	char by[200];

	if (s->server_id == s->server.id.server_id)
		return tr_myc_server_id_taken(s, "the server itself", err);
	if (find_namesake(s, by, sizeof(by), err))
		return -1;
	return by[0] ? tr_myc_server_id_taken(s, by, err) : 0;
}
