/*
 * Connections to PostgreSQL: opening them by libpq's URL with our session settings, running statements so that they can
 * be interrupted, and turning libpq's answers into our errors. Every wait in this room goes through tr_pgc_wait.
 *
 * Refuses: to know slots, tables or positions. Texts of errors are the server's primary message and SQLSTATE, never its
 * DETAIL, which may quote rows, nor the message of a data exception (class 22), which quotes the value.
 */
#ifndef TR_CAPTURE_POSTGRES_CONNECT_H
#define TR_CAPTURE_POSTGRES_CONNECT_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "core/err.h"
#include "core/writer.h"

/* Ends every wait of a source from another thread. fd is an eventfd that stays readable while stop is set. */
typedef struct tr_pgc_wake {
	int fd;
	_Atomic(bool) stop;
} tr_pgc_wake;

int tr_pgc_wake_init(tr_pgc_wake *w, tr_err *err);
void tr_pgc_wake_release(tr_pgc_wake *w);
void tr_pgc_wake_set(tr_pgc_wake *w); /* any thread */
void tr_pgc_wake_clear(tr_pgc_wake *w);
/* Waits for `events` (poll's) on fd (-1 = none) for at most timeout_ms (-1 = no end). Events > 0, 0 on timeout; -1 with
 * INTERRUPTED when the wake was set, SYSTEM when poll fails. */
int tr_pgc_wait(tr_pgc_wake *w, int fd, short events, int timeout_ms, tr_err *err);

/* The same with a second socket that has something to read; > 0 when either is ready. */
int tr_pgc_wait_two(tr_pgc_wake *w, int fd, short events, int other, int timeout_ms, tr_err *err);

typedef struct tr_pgc_dial {
	const char *url;
	int timeout_ms;    /* for the whole login */
	tr_pgc_wake *wake; /* may be NULL: not interruptible */
} tr_pgc_dial;

/* Opens a connection with our session settings; `replication`: a walsender of the same database. */
int tr_pgc_connect(PGconn **out, const tr_pgc_dial *dial, bool replication, tr_err *err);

#define TR_PGC_NO_LIMIT (-1)
#define TR_PGC_QUERY_MS 60000 /* for catalogue statements */
/*
 * Runs one statement; with param_count 0 by the simple protocol (needed on replication connections, several statements
 * allowed: the last result is returned). `what` names the purpose in errors: "read the server's settings". A statement
 * that starts COPY returns at that point. After timeout_ms the statement is cancelled and the error is
 * SOURCE_UNAVAILABLE.
 */
int tr_pgc_exec(PGconn *c, tr_pgc_wake *wake, int timeout_ms, const char *what, const char *sql, size_t param_count,
		const char *const *params, PGresult **out, tr_err *err);

/* Fills err from a failed result (or the connection when r is NULL or without SQLSTATE). Returns -1. */
int tr_pgc_error(PGconn *c, const PGresult *r, const char *what, tr_err *err);
/* SQLSTATE of a failed result, "" when there is none. */
const char *tr_pgc_sqlstate(const PGresult *r);

/* SQL text: "name" and 'literal', with quotes doubled; E'' never needed (standard_conforming_strings is on). */
void tr_pgc_ident(tr_writer *w, const char *name);
void tr_pgc_literal(tr_writer *w, const char *text);
/* "schema"."name" */
void tr_pgc_qualified(tr_writer *w, const char *schema, const char *name);

/* "0/16B3748" <-> number. parse returns false when the text is not one. */
#define TR_PGC_LSN_TEXT 20
void tr_pgc_lsn_format(char out[TR_PGC_LSN_TEXT], uint64_t lsn);
bool tr_pgc_lsn_parse(const char *text, uint64_t *out);

#endif
