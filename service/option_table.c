#include "service/option.h"

#define AT(member) .at = offsetof(tr_settings, member), .width = sizeof(((tr_settings *)0)->member)
#define COUNTED(member, count_member) AT(member), .count_at = offsetof(tr_settings, count_member)
#define STRING TR_OPTION_STRING
#define CHOICE TR_OPTION_CHOICE
#define ENUM TR_OPTION_ENUM
#define BOOL TR_OPTION_BOOL
#define INT TR_OPTION_INT
#define SIZE TR_OPTION_SIZE
#define DURATION TR_OPTION_DURATION
#define LIST TR_OPTION_LIST
#define PATTERNS TR_OPTION_PATTERNS
#define MAP TR_OPTION_MAP
#define SPECIAL TR_OPTION_SPECIAL
#define ONE_OF(...) .choices = (const char *const[]){__VA_ARGS__, NULL}

/* The order of each ONE_OF of an ENUM is the order of its C enum. */
const tr_option tr_options[] = {
{"name", STRING, NULL, AT(pipeline.name), .flags = TR_OPTION_OWN, .flag = "--name", .debezium = "topic.prefix",
 .example = "shop",
 .help = "Topic prefix, key of the stored state, source.name. Default: the database's name, when source.url has one."},

{"delivery", ENUM, "exactly_once", AT(pipeline.delivery), ONE_OF("at_least_once", "exactly_once"), .flag = "--delivery",
 .help = "exactly_once: Kafka transactions; sinks without transactions deliver at least once."},

{"source.url", STRING, NULL, AT(pipeline.source.url), .flags = TR_OPTION_OWN, .flag = "--source",
 .example = "\"postgres://cdc:${PGPASSWORD:-}@db:5432/shop?sslmode=verify-full\"",
 .help = "Where the changes come from: postgres://, mysql:// or mariadb://USER@HOST:PORT/DATABASE. PostgreSQL's is read by libpq, "
         "so PGPASSWORD, the password file and service files work as in psql; for the others there is MYSQL_PWD."},
{"source.tables", LIST, NULL, COUNTED(pipeline.source.tables, pipeline.source.table_count), .flags = TR_OPTION_OWN,
 .flag = "--tables", .example = "[\"public.*\", \"!public.audit_*\"]",
 .help = "Globs on schema.table; a leading ! excludes. Default: all user tables."},
{"source.table_include", PATTERNS, NULL, AT(pipeline.source.table_include), .flags = TR_OPTION_OWN,
 .debezium = "table.include.list",
 .help = "Regular expressions, matched whole: capture only these schema.table. For continuing a Debezium connector."},
{"source.table_exclude", PATTERNS, NULL, AT(pipeline.source.table_exclude), .flags = TR_OPTION_OWN,
 .debezium = "table.exclude.list", .help = "Regular expressions, matched whole: capture all schema.table but these."},
{"source.schema_include", PATTERNS, NULL, AT(pipeline.source.schema_include), .flags = TR_OPTION_OWN,
 .debezium = "schema.include.list", .help = "Regular expressions, matched whole: capture only these schemas."},
{"source.schema_exclude", PATTERNS, NULL, AT(pipeline.source.schema_exclude), .flags = TR_OPTION_OWN,
 .debezium = "schema.exclude.list", .help = "Regular expressions, matched whole: capture all schemas but these."},
{"source.slot", STRING, NULL, AT(pipeline.source.slot), .flags = TR_OPTION_OWN, .flag = "--slot", .debezium = "slot.name",
 .example = "tailrace_shop", .help = "Replication slot. Default: tailrace_<name>."},
{"source.publication", STRING, NULL, AT(pipeline.source.publication), .flags = TR_OPTION_OWN, .flag = "--publication",
 .debezium = "publication.name", .example = "tailrace_shop", .help = "Publication. Default: tailrace_<name>."},
{"source.publication_mode", CHOICE, "tables", AT(pipeline.source.publication_mode), ONE_OF("tables", "all_tables"),
 .flags = TR_OPTION_OWN, .debezium = "publication.autocreate.mode",
 .help = "What a publication made here covers: the captured tables, or all (FOR ALL TABLES needs a superuser; then nothing "
         "of a table made later is missed)."},
{"source.create", BOOL, "true", AT(pipeline.source.create),
 .help = "Make the slot and the publication when they are missing. false: use what is there."},
{"source.failover", BOOL, "false", AT(pipeline.source.failover), .debezium = "slot.failover",
 .help = "Make the slot a failover slot (PostgreSQL 17 and later)."},
{"source.binary", BOOL, "true", AT(pipeline.source.binary), .debezium = NULL,
 .help = "Read the stream in PostgreSQL's binary form when all types of the captured tables allow it."},
{"source.publish_via_root", BOOL, "false", AT(pipeline.source.publish_via_root), .debezium = "publish.via.partition.root",
 .help = "Publish changes of partitions as changes of the partitioned table."},
{"source.messages", BOOL, "true", AT(pipeline.source.messages),
 .help = "Read logical messages (pg_logical_emit_message) and publish them to <name>.message."},
{"source.origin", CHOICE, "any", AT(pipeline.source.origin), ONE_OF("any", "none"),
 .help = "none: leave out changes that were replicated into the source (PostgreSQL 16 and later)."},
{"source.server_id", INT, "0", AT(pipeline.source.server_id), .min = 0, .max = UINT32_MAX, .flags = TR_OPTION_OWN,
 .debezium = "database.server.id", .example = "5401",
 .help = "MySQL, MariaDB: our number as a replica, unique among the server's replicas. 0: made from the name."},
{"source.include_query", BOOL, "false", AT(pipeline.source.include_query), .debezium = "include.query",
 .help = "MySQL, MariaDB: the text of the statement in source.query, where the server logs it (MySQL: "
         "binlog_rows_query_log_events, MariaDB: binlog_annotate_row_events)."},
{"source.signal_table", STRING, NULL, AT(pipeline.source.signal_table), .flags = TR_OPTION_OWN,
 .debezium = "signal.data.collection", .example = "public.debezium_signal",
 .help = "Table (schema.table) whose inserted rows are commands."},
{"source.signal_chunk_rows", INT, "1024", AT(pipeline.source.signal_chunk_rows), .min = 1, .max = 1000000,
 .debezium = "incremental.snapshot.chunk.size", .help = "Rows of one chunk of an incremental snapshot."},
{"source.connect_timeout", DURATION, "10s", AT(pipeline.source.connect_timeout_ms), .min = 100, .max = 600000,
 .help = "How long one attempt to connect may take."},
{"source.status_interval", DURATION, "10s", AT(pipeline.source.status_interval_ms), .min = 100, .max = 600000,
 .debezium = "status.update.interval.ms", .help = "How often the position is reported to the server at least."},
{"source.receive_timeout", DURATION, "60s", AT(pipeline.source.receive_timeout_ms), .min = 1000, .max = 3600000,
 .help = "The connection counts as dead after this long without a sign of life."},
{"source.retry_delay_max", DURATION, "30s", AT(pipeline.source.retry_max_ms), .min = 10, .max = 3600000,
 .debezium = "retriable.restart.connector.wait.ms",
 .help = "Longest pause between two attempts to reach the source; pauses double up to it."},
{"source.retry_for", DURATION, "10m", AT(pipeline.source.retry_total_ms), .min = 0, .max = INT64_MAX / 1000,
 .help = "Give up (exit status 69) after this long without success. 0: never."},

{"snapshot.mode", ENUM, "initial", AT(pipeline.source.snapshot_mode), ONE_OF("initial", "never", "only", "when_needed", "no_data"),
 .flag = "--snapshot", .debezium = "snapshot.mode",
 .help = "initial: all rows once, then the changes. never: changes only, from where the slot stands, or from now. only: all "
         "rows, then end. when_needed: as initial, and again when the stored position is lost. "
         "no_data: as never, but MySQL and MariaDB begin with the shapes of the tables (events.schema_changes)."},
{"snapshot.readers", INT, "2", AT(pipeline.source.snapshot_readers), .min = 1, .max = 16, .debezium = "snapshot.max.threads",
 .help = "Connections that read tables in parallel."},
{"snapshot.split", SIZE, "256MiB", AT(pipeline.source.snapshot_split_bytes), .min = 1 << 20, .max = INT64_MAX,
 .help = "Tables larger than this are read in several parts."},
{"snapshot.as_debezium", BOOL, "false", AT(pipeline.source.snapshot_as_debezium),
 .help = "Read partitioned tables and their partitions both, and generated columns, too, as Debezium's snapshot does. false: "
         "the snapshot holds exactly the tables and columns of the stream."},

{"events.format", ENUM, "avro", AT(pipeline.events.format), ONE_OF("avro", "json"), .flag = "--format",
 .help = "avro needs a registry, or a file sink. Default: avro, but json when the sink is stdout."},
{"events.json_schemas", BOOL, "false", AT(pipeline.events.json_schemas), .debezium = "value.converter.schemas.enable",
 .help = "json: wrap each record as {\"schema\":...,\"payload\":...}."},
{"events.envelope", ENUM, "debezium", AT(pipeline.events.envelope), ONE_OF("debezium", "flat"),
 .help = "debezium: before, after, source, op. flat: the row itself, and a tombstone for a delete."},
{"events.compatibility", ENUM, "debezium-3.5", AT(compatibility), ONE_OF("debezium-3.5", "latest"),
 .help = "Whose conventions the events follow. latest also carries types that Debezium leaves out (composites, money[], "
         "interval[] and others)."},
{"events.registry.url", STRING, NULL, AT(pipeline.registry.url), .flag = "--registry",
 .debezium = "value.converter.schema.registry.url", .example = "http://registry:8081",
 .help = "Schema registry with Confluent's interface."},
{"events.registry.user", STRING, NULL, AT(pipeline.registry.user), .example = "tailrace", .help = "User for basic authentication."},
{"events.registry.password", STRING, NULL, AT(pipeline.registry.password), .flags = TR_OPTION_SECRET,
 .example = "\"${file:/run/secrets/registry}\"", .help = "Password for basic authentication."},
{"events.registry.bearer_token", STRING, NULL, AT(pipeline.registry.bearer_token), .flags = TR_OPTION_SECRET,
 .help = "Token for bearer authentication."},
{"events.registry.ca_file", STRING, NULL, AT(pipeline.registry.ca_file), .help = "Certificates to trust, PEM. Default: the system's."},
{"events.registry.cert_file", STRING, NULL, AT(pipeline.registry.cert_file), .help = "Client certificate, PEM."},
{"events.registry.key_file", STRING, NULL, AT(pipeline.registry.key_file), .help = "Key of the client certificate, PEM."},
{"events.registry.auto_register", BOOL, "true", AT(pipeline.registry.auto_register),
 .debezium = "value.converter.auto.register.schemas",
 .help = "Register new schemas. false: only look them up, and stop when one is missing."},
{"events.registry.timeout", DURATION, "10s", AT(pipeline.registry.timeout_ms), .min = 100, .max = 600000,
 .help = "How long one request may take."},
{"events.registry.retry_for", DURATION, "2m", AT(pipeline.registry.retry_ms), .min = 0, .max = 86400000,
 .help = "How long a request is repeated while the registry is unavailable."},
{"events.decimal", ENUM, "precise", AT(pipeline.events.decimal), ONE_OF("precise", "double", "string"),
 .debezium = "decimal.handling.mode", .help = "How numeric values are published."},
{"events.time", ENUM, "adaptive", AT(pipeline.events.time),
 ONE_OF("adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"),
 .debezium = "time.precision.mode", .help = "How date, time and timestamp values are published."},
{"events.binary", ENUM, "bytes", AT(pipeline.events.binary), ONE_OF("bytes", "base64", "base64-url-safe", "hex"),
 .debezium = "binary.handling.mode", .help = "How binary values are published."},
{"events.interval", ENUM, "numeric", AT(pipeline.events.interval), ONE_OF("numeric", "string"),
 .debezium = "interval.handling.mode", .help = "How interval values are published: microseconds, or an ISO 8601 text."},
{"events.hstore", ENUM, "json", AT(pipeline.events.hstore), ONE_OF("json", "map"), .debezium = "hstore.handling.mode",
 .help = "How hstore values are published."},
{"events.unsigned_bigint", ENUM, "long", AT(pipeline.events.unsigned_bigint), ONE_OF("long", "precise"),
 .debezium = "bigint.unsigned.handling.mode", .help = "How MySQL's BIGINT UNSIGNED is published."},
{"events.money_fraction_digits", INT, "2", AT(pipeline.events.money_fraction_digits), .min = 0, .max = 30,
 .debezium = "money.fraction.digits", .help = "Digits after the point of money values."},
{"events.schema_names", ENUM, "avro", AT(pipeline.events.schema_names), ONE_OF("none", "avro", "avro_unicode"),
 .debezium = "schema.name.adjustment.mode",
 .help = "How schema names are made valid for Avro. none stops at a name that is not (Debezium's default)."},
{"events.field_names", ENUM, "none", AT(pipeline.events.field_names), ONE_OF("none", "avro", "avro_unicode"),
 .debezium = "field.name.adjustment.mode", .help = "How column names are made valid for Avro."},
{"events.tombstones", BOOL, "true", AT(pipeline.events.tombstones), .debezium = "tombstones.on.delete",
 .help = "Publish a tombstone after each delete, so that compaction removes the key."},
{"events.null_as_default", BOOL, "false", AT(pipeline.events.null_as_default),
 .help = "Publish a column's default where its value is NULL, as Debezium does. Only for continuing its topics."},
{"events.unknown_types", BOOL, "false", AT(pipeline.events.unknown_types), .debezium = "include.unknown.datatypes",
 .help = "Publish columns of types without a rule as bytes."},
{"events.unavailable", STRING, "__debezium_unavailable_value", AT(pipeline.events.unavailable),
 .debezium = "unavailable.value.placeholder", .help = "Stands for a large value that the source did not send because it did not change."},
{"events.skip", SPECIAL, "[truncate]", .parse = tr_option_parse_skip, .debezium = "skipped.operations",
 .help = "Operations that are not published: create, update, delete, truncate, message, or none."},
{"events.skip_unchanged", BOOL, "false", AT(pipeline.events.skip_unchanged), .debezium = "skip.messages.without.change",
 .help = "Do not publish updates that change no published column. PostgreSQL sends what to compare with under REPLICA IDENTITY FULL only."},
{"events.columns", SPECIAL, NULL, .parse = tr_option_parse_columns, .flags = TR_OPTION_OWN,
 .debezium = "column.*", .example = "[{exclude: public.users.password}, {mask: public.users.card, length: 4}]",
 .help = "Rules on columns, each a regular expression on schema.table.column, matched whole: exclude, include, mask (length "
         "asterisks), hash (algorithm, salt: lower-case digits of the digest, cut to the column's length; version 1: of the value as Java "
         "serializes it), truncate (length characters), propagate_type. Mask, hash and truncate on a column that is not text are "
         "refused: they would hide nothing."},
{"events.key_columns", SPECIAL, NULL, .parse = tr_option_parse_key_columns, .flags = TR_OPTION_OWN,
 .debezium = "message.key.columns", .example = "[{table: public.log, columns: [day, number]}]",
 .help = "Keys other than the primary key: a regular expression on schema.table and the columns."},
{"events.context_headers", BOOL, "false", AT(pipeline.events.context_headers), .debezium = "extended.headers.enabled",
 .help = "Add the headers __debezium.context.* to data records (some 190 bytes each)."},
{"events.headers_format", ENUM, "simple", AT(pipeline.events.headers_format), ONE_OF("simple", "json"),
 .debezium = "header.converter", .help = "How header values are written: as SimpleHeaderConverter or as JsonConverter does."},
{"events.connector_task_id", STRING, "0", AT(pipeline.events.connector_task_id), .help = "Value of the header __debezium.context.taskId."},
{"events.transaction_metadata", BOOL, "false", AT(pipeline.events.transaction_metadata),
 .debezium = "provide.transaction.metadata", .help = "Number the events of a transaction, and publish its begin and end."},
{"events.schema_changes", BOOL, "true", AT(pipeline.events.schema_changes), .debezium = "include.schema.changes",
 .help = "MySQL and MariaDB: publish DDL statements, with the shape of the table afterwards, on the topic <name>."},
{"events.schema_comments", BOOL, "false", AT(pipeline.events.schema_comments), .debezium = "include.schema.comments",
 .help = "MySQL and MariaDB: comments of columns are part of the schemas, those of tables of schema changes."},
{"events.transaction_topic", STRING, "transaction", AT(pipeline.events.transaction_topic), .debezium = "topic.transaction",
 .help = "Last part of the transaction topic's name."},
{"events.topic_delimiter", STRING, ".", AT(pipeline.events.topic_delimiter), .debezium = "topic.delimiter",
 .help = "Between the parts of a topic's name."},
{"events.heartbeat.interval", DURATION, "0", AT(pipeline.events.heartbeat_interval_ms), .min = 0, .max = 86400000,
 .debezium = "heartbeat.interval.ms", .help = "How often a heartbeat record is published. 0: never."},
{"events.heartbeat.prefix", STRING, "__debezium-heartbeat", AT(pipeline.events.heartbeat_prefix),
 .debezium = "topic.heartbeat.prefix", .help = "First part of the heartbeat topic's name."},

{"sink.url", STRING, NULL, AT(pipeline.sink.url), .flag = "--sink", .example = "kafka://broker:9092",
 .help = "kafka://host:port[,host:port], file:DIR, or stdout."},
{"sink.properties", MAP, NULL, COUNTED(pipeline.sink.properties, pipeline.sink.property_count),
 .example = "{compression.type: lz4}", .help = "Properties of librdkafka, passed through."},
{"sink.topics.create", BOOL, "true", AT(pipeline.sink.create_topics), .help = "Make missing topics."},
{"sink.topics.partitions", INT, "-1", AT(pipeline.sink.partitions), .min = -1, .max = 100000,
 .debezium = "topic.creation.default.partitions", .help = "Partitions of new topics. -1: the broker's default."},
{"sink.topics.replication", INT, "-1", AT(pipeline.sink.replication), .min = -1, .max = 100,
 .debezium = "topic.creation.default.replication.factor", .help = "Replicas of new topics. -1: the broker's default."},
{"sink.topics.cleanup_policy", CHOICE, NULL, AT(pipeline.sink.cleanup_policy), ONE_OF("delete", "compact", "compact,delete"),
 .debezium = "topic.creation.default.cleanup.policy", .example = "compact", .help = "Of new topics. Default: the broker's."},
{"sink.topics.properties", MAP, NULL, COUNTED(pipeline.sink.topic_properties, pipeline.sink.topic_property_count),
 .debezium = "topic.creation.default.*", .example = "{retention.ms: -1}", .help = "Further properties of new topics."},
{"sink.oversize", ENUM, "stop", AT(pipeline.sink.oversize), ONE_OF("stop", "dead_letter"),
 .help = "What happens to a record above the broker's limit: stop, naming table, key and size, or a dead letter."},
{"sink.dead_letter_topic", STRING, NULL, AT(pipeline.sink.dead_letter_topic), .example = "shop.dead_letter",
 .help = "Where dead letters go. Default: <name>.dead_letter."},
{"sink.roll.bytes", SIZE, "256MiB", AT(pipeline.sink.roll_bytes), .min = 1024, .max = INT64_MAX,
 .help = "file: a file is closed and made visible at this size."},
{"sink.roll.interval", DURATION, "60s", AT(pipeline.sink.roll_ms), .min = 100, .max = INT64_MAX / 1000,
 .help = "file: a file is closed and made visible after this time."},
{"sink.file_codec", CHOICE, "null", AT(pipeline.sink.file_codec), ONE_OF("null", "deflate"),
 .help = "file: compression of Avro blocks."},

{"transaction.interval", DURATION, "500ms", AT(pipeline.transaction_interval_ms), .min = 1, .max = 60000,
 .help = "exactly_once: a transaction is committed after this time while there is more to read; at once when not."},
{"transaction.bytes", SIZE, "64MiB", AT(pipeline.transaction_bytes), .min = 4096, .max = INT64_MAX,
 .help = "exactly_once: a transaction is committed when it holds this much, rather at the end of a source transaction."},
{"transaction.timeout", DURATION, "60s", AT(pipeline.transaction_timeout_ms), .min = 1000, .max = 900000,
 .help = "exactly_once: the brokers abort a transaction that is open for longer (transaction.max.timeout.ms is their limit)."},
{"transaction.atomic", BOOL, "false", AT(pipeline.transaction_atomic),
 .help = "exactly_once: a source transaction is never spread over several transactions of the sink; it has to fit into "
         "transaction.timeout."},

{"state.url", STRING, NULL, AT(pipeline.state_url), .flag = "--state", .example = "file:/var/lib/tailrace",
 .help = "Where the position is kept: file:DIR (SQLite), or kafka, kafka:TOPIC, kafka://HOST:PORT/TOPIC (a compacted topic, "
         "made if it is missing; default tailrace-state; brokers and login of the sink unless others are named). With "
         "exactly_once and a Kafka sink it is in that topic in any case, and file:DIR keeps a copy. Default: "
         "/var/lib/tailrace when this user can write there, else $XDG_STATE_HOME/tailrace or ~/.local/state/tailrace."},
{"state.interval", DURATION, "1s", AT(pipeline.state_interval_ms), .min = 0, .max = 60000,
 .help = "Save the position at most once in this time: what a crash repeats at least once. With exactly_once each transaction saves it."},

{"limits.memory", SIZE, "64MiB", AT(pipeline.memory_bytes), .min = 4 << 20, .max = (int64_t)1 << 40,
 .help = "Memory of a pipeline for all that is on its way. A quarter is for batches and the sink's queue, a quarter for one more encoded "
         "event, and half for an event as the source sends it, which its client library and tailrace hold at a time: so a row may "
         "have a quarter (in a snapshot each reader may hold one). A longer one is refused by name, and not waited for. Beside it "
         "are the libraries and their threads (20 to 32 MiB a process, 1 MiB for each further pipeline) and the shapes of the tables "
         "(15 KiB a table of five columns)."},
{"limits.batch", SIZE, "0", AT(pipeline.batch_bytes), .min = 0, .max = (int64_t)1 << 30,
 .help = "Size at which a batch is handed on. 0: chosen from limits.memory."},

{"fleet.group", STRING, NULL, AT(fleet.group), .flags = TR_OPTION_PROCESS, .example = "cdc",
 .help = "Share the pipelines with the other instances that name this group, by a consumer group of Kafka: each pipeline runs on one "
         "of them, and goes to another when that one ends or is not heard of. Default: none, all pipelines run here."},
{"fleet.session_timeout", DURATION, "10s", AT(fleet.session_timeout_ms), .min = 1000, .max = 300000, .flags = TR_OPTION_PROCESS,
 .help = "An instance that is not heard of for this long loses its pipelines (the brokers allow 6s and more, unless told otherwise)."},
{"fleet.url", STRING, NULL, AT(fleet.url), .flags = TR_OPTION_PROCESS, .example = "kafka://broker:9092",
 .help = "Brokers of the group. Default: those of the first Kafka sink; its login is used in any case."},
{"fleet.instance", STRING, NULL, AT(fleet.instance), .flags = TR_OPTION_PROCESS, .example = "node-1",
 .help = "What the others see of this instance. Default: host name and process number."},
{"http.listen", STRING, "127.0.0.1:8480", AT(http_listen), .flags = TR_OPTION_PROCESS | TR_OPTION_EMPTY_OK, .flag = "--http",
 .help = "Address of the status page, /healthz, /readyz, /status and /metrics. \"\": none."},
{"log.level", ENUM, "info", AT(log_level), ONE_OF("debug", "info", "warn", "error"), .flags = TR_OPTION_PROCESS,
 .flag = "--log-level", .help = "Least important entry that is logged."},
{"log.format", ENUM, "auto", AT(log_format), ONE_OF("auto", "text", "json"), .flags = TR_OPTION_PROCESS, .flag = "--log-format",
 .help = "auto: text on a terminal, JSON lines otherwise."},
};

const size_t tr_option_count = sizeof(tr_options) / sizeof(tr_options[0]);
_Static_assert(sizeof(tr_options) / sizeof(tr_options[0]) <= TR_OPTIONS_MAX, "TR_OPTIONS_MAX is too small");
