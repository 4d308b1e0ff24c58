#include "capture/postgres/position.h"

#include <stdio.h>
#include <stdlib.h>

#include "capture/postgres/connect.h"
#include "core/text.h"

#define TEXT_MAX ((size_t)16 << 20) /* an incremental snapshot of many tables makes a position long */

/* --- the members of a flat JSON object, as this file writes them ------------------------------- */

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

/* One string without escapes other than \" and \\, or a number; advances *at behind it. */
static bool take_scalar(const char **at, char *out, size_t cap)
{
	const char *p = *at;
	size_t len = 0;

	if (*p == '"') {
		for (p++; *p && *p != '"'; p++) {
			if (*p == '\\' && (p[1] == '"' || p[1] == '\\' || p[1] == '/'))
				p++;
			else if (*p == '\\')
				return false;
			if (len + 1 >= cap)
				return false;
			out[len++] = *p;
		}
		if (*p++ != '"')
			return false;
	} else {
		for (; *p >= '0' && *p <= '9'; p++) {
			if (len + 1 >= cap)
				return false;
			out[len++] = *p;
		}
		if (len == 0)
			return false;
	}
	out[len] = '\0';
	*at = p;
	return true;
}

/* Steps over an object, whatever it holds. */
static bool take_object(const char **at)
{
	const char *p = *at;
	int depth = 0;
	bool quoted = false;

	for (; *p; p++) {
		if (quoted && *p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
		else if (!quoted && *p == '{')
			depth++;
		else if (!quoted && *p == '}' && --depth == 0) {
			*at = p + 1;
			return true;
		}
	}
	return false;
}

/* value: a scalar's text; NULL for an object, which is from `object` on to `end`. */
typedef bool (*member_fn)(void *context, const char *key, const char *value, const char *object, const char *end);

static bool each_member(const char *at, member_fn member, void *context)
{
	char key[32], value[192];

	at = skip_space(at);
	if (*at++ != '{')
		return false;
	do {
		const char *start;
		bool nested;

		at = skip_space(at);
		if (*at != '"' || !take_scalar(&at, key, sizeof(key)))
			return false;
		at = skip_space(at);
		if (*at++ != ':')
			return false;
		start = at = skip_space(at);
		nested = *at == '{';
		if (nested ? !take_object(&at) : !take_scalar(&at, value, sizeof(value)))
			return false;
		if (!member(context, key, nested ? NULL : value, start, at))
			return false;
		at = skip_space(at);
	} while (*at++ == ',');
	return at[-1] == '}' && *skip_space(at) == '\0';
}

static bool parse(tr_slice text, member_fn member, void *context)
{
	char *copy;
	bool good;

	if (text.len == 0 || text.len > TEXT_MAX || memchr(text.ptr, '\0', text.len))
		return false;
	copy = tr_text_copy(text);
	good = copy && each_member(copy, member, context);
	free(copy);
	return good;
}

/* --- positions --------------------------------------------------------------------------------- */

static void write_lsn(tr_writer *out, const char *before, uint64_t lsn)
{
	char text[TR_PGC_LSN_TEXT];

	tr_pgc_lsn_format(text, lsn);
	tr_writer_text(out, before);
	tr_writer_text(out, text);
	tr_writer_u8(out, '"');
}

void tr_pgc_position_write(const tr_pgc_position *p, tr_writer *out)
{
	write_lsn(out, "{\"lsn\":\"", p->lsn);
	if (p->commit)
		write_lsn(out, ",\"commit\":\"", p->commit);
	if (p->tx) {
		write_lsn(out, ",\"tx\":\"", p->tx);
		tr_writer_text(out, ",\"index\":");
		tr_writer_decimal_u64(out, p->index);
	}
	if (p->incremental) {
		tr_writer_text(out, ",\"incremental\":");
		tr_writer_text(out, p->incremental);
	}
	tr_writer_u8(out, '}');
}

static bool position_member(void *context, const char *key, const char *value, const char *object, const char *object_end)
{
	tr_pgc_position *p = context;
	char *end;

	(void)object;
	(void)object_end;
	if (!value)
		return strcmp(key, "incremental") == 0;
	if (strcmp(key, "lsn") == 0)
		return tr_pgc_lsn_parse(value, &p->lsn);
	if (strcmp(key, "commit") == 0)
		return tr_pgc_lsn_parse(value, &p->commit);
	if (strcmp(key, "tx") == 0)
		return tr_pgc_lsn_parse(value, &p->tx);
	if (strcmp(key, "index") == 0) {
		p->index = strtoull(value, &end, 10);
		return *end == '\0';
	}
	return false;
}

bool tr_pgc_position_read(tr_slice text, tr_pgc_position *out)
{
	*out = (tr_pgc_position){0};
	return parse(text, position_member, out) && out->lsn != 0 && (out->tx != 0 || out->index == 0);
}

static bool find_incremental(void *context, const char *key, const char *value, const char *object, const char *end)
{
	tr_writer *out = context;

	if (!value && strcmp(key, "incremental") == 0)
		tr_writer_put(out, object, (size_t)(end - object));
	return true;
}

void tr_pgc_position_incremental(tr_slice text, tr_writer *out)
{
	parse(text, find_incremental, out);
}

int tr_pgc_position_compare(tr_slice a, tr_slice b)
{
	tr_pgc_position x, y;

	if (!tr_pgc_position_read(a, &x) || !tr_pgc_position_read(b, &y))
		return 2;
	/* A point inside a transaction lies before every point between transactions that follows its commit record. */
	if (x.tx && y.tx && x.tx == y.tx)
		return x.index < y.index ? -1 : x.index > y.index;
	uint64_t at_x = x.tx ? x.tx : x.lsn, at_y = y.tx ? y.tx : y.lsn;
	if (at_x != at_y)
		return at_x < at_y ? -1 : 1;
	return x.tx ? 1 : y.tx ? -1 : 0;
}

/* --- identities -------------------------------------------------------------------------------- */

void tr_pgc_identity_write(const tr_pgc_identity *id, char *out, size_t cap)
{
	tr_writer w;

	tr_writer_init(&w, cap - 1);
	tr_writer_text(&w, "{\"system\":\"");
	tr_text_json_escape(&w, tr_slice_str(id->system));
	tr_writer_text(&w, "\",\"timeline\":");
	tr_writer_decimal_u64(&w, id->timeline);
	tr_writer_text(&w, ",\"database\":\"");
	tr_text_json_escape(&w, tr_slice_str(id->database));
	tr_writer_text(&w, "\",\"slot\":\"");
	tr_text_json_escape(&w, tr_slice_str(id->slot));
	tr_writer_text(&w, "\"}");
	snprintf(out, cap, "%.*s", (int)w.len, w.data ? (const char *)w.data : "");
	tr_writer_release(&w);
}

static bool copy_member(char *out, size_t cap, const char *value)
{
	return (size_t)snprintf(out, cap, "%s", value) < cap;
}

static bool identity_member(void *context, const char *key, const char *value, const char *object, const char *end)
{
	tr_pgc_identity *id = context;

	(void)object;
	(void)end;
	if (!value)
		return false;
	if (strcmp(key, "system") == 0)
		return copy_member(id->system, sizeof(id->system), value);
	if (strcmp(key, "database") == 0)
		return copy_member(id->database, sizeof(id->database), value);
	if (strcmp(key, "slot") == 0)
		return copy_member(id->slot, sizeof(id->slot), value);
	if (strcmp(key, "timeline") == 0) {
		id->timeline = (uint32_t)strtoul(value, NULL, 10);
		return true;
	}
	return false;
}

bool tr_pgc_identity_read(tr_slice text, tr_pgc_identity *out)
{
	*out = (tr_pgc_identity){0};
	return parse(text, identity_member, out) && out->system[0] && out->database[0] && out->slot[0];
}
