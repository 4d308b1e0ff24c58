/* A column in the words of Debezium's catalogue. */
#include "core/text.h"
#include "decoders/binlog/names.h"

static const char *upper(tr_arena *arena, const char *text, size_t len)
{
	char *out = tr_arena_strndup(arena, text, len);

	for (char *at = out; at && *at; at++)
		if (*at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
	return out;
}

/* "BIGINT UNSIGNED ZEROFILL": the server's own word for the type, and what is said of its sign. */
static const char *type_name(const tr_bl_column *in, tr_arena *arena)
{
	const tr_bl_sql_name *known = tr_bl_sql_name_of(in);
	const char *text = in->type_text ? in->type_text : known ? known->name : "unknown";
	const char *word = upper(arena, text, strcspn(text, "( "));

	if (!word)
		return NULL;
	if (in->zerofill)
		return tr_arena_format(arena, "%s UNSIGNED ZEROFILL", word);
	return in->is_unsigned ? tr_arena_format(arena, "%s UNSIGNED", word) : word;
}

int tr_bl_source_column(const tr_bl_column *in, tr_arena *arena, tr_source_column *out)
{
	bool real = in->sql == TR_BL_SQL_FLOAT || in->sql == TR_BL_SQL_DOUBLE || in->sql == TR_BL_SQL_DECIMAL;

	out->type_name = type_name(in, arena);
	out->comment = in->comment && *in->comment ? tr_arena_strdup(arena, in->comment) : NULL;
	out->length = in->width_told ? (int64_t)in->length : -1;
	out->scale = real && in->decimals_told ? in->scale : -1;
	if (in->sql == TR_BL_SQL_ENUM)
		out->length = 1;
	/* As many as there would be with one character each, with the commas. */
	if (in->sql == TR_BL_SQL_SET)
		out->length = in->value_count > 0 ? 2 * (int64_t)in->value_count - 1 : 0;
	if (in->sql == TR_BL_SQL_BIT)
		out->length = in->length;
	if (in->comment && *in->comment && !out->comment)
		return -1;
	return out->type_name ? 0 : -1;
}

static size_t put_escape(char *at, uint8_t c)
{
	static const char plain[] = "'\\\n\r", escaped[] = "'\\nr";
	const char *found = c ? strchr(plain, c) : NULL;

	if (c && !found) {
		at[0] = (char)c;
		return 1;
	}
	at[0] = c == '\'' ? '\'' : '\\';
	at[1] = c ? escaped[found - plain] : '0';
	return 2;
}

tr_slice tr_bl_as_written(tr_slice text, size_t length, tr_arena *arena)
{
	size_t total = text.len > length ? text.len : length;
	char *start = tr_arena_array(arena, 2, total + 1), *at = start;

	for (size_t i = 0; start && i < total; i++)
		at += put_escape(at, i < text.len ? text.ptr[i] : 0);
	return tr_slice_of(start, (size_t)(at - start));
}

/* As above, for a field that holds text: NUL-terminated, what is no UTF-8 mended. NULL: out of memory. */
static const char *written_text(tr_slice text, size_t length, tr_arena *arena)
{
	tr_slice written = tr_bl_as_written(text, length, arena);
	const char *mended;
	tr_writer w;

	if (!written.ptr || tr_text_utf8_valid(written))
		return (const char *)written.ptr;
	tr_writer_init(&w, 3 * written.len + 1);
	tr_text_utf8_mend(&w, written);
	mended = tr_writer_ok(&w) ? tr_arena_strndup(arena, w.data, w.len) : NULL;
	tr_writer_release(&w);
	return mended;
}

static char *bits_text(tr_slice bytes, tr_arena *arena)
{
	char *start = tr_arena_alloc(arena, 8 * bytes.len + 2), *at = start;

	for (size_t i = 0; start && i < 8 * bytes.len; i++) {
		char digit = (char)('0' + (bytes.ptr[i / 8] >> (7 - i % 8) & 1));

		if (at > start || digit == '1')
			*at++ = digit;
	}
	if (start && at == start)
		*at++ = '0';
	return start;
}

static bool default_expression(const tr_bl_column *in, tr_arena *arena, const char **out)
{
	*out = NULL;
	if (in->default_kind == TR_BL_DEFAULT_NOW)
		*out = "1970-01-01 00:00:00";
	if (in->default_kind != TR_BL_DEFAULT_LITERAL)
		return true;
	if (in->sql == TR_BL_SQL_BIT)
		*out = bits_text(in->default_text, arena);
	else
		*out = written_text(in->default_text, in->sql == TR_BL_SQL_BINARY ? in->length : 0, arena);
	return *out != NULL;
}

/* Quoted, as in a statement. */
static bool quoted_labels(const tr_bl_column *in, tr_arena *arena, tr_schema_column *out)
{
	const char **values = TR_ARENA_ARRAY(arena, const char *, in->value_count + 1);

	for (size_t i = 0; values && i < in->value_count; i++) {
		const char *text = written_text(tr_slice_str(in->values[i]), 0, arena);

		values[i] = text ? tr_arena_format(arena, "'%s'", text) : NULL;
		if (!values[i])
			return false;
	}
	out->values = values;
	out->value_count = in->value_count;
	return values != NULL;
}

int tr_bl_schema_column(const tr_bl_column *in, tr_arena *arena, tr_schema_column *out)
{
	const tr_bl_sql_name *known = tr_bl_sql_name_of(in);
	tr_source_column source;

	if (tr_bl_source_column(in, arena, &source) != 0)
		return -1;
	/* Debezium calls generated what gets its value by AUTO_INCREMENT, and nothing else. */
	*out = (tr_schema_column){.name = in->name, .jdbc_type = known ? known->jdbc : 1111, .type = source.type_name,
	                          .length = source.length, .scale = source.scale, .optional = in->nullable,
	                          .auto_increment = in->auto_increment, .generated = in->auto_increment, .comment = in->comment};
	if (!tr_bl_sql_is_bytes(in->sql))
		out->charset = in->charset;
	if (!default_expression(in, arena, &out->default_expression))
		return -1;
	return in->value_count == 0 || quoted_labels(in, arena, out) ? 0 : -1;
}
