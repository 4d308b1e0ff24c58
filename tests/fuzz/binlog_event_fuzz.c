/*
 * Fuzzes the events of a binary log: <flavour> <events>. Flavour 'm' is MySQL's, 'M' MariaDB's; the format that begins the
 * log is put before the events, without checksums, and each event is as long as its header says, or as there is input.
 * With libFuzzer (-fsanitize=fuzzer) it has its own main; otherwise (TR_FUZZ_STANDALONE) each file named on the command line
 * is run once, and `-runs=N` mutates them N times in all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "decoders/binlog/event.h"

#define INPUT_MAX ((size_t)1 << 16)
#define EVENT_MAX ((size_t)1 << 20)
#define HEADER_BYTES 19
#define SIZE_AT 9
#define TYPES_MYSQL 42
#define TYPES_MARIADB 172

static volatile size_t sink;

/* Reads every byte, so that a sanitizer sees what is borrowed. */
static void touch(tr_slice s)
{
	size_t sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum += s.ptr[i];
	sink += sum;
}

static void touch_image(const tr_datum *data, size_t count)
{
	for (size_t i = 0; data && i < count; i++)
		if (data[i].form == TR_D_BINARY || data[i].form == TR_D_TEXT)
			touch(tr_slice_of(data[i].ptr, data[i].len));
}

static int on_row(void *context, const tr_bl_event *e, const tr_bl_row *row, tr_err *err)
{
	(void)context;
	(void)e;
	(void)err;
	touch_image(row->before, row->table->column_count);
	touch_image(row->after, row->table->column_count);
	return 0;
}

static int on_table_map(void *context, const tr_bl_event *e, tr_bl_table *table, tr_err *err)
{
	(void)context;
	(void)e;
	touch(table->database);
	touch(table->name);
	for (size_t i = 0; i < table->column_count; i++) {
		const tr_bl_map_column *column = &table->columns[i];

		touch(column->name);
		for (uint32_t v = 0; v < column->value_count; v++)
			touch(column->values[v]);
		if (tr_bl_unsure(table, i) && tr_bl_tell_fraction(table, i, (unsigned)i % 7, err) != 0)
			abort();
	}
	return 0;
}

static int on_query(void *context, const tr_bl_event *e, const tr_bl_query *m, tr_err *err)
{
	(void)context;
	(void)e;
	(void)err;
	touch(m->database);
	touch(m->text);
	return 0;
}

static int on_gtid(void *context, const tr_bl_event *e, const tr_bl_gtid *m, tr_err *err)
{
	(void)context;
	(void)e;
	(void)err;
	touch(m->tag);
	touch(m->xid.gtrid);
	touch(m->xid.bqual);
	return 0;
}

static int on_gtid_list(void *context, const tr_bl_event *e, const tr_bl_gtid_list *m, tr_err *err)
{
	(void)context;
	(void)e;
	(void)err;
	touch(tr_slice_of(m->gtids, m->count * sizeof(*m->gtids)));
	return 0;
}

static int on_text(void *context, const tr_bl_event *e, tr_slice text, tr_err *err)
{
	(void)context;
	(void)e;
	(void)err;
	touch(text);
	return 0;
}

static int on_xa_prepare(void *context, const tr_bl_event *e, const tr_bl_xid *m, bool one_phase, tr_err *err)
{
	(void)context;
	(void)e;
	(void)one_phase;
	(void)err;
	touch(m->gtrid);
	touch(m->bqual);
	return 0;
}

static int on_heartbeat(void *context, const tr_bl_event *e, const tr_bl_heartbeat *m, tr_err *err)
{
	(void)context;
	(void)e;
	(void)err;
	touch(m->file);
	return 0;
}

static int on_incident(void *context, const tr_bl_event *e, const tr_bl_incident *m, tr_err *err)
{
	(void)context;
	(void)e;
	(void)err;
	touch(m->message);
	return 0;
}

/* A copy of exactly its length. false: the decoder is of no further use. */
static bool decode(tr_bl_decoder *d, const uint8_t *event, size_t len)
{
	uint8_t *copy = malloc(len);
	tr_err err = {0};
	int result;

	if (!copy)
		return false;
	memcpy(copy, event, len);
	for (unsigned i = 0; i < 4 && len >= HEADER_BYTES; i++)
		copy[SIZE_AT + i] = (uint8_t)(len >> (8 * i));
	result = tr_bl_decode(d, tr_slice_of(copy, len), &err);
	if ((result != 0) != (err.code != TR_OK))
		abort();
	free(copy);
	return result == 0;
}

static bool decode_format(tr_bl_decoder *d, size_t types)
{
	uint8_t event[HEADER_BYTES + 57 + TYPES_MARIADB + 5] = {[4] = TR_BL_FORMAT_EVENT};
	uint8_t *posts = event + HEADER_BYTES + 57 - 1;

	event[HEADER_BYTES] = 4;
	event[HEADER_BYTES + 56] = HEADER_BYTES;
	posts[2] = 13, posts[4] = 8, posts[18] = 26, posts[19] = 8, posts[26] = 2, posts[39] = 10;
	for (int i = 0; i < 3; i++) {
		posts[23 + i] = 8, posts[30 + i] = 10;
		if (types == TYPES_MARIADB)
			posts[166 + i] = 8, posts[169 + i] = 10;
	}
	if (types == TYPES_MARIADB)
		posts[165] = 13;
	return decode(d, event, HEADER_BYTES + 57 + types + 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const tr_bl_handler handler = {
		.previous_gtids = on_text, .gtid_list = on_gtid_list, .gtid = on_gtid, .query = on_query, .rows_query = on_text,
		.table_map = on_table_map, .row = on_row, .xa_prepare = on_xa_prepare, .heartbeat = on_heartbeat,
		.incident = on_incident};
	const tr_bl_limits limits = {.event_max_bytes = EVENT_MAX, .tables_max = 4};
	tr_bl_decoder *d;
	size_t at = 1;

	if (size < 1 || (data[0] != 'm' && data[0] != 'M'))
		return 0;
	d = tr_bl_decoder_new(&limits, &handler, NULL);
	if (!d || !decode_format(d, data[0] == 'm' ? TYPES_MYSQL : TYPES_MARIADB))
		abort();
	while (at < size) {
		size_t left = size - at, len = left;

		if (left >= HEADER_BYTES)
			len = (size_t)data[at + SIZE_AT] | (size_t)data[at + SIZE_AT + 1] << 8 | (size_t)data[at + SIZE_AT + 2] << 16;
		if (len < HEADER_BYTES || len > left)
			len = left;
		if (!decode(d, data + at, len))
			break;
		at += len;
	}
	tr_bl_decoder_free(d);
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

/* A few bytes changed, most to what lengths and counts like to be, cut out or doubled. */
static size_t mutate(uint8_t *data, size_t size)
{
	static const uint8_t likely[] = {0, 1, 2, 4, 7, 8, 15, 16, 0x7f, 0x80, 251, 252, 253, 254, 255};

	for (unsigned n = 1 + next_random() % 4; n > 0 && size > 1; n--) {
		size_t at = 1 + next_random() % (size - 1), len = 1 + next_random() % 8;

		switch (next_random() % 6) {
		case 0: data[at] = (uint8_t)next_random(); break;
		case 1: case 2: data[at] = likely[next_random() % sizeof(likely)]; break;
		case 3: data[at] ^= (uint8_t)(1u << next_random() % 8); break;
		case 4:
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
	free(data);
	free(copy);
	return result;
}
#endif
