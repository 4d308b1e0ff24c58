/*
 * Reads topics for a person: every partition of every topic with the prefix, into one queue. Topics that appear later are
 * read from their start, since all of them is new.
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/map.h"
#include "core/obj.h"
#include "sinks/kafka/client.h"
#include "sinks/reader.h"

#define LOOK_AGAIN_US 2000000
#define METADATA_MS 10000

typedef struct reader {
	tr_sink_reader base;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;
	tr_map *topics; /* name -> rd_kafka_topic_t with its partitions started */
	char *prefix, *name;
	bool from_beginning, looked;
	int64_t look_at_us;
	rd_kafka_message_t *message;
	char last_error[256];
	tr_slice key, value;
} reader;

static reader *self(tr_sink_reader *r)
{
	TR_CHECK_OBJ(r, TR_SINK_READER_MAGIC);
	return (reader *)r;
}

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk, (void)level;
	tr_log(TR_LOG_DEBUG, NULL, "kafka.reader", "%s: %s", facility, text);
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	reader *r = opaque;

	(void)rk, (void)code;
	snprintf(r->last_error, sizeof(r->last_error), "%s", reason);
}

static int set_property(rd_kafka_conf_t *conf, const char *key, const char *value, tr_err *err)
{
	char reason[256];

	if (rd_kafka_conf_set(conf, key, value, reason, sizeof(reason)) == RD_KAFKA_CONF_OK)
		return 0;
	tr_err_set(err, TR_E_SINK_CONFIG, "sink.properties: \"%s\" cannot be used", key);
	return tr_err_detail(err, "%s", reason);
}

static rd_kafka_conf_t *make_conf(reader *r, const tr_sink_reader_options *options, tr_err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const char *brokers = strstr(options->url, "://");
	int result = set_property(conf, "bootstrap.servers", brokers ? brokers + 3 : options->url, err);

	if (result == 0)
		result = set_property(conf, "enable.partition.eof", "false", err);
	for (size_t i = 0; result == 0 && i < options->property_count; i++)
		result = set_property(conf, options->properties[i].key, options->properties[i].value, err);
	rd_kafka_conf_set_log_cb(conf, on_log);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_opaque(conf, r);
	if (result == 0)
		return conf;
	rd_kafka_conf_destroy(conf);
	return NULL;
}

static void reader_free(tr_sink_reader *base)
{
	reader *r = (reader *)base;
	size_t cursor = 0;
	void *topic;

	if (!r)
		return;
	if (r->message)
		rd_kafka_message_destroy(r->message);
	while (r->topics && tr_map_next(r->topics, &cursor, NULL, &topic))
		rd_kafka_topic_destroy(topic);
	tr_map_free(r->topics, NULL);
	if (r->queue)
		rd_kafka_queue_destroy(r->queue);
	if (r->rk)
		rd_kafka_destroy(r->rk);
	free(r->prefix);
	free(r->name);
	free(r);
}

static int reader_open(tr_sink_reader **out, const tr_sink_reader_options *options, tr_err *err)
{
	extern const tr_sink_reader_ops tr_sink_reader_kafka;
	reader *r = calloc(1, sizeof(*r));
	rd_kafka_conf_t *conf;
	char reason[256];

	*out = NULL;
	if (!r)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the reader");
	r->base = (tr_sink_reader){.magic = TR_SINK_READER_MAGIC, .ops = &tr_sink_reader_kafka};
	r->prefix = strdup(options->topic_prefix ? options->topic_prefix : "");
	r->name = strdup(options->topic_name ? options->topic_name : "");
	r->from_beginning = options->from_beginning;
	r->topics = tr_map_new();
	conf = make_conf(r, options, err);
	if (!conf)
		goto failed;
	r->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason, sizeof(reason));
	if (!r->rk) {
		rd_kafka_conf_destroy(conf);
		tr_err_set(err, TR_E_SINK_CONFIG, "the Kafka client could not be made");
		tr_err_detail(err, "%s", reason);
		goto failed;
	}
	r->queue = rd_kafka_queue_new(r->rk);
	*out = &r->base;
	return 0;
failed:
	reader_free(&r->base);
	return -1;
}

/* The end is asked for now: "from the end", left to the client, would be wherever the end is when its first fetch goes out. */
static int find_ends(reader *r, rd_kafka_topic_partition_list_t *partitions, tr_err *err)
{
	rd_kafka_resp_err_t failed;

	for (int i = 0; i < partitions->cnt; i++)
		partitions->elems[i].offset = RD_KAFKA_OFFSET_END;
	failed = partitions->cnt > 0 ? rd_kafka_offsets_for_times(r->rk, partitions, METADATA_MS) : RD_KAFKA_RESP_ERR_NO_ERROR;
	for (int i = 0; i < partitions->cnt; i++)
		if (partitions->elems[i].err) /* has no leader yet */
			partitions->elems[i].offset = RD_KAFKA_OFFSET_END;
	return failed ? tr_kafka_error(err, failed, NULL, "ask for the ends of", "topics") : 0;
}

static int start_partition(reader *r, const rd_kafka_topic_partition_t *partition, tr_err *err)
{
	rd_kafka_topic_t *topic = tr_map_get(r->topics, tr_slice_str(partition->topic));

	if (!topic) {
		topic = rd_kafka_topic_new(r->rk, partition->topic, NULL);
		if (!topic)
			return tr_kafka_error(err, rd_kafka_last_error(), NULL, "read", partition->topic);
		tr_map_put(r->topics, tr_slice_str(partition->topic), topic);
	}
	if (rd_kafka_consume_start_queue(topic, partition->partition, partition->offset, r->queue) != 0)
		return tr_kafka_error(err, rd_kafka_last_error(), NULL, "read", partition->topic);
	return 0;
}

static int start(reader *r, rd_kafka_topic_partition_list_t *partitions, tr_err *err)
{
	int result = r->from_beginning || r->looked ? 0 : find_ends(r, partitions, err);

	for (int i = 0; i < partitions->cnt && result == 0; i++)
		result = start_partition(r, &partitions->elems[i], err);
	return result;
}

static bool is_wanted(const reader *r, const char *topic)
{
	return strncmp(topic, r->prefix, strlen(r->prefix)) == 0 || strcmp(topic, r->name) == 0;
}

/* Looks for wanted topics that are not read yet. */
static int look(reader *r, tr_err *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t failed = rd_kafka_metadata(r->rk, 1, NULL, &metadata, METADATA_MS);
	rd_kafka_topic_partition_list_t *found;
	int result;

	rd_kafka_poll(r->rk, 0);
	if (failed) {
		tr_err_set(err, tr_kafka_code(failed), "could not ask the brokers for their topics");
		return tr_err_detail(err, "%s", *r->last_error ? r->last_error : rd_kafka_err2str(failed));
	}
	found = rd_kafka_topic_partition_list_new(8);
	for (int i = 0; i < metadata->topic_cnt; i++) {
		const rd_kafka_metadata_topic_t *t = &metadata->topics[i];

		if (t->err || !is_wanted(r, t->topic) || tr_map_get(r->topics, tr_slice_str(t->topic)))
			continue;
		for (int p = 0; p < t->partition_cnt; p++)
			rd_kafka_topic_partition_list_add(found, t->topic, t->partitions[p].id)->offset = RD_KAFKA_OFFSET_BEGINNING;
	}
	rd_kafka_metadata_destroy(metadata);
	result = start(r, found, err);
	rd_kafka_topic_partition_list_destroy(found);
	r->looked = true;
	r->look_at_us = tr_clock_mono_us() + LOOK_AGAIN_US;
	return result;
}

static int reader_next(tr_sink_reader *base, int wait_ms, tr_sink_reader_record *out, tr_err *err)
{
	reader *r = self(base);
	rd_kafka_timestamp_type_t type;

	if (r->message)
		rd_kafka_message_destroy(r->message);
	r->message = NULL;
	if (tr_clock_mono_us() >= r->look_at_us && look(r, err) < 0)
		return -1;
	rd_kafka_poll(r->rk, 0);
	r->message = rd_kafka_consume_queue(r->queue, wait_ms);
	if (!r->message)
		return 0;
	if (r->message->err)
		return tr_kafka_error(err, r->message->err, rd_kafka_message_errstr(r->message), "read", "a topic");
	*out = (tr_sink_reader_record){.topic = rd_kafka_topic_name(r->message->rkt), .partition = r->message->partition,
	    .offset = r->message->offset, .timestamp_ms = rd_kafka_message_timestamp(r->message, &type),
	    .has_key = r->message->key != NULL, .key = tr_slice_of(r->message->key, r->message->key_len),
	    .has_value = r->message->payload != NULL, .value = tr_slice_of(r->message->payload, r->message->len)};
	return 1;
}

static void reader_topics(tr_sink_reader *base, void (*each)(void *context, const char *topic), void *context)
{
	size_t cursor = 0;
	void *topic;

	while (tr_map_next(self(base)->topics, &cursor, NULL, &topic))
		each(context, rd_kafka_topic_name(topic));
}

const tr_sink_reader_ops tr_sink_reader_kafka = {
    .kind = "kafka", .open = reader_open, .next = reader_next, .topics = reader_topics, .free = reader_free};
