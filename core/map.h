/*
 * Hash maps for cold paths (names, relation ids): never on the way of a row. Keys are copied, values are borrowed. Not
 * thread-safe. Running out of memory aborts: these maps are as small as the schema.
 */
#ifndef TR_CORE_MAP_H
#define TR_CORE_MAP_H

#include "core/slice.h"

typedef struct tr_map tr_map;

tr_map *tr_map_new(void);
/* free_value may be NULL. */
void tr_map_free(tr_map *map, void (*free_value)(void *value));
void *tr_map_get(const tr_map *map, tr_slice key);
/* Returns the value that was replaced (it keeps its place in the order), or NULL. */
void *tr_map_put(tr_map *map, tr_slice key, void *value);
void *tr_map_remove(tr_map *map, tr_slice key);
size_t tr_map_count(const tr_map *map);
/*
 * Iterates in insertion order; start with *cursor = 0. False at the end. key or value may be NULL. Removing entries
 * while iterating is fine, putting new ones is not.
 */
bool tr_map_next(const tr_map *map, size_t *cursor, tr_slice *key, void **value);

#endif
