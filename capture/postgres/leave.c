/* What a pipeline leaves at the server when it ends, and dropping that for good. */
#include "capture/postgres/postgres.h"
#include "core/text.h"

static void drop_publication_sql(const tr_pgc *s, tr_writer *w)
{
	tr_writer_text(w, "DROP PUBLICATION ");
	tr_pgc_ident(w, s->publication);
}

static void name_both(const tr_pgc *s, bool slot, bool publication, char *out, size_t size)
{
	char one[TR_PGC_NAME_MAX + 32] = "", other[TR_PGC_NAME_MAX + 32] = "";

	if (slot)
		tr_text_format(one, sizeof(one), "replication slot \"%s\"", s->slot);
	if (publication)
		tr_text_format(other, sizeof(other), "publication \"%s\"", s->publication);
	tr_text_format(out, size, "%s%s%s", one, slot && publication ? " and " : "", other);
}

void tr_pgc_leaves(const tr_pgc *s, tr_source_left *out)
{
	bool slot = s->plan == TR_PGC_SLOT_USE && s->options->create;
	tr_writer w;

	*out = (tr_source_left){.keeps_log = slot};
	name_both(s, slot, s->publication_ours, out->what, sizeof(out->what));
	tr_writer_init(&w, sizeof(out->sql));
	if (slot)
		tr_writer_format(&w, "SELECT pg_drop_replication_slot('%s')%s", s->slot, s->publication_ours ? "; " : "");
	if (s->publication_ours)
		drop_publication_sql(s, &w);
	tr_text_format(out->sql, sizeof(out->sql), "%.*s", (int)w.len, (const char *)w.data);
	tr_writer_release(&w);
}

static int drop_slot(tr_pgc *s, bool *dropped, tr_err *err)
{
	tr_pgc_slot slot;

	*dropped = false;
	if (tr_pgc_slot_read(s, &slot, err))
		return -1;
	if (!slot.exists)
		return 0;
	/* One that can no longer be used is ours to drop all the same. */
	slot.invalid = false;
	if (tr_pgc_slot_usable(s, &slot, err) || tr_pgc_slot_drop(s, err))
		return -1;
	*dropped = true;
	return 0;
}

static int drop_publication(tr_pgc *s, bool *dropped, tr_err *err)
{
	tr_pgc_publication publication;
	PGresult *r = NULL;
	tr_writer sql;
	int result;

	*dropped = false;
	if (tr_pgc_publication_read(s, &publication, err))
		return -1;
	if (!publication.ours || s->server.standby)
		return 0;
	tr_writer_init(&sql, 1024);
	drop_publication_sql(s, &sql);
	tr_writer_u8(&sql, '\0');
	result = tr_pgc_sql(s, "drop the publication", (const char *)sql.data, 0, NULL, &r, err);
	PQclear(r);
	tr_writer_release(&sql);
	*dropped = result == 0;
	return result;
}

int tr_pgc_drop(tr_pgc *s, char *what, size_t size, tr_err *err)
{
	bool slot, publication;

	if (!s->options->create) {
		tr_err_set(err, TR_E_USAGE, "source.create is false: slot and publication were not made here");
		return tr_err_hint(err, "Nothing was dropped at the source. SELECT pg_drop_replication_slot('%s');", s->slot);
	}
	if (tr_pgc_open_sql(s, err) || tr_pgc_open_repl(s, err) || tr_pgc_server_read(s, err) || drop_slot(s, &slot, err) ||
	    drop_publication(s, &publication, err))
		return -1;
	name_both(s, slot, publication, what, size);
	return 0;
}
