/* librdkafka's mock cluster: a peer that speaks the protocol in this process, and a consumer that reads what it holds. */
#ifndef TR_TESTS_UNIT_SINKS_MOCK_H
#define TR_TESTS_UNIT_SINKS_MOCK_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>

#include "core/slice.h"
#include "tests/unit/test.h"

#define MOCK_PRODUCE 0
#define MOCK_INIT_PRODUCER_ID 22

typedef struct mock {
	rd_kafka_t *owner;
	rd_kafka_mock_cluster_t *cluster;
	char url[160];
} mock;

/* With the topics that the rig and the dead letters use: the mock cluster cannot make topics on request, and since librdkafka
 * 2.6.1 it does not make them by itself either. */
static inline void mock_open(mock *m, int brokers)
{
	static const char *const topics[] = {"shop.public.orders", "shop.public.items", "shop.transaction", "shop.dead_letter"};
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	m->owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	ck_assert_msg(m->owner != NULL, "%s", why);
	m->cluster = rd_kafka_mock_cluster_new(m->owner, brokers);
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++)
		ck_assert_int_eq(rd_kafka_mock_topic_create(m->cluster, topics[i], 4, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
	snprintf(m->url, sizeof(m->url), "kafka://%s", rd_kafka_mock_cluster_bootstraps(m->cluster));
}

static inline void mock_close(mock *m)
{
	rd_kafka_mock_cluster_destroy(m->cluster);
	rd_kafka_destroy(m->owner);
}

/* Reads `count` messages of a topic's partitions from the beginning (partition -1: of all four), calls back for each. */
static inline void mock_read(const char *brokers, const char *topic, int partitions, size_t count,
                             void (*each)(void *context, const rd_kafka_message_t *m), void *context)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	rd_kafka_conf_set(conf, "bootstrap.servers", brokers, why, sizeof(why));
	rd_kafka_conf_set(conf, "group.id", "test", why, sizeof(why));
	rd_kafka_conf_set(conf, "auto.offset.reset", "earliest", why, sizeof(why));
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof(why));
	ck_assert_msg(rk != NULL, "%s", why);
	rd_kafka_poll_set_consumer(rk);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	for (int i = 0; i < partitions; i++)
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	ck_assert(rd_kafka_assign(rk, list) == 0);
	rd_kafka_topic_partition_list_destroy(list);
	for (size_t n = 0, idle = 0; n < count && idle < 100;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 100);
		if (m && !m->err) {
			each(context, m);
			n++;
		} else {
			idle++;
		}
		if (m)
			rd_kafka_message_destroy(m);
	}
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

#endif
