#include "decoders/binlog/decoder.h"

#define DECIMAL_DIGITS_MAX 81 /* far above the servers' 65 */

/* What a type's metadata looks like, and how its values stand in a row. */
typedef enum rule {
	UNKNOWN,
	FIXED,     /* no metadata; `bytes` in the row */
	REAL,      /* one byte: the size in the row */
	LENGTH,    /* one byte: the size of the length prefix */
	VARYING,   /* two bytes: the maximum in bytes, which decides on one or two bytes of prefix */
	PACKED,    /* STRING: real type and maximum */
	DIGITS,    /* precision, scale */
	BITS,
	FRACTION,  /* one byte: digits of the fraction, (n + 1) / 2 bytes behind `bytes` */
} rule;

static const struct { uint8_t rule, bytes; } rules[256] = {
	[TR_BL_TINY] = {FIXED, 1}, [TR_BL_SHORT] = {FIXED, 2}, [TR_BL_INT24] = {FIXED, 3}, [TR_BL_LONG] = {FIXED, 4},
	[TR_BL_LONGLONG] = {FIXED, 8}, [TR_BL_NULL] = {FIXED, 0}, [TR_BL_YEAR] = {FIXED, 1}, [TR_BL_DATE] = {FIXED, 3},
	[TR_BL_NEWDATE] = {FIXED, 3}, [TR_BL_TIME] = {FIXED, 3}, [TR_BL_TIMESTAMP] = {FIXED, 4}, [TR_BL_DATETIME] = {FIXED, 8},
	[TR_BL_FLOAT] = {REAL, 4}, [TR_BL_DOUBLE] = {REAL, 8}, [TR_BL_TINY_BLOB] = {LENGTH, 0}, [TR_BL_BLOB] = {LENGTH, 0},
	[TR_BL_MEDIUM_BLOB] = {LENGTH, 0}, [TR_BL_LONG_BLOB] = {LENGTH, 0}, [TR_BL_GEOMETRY] = {LENGTH, 0},
	[TR_BL_JSON] = {LENGTH, 0}, [TR_BL_VECTOR] = {LENGTH, 0}, [TR_BL_BLOB_COMPRESSED] = {LENGTH, 0},
	[TR_BL_VARCHAR] = {VARYING, 0}, [TR_BL_VAR_STRING] = {VARYING, 0}, [TR_BL_VARCHAR_COMPRESSED] = {VARYING, 0},
	[TR_BL_STRING] = {PACKED, 0}, [TR_BL_ENUM] = {PACKED, 0}, [TR_BL_SET] = {PACKED, 0}, [TR_BL_NEWDECIMAL] = {DIGITS, 0},
	[TR_BL_BIT] = {BITS, 0}, [TR_BL_TIMESTAMP2] = {FRACTION, 4}, [TR_BL_DATETIME2] = {FRACTION, 5},
	[TR_BL_TIME2] = {FRACTION, 3},
};

/* Nine digits in four bytes, and what is left over. */
static uint32_t digits_bytes(unsigned digits)
{
	static const uint8_t rest[] = {0, 1, 1, 2, 2, 3, 3, 4, 4};

	return digits / 9 * 4 + rest[digits % 9];
}

static bool read_packed_string(tr_reader *meta, tr_bl_map_column *column, tr_bl_step *step)
{
	unsigned type = tr_reader_u8(meta), length = tr_reader_u8(meta);

	/* Lengths above 255 lie in two bits of the type, inverted. */
	if ((type & 0x30) != 0x30) {
		length |= ((type & 0x30) ^ 0x30) << 4;
		type |= 0x30;
	}
	column->type = (uint8_t)type;
	switch (type) {
	case TR_BL_STRING:
		column->length_bytes = length;
		step->prefix = length > UINT8_MAX ? 2 : 1;
		return true;
	case TR_BL_ENUM: case TR_BL_SET:
		column->scale = (uint8_t)length;
		step->bytes = length;
		return length >= 1 && length <= (type == TR_BL_ENUM ? 2 : 8);
	default:
		return false;
	}
}

static bool read_bits(tr_reader *meta, tr_bl_map_column *column, tr_bl_step *step)
{
	unsigned bits = tr_reader_u8(meta), bytes = tr_reader_u8(meta);

	column->length_bytes = bytes * 8 + bits;
	step->bytes = bytes + (bits > 0);
	return column->length_bytes <= 64 && bits < 8;
}

static bool read_meta(tr_reader *meta, tr_bl_map_column *column, tr_bl_step *step)
{
	const uint8_t type = column->type;

	step->bytes = rules[type].bytes;
	switch ((rule)rules[type].rule) {
	case FIXED: return true;
	case REAL: return tr_reader_u8(meta) == rules[type].bytes;
	case LENGTH:
		column->scale = step->prefix = tr_reader_u8(meta);
		step->kind = type == TR_BL_JSON ? TR_BL_JSON_STEP : type == TR_BL_BLOB_COMPRESSED ? TR_BL_COMPRESSED_STEP : TR_BL_PLAIN;
		return step->prefix >= 1 && step->prefix <= 4;
	case VARYING:
		column->length_bytes = (uint32_t)tr_reader_le(meta, 2);
		step->prefix = column->length_bytes > UINT8_MAX ? 2 : 1;
		step->kind = type == TR_BL_VARCHAR_COMPRESSED ? TR_BL_COMPRESSED_STEP : TR_BL_PLAIN;
		return true;
	case PACKED: return read_packed_string(meta, column, step);
	case DIGITS:
		column->precision = tr_reader_u8(meta);
		column->scale = tr_reader_u8(meta);
		step->bytes = digits_bytes((unsigned)(column->precision - column->scale)) + digits_bytes(column->scale);
		return column->precision >= 1 && column->precision <= DECIMAL_DIGITS_MAX && column->scale <= column->precision;
	case BITS: return read_bits(meta, column, step);
	case FRACTION:
		column->scale = tr_reader_u8(meta);
		step->bytes += (column->scale + 1u) / 2;
		return column->scale <= 6;
	case UNKNOWN: default: return false;
	}
}

static bool is_old_temporal(uint8_t type)
{
	return type == TR_BL_TIME || type == TR_BL_DATETIME || type == TR_BL_TIMESTAMP;
}

bool tr_bl_unsure(const tr_bl_table *table, size_t column)
{
	/* The table is the first part of its shape. */
	const tr_bl_shape *s = (const tr_bl_shape *)(const void *)table;

	return column < table->column_count && s->steps[column].unsure;
}

int tr_bl_tell_fraction(tr_bl_table *table, size_t column, unsigned digits, tr_err *err)
{
	static const uint8_t time_bytes[] = {3, 4, 4, 5, 5, 5, 6}, datetime_bytes[] = {8, 6, 6, 7, 7, 7, 8},
			     timestamp_bytes[] = {4, 5, 5, 6, 6, 7, 7};
	tr_bl_shape *s = (tr_bl_shape *)(void *)table;
	uint8_t type;

	if (!tr_bl_unsure(table, column) || digits > 6)
		return tr_err_set(err, TR_E_BUG, "%u digits of a fraction told for column %zu, which has none to tell", digits,
		                  column + 1);
	type = s->columns[column].type;
	s->columns[column].scale = (uint8_t)digits;
	s->steps[column].bytes = type == TR_BL_TIME ? time_bytes[digits] : type == TR_BL_DATETIME ? datetime_bytes[digits]
	                                                                                         : timestamp_bytes[digits];
	s->steps[column].unsure = false;
	s->unsure_count--;
	return 0;
}

int tr_bl_read_columns(tr_bl_cursor *c, tr_bl_shape *s, tr_err *err)
{
	const size_t count = s->table.column_count;
	tr_bl_map_column *columns = TR_ARENA_ARRAY(&s->arena, tr_bl_map_column, count + 1);
	const uint8_t *types = tr_reader_take(&c->r, count), *nullable;
	tr_reader meta;

	s->table.columns = s->columns = columns;
	s->steps = TR_ARENA_ARRAY(&s->arena, tr_bl_step, count + 1);
	if (!columns || !s->steps)
		return tr_bl_oom(c, err);
	tr_reader_init(&meta, tr_reader_bytes(&c->r, tr_bl_packed(&c->r)));
	nullable = tr_reader_take(&c->r, (count + 7) / 8);
	if (tr_bl_finish(c, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		columns[i].type = types[i];
		columns[i].nullable = nullable[i / 8] >> (i % 8) & 1;
		columns[i].visible = true;
		s->steps[i].column = (uint16_t)i;
		if (!read_meta(&meta, &columns[i], &s->steps[i]) || meta.failed)
			return tr_bl_fail(c, TR_E_DECODE_UNKNOWN, err, "column %zu of table %.*s.%.*s has type %u with metadata that is "
			                  "not known", i + 1, (int)s->table.database.len, (const char *)s->table.database.ptr,
			                  (int)s->table.name.len, (const char *)s->table.name.ptr, types[i]);
		s->steps[i].unsure = c->d->mariadb && is_old_temporal(types[i]);
		s->unsure_count += s->steps[i].unsure;
		s->json_count += s->steps[i].kind == TR_BL_JSON_STEP;
		s->unpacks |= s->steps[i].kind == TR_BL_COMPRESSED_STEP;
	}
	return 0;
}

enum { SIGNEDNESS = 1, DEFAULT_CHARSET, COLUMN_CHARSET, COLUMN_NAME, SET_VALUES, ENUM_VALUES, GEOMETRY_TYPE, SIMPLE_KEY,
       PREFIXED_KEY, ENUM_DEFAULT_CHARSET, ENUM_COLUMN_CHARSET, VISIBILITY, DIMENSIONS };

/* The classes of columns that a part of the metadata speaks of, in table order. */
typedef bool (*column_class)(const tr_bl_map_column *column);

static bool is_numeric(const tr_bl_map_column *column)
{
	switch (column->type) {
	case TR_BL_TINY: case TR_BL_SHORT: case TR_BL_INT24: case TR_BL_LONG: case TR_BL_LONGLONG: case TR_BL_FLOAT:
	case TR_BL_DOUBLE: case TR_BL_NEWDECIMAL: case TR_BL_YEAR:
		return true;
	default:
		return false;
	}
}

/* As the servers count them: a vector is a kind of blob. */
static bool is_character(const tr_bl_map_column *column)
{
	switch (column->type) {
	case TR_BL_STRING: case TR_BL_VAR_STRING: case TR_BL_VARCHAR: case TR_BL_TINY_BLOB: case TR_BL_BLOB: case TR_BL_MEDIUM_BLOB:
	case TR_BL_LONG_BLOB: case TR_BL_BLOB_COMPRESSED: case TR_BL_VARCHAR_COMPRESSED: case TR_BL_VECTOR:
		return true;
	default:
		return false;
	}
}

/* MariaDB tells a collation for geometries, too. */
static bool is_character_or_geometry(const tr_bl_map_column *column)
{
	return column->type == TR_BL_GEOMETRY || is_character(column);
}

static bool is_choice(const tr_bl_map_column *column)
{
	return column->type == TR_BL_ENUM || column->type == TR_BL_SET;
}

static bool is_enum(const tr_bl_map_column *column)
{
	return column->type == TR_BL_ENUM;
}

static bool is_set(const tr_bl_map_column *column)
{
	return column->type == TR_BL_SET;
}

static bool is_geometry(const tr_bl_map_column *column)
{
	return column->type == TR_BL_GEOMETRY;
}

static bool is_vector(const tr_bl_map_column *column)
{
	return column->type == TR_BL_VECTOR;
}

/* One part of the optional metadata: `r` holds its value. */
typedef struct part {
	const tr_bl_cursor *c;
	tr_bl_shape *s;
	tr_bl_map_column *columns;
	size_t count;
	tr_reader r;
} part;

/* Next column of the class from *at on, or NULL. */
static tr_bl_map_column *next_of(const part *p, column_class class, size_t *at)
{
	while (*at < p->count)
		if (class(&p->columns[(*at)++]))
			return &p->columns[*at - 1];
	return NULL;
}

/* Bits from the highest down, one per column of the class. */
static bool next_bit(part *p, unsigned *mask, uint8_t *byte)
{
	if (*mask == 0) {
		*byte = tr_reader_u8(&p->r);
		*mask = 0x80;
	}
	bool bit = (*byte & *mask) != 0;
	*mask >>= 1;
	return bit;
}

static void read_signedness(part *p)
{
	tr_bl_map_column *column;
	unsigned mask = 0;
	uint8_t byte = 0;

	p->s->table.has_signedness = true;
	for (size_t at = 0; (column = next_of(p, is_numeric, &at));)
		column->is_unsigned = next_bit(p, &mask, &byte);
}

static void read_visibility(part *p)
{
	unsigned mask = 0;
	uint8_t byte = 0;

	p->s->table.has_visibility = true;
	for (size_t i = 0; i < p->count; i++)
		p->columns[i].visible = next_bit(p, &mask, &byte);
}

static void read_collations(part *p, column_class class)
{
	tr_bl_map_column *column;

	p->s->table.has_collations = true;
	for (size_t at = 0; (column = next_of(p, class, &at));)
		column->collation = (uint16_t)tr_bl_packed(&p->r);
}

/* A default, and pairs of a column's place within its class and its own; the places go up. */
static void read_default_collation(part *p, column_class class)
{
	uint16_t collation = (uint16_t)tr_bl_packed(&p->r);
	tr_bl_map_column *column;
	size_t at = 0;

	p->s->table.has_collations = true;
	while ((column = next_of(p, class, &at)))
		column->collation = collation;
	at = 0;
	for (uint64_t place = 0; tr_reader_left(&p->r) > 0 && !p->r.failed;) {
		uint64_t wanted = tr_bl_packed(&p->r);

		collation = (uint16_t)tr_bl_packed(&p->r);
		column = NULL;
		while (place <= wanted && (column = next_of(p, class, &at)))
			place++;
		if (!column)
			tr_reader_fail(&p->r, 1);
		else
			column->collation = collation;
	}
}

static void read_names(part *p)
{
	p->s->table.has_names = true;
	for (size_t i = 0; i < p->count; i++)
		p->columns[i].name = tr_reader_bytes(&p->r, tr_bl_packed(&p->r));
}

/* -1: no memory. */
static int read_values(part *p, column_class class)
{
	tr_bl_map_column *column;

	for (size_t at = 0; !p->r.failed && (column = next_of(p, class, &at));) {
		uint64_t count = tr_bl_packed(&p->r);
		tr_slice *values;

		/* Each takes a byte at least: a count beyond that is damaged, and no reason to ask for memory. */
		if (count > tr_reader_left(&p->r)) {
			tr_reader_fail(&p->r, count);
			break;
		}
		values = TR_ARENA_ARRAY(&p->s->arena, tr_slice, count + 1);
		if (!values)
			return -1;
		for (uint64_t i = 0; i < count; i++)
			values[i] = tr_reader_bytes(&p->r, tr_bl_packed(&p->r));
		column->values = values;
		column->value_count = (uint32_t)count;
	}
	return 0;
}

static void read_numbers(part *p, column_class class, size_t offset)
{
	tr_bl_map_column *column;

	for (size_t at = 0; (column = next_of(p, class, &at));) {
		uint16_t number = (uint16_t)tr_bl_packed(&p->r);

		memcpy((char *)column + offset, &number, sizeof(number));
	}
}

static void read_key(part *p, bool prefixed)
{
	p->s->table.has_key = true;
	for (uint16_t rank = 1; tr_reader_left(&p->r) > 0 && !p->r.failed; rank++) {
		uint64_t index = tr_bl_packed(&p->r);
		uint64_t prefix = prefixed ? tr_bl_packed(&p->r) : 0;

		if (index >= p->count || p->columns[index].key_rank != 0) {
			tr_reader_fail(&p->r, 1);
			return;
		}
		p->columns[index].key_rank = rank;
		p->columns[index].key_prefix = (uint32_t)prefix;
	}
}

static int read_part(part *p, uint8_t type)
{
	const column_class characters = p->c->d->mariadb ? is_character_or_geometry : is_character;

	switch (type) {
	case SIGNEDNESS: read_signedness(p); return 0;
	case DEFAULT_CHARSET: read_default_collation(p, characters); return 0;
	case COLUMN_CHARSET: read_collations(p, characters); return 0;
	case COLUMN_NAME: read_names(p); return 0;
	case SET_VALUES: return read_values(p, is_set);
	case ENUM_VALUES: return read_values(p, is_enum);
	case GEOMETRY_TYPE: read_numbers(p, is_geometry, offsetof(tr_bl_map_column, geometry)); return 0;
	case SIMPLE_KEY: read_key(p, false); return 0;
	case PREFIXED_KEY: read_key(p, true); return 0;
	case ENUM_DEFAULT_CHARSET: read_default_collation(p, is_choice); return 0;
	case ENUM_COLUMN_CHARSET: read_collations(p, is_choice); return 0;
	case VISIBILITY: read_visibility(p); return 0;
	case DIMENSIONS: read_numbers(p, is_vector, offsetof(tr_bl_map_column, dimensions)); return 0;
	default: /* a later version's: its length says where the next begins */
		tr_reader_bytes(&p->r, tr_reader_left(&p->r));
		return 0;
	}
}

int tr_bl_read_optional(tr_bl_cursor *c, tr_bl_shape *s, tr_err *err)
{
	part p = {.c = c, .s = s, .columns = s->columns, .count = s->table.column_count};

	while (!c->r.failed && tr_reader_left(&c->r) > 0) {
		uint8_t type = tr_reader_u8(&c->r);

		tr_reader_init(&p.r, tr_reader_bytes(&c->r, tr_bl_packed(&c->r)));
		if (c->r.failed)
			break;
		if (read_part(&p, type) != 0)
			return tr_bl_oom(c, err);
		/* Anything left over means that the columns were counted in another way than the server does. */
		if (p.r.failed || tr_reader_left(&p.r) > 0)
			return tr_bl_fail(c, TR_E_DECODE_VALUE, err, "metadata of type %u does not fit the table's %zu columns", type,
			                  p.count);
	}
	return tr_bl_finish(c, err);
}
