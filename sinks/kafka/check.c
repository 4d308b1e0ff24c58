/* Preflight: reaches the brokers, asks what they would allow, makes nothing. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "sinks/kafka/kafka.h"

#define LIBRARY_SAFE 0x020500ff /* 2.5.0 */
#define PROBES TR_KAFKA_TOPIC_CHUNK

typedef struct checking {
	tr_kafka_sink *s;
	tr_finding_fn report;
	void *context;
} checking;

static void say(const checking *c, tr_severity severity, tr_err_code code, const char *subject, const char *what, const char *why,
                const char *fix)
{
	tr_finding f = {.severity = severity, .code = code};

	snprintf(f.subject, sizeof(f.subject), "%s", subject);
	snprintf(f.what, sizeof(f.what), "%s", what);
	snprintf(f.why, sizeof(f.why), "%s", why);
	snprintf(f.fix, sizeof(f.fix), "%s", fix);
	c->report(c->context, &f);
}

static void say_error(const checking *c, const char *subject, const tr_err *e)
{
	char what[sizeof(e->text) + sizeof(e->detail) + 2];

	snprintf(what, sizeof(what), "%s: %s", e->text, e->detail);
	say(c, TR_FINDING_ERROR, e->code, subject, what, tr_err_summary(e->code), e->hint);
}

static void check_library(const checking *c)
{
	char what[64];

	snprintf(what, sizeof(what), "version %s", rd_kafka_version_str());
	if (rd_kafka_version() >= LIBRARY_SAFE)
		say(c, TR_FINDING_OK, TR_OK, "library librdkafka", what, "", "");
	else
		say(c, TR_FINDING_NOTE, TR_OK, "library librdkafka", what,
		    "versions before 2.5.0 have known cases of lost or repeated records after leader changes",
		    "use a build against librdkafka 2.5 or later (Debian 13, the container image)");
}

/* Redpanda answers with a cluster id of its own form. */
static void check_cluster(const checking *c, const struct rd_kafka_metadata *m)
{
	char what[320], *id = rd_kafka_clusterid(c->s->client.rk, 1000);

	snprintf(what, sizeof(what), "%d broker%s, %d topic%s, cluster id %s%s", m->broker_cnt,
		 m->broker_cnt == 1 ? "" : "s", m->topic_cnt, m->topic_cnt == 1 ? "" : "s", id ? id : "unknown",
	    id && strncmp(id, "redpanda.", 9) == 0 ? " (Redpanda)" : "");
	say(c, TR_FINDING_OK, TR_OK, "kafka", what, "", "");
	if (m->broker_cnt < c->s->options->replication) {
		snprintf(what, sizeof(what), "is %d, the cluster has %d brokers", c->s->options->replication, m->broker_cnt);
		say(c, TR_FINDING_ERROR, TR_E_SINK_TOPIC, "setting sink.topics.replication", what, "topics cannot be made",
		    "sink.topics.replication: -1 takes the broker's default");
	}
	if (id)
		rd_kafka_mem_free(c->s->client.rk, id);
}

/* Would a topic of ours be made? Asks with validate_only: right to create, partitions, replication, every topic property. */
static void check_create(const checking *c)
{
	char name[256], subject[300];
	tr_kafka_topic probe = {.name = name, .keyed = true};
	tr_err e = {0};

	if (!c->s->options->create_topics) {
		say(c, TR_FINDING_NOTE, TR_OK, "setting sink.topics.create", "is off", "topics that are missing stop the pipeline", "");
		return;
	}
	snprintf(name, sizeof(name), "%.200s.tailrace-check", c->s->options->name);
	snprintf(subject, sizeof(subject), "topics %.200s.*", c->s->options->name);
	if (tr_kafka_topics_create(&c->s->client, c->s->options, &probe, 1, true, &e) != 0) {
		say_error(c, subject, &e);
		return;
	}
	if (probe.error == RD_KAFKA_RESP_ERR_NO_ERROR || probe.error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
		say(c, TR_FINDING_OK, TR_OK, subject, "can be made", "", "");
		return;
	}
	tr_kafka_error(&e, probe.error, probe.reason, "make", "topics");
	say_error(c, subject, &e);
}

static void check_topic(const checking *c, const tr_kafka_topic *t)
{
	char subject[160], what[320], fix[512];
	const char *policy = c->s->options->cleanup_policy;
	tr_err e = {0};

	snprintf(subject, sizeof(subject), "topic %.150s", t->name);
	if (t->error != RD_KAFKA_RESP_ERR_NO_ERROR) {
		tr_kafka_error(&e, t->error, t->reason, "describe", subject);
		say(c, TR_FINDING_WARNING, e.code, subject, e.detail, "its limits cannot be read; 1,048,588 bytes are assumed for a record",
		    "kafka-acls --add --allow-principal User:U --operation DescribeConfigs --topic T");
		return;
	}
	if (t->max_message_bytes > 0 && t->max_message_bytes < c->s->client.batch_bytes) {
		snprintf(what, sizeof(what), "max.message.bytes is %d, batch.size is %d", t->max_message_bytes, c->s->client.batch_bytes);
		snprintf(fix, sizeof(fix), "sink.properties batch.size: %d", t->max_message_bytes);
		say(c, TR_FINDING_ERROR, TR_E_SINK_TOPIC, subject, what, "full requests would be refused", fix);
		return;
	}
	if (policy && t->cleanup_policy[0] && strcmp(policy, t->cleanup_policy) != 0) {
		snprintf(what, sizeof(what), "cleanup.policy is %s, configured is %s", t->cleanup_policy, policy);
		snprintf(fix, sizeof(fix), "kafka-configs --alter --entity-type topics --entity-name '%.200s' --add-config cleanup.policy=%s",
		    t->name, policy);
		say(c, TR_FINDING_WARNING, TR_E_SINK_TOPIC, subject, what, "topics that exist are used as they are", fix);
		return;
	}
	snprintf(what, sizeof(what), "exists, accepts records up to %d bytes", t->max_message_bytes);
	say(c, TR_FINDING_OK, TR_OK, subject, what, "", "");
}

/* Topics of this pipeline that are there already. */
static int check_topics(const checking *c, const struct rd_kafka_metadata *m, tr_err *err)
{
	tr_kafka_topic topics[PROBES];
	char prefix[256];
	size_t n = 0;

	snprintf(prefix, sizeof(prefix), "%.250s.", c->s->options->name);
	for (int i = 0; i < m->topic_cnt && n < PROBES; i++)
		if (strncmp(m->topics[i].topic, prefix, strlen(prefix)) == 0)
			topics[n++] = (tr_kafka_topic){.name = m->topics[i].topic};
	if (n == 0)
		return 0;
	if (tr_kafka_topics_describe(&c->s->client, topics, n, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		check_topic(c, &topics[i]);
	return 0;
}

/* An idempotent producer needs an id of the cluster, and the right to it before Kafka 2.8. It asks by itself. */
static void check_producer(const checking *c)
{
	int64_t deadline_us = tr_clock_mono_us() + 300000;
	tr_kafka_client *k = &c->s->client;

	while (tr_clock_mono_us() < deadline_us && k->fatal.code == TR_OK)
		rd_kafka_poll(k->rk, 50);
	if (k->fatal.code != TR_OK)
		say_error(c, "kafka producer", &k->fatal);
}

int tr_kafka_check(tr_kafka_sink *s, tr_finding_fn report, void *context, tr_err *err)
{
	checking c = {.s = s, .report = report, .context = context};
	const struct rd_kafka_metadata *m = NULL;
	int result;

	check_library(&c);
	if (tr_kafka_metadata(&s->client, true, &m, err) != 0)
		return -1;
	check_cluster(&c, m);
	check_producer(&c);
	check_create(&c);
	result = check_topics(&c, m, err);
	rd_kafka_metadata_destroy(m);
	return result;
}
