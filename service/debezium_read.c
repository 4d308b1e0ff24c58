/* The three forms in which a connector's configuration is kept. */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>

#include "core/text.h"
#include "service/debezium.h"

#define SERVER_PREFIX "debezium.source."

static int add(tr_dbz *d, const char *name, const char *value, tr_err *err)
{
	if (d->count == TR_DEBEZIUM_PROPERTIES_MAX)
		return tr_err_set(err, TR_E_CONFIG, "the connector has more than %d properties", TR_DEBEZIUM_PROPERTIES_MAX);
	if (!name || !value)
		return tr_tree_no_memory(err);
	/* As in Java's Properties, a later line wins. */
	for (size_t i = 0; i < d->count; i++) {
		if (strcmp(d->properties[i].name, name) == 0) {
			d->properties[i].value = value;
			return 0;
		}
	}
	d->properties[d->count++] = (tr_dbz_property){.name = name, .value = value};
	return 0;
}

static char *json_text(tr_dbz *d, const json_t *value)
{
	char *dumped, *copy;

	if (json_is_string(value))
		return tr_arena_strdup(d->arena, json_string_value(value));
	dumped = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	copy = dumped ? tr_arena_strdup(d->arena, dumped) : NULL;
	free(dumped);
	return copy;
}

static int read_json(tr_dbz *d, tr_slice text, tr_err *err)
{
	json_error_t problem;
	json_t *root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &problem), *config, *value;
	const char *name;
	int result = 0;

	if (!root)
		return tr_err_set(err, TR_E_CONFIG, "the connector's JSON cannot be read: line %d, column %d: %s", problem.line,
		    problem.column, problem.text);
	config = json_object_get(root, "config");
	if (!json_is_object(config))
		config = root;
	json_object_foreach(config, name, value) {
		if (result == 0 && !json_is_null(value))
			result = add(d, tr_arena_strdup(d->arena, name), json_text(d, value), err);
	}
	json_decref(root);
	return result;
}

static uint32_t hex4(const char *p)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++) {
		if (!isxdigit((uint8_t)p[i]))
			return '?';
		value = value << 4 | (uint32_t)(isdigit((uint8_t)p[i]) ? p[i] - '0' : tolower((uint8_t)p[i]) - 'a' + 10);
	}
	return value;
}

static char *put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* Undoes the escapes of a .properties text in place. */
static void unescape(char *text)
{
	char *out = text;

	for (const char *p = text; *p; p++) {
		if (*p != '\\' || p[1] == '\0') {
			*out++ = *p;
			continue;
		}
		p++;
		switch (*p) {
		case 'n': *out++ = '\n'; break;
		case 't': *out++ = '\t'; break;
		case 'r': *out++ = '\r'; break;
		case 'f': *out++ = '\f'; break;
		case 'u':
			if (strlen(p) >= 5) {
				out = put_utf8(out, hex4(p + 1));
				p += 4;
				break;
			}
			/* fallthrough */
		default: *out++ = *p;
		}
	}
	*out = '\0';
}

/* True when the line goes on: it ends in an odd number of backslashes. */
static bool goes_on(const char *line, size_t len)
{
	size_t slashes = 0;

	while (slashes < len && line[len - 1 - slashes] == '\\')
		slashes++;
	return slashes % 2 == 1;
}

static int add_line(tr_dbz *d, char *line, tr_err *err)
{
	char *end, *value;

	line += strspn(line, " \t\f");
	if (*line == '\0' || *line == '#' || *line == '!')
		return 0;
	for (end = line; *end && !strchr("=: \t\f", *end); end++)
		end += *end == '\\' && end[1];
	value = end + strspn(end, " \t\f");
	if (*value == '=' || *value == ':')
		value += 1 + strspn(value + 1, " \t\f");
	*end = '\0';
	unescape(line);
	unescape(value);
	return add(d, line, value, err);
}

static int read_properties(tr_dbz *d, tr_slice text, tr_err *err)
{
	char *copy = tr_arena_strndup(d->arena, text.ptr, text.len), *at = copy;

	if (!copy)
		return tr_tree_no_memory(err);
	while (*at) {
		char *line = at, *out = at;

		/* Joins what a backslash at the end continues, leaving out the next line's indentation. */
		for (;;) {
			size_t len = strcspn(at, "\n"), kept = len;
			bool last = at[len] == '\0', more;

			if (kept > 0 && at[kept - 1] == '\r')
				kept--;
			more = goes_on(at, kept) && !last;
			memmove(out, at, kept);
			out += more ? kept - 1 : kept;
			at += len + (last ? 0 : 1);
			if (!more)
				break;
			at += strspn(at, " \t\f");
		}
		*out = '\0';
		if (add_line(d, line, err) < 0)
			return -1;
	}
	return 0;
}

/* Debezium Server keeps the connector's properties under a prefix; the rest are the server's. */
static void strip_server_prefix(tr_dbz *d)
{
	bool server = false;

	for (size_t i = 0; i < d->count; i++)
		server = server || strncmp(d->properties[i].name, SERVER_PREFIX, sizeof(SERVER_PREFIX) - 1) == 0;
	for (size_t i = 0; server && i < d->count; i++) {
		if (strncmp(d->properties[i].name, SERVER_PREFIX, sizeof(SERVER_PREFIX) - 1) == 0)
			d->properties[i].name += sizeof(SERVER_PREFIX) - 1;
	}
}

int tr_dbz_read(tr_dbz *d, tr_slice text, tr_err *err)
{
	size_t at = 0;

	if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0)
		text = tr_slice_of(text.ptr + 3, text.len - 3); /* a byte order mark */
	while (at < text.len && isspace(text.ptr[at]))
		at++;
	if ((at < text.len && text.ptr[at] == '{' ? read_json(d, text, err) : read_properties(d, text, err)) < 0)
		return -1;
	strip_server_prefix(d);
	return 0;
}
