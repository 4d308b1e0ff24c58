/*
 * Regular expressions in configuration, as Debezium reads them: Java's syntax, whole match, case-insensitive (ASCII).
 * They are translated to POSIX extended expressions; \d \w \s and their opposites, \Q..\E, (?:..), (?i), classes with
 * escapes and lazy quantifiers are understood.
 *
 * Refuses with CONFIG, rather than matching something else: look-around, back references, \p{..}, class intersections,
 * possessive quantifiers. Cold path only.
 */
#ifndef TR_EVENTS_PATTERN_H
#define TR_EVENTS_PATTERN_H

#include "core/err.h"
#include "core/slice.h"

typedef struct tr_pattern tr_pattern;

/* `text` is copied. Several patterns may be given as one by joining them with "|" inside (?:..). */
int tr_pattern_new(tr_pattern **out, const char *text, tr_err *err);
/* The whole name; names with a NUL never match. */
bool tr_pattern_match(const tr_pattern *p, const char *name);
void tr_pattern_free(tr_pattern *p);

#endif
