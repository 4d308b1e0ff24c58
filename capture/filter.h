/*
 * Which tables are captured: tailrace's globs on schema.table (database.table in MySQL), or Debezium's regular expressions,
 * matched whole and case-insensitively. What the source says is the server's own never matches. Cold path: a relation is
 * matched once, when it is first seen.
 *
 * A comma separates expressions unless it is escaped or inside of brackets. Refuses what events/pattern.h refuses: such
 * an expression is a CONFIG error, not a guess.
 */
#ifndef TR_CAPTURE_FILTER_H
#define TR_CAPTURE_FILTER_H

#include "capture/source.h"

typedef struct tr_filter tr_filter;

/* Whether a table is the server's own. */
typedef bool (*tr_filter_system_fn)(const char *schema, const char *name);

int tr_filter_new(tr_filter **out, const tr_source_options *options, tr_filter_system_fn is_system, tr_err *err);
void tr_filter_free(tr_filter *f);
bool tr_filter_match(const tr_filter *f, const char *schema, const char *name);
/*
 * Place of a captured table in a snapshot: that of the first expression of source.table_include that matches it; tables of
 * one expression, and all tables without any, have the same, and are read by name. A signal table that none matches is last.
 */
size_t tr_filter_rank(const tr_filter *f, const char *schema, const char *name);
/* Whether the rules on schemas alone let some table of this one be captured. */
bool tr_filter_match_schema(const tr_filter *f, const char *schema);
/* How the configuration says it, for messages: `source.tables = public.*, !public.audit_*`. */
void tr_filter_describe(const tr_filter *f, char *out, size_t cap);

#endif
