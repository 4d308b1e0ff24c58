/*
 * Fuzzes the values of a binary log and the texts of a catalogue: <target> <rest>. Targets: 'v' <column> <options> <form>
 * one value; 'j' a binary JSON document; 'p' <length u8> a document of that length, then diffs; 'c' <flavour>
 * COLUMN_TYPE NUL COLUMN_DEFAULT NUL. With libFuzzer (-fsanitize=fuzzer) it has its own main; otherwise
 * (TR_FUZZ_STANDALONE) each file named on the command line is run once, and `-runs=N` mutates them N times in all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "decoders/binlog/column.h"
#include "decoders/binlog/json.h"

#define SCRATCH_MAX ((size_t)4 << 20)
#define INPUT_MAX ((size_t)1 << 16)
#define OPTION_SETS 6

static const char *const types[] = {
	"tinyint", "smallint unsigned", "mediumint", "int unsigned", "bigint unsigned", "float", "float(7,3)", "double", "decimal(5,2)",
	"decimal(65,30)", "decimal(30,30)", "decimal(9,0) unsigned zerofill", "bit(1)", "bit(12)", "bit(64)", "year(4)", "date", "time",
	"time(1)", "time(3)", "time(6)", "datetime", "datetime(3)", "datetime(6)", "timestamp", "timestamp(4)", "char(5)", "varchar(9)",
	"text", "binary(4)", "varbinary(9)", "longblob", "enum('a','it''s')", "set('a','b','c')", "json", "geometry", "point", "vector(3)",
	"uuid", "inet4", "inet6", "xmltype",
};
#define TYPES (sizeof(types) / sizeof(types[0]))
static const char *const charsets[] = {"utf8mb4", "latin1", "utf16", "utf32", "gb18030", "ujis"};

static tr_column resolved[OPTION_SETS][TYPES];
static tr_arena arena, scratch;

static tr_bl_facts facts_of(const char *type, char word[32])
{
	size_t len = strcspn(type, "( ");

	len = len < 31 ? len : 31;
	memcpy(word, type, len);
	word[len] = '\0';
	return (tr_bl_facts){.name = "c", .data_type = word, .column_type = type, .extra = "", .is_nullable = "YES"};
}

static tr_event_options options_of(unsigned set)
{
	return (tr_event_options){.decimal = (tr_decimal_mode)(set % 3), .time = (tr_time_mode)(set % 6),
	                          .binary = (tr_binary_mode)(set % 4), .unsigned_bigint = (tr_unsigned_mode)(set % 2),
	                          .unknown_types = set % 2, .null_as_default = true, .unavailable = "u"};
}

static void resolve_all(void)
{
	tr_arena_init(&arena, (size_t)64 << 20);
	tr_arena_init(&scratch, SCRATCH_MAX);
	for (unsigned set = 0; set < OPTION_SETS; set++) {
		const tr_event_options options = options_of(set);

		for (size_t i = 0; i < TYPES; i++) {
			char word[32];
			tr_bl_facts facts = facts_of(types[i], word);
			tr_bl_column column;
			tr_err err;

			facts.charset = charsets[set];
			facts.is_nullable = set % 2 ? "YES" : "NO";
			if (tr_bl_column_from_facts(&facts, &arena, &column, &err) != 0)
				abort();
			column.wire_type = set < 4 ? 0
			                   : column.sql == TR_BL_SQL_TIME && column.fsp == 0     ? TR_BL_TIME
			                   : column.sql == TR_BL_SQL_DATETIME && column.fsp == 0 ? TR_BL_DATETIME
			                                                                         : 0;
			if (tr_bl_resolve(&column, &options, &arena, &resolved[set][i], &err) != 0)
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

static volatile size_t sink;

static void fuzz_value(const uint8_t *data, size_t size)
{
	tr_value value;
	tr_err err = {0};

	if (size < 3)
		return;
	const tr_column *column = &resolved[data[1] % OPTION_SETS][data[0] % TYPES];
	const tr_datum datum = {.ptr = data + 3, .len = (uint32_t)(size - 3), .form = data[2] % 2 ? TR_D_BINARY : TR_D_TEXT};

	if (!column->type)
		return;
	if (column->decode(column->decode_arg, datum, &scratch, &value, &err) == 0)
		sink += touch(&value);
	else if (err.code != TR_E_DECODE_VALUE && err.code != TR_E_BATCH_LIMIT)
		abort();
}

static void fuzz_json(const uint8_t *data, size_t size, size_t document)
{
	tr_err err = {0};
	tr_slice text;
	int result = document == size ? tr_bl_json_print(tr_slice_of(data, size), &scratch, &text, &err)
	                              : tr_bl_json_patch(tr_slice_of(data, document), tr_slice_of(data + document, size - document),
	                                                 &scratch, &text, &err);
	const tr_value value = {.kind = TR_V_BYTES, .s = text};

	if (result == 0)
		sink += touch(&value);
	else if (err.code != TR_E_DECODE_VALUE && err.code != TR_E_BATCH_LIMIT)
		abort();
}

/* Two texts of the catalogue. */
static void fuzz_column(const uint8_t *data, size_t size)
{
	const tr_event_options options = options_of(data[0] % OPTION_SETS);
	const char *type = (const char *)data + 1, *standard = memchr(type, '\0', size - 1);
	tr_bl_column column;
	tr_schema_column described;
	tr_column out;
	char word[32];
	tr_err err = {0};

	if (!standard || data[size - 1] != '\0')
		return;
	tr_bl_facts facts = facts_of(type, word);
	facts.mariadb = data[0] & 0x80;
	facts.charset = charsets[data[0] % OPTION_SETS];
	facts.column_default = standard + 1 < (const char *)data + size ? standard + 1 : NULL;
	if (tr_bl_column_from_facts(&facts, &scratch, &column, &err) != 0)
		return;
	if (tr_bl_resolve(&column, &options, &scratch, &out, &err) == 0)
		sink += out.type != NULL;
	sink += (size_t)tr_bl_schema_column(&column, &scratch, &described);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (!arena.max)
		resolve_all();
	if (size < 2)
		return 0;
	tr_arena_reset(&scratch);
	/* Exactly as long as the input, so that nothing behind it can be read unseen. */
	copy = malloc(size);
	if (!copy)
		return 0;
	memcpy(copy, data, size);
	switch (copy[0]) {
	case 'v': fuzz_value(copy + 1, size - 1); break;
	case 'j': fuzz_json(copy + 1, size - 1, size - 1); break;
	case 'p': fuzz_json(copy + 2, size - 2, copy[1] < size - 2 ? copy[1] : size - 2); break;
	case 'c': fuzz_column(copy + 1, size - 1); break;
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

/* A few bytes changed, cut out or doubled. */
static size_t mutate(uint8_t *data, size_t size)
{
	static const uint8_t likely[] = "0123456789-.:'(),\\ \0\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\177\200\377";

	for (unsigned n = 1 + next_random() % 6; n > 0 && size > 1; n--) {
		size_t at = 1 + next_random() % (size - 1), len = 1 + next_random() % 8;

		switch (next_random() % 4) {
		case 0: data[at] = (uint8_t)next_random(); break;
		case 1: data[at] = likely[next_random() % (sizeof(likely) - 1)]; break;
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

static bool run_file(const char *path, unsigned long runs)
{
	uint8_t *data = malloc(INPUT_MAX), *copy = malloc(INPUT_MAX);
	FILE *f = fopen(path, "rb");
	size_t size = f && data && copy ? fread(data, 1, INPUT_MAX, f) : 0;

	if (f)
		fclose(f);
	if (size > 0)
		LLVMFuzzerTestOneInput(data, size);
	for (unsigned long n = 1; size > 0 && n < runs; n++) {
		memcpy(copy, data, size);
		LLVMFuzzerTestOneInput(copy, mutate(copy, size));
	}
	free(data);
	free(copy);
	return f != NULL;
}

int main(int argc, char **argv)
{
	unsigned long runs = 1;
	int files = 0, result = 0;

	for (int i = 1; i < argc; i++)
		if (sscanf(argv[i], "-runs=%lu", &runs) != 1)
			files++;
	for (int i = 1; i < argc; i++)
		if (*argv[i] != '-' && !run_file(argv[i], runs / (unsigned long)files))
			result = 66;
	tr_arena_release(&arena);
	tr_arena_release(&scratch);
	return result;
}
#endif
