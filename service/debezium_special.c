/* Properties that need more than a row: urls, rules on columns, converters, producer and topic settings. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "core/text.h"
#include "events/digest.h"
#include "service/debezium.h"

tr_node *tr_dbz_list(tr_dbz *d, const char *text, char separator)
{
	tr_node *list = tr_node_new(d->arena, TR_NODE_LIST, NULL, NULL);
	char *copy = tr_arena_strdup(d->arena, text), *at = copy;

	while (list && copy && *at) {
		char *item = at + strspn(at, " \t"), *out = item, *p = item;
		tr_node *node;

		for (; *p && *p != separator; p++) {
			/* An escaped separator belongs to the item. */
			if (p[0] == '\\' && p[1] == separator)
				p++;
			*out++ = *p;
		}
		at = *p ? p + 1 : p;
		while (out > item && (out[-1] == ' ' || out[-1] == '\t'))
			out--;
		if (out == item)
			continue;
		node = tr_node_new(d->arena, TR_NODE_SCALAR, NULL, tr_arena_strndup(d->arena, item, (size_t)(out - item)));
		if (!node)
			return NULL;
		tr_node_add(list, node);
	}
	return copy ? list : NULL;
}

/* What may not stand in a part of a url becomes %XX; ${env:X} stays for the reader of the file. */
static void put_encoded(tr_writer *w, const char *text)
{
	for (const char *p = text; *p; p++) {
		const char *end = p[0] == '$' && p[1] == '{' ? strchr(p, '}') : NULL;

		if (end) {
			tr_writer_put(w, p, (size_t)(end - p + 1));
			p = end;
		} else if (isalnum((uint8_t)*p) || strchr("-._~", *p)) {
			tr_writer_u8(w, (uint8_t)*p);
		} else {
			tr_writer_format(w, "%%%02X", (unsigned)(uint8_t)*p);
		}
	}
}

static void put_parameter(tr_dbz *d, tr_writer *w, bool *first, const char *property, const char *name)
{
	const char *value = tr_dbz_take(d, property);

	if (!value || !*value)
		return;
	tr_writer_text(w, *first ? "?" : "&");
	tr_writer_text(w, name);
	tr_writer_u8(w, '=');
	put_encoded(w, value);
	*first = false;
}

/* The words of both connectors' drivers in the client's. */
static void put_ssl_mode(tr_dbz *d, tr_writer *w)
{
	static const struct {
		const char *theirs, *ours;
	} modes[] = {{"disabled", "DISABLED"}, {"disable", "DISABLED"}, {"preferred", "PREFERRED"}, {"required", "REQUIRED"},
		     {"trust", "REQUIRED"}, {"verify_ca", "VERIFY_CA"}, {"verify-ca", "VERIFY_CA"},
		     {"verify_identity", "VERIFY_IDENTITY"}, {"verify-full", "VERIFY_IDENTITY"}};
	const char *mode = tr_dbz_take(d, "database.ssl.mode");

	for (size_t i = 0; mode && i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcasecmp(mode, modes[i].theirs) != 0)
			continue;
		tr_writer_text(w, "?ssl-mode=");
		tr_writer_text(w, modes[i].ours);
		return;
	}
	if (mode)
		d->note(d->context, "database.ssl.mode", "this mode has no counterpart; TLS is used when the server offers it");
}

static void put_url(tr_dbz *d, tr_writer *w)
{
	const char *user = tr_dbz_take(d, "database.user"), *password = tr_dbz_take(d, "database.password");
	const char *host = tr_dbz_take(d, "database.hostname"), *port = tr_dbz_take(d, "database.port");
	const char *database = d->connector == TR_DBZ_POSTGRES ? tr_dbz_take(d, "database.dbname") : NULL;
	const char *keepalive = d->connector == TR_DBZ_POSTGRES ? tr_dbz_take(d, "database.tcpKeepAlive") : NULL;
	bool first = true;

	tr_writer_text(w, d->connector == TR_DBZ_POSTGRES ? "postgres://" : d->connector == TR_DBZ_MYSQL ? "mysql://" : "mariadb://");
	if (user) {
		put_encoded(w, user);
		if (password && *password) {
			tr_writer_u8(w, ':');
			put_encoded(w, password);
		}
		tr_writer_u8(w, '@');
	}
	if (host && strchr(host, ':'))
		tr_writer_format(w, "[%s]", host);
	else if (host)
		put_encoded(w, host);
	if (port)
		tr_writer_format(w, ":%s", port);
	tr_writer_u8(w, '/');
	if (database)
		put_encoded(w, database);
	if (d->connector != TR_DBZ_POSTGRES) {
		put_ssl_mode(d, w);
		return;
	}
	put_parameter(d, w, &first, "database.sslmode", "sslmode");
	put_parameter(d, w, &first, "database.sslrootcert", "sslrootcert");
	put_parameter(d, w, &first, "database.sslcert", "sslcert");
	put_parameter(d, w, &first, "database.sslkey", "sslkey");
	put_parameter(d, w, &first, "database.sslpassword", "sslpassword");
	if (keepalive && strcasecmp(keepalive, "false") == 0)
		tr_writer_text(w, first ? "?keepalives=0" : "&keepalives=0");
}

static int map_url(tr_dbz *d, tr_err *err)
{
	tr_writer w;
	int result;
	char *url;

	tr_writer_init(&w, 16384);
	put_url(d, &w);
	url = tr_arena_strndup(d->arena, w.data, w.len);
	result = !tr_writer_ok(&w) || !url ? tr_tree_no_memory(err) : tr_dbz_set(d, "source.url", url, err);
	tr_writer_release(&w);
	return result;
}

static int map_publication(tr_dbz *d, tr_err *err)
{
	const char *mode = tr_dbz_take(d, "publication.autocreate.mode"), *plugin = tr_dbz_take(d, "plugin.name");

	if (d->connector != TR_DBZ_POSTGRES)
		return 0;
	if (!plugin || strcasecmp(plugin, "pgoutput") != 0)
		d->note(d->context, "plugin.name", "tailrace reads pgoutput only; a slot of decoderbufs (Debezium's default) cannot be "
		    "continued: give another source.slot, or make the slot anew with pgoutput");
	if (mode && strcasecmp(mode, "disabled") == 0)
		d->note(d->context, "publication.autocreate.mode",
		    "a publication that exists is used as it is; a missing one is made, unless source.create is false (then the slot has "
		    "to exist, too)");
	if (mode && strcasecmp(mode, "no_tables") == 0)
		d->note(d->context, "publication.autocreate.mode", "a missing publication is made for the captured tables, never empty");
	return tr_dbz_set(d, "source.publication_mode", !mode || strcasecmp(mode, "all_tables") == 0 ? "all_tables" : "tables", err);
}

static int map_snapshot(tr_dbz *d, tr_err *err)
{
	static const struct {
		const char *theirs, *ours, *reason;
	} modes[] = {
	    {"initial", "initial", NULL}, {"initial_only", "only", NULL}, {"no_data", "no_data", NULL}, {"never", "never", NULL},
	    {"schema_only", "no_data", NULL}, {"when_needed", "when_needed", NULL}, {"exported", "initial", NULL},
	    {"always", "initial", "a snapshot at every start does not exist; use tailrace offsets reset before a start"},
	    {"recovery", "never", "not needed: there is no schema history"},
	    {"schema_only_recovery", "never", "not needed: there is no schema history"},
	};
	const char *mode = tr_dbz_take(d, "snapshot.mode");

	if (!mode)
		return 0;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcasecmp(mode, modes[i].theirs) != 0)
			continue;
		if (modes[i].reason)
			d->note(d->context, "snapshot.mode", modes[i].reason);
		return tr_dbz_set(d, "snapshot.mode", modes[i].ours, err);
	}
	d->note(d->context, "snapshot.mode", "this mode has no counterpart; snapshot.mode is initial");
	return 0;
}

int tr_dbz_map_source(tr_dbz *d, tr_err *err)
{
	const char *prefix = tr_dbz_take(d, "topic.prefix"), *old_prefix = tr_dbz_take(d, "database.server.name");

	if (!prefix)
		prefix = old_prefix;
	if (!prefix || !*prefix) {
		tr_err_set(err, TR_E_CONFIG, "topic.prefix is missing");
		return tr_err_hint(err, "Every Debezium connector has one; add it to the file.");
	}
	if (tr_dbz_set(d, "name", prefix, err) < 0 || map_url(d, err) < 0 || map_publication(d, err) < 0)
		return -1;
	return map_snapshot(d, err);
}

/* What the rules of one property have beside the pattern; ends with a NULL key. */
typedef struct rule_setting {
	const char *key, *value;
} rule_setting;

static int add_column_rules(tr_dbz *d, const char *action, const rule_setting *settings, const char *patterns, tr_err *err)
{
	tr_node *list = tr_dbz_list(d, patterns, ',');

	if (!list)
		return tr_tree_no_memory(err);
	if (!d->columns && !(d->columns = tr_node_new(d->arena, TR_NODE_LIST, NULL, NULL)))
		return tr_tree_no_memory(err);
	for (const tr_node *item = list->first; item; item = item->next) {
		tr_node *rule = tr_node_new(d->arena, TR_NODE_MAP, NULL, NULL);
		tr_node *pattern = tr_node_new(d->arena, TR_NODE_SCALAR, action, item->text);

		if (!rule || !pattern)
			return tr_tree_no_memory(err);
		tr_node_add(rule, pattern);
		for (const rule_setting *s = settings; s && s->key; s++) {
			tr_node *node = tr_node_new(d->arena, TR_NODE_SCALAR, s->key, s->value);

			if (!node)
				return tr_tree_no_memory(err);
			tr_node_add(rule, node);
		}
		tr_node_add(d->columns, rule);
	}
	return 0;
}

static int add_length_rules(tr_dbz *d, const char *action, long length, const char *patterns, tr_err *err)
{
	char digits[24];
	const rule_setting settings[] = {{"length", digits}, {NULL, NULL}};

	snprintf(digits, sizeof(digits), "%ld", length);
	return add_column_rules(d, action, settings, patterns, err);
}

/* column.mask.hash.ALGORITHM.with.salt.SALT, and column.mask.hash.v2. for the value's bytes alone. */
static int add_hash_rules(tr_dbz *d, const tr_dbz_property *p, tr_err *err)
{
	static const char infix[] = ".with.salt.";
	const char *name = p->name + strlen("column.mask.hash."), *salt = strstr(name, infix);
	bool second = strncmp(name, "v2.", 3) == 0;
	char *algorithm;

	name += second ? 3 : 0;
	algorithm = salt && salt > name && salt[sizeof(infix) - 1] ? tr_arena_strndup(d->arena, name, (size_t)(salt - name)) : NULL;
	if (!algorithm || !tr_digest_find(algorithm)) {
		d->note(d->context, p->name, "this algorithm is not known; the columns are masked, so that nothing leaks");
		return add_length_rules(d, "mask", 10, p->value, err);
	}
	const rule_setting settings[] = {{"algorithm", algorithm}, {"salt", salt + sizeof(infix) - 1}, {"version", second ? "2" : "1"},
					 {NULL, NULL}};
	return add_column_rules(d, "hash", settings, p->value, err);
}

/* column.mask.with.5.chars: the number between prefix and suffix, -1 when there is none. */
static long number_in(const char *name, const char *prefix, const char *suffix)
{
	size_t len = strlen(prefix);
	char *end;
	long value;

	if (strncmp(name, prefix, len) != 0)
		return -1;
	value = strtol(name + len, &end, 10);
	return end > name + len && strcmp(end, suffix) == 0 && value >= 0 ? value : -1;
}

static int map_key_columns(tr_dbz *d, const char *text, tr_err *err)
{
	tr_node *entries = tr_dbz_list(d, text, ';'), *rules = tr_node_new(d->arena, TR_NODE_LIST, NULL, NULL);

	if (!entries || !rules)
		return tr_tree_no_memory(err);
	for (const tr_node *entry = entries->first; entry; entry = entry->next) {
		const char *colon = strrchr(entry->text, ':');
		tr_node *rule = tr_node_new(d->arena, TR_NODE_MAP, NULL, NULL), *table, *columns;

		if (!colon)
			return tr_err_set(err, TR_E_CONFIG, "message.key.columns: an entry is not of the form table:column,column");
		table = tr_node_new(d->arena, TR_NODE_SCALAR, "table",
		    tr_arena_strndup(d->arena, entry->text, (size_t)(colon - entry->text)));
		columns = tr_dbz_list(d, colon + 1, ',');
		if (!rule || !table || !columns)
			return tr_tree_no_memory(err);
		columns->key = "columns";
		tr_node_add(rule, table);
		tr_node_add(rule, columns);
		tr_node_add(rules, rule);
	}
	return rules->count > 0 ? tr_config_put_node(d->arena, d->root, "events.key_columns", rules, err) : 0;
}

int tr_dbz_map_columns(tr_dbz *d, tr_err *err)
{
	const char *keys = tr_dbz_take(d, "message.key.columns");
	int result = keys ? map_key_columns(d, keys, err) : 0;

	for (size_t i = 0; result == 0 && i < d->count; i++) {
		tr_dbz_property *p = &d->properties[i];
		long mask = number_in(p->name, "column.mask.with.", ".chars"), cut = number_in(p->name, "column.truncate.to.", ".chars");

		if (strcmp(p->name, "column.exclude.list") == 0) {
			result = add_column_rules(d, "exclude", NULL, p->value, err);
		} else if (strcmp(p->name, "column.include.list") == 0) {
			result = add_column_rules(d, "include", NULL, p->value, err);
		} else if (strcmp(p->name, "column.propagate.source.type") == 0) {
			result = add_column_rules(d, "propagate_type", NULL, p->value, err);
		} else if (mask >= 0) {
			result = add_length_rules(d, "mask", mask, p->value, err);
		} else if (cut >= 0) {
			result = add_length_rules(d, "truncate", cut, p->value, err);
		} else if (strncmp(p->name, "column.mask.hash.", 17) == 0) {
			result = add_hash_rules(d, p, err);
		} else {
			continue;
		}
		p->used = true;
	}
	if (result == 0 && d->columns)
		result = tr_config_put_node(d->arena, d->root, "events.columns", d->columns, err);
	return result;
}

static bool has(const char *text, const char *part)
{
	return text && strcasestr(text, part) != NULL;
}

/* The value's setting of a converter, or the key's; both count as read. */
static const char *converter(tr_dbz *d, const char *rest)
{
	char name[128];
	const char *key, *value;

	snprintf(name, sizeof(name), "key.converter%s", rest);
	key = tr_dbz_take(d, name);
	snprintf(name, sizeof(name), "value.converter%s", rest);
	value = tr_dbz_take(d, name);
	if (key && value && strcmp(key, value) != 0) {
		snprintf(name, sizeof(name), "key.converter%s", rest);
		d->note(d->context, name, "differs from value.converter, which is used for both");
	}
	return value ? value : key;
}

static int map_registry(tr_dbz *d, tr_err *err)
{
	const char *url = converter(d, ".schema.registry.url"), *info = converter(d, ".basic.auth.user.info");
	const char *apicurio = converter(d, ".apicurio.registry.url"), *automatic = converter(d, ".auto.register.schemas");
	const char *colon, *first;

	(void)converter(d, ".basic.auth.credentials.source");
	(void)converter(d, ".apicurio.registry.auto-register");
	(void)converter(d, ".apicurio.registry.find-latest");
	if (!url && apicurio) {
		url = tr_arena_format(d->arena, "%.*s/apis/ccompat/v7", (int)strcspn(apicurio, "?"), apicurio);
		d->note(d->context, "value.converter.apicurio.registry.url",
		    "Apicurio is used through its interface for Confluent's clients; check the path in events.registry.url");
	}
	if (url && strchr(url, ',')) {
		d->note(d->context, "value.converter.schema.registry.url", "only the first of several addresses is used");
		first = tr_arena_strndup(d->arena, url, strcspn(url, ","));
		url = first ? first : url;
	}
	if (url && tr_dbz_set(d, "events.registry.url", url, err) < 0)
		return -1;
	if (automatic && tr_dbz_set(d, "events.registry.auto_register", automatic, err) < 0)
		return -1;
	colon = info ? strchr(info, ':') : NULL;
	if (!colon)
		return 0;
	if (tr_dbz_set(d, "events.registry.user", tr_arena_strndup(d->arena, info, (size_t)(colon - info)), err) < 0)
		return -1;
	return tr_dbz_set(d, "events.registry.password", colon + 1, err);
}

int tr_dbz_map_converters(tr_dbz *d, tr_err *err)
{
	const char *class = converter(d, ""), *schemas = converter(d, ".schemas.enable");
	const char *header = tr_dbz_take(d, "header.converter");
	int result = 0;

	(void)tr_dbz_take(d, "header.converter.schemas.enable");
	if (has(class, "JsonConverter")) {
		result = tr_dbz_set(d, "events.format", "json", err);
		if (result == 0 && !(schemas && strcasecmp(schemas, "false") == 0))
			result = tr_dbz_set(d, "events.json_schemas", "true", err);
	} else if (has(class, "Avro")) {
		result = tr_dbz_set(d, "events.format", "avro", err);
	} else if (class) {
		d->note(d->context, "value.converter", "only Avro and JSON are written; events.format is left at its default, avro");
	} else {
		d->note(d->context, "value.converter", "not given (it may stand in Connect's worker): Avro is assumed");
	}
	if (result == 0 && has(header, "JsonConverter"))
		result = tr_dbz_set(d, "events.headers_format", "json", err);
	else if (header && !has(header, "SimpleHeaderConverter"))
		d->note(d->context, "header.converter", "headers are written as SimpleHeaderConverter or JsonConverter write them");
	return result < 0 ? -1 : map_registry(d, err);
}

/* Java producer properties whose librdkafka name differs, or which are fixed. */
static int map_producer(tr_dbz *d, const char *property, const char *name, const char *value, tr_err *err)
{
	static const struct {
		const char *java, *ours, *reason;
	} known[] = {
	    {"bootstrap.servers", NULL, NULL},
	    {"max.request.size", "message.max.bytes", NULL},
	    {"delivery.timeout.ms", NULL, "an outage of the brokers, however long, does not fail events"},
	    {"key.serializer", NULL, "a Java class"}, {"value.serializer", NULL, "a Java class"},
	    {"acks", NULL, "always all"}, {"enable.idempotence", NULL, "always true"},
	    {"max.in.flight.requests.per.connection", NULL, "chosen by tailrace: order is kept"},
	    {"retries", NULL, "records are repeated until they are delivered"},
	    {"buffer.memory", NULL, "memory is limited by limits.memory"}, {"max.block.ms", NULL, "nothing is dropped when the queue is full"},
	    {"transactional.id", NULL, "see delivery"}, {"transaction.timeout.ms", NULL, "see delivery"},
	    {"sasl.jaas.config", NULL, "give sink.properties sasl.username and sasl.password"},
	    {"interceptor.classes", NULL, "a Java class"}, {"partitioner.class", NULL, "records go to partitions by murmur2 of the key"},
	};
	char path[160];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(known[i].java, name) != 0)
			continue;
		if (known[i].reason)
			d->note(d->context, property, known[i].reason);
		if (!known[i].ours)
			return 0;
		name = known[i].ours;
	}
	if (strncmp(name, "ssl.truststore.", 15) == 0 || strncmp(name, "ssl.keystore.", 13) == 0) {
		d->note(d->context, property, "Java key stores cannot be read; give PEM files: sink.properties ssl.ca.location, "
		    "ssl.certificate.location, ssl.key.location");
		return 0;
	}
	snprintf(path, sizeof(path), "sink.properties.%s", name);
	return tr_dbz_set(d, path, value, err);
}

static int map_topic_creation(tr_dbz *d, const char *property, const char *value, tr_err *err)
{
	const char *rest = property + strlen("topic.creation.");
	char path[160];

	if (strcmp(rest, "enable") == 0)
		return tr_dbz_set(d, "sink.topics.create", value, err);
	if (strncmp(rest, "default.", 8) != 0 || strcmp(rest, "default.include") == 0 || strcmp(rest, "default.exclude") == 0) {
		d->note(d->context, property, "topics are made alike: sink.topics");
		return 0;
	}
	rest += 8;
	if (strcmp(rest, "partitions") == 0)
		return tr_dbz_set(d, "sink.topics.partitions", value, err);
	if (strcmp(rest, "replication.factor") == 0)
		return tr_dbz_set(d, "sink.topics.replication", value, err);
	if (strcmp(rest, "cleanup.policy") == 0)
		return tr_dbz_set(d, "sink.topics.cleanup_policy", value, err);
	snprintf(path, sizeof(path), "sink.topics.properties.%s", rest);
	return tr_dbz_set(d, path, value, err);
}

static int map_bootstrap(tr_dbz *d, const char *servers, tr_err *err)
{
	char *url = tr_arena_format(d->arena, "kafka://%s", servers), *out = url;

	/* Java allows spaces after the commas. */
	for (const char *p = url; p && *p; p++) {
		if (*p != ' ')
			*out++ = *p;
	}
	if (!url)
		return tr_tree_no_memory(err);
	*out = '\0';
	return tr_dbz_set(d, "sink.url", url, err);
}

int tr_dbz_map_sink(tr_dbz *d, tr_err *err)
{
	static const char *const producers[] = {"producer.override.", "debezium.sink.kafka.producer.", "producer."};
	const char *servers = tr_dbz_take(d, "bootstrap.servers");
	int result = 0;

	if (!servers)
		servers = tr_dbz_take(d, "debezium.sink.kafka.producer.bootstrap.servers");
	(void)tr_dbz_take(d, "debezium.sink.type");
	if (servers && map_bootstrap(d, servers, err) < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < d->count; i++) {
		tr_dbz_property *p = &d->properties[i];

		if (strncmp(p->name, "topic.creation.", 15) == 0) {
			p->used = true;
			result = map_topic_creation(d, p->name, p->value, err);
		}
		for (size_t j = 0; result == 0 && j < 3 && !p->used; j++) {
			size_t len = strlen(producers[j]);

			if (strncmp(p->name, producers[j], len) != 0)
				continue;
			p->used = true;
			result = map_producer(d, p->name, p->name + len, p->value, err);
		}
	}
	return result;
}

static int map_skipped(tr_dbz *d, const char *value, tr_err *err)
{
	static const char *const words[] = {"create", "update", "delete", "truncate"};
	tr_node *letters = tr_dbz_list(d, value, ','), *list = tr_node_new(d->arena, TR_NODE_LIST, NULL, NULL);

	if (!letters || !list)
		return tr_tree_no_memory(err);
	for (const tr_node *item = letters->first; item; item = item->next) {
		const char *word = strcasecmp(item->text, "none") == 0 ? "none" : item->text;
		tr_node *node;

		for (size_t i = 0; i < 4; i++)
			word = tolower((uint8_t)item->text[0]) == words[i][0] && item->text[1] == '\0' ? words[i] : word;
		node = tr_node_new(d->arena, TR_NODE_SCALAR, NULL, word);
		if (!node)
			return tr_tree_no_memory(err);
		tr_node_add(list, node);
	}
	return list->count > 0 ? tr_config_put_node(d->arena, d->root, "events.skip", list, err) : 0;
}

int tr_dbz_map_rest(tr_dbz *d, tr_err *err)
{
	const char *skipped = tr_dbz_take(d, "skipped.operations"), *retries = tr_dbz_take(d, "errors.max.retries");
	const char *naming = tr_dbz_take(d, "topic.naming.strategy"), *channels = tr_dbz_take(d, "signal.enabled.channels");
	const char *once = tr_dbz_take(d, "exactly.once.support");

	if (skipped && map_skipped(d, skipped, err) < 0)
		return -1;
	if (retries && strcmp(retries, "-1") == 0) {
		if (tr_dbz_set(d, "source.retry_for", "0", err) < 0)
			return -1;
	} else if (retries) {
		d->note(d->context, "errors.max.retries", "attempts are limited by time: source.retry_for");
	}
	/* Topics that Debezium wrote at least once have readers that do not expect transactions. */
	if (tr_dbz_set(d, "delivery", once && strcasecmp(once, "required") == 0 ? "exactly_once" : "at_least_once", err) < 0)
		return -1;
	if (naming && !has(naming, "SchemaTopicNamingStrategy") && !has(naming, "DefaultTopicNamingStrategy"))
		d->note(d->context, "topic.naming.strategy", "a Java class; topics are named <name>.<schema>.<table>");
	if (channels && strcasecmp(channels, "source") != 0)
		d->note(d->context, "signal.enabled.channels", "signals come through the signal table only");
	/* Debezium reads both the partitioned table and its partitions, and publishes defaults for NULL. */
	if (tr_dbz_set(d, "snapshot.as_debezium", "true", err) < 0)
		return -1;
	d->note(d->context, "(none)", "events.null_as_default is true, as Debezium publishes the column's default where a value is NULL; "
	    "set it to false as soon as the topics' readers can take NULL");
	return tr_dbz_set(d, "events.null_as_default", "true", err);
}
