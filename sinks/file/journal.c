#include "sinks/file/journal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/durable.h"
#include "sinks/file/part.h"

#define JOURNAL_BYTES_MAX (64u << 20)

static int journal_path(const char *dir, const char *pipeline, char out[PATH_MAX], tr_err *err)
{
	int n = snprintf(out, PATH_MAX, "%s/.%s.parts", dir, pipeline);

	if (n < 0 || n >= PATH_MAX)
		return tr_err_set(err, TR_E_SINK_IO, "the path of directory \"%s\" is too long", dir);
	return 0;
}

void tr_journal_line(tr_writer *lines, uint64_t synced, const char *name)
{
	tr_writer_decimal_u64(lines, synced);
	tr_writer_u8(lines, ' ');
	tr_writer_text(lines, name);
	tr_writer_u8(lines, '\n');
}

int tr_journal_save(const char *dir, const char *pipeline, tr_writer *lines, size_t count, tr_err *err)
{
	char path[PATH_MAX];

	if (journal_path(dir, pipeline, path, err) != 0)
		return -1;
	if (count == 0) {
		if (unlink(path) != 0 && errno != ENOENT) {
			tr_err_set(err, TR_E_SINK_IO, "could not remove file \"%s\"", path);
			return tr_err_detail(err, "%s", strerror(errno));
		}
		return 0;
	}
	tr_writer_text(lines, "end ");
	tr_writer_decimal_u64(lines, count);
	tr_writer_u8(lines, '\n');
	if (!tr_writer_ok(lines))
		return tr_err_set(err, TR_E_MEMORY, "the list of open files could not be built");
	return tr_durable_replace(path, tr_writer_view(lines), 0644, TR_E_SINK_IO, err);
}

static int damaged(const char *path, size_t line, tr_err *err)
{
	tr_err_set(err, TR_E_SINK_IO, "file \"%s\" cannot be read: it is damaged", path);
	tr_err_detail(err, "line %zu", line);
	return tr_err_hint(err, "It says how much of the unfinished files (.*.part) beside it is safe. To give those events up, "
	                        "remove it together with them; the visible files are whole.");
}

/* One "<bytes> <name>" line; 1 at the end line, which must agree. */
static int adopt_line(const char *dir, const char *path, char *line, size_t number, tr_err *err)
{
	char *rest = NULL;
	unsigned long long length;

	if (strncmp(line, "end ", 4) == 0)
		return strtoull(line + 4, NULL, 10) == number - 1 ? 1 : damaged(path, number, err);
	if (!isdigit((unsigned char)line[0]))
		return damaged(path, number, err);
	length = strtoull(line, &rest, 10);
	if (*rest != ' ' || rest[1] == '.' || rest[1] == '\0' || strchr(rest + 1, '/'))
		return damaged(path, number, err);
	return tr_part_adopt(dir, rest + 1, length, err);
}

static int adopt_lines(const char *dir, const char *path, FILE *in, tr_err *err)
{
	char *line = NULL;
	size_t cap = 0, number = 0;
	int result = 0;

	while (result == 0) {
		ssize_t n = getline(&line, &cap, in);
		number++;
		if (n <= 0 || line[n - 1] != '\n') {
			result = damaged(path, number, err);
			break;
		}
		line[n - 1] = '\0';
		result = adopt_line(dir, path, line, number, err);
	}
	free(line);
	return result < 0 ? -1 : 0;
}

int tr_journal_recover(const char *dir, const char *pipeline, tr_err *err)
{
	char path[PATH_MAX];
	int result;

	if (journal_path(dir, pipeline, path, err) != 0)
		return -1;
	FILE *in = fopen(path, "re");
	if (!in && errno == ENOENT)
		return 0;
	if (!in) {
		tr_err_set(err, TR_E_SINK_IO, "could not open file \"%s\"", path);
		return tr_err_detail(err, "%s", strerror(errno));
	}
	result = adopt_lines(dir, path, in, err);
	fclose(in);
	return result != 0 ? -1 : tr_journal_save(dir, pipeline, NULL, 0, err);
}

/* "shop.public.orders-000007.avro", or ".shop…avro.part": topic length and number; false for anything else. */
static bool parse_name(const char *name, const char *suffix, size_t *topic_len, uint32_t *number, bool *part)
{
	size_t len = strlen(name), tail = strlen(suffix), digits = 0;

	*part = name[0] == '.';
	if (*part) {
		if (len < 6 || strcmp(name + len - 5, ".part") != 0)
			return false;
		name++;
		len -= 6;
	}
	if (len <= tail || memcmp(name + len - tail, suffix, tail) != 0)
		return false;
	len -= tail;
	while (digits < len && isdigit((unsigned char)name[len - 1 - digits]))
		digits++;
	if (digits == 0 || digits > 9 || digits + 1 >= len || name[len - 1 - digits] != '-')
		return false;
	*number = (uint32_t)strtoul(name + len - digits, NULL, 10);
	*topic_len = len - digits - 1;
	return true;
}

static int note_file(const char *name, const char *suffix, tr_map *into, tr_err *err)
{
	size_t len;
	uint32_t number;
	bool part;

	if (!parse_name(name, suffix, &len, &number, &part))
		return 0;
	tr_slice topic = tr_slice_of(name + part, len);
	tr_topic_files *files = tr_map_get(into, topic);
	if (!files) {
		files = calloc(1, sizeof(*files));
		if (!files)
			return tr_err_set(err, TR_E_MEMORY, "the list of files could not be read");
		tr_map_put(into, topic, files);
	}
	if (number > files->highest)
		files->highest = number;
	if (part && number > files->part)
		files->part = number;
	return 0;
}

int tr_journal_scan(const char *dir, const char *suffix, tr_map *into, tr_err *err)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	int result = 0;

	if (!d) {
		tr_err_set(err, TR_E_SINK_IO, "could not read directory \"%s\"", dir);
		return tr_err_detail(err, "%s", strerror(errno));
	}
	while (result == 0 && (entry = readdir(d)) != NULL)
		result = note_file(entry->d_name, suffix, into, err);
	closedir(d);
	return result;
}
