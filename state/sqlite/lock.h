/*
 * The lock that keeps two processes from running one pipeline: flock(2) on DIR/<pipeline>.lock, which the system gives back
 * when the process ends, however it ends. The file holds the owner's process id as text and stays: removing it would let a
 * third process lock a file that no longer has a name.
 */
#ifndef TR_STATE_SQLITE_LOCK_H
#define TR_STATE_SQLITE_LOCK_H

#include "core/err.h"

/* STATE_BUSY names the owner. */
int tr_state_lock(const char *dir, const char *pipeline, int *out_fd, tr_err *err);
void tr_state_unlock(int fd);

#endif
