#include "capture/postgres/signal.h"

#include <jansson.h>
#include <stdlib.h>

#include "capture/postgres/incremental.h"
#include "capture/postgres/snapshot.h"
#include "core/log.h"
#include "core/text.h"
#include "events/pattern.h"

#define DATA_MAX  ((size_t)1 << 20)
#define SHOWN_MAX 64 /* characters of a signal's id in messages */

typedef struct command {
	tr_pgc *s;
	char id[SHOWN_MAX + 8];
	json_t *data; /* an object */
} command;

#define WARN(c, ...) tr_log(TR_LOG_WARN, (c)->s->name, "signal.refused", __VA_ARGS__)

/* --- which tables ------------------------------------------------------------------------------ */

/* 1 = some expression of the list matches, 0 = none, -1 = one cannot be used (said). An absent list matches nothing. */
static int listed(const command *c, const json_t *list, const char *collection)
{
	const json_t *item;
	size_t i;
	int found = 0;

	json_array_foreach(list, i, item) {
		tr_pattern *p = NULL;
		tr_err why = {0};

		if (!json_is_string(item) || tr_pattern_new(&p, json_string_value(item), &why)) {
			WARN(c, "signal \"%s\": entry %zu of its tables is no usable regular expression: %s", c->id,
			     i + 1, why.text);
			return -1;
		}
		found = found || tr_pattern_match(p, collection);
		tr_pattern_free(p);
	}
	return found;
}

/* The condition for a table: that of the first entry whose expression matches. */
static int filter_of(const command *c, const char *collection, const char **out)
{
	const json_t *conditions = json_object_get(c->data, "additional-conditions"), *item;
	size_t i;

	*out = json_string_value(json_object_get(c->data, "additional-condition"));
	json_array_foreach(conditions, i, item) {
		json_t *name = json_object_get(item, "data-collection");
		const char *filter = json_string_value(json_object_get(item, "filter"));
		json_t *list = json_pack("[O]", name);
		int matches = list ? listed(c, list, collection) : -1;

		json_decref(list);
		if (matches < 0 || !filter) {
			WARN(c, "signal \"%s\": entry %zu of additional-conditions needs data-collection and filter",
			     c->id, i + 1);
			return -1;
		}
		if (matches) {
			*out = filter;
			return 0;
		}
	}
	return 0;
}

/* --- execute-snapshot -------------------------------------------------------------------------- */

static bool can_execute(const command *c)
{
	const json_t *type = json_object_get(c->data, "type");
	const char *kind = type ? json_string_value(type) : "incremental";
	const char *surrogate = json_string_value(json_object_get(c->data, "surrogate-key"));

	if (!kind || strcasecmp(kind, "incremental") != 0)
		WARN(c, "signal \"%s\": only snapshots of type incremental are made; nothing was started", c->id);
	else if (surrogate && *surrogate)
		WARN(c, "signal \"%s\": surrogate-key is not supported, rows are read by their own key; nothing was "
			"started", c->id);
	else if (json_array_size(json_object_get(c->data, "data-collections")) == 0)
		WARN(c, "signal \"%s\": data-collections is missing or empty; nothing was started", c->id);
	else
		return true;
	return false;
}

static int add_table(command *c, const tr_pgc_listed *t, size_t *matched, tr_err *err)
{
	char collection[2 * TR_PGC_NAME_MAX + 2];
	const char *filter;
	bool added;

	tr_text_format(collection, sizeof(collection), "%s.%s", t->schema, t->name);
	int matches = listed(c, json_object_get(c->data, "data-collections"), collection);
	if (matches < 0)
		return 1;
	if (!matches || !tr_pgc_snapshot_belongs(c->s, t))
		return 0;
	++*matched;
	if (!t->has_key) {
		WARN(c, "signal \"%s\": table \"%s\" has no primary key, so it cannot be read in chunks; left out", c->id,
		     collection);
		return 0;
	}
	if (filter_of(c, collection, &filter))
		return 1;
	if (tr_pgc_progress_add(&c->s->incremental->progress, t->schema, t->name, filter, &added, err))
		return -1;
	tr_log(TR_LOG_INFO, c->s->name, "incremental.queued",
	       added ? "signal \"%s\": table \"%s\" will be read" : "signal \"%s\": table \"%s\" waits already", c->id,
	       collection);
	return 0;
}

static int execute(command *c, tr_err *err)
{
	tr_pgc_list list;
	size_t matched = 0;
	int result = 0;

	if (!can_execute(c))
		return 0;
	if (tr_pgc_catalog_list(&c->s->catalog, c->s->publication, false, false, &list, err))
		return -1;
	for (size_t i = 0; i < list.count && result == 0; i++)
		result = add_table(c, &list.tables[i], &matched, err);
	if (result == 0 && matched == 0)
		WARN(c, "signal \"%s\": no captured table matches its data-collections; nothing was started", c->id);
	tr_pgc_list_release(&list);
	return result < 0 ? -1 : tr_pgc_incremental_changed(c->s, err);
}

/* --- the others -------------------------------------------------------------------------------- */

static int stop(command *c, tr_err *err)
{
	tr_pgc_progress *p = &c->s->incremental->progress;
	const json_t *list = json_object_get(c->data, "data-collections");
	bool all = json_array_size(list) == 0;
	char collection[2 * TR_PGC_NAME_MAX + 2];

	for (size_t i = p->count; i-- > 0;) {
		tr_text_format(collection, sizeof(collection), "%s.%s", p->todo[i].schema, p->todo[i].name);
		int matches = all ? 1 : listed(c, list, collection);

		if (matches < 0)
			break;
		if (!matches)
			continue;
		tr_log(TR_LOG_INFO, c->s->name, "incremental.stopped",
		       "signal \"%s\": the incremental snapshot of table \"%s\" ends before its time", c->id, collection);
		if (i == 0)
			tr_pgc_incremental_abandon(c->s);
		tr_pgc_progress_remove(p, i);
	}
	return tr_pgc_incremental_changed(c->s, err);
}

static int pause_or_resume(command *c, bool pause, tr_err *err)
{
	tr_pgc_progress *p = &c->s->incremental->progress;

	if (p->count == 0) {
		WARN(c, "signal \"%s\": no incremental snapshot is under way", c->id);
		return 0;
	}
	p->paused = pause;
	tr_log(TR_LOG_INFO, c->s->name, pause ? "incremental.paused" : "incremental.resumed",
	       "signal \"%s\": the incremental snapshot %s", c->id, pause ? "pauses after its chunk" : "goes on");
	return tr_pgc_incremental_changed(c->s, err);
}

static int log_message(command *c, tr_err *err)
{
	const char *message = json_string_value(json_object_get(c->data, "message")), *hole;
	tr_writer w;

	(void)err;
	if (!message) {
		WARN(c, "signal \"%s\": there is no message to log", c->id);
		return 0;
	}
	tr_writer_init(&w, DATA_MAX);
	hole = strstr(message, "{}");
	tr_writer_put(&w, message, hole ? (size_t)(hole - message) : strlen(message));
	if (hole) {
		c->s->base.ops->position(&c->s->base, &w);
		tr_writer_text(&w, hole + 2);
	}
	tr_log(TR_LOG_INFO, c->s->name, "signal.log", "%.*s", (int)w.len, w.data ? (const char *)w.data : "");
	tr_writer_release(&w);
	return 0;
}

static int pause_it(command *c, tr_err *err)
{
	return pause_or_resume(c, true, err);
}

static int resume_it(command *c, tr_err *err)
{
	return pause_or_resume(c, false, err);
}

static const struct {
	const char *type;
	int (*act)(command *c, tr_err *err);
} commands[] = {{"execute-snapshot", execute},
		{"stop-snapshot", stop},
		{"pause-snapshot", pause_it},
		{"resume-snapshot", resume_it},
		{"log", log_message}};

/* --- one row ----------------------------------------------------------------------------------- */

/* Text has the same bytes in both of the server's forms. */
static tr_slice text_of(const tr_datum *d)
{
	return d->form == TR_D_TEXT || d->form == TR_D_BINARY ? tr_slice_of(d->ptr, d->len) : tr_slice_of(NULL, 0);
}

static bool is_text(tr_slice s, const char *text)
{
	return tr_slice_eq(s, tr_slice_str(text));
}

static int act(command *c, tr_slice type, tr_slice data, tr_err *err)
{
	json_error_t why = {0};
	int result = 0;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!is_text(type, commands[i].type))
			continue;
		c->data = data.len == 0 ? json_object()
					: json_loadb((const char *)data.ptr, data.len, JSON_REJECT_DUPLICATES, &why);
		if (json_is_object(c->data))
			result = commands[i].act(c, err);
		else
			WARN(c, "signal \"%s\" of type %s: its data is not a JSON object%s%s", c->id, commands[i].type,
			     why.text[0] ? ": " : "", why.text);
		json_decref(c->data);
		return result;
	}
	WARN(c, "signal \"%s\" has a type that is not known: it was published, nothing else was done", c->id);
	return 0;
}

int tr_pgc_signal_row(tr_pgc *s, const tr_table *table, const tr_datum *row, tr_err *err)
{
	command c = {.s = s};

	if (table->column_count < 2) {
		WARN(&c, "the signal table has %zu columns; it needs id, type and data", table->column_count);
		return 0;
	}
	tr_slice id = text_of(&row[0]), type = text_of(&row[1]),
		 data = table->column_count > 2 ? text_of(&row[2]) : tr_slice_of(NULL, 0);
	if (is_text(type, "snapshot-window-open"))
		return 0;
	if (is_text(type, "snapshot-window-close")) {
		tr_pgc_incremental_closed(s, id);
		return 0;
	}
	tr_slice shown = tr_text_cut_chars(id, SHOWN_MAX / 4);
	tr_text_format(c.id, sizeof(c.id), "%.*s%s", (int)shown.len, shown.ptr ? (const char *)shown.ptr : "",
		       shown.len < id.len ? "..." : "");
	if (data.len > DATA_MAX) {
		WARN(&c, "signal \"%s\": its data is larger than %zu bytes", c.id, DATA_MAX);
		return 0;
	}
	return act(&c, type, data, err);
}

/* --- rights ------------------------------------------------------------------------------------ */

static const char rights_sql[] =
    "SELECT has_schema_privilege(c.relnamespace, 'USAGE'), has_table_privilege(c.oid, 'INSERT'),"
    " has_table_privilege(c.oid, 'SELECT'),"
    " (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2"
    " AND c.relkind IN ('r', 'p')";

int tr_pgc_signal_rights_read(tr_pgc *s, char schema[TR_PGC_NAME_MAX], char name[TR_PGC_NAME_MAX],
			      tr_pgc_signal_rights *out, tr_err *err)
{
	const char *given = s->options->signal_table, *dot = strchr(given, '.');
	const char *params[] = {schema, name};
	PGresult *r;

	*out = (tr_pgc_signal_rights){0};
	tr_text_format(schema, TR_PGC_NAME_MAX, "%.*s", dot ? (int)(dot - given) : 6, dot ? given : "public");
	tr_text_format(name, TR_PGC_NAME_MAX, "%s", dot ? dot + 1 : given);
	if (tr_pgc_sql(s, "look at the signal table", rights_sql, 2, params, &r, err))
		return -1;
	if (PQntuples(r) == 1) {
		out->exists = true;
		out->usage = PQgetvalue(r, 0, 0)[0] == 't';
		out->insert = PQgetvalue(r, 0, 1)[0] == 't';
		out->select = PQgetvalue(r, 0, 2)[0] == 't';
		out->columns = strtoul(PQgetvalue(r, 0, 3), NULL, 10);
	}
	PQclear(r);
	return 0;
}

void tr_pgc_signal_grant(const tr_pgc *s, const char *schema, const char *name, const tr_pgc_signal_rights *r, char *out,
			 size_t cap)
{
	char usage[3 * TR_PGC_NAME_MAX] = "";

	out[0] = '\0';
	if (r->usage && r->insert && r->select)
		return;
	if (!r->usage)
		snprintf(usage, sizeof(usage), "GRANT USAGE ON SCHEMA \"%s\" TO \"%s\"; ", schema, s->server.user);
	tr_text_format(out, cap, "%sGRANT SELECT, INSERT ON TABLE \"%s\".\"%s\" TO \"%s\";", usage, schema, name,
		       s->server.user);
}

int tr_pgc_signal_probe(tr_pgc *s, tr_err *err)
{
	char schema[TR_PGC_NAME_MAX], name[TR_PGC_NAME_MAX], grant[512];
	tr_pgc_signal_rights rights;

	if (!s->options->signal_table)
		return 0;
	if (tr_pgc_signal_rights_read(s, schema, name, &rights, err))
		return -1;
	tr_pgc_signal_grant(s, schema, name, &rights, grant, sizeof(grant));
	if (!rights.exists)
		tr_log(TR_LOG_WARN, s->name, "signal.table", "the signal table \"%s.%s\" does not exist; until it does "
		       "there are no signals: CREATE TABLE \"%s\".\"%s\" (id varchar(42) PRIMARY KEY, type varchar(32) NOT "
		       "NULL, data varchar(2048));", schema, name, schema, name);
	else if (grant[0])
		tr_log(TR_LOG_WARN, s->name, "signal.table",
		       "role \"%s\" lacks a privilege on the signal table, so incremental snapshots cannot run: %s",
		       s->server.user, grant);
	else if (s->server.standby)
		tr_log(TR_LOG_WARN, s->name, "signal.table",
		       "the source is a standby: incremental snapshots need to write to the signal table and cannot run");
	return 0;
}
