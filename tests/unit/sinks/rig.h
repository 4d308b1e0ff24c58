/* What the tests of sinks share: topics, codecs and batches filled by hand, and a loop that drives a sink as the delivery
 * thread does. */
#ifndef TR_TESTS_UNIT_SINKS_RIG_H
#define TR_TESTS_UNIT_SINKS_RIG_H

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/obj.h"
#include "sinks/sink.h"
#include "tests/unit/test.h"

#define RIG_TOPICS 3
#define RIG_BATCHES 32

typedef struct rig {
	tr_batch_pool *pool;
	tr_topic topics[RIG_TOPICS];
	tr_event_options events;
	tr_sink_options options;
	tr_metrics metrics;
	tr_sink *sink;
	char dir[64];
	uint64_t sequence;
} rig;

static tr_codec rig_key_codec = {.magic = TR_CODEC_MAGIC, .subject = "t-key", .schema = "\"string\""};
static tr_codec rig_value_codec = {.magic = TR_CODEC_MAGIC, .subject = "t-value", .schema = "\"string\""};

static inline void rig_init(rig *r, const char *url)
{
	static const char *const names[RIG_TOPICS] = {"shop.public.orders", "shop.public.items", "shop.transaction"};

	*r = (rig){0};
	r->pool = tr_batch_pool_new(RIG_BATCHES, 8 << 20);
	for (uint32_t i = 0; i < RIG_TOPICS; i++) {
		r->topics[i].magic = TR_TOPIC_MAGIC;
		r->topics[i].number = i;
		r->topics[i].name = names[i];
		r->topics[i].kind = i == 2 ? TR_TOPIC_META : TR_TOPIC_DATA;
	}
	r->events = (tr_event_options){.name = "shop", .format = TR_FORMAT_JSON};
	r->options = (tr_sink_options){.url = url, .create_topics = true, .partitions = 1, .replication = 1, .name = "shop",
	    .events = &r->events, .queue_bytes = 8 << 20, .roll_ms = 60000, .roll_bytes = 64 << 20};
	snprintf(r->dir, sizeof(r->dir), "/tmp/tr-sinks-XXXXXX");
	ck_assert(mkdtemp(r->dir) != NULL);
}

static inline void rig_open(rig *r)
{
	tr_err err = {0};
	const tr_sink_ops *ops = tr_sink_find(r->options.url, NULL);

	ck_assert(ops != NULL);
	ck_assert_msg(ops->open(&r->sink, &r->options, &r->metrics, &err) == 0, "%s: %s", err.text, err.detail);
}

static inline void rig_close(rig *r)
{
	if (r->sink)
		r->sink->ops->free(r->sink);
	r->sink = NULL;
}

static inline void rig_release(rig *r)
{
	char command[128];

	rig_close(r);
	tr_batch_pool_free(r->pool);
	snprintf(command, sizeof(command), "rm -rf '%s'", r->dir);
	ck_assert(system(command) == 0);
}

static inline tr_batch *rig_batch(rig *r)
{
	tr_batch *batch = tr_batch_take(r->pool, 1000);

	ck_assert(batch != NULL);
	batch->sequence = ++r->sequence;
	return batch;
}

/* key or value NULL: absent. */
static inline tr_record *rig_add_bytes(rig *r, tr_batch *batch, int topic, const char *key, const void *value, size_t len)
{
	tr_record *record = tr_batch_add(batch);

	record->topic = &r->topics[topic];
	record->op = 'c';
	record->timestamp_ms = 1700000000000;
	if (key) {
		record->key_codec = &rig_key_codec;
		record->key_at = (uint32_t)batch->bytes.len;
		record->key_len = (uint32_t)strlen(key);
		tr_writer_text(&batch->bytes, key);
	}
	if (value) {
		record->value_codec = &rig_value_codec;
		record->value_at = (uint32_t)batch->bytes.len;
		record->value_len = (uint32_t)len;
		tr_writer_put(&batch->bytes, value, len);
	}
	return record;
}

static inline tr_record *rig_add(rig *r, tr_batch *batch, int topic, const char *key, const char *value)
{
	return rig_add_bytes(r, batch, topic, key, value, value ? strlen(value) : 0);
}

static inline void rig_seal(tr_batch *batch)
{
	batch->state = TR_BATCH_SEALED;
	ck_assert(tr_writer_ok(&batch->bytes));
}

/* As the delivery loop: again after poll while the sink is full. */
static inline int rig_send(rig *r, tr_batch *batch, tr_err *err)
{
	int sent;

	rig_seal(batch);
	while ((sent = r->sink->ops->send(r->sink, batch, err)) == 1)
		if (r->sink->ops->poll(r->sink, 2, err) != 0)
			break;
	if (sent != 0)
		tr_batch_put_back(batch);
	return sent == 0 ? 0 : -1;
}

/* Drives until `count` batches came back or time is over; checks that they come in order. Returns how many were SETTLED. */
static inline size_t rig_collect(rig *r, size_t count, int timeout_ms, uint64_t *next, tr_err *err)
{
	int64_t deadline_us = tr_clock_mono_us() + (int64_t)timeout_ms * 1000;
	size_t settled = 0, seen = 0;

	while (seen < count && tr_clock_mono_us() < deadline_us) {
		int result = r->sink->ops->poll(r->sink, 5, err);
		tr_batch *batch;
		while ((batch = r->sink->ops->settled(r->sink)) != NULL) {
			ck_assert_uint_eq(batch->sequence, *next);
			++*next;
			seen++;
			if (batch->state == TR_BATCH_SETTLED) {
				settled++;
			} else {
				ck_assert_int_eq(batch->state, TR_BATCH_FAILED);
				ck_assert(batch->error != NULL);
				*err = *batch->error;
			}
			tr_batch_put_back(batch);
		}
		if (result != 0)
			break;
	}
	return settled;
}

#endif
