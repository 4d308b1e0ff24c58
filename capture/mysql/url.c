/* mysql:// and mariadb:// urls. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "capture/mysql/connect.h"

#define ARENA_MAX ((size_t)64 << 10)
#define PORT      3306

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Percent-decoded; NULL when memory ran out or a NUL is in it. */
static const char *decode(tr_arena *a, const char *from, size_t len)
{
	char *text = tr_arena_strndup(a, from, len), *to = text;

	for (const char *p = text; p && *p; p++) {
		if (p[0] == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
			*to = (char)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
			if (*to++ == '\0')
				return NULL;
			p += 2;
		} else {
			*to++ = *p;
		}
	}
	if (to)
		*to = '\0';
	return text;
}

/* No part of the url but a parameter's name is ever in an error: a password may stand anywhere in a malformed one. */
static int bad(tr_err *err, const char *what)
{
	tr_err_set(err, TR_E_CONFIG, "the source url cannot be understood: %s", what);
	return tr_err_hint(err, "It looks like mysql://user:password@host:3306/?ssl-mode=VERIFY_IDENTITY&ssl-ca=FILE; special "
				"characters of user and password are written as %%40 and the like.");
}

static int take_credentials(tr_myc_url *u, const char *from, size_t len, tr_err *err)
{
	const char *colon = memchr(from, ':', len);
	size_t user_len = colon ? (size_t)(colon - from) : len;

	u->user = decode(&u->arena, from, user_len);
	if (!u->user)
		return bad(err, "its user");
	if (!colon)
		return 0;
	u->password = decode(&u->arena, colon + 1, len - user_len - 1);
	return u->password ? 0 : bad(err, "its password");
}

/* host, host:port, [address]:port */
static int take_host(tr_myc_url *u, const char *from, size_t len, tr_err *err)
{
	const char *end = from + len, *name = from, *name_end, *port;
	tr_myc_host *host;
	char *stop;

	if (len == 0)
		return 0;
	if (u->host_count == TR_MYC_HOSTS_MAX)
		return bad(err, "it has too many hosts");
	if (*from == '[') {
		name_end = memchr(from, ']', len);
		if (!name_end)
			return bad(err, "a [ without a ]");
		name = from + 1;
		port = name_end + 1;
	} else {
		const char *colon = memchr(from, ':', len);

		name_end = port = colon ? colon : end;
	}
	host = &u->hosts[u->host_count++];
	host->name = decode(&u->arena, name, (size_t)(name_end - name));
	host->port = PORT;
	if (port < end) {
		char digits[8] = "";

		if (*port != ':' || end - port - 1 >= (ptrdiff_t)sizeof(digits) || end - port == 1)
			return bad(err, "its port");
		memcpy(digits, port + 1, (size_t)(end - port - 1));
		host->port = (unsigned)strtoul(digits, &stop, 10);
		if (*stop || host->port == 0 || host->port > 65535)
			return bad(err, "its port");
	}
	return host->name ? 0 : bad(err, "a host");
}

static int take_hosts(tr_myc_url *u, const char *from, const char *end, tr_err *err)
{
	while (from < end) {
		size_t len = strcspn(from, ",");

		if (from + len > end)
			len = (size_t)(end - from);
		if (take_host(u, from, len, err))
			return -1;
		from += len + 1;
	}
	return 0;
}

static int take_ssl_mode(tr_myc_url *u, const char *value, tr_err *err)
{
	static const char *const names[] = {"DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcasecmp(value, names[i]) == 0) {
			u->ssl_mode = (tr_myc_ssl_mode)i;
			return 0;
		}
	}
	return bad(err, "ssl-mode is DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY");
}

/* Parameters have the names of the mysql client's options. */
static int take_parameter(tr_myc_url *u, const char *from, size_t len, bool *mode_given, tr_err *err)
{
	const struct {
		const char *name;
		const char **value;
	} known[] = {{"socket", &u->socket}, {"defaults-file", &u->defaults_file}, {"defaults-group", &u->defaults_group},
		     {"ssl-ca", &u->ssl_ca}, {"ssl-capath", &u->ssl_capath}, {"ssl-cert", &u->ssl_cert},
		     {"ssl-key", &u->ssl_key}, {"ssl-cipher", &u->ssl_cipher}, {"tls-version", &u->tls_version},
		     {"user", &u->user}, {"password", &u->password}};
	const char *equals = memchr(from, '=', len), *value;
	size_t name_len = equals ? (size_t)(equals - from) : len;

	if (len == 0)
		return 0;
	value = equals ? decode(&u->arena, equals + 1, len - name_len - 1) : "";
	if (!value)
		return bad(err, "a parameter");
	if (name_len == strlen("ssl-mode") && strncmp(from, "ssl-mode", name_len) == 0) {
		*mode_given = true;
		return take_ssl_mode(u, value, err);
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) == name_len && strncmp(from, known[i].name, name_len) == 0) {
			*known[i].value = value;
			return 0;
		}
	}
	tr_err_set(err, TR_E_CONFIG, "the source url has the unknown parameter \"%.*s\"", (int)(name_len < 64 ? name_len : 64),
		   from);
	return tr_err_hint(err, "Known are ssl-mode, ssl-ca, ssl-capath, ssl-cert, ssl-key, ssl-cipher, tls-version, socket, user, "
				"password, defaults-file and defaults-group.");
}

static int take_parameters(tr_myc_url *u, const char *from, bool *mode_given, tr_err *err)
{
	while (*from) {
		size_t len = strcspn(from, "&");

		if (take_parameter(u, from, len, mode_given, err))
			return -1;
		from += len + (from[len] == '&');
	}
	return 0;
}

static int parse(tr_myc_url *u, const char *url, tr_err *err)
{
	const char *start = strstr(url, "://"), *end, *at = NULL;
	bool mode_given = false;

	if (!start)
		return bad(err, "there is no ://");
	start += 3;
	end = start + strcspn(start, "/?");
	for (const char *p = start; p < end; p++)
		if (*p == '@')
			at = p;
	if (at && take_credentials(u, start, (size_t)(at - start), err))
		return -1;
	if (take_hosts(u, at ? at + 1 : start, end, err))
		return -1;
	if (*end == '/') {
		size_t len = strcspn(end + 1, "?");

		if (len > 0 && !(u->database = decode(&u->arena, end + 1, len)))
			return bad(err, "its database");
		end += 1 + len;
	}
	if (*end == '?' && take_parameters(u, end + 1, &mode_given, err))
		return -1;
	/* As the client: who names a CA wants it looked at. */
	if (!mode_given && (u->ssl_ca || u->ssl_capath))
		u->ssl_mode = TR_MYC_SSL_VERIFY_CA;
	return 0;
}

int tr_myc_url_parse(tr_myc_url *u, const char *url, tr_err *err)
{
	const char *password = getenv("MYSQL_PWD");

	*u = (tr_myc_url){.ssl_mode = TR_MYC_SSL_PREFERRED};
	tr_arena_init(&u->arena, ARENA_MAX);
	if (parse(u, url ? url : "", err))
		return -1;
	if (u->host_count == 0)
		u->hosts[u->host_count++] = (tr_myc_host){.name = "localhost", .port = PORT};
	if (!u->password && password && *password)
		u->password = tr_arena_strdup(&u->arena, password);
	return 0;
}

void tr_myc_url_release(tr_myc_url *u)
{
	tr_arena_release(&u->arena);
	*u = (tr_myc_url){0};
}
