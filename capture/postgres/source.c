/* The PostgreSQL row of sources.def: the contract of capture/source.h over the files of this folder. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/postgres/incremental.h"
#include "capture/postgres/signal.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/obj.h"
#include "core/text.h"

static tr_pgc *self(tr_source *base)
{
	TR_CHECK_OBJ(base, TR_SOURCE_MAGIC);
	return (tr_pgc *)(void *)base;
}

/* --- connections ------------------------------------------------------------------------------- */

tr_pgc_dial tr_pgc_dial_of(tr_pgc *s)
{
	return (tr_pgc_dial){.url = s->options->url,
			     .timeout_ms = s->options->connect_timeout_ms > 0 ? s->options->connect_timeout_ms : 10000,
			     .wake = &s->wake};
}

int tr_pgc_open_sql(tr_pgc *s, tr_err *err)
{
	tr_pgc_dial dial = tr_pgc_dial_of(s);

	return s->sql ? 0 : tr_pgc_connect(&s->sql, &dial, false, err);
}

int tr_pgc_open_repl(tr_pgc *s, tr_err *err)
{
	tr_pgc_dial dial = tr_pgc_dial_of(s);

	return s->repl ? 0 : tr_pgc_connect(&s->repl, &dial, true, err);
}

int tr_pgc_sql(tr_pgc *s, const char *what, const char *sql, size_t param_count, const char *const *params,
	       PGresult **out, tr_err *err)
{
	return tr_pgc_exec(s->sql, &s->wake, TR_PGC_QUERY_MS, what, sql, param_count, params, out, err);
}

static void close_connections(tr_pgc *s)
{
	PQfinish(s->repl);
	PQfinish(s->sql);
	s->repl = s->sql = NULL;
}

/* --- open and free ----------------------------------------------------------------------------- */

/* Slot names may only have lower-case letters, digits and underscores. */
static void default_name(char out[TR_PGC_NAME_MAX], const char *given, const char *pipeline, bool slot)
{
	tr_text_format(out, TR_PGC_NAME_MAX, given ? "%s" : "tailrace_%s", given ? given : pipeline);
	if (given || !slot)
		return;
	for (char *at = out; *at; at++) {
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
		else if (!((*at >= 'a' && *at <= 'z') || (*at >= '0' && *at <= '9')))
			*at = '_';
	}
}

static void source_free(tr_source *base)
{
	tr_pgc *s;

	if (!base)
		return;
	s = self(base);
	tr_pgc_stream_stop(s);
	close_connections(s);
	tr_pgc_incremental_free(s->incremental);
	tr_pgc_catalog_release(&s->catalog);
	tr_filter_free(s->filter);
	tr_pgc_wake_release(&s->wake);
	s->base.magic = 0;
	free(s);
}

/* PostGIS keeps its reference data in a user's schema; Debezium never captures it, either. */
static bool is_system_table(const char *schema, const char *name)
{
	return strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0 ||
	       strcmp(name, "spatial_ref_sys") == 0;
}

extern const tr_source_ops tr_source_postgres;

static int source_open(tr_source **out, const char *name, const tr_source_options *options,
		       const tr_event_options *events, tr_metrics *metrics, tr_err *err)
{
	tr_pgc *s = calloc(1, sizeof(*s));
	int result = -1;

	*out = NULL;
	if (!s)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	s->base = (tr_source){.magic = TR_SOURCE_MAGIC, .ops = &tr_source_postgres};
	s->options = options;
	s->events = events;
	s->metrics = metrics;
	s->plan = TR_PGC_SLOT_MAKE; /* nothing is known to be there */
	s->wake.fd = -1;
	tr_text_format(s->name, sizeof(s->name), "%s", name ? name : "tailrace");
	default_name(s->slot, options->slot, s->name, true);
	default_name(s->publication, options->publication, s->name, false);
	if (tr_pgc_catalog_init(&s->catalog, err) || tr_pgc_wake_init(&s->wake, err) ||
	    tr_filter_new(&s->filter, options, is_system_table, err) || tr_pgc_incremental_new(&s->incremental, err))
		goto out;
	s->catalog.sql = &s->sql;
	s->catalog.wake = &s->wake;
	s->catalog.filter = s->filter;
	s->catalog.events = events;
	s->catalog.database = s->server.id.database;
	s->catalog.signal_table = options->signal_table;
	s->catalog.metrics = metrics;
	*out = &s->base;
	result = 0;
out:
	if (result)
		source_free(&s->base);
	return result;
}

/* --- prepare ----------------------------------------------------------------------------------- */

static int slot_taken(tr_pgc *s, tr_err *err)
{
	tr_err_set(err, TR_E_SLOT_FOREIGN,
		   "replication slot \"%s\" exists already, but this pipeline has no position for it", s->slot);
	return tr_err_hint(
	    err,
	    "It may belong to another pipeline, so nothing was touched. If it is a leftover: SELECT "
	    "pg_drop_replication_slot('%s'); to start from where it stands: snapshot.mode never; to take a snapshot "
	    "and go on with this slot: source.create false; or choose another name with source.slot.",
	    s->slot);
}

static int slot_absent(tr_pgc *s, tr_err *err)
{
	tr_err_set(err, TR_E_SLOT_MISSING, "replication slot \"%s\" does not exist, and source.create is false",
		   s->slot);
	return tr_err_hint(
	    err, "Make it: SELECT pg_create_logical_replication_slot('%s', 'pgoutput'); or set source.create to true.",
	    s->slot);
}

/* No position yet: which slot will be used, and does it have to be made. */
static int plan_new(tr_pgc *s, const tr_pgc_slot *slot, bool started_before, tr_err *err)
{
	bool snapshot = tr_source_reads_rows(s->options);

	s->position = (tr_pgc_position){0};
	if (s->options->snapshot_mode == TR_SNAPSHOT_ONLY) {
		s->plan = TR_PGC_SLOT_BORROW;
		return 0;
	}
	if (!slot->exists) {
		s->plan = TR_PGC_SLOT_MAKE;
		return 0;
	}
	if (!s->options->create || !snapshot) {
		s->plan = TR_PGC_SLOT_USE;
		s->position.lsn = slot->confirmed_lsn;
		return tr_pgc_slot_serves(s, slot, UINT64_MAX, err);
	}
	if (!started_before)
		return tr_pgc_slot_usable(s, slot, err) ? -1 : slot_taken(s, err);
	/* Ours, from a start that was interrupted: its exported snapshot is gone, so it is of no use. */
	if (!slot->logical || strcmp(slot->plugin, "pgoutput") != 0 ||
	    strcmp(slot->database, s->server.id.database) != 0)
		return tr_pgc_slot_usable(s, slot, err);
	s->plan = TR_PGC_SLOT_REMAKE;
	return 0;
}

/* A server put back to an older copy of itself has the same identity; streaming would wait for its log to reach the
 * stored position and leave out what is written until then. What we stored the server had flushed, so a crash alone
 * cannot do this; a standby, however, may not have replayed it yet. */
static int log_reaches(tr_pgc *s, uint64_t position, tr_err *err)
{
	char stored[TR_PGC_LSN_TEXT], end[TR_PGC_LSN_TEXT];

	if (s->server.log_end >= position)
		return 0;
	tr_pgc_lsn_format(stored, position);
	tr_pgc_lsn_format(end, s->server.log_end);
	tr_err_set(err, s->server.standby ? TR_E_SOURCE_UNAVAILABLE : TR_E_POSITION_LOST,
		   "the server's log ends before the stored position");
	tr_err_detail(err, "end of the log %s, stored %s", end, stored);
	if (s->server.standby)
		return tr_err_hint(err,
				   "The standby has not replayed that far; it is tried again for source.retry_for.");
	return tr_err_hint(
	    err,
	    "The server was restored from an older backup, so what was published after it is not in the "
	    "database. Nothing was read. Start over with a new snapshot: drop slot \"%s\" if it exists, then "
	    "`tailrace offsets reset`, then run.",
	    s->slot);
}

static int plan_resumed(tr_pgc *s, const tr_pgc_slot *slot, tr_slice position, tr_err *err)
{
	if (!tr_pgc_position_read(position, &s->position)) {
		tr_err_set(err, TR_E_STATE_CORRUPT, "the stored position cannot be read");
		tr_err_detail(err, "%.*s", (int)(position.len < 200 ? position.len : 200), (const char *)position.ptr);
		return tr_err_hint(
		    err, "A position of PostgreSQL looks like {\"lsn\":\"0/16B3748\"}; see `tailrace offsets show`.");
	}
	if (s->options->snapshot_mode == TR_SNAPSHOT_ONLY) {
		s->plan = TR_PGC_SLOT_BORROW;
		return 0;
	}
	s->plan = TR_PGC_SLOT_USE;
	return log_reaches(s, s->position.lsn, err) ? -1 : tr_pgc_slot_serves(s, slot, s->position.lsn, err);
}

static int check_identity(tr_pgc *s, tr_slice text, tr_slice position, const tr_pgc_slot *slot, tr_err *err)
{
	tr_pgc_identity stored;
	tr_pgc_position at = {0};

	if (text.len == 0)
		return 0;
	if (!tr_pgc_identity_read(text, &stored)) {
		tr_err_set(err, TR_E_STATE_CORRUPT, "the stored identity of the source cannot be read");
		return tr_err_detail(err, "%.*s", (int)(text.len < 200 ? text.len : 200), (const char *)text.ptr);
	}
	if (position.len > 0 && !tr_pgc_position_read(position, &at))
		at.lsn = 0;
	return tr_pgc_identity_check(s, &stored, at.lsn, slot, err);
}

static int source_prepare(tr_source *base, tr_slice position, tr_slice identity, bool *snapshot, tr_err *err)
{
	tr_pgc *s = self(base);
	tr_pgc_slot slot;
	int planned;

	*snapshot = false;
	if (tr_pgc_open_sql(s, err) || tr_pgc_open_repl(s, err) || tr_pgc_server_read(s, err))
		return -1;
	if (tr_pgc_slot_read(s, &slot, err) || check_identity(s, identity, position, &slot, err))
		return -1;
	atomic_store(&s->lag.retained_bytes, slot.retained_bytes);
	planned = position.len > 0 ? plan_resumed(s, &slot, position, err) : plan_new(s, &slot, identity.len > 0, err);
	if (planned)
		return -1;
	if (tr_pgc_incremental_load(s, position, err))
		return -1;
	/* Before the slot: the server looks a publication up as of the change it decodes. */
	if (tr_pgc_publication_prepare(s, err))
		return -1;
	if (s->plan == TR_PGC_SLOT_MAKE && !s->options->create)
		return slot_absent(s, err);
	atomic_store(&s->confirmed, s->position.lsn);
	*snapshot = position.len == 0 && tr_source_reads_rows(s->options);
	return 0;
}

static void source_identity(tr_source *base, tr_source_identity *out)
{
	tr_pgc_identity_write(&self(base)->server.id, out->text, sizeof(out->text));
}

static const char *source_database(tr_source *base)
{
	return self(base)->server.id.database;
}

/* --- running ----------------------------------------------------------------------------------- */

static int source_check(tr_source *base, tr_finding_fn report, void *context, tr_err *err)
{
	return tr_pgc_check(self(base), report, context, err);
}

static int source_tables(tr_source *base, tr_catalogue *catalogue, tr_source_table_fn each, void *context, tr_err *err)
{
	return tr_pgc_plan(self(base), catalogue, each, context, err);
}

static int source_snapshot(tr_source *base, const tr_snapshot_host *host, tr_err *err)
{
	return tr_pgc_snapshot(self(base), host, err);
}

static int source_start(tr_source *base, tr_listener *l, tr_err *err)
{
	tr_pgc *s = self(base);

	TR_CHECK_OBJ(l, TR_LISTENER_MAGIC);
	if (s->plan == TR_PGC_SLOT_MAKE || s->plan == TR_PGC_SLOT_REMAKE) {
		if (s->plan == TR_PGC_SLOT_REMAKE && tr_pgc_slot_drop(s, err))
			return -1;
		if (tr_pgc_slot_make(s, s->repl, s->slot, false, &s->position.lsn, NULL, err))
			return -1;
		s->plan = TR_PGC_SLOT_USE;
		tr_log(TR_LOG_INFO, s->name, "slot.created", "replication slot \"%s\" was made", s->slot);
	}
	return tr_pgc_signal_probe(s, err) ? -1 : tr_pgc_stream_start(s, l, err);
}

static int source_read(tr_source *base, tr_listener *l, int wait_ms, tr_err *err)
{
	return tr_pgc_stream_read(self(base), l, wait_ms, err);
}

static void source_position(tr_source *base, tr_writer *out)
{
	tr_pgc *s = self(base);
	tr_pgc_position p = s->stream ? tr_pgc_stream_position(s) : s->position;

	p.incremental = s->incremental->progress.text;
	if (p.lsn != 0)
		tr_pgc_position_write(&p, out);
}

static void source_confirm(tr_source *base, tr_slice position)
{
	tr_pgc *s = self(base);
	tr_pgc_position p;
	uint64_t known = atomic_load(&s->confirmed);

	/* Inside a transaction only what committed before it may be confirmed, and that is `lsn`. */
	if (!tr_pgc_position_read(position, &p))
		return;
	while (p.lsn > known && !atomic_compare_exchange_weak(&s->confirmed, &known, p.lsn))
		;
}

static void source_leaves(tr_source *base, tr_source_left *out)
{
	tr_pgc_leaves(self(base), out);
}

static int source_drop(tr_source *base, char *what, size_t size, tr_err *err)
{
	return tr_pgc_drop(self(base), what, size, err);
}

static bool source_caught_up(tr_source *base)
{
	return tr_pgc_stream_caught_up(self(base));
}

static void source_lag(tr_source *base, tr_source_lag *out)
{
	tr_pgc_lag *lag = &self(base)->lag;
	uint64_t end = atomic_load_explicit(&lag->log_end, memory_order_relaxed);
	uint64_t reported = atomic_load_explicit(&lag->reported, memory_order_relaxed);
	int64_t commit_us = atomic_load_explicit(&lag->newest_commit_us, memory_order_relaxed);
	int64_t age_us = commit_us ? tr_clock_wall_ns() / 1000 - commit_us : 0;

	*out = (tr_source_lag){.lag_bytes = end > reported ? end - reported : 0,
			       .lag_us = age_us > 0 ? age_us : 0,
			       .retained_bytes = atomic_load_explicit(&lag->retained_bytes, memory_order_relaxed)};
}

static void source_interrupt(tr_source *base)
{
	tr_pgc_wake_set(&self(base)->wake);
}

static void source_disconnect(tr_source *base)
{
	tr_pgc *s = self(base);

	tr_pgc_stream_stop(s);
	close_connections(s);
	tr_pgc_wake_clear(&s->wake);
}

const tr_source_ops tr_source_postgres = {
    .kind = "postgres",
    .schemes = "postgres postgresql",
    .connector = "postgresql",
    .open = source_open,
    .source_type = tr_pgc_source_type,
    .check = source_check,
    .tables = source_tables,
    .prepare = source_prepare,
    .identity = source_identity,
    .database = source_database,
    .snapshot = source_snapshot,
    .start = source_start,
    .read = source_read,
    .position = source_position,
    .confirm = source_confirm,
    .leaves = source_leaves,
    .drop = source_drop,
    .compare = tr_pgc_position_compare,
    .caught_up = source_caught_up,
    .lag = source_lag,
    .interrupt = source_interrupt,
    .disconnect = source_disconnect,
    .free = source_free,
};
