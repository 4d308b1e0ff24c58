/*
 * The files of one topic, one after the other: which one is open, what schema it has, when it is rolled. A stream's records
 * of one batch are chained first and then written together, so blocks are large however the topics are mixed in the batch.
 */
#ifndef TR_SINKS_FILE_STREAM_H
#define TR_SINKS_FILE_STREAM_H

#include "events/batch.h"
#include "sinks/file/part.h"
#include "sinks/sink.h"

typedef struct tr_file_stream tr_file_stream;
struct tr_file_stream {
	tr_topic *topic;
	tr_part part;
	const tr_codec *key_codec, *value_codec; /* of the open part; the value's is kept for deletes that come first */
	uint32_t number;                         /* of the newest file */
	uint32_t first, last;                    /* chain of the batch at hand: record indexes */
	bool chained, dirty;                     /* dirty: written since the last sync */
	uint64_t used;                           /* turn of last use, for closing the least recently used descriptor */
	tr_file_stream *next;
};

/* What all streams of a sink share. */
typedef struct tr_file_place {
	const char *dir, *pipeline;
	bool avro, wrap;                         /* wrap: {key, value} records, for the flat envelope */
	uint64_t roll_bytes;
	tr_part_block block;
	size_t open_count;                       /* descriptors */
	uint64_t turn;
	uint32_t *chain;                         /* chain[i] = next record of the same stream */
	size_t chain_capacity;
	tr_file_stream *streams;
} tr_file_place;

/* Writes the stream's chain; what is not synced stays so. */
int tr_file_stream_write(tr_file_place *place, tr_file_stream *t, const tr_batch *batch, tr_err *err);
int tr_file_stream_sync(tr_file_place *place, tr_file_stream *t, tr_err *err);
/* Syncs and publishes the open part, if any. */
int tr_file_stream_roll(tr_file_place *place, tr_file_stream *t, tr_err *err);

#endif
