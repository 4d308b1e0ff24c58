/* The mysql and mariadb rows of sources.def: the contract of capture/source.h over the files of this folder. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/mysql/incremental.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/obj.h"
#include "core/text.h"

static tr_myc *self(tr_source *base)
{
	TR_CHECK_OBJ(base, TR_SOURCE_MAGIC);
	return (tr_myc *)(void *)base;
}

/* --- connections ------------------------------------------------------------------------------- */

static tr_myc_dial dial_of(tr_myc *s)
{
	return (tr_myc_dial){.url = &s->url,
			     .host = s->host,
			     .timeout_ms = s->options->connect_timeout_ms > 0 ? s->options->connect_timeout_ms : 10000,
			     /* A server that says nothing is noticed here as late as in the stream, not later. */
			     .read_ms = s->options->receive_timeout_ms,
			     .wake = &s->wake};
}

int tr_myc_open_sql(tr_myc *s, tr_err *err)
{
	tr_myc_dial dial = dial_of(s);

	return s->sql ? 0 : tr_myc_connect(&s->sql, &dial, &s->host, err);
}

void tr_myc_dial_more(tr_myc *s, tr_myc_url *one, tr_myc_dial *out)
{
	*one = s->url;
	one->hosts[0] = s->url.hosts[s->host];
	one->host_count = 1;
	*out = dial_of(s);
	out->url = one;
	out->host = 0;
}

/* To the host that `sql` is connected to, and to no other: two servers of one url need not stand at one place. */
int tr_myc_open_more(tr_myc *s, int read_ms, MYSQL **out, tr_err *err)
{
	tr_myc_url one;
	tr_myc_dial dial;

	*out = NULL;
	if (tr_myc_open_sql(s, err))
		return -1;
	tr_myc_dial_more(s, &one, &dial);
	dial.read_ms = read_ms;
	return tr_myc_connect(out, &dial, NULL, err);
}

/* --- open and free ----------------------------------------------------------------------------- */

static uint64_t hash_of(const char *text, uint64_t seed)
{
	uint64_t hash = UINT64_C(14695981039346656037) ^ seed;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
	return hash;
}

/*
 * As a replica we have a number and a uuid. The number comes from the pipeline's name, far from those people give. The
 * uuid comes from name and machine: so a dump that a crash of ours left behind is thrown out when we come again, but not
 * that of a namesake on another machine. The instances of a fleet are one replica, wherever they run.
 */
static void name_replica(tr_myc *s)
{
	char machine[65] = "";
	uint64_t high, low;

	if (s->options->fleet)
		tr_text_format(machine, sizeof(machine), "fleet.%s", s->options->fleet);
	else if (gethostname(machine, sizeof(machine) - 1) != 0)
		snprintf(machine, sizeof(machine), "localhost");
	s->server_id = s->options->server_id;
	if (s->server_id == 0)
		s->server_id = 0x40000000u | (uint32_t)(hash_of(s->name, 0) & 0x3fffffff);
	tr_text_format(s->replica_name, 61, "%.35s@%.24s", s->name, machine);
	/* It stands in statements and in the server's lists. */
	for (char *c = s->replica_name; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("-_.@", *c))
			*c = '_';
	high = hash_of(s->name, hash_of(machine, 1));
	low = hash_of(s->name, hash_of(machine, 2));
	snprintf(s->replica_uuid, sizeof(s->replica_uuid), "%08x-%04x-8%03x-8%03x-%012llx", (unsigned)(high >> 32),
		 (unsigned)(high >> 16 & 0xffff), (unsigned)(high & 0xfff), (unsigned)(low >> 52),
		 (unsigned long long)(low & 0xffffffffffff));
}

static void close_connections(tr_myc *s)
{
	tr_myc_close(&s->wake, &s->sql);
}

static void source_free(tr_source *base)
{
	tr_myc *s;

	if (!base)
		return;
	s = self(base);
	tr_myc_stream_stop(s);
	close_connections(s);
	tr_myc_incremental_free(s->incremental);
	tr_myc_catalog_release(&s->catalog);
	tr_filter_free(s->filter);
	tr_myc_position_release(&s->position);
	tr_myc_server_release(&s->server);
	tr_myc_url_release(&s->url);
	tr_myc_wake_release(&s->wake);
	s->base.magic = 0;
	free(s);
}

extern const tr_source_ops tr_source_mysql, tr_source_mariadb;

static int init_source(tr_myc *s, tr_err *err)
{
	if (tr_myc_catalog_init(&s->catalog, err) || tr_myc_wake_init(&s->wake, err) ||
	    tr_myc_url_parse(&s->url, s->options->url, err) ||
	    tr_filter_new(&s->filter, s->options, tr_myc_is_system, err) || tr_myc_incremental_new(&s->incremental, err))
		return -1;
	s->catalog.source = s;
	s->catalog.sql = &s->sql;
	s->catalog.wake = &s->wake;
	s->catalog.filter = s->filter;
	s->catalog.events = s->events;
	s->catalog.signal_table = s->options->signal_table;
	s->catalog.mariadb = &s->mariadb;
	s->catalog.metrics = s->metrics;
	name_replica(s);
	return 0;
}

static int open_flavour(tr_source **out, bool mariadb, const char *name, const tr_source_options *options,
			const tr_event_options *events, tr_metrics *metrics, tr_err *err)
{
	tr_myc *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	s->base = (tr_source){.magic = TR_SOURCE_MAGIC, .ops = mariadb ? &tr_source_mariadb : &tr_source_mysql};
	s->mariadb = mariadb;
	s->options = options;
	s->events = events;
	s->metrics = metrics;
	s->wake.fd = -1;
	tr_text_format(s->name, sizeof(s->name), "%s", name ? name : "tailrace");
	if (init_source(s, err)) {
		source_free(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}

static int open_mysql(tr_source **out, const char *name, const tr_source_options *options, const tr_event_options *events,
		      tr_metrics *metrics, tr_err *err)
{
	return open_flavour(out, false, name, options, events, metrics, err);
}

static int open_mariadb(tr_source **out, const char *name, const tr_source_options *options, const tr_event_options *events,
			tr_metrics *metrics, tr_err *err)
{
	return open_flavour(out, true, name, options, events, metrics, err);
}

/* --- prepare ----------------------------------------------------------------------------------- */

static int not_row_format(const tr_myc *s, tr_err *err)
{
	tr_err_set(err, TR_E_SOURCE_SETTING, "the server's binlog_format is not ROW");
	return tr_err_hint(err, "Nothing was read. %s, and in the server's configuration; sessions that are open keep the old format.",
			   s->mariadb ? "SET GLOBAL binlog_format = 'ROW'" : "SET PERSIST binlog_format = 'ROW'");
}

static int read_position(tr_myc *s, tr_slice text, tr_err *err)
{
	if (tr_myc_position_read(&s->position, text, err) == 0)
		return 0;
	tr_err_set(err, TR_E_STATE_CORRUPT, "the stored position cannot be read");
	tr_err_detail(err, "%.*s", (int)(text.len < 200 ? text.len : 200), (const char *)text.ptr);
	return tr_err_hint(err, "A position looks like {\"%s\":\"...\",\"file\":\"binlog.000001\",\"pos\":4}; see `tailrace offsets show`.",
			   s->mariadb ? "gtid" : "gtid_set");
}

static int check_identity(tr_myc *s, tr_slice text, tr_err *err)
{
	tr_myc_identity stored;

	if (text.len == 0)
		return 0;
	if (!tr_myc_identity_read(text, &stored)) {
		tr_err_set(err, TR_E_STATE_CORRUPT, "the stored identity of the source cannot be read");
		return tr_err_detail(err, "%.*s", (int)(text.len < 200 ? text.len : 200), (const char *)text.ptr);
	}
	return tr_myc_identity_check(s, &stored, err);
}

/* Before a long snapshot: whether there is anything to capture, and whether the log may be read afterwards. */
static int try_rights(tr_myc *s, tr_err *err)
{
	tr_myc_dump_from from = {.kind = TR_MYC_BY_FILE, .file = s->server.log_file, .pos = s->server.log_pos, .to_end = true};
	tr_myc_dump *dump = NULL;
	tr_myc_list list;
	tr_slice event;
	size_t count;
	int result;

	if (tr_myc_catalog_list(&s->catalog, false, &list, err))
		return -1;
	count = list.count;
	tr_myc_list_release(&list);
	if (count == 0)
		return tr_myc_no_table(s, err);
	result = tr_myc_dump_open(s, &from, &dump, err);
	if (result == 0)
		result = tr_myc_dump_next(dump, TR_MYC_QUERY_MS, &event, err) < 0 ? -1 : 0;
	tr_myc_dump_close(dump);
	return result;
}

static int plan_new(tr_myc *s, tr_err *err)
{
	tr_myc_position_release(&s->position);
	if (try_rights(s, err))
		return -1;
	if (s->options->snapshot_mode != TR_SNAPSHOT_NEVER)
		return 0;
	return tr_myc_xa_none_pending(s, err) ? -1 : tr_myc_server_now(s, &s->position, err);
}

static int plan_resumed(tr_myc *s, tr_slice position, tr_err *err)
{
	if (read_position(s, position, err))
		return -1;
	return s->options->snapshot_mode == TR_SNAPSHOT_ONLY ? 0 : tr_myc_server_serves(s, &s->position, err);
}

static int source_prepare(tr_source *base, tr_slice position, tr_slice identity, bool *snapshot, tr_err *err)
{
	tr_myc *s = self(base);

	*snapshot = false;
	if (tr_myc_open_sql(s, err) || tr_myc_server_read(s, err) || check_identity(s, identity, err))
		return -1;
	if (!s->server.row_format)
		return not_row_format(s, err);
	if (position.len > 0 ? plan_resumed(s, position, err) : plan_new(s, err))
		return -1;
	if (tr_myc_incremental_load(s, tr_slice_str(s->position.incremental), err))
		return -1;
	*snapshot = position.len == 0 && s->options->snapshot_mode != TR_SNAPSHOT_NEVER;
	return 0;
}

static int source_serves(tr_source *base, tr_slice position, tr_slice identity, tr_err *err)
{
	tr_myc *s = self(base);

	return tr_myc_open_sql(s, err) || tr_myc_server_read(s, err) || check_identity(s, identity, err) ||
		       (position.len > 0 && plan_resumed(s, position, err))
		   ? -1
		   : 0;
}

static void source_identity(tr_source *base, tr_source_identity *out)
{
	tr_myc_identity_write(&self(base)->server.id, out->text, sizeof(out->text));
}

/* The server has many; each event names its own. */
static const char *source_database(tr_source *base)
{
	const char *database = self(base)->url.database;

	return database ? database : "";
}

/* --- running ----------------------------------------------------------------------------------- */

static int source_check(tr_source *base, tr_finding_fn report, void *context, tr_err *err)
{
	return tr_myc_check(self(base), report, context, err);
}

static int source_tables(tr_source *base, tr_catalogue *catalogue, tr_source_table_fn each, void *context, tr_err *err)
{
	return tr_myc_plan(self(base), catalogue, each, context, err);
}

static int source_snapshot(tr_source *base, const tr_snapshot_host *host, tr_err *err)
{
	return tr_myc_snapshot(self(base), host, err);
}

static int source_start(tr_source *base, tr_listener *l, tr_err *err)
{
	tr_myc *s = self(base);

	TR_CHECK_OBJ(l, TR_LISTENER_MAGIC);
	if (s->position.kind == TR_MYC_BY_NOTHING)
		return tr_err_set(err, TR_E_BUG, "the stream has no place to start from");
	return tr_myc_signal_probe(s, err) ? -1 : tr_myc_stream_start(s, l, err);
}

static int source_read(tr_source *base, tr_listener *l, int wait_ms, tr_err *err)
{
	return tr_myc_stream_read(self(base), l, wait_ms, err);
}

static void source_position(tr_source *base, tr_writer *out)
{
	tr_myc *s = self(base);

	if (s->stream) {
		tr_myc_stream_position(s, out);
	} else {
		tr_myc_position p = s->position;

		p.incremental = s->incremental->progress.text;
		tr_myc_position_write(&p, out);
	}
}

/* The server keeps its log by its own rules and wants to know nothing. */
static void source_confirm(tr_source *base, tr_slice position)
{
	(void)base;
	(void)position;
}

static bool source_caught_up(tr_source *base)
{
	return tr_myc_stream_caught_up(self(base));
}

static void source_lag(tr_source *base, tr_source_lag *out)
{
	tr_myc_lag *lag = &self(base)->lag;
	int64_t commit_us = atomic_load_explicit(&lag->newest_commit_us, memory_order_relaxed);
	int64_t age_us = commit_us ? tr_clock_wall_ns() / 1000 - commit_us : 0;

	*out = (tr_source_lag){.lag_bytes = atomic_load_explicit(&lag->lag_bytes, memory_order_relaxed),
			       .lag_us = age_us > 0 ? age_us : 0};
}

static void source_interrupt(tr_source *base)
{
	tr_myc_wake_set(&self(base)->wake);
}

static void source_disconnect(tr_source *base)
{
	tr_myc *s = self(base);

	tr_myc_stream_stop(s);
	close_connections(s);
	tr_myc_wake_clear(&s->wake);
}

#define OPERATIONS(word, opener, block)                                                                                \
	{                                                                                                              \
		.kind = word, .schemes = word, .connector = word, .skips_changes = true, .open = opener, .source_type = block,                \
		.check = source_check, .tables = source_tables, .serves = source_serves, .prepare = source_prepare,     \
		.identity = source_identity, .database = source_database, .snapshot = source_snapshot,                 \
		.start = source_start, .read = source_read, .position = source_position, .confirm = source_confirm,    \
		.compare = tr_myc_position_compare, .caught_up = source_caught_up, .lag = source_lag,                  \
		.interrupt = source_interrupt, .disconnect = source_disconnect, .free = source_free,                   \
	}

const tr_source_ops tr_source_mysql = OPERATIONS("mysql", open_mysql, tr_myc_source_type_mysql);
const tr_source_ops tr_source_mariadb = OPERATIONS("mariadb", open_mariadb, tr_myc_source_type_mariadb);
