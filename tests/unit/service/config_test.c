#include "service/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/test.h"

#define BASE "source: {url: postgres://cdc@db:5432/shop}\nsink: {url: kafka://b:9092}\nevents: {registry: {url: http://r:8081}}\n"

static tr_err err;

static tr_config *load_with(const char *yaml, const tr_config_set *sets, size_t count)
{
	tr_config_request request = {.file = "t.yaml", .text = tr_slice_str(yaml), .sets = sets, .set_count = count};
	tr_config *config;

	tr_err_clear(&err);
	return tr_config_load(&config, &request, &err) == 0 ? config : NULL;
}

static tr_config *load(const char *yaml)
{
	return load_with(yaml, NULL, 0);
}

static void ck_fails(const char *yaml, tr_err_code code, const char *text, const char *hint)
{
	tr_config *config = load(yaml);

	ck_assert_msg(config == NULL, "accepted: %s", yaml);
	ck_assert_msg(err.code == code, "code %d, %s", err.code, err.text);
	ck_assert_msg(strstr(err.text, text) != NULL, "text \"%s\" has no \"%s\"", err.text, text);
	if (hint)
		ck_assert_msg(strstr(err.hint, hint) != NULL, "hint \"%s\" has no \"%s\"", err.hint, hint);
}

static void ck_loads(const char *yaml, void (*check)(const tr_pipeline_config *p))
{
	tr_config *config = load(yaml);

	ck_assert_msg(config != NULL, "%s (%s)", err.text, err.hint);
	if (check)
		check(&config->pipelines[0].pipeline);
	tr_config_free(config);
}

static void check_defaults(const tr_pipeline_config *p)
{
	ck_assert_str_eq(p->name, "shop");
	ck_assert_str_eq(p->events.name, "shop");
	ck_assert_str_eq(p->source.kind, "postgres");
	ck_assert_str_eq(p->source.slot, "tailrace_shop");
	ck_assert_str_eq(p->source.publication, "tailrace_shop");
	ck_assert_str_eq(p->source.publication_mode, "tables");
	ck_assert(p->source.create && p->source.messages && p->events.tombstones && p->events.skip_truncate);
	ck_assert(!p->events.skip_delete && !p->events.context_headers && !p->events.null_as_default);
	ck_assert(!p->events.carry_all_types && !p->source.snapshot_as_debezium);
	ck_assert_int_eq(p->events.format, TR_FORMAT_AVRO);
	ck_assert_int_eq(p->events.schema_names, TR_NAMES_AVRO);
	ck_assert_int_eq(p->events.time, TR_TIME_ADAPTIVE);
	ck_assert_int_eq(p->delivery, TR_EXACTLY_ONCE);
	ck_assert_uint_eq(p->memory_bytes, 64u << 20);
	ck_assert_int_eq(p->state_interval_ms, 1000);
	ck_assert_int_eq(p->source.connect_timeout_ms, 10000);
	ck_assert_int_eq(p->sink.partitions, -1);
	ck_assert_str_eq(p->sink.dead_letter_topic, "shop.dead_letter");
	ck_assert_ptr_nonnull(p->state_url);
}

START_TEST(defaults_are_filled_in)
{
	ck_loads(BASE, check_defaults);
}
END_TEST

START_TEST(unknown_keys_suggest_the_nearest)
{
	ck_fails("source:\n  url: x\n  tabels: [a]\n", TR_E_CONFIG_UNKNOWN_KEY, "t.yaml:3:3: unknown key \"source.tabels\"",
	    "source.tables");
	ck_fails("sorce: {url: x}\n", TR_E_CONFIG_UNKNOWN_KEY, "t.yaml:1:1", "\"source\"");
	ck_fails("source: {readers: 3}\n", TR_E_CONFIG_UNKNOWN_KEY, "source.readers", "snapshot.readers");
}
END_TEST

START_TEST(bad_yaml_names_line_and_column)
{
	ck_fails("source:\n\turl: x\n", TR_E_CONFIG_SYNTAX, "t.yaml:2:1", "tabs");
	ck_fails("source: [a\n", TR_E_CONFIG_SYNTAX, "t.yaml:", NULL);
	ck_fails("- a\n- b\n", TR_E_CONFIG_SYNTAX, "not a map", NULL);
	ck_fails("name: &a x\nsource: *b\n", TR_E_CONFIG_SYNTAX, "anchor", NULL);
	ck_fails("name: a\n---\nname: b\n", TR_E_CONFIG, "second document", NULL);
}
END_TEST

START_TEST(duplicate_keys_are_refused)
{
	ck_fails("name: a\nname: b\n", TR_E_CONFIG, "t.yaml:2:1: key \"name\" stands twice", NULL);
}
END_TEST

START_TEST(limits_hold)
{
	char deep[64] = "name: ", *many;
	size_t at;

	memset(deep + 6, '[', 40);
	ck_fails(deep, TR_E_CONFIG, "nested too deeply", NULL);
	/* Each alias doubles: a small file that would be a billion nodes. */
	many = malloc(4096);
	at = (size_t)snprintf(many, 4096, "a0: &a0 [x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 9; i++)
		at += (size_t)snprintf(many + at, 4096 - at, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1,
		    i - 1, i - 1, i - 1, i - 1);
	ck_fails(many, TR_E_CONFIG, "too many values", NULL);
	free(many);
}
END_TEST

static void check_expanded(const tr_pipeline_config *p)
{
	ck_assert_str_eq(p->source.url, "postgres://cdc:p%40ss@db/shop");
	ck_assert_str_eq(p->source.slot, "fallback");
	ck_assert_str_eq(p->registry.password, "from file");
	ck_assert_str_eq(p->events.unavailable, "${literal}");
}

START_TEST(references_are_expanded)
{
	char yaml[1024], path[] = "/tmp/tailrace-config-XXXXXX";
	int fd = mkstemp(path);

	ck_assert_int_eq(write(fd, "from file\n", 10), 10);
	close(fd);
	setenv("TR_TEST_PASSWORD", "p%40ss", 1);
	unsetenv("TR_TEST_UNSET");
	snprintf(yaml, sizeof(yaml),
	    "source: {url: 'postgres://cdc:${TR_TEST_PASSWORD}@db/shop', slot: '${TR_TEST_UNSET:-fallback}'}\n"
	    "sink: {url: null}\nevents: {unavailable: '$${literal}', registry: {password: '${file:%s}'}}\n", path);
	/* A plain null is "not given"; the null sink has to be quoted. */
	ck_fails(yaml, TR_E_CONFIG, "sink.url is missing", NULL);
	snprintf(yaml, sizeof(yaml),
	    "source: {url: 'postgres://cdc:${TR_TEST_PASSWORD}@db/shop', slot: '${TR_TEST_UNSET:-fallback}'}\n"
	    "sink: {url: stdout}\nevents: {unavailable: '$${literal}', registry: {password: '${file:%s}'}}\n", path);
	ck_loads(yaml, check_expanded);
	unlink(path);
	ck_fails(yaml, TR_E_CONFIG, "could not open file", NULL);
}
END_TEST

START_TEST(bad_references_name_the_place)
{
	unsetenv("TR_TEST_UNSET");
	ck_fails("source:\n  url: ${TR_TEST_UNSET}\n", TR_E_CONFIG, "t.yaml:2:3: environment variable is not set: \"TR_TEST_UNSET\"",
	    ":-default");
	ck_fails("name: ${A-B}\n", TR_E_CONFIG, "cannot be understood", NULL);
	ck_fails("name: \"${A\"\n", TR_E_CONFIG, "closing brace", NULL);
}
END_TEST

static void check_types(const tr_pipeline_config *p)
{
	ck_assert_uint_eq(p->source.table_count, 2);
	ck_assert_str_eq(p->source.tables[0], "public.*");
	ck_assert_str_eq(p->source.tables[1], "!public.a b");
	ck_assert_str_eq(p->source.table_include, "(?:public.cust),(?:public.log_.*)");
	ck_assert(!p->source.create);
	ck_assert_int_eq(p->source.snapshot_mode, TR_SNAPSHOT_WHEN_NEEDED);
	ck_assert_uint_eq(p->source.snapshot_readers, 4);
	ck_assert_uint_eq(p->source.snapshot_split_bytes, (uint64_t)1 << 30);
	ck_assert_int_eq(p->source.status_interval_ms, 2500);
	ck_assert_int_eq(p->source.retry_total_ms, 0);
	ck_assert_int_eq(p->events.decimal, TR_DECIMAL_STRING);
	ck_assert_int_eq(p->events.binary, TR_BINARY_BASE64_URL);
	ck_assert(p->events.skip_create && p->events.skip_messages && !p->events.skip_truncate);
	ck_assert_uint_eq(p->events.column_rule_count, 2);
	ck_assert_int_eq(p->events.column_rules[0].action, TR_COLUMN_EXCLUDE);
	ck_assert_str_eq(p->events.column_rules[1].pattern, "public.u.card");
	ck_assert_int_eq(p->events.column_rules[1].action, TR_COLUMN_MASK);
	ck_assert_uint_eq(p->events.column_rules[1].length, 4);
	ck_assert_uint_eq(p->events.key_rule_count, 1);
	ck_assert_str_eq(p->events.key_rules[0].columns[1], "b");
	ck_assert_uint_eq(p->sink.property_count, 2);
	ck_assert_str_eq(p->sink.properties[1].key, "linger.ms");
	ck_assert_str_eq(p->sink.properties[1].value, "5");
	ck_assert_str_eq(p->sink.cleanup_policy, "compact,delete");
	ck_assert(p->events.carry_all_types);
}

START_TEST(types_are_read)
{
	ck_loads("source:\n  url: postgresql://db/shop\n  tables: [\"public.*\", \"!public.a b\"]\n"
	         "  table_include: [public.cust, public.log_.*]\n  create: no\n  status_interval: 2500ms\n  retry_for: 0\n"
	         "snapshot: {mode: when_needed, readers: 4, split: 1GiB}\n"
	         "events:\n  registry: {url: https://r}\n  decimal: string\n  binary: base64-url-safe\n  skip: [create, m]\n"
	         "  compatibility: latest\n"
	         "  columns: [{exclude: public.u.password}, {mask: public.u.card, length: 4}]\n"
	         "  key_columns: [{table: public.log, columns: [a, b]}]\n"
	         "sink:\n  url: kafka://b\n  properties: {compression.type: lz4, linger.ms: 5}\n"
	         "  topics: {cleanup_policy: \"compact,delete\"}\n",
	    check_types);
}
END_TEST

START_TEST(bad_values_are_named)
{
	ck_fails(BASE "limits: {memory: lots}\n", TR_E_CONFIG, "t.yaml:4:10: limits.memory", "64MiB");
	ck_fails(BASE "limits: {memory: 1KiB}\n", TR_E_CONFIG, "limits.memory: 1KiB is outside", NULL);
	ck_fails(BASE "state: {interval: 5}\n", TR_E_CONFIG, "state.interval", "200ms");
	ck_fails(BASE "snapshot: {mode: inital}\n", TR_E_CONFIG, "snapshot.mode: \"inital\"", "Did you mean \"initial\"");
	ck_fails(BASE "snapshot: {readers: two}\n", TR_E_CONFIG, "not a whole number", NULL);
	ck_fails(BASE "snapshot: {readers: [1]}\n", TR_E_CONFIG, "one value belongs here, not a list", NULL);
	ck_fails(BASE "delivery: {a: b}\n", TR_E_CONFIG, "one value belongs here, not a map", NULL);
	ck_fails("source: {url: postgres://h/d, create: maybe}\nsink: {url: stdout}\n", TR_E_CONFIG, "not true or false", NULL);
	ck_fails("source: {tables: {a: b}}\n", TR_E_CONFIG, "a map stands where a list belongs", NULL);
	ck_fails("source: x\n", TR_E_CONFIG, "\"source\" is a section", NULL);
	ck_fails("events: {columns: [{mask: a}]}\n", TR_E_CONFIG, "need a length", NULL);
	ck_fails("events: {columns: [{hash: a, algorithm: MD5}]}\n", TR_E_CONFIG, "hash needs an algorithm and a salt", "SHA-256");
	ck_fails("events: {columns: [{hash: a, algorithm: CRC, salt: s}]}\n", TR_E_CONFIG, "unknown algorithm", "SHA-256");
	ck_fails("events: {columns: [{hash: a, algorithm: MD5, salt: s, version: 3}]}\n", TR_E_CONFIG, "version is 1 or 2", NULL);
	ck_fails("events: {columns: [{mask: a, length: 2, salt: s}]}\n", TR_E_CONFIG, "only hash has", NULL);
	ck_fails("events: {columns: [{hide: a}]}\n", TR_E_CONFIG, "unknown action", NULL);
	ck_fails("events: {skip: [drop]}\n", TR_E_CONFIG, "\"drop\" is not an operation", NULL);
}
END_TEST

START_TEST(combinations_are_checked)
{
	ck_fails("sink: {url: stdout}\n", TR_E_CONFIG, "source.url is missing", NULL);
	ck_fails("source: {url: oracle://h/d}\nsink: {url: stdout}\n", TR_E_CONFIG_UNSUPPORTED, "oracle", "postgres");
	ck_fails("source: {url: postgres://h/d}\nsink: {url: ftp://x}\n", TR_E_CONFIG_UNSUPPORTED, "ftp://x", "kafka");
	ck_fails("source: {url: postgres://h/d}\nsink: {url: kafka://x}\n", TR_E_CONFIG, "registry", "--format json");
	ck_fails("source: {url: postgres://h/}\nsink: {url: stdout}\n", TR_E_CONFIG, "name is missing", "--name");
	ck_fails("source: {url: postgres://h/d, slot: Upper}\nsink: {url: stdout}\n", TR_E_CONFIG, "source.slot", NULL);
	ck_fails("name: a/b\nsource: {url: postgres://h/d}\nsink: {url: stdout}\n", TR_E_CONFIG, "name:", NULL);
	ck_fails(BASE "state: {url: redis://x}\n", TR_E_CONFIG_UNSUPPORTED, "state.url", "file");
	ck_fails(BASE "limits: {batch: 60MiB}\n", TR_E_CONFIG, "limits.batch", NULL);
	ck_fails("source: {url: postgres://h/d}\nsink: {url: stdout}\nevents: {registry: {cert_file: x}}\n", TR_E_CONFIG, "key_file", NULL);
}
END_TEST

static void check_stdout(const tr_pipeline_config *p)
{
	ck_assert_int_eq(p->events.format, TR_FORMAT_JSON);
	ck_assert_str_eq(p->name, "My_Shop_1");
	ck_assert_str_eq(p->source.slot, "tailrace_my_shop_1");
}

START_TEST(stdout_gets_json_and_names_are_made_valid)
{
	ck_loads("source: {url: 'postgres://h/My%20Shop%2F1'}\nsink: {url: stdout}\n", check_stdout);
}
END_TEST

START_TEST(sets_win_over_the_file)
{
	const tr_config_set sets[] = {{"source.tables", "[\"a.*\", \"b.*\"]"}, {"sink.properties.linger.ms", "7"},
	    {"http.listen", ""}, {"events.skip", "none"}, {"limits.memory", "128MiB"}};
	const tr_config_set unknown[] = {{"sink.ulr", "x"}};
	tr_config *config = load_with(BASE "limits: {memory: 32MiB}\n", sets, 5);
	const tr_pipeline_config *p;

	ck_assert_msg(config != NULL, "%s", err.text);
	p = &config->pipelines[0].pipeline;
	ck_assert_uint_eq(p->source.table_count, 2);
	ck_assert_str_eq(p->sink.properties[0].key, "linger.ms");
	ck_assert_str_eq(config->process.http_listen, "");
	ck_assert(!p->events.skip_truncate);
	ck_assert_uint_eq(p->memory_bytes, 128u << 20);
	tr_config_free(config);
	ck_assert_ptr_null(load_with(BASE, unknown, 1));
	ck_assert_int_eq(err.code, TR_E_CONFIG_UNKNOWN_KEY);
	ck_assert_ptr_nonnull(strstr(err.hint, "sink.url"));
}
END_TEST

START_TEST(pipelines_inherit_and_differ)
{
	static const char yaml[] = "sink: {url: stdout, properties: {a: 1, b: 2}}\nlimits: {memory: 32MiB}\nhttp: {listen: \":1\"}\n"
	                           "pipelines:\n- source: {url: postgres://h/one}\n- source: {url: postgres://h/two}\n"
	                           "  sink: {properties: {b: 3}}\n  limits: {memory: 16MiB}\n";
	tr_config *config = load(yaml);

	ck_assert_msg(config != NULL, "%s", err.text);
	ck_assert_uint_eq(config->count, 2);
	ck_assert_str_eq(config->pipelines[0].pipeline.name, "one");
	ck_assert_str_eq(config->pipelines[1].pipeline.name, "two");
	ck_assert_uint_eq(config->pipelines[0].pipeline.memory_bytes, 32u << 20);
	ck_assert_uint_eq(config->pipelines[1].pipeline.memory_bytes, 16u << 20);
	ck_assert_str_eq(config->pipelines[0].pipeline.sink.properties[1].value, "2");
	ck_assert_str_eq(config->pipelines[1].pipeline.sink.properties[1].value, "3");
	ck_assert_uint_eq(config->pipelines[1].pipeline.sink.property_count, 2);
	ck_assert_str_eq(config->process.http_listen, ":1");
	tr_config_free(config);
}
END_TEST

START_TEST(pipelines_that_clash_are_refused)
{
	ck_fails("sink: {url: stdout}\npipelines:\n- source: {url: postgres://h/a}\n- source: {url: postgres://i/a}\n", TR_E_CONFIG,
	    "two pipelines have the name \"a\"", NULL);
	ck_fails("sink: {url: stdout}\nname: x\npipelines: [{source: {url: postgres://h/a}}]\n", TR_E_CONFIG, "beside \"pipelines\"", NULL);
	ck_fails("sink: {url: stdout}\npipelines: [{source: {url: postgres://h/a}, http: {listen: x}}]\n", TR_E_CONFIG,
	    "belongs to the process", NULL);
	ck_fails("pipelines: []\n", TR_E_CONFIG, "has to be a list", NULL);
}
END_TEST

#define FLEET BASE "fleet: {group: cdc"

START_TEST(fleet_takes_brokers_and_login_of_the_sink)
{
	tr_config *config = load("fleet: {group: cdc}\n"
	                         "sink: {url: 'redpanda://b:9092', properties: {sasl.username: u, compression.type: lz4}, topics: {replication: 3}}\n"
	                         "events: {format: json}\npipelines: [{source: {url: 'postgres://c@d/one'}}, {source: {url: 'postgres://c@d/two'}}]");

	ck_assert_msg(config != NULL, "%s", err.text);
	const tr_fleet_settings *f = &config->process.fleet;
	ck_assert_str_eq(f->url, "redpanda://b:9092");
	ck_assert_int_eq(f->session_timeout_ms, 10000);
	ck_assert_int_eq(f->replication, 3);
	ck_assert_uint_eq(f->property_count, 1);
	ck_assert_str_eq(f->properties[0].key, "sasl.username");
	ck_assert_ptr_nonnull(strchr(f->instance, '-'));
	/* The state goes where the pipeline goes, and its instances are one reader to the source. */
	ck_assert_str_eq(config->pipelines[1].pipeline.state_url, "kafka");
	ck_assert_str_eq(config->pipelines[1].pipeline.source.fleet, "cdc");
	tr_config_free(config);
}
END_TEST

START_TEST(fleet_refuses_what_cannot_move)
{
	ck_fails(FLEET "}\ndelivery: at_least_once\nstate: {url: 'file:/s'}\n", TR_E_CONFIG, "stays behind on one machine", "state.url: kafka");
	ck_fails(FLEET ", url: 'b:9092'}\n", TR_E_CONFIG, "fleet.url does not start with kafka://", NULL);
	ck_fails("fleet: {group: 'a b'}\n" BASE, TR_E_CONFIG, "fleet.group: \"a b\"", "letters");
	ck_fails("fleet: {group: a, instance: 'user@host:pw'}\n" BASE, TR_E_CONFIG, "fleet.instance", NULL);
	ck_fails("source: {url: postgres://c@d/s}\nsink: {url: 'file:/o'}\nstate: {url: 'kafka://b:9092/t'}\nfleet: {group: a}\n",
	    TR_E_CONFIG, "fleet.url is missing", "kafka://");
	ck_fails("sink: {url: stdout}\npipelines: [{source: {url: postgres://c@d/s}, fleet: {group: a}}]\n", TR_E_CONFIG,
	    "belongs to the process", NULL);
}
END_TEST

START_TEST(passwords_are_hidden)
{
	char out[256];

	ck_assert_str_eq(tr_config_redact("postgres://u:p@ss@h:1/d?x=1", out, sizeof(out)), "postgres://u:***@h:1/d?x=1");
	ck_assert_str_eq(tr_config_redact("postgres://h/d?user=u&password=secret&x=1", out, sizeof(out)),
	    "postgres://h/d?user=u&password=***&x=1");
	ck_assert_str_eq(tr_config_redact("kafka://h:1,i:2", out, sizeof(out)), "kafka://h:1,i:2");
	ck_assert_ptr_null(strstr(tr_config_redact("host=h password=secret", out, sizeof(out)), "secret"));
	/* A password never gets into a message. */
	ck_fails("source: {url: 'oracle://u:secret@h/d'}\nsink: {url: stdout}\n", TR_E_CONFIG_UNSUPPORTED, "oracle", NULL);
	ck_assert_ptr_null(strstr(err.text, "secret"));
	ck_fails("events: {registry: {password: [secret]}}\n", TR_E_CONFIG, "events.registry.password", NULL);
	ck_assert_ptr_null(strstr(err.text, "secret"));
}
END_TEST

START_TEST(every_option_is_sound)
{
	for (size_t i = 0; i < tr_option_count; i++) {
		const tr_option *o = &tr_options[i];

		ck_assert_ptr_eq(tr_option_find(o->path), o);
		ck_assert_msg(*o->help && o->help[strlen(o->help) - 1] != ' ', "%s has no help", o->path);
		if (o->type == TR_OPTION_BOOL)
			ck_assert_uint_eq(o->width, sizeof(bool));
		if (o->type == TR_OPTION_ENUM || o->type == TR_OPTION_CHOICE)
			ck_assert_msg(o->choices && o->choices[0], "%s has no choices", o->path);
		if (o->type == TR_OPTION_INT || o->type == TR_OPTION_DURATION)
			ck_assert_msg(o->width == 4 || o->width == 8, "%s is %zu bytes wide", o->path, o->width);
		if (o->type == TR_OPTION_SIZE)
			ck_assert_uint_eq(o->width, sizeof(uint64_t));
	}
}
END_TEST

TEST_MAIN("config", defaults_are_filled_in, unknown_keys_suggest_the_nearest, bad_yaml_names_line_and_column,
    duplicate_keys_are_refused, limits_hold, references_are_expanded, bad_references_name_the_place, types_are_read,
    bad_values_are_named, combinations_are_checked, stdout_gets_json_and_names_are_made_valid, sets_win_over_the_file,
    pipelines_inherit_and_differ, pipelines_that_clash_are_refused, fleet_takes_brokers_and_login_of_the_sink,
    fleet_refuses_what_cannot_move, passwords_are_hidden, every_option_is_sound)
