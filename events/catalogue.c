#include <stdlib.h>
#include <sys/random.h>

#include "core/text.h"
#include "events/internal.h"
#include "events/json/json_text.h"
#include "events/naming.h"

#define ARENA_MAX_BYTES  ((size_t)64 << 20)
#define HEADER_MAX_BYTES ((size_t)64 << 10)

static int out_of_memory(tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "out of memory for the names and types of events");
}

/* RFC 9562, version 4. */
static int make_run_id(char out[37], tr_err *err)
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return tr_err_set(err, TR_E_SYSTEM, "could not get random bytes for the run's id");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	tr_text_format(out, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		       b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	return 0;
}

/* A header's text as the header converter writes a required string. */
static int add_header(tr_catalogue *c, const char *name, const char *text, tr_err *err)
{
	static const tr_type string = {.kind = TR_STRING};
	tr_writer w;
	int result = 0;

	tr_writer_init(&w, HEADER_MAX_BYTES);
	if (c->config.options->headers_format == TR_HEADERS_JSON) {
		tr_writer_text(&w, "{\"schema\":");
		result = tr_json_schema(&string, &w, err);
		tr_writer_text(&w, ",\"payload\":");
		tr_json_string(&w, tr_slice_str(text));
		tr_writer_u8(&w, '}');
	} else {
		tr_writer_text(&w, text);
	}
	const uint8_t *copy = tr_writer_ok(&w) ? tr_arena_memdup(&c->arena, w.data, w.len) : NULL;
	if (result == 0 && !copy)
		result = out_of_memory(err);
	if (result == 0)
		c->headers[c->header_count++] = (tr_header){.name = name, .value = tr_slice_of(copy, w.len)};
	tr_writer_release(&w);
	return result;
}

static int make_headers(tr_catalogue *c, tr_err *err)
{
	const tr_event_options *options = c->config.options;

	if (!options->context_headers)
		return 0;
	if (add_header(c, "__debezium.context.connectorLogicalName", options->name, err) != 0 ||
	    add_header(c, "__debezium.context.taskId", options->connector_task_id, err) != 0 ||
	    add_header(c, "__debezium.context.connectorName", c->config.connector, err) != 0 ||
	    add_header(c, "__debezium.context.runId", c->run_id, err) != 0)
		return -1;
	return 0;
}

static int make_kind(tr_catalogue *c, tr_meta_kind *kind, bool typed, const char *topic, tr_err *err)
{
	if (!typed || !topic)
		return out_of_memory(err);
	kind->topic = tr_catalogue_topic(c, topic, true);
	return kind->topic ? 0 : out_of_memory(err);
}

static int make_kinds(tr_catalogue *c, tr_err *err)
{
	const tr_catalogue_config *config = &c->config;
	const tr_event_options *options = config->options;
	tr_arena *a = &c->arena;

	c->transaction_block = tr_envelope_transaction_block(a);
	if (!c->transaction_block)
		return out_of_memory(err);
	bool transaction = tr_envelope_transaction(a, &c->transaction.types);
	bool heartbeat = tr_envelope_heartbeat(a, &c->heartbeat.types);
	bool message = tr_envelope_message(a, config->connector, options, config->source_type, c->transaction_block,
					   &c->message.types);
	bool schema_change =
	    tr_envelope_schema_change(a, config->connector, config->source_type, &c->schema_change.types);

	if (make_kind(c, &c->transaction, transaction, tr_naming_transaction_topic(a, options), err) != 0 ||
	    make_kind(c, &c->heartbeat, heartbeat, tr_naming_heartbeat_topic(a, options), err) != 0 ||
	    make_kind(c, &c->message, message, tr_naming_message_topic(a, options), err) != 0 ||
	    make_kind(c, &c->schema_change, schema_change, tr_naming_schema_topic(a, options), err) != 0)
		return -1;
	return 0;
}

int tr_catalogue_new(tr_catalogue **out, const tr_catalogue_config *config, tr_err *err)
{
	tr_catalogue *c = calloc(1, sizeof(*c));

	*out = NULL;
	TR_ASSERT(config->source_type && config->source_type->field_count <= TR_SRC_MAX);
	if (!c)
		return out_of_memory(err);
	c->magic = TR_CATALOGUE_MAGIC;
	c->config = *config;
	pthread_mutex_init(&c->lock, NULL);
	tr_arena_init(&c->arena, ARENA_MAX_BYTES);
	c->topics = tr_map_new();
	c->owners = tr_map_new();
	c->versions = tr_map_new();
	if (make_run_id(c->run_id, err) != 0 || make_headers(c, err) != 0 || make_kinds(c, err) != 0 ||
	    tr_steady_pieces(c, err) != 0) {
		tr_catalogue_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void tr_catalogue_free(tr_catalogue *c)
{
	if (!c)
		return;
	TR_CHECK_OBJ(c, TR_CATALOGUE_MAGIC);
	tr_map_free(c->topics, NULL);
	tr_map_free(c->owners, NULL);
	tr_map_free(c->versions, free);
	tr_arena_release(&c->arena);
	pthread_mutex_destroy(&c->lock);
	c->magic = 0;
	free(c);
}

/* With the lock held. */
static tr_topic *topic_locked(tr_catalogue *c, const char *name, bool meta)
{
	tr_topic *topic = tr_map_get(c->topics, tr_slice_str(name));

	if (topic)
		return topic;
	topic = TR_ARENA_NEW(&c->arena, tr_topic);
	const char *copy = topic ? tr_arena_strdup(&c->arena, name) : NULL;
	if (!copy)
		return NULL;
	topic->magic = TR_TOPIC_MAGIC;
	topic->number = (uint32_t)tr_map_count(c->topics);
	topic->name = copy;
	topic->kind = meta ? TR_TOPIC_META : TR_TOPIC_DATA;
	tr_map_put(c->topics, tr_slice_str(name), topic);
	return topic;
}

tr_topic *tr_catalogue_topic(tr_catalogue *c, const char *name, bool meta)
{
	TR_CHECK_OBJ(c, TR_CATALOGUE_MAGIC);
	pthread_mutex_lock(&c->lock);
	tr_topic *topic = topic_locked(c, name, meta);
	pthread_mutex_unlock(&c->lock);
	return topic;
}

static int collision(tr_err *err, const char *topic, const char *collection, const char *owner)
{
	tr_err_set(err, TR_E_NAME_COLLISION, "tables \"%s\" and \"%s\" would share topic \"%s\"", owner, collection,
		   topic);
	tr_err_detail(err, "characters that a topic name cannot have are replaced by _, and names are cut at %d bytes",
		      TR_TOPIC_NAME_MAX);
	return tr_err_hint(err, "rename one of the tables, or leave one out of source.tables");
}

static int enter_locked(tr_catalogue *c, const char *topic, const char *collection, tr_topic **out, uint32_t *version,
			tr_err *err)
{
	const char *owner = tr_map_get(c->owners, tr_slice_str(topic));
	uint32_t *count = tr_map_get(c->versions, tr_slice_str(collection));

	*out = topic_locked(c, topic, false);
	if (!*out)
		return out_of_memory(err);
	if ((*out)->kind == TR_TOPIC_META)
		return collision(err, topic, collection, "(records without a table)");
	if (owner && strcmp(owner, collection) != 0)
		return collision(err, topic, collection, owner);
	if (!owner) {
		char *copy = tr_arena_strdup(&c->arena, collection);
		if (!copy)
			return out_of_memory(err);
		tr_map_put(c->owners, tr_slice_str(topic), copy);
	}
	if (!count) {
		count = calloc(1, sizeof(*count));
		if (!count)
			return out_of_memory(err);
		tr_map_put(c->versions, tr_slice_str(collection), count);
	}
	*version = ++*count;
	return 0;
}

int tr_catalogue_enter(tr_catalogue *c, const char *topic, const char *collection, tr_topic **out, uint32_t *version,
		       tr_err *err)
{
	TR_CHECK_OBJ(c, TR_CATALOGUE_MAGIC);
	pthread_mutex_lock(&c->lock);
	int result = enter_locked(c, topic, collection, out, version, err);
	pthread_mutex_unlock(&c->lock);
	return result;
}

int tr_catalogue_codec(tr_catalogue *c, _Atomic(const tr_codec *) *slot, const tr_topic *topic, const tr_type *type,
		       bool key, const tr_codec **out, tr_err *err)
{
	char subject[TR_TOPIC_NAME_MAX + 16];
	const tr_codec *codec = NULL;

	/* Two threads may get here at once: the encoder is locked, and gives both the same codec. */
	tr_text_format(subject, sizeof(subject), "%s-%s", topic->name, key ? "key" : "value");
	if (c->config.encoder_ops->compile(c->config.encoder, subject, type, c->config.stop, &codec, err) != 0)
		return -1;
	atomic_store_explicit(slot, codec, memory_order_release);
	*out = codec;
	return 0;
}
