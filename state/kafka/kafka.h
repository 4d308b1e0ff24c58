/*
 * Inside of the state store in Kafka: what its files share.
 *
 * A topic with cleanup.policy=compact holds one key per pipeline, its name; the value is state/kafka/frame.h. What decides is
 * the newest record under the key, never older ones: compaction removes those at any time. So
 *   - a reset is a record of its own, no tombstone: a key that is not there was never written, and a tombstone is a stranger's;
 *   - a pipeline stays in the partition where its newest record lies, whatever partitions are added later: the order of one
 *     partition is the order of its records;
 *   - a topic whose beginning was cut off (its first offset is not 0) and that has nothing under our key cannot say that there
 *     never was anything: that stops, and is no new beginning.
 *
 * The lock is the fence: one producer with the transactional id "tailrace-state-<pipeline>", its init_transactions before the
 * state is read. Afterwards an older writer can write nothing more, and what it left open is decided.
 *
 * Threads: one at a time. Nothing here runs on the way of a row.
 */
#ifndef TR_STATE_KAFKA_KAFKA_H
#define TR_STATE_KAFKA_KAFKA_H

#include "core/map.h"
#include "sinks/kafka/client.h"
#include "state/kafka/frame.h"
#include "state/store.h"

#define TR_SK_TOPIC "tailrace-state"
#define TR_SK_VALUE_MAX ((size_t)64 << 20)
#define TR_SK_PARTITIONS_MAX 256
#define TR_SK_KEYS_MAX 100000
/* For the brokers to answer: a service tries again after it, somebody who gave a command waits at a terminal. */
#define TR_SK_ANSWER_US (15 * 1000000LL)
#define TR_SK_ANSWER_SHORT_US (5 * 1000000LL)

typedef enum tr_sk_kind { TR_SK_RECORD, TR_SK_TOMBSTONE, TR_SK_FOREIGN, TR_SK_DAMAGED, TR_SK_NEWER } tr_sk_kind;

/* The newest record of a key in one partition. */
typedef struct tr_sk_place {
	int32_t partition;
	int64_t offset;
	tr_sk_kind kind;
	uint64_t serial;      /* RECORD; else of the newest one before it */
	uint64_t before;      /* serial of a RECORD in front that is not lower: two writers; 0 = none */
	tr_slice record;      /* RECORD: a part of value */
	tr_writer value;      /* as it lies there */
} tr_sk_place;

/* All places of a key: one, unless somebody wrote it elsewhere. */
typedef struct tr_sk_key {
	char *name;
	tr_sk_place *places;
	size_t count;
} tr_sk_key;

typedef struct tr_sk_found {
	tr_map *keys;         /* name -> tr_sk_key */
	size_t ours, foreign; /* records of our form, and others, under any key */
	bool truncated;       /* a partition begins behind its offset 0 */
} tr_sk_found;

typedef struct tr_sk_store {
	tr_store base;
	tr_store_options options;
	char *pipeline, *topic, *url;    /* url: of the brokers, as the client takes it */
	char *transactional_id;
	tr_kafka_client client;          /* asks; and writes, unless read only */
	rd_kafka_topic_t *rkt;
	bool connected;                  /* the topic was looked at, and earlier writers are fenced */
	bool missing;                    /* read only, and there is no topic */
	bool was_there;                  /* the topic, at some time since open */
	bool fenced;                     /* another writer came: for good */
	bool controller;                 /* the cluster has one, which can be asked for settings */
	int32_t partitions;
	/* of the last reading */
	tr_sk_found found;               /* without its keys */
	tr_sk_key *key;                  /* NULL: nothing under our key */
	bool known;                      /* it was readable: what follows holds */
	bool stored;                     /* a record that is no reset */
	int32_t partition;               /* where to write */
	uint64_t serial;                 /* the highest seen or written */
	uint64_t sequence;               /* of the stored record */
	uint64_t mine;                   /* the serial that we loaded or wrote last; a higher one is another writer's */
	bool loaded;                     /* mine is set */
	uint64_t given;                  /* the highest sequence that entry was asked for */
	/* of the last write */
	bool unsure;                     /* nobody knows whether `value` was written */
	bool landed;                     /* it was: the caller, who was told that it failed, may use its sequence again */
	tr_writer text, value;           /* of the record; of the frame around it */
} tr_sk_store;

static inline int64_t tr_sk_answer_us(const tr_sk_store *s)
{
	return s->options.stop ? TR_SK_ANSWER_US : TR_SK_ANSWER_SHORT_US;
}

/* kafka.c: sets the error of a broker or of librdkafka with this store's hint. Returns -1. */
int tr_sk_error(const tr_sk_store *s, rd_kafka_resp_err_t e, const char *reason, const char *verb, tr_err *err);
/* Replaces the hint of an error that talks of a sink. Returns -1. */
int tr_sk_hint(const tr_sk_store *s, tr_err *err);

/* topic.c: fills partitions; missing (read only) or makes the topic; refuses one that would lose the state. */
int tr_sk_topic_open(tr_sk_store *s, tr_err *err);

/* scan.c: reads the topic to its end as of the call: what is committed under `only` (NULL = every key). Once. */
int tr_sk_scan(tr_sk_store *s, const char *only, tr_sk_found *out, tr_err *err);

/* found.c: keeps what a message says. */
int tr_sk_found_take(tr_sk_found *f, const char *only, const rd_kafka_message_t *m, tr_err *err);
void tr_sk_found_release(tr_sk_found *f);
void tr_sk_key_free(void *key);
/* The place that holds the newest record; NULL with err filled when they do not say which, or it cannot be read. */
const tr_sk_place *tr_sk_newest(const tr_sk_store *s, const tr_sk_key *key, tr_err *err);
/* Refuses a topic of another application. */
int tr_sk_check_owner(const tr_sk_store *s, const tr_sk_found *f, tr_err *err);
/* The error of a topic that cannot say whether our key was in it. Returns -1. */
int tr_sk_cut_off(const tr_sk_store *s, tr_err *err);

/* write.c: a client: a producer, or (read only) one that only asks. */
int tr_sk_client_open(tr_sk_store *s, tr_err *err);
void tr_sk_client_close(tr_sk_store *s);
/* From here no earlier writer of this pipeline's state writes any more; what it left open is decided. */
int tr_sk_fence(tr_sk_store *s, tr_err *err);
/* Another writer came, and nothing is written any more. Returns -1. */
int tr_sk_fenced(tr_sk_store *s, const char *reason, tr_err *err);
/* As tr_sk_fence, for options.sink_transactional_id. */
int tr_sk_fence_other(tr_sk_store *s, tr_err *err);
/* Writes `value` under our key, in a transaction. 0: durable. -1: not written, or (unsure) nobody knows; the client is closed. */
int tr_sk_write(tr_sk_store *s, int32_t partition, tr_err *err);

#endif
