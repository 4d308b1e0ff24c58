/*
 * A growing byte buffer with a maximum and a sticky failure: append freely, test once with tr_writer_ok. Growing doubles
 * and may move `data`, so keep offsets, not pointers, until writing ends. The steady state allocates nothing: reset keeps
 * the memory.
 */
#ifndef TR_CORE_WRITER_H
#define TR_CORE_WRITER_H

#include "core/digits.h"
#include "core/slice.h"

typedef struct tr_writer {
	uint8_t *data;
	size_t len, cap, max; /* bytes; cap never exceeds max */
	bool failed;          /* max was reached or memory ran out; later appends do nothing */
} tr_writer;

void tr_writer_init(tr_writer *w, size_t max);
void tr_writer_release(tr_writer *w);
static inline void tr_writer_reset(tr_writer *w)
{
	w->len = 0;
	w->failed = false;
}

static inline bool tr_writer_ok(const tr_writer *w)
{
	return !w->failed;
}

/* Makes room for n more bytes; false (sticky) when that would pass max. */
bool tr_writer_grow(tr_writer *w, size_t n);

static inline bool tr_writer_reserve(tr_writer *w, size_t n)
{
	return __builtin_expect(!w->failed && n <= w->cap - w->len, 1) || tr_writer_grow(w, n);
}

static inline void tr_writer_put(tr_writer *w, const void *bytes, size_t n)
{
	if (n > 0 && tr_writer_reserve(w, n)) {
		memcpy(w->data + w->len, bytes, n);
		w->len += n;
	}
}

static inline void tr_writer_u8(tr_writer *w, uint8_t byte)
{
	if (tr_writer_reserve(w, 1))
		w->data[w->len++] = byte;
}

static inline void tr_writer_slice(tr_writer *w, tr_slice s)
{
	tr_writer_put(w, s.ptr, s.len);
}

static inline void tr_writer_text(tr_writer *w, const char *text)
{
	tr_writer_put(w, text, strlen(text));
}

static inline tr_slice tr_writer_view(const tr_writer *w)
{
	return tr_slice_of(w->data, w->len);
}

/* Avro's (and protobuf's) zig-zag variable-length long; 1 to 10 bytes. */
static inline void tr_writer_zigzag(tr_writer *w, int64_t value)
{
	if (!tr_writer_reserve(w, TR_ZIGZAG_BYTES))
		return;
	/* A local pointer: a byte stored through `data` could be any field of w, as far as the compiler knows. */
	uint8_t *end = tr_put_zigzag(w->data + w->len, value);
	w->len = (size_t)(end - w->data);
}

/* Decimal digits, no locale, no format call. */
void tr_writer_decimal_u64(tr_writer *w, uint64_t value);
void tr_writer_decimal_i64(tr_writer *w, int64_t value);
/* Big-endian. */
void tr_writer_be32(tr_writer *w, uint32_t value);
void tr_writer_be64(tr_writer *w, uint64_t value);
/* printf for cold paths only. */
void tr_writer_format(tr_writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
