#include "capture/mysql/position.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

#define TEXT_MAX ((size_t)16 << 20)

/* --- memory ------------------------------------------------------------------------------------ */

static void drop_xa(tr_myc_position *p)
{
	for (size_t i = 0; i < p->xa_count; i++)
		free(p->xa[i].after);
	p->xa_count = 0;
}

void tr_myc_position_release(tr_myc_position *p)
{
	tr_bl_gtid_set_release(&p->gtids);
	tr_bl_domain_set_release(&p->domains);
	drop_xa(p);
	free(p->xa);
	free(p->incremental);
	*p = (tr_myc_position){0};
}

static int set_incremental(tr_myc_position *p, const char *text, tr_err *err)
{
	char *copy = text ? strdup(text) : NULL;

	if (text && !copy)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	free(p->incremental);
	p->incremental = copy;
	return 0;
}

int tr_myc_position_copy(tr_myc_position *to, const tr_myc_position *from, tr_err *err)
{
	to->kind = from->kind;
	memcpy(to->file, from->file, sizeof(to->file));
	to->pos = from->pos;
	memcpy(to->tx, from->tx, sizeof(to->tx));
	to->index = from->index;
	to->filter = from->filter;
	drop_xa(to);
	for (size_t i = 0; i < from->xa_count; i++)
		if (tr_myc_xa_add(to, &from->xa[i], err))
			return -1;
	return tr_bl_gtid_set_copy(&to->gtids, &from->gtids, err) || tr_bl_domain_set_copy(&to->domains, &from->domains, err) ||
		       set_incremental(to, from->incremental, err)
		   ? -1
		   : 0;
}

/* --- prepared transactions --------------------------------------------------------------------- */

const tr_myc_xa *tr_myc_xa_find(const tr_myc_position *p, const char *xid)
{
	for (size_t i = 0; i < p->xa_count; i++)
		if (strcmp(p->xa[i].xid, xid) == 0)
			return &p->xa[i];
	return NULL;
}

void tr_myc_xa_remove(tr_myc_position *p, const char *xid)
{
	for (size_t i = 0; i < p->xa_count; i++) {
		if (strcmp(p->xa[i].xid, xid) != 0)
			continue;
		free(p->xa[i].after);
		p->xa_count--;
		memmove(p->xa + i, p->xa + i + 1, (p->xa_count - i) * sizeof(*p->xa));
		return;
	}
}

static int grow_xa(tr_myc_position *p, tr_err *err)
{
	size_t cap = p->xa_cap ? p->xa_cap * 2 : 4;
	tr_myc_xa *moved;

	if (p->xa_count < p->xa_cap)
		return 0;
	if (p->xa_count >= TR_MYC_XA_MAX) {
		tr_err_set(err, TR_E_SOURCE_SETTING, "more than %d XA transactions are prepared and neither committed nor rolled back",
			   TR_MYC_XA_MAX);
		return tr_err_hint(err, "XA RECOVER lists them; whoever left them behind has to end them.");
	}
	moved = realloc(p->xa, cap * sizeof(*moved));
	if (!moved)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	p->xa = moved;
	p->xa_cap = cap;
	return 0;
}

int tr_myc_xa_add(tr_myc_position *p, const tr_myc_xa *xa, tr_err *err)
{
	char *after = xa->after ? strdup(xa->after) : NULL;

	if (xa->after && !after)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	tr_myc_xa_remove(p, xa->xid);
	if (grow_xa(p, err)) {
		free(after);
		return -1;
	}
	p->xa[p->xa_count] = *xa;
	p->xa[p->xa_count++].after = after;
	return 0;
}

static void put_hex(char *out, size_t *at, tr_slice bytes)
{
	static const char digits[] = "0123456789abcdef";

	out[(*at)++] = '0';
	out[(*at)++] = 'x';
	for (size_t i = 0; i < bytes.len && i < TR_BL_XID_MAX; i++) {
		out[(*at)++] = digits[bytes.ptr[i] >> 4];
		out[(*at)++] = digits[bytes.ptr[i] & 15];
	}
	out[(*at)++] = ',';
}

void tr_myc_xid_text(char out[TR_MYC_XID_TEXT], const tr_bl_xid *xid)
{
	size_t at = 0;

	put_hex(out, &at, xid->gtrid);
	put_hex(out, &at, xid->bqual);
	snprintf(out + at, TR_MYC_XID_TEXT - at, "%d", xid->format_id);
}

typedef struct cursor {
	const uint8_t *at, *end;
} cursor;

static void skip_blanks(cursor *c)
{
	while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\r' || *c->at == '\n'))
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

static int hex_value(uint8_t c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool unhex(tr_slice text, uint8_t out[TR_BL_XID_MAX], size_t *len)
{
	if (text.len % 2 != 0 || text.len > 2 * TR_BL_XID_MAX)
		return false;
	for (size_t i = 0; i < text.len / 2; i++) {
		int high = hex_value(text.ptr[2 * i]), low = hex_value(text.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	*len = text.len / 2;
	return true;
}

/* X'6162', 0x6162 or 'ab'; servers log the first, people write all of them. */
static bool take_xid_part(cursor *c, uint8_t out[TR_BL_XID_MAX], size_t *len)
{
	const uint8_t *start;
	bool hex;

	skip_blanks(c);
	if (c->end - c->at > 2 && c->at[0] == '0' && (c->at[1] | 32) == 'x') {
		for (start = c->at += 2; c->at < c->end && hex_value(*c->at) >= 0; c->at++)
			;
		return unhex(tr_slice_of(start, (size_t)(c->at - start)), out, len);
	}
	hex = take_char(c, 'X') || take_char(c, 'x');
	if (!take_char(c, '\''))
		return false;
	for (start = c->at; c->at < c->end && *c->at != '\''; c->at++)
		;
	if (c->at == c->end)
		return false;
	*len = (size_t)(c->at - start);
	c->at++;
	if (hex)
		return unhex(tr_slice_of(start, *len), out, len);
	if (*len > TR_BL_XID_MAX)
		return false;
	memcpy(out, start, *len);
	return true;
}

static bool take_format_id(cursor *c, int32_t *out)
{
	int64_t value = 0;
	bool negative = take_char(c, '-');
	const uint8_t *start;

	skip_blanks(c);
	for (start = c->at; c->at < c->end && *c->at >= '0' && *c->at <= '9' && value <= INT32_MAX; c->at++)
		value = value * 10 + (*c->at - '0');
	*out = (int32_t)(negative ? -value : value);
	return c->at > start && value <= (int64_t)UINT32_MAX;
}

bool tr_myc_xid_parse(char out[TR_MYC_XID_TEXT], tr_slice text, tr_slice *rest)
{
	uint8_t gtrid[TR_BL_XID_MAX], bqual[TR_BL_XID_MAX];
	size_t gtrid_len = 0, bqual_len = 0;
	cursor c = {text.ptr, text.ptr + text.len};
	tr_bl_xid xid = {.format_id = 1};

	if (!take_xid_part(&c, gtrid, &gtrid_len))
		return false;
	if (take_char(&c, ',') && !take_xid_part(&c, bqual, &bqual_len))
		return false;
	if (take_char(&c, ',') && !take_format_id(&c, &xid.format_id))
		return false;
	xid.gtrid = tr_slice_of(gtrid, gtrid_len);
	xid.bqual = tr_slice_of(bqual, bqual_len);
	tr_myc_xid_text(out, &xid);
	skip_blanks(&c);
	if (rest)
		*rest = tr_slice_of(c.at, (size_t)(c.end - c.at));
	return true;
}

/* --- writing ----------------------------------------------------------------------------------- */

static void put_text(tr_writer *out, const char *before, const char *text)
{
	tr_writer_text(out, before);
	tr_text_json_escape(out, tr_slice_str(text));
	tr_writer_u8(out, '"');
}

static void put_number(tr_writer *out, const char *before, uint64_t value)
{
	tr_writer_text(out, before);
	tr_writer_decimal_u64(out, value);
}

static void write_xa(const tr_myc_position *p, tr_writer *out)
{
	for (size_t i = 0; i < p->xa_count; i++) {
		const tr_myc_xa *xa = &p->xa[i];

		put_text(out, i == 0 ? ",\"xa\":[{\"xid\":\"" : ",{\"xid\":\"", xa->xid);
		if (xa->gtid[0])
			put_text(out, ",\"gtid\":\"", xa->gtid);
		if (xa->after)
			put_text(out, ",\"after\":\"", xa->after);
		put_text(out, ",\"file\":\"", xa->file);
		put_number(out, ",\"pos\":", xa->pos);
		tr_writer_text(out, i + 1 == p->xa_count ? "}]" : "}");
	}
}

void tr_myc_position_write(const tr_myc_position *p, tr_writer *out)
{
	const char *comma = ",";

	if (p->kind == TR_MYC_BY_NOTHING)
		return;
	if (p->kind == TR_MYC_BY_GTID) {
		tr_writer_text(out, "{\"gtid_set\":\"");
		tr_bl_gtid_set_print(&p->gtids, out);
		tr_writer_u8(out, '"');
	} else if (p->kind == TR_MYC_BY_DOMAIN) {
		tr_writer_text(out, "{\"gtid\":\"");
		tr_bl_domain_set_print(&p->domains, out);
		tr_writer_u8(out, '"');
	} else {
		tr_writer_u8(out, '{');
		comma = "";
	}
	tr_writer_text(out, comma);
	put_text(out, "\"file\":\"", p->file);
	put_number(out, ",\"pos\":", p->pos);
	if (p->tx[0]) {
		put_text(out, ",\"tx\":\"", p->tx);
		put_number(out, ",\"index\":", p->index);
		put_number(out, ",\"filter\":", p->filter);
	}
	write_xa(p, out);
	if (p->incremental) {
		tr_writer_text(out, ",\"incremental\":");
		tr_writer_text(out, p->incremental);
	}
	tr_writer_u8(out, '}');
}

/* --- reading ----------------------------------------------------------------------------------- */

static bool take_text(char *out, size_t cap, const json_t *value)
{
	const char *text = json_string_value(value);

	return text && (size_t)snprintf(out, cap, "%s", text) < cap;
}

/* A JSON integer holds 63 bits, and so do all numbers here. */
static bool take_number(uint64_t *out, const json_t *value)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return false;
	*out = (uint64_t)json_integer_value(value);
	return true;
}

static bool read_xa(tr_myc_position *p, const json_t *object, tr_err *err)
{
	tr_myc_xa xa = {0};
	const char *key;
	json_t *value;
	void *it;

	for (it = json_object_iter((json_t *)(uintptr_t)object); it; it = json_object_iter_next((json_t *)(uintptr_t)object, it)) {
		bool good = false;

		key = json_object_iter_key(it);
		value = json_object_iter_value(it);
		if (strcmp(key, "xid") == 0)
			good = take_text(xa.xid, sizeof(xa.xid), value);
		else if (strcmp(key, "gtid") == 0)
			good = take_text(xa.gtid, sizeof(xa.gtid), value);
		else if (strcmp(key, "after") == 0)
			good = (xa.after = (char *)(uintptr_t)json_string_value(value)) != NULL;
		else if (strcmp(key, "file") == 0)
			good = take_text(xa.file, sizeof(xa.file), value);
		else if (strcmp(key, "pos") == 0)
			good = take_number(&xa.pos, value);
		if (!good)
			return false;
	}
	return xa.xid[0] && (xa.gtid[0] || xa.file[0]) && tr_myc_xa_add(p, &xa, err) == 0;
}

static bool read_xa_list(tr_myc_position *p, const json_t *list, tr_err *err)
{
	if (!json_is_array(list))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!json_is_object(json_array_get(list, i)) || !read_xa(p, json_array_get(list, i), err))
			return false;
	return true;
}

static bool read_incremental(tr_myc_position *p, const json_t *value, tr_err *err)
{
	char *text = json_is_object(value) ? json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
	bool good = text && set_incremental(p, text, err) == 0;

	free(text);
	return good;
}

static bool read_member(tr_myc_position *p, const char *key, const json_t *value, tr_err *err)
{
	const char *text = json_string_value(value);

	if (strcmp(key, "gtid_set") == 0 && text && p->kind == TR_MYC_BY_NOTHING) {
		p->kind = TR_MYC_BY_GTID;
		return tr_bl_gtid_set_parse(&p->gtids, tr_slice_str(text), err) == 0;
	}
	if (strcmp(key, "gtid") == 0 && text && p->kind == TR_MYC_BY_NOTHING) {
		p->kind = TR_MYC_BY_DOMAIN;
		return tr_bl_domain_set_parse(&p->domains, tr_slice_str(text), err) == 0;
	}
	if (strcmp(key, "file") == 0)
		return take_text(p->file, sizeof(p->file), value);
	if (strcmp(key, "pos") == 0)
		return take_number(&p->pos, value);
	if (strcmp(key, "tx") == 0)
		return take_text(p->tx, sizeof(p->tx), value);
	if (strcmp(key, "index") == 0)
		return take_number(&p->index, value);
	if (strcmp(key, "filter") == 0)
		return take_number(&p->filter, value);
	if (strcmp(key, "xa") == 0)
		return read_xa_list(p, value, err);
	return strcmp(key, "incremental") == 0 && read_incremental(p, value, err);
}

int tr_myc_position_read(tr_myc_position *p, tr_slice text, tr_err *err)
{
	json_error_t reason;
	json_t *root = NULL;
	int result = -1;
	bool good;

	tr_err_clear(err);
	tr_bl_gtid_set_clear(&p->gtids);
	p->domains.count = 0;
	drop_xa(p);
	free(p->incremental);
	p->incremental = NULL;
	p->kind = TR_MYC_BY_NOTHING;
	p->file[0] = p->tx[0] = '\0';
	p->pos = p->index = p->filter = 0;
	if (text.len <= TEXT_MAX)
		root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &reason);
	good = json_is_object(root);
	for (void *it = good ? json_object_iter(root) : NULL; it && good; it = json_object_iter_next(root, it))
		good = read_member(p, json_object_iter_key(it), json_object_iter_value(it), err);
	if (!good)
		goto out;
	if (p->kind == TR_MYC_BY_NOTHING && p->file[0])
		p->kind = TR_MYC_BY_FILE;
	if (p->kind == TR_MYC_BY_NOTHING || (!p->tx[0] && p->index > 0))
		goto out;
	result = 0;
out:
	json_decref(root);
	return result && err->code == 0 ? tr_err_set(err, TR_E_STATE_CORRUPT, "a position cannot be read") : result;
}

/* --- comparing --------------------------------------------------------------------------------- */

/* Base name and number: "binlog.000004". The number grows beyond six digits one day. */
static bool split_file(const char *file, size_t *base_len, uint64_t *number)
{
	const char *dot = strrchr(file, '.');
	char *end;

	if (!dot || dot[1] < '0' || dot[1] > '9')
		return false;
	*base_len = (size_t)(dot - file);
	*number = strtoull(dot + 1, &end, 10);
	return *end == '\0';
}

int tr_myc_file_compare(const char *a, const char *b)
{
	size_t len_a, len_b;
	uint64_t number_a, number_b;

	if (strcmp(a, b) == 0)
		return 0;
	if (!split_file(a, &len_a, &number_a) || !split_file(b, &len_b, &number_b) || len_a != len_b ||
	    strncmp(a, b, len_a) != 0)
		return 2;
	return number_a < number_b ? -1 : number_a > number_b;
}

int tr_myc_place_compare(const char *file_a, uint64_t pos_a, const char *file_b, uint64_t pos_b)
{
	int order = tr_myc_file_compare(file_a, file_b);

	return order ? order : pos_a < pos_b ? -1 : pos_a > pos_b;
}

static int order_of(bool a_has_b, bool b_has_a)
{
	return a_has_b && b_has_a ? 0 : a_has_b ? 1 : b_has_a ? -1 : 2;
}

static int compare_points(const tr_myc_position *a, const tr_myc_position *b)
{
	if (a->kind != b->kind)
		return 2;
	if (a->kind == TR_MYC_BY_GTID)
		return order_of(tr_bl_gtid_set_contains(&a->gtids, &b->gtids), tr_bl_gtid_set_contains(&b->gtids, &a->gtids));
	if (a->kind == TR_MYC_BY_DOMAIN)
		return order_of(tr_bl_domain_set_covers(&a->domains, &b->domains),
				tr_bl_domain_set_covers(&b->domains, &a->domains));
	return tr_myc_place_compare(a->file, a->pos, b->file, b->pos);
}

/* A point inside a transaction follows the point before it, and lies before every other one that follows that. */
static int compare(const tr_myc_position *a, const tr_myc_position *b)
{
	int order = compare_points(a, b);

	if (order != 0)
		return order;
	if (a->tx[0] && b->tx[0] && strcmp(a->tx, b->tx) != 0)
		return 2;
	if (a->tx[0] && b->tx[0])
		return a->index < b->index ? -1 : a->index > b->index;
	return a->tx[0] ? 1 : b->tx[0] ? -1 : 0;
}

int tr_myc_position_compare(tr_slice a, tr_slice b)
{
	tr_myc_position x = {0}, y = {0};
	tr_err ignored;
	int order = 2;

	if (tr_myc_position_read(&x, a, &ignored) == 0 && tr_myc_position_read(&y, b, &ignored) == 0)
		order = compare(&x, &y);
	tr_myc_position_release(&x);
	tr_myc_position_release(&y);
	return order;
}

/* --- identities -------------------------------------------------------------------------------- */

void tr_myc_identity_write(const tr_myc_identity *id, char *out, size_t cap)
{
	snprintf(out, cap, "{\"flavour\":\"%s\",\"server_uuid\":\"%s\",\"server_id\":%u,\"gtid\":%s}", id->flavour,
		 id->server_uuid, id->server_id, id->gtid ? "true" : "false");
}

bool tr_myc_identity_read(tr_slice text, tr_myc_identity *out)
{
	json_error_t reason;
	json_t *root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &reason);
	uint64_t server_id = 0;
	bool good;

	*out = (tr_myc_identity){0};
	good = json_is_object(root) && take_text(out->flavour, sizeof(out->flavour), json_object_get(root, "flavour")) &&
	       take_text(out->server_uuid, sizeof(out->server_uuid), json_object_get(root, "server_uuid")) &&
	       take_number(&server_id, json_object_get(root, "server_id")) && server_id <= UINT32_MAX &&
	       json_is_boolean(json_object_get(root, "gtid"));
	if (good) {
		out->server_id = (uint32_t)server_id;
		out->gtid = json_is_true(json_object_get(root, "gtid"));
	}
	json_decref(root);
	return good;
}
