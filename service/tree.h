/*
 * A configuration as a tree of named texts that remember where they stand: what libyaml read, or what --set added. Knows
 * nothing about options. Refuses what a configuration never needs: duplicate keys, deep nesting, huge files, alias bombs.
 *
 * Nodes and texts live in the arena they were made in.
 */
#ifndef TR_SERVICE_TREE_H
#define TR_SERVICE_TREE_H

#include "core/arena.h"
#include "core/err.h"
#include "core/writer.h"

#define TR_TREE_FILE_MAX ((size_t)1 << 20) /* bytes */
#define TR_TREE_DEPTH_MAX 16
#define TR_TREE_NODES_MAX 20000 /* copies made by aliases included */

typedef enum { TR_NODE_SCALAR, TR_NODE_LIST, TR_NODE_MAP } tr_node_kind;

typedef struct tr_node tr_node;
struct tr_node {
	tr_node_kind kind;
	const char *key;    /* in a map, else NULL */
	const char *text;   /* scalar */
	bool quoted;        /* a quoted scalar is never null */
	const char *origin; /* file name, or "--set path" */
	unsigned line, column; /* from 1; line 0 = not in a file */
	tr_node *first, *last, *next;
	size_t count;       /* children */
};

/* CONFIG: the arena has reached its limit. Returns -1. */
int tr_tree_no_memory(tr_err *err);
/* text is one YAML document with a map at its top; an empty document is an empty map. */
int tr_tree_parse(tr_arena *arena, const char *origin, tr_slice text, tr_node **out, tr_err *err);
/* "-" is standard input. */
int tr_tree_load(tr_arena *arena, const char *path, tr_node **out, tr_err *err);
/* One value as written after `--set key=`: a flow list or map when it starts with [ or {, else the text as it is. */
int tr_tree_value(tr_arena *arena, const char *origin, const char *text, tr_node **out, tr_err *err);
/* Reads a whole file up to max bytes into the arena. */
int tr_tree_read_file(tr_arena *arena, const char *path, size_t max, tr_slice *out, tr_err *err);

tr_node *tr_node_new(tr_arena *arena, tr_node_kind kind, const char *key, const char *text);
void tr_node_add(tr_node *parent, tr_node *child);
tr_node *tr_node_get(const tr_node *map, const char *key);
/* Puts value under key, replacing what was there. */
void tr_node_put(tr_node *map, const char *key, tr_node *value);
bool tr_node_is_null(const tr_node *node); /* empty, ~ or null, not quoted */

/* "file:3:7: " or "--set path: ", in front of the error's text. */
int tr_node_error(const tr_node *node, tr_err *err);
/*
 * The scalar with ${VAR}, ${VAR:-default} and ${file:/path} replaced; $${ stands for ${. A file's last newline is dropped.
 * An unset variable without default is an error that names the place.
 */
int tr_node_expand(tr_arena *arena, const tr_node *node, const char **out, tr_err *err);

/*
 * The map as YAML, indented by depth steps. Texts are quoted when a reader could take them for something else. Lists hold
 * scalars, or maps of scalars and lists of scalars: what an option can hold.
 */
void tr_tree_write(const tr_node *map, unsigned depth, tr_writer *w);

#endif
