/* The progress bar of a snapshot on a terminal: rows, rows/s, time left. Nothing anywhere else. */
#ifndef TR_SERVICE_PROGRESS_H
#define TR_SERVICE_PROGRESS_H

#include "service/runner.h"

typedef struct tr_progress {
	bool enabled, drawn;
} tr_progress;

void tr_progress_init(tr_progress *p);
/* Draws the state of the first pipeline that reads a snapshot, or clears the line when none does. */
void tr_progress_draw(tr_progress *p, tr_runner *runner);
void tr_progress_clear(tr_progress *p);
/* One line of at most `width` characters for a status; also for tests. */
void tr_progress_line(const tr_pipeline_status *status, unsigned width, char *out, size_t size);

#endif
