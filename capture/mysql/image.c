/*
 * Rows that come without some of their columns (binlog_row_image is not FULL): text shows the placeholder of
 * events.unavailable, but a number cannot be marked. So it is said once a table, with the columns' names.
 */
#include "capture/mysql/mysql.h"
#include "core/log.h"
#include "core/text.h"

/* Not in the event, and no reader can see that it is not. An update has it from the old row, when that came whole. */
static bool is_lost(const tr_myc *s, const tr_column *column, const tr_bl_row *m)
{
	const tr_datum *after = &m->after[column->index], *before = m->before ? &m->before[column->index] : NULL;
	const char *mark = s->events->unavailable;

	if (after->form == TR_D_ABSENT)
		return true;
	if (after->form != TR_D_UNCHANGED || (before && before->form != TR_D_ABSENT))
		return false;
	return !mark || column->unavailable.kind != TR_V_BYTES || !tr_slice_eq(column->unavailable.s, tr_slice_str(mark));
}

void tr_myc_image_tell(const tr_myc *s, tr_myc_relation *rel, const tr_bl_row *m)
{
	const tr_table *t = rel->table;
	char names[400] = "";
	size_t len = 0;

	for (size_t i = 0; i < t->published_count; i++) {
		if (!is_lost(s, t->published[i], m))
			continue;
		tr_text_format(names + len, sizeof(names) - len, "%s%s", len > 0 ? ", " : "", t->published[i]->name);
		len = strlen(names);
	}
	rel->image_told = len > 0;
	if (len == 0)
		return;
	tr_log(TR_LOG_WARN, s->name, "row_image.partial", "table %s: a row came without columns that its statement did not set, and they "
	       "are published as null or their default: %s; SET %s binlog_row_image = 'FULL' makes the server log whole rows%s; sessions "
	       "that are open keep what they have", t->collection, names, tr_myc_set_scope(s->server.mariadb),
	       s->server.mariadb ? " (also in its configuration)" : "");
}
