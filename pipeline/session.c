/* A session's life: sink, ring and delivery thread; sealing and handing over batches. */
#include "core/failpoint.h"
#include "pipeline/internal.h"

#define JOIN_SLICE_MS 20

static int of_another_sink(const tr_pipeline *p, const char *here, tr_err *err)
{
	const tr_writer *stored = &p->record.sink;

	tr_err_set(err, TR_E_STATE_SINK, "the stored position of pipeline \"%s\" belongs to another sink", p->config->name);
	tr_err_detail(err, "it says what \"%.*s\" has; this run writes to \"%s\"", (int)stored->len, (const char *)stored->data, here);
	return tr_err_hint(err, "Nothing was read or written. A second sink is a second pipeline: give it another name (--name). To begin "
	                        "anew in this one: `tailrace offsets reset`, drop the slot at the source, and run. If the events "
	                        "themselves were moved here: `tailrace offsets export > FILE`, `tailrace offsets set FILE`.");
}

/* A position says what one sink has been given. Taken for another's, everything before it would be missing there in silence. */
static int check_sink(tr_session *s, tr_err *err)
{
	tr_record_state *r = &s->p->record;
	char here[TR_STATE_NAME_MAX];

	if (s->sink->ops->identity(s->sink, here, sizeof(here), &s->p->stop_flag, err) != 0)
		return -1;
	if (r->sink.len > 0 && !tr_slice_eq(tr_writer_view(&r->sink), tr_slice_str(here))) {
		if (r->position.len > 0)
			return of_another_sink(s->p, here, err);
		/* Nothing was finished there, so it begins here. */
		r->snapshot = TR_SNAPSHOT_NONE;
		tr_writer_reset(&r->tables);
	}
	tr_writer_reset(&r->sink);
	tr_writer_text(&r->sink, here);
	return tr_writer_ok(&r->sink) ? 0 : tr_err_set(err, TR_E_MEMORY, "the sink's name could not be kept");
}

int tr_session_open(tr_session *s, tr_pipeline *p, tr_err *err)
{
	const char *known = NULL;
	const tr_sink_ops *ops = tr_sink_find(p->config->sink.url, &known);

	*s = (tr_session){.p = p};
	if (!ops)
		return tr_err_set(err, TR_E_CONFIG, "sink \"%s\" has no known scheme (known: %s)", p->config->sink.url, known);
	pthread_mutex_init(&s->push_lock, NULL);
	s->ring = tr_ring_new(p->batch_count + 4);
	if (!s->ring)
		return tr_err_set(err, TR_E_MEMORY, "the batch ring could not be made");
	if (tr_pipeline_open_store(p, err) != 0)
		return -1;
	if (ops->open(&s->sink, &p->sink_options, &p->metrics, err) != 0)
		return -1;
	/* Fence, then read: after it nobody else can move the state, and what an earlier session left open is decided. */
	if (p->transactional && (tr_owner_check_before(p, err) != 0 || ops->fence(s->sink, &p->stop_flag, err) != 0))
		return -1;
	if (p->transactional)
		tr_failpoint_at(TR_FP_FENCED);
	if ((p->transactional || !p->loaded) && tr_pipeline_load(p, err) != 0)
		return -1;
	tr_failpoint_at(TR_FP_LOADED);
	if (tr_owner_check_after(p, err) != 0 || check_sink(s, err) != 0 || tr_commit_make_up(p, err) != 0)
		return -1;
	if (pthread_create(&s->delivery, NULL, tr_delivery_thread, s) != 0)
		return tr_err_set(err, TR_E_SYSTEM, "the delivery thread could not be started");
	s->delivery_started = true;
	return 0;
}

/* False when the delivery thread has not ended within ms. */
static bool ended_within(tr_session *s, int ms)
{
	struct timespec until;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)ms * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&s->p->lock);
	while (!s->delivery_ended && pthread_cond_timedwait(&s->p->changed, &s->p->lock, &until) == 0)
		;
	ended = s->delivery_ended;
	pthread_mutex_unlock(&s->p->lock);
	return ended;
}

/* Past the deadline the sink is told to let go of whatever the delivery thread waits for in it. */
static void join_delivery(tr_session *s)
{
	bool interrupted = false;

	while (!ended_within(s, JOIN_SLICE_MS)) {
		int64_t deadline_us = atomic_load(&s->drain_deadline_us);

		atomic_store(&s->p->capture_turn_us, tr_clock_mono_us());
		if (deadline_us == 0 && tr_pipeline_stopping(s->p))
			atomic_store(&s->drain_deadline_us, tr_session_deadline_us(s->p));
		if (deadline_us > 0 && tr_clock_mono_us() > deadline_us && !interrupted) {
			s->sink->ops->interrupt(s->sink);
			interrupted = true;
		}
	}
	pthread_join(s->delivery, NULL);
}

int tr_session_close(tr_session *s, tr_err *err)
{
	int result = 0;

	if (s->ring)
		tr_ring_close(s->ring);
	if (s->delivery_started)
		join_delivery(s);
	if (atomic_load(&s->failed)) {
		*err = s->error;
		result = -1;
	}
	if (s->sink)
		s->sink->ops->free(s->sink);
	tr_ring_free(s->ring);
	pthread_mutex_destroy(&s->push_lock);
	return result;
}

int tr_session_push(tr_session *s, tr_batch *batch, bool with_position, tr_err *err)
{
	tr_source *source = s->p->source;
	bool pushed;

	if (with_position)
		source->ops->position(source, &batch->position);
	batch->state = TR_BATCH_SEALED;
	tr_failpoint_at(TR_FP_SEALED);
	tr_metric_add(&s->p->metrics, TR_M_BATCHES, 1);
	pthread_mutex_lock(&s->push_lock);
	batch->sequence = ++s->sequence;
	/* The ring holds as many as the pool has: a push can only fail because the delivery thread closed it. */
	pushed = tr_ring_push(s->ring, batch, 1000);
	pthread_mutex_unlock(&s->push_lock);
	if (pushed)
		return 0;
	tr_batch_put_back(batch);
	if (atomic_load(&s->failed)) {
		*err = s->error;
		return -1;
	}
	return tr_err_set(err, TR_E_BUG, "a sealed batch found no place in the ring");
}

static int wait_saved(tr_session *s, uint64_t before, tr_err *err)
{
	tr_pipeline *p = s->p;
	int result = 0;

	pthread_mutex_lock(&p->lock);
	while (p->saves == before && !atomic_load(&s->failed) && !tr_pipeline_stopping(p))
		pthread_cond_wait(&p->changed, &p->lock);
	if (p->saves == before) {
		if (atomic_load(&s->failed))
			*err = s->error;
		else
			tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
		result = -1;
	}
	pthread_mutex_unlock(&p->lock);
	return result;
}

int tr_session_note(tr_session *s, tr_batch_note note, bool with_position, tr_err *err)
{
	tr_batch *batch;

	while (!(batch = tr_batch_take(s->p->pool, 100)))
		if (tr_pipeline_stopping(s->p) || atomic_load(&s->failed))
			return atomic_load(&s->failed) ? (*err = s->error, -1) : tr_err_set(err, TR_E_INTERRUPTED, "stopped on request");
	batch->note = note;
	pthread_mutex_lock(&s->p->lock);
	uint64_t before = s->p->saves;
	pthread_mutex_unlock(&s->p->lock);
	if (tr_session_push(s, batch, with_position, err) != 0)
		return -1;
	return wait_saved(s, before, err);
}
