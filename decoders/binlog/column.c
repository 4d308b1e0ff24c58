#include "decoders/binlog/column.h"

#include "core/text.h"
#include "decoders/binlog/charset.h"
#include "decoders/binlog/names.h"

#define LABELS_MAX 65535

static const tr_bl_sql_name names[] = {
	/* name, type, geometry, binary form, java.sql.Types */
	{"tinyint", TR_BL_SQL_TINYINT, 0, TR_BL_TINY, 5},
	{"smallint", TR_BL_SQL_SMALLINT, 0, TR_BL_SHORT, 5},
	{"mediumint", TR_BL_SQL_MEDIUMINT, 0, TR_BL_INT24, 4},
	{"int", TR_BL_SQL_INT, 0, TR_BL_LONG, 4},
	{"bigint", TR_BL_SQL_BIGINT, 0, TR_BL_LONGLONG, -5},
	{"float", TR_BL_SQL_FLOAT, 0, TR_BL_FLOAT, 6},
	{"double", TR_BL_SQL_DOUBLE, 0, TR_BL_DOUBLE, 8},
	{"decimal", TR_BL_SQL_DECIMAL, 0, TR_BL_NEWDECIMAL, 3},
	{"bit", TR_BL_SQL_BIT, 0, TR_BL_BIT, -7},
	{"year", TR_BL_SQL_YEAR, 0, TR_BL_YEAR, 4},
	{"date", TR_BL_SQL_DATE, 0, TR_BL_DATE, 91},
	{"time", TR_BL_SQL_TIME, 0, TR_BL_TIME2, 92},
	{"datetime", TR_BL_SQL_DATETIME, 0, TR_BL_DATETIME2, 93},
	{"timestamp", TR_BL_SQL_TIMESTAMP, 0, TR_BL_TIMESTAMP2, 2014},
	{"char", TR_BL_SQL_CHAR, 0, TR_BL_STRING, 1},
	{"varchar", TR_BL_SQL_VARCHAR, 0, TR_BL_VARCHAR, 12},
	{"tinytext", TR_BL_SQL_TINYTEXT, 0, TR_BL_BLOB, 12},
	{"text", TR_BL_SQL_TEXT, 0, TR_BL_BLOB, 12},
	{"mediumtext", TR_BL_SQL_MEDIUMTEXT, 0, TR_BL_BLOB, 12},
	{"longtext", TR_BL_SQL_LONGTEXT, 0, TR_BL_BLOB, 12},
	{"binary", TR_BL_SQL_BINARY, 0, TR_BL_STRING, -2},
	{"varbinary", TR_BL_SQL_VARBINARY, 0, TR_BL_VARCHAR, -3},
	{"tinyblob", TR_BL_SQL_TINYBLOB, 0, TR_BL_BLOB, 2004},
	{"blob", TR_BL_SQL_BLOB, 0, TR_BL_BLOB, 2004},
	{"mediumblob", TR_BL_SQL_MEDIUMBLOB, 0, TR_BL_BLOB, 2004},
	{"longblob", TR_BL_SQL_LONGBLOB, 0, TR_BL_BLOB, 2004},
	{"enum", TR_BL_SQL_ENUM, 0, TR_BL_ENUM, 1},
	{"set", TR_BL_SQL_SET, 0, TR_BL_SET, 1},
	{"json", TR_BL_SQL_JSON, 0, TR_BL_JSON, 1111},
	{"geometry", TR_BL_SQL_GEOMETRY, 0, TR_BL_GEOMETRY, 1111},
	{"point", TR_BL_SQL_GEOMETRY, 1, TR_BL_GEOMETRY, 1111},
	{"linestring", TR_BL_SQL_GEOMETRY, 2, TR_BL_GEOMETRY, 1111},
	{"polygon", TR_BL_SQL_GEOMETRY, 3, TR_BL_GEOMETRY, 1111},
	{"multipoint", TR_BL_SQL_GEOMETRY, 4, TR_BL_GEOMETRY, 1111},
	{"multilinestring", TR_BL_SQL_GEOMETRY, 5, TR_BL_GEOMETRY, 1111},
	{"multipolygon", TR_BL_SQL_GEOMETRY, 6, TR_BL_GEOMETRY, 1111},
	{"geomcollection", TR_BL_SQL_GEOMETRY, 7, TR_BL_GEOMETRY, 1111},
	{"geometrycollection", TR_BL_SQL_GEOMETRY, 7, TR_BL_GEOMETRY, 1111},
	{"vector", TR_BL_SQL_VECTOR, 0, TR_BL_VECTOR, 1111},
	{"uuid", TR_BL_SQL_UUID, 0, TR_BL_STRING, 1111},
	{"inet4", TR_BL_SQL_INET4, 0, TR_BL_STRING, 1111},
	{"inet6", TR_BL_SQL_INET6, 0, TR_BL_STRING, 1111},
};
#define NAMES (sizeof(names) / sizeof(names[0]))

const tr_bl_sql_name *tr_bl_sql_name_of(const tr_bl_column *column)
{
	for (size_t i = 0; i < NAMES; i++)
		if (names[i].sql == column->sql && names[i].geometry == column->geometry_type)
			return &names[i];
	return NULL;
}

bool tr_bl_sql_is_text(tr_bl_sql sql)
{
	return sql >= TR_BL_SQL_CHAR && sql <= TR_BL_SQL_LONGTEXT;
}

bool tr_bl_sql_is_bytes(tr_bl_sql sql)
{
	return sql >= TR_BL_SQL_BINARY && sql <= TR_BL_SQL_LONGBLOB;
}

bool tr_bl_sql_is_number(tr_bl_sql sql)
{
	return sql >= TR_BL_SQL_TINYINT && sql <= TR_BL_SQL_DECIMAL;
}

static int out_of_memory(tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "no memory for the description of a column");
}

/* One text between quotes as the servers print it: quotes doubled, backslash before some. Moves *at behind it. The result
 * has a NUL after it. */
static bool unquote(const char **at, tr_arena *arena, tr_slice *out)
{
	static const char letters[] = "0nrtbZ", meanings[] = "\0\n\r\t\b\x1a";
	const char *from, *found;
	char *text, *to;

	if (**at != '\'')
		return false;
	from = *at + 1;
	text = to = tr_arena_alloc(arena, strlen(from) + 1);
	if (!text)
		return false;
	for (; *from && (*from != '\'' || from[1] == '\''); from++) {
		if (*from == '\'') {
			from++;
		} else if (*from == '\\' && from[1]) {
			from++;
			found = strchr(letters, *from);
			*to++ = found ? meanings[found - letters] : *from;
			continue;
		}
		*to++ = *from;
	}
	if (*from != '\'')
		return false;
	*at = from + 1;
	*out = tr_slice_of(text, (size_t)(to - text));
	return true;
}

/* "('a','b')" */
static int parse_labels(const char *at, tr_arena *arena, tr_bl_column *out, tr_err *err)
{
	size_t max = 1;
	const char **values;

	for (const char *c = at; *c; c++)
		max += *c == ',';
	values = TR_ARENA_ARRAY(arena, const char *, max);
	if (!values)
		return out_of_memory(err);
	out->values = values;
	do {
		tr_slice text;

		at++;
		if (out->value_count == max || out->value_count == LABELS_MAX || !unquote(&at, arena, &text))
			break;
		values[out->value_count++] = (const char *)text.ptr;
		if (*at == ')')
			return 0;
	} while (*at == ',');
	return tr_err_set(err, TR_E_DECODE_PROTOCOL, "cannot read the labels of column \"%s\" from the server's catalogue", out->name);
}

static bool take_size(const char **at, uint32_t *out)
{
	const char *start = ++*at;

	for (*out = 0; **at >= '0' && **at <= '9' && *at - start < 9; (*at)++)
		*out = *out * 10 + (uint32_t)(**at - '0');
	return *at > start;
}

/* What is in parentheses, by type: "(10,2)", "(3)". */
static void parse_sizes(const char *at, tr_bl_column *out)
{
	uint32_t first, second;

	if (*at != '(' || !take_size(&at, &first))
		return;
	out->width_told = true;
	out->length = first;
	switch (out->sql) {
	case TR_BL_SQL_TIME: case TR_BL_SQL_DATETIME: case TR_BL_SQL_TIMESTAMP:
		out->fsp = (uint8_t)(first <= 6 ? first : 0);
		break;
	case TR_BL_SQL_FLOAT: case TR_BL_SQL_DOUBLE: case TR_BL_SQL_DECIMAL:
		out->precision = (uint8_t)first;
		if (*at == ',' && take_size(&at, &second)) {
			out->scale = (uint8_t)second;
			out->decimals_told = true;
		}
		break;
	default: break;
	}
}

static bool starts(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

static bool is_temporal(tr_bl_sql sql)
{
	return sql == TR_BL_SQL_DATETIME || sql == TR_BL_SQL_TIMESTAMP;
}

static unsigned hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;
}

/* Hexadecimal digits to their end, which is `end`. */
static bool unhex(const char *at, char end, tr_arena *arena, tr_slice *out)
{
	size_t digits = 0;
	uint8_t *bytes;

	while (hex_value(at[digits]) < 16)
		digits++;
	bytes = tr_arena_alloc(arena, digits / 2 + 1);
	if (!bytes || digits % 2 != 0 || at[digits] != end)
		return false;
	for (size_t i = 0; i < digits; i += 2)
		bytes[i / 2] = (uint8_t)(hex_value(at[i]) << 4 | hex_value(at[i + 1]));
	*out = tr_slice_of(bytes, digits / 2);
	return true;
}

/* b'101' to the bytes of the column, as the text protocol has them. */
static bool bits(const char *at, uint32_t length, tr_arena *arena, tr_slice *out)
{
	size_t bytes = length <= 64 ? (length + 7) / 8 : 0;
	uint8_t *value = tr_arena_alloc(arena, bytes + 1);
	uint64_t number = 0;

	for (at += 2; *at == '0' || *at == '1'; at++)
		number = number << 1 | (uint64_t)(*at - '0');
	for (size_t i = 0; value && i < bytes; i++)
		value[i] = (uint8_t)(number >> 8 * (bytes - 1 - i));
	*out = tr_slice_of(value, bytes);
	return value && bytes > 0 && *at == '\'';
}

static bool plain_number(const char *text)
{
	return *text && strspn(text, "0123456789.+-eE") == strlen(text);
}

/* MariaDB prints what could stand in a DDL: quotes around literals, anything else is an expression. */
static tr_bl_default_kind mariadb_default(const char *text, tr_arena *arena, tr_bl_column *out)
{
	const char *at = text;

	if (strcasecmp(text, "NULL") == 0)
		return TR_BL_DEFAULT_NULL;
	if (*text == '\'')
		return unquote(&at, arena, &out->default_text) && *at == '\0' ? TR_BL_DEFAULT_LITERAL : TR_BL_DEFAULT_EXPRESSION;
	if (starts(text, "b'"))
		return bits(text, out->length, arena, &out->default_text) ? TR_BL_DEFAULT_LITERAL : TR_BL_DEFAULT_EXPRESSION;
	if (starts(text, "x'"))
		return unhex(text + 2, '\'', arena, &out->default_text) ? TR_BL_DEFAULT_LITERAL : TR_BL_DEFAULT_EXPRESSION;
	if (is_temporal(out->sql) && starts(text, "current_timestamp"))
		return TR_BL_DEFAULT_NOW;
	return plain_number(text) ? TR_BL_DEFAULT_LITERAL : TR_BL_DEFAULT_EXPRESSION;
}

/* MySQL prints the value; EXTRA says when it is an expression instead. */
static tr_bl_default_kind mysql_default(const char *text, const char *extra, tr_arena *arena, tr_bl_column *out)
{
	bool generated = extra && strstr(extra, "DEFAULT_GENERATED");

	if (is_temporal(out->sql) && starts(text, "CURRENT_TIMESTAMP"))
		return TR_BL_DEFAULT_NOW;
	if (generated)
		return TR_BL_DEFAULT_EXPRESSION;
	if (out->sql == TR_BL_SQL_BIT)
		return starts(text, "b'") && bits(text, out->length, arena, &out->default_text) ? TR_BL_DEFAULT_LITERAL
		                                                                                : TR_BL_DEFAULT_EXPRESSION;
	if (tr_bl_sql_is_bytes(out->sql) && starts(text, "0x"))
		unhex(text + 2, '\0', arena, &out->default_text);
	/* Bytes that are no text are a hexadecimal number in the statement, and Debezium reads no default from one. */
	return tr_text_utf8_valid(out->default_text) ? TR_BL_DEFAULT_LITERAL : TR_BL_DEFAULT_EXPRESSION;
}

static int parse_default(const tr_bl_facts *facts, tr_arena *arena, tr_bl_column *out, tr_err *err)
{
	const char *text = facts->column_default;

	if (!text || out->generated) {
		out->default_kind = out->nullable && !out->generated ? TR_BL_DEFAULT_NULL : TR_BL_DEFAULT_NONE;
		return 0;
	}
	out->default_kind = facts->mariadb ? mariadb_default(text, arena, out) : mysql_default(text, facts->extra, arena, out);
	if (!out->default_text.ptr || out->default_kind == TR_BL_DEFAULT_EXPRESSION)
		out->default_text = tr_slice_of(tr_arena_strdup(arena, text), strlen(text));
	return out->default_text.ptr ? 0 : out_of_memory(err);
}

static const char *copy(tr_arena *arena, const char *text, bool *failed)
{
	const char *out = text ? tr_arena_strdup(arena, text) : NULL;

	*failed |= text && !out;
	return out;
}

static void apply_name(const tr_bl_facts *facts, tr_bl_column *out)
{
	for (size_t i = 0; i < NAMES; i++) {
		if (strcasecmp(names[i].name, facts->data_type ? facts->data_type : "") != 0)
			continue;
		out->sql = names[i].sql;
		out->geometry_type = names[i].geometry;
	}
}

int tr_bl_column_from_facts(const tr_bl_facts *facts, tr_arena *arena, tr_bl_column *out, tr_err *err)
{
	const char *type = facts->column_type ? facts->column_type : "", *sizes = strchr(type, '(');
	const char *extra = facts->extra ? facts->extra : "";
	bool failed = false;

	*out = (tr_bl_column){.mariadb = facts->mariadb, .collation = facts->collation_id, .key_rank = facts->key_rank};
	apply_name(facts, out);
	out->name = copy(arena, facts->name, &failed);
	out->type_text = copy(arena, facts->column_type, &failed);
	out->charset = copy(arena, tr_bl_sql_is_bytes(out->sql) ? "binary" : facts->charset, &failed);
	out->comment = copy(arena, facts->comment && *facts->comment ? facts->comment : NULL, &failed);
	out->generation = copy(arena, facts->generation && *facts->generation ? facts->generation : NULL, &failed);
	if (failed)
		return out_of_memory(err);
	out->nullable = facts->is_nullable && strcasecmp(facts->is_nullable, "YES") == 0;
	out->auto_increment = strcasestr(extra, "auto_increment");
	out->invisible = strstr(extra, "INVISIBLE");
	out->generated = strstr(extra, "STORED GENERATED") || strstr(extra, "VIRTUAL GENERATED") || strcasestr(extra, "PERSISTENT");
	if (tr_bl_sql_is_number(out->sql)) {
		out->zerofill = strstr(type, " zerofill");
		out->is_unsigned = out->zerofill || strstr(type, " unsigned");
	}
	if (sizes && (out->sql == TR_BL_SQL_ENUM || out->sql == TR_BL_SQL_SET)) {
		if (parse_labels(sizes, arena, out, err) != 0)
			return -1;
	} else if (sizes) {
		parse_sizes(sizes, out);
	}
	if (out->sql == TR_BL_SQL_BIT && !out->width_told)
		out->length = 1;
	return parse_default(facts, arena, out, err);
}

/* Blobs: by the size of their length prefix, as text or as bytes. */
static tr_bl_sql blob_of(unsigned prefix, bool bytes)
{
	static const tr_bl_sql text[] = {TR_BL_SQL_TINYTEXT, TR_BL_SQL_TEXT, TR_BL_SQL_MEDIUMTEXT, TR_BL_SQL_LONGTEXT};
	static const tr_bl_sql blob[] = {TR_BL_SQL_TINYBLOB, TR_BL_SQL_BLOB, TR_BL_SQL_MEDIUMBLOB, TR_BL_SQL_LONGBLOB};

	if (prefix < 1 || prefix > 4)
		return TR_BL_SQL_UNKNOWN;
	return bytes ? blob[prefix - 1] : text[prefix - 1];
}

static tr_bl_sql sql_of(const tr_bl_map_column *map, bool bytes)
{
	switch (map->type) {
	case TR_BL_TIME: return TR_BL_SQL_TIME;
	case TR_BL_DATETIME: return TR_BL_SQL_DATETIME;
	case TR_BL_TIMESTAMP: return TR_BL_SQL_TIMESTAMP;
	case TR_BL_NEWDATE: return TR_BL_SQL_DATE;
	case TR_BL_STRING: return bytes ? TR_BL_SQL_BINARY : TR_BL_SQL_CHAR;
	case TR_BL_VARCHAR: case TR_BL_VAR_STRING: case TR_BL_VARCHAR_COMPRESSED:
		return bytes ? TR_BL_SQL_VARBINARY : TR_BL_SQL_VARCHAR;
	case TR_BL_TINY_BLOB: case TR_BL_BLOB: case TR_BL_MEDIUM_BLOB: case TR_BL_LONG_BLOB: case TR_BL_BLOB_COMPRESSED:
		return blob_of(map->scale, bytes);
	default: break;
	}
	for (size_t i = 0; i < NAMES; i++)
		if (names[i].wire == map->type)
			return names[i].sql;
	return TR_BL_SQL_UNKNOWN;
}

static void sizes_of(const tr_bl_map_column *map, tr_bl_column *out)
{
	uint32_t max = tr_bl_charset_max_bytes(out->charset);

	switch (out->sql) {
	case TR_BL_SQL_DECIMAL:
		out->precision = map->precision;
		out->scale = map->scale;
		out->decimals_told = out->width_told = true;
		out->length = map->precision;
		break;
	case TR_BL_SQL_TIME: case TR_BL_SQL_DATETIME: case TR_BL_SQL_TIMESTAMP:
		out->fsp = map->scale;
		out->length = out->fsp;
		out->width_told = out->fsp > 0;
		break;
	case TR_BL_SQL_CHAR: case TR_BL_SQL_VARCHAR: case TR_BL_SQL_BINARY: case TR_BL_SQL_VARBINARY: case TR_BL_SQL_BIT:
		out->length = map->length_bytes / max;
		out->width_told = true;
		break;
	case TR_BL_SQL_VECTOR:
		out->length = map->dimensions;
		out->width_told = map->dimensions > 0;
		break;
	case TR_BL_SQL_GEOMETRY: out->geometry_type = map->geometry <= 7 ? map->geometry : 0; break;
	default: break;
	}
}

static int labels_of(const tr_bl_map_column *map, tr_arena *arena, tr_bl_column *out, tr_err *err)
{
	const tr_bl_charset *charset = NULL;
	const char **values = TR_ARENA_ARRAY(arena, const char *, map->value_count + 1);

	if (!values)
		return out_of_memory(err);
	if (tr_bl_charset_find(out->charset && strcmp(out->charset, "binary") != 0 ? out->charset : "utf8mb4", &charset, err) != 0)
		return -1;
	for (size_t i = 0; i < map->value_count; i++) {
		tr_slice text;

		if (!tr_bl_charset_utf8(charset, map->values[i], arena, &text))
			return text.ptr ? tr_err_set(err, TR_E_DECODE_PROTOCOL, "cannot read the labels of column \"%s\" from the log",
			                             out->name)
			                : out_of_memory(err);
		values[i] = tr_arena_strndup(arena, text.ptr, text.len);
		if (!values[i])
			return out_of_memory(err);
	}
	out->values = values;
	out->value_count = map->value_count;
	return 0;
}

int tr_bl_column_from_map(const tr_bl_table *table, size_t index, bool mariadb, tr_arena *arena, tr_bl_column *out,
                          tr_err *err)
{
	const tr_bl_map_column *map = &table->columns[index];

	*out = (tr_bl_column){.mariadb = mariadb, .nullable = map->nullable, .collation = map->collation,
	                      .is_unsigned = table->has_signedness && map->is_unsigned, .invisible = !map->visible,
	                      .key_rank = map->key_rank, .wire_type = map->type};
	out->charset = map->collation ? tr_bl_collation_charset(map->collation) : NULL;
	/* Without a character set it is bytes: FULL tells one for all text. */
	out->sql = sql_of(map, !out->charset || strcmp(out->charset, "binary") == 0);
	if (tr_bl_sql_is_bytes(out->sql))
		out->charset = "binary";
	out->name = tr_arena_strndup(arena, map->name.ptr, map->name.len);
	if (!out->name)
		return out_of_memory(err);
	if (map->name.len == 0 || (map->value_count == 0 && (out->sql == TR_BL_SQL_ENUM || out->sql == TR_BL_SQL_SET))) {
		tr_err_set(err, TR_E_DECODE_PROTOCOL, "the log does not describe column %zu of its table", index + 1);
		return tr_err_hint(err, "set binlog_row_metadata=FULL on the source");
	}
	sizes_of(map, out);
	return map->value_count > 0 ? labels_of(map, arena, out, err) : 0;
}

static bool labels_match(const tr_bl_map_column *map, const tr_bl_column *column)
{
	const tr_bl_charset *charset;
	tr_arena scratch;
	tr_err ignored;
	bool same = map->value_count == 0 || map->value_count == column->value_count;
	const char *name = map->collation ? tr_bl_collation_charset(map->collation) : column->charset;

	if (!same || map->value_count == 0 || !name || strcmp(name, "binary") == 0)
		return same;
	if (tr_bl_charset_find(name, &charset, &ignored) != 0)
		return false;
	tr_arena_init(&scratch, (size_t)4 << 20);
	for (size_t i = 0; same && i < map->value_count; i++) {
		tr_slice text;

		same = tr_bl_charset_utf8(charset, map->values[i], &scratch, &text) &&
		       tr_slice_eq(text, tr_slice_str(column->values[i]));
	}
	tr_arena_release(&scratch);
	return same;
}

/* Fixed bytes of MariaDB's own types in a STRING. */
static uint32_t fixed_bytes(tr_bl_sql sql)
{
	return sql == TR_BL_SQL_INET4 ? 4 : sql == TR_BL_SQL_UUID || sql == TR_BL_SQL_INET6 ? 16 : 0;
}

static bool type_matches(const tr_bl_map_column *map, const tr_bl_column *column)
{
	const tr_bl_sql_name *name = tr_bl_sql_name_of(column);

	if (!name)
		return false;
	switch (map->type) {
	/* Of MariaDB's old forms the map does not know the fraction. */
	case TR_BL_TIME: return column->sql == TR_BL_SQL_TIME && (column->fsp == 0 || column->mariadb);
	case TR_BL_DATETIME: return column->sql == TR_BL_SQL_DATETIME && (column->fsp == 0 || column->mariadb);
	case TR_BL_TIMESTAMP: return column->sql == TR_BL_SQL_TIMESTAMP && (column->fsp == 0 || column->mariadb);
	case TR_BL_NEWDATE: return column->sql == TR_BL_SQL_DATE;
	case TR_BL_VAR_STRING: case TR_BL_VARCHAR_COMPRESSED: return name->wire == TR_BL_VARCHAR;
	case TR_BL_BLOB_COMPRESSED: return name->wire == TR_BL_BLOB;
	/* MariaDB's vectors are VARBINARY. */
	case TR_BL_VARCHAR: return name->wire == TR_BL_VARCHAR || (column->mariadb && column->sql == TR_BL_SQL_VECTOR);
	case TR_BL_BLOB: return name->wire == TR_BL_BLOB;
	default: return name->wire == map->type;
	}
}

static bool sizes_match(const tr_bl_map_column *map, const tr_bl_column *column)
{
	uint32_t max = tr_bl_charset_max_bytes(column->charset);
	size_t labels = column->value_count;

	switch (map->type) {
	case TR_BL_NEWDECIMAL: return map->precision == column->precision && map->scale == column->scale;
	case TR_BL_TIMESTAMP2: case TR_BL_DATETIME2: case TR_BL_TIME2: return map->scale == column->fsp;
	case TR_BL_BIT: return map->length_bytes == column->length;
	case TR_BL_ENUM: return map->scale == (labels < 256 ? 1 : 2);
	case TR_BL_SET: return map->scale == (labels > 32 ? 8 : (labels + 7) / 8);
	case TR_BL_STRING: case TR_BL_VARCHAR:
		if (fixed_bytes(column->sql) > 0)
			return map->length_bytes == fixed_bytes(column->sql);
		if (column->sql == TR_BL_SQL_VECTOR)
			return map->length_bytes == 4 * column->length;
		return !column->width_told || map->length_bytes == column->length * max;
	case TR_BL_BLOB: {
		bool bytes = tr_bl_sql_is_bytes(column->sql);

		return blob_of(map->scale, bytes) == column->sql;
	}
	case TR_BL_VECTOR: return map->dimensions == 0 || map->dimensions == column->length;
	case TR_BL_GEOMETRY: return map->geometry == 0 || column->geometry_type == map->geometry;
	default: return true;
	}
}

static bool charset_matches(const tr_bl_map_column *map, const tr_bl_column *column)
{
	const char *charset = map->collation ? tr_bl_collation_charset(map->collation) : NULL;

	if (!charset || !column->charset)
		return true;
	return strcmp(charset, column->charset) == 0;
}

bool tr_bl_column_matches(const tr_bl_table *table, size_t index, const tr_bl_column *column)
{
	const tr_bl_map_column *map = &table->columns[index];
	bool labelled = column->sql == TR_BL_SQL_ENUM || column->sql == TR_BL_SQL_SET;

	if (table->has_names && !tr_slice_eq(map->name, tr_slice_str(column->name)))
		return false;
	if (table->has_signedness && tr_bl_sql_is_number(column->sql) && map->is_unsigned != column->is_unsigned)
		return false;
	return map->nullable == column->nullable && type_matches(map, column) && sizes_match(map, column) &&
	       charset_matches(map, column) && (!labelled || labels_match(map, column));
}
