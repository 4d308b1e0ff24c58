#include "capture/postgres/catalog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/postgres/facts.h"
#include "core/obj.h"

#define ARENA_MAX ((size_t)64 << 20) /* a relation of 1664 columns with long names and defaults stays far below */

/* --- relations by oid -------------------------------------------------------------------------- */

int tr_pgc_catalog_init(tr_pgc_catalog *c, tr_err *err)
{
	c->slot_count = 256;
	c->used = 0;
	c->last = NULL;
	c->slots = calloc(c->slot_count, sizeof(*c->slots));
	c->types = tr_map_new();
	c->touched = NULL;
	tr_arena_init(&c->types_arena, ARENA_MAX);
	pthread_mutex_init(&c->lock, NULL);
	return c->slots ? 0 : tr_err_set(err, TR_E_MEMORY, "out of memory");
}

void tr_pgc_relation_free(tr_pgc_relation *rel)
{
	if (!rel)
		return;
	tr_table_free(rel->table);
	tr_writer_release(&rel->signature);
	tr_arena_release(&rel->arena);
	free(rel);
}

void tr_pgc_catalog_release(tr_pgc_catalog *c)
{
	for (size_t i = 0; c->slots && i < c->slot_count; i++)
		if (c->slots[i])
			tr_pgc_relation_free(c->slots[i]);
	free(c->slots);
	c->slots = NULL;
	tr_map_free(c->types, NULL);
	tr_arena_release(&c->types_arena);
	pthread_mutex_destroy(&c->lock);
}

static size_t slot_of(const tr_pgc_catalog *c, uint32_t oid)
{
	size_t at = (oid * 2654435761u) & (c->slot_count - 1);

	while (c->slots[at] && c->slots[at]->oid != oid)
		at = (at + 1) & (c->slot_count - 1);
	return at;
}

tr_pgc_relation *tr_pgc_relation_find(tr_pgc_catalog *c, uint32_t oid)
{
	if (!c->last || c->last->oid != oid)
		c->last = c->slots[slot_of(c, oid)];
	return c->last;
}

static int grow(tr_pgc_catalog *c, tr_err *err)
{
	tr_pgc_relation **old = c->slots;
	size_t old_count = c->slot_count;
	tr_pgc_relation **slots = calloc(old_count * 2, sizeof(*slots));

	if (!slots)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	c->slots = slots;
	c->slot_count = old_count * 2;
	for (size_t i = 0; i < old_count; i++)
		if (old[i])
			c->slots[slot_of(c, old[i]->oid)] = old[i];
	free(old);
	return 0;
}

static tr_pgc_relation *relation_new(uint32_t oid, tr_err *err)
{
	tr_pgc_relation *rel = calloc(1, sizeof(*rel));

	if (!rel) {
		tr_err_set(err, TR_E_MEMORY, "out of memory");
		return NULL;
	}
	rel->oid = oid;
	tr_arena_init(&rel->arena, ARENA_MAX);
	tr_writer_init(&rel->signature, ARENA_MAX);
	return rel;
}

static tr_pgc_relation *relation_get(tr_pgc_catalog *c, uint32_t oid, tr_err *err)
{
	tr_pgc_relation *rel = tr_pgc_relation_find(c, oid);

	if (rel)
		return rel;
	if (c->used * 2 >= c->slot_count && grow(c, err))
		return NULL;
	rel = relation_new(oid, err);
	if (!rel)
		return NULL;
	c->slots[slot_of(c, oid)] = rel;
	c->used++;
	c->last = NULL;
	return rel;
}

void tr_pgc_catalog_session(tr_pgc_catalog *c)
{
	tr_pgc_types_forget(c);
	for (size_t i = 0; i < c->slot_count; i++)
		if (c->slots[i])
			c->slots[i]->stale = true;
}

/* --- from a message ---------------------------------------------------------------------------- */

static int copy_message(tr_pgc_relation *rel, const tr_pg_relation *m)
{
	tr_arena_reset(&rel->arena);
	rel->identity = m->identity;
	rel->column_count = m->column_count;
	rel->schema = tr_arena_strndup(&rel->arena, m->schema.ptr, m->schema.len);
	rel->name = tr_arena_strndup(&rel->arena, m->name.ptr, m->name.len);
	rel->columns = TR_ARENA_ARRAY(&rel->arena, tr_pg_column, m->column_count ? m->column_count : 1);
	rel->null_seen = TR_ARENA_ARRAY(&rel->arena, bool, m->column_count ? m->column_count : 1);
	if (!rel->schema || !rel->name || !rel->columns || !rel->null_seen)
		return -1;
	for (size_t i = 0; i < m->column_count; i++) {
		const tr_pg_relation_column *in = &m->columns[i];
		tr_pg_column *out = &rel->columns[i];

		out->name = tr_arena_strndup(&rel->arena, in->name.ptr, in->name.len);
		out->type = in->type;
		out->typmod = in->typmod;
		out->identity = in->identity;
		if (!out->name)
			return -1;
	}
	return 0;
}

int tr_pgc_relation_message(tr_pgc_catalog *c, const tr_pg_relation *m, tr_err *err)
{
	tr_pgc_relation *rel = relation_get(c, m->oid, err);

	if (!rel)
		return -1;
	if (copy_message(rel, m))
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the columns of a relation");
	rel->captured = tr_filter_match(c->filter, rel->schema, rel->name);
	rel->stale = true;
	return 0;
}

/* The key by the message when it tells one: with identity "default" its flags are the primary key of that moment. */
static void merge_key(tr_pgc_relation *rel, const tr_pgc_facts *facts)
{
	size_t flagged = 0, ranked = 0, expected = facts->key_count;
	uint16_t next = 0;

	for (size_t i = 0; i < rel->column_count; i++) {
		flagged += rel->columns[i].identity;
		ranked += rel->columns[i].key_rank > 0 &&
			  (rel->identity != 'd' || !facts->key_primary || rel->columns[i].identity);
	}
	bool by_message = rel->identity == 'd' && (flagged > 0 || facts->key_primary);
	bool agrees = ranked == expected && (!by_message || flagged == expected);
	if (agrees && (!by_message || facts->key_primary))
		return;
	for (size_t i = 0; i < rel->column_count; i++)
		rel->columns[i].key_rank = by_message && rel->columns[i].identity ? ++next : 0;
}

/* Adds to the message's columns what only the catalogue knows. */
static int merge_facts(tr_pgc_relation *rel, const tr_pgc_facts *facts)
{
	for (size_t i = 0; i < rel->column_count; i++) {
		tr_pg_column *column = &rel->columns[i];
		const tr_pg_column *fact = tr_pgc_facts_find(facts, column->name);
		bool fits = fact && fact->type == column->type;

		column->key_rank = fact ? fact->key_rank : 0;
		column->not_null = (fits && fact->not_null) || (rel->identity == 'd' && column->identity);
		column->not_null = column->not_null && !rel->null_seen[i];
		column->generated = fits && fact->generated;
		column->default_expr = NULL;
		if (fits && fact->default_expr && (!fact->generated || rel->generated_defaults) &&
		    !(column->default_expr = tr_arena_strdup(&rel->arena, fact->default_expr)))
			return -1;
	}
	merge_key(rel, facts);
	return 0;
}

/* --- compiling --------------------------------------------------------------------------------- */

static void sign_relation(const tr_pgc_relation *rel, tr_writer *w)
{
	tr_writer_format(w, "%s.%s %c", rel->schema, rel->name, rel->identity);
	for (size_t i = 0; i < rel->column_count; i++) {
		const tr_pg_column *c = &rel->columns[i];

		tr_writer_format(w, "\n%s %u %d %d %d %d %u %s", c->name, c->type, c->typmod, c->not_null, c->generated,
				 c->identity, c->key_rank, c->default_expr ? c->default_expr : "");
	}
}

static int resolve_columns(tr_pgc_catalog *c, const tr_pgc_relation *rel, tr_arena *arena, tr_table_spec *spec,
			   tr_err *err)
{
	const tr_pg_type_lookup lookup = {.context = c, .find = tr_pgc_type_find};
	tr_column *columns = TR_ARENA_ARRAY(arena, tr_column, rel->column_count ? rel->column_count : 1);
	tr_source_column *source = TR_ARENA_ARRAY(arena, tr_source_column, rel->column_count ? rel->column_count : 1);

	if (!columns || !source)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the columns of a table");
	for (size_t i = 0; i < rel->column_count; i++) {
		const tr_pg_column *in = &rel->columns[i];

		c->type_error.code = TR_OK;
		columns[i].name = tr_arena_strdup(arena, in->name);
		if (!columns[i].name)
			return tr_err_set(err, TR_E_MEMORY, "out of memory for the columns of a table");
		int failed = tr_pg_resolve(in, &lookup, c->events, arena, &columns[i], err) ||
			     tr_pg_source_column(in, &lookup, arena, &source[i]);
		if (c->type_error.code != TR_OK) {
			*err = c->type_error;
			return -1;
		}
		if (failed)
			return err->code != TR_OK
				   ? tr_err_prefix(err, "table \"%s.%s\", column \"%s\"", rel->schema, rel->name,
						   in->name)
				   : tr_err_set(err, TR_E_MEMORY, "out of memory for the columns of a table");
		columns[i].index = (uint16_t)i;
		columns[i].identity = in->identity;
		columns[i].required = in->not_null;
		columns[i].key_rank = in->key_rank;
	}
	spec->columns = columns;
	spec->source_columns = source;
	spec->column_count = rel->column_count;
	return 0;
}

static bool is_signal_table(const char *signal_table, const tr_pgc_relation *rel)
{
	size_t len = strlen(rel->schema);

	return signal_table && strncmp(signal_table, rel->schema, len) == 0 && signal_table[len] == '.' &&
	       strcmp(signal_table + len + 1, rel->name) == 0;
}

static tr_pgc_table_info *table_info(const tr_pgc_relation *rel, tr_arena *arena, tr_table_spec *spec,
				     const char *database, const char *signal_table)
{
	tr_pgc_table_info *info = TR_ARENA_NEW(arena, tr_pgc_table_info);

	spec->source_id = rel->oid;
	spec->database = tr_arena_strdup(arena, database);
	spec->schema = tr_arena_strdup(arena, rel->schema);
	spec->name = tr_arena_strdup(arena, rel->name);
	spec->namespace_name = spec->schema;
	spec->identity_full = rel->identity == 'f';
	if (!info || !spec->database || !spec->schema || !spec->name)
		return NULL;
	info->schema = tr_value_text(spec->schema);
	info->table = tr_value_text(spec->name);
	info->identity = rel->identity;
	info->is_signal = is_signal_table(signal_table, rel);
	return info;
}

/* Compiles when the facts differ from those of the table there is. rel's columns are complete. */
static int compile(tr_pgc_catalog *c, tr_pgc_relation *rel, tr_catalogue *events, tr_err *err)
{
	tr_arena arena;
	tr_table_spec spec = {0};
	tr_writer signature;
	tr_pgc_table_info *info;
	tr_table *table;
	int result = -1;

	tr_arena_init(&arena, ARENA_MAX);
	tr_writer_init(&signature, ARENA_MAX);
	sign_relation(rel, &signature);
	c->touched = &signature;
	tr_err_clear(err);
	if (resolve_columns(c, rel, &arena, &spec, err))
		goto out;
	if (rel->table && tr_slice_eq(tr_writer_view(&signature), tr_writer_view(&rel->signature))) {
		result = 0;
		goto out;
	}
	info = table_info(rel, &arena, &spec, c->database, c->signal_table);
	if (!info || !tr_writer_ok(&signature)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory for table \"%s.%s\"", rel->schema, rel->name);
		goto out;
	}
	if (tr_table_compile(events, &arena, &spec, &table, err))
		goto out;
	tr_arena_init(&arena, 0); /* the table owns it now */
	table->source_data = info;
	if (rel->table) {
		table->version = rel->table->version + 1;
		if (c->metrics)
			tr_metric_add(c->metrics, TR_M_SCHEMA_CHANGES, 1);
		tr_table_free(rel->table);
	}
	rel->table = table;
	tr_writer_release(&rel->signature);
	rel->signature = signature;
	tr_writer_init(&signature, 0);
	result = 0;
out:
	c->touched = NULL;
	tr_writer_release(&signature);
	tr_arena_release(&arena);
	return result;
}

int tr_pgc_relation_compile(tr_pgc_catalog *c, tr_pgc_relation *rel, tr_catalogue *events, tr_err *err)
{
	tr_pgc_facts facts;
	int result = -1;

	if (tr_pgc_facts_load(c, rel->oid, &facts, err))
		return -1;
	if (merge_facts(rel, &facts)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory for table \"%s.%s\"", rel->schema, rel->name);
		goto out;
	}
	if (compile(c, rel, events, err))
		goto out;
	rel->stale = false;
	result = 0;
out:
	tr_pgc_facts_release(&facts);
	return result;
}

const char *tr_pgc_relation_note_nulls(tr_pgc_relation *rel, const tr_datum *before, const tr_datum *after)
{
	const tr_table *t = rel->table;
	const char *name = NULL;

	for (size_t i = 0; t && i < t->column_count && i < rel->column_count; i++) {
		bool null = (before && before[i].form == TR_D_NULL) || (after && after[i].form == TR_D_NULL);

		if (!null || !t->columns[i].required || rel->null_seen[i])
			continue;
		rel->null_seen[i] = true;
		name = rel->columns[i].name;
	}
	return name;
}

/* --- from the catalogue ------------------------------------------------------------------------ */

/* Before 18 the stream has no generated columns, though pg_publication_tables of 15 lists them. */
static bool wanted(const tr_pgc_catalog *c, const tr_pg_column *column, const tr_map *columns, bool generated)
{
	bool listed = columns && tr_map_get(columns, tr_slice_str(column->name));

	if (column->generated)
		return generated || (listed && PQserverVersion(*c->sql) >= 180000);
	return !columns || listed;
}

static int copy_facts(const tr_pgc_catalog *c, tr_pgc_relation *rel, const tr_pgc_facts *facts, const tr_map *columns,
		      bool generated)
{
	tr_arena_reset(&rel->arena);
	rel->identity = facts->identity;
	rel->generated_defaults = generated;
	rel->schema = tr_arena_strdup(&rel->arena, facts->schema);
	rel->name = tr_arena_strdup(&rel->arena, facts->name);
	rel->columns = TR_ARENA_ARRAY(&rel->arena, tr_pg_column, facts->column_count ? facts->column_count : 1);
	rel->null_seen = TR_ARENA_ARRAY(&rel->arena, bool, facts->column_count ? facts->column_count : 1);
	rel->column_count = 0;
	if (!rel->schema || !rel->name || !rel->columns || !rel->null_seen)
		return -1;
	for (size_t i = 0; i < facts->column_count; i++) {
		tr_pg_column *out = &rel->columns[rel->column_count];

		if (!wanted(c, &facts->columns[i], columns, generated))
			continue;
		*out = (tr_pg_column){.name = tr_arena_strdup(&rel->arena, facts->columns[i].name),
				      .type = facts->columns[i].type,
				      .typmod = facts->columns[i].typmod,
				      .identity = facts->columns[i].identity};
		if (!out->name)
			return -1;
		rel->column_count++;
	}
	return 0;
}

/* Into *rel, or a relation of the shared ones when that is NULL. */
static int read_into(tr_pgc_catalog *c, uint32_t oid, const tr_map *columns, bool generated, tr_pgc_relation **rel,
		     tr_err *err)
{
	tr_pgc_facts facts;
	int result = -1;

	if (tr_pgc_facts_load(c, oid, &facts, err))
		return -1;
	if (!facts.schema) {
		if (*rel)
			(*rel)->schema = NULL;
		result = 0;
		goto out;
	}
	if (!*rel && !(*rel = relation_get(c, oid, err)))
		goto out;
	if (copy_facts(c, *rel, &facts, columns, generated)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory for table \"%s.%s\"", facts.schema, facts.name);
		goto out;
	}
	(*rel)->oid = oid;
	(*rel)->captured = true;
	(*rel)->stale = true;
	result = 0;
out:
	tr_pgc_facts_release(&facts);
	return result;
}

int tr_pgc_relation_read(tr_pgc_catalog *c, uint32_t oid, const tr_map *columns, bool generated, tr_pgc_relation **out,
			 tr_err *err)
{
	*out = NULL;
	return read_into(c, oid, columns, generated, out, err);
}

int tr_pgc_relation_own(tr_pgc_catalog *c, uint32_t oid, const tr_map *columns, bool generated, tr_pgc_relation **rel,
			tr_err *err)
{
	if (!*rel && !(*rel = relation_new(oid, err)))
		return -1;
	return read_into(c, oid, columns, generated, rel, err);
}
