/* Who owns what, as the group's coordinator tells it: asked for in the fleet's thread, kept for whoever wants to know. */
#include <stdio.h>

#include "core/clock.h"
#include "core/text.h"
#include "fleet/internal.h"

#define LOOK_MAX_US (2 * 1000000)
#define REQUEST_MS 5000

/* Several times within the session timeout, since it also tells that we still belong to the group. */
static int64_t look_every_us(const tr_fleet *f)
{
	int64_t us = (int64_t)f->options->session_timeout_ms * 1000 / 6;

	return us < LOOK_MAX_US ? us : LOOK_MAX_US;
}

static void ask(tr_fleet *f, int64_t now_us)
{
	const char *groups[] = {f->group};
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(f->client.rk, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
	char why[128];

	rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, why, sizeof(why));
	rd_kafka_DescribeConsumerGroups(f->client.rk, groups, 1, options, f->answers);
	rd_kafka_AdminOptions_destroy(options);
	f->asked = true;
	f->asked_us = now_us;
}

static bool is_us(const tr_fleet *f, const rd_kafka_MemberDescription_t *member)
{
	const char *id = rd_kafka_MemberDescription_consumer_id(member);
	char *ours = rd_kafka_memberid(f->client.rk);
	bool same = id && ours && ours[0] && strcmp(id, ours) == 0;

	if (ours)
		rd_kafka_mem_free(f->client.rk, ours);
	return same;
}

/* Under the lock. */
static void note_member(tr_fleet *f, const rd_kafka_MemberDescription_t *member)
{
	const rd_kafka_MemberAssignment_t *assignment = rd_kafka_MemberDescription_assignment(member);
	const rd_kafka_topic_partition_list_t *parts = assignment ? rd_kafka_MemberAssignment_partitions(assignment) : NULL;
	const char *name = rd_kafka_MemberDescription_client_id(member), *host = rd_kafka_MemberDescription_host(member);

	for (int p = 0; parts && p < parts->cnt; p++)
		for (size_t i = 0; i < f->options->count; i++)
			if (parts->elems[p].partition == 0 && strcmp(parts->elems[p].topic, f->seats[i].topic) == 0) {
				tr_text_format(f->seats[i].by.name, sizeof(f->seats[i].by.name), "%s", name ? name : "");
				tr_text_format(f->seats[i].by.host, sizeof(f->seats[i].by.host), "%s", host ? host + (host[0] == '/') : "");
			}
}

static void note_group(tr_fleet *f, const rd_kafka_ConsumerGroupDescription_t *group)
{
	size_t count = rd_kafka_ConsumerGroupDescription_member_count(group);
	/* In between nobody has anything, which says nothing. */
	bool stable = rd_kafka_ConsumerGroupDescription_state(group) == RD_KAFKA_CONSUMER_GROUP_STATE_STABLE;
	bool ours = false;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < f->options->count && stable; i++)
		f->seats[i].by = (tr_fleet_instance){.name = ""};
	for (size_t i = 0; i < count; i++) {
		const rd_kafka_MemberDescription_t *member = rd_kafka_ConsumerGroupDescription_member(group, i);

		ours = ours || is_us(f, member);
		if (stable)
			note_member(f, member);
	}
	f->members = count;
	/* As of the question: the answer may have waited for us, as after a stop of the whole process. */
	if (ours && f->asked_us > f->seen_us)
		f->seen_us = f->asked_us;
	if (ours)
		tr_err_clear(&f->error);
	pthread_mutex_unlock(&f->lock);
}

static void hear(tr_fleet *f, rd_kafka_event_t *event)
{
	const rd_kafka_DescribeConsumerGroups_result_t *result = rd_kafka_event_DescribeConsumerGroups_result(event);
	size_t count = 0;
	const rd_kafka_ConsumerGroupDescription_t **groups =
	    result ? rd_kafka_DescribeConsumerGroups_result_groups(result, &count) : NULL;

	f->asked = false;
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR || count != 1 || rd_kafka_ConsumerGroupDescription_error(groups[0]))
		return; /* what was seen last stays, and ages */
	tr_kafka_client_alive(&f->client);
	note_group(f, groups[0]);
}

void tr_fleet_look(tr_fleet *f)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(f->answers, 0);
	int64_t now_us = tr_clock_mono_us();

	if (event) {
		hear(f, event);
		rd_kafka_event_destroy(event);
	}
	if (!f->asked && now_us - f->asked_us >= look_every_us(f))
		ask(f, now_us);
}
