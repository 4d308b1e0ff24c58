/*
 * The one bounds-checked reader of wire bytes. Reading past the end sets a sticky failure and returns zeros, so a
 * decoder reads a whole message and asks once. A failure keeps the first offset, what was wanted and what was left.
 */
#ifndef TR_CORE_READER_H
#define TR_CORE_READER_H

#include "core/digits.h"
#include "core/err.h"
#include "core/slice.h"

typedef struct tr_reader {
	const uint8_t *start, *at, *end;
	bool failed;
	size_t fail_offset, fail_wanted, fail_left; /* of the first failure, in bytes */
} tr_reader;

static inline void tr_reader_init(tr_reader *r, tr_slice bytes)
{
	/* Never NULL inside, so that taking nothing from nothing is no failure. */
	const uint8_t *start = bytes.ptr ? bytes.ptr : (const uint8_t *)"";

	*r = (tr_reader){.start = start, .at = start, .end = start + (bytes.ptr ? bytes.len : 0)};
}

static inline size_t tr_reader_left(const tr_reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline size_t tr_reader_offset(const tr_reader *r)
{
	return (size_t)(r->at - r->start);
}

/* Marks the reader failed as if `wanted` bytes had been missing here. */
void tr_reader_fail(tr_reader *r, size_t wanted);

/* Takes n bytes; NULL (and sticky failure) when fewer are left. */
static inline const uint8_t *tr_reader_take(tr_reader *r, size_t n)
{
	if (__builtin_expect(r->failed || n > (size_t)(r->end - r->at), 0)) {
		tr_reader_fail(r, n);
		return NULL;
	}
	const uint8_t *p = r->at;
	r->at += n;
	return p;
}

static inline tr_slice tr_reader_bytes(tr_reader *r, size_t n)
{
	const uint8_t *p = tr_reader_take(r, n);
	return p ? tr_slice_of(p, n) : tr_slice_of(NULL, 0);
}

static inline uint8_t tr_reader_u8(tr_reader *r)
{
	const uint8_t *p = tr_reader_take(r, 1);
	return p ? p[0] : 0;
}

/* Big-endian (PostgreSQL) unsigned integers. */
static inline uint16_t tr_reader_be16(tr_reader *r)
{
	const uint8_t *p = tr_reader_take(r, 2);
	return p ? tr_get_be16(p) : 0;
}

static inline uint32_t tr_reader_be32(tr_reader *r)
{
	const uint8_t *p = tr_reader_take(r, 4);
	return p ? tr_get_be32(p) : 0;
}

static inline uint64_t tr_reader_be64(tr_reader *r)
{
	const uint8_t *p = tr_reader_take(r, 8);
	return p ? tr_get_be64(p) : 0;
}

/* Little-endian (MySQL) unsigned integers of n bytes, 1 <= n <= 8. */
uint64_t tr_reader_le(tr_reader *r, unsigned n);

/* A NUL-terminated string without its NUL; fails when no NUL is left. */
tr_slice tr_reader_cstring(tr_reader *r);

/* Fills err with DECODE_SHORT: "`what` ends at byte x: y wanted, z left". Returns -1. */
int tr_reader_error(const tr_reader *r, const char *what, tr_err *err);

#endif
