/*
 * Fuzzes the Avro reader: <length of the schema, 2 bytes big-endian> <schema> <body>. With libFuzzer (-fsanitize=fuzzer) it
 * has its own main; otherwise (TR_FUZZ_STANDALONE) each file named on the command line is run once.
 */
#include <stdio.h>
#include <stdlib.h>

#include "events/avro/decode.h"

#define OUTPUT_MAX_BYTES ((size_t)1 << 20)
#define INPUT_MAX_BYTES ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	tr_avro_decoder *d;
	tr_writer w;
	tr_err err = {0};

	if (size < 2)
		return 0;
	size_t schema_len = (size_t)data[0] << 8 | data[1];
	if (schema_len > size - 2)
		schema_len = size - 2;
	tr_slice body = tr_slice_of(data + 2 + schema_len, size - 2 - schema_len);
	if (tr_avro_decoder_new(&d, tr_slice_of(data + 2, schema_len), &err) != 0)
		return 0;
	tr_writer_init(&w, OUTPUT_MAX_BYTES);
	tr_avro_decode(d, body, TR_AVRO_RAW, &w, &err);
	tr_writer_reset(&w);
	tr_avro_decode(d, body, TR_AVRO_PRETTY, &w, &err);
	tr_writer_release(&w);
	tr_avro_decoder_free(d);
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
