/* The topics that stand for the pipelines: one partition, no records, so nothing about them but being there matters. */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "fleet/internal.h"

#define ADMIN_MS 10000
#define APPEAR_TRIES 50 /* a new topic takes a moment until every broker knows it */
#define APPEAR_WAIT_MS 100

static bool is_there(const struct rd_kafka_metadata *m, const char *topic)
{
	for (int i = 0; i < m->topic_cnt; i++)
		if (strcmp(m->topics[i].topic, topic) == 0)
			return m->topics[i].err == RD_KAFKA_RESP_ERR_NO_ERROR && m->topics[i].partition_cnt > 0;
	return false;
}

/* The names that the cluster does not have. */
static int missing(tr_fleet *f, const char **names, size_t *count, tr_err *err)
{
	const struct rd_kafka_metadata *m;

	*count = 0;
	if (tr_kafka_metadata(&f->client, true, &m, err) != 0)
		return -1;
	for (size_t i = 0; i < f->options->count; i++)
		if (!is_there(m, f->seats[i].topic))
			names[(*count)++] = f->seats[i].topic;
	rd_kafka_metadata_destroy(m);
	return 0;
}

static int check_made(const rd_kafka_event_t *event, tr_err *err)
{
	size_t n = 0;
	const rd_kafka_topic_result_t **results =
	    rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result((rd_kafka_event_t *)(uintptr_t)event), &n);

	for (size_t i = 0; i < n; i++) {
		rd_kafka_resp_err_t e = rd_kafka_topic_result_error(results[i]);
		char object[300];

		/* Another instance was quicker. */
		if (e == RD_KAFKA_RESP_ERR_NO_ERROR || e == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
			continue;
		snprintf(object, sizeof(object), "topic \"%s\" of the fleet", rd_kafka_topic_result_name(results[i]));
		return tr_kafka_error(err, e, rd_kafka_topic_result_error_string(results[i]), "make", object);
	}
	return 0;
}

static int make(tr_fleet *f, const char *const *names, size_t count, tr_err *err)
{
	rd_kafka_NewTopic_t **topics = calloc(count, sizeof(*topics));
	rd_kafka_queue_t *queue = rd_kafka_queue_new(f->client.rk);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(f->client.rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_event_t *event = NULL;
	size_t made = 0;
	char why[256] = "";
	int result = -1;

	if (!topics) {
		tr_err_set(err, TR_E_MEMORY, "out of memory for %zu topics", count);
		goto out;
	}
	for (; made < count; made++) {
		topics[made] = rd_kafka_NewTopic_new(names[made], 1, f->options->replication > 0 ? f->options->replication : -1, why,
		    sizeof(why));
		if (!topics[made]) {
			tr_kafka_error(err, RD_KAFKA_RESP_ERR_INVALID_CONFIG, why, "make", names[made]);
			goto out;
		}
	}
	rd_kafka_AdminOptions_set_request_timeout(options, ADMIN_MS, why, sizeof(why));
	rd_kafka_AdminOptions_set_operation_timeout(options, ADMIN_MS / 2, why, sizeof(why));
	rd_kafka_CreateTopics(f->client.rk, topics, count, options, queue);
	event = tr_kafka_wait(&f->client, queue, ADMIN_MS, "make the fleet's topics", err);
	if (!event)
		goto out;
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		tr_kafka_error(err, rd_kafka_event_error(event), rd_kafka_event_error_string(event), "make", "the fleet's topics");
	else
		result = check_made(event, err);
out:
	if (event)
		rd_kafka_event_destroy(event);
	rd_kafka_NewTopic_destroy_array(topics, made);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_queue_destroy(queue);
	free(topics);
	return result;
}

int tr_fleet_topics(tr_fleet *f, tr_err *err)
{
	const char **names = calloc(f->options->count, sizeof(*names));
	size_t count = 0;
	int result = names ? missing(f, names, &count, err) : tr_err_set(err, TR_E_MEMORY, "out of memory for the fleet's topics");

	if (result == 0 && count > 0)
		result = make(f, names, count, err);
	if (result == 0 && count > 0)
		tr_log(TR_LOG_INFO, NULL, "fleet.topics", "%zu topics were made for group \"%s\"", count, f->group);
	for (int i = 0; i < APPEAR_TRIES && result == 0 && count > 0 && !f->leave; i++) {
		tr_clock_sleep_ms(APPEAR_WAIT_MS);
		result = missing(f, names, &count, err);
	}
	if (result == 0 && count > 0)
		result = tr_kafka_error(err, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, "the new topics are not there yet", "use", names[0]);
	free(names);
	return result;
}
