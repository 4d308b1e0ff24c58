#include "sinks/file/stream.h"

#include <stdio.h>

#include "sinks/file/wrap.h"

#define BLOCK_BYTES (64u << 10) /* Avro's usual distance of sync markers */
#define OPEN_MAX_FILES 256      /* descriptors; more topics than this take turns */
#define FRAME_BYTES 5           /* the registry's magic byte and schema id in front of a record; not part of Avro */

static tr_slice strip(tr_slice bytes, const tr_codec *codec, bool avro)
{
	if (avro && codec && codec->schema_id != 0 && bytes.len >= FRAME_BYTES)
		return tr_slice_of(bytes.ptr + FRAME_BYTES, bytes.len - FRAME_BYTES);
	return bytes;
}

static void put_json(tr_writer *w, tr_slice bytes, bool present)
{
	if (present)
		tr_writer_slice(w, bytes);
	else
		tr_writer_text(w, "null");
}

/* One record; an envelope's tombstone is left out: the delete before it says the same. */
static void put_record(tr_file_place *place, const tr_batch *batch, const tr_record *r)
{
	tr_writer *w = &place->block.bytes;
	bool has_key = r->key_len != TR_ABSENT_LEN, has_value = r->value_len != TR_ABSENT_LEN;
	tr_slice value = strip(tr_record_value(batch, r), r->value_codec, place->avro);

	if (!place->wrap && !has_value)
		return;
	if (!place->wrap) {
		tr_writer_slice(w, value);
	} else if (place->avro) {
		tr_writer_slice(w, strip(tr_record_key(batch, r), r->key_codec, true));
		tr_writer_zigzag(w, has_value ? 1 : 0);
		tr_writer_slice(w, value);
	} else {
		tr_writer_text(w, "{\"key\":");
		put_json(w, tr_record_key(batch, r), has_key);
		tr_writer_text(w, ",\"value\":");
		put_json(w, value, has_value);
		tr_writer_u8(w, '}');
	}
	if (!place->avro)
		tr_writer_u8(w, '\n');
	tr_part_block_count(&place->block);
}

static void suspend(tr_file_place *place, tr_file_stream *t)
{
	if (t->part.fd >= 0)
		place->open_count--;
	tr_part_suspend(&t->part);
}

/* Closes the descriptor that was not used for longest. */
static int make_room(tr_file_place *place, tr_err *err)
{
	tr_file_stream *oldest = NULL;

	if (place->open_count < OPEN_MAX_FILES)
		return 0;
	for (tr_file_stream *t = place->streams; t; t = t->next)
		if (t->part.fd >= 0 && (!oldest || t->used < oldest->used))
			oldest = t;
	if (!oldest)
		return 0;
	if (tr_part_sync(&oldest->part, place->dir, err) != 0)
		return -1;
	suspend(place, oldest);
	return 0;
}

static int create(tr_file_place *place, tr_file_stream *t, tr_err *err)
{
	const char *schema = t->value_codec ? t->value_codec->schema : NULL;
	char name[TR_PART_NAME_MAX + 1];
	tr_writer wrapped;
	int result = -1;

	tr_writer_init(&wrapped, UINT32_MAX);
	if (place->avro && place->wrap) {
		if (tr_wrap_schema(t->key_codec ? t->key_codec->schema : NULL, schema, &wrapped, err) != 0)
			goto out;
		schema = (const char *)wrapped.data;
	}
	t->number++;
	int n = snprintf(name, sizeof(name), "%s-%06u%s", t->topic->name, t->number, place->avro ? ".avro" : ".jsonl");
	if (n < 0 || n + 6 > TR_PART_NAME_MAX) { /* "." and ".part" come on top while it is open */
		tr_err_set(err, TR_E_SINK_IO, "the name of topic \"%s\" is too long for a file", t->topic->name);
		goto out;
	}
	result = tr_part_create(&t->part, place->dir, name, &place->block, schema, place->pipeline, t->topic->name, err);
	if (t->part.fd >= 0)
		place->open_count++;
	t->dirty = t->part.exists;
out:
	tr_writer_release(&wrapped);
	return result;
}

static int ready_to_write(tr_file_place *place, tr_file_stream *t, tr_err *err)
{
	t->used = ++place->turn;
	if (t->part.exists && t->part.fd >= 0)
		return 0;
	if (make_room(place, err) != 0)
		return -1;
	if (!t->part.exists)
		return create(place, t, err);
	if (tr_part_resume(&t->part, place->dir, err) != 0)
		return -1;
	place->open_count++;
	return 0;
}

int tr_file_stream_sync(tr_file_place *place, tr_file_stream *t, tr_err *err)
{
	if (t->dirty && tr_part_sync(&t->part, place->dir, err) != 0)
		return -1;
	t->dirty = false;
	return 0;
}

int tr_file_stream_roll(tr_file_place *place, tr_file_stream *t, tr_err *err)
{
	bool open = t->part.fd >= 0;
	int result;

	if (!t->part.exists)
		return 0;
	if (tr_file_stream_sync(place, t, err) != 0)
		return -1;
	result = tr_part_publish(&t->part, place->dir, err);
	if (open)
		place->open_count--;
	return result;
}

static int write_block(tr_file_place *place, tr_file_stream *t, tr_err *err)
{
	if (place->block.records == 0)
		return 0;
	if (ready_to_write(place, t, err) != 0)
		return -1;
	t->dirty = true;
	return tr_part_write_block(&t->part, place->dir, &place->block, err);
}

/* A record with another schema than the open file's needs a new file. A delete has no value schema and fits any. */
static int match_schema(tr_file_place *place, tr_file_stream *t, const tr_record *r, tr_err *err)
{
	bool value_differs = r->value_codec && r->value_codec != t->value_codec;
	bool key_differs = place->wrap && r->key_codec != t->key_codec;

	if (!place->avro || (!value_differs && !key_differs))
		return 0;
	if (write_block(place, t, err) != 0 || tr_file_stream_roll(place, t, err) != 0)
		return -1;
	if (value_differs)
		t->value_codec = r->value_codec;
	t->key_codec = r->key_codec;
	return 0;
}

int tr_file_stream_write(tr_file_place *place, tr_file_stream *t, const tr_batch *batch, tr_err *err)
{
	for (uint32_t i = t->first;; i = place->chain[i]) {
		const tr_record *r = &batch->records[i];
		if (match_schema(place, t, r, err) != 0)
			return -1;
		put_record(place, batch, r);
		if (place->block.bytes.len >= BLOCK_BYTES && write_block(place, t, err) != 0)
			return -1;
		if (i == t->last)
			break;
	}
	if (write_block(place, t, err) != 0)
		return -1;
	return t->part.exists && t->part.size >= place->roll_bytes ? tr_file_stream_roll(place, t, err) : 0;
}
