#include "state/kafka/frame.h"

#include <zlib.h>

#define HEAD "{\"tailrace_state\":"
#define SERIAL ",\"serial\":"
#define SUM ",\"crc32\":\""
#define RECORD "\",\"record\":"
#define SUM_DIGITS 8
#define SERIAL_MAX (UINT64_MAX / 16) /* so that counting on never wraps */

static uint32_t checksum(tr_slice key, tr_slice serial, tr_slice record)
{
	static const Bytef nul = 0;
	uLong crc = crc32(0, key.ptr, (uInt)key.len);

	crc = crc32(crc32(crc, &nul, 1), serial.ptr, (uInt)serial.len);
	return (uint32_t)crc32(crc32(crc, &nul, 1), record.ptr, (uInt)record.len);
}

void tr_state_frame_put(tr_writer *out, tr_slice key, uint64_t serial, tr_slice record)
{
	uint8_t digits[24];
	tr_writer number = {.data = digits, .cap = sizeof(digits), .max = sizeof(digits)};

	tr_writer_decimal_u64(&number, serial);
	tr_writer_format(out, HEAD "%d" SERIAL, TR_STATE_FRAME_VERSION);
	tr_writer_slice(out, tr_writer_view(&number));
	tr_writer_format(out, SUM "%08x" RECORD, (unsigned)checksum(key, tr_writer_view(&number), record));
	tr_writer_slice(out, record);
	tr_writer_u8(out, '}');
}

static bool take_text(tr_slice *in, const char *text)
{
	size_t len = strlen(text);

	if (in->len < len || memcmp(in->ptr, text, len) != 0)
		return false;
	*in = tr_slice_of(in->ptr + len, in->len - len);
	return true;
}

/* Decimal digits, without a leading zero. */
static bool take_number(tr_slice *in, uint64_t *out, tr_slice *digits)
{
	size_t n = 0;

	*out = 0;
	while (n < in->len && in->ptr[n] >= '0' && in->ptr[n] <= '9' && *out <= SERIAL_MAX / 10)
		*out = *out * 10 + (uint64_t)(in->ptr[n++] - '0');
	if (n == 0 || (n > 1 && in->ptr[0] == '0'))
		return false;
	*digits = tr_slice_of(in->ptr, n);
	*in = tr_slice_of(in->ptr + n, in->len - n);
	return true;
}

static bool take_sum(tr_slice *in, uint32_t *out)
{
	*out = 0;
	if (in->len < SUM_DIGITS)
		return false;
	for (size_t i = 0; i < SUM_DIGITS; i++) {
		const char *all = "0123456789abcdef", *digit = in->ptr[i] ? strchr(all, in->ptr[i]) : NULL;
		if (!digit)
			return false;
		*out = *out << 4 | (uint32_t)(digit - all);
	}
	*in = tr_slice_of(in->ptr + SUM_DIGITS, in->len - SUM_DIGITS);
	return true;
}

tr_state_frame tr_state_frame_get(tr_slice key, tr_slice value, uint64_t *serial, tr_slice *record)
{
	tr_slice in = value, digits;
	uint64_t version, number;
	uint32_t sum;

	if (!take_text(&in, HEAD) || !take_number(&in, &version, &digits))
		return TR_STATE_FRAME_FOREIGN;
	if (version > TR_STATE_FRAME_VERSION)
		return TR_STATE_FRAME_NEWER;
	if (version != TR_STATE_FRAME_VERSION || !take_text(&in, SERIAL) || !take_number(&in, &number, &digits) ||
	    !take_text(&in, SUM) || !take_sum(&in, &sum) || !take_text(&in, RECORD) || in.len == 0 || in.ptr[in.len - 1] != '}')
		return TR_STATE_FRAME_DAMAGED;
	in.len--;
	if (sum != checksum(key, digits, in))
		return TR_STATE_FRAME_DAMAGED;
	*serial = number;
	*record = in;
	return TR_STATE_FRAME_OK;
}
