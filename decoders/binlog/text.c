/* Text, bytes, JSON, and MariaDB's types of fixed bytes. */
#include "decoders/binlog/convert.h"
#include "decoders/binlog/json.h"

static const char hex_digits[] = "0123456789abcdef";

int tr_bl_decode_text(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	tr_slice text = tr_slice_of(in.ptr, in.len);

	/* The text protocol has it in UTF-8 already. */
	if (in.form == TR_D_BINARY && a->charset && !tr_bl_charset_utf8(a->charset, text, scratch, &text))
		return text.ptr ? tr_bl_bad(a, in, "not valid in its character set", err) : tr_bl_no_room(a, err);
	*out = tr_value_slice(text);
	return 0;
}

uint8_t *tr_bl_put_base64(uint8_t *at, tr_slice bytes, bool url)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *alphabet = url ? url_letters : letters;

	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t three = (uint32_t)bytes.ptr[i] << 16;

		three |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
		three |= left > 2 ? bytes.ptr[i + 2] : 0;
		*at++ = (uint8_t)alphabet[three >> 18];
		*at++ = (uint8_t)alphabet[three >> 12 & 63];
		*at++ = left > 1 ? (uint8_t)alphabet[three >> 6 & 63] : '=';
		*at++ = left > 2 ? (uint8_t)alphabet[three & 63] : '=';
	}
	return at;
}

static int encoded(const tr_bl_arg *a, tr_slice bytes, tr_arena *scratch, tr_value *out, tr_err *err)
{
	uint8_t *text = tr_arena_array(scratch, 4, bytes.len / 2 + 1), *at = text;

	if (!text)
		return tr_bl_no_room(a, err);
	if (a->binary != TR_BINARY_HEX) {
		at = tr_bl_put_base64(at, bytes, a->binary == TR_BINARY_BASE64_URL);
	} else {
		for (size_t i = 0; i < bytes.len; i++) {
			*at++ = (uint8_t)hex_digits[bytes.ptr[i] >> 4];
			*at++ = (uint8_t)hex_digits[bytes.ptr[i] & 15];
		}
	}
	*out = tr_value_bytes(text, (size_t)(at - text));
	return 0;
}

/* The log leaves out the zeros at the end of a BINARY. */
static int padded(const tr_bl_arg *a, tr_datum in, tr_arena *scratch, tr_slice *out, tr_err *err)
{
	uint8_t *bytes;

	*out = tr_slice_of(in.ptr, in.len);
	if (in.len >= a->length)
		return in.len == a->length || a->length == 0 ? 0 : tr_bl_bad(a, in, "longer than its type", err);
	bytes = tr_arena_alloc(scratch, a->length);
	if (!bytes)
		return tr_bl_no_room(a, err);
	if (in.len > 0)
		memcpy(bytes, in.ptr, in.len);
	memset(bytes + in.len, 0, a->length - in.len);
	*out = tr_slice_of(bytes, a->length);
	return 0;
}

int tr_bl_decode_bytes(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_bl_arg *a = arg;
	tr_slice bytes;

	if (padded(a, in, scratch, &bytes, err) != 0)
		return -1;
	if (a->binary != TR_BINARY_BYTES)
		return encoded(a, bytes, scratch, out, err);
	*out = tr_value_slice(bytes);
	return 0;
}

int tr_bl_decode_json(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_slice text = tr_slice_of(in.ptr, in.len);

	(void)arg;
	if (in.form == TR_D_BINARY && tr_bl_json_print(text, scratch, &text, err) != 0)
		return -1;
	*out = tr_value_slice(text);
	return 0;
}

/* The log has the bytes in the order of the text, without the zeros at the end. */
int tr_bl_decode_uuid(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_slice bytes;
	uint8_t *text, *at;

	if (in.form != TR_D_BINARY) {
		*out = tr_value_bytes(in.ptr, in.len);
		return 0;
	}
	if (padded(arg, in, scratch, &bytes, err) != 0)
		return -1;
	text = at = tr_arena_alloc(scratch, 36);
	if (!text)
		return tr_bl_no_room(arg, err);
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = (uint8_t)hex_digits[bytes.ptr[i] >> 4];
		*at++ = (uint8_t)hex_digits[bytes.ptr[i] & 15];
	}
	*out = tr_value_bytes(text, 36);
	return 0;
}

static uint8_t *put_inet4(uint8_t *at, const uint8_t *bytes)
{
	for (size_t i = 0; i < 4; i++) {
		if (i > 0)
			*at++ = '.';
		at = tr_bl_put_u64(at, bytes[i]);
	}
	return at;
}

static int fixed_text(const void *arg, tr_datum in, uint8_t *(*put)(uint8_t *, const uint8_t *), tr_arena *scratch,
                      tr_value *out, tr_err *err)
{
	tr_slice bytes;
	uint8_t *text;

	if (in.form != TR_D_BINARY) {
		*out = tr_value_bytes(in.ptr, in.len);
		return 0;
	}
	if (padded(arg, in, scratch, &bytes, err) != 0)
		return -1;
	text = tr_arena_alloc(scratch, 64);
	if (!text)
		return tr_bl_no_room(arg, err);
	*out = tr_value_bytes(text, (size_t)(put(text, bytes.ptr) - text));
	return 0;
}

int tr_bl_decode_inet4(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	return fixed_text(arg, in, put_inet4, scratch, out, err);
}

static uint8_t *put_group(uint8_t *at, unsigned group)
{
	for (unsigned shift = 16; shift > 0;) {
		shift -= 4;
		if (group >> shift != 0 || shift == 0)
			*at++ = (uint8_t)hex_digits[group >> shift & 15];
	}
	return at;
}

/* The first of the longest runs of zero groups, be it one group; its length is 0 when there is none. */
static void longest_run(const unsigned *groups, unsigned *start, unsigned *length)
{
	*start = *length = 0;
	for (unsigned i = 0; i < 8; i++) {
		unsigned run = 0;

		while (i + run < 8 && groups[i + run] == 0)
			run++;
		if (run > *length) {
			*start = i;
			*length = run;
		}
		i += run;
	}
}

/* As MariaDB has it: RFC 4291 with the last four bytes of mapped and compatible addresses as IPv4. */
static uint8_t *put_inet6(uint8_t *at, const uint8_t *bytes)
{
	unsigned groups[8], start, length;

	for (size_t i = 0; i < 8; i++)
		groups[i] = (unsigned)tr_bl_be(bytes + 2 * i, 2);
	longest_run(groups, &start, &length);
	for (unsigned i = 0; i < 8;) {
		if (length > 0 && i == start) {
			*at++ = ':';
			i += length;
			if (i == 8)
				*at++ = ':';
			continue;
		}
		if (i > 0)
			*at++ = ':';
		if (i == 6 && start == 0 && (length == 6 || (length == 5 && groups[5] == 0xffff)))
			return put_inet4(at, bytes + 12);
		at = put_group(at, groups[i++]);
	}
	return at;
}

int tr_bl_decode_inet6(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	return fixed_text(arg, in, put_inet6, scratch, out, err);
}
