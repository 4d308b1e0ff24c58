/*
 * What of a file sink's open parts is on stable storage: DIR/.<pipeline>.parts, replaced as a whole after each round of
 * syncs and before the batches of that round are settled. One line a part:
 *   <synced bytes in decimal> <final file name>
 * and a last line "end <lines>". No file means no open part.
 *
 * A batch is settled when its records are in files that are visible, or in parts whose synced length this file holds: a start
 * after a crash cuts each listed part to that length and publishes it. Parts that are not listed were never settled.
 */
#ifndef TR_SINKS_FILE_JOURNAL_H
#define TR_SINKS_FILE_JOURNAL_H

#include "core/err.h"
#include "core/map.h"
#include "core/writer.h"

/* lines: what journal_line wrote; empty removes the file. */
int tr_journal_save(const char *dir, const char *pipeline, tr_writer *lines, size_t count, tr_err *err);
void tr_journal_line(tr_writer *lines, uint64_t synced, const char *name);

/* Publishes the listed parts of an earlier run and removes the journal. A directory that is not there is fine. */
int tr_journal_recover(const char *dir, const char *pipeline, tr_err *err);

/* What a directory holds of a topic: its highest number, and the number of a part that was left (0 = none). */
typedef struct tr_topic_files {
	uint32_t highest, part;
} tr_topic_files;
/* Topic name -> tr_topic_files (malloc'ed), for files that end in `suffix` (".avro", ".jsonl"). */
int tr_journal_scan(const char *dir, const char *suffix, tr_map *into, tr_err *err);

#endif
