/* What `check` shows of the plan: each captured table compiled as a snapshot would compile it. */
#include "capture/mysql/mysql.h"
#include "core/text.h"

/* The table's own fault, as opposed to a server that stopped to answer. */
static bool is_finding(const tr_err *err)
{
	return tr_err_reaction(err->code) == TR_REACT_STOP && err->code != TR_E_INTERRUPTED && err->code != TR_E_MEMORY;
}

static int give_all(tr_myc *s, const tr_myc_list *list, tr_catalogue *catalogue, tr_source_table_fn each, void *context,
		    tr_err *err)
{
	for (size_t i = 0; i < list->count; i++) {
		const tr_myc_listed *t = &list->tables[i];
		tr_myc_relation *rel;
		char collection[1024];

		tr_err_clear(err);
		tr_text_format(collection, sizeof(collection), "%s.%s", t->database, t->name);
		int failed = tr_myc_relation_read(&s->catalog, t->database, t->name, catalogue, &rel, err);
		if (failed && !is_finding(err))
			return tr_err_prefix(err, "table \"%s\"", collection);
		if (failed || rel)
			each(context, collection, failed ? NULL : rel->table, failed ? err : NULL);
	}
	tr_err_clear(err);
	return 0;
}

int tr_myc_plan(tr_myc *s, tr_catalogue *catalogue, tr_source_table_fn each, void *context, tr_err *err)
{
	tr_myc_list list;
	tr_err local;
	int result;

	if (tr_myc_open_sql(s, err) || tr_myc_catalog_list(&s->catalog, false, &list, err))
		return -1;
	result = give_all(s, &list, catalogue, each, context, err ? err : &local);
	tr_myc_list_release(&list);
	return result;
}
