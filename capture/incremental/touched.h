/*
 * The keys that the stream has touched while a window is open. A streamed key may come in the server's binary form while
 * the chunk's rows are text; then both are compared as decoded values, else byte by byte. Equality by collation is not
 * needed: the server tells an old key whenever its bytes change, and as they were stored.
 *
 * Refuses: more than its maximum: `failed` says that the chunk has to be read again.
 */
#ifndef TR_CAPTURE_INCREMENTAL_TOUCHED_H
#define TR_CAPTURE_INCREMENTAL_TOUCHED_H

#include "capture/incremental/progress.h"
#include "core/writer.h"
#include "events/table.h"

typedef struct tr_inc_touched {
	tr_writer keys;  /* length, bytes, length, bytes ... */
	uint32_t *slots; /* offset in keys + 1, 0 = empty; open addressing */
	size_t slot_count, count;
	bool decoded[TR_INC_KEY_MAX]; /* how each column is compared; decided by the first key */
	bool failed;
	tr_writer one; /* the key being built */
	tr_arena scratch;
} tr_inc_touched;

void tr_inc_touched_init(tr_inc_touched *t);
void tr_inc_touched_release(tr_inc_touched *t);
void tr_inc_touched_clear(tr_inc_touched *t);
/* columns[i] and data[i] belong together; data are TEXT or BINARY. A column that is NULL is compared by bytes, whatever the form. */
void tr_inc_touched_add(tr_inc_touched *t, const tr_column *const *columns, const tr_datum *data, size_t count);
/* data are TEXT. -1: a value cannot be decoded. */
int tr_inc_touched_has(tr_inc_touched *t, const tr_column *const *columns, const tr_datum *data, size_t count, bool *out,
		       tr_err *err);

#endif
