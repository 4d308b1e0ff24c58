#include "capture/incremental/progress.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/text.h"

/* --- keys -------------------------------------------------------------------------------------- */

void tr_inc_key_clear(tr_inc_key *key)
{
	for (size_t i = 0; i < key->count; i++)
		free(key->parts[i]);
	*key = (tr_inc_key){0};
}

int tr_inc_key_push(tr_inc_key *key, tr_slice part, tr_err *err)
{
	char *copy = key->count < TR_INC_KEY_MAX ? tr_text_copy(part) : NULL;

	if (!copy)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for a key");
	key->parts[key->count++] = copy;
	return 0;
}

bool tr_inc_key_equal(const tr_inc_key *a, const tr_inc_key *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->parts[i], b->parts[i]) != 0)
			return false;
	return true;
}

/* --- tables ------------------------------------------------------------------------------------ */

static void todo_free(tr_inc_todo *t)
{
	free(t->schema);
	free(t->name);
	free(t->filter);
}

void tr_inc_progress_rewind(tr_inc_progress *p)
{
	tr_inc_key_clear(&p->columns);
	tr_inc_key_clear(&p->last);
	tr_inc_key_clear(&p->max);
	p->rows = 0;
}

static void clear(tr_inc_progress *p)
{
	tr_inc_progress_rewind(p);
	for (size_t i = 0; i < p->count; i++)
		todo_free(&p->todo[i]);
	free(p->todo);
	p->todo = NULL;
	p->count = 0;
	p->paused = false;
}

void tr_inc_progress_release(tr_inc_progress *p)
{
	clear(p);
	free(p->text);
	p->text = NULL;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

int tr_inc_progress_add(tr_inc_progress *p, const char *schema, const char *name, const char *filter, bool *added,
			tr_err *err)
{
	tr_inc_todo t = {0}, *more;

	*added = false;
	/* One that has begun may have passed rows that the new request wants to see again. */
	for (size_t i = p->count > 0 && p->max.count > 0; i < p->count; i++)
		if (strcmp(p->todo[i].schema, schema) == 0 && strcmp(p->todo[i].name, name) == 0 &&
		    same_text(p->todo[i].filter, filter))
			return 0;
	if (p->count >= TR_INC_TODO_MAX)
		return tr_err_set(err, TR_E_CONFIG, "%d tables wait already", TR_INC_TODO_MAX);
	more = realloc(p->todo, (p->count + 1) * sizeof(*more));
	p->todo = more ? more : p->todo;
	t.schema = strdup(schema);
	t.name = strdup(name);
	t.filter = filter ? strdup(filter) : NULL;
	if (!more || !t.schema || !t.name || (filter && !t.filter)) {
		todo_free(&t);
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the tables to do");
	}
	p->todo[p->count++] = t;
	*added = true;
	return 0;
}

void tr_inc_progress_remove(tr_inc_progress *p, size_t index)
{
	todo_free(&p->todo[index]);
	memmove(&p->todo[index], &p->todo[index + 1], (p->count - index - 1) * sizeof(*p->todo));
	p->count--;
	if (index == 0)
		tr_inc_progress_rewind(p);
	if (p->count == 0)
		p->paused = false;
}

/* --- text -------------------------------------------------------------------------------------- */

static int put_key(json_t *root, const char *name, const tr_inc_key *key)
{
	json_t *list = json_array();
	int failed = list == NULL;

	for (size_t i = 0; i < key->count && !failed; i++)
		failed = json_array_append_new(list, json_string_nocheck(key->parts[i]));
	return json_object_set_new(root, name, list) || failed;
}

static json_t *todo_json(const tr_inc_todo *t)
{
	return t->filter ? json_pack("{s:s,s:s,s:s}", "schema", t->schema, "table", t->name, "filter", t->filter)
			 : json_pack("{s:s,s:s}", "schema", t->schema, "table", t->name);
}

static json_t *progress_json(const tr_inc_progress *p)
{
	json_t *root = json_object(), *tables = json_array();
	int failed = !root || json_object_set_new(root, "tables", tables);

	for (size_t i = 0; i < p->count && !failed; i++)
		failed = json_array_append_new(tables, todo_json(&p->todo[i]));
	if (p->max.count > 0)
		failed = failed || put_key(root, "key", &p->columns) || put_key(root, "last", &p->last) ||
			 put_key(root, "max", &p->max) ||
			 json_object_set_new(root, "rows", json_integer((json_int_t)p->rows));
	if (p->paused)
		failed = failed || json_object_set_new(root, "paused", json_true());
	if (failed) {
		json_decref(root);
		return NULL;
	}
	return root;
}

int tr_inc_progress_save(tr_inc_progress *p, tr_err *err)
{
	json_t *root = NULL;
	char *text = NULL;

	if (p->count > 0) {
		root = progress_json(p);
		text = root ? json_dumps(root, JSON_COMPACT) : NULL;
		json_decref(root);
		if (!text)
			return tr_err_set(err, TR_E_MEMORY, "out of memory for the snapshot's progress");
	}
	free(p->text);
	p->text = text;
	return 0;
}

static int take_key(const json_t *root, const char *name, tr_inc_key *key, tr_err *err)
{
	const json_t *list = json_object_get(root, name), *part;
	size_t i;

	json_array_foreach(list, i, part) {
		if (!json_is_string(part) || i >= TR_INC_KEY_MAX)
			return -1;
		if (tr_inc_key_push(key, tr_slice_str(json_string_value(part)), err))
			return -1;
	}
	return list && !json_is_array(list) ? -1 : 0;
}

static int take(tr_inc_progress *p, const json_t *root, tr_err *err)
{
	const json_t *tables = json_object_get(root, "tables"), *table;
	size_t i;
	bool added;

	if (!json_is_array(tables))
		return -1;
	json_array_foreach(tables, i, table) {
		const char *schema = json_string_value(json_object_get(table, "schema"));
		const char *name = json_string_value(json_object_get(table, "table"));

		if (!schema || !name ||
		    tr_inc_progress_add(p, schema, name, json_string_value(json_object_get(table, "filter")), &added,
					err))
			return -1;
	}
	if (take_key(root, "key", &p->columns, err) || take_key(root, "last", &p->last, err) ||
	    take_key(root, "max", &p->max, err))
		return -1;
	p->rows = (uint64_t)json_integer_value(json_object_get(root, "rows"));
	p->paused = p->count > 0 && json_is_true(json_object_get(root, "paused"));
	return p->columns.count == p->max.count && (p->last.count == 0 || p->last.count == p->max.count) ? 0 : -1;
}

int tr_inc_progress_load(tr_inc_progress *p, tr_slice text, tr_err *err)
{
	json_error_t why;
	json_t *root;
	int result = 0;

	clear(p);
	if (text.len > 0) {
		tr_err_clear(err);
		root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
		result = root ? take(p, root, err) : -1;
		json_decref(root);
	}
	if (result == 0)
		return tr_inc_progress_save(p, err);
	clear(p);
	if (err->code == TR_E_MEMORY)
		return -1;
	tr_err_set(err, TR_E_STATE_CORRUPT, "the stored progress of an incremental snapshot cannot be read");
	return tr_err_hint(err, "Nothing was changed. Take the member \"incremental\" out of the position with `tailrace "
				"offsets set` and send the signal again.");
}
