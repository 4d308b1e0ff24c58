#include "sinks/kafka/client.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "core/clock.h"
#include "core/log.h"

#define METADATA_TIMEOUT_MS 5000
#define METADATA_SLICE_MS 500

/* The byte limit of the queue is
 * opened: its bytes are ours and bounded by the batches; what librdkafka itself holds is bounded by the message count.
 * message.max.bytes is opened too: the sink compares with each topic's own limit. */
static const tr_property defaults[] = {
	{"enable.idempotence", "true"},
	{"enable.gapless.guarantee", "true"},
	{"acks", "all"},
	{"message.timeout.ms", "0"},
	{"partitioner", "murmur2_random"},
	/* A request is begun when poll flushes (kafka.h), so this is longer than any request takes: while records that are due
	 * wait behind one, librdkafka's thread polls without pause. */
	{"linger.ms", "1000"},
	{"batch.num.messages", "1000000"},
	{"queue.buffering.max.kbytes", "2147483647"},
	{"message.max.bytes", "1000000000"},
	{"allow.auto.create.topics", "false"},
	{"log.connection.close", "false"},
	{"socket.keepalive.enable", "true"},
	{"reconnect.backoff.max.ms", "1000"}, /* its 10 s would be added to each outage */
};

/* What the guarantees stand on: the value in force after the user's properties has to be this one. */
static const struct {
	const char *key, *value, *why;
} guarantees[] = {
	{"enable.idempotence", "true", "without it a retry can change the order or write twice"},
	{"enable.gapless.guarantee", "true", "without it a record that fails is skipped and later ones are written"},
	{"acks", "-1", "an event is delivered when all in-sync replicas have it (acks=all)"},
	{"message.timeout.ms", "0", "an outage of the brokers, however long, must not fail events"},
	{"delivery.report.only.error", "false", "a position is stored only after the report of every delivery"},
	{"queuing.strategy", "fifo", "events of a key stay in order"},
	{"allow.auto.create.topics", "false", "topics are made with the configured partitions and policies, or not at all"},
	{"transactional.id", "", "it is set by tailrace itself"},
};

/* Keys that mean something else here. */
static const struct {
	const char *key, *instead;
} elsewhere[] = {
	{"bootstrap.servers", "sink.url"},
	{"metadata.broker.list", "sink.url"},
};

tr_err_code tr_kafka_code(rd_kafka_resp_err_t e)
{
	switch (e) {
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR__SSL:
	case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
	case RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM:
	case RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED:
		return TR_E_SINK_AUTH;
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_INVALID_PARTITIONS:
	case RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR:
	case RD_KAFKA_RESP_ERR_INVALID_REPLICA_ASSIGNMENT:
	case RD_KAFKA_RESP_ERR_INVALID_CONFIG:
	case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
	case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
		return TR_E_SINK_TOPIC;
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
		return TR_E_RECORD_OVERSIZE;
	case RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT:
		return TR_E_SINK_CONFIG;
	case RD_KAFKA_RESP_ERR__FENCED:
	case RD_KAFKA_RESP_ERR_PRODUCER_FENCED:
	case RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH:
		return TR_E_SINK_FENCED;
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__RESOLVE:
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
	case RD_KAFKA_RESP_ERR__WAIT_COORD:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION: /* brokers have told of the topic, but not yet of all of it */
	case RD_KAFKA_RESP_ERR__NODE_UPDATE:
	case RD_KAFKA_RESP_ERR__DESTROY:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
	case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
	case RD_KAFKA_RESP_ERR_BROKER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
	case RD_KAFKA_RESP_ERR_NOT_CONTROLLER:
	case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
	case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
	case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS:
	case RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
	case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR:
	case RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED:
		return TR_E_SINK_UNAVAILABLE;
	default:
		return TR_E_SINK_FATAL;
	}
}

/* Its SCRAM proof has the client's nonce twice, which brokers let pass until they were mended in 2024 (CVE-2024-56128). */
#define SCRAM_MENDED 0x020601ff

static const char *hint_of(tr_err_code code, const char *reason)
{
	switch (code) {
	case TR_E_SINK_AUTH:
		if (reason && strstr(reason, "SCRAM") && rd_kafka_version() < SCRAM_MENDED)
			return "Check user and password. If both are right, it is this librdkafka: before 2.6.1 its SCRAM logins fail at "
			       "Kafka 4 and the last 3.x. Use a newer one (Debian 13 has 2.8), or sasl.mechanisms PLAIN with TLS. Nothing "
			       "is lost: positions move only with deliveries.";
		return "Check security.protocol, sasl.* and ssl.* in sink.properties, and the ACLs of that user: it needs Describe and "
		       "Write on the topics, Create on topics or the cluster to make them, DescribeConfigs to read their limits. "
		       "Nothing is lost: positions move only with deliveries.";
	case TR_E_SINK_TOPIC:
		return "Mend the topic or sink.topics, then start again: tailrace goes on from the last durable position.";
	case TR_E_RECORD_OVERSIZE:
		return "Raise max.message.bytes of the topic, or set sink.oversize: dead_letter. Nothing after it was stored as done.";
	case TR_E_SINK_CONFIG:
		return "Set transaction.timeout to no more than the brokers' transaction.max.timeout.ms, or raise theirs. Nothing is lost.";
	case TR_E_SINK_FENCED:
		return "See that only one instance runs this pipeline, then start again.";
	case TR_E_SINK_UNAVAILABLE:
		return "tailrace tries again by itself; nothing is lost. Check sink.url and the brokers.";
	default:
		return "Start again: tailrace goes on from the last durable position. If it comes back, look at the broker's log.";
	}
}

int tr_kafka_error(tr_err *err, rd_kafka_resp_err_t e, const char *reason, const char *verb, const char *object)
{
	tr_err_code code = tr_kafka_code(e);

	tr_err_set(err, code, "could not %s %s", verb, object);
	if (reason && reason[0] && strcmp(reason, rd_kafka_err2str(e)) != 0)
		tr_err_detail(err, "%s (%s)", reason, rd_kafka_err2name(e));
	else
		tr_err_detail(err, "%s (%s)", rd_kafka_err2str(e), rd_kafka_err2name(e));
	return tr_err_hint(err, "%s", hint_of(code, reason));
}

int tr_kafka_no_answer(const tr_kafka_client *c, const char *verb, tr_err *err)
{
	char object[600];

	snprintf(object, sizeof(object), "with brokers \"%s\"", c->brokers);
	if (c->last != RD_KAFKA_RESP_ERR_NO_ERROR)
		return tr_kafka_error(err, c->last, c->last_text, verb, object);
	return tr_kafka_error(err, RD_KAFKA_RESP_ERR__TIMED_OUT, "no answer in time", verb, object);
}

/* error_cb: a state of the client, not of a record. Served in the polling thread. */
static void on_error(rd_kafka_t *rk, int e, const char *reason, void *opaque)
{
	tr_kafka_client *c = opaque;
	char text[512];

	(void)rk;
	if (e == RD_KAFKA_RESP_ERR__FATAL) {
		rd_kafka_resp_err_t why = rd_kafka_fatal_error(c->rk, text, sizeof(text));
		tr_kafka_error(&c->fatal, why, text, "go on", "producing");
		c->fatal_since_us = tr_clock_mono_us();
		return;
	}
	/* "all down" follows from what was said before: the cause is better news. */
	if (e != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || c->last == RD_KAFKA_RESP_ERR_NO_ERROR) {
		c->last = (rd_kafka_resp_err_t)e;
		snprintf(c->last_text, sizeof(c->last_text), "%s", reason);
	}
	if (tr_kafka_code(e) == TR_E_SINK_AUTH && c->refused_since_us == 0)
		c->refused_since_us = tr_clock_mono_us();
	if (e == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN && !c->unreachable) {
		c->unreachable = true;
		tr_log(TR_LOG_WARN, c->pipeline, "kafka.unreachable", "no broker of \"%s\" can be reached: %s; trying on", c->brokers,
		    c->last_text);
	}
}

void tr_kafka_client_back(tr_kafka_client *c)
{
	if (c->unreachable)
		tr_log(TR_LOG_INFO, c->pipeline, "kafka.reachable", "brokers of \"%s\" answer again", c->brokers);
	c->unreachable = false;
	c->refused_since_us = 0;
	c->last = RD_KAFKA_RESP_ERR_NO_ERROR;
	c->last_text[0] = '\0';
}

/* Any thread of librdkafka. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	const tr_kafka_client *c = rd_kafka_opaque(rk);

	(void)level;
	tr_log(TR_LOG_DEBUG, c ? c->pipeline : NULL, "kafka.client", "%s: %s", facility, text);
}

static int set(rd_kafka_conf_t *conf, const char *key, const char *value, tr_err *err)
{
	char why[512];

	if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
		return 0;
	tr_err_set(err, TR_E_SINK_CONFIG, "property \"%s\" of the Kafka sink is not valid", key);
	tr_err_detail(err, "%s", why);
	return tr_err_hint(err, "sink.properties takes librdkafka's names (its CONFIGURATION.md lists them). Nothing was sent.");
}

/* kafka://a:9092,b:9092/ */
static int set_brokers(tr_kafka_client *c, rd_kafka_conf_t *conf, const char *url, tr_err *err)
{
	const char *hosts = strchr(url, ':');
	size_t len;

	hosts = hosts ? hosts + 1 : "";
	if (strncmp(hosts, "//", 2) == 0)
		hosts += 2;
	len = strcspn(hosts, "/?#");
	if (len == 0 || len >= sizeof(c->brokers) || memchr(hosts, '@', len)) {
		tr_err_set(err, TR_E_SINK_CONFIG, "sink \"%s\" names no brokers", memchr(hosts, '@', len) ? "kafka://…" : url);
		return tr_err_hint(err, "kafka://HOST:PORT[,HOST:PORT...]; the login goes into sink.properties (sasl.username, "
		                        "sasl.password).");
	}
	snprintf(c->brokers, sizeof(c->brokers), "%.*s", (int)len, hosts);
	return set(conf, "bootstrap.servers", c->brokers, err);
}

static int set_properties(rd_kafka_conf_t *conf, const tr_kafka_options *o, tr_err *err)
{
	for (size_t i = 0; i < o->property_count; i++) {
		for (size_t k = 0; k < sizeof(elsewhere) / sizeof(elsewhere[0]); k++)
			if (strcmp(o->properties[i].key, elsewhere[k].key) == 0)
				return tr_err_set(err, TR_E_SINK_CONFIG, "property \"%s\" of the Kafka sink is given by %s",
				    elsewhere[k].key, elsewhere[k].instead);
		if (set(conf, o->properties[i].key, o->properties[i].value, err) != 0)
			return -1;
	}
	return 0;
}

static int get(const rd_kafka_conf_t *conf, const char *key, char *out, size_t size)
{
	out[0] = '\0';
	return rd_kafka_conf_get(conf, key, out, &size) == RD_KAFKA_CONF_OK ? 0 : -1;
}

/* Asked of librdkafka, so every alias and spelling of a value is covered. */
static int check_guarantees(const rd_kafka_conf_t *conf, tr_err *err)
{
	char value[128];

	for (size_t i = 0; i < sizeof(guarantees) / sizeof(guarantees[0]); i++) {
		if (get(conf, guarantees[i].key, value, sizeof(value)) != 0 || strcasecmp(value, guarantees[i].value) == 0)
			continue;
		tr_err_set(err, TR_E_SINK_CONFIG, "property \"%s\" of the Kafka sink cannot be \"%s\"", guarantees[i].key, value);
		tr_err_detail(err, "%s", guarantees[i].why);
		return tr_err_hint(err, "Leave it out of sink.properties.");
	}
	return 0;
}

static int get_int(const rd_kafka_conf_t *conf, const char *key)
{
	char value[64];

	return get(conf, key, value, sizeof(value)) == 0 ? (int)strtol(value, NULL, 10) : 0;
}

static bool user_sets(const tr_kafka_options *o, const char *key)
{
	for (size_t i = 0; i < o->property_count; i++)
		if (strcmp(o->properties[i].key, key) == 0)
			return true;
	return false;
}

static int set_int(rd_kafka_conf_t *conf, const char *key, int value, tr_err *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%d", value);
	return set(conf, key, text, err);
}

static int set_ours(rd_kafka_conf_t *conf, const tr_kafka_options *o, tr_err *err)
{
	char text[256];

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (set(conf, defaults[i].key, defaults[i].value, err) != 0)
			return -1;
	if (o->max_messages > 0 && set_int(conf, "queue.buffering.max.messages", o->max_messages, err) != 0)
		return -1;
	snprintf(text, sizeof(text), o->pipeline ? "tailrace-%.240s" : "tailrace", o->pipeline);
	return set(conf, "client.id", text, err);
}

/* What no property of the user's may change. */
static int set_fixed(rd_kafka_conf_t *conf, const tr_kafka_options *o, tr_err *err)
{
	/* A transaction that fails is taken back as a whole: what is purged by that is no gap, and must not end the producer. */
	if (o->transactional_id && (set(conf, "transactional.id", o->transactional_id, err) != 0 ||
	                               set(conf, "enable.gapless.guarantee", "false", err) != 0))
		return -1;
	if (o->transaction_timeout_ms > 0 && set_int(conf, "transaction.timeout.ms", o->transaction_timeout_ms, err) != 0)
		return -1;
	for (size_t i = 0; i < o->fixed_count; i++)
		if (set(conf, o->fixed[i].key, o->fixed[i].value, err) != 0)
			return -1;
	return 0;
}

static int configure(tr_kafka_client *c, rd_kafka_conf_t *conf, const tr_kafka_options *o, tr_err *err)
{
	if (set_ours(conf, o, err) != 0 || set_brokers(c, conf, o->url, err) != 0 || set_properties(conf, o, err) != 0 ||
	    check_guarantees(conf, err) != 0 || set_fixed(conf, o, err) != 0)
		return -1;
	c->max_messages = get_int(conf, "queue.buffering.max.messages");
	c->max_message_bytes = user_sets(o, "message.max.bytes") ? get_int(conf, "message.max.bytes") : 0;
	c->batch_bytes = get_int(conf, "batch.size");
	rd_kafka_conf_set_opaque(conf, c);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_log_cb(conf, on_log);
	if (o->delivered)
		rd_kafka_conf_set_dr_msg_cb(conf, o->delivered);
	if (o->rebalance)
		rd_kafka_conf_set_rebalance_cb(conf, o->rebalance);
	return 0;
}

int tr_kafka_client_open(tr_kafka_client *c, const tr_kafka_options *options, tr_err *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char why[512];

	*c = (tr_kafka_client){.pipeline = options->pipeline, .stop_flag = options->stop};
	if (configure(c, conf, options, err) != 0) {
		rd_kafka_conf_destroy(conf);
		return -1;
	}
	c->rk = rd_kafka_new(options->consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (c->rk)
		return 0;
	rd_kafka_conf_destroy(conf);
	tr_err_set(err, TR_E_SINK_CONFIG, "the properties of the Kafka sink do not fit together");
	return tr_err_detail(err, "%s", why);
}

void tr_kafka_client_close(tr_kafka_client *c)
{
	if (!c->rk)
		return;
	/* Reports of what is purged are served by nobody: the caller forgets its batches after this. */
	if (rd_kafka_type(c->rk) == RD_KAFKA_PRODUCER)
		rd_kafka_purge(c->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	rd_kafka_destroy(c->rk);
	c->rk = NULL;
}

void tr_kafka_client_interrupt(tr_kafka_client *c)
{
	atomic_store(&c->stop, true);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_main(c->rk);
	rd_kafka_queue_yield(queue);
	rd_kafka_queue_destroy(queue);
}

rd_kafka_event_t *tr_kafka_wait(tr_kafka_client *c, rd_kafka_queue_t *queue, int timeout_ms, const char *verb, tr_err *err)
{
	int64_t deadline_us = tr_clock_mono_us() + (int64_t)timeout_ms * 1000;

	while (!tr_kafka_stopped(c)) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 50);
		if (event)
			return event;
		rd_kafka_poll(c->rk, 0);
		/* A refused login does not get better by waiting. */
		if (tr_clock_mono_us() > deadline_us || c->refused_since_us != 0) {
			tr_kafka_no_answer(c, verb, err);
			return NULL;
		}
	}
	tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
	return NULL;
}

int tr_kafka_metadata(tr_kafka_client *c, bool all_topics, const struct rd_kafka_metadata **out, tr_err *err)
{
	int64_t deadline_us = tr_clock_mono_us() + (int64_t)METADATA_TIMEOUT_MS * 1000;

	/* In slices, so that what the brokers answered to the login is heard. */
	do {
		rd_kafka_resp_err_t e = rd_kafka_metadata(c->rk, all_topics, NULL, out, METADATA_SLICE_MS);
		rd_kafka_poll(c->rk, 0);
		if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
			return 0;
		if (tr_kafka_stopped(c))
			return tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
	} while (tr_clock_mono_us() < deadline_us && c->refused_since_us == 0);
	return tr_kafka_no_answer(c, "talk", err);
}
