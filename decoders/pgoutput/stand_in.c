/*
 * Values that stand for what is not there: the placeholder of an unchanged TOAST value in the column's own type, and
 * the zero of a required column. Debezium has placeholders for some types and breaks on others: here each type that
 * can be stored out of line gets one that can be recognised, or null.
 */
#include "decoders/pgoutput/resolve.h"

static const uint8_t md5_shifts[64] = {
	7, 12, 17, 22, 7, 12, 17, 22, 7, 12, 17, 22, 7, 12, 17, 22, 5, 9,  14, 20, 5, 9,  14, 20, 5, 9,  14, 20, 5, 9,  14, 20,
	4, 11, 16, 23, 4, 11, 16, 23, 4, 11, 16, 23, 4, 11, 16, 23, 6, 10, 15, 21, 6, 10, 15, 21, 6, 10, 15, 21, 6, 10, 15, 21};
/* floor(2^32 * |sin(i + 1)|), RFC 1321 */
static const uint32_t md5_table[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501, 0x698098d8, 0x8b44f7af,
	0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa,
	0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8,
	0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
	0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244, 0x432aff97,
	0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1,
	0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

static void md5_block(uint32_t state[4], const uint8_t *block)
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

	for (unsigned i = 0; i < 64; i++) {
		unsigned round = i / 16;
		static const struct { unsigned factor, plus; } words[] = {{1, 0}, {5, 1}, {3, 5}, {7, 0}};
		const uint8_t *w = block + 4 * ((words[round].factor * i + words[round].plus) % 16);
		uint32_t f = round == 0 ? (b & c) | (~b & d) : round == 1 ? (d & b) | (~d & c) : round == 2 ? b ^ c ^ d
		                                                                                 : c ^ (b | ~d);

		f += a + md5_table[i] + ((uint32_t)w[3] << 24 | (uint32_t)w[2] << 16 | (uint32_t)w[1] << 8 | w[0]);
		a = d;
		d = c;
		c = b;
		b += f << md5_shifts[i] | f >> (32 - md5_shifts[i]);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

/* Only for names of UUIDs (RFC 4122, version 3); nothing here rests on its strength. */
static bool md5(tr_slice bytes, uint8_t out[16], tr_arena *arena)
{
	uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
	size_t padded = (bytes.len + 8) / 64 * 64 + 64;
	uint8_t *message = tr_arena_alloc(arena, padded);

	if (!message)
		return false;
	memcpy(message, bytes.ptr, bytes.len);
	message[bytes.len] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		message[padded - 8 + i] = (uint8_t)((uint64_t)bytes.len * 8 >> (8 * i));
	for (size_t at = 0; at < padded; at += 64)
		md5_block(state, message + at);
	for (unsigned i = 0; i < 16; i++)
		out[i] = (uint8_t)(state[i / 4] >> (8 * (i % 4)));
	return true;
}

static bool named_uuid(tr_slice name, tr_arena *arena, tr_value *out, tr_err *err)
{
	const tr_pg_arg arg = {.type = "uuid"};
	uint8_t bytes[16];

	if (!md5(name, bytes, arena))
		return false;
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x30);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	return tr_pg_decode_uuid(&arg, (tr_datum){.ptr = bytes, .len = 16, .form = TR_D_BINARY}, arena, out, err) == 0;
}

static bool has_name(const tr_type *type, const char *name)
{
	return type->name && strcmp(type->name, name) == 0;
}

static bool is_number(tr_kind kind)
{
	return kind == TR_INT8 || kind == TR_INT16 || kind == TR_INT32 || kind == TR_INT64 || kind == TR_FLOAT32 ||
	       kind == TR_FLOAT64;
}

/* Numbers spell the placeholder byte by byte. */
static bool spelled(tr_kind kind, tr_slice text, tr_arena *arena, tr_value *out)
{
	tr_value *items = TR_ARENA_ARRAY(arena, tr_value, text.len);

	for (size_t i = 0; items && i < text.len; i++)
		items[i] = kind < TR_FLOAT32 ? tr_value_int(text.ptr[i]) : tr_value_float(text.ptr[i]);
	*out = tr_value_list(items, text.len);
	return items != NULL;
}

static bool two_values(tr_value first, tr_value second, tr_arena *arena, tr_value *out)
{
	tr_value *items = TR_ARENA_ARRAY(arena, tr_value, 2);

	if (!items)
		return false;
	items[0] = first;
	items[1] = second;
	*out = tr_value_list(items, 2);
	return true;
}

static bool unavailable_struct(const tr_type *type, tr_value bytes, tr_arena *arena, tr_value *out)
{
	if (has_name(type, "io.debezium.data.VariableScaleDecimal"))
		return two_values(tr_value_int(0), bytes, arena, out);
	if (has_name(type, "io.debezium.data.geometry.Geometry") || has_name(type, "io.debezium.data.geometry.Geography"))
		return two_values(bytes, tr_value_null(), arena, out);
	return true;
}

static bool unavailable_value(const tr_pg_resolver *r, const tr_type *type, tr_slice text, tr_value *out);

static bool unavailable_array(const tr_pg_resolver *r, const tr_type *type, tr_slice text, tr_value *out)
{
	tr_value *item;

	if (is_number(type->item->kind))
		return spelled(type->item->kind, text, r->arena, out);
	item = TR_ARENA_NEW(r->arena, tr_value);
	if (!item)
		return false;
	if (has_name(type->item, "io.debezium.data.Uuid") ? !named_uuid(text, r->arena, item, r->err)
	                                                  : !unavailable_value(r, type->item, text, item))
		return false;
	if (item->kind != TR_V_NULL)
		*out = tr_value_list(item, 1);
	return true;
}

static bool unavailable_value(const tr_pg_resolver *r, const tr_type *type, tr_slice text, tr_value *out)
{
	*out = tr_value_null();
	switch (type->kind) {
	case TR_STRING:
	case TR_BYTES:
		*out = tr_value_slice(text);
		return true;
	case TR_ARRAY:
		return unavailable_array(r, type, text, out);
	case TR_MAP:
		return type->key->kind != TR_STRING || two_values(tr_value_slice(text), tr_value_slice(text), r->arena, out);
	case TR_STRUCT:
		return unavailable_struct(type, tr_value_slice(text), r->arena, out);
	default:
		return true;
	}
}

/* hstore's text is JSON: {"placeholder":"placeholder"}. */
static bool unavailable_hstore(const tr_pg_resolver *r, tr_value *out)
{
	const tr_pg_arg arg = {.type = "hstore"};
	tr_slice name = tr_slice_str(r->options->unavailable);
	uint8_t *text = tr_arena_alloc(r->arena, 4 * name.len + 8), *at = text;

	if (!text)
		return false;
	for (int part = 0; part < 2; part++) {
		*at++ = '"';
		for (size_t i = 0; i < name.len; i++) {
			if (name.ptr[i] == '"' || name.ptr[i] == '\\')
				*at++ = '\\';
			*at++ = name.ptr[i];
		}
		*at++ = '"';
		if (part == 0) {
			*at++ = '=';
			*at++ = '>';
		}
	}
	const tr_datum datum = {.ptr = text, .len = (uint32_t)(at - text), .form = TR_D_TEXT};
	return tr_pg_decode_hstore_json(&arg, datum, r->arena, out, r->err) == 0;
}

int tr_pg_unavailable(const tr_pg_resolver *r, const tr_pg_shape *s, const tr_type *type, tr_value *out)
{
	bool ok;

	*out = tr_value_null();
	if (!r->options->unavailable)
		return 0;
	if (type->kind == TR_STRING && strcmp(s->name, "hstore") == 0)
		ok = unavailable_hstore(r, out);
	else
		ok = unavailable_value(r, type, tr_slice_str(r->options->unavailable), out);
	return ok ? 0 : tr_pg_oom(r);
}

/* Types whose zero is not simply 0, empty or false: what the server would print for it. */
static const struct zero {
	const char *type, *text;
} zeros[] = {
	{"numeric", "0"},
	{"interval", "00:00:00"},
	{"date", "1970-01-01"},
	{"time", "00:00:00"},
	{"timetz", "00:00:00+00"},
	{"timestamp", "1970-01-01 00:00:00"},
	{"hstore", ""},
	{"point", "(0,0)"},
	{"geography", "010700000000000000"}, /* an empty collection */
	{"geometry", "010700000000000000"},
};

static int decoded_zero(const tr_pg_resolver *r, const tr_pg_plan *plan, const char *text, tr_value *out)
{
	const tr_datum datum = {.ptr = (const uint8_t *)text, .len = (uint32_t)strlen(text), .form = TR_D_TEXT};
	tr_value value;

	if (plan->decode(plan->arg, datum, r->arena, &value, r->err) != 0)
		return -1;
	return tr_value_copy(r->arena, &value, out) ? 0 : tr_pg_oom(r);
}

/* Amounts have the configured digits also as text. */
static int money_zero(const tr_pg_resolver *r, const tr_pg_plan *plan, tr_value *out)
{
	char text[40] = "0.";
	size_t digits = plan->arg->scale > 0 ? (size_t)plan->arg->scale : 0;

	memset(text + 2, '0', digits);
	text[digits > 0 ? digits + 2 : 1] = '\0';
	return decoded_zero(r, plan, text, out);
}

static bool plain_zero(const tr_type *type, tr_arena *arena, tr_value *out)
{
	tr_value *fields;

	switch (type->kind) {
	case TR_BOOLEAN: *out = tr_value_bool(false); return true;
	case TR_FLOAT32: case TR_FLOAT64: *out = tr_value_float(0); return true;
	case TR_STRING: case TR_BYTES: *out = tr_value_text(""); return true;
	case TR_ARRAY: case TR_MAP: *out = tr_value_list(TR_ARENA_NEW(arena, tr_value), 0); return out->list != NULL;
	case TR_STRUCT: break;
	default: *out = tr_value_int(0); return true;
	}
	fields = TR_ARENA_ARRAY(arena, tr_value, type->field_count);
	if (!fields)
		return false;
	for (size_t i = 0; i < type->field_count; i++)
		if (!type->fields[i].type->optional && !plain_zero(type->fields[i].type, arena, &fields[i]))
			return false;
	*out = tr_value_list(fields, type->field_count);
	return true;
}

int tr_pg_zero(const tr_pg_resolver *r, const tr_pg_shape *s, const tr_pg_plan *plan, tr_value *out)
{
	if (strcmp(s->name, "money") == 0)
		return money_zero(r, plan, out);
	/* Without the fraction that its values have. */
	if (strcmp(s->name, "timestamptz") == 0) {
		*out = tr_value_text("1970-01-01T00:00:00Z");
		return 0;
	}
	for (size_t i = 0; i < sizeof(zeros) / sizeof(zeros[0]); i++)
		if (strcmp(zeros[i].type, s->name) == 0)
			return decoded_zero(r, plan, zeros[i].text, out);
	return plain_zero(plan->type, r->arena, out) ? 0 : tr_pg_oom(r);
}
