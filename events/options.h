/* Options that decide how events look; named after Debezium's where one exists. Filled by service/config, read when a
 * table is compiled, never per row. Strings are owned by the configuration and outlive the pipeline. */
#ifndef TR_EVENTS_OPTIONS_H
#define TR_EVENTS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { TR_FORMAT_AVRO, TR_FORMAT_JSON } tr_format;
typedef enum { TR_ENVELOPE_DEBEZIUM, TR_ENVELOPE_FLAT } tr_envelope_mode;
typedef enum { TR_DECIMAL_PRECISE, TR_DECIMAL_DOUBLE, TR_DECIMAL_STRING } tr_decimal_mode;
typedef enum {
	TR_TIME_ADAPTIVE,
	TR_TIME_ADAPTIVE_MICROSECONDS,
	TR_TIME_CONNECT,
	TR_TIME_ISOSTRING,
	TR_TIME_MICROSECONDS,
	TR_TIME_NANOSECONDS,
} tr_time_mode;
typedef enum { TR_BINARY_BYTES, TR_BINARY_BASE64, TR_BINARY_BASE64_URL, TR_BINARY_HEX } tr_binary_mode;
typedef enum { TR_INTERVAL_NUMERIC, TR_INTERVAL_STRING } tr_interval_mode;
typedef enum { TR_HSTORE_JSON, TR_HSTORE_MAP } tr_hstore_mode;
typedef enum { TR_UNSIGNED_LONG, TR_UNSIGNED_PRECISE } tr_unsigned_mode; /* MySQL bigint unsigned */
typedef enum { TR_NAMES_NONE, TR_NAMES_AVRO, TR_NAMES_AVRO_UNICODE } tr_names_mode;
typedef enum { TR_HEADERS_SIMPLE, TR_HEADERS_JSON } tr_headers_format; /* SimpleHeaderConverter, JsonConverter */

/* A rule on columns: `pattern` is a regular expression on schema.table.column (database.table.column in MySQL), matched
 * whole and case-insensitively as Debezium does. */
typedef struct tr_column_rule {
	enum {
		TR_COLUMN_EXCLUDE,
		TR_COLUMN_INCLUDE,
		TR_COLUMN_MASK,
		TR_COLUMN_TRUNCATE,
		TR_COLUMN_PROPAGATE_TYPE,
		TR_COLUMN_HASH
	} action;
	const char *pattern;
	uint32_t length; /* MASK: asterisks; TRUNCATE: characters */
	/* HASH: an algorithm of events/digest.h; java: of the value as Java serializes it (Debezium's version 1) */
	const char *algorithm, *salt;
	bool java;
} tr_column_rule;

/* message.key.columns: tables matching `table_pattern` get these key columns. */
typedef struct tr_key_rule {
	const char *table_pattern; /* regular expression on schema.table */
	const char *const *columns;
	size_t column_count;
} tr_key_rule;

typedef struct tr_event_options {
	const char *name;            /* topic prefix, source.name */
	const char *topic_delimiter; /* "." */
	tr_format format;
	bool json_schemas;           /* JSON: {"schema":…,"payload":…} as JsonConverter with schemas.enable */
	tr_envelope_mode envelope;
	tr_decimal_mode decimal;
	tr_time_mode time;
	tr_binary_mode binary;
	tr_interval_mode interval;
	tr_hstore_mode hstore;
	tr_unsigned_mode unsigned_bigint;
	tr_names_mode schema_names, field_names;
	tr_headers_format headers_format;
	bool context_headers;        /* __debezium.context.* on data records */
	bool tombstones;             /* after each delete */
	bool null_as_default;        /* publish the default for NULL, as Debezium does */
	bool unknown_types;          /* include.unknown.datatypes */
	bool carry_all_types;        /* composites, money[] ...: what Debezium drops (off at compatibility debezium-*) */
	bool transaction_metadata;
	bool schema_changes;         /* MySQL, MariaDB: publish DDL on the topic <name> */
	bool schema_comments;        /* MySQL, MariaDB: comments of tables and columns are part of schemas */
	bool skip_unchanged;         /* updates whose published before and after are equal */
	bool skip_create, skip_update, skip_delete, skip_truncate, skip_messages;
	const char *unavailable;     /* placeholder for unchanged TOAST: "__debezium_unavailable_value" */
	uint32_t money_fraction_digits;
	int64_t heartbeat_interval_ms; /* 0 = none */
	const char *heartbeat_prefix;  /* "__debezium-heartbeat" */
	const char *transaction_topic; /* suffix: "transaction" */
	const tr_column_rule *column_rules;
	size_t column_rule_count;
	const tr_key_rule *key_rules;
	size_t key_rule_count;
	const char *connector_task_id; /* "0" */
} tr_event_options;

/* A column as the source describes it, for column.propagate.source.type (the texts are the source's, upper case as JDBC). */
typedef struct tr_source_column {
	const char *type_name;
	int64_t length, scale; /* -1 = none */
	const char *comment;   /* NULL = none, or not asked for (schema_comments) */
} tr_source_column;

#endif
