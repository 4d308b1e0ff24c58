#include "capture/mysql/key.h"

#include <stdio.h>
#include <string.h>

#include "core/text.h"

#define TEXT_MAX ((size_t)1 << 20)

/* --- which columns ----------------------------------------------------------------------------- */

static bool form_of(const tr_bl_column *c, tr_myc_key_form *out)
{
	switch (c->sql) {
	case TR_BL_SQL_TINYINT: case TR_BL_SQL_SMALLINT: case TR_BL_SQL_MEDIUMINT: case TR_BL_SQL_INT: case TR_BL_SQL_BIGINT:
	case TR_BL_SQL_DECIMAL: case TR_BL_SQL_YEAR:
		*out = TR_MYC_KEY_NUMBER;
		return true;
	case TR_BL_SQL_FLOAT: case TR_BL_SQL_DOUBLE:
		*out = TR_MYC_KEY_FLOAT;
		return true;
	case TR_BL_SQL_ENUM:
		*out = TR_MYC_KEY_LABEL;
		return true;
	case TR_BL_SQL_SET: case TR_BL_SQL_BIT:
		*out = TR_MYC_KEY_BITS;
		return true;
	case TR_BL_SQL_DATE: case TR_BL_SQL_TIME: case TR_BL_SQL_DATETIME: case TR_BL_SQL_TIMESTAMP: case TR_BL_SQL_UUID:
	case TR_BL_SQL_INET4: case TR_BL_SQL_INET6:
		*out = TR_MYC_KEY_QUOTED;
		return true;
	case TR_BL_SQL_CHAR: case TR_BL_SQL_VARCHAR: case TR_BL_SQL_TINYTEXT: case TR_BL_SQL_TEXT: case TR_BL_SQL_MEDIUMTEXT:
	case TR_BL_SQL_LONGTEXT:
		*out = TR_MYC_KEY_TEXT;
		return c->charset != NULL;
	case TR_BL_SQL_BINARY: case TR_BL_SQL_VARBINARY: case TR_BL_SQL_TINYBLOB: case TR_BL_SQL_BLOB:
	case TR_BL_SQL_MEDIUMBLOB: case TR_BL_SQL_LONGBLOB:
		*out = TR_MYC_KEY_BYTES;
		return true;
	default:
		return false;
	}
}

const char *tr_myc_key_find(const tr_myc_facts *facts, tr_myc_key *out)
{
	out->count = 0;
	for (uint16_t rank = 1; rank <= TR_INC_KEY_MAX; rank++)
		for (size_t i = 0; i < facts->column_count; i++) {
			tr_myc_key_column *c = &out->columns[out->count];

			if (facts->columns[i].key_rank != rank)
				continue;
			*c = (tr_myc_key_column){.column = &facts->columns[i], .collation = facts->collations[i], .index = (uint16_t)i};
			if (facts->columns[i].nullable)
				return "has a key that may be null";
			if (!form_of(c->column, &c->form))
				return "has a key of a type that cannot be read in order";
			out->count++;
		}
	return out->count > 0 ? NULL : "has no primary key, and no unique one whose columns are all NOT NULL";
}

static uint32_t add_text(uint32_t hash, const char *text)
{
	for (const char *at = text ? text : ""; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	return (hash ^ 0xff) * 16777619u;
}

static uint32_t fingerprint(const tr_myc_key_column *c)
{
	return add_text(add_text(add_text(2166136261u, c->column->type_text), c->column->charset), c->collation);
}

int tr_myc_key_names(const tr_myc_key *k, tr_inc_key *out, tr_err *err)
{
	char text[400];

	for (size_t i = 0; i < k->count; i++) {
		const tr_myc_key_column *c = &k->columns[i];

		if (c->form == TR_MYC_KEY_NUMBER)
			snprintf(text, sizeof(text), "%s", c->column->name);
		else
			snprintf(text, sizeof(text), "%s#%08x", c->column->name, fingerprint(c));
		if (tr_inc_key_push(out, tr_slice_str(text), err))
			return -1;
	}
	return 0;
}

/* --- values ------------------------------------------------------------------------------------ */

static bool is_hex(tr_myc_key_form form)
{
	return form == TR_MYC_KEY_TEXT || form == TR_MYC_KEY_BYTES;
}

/* A text goes into a statement, so it is one of these and nothing else. */
static bool fits(tr_myc_key_form form, const char *text)
{
	static const char hex[] = "0123456789abcdef", number[] = "+-.0123456789eE";
	size_t len = strlen(text);

	if (is_hex(form))
		return strncmp(text, "0x", 2) == 0 && len % 2 == 0 && strspn(text + 2, hex) == len - 2;
	if (form == TR_MYC_KEY_QUOTED)
		return strcspn(text, "'\\") == len;
	return len > 0 && strspn(text, number) == len;
}

bool tr_myc_key_fits(const tr_myc_key *k, const tr_inc_key *values)
{
	bool good = values->count == 0 || values->count == k->count;

	for (size_t i = 0; i < values->count && good; i++)
		good = fits(k->columns[i].form, values->parts[i]);
	return good;
}

int tr_myc_key_push(const tr_myc_key *k, size_t n, tr_slice answer, tr_inc_key *out, tr_err *err)
{
	tr_writer w;
	int result;

	if (!is_hex(k->columns[n].form))
		return tr_inc_key_push(out, answer, err);
	tr_writer_init(&w, TEXT_MAX);
	tr_writer_text(&w, "0x");
	tr_text_hex(&w, answer);
	result = tr_writer_ok(&w) ? tr_inc_key_push(out, tr_writer_view(&w), err)
				  : tr_err_set(err, TR_E_MEMORY, "a key has %zu bytes", answer.len);
	tr_writer_release(&w);
	return result;
}

/* --- statements -------------------------------------------------------------------------------- */

static void put_name(const tr_myc_key_column *c, tr_writer *w)
{
	tr_myc_ident(w, c->column->name);
}

/* A SET compared with a number would be compared as DOUBLE, which has not all of its 64 bits. */
static void put_operand(const tr_myc_key_column *c, tr_writer *w)
{
	tr_writer_text(w, c->form == TR_MYC_KEY_BITS ? "CAST(" : "");
	put_name(c, w);
	tr_writer_text(w, c->form == TR_MYC_KEY_BITS ? " AS UNSIGNED)" : "");
}

static void put_literal(const tr_myc_key_column *c, const char *text, tr_writer *w)
{
	switch (c->form) {
	case TR_MYC_KEY_FLOAT: /* never a DECIMAL */
		tr_writer_text(w, text);
		tr_writer_text(w, strpbrk(text, "eE") ? "" : "e0");
		break;
	case TR_MYC_KEY_QUOTED:
		tr_myc_literal(w, text);
		break;
	case TR_MYC_KEY_TEXT: /* the column's collation decides: a literal's counts less */
		tr_writer_format(w, "_%s X'%s'", c->column->charset, text + 2);
		break;
	case TR_MYC_KEY_BYTES:
		tr_writer_format(w, "X'%s'", text + 2);
		break;
	default:
		tr_writer_text(w, text);
		break;
	}
}

void tr_myc_key_select(const tr_myc_key *k, tr_writer *w)
{
	for (size_t i = 0; i < k->count; i++) {
		const tr_myc_key_column *c = &k->columns[i];
		bool number = c->form == TR_MYC_KEY_LABEL || c->form == TR_MYC_KEY_BITS;

		tr_writer_text(w, i ? ", " : "");
		tr_writer_text(w, number ? "CAST(" : c->form == TR_MYC_KEY_TEXT ? "CAST(" : "");
		put_name(c, w);
		tr_writer_text(w, number ? " AS UNSIGNED)" : c->form == TR_MYC_KEY_TEXT ? " AS BINARY)" : "");
		tr_writer_text(w, tr_bl_select_suffix(c->column));
	}
}

void tr_myc_key_order(const tr_myc_key *k, bool descending, tr_writer *w)
{
	for (size_t i = 0; i < k->count; i++) {
		tr_writer_text(w, i ? ", " : " ORDER BY ");
		put_name(&k->columns[i], w);
		tr_writer_text(w, descending ? " DESC" : "");
	}
}

static void compare(const tr_myc_key *k, size_t n, const char *operation, const tr_inc_key *values, tr_writer *w)
{
	put_operand(&k->columns[n], w);
	tr_writer_text(w, operation);
	put_literal(&k->columns[n], values->parts[n], w);
}

/* (a > 1 OR (a = 1 AND (b > 2 OR (b = 2 AND c > 3)))); the last column has an operator of its own. The first condition
 * alone bounds what the server reads. */
static void put_bound(const tr_myc_key *k, const char *first, const char *middle, const char *last, const tr_inc_key *values,
		      tr_writer *w)
{
	if (k->count > 1) {
		tr_writer_text(w, " AND ");
		compare(k, 0, first, values, w);
	}
	tr_writer_text(w, " AND ");
	for (size_t i = 0; i + 1 < k->count; i++) {
		tr_writer_u8(w, '(');
		compare(k, i, middle, values, w);
		tr_writer_text(w, " OR (");
		compare(k, i, " = ", values, w);
		tr_writer_text(w, " AND ");
	}
	compare(k, k->count - 1, last, values, w);
	for (size_t i = 0; i + 1 < k->count; i++)
		tr_writer_text(w, "))");
}

void tr_myc_key_after(const tr_myc_key *k, const tr_inc_key *last, tr_writer *w)
{
	put_bound(k, " >= ", " > ", " > ", last, w);
}

void tr_myc_key_up_to(const tr_myc_key *k, const tr_inc_key *max, tr_writer *w)
{
	put_bound(k, " <= ", " < ", " <= ", max, w);
}
