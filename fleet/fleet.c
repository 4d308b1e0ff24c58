/* Taking part in the group: joining, what comes and what goes, leaving. */
#include "fleet/fleet.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/text.h"
#include "fleet/internal.h"

#define POLL_MS 100
#define STOP_SLICE_MS 20
#define JOIN_RETRY_MAX_MS 5000
#define HEARTBEATS 8 /* in one session timeout */

/* --- what the group says ------------------------------------------------------------------------ */

static tr_fleet_seat *seat_of(tr_fleet *f, const rd_kafka_topic_partition_t *part)
{
	for (size_t i = 0; i < f->options->count; i++)
		if (part->partition == 0 && strcmp(f->seats[i].topic, part->topic) == 0)
			return &f->seats[i];
	return NULL; /* a partition that somebody added */
}

static size_t number_of(const tr_fleet *f, const tr_fleet_seat *seat)
{
	return (size_t)(seat - f->seats);
}

static const char *name_of(const tr_fleet *f, const tr_fleet_seat *seat)
{
	return f->options->pipelines[number_of(f, seat)];
}

static void own(tr_fleet *f, tr_fleet_seat *seat, bool owned)
{
	pthread_mutex_lock(&f->lock);
	seat->owned = owned;
	seat->by = (tr_fleet_instance){.name = ""};
	pthread_mutex_unlock(&f->lock);
}

static void complain(tr_fleet *f, rd_kafka_error_t *e, const char *what)
{
	if (!e)
		return;
	tr_log(TR_LOG_WARN, NULL, "fleet.group", "group \"%s\": %s: %s", f->group, what, rd_kafka_error_string(e));
	rd_kafka_error_destroy(e);
}

static void take(tr_fleet *f, rd_kafka_topic_partition_list_t *parts)
{
	/* There is nothing to read: an explicit offset spares the question for a committed one, the pause the fetching. */
	for (int i = 0; i < parts->cnt; i++)
		parts->elems[i].offset = 0;
	complain(f, rd_kafka_incremental_assign(f->client.rk, parts), "taking pipelines failed");
	rd_kafka_pause_partitions(f->client.rk, parts);
	pthread_mutex_lock(&f->lock);
	f->seen_us = tr_clock_mono_us();
	tr_err_clear(&f->error);
	pthread_mutex_unlock(&f->lock);
	for (int i = 0; i < parts->cnt; i++) {
		tr_fleet_seat *seat = seat_of(f, &parts->elems[i]);

		if (!seat)
			continue;
		own(f, seat, true);
		tr_log(TR_LOG_INFO, name_of(f, seat), "fleet.taken", "it is run by this instance, \"%s\"", f->options->instance);
		f->owner.start(f->owner.context, number_of(f, seat));
	}
}

static void wait_stopped(tr_fleet *f, const rd_kafka_topic_partition_list_t *parts)
{
	int64_t limit_us = tr_clock_mono_us() + (int64_t)TR_FLEET_STOP_MS * 1000;

	for (int i = 0; i < parts->cnt; i++) {
		const tr_fleet_seat *seat = seat_of(f, &parts->elems[i]);

		while (seat && !f->owner.stopped(f->owner.context, number_of(f, seat)) && tr_clock_mono_us() < limit_us)
			tr_clock_sleep_ms(STOP_SLICE_MS);
	}
}

/* What is asked back ends first: everything delivered, committed and confirmed. What is lost may run elsewhere already. */
static void give(tr_fleet *f, rd_kafka_topic_partition_list_t *parts, bool lost)
{
	for (int i = 0; i < parts->cnt; i++) {
		tr_fleet_seat *seat = seat_of(f, &parts->elems[i]);

		if (!seat)
			continue;
		tr_log(lost ? TR_LOG_WARN : TR_LOG_INFO, name_of(f, seat), lost ? "fleet.lost" : "fleet.given", "%s",
		    lost ? "the group heard nothing of this instance in time and gives it to another" : "it goes to another instance");
		own(f, seat, false);
		f->owner.stop(f->owner.context, number_of(f, seat), lost);
	}
	if (!lost)
		wait_stopped(f, parts);
	complain(f, rd_kafka_incremental_unassign(f->client.rk, parts), "giving pipelines away failed");
}

/* On the fleet's thread, inside of poll and close. */
static void on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t e, rd_kafka_topic_partition_list_t *parts, void *opaque)
{
	tr_fleet *f = (tr_fleet *)((char *)opaque - offsetof(tr_fleet, client));

	TR_CHECK_OBJ(f, TR_FLEET_MAGIC);
	if (e == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		take(f, parts);
	} else if (e == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
		give(f, parts, rd_kafka_assignment_lost(rk));
	} else {
		tr_log(TR_LOG_WARN, NULL, "fleet.group", "group \"%s\": %s", f->group, rd_kafka_err2str(e));
		rd_kafka_assign(rk, NULL);
	}
}

/* --- errors ------------------------------------------------------------------------------------- */

static void note_error(tr_fleet *f, const tr_err *err)
{
	pthread_mutex_lock(&f->lock);
	bool again = f->error.code == err->code && strcmp(f->error.detail, err->detail) == 0;
	f->error = *err;
	pthread_mutex_unlock(&f->lock);
	if (!again)
		tr_log_err(TR_LOG_WARN, NULL, "fleet.group", err);
}

static bool ever_joined(tr_fleet *f)
{
	pthread_mutex_lock(&f->lock);
	bool joined = f->seen_us != 0;
	pthread_mutex_unlock(&f->lock);
	return joined;
}

/* An error that the consumer reports in the place of a message. -1: there is no use in going on. */
static int failed(tr_fleet *f, const rd_kafka_message_t *m, tr_err *err)
{
	char object[120];

	if (m->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || m->err == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
		f->topics_wanted = true;
	snprintf(object, sizeof(object), "in group \"%s\"", f->group);
	tr_kafka_error(err, m->err, rd_kafka_message_errstr(m), "take part", object);
	if (m->err == RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT) {
		err->code = TR_E_SINK_CONFIG;
		tr_err_hint(err, "The brokers allow group.min.session.timeout.ms (6 s) to group.max.session.timeout.ms for "
		                 "fleet.session_timeout. No pipeline was started.");
		return -1;
	}
	if (err->code == TR_E_SINK_AUTH)
		tr_err_hint(err, "It needs Read and Describe on the group, Describe and Read on the topics tailrace-fleet.*, and Create "
		                 "to make them. Nothing is lost: pipelines run where they are owned.");
	if (err->code == TR_E_SINK_AUTH && !ever_joined(f))
		return -1;
	note_error(f, err);
	return 0;
}

/* --- the thread --------------------------------------------------------------------------------- */

static int subscribe(tr_fleet *f, tr_err *err)
{
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new((int)f->options->count);
	rd_kafka_resp_err_t e;

	for (size_t i = 0; i < f->options->count; i++)
		rd_kafka_topic_partition_list_add(topics, f->seats[i].topic, RD_KAFKA_PARTITION_UA);
	rd_kafka_poll_set_consumer(f->client.rk);
	e = rd_kafka_subscribe(f->client.rk, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	return e == RD_KAFKA_RESP_ERR_NO_ERROR ? 0 : tr_kafka_error(err, e, NULL, "subscribe to", "the fleet's topics");
}

/* The topics are made and subscribed to, however long the brokers are away. -1: waiting does not help. */
static int join(tr_fleet *f, tr_err *err)
{
	tr_backoff backoff;

	tr_backoff_init(&backoff, 200, JOIN_RETRY_MAX_MS);
	while (tr_fleet_topics(f, err) != 0) {
		if (f->leave)
			return 0;
		if (tr_err_reaction(err->code) != TR_REACT_RETRY)
			return -1;
		note_error(f, err);
		f->client.refused_since_us = 0;
		for (int ms = tr_backoff_next_ms(&backoff); ms > 0 && !f->leave; ms -= POLL_MS)
			tr_clock_sleep_ms(POLL_MS);
	}
	return subscribe(f, err);
}

static int turn(tr_fleet *f, tr_err *err)
{
	rd_kafka_message_t *m = rd_kafka_consumer_poll(f->client.rk, POLL_MS);
	int result = m && m->err ? failed(f, m, err) : 0;

	if (m)
		rd_kafka_message_destroy(m);
	if (f->topics_wanted && result == 0) {
		f->topics_wanted = false;
		if (tr_fleet_topics(f, err) != 0 && !f->leave)
			note_error(f, err);
	}
	tr_fleet_look(f);
	return result;
}

static void *fleet_thread(void *fleet)
{
	tr_fleet *f = fleet;
	tr_err err = {0};
	int result;

	TR_CHECK_OBJ(f, TR_FLEET_MAGIC);
	result = join(f, &err);
	while (result == 0 && !f->leave)
		result = turn(f, &err);
	/* Gives everything back in order, then says good-bye: the others take over at once. */
	rd_kafka_consumer_close(f->client.rk);
	pthread_mutex_lock(&f->lock);
	if (result == 0)
		tr_err_clear(&f->error);
	else
		f->error = err;
	f->ended = true;
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

/* --- life --------------------------------------------------------------------------------------- */

static int open_client(tr_fleet *f, tr_err *err)
{
	const tr_fleet_options *o = f->options;
	/* A process that stops its pipelines does not turn meanwhile; it is alive all the same. */
	int poll_ms = o->session_timeout_ms > 3 * TR_FLEET_STOP_MS ? o->session_timeout_ms : 3 * TR_FLEET_STOP_MS;
	char session[16], heartbeat[16], poll[16];

	snprintf(session, sizeof(session), "%d", o->session_timeout_ms);
	snprintf(heartbeat, sizeof(heartbeat), "%d", o->session_timeout_ms / HEARTBEATS);
	snprintf(poll, sizeof(poll), "%d", poll_ms);
	const tr_property fixed[] = {
	    {"group.id", f->group},
	    {"client.id", o->instance},
	    {"partition.assignment.strategy", "cooperative-sticky"},
	    {"session.timeout.ms", session},
	    {"heartbeat.interval.ms", heartbeat},
	    {"max.poll.interval.ms", poll},
	    {"enable.auto.commit", "false"},
	};
	const tr_kafka_options options = {
	    .url = o->url,
	    .properties = o->properties,
	    .property_count = o->property_count,
	    .consumer = true,
	    .fixed = fixed,
	    .fixed_count = sizeof(fixed) / sizeof(fixed[0]),
	    .stop = &f->leave,
	    .rebalance = on_rebalance,
	};
	return tr_kafka_client_open(&f->client, &options, err);
}

int tr_fleet_start(tr_fleet **out, const tr_fleet_options *options, const tr_fleet_owner *owner, tr_err *err)
{
	tr_fleet *f = calloc(1, sizeof(*f));

	*out = f;
	if (!f)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the fleet");
	f->magic = TR_FLEET_MAGIC;
	f->options = options;
	f->owner = *owner;
	pthread_mutex_init(&f->lock, NULL);
	snprintf(f->group, sizeof(f->group), "tailrace-%.50s", options->group);
	f->seats = calloc(options->count, sizeof(*f->seats));
	if (!f->seats)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the fleet");
	for (size_t i = 0; i < options->count; i++)
		snprintf(f->seats[i].topic, sizeof(f->seats[i].topic), "tailrace-fleet.%s.%s", options->group, options->pipelines[i]);
	if (open_client(f, err) != 0)
		return -1;
	f->answers = rd_kafka_queue_new(f->client.rk);
	if (pthread_create(&f->thread, NULL, fleet_thread, f) != 0)
		return tr_err_set(err, TR_E_SYSTEM, "the fleet's thread could not be started");
	f->started = true;
	return 0;
}

void tr_fleet_leave(tr_fleet *f)
{
	f->leave = true;
}

bool tr_fleet_ended(tr_fleet *f, tr_err *err)
{
	pthread_mutex_lock(&f->lock);
	bool ended = f->ended;
	*err = ended ? f->error : (tr_err){0};
	pthread_mutex_unlock(&f->lock);
	return ended;
}

void tr_fleet_free(tr_fleet *f)
{
	if (!f)
		return;
	TR_CHECK_OBJ(f, TR_FLEET_MAGIC);
	if (f->started) {
		tr_fleet_leave(f);
		pthread_join(f->thread, NULL);
	}
	if (f->answers)
		rd_kafka_queue_destroy(f->answers);
	tr_kafka_client_close(&f->client);
	pthread_mutex_destroy(&f->lock);
	free(f->seats);
	f->magic = 0;
	free(f);
}

/* --- what the thread saw ------------------------------------------------------------------------ */

static bool is_member(const tr_fleet *f)
{
	return f->seen_us > 0 && tr_clock_mono_us() - f->seen_us < (int64_t)f->options->session_timeout_ms * 1000;
}

bool tr_fleet_member(tr_fleet *f)
{
	pthread_mutex_lock(&f->lock);
	bool member = is_member(f);
	pthread_mutex_unlock(&f->lock);
	return member;
}

void tr_fleet_status_get(tr_fleet *f, tr_fleet_status *out)
{
	*out = (tr_fleet_status){0};
	pthread_mutex_lock(&f->lock);
	out->member = is_member(f);
	out->members = f->members;
	for (size_t i = 0; i < f->options->count; i++)
		out->owned += f->seats[i].owned;
	out->error = f->error;
	pthread_mutex_unlock(&f->lock);
}

bool tr_fleet_owner_of(tr_fleet *f, size_t pipeline, tr_fleet_instance *out)
{
	pthread_mutex_lock(&f->lock);
	*out = f->seats[pipeline].by;
	if (f->seats[pipeline].owned) /* newer than what the group told */
		tr_text_format(out->name, sizeof(out->name), "%s", f->options->instance);
	pthread_mutex_unlock(&f->lock);
	return out->name[0] != '\0';
}
