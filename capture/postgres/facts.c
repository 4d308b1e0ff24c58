#include "capture/postgres/facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/obj.h"

#define FACTS_MAX ((size_t)64 << 20)

/* --- a relation -------------------------------------------------------------------------------- */

/*
 * One row per column. The key is the primary key or, without one, the first unique index by name, as Debezium reads it
 * by JDBC; indexes on expressions or with a predicate are no keys.
 */
static const char facts_sql[] =
    "WITH k AS (SELECT i.indkey::int2[] AS cols, i.indnkeyatts AS n, i.indisprimary AS prim"
    " FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid"
    " WHERE i.indrelid = $1::oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL"
    " ORDER BY i.indisprimary DESC, i.indisclustered DESC, x.relname COLLATE \"C\" LIMIT 1),"
    " r AS (SELECT i.indkey::int2[] AS cols, i.indnkeyatts AS n FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
    " WHERE i.indrelid = $1::oid AND ((c.relreplident = 'd' AND i.indisprimary)"
    " OR (c.relreplident = 'i' AND i.indisreplident)) LIMIT 1)"
    " SELECT n.nspname, c.relname, c.relreplident, a.attname, a.atttypid, a.atttypmod,"
    " a.attnotnull OR EXISTS (SELECT FROM pg_type t WHERE t.oid = a.atttypid AND t.typtype = 'd' AND t.typnotnull),"
    " a.attgenerated <> '',"
    " CASE WHEN a.attidentity = '' THEN pg_get_expr(d.adbin, d.adrelid) END,"
    " coalesce((SELECT u.o FROM k, unnest(k.cols) WITH ORDINALITY u(c, o) WHERE u.c = a.attnum AND u.o <= k.n), 0),"
    " c.relreplident = 'f' OR EXISTS (SELECT FROM r, unnest(r.cols) WITH ORDINALITY u(c, o)"
    " WHERE u.c = a.attnum AND u.o <= r.n),"
    " coalesce((SELECT k.n FROM k), 0), coalesce((SELECT k.prim FROM k), false)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " WHERE c.oid = $1::oid ORDER BY a.attnum";

static bool is_true(const PGresult *r, int row, int column)
{
	return PQgetvalue(r, row, column)[0] == 't';
}

static uint32_t as_oid(const PGresult *r, int row, int column)
{
	return (uint32_t)strtoul(PQgetvalue(r, row, column), NULL, 10);
}

static int read_column(const PGresult *r, int row, tr_arena *arena, tr_pg_column *out)
{
	out->name = tr_arena_strdup(arena, PQgetvalue(r, row, 3));
	out->type = as_oid(r, row, 4);
	out->typmod = (int32_t)strtol(PQgetvalue(r, row, 5), NULL, 10);
	out->not_null = is_true(r, row, 6);
	out->generated = is_true(r, row, 7);
	if (!PQgetisnull(r, row, 8) && !(out->default_expr = tr_arena_strdup(arena, PQgetvalue(r, row, 8))))
		return -1;
	out->key_rank = (uint16_t)strtoul(PQgetvalue(r, row, 9), NULL, 10);
	out->identity = is_true(r, row, 10);
	return out->name ? 0 : -1;
}

static int read_facts(const PGresult *r, tr_pgc_facts *f)
{
	int rows = PQntuples(r);

	if (rows == 0)
		return 0;
	f->schema = tr_arena_strdup(&f->arena, PQgetvalue(r, 0, 0));
	f->name = tr_arena_strdup(&f->arena, PQgetvalue(r, 0, 1));
	f->identity = PQgetvalue(r, 0, 2)[0];
	f->key_count = strtoul(PQgetvalue(r, 0, 11), NULL, 10);
	f->key_primary = is_true(r, 0, 12);
	f->columns = TR_ARENA_ARRAY(&f->arena, tr_pg_column, rows);
	if (!f->schema || !f->name || !f->columns)
		return -1;
	if (PQgetisnull(r, 0, 3)) /* a table without columns */
		return 0;
	for (int i = 0; i < rows; i++)
		if (read_column(r, i, &f->arena, &f->columns[f->column_count++]))
			return -1;
	return 0;
}

int tr_pgc_facts_load(tr_pgc_catalog *c, uint32_t oid, tr_pgc_facts *out, tr_err *err)
{
	char id[16];
	const char *params[] = {id};
	PGresult *r = NULL;
	int result = -1;

	*out = (tr_pgc_facts){.identity = 'd'};
	tr_arena_init(&out->arena, FACTS_MAX);
	snprintf(id, sizeof(id), "%u", oid);
	if (tr_pgc_exec(*c->sql, c->wake, TR_PGC_QUERY_MS, "read a table's columns", facts_sql, 1, params, &r, err))
		goto out;
	if (read_facts(r, out)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory for a table's columns");
		goto out;
	}
	result = 0;
out:
	PQclear(r);
	if (result)
		tr_pgc_facts_release(out);
	return result;
}

void tr_pgc_facts_release(tr_pgc_facts *f)
{
	tr_arena_release(&f->arena);
}

const tr_pg_column *tr_pgc_facts_find(const tr_pgc_facts *f, const char *name)
{
	for (size_t i = 0; i < f->column_count; i++)
		if (strcmp(f->columns[i].name, name) == 0)
			return &f->columns[i];
	return NULL;
}

/* --- types ------------------------------------------------------------------------------------- */

static const char type_sql[] =
    "SELECT t.typname, n.nspname, x.extname, t.typtype, t.typcategory, coalesce(el.typdelim, t.typdelim),"
    " CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END, t.typbasetype, t.typtypmod, t.typrelid"
    " FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace"
    " LEFT JOIN pg_type el ON el.oid = t.typelem AND t.typcategory = 'A'"
    " LEFT JOIN pg_depend p ON p.classid = 'pg_type'::regclass AND p.objid = t.oid"
    " AND p.refclassid = 'pg_extension'::regclass AND p.deptype = 'e'"
    " LEFT JOIN pg_extension x ON x.oid = p.refobjid WHERE t.oid = $1::oid LIMIT 1";
static const char labels_sql[] = "SELECT enumlabel FROM pg_enum WHERE enumtypid = $1::oid ORDER BY enumsortorder";
static const char attributes_sql[] =
    "SELECT attname, atttypid, atttypmod FROM pg_attribute WHERE attrelid = $1::oid AND attnum > 0 AND NOT attisdropped"
    " ORDER BY attnum";

static int ask(tr_pgc_catalog *c, const char *sql, uint32_t oid, PGresult **r)
{
	char id[16];
	const char *params[] = {id};

	snprintf(id, sizeof(id), "%u", oid);
	return tr_pgc_exec(*c->sql, c->wake, TR_PGC_QUERY_MS, "read a type from the catalogue", sql, 1, params, r,
			   &c->type_error);
}

static int out_of_memory(tr_pgc_catalog *c)
{
	return tr_err_set(&c->type_error, TR_E_MEMORY, "out of memory for the source's types");
}

static int read_labels(tr_pgc_catalog *c, tr_pg_type *t)
{
	PGresult *r = NULL;
	const char **labels;
	int result = -1;

	if (ask(c, labels_sql, t->oid, &r))
		return -1;
	t->label_count = (size_t)PQntuples(r);
	labels = TR_ARENA_ARRAY(&c->types_arena, const char *, t->label_count + 1);
	for (size_t i = 0; labels && i < t->label_count; i++)
		if (!(labels[i] = tr_arena_strdup(&c->types_arena, PQgetvalue(r, (int)i, 0))))
			goto out;
	t->labels = labels;
	result = labels ? 0 : -1;
out:
	PQclear(r);
	return result ? out_of_memory(c) : 0;
}

static int read_attributes(tr_pgc_catalog *c, tr_pg_type *t, uint32_t relation)
{
	PGresult *r = NULL;
	tr_pg_attribute *attributes;
	int result = -1;

	if (ask(c, attributes_sql, relation, &r))
		return -1;
	t->attribute_count = (size_t)PQntuples(r);
	attributes = TR_ARENA_ARRAY(&c->types_arena, tr_pg_attribute, t->attribute_count + 1);
	for (size_t i = 0; attributes && i < t->attribute_count; i++) {
		attributes[i].name = tr_arena_strdup(&c->types_arena, PQgetvalue(r, (int)i, 0));
		attributes[i].type = as_oid(r, (int)i, 1);
		attributes[i].typmod = (int32_t)strtol(PQgetvalue(r, (int)i, 2), NULL, 10);
		if (!attributes[i].name)
			goto out;
	}
	t->attributes = attributes;
	result = attributes ? 0 : -1;
out:
	PQclear(r);
	return result ? out_of_memory(c) : 0;
}

static int read_type(tr_pgc_catalog *c, const PGresult *r, tr_pg_type *t)
{
	tr_arena *a = &c->types_arena;

	t->name = tr_arena_strdup(a, PQgetvalue(r, 0, 0));
	t->schema = tr_arena_strdup(a, PQgetvalue(r, 0, 1));
	if (!PQgetisnull(r, 0, 2) && !(t->extension = tr_arena_strdup(a, PQgetvalue(r, 0, 2))))
		return out_of_memory(c);
	t->typtype = PQgetvalue(r, 0, 3)[0];
	t->category = PQgetvalue(r, 0, 4)[0];
	t->delimiter = PQgetvalue(r, 0, 5)[0];
	t->element = as_oid(r, 0, 6);
	t->base = as_oid(r, 0, 7);
	t->base_typmod = (int32_t)strtol(PQgetvalue(r, 0, 8), NULL, 10);
	if (!t->name || !t->schema)
		return out_of_memory(c);
	if (t->typtype == 'e')
		return read_labels(c, t);
	return t->typtype == 'c' ? read_attributes(c, t, as_oid(r, 0, 9)) : 0;
}

static tr_pg_type *load_type(tr_pgc_catalog *c, uint32_t oid)
{
	PGresult *r = NULL;
	tr_pg_type *t = NULL;

	if (ask(c, type_sql, oid, &r))
		return NULL;
	if (PQntuples(r) == 1) {
		t = TR_ARENA_NEW(&c->types_arena, tr_pg_type);
		if (!t)
			out_of_memory(c);
		else
			t->oid = oid;
		if (t && read_type(c, r, t))
			t = NULL;
	}
	PQclear(r);
	return t;
}

/* What a table was compiled from includes its types: a new enum label makes a new schema. */
static void sign_type(tr_writer *w, const tr_pg_type *t)
{
	tr_writer_format(w, "\n%u %s.%s %c %u %u %d", t->oid, t->schema, t->name, t->typtype, t->element, t->base,
			 t->base_typmod);
	for (size_t i = 0; i < t->label_count; i++)
		tr_writer_format(w, "\n- %s", t->labels[i]);
	for (size_t i = 0; i < t->attribute_count; i++)
		tr_writer_format(w, "\n+ %s %u %d", t->attributes[i].name, t->attributes[i].type,
				 t->attributes[i].typmod);
}

const tr_pg_type *tr_pgc_type_find(void *context, uint32_t oid)
{
	tr_pgc_catalog *c = context;
	tr_slice key = tr_slice_of(&oid, sizeof(oid));
	tr_pg_type *t = tr_map_get(c->types, key);

	if (!t && c->type_error.code == TR_OK) {
		t = load_type(c, oid);
		if (t)
			tr_map_put(c->types, key, t);
	}
	if (t && c->touched)
		sign_type(c->touched, t);
	return t;
}

void tr_pgc_types_forget(tr_pgc_catalog *c)
{
	tr_map_free(c->types, NULL);
	c->types = tr_map_new();
	tr_arena_reset(&c->types_arena);
}

/* --- tables ------------------------------------------------------------------------------------ */

/* $1 publication, $2 whether sizes are wanted. pg_publication_namespace exists from 15 on: %s is that part or nothing.
 */
static const char list_sql[] =
    "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident, c.relispartition,"
    " EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary),"
    " coalesce((SELECT p.puballtables OR EXISTS (SELECT FROM pg_publication_rel pr WHERE pr.prpubid = p.oid"
    " AND (pr.prrelid = c.oid OR (c.relispartition AND pr.prrelid IN (SELECT relid FROM "
    "pg_partition_ancestors(c.oid)))))%s"
    " FROM pg_publication p WHERE p.pubname = $1), false),"
    " c.reltuples::bigint, CASE WHEN $2::bool AND c.relkind = 'r' THEN coalesce(pg_relation_size(c.oid), 0) ELSE 0 END,"
    " CASE WHEN c.relispartition THEN (SELECT string_agg(quote_ident(an.nspname) || '.' || quote_ident(a.relname), ' ')"
    " FROM pg_partition_ancestors(c.oid) pa JOIN pg_class a ON a.oid = pa.relid JOIN pg_namespace an ON an.oid = "
    "a.relnamespace"
    " WHERE a.oid <> c.oid) END"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_'"
    " AND n.nspname <> 'information_schema'"
    " ORDER BY (n.nspname || '.' || c.relname) COLLATE \"C\"";
static const char namespace_sql[] =
    " OR EXISTS (SELECT FROM pg_publication_namespace pn WHERE pn.pnpubid = p.oid AND pn.pnnspid = c.relnamespace)";

static int read_listed(const PGresult *r, int row, tr_arena *a, tr_pgc_listed *t)
{
	t->oid = as_oid(r, row, 0);
	t->schema = tr_arena_strdup(a, PQgetvalue(r, row, 1));
	t->name = tr_arena_strdup(a, PQgetvalue(r, row, 2));
	t->kind = PQgetvalue(r, row, 3)[0];
	t->persistence = PQgetvalue(r, row, 4)[0];
	t->identity = PQgetvalue(r, row, 5)[0];
	t->partition = is_true(r, row, 6);
	t->has_key = is_true(r, row, 7);
	t->covered = is_true(r, row, 8);
	t->rows = strtoll(PQgetvalue(r, row, 9), NULL, 10);
	t->bytes = strtoull(PQgetvalue(r, row, 10), NULL, 10);
	return t->schema && t->name ? 0 : -1;
}

/* Ancestors come as quoted names; the filter wants them bare. Names with quotes inside are rare enough to be left out.
 */
static bool any_ancestor_captured(const tr_filter *filter, const char *ancestors)
{
	char names[2][130];

	while (*ancestors) {
		for (int part = 0; part < 2; part++) {
			bool in_quotes = *ancestors == '"';
			char end = in_quotes ? '"' : part == 0 ? '.' : ' ';
			size_t len = 0;

			ancestors += in_quotes;
			for (; *ancestors && *ancestors != end; ancestors++)
				if (len + 1 < sizeof(names[part]))
					names[part][len++] = *ancestors;
			names[part][len] = '\0';
			ancestors += in_quotes && *ancestors;
			ancestors += *ancestors != '\0';
		}
		if (tr_filter_match(filter, names[0], names[1]))
			return true;
	}
	return false;
}

static int by_place(const void *a, const void *b)
{
	const tr_pgc_listed *left = a, *right = b;

	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	return left->row < right->row ? -1 : 1;
}

static int fill_list(const tr_pgc_catalog *c, const PGresult *r, bool everything, tr_pgc_list *out)
{
	int rows = PQntuples(r);

	out->tables = TR_ARENA_ARRAY(&out->arena, tr_pgc_listed, rows + 1);
	if (!out->tables)
		return -1;
	for (int i = 0; i < rows; i++) {
		tr_pgc_listed *t = &out->tables[out->count];

		if (read_listed(r, i, &out->arena, t))
			return -1;
		if (!tr_filter_match(c->filter, t->schema, t->name))
			continue;
		if (!everything && (t->kind == 'f' || t->persistence != 'p'))
			continue;
		t->root_captured = !PQgetisnull(r, i, 11) && any_ancestor_captured(c->filter, PQgetvalue(r, i, 11));
		t->rank = tr_filter_rank(c->filter, t->schema, t->name);
		t->row = (size_t)i;
		out->count++;
	}
	qsort(out->tables, out->count, sizeof(*out->tables), by_place);
	return 0;
}

int tr_pgc_catalog_list(tr_pgc_catalog *c, const char *publication, bool sizes, bool everything, tr_pgc_list *out,
			tr_err *err)
{
	const char *params[] = {publication, sizes ? "t" : "f"};
	char sql[sizeof(list_sql) + sizeof(namespace_sql)];
	PGresult *r = NULL;
	int result = -1;

	*out = (tr_pgc_list){0};
	tr_arena_init(&out->arena, FACTS_MAX);
	snprintf(sql, sizeof(sql), list_sql, PQserverVersion(*c->sql) >= 150000 ? namespace_sql : "");
	if (tr_pgc_exec(*c->sql, c->wake, TR_PGC_QUERY_MS, "list the tables", sql, 2, params, &r, err))
		goto out;
	if (fill_list(c, r, everything, out)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory for the list of tables");
		goto out;
	}
	result = 0;
out:
	PQclear(r);
	if (result)
		tr_pgc_list_release(out);
	return result;
}

void tr_pgc_list_release(tr_pgc_list *list)
{
	tr_arena_release(&list->arena);
	list->tables = NULL;
	list->count = 0;
}
