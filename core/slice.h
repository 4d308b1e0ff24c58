/* A borrowed run of bytes. A slice never owns; whoever made it says how long it lives. */
#ifndef TR_CORE_SLICE_H
#define TR_CORE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct tr_slice {
	const uint8_t *ptr; /* may be NULL only when len is 0 */
	size_t len;         /* bytes */
} tr_slice;

static inline tr_slice tr_slice_of(const void *ptr, size_t len)
{
	return (tr_slice){.ptr = ptr, .len = len};
}

static inline tr_slice tr_slice_str(const char *text)
{
	return (tr_slice){.ptr = (const uint8_t *)text, .len = text ? strlen(text) : 0};
}

static inline bool tr_slice_eq(tr_slice a, tr_slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

#endif
