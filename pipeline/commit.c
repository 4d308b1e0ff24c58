/*
 * The one place where a position becomes durable: delivered -> recorded -> confirmed.
 *
 * Safe because of the order, and only because of it:
 *   - the sink returns batches in the order they were sent, and only when every record in them is durable there, so the
 *     position of a settled batch covers nothing that could still be lost;
 *   - `save` returns only when the record is on stable storage (whichever thread waits for that: state/saver.h);
 *   - only then is the position confirmed, after which the server may forget the log before it.
 * A crash between any two arrows leaves confirmed <= recorded <= delivered, and the next start reads from what is recorded.
 *
 * Exactly once: delivered and recorded are one step. The record is written inside of the transaction that holds the events,
 * after all of them settled and with nothing else in flight, so readers of committed records see both or none. A crash before
 * the commit leaves a transaction that the next fence aborts, and the record before it; a crash after it leaves both. Which of
 * the two it was, the next session reads from the state, after the fence.
 */
#include "core/failpoint.h"
#include "core/log.h"
#include "pipeline/internal.h"

/* So much in a transaction is worth waiting for as long as a commit takes. */
#define WAIT_BYTES (64u << 10)
/* While a save is under way, how often it is asked for. */
#define LOOK_MS 5

void tr_commit_init(tr_commit *c, tr_pipeline *p, tr_sink *sink)
{
	*c = (tr_commit){.p = p, .sink = sink};
}

static int begin(tr_commit *c, tr_err *err)
{
	if (c->open)
		return 0;
	if (c->sink->ops->begin(c->sink, err) != 0)
		return -1;
	tr_failpoint_at(TR_FP_SINK_BEGIN);
	c->open = true;
	c->moves = false;
	c->begun_us = tr_clock_mono_us();
	c->bytes = 0;
	return 0;
}

int tr_commit_sending(tr_commit *c, const tr_batch *batch, tr_err *err)
{
	if (!c->p->transactional)
		return 0;
	if (begin(c, err) != 0)
		return -1;
	c->bytes += batch->bytes.len;
	c->moves |= batch->position.len > 0 || batch->progress.len > 0 || batch->note != TR_NOTE_NONE;
	if (batch->position.len > 0)
		c->inside = batch->inside;
	c->live = batch->live;
	return 0;
}

static int take_position(tr_commit *c, const tr_batch *batch, tr_err *err)
{
	tr_record_state *r = &c->p->record;

	if (r->position.len > 0 &&
	    c->p->source->ops->compare(tr_writer_view(&batch->position), tr_writer_view(&r->position)) == -1)
		return tr_err_set(err, TR_E_STATE_BACKWARDS, "the position of batch %llu is before the one already taken",
		                  (unsigned long long)batch->sequence);
	tr_writer_reset(&r->position);
	tr_writer_slice(&r->position, tr_writer_view(&batch->position));
	if (!tr_writer_ok(&r->position))
		return tr_err_set(err, TR_E_MEMORY, "the position of batch %llu could not be kept", (unsigned long long)batch->sequence);
	c->dirty = c->p->unsaved = true;
	return 0;
}

static int take_note(tr_commit *c, tr_batch_note note, tr_err *err)
{
	tr_record_state *r = &c->p->record;
	tr_source_identity identity = {0};

	if (note == TR_NOTE_NONE)
		return 0;
	c->p->source->ops->identity(c->p->source, &identity);
	tr_writer_reset(&r->identity);
	tr_writer_text(&r->identity, identity.text);
	if (!tr_writer_ok(&r->identity))
		return tr_err_set(err, TR_E_MEMORY, "the source's identity could not be kept");
	if (note == TR_NOTE_SNAPSHOT_STARTED) {
		/* A new beginning (first start, or when_needed after a lost position): an old position must not outlive it. */
		r->snapshot = TR_SNAPSHOT_RUNNING;
		tr_writer_reset(&r->position);
	}
	if (note == TR_NOTE_SNAPSHOT_DONE)
		r->snapshot = TR_SNAPSHOT_DONE;
	c->dirty = c->urgent = c->p->unsaved = true;
	return 0;
}

int tr_commit_settled(tr_commit *c, const tr_batch *batch, tr_err *err)
{
	TR_ASSERT(batch->state == TR_BATCH_SETTLED);
	if (batch->progress.len > 0) {
		tr_writer_reset(&c->p->record.tables);
		tr_writer_slice(&c->p->record.tables, tr_writer_view(&batch->progress));
		c->dirty = c->p->unsaved = true;
	}
	tr_metric_add(&c->p->metrics, TR_M_BYTES_OUT, (int64_t)batch->bytes.len);
	if (batch->last_commit_us > c->newest_commit_us)
		c->newest_commit_us = batch->last_commit_us;
	if (take_note(c, batch->note, err) != 0)
		return -1;
	return batch->position.len > 0 ? take_position(c, batch, err) : 0;
}

static int remaining_ms(int64_t since_us, int64_t interval_ms)
{
	int64_t due_us = since_us + interval_ms * 1000 - tr_clock_mono_us();

	return due_us <= 0 ? 0 : (int)(due_us / 1000) + 1;
}

/* Also with nothing to say: the record tells others that its owner lives, and the owner whether it still is. */
static int sign_due_ms(const tr_commit *c)
{
	if (!tr_owner_signs(c->p))
		return -1;
	return c->leaves ? 0 : remaining_ms(c->signed_us, TR_OWNER_SIGN_MS);
}

/* A transaction of the sink ends when there is nothing more to put into it, or when it is large or old enough; rather at the
 * end of a source transaction than inside of one. */
static int transaction_due_ms(const tr_commit *c, bool idle)
{
	const tr_pipeline_config *config = c->p->config;
	int64_t interval_ms = config->transaction_interval_ms;

	if (!c->open)
		return c->dirty ? 0 : sign_due_ms(c);
	/* Rows of a snapshot, which no position follows: they stay together as long as the brokers allow, so that an interrupted
	 * snapshot leaves nothing behind. */
	if (!c->dirty && !c->moves)
		return remaining_ms(c->begun_us, config->transaction_timeout_ms / 2);
	if (c->inside && config->transaction_atomic)
		return -1;
	if (c->bytes >= config->transaction_bytes)
		return 0;
	/* Once it is overdue it may be cut anywhere: (commit position, index) is a position, too. */
	if (c->inside)
		return remaining_ms(c->begun_us, 2 * interval_ms);
	/* Whoever keeps up should not wait for us, and a commit costs the same for one event and for many: the more there is in it,
	 * the longer it waits for more. */
	if (idle || c->live) {
		int64_t early_us = c->took_us * ((int64_t)(c->bytes / WAIT_BYTES) + (idle ? 0 : 1));
		return remaining_ms(c->begun_us, early_us < interval_ms * 1000 ? early_us / 1000 : interval_ms);
	}
	return remaining_ms(c->begun_us, interval_ms);
}

int tr_commit_due_ms(const tr_commit *c, bool idle)
{
	if (c->saving)
		return LOOK_MS;
	if (c->urgent)
		return 0;
	if (c->p->transactional)
		return transaction_due_ms(c, idle);
	return c->dirty ? remaining_ms(c->last_save_us, c->p->config->state_interval_ms) : sign_due_ms(c);
}

static void publish(tr_commit *c, tr_slice position, int64_t newest_commit_us)
{
	tr_pipeline *p = c->p;
	size_t n = position.len;

	pthread_mutex_lock(&p->lock);
	if (n > 0 && n < sizeof(p->position)) {
		memcpy(p->position, position.ptr, n);
		p->position[n] = 0;
	} else if (n > 0) {
		memcpy(p->position, position.ptr, sizeof(p->position) - 4);
		memcpy(p->position + sizeof(p->position) - 4, "...", 4);
	}
	p->saved_us = tr_clock_mono_us();
	p->saves++;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (newest_commit_us > 0) {
		int64_t latency_us = tr_clock_wall_ns() / 1000 - newest_commit_us;
		tr_metric_set(&p->metrics, TR_M_TRANSACTION_LATENCY, latency_us > 0 ? latency_us : 0);
	}
}

/* Events and record in one transaction. */
static int save_in_transaction(tr_commit *c, tr_err *err)
{
	tr_pipeline *p = c->p;
	tr_store_entry e;

	if (begin(c, err) != 0 || p->store->ops->entry(p->store, &p->record, &e, err) != 0)
		return -1;
	const tr_sink_entry entry = {.topic = e.topic, .partition = e.partition, .key = e.key, .value = e.value};
	if (c->sink->ops->commit(c->sink, &entry, err) != 0)
		return -1;
	tr_failpoint_at(TR_FP_SINK_COMMIT);
	c->open = false;
	return p->store->ops->committed ? p->store->ops->committed(p->store, &p->record, err) : 0;
}

static void number_record(tr_commit *c)
{
	tr_pipeline *p = c->p;

	tr_writer_reset(&p->record.owner);
	if (tr_owner_signs(p) && !c->leaves)
		tr_writer_text(&p->record.owner, p->instance);
	p->record.sequence++;
	p->record.delivery = p->transactional ? TR_STATE_EXACTLY_ONCE : TR_STATE_AT_LEAST_ONCE;
	tr_record_state_stamp(&p->record, p->record.saved_at_ms);
}

static int save(tr_commit *c, tr_err *err)
{
	tr_pipeline *p = c->p;
	int result;

	number_record(c);
	result = p->transactional ? save_in_transaction(c, err) : p->store->ops->save(p->store, &p->record, err);
	if (result != 0) {
		p->record.sequence--;
		return -1;
	}
	c->signed_us = tr_clock_mono_us();
	p->unsaved = false;
	return 0;
}

int tr_commit_make_up(tr_pipeline *p, tr_err *err)
{
	tr_commit c;

	/* With transactions the record was read anew, behind the fence. */
	if (p->transactional || !p->unsaved)
		return 0;
	tr_commit_init(&c, p, NULL);
	return save(&c, err);
}

void tr_commit_leave(tr_commit *c)
{
	c->leaves = true;
}

void tr_commit_abandon(tr_commit *c)
{
	if (!c->open)
		return;
	tr_failpoint_at(TR_FP_SINK_ABORT);
	/* When it fails, the next fence does it. */
	c->sink->ops->abort(c->sink, &(tr_err){0});
	c->open = false;
}

/* From here the position is durable, so the server may be told: a crash before this line only means that it tells the same log
 * again, which the start drops by the recorded position. */
static void recorded(tr_commit *c, tr_slice position)
{
	tr_pipeline *p = c->p;

	tr_failpoint_at(TR_FP_RECORDED);
	if (position.len > 0) {
		p->source->ops->confirm(p->source, position);
		tr_metric_touch(&p->metrics, TR_M_CONFIRMED);
	}
	tr_failpoint_at(TR_FP_CONFIRMED);
}

static void count_save(tr_commit *c, int64_t begun_us)
{
	tr_metric_add(&c->p->metrics, TR_M_SAVES, 1);
	c->took_us = tr_clock_mono_us() - begun_us;
	tr_metric_add(&c->p->metrics, TR_M_SAVE_TIME, c->took_us);
	c->last_save_us = tr_clock_mono_us();
}

/* A save that was left to the saver: when it is over, its position is recorded. */
static int end_saving(tr_commit *c, bool wait, tr_err *err)
{
	int ended = c->saving ? tr_saver_end(c->saver, wait, err) : 0;

	if (ended == 0)
		return 0;
	c->saving = false;
	if (ended < 0)
		return -1;
	c->p->unsaved = c->dirty;
	tr_slice position = tr_writer_view(&tr_saver_record(c->saver)->position);
	count_save(c, c->save_begun_us);
	recorded(c, position);
	publish(c, position, c->saving_commit_us);
	c->signed_us = tr_clock_mono_us();
	return 0;
}

static int begin_saving(tr_commit *c, tr_err *err)
{
	if (!c->saver && tr_saver_new(&c->saver, c->p->store, err) != 0)
		return -1;
	tr_failpoint_at(TR_FP_DELIVERED);
	c->save_begun_us = tr_clock_mono_us();
	c->saving_commit_us = c->newest_commit_us;
	number_record(c);
	if (tr_saver_begin(c->saver, &c->p->record, err) != 0)
		return -1;
	c->saving = true;
	c->dirty = false;
	return 0;
}

int tr_commit_sign(tr_commit *c, tr_err *err)
{
	if (!tr_owner_signs(c->p))
		return 0;
	if (end_saving(c, true, err) != 0 || save(c, err) != 0)
		return -1;
	c->p->owner = true;
	c->p->fenced = false;
	return 0;
}

int tr_commit_save(tr_commit *c, tr_err *err)
{
	tr_pipeline *p = c->p;

	if (end_saving(c, true, err) != 0)
		return -1;
	if (!c->dirty && !c->open)
		return sign_due_ms(c) == 0 ? tr_commit_sign(c, err) : 0;
	tr_failpoint_at(TR_FP_DELIVERED);
	int64_t begun_us = tr_clock_mono_us();
	if (save(c, err) != 0)
		return -1;
	count_save(c, begun_us);
	recorded(c, tr_writer_view(&p->record.position));
	if (c->dirty) /* else only rows of a snapshot: the record says what it said */
		publish(c, tr_writer_view(&p->record.position), c->newest_commit_us);
	c->dirty = c->urgent = false;
	return 0;
}

int tr_commit_turn(tr_commit *c, bool idle, tr_err *err)
{
	if (end_saving(c, c->urgent, err) != 0)
		return -1;
	if (c->saving || tr_commit_due_ms(c, idle) != 0)
		return 0;
	return c->p->transactional || c->urgent || !c->dirty ? tr_commit_save(c, err) : begin_saving(c, err);
}

void tr_commit_release(tr_commit *c)
{
	tr_saver_free(c->saver);
	c->saver = NULL;
}
