/*
 * The pipelines of this process, each in a place of its own: wanted or not, running or not. Without a fleet all are wanted from
 * the start, and what ends has ended. In a fleet they come and go: a place always holds a pipeline, which runs, stands by, or
 * has failed and shows why.
 *
 * Pipelines are made, started, stopped and freed by tr_runner_turn alone (the main thread); other threads leave wishes and look.
 */
#ifndef TR_SERVICE_RUNNER_H
#define TR_SERVICE_RUNNER_H

#include "service/config.h"

typedef struct tr_runner tr_runner;

/* Makes the pipelines; none is started. config is borrowed until free. */
int tr_runner_new(tr_runner **out, tr_config *config, bool once, tr_err *err);
void tr_runner_free(tr_runner *r); /* halts; NULL is fine */

size_t tr_runner_count(const tr_runner *r);

/* Main thread. May be set once, before the first turn: asked before each session of a pipeline, on its thread. */
void tr_runner_gate(tr_runner *r, bool (*open)(void *context), void *context);
/* Starts and ends what has to be; each end is logged once. 1: nothing runs and nothing will; 0: not yet; -1: without a fleet,
 * a pipeline that could not even be started. */
int tr_runner_turn(tr_runner *r, tr_err *err);
/* Nothing is started any more, everything is asked to end. */
void tr_runner_stop(tr_runner *r);
/* The same, and waits for it: afterwards nothing asks the gate. */
void tr_runner_halt(tr_runner *r);
/* The first error that ended a pipeline; code TR_OK = none. */
void tr_runner_result(const tr_runner *r, tr_err *out);

/* Any thread. lost: with wanted = false, what is open is given up. */
void tr_runner_want(tr_runner *r, size_t i, bool wanted, bool lost);
/* Does nothing run in this place? */
bool tr_runner_idle(tr_runner *r, size_t i);
void tr_runner_status(tr_runner *r, size_t i, tr_pipeline_status *out);
/* The metrics of all as Prometheus' text. */
int tr_runner_render(tr_runner *r, tr_writer *w);

#endif
