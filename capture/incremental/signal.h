/*
 * Commands by rows: an INSERT into source.signal_table, seen in the stream like any other row, with the columns id, type
 * and data (JSON), as Debezium's signal table has them: execute-snapshot, stop-snapshot, pause-snapshot, resume-snapshot,
 * log, and the marks of windows. What cannot be done is said as a warning and left; a signal never stops the stream.
 *
 * A signal changes the progress, which travels in the position: so it is done, and known to be done, from the same position
 * on that has its row.
 *
 * Refuses: snapshots of type blocking and surrogate keys (with a warning).
 */
#ifndef TR_CAPTURE_INCREMENTAL_SIGNAL_H
#define TR_CAPTURE_INCREMENTAL_SIGNAL_H

#include "capture/incremental/progress.h"
#include "core/writer.h"

/* has_key: false when it is known that the table cannot be read in chunks. */
typedef int (*tr_inc_table_fn)(void *argument, const char *schema, const char *name, bool has_key, tr_err *err);

/* The source that the signals are for. */
typedef struct tr_inc_host {
	const char *name; /* of the pipeline, for messages */
	void *context;    /* for the functions */
	tr_inc_progress *progress;
	/* Gives each captured table; -1 when the source did not answer, or `each` failed. */
	int (*tables)(void *context, tr_inc_table_fn each, void *argument, tr_err *err);
	void (*abandon)(void *context); /* the chunk at hand is of no use any more */
	void (*closed)(void *context, tr_slice id); /* the second mark of a window has come */
	void (*position)(void *context, tr_writer *out);
} tr_inc_host;

/* A row that was inserted into the signal table, its values as UTF-8. -1 only when the signal has to be read again. */
int tr_inc_signal(const tr_inc_host *host, tr_slice id, tr_slice type, tr_slice data, tr_err *err);
/* Says that the table has not the columns that are needed. Returns 0. */
int tr_inc_signal_misshapen(const tr_inc_host *host, size_t column_count);

#endif
