#include "capture/postgres/postgres.h"

/* The fields of io.debezium.connector.postgresql.Source, version 1, in their order. */
enum { FIELD_COUNT = TR_SRC_OWN + 7 };

static const tr_type *snapshot_type(tr_arena *a)
{
	static const tr_value no = {.kind = TR_V_BYTES, .s = {.ptr = (const uint8_t *)"false", .len = 5}};
	tr_type *t = tr_type_new(a, TR_STRING, "io.debezium.data.Enum", 1);

	if (!t ||
	    tr_type_param(a, t, "allowed",
			  "true,first,first_in_data_collection,last_in_data_collection,last,false,incremental") ||
	    tr_type_default(a, t, &no))
		return NULL;
	t->optional = true;
	return t;
}

const tr_type *tr_pgc_source_type(tr_arena *a)
{
	const tr_type *text = tr_type_new(a, TR_STRING, NULL, 0), *number = tr_type_new(a, TR_INT64, NULL, 0);
	const tr_type *snapshot = snapshot_type(a);

	if (!text || !number || !snapshot)
		return NULL;
	const tr_type *text_or_null = tr_type_optional(a, text, true),
		      *number_or_null = tr_type_optional(a, number, true);
	if (!text_or_null || !number_or_null)
		return NULL;
	const tr_field fields[FIELD_COUNT] = {
	    [TR_SRC_VERSION] = {"version", text},
	    [TR_SRC_CONNECTOR] = {"connector", text},
	    [TR_SRC_NAME] = {"name", text},
	    [TR_SRC_TS_MS] = {"ts_ms", number},
	    [TR_SRC_SNAPSHOT] = {"snapshot", snapshot},
	    [TR_SRC_DB] = {"db", text},
	    [TR_SRC_SEQUENCE] = {"sequence", text_or_null},
	    [TR_SRC_TS_US] = {"ts_us", number_or_null},
	    [TR_SRC_TS_NS] = {"ts_ns", number_or_null},
	    [TR_SRC_OWN] = {"schema", text},
	    {"table", text},
	    {"txId", number_or_null},
	    {"lsn", number_or_null},
	    {"xmin", number_or_null},
	    {"origin", text_or_null},
	    {"origin_lsn", number_or_null},
	};
	return tr_type_struct(a, "io.debezium.connector.postgresql.Source", 1, fields, FIELD_COUNT);
}
