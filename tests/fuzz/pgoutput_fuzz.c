/*
 * Fuzzes what reads a server's bytes: <target> <rest>. Targets: 'm' a pgoutput message, whose values go through the
 * conversions of the columns named by their place; 'c' a row of COPY in text form, likewise; 'v' <type> <options> <form>
 * one value. With libFuzzer (-fsanitize=fuzzer) it has its own main; otherwise (TR_FUZZ_STANDALONE) each file named on the
 * command line is run once, and `-runs=N` mutates them N times in all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/arena.h"
#include "decoders/pgoutput/message.h"
#include "decoders/pgoutput/types.h"

#define SCRATCH_MAX ((size_t)8 << 20)
#define INPUT_MAX ((size_t)1 << 16)
#define OPTION_SETS 8
#define COPY_COLUMNS 5

enum { ENUM = 30000, ENUM_ARRAY, DOMAIN_NUMERIC, PAIR, PAIR_ARRAY, HSTORE, HSTORE_ARRAY, GEOMETRY, GEOGRAPHY, VECTOR, HALFVEC,
       SPARSEVEC, LTREE, CUBE, BOX_ARRAY };

static const char *const labels[] = {"a", "b"};
static const tr_pg_attribute attributes[] = {{"a", 23, -1}, {"b", 25, -1}, {"c", 1231, -1}};

#define ROW(oid, name, typtype, category, element) {oid, name, "public", NULL, typtype, category, ',', element, 0, -1, NULL, 0, NULL, 0}

static const tr_pg_type catalogue[] = {
	{ENUM, "mood", "public", NULL, 'e', 'E', ',', 0, 0, -1, labels, 2, NULL, 0},
	{DOMAIN_NUMERIC, "price", "public", NULL, 'd', 'N', ',', 0, 1700, (9 << 16 | 2) + 4, NULL, 0, NULL, 0},
	{PAIR, "pair", "public", NULL, 'c', 'C', ',', 0, 0, -1, NULL, 0, attributes, 3},
	{BOX_ARRAY, "_box", "pg_catalog", NULL, 'b', 'A', ';', 603, 0, -1, NULL, 0, NULL, 0},
	ROW(ENUM_ARRAY, "_mood", 'b', 'A', ENUM), ROW(PAIR_ARRAY, "_pair", 'b', 'A', PAIR), ROW(HSTORE, "hstore", 'b', 'U', 0),
	ROW(HSTORE_ARRAY, "_hstore", 'b', 'A', HSTORE), ROW(GEOMETRY, "geometry", 'b', 'U', 0),
	ROW(GEOGRAPHY, "geography", 'b', 'U', 0), ROW(VECTOR, "vector", 'b', 'U', 0), ROW(HALFVEC, "halfvec", 'b', 'U', 0),
	ROW(SPARSEVEC, "sparsevec", 'b', 'U', 0), ROW(LTREE, "ltree", 'b', 'U', 0), ROW(CUBE, "cube", 'b', 'U', 0),
	ROW(1007, "_int4", 'b', 'A', 23), ROW(1009, "_text", 'b', 'A', 25), ROW(1231, "_numeric", 'b', 'A', 1700),
	ROW(1187, "_interval", 'b', 'A', 1186), ROW(791, "_money", 'b', 'A', 790), ROW(1561, "_bit", 'b', 'A', 1560),
	ROW(1185, "_timestamptz", 'b', 'A', 1184), ROW(1001, "_bytea", 'b', 'A', 17),
};

static const struct column { uint32_t type; int32_t typmod; } columns[] = {
	{16, -1}, {17, -1}, {20, -1}, {21, -1}, {22, -1}, {23, -1}, {25, -1}, {26, -1}, {30, -1}, {114, -1}, {600, -1}, {601, -1},
	{602, -1}, {603, -1}, {604, -1}, {628, -1}, {700, -1}, {701, -1}, {718, -1}, {790, -1}, {869, -1}, {1082, -1}, {1083, -1},
	{1083, 3}, {1114, -1}, {1114, 3}, {1184, -1}, {1184, 0}, {1186, -1}, {1266, -1}, {1560, 1}, {1560, 9}, {1562, -1}, {1700, -1},
	{1700, (12 << 16 | 4) + 4}, {1700, (6 << 16 | 2045) + 4}, {2950, -1}, {3220, -1}, {3802, -1}, {1007, -1}, {1009, -1},
	{1231, -1}, {1231, (6 << 16 | 1) + 4}, {1187, -1}, {791, -1}, {1561, 5}, {1185, 3}, {1001, -1}, {ENUM, -1}, {ENUM_ARRAY, -1},
	{DOMAIN_NUMERIC, -1}, {PAIR, -1}, {PAIR_ARRAY, -1}, {HSTORE, -1}, {HSTORE_ARRAY, -1}, {GEOMETRY, -1}, {GEOGRAPHY, -1},
	{VECTOR, -1}, {HALFVEC, -1}, {SPARSEVEC, -1}, {LTREE, -1}, {CUBE, -1}, {BOX_ARRAY, -1},
};
#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static const tr_pg_type *find(void *context, uint32_t oid)
{
	(void)context;
	for (size_t i = 0; i < sizeof(catalogue) / sizeof(catalogue[0]); i++)
		if (catalogue[i].oid == oid)
			return &catalogue[i];
	return NULL;
}

/* Every column in every set of options, resolved once. */
static tr_column resolved[OPTION_SETS][COLUMNS];
static tr_arena arena, scratch;

static void resolve_all(void)
{
	const tr_pg_type_lookup lookup = {.find = find};

	tr_arena_init(&arena, (size_t)64 << 20);
	tr_arena_init(&scratch, SCRATCH_MAX);
	for (unsigned set = 0; set < OPTION_SETS; set++) {
		const tr_event_options options = {.decimal = (tr_decimal_mode)(set % 3), .time = (tr_time_mode)(set % 6),
		                                  .binary = (tr_binary_mode)(set % 4), .interval = (tr_interval_mode)(set % 2),
		                                  .hstore = (tr_hstore_mode)(set / 2 % 2), .unknown_types = set < 4,
		                                  .carry_all_types = set >= 4, .unavailable = "u", .money_fraction_digits = set % 4};

		for (size_t i = 0; i < COLUMNS; i++) {
			const tr_pg_column in = {.name = "c", .type = columns[i].type, .typmod = columns[i].typmod, .not_null = set % 2,
			                         .default_expr = "'1'::text"};
			tr_err err = {0};

			if (tr_pg_resolve(&in, &lookup, &options, &arena, &resolved[set][i], &err) != 0)
				abort();
		}
	}
}

/* Reads every byte of a value, so that a sanitizer sees what it borrows; counts them. */
static size_t touch(const tr_value *v)
{
	size_t sum = 0;

	for (size_t i = 0; v->kind == TR_V_BYTES && i < v->s.len; i++)
		sum += v->s.ptr[i];
	for (size_t i = 0; v->kind == TR_V_LIST && i < v->count; i++)
		sum += touch(&v->list[i]);
	return sum;
}

static void decode_value(const tr_column *column, tr_datum datum)
{
	static volatile size_t sink;
	tr_value value;
	tr_err err = {0};

	if (!column->type || (datum.form != TR_D_TEXT && datum.form != TR_D_BINARY))
		return;
	if (column->decode(column->decode_arg, datum, &scratch, &value, &err) == 0)
		sink += touch(&value);
	else if (err.code != TR_E_DECODE_VALUE && err.code != TR_E_BATCH_LIMIT)
		abort();
}

static void decode_row(const tr_datum *row, size_t count)
{
	for (size_t i = 0; i < count; i++)
		decode_value(&resolved[i % OPTION_SETS][i % COLUMNS], row[i]);
}

static int on_row(void *context, const tr_pg_row *m, tr_err *err)
{
	(void)context;
	(void)err;
	decode_row(m->old_row, m->old_count);
	decode_row(m->new_row, m->new_count);
	return 0;
}

#define IGNORE(name, type) \
	static int name(void *context, const type *m, tr_err *err) \
	{ \
		(void)context; \
		(void)m; \
		(void)err; \
		return 0; \
	}
IGNORE(on_begin, tr_pg_begin)
IGNORE(on_commit, tr_pg_commit)
IGNORE(on_origin, tr_pg_origin)
IGNORE(on_relation, tr_pg_relation)
IGNORE(on_type_name, tr_pg_typename)
IGNORE(on_truncate, tr_pg_truncate)
IGNORE(on_logical, tr_pg_logical)

static void fuzz_message(const uint8_t *data, size_t size)
{
	static const tr_pg_handler handler = {
		.begin = on_begin, .commit = on_commit, .origin = on_origin, .relation = on_relation, .type_name = on_type_name,
		.insert = on_row, .update = on_row, .delete_row = on_row, .truncate = on_truncate, .logical = on_logical};
	static tr_pg_decoder *decoder;
	tr_err err = {0};

	if (!decoder && !(decoder = tr_pg_decoder_new()))
		abort();
	tr_pg_decode(decoder, tr_slice_of(data, size), &handler, NULL, &err);
}

static void fuzz_copy(const uint8_t *data, size_t size)
{
	tr_datum row[COPY_COLUMNS];
	tr_err err = {0};

	if (tr_pg_copy_text_row(tr_slice_of(data, size), &scratch, row, COPY_COLUMNS, &err) == 0)
		decode_row(row, COPY_COLUMNS);
}

static void fuzz_value(const uint8_t *data, size_t size)
{
	if (size < 3)
		return;
	const tr_datum datum = {.ptr = data + 3, .len = (uint32_t)(size - 3), .form = data[2] % 2 ? TR_D_BINARY : TR_D_TEXT};
	decode_value(&resolved[data[1] % OPTION_SETS][data[0] % COLUMNS], datum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (!arena.max)
		resolve_all();
	if (size < 1)
		return 0;
	tr_arena_reset(&scratch);
	/* Exactly as long as the input, so that nothing behind it can be read unseen. */
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	switch (copy[0]) {
	case 'm': fuzz_message(copy + 1, size - 1); break;
	case 'c': fuzz_copy(copy + 1, size - 1); break;
	case 'v': fuzz_value(copy + 1, size - 1); break;
	default: break;
	}
	free(copy);
	return 0;
}

#ifdef TR_FUZZ_STANDALONE
static uint64_t seed = 0x9e3779b97f4a7c15u;

static uint32_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 16);
}

/* A few bytes changed, cut out or doubled; digits and punctuation come up most. */
static size_t mutate(uint8_t *data, size_t size)
{
	static const char likely[] = "0123456789-+.,:eE{}()[]<>\"\\ NULLBC/='xt";

	for (unsigned n = 1 + next_random() % 6; n > 0 && size > 1; n--) {
		size_t at = 1 + next_random() % (size - 1), len = 1 + next_random() % 8;

		switch (next_random() % 4) {
		case 0: data[at] = (uint8_t)next_random(); break;
		case 1: data[at] = (uint8_t)likely[next_random() % (sizeof(likely) - 1)]; break;
		case 2:
			len = at + len > size ? size - at : len;
			memmove(data + at, data + at + len, size - at - len);
			size -= len;
			break;
		default:
			if (size + len <= INPUT_MAX && at + len <= size) {
				memmove(data + at + len, data + at, size - at);
				size += len;
			}
		}
	}
	return size;
}

int main(int argc, char **argv)
{
	uint8_t *data = malloc(INPUT_MAX), *copy = malloc(INPUT_MAX);
	unsigned long runs = 1;
	int files = 0, result = 0;

	for (int i = 1; i < argc; i++)
		if (sscanf(argv[i], "-runs=%lu", &runs) != 1)
			files++;
	for (int i = 1; data && copy && i < argc && result == 0; i++) {
		FILE *f = *argv[i] == '-' ? NULL : fopen(argv[i], "rb");
		size_t size;

		if (*argv[i] == '-')
			continue;
		if (!f) {
			perror(argv[i]);
			result = 66;
			continue;
		}
		size = fread(data, 1, INPUT_MAX, f);
		fclose(f);
		LLVMFuzzerTestOneInput(data, size);
		for (unsigned long n = 1; n < runs / (unsigned long)files; n++) {
			memcpy(copy, data, size);
			LLVMFuzzerTestOneInput(copy, mutate(copy, size));
		}
	}
	tr_arena_release(&arena);
	tr_arena_release(&scratch);
	free(data);
	free(copy);
	return result;
}
#endif
