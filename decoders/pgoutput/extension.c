/* Types of extensions: their oids differ from database to database, so they are known by name, as Debezium knows them. */
#include "decoders/pgoutput/resolve.h"

typedef int (*build_fn)(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out);

static int build_text(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	return tr_pg_plan_new(r, s, TR_STRING, NULL, tr_pg_decode_text, out);
}

static int build_ltree(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	return tr_pg_plan_new(r, s, TR_STRING, "io.debezium.data.Ltree", tr_pg_decode_text, out);
}

static int build_hstore(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	const tr_type *key, *value;

	if (r->options->hstore == TR_HSTORE_JSON)
		return tr_pg_plan_new(r, s, TR_STRING, "io.debezium.data.Json", tr_pg_decode_hstore_json, out);
	key = tr_type_new(r->arena, TR_STRING, NULL, 0);
	if (!key || tr_pg_plan_new(r, s, TR_MAP, NULL, tr_pg_decode_hstore_map, out) != 0)
		return tr_pg_oom(r);
	value = tr_type_optional(r->arena, key, true);
	out->type = tr_type_map(r->arena, key, value);
	return out->type ? 0 : tr_pg_oom(r);
}

int tr_pg_plan_geometry(const tr_pg_resolver *r, const tr_pg_shape *s, const char *semantic, const char *doc,
                        tr_decode_fn decode, tr_pg_plan *out)
{
	const tr_type *srid = tr_type_new(r->arena, TR_INT32, NULL, 0);

	if (!srid || tr_pg_plan_new(r, s, TR_STRUCT, NULL, decode, out) != 0)
		return tr_pg_oom(r);
	const tr_field fields[] = {{"wkb", tr_type_new(r->arena, TR_BYTES, NULL, 0)},
	                           {"srid", tr_type_optional(r->arena, srid, true)}};
	out->type = tr_type_struct(r->arena, semantic, 1, fields, 2);
	if (!out->type)
		return tr_pg_oom(r);
	out->type->doc = doc;
	return 0;
}

static int build_geometry(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	if (tr_pg_plan_geometry(r, s, "io.debezium.data.geometry.Geometry", "Geometry", tr_pg_decode_ewkb, out) != 0)
		return -1;
	out->type->optional = true;
	return 0;
}

static int build_geography(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	return tr_pg_plan_geometry(r, s, "io.debezium.data.geometry.Geography", "Geography", tr_pg_decode_ewkb, out);
}

static int plan_list(const tr_pg_resolver *r, const tr_pg_shape *s, tr_kind item, const char *semantic, tr_decode_fn decode,
                     tr_pg_plan *out)
{
	if (tr_pg_plan_new(r, s, TR_ARRAY, semantic, decode, out) != 0)
		return -1;
	out->type->item = tr_type_new(r->arena, item, NULL, 0);
	return out->type->item ? 0 : tr_pg_oom(r);
}

static int build_vector(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	return plan_list(r, s, TR_FLOAT64, "io.debezium.data.DoubleVector", tr_pg_decode_vector, out);
}

static int build_halfvec(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	return plan_list(r, s, TR_FLOAT32, "io.debezium.data.FloatVector", tr_pg_decode_halfvec, out);
}

static int build_sparsevec(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	const tr_type *small = tr_type_new(r->arena, TR_INT16, NULL, 0), *number = tr_type_new(r->arena, TR_FLOAT64, NULL, 0);

	if (!small || !number || tr_pg_plan_new(r, s, TR_STRUCT, NULL, tr_pg_decode_sparsevec, out) != 0)
		return tr_pg_oom(r);
	const tr_field fields[] = {{"dimensions", small}, {"vector", tr_type_map(r->arena, small, number)}};
	out->type = tr_type_struct(r->arena, "io.debezium.data.SparseDoubleVector", 1, fields, 2);
	if (!out->type)
		return tr_pg_oom(r);
	out->type->doc = "Sparse double vector";
	return 0;
}

static const struct extension {
	const char *name;
	build_fn build;
	tr_pg_array_rule array;
} extensions[] = {
	{"citext", build_text, TR_PG_ARRAY_OPTIONAL},
	{"geography", build_geography, TR_PG_ARRAY_OPTIONAL},
	{"geometry", build_geometry, TR_PG_ARRAY_OPTIONAL},
	{"halfvec", build_halfvec, TR_PG_ARRAY_REQUIRED},
	{"hstore", build_hstore, TR_PG_ARRAY_OPTIONAL},
	{"isbn", build_text, TR_PG_ARRAY_REQUIRED},
	{"ltree", build_ltree, TR_PG_ARRAY_OPTIONAL},
	{"sparsevec", build_sparsevec, TR_PG_ARRAY_REQUIRED},
	{"vector", build_vector, TR_PG_ARRAY_REQUIRED},
};

static const struct extension *find_extension(const char *name)
{
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++)
		if (strcmp(extensions[i].name, name) == 0)
			return &extensions[i];
	return NULL;
}

bool tr_pg_extension_array_rule(const char *name, tr_pg_array_rule *out)
{
	const struct extension *row = find_extension(name);

	if (row)
		*out = row->array;
	return row != NULL;
}

int tr_pg_plan_extension(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	const struct extension *row = s->type && s->type->typtype == 'b' ? find_extension(s->name) : NULL;

	if (!row)
		return 0;
	return row->build(r, s, out) == 0 ? 1 : -1;
}
