#include "capture/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/log.h"
#include "core/text.h"

/* --- the server -------------------------------------------------------------------------------- */

static const char server_sql[] =
    "SELECT current_database(), current_user, pg_is_in_recovery(),"
    " (SELECT setting FROM pg_settings WHERE name = 'wal_sender_timeout'),"
    " CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,"
    " coalesce(current_setting('effective_wal_level', true), current_setting('wal_level')) = 'logical'";

static int read_settings(tr_pgc *s, tr_err *err)
{
	PGresult *r;

	if (tr_pgc_sql(s, "read the server's state", server_sql, 0, NULL, &r, err))
		return -1;
	tr_text_format(s->server.id.database, sizeof(s->server.id.database), "%s", PQgetvalue(r, 0, 0));
	tr_text_format(s->server.user, sizeof(s->server.user), "%s", PQgetvalue(r, 0, 1));
	s->server.standby = PQgetvalue(r, 0, 2)[0] == 't';
	s->server.sender_timeout_ms = (int)strtol(PQgetvalue(r, 0, 3), NULL, 10);
	bool known = tr_pgc_lsn_parse(PQgetvalue(r, 0, 4), &s->server.log_end);
	s->server.logical = PQgetvalue(r, 0, 5)[0] == 't';
	PQclear(r);
	return known ? 0 : tr_err_set(err, TR_E_SOURCE_SQL, "could not read the end of the server's log");
}

int tr_pgc_server_read(tr_pgc *s, tr_err *err)
{
	PGresult *r;

	s->server.version = PQserverVersion(s->sql);
	if (read_settings(s, err))
		return -1;
	if (tr_pgc_exec(s->repl, &s->wake, TR_PGC_QUERY_MS, "identify the server", "IDENTIFY_SYSTEM", 0, NULL, &r, err))
		return -1;
	tr_text_format(s->server.id.system, sizeof(s->server.id.system), "%s", PQgetvalue(r, 0, 0));
	s->server.id.timeline = (uint32_t)strtoul(PQgetvalue(r, 0, 1), NULL, 10);
	PQclear(r);
	tr_text_format(s->server.id.slot, sizeof(s->server.id.slot), "%s", s->slot);
	if (s->server.standby && s->server.version < 160000) {
		tr_err_set(err, TR_E_SOURCE_SETTING, "cannot capture from a standby of PostgreSQL %d",
			   s->server.version / 10000);
		return tr_err_hint(err, "Logical decoding on a standby needs PostgreSQL 16; connect to the primary.");
	}
	if (!s->server.logical) {
		tr_err_set(err, TR_E_SOURCE_SETTING, "cannot capture: the server's wal_level is not logical");
		return tr_err_hint(
		    err, "Run: ALTER SYSTEM SET wal_level = 'logical'; then restart the server. Nothing was changed.");
	}
	return 0;
}

/* --- identity ---------------------------------------------------------------------------------- */

static int foreign(tr_err *err, const char *what, const char *stored, const char *found)
{
	tr_err_set(err, TR_E_SOURCE_IDENTITY, "the stored position belongs to another %s", what);
	tr_err_detail(err, "stored: %s, the source has: %s", stored, found);
	return tr_err_hint(
	    err, "Nothing was read. Connect to the server the position belongs to, or, if this one has to be captured "
		 "from now on, give the pipeline another name or reset its offsets (a new snapshot follows).");
}

/* Where the given timeline ended, by this server's own history file; 0 when it is not an ancestor. */
static int timeline_end(tr_pgc *s, uint32_t timeline, uint64_t *out, tr_err *err)
{
	char sql[48], lsn[32];
	PGresult *r;
	unsigned line_timeline;

	*out = 0;
	snprintf(sql, sizeof(sql), "TIMELINE_HISTORY %u", s->server.id.timeline);
	if (tr_pgc_exec(s->repl, &s->wake, TR_PGC_QUERY_MS, "read the timeline's history", sql, 0, NULL, &r, err))
		return -1;
	for (const char *line = PQgetvalue(r, 0, 1); *line;) {
		if (sscanf(line, "%u %31s", &line_timeline, lsn) == 2 && line_timeline == timeline &&
		    !tr_pgc_lsn_parse(lsn, out))
			*out = 0;
		line += strcspn(line, "\n");
		line += *line == '\n';
	}
	PQclear(r);
	return 0;
}

/* A promotion makes a new timeline; the position is good when it lies before the point where the old one was left.
 * It may also lie behind it when a standby was promoted under our stream, which goes on without a word. Then the slot has
 * been confirmed behind that point, and only we confirm, only what is durable, and on this server: a slot that was
 * synchronised from the old primary is not ahead of the log that the promoted server had taken from it. */
static int check_timeline(tr_pgc *s, uint32_t stored, uint64_t position, const tr_pgc_slot *slot, tr_err *err)
{
	char was[16], is[16];
	uint64_t end = 0;

	if (stored == 0 || stored == s->server.id.timeline)
		return 0;
	if (stored < s->server.id.timeline && timeline_end(s, stored, &end, err))
		return -1;
	if (end != 0 && (position <= end || (slot->exists && !slot->invalid && slot->confirmed_lsn > end)))
		return 0;
	snprintf(was, sizeof(was), "%u", stored);
	snprintf(is, sizeof(is), "%u", s->server.id.timeline);
	return foreign(err, "branch of the server's history (timeline)", was, is);
}

int tr_pgc_identity_check(tr_pgc *s, const tr_pgc_identity *stored, uint64_t position, const tr_pgc_slot *slot, tr_err *err)
{
	if (strcmp(stored->system, s->server.id.system) != 0)
		return foreign(err, "server (system identifier)", stored->system, s->server.id.system);
	if (strcmp(stored->database, s->server.id.database) != 0)
		return foreign(err, "database", stored->database, s->server.id.database);
	if (strcmp(stored->slot, s->slot) != 0)
		return foreign(err, "replication slot", stored->slot, s->slot);
	return check_timeline(s, stored->timeline, position, slot, err);
}

/* --- the slot ---------------------------------------------------------------------------------- */

/* Columns that only newer versions have are read through JSON: what is not there is null, whatever the version says. */
static const char slot_sql[] =
    "SELECT s.active, s.active_pid, s.slot_type, s.temporary, s.plugin, s.database, s.wal_status, s.restart_lsn,"
    " s.confirmed_flush_lsn, coalesce(to_jsonb(s)->>'invalidation_reason',"
    " CASE WHEN (to_jsonb(s)->>'conflicting')::bool THEN 'conflicting' END),"
    " coalesce((to_jsonb(s)->>'failover')::bool, false),"
    " greatest(coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE "
    "pg_current_wal_lsn()"
    " END, s.restart_lsn), 0), 0)::bigint"
    " FROM pg_replication_slots s WHERE s.slot_name = $1";

static void fill_slot(const PGresult *r, tr_pgc_slot *out)
{
	out->exists = true;
	out->active = PQgetvalue(r, 0, 0)[0] == 't';
	out->active_pid = (int)strtol(PQgetvalue(r, 0, 1), NULL, 10);
	out->logical = strcmp(PQgetvalue(r, 0, 2), "logical") == 0;
	out->temporary = PQgetvalue(r, 0, 3)[0] == 't';
	tr_text_format(out->plugin, sizeof(out->plugin), "%s", PQgetvalue(r, 0, 4));
	tr_text_format(out->database, sizeof(out->database), "%s", PQgetvalue(r, 0, 5));
	tr_text_format(out->wal_status, sizeof(out->wal_status), "%s", PQgetvalue(r, 0, 6));
	if (!tr_pgc_lsn_parse(PQgetvalue(r, 0, 7), &out->restart_lsn))
		out->restart_lsn = 0;
	if (!tr_pgc_lsn_parse(PQgetvalue(r, 0, 8), &out->confirmed_lsn))
		out->confirmed_lsn = 0;
	tr_text_format(out->reason, sizeof(out->reason), "%s", PQgetvalue(r, 0, 9));
	out->failover = PQgetvalue(r, 0, 10)[0] == 't';
	out->retained_bytes = strtoull(PQgetvalue(r, 0, 11), NULL, 10);
	out->invalid = out->reason[0] || strcmp(out->wal_status, "lost") == 0 || out->restart_lsn == 0;
}

int tr_pgc_slot_read(tr_pgc *s, tr_pgc_slot *out, tr_err *err)
{
	const char *params[] = {s->slot};
	PGresult *r;

	*out = (tr_pgc_slot){0};
	if (tr_pgc_sql(s, "look at the replication slot", slot_sql, 1, params, &r, err))
		return -1;
	if (PQntuples(r) == 1)
		fill_slot(r, out);
	PQclear(r);
	return 0;
}

int tr_pgc_slot_usable(const tr_pgc *s, const tr_pgc_slot *slot, tr_err *err)
{
	if (!slot->logical || strcmp(slot->plugin, "pgoutput") != 0) {
		tr_err_set(err, TR_E_SLOT_FOREIGN, "replication slot \"%s\" is not ours: its plugin is %s", s->slot,
			   slot->logical ? slot->plugin : "none (physical)");
		return tr_err_hint(err,
				   "Choose another name with source.slot, or drop it if nobody needs it: "
				   "SELECT pg_drop_replication_slot('%s');",
				   s->slot);
	}
	if (strcmp(slot->database, s->server.id.database) != 0) {
		tr_err_set(err, TR_E_SLOT_FOREIGN, "replication slot \"%s\" belongs to database \"%s\"", s->slot,
			   slot->database);
		return tr_err_hint(
		    err, "Choose another name with source.slot; slot names are shared by all databases of a server.");
	}
	if (slot->invalid) {
		tr_err_set(err, TR_E_SLOT_INVALID, "replication slot \"%s\" can no longer be used", s->slot);
		tr_err_detail(err, "wal_status %s, reason %s", slot->wal_status[0] ? slot->wal_status : "unknown",
			      slot->reason[0] ? slot->reason : "log removed (max_slot_wal_keep_size)");
		return tr_err_hint(
		    err,
		    "The changes after the stored position are gone. Start over with a new snapshot: `SELECT "
		    "pg_drop_replication_slot('%s');`, then `tailrace offsets reset`, then run; or set "
		    "snapshot.mode to when_needed.",
		    s->slot);
	}
	return 0;
}

static int busy(const tr_pgc *s, const tr_pgc_slot *slot, tr_err *err)
{
	tr_err_set(err, TR_E_SLOT_BUSY, "replication slot \"%s\" is in use by another connection", s->slot);
	tr_err_detail(err, "active_pid %d", slot->active_pid);
	return tr_err_hint(
	    err,
	    "Only one process may read a slot. Stop the other one (SELECT * FROM pg_stat_replication WHERE pid "
	    "= %d); it is tried again until the slot is free.",
	    slot->active_pid);
}

/*
 * The instance that owned the pipeline before may be stopped or cut off, with its connection open: the server would keep the slot
 * for it until wal_sender_timeout. We own the pipeline now and have fenced it, so it can publish nothing more. Only of the same
 * role and program; the next attempt finds the slot free.
 */
static int end_former(tr_pgc *s, const tr_pgc_slot *slot, tr_err *err)
{
	static const char sql[] = "SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a JOIN pg_replication_slots s ON s.active_pid"
				  " = a.pid WHERE s.slot_name = $1 AND a.usename = current_user AND a.application_name ="
				  " current_setting('application_name')";
	const char *params[] = {s->slot};
	PGresult *r;

	if (!s->options->fleet)
		return busy(s, slot, err);
	if (tr_pgc_sql(s, "end the connection of the instance before", sql, 1, params, &r, err))
		return -1;
	if (PQntuples(r) > 0)
		tr_log(TR_LOG_INFO, s->name, "slot.taken", "the connection of the instance before to slot \"%s\" was ended", s->slot);
	PQclear(r);
	return busy(s, slot, err);
}

int tr_pgc_slot_serves(tr_pgc *s, const tr_pgc_slot *slot, uint64_t position, tr_err *err)
{
	char confirmed[TR_PGC_LSN_TEXT], stored[TR_PGC_LSN_TEXT];

	if (!slot->exists) {
		tr_err_set(err, TR_E_SLOT_MISSING, "replication slot \"%s\" does not exist, but a position is stored",
			   s->slot);
		return tr_err_hint(
		    err,
		    "Changes since the stored position cannot be read any more; a new slot would hide the gap. If a "
		    "standby was promoted, the slot has to be a synchronised failover slot. To start over with a new "
		    "snapshot: `tailrace offsets reset`, then run; or set snapshot.mode to when_needed.");
	}
	if (tr_pgc_slot_usable(s, slot, err))
		return -1;
	/* We confirm only what is durable, so the slot can never be ahead of the record unless somebody else moved it.
	 */
	if (slot->confirmed_lsn > position) {
		tr_pgc_lsn_format(confirmed, slot->confirmed_lsn);
		tr_pgc_lsn_format(stored, position);
		tr_err_set(err, TR_E_POSITION_LOST, "replication slot \"%s\" has moved past the stored position",
			   s->slot);
		tr_err_detail(err, "confirmed_flush_lsn %s, stored %s", confirmed, stored);
		return tr_err_hint(
		    err,
		    "Another reader used the slot, or an old state was restored; the changes between are gone. Use "
		    "the newest state, or start over with a new snapshot: `tailrace offsets reset`.");
	}
	return slot->active ? end_former(s, slot, err) : 0;
}

int tr_pgc_slot_drop(tr_pgc *s, tr_err *err)
{
	const char *params[] = {s->slot};
	tr_pgc_slot slot;
	PGresult *r;

	if (tr_pgc_slot_read(s, &slot, err))
		return -1;
	if (!slot.exists)
		return 0;
	if (slot.active)
		return end_former(s, &slot, err);
	if (tr_pgc_sql(s, "drop the replication slot of an earlier start", "SELECT pg_drop_replication_slot($1)", 1,
		       params, &r, err))
		return -1;
	PQclear(r);
	return 0;
}

static void make_sql(const tr_pgc *s, const char *name, bool temporary, bool export, tr_writer *w)
{
	tr_writer_text(w, "CREATE_REPLICATION_SLOT ");
	tr_pgc_ident(w, name);
	tr_writer_text(w, temporary ? " TEMPORARY LOGICAL pgoutput" : " LOGICAL pgoutput");
	if (s->server.version < 150000)
		tr_writer_text(w, export ? " EXPORT_SNAPSHOT" : " NOEXPORT_SNAPSHOT");
	else
		tr_writer_format(w, " (SNAPSHOT '%s'%s)", export ? "export" : "nothing",
				 s->options->failover && !temporary && s->server.version >= 170000 ? ", FAILOVER" : "");
	tr_writer_u8(w, '\0');
}

int tr_pgc_slot_make(tr_pgc *s, PGconn *c, const char *name, bool temporary, uint64_t *consistent,
		     char snapshot_name[64], tr_err *err)
{
	PGresult *r = NULL;
	tr_writer sql;
	int result = -1;

	tr_writer_init(&sql, 4096);
	make_sql(s, name, temporary, snapshot_name != NULL, &sql);
	if (!tr_writer_ok(&sql)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory");
		goto out;
	}
	/* No limit of time: the server waits for every transaction that is running now. */
	if (tr_pgc_exec(c, &s->wake, TR_PGC_NO_LIMIT, "make the replication slot", (const char *)sql.data, 0, NULL, &r,
			err))
		goto out;
	if (!tr_pgc_lsn_parse(PQgetvalue(r, 0, 1), consistent)) {
		tr_err_set(err, TR_E_SOURCE_SQL,
			   "could not make the replication slot: the server's answer has no position");
		goto out;
	}
	if (snapshot_name)
		tr_text_format(snapshot_name, 64, "%s", PQgetvalue(r, 0, 2));
	result = 0;
out:
	PQclear(r);
	tr_writer_release(&sql);
	return result;
}
