/* One event of the source on its way to the emitter. Everything is borrowed for the duration of the call. */
#ifndef TR_EVENTS_CHANGE_H
#define TR_EVENTS_CHANGE_H

#include "events/table.h"

typedef enum tr_op {
	TR_OP_READ = 'r',
	TR_OP_CREATE = 'c',
	TR_OP_UPDATE = 'u',
	TR_OP_DELETE = 'd',
	TR_OP_TRUNCATE = 't',
	TR_OP_MESSAGE = 'm',
	TR_OP_SCHEMA = 's', /* a schema change, published only on a topic of its own */
} tr_op;

typedef enum tr_snapshot_mark {
	TR_MARK_NONE,        /* stream: the field shows its default "false" */
	TR_MARK_TRUE,
	TR_MARK_FIRST,
	TR_MARK_FIRST_IN_TABLE,
	TR_MARK_LAST_IN_TABLE,
	TR_MARK_LAST,
	TR_MARK_INCREMENTAL,
} tr_snapshot_mark;

/*
 * The `source` block: a struct value in the connector's own type. The first nine fields are common to all connectors, and
 * the emitter fills version, connector, name, ts_*, snapshot, db; the source fills the rest before it reports the event.
 */
enum {
	TR_SRC_VERSION, TR_SRC_CONNECTOR, TR_SRC_NAME, TR_SRC_TS_MS, TR_SRC_SNAPSHOT, TR_SRC_DB, TR_SRC_SEQUENCE,
	TR_SRC_TS_US, TR_SRC_TS_NS, TR_SRC_OWN, TR_SRC_MAX = 24
};
typedef struct tr_source_block {
	tr_value fields[TR_SRC_MAX];
} tr_source_block;

/*
 * One record of Debezium's schema change topic, TR_OP_SCHEMA: the statement as it was written, and the table's shape
 * afterwards, as the source's catalogue has it. Texts are UTF-8; NULL is null.
 */
typedef struct tr_schema_column {
	const char *name;
	int32_t jdbc_type;           /* java.sql.Types */
	const char *type;            /* "BIGINT UNSIGNED": typeName and typeExpression */
	const char *charset;
	int64_t length, scale;       /* -1 = none */
	bool optional, auto_increment, generated;
	const char *comment, *default_expression;
	const char *const *values;   /* ENUM, SET: quoted; NULL = none */
	size_t value_count;
} tr_schema_column;

typedef struct tr_schema_table {
	const char *charset, *comment;
	const char *const *key;      /* names of the columns */
	size_t key_count;
	const tr_schema_column *columns; /* in order; their positions count from 1 */
	size_t column_count;
} tr_schema_table;

typedef struct tr_schema_change {
	const char *database;        /* "" = of the whole server */
	tr_slice ddl;
	const char *type;            /* "CREATE", "ALTER", "DROP"; NULL = no table has changed */
	const char *id;              /* of the table: "database"."table", quoted */
	const tr_schema_table *table; /* NULL = it is gone */
} tr_schema_change;

typedef struct tr_change {
	tr_op op;
	const tr_table *table;     /* NULL for messages and schema changes */
	const tr_datum *before;    /* column_count data, or NULL when the source sent none */
	const tr_datum *after;     /* column_count data, or NULL */
	tr_source_block *source;
	int64_t commit_us;         /* wall clock of the source's commit, microseconds since 1970; for a snapshot row the time of reading */
	int64_t read_ns;           /* wall clock when it was read, nanoseconds since 1970; what was read at once has one; 0 = now */
	tr_snapshot_mark mark;
	tr_slice txn_id;           /* text of transaction.id for this event; empty outside a transaction */
	bool replayed;             /* already durable (resume inside a transaction): counted in the transaction, not published */
	tr_slice message_prefix, message_content; /* TR_OP_MESSAGE */
	const tr_schema_change *schema;           /* TR_OP_SCHEMA */
} tr_change;

#endif
