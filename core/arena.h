/*
 * Memory by lifetime: bump allocation, freed all at once. Two uses: a scratch arena reset per message (compound values
 * while a row is converted), and an object's own arena (a table schema with its names) freed with it. Zeroed memory,
 * 16-byte aligned. An arena has a maximum; past it tr_arena_alloc returns NULL.
 */
#ifndef TR_CORE_ARENA_H
#define TR_CORE_ARENA_H

#include "core/slice.h"

typedef struct tr_arena_block tr_arena_block;
typedef struct tr_arena {
	tr_arena_block *head;
	uint8_t *at, *end;
	size_t used, max; /* bytes */
} tr_arena;

void tr_arena_init(tr_arena *a, size_t max);
void tr_arena_release(tr_arena *a);
/* Forgets all allocations; keeps the memory, as one block, for reuse. */
void tr_arena_reset(tr_arena *a);
void *tr_arena_alloc(tr_arena *a, size_t bytes);
/* count elements of size bytes each; NULL also when the product overflows. */
void *tr_arena_array(tr_arena *a, size_t size, size_t count);
/* NUL-terminated copies. */
char *tr_arena_strdup(tr_arena *a, const char *text);
char *tr_arena_strndup(tr_arena *a, const void *bytes, size_t len);
char *tr_arena_format(tr_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *tr_arena_memdup(tr_arena *a, const void *bytes, size_t len);

#define TR_ARENA_NEW(arena, type) ((type *)tr_arena_alloc((arena), sizeof(type)))
#define TR_ARENA_ARRAY(arena, type, count) ((type *)tr_arena_array((arena), sizeof(type), (size_t)(count)))

#endif
