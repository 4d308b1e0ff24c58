/*
 * A source on a real MySQL or MariaDB server and a listener that writes down what it is told, one line per event:
 *
 *     begin                       "begin <id>" when ids are asked for
 *     c db.t (1,'a')              op, table, after; values as published: text as it is, bytes as #length, ~ null, - not sent, = unchanged
 *     u db.t (1,a)>(2,b)          before>after
 *     t db.t                      "t plain db.t" outside of transactions
 *     s ALTER TABLE ...           the DDL
 *     commit
 *
 * Streams begin at "now" (snapshot mode never) unless the test says otherwise. Shared servers come from TR_TEST_MYSQL_97 and
 * the like; own ones, for what would disturb others, are started by tests/services.
 */
#ifndef TR_TESTS_UNIT_CAPTURE_MYSQL_RIG_H
#define TR_TESTS_UNIT_CAPTURE_MYSQL_RIG_H

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/source.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/text.h"
#include "events/encoder.h"
#include "tests/unit/capture_mysql/rig_sql.h"

#define RIG_WAIT_US 60000000 /* for what comes at once unless the machine is very busy */

typedef struct rig {
	tr_listener base; /* first */
	const rs_server *server;
	char address[64], url[300], database[64], pattern[80];
	const char *tables[2];
	tr_source_options options;
	tr_event_options events;
	tr_metrics metrics;
	tr_source *source;
	tr_arena arena, scratch;
	tr_encoder *encoder;
	tr_catalogue *catalogue;
	MYSQL *sql;
	char **lines;
	size_t count, capacity;
	bool ids;
	_Atomic(bool) busy;
	size_t busy_after; /* changes; 0 = never */
	size_t changes, replayed;
	unsigned idle_calls;
	char gtid[120], file[300], query[200];
	int64_t server_id, pos, row, thread, commit_us;
} rig;

static void rig_say(rig *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void rig_say(rig *r, const char *format, ...)
{
	char line[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (r->count == r->capacity) {
		r->capacity = r->capacity ? r->capacity * 2 : 64;
		r->lines = realloc(r->lines, r->capacity * sizeof(*r->lines));
	}
	r->lines[r->count++] = strdup(line);
}

static void rig_forget(rig *r)
{
	for (size_t i = 0; i < r->count; i++)
		free(r->lines[i]);
	r->count = 0;
}

/* --- the listener ------------------------------------------------------------------------------ */

static rig *rig_of(tr_listener *l)
{
	return (rig *)(void *)l;
}

static tr_listen rig_ready(tr_listener *l)
{
	return rig_of(l)->busy ? TR_LISTEN_BUSY : TR_LISTEN_OK;
}

static size_t rig_value(rig *r, const tr_column *c, tr_datum d, char *out, size_t cap)
{
	tr_value v;
	tr_err err = {0};

	if (d.form == TR_D_NULL || d.form == TR_D_ABSENT || d.form == TR_D_UNCHANGED)
		return (size_t)snprintf(out, cap, "%s", d.form == TR_D_NULL ? "~" : d.form == TR_D_ABSENT ? "-" : "=");
	ck_assert_msg(c->decode(c->decode_arg, d, &r->scratch, &v, &err) == 0, "%s: %s", c->name, err.text);
	if (v.kind == TR_V_BYTES && (c->type->kind == TR_BYTES || v.s.len > 60))
		return (size_t)snprintf(out, cap, "#%zu", v.s.len);
	if (v.kind == TR_V_BYTES)
		return (size_t)snprintf(out, cap, "%.*s", (int)v.s.len, (const char *)v.s.ptr);
	return (size_t)snprintf(out, cap, "%lld", (long long)v.i);
}

static void rig_row(rig *r, const tr_table *t, const tr_datum *row, char *out, size_t cap)
{
	size_t at = (size_t)snprintf(out, cap, "(");

	for (size_t i = 0; row && i < t->column_count && at + 80 < cap; i++) {
		at += (size_t)snprintf(out + at, cap - at, "%s", i ? "," : "");
		at += rig_value(r, &t->columns[i], row[i], out + at, cap - at);
	}
	snprintf(out + at, cap - at, ")");
	if (!row)
		out[0] = '\0';
}

static tr_listen rig_begin(tr_listener *l, tr_slice id, int64_t commit_us, tr_err *err)
{
	(void)err;
	ck_assert_int_gt(commit_us, INT64_C(1600000000000000));
	if (rig_of(l)->ids)
		rig_say(rig_of(l), "begin %.*s", (int)id.len, (const char *)id.ptr);
	else
		rig_say(rig_of(l), "begin");
	return TR_LISTEN_OK;
}

static tr_listen rig_commit(tr_listener *l, tr_slice id, int64_t commit_us, tr_err *err)
{
	(void)err;
	(void)commit_us;
	if (rig_of(l)->ids)
		rig_say(rig_of(l), "commit %.*s", (int)id.len, (const char *)id.ptr);
	else
		rig_say(rig_of(l), "commit");
	return TR_LISTEN_OK;
}

static void rig_copy(char *out, size_t cap, tr_value v)
{
	snprintf(out, cap, "%.*s", v.kind == TR_V_NULL ? 1 : (int)v.s.len, v.kind == TR_V_NULL ? "~" : (const char *)v.s.ptr);
}

/* table, server_id, gtid, file, pos, row, thread, query */
static void rig_note_source(rig *r, const tr_change *c)
{
	const tr_value *f = c->source->fields + TR_SRC_OWN;

	r->server_id = f[1].i;
	rig_copy(r->gtid, sizeof(r->gtid), f[2]);
	rig_copy(r->file, sizeof(r->file), f[3]);
	r->pos = f[4].i;
	r->row = f[5].i;
	r->thread = f[6].kind == TR_V_NULL ? 0 : f[6].i;
	rig_copy(r->query, sizeof(r->query), f[7]);
	r->commit_us = c->commit_us;
}

static tr_listen rig_change(tr_listener *l, const tr_change *c, tr_err *err)
{
	rig *r = rig_of(l);
	char before[1024] = "", after[1024] = "";

	(void)err;
	rig_note_source(r, c);
	if (c->op == TR_OP_SCHEMA) {
		rig_say(r, "s %.*s", (int)c->schema->ddl.len, (const char *)c->schema->ddl.ptr);
		return TR_LISTEN_OK;
	}
	rig_row(r, c->table, c->before, before, sizeof(before));
	rig_row(r, c->table, c->after, after, sizeof(after));
	tr_arena_reset(&r->scratch);
	r->replayed += c->replayed;
	if (!c->replayed)
		rig_say(r, "%c %s%s%s%s%s%s", c->op, c->txn_id.len ? "" : "plain ", c->table->collection,
			c->before || c->after ? " " : "", before, c->before ? ">" : "", after);
	if (++r->changes == r->busy_after)
		r->busy = true;
	return TR_LISTEN_OK;
}

static tr_listen rig_idle(tr_listener *l, tr_err *err)
{
	(void)err;
	rig_of(l)->idle_calls++;
	return TR_LISTEN_OK;
}

/* --- servers of our own ------------------------------------------------------------------------ */

static const char *rig_source_dir(void)
{
	const char *dir = getenv("TAILRACE_SOURCE_DIR");

	return dir ? dir : ".";
}

static int rig_run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int rig_run(const char *format, ...)
{
	char command[2048];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

/* Below the range of outgoing connections, one of which could take it before the server does. */
static int rig_free_port(void)
{
	static int next;

	for (int i = 0; i < 100; i++) {
		int port = 12000 + (getpid() * 13 + next++ * 97) % 20000, fd = socket(AF_INET, SOCK_STREAM, 0);
		struct sockaddr_in a = {
		    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
		bool taken = fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0;

		close(fd);
		if (!taken)
			return port;
	}
	return 0;
}

typedef struct rig_own {
	const rs_server *like;
	rs_server server; /* its variable holds the address */
	char dir[64], variable[40], settings[300];
	int port;
} rig_own;

static const char *rig_service(const rs_server *s)
{
	return s->mariadb ? "mariadb" : "mysql";
}

static const char *rig_version(const rs_server *s)
{
	return strstr(s->variable, "1011") ? "10.11" : strstr(s->variable, "118") ? "11.8" : "9.7";
}

static bool rig_own_try(rig_own *o)
{
	return rig_run("%s/tests/services/%s start %s/s %d %s %s >/dev/null", rig_source_dir(), rig_service(o->like), o->dir, o->port,
		       rig_version(o->like), o->settings) == 0;
}

static void rig_own_up(rig_own *o)
{
	ck_assert(rig_own_try(o));
}

/* Without Check, which works within tests only. */
static bool rig_own_make(rig_own *o, const rs_server *like, const char *settings)
{
	char address[32];

	*o = (rig_own){.like = like};
	snprintf(o->dir, sizeof(o->dir), "/tmp/tailrace-my-XXXXXX");
	if (!mkdtemp(o->dir) || rig_run("chmod 755 %s", o->dir) != 0)
		return false;
	snprintf(o->settings, sizeof(o->settings), "%s", settings);
	o->port = rig_free_port();
	snprintf(o->variable, sizeof(o->variable), "RIG_OWN_%d", o->port);
	snprintf(address, sizeof(address), "127.0.0.1:%d", o->port);
	setenv(o->variable, address, 1);
	o->server = (rs_server){o->variable, like->mariadb};
	return rig_own_try(o);
}

static bool rig_own_unmake(rig_own *o)
{
	return rig_run("%s/tests/services/%s stop %s/s >/dev/null; rm -rf %s", rig_source_dir(), rig_service(o->like), o->dir, o->dir) == 0;
}

/* Only where a shared one of the kind was started, too: then its programs are here already. */
static bool rig_own_start(rig_own *o, const rs_server *like, const char *settings)
{
	if (!rs_address(like))
		return false;
	ck_assert(rig_own_make(o, like, settings));
	return true;
}

static void rig_own_down(rig_own *o)
{
	ck_assert_int_eq(rig_run("%s/tests/services/%s stop %s/s >/dev/null", rig_source_dir(), rig_service(o->like), o->dir), 0);
}

static void rig_own_remove(rig_own *o)
{
	ck_assert(rig_own_unmake(o));
}

/* MariaDB keeps a file for a moment that its engine has not yet made durable. */
static void rig_purge(rig *r, const char *first)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;
	char sql[400];

	snprintf(sql, sizeof(sql), "PURGE BINARY LOGS TO '%.300s'", first);
	for (;;) {
		rs_sql(r->sql, sql);
		if (strcmp(rs_value(r->sql, "SHOW BINARY LOGS"), first) == 0)
			return;
		ck_assert_msg(tr_clock_mono_us() < end_us, "the log before %s is kept", first);
		usleep(50000);
	}
}

static void rig_purge_all_but_last(rig *r)
{
	MYSQL_RES *logs;
	MYSQL_ROW row;
	char last[300] = "";

	ck_assert_int_eq(mysql_query(r->sql, "SHOW BINARY LOGS"), 0);
	logs = mysql_store_result(r->sql);
	while ((row = mysql_fetch_row(logs)) != NULL)
		snprintf(last, sizeof(last), "%s", row[0]);
	mysql_free_result(logs);
	rig_purge(r, last);
}

static void rig_reconnect(rig *r)
{
	mysql_close(r->sql);
	r->sql = rs_connect(r->address, r->database);
}

/* For programs whose cases would disturb others on shared servers: each server that the environment names is replaced by
 * one of our own. A case that fails may leave something behind; the next one meets it. */
static rig_own rig_owned[RS_SERVER_COUNT];

static int rig_own_main(const char *name, const TTest *const *tests, size_t count)
{
	int result;

	for (size_t i = 0; i < RS_SERVER_COUNT; i++) {
		if (!rs_address(&rs_servers[i]))
			continue;
		if (!rig_own_make(&rig_owned[i], &rs_servers[i], ""))
			return EXIT_FAILURE;
		setenv(rs_servers[i].variable, getenv(rig_owned[i].variable), 1);
	}
	result = test_run(name, tests, count);
	for (size_t i = 0; i < RS_SERVER_COUNT; i++)
		if (rig_owned[i].port && !rig_own_unmake(&rig_owned[i]))
			fprintf(stderr, "a server could not be stopped\n");
	return result;
}

#define RIG_OWN_MAIN(name, ...)                                                                                        \
	int main(void)                                                                                                 \
	{                                                                                                              \
		const TTest *const tests[] = {__VA_ARGS__};                                                            \
		return rig_own_main((name), tests, sizeof(tests) / sizeof(tests[0]));                                  \
	}

/* --- life -------------------------------------------------------------------------------------- */

/* A database of this name, made anew. False when there is no such server. */
static bool rig_init(rig *r, const rs_server *server, const char *name)
{
	const char *address = rs_address(server);

	*r = (rig){.server = server};
	if (!address)
		return false;
	snprintf(r->address, sizeof(r->address), "%s", address);
	snprintf(r->database, sizeof(r->database), "%s", name);
	snprintf(r->pattern, sizeof(r->pattern), "%s.*", name);
	snprintf(r->url, sizeof(r->url), "%s://root@%s/", server->mariadb ? "mariadb" : "mysql", address);
	r->tables[0] = r->pattern;
	rs_database(address, name, NULL);
	r->sql = rs_connect(address, name);
	tr_arena_init(&r->arena, 1 << 24);
	tr_arena_init(&r->scratch, 1 << 24);
	r->options = (tr_source_options){.url = r->url,
					 .kind = rig_service(server),
					 .tables = r->tables,
					 .table_count = 1,
					 .connect_timeout_ms = 5000,
					 .receive_timeout_ms = 20000,
					 .snapshot_mode = TR_SNAPSHOT_NEVER,
					 .snapshot_readers = 2,
					 .snapshot_split_bytes = 1 << 20};
	r->events = (tr_event_options){.name = r->database,
				       .topic_delimiter = ".",
				       .format = TR_FORMAT_JSON,
				       .unavailable = "?",
				       .heartbeat_prefix = "hb",
				       .transaction_topic = "transaction",
				       .connector_task_id = "0",
				       .schema_changes = true,
				       .tombstones = true};
	return true;
}

static void rig_open(rig *r)
{
	const tr_source_ops *ops = tr_source_find(r->options.url, NULL);
	tr_err err = {0};

	ck_assert_ptr_nonnull(ops);
	ck_assert_msg(ops->open(&r->source, r->database, &r->options, &r->events, &r->metrics, &err) == 0, "%s", err.text);
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
	r->base = (tr_listener){.magic = TR_LISTENER_MAGIC,
				.ready = rig_ready,
				.begin = rig_begin,
				.change = rig_change,
				.commit = rig_commit,
				.idle = rig_idle,
				.pause = rig_idle,
				.catalogue = r->catalogue};
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

/* The error of a prepare, or of the start after it, that must fail. */
static tr_err rig_begin_fails(rig *r, const char *position, const char *identity)
{
	bool snapshot;
	tr_err err = {0};
	int result;

	if (!r->source)
		rig_open(r);
	result = r->source->ops->prepare(r->source, tr_slice_str(position), tr_slice_str(identity), &snapshot, &err);
	if (result == 0) {
		rig_catalogue(r);
		result = r->source->ops->start(r->source, &r->base, &err);
	}
	/* Some servers say no only when the stream begins. */
	for (int i = 0; result == 0 && i < 100; i++)
		result = r->source->ops->read(r->source, &r->base, 50, &err);
	ck_assert_int_eq(result, -1);
	ck_assert_msg(err.hint[0] != '\0', "no hint: %s", err.text);
	r->source->ops->disconnect(r->source);
	return err;
}

static void rig_start(rig *r, const char *position, const char *identity)
{
	ck_assert(!rig_prepare(r, position, identity));
	RIG_OK(r->source->ops->start(r->source, &r->base, err));
}

static void rig_read(rig *r, int wait_ms)
{
	RIG_OK(r->source->ops->read(r->source, &r->base, wait_ms, err));
}

static tr_err rig_read_fails(rig *r)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;
	tr_err err = {0};

	while (r->source->ops->read(r->source, &r->base, 50, &err) == 0)
		ck_assert_msg(tr_clock_mono_us() < end_us, "nothing failed");
	return err;
}

/* Reads until `count` lines were written. */
static void rig_read_lines(rig *r, size_t count)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;

	while (r->count < count && tr_clock_mono_us() < end_us)
		rig_read(r, 50);
	ck_assert_uint_ge(r->count, count);
}

/* A listener without room keeps the source waiting within its transaction until it is told to stop. */
static void *rig_interrupt_when_busy(void *arg)
{
	rig *r = arg;

	for (int i = 0; i < 6000 && !r->busy; i++)
		usleep(10000);
	usleep(20000);
	r->source->ops->interrupt(r->source);
	return NULL;
}

static void rig_read_until_busy(rig *r, size_t changes)
{
	pthread_t thread;
	tr_err err;

	r->busy_after = r->changes + changes;
	ck_assert_int_eq(pthread_create(&thread, NULL, rig_interrupt_when_busy, r), 0);
	err = rig_read_fails(r);
	pthread_join(thread, NULL);
	ck_assert_int_eq(err.code, TR_E_INTERRUPTED);
	r->busy = false;
	r->busy_after = 0;
}

static void rig_read_until_caught_up(rig *r)
{
	int64_t end_us = tr_clock_mono_us() + RIG_WAIT_US;

	while (!r->source->ops->caught_up(r->source)) {
		ck_assert_msg(tr_clock_mono_us() < end_us, "never caught up");
		rig_read(r, 20);
	}
}

/* On the heap: the caller frees. */
static char *rig_position(rig *r)
{
	tr_writer w;
	char *text;

	tr_writer_init(&w, 1 << 20);
	r->source->ops->position(r->source, &w);
	text = tr_text_copy(tr_writer_view(&w));
	tr_writer_release(&w);
	return text;
}

static const char *rig_identity(rig *r)
{
	static tr_source_identity id;

	r->source->ops->identity(r->source, &id);
	return id.text;
}

#define EACH_SERVER(r, name)                                                                                           \
	for (size_t rig_i = 0; rig_i < RS_SERVER_COUNT; rig_i++)                                                       \
		if (rig_init(&(r), &rs_servers[rig_i], (name)))

/* Compares what was told with the lines given, then forgets it. @ stands for the database. */
static void rig_expect_at(rig *r, int line, const char *const *lines, size_t count)
{
	for (size_t i = 0; i < count || i < r->count; i++) {
		char wanted[4096] = "nothing";
		size_t at = 0;

		for (const char *p = i < count ? lines[i] : ""; *p && at + 80 < sizeof(wanted); p++)
			at += (size_t)(*p == '@' ? snprintf(wanted + at, sizeof(wanted) - at, "%s", r->database)
						 : snprintf(wanted + at, sizeof(wanted) - at, "%c", *p));
		ck_assert_msg(i < count && i < r->count && strcmp(wanted, r->lines[i]) == 0,
			      "%s, line %d, event %zu:\nexpected %s\ngot      %s", r->server->variable, line, i, wanted,
			      i < r->count ? r->lines[i] : "nothing");
	}
	rig_forget(r);
}
#define RIG_EXPECT(r, ...)                                                                                             \
	do {                                                                                                           \
		const char *const rig_lines[] = {__VA_ARGS__};                                                         \
		rig_read_lines((r), sizeof(rig_lines) / sizeof(rig_lines[0]));                                         \
		rig_expect_at((r), __LINE__, rig_lines, sizeof(rig_lines) / sizeof(rig_lines[0]));                     \
	} while (0)

static void rig_close(rig *r)
{
	if (r->source)
		r->source->ops->free(r->source);
	r->source = NULL;
}

static void rig_release(rig *r)
{
	rig_close(r);
	rig_forget(r);
	free(r->lines);
	tr_catalogue_free(r->catalogue);
	if (r->encoder)
		r->encoder->ops->free(r->encoder);
	tr_arena_release(&r->arena);
	tr_arena_release(&r->scratch);
	if (r->sql)
		mysql_close(r->sql);
}

/* Not every file uses every helper. */
static inline void rig_unused(void)
{
	(void)rig_begin_fails;
	(void)rig_start;
	(void)rig_read_fails;
	(void)rig_read_until_busy;
	(void)rig_read_until_caught_up;
	(void)rig_position;
	(void)rig_identity;
	(void)rig_read_lines;
	(void)rig_expect_at;
	(void)rig_release;
	(void)rig_init;
	(void)rig_own_start;
	(void)rig_own_remove;
	(void)rig_own_main;
	(void)rig_own_up;
	(void)rig_own_down;
	(void)rig_purge_all_but_last;
	(void)rig_reconnect;
}

#endif
