/*
 * The key of a table as statements see it: in which order its rows are read, and where a chunk begins and ends. Values are
 * compared by the server only, column by column ((a, b) > (1, 2) is written out, since servers use no index for it); what
 * is kept of a value is a text that gives exactly this value again:
 *
 *     numbers, dates, times    the server's text
 *     FLOAT, DOUBLE            as DOUBLE, which the server prints exactly
 *     ENUM, SET, BIT           their number, by which the server orders them
 *     text and bytes           0x and the stored bytes in hexadecimal; so no conversion of character sets comes between
 *
 * Refuses: keys of other types, and those that may be null.
 */
#ifndef TR_CAPTURE_MYSQL_KEY_H
#define TR_CAPTURE_MYSQL_KEY_H

#include "capture/incremental/progress.h"
#include "capture/mysql/catalog.h"

typedef enum tr_myc_key_form {
	TR_MYC_KEY_NUMBER,
	TR_MYC_KEY_FLOAT,
	TR_MYC_KEY_LABEL,  /* ENUM */
	TR_MYC_KEY_BITS,   /* SET, BIT */
	TR_MYC_KEY_QUOTED, /* dates, times, UUID, INET */
	TR_MYC_KEY_TEXT,
	TR_MYC_KEY_BYTES,
} tr_myc_key_form;

typedef struct tr_myc_key_column {
	const tr_bl_column *column; /* of the facts */
	const char *collation;      /* or NULL */
	uint16_t index;
	tr_myc_key_form form;
} tr_myc_key_column;

typedef struct tr_myc_key {
	tr_myc_key_column columns[TR_INC_KEY_MAX]; /* in the key's order */
	size_t count;
} tr_myc_key;

/* NULL, or why the table cannot be read in chunks: "has no key ...". */
const char *tr_myc_key_find(const tr_myc_facts *facts, tr_myc_key *out);
/* The columns' names, with a number each that changes with what decides about the order. */
int tr_myc_key_names(const tr_myc_key *k, tr_inc_key *out, tr_err *err);
/* Whether texts of an earlier time have the form of this key's values. */
bool tr_myc_key_fits(const tr_myc_key *k, const tr_inc_key *values);
/* Appends the text of what the server answered for the column's expression. */
int tr_myc_key_push(const tr_myc_key *k, size_t n, tr_slice answer, tr_inc_key *out, tr_err *err);

/* SQL: the expressions to select; ORDER BY; " AND ..." behind `last`, or up to and with `max`. */
void tr_myc_key_select(const tr_myc_key *k, tr_writer *w);
void tr_myc_key_order(const tr_myc_key *k, bool descending, tr_writer *w);
void tr_myc_key_after(const tr_myc_key *k, const tr_inc_key *last, tr_writer *w);
void tr_myc_key_up_to(const tr_myc_key *k, const tr_inc_key *max, tr_writer *w);

#endif
