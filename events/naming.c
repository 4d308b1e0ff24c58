#include "events/naming.h"

#include "core/text.h"

#define TEXT_MAX (1u << 20)

/* The next one or two UTF-16 units of UTF-8 text; a byte that is not UTF-8 counts as one unit (U+FFFD). */
static size_t next_units(tr_slice *rest, uint16_t units[2])
{
	size_t len = tr_text_utf8_char(*rest);
	const uint8_t *p = rest->ptr;
	uint32_t c;

	switch (len) {
	case 1:
		c = p[0];
		break;
	case 2:
		c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		break;
	case 3:
		c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
		break;
	case 4:
		c = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
		break;
	default:
		c = 0xfffd;
		len = 1;
	}
	*rest = tr_slice_of(rest->ptr + len, rest->len - len);
	if (c < 0x10000) {
		units[0] = (uint16_t)c;
		return 1;
	}
	units[0] = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
	units[1] = (uint16_t)(0xdc00 + ((c - 0x10000) & 0x3ff));
	return 2;
}

static bool is_letter(uint16_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(uint16_t c)
{
	return c >= '0' && c <= '9';
}

static char *finish(tr_arena *a, tr_writer *w)
{
	char *text = tr_writer_ok(w) ? tr_arena_strndup(a, w->data, w->len) : NULL;

	tr_writer_release(w);
	return text;
}

/* Kafka's legal characters; the names "." and ".." are not legal either. */
static char *sanitized(tr_arena *a, tr_writer *joined)
{
	tr_slice rest = tr_writer_view(joined);
	bool dots =
	    (rest.len == 1 && rest.ptr[0] == '.') || (rest.len == 2 && rest.ptr[0] == '.' && rest.ptr[1] == '.');
	uint16_t units[2];
	tr_writer w;

	tr_writer_init(&w, TEXT_MAX);
	while (rest.len > 0) {
		size_t count = next_units(&rest, units);
		for (size_t i = 0; i < count; i++) {
			uint16_t c = units[i];
			bool legal = is_letter(c) || is_digit(c) || c == '_' || c == '-' || (c == '.' && !dots);
			tr_writer_u8(&w, legal ? (uint8_t)c : '_');
		}
	}
	if (w.len > TR_TOPIC_NAME_MAX)
		w.len = TR_TOPIC_NAME_MAX;
	w.failed |= joined->failed;
	tr_writer_release(joined);
	return finish(a, &w);
}

static bool is_blank(const char *text)
{
	return !text || text[strspn(text, " \t\r\n\f\v")] == '\0';
}

static void join(tr_writer *w, const char *delimiter, const char *part)
{
	if (is_blank(part))
		return;
	if (w->len > 0)
		tr_writer_text(w, delimiter);
	tr_writer_text(w, part);
}

char *tr_naming_topic(tr_arena *a, const tr_event_options *options, const char *namespace_name, const char *table)
{
	tr_writer w;

	tr_writer_init(&w, TEXT_MAX);
	join(&w, options->topic_delimiter, options->name);
	join(&w, options->topic_delimiter, namespace_name);
	join(&w, options->topic_delimiter, table);
	return sanitized(a, &w);
}

char *tr_naming_heartbeat_topic(tr_arena *a, const tr_event_options *options)
{
	tr_writer w;

	tr_writer_init(&w, TEXT_MAX);
	join(&w, options->topic_delimiter, options->heartbeat_prefix);
	join(&w, options->topic_delimiter, options->name);
	return sanitized(a, &w);
}

char *tr_naming_transaction_topic(tr_arena *a, const tr_event_options *options)
{
	return tr_naming_topic(a, options, NULL, options->transaction_topic);
}

char *tr_naming_schema_topic(tr_arena *a, const tr_event_options *options)
{
	tr_writer w;

	tr_writer_init(&w, TEXT_MAX);
	tr_writer_text(&w, options->name);
	return sanitized(a, &w);
}

char *tr_naming_message_topic(tr_arena *a, const tr_event_options *options)
{
	tr_writer w;

	/* This one has a dot whatever the delimiter is. */
	tr_writer_init(&w, TEXT_MAX);
	tr_writer_text(&w, options->name);
	tr_writer_text(&w, ".message");
	return sanitized(a, &w);
}

/* _uXXXX, but with the three digits Java's code leaves for U+0100 to U+0FFF and for what has one digit. */
static void put_escape(tr_writer *w, uint16_t c)
{
	tr_writer_format(w, c <= 0xff ? "_u00%x" : "_u%x", (unsigned)c);
}

static void put_adjusted(tr_writer *w, tr_names_mode mode, uint16_t c, bool first, bool dots)
{
	bool unicode = mode == TR_NAMES_AVRO_UNICODE;

	/* The underscore begins an escape, so the Unicode mode escapes it, too. */
	if (is_letter(c) || (c == '_' && !unicode) || (!first && (is_digit(c) || (dots && c == '.')))) {
		tr_writer_u8(w, (uint8_t)c);
	} else if (unicode) {
		put_escape(w, c);
	} else {
		tr_writer_u8(w, '_');
		if (first && is_digit(c))
			tr_writer_u8(w, (uint8_t)c);
	}
}

static char *adjusted(tr_arena *a, tr_names_mode mode, const char *name, bool dots)
{
	tr_slice rest = tr_slice_str(name);
	uint16_t units[2];
	bool first = true;
	tr_writer w;

	if (mode == TR_NAMES_NONE)
		return tr_arena_strdup(a, name);
	tr_writer_init(&w, TEXT_MAX);
	while (rest.len > 0) {
		size_t count = next_units(&rest, units);
		for (size_t i = 0; i < count; i++, first = false)
			put_adjusted(&w, mode, units[i], first, dots);
	}
	return finish(a, &w);
}

char *tr_naming_schema(tr_arena *a, tr_names_mode mode, const char *name)
{
	return adjusted(a, mode, name, true);
}

char *tr_naming_field(tr_arena *a, tr_names_mode mode, const char *name)
{
	return adjusted(a, mode, name, false);
}

static bool is_valid(const char *name, bool dots)
{
	if (!is_letter((uint8_t)name[0]) && name[0] != '_')
		return false;
	for (const char *p = name + 1; *p; p++)
		if (!is_letter((uint8_t)*p) && !is_digit((uint8_t)*p) && *p != '_' && !(dots && *p == '.'))
			return false;
	return true;
}

bool tr_naming_avro_schema_valid(const char *name)
{
	return is_valid(name, true);
}

bool tr_naming_avro_field_valid(const char *name)
{
	return is_valid(name, false);
}

uint32_t tr_naming_java_hash(const char *text)
{
	tr_slice rest = tr_slice_str(text);
	uint16_t units[2];
	uint32_t hash = 0;

	while (rest.len > 0) {
		size_t count = next_units(&rest, units);
		for (size_t i = 0; i < count; i++)
			hash = 31 * hash + units[i];
	}
	return hash;
}
