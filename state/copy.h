/*
 * Copies of records that are about to be replaced or removed, as files for `tailrace offsets import`:
 * DIR/<pipeline>-<UTC time>.json, durable on return, readable by the owner alone. A copy never replaces another one.
 */
#ifndef TR_STATE_COPY_H
#define TR_STATE_COPY_H

#include <limits.h>
#include <stddef.h>

#include "core/err.h"
#include "core/slice.h"

/* DIR/<pipeline><suffix>; characters that cannot be in a file name are written as %XX. */
int tr_state_path(const char *dir, const char *pipeline, const char *suffix, char out[PATH_MAX], tr_err *err);
/* Keeps the bytes; `out` gets the file's path. The caller sees to it that nobody else copies this pipeline meanwhile. */
int tr_state_copy(const char *dir, const char *pipeline, tr_slice bytes, char *out, size_t out_size, tr_err *err);

#endif
