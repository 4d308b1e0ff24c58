#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/postgres/check.h"
#include "core/text.h"

/* Privileges of the tables with the given oids. */
static const char rights_sql[] =
    "SELECT c.oid, has_schema_privilege(c.relnamespace, 'USAGE'), has_table_privilege(c.oid, 'SELECT'),"
    " pg_has_role(c.relowner, 'USAGE'), row_security_active(c.oid)"
    " FROM pg_class c WHERE c.oid = ANY ($1::oid[]) ORDER BY c.oid";

typedef struct rights {
	uint32_t oid;
	bool usage, select, owner, row_security;
} rights;

static int by_oid(const void *a, const void *b)
{
	uint32_t x = ((const rights *)a)->oid, y = ((const rights *)b)->oid;

	return x < y ? -1 : x > y;
}

static int read_rights(tr_pgc_checkup *k, const tr_pgc_list *list, rights **out, size_t *count, tr_err *err)
{
	tr_writer oids;
	PGresult *r = NULL;
	int result = -1;

	*out = NULL;
	tr_writer_init(&oids, 64u << 20);
	for (size_t i = 0; i < list->count; i++)
		tr_writer_format(&oids, "%c%u", i ? ',' : '{', list->tables[i].oid);
	tr_writer_put(&oids, list->count ? "}" : "{}", list->count ? 2 : 3);
	if (!tr_writer_ok(&oids)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory for the tables' privileges");
		goto out;
	}
	const char *params[] = {(const char *)oids.data};
	if (tr_pgc_sql(k->s, "read the tables' privileges", rights_sql, 1, params, &r, err))
		goto out;
	*count = (size_t)PQntuples(r);
	*out = calloc(*count + 1, sizeof(**out));
	if (!*out) {
		tr_err_set(err, TR_E_MEMORY, "out of memory for the tables' privileges");
		goto out;
	}
	for (int i = 0; i < PQntuples(r); i++)
		(*out)[i] = (rights){.oid = (uint32_t)strtoul(PQgetvalue(r, i, 0), NULL, 10),
				     .usage = PQgetvalue(r, i, 1)[0] == 't',
				     .select = PQgetvalue(r, i, 2)[0] == 't',
				     .owner = PQgetvalue(r, i, 3)[0] == 't',
				     .row_security = PQgetvalue(r, i, 4)[0] == 't'};
	result = 0;
out:
	PQclear(r);
	tr_writer_release(&oids);
	return result;
}

static void missing_privilege(tr_pgc_checkup *k, const tr_pgc_listed *t, const rights *r)
{
	tr_finding *f = tr_pgc_finding(k, TR_FINDING_ERROR, TR_E_SOURCE_PRIVILEGE);

	SAY(f->what, "role \"%s\" may not read it", k->s->server.user);
	SAY(f->why, "the snapshot cannot be taken");
	if (!r->usage)
		SAY(f->fix,
		    "GRANT USAGE ON SCHEMA \"%s\" TO \"%s\"; GRANT SELECT ON ALL TABLES IN SCHEMA \"%s\" TO \"%s\";",
		    t->schema, k->s->server.user, t->schema, k->s->server.user);
	else
		SAY(f->fix, "GRANT SELECT ON TABLE \"%s\".\"%s\" TO \"%s\";", t->schema, t->name, k->s->server.user);
	tr_pgc_found(k, f, "table %s.%s", t->schema, t->name);
}

static void check_rights(tr_pgc_checkup *k, const tr_pgc_listed *t, const rights *r)
{
	tr_finding *f;

	if ((!r->usage || !r->select) && tr_source_reads_rows(k->s->options))
		missing_privilege(k, t, r);
	if (r->row_security) {
		f = tr_pgc_finding(k, TR_FINDING_ERROR, TR_E_SOURCE_PRIVILEGE);
		SAY(f->what, "row security hides rows of it from role \"%s\"", k->s->server.user);
		SAY(f->why, "the snapshot would be incomplete, so it is refused");
		SAY(f->fix, "ALTER ROLE \"%s\" BYPASSRLS;", k->s->server.user);
		tr_pgc_found(k, f, "table %s.%s", t->schema, t->name);
	}
}

/* Without an identity the server refuses the applications' own UPDATE and DELETE once the table is published. */
static void check_identity(tr_pgc_checkup *k, const tr_pgc_listed *t)
{
	bool nothing = t->identity == 'n', keyless = t->identity == 'd' && !t->has_key;
	tr_finding *f;

	if (!nothing && !keyless)
		return;
	f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_SOURCE_SETTING);
	SAY(f->what,
	    nothing ? "its replica identity is NOTHING" : "it has no primary key and the default replica identity");
	SAY(f->why, "once it is published, the applications' own UPDATE and DELETE on it fail; only INSERT works");
	SAY(f->fix,
	    nothing && t->has_key ? "ALTER TABLE \"%s\".\"%s\" REPLICA IDENTITY DEFAULT;"
				  : "ALTER TABLE \"%s\".\"%s\" REPLICA IDENTITY FULL; -- or add a primary key",
	    t->schema, t->name);
	tr_pgc_found(k, f, "table %s.%s", t->schema, t->name);
}

static void uncapturable(tr_pgc_checkup *k, const tr_pgc_listed *t)
{
	tr_finding *f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_PUBLICATION_TABLES);

	SAY(f->what, "it matches the patterns but is %s", t->kind == 'f' ? "a foreign table" : "unlogged");
	SAY(f->why, "its changes are not in this server's log, so it is left out");
	if (t->kind == 'f')
		SAY(f->fix, "exclude it: source.tables \"!%s.%s\"; capture it at its own server", t->schema, t->name);
	else
		SAY(f->fix, "ALTER TABLE \"%s\".\"%s\" SET LOGGED; or exclude it: source.tables \"!%s.%s\"", t->schema,
		    t->name, t->schema, t->name);
	tr_pgc_found(k, f, "table %s.%s", t->schema, t->name);
}

/* A root that matches while its partitions do not: their rows come under the partitions' names. */
static void check_partitions(tr_pgc_checkup *k, const tr_pgc_listed *t, const tr_pgc_list *all)
{
	tr_finding *f;

	if (t->kind != 'p' || t->partition || k->s->options->publish_via_root)
		return;
	for (size_t i = 0; i < all->count; i++)
		if (all->tables[i].partition && all->tables[i].root_captured)
			return;
	f = tr_pgc_finding(k, TR_FINDING_WARNING, TR_E_PUBLICATION_TABLES);
	SAY(f->what, "it is partitioned, but no partition matches the patterns");
	SAY(f->why, "changes carry the partitions' names unless they are published by the root");
	SAY(f->fix, "set source.publish_via_root to true, or add the partitions to source.tables");
	tr_pgc_found(k, f, "table %s.%s", t->schema, t->name);
}

static void check_one(tr_pgc_checkup *k, const tr_pgc_listed *t, const rights *all, size_t count)
{
	const rights key = {.oid = t->oid};
	const rights *r = bsearch(&key, all, count, sizeof(*all), by_oid);

	if (r) {
		check_rights(k, t, r);
		k->not_owned += !r->owner;
	}
	check_identity(k, t);
	check_partitions(k, t, &k->capturable);
}

static int none_matches(tr_pgc_checkup *k)
{
	tr_finding *f = tr_pgc_finding(k, TR_FINDING_ERROR, TR_E_TABLE_MISSING);
	char patterns[200];

	tr_filter_describe(k->s->filter, patterns, sizeof(patterns));
	SAY(f->what, "no table of database \"%s\" matches: %s", k->s->server.id.database, patterns);
	SAY(f->why, "there is nothing to capture");
	SAY(f->fix, "patterns are globs on schema.table, as \"public.*\"; see what there is: SELECT schemaname, "
		    "tablename FROM pg_tables;");
	tr_pgc_found(k, f, "tables");
	return 0;
}

int tr_pgc_check_tables(tr_pgc_checkup *k, tr_err *err)
{
	tr_pgc_list everything;
	rights *all = NULL;
	size_t count = 0;
	tr_finding *f;
	int result = -1;

	if (tr_pgc_catalog_list(&k->s->catalog, k->s->publication, false, true, &everything, err))
		return -1;
	for (size_t i = 0; i < everything.count; i++)
		if (everything.tables[i].kind == 'f' || everything.tables[i].persistence != 'p')
			uncapturable(k, &everything.tables[i]);
	tr_pgc_list_release(&everything);
	if (tr_pgc_catalog_list(&k->s->catalog, k->s->publication, false, false, &k->capturable, err))
		return -1;
	if (k->capturable.count == 0)
		return none_matches(k);
	if (read_rights(k, &k->capturable, &all, &count, err))
		goto out;
	f = tr_pgc_finding(k, TR_FINDING_OK, TR_OK);
	SAY(f->what, "%zu match", k->capturable.count);
	tr_pgc_found(k, f, "tables");
	for (size_t i = 0; i < k->capturable.count; i++)
		check_one(k, &k->capturable.tables[i], all, count);
	result = 0;
out:
	free(all);
	return result;
}
