#include "service/runner.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/log.h"
#include "generated/version.h"

typedef struct place {
	tr_runner *runner;
	tr_pipeline_config *config;
	/* written by the main thread under the lock, so it reads them without */
	tr_pipeline *pipeline;  /* before, in, or after its run */
	bool running;           /* started, and its end was not noted yet */
	bool over;              /* for good: it failed, or (without a fleet) has ended */
	/* wishes; under the lock */
	bool wanted, lost;
	/* the main thread's own */
	bool used;              /* the pipeline was started: it cannot be again */
	bool asked;             /* to end */
	int64_t start_at_us;    /* monotonic: not before */
} place;

struct tr_runner {
	tr_config *config;
	place *places;
	size_t count;
	bool fleet, stopping;
	tr_err first_error;
	bool (*open)(void *context);
	void *open_context;
	pthread_mutex_t lock;
};

static bool is_wanted(place *p, bool *lost)
{
	pthread_mutex_lock(&p->runner->lock);
	bool wanted = p->wanted && !p->runner->stopping;
	*lost = p->lost;
	pthread_mutex_unlock(&p->runner->lock);
	return wanted;
}

/* The pipeline's own question, on its thread. */
static bool may_begin(void *context)
{
	place *p = context;
	bool lost;

	return is_wanted(p, &lost) && p->runner->open(p->runner->open_context);
}

/* A pipeline runs once: whoever runs it again gets a new one. The old one lets go of its state here. */
static int renew(place *p, tr_err *err)
{
	tr_pipeline *old = p->pipeline, *new;

	if (tr_pipeline_new(&new, p->config, err) < 0)
		return tr_err_prefix(err, "pipeline \"%s\"", p->config->name);
	if (p->runner->fleet)
		tr_metric_set(tr_pipeline_metrics(new), TR_M_STATE, TR_PIPELINE_STANDBY);
	pthread_mutex_lock(&p->runner->lock);
	p->pipeline = new;
	p->over = false;
	pthread_mutex_unlock(&p->runner->lock);
	tr_pipeline_free(old);
	p->used = false;
	return 0;
}

int tr_runner_new(tr_runner **out, tr_config *config, bool once, tr_err *err)
{
	tr_runner *r = calloc(1, sizeof(*r));

	*out = r;
	if (!r)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the pipelines");
	pthread_mutex_init(&r->lock, NULL);
	r->config = config;
	r->fleet = config->process.fleet.group != NULL;
	r->places = calloc(config->count, sizeof(*r->places));
	if (!r->places)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for %zu pipelines", config->count);
	for (; r->count < config->count; r->count++) {
		place *p = &r->places[r->count];

		*p = (place){.runner = r, .config = &config->pipelines[r->count].pipeline, .wanted = !r->fleet};
		p->config->version = TR_VERSION;
		p->config->once = once;
		if (renew(p, err) < 0)
			return -1;
	}
	return 0;
}

void tr_runner_gate(tr_runner *r, bool (*open)(void *context), void *context)
{
	r->open = open;
	r->open_context = context;
	for (size_t i = 0; i < r->count; i++) {
		r->places[i].config->may_begin = may_begin;
		r->places[i].config->may_begin_context = &r->places[i];
	}
}

static void set_running(place *p, bool running, bool over)
{
	pthread_mutex_lock(&p->runner->lock);
	p->running = running;
	p->over = over;
	pthread_mutex_unlock(&p->runner->lock);
}

/* In a fleet: what an error means for a pipeline that is still ours. */
static int failed_in_fleet(place *p, const tr_err *failure, tr_err *err)
{
	const char *name = p->config->name;
	int64_t pause_ms = p->runner->config->process.fleet.session_timeout_ms;
	bool taken = tr_err_exit_code(failure->code) == 75;

	/* 75: another instance has taken it, and the group says so soon. If it does not, the other one was none of the group. 69: who
	 * starts services again would do so, but the process does not end. */
	p->start_at_us = tr_clock_mono_us() + pause_ms * 1000;
	if (taken || tr_err_reaction(failure->code) == TR_REACT_RETRY || tr_err_exit_code(failure->code) == 69) {
		tr_log_err(TR_LOG_WARN, name, taken ? "pipeline.taken" : "pipeline.failed", failure);
		tr_log(TR_LOG_INFO, name, "pipeline.again", "if it is still this instance's in %lld s, it is started again",
		    (long long)(pause_ms / 1000));
		set_running(p, false, false);
		return taken ? renew(p, err) : 0;
	}
	tr_log_err(TR_LOG_ERROR, name, "pipeline.failed", failure);
	tr_metric_set(tr_pipeline_metrics(p->pipeline), TR_M_STATE, TR_PIPELINE_FAILED);
	set_running(p, false, true);
	return 0;
}

static int note_end(place *p, const tr_err *failure, tr_err *err)
{
	p->asked = false;
	if (failure->code == TR_OK)
		tr_log(TR_LOG_INFO, p->config->name, "pipeline.ended", "ended, position saved");
	else if (p->runner->fleet)
		return failed_in_fleet(p, failure, err);
	else
		tr_log_err(TR_LOG_ERROR, p->config->name, "pipeline.failed", failure);
	if (p->runner->first_error.code == TR_OK)
		p->runner->first_error = *failure;
	set_running(p, false, !p->runner->fleet);
	return 0;
}

static int start(place *p, tr_err *err)
{
	tr_err failure = {0};

	if (p->used && renew(p, err) < 0)
		return -1;
	p->used = true;
	tr_metric_set(tr_pipeline_metrics(p->pipeline), TR_M_STATE, TR_PIPELINE_STARTING);
	set_running(p, true, false);
	if (tr_pipeline_start(p->pipeline, &failure) == 0)
		return 0;
	if (p->runner->fleet)
		return note_end(p, &failure, err);
	*err = failure;
	return tr_err_prefix(err, "pipeline \"%s\"", p->config->name);
}

/* A place in which nothing runs. 1: nothing will. */
static int turn_idle(place *p, bool wanted, tr_err *err)
{
	if (wanted && !p->over && tr_clock_mono_us() >= p->start_at_us)
		return start(p, err);
	if (wanted)
		return p->over && !p->runner->fleet;
	p->start_at_us = 0;
	/* Lets go of what it held, and of its error: it is another instance's now. */
	if (p->used && p->runner->fleet && renew(p, err) < 0)
		return -1;
	return 1;
}

static int turn_place(place *p, tr_err *err)
{
	tr_err failure = {0};
	bool lost, wanted = is_wanted(p, &lost);

	if (!p->running)
		return turn_idle(p, wanted, err);
	if (!wanted && !p->asked) {
		p->asked = true;
		lost ? tr_pipeline_abandon(p->pipeline) : tr_pipeline_stop(p->pipeline);
	}
	if (!tr_pipeline_wait(p->pipeline, 0))
		return 0;
	if (tr_pipeline_result(p->pipeline, &failure) == 0)
		tr_err_clear(&failure);
	return note_end(p, &failure, err);
}

int tr_runner_turn(tr_runner *r, tr_err *err)
{
	int all = 1;

	for (size_t i = 0; i < r->count; i++) {
		int result = turn_place(&r->places[i], err);

		if (result < 0)
			return -1;
		all = all && result;
	}
	return all;
}

void tr_runner_stop(tr_runner *r)
{
	pthread_mutex_lock(&r->lock);
	r->stopping = true;
	pthread_mutex_unlock(&r->lock);
}

void tr_runner_result(const tr_runner *r, tr_err *out)
{
	*out = r->first_error;
}

void tr_runner_halt(tr_runner *r)
{
	tr_runner_stop(r);
	for (size_t i = 0; i < r->count; i++)
		if (r->places[i].running)
			tr_pipeline_stop(r->places[i].pipeline);
	for (size_t i = 0; i < r->count; i++) {
		while (r->places[i].running && !tr_pipeline_wait(r->places[i].pipeline, 1000))
			;
		set_running(&r->places[i], false, true);
	}
}

void tr_runner_free(tr_runner *r)
{
	if (!r)
		return;
	tr_runner_halt(r);
	for (size_t i = 0; i < r->count; i++)
		tr_pipeline_free(r->places[i].pipeline);
	free(r->places);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* --- any thread --------------------------------------------------------------------------------- */

size_t tr_runner_count(const tr_runner *r)
{
	return r->count;
}

void tr_runner_want(tr_runner *r, size_t i, bool wanted, bool lost)
{
	pthread_mutex_lock(&r->lock);
	r->places[i].wanted = wanted;
	r->places[i].lost = lost;
	pthread_mutex_unlock(&r->lock);
}

bool tr_runner_idle(tr_runner *r, size_t i)
{
	pthread_mutex_lock(&r->lock);
	bool idle = !r->places[i].running;
	pthread_mutex_unlock(&r->lock);
	return idle;
}

/* Under the lock. */
static void look(const place *p, tr_pipeline_status *out)
{
	tr_pipeline_status_get(p->pipeline, out);
	if (!p->runner->fleet || p->running)
		return;
	if (p->over)
		out->state = TR_PIPELINE_FAILED;
	else if (out->error.code != TR_OK)
		out->state = TR_PIPELINE_WAITING;
	else
		out->state = p->wanted ? TR_PIPELINE_STARTING : TR_PIPELINE_STANDBY;
}

void tr_runner_status(tr_runner *r, size_t i, tr_pipeline_status *out)
{
	pthread_mutex_lock(&r->lock);
	look(&r->places[i], out);
	pthread_mutex_unlock(&r->lock);
}

int tr_runner_render(tr_runner *r, tr_writer *w)
{
	tr_metric_source *sources = calloc(r->count + 1, sizeof(*sources));
	tr_pipeline_status status;

	if (!sources)
		return -1;
	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->count; i++) {
		look(&r->places[i], &status); /* brings the gauges up to date */
		sources[i] = (tr_metric_source){.pipeline = status.name, .metrics = tr_pipeline_metrics(r->places[i].pipeline)};
	}
	tr_metric_render(w, sources, r->count);
	pthread_mutex_unlock(&r->lock);
	free(sources);
	return tr_writer_ok(w) ? 0 : -1;
}
