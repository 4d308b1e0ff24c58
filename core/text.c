#include "core/text.h"

#include <stdio.h>
#include <stdlib.h>

void tr_text_vformat(char *out, size_t cap, const char *format, va_list args)
{
	if (cap == 0)
		return;
	int len = vsnprintf(out, cap, format, args);
	if (len < 0)
		out[0] = '\0';
	else if ((size_t)len >= cap && cap > 3) {
		size_t keep = tr_text_cut_bytes(tr_slice_of(out, cap - 1), cap - 4).len;
		memcpy(out + keep, "...", 4);
	}
}

void tr_text_format(char *out, size_t cap, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tr_text_vformat(out, cap, format, args);
	va_end(args);
}

#define NAME_MAX_BYTES 63

unsigned tr_text_distance(const char *a, const char *b)
{
	unsigned row[NAME_MAX_BYTES + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > NAME_MAX_BYTES || b_len > NAME_MAX_BYTES)
		return NAME_MAX_BYTES;
	for (unsigned j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[b_len];
}

const char *tr_text_nearest(const char *name, const char *const *known, size_t count)
{
	const char *nearest = NULL;
	/* Up to a third of the letters may be wrong; beyond that a suggestion misleads. */
	unsigned limit = (unsigned)strlen(name) / 3 + 1;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = tr_text_distance(name, known[i]);
		if (distance <= limit && distance < strlen(known[i])) {
			nearest = known[i];
			limit = distance ? distance - 1 : 0;
			if (distance == 0)
				break;
		}
	}
	return nearest;
}

/* Bytes that `?` takes: one character, or one byte that is none. */
static size_t one_char(tr_slice text)
{
	size_t n = tr_text_utf8_char(text);
	return n ? n : 1;
}

static tr_slice skip(tr_slice s, size_t n)
{
	return tr_slice_of(s.ptr + n, s.len - n);
}

/* Goes back to the last `*` only, so it is at worst pattern times text, never exponential. */
bool tr_text_glob(const char *pattern, tr_slice text)
{
	const char *p = pattern, *star = NULL;
	tr_slice retry = text;

	while (text.len > 0) {
		if (*p == '*') {
			star = ++p;
			retry = text;
		} else if (*p == '?') {
			p++;
			text = skip(text, one_char(text));
		} else if (*p && (uint8_t)*p == text.ptr[0]) {
			p++;
			text = skip(text, 1);
		} else if (star) {
			p = star;
			retry = text = skip(retry, one_char(retry));
		} else {
			return false;
		}
	}
	while (*p == '*')
		p++;
	return *p == '\0';
}

typedef struct unit {
	const char *name;
	uint64_t factor;
} unit;

/* Digits with an optional fraction of one unit are not wanted: "1.5GB" is refused. */
static bool parse_with_unit(const char *text, const unit *units, size_t unit_count, uint64_t max, uint64_t *out)
{
	uint64_t value = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
			return false;
	if (p == text)
		return false;
	while (*p == ' ')
		p++;
	for (size_t i = 0; i < unit_count; i++)
		if (strcmp(p, units[i].name) == 0)
			return !__builtin_mul_overflow(value, units[i].factor, out) && *out <= max;
	*out = 0;
	return value == 0 && *p == '\0';
}

int tr_text_parse_size(const char *text, uint64_t *out_bytes, tr_err *err)
{
	static const unit units[] = {
	    {"", 1}, {"B", 1},
	    {"k", 1u << 10}, {"K", 1u << 10}, {"M", 1u << 20}, {"G", 1u << 30}, {"T", (uint64_t)1 << 40},
	    {"KiB", 1u << 10}, {"MiB", 1u << 20}, {"GiB", 1u << 30}, {"TiB", (uint64_t)1 << 40},
	    {"kB", 1000}, {"KB", 1000}, {"MB", 1000000}, {"GB", 1000000000}, {"TB", 1000000000000},
	};

	if (parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), INT64_MAX, out_bytes))
		return 0;
	tr_err_set(err, TR_E_CONFIG, "\"%s\" is not a size", text);
	return tr_err_hint(err, "Write a whole number with a unit, such as 64MiB, 512KiB or 1GB.");
}

int tr_text_parse_duration(const char *text, int64_t *out_us, tr_err *err)
{
	static const unit units[] = {
	    {"us", 1}, {"ms", 1000}, {"s", 1000000}, {"m", 60000000}, {"min", 60000000},
	    {"h", 3600000000}, {"d", 86400000000},
	};
	uint64_t value;

	if (parse_with_unit(text, units, sizeof(units) / sizeof(units[0]), INT64_MAX, &value)) {
		*out_us = (int64_t)value;
		return 0;
	}
	tr_err_set(err, TR_E_CONFIG, "\"%s\" is not a duration", text);
	return tr_err_hint(err, "Write a whole number with a unit, such as 200ms, 10s, 5m or 1h.");
}

void tr_text_hex(tr_writer *w, tr_slice bytes)
{
	static const char digits[] = "0123456789abcdef";

	if (bytes.len > SIZE_MAX / 2 || !tr_writer_reserve(w, 2 * bytes.len)) {
		w->failed = true;
		return;
	}
	for (size_t i = 0; i < bytes.len; i++) {
		w->data[w->len++] = (uint8_t)digits[bytes.ptr[i] >> 4];
		w->data[w->len++] = (uint8_t)digits[bytes.ptr[i] & 15];
	}
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int tr_text_unhex(tr_writer *w, tr_slice text)
{
	size_t start = w->len;

	if (text.len % 2 != 0)
		return -1;
	for (size_t i = 0; i < text.len; i += 2) {
		int high = hex_digit(text.ptr[i]), low = hex_digit(text.ptr[i + 1]);
		if (high < 0 || low < 0) {
			w->len = start;
			return -1;
		}
		tr_writer_u8(w, (uint8_t)(high << 4 | low));
	}
	return 0;
}

static void base64(tr_writer *w, tr_slice bytes, const char *alphabet)
{
	if (bytes.len > SIZE_MAX / 2 || !tr_writer_reserve(w, (bytes.len + 2) / 3 * 4)) {
		w->failed = true;
		return;
	}
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t three = (uint32_t)bytes.ptr[i] << 16 | (left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0) |
		                 (left > 2 ? bytes.ptr[i + 2] : 0);
		w->data[w->len++] = (uint8_t)alphabet[three >> 18];
		w->data[w->len++] = (uint8_t)alphabet[three >> 12 & 63];
		w->data[w->len++] = (uint8_t)(left > 1 ? alphabet[three >> 6 & 63] : '=');
		w->data[w->len++] = (uint8_t)(left > 2 ? alphabet[three & 63] : '=');
	}
}

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

void tr_text_base64(tr_writer *w, tr_slice bytes)
{
	base64(w, bytes, LETTERS_AND_DIGITS "+/");
}

void tr_text_base64_url(tr_writer *w, tr_slice bytes)
{
	base64(w, bytes, LETTERS_AND_DIGITS "-_");
}

static void escape_byte(tr_writer *w, uint8_t c)
{
	static const char short_forms[] = "btnvfr"; /* from 8 on; \v has none in JSON */

	tr_writer_u8(w, '\\');
	if (c == '"' || c == '\\')
		tr_writer_u8(w, c);
	else if (c >= 8 && c <= 13 && c != 11)
		tr_writer_u8(w, (uint8_t)short_forms[c - 8]);
	else {
		tr_writer_text(w, "u00");
		tr_text_hex(w, tr_slice_of(&c, 1));
	}
}

void tr_text_json_escape(tr_writer *w, tr_slice text)
{
	for (size_t at = 0, plain = 0; text.len > 0;) {
		/* Runs of bytes that stay as they are go in one piece. */
		while (at < text.len && text.ptr[at] >= 0x20 && text.ptr[at] < 0x7f && text.ptr[at] != '"' &&
		       text.ptr[at] != '\\')
			at++;
		tr_writer_put(w, text.ptr + plain, at - plain);
		if (at == text.len)
			return;
		size_t n = text.ptr[at] < 0x80 ? 0 : tr_text_utf8_char(skip(text, at));
		if (n > 0)
			tr_writer_put(w, text.ptr + at, n);
		else if (text.ptr[at] < 0x80)
			escape_byte(w, text.ptr[at]);
		else
			tr_writer_text(w, "\xef\xbf\xbd");
		at += n ? n : 1;
		plain = at;
	}
}

static bool continues(tr_slice s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if ((s.ptr[i] & 0xc0) != 0x80)
			return false;
	return true;
}

size_t tr_text_utf8_char(tr_slice s)
{
	if (s.len == 0)
		return 0;
	uint8_t first = s.ptr[0];
	size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
	if (n == 0 || n > s.len || !continues(s, 1, n))
		return 0;
	if ((first == 0xe0 && s.ptr[1] < 0xa0) || (first == 0xf0 && s.ptr[1] < 0x90))
		return 0; /* overlong */
	if ((first == 0xed && s.ptr[1] > 0x9f) || (first == 0xf4 && s.ptr[1] > 0x8f))
		return 0; /* a surrogate; above U+10FFFF */
	return n;
}

bool tr_text_utf8_valid(tr_slice text)
{
	for (size_t at = 0; at < text.len;) {
		uint64_t eight;
		/* Most text is ASCII: eight bytes a step. */
		if (text.len - at >= sizeof(eight)) {
			memcpy(&eight, text.ptr + at, sizeof(eight));
			if ((eight & 0x8080808080808080u) == 0) {
				at += sizeof(eight);
				continue;
			}
		}
		size_t n = tr_text_utf8_char(skip(text, at));
		if (n == 0)
			return false;
		at += n;
	}
	return true;
}

void tr_text_utf8_mend(tr_writer *w, tr_slice text)
{
	while (text.len > 0) {
		size_t n = tr_text_utf8_char(text);

		if (n)
			tr_writer_put(w, text.ptr, n);
		else
			tr_writer_text(w, "\xef\xbf\xbd");
		text = skip(text, n ? n : 1);
	}
}

size_t tr_text_utf8_length(tr_slice text)
{
	size_t count = 0;

	for (size_t at = 0; at < text.len; count++)
		at += one_char(skip(text, at));
	return count;
}

tr_slice tr_text_cut_chars(tr_slice text, size_t count)
{
	size_t at = 0;

	while (at < text.len && count-- > 0)
		at += one_char(skip(text, at));
	return tr_slice_of(text.ptr, at);
}

tr_slice tr_text_cut_bytes(tr_slice text, size_t bytes)
{
	if (bytes >= text.len)
		return text;
	size_t at = bytes;
	/* Back to the start of the character that the cut would split; at most three continuation bytes. */
	while (at > 0 && bytes - at < 3 && (text.ptr[at] & 0xc0) == 0x80)
		at--;
	bool splits = at < bytes && at + tr_text_utf8_char(skip(text, at)) > bytes;
	return tr_slice_of(text.ptr, splits ? at : bytes);
}

char *tr_text_copy(tr_slice bytes)
{
	char *copy = malloc(bytes.len + 1);

	if (!copy)
		return NULL;
	if (bytes.len > 0)
		memcpy(copy, bytes.ptr, bytes.len);
	copy[bytes.len] = '\0';
	return copy;
}
