#include "decoders/binlog/gtid_set.h"

#include <stdlib.h>
#include <string.h>

#include "core/reader.h"

#define NUMBER_MAX  ((uint64_t)INT64_MAX - 1)
#define UUID_TEXT   36
#define TAG_MAX     32
#define FORMAT_BITS 56

/* --- memory ------------------------------------------------------------------------------------ */

void tr_bl_gtid_set_release(tr_bl_gtid_set *s)
{
	tr_bl_gtid_set_clear(s);
	free(s->sources);
	*s = (tr_bl_gtid_set){0};
}

void tr_bl_gtid_set_clear(tr_bl_gtid_set *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->sources[i].intervals);
	s->count = s->recent = 0;
}

/* Room for one more element; cap doubles up to max. */
static int grow(void **array, size_t *cap, size_t count, size_t size, size_t max, tr_err *err)
{
	size_t wanted = *cap ? *cap * 2 : 4;
	void *moved;

	if (count < *cap)
		return 0;
	if (count >= max)
		return tr_err_set(err, TR_E_DECODE_VALUE, "a GTID set has more than %zu parts", max);
	moved = realloc(*array, wanted * size);
	if (!moved)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	*array = moved;
	*cap = wanted;
	return 0;
}

/* --- sources ----------------------------------------------------------------------------------- */

static int compare_source(const tr_bl_gtid_source *s, const uint8_t uuid[16], tr_slice tag)
{
	int order = memcmp(s->uuid, uuid, 16);
	size_t len = strlen(s->tag), common = len < tag.len ? len : tag.len;

	if (order == 0 && common > 0)
		order = memcmp(s->tag, tag.ptr, common);
	return order ? order : len < tag.len ? -1 : len > tag.len;
}

/* The place of (uuid, tag), or where it would be. */
static size_t place(const tr_bl_gtid_set *s, const uint8_t uuid[16], tr_slice tag, bool *found)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = compare_source(&s->sources[mid], uuid, tag);

		if (order == 0) {
			*found = true;
			return mid;
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*found = false;
	return low;
}

static const tr_bl_gtid_source *find(const tr_bl_gtid_set *s, const uint8_t uuid[16], tr_slice tag)
{
	bool found;
	size_t at = place(s, uuid, tag, &found);

	return found ? &s->sources[at] : NULL;
}

static int source_of(tr_bl_gtid_set *s, const uint8_t uuid[16], tr_slice tag, tr_bl_gtid_source **out, tr_err *err)
{
	bool found;
	size_t at;
	void *array = s->sources;

	if (s->recent < s->count && compare_source(&s->sources[s->recent], uuid, tag) == 0) {
		*out = &s->sources[s->recent];
		return 0;
	}
	at = place(s, uuid, tag, &found);
	if (!found) {
		if (tag.len > TAG_MAX)
			return tr_err_set(err, TR_E_DECODE_VALUE, "the tag of a GTID has %zu characters", tag.len);
		if (grow(&array, &s->cap, s->count, sizeof(*s->sources), TR_BL_SOURCES_MAX, err))
			return -1;
		s->sources = array;
		memmove(s->sources + at + 1, s->sources + at, (s->count - at) * sizeof(*s->sources));
		s->sources[at] = (tr_bl_gtid_source){0};
		memcpy(s->sources[at].uuid, uuid, 16);
		if (tag.len > 0)
			memcpy(s->sources[at].tag, tag.ptr, tag.len);
		s->count++;
	}
	s->recent = at;
	*out = &s->sources[at];
	return 0;
}

static void drop_source(tr_bl_gtid_set *s, size_t at)
{
	free(s->sources[at].intervals);
	s->count--;
	memmove(s->sources + at, s->sources + at + 1, (s->count - at) * sizeof(*s->sources));
	s->recent = 0;
}

/* --- intervals --------------------------------------------------------------------------------- */

/* The first interval that ends at or behind `number`. */
static size_t interval_at(const tr_bl_gtid_source *s, uint64_t number)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->intervals[mid].last < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static int insert_interval(tr_bl_gtid_source *s, size_t at, uint64_t first, uint64_t last, tr_err *err)
{
	void *array = s->intervals;

	if (grow(&array, &s->cap, s->count, sizeof(*s->intervals), TR_BL_INTERVALS_MAX, err))
		return -1;
	s->intervals = array;
	memmove(s->intervals + at + 1, s->intervals + at, (s->count - at) * sizeof(*s->intervals));
	s->intervals[at] = (tr_bl_interval){first, last};
	s->count++;
	return 0;
}

static void remove_intervals(tr_bl_gtid_source *s, size_t at, size_t n)
{
	s->count -= n;
	memmove(s->intervals + at, s->intervals + at + n, (s->count - at) * sizeof(*s->intervals));
}

static int add_interval(tr_bl_gtid_source *s, uint64_t first, uint64_t last, tr_err *err)
{
	size_t at, end;

	if (first == 0 || first > last || last > NUMBER_MAX)
		return tr_err_set(err, TR_E_DECODE_VALUE, "a GTID set has an interval that cannot be");
	/* The usual case: the next number of the newest interval. */
	if (s->count > 0 && s->intervals[s->count - 1].last + 1 == first) {
		s->intervals[s->count - 1].last = last;
		return 0;
	}
	at = interval_at(s, first > 1 ? first - 1 : first);
	for (end = at; end < s->count && s->intervals[end].first <= last + 1; end++)
		;
	if (at == end)
		return insert_interval(s, at, first, last, err);
	if (s->intervals[at].first > first)
		s->intervals[at].first = first;
	if (s->intervals[end - 1].last > last)
		last = s->intervals[end - 1].last;
	s->intervals[at].last = last;
	remove_intervals(s, at + 1, end - at - 1);
	return 0;
}

static int cut_interval(tr_bl_gtid_source *s, uint64_t first, uint64_t last, tr_err *err)
{
	for (size_t at = interval_at(s, first); at < s->count && s->intervals[at].first <= last;) {
		tr_bl_interval *i = &s->intervals[at], old = *i;

		if (old.first < first && old.last > last) {
			i->last = first - 1;
			return insert_interval(s, at + 1, last + 1, old.last, err);
		}
		if (old.first < first) {
			i->last = first - 1;
			at++;
		} else if (old.last > last) {
			i->first = last + 1;
			return 0;
		} else {
			remove_intervals(s, at, 1);
		}
	}
	return 0;
}

/* --- sets -------------------------------------------------------------------------------------- */

int tr_bl_gtid_set_add(tr_bl_gtid_set *s, const uint8_t uuid[16], tr_slice tag, uint64_t number, tr_err *err)
{
	tr_bl_gtid_source *source;

	return source_of(s, uuid, tag, &source, err) || add_interval(source, number, number, err) ? -1 : 0;
}

int tr_bl_gtid_set_unite(tr_bl_gtid_set *to, const tr_bl_gtid_set *other, tr_err *err)
{
	for (size_t i = 0; i < other->count; i++) {
		const tr_bl_gtid_source *from = &other->sources[i];
		tr_bl_gtid_source *source;

		if (source_of(to, from->uuid, tr_slice_str(from->tag), &source, err))
			return -1;
		for (size_t k = 0; k < from->count; k++)
			if (add_interval(source, from->intervals[k].first, from->intervals[k].last, err))
				return -1;
	}
	return 0;
}

int tr_bl_gtid_set_copy(tr_bl_gtid_set *to, const tr_bl_gtid_set *from, tr_err *err)
{
	tr_bl_gtid_set_clear(to);
	return tr_bl_gtid_set_unite(to, from, err);
}

int tr_bl_gtid_set_subtract(tr_bl_gtid_set *to, const tr_bl_gtid_set *other, tr_err *err)
{
	for (size_t i = 0; i < other->count; i++) {
		const tr_bl_gtid_source *from = &other->sources[i];
		bool found;
		size_t at = place(to, from->uuid, tr_slice_str(from->tag), &found);

		for (size_t k = 0; found && k < from->count; k++)
			if (cut_interval(&to->sources[at], from->intervals[k].first, from->intervals[k].last, err))
				return -1;
		if (found && to->sources[at].count == 0)
			drop_source(to, at);
	}
	return 0;
}

bool tr_bl_gtid_set_empty(const tr_bl_gtid_set *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->sources[i].count > 0)
			return false;
	return true;
}

static bool has_interval(const tr_bl_gtid_source *s, uint64_t first, uint64_t last)
{
	size_t at = s ? interval_at(s, first) : 0;

	return s && at < s->count && s->intervals[at].first <= first && s->intervals[at].last >= last;
}

bool tr_bl_gtid_set_has(const tr_bl_gtid_set *s, const uint8_t uuid[16], tr_slice tag, uint64_t number)
{
	return has_interval(find(s, uuid, tag), number, number);
}

bool tr_bl_gtid_set_contains(const tr_bl_gtid_set *s, const tr_bl_gtid_set *part)
{
	for (size_t i = 0; i < part->count; i++) {
		const tr_bl_gtid_source *wanted = &part->sources[i], *have = NULL;

		if (wanted->count > 0)
			have = find(s, wanted->uuid, tr_slice_str(wanted->tag));
		for (size_t k = 0; k < wanted->count; k++)
			if (!has_interval(have, wanted->intervals[k].first, wanted->intervals[k].last))
				return false;
	}
	return true;
}

bool tr_bl_gtid_set_knows(const tr_bl_gtid_set *s, const uint8_t uuid[16])
{
	for (size_t i = 0; i < s->count; i++)
		if (s->sources[i].count > 0 && memcmp(s->sources[i].uuid, uuid, 16) == 0)
			return true;
	return false;
}

/* --- texts ------------------------------------------------------------------------------------- */

void tr_bl_uuid_text(char out[37], const uint8_t uuid[16])
{
	static const char digits[] = "0123456789abcdef";
	size_t at = 0;

	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			out[at++] = '-';
		out[at++] = digits[uuid[i] >> 4];
		out[at++] = digits[uuid[i] & 15];
	}
	out[at] = '\0';
}

static int hex_digit(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

bool tr_bl_uuid_parse(tr_slice text, uint8_t uuid[16])
{
	size_t at = 0;

	if (text.len != UUID_TEXT)
		return false;
	for (size_t i = 0; i < 16; i++) {
		int high, low;

		if ((i == 4 || i == 6 || i == 8 || i == 10) && text.ptr[at++] != '-')
			return false;
		high = hex_digit(text.ptr[at]);
		low = hex_digit(text.ptr[at + 1]);
		if (high < 0 || low < 0)
			return false;
		uuid[i] = (uint8_t)(high << 4 | low);
		at += 2;
	}
	return true;
}

static size_t put_decimal(char *out, uint64_t value)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + value % 10);
	while ((value /= 10) != 0);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

void tr_bl_gtid_text(char out[TR_BL_GTID_TEXT], const uint8_t uuid[16], tr_slice tag, uint64_t number)
{
	size_t at = UUID_TEXT;

	tr_bl_uuid_text(out, uuid);
	out[at++] = ':';
	if (tag.len > 0 && tag.len <= TAG_MAX) {
		memcpy(out + at, tag.ptr, tag.len);
		at += tag.len;
		out[at++] = ':';
	}
	at += put_decimal(out + at, number);
	out[at] = '\0';
}

typedef struct cursor {
	const uint8_t *at, *end;
} cursor;

static void skip_blanks(cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
		c->at++;
}

static bool take_char(cursor *c, char wanted)
{
	skip_blanks(c);
	if (c->at == c->end || *c->at != (uint8_t)wanted)
		return false;
	c->at++;
	return true;
}

static bool take_number(cursor *c, uint64_t *out)
{
	const uint8_t *start;
	uint64_t value = 0;

	skip_blanks(c);
	for (start = c->at; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
		if (value > (UINT64_MAX - 9) / 10)
			return false;
		value = value * 10 + (uint64_t)(*c->at - '0');
	}
	*out = value;
	return c->at > start;
}

/* A tag begins with a letter or an underscore. */
static bool take_tag(cursor *c, char tag[TAG_MAX + 1])
{
	size_t len = 0;

	skip_blanks(c);
	if (c->at < c->end && *c->at >= '0' && *c->at <= '9')
		return false;
	for (; c->at < c->end && len < TAG_MAX; c->at++) {
		uint8_t ch = *c->at, low = ch | 32;

		if (!((low >= 'a' && low <= 'z') || ch == '_' || (ch >= '0' && ch <= '9')))
			break;
		tag[len++] = (char)(ch == '_' ? ch : ch >= 'A' && ch <= 'Z' ? low : ch);
	}
	tag[len] = '\0';
	return len > 0;
}

/* uuid:intervals[:tag:intervals]... */
static bool take_uuid_part(cursor *c, tr_bl_gtid_set *s, tr_err *err)
{
	uint8_t uuid[16];
	char tag[TAG_MAX + 1] = "";

	skip_blanks(c);
	if (c->end - c->at < UUID_TEXT || !tr_bl_uuid_parse(tr_slice_of(c->at, UUID_TEXT), uuid))
		return false;
	c->at += UUID_TEXT;
	while (take_char(c, ':')) {
		tr_bl_gtid_source *source;
		uint64_t first, last;

		if (take_tag(c, tag))
			continue;
		if (!take_number(c, &first))
			return false;
		last = first;
		if (take_char(c, '-') && !take_number(c, &last))
			return false;
		if (source_of(s, uuid, tr_slice_str(tag), &source, err) || add_interval(source, first, last, err))
			return false;
	}
	return true;
}

int tr_bl_gtid_set_parse(tr_bl_gtid_set *s, tr_slice text, tr_err *err)
{
	cursor c = {text.ptr, text.ptr + text.len};

	tr_err_clear(err);
	tr_bl_gtid_set_clear(s);
	if (text.len == 0)
		return 0;
	for (;;) {
		/* The server prints no empty parts, but accepts them. */
		while (take_char(&c, ','))
			;
		skip_blanks(&c);
		if (c.at == c.end)
			return 0;
		if (!take_uuid_part(&c, s, err))
			break;
		skip_blanks(&c);
		if (c.at < c.end && *c.at != ',')
			break;
	}
	tr_bl_gtid_set_clear(s);
	return err->code ? -1 : tr_err_set(err, TR_E_DECODE_VALUE, "a GTID set cannot be read as one");
}

static void print_intervals(const tr_bl_gtid_source *s, tr_writer *out)
{
	for (size_t i = 0; i < s->count; i++) {
		tr_writer_u8(out, ':');
		tr_writer_decimal_u64(out, s->intervals[i].first);
		if (s->intervals[i].last == s->intervals[i].first)
			continue;
		tr_writer_u8(out, '-');
		tr_writer_decimal_u64(out, s->intervals[i].last);
	}
}

void tr_bl_gtid_set_print(const tr_bl_gtid_set *s, tr_writer *out)
{
	const tr_bl_gtid_source *before = NULL;
	char uuid[UUID_TEXT + 1];

	for (size_t i = 0; i < s->count; i++) {
		const tr_bl_gtid_source *source = &s->sources[i];

		if (source->count == 0)
			continue;
		if (!before || memcmp(before->uuid, source->uuid, 16) != 0) {
			tr_bl_uuid_text(uuid, source->uuid);
			if (before)
				tr_writer_u8(out, ',');
			tr_writer_text(out, uuid);
		}
		if (source->tag[0]) {
			tr_writer_u8(out, ':');
			tr_writer_text(out, source->tag);
		}
		print_intervals(source, out);
		before = source;
	}
}

/* --- the wire form ----------------------------------------------------------------------------- */

static void put_le64(tr_writer *out, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		tr_writer_u8(out, (uint8_t)(value >> (8 * i)));
}

/*
 * count u64; per source: uuid 16, interval count u64, per interval first u64 and the number after the last u64, all
 * little-endian. With tags (format 1): the count is in bits 8 to 55, the format in the first and the last byte, and
 * after each uuid follows the tag's length, doubled, in one byte, and the tag.
 */
void tr_bl_gtid_set_encode(const tr_bl_gtid_set *s, tr_writer *out)
{
	uint64_t count = 0;
	bool tagged = false;

	for (size_t i = 0; i < s->count; i++) {
		count += s->sources[i].count > 0;
		tagged = tagged || (s->sources[i].count > 0 && s->sources[i].tag[0]);
	}
	put_le64(out, tagged ? (uint64_t)1 << FORMAT_BITS | count << 8 | 1 : count);
	for (size_t i = 0; i < s->count; i++) {
		const tr_bl_gtid_source *source = &s->sources[i];

		if (source->count == 0)
			continue;
		tr_writer_put(out, source->uuid, 16);
		if (tagged) {
			tr_writer_u8(out, (uint8_t)(strlen(source->tag) << 1));
			tr_writer_text(out, source->tag);
		}
		put_le64(out, source->count);
		for (size_t k = 0; k < source->count; k++) {
			put_le64(out, source->intervals[k].first);
			put_le64(out, source->intervals[k].last + 1);
		}
	}
}

static int decode_source(tr_reader *r, bool tagged, tr_bl_gtid_set *s, tr_err *err)
{
	const uint8_t *uuid = tr_reader_take(r, 16);
	tr_slice tag = {0};
	tr_bl_gtid_source *source;
	uint64_t count;

	if (tagged) {
		uint8_t len = tr_reader_u8(r);

		if (len & 1)
			return tr_err_set(err, TR_E_DECODE_VALUE, "the tag of an encoded GTID set is too long");
		tag = tr_reader_bytes(r, len >> 1);
	}
	count = tr_reader_le(r, 8);
	if (!uuid || r->failed || count > tr_reader_left(r) / 16)
		return tr_err_set(err, TR_E_DECODE_SHORT, "an encoded GTID set ends too early");
	if (source_of(s, uuid, tag, &source, err))
		return -1;
	while (count-- > 0) {
		uint64_t first = tr_reader_le(r, 8), after = tr_reader_le(r, 8);

		if (after == 0 || add_interval(source, first, after - 1, err))
			return err->code ? -1 : tr_err_set(err, TR_E_DECODE_VALUE, "an encoded GTID set has an empty interval");
	}
	return 0;
}

int tr_bl_gtid_set_decode(tr_bl_gtid_set *s, tr_slice bytes, tr_err *err)
{
	tr_reader r;
	uint64_t head, count, format;

	tr_err_clear(err);
	tr_bl_gtid_set_clear(s);
	tr_reader_init(&r, bytes);
	head = tr_reader_le(&r, 8);
	format = head >> FORMAT_BITS;
	count = format == 1 ? (head << 8) >> 16 : head;
	if (r.failed)
		return tr_reader_error(&r, "an encoded GTID set", err);
	if (format > 1)
		return tr_err_set(err, TR_E_DECODE_UNKNOWN, "an encoded GTID set has the unknown format %u", (unsigned)format);
	while (count-- > 0) {
		if (decode_source(&r, format == 1, s, err)) {
			tr_bl_gtid_set_clear(s);
			return -1;
		}
	}
	return 0;
}

/* --- MariaDB ----------------------------------------------------------------------------------- */

void tr_bl_domain_set_release(tr_bl_domain_set *s)
{
	free(s->domains);
	*s = (tr_bl_domain_set){0};
}

static size_t domain_place(const tr_bl_domain_set *s, uint32_t domain)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->domains[mid].domain < domain)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const tr_bl_domain_position *tr_bl_domain_set_find(const tr_bl_domain_set *s, uint32_t domain)
{
	size_t at = domain_place(s, domain);

	return at < s->count && s->domains[at].domain == domain ? &s->domains[at] : NULL;
}

int tr_bl_domain_set_move(tr_bl_domain_set *s, uint32_t domain, uint32_t server_id, uint64_t sequence, tr_err *err)
{
	size_t at = domain_place(s, domain);
	void *array = s->domains;

	if (at == s->count || s->domains[at].domain != domain) {
		if (grow(&array, &s->cap, s->count, sizeof(*s->domains), TR_BL_DOMAINS_MAX, err))
			return -1;
		s->domains = array;
		memmove(s->domains + at + 1, s->domains + at, (s->count - at) * sizeof(*s->domains));
		s->count++;
	}
	s->domains[at] = (tr_bl_domain_position){domain, server_id, sequence};
	return 0;
}

int tr_bl_domain_set_parse(tr_bl_domain_set *s, tr_slice text, tr_err *err)
{
	cursor c = {text.ptr, text.ptr + text.len};

	s->count = 0;
	skip_blanks(&c);
	while (c.at < c.end) {
		uint64_t domain, server_id, sequence;

		if (!take_number(&c, &domain) || !take_char(&c, '-') || !take_number(&c, &server_id) || !take_char(&c, '-') ||
		    !take_number(&c, &sequence) || domain > UINT32_MAX || server_id > UINT32_MAX)
			goto bad;
		if (tr_bl_domain_set_move(s, (uint32_t)domain, (uint32_t)server_id, sequence, err))
			return -1;
		skip_blanks(&c);
		if (c.at < c.end && !take_char(&c, ','))
			goto bad;
		skip_blanks(&c);
	}
	return 0;
bad:
	s->count = 0;
	return tr_err_set(err, TR_E_DECODE_VALUE, "a list of MariaDB GTIDs cannot be read as one");
}

void tr_bl_domain_text(char out[TR_BL_GTID_TEXT], uint32_t domain, uint32_t server_id, uint64_t sequence)
{
	size_t at = put_decimal(out, domain);

	out[at++] = '-';
	at += put_decimal(out + at, server_id);
	out[at++] = '-';
	at += put_decimal(out + at, sequence);
	out[at] = '\0';
}

void tr_bl_domain_set_print(const tr_bl_domain_set *s, tr_writer *out)
{
	char text[TR_BL_GTID_TEXT];

	for (size_t i = 0; i < s->count; i++) {
		tr_bl_domain_text(text, s->domains[i].domain, s->domains[i].server_id, s->domains[i].sequence);
		if (i > 0)
			tr_writer_u8(out, ',');
		tr_writer_text(out, text);
	}
}

int tr_bl_domain_set_copy(tr_bl_domain_set *to, const tr_bl_domain_set *from, tr_err *err)
{
	to->count = 0;
	for (size_t i = 0; i < from->count; i++)
		if (tr_bl_domain_set_move(to, from->domains[i].domain, from->domains[i].server_id, from->domains[i].sequence,
					  err))
			return -1;
	return 0;
}

bool tr_bl_domain_set_covers(const tr_bl_domain_set *s, const tr_bl_domain_set *part)
{
	for (size_t i = 0; i < part->count; i++) {
		const tr_bl_domain_position *have = tr_bl_domain_set_find(s, part->domains[i].domain);

		if (!have || have->sequence < part->domains[i].sequence)
			return false;
	}
	return true;
}
