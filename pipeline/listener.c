/*
 * What the source reports to: events go through the emitter into the open batch; the batch is sealed when it is full, or
 * as soon as the source has nothing more to read (so that a quiet source has no added latency). Inside of a transaction that
 * is no end: the rest of it is on its way, and only when it stays away does the batch go without it.
 *
 * A batch is sealed only between events, so the records of one event (delete, tombstone, create of a key change) are never
 * apart, and the position written into it is exactly the one after its last event.
 */
#include "core/failpoint.h"
#include "pipeline/internal.h"

/* A moved position without records (a keepalive, transactions of other tables) is recorded this often. */
#define IDLE_POSITION_US (5 * 1000000)
/* The rest of a transaction follows at once, unless the server or the network is in trouble. */
#define REST_OF_TRANSACTION_US (20 * 1000)
/* Rows of small tables share batches for as long: a sink opens the topics of one batch together. */
#define SNAPSHOT_SEAL_US (1 * 1000000)
#define LISTENER_OF_MAGIC 0x11573e02u

struct tr_host_listener {
	tr_listener base;         /* first: a tr_listener * is this */
	uint32_t magic;
	tr_session *s;
	tr_emitter *emitter;
	tr_batch *batch;          /* open, or NULL */
	bool inside;              /* of a source transaction */
	bool split;               /* the last sealed batch ended inside of one */
	bool stream;              /* sealed with a position; a snapshot reader's rows move none */
	size_t records_max;
	int64_t heartbeat_due_us; /* monotonic; 0 = none */
	int64_t position_us;      /* monotonic: when a position was last sealed */
	int64_t opened_us;        /* monotonic: when the open batch was taken */
	tr_writer last_position;
};

static tr_host_listener *self(tr_listener *l)
{
	TR_CHECK_OBJ(l, TR_LISTENER_MAGIC);
	tr_host_listener *h = (tr_host_listener *)(void *)l;
	TR_CHECK_OBJ(h, LISTENER_OF_MAGIC);
	return h;
}

static int seal(tr_host_listener *h, bool live, tr_err *err)
{
	tr_batch *batch = h->batch;

	if (!batch)
		return 0;
	h->batch = NULL;
	tr_emitter_batch(h->emitter, NULL);
	h->position_us = tr_clock_mono_us();
	batch->inside = h->split = h->inside;
	batch->live = live;
	return tr_session_push(h->s, batch, h->stream, err);
}

static bool full(const tr_host_listener *h)
{
	return h->batch->bytes.len >= h->s->p->batch_target_bytes || h->batch->count >= h->records_max;
}

/* An open batch with room. A stream must not wait here (keepalives); a snapshot reader has nothing else to do. */
static tr_listen ready(tr_listener *l)
{
	tr_host_listener *h = self(l);

	if (h->batch && !full(h))
		return TR_LISTEN_OK;
	if (h->batch && !h->stream)
		tr_failpoint_at(TR_FP_SNAPSHOT_ROWS);
	/* The session keeps the error when its delivery thread has given up, the only way sealing fails. */
	if (h->batch && seal(h, false, &(tr_err){0}) != 0)
		return TR_LISTEN_FAILED;
	if (atomic_load_explicit(&h->s->failed, memory_order_relaxed))
		return TR_LISTEN_FAILED;
	/* The batches together keep to their share of limits.memory, however large single events made some of them. */
	if (tr_batch_pool_exhausted(h->s->p->pool)) {
		if (!h->stream)
			tr_clock_sleep_ms(2);
		return TR_LISTEN_BUSY;
	}
	h->batch = tr_batch_take(h->s->p->pool, h->stream ? 0 : 50);
	if (!h->batch)
		return TR_LISTEN_BUSY;
	h->opened_us = tr_clock_mono_us();
	tr_emitter_batch(h->emitter, h->batch);
	return TR_LISTEN_OK;
}

static tr_listen failed(const tr_host_listener *h, tr_err *err)
{
	if (atomic_load(&h->s->failed))
		*err = h->s->error;
	return TR_LISTEN_FAILED;
}

static tr_listen on_begin(tr_listener *l, tr_slice txn_id, int64_t commit_us, tr_err *err)
{
	tr_host_listener *h = self(l);

	if (tr_emitter_begin(h->emitter, txn_id, commit_us, err) != 0)
		return failed(h, err);
	h->inside = true;
	return TR_LISTEN_OK;
}

static tr_listen on_change(tr_listener *l, const tr_change *change, tr_err *err)
{
	tr_host_listener *h = self(l);

	TR_ASSERT(h->batch != NULL);
	tr_failpoint_at(TR_FP_DECODED);
	if (tr_emitter_change(h->emitter, change, err) != 0)
		return failed(h, err);
	h->batch->changes++;
	return TR_LISTEN_OK;
}

static tr_listen on_commit(tr_listener *l, tr_slice txn_id, int64_t commit_us, tr_err *err)
{
	tr_host_listener *h = self(l);

	TR_ASSERT(h->batch != NULL);
	if (tr_emitter_commit(h->emitter, txn_id, commit_us, err) != 0)
		return failed(h, err);
	h->inside = false;
	tr_failpoint_at(TR_FP_COMMIT_READ);
	h->batch->transactions++;
	h->batch->last_commit_us = commit_us;
	tr_metric_add(&h->s->p->metrics, TR_M_TRANSACTIONS, 1);
	tr_metric_touch(&h->s->p->metrics, TR_M_LAST_COMMIT);
	return TR_LISTEN_OK;
}

static int heartbeat(tr_host_listener *h, int64_t now_us, tr_err *err)
{
	if (h->heartbeat_due_us == 0 || now_us < h->heartbeat_due_us || ready(&h->base) != TR_LISTEN_OK)
		return 0;
	h->heartbeat_due_us = now_us + h->s->p->config->events.heartbeat_interval_ms * 1000;
	return tr_emitter_heartbeat(h->emitter, err);
}

/* Nothing was read for a while but the log went on without us: keep that, too, or a restart reads it all again. */
static int idle_position(tr_host_listener *h, int64_t now_us, tr_err *err)
{
	tr_source *source = h->s->p->source;
	tr_writer position;
	int result = 0;

	if (now_us - h->position_us < IDLE_POSITION_US)
		return 0;
	h->position_us = now_us;
	tr_writer_init(&position, 1 << 20);
	source->ops->position(source, &position);
	if (!tr_slice_eq(tr_writer_view(&position), tr_writer_view(&h->last_position))) {
		tr_writer_reset(&h->last_position);
		tr_writer_slice(&h->last_position, tr_writer_view(&position));
		if (ready(&h->base) == TR_LISTEN_OK)
			result = seal(h, true, err);
	}
	tr_writer_release(&position);
	return result;
}

/* Whether the open batch, which holds something, should go now. */
static bool worth_sealing(const tr_host_listener *h, int64_t now_us)
{
	if (h->inside)
		return now_us - h->opened_us >= REST_OF_TRANSACTION_US;
	/* Transactions that gave no record move only the position: no need to hurry, unless their records were sent before. */
	return h->batch->count > 0 || h->split || now_us - h->position_us >= IDLE_POSITION_US;
}

static tr_listen on_idle(tr_listener *l, tr_err *err)
{
	tr_host_listener *h = self(l);
	int64_t now_us = tr_clock_mono_us();

	if (heartbeat(h, now_us, err) != 0)
		return failed(h, err);
	if (h->batch && (h->batch->count > 0 || h->batch->transactions > 0)) {
		if (!worth_sealing(h, now_us))
			return TR_LISTEN_OK;
		return seal(h, true, err) == 0 ? TR_LISTEN_OK : failed(h, err);
	}
	return idle_position(h, now_us, err) == 0 ? TR_LISTEN_OK : failed(h, err);
}

static tr_listen on_snapshot_progress(tr_listener *l, const tr_table *table, uint64_t rows, bool table_done, tr_err *err)
{
	tr_host_listener *h = self(l);

	(void)table;
	(void)rows;
	if (!table_done)
		return TR_LISTEN_OK;
	if (h->batch && h->batch->count > 0 && tr_clock_mono_us() - h->opened_us > SNAPSHOT_SEAL_US && seal(h, false, err) != 0)
		return failed(h, err);
	tr_failpoint_at(TR_FP_SNAPSHOT_TABLE);
	return TR_LISTEN_OK;
}

static void put_back(tr_host_listener *h)
{
	tr_emitter_batch(h->emitter, NULL);
	tr_batch_put_back(h->batch);
	h->batch = NULL;
}

static bool holds_nothing(const tr_host_listener *h)
{
	return h->batch && h->batch->count == 0 && h->batch->transactions == 0;
}

static tr_listen on_pause(tr_listener *l, tr_err *err)
{
	tr_host_listener *h = self(l);

	if (holds_nothing(h))
		put_back(h);
	return seal(h, false, err) == 0 ? TR_LISTEN_OK : failed(h, err);
}

static int listener_new(tr_host_listener **out, tr_session *s, bool stream, tr_err *err)
{
	tr_host_listener *h = calloc(1, sizeof(*h));

	*out = NULL;
	if (!h)
		return tr_err_set(err, TR_E_MEMORY, "a listener could not be made");
	h->base = (tr_listener){.magic = TR_LISTENER_MAGIC, .ready = ready, .begin = on_begin, .change = on_change,
	    .commit = on_commit, .idle = on_idle, .snapshot_progress = on_snapshot_progress, .pause = on_pause,
	    .catalogue = s->p->catalogue};
	h->magic = LISTENER_OF_MAGIC;
	h->s = s;
	h->stream = stream;
	h->records_max = 20000;
	h->position_us = tr_clock_mono_us();
	if (stream && s->p->config->events.heartbeat_interval_ms > 0)
		h->heartbeat_due_us = h->position_us + s->p->config->events.heartbeat_interval_ms * 1000;
	tr_writer_init(&h->last_position, 1 << 20);
	h->emitter = tr_emitter_new(s->p->catalogue);
	if (!h->emitter) {
		free(h);
		return tr_err_set(err, TR_E_MEMORY, "an emitter could not be made");
	}
	*out = h;
	return 0;
}

int tr_stream_listener_new(tr_host_listener **out, tr_session *s, tr_err *err)
{
	return listener_new(out, s, true, err);
}

int tr_reader_listener_new(tr_host_listener **out, tr_session *s, tr_err *err)
{
	return listener_new(out, s, false, err);
}

tr_listener *tr_host_listener_base(tr_host_listener *h)
{
	return &h->base;
}

int tr_host_listener_free(tr_host_listener *h, bool discard, tr_err *err)
{
	int result = 0;

	if (!h)
		return 0;
	if (h->batch && (discard || holds_nothing(h)))
		put_back(h);
	result = seal(h, false, err);
	tr_emitter_free(h->emitter);
	tr_writer_release(&h->last_position);
	h->magic = h->base.magic = 0;
	free(h);
	return result;
}
