#include "capture/mysql/mysql.h"

#include <stdlib.h>

#include "core/obj.h"
#include "core/text.h"

#define ARENA_MAX ((size_t)64 << 20)

/* --- relations by name ------------------------------------------------------------------------- */

int tr_myc_catalog_init(tr_myc_catalog *c, tr_err *err)
{
	(void)err;
	*c = (tr_myc_catalog){.relations = tr_map_new()};
	pthread_mutex_init(&c->lock, NULL);
	return 0;
}

static void drop_facts(tr_myc_relation *rel)
{
	if (rel->facts)
		tr_myc_facts_release(rel->facts);
	free(rel->facts);
	rel->facts = NULL;
	rel->facts_by_ddl = false;
	rel->stale = true;
}

static void relation_free(void *value)
{
	tr_myc_relation *rel = value;

	drop_facts(rel);
	tr_table_free(rel->table);
	tr_writer_release(&rel->signature);
	free(rel->names);
	free(rel);
}

void tr_myc_catalog_release(tr_myc_catalog *c)
{
	if (!c->relations)
		return;
	tr_map_free(c->relations, relation_free);
	tr_myc_ahead_free(c->ahead);
	c->ahead = NULL;
	c->relations = NULL;
	pthread_mutex_destroy(&c->lock);
}

void tr_myc_catalog_stale(tr_myc_catalog *c)
{
	size_t cursor = 0;
	void *value;

	while (tr_map_next(c->relations, &cursor, NULL, &value)) {
		drop_facts(value);
		((tr_myc_relation *)value)->there = false;
	}
}

void tr_myc_catalog_session(tr_myc_catalog *c)
{
	size_t cursor = 0;
	void *value;

	tr_myc_catalog_stale(c);
	while (tr_map_next(c->relations, &cursor, NULL, &value)) {
		tr_myc_relation *rel = value;

		rel->map_id = 0;
	}
	tr_myc_ahead_free(c->ahead);
	c->ahead = NULL;
}

static bool is_signal_table(const char *signal_table, const tr_myc_relation *rel)
{
	size_t len = strlen(rel->database);

	return signal_table && strncmp(signal_table, rel->database, len) == 0 && signal_table[len] == '.' &&
	       strcmp(signal_table + len + 1, rel->name) == 0;
}

/* names: "database\0name\0", taken over. */
static tr_myc_relation *relation_new(tr_myc_catalog *c, char *names)
{
	tr_myc_relation *rel = calloc(1, sizeof(*rel));

	if (!rel)
		return NULL;
	rel->names = names;
	rel->database = names;
	rel->name = names + strlen(names) + 1;
	rel->captured = tr_filter_match(c->filter, rel->database, rel->name);
	rel->stale = true;
	tr_writer_init(&rel->signature, ARENA_MAX);
	return rel;
}

static tr_myc_relation *relation_get(tr_myc_catalog *c, tr_slice database, tr_slice name, tr_err *err)
{
	tr_myc_relation *rel;
	tr_slice key;
	tr_writer w;
	char *names;

	tr_writer_init(&w, ARENA_MAX);
	tr_writer_slice(&w, database);
	tr_writer_u8(&w, '\0');
	tr_writer_slice(&w, name);
	key = tr_writer_view(&w);
	rel = tr_writer_ok(&w) ? tr_map_get(c->relations, key) : NULL;
	if (!rel && tr_writer_ok(&w) && (names = tr_text_copy(key))) {
		rel = relation_new(c, names);
		if (rel)
			tr_map_put(c->relations, key, rel);
		else
			free(names);
	}
	tr_writer_release(&w);
	if (!rel)
		tr_err_set(err, TR_E_MEMORY, "out of memory for the name of a table");
	return rel;
}

int tr_myc_relation_named(tr_myc_catalog *c, const char *database, const char *name, tr_myc_relation **out, tr_err *err)
{
	*out = relation_get(c, tr_slice_str(database), tr_slice_str(name), err);
	return *out ? 0 : -1;
}

/* --- from a TABLE_MAP -------------------------------------------------------------------------- */

int tr_myc_relation_map(tr_myc_catalog *c, tr_bl_table *map, tr_myc_relation **out, tr_err *err)
{
	tr_myc_relation *rel = map->user;

	if (!rel && !(rel = relation_get(c, map->database, map->name, err)))
		return -1;
	map->user = rel;
	map->wanted = rel->captured;
	*out = rel;
	rel->there = true;
	if (rel->map == map && rel->map_id == map->id)
		return 0;
	/* Another number: the server has opened the table anew, so a DDL may have changed it. One that the stream has met
	 * was asked about at its place. */
	if (rel->map_id != map->id && rel->facts && !rel->facts_by_ddl)
		drop_facts(rel);
	rel->facts_by_ddl = rel->facts_by_ddl && rel->map_id == map->id;
	rel->map = map;
	rel->map_id = map->id;
	rel->stale = true;
	return 0;
}

void tr_myc_relation_forget(tr_myc_catalog *c, tr_bl_table *map)
{
	tr_myc_relation *rel = map->user;

	(void)c;
	if (rel && rel->map == map) {
		rel->map = NULL;
		rel->stale = true;
	}
	map->user = NULL;
}

/* --- columns ----------------------------------------------------------------------------------- */

/* What a relation is compiled from. */
typedef struct shape {
	tr_arena arena;
	tr_bl_column *columns;
	size_t count;
} shape;

static int out_of_memory(const tr_myc_relation *rel, tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "out of memory for the columns of table \"%s.%s\"", rel->database, rel->name);
}

static const tr_bl_column *fact_of(const tr_myc_facts *f, tr_slice name)
{
	for (size_t i = 0; f && i < f->column_count; i++)
		if (tr_slice_eq(tr_slice_str(f->columns[i].name), name))
			return &f->columns[i];
	return NULL;
}

/* FULL metadata: the event decides, the catalogue adds what fits. */
static int merge_column(const tr_myc_relation *rel, size_t index, bool mariadb, shape *out, tr_err *err)
{
	const tr_bl_map_column *map = &rel->map->columns[index];
	tr_bl_column *column = &out->columns[out->count];
	const tr_bl_column *fact = fact_of(rel->facts, map->name);

	if (fact && tr_bl_column_matches(rel->map, index, fact)) {
		*column = *fact;
		column->wire_type = map->type;
	} else if (tr_bl_column_from_map(rel->map, index, mariadb, &out->arena, column, err)) {
		return -1;
	}
	column->nullable = map->nullable;
	column->invisible = column->invisible || !map->visible;
	column->key_rank = map->key_rank;
	out->count++;
	return 0;
}

/* The log tells primary keys only; a unique index may stand for one, when all of its columns are what they are said to be. */
static void add_unique_key(const tr_myc_relation *rel, shape *out)
{
	size_t ranked = 0, expected = 0;

	if (!rel->facts || rel->facts->key_primary)
		return;
	for (size_t i = 0; i < rel->facts->column_count; i++)
		expected += rel->facts->columns[i].key_rank > 0;
	for (size_t i = 0; i < out->count; i++) {
		const tr_bl_column *fact = fact_of(rel->facts, tr_slice_str(out->columns[i].name));

		out->columns[i].key_rank = fact && !out->columns[i].nullable ? fact->key_rank : 0;
		ranked += out->columns[i].key_rank > 0;
	}
	for (size_t i = 0; ranked != expected && i < out->count; i++)
		out->columns[i].key_rank = 0;
}

static int merge_full(tr_myc_relation *rel, bool mariadb, shape *out, tr_err *err)
{
	const tr_bl_table *map = rel->map;
	bool keyed = false;

	for (size_t i = 0; i < map->column_count; i++) {
		if (merge_column(rel, i, mariadb, out, err))
			return tr_err_prefix(err, "table \"%s.%s\"", rel->database, rel->name);
		keyed = keyed || map->columns[i].key_rank > 0;
	}
	if (!keyed)
		add_unique_key(rel, out);
	return 0;
}

int tr_myc_columns_unknown(const tr_myc_catalog *c, const char *database, const char *name, const char *why, tr_err *err)
{
	tr_err_set(err, TR_E_SOURCE_SETTING, "the columns of table \"%s.%s\" at this place of the log are not known", database, name);
	tr_err_detail(err, "%s; with binlog_row_metadata=MINIMAL the log does not name them", why);
	return tr_err_hint(err, "Nothing was published wrongly. SET %s binlog_row_metadata = 'FULL'%s so that this cannot happen again; "
				"then `tailrace offsets reset --pipeline %s` (with -c FILE or the options of the run), and run: it begins "
				"with a new snapshot.",
			   tr_myc_set_scope(*c->mariadb), *c->mariadb ? ", and in the server's configuration," : "",
			   c->source ? c->source->name : "NAME");
}

static int changed_since(const tr_myc_catalog *c, const tr_myc_relation *rel, const char *what, tr_err *err)
{
	return tr_myc_columns_unknown(c, rel->database, rel->name, what, err);
}

/* MINIMAL metadata: all columns of the catalogue, in order, have to be those of the event. */
static int take_facts(const tr_myc_catalog *c, tr_myc_relation *rel, shape *out, tr_err *err)
{
	const tr_bl_table *map = rel->map;
	const tr_myc_facts *f = rel->facts;

	if (!f->exists)
		return changed_since(c, rel, "the table does not exist any more, or the role may not see it", err);
	if (f->column_count != map->column_count)
		return changed_since(c, rel, "the table has another number of columns by now", err);
	for (size_t i = 0; i < f->column_count; i++) {
		if (!tr_bl_column_matches(map, i, &f->columns[i]))
			return changed_since(c, rel, "a column has another type by now", err);
		out->columns[i] = f->columns[i];
		out->columns[i].wire_type = map->columns[i].type;
		out->columns[i].nullable = map->columns[i].nullable;
	}
	out->count = f->column_count;
	return 0;
}

/* --- compiling --------------------------------------------------------------------------------- */

static void sign_column(const tr_bl_column *c, tr_writer *w)
{
	tr_writer_format(w, "\n%s %d %d%d%d%d%d%d%d %u %u.%u %d %u %u %s %d %d %u %u %s", c->name, (int)c->sql,
			 c->is_unsigned, c->zerofill, c->nullable, c->auto_increment, c->invisible, c->generated,
			 c->width_told, c->length, c->precision, c->scale, c->decimals_told, c->fsp, c->collation,
			 c->charset ? c->charset : "", c->geometry_type, (int)c->default_kind, c->key_rank, c->wire_type,
			 c->comment ? c->comment : "");
	tr_writer_u8(w, '\0');
	tr_writer_slice(w, c->default_text);
	for (size_t i = 0; i < c->value_count; i++)
		tr_writer_put(w, c->values[i], strlen(c->values[i]) + 1);
}

uint64_t tr_myc_facts_hash(const tr_myc_facts *f)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a */
	tr_writer w;

	tr_writer_init(&w, ARENA_MAX);
	tr_writer_format(&w, "%d %s", f->exists, f->exists ? f->made : "");
	for (size_t i = 0; i < f->column_count; i++)
		sign_column(&f->columns[i], &w);
	for (size_t i = 0; i < w.len; i++)
		hash = (hash ^ w.data[i]) * UINT64_C(1099511628211);
	tr_writer_release(&w);
	return hash;
}

/* A comment becomes the doc of the column's type, as Debezium has it with include.schema.comments. */
static int add_comment(const tr_bl_column *in, tr_arena *arena, tr_column *out)
{
	tr_type *type;

	if (!out->type || !in->comment || !*in->comment)
		return 0;
	type = tr_type_copy(arena, out->type);
	if (!type || !(type->doc = tr_arena_strdup(arena, in->comment)))
		return -1;
	out->type = type;
	return 0;
}

static const char *copy_text(tr_arena *a, const char *text, bool *ok)
{
	const char *copy = text ? tr_arena_strdup(a, text) : NULL;

	*ok = *ok && (copy || !text);
	return copy;
}

/* A definition that lives as long as the table: its types and decoders point into it. */
static const tr_bl_column *copy_column(tr_arena *a, const tr_bl_column *in)
{
	tr_bl_column *c = tr_arena_memdup(a, in, sizeof(*in));
	const char **values = TR_ARENA_ARRAY(a, const char *, in->value_count + 1);
	bool ok = c && values;

	if (!ok)
		return NULL;
	c->name = copy_text(a, in->name, &ok);
	c->charset = copy_text(a, in->charset, &ok);
	c->type_text = copy_text(a, in->type_text, &ok);
	c->comment = copy_text(a, in->comment, &ok);
	c->generation = copy_text(a, in->generation, &ok);
	for (size_t i = 0; i < in->value_count; i++)
		values[i] = copy_text(a, in->values[i], &ok);
	c->values = in->values ? values : NULL;
	if (in->default_text.ptr) {
		c->default_text.ptr = (const uint8_t *)tr_arena_strndup(a, in->default_text.ptr, in->default_text.len);
		ok = ok && c->default_text.ptr;
	}
	return ok ? c : NULL;
}

static int resolve_columns(const tr_myc_catalog *c, const tr_myc_relation *rel, const shape *s, tr_arena *arena,
			   tr_table_spec *spec, tr_err *err)
{
	tr_column *columns = TR_ARENA_ARRAY(arena, tr_column, s->count + 1);
	tr_source_column *source = TR_ARENA_ARRAY(arena, tr_source_column, s->count + 1);

	if (!columns || !source)
		return out_of_memory(rel, err);
	for (size_t i = 0; i < s->count; i++) {
		const tr_bl_column *in = copy_column(arena, &s->columns[i]);

		if (!in)
			return out_of_memory(rel, err);
		if (tr_bl_resolve(in, c->events, arena, &columns[i], err))
			return tr_err_prefix(err, "table \"%s.%s\", column \"%s\"", rel->database, rel->name, in->name);
		if (tr_bl_source_column(in, arena, &source[i]) ||
		    (c->events->schema_comments && add_comment(in, arena, &columns[i])))
			return out_of_memory(rel, err);
		if (!c->events->schema_comments)
			source[i].comment = NULL;
		columns[i].index = (uint16_t)i;
	}
	spec->columns = columns;
	spec->source_columns = source;
	spec->column_count = s->count;
	return 0;
}

static tr_myc_table_info *fill_spec(const tr_myc_catalog *c, const tr_myc_relation *rel, tr_arena *arena,
				    tr_table_spec *spec)
{
	tr_myc_table_info *info = TR_ARENA_NEW(arena, tr_myc_table_info);

	spec->source_id = rel->map_id;
	spec->database = spec->schema = spec->namespace_name = tr_arena_strdup(arena, rel->database);
	spec->name = tr_arena_strdup(arena, rel->name);
	spec->identity_full = true;
	if (!info || !spec->database || !spec->name)
		return NULL;
	info->table = tr_value_text(spec->name);
	info->is_signal = is_signal_table(c->signal_table, rel);
	return info;
}

static void replace_table(tr_myc_catalog *c, tr_myc_relation *rel, tr_table *table)
{
	if (rel->table) {
		table->version = rel->table->version + 1;
		if (c->metrics && !tr_type_equal(rel->table->value_type, table->value_type))
			tr_metric_add(c->metrics, TR_M_SCHEMA_CHANGES, 1);
		tr_table_free(rel->table);
	}
	rel->table = table;
}

/* Compiles when the shape differs from that of the table there is. */
static int compile(tr_myc_catalog *c, tr_myc_relation *rel, const shape *s, tr_catalogue *events, tr_err *err)
{
	tr_arena arena;
	tr_table_spec spec = {0};
	tr_writer signature;
	tr_myc_table_info *info;
	tr_table *table;
	int result = -1;

	tr_arena_init(&arena, ARENA_MAX);
	tr_writer_init(&signature, ARENA_MAX);
	for (size_t i = 0; i < s->count; i++)
		sign_column(&s->columns[i], &signature);
	if (!tr_writer_ok(&signature)) {
		out_of_memory(rel, err);
		goto out;
	}
	if (rel->table && tr_slice_eq(tr_writer_view(&signature), tr_writer_view(&rel->signature))) {
		result = 0;
		goto out;
	}
	if (resolve_columns(c, rel, s, &arena, &spec, err))
		goto out;
	info = fill_spec(c, rel, &arena, &spec);
	if (!info) {
		out_of_memory(rel, err);
		goto out;
	}
	if (tr_table_compile(events, &arena, &spec, &table, err))
		goto out;
	tr_arena_init(&arena, 0); /* the table owns it now */
	table->source_data = info;
	replace_table(c, rel, table);
	tr_writer_release(&rel->signature);
	rel->signature = signature;
	tr_writer_init(&signature, 0);
	result = 0;
out:
	tr_writer_release(&signature);
	tr_arena_release(&arena);
	return result;
}

static int read_facts(tr_myc_catalog *c, tr_myc_relation *rel, bool locked, tr_err *err)
{
	tr_myc_facts *f = calloc(1, sizeof(*f));

	if (!f)
		return out_of_memory(rel, err);
	if (tr_myc_facts_read(*c->sql, c->wake, *c->mariadb, rel->database, rel->name, locked, f, err)) {
		free(f);
		return -1;
	}
	drop_facts(rel);
	rel->facts = f;
	return 0;
}

/*
 * The proof for MINIMAL metadata: the facts are those of a moment whose place in the log is known (facts.c), and between
 * the row and that place no DDL names the table. When the facts are older than the row, every DDL in between has come
 * through the stream, and would have had them read anew.
 */
static int prove(tr_myc_catalog *c, const tr_myc_relation *rel, tr_myc_place row, tr_err *err)
{
	const tr_myc_place seen = {.file = rel->facts->log_file, .position = rel->facts->log_pos};

	return tr_myc_ahead_clear(c, rel->database, rel->name, row, seen, err);
}

int tr_myc_relation_compile(tr_myc_catalog *c, tr_myc_relation *rel, tr_catalogue *events, tr_myc_place row, tr_err *err)
{
	shape s = {0};
	int result = -1;

	TR_ASSERT(rel->map != NULL);
	bool full = rel->map->has_names;
	/* Facts that the snapshot or a FULL event has read are not bound to a place. */
	if (!rel->facts || (!full && !*rel->facts->log_file))
		if (read_facts(c, rel, !full, err))
			return -1;
	tr_arena_init(&s.arena, ARENA_MAX);
	s.columns = TR_ARENA_ARRAY(&s.arena, tr_bl_column, rel->map->column_count + 1);
	if (!s.columns)
		out_of_memory(rel, err);
	else if (full ? merge_full(rel, *c->mariadb, &s, err) == 0
		      : take_facts(c, rel, &s, err) == 0 && prove(c, rel, row, err) == 0)
		result = compile(c, rel, &s, events, err);
	if (result == 0)
		rel->stale = false;
	tr_arena_release(&s.arena);
	return result;
}

int tr_myc_catalog_ddl(tr_myc_catalog *c, const char *database, const char *name, const tr_myc_facts **out, tr_err *err)
{
	tr_myc_relation *rel = relation_get(c, tr_slice_str(database), tr_slice_str(name), err);

	if (!rel || read_facts(c, rel, true, err))
		return -1;
	rel->facts_by_ddl = true;
	rel->there = rel->facts->exists;
	if (out)
		*out = rel->facts;
	return 0;
}

int tr_myc_catalog_forget(tr_myc_catalog *c, const char *database, const char *name, tr_err *err)
{
	tr_myc_relation *rel = relation_get(c, tr_slice_str(database), tr_slice_str(name), err);

	if (!rel)
		return -1;
	drop_facts(rel);
	rel->there = false;
	return 0;
}

int tr_myc_relation_read(tr_myc_catalog *c, const char *database, const char *name, tr_catalogue *events,
			 tr_myc_relation **out, tr_err *err)
{
	tr_myc_relation *rel = relation_get(c, tr_slice_str(database), tr_slice_str(name), err);
	shape s = {0};

	*out = NULL;
	if (!rel || read_facts(c, rel, false, err)) /* which makes it stale: the stream compiles it from its own events */
		return -1;
	if (!rel->facts->exists)
		return 0;
	s.columns = rel->facts->columns;
	s.count = rel->facts->column_count;
	if (compile(c, rel, &s, events, err))
		return -1;
	*out = rel;
	return 0;
}

void tr_myc_facts_sign(const tr_myc_facts *f, tr_writer *w)
{
	for (size_t i = 0; i < f->column_count; i++) {
		sign_column(&f->columns[i], w);
		/* MariaDB has collations without a number. */
		tr_writer_text(w, f->collations[i] ? f->collations[i] : "");
	}
}

int tr_myc_facts_compile(tr_myc_catalog *c, const tr_myc_facts *f, tr_catalogue *events, tr_table **out, tr_err *err)
{
	tr_myc_relation own = {.database = f->database, .name = f->name};
	const shape s = {.columns = f->columns, .count = f->column_count};
	int result;

	tr_writer_init(&own.signature, ARENA_MAX);
	result = compile(c, &own, &s, events, err);
	tr_writer_release(&own.signature);
	*out = own.table;
	return result;
}
