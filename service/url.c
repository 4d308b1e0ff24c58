/* Just enough of urls: to take a default name from one, and never to print a password. */
#include <ctype.h>

#include "core/text.h"
#include "service/config.h"

static int hex_digit(char c)
{
	return isdigit((uint8_t)c) ? c - '0' : isxdigit((uint8_t)c) ? tolower((uint8_t)c) - 'a' + 10 : -1;
}

static char *decode(tr_arena *arena, const char *from, size_t len)
{
	char *text = tr_arena_strndup(arena, from, len), *to = text;

	for (const char *p = text; p && *p; p++) {
		if (p[0] == '%' && hex_digit(p[1]) >= 0 && hex_digit(p[2]) >= 0) {
			*to++ = (char)(hex_digit(p[1]) << 4 | hex_digit(p[2]));
			p += 2;
		} else {
			*to++ = *p;
		}
	}
	if (to)
		*to = '\0';
	return text;
}

/* The value of a query parameter. */
static const char *parameter(tr_arena *arena, const char *url, const char *name)
{
	const char *at = strchr(url, '?');
	size_t len = strlen(name);

	while (at) {
		at++;
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return decode(arena, at + len + 1, strcspn(at + len + 1, "&"));
		at = strchr(at, '&');
	}
	return NULL;
}

const char *tr_config_database(tr_arena *arena, const char *url)
{
	const char *start = strstr(url, "://"), *slash, *at, *found;
	size_t len;

	if (!start)
		return NULL;
	start += 3;
	slash = start + strcspn(start, "/?");
	if (*slash == '/') {
		len = strcspn(slash + 1, "?");
		if (len > 0)
			return decode(arena, slash + 1, len);
	}
	found = parameter(arena, url, "dbname");
	if (found && *found)
		return found;
	/* MySQL's user says nothing about what is there. */
	if (strncmp(url, "postgres", 8) != 0)
		return NULL;
	at = memchr(start, '@', (size_t)(slash - start));
	if (at && at > start)
		return decode(arena, start, strcspn(start, ":@"));
	found = parameter(arena, url, "user");
	return found && *found ? found : NULL;
}

/* Hides the value of name= in a query. */
static void hide_parameter(char *url, const char *name)
{
	size_t len = strlen(name);

	for (char *at = strchr(url, '?'); at; at = strchr(at, '&')) {
		at++;
		if (strncasecmp(at, name, len) == 0 && at[len] == '=') {
			char *value = at + len + 1;
			size_t end = strcspn(value, "&");

			memset(value, '*', end < 3 ? end : 3);
			if (end > 3)
				memmove(value + 3, value + end, strlen(value + end) + 1);
		}
	}
}

const char *tr_config_redact(const char *url, char *out, size_t size)
{
	const char *start = url ? strstr(url, "://") : NULL, *at = NULL, *colon;

	tr_text_format(out, size, "%s", url ? url : "");
	if (!start) {
		/* file:DIR and stdout have no secret; "host=... password=..." has. */
		if (url && strcasestr(url, "password"))
			tr_text_format(out, size, "(hidden)");
		return out;
	}
	start += 3;
	/* A password may hold an unescaped @, so the last one before the path counts. */
	for (const char *p = start; *p && *p != '/' && *p != '?'; p++)
		at = *p == '@' ? p : at;
	colon = at ? memchr(start, ':', (size_t)(at - start)) : NULL;
	if (colon)
		tr_text_format(out, size, "%.*s:***%s", (int)(colon - url), url, at);
	hide_parameter(out, "password");
	hide_parameter(out, "sslpassword");
	return out;
}
