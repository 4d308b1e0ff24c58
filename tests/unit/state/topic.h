/* Topics of a real broker, as another program than the store sees them. */
#ifndef TR_TESTS_UNIT_STATE_TOPIC_H
#define TR_TESTS_UNIT_STATE_TOPIC_H

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "tests/unit/test.h"

static inline void topic_name(char *out, size_t size)
{
	snprintf(out, size, "unit-state-%ld-%lld", (long)getpid(), (long long)tr_clock_mono_us());
}

/* A producer; with transactions when it has an id for them. */
static inline rd_kafka_t *topic_client(const char *brokers, const char *transactional_id)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why));
	if (transactional_id)
		ck_assert(rd_kafka_conf_set(conf, "transactional.id", transactional_id, why, sizeof(why)) == RD_KAFKA_CONF_OK);
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	ck_assert_msg(rk != NULL, "%s", why);
	return rk;
}

static inline rd_kafka_event_t *topic_answer(rd_kafka_queue_t *queue)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 20000);

	ck_assert(event != NULL);
	ck_assert_msg(rd_kafka_event_error(event) == 0, "%s", rd_kafka_event_error_string(event));
	return event;
}

static inline void topic_delete(const char *brokers, const char *name)
{
	rd_kafka_t *rk = topic_client(brokers, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);

	rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
	rd_kafka_event_destroy(topic_answer(queue));
	rd_kafka_DeleteTopic_destroy(topic);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}

/* settings: name, value, ..., NULL. */
static inline void topic_create(const char *brokers, const char *name, int partitions, const char *const *settings)
{
	char why[256];
	rd_kafka_t *rk = topic_client(brokers, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, why, sizeof(why));
	size_t n;

	for (; *settings; settings += 2)
		rd_kafka_NewTopic_set_config(topic, settings[0], settings[1]);
	rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
	rd_kafka_event_t *event = topic_answer(queue);
	const rd_kafka_topic_result_t **r = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	ck_assert_msg(n == 1 && rd_kafka_topic_result_error(r[0]) == 0, "%s", rd_kafka_topic_result_error_string(r[0]));
	rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(topic);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}

static inline void topic_policy(const char *brokers, const char *name, const char *policy)
{
	rd_kafka_t *rk = topic_client(brokers, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);

	rd_kafka_ConfigResource_set_config(resource, "cleanup.policy", policy);
	rd_kafka_AlterConfigs(rk, &resource, 1, NULL, queue);
	rd_kafka_event_destroy(topic_answer(queue));
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}

static inline rd_kafka_resp_err_t topic_cut_once(const char *brokers, const char *name, int32_t partition, int64_t before)
{
	rd_kafka_t *rk = topic_client(brokers, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, name, partition)->offset = before < 0 ? RD_KAFKA_OFFSET_END : before;
	rd_kafka_DeleteRecords_t *cut = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(rk, &cut, 1, NULL, queue);
	rd_kafka_event_t *event = topic_answer(queue);
	rd_kafka_resp_err_t e = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event))->elems[0].err;
	rd_kafka_event_destroy(event);
	rd_kafka_DeleteRecords_destroy(cut);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
	return e;
}

/* Removes the records of a partition before this offset (-1: all). Brokers refuse it while a topic is only compacted, and
 * learn of the change a moment later. */
static inline void topic_cut(const char *brokers, const char *name, int32_t partition, int64_t before)
{
	rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR_POLICY_VIOLATION;

	topic_policy(brokers, name, "delete");
	for (int i = 0; i < 50 && e == RD_KAFKA_RESP_ERR_POLICY_VIOLATION; i++) {
		tr_clock_sleep_ms(100);
		e = topic_cut_once(brokers, name, partition, before);
	}
	ck_assert_msg(e == RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(e));
	topic_policy(brokers, name, "compact");
	tr_clock_sleep_ms(500);
}

/* value NULL: a tombstone. */
static inline void topic_queue(rd_kafka_t *rk, const char *name, int32_t partition, const char *key, const char *value)
{
	rd_kafka_resp_err_t e = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(name), RD_KAFKA_V_PARTITION(partition),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, strlen(key)),
	    RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value ? strlen(value) : 0), RD_KAFKA_V_END);

	ck_assert_msg(e == 0, "%s", rd_kafka_err2str(e));
}

static inline void topic_put(const char *brokers, const char *name, int32_t partition, const char *key, const char *value)
{
	rd_kafka_t *rk = topic_client(brokers, NULL);

	topic_queue(rk, name, partition, key, value);
	ck_assert(rd_kafka_flush(rk, 20000) == 0);
	rd_kafka_destroy(rk);
}

#endif
