/* The fleet's part of the configuration: what it takes from the pipelines, and what they cannot be in one. */
#include <ctype.h>
#include <unistd.h>

#include "core/text.h"
#include "service/config.h"

#define GROUP_MAX_BYTES 32 /* with a pipeline's name it is a topic's name */
#define INSTANCE_MAX_BYTES 100

static bool name_char(char c)
{
	return isalnum((uint8_t)c) || c == '.' || c == '_' || c == '-';
}

static int check_name(const char *key, const char *name, size_t max, tr_err *err)
{
	size_t len = 0;

	while (name_char(name[len]))
		len++;
	if (name[len] == '\0' && len > 0 && len <= max)
		return 0;
	tr_err_set(err, TR_E_CONFIG, "%s: \"%.120s\" cannot be used as a name", key, name);
	return tr_err_hint(err, "Use up to %zu letters, digits, \".\", \"_\" and \"-\".", max);
}

static const char *default_instance(tr_arena *arena)
{
	char host[65] = "";

	if (gethostname(host, sizeof(host) - 1) != 0 || !host[0])
		tr_text_format(host, sizeof(host), "localhost");
	for (char *c = host; *c; c++)
		*c = name_char(*c) ? *c : '_';
	return tr_arena_format(arena, "%s-%ld", host, (long)getpid());
}

/* Who we are, and how to get there; nothing that shapes what a producer does. */
static bool is_login(const char *key)
{
	static const char *const begins[] = {"security.", "sasl.", "ssl.", "enable.ssl.", "enable.sasl.", "https.ca.", "broker.address."};

	for (size_t i = 0; i < sizeof(begins) / sizeof(*begins); i++)
		if (strncmp(key, begins[i], strlen(begins[i])) == 0)
			return true;
	return false;
}

static int take_login(tr_arena *arena, tr_fleet_settings *f, const tr_sink_options *sink, tr_err *err)
{
	tr_property *mine = TR_ARENA_ARRAY(arena, tr_property, sink->property_count + 1);

	if (!mine)
		return tr_tree_no_memory(err);
	for (size_t i = 0; i < sink->property_count; i++)
		if (is_login(sink->properties[i].key))
			mine[f->property_count++] = sink->properties[i];
	f->properties = mine;
	f->replication = sink->replication;
	return 0;
}

/* An instance that takes over finds the state where the one before left it, and only then nothing is lost or told twice. */
static int check_state(const tr_pipeline_config *p, tr_err *err)
{
	const tr_sink_ops *sink = tr_sink_find(p->sink.url, NULL);
	const tr_store_ops *store = tr_store_find(p->state_url, NULL);

	if ((p->delivery == TR_EXACTLY_ONCE && sink && sink->fence) || (store && strcmp(store->kind, "kafka") == 0))
		return 0;
	tr_err_set(err, TR_E_CONFIG, "fleet.group: the state of pipeline \"%s\" stays behind on one machine", p->name);
	return tr_err_hint(err, "Write state.url: kafka (or kafka://HOST:PORT/TOPIC).");
}

static bool has_brokers(const char *url)
{
	const tr_sink_ops *ops = tr_sink_find(url, NULL);

	return ops && strcmp(ops->kind, "kafka") == 0;
}

int tr_config_fleet(tr_config *config, tr_err *err)
{
	tr_fleet_settings *f = &config->process.fleet;
	const tr_sink_options *sink = NULL;

	if (!f->group)
		return 0;
	if (!f->instance && !(f->instance = default_instance(&config->arena)))
		return tr_tree_no_memory(err);
	if (check_name("fleet.group", f->group, GROUP_MAX_BYTES, err) < 0 ||
	    check_name("fleet.instance", f->instance, INSTANCE_MAX_BYTES, err) < 0)
		return -1;
	for (size_t i = 0; i < config->count; i++) {
		const tr_pipeline_config *p = &config->pipelines[i].pipeline;

		if (check_state(p, err) < 0)
			return -1;
		if (!sink && has_brokers(p->sink.url))
			sink = &p->sink;
	}
	if (!f->url && !sink) {
		tr_err_set(err, TR_E_CONFIG, "fleet.url is missing: no pipeline has a Kafka sink to take the brokers from");
		return tr_err_hint(err, "Write it as kafka://HOST:PORT.");
	}
	if (!f->url)
		f->url = sink->url;
	if (!has_brokers(f->url))
		return tr_err_set(err, TR_E_CONFIG, "fleet.url does not start with kafka:// or redpanda://");
	return sink ? take_login(&config->arena, f, sink, err) : 0;
}
