/* tailrace status: the durable state, and what the running process says. */
#include <stdlib.h>
#include <time.h>

#include "core/clock.h"
#include "service/cli.h"
#include "service/status.h"

static const char *const snapshot_names[] = {"none", "running", "done"};

static json_t *object_or_null(const tr_writer *text)
{
	json_t *value = text->len > 0 ? json_loadb((const char *)text->data, text->len, 0, NULL) : NULL;

	return value ? value : json_null();
}

static json_t *text_or_null(const tr_writer *text)
{
	return text->len > 0 ? json_stringn((const char *)text->data, text->len) : json_null();
}

static json_t *durable_json(const tr_record_state *record)
{
	json_t *o = json_object();

	json_object_set_new(o, "position", object_or_null(&record->position));
	json_object_set_new(o, "source", object_or_null(&record->identity));
	json_object_set_new(o, "sink", text_or_null(&record->sink));
	json_object_set_new(o, "owner", text_or_null(&record->owner));
	json_object_set_new(o, "snapshot", json_string(snapshot_names[record->snapshot]));
	json_object_set_new(o, "snapshot_tables", object_or_null(&record->tables));
	json_object_set_new(o, "sequence", json_integer((json_int_t)record->sequence));
	json_object_set_new(o, "saved_at_ms", json_integer((json_int_t)record->saved_at_ms));
	return o;
}

/* Null when nothing is stored. */
static int read_durable(const tr_pipeline_config *p, json_t **out, tr_err *err)
{
	tr_store *store = NULL;
	tr_store_options options = tr_pipeline_store_options(p, true);
	tr_record_state record;
	int found;

	tr_record_state_init(&record);
	options.copy_suffices = true;
	found = tr_store_open(&store, &options, err);
	if (found == 0)
		found = store->ops->load(store, &record, err);
	*out = found > 0 ? durable_json(&record) : json_null();
	tr_record_state_release(&record);
	if (store)
		store->ops->free(store);
	return found < 0 ? -1 : 0;
}

/* The process's /status, or NULL. */
static json_t *ask_process(const char *listen)
{
	char *body = NULL;
	json_t *root = NULL;
	int code = 0;

	if (listen && *listen && tr_status_get(listen, "/status", &code, &body) == 0 && code == 200)
		root = json_loads(body, 0, NULL);
	free(body);
	return root;
}

static json_t *find_running(json_t *process, const char *name)
{
	json_t *each;
	size_t i;

	json_array_foreach(json_object_get(process, "pipelines"), i, each) {
		const char *other = json_string_value(json_object_get(each, "name"));
		if (other && strcmp(other, name) == 0)
			return each;
	}
	return NULL;
}

static void print_age(int64_t saved_at_ms)
{
	int64_t age = tr_clock_wall_ns() / 1000000000 - saved_at_ms / 1000;
	time_t at = (time_t)(saved_at_ms / 1000);
	char text[64];
	struct tm tm;

	gmtime_r(&at, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &tm);
	printf("  saved      %s (%lld s ago)\n", text, (long long)age);
}

static void print_running(const json_t *running)
{
	tr_colours c = tr_cli_colours(stdout);
	const char *state = json_string_value(json_object_get(running, "state"));
	const json_t *error = json_object_get(running, "error"), *owner = json_object_get(running, "owner");
	const char *instance = json_string_value(json_object_get(owner, "instance"));

	if (state && strcmp(state, tr_pipeline_state_name(TR_PIPELINE_STANDBY)) == 0) {
		printf("  running    %sstandby%s here; owned by %s%s%s\n", c.bold, c.reset, instance ? instance : "nobody the group tells of",
		    instance ? " on " : "", instance ? json_string_value(json_object_get(owner, "host")) : "");
		return;
	}
	printf("  running    %s%s%s, %lld events, lag %lld bytes, %.1f s\n", c.bold, state ? state : "?", c.reset,
	    (long long)json_integer_value(json_object_get(running, "events")),
	    (long long)json_integer_value(json_object_get(running, "lag_bytes")),
	    json_number_value(json_object_get(running, "lag_seconds")));
	if (json_is_object(error))
		printf("  error      %s%s (%s)%s\n", c.red, json_string_value(json_object_get(error, "message")),
		    json_string_value(json_object_get(error, "code")), c.reset);
}

static void print_one(const char *name, const json_t *durable, const json_t *running)
{
	tr_colours c = tr_cli_colours(stdout);
	char *position = json_dumps(json_object_get(durable, "position"), JSON_COMPACT | JSON_ENCODE_ANY);

	printf("%s%s%s\n", c.bold, name, c.reset);
	if (json_is_null(durable)) {
		printf("  stored     nothing: the next run starts anew\n");
	} else {
		printf("  position   %s\n", position ? position : "null");
		printf("  snapshot   %s\n", json_string_value(json_object_get(durable, "snapshot")));
		print_age((int64_t)json_integer_value(json_object_get(durable, "saved_at_ms")));
	}
	if (running)
		print_running(running);
	else
		printf("  running    no answer at http.listen\n");
	free(position);
}

static int show(tr_cli *cli, tr_config *config, json_t *list, tr_err *err)
{
	json_t *process = ask_process(config->process.http_listen);
	int result = 0;

	for (size_t i = 0; i < config->count && result == 0; i++) {
		const tr_pipeline_config *p = &config->pipelines[i].pipeline;
		json_t *durable, *running, *entry;

		if (cli->pipeline && strcmp(cli->pipeline, p->name) != 0)
			continue;
		result = read_durable(p, &durable, err);
		running = find_running(process, p->name);
		if (result == 0 && !cli->json)
			print_one(p->name, durable, running);
		entry = json_object();
		json_object_set_new(entry, "name", json_string(p->name));
		json_object_set_new(entry, "stored", durable);
		json_object_set(entry, "running", running ? running : json_null());
		json_array_append_new(list, entry);
	}
	json_decref(process);
	return result;
}

/* For health checks: only the process is asked, at the address of the configuration or else the default one. */
static int ready(tr_cli *cli, tr_err *err)
{
	tr_config *config = NULL;
	char *body = NULL;
	int code = 0;

	if (tr_cli_config(cli, TR_CONFIG_READ, &config, err) < 0)
		return -1;
	if (tr_status_get(config->process.http_listen ? config->process.http_listen : "", "/readyz", &code, &body) < 0) {
		printf("no answer at \"%s\"\n", config->process.http_listen ? config->process.http_listen : "");
		cli->exit_code = tr_err_exit_code(TR_E_SINK_UNAVAILABLE);
	} else {
		printf("%s", body);
		cli->exit_code = code == 200 ? 0 : tr_err_exit_code(TR_E_SINK_UNAVAILABLE);
	}
	free(body);
	tr_config_free(config);
	return 0;
}

int tr_cmd_status(tr_cli *cli, tr_err *err)
{
	tr_config *config;
	tr_settings *chosen;
	json_t *list, *root;
	int result;

	if (cli->ready)
		return ready(cli, err);
	if (tr_cli_config(cli, TR_CONFIG_STATE, &config, err) < 0)
		return -1;
	list = json_array();
	root = json_pack("{s:o}", "pipelines", list);
	result = cli->pipeline ? tr_config_pipeline(config, cli->pipeline, &chosen, err) : 0;
	if (result == 0)
		result = show(cli, config, list, err);
	if (result == 0 && cli->json) {
		json_dumpf(root, stdout, JSON_INDENT(2));
		printf("\n");
	}
	json_decref(root);
	tr_config_free(config);
	return result;
}
