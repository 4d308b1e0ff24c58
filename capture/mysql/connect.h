/*
 * Connections to MySQL and MariaDB: urls, login, our session settings, statements, and the client library's answers as our
 * errors. The client library is MariaDB Connector/C or Oracle's libmysqlclient (TAILRACE_MYSQL_CLIENT); what differs
 * between them is in raw.c alone.
 *
 * Every connection is known to the `wake` it was made with, which can shut all of them down from another thread: then each
 * call that waits in one returns INTERRUPTED. Statements give up after the connection's read timeout without a byte.
 *
 * Refuses: to know positions or tables; files asked for by a server (LOCAL INFILE is off). Texts of errors are the
 * server's message and number, never of a statement with values.
 */
#ifndef TR_CAPTURE_MYSQL_CONNECT_H
#define TR_CAPTURE_MYSQL_CONNECT_H

#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/writer.h"

#define TR_MYC_CONNECTIONS_MAX 64
#define TR_MYC_HOSTS_MAX       16

/* Ends every wait of a source from another thread. fd is an eventfd that stays readable while stop is set. */
typedef struct tr_myc_wake {
	int fd;
	_Atomic(bool) stop;
	pthread_mutex_t lock;
	int sockets[TR_MYC_CONNECTIONS_MAX];
	size_t socket_count;
} tr_myc_wake;

int tr_myc_wake_init(tr_myc_wake *w, tr_err *err);
void tr_myc_wake_release(tr_myc_wake *w);
void tr_myc_wake_set(tr_myc_wake *w); /* any thread */
void tr_myc_wake_clear(tr_myc_wake *w);
/* Waits for `events` (poll's) on fd (-1 = none) for at most timeout_ms (-1 = no end). Events > 0, 0 on timeout; -1 with
 * INTERRUPTED when the wake was set, SYSTEM when poll fails. */
int tr_myc_wait(tr_myc_wake *w, int fd, short events, int timeout_ms, tr_err *err);
/* The same, and ends when `other` (-1 = none) can be read, too. */
int tr_myc_wait_two(tr_myc_wake *w, int fd, short events, int other, int timeout_ms, tr_err *err);

typedef enum { TR_MYC_SSL_DISABLED, TR_MYC_SSL_PREFERRED, TR_MYC_SSL_REQUIRED, TR_MYC_SSL_VERIFY_CA,
	       TR_MYC_SSL_VERIFY_IDENTITY } tr_myc_ssl_mode;

typedef struct tr_myc_host {
	const char *name; /* host name or address */
	unsigned port;
} tr_myc_host;

/*
 * mysql://user:password@host:3306,other:3306/database?ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE&ssl-cert=FILE&ssl-key=FILE
 * Further parameters: socket=PATH (then no host is needed), defaults-file=FILE and defaults-group=NAME (the client's option
 * file is read only when asked for). The password is the url's, or MYSQL_PWD's. Parts are percent-decoded.
 */
typedef struct tr_myc_url {
	tr_arena arena;
	const char *user, *password, *database; /* NULL when not given */
	const char *socket, *defaults_file, *defaults_group;
	const char *ssl_ca, *ssl_capath, *ssl_cert, *ssl_key, *ssl_cipher;
	const char *tls_version;
	tr_myc_ssl_mode ssl_mode;
	tr_myc_host hosts[TR_MYC_HOSTS_MAX];
	size_t host_count;
} tr_myc_url;

int tr_myc_url_parse(tr_myc_url *out, const char *url, tr_err *err);
void tr_myc_url_release(tr_myc_url *u);

typedef struct tr_myc_dial {
	const tr_myc_url *url;
	size_t host;       /* tried first, then the others in turn */
	int timeout_ms;    /* for the login to one host */
	int read_ms;       /* the longest silence within a statement; 0 = TR_MYC_QUERY_MS */
	size_t packet_max; /* bytes of the largest packet that is accepted; 0 = 64 MiB */
	tr_myc_wake *wake;
} tr_myc_dial;

#define TR_MYC_QUERY_MS 60000

/* Opens a connection to the first host that answers, with our session settings; *host (may be NULL) receives its place. A
 * refused login is not tried on the next host. */
int tr_myc_connect(MYSQL **out, const tr_myc_dial *dial, size_t *host, tr_err *err);
void tr_myc_close(tr_myc_wake *wake, MYSQL **c); /* *c may be NULL, and is afterwards */

/* `what` names the purpose in errors: "read the server's settings". */
int tr_myc_run(MYSQL *c, tr_myc_wake *wake, const char *what, const char *sql, tr_err *err); /* without a result */
/* The whole result in memory: for catalogue statements. *out is freed by mysql_free_result. */
int tr_myc_query(MYSQL *c, tr_myc_wake *wake, const char *what, const char *sql, MYSQL_RES **out, tr_err *err);
/* Rows come as they are fetched: for tables. All rows have to be fetched, or the connection closed, before the next one. */
int tr_myc_query_rows(MYSQL *c, tr_myc_wake *wake, const char *what, const char *sql, MYSQL_RES **out, tr_err *err);
/* The next row: 1, 0 at the end, -1. For both kinds of result; the row and *lengths live until the next call. */
int tr_myc_fetch(MYSQL *c, tr_myc_wake *wake, const char *what, MYSQL_RES *r, MYSQL_ROW *row, unsigned long **lengths,
		 tr_err *err);
/* Reads one value of the first row into out (cap bytes); "" when there is no row or it is NULL, which *found tells. */
int tr_myc_value(MYSQL *c, tr_myc_wake *wake, const char *what, const char *sql, char *out, size_t cap, bool *found,
		 tr_err *err);

/* Fills err from the connection's last error. Returns -1. */
int tr_myc_error(MYSQL *c, tr_myc_wake *wake, const char *what, tr_err *err);
/* The same from a number and a message that came in a packet. */
int tr_myc_error_of(unsigned number, const char *message, const char *what, tr_err *err);

/* SQL text: `name` and 'literal', with quotes (and, in literals, backslashes) doubled. */
void tr_myc_ident(tr_writer *w, const char *name);
void tr_myc_literal(tr_writer *w, const char *text);
/* `database`.`name` */
void tr_myc_qualified(tr_writer *w, const char *database, const char *name);

#endif
