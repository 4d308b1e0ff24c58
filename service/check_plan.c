#include "service/check_plan.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "service/config.h"
#include "generated/version.h"

/* MySQL and MariaDB, which quote names in their own way and know no slots. */
static bool has_binary_log(const tr_pipeline_config *p)
{
	const tr_source_ops *ops = tr_source_find(p->source.url, NULL);

	return ops && strcmp(ops->kind, "postgres") != 0;
}

static void show_delivery(tr_report *r, const tr_pipeline_config *p)
{
	tr_store_options store = tr_pipeline_store_options(p, true);

	if (store.transactional)
		tr_report_ok(r, "delivery", "exactly_once: events and position in one transaction of Kafka; readers need "
		    "isolation.level=read_committed");
	else
		tr_report_ok(r, "delivery", "at_least_once%s: after a crash, events behind the last saved position come again",
		    p->delivery == TR_EXACTLY_ONCE ? " (this sink has no transactions)" : "");
	if (store.transactional && strncmp(p->state_url, "file:", 5) == 0)
		tr_report_ok(r, "state", "key \"%s\" in the sink's topic of states, and a copy in %s", p->name, p->state_url);
	else
		tr_report_ok(r, "state", "key \"%s\" in %s", p->name, p->state_url);
}

void tr_check_plan(tr_report *r, const tr_pipeline_config *p)
{
	static const char *const formats[] = {"avro", "json"}, *const envelopes[] = {"Debezium's", "the flat"};
	static const char *const modes[] = {"all rows first, then the changes", "only changes from now on", "all rows, then end",
	    "all rows first, then the changes; again when the position is lost", "no rows, only changes from now on"};
	bool binlog = has_binary_log(p);
	char url[256];

	if (binlog)
		tr_report_ok(r, "source", "%s, its binary log", tr_config_redact(p->source.url, url, sizeof(url)));
	else
		tr_report_ok(r, "source", "%s, slot \"%s\", publication \"%s\"", tr_config_redact(p->source.url, url, sizeof(url)),
		    p->source.slot, p->source.publication);
	tr_report_ok(r, "snapshot", "%s; %u reader%s", modes[p->source.snapshot_mode], p->source.snapshot_readers,
	    p->source.snapshot_readers == 1 ? "" : "s");
	tr_report_ok(r, "topics", "%s%s<%s>%s<table> on %s", p->name, p->events.topic_delimiter,
	    binlog ? "database" : "schema", p->events.topic_delimiter, tr_config_redact(p->sink.url, url, sizeof(url)));
	if (p->registry.url)
		tr_report_ok(r, "schemas", "%s in %s envelope, subjects <topic>-key and <topic>-value at %s", formats[p->events.format],
		    envelopes[p->events.envelope], tr_config_redact(p->registry.url, url, sizeof(url)));
	else
		tr_report_ok(r, "schemas", "%s in %s envelope, no registry", formats[p->events.format], envelopes[p->events.envelope]);
	show_delivery(r, p);
}

/* What all tables of one pipeline are looked at with. */
typedef struct plan {
	tr_report *r;
	const tr_pipeline_config *p;
	const tr_encoder_ops *ops;
	tr_encoder *schemas;  /* without a registry: renders, registers nothing */
	tr_encoder *registry; /* asked about schemas; NULL = none, or it does not answer */
	size_t tables;
} plan;

static tr_finding finding(tr_severity severity, tr_err_code code, const char *collection)
{
	tr_finding f = {.severity = severity, .code = code};

	tr_text_format(f.subject, sizeof(f.subject), "table %s", collection);
	return f;
}

/* --- columns and keys -------------------------------------------------------------------------- */

/* One more in "a, b, c", which is cut where it gets long. */
static void append(char *list, size_t size, const char *item)
{
	size_t len = strlen(list);

	tr_text_format(list + len, size - len, "%s%s", len > 0 ? ", " : "", item);
}

static void note_no_key(const plan *k, const tr_table *t)
{
	bool compacted = k->p->sink.cleanup_policy && strstr(k->p->sink.cleanup_policy, "compact");
	tr_finding f = finding(compacted ? TR_FINDING_WARNING : TR_FINDING_NOTE, compacted ? TR_E_SINK_TOPIC : TR_OK, t->collection);
	char quote = has_binary_log(k->p) ? '`' : '"';

	tr_text_format(f.what, sizeof(f.what), "it has no key: its records carry none");
	tr_text_format(f.why, sizeof(f.why), "changes of one row may land in different partitions and be read out of order%s",
	    compacted ? "; a compacted topic refuses records without a key" : ", and no reader can tell which row a delete means");
	tr_text_format(f.fix, sizeof(f.fix), "ALTER TABLE %c%s%c.%c%s%c ADD PRIMARY KEY (...); or choose columns with "
	    "events.key_columns: [{table: '%s', columns: [...]}]", quote, t->schema, quote, quote, t->name, quote, t->collection);
	tr_report_add(k->r, &f);
}

static const char *source_type(const tr_table *t, size_t i)
{
	const char *name = t->source_columns ? t->source_columns[i].type_name : NULL;

	return name ? name : "unknown";
}

static void note_dropped(const plan *k, const tr_table *t)
{
	tr_finding f = finding(TR_FINDING_WARNING, TR_E_TYPE_UNSUPPORTED, t->collection);
	char list[240] = "", one[160];
	size_t count = 0;

	for (size_t i = 0; i < t->column_count; i++) {
		if (t->columns[i].type || t->columns[i].excluded)
			continue;
		tr_text_format(one, sizeof(one), "%s (%s)", t->columns[i].name, source_type(t, i));
		append(list, sizeof(list), one);
		count++;
	}
	if (count == 0)
		return;
	tr_text_format(f.what, sizeof(f.what), "%zu column%s not published: %s", count, count == 1 ? " is" : "s are", list);
	tr_text_format(f.why, sizeof(f.why), "Debezium has no mapping for such types and leaves them out, and so does "
	    "events.compatibility: debezium-3.5");
	tr_text_format(f.fix, sizeof(f.fix), "events.compatibility: latest carries them; events.unknown_types: true publishes the "
	    "unknown ones as bytes; or say that it is meant: events.columns: [{exclude: ...}]");
	tr_report_add(k->r, &f);
}

static bool is_masked(const tr_type *type)
{
	for (size_t i = 0; type && i < type->param_count; i++)
		if (strcmp(type->params[i].key, "masked") == 0)
			return true;
	return false;
}

/* A key is what it is, or readers could not join on it; whoever masks a column should know. */
static void note_masked_key(const plan *k, const tr_table *t)
{
	for (size_t i = 0; i < t->column_count; i++) {
		const tr_column *column = &t->columns[i];
		tr_finding f = finding(TR_FINDING_WARNING, TR_E_CONFIG, t->collection);

		if (column->key_rank == 0 || !is_masked(column->type))
			continue;
		tr_text_format(f.what, sizeof(f.what), "column %s is masked in the row, but it is part of the key", column->name);
		tr_text_format(f.why, sizeof(f.why), "keys are published as they are: the masked value can be read there");
		tr_text_format(f.fix, sizeof(f.fix), "choose another key: events.key_columns: [{table: '%s', columns: [...]}]", t->collection);
		tr_report_add(k->r, &f);
	}
}

/* --- schemas ----------------------------------------------------------------------------------- */

static const char *judge(const plan *k, const tr_codec *codec, const char *collection)
{
	tr_err err = {0};
	bool known = false;

	if (!k->registry || !k->ops->probe)
		return NULL;
	if (k->ops->probe(k->registry, codec->subject, codec->schema, &known, &err) == 0)
		return known ? "compatible" : "new";
	tr_finding f = finding(err.code == TR_E_REGISTRY_INCOMPATIBLE ? TR_FINDING_ERROR : TR_FINDING_WARNING, err.code, collection);
	tr_text_format(f.what, sizeof(f.what), "%s", err.text);
	tr_text_format(f.why, sizeof(f.why), "%s", *err.detail ? err.detail : tr_err_summary(err.code));
	tr_text_format(f.fix, sizeof(f.fix), "%s", err.hint);
	tr_report_add(k->r, &f);
	return err.code == TR_E_REGISTRY_INCOMPATIBLE ? "incompatible" : "not known";
}

/* Renders one schema and lets it be judged; false when no schema can be made of it. NULL in *out when there is none. */
static bool check_schema(const plan *k, const tr_table *t, const tr_type *type, const char *part, json_t **out)
{
	const volatile bool stop = false;
	const tr_codec *codec = NULL;
	char subject[300];
	tr_err err = {0};

	*out = json_null();
	if (!type || !k->schemas)
		return true;
	tr_text_format(subject, sizeof(subject), "%s-%s", t->topic->name, part);
	if (k->ops->compile(k->schemas, subject, type, &stop, &codec, &err) != 0) {
		tr_finding f = finding(TR_FINDING_ERROR, err.code, t->collection);
		tr_text_format(f.what, sizeof(f.what), "%s", err.text);
		tr_text_format(f.why, sizeof(f.why), "%s", *err.detail ? err.detail : tr_err_summary(err.code));
		tr_text_format(f.fix, sizeof(f.fix), "%s", err.hint);
		tr_report_add(k->r, &f);
		return false;
	}
	const char *verdict = judge(k, codec, t->collection);
	json_t *schema = codec->schema ? json_loads(codec->schema, JSON_DECODE_ANY, NULL) : NULL;
	*out = json_pack("{s:s, s:o, s:s?}", "subject", subject, "schema", schema ? schema : json_null(), "registry", verdict);
	return true;
}

/* --- one table --------------------------------------------------------------------------------- */

static json_t *columns_json(const tr_table *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->column_count; i++) {
		const tr_column *c = &t->columns[i];
		json_t *o = json_pack("{s:s, s:s, s:b}", "name", c->name, "type", source_type(t, i), "published", c->type != NULL);

		if (c->type) {
			json_object_set_new(o, "field", json_string(c->field));
			json_object_set_new(o, "published_as", json_string(c->type->name ? c->type->name : tr_kind_name(c->type->kind)));
			json_object_set_new(o, "optional", json_boolean(c->type->optional));
		} else {
			json_object_set_new(o, "reason", json_string(c->excluded ? "excluded" : "type without a mapping"));
		}
		json_array_append_new(list, o);
	}
	return list;
}

static void add_json(const plan *k, const tr_table *t, json_t *key_schema, json_t *value_schema)
{
	json_t *key = json_array();

	for (size_t i = 0; i < t->key_count; i++)
		json_array_append_new(key, json_string(t->key[i]->name));
	tr_report_table(k->r, json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "pipeline", k->p->name, "table", t->collection, "topic",
	    t->topic->name, "key", key, "columns", columns_json(t), "key_schema", key_schema, "value_schema", value_schema));
}

static const char *verdict_of(const json_t *schema)
{
	const char *text = json_string_value(json_object_get(schema, "registry"));

	return text ? text : "";
}

static void report_table(const plan *k, const tr_table *t, const json_t *value_schema)
{
	tr_finding f = finding(TR_FINDING_OK, TR_OK, t->collection);
	char key[120] = "";
	const char *verdict = verdict_of(value_schema);

	for (size_t i = 0; i < t->key_count; i++)
		append(key, sizeof(key), t->key[i]->name);
	tr_text_format(f.what, sizeof(f.what), "topic %s, key %s%s%s, %zu of %zu columns%s%s", t->topic->name,
	    t->key_count > 0 ? "(" : "none", key, t->key_count > 0 ? ")" : "", t->published_count, t->column_count,
	    *verdict ? ", schema " : "", *verdict ? verdict : "");
	tr_report_add(k->r, &f);
}

static void check_table(void *context, const char *collection, const tr_table *t, const tr_err *failure)
{
	plan *k = context;
	json_t *key_schema = NULL, *value_schema = NULL;
	char subject[160];
	bool sound;

	k->tables++;
	if (!t) {
		tr_text_format(subject, sizeof(subject), "table %s", collection);
		tr_report_error(k->r, subject, failure);
		return;
	}
	sound = check_schema(k, t, t->key_type, "key", &key_schema);
	sound = check_schema(k, t, t->value_type, "value", &value_schema) && sound;
	if (sound)
		report_table(k, t, value_schema);
	if (t->key_count == 0)
		note_no_key(k, t);
	note_dropped(k, t);
	note_masked_key(k, t);
	add_json(k, t, key_schema, value_schema);
}

/* --- all of them ------------------------------------------------------------------------------- */

static int open_encoders(plan *k, tr_err *err)
{
	tr_registry_options none = {0}, once = k->p->registry;

	if (k->ops->open(&k->schemas, &k->p->events, &none, err) != 0)
		return -1;
	if (!k->p->registry.url)
		return 0;
	once.retry_ms = 0;
	if (k->ops->open(&k->registry, &k->p->events, &once, err) != 0)
		return -1;
	if (k->ops->check && k->ops->check(k->registry, err) != 0) {
		tr_err_clear(err); /* the environment layer says so */
		k->ops->free(k->registry);
		k->registry = NULL;
	}
	return 0;
}

/* Name collisions between tables are found here as in `run`: all tables go through one catalogue. */
static int look_at_tables(plan *k, tr_source *source, tr_err *err)
{
	tr_catalogue *catalogue = NULL;
	tr_arena arena;
	int result = -1;

	tr_arena_init(&arena, 1 << 20);
	tr_catalogue_config config = {.options = &k->p->events, .encoder_ops = k->ops, .encoder = k->schemas,
	    .source_type = source->ops->source_type(&arena), .connector = source->ops->connector, .database = "",
	    .version = TR_VERSION};

	if (!config.source_type)
		tr_err_set(err, TR_E_MEMORY, "out of memory for the plan");
	else if (tr_catalogue_new(&catalogue, &config, err) == 0)
		result = source->ops->tables(source, catalogue, check_table, k, err);
	tr_catalogue_free(catalogue);
	tr_arena_release(&arena);
	return result;
}

void tr_check_plan_tables(tr_report *r, const tr_pipeline_config *p)
{
	const tr_source_ops *ops = tr_source_find(p->source.url, NULL);
	plan k = {.r = r, .p = p, .ops = tr_encoder_find(p->events.format)};
	tr_source *source = NULL;
	tr_finding f = {.severity = TR_FINDING_NOTE, .subject = "tables"};
	tr_err err = {0};

	if (!k.ops || !ops->tables)
		return;
	if (ops->open(&source, p->name, &p->source, &p->events, NULL, &err) != 0 || open_encoders(&k, &err) != 0 ||
	    look_at_tables(&k, source, &err) != 0) {
		tr_text_format(f.what, sizeof(f.what), "not all could be looked at: %s", err.text);
		tr_text_format(f.why, sizeof(f.why), "topics, keys and schemas of the others are not known before the database can be asked");
		tr_text_format(f.fix, sizeof(f.fix), "mend what the environment layer found, then check again");
		tr_report_add(r, &f);
	}
	ops->free(source);
	k.ops->free(k.schemas);
	k.ops->free(k.registry);
}
