#include "capture/incremental/signal.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "core/log.h"
#include "core/text.h"
#include "events/pattern.h"

#define DATA_MAX  ((size_t)1 << 20)
#define SHOWN_MAX 64 /* characters of a signal's id in messages */
#define COLLECTION_MAX 1024 /* two names of 64 characters, and the dot */

typedef struct command {
	const tr_inc_host *host;
	char id[SHOWN_MAX + 8];
	json_t *data; /* an object */
} command;

#define WARN(c, ...) tr_log(TR_LOG_WARN, (c)->host->name, "signal.refused", __VA_ARGS__)

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

typedef struct selection {
	const command *c;
	size_t matched;
	bool unusable; /* an expression of the signal; said */
} selection;

static int add_table(void *argument, const char *schema, const char *name, bool has_key, tr_err *err)
{
	selection *s = argument;
	const command *c = s->c;
	char collection[COLLECTION_MAX];
	const char *filter;
	bool added;

	tr_text_format(collection, sizeof(collection), "%s.%s", schema, name);
	int matches = s->unusable ? 0 : listed(c, json_object_get(c->data, "data-collections"), collection);
	s->unusable = s->unusable || matches < 0;
	if (matches <= 0)
		return 0;
	s->matched++;
	if (!has_key) {
		WARN(c, "signal \"%s\": table \"%s\" has no primary key, so it cannot be read in chunks; left out", c->id,
		     collection);
		return 0;
	}
	if (filter_of(c, collection, &filter)) {
		s->unusable = true;
		return 0;
	}
	if (tr_inc_progress_add(c->host->progress, schema, name, filter, &added, err)) {
		if (err->code != TR_E_CONFIG)
			return -1;
		WARN(c, "signal \"%s\": table \"%s\" is left out: %s", c->id, collection, err->text);
		tr_err_clear(err);
		return 0;
	}
	tr_log(TR_LOG_INFO, c->host->name, "incremental.queued",
	       added ? "signal \"%s\": table \"%s\" will be read" : "signal \"%s\": table \"%s\" waits already", c->id,
	       collection);
	return 0;
}

static int execute(command *c, tr_err *err)
{
	selection s = {.c = c};

	if (!can_execute(c))
		return 0;
	if (c->host->tables(c->host->context, add_table, &s, err))
		return -1;
	if (!s.unusable && s.matched == 0)
		WARN(c, "signal \"%s\": no captured table matches its data-collections; nothing was started", c->id);
	return tr_inc_progress_save(c->host->progress, err);
}

/* --- the others -------------------------------------------------------------------------------- */

static int stop(command *c, tr_err *err)
{
	tr_inc_progress *p = c->host->progress;
	const json_t *list = json_object_get(c->data, "data-collections");
	bool all = json_array_size(list) == 0;
	char collection[COLLECTION_MAX];

	for (size_t i = p->count; i-- > 0;) {
		tr_text_format(collection, sizeof(collection), "%s.%s", p->todo[i].schema, p->todo[i].name);
		int matches = all ? 1 : listed(c, list, collection);

		if (matches < 0)
			break;
		if (!matches)
			continue;
		tr_log(TR_LOG_INFO, c->host->name, "incremental.stopped",
		       "signal \"%s\": the incremental snapshot of table \"%s\" ends before its time", c->id, collection);
		if (i == 0)
			c->host->abandon(c->host->context);
		tr_inc_progress_remove(p, i);
	}
	return tr_inc_progress_save(p, err);
}

static int pause_or_resume(command *c, bool pause, tr_err *err)
{
	tr_inc_progress *p = c->host->progress;

	if (p->count == 0) {
		WARN(c, "signal \"%s\": no incremental snapshot is under way", c->id);
		return 0;
	}
	p->paused = pause;
	tr_log(TR_LOG_INFO, c->host->name, pause ? "incremental.paused" : "incremental.resumed",
	       "signal \"%s\": the incremental snapshot %s", c->id, pause ? "pauses after its chunk" : "goes on");
	return tr_inc_progress_save(p, err);
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
		c->host->position(c->host->context, &w);
		tr_writer_text(&w, hole + 2);
	}
	tr_log(TR_LOG_INFO, c->host->name, "signal.log", "%.*s", (int)w.len, w.data ? (const char *)w.data : "");
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

int tr_inc_signal(const tr_inc_host *host, tr_slice id, tr_slice type, tr_slice data, tr_err *err)
{
	command c = {.host = host};
	tr_slice shown = tr_text_cut_chars(id, SHOWN_MAX / 4);

	if (is_text(type, "snapshot-window-open"))
		return 0;
	if (is_text(type, "snapshot-window-close")) {
		host->closed(host->context, id);
		return 0;
	}
	tr_text_format(c.id, sizeof(c.id), "%.*s%s", (int)shown.len, shown.ptr ? (const char *)shown.ptr : "",
		       shown.len < id.len ? "..." : "");
	if (data.len > DATA_MAX) {
		WARN(&c, "signal \"%s\": its data is larger than %zu bytes", c.id, DATA_MAX);
		return 0;
	}
	return act(&c, type, data, err);
}

int tr_inc_signal_misshapen(const tr_inc_host *host, size_t column_count)
{
	command c = {.host = host};

	WARN(&c, "the signal table has %zu columns; it needs id, type and data", column_count);
	return 0;
}
