/*
 * Whether a session asks the server for binary values. Numbers and times in their binary form spare the server its output
 * functions and us the parsing, but it is one choice for all columns: it is taken when every type the captured tables have
 * is read in that form. A table that appears later with another type ends the session; the next one is in text.
 */
#include <stdlib.h>

#include "capture/postgres/postgres.h"
#include "capture/postgres/stream.h"

#define BASES_OF(types) \
	"WITH RECURSIVE t AS (SELECT oid, typtype, typbasetype FROM pg_type WHERE oid " types \
	" UNION SELECT b.oid, b.typtype, b.typbasetype FROM pg_type b JOIN t ON t.typtype = 'd' AND b.oid = t.typbasetype)" \
	" SELECT DISTINCT oid, typtype FROM t WHERE typtype <> 'd'"

/* An enum's binary form is its label. */
static bool readable(const PGresult *r, int row)
{
	return PQgetvalue(r, row, 1)[0] == 'e' || tr_pg_binary_ok((uint32_t)strtoul(PQgetvalue(r, row, 0), NULL, 10));
}

static int all_readable(tr_pgc *s, const char *sql, tr_writer *oids, bool *out, tr_err *err)
{
	PGresult *r = NULL;

	tr_writer_put(oids, "}", 2);
	if (!tr_writer_ok(oids))
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	const char *const params[] = {(const char *)oids->data};
	if (tr_pgc_sql(s, "read the types of the captured tables", sql, 1, params, &r, err))
		return -1;
	*out = true;
	for (int i = 0; i < PQntuples(r) && *out; i++)
		*out = readable(r, i);
	PQclear(r);
	return 0;
}

static void add_oid(tr_writer *oids, uint32_t oid)
{
	tr_writer_text(oids, oids->len == 0 ? "{" : ",");
	tr_writer_decimal_u64(oids, oid);
}

int tr_pgc_binary_choose(tr_pgc *s, bool *binary, tr_err *err)
{
	static const char sql[] = BASES_OF("IN (SELECT atttypid FROM pg_attribute WHERE attrelid = ANY ($1::oid[])"
					   " AND attnum > 0 AND NOT attisdropped)");
	tr_pgc_list list = {0};
	tr_writer oids;
	int result = 0;

	*binary = false;
	if (s->text_only || !s->options->binary)
		return 0;
	tr_writer_init(&oids, 16 << 20);
	result = tr_pgc_catalog_list(&s->catalog, s->publication, false, false, &list, err);
	for (size_t i = 0; result == 0 && i < list.count; i++)
		add_oid(&oids, list.tables[i].oid);
	if (result == 0 && list.count > 0)
		result = all_readable(s, sql, &oids, binary, err);
	tr_pgc_list_release(&list);
	tr_writer_release(&oids);
	return result;
}

int tr_pgc_binary_fits(tr_pgc *s, const tr_pgc_relation *rel, tr_err *err)
{
	static const char sql[] = BASES_OF("= ANY ($1::oid[])");
	tr_writer oids;
	bool fits = true;
	int result = 0;

	if (!s->stream->binary || rel->column_count == 0)
		return 0;
	tr_writer_init(&oids, 1 << 20);
	for (size_t i = 0; i < rel->column_count; i++)
		add_oid(&oids, rel->columns[i].type);
	result = all_readable(s, sql, &oids, &fits, err);
	tr_writer_release(&oids);
	if (result != 0 || fits)
		return result;
	/* Nothing of this table was read yet, so the next session begins before it. */
	s->text_only = true;
	tr_err_set(err, TR_E_SOURCE_RESTART, "table \"%s.%s\" has a type that is only read as text", rel->schema, rel->name);
	return tr_err_hint(err, "nothing to do: the stream begins anew at the stored position, with all values as text");
}
