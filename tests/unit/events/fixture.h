/*
 * A peer of the formats for tests of this room: a codec that writes values as readable text, tables made by hand, and
 * records rendered as one line each:
 *
 *     srv.inv.t K{id:4} V{before:-,after:{id:44,name:four},source:{...},...} newkey={"id":44} +ctx
 *
 * "-" is null, a missing part is not shown, a part that is null shows as "K-" or "V-". Clocks (ts_*) are left out.
 */
#ifndef TR_TESTS_UNIT_EVENTS_FIXTURE_H
#define TR_TESTS_UNIT_EVENTS_FIXTURE_H

#include <pthread.h>
#include <stdio.h>

#include "events/emitter.h"
#include "events/envelope.h"
#include "tests/unit/test.h"

/* The recording format. */

typedef struct fx_codec {
	tr_codec base; /* first */
	const tr_type *type;
	char subject[300];
} fx_codec;

typedef struct fx_encoder {
	tr_encoder base; /* first */
	pthread_mutex_t lock;
	fx_codec *codecs[64];
	size_t count;
	int fail_writes_from; /* the n-th write fails, from 1; 0 = none */
	_Atomic(int) writes;
	bool clocks; /* show ts_* */
	tr_err_code compile_error;
} fx_encoder;

static fx_encoder *fx_current;

static inline void fx_render(const tr_type *type, const tr_value *v, tr_writer *w);

static inline void fx_render_list(const tr_type *type, const tr_value *v, tr_writer *w)
{
	bool first = true;

	tr_writer_u8(w, type->kind == TR_STRUCT ? '{' : '[');
	for (uint32_t i = 0; i < v->count; i++) {
		const tr_type *item = type->kind == TR_STRUCT ? type->fields[i].type : type->item;
		if (type->kind == TR_STRUCT && !fx_current->clocks && strncmp(type->fields[i].name, "ts_", 3) == 0)
			continue;
		if (!first)
			tr_writer_u8(w, ',');
		first = false;
		if (type->kind == TR_STRUCT)
			tr_writer_format(w, "%s:", type->fields[i].name);
		fx_render(item, &v->list[i], w);
	}
	tr_writer_u8(w, type->kind == TR_STRUCT ? '}' : ']');
}

static inline void fx_render(const tr_type *type, const tr_value *v, tr_writer *w)
{
	switch (v->kind) {
	case TR_V_NULL:
		ck_assert_msg(type->optional, "null for a required %s", type->name ? type->name : "field");
		tr_writer_u8(w, '-');
		return;
	case TR_V_BOOL:
		tr_writer_text(w, v->i ? "true" : "false");
		return;
	case TR_V_INT:
		tr_writer_decimal_i64(w, v->i);
		return;
	case TR_V_FLOAT:
		tr_writer_format(w, "%g", v->f);
		return;
	case TR_V_BYTES:
		if (type->kind == TR_BYTES)
			tr_writer_u8(w, 'x');
		for (size_t i = 0; type->kind == TR_BYTES && i < v->s.len; i++)
			tr_writer_format(w, "%02x", v->s.ptr[i]);
		if (type->kind == TR_STRING)
			tr_writer_slice(w, v->s);
		return;
	case TR_V_LIST:
		ck_assert_uint_eq(type->kind == TR_STRUCT ? type->field_count : v->count, v->count);
		fx_render_list(type, v, w);
		return;
	case TR_V_ENCODED:
		ck_abort_msg("this format has no pieces");
	}
}

static inline int fx_write(const tr_codec *codec, const tr_value *v, tr_writer *w, tr_err *err)
{
	const fx_codec *c = (const fx_codec *)(const void *)codec;

	if (++fx_current->writes == fx_current->fail_writes_from) {
		tr_writer_text(w, "half");
		return tr_err_set(err, TR_E_ENCODE_VALUE, "field \"x\" cannot be written");
	}
	fx_render(c->type, v, w);
	return 0;
}

/* With the lock held: the codec of an equal type under the subject, or a new one. */
static inline const tr_codec *fx_codec_of(fx_encoder *x, const char *subject, const tr_type *type)
{
	for (size_t i = 0; i < x->count; i++)
		if (strcmp(x->codecs[i]->subject, subject) == 0 && tr_type_equal(x->codecs[i]->type, type))
			return &x->codecs[i]->base;
	ck_assert_uint_lt(x->count, 64);
	fx_codec *c = calloc(1, sizeof(*c));
	c->type = type;
	snprintf(c->subject, sizeof(c->subject), "%s", subject);
	c->base = (tr_codec){.magic = TR_CODEC_MAGIC, .subject = c->subject, .schema = "", .write = fx_write};
	x->codecs[x->count++] = c;
	return &c->base;
}

static inline int fx_compile(tr_encoder *e, const char *subject, const tr_type *type, const volatile bool *stop,
			     const tr_codec **out, tr_err *err)
{
	fx_encoder *x = (fx_encoder *)(void *)e;

	(void)stop;
	if (x->compile_error != TR_OK)
		return tr_err_set(err, x->compile_error, "the registry says no");
	pthread_mutex_lock(&x->lock);
	*out = fx_codec_of(x, subject, type);
	pthread_mutex_unlock(&x->lock);
	return 0;
}

static const tr_encoder_ops fx_ops = {.name = "recording", .compile = fx_compile};

/* Values of columns. */

static inline int fx_decode_int(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	int64_t n = 0;

	(void)arg;
	(void)scratch;
	for (uint32_t i = 0; i < in.len; i++) {
		if (in.ptr[i] < '0' || in.ptr[i] > '9')
			return tr_err_set(err, TR_E_DECODE_VALUE, "a value is no integer");
		n = 10 * n + (in.ptr[i] - '0');
	}
	*out = tr_value_int(n);
	return 0;
}

static inline int fx_decode_text(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	(void)arg;
	(void)scratch;
	(void)err;
	*out = tr_value_bytes(in.ptr, in.len);
	return 0;
}

/* A column in short: "name:int!" (! required), ":text", ":bytes"; then =default, #rank in the primary key, @ in the
 * identity. */
static inline tr_column fx_column(tr_arena *a, uint16_t index, const char *text)
{
	char name[100], type_name[20];
	tr_column c = {.index = index};
	const char *rest = strchr(text, ':');
	int used = 0;

	snprintf(name, sizeof(name), "%.*s", (int)(rest - text), text);
	ck_assert_int_eq(sscanf(rest, ":%19[a-z]%n", type_name, &used), 1);
	rest += used;
	c.name = tr_arena_strdup(a, name);
	tr_type *type = tr_type_new(a,
				    strcmp(type_name, "int") == 0    ? TR_INT32
				    : strcmp(type_name, "text") == 0 ? TR_STRING
								     : TR_BYTES,
				    NULL, 0);
	type->optional = true;
	c.decode = type->kind == TR_INT32 ? fx_decode_int : fx_decode_text;
	for (; *rest; rest++) {
		tr_value d;
		if (*rest == '!') {
			type->optional = false;
			c.required = true;
		} else if (*rest == '#') {
			c.key_rank = (uint16_t)(*++rest - '0');
		} else if (*rest == '@') {
			c.identity = true;
		} else if (*rest == '=') {
			d = type->kind == TR_INT32 ? tr_value_int(strtol(rest + 1, NULL, 10)) : tr_value_text(rest + 1);
			ck_assert_int_eq(tr_type_default(a, type, &d), 0);
			break;
		}
	}
	if (type->kind != TR_INT32)
		c.unavailable = tr_value_text("__debezium_unavailable_value");
	c.type = type;
	return c;
}

/* The pipeline around an emitter. */

typedef struct fx {
	tr_event_options options;
	bool skips_changes;
	fx_encoder encoder;
	tr_arena types;
	tr_metrics metrics;
	tr_catalogue *catalogue;
	tr_emitter *emitter;
	tr_batch_pool *pool;
	tr_batch *batch;
	tr_source_block source;
	size_t seen; /* records shown by fx_take */
	tr_writer shown;
	tr_err err;
	const tr_source_column *source_columns; /* of the next table */
	bool identity_full;
	/* a real format instead of the recording one; set before fx_start */
	const tr_encoder_ops *real_ops;
	tr_encoder *real;
	const tr_type *(*real_source)(tr_arena *a);
} fx;

static inline const tr_type *fx_source_type(tr_arena *a)
{
	tr_type *optional_text = tr_type_optional(a, tr_type_new(a, TR_STRING, NULL, 0), true);
	tr_type *text = tr_type_new(a, TR_STRING, NULL, 0), *number = tr_type_new(a, TR_INT64, NULL, 0);
	const tr_field fields[] = {
	    {"version", text}, {"connector", text},         {"name", text},    {"ts_ms", number}, {"snapshot", text},
	    {"db", text},      {"sequence", optional_text}, {"ts_us", number}, {"ts_ns", number}, {"lsn", number}};

	return tr_type_struct(a, "io.debezium.connector.postgresql.Source", 1, fields, 10);
}

/* Defaults of all options; change f->options, then fx_start. */
static inline void fx_init(fx *f)
{
	memset(f, 0, sizeof(*f));
	f->options = (tr_event_options){.name = "srv",
					.topic_delimiter = ".",
					.format = TR_FORMAT_AVRO,
					.schema_names = TR_NAMES_AVRO,
					.context_headers = true,
					.tombstones = true,
					.unavailable = "__debezium_unavailable_value",
					.heartbeat_prefix = "__debezium-heartbeat",
					.transaction_topic = "transaction",
					.connector_task_id = "0"};
}

static inline void fx_start(fx *f, size_t batch_bytes)
{
	tr_catalogue_config config = {.options = &f->options,
				      .encoder_ops = &fx_ops,
				      .encoder = &f->encoder.base,
				      .connector = "postgresql",
				      .database = "golden",
				      .skips_changes = f->skips_changes,
				      .version = "1.0",
				      .metrics = &f->metrics};

	fx_current = &f->encoder;
	pthread_mutex_init(&f->encoder.lock, NULL);
	f->encoder.base = (tr_encoder){.magic = TR_ENCODER_MAGIC, .ops = &fx_ops};
	tr_arena_init(&f->types, 1 << 20);
	if (f->real_ops) {
		config.encoder_ops = f->real_ops;
		config.encoder = f->real;
	}
	config.source_type = f->real_source ? f->real_source(&f->types) : fx_source_type(&f->types);
	ck_assert_int_eq(tr_catalogue_new(&f->catalogue, &config, &f->err), 0);
	f->emitter = tr_emitter_new(f->catalogue);
	f->pool = tr_batch_pool_new(2, batch_bytes);
	f->batch = tr_batch_take(f->pool, 0);
	tr_emitter_batch(f->emitter, f->batch);
	tr_writer_init(&f->shown, 1 << 20);
}

static inline void fx_stop(fx *f)
{
	tr_emitter_free(f->emitter);
	tr_catalogue_free(f->catalogue);
	tr_batch_put_back(f->batch);
	tr_batch_pool_free(f->pool);
	tr_writer_release(&f->shown);
	for (size_t i = 0; i < f->encoder.count; i++)
		free(f->encoder.codecs[i]);
	tr_arena_release(&f->types);
}

/* -1 leaves f->err. columns end with NULL. */
static inline int fx_compile_table(fx *f, const char *schema, const char *name, const char *const *columns,
				   tr_table **out)
{
	tr_arena a;
	tr_column list[16];
	tr_table_spec spec = {.source_id = 1,
			      .database = "golden",
			      .schema = schema,
			      .name = name,
			      .namespace_name = schema,
			      .columns = list,
			      .source_columns = f->source_columns,
			      .identity_full = f->identity_full};
	int result;

	tr_arena_init(&a, 1 << 20);
	for (; columns[spec.column_count]; spec.column_count++)
		list[spec.column_count] = fx_column(&a, (uint16_t)spec.column_count, columns[spec.column_count]);
	result = tr_table_compile(f->catalogue, &a, &spec, out, &f->err);
	tr_arena_release(&a); /* empty when the table took it over */
	return result;
}

#define fx_table(f, name, ...) fx_table_of((f), (name), (const char *const[]){__VA_ARGS__, NULL})
static inline tr_table *fx_table_of(fx *f, const char *name, const char *const *columns)
{
	tr_table *t = NULL;

	ck_assert_msg(fx_compile_table(f, "inv", name, columns, &t) == 0, "%s", f->err.text);
	return t;
}

/* Data in short: NULL-terminated texts; "\1" NULL, "\2" unchanged, "\3" absent. */
#define NUL       "\1"
#define UNCHANGED "\2"
#define ABSENT    "\3"
#define ROW(...)  ((const char *const[]){__VA_ARGS__})

static inline const tr_datum *fx_row(tr_datum *out, const char *const *texts, size_t count)
{
	for (size_t i = 0; texts && i < count; i++) {
		uint8_t c = (uint8_t)texts[i][0];
		out[i] =
		    (tr_datum){.ptr = (const uint8_t *)texts[i], .len = (uint32_t)strlen(texts[i]), .form = TR_D_TEXT};
		if (c >= 1 && c <= 3)
			out[i] = (tr_datum){.form = c == 1 ? TR_D_NULL : c == 2 ? TR_D_UNCHANGED : TR_D_ABSENT};
	}
	return texts ? out : NULL;
}

static inline tr_change fx_change_of(fx *f, tr_op op, const tr_table *t, const char *txn_id)
{
	f->source.fields[TR_SRC_OWN] = tr_value_int(77);
	return (tr_change){
	    .op = op, .table = t, .source = &f->source, .commit_us = 1700000000123456, .txn_id = tr_slice_str(txn_id)};
}

static inline int fx_try_txn(fx *f, tr_op op, const tr_table *t, const char *const *before, const char *const *after,
			     const char *txn_id, bool replayed)
{
	tr_datum old_row[16], new_row[16];
	tr_change change = fx_change_of(f, op, t, txn_id);

	change.before = fx_row(old_row, before, t->column_count);
	change.after = fx_row(new_row, after, t->column_count);
	change.replayed = replayed;
	return tr_emitter_change(f->emitter, &change, &f->err);
}

static inline void fx_emit(fx *f, tr_op op, const tr_table *t, const char *const *before, const char *const *after)
{
	ck_assert_msg(fx_try_txn(f, op, t, before, after, NULL, false) == 0, "%s", f->err.text);
}

static inline void fx_emit_txn(fx *f, tr_op op, const tr_table *t, const char *const *before, const char *const *after,
			       const char *txn_id)
{
	ck_assert_msg(fx_try_txn(f, op, t, before, after, txn_id, false) == 0, "%s", f->err.text);
}

static inline void fx_render_record(const fx *f, const tr_record *r, tr_writer *w)
{
	tr_slice key = tr_record_key(f->batch, r), value = tr_record_value(f->batch, r);

	ck_assert((r->key_len == TR_ABSENT_LEN) == (r->key_codec == NULL));
	ck_assert((r->value_len == TR_ABSENT_LEN) == (r->value_codec == NULL));
	ck_assert_int_gt(r->timestamp_ms, 1600000000000);
	tr_writer_format(w, "%s K", r->topic->name);
	tr_writer_slice(w, r->key_codec ? key : tr_slice_str("-"));
	tr_writer_text(w, " V");
	tr_writer_slice(w, r->value_codec ? value : tr_slice_str("-"));
	if (r->extra_name) {
		tr_writer_format(w, " %s=", r->extra_name);
		tr_writer_put(w, f->batch->bytes.data + r->extra_at, r->extra_len);
	}
	if (r->shared_headers)
		tr_writer_text(w, " +ctx");
	tr_writer_u8(w, '\n');
}

/* The records since the last call. */
static inline const char *fx_take(fx *f)
{
	tr_writer_reset(&f->shown);
	for (; f->seen < f->batch->count; f->seen++)
		fx_render_record(f, &f->batch->records[f->seen], &f->shown);
	tr_writer_u8(&f->shown, '\0');
	return (const char *)f->shown.data;
}

#define SOURCE(snapshot)                                                                                               \
	"source:{version:1.0,connector:postgresql,name:srv,snapshot:" snapshot ",db:golden,sequence:-,lsn:77}"
#define ENVELOPE(op, before, after) "{before:" before ",after:" after "," SOURCE("false") ",transaction:-,op:" op "}"
#define ENVELOPE_TXN(op, before, after, id, total, order)                                                              \
	"{before:" before ",after:" after "," SOURCE("false") ",transaction:{id:" id ",total_order:" total             \
							      ",data_collection_order:" order "},op:" op "}"

#endif
