/*
 * Errors are values. A function that can fail takes a `tr_err *err` as its last parameter and returns 0, or -1 after
 * filling it. Lower layers return errors, only the loop that decides what to do logs one, once.
 *
 * Refuses: row data in any text; printing; exceptions. Codes, their process exit status and their default reaction
 * stand in errors.def, the one catalogue (docs/ERRORS.md is generated from it).
 *
 * Message grammar: text = what failed, lower case, object kind, "quoted name"; "could not" may work later, "cannot"
 * never will. detail = the facts (server's answer, offsets). hint = what is safe and what to do next.
 */
#ifndef TR_CORE_ERR_H
#define TR_CORE_ERR_H

#include <stdbool.h>

typedef enum tr_err_code {
	TR_OK = 0,
#define TR_ERROR(symbol, number, exit_code, reaction, summary) TR_E_##symbol = number,
#include "core/errors.def"
#undef TR_ERROR
} tr_err_code;

/* What the loop that receives the error does unless a policy says otherwise. */
typedef enum tr_reaction {
	TR_REACT_STOP,   /* end the pipeline; exit status from the catalogue */
	TR_REACT_RETRY,  /* reconnect or call again with jittered back-off */
	TR_REACT_POLICY, /* the configured policy decides (e.g. oversize: dead_letter) */
} tr_reaction;

typedef struct tr_err {
	tr_err_code code;
	char text[320];
	char detail[640];
	char hint[640];
} tr_err;

/* Resets to TR_OK. */
void tr_err_clear(tr_err *err);
/* Sets code and text, clears detail and hint; returns -1 so that callers can `return tr_err_set(...)`. err may be NULL. */
int tr_err_set(tr_err *err, tr_err_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Adds detail or hint to an error already set; both return -1. Too long texts are cut with "...". */
int tr_err_detail(tr_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tr_err_hint(tr_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Puts "prefix: " before the text, for the caller that knows the object. Returns -1. */
int tr_err_prefix(tr_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

const char *tr_err_symbol(tr_err_code code);  /* "SLOT_MISSING" */
int tr_err_exit_code(tr_err_code code);       /* sysexits, see the contract: 64 65 69 70 74 75 77 78 */
tr_reaction tr_err_reaction(tr_err_code code);
const char *tr_err_summary(tr_err_code code); /* the catalogue's sentence */

#endif
