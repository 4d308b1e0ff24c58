#include "state/internal.h"

#include <stdio.h>

static const tr_store_ops *const kinds[] = {
#define TR_STORE(kind) &tr_store_##kind,
#include "state/stores.def"
#undef TR_STORE
};
#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static bool has_scheme(const char *schemes, const char *scheme, size_t len)
{
	while (*schemes) {
		size_t word = strcspn(schemes, " ");
		if (word == len && memcmp(schemes, scheme, len) == 0)
			return true;
		schemes += word + (schemes[word] == ' ');
	}
	return false;
}

/* Every scheme of every kind, made once; the table never changes. */
static const char *known_schemes(void)
{
	static char text[128];

	if (!text[0]) {
		size_t at = 0;
		for (size_t i = 0; i < KIND_COUNT && at < sizeof(text); i++)
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "", kinds[i]->schemes);
	}
	return text;
}

const tr_store_ops *tr_store_find(const char *url, const char **known)
{
	size_t len = url ? strcspn(url, ":") : 0;

	if (known)
		*known = known_schemes();
	for (size_t i = 0; i < KIND_COUNT; i++)
		if (has_scheme(kinds[i]->schemes, url ? url : "", len))
			return kinds[i];
	return NULL;
}

int tr_store_open(tr_store **out, const tr_store_options *options, tr_err *err)
{
	const char *known = NULL;
	const tr_store_ops *ops = tr_store_find(options->url, &known);

	*out = NULL;
	if (!ops)
		return tr_err_set(err, TR_E_CONFIG, "state \"%s\" has no known scheme (known: %s)", options->url, known);
	if (options->transactional && !ops->entry)
		ops = &tr_store_with_copy;
	return ops->open(out, options, err);
}

const tr_store_ops *tr_store_at(size_t index)
{
	return index < KIND_COUNT ? kinds[index] : NULL;
}
