/* The topic: made as it has to be, and looked at each time before anything is read from it or written to it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "state/kafka/kafka.h"

#define ADMIN_TIMEOUT_MS 5000
#define METADATA_TIMEOUT_MS 2000
#define APPEAR_TRIES 40 /* a new topic takes a moment until every broker knows it */
#define APPEAR_WAIT_MS 50

/* Small segments: only closed ones are compacted, and what is left is read at each start. */
static const tr_property settings[] = {
	{"cleanup.policy", "compact"}, /* the first: the one without which there is no state */
	{"segment.bytes", "8388608"},
	{"segment.ms", "3600000"},
	{"min.cleanable.dirty.ratio", "0.1"},
	/* Of no effect with this policy, until somebody changes that. */
	{"retention.ms", "-1"},
	{"retention.bytes", "-1"},
};

static int policy_error(const tr_sk_store *s, const char *policy, tr_err *err)
{
	tr_err_set(err, TR_E_SINK_TOPIC, "topic \"%s\" would lose the state: its cleanup.policy is \"%s\"", s->topic, policy);
	tr_err_detail(err, "the state of a pipeline has to stay for as long as there is no newer one: cleanup.policy has to be compact, "
	                   "and nothing else");
	return tr_err_hint(err, "kafka-configs --alter --entity-type topics --entity-name '%s' --add-config cleanup.policy=compact; or "
	                        "another topic in state.url. Nothing was written.", s->topic);
}

static int check_policy(const tr_sk_store *s, const rd_kafka_ConfigResource_t *resource, tr_err *err)
{
	size_t n;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);

	for (size_t i = 0; i < n; i++) {
		const char *name = rd_kafka_ConfigEntry_name(entries[i]), *value = rd_kafka_ConfigEntry_value(entries[i]);
		if (!value)
			continue;
		if (strcmp(name, "cleanup.policy") == 0 && strcmp(value, "compact") != 0)
			return policy_error(s, value, err);
	}
	return 0;
}

/* An answer about the topic's configuration that is an error. */
static int no_config(const tr_sk_store *s, rd_kafka_resp_err_t e, const char *reason, tr_err *err)
{
	/* Brokers so old, or a reader that only looks: what they hold is used as it is. */
	bool unknown = e == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE;

	if (unknown || (s->options.read_only && tr_kafka_code(e) == TR_E_SINK_AUTH)) {
		tr_log(TR_LOG_WARN, s->options.pipeline, "state.topic", "the settings of topic \"%s\" cannot be seen: %s", s->topic,
		    reason ? reason : rd_kafka_err2str(e));
		return 0;
	}
	return tr_sk_error(s, e, reason, "check the settings of", err);
}

static int check_answer(const tr_sk_store *s, rd_kafka_event_t *event, tr_err *err)
{
	size_t n = 0;

	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return no_config(s, rd_kafka_event_error(event), rd_kafka_event_error_string(event), err);
	const rd_kafka_ConfigResource_t **found =
	    rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
	if (n != 1)
		return tr_sk_error(s, RD_KAFKA_RESP_ERR__BAD_MSG, "no answer about the topic", "check the settings of", err);
	if (rd_kafka_ConfigResource_error(found[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return no_config(s, rd_kafka_ConfigResource_error(found[0]), rd_kafka_ConfigResource_error_string(found[0]), err);
	return check_policy(s, found[0], err);
}

static rd_kafka_AdminOptions_t *admin_options(tr_sk_store *s, rd_kafka_admin_op_t op)
{
	rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(s->client.rk, op);
	char why[128];

	rd_kafka_AdminOptions_set_request_timeout(o, ADMIN_TIMEOUT_MS, why, sizeof(why));
	if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS)
		rd_kafka_AdminOptions_set_operation_timeout(o, ADMIN_TIMEOUT_MS / 2, why, sizeof(why));
	return o;
}

static int check_settings(tr_sk_store *s, tr_err *err)
{
	/* An election, or a cluster that never names one: what is there can be read and written all the same. */
	if (!s->controller) {
		tr_log(TR_LOG_WARN, s->options.pipeline, "state.topic", "the settings of topic \"%s\" cannot be seen: the cluster has no "
		       "controller now", s->topic);
		return 0;
	}
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, s->topic);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(s->client.rk);
	rd_kafka_AdminOptions_t *options = admin_options(s, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);

	rd_kafka_DescribeConfigs(s->client.rk, &resource, 1, options, queue);
	rd_kafka_event_t *event = tr_kafka_wait(&s->client, queue, ADMIN_TIMEOUT_MS * 2, "talk about the state topic", err);
	int result = event ? check_answer(s, event, err) : tr_sk_hint(s, err);
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy(resource);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	return result;
}

static void check_replicas(const tr_sk_store *s, const struct rd_kafka_metadata *m)
{
	const rd_kafka_metadata_topic_t *t = &m->topics[0];
	int wanted = s->options.replication > 0 ? s->options.replication : m->broker_cnt >= 2 ? 2 : 1;

	for (int i = 0; i < t->partition_cnt && !s->options.read_only; i++) {
		if (t->partitions[i].replica_cnt >= wanted)
			continue;
		tr_log(TR_LOG_WARN, s->options.pipeline, "state.topic", "partition %d of topic \"%s\" is on %d of %d brokers: the state is no "
		       "safer than these (kafka-reassign-partitions adds replicas)", (int)t->partitions[i].id, s->topic,
		    t->partitions[i].replica_cnt, m->broker_cnt);
		return;
	}
}

static bool has_controller(const tr_sk_store *s, const struct rd_kafka_metadata *m)
{
	int32_t id = rd_kafka_controllerid(s->client.rk, 0);

	for (int i = 0; i < m->broker_cnt; i++)
		if (m->brokers[i].id == id)
			return true;
	return false;
}

/* 1 when it is there, 0 when not. */
static int look(tr_sk_store *s, tr_err *err)
{
	const struct rd_kafka_metadata *m = NULL;
	rd_kafka_resp_err_t e = rd_kafka_metadata(s->client.rk, 0, s->rkt, &m, METADATA_TIMEOUT_MS);
	int result = -1;

	rd_kafka_poll(s->client.rk, 0);
	if (e != RD_KAFKA_RESP_ERR_NO_ERROR) {
		/* What the brokers said about the login is better news than that nobody answered. */
		if (tr_kafka_code(e) == TR_E_SINK_UNAVAILABLE) {
			tr_kafka_no_answer(&s->client, "talk about the state", err);
			return tr_sk_hint(s, err);
		}
		return tr_sk_error(s, e, NULL, "look for", err);
	}
	e = m->topic_cnt == 1 ? m->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (e == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
		result = 0;
	} else if (e != RD_KAFKA_RESP_ERR_NO_ERROR) {
		tr_sk_error(s, e, NULL, "look for", err);
	} else if (m->topics[0].partition_cnt > TR_SK_PARTITIONS_MAX) {
		tr_err_set(err, TR_E_SINK_TOPIC, "topic \"%s\" has more than %d partitions", s->topic, TR_SK_PARTITIONS_MAX);
		tr_err_hint(err, "The state needs one: give another topic in state.url. Nothing was written.");
	} else {
		s->partitions = m->topics[0].partition_cnt;
		s->controller = has_controller(s, m);
		check_replicas(s, m);
		result = 1;
	}
	rd_kafka_metadata_destroy(m);
	return result;
}

/* Sends one request; the error of the topic goes to *topic_error. */
static int create(tr_sk_store *s, size_t setting_count, rd_kafka_resp_err_t *topic_error, tr_err *err)
{
	char why[256] = "";
	rd_kafka_NewTopic_t *topic =
	    rd_kafka_NewTopic_new(s->topic, 1, s->options.replication > 0 ? s->options.replication : -1, why, sizeof(why));
	rd_kafka_event_t *event = NULL;
	int result = -1;

	if (!topic)
		return tr_sk_error(s, RD_KAFKA_RESP_ERR_INVALID_CONFIG, why, "make", err);
	for (size_t i = 0; i < setting_count; i++)
		rd_kafka_NewTopic_set_config(topic, settings[i].key, settings[i].value);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(s->client.rk);
	rd_kafka_AdminOptions_t *options = admin_options(s, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_CreateTopics(s->client.rk, &topic, 1, options, queue);
	event = tr_kafka_wait(&s->client, queue, ADMIN_TIMEOUT_MS * 2, "talk about a topic for the state", err);
	if (!event) {
		tr_sk_hint(s, err);
	} else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		tr_sk_error(s, rd_kafka_event_error(event), rd_kafka_event_error_string(event), "make", err);
	} else {
		size_t n = 0;
		const rd_kafka_topic_result_t **r = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
		*topic_error = n == 1 ? rd_kafka_topic_result_error(r[0]) : RD_KAFKA_RESP_ERR__BAD_MSG;
		result = 0;
		if (*topic_error != RD_KAFKA_RESP_ERR_NO_ERROR)
			tr_sk_error(s, *topic_error, n == 1 ? rd_kafka_topic_result_error_string(r[0]) : NULL, "make", err);
	}
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy(topic);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	return result;
}

static int make(tr_sk_store *s, tr_err *err)
{
	rd_kafka_resp_err_t e;

	if (create(s, sizeof(settings) / sizeof(settings[0]), &e, err) != 0)
		return -1;
	/* Services may allow less; compaction is what it cannot do without. */
	if ((e == RD_KAFKA_RESP_ERR_INVALID_CONFIG || e == RD_KAFKA_RESP_ERR_POLICY_VIOLATION) && create(s, 1, &e, err) != 0)
		return -1;
	if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
		tr_log(TR_LOG_INFO, s->options.pipeline, "state.topic", "topic \"%s\" was made for the state", s->topic);
	return e == RD_KAFKA_RESP_ERR_NO_ERROR || e == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS ? 0 : -1;
}

int tr_sk_topic_open(tr_sk_store *s, tr_err *err)
{
	int found = look(s, err);

	s->missing = found == 0 && s->options.read_only;
	if (found < 0 || s->missing)
		return found;
	/* It was there before: made anew it would say that there never was a state. */
	if (found == 0 && s->was_there)
		return tr_sk_error(s, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, "it was there, and was removed", "find", err);
	if (found == 0 && make(s, err) != 0)
		return -1;
	for (int i = 0; i < APPEAR_TRIES && found == 0; i++) {
		tr_clock_sleep_ms(APPEAR_WAIT_MS);
		found = look(s, err);
	}
	if (found == 0)
		return tr_sk_error(s, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "the new topic is not there yet", "use", err);
	if (found < 0 || check_settings(s, err) != 0)
		return -1;
	s->was_there = true;
	return 0;
}
