/*
 * Debezium's schema change records: for a DDL of the stream, and for the tables of a snapshot. The statement is published as
 * it was written; what a table looks like afterwards comes from information_schema, never from the statement's columns.
 * So a record shows the table as it is when the statement is read: where a later statement has changed it already, the
 * newer shape, and where one has dropped it, no columns at all.
 *
 * Rules, as Debezium has them: DROP TABLE gives a record per table, with a statement of its own; RENAME TABLE one per pair,
 * with a statement of its own, as ALTER of the new name, or without a table change when the name is only passed through.
 * Databases, indexes (but for the unique one that becomes the key) and a CREATE TABLE IF NOT EXISTS or OR REPLACE of a table
 * that is there give a record without a table change; TRUNCATE TABLE, views, routines, users and the like give none. Statements of databases that are not captured give none. Of captured databases, natively
 * only captured tables count; with source.snapshot_as_debezium all of them do.
 */
#ifndef TR_CAPTURE_MYSQL_SCHEMA_H
#define TR_CAPTURE_MYSQL_SCHEMA_H

#include "capture/mysql/ddl.h"
#include "capture/mysql/mysql.h"

/* table: for source.table; NULL = null. Everything is borrowed for the call. -1 ends with its error. */
typedef int (*tr_myc_schema_fn)(void *context, const tr_schema_change *change, const char *table, tr_err *err);

/*
 * A DDL was read from the stream: tells the catalogue, and gives the records to `each` (none when
 * events.schema_changes is off). time_s: when the statement began. Asks the server on `sql`, which is opened when it is not.
 * To be called for every statement that tr_myc_ddl_changes_shape says yes to.
 */
int tr_myc_schema_ddl(tr_myc *s, const tr_myc_ddl *ddl, uint32_t time_s, tr_myc_schema_fn each, void *context, tr_err *err);

/*
 * The records at the beginning of a snapshot: SET, DROP TABLE of all, then per database DROP, CREATE, USE and its CREATE
 * TABLEs. m: a connection within the snapshot's view.
 */
int tr_myc_schema_snapshot(tr_myc *s, MYSQL *m, tr_myc_schema_fn each, void *context, tr_err *err);

/* What a record tells of a table. All memory from the arena. */
int tr_myc_schema_table(const tr_myc_facts *facts, bool mariadb, bool comments, tr_arena *arena, tr_schema_table *out,
			tr_err *err);

#endif
