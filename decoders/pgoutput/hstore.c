/*
 * hstore in text form: "k"=>"v", "k2"=>NULL. Its published text is JSON in the order of a Java HashMap, because that is
 * what Debezium passes it through and readers compare keys and rows as texts.
 */
#include "decoders/pgoutput/convert.h"

#include "core/text.h"

typedef struct pair {
	tr_slice key, value;
	bool null;
} pair;

typedef struct scan {
	const uint8_t *at, *end;
	tr_arena *scratch;
	bool no_room;
} scan;

bool tr_pg_hash_order(const uint32_t *hashes, size_t count, size_t initial, uint32_t *order, tr_arena *scratch)
{
	size_t buckets = initial;
	uint32_t *next;

	while (count > buckets / 4 * 3 + buckets % 4 * 3 / 4)
		buckets *= 2;
	next = TR_ARENA_ARRAY(scratch, uint32_t, buckets + 1);
	if (!next)
		return false;
	for (size_t i = 0; i < count; i++)
		next[((hashes[i] ^ hashes[i] >> 16) & (buckets - 1)) + 1]++;
	for (size_t b = 0; b < buckets; b++)
		next[b + 1] += next[b];
	for (size_t i = 0; i < count; i++)
		order[next[(hashes[i] ^ hashes[i] >> 16) & (buckets - 1)]++] = (uint32_t)i;
	return true;
}

/* Java's String.hashCode: over UTF-16 units. The text is valid UTF-8. */
static uint32_t java_hash(tr_slice text)
{
	uint32_t hash = 0;

	for (size_t i = 0; i < text.len;) {
		uint8_t first = text.ptr[i];
		size_t bytes = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
		uint32_t c = bytes == 1 ? first : first & (0x7fu >> bytes);

		for (size_t b = 1; b < bytes; b++)
			c = c << 6 | (text.ptr[i + b] & 0x3f);
		if (c >= 0x10000) {
			hash = hash * 31 + (0xd800 + ((c - 0x10000) >> 10));
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		hash = hash * 31 + c;
		i += bytes;
	}
	return hash;
}

static bool take(scan *s, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(s->end - s->at) < len || memcmp(s->at, text, len) != 0)
		return false;
	s->at += len;
	return true;
}

static bool take_quoted(scan *s, tr_slice *out)
{
	const uint8_t *start;
	uint8_t *copy, *to;
	bool escaped = false;

	if (!take(s, "\""))
		return false;
	for (start = s->at; s->at < s->end && *s->at != '"'; s->at++) {
		if (*s->at == '\\') {
			escaped = true;
			if (++s->at == s->end)
				return false;
		}
	}
	if (s->at == s->end)
		return false;
	*out = tr_slice_of(start, (size_t)(s->at - start));
	s->at++;
	if (!escaped)
		return tr_text_utf8_valid(*out);
	copy = to = tr_arena_alloc(s->scratch, out->len);
	s->no_room = !copy;
	if (!copy)
		return false;
	for (size_t i = 0; i < out->len; i++) {
		i += start[i] == '\\';
		*to++ = start[i];
	}
	*out = tr_slice_of(copy, (size_t)(to - copy));
	return tr_text_utf8_valid(*out);
}

static bool take_pair(scan *s, pair *out)
{
	if (!take_quoted(s, &out->key) || !take(s, "=>"))
		return false;
	out->null = take(s, "NULL");
	return out->null || take_quoted(s, &out->value);
}

/* All pairs, in the order of publication. */
static int read_pairs(const tr_pg_arg *arg, tr_datum in, tr_arena *scratch, pair **out, size_t *count, tr_err *err)
{
	scan s = {.at = in.ptr, .end = in.ptr + in.len, .scratch = scratch};
	size_t cap = in.len / 7 + 1, n = 0; /* the shortest: ""=>"", with its delimiter 8, and the last 6 */
	pair *pairs = TR_ARENA_ARRAY(scratch, pair, cap);
	uint32_t *hashes = TR_ARENA_ARRAY(scratch, uint32_t, cap), *order = TR_ARENA_ARRAY(scratch, uint32_t, cap);

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (!pairs || !hashes || !order)
		return tr_pg_no_room(arg, err);
	while (s.at < s.end) {
		if ((n > 0 && !take(&s, ", ")) || n == cap || !take_pair(&s, &pairs[n]))
			return s.no_room ? tr_pg_no_room(arg, err) : tr_pg_bad(arg, in, "not an hstore", err);
		hashes[n] = java_hash(pairs[n].key);
		n++;
	}
	*out = TR_ARENA_ARRAY(scratch, pair, n);
	if (!*out || !tr_pg_hash_order(hashes, n, 16, order, scratch))
		return tr_pg_no_room(arg, err);
	for (size_t i = 0; i < n; i++)
		(*out)[i] = pairs[order[i]];
	*count = n;
	return 0;
}

/* A JSON string as Jackson writes it; returns its length, and writes when `to` is given. */
static size_t json_string(tr_slice text, uint8_t *to)
{
	static const char hex[] = "0123456789ABCDEF", letters[] = "btn\0fr"; /* for 8 to 13 */
	size_t len = 0;

#define PUT(c) do { if (to) to[len] = (uint8_t)(c); len++; } while (0)
	PUT('"');
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.ptr[i];
		char letter = c >= 8 && c <= 13 ? letters[c - 8] : c == '"' || c == '\\' ? (char)c : '\0';

		if (letter) {
			PUT('\\');
			PUT(letter);
		} else if (c < 0x20) {
			PUT('\\'); PUT('u'); PUT('0'); PUT('0');
			PUT(hex[c >> 4]);
			PUT(hex[c & 15]);
		} else {
			PUT(c);
		}
	}
	PUT('"');
#undef PUT
	return len;
}

static size_t json_object(const pair *pairs, size_t count, uint8_t *to)
{
	size_t len = 0;

	if (to)
		to[0] = '{';
	len++;
	for (size_t i = 0; i < count; i++) {
		if (i > 0) {
			if (to)
				to[len] = ',';
			len++;
		}
		len += json_string(pairs[i].key, to ? to + len : NULL);
		if (to)
			to[len] = ':';
		len++;
		if (!pairs[i].null) {
			len += json_string(pairs[i].value, to ? to + len : NULL);
			continue;
		}
		if (to)
			memcpy(to + len, "null", 4);
		len += 4;
	}
	if (to)
		to[len] = '}';
	return len + 1;
}

int tr_pg_decode_hstore_json(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	pair *pairs;
	size_t count, len;
	uint8_t *text;

	if (read_pairs(arg, in, scratch, &pairs, &count, err) != 0)
		return -1;
	len = json_object(pairs, count, NULL);
	text = tr_arena_alloc(scratch, len);
	if (!text)
		return tr_pg_no_room(arg, err);
	json_object(pairs, count, text);
	*out = tr_value_bytes(text, len);
	return 0;
}

int tr_pg_decode_hstore_map(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	pair *pairs;
	size_t count;
	tr_value *items;

	if (read_pairs(arg, in, scratch, &pairs, &count, err) != 0)
		return -1;
	items = TR_ARENA_ARRAY(scratch, tr_value, 2 * count);
	if (!items)
		return tr_pg_no_room(arg, err);
	for (size_t i = 0; i < count; i++) {
		items[2 * i] = tr_value_slice(pairs[i].key);
		items[2 * i + 1] = pairs[i].null ? tr_value_null() : tr_value_slice(pairs[i].value);
	}
	*out = tr_value_list(items, 2 * count);
	return 0;
}
