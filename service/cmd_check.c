/* tailrace check and lint: the file, the plan, the environment. Makes nothing, changes nothing. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text.h"
#include "service/check_plan.h"
#include "service/cli.h"
#include "service/report.h"
#include "service/status.h"

static void check_source(tr_report *r, const tr_pipeline_config *p, tr_metrics *metrics)
{
	const tr_source_ops *ops = tr_source_find(p->source.url, NULL);
	tr_source *source = NULL;
	tr_err err = {0};

	if (ops->open(&source, p->name, &p->source, &p->events, metrics, &err) < 0 ||
	    ops->check(source, tr_report_add, r, &err) < 0)
		tr_report_error(r, "source", &err);
	ops->free(source);
}

static void check_sink(tr_report *r, const tr_pipeline_config *p, tr_metrics *metrics)
{
	const tr_sink_ops *ops = tr_sink_find(p->sink.url, NULL);
	tr_sink_options options = p->sink;
	tr_sink *sink = NULL;
	tr_err err = {0};

	options.events = &p->events;
	options.name = p->name;
	options.queue_bytes = p->memory_bytes / 4;
	if (ops->open(&sink, &options, metrics, &err) < 0 || (ops->check && ops->check(sink, tr_report_add, r, &err) < 0))
		tr_report_error(r, "sink", &err);
	ops->free(sink);
}

static void check_registry(tr_report *r, const tr_pipeline_config *p)
{
	const tr_encoder_ops *ops = tr_encoder_find(p->events.format);
	tr_encoder *encoder = NULL;
	tr_err err = {0};

	if (!ops) {
		tr_err_set(&err, TR_E_CONFIG_UNSUPPORTED, "this build cannot write the configured events.format");
		tr_report_error(r, "key events.format", &err);
		return;
	}
	if (ops->open(&encoder, &p->events, &p->registry, &err) < 0 || (ops->check && ops->check(encoder, &err) < 0))
		tr_report_error(r, "registry", &err);
	else if (p->registry.url)
		tr_report_ok(r, "registry", "answers and accepts us");
	ops->free(encoder);
}

/* The directory, or the nearest one above it that exists, has to be writable. */
static void check_state_directory(tr_report *r, const char *url)
{
	char path[4096], *slash;
	tr_err err = {0};
	struct stat info;

	if (strncmp(url, "file:", 5) != 0)
		return;
	snprintf(path, sizeof(path), "%s", strncmp(url, "file://", 7) == 0 ? url + 7 : url + 5);
	while (stat(path, &info) < 0 && errno == ENOENT && (slash = strrchr(path, '/')) && slash != path)
		*slash = '\0';
	if (stat(path, &info) < 0 && errno == ENOENT)
		snprintf(path, sizeof(path), "%s", *path == '/' ? "/" : ".");
	if (access(path, W_OK | X_OK) == 0)
		return;
	tr_err_set(&err, TR_E_STATE_IO, "directory \"%s\" cannot be written", path);
	tr_err_detail(&err, "%s", strerror(errno));
	tr_err_hint(&err, "Make it writable for user id %u, or give another directory with state.url.", (unsigned)geteuid());
	tr_report_error(r, "state", &err);
}

/* Whether what is stored can be continued. */
static void check_position(tr_report *r, const tr_pipeline_config *p, const tr_record_state *record, tr_metrics *metrics)
{
	const tr_source_ops *ops = tr_source_find(p->source.url, NULL);
	tr_source *source = NULL;
	tr_err err = {0};

	if (!ops->serves || record->position.len == 0)
		return;
	if (ops->open(&source, p->name, &p->source, &p->events, metrics, &err) == 0 &&
	    ops->serves(source, tr_writer_view(&record->position), tr_writer_view(&record->identity), &err) < 0)
		tr_report_error(r, "position", &err);
	ops->free(source);
}

static void check_state(tr_report *r, const tr_pipeline_config *p, tr_metrics *metrics)
{
	tr_store *store = NULL;
	tr_record_state record;
	tr_err err = {0};
	tr_store_options options = tr_pipeline_store_options(p, true);
	int found;

	check_state_directory(r, p->state_url);
	tr_record_state_init(&record);
	if (tr_store_open(&store, &options, &err) < 0 || (found = store->ops->load(store, &record, &err)) < 0)
		tr_report_error(r, "state", &err);
	else if (found) {
		tr_report_ok(r, "state", "holds a position; the next run continues there");
		check_position(r, p, &record, metrics);
	} else
		tr_report_ok(r, "state", "holds no position; the next run starts anew");
	tr_record_state_release(&record);
	if (store)
		store->ops->free(store);
}

/* A process that answers here is most likely this service at work: no fault, but run could not bind. */
static void check_http(tr_report *r, const char *listen)
{
	char host[256], port[8], *body = NULL;
	tr_err err = {0};
	int code = 0;

	if (!listen || !*listen)
		return;
	if (!tr_status_split(listen, host, sizeof(host), port, sizeof(port))) {
		tr_err_set(&err, TR_E_HTTP, "http.listen \"%s\" is not of the form host:port", listen);
		tr_err_hint(&err, "Write it as 127.0.0.1:8480, or \"\" for none.");
		tr_report_error(r, "key http.listen", &err);
	} else if (tr_status_get(listen, "/status", &code, &body) == 0) {
		tr_report_ok(r, "http", "%s answers: the service seems to be running", listen);
	}
	free(body);
}

static void check_environment(tr_report *r, const tr_config *config)
{
	tr_metrics *metrics = calloc(1, sizeof(*metrics));

	for (size_t i = 0; metrics && i < config->count; i++) {
		const tr_pipeline_config *p = &config->pipelines[i].pipeline;

		r->pipeline = p->name;
		check_source(r, p, metrics);
		check_sink(r, p, metrics);
		check_registry(r, p);
		check_state(r, p, metrics);
	}
	r->pipeline = NULL;
	check_http(r, config->process.http_listen);
	free(metrics);
}

static int check(tr_cli *cli, bool plan, bool environment)
{
	tr_config *config = NULL;
	tr_report report;
	tr_err err = {0};

	tr_report_init(&report);
	if (tr_cli_config(cli, TR_CONFIG_WHOLE, &config, &err) < 0) {
		tr_report_error(&report, "configuration", &err);
	} else {
		tr_report_ok(&report, "configuration", "%s is valid: %zu pipeline%s", config->file ? config->file : "the command line",
		    config->count, config->count == 1 ? "" : "s");
		tr_config_review(config, tr_report_add, &report);
		report.layer = "plan";
		for (size_t i = 0; plan && i < config->count; i++) {
			report.pipeline = config->pipelines[i].pipeline.name;
			tr_check_plan(&report, &config->pipelines[i].pipeline);
			if (environment)
				tr_check_plan_tables(&report, &config->pipelines[i].pipeline);
		}
		report.layer = "environment";
		report.pipeline = NULL;
		if (environment)
			check_environment(&report, config);
	}
	tr_report_print(&report, cli->json, stdout);
	cli->exit_code = tr_report_exit_code(&report);
	tr_report_release(&report);
	tr_config_free(config);
	return 0;
}

int tr_cmd_check(tr_cli *cli, tr_err *err)
{
	(void)err;
	return check(cli, true, !cli->no_environment);
}

int tr_cmd_lint(tr_cli *cli, tr_err *err)
{
	(void)err;
	return check(cli, false, false);
}
