/*
 * Numbers as bytes on the way of a row: decimal digits without a format call, Avro's variable-length integers, big-endian
 * integers. The caller has seen to the room; each function that writes returns the place behind what it wrote.
 */
#ifndef TR_CORE_DIGITS_H
#define TR_CORE_DIGITS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TR_DECIMAL_BYTES 20 /* of the largest uint64_t */
#define TR_ZIGZAG_BYTES  10

/* "00" to "99". */
static inline uint8_t *tr_put_pair(uint8_t *at, unsigned value)
{
	static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
				    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
				    "8081828384858687888990919293949596979899";

	memcpy(at, pairs + 2 * value, 2);
	return at + 2;
}

/* Exactly `count` digits, with zeros in front; higher ones are left out. */
static inline uint8_t *tr_put_fixed(uint8_t *at, uint64_t value, unsigned count)
{
	unsigned left = count;

	for (; left >= 2; left -= 2, value /= 100)
		tr_put_pair(at + left - 2, (unsigned)(value % 100));
	if (left > 0)
		*at = (uint8_t)('0' + value % 10);
	return at + count;
}

/* As many digits as it takes, at most TR_DECIMAL_BYTES. */
static inline uint8_t *tr_put_decimal(uint8_t *at, uint64_t value)
{
	uint8_t digits[TR_DECIMAL_BYTES];
	size_t first = sizeof(digits);

	for (; value >= 100; value /= 100)
		tr_put_pair(digits + (first -= 2), (unsigned)(value % 100));
	if (value >= 10)
		tr_put_pair(digits + (first -= 2), (unsigned)value);
	else
		digits[--first] = (uint8_t)('0' + value);
	memcpy(at, digits + first, sizeof(digits) - first);
	return at + (sizeof(digits) - first);
}

/* Big-endian unsigned integers. */
static inline uint16_t tr_get_be16(const uint8_t *at)
{
	return (uint16_t)((unsigned)at[0] << 8 | at[1]);
}

static inline uint32_t tr_get_be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline uint64_t tr_get_be64(const uint8_t *at)
{
	return (uint64_t)tr_get_be32(at) << 32 | tr_get_be32(at + 4);
}

/* All eight bytes, most significant first. */
static inline uint8_t *tr_put_be64(uint8_t *at, uint64_t value)
{
	if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
		value = __builtin_bswap64(value);
	memcpy(at, &value, sizeof(value));
	return at + sizeof(value);
}

/* The lowest `bytes` bytes, at most 8, least significant first; one store when the number is a constant. */
static inline uint8_t *tr_put_le(uint8_t *at, uint64_t value, size_t bytes)
{
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		value = __builtin_bswap64(value);
	memcpy(at, &value, bytes);
	return at + bytes;
}

/* Zig-zag and groups of seven bits, lowest first (Avro specification, "Binary encoding"; protobuf's sint64). Up to
 * TR_ZIGZAG_BYTES are written, whatever is returned. */
static inline uint8_t *tr_put_zigzag(uint8_t *at, int64_t value)
{
	uint64_t n = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63), x = n;

	if (n < 0x80) {
		*at = (uint8_t)n;
		return at + 1;
	}
	if (n < 0x4000) {
		at[0] = (uint8_t)(n | 0x80);
		at[1] = (uint8_t)(n >> 7);
		return at + 2;
	}
	/* Of 56 bits each seven get a byte: halves, quarters, eighths move apart. */
	x = (x & UINT64_C(0x000000000fffffff)) | (x & UINT64_C(0x00fffffff0000000)) << 4;
	x = (x & UINT64_C(0x00003fff00003fff)) | (x & UINT64_C(0x0fffc0000fffc000)) << 2;
	x = (x & UINT64_C(0x007f007f007f007f)) | (x & UINT64_C(0x3f803f803f803f80)) << 1;
	unsigned more = (unsigned)(63 - __builtin_clzll(n)) / 7; /* bytes before the last */
	x |= more >= 8 ? UINT64_C(0x8080808080808080) : UINT64_C(0x8080808080808080) & ((UINT64_C(1) << (8 * more)) - 1);
	tr_put_le(at, x, 8);
	if (more >= 8) {
		at[8] = (uint8_t)((n >> 56 & 0x7f) | (more > 8 ? 0x80 : 0));
		at[9] = (uint8_t)(n >> 63);
	}
	return at + more + 1;
}

#endif
