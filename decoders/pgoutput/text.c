#include "decoders/pgoutput/convert.h"

#include "core/text.h"

#define ASCII_MASK UINT64_C(0x8080808080808080)

static inline uint64_t word_at(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

/* Most text is ASCII: eight bytes at a look, the last eight as a word that overlaps the one before. */
static inline bool is_ascii(const uint8_t *at, size_t len)
{
	uint64_t seen = 0;

	if (len < sizeof(uint64_t)) {
		for (size_t i = 0; i < len; i++)
			seen |= at[i];
		return !(seen & 0x80);
	}
	for (size_t i = 0; i + sizeof(uint64_t) < len; i += sizeof(uint64_t))
		seen |= word_at(at + i);
	return !((seen | word_at(at + len - sizeof(uint64_t))) & ASCII_MASK);
}

static int text_value(const tr_pg_arg *arg, tr_datum in, size_t skip, tr_value *out, tr_err *err)
{
	tr_slice text = tr_slice_of(in.ptr + skip, in.len - skip);

	if (!is_ascii(text.ptr, text.len) && !tr_text_utf8_valid(text))
		return tr_pg_bad(arg, in, "not valid UTF-8 (a database in SQL_ASCII does not check its texts)", err);
	*out = tr_value_slice(text);
	return 0;
}

int tr_pg_decode_text(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	(void)scratch;
	return text_value(arg, in, 0, out, err);
}

/* The binary form starts with a version byte; the rest is the text. */
int tr_pg_decode_jsonb(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	(void)scratch;
	if (in.form != TR_D_BINARY)
		return text_value(arg, in, 0, out, err);
	if (in.len < 1 || *in.ptr != 1)
		return tr_pg_bad(arg, in, "not version 1 of the binary form", err);
	return text_value(arg, in, 1, out, err);
}

static const char hex_digits[] = "0123456789abcdef";

int tr_pg_decode_uuid(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	uint8_t *text, *at;

	if (in.form != TR_D_BINARY)
		return in.len == 36 ? text_value(arg, in, 0, out, err) : tr_pg_bad(arg, in, "not 36 characters", err);
	if (in.len != 16)
		return tr_pg_bad(arg, in, "not 16 bytes", err);
	at = text = tr_arena_alloc(scratch, 36);
	if (!text)
		return tr_pg_no_room(arg, err);
	for (size_t i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = (uint8_t)hex_digits[in.ptr[i] >> 4];
		*at++ = (uint8_t)hex_digits[in.ptr[i] & 15];
	}
	*out = tr_value_bytes(text, 36);
	return 0;
}

/* Value of a hexadecimal digit; 16 and above for anything else. */
static unsigned hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - (unsigned)'0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 16;
}

bool tr_pg_unhex(tr_slice text, uint8_t *out)
{
	unsigned wrong = 0;

	if (text.len % 2 != 0)
		return false;
	for (size_t i = 0; i < text.len; i += 2) {
		unsigned high = hex_value(text.ptr[i]), low = hex_value(text.ptr[i + 1]);

		wrong |= high | low;
		out[i / 2] = (uint8_t)(high << 4 | (low & 15));
	}
	return wrong < 16;
}

static tr_slice to_hex(tr_slice bytes, tr_arena *scratch)
{
	uint8_t *text = tr_arena_array(scratch, 2, bytes.len);

	for (size_t i = 0; text && i < bytes.len; i++) {
		text[2 * i] = (uint8_t)hex_digits[bytes.ptr[i] >> 4];
		text[2 * i + 1] = (uint8_t)hex_digits[bytes.ptr[i] & 15];
	}
	return tr_slice_of(text, 2 * bytes.len);
}

/* RFC 4648 with padding; the URL alphabet differs in its last two letters. */
static tr_slice to_base64(tr_slice bytes, bool url, tr_arena *scratch)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	static const char url_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	const char *alphabet = url ? url_letters : letters;
	uint8_t *text = tr_arena_array(scratch, 4, (bytes.len + 2) / 3), *at = text;

	for (size_t i = 0; text && i < bytes.len; i += 3) {
		size_t left = bytes.len - i;
		uint32_t three = (uint32_t)bytes.ptr[i] << 16;

		three |= left > 1 ? (uint32_t)bytes.ptr[i + 1] << 8 : 0;
		three |= left > 2 ? bytes.ptr[i + 2] : 0;
		*at++ = (uint8_t)alphabet[three >> 18];
		*at++ = (uint8_t)alphabet[three >> 12 & 63];
		*at++ = left > 1 ? (uint8_t)alphabet[three >> 6 & 63] : '=';
		*at++ = left > 2 ? (uint8_t)alphabet[three & 63] : '=';
	}
	return tr_slice_of(text, (size_t)(at - text));
}

int tr_pg_binary_value(const tr_pg_arg *arg, tr_datum in, tr_slice bytes, tr_arena *scratch, tr_value *out, tr_err *err)
{
	tr_slice text = bytes;

	(void)in;
	switch (arg->binary) {
	case TR_BINARY_BYTES: break;
	case TR_BINARY_HEX: text = to_hex(bytes, scratch); break;
	case TR_BINARY_BASE64: text = to_base64(bytes, false, scratch); break;
	case TR_BINARY_BASE64_URL: text = to_base64(bytes, true, scratch); break;
	}
	if (bytes.len > 0 && !text.ptr)
		return tr_pg_no_room(arg, err);
	*out = tr_value_slice(text);
	return 0;
}

int tr_pg_decode_bytea(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const tr_pg_arg *a = arg;
	tr_slice bytes = tr_slice_of(in.ptr, in.len);
	uint8_t *raw;

	if (in.form != TR_D_BINARY) {
		if (in.len < 2 || in.ptr[0] != '\\' || in.ptr[1] != 'x')
			return tr_pg_bad(a, in, "not the hex form", err);
		bytes = tr_slice_of(in.ptr + 2, in.len - 2);
		raw = tr_arena_alloc(scratch, bytes.len / 2 + 1);
		if (!raw)
			return tr_pg_no_room(a, err);
		if (!tr_pg_unhex(bytes, raw))
			return tr_pg_bad(a, in, "not pairs of hexadecimal digits", err);
		bytes = tr_slice_of(raw, bytes.len / 2);
	}
	return tr_pg_binary_value(a, in, bytes, scratch, out, err);
}

int tr_pg_decode_opaque(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	return tr_pg_binary_value(arg, in, tr_slice_of(in.ptr, in.len), scratch, out, err);
}

static bool all_bits(tr_datum in)
{
	for (size_t i = 0; i < in.len; i++)
		if ((in.ptr[i] & 0xfe) != '0')
			return false;
	return true;
}

int tr_pg_decode_bit_bool(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	(void)scratch;
	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (in.len == 0)
		return tr_pg_unfit(arg, in, "an empty bit string is neither true nor false", out, err);
	if (in.len > 1 || !all_bits(in))
		return tr_pg_bad(arg, in, "not one bit", err);
	*out = tr_value_bool(*in.ptr == '1');
	return 0;
}

/* The last bit printed is bit 0; little-endian, without the zero bytes at the end. */
int tr_pg_decode_bits(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	size_t bytes = in.len / 8 + 1, used = 0;
	uint8_t *bits;

	if (in.form == TR_D_BINARY)
		return tr_pg_no_binary(arg, err);
	if (!all_bits(in))
		return tr_pg_bad(arg, in, "not a bit string", err);
	bits = tr_arena_alloc(scratch, bytes);
	if (!bits)
		return tr_pg_no_room(arg, err);
	for (size_t i = 0; i < in.len; i++) {
		if (in.ptr[in.len - 1 - i] == '1') {
			bits[i / 8] |= (uint8_t)(1u << i % 8);
			used = i / 8 + 1;
		}
	}
	*out = tr_value_bytes(bits, used);
	return 0;
}
