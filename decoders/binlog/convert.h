/*
 * Inside of the room: the conversions of single values, one function per published form, and the constants they run
 * with. A function reads one datum in either form (column.h) and makes a tr_value of the column's tr_type.
 *
 * Refuses: to guess. Bytes that are not what the server would write are DECODE_VALUE with the type's name and a reason,
 * never with the value. All memory is the scratch arena's.
 */
#ifndef TR_BINLOG_CONVERT_H
#define TR_BINLOG_CONVERT_H

#include "decoders/binlog/charset.h"
#include "decoders/binlog/column.h"

/* How a moment or a time is published. */
typedef enum tr_bl_unit { TR_BL_MILLIS, TR_BL_MICROS, TR_BL_NANOS, TR_BL_ISO } tr_bl_unit;

/* The constants of one column; lives in the table's arena. */
typedef struct tr_bl_arg {
	const char *type;       /* for messages */
	bool required;          /* there is no null to fall back on */
	bool is_unsigned;
	uint8_t bytes;          /* integers: of the binary form; ENUM and SET likewise */
	uint8_t precision, scale; /* DECIMAL */
	uint8_t fsp;            /* temporal types: digits of the fraction in the binary form */
	int8_t digits;          /* TIMESTAMP: digits of the published fraction; -1 = as many as are needed */
	bool old_form;          /* temporal types: the binary form is that before MySQL 5.6 */
	bool one_day;           /* TIME: what is no time of one day does not fit the published form */
	bool narrow;            /* FLOAT: four bytes, and texts are rounded to them */
	tr_bl_unit unit;
	tr_binary_mode binary;
	uint32_t length;        /* BINARY: bytes that are padded to; BIT: bits */
	const tr_bl_charset *charset; /* text */
	const tr_slice *labels; /* ENUM, SET: UTF-8 */
	size_t label_count;
	tr_value zero;          /* for a zero date: null, or what stands for it in a required column */
} tr_bl_arg;

/* DECODE_VALUE; `why` is a constant text and says nothing of the value itself. Return -1. */
int tr_bl_bad(const tr_bl_arg *arg, tr_datum in, const char *why, tr_err *err);
/* The scratch arena is at its maximum. */
int tr_bl_no_room(const tr_bl_arg *arg, tr_err *err);
/* What the published form cannot hold: null when the column allows it, else DECODE_VALUE. */
int tr_bl_unfit(const tr_bl_arg *arg, tr_datum in, const char *why, tr_value *out, tr_err *err);

/* All decode functions share this shape (tr_decode_fn). */
#define TR_BL_DECODE(name) int name(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)

/* scalar.c */
TR_BL_DECODE(tr_bl_decode_int);
TR_BL_DECODE(tr_bl_decode_unsigned_decimal); /* BIGINT UNSIGNED as Decimal */
TR_BL_DECODE(tr_bl_decode_year);
TR_BL_DECODE(tr_bl_decode_float);
TR_BL_DECODE(tr_bl_decode_bit);
TR_BL_DECODE(tr_bl_decode_bits);
TR_BL_DECODE(tr_bl_decode_enum);
TR_BL_DECODE(tr_bl_decode_set);
/* text.c */
TR_BL_DECODE(tr_bl_decode_text);
TR_BL_DECODE(tr_bl_decode_bytes);
TR_BL_DECODE(tr_bl_decode_json);
TR_BL_DECODE(tr_bl_decode_uuid);
TR_BL_DECODE(tr_bl_decode_inet4);
TR_BL_DECODE(tr_bl_decode_inet6);
/* geometry.c */
TR_BL_DECODE(tr_bl_decode_geometry);
TR_BL_DECODE(tr_bl_decode_point);
TR_BL_DECODE(tr_bl_decode_vector);
/* decimal.c */
TR_BL_DECODE(tr_bl_decode_decimal);
TR_BL_DECODE(tr_bl_decode_decimal_double);
TR_BL_DECODE(tr_bl_decode_decimal_text);
/* temporal.c */
TR_BL_DECODE(tr_bl_decode_date);
TR_BL_DECODE(tr_bl_decode_time);
TR_BL_DECODE(tr_bl_decode_datetime);
TR_BL_DECODE(tr_bl_decode_timestamp);

/* Parts that several files use. */

static inline uint64_t tr_bl_le(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = bytes; i > 0; i--)
		value = value << 8 | at[i - 1];
	return value;
}

static inline uint64_t tr_bl_be(const uint8_t *at, size_t bytes)
{
	uint64_t value = 0;

	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

/* Decimal digits with an optional minus, in 64 bits or in 64 bits without a sign; false otherwise. */
bool tr_bl_parse_int(tr_slice text, bool *negative, uint64_t *magnitude);
/* "1.5", "-1e-07", as the server prints a double. */
bool tr_bl_parse_double(tr_slice text, double *out);
/* Digits without leading zeros, at least one; returns the end. */
uint8_t *tr_bl_put_u64(uint8_t *at, uint64_t value);
/* `digits` digits, with zeros before them. */
uint8_t *tr_bl_put_digits(uint8_t *at, uint64_t value, unsigned digits);
/* The shortest text that is read back as the same double, in the server's form ("1.5e300", "0.001"); returns the end.
 * The room that is needed at most: */
#define TR_BL_DOUBLE_BYTES 40
uint8_t *tr_bl_put_double(uint8_t *at, double value);

/* Bytes of a packed DECIMAL; 0 when there is no such type. */
size_t tr_bl_decimal_bytes(unsigned precision, unsigned scale);
/* Packed DECIMAL as the server prints it, without needless zeros before it; returns the end, NULL when it is none. */
#define TR_BL_DECIMAL_TEXT_BYTES 72
uint8_t *tr_bl_put_decimal(uint8_t *at, const uint8_t *packed, size_t bytes, unsigned precision, unsigned scale);

/* Broken-down date and time; negative only as a TIME, whose hours go to 838. */
typedef struct tr_bl_moment {
	int32_t year;
	uint32_t month, day, hour, minute, second, us;
	bool negative;
} tr_bl_moment;
/* The servers' packed 64-bit forms, as binary JSON has them (little-endian). False: no such moment. */
bool tr_bl_moment_packed(int64_t packed, bool time, tr_bl_moment *out);
/* "2024-01-31", "-838:59:59", with `digits` digits of the fraction; -1: as many as are needed. Return the end. */
uint8_t *tr_bl_put_date(uint8_t *at, const tr_bl_moment *m);
uint8_t *tr_bl_put_time(uint8_t *at, const tr_bl_moment *m, int digits);
/* A date with a month or day of 0. */
static inline bool tr_bl_is_zero(const tr_bl_moment *m)
{
	return m->month == 0 || m->day == 0;
}
/* Parses "2024-01-31 12:00:00.5" (with a time when `time`); false when it is none. */
bool tr_bl_moment_parse(tr_slice text, bool time, tr_bl_moment *out);

/* Base64 with padding; out has room for (len + 2) / 3 * 4. Returns the end. */
uint8_t *tr_bl_put_base64(uint8_t *at, tr_slice bytes, bool url);

#endif
