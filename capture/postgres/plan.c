/* What `check` shows of the plan: each captured table compiled as a snapshot would compile it, without slot or snapshot. */
#include <string.h>

#include "capture/postgres/snapshot.h"
#include "core/text.h"

/* The compiled table; NULL when it is gone meanwhile. */
static int compile(tr_pgc *s, const tr_pgc_snapshot_table *t, tr_catalogue *catalogue, const tr_table **out, tr_err *err)
{
	tr_pgc_relation *rel;

	*out = NULL;
	if (tr_pgc_relation_read(&s->catalog, t->listed->oid, t->columns, s->options->snapshot_as_debezium, &rel, err))
		return -1;
	if (rel && tr_pgc_relation_compile(&s->catalog, rel, catalogue, err))
		return -1;
	*out = rel ? rel->table : NULL;
	return 0;
}

/* The table's own fault, as opposed to a server that stopped to answer. */
static bool is_finding(const tr_err *err)
{
	return tr_err_reaction(err->code) == TR_REACT_STOP && err->code != TR_E_INTERRUPTED && err->code != TR_E_MEMORY;
}

static int give_all(tr_pgc_snapshot_run *run, tr_catalogue *catalogue, tr_source_table_fn each, void *context, tr_err *err)
{
	for (size_t i = 0; i < run->table_count; i++) {
		const char *collection = run->progress[i].collection;
		const tr_table *table;
		int result;

		tr_err_clear(err);
		result = compile(run->s, &run->tables[i], catalogue, &table, err);
		if (result != 0 && !is_finding(err))
			return tr_err_prefix(err, "table \"%s\"", collection);
		if (result != 0 || table)
			each(context, collection, table, result != 0 ? err : NULL);
	}
	tr_err_clear(err);
	return 0;
}

int tr_pgc_plan(tr_pgc *s, tr_catalogue *catalogue, tr_source_table_fn each, void *context, tr_err *err)
{
	tr_pgc_snapshot_run run;
	tr_err local;
	int result = -1;

	if (tr_pgc_open_sql(s, err))
		return -1;
	s->server.version = PQserverVersion(s->sql);
	tr_text_format(s->server.id.database, sizeof(s->server.id.database), "%s", PQdb(s->sql));
	tr_pgc_snapshot_run_init(&run, s, NULL);
	if (tr_pgc_snapshot_run_tables(&run, err) == 0)
		result = give_all(&run, catalogue, each, context, err ? err : &local);
	tr_pgc_snapshot_run_release(&run);
	return result;
}
