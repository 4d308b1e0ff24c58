/*
 * One open output file of the file sink. While it is open its name is DIR/.<topic>-000001.avro.part; publishing it syncs it
 * and renames it to DIR/<topic>-000001.avro, so a file without the dot and the suffix is always whole.
 *
 * An Avro file is an object container (Avro specification 1.11, "Object Container Files"):
 *   "Obj" 0x01, a map of metadata (avro.schema, avro.codec, tailrace.pipeline, tailrace.topic), 16 bytes sync marker;
 *   then blocks: zig-zag long records, zig-zag long bytes, the records (deflated or not), the sync marker again.
 * A JSON file is one value a line.
 *
 * `synced` bytes are on stable storage; what follows may vanish with the machine and is cut off when a part is taken up again
 * after a crash.
 */
#ifndef TR_SINKS_FILE_PART_H
#define TR_SINKS_FILE_PART_H

#include <limits.h>
#include <zlib.h>

#include "core/err.h"
#include "core/writer.h"

#define TR_PART_SYNC_LEN 16
#define TR_PART_NAME_MAX 255

/* What parts share: the block under construction and the compressor. One thread. */
typedef struct tr_part_block {
	bool avro, deflate;
	tr_writer bytes;   /* TR_PART_HEAD reserved bytes, then the records */
	tr_writer packed;  /* the same, deflated */
	uint64_t records;
	z_stream z;
	bool z_ready;
} tr_part_block;

int tr_part_block_init(tr_part_block *b, bool avro, bool deflate, tr_err *err);
void tr_part_block_release(tr_part_block *b);

typedef struct tr_part {
	bool exists;             /* the file is there, open or suspended */
	int fd;                  /* -1 = suspended */
	char name[TR_PART_NAME_MAX + 1]; /* final name, without directory */
	uint64_t size, synced;   /* bytes */
	int64_t opened_us;       /* monotonic */
	uint8_t sync[TR_PART_SYNC_LEN];
} tr_part;

/* DIR/.<name>.part */
int tr_part_path(const char *dir, const char *name, char out[PATH_MAX], tr_err *err);

/* Makes the file; header_schema NULL = JSON lines. */
int tr_part_create(tr_part *p, const char *dir, const char *name, const tr_part_block *b, const char *schema,
                   const char *pipeline, const char *topic, tr_err *err);
/* Opens a suspended part again. */
int tr_part_resume(tr_part *p, const char *dir, tr_err *err);
/* Closes the descriptor of a part that is synced. */
void tr_part_suspend(tr_part *p);

/* The block gets one more record; the caller appends its bytes to b->bytes first. */
static inline void tr_part_block_count(tr_part_block *b)
{
	b->records++;
}
/* Writes the block to the part when it has records, and empties it. */
int tr_part_write_block(tr_part *p, const char *dir, tr_part_block *b, tr_err *err);
int tr_part_sync(tr_part *p, const char *dir, tr_err *err);
/* Cuts it to `synced`, then visible under its final name, or gone when nothing of it was synced. After an error it is still
 * a part, suspended. */
int tr_part_publish(tr_part *p, const char *dir, tr_err *err);
/* The same for a part of an earlier run of which `length` bytes were synced; one that is not there is published already. */
int tr_part_adopt(const char *dir, const char *name, uint64_t length, tr_err *err);

#endif
