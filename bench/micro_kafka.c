/*
 * The Kafka sink alone: batches of records through sinks/kafka to a real broker, as the delivery thread drives it.
 *
 *   micro_kafka BROKER [records=1000000] [value bytes=200] [batch bytes=262144] [headers 0|1] [rate/s 0=flat out]
 *
 * Prints records per second, CPU seconds per million records, peak memory; with a rate also the time from sealing a record
 * to its acknowledgement (p50, p99, worst). As a measure, kcat with as many bytes:
 *
 *   head -c 150000000 /dev/urandom | base64 -w 200 | head -1000000 >lines
 *   time kcat -b BROKER -P -t bench.micro -X enable.idempotence=true -X linger.ms=5 -l lines
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "core/clock.h"
#include "sinks/sink.h"

#define BATCHES 16
#define SAMPLES 1000000

static int64_t latencies_us[SAMPLES];
static size_t latency_count;
static tr_header headers[] = {{"__debezium.context.connectorLogicalName", {(const uint8_t *)"shop", 4}},
    {"__debezium.context.taskId", {(const uint8_t *)"0", 1}},
    {"__debezium.context.connectorName", {(const uint8_t *)"postgresql", 10}}};

typedef struct load {
	const tr_sink_ops *ops;
	tr_sink *sink;
	tr_batch_pool *pool;
	tr_topic topic;
	size_t value_bytes, batch_bytes, sent, done;
	bool with_headers;
	int64_t rate; /* records per second, 0 = no limit */
	int64_t begin_us;
} load;

static void stop(const char *what, const tr_err *err)
{
	fprintf(stderr, "%s: %s: %s\n", what, err->text, err->detail);
	exit(1);
}

static void collect(load *l, int timeout_ms)
{
	tr_err err = {0};
	tr_batch *batch;

	if (l->ops->poll(l->sink, timeout_ms, &err) != 0)
		stop("poll", &err);
	while ((batch = l->ops->settled(l->sink)) != NULL) {
		if (batch->state != TR_BATCH_SETTLED)
			stop("batch", batch->error);
		if (l->rate > 0 && latency_count < SAMPLES)
			latencies_us[latency_count++] = tr_clock_mono_us() - batch->last_commit_us;
		l->done += batch->count;
		tr_batch_put_back(batch);
	}
}

static void add(load *l, tr_batch *batch, size_t n)
{
	tr_record *r = tr_batch_add(batch);
	static uint8_t noise[65536];

	if (!noise[0])
		for (size_t i = 0; i < sizeof(noise); i++)
			noise[i] = (uint8_t)(1 + rand() % 100);
	r->topic = &l->topic;
	r->key_at = (uint32_t)batch->bytes.len;
	r->key_len = 8;
	tr_writer_put(&batch->bytes, &n, 8);
	r->value_at = (uint32_t)batch->bytes.len;
	r->value_len = (uint32_t)l->value_bytes;
	r->shared_headers = l->with_headers;
	tr_writer_put(&batch->bytes, noise + n % 4096, l->value_bytes);
}

static void fill(load *l, tr_batch *batch, size_t records)
{
	batch->headers = headers;
	batch->header_count = 3;
	while (l->sent < records && batch->bytes.len < l->batch_bytes) {
		if (l->rate > 0 && batch->count > 0 && (tr_clock_mono_us() - l->begin_us) * l->rate / 1000000 <= (int64_t)l->sent)
			break;
		add(l, batch, l->sent++);
	}
	batch->last_commit_us = tr_clock_mono_us();
	batch->state = TR_BATCH_SEALED;
}

static void run(load *l, size_t records)
{
	tr_err err = {0};

	l->begin_us = tr_clock_mono_us();
	while (l->sent < records) {
		if (l->rate > 0 && (tr_clock_mono_us() - l->begin_us) * l->rate / 1000000 <= (int64_t)l->sent) {
			collect(l, 1);
			continue;
		}
		tr_batch *batch = tr_batch_take(l->pool, 0);
		if (!batch) {
			collect(l, 2);
			continue;
		}
		fill(l, batch, records);
		int sent;
		while ((sent = l->ops->send(l->sink, batch, &err)) == 1)
			collect(l, 2);
		if (sent != 0)
			stop("send", &err);
		collect(l, 0);
	}
	if (l->ops->flush(l->sink, &err) != 0)
		stop("flush", &err);
	while (l->done < records)
		collect(l, 5);
}

static double cpu_seconds(const struct rusage *u)
{
	return (double)u->ru_utime.tv_sec + (double)u->ru_stime.tv_sec + (double)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) / 1e6;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static size_t number(char **argv, int argc, int i, size_t otherwise)
{
	return i < argc ? (size_t)strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	static tr_event_options events = {.name = "bench"};
	static tr_metrics metrics;
	char url[256];
	tr_err err = {0};
	struct rusage before, after;

	if (argc < 2) {
		fprintf(stderr, "usage: micro_kafka BROKER [records] [value bytes] [batch bytes] [headers] [rate]\n");
		return 64;
	}
	size_t records = number(argv, argc, 2, 1000000);
	snprintf(url, sizeof(url), "kafka://%s", argv[1]);
	tr_sink_options options = {.url = url, .name = "bench", .events = &events, .create_topics = true, .partitions = 1,
	    .replication = 1, .queue_bytes = 16 << 20};
	load l = {.ops = tr_sink_find(url, NULL), .value_bytes = number(argv, argc, 3, 200), .batch_bytes = number(argv, argc, 4, 262144),
	    .with_headers = number(argv, argc, 5, 0) != 0, .rate = (int64_t)number(argv, argc, 6, 0)};
	l.topic.magic = TR_TOPIC_MAGIC;
	l.topic.name = "bench.micro";
	l.pool = tr_batch_pool_new(BATCHES, l.batch_bytes + 70000);
	if (l.ops->open(&l.sink, &options, &metrics, &err) != 0)
		stop("open", &err);
	getrusage(RUSAGE_SELF, &before);
	run(&l, records);
	double seconds = (double)(tr_clock_mono_us() - l.begin_us) / 1e6;
	getrusage(RUSAGE_SELF, &after);
	printf("%zu records of %zu bytes: %.2f s, %.0f/s, %.2f CPU s per million, peak memory %ld MiB\n", records, l.value_bytes, seconds,
	    (double)records / seconds, (cpu_seconds(&after) - cpu_seconds(&before)) * 1e6 / (double)records, after.ru_maxrss / 1024);
	if (latency_count > 0) {
		qsort(latencies_us, latency_count, sizeof(latencies_us[0]), by_size);
		printf("acknowledged after: p50 %.1f ms, p99 %.1f ms, worst %.1f ms\n", (double)latencies_us[latency_count / 2] / 1000,
		    (double)latencies_us[latency_count * 99 / 100] / 1000, (double)latencies_us[latency_count - 1] / 1000);
	}
	l.ops->free(l.sink);
	tr_batch_pool_free(l.pool);
	return 0;
}
