#include "state/copy.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/durable.h"

#define COPIES_A_SECOND 1000

int tr_state_path(const char *dir, const char *pipeline, const char *suffix, char out[PATH_MAX], tr_err *err)
{
	size_t at = (size_t)snprintf(out, PATH_MAX, "%s/", dir);

	for (const char *c = pipeline; *c && at + 4 < PATH_MAX; c++) {
		bool plain = isalnum((unsigned char)*c) || strchr("_-", *c) || (*c == '.' && c != pipeline);
		at += (size_t)snprintf(out + at, PATH_MAX - at, plain ? "%c" : "%%%02X", (unsigned char)*c);
	}
	if (at + strlen(suffix) >= PATH_MAX)
		return tr_err_set(err, TR_E_STATE_IO, "the path of the state of pipeline \"%s\" is too long", pipeline);
	memcpy(out + at, suffix, strlen(suffix) + 1);
	return 0;
}

/* A name that no copy has yet. */
static int free_name(const char *dir, const char *pipeline, char path[PATH_MAX], tr_err *err)
{
	char stamp[32], suffix[64];
	time_t now = time(NULL);
	struct tm utc;

	strftime(stamp, sizeof(stamp), "-%Y%m%dT%H%M%SZ", gmtime_r(&now, &utc));
	for (unsigned n = 1; n <= COPIES_A_SECOND; n++) {
		snprintf(suffix, sizeof(suffix), n > 1 ? "%s-%u.json" : "%s.json", stamp, n);
		if (tr_state_path(dir, pipeline, suffix, path, err) != 0)
			return -1;
		if (access(path, F_OK) != 0 && errno == ENOENT)
			return 0;
	}
	return tr_err_set(err, TR_E_STATE_IO, "no free name is left for a copy of the record beside \"%s\"", path);
}

int tr_state_copy(const char *dir, const char *pipeline, tr_slice bytes, char *out, size_t out_size, tr_err *err)
{
	char path[PATH_MAX];

	if (tr_durable_mkdirs(dir, 0700, TR_E_STATE_IO, err) != 0 || free_name(dir, pipeline, path, err) != 0 ||
	    tr_durable_replace(path, bytes, 0600, TR_E_STATE_IO, err) != 0)
		return -1;
	snprintf(out, out_size, "%s", path);
	return 0;
}
