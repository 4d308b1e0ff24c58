/* Events with fields that were encoded before are, byte for byte, the events that are encoded field by field. */
#include "events/avro/encoder.h"
#include "tests/unit/events/fixture.h"

static fx with, without;
static tr_encoder_ops plain_ops;

static void begin(fx *f, const tr_encoder_ops *ops)
{
	tr_registry_options registry = {0};

	fx_init(f);
	f->real_ops = ops;
	ck_assert_int_eq(tr_avro_encoder_ops.open(&f->real, &f->options, &registry, &f->err), 0);
	fx_start(f, 1 << 20);
}

static void emit(fx *f, tr_table *const *tables)
{
	tr_datum row[2], old[2];

	for (int i = 0; i < 200; i++) {
		const tr_table *t = tables[i / 7 % 2];
		tr_change change = fx_change_of(f, i % 5 == 4 ? TR_OP_UPDATE : TR_OP_CREATE, t, NULL);
		change.after = fx_row(row, i % 3 ? ROW("1", "a") : ROW("2", "b"), 2);
		change.before = i % 5 == 4 ? fx_row(old, ROW("1", "c"), 2) : NULL;
		change.mark = (tr_snapshot_mark)(i / 31 % 4);
		change.commit_us += i / 11;
		change.read_ns = INT64_C(1700000001000000000) + i / 13 * 999;
		ck_assert_msg(tr_emitter_change(f->emitter, &change, &f->err) == 0, "%s", f->err.text);
	}
}

static void end(fx *f, tr_table *const *tables)
{
	tr_table_free(tables[0]);
	tr_table_free(tables[1]);
	fx_stop(f);
	tr_avro_encoder_ops.free(f->real);
}

START_TEST(the_same_bytes)
{
	plain_ops = tr_avro_encoder_ops;
	plain_ops.piece = NULL;
	begin(&with, &tr_avro_encoder_ops);
	begin(&without, &plain_ops);
	tr_table *a[] = {fx_table(&with, "t", "id:int!#1@", "b:text"), fx_table(&with, "u", "id:int!#1@", "b:text")};
	tr_table *b[] = {fx_table(&without, "t", "id:int!#1@", "b:text"), fx_table(&without, "u", "id:int!#1@", "b:text")};
	emit(&with, a);
	emit(&without, b);
	ck_assert_uint_eq(with.batch->count, without.batch->count);
	ck_assert_uint_ge(with.batch->count, 200);
	ck_assert(tr_slice_eq(tr_writer_view(&with.batch->bytes), tr_writer_view(&without.batch->bytes)));
	end(&with, a);
	end(&without, b);
}
END_TEST

TEST_MAIN("steady fields", the_same_bytes)
