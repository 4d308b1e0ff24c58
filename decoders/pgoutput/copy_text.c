#include "decoders/pgoutput/message.h"

static int refuse(size_t field, const char *why, tr_err *err)
{
	tr_err_set(err, TR_E_DECODE_PROTOCOL, "cannot split a row of COPY");
	tr_err_detail(err, "%s in field %zu", why, field + 1);
	return tr_err_hint(err, "the table's shape may have changed while it was read; the snapshot can be started again");
}

/* The byte that a letter after a backslash stands for, as COPY TO writes them; -1 for all others. */
static int escape(uint8_t c)
{
	switch (c) {
	case 'b': return '\b';
	case 'f': return '\f';
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case 'v': return '\v';
	case '\\': return '\\';
	default: return -1;
	}
}

static int unescape(tr_slice field, size_t number, tr_arena *scratch, tr_datum *out, tr_err *err)
{
	uint8_t *start = tr_arena_alloc(scratch, field.len), *at = start;

	if (!start)
		return tr_err_set(err, TR_E_BATCH_LIMIT, "a row of COPY needs more memory than the limit allows");
	for (size_t i = 0; i < field.len; i++) {
		int c = field.ptr[i];

		if (c == '\\') {
			c = i + 1 < field.len ? escape(field.ptr[++i]) : -1;
			if (c < 0)
				return refuse(number, "an unknown escape", err);
		}
		*at++ = (uint8_t)c;
	}
	*out = (tr_datum){.ptr = start, .len = (uint32_t)(at - start), .form = TR_D_TEXT};
	return 0;
}

static int read_field(tr_slice field, bool escaped, size_t number, tr_arena *scratch, tr_datum *out, tr_err *err)
{
	if (escaped && field.len > 0 && memchr(field.ptr, '\\', field.len)) {
		if (field.len == 2 && field.ptr[0] == '\\' && field.ptr[1] == 'N') {
			*out = (tr_datum){.form = TR_D_NULL};
			return 0;
		}
		return unescape(field, number, scratch, out, err);
	}
	*out = (tr_datum){.ptr = field.ptr, .len = (uint32_t)field.len, .form = TR_D_TEXT};
	return 0;
}

int tr_pg_copy_text_row(tr_slice line, tr_arena *scratch, tr_datum *data, size_t count, tr_err *err)
{
	/* Most rows have no backslash at all: one look instead of one per field. */
	bool escaped = line.len > 0 && memchr(line.ptr, '\\', line.len);
	const uint8_t *at = line.ptr, *end = line.ptr ? line.ptr + line.len : line.ptr;

	if (line.len > UINT32_MAX)
		return refuse(0, "more bytes than a row can have", err);
	if (count == 0)
		return line.len == 0 ? 0 : refuse(0, "more fields than columns", err);
	for (size_t i = 0; i < count; i++) {
		const uint8_t *tab = at < end ? memchr(at, '\t', (size_t)(end - at)) : NULL;
		bool last = i + 1 == count;

		if (!last && !tab)
			return refuse(i, "fewer fields than columns", err);
		if (last && tab)
			return refuse(i, "more fields than columns", err);
		if (read_field(tr_slice_of(at, (size_t)((tab ? tab : end) - at)), escaped, i, scratch, &data[i], err) != 0)
			return -1;
		at = tab ? tab + 1 : end;
	}
	return 0;
}
