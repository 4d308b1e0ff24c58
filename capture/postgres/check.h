/* Shared by check.c, check_tables.c and check_signal.c: one run of `check`. */
#ifndef TR_CAPTURE_POSTGRES_CHECK_H
#define TR_CAPTURE_POSTGRES_CHECK_H

#include "capture/postgres/postgres.h"

typedef struct tr_pgc_checkup {
	tr_pgc *s;
	tr_finding_fn report;
	void *context;
	tr_finding finding; /* the one being written */
	PGresult *settings;
	tr_pgc_slot slot;
	tr_pgc_publication publication;
	tr_pgc_list capturable; /* the captured tables */
	size_t not_owned;       /* of them, by our role */
} tr_pgc_checkup;

/* Begins a finding; fill its fields with SAY, then hand it over with its subject. */
tr_finding *tr_pgc_finding(tr_pgc_checkup *k, tr_severity severity, tr_err_code code);
void tr_pgc_found(tr_pgc_checkup *k, tr_finding *f, const char *subject, ...) __attribute__((format(printf, 3, 4)));
void tr_pgc_finding_say(char *field, size_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));
#define SAY(field, ...) tr_pgc_finding_say((field), sizeof(field), __VA_ARGS__)

/* Tables: whether there are any, privileges, replica identity, what cannot be captured. */
int tr_pgc_check_tables(tr_pgc_checkup *k, tr_err *err);
/* The table whose rows are commands: whether it is there and may be written. */
int tr_pgc_check_signal(tr_pgc_checkup *k, tr_err *err);

#endif
