# Copyright the tailrace authors. SPDX-License-Identifier: Apache-2.0
"""Calls of the operating system that behave as on a bad day, by a library that is loaded before the others. What it does is
switched by a file beside it: `switch` exists or not, and how large it is."""
import os
import subprocess

BEGIN = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static long switched(void)
{
	struct stat file;

	return stat(getenv("PRELOAD_SWITCH"), &file) == 0 ? file.st_size : -1;
}
"""
# The wall clock is as many seconds off as the file has bytes, forwards, or with PRELOAD_BACK backwards.
WALL_CLOCK = r"""
int clock_gettime(clockid_t clock, struct timespec *out)
{
	static int (*real)(clockid_t, struct timespec *);
	long off = clock == CLOCK_REALTIME ? switched() : 0;

	if (!real)
		real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
	int result = real(clock, out);
	if (off > 0)
		out->tv_sec += getenv("PRELOAD_BACK") ? -off : off;
	return result;
}
"""
# While the file is there, nothing can be made durable, as on a disk that dies.
SYNC = r"""
int fsync(int fd)
{
	if (switched() < 0)
		return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
	errno = EIO;
	return -1;
}
int fdatasync(int fd)
{
	if (switched() < 0)
		return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
	errno = EIO;
	return -1;
}
"""


class Preload:
    """`environment` is for the process, `on(size)` and `off()` work at once."""

    def __init__(self, folder, calls, **more):
        source, library, self.switch = (folder / f"preload{end}" for end in (".c", ".so", ""))
        source.write_text(BEGIN + calls, encoding="utf-8")
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
        sanitizer = os.environ.get("ASAN_OPTIONS", "")
        self.environment = {"LD_PRELOAD": str(library), "PRELOAD_SWITCH": str(self.switch),
                            "ASAN_OPTIONS": f"{sanitizer}:verify_asan_link_order=0", **more}

    def on(self, size=0):
        with open(self.switch, "wb") as f:
            f.truncate(size)

    def off(self):
        self.switch.unlink()
