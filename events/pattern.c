#include "events/pattern.h"

#include <regex.h>
#include <stdlib.h>

#include "core/writer.h"

#define PATTERN_MAX_BYTES (1u << 20)
/* regcomp writes a repetition out: what repeats inside of what repeats takes all memory, and deep groups the stack. */
#define DEPTH_MAX 100
#define COST_MAX  5000  /* of one repetition */
#define COPIES_MAX 20000 /* of all */

struct tr_pattern {
	regex_t regex;
};

typedef struct translation {
	const char *pattern; /* whole, for messages */
	const char *at;
	unsigned depth;             /* of open groups */
	size_t cost[DEPTH_MAX + 1]; /* of the group at each depth: pieces, with repetitions written out */
	size_t last;                /* of the last piece */
	size_t copies;              /* what repetitions add */
	tr_writer out;
	tr_err *err;
} translation;

/* One class as a set of bytes: the only form in which escapes, negation and POSIX's odd quoting rules stay simple. */
typedef struct byte_set {
	bool has[256];
} byte_set;

static int refuse(translation *t, const char *what)
{
	tr_err_set(t->err, TR_E_CONFIG, "regular expression \"%s\" cannot be used: %s", t->pattern, what);
	tr_err_detail(t->err, "at character %zu", (size_t)(t->at - t->pattern) + 1);
	return tr_err_hint(t->err, "write it without that; alternatives can be listed one by one");
}

static void set_range(byte_set *set, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		set->has[c] = true;
}

static void set_shorthand(byte_set *set, char kind)
{
	switch (kind) {
	case 'd':
		set_range(set, '0', '9');
		break;
	case 'w':
		set_range(set, '0', '9');
		set_range(set, 'A', 'Z');
		set_range(set, 'a', 'z');
		set->has['_'] = true;
		break;
	default: /* s */
		set_range(set, '\t', '\r');
		set->has[' '] = true;
	}
}

static void set_invert(byte_set *set)
{
	for (unsigned c = 1; c < 256; c++)
		set->has[c] = !set->has[c];
}

/* \d \w \s and the capitals; false when the character after the backslash is none of them. */
static bool add_shorthand(byte_set *set, char kind)
{
	byte_set own = {0};

	if (!strchr("dwsDWS", kind))
		return false;
	set_shorthand(&own, (char)(kind | 0x20));
	if (kind < 'a')
		set_invert(&own);
	for (unsigned c = 1; c < 256; c++)
		set->has[c] |= own.has[c];
	return true;
}

static void put_runs(tr_writer *w, const byte_set *set)
{
	for (unsigned c = 1; c < 256; c++) {
		unsigned from = c;
		if (!set->has[c])
			continue;
		while (c + 1 < 256 && set->has[c + 1])
			c++;
		tr_writer_u8(w, (uint8_t)from);
		if (c > from + 1)
			tr_writer_u8(w, '-');
		if (c > from)
			tr_writer_u8(w, (uint8_t)c);
	}
}

/* In POSIX brackets ] must come first, - last, ^ not first, and [ not before . : or = */
static int put_set(translation *t, byte_set *set)
{
	tr_writer *w = &t->out;
	bool square = set->has[']'], minus = set->has['-'], open = set->has['['], caret = set->has['^'];
	size_t before;

	set->has[0] = set->has[']'] = set->has['-'] = set->has['['] = set->has['^'] = false;
	tr_writer_u8(w, '[');
	before = w->len;
	if (square)
		tr_writer_u8(w, ']');
	put_runs(w, set);
	if (open)
		tr_writer_u8(w, '[');
	if (caret && w->len > before)
		tr_writer_u8(w, '^');
	if (minus)
		tr_writer_u8(w, '-');
	if (caret && w->len == before) {
		w->len = before - 1;
		tr_writer_text(w, "\\^");
		return 0;
	}
	if (caret && before + 1 == w->len && minus) {
		/* only ^ and -: "-^" */
		w->len = before;
		tr_writer_text(w, "-^");
	}
	if (w->len == before)
		return refuse(t, "a class that matches nothing");
	tr_writer_u8(w, ']');
	return 0;
}

/* One member of a class: a byte in *c, or -1 when it was a shorthand, already added. */
static int class_member(translation *t, byte_set *set, int *c)
{
	if (*t->at != '\\') {
		*c = (uint8_t)*t->at++;
		return 0;
	}
	char kind = t->at[1];
	if (kind == '\0')
		return refuse(t, "it ends in a backslash");
	if (add_shorthand(set, kind)) {
		*c = -1;
	} else if (kind == 't' || kind == 'n' || kind == 'r') {
		*c = kind == 't' ? '\t' : kind == 'n' ? '\n' : '\r';
	} else if (((kind | 0x20) >= 'a' && (kind | 0x20) <= 'z') || (kind >= '0' && kind <= '9')) {
		return refuse(t, "an escape that is not known here");
	} else {
		*c = (uint8_t)kind;
	}
	t->at += 2;
	return 0;
}

static int class_range(translation *t, byte_set *set, int from)
{
	int to;

	if (from < 0 || t->at[0] != '-' || t->at[1] == ']' || t->at[1] == '\0') {
		if (from >= 0)
			set->has[from] = true;
		return 0;
	}
	t->at++;
	if (class_member(t, set, &to) != 0)
		return -1;
	if (to < from)
		return refuse(t, "a range that goes backwards");
	set_range(set, (unsigned)from, (unsigned)to);
	return 0;
}

static int translate_class(translation *t)
{
	byte_set set = {0};
	bool negated = t->at[1] == '^';
	const char *start = t->at += negated ? 2 : 1;
	int from;

	while (*t->at != ']' || t->at == start) {
		if (*t->at == '\0')
			return refuse(t, "a class is not closed");
		if (*t->at == '[' || (t->at[0] == '&' && t->at[1] == '&'))
			return refuse(t, "classes inside classes are not supported");
		if (class_member(t, &set, &from) != 0 || class_range(t, &set, from) != 0)
			return -1;
	}
	t->at++;
	if (negated)
		set_invert(&set);
	return put_set(t, &set);
}

static void put_literal(tr_writer *w, char c)
{
	if (strchr(".[]()*+?{}|^$\\", c))
		tr_writer_u8(w, '\\');
	tr_writer_u8(w, (uint8_t)c);
}

static int translate_quoted(translation *t)
{
	const char *end = strstr(t->at += 2, "\\E");
	size_t len = end ? (size_t)(end - t->at) : strlen(t->at);

	for (size_t i = 0; i < len; i++)
		put_literal(&t->out, t->at[i]);
	t->at += len + (end ? 2 : 0);
	return 0;
}

static int translate_escape(translation *t)
{
	char c = t->at[1];
	byte_set set = {0};

	if (c == '\0')
		return refuse(t, "it ends in a backslash");
	if (c == 'Q')
		return translate_quoted(t);
	if (add_shorthand(&set, c)) {
		t->at += 2;
		return put_set(t, &set);
	}
	if (((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c >= '0' && c <= '9'))
		return refuse(t, "an escape that is not known here");
	put_literal(&t->out, c);
	t->at += 2;
	return 0;
}

static int translate_group(translation *t)
{
	if (strncmp(t->at, "(?i)", 4) == 0) {
		t->at += 4; /* it always is */
		return 0;
	}
	if (t->at[1] == '?' && t->at[2] != ':')
		return refuse(t, "look-around and flags are not supported");
	if (t->depth == DEPTH_MAX)
		return refuse(t, "groups are nested too deeply");
	tr_writer_u8(&t->out, '(');
	t->at += t->at[1] == '?' ? 3 : 1;
	t->cost[++t->depth] = 0;
	return 0;
}

static int translate_group_end(translation *t)
{
	if (t->depth == 0)
		return refuse(t, "a group is closed that was not opened");
	t->last = t->cost[t->depth--] + 1;
	t->cost[t->depth] += t->last;
	tr_writer_u8(&t->out, (uint8_t)*t->at++);
	return 0;
}

/* The larger bound of "{n}", "{n,}" or "{n,m}". */
static size_t repeats(const char *at)
{
	char *end;
	unsigned long from = strtoul(at + 1, &end, 10), to = *end == ',' ? strtoul(end + 1, NULL, 10) : 0;

	from = from > to ? from : to;
	return from < 1 ? 1 : from > COST_MAX ? COST_MAX + 1 : from;
}

static int count_repeats(translation *t)
{
	size_t grown = *t->at == '{' ? t->last * repeats(t->at) : t->last;

	t->cost[t->depth] += grown - t->last;
	t->copies += grown - t->last;
	t->last = grown;
	return grown > COST_MAX || t->copies > COPIES_MAX ? refuse(t, "its repetitions multiply too far") : 0;
}

/* Lazy is the same as greedy when only the answer matters; possessive is not. */
static int translate_quantifier(translation *t)
{
	size_t len = 1;

	if (*t->at == '{') {
		const char *end = strchr(t->at, '}');
		if (!end)
			return refuse(t, "a repetition is not closed");
		len = (size_t)(end - t->at) + 1;
	}
	if (count_repeats(t) != 0)
		return -1;
	tr_writer_put(&t->out, t->at, len);
	t->at += len;
	if (*t->at == '+')
		return refuse(t, "possessive repetitions are not supported");
	if (*t->at == '?')
		t->at++;
	return 0;
}

static int translate_one(translation *t)
{
	switch (*t->at) {
	case '\\':
		return translate_escape(t);
	case '[':
		return translate_class(t);
	case '(':
		return translate_group(t);
	case ')':
		return translate_group_end(t);
	case '*':
	case '+':
	case '?':
	case '{':
		return translate_quantifier(t);
	case ']':
	case '}':
		put_literal(&t->out, *t->at++);
		return 0;
	default: /* . | ^ $ mean the same in both */
		tr_writer_u8(&t->out, (uint8_t)*t->at++);
		return 0;
	}
}

static int translate(translation *t)
{
	tr_writer_text(&t->out, "^(");
	while (*t->at) {
		bool piece = !strchr("()*+?{", *t->at);
		size_t before = t->out.len;

		if (translate_one(t) != 0)
			return -1;
		if (piece) {
			t->last = 1;
			t->cost[t->depth] += t->out.len > before ? t->out.len - before : 1;
		}
	}
	if (t->depth > 0)
		return refuse(t, "a group is not closed");
	tr_writer_text(&t->out, ")$");
	tr_writer_u8(&t->out, '\0');
	return tr_writer_ok(&t->out) ? 0 : refuse(t, "it is too long");
}

int tr_pattern_new(tr_pattern **out, const char *text, tr_err *err)
{
	translation t = {.pattern = text, .at = text, .err = err};
	tr_pattern *p = calloc(1, sizeof(*p));
	char reason[160];
	int code, result = -1;

	*out = NULL;
	tr_writer_init(&t.out, PATTERN_MAX_BYTES);
	if (!p) {
		tr_err_set(err, TR_E_MEMORY, "a regular expression could not be made");
		goto out;
	}
	if (translate(&t) != 0)
		goto out;
	code = regcomp(&p->regex, (const char *)t.out.data, REG_EXTENDED | REG_ICASE | REG_NOSUB);
	if (code != 0) {
		regerror(code, &p->regex, reason, sizeof(reason));
		tr_err_set(err, TR_E_CONFIG, "regular expression \"%s\" is not valid: %s", text, reason);
		goto out;
	}
	*out = p;
	p = NULL;
	result = 0;
out:
	free(p);
	tr_writer_release(&t.out);
	return result;
}

bool tr_pattern_match(const tr_pattern *p, const char *name)
{
	return regexec(&p->regex, name, 0, NULL, 0) == 0;
}

void tr_pattern_free(tr_pattern *p)
{
	if (!p)
		return;
	regfree(&p->regex);
	free(p);
}
