#include "service/json_view.h"

static size_t skip_space(tr_slice s, size_t at)
{
	while (at < s.len && strchr(" \t\r\n", s.ptr[at]))
		at++;
	return at;
}

/* From an opening quote to behind the closing one. */
static size_t skip_string(tr_slice s, size_t at)
{
	for (at++; at < s.len && s.ptr[at] != '"'; at++)
		at += s.ptr[at] == '\\';
	return at < s.len ? at + 1 : s.len;
}

/* Behind one value: nesting is counted, strings are stepped over. */
static size_t skip_value(tr_slice s, size_t at)
{
	size_t depth = 0;

	while (at < s.len) {
		uint8_t c = s.ptr[at];

		if (c == '"') {
			at = skip_string(s, at);
			if (depth == 0)
				return at;
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']') {
			if (depth == 0)
				return at;
			if (--depth == 0)
				return at + 1;
		} else if (c == ',' && depth == 0) {
			return at;
		}
		at++;
	}
	return at;
}

bool tr_json_view_next(tr_slice object, size_t *at, tr_slice *key, tr_slice *value)
{
	size_t i = *at, start;

	if (i == 0) {
		i = skip_space(object, 0);
		if (i >= object.len || object.ptr[i] != '{')
			return false;
		i++;
	}
	i = skip_space(object, i);
	if (i < object.len && object.ptr[i] == ',')
		i = skip_space(object, i + 1);
	if (i >= object.len || object.ptr[i] != '"')
		return false;
	start = i;
	i = skip_string(object, i);
	*key = tr_slice_of(object.ptr + start + 1, i - start >= 2 ? i - start - 2 : 0);
	i = skip_space(object, i);
	if (i >= object.len || object.ptr[i] != ':')
		return false;
	start = skip_space(object, i + 1);
	i = skip_value(object, start);
	*value = tr_slice_of(object.ptr + start, i - start);
	while (value->len > 0 && strchr(" \t\r\n", value->ptr[value->len - 1]))
		value->len--;
	*at = i;
	return true;
}

tr_slice tr_json_view_get(tr_slice object, const char *name)
{
	tr_slice key, value;

	for (size_t at = 0; tr_json_view_next(object, &at, &key, &value);) {
		if (tr_slice_eq(key, tr_slice_str(name)))
			return value;
	}
	return tr_slice_of(NULL, 0);
}

tr_slice tr_json_view_text(tr_slice value)
{
	if (value.len >= 2 && value.ptr[0] == '"')
		return tr_slice_of(value.ptr + 1, value.len - 2);
	return value;
}
