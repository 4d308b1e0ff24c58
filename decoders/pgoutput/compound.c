/* Types made of other types, and what to do with those that have no rule. */
#include "decoders/pgoutput/resolve.h"

#include "core/writer.h"

#define ENUM_BYTES_MAX ((size_t)1 << 20) /* of all labels: far more than a schema can reasonably say */
#define OWN_NAMES "tailrace."            /* namespace of composite types: Debezium has none for them */

int tr_pg_plan_enum(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	tr_writer labels;
	int failed = -1;

	tr_writer_init(&labels, ENUM_BYTES_MAX);
	for (size_t i = 0; i < s->type->label_count; i++) {
		if (i > 0)
			tr_writer_u8(&labels, ',');
		tr_writer_text(&labels, s->type->labels[i]);
	}
	tr_writer_u8(&labels, '\0');
	if (!tr_writer_ok(&labels))
		tr_err_set(r->err, TR_E_TYPE_UNSUPPORTED, "the labels of type \"%s\" are longer than a schema can hold", s->name);
	else if (tr_pg_plan_new(r, s, TR_STRING, "io.debezium.data.Enum", tr_pg_decode_text, out) == 0)
		failed = tr_pg_plan_param(r, out, "allowed", (const char *)labels.data);
	tr_writer_release(&labels);
	return failed;
}

/* An array type around the plan of its element. */
static int wrap_array(const tr_pg_resolver *r, const tr_pg_shape *s, const tr_pg_plan *item, bool item_optional,
                      tr_decode_fn decode, tr_pg_plan *out)
{
	if (tr_pg_plan_new(r, s, TR_ARRAY, NULL, decode, out) != 0)
		return -1;
	item->type->optional = item->type->optional || item_optional;
	item->arg->required = !item->type->optional;
	out->type->item = item->type;
	out->arg->item = item->decode;
	out->arg->item_arg = item->arg;
	out->arg->item_optional = item->type->optional;
	out->arg->nested_text = item->type->kind == TR_STRING && !item->type->name;
	out->arg->delimiter = s->type && s->type->delimiter ? s->type->delimiter : ',';
	return 0;
}

/* The schema of a single bit string: nothing fits in, and that is what is published. */
static int plan_bits_array(const tr_pg_resolver *r, const tr_pg_shape *element, tr_pg_plan *out)
{
	if (tr_pg_plan_bits(r, element, out) != 0)
		return -1;
	out->decode = tr_pg_decode_no_form;
	return 0;
}

/* The oid of a domain is no rule of Debezium's, so that an array of it is of an unknown type. */
static int plan_element(tr_pg_resolver *r, const tr_pg_shape *element, tr_pg_plan *out)
{
	int failed;

	if (++r->depth > TR_PG_DEPTH_MAX)
		return tr_err_set(r->err, TR_E_DECODE_PROTOCOL, "type \"%s\" contains itself", element->name);
	failed = element->domain && !r->options->carry_all_types ? tr_pg_plan_unknown(r, element, out)
	                                                         : tr_pg_plan_any(r, element, out);
	r->depth--;
	return failed;
}

int tr_pg_plan_array(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	bool carry = r->options->carry_all_types;
	tr_pg_shape element;
	tr_pg_plan item = {0};
	tr_pg_array_rule rule;

	if (tr_pg_shape_of(r, s->type->element, s->typmod, &element) != 0)
		return -1;
	rule = element.domain ? TR_PG_ARRAY_REQUIRED : tr_pg_array_rule_of(&element);
	if (rule == TR_PG_ARRAY_DROPPED && !carry)
		return 0;
	if (rule == TR_PG_ARRAY_BITS && !carry)
		return plan_bits_array(r, &element, out);
	if (plan_element(r, &element, &item) != 0)
		return -1;
	if (!item.type)
		return 0;
	return wrap_array(r, s, &item, carry || rule == TR_PG_ARRAY_OPTIONAL, tr_pg_decode_array, out);
}

int tr_pg_plan_vector_list(tr_pg_resolver *r, const tr_pg_shape *s, uint32_t element_oid, tr_pg_plan *out)
{
	tr_pg_shape element;
	tr_pg_plan item = {0};

	if (tr_pg_shape_of(r, element_oid, -1, &element) != 0 || tr_pg_plan_any(r, &element, &item) != 0)
		return -1;
	return wrap_array(r, s, &item, false, tr_pg_decode_vector_list, out);
}

/* Avro's names: letters, digits and underscores, not starting with a digit. */
static char *avro_name(const tr_pg_resolver *r, const char *prefix, const char *name)
{
	char *out = tr_arena_format(r->arena, "%s%s%s", prefix, *name >= '0' && *name <= '9' ? "_" : "", name);

	for (char *at = out ? out + strlen(prefix) : NULL; at && *at; at++)
		if (!((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9')))
			*at = '_';
	return out;
}

static int plan_attribute(tr_pg_resolver *r, const tr_pg_attribute *attribute, tr_field *field, tr_pg_plan *plan)
{
	tr_pg_shape shape;

	if (tr_pg_shape_of(r, attribute->type, attribute->typmod, &shape) != 0 || plan_element(r, &shape, plan) != 0)
		return -1;
	plan->type->optional = true;
	*field = (tr_field){.name = avro_name(r, "", attribute->name), .type = plan->type};
	return field->name ? 0 : tr_pg_oom(r);
}

static bool twice(const tr_field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(fields[i].name, fields[count].name) == 0)
			return true;
	return false;
}

static const char *composite_name(const tr_pg_resolver *r, const tr_pg_type *type)
{
	const char *schema = avro_name(r, OWN_NAMES, type->schema ? type->schema : "public");
	const char *prefix = schema ? tr_arena_format(r->arena, "%s.", schema) : NULL;

	return prefix ? avro_name(r, prefix, type->name) : NULL;
}

static int plan_composite(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	size_t count = s->type->attribute_count;
	tr_field *fields = TR_ARENA_ARRAY(r->arena, tr_field, count);
	tr_decode_fn *decodes = TR_ARENA_ARRAY(r->arena, tr_decode_fn, count);
	const void **args = TR_ARENA_ARRAY(r->arena, const void *, count);
	const char *name = composite_name(r, s->type);

	if (!fields || !decodes || !args || !name || tr_pg_plan_new(r, s, TR_STRUCT, NULL, tr_pg_decode_composite, out) != 0)
		return tr_pg_oom(r);
	for (size_t i = 0; i < count; i++) {
		tr_pg_plan plan = {0};

		if (plan_attribute(r, &s->type->attributes[i], &fields[i], &plan) != 0)
			return -1;
		if (twice(fields, i))
			return tr_err_set(r->err, TR_E_NAME_COLLISION, "two attributes of type \"%s\" become \"%s\" in the schema",
			                  s->name, fields[i].name);
		decodes[i] = plan.decode;
		args[i] = plan.arg;
	}
	out->type = tr_type_struct(r->arena, name, 1, fields, count);
	out->arg->field_count = count;
	out->arg->fields = decodes;
	out->arg->field_args = args;
	return out->type ? 0 : tr_pg_oom(r);
}

static int plan_circle(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	tr_pg_plan center = {0};

	if (tr_pg_plan_point(r, s, &center) != 0 || tr_pg_plan_new(r, s, TR_STRUCT, NULL, tr_pg_decode_circle, out) != 0)
		return -1;
	const tr_field fields[] = {{"center", center.type}, {"radius", tr_type_new(r->arena, TR_FLOAT64, NULL, 0)}};
	out->type = tr_type_struct(r->arena, "io.debezium.data.geometry.Circle", 1, fields, 2);
	if (!out->type)
		return tr_pg_oom(r);
	out->type->doc = "Geometry (CIRCLE)";
	return 0;
}

static int plan_line(const tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	const tr_type *number = tr_type_new(r->arena, TR_FLOAT64, NULL, 0);
	const tr_field fields[] = {{"a", number}, {"b", number}, {"c", number}};

	if (tr_pg_plan_new(r, s, TR_STRUCT, NULL, tr_pg_decode_line, out) != 0)
		return -1;
	out->type = tr_type_struct(r->arena, "io.debezium.data.geometry.Line", 1, fields, 3);
	if (!out->type)
		return tr_pg_oom(r);
	out->type->doc = "Geometry (LINE)";
	return 0;
}

/* The geometric types without a rule: their letter, or 0 for any other type. */
static char shape_letter(uint32_t oid)
{
	switch (oid) {
	case 601: return 'l'; /* lseg */
	case 602: return 'p'; /* path */
	case 603: return 'b'; /* box */
	case 604: return 'g'; /* polygon */
	case 628: return 'a'; /* line */
	case 718: return 'c'; /* circle */
	default: return 0;
	}
}

/* As later versions of Debezium publish them, where they do. */
static int plan_carried(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	char letter = shape_letter(s->oid);

	if (letter == 'c')
		return plan_circle(r, s, out);
	if (letter == 'a')
		return plan_line(r, s, out);
	if (letter) {
		static const char name[] = "io.debezium.data.geometry.Geometry";

		if (tr_pg_plan_geometry(r, s, name, "Geometry", tr_pg_decode_shape_wkb, out) != 0)
			return -1;
		out->arg->shape = letter;
		return 0;
	}
	if (s->type && s->type->typtype == 'c')
		return plan_composite(r, s, out);
	return tr_pg_plan_new(r, s, TR_STRING, NULL, tr_pg_decode_text, out);
}

int tr_pg_plan_unknown(tr_pg_resolver *r, const tr_pg_shape *s, tr_pg_plan *out)
{
	tr_kind kind = r->options->binary == TR_BINARY_BYTES ? TR_BYTES : TR_STRING;
	tr_decode_fn decode = shape_letter(s->oid) ? tr_pg_decode_shape_opaque : tr_pg_decode_opaque;

	if (r->options->carry_all_types)
		return plan_carried(r, s, out);
	*out = (tr_pg_plan){0};
	return r->options->unknown_types ? tr_pg_plan_new(r, s, kind, NULL, decode, out) : 0;
}
