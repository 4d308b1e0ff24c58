/* ${VAR}, ${VAR:-default} and ${file:/path} in the scalars of a configuration. */
#include <ctype.h>
#include <stdlib.h>

#include "service/tree.h"

#define EXPANDED_MAX ((size_t)64 << 10) /* bytes of one value, and of one secret file */

static int fail(const tr_node *node, tr_err *err, const char *what, const char *name, const char *hint)
{
	tr_err_set(err, TR_E_CONFIG, "%s \"%s\"", what, name);
	tr_err_hint(err, "%s", hint);
	return tr_node_error(node, err);
}

static int put_file(tr_arena *arena, const tr_node *node, const char *path, tr_writer *w, tr_err *err)
{
	tr_slice content;

	if (tr_tree_read_file(arena, path, EXPANDED_MAX, &content, err) < 0)
		return tr_node_error(node, err);
	if (content.len > 0 && content.ptr[content.len - 1] == '\n')
		content.len--;
	if (content.len > 0 && content.ptr[content.len - 1] == '\r')
		content.len--;
	if (memchr(content.ptr, '\0', content.len))
		return fail(node, err, "NUL byte in file", path, "Only a text can be used as a value.");
	tr_writer_slice(w, content);
	return 0;
}

static bool is_name(const char *name)
{
	if (!isalpha((uint8_t)*name) && *name != '_')
		return false;
	for (const char *p = name; *p; p++) {
		if (!isalnum((uint8_t)*p) && *p != '_')
			return false;
	}
	return true;
}

/* What stands between ${ and }. */
static int put_reference(tr_arena *arena, const tr_node *node, char *reference, tr_writer *w, tr_err *err)
{
	char *fallback;
	const char *value;

	if (strncmp(reference, "file:", 5) == 0)
		return put_file(arena, node, reference + 5, w, err);
	fallback = strstr(reference, ":-");
	if (fallback) {
		*fallback = '\0';
		fallback += 2;
	}
	if (!is_name(reference))
		return fail(node, err, "reference cannot be understood:", reference,
		    "Write ${VAR}, ${VAR:-default} or ${file:/path}; write $${ for the characters ${ themselves.");
	value = getenv(reference);
	if ((!value || !*value) && fallback)
		value = fallback;
	if (!value)
		return fail(node, err, "environment variable is not set:", reference,
		    "Set it, or give a default as in ${VAR:-default}.");
	tr_writer_text(w, value);
	return 0;
}

static int expand(tr_arena *arena, const tr_node *node, tr_writer *w, tr_err *err)
{
	for (const char *p = node->text; *p; p++) {
		const char *end;
		char *reference;

		if (p[0] == '$' && p[1] == '$' && p[2] == '{') {
			tr_writer_text(w, "${");
			p += 2;
			continue;
		}
		if (p[0] != '$' || p[1] != '{') {
			tr_writer_u8(w, (uint8_t)*p);
			continue;
		}
		end = strchr(p, '}');
		if (!end)
			return fail(node, err, "reference has no closing brace:", p, "Write ${VAR}, or $${ for the characters ${.");
		reference = tr_arena_strndup(arena, p + 2, (size_t)(end - p - 2));
		if (!reference)
			return tr_err_set(err, TR_E_MEMORY, "out of memory for the configuration");
		if (put_reference(arena, node, reference, w, err) < 0)
			return -1;
		p = end;
	}
	return 0;
}

int tr_node_expand(tr_arena *arena, const tr_node *node, const char **out, tr_err *err)
{
	tr_writer w;
	int result;

	if (!strstr(node->text, "${")) {
		*out = node->text;
		return 0;
	}
	tr_writer_init(&w, EXPANDED_MAX);
	result = expand(arena, node, &w, err);
	if (result == 0) {
		*out = tr_arena_strndup(arena, w.data ? (const void *)w.data : "", w.len);
		if (!tr_writer_ok(&w) || !*out) {
			tr_err_set(err, TR_E_CONFIG, "a value is longer than %zu bytes", EXPANDED_MAX);
			result = tr_node_error(node, err);
		}
	}
	tr_writer_release(&w);
	return result;
}
