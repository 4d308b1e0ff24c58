/*
 * The point of a snapshot: views of several connections that show the same moment, and the place of the log that this moment
 * is. Changes are in the log, and sent to replicas, before they can be seen by a SELECT; so a place that was read beside a
 * view proves nothing by itself. What does is said at each of the ways below. They are tried in this order: without a lock,
 * FLUSH TABLES WITH READ LOCK, LOCK TABLES of the captured tables, and on MariaDB a single reader.
 */
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "capture/mysql/snapshot.h"
#include "capture/mysql/stream.h"
#include "core/log.h"

#define QUIET_ATTEMPTS 40
#define LOCK_WAIT_S    15

static const char what[] = "begin the snapshot";

typedef struct point {
	tr_myc_snapshot_run *run;
	tr_myc *s;
	MYSQL *const *readers;
	unsigned count;
} point;

static int run_on(const point *p, MYSQL *m, const char *sql, tr_err *err)
{
	return tr_myc_run(m, &p->s->wake, what, sql, err);
}

static int begin_views(const point *p, tr_err *err)
{
	for (unsigned i = 0; i < p->count; i++)
		if (run_on(p, p->readers[i], "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", err))
			return -1;
	return 0;
}

static int end_views(const point *p, tr_err *err)
{
	for (unsigned i = 0; i < p->count; i++)
		if (run_on(p, p->readers[i], "ROLLBACK", err))
			return -1;
	return 0;
}

/* --- MySQL with GTIDs, between two transactions ------------------------------------------------ */

static int read_executed(const point *p, tr_bl_gtid_set *out, tr_err *err)
{
	MYSQL_RES *r;
	MYSQL_ROW row;
	int result = -1;

	if (tr_myc_query(p->s->sql, &p->s->wake, what, "SELECT @@GLOBAL.gtid_executed", &r, err))
		return -1;
	row = mysql_fetch_row(r);
	if (row && row[0])
		result = tr_bl_gtid_set_parse(out, tr_slice_str(row[0]), err);
	else
		tr_err_set(err, TR_E_SOURCE_SQL, "the server does not tell its executed GTIDs");
	mysql_free_result(r);
	return result;
}

/*
 * *found: the views show exactly the transactions of `executed`. The proof:
 * - A transaction gets its GTID, owned, together with its place in the log, and gives it up, now executed, after the engine
 *   has committed. So when nothing is owned after the end of the log was read at P1, all of the log up to P1 is committed
 *   in the engine, and executed; the views, which begin later, show it: no gap.
 * - When the log still ends at P1 after the views have begun, nothing was logged in between. What the views show was logged
 *   before, hence up to P1, hence is in `executed`: no overlap.
 * - An XA transaction that was prepared and is not visible is listed by XA RECOVER, unless it ended before that; but its end
 *   would have been logged behind P1.
 */
static int try_quiet(const point *p, bool *found, tr_err *err)
{
	char owned[64], before[TR_BL_FILE_MAX], after[TR_BL_FILE_MAX];
	tr_myc *s = p->s;
	uint64_t before_pos, after_pos;
	bool told;

	*found = false;
	if (tr_myc_log_end(s->sql, &s->wake, before, &before_pos, err) ||
	    tr_myc_value(s->sql, &s->wake, what, "SELECT @@GLOBAL.gtid_owned", owned, sizeof(owned), &told, err))
		return -1;
	if (*owned)
		return 0;
	if (read_executed(p, &s->server.executed, err) || begin_views(p, err) || tr_myc_xa_none_pending(s, err) ||
	    tr_myc_log_end(s->sql, &s->wake, after, &after_pos, err))
		return -1;
	*found = before_pos == after_pos && strcmp(before, after) == 0;
	if (!*found)
		return end_views(p, err);
	snprintf(s->server.log_file, sizeof(s->server.log_file), "%s", before);
	s->server.log_pos = before_pos;
	return tr_myc_server_now(s, &p->run->point, err);
}

/* --- MariaDB: views that know their place ------------------------------------------------------ */

typedef struct view_place {
	char file[TR_BL_FILE_MAX];
	uint64_t position;
} view_place;

static int read_view_place(const point *p, MYSQL *m, view_place *out, tr_err *err)
{
	MYSQL_RES *r;
	MYSQL_ROW row;

	*out = (view_place){0};
	if (tr_myc_query(m, &p->s->wake, what, "SHOW STATUS LIKE 'binlog\\_snapshot\\_%'", &r, err))
		return -1;
	while ((row = mysql_fetch_row(r))) {
		if (strcasecmp(row[0], "Binlog_snapshot_file") == 0)
			snprintf(out->file, sizeof(out->file), "%s", row[1]);
		else if (strcasecmp(row[0], "Binlog_snapshot_position") == 0)
			out->position = strtoull(row[1], NULL, 10);
	}
	mysql_free_result(r);
	if (*out->file)
		return 0;
	tr_err_set(err, TR_E_SOURCE_SETTING, "the server does not tell the place of a consistent snapshot");
	return tr_err_hint(err, "Nothing was read. The binary log has to be on, in files (Binlog_snapshot_file).");
}

static int domains_at(const point *p, const view_place *at, tr_bl_domain_set *out, tr_err *err)
{
	MYSQL_RES *r = NULL;
	MYSQL_ROW row;
	tr_writer w;
	int result = -1;

	tr_writer_init(&w, 1 << 16);
	tr_writer_text(&w, "SELECT BINLOG_GTID_POS(");
	tr_myc_literal(&w, at->file);
	tr_writer_format(&w, ", %llu)", (unsigned long long)at->position);
	tr_writer_u8(&w, '\0');
	if (tr_myc_query(p->s->sql, &p->s->wake, what, (const char *)w.data, &r, err))
		goto out;
	row = mysql_fetch_row(r);
	if (row && row[0])
		result = tr_bl_domain_set_parse(out, tr_slice_str(row[0]), err);
	else
		tr_err_set(err, TR_E_SNAPSHOT_FAILED, "the server does not know its GTIDs at %s:%llu", at->file,
			   (unsigned long long)at->position);
out:
	if (r)
		mysql_free_result(r);
	tr_writer_release(&w);
	return result;
}

/*
 * *found: all views show the same place. The server takes a consistent snapshot while it holds the lock under which engines
 * commit in the order of the log (LOCK_commit_ordered), and notes the place of the newest transaction that has committed in
 * that way: what is before the place can be seen, and nothing behind it. An XA transaction that is prepared is listed by XA
 * RECOVER; one that ended since the view began stops the stream at its end.
 */
static int try_views(const point *p, bool *found, tr_err *err)
{
	tr_myc *s = p->s;
	view_place first, other;

	*found = true;
	if (begin_views(p, err) || read_view_place(p, p->readers[0], &first, err))
		return -1;
	for (unsigned i = 1; i < p->count && *found; i++) {
		if (read_view_place(p, p->readers[i], &other, err))
			return -1;
		*found = first.position == other.position && strcmp(first.file, other.file) == 0;
	}
	if (!*found)
		return end_views(p, err);
	if (tr_myc_xa_none_pending(s, err) || domains_at(p, &first, &s->server.domains, err))
		return -1;
	snprintf(s->server.log_file, sizeof(s->server.log_file), "%s", first.file);
	s->server.log_pos = first.position;
	return tr_myc_server_now(s, &p->run->point, err);
}

/* --- behind a lock ----------------------------------------------------------------------------- */

/* We may not, the lock could not be had in time, or the server cannot: then there are other ways. */
static bool is_refusal(MYSQL *m)
{
	switch (mysql_errno(m)) {
	case ER_SPECIFIC_ACCESS_DENIED_ERROR:
	case ER_DBACCESS_DENIED_ERROR:
	case ER_TABLEACCESS_DENIED_ERROR:
	case ER_ACCESS_DENIED_ERROR:
	case ER_LOCK_WAIT_TIMEOUT:
		return true;
	default:
		return false;
	}
}

static int take_locked(const point *p, tr_err *err)
{
	tr_myc *s = p->s;

	if (begin_views(p, err) || tr_myc_xa_none_pending(s, err) || tr_myc_server_place(s, err))
		return -1;
	return tr_myc_server_now(s, &p->run->point, err);
}

/*
 * Both locks are given only when no transaction is between its place in the log and its commit in the engine: FLUSH TABLES
 * WITH READ LOCK waits for all commits; LOCK TABLES waits for the metadata locks that transactions keep on the tables they
 * have changed until they are committed, so it holds for the captured tables, and others do not matter. Under the lock
 * nothing of them is logged. The lock is kept for the few statements that begin the views.
 */
static int try_lock(const point *p, const char *lock_sql, bool *found, tr_err *err)
{
	tr_myc *s = p->s;
	char sql[64];
	int result;

	*found = false;
	snprintf(sql, sizeof(sql), "SET SESSION lock_wait_timeout = %d", LOCK_WAIT_S);
	if (run_on(p, s->sql, sql, err))
		return -1;
	if (run_on(p, s->sql, lock_sql, err)) {
		if (!is_refusal(s->sql))
			return -1;
		tr_log(TR_LOG_INFO, s->name, "snapshot.lock", "no lock for the snapshot: %s", err->detail);
		tr_err_clear(err);
		return 0;
	}
	result = take_locked(p, err);
	*found = result == 0;
	/* Also after an error; the connection is closed when even this fails. */
	if (run_on(p, s->sql, "UNLOCK TABLES", result ? NULL : err))
		result = -1;
	return result;
}

static int try_lock_tables(const point *p, bool *found, tr_err *err)
{
	const tr_myc_snapshot_run *run = p->run;
	tr_writer w;
	int result;

	*found = false;
	if (run->table_count == 0)
		return 0;
	tr_writer_init(&w, (size_t)64 << 20);
	for (size_t i = 0; i < run->table_count; i++) {
		tr_writer_text(&w, i ? ", " : "LOCK TABLES ");
		tr_myc_qualified(&w, run->tables[i].listed->database, run->tables[i].listed->name);
		tr_writer_text(&w, " READ");
	}
	tr_writer_u8(&w, '\0');
	result = tr_writer_ok(&w) ? try_lock(p, (const char *)w.data, found, err)
				  : tr_err_set(err, TR_E_MEMORY, "out of memory for the names of the tables");
	tr_writer_release(&w);
	return result;
}

/* --- the ways ---------------------------------------------------------------------------------- */

static int try_without_lock(const point *p, bool *found, tr_err *err)
{
	*found = false;
	if (!p->s->server.mariadb && !p->s->server.gtid)
		return 0;
	for (int i = 0; i < QUIET_ATTEMPTS && !*found; i++) {
		if (p->s->server.mariadb ? try_views(p, found, err) : try_quiet(p, found, err))
			return -1;
		if (!*found && tr_myc_wait(&p->s->wake, -1, 0, 1 + i / 2, err) < 0)
			return -1;
	}
	return 0;
}

static int refuse(const point *p, tr_err *err)
{
	tr_err_set(err, TR_E_SOURCE_PRIVILEGE, "no consistent point for the snapshot could be had");
	tr_err_detail(err, "%s, and the role may not lock tables",
		      p->s->server.gtid ? "transactions are committed all the time"
					: "without GTIDs a lock is needed for a moment");
	return tr_err_hint(err,
			   "Nothing was read. Run GRANT RELOAD ON *.* TO %s (or GRANT LOCK TABLES on the captured databases), or "
			   "start when fewer transactions run.",
			   *p->s->server.user ? p->s->server.user : "the role");
}

static int done(const point *p, const char *how)
{
	tr_log(TR_LOG_INFO, p->s->name, "snapshot.point", "the snapshot shows %s:%llu, %s, %u reader%s",
	       p->run->point.file, (unsigned long long)p->run->point.pos, how, p->count, p->count == 1 ? "" : "s");
	return 0;
}

int tr_myc_point_take(tr_myc_snapshot_run *run, unsigned *count, tr_err *err)
{
	point p = {.run = run, .s = run->s, .readers = run->connections, .count = *count};
	bool found;

	if (try_without_lock(&p, &found, err))
		return -1;
	if (found)
		return done(&p, "without a lock");
	if (try_lock(&p, "FLUSH TABLES WITH READ LOCK", &found, err))
		return -1;
	if (found)
		return done(&p, "by a short global read lock");
	if (try_lock_tables(&p, &found, err))
		return -1;
	if (found)
		return done(&p, "by a short lock of the tables");
	if (!p.s->server.mariadb)
		return refuse(&p, err);
	*count = p.count = 1;
	if (try_views(&p, &found, err))
		return -1;
	return done(&p, "without a lock");
}
