#include "capture/source.h"

#include <stdio.h>

#define TR_SOURCE(ops) extern const tr_source_ops ops;
#include "capture/sources.def"
#undef TR_SOURCE

static const tr_source_ops *const kinds[] = {
#define TR_SOURCE(ops) &ops,
#include "capture/sources.def"
#undef TR_SOURCE
};

#define KIND_COUNT (sizeof(kinds) / sizeof(kinds[0]))

static bool has_scheme(const char *schemes, tr_slice scheme)
{
	while (*schemes) {
		size_t len = strcspn(schemes, " ");

		if (tr_slice_eq(tr_slice_of(schemes, len), scheme))
			return true;
		schemes += len + (schemes[len] == ' ');
	}
	return false;
}

/* Written once with the same text by whoever comes first; the catalogue of kinds never changes. */
static const char *known_schemes(void)
{
	static char text[256];

	if (text[0] == '\0') {
		size_t at = 0;

		for (size_t i = 0; i < KIND_COUNT; i++) {
			int n = snprintf(text + at, sizeof(text) - at, "%s%s", i ? " " : "", kinds[i]->schemes);

			at += n > 0 && (size_t)n < sizeof(text) - at ? (size_t)n : 0;
		}
	}
	return text;
}

const tr_source_ops *tr_source_find(const char *url, const char **known)
{
	const char *end = url ? strstr(url, "://") : NULL;

	if (known)
		*known = known_schemes();
	for (size_t i = 0; end && i < KIND_COUNT; i++)
		if (has_scheme(kinds[i]->schemes, tr_slice_of(url, (size_t)(end - url))))
			return kinds[i];
	return NULL;
}

const tr_source_ops *tr_source_at(size_t index)
{
	return index < KIND_COUNT ? kinds[index] : NULL;
}
