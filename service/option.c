#include "service/option.h"

#include <stdlib.h>
#include <strings.h>

#include "core/text.h"

#define LIST_ITEMS_MAX 4096

const tr_option *tr_option_find(const char *path)
{
	for (size_t i = 0; i < tr_option_count; i++) {
		if (strcmp(tr_options[i].path, path) == 0)
			return &tr_options[i];
	}
	return NULL;
}

bool tr_option_is_section(const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < tr_option_count; i++) {
		if (strncmp(tr_options[i].path, path, len) == 0 && tr_options[i].path[len] == '.')
			return true;
	}
	return false;
}

const tr_option *tr_option_prefix(const char *path, const char **rest)
{
	*rest = NULL;
	for (size_t i = 0; i < tr_option_count; i++) {
		const tr_option *o = &tr_options[i];
		size_t len = strlen(o->path);

		if (strcmp(o->path, path) == 0)
			return o;
		if (o->type == TR_OPTION_MAP && strncmp(o->path, path, len) == 0 && path[len] == '.') {
			*rest = path + len + 1;
			return o;
		}
	}
	return NULL;
}

/* The last part of a path. */
static const char *leaf(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static const char *nearest_path(const char *path)
{
	const char *paths[TR_OPTIONS_MAX], *leaves[TR_OPTIONS_MAX], *found;

	for (size_t i = 0; i < tr_option_count; i++) {
		paths[i] = tr_options[i].path;
		leaves[i] = leaf(tr_options[i].path);
		/* The right key in the wrong section: "source.readers" for "snapshot.readers". */
		if (strcmp(leaves[i], leaf(path)) == 0)
			return paths[i];
	}
	found = tr_text_nearest(path, paths, tr_option_count);
	if (found)
		return found;
	found = tr_text_nearest(leaf(path), leaves, tr_option_count);
	for (size_t i = 0; found && i < tr_option_count; i++) {
		if (leaves[i] == found)
			return paths[i];
	}
	return NULL;
}

static const char *nearest_section(const char *path)
{
	static const char *const sections[] = {"source", "snapshot", "events", "events.registry", "events.heartbeat", "sink",
	    "sink.topics", "sink.roll", "state", "limits", "fleet", "http", "log", "pipelines", "name", "delivery"};

	return tr_text_nearest(path, sections, sizeof(sections) / sizeof(sections[0]));
}

int tr_option_unknown(const char *path, tr_err *err)
{
	const char *section = nearest_section(path);
	const char *near = strchr(path, '.') || !section ? nearest_path(path) : section;

	tr_err_set(err, TR_E_CONFIG_UNKNOWN_KEY, "unknown key \"%s\"", path);
	if (!near)
		near = section;
	if (near)
		return tr_err_hint(err, "Did you mean \"%s\"? All keys: tailrace docs options", near);
	return tr_err_hint(err, "All keys: tailrace docs options");
}

const char *tr_option_type_name(const tr_option *option)
{
	static const char *const names[] = {
	    [TR_OPTION_STRING] = "text", [TR_OPTION_CHOICE] = "one of", [TR_OPTION_ENUM] = "one of", [TR_OPTION_BOOL] = "bool",
	    [TR_OPTION_INT] = "number", [TR_OPTION_SIZE] = "size", [TR_OPTION_DURATION] = "duration", [TR_OPTION_LIST] = "list",
	    [TR_OPTION_PATTERNS] = "list", [TR_OPTION_MAP] = "map", [TR_OPTION_SPECIAL] = "list"};

	return names[option->type];
}

static void *member(const tr_option *option, tr_settings *settings)
{
	return (uint8_t *)settings + option->at;
}

static int bad_value(const tr_option *option, const char *text, const char *expected, tr_err *err)
{
	if (option->flags & TR_OPTION_SECRET)
		text = "***";
	tr_err_set(err, TR_E_CONFIG, "%s: \"%.80s\" is not %s", option->path, text, expected);
	return tr_err_hint(err, "%s", option->help);
}

static int store_integer(const tr_option *option, void *at, int64_t value, const char *text, tr_err *err)
{
	if ((option->min != 0 || option->max != 0) && (value < option->min || value > option->max)) {
		tr_err_set(err, TR_E_CONFIG, "%s: %s is outside of what is allowed", option->path, text);
		return tr_err_hint(err, option->type == TR_OPTION_DURATION ? "Allowed: %lld ms to %lld ms." : "Allowed: %lld to %lld.",
		    (long long)option->min, (long long)option->max);
	}
	if (option->width == sizeof(int32_t)) {
		int32_t small = (int32_t)value;
		memcpy(at, &small, sizeof(small));
	} else {
		memcpy(at, &value, sizeof(value));
	}
	return 0;
}

static int parse_bool(const tr_option *option, const char *text, bool *out, tr_err *err)
{
	static const char *const yes[] = {"true", "yes", "on", "1"}, *const no[] = {"false", "no", "off", "0"};

	for (size_t i = 0; i < 4; i++) {
		if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
			*out = strcasecmp(text, yes[i]) == 0;
			return 0;
		}
	}
	return bad_value(option, text, "true or false", err);
}

static int parse_choice(const tr_option *option, const char *text, size_t *index, tr_err *err)
{
	char all[256] = "";
	size_t count = 0;
	const char *near;

	for (; option->choices[count]; count++) {
		if (strcmp(option->choices[count], text) == 0) {
			*index = count;
			return 0;
		}
		tr_text_format(all + strlen(all), sizeof(all) - strlen(all), "%s%s", count > 0 ? ", " : "", option->choices[count]);
	}
	near = tr_text_nearest(text, option->choices, count);
	tr_err_set(err, TR_E_CONFIG, "%s: \"%.80s\" is not one of its values", option->path, text);
	if (near)
		return tr_err_hint(err, "Did you mean \"%s\"? Values: %s.", near, all);
	return tr_err_hint(err, "Values: %s.", all);
}

static int parse_int(const tr_option *option, const char *text, int64_t *out, tr_err *err)
{
	char *end;

	*out = strtoll(text, &end, 10);
	if (end == text || *end != '\0')
		return bad_value(option, text, "a whole number", err);
	return 0;
}

static int apply_text(const tr_option *option, const char *text, tr_settings *settings, tr_err *err)
{
	void *at = member(option, settings);
	uint64_t bytes;
	int64_t number;
	size_t index;

	switch (option->type) {
	case TR_OPTION_STRING:
		if (*text == '\0' && !(option->flags & TR_OPTION_EMPTY_OK))
			text = NULL;
		memcpy(at, &text, sizeof(text));
		return 0;
	case TR_OPTION_CHOICE:
		if (parse_choice(option, text, &index, err) < 0)
			return -1;
		memcpy(at, &option->choices[index], sizeof(char *));
		return 0;
	case TR_OPTION_ENUM:
		if (parse_choice(option, text, &index, err) < 0)
			return -1;
		return store_integer(option, at, (int64_t)index, text, err);
	case TR_OPTION_BOOL:
		return parse_bool(option, text, at, err);
	case TR_OPTION_INT:
		return parse_int(option, text, &number, err) < 0 ? -1 : store_integer(option, at, number, text, err);
	case TR_OPTION_SIZE:
		if (tr_text_parse_size(text, &bytes, err) < 0)
			return tr_err_prefix(err, "%s", option->path);
		return store_integer(option, at, bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes, text, err);
	case TR_OPTION_DURATION:
		if (tr_text_parse_duration(text, &number, err) < 0)
			return tr_err_prefix(err, "%s", option->path);
		return store_integer(option, at, number / 1000, text, err);
	default:
		return bad_value(option, text, tr_option_type_name(option), err);
	}
}

static char *trimmed(char *text)
{
	size_t len;

	text += strspn(text, " ");
	len = strlen(text);
	while (len > 0 && text[len - 1] == ' ')
		text[--len] = '\0';
	return text;
}

/* A list, or one text with commas between the items. Counts first, so that the array is exact. */
static int collect_items(tr_arena *arena, const tr_node *node, const char *const **out, size_t *out_count, tr_err *err)
{
	size_t count = 0, at = 0;
	const char **items;
	const char *text;

	if (node->kind == TR_NODE_SCALAR) {
		if (tr_node_expand(arena, node, &text, err) < 0)
			return -1;
		char *copy = tr_arena_strdup(arena, text), *save = NULL;
		for (const char *p = text; *p; p++)
			count += *p == ',';
		items = TR_ARENA_ARRAY(arena, const char *, count + 1);
		if (!copy || !items)
			return tr_tree_no_memory(err);
		for (char *item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save))
			items[at++] = trimmed(item);
	} else {
		items = TR_ARENA_ARRAY(arena, const char *, node->count + 1);
		if (!items || node->count > LIST_ITEMS_MAX)
			return tr_tree_no_memory(err);
		for (const tr_node *item = node->first; item; item = item->next) {
			if (item->kind != TR_NODE_SCALAR) {
				tr_err_set(err, TR_E_CONFIG, "a list of texts has something else in it");
				return tr_node_error(item, err);
			}
			if (tr_node_expand(arena, item, &items[at++], err) < 0)
				return -1;
		}
	}
	*out = items;
	*out_count = at;
	return 0;
}

static int apply_list(const tr_option *option, tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err)
{
	const char *const *items;
	size_t count;

	if (node->kind == TR_NODE_MAP) {
		tr_err_set(err, TR_E_CONFIG, "%s: a map stands where a list belongs", option->path);
		return tr_node_error(node, err);
	}
	if (collect_items(arena, node, &items, &count, err) < 0)
		return -1;
	memcpy(member(option, settings), &items, sizeof(items));
	memcpy((uint8_t *)settings + option->count_at, &count, sizeof(count));
	return 0;
}

/* One regular expression is kept as it is; several become groups between commas, so that the filter sees their order. */
static int apply_patterns(const tr_option *option, tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err)
{
	const char *joined = NULL;

	if (node->kind == TR_NODE_MAP) {
		tr_err_set(err, TR_E_CONFIG, "%s: a map stands where a list belongs", option->path);
		return tr_node_error(node, err);
	}
	if (node->kind == TR_NODE_SCALAR) {
		if (tr_node_expand(arena, node, &joined, err) < 0)
			return -1;
		joined = *joined ? joined : NULL;
	} else {
		const char *const *items;
		size_t count;

		if (collect_items(arena, node, &items, &count, err) < 0)
			return -1;
		for (size_t i = 0; i < count; i++) {
			joined = joined ? tr_arena_format(arena, "%s,(?:%s)", joined, items[i]) :
			    count == 1 ? items[i] : tr_arena_format(arena, "(?:%s)", items[i]);
			if (!joined)
				return tr_tree_no_memory(err);
		}
	}
	memcpy(member(option, settings), &joined, sizeof(joined));
	return 0;
}

/* Adds to what a more general place gave; the same key is replaced. */
static int apply_map(const tr_option *option, tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err)
{
	const tr_property *old;
	tr_property *all;
	size_t old_count, count;

	if (node->kind != TR_NODE_MAP) {
		tr_err_set(err, TR_E_CONFIG, "%s: keys and values belong here", option->path);
		return tr_node_error(node, err);
	}
	memcpy(&old, member(option, settings), sizeof(old));
	memcpy(&old_count, (uint8_t *)settings + option->count_at, sizeof(old_count));
	all = TR_ARENA_ARRAY(arena, tr_property, old_count + node->count + 1);
	if (!all)
		return tr_tree_no_memory(err);
	if (old_count > 0)
		memcpy(all, old, old_count * sizeof(*all));
	count = old_count;
	for (const tr_node *child = node->first; child; child = child->next) {
		size_t i = 0;

		if (child->kind != TR_NODE_SCALAR) {
			tr_err_set(err, TR_E_CONFIG, "%s.%s: one text belongs here", option->path, child->key);
			return tr_node_error(child, err);
		}
		while (i < count && strcmp(all[i].key, child->key) != 0)
			i++;
		all[i].key = child->key;
		if (tr_node_expand(arena, child, &all[i].value, err) < 0)
			return -1;
		count += i == count;
	}
	memcpy(member(option, settings), &all, sizeof(all));
	memcpy((uint8_t *)settings + option->count_at, &count, sizeof(count));
	return 0;
}

int tr_option_apply(const tr_option *option, tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err)
{
	const char *text;

	if (option->type == TR_OPTION_SPECIAL)
		return option->parse(arena, node, settings, err);
	if (option->type == TR_OPTION_LIST)
		return apply_list(option, arena, node, settings, err);
	if (option->type == TR_OPTION_PATTERNS)
		return apply_patterns(option, arena, node, settings, err);
	if (option->type == TR_OPTION_MAP)
		return apply_map(option, arena, node, settings, err);
	if (node->kind != TR_NODE_SCALAR) {
		tr_err_set(err, TR_E_CONFIG, "%s: one value belongs here, not a %s", option->path,
		    node->kind == TR_NODE_LIST ? "list" : "map");
		return tr_node_error(node, err);
	}
	if (tr_node_expand(arena, node, &text, err) < 0)
		return -1;
	return apply_text(option, text, settings, err) < 0 ? tr_node_error(node, err) : 0;
}

int tr_option_apply_default(const tr_option *option, tr_arena *arena, tr_settings *settings, tr_err *err)
{
	tr_node *node;

	if (!option->fallback)
		return 0;
	if (tr_tree_value(arena, "default", option->fallback, &node, err) < 0)
		return -1;
	return tr_option_apply(option, arena, node, settings, err);
}
