/* Inside of the room: what the types are called, and which kinds of them there are. */
#ifndef TR_BINLOG_NAMES_H
#define TR_BINLOG_NAMES_H

#include "decoders/binlog/column.h"

typedef struct tr_bl_sql_name {
	const char *name; /* DATA_TYPE in information_schema */
	tr_bl_sql sql;
	int32_t geometry;
	uint8_t wire;     /* type byte of the newest binary form */
	int32_t jdbc;     /* java.sql.Types, as Debezium has it */
} tr_bl_sql_name;

/* NULL for a type that is not known. */
const tr_bl_sql_name *tr_bl_sql_name_of(const tr_bl_column *column);
bool tr_bl_sql_is_text(tr_bl_sql sql);
bool tr_bl_sql_is_bytes(tr_bl_sql sql);
/* Has a sign: integers, FLOAT, DOUBLE, DECIMAL. */
bool tr_bl_sql_is_number(tr_bl_sql sql);

/* As a text stands between the quotes in SHOW CREATE TABLE, with zeros up to `length` bytes; has a NUL after it. ptr NULL:
 * no memory. */
tr_slice tr_bl_as_written(tr_slice text, size_t length, tr_arena *arena);

#endif
