/* A pipeline's life and its status. */
#include "pipeline/pipeline.h"

#include "core/log.h"
#include "core/text.h"
#include "pipeline/internal.h"

/* Shares of limits.memory, a quarter each: all batches together; one encoded event beyond them; and twice an event as the source
 * sends it (the database's library holds it until it is whole, then gives out a copy). The sink's bookkeeping of what is on its
 * way comes out of the first, and large events are rare enough that decoders' scratch has room in the others. */
#define POOL_SHARE 4
#define EVENT_SHARE 4
#define BATCHES 16
/* Small enough that a request of Kafka's usual limit, 1 MB, is put together of several while the one before is on its way, and
 * that neither reader nor sink waits for the other to finish. */
#define BATCH_MAX (128u << 10)
#define BATCH_MIN (64u << 10)
/* readyz: an unsettled batch or a loop that did not turn for this long means no progress. */
#define STALL_US (30 * 1000000)

const char *tr_pipeline_state_name(tr_pipeline_state state)
{
	static const char *const names[] = {"starting", "snapshot", "streaming", "waiting", "stopped", "standby", "failed"};

	return names[state];
}

void tr_pipeline_enter(tr_pipeline *p, tr_pipeline_state state, const tr_err *err)
{
	pthread_mutex_lock(&p->lock);
	p->state = state;
	p->state_since_us = tr_clock_mono_us();
	if (err)
		p->error = *err;
	else
		tr_err_clear(&p->error);
	if (state == TR_PIPELINE_WAITING)
		p->restarts++;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	tr_metric_set(&p->metrics, TR_M_STATE, state);
}

static void size_batches(tr_pipeline *p)
{
	const tr_pipeline_config *c = p->config;
	uint64_t memory = c->memory_bytes > 0 ? c->memory_bytes : 64u << 20;

	p->pool_bytes = memory / POOL_SHARE;
	uint64_t size = c->batch_bytes > 0 ? c->batch_bytes : p->pool_bytes / BATCHES;
	if (c->batch_bytes == 0 && size > BATCH_MAX)
		size = BATCH_MAX;
	if (size < BATCH_MIN)
		size = BATCH_MIN;
	/* Sealed a little before its size, so that the last event rarely doubles the buffer. */
	p->batch_target_bytes = size - size / 16;
	p->batch_max_bytes = size + memory / EVENT_SHARE;
	p->batch_count = (size_t)(p->pool_bytes / (size + size / 2)); /* a half for the records' own descriptions */
	if (p->batch_count < 4)
		p->batch_count = 4;
	tr_metric_set(&p->metrics, TR_M_QUEUE_CAPACITY, (int64_t)p->pool_bytes);
	tr_metric_set(&p->metrics, TR_M_MEMORY_LIMIT, (int64_t)memory);
}

static bool is_transactional(const tr_pipeline_config *config)
{
	const tr_sink_ops *ops = tr_sink_find(config->sink.url, NULL);

	return config->delivery == TR_EXACTLY_ONCE && ops && ops->fence;
}

/* The same in all instances of a pipeline: whoever comes last fences the others. */
static void transactional_id(const tr_pipeline_config *config, char *out, size_t size)
{
	tr_text_format(out, size, "tailrace-%s", config->name);
}

static void sink_options(tr_pipeline *p)
{
	p->sink_options = p->config->sink;
	p->sink_options.name = p->config->name;
	p->sink_options.events = &p->config->events;
	p->sink_options.queue_bytes = p->pool_bytes;
	p->transactional = is_transactional(p->config);
	if (!p->transactional)
		return;
	transactional_id(p->config, p->transactional_id, sizeof(p->transactional_id));
	p->sink_options.transactional_id = p->transactional_id;
	p->sink_options.transaction_timeout_ms = (int)p->config->transaction_timeout_ms;
}

int tr_pipeline_new(tr_pipeline **out, const tr_pipeline_config *config, tr_err *err)
{
	tr_pipeline *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	*out = NULL;
	if (!p)
		return tr_err_set(err, TR_E_MEMORY, "pipeline \"%s\" could not be made", config->name);
	p->magic = TR_PIPELINE_MAGIC;
	p->config = config;
	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
	tr_record_state_init(&p->record);
	tr_arena_init(&p->arena, 1 << 20);
	p->state_since_us = tr_clock_mono_us();
	size_batches(p);
	sink_options(p);
	tr_owner_name(p);
	*out = p;
	return 0;
}

tr_store_options tr_pipeline_store_options(const tr_pipeline_config *config, bool read_only)
{
	const tr_sink_options *sink = &config->sink;
	const tr_sink_ops *ops = tr_sink_find(sink->url, NULL);
	bool kafka = ops && ops->fence;
	tr_store_options options = {
	    .transactional = is_transactional(config),
	    .url = config->state_url,
	    .pipeline = config->name,
	    .read_only = read_only,
	    .kafka_url = kafka ? sink->url : NULL,
	    .kafka_properties = sink->properties,
	    .kafka_property_count = sink->property_count,
	    .replication = sink->replication,
	    .transaction_timeout_ms = (int)config->transaction_timeout_ms,
	};

	if (kafka)
		transactional_id(config, options.sink_transactional_id, sizeof(options.sink_transactional_id));
	return options;
}

/* A store that may have to wait for brokers. */
static bool store_waits(const tr_pipeline *p)
{
	const tr_store_ops *ops = tr_store_find(p->config->state_url, NULL);

	return p->transactional || (ops && ops->entry);
}

int tr_pipeline_open_store(tr_pipeline *p, tr_err *err)
{
	tr_store_options options = tr_pipeline_store_options(p->config, false);

	if (p->store)
		return 0;
	options.stop = &p->stop_flag;
	if (p->transactional)
		options.sink_transactional_id[0] = 0; /* our sink fences by itself */
	return tr_store_open(&p->store, &options, err);
}

/* What has to wait for brokers is left to the capture thread: this one takes signals and starts the others. */
static int open_store(tr_pipeline *p, tr_err *err)
{
	return store_waits(p) || (tr_pipeline_open_store(p, err) == 0 && tr_pipeline_load(p, err) == 0) ? 0 : -1;
}

int tr_pipeline_load(tr_pipeline *p, tr_err *err)
{
	tr_record_state_release(&p->record);
	tr_record_state_init(&p->record);
	int found = p->store->ops->load(p->store, &p->record, err);
	if (found < 0)
		return -1;
	p->loaded = true;
	pthread_mutex_lock(&p->lock);
	if (found == 1 && p->record.position.len > 0 && p->record.position.len < sizeof(p->position)) {
		memcpy(p->position, p->record.position.data, p->record.position.len);
		p->position[p->record.position.len] = 0;
	}
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static int open_source(tr_pipeline *p, tr_err *err)
{
	const char *known = NULL;
	const tr_source_ops *ops = tr_source_find(p->config->source.url, &known);

	if (!ops) /* the url may hold a password: it is not shown */
		return tr_err_set(err, TR_E_CONFIG, "the source's url has no known scheme (known: %s)", known);
	tr_source *source;
	int result = ops->open(&source, p->config->name, &p->config->source, &p->config->events, &p->metrics, err);
	/* Complete before the status thread, which runs already, can see it. */
	pthread_mutex_lock(&p->lock);
	p->source = source;
	pthread_mutex_unlock(&p->lock);
	return result;
}

static int open_pool(tr_pipeline *p, tr_err *err)
{
	tr_batch_pool *pool = tr_batch_pool_new(p->batch_count, p->batch_max_bytes);

	if (!pool)
		return tr_err_set(err, TR_E_MEMORY, "the batches could not be made");
	tr_batch_pool_budget(pool, (size_t)p->pool_bytes);
	pthread_mutex_lock(&p->lock);
	p->pool = pool;
	pthread_mutex_unlock(&p->lock);
	return 0;
}

static int begin(tr_pipeline *p, tr_err *err)
{
	if (open_store(p, err) != 0 || open_source(p, err) != 0)
		return -1;
	p->encoder_ops = tr_encoder_find(p->config->events.format);
	if (!p->encoder_ops)
		return tr_err_set(err, TR_E_CONFIG_UNSUPPORTED, "events.format is not in this build");
	if (p->encoder_ops->open(&p->encoder, &p->config->events, &p->config->registry, err) != 0)
		return -1;
	if (open_pool(p, err) != 0)
		return -1;
	if (pthread_create(&p->thread, NULL, tr_capture_thread, p) != 0)
		return tr_err_set(err, TR_E_SYSTEM, "the capture thread could not be started");
	p->started = true;
	return 0;
}

int tr_pipeline_start(tr_pipeline *p, tr_err *err)
{
	TR_CHECK_OBJ(p, TR_PIPELINE_MAGIC);
	if (begin(p, err) == 0)
		return 0;
	tr_pipeline_enter(p, TR_PIPELINE_STOPPED, err);
	return -1;
}

void tr_pipeline_stop(tr_pipeline *p)
{
	atomic_store(&p->stop, true);
	p->stop_flag = true;
	if (p->source)
		p->source->ops->interrupt(p->source);
	pthread_mutex_lock(&p->lock);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void tr_pipeline_abandon(tr_pipeline *p)
{
	atomic_store(&p->abandoned, true);
	tr_pipeline_stop(p);
}

bool tr_pipeline_wait(tr_pipeline *p, int timeout_ms)
{
	struct timespec until;
	bool ended;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000L;
	}
	pthread_mutex_lock(&p->lock);
	while (p->started && !atomic_load(&p->ended) && pthread_cond_timedwait(&p->changed, &p->lock, &until) == 0)
		;
	ended = !p->started || atomic_load(&p->ended);
	pthread_mutex_unlock(&p->lock);
	return ended;
}

int tr_pipeline_result(tr_pipeline *p, tr_err *err)
{
	pthread_mutex_lock(&p->lock);
	int result = p->result;
	if (result != 0 && err)
		*err = p->error;
	pthread_mutex_unlock(&p->lock);
	return result;
}

static bool progressing(tr_pipeline *p, int64_t now_us)
{
	int64_t oldest_us = atomic_load(&p->oldest_unsettled_us);

	if (p->state == TR_PIPELINE_WAITING || p->state == TR_PIPELINE_STOPPED || p->state == TR_PIPELINE_STARTING)
		return false;
	if (oldest_us > 0 && now_us - oldest_us > STALL_US)
		return false;
	/* Snapshot readers turn in their own threads; there the rows tell. */
	return p->state == TR_PIPELINE_SNAPSHOT || now_us - atomic_load(&p->capture_turn_us) < STALL_US;
}

static void counts(const tr_metrics *m, tr_pipeline_status *out)
{
	static const tr_metric ops[] = {TR_M_EVENTS_CREATE, TR_M_EVENTS_UPDATE, TR_M_EVENTS_DELETE, TR_M_EVENTS_READ,
	    TR_M_EVENTS_TRUNCATE, TR_M_EVENTS_MESSAGE};

	for (size_t i = 0; i < sizeof(ops) / sizeof(*ops); i++)
		out->events += (uint64_t)tr_metric_get(m, ops[i]);
	out->transactions = (uint64_t)tr_metric_get(m, TR_M_TRANSACTIONS);
	out->records_delivered = (uint64_t)tr_metric_get(m, TR_M_RECORDS_DELIVERED);
	out->bytes_delivered = (uint64_t)tr_metric_get(m, TR_M_BYTES_OUT);
}

void tr_pipeline_status_get(tr_pipeline *p, tr_pipeline_status *out)
{
	int64_t now_us = tr_clock_mono_us();

	pthread_mutex_lock(&p->lock);
	tr_source *source = p->source;
	tr_batch_pool *pool = p->pool;
	pthread_mutex_unlock(&p->lock);
	memset(out, 0, sizeof(*out));
	out->name = p->config->name;
	counts(&p->metrics, out);
	if (source)
		source->ops->lag(source, &out->lag);
	tr_metric_set(&p->metrics, TR_M_LAG_BYTES, (int64_t)out->lag.lag_bytes);
	tr_metric_set(&p->metrics, TR_M_LAG_TIME, out->lag.lag_us);
	tr_metric_set(&p->metrics, TR_M_SLOT_RETAINED, (int64_t)out->lag.retained_bytes);
	if (pool) {
		tr_metric_set(&p->metrics, TR_M_QUEUE_BYTES, (int64_t)tr_batch_pool_bytes(pool));
		tr_metric_set(&p->metrics, TR_M_MEMORY, (int64_t)tr_batch_pool_bytes(pool));
	}
	pthread_mutex_lock(&p->lock);
	out->state = p->state;
	out->state_since_us = p->state_since_us;
	memcpy(out->position, p->position, sizeof(out->position));
	out->last_commit_age_us = p->saved_us > 0 ? now_us - p->saved_us : -1;
	out->progressing = progressing(p, now_us);
	out->error = p->error;
	out->restarts = p->restarts;
	out->snapshot_tables = p->snapshot_tables;
	out->snapshot_tables_done = p->snapshot_tables_done;
	out->snapshot_rows = p->snapshot_rows;
	out->snapshot_rows_estimated = p->snapshot_rows_estimated;
	if (p->snapshot_begin_us > 0)
		out->snapshot_elapsed_us = (p->snapshot_end_us > 0 ? p->snapshot_end_us : now_us) - p->snapshot_begin_us;
	pthread_mutex_unlock(&p->lock);
}

tr_metrics *tr_pipeline_metrics(tr_pipeline *p)
{
	return &p->metrics;
}

void tr_pipeline_free(tr_pipeline *p)
{
	if (!p)
		return;
	TR_CHECK_OBJ(p, TR_PIPELINE_MAGIC);
	if (p->started) {
		tr_pipeline_stop(p);
		pthread_join(p->thread, NULL);
	}
	if (p->source)
		p->source->ops->free(p->source);
	tr_catalogue_free(p->catalogue);
	if (p->encoder)
		p->encoder_ops->free(p->encoder);
	if (p->store)
		p->store->ops->free(p->store);
	tr_batch_pool_free(p->pool);
	tr_record_state_release(&p->record);
	tr_arena_release(&p->arena);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	p->magic = 0;
	free(p);
}
