#include "core/reader.h"

#include "core/obj.h"

void tr_reader_fail(tr_reader *r, size_t wanted)
{
	if (r->failed)
		return;
	r->failed = true;
	r->fail_offset = tr_reader_offset(r);
	r->fail_wanted = wanted;
	r->fail_left = tr_reader_left(r);
}

uint64_t tr_reader_le(tr_reader *r, unsigned n)
{
	TR_ASSERT(n >= 1 && n <= 8);
	const uint8_t *p = tr_reader_take(r, n);
	uint64_t value = 0;

	if (!p)
		return 0;
	while (n-- > 0)
		value = value << 8 | p[n];
	return value;
}

tr_slice tr_reader_cstring(tr_reader *r)
{
	size_t left = tr_reader_left(r);
	const uint8_t *nul = r->failed || left == 0 ? NULL : memchr(r->at, 0, left);

	if (!nul) {
		tr_reader_fail(r, left + 1);
		return tr_slice_of(NULL, 0);
	}
	tr_slice text = tr_slice_of(r->at, (size_t)(nul - r->at));
	r->at = nul + 1;
	return text;
}

int tr_reader_error(const tr_reader *r, const char *what, tr_err *err)
{
	return tr_err_set(err, TR_E_DECODE_SHORT, "%s ends at byte %zu: %zu wanted, %zu left", what, r->fail_offset,
	    r->fail_wanted, r->fail_left);
}
