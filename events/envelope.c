#include "events/envelope.h"

#define COMMON        "io.debezium.connector.common."
#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

static const tr_type *scalar(tr_arena *a, tr_kind kind)
{
	return tr_type_new(a, kind, NULL, 0);
}

static const tr_type *optional(tr_arena *a, tr_kind kind)
{
	tr_type *type = tr_type_new(a, kind, NULL, 0);

	if (type)
		type->optional = true;
	return type;
}

static const tr_type *optional_of(tr_type *type)
{
	if (type)
		type->optional = true;
	return type;
}

const tr_type *tr_envelope_transaction_block(tr_arena *a)
{
	const tr_field fields[TR_TXN_COUNT] = {
	    [TR_TXN_ID] = {"id", scalar(a, TR_STRING)},
	    [TR_TXN_TOTAL_ORDER] = {"total_order", scalar(a, TR_INT64)},
	    [TR_TXN_COLLECTION_ORDER] = {"data_collection_order", scalar(a, TR_INT64)},
	};

	return optional_of(tr_type_struct(a, "event.block", 1, fields, COUNT(fields)));
}

const tr_type *tr_envelope_type(tr_arena *a, const char *name, const tr_type *row, const tr_type *source,
				const tr_type *block)
{
	const tr_field fields[TR_ENV_COUNT] = {
	    [TR_ENV_BEFORE] = {"before", row},
	    [TR_ENV_AFTER] = {"after", row},
	    [TR_ENV_SOURCE] = {"source", source},
	    [TR_ENV_TRANSACTION] = {"transaction", block},
	    [TR_ENV_OP] = {"op", scalar(a, TR_STRING)},
	    [TR_ENV_TS_MS] = {"ts_ms", optional(a, TR_INT64)},
	    [TR_ENV_TS_US] = {"ts_us", optional(a, TR_INT64)},
	    [TR_ENV_TS_NS] = {"ts_ns", optional(a, TR_INT64)},
	};

	return tr_type_struct(a, name, 2, fields, COUNT(fields));
}

bool tr_envelope_transaction(tr_arena *a, tr_record_types *out)
{
	const tr_field key[] = {{"id", scalar(a, TR_STRING)}};
	const tr_field collection[] = {
	    {"data_collection", scalar(a, TR_STRING)},
	    {"event_count", scalar(a, TR_INT64)},
	};
	const tr_type *item = optional_of(tr_type_struct(a, "event.collection", 1, collection, COUNT(collection)));
	const tr_field value[TR_END_COUNT] = {
	    [TR_END_STATUS] = {"status", scalar(a, TR_STRING)},
	    [TR_END_ID] = {"id", scalar(a, TR_STRING)},
	    [TR_END_EVENT_COUNT] = {"event_count", optional(a, TR_INT64)},
	    [TR_END_COLLECTIONS] = {"data_collections", optional_of(tr_type_array(a, item))},
	    [TR_END_TS_MS] = {"ts_ms", scalar(a, TR_INT64)},
	};

	out->key = tr_type_struct(a, COMMON "TransactionMetadataKey", 1, key, COUNT(key));
	out->value = tr_type_struct(a, COMMON "TransactionMetadataValue", 1, value, COUNT(value));
	return out->key && out->value;
}

bool tr_envelope_heartbeat(tr_arena *a, tr_record_types *out)
{
	const tr_field key[] = {{"serverName", scalar(a, TR_STRING)}};
	const tr_field value[] = {{"ts_ms", scalar(a, TR_INT64)}};

	out->key = tr_type_struct(a, COMMON "ServerNameKey", 1, key, COUNT(key));
	out->value = tr_type_struct(a, COMMON "Heartbeat", 1, value, COUNT(value));
	return out->key && out->value;
}

static const tr_type *message_struct(tr_arena *a, const char *name_space, const char *name, int version,
				     const tr_field *fields, size_t count)
{
	const char *full = tr_arena_format(a, "io.debezium.connector.%s.%s", name_space, name);

	return full ? tr_type_struct(a, full, version, fields, count) : NULL;
}

bool tr_envelope_message(tr_arena *a, const char *connector, const tr_event_options *options, const tr_type *source,
			 const tr_type *block, tr_record_types *out)
{
	const tr_field key[] = {{"prefix", optional(a, TR_STRING)}};
	const tr_field message[] = {
	    {"prefix", optional(a, TR_STRING)},
	    {"content", optional(a, options->binary == TR_BINARY_BYTES ? TR_BYTES : TR_STRING)},
	};
	/* The connector's word is "postgresql", and so is its name space; MySQL and MariaDB have no such messages. */
	const tr_field value[TR_MSG_COUNT] = {
	    [TR_MSG_OP] = {"op", scalar(a, TR_STRING)},
	    [TR_MSG_TS_MS] = {"ts_ms", optional(a, TR_INT64)},
	    [TR_MSG_SOURCE] = {"source", source},
	    [TR_MSG_TRANSACTION] = {"transaction", block},
	    [TR_MSG_MESSAGE] = {"message", message_struct(a, connector, "Message", 1, message, COUNT(message))},
	};

	out->key = message_struct(a, connector, "MessageKey", 1, key, COUNT(key));
	out->value = message_struct(a, connector, "MessageValue", 1, value, COUNT(value));
	return out->key && out->value;
}

const char *tr_snapshot_mark_text(tr_snapshot_mark mark)
{
	static const char *const texts[] = {
	    [TR_MARK_NONE] = "false",
	    [TR_MARK_TRUE] = "true",
	    [TR_MARK_FIRST] = "first",
	    [TR_MARK_FIRST_IN_TABLE] = "first_in_data_collection",
	    [TR_MARK_LAST_IN_TABLE] = "last_in_data_collection",
	    [TR_MARK_LAST] = "last",
	    [TR_MARK_INCREMENTAL] = "incremental",
	};

	return texts[mark];
}
