/*
 * What the running process says about itself: the facts of /status, the verdict of /readyz, and asking another process for
 * them. Reads only tr_pipeline_status; decides nothing.
 */
#ifndef TR_SERVICE_STATUS_H
#define TR_SERVICE_STATUS_H

#include <jansson.h>

#include "fleet/fleet.h"
#include "service/runner.h"

typedef struct tr_status_view {
	tr_runner *runner;
	tr_fleet *fleet;    /* NULL: none */
	const tr_fleet_options *fleet_options;
	int64_t started_us; /* monotonic */
} tr_status_view;

/* {"version":…,"uptime_seconds":…,"fleet":{…} or null,"pipelines":[…]}; the caller owns it. */
json_t *tr_status_json(const tr_status_view *view);
/* True when every pipeline makes progress or has nothing to do; else the reason. In a fleet: every one that is ours, which may
 * be none, and the group knows us. */
bool tr_status_ready(const tr_status_view *view, char *reason, size_t size);

/* GET of a path at a http.listen address. The body (NUL-terminated, to be freed by the caller) and the status code;
 * -1 when nothing answers in two seconds. */
int tr_status_get(const char *listen, const char *path, int *http_code, char **body);

/* "host:port", ":port", "[v6]:port" split; false when it is none of these. */
bool tr_status_split(const char *listen, char *host, size_t host_size, char *port, size_t port_size);

#endif
