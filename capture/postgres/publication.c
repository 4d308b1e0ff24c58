#include "capture/postgres/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"

/* Tells our publications from those of the operator, which are never changed. */
#define OUR_COMMENT "made by tailrace"

static const char publication_sql[] =
    "SELECT p.puballtables, coalesce(obj_description(p.oid, 'pg_publication') = '" OUR_COMMENT "', false)"
    " AND pg_has_role(p.pubowner, 'USAGE'), p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, p.pubviaroot"
    " FROM pg_publication p WHERE p.pubname = $1";

int tr_pgc_publication_read(tr_pgc *s, tr_pgc_publication *out, tr_err *err)
{
	const char *params[] = {s->publication};
	PGresult *r;

	*out = (tr_pgc_publication){0};
	if (tr_pgc_sql(s, "look at the publication", publication_sql, 1, params, &r, err))
		return -1;
	if (PQntuples(r) == 1) {
		bool *const fields[] = {&out->all_tables, &out->ours,     &out->insert,  &out->update,
					&out->delete_,    &out->truncate, &out->via_root};

		out->exists = true;
		for (int i = 0; i < 7; i++)
			*fields[i] = PQgetvalue(r, 0, i)[0] == 't';
	}
	PQclear(r);
	return 0;
}

static bool wants_all_tables(const tr_pgc *s)
{
	return s->options->publication_mode && strcmp(s->options->publication_mode, "all_tables") == 0;
}

/* With publish_via_partition_root a captured root speaks for its partitions; without, partitions speak for themselves,
 * but a root in the publication brings partitions that are made later. So both are listed, except what a root already
 * covers. */
static bool must_list(const tr_pgc_listed *t)
{
	return !t->covered && !(t->partition && t->root_captured);
}

static size_t list_tables(const tr_pgc_list *list, tr_writer *w)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		if (!must_list(&list->tables[i]))
			continue;
		/* ONLY: children by inheritance are listed by their own names when they match. */
		tr_writer_text(w, count++ ? ", " : "");
		tr_writer_text(w, list->tables[i].kind == 'p' ? "" : "ONLY ");
		tr_pgc_qualified(w, list->tables[i].schema, list->tables[i].name);
	}
	return count;
}

void tr_pgc_publication_make_sql(const tr_pgc *s, const tr_pgc_list *list, tr_writer *w)
{
	tr_writer_text(w, "CREATE PUBLICATION ");
	tr_pgc_ident(w, s->publication);
	if (wants_all_tables(s)) {
		tr_writer_text(w, " FOR ALL TABLES");
	} else {
		tr_writer_text(w, " FOR TABLE ");
		list_tables(list, w);
	}
	if (s->options->publish_via_root)
		tr_writer_text(w, " WITH (publish_via_partition_root = true)");
}

void tr_pgc_publication_add_sql(const tr_pgc *s, const tr_pgc_list *list, tr_writer *w)
{
	size_t start = w->len;

	tr_writer_text(w, "ALTER PUBLICATION ");
	tr_pgc_ident(w, s->publication);
	tr_writer_text(w, " ADD TABLE ");
	if (list_tables(list, w) == 0)
		w->len = start;
}

static int run(tr_pgc *s, const char *what, tr_writer *sql, tr_err *err)
{
	PGresult *r = NULL;
	int result;

	tr_writer_u8(sql, '\0');
	if (!tr_writer_ok(sql))
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	result = tr_pgc_exec(s->sql, &s->wake, TR_PGC_QUERY_MS, what, (const char *)sql->data, 0, NULL, &r, err);
	PQclear(r);
	return result;
}

static void comment_sql(const tr_pgc *s, tr_writer *w)
{
	tr_writer_text(w, "; COMMENT ON PUBLICATION ");
	tr_pgc_ident(w, s->publication);
	tr_writer_text(w, " IS '" OUR_COMMENT "'");
}

/* Generated columns can be published from 18 on; then snapshot and stream carry them alike. Debezium leaves them out.
 */
static bool can_publish_generated(const tr_pgc *s)
{
	return s->server.version >= 180000 && !s->options->snapshot_as_debezium;
}

static void generated_sql(const tr_pgc *s, tr_writer *w)
{
	if (!can_publish_generated(s))
		return;
	tr_writer_text(w, s->options->publish_via_root ? "" : " WITH (publish_generated_columns = stored)");
	if (s->options->publish_via_root) {
		w->len--; /* the closing parenthesis of the option before */
		tr_writer_text(w, ", publish_generated_columns = stored)");
	}
}

static int make(tr_pgc *s, const tr_pgc_list *list, tr_err *err)
{
	tr_writer sql, text;
	int result;

	tr_writer_init(&sql, 16u << 20);
	tr_writer_init(&text, 16u << 20);
	tr_pgc_publication_make_sql(s, list, &text);
	tr_writer_slice(&sql, tr_writer_view(&text));
	generated_sql(s, &sql);
	comment_sql(s, &sql);
	result = run(s, "make the publication", &sql, err);
	if (result && err->code == TR_E_SOURCE_PRIVILEGE)
		tr_err_hint(err,
			    "Let the tables' owner (FOR ALL TABLES: a superuser) run: %.*s; or GRANT CREATE ON "
			    "DATABASE and own the "
			    "tables; nothing was changed.",
			    (int)text.len, (const char *)text.data);
	s->publication_ours = result == 0;
	tr_writer_release(&text);
	tr_writer_release(&sql);
	return result;
}

static int uncovered_error(const tr_pgc *s, const tr_pgc_list *list, tr_writer *add, tr_err *err)
{
	size_t count = 0;
	const tr_pgc_listed *first = NULL;

	for (size_t i = 0; i < list->count; i++) {
		if (must_list(&list->tables[i])) {
			first = first ? first : &list->tables[i];
			count++;
		}
	}
	tr_err_set(err, TR_E_PUBLICATION_TABLES, "publication \"%s\" does not cover %zu of the captured tables",
		   s->publication, count);
	tr_err_detail(err, "the first is \"%s.%s\"", first ? first->schema : "", first ? first->name : "");
	return tr_err_hint(err, "Run: %.*s; or leave the tables out with source.tables.", (int)add->len,
			   (const char *)add->data);
}

static int extend(tr_pgc *s, const tr_pgc_list *list, bool allowed, size_t *added, tr_err *err)
{
	tr_writer sql;
	int result = 0;

	tr_writer_init(&sql, 16u << 20);
	tr_pgc_publication_add_sql(s, list, &sql);
	if (sql.len > 0 && !allowed) {
		result = uncovered_error(s, list, &sql, err);
	} else if (sql.len > 0) {
		for (size_t i = 0; i < list->count; i++)
			*added += must_list(&list->tables[i]);
		result = run(s, "add tables to the publication", &sql, err);
	}
	tr_writer_release(&sql);
	return result;
}

static int missing(const tr_pgc *s, const tr_pgc_list *list, tr_err *err)
{
	tr_writer sql;

	tr_writer_init(&sql, 16u << 20);
	tr_pgc_publication_make_sql(s, list, &sql);
	tr_err_set(err, TR_E_PUBLICATION_MISSING, "publication \"%s\" does not exist", s->publication);
	tr_err_hint(err, "Run: %.*s;%s", (int)sql.len, (const char *)sql.data,
		    s->server.standby ? " on the primary" : " or let tailrace make it with source.create: true");
	tr_writer_release(&sql);
	return -1;
}

static int none_matches(const tr_pgc *s, tr_err *err)
{
	char patterns[300];

	tr_filter_describe(s->filter, patterns, sizeof(patterns));
	tr_err_set(err, TR_E_TABLE_MISSING, "no table of database \"%s\" matches the configured patterns",
		   s->server.id.database);
	tr_err_detail(err, "%s", patterns);
	return tr_err_hint(
	    err, "Patterns are globs on schema.table, as \"public.*\"; temporary, unlogged and foreign tables and the "
		 "system's own cannot be captured.");
}

int tr_pgc_publication_prepare(tr_pgc *s, tr_err *err)
{
	tr_pgc_publication publication;
	tr_pgc_list list;
	size_t added = 0;
	int result;

	if (tr_pgc_publication_read(s, &publication, err) ||
	    tr_pgc_catalog_list(&s->catalog, s->publication, false, false, &list, err))
		return -1;
	s->publication_ours = publication.ours && !publication.all_tables && s->options->create && !s->server.standby;
	if (list.count == 0 && !wants_all_tables(s) && !publication.all_tables)
		result = none_matches(s, err);
	else if (publication.exists)
		result = extend(s, &list, s->publication_ours, &added, err);
	else if (s->options->create && !s->server.standby)
		result = make(s, &list, err);
	else
		result = missing(s, &list, err);
	if (result == 0 && wants_all_tables(s))
		s->publication_ours = false;
	tr_pgc_list_release(&list);
	return result;
}

int tr_pgc_publication_extend(tr_pgc *s, size_t *added, tr_err *err)
{
	tr_pgc_list list;
	int result;

	*added = 0;
	if (tr_pgc_catalog_list(&s->catalog, s->publication, false, false, &list, err))
		return -1;
	result = extend(s, &list, true, added, err);
	tr_pgc_list_release(&list);
	return result;
}
