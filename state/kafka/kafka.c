#include "state/kafka/kafka.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/obj.h"
#include "core/text.h"
#include "state/copy.h"

#define TOPIC_NAME_MAX 249
#define PAUSE_FIRST_MS 200
#define PAUSE_MAX_MS 2000
#define NAP_MS 50

static tr_sk_store *self(tr_store *s)
{
	TR_CHECK_OBJ(s, TR_STORE_MAGIC);
	return (tr_sk_store *)s;
}

static int no_memory(tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "the store could not be made");
}

/* --- errors --- */

int tr_sk_hint(const tr_sk_store *s, tr_err *err)
{
	const char *other = s->options.sink_transactional_id;

	if (!err)
		return -1;
	switch (err->code) {
	case TR_E_SINK_AUTH:
		return tr_err_hint(err, "The user of sink.properties needs Describe, DescribeConfigs, Read and Write on topic \"%s\", Create "
		                        "to make it, Describe and Write on transactional id \"%.200s\"%s%.200s%s (kafka-acls --add). "
		                        "Nothing was changed.", s->topic, s->transactional_id, other[0] ? " and \"" : "", other,
		                    other[0] ? "\"" : "");
	case TR_E_SINK_TOPIC:
		return tr_err_hint(err, "Mend the topic, or give another one in state.url (kafka:TOPIC). If it was removed, so was the "
		                        "position: look for an export before a new one is made.");
	case TR_E_SINK_UNAVAILABLE:
		return tr_err_hint(err, s->options.stop ? "tailrace tries again by itself; the last saved position is safe. Check the brokers of "
		                                          "state.url or sink.url."
		                                        : "The state lies on these brokers, and nothing was changed. Check that they run, and "
		                                          "state.url, sink.url and sink.properties; then give the command again.");
	case TR_E_RECORD_OVERSIZE:
		return tr_err_hint(err, "The record of a snapshot grows with its tables: raise max.message.bytes of topic \"%s\". The last "
		                        "saved position is safe.", s->topic);
	case TR_E_SINK_FATAL:
		return tr_err_hint(err, "The last saved position is safe: start again. If it comes back, look at the brokers' log.");
	default:
		return -1;
	}
}

int tr_sk_error(const tr_sk_store *s, rd_kafka_resp_err_t e, const char *reason, const char *verb, tr_err *err)
{
	char object[300];

	snprintf(object, sizeof(object), "state topic \"%.260s\"", s->topic);
	tr_kafka_error(err, e, reason, verb, object);
	return tr_sk_hint(s, err);
}

/* --- opening --- */

/* The same brokers as the sink's, so the sink's login is theirs. */
static bool same_brokers(const char *url, size_t len, const char *sink_url)
{
	const char *sink = sink_url ? strstr(sink_url, "://") : NULL;

	return sink && strcspn(sink + 3, "/?#") == len && strncmp(sink + 3, url, len) == 0;
}

static int take_topic(tr_sk_store *s, const char *name, tr_err *err)
{
	size_t len = strlen(name);

	for (const char *c = name; *c; c++) {
		if (isalnum((uint8_t)*c) || strchr("._-", *c))
			continue;
		tr_err_set(err, TR_E_CONFIG, "state.url: \"%.260s\" cannot be the name of a topic", name);
		return tr_err_hint(err, "Letters, digits, \".\", \"_\" and \"-\"; kafka:TOPIC or kafka://HOST:PORT/TOPIC.");
	}
	if (len > TOPIC_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return tr_err_set(err, TR_E_CONFIG, "state.url: the name of the topic is not allowed, or longer than %d characters",
		    TOPIC_NAME_MAX);
	s->topic = strdup(len > 0 ? name : TR_SK_TOPIC);
	return s->topic ? 0 : no_memory(err);
}

/* kafka | kafka:TOPIC | kafka://BROKERS[/TOPIC] */
static int take_url(tr_sk_store *s, tr_err *err)
{
	const char *url = s->options.url + strcspn(s->options.url, ":"), *sink_url = s->options.kafka_url;
	bool own = strncmp(url, "://", 3) == 0;
	size_t len;

	if (own) {
		url += 3;
		len = strcspn(url, "/");
		if (asprintf(&s->url, "kafka://%.*s", (int)len, url) < 0)
			s->url = NULL;
		if (!same_brokers(url, len, sink_url))
			s->options.kafka_property_count = 0;
		url += len;
	} else if (!sink_url) {
		tr_err_set(err, TR_E_CONFIG, "state.url: \"%.280s\" names no brokers, and the sink is not Kafka", s->options.url);
		return tr_err_hint(err, "Write it as kafka://HOST:PORT/TOPIC, or keep the state in file:DIR.");
	} else {
		s->url = strdup(sink_url);
	}
	if (!s->url)
		return no_memory(err);
	return take_topic(s, *url ? url + 1 : "", err);
}

/* Once: everything up to where the state can be read. */
static int connect_once(tr_sk_store *s, tr_err *err)
{
	if (s->connected)
		return 0;
	if (s->fenced)
		return tr_sk_fenced(s, NULL, err);
	if (s->client.fatal.code != TR_OK)
		tr_sk_client_close(s);
	if ((!s->client.rk && tr_sk_client_open(s, err) != 0) || tr_sk_topic_open(s, err) != 0)
		return -1;
	if (!s->options.read_only && s->options.sink_transactional_id[0] && tr_sk_fence_other(s, err) != 0)
		return -1;
	if (!s->options.read_only && tr_sk_fence(s, err) != 0)
		return -1;
	s->connected = true;
	return 0;
}

static bool stop_asked(const tr_sk_store *s)
{
	return s->options.stop && *s->options.stop;
}

/* Calls step until it succeeds, fails for good, or the brokers have not answered in time: the service then begins a new session,
 * for as long as source.retry_for allows. */
static int until(tr_sk_store *s, int (*step)(tr_sk_store *s, tr_err *err), tr_err *err)
{
	int64_t began_us = tr_clock_mono_us();
	tr_backoff pause;
	bool said = false;

	tr_backoff_init(&pause, PAUSE_FIRST_MS, PAUSE_MAX_MS);
	for (;;) {
		tr_err why = {0};

		if (step(s, &why) == 0)
			return 0;
		bool later = why.code == TR_E_SINK_UNAVAILABLE && tr_clock_mono_us() - began_us < tr_sk_answer_us(s);
		if (!later || stop_asked(s)) {
			if (stop_asked(s) && why.code == TR_E_SINK_UNAVAILABLE)
				return tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
			if (err)
				*err = why;
			return -1;
		}
		if (!said)
			tr_log_err(TR_LOG_WARN, s->options.pipeline, "state.waiting", &why);
		said = true;
		for (int left_ms = tr_backoff_next_ms(&pause); left_ms > 0 && !stop_asked(s); left_ms -= NAP_MS)
			tr_clock_sleep_ms(left_ms < NAP_MS ? left_ms : NAP_MS);
	}
}

static void free_store(tr_store *base)
{
	if (!base)
		return;
	tr_sk_store *s = self(base);
	tr_sk_client_close(s);
	tr_sk_key_free(s->key);
	tr_writer_release(&s->text);
	tr_writer_release(&s->value);
	free(s->pipeline);
	free(s->topic);
	free(s->url);
	free(s->transactional_id);
	s->base.magic = 0;
	free(s);
}

static int open_store(tr_store **out, const tr_store_options *options, tr_err *err)
{
	tr_sk_store *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return no_memory(err);
	s->base = (tr_store){.magic = TR_STORE_MAGIC, .ops = &tr_store_kafka};
	s->options = *options;
	s->pipeline = strdup(options->pipeline ? options->pipeline : "");
	if (!s->pipeline || asprintf(&s->transactional_id, "tailrace-state-%s", s->pipeline) < 0) {
		s->transactional_id = NULL;
		no_memory(err);
		goto fail;
	}
	tr_writer_init(&s->text, TR_SK_VALUE_MAX);
	tr_writer_init(&s->value, TR_SK_VALUE_MAX);
	if (take_url(s, err) != 0 || until(s, connect_once, err) != 0)
		goto fail;
	*out = &s->base;
	return 0;
fail:
	free_store(&s->base);
	return -1;
}

/* --- reading --- */

static int32_t first_partition(const tr_sk_store *s)
{
	return s->partitions <= 1 || !s->rkt
	           ? 0
	           : rd_kafka_msg_partitioner_murmur2(s->rkt, s->pipeline, strlen(s->pipeline), s->partitions, NULL, NULL);
}

/* Once: what the topic holds under our key. */
static int look_once(tr_sk_store *s, tr_err *err)
{
	tr_sk_found found;

	s->known = s->stored = false;
	s->sequence = s->given = s->serial = 0;
	tr_sk_key_free(s->key);
	s->key = NULL;
	if (connect_once(s, err) != 0)
		return -1;
	s->found = (tr_sk_found){0};
	if (!s->missing) {
		if (tr_sk_scan(s, s->pipeline, &found, err) != 0)
			return -1;
		s->key = tr_map_remove(found.keys, tr_slice_str(s->pipeline));
		s->found = found;
		s->found.keys = NULL;
		tr_sk_found_release(&found);
	}
	s->partition = first_partition(s);
	uint64_t highest = 0;
	for (size_t i = 0; s->key && i < s->key->count; i++) {
		const tr_sk_place *p = &s->key->places[i];
		if (p->serial >= highest)
			s->partition = p->partition;
		highest = p->serial > highest ? p->serial : highest;
	}
	s->serial = highest;
	return 0;
}

/* 1: a record, 0: none, -1: what lies there cannot be used. */
static int decode(const tr_sk_store *s, const tr_sk_key *key, tr_record_state *record, tr_err *err)
{
	const tr_sk_place *p = tr_sk_newest(s, key, err);

	if (!p)
		return -1;
	if (tr_record_state_decode(record, p->record, err) != 0)
		return tr_err_prefix(err, "topic \"%s\", pipeline \"%s\"", s->topic, key->name);
	if (!tr_slice_eq(tr_writer_view(&record->pipeline), tr_slice_str(key->name))) {
		tr_err_set(err, TR_E_STATE_CORRUPT, "the state of pipeline \"%s\" in topic \"%s\" cannot be used", key->name, s->topic);
		tr_err_detail(err, "partition %d, offset %lld: the record is another pipeline's", (int)p->partition, (long long)p->offset);
		return tr_err_hint(err, "Nothing was changed. Give the position: `tailrace offsets import`, `set` or `reset`.");
	}
	return record->reset ? 0 : 1;
}

/* What the last reading says, as load returns it. */
static int take(tr_sk_store *s, tr_record_state *record, tr_err *err)
{
	int found = 0;

	if (!s->key && tr_sk_check_owner(s, &s->found, err) != 0)
		return -1;
	if (!s->key && s->found.truncated)
		return tr_sk_cut_off(s, err);
	if (s->key)
		found = decode(s, s->key, record, err);
	if (found < 0)
		return -1;
	s->known = true;
	s->stored = found == 1;
	s->sequence = s->given = s->stored ? record->sequence : 0;
	if (found == 0) {
		tr_record_state_release(record);
		tr_record_state_init(record);
	}
	return found;
}

static int load(tr_store *base, tr_record_state *record, tr_err *err)
{
	tr_sk_store *s = self(base);

	s->unsure = s->landed = s->loaded = false;
	int found = until(s, look_once, err) == 0 ? take(s, record, err) : -1;
	s->loaded = found >= 0;
	s->mine = s->serial;
	return found;
}

static int by_name(const void *a, const void *b)
{
	const tr_sk_key *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

typedef void each_fn(void *context, const char *pipeline, const tr_record_state *record);

static int list_keys(const tr_sk_store *s, tr_sk_key **keys, size_t count, each_fn *each, void *context, tr_err *err)
{
	tr_record_state record;
	int found = 0;

	tr_record_state_init(&record);
	qsort(keys, count, sizeof(*keys), by_name);
	for (size_t i = 0; i < count && found >= 0; i++) {
		found = decode(s, keys[i], &record, err);
		if (found == 1)
			each(context, keys[i]->name, &record);
	}
	tr_record_state_release(&record);
	return found < 0 ? -1 : 0;
}

static int list(tr_store *base, each_fn *each, void *context, tr_err *err)
{
	tr_sk_store *s = self(base);
	tr_sk_found found = {0};
	size_t cursor = 0, count = 0;
	void *key;
	int result = -1;

	if (s->missing)
		return 0;
	if (until(s, connect_once, err) != 0 || tr_sk_scan(s, NULL, &found, err) != 0)
		return -1;
	tr_sk_key **keys = calloc(tr_map_count(found.keys) + 1, sizeof(tr_sk_key *));
	while (keys && tr_map_next(found.keys, &cursor, NULL, &key))
		keys[count++] = key;
	if (!keys)
		no_memory(err);
	else if (tr_sk_check_owner(s, &found, err) == 0)
		result = list_keys(s, keys, count, each, context, err);
	free(keys);
	tr_sk_found_release(&found);
	return result;
}

/* --- writing --- */

static int refuse_read_only(const tr_sk_store *s, tr_err *err)
{
	return tr_err_set(err, TR_E_BUG, "the state in topic \"%s\" was opened to be read only", s->topic);
}

static int make_value(tr_sk_store *s, const tr_record_state *record, tr_err *err)
{
	tr_writer_reset(&s->text);
	tr_writer_reset(&s->value);
	if (tr_record_state_encode(record, s->pipeline, &s->text, err) != 0)
		return -1;
	tr_state_frame_put(&s->value, tr_slice_str(s->pipeline), s->serial + 1, tr_writer_view(&s->text));
	return tr_writer_ok(&s->value) ? 0 : tr_err_set(err, TR_E_MEMORY, "the state of pipeline \"%s\" could not be built", s->pipeline);
}

static int backwards(const tr_sk_store *s, uint64_t sequence, tr_err *err)
{
	tr_err_set(err, TR_E_STATE_BACKWARDS, "the state of pipeline \"%s\" would go back", s->pipeline);
	tr_err_detail(err, "save %llu is not newer than what topic \"%s\" holds", (unsigned long long)sequence, s->topic);
	return tr_err_hint(err, "Nothing was written. Another process may have used this state: see that only one runs.");
}

/* Takes what was read without a record to fill. */
static int take_facts(tr_sk_store *s, tr_err *err)
{
	tr_record_state record;

	tr_record_state_init(&record);
	int found = take(s, &record, err);
	tr_record_state_release(&record);
	return found < 0 ? -1 : 0;
}

/* After a write that failed, or before the first one: reads what is there. Once, since the caller has its own way of trying
 * again. Our new producer fenced whoever came meanwhile; if that one wrote anything, it is the one to go on. */
static int settle(tr_sk_store *s, tr_err *err)
{
	if (look_once(s, err) != 0 || take_facts(s, err) != 0)
		return -1;
	for (size_t i = 0; s->unsure && s->key && i < s->key->count; i++)
		s->landed |= tr_slice_eq(tr_writer_view(&s->key->places[i].value), tr_writer_view(&s->value));
	if (s->loaded && s->serial > s->mine + s->landed)
		return tr_sk_fenced(s, "another instance wrote its state", err);
	s->unsure = false;
	s->loaded = true;
	s->mine = s->serial;
	return 0;
}

static void written(tr_sk_store *s, const tr_record_state *record)
{
	s->mine = ++s->serial;
	s->landed = false;
	s->stored = !record->reset;
	s->sequence = s->given = record->sequence;
}

static int save(tr_store *base, const tr_record_state *record, tr_err *err)
{
	tr_sk_store *s = self(base);
	tr_err later = {0};

	if (s->options.read_only)
		return refuse_read_only(s, err);
	if (s->fenced)
		return tr_sk_fenced(s, NULL, err);
	if ((!s->known || !s->connected) && settle(s, err) != 0)
		return -1;
	if (s->stored && (s->landed ? record->sequence < s->sequence : record->sequence <= s->sequence))
		return backwards(s, record->sequence, err);
	if (make_value(s, record, err) != 0)
		return -1;
	if (tr_sk_write(s, s->partition, err) == 0) {
		written(s, record);
		return 0;
	}
	if (!s->unsure || stop_asked(s))
		return -1;
	if (settle(s, &later) == 0 && s->landed) {
		/* The answer was lost, not the record. */
		s->landed = false;
		tr_err_clear(err);
		return 0;
	}
	/* What the topic says of itself is better news than that nobody answered. */
	if (err && later.code != TR_OK && later.code != TR_E_SINK_UNAVAILABLE)
		*err = later;
	return -1;
}

static int entry(tr_store *base, const tr_record_state *record, tr_store_entry *out, tr_err *err)
{
	tr_sk_store *s = self(base);
	tr_record_state ours = *record;

	if (s->options.read_only)
		return refuse_read_only(s, err);
	if (!s->known)
		return tr_err_set(err, TR_E_BUG, "the state of pipeline \"%s\" is to be written but was not read", s->pipeline);
	if ((s->stored && record->sequence <= s->sequence) || record->sequence < s->given)
		return backwards(s, record->sequence, err);
	ours.delivery = TR_STATE_EXACTLY_ONCE;
	if (make_value(s, &ours, err) != 0)
		return -1;
	s->mine = ++s->serial;
	s->given = record->sequence;
	*out = (tr_store_entry){.topic = s->topic, .partition = s->partition, .key = tr_slice_str(s->pipeline),
	    .value = tr_writer_view(&s->value)};
	return 0;
}

/* What a reset would take away: the newest record, or bytes that are none. Empty when there is nothing. */
static tr_slice old_bytes(const tr_sk_store *s)
{
	const tr_sk_place *best = NULL;

	for (size_t i = 0; s->key && i < s->key->count; i++) {
		const tr_sk_place *p = &s->key->places[i];
		if (!best || p->serial > best->serial || (best->kind == TR_SK_TOMBSTONE && p->kind != TR_SK_TOMBSTONE))
			best = p;
	}
	if (!best)
		return tr_slice_of(NULL, 0);
	return best->kind == TR_SK_RECORD ? best->record : tr_writer_view(&best->value);
}

/* In every partition in which something lies under our key, so that each ends with a reset; the pipeline's own is the last,
 * and has the highest serial. */
static int write_resets(tr_sk_store *s, tr_err *err)
{
	tr_record_state record;
	int result = 0;

	tr_record_state_init(&record);
	record.reset = true;
	record.saved_at_ms = tr_clock_wall_ns() / 1000000;
	for (size_t i = 0; i <= (s->key ? s->key->count : 0) && result == 0; i++) {
		bool last = !s->key || i == s->key->count;
		int32_t partition = last ? s->partition : s->key->places[i].partition;
		if (!last && partition == s->partition)
			continue;
		result = make_value(s, &record, err);
		if (result == 0)
			result = tr_sk_write(s, partition, err);
		if (result == 0)
			written(s, &record);
	}
	tr_record_state_release(&record);
	return result;
}

static int reset(tr_store *base, char *backup, size_t backup_size, tr_err *err)
{
	tr_sk_store *s = self(base);
	const char *dir = s->options.copies ? s->options.copies : ".";
	tr_slice old;

	if (backup_size > 0)
		backup[0] = '\0';
	if (s->options.read_only)
		return refuse_read_only(s, err);
	if (until(s, look_once, err) != 0 || (!s->key && tr_sk_check_owner(s, &s->found, err) != 0))
		return -1;
	/* What cannot be used is what a reset is for. */
	take_facts(s, NULL);
	if (s->known && !s->stored)
		return 0;
	old = old_bytes(s);
	if (old.len > 0 && tr_state_copy(dir, s->pipeline, old, backup, backup_size, err) != 0)
		return tr_err_hint(err, "The copy of the record goes to directory \"%.200s\". Nothing was changed.", dir);
	if (write_resets(s, err) != 0)
		return -1;
	return until(s, look_once, err) == 0 ? take_facts(s, err) : -1;
}

const tr_store_ops tr_store_kafka = {
	.kind = "kafka",
	.schemes = "kafka",
	.open = open_store,
	.load = load,
	.save = save,
	.entry = entry,
	.reset = reset,
	.list = list,
	.free = free_store,
};
