#include "service/config.h"

#include <stdlib.h>

#include "core/text.h"

#define ARENA_MAX ((size_t)16 << 20)
#define PATH_MAX_BYTES 160

int tr_config_put_node(tr_arena *arena, tr_node *root, const char *path, tr_node *value, tr_err *err)
{
	const char *rest, *end;
	const tr_option *option = tr_option_prefix(path, &rest);
	tr_node *at = root;

	if (!option)
		return tr_option_unknown(path, err);
	for (const char *part = option->path; part; part = end ? end + 1 : NULL) {
		const char *key;
		tr_node *next;

		end = strchr(part, '.');
		key = tr_arena_strndup(arena, part, end ? (size_t)(end - part) : strlen(part));
		if (!key)
			return tr_tree_no_memory(err);
		if (!end && !rest) {
			tr_node_put(at, key, value);
			return 0;
		}
		next = tr_node_get(at, key);
		if (!next || next->kind != TR_NODE_MAP) {
			if (next && !tr_node_is_null(next)) {
				tr_err_set(err, TR_E_CONFIG, "\"%s\" is not a map, so \"%s\" cannot be set", key, path);
				return tr_node_error(next, err);
			}
			next = tr_node_new(arena, TR_NODE_MAP, NULL, NULL);
			if (!next)
				return tr_tree_no_memory(err);
			tr_node_put(at, key, next);
		}
		at = next;
	}
	rest = tr_arena_strdup(arena, rest);
	if (!rest)
		return tr_tree_no_memory(err);
	tr_node_put(at, rest, value);
	return 0;
}

int tr_config_put(tr_arena *arena, tr_node *root, const char *path, const char *text, tr_err *err)
{
	const char *origin = tr_arena_format(arena, "--set %s", path);
	tr_node *value;

	if (!origin)
		return tr_tree_no_memory(err);
	if (tr_tree_value(arena, origin, text, &value, err) < 0)
		return -1;
	return tr_config_put_node(arena, root, path, value, err);
}

int tr_config_tree(tr_arena *arena, const tr_config_request *request, tr_node **out, tr_err *err)
{
	int result = 0;

	if (request->text.ptr)
		result = tr_tree_parse(arena, request->file ? request->file : "configuration", request->text, out, err);
	else if (request->file)
		result = tr_tree_load(arena, request->file, out, err);
	else if (!(*out = tr_node_new(arena, TR_NODE_MAP, NULL, NULL)))
		result = tr_tree_no_memory(err);
	for (size_t i = 0; result == 0 && i < request->set_count; i++) {
		result = tr_config_put(arena, *out, request->sets[i].path, request->sets[i].value, err);
		if (result < 0 && err->code == TR_E_CONFIG_UNKNOWN_KEY)
			tr_err_prefix(err, "--set");
	}
	return result;
}

typedef struct reading {
	tr_arena *arena;
	tr_settings *settings;
	bool *given;      /* by option */
	bool in_pipeline; /* an entry of `pipelines` */
	bool defaults;    /* the top beside `pipelines` */
} reading;

static int check_place(const reading *r, const tr_option *option, const tr_node *node, tr_err *err)
{
	if (r->in_pipeline && (option->flags & TR_OPTION_PROCESS)) {
		tr_err_set(err, TR_E_CONFIG, "\"%s\" belongs to the process, not to one pipeline", option->path);
		tr_err_hint(err, "Put it beside \"pipelines\".");
		return tr_node_error(node, err);
	}
	if (r->defaults && (option->flags & TR_OPTION_OWN)) {
		tr_err_set(err, TR_E_CONFIG, "\"%s\" stands beside \"pipelines\"", option->path);
		tr_err_hint(err, "Each pipeline has its own; put it into an entry of \"pipelines\".");
		return tr_node_error(node, err);
	}
	return 0;
}

static int read_option(const reading *r, const tr_option *option, const tr_node *node, tr_err *err)
{
	if (check_place(r, option, node, err) < 0)
		return -1;
	/* `key:` without a value means: not given. */
	if (tr_node_is_null(node))
		return 0;
	r->given[option - tr_options] = true;
	return tr_option_apply(option, r->arena, node, r->settings, err);
}

static int read_map(const reading *r, const tr_node *map, const char *prefix, tr_err *err)
{
	for (const tr_node *child = map->first; child; child = child->next) {
		char path[PATH_MAX_BYTES];
		const tr_option *option;

		if (*prefix == '\0' && !r->in_pipeline && strcmp(child->key, "pipelines") == 0)
			continue;
		tr_text_format(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", child->key);
		option = tr_option_find(path);
		if (option) {
			if (read_option(r, option, child, err) < 0)
				return -1;
			continue;
		}
		if (!tr_option_is_section(path)) {
			tr_option_unknown(path, err);
			return tr_node_error(child, err);
		}
		if (tr_node_is_null(child))
			continue;
		if (child->kind != TR_NODE_MAP) {
			tr_err_set(err, TR_E_CONFIG, "\"%s\" is a section: keys belong under it", path);
			return tr_node_error(child, err);
		}
		if (read_map(r, child, path, err) < 0)
			return -1;
	}
	return 0;
}

static int read_defaults(tr_config *config, tr_settings *settings, tr_err *err)
{
	for (size_t i = 0; i < tr_option_count; i++) {
		if (tr_option_apply_default(&tr_options[i], &config->arena, settings, err) < 0)
			return tr_err_set(err, TR_E_BUG, "default of \"%s\" is not valid", tr_options[i].path);
	}
	return 0;
}

static int read_pipelines(tr_config *config, const tr_node *list, const bool *top_given, tr_config_need need, tr_err *err)
{
	if (list->kind != TR_NODE_LIST || list->count == 0 || list->count > TR_CONFIG_PIPELINES_MAX) {
		tr_err_set(err, TR_E_CONFIG, "\"pipelines\" has to be a list of 1 to %d pipelines", TR_CONFIG_PIPELINES_MAX);
		return tr_node_error(list, err);
	}
	config->pipelines = TR_ARENA_ARRAY(&config->arena, tr_settings, list->count);
	if (!config->pipelines)
		return tr_tree_no_memory(err);
	for (const tr_node *item = list->first; item; item = item->next) {
		tr_settings *settings = &config->pipelines[config->count++];
		bool given[TR_OPTIONS_MAX];
		reading r = {.arena = &config->arena, .settings = settings, .given = given, .in_pipeline = true};

		if (item->kind != TR_NODE_MAP) {
			tr_err_set(err, TR_E_CONFIG, "an entry of \"pipelines\" is not a map");
			return tr_node_error(item, err);
		}
		*settings = config->process;
		memcpy(given, top_given, sizeof(given));
		if (read_map(&r, item, "", err) < 0)
			return -1;
		if (tr_config_finish(&config->arena, settings, need, given, err) < 0)
			return tr_node_error(item, err);
	}
	return 0;
}

static int check_distinct(const tr_config *config, tr_err *err)
{
	for (size_t i = 0; i < config->count; i++) {
		for (size_t j = 0; j < i; j++) {
			const tr_pipeline_config *a = &config->pipelines[i].pipeline, *b = &config->pipelines[j].pipeline;

			if (strcmp(a->name, b->name) == 0) {
				tr_err_set(err, TR_E_CONFIG, "two pipelines have the name \"%s\"", a->name);
				return tr_err_hint(err, "Give each its own name: it is the key of its state and the prefix of its topics.");
			}
			if (strcmp(a->source.url, b->source.url) == 0 && a->source.slot && b->source.slot &&
			    strcmp(a->source.slot, b->source.slot) == 0) {
				tr_err_set(err, TR_E_CONFIG, "pipelines \"%s\" and \"%s\" share the slot \"%s\"", b->name, a->name,
				    a->source.slot);
				return tr_err_hint(err, "Give each its own source.slot.");
			}
		}
	}
	return 0;
}

static int read_all(tr_config *config, const tr_node *root, tr_config_need need, tr_err *err)
{
	const tr_node *list = tr_node_get(root, "pipelines");
	bool given[TR_OPTIONS_MAX] = {false};
	reading r = {.arena = &config->arena, .settings = &config->process, .given = given, .defaults = list != NULL};

	if (read_defaults(config, &config->process, err) < 0 || read_map(&r, root, "", err) < 0)
		return -1;
	if (list)
		return read_pipelines(config, list, given, need, err) < 0 ? -1 : need != TR_CONFIG_WHOLE ? 0 : check_distinct(config, err);
	config->pipelines = TR_ARENA_NEW(&config->arena, tr_settings);
	if (!config->pipelines)
		return tr_tree_no_memory(err);
	config->count = 1;
	*config->pipelines = config->process;
	if (tr_config_finish(&config->arena, config->pipelines, need, given, err) < 0)
		return config->file ? tr_err_prefix(err, "%s", config->file) : -1;
	return 0;
}

static int read_tree(tr_config *config, const tr_node *root, tr_config_need need, tr_err *err)
{
	return read_all(config, root, need, err) < 0 || (need == TR_CONFIG_WHOLE && tr_config_fleet(config, err) < 0) ? -1 : 0;
}

int tr_config_load(tr_config **out, const tr_config_request *request, tr_err *err)
{
	tr_config *config = calloc(1, sizeof(*config));
	tr_node *root;

	*out = NULL;
	if (!config)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the configuration");
	tr_arena_init(&config->arena, ARENA_MAX);
	config->file = request->file ? tr_arena_strdup(&config->arena, request->file) : NULL;
	if (tr_config_tree(&config->arena, request, &root, err) < 0 || read_tree(config, root, request->need, err) < 0) {
		tr_config_free(config);
		return -1;
	}
	*out = config;
	return 0;
}

void tr_config_free(tr_config *config)
{
	if (!config)
		return;
	tr_arena_release(&config->arena);
	free(config);
}

int tr_config_pipeline(tr_config *config, const char *name, tr_settings **out, tr_err *err)
{
	char names[256] = "";

	if (!name && config->count == 1) {
		*out = &config->pipelines[0];
		return 0;
	}
	for (size_t i = 0; i < config->count; i++) {
		const char *each = config->pipelines[i].pipeline.name ? config->pipelines[i].pipeline.name : "(unnamed)";

		if (name && strcmp(each, name) == 0) {
			*out = &config->pipelines[i];
			return 0;
		}
		tr_text_format(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i > 0 ? ", " : "", each);
	}
	tr_err_set(err, TR_E_USAGE, name ? "no pipeline has the name \"%s\"" : "the configuration has several pipelines%s",
	    name ? name : "");
	return tr_err_hint(err, "Choose one with --pipeline NAME: %s.", names);
}
