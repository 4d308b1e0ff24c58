/*
 * Oracle's libmysqlclient; the other library is in raw.c. It reads a dump by a blocking call only, and does not show what it
 * has read ahead; so a thread calls it, hands over one event at a time, and tells by an eventfd that there is one. It
 * cannot register a replica: SHOW REPLICAS does not show this build.
 */
#include "capture/mysql/raw.h"

#ifdef TR_MYSQL_CLIENT_ORACLE

#include <errmsg.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"

#define LOGIN_STEP_MS 5

int tr_myc_raw_options(MYSQL *c, const tr_myc_url *url)
{
	static const unsigned modes[] = {SSL_MODE_DISABLED, SSL_MODE_PREFERRED, SSL_MODE_REQUIRED, SSL_MODE_VERIFY_CA,
					 SSL_MODE_VERIFY_IDENTITY};
	const struct {
		enum mysql_option option;
		const char *value;
	} texts[] = {{MYSQL_OPT_SSL_KEY, url->ssl_key}, {MYSQL_OPT_SSL_CERT, url->ssl_cert}, {MYSQL_OPT_SSL_CA, url->ssl_ca},
		     {MYSQL_OPT_SSL_CAPATH, url->ssl_capath}, {MYSQL_OPT_SSL_CIPHER, url->ssl_cipher},
		     {MYSQL_OPT_TLS_VERSION, url->tls_version}};
	bool yes = true;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].value && mysql_options(c, texts[i].option, texts[i].value))
			return -1;
	return mysql_options(c, MYSQL_OPT_SSL_MODE, &modes[url->ssl_mode]) ||
		       mysql_options(c, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &yes)
		   ? -1
		   : 0;
}

/* The library does not say what it waits for, so it is asked now and then. */
int tr_myc_raw_login(MYSQL *c, const tr_myc_url *url, const tr_myc_host *host, int timeout_ms, tr_myc_wake *wake,
		     bool *timed_out)
{
	int64_t end_us = tr_clock_mono_us() + (int64_t)timeout_ms * 1000;
	enum net_async_status status;
	tr_err ignored;

	*timed_out = false;
	for (;;) {
		status = mysql_real_connect_nonblocking(c, host->name, url->user, url->password, url->database, host->port,
							url->socket, 0);
		if (status != NET_ASYNC_NOT_READY)
			return status == NET_ASYNC_COMPLETE ? 0 : -1;
		if (tr_clock_mono_us() > end_us || tr_myc_wait(wake, -1, 0, LOGIN_STEP_MS, &ignored) < 0) {
			*timed_out = true;
			return -1;
		}
	}
}

int tr_myc_raw_socket(MYSQL *c)
{
	return c->net.fd;
}

void tr_myc_raw_packet_max(MYSQL *c, size_t bytes)
{
	c->net.max_packet_size = bytes;
}

int tr_myc_raw_register(MYSQL *c, uint32_t server_id, const char *name)
{
	(void)c;
	(void)server_id;
	(void)name;
	return 0;
}

/* --- the reading thread ------------------------------------------------------------------------- */

typedef enum slot { SLOT_EMPTY, SLOT_FULL, SLOT_LENT } slot;

typedef struct reader {
	MYSQL *c;
	MYSQL_RPL rpl;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int fd; /* eventfd: readable while the slot is full */
	slot slot;
	int result; /* of the last fetch */
	bool stop;
} reader;

/* The slot is full until take, then lent until the next question; only then the library's buffer may be filled anew. */
static void *read_events(void *arg)
{
	reader *r = arg;
	uint64_t one = 1;
	bool more = true;

	mysql_thread_init();
	while (more) {
		int result = mysql_binlog_fetch(r->c, &r->rpl);

		pthread_mutex_lock(&r->lock);
		r->result = result;
		r->slot = SLOT_FULL;
		/* Cannot fail: the counter is at most 1. */
		if (write(r->fd, &one, sizeof(one)) < 0)
			r->stop = true;
		pthread_cond_broadcast(&r->changed);
		more = result == 0 && r->rpl.size > 0;
		while (more && r->slot != SLOT_EMPTY && !r->stop)
			pthread_cond_wait(&r->changed, &r->lock);
		more = more && !r->stop;
		pthread_mutex_unlock(&r->lock);
	}
	mysql_thread_end();
	return NULL;
}

static void reader_free(reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static reader *reader_new(MYSQL *c, const tr_myc_raw_dump *d)
{
	reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->c = c;
	r->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->rpl = (MYSQL_RPL){.file_name = d->file, .file_name_length = strlen(d->file), .start_position = d->pos,
			     .server_id = d->server_id, .flags = d->flags};
	if (d->by_gtid) {
		r->rpl.flags |= MYSQL_RPL_GTID;
		r->rpl.gtid_set_encoded_size = d->gtids.len;
		r->rpl.gtid_set_arg = (void *)(uintptr_t)d->gtids.ptr;
		r->rpl.start_position = 4;
	}
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->changed, NULL);
	return r;
}

int tr_myc_raw_dump_begin(MYSQL *c, tr_myc_raw_dump *d, tr_myc_wake *wake)
{
	reader *r = reader_new(c, d);

	(void)wake;
	if (!r)
		return -1;
	if (r->fd >= 0 && mysql_binlog_open(c, &r->rpl) == 0) {
		if (pthread_create(&r->thread, NULL, read_events, r) == 0) {
			d->reader = r;
			return 0;
		}
		mysql_binlog_close(c, &r->rpl);
	}
	reader_free(r);
	return -1;
}

bool tr_myc_raw_dump_pending(MYSQL *c, const tr_myc_raw_dump *d)
{
	reader *r = d->reader;
	bool full;

	(void)c;
	pthread_mutex_lock(&r->lock);
	if (r->slot == SLOT_LENT) {
		r->slot = SLOT_EMPTY;
		pthread_cond_broadcast(&r->changed);
	}
	full = r->slot == SLOT_FULL;
	pthread_mutex_unlock(&r->lock);
	return full;
}

int tr_myc_raw_dump_fd(MYSQL *c, const tr_myc_raw_dump *d)
{
	(void)c;
	return ((const reader *)d->reader)->fd;
}

int tr_myc_raw_dump_take(MYSQL *c, tr_myc_raw_dump *d, tr_slice *event)
{
	reader *r = d->reader;
	uint64_t count;
	int result;

	(void)c;
	pthread_mutex_lock(&r->lock);
	while (r->slot != SLOT_FULL)
		pthread_cond_wait(&r->changed, &r->lock);
	/* Nothing in it can only mean that the wake came before the number. */
	if (read(r->fd, &count, sizeof(count)) < 0)
		count = 0;
	r->slot = SLOT_LENT;
	result = r->result ? -1 : r->rpl.size == 0 ? 2 : 1;
	if (result == 1)
		*event = tr_slice_of(r->rpl.buffer + 1, r->rpl.size - 1);
	pthread_mutex_unlock(&r->lock);
	return result;
}

void tr_myc_raw_dump_end(MYSQL *c, tr_myc_raw_dump *d)
{
	reader *r = d->reader;

	if (!r)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	/* Ends the call that waits for the server. */
	shutdown(c->net.fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	mysql_binlog_close(c, &r->rpl);
	reader_free(r);
	d->reader = NULL;
}

#endif
