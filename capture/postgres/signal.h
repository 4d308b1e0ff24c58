/*
 * The signal table of a PostgreSQL source: its rows, which are commands (capture/incremental/signal.h), and our rights on it.
 */
#ifndef TR_CAPTURE_POSTGRES_SIGNAL_H
#define TR_CAPTURE_POSTGRES_SIGNAL_H

#include "capture/postgres/postgres.h"

/* A row inserted into the signal table. -1 only when the signal has to be read again (the source did not answer). */
int tr_pgc_signal_row(tr_pgc *s, const tr_table *table, const tr_datum *row, tr_err *err);

typedef struct tr_pgc_signal_rights {
	bool exists, usage, insert, select, owner;
	size_t columns;
} tr_pgc_signal_rights;
/* What our role may do with the signal table. schema and name receive its parts. */
int tr_pgc_signal_rights_read(tr_pgc *s, char schema[TR_PGC_NAME_MAX], char name[TR_PGC_NAME_MAX],
			      tr_pgc_signal_rights *out, tr_err *err);
/* The statements that give what is missing; empty when nothing is. */
void tr_pgc_signal_grant(const tr_pgc *s, const char *schema, const char *name, const tr_pgc_signal_rights *r, char *out,
			 size_t cap);
/* Before streaming: warns when the signal table cannot serve. -1: the source did not answer. */
int tr_pgc_signal_probe(tr_pgc *s, tr_err *err);

#endif
