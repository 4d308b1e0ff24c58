/*
 * One chunk of an incremental snapshot: its table as the catalogue describes it in the chunk's own transaction, the
 * statements that read it, and its rows on their way to the listener. Knows nothing of windows and phases.
 */
#ifndef TR_CAPTURE_POSTGRES_CHUNK_H
#define TR_CAPTURE_POSTGRES_CHUNK_H

#include "capture/postgres/incremental.h"

/* 1 = found, 0 = there is no such table. */
int tr_pgc_chunk_find(tr_pgc *s, PGconn *c, uint32_t *oid, char *kind, tr_err *err);
/* In the chunk's transaction, the table locked: shape, key and filters. 1 = good, 0 = the table cannot be read (said). */
int tr_pgc_chunk_describe(tr_pgc *s, tr_err *err);
/* Statements, NUL-terminated. */
void tr_pgc_chunk_begin_sql(const tr_pgc *s, tr_writer *w);
void tr_pgc_chunk_max_sql(const tr_pgc *s, tr_writer *w);
void tr_pgc_chunk_copy_sql(const tr_pgc *s, tr_writer *w);
/* Keeps a line of COPY, unless the chunk is full. */
int tr_pgc_chunk_keep(tr_pgc_incremental *i, const char *line, size_t len, tr_err *err);
/* Publishes the rows that the stream has not touched; *last becomes the key of the last one read. */
int tr_pgc_chunk_publish(tr_pgc *s, uint64_t *published, tr_inc_key *last, tr_err *err);

#endif
