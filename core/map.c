#include "core/map.h"

#include <stdlib.h>

#include "core/obj.h"

#define MAP_MAGIC 0x4d415021u
#define EMPTY UINT32_MAX /* a slot that never pointed anywhere: probing ends here */

typedef struct entry {
	uint8_t *key; /* NULL: removed */
	size_t key_len;
	uint64_t hash;
	void *value;
} entry;

/* Entries in insertion order, and an open-addressed table of their indexes, at most half full. */
struct tr_map {
	uint32_t magic;
	entry *entries;
	uint32_t *slots;
	uint32_t entry_count, slot_count; /* slot_count is a power of two; room for slot_count / 2 entries */
	size_t live_count;
};

static void *must(void *memory)
{
	if (!memory)
		tr_panic(__FILE__, __LINE__, "enough memory for a map");
	return memory;
}

/* FNV-1a, then a final mix so that the low bits depend on all bytes. */
static uint64_t hash_of(tr_slice key)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < key.len; i++)
		h = (h ^ key.ptr[i]) * 1099511628211u;
	return h ^ (h >> 32);
}

tr_map *tr_map_new(void)
{
	tr_map *map = must(calloc(1, sizeof(*map)));

	map->magic = MAP_MAGIC;
	return map;
}

void tr_map_free(tr_map *map, void (*free_value)(void *value))
{
	if (!map)
		return;
	TR_CHECK_OBJ(map, MAP_MAGIC);
	for (uint32_t i = 0; i < map->entry_count; i++) {
		if (free_value && map->entries[i].key)
			free_value(map->entries[i].value);
		free(map->entries[i].key);
	}
	free(map->entries);
	free(map->slots);
	map->magic = 0;
	free(map);
}

static entry *lookup(const tr_map *map, tr_slice key, uint64_t hash)
{
	TR_CHECK_OBJ(map, MAP_MAGIC);
	if (map->slot_count == 0)
		return NULL;
	uint32_t mask = map->slot_count - 1;
	for (uint32_t at = (uint32_t)hash & mask; map->slots[at] != EMPTY; at = (at + 1) & mask) {
		entry *e = &map->entries[map->slots[at]];
		if (e->key && e->hash == hash && tr_slice_eq(tr_slice_of(e->key, e->key_len), key))
			return e;
	}
	return NULL;
}

static void place(tr_map *map, uint32_t index)
{
	uint32_t mask = map->slot_count - 1, at = (uint32_t)map->entries[index].hash & mask;

	while (map->slots[at] != EMPTY)
		at = (at + 1) & mask;
	map->slots[at] = index;
}

/* Drops removed entries and makes the table large enough for one more. */
static void rebuild(tr_map *map)
{
	uint32_t count = 0, slot_count = 16;

	while (slot_count / 2 < 2 * (map->live_count + 1))
		slot_count *= 2;
	TR_ASSERT(slot_count < EMPTY / 2);
	for (uint32_t i = 0; i < map->entry_count; i++)
		if (map->entries[i].key)
			map->entries[count++] = map->entries[i];
	map->entries = must(realloc(map->entries, slot_count / 2 * sizeof(entry)));
	map->slots = must(realloc(map->slots, slot_count * sizeof(uint32_t)));
	map->entry_count = count;
	map->slot_count = slot_count;
	memset(map->slots, 0xff, slot_count * sizeof(uint32_t));
	for (uint32_t i = 0; i < count; i++)
		place(map, i);
}

void *tr_map_get(const tr_map *map, tr_slice key)
{
	const entry *e = lookup(map, key, hash_of(key));
	return e ? e->value : NULL;
}

void *tr_map_put(tr_map *map, tr_slice key, void *value)
{
	uint64_t hash = hash_of(key);
	entry *e = lookup(map, key, hash);

	if (e) {
		void *old = e->value;
		e->value = value;
		return old;
	}
	if (map->entry_count >= map->slot_count / 2)
		rebuild(map);
	e = &map->entries[map->entry_count];
	*e = (entry){.key = must(malloc(key.len + 1)), .key_len = key.len, .hash = hash, .value = value};
	if (key.len > 0)
		memcpy(e->key, key.ptr, key.len);
	e->key[key.len] = 0; /* keys that are names can be printed */
	place(map, map->entry_count++);
	map->live_count++;
	return NULL;
}

void *tr_map_remove(tr_map *map, tr_slice key)
{
	entry *e = lookup(map, key, hash_of(key));

	if (!e)
		return NULL;
	/* The slot keeps pointing at the dead entry, so that probing goes on past it; rebuild drops it. */
	free(e->key);
	e->key = NULL;
	map->live_count--;
	return e->value;
}

size_t tr_map_count(const tr_map *map)
{
	TR_CHECK_OBJ(map, MAP_MAGIC);
	return map->live_count;
}

bool tr_map_next(const tr_map *map, size_t *cursor, tr_slice *key, void **value)
{
	TR_CHECK_OBJ(map, MAP_MAGIC);
	while (*cursor < map->entry_count) {
		const entry *e = &map->entries[(*cursor)++];
		if (!e->key)
			continue;
		if (key)
			*key = tr_slice_of(e->key, e->key_len);
		if (value)
			*value = e->value;
		return true;
	}
	return false;
}
