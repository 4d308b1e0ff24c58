/* tailrace import-debezium: the configuration on standard output, what has no counterpart on standard error. */
#include <stdlib.h>

#include "service/cli.h"
#include "service/debezium.h"

#define IMPORT_ARENA_MAX ((size_t)16 << 20)
#define YAML_MAX ((size_t)1 << 20)

typedef struct counter {
	unsigned notes;
} counter;

static void print_note(void *context, const char *property, const char *reason)
{
	counter *c = context;

	c->notes++;
	fprintf(stderr, "%s: %s\n", strcmp(property, "(none)") == 0 ? "note" : property, reason);
}

static void unquote(tr_node *node)
{
	node->quoted = false;
	for (tr_node *child = node->first; child; child = child->next)
		unquote(child);
}

static const tr_node *lookup(const tr_node *root, const char *path)
{
	char key[64];

	while (root && *path) {
		size_t len = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		root = tr_node_get(root, key);
		path += len + (path[len] == '.');
	}
	return root;
}

/* The same keys in the order of the option table, which is the order in which a person reads them. */
static int sort_tree(tr_arena *arena, const tr_node *root, tr_node **out, tr_err *err)
{
	tr_node *found[TR_OPTIONS_MAX];

	*out = tr_node_new(arena, TR_NODE_MAP, NULL, NULL);
	if (!*out)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the configuration");
	for (size_t i = 0; i < tr_option_count; i++) {
		const tr_node *node = lookup(root, tr_options[i].path);

		found[i] = NULL;
		if (node && (found[i] = TR_ARENA_NEW(arena, tr_node)))
			*found[i] = *node;
	}
	for (size_t i = 0; i < tr_option_count; i++) {
		if (found[i] && tr_config_put_node(arena, *out, tr_options[i].path, found[i], err) < 0)
			return -1;
	}
	return 0;
}

/* What was written has to be a configuration that tailrace reads. References are not expanded here. */
static int verify(const tr_dbz *d, tr_slice yaml, tr_err *err)
{
	tr_config_request request = {.file = "result", .text = yaml, .need = TR_CONFIG_READ};
	tr_config *config;

	(void)d;
	if (strstr((const char *)yaml.ptr, "${"))
		return 0;
	if (tr_config_load(&config, &request, err) < 0)
		return tr_err_hint(err, "The connector's value has no counterpart; correct it with --set.");
	tr_config_free(config);
	return 0;
}

static bool is_at_least_once(const tr_dbz *d)
{
	const tr_node *delivery = lookup(d->root, "delivery");

	return delivery && delivery->kind == TR_NODE_SCALAR && strcmp(delivery->text, "at_least_once") == 0;
}

static void print_source_state(const tr_dbz *d)
{
	const tr_node *url = lookup(d->root, "source.url"), *sink = lookup(d->root, "sink.url"),
	              *format = lookup(d->root, "events.format");

	if (url && !strstr(url->text, "${") && !tr_source_find(url->text, NULL))
		fprintf(stderr, "note: this build has no source for this connector yet; the file is for a later one\n");
	if (!sink)
		fprintf(stderr, "note: sink.url is missing: the connector's file does not name the brokers; add --set "
		                "sink.url=kafka://host:9092\n");
	if (is_at_least_once(d))
		fprintf(stderr, "note: delivery is at_least_once, as the connector's was. delivery: exactly_once publishes each event once: events and "
		                "position are then one Kafka transaction, readers need isolation.level=read_committed, and the login "
		                "needs the right to write with the transactional id tailrace-<name> and to the topic tailrace-state\n");
	if (!lookup(d->root, "events.registry.url") && !(format && strcmp(format->text, "json") == 0))
		fprintf(stderr, "note: events.registry.url is missing: the connector's file does not name the registry; add --set "
		                "events.registry.url=http://host:8081\n");
}

static int import(tr_cli *cli, tr_dbz *d, tr_writer *w, tr_err *err)
{
	tr_slice text;
	tr_node *sorted;

	if (tr_tree_read_file(d->arena, cli->args[0], TR_TREE_FILE_MAX, &text, err) < 0)
		return -1;
	if (tr_dbz_read(d, text, err) < 0 || tr_dbz_map(d, err) < 0)
		return tr_err_prefix(err, "%s", cli->args[0]);
	for (size_t i = 0; i < cli->set_count; i++) {
		if (tr_config_put(d->arena, d->root, cli->sets[i].path, cli->sets[i].value, err) < 0)
			return -1;
	}
	unquote(d->root);
	if (sort_tree(d->arena, d->root, &sorted, err) < 0)
		return -1;
	tr_writer_text(w, "# Imported from the configuration of a Debezium connector by tailrace import-debezium.\n");
	if (is_at_least_once(d))
		tr_writer_text(w, "# delivery: exactly_once is available for Kafka; readers then need isolation.level=read_committed.\n");
	tr_tree_write(sorted, 0, w);
	tr_writer_u8(w, 0);
	if (!tr_writer_ok(w))
		return tr_err_set(err, TR_E_CONFIG, "the result is larger than %zu bytes", YAML_MAX);
	w->len--;
	return verify(d, tr_writer_view(w), err);
}

int tr_cmd_import_debezium(tr_cli *cli, tr_err *err)
{
	tr_dbz *d = calloc(1, sizeof(*d));
	counter c = {0};
	tr_arena arena;
	tr_writer w;
	int result;

	if (!d)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the connector's properties");
	tr_arena_init(&arena, IMPORT_ARENA_MAX);
	tr_writer_init(&w, YAML_MAX);
	d->arena = &arena;
	d->note = print_note;
	d->context = &c;
	result = import(cli, d, &w, err);
	if (result == 0) {
		print_source_state(d);
		fwrite(w.data, 1, w.len, stdout);
	}
	tr_writer_release(&w);
	tr_arena_release(&arena);
	free(d);
	return result;
}
