#include "service/tree.h"

#include "core/text.h"

int tr_tree_no_memory(tr_err *err)
{
	return tr_err_set(err, TR_E_CONFIG, "the configuration needs more memory than is allowed for it");
}

tr_node *tr_node_new(tr_arena *arena, tr_node_kind kind, const char *key, const char *text)
{
	tr_node *node = TR_ARENA_NEW(arena, tr_node);

	if (!node)
		return NULL;
	node->kind = kind;
	node->key = key ? tr_arena_strdup(arena, key) : NULL;
	node->text = text ? tr_arena_strdup(arena, text) : NULL;
	node->origin = "";
	return (key && !node->key) || (text && !node->text) ? NULL : node;
}

void tr_node_add(tr_node *parent, tr_node *child)
{
	child->next = NULL;
	if (parent->last)
		parent->last->next = child;
	else
		parent->first = child;
	parent->last = child;
	parent->count++;
}

tr_node *tr_node_get(const tr_node *map, const char *key)
{
	if (!map || map->kind != TR_NODE_MAP)
		return NULL;
	for (tr_node *child = map->first; child; child = child->next) {
		if (strcmp(child->key, key) == 0)
			return child;
	}
	return NULL;
}

void tr_node_put(tr_node *map, const char *key, tr_node *value)
{
	tr_node **link = &map->first;

	value->key = key;
	while (*link && strcmp((*link)->key, key) != 0)
		link = &(*link)->next;
	if (!*link) {
		tr_node_add(map, value);
		return;
	}
	value->next = (*link)->next;
	*link = value;
	if (!value->next)
		map->last = value;
}

bool tr_node_is_null(const tr_node *node)
{
	return node->kind == TR_NODE_SCALAR && !node->quoted &&
	    (*node->text == '\0' || strcmp(node->text, "~") == 0 || strcmp(node->text, "null") == 0);
}

int tr_node_error(const tr_node *node, tr_err *err)
{
	if (node->line > 0)
		return tr_err_prefix(err, "%s:%u:%u", node->origin, node->line, node->column);
	return tr_err_prefix(err, "%s", *node->origin ? node->origin : "command line");
}

/* A plain scalar that would be read as null, or that has a special character. */
static bool needs_quotes(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || strchr(" ?:,[]{}#&*!|>'\"%@`=<.", text[0]) || strchr(" :", text[len - 1]) ||
	    (text[0] == '-' && (text[1] < '0' || text[1] > '9')))
		return true;
	if (strcmp(text, "null") == 0 || strcmp(text, "~") == 0)
		return true;
	for (const char *p = text; *p; p++) {
		if ((uint8_t)*p < 0x20 || *p == '"' || *p == '\\' || strchr(",[]{}#", *p) || (*p == ':' && p[1] == ' '))
			return true;
	}
	return false;
}

static void write_scalar(const tr_node *node, tr_writer *w)
{
	if (!node->quoted && !needs_quotes(node->text)) {
		tr_writer_text(w, node->text);
		return;
	}
	/* JSON's escapes are a subset of those of a double-quoted scalar. */
	tr_writer_u8(w, '"');
	tr_text_json_escape(w, tr_slice_str(node->text));
	tr_writer_u8(w, '"');
}

static void write_key(const char *key, tr_writer *w)
{
	if (needs_quotes(key)) {
		tr_writer_u8(w, '"');
		tr_text_json_escape(w, tr_slice_str(key));
		tr_writer_u8(w, '"');
	} else {
		tr_writer_text(w, key);
	}
	tr_writer_u8(w, ':');
}

static void indent(tr_writer *w, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		tr_writer_text(w, "  ");
}

static void write_node(const tr_node *node, unsigned depth, tr_writer *w);

static void write_list(const tr_node *list, unsigned depth, tr_writer *w)
{
	bool flow = true;

	for (const tr_node *item = list->first; item; item = item->next)
		flow = flow && item->kind == TR_NODE_SCALAR;
	if (flow) {
		tr_writer_text(w, " [");
		for (const tr_node *item = list->first; item; item = item->next) {
			write_scalar(item, w);
			if (item->next)
				tr_writer_text(w, ", ");
		}
		tr_writer_text(w, "]\n");
		return;
	}
	tr_writer_u8(w, '\n');
	for (const tr_node *item = list->first; item; item = item->next) {
		indent(w, depth);
		tr_writer_text(w, "- {");
		for (const tr_node *child = item->first; child; child = child->next) {
			tr_writer_text(w, child == item->first ? "" : ", ");
			write_key(child->key, w);
			if (child->kind == TR_NODE_SCALAR) {
				tr_writer_u8(w, ' ');
				write_scalar(child, w);
				continue;
			}
			tr_writer_text(w, " [");
			for (const tr_node *each = child->first; each; each = each->next) {
				write_scalar(each, w);
				tr_writer_text(w, each->next ? ", " : "");
			}
			tr_writer_u8(w, ']');
		}
		tr_writer_text(w, "}\n");
	}
}

static void write_node(const tr_node *node, unsigned depth, tr_writer *w)
{
	if (node->kind == TR_NODE_SCALAR) {
		tr_writer_u8(w, ' ');
		write_scalar(node, w);
		tr_writer_u8(w, '\n');
	} else if (node->kind == TR_NODE_LIST) {
		write_list(node, depth, w);
	} else {
		tr_writer_u8(w, '\n');
		tr_tree_write(node, depth, w);
	}
}

void tr_tree_write(const tr_node *map, unsigned depth, tr_writer *w)
{
	for (const tr_node *child = map->first; child; child = child->next) {
		indent(w, depth);
		write_key(child->key, w);
		write_node(child, depth + 1, w);
	}
}
