#include <stdlib.h>

#include "core/text.h"
#include "events/internal.h"
#include "events/naming.h"

/* What a table is compiled from and into; all memory is the table's arena. */
typedef struct compilation {
	tr_catalogue *c;
	const tr_event_options *options;
	const tr_table_spec *spec;
	tr_arena *arena;
	tr_table *table;
	tr_column *raw; /* the columns as the source has them, for the key */
	const char *topic;
	tr_err *err;
} compilation;

static int out_of_memory(const compilation *k)
{
	return tr_err_set(k->err, TR_E_MEMORY, "out of memory for the schema of table \"%s.%s\"",
			  k->spec->namespace_name, k->spec->name);
}

static bool zero_fields(const tr_type *type, tr_arena *a, tr_value *out);

/* The value of a type that stands for nothing: what Debezium puts where a required column has no value. */
static bool zero_value(const tr_type *type, tr_arena *a, tr_value *out)
{
	static const uint8_t zero_byte[1] = {0};

	if (type->default_value) {
		*out = *type->default_value;
		return true;
	}
	switch (type->kind) {
	case TR_BOOLEAN:
		*out = tr_value_bool(false);
		return true;
	case TR_FLOAT32:
	case TR_FLOAT64:
		*out = tr_value_float(0);
		return true;
	case TR_STRING:
		*out = tr_value_text("");
		return true;
	case TR_BYTES:
		/* A decimal has at least one byte. */
		*out = tr_value_bytes(zero_byte, type->name && strcmp(type->name, TR_CONNECT_DECIMAL) == 0);
		return true;
	case TR_ARRAY:
	case TR_MAP:
		*out = tr_value_list(NULL, 0);
		return true;
	case TR_STRUCT:
		return zero_fields(type, a, out);
	default:
		*out = tr_value_int(0);
		return true;
	}
}

static bool zero_fields(const tr_type *type, tr_arena *a, tr_value *out)
{
	tr_value *fields = TR_ARENA_ARRAY(a, tr_value, type->field_count);

	if (!fields)
		return false;
	for (size_t i = 0; i < type->field_count; i++)
		if (!type->fields[i].type->optional && !zero_value(type->fields[i].type, a, &fields[i]))
			return false;
	*out = tr_value_list(fields, type->field_count);
	return true;
}

/* What stands for a value that is not there: not sent, NULL, or unchanged. */
static bool decide_stand_ins(tr_column *column, const tr_event_options *options, tr_arena *a)
{
	const tr_type *type = column->type;
	tr_value zero = tr_value_null();

	if (type->optional)
		column->absent =
		    options->null_as_default && type->default_value ? *type->default_value : tr_value_null();
	else if (type->default_value)
		column->absent = *type->default_value;
	else if (column->absent.kind == TR_V_NULL && !zero_value(type, a, &column->absent))
		return false;
	column->null_value = options->null_as_default ? column->absent : tr_value_null();
	if (column->unavailable.kind != TR_V_NULL)
		return true;
	if ((type->kind == TR_STRING || (type->kind == TR_BYTES && !type->name)) && options->unavailable)
		zero = tr_value_text(options->unavailable);
	else if (!type->optional && !zero_value(type, a, &zero))
		return false;
	column->unavailable = zero;
	return true;
}

static int copy_columns(compilation *k)
{
	const tr_table_spec *spec = k->spec;
	tr_column *columns = TR_ARENA_ARRAY(k->arena, tr_column, spec->column_count);

	k->raw = TR_ARENA_ARRAY(k->arena, tr_column, spec->column_count);
	if (!columns || !k->raw)
		return out_of_memory(k);
	for (size_t i = 0; i < spec->column_count; i++) {
		tr_column *column = &columns[i];
		*column = spec->columns[i];
		column->field = tr_naming_field(k->arena, k->options->field_names, column->name);
		if (!column->field || (column->type && !decide_stand_ins(column, k->options, k->arena)))
			return out_of_memory(k);
		k->raw[i] = *column;
		column->key_rank = 0;
	}
	k->table->columns = columns;
	k->table->source_columns = spec->source_columns;
	k->table->column_count = spec->column_count;
	return tr_rules_apply(k->options, k->table->collection, columns, spec->source_columns, spec->column_count,
			      k->arena, k->err);
}

static int list_published(compilation *k)
{
	tr_table *t = k->table;

	t->published = TR_ARENA_ARRAY(k->arena, const tr_column *, t->column_count);
	if (!t->published)
		return out_of_memory(k);
	for (size_t i = 0; i < t->column_count; i++)
		if (t->columns[i].type)
			t->published[t->published_count++] = &t->columns[i];
	return 0;
}

static size_t primary_key(const compilation *k, size_t *chosen)
{
	size_t count = 0;

	for (size_t rank = 1; rank <= k->spec->column_count; rank++)
		for (size_t i = 0; i < k->spec->column_count; i++)
			if (k->raw[i].key_rank == rank && k->raw[i].type)
				chosen[count++] = i;
	return count;
}

/* The place of a column in the row when both publish the same value, else -1. */
static int slot_of(const tr_table *t, const tr_column *key, size_t index)
{
	const tr_column *column = &t->columns[index];

	if (!column->type || column->decode != key->decode || column->decode_arg != key->decode_arg)
		return -1;
	for (size_t i = 0; i < t->published_count; i++)
		if (t->published[i] == column)
			return (int)i;
	return -1;
}

static int choose_key(compilation *k)
{
	tr_table *t = k->table;
	size_t *chosen = TR_ARENA_ARRAY(k->arena, size_t, t->column_count + 1);
	size_t count;

	if (!chosen)
		return out_of_memory(k);
	if (tr_rules_key(k->options, t->collection, k->raw, t->column_count, chosen, &count, k->err) != 0)
		return -1;
	if (count == 0)
		count = primary_key(k, chosen);
	if (count == 0)
		return 0;
	t->key = TR_ARENA_ARRAY(k->arena, const tr_column *, count);
	t->key_slots = TR_ARENA_ARRAY(k->arena, int, count);
	if (!t->key || !t->key_slots)
		return out_of_memory(k);
	for (size_t i = 0; i < count; i++) {
		tr_column *column = &k->raw[chosen[i]];
		column->key_rank = t->columns[chosen[i]].key_rank = (uint16_t)(i + 1);
		t->key[i] = column;
		t->key_slots[i] = slot_of(t, column, chosen[i]);
	}
	t->key_count = count;
	return 0;
}

static int check_collisions(const compilation *k)
{
	const tr_table *t = k->table;

	for (size_t i = 0; i < t->column_count; i++)
		for (size_t j = i + 1; j < t->column_count; j++) {
			const tr_column *a = &t->columns[i], *b = &t->columns[j];
			bool together = (a->type && b->type) || (a->key_rank > 0 && b->key_rank > 0);
			if (!together || strcmp(a->field, b->field) != 0)
				continue;
			tr_err_set(k->err, TR_E_NAME_COLLISION,
				   "columns \"%s\" and \"%s\" of table \"%s\" both become field \"%s\"", a->name,
				   b->name, t->collection, a->field);
			return tr_err_hint(k->err,
					   "set events.field_names to avro_unicode, or exclude one of the columns");
		}
	return 0;
}

/* The first name inside a type that Avro cannot hold, or NULL. */
static const char *invalid_name(const tr_type *type)
{
	const char *bad = NULL;

	if (!type)
		return NULL;
	if (type->kind == TR_STRUCT && type->name && !tr_naming_avro_schema_valid(type->name))
		return type->name;
	for (size_t i = 0; !bad && i < type->field_count; i++)
		bad = tr_naming_avro_field_valid(type->fields[i].name) ? invalid_name(type->fields[i].type)
								       : type->fields[i].name;
	if (!bad)
		bad = invalid_name(type->key);
	return bad ? bad : invalid_name(type->item);
}

static int check_column_names(const compilation *k)
{
	const tr_table *t = k->table;

	for (size_t i = 0; i < t->column_count; i++) {
		const tr_column *column = &t->columns[i];
		const char *bad =
		    tr_naming_avro_field_valid(column->field) ? invalid_name(column->type) : column->field;
		if (!bad || (!column->type && column->key_rank == 0))
			continue;
		tr_err_set(k->err, TR_E_NAME_INVALID, "column \"%s\" of table \"%s\" has no name that Avro can hold",
			   column->name, t->collection);
		tr_err_detail(k->err, "Avro names are letters, digits and _, and begin with no digit; found \"%s\"",
			      bad);
		return tr_err_hint(k->err, "set events.field_names to avro or avro_unicode, or exclude the column");
	}
	return 0;
}

static int check_avro_names(const compilation *k)
{
	if (k->options->format != TR_FORMAT_AVRO)
		return 0;
	if (!tr_naming_avro_schema_valid(k->table->row_type->name)) {
		tr_err_set(k->err, TR_E_NAME_INVALID, "table \"%s\" has no schema name that Avro can hold",
			   k->table->collection);
		tr_err_detail(k->err, "the schema would be called \"%s\"", k->table->row_type->name);
		return tr_err_hint(k->err, "set events.schema_names to avro or avro_unicode");
	}
	return check_column_names(k);
}

/* <topic>.<part>, adjusted as a whole. */
static const char *schema_name(const compilation *k, const char *part)
{
	const char *full = tr_arena_format(k->arena, "%s.%s", k->topic, part);

	return full ? tr_naming_schema(k->arena, k->options->schema_names, full) : NULL;
}

static tr_type *struct_of(const compilation *k, const char *part, const tr_column *const *columns, size_t count)
{
	const char *name = schema_name(k, part);
	tr_field *fields = TR_ARENA_ARRAY(k->arena, tr_field, count);

	if (!name || !fields)
		return NULL;
	for (size_t i = 0; i < count; i++)
		fields[i] = (tr_field){.name = columns[i]->field, .type = columns[i]->type};
	return tr_type_struct(k->arena, name, 0, fields, count);
}

static int build_types(compilation *k)
{
	tr_table *t = k->table;
	const char *envelope = schema_name(k, "Envelope");
	tr_type *row = struct_of(k, "Value", t->published, t->published_count);

	if (!row || !envelope)
		return out_of_memory(k);
	t->row_type = row;
	if (k->options->envelope == TR_ENVELOPE_FLAT) {
		t->value_type = row;
	} else {
		row->optional = true;
		t->value_type =
		    tr_envelope_type(k->arena, envelope, row, k->c->config.source_type, k->c->transaction_block);
	}
	t->key_type = t->key_count > 0 ? struct_of(k, "Key", t->key, t->key_count) : NULL;
	return t->value_type && (t->key_type || t->key_count == 0) ? 0 : out_of_memory(k);
}

static int name_table(compilation *k)
{
	const tr_table_spec *spec = k->spec;
	tr_table *t = k->table;

	t->magic = TR_TABLE_MAGIC;
	t->source_id = spec->source_id;
	t->identity_full = spec->identity_full;
	t->database = tr_arena_strdup(k->arena, spec->database ? spec->database : "");
	t->schema = tr_arena_strdup(k->arena, spec->schema ? spec->schema : "");
	t->name = tr_arena_strdup(k->arena, spec->name);
	t->collection = tr_arena_format(k->arena, "%s.%s", spec->namespace_name, spec->name);
	k->topic = tr_naming_topic(k->arena, k->options, spec->namespace_name, spec->name);
	if (!t->database || !t->schema || !t->name || !t->collection || !k->topic)
		return out_of_memory(k);
	t->collection_hash = tr_naming_java_hash(t->collection);
	return 0;
}

int tr_table_compile(tr_catalogue *c, tr_arena *arena, const tr_table_spec *spec, tr_table **out, tr_err *err)
{
	TR_CHECK_OBJ(c, TR_CATALOGUE_MAGIC);
	compilation k = {.c = c, .options = c->config.options, .spec = spec, .arena = arena, .err = err};

	*out = NULL;
	k.table = TR_ARENA_NEW(arena, tr_table);
	if (!k.table)
		return out_of_memory(&k);
	if (name_table(&k) != 0 || copy_columns(&k) != 0 || list_published(&k) != 0 || choose_key(&k) != 0)
		return -1;
	if (check_collisions(&k) != 0 || build_types(&k) != 0 || check_avro_names(&k) != 0)
		return -1;
	if (tr_catalogue_enter(c, k.topic, k.table->collection, &k.table->topic, &k.table->version, err) != 0)
		return -1;
	/* The table lives in the arena that it owns. */
	k.table->arena = *arena;
	tr_arena_init(arena, arena->max);
	*out = k.table;
	return 0;
}

void tr_table_free(tr_table *table)
{
	if (!table)
		return;
	TR_CHECK_OBJ(table, TR_TABLE_MAGIC);
	tr_arena arena = table->arena;
	table->magic = 0;
	tr_arena_release(&arena);
}
