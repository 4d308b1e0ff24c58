#include "capture/mysql/mysql.h"

/* The fields of io.debezium.connector.mysql.Source (and mariadb.Source), version 1, in their order. */
enum { FIELD_COUNT = TR_MYC_SRC_QUERY + 1 };

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

static const tr_type *source_type(tr_arena *a, const char *name)
{
	const tr_type *text = tr_type_new(a, TR_STRING, NULL, 0), *number = tr_type_new(a, TR_INT64, NULL, 0);
	const tr_type *snapshot = snapshot_type(a), *row = tr_type_new(a, TR_INT32, NULL, 0);

	if (!text || !number || !snapshot || !row)
		return NULL;
	const tr_type *text_or_null = tr_type_optional(a, text, true), *number_or_null = tr_type_optional(a, number, true);
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
	    [TR_MYC_SRC_TABLE] = {"table", text_or_null},
	    [TR_MYC_SRC_SERVER_ID] = {"server_id", number},
	    [TR_MYC_SRC_GTID] = {"gtid", text_or_null},
	    [TR_MYC_SRC_FILE] = {"file", text},
	    [TR_MYC_SRC_POS] = {"pos", number},
	    [TR_MYC_SRC_ROW] = {"row", row},
	    [TR_MYC_SRC_THREAD] = {"thread", number_or_null},
	    [TR_MYC_SRC_QUERY] = {"query", text_or_null},
	};
	return tr_type_struct(a, name, 1, fields, FIELD_COUNT);
}

const tr_type *tr_myc_source_type_mysql(tr_arena *arena)
{
	return source_type(arena, "io.debezium.connector.mysql.Source");
}

const tr_type *tr_myc_source_type_mariadb(tr_arena *arena)
{
	return source_type(arena, "io.debezium.connector.mariadb.Source");
}
