/*
 * Several instances share pipelines through a consumer group of Kafka, and nothing else has to run. For each pipeline there is
 * a topic with one partition and no records; owning the partition is the right to run the pipeline. An instance takes part for
 * the pipelines it knows, so instances may know different ones.
 *
 * This gives liveness: somebody runs each pipeline, and soon. That only one of two writes is not decided here: the fence of the
 * sink's transactions (or of the state) does that, also when an instance that was thought dead comes back.
 *
 * One thread of its own; what it calls of the owner returns at once. Refuses to know what a pipeline is: numbers and names only.
 */
#ifndef TR_FLEET_FLEET_H
#define TR_FLEET_FLEET_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"
#include "core/property.h"

typedef struct tr_fleet tr_fleet;

/* All is borrowed until free. */
typedef struct tr_fleet_options {
	const char *group;             /* NAME: the group is "tailrace-NAME", topics are "tailrace-fleet.NAME.<pipeline>" */
	const char *instance;          /* what the others see of us; no secret */
	const char *url;               /* kafka://HOST:PORT,... */
	const tr_property *properties; /* of librdkafka: the login */
	size_t property_count;
	int replication;               /* of the topics; 0 or less: the broker's default */
	int session_timeout_ms;        /* without a sign of life for this long an instance loses its pipelines */
	const char *const *pipelines;  /* names */
	size_t count;
} tr_fleet_options;

/* Who runs the pipelines; numbers as in options.pipelines. Called on the fleet's thread, never concurrently. */
typedef struct tr_fleet_owner {
	void *context;
	/* It is ours from now on. */
	void (*start)(void *context, size_t pipeline);
	/* Asks for its end. lost: it may run elsewhere already, so nothing is to be finished. */
	void (*stop)(void *context, size_t pipeline, bool lost);
	/* After stop: has it ended? It is given away then, or after TR_FLEET_STOP_MS. */
	bool (*stopped)(void *context, size_t pipeline);
} tr_fleet_owner;
#define TR_FLEET_STOP_MS 10000

/* Makes no connection yet; joins in the thread. CONFIG errors of the client name the property. */
int tr_fleet_start(tr_fleet **out, const tr_fleet_options *options, const tr_fleet_owner *owner, tr_err *err);
/* Asks the thread to give its pipelines away and to leave the group. */
void tr_fleet_leave(tr_fleet *fleet);
/* True when the thread has ended: asked to, or with an error that waiting does not mend (then *err is set). */
bool tr_fleet_ended(tr_fleet *fleet, tr_err *err);
void tr_fleet_free(tr_fleet *fleet); /* leaves and joins the thread; NULL is fine */

/* The rest: any thread, returns at once with what the fleet's thread saw last (it looks every few seconds). */

/* Did the group count us as a member within the session timeout? */
bool tr_fleet_member(tr_fleet *fleet);

typedef struct tr_fleet_status {
	bool member;
	size_t members;      /* instances in the group */
	size_t owned;        /* pipelines that are ours */
	tr_err error;        /* why we could not take part; code TR_OK = none */
} tr_fleet_status;
void tr_fleet_status_get(tr_fleet *fleet, tr_fleet_status *out);

typedef struct tr_fleet_instance {
	char name[128], host[64];
} tr_fleet_instance;
/* Who owns the pipeline; false when nobody does, or it is not known. */
bool tr_fleet_owner_of(tr_fleet *fleet, size_t pipeline, tr_fleet_instance *out);

#endif
