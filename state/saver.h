/*
 * Saves a record on a thread of its own, so that a disk which takes its time to sync holds up nothing else. One save at a time.
 * All calls are made by one thread; while a save is under way the store is the saver's.
 */
#ifndef TR_STATE_SAVER_H
#define TR_STATE_SAVER_H

#include "state/store.h"

typedef struct tr_saver tr_saver;

/* The store stays the caller's. SYSTEM: no thread could be started. */
int tr_saver_new(tr_saver **out, tr_store *store, tr_err *err);
/* Begins to save a copy of the record. None may be under way. */
int tr_saver_begin(tr_saver *s, const tr_record_state *record, tr_err *err);
/* How the save that was begun went: 1 it is durable, 0 it is still under way (never with `wait`), -1 it failed. */
int tr_saver_end(tr_saver *s, bool wait, tr_err *err);
/* What was given to the last begin. */
const tr_record_state *tr_saver_record(const tr_saver *s);
/* Waits for a save that is under way. */
void tr_saver_free(tr_saver *s);

#endif
