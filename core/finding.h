/* A finding of `check`: what was found, why it matters, and the exact SQL or setting that mends it. */
#ifndef TR_CORE_FINDING_H
#define TR_CORE_FINDING_H

#include "core/err.h"

/* One finding of `check`. */
typedef enum { TR_FINDING_OK, TR_FINDING_NOTE, TR_FINDING_WARNING, TR_FINDING_ERROR } tr_severity;
typedef struct tr_finding {
	tr_severity severity;
	tr_err_code code;    /* of an error or warning; TR_OK otherwise */
	char subject[160];   /* "table public.orders", "setting wal_level" */
	char what[320];      /* what was found */
	char why[320];       /* why it matters; empty for OK */
	char fix[512];       /* exact SQL or setting that mends it; empty for OK */
} tr_finding;
typedef void (*tr_finding_fn)(void *context, const tr_finding *finding);

#endif
