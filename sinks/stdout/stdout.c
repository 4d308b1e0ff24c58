/*
 * stdout: one JSON object a line, {"topic":…,"key":…,"value":…}; an absent key or value is null. Works on a file, a pipe or a
 * terminal, also on one set to non-blocking. A batch is settled when all its lines were written.
 *
 * Refuses formats other than JSON: a terminal cannot read Avro.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/obj.h"
#include "core/text.h"
#include "sinks/inflight.h"
#include "sinks/sink.h"

#define BUFFER_BYTES (64u << 10) /* lines are collected to this before a write */
#define KEEP_BYTES (1u << 20)

typedef struct sink {
	tr_sink base;
	tr_metrics *metrics;
	tr_inflight inflight;
	tr_writer out;
	_Atomic(bool) stop;
	tr_err failed;
} sink;

static sink *self(tr_sink *s)
{
	TR_CHECK_OBJ(s, TR_SINK_MAGIC);
	return (sink *)s;
}

static int open_sink(tr_sink **out, const tr_sink_options *options, tr_metrics *metrics, tr_err *err)
{
	sink *s;
	struct sigaction old;

	*out = NULL;
	if (options->events->format != TR_FORMAT_JSON) {
		tr_err_set(err, TR_E_SINK_CONFIG, "sink \"stdout\" writes JSON only");
		return tr_err_hint(err, "Set events.format: json, or send Avro to a file (sink.url: file:DIR) or to Kafka.");
	}
	s = calloc(1, sizeof(*s));
	if (!s)
		return tr_err_set(err, TR_E_MEMORY, "the sink could not be made");
	s->base = (tr_sink){.magic = TR_SINK_MAGIC, .ops = &tr_sink_stdout};
	s->metrics = metrics;
	tr_inflight_init(&s->inflight);
	tr_writer_init(&s->out, UINT32_MAX);
	/* A reader that leaves (head, less) is an error value here, not the end of the process. */
	if (sigaction(SIGPIPE, NULL, &old) == 0 && old.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
	*out = &s->base;
	return 0;
}

static int identity(tr_sink *s, char *out, size_t size, const volatile bool *stop, tr_err *err)
{
	(void)s;
	(void)stop;
	(void)err;
	snprintf(out, size, "stdout");
	return 0;
}

static int check(tr_sink *base, tr_finding_fn report, void *context, tr_err *err)
{
	(void)self(base);
	(void)err;
	report(context, &(tr_finding){.severity = TR_FINDING_OK, .subject = "sink stdout", .what = "one JSON object a line"});
	return 0;
}

static int write_failed(sink *s, int why, tr_err *err)
{
	if (why == EPIPE)
		tr_err_set(&s->failed, TR_E_SINK_IO, "stdout was closed by its reader");
	else
		tr_err_set(&s->failed, TR_E_SINK_IO, "could not write to stdout: %s", strerror(why));
	tr_err_hint(&s->failed, why == ENOSPC ? "Make room where stdout goes, then start again."
	                                      : "Start again with a reader: tailrace goes on from the last durable position.");
	if (err)
		*err = s->failed;
	return -1;
}

static int wait_writable(sink *s)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	while (!atomic_load(&s->stop)) {
		int n = poll(&p, 1, 100);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
	}
	errno = ECANCELED;
	return -1;
}

static int write_out(sink *s, tr_err *err)
{
	size_t at = 0;

	if (!tr_writer_ok(&s->out))
		return write_failed(s, ENOMEM, err);
	while (at < s->out.len) {
		ssize_t n = write(STDOUT_FILENO, s->out.data + at, s->out.len - at);
		if (n >= 0)
			at += (size_t)n;
		else if (errno != EINTR && (errno != EAGAIN || wait_writable(s) != 0))
			return write_failed(s, errno, err);
	}
	if (s->out.cap > KEEP_BYTES) {
		tr_writer_release(&s->out);
		tr_writer_init(&s->out, UINT32_MAX);
	}
	tr_writer_reset(&s->out);
	return 0;
}

static void put_part(tr_writer *w, const char *name, tr_slice json, bool present)
{
	tr_writer_text(w, name);
	if (present)
		tr_writer_slice(w, json);
	else
		tr_writer_text(w, "null");
}

static void put_line(tr_writer *w, const tr_batch *batch, const tr_record *r)
{
	tr_writer_text(w, "{\"topic\":\"");
	tr_text_json_escape(w, tr_slice_str(r->topic->name));
	put_part(w, "\",\"key\":", tr_record_key(batch, r), r->key_len != TR_ABSENT_LEN);
	put_part(w, ",\"value\":", tr_record_value(batch, r), r->value_len != TR_ABSENT_LEN);
	tr_writer_text(w, "}\n");
}

static int write_batch(sink *s, const tr_batch *batch, tr_err *err)
{
	for (size_t i = 0; i < batch->count; i++) {
		put_line(&s->out, batch, &batch->records[i]);
		if (s->out.len >= BUFFER_BYTES && write_out(s, err) != 0)
			return -1;
	}
	return write_out(s, err);
}

static int send(tr_sink *base, tr_batch *batch, tr_err *err)
{
	sink *s = self(base);

	if (s->failed.code != TR_OK) {
		if (err)
			*err = s->failed;
		return -1;
	}
	if (write_batch(s, batch, err) != 0 || tr_inflight_push(&s->inflight, batch, err) != 0)
		return -1;
	batch->pending = 0;
	batch->state = TR_BATCH_SETTLED;
	if (s->metrics)
		tr_metric_add(s->metrics, TR_M_RECORDS_DELIVERED, (int64_t)batch->count);
	return 0;
}

static int poll_sink(tr_sink *base, int timeout_ms, tr_err *err)
{
	sink *s = self(base);

	(void)timeout_ms;
	if (s->failed.code == TR_OK)
		return 0;
	if (err)
		*err = s->failed;
	return -1;
}

static tr_batch *settled(tr_sink *base)
{
	return tr_inflight_pop_settled(&self(base)->inflight);
}

static int flush(tr_sink *base, tr_err *err)
{
	return poll_sink(base, 0, err); /* every batch was written when it was sent */
}

static void interrupt(tr_sink *base)
{
	atomic_store(&self(base)->stop, true);
}

static void free_sink(tr_sink *base)
{
	if (!base)
		return;
	sink *s = self(base);
	tr_inflight_release(&s->inflight);
	tr_writer_release(&s->out);
	s->base.magic = 0;
	free(s);
}

const tr_sink_ops tr_sink_stdout = {
	.kind = "stdout",
	.schemes = "stdout",
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
