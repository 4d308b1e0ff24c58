/* Text to tree: libyaml's events, with the limits of tree.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "service/tree.h"

#define ANCHORS_MAX 64

typedef struct anchor {
	const char *name;
	const tr_node *node;
} anchor;

typedef struct loader {
	tr_arena *arena;
	const char *origin;
	bool in_file;        /* positions mean something */
	yaml_parser_t parser;
	anchor anchors[ANCHORS_MAX];
	size_t anchor_count, nodes;
	tr_err *err;
} loader;

static int fail_at(loader *l, yaml_mark_t mark, tr_err_code code, const char *what)
{
	tr_err_set(l->err, code, "%s", what);
	if (!l->in_file)
		return tr_err_prefix(l->err, "%s", l->origin);
	return tr_err_prefix(l->err, "%s:%zu:%zu", l->origin, mark.line + 1, mark.column + 1);
}

static int next_event(loader *l, yaml_event_t *event)
{
	const char *context, *problem;
	char what[256];

	if (yaml_parser_parse(&l->parser, event))
		return 0;
	context = l->parser.context;
	problem = l->parser.problem;
	snprintf(what, sizeof(what), "%s%s%s", context ? context : "", context ? ": " : "",
	    problem ? problem : "cannot be read as YAML");
	fail_at(l, l->parser.problem_mark, TR_E_CONFIG_SYNTAX, what);
	return tr_err_hint(l->err,
	    "YAML indents with spaces, never tabs. Put quotes around a text that starts with one of * & ! | > %% @ or holds "
	    "\": \" or \" #\".");
}

static tr_node *make_node(loader *l, tr_node_kind kind, const char *text, yaml_mark_t mark)
{
	tr_node *node;

	if (++l->nodes > TR_TREE_NODES_MAX) {
		fail_at(l, mark, TR_E_CONFIG, "the configuration has too many values");
		return NULL;
	}
	node = tr_node_new(l->arena, kind, NULL, text);
	if (!node) {
		tr_tree_no_memory(l->err);
		return NULL;
	}
	node->origin = l->origin;
	node->line = l->in_file ? (unsigned)mark.line + 1 : 0;
	node->column = (unsigned)mark.column + 1;
	return node;
}

static int keep_anchor(loader *l, const yaml_char_t *name, const tr_node *node, yaml_mark_t mark)
{
	if (!name)
		return 0;
	if (l->anchor_count == ANCHORS_MAX)
		return fail_at(l, mark, TR_E_CONFIG, "the configuration has too many anchors");
	l->anchors[l->anchor_count++] = (anchor){
	    .name = tr_arena_strdup(l->arena, (const char *)name), .node = node};
	return l->anchors[l->anchor_count - 1].name ? 0 : tr_tree_no_memory(l->err);
}

static tr_node *copy_node(loader *l, const tr_node *from, unsigned depth, yaml_mark_t mark)
{
	tr_node *to = NULL;

	if (depth > TR_TREE_DEPTH_MAX) {
		fail_at(l, mark, TR_E_CONFIG, "the configuration is nested too deeply");
		return NULL;
	}
	to = make_node(l, from->kind, from->text, mark);
	if (!to)
		return NULL;
	to->quoted = from->quoted;
	to->line = from->line;
	to->column = from->column;
	for (const tr_node *child = from->first; child; child = child->next) {
		tr_node *copy = copy_node(l, child, depth + 1, mark);
		if (!copy)
			return NULL;
		copy->key = child->key;
		tr_node_add(to, copy);
	}
	return to;
}

static tr_node *resolve_alias(loader *l, const yaml_event_t *event, unsigned depth)
{
	const char *name = (const char *)event->data.alias.anchor;

	for (size_t i = l->anchor_count; i-- > 0;) {
		if (strcmp(l->anchors[i].name, name) == 0)
			return copy_node(l, l->anchors[i].node, depth, event->start_mark);
	}
	fail_at(l, event->start_mark, TR_E_CONFIG_SYNTAX, "an alias names an anchor that does not exist before it");
	return NULL;
}

static tr_node *read_node(loader *l, yaml_event_t *event, unsigned depth);

static int read_list(loader *l, tr_node *list, unsigned depth)
{
	for (;;) {
		yaml_event_t event;
		tr_node *item = NULL;
		bool end;

		if (next_event(l, &event) < 0)
			return -1;
		end = event.type == YAML_SEQUENCE_END_EVENT;
		if (!end)
			item = read_node(l, &event, depth + 1);
		yaml_event_delete(&event);
		if (end)
			return 0;
		if (!item)
			return -1;
		tr_node_add(list, item);
	}
}

/* The value of a key just read; the node gets the key's place, which is where a person looks. */
static int read_value(loader *l, tr_node *map, const char *key, yaml_mark_t key_mark, unsigned depth)
{
	yaml_event_t event;
	tr_node *value;

	if (next_event(l, &event) < 0)
		return -1;
	value = read_node(l, &event, depth + 1);
	yaml_event_delete(&event);
	if (!value)
		return -1;
	value->key = key;
	if (l->in_file) {
		value->line = (unsigned)key_mark.line + 1;
		value->column = (unsigned)key_mark.column + 1;
	}
	tr_node_add(map, value);
	return 0;
}

static int read_map(loader *l, tr_node *map, unsigned depth)
{
	for (;;) {
		yaml_event_t event;
		const char *key = NULL;
		yaml_mark_t mark;
		char what[160];

		if (next_event(l, &event) < 0)
			return -1;
		mark = event.start_mark;
		if (event.type == YAML_SCALAR_EVENT)
			key = tr_arena_strdup(l->arena, (const char *)event.data.scalar.value);
		if (event.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&event);
			return 0;
		}
		yaml_event_delete(&event);
		if (!key)
			return fail_at(l, mark, TR_E_CONFIG_SYNTAX, "a key has to be a plain text");
		if (tr_node_get(map, key)) {
			snprintf(what, sizeof(what), "key \"%.100s\" stands twice in one map", key);
			fail_at(l, mark, TR_E_CONFIG, what);
			return tr_err_hint(l->err, "Remove one of them: which one counts must not depend on their order.");
		}
		if (read_value(l, map, key, mark, depth) < 0)
			return -1;
	}
}

static tr_node *read_node(loader *l, yaml_event_t *event, unsigned depth)
{
	tr_node *node = NULL;
	const yaml_char_t *name = NULL;
	int failed = 0;

	if (depth > TR_TREE_DEPTH_MAX) {
		fail_at(l, event->start_mark, TR_E_CONFIG, "the configuration is nested too deeply");
		return NULL;
	}
	if (event->type == YAML_ALIAS_EVENT)
		return resolve_alias(l, event, depth);
	if (event->type == YAML_SCALAR_EVENT) {
		name = event->data.scalar.anchor;
		if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length) {
			fail_at(l, event->start_mark, TR_E_CONFIG, "a text has a NUL byte");
			return NULL;
		}
		node = make_node(l, TR_NODE_SCALAR, (const char *)event->data.scalar.value, event->start_mark);
		if (node)
			node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	} else if (event->type == YAML_SEQUENCE_START_EVENT) {
		name = event->data.sequence_start.anchor;
		node = make_node(l, TR_NODE_LIST, NULL, event->start_mark);
		failed = node ? read_list(l, node, depth) : -1;
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		name = event->data.mapping_start.anchor;
		node = make_node(l, TR_NODE_MAP, NULL, event->start_mark);
		failed = node ? read_map(l, node, depth) : -1;
	} else {
		fail_at(l, event->start_mark, TR_E_CONFIG_SYNTAX, "a value is missing");
	}
	/* An anchor counts from its end: a node cannot contain itself. */
	if (!node || failed < 0 || keep_anchor(l, name, node, event->start_mark) < 0)
		return NULL;
	return node;
}

/* STREAM-START DOCUMENT-START node DOCUMENT-END STREAM-END, or an empty stream. */
static int read_document(loader *l, tr_node **out)
{
	yaml_event_t event;
	bool done = false, seen = false;

	while (!done) {
		if (next_event(l, &event) < 0)
			return -1;
		switch (event.type) {
		case YAML_STREAM_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
			break;
		case YAML_DOCUMENT_START_EVENT:
			if (seen)
				fail_at(l, event.start_mark, TR_E_CONFIG, "the file has a second document");
			done = seen;
			break;
		case YAML_STREAM_END_EVENT:
			yaml_event_delete(&event);
			return 0;
		default:
			*out = read_node(l, &event, 0);
			seen = true;
			done = *out == NULL;
		}
		yaml_event_delete(&event);
	}
	return -1;
}

static int parse(tr_arena *arena, const char *origin, bool in_file, tr_slice text, tr_node **out, tr_err *err)
{
	loader l = {.arena = arena, .origin = tr_arena_strdup(arena, origin), .in_file = in_file, .err = err};
	int result;

	*out = NULL;
	if (!l.origin || !yaml_parser_initialize(&l.parser))
		return tr_tree_no_memory(err);
	/* With the encoding given, libyaml takes a byte order mark for text. */
	if (text.len >= 3 && memcmp(text.ptr, "\xef\xbb\xbf", 3) == 0)
		text = tr_slice_of(text.ptr + 3, text.len - 3);
	yaml_parser_set_encoding(&l.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&l.parser, text.ptr ? text.ptr : (const uint8_t *)"", text.len);
	result = read_document(&l, out);
	yaml_parser_delete(&l.parser);
	return result;
}

int tr_tree_parse(tr_arena *arena, const char *origin, tr_slice text, tr_node **out, tr_err *err)
{
	if (parse(arena, origin, true, text, out, err) < 0)
		return -1;
	if (!*out || tr_node_is_null(*out)) {
		*out = tr_node_new(arena, TR_NODE_MAP, NULL, NULL);
		return *out ? 0 : tr_tree_no_memory(err);
	}
	if ((*out)->kind != TR_NODE_MAP) {
		tr_err_set(err, TR_E_CONFIG_SYNTAX, "the configuration is not a map of keys and values");
		return tr_node_error(*out, err);
	}
	return 0;
}

int tr_tree_value(tr_arena *arena, const char *origin, const char *text, tr_node **out, tr_err *err)
{
	if (*text == '[' || *text == '{') {
		if (parse(arena, origin, false, tr_slice_str(text), out, err) < 0)
			return -1;
		return *out ? 0 : tr_tree_no_memory(err);
	}
	*out = tr_node_new(arena, TR_NODE_SCALAR, NULL, text);
	if (!*out)
		return tr_tree_no_memory(err);
	(*out)->origin = tr_arena_strdup(arena, origin);
	(*out)->quoted = true;
	return (*out)->origin ? 0 : tr_tree_no_memory(err);
}

static int read_all(int fd, const char *path, size_t max, tr_writer *w, tr_err *err)
{
	for (;;) {
		uint8_t chunk[8192];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			tr_err_set(err, TR_E_CONFIG, "could not read file \"%s\"", path);
			return tr_err_detail(err, "%s", strerror(errno));
		}
		if (n == 0)
			return 0;
		tr_writer_put(w, chunk, (size_t)n);
		if (!tr_writer_ok(w))
			return tr_err_set(err, TR_E_CONFIG, "file \"%s\" is larger than %zu bytes", path, max);
	}
}

int tr_tree_read_file(tr_arena *arena, const char *path, size_t max, tr_slice *out, tr_err *err)
{
	bool standard = strcmp(path, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	tr_writer w;
	char *copy;
	int result;

	if (fd < 0) {
		tr_err_set(err, TR_E_CONFIG, "could not open file \"%s\"", path);
		return tr_err_detail(err, "%s", strerror(errno));
	}
	tr_writer_init(&w, max);
	result = read_all(fd, path, max, &w, err);
	if (result == 0) {
		copy = tr_arena_strndup(arena, w.data ? (const void *)w.data : "", w.len);
		*out = tr_slice_of(copy, w.len);
		if (!copy)
			result = tr_tree_no_memory(err);
	}
	tr_writer_release(&w);
	if (!standard)
		close(fd);
	return result;
}

int tr_tree_load(tr_arena *arena, const char *path, tr_node **out, tr_err *err)
{
	tr_slice text;

	if (tr_tree_read_file(arena, path, TR_TREE_FILE_MAX, &text, err) < 0)
		return tr_err_hint(err, "Give the configuration with -c FILE, or without a file as in: tailrace run --source "
		    "postgres://user@host/database --sink stdout");
	return tr_tree_parse(arena, strcmp(path, "-") == 0 ? "standard input" : path, text, out, err);
}
