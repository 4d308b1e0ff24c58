/* Options whose values are rules: events.skip, events.columns, events.key_columns. */
#include <stdlib.h>

#include "core/text.h"
#include "events/digest.h"
#include "service/option.h"

#define COLUMN_LENGTH_MAX 1000000

static int fail(const tr_node *node, tr_err *err, const char *text, const char *hint)
{
	tr_err_set(err, TR_E_CONFIG, "%s", text);
	tr_err_hint(err, "%s", hint);
	return tr_node_error(node, err);
}

static int skip_one(const tr_node *node, const char *word, tr_event_options *events, tr_err *err)
{
	static const char *const words[] = {"create", "update", "delete", "truncate", "message", "none"};
	bool *const flags[] = {&events->skip_create, &events->skip_update, &events->skip_delete, &events->skip_truncate,
	    &events->skip_messages};

	for (size_t i = 0; i < 5; i++) {
		/* Debezium's letters are the words' first ones. */
		if (strcmp(word, words[i]) == 0 || (word[0] == words[i][0] && word[1] == '\0')) {
			*flags[i] = true;
			return 0;
		}
	}
	if (strcmp(word, "none") == 0)
		return 0;
	tr_err_set(err, TR_E_CONFIG, "events.skip: \"%.40s\" is not an operation", word);
	tr_err_hint(err, "Operations: create, update, delete, truncate, message; or none.");
	return tr_node_error(node, err);
}

int tr_option_parse_skip(tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err)
{
	tr_event_options *events = &settings->pipeline.events;
	const char *text;

	if (node->kind == TR_NODE_MAP)
		return fail(node, err, "events.skip: a map stands where a list belongs", "Write it as: skip: [truncate]");
	events->skip_create = events->skip_update = events->skip_delete = events->skip_truncate = events->skip_messages = false;
	if (node->kind == TR_NODE_SCALAR) {
		char *copy, *save = NULL;

		if (tr_node_expand(arena, node, &text, err) < 0)
			return -1;
		copy = tr_arena_strdup(arena, text);
		for (char *word = copy ? strtok_r(copy, ", ", &save) : NULL; word; word = strtok_r(NULL, ", ", &save)) {
			if (skip_one(node, word, events, err) < 0)
				return -1;
		}
		return copy ? 0 : tr_tree_no_memory(err);
	}
	for (const tr_node *item = node->first; item; item = item->next) {
		if (item->kind != TR_NODE_SCALAR)
			return fail(item, err, "events.skip: an operation's name belongs here", "Write it as: skip: [truncate]");
		if (tr_node_expand(arena, item, &text, err) < 0 || skip_one(item, text, events, err) < 0)
			return -1;
	}
	return 0;
}

static int rule_length(tr_arena *arena, const tr_node *node, uint32_t *out, tr_err *err)
{
	const char *text;
	char *end;
	long value;

	if (node->kind != TR_NODE_SCALAR)
		return fail(node, err, "events.columns: length is a number", "Write it as: {mask: public.users.card, length: 4}");
	if (tr_node_expand(arena, node, &text, err) < 0)
		return -1;
	value = strtol(text, &end, 10);
	if (end == text || *end || value < 0 || value > COLUMN_LENGTH_MAX)
		return fail(node, err, "events.columns: length is not a number from 0 to 1000000", "It counts characters.");
	*out = (uint32_t)value;
	return 0;
}

/* Which version of Debezium's hashes: 1 is of the value as Java serializes it, 2 (the default) of its bytes. */
static int rule_version(tr_arena *arena, const tr_node *node, bool *java, tr_err *err)
{
	const char *text;

	if (tr_node_expand(arena, node, &text, err) < 0)
		return -1;
	*java = strcmp(text, "1") == 0;
	if (!*java && strcmp(text, "2") != 0)
		return fail(node, err, "events.columns: version is 1 or 2", "2 hashes the value's bytes, 1 as Java serializes them.");
	return 0;
}

/* What a rule has beside its action and pattern; *found false when it is none of these. */
static int rule_setting(tr_arena *arena, const tr_node *node, tr_column_rule *rule, bool *has_length, bool *found, tr_err *err)
{
	*found = true;
	if (strcmp(node->key, "length") == 0) {
		*has_length = true;
		return rule_length(arena, node, &rule->length, err);
	}
	if (node->kind == TR_NODE_SCALAR && strcmp(node->key, "algorithm") == 0)
		return tr_node_expand(arena, node, &rule->algorithm, err);
	if (node->kind == TR_NODE_SCALAR && strcmp(node->key, "salt") == 0)
		return tr_node_expand(arena, node, &rule->salt, err);
	if (node->kind == TR_NODE_SCALAR && strcmp(node->key, "version") == 0)
		return rule_version(arena, node, &rule->java, err);
	*found = false;
	return 0;
}

static int check_rule(const tr_node *node, const tr_column_rule *rule, bool has_length, tr_err *err)
{
	static const char how[] = "Write rules as: [{exclude: public.users.password}, {mask: public.users.card, length: 4}]";
	static const char hash[] = "Write it as: {hash: public.users.email, algorithm: SHA-256, salt: ...}. Algorithms: " TR_DIGEST_NAMES ".";

	if (!rule->pattern)
		return fail(node, err, "events.columns: a rule has no action", how);
	if (has_length != (rule->action == TR_COLUMN_MASK || rule->action == TR_COLUMN_TRUNCATE))
		return fail(node, err, "events.columns: mask and truncate need a length, other actions have none", how);
	if (rule->action != TR_COLUMN_HASH)
		return rule->algorithm || rule->salt || rule->java ?
		    fail(node, err, "events.columns: only hash has an algorithm, a salt and a version", hash) : 0;
	if (!rule->algorithm || !rule->salt)
		return fail(node, err, "events.columns: hash needs an algorithm and a salt", hash);
	return tr_digest_find(rule->algorithm) ? 0 : fail(node, err, "events.columns: hash with an unknown algorithm", hash);
}

static int parse_rule(tr_arena *arena, const tr_node *node, tr_column_rule *rule, tr_err *err)
{
	static const char *const actions[] = {[TR_COLUMN_EXCLUDE] = "exclude", [TR_COLUMN_INCLUDE] = "include",
	    [TR_COLUMN_MASK] = "mask", [TR_COLUMN_TRUNCATE] = "truncate", [TR_COLUMN_PROPAGATE_TYPE] = "propagate_type",
	    [TR_COLUMN_HASH] = "hash"};
	static const char how[] = "Write rules as: [{exclude: public.users.password}, {mask: public.users.card, length: 4}]";
	const size_t count = sizeof(actions) / sizeof(*actions);
	bool has_length = false, setting;

	if (node->kind != TR_NODE_MAP)
		return fail(node, err, "events.columns: a rule is a map", how);
	for (const tr_node *child = node->first; child; child = child->next) {
		size_t i = 0;

		if (rule_setting(arena, child, rule, &has_length, &setting, err) < 0)
			return -1;
		if (setting)
			continue;
		while (i < count && strcmp(actions[i], child->key) != 0)
			i++;
		if (i == count || rule->pattern || child->kind != TR_NODE_SCALAR)
			return fail(child, err, i == count ? "events.columns: unknown action" :
			    "events.columns: a rule has one action with one pattern", how);
		memcpy(&rule->action, &(unsigned){(unsigned)i}, sizeof(rule->action));
		if (tr_node_expand(arena, child, &rule->pattern, err) < 0)
			return -1;
	}
	return check_rule(node, rule, has_length, err);
}

int tr_option_parse_columns(tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err)
{
	tr_event_options *events = &settings->pipeline.events;
	tr_column_rule *rules;
	size_t count = 0;

	if (node->kind != TR_NODE_LIST)
		return fail(node, err, "events.columns: a list of rules belongs here", "Write it as: [{exclude: public.users.password}]");
	rules = TR_ARENA_ARRAY(arena, tr_column_rule, node->count + 1);
	if (!rules)
		return tr_tree_no_memory(err);
	for (const tr_node *item = node->first; item; item = item->next) {
		if (parse_rule(arena, item, &rules[count++], err) < 0)
			return -1;
	}
	events->column_rules = rules;
	events->column_rule_count = count;
	return 0;
}

static int parse_key_rule(tr_arena *arena, const tr_node *node, tr_key_rule *rule, tr_err *err)
{
	static const char how[] = "Write it as: [{table: public.log, columns: [day, number]}]";
	const tr_node *table = tr_node_get(node, "table"), *columns = tr_node_get(node, "columns");
	const char **names;
	size_t count = 0;

	if (node->kind != TR_NODE_MAP || node->count != 2 || !table || !columns || table->kind != TR_NODE_SCALAR ||
	    columns->kind != TR_NODE_LIST || columns->count == 0)
		return fail(node, err, "events.key_columns: an entry has a table and a list of columns", how);
	if (tr_node_expand(arena, table, &rule->table_pattern, err) < 0)
		return -1;
	names = TR_ARENA_ARRAY(arena, const char *, columns->count);
	if (!names)
		return tr_tree_no_memory(err);
	for (const tr_node *item = columns->first; item; item = item->next) {
		if (item->kind != TR_NODE_SCALAR)
			return fail(item, err, "events.key_columns: a column's name belongs here", how);
		if (tr_node_expand(arena, item, &names[count++], err) < 0)
			return -1;
	}
	rule->columns = names;
	rule->column_count = count;
	return 0;
}

int tr_option_parse_key_columns(tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err)
{
	tr_event_options *events = &settings->pipeline.events;
	tr_key_rule *rules;
	size_t count = 0;

	if (node->kind != TR_NODE_LIST)
		return fail(node, err, "events.key_columns: a list belongs here",
		    "Write it as: [{table: public.log, columns: [day, number]}]");
	rules = TR_ARENA_ARRAY(arena, tr_key_rule, node->count + 1);
	if (!rules)
		return tr_tree_no_memory(err);
	for (const tr_node *item = node->first; item; item = item->next) {
		if (parse_key_rule(arena, item, &rules[count++], err) < 0)
			return -1;
	}
	events->key_rules = rules;
	events->key_rule_count = count;
	return 0;
}
