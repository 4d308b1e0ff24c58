/*
 * The window around a chunk: two rows in the signal table, as Debezium writes them, and how many rows the next chunk has.
 */
#ifndef TR_CAPTURE_INCREMENTAL_WINDOW_H
#define TR_CAPTURE_INCREMENTAL_WINDOW_H

#include "core/err.h"
#include "core/writer.h"

#define TR_INC_WINDOW_ID   37
#define TR_INC_CHUNK_ROWS  1024            /* unless source.signal_chunk_rows says otherwise */
#define TR_INC_CHUNK_BYTES ((size_t)8 << 20) /* what is kept of a chunk; a single row may be larger */

typedef struct tr_inc_window {
	char id[TR_INC_WINDOW_ID]; /* "" = none */
	char opened_at[40];
} tr_inc_window;

/* A new id; the window opens now. SYSTEM when there is no randomness. */
int tr_inc_window_new(tr_inc_window *w, tr_err *err);
/* The mark's values in SQL: 'id', 'type', 'data'. */
void tr_inc_window_values(const tr_inc_window *w, bool close, tr_writer *out);
/* Whether a mark of this id closes the window. */
bool tr_inc_window_is_closed_by(const tr_inc_window *w, tr_slice id);

/* Rows of the next chunk: fewer when the last one did not fit, by and by more again. most: what is wished for. */
uint32_t tr_inc_next_limit(uint32_t limit, uint32_t most, bool cut, bool too_many_keys, uint32_t row_count);

#endif
