/* What depends on other options, and combinations that cannot work. No network, no files made. */
#include <ctype.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/text.h"
#include "service/config.h"

#define NAME_MAX_BYTES 200
#define SLOT_MAX_BYTES 63
#define SYSTEM_STATE_DIR "/var/lib/tailrace"

static bool was_given(const bool *given, const char *path)
{
	return given[tr_option_find(path) - tr_options];
}

static int fail(tr_err *err, tr_err_code code, const char *text, const char *hint)
{
	tr_err_set(err, code, "%s", text);
	return tr_err_hint(err, "%s", hint);
}

static bool name_char(char c)
{
	return isalnum((uint8_t)c) || c == '.' || c == '_' || c == '-';
}

/* NULL: the source's url names no database. */
static int default_name(tr_arena *arena, tr_pipeline_config *p, tr_err *err)
{
	const char *database = p->source.url ? tr_config_database(arena, p->source.url) : NULL;
	char *name = database ? tr_arena_strdup(arena, database) : NULL;

	if (database && !name)
		return tr_tree_no_memory(err);
	for (char *c = name; c && *c; c++)
		*c = name_char(*c) ? *c : '_';
	p->name = name;
	return 0;
}

static int finish_name(tr_arena *arena, tr_pipeline_config *p, tr_config_need need, tr_err *err)
{
	if (!p->name && default_name(arena, p, err) < 0)
		return -1;
	if (!p->name && need == TR_CONFIG_READ)
		return 0;
	if (!p->name)
		return fail(err, TR_E_CONFIG, p->source.url ? "name is missing, and source.url names no database to take it from" : "name is missing",
		    "Give --name NAME or `name: NAME`; it is the prefix of the topics and the key of the state.");
	for (const char *c = p->name; *c; c++) {
		if (!name_char(*c)) {
			tr_err_set(err, TR_E_CONFIG, "name: \"%.80s\" has a character that topic names cannot have", p->name);
			return tr_err_hint(err, "Use letters, digits, \".\", \"_\" and \"-\".");
		}
	}
	if (strlen(p->name) > NAME_MAX_BYTES)
		return fail(err, TR_E_CONFIG, "name is longer than 200 characters", "Topics add schema and table to it.");
	p->events.name = p->sink.name = p->name;
	return 0;
}

/* tailrace_<name> in the characters and the length a slot's name may have. */
static const char *slot_name(tr_arena *arena, const char *name)
{
	char *slot = tr_arena_format(arena, "tailrace_%s", name);

	for (char *c = slot; c && *c; c++)
		*c = isalnum((uint8_t)*c) ? (char)tolower((uint8_t)*c) : '_';
	if (slot && strlen(slot) > SLOT_MAX_BYTES)
		slot[SLOT_MAX_BYTES] = '\0';
	return slot;
}

static int unknown_source(const char *url, const char *known, tr_err *err)
{
	const char *colon = strchr(url, ':');

	tr_err_set(err, TR_E_CONFIG_UNSUPPORTED, "source.url: this build has no source for \"%.*s\"", colon ? (int)(colon - url) : 0, url);
	return tr_err_hint(err, "It knows: %s.", known);
}

/* Only where a source is named. */
static int finish_slot(tr_arena *arena, tr_pipeline_config *p, tr_err *err)
{
	const char *known = "";
	const tr_source_ops *ops = tr_source_find(p->source.url, &known);

	if (!ops)
		return unknown_source(p->source.url, known, err);
	p->source.kind = ops->kind;
	if (!p->source.slot)
		p->source.slot = slot_name(arena, p->name);
	if (!p->source.publication)
		p->source.publication = slot_name(arena, p->name);
	if (!p->source.slot || !p->source.publication)
		return tr_tree_no_memory(err);
	for (const char *c = p->source.slot; *c; c++) {
		if (!islower((uint8_t)*c) && !isdigit((uint8_t)*c) && *c != '_')
			return fail(err, TR_E_CONFIG, "source.slot has a character that slot names cannot have",
			    "PostgreSQL allows lower-case letters, digits and \"_\".");
	}
	if (strlen(p->source.slot) > SLOT_MAX_BYTES)
		return fail(err, TR_E_CONFIG, "source.slot is longer than 63 characters", "PostgreSQL allows no more.");
	return 0;
}

static int finish_source(tr_arena *arena, tr_pipeline_config *p, tr_config_need need, tr_err *err)
{
	if (!p->source.url && need == TR_CONFIG_WHOLE)
		return fail(err, TR_E_CONFIG, "source.url is missing",
		    "Give it in the file, or as --source postgres://user@host/database");
	if (finish_name(arena, p, need, err) < 0)
		return -1;
	return p->source.url && need != TR_CONFIG_READ ? finish_slot(arena, p, err) : 0;
}

static int unknown_sink(const char *url, const char *known, tr_err *err)
{
	char shown[256];

	tr_err_set(err, TR_E_CONFIG_UNSUPPORTED, "sink.url: \"%s\" is not a sink of this build",
	    tr_config_redact(url, shown, sizeof(shown)));
	return tr_err_hint(err, "It knows: %s.", known);
}

static int finish_sink(tr_arena *arena, tr_pipeline_config *p, const bool *given, tr_err *err)
{
	const char *known = "";
	const tr_sink_ops *ops;
	bool kafka;

	if (!p->sink.url)
		return fail(err, TR_E_CONFIG, "sink.url is missing",
		    "Give it in the file, or as --sink kafka://host:9092, --sink file:DIR or --sink stdout");
	ops = tr_sink_find(p->sink.url, &known);
	if (!ops)
		return unknown_sink(p->sink.url, known, err);
	if (!was_given(given, "events.format") && strcmp(ops->kind, "stdout") == 0)
		p->events.format = TR_FORMAT_JSON;
	kafka = strcmp(ops->kind, "kafka") == 0;
	if (kafka && p->events.format == TR_FORMAT_AVRO && !p->registry.url)
		return fail(err, TR_E_CONFIG, "events.registry.url is missing: Avro on Kafka needs a schema registry",
		    "Give --registry http://host:8081, or publish JSON with --format json.");
	if (strcmp(ops->kind, "stdout") == 0 && p->events.format == TR_FORMAT_AVRO)
		return fail(err, TR_E_CONFIG, "events.format: avro cannot be written to stdout",
		    "Leave events.format out (stdout gets JSON), or use --sink file:DIR.");
	if (!p->sink.dead_letter_topic)
		p->sink.dead_letter_topic = tr_arena_format(arena, "%s.dead_letter", p->name);
	return p->sink.dead_letter_topic ? 0 : tr_tree_no_memory(err);
}

const char *tr_config_state_dir(tr_arena *arena)
{
	const char *base = getenv("XDG_STATE_HOME"), *home = getenv("HOME");

	if (geteuid() == 0 || access(SYSTEM_STATE_DIR, W_OK) == 0)
		return SYSTEM_STATE_DIR;
	if (base && *base == '/')
		return tr_arena_format(arena, "%s/tailrace", base);
	if (home && *home == '/')
		return tr_arena_format(arena, "%s/.local/state/tailrace", home);
	return NULL;
}

static const char *default_state(tr_arena *arena)
{
	const char *dir = tr_config_state_dir(arena);

	return dir ? tr_arena_format(arena, "file:%s", dir) : NULL;
}

static int finish_state(tr_arena *arena, tr_pipeline_config *p, tr_err *err)
{
	const char *known = "";

	/* A pipeline takes its state along from instance to instance. */
	if (!p->state_url)
		p->state_url = p->source.fleet ? "kafka" : default_state(arena);
	if (!p->state_url)
		return fail(err, TR_E_CONFIG, "state.url is missing", "Give --state file:DIR with a directory that survives restarts.");
	const tr_store_ops *ops = tr_store_find(p->state_url, &known);
	if (!ops) {
		tr_err_set(err, TR_E_CONFIG_UNSUPPORTED, "state.url: \"%.80s\" is not a store of this build", p->state_url);
		return tr_err_hint(err, "It knows: %s.", known);
	}
	const char *known_sinks = "";
	const tr_sink_ops *sink = tr_sink_find(p->sink.url, &known_sinks);
	if (p->sink.url && !sink)
		return unknown_sink(p->sink.url, known_sinks, err);
	if (strcmp(ops->kind, "kafka") == 0 && !strstr(p->state_url, "://") && (!sink || strcmp(sink->kind, "kafka") != 0))
		return fail(err, TR_E_CONFIG,
		    sink ? "state.url names no brokers, and the sink is not Kafka" : "state.url names no brokers, and sink.url is missing",
		    sink ? "Write it as kafka://HOST:PORT/TOPIC, or keep the state in file:DIR." :
		    "Write it as kafka://HOST:PORT/TOPIC, or give the sink whose brokers hold it: --sink kafka://HOST:PORT.");
	return 0;
}

static int finish_registry(const tr_pipeline_config *p, tr_err *err)
{
	const tr_registry_options *r = &p->registry;

	if (r->url && strncmp(r->url, "http://", 7) != 0 && strncmp(r->url, "https://", 8) != 0)
		return fail(err, TR_E_CONFIG, "events.registry.url does not start with http:// or https://",
		    "Write it as http://registry:8081.");
	if (r->bearer_token && r->user)
		return fail(err, TR_E_CONFIG, "events.registry has both a user and a bearer token", "Give one of them.");
	if (!r->cert_file != !r->key_file)
		return fail(err, TR_E_CONFIG, "events.registry.cert_file and key_file belong together", "Give both or none.");
	return 0;
}

static int finish_limits(const tr_pipeline_config *p, tr_err *err)
{
	if (p->batch_bytes > p->memory_bytes / 4)
		return fail(err, TR_E_CONFIG, "limits.batch is more than a quarter of limits.memory",
		    "Several batches are on their way at once: raise limits.memory or lower limits.batch.");
	if (p->batch_bytes > 0 && p->batch_bytes < 4096)
		return fail(err, TR_E_CONFIG, "limits.batch is smaller than 4KiB", "Leave it out: it is then chosen from limits.memory.");
	return 0;
}

int tr_config_finish(tr_arena *arena, tr_settings *settings, tr_config_need need, const bool *given, tr_err *err)
{
	tr_pipeline_config *p = &settings->pipeline;

	p->source.fleet = settings->fleet.group;
	if (finish_source(arena, p, need, err) < 0)
		return -1;
	if (need == TR_CONFIG_WHOLE && finish_sink(arena, p, given, err) < 0)
		return -1;
	if (need != TR_CONFIG_READ && finish_state(arena, p, err) < 0)
		return -1;
	if (need == TR_CONFIG_WHOLE && (finish_registry(p, err) < 0 || finish_limits(p, err) < 0))
		return -1;
	p->source.event_max_bytes = p->memory_bytes / 4; /* the source's library holds it, too: pipeline.c has all shares */
	p->events.carry_all_types = settings->compatibility == TR_COMPATIBLE_LATEST;
	return 0;
}

static void note(tr_finding_fn report, void *context, tr_severity severity, const char *subject, const char *what,
    const char *why, const char *fix)
{
	tr_finding f = {.severity = severity, .code = severity == TR_FINDING_WARNING ? TR_E_CONFIG : TR_OK};

	tr_text_format(f.subject, sizeof(f.subject), "%s", subject);
	tr_text_format(f.what, sizeof(f.what), "%s", what);
	tr_text_format(f.why, sizeof(f.why), "%s", why);
	tr_text_format(f.fix, sizeof(f.fix), "%s", fix);
	report(context, &f);
}

void tr_config_review(const tr_config *config, tr_finding_fn report, void *context)
{
	for (size_t i = 0; i < config->count; i++) {
		const tr_pipeline_config *p = &config->pipelines[i].pipeline;

		if (p->events.null_as_default)
			note(report, context, TR_FINDING_WARNING, "key events.null_as_default",
			    "NULL is published as the column's default",
			    "readers cannot tell it from the value; it only serves to continue topics that were written that way",
			    "events.null_as_default: false");
		if (p->events.envelope == TR_ENVELOPE_FLAT && !p->events.tombstones)
			note(report, context, TR_FINDING_WARNING, "key events.tombstones",
			    "the flat envelope without tombstones loses deletes", "a delete has no other record in this envelope",
			    "events.tombstones: true");
	}
}
