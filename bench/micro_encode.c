/*
 * Nanoseconds to encode one event: a Debezium envelope with before and after of ten columns of mixed types, by the compiled
 * Avro and JSON codecs. Aim for Avro: below 1000.
 *     micro_encode [EVENTS]
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/clock.h"
#include "events/avro/encoder.h"
#include "events/envelope.h"
#include "events/json/encoder.h"

#define BATCH_BYTES ((size_t)1 << 20)
#define COLUMNS 10
#define SOURCE_FIELDS 16

static tr_arena arena;

static tr_type *of(tr_kind kind, const char *name, bool optional)
{
	tr_type *type = tr_type_new(&arena, kind, name, name ? 1 : 0);

	type->optional = optional;
	return type;
}

static const tr_type *source_type(void)
{
	static const struct { const char *name; tr_kind kind; bool optional; } rows[SOURCE_FIELDS] = {
	    {"version", TR_STRING, false}, {"connector", TR_STRING, false}, {"name", TR_STRING, false},
	    {"ts_ms", TR_INT64, false},    {"snapshot", TR_STRING, true},   {"db", TR_STRING, false},
	    {"sequence", TR_STRING, true}, {"ts_us", TR_INT64, true},       {"ts_ns", TR_INT64, true},
	    {"schema", TR_STRING, false},  {"table", TR_STRING, false},     {"txId", TR_INT64, true},
	    {"lsn", TR_INT64, true},       {"xmin", TR_INT64, true},        {"origin", TR_STRING, true},
	    {"origin_lsn", TR_INT64, true}};
	tr_field fields[SOURCE_FIELDS];

	for (size_t i = 0; i < SOURCE_FIELDS; i++)
		fields[i] = (tr_field){rows[i].name, of(rows[i].kind, NULL, rows[i].optional)};
	return tr_type_struct(&arena, "io.debezium.connector.postgresql.Source", 1, fields, SOURCE_FIELDS);
}

static const tr_type *event_type(void)
{
	tr_type *amount = of(TR_BYTES, TR_CONNECT_DECIMAL, true);
	tr_type_param(&arena, amount, "scale", "2");
	tr_type_param(&arena, amount, "connect.decimal.precision", "12");
	const tr_field columns[COLUMNS] = {
	    {"id", of(TR_INT64, NULL, false)},
	    {"customer", of(TR_INT32, NULL, true)},
	    {"status", of(TR_STRING, "io.debezium.data.Enum", true)},
	    {"amount", amount},
	    {"weight", of(TR_FLOAT64, NULL, true)},
	    {"note", of(TR_STRING, NULL, true)},
	    {"paid", of(TR_BOOLEAN, NULL, true)},
	    {"made", of(TR_INT64, "io.debezium.time.MicroTimestamp", true)},
	    {"day", of(TR_INT32, "io.debezium.time.Date", true)},
	    {"token", of(TR_STRING, "io.debezium.data.Uuid", true)},
	};
	tr_type *row = tr_type_struct(&arena, "bench.public.orders.Value", 0, columns, COLUMNS);
	row->optional = true;
	return tr_envelope_type(&arena, "bench.public.orders.Envelope", row, source_type(), tr_envelope_transaction_block(&arena));
}

static void fill_row(tr_value *row, int64_t id)
{
	row[0] = tr_value_int(id);
	row[1] = tr_value_int(id % 1000);
	row[2] = tr_value_text("shipped");
	row[3] = tr_value_bytes("\x01\xe2\x40", 3);
	row[4] = tr_value_float((double)id / 8);
	row[5] = tr_value_text("a note of some forty characters, or so.");
	row[6] = tr_value_bool(id & 1);
	row[7] = tr_value_int(1700000000000000 + id);
	row[8] = tr_value_int(19700);
	row[9] = tr_value_text("0b2f5c1e-7a52-4c6e-9a3c-5d2f1b0c9a77");
}

static void fill_source(tr_value *s, int64_t id)
{
	s[0] = tr_value_text("0.1.0"), s[1] = tr_value_text("postgresql"), s[2] = tr_value_text("bench");
	s[3] = tr_value_int(1700000000000), s[4] = tr_value_text("false"), s[5] = tr_value_text("bench");
	s[6] = tr_value_text("[\"24023128\",\"24023392\"]");
	s[7] = tr_value_int(1700000000000000), s[8] = tr_value_int(1700000000000000000);
	s[9] = tr_value_text("public"), s[10] = tr_value_text("orders");
	s[11] = tr_value_int(750), s[12] = tr_value_int(24023392 + id), s[13] = tr_value_null();
	s[14] = tr_value_null(), s[15] = tr_value_null();
}

static int measure(const tr_encoder_ops *ops, const tr_type *type, int64_t events)
{
	tr_event_options options = {0};
	tr_value before[COLUMNS], after[COLUMNS], source[SOURCE_FIELDS], envelope[TR_ENV_COUNT];
	const tr_codec *codec;
	tr_encoder *encoder;
	tr_writer w;
	tr_err err = {0};
	uint64_t bytes = 0;

	tr_writer_init(&w, BATCH_BYTES);
	if (ops->open(&encoder, &options, NULL, &err) != 0 || ops->compile(encoder, "bench", type, NULL, &codec, &err) != 0)
		goto failed;
	envelope[TR_ENV_BEFORE] = tr_value_list(before, COLUMNS);
	envelope[TR_ENV_AFTER] = tr_value_list(after, COLUMNS);
	envelope[TR_ENV_SOURCE] = tr_value_list(source, SOURCE_FIELDS);
	envelope[TR_ENV_TRANSACTION] = tr_value_null();
	envelope[TR_ENV_OP] = tr_value_text("u");
	envelope[TR_ENV_TS_MS] = tr_value_int(1700000000001);
	envelope[TR_ENV_TS_US] = tr_value_int(1700000000001000);
	envelope[TR_ENV_TS_NS] = tr_value_int(1700000000001000000);
	fill_row(before, 1), fill_row(after, 2), fill_source(source, 1);
	const tr_value value = tr_value_list(envelope, TR_ENV_COUNT);
	int64_t start_us = tr_clock_mono_us();
	for (int64_t i = 0; i < events; i++) {
		after[0].i = i;
		size_t at = w.len;
		if (codec->write(codec, &value, &w, &err) != 0)
			goto failed;
		bytes += w.len - at;
		if (w.len > BATCH_BYTES / 2)
			tr_writer_reset(&w);
	}
	int64_t used_us = tr_clock_mono_us() - start_us;
	printf("%s: %.0f ns per event, %llu bytes each\n", ops->name, (double)used_us * 1000 / (double)events,
	       (unsigned long long)(bytes / (uint64_t)events));
	ops->free(encoder);
	tr_writer_release(&w);
	return 0;
failed:
	fprintf(stderr, "%s: %s %s\n", ops->name, err.text, err.detail);
	tr_writer_release(&w);
	return -1;
}

int main(int argc, char **argv)
{
	int64_t events = argc > 1 ? strtoll(argv[1], NULL, 10) : 1000000;
	int failed = 0;

	tr_arena_init(&arena, (size_t)4 << 20);
	const tr_type *type = event_type();
	failed |= measure(&tr_avro_encoder_ops, type, events > 0 ? events : 1);
	failed |= measure(&tr_json_encoder_ops, type, events > 0 ? events : 1);
	tr_arena_release(&arena);
	return failed ? 70 : 0;
}
