/* tailrace tail: what the sink holds, decoded, as it comes. */
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>

#include "core/map.h"
#include "core/text.h"
#include "events/avro/decode.h"
#include "events/avro/registry.h"
#include "service/tail.h"
#include "sinks/reader.h"

#define LINE_MAX_BYTES ((size_t)128 << 20)
#define WAIT_MS 200
#define NAMES_SHOWN 8

typedef struct tail {
	const tr_sink_reader_ops *ops;
	tr_sink_reader *reader;
	tr_avro_registry *registry;
	tr_map *decoders; /* schema text -> tr_avro_decoder */
	tr_writer key, value, line;
	tr_avro_style style;
	char prefix[300]; /* of the topics' names; "" = all */
} tail;

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static void free_decoder(void *decoder)
{
	tr_avro_decoder_free(decoder);
}

static int decode_with(tail *t, tr_slice schema, tr_slice body, tr_writer *w, tr_err *err)
{
	tr_avro_decoder *decoder = tr_map_get(t->decoders, schema);

	if (!decoder) {
		if (tr_avro_decoder_new(&decoder, schema, err) < 0)
			return -1;
		tr_map_put(t->decoders, schema, decoder);
	}
	return tr_avro_decode(decoder, body, t->style, w, err);
}

/* Text that is not JSON becomes a JSON string. */
static void put_json_or_text(tr_slice bytes, tr_writer *w)
{
	json_t *parsed = json_loadb((const char *)bytes.ptr, bytes.len, JSON_DECODE_ANY, NULL);

	if (parsed) {
		tr_writer_slice(w, bytes);
	} else {
		tr_writer_u8(w, '"');
		tr_text_json_escape(w, bytes);
		tr_writer_u8(w, '"');
	}
	json_decref(parsed);
}

/* A key or value as JSON: Avro in a frame when there is a registry, else as it is. */
static int decode_part(tail *t, tr_slice bytes, tr_writer *w, tr_err *err)
{
	int32_t id;
	const char *schema;
	tr_slice body;

	if (!t->registry || bytes.len < 5 || bytes.ptr[0] != 0) {
		put_json_or_text(bytes, w);
		return 0;
	}
	if (tr_avro_unframe(bytes, &id, &body, err) < 0 || tr_avro_registry_schema(t->registry, id, NULL, &schema, err) < 0)
		return -1;
	return decode_with(t, tr_slice_str(schema), body, w, err);
}

static int decode_record(tail *t, const tr_sink_reader_record *r, tr_tail_event *e, tr_err *err)
{
	tr_writer_reset(&t->key);
	tr_writer_reset(&t->value);
	*e = (tr_tail_event){.topic = r->topic, .partition = r->partition, .offset = r->offset, .timestamp_ms = r->timestamp_ms};
	if (r->has_key && decode_part(t, r->key, &t->key, err) < 0)
		return -1;
	if (r->has_value && r->schema && decode_with(t, tr_slice_str(r->schema), r->value, &t->value, err) < 0)
		return -1;
	if (r->has_value && !r->schema && decode_part(t, r->value, &t->value, err) < 0)
		return -1;
	if (!tr_writer_ok(&t->key) || !tr_writer_ok(&t->value))
		return tr_err_set(err, TR_E_MEMORY, "a record of topic \"%s\" is too large to show", r->topic);
	e->key = tr_writer_view(&t->key);
	e->value = tr_writer_view(&t->value);
	return 0;
}

/* --- what is not there yet ------------------------------------------------------------------------ */

typedef struct present {
	const tr_cli *cli;
	const char *prefix;              /* of the topics' names; "" = the first part of each */
	bool matched[TR_CLI_ARGS_MAX];   /* by argument */
	size_t count;
	char names[400];                 /* the first tables, for a sentence */
} present;

static void note_topic(void *context, const char *topic)
{
	present *there = context;
	size_t prefix = strlen(there->prefix), len = strlen(there->names);
	const char *dot = strchr(topic, '.'), *table = prefix == 0 && dot ? dot + 1 : topic;

	if (prefix > 0 && strncmp(topic, there->prefix, prefix) == 0)
		table = topic + prefix;
	for (size_t i = 0; i < there->cli->arg_count; i++)
		there->matched[i] = there->matched[i] || tr_tail_matches(there->cli->args[i], table);
	if (there->count++ < NAMES_SHOWN && !strstr(there->names, table))
		tr_text_format(there->names + len, sizeof(there->names) - len, "%s%s", len > 0 ? ", " : "", table);
}

/* Silence may be a table without changes, or a name that is written wrongly: once, at the start, it is said which. */
static void tell_missing(const tail *t, const tr_cli *cli)
{
	present there = {.cli = cli, .prefix = t->prefix};

	t->ops->topics(t->reader, note_topic, &there);
	if (there.count == 0) {
		fprintf(stderr, "tail: no topic %s%s* exists yet; waiting for the first\n", *t->prefix ? "named " : "", t->prefix);
		return;
	}
	for (size_t i = 0; i < cli->arg_count; i++)
		if (!there.matched[i])
			fprintf(stderr, "tail: no topic of a table \"%s\" exists yet; waiting for it. There are: %s%s\n", cli->args[i], there.names,
			    there.count > NAMES_SHOWN ? ", ..." : "");
}

/* --- the loop ------------------------------------------------------------------------------------ */

static int follow(tr_cli *cli, tail *t, tr_err *err)
{
	tr_colours colours = tr_cli_colours(stdout);
	uint64_t shown = 0;
	bool told = false;

	/* What could not be written is the end, and tr_cli_main's to report. */
	while (!stopped && !ferror(stdout) && (cli->limit == 0 || shown < cli->limit)) {
		tr_sink_reader_record record;
		tr_tail_event event;
		int found = t->ops->next(t->reader, WAIT_MS, &record, err);

		if (found < 0)
			return -1;
		if (!told)
			tell_missing(t, cli);
		told = true;
		if (found == 0) {
			fflush(stdout);
			continue;
		}
		if (decode_record(t, &record, &event, err) < 0)
			return tr_err_prefix(err, "topic \"%s\", offset %lld", record.topic, (long long)record.offset);
		if (!tr_tail_wanted(&event, cli->args, cli->arg_count))
			continue;
		tr_writer_reset(&t->line);
		if (cli->json)
			tr_tail_json(&event, &t->line);
		else
			tr_tail_line(&event, &colours, &t->line);
		fwrite(t->line.data, 1, t->line.len, stdout);
		shown++;
	}
	return 0;
}

static int open_tail(const tr_cli *cli, const tr_pipeline_config *p, tail *t, tr_err *err)
{
	tr_sink_reader_options options = {.url = p->sink.url, .properties = p->sink.properties,
	    .property_count = p->sink.property_count, .from_beginning = cli->from_beginning};
	char url[256];

	if (!p->sink.url) {
		tr_err_set(err, TR_E_CONFIG, "sink.url is missing");
		return tr_err_hint(err, "Give -c FILE, or --sink kafka://host:9092 or --sink file:DIR.");
	}
	t->ops = tr_sink_reader_find(p->sink.url);
	if (!t->ops) {
		tr_err_set(err, TR_E_CONFIG_UNSUPPORTED, "sink \"%s\" cannot be read back",
		    tr_config_redact(p->sink.url, url, sizeof(url)));
		return tr_err_hint(err, "tail reads kafka:// and file: sinks; what goes to stdout is shown there.");
	}
	if (p->name) {
		snprintf(t->prefix, sizeof(t->prefix), "%s%s", p->name, p->events.topic_delimiter);
		options.topic_prefix = t->prefix;
		options.topic_name = p->name; /* schema changes of MySQL */
	}
	if (p->registry.url && tr_avro_registry_new(&t->registry, &p->registry, err) < 0)
		return -1;
	return t->ops->open(&t->reader, &options, err);
}

static void set_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int tr_cmd_tail(tr_cli *cli, tr_err *err)
{
	tail t = {.style = cli->json ? TR_AVRO_RAW : TR_AVRO_PRETTY};
	tr_config *config;
	tr_settings *settings;
	int result;

	if (tr_cli_config(cli, TR_CONFIG_READ, &config, err) < 0)
		return -1;
	t.decoders = tr_map_new();
	tr_writer_init(&t.key, LINE_MAX_BYTES);
	tr_writer_init(&t.value, LINE_MAX_BYTES);
	tr_writer_init(&t.line, LINE_MAX_BYTES);
	set_signals();
	result = tr_config_pipeline(config, cli->pipeline, &settings, err);
	if (result == 0)
		result = open_tail(cli, &settings->pipeline, &t, err);
	if (result == 0)
		result = follow(cli, &t, err);
	if (t.ops)
		t.ops->free(t.reader);
	tr_avro_registry_free(t.registry);
	tr_map_free(t.decoders, free_decoder);
	tr_writer_release(&t.key);
	tr_writer_release(&t.value);
	tr_writer_release(&t.line);
	tr_config_free(config);
	return result;
}
