#include "events/emitter.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/text.h"
#include "events/internal.h"
#include "events/json/json_text.h"

#define EMITTER_MAGIC 0xe3177e01u
/* What one event may take besides the batch, as a multiple of the largest batch: compound values, rewritten text. */
#define SCRATCH_FACTOR 4
#define KEEP_BYTES     ((size_t)1 << 20)
/* Messages listed one by one in a transaction's END; the rest of them share an entry. */
#define MESSAGES_LISTED 1000

struct tr_emitter {
	uint32_t magic;
	tr_catalogue *c;
	tr_batch *batch;
	tr_arena scratch; /* one event */
	tr_writer text;   /* one message's content as text */
	tr_txn txn;
	tr_steady steady;
	tr_value *before, *after; /* row images, as long as the widest table so far */
	tr_value *old_key, *new_key;
	size_t capacity;
};

/* A piece of the batch: a key, a value, or the text of a header. */
typedef struct part {
	const tr_codec *codec;
	uint32_t at, len;
} part;

static const part absent_part = {.len = TR_ABSENT_LEN};

typedef struct extra_header {
	const char *name;
	part text;
} extra_header;

/* One call of the emitter, with what is needed to undo it. */
typedef struct event {
	tr_emitter *e;
	const tr_change *change;
	const tr_table *table; /* NULL: a record without a table */
	tr_err *err;
	int64_t now_ns;
	size_t records_before, bytes_before;
	bool announced_before;
	unsigned counted, counted_messages;
	unsigned published[2], skipped; /* ops, for the metrics */
	size_t published_count;
	tr_value transaction, transaction_fields[TR_TXN_COUNT];
	char op_text[2];
} event;

static const char new_key_header[] = "__debezium.newkey", old_key_header[] = "__debezium.oldkey";

tr_emitter *tr_emitter_new(tr_catalogue *c)
{
	TR_CHECK_OBJ(c, TR_CATALOGUE_MAGIC);
	tr_emitter *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->magic = EMITTER_MAGIC;
	e->c = c;
	tr_arena_init(&e->scratch, KEEP_BYTES);
	tr_writer_init(&e->text, KEEP_BYTES);
	tr_txn_init(&e->txn);
	tr_steady_init(&e->steady);
	return e;
}

void tr_emitter_free(tr_emitter *e)
{
	if (!e)
		return;
	TR_CHECK_OBJ(e, EMITTER_MAGIC);
	tr_arena_release(&e->scratch);
	tr_writer_release(&e->text);
	tr_txn_release(&e->txn);
	tr_steady_release(&e->steady);
	free(e->before);
	free(e->after);
	free(e->old_key);
	free(e->new_key);
	e->magic = 0;
	free(e);
}

void tr_emitter_batch(tr_emitter *e, tr_batch *batch)
{
	TR_CHECK_OBJ(e, EMITTER_MAGIC);
	e->batch = batch;
	if (!batch)
		return;
	TR_CHECK_OBJ(batch, TR_BATCH_MAGIC);
	batch->headers = e->c->headers;
	batch->header_count = e->c->header_count;
	e->text.max = batch->bytes.max;
	e->scratch.max = batch->bytes.max > SIZE_MAX / SCRATCH_FACTOR ? SIZE_MAX : SCRATCH_FACTOR * batch->bytes.max;
}

/* The name of what an event is about, for messages. */
static const char *subject_of(const event *v)
{
	return v->table ? v->table->collection : "(no table)";
}

static int out_of_memory(const event *v)
{
	return tr_err_set(v->err, TR_E_MEMORY, "out of memory for an event of table \"%s\"", subject_of(v));
}

static int batch_full(const event *v)
{
	tr_err_set(v->err, TR_E_BATCH_LIMIT, "an event of table \"%s\" does not fit into a batch of %zu bytes",
		   subject_of(v), v->e->batch->bytes.max);
	tr_err_detail(v->err, "the batch held %zu records and %zu bytes before it", v->records_before, v->bytes_before);
	return tr_err_hint(v->err,
			   "nothing of the event was published; raise limits.memory, or exclude the large column");
}

/* Beginning and end of a call. */

static void forget_scratch(tr_emitter *e)
{
	/* One huge row must not hold its memory for ever. */
	if (e->scratch.used > KEEP_BYTES)
		tr_arena_release(&e->scratch);
	else
		tr_arena_reset(&e->scratch);
	if (e->text.cap > KEEP_BYTES)
		tr_writer_release(&e->text);
}

static void start(event *v, tr_emitter *e, const tr_change *change, tr_err *err)
{
	TR_CHECK_OBJ(e, EMITTER_MAGIC);
	forget_scratch(e);
	*v = (event){
	    .e = e,
	    .change = change,
	    .table = change ? change->table : NULL,
	    .err = err,
	    .now_ns = change && change->read_ns ? change->read_ns : tr_clock_wall_ns(),
	    .records_before = e->batch ? e->batch->count : 0,
	    .bytes_before = e->batch ? e->batch->bytes.len : 0,
	    .announced_before = e->txn.announced,
	};
}

static void undo(event *v)
{
	tr_emitter *e = v->e;

	while (v->counted > 0) {
		tr_txn_uncount(&e->txn, v->table);
		v->counted--;
	}
	e->txn.total -= v->counted_messages;
	e->txn.messages -= v->counted_messages;
	e->txn.announced = v->announced_before;
	if (!e->batch)
		return;
	e->batch->count = v->records_before;
	e->batch->bytes.len = v->bytes_before;
	e->batch->bytes.failed = false;
}

static tr_metric metric_of(unsigned op)
{
	switch (op) {
	case TR_OP_READ:
		return TR_M_EVENTS_READ;
	case TR_OP_CREATE:
		return TR_M_EVENTS_CREATE;
	case TR_OP_UPDATE:
		return TR_M_EVENTS_UPDATE;
	case TR_OP_DELETE:
		return TR_M_EVENTS_DELETE;
	case TR_OP_TRUNCATE:
		return TR_M_EVENTS_TRUNCATE;
	default:
		return TR_M_EVENTS_MESSAGE;
	}
}

static int finish(event *v, int result)
{
	tr_metrics *metrics = v->e->c->config.metrics;

	if (result != 0) {
		undo(v);
		return -1;
	}
	if (!metrics)
		return 0;
	for (size_t i = 0; i < v->published_count; i++)
		tr_metric_add(metrics, metric_of(v->published[i]), 1);
	if (v->skipped > 0)
		tr_metric_add(metrics, TR_M_EVENTS_SKIPPED, v->skipped);
	return 0;
}

/* Writing into the batch. */

static int write_part(event *v, const tr_codec *codec, const tr_value *value, part *out)
{
	tr_writer *w = &v->e->batch->bytes;
	size_t at = w->len;
	int result = codec->write(codec, value, w, v->err);

	/* Whatever the codec says: when the batch is full, that is the reason. */
	if (!tr_writer_ok(w))
		return batch_full(v);
	if (result != 0)
		return tr_err_prefix(v->err, "table \"%s\"", subject_of(v));
	*out = (part){.codec = codec, .at = (uint32_t)at, .len = (uint32_t)(w->len - at)};
	return 0;
}

static inline int need_codec(event *v, const _Atomic(const tr_codec *) *slot, const tr_topic *topic,
			     const tr_type *type, bool key, const tr_codec **out)
{
	*out = atomic_load_explicit(slot, memory_order_acquire);
	if (__builtin_expect(*out != NULL, 1))
		return 0;
	/* Tables are immutable but for this cache. */
	return tr_catalogue_codec(v->e->c, (_Atomic(const tr_codec *) *)(uintptr_t)slot, topic, type, key, out, v->err);
}

static tr_record *add_record(event *v, tr_topic *topic, const part *key, const part *value, char op)
{
	tr_record *r = tr_batch_add(v->e->batch);

	if (!r) {
		batch_full(v);
		return NULL;
	}
	r->topic = topic;
	r->key_codec = key->codec;
	r->key_at = key->at;
	r->key_len = key->len;
	r->value_codec = value->codec;
	r->value_at = value->at;
	r->value_len = value->len;
	r->op = op;
	r->timestamp_ms = v->now_ns / 1000000;
	return r;
}

static int add_table_record(event *v, const part *key, const part *value, char op, const extra_header *extra)
{
	tr_record *r = add_record(v, v->table->topic, key, value, op);

	if (!r)
		return -1;
	r->shared_headers = v->e->c->header_count > 0;
	if (extra) {
		r->extra_name = extra->name;
		r->extra_at = extra->text.at;
		r->extra_len = extra->text.len;
	}
	return 0;
}

/* A record of its own kind: transaction, heartbeat, message or schema change. Only the last kind has headers. */
static int add_meta_record(event *v, tr_meta_kind *kind, const tr_value *key, const tr_value *value, char op)
{
	const tr_codec *codec;
	part key_part, value_part;

	TR_ASSERT(v->e->batch != NULL);
	if (need_codec(v, &kind->key_codec, kind->topic, kind->types.key, true, &codec) != 0 ||
	    write_part(v, codec, key, &key_part) != 0)
		return -1;
	if (need_codec(v, &kind->value_codec, kind->topic, kind->types.value, false, &codec) != 0 ||
	    write_part(v, codec, value, &value_part) != 0)
		return -1;
	return add_record(v, kind->topic, &key_part, &value_part, op) ? 0 : -1;
}

/* Transactions. */

static int put_status(event *v, const char *status, tr_slice id, tr_value event_count, tr_value collections,
		      int64_t commit_us)
{
	const tr_value key[] = {tr_value_slice(id)};
	const tr_value value[TR_END_COUNT] = {
	    [TR_END_STATUS] = tr_value_text(status),
	    [TR_END_ID] = tr_value_slice(id),
	    [TR_END_EVENT_COUNT] = event_count,
	    [TR_END_COLLECTIONS] = collections,
	    [TR_END_TS_MS] = tr_value_int(commit_us / 1000),
	};
	const tr_value key_list = tr_value_list(key, 1), value_list = tr_value_list(value, TR_END_COUNT);

	return add_meta_record(v, &v->e->c->transaction, &key_list, &value_list, 0);
}

static int put_begin(event *v)
{
	const tr_txn *t = &v->e->txn;

	return put_status(v, "BEGIN", tr_writer_view(&t->id), tr_value_null(), tr_value_null(), t->commit_us);
}

static bool put_collection(event *v, tr_value *out, const char *name, uint64_t events)
{
	tr_value *fields = TR_ARENA_ARRAY(&v->e->scratch, tr_value, 2);

	if (!fields)
		return false;
	fields[0] = tr_value_text(name);
	fields[1] = tr_value_int((int64_t)events);
	*out = tr_value_list(fields, 2);
	return true;
}

/* The data_collections of END. Debezium lists each message as a collection of its own, under the text of a Java object.
 */
static int list_collections(event *v, tr_value *out)
{
	tr_txn *t = &v->e->txn;
	const tr_txn_collection **order = tr_txn_end_order(t, &v->e->scratch);
	uint64_t single = t->messages < MESSAGES_LISTED ? t->messages : MESSAGES_LISTED;
	size_t count = t->touched_count, capacity = count + (size_t)single + 1;
	tr_value *list = order ? TR_ARENA_ARRAY(&v->e->scratch, tr_value, capacity) : NULL;
	const char *message = v->e->c->message.topic->name;
	bool ok = list != NULL;

	for (size_t i = 0; ok && i < count; i++)
		ok = put_collection(v, &list[i], order[i]->name, order[i]->events);
	for (uint64_t i = 0; ok && i < single; i++)
		ok = put_collection(v, &list[count++], message, 1);
	if (ok && t->messages > single)
		ok = put_collection(v, &list[count++], message, t->messages - single);
	if (!ok)
		return out_of_memory(v);
	*out = tr_value_list(list, count);
	return 0;
}

/* Counts an event of the transaction and fills its `transaction` block. */
static int count_event(event *v)
{
	tr_emitter *e = v->e;
	uint64_t order = 1;

	v->transaction = tr_value_null();
	if (!e->c->config.options->transaction_metadata || v->change->txn_id.len == 0)
		return 0;
	if (!e->txn.announced && e->txn.open && !v->change->replayed && put_begin(v) != 0)
		return -1;
	e->txn.announced = true;
	if (v->table) {
		if (tr_txn_count(&e->txn, v->table, &order, v->err) != 0)
			return -1;
		v->counted++;
	} else {
		e->txn.total++;
		e->txn.messages++;
		v->counted_messages++;
	}
	v->transaction_fields[TR_TXN_ID] = tr_value_slice(v->change->txn_id);
	v->transaction_fields[TR_TXN_TOTAL_ORDER] = tr_value_int((int64_t)e->txn.total);
	v->transaction_fields[TR_TXN_COLLECTION_ORDER] = tr_value_int((int64_t)order);
	v->transaction = tr_value_list(v->transaction_fields, TR_TXN_COUNT);
	return 0;
}

int tr_emitter_begin(tr_emitter *e, tr_slice txn_id, int64_t commit_us, tr_err *err)
{
	TR_CHECK_OBJ(e, EMITTER_MAGIC);
	if (!e->c->config.options->transaction_metadata)
		return 0;
	return tr_txn_begin(&e->txn, txn_id, commit_us, err);
}

static int put_end(event *v, tr_slice txn_id, int64_t commit_us)
{
	tr_value collections;

	if (!v->e->txn.announced && put_begin(v) != 0)
		return -1;
	if (list_collections(v, &collections) != 0)
		return -1;
	return put_status(v, "END", txn_id, tr_value_int((int64_t)v->e->txn.total), collections, commit_us);
}

int tr_emitter_commit(tr_emitter *e, tr_slice txn_id, int64_t commit_us, tr_err *err)
{
	event v;

	TR_CHECK_OBJ(e, EMITTER_MAGIC);
	if (!e->c->config.options->transaction_metadata || !e->txn.open)
		return 0;
	start(&v, e, NULL, err);
	if (finish(&v, put_end(&v, txn_id, commit_us)) != 0)
		return -1;
	e->txn.open = false;
	return 0;
}

/* Rows: from data to values. */

static bool grow(tr_value **values, size_t count)
{
	tr_value *more = realloc(*values, count * sizeof(**values));

	if (!more)
		return false;
	*values = more;
	return true;
}

static inline int need_columns(event *v)
{
	tr_emitter *e = v->e;
	size_t count = v->table->column_count;

	if (__builtin_expect(count <= e->capacity, 1))
		return 0;
	if (!grow(&e->before, count) || !grow(&e->after, count) || !grow(&e->old_key, count) ||
	    !grow(&e->new_key, count))
		return out_of_memory(v);
	e->capacity = count;
	return 0;
}

static int null_refused(const event *v, const tr_column *column)
{
	tr_err_set(v->err, TR_E_ENCODE_VALUE, "column \"%s\" of table \"%s\" is NULL where its schema has NOT NULL",
		   column->name, v->table->collection);
	tr_err_detail(v->err, "the row was written before the column became NOT NULL");
	return tr_err_hint(v->err,
			   "nothing of the event was published; events.null_as_default publishes the default instead");
}

static inline bool is_sent(const tr_datum *d)
{
	return d->form == TR_D_TEXT || d->form == TR_D_BINARY;
}

/* One column of a row. other: the old row for a new one, whose unchanged values it may have; or NULL. */
static inline int decode_column(event *v, const tr_column *column, const tr_datum *row, const tr_datum *other,
				tr_value *out)
{
	const tr_datum *d = &row[column->index];

	if (d->form == TR_D_UNCHANGED && other && (is_sent(&other[column->index]) || other[column->index].form == TR_D_NULL))
		d = &other[column->index];
	switch (d->form) {
	case TR_D_TEXT:
	case TR_D_BINARY:
		if (column->decode(column->decode_arg, *d, &v->e->scratch, out, v->err) != 0)
			return tr_err_prefix(v->err, "column \"%s\" of table \"%s\"", column->name,
					     v->table->collection);
		if (out->kind != TR_V_NULL)
			return 0;
		break;
	case TR_D_NULL:
		break;
	case TR_D_UNCHANGED:
		*out = column->unavailable;
		return 0;
	case TR_D_ABSENT:
		*out = column->absent;
		return 0;
	}
	*out = column->null_value;
	if (out->kind == TR_V_NULL && !column->type->optional)
		return null_refused(v, column);
	return 0;
}

static int decode_row(event *v, const tr_datum *row, const tr_datum *other, tr_value *values)
{
	const tr_table *t = v->table;

	for (size_t i = 0; i < t->published_count; i++)
		if (decode_column(v, t->published[i], row, other, &values[i]) != 0)
			return -1;
	return 0;
}

/* values: the row as decoded, or NULL when it was not. */
static int decode_key(event *v, const tr_datum *row, const tr_datum *other, const tr_value *values, tr_value *key)
{
	const tr_table *t = v->table;

	for (size_t i = 0; i < t->key_count; i++) {
		if (values && t->key_slots[i] >= 0)
			key[i] = values[t->key_slots[i]];
		else if (decode_column(v, t->key[i], row, other, &key[i]) != 0)
			return -1;
	}
	return 0;
}

/* 1 when a key column differs, 0 when not. Data are compared as sent; a column that the old row lacks has the value
 * that its `before` would show. */
static int column_changed(event *v, const tr_column *column)
{
	const tr_datum *before = &v->change->before[column->index], *after = &v->change->after[column->index];
	tr_value old_value, new_value;

	if (after->form == TR_D_UNCHANGED)
		return 0;
	if (is_sent(before) && before->form == after->form)
		return before->len != after->len || memcmp(before->ptr, after->ptr, before->len) != 0;
	if (before->form == TR_D_NULL && after->form == TR_D_NULL)
		return 0;
	if (decode_column(v, column, v->change->before, NULL, &old_value) != 0 ||
	    decode_column(v, column, v->change->after, NULL, &new_value) != 0)
		return -1;
	return !tr_value_equal(&old_value, &new_value);
}

static int key_changed(event *v)
{
	int changed = 0;

	for (size_t i = 0; changed == 0 && v->change->before && i < v->table->key_count; i++)
		changed = column_changed(v, v->table->key[i]);
	return changed;
}

/* Rows: from values to records. */

static bool is_skipped(const tr_event_options *options, char op)
{
	switch (op) {
	case TR_OP_CREATE:
		return options->skip_create;
	case TR_OP_UPDATE:
		return options->skip_update;
	case TR_OP_DELETE:
		return options->skip_delete;
	case TR_OP_TRUNCATE:
		return options->skip_truncate || options->envelope == TR_ENVELOPE_FLAT;
	case TR_OP_MESSAGE:
		return options->skip_messages;
	default:
		return false;
	}
}

static tr_value source_value(const event *v)
{
	return tr_value_list(v->change->source->fields, v->e->c->config.source_type->field_count);
}

static tr_value row_value(const event *v, const tr_value *values)
{
	return values ? tr_value_list(values, v->table->published_count) : tr_value_null();
}

static tr_value op_value(event *v, char op)
{
	v->op_text[0] = op;
	return tr_value_bytes(v->op_text, 1);
}

static int write_envelope(event *v, char op, const tr_value *before, const tr_value *after, part *out)
{
	const tr_table *t = v->table;
	const tr_codec *codec;
	tr_value fields[TR_ENV_COUNT] = {
	    [TR_ENV_BEFORE] = row_value(v, before),
	    [TR_ENV_AFTER] = row_value(v, after),
	    [TR_ENV_SOURCE] = source_value(v),
	    [TR_ENV_TRANSACTION] = v->transaction,
	    [TR_ENV_OP] = op_value(v, op),
	};
	const tr_value envelope = tr_value_list(fields, TR_ENV_COUNT);

	if (tr_steady_times(&v->e->steady, v->e->c, v->now_ns, fields, v->err) != 0)
		return -1;
	if (need_codec(v, &t->value_codec, t->topic, t->value_type, false, &codec) != 0)
		return -1;
	return write_part(v, codec, &envelope, out);
}

static int write_flat(event *v, const tr_value *after, part *out)
{
	const tr_table *t = v->table;
	const tr_value row = row_value(v, after);
	const tr_codec *codec;

	*out = absent_part;
	if (!after)
		return 0;
	if (need_codec(v, &t->value_codec, t->topic, t->value_type, false, &codec) != 0)
		return -1;
	return write_part(v, codec, &row, out);
}

static int write_key(event *v, const tr_value *key, part *out)
{
	const tr_table *t = v->table;
	const tr_value list = tr_value_list(key, t->key_count);
	const tr_codec *codec;

	*out = absent_part;
	if (!key || t->key_count == 0)
		return 0;
	if (need_codec(v, &t->key_codec, t->topic, t->key_type, true, &codec) != 0)
		return -1;
	return write_part(v, codec, &list, out);
}

/* The other key of a key change, as the header converter writes it. */
static int write_header(event *v, const char *name, const tr_value *key, extra_header *out)
{
	tr_writer *w = &v->e->batch->bytes;
	const tr_value list = tr_value_list(key, v->table->key_count);
	bool json = v->e->c->config.options->headers_format == TR_HEADERS_JSON;
	size_t at = w->len;
	int result = 0;

	if (json) {
		tr_writer_text(w, "{\"schema\":");
		result = tr_json_schema(v->table->key_type, w, v->err);
		tr_writer_text(w, ",\"payload\":");
	}
	if (result == 0)
		result = tr_json_value(v->table->key_type, &list, w, v->err);
	if (json)
		tr_writer_u8(w, '}');
	if (!tr_writer_ok(w))
		return batch_full(v);
	if (result != 0)
		return tr_err_prefix(v->err, "header %s of table \"%s\"", name, v->table->collection);
	*out = (extra_header){.name = name, .text = {.at = (uint32_t)at, .len = (uint32_t)(w->len - at)}};
	return 0;
}

/* One event: its record, and the tombstone after a delete. header_key: for header_name, or NULL. */
static int put_event(event *v, char op, const tr_value *key, const tr_value *before, const tr_value *after,
		     const char *header_name, const tr_value *header_key)
{
	const tr_event_options *options = v->e->c->config.options;
	bool flat = options->envelope == TR_ENVELOPE_FLAT;
	extra_header extra = {0};
	part key_part, value_part;

	if (!v->e->c->config.skips_changes && is_skipped(options, op)) {
		v->skipped++;
		return 0;
	}
	if (count_event(v) != 0)
		return -1;
	if (v->change->replayed)
		return 0;
	TR_ASSERT(v->e->batch != NULL);
	if (write_key(v, key, &key_part) != 0 || (header_key && write_header(v, header_name, header_key, &extra) != 0))
		return -1;
	if ((flat ? write_flat(v, after, &value_part) : write_envelope(v, op, before, after, &value_part)) != 0)
		return -1;
	if (add_table_record(v, &key_part, &value_part, op, header_key ? &extra : NULL) != 0)
		return -1;
	v->published[v->published_count++] = (unsigned char)op;
	if (op != TR_OP_DELETE || flat || !options->tombstones)
		return 0;
	return add_table_record(v, &key_part, &absent_part, op, header_key ? &extra : NULL);
}

static int emit_new_row(event *v)
{
	tr_emitter *e = v->e;

	if (decode_row(v, v->change->after, NULL, e->after) != 0 ||
	    decode_key(v, v->change->after, NULL, e->after, e->new_key) != 0)
		return -1;
	return put_event(v, (char)v->change->op, e->new_key, NULL, e->after, NULL, NULL);
}

static int emit_delete(event *v)
{
	tr_emitter *e = v->e;
	const tr_datum *before = v->change->before;

	if (decode_row(v, before, NULL, e->before) != 0 || decode_key(v, before, NULL, e->before, e->old_key) != 0)
		return -1;
	return put_event(v, TR_OP_DELETE, e->old_key, e->before, NULL, NULL, NULL);
}

/* A changed key is a delete under the old and a create under the new one, which name each other. */
static int emit_key_change(event *v)
{
	tr_emitter *e = v->e;

	if (put_event(v, TR_OP_DELETE, e->old_key, e->before, NULL, new_key_header, e->new_key) != 0)
		return -1;
	return put_event(v, TR_OP_CREATE, e->new_key, NULL, e->after, old_key_header, e->old_key);
}

/* What is published of the row is what it was: only columns that are left out, or hidden by a rule, have changed. */
static bool rows_equal(const event *v)
{
	for (size_t i = 0; i < v->table->published_count; i++)
		if (!tr_value_equal(&v->e->before[i], &v->e->after[i]))
			return false;
	return true;
}

static int emit_update(event *v)
{
	tr_emitter *e = v->e;
	const tr_datum *before = v->change->before, *after = v->change->after;
	int changed = key_changed(v);

	if (changed < 0)
		return -1;
	if (before && decode_row(v, before, NULL, e->before) != 0)
		return -1;
	if (decode_row(v, after, before, e->after) != 0 || decode_key(v, after, before, e->after, e->new_key) != 0)
		return -1;
	/* Also when the key has changed, as Debezium: it can only be one whose columns the row does not show. */
	if (v->e->c->config.options->skip_unchanged && before && rows_equal(v)) {
		v->skipped++;
		return 0;
	}
	if (!changed)
		return put_event(v, TR_OP_UPDATE, e->new_key, before ? e->before : NULL, e->after, NULL, NULL);
	if (decode_key(v, before, NULL, e->before, e->old_key) != 0)
		return -1;
	return emit_key_change(v);
}

/* The content as the binary mode has it; base64 and hexadecimal text live in the emitter until the next event. */
static int message_content(event *v, tr_value *out)
{
	tr_writer *w = &v->e->text;
	tr_slice content = v->change->message_content;

	tr_writer_reset(w);
	switch (v->e->c->config.options->binary) {
	case TR_BINARY_BYTES:
		*out = tr_value_slice(content);
		return 0;
	case TR_BINARY_BASE64:
		tr_text_base64(w, content);
		break;
	case TR_BINARY_BASE64_URL:
		tr_text_base64_url(w, content);
		break;
	case TR_BINARY_HEX:
		tr_text_hex(w, content);
		break;
	}
	*out = tr_value_slice(tr_writer_view(w));
	return tr_writer_ok(w) ? 0 : batch_full(v);
}

static int put_message(event *v)
{
	const tr_value key[] = {tr_value_slice(v->change->message_prefix)};
	tr_value message[] = {tr_value_slice(v->change->message_prefix), tr_value_null()};

	if (message_content(v, &message[1]) != 0)
		return -1;
	const tr_value value[TR_MSG_COUNT] = {
	    [TR_MSG_OP] = op_value(v, TR_OP_MESSAGE),
	    [TR_MSG_TS_MS] = tr_value_int(v->now_ns / 1000000),
	    [TR_MSG_SOURCE] = source_value(v),
	    [TR_MSG_TRANSACTION] = v->transaction,
	    [TR_MSG_MESSAGE] = tr_value_list(message, 2),
	};
	const tr_value key_list = tr_value_list(key, 1), value_list = tr_value_list(value, TR_MSG_COUNT);

	if (add_meta_record(v, &v->e->c->message, &key_list, &value_list, TR_OP_MESSAGE) != 0)
		return -1;
	v->published[v->published_count++] = TR_OP_MESSAGE;
	return 0;
}

static int emit_message(event *v)
{
	if (is_skipped(v->e->c->config.options, TR_OP_MESSAGE)) {
		v->skipped++;
		return 0;
	}
	if (count_event(v) != 0)
		return -1;
	return v->change->replayed ? 0 : put_message(v);
}

/* Not counted in the transaction: Debezium's DDL is no event of one. */
static int emit_schema(event *v)
{
	const tr_schema_change *change = v->change->schema;
	tr_meta_kind *kind = &v->e->c->schema_change;
	const tr_value key[] = {tr_value_text(change->database)};
	tr_value value[TR_DDL_COUNT] = {
	    [TR_DDL_SOURCE] = source_value(v),
	    [TR_DDL_TS_MS] = tr_value_int(v->now_ns / 1000000),
	    [TR_DDL_DATABASE] = tr_value_text(change->database),
	    [TR_DDL_SCHEMA] = tr_value_null(),
	    [TR_DDL_TEXT] = tr_value_slice(change->ddl),
	};
	const tr_value key_list = tr_value_list(key, 1), value_list = tr_value_list(value, TR_DDL_COUNT);

	if (!v->e->c->config.options->schema_changes || v->change->replayed)
		return 0;
	if (!tr_envelope_table_changes(&v->e->scratch, change, &value[TR_DDL_CHANGES]))
		return out_of_memory(v);
	if (add_meta_record(v, kind, &key_list, &value_list, TR_OP_SCHEMA) != 0)
		return -1;
	v->e->batch->records[v->e->batch->count - 1].shared_headers = v->e->c->header_count > 0;
	return 0;
}

static int images_missing(const event *v)
{
	return tr_err_set(v->err, TR_E_DECODE_PROTOCOL, "a change \"%c\" of table \"%s\" came without its row",
			  (char)v->change->op, v->table->collection);
}

static int emit_row(event *v)
{
	const tr_change *change = v->change;

	TR_CHECK_OBJ(v->table, TR_TABLE_MAGIC);
	/* Otherwise put_event asks for each record: of a key update it may skip the delete, say. */
	if (v->e->c->config.skips_changes && is_skipped(v->e->c->config.options, (char)change->op)) {
		v->skipped++;
		return 0;
	}
	if (need_columns(v) != 0)
		return -1;
	switch (change->op) {
	case TR_OP_READ:
	case TR_OP_CREATE:
		return change->after ? emit_new_row(v) : images_missing(v);
	case TR_OP_UPDATE:
		return change->after ? emit_update(v) : images_missing(v);
	case TR_OP_DELETE:
		return change->before ? emit_delete(v) : images_missing(v);
	default:
		return put_event(v, TR_OP_TRUNCATE, NULL, NULL, NULL, NULL, NULL);
	}
}

int tr_emitter_change(tr_emitter *e, const tr_change *change, tr_err *err)
{
	event v;

	start(&v, e, change, err);
	if (tr_steady_source(&e->steady, e->c, change, err) != 0)
		return finish(&v, -1);
	if (change->op == TR_OP_SCHEMA)
		return finish(&v, emit_schema(&v));
	return finish(&v, change->op == TR_OP_MESSAGE ? emit_message(&v) : emit_row(&v));
}

int tr_emitter_heartbeat(tr_emitter *e, tr_err *err)
{
	event v;

	start(&v, e, NULL, err);
	const tr_value key[] = {tr_value_text(e->c->config.options->name)};
	const tr_value value[] = {tr_value_int(v.now_ns / 1000000)};
	const tr_value key_list = tr_value_list(key, 1), value_list = tr_value_list(value, 1);

	return finish(&v, add_meta_record(&v, &e->c->heartbeat, &key_list, &value_list, 0));
}
