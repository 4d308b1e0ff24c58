/* Schema change records: Debezium's fixed types, and tableChanges as values of them. */
#include "events/envelope.h"

#define SCHEMA        "io.debezium.connector.schema."
#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

enum { CHANGE_TYPE, CHANGE_ID, CHANGE_TABLE, CHANGE_COUNT };
enum { TABLE_CHARSET, TABLE_KEY, TABLE_COLUMNS, TABLE_COMMENT, TABLE_COUNT };
enum {
	COLUMN_NAME,
	COLUMN_JDBC_TYPE,
	COLUMN_NATIVE_TYPE,
	COLUMN_TYPE_NAME,
	COLUMN_TYPE_EXPRESSION,
	COLUMN_CHARSET,
	COLUMN_LENGTH,
	COLUMN_SCALE,
	COLUMN_POSITION,
	COLUMN_OPTIONAL,
	COLUMN_AUTO_INCREMENTED,
	COLUMN_GENERATED,
	COLUMN_COMMENT,
	COLUMN_DEFAULT,
	COLUMN_ENUM_VALUES,
	COLUMN_COUNT
};

/* --- types ------------------------------------------------------------------------------------- */

static const tr_type *scalar(tr_arena *a, tr_kind kind)
{
	return tr_type_new(a, kind, NULL, 0);
}

static const tr_type *optional(tr_arena *a, tr_kind kind)
{
	tr_type *type = tr_type_new(a, kind, NULL, 0);

	if (type)
		type->optional = true;
	return type;
}

static const tr_type *optional_texts(tr_arena *a)
{
	tr_type *type = tr_type_array(a, scalar(a, TR_STRING));

	if (type)
		type->optional = true;
	return type;
}

static const tr_type *column_type(tr_arena *a)
{
	const tr_field fields[COLUMN_COUNT] = {
	    [COLUMN_NAME] = {"name", scalar(a, TR_STRING)},
	    [COLUMN_JDBC_TYPE] = {"jdbcType", scalar(a, TR_INT32)},
	    [COLUMN_NATIVE_TYPE] = {"nativeType", optional(a, TR_INT32)},
	    [COLUMN_TYPE_NAME] = {"typeName", scalar(a, TR_STRING)},
	    [COLUMN_TYPE_EXPRESSION] = {"typeExpression", optional(a, TR_STRING)},
	    [COLUMN_CHARSET] = {"charsetName", optional(a, TR_STRING)},
	    [COLUMN_LENGTH] = {"length", optional(a, TR_INT32)},
	    [COLUMN_SCALE] = {"scale", optional(a, TR_INT32)},
	    [COLUMN_POSITION] = {"position", scalar(a, TR_INT32)},
	    [COLUMN_OPTIONAL] = {"optional", optional(a, TR_BOOLEAN)},
	    [COLUMN_AUTO_INCREMENTED] = {"autoIncremented", optional(a, TR_BOOLEAN)},
	    [COLUMN_GENERATED] = {"generated", optional(a, TR_BOOLEAN)},
	    [COLUMN_COMMENT] = {"comment", optional(a, TR_STRING)},
	    [COLUMN_DEFAULT] = {"defaultValueExpression", optional(a, TR_STRING)},
	    [COLUMN_ENUM_VALUES] = {"enumValues", optional_texts(a)},
	};

	return tr_type_struct(a, SCHEMA "Column", 1, fields, COUNT(fields));
}

static const tr_type *table_type(tr_arena *a)
{
	const tr_field fields[TABLE_COUNT] = {
	    [TABLE_CHARSET] = {"defaultCharsetName", optional(a, TR_STRING)},
	    [TABLE_KEY] = {"primaryKeyColumnNames", optional_texts(a)},
	    [TABLE_COLUMNS] = {"columns", tr_type_array(a, column_type(a))},
	    [TABLE_COMMENT] = {"comment", optional(a, TR_STRING)},
	};
	tr_type *type = tr_type_struct(a, SCHEMA "Table", 1, fields, COUNT(fields));

	if (type)
		type->optional = true;
	return type;
}

static const tr_type *change_type(tr_arena *a)
{
	const tr_field fields[CHANGE_COUNT] = {
	    [CHANGE_TYPE] = {"type", scalar(a, TR_STRING)},
	    [CHANGE_ID] = {"id", scalar(a, TR_STRING)},
	    [CHANGE_TABLE] = {"table", table_type(a)},
	};

	return tr_type_struct(a, SCHEMA "Change", 1, fields, COUNT(fields));
}

static const tr_type *own_struct(tr_arena *a, const char *connector, const char *name, const tr_field *fields,
				 size_t count)
{
	const char *full = tr_arena_format(a, "io.debezium.connector.%s.%s", connector, name);

	return full ? tr_type_struct(a, full, 1, fields, count) : NULL;
}

bool tr_envelope_schema_change(tr_arena *a, const char *connector, const tr_type *source, tr_record_types *out)
{
	const tr_field key[] = {{"databaseName", scalar(a, TR_STRING)}};
	const tr_field value[TR_DDL_COUNT] = {
	    [TR_DDL_SOURCE] = {"source", source},
	    [TR_DDL_TS_MS] = {"ts_ms", scalar(a, TR_INT64)},
	    [TR_DDL_DATABASE] = {"databaseName", optional(a, TR_STRING)},
	    [TR_DDL_SCHEMA] = {"schemaName", optional(a, TR_STRING)},
	    [TR_DDL_TEXT] = {"ddl", optional(a, TR_STRING)},
	    [TR_DDL_CHANGES] = {"tableChanges", tr_type_array(a, change_type(a))},
	};

	out->key = own_struct(a, connector, "SchemaChangeKey", key, COUNT(key));
	out->value = own_struct(a, connector, "SchemaChangeValue", value, COUNT(value));
	return out->key && out->value;
}

/* --- values ------------------------------------------------------------------------------------ */

static tr_value text_or_null(const char *text)
{
	return text ? tr_value_text(text) : tr_value_null();
}

static tr_value number_or_null(int64_t n)
{
	return n < 0 ? tr_value_null() : tr_value_int(n);
}

static bool texts(tr_arena *a, const char *const *list, size_t count, tr_value *out)
{
	tr_value *values = TR_ARENA_ARRAY(a, tr_value, count ? count : 1);

	for (size_t i = 0; values && i < count; i++)
		values[i] = tr_value_text(list[i]);
	*out = tr_value_list(values, count);
	return values != NULL;
}

static bool column_value(tr_arena *a, const tr_schema_column *c, size_t position, tr_value *out)
{
	tr_value *f = TR_ARENA_ARRAY(a, tr_value, COLUMN_COUNT);

	if (!f)
		return false;
	f[COLUMN_NAME] = tr_value_text(c->name);
	f[COLUMN_JDBC_TYPE] = tr_value_int(c->jdbc_type);
	f[COLUMN_NATIVE_TYPE] = tr_value_null();
	f[COLUMN_TYPE_NAME] = f[COLUMN_TYPE_EXPRESSION] = tr_value_text(c->type);
	f[COLUMN_CHARSET] = text_or_null(c->charset);
	f[COLUMN_LENGTH] = number_or_null(c->length);
	f[COLUMN_SCALE] = number_or_null(c->scale);
	f[COLUMN_POSITION] = tr_value_int((int64_t)position);
	f[COLUMN_OPTIONAL] = tr_value_bool(c->optional);
	f[COLUMN_AUTO_INCREMENTED] = tr_value_bool(c->auto_increment);
	f[COLUMN_GENERATED] = tr_value_bool(c->generated);
	f[COLUMN_COMMENT] = text_or_null(c->comment);
	f[COLUMN_DEFAULT] = text_or_null(c->default_expression);
	f[COLUMN_ENUM_VALUES] = tr_value_null();
	*out = tr_value_list(f, COLUMN_COUNT);
	return !c->values || texts(a, c->values, c->value_count, &f[COLUMN_ENUM_VALUES]);
}

static bool table_value(tr_arena *a, const tr_schema_table *t, tr_value *out)
{
	tr_value *f = TR_ARENA_ARRAY(a, tr_value, TABLE_COUNT);
	tr_value *columns = TR_ARENA_ARRAY(a, tr_value, t->column_count ? t->column_count : 1);

	if (!f || !columns || !texts(a, t->key, t->key_count, &f[TABLE_KEY]))
		return false;
	for (size_t i = 0; i < t->column_count; i++)
		if (!column_value(a, &t->columns[i], i + 1, &columns[i]))
			return false;
	f[TABLE_CHARSET] = text_or_null(t->charset);
	f[TABLE_COLUMNS] = tr_value_list(columns, t->column_count);
	f[TABLE_COMMENT] = text_or_null(t->comment);
	*out = tr_value_list(f, TABLE_COUNT);
	return true;
}

bool tr_envelope_table_changes(tr_arena *scratch, const tr_schema_change *change, tr_value *out)
{
	tr_value *f = TR_ARENA_ARRAY(scratch, tr_value, CHANGE_COUNT);
	tr_value *list = TR_ARENA_ARRAY(scratch, tr_value, 1);

	if (!f || !list)
		return false;
	*out = tr_value_list(list, change->type != NULL);
	if (!change->type)
		return true;
	f[CHANGE_TYPE] = tr_value_text(change->type);
	f[CHANGE_ID] = tr_value_text(change->id);
	f[CHANGE_TABLE] = tr_value_null();
	list[0] = tr_value_list(f, CHANGE_COUNT);
	return !change->table || table_value(scratch, change->table, &f[CHANGE_TABLE]);
}
