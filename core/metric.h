/*
 * What a pipeline counts: one array of numbers per pipeline, after the catalogue in metrics.def (docs/METRICS.md is
 * generated from it). Any thread adds and sets, with relaxed order: a number never guards other memory. Rendering is
 * Prometheus text; it reads while others count.
 */
#ifndef TR_CORE_METRIC_H
#define TR_CORE_METRIC_H

#include <stdatomic.h>
#include <stdint.h>

#include "core/err.h"
#include "core/writer.h"

typedef enum tr_metric {
#define TR_METRIC(symbol, name, kind, unit, help) TR_M_##symbol,
#include "core/metrics.def"
#undef TR_METRIC
	TR_M_COUNT
} tr_metric;

/* One counter per row of errors.def. */
enum {
#define TR_ERROR(symbol, number, exit_code, reaction, summary) TR_M_ERROR_ROW_##symbol,
#include "core/errors.def"
#undef TR_ERROR
	TR_M_ERROR_COUNT
};

/* All zeros is the valid start. */
typedef struct tr_metrics {
	_Atomic(int64_t) values[TR_M_COUNT];
	_Atomic(int64_t) errors[TR_M_ERROR_COUNT];
} tr_metrics;

static inline void tr_metric_add(tr_metrics *m, tr_metric metric, int64_t n)
{
	atomic_fetch_add_explicit(&m->values[metric], n, memory_order_relaxed);
}

static inline void tr_metric_set(tr_metrics *m, tr_metric metric, int64_t value)
{
	atomic_store_explicit(&m->values[metric], value, memory_order_relaxed);
}

static inline int64_t tr_metric_get(const tr_metrics *m, tr_metric metric)
{
	return atomic_load_explicit(&m->values[metric], memory_order_relaxed);
}

/* Sets an AGE metric to now. */
void tr_metric_touch(tr_metrics *m, tr_metric metric);
/* Counts an error of this code (tailrace_errors_total). */
void tr_metric_error(tr_metrics *m, tr_err_code code);
int64_t tr_metric_errors(const tr_metrics *m, tr_err_code code);

const char *tr_metric_name(tr_metric metric);

/* A pipeline's numbers under its name. */
typedef struct tr_metric_source {
	const char *pipeline;
	const tr_metrics *metrics;
} tr_metric_source;

/*
 * Prometheus text format 0.0.4: each metric once, with a line per pipeline; then the errors by code and
 * the memory of the process.
 */
void tr_metric_render(tr_writer *w, const tr_metric_source *sources, size_t count);
/* The process' own, when it takes part in a fleet. */
void tr_metric_render_fleet(tr_writer *w, const char *group, bool member, int64_t owned);
/* Resident memory of this process in bytes, 0 when the system does not tell. */
int64_t tr_metric_resident_bytes(void);

#endif
