/*
 * What the rules of this room make of tables must give the schemas that Debezium registered, byte for byte: tables as
 * in tests/golden/cases, through tr_table_compile, the emitter and the real Avro format.
 */
#include "events/avro/encoder.h"
#include "tests/unit/events/fixture.h"
#include "tests/unit/events_avro/trees.h"

static fx f;

static void begin(const char *name)
{
	tr_registry_options registry = {0};

	fx_init(&f);
	f.options.name = name;
	f.options.null_as_default = true;
	f.options.transaction_metadata = true;
	f.real_ops = &tr_avro_encoder_ops;
	f.real_source = postgres_source;
	ck_assert_msg(f.real_ops->open(&f.real, &f.options, &registry, &f.err) == 0, "%s", f.err.text);
}

static void end(void)
{
	fx_stop(&f);
	f.real_ops->free(f.real);
}

static void read_schema(const char *which, const char *subject, char *out, size_t size)
{
	const char *dir = getenv("TAILRACE_SOURCE_DIR");
	char path[512];

	snprintf(path, sizeof(path), "%s/tests/golden/cases/%s/schemas/%s.avsc", dir ? dir : ".", which, subject);
	FILE *file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s cannot be read", path);
	size_t len = fread(out, 1, size - 1, file);
	fclose(file);
	while (len > 0 && out[len - 1] == '\n')
		len--;
	out[len] = '\0';
}

/* Every codec of the records written so far has the schema of its subject. */
static void ck_schemas(const char *which)
{
	static char want[1 << 16];

	for (size_t i = 0; i < f.batch->count; i++) {
		const tr_codec *codecs[] = {f.batch->records[i].key_codec, f.batch->records[i].value_codec};
		for (int part = 0; part < 2; part++) {
			if (!codecs[part])
				continue;
			read_schema(which, codecs[part]->subject, want, sizeof(want));
			ck_assert_str_eq(codecs[part]->schema, want);
		}
	}
}

/* A table of text and integer columns, with one row inserted and deleted. */
static void table(const char *schema, const char *name, const char *const *columns, const char *const *row)
{
	tr_table *t = NULL;

	ck_assert_msg(fx_compile_table(&f, schema, name, columns, &t) == 0, "%s", f.err.text);
	/* the source's own fields: schema, table, txId, lsn, xmin, origin, origin_lsn */
	for (int i = TR_SRC_OWN; i < TR_SRC_MAX; i++)
		f.source.fields[i] = tr_value_null();
	tr_datum data[16];
	tr_change change = {.op = TR_OP_CREATE, .table = t, .source = &f.source, .txn_id = tr_slice_str("7:8")};
	change.after = fx_row(data, row, t->column_count);
	f.source.fields[TR_SRC_OWN] = tr_value_text(schema);
	f.source.fields[TR_SRC_OWN + 1] = tr_value_text(name);
	ck_assert_msg(tr_emitter_change(f.emitter, &change, &f.err) == 0, "%s", f.err.text);
	change.op = TR_OP_DELETE;
	change.before = change.after;
	ck_assert_msg(tr_emitter_change(f.emitter, &change, &f.err) == 0, "%s", f.err.text);
	tr_table_free(t);
}

#define LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

START_TEST(changes)
{
	begin("gold_pg_changes");
	fx_start(&f, 1 << 20);
	ck_assert_int_eq(tr_emitter_begin(f.emitter, tr_slice_str("7:8"), 0, &f.err), 0);
	table("inv", "ident_default", LIST("id:int!#1@", "name:text!", "qty:int", "note:text=none"),
	      ROW("1", "one", NUL, "x"));
	table("inv", "trunc_b", LIST("id:int!#1@", "a:int", "v:text"), ROW("1", "2", "x"));
	table("inv", "no_key", LIST("a:int", "b:text"), ROW("1", "2"));
	table("inv", "unique_only", LIST("u:int!#1", "b:text"), ROW("1", "2"));
	tr_change message = {.op = TR_OP_MESSAGE, .source = &f.source, .message_prefix = tr_slice_str("p")};
	ck_assert_msg(tr_emitter_change(f.emitter, &message, &f.err) == 0, "%s", f.err.text);
	ck_assert_int_eq(tr_emitter_commit(f.emitter, tr_slice_str("7:9"), 0, &f.err), 0);
	ck_assert_int_eq(tr_emitter_heartbeat(f.emitter, &f.err), 0);
	/* BEGIN, 4 x (c, d, tombstone), m, END, heartbeat */
	ck_assert_uint_eq(f.batch->count, 16);
	ck_schemas("postgres-changes");
	end();
}
END_TEST

static void odd_tables(const char *fifth)
{
	char column[40];

	snprintf(column, sizeof(column), "%s:text", fifth);
	table("Odd Schema", "Mixed Case-Table",
	      LIST("Id:int!#1@", "Col Name:text", "1st:int", "a.b:text", column, "select:text", "ünïcode:text",
		   "$dollar:text", "UPPER:text", "_under:text"),
	      ROW("1", "a", "1", "b", "c", "d", "e", "f", "g", "h"));
	table("Odd Schema", "1table", LIST("k.1:int!#1@", "k-2:text!#2@", "v:text"), ROW("1", "x", "v"));
	table("public", "naïve.tbl", LIST("id:int!#1@", "v:text"), ROW("1", "n"));
	table("public", "plain", LIST("id:int!#1@", "v:text"), ROW("1", "p"));
}

START_TEST(names)
{
	begin("gold-pg.odd");
	f.options.transaction_metadata = false;
	f.options.field_names = TR_NAMES_AVRO;
	fx_start(&f, 1 << 20);
	odd_tables("c-d");
	ck_assert_uint_eq(f.batch->count, 12);
	ck_schemas("postgres-names");
	end();
}
END_TEST

START_TEST(names_unicode)
{
	begin("gold-pg.uni");
	f.options.transaction_metadata = false;
	f.options.schema_names = f.options.field_names = TR_NAMES_AVRO_UNICODE;
	fx_start(&f, 1 << 20);
	odd_tables("a-b");
	ck_schemas("postgres-names-unicode");
	end();
}
END_TEST

START_TEST(column_options)
{
	static const char *const key[] = {"a", "b"};
	const tr_key_rule keys[] = {{"public.log_plain", key, 2}};
	const tr_column_rule rules[] = {{TR_COLUMN_PROPAGATE_TYPE, ".*", .length = 0}};
	const tr_source_column sources[] = {{"INT4", 10, 0, NULL}, {"TEXT", 2147483647, 0, NULL}, {"TEXT", 2147483647, 0, NULL}};

	begin("gold_pg_options");
	f.options.transaction_metadata = false;
	f.options.column_rules = rules;
	f.options.column_rule_count = 1;
	f.options.key_rules = keys;
	f.options.key_rule_count = 1;
	f.source_columns = sources;
	fx_start(&f, 1 << 20);
	table("public", "log_plain", LIST("a:int!", "b:text", "c:text"), ROW("1", "k", "v"));
	ck_schemas("postgres-mode-options");
	end();
}
END_TEST

TEST_MAIN("golden", changes, names, names_unicode, column_options)
