#include "capture/mysql/chunk.h"

#include <errno.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/text.h"

#define SQL_MAX     ((size_t)48 << 20) /* the executed GTIDs of a server may be many */
#define ROWS_MAX    ((size_t)3 << 30)  /* of one row that is larger than a chunk */
#define SEEN_MS     20
#define SEEN_TRIES  100
#define EXECUTED_S  2

static const char mark_what[] = "write to the signal table", rows_what[] = "read a chunk";

/* --- statements -------------------------------------------------------------------------------- */

static int run(tr_myc_chunk *c, const char *what, tr_writer *sql, tr_err *err)
{
	int result;

	tr_writer_u8(sql, '\0');
	result = tr_writer_ok(sql) ? tr_myc_run(c->c, &c->wake, what, (const char *)sql->data, err)
				   : tr_err_set(err, TR_E_MEMORY, "out of memory");
	tr_writer_release(sql);
	return result;
}

static int write_mark(tr_myc_chunk *c, bool close, tr_err *err)
{
	tr_writer w;
	int result;

	tr_writer_init(&w, SQL_MAX);
	tr_writer_text(&w, "INSERT INTO ");
	tr_myc_qualified(&w, c->signal_database, c->signal_name);
	tr_writer_text(&w, " VALUES (");
	tr_inc_window_values(&c->window, close, &w);
	tr_writer_u8(&w, ')');
	result = run(c, mark_what, &w, err);
	c->of_mark = result != 0;
	return result;
}

/* Memory for sorting keys that are longer than the server's usual thousand bytes; views, whatever the server's default. */
static int open_connection(tr_myc_chunk *c, tr_err *err)
{
	if (c->c)
		return 0;
	if (tr_myc_connect(&c->c, c->dial, NULL, err))
		return -1;
	return tr_myc_run(c->c, &c->wake, rows_what, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", err) ||
		       tr_myc_run(c->c, &c->wake, rows_what, "SET SESSION max_sort_length = 8192", err)
		   ? -1
		   : 0;
}

/* --- proofs of visibility ---------------------------------------------------------------------- */

/* *seen: all of the set is executed. */
static int await_executed(tr_myc_chunk *c, bool *seen, tr_err *err)
{
	char answer[16];
	tr_writer w;
	int result = -1;

	tr_writer_init(&w, SQL_MAX);
	tr_writer_text(&w, "SELECT WAIT_FOR_EXECUTED_GTID_SET('");
	tr_writer_text(&w, (const char *)c->executed.data);
	tr_writer_format(&w, "', %d)", EXECUTED_S);
	tr_writer_u8(&w, '\0');
	if (tr_writer_ok(&w))
		result = tr_myc_value(c->c, &c->wake, rows_what, (const char *)w.data, answer, sizeof(answer), NULL, err);
	else
		tr_err_set(err, TR_E_MEMORY, "out of memory");
	tr_writer_release(&w);
	*seen = result == 0 && strcmp(answer, "0") == 0;
	return result;
}

/* MySQL's engines commit in the order of the log unless they are told not to. */
static int need_order(tr_myc_chunk *c, tr_err *err)
{
	char answer[16];

	if (tr_myc_value(c->c, &c->wake, rows_what, "SELECT @@GLOBAL.binlog_order_commits", answer, sizeof(answer), NULL, err))
		return -1;
	if (strcmp(answer, "1") == 0)
		return 0;
	tr_err_set(err, TR_E_SOURCE_SETTING, "without GTIDs and with binlog_order_commits off nobody can tell what a SELECT shows");
	return tr_err_hint(err, "The stream goes on and the snapshot waits. SET PERSIST binlog_order_commits = ON, or turn GTIDs on.");
}

uint64_t tr_myc_xa_hash(const char *text)
{
	uint64_t hash = UINT64_C(14695981039346656037);

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211);
	return hash;
}

void tr_myc_xa_ended_add(tr_myc_xa_ended *e, const char *xid)
{
	e->total++;
	if (e->count == TR_MYC_XA_ENDED_MAX)
		e->overflow = true;
	else
		e->hashes[e->count++] = tr_myc_xa_hash(xid);
}

static bool among(const uint64_t *hashes, size_t count, uint64_t hash)
{
	for (size_t i = 0; i < count; i++)
		if (hashes[i] == hash)
			return true;
	return false;
}

/* A row of XA RECOVER: format id, lengths of both parts, both parts. */
static bool xid_of(MYSQL_ROW row, const unsigned long *lengths, uint64_t *hash)
{
	char xid[TR_MYC_XID_TEXT];
	size_t gtrid = row[1] ? strtoul(row[1], NULL, 10) : 0;

	if (!row[0] || !row[3] || gtrid > lengths[3])
		return false;
	tr_myc_xid_text(xid, &(tr_bl_xid){.format_id = (int32_t)strtol(row[0], NULL, 10),
					  .gtrid = tr_slice_of(row[3], gtrid),
					  .bqual = tr_slice_of(row[3] + gtrid, lengths[3] - gtrid)});
	*hash = tr_myc_xa_hash(xid);
	return true;
}

/* One that is prepared: does it stand for one that should be over? */
static bool check_xid(tr_myc_chunk *c, tr_myc_xa_ended *listed, MYSQL_ROW row, const unsigned long *lengths)
{
	uint64_t hash;

	if (!xid_of(row, lengths, &hash)) {
		listed->overflow = true;
		return false;
	}
	if (!c->xa.overflow)
		return !among(c->xa.hashes, c->xa.count, hash);
	if (among(c->pending, c->pending_count, hash))
		return true;
	if (listed->count < TR_MYC_XA_ENDED_MAX)
		listed->hashes[listed->count++] = hash;
	else
		listed->overflow = true;
	return false;
}

static int list_xa(tr_myc_chunk *c, MYSQL_RES **out, tr_err *err)
{
	if (tr_myc_query(c->c, &c->wake, "list the prepared XA transactions", "XA RECOVER", out, err) == 0)
		return 0;
	if (err->code == TR_E_SOURCE_PRIVILEGE || mysql_errno(c->c) == ER_XAER_RMERR)
		tr_err_hint(err, "The stream goes on and the snapshot waits: XA transactions are in use, and whether they are over has to "
				 "be known. Run: GRANT XA_RECOVER_ADMIN ON *.* TO the role.");
	return -1;
}

/* *seen: none of those whose end was streamed is still prepared. */
static int check_xa(tr_myc_chunk *c, bool *seen, tr_err *err)
{
	tr_myc_xa_ended *listed;
	unsigned long *lengths;
	MYSQL_RES *r;
	MYSQL_ROW row;
	int found;

	*seen = true;
	if ((c->xa.count == 0 && !c->xa.overflow) || c->xa.checked)
		return 0;
	listed = calloc(1, sizeof(*listed));
	if (!listed)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	found = list_xa(c, &r, err);
	if (found == 0) {
		while ((found = tr_myc_fetch(c->c, &c->wake, rows_what, r, &row, &lengths, err)) > 0)
			*seen = check_xid(c, listed, row, lengths) && *seen;
		mysql_free_result(r);
	}
	if (found == 0 && c->xa.overflow)
		c->xa = *listed;
	c->xa.checked = found == 0 && *seen;
	free(listed);
	return found;
}

/* MariaDB: whether the view is behind the end of what was streamed. A server that does not tell leaves it to the mark. */
static int check_view(tr_myc_chunk *c, bool *seen, tr_err *err)
{
	char file[TR_BL_FILE_MAX] = "";
	uint64_t pos = 0;
	MYSQL_RES *r;
	MYSQL_ROW row;

	*seen = true;
	if (tr_myc_query(c->c, &c->wake, rows_what, "SHOW STATUS LIKE 'binlog\\_snapshot\\_%'", &r, err))
		return -1;
	while ((row = mysql_fetch_row(r))) {
		if (strcasecmp(row[0], "Binlog_snapshot_file") == 0)
			tr_text_format(file, sizeof(file), "%s", row[1]);
		else if (strcasecmp(row[0], "Binlog_snapshot_position") == 0)
			pos = strtoull(row[1], NULL, 10);
	}
	mysql_free_result(r);
	if (*file && *c->streamed_file)
		*seen = tr_myc_place_compare(file, pos, c->streamed_file, c->streamed_pos) >= 0;
	return 0;
}

static int end_view(tr_myc_chunk *c, tr_err *err)
{
	return tr_myc_run(c->c, &c->wake, rows_what, "COMMIT", err);
}

static int try_view(tr_myc_chunk *c, bool *seen, tr_err *err)
{
	*seen = true;
	if (c->executed.len > 0 && await_executed(c, seen, err))
		return -1;
	if (*seen && check_xa(c, seen, err))
		return -1;
	if (!*seen)
		return 0;
	if (tr_myc_run(c->c, &c->wake, rows_what, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY", err))
		return -1;
	if (c->mariadb && check_view(c, seen, err))
		return -1;
	return *seen ? 0 : end_view(c, err);
}

static int take_view(tr_myc_chunk *c, bool *seen, tr_err *err)
{
	*seen = false;
	if (!c->mariadb && c->executed.len == 0 && need_order(c, err))
		return -1;
	for (int i = 0; i < SEEN_TRIES; i++) {
		if (try_view(c, seen, err))
			return -1;
		if (*seen)
			return 0;
		if (tr_myc_wait(&c->wake, -1, 0, SEEN_MS, err) < 0)
			return -1;
	}
	return 0;
}

/* --- the table --------------------------------------------------------------------------------- */

static void put_from(const tr_myc_chunk *c, tr_writer *w)
{
	tr_writer_text(w, " FROM ");
	tr_myc_qualified(w, c->database, c->name);
}

/* *same: the facts are those that the order was made of. In a view the table is locked against DDL from here on: so the rows
 * are those of these columns. */
static int compare_facts(tr_myc_chunk *c, bool *same, tr_err *err)
{
	tr_writer w;

	*same = false;
	if (c->signature.len > 0) {
		tr_writer_init(&w, SQL_MAX);
		tr_writer_text(&w, "SELECT 1");
		put_from(c, &w);
		tr_writer_text(&w, " LIMIT 0");
		if (run(c, rows_what, &w, err))
			return -1;
	}
	if (tr_myc_facts_read(c->c, &c->wake, c->mariadb, c->database, c->name, false, &c->facts, err))
		return -1;
	tr_writer_init(&w, SQL_MAX);
	tr_myc_facts_sign(&c->facts, &w);
	*same = tr_writer_ok(&w) && c->facts.exists && tr_slice_eq(tr_writer_view(&w), c->signature);
	tr_writer_release(&w);
	return 0;
}

static void put_condition(const tr_myc_chunk *c, tr_writer *w)
{
	put_from(c, w);
	tr_writer_text(w, " WHERE TRUE");
	/* The newline ends a comment in the condition. */
	if (c->filter) {
		tr_writer_text(w, " AND (");
		tr_writer_text(w, c->filter);
		tr_writer_text(w, "\n)");
	}
}

static int read_max(tr_myc_chunk *c, tr_err *err)
{
	unsigned long *lengths;
	MYSQL_RES *r = NULL;
	MYSQL_ROW row;
	tr_writer w;
	int result = -1, found;

	tr_writer_init(&w, SQL_MAX);
	tr_writer_text(&w, "SELECT ");
	tr_myc_key_select(c->key, &w);
	put_condition(c, &w);
	tr_myc_key_order(c->key, true, &w);
	tr_writer_text(&w, " LIMIT 1");
	tr_writer_u8(&w, '\0');
	if (!tr_writer_ok(&w)) {
		tr_err_set(err, TR_E_MEMORY, "out of memory");
		goto out;
	}
	if (tr_myc_query(c->c, &c->wake, rows_what, (const char *)w.data, &r, err) ||
	    (found = tr_myc_fetch(c->c, &c->wake, rows_what, r, &row, &lengths, err)) < 0)
		goto out;
	c->empty = found == 0;
	for (size_t i = 0; found > 0 && i < c->key->count; i++)
		if (tr_myc_key_push(c->key, i, tr_slice_of(row[i], lengths[i]), &c->max, err))
			goto out;
	result = 0;
out:
	if (r)
		mysql_free_result(r);
	tr_writer_release(&w);
	return result;
}

/* --- rows -------------------------------------------------------------------------------------- */

static int keep(tr_myc_chunk *c, MYSQL_ROW row, const unsigned long *lengths, tr_err *err)
{
	size_t count = c->key->count + c->column_count, total = count * sizeof(uint32_t);

	for (size_t i = 0; i < count; i++)
		total += row[i] ? lengths[i] : 0;
	c->cut = c->cut || (c->row_count > 0 && c->rows.len + total > TR_INC_CHUNK_BYTES);
	if (c->cut)
		return 0;
	if (!tr_writer_reserve(&c->rows, total))
		return tr_err_set(err, TR_E_MEMORY, "out of memory for a row of %zu bytes", total);
	for (size_t i = 0; i < count; i++) {
		uint32_t len = row[i] ? (uint32_t)lengths[i] : TR_MYC_CHUNK_NULL;

		tr_writer_put(&c->rows, &len, sizeof(len));
		tr_writer_put(&c->rows, row[i], row[i] ? lengths[i] : 0);
	}
	c->row_count++;
	return 0;
}

static int fetch_rows(tr_myc_chunk *c, const char *sql, tr_err *err)
{
	unsigned long *lengths;
	MYSQL_RES *r;
	MYSQL_ROW row;
	int found;

	if (tr_myc_query_rows(c->c, &c->wake, rows_what, sql, &r, err))
		return -1;
	while ((found = tr_myc_fetch(c->c, &c->wake, rows_what, r, &row, &lengths, err)) > 0)
		if (keep(c, row, lengths, err)) {
			found = -1;
			break;
		}
	/* What is left is at most a chunk; it has to be fetched before the next statement. */
	mysql_free_result(r);
	return found;
}

static int read_rows(tr_myc_chunk *c, tr_err *err)
{
	tr_writer w;
	int result;

	tr_writer_init(&w, SQL_MAX);
	tr_writer_text(&w, "SELECT ");
	tr_myc_key_select(c->key, &w);
	tr_writer_text(&w, ", ");
	tr_writer_text(&w, c->columns);
	put_condition(c, &w);
	if (c->last.count > 0)
		tr_myc_key_after(c->key, &c->last, &w);
	tr_myc_key_up_to(c->key, &c->max, &w);
	tr_myc_key_order(c->key, false, &w);
	tr_writer_format(&w, " LIMIT %u", c->limit);
	tr_writer_u8(&w, '\0');
	result = tr_writer_ok(&w) ? fetch_rows(c, (const char *)w.data, err) : tr_err_set(err, TR_E_MEMORY, "out of memory");
	tr_writer_release(&w);
	return result;
}

/* --- the work ---------------------------------------------------------------------------------- */

/* In the view. 1 = the rows are here, 0 = the table is another one. */
static int read_view(tr_myc_chunk *c, tr_err *err)
{
	bool same;

	if (compare_facts(c, &same, err))
		return -1;
	if (same && c->max.count == 0 && read_max(c, err))
		return -1;
	if (same && !c->empty && read_rows(c, err))
		return -1;
	return end_view(c, err) ? -1 : same;
}

static int describe(tr_myc_chunk *c, tr_err *err)
{
	bool same;

	c->end = TR_MYC_CHUNK_SHAPE;
	return compare_facts(c, &same, err);
}

static int work(tr_myc_chunk *c, tr_err *err)
{
	bool seen;
	int read;

	if (open_connection(c, err))
		return -1;
	if (c->signature.len == 0)
		return describe(c, err);
	if (write_mark(c, false, err) || take_view(c, &seen, err))
		return -1;
	c->end = TR_MYC_CHUNK_BEHIND;
	if (!seen)
		return 0;
	c->in_view = true;
	read = read_view(c, err);
	c->end = TR_MYC_CHUNK_SHAPE;
	if (read <= 0)
		return read;
	c->end = TR_MYC_CHUNK_READ;
	return write_mark(c, true, err);
}

/* Errors of class 42 and 22 are the statement's own: they come again however often it is tried. */
static void explain(tr_myc_chunk *c)
{
	const char *state = c->c ? mysql_sqlstate(c->c) : "";
	unsigned number = c->c ? mysql_errno(c->c) : 0;

	c->end = TR_MYC_CHUNK_FAILED;
	c->of_statement = c->in_view && !c->of_mark && c->err.code == TR_E_SOURCE_SQL &&
			  (strncmp(state, "42", 2) == 0 || strncmp(state, "22", 2) == 0);
	c->read_only = number == ER_OPTION_PREVENTS_STATEMENT || number == ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION;
	tr_myc_close(&c->wake, &c->c);
}

static void *thread_main(void *chunk)
{
	tr_myc_chunk *c = chunk;
	uint64_t one = 1;

	if (work(c, &c->err))
		explain(c);
	mysql_thread_end();
	atomic_store_explicit(&c->done, true, memory_order_release);
	/* Only fails when the counter is full, and then it is readable anyway. */
	if (write(c->done_fd, &one, sizeof(one)) < 0)
		errno = 0;
	return NULL;
}

/* --- life -------------------------------------------------------------------------------------- */

int tr_myc_chunk_init(tr_myc_chunk *c, tr_err *err)
{
	*c = (tr_myc_chunk){.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), .wake.fd = -1};
	tr_writer_init(&c->rows, ROWS_MAX);
	tr_writer_init(&c->executed, SQL_MAX);
	if (c->done_fd < 0)
		return tr_err_set(err, TR_E_SYSTEM, "no event descriptor could be made: %s", strerror(errno));
	return tr_myc_wake_init(&c->wake, err);
}

static void forget(tr_myc_chunk *c)
{
	tr_myc_facts_release(&c->facts);
	tr_inc_key_clear(&c->max);
	tr_inc_key_clear(&c->last);
	tr_writer_release(&c->rows);
	tr_writer_init(&c->rows, ROWS_MAX);
}

void tr_myc_chunk_release(tr_myc_chunk *c)
{
	if (c->done_fd < 0)
		return;
	tr_myc_chunk_stop(c);
	tr_writer_release(&c->rows);
	tr_writer_release(&c->executed);
	tr_myc_wake_release(&c->wake);
	close(c->done_fd);
	c->done_fd = -1;
}

int tr_myc_chunk_start(tr_myc_chunk *c, tr_err *err)
{
	tr_myc_facts_release(&c->facts);
	tr_writer_reset(&c->rows);
	c->row_count = 0;
	c->cut = c->empty = c->in_view = c->of_mark = c->of_statement = c->read_only = false;
	c->xa.checked = false;
	tr_err_clear(&c->err);
	atomic_store(&c->done, false);
	if (pthread_create(&c->thread, NULL, thread_main, c) != 0)
		return tr_err_set(err, TR_E_SYSTEM, "no thread could be started for a chunk");
	c->started = true;
	return 0;
}

void tr_myc_chunk_join(tr_myc_chunk *c)
{
	uint64_t count;

	if (!c->started)
		return;
	pthread_join(c->thread, NULL);
	c->started = false;
	if (read(c->done_fd, &count, sizeof(count)) < 0)
		errno = 0;
}

void tr_myc_chunk_stop(tr_myc_chunk *c)
{
	if (c->started)
		tr_myc_wake_set(&c->wake);
	tr_myc_chunk_join(c);
	tr_myc_wake_clear(&c->wake);
	tr_myc_close(&c->wake, &c->c);
	forget(c);
}
