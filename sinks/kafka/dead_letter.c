/*
 * sink.oversize: dead_letter — in place of a record that is too large a note goes to the dead letter topic, one JSON object
 * without a key:
 *   {"topic":…, "op":"u", "size":bytes, "limit":bytes, "timestamp_ms":n, "position":{…}|null,
 *    "key_size":bytes|null, "key_base64":…, "key_truncated":bool, "value_size":bytes|null, "value_base64":…, "value_truncated":bool}
 * key and value are as they would have been sent, cut to their first bytes: the note has to fit where the record did not. The
 * position is the one its batch ends with. With the key the row can be read again from its table.
 */
#include "core/text.h"
#include "sinks/kafka/kafka.h"

#define KEY_HEAD_BYTES (16u << 10)
#define VALUE_HEAD_BYTES (32u << 10)
#define NOTE_BYTES_MAX (256u << 10)

static void put_number(tr_writer *w, const char *name, uint64_t value)
{
	tr_writer_format(w, ",\"%s\":%llu", name, (unsigned long long)value);
}

static void put_head(tr_writer *w, const char *name, tr_slice bytes, bool absent, size_t max)
{
	if (absent) {
		tr_writer_format(w, ",\"%s_size\":null", name);
		return;
	}
	bool cut = bytes.len > max;
	tr_writer_format(w, ",\"%s_size\":%zu,\"%s_base64\":\"", name, bytes.len, name);
	tr_text_base64(w, tr_slice_of(bytes.ptr, cut ? max : bytes.len));
	tr_writer_format(w, "\",\"%s_truncated\":%s", name, cut ? "true" : "false");
}

static void put_note(tr_writer *w, const tr_batch *batch, const tr_record *r)
{
	tr_writer_text(w, "{\"topic\":\"");
	tr_text_json_escape(w, tr_slice_str(r->topic->name));
	tr_writer_text(w, "\",\"op\":");
	if (r->op)
		tr_writer_format(w, "\"%c\"", r->op);
	else
		tr_writer_text(w, "null");
	put_number(w, "size", tr_kafka_record_bytes(batch, r));
	put_number(w, "limit", tr_kafka_handle_of(r)->limit_bytes);
	tr_writer_format(w, ",\"timestamp_ms\":%lld,\"position\":", (long long)r->timestamp_ms);
	if (batch->position.len > 0)
		tr_writer_slice(w, tr_writer_view(&batch->position));
	else
		tr_writer_text(w, "null");
	put_head(w, "key", tr_record_key(batch, r), r->key_len == TR_ABSENT_LEN, KEY_HEAD_BYTES);
	put_head(w, "value", tr_record_value(batch, r), r->value_len == TR_ABSENT_LEN, VALUE_HEAD_BYTES);
	tr_writer_u8(w, '}');
}

int tr_kafka_dead_letter(tr_kafka_sink *s, tr_batch *batch, const tr_record *r, rd_kafka_resp_err_t *queue, tr_err *err)
{
	tr_writer w;
	int result = -1;

	tr_writer_init(&w, NOTE_BYTES_MAX);
	put_note(&w, batch, r);
	if (!tr_writer_ok(&w)) {
		tr_err_set(err, TR_E_MEMORY, "the dead letter of topic \"%s\" could not be built", r->topic->name);
		goto out;
	}
	rd_kafka_message_t m = {.payload = w.data, .len = w.len, ._private = batch};
	rd_kafka_produce_batch(s->dead_letter->rkt, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, &m, 1);
	*queue = m.err;
	if (s->metrics && m.err == RD_KAFKA_RESP_ERR_NO_ERROR)
		tr_metric_add(s->metrics, TR_M_DEAD_LETTERS, 1);
	result = 0;
out:
	tr_writer_release(&w);
	return result;
}
