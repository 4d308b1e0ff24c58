/* Fuzzes the scanner of statements. The first byte is the sql_mode's interesting bits; the rest is the statement. */
#include <stdio.h>
#include <stdlib.h>

#include "capture/mysql/ddl.h"

#define INPUT_MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tr_arena arena;
	tr_myc_ddl ddl;
	tr_slice text;
	tr_err err = {0};

	if (size < 1)
		return 0;
	const tr_bl_query query = {.text = tr_slice_of(data + 1, size - 1), .client_collation = data[0] >> 2};
	uint64_t mode = (data[0] & 1 ? TR_MYC_MODE_ANSI_QUOTES : 0) | (data[0] & 2 ? TR_MYC_MODE_NO_BACKSLASH_ESCAPES : 0);
	tr_arena_init(&arena, (size_t)64 << 20);
	if (tr_myc_ddl_text(&query, &arena, &text, &err) == 0 && tr_myc_ddl_scan(text, "db", mode, &arena, &ddl, &err) == 0)
		tr_myc_ddl_touches(&ddl, "db", "t");
	tr_arena_release(&arena);
	return 0;
}

#ifdef TR_FUZZ_STANDALONE
int main(int argc, char **argv)
{
	uint8_t *data = malloc(INPUT_MAX_BYTES);

	for (int i = 1; data && i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");
		if (!f) {
			perror(argv[i]);
			free(data);
			return 66;
		}
		size_t size = fread(data, 1, INPUT_MAX_BYTES, f);
		fclose(f);
		LLVMFuzzerTestOneInput(data, size);
	}
	free(data);
	return 0;
}
#endif
