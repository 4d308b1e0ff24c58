/*
 * The durable part of an incremental snapshot: the tables still to do, and how far the first of them is. It travels as the
 * member "incremental" of the position, so rows and progress become durable together:
 *
 *     {"tables":[{"schema":"public","table":"orders","filter":"id > 1"}],
 *      "key":["id"],"last":["2048"],"max":["90000"],"rows":2048,"paused":true}
 *
 * Key values are the server's text and compared by the server only. Without `max` the first table was not begun.
 *
 * Refuses: more than TR_INC_TODO_MAX tables; texts of unknown shape (a snapshot must not be forgotten in silence).
 */
#ifndef TR_CAPTURE_INCREMENTAL_PROGRESS_H
#define TR_CAPTURE_INCREMENTAL_PROGRESS_H

#include "core/err.h"
#include "core/slice.h"

#define TR_INC_KEY_MAX  32 /* INDEX_MAX_KEYS */
#define TR_INC_TODO_MAX 10000

typedef struct tr_inc_key {
	size_t count;
	char *parts[TR_INC_KEY_MAX];
} tr_inc_key;

typedef struct tr_inc_todo {
	char *schema, *name;
	char *filter; /* SQL condition, or NULL */
} tr_inc_todo;

typedef struct tr_inc_progress {
	tr_inc_todo *todo; /* the first is being read */
	size_t count;
	bool paused;
	tr_inc_key columns, last, max; /* of the first; last without parts: nothing was emitted */
	uint64_t rows;                 /* read of the first */
	char *text;                    /* what the position carries; NULL = nothing is under way */
} tr_inc_progress;

void tr_inc_progress_release(tr_inc_progress *p);
/* Replaces everything by what the text says; an empty text: nothing is under way. */
int tr_inc_progress_load(tr_inc_progress *p, tr_slice text, tr_err *err);
/* To be called after each change: makes `text` anew. */
int tr_inc_progress_save(tr_inc_progress *p, tr_err *err);
/* Appends a table; one that waits already with the same filter is not taken twice (*added tells). */
int tr_inc_progress_add(tr_inc_progress *p, const char *schema, const char *name, const char *filter, bool *added,
			tr_err *err);
void tr_inc_progress_remove(tr_inc_progress *p, size_t index);
/* The first table starts from its beginning. */
void tr_inc_progress_rewind(tr_inc_progress *p);

void tr_inc_key_clear(tr_inc_key *key);
int tr_inc_key_push(tr_inc_key *key, tr_slice part, tr_err *err);
bool tr_inc_key_equal(const tr_inc_key *a, const tr_inc_key *b);

#endif
