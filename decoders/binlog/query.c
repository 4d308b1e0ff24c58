#include "decoders/binlog/decoder.h"

#define LOAD_BYTES 13 /* EXECUTE_LOAD_QUERY: file, places in the text, what to do with duplicates */

/* Variables that a QUERY carries, by the servers' codes: their sizes, or how they tell it. */
enum { NOT_KNOWN = 0, STRING_AND_NUL = 101, STRING, TWO_STRINGS, NAMES, PAIRS };
static const uint8_t variable_bytes[256] = {
	[0] = 4, [1] = 8, [2] = STRING_AND_NUL, [3] = 4, [4] = 6, [5] = STRING, [6] = STRING, [7] = 2, [8] = 2, [9] = 8, [10] = 4,
	[11] = TWO_STRINGS, [12] = NAMES, [13] = 3, [16] = 1, [17] = 8, [18] = 2, [19] = 1, [20] = 1, [128] = 3, [129] = 8, [131] = PAIRS,
};
enum { SQL_MODE = 1, CHARSET = 4, MICROSECONDS = 13, MARIADB_MICROSECONDS = 128 };
#define NAMES_TOO_MANY 254

static void skip_names(tr_reader *r)
{
	unsigned count = tr_reader_u8(r);

	for (unsigned i = 0; count != NAMES_TOO_MANY && i < count && !r->failed; i++)
		tr_reader_cstring(r);
}

static void skip_string(tr_reader *r, size_t more)
{
	size_t bytes = tr_reader_u8(r);

	tr_reader_bytes(r, bytes + more);
}

static void skip_pairs(tr_reader *r)
{
	size_t count = tr_reader_u8(r);

	tr_reader_bytes(r, count * 4);
}

/* Behind a variable we do not know nothing more can be read; the ones we need come early. */
static void read_variables(tr_reader r, tr_bl_query *m)
{
	while (!r.failed && tr_reader_left(&r) > 0) {
		uint8_t code = tr_reader_u8(&r), bytes = variable_bytes[code];

		if (bytes == NOT_KNOWN)
			return;
		switch (code) {
		case SQL_MODE: m->sql_mode = tr_reader_le(&r, 8); continue;
		case CHARSET:
			m->client_collation = (uint16_t)tr_reader_le(&r, 2);
			tr_reader_bytes(&r, 4);
			continue;
		case MICROSECONDS: case MARIADB_MICROSECONDS: m->fraction_us = (uint32_t)tr_reader_le(&r, 3); continue;
		default: break;
		}
		switch (bytes) {
		case STRING_AND_NUL: skip_string(&r, 1); break;
		case STRING: skip_string(&r, 0); break;
		case TWO_STRINGS: skip_string(&r, 0), skip_string(&r, 0); break;
		case NAMES: skip_names(&r); break;
		case PAIRS: skip_pairs(&r); break;
		default: tr_reader_bytes(&r, bytes);
		}
	}
}

int tr_bl_read_query(tr_bl_cursor *c, bool load, bool packed, tr_err *err)
{
	tr_reader post = tr_bl_post(c, load ? 13 + LOAD_BYTES : 13), variables;
	tr_bl_query m = {.load_data = load};
	size_t database_bytes, variables_bytes;

	m.thread_id = (uint32_t)tr_reader_le(&post, 4);
	tr_reader_bytes(&post, 4); /* seconds it took */
	database_bytes = tr_reader_u8(&post);
	m.error_code = (uint16_t)tr_reader_le(&post, 2);
	variables_bytes = (size_t)tr_reader_le(&post, 2);
	tr_reader_init(&variables, tr_reader_bytes(&c->r, variables_bytes));
	m.database = tr_reader_bytes(&c->r, database_bytes);
	tr_reader_u8(&c->r); /* NUL */
	m.text = tr_reader_bytes(&c->r, tr_reader_left(&c->r));
	if (tr_bl_finish(c, err) != 0)
		return -1;
	read_variables(variables, &m);
	if (packed && tr_bl_inflate_event(c, m.text, &m.text, err) != 0)
		return -1;
	return c->d->handler.query ? c->d->handler.query(c->d->context, &c->e, &m, err) : 0;
}

static int report_text(const tr_bl_cursor *c, tr_slice text, tr_err *err)
{
	if (tr_bl_finish(c, err) != 0)
		return -1;
	return c->d->handler.rows_query ? c->d->handler.rows_query(c->d->context, &c->e, text, err) : 0;
}

/* MySQL's starts with a length of one byte, which long texts do not fit: the text goes to the end. */
int tr_bl_read_rows_query(tr_bl_cursor *c, tr_err *err)
{
	tr_reader_u8(&c->r);
	return report_text(c, tr_reader_bytes(&c->r, tr_reader_left(&c->r)), err);
}

int tr_bl_read_annotate(tr_bl_cursor *c, tr_err *err)
{
	return report_text(c, tr_reader_bytes(&c->r, tr_reader_left(&c->r)), err);
}
