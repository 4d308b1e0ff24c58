/* Column and key rules: which columns a table publishes, how they are changed, and which make its key. */
#include "core/text.h"
#include "events/digest.h"
#include "events/internal.h"
#include "events/pattern.h"

typedef struct mask_arg {
	tr_slice text;
} mask_arg;

typedef struct truncate_arg {
	tr_decode_fn inner;
	const void *inner_arg;
	uint32_t length;
	bool text; /* characters; else bytes */
} truncate_arg;

typedef struct hash_arg {
	tr_decode_fn inner;
	const void *inner_arg;
	const tr_digest *digest;
	tr_slice salt;
	size_t length; /* of what is published at most: the column's, as Debezium cuts it */
	bool java;
} hash_arg;

/* All that a rule is applied to. */
typedef struct target {
	const char *collection;
	tr_column *columns;
	const tr_source_column *sources; /* may be NULL */
	size_t count;
	const char **full_names; /* schema.table.column */
	bool *done;              /* a changing rule was applied */
	tr_arena *arena;
	tr_err *err;
} target;

/* Puts a rule on column i. */
typedef int (*apply_fn)(target *t, size_t i, const tr_column_rule *rule);

static int out_of_memory(tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "out of memory for the rules of a table");
}

static int decode_mask(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const mask_arg *mask = arg;

	(void)in;
	(void)scratch;
	(void)err;
	*out = tr_value_slice(mask->text);
	return 0;
}

/* In place of the value; NULL stays as it is. */
static int hash(const hash_arg *h, tr_arena *arena, tr_value *v, tr_err *err)
{
	char *digits;
	size_t len;

	if (v->kind != TR_V_BYTES)
		return 0;
	digits = tr_arena_alloc(arena, TR_DIGEST_HEX_MAX);
	if (!digits)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for a hashed value");
	if (tr_digest_hex(h->digest, h->salt, h->java, v->s, digits, &len, err) != 0)
		return -1;
	v->s = tr_slice_of(digits, len < h->length ? len : h->length);
	return 0;
}

static int decode_hash(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const hash_arg *h = arg;

	return h->inner(h->inner_arg, in, scratch, out, err) != 0 ? -1 : hash(h, scratch, out, err);
}

static void cut(const truncate_arg *t, tr_value *v)
{
	if (v->kind != TR_V_BYTES)
		return;
	if (t->text)
		v->s = tr_text_cut_chars(v->s, t->length);
	else if (v->s.len > t->length)
		v->s.len = t->length;
}

static int decode_truncate(const void *arg, tr_datum in, tr_arena *scratch, tr_value *out, tr_err *err)
{
	const truncate_arg *t = arg;

	if (t->inner(t->inner_arg, in, scratch, out, err) != 0)
		return -1;
	cut(t, out);
	return 0;
}

static int add_param(target *t, tr_column *column, const char *key, const char *value)
{
	tr_type *type = tr_type_copy(t->arena, column->type);

	if (!type || !value || tr_type_param(t->arena, type, key, value) != 0)
		return out_of_memory(t->err);
	column->type = type;
	return 0;
}

/* Debezium leaves such columns as they are, in the clear; whoever wrote the rule wants the opposite. */
static int refuse_clear(target *t, size_t i, const char *rule)
{
	const char *source = t->sources && t->sources[i].type_name ? t->sources[i].type_name : "its type";

	tr_err_set(t->err, TR_E_CONFIG, "column \"%s\" cannot be %s: it is not published as text", t->full_names[i], rule);
	tr_err_detail(t->err, "%s is published as %s, and its clear value would be published", source,
		      tr_kind_name(t->columns[i].type->kind));
	return tr_err_hint(t->err,
			   "nothing was published; leave the column out with an exclude rule in events.columns, or take it "
			   "out of this rule if it may be read");
}

static int apply_mask(target *t, size_t i, const tr_column_rule *rule)
{
	const uint32_t length = rule->length;
	tr_column *column = &t->columns[i];
	mask_arg *arg = TR_ARENA_NEW(t->arena, mask_arg);
	char *stars = arg ? tr_arena_alloc(t->arena, length) : NULL;

	if (!stars)
		return out_of_memory(t->err);
	if (column->type->kind != TR_STRING)
		return refuse_clear(t, i, "masked");
	memset(stars, '*', length);
	arg->text = tr_slice_of(stars, length);
	column->decode = decode_mask;
	column->decode_arg = arg;
	column->null_value = column->absent = column->unavailable = tr_value_slice(arg->text);
	return add_param(t, column, "masked", "true");
}

/*
 * What stands for NULL is not hashed, as Debezium has it: null, or the column's default, which its schema shows anyway. The
 * placeholder of an unavailable value is.
 */
static int apply_hash(target *t, size_t i, const tr_column_rule *rule)
{
	tr_column *column = &t->columns[i];
	hash_arg *arg = TR_ARENA_NEW(t->arena, hash_arg);
	char *salt = tr_arena_strdup(t->arena, rule->salt);

	if (!arg || !salt)
		return out_of_memory(t->err);
	if (column->type->kind != TR_STRING)
		return refuse_clear(t, i, "hashed");
	*arg = (hash_arg){.inner = column->decode, .inner_arg = column->decode_arg, .digest = tr_digest_find(rule->algorithm),
			  .salt = tr_slice_str(salt), .length = TR_DIGEST_HEX_MAX, .java = rule->java};
	if (!arg->digest)
		return tr_err_set(t->err, TR_E_CONFIG, "column \"%s\" cannot be hashed: there is no algorithm \"%s\"",
				  t->full_names[i], rule->algorithm);
	if (t->sources && t->sources[i].length > 0 && t->sources[i].length < TR_DIGEST_HEX_MAX)
		arg->length = (size_t)t->sources[i].length;
	column->decode = decode_hash;
	column->decode_arg = arg;
	if (hash(arg, t->arena, &column->unavailable, t->err) != 0)
		return -1;
	return add_param(t, column, "masked", "true");
}

static int apply_truncate(target *t, size_t i, const tr_column_rule *rule)
{
	const uint32_t length = rule->length;
	tr_column *column = &t->columns[i];
	truncate_arg *arg = TR_ARENA_NEW(t->arena, truncate_arg);
	bool text = column->type->kind == TR_STRING;

	if (!arg)
		return out_of_memory(t->err);
	/* Debezium leaves columns alone that cannot be too long. */
	if (t->sources && t->sources[i].length >= 0 && t->sources[i].length <= (int64_t)length)
		return 0;
	if (!text && (column->type->kind != TR_BYTES || column->type->name))
		return refuse_clear(t, i, "truncated");
	*arg = (truncate_arg){
	    .inner = column->decode, .inner_arg = column->decode_arg, .length = length, .text = text};
	column->decode = decode_truncate;
	column->decode_arg = arg;
	cut(arg, &column->null_value);
	cut(arg, &column->absent);
	cut(arg, &column->unavailable);
	return add_param(t, column, "truncateLength", tr_arena_format(t->arena, "%u", length));
}

static int apply_propagate(target *t, size_t i, const tr_column_rule *rule)
{
	static const char prefix[] = "__debezium.source.column.";
	tr_column *column = &t->columns[i];
	const tr_source_column *source = t->sources ? &t->sources[i] : NULL;
	char key[64];

	(void)rule;
	if (!source || !source->type_name)
		return 0;
	tr_text_format(key, sizeof(key), "%stype", prefix);
	if (add_param(t, column, key, source->type_name) != 0)
		return -1;
	tr_text_format(key, sizeof(key), "%scomment", prefix);
	if (source->comment && add_param(t, column, key, source->comment) != 0)
		return -1;
	tr_text_format(key, sizeof(key), "%slength", prefix);
	if (source->length >= 0 &&
	    add_param(t, column, key, tr_arena_format(t->arena, "%lld", (long long)source->length)) != 0)
		return -1;
	tr_text_format(key, sizeof(key), "%sscale", prefix);
	if (source->scale >= 0 &&
	    add_param(t, column, key, tr_arena_format(t->arena, "%lld", (long long)source->scale)) != 0)
		return -1;
	tr_text_format(key, sizeof(key), "%sname", prefix);
	return add_param(t, column, key, column->name);
}

/* One changing rule on all columns that none was applied to before. */
static int apply_rule(target *t, const tr_column_rule *rule, apply_fn apply)
{
	tr_pattern *pattern;
	int result = 0;

	if (tr_pattern_new(&pattern, rule->pattern, t->err) != 0)
		return -1;
	for (size_t i = 0; result == 0 && i < t->count; i++) {
		if (!t->columns[i].type || t->done[i] || !tr_pattern_match(pattern, t->full_names[i]))
			continue;
		t->done[i] = true;
		result = apply(t, i, rule);
	}
	tr_pattern_free(pattern);
	return result;
}

static int apply_rules(target *t, const tr_event_options *options, int action, apply_fn apply)
{
	for (size_t i = 0; i < options->column_rule_count; i++)
		if ((int)options->column_rules[i].action == action &&
		    apply_rule(t, &options->column_rules[i], apply) != 0)
			return -1;
	return 0;
}

/* Sets hit[i] for the columns that any rule with this action matches; *any when there is such a rule. */
static int matched(target *t, const tr_event_options *options, int action, bool *hit, bool *any)
{
	*any = false;
	for (size_t r = 0; r < options->column_rule_count; r++) {
		tr_pattern *pattern;
		if ((int)options->column_rules[r].action != action)
			continue;
		*any = true;
		if (tr_pattern_new(&pattern, options->column_rules[r].pattern, t->err) != 0)
			return -1;
		for (size_t i = 0; i < t->count; i++)
			hit[i] |= tr_pattern_match(pattern, t->full_names[i]);
		tr_pattern_free(pattern);
	}
	return 0;
}

static int apply_filters(target *t, const tr_event_options *options)
{
	bool *included = TR_ARENA_ARRAY(t->arena, bool, t->count), *excluded = TR_ARENA_ARRAY(t->arena, bool, t->count);
	bool any_included, any_excluded;

	if (!included || !excluded)
		return out_of_memory(t->err);
	if (matched(t, options, TR_COLUMN_INCLUDE, included, &any_included) != 0 ||
	    matched(t, options, TR_COLUMN_EXCLUDE, excluded, &any_excluded) != 0)
		return -1;
	for (size_t i = 0; i < t->count; i++)
		if (excluded[i] || (any_included && !included[i])) {
			t->columns[i].type = NULL;
			t->columns[i].excluded = true;
		}
	return 0;
}

static int full_names(target *t)
{
	t->full_names = TR_ARENA_ARRAY(t->arena, const char *, t->count);
	t->done = TR_ARENA_ARRAY(t->arena, bool, t->count);
	if (!t->full_names || !t->done)
		return out_of_memory(t->err);
	for (size_t i = 0; i < t->count; i++) {
		t->full_names[i] = tr_arena_format(t->arena, "%s.%s", t->collection, t->columns[i].name);
		if (!t->full_names[i])
			return out_of_memory(t->err);
	}
	return 0;
}

int tr_rules_apply(const tr_event_options *options, const char *collection, tr_column *columns,
		   const tr_source_column *sources, size_t count, tr_arena *a, tr_err *err)
{
	target t = {
	    .collection = collection, .columns = columns, .sources = sources, .count = count, .arena = a, .err = err};

	if (options->column_rule_count == 0)
		return 0;
	if (full_names(&t) != 0 || apply_filters(&t, options) != 0)
		return -1;
	/* Debezium's order, but for hashes: behind a rule that propagates the type, as they are there, a column would stay clear. */
	if (apply_rules(&t, options, TR_COLUMN_TRUNCATE, apply_truncate) != 0 ||
	    apply_rules(&t, options, TR_COLUMN_MASK, apply_mask) != 0 ||
	    apply_rules(&t, options, TR_COLUMN_HASH, apply_hash) != 0 ||
	    apply_rules(&t, options, TR_COLUMN_PROPAGATE_TYPE, apply_propagate) != 0)
		return -1;
	return 0;
}

static bool contains(const size_t *list, size_t count, size_t item)
{
	for (size_t i = 0; i < count; i++)
		if (list[i] == item)
			return true;
	return false;
}

/* The columns whose names match one column of a key rule, which is a regular expression, too. */
static int choose(const char *pattern_text, const tr_column *columns, size_t count, size_t *chosen,
		  size_t *chosen_count, tr_err *err)
{
	tr_pattern *pattern;

	if (tr_pattern_new(&pattern, pattern_text, err) != 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (columns[i].type && tr_pattern_match(pattern, columns[i].name) &&
		    !contains(chosen, *chosen_count, i))
			chosen[(*chosen_count)++] = i;
	tr_pattern_free(pattern);
	return 0;
}

static int rule_matches(const tr_key_rule *rule, const char *collection, bool *matches, tr_err *err)
{
	tr_pattern *pattern;

	if (tr_pattern_new(&pattern, rule->table_pattern, err) != 0)
		return -1;
	*matches = tr_pattern_match(pattern, collection);
	tr_pattern_free(pattern);
	return 0;
}

int tr_rules_key(const tr_event_options *options, const char *collection, const tr_column *columns, size_t count,
		 size_t *chosen, size_t *chosen_count, tr_err *err)
{
	*chosen_count = 0;
	for (size_t r = 0; r < options->key_rule_count; r++) {
		const tr_key_rule *rule = &options->key_rules[r];
		bool matches;
		if (rule_matches(rule, collection, &matches, err) != 0)
			return -1;
		for (size_t i = 0; matches && i < rule->column_count; i++)
			if (choose(rule->columns[i], columns, count, chosen, chosen_count, err) != 0)
				return -1;
	}
	return 0;
}
