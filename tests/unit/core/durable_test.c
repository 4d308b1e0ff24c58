#include "core/durable.h"
#include "tests/unit/test.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static char path[128];

static void make_dir(void)
{
	snprintf(dir, sizeof(dir), "/tmp/tailrace-durable-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/state", dir);
}

/* Removes the files in it and the directory; returns how many files there were. */
static int drop_dir(void)
{
	DIR *d = opendir(dir);
	int count = 0;

	for (const struct dirent *e; (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.') {
			unlinkat(dirfd(d), e->d_name, 0);
			count++;
		}
	closedir(d);
	rmdir(dir);
	return count;
}

static void expect_content(const char *want)
{
	char got[256] = "";
	FILE *f = fopen(path, "r");

	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(got, 1, sizeof(got) - 1, f), strlen(want));
	ck_assert_str_eq(got, want);
	fclose(f);
}

START_TEST(makes_and_replaces)
{
	struct stat st;
	tr_err err;

	make_dir();
	ck_assert_int_eq(tr_durable_replace(path, tr_slice_str("one"), 0600, TR_E_STATE_IO, &err), 0);
	expect_content("one");
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_mode & 0777, 0600);
	ck_assert_int_eq(tr_durable_replace(path, tr_slice_str("two"), 0600, TR_E_STATE_IO, &err), 0);
	expect_content("two");
	ck_assert_int_eq(tr_durable_replace(path, tr_slice_of(NULL, 0), 0600, TR_E_STATE_IO, &err), 0);
	expect_content("");
	ck_assert_int_eq(drop_dir(), 1); /* no temporary file is left */
}
END_TEST

START_TEST(relative_paths)
{
	tr_err err;

	make_dir();
	ck_assert_int_eq(chdir(dir), 0);
	ck_assert_int_eq(tr_durable_replace("state", tr_slice_str("one"), 0600, TR_E_STATE_IO, &err), 0);
	expect_content("one");
	ck_assert_int_eq(tr_durable_sync_parent("state", TR_E_STATE_IO, &err), 0);
	ck_assert_int_eq(tr_durable_sync_parent("/tmp", TR_E_STATE_IO, &err), 0);
	ck_assert_int_eq(drop_dir(), 1);
}
END_TEST

START_TEST(missing_directory_is_named)
{
	tr_err err;

	ck_assert_int_eq(tr_durable_replace("/nonexistent/dir/state", tr_slice_str("x"), 0600, TR_E_STATE_IO, &err), -1);
	ck_assert_int_eq(err.code, TR_E_STATE_IO);
	ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/dir/state"));
	ck_assert_str_eq(err.detail, "No such file or directory");
	ck_assert_int_eq(tr_durable_sync_dir("/nonexistent/dir", TR_E_SINK_IO, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_IO);
}
END_TEST

/* A file size limit stands for a full disk: write fails in the middle. */
START_TEST(failed_write_keeps_the_old_file)
{
	static uint8_t big[100000];
	struct rlimit limit = {1000, 1000};
	tr_err err;

	make_dir();
	ck_assert_int_eq(tr_durable_replace(path, tr_slice_str("old"), 0600, TR_E_STATE_IO, &err), 0);
	signal(SIGXFSZ, SIG_IGN);
	/* Sanitizers and Check write files too, so the limit is lifted no more: the process ends soon. */
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(tr_durable_replace(path, tr_slice_of(big, sizeof(big)), 0600, TR_E_STATE_IO, &err), -1);
	ck_assert_int_eq(err.code, TR_E_STATE_IO);
	ck_assert_str_eq(err.detail, "File too large");
	expect_content("old");
	ck_assert_int_eq(drop_dir(), 1);
}
END_TEST

START_TEST(failed_sync_is_an_error)
{
	int pipe_fds[2];
	tr_err err;

	/* fsync of a pipe is refused. */
	ck_assert_int_eq(pipe(pipe_fds), 0);
	ck_assert_int_eq(tr_durable_sync(pipe_fds[1], "events.avro", TR_E_SINK_IO, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_IO);
	ck_assert_str_eq(err.text, "could not sync file \"events.avro\"");
	ck_assert_ptr_nonnull(strstr(err.hint, "may be lost"));
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	ck_assert_int_eq(tr_durable_sync(-1, "x", TR_E_SINK_IO, NULL), -1);
}
END_TEST

START_TEST(full_device)
{
	int fd = open("/dev/full", O_WRONLY);
	tr_err err;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(tr_durable_write_all(fd, tr_slice_str("x"), "events.avro", TR_E_SINK_IO, &err), -1);
	ck_assert_str_eq(err.detail, "No space left on device");
	ck_assert_ptr_nonnull(strstr(err.hint, "Make room"));
	close(fd);
}
END_TEST

START_TEST(directories_down_to_the_last)
{
	char deep[160];
	struct stat st;
	tr_err err;

	make_dir();
	snprintf(deep, sizeof(deep), "%s/a/b//c/", dir);
	ck_assert_int_eq(tr_durable_mkdirs(deep, 0700, TR_E_STATE_IO, &err), 0);
	ck_assert_int_eq(tr_durable_mkdirs(deep, 0700, TR_E_STATE_IO, &err), 0);
	ck_assert_int_eq(stat(deep, &st), 0);
	ck_assert(S_ISDIR(st.st_mode));
	ck_assert_int_eq(tr_durable_replace(path, tr_slice_str("x"), 0600, TR_E_STATE_IO, &err), 0);
	ck_assert_int_eq(tr_durable_mkdirs(path, 0700, TR_E_STATE_IO, &err), -1);
	ck_assert_str_eq(err.detail, "Not a directory");
	ck_assert_int_eq(tr_durable_mkdirs("", 0700, TR_E_STATE_IO, &err), -1);
	ck_assert_int_eq(tr_durable_mkdirs("/", 0700, TR_E_STATE_IO, &err), 0);
	for (size_t i = 0; i < 3; i++) {
		static const char *const parts[] = {"a/b/c", "a/b", "a"};
		snprintf(deep, sizeof(deep), "%s/%s", dir, parts[i]);
		ck_assert_int_eq(rmdir(deep), 0);
	}
	drop_dir();
}
END_TEST

START_TEST(rename_over_directories)
{
	char other[160], target[192];
	tr_err err;

	make_dir();
	snprintf(other, sizeof(other), "%s/done", dir);
	snprintf(target, sizeof(target), "%s/state", other);
	ck_assert_int_eq(tr_durable_mkdirs(other, 0700, TR_E_SINK_IO, &err), 0);
	ck_assert_int_eq(tr_durable_replace(path, tr_slice_str("x"), 0600, TR_E_SINK_IO, &err), 0);
	ck_assert_int_eq(tr_durable_rename(path, target, TR_E_SINK_IO, &err), 0);
	ck_assert_int_eq(access(target, F_OK), 0);
	ck_assert_int_ne(access(path, F_OK), 0);
	ck_assert_int_eq(tr_durable_rename(path, target, TR_E_SINK_IO, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, target));
	unlink(target);
	rmdir(other);
	drop_dir();
}
END_TEST

TEST_MAIN("durable", makes_and_replaces, relative_paths, missing_directory_is_named, failed_write_keeps_the_old_file,
    failed_sync_is_an_error, full_device, directories_down_to_the_last, rename_over_directories)
