/*
 * Questions to the catalogue: one relation's columns, key and defaults; one type with what it is made of; the list of
 * tables. Plain SQL on the plain connection, asked when a relation is (re)compiled, never per row.
 */
#ifndef TR_CAPTURE_POSTGRES_FACTS_H
#define TR_CAPTURE_POSTGRES_FACTS_H

#include "capture/postgres/catalog.h"

typedef struct tr_pgc_facts {
	tr_arena arena;
	const char *schema, *name; /* NULL when the relation is gone */
	char identity;
	tr_pg_column *columns; /* all but dropped ones; `identity` flags as a Relation message would carry them */
	size_t column_count;
	size_t key_count; /* columns of the primary key, else of the first unique index by name without expression */
	bool key_primary;
} tr_pgc_facts;

int tr_pgc_facts_load(tr_pgc_catalog *c, uint32_t oid, tr_pgc_facts *out, tr_err *err);
void tr_pgc_facts_release(tr_pgc_facts *f);
const tr_pg_column *tr_pgc_facts_find(const tr_pgc_facts *f, const char *name);

/* The lookup for tr_pg_resolve; context is the tr_pgc_catalog. */
const tr_pg_type *tr_pgc_type_find(void *context, uint32_t oid);

#endif
