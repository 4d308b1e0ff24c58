/* Schema changes on their way into records. */
#include "tests/unit/events/fixture.h"

static fx f;

static const char *emit(const tr_schema_change *schema, bool replayed)
{
	tr_change change = fx_change_of(&f, TR_OP_SCHEMA, NULL, "tx");

	change.schema = schema;
	change.replayed = replayed;
	ck_assert_msg(tr_emitter_change(f.emitter, &change, &f.err) == 0, "%s", f.err.text);
	return fx_take(&f);
}

#define DDL_SOURCE(db) "source:{version:1.0,connector:postgresql,name:srv,snapshot:false,db:" db ",sequence:-,lsn:77}"

START_TEST(a_table_with_its_columns)
{
	static const char *const values[] = {"'x'", "'it''s'"}, *const key[] = {"id", "e"};
	const tr_schema_column columns[] = {
	    {.name = "id", .jdbc_type = 4, .type = "INT UNSIGNED", .length = -1, .scale = -1, .auto_increment = true,
	     .generated = true},
	    {.name = "e", .jdbc_type = 1, .type = "ENUM", .charset = "latin1", .length = 1, .scale = -1, .optional = true,
	     .comment = "c", .default_expression = "x", .values = values, .value_count = 2},
	    {.name = "d", .jdbc_type = 3, .type = "DECIMAL", .length = 12, .scale = 0}};
	const tr_schema_table table = {.charset = "utf8mb4", .key = key, .key_count = 2, .columns = columns, .column_count = 3};
	const tr_schema_change change = {.database = "shop",
					 .ddl = tr_slice_str("CREATE TABLE t (...)"),
					 .type = "CREATE",
					 .id = "\"shop\".\"t\"",
					 .table = &table};

	fx_init(&f);
	f.options.schema_changes = true;
	fx_start(&f, 1 << 20);
	ck_assert_str_eq(
	    emit(&change, false),
	    "srv K{databaseName:shop} V{" DDL_SOURCE("shop") ",databaseName:shop,schemaName:-,ddl:CREATE TABLE t (...),"
	    "tableChanges:[{type:CREATE,id:\"shop\".\"t\",table:{defaultCharsetName:utf8mb4,primaryKeyColumnNames:[id,e],"
	    "columns:["
	    "{name:id,jdbcType:4,nativeType:-,typeName:INT UNSIGNED,typeExpression:INT UNSIGNED,charsetName:-,length:-,"
	    "scale:-,position:1,optional:false,autoIncremented:true,generated:true,comment:-,defaultValueExpression:-,"
	    "enumValues:-},"
	    "{name:e,jdbcType:1,nativeType:-,typeName:ENUM,typeExpression:ENUM,charsetName:latin1,length:1,"
	    "scale:-,position:2,optional:true,autoIncremented:false,generated:false,comment:c,defaultValueExpression:x,"
	    "enumValues:['x','it''s']},"
	    "{name:d,jdbcType:3,nativeType:-,typeName:DECIMAL,typeExpression:DECIMAL,charsetName:-,length:12,"
	    "scale:0,position:3,optional:false,autoIncremented:false,generated:false,comment:-,defaultValueExpression:-,"
	    "enumValues:-}],comment:-}}]} +ctx\n");
	ck_assert_int_eq(f.batch->records[0].topic->kind, TR_TOPIC_META);
	ck_assert_str_eq(f.encoder.codecs[0]->type->name, "io.debezium.connector.postgresql.SchemaChangeKey");
	ck_assert_str_eq(f.encoder.codecs[1]->subject, "srv-value");
	fx_stop(&f);
}
END_TEST

START_TEST(without_a_table)
{
	const tr_schema_change gone = {.database = "shop",
				       .ddl = tr_slice_str("DROP TABLE t"),
				       .type = "DROP",
				       .id = "\"shop\".\"t\""};
	const tr_schema_change none = {.database = "", .ddl = tr_slice_str("SET x=1")};

	fx_init(&f);
	f.options.schema_changes = true;
	f.options.context_headers = false;
	fx_start(&f, 1 << 20);
	ck_assert_str_eq(emit(&gone, false),
			 "srv K{databaseName:shop} V{" DDL_SOURCE("shop") ",databaseName:shop,schemaName:-,ddl:DROP TABLE t,"
			 "tableChanges:[{type:DROP,id:\"shop\".\"t\",table:-}]}\n");
	ck_assert_str_eq(emit(&none, false), "srv K{databaseName:} V{" DDL_SOURCE("") ",databaseName:,schemaName:-,"
			 "ddl:SET x=1,tableChanges:[]}\n");
	ck_assert_str_eq(emit(&gone, true), "");
	fx_stop(&f);
}
END_TEST

START_TEST(left_out_and_not_counted)
{
	const tr_schema_change change = {.database = "shop", .ddl = tr_slice_str("DROP TABLE t")};

	fx_init(&f);
	f.options.transaction_metadata = true;
	fx_start(&f, 1 << 20);
	ck_assert_str_eq(emit(&change, false), "");
	fx_stop(&f);
	fx_init(&f);
	f.options.transaction_metadata = f.options.schema_changes = true;
	fx_start(&f, 1 << 20);
	ck_assert_int_eq(tr_emitter_begin(f.emitter, tr_slice_str("tx"), 0, &f.err), 0);
	emit(&change, false);
	ck_assert_int_eq(tr_emitter_commit(f.emitter, tr_slice_str("tx"), 0, &f.err), 0);
	ck_assert_ptr_nonnull(strstr(fx_take(&f), "event_count:0"));
	fx_stop(&f);
}
END_TEST

TEST_MAIN("events.schema_change", a_table_with_its_columns, without_a_table, left_out_and_not_counted)
