/* Questions to information_schema: one table's columns and key; the list of tables; the end of the log. */
#include <errmsg.h>
#include <mysqld_error.h>
#include <stdlib.h>
#include <strings.h>

#include "capture/mysql/catalog.h"
#include "core/text.h"

#define FACTS_MAX ((size_t)64 << 20) /* 4096 columns with long ENUMs and comments stay far below */
#define LIST_MAX  ((size_t)256 << 20)
#define SQL_MAX   ((size_t)1 << 20)

static const char *const system_databases[] = {"mysql", "sys", "information_schema", "performance_schema"};
#define SYSTEM_LIST "('mysql', 'sys', 'information_schema', 'performance_schema')"

bool tr_myc_is_system(const char *database, const char *name)
{
	(void)name;
	for (size_t i = 0; i < sizeof(system_databases) / sizeof(*system_databases); i++)
		if (strcasecmp(database, system_databases[i]) == 0)
			return true;
	return false;
}

static int out_of_memory(const char *what, tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "out of memory for %s", what);
}

/* --- one question ------------------------------------------------------------------------------ */

/* A statement that is written piece by piece, and its result. */
typedef struct question {
	MYSQL *m;
	tr_myc_wake *wake;
	const char *what;
	tr_writer sql;
	MYSQL_RES *result;
} question;

static question question_of(MYSQL *m, tr_myc_wake *wake, const char *what)
{
	question q = {.m = m, .wake = wake, .what = what};

	tr_writer_init(&q.sql, SQL_MAX);
	return q;
}

static void question_end(question *q)
{
	if (q->result)
		mysql_free_result(q->result);
	q->result = NULL;
	tr_writer_release(&q->sql);
}

static int ask(question *q, tr_err *err)
{
	tr_writer_u8(&q->sql, '\0');
	if (!tr_writer_ok(&q->sql))
		return out_of_memory("a statement", err);
	return tr_myc_query(q->m, q->wake, q->what, (const char *)q->sql.data, &q->result, err);
}

static int fetch(question *q, MYSQL_ROW *row, tr_err *err)
{
	return tr_myc_fetch(q->m, q->wake, q->what, q->result, row, NULL, err);
}

/* The place of a column in the answer to a SHOW statement, -1 when the server has none of that name. */
static int field_of(const question *q, const char *name)
{
	const MYSQL_FIELD *fields = mysql_fetch_fields(q->result);

	for (unsigned i = 0; i < mysql_num_fields(q->result); i++)
		if (strcasecmp(fields[i].name, name) == 0)
			return (int)i;
	return -1;
}

static const char *cell(MYSQL_ROW row, int field)
{
	return field < 0 ? NULL : row[field];
}

/* --- one table --------------------------------------------------------------------------------- */

static void name_clause(tr_writer *w, const char *database, const char *name)
{
	tr_writer_text(w, " WHERE TABLE_SCHEMA = ");
	tr_myc_literal(w, database);
	tr_writer_text(w, " AND TABLE_NAME = ");
	tr_myc_literal(w, name);
}

/* utf8mb4 of utf8mb4_0900_ai_ci. */
static char *charset_of(tr_arena *a, const char *collation)
{
	const char *end = strchr(collation, '_');

	return tr_arena_strndup(a, collation, end ? (size_t)(end - collation) : strlen(collation));
}

static int read_table(MYSQL *m, tr_myc_wake *wake, tr_myc_facts *f, tr_err *err)
{
	question q = question_of(m, wake, "read a table's description");
	MYSQL_ROW row;
	int result = -1, found;

	tr_writer_text(&q.sql, "SELECT TABLE_COLLATION, TABLE_COMMENT, CREATE_TIME FROM information_schema.TABLES");
	name_clause(&q.sql, f->database, f->name);
	tr_writer_text(&q.sql, " AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')");
	if (ask(&q, err) || (found = fetch(&q, &row, err)) < 0)
		goto out;
	f->exists = found > 0;
	if (found > 0) {
		f->comment = tr_arena_strdup(&f->arena, row[1] ? row[1] : "");
		f->charset = row[0] ? charset_of(&f->arena, row[0]) : NULL;
		f->made = tr_arena_strdup(&f->arena, row[2] ? row[2] : "");
		if (!f->comment || !f->made || (row[0] && !f->charset)) {
			out_of_memory("a table's description", err);
			goto out;
		}
	}
	result = 0;
out:
	question_end(&q);
	return result;
}

static int add_column(tr_myc_facts *f, bool mariadb, MYSQL_ROW row, tr_err *err)
{
	const tr_bl_facts facts = {.mariadb = mariadb,
				   .name = row[0],
				   .data_type = row[1],
				   .column_type = row[2],
				   .charset = row[3],
				   .collation = row[4],
				   .column_default = row[5],
				   .extra = row[6],
				   .is_nullable = row[7],
				   .generation = row[8],
				   .comment = row[9]};

	if (tr_bl_column_from_facts(&facts, &f->arena, &f->columns[f->column_count], err))
		return tr_err_prefix(err, "table \"%s.%s\", column \"%s\"", f->database, f->name, row[0]);
	if (row[4] && !(f->collations[f->column_count] = tr_arena_strdup(&f->arena, row[4])))
		return out_of_memory("a table's columns", err);
	f->column_count++;
	return 0;
}

static int read_columns(MYSQL *m, tr_myc_wake *wake, bool mariadb, tr_myc_facts *f, tr_err *err)
{
	question q = question_of(m, wake, "read a table's columns");
	MYSQL_ROW row;
	int result = -1, found;

	tr_writer_text(&q.sql,
		       "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME,"
		       " COLUMN_DEFAULT, EXTRA, IS_NULLABLE, GENERATION_EXPRESSION, COLUMN_COMMENT"
		       " FROM information_schema.COLUMNS");
	name_clause(&q.sql, f->database, f->name);
	tr_writer_text(&q.sql, " ORDER BY ORDINAL_POSITION");
	if (ask(&q, err))
		goto out;
	f->columns = TR_ARENA_ARRAY(&f->arena, tr_bl_column, mysql_num_rows(q.result) + 1);
	f->collations = TR_ARENA_ARRAY(&f->arena, const char *, mysql_num_rows(q.result) + 1);
	if (!f->columns || !f->collations) {
		out_of_memory("a table's columns", err);
		goto out;
	}
	while ((found = fetch(&q, &row, err)) > 0)
		if (add_column(f, mariadb, row, err))
			goto out;
	result = found;
out:
	question_end(&q);
	return result;
}

static tr_bl_column *find_column(const tr_myc_facts *f, const char *name)
{
	for (size_t i = 0; name && i < f->column_count; i++)
		if (strcasecmp(f->columns[i].name, name) == 0)
			return &f->columns[i];
	return NULL;
}

/* The rows of one index, as SHOW INDEX lists them: together, in the order of the index's columns. */
typedef struct index_scan {
	char name[260];
	bool chosen; /* a key was found: the index before this one */
	bool fits;
	uint16_t rank;
} index_scan;

static void begin_index(tr_myc_facts *f, index_scan *x, const char *name, bool unique)
{
	if (x->fits && x->rank > 0) {
		x->chosen = true;
		return;
	}
	for (size_t i = 0; i < f->column_count; i++)
		f->columns[i].key_rank = 0;
	tr_text_format(x->name, sizeof(x->name), "%s", name);
	x->fits = unique;
	x->rank = 0;
}

/*
 * The primary key comes first in the answer, then the unique indexes without NULLs in the order that SHOW CREATE TABLE has,
 * too: the first of them stands for the key, as in Debezium.
 */
static int read_key(MYSQL *m, tr_myc_wake *wake, tr_myc_facts *f, tr_err *err)
{
	question q = question_of(m, wake, "read a table's indexes");
	index_scan x = {0};
	MYSQL_ROW row;
	int result = -1, found;

	tr_writer_text(&q.sql, "SHOW INDEX FROM ");
	tr_myc_qualified(&q.sql, f->database, f->name);
	if (ask(&q, err))
		goto out;
	int key = field_of(&q, "Key_name"), column = field_of(&q, "Column_name"), many = field_of(&q, "Non_unique");
	while ((found = fetch(&q, &row, err)) > 0 && !x.chosen) {
		const char *name = cell(row, key), *unique = cell(row, many);
		tr_bl_column *c = find_column(f, cell(row, column));

		if (!name || !unique)
			continue;
		if (strcmp(name, x.name) != 0)
			begin_index(f, &x, name, *unique == '0');
		if (x.chosen)
			break;
		x.fits = x.fits && c && !c->nullable;
		if (x.fits)
			c->key_rank = ++x.rank;
	}
	if (found < 0)
		goto out;
	if (!x.fits && !x.chosen)
		begin_index(f, &x, "", false);
	f->key_primary = x.fits && strcmp(x.name, "PRIMARY") == 0;
	f->key_name = tr_arena_strdup(&f->arena, x.fits ? x.name : "");
	result = f->key_name ? 0 : out_of_memory("a table's indexes", err);
out:
	question_end(&q);
	return result;
}

/* The table was dropped, or is not ours to see: then it has no facts. */
static bool is_gone(MYSQL *m)
{
	unsigned number = mysql_errno(m);

	return number == ER_NO_SUCH_TABLE || number == ER_BAD_DB_ERROR || number == ER_TABLEACCESS_DENIED_ERROR ||
	       number == ER_DBACCESS_DENIED_ERROR || number == ER_BAD_TABLE_ERROR;
}

static int read_all(MYSQL *m, tr_myc_wake *wake, bool mariadb, tr_myc_facts *f, tr_err *err)
{
	if (read_table(m, wake, f, err))
		return -1;
	if (!f->exists)
		return 0;
	if (read_columns(m, wake, mariadb, f, err))
		return -1;
	if (read_key(m, wake, f, err) == 0)
		return 0;
	if (!is_gone(m))
		return -1;
	f->exists = false; /* dropped between two of the questions */
	tr_err_clear(err);
	return 0;
}

/*
 * A SELECT takes a metadata lock that lasts until the end of the transaction, also when it reads no row. A DDL holds the
 * exclusive lock until its event is in the log and its effect can be seen. So once the SELECT is through, no DDL of this
 * table is between the two: all that can be seen lies before the end of the log that is read next, and all that a reader of
 * the log has met can be seen.
 */
static int lock_table(MYSQL *m, tr_myc_wake *wake, const tr_myc_facts *f, tr_err *err)
{
	question q = question_of(m, wake, "wait for a table's definition");
	int result;

	tr_writer_text(&q.sql, "SELECT 1 FROM ");
	tr_myc_qualified(&q.sql, f->database, f->name);
	tr_writer_text(&q.sql, " LIMIT 0");
	result = ask(&q, err);
	question_end(&q);
	if (result && is_gone(m)) {
		tr_err_clear(err);
		return 0;
	}
	return result ? tr_err_prefix(err, "table \"%s.%s\"", f->database, f->name) : 0;
}

static int read_locked(MYSQL *m, tr_myc_wake *wake, bool mariadb, tr_myc_facts *f, tr_err *err)
{
	static const char what[] = "read a table's definition";
	int result;

	if (tr_myc_run(m, wake, what, "START TRANSACTION", err))
		return -1;
	result = lock_table(m, wake, f, err);
	result = result ? result : read_all(m, wake, mariadb, f, err);
	result = result ? result : tr_myc_log_end(m, wake, f->log_file, &f->log_pos, err);
	/* Also after an error: the lock must not stay. */
	if (tr_myc_run(m, wake, what, "COMMIT", result ? NULL : err))
		return -1;
	return result;
}

int tr_myc_facts_read(MYSQL *m, tr_myc_wake *wake, bool mariadb, const char *database, const char *name, bool locked,
		      tr_myc_facts *out, tr_err *err)
{
	int result = -1;

	*out = (tr_myc_facts){0};
	tr_arena_init(&out->arena, FACTS_MAX);
	out->database = tr_arena_strdup(&out->arena, database);
	out->name = tr_arena_strdup(&out->arena, name);
	if (!out->database || !out->name)
		out_of_memory("a table's description", err);
	else if (locked)
		result = read_locked(m, wake, mariadb, out, err);
	else
		result = read_all(m, wake, mariadb, out, err);
	if (result)
		tr_myc_facts_release(out);
	return result;
}

void tr_myc_facts_release(tr_myc_facts *f)
{
	tr_arena_release(&f->arena);
	*f = (tr_myc_facts){0};
}

/* --- the log's end ----------------------------------------------------------------------------- */

int tr_myc_log_end(MYSQL *m, tr_myc_wake *wake, char file[TR_BL_FILE_MAX], uint64_t *position, tr_err *err)
{
	/* The newer name first; a server that does not know it says that the syntax is wrong. */
	static const char *const statements[] = {"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"};
	int result = -1, found = 0;

	file[0] = '\0';
	*position = 0;
	for (size_t i = 0; result && i < 2; i++) {
		question q = question_of(m, wake, "read the end of the log");
		MYSQL_ROW row;

		tr_writer_text(&q.sql, statements[i]);
		result = ask(&q, err);
		if (result == 0 && (found = fetch(&q, &row, err)) > 0) {
			tr_text_format(file, TR_BL_FILE_MAX, "%s", row[0]);
			*position = strtoull(row[1], NULL, 10);
		}
		question_end(&q);
		if (result && mysql_errno(m) != ER_PARSE_ERROR)
			return -1;
	}
	return result || found < 0 ? -1 : 0;
}

/* --- the list of tables ------------------------------------------------------------------------ */

void tr_myc_list_release(tr_myc_list *list)
{
	tr_arena_release(&list->arena);
	*list = (tr_myc_list){0};
}

/* Names as "database\0table" or one word, in a set. */
static void put_key(tr_map *set, const char *a, const char *b)
{
	tr_writer w;

	tr_writer_init(&w, 4096);
	tr_writer_put(&w, a, strlen(a) + 1);
	tr_writer_text(&w, b);
	tr_map_put(set, tr_writer_view(&w), set);
	tr_writer_release(&w);
}

static bool has_key(const tr_map *set, const char *a, const char *b)
{
	tr_writer w;
	bool found;

	tr_writer_init(&w, 4096);
	tr_writer_put(&w, a, strlen(a) + 1);
	tr_writer_text(&w, b);
	found = tr_map_get(set, tr_writer_view(&w)) != NULL;
	tr_writer_release(&w);
	return found;
}

static int read_set(tr_myc_catalog *c, const char *sql, tr_map *set, tr_err *err)
{
	question q = question_of(*c->sql, c->wake, "list the tables");
	MYSQL_ROW row;
	int found = -1;

	tr_writer_text(&q.sql, sql);
	if (ask(&q, err) == 0)
		while ((found = fetch(&q, &row, err)) > 0)
			put_key(set, row[0], row[1]);
	question_end(&q);
	return found;
}

static int add_listed(tr_myc_list *list, const tr_filter *filter, MYSQL_ROW row, bool everything)
{
	tr_myc_listed *t = &list->tables[list->count];
	bool captured = tr_filter_match(filter, row[0], row[1]);

	if (!captured && !everything)
		return 0;
	*t = (tr_myc_listed){.database = tr_arena_strdup(&list->arena, row[0]),
			     .name = tr_arena_strdup(&list->arena, row[1]),
			     .engine = row[2] ? tr_arena_strdup(&list->arena, row[2]) : NULL,
			     .captured = captured,
			     .rank = everything ? 0 : tr_filter_rank(filter, row[0], row[1]),
			     .rows = row[3] ? strtoull(row[3], NULL, 10) : 0,
			     .bytes = row[4] ? strtoull(row[4], NULL, 10) : 0};
	list->count++;
	return t->database && t->name && (t->engine || !row[2]) ? 0 : -1;
}

static int by_place(const void *a, const void *b)
{
	const tr_myc_listed *left = a, *right = b;
	char names[2][1024];

	if (left->rank != right->rank)
		return left->rank < right->rank ? -1 : 1;
	/* As the joined names compare: a dot comes before letters, but behind a hyphen. */
	tr_text_format(names[0], sizeof(names[0]), "%s.%s", left->database, left->name);
	tr_text_format(names[1], sizeof(names[1]), "%s.%s", right->database, right->name);
	return strcmp(names[0], names[1]);
}

static int read_list(tr_myc_catalog *c, bool everything, tr_myc_list *out, tr_err *err)
{
	question q = question_of(*c->sql, c->wake, "list the tables");
	MYSQL_ROW row;
	int found = -1;

	tr_writer_text(&q.sql, "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE, TABLE_ROWS, DATA_LENGTH FROM information_schema.TABLES"
			       " WHERE TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_SCHEMA NOT IN " SYSTEM_LIST);
	if (ask(&q, err))
		goto out;
	out->tables = TR_ARENA_ARRAY(&out->arena, tr_myc_listed, mysql_num_rows(q.result) + 1);
	if (!out->tables) {
		out_of_memory("the list of tables", err);
		goto out;
	}
	while ((found = fetch(&q, &row, err)) > 0)
		if (add_listed(out, c->filter, row, everything)) {
			found = out_of_memory("the list of tables", err);
			break;
		}
out:
	question_end(&q);
	return found;
}

int tr_myc_catalog_list(tr_myc_catalog *c, bool everything, tr_myc_list *out, tr_err *err)
{
	tr_map *engines = tr_map_new(), *keys = tr_map_new();
	int result = -1;

	*out = (tr_myc_list){0};
	tr_arena_init(&out->arena, LIST_MAX);
	/* Numbers of rows and bytes that are not a day old. MariaDB passes over such a comment. */
	if (tr_myc_run(*c->sql, c->wake, "list the tables",
		       "/*!80000 SET SESSION information_schema_stats_expiry = 0 */", err) ||
	    read_set(c, "SELECT ENGINE, '' FROM information_schema.ENGINES WHERE TRANSACTIONS = 'YES'", engines, err) ||
	    read_set(c,
		     "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.STATISTICS WHERE INDEX_NAME = 'PRIMARY'"
		     " AND SEQ_IN_INDEX = 1 AND TABLE_SCHEMA NOT IN " SYSTEM_LIST,
		     keys, err) ||
	    read_list(c, everything, out, err))
		goto out;
	for (size_t i = 0; i < out->count; i++) {
		tr_myc_listed *t = &out->tables[i];

		t->transactional = t->engine && has_key(engines, t->engine, "");
		t->has_key = has_key(keys, t->database, t->name);
	}
	qsort(out->tables, out->count, sizeof(*out->tables), by_place);
	result = 0;
out:
	tr_map_free(engines, NULL);
	tr_map_free(keys, NULL);
	if (result)
		tr_myc_list_release(out);
	return result;
}
