#include "sinks/kafka/topics.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/obj.h"

#define ADMIN_TIMEOUT_MS 5000
#define APPEAR_TRIES 20 /* a new topic takes a moment until every broker knows it */
#define APPEAR_WAIT_MS 50

static rd_kafka_AdminOptions_t *admin_options(tr_kafka_client *c, rd_kafka_admin_op_t op, bool dry)
{
	rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(c->rk, op);
	char why[128];

	rd_kafka_AdminOptions_set_request_timeout(o, ADMIN_TIMEOUT_MS, why, sizeof(why));
	if (op == RD_KAFKA_ADMIN_OP_CREATETOPICS)
		rd_kafka_AdminOptions_set_operation_timeout(o, ADMIN_TIMEOUT_MS / 2, why, sizeof(why));
	if (dry)
		rd_kafka_AdminOptions_set_validate_only(o, 1, why, sizeof(why));
	return o;
}

static tr_kafka_topic *find(tr_kafka_topic *topics, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(topics[i].name, name) == 0)
			return &topics[i];
	return NULL;
}

static void note(tr_kafka_topic *t, rd_kafka_resp_err_t error, const char *reason)
{
	t->error = error;
	snprintf(t->reason, sizeof(t->reason), "%s", reason ? reason : "");
}

/* The answer to a whole request: 1 = there are answers for each topic, 0 = none (noted in each), -1 = no word about topics. */
static int check_event(const tr_kafka_client *c, rd_kafka_event_t *event, tr_kafka_topic *topics, size_t count, const char *verb,
                       tr_err *err)
{
	rd_kafka_resp_err_t e = rd_kafka_event_error(event);

	if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
		return 1;
	/* A broker without this request: its topics are seen through the metadata alone. */
	if (e == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE) {
		for (size_t i = 0; i < count; i++)
			note(&topics[i], e, rd_kafka_event_error_string(event));
		return 0;
	}
	if (tr_kafka_code(e) == TR_E_SINK_UNAVAILABLE && c->last != RD_KAFKA_RESP_ERR_NO_ERROR)
		return tr_kafka_no_answer(c, verb, err);
	return tr_kafka_error(err, e, rd_kafka_event_error_string(event), verb, "with the brokers");
}

static void take_config(tr_kafka_topic *t, const rd_kafka_ConfigResource_t *resource)
{
	size_t n;
	const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);

	for (size_t i = 0; i < n; i++) {
		const char *name = rd_kafka_ConfigEntry_name(entries[i]), *value = rd_kafka_ConfigEntry_value(entries[i]);
		if (!value)
			continue;
		if (strcmp(name, "max.message.bytes") == 0)
			t->max_message_bytes = (int)strtol(value, NULL, 10);
		else if (strcmp(name, "cleanup.policy") == 0)
			snprintf(t->cleanup_policy, sizeof(t->cleanup_policy), "%s", value);
	}
}

int tr_kafka_topics_describe(tr_kafka_client *c, tr_kafka_topic *topics, size_t count, tr_err *err)
{
	rd_kafka_ConfigResource_t *resources[TR_KAFKA_TOPIC_CHUNK];
	rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
	rd_kafka_AdminOptions_t *options = admin_options(c, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, false);
	rd_kafka_event_t *event;
	int result = -1;

	TR_ASSERT(count <= TR_KAFKA_TOPIC_CHUNK);
	for (size_t i = 0; i < count; i++)
		resources[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topics[i].name);
	rd_kafka_DescribeConfigs(c->rk, resources, count, options, queue);
	event = tr_kafka_wait(c, queue, ADMIN_TIMEOUT_MS, "describe topics", err);
	if (event)
		result = check_event(c, event, topics, count, "describe topics", err);
	if (result == 1) {
		size_t n;
		const rd_kafka_ConfigResource_t **found =
		    rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
		for (size_t i = 0; i < n; i++) {
			tr_kafka_topic *t = find(topics, count, rd_kafka_ConfigResource_name(found[i]));
			if (!t)
				continue;
			note(t, rd_kafka_ConfigResource_error(found[i]), rd_kafka_ConfigResource_error_string(found[i]));
			take_config(t, found[i]);
		}
		result = 0;
	}
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_ConfigResource_destroy_array(resources, count);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	return result;
}

static rd_kafka_NewTopic_t *new_topic(const tr_sink_options *o, const tr_kafka_topic *t, tr_err *err)
{
	char why[256];
	rd_kafka_NewTopic_t *n =
	    rd_kafka_NewTopic_new(t->name, t->single ? 1 : o->partitions == 0 ? -1 : o->partitions,
	        o->replication == 0 ? -1 : o->replication, why, sizeof(why));

	if (!n) {
		tr_err_set(err, TR_E_SINK_TOPIC, "topic \"%s\" cannot be made", t->name);
		tr_err_detail(err, "%s", why);
		return NULL;
	}
	for (size_t i = 0; i < o->topic_property_count; i++)
		rd_kafka_NewTopic_set_config(n, o->topic_properties[i].key, o->topic_properties[i].value);
	if (o->cleanup_policy && (t->keyed || !strstr(o->cleanup_policy, "compact")))
		rd_kafka_NewTopic_set_config(n, "cleanup.policy", o->cleanup_policy);
	return n;
}

int tr_kafka_topics_create(tr_kafka_client *c, const tr_sink_options *options, tr_kafka_topic *topics, size_t count, bool dry,
                           tr_err *err)
{
	rd_kafka_NewTopic_t *wanted[TR_KAFKA_TOPIC_CHUNK];
	rd_kafka_queue_t *queue = rd_kafka_queue_new(c->rk);
	rd_kafka_AdminOptions_t *admin = admin_options(c, RD_KAFKA_ADMIN_OP_CREATETOPICS, dry);
	rd_kafka_event_t *event = NULL;
	size_t made = 0;
	int result = -1;

	TR_ASSERT(count <= TR_KAFKA_TOPIC_CHUNK);
	for (; made < count; made++) {
		wanted[made] = new_topic(options, &topics[made], err);
		if (!wanted[made])
			goto out;
	}
	rd_kafka_CreateTopics(c->rk, wanted, count, admin, queue);
	event = tr_kafka_wait(c, queue, ADMIN_TIMEOUT_MS, "make topics", err);
	if (event)
		result = check_event(c, event, topics, count, "make topics", err);
	if (result <= 0)
		goto out;
	size_t n;
	const rd_kafka_topic_result_t **results =
	    rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	for (size_t i = 0; i < n; i++) {
		tr_kafka_topic *t = find(topics, count, rd_kafka_topic_result_name(results[i]));
		if (t)
			note(t, rd_kafka_topic_result_error(results[i]), rd_kafka_topic_result_error_string(results[i]));
	}
	result = 0;
out:
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy_array(wanted, made);
	rd_kafka_AdminOptions_destroy(admin);
	rd_kafka_queue_destroy(queue);
	return result;
}

static bool missing(const tr_kafka_topic *t)
{
	return t->error == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || t->error == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
}

/* Describing is a right of its own, and a request that some brokers lack; a topic may be written without it. */
static bool hidden(const tr_kafka_topic *t)
{
	return t->error == RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE ||
	       (t->error != RD_KAFKA_RESP_ERR_NO_ERROR && tr_kafka_code(t->error) == TR_E_SINK_AUTH);
}

static int topic_error(const tr_kafka_topic *t, const char *verb, tr_err *err)
{
	char object[300];

	snprintf(object, sizeof(object), "topic \"%.260s\"", t->name);
	return tr_kafka_error(err, t->error, t->reason, verb, object);
}

/* A topic that can be neither described nor made is usable when the metadata lists its partitions. */
static int look_into_metadata(tr_kafka_client *c, tr_kafka_topic *t, tr_err *err)
{
	const struct rd_kafka_metadata *m = NULL;
	rd_kafka_topic_t *rkt = rd_kafka_topic_new(c->rk, t->name, NULL);
	rd_kafka_resp_err_t e = rkt ? rd_kafka_metadata(c->rk, 0, rkt, &m, ADMIN_TIMEOUT_MS) : rd_kafka_last_error();

	if (e == RD_KAFKA_RESP_ERR_NO_ERROR && m->topic_cnt == 1)
		e = m->topics[0].err;
	if (m)
		rd_kafka_metadata_destroy(m);
	if (rkt)
		rd_kafka_topic_destroy(rkt);
	if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
		note(t, e, NULL);
		return 0;
	}
	rd_kafka_poll(c->rk, 0);
	if (tr_kafka_code(e) == TR_E_SINK_UNAVAILABLE)
		return tr_kafka_no_answer(c, "look for topics", err);
	/* That it is unknown is no news; why it could not be made is. */
	if (tr_kafka_code(e) != TR_E_SINK_TOPIC)
		note(t, e, NULL);
	return topic_error(t, "use", err);
}

/* 1 when the controller is one of the brokers that are there. */
static int has_controller(tr_kafka_client *c, tr_err *err)
{
	const struct rd_kafka_metadata *m = NULL;
	int result = 0;

	if (tr_kafka_metadata(c, false, &m, err) != 0)
		return -1;
	int32_t id = rd_kafka_controllerid(c->rk, 0);
	for (int i = 0; i < m->broker_cnt; i++)
		result |= m->brokers[i].id == id;
	rd_kafka_metadata_destroy(m);
	return result;
}

/* Without a controller (an election, or a cluster that never names one) topics can be neither described nor made; those that
 * are there can be written. */
static int without_controller(tr_kafka_client *c, tr_kafka_topic *topics, size_t count, tr_err *err)
{
	for (size_t i = 0; i < count; i++) {
		note(&topics[i], RD_KAFKA_RESP_ERR_NOT_CONTROLLER, "the cluster has no controller now");
		if (look_into_metadata(c, &topics[i], err) != 0)
			return -1;
	}
	return 0;
}

static int missing_error(const tr_kafka_topic *t, tr_err *err)
{
	tr_err_set(err, TR_E_SINK_TOPIC, "topic \"%s\" does not exist", t->name);
	tr_err_detail(err, "sink.topics.create is off");
	return tr_err_hint(err, "kafka-topics --create --topic '%s' --partitions N, or set sink.topics.create: true", t->name);
}

/* Makes those that are missing (or cannot be seen), one request. */
static int make_missing(tr_kafka_client *c, const tr_sink_options *o, tr_kafka_topic *topics, size_t count, bool *made, tr_err *err)
{
	tr_kafka_topic wanted[TR_KAFKA_TOPIC_CHUNK];
	size_t n = 0;

	*made = false;
	for (size_t i = 0; i < count; i++) {
		if (missing(&topics[i]) && !o->create_topics)
			return missing_error(&topics[i], err);
		if (o->create_topics && (missing(&topics[i]) || hidden(&topics[i])))
			wanted[n++] = topics[i];
	}
	if (n == 0)
		return 0;
	if (tr_kafka_topics_create(c, o, wanted, n, false, err) != 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		tr_kafka_topic *t = find(topics, count, wanted[i].name);
		if (wanted[i].error == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			note(&wanted[i], RD_KAFKA_RESP_ERR_NO_ERROR, NULL);
		note(t, wanted[i].error, wanted[i].reason);
		if (t->error != RD_KAFKA_RESP_ERR_NO_ERROR && !hidden(t))
			return topic_error(t, "make", err);
		if (t->error == RD_KAFKA_RESP_ERR_NO_ERROR) {
			tr_log(TR_LOG_INFO, c->pipeline, "kafka.topic", "topic \"%s\" is ready", t->name);
			*made = true;
		}
	}
	return 0;
}

/* The limits of topics that were just made; what cannot be read stays unknown. */
static int describe_new(tr_kafka_client *c, tr_kafka_topic *topics, size_t count, tr_err *err)
{
	for (int i = 0; i < APPEAR_TRIES; i++) {
		bool all = true;
		if (tr_kafka_topics_describe(c, topics, count, err) != 0)
			return -1;
		for (size_t k = 0; k < count; k++)
			all = all && !missing(&topics[k]);
		if (all)
			return 0;
		tr_clock_sleep_ms(APPEAR_WAIT_MS);
	}
	return 0;
}

static void compare_policy(const tr_kafka_client *c, const tr_sink_options *o, const tr_kafka_topic *t)
{
	if (o->cleanup_policy && t->keyed && t->cleanup_policy[0] && strcmp(o->cleanup_policy, t->cleanup_policy) != 0)
		tr_log(TR_LOG_WARN, c->pipeline, "kafka.topic.policy", "topic \"%s\" has cleanup.policy %s, configured is %s", t->name,
		    t->cleanup_policy, o->cleanup_policy);
}

/* Made, but no broker shows it: on a busy cluster that takes its time, and passes. */
static int not_there_yet(tr_kafka_topic *t, tr_err *err)
{
	note(t, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "the new topic is not there yet");
	return topic_error(t, "use", err);
}

int tr_kafka_topics_ensure(tr_kafka_client *c, const tr_sink_options *options, tr_kafka_topic *topics, size_t count, tr_err *err)
{
	bool made;
	int controller = has_controller(c, err);

	if (controller < 0)
		return -1;
	if (controller == 0)
		return without_controller(c, topics, count, err);
	if (tr_kafka_topics_describe(c, topics, count, err) != 0 || make_missing(c, options, topics, count, &made, err) != 0)
		return -1;
	if (made && describe_new(c, topics, count, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		tr_kafka_topic *t = &topics[i];
		if (hidden(t) || missing(t)) {
			if (look_into_metadata(c, t, err) != 0)
				return made && missing(t) ? not_there_yet(t, err) : -1;
		} else if (t->error != RD_KAFKA_RESP_ERR_NO_ERROR) {
			return topic_error(t, "use", err);
		}
		compare_policy(c, options, t);
	}
	return 0;
}
