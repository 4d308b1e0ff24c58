/*
 * tailrace offsets: show, export, import, set, reset. What changes the record looks first, asks, and only then opens the state
 * to be written, since that takes the pipeline's lock, or the pipeline itself, from whoever has it. A copy is kept.
 */
#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#include "service/cli.h"

#define RECORD_MAX ((size_t)16 << 20)

typedef struct offsets {
	const tr_pipeline_config *pipeline;
	const char *copies; /* directory */
	bool any_sink; /* what is given is for whichever sink runs next */
	bool only_shows;
	tr_store *store;
	tr_record_state record;
	int found;
	bool transactional;
	bool unusable; /* something is stored that cannot be read */
	uint64_t sequence;
} offsets;

static void close_record(offsets *o)
{
	if (o->store)
		o->store->ops->free(o->store);
	o->store = NULL;
	tr_record_state_release(&o->record);
	tr_record_state_init(&o->record);
}

static int open_record(offsets *o, bool read_only, tr_err *err)
{
	tr_store_options options = tr_pipeline_store_options(o->pipeline, read_only);

	o->transactional = options.transactional;
	options.copies = o->copies;
	options.copy_suffices = o->only_shows;
	if (tr_store_open(&o->store, &options, err) < 0)
		return -1;
	o->found = o->store->ops->load(o->store, &o->record, err);
	return o->found;
}

/* As open_record, for those who replace the record: one that cannot be read is no obstacle to them. */
static int open_any_record(offsets *o, bool read_only, tr_err *err)
{
	tr_err why = {0};

	o->unusable = false;
	if (open_record(o, read_only, &why) >= 0) {
		o->sequence = o->record.sequence;
		return 0;
	}
	if (!o->store || (why.code != TR_E_STATE_CORRUPT && why.code != TR_E_STATE_BACKWARDS)) {
		*err = why;
		return -1;
	}
	if (read_only)
		fprintf(stderr, "what is stored cannot be read: %s: %s\n", why.text, why.detail);
	o->unusable = true;
	o->found = 0;
	o->sequence = 0;
	return 0;
}

static int encode(const offsets *o, tr_writer *w, tr_err *err)
{
	if (tr_record_state_encode(&o->record, o->pipeline->name, w, err) < 0)
		return -1;
	return tr_writer_ok(w) ? 0 : tr_err_set(err, TR_E_STATE_CORRUPT, "the stored record is larger than %zu bytes", RECORD_MAX);
}

static void print_slice(const char *label, const tr_writer *text)
{
	if (text->len > 0)
		printf("  %-10s %.*s\n", label, (int)text->len, (const char *)text->data);
}

static int print_json(const offsets *o, tr_err *err)
{
	tr_writer w;
	int result;

	tr_writer_init(&w, RECORD_MAX);
	result = encode(o, &w, err);
	if (result == 0)
		printf("%.*s\n", (int)w.len, (const char *)w.data);
	tr_writer_release(&w);
	return result;
}

static int show(offsets *o, bool json, tr_err *err)
{
	static const char *const snapshot_names[] = {"none", "running", "done"};

	o->only_shows = true;
	if (open_record(o, true, err) < 0)
		return -1;
	if (!o->found) {
		if (json)
			printf("null\n");
		else
			printf("%s: no position is stored in %s\n", o->pipeline->name, o->pipeline->state_url);
		return 0;
	}
	if (!json) {
		printf("%s\n", o->pipeline->name);
		print_slice("position", &o->record.position);
		print_slice("sink", &o->record.sink);
		print_slice("owner", &o->record.owner);
		print_slice("source", &o->record.identity);
		printf("  %-10s %s\n", "snapshot", snapshot_names[o->record.snapshot]);
		print_slice("tables", &o->record.tables);
		printf("  %-10s %llu\n", "saves", (unsigned long long)o->record.sequence);
		return 0;
	}
	return print_json(o, err);
}

static int export_record(offsets *o, tr_err *err)
{
	o->only_shows = true;
	if (open_record(o, true, err) < 0)
		return -1;
	if (!o->found) {
		tr_err_set(err, TR_E_USAGE, "pipeline \"%s\" has no stored position to export", o->pipeline->name);
		return tr_err_hint(err, "Looked into %s.", o->pipeline->state_url);
	}
	return print_json(o, err);
}

/* 0 when the person agrees. */
static int confirm(const tr_cli *cli, const char *what, tr_err *err)
{
	char answer[16];

	if (cli->yes)
		return 0;
	if (!isatty(STDIN_FILENO)) {
		tr_err_set(err, TR_E_USAGE, "nobody can be asked: standard input is not a terminal");
		return tr_err_hint(err, "Say it with --yes.");
	}
	fprintf(stderr, "%s Type yes to go on: ", what);
	if (fgets(answer, sizeof(answer), stdin) && strcmp(answer, "yes\n") == 0)
		return 0;
	return tr_err_set(err, TR_E_USAGE, "not confirmed; nothing was changed");
}

static int set_position(offsets *o, const json_t *position, tr_err *err)
{
	char *text = json_dumps(position, JSON_COMPACT);

	if (!text)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the position");
	tr_writer_reset(&o->record.position);
	tr_writer_text(&o->record.position, text);
	free(text);
	return 0;
}

/* Only a source can read its positions; what it cannot read would stop the next run. */
static bool is_position(const tr_source_ops *wanted, tr_slice position)
{
	const tr_source_ops *ops;

	for (size_t i = 0; (ops = tr_source_at(i)); i++)
		if ((!wanted || wanted == ops) && ops->compare(position, position) == 0)
			return true;
	return false;
}

static int check_position(const offsets *o, tr_err *err)
{
	const tr_source_ops *ops = tr_source_find(o->pipeline->source.url, NULL);
	tr_slice position = tr_writer_view(&o->record.position);

	if (position.len == 0 || is_position(ops, position))
		return 0;
	tr_err_set(err, TR_E_USAGE, "what to set is no position of %s", ops ? "this kind of source" : "any source");
	return tr_err_hint(err, "Nothing was changed. A position looks as `tailrace offsets show` prints it, for PostgreSQL "
	    "{\"lsn\":\"0/16B3748\"}.");
}

/* What a person gives is not what is stored: its faults are theirs to mend. */
static int decode_given(tr_record_state *record, tr_slice text, tr_err *err)
{
	tr_err why = {0};

	if (tr_record_state_decode(record, text, &why) == 0)
		return 0;
	if (why.code != TR_E_STATE_CORRUPT) {
		*err = why;
		return tr_err_prefix(err, "what is given");
	}
	tr_err_set(err, TR_E_USAGE, "what is given is no record of a state");
	tr_err_detail(err, "%s", why.detail);
	return tr_err_hint(err, "Nothing was changed. Give a record as `tailrace offsets export` writes it.");
}

/* A record as exported, or a position alone. */
static int read_new_record(offsets *o, tr_slice text, tr_err *err)
{
	json_error_t problem;
	json_t *root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &problem);
	int result;

	if (!json_is_object(root)) {
		json_decref(root);
		tr_err_set(err, TR_E_USAGE, "what to set is not a JSON object");
		return tr_err_hint(err, "Give a record as `tailrace offsets export` writes it, or a position such as "
		    "{\"lsn\":\"0/16B3748\"}.");
	}
	if (json_object_get(root, "version")) {
		tr_record_state_release(&o->record);
		tr_record_state_init(&o->record);
		result = decode_given(&o->record, text, err);
	} else {
		result = set_position(o, root, err);
		/* A position without a record: the changes after it, not the rows before. */
		o->record.snapshot = TR_SNAPSHOT_DONE;
		/* Given by hand: what the topics hold behind it nobody knows. */
		o->record.delivery = TR_STATE_AT_LEAST_ONCE;
	}
	json_decref(root);
	tr_writer_reset(&o->record.owner);
	if (o->any_sink)
		tr_writer_reset(&o->record.sink);
	return result == 0 ? check_position(o, err) : -1;
}

/* A copy in a directory is not the state: changed alone, the next run would take it for a damaged one. */
static int needs_sink(const offsets *o, tr_err *err)
{
	if (o->pipeline->sink.url || o->transactional || o->record.delivery != TR_STATE_EXACTLY_ONCE)
		return 0;
	tr_err_set(err, TR_E_CONFIG, "sink.url is missing: the state of pipeline \"%s\" lies with its events in Kafka", o->pipeline->name);
	tr_err_detail(err, "\"%s\" holds a copy", o->pipeline->state_url);
	return tr_err_hint(err, "Nothing was changed. Give -c FILE, or --sink kafka://HOST:PORT.");
}

/* Opening the state to write it has shut out whoever runs the pipeline; that one may not know yet. */
static void tell_owner(const offsets *o)
{
	if (o->record.owner.len > 0)
		fprintf(stderr, "instance %.*s has not left this pipeline: if it still runs, it writes nothing more and ends with 75 within "
		    "30 s\n", (int)o->record.owner.len, (const char *)o->record.owner.data);
}

/* What was there when the person was asked has to be there still. */
static int take_over(offsets *o, tr_err *err)
{
	offsets seen = *o;
	char backup[4096] = "";

	close_record(o);
	if (open_any_record(o, false, err) < 0)
		return -1;
	if (o->found != seen.found || o->unusable != seen.unusable || o->sequence != seen.sequence) {
		tr_err_set(err, TR_E_STATE_BUSY, "the state of pipeline \"%s\" moved meanwhile", o->pipeline->name);
		return tr_err_hint(err, "Nothing was changed. The pipeline is running somewhere: stop it first.");
	}
	tell_owner(o);
	if (!o->found && !o->unusable)
		return 0;
	if (o->store->ops->reset(o->store, backup, sizeof(backup), err) < 0)
		return -1;
	if (*backup)
		fprintf(stderr, "the record that was there is kept in %s\n", backup);
	return 0;
}

/* Asks, and puts the record that was read from `text` in the place of what is stored. */
static int replace(const tr_cli *cli, offsets *o, tr_slice text, tr_err *err)
{
	tr_record_state wanted;

	if (needs_sink(o, err) < 0 || read_new_record(o, text, err) < 0 ||
	    confirm(cli, "The stored position will be replaced: changes before the new one are not published again, those after it may "
	        "be published twice.", err) < 0)
		return -1;
	wanted = o->record;
	tr_record_state_init(&o->record);
	int result = take_over(o, err);
	if (wanted.sequence < o->record.sequence)
		wanted.sequence = o->record.sequence;
	tr_record_state_stamp(&wanted, o->record.saved_at_ms);
	tr_record_state_release(&o->record);
	o->record = wanted;
	if (result < 0)
		return -1;
	o->record.sequence++;
	/* Whoever wrote what was given: from now on it is this state that is right, whatever a topic says. */
	if (!o->transactional)
		o->record.delivery = TR_STATE_AT_LEAST_ONCE;
	return o->store->ops->save(o->store, &o->record, err);
}

static int set(const tr_cli *cli, offsets *o, tr_slice text, tr_err *err)
{
	o->any_sink = true;
	if (open_any_record(o, true, err) < 0 || replace(cli, o, text, err) < 0)
		return -1;
	printf("%s: position set\n", o->pipeline->name);
	return 0;
}

static int check_import(const tr_cli *cli, const offsets *o, tr_slice text, tr_err *err)
{
	tr_record_state record;
	int result;

	tr_record_state_init(&record);
	result = decode_given(&record, text, err);
	tr_writer_u8(&record.pipeline, 0);
	if (result == 0 && record.reset) {
		result = tr_err_set(err, TR_E_USAGE, "what to import says that nothing was stored");
	} else if (result == 0 && !cli->force && strcmp((const char *)record.pipeline.data, o->pipeline->name) != 0) {
		result = tr_err_set(err, TR_E_USAGE, "what to import is the state of pipeline \"%s\", this one is \"%s\"",
		    (const char *)record.pipeline.data, o->pipeline->name);
		tr_err_hint(err, "Nothing was changed. --name gives the pipeline its name, which is also the prefix of its topics; --force "
		                 "takes the state as it is.");
	}
	tr_record_state_release(&record);
	return result;
}

static int import_record(const tr_cli *cli, offsets *o, tr_slice text, tr_err *err)
{
	if (check_import(cli, o, text, err) < 0 || open_any_record(o, true, err) < 0)
		return -1;
	if ((o->found || o->unusable) && !cli->force) {
		tr_err_set(err, TR_E_USAGE, "pipeline \"%s\" has a state already", o->pipeline->name);
		tr_err_detail(err, "in %s", o->pipeline->state_url);
		return tr_err_hint(err, "Nothing was changed. --force replaces it, and keeps a copy.");
	}
	if (replace(cli, o, text, err) < 0)
		return -1;
	printf("%s: state imported into %s\n", o->pipeline->name, o->pipeline->state_url);
	return 0;
}

/* set and import: from a file, or - for standard input. */
static int from_file(const tr_cli *cli, offsets *o, tr_err *err)
{
	bool import = strcmp(cli->args[0], "import") == 0;
	tr_arena arena;
	tr_slice text;
	int result;

	if (cli->arg_count < 2) {
		tr_err_set(err, TR_E_USAGE, "offsets %s needs a FILE", cli->args[0]);
		return tr_err_hint(err, "- is standard input. See: tailrace offsets --help");
	}
	tr_arena_init(&arena, RECORD_MAX * 2);
	result = tr_tree_read_file(&arena, cli->args[1], RECORD_MAX, &text, err);
	if (result == 0)
		result = import ? import_record(cli, o, text, err) : set(cli, o, text, err);
	tr_arena_release(&arena);
	return result;
}

static int drop_at_source(const offsets *o, tr_err *err)
{
	const tr_pipeline_config *p = o->pipeline;
	const tr_source_ops *ops = tr_source_find(p->source.url, NULL);
	tr_source *source = NULL;
	char what[400] = "";
	int result;

	if (!ops->drop) {
		printf("%s: nothing stays at a source of this kind\n", p->name);
		return 0;
	}
	result = ops->open(&source, p->name, &p->source, &p->events, NULL, err);
	if (result == 0)
		result = ops->drop(source, what, sizeof(what), err);
	ops->free(source);
	if (result == 0)
		printf("%s: %s%s at the source\n", p->name, *what ? "dropped " : "nothing to drop", what);
	return result;
}

static int confirm_reset(const tr_cli *cli, const offsets *o, bool any, tr_err *err)
{
	if (any && confirm(cli, cli->drop ? "The stored position, and slot and publication at the source, will be removed: the next run "
	    "starts anew, with a snapshot unless the configuration says otherwise." : "The stored position will be removed: the next "
	    "run starts anew, with a snapshot unless the configuration says otherwise. A slot of the source stays until it is dropped.",
	    err) < 0)
		return -1;
	if (!any && cli->drop && confirm(cli, "Slot and publication of this name will be dropped at the source.", err) < 0)
		return -1;
	return needs_sink(o, err);
}

static int reset(const tr_cli *cli, offsets *o, tr_err *err)
{
	const tr_source_ops *source = tr_source_find(o->pipeline->source.url, NULL);

	if (cli->drop && !source) {
		tr_err_set(err, TR_E_CONFIG, "source.url is missing: --drop has to ask the source");
		return tr_err_hint(err, "Nothing was changed. Give -c FILE, or --source postgres://user@host/database.");
	}
	if (open_any_record(o, true, err) < 0)
		return -1;
	bool any = o->found || o->unusable;
	/* Also with nothing there: whoever runs this pipeline has the lock, and may store something at any time. */
	if (confirm_reset(cli, o, any, err) < 0 || take_over(o, err) < 0)
		return -1;
	printf(any ? "%s: position removed\n" : "%s: no position is stored\n", o->pipeline->name);
	if (cli->drop)
		return drop_at_source(o, err);
	if (any && source && source->drop)
		fprintf(stderr, "slot \"%s\" stays at the source, if it was made: drop it before a run with a new snapshot, by "
		    "`tailrace offsets reset --drop`\n", o->pipeline->source.slot);
	return 0;
}

int tr_cmd_offsets(tr_cli *cli, tr_err *err)
{
	offsets o = {0};
	tr_arena arena;
	tr_config *config;
	tr_settings *settings;
	const char *what = cli->args[0];
	int result;

	if (tr_cli_config(cli, TR_CONFIG_STATE, &config, err) < 0)
		return -1;
	tr_arena_init(&arena, 1 << 16);
	o.copies = tr_config_state_dir(&arena);
	tr_record_state_init(&o.record);
	result = tr_config_pipeline(config, cli->pipeline, &settings, err);
	if (result == 0) {
		o.pipeline = &settings->pipeline;
		if (strcmp(what, "show") == 0)
			result = show(&o, cli->json, err);
		else if (strcmp(what, "export") == 0)
			result = export_record(&o, err);
		else if (strcmp(what, "set") == 0 || strcmp(what, "import") == 0)
			result = from_file(cli, &o, err);
		else if (strcmp(what, "reset") == 0)
			result = reset(cli, &o, err);
		else
			result = tr_err_set(err, TR_E_USAGE, "offsets has no \"%.40s\"; it has show, export, import, set and reset", what);
	}
	close_record(&o);
	tr_record_state_release(&o.record);
	tr_arena_release(&arena);
	tr_config_free(config);
	return result;
}
