/* tailrace run: configuration -> pipelines -> until a signal, an error or --once. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "service/cli.h"
#include "service/http.h"
#include "service/progress.h"
#include "generated/version.h"

#define TICK_MS 100
#define STOP_LIMIT_US 9500000 /* exit within 10 s of the first signal */

typedef struct service {
	tr_config *config;
	tr_pipeline **pipelines;
	bool *ended;
	size_t count;
	tr_status_view view;
	tr_http *http;
	tr_progress progress;
	sigset_t signals;
	tr_err first_error; /* what decides about the exit status */
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

/* 0 when none came within the tick. */
static int next_signal(const service *s)
{
	struct timespec tick = {.tv_nsec = TICK_MS * 1000000L};
	int number = sigtimedwait(&s->signals, NULL, &tick);

	return number > 0 ? number : 0;
}

static int make_pipelines(service *s, bool once, tr_err *err)
{
	s->pipelines = calloc(s->config->count, sizeof(*s->pipelines));
	s->ended = calloc(s->config->count, sizeof(*s->ended));
	if (!s->pipelines || !s->ended)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for %zu pipelines", s->config->count);
	for (size_t i = 0; i < s->config->count; i++) {
		tr_pipeline_config *p = &s->config->pipelines[i].pipeline;

		p->version = TR_VERSION;
		p->once = once;
		if (tr_pipeline_new(&s->pipelines[i], p, err) < 0)
			return tr_err_prefix(err, "pipeline \"%s\"", p->name);
		s->count++;
	}
	s->view = (tr_status_view){.pipelines = s->pipelines, .count = s->count, .started_us = tr_clock_mono_us()};
	return 0;
}

static void notices(void *context, const tr_finding *f)
{
	(void)context;
	tr_log(f->severity == TR_FINDING_WARNING ? TR_LOG_WARN : TR_LOG_INFO, NULL, "config.note", "%s: %s; %s", f->subject, f->what,
	    f->why);
}

static int start(service *s, tr_err *err)
{
	const char *listen = s->config->process.http_listen;

	tr_log(TR_LOG_INFO, NULL, "service.start", "tailrace %s, configuration %s, %zu pipeline%s", TR_VERSION,
	    s->config->file ? s->config->file : "from the command line", s->count, s->count == 1 ? "" : "s");
	tr_config_review(s->config, notices, NULL);
	if (listen && *listen) {
		if (tr_http_start(&s->http, listen, &s->view, err) < 0)
			return -1;
		tr_log(TR_LOG_INFO, NULL, "http.listening", "status at http://%s (port %u)", listen, tr_http_port(s->http));
	}
	for (size_t i = 0; i < s->count; i++) {
		if (tr_pipeline_start(s->pipelines[i], err) < 0)
			return tr_err_prefix(err, "pipeline \"%s\"", s->config->pipelines[i].pipeline.name);
	}
	return 0;
}

/* Notes each pipeline's end once; a failed one does not stop the others. True when all have ended. */
static bool collect(service *s)
{
	bool all = true;

	for (size_t i = 0; i < s->count; i++) {
		const char *name = s->config->pipelines[i].pipeline.name;
		tr_err err = {0};

		if (s->ended[i])
			continue;
		if (!tr_pipeline_wait(s->pipelines[i], 0)) {
			all = false;
			continue;
		}
		s->ended[i] = true;
		tr_progress_clear(&s->progress);
		if (tr_pipeline_result(s->pipelines[i], &err) == 0) {
			tr_log(TR_LOG_INFO, name, "pipeline.ended", "ended, position saved");
			continue;
		}
		tr_log_err(TR_LOG_ERROR, name, "pipeline.failed", &err);
		if (s->first_error.code == TR_OK)
			s->first_error = err;
	}
	return all;
}

static void stop_all(service *s, int number)
{
	tr_progress_clear(&s->progress);
	tr_log(TR_LOG_INFO, NULL, "service.stopping", "%s: finishing what is open; a second signal ends at once", strsignal(number));
	for (size_t i = 0; i < s->count; i++)
		tr_pipeline_stop(s->pipelines[i]);
}

static void wait_for_end(service *s)
{
	int64_t stop_at_us = 0;

	while (!collect(s)) {
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
		tr_progress_draw(&s->progress, s->pipelines, s->count);
	}
}

static void release(service *s)
{
	for (size_t i = 0; i < s->count; i++)
		tr_pipeline_stop(s->pipelines[i]);
	tr_http_stop(s->http);
	for (size_t i = 0; i < s->count; i++)
		tr_pipeline_free(s->pipelines[i]);
	free(s->pipelines);
	free(s->ended);
	tr_config_free(s->config);
}

int tr_cmd_run(tr_cli *cli, tr_err *err)
{
	service s = {0};
	int result = -1;

	if (tr_cli_config(cli, &s.config, err) < 0)
		return -1;
	tr_log_setup((tr_log_format)s.config->process.log_format, (tr_log_level)s.config->process.log_level);
	setup_signals(&s);
	tr_progress_init(&s.progress);
	if (make_pipelines(&s, cli->once, err) < 0 || start(&s, err) < 0) {
		tr_log_err(TR_LOG_ERROR, NULL, "service.failed", err);
		cli->exit_code = tr_err_exit_code(err->code);
		result = 0;
		goto out;
	}
	wait_for_end(&s);
	tr_progress_clear(&s.progress);
	cli->exit_code = tr_err_exit_code(s.first_error.code);
	tr_log(TR_LOG_INFO, NULL, "service.end", "ended with %d", cli->exit_code);
	result = 0;
out:
	release(&s);
	return result;
}
