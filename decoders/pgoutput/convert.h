/*
 * Inside of the room: the conversions of single values, one function per published form, and the constants they run
 * with. A function gets one datum in the server's text (or binary) form and makes a tr_value of the column's tr_type.
 *
 * Refuses: to guess. Bytes that are not what the server would print are DECODE_VALUE with the type's name and a reason,
 * never with the value. All text forms are those of TR_PG_SESSION_SETTINGS.
 */
#ifndef TR_PGOUTPUT_CONVERT_H
#define TR_PGOUTPUT_CONVERT_H

#include "core/digits.h"
#include "decoders/pgoutput/types.h"

/* How a moment or a time of day is published. */
typedef enum tr_pg_unit { TR_PG_MILLIS, TR_PG_MICROS, TR_PG_NANOS, TR_PG_ISO } tr_pg_unit;

/* The constants of one column (or array element, or attribute); lives in the table's arena. */
typedef struct tr_pg_arg tr_pg_arg;
struct tr_pg_arg {
	const char *type;      /* for messages */
	bool required;         /* there is no null to fall back on: what the published form cannot hold is an error */
	int32_t scale;         /* Decimal and money: digits after the point */
	int32_t digits;        /* timestamptz: digits of the second's fraction */
	tr_pg_unit unit;       /* temporal types */
	tr_binary_mode binary; /* bytea and unknown types */
	char delimiter;        /* array: between elements */
	char shape;            /* geometric types without a SRID: l lseg, b box, p path, g polygon */
	bool item_optional;    /* array: a null element has a place in the schema */
	bool nested_text;      /* array: elements are plain text, so an inner array can stand as its text */
	tr_decode_fn item;     /* array: converts one element */
	const void *item_arg;
	size_t field_count;    /* composite */
	const tr_decode_fn *fields;
	const void *const *field_args;
};

/* DECODE_VALUE; `why` is a constant text and says nothing of the value itself. Return -1. */
int tr_pg_bad(const tr_pg_arg *arg, tr_datum in, const char *why, tr_err *err);
/* The scratch arena is at its maximum. */
int tr_pg_no_room(const tr_pg_arg *arg, tr_err *err);
/* A binary datum for a function that reads text only. */
int tr_pg_no_binary(const tr_pg_arg *arg, tr_err *err);
/* What the published form cannot hold: null when the column allows it, else DECODE_VALUE. */
int tr_pg_unfit(const tr_pg_arg *arg, tr_datum in, const char *why, tr_value *out, tr_err *err);

/* All decode functions share this shape (tr_decode_fn). */
#define TR_PG_DECODE(name) int name(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)

/* scalar.c */
TR_PG_DECODE(tr_pg_decode_bool);
TR_PG_DECODE(tr_pg_decode_int16);
TR_PG_DECODE(tr_pg_decode_int32);
TR_PG_DECODE(tr_pg_decode_int64);
TR_PG_DECODE(tr_pg_decode_oid);
TR_PG_DECODE(tr_pg_decode_float32);
TR_PG_DECODE(tr_pg_decode_float64);
/* text.c */
TR_PG_DECODE(tr_pg_decode_text);
TR_PG_DECODE(tr_pg_decode_jsonb);
TR_PG_DECODE(tr_pg_decode_uuid);
TR_PG_DECODE(tr_pg_decode_bytea);
TR_PG_DECODE(tr_pg_decode_opaque);   /* unknown type: its text as bytes */
TR_PG_DECODE(tr_pg_decode_bit_bool); /* bit(1) */
TR_PG_DECODE(tr_pg_decode_bits);
/* numeric.c, money.c */
TR_PG_DECODE(tr_pg_decode_decimal);
TR_PG_DECODE(tr_pg_decode_variable_decimal);
TR_PG_DECODE(tr_pg_decode_numeric_double);
TR_PG_DECODE(tr_pg_decode_numeric_text);
TR_PG_DECODE(tr_pg_decode_money);
TR_PG_DECODE(tr_pg_decode_money_double);
TR_PG_DECODE(tr_pg_decode_money_text);
/* temporal.c */
TR_PG_DECODE(tr_pg_decode_date);
TR_PG_DECODE(tr_pg_decode_time);
TR_PG_DECODE(tr_pg_decode_timestamp);
TR_PG_DECODE(tr_pg_decode_timetz);
TR_PG_DECODE(tr_pg_decode_timestamptz);
/* interval.c */
TR_PG_DECODE(tr_pg_decode_interval_micros);
TR_PG_DECODE(tr_pg_decode_interval_text);
/* array.c */
TR_PG_DECODE(tr_pg_decode_array);
TR_PG_DECODE(tr_pg_decode_vector_list); /* int2vector, oidvector: elements between spaces */
TR_PG_DECODE(tr_pg_decode_no_form);     /* a type whose published form cannot hold any value: bit(n)[] */
/* composite.c */
TR_PG_DECODE(tr_pg_decode_composite);
/* hstore.c */
TR_PG_DECODE(tr_pg_decode_hstore_json);
TR_PG_DECODE(tr_pg_decode_hstore_map);
/* geometry.c */
TR_PG_DECODE(tr_pg_decode_point);
TR_PG_DECODE(tr_pg_decode_shape_wkb);    /* lseg, box, path, polygon */
TR_PG_DECODE(tr_pg_decode_circle);
TR_PG_DECODE(tr_pg_decode_line);
TR_PG_DECODE(tr_pg_decode_shape_opaque); /* unknown types on: the text Debezium's driver makes of a geometric value */
TR_PG_DECODE(tr_pg_decode_ewkb);
/* vector.c */
TR_PG_DECODE(tr_pg_decode_vector);
TR_PG_DECODE(tr_pg_decode_halfvec);
TR_PG_DECODE(tr_pg_decode_sparsevec);

/* Parts that several files use. */

/* Digits of a plain decimal number: sign, integer digits, fraction digits; or one of the special values. */
typedef struct tr_pg_number {
	enum { TR_PG_FINITE, TR_PG_NAN, TR_PG_PLUS_INFINITY, TR_PG_MINUS_INFINITY } kind;
	bool negative;
	tr_slice whole, fraction;
} tr_pg_number;
bool tr_pg_number_parse(tr_slice text, tr_pg_number *out);
/* Big-endian two's complement, shortest, of the digits with `scale` digits after the point; empty slice: no room. The
 * caller has seen to it that no digit is lost. */
tr_slice tr_pg_number_unscaled(const tr_pg_number *n, size_t scale, tr_arena *scratch);
/* Whole text is a float in the server's form ("1.5", "-1e-07", "NaN", "-Infinity"). */
bool tr_pg_float64_parse(tr_slice text, double *out);
bool tr_pg_float32_parse(tr_slice text, float *out);
/* Bytes in the configured binary mode. */
int tr_pg_binary_value(const tr_pg_arg *arg, tr_datum in, tr_slice bytes, tr_arena *scratch, tr_value *out,
                       tr_err *err);
/* Hexadecimal digits to bytes; out has room for half as many. */
bool tr_pg_unhex(tr_slice text, uint8_t *out);
/* Copies into scratch; a NULL ptr says no room. */
tr_slice tr_pg_copy(tr_arena *scratch, const void *bytes, size_t len);

/* The order in which a Java HashMap of `count` entries with these hashes is walked; `order` has count places. Debezium's
 * hstore and sparsevec values pass through one, and readers compare texts. The map starts with `initial` places. */
bool tr_pg_hash_order(const uint32_t *hashes, size_t count, size_t initial, uint32_t *order, tr_arena *scratch);

/* moment.c */
#define TR_PG_DAY_US INT64_C(86400000000)
#define TR_PG_EPOCH_2000_US INT64_C(946684800000000) /* 2000-01-01 since 1970-01-01 */
/* Java's and Debezium's infinite timestamps, in milliseconds and microseconds. */
#define TR_PG_PLUS_INFINITY_US INT64_C(9223372036825200000)
#define TR_PG_MINUS_INFINITY_US (-INT64_C(9223372036832400000))
typedef struct tr_pg_civil {
	int64_t year; /* astronomical: 0 is 1 BC */
	int month, day;
} tr_pg_civil;
typedef struct tr_pg_moment {
	int infinite; /* -1, 0, 1 */
	tr_pg_civil date;
	int64_t day_us; /* microsecond of the day; 86400000000 only for a time of 24:00 */
	int32_t offset_s; /* east of Greenwich */
} tr_pg_moment;
enum { TR_PG_HAS_DATE = 1, TR_PG_HAS_TIME = 2, TR_PG_HAS_ZONE = 4 };
/* Parses the parts given in `has`, all of them, to the end of the text. */
bool tr_pg_moment_parse(tr_slice text, unsigned has, tr_pg_moment *out);
int64_t tr_pg_days(tr_pg_civil date);
tr_pg_civil tr_pg_civil_of(int64_t days);
/* Writes into at (room for 20 bytes each); return the end. */
uint8_t *tr_pg_put_date(uint8_t *at, tr_pg_civil date);
/* digits: of the fraction; -1 = as many as are not zero. */
uint8_t *tr_pg_put_time(uint8_t *at, int64_t day_us, int digits);
/* Big-endian integers of a binary datum: of 2, 4 or 8 bytes, a constant where it is called. */
static inline __attribute__((always_inline)) uint64_t tr_pg_be(const uint8_t *at, size_t bytes)
{
	return bytes == 8 ? tr_get_be64(at) : bytes == 4 ? tr_get_be32(at) : tr_get_be16(at);
}

#endif
