#include "decoders/binlog/decoder.h"
#include "decoders/binlog/json.h"

#define STATEMENT_END 0x0001
#define PARTIAL_JSON 0x01 /* value option of PARTIAL_UPDATE_ROWS */
#define NO_TABLE UINT64_C(0xffffffffffff) /* a rows event that only ends its statement */

/* What a rows event type means. */
typedef struct form {
	tr_op op; /* 0: no rows event */
	bool extra;   /* v2: more data in the post-header */
	bool packed;  /* MariaDB's compressed ones */
	bool partial;
} form;

static form form_of(uint8_t type)
{
	switch (type) {
	case BL_WRITE_ROWS_V1: return (form){.op = TR_OP_CREATE};
	case BL_UPDATE_ROWS_V1: return (form){.op = TR_OP_UPDATE};
	case BL_DELETE_ROWS_V1: return (form){.op = TR_OP_DELETE};
	case BL_WRITE_ROWS: return (form){.op = TR_OP_CREATE, .extra = true};
	case BL_UPDATE_ROWS: return (form){.op = TR_OP_UPDATE, .extra = true};
	case BL_DELETE_ROWS: return (form){.op = TR_OP_DELETE, .extra = true};
	case BL_PARTIAL_UPDATE_ROWS: return (form){.op = TR_OP_UPDATE, .extra = true, .partial = true};
	case BL_WRITE_ROWS_COMPRESSED_V1: return (form){.op = TR_OP_CREATE, .packed = true};
	case BL_UPDATE_ROWS_COMPRESSED_V1: return (form){.op = TR_OP_UPDATE, .packed = true};
	case BL_DELETE_ROWS_COMPRESSED_V1: return (form){.op = TR_OP_DELETE, .packed = true};
	case BL_WRITE_ROWS_COMPRESSED: return (form){.op = TR_OP_CREATE, .extra = true, .packed = true};
	case BL_UPDATE_ROWS_COMPRESSED: return (form){.op = TR_OP_UPDATE, .extra = true, .packed = true};
	case BL_DELETE_ROWS_COMPRESSED: return (form){.op = TR_OP_DELETE, .extra = true, .packed = true};
	default: return (form){0};
	}
}

/* One of the two images of a rows event: the steps of its present columns, compiled once per event. */
typedef struct image {
	const tr_bl_step *steps;
	size_t count;
	tr_datum *data; /* NULL: the operation has no such image */
} image;

/* A rows event while its rows are walked. */
typedef struct walk {
	tr_bl_cursor *c;
	tr_bl_shape *s;
	form form;
	image before, after;
	const uint8_t *at, *end;
} walk;

static int fail_short(const walk *w, size_t row, tr_err *err)
{
	return tr_bl_fail(w->c, TR_E_DECODE_SHORT, err, "row %zu of table %.*s.%.*s ends too early", row + 1,
	                  (int)w->s->table.database.len, (const char *)w->s->table.database.ptr, (int)w->s->table.name.len,
	                  (const char *)w->s->table.name.ptr);
}

/* The columns that the bitmap names; data of the others get the form `other` here, for all rows. */
static image compile_image(const tr_bl_shape *s, const uint8_t *present, tr_datum_form other, tr_bl_step *steps,
			   tr_datum *data)
{
	image im = {.steps = steps, .data = data};

	for (size_t i = 0; i < s->table.column_count; i++) {
		if (present[i / 8] >> (i % 8) & 1)
			steps[im.count++] = s->steps[i];
		else
			data[i] = (tr_datum){.form = other};
	}
	return im;
}

/* Slow path: a value that has to be unpacked. 0, -1 damaged, -2 no room. */
static int unpack_value(const walk *w, tr_datum *datum)
{
	tr_slice out;
	int result = tr_bl_inflate_value(tr_slice_of(datum->ptr, datum->len), &w->c->d->scratch, &out);

	if (result == 0)
		*datum = (tr_datum){.ptr = out.ptr, .len = (uint32_t)out.len, .form = TR_D_BINARY};
	return result;
}

static inline uint32_t read_prefix(const uint8_t *at, unsigned bytes)
{
	switch (bytes) {
	case 1: return at[0];
	case 2: return (uint32_t)at[0] | (uint32_t)at[1] << 8;
	case 3: return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
	default: return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
	}
}

/* One value at *at, behind its prefix; false when the event ends within it. */
static inline bool take_value(const tr_bl_step *step, const uint8_t **at, const uint8_t *end, tr_datum *out)
{
	const uint8_t *p = *at;
	size_t left = (size_t)(end - p);
	uint32_t bytes = step->bytes;

	if (step->prefix > 0) {
		if (left < step->prefix)
			return false;
		bytes = read_prefix(p, step->prefix);
		p += step->prefix;
		left -= step->prefix;
	}
	if (left < bytes)
		return false;
	*out = (tr_datum){.ptr = p, .len = bytes, .form = TR_D_BINARY};
	*at = p + bytes;
	return true;
}

/* The hot path. -1 short, -2 a damaged packed value, -3 no room to unpack. */
static int walk_image(walk *w, const image *im)
{
	const uint8_t *nulls = w->at, *at = nulls + (im->count + 7) / 8, *end = w->end;

	if ((size_t)(end - nulls) < (im->count + 7) / 8)
		return -1;
	for (size_t i = 0; i < im->count; i++) {
		const tr_bl_step *step = &im->steps[i];
		tr_datum *datum = &im->data[step->column];

		if (nulls[i / 8] >> (i % 8) & 1) {
			*datum = (tr_datum){.form = TR_D_NULL};
			continue;
		}
		if (!take_value(step, &at, end, datum))
			return -1;
		if (__builtin_expect(step->kind == TR_BL_COMPRESSED_STEP, 0)) {
			int result = unpack_value(w, datum);

			if (result != 0)
				return result - 1;
		}
	}
	w->at = at;
	return 0;
}

static int image_error(const walk *w, int result, size_t row, tr_err *err)
{
	if (result == -1)
		return fail_short(w, row, err);
	if (result == -3)
		return tr_bl_too_big(w->c, w->c->d->event_max_bytes, err);
	return tr_bl_fail(w->c, TR_E_DECODE_VALUE, err, "a compressed column in row %zu is damaged", row + 1);
}

/*
 * A JSON column of which only the difference came: put together with the document before. Without that (row images
 * without it: MINIMAL, NOBLOB) the value is not known, and said to be unchanged rather than invented.
 */
static int patch_json(const walk *w, const tr_bl_step *step, tr_err *err)
{
	tr_datum *after = &w->after.data[step->column];
	const tr_datum *before = &w->before.data[step->column];
	tr_slice text;

	if (before->form == TR_D_ABSENT) {
		*after = (tr_datum){.form = TR_D_UNCHANGED};
		return 0;
	}
	if (before->form != TR_D_BINARY)
		return tr_bl_fail(w->c, TR_E_DECODE_VALUE, err, "a difference to a JSON document that is NULL");
	if (tr_bl_json_patch(tr_slice_of(before->ptr, before->len), tr_slice_of(after->ptr, after->len), &w->c->d->scratch, &text,
	                     err) != 0)
		return -1;
	*after = (tr_datum){.ptr = text.ptr, .len = (uint32_t)text.len, .form = TR_D_TEXT};
	return 0;
}

/* The after image of PARTIAL_UPDATE_ROWS: options, a bit for each JSON column of the table, then a usual image. */
static int walk_partial(walk *w, size_t row, tr_err *err)
{
	const uint8_t *bits = NULL;
	size_t bits_bytes = (w->s->json_count + 7) / 8, seen = 0, next = 0;
	uint64_t options;
	tr_reader r;
	int result;

	tr_reader_init(&r, tr_slice_of(w->at, (size_t)(w->end - w->at)));
	options = tr_bl_packed(&r);
	if (options & PARTIAL_JSON)
		bits = tr_reader_take(&r, bits_bytes);
	if (r.failed)
		return fail_short(w, row, err);
	if (options & ~(uint64_t)PARTIAL_JSON)
		return tr_bl_fail(w->c, TR_E_DECODE_UNKNOWN, err, "value options 0x%llx are not known", (unsigned long long)options);
	w->at = r.at;
	result = walk_image(w, &w->after);
	if (result != 0)
		return image_error(w, result, row, err);
	/* The bits count the columns of the table, the steps those of the image. */
	for (size_t i = 0; bits && i < w->s->table.column_count; i++) {
		const tr_bl_step *step = next < w->after.count && w->after.steps[next].column == i ? &w->after.steps[next++] : NULL;

		if (w->s->steps[i].kind != TR_BL_JSON_STEP)
			continue;
		bool partial = bits[seen / 8] >> (seen % 8) & 1;
		seen++;
		if (partial && step && w->after.data[i].form == TR_D_BINARY && patch_json(w, step, err) != 0)
			return -1;
	}
	return 0;
}

static int walk_row(walk *w, size_t row, tr_err *err)
{
	int result;

	if (w->form.partial || w->s->unpacks)
		tr_arena_reset(&w->c->d->scratch);
	if (w->before.data && (result = walk_image(w, &w->before)) != 0)
		return image_error(w, result, row, err);
	if (w->form.partial)
		return walk_partial(w, row, err);
	if (w->after.data && (result = walk_image(w, &w->after)) != 0)
		return image_error(w, result, row, err);
	return 0;
}

static int walk_rows(walk *w, bool statement_end, tr_err *err)
{
	const tr_bl_decoder *d = w->c->d;
	tr_bl_row row = {.op = w->form.op, .table = &w->s->table, .before = w->before.data, .after = w->after.data,
	                 .after_lacks = w->after.data && w->after.count < w->s->table.column_count};

	while (w->at < w->end) {
		const uint8_t *start = w->at;

		if (walk_row(w, row.index, err) != 0)
			return -1;
		/* A row of no columns at all would be there for ever. */
		if (w->at == start)
			return tr_bl_fail(w->c, TR_E_DECODE_PROTOCOL, err, "rows without columns");
		row.statement_end = statement_end && w->at == w->end;
		if (d->handler.row && d->handler.row(d->context, &w->c->e, &row, err) != 0)
			return -1;
		row.index++;
	}
	return 0;
}

/* Table id and flags; the rest of the post-header and v2's extra data are passed over. */
static void read_post(tr_bl_cursor *c, const form *f, uint64_t *id, uint16_t *flags)
{
	size_t known = f->extra ? 10 : 6;
	tr_reader post = tr_bl_post(c, known);
	size_t id_bytes = f->extra || tr_reader_left(&post) >= 8 ? 6 : 4;

	*id = tr_reader_le(&post, (unsigned)id_bytes);
	*flags = (uint16_t)tr_reader_le(&post, 2);
	if (id_bytes == 4 && *id == UINT32_MAX)
		*id = NO_TABLE;
	if (f->extra) {
		size_t extra_bytes = (size_t)tr_reader_le(&post, 2);

		/* It counts its own two bytes. */
		if (extra_bytes < 2)
			tr_reader_fail(&c->r, 2 - extra_bytes);
		else
			tr_reader_bytes(&c->r, extra_bytes - 2);
	}
}

static int read_images(walk *w, tr_err *err)
{
	tr_bl_cursor *c = w->c;
	size_t count = w->s->table.column_count, bitmap_bytes = (count + 7) / 8;
	uint64_t width = tr_bl_packed(&c->r);
	const uint8_t *first, *second = NULL;

	if (!c->r.failed && width != count)
		return tr_bl_fail(c, TR_E_DECODE_PROTOCOL, err, "rows of %llu columns for table %.*s.%.*s, which has %zu",
		                  (unsigned long long)width, (int)w->s->table.database.len,
		                  (const char *)w->s->table.database.ptr, (int)w->s->table.name.len,
		                  (const char *)w->s->table.name.ptr, count);
	first = tr_reader_take(&c->r, bitmap_bytes);
	if (w->form.op == TR_OP_UPDATE)
		second = tr_reader_take(&c->r, bitmap_bytes);
	if (tr_bl_finish(c, err) != 0)
		return -1;
	if (w->form.op != TR_OP_CREATE)
		w->before = compile_image(w->s, first, TR_D_ABSENT, c->d->before_steps, c->d->before);
	/* An update leaves out what it did not change. */
	if (w->form.op == TR_OP_UPDATE)
		w->after = compile_image(w->s, second, TR_D_UNCHANGED, c->d->after_steps, c->d->after);
	else if (w->form.op == TR_OP_CREATE)
		w->after = compile_image(w->s, first, TR_D_ABSENT, c->d->after_steps, c->d->after);
	return 0;
}

static int fail_unsure(const tr_bl_cursor *c, const tr_bl_shape *s, tr_err *err)
{
	tr_bl_fail(c, TR_E_TYPE_UNSUPPORTED, err, "table %.*s.%.*s has temporal columns in MariaDB's old format, whose fraction is "
	           "not known", (int)s->table.database.len, (const char *)s->table.database.ptr, (int)s->table.name.len,
	           (const char *)s->table.name.ptr);
	return tr_err_hint(err, "everything before this transaction is safe; SET GLOBAL mysql56_temporal_format=ON and "
	                        "ALTER TABLE ... FORCE give the table the present format for later changes; a new snapshot "
	                        "takes the ones in between");
}

static int read_table_rows(tr_bl_cursor *c, const form *f, tr_bl_shape *s, bool statement_end, tr_err *err)
{
	walk w = {.c = c, .s = s, .form = *f};
	tr_slice rows;

	if (s->unsure_count > 0)
		return fail_unsure(c, s, err);
	if (read_images(&w, err) != 0)
		return -1;
	rows = tr_slice_of(c->r.at, tr_reader_left(&c->r));
	if (f->packed && tr_bl_inflate_event(c, rows, &rows, err) != 0)
		return -1;
	w.at = rows.ptr;
	w.end = rows.ptr + rows.len;
	return walk_rows(&w, statement_end, err);
}

int tr_bl_read_rows(tr_bl_cursor *c, tr_err *err)
{
	const form f = form_of(c->e.type);
	bool statement_end;
	tr_bl_shape *s;
	uint64_t id;
	uint16_t flags;

	read_post(c, &f, &id, &flags);
	if (tr_bl_finish(c, err) != 0)
		return -1;
	statement_end = (flags & STATEMENT_END) != 0;
	if (id != NO_TABLE) {
		s = tr_bl_find_shape(c->d, id);
		if (!s)
			return tr_bl_fail(c, TR_E_DECODE_PROTOCOL, err, "rows of table number %llu, which no Table_map event of this "
			                  "statement has named", (unsigned long long)id);
		if (s->table.wanted && read_table_rows(c, &f, s, statement_end, err) != 0)
			return -1;
	}
	if (statement_end)
		c->d->statement++;
	return 0;
}
