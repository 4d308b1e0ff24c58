/*
 * Partial updates: a list of diffs, each an operation (0 replace, 1 insert, 2 remove), a path, and a binary value unless it
 * removes. The document is opened only along the paths; what they do not touch is printed from its bytes.
 */
#include "decoders/binlog/convert.h"
#include "decoders/binlog/json_value.h"

enum { REPLACE, INSERT, REMOVE };

/* A value as stored, or an opened container. */
typedef struct node {
	bool open, object;
	tr_bl_json_value stored;
	struct node **items;
	tr_slice *keys;
	uint32_t count, cap;
} node;

typedef struct leg {
	bool member;
	tr_slice key;
	uint32_t index;
} leg;

static const char no_path[] = "a JSON diff has a path that is none";
static const char no_place[] = "a JSON diff names a place that the document does not have";

static bool out_of_room(tr_bl_json_text *t)
{
	t->full = true;
	return false;
}

static node *leaf(tr_bl_json_text *t, tr_bl_json_value value)
{
	node *n = TR_ARENA_NEW(t->scratch, node);

	if (n)
		n->stored = value;
	else
		t->full = true;
	return n;
}

/* Room for one more, too. */
static bool open_node(tr_bl_json_text *t, node *n)
{
	tr_bl_json_container c;
	tr_bl_json_value child;

	if (n->open)
		return true;
	if (!tr_bl_json_open(&n->stored, &c))
		return tr_bl_json_fail(t, no_place);
	n->object = c.object;
	n->cap = c.count + 1;
	n->items = TR_ARENA_ARRAY(t->scratch, node *, n->cap);
	n->keys = TR_ARENA_ARRAY(t->scratch, tr_slice, n->cap);
	if (!n->items || !n->keys)
		return out_of_room(t);
	for (; n->count < c.count; n->count++) {
		if ((c.object && !tr_bl_json_key(&c, n->count, &n->keys[n->count])) || !tr_bl_json_child(&c, n->count, &child))
			return tr_bl_json_fail(t, "a JSON value ends too early");
		n->items[n->count] = leaf(t, child);
		if (!n->items[n->count])
			return false;
	}
	n->open = true;
	return true;
}

static bool grow(tr_bl_json_text *t, node *n)
{
	uint32_t cap = 2 * n->cap + 1;
	node **items;
	tr_slice *keys;

	if (n->count < n->cap)
		return true;
	items = TR_ARENA_ARRAY(t->scratch, node *, cap);
	keys = TR_ARENA_ARRAY(t->scratch, tr_slice, cap);
	if (!items || !keys)
		return out_of_room(t);
	memcpy(items, n->items, n->count * sizeof(*items));
	memcpy(keys, n->keys, n->count * sizeof(*keys));
	n->items = items;
	n->keys = keys;
	n->cap = cap;
	return true;
}

/* The server's order of members: by length, then by bytes. */
static int compare_keys(tr_slice a, tr_slice b)
{
	if (a.len != b.len)
		return a.len < b.len ? -1 : 1;
	return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
}

/* Where the leg leads to, or where it would be; true when it is there. */
static bool locate(const node *n, const leg *l, uint32_t *place)
{
	if (!l->member) {
		*place = l->index < n->count ? l->index : n->count;
		return l->index < n->count;
	}
	for (*place = 0; *place < n->count; (*place)++) {
		int order = compare_keys(n->keys[*place], l->key);

		if (order >= 0)
			return order == 0;
	}
	return false;
}

static bool insert_at(tr_bl_json_text *t, node *n, uint32_t place, tr_slice key, node *item)
{
	if (!grow(t, n))
		return false;
	memmove(n->items + place + 1, n->items + place, (n->count - place) * sizeof(*n->items));
	memmove(n->keys + place + 1, n->keys + place, (n->count - place) * sizeof(*n->keys));
	n->items[place] = item;
	n->keys[place] = key;
	n->count++;
	return true;
}

static void remove_at(node *n, uint32_t place)
{
	n->count--;
	memmove(n->items + place, n->items + place + 1, (n->count - place) * sizeof(*n->items));
	memmove(n->keys + place, n->keys + place + 1, (n->count - place) * sizeof(*n->keys));
}

static unsigned hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - (unsigned)'0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - (unsigned)'a' + 10 : 16;
}

/* One character after a backslash; the server escapes only ASCII with \u. 0x100: not one of them. */
static unsigned unescape(tr_slice *rest)
{
	static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
	const char *found = rest->len > 0 && *rest->ptr != 0 ? strchr(letters, *rest->ptr) : NULL;
	unsigned high, low;

	if (found) {
		rest->ptr++;
		rest->len--;
		return (uint8_t)meanings[found - letters];
	}
	if (rest->len < 5 || memcmp(rest->ptr, "u00", 3) != 0)
		return 0x100;
	high = hex_value(rest->ptr[3]);
	low = hex_value(rest->ptr[4]);
	rest->ptr += 5;
	rest->len -= 5;
	return high > 7 || low > 15 ? 0x100 : high << 4 | low;
}

static bool take_quoted(tr_bl_json_text *t, tr_slice *rest, tr_slice *key)
{
	uint8_t *text = tr_arena_alloc(t->scratch, rest->len + 1), *at = text;

	if (!text)
		return out_of_room(t);
	rest->ptr++;
	rest->len--;
	while (rest->len > 0 && *rest->ptr != '"') {
		unsigned c = *rest->ptr++;

		rest->len--;
		if (c == '\\')
			c = unescape(rest);
		if (c > 0xff)
			return tr_bl_json_fail(t, no_path);
		*at++ = (uint8_t)c;
	}
	if (rest->len == 0)
		return tr_bl_json_fail(t, no_path);
	rest->ptr++;
	rest->len--;
	*key = tr_slice_of(text, (size_t)(at - text));
	return true;
}

static bool take_member(tr_bl_json_text *t, tr_slice *rest, leg *l)
{
	l->member = true;
	rest->ptr++;
	rest->len--;
	if (rest->len > 0 && *rest->ptr == '"')
		return take_quoted(t, rest, &l->key);
	l->key = tr_slice_of(rest->ptr, 0);
	while (rest->len > 0 && *rest->ptr != '.' && *rest->ptr != '[') {
		rest->ptr++;
		rest->len--;
		l->key.len++;
	}
	return l->key.len > 0 || tr_bl_json_fail(t, no_path);
}

static bool take_cell(tr_bl_json_text *t, tr_slice *rest, leg *l)
{
	uint64_t index = 0;
	size_t digits = 0;

	for (rest->ptr++, rest->len--; rest->len > 0 && (unsigned)(*rest->ptr - '0') <= 9 && digits < 10; digits++, rest->len--)
		index = index * 10 + (uint64_t)(*rest->ptr++ - '0');
	if (digits == 0 || rest->len == 0 || *rest->ptr != ']' || index > UINT32_MAX)
		return tr_bl_json_fail(t, no_path);
	rest->ptr++;
	rest->len--;
	*l = (leg){.index = (uint32_t)index};
	return true;
}

static bool take_leg(tr_bl_json_text *t, tr_slice *rest, leg *l)
{
	*l = (leg){0};
	if (*rest->ptr == '.')
		return take_member(t, rest, l);
	return *rest->ptr == '[' ? take_cell(t, rest, l) : tr_bl_json_fail(t, no_path);
}

static bool change(tr_bl_json_text *t, node *parent, const leg *l, unsigned operation, node *item)
{
	uint32_t place;
	bool there = locate(parent, l, &place);

	/* The value to replace or remove is there; the member to insert is not, while a cell moves the later ones on. */
	if (operation == INSERT ? there && l->member : !there)
		return tr_bl_json_fail(t, no_place);
	switch (operation) {
	case REPLACE: parent->items[place] = item; return true;
	case INSERT: return insert_at(t, parent, place, l->key, item);
	default: remove_at(parent, place); return true;
	}
}

static bool apply(tr_bl_json_text *t, node **root, unsigned operation, tr_slice path, node *item)
{
	node *at = *root;
	uint32_t place;
	leg l;

	if (path.len == 0 || *path.ptr != '$')
		return tr_bl_json_fail(t, no_path);
	path = tr_slice_of(path.ptr + 1, path.len - 1);
	if (path.len == 0) {
		*root = item;
		return operation == REPLACE || tr_bl_json_fail(t, no_place);
	}
	for (;;) {
		if (!take_leg(t, &path, &l) || !open_node(t, at))
			return false;
		if (at->object != l.member)
			return tr_bl_json_fail(t, no_place);
		if (path.len == 0)
			return change(t, at, &l, operation, item);
		if (!locate(at, &l, &place))
			return tr_bl_json_fail(t, no_place);
		at = at->items[place];
	}
}

/* A length as the protocol has it: one byte below 251, else 2, 3 or 8 bytes after a mark; then so many bytes. */
static bool take_part(tr_bl_json_text *t, tr_slice *rest, tr_slice *out)
{
	uint8_t mark = rest->len > 0 ? *rest->ptr : 0xff;
	size_t bytes = mark == 252 ? 2 : mark == 253 ? 3 : mark == 254 ? 8 : 0;
	uint64_t len = mark;

	if (mark == 251 || mark == 255 || rest->len < 1 + bytes)
		return tr_bl_json_fail(t, "a JSON diff ends too early");
	if (bytes > 0)
		len = tr_bl_le(rest->ptr + 1, bytes);
	if (len > rest->len - 1 - bytes)
		return tr_bl_json_fail(t, "a JSON diff ends too early");
	*out = tr_slice_of(rest->ptr + 1 + bytes, len);
	*rest = tr_slice_of(rest->ptr + 1 + bytes + len, rest->len - 1 - bytes - len);
	return true;
}

static bool apply_next(tr_bl_json_text *t, node **root, tr_slice *rest)
{
	unsigned operation = *rest->ptr++;
	tr_slice path, bytes;
	tr_bl_json_value value = {0};
	node *item = NULL;

	rest->len--;
	if (operation > REMOVE)
		return tr_bl_json_fail(t, "a JSON diff has an unknown operation");
	if (!take_part(t, rest, &path))
		return false;
	if (operation != REMOVE) {
		if (!take_part(t, rest, &bytes))
			return false;
		if (!tr_bl_json_document(bytes, &value))
			return tr_bl_json_fail(t, "a JSON diff ends too early");
		item = leaf(t, value);
		if (!item)
			return false;
	}
	return apply(t, root, operation, path, item);
}

/* Recursion: as deep as the document, at most TR_BL_JSON_DEPTH_MAX. */
static bool put_node(tr_bl_json_text *t, const node *n, unsigned depth)
{
	if (!n->open)
		return tr_bl_json_put_value(t, &n->stored, depth);
	if (depth >= TR_BL_JSON_DEPTH_MAX)
		return tr_bl_json_fail(t, "JSON is nested more than 100 deep");
	if (!tr_bl_json_put(t, n->object ? "{" : "[", 1))
		return false;
	for (uint32_t i = 0; i < n->count; i++) {
		if (i > 0 && !tr_bl_json_put(t, ", ", 2))
			return false;
		if (n->object && (!tr_bl_json_put_string(t, n->keys[i]) || !tr_bl_json_put(t, ": ", 2)))
			return false;
		if (!put_node(t, n->items[i], depth + 1))
			return false;
	}
	return tr_bl_json_put(t, n->object ? "}" : "]", 1);
}

int tr_bl_json_patch(tr_slice before, tr_slice diffs, tr_arena *scratch, tr_slice *out, tr_err *err)
{
	tr_bl_json_text text = {.scratch = scratch};
	tr_bl_json_value value;
	node *root;
	bool good = tr_bl_json_document(before, &value) || tr_bl_json_fail(&text, "a JSON value ends too early");

	root = good ? leaf(&text, value) : NULL;
	good = root != NULL;
	while (good && diffs.len > 0)
		good = apply_next(&text, &root, &diffs);
	if (good)
		put_node(&text, root, 0);
	return tr_bl_json_finish(&text, out, err);
}
