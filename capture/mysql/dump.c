/*
 * A stream of raw events: registering as a replica, the dump command, packets. The server is told to send its checksums as
 * the log has them, to send a sign of life now and then, and (MariaDB) that we understand GTIDs.
 */
#include <errmsg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/mysql/mysql.h"
#include "capture/mysql/raw.h"
#include "core/clock.h"

#define FLAG_NON_BLOCK     1u /* end at the end of the log */
#define FLAG_HEARTBEAT_V2  2u /* MySQL: heartbeats with 64-bit positions */
#define FLAG_ANNOTATE      2u /* MariaDB: the statements' texts */
#define HEARTBEAT_MAX_MS   15000
#define EVENT_FALLBACK_MAX ((size_t)1 << 30)

struct tr_myc_dump {
	tr_myc *s;
	MYSQL *c;
	tr_myc_raw_dump raw;
	tr_writer gtids;
	bool begun;
};

/* --- the conversation before it ----------------------------------------------------------------- */

static int heartbeat_ms(const tr_myc *s)
{
	int ms = s->options->receive_timeout_ms / 4;

	return ms <= 0 || ms > HEARTBEAT_MAX_MS ? HEARTBEAT_MAX_MS : ms < 100 ? 100 : ms;
}

static void session_sql(const tr_myc *s, const tr_myc_dump_from *from, tr_writer *w)
{
	unsigned long long period_ns = (unsigned long long)heartbeat_ms(s) * 1000000;

	tr_writer_format(w, "SET @master_binlog_checksum = @@global.binlog_checksum, @master_heartbeat_period = %llu", period_ns);
	if (!s->mariadb) {
		tr_writer_format(w, ", @source_binlog_checksum = @@global.binlog_checksum, @source_heartbeat_period = %llu", period_ns);
		if (!from->to_end)
			tr_writer_format(w, ", @slave_uuid = '%s', @replica_uuid = '%s'", s->replica_uuid, s->replica_uuid);
	} else {
		tr_writer_text(w, ", @mariadb_slave_capability = 4");
		if (from->kind == TR_MYC_BY_DOMAIN) {
			tr_writer_text(w, ", @slave_gtid_strict_mode = 1, @slave_gtid_ignore_duplicates = 1, @slave_connect_state = '");
			tr_bl_domain_set_print(from->domains, w);
			tr_writer_u8(w, '\'');
		}
	}
	tr_writer_u8(w, '\0');
}

static int set_session(tr_myc_dump *d, const tr_myc_dump_from *from, tr_err *err)
{
	tr_writer sql;
	int result = -1;

	tr_writer_init(&sql, (size_t)4 << 20);
	session_sql(d->s, from, &sql);
	if (!tr_writer_ok(&sql))
		tr_err_set(err, TR_E_MEMORY, "out of memory");
	else
		result = tr_myc_run(d->c, &d->s->wake, "set up the stream", (const char *)sql.data, err);
	tr_writer_release(&sql);
	return result;
}

static size_t event_max(const tr_myc *s)
{
	return s->options->event_max_bytes > 0 ? (size_t)s->options->event_max_bytes : EVENT_FALLBACK_MAX;
}

/* --- errors ------------------------------------------------------------------------------------ */

static bool says(const char *text, const char *const *words)
{
	for (; *words; words++)
		if (strcasestr(text, *words))
			return true;
	return false;
}

/* 1236, "fatal error from the source when reading the binary log": one number for many reasons, told in English only. */
static int fatal_of_log(const char *text, tr_err *err)
{
	static const char *const taken[] = {"same server_uuid", "same server_id", "same uuid", NULL};
	static const char *const large[] = {"max_allowed_packet", NULL};
	static const char *const damaged[] = {"truncated", "corrupt", "checksum", "bogus data", "I/O error", NULL};

	if (says(text, taken)) {
		tr_err_set(err, TR_E_SOURCE_TAKEN_OVER, "another replica with the same server id has taken this one's place");
		tr_err_detail(err, "%s", text);
		return tr_err_hint(err, "Nothing was lost. Is this pipeline running twice? Else choose another source.server_id.");
	}
	if (says(text, large)) {
		tr_err_set(err, TR_E_SOURCE_SETTING, "the server cannot send an event that is larger than its own limit");
		tr_err_detail(err, "%s", text);
		return tr_err_hint(err, "Nothing was skipped. SET GLOBAL max_allowed_packet = 1073741824 (on MySQL also "
					"replica_max_allowed_packet), then run again.");
	}
	tr_err_set(err, says(text, damaged) ? TR_E_LOG_UNREADABLE : TR_E_POSITION_LOST,
		   "the server cannot send its log from the stored position on");
	tr_err_detail(err, "%s (1236)", text);
	return tr_err_hint(err, "%s", tr_myc_start_over);
}

static int too_large(const tr_myc *s, tr_err *err)
{
	tr_err_set(err, TR_E_BATCH_LIMIT, "an event of the log is larger than %zu bytes", event_max(s));
	return tr_err_hint(err, "Nothing was skipped. Raise limits.memory: a single event may take a quarter of it, also one of a table that is not captured.");
}

static int failed(tr_myc_dump *d, tr_err *err)
{
	unsigned number = mysql_errno(d->c);
	char text[512];

	if (atomic_load(&d->s->wake.stop) || (number != 1236 && number != CR_NET_PACKET_TOO_LARGE)) {
		tr_myc_error(d->c, &d->s->wake, "read the binary log", err);
		/* Of a missing privilege MySQL says here what it says of a wrong password; but the login has succeeded. */
		if (err->code == TR_E_SOURCE_AUTH)
			err->code = TR_E_SOURCE_PRIVILEGE;
		return err->code == TR_E_SOURCE_PRIVILEGE ? tr_myc_grant_hint(d->s, "REPLICATION SLAVE", "*.*", err) : -1;
	}
	if (number == CR_NET_PACKET_TOO_LARGE)
		return too_large(d->s, err);
	snprintf(text, sizeof(text), "%s", mysql_error(d->c));
	return fatal_of_log(text, err);
}

/* --- one dump a server id ----------------------------------------------------------------------- */

static int number_of(tr_myc_dump *d, const char *sql, char out[24], tr_err *err)
{
	return tr_myc_value(d->c, &d->s->wake, "claim the server id", sql, out, 24, NULL, err);
}

/*
 * A server throws out whoever has our number, and who that is MariaDB shows to administrators only. So those who read like
 * this keep a named lock on the dump's own connection, and a second one with their name and machine: one that a process of
 * ours left behind is ended, anybody else's is respected.
 */
static int claim(tr_myc_dump *d, tr_err *err)
{
	tr_myc *s = d->s;
	char by_number[40], by_name[120], sql[400], got[24], holder[24];

	snprintf(by_number, sizeof(by_number), "tailrace/%u", s->server_id);
	snprintf(by_name, sizeof(by_name), "tailrace/%u/%s", s->server_id, s->replica_name);
	snprintf(sql, sizeof(sql), "SELECT GET_LOCK('%s', 0)", by_number);
	if (number_of(d, sql, got, err))
		return -1;
	if (strcmp(got, "1") != 0) {
		snprintf(sql, sizeof(sql), "SELECT IF(IS_USED_LOCK('%s') = IS_USED_LOCK('%s'), IS_USED_LOCK('%s'), '')", by_number, by_name,
			 by_number);
		if (number_of(d, sql, holder, err))
			return -1;
		if (!holder[0])
			return tr_myc_server_id_taken(s, "another reader", err);
		snprintf(sql, sizeof(sql), "KILL %s", holder);
		/* It may have ended by itself; what counts is the lock. */
		if (tr_myc_run(d->c, &s->wake, "end the connection left behind", sql, err) && err->code == TR_E_INTERRUPTED)
			return -1;
		snprintf(sql, sizeof(sql), "SELECT GET_LOCK('%s', 5)", by_number);
		if (number_of(d, sql, got, err))
			return -1;
		if (strcmp(got, "1") != 0)
			return tr_myc_server_id_taken(s, "a connection that was left behind and does not end", err);
	}
	snprintf(sql, sizeof(sql), "SELECT GET_LOCK('%s', 0)", by_name);
	return number_of(d, sql, got, err);
}

/* --- open, next, close -------------------------------------------------------------------------- */

static int begin(tr_myc_dump *d, const tr_myc_dump_from *from, tr_err *err)
{
	tr_myc *s = d->s;

	if (set_session(d, from, err))
		return -1;
	if (!from->to_end && claim(d, err))
		return -1;
	/* Nobody needs to see a look back; and 0 throws out no other replica. */
	if (!from->to_end && tr_myc_raw_register(d->c, s->server_id, s->replica_name))
		return failed(d, err);
	d->raw.server_id = from->to_end ? 0 : s->server_id;
	d->raw.flags = from->to_end ? FLAG_NON_BLOCK : 0;
	if (!s->mariadb)
		d->raw.flags |= FLAG_HEARTBEAT_V2;
	else if (s->options->include_query || s->server.sums_places)
		d->raw.flags |= FLAG_ANNOTATE;
	d->raw.by_gtid = from->kind == TR_MYC_BY_GTID;
	d->raw.file = from->kind == TR_MYC_BY_FILE ? from->file : "";
	d->raw.pos = from->kind == TR_MYC_BY_FILE ? from->pos : 4;
	if (d->raw.by_gtid) {
		tr_bl_gtid_set_encode(from->gtids, &d->gtids);
		if (!tr_writer_ok(&d->gtids))
			return tr_err_set(err, TR_E_MEMORY, "out of memory");
		d->raw.gtids = tr_writer_view(&d->gtids);
	}
	if (tr_myc_raw_dump_begin(d->c, &d->raw, &s->wake))
		return failed(d, err);
	d->begun = true;
	return 0;
}

int tr_myc_dump_open(tr_myc *s, const tr_myc_dump_from *from, tr_myc_dump **out, tr_err *err)
{
	tr_myc_dump *d = calloc(1, sizeof(*d));

	*out = NULL;
	if (!d)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	d->s = s;
	tr_writer_init(&d->gtids, (size_t)32 << 20);
	if (tr_myc_open_more(s, s->options->receive_timeout_ms, &d->c, err) == 0) {
		tr_myc_raw_packet_max(d->c, event_max(s));
		if (begin(d, from, err) == 0) {
			*out = d;
			return 0;
		}
	}
	tr_myc_dump_close(d);
	return -1;
}

int tr_myc_dump_next(tr_myc_dump *d, int wait_ms, tr_slice *event, tr_err *err)
{
	int got;

	*event = tr_slice_of(NULL, 0);
	if (!tr_myc_raw_dump_pending(d->c, &d->raw)) {
		int ready = tr_myc_wait(&d->s->wake, tr_myc_raw_dump_fd(d->c, &d->raw), POLLIN, wait_ms, err);

		if (ready <= 0)
			return ready;
	}
	got = tr_myc_raw_dump_take(d->c, &d->raw, event);
	if (got == 2 && !(d->raw.flags & FLAG_NON_BLOCK)) {
		tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "the source ended the stream");
		return tr_err_hint(err, "It is tried again for source.retry_for, from the last durable position.");
	}
	if (got == 3)
		return too_large(d->s, err);
	return got < 0 ? failed(d, err) : got;
}

int tr_myc_dump_fd(const tr_myc_dump *d)
{
	return tr_myc_raw_dump_fd(d->c, &d->raw);
}

void tr_myc_dump_close(tr_myc_dump *d)
{
	if (!d)
		return;
	if (d->c && d->begun)
		tr_myc_raw_dump_end(d->c, &d->raw);
	tr_myc_close(&d->s->wake, &d->c);
	tr_writer_release(&d->gtids);
	free(d);
}
