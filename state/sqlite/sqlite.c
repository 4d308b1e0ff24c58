/*
 * file:DIR — DIR/tailrace.db, an SQLite database with one row per pipeline. application_id says that it is ours
 * ("tail" in ASCII), user_version is the version of this layout:
 *   pipeline(name TEXT PRIMARY KEY, sequence INTEGER, record TEXT, checksum INTEGER)
 * record is the JSON of state/record.h; checksum is the CRC-32 of name, a NUL and record, so that a row that was edited or
 * damaged inside a page is not taken for a position.
 *
 * Journal: WAL with synchronous=FULL. A commit is one append and one fsync, durable when it returns. The rollback journal
 * would take three fsyncs and, unless its directory is synced too (synchronous=EXTRA), may undo the last commit after a power
 * failure: a position must not go back once it was confirmed. Readers (status, offsets show) never wait for the writer.
 *
 * A reset leaves a row whose record says so: when it was made decides between this and an older record elsewhere (with_copy.c).
 *
 * The file is made whole under another name first: an empty tailrace.db is damage, never a new state.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "core/clock.h"
#include "core/durable.h"
#include "core/failpoint.h"
#include "core/obj.h"
#include "state/copy.h"
#include "state/sqlite/lock.h"
#include "state/store.h"

#define APPLICATION_ID 0x7461696c
#define LAYOUT_VERSION 1
#define BUSY_TIMEOUT_MS 5000

typedef struct store {
	tr_store base;
	char dir[PATH_MAX - 64], path[PATH_MAX];
	char *pipeline;
	bool read_only;
	int lock_fd;
	sqlite3 *db;             /* NULL: read only, and there is none */
	sqlite3_stmt *save_stmt; /* prepared once: saving is the one frequent operation */
	tr_writer text;
} store;

static store *self(tr_store *s)
{
	TR_CHECK_OBJ(s, TR_STORE_MAGIC);
	return (store *)s;
}

static int corrupt(const store *s, tr_err *err, const char *why)
{
	tr_err_set(err, TR_E_STATE_CORRUPT, "the state in \"%s\" cannot be used", s->path);
	tr_err_detail(err, "%s", why);
	return tr_err_hint(err, "Nothing was changed. Restore the file (with its -wal, if there is one) from a backup; or move it "
	                        "away, set the position by `tailrace offsets set`, or start anew without it.");
}

/* SQLite's result as one of our codes. */
static int db_error(const store *s, sqlite3 *db, int rc, const char *verb, tr_err *err)
{
	const char *why = db ? sqlite3_errmsg(db) : sqlite3_errstr(rc);

	switch (rc & 0xff) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_FORMAT:
	case SQLITE_SCHEMA:
		return corrupt(s, err, why);
	case SQLITE_ERROR: /* our statements are right, so the tables are not ours */
		if (strcmp(verb, "read") == 0)
			return corrupt(s, err, why);
		break;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		tr_err_set(err, TR_E_STATE_BUSY, "the state in \"%s\" is locked by another process", s->path);
		tr_err_detail(err, "%s", why);
		return tr_err_hint(err, "Close the program that has it open (sqlite3, a backup) and start again.");
	case SQLITE_NOMEM:
		return tr_err_set(err, TR_E_MEMORY, "the state in \"%s\" needs more memory", s->path);
	default:
		break;
	}
	tr_err_set(err, TR_E_STATE_IO, "could not %s the state in \"%s\"", verb, s->path);
	int system = db ? sqlite3_system_errno(db) : 0;
	if (system != 0)
		tr_err_detail(err, "%s (%s)", why, strerror(system));
	else
		tr_err_detail(err, "%s", why);
	return tr_err_hint(err, "The last saved position is safe. Make room or give the right to write there, then start again.");
}

static int run(const store *s, sqlite3 *db, const char *sql, const char *verb, tr_err *err)
{
	int rc = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return rc == SQLITE_OK ? 0 : db_error(s, db, rc, verb, err);
}

static int ask_int(const store *s, const char *sql, int64_t *out, tr_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*out = sqlite3_column_int64(stmt, 0);
	int result = rc == SQLITE_ROW ? 0 : db_error(s, s->db, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, "read", err);
	sqlite3_finalize(stmt);
	return result;
}

static int make_layout(const store *s, const char *temp, tr_err *err)
{
	sqlite3 *db = NULL;
	char sql[512];
	int result = -1;
	int rc = sqlite3_open_v2(temp, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);

	if (rc != SQLITE_OK) {
		db_error(s, db, rc, "make", err);
		goto out;
	}
	snprintf(sql, sizeof(sql),
	    "PRAGMA application_id=%d; PRAGMA user_version=%d; PRAGMA journal_mode=OFF;"
	    "CREATE TABLE pipeline(name TEXT NOT NULL PRIMARY KEY, sequence INTEGER NOT NULL, record TEXT NOT NULL,"
	    " checksum INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
	    APPLICATION_ID, LAYOUT_VERSION);
	result = run(s, db, sql, "make", err);
out:
	sqlite3_close(db);
	return result;
}

/* Under the directory's lock; link(2) replaces nothing. */
static int create(const store *s, tr_err *err)
{
	char temp[PATH_MAX];
	int fd = -1, result = -1;

	snprintf(temp, sizeof(temp), "%s/.tailrace.db.%ld", s->dir, (long)getpid());
	unlink(temp);
	fd = open(temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || make_layout(s, temp, err) != 0) {
		if (fd < 0)
			db_error(s, NULL, errno == ENOSPC ? SQLITE_FULL : SQLITE_CANTOPEN, "make", err);
		goto out;
	}
	if (tr_durable_sync(fd, temp, TR_E_STATE_IO, err) != 0)
		goto out;
	if (link(temp, s->path) != 0 && errno != EEXIST) {
		tr_err_set(err, TR_E_STATE_IO, "could not make the state in \"%s\"", s->path);
		tr_err_detail(err, "%s", strerror(errno));
		goto out;
	}
	result = tr_durable_sync_dir(s->dir, TR_E_STATE_IO, err);
out:
	if (fd >= 0)
		close(fd);
	unlink(temp);
	return result;
}

static int quick_check(const store *s, tr_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int result = 0;
	int rc = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW)
		result = db_error(s, s->db, rc, "read", err);
	else if (strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") != 0)
		result = corrupt(s, err, (const char *)sqlite3_column_text(stmt, 0));
	sqlite3_finalize(stmt);
	return result;
}

static int check_layout(const store *s, tr_err *err)
{
	int64_t id = 0, version = 0;

	if (ask_int(s, "PRAGMA application_id", &id, err) != 0 || ask_int(s, "PRAGMA user_version", &version, err) != 0)
		return -1;
	if (id != APPLICATION_ID)
		return corrupt(s, err, "it is a database of another application");
	if (version > LAYOUT_VERSION) {
		tr_err_set(err, TR_E_STATE_NEWER, "the state in \"%s\" has layout %lld of a newer version", s->path, (long long)version);
		tr_err_detail(err, "this program knows layouts up to %d", LAYOUT_VERSION);
		return tr_err_hint(err, "Run the version of tailrace that wrote it, or a newer one. Nothing was changed.");
	}
	if (version != LAYOUT_VERSION)
		return corrupt(s, err, "its layout version does not exist");
	return quick_check(s, err);
}

/* A reader that may not write beside the file cannot make WAL's shared index; without a -wal the file alone is complete. */
static int open_immutable(store *s, tr_err *err)
{
	char wal[PATH_MAX + 8], uri[PATH_MAX * 3 + 32];
	tr_writer w = {.data = (uint8_t *)uri, .cap = sizeof(uri), .max = sizeof(uri)};

	snprintf(wal, sizeof(wal), "%s-wal", s->path);
	if (access(wal, F_OK) == 0)
		return db_error(s, s->db, SQLITE_CANTOPEN, "read", err);
	sqlite3_close(s->db);
	s->db = NULL;
	tr_writer_text(&w, "file:");
	for (const char *c = s->path; *c; c++) {
		if (strchr("?#%", *c))
			tr_writer_format(&w, "%%%02x", (unsigned char)*c);
		else
			tr_writer_u8(&w, (uint8_t)*c);
	}
	tr_writer_text(&w, "?immutable=1");
	tr_writer_u8(&w, 0);
	int rc = sqlite3_open_v2(uri, &s->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
	return rc == SQLITE_OK ? 0 : db_error(s, s->db, rc, "open", err);
}

static int open_db(store *s, tr_err *err)
{
	int flags = s->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	char dir[PATH_MAX], path[PATH_MAX + 16];

	/* The way to the directory may have symbolic links, the file itself may not be one; SQLite refuses both. */
	if (!realpath(s->dir, dir))
		return db_error(s, NULL, SQLITE_CANTOPEN, "open", err);
	snprintf(path, sizeof(path), "%s/tailrace.db", dir);
	int rc = sqlite3_open_v2(path, &s->db, flags | SQLITE_OPEN_NOFOLLOW, NULL);

	if (rc != SQLITE_OK)
		return db_error(s, s->db, rc, "open", err);
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
	if (s->read_only) {
		rc = sqlite3_exec(s->db, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL) & 0xff;
		if ((rc == SQLITE_CANTOPEN || rc == SQLITE_READONLY) && open_immutable(s, err) != 0)
			return -1;
		return check_layout(s, err);
	}
	/* Checked before the first pragma that would write to a file that may not be ours. */
	if (check_layout(s, err) != 0)
		return -1;
	return run(s, s->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=256;", "open", err);
}

static int open_file(store *s, tr_err *err)
{
	struct stat st;

	if (stat(s->path, &st) != 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return db_error(s, NULL, SQLITE_CANTOPEN, "open", err);
		if (s->read_only)
			return 0;
		if (create(s, err) != 0)
			return -1;
	} else if (!S_ISREG(st.st_mode)) {
		return corrupt(s, err, "it is not a regular file");
	} else if (st.st_size == 0) {
		return corrupt(s, err, "the file is empty: it was truncated");
	}
	return open_db(s, err);
}

/* Pipelines of one or several processes that share a directory come to it at once: one after the other makes the file and
 * switches it to WAL, which SQLite's own waiting does not cover. */
static int open_alone(store *s, tr_err *err)
{
	int fd = open(s->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result = -1;

	if (fd >= 0 && flock(fd, LOCK_EX) == 0)
		result = open_file(s, err);
	else
		db_error(s, NULL, SQLITE_CANTOPEN, "open", err);
	if (fd >= 0)
		close(fd);
	return result;
}

static int take_dir(store *s, const char *url, tr_err *err)
{
	const char *dir = url + strlen("file:");

	if (strncmp(dir, "//", 2) == 0)
		dir += 2;
	if (!dir[0] || strlen(dir) >= sizeof(s->dir))
		return tr_err_set(err, TR_E_CONFIG, "state \"%s\" names no directory", url);
	snprintf(s->dir, sizeof(s->dir), "%s", dir);
	for (size_t len = strlen(s->dir); len > 1 && s->dir[len - 1] == '/'; len--)
		s->dir[len - 1] = '\0';
	snprintf(s->path, sizeof(s->path), "%s/tailrace.db", s->dir);
	return 0;
}

/* Errors of the system below us come without a way out. */
static int with_hint(const store *s, tr_err *err)
{
	if (err && err->code == TR_E_STATE_IO && !err->hint[0])
		tr_err_hint(err, "state.url has to be a directory that can be made, or written by the user that runs tailrace; \"%.200s\" "
		                 "is not. Nothing was changed.", s->dir);
	return -1;
}

static int open_store(tr_store **out, const tr_store_options *options, tr_err *err)
{
	bool read_only = options->read_only;
	store *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return tr_err_set(err, TR_E_MEMORY, "the store could not be made");
	s->base = (tr_store){.magic = TR_STORE_MAGIC, .ops = &tr_store_sqlite};
	s->lock_fd = -1;
	s->read_only = read_only;
	s->pipeline = strdup(options->pipeline ? options->pipeline : "");
	tr_writer_init(&s->text, (size_t)64 << 20);
	if (!s->pipeline) {
		tr_err_set(err, TR_E_MEMORY, "the store could not be made");
		goto fail;
	}
	if (take_dir(s, options->url, err) != 0)
		goto fail;
	if (!read_only && (tr_durable_mkdirs(s->dir, 0700, TR_E_STATE_IO, err) != 0 ||
	                      tr_state_lock(s->dir, s->pipeline, &s->lock_fd, err) != 0))
		goto fail;
	if ((read_only ? open_file(s, err) : open_alone(s, err)) != 0)
		goto fail;
	*out = &s->base;
	return 0;
fail:
	with_hint(s, err);
	tr_store_sqlite.free(&s->base);
	return -1;
}

static uint32_t checksum(const char *name, tr_slice record)
{
	uLong crc = crc32(0, (const Bytef *)name, (uInt)strlen(name) + 1);

	return (uint32_t)crc32(crc, record.ptr, (uInt)record.len);
}

/* The row at hand: columns name, record, checksum. */
static int decode_row(const store *s, sqlite3_stmt *stmt, tr_record_state *record, tr_err *err)
{
	const char *name = (const char *)sqlite3_column_text(stmt, 0);
	tr_slice text = tr_slice_of(sqlite3_column_text(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
	char why[128];

	if (checksum(name, text) != (uint32_t)sqlite3_column_int64(stmt, 2)) {
		snprintf(why, sizeof(why), "the checksum of pipeline \"%.80s\" does not match", name);
		return corrupt(s, err, why);
	}
	if (tr_record_state_decode(record, text, err) == 0)
		return 0;
	return tr_err_prefix(err, "\"%s\", pipeline \"%s\"", s->path, name);
}

static int prepare(const store *s, const char *sql, sqlite3_stmt **out, const char *verb, tr_err *err)
{
	int rc = sqlite3_prepare_v2(s->db, sql, -1, out, NULL);

	return rc == SQLITE_OK ? 0 : db_error(s, s->db, rc, verb, err);
}

/* A record that says "reset" stands for none; when that was stays. Whether there is one. */
static bool is_there(tr_record_state *record)
{
	int64_t saved_at_ms = record->saved_at_ms;

	if (!record->reset)
		return true;
	tr_record_state_release(record);
	tr_record_state_init(record);
	record->saved_at_ms = saved_at_ms;
	return false;
}

static int load(tr_store *base, tr_record_state *record, tr_err *err)
{
	store *s = self(base);
	sqlite3_stmt *stmt = NULL;
	int result = -1;

	if (!s->db)
		return 0;
	if (prepare(s, "SELECT name, record, checksum FROM pipeline WHERE name = ?1", &stmt, "read", err) != 0)
		return -1;
	sqlite3_bind_text(stmt, 1, s->pipeline, -1, SQLITE_STATIC);
	int rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		result = decode_row(s, stmt, record, err) == 0 ? is_there(record) : -1;
	else
		result = rc == SQLITE_DONE ? 0 : db_error(s, s->db, rc, "read", err);
	sqlite3_finalize(stmt);
	return result;
}

static int refuse_read_only(const store *s, tr_err *err)
{
	return tr_err_set(err, TR_E_BUG, "the state in \"%s\" was opened to be read only", s->path);
}

/* The row is replaced only by one with a higher sequence: one statement decides and writes. */
static int upsert(store *s, uint64_t sequence, tr_err *err)
{
	static const char sql[] = "INSERT INTO pipeline(name, sequence, record, checksum) VALUES(?1, ?2, ?3, ?4)"
	                          " ON CONFLICT(name) DO UPDATE SET sequence = excluded.sequence, record = excluded.record,"
	                          " checksum = excluded.checksum WHERE excluded.sequence > pipeline.sequence";
	tr_slice text = tr_writer_view(&s->text);

	if (!s->save_stmt && prepare(s, sql, &s->save_stmt, "write", err) != 0)
		return -1;
	sqlite3_bind_text(s->save_stmt, 1, s->pipeline, -1, SQLITE_STATIC);
	sqlite3_bind_int64(s->save_stmt, 2, (sqlite3_int64)sequence);
	sqlite3_bind_text(s->save_stmt, 3, (const char *)text.ptr, (int)text.len, SQLITE_STATIC);
	sqlite3_bind_int64(s->save_stmt, 4, checksum(s->pipeline, text));
	int rc = sqlite3_step(s->save_stmt);
	sqlite3_reset(s->save_stmt);
	sqlite3_clear_bindings(s->save_stmt);
	if (rc != SQLITE_DONE)
		return db_error(s, s->db, rc, "write", err);
	if (sqlite3_changes(s->db) == 1)
		return 0;
	tr_err_set(err, TR_E_STATE_BACKWARDS, "the state of pipeline \"%s\" would go back", s->pipeline);
	tr_err_detail(err, "save %llu is not newer than what \"%s\" holds", (unsigned long long)sequence, s->path);
	return tr_err_hint(err, "Nothing was written. Another process may have used this state: see that only one runs.");
}

static int save(tr_store *base, const tr_record_state *record, tr_err *err)
{
	store *s = self(base);

	if (s->read_only)
		return refuse_read_only(s, err);
	tr_writer_reset(&s->text);
	if (tr_record_state_encode(record, s->pipeline, &s->text, err) != 0)
		return -1;
	if (run(s, s->db, "BEGIN IMMEDIATE", "write", err) != 0)
		return -1;
	if (upsert(s, record->sequence, err) != 0)
		goto undo;
	if (tr_failpoint_at(TR_FP_STATE_WRITE)) {
		tr_err_set(err, TR_E_STATE_IO, "stopped at a failpoint inside the state's transaction");
		goto undo;
	}
	if (run(s, s->db, "COMMIT", "write", err) == 0)
		return 0;
undo:
	sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return -1;
}

static bool is_reset(tr_slice text)
{
	tr_record_state record;

	tr_record_state_init(&record);
	bool yes = tr_record_state_decode(&record, text, NULL) == 0 && record.reset;
	tr_record_state_release(&record);
	return yes;
}

/* The stored text as it is, readable or not: a reset is the way out of a record that cannot be read. */
static int copy_record(store *s, char *backup, size_t backup_size, bool *found, tr_err *err)
{
	sqlite3_stmt *stmt = NULL;
	int result = -1;

	*found = false;
	if (prepare(s, "SELECT record FROM pipeline WHERE name = ?1", &stmt, "read", err) != 0)
		return -1;
	sqlite3_bind_text(stmt, 1, s->pipeline, -1, SQLITE_STATIC);
	int rc = sqlite3_step(stmt);
	if (rc != SQLITE_ROW) {
		result = rc == SQLITE_DONE ? 0 : db_error(s, s->db, rc, "read", err);
		goto out;
	}
	tr_slice text = tr_slice_of(sqlite3_column_text(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
	*found = !is_reset(text);
	result = *found ? tr_state_copy(s->dir, s->pipeline, text, backup, backup_size, err) : 0;
out:
	sqlite3_finalize(stmt);
	return result;
}

static int write_reset(store *s, tr_err *err)
{
	tr_record_state none;
	sqlite3_stmt *stmt = NULL;

	tr_record_state_init(&none);
	none.reset = true;
	none.saved_at_ms = tr_clock_wall_ns() / 1000000;
	tr_writer_reset(&s->text);
	int result = tr_record_state_encode(&none, s->pipeline, &s->text, err);
	tr_record_state_release(&none);
	if (result != 0 ||
	    prepare(s, "UPDATE pipeline SET sequence = 0, record = ?2, checksum = ?3 WHERE name = ?1", &stmt, "write", err) != 0)
		return -1;
	tr_slice text = tr_writer_view(&s->text);
	sqlite3_bind_text(stmt, 1, s->pipeline, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, (const char *)text.ptr, (int)text.len, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 3, checksum(s->pipeline, text));
	int rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : db_error(s, s->db, rc, "write", err);
}

static int reset(tr_store *base, char *backup, size_t backup_size, tr_err *err)
{
	store *s = self(base);
	bool found;

	if (backup_size > 0)
		backup[0] = '\0';
	if (s->read_only)
		return refuse_read_only(s, err);
	if (copy_record(s, backup, backup_size, &found, err) != 0)
		return with_hint(s, err);
	return found ? write_reset(s, err) : 0;
}

static int list(tr_store *base, void (*each)(void *context, const char *pipeline, const tr_record_state *record), void *context,
                tr_err *err)
{
	store *s = self(base);
	sqlite3_stmt *stmt = NULL;
	tr_record_state record;
	int rc, result = -1;

	if (!s->db)
		return 0;
	if (prepare(s, "SELECT name, record, checksum FROM pipeline ORDER BY name", &stmt, "read", err) != 0)
		return -1;
	tr_record_state_init(&record);
	while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (decode_row(s, stmt, &record, err) != 0)
			goto out;
		if (record.reset)
			continue;
		each(context, (const char *)sqlite3_column_text(stmt, 0), &record);
	}
	result = rc == SQLITE_DONE ? 0 : db_error(s, s->db, rc, "read", err);
out:
	tr_record_state_release(&record);
	sqlite3_finalize(stmt);
	return result;
}

static void free_store(tr_store *base)
{
	if (!base)
		return;
	store *s = self(base);
	sqlite3_finalize(s->save_stmt);
	sqlite3_close(s->db); /* the last connection folds the WAL into the file */
	tr_state_unlock(s->lock_fd);
	tr_writer_release(&s->text);
	free(s->pipeline);
	s->base.magic = 0;
	free(s);
}

const tr_store_ops tr_store_sqlite = {
	.kind = "sqlite",
	.schemes = "file",
	.open = open_store,
	.load = load,
	.save = save,
	.reset = reset,
	.list = list,
	.free = free_store,
};
