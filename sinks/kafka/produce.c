/*
 * Records into librdkafka's queue. Runs of records without headers go by rd_kafka_produce_batch: 0.25 s of CPU per million where
 * rd_kafka_produceva takes 0.35 s (and 1.3 s with three headers, mostly allocations of theirs). It takes no timestamps, so in
 * both ways a record's timestamp is the moment it was handed over; it never goes back within a partition.
 */
#include <stdlib.h>

#include "core/obj.h"
#include "sinks/kafka/kafka.h"

/* Less than batch.size and the usual max.message.bytes. */
#define TURN_BYTES ((size_t)950 << 10)
#define RECORD_BYTES 32 /* of a record's own fields in a request, at most, but for headers */

static size_t room(tr_kafka_sink *s)
{
	size_t max = (size_t)s->client.max_messages;

	/* 0 is librdkafka's "no limit". */
	if (max == 0)
		return TR_KAFKA_RUN;
	if (s->queued >= max)
		rd_kafka_poll(s->client.rk, 0);
	return s->queued < max ? max - s->queued : 0;
}

static int failed_to_queue(tr_kafka_sink *s, const tr_record *r, rd_kafka_resp_err_t e, const char *reason)
{
	tr_err why = {0};

	if (s->client.fatal.code != TR_OK)
		return tr_kafka_fail(s, s->current, &s->client.fatal);
	tr_kafka_error(&why, e, reason, "produce to topic", r->topic->name);
	return tr_kafka_fail(s, s->current, &why);
}

static bool plain(const tr_batch *batch, const tr_record *r)
{
	return !r->extra_name && (!r->shared_headers || batch->header_count == 0);
}

static bool fits(const tr_batch *batch, const tr_record *r)
{
	return tr_kafka_record_bytes(batch, r) <= tr_kafka_handle_of(r)->limit_bytes;
}

static void fill(rd_kafka_message_t *m, tr_batch *batch, const tr_record *r)
{
	tr_slice key = tr_record_key(batch, r), value = tr_record_value(batch, r);

	/* The API has no const; nothing is written through these. */
	*m = (rd_kafka_message_t){.payload = (void *)(uintptr_t)value.ptr, .len = value.len, .key = (void *)(uintptr_t)key.ptr,
	    .key_len = key.len, ._private = batch};
}

/* The run of plain records of one topic at s->next. 1: the queue is full. */
static int produce_run(tr_kafka_sink *s, size_t max)
{
	tr_batch *batch = s->current;
	const tr_record *first = &batch->records[s->next];
	int n = 0, good;

	max = max < TR_KAFKA_RUN ? max : TR_KAFKA_RUN;
	for (size_t i = s->next; i < batch->count && (size_t)n < max; i++) {
		const tr_record *r = &batch->records[i];
		if (r->topic != first->topic || !plain(batch, r) || !fits(batch, r))
			break;
		fill(&s->run[n++], batch, r);
	}
	good = rd_kafka_produce_batch(tr_kafka_handle_of(first)->rkt, RD_KAFKA_PARTITION_UA, 0, s->run, n);
	s->queued += (size_t)good;
	if (good == n) {
		s->next += (size_t)n;
		return 0;
	}
	/* What was not taken has to be the end of the run, or the order is lost. */
	for (int i = 0; i < n; i++) {
		bool taken = i < good, is = s->run[i].err == RD_KAFKA_RESP_ERR_NO_ERROR;
		bool full = s->run[i].err == RD_KAFKA_RESP_ERR__QUEUE_FULL;
		if (taken == is && (is || full))
			continue;
		s->next += (size_t)good; /* as many are with librdkafka, whichever they are */
		return failed_to_queue(s, first, s->run[i].err, NULL);
	}
	s->next += (size_t)good;
	return 1;
}

static void add_header(rd_kafka_headers_t *h, const char *name, tr_slice value)
{
	rd_kafka_header_add(h, name, -1, value.ptr ? (const void *)value.ptr : "", (ssize_t)value.len);
}

static rd_kafka_headers_t *shared_headers(tr_kafka_sink *s, const tr_batch *batch)
{
	if (s->headers && s->header_source == batch->headers && s->header_count == batch->header_count)
		return s->headers;
	if (s->headers)
		rd_kafka_headers_destroy(s->headers);
	s->headers = rd_kafka_headers_new(batch->header_count);
	for (size_t i = 0; i < batch->header_count; i++)
		add_header(s->headers, batch->headers[i].name, batch->headers[i].value);
	s->header_source = batch->headers;
	s->header_count = batch->header_count;
	return s->headers;
}

static rd_kafka_headers_t *headers_of(tr_kafka_sink *s, const tr_batch *batch, const tr_record *r)
{
	if (!r->extra_name)
		return rd_kafka_headers_copy(shared_headers(s, batch));
	rd_kafka_headers_t *h = rd_kafka_headers_new(1 + batch->header_count);
	add_header(h, r->extra_name, tr_slice_of(batch->bytes.data + r->extra_at, r->extra_len));
	for (size_t i = 0; r->shared_headers && i < batch->header_count; i++)
		add_header(h, batch->headers[i].name, batch->headers[i].value);
	return h;
}

/* 1: the queue is full. */
static int produce_with_headers(tr_kafka_sink *s)
{
	tr_batch *batch = s->current;
	const tr_record *r = &batch->records[s->next];
	tr_slice key = tr_record_key(batch, r), value = tr_record_value(batch, r);
	rd_kafka_headers_t *headers = headers_of(s, batch, r);
	rd_kafka_vu_t parts[] = {
		{.vtype = RD_KAFKA_VTYPE_RKT, .u.rkt = tr_kafka_handle_of(r)->rkt},
		{.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {.ptr = (void *)(uintptr_t)key.ptr, .size = key.len}},
		{.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {.ptr = (void *)(uintptr_t)value.ptr, .size = value.len}},
		{.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = batch},
		{.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = headers},
	};
	rd_kafka_error_t *e = rd_kafka_produceva(s->client.rk, parts, sizeof(parts) / sizeof(parts[0]));

	if (!e) {
		s->queued++;
		s->next++;
		return 0;
	}
	rd_kafka_headers_destroy(headers); /* librdkafka owns them only when it took the record */
	rd_kafka_resp_err_t code = rd_kafka_error_code(e);
	int result = code == RD_KAFKA_RESP_ERR__QUEUE_FULL ? 1 : failed_to_queue(s, r, code, rd_kafka_error_string(e));
	rd_kafka_error_destroy(e);
	return result;
}

static int produce_dead_letter(tr_kafka_sink *s)
{
	const tr_record *r = &s->current->records[s->next];
	rd_kafka_resp_err_t queue = RD_KAFKA_RESP_ERR_NO_ERROR;
	tr_err why = {0};

	if (tr_kafka_dead_letter(s, s->current, r, &queue, &why) != 0)
		return tr_kafka_fail(s, s->current, &why);
	if (queue == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		return 1;
	if (queue != RD_KAFKA_RESP_ERR_NO_ERROR)
		return failed_to_queue(s, r, queue, NULL);
	s->queued++;
	s->next++;
	return 0;
}

static int produce_current(tr_kafka_sink *s)
{
	size_t max;
	int result = 0;

	while (result == 0 && s->current && s->next < s->current->count && (max = room(s)) > 0) {
		if (s->failed.code != TR_OK) /* a report that came in while room was made */
			return -1;
		const tr_record *r = &s->current->records[s->next];
		if (!fits(s->current, r))
			result = produce_dead_letter(s);
		else if (plain(s->current, r))
			result = produce_run(s, max);
		else
			result = produce_with_headers(s);
	}
	if (result < 0)
		return -1;
	if (s->current && s->next == s->current->count) {
		s->current = NULL;
		s->next = 0;
	}
	return 0;
}

/* The next held batch becomes the current one when it fits into the turn that is being queued. */
static bool next_batch(tr_kafka_sink *s)
{
	tr_batch *batch = s->held > 0 ? tr_inflight_at(&s->inflight, s->inflight.count - s->held) : NULL;

	if (s->queued <= s->flying)
		s->turn_bytes = 0;
	if (!batch)
		return false;
	size_t bytes = batch->bytes.len + batch->count * RECORD_BYTES;
	if (s->turn_bytes > 0 && s->turn_bytes + bytes > TURN_BYTES)
		return false;
	s->turn_bytes += bytes;
	s->current = batch;
	s->next = 0;
	s->held--;
	if (batch->count == 0)
		batch->state = TR_BATCH_SETTLED; /* a note: it comes back behind what was sent before */
	return true;
}

int tr_kafka_produce(tr_kafka_sink *s)
{
	if (s->client.fatal.code != TR_OK)
		return 0; /* poll will say why */
	while (s->current || next_batch(s))
		if (produce_current(s) != 0)
			return -1;
		else if (s->current)
			break; /* no room: poll makes some */
	return 0;
}
