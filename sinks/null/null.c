/* null: counts and drops. For benchmarks and dry runs: everything up to the sink is real, nothing is kept. */
#include <stdio.h>
#include <stdlib.h>

#include "core/obj.h"
#include "sinks/inflight.h"
#include "sinks/sink.h"

typedef struct sink {
	tr_sink base;
	tr_metrics *metrics;
	tr_inflight inflight;
} sink;

static sink *self(tr_sink *s)
{
	TR_CHECK_OBJ(s, TR_SINK_MAGIC);
	return (sink *)s;
}

static int open_sink(tr_sink **out, const tr_sink_options *options, tr_metrics *metrics, tr_err *err)
{
	sink *s = calloc(1, sizeof(*s));

	(void)options;
	*out = NULL;
	if (!s)
		return tr_err_set(err, TR_E_MEMORY, "the sink could not be made");
	s->base = (tr_sink){.magic = TR_SINK_MAGIC, .ops = &tr_sink_null};
	s->metrics = metrics;
	tr_inflight_init(&s->inflight);
	*out = &s->base;
	return 0;
}

static int identity(tr_sink *s, char *out, size_t size, const volatile bool *stop, tr_err *err)
{
	(void)s;
	(void)stop;
	(void)err;
	snprintf(out, size, "null");
	return 0;
}

static int check(tr_sink *s, tr_finding_fn report, void *context, tr_err *err)
{
	(void)s;
	(void)err;
	report(context, &(tr_finding){.severity = TR_FINDING_WARNING, .subject = "sink null",
	    .what = "events are counted and dropped", .why = "positions move on although nothing keeps the events",
	    .fix = "sink.url: kafka://HOST:9092, file:DIR or stdout"});
	return 0;
}

static int send(tr_sink *base, tr_batch *batch, tr_err *err)
{
	sink *s = self(base);

	if (tr_inflight_push(&s->inflight, batch, err) != 0)
		return -1;
	batch->pending = 0;
	batch->state = TR_BATCH_SETTLED;
	if (s->metrics)
		tr_metric_add(s->metrics, TR_M_RECORDS_DELIVERED, (int64_t)batch->count);
	return 0;
}

static int poll_sink(tr_sink *base, int timeout_ms, tr_err *err)
{
	(void)self(base);
	(void)timeout_ms;
	(void)err;
	return 0;
}

static tr_batch *settled(tr_sink *base)
{
	return tr_inflight_pop_settled(&self(base)->inflight);
}

static int flush(tr_sink *base, tr_err *err)
{
	(void)self(base);
	(void)err;
	return 0;
}

static void interrupt(tr_sink *base)
{
	(void)self(base);
}

static void free_sink(tr_sink *base)
{
	if (!base)
		return;
	sink *s = self(base);
	tr_inflight_release(&s->inflight);
	s->base.magic = 0;
	free(s);
}

const tr_sink_ops tr_sink_null = {
	.kind = "null",
	.schemes = "null",
	.open = open_sink,
	.identity = identity,
	.check = check,
	.send = send,
	.poll = poll_sink,
	.settled = settled,
	.flush = flush,
	.interrupt = interrupt,
	.free = free_sink,
};
