#include "core/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define ALIGN ((size_t)16)
#define FIRST_BLOCK_BYTES ((size_t)4096)
#define LARGE_BLOCK_BYTES ((size_t)65536) /* blocks double up to here */

struct tr_arena_block {
	tr_arena_block *next;
	size_t size; /* of data, bytes */
	_Alignas(16) uint8_t data[];
};

void tr_arena_init(tr_arena *a, size_t max)
{
	*a = (tr_arena){.max = max};
}

static void free_blocks(tr_arena *a)
{
	while (a->head) {
		tr_arena_block *next = a->head->next;
		free(a->head);
		a->head = next;
	}
	a->at = a->end = NULL;
}

void tr_arena_release(tr_arena *a)
{
	free_blocks(a);
	tr_arena_init(a, a->max);
}

static bool add_block(tr_arena *a, size_t size)
{
	tr_arena_block *block = malloc(sizeof(*block) + size);

	if (!block)
		return false;
	block->size = size;
	block->next = a->head;
	a->head = block;
	a->at = block->data;
	a->end = block->data + size;
	return true;
}

/*
 * Several blocks become a single one of their size, so that the next round of the same work needs no malloc and
 * the memory held does not depend on the history.
 */
void tr_arena_reset(tr_arena *a)
{
	size_t total = 0;

	a->used = 0;
	if (!a->head)
		return;
	if (!a->head->next) {
		a->at = a->head->data;
		return;
	}
	for (const tr_arena_block *b = a->head; b; b = b->next)
		total += b->size;
	free_blocks(a);
	add_block(a, total);
}

static size_t next_block_bytes(const tr_arena *a, size_t bytes)
{
	size_t size = a->head ? 2 * a->head->size : FIRST_BLOCK_BYTES;

	if (size > LARGE_BLOCK_BYTES)
		size = LARGE_BLOCK_BYTES;
	return size < bytes ? bytes : size;
}

void *tr_arena_alloc(tr_arena *a, size_t bytes)
{
	if (bytes == 0)
		bytes = 1;
	if (bytes > a->max - a->used || bytes > SIZE_MAX - ALIGN)
		return NULL;
	bytes = (bytes + ALIGN - 1) & ~(ALIGN - 1);
	if (bytes > (size_t)(a->end - a->at) && !add_block(a, next_block_bytes(a, bytes)))
		return NULL;
	void *memory = a->at;
	a->at += bytes;
	a->used = bytes < a->max - a->used ? a->used + bytes : a->max;
	return memset(memory, 0, bytes);
}

void *tr_arena_array(tr_arena *a, size_t size, size_t count)
{
	size_t bytes;

	return __builtin_mul_overflow(size, count, &bytes) ? NULL : tr_arena_alloc(a, bytes);
}

void *tr_arena_memdup(tr_arena *a, const void *bytes, size_t len)
{
	void *copy = tr_arena_alloc(a, len);

	if (copy && len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

char *tr_arena_strndup(tr_arena *a, const void *bytes, size_t len)
{
	char *copy = len < SIZE_MAX ? tr_arena_alloc(a, len + 1) : NULL;

	if (copy && len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

char *tr_arena_strdup(tr_arena *a, const char *text)
{
	return tr_arena_strndup(a, text, strlen(text));
}

char *tr_arena_format(tr_arena *a, const char *format, ...)
{
	va_list args, again;
	char *text = NULL;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	if (len >= 0)
		text = tr_arena_alloc(a, (size_t)len + 1);
	if (text)
		vsnprintf(text, (size_t)len + 1, format, again);
	va_end(again);
	va_end(args);
	return text;
}
