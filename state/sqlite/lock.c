#include "state/sqlite/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "state/copy.h"

static int busy(int fd, const char *path, const char *pipeline, tr_err *err)
{
	char owner[32] = "";
	ssize_t n = pread(fd, owner, sizeof(owner) - 1, 0);

	owner[n > 0 ? n : 0] = '\0';
	owner[strcspn(owner, "\n")] = '\0';
	tr_err_set(err, TR_E_STATE_BUSY, "pipeline \"%s\" is already running as process %s", pipeline, owner[0] ? owner : "?");
	tr_err_detail(err, "it holds the lock on \"%s\"", path);
	return tr_err_hint(err, "Stop that process first, or give this pipeline another name or another state.url.");
}

static int note_owner(int fd, const char *path, tr_err *err)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n)
		return 0;
	tr_err_set(err, TR_E_STATE_IO, "could not write file \"%s\"", path);
	return tr_err_detail(err, "%s", strerror(errno));
}

int tr_state_lock(const char *dir, const char *pipeline, int *out_fd, tr_err *err)
{
	char path[PATH_MAX];

	*out_fd = -1;
	if (tr_state_path(dir, pipeline, ".lock", path, err) != 0)
		return -1;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		tr_err_set(err, TR_E_STATE_IO, "could not open file \"%s\"", path);
		tr_err_detail(err, "%s", strerror(errno));
		return tr_err_hint(err, "The user that runs tailrace needs to write in that directory (state.url).");
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK) {
			busy(fd, path, pipeline, err);
		} else {
			tr_err_set(err, TR_E_STATE_IO, "could not lock file \"%s\"", path);
			tr_err_detail(err, "%s", strerror(errno));
		}
		close(fd);
		return -1;
	}
	if (note_owner(fd, path, err) != 0) {
		close(fd);
		return -1;
	}
	*out_fd = fd;
	return 0;
}

void tr_state_unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}
