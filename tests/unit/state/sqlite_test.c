/* Damage and trouble with the SQLite file: each refused by name, with the path and a way out, and nothing changed. */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/failpoint.h"
#include "state/store.h"
#include "tests/unit/test.h"

static const tr_store_ops *ops;
static char dir[64], url[128], db[128];
static tr_err err;

static void setup(void)
{
	ops = tr_store_find("file:x", NULL);
	snprintf(dir, sizeof(dir), "/tmp/tr-sqlite-XXXXXX");
	ck_assert(mkdtemp(dir) != NULL);
	snprintf(url, sizeof(url), "file:%s", dir);
	snprintf(db, sizeof(db), "%s/tailrace.db", dir);
}

static void teardown(void)
{
	char command[128];

	umount(dir);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	ck_assert(system(command) == 0);
}

static int save(tr_store *s, uint64_t sequence)
{
	tr_record_state r;

	tr_record_state_init(&r);
	tr_writer_format(&r.position, "{\"lsn\":\"0/%llu\"}", (unsigned long long)sequence);
	r.sequence = sequence;
	int result = ops->save(s, &r, &err);
	tr_record_state_release(&r);
	return result;
}

static int load(tr_store *s, uint64_t *sequence)
{
	tr_record_state r;

	tr_record_state_init(&r);
	int result = ops->load(s, &r, &err);
	*sequence = r.sequence;
	tr_record_state_release(&r);
	return result;
}

static void make(void)
{
	tr_store *s;

	ck_assert_msg(ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop", .read_only = false}, &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_int_eq(save(s, 1), 0);
	ops->free(s);
}

static void sql(const char *text)
{
	sqlite3 *d;
	char *why = NULL;

	ck_assert(sqlite3_open(db, &d) == SQLITE_OK);
	ck_assert_msg(sqlite3_exec(d, text, NULL, NULL, &why) == SQLITE_OK, "%s", why);
	sqlite3_close(d);
}

/* Both kinds of opening, then loading, must refuse; the file stays as it was. */
static void refused(tr_err_code code)
{
	struct stat before, after;

	ck_assert(stat(db, &before) == 0);
	for (int read_only = 0; read_only < 2; read_only++) {
		tr_store *s = NULL;
		uint64_t sequence;
		tr_err_clear(&err);
		int result = ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop", .read_only = read_only}, &err);
		if (result == 0)
			result = load(s, &sequence);
		ck_assert_msg(result == -1, "accepted (read only %d)", read_only);
		ck_assert_msg(err.code == code, "%s: %s", err.text, err.detail);
		ck_assert_msg(strstr(err.text, db) != NULL, "%s", err.text);
		ck_assert(err.detail[0] && err.hint[0]);
		if (s)
			ops->free(s);
	}
	ck_assert(stat(db, &after) == 0);
	ck_assert_int_eq(before.st_size, after.st_size);
}

static void write_file(const char *bytes, size_t len)
{
	int fd = open(db, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	ck_assert(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
}

START_TEST(empty_file)
{
	write_file("", 0);
	refused(TR_E_STATE_CORRUPT);
}
END_TEST

START_TEST(garbage)
{
	char bytes[8192];

	memset(bytes, 'x', sizeof(bytes));
	write_file(bytes, sizeof(bytes));
	refused(TR_E_STATE_CORRUPT);
	write_file("x", 1);
	refused(TR_E_STATE_CORRUPT);
}
END_TEST

START_TEST(truncated_anywhere)
{
	make();
	struct stat st;
	ck_assert(stat(db, &st) == 0);
	for (off_t keep = st.st_size - 1; keep > 0; keep -= 512) {
		ck_assert(truncate(db, keep) == 0);
		refused(TR_E_STATE_CORRUPT);
	}
}
END_TEST

START_TEST(another_application)
{
	sql("CREATE TABLE t(x); INSERT INTO t VALUES(1);");
	refused(TR_E_STATE_CORRUPT);
}
END_TEST

START_TEST(newer_layout)
{
	make();
	sql("PRAGMA user_version=2");
	refused(TR_E_STATE_NEWER);
}
END_TEST

START_TEST(newer_record)
{
	char record[64], text[256];
	uLong crc;

	snprintf(record, sizeof(record), "{\"version\":%d,\"writer\":\"tailrace 9\"}", TR_STATE_VERSION + 1);
	crc = crc32(crc32(0, (const Bytef *)"shop", 5), (const Bytef *)record, (uInt)strlen(record));

	make();
	snprintf(text, sizeof(text), "UPDATE pipeline SET record = '%s', checksum = %lu", record, crc);
	sql(text);
	refused(TR_E_STATE_NEWER);
}
END_TEST

/* A state that version 1 left is read, and has our version after the next save. */
START_TEST(older_record)
{
	static const char record[] = "{\"version\":1,\"pipeline\":\"shop\",\"source\":{},\"position\":{\"lsn\":\"0/1\"},"
	                             "\"snapshot\":{\"state\":\"done\",\"tables\":{}},\"sequence\":1,\"saved_at_ms\":2,\"writer\":\"tailrace 0.1.0\"}";
	char text[512];
	tr_store *s;
	uint64_t sequence;
	uLong crc = crc32(crc32(0, (const Bytef *)"shop", 5), (const Bytef *)record, sizeof(record) - 1);

	make();
	snprintf(text, sizeof(text), "UPDATE pipeline SET record = '%s', checksum = %lu", record, crc);
	sql(text);
	ck_assert(ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop"}, &err) == 0);
	ck_assert_msg(load(s, &sequence) == 1 && sequence == 1, "%s: %s", err.text, err.detail);
	ck_assert_int_eq(save(s, 2), 0);
	ck_assert(load(s, &sequence) == 1 && sequence == 2);
	ops->free(s);
}
END_TEST

START_TEST(edited_record)
{
	make();
	sql("UPDATE pipeline SET record = replace(record, '0/1', '0/9')");
	refused(TR_E_STATE_CORRUPT);
	ck_assert(strstr(err.detail, "checksum") != NULL);
}
END_TEST

START_TEST(not_a_file)
{
	ck_assert(mkdir(db, 0700) == 0);
	refused(TR_E_STATE_CORRUPT);
}
END_TEST

START_TEST(not_a_directory)
{
	tr_store *s;
	char file_url[160];

	make();
	snprintf(file_url, sizeof(file_url), "file:%s", db);
	ck_assert_int_eq(ops->open(&s, &(tr_store_options){.url = file_url, .pipeline = "shop", .read_only = false}, &err), -1);
	ck_assert_int_eq(err.code, TR_E_STATE_IO);
	ck_assert(strstr(err.text, db) != NULL && err.hint[0]);
}
END_TEST

START_TEST(directory_is_private)
{
	struct stat st;
	char sub[160];

	snprintf(sub, sizeof(sub), "file:%s/x/y/", dir);
	tr_store *s;
	ck_assert_int_eq(ops->open(&s, &(tr_store_options){.url = sub, .pipeline = "shop", .read_only = false}, &err), 0);
	ops->free(s);
	snprintf(sub, sizeof(sub), "%s/x/y", dir);
	ck_assert(stat(sub, &st) == 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0700);
	snprintf(sub, sizeof(sub), "%s/x/y/tailrace.db", dir);
	ck_assert(stat(sub, &st) == 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
}
END_TEST

START_TEST(locked_by_another_program)
{
	tr_store *s;
	sqlite3 *d;

	make();
	ck_assert(ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop", .read_only = false}, &err) == 0);
	ck_assert(sqlite3_open(db, &d) == SQLITE_OK);
	ck_assert(sqlite3_exec(d, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
	ck_assert_int_eq(save(s, 2), -1);
	ck_assert_int_eq(err.code, TR_E_STATE_BUSY);
	sqlite3_close(d);
	ck_assert_int_eq(save(s, 2), 0);
	ops->free(s);
}
END_TEST

/* A save that stops inside its transaction leaves the old record. */
START_TEST(stopped_in_the_transaction)
{
	tr_store *s;
	uint64_t sequence;

	make();
	setenv("TAILRACE_FAILPOINT", "state.write=error", 1);
	tr_failpoint_setup();
	ck_assert(ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop", .read_only = false}, &err) == 0);
	ck_assert_int_eq(save(s, 2), -1);
	ck_assert_int_eq(err.code, TR_E_STATE_IO);
	ck_assert_int_eq(load(s, &sequence), 1);
	ck_assert_uint_eq(sequence, 1);
	ops->free(s);
}
END_TEST

/* Needs the right to mount; without it (not root) the test has nothing to fill. */
static bool mount_small(const char *options)
{
	return mount("none", dir, "tmpfs", 0, options) == 0;
}

START_TEST(full_disk)
{
	tr_store *s;
	char fill[160], zeros[4096] = {0};
	uint64_t sequence, n = 1;

	if (!mount_small("size=256k"))
		return;
	make();
	ck_assert(ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop", .read_only = false}, &err) == 0);
	snprintf(fill, sizeof(fill), "%s/fill", dir);
	int fd = open(fill, O_WRONLY | O_CREAT, 0600);
	while (write(fd, zeros, sizeof(zeros)) == (ssize_t)sizeof(zeros)) {
	}
	while (n < 500 && save(s, n + 1) == 0)
		n++;
	ck_assert_uint_lt(n, 500);
	ck_assert_msg(err.code == TR_E_STATE_IO, "%s: %s", err.text, err.detail);
	ck_assert(strstr(err.text, db) && err.hint[0]);
	/* The last good save is there, and with room again it goes on. */
	ck_assert_int_eq(load(s, &sequence), 1);
	ck_assert_uint_eq(sequence, n);
	close(fd);
	unlink(fill);
	ck_assert_msg(save(s, n + 1) == 0, "%s: %s", err.text, err.detail);
	ops->free(s);
}
END_TEST

START_TEST(full_disk_at_the_start)
{
	tr_store *s;

	if (!mount_small("size=8k"))
		return;
	ck_assert_int_eq(ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop", .read_only = false}, &err), -1);
	ck_assert_msg(err.code == TR_E_STATE_IO, "%s: %s", err.text, err.detail);
	ck_assert_int_ne(access(db, F_OK), 0);
}
END_TEST

START_TEST(read_only_file_system)
{
	tr_store *s;
	uint64_t sequence;

	if (!mount_small("size=1m"))
		return;
	make();
	ck_assert(mount("none", dir, "tmpfs", MS_REMOUNT | MS_RDONLY, "size=1m") == 0);
	ck_assert_int_eq(ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop", .read_only = false}, &err), -1);
	ck_assert_msg(err.code == TR_E_STATE_IO, "%s: %s", err.text, err.detail);
	ck_assert_msg(ops->open(&s, &(tr_store_options){.url = url, .pipeline = "shop", .read_only = true}, &err) == 0, "%s: %s", err.text, err.detail);
	ck_assert_int_eq(load(s, &sequence), 1);
	ck_assert_uint_eq(sequence, 1);
	ops->free(s);
}
END_TEST

int main(void)
{
	const TTest *const each[] = {empty_file, garbage, truncated_anywhere, another_application, newer_layout, newer_record, older_record,
	    edited_record, not_a_file, not_a_directory, directory_is_private, locked_by_another_program, stopped_in_the_transaction,
	    full_disk, full_disk_at_the_start, read_only_file_system};
	Suite *suite = suite_create("sqlite");
	TCase *cases = tcase_create("faults");

	tcase_set_timeout(cases, 60);
	tcase_add_checked_fixture(cases, setup, teardown);
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		tcase_add_test(cases, each[i]);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
