/*
 * Reads the finished files of a directory in the order in which they became visible, then waits for new ones. Avro containers
 * are read by avro-c, and each record is handed on in Avro's binary form with the schema text of the file's header (the
 * library's own copy of the schema lacks the attributes that say what a value means).
 */
#include <avro.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "core/map.h"
#include "core/obj.h"
#include "core/reader.h"
#include "core/text.h"
#include "core/writer.h"
#include "sinks/reader.h"

#define LOOK_AGAIN_US 200000
#define HEADER_MAX ((size_t)2 << 20)  /* bytes of a container's header: the schema */
#define RECORD_MAX ((size_t)64 << 20) /* bytes */
#define FILES_MAX 100000

typedef struct waiting {
	char *name;
	int64_t modified_ns;
} waiting;

typedef struct reader {
	tr_sink_reader base;
	char *dir, *prefix, *name;
	tr_map *seen;      /* file names */
	waiting *files;    /* found and not read yet, oldest last */
	size_t file_count;
	int64_t look_at_us;
	/* the open file */
	char topic[256];
	int64_t number;
	FILE *lines;
	char *line;
	size_t line_size;
	avro_file_reader_t avro;
	avro_value_iface_t *class;
	avro_schema_t parsed;
	avro_value_t value;
	char *schema;
	tr_writer bytes;
} reader;

static reader *self(tr_sink_reader *r)
{
	TR_CHECK_OBJ(r, TR_SINK_READER_MAGIC);
	return (reader *)r;
}

static int io_error(const char *what, const char *path, const char *reason, tr_err *err)
{
	tr_err_set(err, TR_E_SINK_IO, "%s \"%s\"", what, path);
	return tr_err_detail(err, "%s", reason);
}

static void close_file(reader *r)
{
	if (r->class) {
		avro_value_decref(&r->value);
		avro_value_iface_decref(r->class);
		avro_schema_decref(r->parsed);
	}
	if (r->avro)
		avro_file_reader_close(r->avro);
	if (r->lines)
		fclose(r->lines);
	free(r->schema);
	r->class = NULL;
	r->avro = NULL;
	r->lines = NULL;
	r->schema = NULL;
}

static void reader_free(tr_sink_reader *base)
{
	reader *r = (reader *)base;

	if (!r)
		return;
	close_file(r);
	for (size_t i = 0; i < r->file_count; i++)
		free(r->files[i].name);
	free(r->files);
	tr_map_free(r->seen, NULL);
	tr_writer_release(&r->bytes);
	free(r->line);
	free(r->dir);
	free(r->prefix);
	free(r->name);
	free(r);
}

static bool has_suffix(const char *name, const char *suffix)
{
	size_t len = strlen(name), end = strlen(suffix);

	return len > end && strcmp(name + len - end, suffix) == 0;
}

/* Newest first, so that the next one to read is the last. */
static int by_age(const void *a, const void *b)
{
	const waiting *x = a, *y = b;

	if (x->modified_ns != y->modified_ns)
		return x->modified_ns < y->modified_ns ? 1 : -1;
	return -strcmp(x->name, y->name);
}

static int add_file(reader *r, const char *name, tr_err *err)
{
	waiting *files;
	struct stat info;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	if (stat(path, &info) < 0)
		return errno == ENOENT ? 0 : io_error("could not look at file", path, strerror(errno), err);
	if (r->file_count == FILES_MAX)
		return io_error("too many files to read in directory", r->dir, "give a topic or move old files away", err);
	files = realloc(r->files, (r->file_count + 1) * sizeof(*files));
	if (!files)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for file names");
	r->files = files;
	files[r->file_count] = (waiting){.name = strdup(name),
	    .modified_ns = (int64_t)info.st_mtim.tv_sec * 1000000000 + info.st_mtim.tv_nsec};
	if (!files[r->file_count].name)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for file names");
	r->file_count++;
	return 0;
}

/* <topic>-000001.avro, of topics with the prefix or the one with the name. */
static bool is_wanted(const reader *r, const char *file)
{
	size_t len = strlen(r->name);

	if (!has_suffix(file, ".avro") && !has_suffix(file, ".jsonl"))
		return false;
	return strncmp(file, r->prefix, strlen(r->prefix)) == 0 ||
	       (len > 0 && strncmp(file, r->name, len) == 0 && file[len] == '-' && file[len + 1] >= '0' && file[len + 1] <= '9');
}

/* Finds files that were not there before; `keep` false only notes that they exist. */
static int look(reader *r, bool keep, tr_err *err)
{
	DIR *dir = opendir(r->dir);
	struct dirent *entry;
	int result = 0;

	r->look_at_us = tr_clock_mono_us() + LOOK_AGAIN_US;
	/* It is made by the sink when it starts. */
	if (!dir)
		return errno == ENOENT ? 0 : io_error("could not read directory", r->dir, strerror(errno), err);
	while (result == 0 && (entry = readdir(dir))) {
		tr_slice name = tr_slice_str(entry->d_name);

		if (entry->d_name[0] == '.' || !is_wanted(r, entry->d_name) || tr_map_get(r->seen, name))
			continue;
		tr_map_put(r->seen, name, r);
		if (keep)
			result = add_file(r, entry->d_name, err);
	}
	closedir(dir);
	if (r->file_count > 1)
		qsort(r->files, r->file_count, sizeof(*r->files), by_age);
	return result;
}

static int reader_open(tr_sink_reader **out, const tr_sink_reader_options *options, tr_err *err)
{
	extern const tr_sink_reader_ops tr_sink_reader_file;
	reader *r = calloc(1, sizeof(*r));
	const char *dir = options->url + strcspn(options->url, ":") + 1;

	*out = NULL;
	if (!r)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the reader");
	r->base = (tr_sink_reader){.magic = TR_SINK_READER_MAGIC, .ops = &tr_sink_reader_file};
	r->dir = strdup(strncmp(dir, "//", 2) == 0 ? dir + 2 : dir);
	r->prefix = strdup(options->topic_prefix ? options->topic_prefix : "");
	r->name = strdup(options->topic_name ? options->topic_name : "");
	r->seen = tr_map_new();
	tr_writer_init(&r->bytes, RECORD_MAX);
	if (look(r, options->from_beginning, err) < 0) {
		reader_free(&r->base);
		return -1;
	}
	*out = &r->base;
	return 0;
}

/* Zig-zag long of Avro; sticky failure on more than ten bytes. */
static int64_t read_long(tr_reader *in)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte = tr_reader_u8(in);

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
	}
	tr_reader_fail(in, 1);
	return 0;
}

static tr_slice read_bytes(tr_reader *in)
{
	int64_t len = read_long(in);

	if (len < 0)
		tr_reader_fail(in, 1);
	return tr_reader_bytes(in, len < 0 ? 0 : (size_t)len);
}

/* "Obj" 0x01, then blocks of a map: count (negative: followed by a size), key, value; the entry avro.schema is wanted. */
static char *schema_of(tr_slice header)
{
	tr_reader in;

	tr_reader_init(&in, header);
	if (!tr_slice_eq(tr_reader_bytes(&in, 4), tr_slice_of("Obj\1", 4)))
		return NULL;
	for (int64_t count = read_long(&in); count != 0 && !in.failed; count = read_long(&in)) {
		if (count < 0)
			(void)read_long(&in);
		for (count = count < 0 ? -count : count; count > 0 && !in.failed; count--) {
			tr_slice key = read_bytes(&in), value = read_bytes(&in);

			if (!in.failed && tr_slice_eq(key, tr_slice_str("avro.schema")))
				return tr_text_copy(value);
		}
	}
	return NULL;
}

static char *read_schema(const char *path)
{
	FILE *file = fopen(path, "rb");
	char *bytes = malloc(HEADER_MAX), *schema = NULL;
	size_t len;

	if (file && bytes) {
		len = fread(bytes, 1, HEADER_MAX, file);
		schema = schema_of(tr_slice_of(bytes, len));
	}
	if (file)
		fclose(file);
	free(bytes);
	return schema;
}

static int open_avro(reader *r, const char *path, tr_err *err)
{
	r->schema = read_schema(path);
	if (!r->schema || avro_file_reader(path, &r->avro) != 0)
		return io_error("cannot read Avro file", path, r->schema ? avro_strerror() : "its header is damaged", err);
	r->parsed = avro_file_reader_get_writer_schema(r->avro);
	r->class = avro_generic_class_from_schema(r->parsed);
	if (!r->class || avro_generic_value_new(r->class, &r->value) != 0)
		return io_error("cannot read the schema of Avro file", path, avro_strerror(), err);
	return 0;
}

/* Of "<topic>-000001.avro". */
static void take_topic(tr_slice name, char *out, size_t size)
{
	size_t len = name.len;

	while (len > 0 && name.ptr[len - 1] != '-')
		len--;
	tr_text_format(out, size, "%.*s", (int)(len > 0 ? len - 1 : name.len), (const char *)name.ptr);
}

static int open_next(reader *r, tr_err *err)
{
	char path[4096], *name = r->files[--r->file_count].name;
	int result = 0;

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	take_topic(tr_slice_str(name), r->topic, sizeof(r->topic));
	r->number = 0;
	if (has_suffix(name, ".avro"))
		result = open_avro(r, path, err);
	else if (!(r->lines = fopen(path, "r")))
		result = io_error("could not open file", path, strerror(errno), err);
	free(name);
	return result;
}

static tr_sink_reader_record record(reader *r, tr_slice value)
{
	return (tr_sink_reader_record){.topic = r->topic, .partition = -1, .offset = r->number++, .timestamp_ms = -1,
	    .has_value = true, .value = value, .schema = r->schema};
}

/* 1, or 0 at the end of the file. */
static int next_line(reader *r, tr_sink_reader_record *out)
{
	ssize_t len = getline(&r->line, &r->line_size, r->lines);

	if (len <= 0)
		return 0;
	*out = record(r, tr_slice_of(r->line, (size_t)len - (r->line[len - 1] == '\n')));
	return 1;
}

static int next_avro(reader *r, tr_sink_reader_record *out, tr_err *err)
{
	int failed = avro_file_reader_read_value(r->avro, &r->value);
	avro_writer_t memory;
	size_t len;

	if (failed == EOF)
		return 0;
	if (failed || avro_value_sizeof(&r->value, &len) != 0)
		return io_error("cannot read a record of topic", r->topic, avro_strerror(), err);
	tr_writer_reset(&r->bytes);
	if (!tr_writer_reserve(&r->bytes, len + 1))
		return tr_err_set(err, TR_E_MEMORY, "a record of topic \"%s\" is larger than %zu bytes", r->topic, RECORD_MAX);
	memory = avro_writer_memory((char *)r->bytes.data, (int64_t)r->bytes.cap);
	failed = avro_value_write(memory, &r->value);
	len = (size_t)avro_writer_tell(memory);
	avro_writer_free(memory);
	avro_value_reset(&r->value);
	if (failed)
		return io_error("cannot read a record of topic", r->topic, avro_strerror(), err);
	*out = record(r, tr_slice_of(r->bytes.data, len));
	return 1;
}

static int reader_next(tr_sink_reader *base, int wait_ms, tr_sink_reader_record *out, tr_err *err)
{
	reader *r = self(base);
	int64_t until_us = tr_clock_mono_us() + (int64_t)wait_ms * 1000;
	int found;

	for (;;) {
		if (r->avro || r->lines) {
			found = r->avro ? next_avro(r, out, err) : next_line(r, out);
			if (found != 0)
				return found;
			close_file(r);
		}
		if (r->file_count == 0 && tr_clock_mono_us() >= r->look_at_us && look(r, true, err) < 0)
			return -1;
		if (r->file_count > 0) {
			if (open_next(r, err) < 0)
				return -1;
			continue;
		}
		if (tr_clock_mono_us() >= until_us)
			return 0;
		tr_clock_sleep_ms(20);
	}
}

static void reader_topics(tr_sink_reader *base, void (*each)(void *context, const char *topic), void *context)
{
	char topic[256];
	size_t cursor = 0;
	tr_slice name;

	while (tr_map_next(self(base)->seen, &cursor, &name, NULL)) {
		take_topic(name, topic, sizeof(topic));
		each(context, topic);
	}
}

const tr_sink_reader_ops tr_sink_reader_file = {
    .kind = "file", .open = reader_open, .next = reader_next, .topics = reader_topics, .free = reader_free};
