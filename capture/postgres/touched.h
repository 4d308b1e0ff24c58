/*
 * The keys that the stream has touched while a window is open. A streamed key may come in the server's binary form while
 * the chunk's rows are text; then both are compared as decoded values, else byte by byte (the server tells an old key
 * whenever its bytes change, so equality by collation is not needed).
 *
 * Refuses: more than its maximum: `failed` says that the chunk has to be read again.
 */
#ifndef TR_CAPTURE_POSTGRES_TOUCHED_H
#define TR_CAPTURE_POSTGRES_TOUCHED_H

#include "capture/postgres/progress.h"
#include "core/writer.h"
#include "events/table.h"

typedef struct tr_pgc_touched {
	tr_writer keys;  /* length, bytes, length, bytes ... */
	uint32_t *slots; /* offset in keys + 1, 0 = empty; open addressing */
	size_t slot_count, count;
	bool decoded[TR_PGC_KEY_MAX]; /* how each column is compared; decided by the first key */
	bool failed;
	tr_writer one; /* the key being built */
	tr_arena scratch;
} tr_pgc_touched;

void tr_pgc_touched_init(tr_pgc_touched *t);
void tr_pgc_touched_release(tr_pgc_touched *t);
void tr_pgc_touched_clear(tr_pgc_touched *t);
/* columns[i] and data[i] belong together; data are TEXT or BINARY. */
void tr_pgc_touched_add(tr_pgc_touched *t, const tr_column *const *columns, const tr_datum *data, size_t count);
/* data are TEXT. -1: a value cannot be decoded. */
int tr_pgc_touched_has(tr_pgc_touched *t, const tr_column *const *columns, const tr_datum *data, size_t count, bool *out,
		       tr_err *err);

#endif
