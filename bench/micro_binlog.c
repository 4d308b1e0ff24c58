/*
 * Measures the decoding of a binary log by itself: a log file is read once and its events are decoded again and again, rows
 * to data and no further. Aim: above 2 million rows per CPU second.
 *     micro_binlog FILE [TIMES]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "decoders/binlog/event.h"

#define MAGIC_BYTES 4

typedef struct counts {
	uint64_t rows, values;
} counts;

static void count_values(counts *c, const tr_datum *data, size_t count)
{
	for (size_t i = 0; data && i < count; i++)
		c->values += data[i].form == TR_D_BINARY;
}

static int on_row(void *context, const tr_bl_event *e, const tr_bl_row *row, tr_err *err)
{
	counts *c = context;

	(void)e;
	(void)err;
	c->rows++;
	count_values(c, row->before, row->table->column_count);
	count_values(c, row->after, row->table->column_count);
	return 0;
}

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The whole file, or nothing. */
static tr_slice read_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = NULL;
	long size = -1;

	if (f && fseek(f, 0, SEEK_END) == 0 && (size = ftell(f)) > 0 && fseek(f, 0, SEEK_SET) == 0)
		bytes = malloc((size_t)size);
	if (bytes && fread(bytes, 1, (size_t)size, f) != (size_t)size) {
		free(bytes);
		bytes = NULL;
	}
	if (f)
		fclose(f);
	return tr_slice_of(bytes, bytes ? (size_t)size : 0);
}

static int decode_file(tr_slice file, counts *c, tr_err *err)
{
	const tr_bl_handler handler = {.row = on_row};
	tr_bl_decoder *d = tr_bl_decoder_new(NULL, &handler, c);
	size_t at = MAGIC_BYTES;
	int result = d ? 0 : tr_err_set(err, TR_E_MEMORY, "no memory for a decoder");

	while (result == 0 && at + 19 <= file.len) {
		tr_bl_event e;

		tr_bl_peek(tr_slice_of(file.ptr + at, file.len - at), &e);
		if (e.size > file.len - at)
			break;
		result = tr_bl_decode(d, tr_slice_of(file.ptr + at, e.size), err);
		at += e.size;
	}
	tr_bl_decoder_free(d);
	return result;
}

int main(int argc, char **argv)
{
	long times = argc > 2 ? strtol(argv[2], NULL, 10) : 10;
	tr_slice file = argc > 1 ? read_file(argv[1]) : tr_slice_of(NULL, 0);
	counts c = {0};
	tr_err err = {0};
	double start_s = cpu_s(), used_s;

	if (file.len == 0) {
		fprintf(stderr, "usage: %s FILE [TIMES]\n", argv[0]);
		return 64;
	}
	for (long i = 0; i < times; i++) {
		if (decode_file(file, &c, &err) != 0) {
			fprintf(stderr, "%s: %s\n", err.text, err.detail);
			return 70;
		}
	}
	used_s = cpu_s() - start_s;
	printf("%.0f rows and %.0f values per CPU second, %.0f MB/s\n", (double)c.rows / used_s, (double)c.values / used_s,
	       (double)file.len * (double)times / 1e6 / used_s);
	free((void *)(uintptr_t)file.ptr);
	return 0;
}
