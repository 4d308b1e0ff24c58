/*
 * The capture thread: runs sessions until the pipeline is asked to stop, --once is reached, or an error says stop.
 *
 *   open sink -> prepare source -> [snapshot] -> stream -> wind down -> (retry: again from the durable record)
 */
#include "core/log.h"
#include "core/text.h"
#include "pipeline/internal.h"

#define READ_WAIT_MS 100
/* A session that streamed this long was a success: the next failure starts counting anew. */
#define HEALTHY_US (10 * 1000000)
#define SHOWN_BYTES 200 /* of a position in the log */

typedef struct stored {
	tr_writer position, identity;
} stored;

static int copy_stored(const tr_pipeline *p, stored *from, tr_err *err)
{
	tr_writer_init(&from->position, 1 << 24);
	tr_writer_init(&from->identity, 1 << 16);
	tr_writer_slice(&from->position, tr_writer_view(&p->record.position));
	tr_writer_slice(&from->identity, tr_writer_view(&p->record.identity));
	if (!tr_writer_ok(&from->position) || !tr_writer_ok(&from->identity))
		return tr_err_set(err, TR_E_MEMORY, "the stored position could not be copied");
	return 0;
}

static void release_stored(stored *from)
{
	tr_writer_release(&from->position);
	tr_writer_release(&from->identity);
}

static int need_catalogue(tr_pipeline *p, tr_err *err)
{
	if (p->catalogue)
		return 0;
	tr_catalogue_config config = {
	    .options = &p->config->events,
	    .encoder_ops = p->encoder_ops,
	    .encoder = p->encoder,
	    .source_type = p->source->ops->source_type(&p->arena),
	    .connector = p->source->ops->connector,
	    .database = p->source->ops->database(p->source),
	    .skips_changes = p->source->ops->skips_changes,
	    .version = p->config->version,
	    .stop = &p->stop_flag,
	    .metrics = &p->metrics,
	};
	return tr_catalogue_new(&p->catalogue, &config, err);
}

static bool position_is_lost(const tr_err *err)
{
	return err->code == TR_E_POSITION_LOST || err->code == TR_E_SLOT_MISSING || err->code == TR_E_SLOT_INVALID;
}

/* Connects and decides where to begin. With snapshot mode when_needed a lost position means a new snapshot; nothing else
 * ever starts from zero by itself. */
static int prepare(tr_pipeline *p, bool *snapshot, tr_err *err)
{
	stored from = {0};
	int result = copy_stored(p, &from, err);

	if (result == 0)
		result = p->source->ops->prepare(p->source, tr_writer_view(&from.position), tr_writer_view(&from.identity), snapshot, err);
	if (result != 0 && position_is_lost(err) && p->config->source.snapshot_mode == TR_SNAPSHOT_WHEN_NEEDED) {
		tr_log_err(TR_LOG_WARN, p->config->name, "snapshot.needed", err);
		p->source->ops->disconnect(p->source);
		result = p->source->ops->prepare(p->source, tr_slice_of(NULL, 0), tr_writer_view(&from.identity), snapshot, err);
	}
	release_stored(&from);
	return result;
}

/* Reads until there is a reason to end: 0 = asked to stop or --once reached, -1 = error. */
static int stream(tr_session *s, tr_listener *l, tr_err *err)
{
	tr_pipeline *p = s->p;

	while (!tr_pipeline_stopping(p)) {
		atomic_store_explicit(&p->capture_turn_us, tr_clock_mono_us(), memory_order_relaxed);
		if (atomic_load_explicit(&s->failed, memory_order_relaxed)) {
			*err = s->error;
			return -1;
		}
		if (p->source->ops->read(p->source, l, READ_WAIT_MS, err) != 0) {
			if (tr_pipeline_stopping(p) && err->code == TR_E_INTERRUPTED)
				return 0;
			if (atomic_load(&s->failed))
				*err = s->error;
			return -1;
		}
		if (p->config->once && p->source->ops->caught_up(p->source))
			return 0;
	}
	return 0;
}

/* What the next positions belong to: after a promotion another branch of history than the stored one, which `prepare` has
 * found to hold the stored position too. Durable before the first position that may lie on the new branch only. */
static bool identity_changed(const tr_pipeline *p)
{
	tr_source_identity now = {0};

	p->source->ops->identity(p->source, &now);
	return !tr_slice_eq(tr_slice_str(now.text), tr_writer_view(&p->record.identity));
}

static void tell_start(tr_pipeline *p, bool continued)
{
	tr_writer at;
	tr_slice shown;

	tr_writer_init(&at, 1 << 24);
	p->source->ops->position(p->source, &at);
	shown = tr_text_cut_bytes(tr_writer_view(&at), SHOWN_BYTES);
	tr_log(TR_LOG_INFO, p->config->name, "stream.started", "%s %.*s%s", continued ? "continues at" : "streaming from",
	       (int)shown.len, (const char *)shown.ptr, shown.len < at.len ? "..." : "");
	tr_writer_release(&at);
}

/* continued: from a position that an earlier session has stored, not from this one's snapshot or from now. */
static int stream_phase(tr_session *s, bool had_position, bool continued, tr_err *err)
{
	tr_pipeline *p = s->p;
	tr_host_listener *h = NULL;
	int result;

	/* Without a snapshot the intent is recorded here, before `start` makes the slot. */
	if ((!had_position || identity_changed(p)) && tr_session_note(s, TR_NOTE_IDENTITY, false, err) != 0)
		return -1;
	if (tr_stream_listener_new(&h, s, err) != 0)
		return -1;
	result = p->source->ops->start(p->source, tr_host_listener_base(h), err);
	/* From "now" means the first start, also when nothing happens before the second one: not every source keeps a slot. */
	if (result == 0 && !had_position)
		result = tr_session_note(s, TR_NOTE_IDENTITY, true, err);
	if (result == 0) {
		tell_start(p, continued);
		tr_pipeline_enter(p, TR_PIPELINE_STREAMING, NULL);
		result = stream(s, tr_host_listener_base(h), err);
	}
	/* After an error the open batch is forgotten: the next session reads it again from the durable position. */
	if (tr_host_listener_free(h, result != 0, result == 0 ? err : NULL) != 0 && result == 0)
		result = -1;
	return result;
}

static int run(tr_session *s, tr_err *err)
{
	tr_pipeline *p = s->p;
	bool snapshot = false, had_position = p->record.position.len > 0;

	if (prepare(p, &snapshot, err) != 0 || need_catalogue(p, err) != 0)
		return -1;
	if (snapshot && tr_pipeline_snapshot(s, err) != 0)
		return -1;
	if (p->config->source.snapshot_mode == TR_SNAPSHOT_ONLY)
		return 0;
	return stream_phase(s, had_position || snapshot, had_position && !snapshot, err);
}

static int run_session(tr_pipeline *p, tr_err *err)
{
	tr_session s;
	int result = tr_session_open(&s, p, err);
	tr_err closing = {0};

	if (result == 0)
		result = run(&s, err);
	if (result != 0 && tr_pipeline_stopping(p) && err->code == TR_E_INTERRUPTED)
		result = 0;
	/* Streaming ends without an error only when all is done. */
	atomic_store(&s.last, result == 0);
	if (tr_pipeline_stopping(p) || result != 0)
		atomic_store(&s.drain_deadline_us, tr_session_deadline_us(p));
	/* A clean end with a failed delivery is a failure, and so is a source that the failed delivery has interrupted, wherever it
	 * was; after an error of the source's own, that one is the news. */
	if (tr_session_close(&s, &closing) != 0 && (result == 0 || err->code == TR_E_INTERRUPTED)) {
		*err = closing;
		result = tr_pipeline_stopping(p) && closing.code == TR_E_INTERRUPTED ? 0 : -1;
	}
	/* The last feedback goes out here, after the last record was saved. */
	p->source->ops->disconnect(p->source);
	return result;
}

static void wait_before_retry(tr_pipeline *p, int ms)
{
	for (int64_t end_us = tr_clock_mono_us() + (int64_t)ms * 1000; !tr_pipeline_stopping(p) && tr_clock_mono_us() < end_us;) {
		atomic_store(&p->capture_turn_us, tr_clock_mono_us());
		tr_clock_sleep_ms(ms < 50 ? ms : 50);
	}
}

/* A session fences whoever wrote before it: only its owner may begin one. */
static void wait_allowed(tr_pipeline *p)
{
	while (p->config->may_begin && !tr_pipeline_stopping(p) && !p->config->may_begin(p->config->may_begin_context))
		wait_before_retry(p, 50);
}

/* What nobody misses until the server's disk is full: a slot that no run will read again. */
static void tell_left(tr_pipeline *p)
{
	tr_source_left left = {0};

	/* In a fleet another instance goes on. */
	if (p->source->ops->leaves && !p->config->may_begin)
		p->source->ops->leaves(p->source, &left);
	if (*left.what)
		tr_log(TR_LOG_INFO, p->config->name, "source.left", "left at the source: %s%s; if no run is to go on from here: "
		       "tailrace offsets reset --drop, or %s", left.what,
		       left.keeps_log ? "; the server keeps its log for the next run" : "", left.sql);
}

static void finish(tr_pipeline *p, int result, const tr_err *err)
{
	tr_pipeline_enter(p, TR_PIPELINE_STOPPED, result == 0 ? NULL : err);
	pthread_mutex_lock(&p->lock);
	p->result = result;
	atomic_store(&p->ended, true);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

/* True when the error may pass and there is time left. */
static bool worth_retrying(const tr_pipeline *p, const tr_err *err, int64_t failing_since_us)
{
	int64_t total_ms = p->config->source.retry_total_ms;

	if (tr_err_reaction(err->code) != TR_REACT_RETRY && !p->fenced)
		return false;
	/* Whoever had the pipeline before has to notice that first. */
	if (err->code == TR_E_SLOT_BUSY && p->owner && total_ms < TR_OWNER_TAKEOVER_MS)
		total_ms = total_ms > 0 ? TR_OWNER_TAKEOVER_MS : 0;
	return total_ms <= 0 || tr_clock_mono_us() - failing_since_us < total_ms * 1000;
}

void *tr_capture_thread(void *pipeline)
{
	tr_pipeline *p = pipeline;
	tr_backoff backoff;
	int64_t failing_since_us = tr_clock_mono_us();
	tr_err err = {0};
	int result;

	TR_CHECK_OBJ(p, TR_PIPELINE_MAGIC);
	tr_backoff_init(&backoff, 200, p->config->source.retry_max_ms > 0 ? p->config->source.retry_max_ms : 30000);
	for (;;) {
		wait_allowed(p);
		int64_t begin_us = tr_clock_mono_us();
		tr_err_clear(&err);
		result = tr_pipeline_stopping(p) ? 0 : run_session(p, &err);
		if (result == 0 || tr_pipeline_stopping(p))
			break;
		if (p->state == TR_PIPELINE_STREAMING && tr_clock_mono_us() - begin_us > HEALTHY_US) {
			failing_since_us = tr_clock_mono_us();
			tr_backoff_reset(&backoff);
		}
		tr_metric_error(&p->metrics, err.code);
		p->fenced = tr_owner_doubts(p, &err);
		if (!worth_retrying(p, &err, failing_since_us))
			break;
		tr_pipeline_enter(p, TR_PIPELINE_WAITING, &err);
		tr_log_err(TR_LOG_WARN, p->config->name, "session.retry", &err);
		wait_before_retry(p, tr_backoff_next_ms(&backoff));
		tr_metric_add(&p->metrics, TR_M_RESTARTS, 1);
	}
	/* Asked to stop while something was wrong: what is durable is durable, the rest is read again at the next start. */
	if (result != 0 && tr_pipeline_stopping(p))
		result = 0;
	tell_left(p);
	finish(p, result, &err);
	return NULL;
}
