/*
 * Which tables are captured: tailrace's globs on schema.table, or Debezium's regular expressions, matched whole and
 * case-insensitively. System schemas never match. Cold path: a relation is matched once, when it is first seen.
 *
 * A comma separates expressions unless it is escaped or inside of brackets. Refuses what events/pattern.h refuses: such
 * an expression is a CONFIG error, not a guess.
 */
#ifndef TR_CAPTURE_POSTGRES_FILTER_H
#define TR_CAPTURE_POSTGRES_FILTER_H

#include "capture/source.h"

typedef struct tr_pgc_filter tr_pgc_filter;

int tr_pgc_filter_new(tr_pgc_filter **out, const tr_source_options *options, tr_err *err);
void tr_pgc_filter_free(tr_pgc_filter *f);
bool tr_pgc_filter_match(const tr_pgc_filter *f, const char *schema, const char *name);
/* How the configuration says it, for messages: `source.tables = public.*, !public.audit_*`. */
void tr_pgc_filter_describe(const tr_pgc_filter *f, char *out, size_t cap);

#endif
