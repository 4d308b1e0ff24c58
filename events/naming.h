/*
 * Debezium's rules for names: topics from tables, and Connect schema and field names adjusted so that Avro can hold
 * them. Cold path only: used when a table is compiled.
 *
 * Refuses nothing: a rule gives some name for any input. Whether two names became equal, or one is still not valid, is
 * asked by the caller (table.c), who knows the table and the column. The rules count as Java does, in UTF-16 units: a
 * character outside the basic plane is replaced by two.
 */
#ifndef TR_EVENTS_NAMING_H
#define TR_EVENTS_NAMING_H

#include "core/arena.h"
#include "events/options.h"

#define TR_TOPIC_NAME_MAX 249 /* Kafka's limit, bytes */

/*
 * <name><delimiter><namespace><delimiter><table>, blank parts left out, characters that Kafka does not take replaced by
 * _, cut at TR_TOPIC_NAME_MAX. All functions return NULL when the arena is full.
 */
char *tr_naming_topic(tr_arena *a, const tr_event_options *options, const char *namespace_name, const char *table);
char *tr_naming_heartbeat_topic(tr_arena *a, const tr_event_options *options);
char *tr_naming_transaction_topic(tr_arena *a, const tr_event_options *options);
/* <name> alone. */
char *tr_naming_schema_topic(tr_arena *a, const tr_event_options *options);
char *tr_naming_message_topic(tr_arena *a, const tr_event_options *options);

/* A full schema name ("srv.public.t.Value"): dots stay. */
char *tr_naming_schema(tr_arena *a, tr_names_mode mode, const char *name);
/* A field name: dots are replaced, too. */
char *tr_naming_field(tr_arena *a, tr_names_mode mode, const char *name);

/* What the Avro converter takes: as lenient with digits after a dot as the adjusted names are. */
bool tr_naming_avro_schema_valid(const char *name);
bool tr_naming_avro_field_valid(const char *name);

/* Java's String.hashCode; it decides the order of a transaction's collections in its END record. */
uint32_t tr_naming_java_hash(const char *text);

#endif
