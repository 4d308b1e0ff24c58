/*
 * One source-to-sink pair: two threads (capture, delivery) and, while a snapshot runs, its readers.
 *
 *   capture:  source -> listener -> emitter -> open batch -> sealed -> ring
 *   delivery: ring -> sink -> settled -> commit (record in the store) -> confirm to the source
 *
 * commit.c is the only place where a position becomes durable. The main thread only starts, asks and stops.
 */
#ifndef TR_PIPELINE_PIPELINE_H
#define TR_PIPELINE_PIPELINE_H

#include "capture/source.h"
#include "sinks/sink.h"
#include "state/store.h"

typedef enum tr_delivery { TR_AT_LEAST_ONCE, TR_EXACTLY_ONCE } tr_delivery;

typedef struct tr_pipeline_config {
	const char *name;
	const char *version;             /* of the program: source.version */
	tr_source_options source;
	tr_event_options events;
	tr_registry_options registry;
	tr_sink_options sink;
	tr_delivery delivery;
	const char *state_url;           /* file:DIR */
	int64_t state_interval_ms;       /* at most one record per this time while busy; at once when idle */
	/* exactly once: the sink's transactions; at once when idle, otherwise by whichever comes first */
	int64_t transaction_interval_ms, transaction_timeout_ms;
	uint64_t transaction_bytes;
	bool transaction_atomic;         /* never cut inside of a source transaction */
	uint64_t memory_bytes;           /* limits.memory: batches, decoders, the sink's queue */
	uint64_t batch_bytes;            /* target size of a batch; 0 = chosen from memory_bytes */
	bool once;                       /* end when everything committed at start is durable */
	/* Asked before each session, on the capture thread: false = not now, ask again soon. NULL: always. */
	bool (*may_begin)(void *context);
	void *may_begin_context;
} tr_pipeline_config;

typedef enum tr_pipeline_state {
	TR_PIPELINE_STARTING,
	TR_PIPELINE_SNAPSHOT,
	TR_PIPELINE_STREAMING,
	TR_PIPELINE_WAITING, /* an error that may pass: trying again */
	TR_PIPELINE_STOPPED,
	/* of a fleet's pipelines; no pipeline enters them by itself */
	TR_PIPELINE_STANDBY, /* another instance runs it */
	TR_PIPELINE_FAILED,  /* stopped for good by its error */
} tr_pipeline_state;
const char *tr_pipeline_state_name(tr_pipeline_state state);

#define TR_STATUS_TABLES_MAX 64
typedef struct tr_pipeline_status {
	const char *name;
	tr_pipeline_state state;
	int64_t state_since_us;     /* monotonic */
	char position[1024];        /* durable position (JSON text, cut with "..."), "" = none */
	tr_source_lag lag;
	uint64_t events, transactions, records_delivered, bytes_delivered;
	int64_t last_commit_age_us; /* since the last record was saved; -1 = never */
	bool progressing;           /* readyz: moved within its deadline, or nothing to do */
	tr_err error;               /* last error (WAITING, STOPPED); code TR_OK = none */
	uint64_t restarts;          /* reconnects to the source or the sink */
	/* snapshot */
	uint64_t snapshot_tables, snapshot_tables_done, snapshot_rows, snapshot_rows_estimated;
	int64_t snapshot_elapsed_us;
} tr_pipeline_status;

typedef struct tr_pipeline tr_pipeline;

/* How the state of this pipeline is opened. */
tr_store_options tr_pipeline_store_options(const tr_pipeline_config *config, bool read_only);

/* Opens nothing yet; config (and all it points to) is borrowed until free. */
int tr_pipeline_new(tr_pipeline **out, const tr_pipeline_config *config, tr_err *err);
/* Takes the state's lock, opens sink and source objects, starts the threads. Errors found here end before anything ran. */
int tr_pipeline_start(tr_pipeline *p, tr_err *err);
/* Asks to finish or abort what is open, save the state and end; returns at once. Any thread. */
void tr_pipeline_stop(tr_pipeline *p);
/* As stop, but what is open is given up: it may run elsewhere already. */
void tr_pipeline_abandon(tr_pipeline *p);
/* True when both threads have ended; waits up to timeout_ms. */
bool tr_pipeline_wait(tr_pipeline *p, int timeout_ms);
/* After the end: 0 when it ended on request or --once was reached; -1 with the error that stopped it. */
int tr_pipeline_result(tr_pipeline *p, tr_err *err);
void tr_pipeline_status_get(tr_pipeline *p, tr_pipeline_status *out); /* any thread */
tr_metrics *tr_pipeline_metrics(tr_pipeline *p);
void tr_pipeline_free(tr_pipeline *p); /* stops and joins when still running; NULL is fine */

#endif
