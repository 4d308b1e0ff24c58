/*
 * Topics as the Admin API sees them: which are there, what they accept, and making those that are missing. Nothing here relies
 * on brokers that make topics by themselves.
 *
 * A topic whose first record has no key is not made compacted: brokers refuse records without a key there. Topics that exist
 * are used as they are; where their cleanup policy differs from the configured one the log says so.
 */
#ifndef TR_SINKS_KAFKA_TOPICS_H
#define TR_SINKS_KAFKA_TOPICS_H

#include "sinks/kafka/client.h"

#define TR_KAFKA_MESSAGE_BYTES 1048588 /* Kafka's own default of max.message.bytes, assumed where it cannot be read */
#define TR_KAFKA_TOPIC_CHUNK 64        /* topics of one request */

typedef struct tr_kafka_topic {
	const char *name;
	bool single;          /* one partition: transaction metadata, heartbeats, dead letters */
	bool keyed;
	/* filled */
	rd_kafka_resp_err_t error; /* of the last request about it */
	char reason[256];
	int max_message_bytes;     /* 0 = not known */
	char cleanup_policy[32];   /* "" = not known */
} tr_kafka_topic;

/* Describes what is there and makes what is missing (when options say so). All are usable on return 0. At most CHUNK. */
int tr_kafka_topics_ensure(tr_kafka_client *c, const tr_sink_options *options, tr_kafka_topic *topics, size_t count, tr_err *err);

/* Only looks. Each topic's own error is in it. */
int tr_kafka_topics_describe(tr_kafka_client *c, tr_kafka_topic *topics, size_t count, tr_err *err);
/* Makes them, or (dry) asks the broker whether it would. Each topic's own error is in it. */
int tr_kafka_topics_create(tr_kafka_client *c, const tr_sink_options *options, tr_kafka_topic *topics, size_t count, bool dry,
                           tr_err *err);

#endif
