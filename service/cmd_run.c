/* tailrace run: configuration -> pipelines -> until a signal, an error or --once. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "fleet/fleet.h"
#include "service/cli.h"
#include "service/http.h"
#include "service/progress.h"
#include "generated/version.h"

#define TICK_MS 100
#define STOP_LIMIT_US 9500000 /* exit within 10 s of the first signal */

typedef struct service {
	tr_config *config;
	tr_runner *runner;
	tr_fleet *fleet; /* NULL: none, or not begun */
	const char **names; /* of the fleet's pipelines */
	tr_fleet_options fleet_options;
	tr_status_view view;
	tr_http *http;
	tr_progress progress;
	sigset_t signals;
} service;

/* Blocked in every thread and taken by sigtimedwait here: no handler, nothing asynchronous. */
static void setup_signals(service *s)
{
	sigemptyset(&s->signals);
	sigaddset(&s->signals, SIGTERM);
	sigaddset(&s->signals, SIGINT);
	sigaddset(&s->signals, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &s->signals, NULL);
}

/* A pipeline to Kafka has about 20 descriptors, and the usual soft limit is 1024. Nothing here uses select(2), for which it is. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit); /* when refused, opening one too many says so */
}

/* 0 when none came within the tick. */
static int next_signal(const service *s)
{
	struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
	int number = sigtimedwait(&s->signals, NULL, &tick);

	return number > 0 ? number : 0;
}

static int make(service *s, bool once, tr_err *err)
{
	if (once && s->config->process.fleet.group) {
		tr_err_set(err, TR_E_USAGE, "--once and fleet.group exclude each other");
		return tr_err_hint(err, "In a fleet a pipeline may run elsewhere, so this instance cannot tell when it has caught up.");
	}
	if (tr_runner_new(&s->runner, s->config, once, err) < 0)
		return -1;
	s->view = (tr_status_view){.runner = s->runner, .started_us = tr_clock_mono_us()};
	return 0;
}

static void notices(void *context, const tr_finding *f)
{
	(void)context;
	tr_log(f->severity == TR_FINDING_WARNING ? TR_LOG_WARN : TR_LOG_INFO, NULL, "config.note", "%s: %s; %s", f->subject, f->what,
	    f->why);
}

/* --- the fleet: the group's wishes become the runner's ------------------------------------------- */

static void fleet_start(void *context, size_t i)
{
	tr_runner_want(((service *)context)->runner, i, true, false);
}

static void fleet_stop(void *context, size_t i, bool lost)
{
	tr_runner_want(((service *)context)->runner, i, false, lost);
}

static bool fleet_stopped(void *context, size_t i)
{
	return tr_runner_idle(((service *)context)->runner, i);
}

/* A pipeline that was given to another must not fence that one: without a sign of the group no session begins. */
static bool fleet_open(void *context)
{
	return tr_fleet_member(((service *)context)->fleet);
}

static int join_fleet(service *s, tr_err *err)
{
	const tr_fleet_settings *f = &s->config->process.fleet;
	const tr_fleet_owner owner = {.context = s, .start = fleet_start, .stop = fleet_stop, .stopped = fleet_stopped};

	if (!f->group)
		return 0;
	s->names = calloc(s->config->count, sizeof(*s->names));
	if (!s->names)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the fleet");
	for (size_t i = 0; i < s->config->count; i++)
		s->names[i] = s->config->pipelines[i].pipeline.name;
	s->fleet_options = (tr_fleet_options){
	    .group = f->group,
	    .instance = f->instance,
	    .url = f->url,
	    .properties = f->properties,
	    .property_count = f->property_count,
	    .replication = f->replication,
	    .session_timeout_ms = f->session_timeout_ms,
	    .pipelines = s->names,
	    .count = s->config->count,
	};
	tr_runner_gate(s->runner, fleet_open, s);
	if (tr_fleet_start(&s->fleet, &s->fleet_options, &owner, err) < 0)
		return tr_err_prefix(err, "fleet \"%s\"", f->group);
	s->view.fleet = s->fleet;
	s->view.fleet_options = &s->fleet_options;
	tr_log(TR_LOG_INFO, NULL, "fleet.joining", "group \"%s\" as \"%s\": the pipelines are shared with its other instances", f->group,
	    f->instance);
	return 0;
}

static int start(service *s, tr_err *err)
{
	const char *listen = s->config->process.http_listen;
	size_t count = tr_runner_count(s->runner);

	tr_log(TR_LOG_INFO, NULL, "service.start", "tailrace %s, configuration %s, %zu pipeline%s", TR_VERSION,
	    s->config->file ? s->config->file : "from the command line", count, count == 1 ? "" : "s");
	tr_config_review(s->config, notices, NULL);
	if (join_fleet(s, err) < 0)
		return -1;
	if (listen && *listen) {
		if (tr_http_start(&s->http, listen, &s->view, err) < 0)
			return -1;
		tr_log(TR_LOG_INFO, NULL, "http.listening", "status at http://%s (port %u)", listen, tr_http_port(s->http));
	}
	return tr_runner_turn(s->runner, err) < 0 ? -1 : 0;
}

static void stop_all(service *s, int number)
{
	tr_progress_clear(&s->progress);
	tr_log(TR_LOG_INFO, NULL, "service.stopping", "%s: finishing what is open; a second signal ends at once", strsignal(number));
	tr_runner_stop(s->runner);
	if (s->fleet)
		tr_fleet_leave(s->fleet);
}

/* 1: all has ended; 0: not yet; -1: an error that is nobody's but the service's. */
static int turn(service *s, tr_err *err)
{
	int result = tr_runner_turn(s->runner, err);

	if (result < 0 || !s->fleet)
		return result;
	/* What comes and goes with the group has not ended while nothing is here. */
	if (!tr_fleet_ended(s->fleet, err))
		return 0;
	if (err->code != TR_OK)
		return -1;
	return result;
}

static int wait_for_end(service *s, tr_err *err)
{
	int64_t stop_at_us = 0;
	int ended;

	while ((ended = turn(s, err)) == 0) {
		int number = next_signal(s);

		if (number && stop_at_us)
			_exit(128 + number);
		if (number) {
			stop_at_us = tr_clock_mono_us() + STOP_LIMIT_US;
			stop_all(s, number);
		}
		if (stop_at_us && tr_clock_mono_us() > stop_at_us) {
			/* What is durable stays so; what was not confirmed comes again. */
			tr_log(TR_LOG_WARN, NULL, "service.stop_limit", "not everything ended in time; the saved position is unchanged");
			_exit(0);
		}
		tr_progress_draw(&s->progress, s->runner);
	}
	tr_progress_clear(&s->progress);
	return ended < 0 ? -1 : 0;
}

static void release(service *s)
{
	tr_http_stop(s->http);
	/* Pipelines ask the fleet, and the fleet speaks to the runner. */
	if (s->runner)
		tr_runner_halt(s->runner);
	tr_fleet_free(s->fleet);
	tr_runner_free(s->runner);
	free(s->names);
	tr_config_free(s->config);
}

int tr_cmd_run(tr_cli *cli, tr_err *err)
{
	service s = {0};

	if (tr_cli_config(cli, TR_CONFIG_WHOLE, &s.config, err) < 0)
		return -1;
	tr_log_setup((tr_log_format)s.config->process.log_format, (tr_log_level)s.config->process.log_level);
	setup_signals(&s);
	raise_descriptors();
	tr_progress_init(&s.progress);
	if (make(&s, cli->once, err) < 0 || start(&s, err) < 0 || wait_for_end(&s, err) < 0) {
		tr_log_err(TR_LOG_ERROR, NULL, "service.failed", err);
		cli->exit_code = tr_err_exit_code(err->code);
	} else {
		tr_runner_result(s.runner, err);
		cli->exit_code = tr_err_exit_code(err->code);
		tr_log(TR_LOG_INFO, NULL, "service.end", "ended with %d", cli->exit_code);
	}
	tr_err_clear(err);
	release(&s);
	return 0;
}
