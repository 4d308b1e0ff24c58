/* MariaDB Connector/C; the other library is in raw_oracle.c. */
#include "capture/mysql/raw.h"

#ifndef TR_MYSQL_CLIENT_ORACLE

#include <dlfcn.h>
#include <errmsg.h>
#include <ma_pvio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define REGISTER_COMMAND  0x15
#define DUMP_COMMAND      0x12
#define DUMP_GTID_COMMAND 0x1e
#define VERIFIES_ALWAYS   30400 /* from this version on a CA is no longer looked at unless the name is checked, too */

int tr_myc_raw_options(MYSQL *c, const tr_myc_url *url)
{
	bool strict = url->ssl_mode == TR_MYC_SSL_VERIFY_IDENTITY ||
		      (url->ssl_mode == TR_MYC_SSL_VERIFY_CA && mysql_get_client_version() >= VERIFIES_ALWAYS);
	my_bool verify = strict, enforce = url->ssl_mode >= TR_MYC_SSL_REQUIRED;

	if (mysql_options(c, MYSQL_OPT_NONBLOCK, 0) || mysql_options(c, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify))
		return -1;
	if (url->ssl_mode == TR_MYC_SSL_DISABLED)
		return 0;
	if (mysql_ssl_set(c, url->ssl_key, url->ssl_cert, url->ssl_ca, url->ssl_capath, url->ssl_cipher))
		return -1;
	if (enforce && mysql_options(c, MYSQL_OPT_SSL_ENFORCE, &enforce))
		return -1;
	return url->tls_version ? mysql_options(c, MARIADB_OPT_TLS_VERSION, url->tls_version) : 0;
}

static short events_of(int status)
{
	return (short)((status & MYSQL_WAIT_READ ? POLLIN : 0) | (status & MYSQL_WAIT_WRITE ? POLLOUT : 0) |
		       (status & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
}

/* What of the awaited has come; 0 when the time is over or the wake is set. */
static int await(MYSQL *c, int status, int64_t end_us, tr_myc_wake *wake)
{
	int64_t left_us = end_us - tr_clock_mono_us();
	tr_err ignored;
	int n;

	if (left_us <= 0)
		return 0;
	n = tr_myc_wait(wake, mysql_get_socket(c), events_of(status), (int)(left_us / 1000) + 1, &ignored);
	if (n <= 0)
		return 0;
	return (n & POLLOUT ? MYSQL_WAIT_WRITE : 0) | (n & (POLLIN | POLLHUP | POLLERR) ? MYSQL_WAIT_READ : 0) |
	       (n & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
}

int tr_myc_raw_login(MYSQL *c, const tr_myc_url *url, const tr_myc_host *host, int timeout_ms, tr_myc_wake *wake,
		     bool *timed_out)
{
	int64_t end_us = tr_clock_mono_us() + (int64_t)timeout_ms * 1000;
	MYSQL *done = NULL;
	int status = mysql_real_connect_start(&done, c, host->name, url->user, url->password, url->database, host->port,
					      url->socket, 0);

	*timed_out = false;
	while (status != 0) {
		int come = await(c, status, end_us, wake);

		/* Giving up in the middle is fine: the connection is closed next. */
		if (come == 0) {
			*timed_out = true;
			return -1;
		}
		status = mysql_real_connect_cont(&done, c, come);
	}
	return done ? 0 : -1;
}

int tr_myc_raw_socket(MYSQL *c)
{
	return (int)mysql_get_socket(c);
}

void tr_myc_raw_packet_max(MYSQL *c, size_t bytes)
{
	c->net.max_packet_size = bytes;
}

static int command(MYSQL *c, int number, const tr_writer *body)
{
	if (!tr_writer_ok(body))
		return -1;
	return c->methods->db_command(c, (enum enum_server_command)number, (const char *)body->data, body->len, 1, NULL);
}

static void put_le(tr_writer *w, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		tr_writer_u8(w, (uint8_t)(value >> (8 * i)));
}

static void put_short_text(tr_writer *w, const char *text)
{
	size_t len = strlen(text);

	if (len > 60)
		len = 60;
	tr_writer_u8(w, (uint8_t)len);
	tr_writer_put(w, text, len);
}

/* server id u32, host, user, password (each with its length in a byte), port u16, rank u32, source's id u32 */
int tr_myc_raw_register(MYSQL *c, uint32_t server_id, const char *name)
{
	tr_writer body;
	int result;

	tr_writer_init(&body, 1024);
	put_le(&body, server_id, 4);
	put_short_text(&body, name);
	put_short_text(&body, "");
	put_short_text(&body, "");
	put_le(&body, 0, 2);
	put_le(&body, 0, 4);
	put_le(&body, 0, 4);
	result = command(c, REGISTER_COMMAND, &body) || mysql_net_read_packet(c) == packet_error ? -1 : 0;
	tr_writer_release(&body);
	return result;
}

/* How many bytes TLS has decrypted that nobody has read. The library does not say, but the one below it does; which that
 * is differs from build to build, and it is loaded already. */
typedef struct tls_reader {
	int (*openssl)(const void *ssl);
	size_t (*gnutls)(void *session);
} tls_reader;

static int find_tls(MYSQL *c, tr_myc_raw_dump *d)
{
	tls_reader *reader = calloc(1, sizeof(*reader));
	const char *name = NULL;
	void *found = NULL;

	if (!reader)
		return -1;
	if (mariadb_get_infov(c, MARIADB_TLS_LIBRARY, &name) == 0 && name && strncmp(name, "GnuTLS", 6) == 0) {
		found = dlsym(RTLD_DEFAULT, "gnutls_record_check_pending");
		memcpy(&reader->gnutls, &found, sizeof(found));
	} else if (name) {
		found = dlsym(RTLD_DEFAULT, "SSL_pending");
		memcpy(&reader->openssl, &found, sizeof(found));
	}
	if (!found) {
		free(reader);
		c->net.last_errno = CR_SSL_CONNECTION_ERROR;
		snprintf(c->net.last_error, sizeof(c->net.last_error), "the client's TLS library (%s) is not known here", name ? name : "?");
		return -1;
	}
	d->reader = reader;
	return 0;
}

/* How MARIADB_TLS begins, in 3.1 to 3.4: its header (ma_tls.h) needs one that distributions leave out. */
typedef struct tls_state {
	void *data;
	MARIADB_PVIO *pvio;
	void *ssl;
} tls_state;

static bool tls_pending(const tls_state *tls, const tls_reader *reader)
{
	return reader->openssl ? reader->openssl(tls->ssl) > 0 : reader->gnutls(tls->ssl) > 0;
}

/* With GTIDs: flags u16, server id u32, file (length u32), position u64, set (length u32). Else: position u32, flags u16,
 * server id u32, file to the end. */
int tr_myc_raw_dump_begin(MYSQL *c, tr_myc_raw_dump *d, tr_myc_wake *wake)
{
	tr_writer body;
	int result;

	(void)wake;
	d->reader = NULL;
	if (c->net.pvio && c->net.pvio->ctls && find_tls(c, d))
		return -1;
	tr_writer_init(&body, d->gtids.len + 1024);
	if (d->by_gtid) {
		put_le(&body, d->flags, 2);
		put_le(&body, d->server_id, 4);
		put_le(&body, 0, 4);
		put_le(&body, 4, 8);
		put_le(&body, d->gtids.len, 4);
		tr_writer_slice(&body, d->gtids);
	} else {
		put_le(&body, d->pos, 4);
		put_le(&body, d->flags, 2);
		put_le(&body, d->server_id, 4);
		tr_writer_text(&body, d->file);
	}
	result = command(c, d->by_gtid ? DUMP_GTID_COMMAND : DUMP_COMMAND, &body);
	if (result)
		tr_myc_raw_dump_end(c, d);
	tr_writer_release(&body);
	return result;
}

/* The library reads ahead into its cache, at most 16 KiB at a time. The rest of a long packet it reads past the cache, and no
 * more than that: of a TLS record, which is decrypted as a whole, something may be left below. */
bool tr_myc_raw_dump_pending(MYSQL *c, const tr_myc_raw_dump *d)
{
	const MARIADB_PVIO *io = c->net.pvio;

	if (!io)
		return false;
	return (io->cache && io->cache_pos < io->cache + io->cache_size) || (io->ctls && d->reader && tls_pending(io->ctls, d->reader));
}

int tr_myc_raw_dump_fd(MYSQL *c, const tr_myc_raw_dump *d)
{
	(void)d;
	return (int)mysql_get_socket(c);
}

/* Packets at the limit of 16 MiB - 1 are joined by the library. */
int tr_myc_raw_dump_take(MYSQL *c, tr_myc_raw_dump *d, tr_slice *event)
{
	unsigned long len = mysql_net_read_packet(c);

	(void)d;
	/* A packet that found no room ends as "connection lost"; only this flag tells (2 is a failed read). */
	if (len == packet_error)
		return c->net.error == 1 && c->net.last_errno == CR_SERVER_LOST ? 3 : -1;
	if (len > 0 && len < 9 && c->net.read_pos[0] == 0xfe)
		return 2;
	*event = len > 0 ? tr_slice_of(c->net.read_pos + 1, len - 1) : tr_slice_of(NULL, 0);
	return 1;
}

void tr_myc_raw_dump_end(MYSQL *c, tr_myc_raw_dump *d)
{
	(void)c;
	free(d->reader);
	d->reader = NULL;
}

#endif
