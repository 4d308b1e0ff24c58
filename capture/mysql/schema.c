#include "capture/mysql/schema.h"

#include <stdlib.h>
#include <time.h>

#include "core/text.h"
#include "events/naming.h"

#define SCRATCH_MAX ((size_t)256 << 20)

static int out_of_memory(tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "out of memory for a schema change");
}

/* --- what counts ------------------------------------------------------------------------------- */

static bool counts_database(const tr_myc *s, const char *database)
{
	return !tr_myc_is_system(database, "") && tr_filter_match_schema(s->filter, database);
}

static bool counts_table(const tr_myc *s, const char *database, const char *name)
{
	if (tr_filter_match(s->filter, database, name))
		return true;
	return s->options->snapshot_as_debezium && counts_database(s, database);
}

/* --- what a record says ------------------------------------------------------------------------ */

/* The names of the key's columns, in its order. */
static const char *const *key_names(const tr_myc_facts *f, tr_arena *a, size_t *count)
{
	const char **names = TR_ARENA_ARRAY(a, const char *, f->column_count + 1);

	*count = 0;
	for (size_t i = 0; names && i < f->column_count; i++) {
		uint16_t rank = f->columns[i].key_rank;

		if (rank == 0 || rank > f->column_count)
			continue;
		names[rank - 1] = f->columns[i].name;
		*count = rank > *count ? rank : *count;
	}
	return names;
}

int tr_myc_schema_table(const tr_myc_facts *facts, bool mariadb, bool comments, tr_arena *arena, tr_schema_table *out,
			tr_err *err)
{
	tr_schema_column *columns = TR_ARENA_ARRAY(arena, tr_schema_column, facts->column_count + 1);

	*out = (tr_schema_table){.charset = facts->charset, .columns = columns, .column_count = facts->column_count};
	out->key = key_names(facts, arena, &out->key_count);
	if (!columns || !out->key)
		return out_of_memory(err);
	for (size_t i = 0; i < facts->column_count; i++) {
		if (tr_bl_schema_column(&facts->columns[i], arena, &columns[i]))
			return out_of_memory(err);
		if (!comments || (columns[i].comment && !*columns[i].comment))
			columns[i].comment = NULL;
	}
	/* The MariaDB connector shows a table's comment also without include.schema.comments. */
	if (facts->comment && *facts->comment && (comments || mariadb))
		out->comment = facts->comment;
	return 0;
}

/* "database"."table" */
static const char *id_of(tr_arena *a, const char *database, const char *name)
{
	tr_writer w;
	const char *parts[] = {database, name}, *id;

	tr_writer_init(&w, 1 << 16);
	for (size_t i = 0; i < 2; i++) {
		tr_writer_text(&w, i ? ".\"" : "\"");
		for (const char *at = parts[i]; *at; at++) {
			tr_writer_u8(&w, (uint8_t)*at);
			if (*at == '"')
				tr_writer_u8(&w, '"');
		}
		tr_writer_u8(&w, '"');
	}
	id = tr_writer_ok(&w) ? tr_arena_strndup(a, w.data, w.len) : NULL;
	tr_writer_release(&w);
	return id;
}

/* --- one statement ----------------------------------------------------------------------------- */

typedef struct report {
	tr_myc *s;
	const tr_myc_ddl *ddl;
	uint32_t time_s;
	tr_myc_schema_fn each;
	void *context;
	tr_arena arena;
} report;

static int give(report *r, const char *database, tr_slice ddl, const char *type, const char *name,
		const tr_schema_table *table, const char *source_table, tr_err *err)
{
	tr_schema_change change = {.database = database, .ddl = ddl, .type = type, .table = table};

	if (!r->s->events->schema_changes)
		return 0;
	if (type && !(change.id = id_of(&r->arena, database, name)))
		return out_of_memory(err);
	return r->each(r->context, &change, source_table, err);
}

/* A table as the catalogue has it now. */
static int give_facts(report *r, const char *type, const tr_myc_facts *facts, tr_slice ddl, const char *source_table, tr_err *err)
{
	tr_myc *s = r->s;
	tr_schema_table table;

	if (!facts->exists)
		return give(r, facts->database, ddl, type, facts->name, NULL, source_table, err);
	if (tr_myc_schema_table(facts, s->mariadb, s->events->schema_comments, &r->arena, &table, err))
		return -1;
	return give(r, facts->database, ddl, type, facts->name, &table, source_table, err);
}

/* A statement that changes no table that Debezium knows. */
static int give_statement(report *r, const char *database, const char *source_table, tr_err *err)
{
	return give(r, database, r->ddl->statement, NULL, NULL, NULL, source_table, err);
}

static int give_altered_table(report *r, const char *database, const char *name, tr_err *err)
{
	const tr_myc_facts *facts;

	if (!counts_table(r->s, database, name))
		return 0;
	if (tr_myc_catalog_ddl(&r->s->catalog, database, name, &facts, err))
		return -1;
	return give_facts(r, "ALTER", facts, r->ddl->statement, name, err);
}

/* Made in a second before the statement began, so not by it. (Of the same second only what the stream has shown is known.) */
static bool is_older(const tr_myc_facts *facts, uint32_t time_s)
{
	time_t seconds = (time_t)time_s;
	char text[32];
	struct tm utc;

	if (!facts->exists || !*facts->made || !gmtime_r(&seconds, &utc))
		return false;
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &utc);
	return strcmp(facts->made, text) < 0;
}

static int give_created(report *r, const tr_myc_ddl_name *n, tr_err *err)
{
	const tr_myc_facts *facts;
	tr_myc_relation *rel;
	bool there;

	if (!counts_table(r->s, n->database, n->name))
		return 0;
	if (tr_myc_relation_named(&r->s->catalog, n->database, n->name, &rel, err))
		return -1;
	there = rel->there;
	if (tr_myc_catalog_ddl(&r->s->catalog, n->database, n->name, &facts, err))
		return -1;
	if (r->ddl->keeps && (there || is_older(facts, r->time_s)))
		return give_statement(r, n->database, "", err);
	return give_facts(r, "CREATE", facts, r->ddl->statement, n->name, err);
}

/* ALTER TABLE ... RENAME */
static int give_moved(report *r, const tr_myc_ddl_name *n, tr_err *err)
{
	if (tr_myc_catalog_forget(&r->s->catalog, n->database, n->name, err))
		return -1;
	return give_altered_table(r, n->new_database, n->new_name, err);
}

/* An index may be what stands for a key, so what is known of its table is asked again; only the one that does is told. */
static int give_index(report *r, const tr_myc_ddl_name *n, tr_err *err)
{
	const char *unique = r->ddl->unique_index;
	const tr_myc_facts *facts;

	if (!counts_table(r->s, n->database, n->name))
		return 0;
	if (tr_myc_catalog_ddl(&r->s->catalog, n->database, n->name, &facts, err))
		return -1;
	if (unique && facts->exists && strcasecmp(unique, facts->key_name) == 0)
		return give_facts(r, "ALTER", facts, r->ddl->statement, n->name, err);
	return give_statement(r, n->database, "", err);
}

static int give_database(report *r, const char *database, tr_err *err)
{
	if (r->ddl->kind == TR_MYC_DDL_DROP_DATABASE)
		tr_myc_catalog_stale(&r->s->catalog);
	if (!counts_database(r->s, database))
		return 0;
	return give_statement(r, database, r->ddl->kind == TR_MYC_DDL_ALTER_DATABASE ? "" : NULL, err);
}

/* --- DROP TABLE and RENAME TABLE --------------------------------------------------------------- */

typedef struct listed {
	const char *name;
	size_t slot; /* in Java's hash table of the tables' ids */
	size_t place;
} listed;

static int by_slot(const void *a, const void *b)
{
	const listed *left = a, *right = b;

	if (left->slot != right->slot)
		return left->slot < right->slot ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place;
}

static bool has_name(const listed *list, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i].name, name) == 0)
			return true;
	return false;
}

/* The names that the statement's tables in that database have, or get by RENAME, each once. */
static size_t list_names(const tr_myc_ddl *ddl, const char *database, listed *list)
{
	bool renames = ddl->kind == TR_MYC_DDL_RENAME_TABLE;
	size_t count = 0;

	for (size_t i = 0; i < ddl->count; i++) {
		const tr_myc_ddl_name *n = &ddl->names[i];
		const char *in = renames ? n->new_database : n->database, *name = renames ? n->new_name : n->name;

		if (name && strcmp(in, database) == 0 && !(renames && has_name(list, count, name)))
			list[count++] = (listed){.name = name, .place = i};
	}
	return count;
}

/*
 * source.table of all records of one statement: the names of its tables in that database, in the order of a Java HashSet of
 * their ids. Its table has 16 slots and doubles when it is more than three quarters full.
 */
static const char *joined_names(report *r, const char *database, tr_err *err)
{
	listed *list = TR_ARENA_ARRAY(&r->arena, listed, r->ddl->count + 1);
	size_t count = list ? list_names(r->ddl, database, list) : 0, slots = 16;
	const char *names = NULL;
	tr_writer w;

	tr_writer_init(&w, SCRATCH_MAX);
	while (count * 4 > slots * 3)
		slots *= 2;
	for (size_t i = 0; i < count; i++) {
		const char *id = tr_arena_format(&r->arena, "%s.%s", database, list[i].name);
		uint32_t hash = id ? tr_naming_java_hash(id) : 0;

		list[i].slot = (hash ^ hash >> 16) & (slots - 1);
	}
	if (list)
		qsort(list, count, sizeof(*list), by_slot);
	for (size_t i = 0; i < count; i++) {
		tr_writer_text(&w, i ? "," : "");
		tr_writer_text(&w, list[i].name);
	}
	if (list && tr_writer_ok(&w))
		names = tr_arena_strndup(&r->arena, w.data ? (const char *)w.data : "", w.len);
	tr_writer_release(&w);
	if (!names)
		out_of_memory(err);
	return names;
}

static int give_dropped(report *r, const tr_myc_ddl_name *n, tr_err *err)
{
	const char *all;
	tr_writer w;
	int result = -1;

	if (tr_myc_catalog_forget(&r->s->catalog, n->database, n->name, err))
		return -1;
	if (!counts_table(r->s, n->database, n->name))
		return 0;
	tr_writer_init(&w, 1 << 16);
	tr_writer_text(&w, r->ddl->if_exists ? "DROP TABLE IF EXISTS " : "DROP TABLE ");
	tr_myc_qualified(&w, n->database, n->name);
	tr_writer_text(&w, r->ddl->suffix);
	all = joined_names(r, n->database, err);
	if (all && tr_writer_ok(&w))
		result = give(r, n->database, tr_writer_view(&w), "DROP", n->name, NULL, all, err);
	else if (all)
		out_of_memory(err);
	tr_writer_release(&w);
	return result;
}

/* Whether a table has the name when all pairs are done: not one that another pair has renamed on. */
static bool has_at_last(const tr_myc_ddl *ddl, const char *database, const char *name)
{
	bool has = false;

	for (size_t i = 0; i < ddl->count; i++) {
		const tr_myc_ddl_name *n = &ddl->names[i];

		if (strcmp(n->database, database) == 0 && strcmp(n->name, name) == 0)
			has = false;
		if (n->new_name && strcmp(n->new_database, database) == 0 && strcmp(n->new_name, name) == 0)
			has = true;
	}
	return has;
}

/* The statement as if the pair were its only one. */
static void one_pair(const tr_myc_ddl *ddl, const tr_myc_ddl_name *n, tr_writer *w)
{
	const uint8_t *start = ddl->statement.ptr, *first = ddl->names[0].clause.ptr;

	/* Words within a version comment are no part of the statement as it is shown. */
	if (first > start)
		tr_writer_put(w, start, (size_t)(first - start));
	tr_writer_slice(w, n->clause);
}

static int give_pair(report *r, const tr_myc_ddl_name *n, tr_err *err)
{
	bool last = has_at_last(r->ddl, n->new_database, n->new_name);
	const tr_myc_facts *facts = NULL;
	const char *all;
	tr_writer w;
	int result = -1;

	if (tr_myc_catalog_forget(&r->s->catalog, n->database, n->name, err))
		return -1;
	if (!counts_table(r->s, n->new_database, n->new_name))
		return 0;
	if (last && tr_myc_catalog_ddl(&r->s->catalog, n->new_database, n->new_name, &facts, err))
		return -1;
	tr_writer_init(&w, SCRATCH_MAX);
	one_pair(r->ddl, n, &w);
	all = joined_names(r, n->new_database, err);
	if (!tr_writer_ok(&w))
		out_of_memory(err);
	else if (all && last)
		result = give_facts(r, "ALTER", facts, tr_writer_view(&w), all, err);
	else if (all)
		result = give(r, n->new_database, tr_writer_view(&w), NULL, NULL, NULL, all, err);
	tr_writer_release(&w);
	return result;
}

static int give_altered(report *r, size_t index, tr_err *err)
{
	const tr_myc_ddl_name *n = &r->ddl->names[index];

	/* The other tables of an ALTER give and take partitions only. */
	if (index > 0)
		return tr_myc_catalog_forget(&r->s->catalog, n->database, n->name, err);
	return n->new_name ? give_moved(r, n, err) : give_altered_table(r, n->database, n->name, err);
}

static int give_name(report *r, size_t index, tr_err *err)
{
	const tr_myc_ddl_name *n = &r->ddl->names[index];

	switch (r->ddl->kind) {
	case TR_MYC_DDL_CREATE_TABLE:
		return give_created(r, n, err);
	case TR_MYC_DDL_ALTER_TABLE:
		return give_altered(r, index, err);
	case TR_MYC_DDL_RENAME_TABLE:
		return n->new_name ? give_pair(r, n, err) : 0;
	case TR_MYC_DDL_DROP_TABLE:
		return give_dropped(r, n, err);
	case TR_MYC_DDL_CREATE_INDEX:
	case TR_MYC_DDL_DROP_INDEX:
		return give_index(r, n, err);
	case TR_MYC_DDL_CREATE_DATABASE:
	case TR_MYC_DDL_ALTER_DATABASE:
	case TR_MYC_DDL_DROP_DATABASE:
		return give_database(r, n->database, err);
	default:
		return 0;
	}
}

int tr_myc_schema_ddl(tr_myc *s, const tr_myc_ddl *ddl, uint32_t time_s, tr_myc_schema_fn each, void *context, tr_err *err)
{
	report r = {.s = s, .ddl = ddl, .time_s = time_s, .each = each, .context = context};
	int result = -1;

	if (ddl->temporary)
		return 0;
	tr_arena_init(&r.arena, SCRATCH_MAX);
	if (tr_myc_open_sql(s, err))
		goto out;
	if (!ddl->complete)
		tr_myc_catalog_stale(&s->catalog);
	for (size_t i = 0; i < ddl->count; i++)
		if (give_name(&r, i, err))
			goto out;
	result = 0;
out:
	tr_arena_release(&r.arena);
	return result;
}

/* --- the snapshot ------------------------------------------------------------------------------ */

static int ask_row(report *r, MYSQL *m, const tr_writer *sql, MYSQL_RES **result, MYSQL_ROW *row, tr_err *err)
{
	static const char what[] = "read the server's definitions";
	int found;

	*result = NULL;
	if (!tr_writer_ok(sql))
		return out_of_memory(err);
	if (tr_myc_query(m, &r->s->wake, what, (const char *)sql->data, result, err))
		return -1;
	found = tr_myc_fetch(m, &r->s->wake, what, *result, row, NULL, err);
	if (found > 0)
		return 0;
	if (found == 0)
		tr_err_set(err, TR_E_SNAPSHOT_FAILED, "what was to be described is not there any more");
	return -1;
}

/* One statement of one row, whose text is made from the row by `format` ("%1$s": its columns). */
static int give_variables(report *r, MYSQL *m, tr_err *err)
{
	MYSQL_RES *result;
	MYSQL_ROW row;
	tr_writer w;
	int failed;

	tr_writer_init(&w, 1 << 16);
	tr_writer_text(&w, "SELECT @@character_set_server, @@collation_server");
	tr_writer_u8(&w, '\0');
	failed = ask_row(r, m, &w, &result, &row, err);
	if (!failed) {
		tr_writer_reset(&w);
		tr_writer_format(&w, "SET character_set_server=%s, collation_server=%s", row[0], row[1]);
		failed = give(r, "", tr_writer_view(&w), NULL, NULL, NULL, NULL, err);
	}
	if (result)
		mysql_free_result(result);
	tr_writer_release(&w);
	return failed;
}

static int give_words(report *r, const char *before, const char *database, const char *after, tr_err *err)
{
	tr_writer w;
	int failed;

	tr_writer_init(&w, 1 << 16);
	tr_writer_text(&w, before);
	tr_myc_ident(&w, database);
	tr_writer_text(&w, after);
	failed = tr_writer_ok(&w) ? give(r, database, tr_writer_view(&w), NULL, NULL, NULL, NULL, err) : out_of_memory(err);
	tr_writer_release(&w);
	return failed;
}

static int give_database_made(report *r, MYSQL *m, const char *database, tr_err *err)
{
	MYSQL_RES *result;
	MYSQL_ROW row;
	char after[256];
	tr_writer w;
	int failed;

	tr_writer_init(&w, 1 << 16);
	tr_writer_text(&w, "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA"
			   " WHERE SCHEMA_NAME = ");
	tr_myc_literal(&w, database);
	tr_writer_u8(&w, '\0');
	failed = ask_row(r, m, &w, &result, &row, err);
	if (!failed) {
		tr_text_format(after, sizeof(after), " CHARSET %s COLLATE %s", row[0], row[1]);
		failed = give_words(r, "DROP DATABASE IF EXISTS ", database, "", err) ||
				 give_words(r, "CREATE DATABASE ", database, after, err) ||
				 give_words(r, "USE ", database, "", err)
			     ? -1
			     : 0;
	}
	if (result)
		mysql_free_result(result);
	tr_writer_release(&w);
	return failed;
}

/* The statement as the server shows it, in the form in which statements are published. */
static int give_shown(report *r, const tr_myc_facts *facts, const char *shown, tr_err *err)
{
	tr_schema_table table;
	tr_myc_ddl ddl;
	tr_writer w;
	int failed = -1;

	/* MariaDB shows the default of a BINARY column as its bytes. */
	tr_writer_init(&w, SCRATCH_MAX);
	tr_text_utf8_mend(&w, tr_slice_str(shown));
	if (!tr_writer_ok(&w))
		out_of_memory(err);
	else if (tr_myc_ddl_scan(tr_writer_view(&w), facts->database, 0, &r->arena, &ddl, err) == 0 &&
		 tr_myc_schema_table(facts, r->s->mariadb, r->s->events->schema_comments, &r->arena, &table, err) == 0)
		failed = give(r, facts->database, ddl.statement, "CREATE", facts->name, &table, facts->name, err);
	tr_writer_release(&w);
	return failed;
}

static int give_table_made(report *r, MYSQL *m, const tr_myc_listed *t, tr_err *err)
{
	MYSQL_RES *result = NULL;
	MYSQL_ROW row;
	tr_myc_facts facts;
	tr_writer w;
	int failed = -1;

	tr_writer_init(&w, 1 << 16);
	if (tr_myc_facts_read(m, &r->s->wake, r->s->mariadb, t->database, t->name, false, &facts, err))
		return -1;
	tr_writer_text(&w, "SHOW CREATE TABLE ");
	tr_myc_qualified(&w, t->database, t->name);
	tr_writer_u8(&w, '\0');
	if (ask_row(r, m, &w, &result, &row, err) == 0)
		failed = give_shown(r, &facts, row[1] ? row[1] : "", err);
	if (failed)
		tr_err_prefix(err, "table \"%s.%s\"", t->database, t->name);
	if (result)
		mysql_free_result(result);
	tr_myc_facts_release(&facts);
	tr_writer_release(&w);
	tr_arena_reset(&r->arena);
	return failed;
}

static int give_drop(report *r, const tr_myc_listed *t, tr_err *err)
{
	tr_writer w;
	int failed;

	tr_writer_init(&w, 1 << 16);
	tr_writer_text(&w, "DROP TABLE IF EXISTS ");
	tr_myc_qualified(&w, t->database, t->name);
	failed = tr_writer_ok(&w) ? give(r, t->database, tr_writer_view(&w), "DROP", t->name, NULL, t->name, err)
				  : out_of_memory(err);
	tr_writer_release(&w);
	tr_arena_reset(&r->arena);
	return failed;
}

/* Tables stand together by database, since they are in the order of their names. */
static int give_all(report *r, MYSQL *m, const tr_myc_list *list, tr_err *err)
{
	const char *database = NULL;

	if (give_variables(r, m, err))
		return -1;
	for (size_t i = 0; i < list->count; i++)
		if (counts_table(r->s, list->tables[i].database, list->tables[i].name) &&
		    give_drop(r, &list->tables[i], err))
			return -1;
	for (size_t i = 0; i < list->count; i++) {
		const tr_myc_listed *t = &list->tables[i];

		if (!counts_table(r->s, t->database, t->name))
			continue;
		if ((!database || strcmp(database, t->database) != 0) && give_database_made(r, m, t->database, err))
			return -1;
		database = t->database;
		if (give_table_made(r, m, t, err))
			return -1;
	}
	return 0;
}

int tr_myc_schema_snapshot(tr_myc *s, MYSQL *m, tr_myc_schema_fn each, void *context, tr_err *err)
{
	report r = {.s = s, .each = each, .context = context};
	tr_myc_list list;
	int result = -1;

	if (!s->events->schema_changes)
		return 0;
	if (tr_myc_catalog_list(&s->catalog, true, &list, err))
		return -1;
	tr_arena_init(&r.arena, SCRATCH_MAX);
	result = give_all(&r, m, &list, err);
	tr_arena_release(&r.arena);
	tr_myc_list_release(&list);
	return result;
}
