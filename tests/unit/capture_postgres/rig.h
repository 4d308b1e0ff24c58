/*
 * A real PostgreSQL server and a listener that writes down what it is told, one line per event:
 *
 *     begin <txid>:<lsn>          as "begin" when ids are not asked for
 *     c public.t (1,'a')          op, table, after; data: text, b and its length binary, ~ null, ? unchanged, - not sent
 *     u public.t (1,-)>(2,'b')    before>after
 *     r public.t (1) first        snapshot rows end in their mark
 *     m plain-prefix=content
 *     commit
 *
 * The server is started once per test program (tests/services/postgres; TR_TEST_PG_VERSION chooses 14 to 18) and
 * each test makes a database, slot and publication of its own. Without any server the tests are skipped with a message.
 */
#ifndef TR_TESTS_UNIT_CAPTURE_POSTGRES_RIG_H
#define TR_TESTS_UNIT_CAPTURE_POSTGRES_RIG_H

#include <arpa/inet.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/source.h"
#include "core/clock.h"
#include "core/log.h"
#include "events/encoder.h"
#include "tests/unit/test.h"

static char rig_dir[64];
static int rig_port;
static const char *rig_version = "15";

/* --- the server -------------------------------------------------------------------------------- */

/* Below the range of outgoing connections, one of which could take it before the server does. */
static int rig_free_port(void)
{
	for (int i = 0; i < 100; i++) {
		int port = 12000 + (getpid() * 11 + i * 97) % 20000, fd = socket(AF_INET, SOCK_STREAM, 0);
		struct sockaddr_in a = {.sin_family = AF_INET,
					.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
					.sin_port = htons((uint16_t)port)};
		bool taken = fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0;

		close(fd);
		if (!taken)
			return port;
	}
	return 0;
}

static int rig_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int rig_run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static const char *rig_source_dir(void)
{
	const char *dir = getenv("TAILRACE_SOURCE_DIR");

	return dir ? dir : ".";
}

static int rig_major(void)
{
	return (int)strtol(rig_version, NULL, 10);
}

/* Downloads nothing unasked: version 15 is here when it is installed, or when ./test has started one. */
static bool rig_start_server(const char *settings)
{
	const char *chosen = getenv("TR_TEST_PG_VERSION");

	if (chosen)
		rig_version = chosen;
	else if (access("/usr/lib/postgresql/15/bin/postgres", X_OK) != 0 && !getenv("TR_TEST_PG_15")) {
		fprintf(stderr, "skipped: PostgreSQL 15 is not installed, neither TR_TEST_PG_15 nor TR_TEST_PG_VERSION is set\n");
		return false;
	}
	snprintf(rig_dir, sizeof(rig_dir), "/tmp/tailrace-pg-XXXXXX");
	if (!mkdtemp(rig_dir))
		return false;
	rig_port = rig_free_port();
	return rig_run("chmod 755 %s && %s/tests/services/postgres start %s/s %d %s %s", rig_dir, rig_source_dir(),
		       rig_dir, rig_port, rig_version, settings) == 0;
}

static void rig_stop_server(void)
{
	if (rig_run("%s/tests/services/postgres stop %s/s; rm -rf %s", rig_source_dir(), rig_dir, rig_dir) != 0)
		printf("the server could not be stopped\n");
}

#define RIG_SKIPPED 77
#define RIG_WAIT_US 40000000 /* for what comes at once unless the machine is very busy */
#define RIG_MAIN(name, settings, ...)                                                                                  \
	int main(void)                                                                                                 \
	{                                                                                                              \
		const TTest *const tests[] = {__VA_ARGS__};                                                            \
		tr_log_setup(TR_LOG_JSON, TR_LOG_ERROR);                                                               \
		if (!rig_start_server(settings))                                                                       \
			return rig_dir[0] ? EXIT_FAILURE : RIG_SKIPPED;                                                \
		int result = test_run((name), tests, sizeof(tests) / sizeof(tests[0]));                                \
		rig_stop_server();                                                                                     \
		return result;                                                                                         \
	}

/* --- the rig ----------------------------------------------------------------------------------- */

typedef struct rig rig;
typedef struct rig_listener {
	tr_listener base; /* first */
	rig *r;
	unsigned number;
} rig_listener;

struct rig {
	char url[256], database[64];
	const char *tables[8];
	tr_source_options options;
	tr_event_options events;
	tr_metrics metrics;
	tr_source *source;
	tr_arena arena;
	tr_encoder *encoder;
	tr_catalogue *catalogue;
	rig_listener stream, readers[16];
	PGconn *sql;
	/* what was told */
	pthread_mutex_t lock;
	char **lines;
	size_t count, capacity;
	bool ids; /* show ids of transactions */
	bool streams; /* the source has its slot in use */
	_Atomic(bool) busy;
	_Atomic(unsigned) idle_calls;
	size_t stop_after_changes; /* busy from then on; 0 = never */
	size_t changes;
	uint64_t last_lsn;
	char sequence[64];
	int64_t last_txid;
	char origin[64];
	tr_snapshot_host host;
};

static void rig_say(rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void rig_say(rig *r, const char *format, ...)
{
	char line[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	pthread_mutex_lock(&r->lock);
	if (r->count == r->capacity) {
		r->capacity = r->capacity ? r->capacity * 2 : 64;
		r->lines = realloc(r->lines, r->capacity * sizeof(*r->lines));
	}
	r->lines[r->count++] = strdup(line);
	pthread_mutex_unlock(&r->lock);
}

static void rig_forget(rig *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->lines[i]);
	r->count = 0;
}

static tr_listen rig_ready(tr_listener *l)
{
	rig *r = ((rig_listener *)(void *)l)->r;

	return r->busy ? TR_LISTEN_BUSY : TR_LISTEN_OK;
}

static void rig_row(const tr_table *t, const tr_datum *row, char *out, size_t cap)
{
	size_t at = 0;

	at += (size_t)snprintf(out + at, cap - at, "(");
	for (size_t i = 0; i < t->column_count && at + 8 < cap; i++) {
		static const char *const marks[] = {[TR_D_NULL] = "~", [TR_D_UNCHANGED] = "?", [TR_D_ABSENT] = "-"};

		at += (size_t)snprintf(out + at, cap - at, "%s", i ? "," : "");
		if (row[i].form == TR_D_TEXT && row[i].len > 40)
			at += (size_t)snprintf(out + at, cap - at, "#%u", row[i].len);
		else if (row[i].form == TR_D_TEXT)
			at += (size_t)snprintf(out + at, cap - at, "%.*s", (int)row[i].len, (const char *)row[i].ptr);
		else if (row[i].form == TR_D_BINARY)
			at += (size_t)snprintf(out + at, cap - at, "b%u", row[i].len);
		else
			at += (size_t)snprintf(out + at, cap - at, "%s", marks[row[i].form]);
	}
	snprintf(out + at, cap - at, ")");
}

static const char *const rig_marks[] = {"", " true", " first", " first_in", " last_in", " last", " incremental"};

static tr_listen rig_begin(tr_listener *l, tr_slice id, int64_t commit_us, tr_err *err)
{
	rig *r = ((rig_listener *)(void *)l)->r;

	(void)err;
	ck_assert_int_gt(commit_us, INT64_C(1600000000000000));
	if (r->ids)
		rig_say(r, "begin %.*s", (int)id.len, (const char *)id.ptr);
	else
		rig_say(r, "begin");
	return TR_LISTEN_OK;
}

static tr_listen rig_commit(tr_listener *l, tr_slice id, int64_t commit_us, tr_err *err)
{
	rig *r = ((rig_listener *)(void *)l)->r;

	(void)err;
	(void)commit_us;
	if (r->ids)
		rig_say(r, "commit %.*s", (int)id.len, (const char *)id.ptr);
	else
		rig_say(r, "commit");
	return TR_LISTEN_OK;
}

static void rig_note_source(rig *r, const tr_change *c)
{
	const tr_value *f = c->source->fields;

	pthread_mutex_lock(&r->lock);
	r->last_lsn = (uint64_t)f[TR_SRC_OWN + 3].i;
	r->last_txid = f[TR_SRC_OWN + 2].kind == TR_V_NULL ? -1 : f[TR_SRC_OWN + 2].i;
	snprintf(r->sequence, sizeof(r->sequence), "%.*s", (int)f[TR_SRC_SEQUENCE].s.len,
		 (const char *)f[TR_SRC_SEQUENCE].s.ptr);
	snprintf(r->origin, sizeof(r->origin), "%.*s",
		 f[TR_SRC_OWN + 5].kind == TR_V_NULL ? 1 : (int)f[TR_SRC_OWN + 5].s.len,
		 f[TR_SRC_OWN + 5].kind == TR_V_NULL ? "~" : (const char *)f[TR_SRC_OWN + 5].s.ptr);
	pthread_mutex_unlock(&r->lock);
}

static tr_listen rig_change(tr_listener *l, const tr_change *c, tr_err *err)
{
	rig *r = ((rig_listener *)(void *)l)->r;
	char before[1024] = "", after[1024] = "";

	(void)err;
	rig_note_source(r, c);
	if (c->op == TR_OP_MESSAGE) {
		rig_say(r, "m%s %.*s=%.*s", c->txn_id.len ? "" : " plain", (int)c->message_prefix.len,
			(const char *)c->message_prefix.ptr, (int)c->message_content.len,
			(const char *)c->message_content.ptr);
	} else {
		if (c->before)
			rig_row(c->table, c->before, before, sizeof(before));
		if (c->after)
			rig_row(c->table, c->after, after, sizeof(after));
		rig_say(r, "%c %s%s%s%s%s%s%s", c->op, c->table->collection, c->before || c->after ? " " : "", before,
			c->before ? ">" : "", after, rig_marks[c->mark], c->replayed ? " replayed" : "");
	}
	pthread_mutex_lock(&r->lock);
	if (++r->changes == r->stop_after_changes)
		r->busy = true;
	pthread_mutex_unlock(&r->lock);
	return TR_LISTEN_OK;
}

static tr_listen rig_idle(tr_listener *l, tr_err *err)
{
	(void)err;
	((rig_listener *)(void *)l)->r->idle_calls++;
	return TR_LISTEN_OK;
}

static tr_listen rig_progress(tr_listener *l, const tr_table *t, uint64_t rows, bool done, tr_err *err)
{
	(void)l;
	(void)t;
	(void)rows;
	(void)done;
	(void)err;
	return TR_LISTEN_OK;
}

static void rig_listener_init(rig *r, rig_listener *l)
{
	l->base = (tr_listener){.magic = TR_LISTENER_MAGIC,
				.ready = rig_ready,
				.begin = rig_begin,
				.change = rig_change,
				.commit = rig_commit,
				.idle = rig_idle,
				.snapshot_progress = rig_progress,
				.pause = rig_idle,
				.catalogue = r->catalogue};
	l->r = r;
}

static tr_listener *rig_reader(void *context, unsigned number, tr_err *err)
{
	rig *r = context;

	(void)err;
	rig_listener_init(r, &r->readers[number]);
	return &r->readers[number].base;
}

static void rig_release(void *context, tr_listener *l)
{
	(void)context;
	(void)l;
}

/* --- SQL --------------------------------------------------------------------------------------- */

static PGconn *rig_connect(const char *database)
{
	char info[200];

	snprintf(info, sizeof(info), "host=127.0.0.1 port=%d user=postgres dbname=%s", rig_port, database);
	PGconn *c = PQconnectdb(info);
	ck_assert_msg(PQstatus(c) == CONNECTION_OK, "%s", PQerrorMessage(c));
	return c;
}

static void rig_sql_on(PGconn *c, const char *sql)
{
	PGresult *result = PQexec(c, sql);

	ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s",
		      sql, PQerrorMessage(c));
	PQclear(result);
}

static void rig_sql(rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void rig_sql(rig *r, const char *format, ...)
{
	char sql[8192];
	va_list args;

	va_start(args, format);
	vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	rig_sql_on(r->sql, sql);
}

/* The first value of the answer; valid until the next call. */
static const char *rig_value(rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static const char *rig_value(rig *r, const char *format, ...)
{
	static char value[1024];
	char sql[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	PGresult *result = PQexec(r->sql, sql);
	ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(r->sql));
	snprintf(value, sizeof(value), "%s", PQntuples(result) ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return value;
}

/* Until the query's first value is `wanted`. */
static void rig_wait_value(rig *r, const char *wanted, const char *query)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;

	while (strcmp(rig_value(r, "%s", query), wanted) != 0) {
		ck_assert_msg(tr_clock_mono_us() < end_us, "%s: still %s", query, rig_value(r, "%s", query));
		usleep(10000);
	}
}

/* A walsender keeps its slot for a moment after its connection is closed. */
static void rig_wait_slots_free(rig *r)
{
	rig_wait_value(r, "0", "SELECT count(*) FROM pg_replication_slots WHERE active AND database = current_database()");
}

static void rig_drop_slot(rig *r)
{
	rig_wait_slots_free(r);
	rig_sql(r, "SELECT pg_drop_replication_slot('tailrace_%s')", r->database);
}

/* Changed settings and access rules count for whoever connects from now on. */
static void rig_reload(rig *r)
{
	char asked[64];

	snprintf(asked, sizeof(asked), "%s", rig_value(r, "SELECT clock_timestamp()"));
	rig_sql(r, "SELECT pg_reload_conf()");
	for (int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;; usleep(10000)) {
		PGconn *c = rig_connect("postgres");
		PGresult *newer = PQexecParams(c, "SELECT pg_conf_load_time() >= $1::timestamptz", 1, NULL,
					       (const char *const[]){asked}, NULL, NULL, 0);
		bool done = PQntuples(newer) == 1 && PQgetvalue(newer, 0, 0)[0] == 't';

		PQclear(newer);
		PQfinish(c);
		if (done)
			return;
		ck_assert_msg(tr_clock_mono_us() < end_us, "the server does not read its configuration again");
	}
}

/* --- life -------------------------------------------------------------------------------------- */

/* A database of its own, named after the test; slot and publication are tailrace_<name>. */
static void rig_init(rig *r, const char *name)
{
	*r = (rig){0};
	pthread_mutex_init(&r->lock, NULL);
	tr_arena_init(&r->arena, 1 << 24);
	snprintf(r->database, sizeof(r->database), "%s", name);
	snprintf(r->url, sizeof(r->url), "postgres://postgres@127.0.0.1:%d/%s", rig_port, name);
	PGconn *admin = rig_connect("postgres");
	char sql[200];
	snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
	rig_sql_on(admin, sql);
	PQfinish(admin);
	r->sql = rig_connect(name);
	r->options = (tr_source_options){.url = r->url,
					 .kind = "postgres",
					 .create = true,
					 .messages = true,
					 .connect_timeout_ms = 5000,
					 .status_interval_ms = 1000,
					 .receive_timeout_ms = 20000,
					 .snapshot_readers = 2,
					 .snapshot_split_bytes = 1 << 20};
	r->events = (tr_event_options){.name = name,
				       .topic_delimiter = ".",
				       .format = TR_FORMAT_JSON,
				       .unavailable = "?",
				       .heartbeat_prefix = "hb",
				       .transaction_topic = "transaction",
				       .connector_task_id = "0",
				       .money_fraction_digits = 2,
				       .tombstones = true};
	r->host = (tr_snapshot_host){.context = r, .listener = rig_reader, .release = rig_release};
}

static void rig_open(rig *r)
{
	const tr_source_ops *ops = tr_source_find(r->options.url, NULL);
	tr_err err = {0};

	ck_assert_msg(ops->open(&r->source, r->database, &r->options, &r->events, &r->metrics, &err) == 0, "%s",
		      err.text);
}

static void rig_catalogue(rig *r)
{
	tr_err err = {0};

	if (r->catalogue)
		return;
	const tr_encoder_ops *ops = tr_encoder_find(TR_FORMAT_JSON);
	tr_registry_options registry = {0};
	ck_assert_msg(ops->open(&r->encoder, &r->events, &registry, &err) == 0, "%s", err.text);
	tr_catalogue_config config = {.options = &r->events,
				      .encoder_ops = ops,
				      .encoder = r->encoder,
				      .source_type = r->source->ops->source_type(&r->arena),
				      .connector = r->source->ops->connector,
				      .database = r->database,
				      .version = "0",
				      .metrics = &r->metrics};
	ck_assert_ptr_nonnull(config.source_type);
	ck_assert_msg(tr_catalogue_new(&r->catalogue, &config, &err) == 0, "%s", err.text);
	rig_listener_init(r, &r->stream);
}

#define RIG_OK(call)                                                                                                   \
	do {                                                                                                           \
		tr_err rig_err = {0};                                                                                  \
		tr_err *err = &rig_err;                                                                                \
		ck_assert_msg((call) == 0, "%s: TR%d %s | %s | %s", #call, err->code, err->text, err->detail,          \
			      err->hint);                                                                              \
	} while (0)

static bool rig_prepare(rig *r, const char *position, const char *identity)
{
	bool snapshot = false;

	if (!r->source)
		rig_open(r);
	RIG_OK(r->source->ops->prepare(r->source, tr_slice_str(position), tr_slice_str(identity), &snapshot, err));
	rig_catalogue(r);
	return snapshot;
}

/* The error code of a prepare that must fail. */
static tr_err rig_prepare_fails(rig *r, const char *position, const char *identity)
{
	bool snapshot;
	tr_err err = {0};

	if (!r->source)
		rig_open(r);
	ck_assert_int_eq(
	    r->source->ops->prepare(r->source, tr_slice_str(position), tr_slice_str(identity), &snapshot, &err), -1);
	ck_assert_msg(err.hint[0] != '\0', "no hint: %s", err.text);
	r->source->ops->disconnect(r->source);
	return err;
}

static void rig_snapshot(rig *r)
{
	RIG_OK(r->source->ops->snapshot(r->source, &r->host, err));
}

static void rig_start(rig *r)
{
	RIG_OK(r->source->ops->start(r->source, &r->stream.base, err));
	r->streams = true;
}

/* First start: everything up to streaming. */
static void rig_begin_streaming(rig *r)
{
	if (rig_prepare(r, NULL, NULL))
		rig_snapshot(r);
	rig_start(r);
}

static void rig_read(rig *r, int wait_ms)
{
	RIG_OK(r->source->ops->read(r->source, &r->stream.base, wait_ms, err));
}

/* Reads until `count` lines were written. */
static void rig_read_lines(rig *r, size_t count)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;

	while (r->count < count && tr_clock_mono_us() < end_us)
		rig_read(r, 50);
	ck_assert_uint_ge(r->count, count);
}

static const char *rig_position(rig *r)
{
	static char text[512];
	tr_writer w;

	tr_writer_init(&w, sizeof(text));
	r->source->ops->position(r->source, &w);
	snprintf(text, sizeof(text), "%.*s", (int)w.len, w.data ? (const char *)w.data : "");
	tr_writer_release(&w);
	return text;
}

static const char *rig_identity(rig *r)
{
	static tr_source_identity id;

	r->source->ops->identity(r->source, &id);
	return id.text;
}

static void rig_confirm(rig *r)
{
	r->source->ops->confirm(r->source, tr_slice_str(rig_position(r)));
}

/* Compares what was told with the lines given, then forgets it. */
static void rig_expect_at(rig *r, int line, const char *const *lines, size_t count)
{
	for (size_t i = 0; i < count || i < r->count; i++)
		ck_assert_msg(i < count && i < r->count && strcmp(lines[i], r->lines[i]) == 0,
			      "line %d, event %zu:\nexpected %s\ngot      %s", line, i,
			      i < count ? lines[i] : "nothing", i < r->count ? r->lines[i] : "nothing");
	rig_forget(r);
}
#define RIG_EXPECT(r, ...)                                                                                             \
	do {                                                                                                           \
		const char *const rig_lines[] = {__VA_ARGS__};                                                         \
		rig_read_lines((r), sizeof(rig_lines) / sizeof(rig_lines[0]));                                         \
		rig_expect_at((r), __LINE__, rig_lines, sizeof(rig_lines) / sizeof(rig_lines[0]));                     \
	} while (0)

static void rig_disconnect(rig *r)
{
	r->source->ops->disconnect(r->source);
	if (r->streams)
		rig_wait_slots_free(r);
	r->streams = false;
}

static void rig_close(rig *r)
{
	if (!r->source)
		return;
	r->source->ops->free(r->source);
	r->source = NULL;
	if (r->streams)
		rig_wait_slots_free(r);
	r->streams = false;
}

static void rig_release_all(rig *r)
{
	rig_close(r);
	rig_forget(r);
	free(r->lines);
	tr_catalogue_free(r->catalogue);
	if (r->encoder)
		r->encoder->ops->free(r->encoder);
	tr_arena_release(&r->arena);
	PQfinish(r->sql);
	pthread_mutex_destroy(&r->lock);
}

/* Not every file uses every helper. */
static inline void rig_unused(void)
{
	(void)rig_value;
	(void)rig_read_lines;
	(void)rig_prepare_fails;
	(void)rig_begin_streaming;
	(void)rig_identity;
	(void)rig_confirm;
	(void)rig_expect_at;
	(void)rig_release_all;
	(void)rig_disconnect;
	(void)rig_drop_slot;
	(void)rig_reload;
	(void)rig_major;
	(void)rig_sql;
	(void)rig_start_server;
	(void)rig_stop_server;
}

#endif
