#include "capture/postgres/chunk.h"

#include <stdlib.h>

#include "capture/postgres/facts.h"
#include "core/clock.h"
#include "core/log.h"

#define ROWS_MAX ((size_t)1 << 31) /* hard limit of one row that is larger than a chunk */

/* --- what the catalogue says ------------------------------------------------------------------- */

int tr_pgc_chunk_find(tr_pgc *s, PGconn *c, uint32_t *oid, char *kind, tr_err *err)
{
	const tr_inc_todo *t = &s->incremental->progress.todo[0];
	const char *params[] = {t->schema, t->name};
	PGresult *r;
	int found;

	if (tr_pgc_exec(c, &s->wake, TR_PGC_QUERY_MS, "look for a table",
			"SELECT c.oid, c.relkind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
			" WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')",
			2, params, &r, err))
		return -1;
	found = PQntuples(r) == 1;
	*oid = found ? (uint32_t)strtoul(PQgetvalue(r, 0, 0), NULL, 10) : 0;
	*kind = found ? PQgetvalue(r, 0, 1)[0] : 0;
	PQclear(r);
	return found;
}

/* Columns and row filter as the publication has them (15 and later); *columns NULL = all. */
static int read_publication(tr_pgc *s, tr_map **columns, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	const char *params[] = {s->publication, i->progress.todo[0].schema, i->progress.todo[0].name};
	PGresult *r;

	*columns = NULL;
	free(i->row_filter);
	i->row_filter = NULL;
	if (s->server.version < 150000)
		return 0;
	if (tr_pgc_exec(i->c, &s->wake, TR_PGC_QUERY_MS, "read the publication's columns",
			"SELECT p.rowfilter, u.name FROM pg_publication_tables p, unnest(p.attnames) u(name)"
			" WHERE p.pubname = $1 AND p.schemaname = $2 AND p.tablename = $3",
			3, params, &r, err))
		return -1;
	if (PQntuples(r) > 0) {
		*columns = tr_map_new();
		i->row_filter = PQgetisnull(r, 0, 0) ? NULL : strdup(PQgetvalue(r, 0, 0));
	}
	for (int row = 0; row < PQntuples(r); row++)
		tr_map_put(*columns, tr_slice_str(PQgetvalue(r, row, 1)), s);
	PQclear(r);
	return 0;
}

/* The key's columns in its order; false when there is none, or one may be null. */
static bool find_key(tr_pgc_incremental *i)
{
	const tr_pgc_relation *rel = i->shape;

	i->key_count = i->match_count = 0;
	for (uint16_t rank = 1; rank <= TR_INC_KEY_MAX; rank++)
		for (size_t n = 0; n < rel->column_count; n++)
			if (rel->columns[n].key_rank == rank) {
				if (!rel->columns[n].not_null)
					return false;
				i->key[i->key_count++] = (uint16_t)n;
			}
	/* An identity of its own index tells rows apart in the stream, where the key may not be sent. */
	for (size_t n = 0; rel->identity == 'i' && n < rel->column_count && i->match_count < TR_INC_KEY_MAX; n++)
		if (rel->columns[n].identity)
			i->match[i->match_count++] = (uint16_t)n;
	if (i->match_count == 0) {
		memcpy(i->match, i->key, sizeof(i->match));
		i->match_count = i->key_count;
	}
	return i->key_count > 0;
}

static int refuse(tr_pgc *s, const char *why)
{
	const tr_inc_todo *t = &s->incremental->progress.todo[0];

	tr_log(TR_LOG_WARN, s->name, "incremental.refused",
	       "table \"%s.%s\" %s; it is left out of the incremental snapshot", t->schema, t->name, why);
	return 0;
}

/* Progress belongs to a key of certain columns: with another key the table starts again. */
static int check_progress(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	tr_inc_key now = {0};
	int result = 0;

	for (size_t n = 0; n < i->key_count && result == 0; n++)
		result = tr_inc_key_push(&now, tr_slice_str(i->shape->columns[i->key[n]].name), err);
	if (result == 0 && i->progress.columns.count > 0 && !tr_inc_key_equal(&now, &i->progress.columns)) {
		tr_log(TR_LOG_WARN, s->name, "incremental.restarted",
		       "the key of table \"%s.%s\" has changed: its incremental snapshot starts again",
		       i->progress.todo[0].schema, i->progress.todo[0].name);
		tr_inc_progress_rewind(&i->progress);
	}
	tr_inc_key_clear(&i->progress.columns);
	i->progress.columns = now;
	return result;
}

/* Operators of a key's type are found where the type lives; a condition may use what its table's schema and public have. */
static int set_path(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	PGresult *r = NULL;
	tr_writer w;
	int result = -1;

	tr_writer_init(&w, 1 << 16);
	tr_writer_text(&w, "SET LOCAL search_path = pg_catalog");
	for (size_t n = 0; n < i->key_count; n++) {
		uint32_t oid = i->shape->columns[i->key[n]].type;

		for (int depth = 0; oid && depth < 32; depth++) {
			const tr_pg_type *type = tr_pgc_type_find(&s->catalog, oid);

			if (!type)
				break;
			tr_writer_text(&w, ", ");
			tr_pgc_ident(&w, type->schema);
			oid = type->typtype == 'd' ? type->base : 0;
		}
	}
	if (i->progress.todo[0].filter || i->row_filter) {
		tr_writer_text(&w, ", ");
		tr_pgc_ident(&w, i->progress.todo[0].schema);
		tr_writer_text(&w, ", public");
	}
	tr_writer_u8(&w, '\0');
	if (tr_writer_ok(&w))
		result = tr_pgc_exec(i->c, &s->wake, TR_PGC_QUERY_MS, "prepare to read a chunk", (const char *)w.data, 0,
				     NULL, &r, err);
	else
		tr_err_set(err, TR_E_MEMORY, "out of memory");
	PQclear(r);
	tr_writer_release(&w);
	return result;
}

static int describe(tr_pgc *s, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	tr_map *columns = NULL;
	int result = -1;

	if (read_publication(s, &columns, err))
		goto out;
	if (tr_pgc_relation_own(&s->catalog, i->oid, columns, false, &i->shape, err))
		goto out;
	if (!i->shape->schema) {
		result = refuse(s, "is gone");
		goto out;
	}
	if (tr_pgc_relation_compile(&s->catalog, i->shape, s->stream->listener->catalogue, err))
		goto out;
	if (!find_key(i)) {
		result = refuse(s, "has no key whose columns are all NOT NULL and published");
		goto out;
	}
	result = check_progress(s, err) || set_path(s, err) ? -1 : 1;
out:
	tr_map_free(columns, NULL);
	return result;
}

int tr_pgc_chunk_describe(tr_pgc *s, tr_err *err)
{
	PGconn **usual = s->catalog.sql;
	int result;

	/* By the connection that holds the lock: another one could wait for it behind an ALTER TABLE. */
	s->catalog.sql = &s->incremental->c;
	result = describe(s, err);
	s->catalog.sql = usual;
	return result;
}

/* --- statements -------------------------------------------------------------------------------- */

void tr_pgc_chunk_begin_sql(const tr_pgc *s, tr_writer *w)
{
	const tr_inc_todo *t = &s->incremental->progress.todo[0];

	/* The lock comes before the snapshot: no TRUNCATE or rewrite can stand between them. */
	tr_writer_text(w, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE ONLY ");
	tr_pgc_qualified(w, t->schema, t->name);
	tr_writer_text(w, " IN ACCESS SHARE MODE; SELECT pg_current_snapshot()");
	tr_writer_u8(w, '\0');
}

static void key_list(const tr_pgc_incremental *i, const char *after, tr_writer *w)
{
	for (size_t n = 0; n < i->key_count; n++) {
		tr_writer_text(w, n ? ", " : "");
		tr_pgc_ident(w, i->shape->columns[i->key[n]].name);
		tr_writer_text(w, after);
	}
}

static void key_compare(const tr_pgc_incremental *i, const char *operator_name, const tr_inc_key *key, tr_writer *w)
{
	tr_writer_text(w, " AND (");
	key_list(i, "", w);
	tr_writer_format(w, ") %s (", operator_name);
	for (size_t n = 0; n < key->count; n++) {
		tr_writer_text(w, n ? ", " : "");
		tr_pgc_literal(w, key->parts[n]);
	}
	tr_writer_text(w, ")");
}

static void from_where(const tr_pgc *s, tr_writer *w)
{
	const tr_pgc_incremental *i = s->incremental;
	const tr_inc_todo *t = &i->progress.todo[0];

	tr_writer_text(w, i->kind == 'p' ? " FROM " : " FROM ONLY ");
	tr_pgc_qualified(w, t->schema, t->name);
	tr_writer_text(w, " WHERE true");
	/* The newline ends a comment in the condition. */
	if (i->row_filter) {
		tr_writer_text(w, " AND (");
		tr_writer_text(w, i->row_filter);
		tr_writer_text(w, "\n)");
	}
	if (t->filter) {
		tr_writer_text(w, " AND (");
		tr_writer_text(w, t->filter);
		tr_writer_text(w, "\n)");
	}
}

void tr_pgc_chunk_max_sql(const tr_pgc *s, tr_writer *w)
{
	tr_writer_text(w, "SELECT ");
	key_list(s->incremental, "", w);
	from_where(s, w);
	tr_writer_text(w, " ORDER BY ");
	key_list(s->incremental, " DESC", w);
	tr_writer_text(w, " LIMIT 1");
	tr_writer_u8(w, '\0');
}

void tr_pgc_chunk_copy_sql(const tr_pgc *s, tr_writer *w)
{
	const tr_pgc_incremental *i = s->incremental;

	tr_writer_text(w, "COPY (SELECT ");
	for (size_t n = 0; n < i->shape->column_count; n++) {
		tr_writer_text(w, n ? ", " : "");
		tr_pgc_ident(w, i->shape->columns[n].name);
	}
	from_where(s, w);
	if (i->progress.last.count > 0)
		key_compare(i, ">", &i->progress.last, w);
	key_compare(i, "<=", &i->progress.max, w);
	tr_writer_text(w, " ORDER BY ");
	key_list(i, "", w);
	tr_writer_format(w, " LIMIT %u) TO STDOUT", i->limit);
	tr_writer_u8(w, '\0');
}

/* --- rows -------------------------------------------------------------------------------------- */

int tr_pgc_chunk_keep(tr_pgc_incremental *i, const char *line, size_t len, tr_err *err)
{
	if (i->cut || (i->row_count > 0 && i->rows.len + len > TR_INC_CHUNK_BYTES)) {
		i->cut = true;
		return 0;
	}
	tr_writer_put(&i->rows, line, len);
	i->row_count++;
	return tr_writer_ok(&i->rows) ? 0 : tr_err_set(err, TR_E_MEMORY, "out of memory for a row of the snapshot");
}

static void fill_source(tr_pgc *s, const tr_table *table)
{
	const tr_pgc_table_info *info = table->source_data;
	tr_value *f = s->incremental->block.fields;

	/* The place in the stream is that of the mark that closed the window. */
	f[TR_SRC_SEQUENCE] = tr_value_bytes(s->stream->sequence_text, s->stream->sequence_len);
	f[TR_SRC_OWN] = info->schema;
	f[TR_SRC_OWN + 1] = info->table;
	for (int n = 2; n < 7; n++)
		f[TR_SRC_OWN + n] = tr_value_null();
}

static int left_to_stream(tr_pgc_incremental *i, bool *out, tr_err *err)
{
	const tr_column *columns[TR_INC_KEY_MAX];
	tr_datum data[TR_INC_KEY_MAX];

	for (size_t n = 0; n < i->match_count; n++) {
		columns[n] = tr_pgc_incremental_column(i->shape->table, i->match[n]);
		data[n] = i->row[i->match[n]];
	}
	return tr_inc_touched_has(&i->touched, columns, data, i->match_count, out, err);
}

static int publish_row(tr_pgc *s, uint64_t *published, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	const tr_table *table = i->shape->table;
	bool touched = i->truncated;

	if (!touched && left_to_stream(i, &touched, err))
		return -1;
	if (touched)
		return 0;
	fill_source(s, table);
	tr_change change = {.op = TR_OP_READ,
			    .table = table,
			    .after = i->row,
			    .source = &i->block,
			    .commit_us = tr_clock_wall_ns() / 1000,
			    .mark = TR_MARK_INCREMENTAL};
	++*published;
	return tr_pgc_wire_report(s, &change, err);
}

static int take_last(const tr_pgc_incremental *i, tr_inc_key *last, tr_err *err)
{
	tr_inc_key_clear(last);
	for (size_t n = 0; n < i->key_count; n++)
		if (tr_inc_key_push(last, tr_slice_of(i->row[i->key[n]].ptr, i->row[i->key[n]].len), err))
			return -1;
	return 0;
}

int tr_pgc_chunk_publish(tr_pgc *s, uint64_t *published, tr_inc_key *last, tr_err *err)
{
	tr_pgc_incremental *i = s->incremental;
	const uint8_t *at = i->rows.data, *end = at + i->rows.len;

	*published = 0;
	while (at && at < end) {
		const uint8_t *newline = memchr(at, '\n', (size_t)(end - at)); /* inside of a value it is escaped */
		size_t len = newline ? (size_t)(newline - at) : (size_t)(end - at);

		tr_arena_reset(&i->scratch);
		if (tr_pg_copy_text_row(tr_slice_of(at, len), &i->scratch, i->row, i->shape->table->column_count, err) ||
		    publish_row(s, published, err))
			return -1;
		at += len + 1;
		if (at >= end && take_last(i, last, err))
			return -1;
	}
	return 0;
}
