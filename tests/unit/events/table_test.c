#include "events/naming.h"
#include "tests/unit/events/fixture.h"

static fx f;

static const char *param(const tr_type *type, const char *key)
{
	for (size_t i = 0; i < type->param_count; i++)
		if (strcmp(type->params[i].key, key) == 0)
			return type->params[i].value;
	return NULL;
}

START_TEST(names_and_types)
{
	fx_init(&f);
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "two-key", "region:text!#2@", "num:int!#1@", "amount:bytes");

	ck_assert_str_eq(t->topic->name, "srv.inv.two-key");
	ck_assert_int_eq(t->topic->kind, TR_TOPIC_DATA);
	ck_assert_str_eq(t->collection, "inv.two-key");
	ck_assert_uint_eq(t->collection_hash, tr_naming_java_hash("inv.two-key"));
	ck_assert_uint_eq(t->version, 1);
	ck_assert_str_eq(t->key_type->name, "srv.inv.two_key.Key");
	ck_assert_str_eq(t->row_type->name, "srv.inv.two_key.Value");
	ck_assert_str_eq(t->value_type->name, "srv.inv.two_key.Envelope");
	ck_assert_int_eq(t->value_type->version, 2);
	ck_assert(!t->key_type->optional && t->row_type->optional && !t->value_type->optional);
	/* the row in the order of the table, the key in its own */
	ck_assert_str_eq(t->row_type->fields[0].name, "region");
	ck_assert_str_eq(t->key_type->fields[0].name, "num");
	ck_assert_str_eq(t->key_type->fields[1].name, "region");
	ck_assert_int_eq(t->key_slots[0], 1);
	ck_assert_uint_eq(t->columns[1].key_rank, 1);
	ck_assert_uint_eq(t->value_type->field_count, TR_ENV_COUNT);
	ck_assert_str_eq(t->value_type->fields[TR_ENV_TRANSACTION].name, "transaction");
	ck_assert_ptr_eq(t->value_type->fields[TR_ENV_BEFORE].type, t->value_type->fields[TR_ENV_AFTER].type);
	tr_table_free(t);
	t = fx_table(&f, "two-key", "region:text!#2@");
	ck_assert_uint_eq(t->version, 2);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(flat_value_is_the_row)
{
	fx_init(&f);
	f.options.envelope = TR_ENVELOPE_FLAT;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1", "v:text");

	ck_assert_ptr_eq(t->value_type, t->row_type);
	ck_assert(!t->row_type->optional);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(no_key)
{
	fx_init(&f);
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "a:int", "b:text");

	ck_assert_ptr_null(t->key);
	ck_assert_ptr_null(t->key_type);
	ck_assert_uint_eq(t->key_count, 0);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(exclude_mask_truncate_propagate)
{
	const tr_column_rule rules[] = {{TR_COLUMN_PROPAGATE_TYPE, ".*", .length = 0},
					{TR_COLUMN_EXCLUDE, "inv\\.cust\\.SECRET", .length = 0},
					{TR_COLUMN_MASK, "inv.cust.card", .length = 5},
					{TR_COLUMN_TRUNCATE, "inv.cust.(bio|code|raw)", .length = 4},
					{TR_COLUMN_MASK, "inv.cust.bio", .length = 1}};
	const tr_source_column sources[] = {{"INT4", 10, 0, NULL},  {"TEXT", 2147483647, 0, NULL}, {"TEXT", -1, -1, NULL},
					    {"TEXT", -1, -1, NULL}, {"VARCHAR", 3, 0, NULL}, {"BYTEA", -1, -1, NULL},
					    {"INT4", 10, 0, NULL}};
	tr_datum d = {.ptr = (const uint8_t *)"ěščřžý", .len = 12, .form = TR_D_TEXT};
	tr_value v;

	fx_init(&f);
	f.options.column_rules = rules;
	f.options.column_rule_count = 5;
	f.source_columns = sources;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "cust", "id:int!#1@", "card:text", "bio:text", "secret:text", "code:text",
			       "raw:bytes", "qty:int");

	ck_assert_uint_eq(t->published_count, 6);
	ck_assert_ptr_null(t->columns[3].type);
	const tr_type *id = t->columns[0].type;
	ck_assert_uint_eq(id->param_count, 4);
	ck_assert_str_eq(id->params[0].key, "__debezium.source.column.type");
	ck_assert_str_eq(id->params[0].value, "INT4");
	ck_assert_str_eq(id->params[1].key, "__debezium.source.column.length");
	ck_assert_str_eq(id->params[1].value, "10");
	ck_assert_str_eq(id->params[2].key, "__debezium.source.column.scale");
	ck_assert_str_eq(id->params[3].value, "id");
	/* the key has none of it, but may take the row's value */
	ck_assert_uint_eq(t->key_type->fields[0].type->param_count, 0);
	ck_assert_int_eq(t->key_slots[0], 0);
	/* only the first of truncate, mask, propagate */
	ck_assert_uint_eq(t->columns[1].type->param_count, 1);
	ck_assert_str_eq(param(t->columns[1].type, "masked"), "true");
	ck_assert_uint_eq(t->columns[2].type->param_count, 1);
	ck_assert_str_eq(param(t->columns[2].type, "truncateLength"), "4");
	/* cannot be too long: left alone */
	ck_assert_uint_eq(t->columns[4].type->param_count, 0);
	ck_assert_ptr_eq(t->columns[6].decode, fx_decode_int);

	ck_assert_int_eq(t->columns[2].decode(t->columns[2].decode_arg, d, NULL, &v, &f.err), 0);
	ck_assert(tr_slice_eq(v.s, tr_slice_str("ěščř")));
	ck_assert(tr_slice_eq(t->columns[2].unavailable.s, tr_slice_str("__de")));
	ck_assert_int_eq(t->columns[2].null_value.kind, TR_V_NULL);
	ck_assert_int_eq(t->columns[5].decode(t->columns[5].decode_arg, d, NULL, &v, &f.err), 0);
	ck_assert_uint_eq(v.s.len, 4);
	ck_assert_int_eq(t->columns[1].decode(t->columns[1].decode_arg, d, NULL, &v, &f.err), 0);
	ck_assert(tr_slice_eq(v.s, tr_slice_str("*****")));
	ck_assert(tr_slice_eq(t->columns[1].null_value.s, tr_slice_str("*****")));
	ck_assert(tr_slice_eq(t->columns[1].absent.s, tr_slice_str("*****")));
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

/* Cut to the column's length; NULL stays; placeholders are hashed like values; before what propagates types. */
START_TEST(hashes_of_values)
{
	const tr_column_rule rules[] = {
	    {TR_COLUMN_PROPAGATE_TYPE, "inv.cust.note", .length = 0},
	    {TR_COLUMN_HASH, "inv.cust.(card|code)", .algorithm = "SHA-256", .salt = "abc", .java = true},
	    {TR_COLUMN_HASH, "inv.cust.note", .algorithm = "MD5", .salt = "x"}};
	const tr_source_column sources[] = {{"INT4", 10, 0, NULL}, {"TEXT", 2147483647, 0, NULL}, {"VARCHAR", 5, -1, NULL},
					    {"TEXT", -1, -1, NULL}};
	tr_datum d = {.ptr = (const uint8_t *)"secret", .len = 6, .form = TR_D_TEXT};
	static const char *const hashes[] = {"56e45bf09c392f712f5d5db97ebef5c8b0701f4a1b7bf4890eb0f1169b07044b", "56e45",
					     "94b4cdcb10029a32bb7d0d316e509274"};
	tr_arena scratch;
	tr_value v;

	fx_init(&f);
	f.options.column_rules = rules;
	f.options.column_rule_count = 3;
	f.source_columns = sources;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "cust", "id:int!#1@", "card:text", "code:text", "note:text");

	tr_arena_init(&scratch, 1 << 16);
	for (size_t i = 0; i < 3; i++) {
		const tr_column *column = &t->columns[i + 1];

		ck_assert_uint_eq(column->type->param_count, 1);
		ck_assert_str_eq(param(column->type, "masked"), "true");
		ck_assert_int_eq(column->decode(column->decode_arg, d, &scratch, &v, &f.err), 0);
		ck_assert(tr_slice_eq(v.s, tr_slice_str(hashes[i])));
		ck_assert_int_eq(column->null_value.kind, TR_V_NULL);
		ck_assert_uint_eq(column->unavailable.s.len, strlen(hashes[i]));
		ck_assert(!tr_slice_eq(column->unavailable.s, tr_slice_str("__debezium_unavailable_value")));
	}
	tr_arena_release(&scratch);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

static void refused(const char *pattern, int action, const char *column)
{
	const tr_column_rule rules[] = {{action, pattern, .length = 4, .algorithm = "MD5", .salt = "x"}};
	static const tr_source_column sources[] = {{"INT4", 10, 0, NULL}, {"JSONB", -1, -1, NULL}, {"NUMERIC", 30, 2, NULL}};
	const char *const columns[] = {"id:int!#1@", "doc:text", "sum:int", NULL};
	tr_table *t = NULL;

	fx_init(&f);
	f.options.column_rules = rules;
	f.options.column_rule_count = 1;
	f.source_columns = sources;
	fx_start(&f, 1 << 20);
	int result = fx_compile_table(&f, "inv", "pay", columns, &t);
	if (!column) {
		ck_assert_msg(result == 0, "%s", f.err.text);
		ck_assert_ptr_eq(t->source_columns[2].type_name, sources[2].type_name);
	} else {
		ck_assert_int_eq(result, -1);
		ck_assert_int_eq(f.err.code, TR_E_CONFIG);
		ck_assert_msg(strstr(f.err.text, column) != NULL, "%s", f.err.text);
		ck_assert_ptr_nonnull(strstr(f.err.hint, "exclude"));
	}
	tr_table_free(t);
	fx_stop(&f);
}

/* What a rule cannot hide is never published in the clear. */
START_TEST(a_mask_that_would_not_hide_is_refused)
{
	refused("inv\\.pay\\.sum", TR_COLUMN_MASK, "\"inv.pay.sum\" cannot be masked");
	refused("inv\\.pay\\.sum", TR_COLUMN_TRUNCATE, "\"inv.pay.sum\" cannot be truncated");
	refused("inv\\.pay\\.sum", TR_COLUMN_HASH, "\"inv.pay.sum\" cannot be hashed");
	refused(".*", TR_COLUMN_MASK, "\"inv.pay.id\"");
	refused("inv\\.pay\\.doc", TR_COLUMN_MASK, NULL);
	refused("inv\\.pay\\.sum", TR_COLUMN_EXCLUDE, NULL);
}
END_TEST

START_TEST(include_leaves_the_rest_out_but_not_of_the_key)
{
	const tr_column_rule rules[] = {{TR_COLUMN_INCLUDE, "inv.t.(a|b)", .length = 0}, {TR_COLUMN_EXCLUDE, "inv.t.b", .length = 0}};

	fx_init(&f);
	f.options.column_rules = rules;
	f.options.column_rule_count = 2;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "t", "id:int!#1", "a:text", "b:text", "c:text");

	ck_assert_uint_eq(t->published_count, 1);
	ck_assert_str_eq(t->published[0]->name, "a");
	ck_assert_uint_eq(t->key_count, 1);
	ck_assert_int_eq(t->key_slots[0], -1);
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(key_rules)
{
	static const char *const first[] = {"b", "a"}, *const second[] = {"c.*", "a"}, *const none[] = {"x"};
	const tr_key_rule rules[] = {
	    {"inv\\.log_.*", first, 2}, {"inv\\.log_plain", second, 2}, {"inv.other", none, 1}};

	fx_init(&f);
	f.options.key_rules = rules;
	f.options.key_rule_count = 3;
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "log_plain", "id:int!#1", "a:int!", "b:text", "c1:text", "c2:text");
	ck_assert_uint_eq(t->key_count, 4);
	ck_assert_str_eq(t->key[0]->name, "b");
	ck_assert_str_eq(t->key[1]->name, "a");
	ck_assert_str_eq(t->key[2]->name, "c1");
	ck_assert_str_eq(t->key[3]->name, "c2");
	ck_assert(t->key_type->fields[0].type->optional);
	ck_assert_uint_eq(t->columns[0].key_rank, 0);
	tr_table_free(t);
	/* a rule that names no column of the table leaves the primary key */
	t = fx_table(&f, "other", "id:int!#1", "a:int!");
	ck_assert_uint_eq(t->key_count, 1);
	ck_assert_str_eq(t->key[0]->name, "id");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

static tr_err_code refused_with(const char *schema, const char *name, const char *const *columns)
{
	tr_table *t;

	ck_assert_int_eq(fx_compile_table(&f, schema, name, columns, &t), -1);
	ck_assert_ptr_null(t);
	return f.err.code;
}

START_TEST(field_collisions)
{
	static const char *const columns[] = {"id:int!#1", "a.b:text", "a-b:text", NULL}, *const plain[] = {"a_b:int!",
													    "a.b:text",
													    NULL};

	fx_init(&f);
	f.options.field_names = TR_NAMES_AVRO;
	fx_start(&f, 1 << 20);
	ck_assert_int_eq(refused_with("inv", "t", columns), TR_E_NAME_COLLISION);
	ck_assert_str_eq(f.err.text, "columns \"a.b\" and \"a-b\" of table \"inv.t\" both become field \"a_b\"");
	ck_assert_ptr_nonnull(strstr(f.err.hint, "avro_unicode"));
	ck_assert_int_eq(refused_with("inv", "t", plain), TR_E_NAME_COLLISION);
	f.options.field_names = TR_NAMES_AVRO_UNICODE;
	tr_table *t = fx_table_of(&f, "t", columns);
	ck_assert_str_eq(t->row_type->fields[1].name, "a_u002eb");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(excluding_mends_a_collision)
{
	const tr_column_rule rules[] = {{TR_COLUMN_EXCLUDE, "inv\\.t\\.a\\.b", .length = 0}};
	static const char *const columns[] = {"id:int!#1", "a.b:text", "a-b:text", NULL};

	fx_init(&f);
	f.options.field_names = TR_NAMES_AVRO;
	f.options.column_rules = rules;
	f.options.column_rule_count = 1;
	fx_start(&f, 1 << 20);
	/* the one left is published under the name */
	tr_table *t = NULL;
	int result = fx_compile_table(&f, "inv", "t", columns, &t);
	ck_assert_int_eq(result, 0);
	ck_assert_uint_eq(t->published_count, 2);
	ck_assert_str_eq(t->published[1]->field, "a_b");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(topic_collisions)
{
	static const char *const columns[] = {"id:int!#1", NULL};

	fx_init(&f);
	fx_start(&f, 1 << 20);
	tr_table *t = fx_table(&f, "na ve", "id:int!#1");
	ck_assert_int_eq(refused_with("inv", "naïve", columns), TR_E_NAME_COLLISION);
	ck_assert_str_eq(f.err.text, "tables \"inv.na ve\" and \"inv.naïve\" would share topic \"srv.inv.na_ve\"");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(names_avro_cannot_hold)
{
	static const char *const odd[] = {"id:int!#1", "a.b:text", NULL}, *const good[] = {"id:int!#1", NULL};

	fx_init(&f);
	fx_start(&f, 1 << 20);
	ck_assert_int_eq(refused_with("inv", "t", odd), TR_E_NAME_INVALID);
	ck_assert_str_eq(f.err.text, "column \"a.b\" of table \"inv.t\" has no name that Avro can hold");
	ck_assert_ptr_nonnull(strstr(f.err.hint, "events.field_names"));
	f.options.schema_names = TR_NAMES_NONE;
	ck_assert_int_eq(refused_with("inv", "a-b", good), TR_E_NAME_INVALID);
	ck_assert_ptr_nonnull(strstr(f.err.hint, "events.schema_names"));
	/* JSON holds any name */
	f.options.format = TR_FORMAT_JSON;
	tr_table *t = fx_table_of(&f, "a-b", odd);
	ck_assert_str_eq(t->row_type->name, "srv.inv.a-b.Value");
	tr_table_free(t);
	fx_stop(&f);
}
END_TEST

START_TEST(stand_ins)
{
	for (int as_default = 0; as_default < 2; as_default++) {
		fx_init(&f);
		f.options.null_as_default = as_default;
		fx_start(&f, 1 << 20);
		tr_table *t =
		    fx_table(&f, "t", "id:int!#1", "name:text!", "qty:int", "note:text=none", "n:int!=7", "raw:bytes!");
		ck_assert_int_eq(t->columns[0].absent.i, 0);
		ck_assert_uint_eq(t->columns[1].absent.s.len, 0);
		ck_assert_int_eq(t->columns[1].absent.kind, TR_V_BYTES);
		ck_assert_int_eq(t->columns[2].absent.kind, TR_V_NULL);
		ck_assert_int_eq(t->columns[3].absent.kind, as_default ? TR_V_BYTES : TR_V_NULL);
		ck_assert_int_eq(t->columns[3].null_value.kind, as_default ? TR_V_BYTES : TR_V_NULL);
		ck_assert_int_eq(t->columns[4].absent.i, 7);
		ck_assert_int_eq(t->columns[4].null_value.kind, as_default ? TR_V_INT : TR_V_NULL);
		ck_assert_int_eq(t->columns[5].absent.kind, TR_V_BYTES);
		ck_assert(tr_slice_eq(t->columns[5].unavailable.s, tr_slice_str("__debezium_unavailable_value")));
		tr_table_free(t);
		fx_stop(&f);
	}
}
END_TEST

START_TEST(a_bad_rule_is_the_configurations_fault)
{
	const tr_column_rule rules[] = {{TR_COLUMN_EXCLUDE, "(", .length = 0}};
	static const char *const columns[] = {"id:int!#1", NULL};

	fx_init(&f);
	f.options.column_rules = rules;
	f.options.column_rule_count = 1;
	fx_start(&f, 1 << 20);
	ck_assert_int_eq(refused_with("inv", "t", columns), TR_E_CONFIG);
	fx_stop(&f);
}
END_TEST

TEST_MAIN("table", names_and_types, flat_value_is_the_row, no_key, exclude_mask_truncate_propagate, hashes_of_values,
	  a_mask_that_would_not_hide_is_refused, include_leaves_the_rest_out_but_not_of_the_key, key_rules, field_collisions,
	  excluding_mends_a_collision, topic_collisions, names_avro_cannot_hold, stand_ins, a_bad_rule_is_the_configurations_fault)
