#include "core/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_CAP_BYTES ((size_t)256)

void tr_writer_init(tr_writer *w, size_t max)
{
	*w = (tr_writer){.max = max};
}

void tr_writer_release(tr_writer *w)
{
	free(w->data);
	*w = (tr_writer){.max = w->max};
}

bool tr_writer_grow(tr_writer *w, size_t n)
{
	if (w->failed)
		return false;
	if (n <= w->cap - w->len)
		return true;
	if (n > w->max - w->len) {
		w->failed = true;
		return false;
	}
	size_t need = w->len + n;
	size_t cap = w->cap > w->max / 2 ? w->max : 2 * w->cap;
	if (cap < FIRST_CAP_BYTES)
		cap = FIRST_CAP_BYTES;
	if (cap < need)
		cap = need;
	if (cap > w->max)
		cap = w->max;
	uint8_t *data = realloc(w->data, cap);
	if (!data) {
		w->failed = true;
		return false;
	}
	w->data = data;
	w->cap = cap;
	return true;
}

void tr_writer_decimal_u64(tr_writer *w, uint64_t value)
{
	if (tr_writer_reserve(w, TR_DECIMAL_BYTES))
		w->len = (size_t)(tr_put_decimal(w->data + w->len, value) - w->data);
}

void tr_writer_decimal_i64(tr_writer *w, int64_t value)
{
	if (value < 0)
		tr_writer_u8(w, '-');
	/* 0 - x in unsigned: INT64_MIN has no positive counterpart. */
	tr_writer_decimal_u64(w, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void tr_writer_be32(tr_writer *w, uint32_t value)
{
	uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};

	tr_writer_put(w, bytes, sizeof(bytes));
}

void tr_writer_be64(tr_writer *w, uint64_t value)
{
	uint8_t bytes[8];

	for (int i = 7; i >= 0; i--, value >>= 8)
		bytes[i] = (uint8_t)value;
	tr_writer_put(w, bytes, sizeof(bytes));
}

void tr_writer_format(tr_writer *w, const char *format, ...)
{
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	/* vsnprintf also writes a NUL, which needs room but is not counted. */
	if (len < 0)
		w->failed = true;
	else if (tr_writer_reserve(w, (size_t)len + 1)) {
		vsnprintf((char *)w->data + w->len, (size_t)len + 1, format, again);
		w->len += (size_t)len;
	}
	va_end(again);
	va_end(args);
}
