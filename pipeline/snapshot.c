/* The initial snapshot of a session: intent durable, rows by parallel readers, end durable with the stream's first position. */
#include "core/failpoint.h"
#include "core/log.h"
#include "pipeline/internal.h"

static tr_listener *host_listener(void *context, unsigned reader, tr_err *err)
{
	tr_host_listener *h;

	(void)reader;
	return tr_reader_listener_new(&h, context, err) == 0 ? tr_host_listener_base(h) : NULL;
}

static void host_release(void *context, tr_listener *l)
{
	tr_session *s = context;
	tr_err err = {0};

	/* A failure to seal means that the delivery thread gave up: its error ends the session, after the readers. */
	if (tr_host_listener_free((tr_host_listener *)(void *)l, atomic_load(&s->failed), &err) != 0 && !atomic_load(&s->failed))
		tr_log_err(TR_LOG_ERROR, s->p->config->name, "snapshot.seal", &err);
}

static void host_tables(void *context, const tr_snapshot_table *tables, size_t count)
{
	tr_pipeline *p = ((tr_session *)context)->p;
	uint64_t rows = 0, estimated = 0, done = 0;

	for (size_t i = 0; i < count; i++) {
		rows += tables[i].rows_done;
		estimated += tables[i].done ? tables[i].rows_done : tables[i].rows_estimated;
		done += tables[i].done;
	}
	pthread_mutex_lock(&p->lock);
	p->snapshot_tables = count;
	p->snapshot_tables_done = done;
	p->snapshot_rows = rows;
	p->snapshot_rows_estimated = estimated;
	pthread_mutex_unlock(&p->lock);
	tr_metric_set(&p->metrics, TR_M_SNAPSHOT_TABLES, (int64_t)count);
	tr_metric_set(&p->metrics, TR_M_SNAPSHOT_TABLES_DONE, (int64_t)done);
	tr_metric_set(&p->metrics, TR_M_SNAPSHOT_ROWS, (int64_t)rows);
	tr_metric_set(&p->metrics, TR_M_SNAPSHOT_ROWS_EXPECTED, (int64_t)estimated);
}

static void note_begin(tr_pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->snapshot_begin_us = tr_clock_mono_us();
	p->snapshot_end_us = 0;
	pthread_mutex_unlock(&p->lock);
}

/* Done or not: the clock stops. */
static void note_end(tr_pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->snapshot_end_us = tr_clock_mono_us();
	pthread_mutex_unlock(&p->lock);
}

static int read_and_record(tr_session *s, tr_err *err)
{
	tr_pipeline *p = s->p;
	tr_snapshot_host host = {.context = s, .listener = host_listener, .release = host_release, .tables = host_tables};

	if (p->source->ops->snapshot(p->source, &host, err) != 0) {
		if (atomic_load(&s->failed))
			*err = s->error;
		return -1;
	}
	/* The note travels behind all rows, so the position it brings is recorded only after every row is delivered. */
	return tr_session_note(s, TR_NOTE_SNAPSHOT_DONE, true, err);
}

int tr_pipeline_snapshot(tr_session *s, tr_err *err)
{
	tr_pipeline *p = s->p;
	int result;

	/* Intent first: a slot that exists without a record would be a stranger's. */
	if (tr_session_note(s, TR_NOTE_SNAPSHOT_STARTED, false, err) != 0)
		return -1;
	tr_failpoint_at(TR_FP_SNAPSHOT_BEGIN);
	note_begin(p);
	tr_pipeline_enter(p, TR_PIPELINE_SNAPSHOT, NULL);
	result = read_and_record(s, err);
	note_end(p);
	if (result != 0)
		return -1;
	tr_failpoint_at(TR_FP_SNAPSHOT_END);
	tr_log(TR_LOG_INFO, p->config->name, "snapshot.done", "snapshot done: %llu rows of %llu tables in %.1f s",
	       (unsigned long long)p->snapshot_rows, (unsigned long long)p->snapshot_tables,
	       (double)(p->snapshot_end_us - p->snapshot_begin_us) / 1e6);
	return 0;
}
