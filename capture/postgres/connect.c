#include "capture/postgres/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/obj.h"
#include "decoders/pgoutput/types.h"

/* Sessions must answer the same on every server: the decoders rely on the first group; the second keeps a server's
 * defaults from ending a long read; row_security off turns rows hidden by a policy into an error instead of silence;
 * warnings have to arrive, since stream.c ends at one of them. */
#define SESSION_LIMITS                                                                                                 \
	"SET statement_timeout = 0", "SET lock_timeout = 0", "SET idle_in_transaction_session_timeout = 0",            \
	    "SET idle_session_timeout = 0", "SET row_security = off", "SET search_path = pg_catalog",                  \
	    "SET client_min_messages = warning"

int tr_pgc_wake_init(tr_pgc_wake *w, tr_err *err)
{
	atomic_store(&w->stop, false);
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->fd < 0)
		return tr_err_set(err, TR_E_SYSTEM, "could not make an event descriptor: %s", strerror(errno));
	return 0;
}

void tr_pgc_wake_release(tr_pgc_wake *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

void tr_pgc_wake_set(tr_pgc_wake *w)
{
	uint64_t one = 1;

	atomic_store(&w->stop, true);
	/* The counter cannot overflow before somebody clears it; a full one is readable all the same. */
	if (write(w->fd, &one, sizeof(one)) < 0)
		TR_ASSERT(errno == EAGAIN);
}

void tr_pgc_wake_clear(tr_pgc_wake *w)
{
	uint64_t count;

	if (read(w->fd, &count, sizeof(count)) < 0)
		TR_ASSERT(errno == EAGAIN);
	atomic_store(&w->stop, false);
}

int tr_pgc_wait_two(tr_pgc_wake *w, int fd, short events, int other, int timeout_ms, tr_err *err)
{
	struct pollfd fds[3] = {{.fd = fd, .events = events},
				{.fd = w ? w->fd : -1, .events = POLLIN},
				{.fd = other, .events = POLLIN}};

	if (w && atomic_load_explicit(&w->stop, memory_order_relaxed))
		return tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
	int n = poll(fds, 3, timeout_ms);
	if (n < 0 && errno != EINTR)
		return tr_err_set(err, TR_E_SYSTEM, "could not wait for the source: %s", strerror(errno));
	if (n > 0 && fds[1].revents)
		return tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
	return n > 0 ? fds[0].revents | fds[2].revents : 0;
}

int tr_pgc_wait(tr_pgc_wake *w, int fd, short events, int timeout_ms, tr_err *err)
{
	return tr_pgc_wait_two(w, fd, events, -1, timeout_ms, err);
}

/* --- errors ------------------------------------------------------------------------------------ */

const char *tr_pgc_sqlstate(const PGresult *r)
{
	const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;

	return state ? state : "";
}

static void first_line(char *out, size_t cap, const char *text)
{
	size_t len = strcspn(text, "\n");

	snprintf(out, cap, "%.*s", (int)(len < cap ? len : cap - 1), text);
}

static tr_err_code code_of_state(const char *state)
{
	static const struct {
		const char *prefix;
		tr_err_code code;
	} rows[] = {
	    {"28", TR_E_SOURCE_AUTH},         /* invalid authorization, pg_hba, no such role */
	    {"3D000", TR_E_SOURCE_DATABASE},  /* no such database */
	    {"42501", TR_E_SOURCE_PRIVILEGE}, /* insufficient privilege */
	    {"55006", TR_E_SLOT_BUSY},        /* object in use: slot active for another process */
	    {"53400", TR_E_SLOT_LIMIT},       /* all replication slots are in use */
	    {"0A000", TR_E_SOURCE_SETTING},   /* feature not supported */
	    {"08", TR_E_SOURCE_UNAVAILABLE},  /* connection exceptions */
	    {"53", TR_E_SOURCE_UNAVAILABLE},  /* too many connections, out of memory, disk full */
	    {"57", TR_E_SOURCE_UNAVAILABLE},  /* shutdown, starting up, cancelled */
	    {"58P01", TR_E_POSITION_LOST},    /* requested WAL segment has already been removed */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strncmp(state, rows[i].prefix, strlen(rows[i].prefix)) == 0)
			return rows[i].code;
	return TR_E_SOURCE_SQL;
}

static void hint_of_code(tr_err *err)
{
	switch (err->code) {
	case TR_E_SOURCE_AUTH:
		tr_err_hint(
		    err,
		    "Check user and password in source.url (or PGPASSWORD, the passfile, the service file) and the "
		    "server's pg_hba.conf; nothing was read.");
		break;
	case TR_E_SOURCE_DATABASE:
		tr_err_hint(err, "Check the database's name in source.url.");
		break;
	case TR_E_SLOT_LIMIT:
		tr_err_hint(err, "Free a slot (SELECT slot_name, active FROM pg_replication_slots) or raise "
				 "max_replication_slots and max_wal_senders; both need a restart of the server.");
		break;
	case TR_E_SLOT_BUSY:
		tr_err_hint(err, "Another process reads this slot; only one may. It is tried again until it is free.");
		break;
	case TR_E_SOURCE_UNAVAILABLE:
		tr_err_hint(err, "Check host and port in source.url and that the server runs. What is stored is safe; "
				 "it is tried again "
				 "for source.retry_for.");
		break;
	default:
		break;
	}
}

int tr_pgc_error(PGconn *c, const PGresult *r, const char *what, tr_err *err)
{
	const char *state = tr_pgc_sqlstate(r);
	const char *primary = r ? PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	char text[400];

	if (primary && *state) {
		first_line(text, sizeof(text), primary);
		tr_err_set(err, code_of_state(state), "could not %s", what);
		/* Data exceptions quote the value: 'invalid input syntax for type integer: "..."'. */
		if (strncmp(state, "22", 2) != 0) {
			tr_err_detail(err, "%s (SQLSTATE %s)", text, state);
		} else {
			tr_err_detail(err, "SQLSTATE %s, a data exception; its text may quote a value", state);
			tr_err_hint(err, "The text is in the server's log. A row filter of the publication (its WHERE) fails on a "
					 "value: change either. Nothing was published or confirmed beyond it.");
		}
	} else {
		first_line(text, sizeof(text), c ? PQerrorMessage(c) : "out of memory");
		tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "could not %s", what);
		tr_err_detail(err, "%s", *text ? text : "the connection was lost");
	}
	hint_of_code(err);
	return -1;
}

/* libpq gives no SQLSTATE for a failed login, but with verbose messages the text carries it: "FATAL:  28P01: ...". */
static bool login_state(const char *text, char state[6], const char **message)
{
	for (const char *at = strstr(text, ":  "); at; at = strstr(at + 1, ":  ")) {
		size_t len = strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");

		if (len == 5 && strncmp(at + 8, ": ", 2) == 0) {
			memcpy(state, at + 3, 5);
			state[5] = '\0';
			*message = at + 10;
			return true;
		}
	}
	return false;
}

static int login_error(PGconn *c, bool replication, tr_err *err)
{
	const char *text = c ? PQerrorMessage(c) : "out of memory", *message = text;
	char state[6] = "", line[400];
	tr_err_code code = TR_E_SOURCE_UNAVAILABLE;

	if (login_state(text, state, &message))
		code = code_of_state(state);
	else if (strstr(text, "expected authentication request"))
		code = TR_E_SOURCE_UNAVAILABLE; /* not a PostgreSQL server */
	else if (strstr(text, "no password supplied") || strstr(text, "authentication"))
		code = TR_E_SOURCE_AUTH;
	first_line(line, sizeof(line), message);
	if (strcmp(state, "53300") == 0 && strstr(line, "max_wal_senders"))
		code = TR_E_SLOT_LIMIT;
	if (code == TR_E_SOURCE_SQL || code == TR_E_SOURCE_SETTING)
		code = TR_E_SOURCE_UNAVAILABLE;
	tr_err_set(err, code, "could not connect to the source%s", replication ? " for replication" : "");
	tr_err_detail(err, *state ? "%s (SQLSTATE %s)" : "%s", line, state);
	hint_of_code(err);
	if (code == TR_E_SOURCE_PRIVILEGE && replication)
		tr_err_hint(err, "The role needs the REPLICATION attribute: ALTER ROLE \"%s\" REPLICATION;",
			    PQuser(c) ? PQuser(c) : "");
	return -1;
}

/* --- connecting -------------------------------------------------------------------------------- */

#define USER_TIMEOUT_MS 60000 /* a peer that acknowledges nothing for so long is gone */

/* libpq goes on to the next host only when one fails, and a machine that is gone fails after minutes: each gets its share. */
static int host_share_ms(const char *url, int timeout_ms)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);
	int hosts = 1;

	for (const PQconninfoOption *o = options; o && o->keyword; o++) {
		int n = 1;

		if (!o->val || (strcmp(o->keyword, "host") != 0 && strcmp(o->keyword, "hostaddr") != 0))
			continue;
		for (const char *at = strchr(o->val, ','); at; at = strchr(at + 1, ','))
			n++;
		hosts = n > hosts ? n : hosts;
	}
	PQconninfoFree(options);
	return hosts > 1 && timeout_ms / hosts < USER_TIMEOUT_MS ? timeout_ms / hosts : USER_TIMEOUT_MS;
}

/* After the login the share is no limit any more. A socket of another kind, or a value from the URL, stays as it is; so
 * does a share that cannot be lifted: a connection given up earlier is made again. */
static void lift_host_share(PGconn *c, int share_ms)
{
	unsigned is = 0, wanted = USER_TIMEOUT_MS;
	socklen_t len = sizeof(is);

	if (getsockopt(PQsocket(c), IPPROTO_TCP, TCP_USER_TIMEOUT, &is, &len) == 0 && is == (unsigned)share_ms)
		(void)setsockopt(PQsocket(c), IPPROTO_TCP, TCP_USER_TIMEOUT, &wanted, sizeof(wanted));
}

/* What stands before dbname yields to the URL; what stands behind it does not. */
static PGconn *start_login(const char *url, bool replication, int share_ms)
{
	char share[16];
	const char *keywords[] = {"keepalives_idle",
				  "keepalives_interval",
				  "keepalives_count",
				  "tcp_user_timeout",
				  "fallback_application_name",
				  "dbname",
				  "client_encoding",
				  replication ? "replication" : NULL,
				  NULL};
	const char *values[] = {"30", "10", "3", share, "tailrace", url, "UTF8", replication ? "database" : NULL,
				NULL};

	snprintf(share, sizeof(share), "%d", share_ms);
	return PQconnectStartParams(keywords, values, 1);
}

/* True for "5432" and "5432,,5433". */
static bool ports_ok(const char *port)
{
	while (*port) {
		char *end;
		unsigned long n = strtoul(port, &end, 10);

		if (strspn(port, "0123456789,") == 0 || (end > port && (n < 1 || n > 65535)) || (*end && *end != ','))
			return false;
		port = *end ? end + 1 : end;
	}
	return true;
}

/* An @ or / in a password that is not written as %XX turns up as part of the host or the port. */
static const char *wrong_part(const PQconninfoOption *options)
{
	for (const PQconninfoOption *o = options; o->keyword; o++) {
		if (o->val && strcmp(o->keyword, "host") == 0 && strchr(o->val, '@'))
			return "an @ in the host's name";
		if (o->val && strcmp(o->keyword, "port") == 0 && !ports_ok(o->val))
			return "a port that is not a number from 1 to 65535";
	}
	return NULL;
}

/* libpq quotes what it does not understand, which may be the password: only what stands before it is shown. */
static int check_url(const char *url, tr_err *err)
{
	char *message = NULL, *quote, line[200];
	PQconninfoOption *options = PQconninfoParse(url, &message);
	const char *wrong = options ? wrong_part(options) : NULL;

	if (!options) {
		first_line(line, sizeof(line), message ? message : "out of memory");
		quote = strstr(line, ": \"");
		if (quote)
			*quote = '\0';
		wrong = line;
	}
	if (wrong) {
		tr_err_set(err, TR_E_CONFIG, "source.url cannot be understood");
		tr_err_detail(err, "%s", wrong);
		tr_err_hint(err, "postgres://USER:PASSWORD@HOST:PORT/DATABASE; in user and password, write @ as %%40, / as %%2F, "
				 ": as %%3A and %% as %%25.");
	}
	PQconninfoFree(options);
	PQfreemem(message);
	return wrong ? -1 : 0;
}

static int await_login(PGconn *c, const tr_pgc_dial *dial, bool replication, tr_err *err)
{
	int64_t end_us = tr_clock_mono_us() + (int64_t)dial->timeout_ms * 1000;
	PostgresPollingStatusType step = PGRES_POLLING_WRITING;

	while (step != PGRES_POLLING_OK) {
		int64_t left_ms = (end_us - tr_clock_mono_us()) / 1000;

		if (step == PGRES_POLLING_FAILED)
			return login_error(c, replication, err);
		if (left_ms <= 0) {
			tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "could not connect to the source: no answer in %d ms",
				   dial->timeout_ms);
			return tr_err_hint(
			    err,
			    "Check host and port in source.url, and firewalls; source.connect_timeout sets the limit.");
		}
		if (tr_pgc_wait(dial->wake, PQsocket(c), step == PGRES_POLLING_READING ? POLLIN : POLLOUT, (int)left_ms,
				err) < 0)
			return -1;
		step = PQconnectPoll(c);
	}
	return 0;
}

static void no_notice(void *context, const PGresult *result)
{
	(void)context;
	(void)result; /* the server's notices ("table is already locked" and the like) are for people at psql */
}

static int prepare_session(PGconn *c, const tr_pgc_dial *dial, tr_err *err)
{
	static const char *const statements[] = {TR_PG_SESSION_SETTINGS, SESSION_LIMITS};
	PGresult *r = NULL;
	tr_writer sql;
	int result = -1;

	tr_writer_init(&sql, 4096);
	PQsetNoticeReceiver(c, no_notice, NULL);
	PQsetErrorVerbosity(c, PQERRORS_DEFAULT);
	if (PQserverVersion(c) < 140000) {
		tr_err_set(err, TR_E_SOURCE_SETTING, "cannot capture from PostgreSQL %d: it is older than 14",
			   PQserverVersion(c) / 10000);
		tr_err_hint(err, "Upgrade the server; versions 14 to 18 are supported.");
		goto out;
	}
	for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++)
		tr_writer_format(&sql, "%s; ", statements[i]);
	tr_writer_u8(&sql, '\0');
	if (!tr_writer_ok(&sql)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory");
		goto out;
	}
	result = tr_pgc_exec(c, dial->wake, dial->timeout_ms, "fix the session's settings", (const char *)sql.data, 0,
			     NULL, &r, err);
	PQclear(r);
out:
	tr_writer_release(&sql);
	return result;
}

int tr_pgc_connect(PGconn **out, const tr_pgc_dial *dial, bool replication, tr_err *err)
{
	PGconn *c;
	int result = -1, share_ms;

	*out = NULL;
	if (check_url(dial->url, err))
		return -1;
	share_ms = host_share_ms(dial->url, dial->timeout_ms);
	c = start_login(dial->url, replication, share_ms);
	if (!c) {
		tr_err_set(err, TR_E_MEMORY, "out of memory");
		goto out;
	}
	if (PQstatus(c) == CONNECTION_BAD) {
		login_error(c, replication, err);
		if (PQhost(c) && *PQhost(c))
			goto out;
		/* libpq has not come as far as a host: the URL, or the service it names, is at fault. */
		if (err)
			err->code = TR_E_CONFIG;
		tr_err_hint(err, "Check source.url, and the service file when it names a service.");
		goto out;
	}
	PQsetErrorVerbosity(c, PQERRORS_VERBOSE);
	if (await_login(c, dial, replication, err))
		goto out;
	lift_host_share(c, share_ms);
	if (prepare_session(c, dial, err))
		goto out;
	*out = c;
	c = NULL;
	result = 0;
out:
	PQfinish(c);
	return result;
}

/* --- statements -------------------------------------------------------------------------------- */

static void *send_cancel(void *request)
{
	char ignored[256];

	/* Best effort: the connection is given up by the caller anyway. */
	if (!PQcancel(request, ignored, sizeof(ignored)))
		ignored[0] = '\0';
	PQfreeCancel(request);
	return NULL;
}

/* From a thread of its own: it waits for an answer of the server, and that is what did not come. */
static void cancel(PGconn *c)
{
	PGcancel *request = PQgetCancel(c);
	pthread_t thread;

	if (request && pthread_create(&thread, NULL, send_cancel, request) == 0)
		pthread_detach(thread);
	else
		PQfreeCancel(request);
}

/* The next result, waiting for it; NULL in *out at the end of the statement. */
static int next_result(PGconn *c, tr_pgc_wake *wake, int64_t end_us, const char *what, PGresult **out, tr_err *err)
{
	while (PQisBusy(c)) {
		int64_t left_ms = end_us < 0 ? -1 : (end_us - tr_clock_mono_us()) / 1000;

		if (end_us >= 0 && left_ms <= 0) {
			cancel(c);
			tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "could not %s: the source did not answer in time",
				   what);
			return tr_err_hint(
			    err, "The statement was cancelled; it is tried again. Look for locks in pg_stat_activity.");
		}
		if (tr_pgc_wait(wake, PQsocket(c), POLLIN, (int)left_ms, err) < 0) {
			cancel(c);
			return -1;
		}
		if (!PQconsumeInput(c))
			return tr_pgc_error(c, NULL, what, err);
	}
	*out = PQgetResult(c);
	return 0;
}

static bool is_copy(ExecStatusType status)
{
	return status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

int tr_pgc_exec(PGconn *c, tr_pgc_wake *wake, int timeout_ms, const char *what, const char *sql, size_t param_count,
		const char *const *params, PGresult **out, tr_err *err)
{
	int64_t end_us = timeout_ms < 0 ? -1 : tr_clock_mono_us() + (int64_t)timeout_ms * 1000;
	PGresult *last = NULL, *r = NULL;
	int sent, result = -1;

	*out = NULL;
	sent = param_count ? PQsendQueryParams(c, sql, (int)param_count, NULL, params, NULL, NULL, 0)
			   : PQsendQuery(c, sql);
	if (!sent)
		return tr_pgc_error(c, NULL, what, err);
	for (;;) {
		if (next_result(c, wake, end_us, what, &r, err))
			goto out;
		if (!r)
			break;
		/* The first error counts; the rest of the statement is read to keep the connection usable. */
		if (last && PQresultStatus(last) == PGRES_FATAL_ERROR) {
			PQclear(r);
			continue;
		}
		PQclear(last);
		last = r;
		if (is_copy(PQresultStatus(r)))
			break;
	}
	if (!last || PQresultStatus(last) == PGRES_FATAL_ERROR || PQresultStatus(last) == PGRES_BAD_RESPONSE) {
		tr_pgc_error(c, last, what, err);
		goto out;
	}
	*out = last;
	last = NULL;
	result = 0;
out:
	PQclear(last);
	return result;
}

/* --- SQL text ---------------------------------------------------------------------------------- */

static void quoted(tr_writer *w, const char *text, char quote)
{
	tr_writer_u8(w, (uint8_t)quote);
	for (; *text; text++) {
		if (*text == quote)
			tr_writer_u8(w, (uint8_t)quote);
		tr_writer_u8(w, (uint8_t)*text);
	}
	tr_writer_u8(w, (uint8_t)quote);
}

void tr_pgc_ident(tr_writer *w, const char *name)
{
	quoted(w, name, '"');
}

void tr_pgc_literal(tr_writer *w, const char *text)
{
	quoted(w, text, '\'');
}

void tr_pgc_qualified(tr_writer *w, const char *schema, const char *name)
{
	tr_pgc_ident(w, schema);
	tr_writer_u8(w, '.');
	tr_pgc_ident(w, name);
}

void tr_pgc_lsn_format(char out[TR_PGC_LSN_TEXT], uint64_t lsn)
{
	snprintf(out, TR_PGC_LSN_TEXT, "%X/%X", (unsigned)(lsn >> 32), (unsigned)lsn);
}

/* One half: 1 to 8 hexadecimal digits up to `end`. */
static bool hex_half(const char **at, char end, uint32_t *out)
{
	const char *start = *at;
	uint32_t value = 0;

	for (; **at && **at != end; (*at)++) {
		char c = **at;
		unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
				 : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A' + 10)
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
							: 16;

		if (digit > 15 || *at - start >= 8)
			return false;
		value = value << 4 | digit;
	}
	*out = value;
	return *at > start && **at == end;
}

bool tr_pgc_lsn_parse(const char *text, uint64_t *out)
{
	uint32_t high, low;

	if (!text || !hex_half(&text, '/', &high))
		return false;
	text++;
	if (!hex_half(&text, '\0', &low))
		return false;
	*out = (uint64_t)high << 32 | low;
	return true;
}
