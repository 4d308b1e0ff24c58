/*
 * The one place that makes files durable: temporary file, write, fsync, rename, fsync of the directory. A failed fsync is
 * final: the kernel may have dropped the pages, so the caller must not try again but stop with the error.
 *
 * `code` is the caller's error code (TR_E_STATE_IO, TR_E_SINK_IO); the system's reason goes into the detail.
 */
#ifndef TR_CORE_DURABLE_H
#define TR_CORE_DURABLE_H

#include "core/err.h"
#include "core/slice.h"

/* Replaces (or makes) the file: afterwards it holds either all old or all new bytes, also after a crash. */
int tr_durable_replace(const char *path, tr_slice bytes, unsigned mode, tr_err_code code, tr_err *err);
/* rename(2) of a synced file, then fsync of the target's directory (and of the source's when it is another). */
int tr_durable_rename(const char *from, const char *to, tr_err_code code, tr_err *err);
/* fsync of an open file; `path` is for the message. */
int tr_durable_sync(int fd, const char *path, tr_err_code code, tr_err *err);
int tr_durable_sync_dir(const char *dir, tr_err_code code, tr_err *err);
/* The directory that holds `path`. */
int tr_durable_sync_parent(const char *path, tr_err_code code, tr_err *err);
/* mkdir -p, each new directory durable. */
int tr_durable_mkdirs(const char *dir, unsigned mode, tr_err_code code, tr_err *err);
/* write(2) until all is written. */
int tr_durable_write_all(int fd, tr_slice bytes, const char *path, tr_err_code code, tr_err *err);

#endif
