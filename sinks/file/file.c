/*
 * file:DIR — Avro object containers or JSON lines, one file at a time per topic; see part.h for the bytes and journal.h for
 * what "settled" stands on. Files are rolled by size, by age, when the schema changes, at flush and at the end.
 *
 * Nothing is made or changed before the first batch: `check` may open a sink beside a running pipeline.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/durable.h"
#include "core/obj.h"
#include "core/text.h"
#include "sinks/file/journal.h"
#include "sinks/file/stream.h"
#include "sinks/inflight.h"

/* A busy sink syncs after this much or this long; one that is waited for syncs at once, but not more often than the pause. */
#define SYNC_BYTES (8u << 20)
#define SYNC_AGE_US 100000
#define SYNC_PAUSE_US 10000
#define ROLL_CHECK_US 100000
#define ROLL_BYTES_DEFAULT ((uint64_t)256 << 20)
#define ROLL_MS_DEFAULT 60000
#define TOPIC_NAME_MAX 200

typedef struct sink {
	tr_sink base;
	const tr_sink_options *options;
	tr_metrics *metrics;
	char dir[PATH_MAX];
	tr_inflight inflight;
	tr_file_place place;
	tr_map *files;            /* topic -> tr_topic_files found at start; NULL = not started */
	tr_writer journal;
	int64_t roll_us, next_roll_check_us;
	uint64_t unsynced_bytes;
	size_t unsynced_batches;  /* the newest of inflight */
	int64_t unsynced_since_us, last_sync_us;
	bool published;           /* the journal on disk lists parts that are gone */
	tr_err failed;            /* code TR_OK = none; nothing is written any more after it */
} sink;

static sink *self(tr_sink *s)
{
	TR_CHECK_OBJ(s, TR_SINK_MAGIC);
	return (sink *)s;
}

/* file:DIR, file:///DIR */
static int take_dir(sink *s, const char *url, tr_err *err)
{
	const char *dir = url + strlen("file:");

	if (strncmp(dir, "//", 2) == 0)
		dir += 2;
	if (!dir[0] || strlen(dir) >= sizeof(s->dir))
		return tr_err_set(err, TR_E_SINK_CONFIG, "sink \"%s\" names no directory", url);
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	for (size_t len = strlen(s->dir); len > 1 && s->dir[len - 1] == '/'; len--)
		s->dir[len - 1] = '\0';
	return 0;
}

static int open_sink(tr_sink **out, const tr_sink_options *options, tr_metrics *metrics, tr_err *err)
{
	sink *s = calloc(1, sizeof(*s));
	const char *codec = options->file_codec ? options->file_codec : "null";

	*out = NULL;
	if (!s)
		return tr_err_set(err, TR_E_MEMORY, "the sink could not be made");
	s->base = (tr_sink){.magic = TR_SINK_MAGIC, .ops = &tr_sink_file};
	s->options = options;
	s->metrics = metrics;
	s->roll_us = (options->roll_ms > 0 ? options->roll_ms : ROLL_MS_DEFAULT) * 1000;
	s->place = (tr_file_place){.dir = s->dir, .pipeline = options->name, .avro = options->events->format == TR_FORMAT_AVRO,
	    .wrap = options->events->envelope == TR_ENVELOPE_FLAT,
	    .roll_bytes = options->roll_bytes > 0 ? options->roll_bytes : ROLL_BYTES_DEFAULT};
	tr_inflight_init(&s->inflight);
	tr_writer_init(&s->journal, 64u << 20);
	if (strcmp(codec, "null") != 0 && strcmp(codec, "deflate") != 0) {
		tr_err_set(err, TR_E_SINK_CONFIG, "file codec \"%s\" is not known (known: null deflate)", codec);
		goto fail;
	}
	if (strchr(options->name, '/')) {
		tr_err_set(err, TR_E_SINK_CONFIG, "pipeline name \"%s\" cannot be part of a file name", options->name);
		goto fail;
	}
	if (take_dir(s, options->url, err) != 0)
		goto fail;
	if (tr_part_block_init(&s->place.block, s->place.avro, strcmp(codec, "deflate") == 0, err) != 0)
		goto fail;
	*out = &s->base;
	return 0;
fail:
	tr_sink_file.free(&s->base);
	return -1;
}

/* The directory, what an earlier run left in it, and the numbers that are taken. */
static int start(sink *s, tr_err *err)
{
	if (tr_durable_mkdirs(s->dir, 0755, TR_E_SINK_IO, err) != 0 || tr_journal_recover(s->dir, s->options->name, err) != 0)
		return -1;
	s->files = tr_map_new();
	return tr_journal_scan(s->dir, s->place.avro ? ".avro" : ".jsonl", s->files, err);
}

/* What this pipeline did not settle before it ended: no record of it was acknowledged. */
static int remove_stale(sink *s, const char *topic, uint32_t number, tr_err *err)
{
	char name[TR_PART_NAME_MAX + 1], path[PATH_MAX];

	snprintf(name, sizeof(name), "%s-%06u%s", topic, number, s->place.avro ? ".avro" : ".jsonl");
	if (tr_part_path(s->dir, name, path, err) != 0)
		return -1;
	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	tr_err_set(err, TR_E_SINK_IO, "could not remove file \"%s\"", path);
	return tr_err_detail(err, "%s", strerror(errno));
}

static int new_stream(sink *s, tr_topic *topic, tr_file_stream **out, tr_err *err)
{
	if (!topic->name[0] || topic->name[0] == '.' || strchr(topic->name, '/') || strlen(topic->name) > TOPIC_NAME_MAX)
		return tr_err_set(err, TR_E_SINK_TOPIC, "topic \"%s\" cannot be the name of a file", topic->name);
	const tr_topic_files *files = tr_map_get(s->files, tr_slice_str(topic->name));
	if (files && files->part > 0 && remove_stale(s, topic->name, files->part, err) != 0)
		return -1;
	tr_file_stream *t = calloc(1, sizeof(*t));
	if (!t)
		return tr_err_set(err, TR_E_MEMORY, "topic \"%s\" could not be opened", topic->name);
	t->topic = topic;
	t->part.fd = -1;
	t->number = files ? files->highest : 0;
	t->next = s->place.streams;
	s->place.streams = t;
	atomic_store(&topic->sink_handle, t);
	*out = t;
	return 0;
}

static int grow_chain(sink *s, size_t count, tr_err *err)
{
	if (count <= s->place.chain_capacity)
		return 0;
	uint32_t *chain = realloc(s->place.chain, count * sizeof(*chain));
	if (!chain)
		return tr_err_set(err, TR_E_MEMORY, "a batch of %zu records could not be sorted by topic", count);
	s->place.chain = chain;
	s->place.chain_capacity = count;
	return 0;
}

static int link_records(sink *s, const tr_batch *batch, tr_err *err)
{
	if (grow_chain(s, batch->count, err) != 0)
		return -1;
	for (size_t i = 0; i < batch->count; i++) {
		tr_topic *topic = batch->records[i].topic;
		tr_file_stream *t = atomic_load_explicit(&topic->sink_handle, memory_order_relaxed);
		if (!t && new_stream(s, topic, &t, err) != 0)
			return -1;
		if (t->chained)
			s->place.chain[t->last] = (uint32_t)i;
		else
			t->first = (uint32_t)i;
		t->chained = true;
		t->last = (uint32_t)i;
	}
	return 0;
}

/* Every turn walks the streams, as syncing does: their number is the number of topics. */
static int write_batch(sink *s, const tr_batch *batch, tr_err *err)
{
	int result = link_records(s, batch, err);

	for (tr_file_stream *t = s->place.streams; t; t = t->next) {
		if (result == 0 && t->chained)
			result = tr_file_stream_write(&s->place, t, batch, err);
		t->chained = false;
	}
	return result;
}

static int fail(sink *s, const tr_err *why)
{
	if (s->failed.code == TR_OK)
		s->failed = *why;
	if (!s->failed.hint[0])
		tr_err_hint(&s->failed, "What was acknowledged so far is safe. Mend the cause, then start again: tailrace goes on from "
		                        "the last durable position.");
	for (size_t i = 0; i < s->inflight.count; i++) {
		tr_batch *batch = tr_inflight_at(&s->inflight, i);
		if (batch->state != TR_BATCH_SENT)
			continue;
		tr_batch_fail(batch, &s->failed);
		batch->pending = 0;
		if (s->metrics)
			tr_metric_add(s->metrics, TR_M_RECORDS_FAILED, (int64_t)batch->count);
	}
	return -1;
}

static int failed(const sink *s, tr_err *err)
{
	if (err)
		*err = s->failed;
	return -1;
}

static int send(tr_sink *base, tr_batch *batch, tr_err *err)
{
	sink *s = self(base);
	tr_err why = {0};

	if (s->failed.code != TR_OK)
		return failed(s, err);
	if ((!s->files && start(s, &why) != 0) || write_batch(s, batch, &why) != 0 ||
	    tr_inflight_push(&s->inflight, batch, &why) != 0) {
		fail(s, &why);
		return failed(s, err);
	}
	batch->pending = batch->count;
	if (s->unsynced_batches++ == 0)
		s->unsynced_since_us = tr_clock_mono_us();
	s->unsynced_bytes += batch->bytes.len;
	return 0;
}

static void settle_all(sink *s)
{
	for (size_t i = s->inflight.count - s->unsynced_batches; i < s->inflight.count; i++) {
		tr_batch *batch = tr_inflight_at(&s->inflight, i);
		batch->pending = 0;
		batch->state = TR_BATCH_SETTLED;
		if (s->metrics)
			tr_metric_add(s->metrics, TR_M_RECORDS_DELIVERED, (int64_t)batch->count);
	}
	s->unsynced_batches = 0;
	s->unsynced_bytes = 0;
	s->last_sync_us = tr_clock_mono_us();
}

static int save_journal(sink *s, tr_err *err)
{
	size_t count = 0;

	tr_writer_reset(&s->journal);
	for (tr_file_stream *t = s->place.streams; t; t = t->next) {
		if (!t->part.exists || t->part.synced == 0)
			continue;
		tr_journal_line(&s->journal, t->part.synced, t->part.name);
		count++;
	}
	return tr_journal_save(s->dir, s->options->name, &s->journal, count, err);
}

/* Syncs what was written since, notes it, and settles the batches it came in. */
static int sync_round(sink *s, tr_err *err)
{
	bool dirty = s->published;

	for (tr_file_stream *t = s->place.streams; t; t = t->next) {
		dirty |= t->dirty;
		if (tr_file_stream_sync(&s->place, t, err) != 0)
			return -1;
	}
	if (dirty && s->files && save_journal(s, err) != 0)
		return -1;
	s->published = false;
	settle_all(s);
	return 0;
}

/* all: whatever their age. Publishing syncs the part, so the batches in it can be settled in the round that follows. */
static int roll_streams(sink *s, int64_t now_us, bool all, tr_err *err)
{
	for (tr_file_stream *t = s->place.streams; t; t = t->next) {
		if (!t->part.exists || (!all && now_us - t->part.opened_us < s->roll_us))
			continue;
		if (tr_file_stream_roll(&s->place, t, err) != 0)
			return -1;
		s->published = true;
	}
	return 0;
}

static bool sync_is_due(const sink *s, int64_t now_us, bool waited_for)
{
	if (s->published)
		return true;
	if (s->unsynced_batches == 0)
		return false;
	if (s->unsynced_bytes >= SYNC_BYTES || now_us - s->unsynced_since_us >= SYNC_AGE_US)
		return true;
	return waited_for && now_us - s->last_sync_us >= SYNC_PAUSE_US;
}

static int drive(sink *s, bool waited_for, bool roll_all)
{
	int64_t now_us = tr_clock_mono_us();
	tr_err why = {0};

	if (roll_all || now_us >= s->next_roll_check_us) {
		s->next_roll_check_us = now_us + ROLL_CHECK_US;
		if (roll_streams(s, now_us, roll_all, &why) != 0)
			return fail(s, &why);
	}
	if ((roll_all || sync_is_due(s, now_us, waited_for)) && sync_round(s, &why) != 0)
		return fail(s, &why);
	return 0;
}

static int poll_sink(tr_sink *base, int timeout_ms, tr_err *err)
{
	sink *s = self(base);

	if (s->failed.code != TR_OK)
		return failed(s, err);
	if (timeout_ms > 0 && s->unsynced_batches > 0) {
		int64_t pause_us = s->last_sync_us + SYNC_PAUSE_US - tr_clock_mono_us();
		if (pause_us > 0)
			tr_clock_sleep_ms(pause_us / 1000 + 1 < timeout_ms ? (int)(pause_us / 1000) + 1 : timeout_ms);
	}
	return drive(s, timeout_ms > 0, false) == 0 ? 0 : failed(s, err);
}

static tr_batch *settled(tr_sink *base)
{
	return tr_inflight_pop_settled(&self(base)->inflight);
}

static int flush(tr_sink *base, tr_err *err)
{
	sink *s = self(base);

	if (s->failed.code != TR_OK)
		return failed(s, err);
	return drive(s, true, true) == 0 ? 0 : failed(s, err);
}

static void interrupt(tr_sink *base)
{
	(void)self(base); /* nothing here waits for anyone but the disk */
}

static void report_space(const char *dir, tr_finding_fn report, void *context)
{
	struct statvfs v;
	tr_finding f = {.severity = TR_FINDING_OK};

	snprintf(f.subject, sizeof(f.subject), "directory %.*s", (int)sizeof(f.subject) - 12, dir);
	if (statvfs(dir, &v) != 0)
		snprintf(f.what, sizeof(f.what), "can be written");
	else
		snprintf(f.what, sizeof(f.what), "can be written, %llu MiB are free",
		    (unsigned long long)v.f_bavail * v.f_frsize >> 20);
	report(context, &f);
}

/* The nearest directory that exists decides whether DIR can be made. */
static void existing_part(char *dir)
{
	while (access(dir, F_OK) != 0 && errno == ENOENT) {
		char *slash = strrchr(dir, '/');
		if (!slash || slash == dir) {
			memcpy(dir, slash ? "/" : ".", 2);
			return;
		}
		*slash = '\0';
	}
}

/* The directory by the one name that all ways to it have. Bytes that are no UTF-8 cannot stand in a state. */
static int identity(tr_sink *base, char *out, size_t size, const volatile bool *stop, tr_err *err)
{
	sink *s = self(base);
	char real[PATH_MAX];

	(void)stop;
	if (tr_durable_mkdirs(s->dir, 0755, TR_E_SINK_IO, err) != 0)
		return tr_err_hint(err, "Mend the cause, or set sink.url to another directory. Nothing was read from the source.");
	if (!realpath(s->dir, real))
		return tr_err_set(err, TR_E_SINK_IO, "directory \"%.300s\" cannot be found: %s", s->dir, strerror(errno));
	bool plain = tr_text_utf8_valid(tr_slice_str(real));
	size_t at = (size_t)snprintf(out, size, "file:");
	for (const char *c = real; *c && at + 4 < size; c++)
		at += (size_t)snprintf(out + at, size - at, plain || (unsigned char)*c < 0x80 ? "%c" : "%%%02X", (unsigned char)*c);
	return 0;
}

static int check(tr_sink *base, tr_finding_fn report, void *context, tr_err *err)
{
	sink *s = self(base);
	char dir[PATH_MAX];
	struct stat st;

	(void)err;
	snprintf(dir, sizeof(dir), "%s", s->dir);
	existing_part(dir);
	if (stat(dir, &st) == 0 && S_ISDIR(st.st_mode) && access(dir, W_OK | X_OK) == 0) {
		report_space(dir, report, context);
		return 0;
	}
	tr_finding f = {.severity = TR_FINDING_ERROR, .code = TR_E_SINK_IO, .why = "the sink makes its files there"};
	snprintf(f.subject, sizeof(f.subject), "directory %.*s", (int)sizeof(f.subject) - 12, dir);
	snprintf(f.what, sizeof(f.what), "cannot be written: %s",
	    stat(dir, &st) == 0 && !S_ISDIR(st.st_mode) ? "it is not a directory" : strerror(errno));
	snprintf(f.fix, sizeof(f.fix), "install -d -o USER %.300s", s->dir);
	report(context, &f);
	return 0;
}

/* Settled records stay: their files become visible. What was not settled is cut off; it will be sent again. */
static void close_streams(sink *s)
{
	while (s->place.streams) {
		tr_file_stream *t = s->place.streams;
		s->place.streams = t->next;
		if (tr_part_publish(&t->part, s->dir, NULL) != 0)
			s->published = false; /* the journal keeps it for the next start */
		atomic_store(&t->topic->sink_handle, NULL);
		free(t);
	}
}

static void free_sink(tr_sink *base)
{
	if (!base)
		return;
	sink *s = self(base);
	s->published = s->files != NULL;
	close_streams(s);
	if (s->published)
		tr_journal_save(s->dir, s->options->name, NULL, 0, NULL);
	tr_inflight_release(&s->inflight);
	tr_part_block_release(&s->place.block);
	tr_writer_release(&s->journal);
	tr_map_free(s->files, free);
	free(s->place.chain);
	s->base.magic = 0;
	free(s);
}

const tr_sink_ops tr_sink_file = {
	.kind = "file",
	.schemes = "file",
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
