#include "service/debezium.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#define EXTRA "\ndatabase.hostname=h\ndatabase.port=5433\ndatabase.user=u ser\ndatabase.password=p@s:s/\n"

static tr_err err;
static tr_arena arena;
static char notes[16384];

static void note(void *context, const char *property, const char *reason)
{
	(void)context;
	snprintf(notes + strlen(notes), sizeof(notes) - strlen(notes), "%s: %s\n", property, reason);
}

/* The YAML a connector's text becomes; NULL with err set. */
static const char *import(const char *text)
{
	tr_dbz *d = calloc(1, sizeof(*d));
	const char *result = NULL;
	tr_writer w;

	tr_arena_release(&arena);
	tr_arena_init(&arena, (size_t)16 << 20);
	tr_err_clear(&err);
	notes[0] = '\0';
	d->arena = &arena;
	d->note = note;
	tr_writer_init(&w, (size_t)1 << 20);
	if (tr_dbz_read(d, tr_slice_str(text), &err) == 0 && tr_dbz_map(d, &err) == 0) {
		tr_tree_write(d->root, 0, &w);
		result = tr_arena_strndup(&arena, w.data, w.len);
	}
	tr_writer_release(&w);
	free(d);
	return result;
}

/* What the text means to tailrace, with a sink as the golden harness gives it. */
static tr_config *configure(const char *text)
{
	static const tr_config_set sets[] = {{"sink.url", "kafka://h:1"}, {"events.registry.url", "http://r"},
	    {"state.url", "file:/tmp/x"}, {"http.listen", "127.0.0.1:0"}};
	const char *yaml = import(text);
	tr_config_request request = {.file = "imported", .sets = sets, .set_count = 4};
	tr_config *config;

	ck_assert_msg(yaml != NULL, "%s", err.text);
	request.text = tr_slice_str(yaml);
	if (tr_config_load(&config, &request, &err) < 0)
		ck_abort_msg("%s (%s) in\n%s", err.text, err.hint, yaml);
	return config;
}

static tr_config *configure_case(const char *name)
{
	char path[512], text[8192];
	size_t len;
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/golden/cases/%s/connector.properties", getenv("TAILRACE_SOURCE_DIR"), name);
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s", path);
	len = fread(text, 1, sizeof(text) - sizeof(EXTRA) - 32, file);
	fclose(file);
	snprintf(text + len, sizeof(text) - len, "%s", EXTRA "database.dbname=golden\n");
	return configure(text);
}

START_TEST(every_golden_connector_becomes_a_valid_file)
{
	char path[512];
	struct dirent *entry;
	unsigned count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/tests/golden/cases", getenv("TAILRACE_SOURCE_DIR"));
	dir = opendir(path);
	ck_assert_ptr_nonnull(dir);
	while ((entry = readdir(dir))) {
		const tr_pipeline_config *p;
		tr_config *config;

		if (strncmp(entry->d_name, "postgres-", 9) != 0)
			continue;
		config = configure_case(entry->d_name);
		p = &config->pipelines[0].pipeline;
		ck_assert_int_eq(strncmp(p->name, "gold", 4), 0);
		ck_assert_str_eq(p->source.url, "postgres://u%20ser:p%40s%3As%2F@h:5433/golden");
		ck_assert_str_eq(p->source.slot, "debezium");
		ck_assert_str_eq(p->source.publication, "dbz_publication");
		ck_assert_str_eq(p->source.publication_mode, "all_tables");
		ck_assert(p->source.snapshot_as_debezium && p->events.null_as_default && p->events.context_headers);
		ck_assert(!p->events.carry_all_types);
		ck_assert_uint_eq(p->source.snapshot_readers, 1);
		/* Every property of these cases has a counterpart. */
		ck_assert_msg(!strstr(notes, "known") && !strstr(notes, "has no counterpart"), "%s: %s", entry->d_name, notes);
		tr_config_free(config);
		count++;
	}
	closedir(dir);
	ck_assert_uint_ge(count, 20);
}
END_TEST

START_TEST(column_rules_and_keys_are_kept)
{
	tr_config *config = configure_case("postgres-mode-options");
	const tr_event_options *e = &config->pipelines[0].pipeline.events;

	ck_assert_str_eq(config->pipelines[0].pipeline.source.table_include, "(?:public.cust),(?:public.log_.*)");
	ck_assert_uint_eq(e->column_rule_count, 4);
	ck_assert_int_eq(e->column_rules[0].action, TR_COLUMN_EXCLUDE);
	ck_assert_int_eq(e->column_rules[1].action, TR_COLUMN_MASK);
	ck_assert_uint_eq(e->column_rules[1].length, 5);
	ck_assert_str_eq(e->column_rules[1].pattern, "public.cust.card");
	ck_assert_int_eq(e->column_rules[2].action, TR_COLUMN_TRUNCATE);
	ck_assert_uint_eq(e->column_rules[2].length, 4);
	ck_assert_int_eq(e->column_rules[3].action, TR_COLUMN_PROPAGATE_TYPE);
	ck_assert_str_eq(e->column_rules[3].pattern, ".*");
	ck_assert_uint_eq(e->key_rule_count, 1);
	ck_assert_str_eq(e->key_rules[0].table_pattern, "public.log_plain");
	ck_assert_uint_eq(e->key_rules[0].column_count, 2);
	ck_assert(!e->tombstones);
	ck_assert_int_eq(e->headers_format, TR_HEADERS_JSON);
	tr_config_free(config);
}
END_TEST

START_TEST(hashes_keep_their_algorithm_salt_and_version)
{
	tr_config *config = configure("connector.class=io.debezium.connector.postgresql.PostgresConnector\nplugin.name=pgoutput\n"
	    "topic.prefix=t\ndatabase.dbname=d\n" EXTRA "column.mask.hash.SHA-256.with.salt.a.b=public.t.c,public.t.d\n"
	    "column.mask.hash.v2.md5.with.salt.x=public.u.e\n");
	const tr_event_options *e = &config->pipelines[0].pipeline.events;

	ck_assert_uint_eq(e->column_rule_count, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(e->column_rules[i].action, TR_COLUMN_HASH);
	ck_assert_str_eq(e->column_rules[1].pattern, "public.t.d");
	ck_assert_str_eq(e->column_rules[1].algorithm, "SHA-256");
	ck_assert_str_eq(e->column_rules[1].salt, "a.b");
	ck_assert(e->column_rules[1].java);
	ck_assert_str_eq(e->column_rules[2].algorithm, "md5");
	ck_assert_str_eq(e->column_rules[2].salt, "x");
	ck_assert(!e->column_rules[2].java);
	ck_assert_ptr_null(strstr(notes, "mask"));
	tr_config_free(config);
}
END_TEST

#define PG "connector.class=io.debezium.connector.postgresql.PostgresConnector\nplugin.name=pgoutput\ntopic.prefix=t\n" \
	"database.dbname=d\n"

START_TEST(values_are_mapped)
{
	tr_config *config = configure(PG EXTRA
	    "snapshot.mode=no_data\nskipped.operations=none\nheartbeat.interval.ms=1000\nextended.headers.enabled=false\n"
	    "publication.autocreate.mode=filtered\npublish.via.partition.root=true\nsignal.data.collection=public.sig\n"
	    "incremental.snapshot.chunk.size=10\nprovide.transaction.metadata=true\ninclude.unknown.datatypes=true\n"
	    "time.precision.mode=ISOSTRING\nfield.name.adjustment.mode=avro_unicode\nslot.failover=true\n"
	    "database.sslmode=verify-full\ndatabase.sslrootcert=/a b\nerrors.max.retries=-1\nstatus.update.interval.ms=500\n");
	const tr_pipeline_config *p = &config->pipelines[0].pipeline;

	ck_assert_int_eq(p->source.snapshot_mode, TR_SNAPSHOT_NO_DATA);
	ck_assert(!p->events.skip_truncate && !p->events.context_headers);
	ck_assert_int_eq(p->events.heartbeat_interval_ms, 1000);
	ck_assert_str_eq(p->source.publication_mode, "tables");
	ck_assert(p->source.publish_via_root && p->events.transaction_metadata && p->events.unknown_types && p->source.failover);
	ck_assert_str_eq(p->source.signal_table, "public.sig");
	ck_assert_uint_eq(p->source.signal_chunk_rows, 10);
	ck_assert_int_eq(p->events.time, TR_TIME_ISOSTRING);
	ck_assert_int_eq(p->events.field_names, TR_NAMES_AVRO_UNICODE);
	ck_assert_int_eq(p->events.schema_names, TR_NAMES_NONE);
	ck_assert_str_eq(p->source.url, "postgres://u%20ser:p%40s%3As%2F@h:5433/d?sslmode=verify-full&sslrootcert=%2Fa%20b");
	ck_assert_int_eq(p->source.retry_total_ms, 0);
	ck_assert_int_eq(p->source.status_interval_ms, 500);
	tr_config_free(config);
}
END_TEST

START_TEST(connect_json_with_converters_and_producer)
{
	tr_config *config = configure("{\"name\":\"c\",\"config\":{\"connector.class\":\"io.debezium.connector.postgresql.PostgresConnector\","
	    "\"plugin.name\":\"pgoutput\",\"topic.prefix\":\"t\",\"database.hostname\":\"h\",\"database.port\":5432,"
	    "\"database.user\":\"u\",\"database.dbname\":\"d\",\"tombstones.on.delete\":false,\"skip.messages.without.change\":\"true\","
	    "\"key.converter\":\"io.confluent.connect.avro.AvroConverter\",\"value.converter\":\"io.confluent.connect.avro.AvroConverter\","
	    "\"value.converter.schema.registry.url\":\"http://reg:8081\",\"value.converter.basic.auth.credentials.source\":\"USER_INFO\","
	    "\"value.converter.basic.auth.user.info\":\"me:pw\",\"producer.override.linger.ms\":\"5\","
	    "\"producer.override.max.request.size\":\"2000000\",\"topic.creation.default.partitions\":3,"
	    "\"topic.creation.default.replication.factor\":1,\"topic.creation.default.cleanup.policy\":\"compact\"}}");
	const tr_pipeline_config *p = &config->pipelines[0].pipeline;

	ck_assert_str_eq(p->registry.user, "me");
	ck_assert_str_eq(p->registry.password, "pw");
	ck_assert(!p->events.tombstones && p->events.skip_unchanged);
	ck_assert_uint_eq(p->sink.property_count, 2);
	ck_assert_str_eq(p->sink.properties[1].key, "message.max.bytes");
	ck_assert_int_eq(p->sink.partitions, 3);
	ck_assert_int_eq(p->sink.replication, 1);
	ck_assert_str_eq(p->sink.cleanup_policy, "compact");
	tr_config_free(config);
}
END_TEST

START_TEST(json_converter_has_schemas_unless_told)
{
	tr_config *config = configure(PG EXTRA "value.converter=org.apache.kafka.connect.json.JsonConverter\n");

	ck_assert_int_eq(config->pipelines[0].pipeline.events.format, TR_FORMAT_JSON);
	ck_assert(config->pipelines[0].pipeline.events.json_schemas);
	tr_config_free(config);
	config = configure(PG EXTRA "value.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter.schemas.enable=false\n");
	ck_assert(!config->pipelines[0].pipeline.events.json_schemas);
	tr_config_free(config);
}
END_TEST

START_TEST(what_has_no_counterpart_is_named)
{
	ck_assert_ptr_nonnull(import(PG EXTRA "transforms=unwrap\ntransforms.unwrap.type=x\nheartbeat.action.query=SELECT 1\n"
	                                      "no.such.thing=1\nsnapshot.mode=always\nmessage.prefix.include.list=a\n"
	                                      "column.mask.hash.Whirlpool.with.salt.x=public.t.c\n"));
	ck_assert_ptr_nonnull(strstr(notes, "transforms: "));
	ck_assert_ptr_nonnull(strstr(notes, "transforms.unwrap.type: "));
	ck_assert_ptr_nonnull(strstr(notes, "heartbeat.action.query: not needed"));
	ck_assert_ptr_nonnull(strstr(notes, "no.such.thing: not a property that is known"));
	ck_assert_ptr_nonnull(strstr(notes, "snapshot.mode: "));
	ck_assert_ptr_nonnull(strstr(notes, "message.prefix.include.list: "));
	ck_assert_ptr_nonnull(strstr(notes, "column.mask.hash.Whirlpool.with.salt.x: this algorithm is not known; the columns are masked"));
	ck_assert_ptr_nonnull(strstr(notes, "null_as_default"));
}
END_TEST

START_TEST(references_are_translated)
{
	const char *yaml = import(PG "database.hostname=h\ndatabase.user=u\ndatabase.password=${env:DB_PASSWORD}\n");

	ck_assert_ptr_nonnull(strstr(yaml, "u:${DB_PASSWORD}@h"));
	ck_assert_ptr_null(strstr(notes, "source.url"));
	yaml = import(PG "database.hostname=h\ndatabase.user=u\ndatabase.password=${file:/s.properties:db.pass}\n");
	ck_assert_ptr_nonnull(strstr(yaml, "u:${db_pass}@h"));
	ck_assert_ptr_nonnull(strstr(notes, "source.url: a reference to a configuration provider"));
}
END_TEST

START_TEST(properties_are_read_as_java_does)
{
	const char *yaml = import("# comment\n! comment\nconnector.class : io.debezium.connector.postgresql.PostgresConnector\r\n"
	                          "plugin.name pgoutput\ntopic.prefix=\\u0074est\ntable.include.list=public.a,\\\n    public.b\\\\d{1\\\\,2}\n"
	                          "database.dbname=d\ndatabase.hostname=h");

	ck_assert_msg(yaml != NULL, "%s", err.text);
	ck_assert_msg(strstr(yaml, "name: test\n") != NULL, "%s", yaml);
	ck_assert_msg(strstr(yaml, "[public.a, \"public.b\\\\d{1,2}\"]") != NULL, "%s", yaml);
}
END_TEST

START_TEST(other_connectors)
{
	const char *yaml = import("connector.class=io.debezium.connector.mysql.MySqlConnector\ntopic.prefix=t\ndatabase.hostname=h\n"
	                          "database.port=3306\ndatabase.user=u\ndatabase.include.list=golden\ninclude.query=true\n");

	ck_assert_msg(yaml != NULL, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(yaml, "url: mysql://u@h:3306/"));
	ck_assert_ptr_nonnull(strstr(yaml, "time: adaptive_time_microseconds"));
	ck_assert_ptr_nonnull(strstr(yaml, "schema_include: [golden]"));
	ck_assert_ptr_nonnull(strstr(yaml, "include_query: true"));
	ck_assert_ptr_nonnull(strstr(yaml, "delivery: at_least_once"));
	ck_assert_ptr_null(import("connector.class=io.debezium.connector.oracle.OracleConnector\n"));
	ck_assert_int_eq(err.code, TR_E_CONFIG_UNSUPPORTED);
	ck_assert_ptr_null(import("a=b\n"));
	ck_assert_ptr_nonnull(strstr(err.text, "connector.class is missing"));
	ck_assert_ptr_null(import("{\"a\": \n"));
	ck_assert_ptr_nonnull(strstr(err.text, "JSON"));
}
END_TEST

START_TEST(debezium_server_is_understood)
{
	const char *yaml = import("debezium.sink.type=kafka\ndebezium.sink.kafka.producer.bootstrap.servers=b:1, c:2\n"
	                          "debezium.source.connector.class=io.debezium.connector.postgresql.PostgresConnector\n"
	                          "debezium.source.plugin.name=pgoutput\ndebezium.source.topic.prefix=t\n"
	                          "debezium.source.database.hostname=h\ndebezium.source.database.dbname=d\n"
	                          "debezium.source.offset.storage.file.filename=x\nquarkus.log.level=INFO\n");

	ck_assert_msg(yaml != NULL, "%s", err.text);
	ck_assert_msg(strstr(yaml, "kafka://b:1,c:2") != NULL, "%s", yaml);
	ck_assert_ptr_nonnull(strstr(notes, "quarkus.log.level"));
	ck_assert_ptr_nonnull(strstr(notes, "offset.storage.file.filename"));
}
END_TEST

START_TEST(a_byte_order_mark_is_no_text)
{
	ck_assert_ptr_nonnull(import("\xef\xbb\xbf{\"connector.class\":\"io.debezium.connector.postgresql.PostgresConnector\","
	                             "\"database.hostname\":\"h\",\"database.dbname\":\"d\",\"topic.prefix\":\"p\"}"));
	ck_assert_ptr_nonnull(import("\xef\xbb\xbf" "connector.class=io.debezium.connector.postgresql.PostgresConnector\n"
	                             "database.hostname=h\ndatabase.dbname=d\ntopic.prefix=p\n"));
}
END_TEST

TEST_MAIN("import", a_byte_order_mark_is_no_text, every_golden_connector_becomes_a_valid_file, column_rules_and_keys_are_kept, values_are_mapped,
    hashes_keep_their_algorithm_salt_and_version,
    connect_json_with_converters_and_producer, json_converter_has_schemas_unless_told, what_has_no_counterpart_is_named,
    references_are_translated, properties_are_read_as_java_does, other_connectors, debezium_server_is_understood)
