#include "capture/mysql/connect.h"

#include <errmsg.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/mysql/raw.h"

#define PACKET_MAX_BYTES ((size_t)64 << 20)
/* A receiver may stand still for this long (a sink that is down) before the server gives the connection up. */
#define SERVER_WAIT_S 86400

/* --- the wake ---------------------------------------------------------------------------------- */

int tr_myc_wake_init(tr_myc_wake *w, tr_err *err)
{
	*w = (tr_myc_wake){.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
	if (w->fd < 0)
		return tr_err_set(err, TR_E_SYSTEM, "no event descriptor could be made: %s", strerror(errno));
	pthread_mutex_init(&w->lock, NULL);
	return 0;
}

void tr_myc_wake_release(tr_myc_wake *w)
{
	if (w->fd < 0)
		return;
	close(w->fd);
	w->fd = -1;
	pthread_mutex_destroy(&w->lock);
}

void tr_myc_wake_set(tr_myc_wake *w)
{
	uint64_t one = 1;

	pthread_mutex_lock(&w->lock);
	atomic_store(&w->stop, true);
	/* Only fails when the counter is full, and then it is readable anyway. */
	if (write(w->fd, &one, sizeof(one)) < 0)
		errno = 0;
	for (size_t i = 0; i < w->socket_count; i++)
		shutdown(w->sockets[i], SHUT_RDWR);
	pthread_mutex_unlock(&w->lock);
}

void tr_myc_wake_clear(tr_myc_wake *w)
{
	uint64_t count;

	pthread_mutex_lock(&w->lock);
	atomic_store(&w->stop, false);
	if (read(w->fd, &count, sizeof(count)) < 0)
		errno = 0;
	pthread_mutex_unlock(&w->lock);
}

static int interrupted(tr_err *err)
{
	return tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
}

static bool stopping(const tr_myc_wake *w)
{
	return w && atomic_load_explicit(&w->stop, memory_order_relaxed);
}

int tr_myc_wait_two(tr_myc_wake *w, int fd, short events, int other, int timeout_ms, tr_err *err)
{
	struct pollfd fds[3] = {{.fd = fd, .events = events},
				{.fd = w ? w->fd : -1, .events = POLLIN},
				{.fd = other, .events = POLLIN}};
	int n;

	do
		n = poll(fds, 3, timeout_ms);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return tr_err_set(err, TR_E_SYSTEM, "poll failed: %s", strerror(errno));
	return stopping(w) ? interrupted(err) : fds[0].revents | fds[2].revents;
}

int tr_myc_wait(tr_myc_wake *w, int fd, short events, int timeout_ms, tr_err *err)
{
	return tr_myc_wait_two(w, fd, events, -1, timeout_ms, err);
}

/* A connection made after the wake was set is of no use any more. */
static bool watch(tr_myc_wake *w, int fd)
{
	bool good;

	pthread_mutex_lock(&w->lock);
	good = !stopping(w) && w->socket_count < TR_MYC_CONNECTIONS_MAX;
	if (good)
		w->sockets[w->socket_count++] = fd;
	pthread_mutex_unlock(&w->lock);
	return good;
}

static void unwatch(tr_myc_wake *w, int fd)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->socket_count; i++) {
		if (w->sockets[i] == fd) {
			w->sockets[i] = w->sockets[--w->socket_count];
			break;
		}
	}
	pthread_mutex_unlock(&w->lock);
}

/* --- errors ------------------------------------------------------------------------------------ */

typedef struct meaning {
	unsigned first, last;
	tr_err_code code;
} meaning;

/* The servers' numbers are stable; what is not here is a statement that failed. */
static const meaning meanings[] = {
    {1045, 1045, TR_E_SOURCE_AUTH}, /* wrong user or password */
    {1130, 1130, TR_E_SOURCE_AUTH}, /* this host may not connect */
    {1251, 1251, TR_E_SOURCE_AUTH}, {1275, 1275, TR_E_SOURCE_AUTH}, {1698, 1698, TR_E_SOURCE_AUTH},
    {1820, 1820, TR_E_SOURCE_AUTH}, {1862, 1862, TR_E_SOURCE_AUTH}, /* the password has expired */
    {3118, 3118, TR_E_SOURCE_AUTH}, {4151, 4151, TR_E_SOURCE_AUTH}, /* the account is locked */
    {3159, 3159, TR_E_SOURCE_AUTH}, /* TLS is required */
    {2049, 2049, TR_E_SOURCE_AUTH}, {2054, 2054, TR_E_SOURCE_AUTH}, {2058, 2061, TR_E_SOURCE_AUTH}, /* login plugins */
    {1044, 1044, TR_E_SOURCE_PRIVILEGE}, {1142, 1143, TR_E_SOURCE_PRIVILEGE}, {1227, 1227, TR_E_SOURCE_PRIVILEGE},
    {1370, 1370, TR_E_SOURCE_PRIVILEGE},
    {1049, 1049, TR_E_SOURCE_DATABASE},
    {1040, 1040, TR_E_SOURCE_UNAVAILABLE}, {1203, 1203, TR_E_SOURCE_UNAVAILABLE}, {1226, 1226, TR_E_SOURCE_UNAVAILABLE},
    {1053, 1053, TR_E_SOURCE_UNAVAILABLE}, {1077, 1080, TR_E_SOURCE_UNAVAILABLE}, /* shutting down */
    {1152, 1161, TR_E_SOURCE_UNAVAILABLE}, {1184, 1184, TR_E_SOURCE_UNAVAILABLE}, {1927, 1927, TR_E_SOURCE_UNAVAILABLE},
    {3168, 3169, TR_E_SOURCE_UNAVAILABLE}, {3032, 3032, TR_E_SOURCE_UNAVAILABLE}, {4031, 4031, TR_E_SOURCE_UNAVAILABLE},
    {2000, 2048, TR_E_SOURCE_UNAVAILABLE}, {2050, 2053, TR_E_SOURCE_UNAVAILABLE}, {2055, 2057, TR_E_SOURCE_UNAVAILABLE},
    {5000, 5099, TR_E_SOURCE_UNAVAILABLE},
};

static const char *hint_of(tr_err_code code)
{
	switch (code) {
	case TR_E_SOURCE_AUTH:
		return "Nothing was read. Check user, password and ssl-mode of source.url; the password may come from MYSQL_PWD.";
	case TR_E_SOURCE_PRIVILEGE:
		return "Nothing was lost. `tailrace check` prints the missing GRANT statements.";
	case TR_E_SOURCE_DATABASE:
		return "The database in source.url is only the one to connect to; leave it out, or name one that exists.";
	case TR_E_SOURCE_UNAVAILABLE:
		return "It is tried again for source.retry_for, from the last durable position. If it stays so: is the server up, and "
		       "are host and port of source.url right?";
	default:
		return NULL;
	}
}

int tr_myc_error_of(unsigned number, const char *message, const char *what, tr_err *err)
{
	tr_err_code code = TR_E_SOURCE_SQL;
	const char *hint;

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++)
		if (number >= meanings[i].first && number <= meanings[i].last)
			code = meanings[i].code;
	/* A certificate that does not fit will not fit later. */
	if (number == CR_SSL_CONNECTION_ERROR && (strcasestr(message, "certificate") || strcasestr(message, "verif")))
		code = TR_E_SOURCE_AUTH;
	tr_err_set(err, code, "could not %s", what);
	tr_err_detail(err, "%s (%u)", *message ? message : "the connection was lost", number);
	hint = hint_of(code);
	return hint ? tr_err_hint(err, "%s", hint) : -1;
}

int tr_myc_error(MYSQL *c, tr_myc_wake *wake, const char *what, tr_err *err)
{
	unsigned number = mysql_errno(c);

	if (stopping(wake))
		return interrupted(err);
	return tr_myc_error_of(number ? number : CR_SERVER_LOST, mysql_error(c), what, err);
}

/* --- login ------------------------------------------------------------------------------------- */

static void library_begin(void)
{
	mysql_library_init(0, NULL, NULL);
}

static int set_options(MYSQL *c, const tr_myc_dial *dial)
{
	const tr_myc_url *url = dial->url;
	unsigned connect_s = (unsigned)(dial->timeout_ms + 999) / 1000, no = 0;
	unsigned read_s = (unsigned)((dial->read_ms > 0 ? dial->read_ms : TR_MYC_QUERY_MS) + 999) / 1000;

	if (mysql_options(c, MYSQL_OPT_CONNECT_TIMEOUT, &connect_s) || mysql_options(c, MYSQL_OPT_READ_TIMEOUT, &read_s) ||
	    mysql_options(c, MYSQL_OPT_WRITE_TIMEOUT, &read_s) || mysql_options(c, MYSQL_OPT_LOCAL_INFILE, &no) ||
	    mysql_options(c, MYSQL_SET_CHARSET_NAME, "utf8mb4"))
		return -1;
	/* For people who look at the server's list of connections; of no other consequence. */
	(void)mysql_options4(c, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "tailrace");
	if (url->defaults_file && mysql_options(c, MYSQL_READ_DEFAULT_FILE, url->defaults_file))
		return -1;
	if (url->defaults_file &&
	    mysql_options(c, MYSQL_READ_DEFAULT_GROUP, url->defaults_group ? url->defaults_group : "client"))
		return -1;
	return tr_myc_raw_options(c, url);
}

/* One place for what every session needs: times in UTC, no modes that change what statements mean or rows look like, and
 * patience when the receiver stands still. */
static int set_session(MYSQL *c, tr_myc_wake *wake, tr_err *err)
{
	char sql[256];

	snprintf(sql, sizeof(sql),
		 "SET SESSION time_zone = '+00:00', sql_mode = '', autocommit = 1, net_write_timeout = %d, wait_timeout = %d, "
		 "lock_wait_timeout = 60",
		 SERVER_WAIT_S, SERVER_WAIT_S);
	return tr_myc_run(c, wake, "set up the session", sql, err);
}

static int check_encrypted(MYSQL *c, const tr_myc_url *url, const char *host, tr_err *err)
{
	if (url->ssl_mode < TR_MYC_SSL_REQUIRED || mysql_get_ssl_cipher(c))
		return 0;
	tr_err_set(err, TR_E_SOURCE_AUTH, "the connection to \"%s\" is not encrypted, though ssl-mode asks for it", host);
	return tr_err_hint(err, "Nothing was read. Let the server support TLS, or choose another ssl-mode in source.url.");
}

/* The library would try again and again what a look at the file tells at once. */
static int check_files(const tr_myc_url *url, tr_err *err)
{
	const struct {
		const char *name, *path;
	} files[] = {{"ssl-ca", url->ssl_ca}, {"ssl-capath", url->ssl_capath}, {"ssl-cert", url->ssl_cert}, {"ssl-key", url->ssl_key},
		     {"defaults-file", url->defaults_file}};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!files[i].path || access(files[i].path, R_OK) == 0)
			continue;
		tr_err_set(err, TR_E_CONFIG, "the file that %s names in source.url cannot be read", files[i].name);
		tr_err_detail(err, "\"%s\": %s", files[i].path, strerror(errno));
		return tr_err_hint(err, "Nothing was read. Check the path, and that user id %u may read it.", (unsigned)geteuid());
	}
	return 0;
}

/* Something else than a MySQL server may answer, too; that is a matter of the address. */
static void login_error(MYSQL *c, const tr_myc_dial *dial, const tr_myc_host *host, tr_err *err)
{
	const char *message = mysql_error(c);

	tr_myc_error(c, dial->wake, "connect to the source", err);
	if (err->code == TR_E_SOURCE_SQL)
		err->code = TR_E_SOURCE_UNAVAILABLE;
	if (err->code == TR_E_INTERRUPTED)
		return;
	tr_err_detail(err, "%s (%u), %s port %u", *message ? message : "the connection was lost", mysql_errno(c),
		      dial->url->socket ? dial->url->socket : host->name, host->port);
	if (hint_of(err->code))
		tr_err_hint(err, "%s", hint_of(err->code));
}

static int open_one(MYSQL **out, const tr_myc_dial *dial, const tr_myc_host *host, tr_err *err)
{
	bool timed_out = false;
	MYSQL *c = mysql_init(NULL);
	int result = -1;

	if (!c)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	if (set_options(c, dial)) {
		tr_err_set(err, TR_E_CONFIG, "an option of the connection was refused by the client library");
		tr_err_hint(err, "Check the files and values that source.url names.");
		goto out;
	}
	if (tr_myc_raw_login(c, dial->url, host, dial->timeout_ms, dial->wake, &timed_out)) {
		if (timed_out && !stopping(dial->wake)) {
			tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "could not connect to the source: no answer within %d ms",
				   dial->timeout_ms);
			tr_err_detail(err, "%s port %u", host->name, host->port);
			tr_err_hint(err, "%s", hint_of(TR_E_SOURCE_UNAVAILABLE));
		} else {
			login_error(c, dial, host, err);
		}
		goto out;
	}
	tr_myc_raw_packet_max(c, dial->packet_max ? dial->packet_max : PACKET_MAX_BYTES);
	if (!watch(dial->wake, tr_myc_raw_socket(c))) {
		if (stopping(dial->wake))
			interrupted(err);
		else
			tr_err_set(err, TR_E_BUG, "more than %d connections at a time", TR_MYC_CONNECTIONS_MAX);
		goto out;
	}
	*out = c;
	c = NULL;
	if (check_encrypted(*out, dial->url, host->name, err) || set_session(*out, dial->wake, err))
		tr_myc_close(dial->wake, out);
	else
		result = 0;
out:
	if (c)
		mysql_close(c);
	return result;
}

int tr_myc_connect(MYSQL **out, const tr_myc_dial *dial, size_t *host, tr_err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	size_t count = dial->url->socket ? 1 : dial->url->host_count;

	*out = NULL;
	if (check_files(dial->url, err))
		return -1;
	pthread_once(&once, library_begin);
	for (size_t i = 0; i < count; i++) {
		size_t at = (dial->host + i) % count;

		if (open_one(out, dial, &dial->url->hosts[at], err) == 0) {
			if (host)
				*host = at;
			tr_err_clear(err);
			return 0;
		}
		if (err->code != TR_E_SOURCE_UNAVAILABLE)
			break;
	}
	return -1;
}

void tr_myc_close(tr_myc_wake *wake, MYSQL **c)
{
	if (!*c)
		return;
	unwatch(wake, tr_myc_raw_socket(*c));
	mysql_close(*c);
	*c = NULL;
}

/* --- statements -------------------------------------------------------------------------------- */

static int send_query(MYSQL *c, tr_myc_wake *wake, const char *what, const char *sql, tr_err *err)
{
	if (stopping(wake))
		return interrupted(err);
	return mysql_real_query(c, sql, (unsigned long)strlen(sql)) ? tr_myc_error(c, wake, what, err) : 0;
}

int tr_myc_run(MYSQL *c, tr_myc_wake *wake, const char *what, const char *sql, tr_err *err)
{
	MYSQL_RES *r;

	if (send_query(c, wake, what, sql, err))
		return -1;
	r = mysql_store_result(c);
	if (!r && mysql_field_count(c) > 0)
		return tr_myc_error(c, wake, what, err);
	mysql_free_result(r);
	return 0;
}

static int result_of(MYSQL *c, tr_myc_wake *wake, const char *what, MYSQL_RES *r, MYSQL_RES **out, tr_err *err)
{
	*out = r;
	if (r)
		return 0;
	if (mysql_errno(c))
		return tr_myc_error(c, wake, what, err);
	return tr_err_set(err, TR_E_BUG, "could not %s: the statement has no result", what);
}

int tr_myc_query(MYSQL *c, tr_myc_wake *wake, const char *what, const char *sql, MYSQL_RES **out, tr_err *err)
{
	*out = NULL;
	return send_query(c, wake, what, sql, err) ? -1 : result_of(c, wake, what, mysql_store_result(c), out, err);
}

int tr_myc_query_rows(MYSQL *c, tr_myc_wake *wake, const char *what, const char *sql, MYSQL_RES **out, tr_err *err)
{
	*out = NULL;
	return send_query(c, wake, what, sql, err) ? -1 : result_of(c, wake, what, mysql_use_result(c), out, err);
}

int tr_myc_fetch(MYSQL *c, tr_myc_wake *wake, const char *what, MYSQL_RES *r, MYSQL_ROW *row, unsigned long **lengths,
		 tr_err *err)
{
	*row = mysql_fetch_row(r);
	if (*row) {
		if (lengths)
			*lengths = mysql_fetch_lengths(r);
		return 1;
	}
	return mysql_errno(c) || stopping(wake) ? tr_myc_error(c, wake, what, err) : 0;
}

int tr_myc_value(MYSQL *c, tr_myc_wake *wake, const char *what, const char *sql, char *out, size_t cap, bool *found,
		 tr_err *err)
{
	MYSQL_RES *r;
	MYSQL_ROW row;

	out[0] = '\0';
	if (found)
		*found = false;
	if (tr_myc_query(c, wake, what, sql, &r, err))
		return -1;
	row = mysql_fetch_row(r);
	if (row && row[0]) {
		snprintf(out, cap, "%s", row[0]);
		if (found)
			*found = true;
	}
	mysql_free_result(r);
	return 0;
}

/* --- SQL text ---------------------------------------------------------------------------------- */

static void put_quoted(tr_writer *w, char quote, bool backslash, const char *text)
{
	tr_writer_u8(w, (uint8_t)quote);
	for (; *text; text++) {
		if (*text == quote || (backslash && *text == '\\'))
			tr_writer_u8(w, (uint8_t)*text);
		tr_writer_u8(w, (uint8_t)*text);
	}
	tr_writer_u8(w, (uint8_t)quote);
}

void tr_myc_ident(tr_writer *w, const char *name)
{
	put_quoted(w, '`', false, name);
}

void tr_myc_literal(tr_writer *w, const char *text)
{
	put_quoted(w, '\'', true, text);
}

void tr_myc_qualified(tr_writer *w, const char *database, const char *name)
{
	tr_myc_ident(w, database);
	tr_writer_u8(w, '.');
	tr_myc_ident(w, name);
}
