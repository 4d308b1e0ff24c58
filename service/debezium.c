#include "service/debezium.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"

typedef enum row_kind {
	COPY,    /* the same value under our key */
	LOWER,   /* an enumeration: the same words, in lower case */
	MILLIS,  /* a number of milliseconds */
	LIST,    /* comma-separated */
	NOTHING, /* says nothing that we would not do anyway */
	NO,      /* no counterpart: named with the reason */
	TAKEN,   /* debezium_special.c reads it */
} row_kind;

typedef struct row {
	const char *property; /* a trailing * matches any end */
	unsigned connectors;
	row_kind kind;
	const char *text; /* our key, or the reason */
	const char *absent; /* value to set when the property is missing because Debezium's default is not ours */
} row;

#define PG TR_DBZ_POSTGRES
#define MY (TR_DBZ_MYSQL | TR_DBZ_MARIADB)
#define ALL TR_DBZ_ALL

static const row rows[] = {
    {"name", ALL, NOTHING, NULL, NULL},
    {"connector.class", ALL, TAKEN, NULL, NULL},
    {"tasks.max", ALL, NOTHING, NULL, NULL},
    {"topic.prefix", ALL, TAKEN, NULL, NULL},
    {"database.server.name", ALL, TAKEN, NULL, NULL},
    {"plugin.name", PG, TAKEN, NULL, NULL},
    {"slot.name", PG, COPY, "source.slot", "debezium"},
    {"publication.name", PG, COPY, "source.publication", "dbz_publication"},
    {"publication.autocreate.mode", PG, TAKEN, NULL, NULL},
    {"publish.via.partition.root", PG, LOWER, "source.publish_via_root", NULL},
    {"slot.failover", PG, LOWER, "source.failover", NULL},
    {"slot.drop.on.stop", PG, NO, "the slot is kept on stop: without it the changes in between would be lost", NULL},
    {"slot.stream.params", PG, NO, "parameters of the stream are chosen by tailrace; see source.origin and source.messages", NULL},
    {"slot.max.retries", PG, NO, "source.retry_for says how long a busy slot is waited for", NULL},
    {"slot.retry.delay.ms", PG, NO, "pauses between attempts double up to source.retry_delay_max", NULL},
    {"offset.mismatch.strategy", PG, NO, "a slot that does not fit the stored position always stops with the next step", NULL},
    {"replica.identity.autoset.values", PG, NO, "tables are never altered; use ALTER TABLE ... REPLICA IDENTITY", NULL},
    {"flush.lsn.source", PG, NO, "the position is always confirmed to the server once it is durable, and never before", NULL},
    {"lsn.flush.mode", PG, NO, "the position is always confirmed to the server once it is durable, and never before", NULL},
    {"lsn.flush.timeout.*", PG, NO, "confirming the position never blocks", NULL},
    {"xmin.fetch.interval.ms", PG, NO, "source.xmin is always null", NULL},
    {"status.update.interval.ms", PG, MILLIS, "source.status_interval", NULL},
    {"schema.refresh.mode", PG, NO, "the schema always follows the stream's relation messages", NULL},
    {"include.unknown.datatypes", PG, LOWER, "events.unknown_types", NULL},
    {"money.fraction.digits", PG, COPY, "events.money_fraction_digits", NULL},
    {"hstore.handling.mode", PG, LOWER, "events.hstore", NULL},
    {"interval.handling.mode", PG, LOWER, "events.interval", NULL},
    {"message.prefix.*", PG, NO, "logical messages are taken all or none: source.messages", NULL},
    {"read.only", ALL, NO, "belongs to incremental snapshots; nothing else would be written to the source", NULL},
    {"database.hostname", ALL, TAKEN, NULL, NULL},
    {"database.port", ALL, TAKEN, NULL, NULL},
    {"database.user", ALL, TAKEN, NULL, NULL},
    {"database.password", ALL, TAKEN, NULL, NULL},
    {"database.dbname", PG, TAKEN, NULL, NULL},
    {"database.sslmode", PG, TAKEN, NULL, NULL},
    {"database.sslcert", PG, TAKEN, NULL, NULL},
    {"database.sslkey", PG, TAKEN, NULL, NULL},
    {"database.sslpassword", PG, TAKEN, NULL, NULL},
    {"database.sslrootcert", PG, TAKEN, NULL, NULL},
    {"database.sslfactory", PG, NO, "TLS is libpq's: sslmode, sslrootcert, sslcert and sslkey in source.url", NULL},
    {"database.tcpKeepAlive", PG, TAKEN, NULL, NULL},
    {"database.initial.statements", ALL, NO, "the session's settings are fixed by tailrace; use ALTER ROLE ... SET", NULL},
    {"database.query.timeout.ms", ALL, NO, "use statement_timeout of the role", NULL},
    {"database.connection.timeout.ms", ALL, MILLIS, "source.connect_timeout", NULL},
    {"connect.timeout.ms", MY, MILLIS, "source.connect_timeout", NULL},
    {"database.connection.factory.class", ALL, NO, "a Java class", NULL},
    {"database.server.id", MY, COPY, "source.server_id", NULL},
    {"database.server.id.offset", MY, NO, "there is one replica a pipeline: source.server_id", NULL},
    {"database.ssl.mode", MY, TAKEN, NULL, NULL},
    {"database.ssl.*", MY, NO, "key stores of Java cannot be read: give PEM files in source.url (ssl-ca, ssl-cert, ssl-key)", NULL},
    {"database.jdbc.driver", MY, NO, "a Java class", NULL},
    {"database.protocol", MY, NO, "a property of the Java driver", NULL},
    {"database.include.list", MY, LIST, "source.schema_include", NULL},
    {"database.exclude.list", MY, LIST, "source.schema_exclude", NULL},
    {"schema.include.list", PG, LIST, "source.schema_include", NULL},
    {"schema.exclude.list", PG, LIST, "source.schema_exclude", NULL},
    {"table.include.list", ALL, LIST, "source.table_include", NULL},
    {"table.exclude.list", ALL, LIST, "source.table_exclude", NULL},
    {"table.ignore.builtin", ALL, NO, "system tables are never captured", NULL},
    {"column.include.list", ALL, TAKEN, NULL, NULL},
    {"column.exclude.list", ALL, TAKEN, NULL, NULL},
    {"column.mask.with.*", ALL, TAKEN, NULL, NULL},
    {"column.mask.hash.*", ALL, TAKEN, NULL, NULL},
    {"column.truncate.to.*", ALL, TAKEN, NULL, NULL},
    {"column.propagate.source.type", ALL, TAKEN, NULL, NULL},
    {"datatype.propagate.source.type", ALL, NO, "types are propagated by column: column.propagate.source.type", NULL},
    {"message.key.columns", ALL, TAKEN, NULL, NULL},
    {"decimal.handling.mode", ALL, LOWER, "events.decimal", NULL},
    {"time.precision.mode", PG, LOWER, "events.time", NULL},
    {"time.precision.mode", MY, LOWER, "events.time", "adaptive_time_microseconds"},
    {"binary.handling.mode", ALL, LOWER, "events.binary", NULL},
    {"bigint.unsigned.handling.mode", MY, LOWER, "events.unsigned_bigint", NULL},
    {"schema.name.adjustment.mode", ALL, LOWER, "events.schema_names", "none"},
    {"field.name.adjustment.mode", ALL, LOWER, "events.field_names", NULL},
    {"tombstones.on.delete", ALL, LOWER, "events.tombstones", NULL},
    {"skipped.operations", ALL, TAKEN, NULL, NULL},
    {"skip.messages.without.change", ALL, LOWER, "events.skip_unchanged", NULL},
    {"provide.transaction.metadata", ALL, LOWER, "events.transaction_metadata", NULL},
    {"transaction.metadata.factory", ALL, NO, "a Java class", NULL},
    {"unavailable.value.placeholder", ALL, COPY, "events.unavailable", NULL},
    {"extended.headers.enabled", ALL, LOWER, "events.context_headers", "true"},
    {"heartbeat.interval.ms", ALL, MILLIS, "events.heartbeat.interval", NULL},
    {"topic.heartbeat.prefix", ALL, COPY, "events.heartbeat.prefix", NULL},
    {"topic.heartbeat.name", ALL, NO, "the heartbeat topic is events.heartbeat.prefix, a dot, and the name", NULL},
    {"heartbeat.action.query", ALL, NO, "not needed: an idle slot moves on with the server's keepalives", NULL},
    {"topic.transaction", ALL, COPY, "events.transaction_topic", NULL},
    {"topic.delimiter", ALL, COPY, "events.topic_delimiter", NULL},
    {"topic.cache.size", ALL, NOTHING, NULL, NULL},
    {"topic.naming.strategy", ALL, TAKEN, NULL, NULL},
    {"signal.data.collection", ALL, COPY, "source.signal_table", NULL},
    {"signal.enabled.channels", ALL, TAKEN, NULL, NULL},
    {"signal.*", ALL, NO, "signals come through the signal table only", NULL},
    {"incremental.snapshot.chunk.size", ALL, COPY, "source.signal_chunk_rows", NULL},
    {"incremental.snapshot.watermarking.strategy", ALL, NO, "incremental snapshots have one strategy", NULL},
    {"incremental.snapshot.allow.schema.changes", ALL, NO, "a schema change during an incremental snapshot is followed", NULL},
    {"snapshot.mode", ALL, TAKEN, NULL, NULL},
    {"snapshot.max.threads", ALL, COPY, "snapshot.readers", "1"},
    {"legacy.snapshot.max.threads", ALL, NO, "there is one way to read in parallel: snapshot.readers", NULL},
    {"snapshot.max.threads.multiplier", ALL, NO, "large tables are split by size: snapshot.split", NULL},
    {"snapshot.include.collection.list", ALL, NO, "the snapshot reads every captured table", NULL},
    {"snapshot.select.statement.overrides*", ALL, NO, "the snapshot reads every row of a captured table", NULL},
    {"snapshot.locking.mode*", ALL, NO, "the snapshot takes no locks: it reads what the slot exported", NULL},
    {"snapshot.isolation.mode", PG, NO, "the snapshot always reads what the slot exported (repeatable read)", NULL},
    {"snapshot.lock.timeout.ms", ALL, NO, "the snapshot takes no locks", NULL},
    {"snapshot.fetch.size", ALL, NO, "rows come as a stream (COPY)", NULL},
    {"snapshot.delay.ms", ALL, NO, "the snapshot starts at once", NULL},
    {"snapshot.tables.order.by.row.count", ALL, NO, "tables are read in the order of their names", NULL},
    {"snapshot.query.mode*", ALL, NO, "a Java class, or the default", NULL},
    {"snapshot.mode.*", ALL, NO, "belongs to snapshot.mode=configuration_based or custom", NULL},
    {"streaming.delay.ms", ALL, NO, "streaming starts at once", NULL},
    {"max.batch.size", ALL, NO, "batches are counted in bytes: limits.batch", NULL},
    {"max.queue.size", ALL, NO, "memory is limited in bytes: limits.memory", NULL},
    {"max.queue.size.in.bytes", ALL, NO, "memory is limited for everything together: limits.memory", NULL},
    {"queue.provider.type", ALL, NO, "there is one kind of queue", NULL},
    {"poll.interval.ms", ALL, NO, "nothing is polled: changes are handed on as they come", NULL},
    {"poll.dispatch.interval.ms", ALL, NO, "nothing is polled: changes are handed on as they come", NULL},
    {"query.fetch.size", ALL, NO, "rows come as a stream (COPY)", NULL},
    {"errors.max.retries", ALL, TAKEN, NULL, NULL},
    {"errors.tolerance", ALL, NO, "an event is never skipped: what cannot be carried on stops", NULL},
    {"errors.*", ALL, NO, "handling of errors in Connect; an event is never skipped", NULL},
    {"retriable.restart.connector.wait.ms", ALL, MILLIS, "source.retry_delay_max", NULL},
    {"event.processing.failure.handling.mode", ALL, NO, "an event that cannot be processed always stops (fail)", NULL},
    {"event.converting.failure.handling.mode", ALL, NO, "a value that cannot be converted always stops (fail)", NULL},
    {"event.deserialization.failure.handling.mode", MY, NO, "an event that cannot be decoded always stops (fail)", NULL},
    {"inconsistent.schema.handling.mode", MY, NO, "a row that does not fit its table's schema always stops (fail)", NULL},
    {"include.schema.changes", MY, LOWER, "events.schema_changes", NULL},
    {"include.schema.comments", MY, LOWER, "events.schema_comments", NULL},
    {"include.query", MY, LOWER, "source.include_query", NULL},
    {"gtid.*", MY, NO, "every transaction of the server's log is read, whoever made it", NULL},
    {"binlog.*", MY, NO, "transactions are never buffered: the log holds committed ones only", NULL},
    {"enable.time.adjuster", MY, NO, "two-digit years are published as the server stores them", NULL},
    {"min.row.count.to.stream.results", MY, NO, "rows always come as a stream", NULL},
    {"connect.keep.alive*", MY, NO, "the connection is always watched: source.receive_timeout", NULL},
    {"use.nongraceful.disconnect", MY, NO, "a dead connection is always dropped: source.receive_timeout", NULL},
    {"resolve.create.table.like.schema", MY, NO, "column metadata comes from the log, DDL is not parsed for it", NULL},
    {"ddl.parser.type", MY, NO, "column metadata comes from the log, DDL is not parsed for it", NULL},
    {"schema.history.internal*", ALL, NO, "not needed: column metadata comes from the log, there is no schema history", NULL},
    {"converters", ALL, NO, "custom converters are Java classes: their columns are published by the standard rules", NULL},
    {"post.processors*", ALL, NO, "post processors are Java classes; events are published without them", NULL},
    {"transforms*", ALL, NO, "transformations are Java classes: records are published as Debezium makes them before any "
                             "transformation (for ExtractNewRecordState see events.envelope: flat)", NULL},
    {"predicates*", ALL, NO, "belongs to transforms", NULL},
    {"sourceinfo.struct.maker", ALL, NO, "a Java class", NULL},
    {"notification.*", ALL, NO, "see /status, /metrics and the log", NULL},
    {"custom.metric.tags", ALL, NO, "metrics carry the label pipeline", NULL},
    {"custom.sanitize.pattern", ALL, NO, "the log never shows passwords or row data", NULL},
    {"statistics.metrics.enabled", ALL, NO, "see /metrics", NULL},
    {"advanced.metrics.enable", ALL, NO, "see /metrics", NULL},
    {"guardrail.collections.*", ALL, NO, "tailrace check lists the captured tables", NULL},
    {"connection.validation.timeout.ms", ALL, NO, "see source.connect_timeout and tailrace check", NULL},
    {"executor.shutdown.timeout.ms", ALL, NO, "a stop takes ten seconds at most", NULL},
    {"driver.*", ALL, NO, "a property of the JDBC driver; libpq's parameters go into source.url", NULL},
    {"internal.*", ALL, NO, "an internal property of Debezium", NULL},
    {"exactly.once.support", ALL, TAKEN, NULL, NULL},
    {"transaction.boundary*", ALL, NO, "see delivery", NULL},
    {"offsets.*", ALL, NO, "the position is kept in state.url", NULL},
    {"offset.*", ALL, NO, "the position is kept in state.url", NULL},
    {"key.converter*", ALL, TAKEN, NULL, NULL},
    {"value.converter*", ALL, TAKEN, NULL, NULL},
    {"header.converter*", ALL, TAKEN, NULL, NULL},
    {"bootstrap.servers", ALL, TAKEN, NULL, NULL},
    {"debezium.sink.*", ALL, TAKEN, NULL, NULL},
    {"producer.override.*", ALL, TAKEN, NULL, NULL},
    {"producer.*", ALL, TAKEN, NULL, NULL},
    {"topic.creation.*", ALL, TAKEN, NULL, NULL},
    {"config.providers*", ALL, NO, "secrets come from ${VAR} and ${file:/path}", NULL},
    {"config.action.reload", ALL, NO, "secrets are read at start", NULL},
    {"group.id", ALL, NO, "belongs to Connect's worker", NULL},
    {"plugin.path", ALL, NO, "belongs to Connect's worker", NULL},
    {"rest.*", ALL, NO, "belongs to Connect's worker; see http.listen", NULL},
    {"listeners", ALL, NO, "belongs to Connect's worker; see http.listen", NULL},
    {"config.storage.*", ALL, NO, "belongs to Connect's worker", NULL},
    {"status.storage.*", ALL, NO, "belongs to Connect's worker", NULL},
    {"quarkus.*", ALL, NO, "belongs to Debezium Server", NULL},
    {"debezium.*", ALL, NO, "belongs to Debezium Server", NULL},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

const char *tr_dbz_take(tr_dbz *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++) {
		if (strcmp(d->properties[i].name, name) == 0) {
			d->properties[i].used = true;
			return d->properties[i].value;
		}
	}
	return NULL;
}

/*
 * Connect's own references in our terms: ${env:VAR} is ${VAR}; others (a key in a properties file, a vault) become an
 * environment variable that has to be set, and are named.
 */
static const char *translate_references(tr_dbz *d, const char *path, const char *value)
{
	tr_writer w;
	const char *copy;

	if (!strstr(value, "${"))
		return value;
	tr_writer_init(&w, 65536);
	for (const char *p = value; *p; p++) {
		const char *end = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;
		const char *last;

		if (!end) {
			tr_writer_u8(&w, (uint8_t)*p);
			continue;
		}
		for (last = end; last > p + 2 && last[-1] != ':'; last--)
			;
		if (strncmp(p, "${env:", 6) != 0 && d->note)
			d->note(d->context, path, "a reference to a configuration provider: set an environment variable of that name "
			    "instead, or write ${file:/path} for a file that holds nothing else");
		tr_writer_text(&w, "${");
		for (; last < end; last++)
			tr_writer_u8(&w, isalnum((uint8_t)*last) ? (uint8_t)*last : '_');
		tr_writer_u8(&w, '}');
		p = end;
	}
	copy = tr_arena_strndup(d->arena, w.data, w.len);
	tr_writer_release(&w);
	return copy ? copy : value;
}

int tr_dbz_set(tr_dbz *d, const char *path, const char *value, tr_err *err)
{
	tr_node *node = tr_node_new(d->arena, TR_NODE_SCALAR, NULL, translate_references(d, path, value));

	if (!node)
		return tr_tree_no_memory(err);
	return tr_config_put_node(d->arena, d->root, path, node, err);
}

static bool row_matches(const row *r, const tr_dbz *d, const char *property)
{
	size_t len = strlen(r->property);

	if (!(r->connectors & d->connector))
		return false;
	if (r->property[len - 1] == '*')
		return strncmp(r->property, property, len - 1) == 0;
	return strcmp(r->property, property) == 0;
}

static int apply_row(tr_dbz *d, const row *r, const char *value, tr_err *err)
{
	char *lower, text[64];
	tr_node *list;

	switch (r->kind) {
	case COPY:
		return tr_dbz_set(d, r->text, value, err);
	case LOWER:
		lower = tr_arena_strdup(d->arena, value);
		for (char *p = lower; p && *p; p++)
			*p = (char)tolower((uint8_t)*p);
		return tr_dbz_set(d, r->text, lower ? lower : value, err);
	case MILLIS:
		snprintf(text, sizeof(text), "%.40s%s", value, strcmp(value, "0") == 0 ? "" : "ms");
		return tr_dbz_set(d, r->text, text, err);
	case LIST:
		list = tr_dbz_list(d, value, ',');
		if (!list)
			return tr_tree_no_memory(err);
		return list->count > 0 ? tr_config_put_node(d->arena, d->root, r->text, list, err) : 0;
	default:
		return 0;
	}
}

static int map_absent(tr_dbz *d, tr_err *err)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (!rows[i].absent || !(rows[i].connectors & d->connector) || tr_dbz_take(d, rows[i].property))
			continue;
		if (tr_dbz_set(d, rows[i].text, rows[i].absent, err) < 0)
			return -1;
	}
	return 0;
}

static int map_property(tr_dbz *d, tr_dbz_property *p, tr_err *err)
{
	for (size_t i = 0; i < ROW_COUNT; i++) {
		if (!row_matches(&rows[i], d, p->name))
			continue;
		if (rows[i].kind == NO)
			d->note(d->context, p->name, rows[i].text);
		/* One that its own code left alone. */
		else if (rows[i].kind == TAKEN && !p->used)
			d->note(d->context, p->name, "has no counterpart");
		p->used = true;
		return apply_row(d, &rows[i], p->value, err);
	}
	if (!p->used)
		d->note(d->context, p->name, "not a property that is known of this connector; nothing is done for it");
	return 0;
}

static int find_connector(tr_dbz *d, tr_err *err)
{
	const char *class = tr_dbz_take(d, "connector.class");

	if (!class) {
		tr_err_set(err, TR_E_CONFIG, "connector.class is missing: this is not a connector's configuration");
		return tr_err_hint(err, "Give Connect's JSON ({\"name\",\"config\"}) or the connector's .properties file.");
	}
	if (strstr(class, "Postgres"))
		d->connector = TR_DBZ_POSTGRES;
	else if (strstr(class, "MySql"))
		d->connector = TR_DBZ_MYSQL;
	else if (strstr(class, "MariaDb"))
		d->connector = TR_DBZ_MARIADB;
	else {
		tr_err_set(err, TR_E_CONFIG_UNSUPPORTED, "connector class \"%.120s\" has no counterpart", class);
		return tr_err_hint(err, "PostgreSQL, MySQL and MariaDB connectors of Debezium can be imported.");
	}
	return 0;
}

int tr_dbz_map(tr_dbz *d, tr_err *err)
{
	d->root = tr_node_new(d->arena, TR_NODE_MAP, NULL, NULL);
	if (!d->root)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the configuration");
	if (find_connector(d, err) < 0 || map_absent(d, err) < 0 || tr_dbz_map_source(d, err) < 0 ||
	    tr_dbz_map_columns(d, err) < 0 || tr_dbz_map_converters(d, err) < 0 || tr_dbz_map_sink(d, err) < 0 ||
	    tr_dbz_map_rest(d, err) < 0)
		return -1;
	for (size_t i = 0; i < d->count; i++) {
		if (map_property(d, &d->properties[i], err) < 0)
			return tr_err_prefix(err, "property \"%s\"", d->properties[i].name);
	}
	return 0;
}
