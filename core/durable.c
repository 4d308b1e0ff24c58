#include "core/durable.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(tr_err *err, tr_err_code code, const char *verb, const char *kind, const char *path)
{
	int saved = errno;

	tr_err_set(err, code, "could not %s %s \"%s\"", verb, kind, path);
	tr_err_detail(err, "%s", strerrordesc_np(saved) ? strerrordesc_np(saved) : "unknown system error");
	if (saved == ENOSPC || saved == EDQUOT)
		tr_err_hint(err, "Make room on that file system, then start again: nothing that was durable is lost.");
	else if (saved == EACCES || saved == EPERM || saved == EROFS)
		tr_err_hint(err, "Give the user that runs tailrace the right to write there.");
	errno = saved;
	return -1;
}

int tr_durable_write_all(int fd, tr_slice bytes, const char *path, tr_err_code code, tr_err *err)
{
	for (size_t at = 0; at < bytes.len;) {
		ssize_t n = write(fd, bytes.ptr + at, bytes.len - at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(err, code, "write", "file", path);
		at += (size_t)n;
	}
	return 0;
}

int tr_durable_sync(int fd, const char *path, tr_err_code code, tr_err *err)
{
	if (fsync(fd) == 0)
		return 0;
	fail(err, code, "sync", "file", path);
	return err && err->hint[0] ? -1
	                           : tr_err_hint(err, "What was written may be lost. Check the disk, then start again: "
	                                              "tailrace goes on from the last durable position.");
}

int tr_durable_sync_dir(const char *dir, tr_err_code code, tr_err *err)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result;

	if (fd < 0)
		return fail(err, code, "open", "directory", dir);
	result = fsync(fd);
	/* Some network file systems cannot sync a directory and say so; they have no weaker way either. */
	if (result != 0 && errno != EINVAL)
		fail(err, code, "sync", "directory", dir);
	else
		result = 0;
	close(fd);
	return result;
}

/* The directory part of a path, "." when it has none. -1 when it is too long. */
static int parent_of(const char *path, char out[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 1;

	if (slash == path)
		len = 1; /* "/" itself */
	if (len >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(out, slash ? path : ".", len);
	out[len] = '\0';
	return 0;
}

int tr_durable_sync_parent(const char *path, tr_err_code code, tr_err *err)
{
	char dir[PATH_MAX];

	if (parent_of(path, dir) != 0)
		return fail(err, code, "find", "directory of", path);
	return tr_durable_sync_dir(dir, code, err);
}

int tr_durable_rename(const char *from, const char *to, tr_err_code code, tr_err *err)
{
	char from_dir[PATH_MAX], to_dir[PATH_MAX];

	if (parent_of(from, from_dir) != 0 || parent_of(to, to_dir) != 0)
		return fail(err, code, "find", "directory of", to);
	if (rename(from, to) != 0)
		return fail(err, code, "rename to", "file", to);
	if (tr_durable_sync_dir(to_dir, code, err) != 0)
		return -1;
	return strcmp(from_dir, to_dir) == 0 ? 0 : tr_durable_sync_dir(from_dir, code, err);
}

static int write_temp(const char *temp, tr_slice bytes, unsigned mode, tr_err_code code, tr_err *err)
{
	int result = -1;
	int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);

	if (fd < 0)
		return fail(err, code, "create", "file", temp);
	if (tr_durable_write_all(fd, bytes, temp, code, err) != 0)
		goto out;
	result = tr_durable_sync(fd, temp, code, err);
out:
	if (close(fd) != 0 && result == 0)
		result = fail(err, code, "close", "file", temp);
	return result;
}

int tr_durable_replace(const char *path, tr_slice bytes, unsigned mode, tr_err_code code, tr_err *err)
{
	char temp[PATH_MAX];
	int len = snprintf(temp, sizeof(temp), "%s.%ld.tmp", path, (long)getpid());

	if (len < 0 || (size_t)len >= sizeof(temp)) {
		errno = ENAMETOOLONG;
		return fail(err, code, "create", "file", path);
	}
	if (write_temp(temp, bytes, mode, code, err) != 0) {
		unlink(temp);
		return -1;
	}
	if (tr_durable_rename(temp, path, code, err) != 0) {
		unlink(temp); /* gone already when only the directory's fsync failed */
		return -1;
	}
	return 0;
}

static int make_dir(const char *dir, unsigned mode, tr_err_code code, tr_err *err)
{
	struct stat st;

	if (mkdir(dir, (mode_t)mode) == 0)
		return tr_durable_sync_parent(dir, code, err);
	if (errno == EEXIST && stat(dir, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	else if (errno == EEXIST)
		return 0;
	return fail(err, code, "create", "directory", dir);
}

int tr_durable_mkdirs(const char *dir, unsigned mode, tr_err_code code, tr_err *err)
{
	char path[PATH_MAX];
	size_t len = strlen(dir);

	while (len > 1 && dir[len - 1] == '/')
		len--;
	if (len == 0 || len >= sizeof(path)) {
		errno = len ? ENAMETOOLONG : ENOENT;
		return fail(err, code, "create", "directory", dir);
	}
	for (size_t i = 1; i <= len; i++) {
		if (i < len && dir[i] != '/')
			continue;
		memcpy(path, dir, i);
		path[i] = '\0';
		if (make_dir(path, mode, code, err) != 0)
			return -1;
	}
	return 0;
}
