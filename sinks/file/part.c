#include "sinks/file/part.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/durable.h"
#include "core/failpoint.h"

#define HEAD 20 /* room for the two longs in front of a block */
#define KEEP_BYTES (1u << 20) /* a buffer that one large record made larger than this is given back */

static int io_error(tr_err *err, const char *verb, const char *path)
{
	int saved = errno;

	tr_err_set(err, TR_E_SINK_IO, "could not %s file \"%s\"", verb, path);
	tr_err_detail(err, "%s", strerror(saved));
	return tr_err_hint(err, "What was acknowledged so far is safe. Mend the cause, then start again: tailrace goes on from "
	                        "the last durable position.");
}

int tr_part_path(const char *dir, const char *name, char out[PATH_MAX], tr_err *err)
{
	int n = snprintf(out, PATH_MAX, "%s/.%s.part", dir, name);

	if (n < 0 || n >= PATH_MAX)
		return tr_err_set(err, TR_E_SINK_IO, "the path of file \"%s\" is too long", name);
	return 0;
}

static int final_path(const char *dir, const char *name, char out[PATH_MAX], tr_err *err)
{
	int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);

	if (n < 0 || n >= PATH_MAX)
		return tr_err_set(err, TR_E_SINK_IO, "the path of file \"%s\" is too long", name);
	return 0;
}

static void empty(tr_part_block *b)
{
	static const uint8_t zeros[HEAD];

	if (b->bytes.cap > KEEP_BYTES) {
		size_t max = b->bytes.max;
		tr_writer_release(&b->bytes);
		tr_writer_init(&b->bytes, max);
	}
	tr_writer_reset(&b->bytes);
	tr_writer_put(&b->bytes, zeros, HEAD);
	b->records = 0;
}

int tr_part_block_init(tr_part_block *b, bool avro, bool deflate, tr_err *err)
{
	*b = (tr_part_block){.avro = avro, .deflate = avro && deflate};
	tr_writer_init(&b->bytes, UINT32_MAX);
	tr_writer_init(&b->packed, UINT32_MAX);
	empty(b);
	/* Avro's deflate is the raw form of RFC 1951, without zlib's header and checksum. */
	if (b->deflate && deflateInit2(&b->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return tr_err_set(err, TR_E_MEMORY, "the compressor of the file sink could not be made");
	b->z_ready = b->deflate;
	return 0;
}

void tr_part_block_release(tr_part_block *b)
{
	if (b->z_ready)
		deflateEnd(&b->z);
	tr_writer_release(&b->bytes);
	tr_writer_release(&b->packed);
	b->z_ready = false;
}

static void put_text(tr_writer *w, const char *text)
{
	tr_writer_zigzag(w, (int64_t)strlen(text));
	tr_writer_text(w, text);
}

static int write_bytes(tr_part *p, const char *path, tr_slice bytes, tr_err *err)
{
	if (tr_durable_write_all(p->fd, bytes, path, TR_E_SINK_IO, err) != 0)
		return -1;
	p->size += bytes.len;
	return 0;
}

static int write_header(tr_part *p, const char *path, const tr_part_block *b, const char *schema, const char *pipeline,
                        const char *topic, tr_err *err)
{
	const char *const pairs[][2] = {{"avro.schema", schema}, {"avro.codec", b->deflate ? "deflate" : "null"},
	    {"tailrace.pipeline", pipeline}, {"tailrace.topic", topic}};
	size_t count = sizeof(pairs) / sizeof(pairs[0]);
	tr_writer w;
	int result = -1;

	tr_writer_init(&w, UINT32_MAX);
	tr_writer_put(&w, "Obj\1", 4);
	tr_writer_zigzag(&w, (int64_t)count);
	for (size_t i = 0; i < count; i++) {
		put_text(&w, pairs[i][0]);
		put_text(&w, pairs[i][1]);
	}
	tr_writer_zigzag(&w, 0);
	if (getrandom(p->sync, sizeof(p->sync), 0) != (ssize_t)sizeof(p->sync)) {
		tr_err_set(err, TR_E_SYSTEM, "the system gave no random bytes for a sync marker");
		goto out;
	}
	tr_writer_put(&w, p->sync, sizeof(p->sync));
	if (!tr_writer_ok(&w)) {
		tr_err_set(err, TR_E_MEMORY, "the header of file \"%s\" could not be built", path);
		goto out;
	}
	result = write_bytes(p, path, tr_writer_view(&w), err);
out:
	tr_writer_release(&w);
	return result;
}

int tr_part_create(tr_part *p, const char *dir, const char *name, const tr_part_block *b, const char *schema,
                   const char *pipeline, const char *topic, tr_err *err)
{
	char path[PATH_MAX];

	*p = (tr_part){.fd = -1, .opened_us = tr_clock_mono_us()};
	snprintf(p->name, sizeof(p->name), "%s", name);
	if (tr_part_path(dir, name, path, err) != 0)
		return -1;
	p->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (p->fd < 0)
		return io_error(err, "create", path);
	p->exists = true;
	return b->avro ? write_header(p, path, b, schema, pipeline, topic, err) : 0;
}

int tr_part_resume(tr_part *p, const char *dir, tr_err *err)
{
	char path[PATH_MAX];

	if (tr_part_path(dir, p->name, path, err) != 0)
		return -1;
	p->fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
	return p->fd < 0 ? io_error(err, "open", path) : 0;
}

void tr_part_suspend(tr_part *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static int pack(tr_part_block *b, tr_err *err)
{
	size_t in_len = b->bytes.len - HEAD;
	size_t bound = deflateBound(&b->z, (uLong)in_len);

	tr_writer_reset(&b->packed);
	if (!tr_writer_reserve(&b->packed, HEAD + bound + TR_PART_SYNC_LEN))
		return tr_err_set(err, TR_E_MEMORY, "a block of %zu bytes could not be compressed", in_len);
	deflateReset(&b->z);
	b->z.next_in = b->bytes.data + HEAD;
	b->z.avail_in = (uInt)in_len;
	b->z.next_out = b->packed.data + HEAD;
	b->z.avail_out = (uInt)bound;
	if (deflate(&b->z, Z_FINISH) != Z_STREAM_END)
		return tr_err_set(err, TR_E_BUG, "a block of %zu bytes could not be compressed", in_len);
	b->packed.len = HEAD + bound - b->z.avail_out;
	return 0;
}

/* The block's two longs right in front of its records, the marker behind them: one write. */
static tr_slice frame(tr_writer *w, uint64_t records, const uint8_t *sync)
{
	uint8_t head[HEAD];
	tr_writer h = {.data = head, .cap = HEAD, .max = HEAD};

	tr_writer_zigzag(&h, (int64_t)records);
	tr_writer_zigzag(&h, (int64_t)(w->len - HEAD));
	memcpy(w->data + HEAD - h.len, head, h.len);
	tr_writer_put(w, sync, TR_PART_SYNC_LEN);
	return tr_slice_of(w->data + HEAD - h.len, w->len - HEAD + h.len);
}

int tr_part_write_block(tr_part *p, const char *dir, tr_part_block *b, tr_err *err)
{
	char path[PATH_MAX];
	tr_slice bytes;
	int result = -1;

	if (b->records == 0)
		return 0;
	if (tr_part_path(dir, p->name, path, err) != 0)
		goto out;
	if (b->avro) {
		if (b->deflate && pack(b, err) != 0)
			goto out;
		bytes = frame(b->deflate ? &b->packed : &b->bytes, b->records, p->sync);
	} else {
		bytes = tr_slice_of(b->bytes.data + HEAD, b->bytes.len - HEAD);
	}
	if (!tr_writer_ok(&b->bytes)) {
		tr_err_set(err, TR_E_MEMORY, "a block of file \"%s\" could not be built", path);
		goto out;
	}
	result = write_bytes(p, path, bytes, err);
out:
	empty(b);
	return result;
}

int tr_part_sync(tr_part *p, const char *dir, tr_err *err)
{
	char path[PATH_MAX];

	if (p->synced == p->size)
		return 0;
	if (tr_part_path(dir, p->name, path, err) != 0)
		return -1;
	if (tr_durable_sync(p->fd, path, TR_E_SINK_IO, err) != 0)
		return -1;
	p->synced = p->size;
	return 0;
}

static int cut_and_rename(int fd, const char *dir, const char *name, const char *path, uint64_t length, tr_err *err)
{
	char final[PATH_MAX];
	struct stat st;

	if (final_path(dir, name, final, err) != 0)
		return -1;
	if (fstat(fd, &st) != 0)
		return io_error(err, "look at", path);
	if ((uint64_t)st.st_size < length) {
		tr_err_set(err, TR_E_SINK_IO, "file \"%s\" is shorter than what was written to it", path);
		tr_err_detail(err, "%llu bytes were synced, %lld are there", (unsigned long long)length, (long long)st.st_size);
		return tr_err_hint(err, "Something else changed it. Restore it, or remove it if its events can be spared.");
	}
	if ((uint64_t)st.st_size > length && ftruncate(fd, (off_t)length) != 0)
		return io_error(err, "cut", path);
	if (tr_durable_sync(fd, path, TR_E_SINK_IO, err) != 0)
		return -1;
	if (tr_failpoint_at(TR_FP_FILE_RENAME))
		return tr_err_set(err, TR_E_SINK_IO, "stopped at a failpoint before the rename of file \"%s\"", path);
	return tr_durable_rename(path, final, TR_E_SINK_IO, err);
}

int tr_part_publish(tr_part *p, const char *dir, tr_err *err)
{
	char path[PATH_MAX];
	int result = -1;

	if (!p->exists)
		return 0;
	if (tr_part_path(dir, p->name, path, err) != 0)
		goto out;
	if (p->synced == 0) {
		result = unlink(path) == 0 || errno == ENOENT ? 0 : io_error(err, "remove", path);
		goto out;
	}
	if (p->fd < 0 && tr_part_resume(p, dir, err) != 0)
		goto out;
	result = cut_and_rename(p->fd, dir, p->name, path, p->synced, err);
out:
	tr_part_suspend(p);
	p->exists = result != 0;
	return result;
}

int tr_part_adopt(const char *dir, const char *name, uint64_t length, tr_err *err)
{
	char path[PATH_MAX];
	int result;

	if (tr_part_path(dir, name, path, err) != 0)
		return -1;
	int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : io_error(err, "open", path);
	result = cut_and_rename(fd, dir, name, path, length, err);
	close(fd);
	return result;
}
