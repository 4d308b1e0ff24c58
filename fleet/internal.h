/* What the files of this room share; nobody else includes it. */
#ifndef TR_FLEET_INTERNAL_H
#define TR_FLEET_INTERNAL_H

#include <pthread.h>

#include "core/obj.h"
#include "fleet/fleet.h"
#include "sinks/kafka/client.h"

#define TR_FLEET_TOPIC_MAX 250 /* Kafka's limit is 249 */

typedef struct tr_fleet_seat {
	char topic[TR_FLEET_TOPIC_MAX];
	bool owned;             /* ours; under the lock */
	tr_fleet_instance by;   /* as the group tells; name "" = nobody; under the lock */
} tr_fleet_seat;

struct tr_fleet {
	uint32_t magic;
	const tr_fleet_options *options;
	tr_fleet_owner owner;
	char group[64];
	tr_fleet_seat *seats;   /* one for each pipeline */
	tr_kafka_client client;
	pthread_t thread;
	bool started;
	volatile bool leave;
	/* the thread's own */
	rd_kafka_queue_t *answers;
	bool asked;             /* a description of the group is on its way */
	int64_t asked_us;       /* monotonic: the newest question */
	bool topics_wanted;     /* a topic was not there */
	/* any thread */
	pthread_mutex_t lock;   /* guards what follows */
	bool ended;
	int64_t seen_us;        /* monotonic: the newest moment at which the group had us; 0 = never */
	size_t members;
	tr_err error;
};
#define TR_FLEET_MAGIC 0xf1ee7001u

/* topics.c: makes those that are missing; 0 when all are there. */
int tr_fleet_topics(tr_fleet *f, tr_err *err);

/* view.c: asks for the group's members now and then, and notes the answer. */
void tr_fleet_look(tr_fleet *f);

#endif
