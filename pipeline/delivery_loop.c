/*
 * The delivery thread of a session: takes sealed batches, hands them to the sink in order, collects what is settled and
 * lets commit.c make it durable. It alone waits for the sink and the disk; the capture thread never does.
 */
#include "core/failpoint.h"
#include "core/log.h"
#include "pipeline/internal.h"

/* While records are in flight, how long one turn waits for acknowledgements before it looks at the ring again. */
#define POLL_BUSY_MS 2
#define WAIT_IDLE_MS 100

typedef struct delivery {
	tr_session *s;
	tr_commit commit;
	size_t in_flight; /* batches sent, not collected */
	bool sending;     /* a batch that is counted to the open transaction waits for the sink to take it */
} delivery;

static int collect(delivery *d, tr_err *err)
{
	tr_sink *sink = d->s->sink;
	tr_batch *batch;
	int result = 0;

	while (result == 0 && (batch = sink->ops->settled(sink)) != NULL) {
		d->in_flight--;
		atomic_store(&d->s->p->oldest_unsettled_us, d->in_flight > 0 ? tr_clock_mono_us() : 0);
		if (batch->state == TR_BATCH_SETTLED)
			result = tr_commit_settled(&d->commit, batch, err);
		else {
			if (batch->error)
				*err = *batch->error;
			else
				tr_err_set(err, TR_E_SINK_FATAL, "the sink failed a batch without saying why");
			result = -1;
		}
		tr_batch_put_back(batch);
	}
	return result;
}

/* Nothing is on its way and nothing waits. */
static bool is_idle(const delivery *d)
{
	return d->in_flight == 0 && tr_ring_count(d->s->ring) == 0;
}

static bool deadline_passed(const tr_session *s)
{
	int64_t deadline_us = atomic_load_explicit(&s->drain_deadline_us, memory_order_relaxed);

	return tr_ring_closed(s->ring) && deadline_us > 0 && tr_clock_mono_us() > deadline_us;
}

/* One turn of waiting for the sink: drives it, collects, saves when due. */
static int settle(delivery *d, int wait_ms, tr_err *err)
{
	int due_ms = tr_commit_due_ms(&d->commit, is_idle(d));

	if (due_ms >= 0 && due_ms < wait_ms)
		wait_ms = due_ms;
	if (d->s->sink->ops->poll(d->s->sink, d->in_flight > 0 ? wait_ms : 0, err) != 0 || collect(d, err) != 0)
		return -1;
	/* A transaction holds all that was sent, so it ends only when all of that has settled. */
	if (d->s->p->transactional && (d->in_flight > 0 || d->sending))
		return 0;
	return tr_commit_turn(&d->commit, is_idle(d), err);
}

static int send(delivery *d, tr_batch *batch, tr_err *err)
{
	tr_sink *sink = d->s->sink;
	int sent;

	if (tr_commit_sending(&d->commit, batch, err) != 0) {
		tr_batch_put_back(batch);
		return -1;
	}
	tr_failpoint_at(TR_FP_SEND);
	d->sending = true;
	while ((sent = sink->ops->send(sink, batch, err)) == 1) {
		if (deadline_passed(d->s)) {
			tr_batch_put_back(batch);
			return tr_err_set(err, TR_E_INTERRUPTED, "the sink took no more before the deadline");
		}
		if (settle(d, POLL_BUSY_MS, err) != 0)
			sent = -1;
		if (sent == -1)
			break;
	}
	d->sending = false;
	if (sent != 0) {
		tr_batch_put_back(batch);
		return -1;
	}
	if (d->in_flight++ == 0)
		atomic_store(&d->s->p->oldest_unsettled_us, tr_clock_mono_us());
	tr_failpoint_at(TR_FP_SENT);
	return 0;
}

/* How long the ring may be waited for: not past the next save. */
static int ring_wait_ms(const delivery *d)
{
	int due_ms = tr_commit_due_ms(&d->commit, is_idle(d));

	if (d->in_flight > 0)
		return 0;
	return due_ms >= 0 && due_ms < WAIT_IDLE_MS ? due_ms : WAIT_IDLE_MS;
}

/* At the end of a session that did not reach its end: what settled before need not be sent again. */
static void save_prefix(delivery *d)
{
	if (d->s->p->transactional)
		tr_commit_abandon(&d->commit);
	else
		tr_commit_save(&d->commit, NULL);
}

/* A transaction that is due takes no more: what is in flight settles, then it is committed. */
static int commit_due(delivery *d, tr_err *err)
{
	if (!d->s->p->transactional || tr_commit_due_ms(&d->commit, is_idle(d)) != 0)
		return 0;
	while (d->in_flight > 0) {
		if (deadline_passed(d->s))
			return tr_err_set(err, TR_E_INTERRUPTED, "a transaction was not acknowledged before the deadline");
		if (settle(d, POLL_BUSY_MS, err) != 0)
			return -1;
	}
	return tr_commit_save(&d->commit, err);
}

/* After the ring is closed and empty: everything sent becomes durable, then the record. */
static int finish(delivery *d, tr_err *err)
{
	if (d->in_flight > 0 && d->s->sink->ops->flush(d->s->sink, err) != 0)
		return -1;
	while (d->in_flight > 0) {
		if (deadline_passed(d->s)) {
			/* What is unsettled was never recorded: the next start reads it again. The settled prefix is recorded. */
			save_prefix(d);
			return tr_err_set(err, TR_E_INTERRUPTED, "%zu batches were not acknowledged before the deadline", d->in_flight);
		}
		if (settle(d, POLL_BUSY_MS, err) != 0)
			return -1;
	}
	/* A snapshot that is not complete is taken back as a whole. */
	if (d->s->p->transactional && !d->commit.dirty)
		tr_commit_abandon(&d->commit);
	if (atomic_load(&d->s->last))
		tr_commit_leave(&d->commit);
	return tr_commit_save(&d->commit, err);
}

static int turns(delivery *d, tr_err *err)
{
	tr_session *s = d->s;

	if (tr_commit_sign(&d->commit, err) != 0)
		return -1;
	for (;;) {
		atomic_store_explicit(&s->p->delivery_turn_us, tr_clock_mono_us(), memory_order_relaxed);
		if (commit_due(d, err) != 0)
			return -1;
		tr_batch *batch = tr_ring_pop(s->ring, ring_wait_ms(d));
		if (batch && send(d, batch, err) != 0)
			return -1;
		if (!batch && tr_ring_closed(s->ring) && tr_ring_count(s->ring) == 0)
			return finish(d, err);
		if (settle(d, batch ? 0 : POLL_BUSY_MS, err) != 0)
			return -1;
	}
}

/* What is left in the ring after a failure is forgotten: it was never recorded. */
static void discard(tr_session *s)
{
	tr_batch *batch;

	while ((batch = tr_ring_pop(s->ring, 0)) != NULL)
		tr_batch_put_back(batch);
}

void *tr_delivery_thread(void *session)
{
	tr_session *s = session;
	delivery d = {.s = s};
	tr_err err = {0};

	tr_commit_init(&d.commit, s->p, s->sink);
	if (turns(&d, &err) != 0) {
		if (err.code == TR_E_INTERRUPTED)
			save_prefix(&d);
		s->error = err;
		atomic_store(&s->failed, true);
		tr_ring_close(s->ring);
		discard(s);
		s->p->source->ops->interrupt(s->p->source);
	}
	tr_commit_release(&d.commit);
	atomic_store(&s->p->oldest_unsettled_us, 0);
	/* Whoever waits for the end, or for a note to become durable (and so looks at `failed`), is told. */
	pthread_mutex_lock(&s->p->lock);
	s->delivery_ended = true;
	pthread_cond_broadcast(&s->p->changed);
	pthread_mutex_unlock(&s->p->lock);
	return NULL;
}
