/*
 * Rows that limits.memory cannot hold. libpq keeps a message until it is whole and then gives out a copy, so a row may take
 * at most options->event_max_bytes, twice. A longer one is refused while it is still coming: what the connection received
 * since the last whole message is asked of the kernel, which works with TLS, too. It is asked between libpq's calls, and one
 * of them may read much from a fast server. Over a Unix socket nobody counts; there the row is refused once it is whole.
 */
#ifndef TR_CAPTURE_POSTGRES_LARGE_H
#define TR_CAPTURE_POSTGRES_LARGE_H

#include "capture/postgres/postgres.h"

typedef struct tr_pgc_coming {
	uint64_t since; /* bytes the connection had received when its last whole message was taken; 0 = not looked at */
} tr_pgc_coming;

/* After input was taken in that did not complete a message: true when the message is longer than max_bytes already. */
bool tr_pgc_coming_too_long(tr_pgc_coming *m, const PGconn *c, uint64_t max_bytes);
/* A message was taken. */
static inline void tr_pgc_coming_whole(tr_pgc_coming *m)
{
	m->since = 0;
}

/* BATCH_LIMIT for a row of that table (NULL: not known, or no row); bytes 0: it has not come as a whole. Returns -1. */
int tr_pgc_large_error(const tr_pgc *s, const char *schema, const char *table, uint64_t bytes, tr_err *err);
/* The same for the message that is coming on the stream. Ends the connection, and asks the server for table and size. */
int tr_pgc_large_coming(tr_pgc *s, tr_err *err);
/* The same for a whole CopyData payload of the stream that is longer than the limit. */
int tr_pgc_large_message(tr_pgc *s, const char *data, int len, tr_err *err);

#endif
