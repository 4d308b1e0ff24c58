/* What `tailrace tail` prints: one published record as a line for people, or as JSON. */
#ifndef TR_SERVICE_TAIL_H
#define TR_SERVICE_TAIL_H

#include "core/writer.h"
#include "service/cli.h"

/* Key and value as JSON texts; empty = absent (a tombstone has no value). */
typedef struct tr_tail_event {
	const char *topic;
	int partition;
	int64_t offset, timestamp_ms;
	tr_slice key, value;
} tr_tail_event;

/* schema.table of a record: from its source block, or the topic without its first part. */
void tr_tail_table(const tr_tail_event *e, char *out, size_t size);
/* patterns: globs on schema.table or on the table's name alone; none = all. */
bool tr_tail_wanted(const tr_tail_event *e, const char *const *patterns, size_t count);
/* One of them: a glob on "schema.table", or on the table's name alone. */
bool tr_tail_matches(const char *pattern, const char *table);
void tr_tail_line(const tr_tail_event *e, const tr_colours *colours, tr_writer *w);
void tr_tail_json(const tr_tail_event *e, tr_writer *w);

#endif
