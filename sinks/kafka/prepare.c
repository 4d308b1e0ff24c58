/* Before a batch is taken: its topics exist, its records fit. */
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "core/obj.h"
#include "sinks/kafka/kafka.h"

/* A batch of one record (Kafka protocol, record batch v2): 61 bytes of header; length, attributes, timestamp and offset deltas,
 * lengths of key, value and headers as varints, at most 25 bytes. */
#define RECORD_OVERHEAD 86

static size_t header_bytes(size_t name, size_t value)
{
	return name + value + 10; /* two varints */
}

size_t tr_kafka_record_bytes(const tr_batch *batch, const tr_record *r)
{
	size_t bytes = RECORD_OVERHEAD;

	bytes += r->key_len == TR_ABSENT_LEN ? 0 : r->key_len;
	bytes += r->value_len == TR_ABSENT_LEN ? 0 : r->value_len;
	if (r->extra_name)
		bytes += header_bytes(strlen(r->extra_name), r->extra_len);
	if (r->shared_headers)
		for (size_t i = 0; i < batch->header_count; i++)
			bytes += header_bytes(strlen(batch->headers[i].name), batch->headers[i].value.len);
	return bytes;
}

static int add_handle(tr_kafka_sink *s, const tr_kafka_topic *t, tr_topic *topic, tr_kafka_handle **out, tr_err *err)
{
	tr_kafka_handle *h = calloc(1, sizeof(*h));
	int limit = t->max_message_bytes > 0 ? t->max_message_bytes : TR_KAFKA_MESSAGE_BYTES;

	if (h)
		h->rkt = rd_kafka_topic_new(s->client.rk, t->name, NULL);
	if (!h || !h->rkt) {
		free(h);
		return tr_err_set(err, TR_E_MEMORY, "topic \"%s\" could not be opened", t->name);
	}
	if (s->client.max_message_bytes > 0 && s->client.max_message_bytes < limit)
		limit = s->client.max_message_bytes;
	h->limit_bytes = (size_t)limit;
	h->topic = topic;
	h->next = s->handles;
	s->handles = h;
	*out = h;
	if (topic)
		atomic_store_explicit(&topic->sink_handle, h, memory_order_release);
	return 0;
}

/* librdkafka fills requests up to batch.size; a topic that accepts less refuses them. */
static int check_batch_size(const tr_kafka_sink *s, const tr_kafka_topic *t, tr_err *err)
{
	if (t->max_message_bytes == 0 || s->client.batch_bytes <= t->max_message_bytes)
		return 0;
	tr_err_set(err, TR_E_SINK_TOPIC, "topic \"%s\" accepts less than one full request", t->name);
	tr_err_detail(err, "its max.message.bytes is %d, batch.size is %d", t->max_message_bytes, s->client.batch_bytes);
	return tr_err_hint(err, "Set sink.properties batch.size: %d, or raise the topic's limit.", t->max_message_bytes);
}

static int open_topics(tr_kafka_sink *s, tr_kafka_topic *wanted, tr_topic **topics, size_t count, tr_err *err)
{
	tr_kafka_handle *h;

	if (count == 0)
		return 0;
	if (tr_kafka_topics_ensure(&s->client, s->options, wanted, count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (check_batch_size(s, &wanted[i], err) != 0 || add_handle(s, &wanted[i], topics[i], &h, err) != 0)
			return -1;
	return 0;
}

static bool listed(tr_topic *const *topics, size_t count, const tr_topic *topic)
{
	for (size_t i = 0; i < count; i++)
		if (topics[i] == topic)
			return true;
	return false;
}

/* All topics that records from `from` on meet for the first time, in as few requests as go. */
static int open_missing(tr_kafka_sink *s, const tr_batch *batch, size_t from, tr_err *err)
{
	tr_kafka_topic wanted[TR_KAFKA_TOPIC_CHUNK];
	tr_topic *topics[TR_KAFKA_TOPIC_CHUNK];
	size_t n = 0;

	for (size_t i = from; i < batch->count && n < TR_KAFKA_TOPIC_CHUNK; i++) {
		const tr_record *r = &batch->records[i];
		TR_CHECK_OBJ(r->topic, TR_TOPIC_MAGIC);
		if (tr_kafka_handle_of(r) || listed(topics, n, r->topic))
			continue;
		wanted[n] = (tr_kafka_topic){.name = r->topic->name, .single = r->topic->kind == TR_TOPIC_META,
		    .keyed = r->key_len != TR_ABSENT_LEN};
		topics[n++] = r->topic;
	}
	return open_topics(s, wanted, topics, n, err);
}

static int open_dead_letter(tr_kafka_sink *s, tr_err *err)
{
	tr_kafka_topic wanted = {.name = s->dead_letter_name, .single = true};

	if (s->dead_letter)
		return 0;
	if (tr_kafka_topics_ensure(&s->client, s->options, &wanted, 1, err) != 0)
		return -1;
	return add_handle(s, &wanted, NULL, &s->dead_letter, err);
}

static int oversize(tr_kafka_sink *s, const tr_batch *batch, const tr_record *r, size_t bytes, tr_err *err)
{
	tr_slice key = tr_record_key(batch, r);
	size_t limit = tr_kafka_handle_of(r)->limit_bytes;

	if (s->options->oversize == TR_OVERSIZE_DEAD_LETTER)
		return open_dead_letter(s, err);
	tr_err_set(err, TR_E_RECORD_OVERSIZE, "a record of topic \"%s\" is larger than the topic accepts", r->topic->name);
	tr_err_detail(err, "%zu bytes, the limit is %zu (key: %zu bytes, CRC-32 %08lx)", bytes, limit, key.len,
	    crc32(0, key.ptr, (uInt)key.len));
	if (s->client.max_message_bytes > 0 && limit == (size_t)s->client.max_message_bytes)
		return tr_err_hint(err, "Raise message.max.bytes in sink.properties (and max.message.bytes of the topic, if that is not more), "
		                        "or set sink.oversize: dead_letter. Nothing of its batch was sent.");
	return tr_err_hint(err, "kafka-configs --alter --entity-type topics --entity-name '%s' --add-config max.message.bytes=%zu; or set "
	                        "sink.oversize: dead_letter. Nothing of its batch was sent.", r->topic->name, bytes + bytes / 4);
}

int tr_kafka_prepare(tr_kafka_sink *s, const tr_batch *batch, tr_err *err)
{
	for (size_t i = 0; i < batch->count; i++) {
		const tr_record *r = &batch->records[i];
		tr_kafka_handle *h = tr_kafka_handle_of(r);
		if (!h) {
			if (open_missing(s, batch, i, err) != 0)
				return -1;
			h = tr_kafka_handle_of(r);
		}
		size_t bytes = tr_kafka_record_bytes(batch, r);
		if (bytes > h->limit_bytes && oversize(s, batch, r, bytes, err) != 0)
			return -1;
	}
	return 0;
}

void tr_kafka_handles_free(tr_kafka_sink *s)
{
	while (s->handles) {
		tr_kafka_handle *h = s->handles;
		s->handles = h->next;
		if (h->topic)
			atomic_store(&h->topic->sink_handle, NULL);
		rd_kafka_topic_destroy(h->rkt);
		free(h);
	}
	s->dead_letter = NULL;
}
