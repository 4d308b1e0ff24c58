/*
 * Reading back what a sink holds, for people (tailrace tail): records of a Kafka topic or of the files of a directory, as
 * they come. Bytes only: decoding is the caller's.
 *
 * Refuses to keep a place: every reader starts anew, joins no group and commits nothing.
 */
#ifndef TR_SINKS_READER_H
#define TR_SINKS_READER_H

#include "core/slice.h"
#include "sinks/sink.h"

typedef struct tr_sink_reader tr_sink_reader;

typedef struct tr_sink_reader_options {
	const char *url;                 /* as the sink's */
	const tr_property *properties;   /* as the sink's: logins, TLS */
	size_t property_count;
	const char *topic_prefix;        /* topics that start with this; NULL = all */
	const char *topic_name;          /* and this one; NULL = none */
	bool from_beginning;             /* false: only what comes from now on */
} tr_sink_reader_options;

/* Valid until the next call. */
typedef struct tr_sink_reader_record {
	const char *topic;
	int partition;        /* -1 = none */
	int64_t offset;       /* in the partition, or the number of the record in its file */
	int64_t timestamp_ms; /* -1 = none */
	bool has_key, has_value;
	tr_slice key, value;
	const char *schema;   /* of a file: the value is Avro under this schema, without a frame; NULL: as it was published */
} tr_sink_reader_record;

typedef struct tr_sink_reader_ops {
	const char *kind; /* of the sink */
	int (*open)(tr_sink_reader **out, const tr_sink_reader_options *options, tr_err *err);
	/* 1: a record, 0: none within wait_ms, -1: error. */
	int (*next)(tr_sink_reader *r, int wait_ms, tr_sink_reader_record *out, tr_err *err);
	/* Names the topics that are there, some of them perhaps more than once, as of the last `next`. */
	void (*topics)(tr_sink_reader *r, void (*each)(void *context, const char *topic), void *context);
	void (*free)(tr_sink_reader *r); /* NULL is fine */
} tr_sink_reader_ops;

struct tr_sink_reader {
	uint32_t magic;
	const tr_sink_reader_ops *ops;
};
#define TR_SINK_READER_MAGIC 0x51cc0002u

/* The reader for a sink of this kind; NULL when what it writes cannot be read back (stdout, null). */
const tr_sink_reader_ops *tr_sink_reader_find(const char *url);

#endif
