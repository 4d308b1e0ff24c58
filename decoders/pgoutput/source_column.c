/*
 * Type name, length and scale of a column as PostgreSQL's JDBC driver reports them, for column.propagate.source.type: the
 * length of a type without one is its display size.
 */
#include "decoders/pgoutput/resolve.h"

#define UNSPECIFIED INT64_C(2147483647)
#define NUMERIC_DISPLAY 131089 /* digits of an unlimited numeric, with sign and point */

/* Digits of a fraction with the point before them; one digit is shown as two by the driver. */
static int64_t fraction_width(int32_t typmod)
{
	switch (typmod) {
	case -1: return 6 + 1;
	case 0: return 0;
	case 1: return 2 + 1;
	default: return typmod + 1;
	}
}

static void limits_of(uint32_t oid, int32_t typmod, int64_t *length, int64_t *scale)
{
	int64_t fraction = fraction_width(typmod), digits = typmod < 0 ? 6 : typmod;

	*length = UNSPECIFIED;
	*scale = 0;
	switch (oid) {
	case 16: case 18: *length = 1; break;
	case 21: *length = 5; break;
	case 23: case 26: *length = 10; break;
	case 20: *length = 19; break;
	case 700: *length = 8; *scale = 8; break;
	case 701: *length = 17; *scale = 17; break;
	case 1042: case 1043: *length = typmod < 4 ? UNSPECIFIED : typmod - 4; break;
	case 1082: *length = 13; break;
	case 1083: *length = 8 + fraction; *scale = digits; break;
	case 1266: *length = 8 + fraction + 6; *scale = digits; break;
	case 1114: *length = 13 + 1 + 8 + fraction; *scale = digits; break;
	case 1184: *length = 13 + 1 + 8 + fraction + 6; *scale = digits; break;
	case 1186: *length = 49; *scale = typmod < 0 ? 6 : typmod & 0xffff; break;
	case 1560: *length = typmod < 0 ? 1 : typmod; break;
	case 1562: *length = typmod < 0 ? UNSPECIFIED : typmod; break;
	case 1700:
		*length = typmod < 4 ? NUMERIC_DISPLAY : (typmod - 4) >> 16 & 0xffff;
		*scale = typmod < 4 ? 0 : (typmod - 4) & 0xffff;
		break;
	default: break;
	}
}

/* A column filled by a sequence shows as its serial type. */
static const char *serial_name(uint32_t oid, const char *default_expr)
{
	if (!default_expr || !strstr(default_expr, "nextval("))
		return NULL;
	switch (oid) {
	case 20: return "bigserial";
	case 21: return "smallserial";
	case 23: return "serial";
	default: return NULL;
	}
}

static const char *upper(tr_arena *arena, const char *name)
{
	char *out = tr_arena_strdup(arena, name);

	for (char *at = out; at && *at; at++)
		if (*at >= 'a' && *at <= 'z')
			*at = (char)(*at - 'a' + 'A');
	return out;
}

/* Types outside of the usual search path are shown with their schema, both in quotes. */
static const char *driver_name(const tr_pg_type *type, tr_arena *arena)
{
	if (!type->schema || strcmp(type->schema, "pg_catalog") == 0 || strcmp(type->schema, "public") == 0)
		return upper(arena, type->name);
	const char *qualified = tr_arena_format(arena, "\"%s\".\"%s\"", type->schema, type->name);
	return qualified ? upper(arena, qualified) : NULL;
}

int tr_pg_source_column(const tr_pg_column *in, const tr_pg_type_lookup *lookup, tr_arena *arena, tr_source_column *out)
{
	const tr_pg_resolver r = {.lookup = lookup, .arena = arena};
	const tr_pg_type *type = lookup->find ? lookup->find(lookup->context, in->type) : NULL;
	const char *serial = serial_name(in->type, in->default_expr);
	tr_pg_shape shape, element;

	if (tr_pg_shape_of(&r, in->type, in->typmod, &shape) != 0)
		return -1;
	element = shape;
	if (shape.type && shape.type->category == 'A' && shape.type->element != 0 &&
	    tr_pg_shape_of(&r, shape.type->element, shape.typmod, &element) != 0)
		return -1;
	if (serial)
		out->type_name = upper(arena, serial);
	else
		out->type_name = type ? driver_name(type, arena) : upper(arena, shape.name);
	limits_of(element.oid, element.typmod, &out->length, &out->scale);
	out->comment = NULL;
	return out->type_name ? 0 : -1;
}
