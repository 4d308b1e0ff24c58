#include "capture/mysql/ddl.h"

#include <iconv.h>
#include <stdlib.h>
#include <strings.h>

#include "core/text.h"
#include "core/writer.h"
#include "decoders/binlog/column.h"

/* --- tokens ------------------------------------------------------------------------------------ */

typedef enum token_kind { T_END, T_WORD, T_QUOTED, T_STRING, T_NUMBER, T_PUNCTUATION } token_kind;

typedef struct token {
	token_kind kind;
	char quote;      /* QUOTED: ` or " */
	tr_slice text;   /* without its quotes, escapes as written */
} token;

typedef struct scanner {
	const uint8_t *at, *end;
	const uint8_t *start; /* of the newest token */
	const uint8_t *behind; /* the token before it */
	uint64_t sql_mode;
	bool in_version;      /* inside of a version comment */
	bool hide_version;    /* version comments are comments */
	token now;
	tr_arena *arena;
	tr_myc_ddl *out;
	const char *database; /* the session's */
	size_t capacity;
	bool no_memory;
} scanner;

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* Letters of unquoted names, including all bytes of characters beyond ASCII. */
static bool is_word(uint8_t c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || c >= 0x80;
}

static bool starts(const scanner *s, const char *what)
{
	size_t len = strlen(what);

	return (size_t)(s->end - s->at) >= len && memcmp(s->at, what, len) == 0;
}

static void skip_line(scanner *s)
{
	while (s->at < s->end && *s->at != '\n')
		s->at++;
}

static void skip_block(scanner *s)
{
	s->at += 2;
	while (s->at < s->end && !starts(s, "*/"))
		s->at++;
	s->at += s->at < s->end ? 2 : 0;
}

/* The opening of a version comment, with its number. */
static void enter_version(scanner *s)
{
	s->at += starts(s, "/*M!") ? 4 : 3;
	while (s->at < s->end && is_digit(*s->at))
		s->at++;
	s->in_version = true;
}

/* A comment or the edge of a version comment; false when there is none here. */
static bool skip_comment(scanner *s)
{
	if (*s->at == '#') {
		skip_line(s);
	} else if (starts(s, "--") && (s->at + 2 == s->end || is_space(s->at[2]))) {
		skip_line(s);
	} else if (!s->hide_version && (starts(s, "/*!") || starts(s, "/*M!"))) {
		enter_version(s);
	} else if (starts(s, "/*")) {
		skip_block(s);
	} else if (s->in_version && starts(s, "*/")) {
		s->at += 2;
		s->in_version = false;
	} else {
		return false;
	}
	return true;
}

static void skip_blanks(scanner *s)
{
	while (s->at < s->end) {
		if (is_space(*s->at))
			s->at++;
		else if (!skip_comment(s))
			return;
	}
}

/* From behind the opening quote to the closing one; a doubled quote stands for itself. */
static tr_slice take_quoted(scanner *s, uint8_t quote, bool backslash)
{
	const uint8_t *from = ++s->at;
	tr_slice text;

	for (; s->at < s->end; s->at++) {
		if (backslash && *s->at == '\\' && s->at + 1 < s->end)
			s->at++;
		else if (*s->at == quote && s->at + 1 < s->end && s->at[1] == quote)
			s->at++;
		else if (*s->at == quote)
			break;
	}
	text = tr_slice_of(from, (size_t)(s->at - from));
	s->at += s->at < s->end;
	return text;
}

static void next(scanner *s)
{
	bool backslash = !(s->sql_mode & TR_MYC_MODE_NO_BACKSLASH_ESCAPES);

	s->behind = s->at;
	skip_blanks(s);
	s->start = s->at;
	s->now = (token){.kind = T_END};
	if (s->at == s->end)
		return;
	uint8_t c = *s->at;
	if (c == '`' || (c == '"' && (s->sql_mode & TR_MYC_MODE_ANSI_QUOTES))) {
		s->now = (token){.kind = T_QUOTED, .quote = (char)c, .text = take_quoted(s, c, false)};
	} else if (c == '\'' || c == '"') {
		s->now = (token){.kind = T_STRING, .text = take_quoted(s, c, backslash)};
	} else if (is_word(c)) {
		bool digits = true;

		for (; s->at < s->end && is_word(*s->at); s->at++)
			digits = digits && is_digit(*s->at);
		s->now = (token){.kind = digits ? T_NUMBER : T_WORD,
				 .text = tr_slice_of(s->start, (size_t)(s->at - s->start))};
	} else {
		s->now = (token){.kind = T_PUNCTUATION, .text = tr_slice_of(s->at++, 1)};
	}
}

static bool at_word(const scanner *s, const char *word)
{
	return s->now.kind == T_WORD && s->now.text.len == strlen(word) &&
	       strncasecmp((const char *)s->now.text.ptr, word, s->now.text.len) == 0;
}

static bool at_mark(const scanner *s, char mark)
{
	return s->now.kind == T_PUNCTUATION && s->now.text.ptr[0] == (uint8_t)mark;
}

/* Passes over the word when it is next. */
static bool take_word(scanner *s, const char *word)
{
	if (!at_word(s, word))
		return false;
	next(s);
	return true;
}

static bool take_mark(scanner *s, char mark)
{
	if (!at_mark(s, mark))
		return false;
	next(s);
	return true;
}

/* Any of the words, as often as they come; ends with NULL. */
static void take_any(scanner *s, const char *const *words)
{
	for (size_t i = 0; words[i]; i++)
		if (take_word(s, words[i]))
			i = (size_t)-1;
}

static bool take_if_exists(scanner *s)
{
	bool is;

	if (!take_word(s, "IF"))
		return false;
	take_word(s, "NOT");
	is = take_word(s, "EXISTS");
	return is;
}

/* MariaDB: how long to wait for the table's lock. */
static void take_wait(scanner *s)
{
	if (take_word(s, "NOWAIT"))
		return;
	if (take_word(s, "WAIT") && (s->now.kind == T_NUMBER || s->now.kind == T_WORD))
		next(s);
}

/* --- names ------------------------------------------------------------------------------------- */

static const char *unquote(scanner *s, const token *t)
{
	char *copy = tr_arena_strndup(s->arena, t->text.ptr ? (const char *)t->text.ptr : "", t->text.len);
	char *to = copy;

	s->no_memory = s->no_memory || !copy;
	for (const char *from = copy; copy && t->kind == T_QUOTED && *from; *to++ = *from++)
		from += from[0] == t->quote && from[1] == t->quote;
	if (copy && t->kind == T_QUOTED)
		*to = '\0';
	return copy ? copy : "";
}

static bool at_name(const scanner *s)
{
	return s->now.kind == T_WORD || s->now.kind == T_QUOTED || s->now.kind == T_NUMBER;
}

/* [database.]table; false when there is no name here. */
static bool take_name(scanner *s, const char **database, const char **name)
{
	token first = s->now;

	if (!at_name(s) && !at_mark(s, '.'))
		return false;
	*database = s->database;
	if (at_mark(s, '.')) { /* ".t" is the session's */
		next(s);
		first = s->now;
		if (!at_name(s))
			return false;
	}
	next(s);
	if (at_mark(s, '.')) {
		next(s);
		if (!at_name(s))
			return false;
		*database = unquote(s, &first);
		first = s->now;
		next(s);
	}
	*name = unquote(s, &first);
	return true;
}

static tr_myc_ddl_name *add_name(scanner *s, const char *database, const char *name)
{
	tr_myc_ddl *out = s->out;

	if (out->count == TR_MYC_DDL_NAMES_MAX) {
		out->complete = false;
		return NULL;
	}
	if (out->count == s->capacity) {
		size_t more = s->capacity ? s->capacity * 2 : 4;
		tr_myc_ddl_name *names = TR_ARENA_ARRAY(s->arena, tr_myc_ddl_name, more);

		if (!names) {
			s->no_memory = true;
			return NULL;
		}
		if (out->count)
			memcpy(names, out->names, out->count * sizeof(*names));
		out->names = names;
		s->capacity = more;
	}
	out->names[out->count] = (tr_myc_ddl_name){.database = database, .name = name};
	return &out->names[out->count++];
}

/* A name that has to be here; without it the statement is not understood. */
static tr_myc_ddl_name *want_name(scanner *s)
{
	const char *database, *name;

	if (take_name(s, &database, &name))
		return add_name(s, database, name);
	s->out->complete = false;
	return NULL;
}

static void want_database(scanner *s)
{
	if (!at_name(s)) {
		s->out->complete = false;
		return;
	}
	token name = s->now;
	next(s);
	add_name(s, unquote(s, &name), "");
}

/* --- statements about shapes ------------------------------------------------------------------- */

static void scan_create_index(scanner *s)
{
	static const char *const hints[] = {"ONLINE", "OFFLINE", NULL}, *const kinds[] = {"FULLTEXT", "SPATIAL", "VECTOR", NULL};
	tr_myc_ddl *out = s->out;
	bool unique;

	out->kind = TR_MYC_DDL_OTHER;
	take_any(s, hints);
	unique = take_word(s, "UNIQUE");
	take_any(s, kinds);
	if (!take_word(s, "INDEX"))
		return;
	out->kind = TR_MYC_DDL_CREATE_INDEX;
	take_if_exists(s);
	if (unique && at_name(s))
		out->unique_index = unquote(s, &s->now);
	while (s->now.kind != T_END && !at_word(s, "ON"))
		next(s);
	next(s);
	want_name(s);
}

static void scan_create(scanner *s)
{
	tr_myc_ddl *out = s->out;
	bool replace = take_word(s, "OR") && take_word(s, "REPLACE");

	out->temporary = take_word(s, "TEMPORARY");
	if (take_word(s, "TABLE")) {
		out->kind = TR_MYC_DDL_CREATE_TABLE;
		out->if_exists = take_if_exists(s);
		want_name(s);
		take_mark(s, '(');
		out->keeps = (out->if_exists || replace) && !at_word(s, "LIKE");
		return;
	}
	if (take_word(s, "DATABASE") || take_word(s, "SCHEMA")) {
		out->kind = TR_MYC_DDL_CREATE_DATABASE;
		out->if_exists = take_if_exists(s);
		want_database(s);
		return;
	}
	scan_create_index(s);
}

/* The parts of ALTER TABLE that name other tables stand at the beginning of its comma-separated parts. */
static void scan_alter_part(scanner *s, tr_myc_ddl_name *table)
{
	const char *database, *name;

	if (take_word(s, "RENAME")) {
		if (at_word(s, "COLUMN") || at_word(s, "INDEX") || at_word(s, "KEY"))
			return;
		if (!take_word(s, "TO") && !take_word(s, "AS"))
			take_mark(s, '=');
		if (table && take_name(s, &database, &name)) {
			table->new_database = database;
			table->new_name = name;
		}
	} else if (take_word(s, "EXCHANGE") || take_word(s, "CONVERT")) {
		bool exchange = true;

		while (s->now.kind != T_END && !at_mark(s, ',') && !(exchange = take_word(s, "TABLE")))
			next(s);
		if (exchange && at_name(s))
			want_name(s);
	}
}

static void scan_alter_parts(scanner *s)
{
	size_t depth = 0;
	bool begins = true;

	while (s->now.kind != T_END) {
		if (begins && depth == 0)
			/* The array of names may move when a part adds one, so the table is looked up again. */
			scan_alter_part(s, s->out->count ? &s->out->names[0] : NULL);
		begins = depth == 0 && at_mark(s, ',');
		depth += at_mark(s, '(');
		depth -= depth > 0 && at_mark(s, ')');
		next(s);
	}
}

static void scan_alter(scanner *s)
{
	static const char *const hints[] = {"ONLINE", "OFFLINE", "IGNORE", NULL};
	tr_myc_ddl *out = s->out;

	take_any(s, hints);
	out->kind = TR_MYC_DDL_OTHER;
	if (take_word(s, "TABLE")) {
		out->kind = TR_MYC_DDL_ALTER_TABLE;
		out->if_exists = take_if_exists(s);
		want_name(s);
		take_wait(s);
		scan_alter_parts(s);
	} else if (take_word(s, "DATABASE") || take_word(s, "SCHEMA")) {
		out->kind = TR_MYC_DDL_ALTER_DATABASE;
		/* The name may be missing: then it is the session's. */
		if (s->now.kind == T_QUOTED || (at_name(s) && !at_word(s, "DEFAULT") && !at_word(s, "CHARACTER") &&
						!at_word(s, "CHARSET") && !at_word(s, "COLLATE")))
			want_database(s);
		else
			add_name(s, s->database, "");
	}
}

static void scan_drop(scanner *s)
{
	tr_myc_ddl *out = s->out;

	out->temporary = take_word(s, "TEMPORARY");
	out->kind = TR_MYC_DDL_OTHER;
	if (take_word(s, "TABLE") || take_word(s, "TABLES")) {
		out->kind = TR_MYC_DDL_DROP_TABLE;
		out->if_exists = take_if_exists(s);
		do
			want_name(s);
		while (take_mark(s, ','));
		take_wait(s);
		out->suffix = at_word(s, "RESTRICT") ? " RESTRICT" : at_word(s, "CASCADE") ? " CASCADE" : "";
	} else if (take_word(s, "DATABASE") || take_word(s, "SCHEMA")) {
		out->kind = TR_MYC_DDL_DROP_DATABASE;
		out->if_exists = take_if_exists(s);
		want_database(s);
	} else if (take_word(s, "INDEX")) {
		out->kind = TR_MYC_DDL_DROP_INDEX;
		out->if_exists = take_if_exists(s);
		while (s->now.kind != T_END && !at_word(s, "ON"))
			next(s);
		next(s);
		want_name(s);
	}
}

static void scan_rename(scanner *s)
{
	s->out->kind = TR_MYC_DDL_OTHER; /* RENAME USER */
	if (!take_word(s, "TABLE") && !take_word(s, "TABLES"))
		return;
	s->out->kind = TR_MYC_DDL_RENAME_TABLE;
	s->out->if_exists = take_if_exists(s);
	do {
		const uint8_t *from = s->start;
		tr_myc_ddl_name *pair = want_name(s);

		take_wait(s);
		take_word(s, "TO");
		if (pair && !take_name(s, &pair->new_database, &pair->new_name)) {
			pair->new_name = NULL;
			s->out->complete = false;
		}
		if (pair)
			pair->clause = tr_slice_of(from, (size_t)(s->behind - from));
	} while (take_mark(s, ','));
}

static void scan_truncate(scanner *s)
{
	s->out->kind = TR_MYC_DDL_TRUNCATE_TABLE;
	take_word(s, "TABLE");
	want_name(s);
}

/* --- transactions and rows --------------------------------------------------------------------- */

static void scan_start(scanner *s)
{
	s->out->kind = TR_MYC_DDL_OTHER; /* START REPLICA and the like */
	if (take_word(s, "TRANSACTION"))
		s->out->kind = TR_MYC_DDL_BEGIN;
}

static void scan_begin(scanner *s)
{
	s->out->kind = TR_MYC_DDL_BEGIN;
}

static void scan_commit(scanner *s)
{
	s->out->kind = TR_MYC_DDL_COMMIT;
}

static void scan_rollback(scanner *s)
{
	take_word(s, "WORK");
	s->out->kind = TR_MYC_DDL_ROLLBACK;
	if (take_word(s, "TO"))
		s->out->kind = TR_MYC_DDL_ROLLBACK_TO;
}

static void scan_savepoint(scanner *s)
{
	s->out->kind = TR_MYC_DDL_SAVEPOINT;
}

static void scan_release(scanner *s)
{
	s->out->kind = TR_MYC_DDL_RELEASE;
}

static void scan_xa(scanner *s)
{
	static const struct {
		const char *word;
		tr_myc_ddl_kind kind;
	} words[] = {{"START", TR_MYC_DDL_XA_START},   {"BEGIN", TR_MYC_DDL_XA_START},
		     {"END", TR_MYC_DDL_XA_END},       {"PREPARE", TR_MYC_DDL_XA_PREPARE},
		     {"COMMIT", TR_MYC_DDL_XA_COMMIT}, {"ROLLBACK", TR_MYC_DDL_XA_ROLLBACK},
		     {"RECOVER", TR_MYC_DDL_OTHER}};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (take_word(s, words[i].word)) {
			s->out->kind = words[i].kind;
			return;
		}
}

static void scan_insert(scanner *s)
{
	static const char *const hints[] = {"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "INTO", NULL};

	s->out->kind = TR_MYC_DDL_DML;
	take_any(s, hints);
	want_name(s);
}

/* One table, or a join: then the list is not complete. */
static void scan_update(scanner *s)
{
	static const char *const hints[] = {"LOW_PRIORITY", "IGNORE", NULL};

	s->out->kind = TR_MYC_DDL_DML;
	take_any(s, hints);
	want_name(s);
	if (!at_word(s, "SET") && !at_word(s, "PARTITION"))
		s->out->complete = s->out->complete && (take_word(s, "AS") || at_name(s)) && (next(s), at_word(s, "SET"));
}

static void scan_delete(scanner *s)
{
	static const char *const hints[] = {"LOW_PRIORITY", "QUICK", "IGNORE", NULL};

	s->out->kind = TR_MYC_DDL_DML;
	take_any(s, hints);
	if (!take_word(s, "FROM")) { /* DELETE t1, t2 FROM ... */
		s->out->complete = false;
		return;
	}
	want_name(s);
	if (at_mark(s, ',') || at_mark(s, '.') || at_word(s, "USING"))
		s->out->complete = false;
}

static void scan_load(scanner *s)
{
	s->out->kind = TR_MYC_DDL_DML;
	while (s->now.kind != T_END && !at_word(s, "TABLE"))
		next(s);
	next(s);
	want_name(s);
}

static void scan_other_rows(scanner *s)
{
	s->out->kind = TR_MYC_DDL_DML;
	s->out->complete = false;
}

static void scan_other(scanner *s)
{
	s->out->kind = TR_MYC_DDL_OTHER;
}

/* --- the whole --------------------------------------------------------------------------------- */

static const struct {
	const char *word;
	void (*scan)(scanner *s);
} statements[] = {
    {"BEGIN", scan_begin},       {"COMMIT", scan_commit},   {"ROLLBACK", scan_rollback},
    {"SAVEPOINT", scan_savepoint}, {"RELEASE", scan_release}, {"START", scan_start},
    {"XA", scan_xa},             {"INSERT", scan_insert},   {"REPLACE", scan_insert},
    {"UPDATE", scan_update},     {"DELETE", scan_delete},   {"LOAD", scan_load},
    {"WITH", scan_other_rows},   {"CALL", scan_other_rows}, {"DO", scan_other_rows},
    {"CREATE", scan_create},     {"ALTER", scan_alter},     {"DROP", scan_drop},
    {"RENAME", scan_rename},     {"TRUNCATE", scan_truncate}, {"SET", scan_other},
    {"GRANT", scan_other},       {"REVOKE", scan_other},    {"FLUSH", scan_other},
    {"ANALYZE", scan_other},     {"OPTIMIZE", scan_other},  {"REPAIR", scan_other},
    {"CHECK", scan_other},       {"CHECKSUM", scan_other},  {"INSTALL", scan_other},
    {"UNINSTALL", scan_other},   {"USE", scan_other},       {"SELECT", scan_other},
    {"SHOW", scan_other},        {"RESET", scan_other},     {"PURGE", scan_other},
    {"CHANGE", scan_other},      {"STOP", scan_other},      {"LOCK", scan_other},
    {"UNLOCK", scan_other},      {"KILL", scan_other},      {"CACHE", scan_other},
    {"SIGNAL", scan_other},      {"CLONE", scan_other},
};

/* From the first to the last token outside of comments. */
static tr_slice statement_of(tr_slice text, tr_myc_ddl_kind kind, uint64_t sql_mode)
{
	scanner s = {.at = text.ptr, .end = text.ptr + text.len, .sql_mode = sql_mode, .hide_version = true};
	const uint8_t *first = NULL, *last = NULL;
	const uint8_t *ends[3] = {0}; /* of the newest tokens; [0] the last */
	bool start_word = false, opens = false; /* the last two tokens are START TRANSACTION */

	for (next(&s); s.now.kind != T_END; next(&s)) {
		if (at_mark(&s, ';'))
			continue;
		first = first ? first : s.start;
		last = s.at;
		ends[2] = ends[1];
		ends[1] = ends[0];
		ends[0] = last;
		opens = start_word && at_word(&s, "TRANSACTION");
		start_word = at_word(&s, "START");
	}
	if (kind == TR_MYC_DDL_CREATE_TABLE && opens && ends[2])
		last = ends[2];
	return first ? tr_slice_of(first, (size_t)(last - first)) : text;
}

int tr_myc_ddl_scan(tr_slice text, const char *database, uint64_t sql_mode, tr_arena *arena, tr_myc_ddl *out, tr_err *err)
{
	scanner s = {.at = text.len ? text.ptr : (const uint8_t *)"",
		     .sql_mode = sql_mode,
		     .arena = arena,
		     .out = out,
		     .database = database ? database : ""};

	s.start = s.at;
	s.end = s.at + text.len;
	*out = (tr_myc_ddl){.complete = true, .suffix = ""};
	next(&s);
	/* MariaDB: SET STATEMENT variable = value, ... FOR <statement>. */
	if (take_word(&s, "SET")) {
		out->kind = TR_MYC_DDL_OTHER;
		if (!take_word(&s, "STATEMENT"))
			goto out;
		while (s.now.kind != T_END && !at_word(&s, "FOR"))
			next(&s);
		next(&s);
		out->kind = TR_MYC_DDL_UNKNOWN;
	}
	while (take_mark(&s, '(')) {
	}
	for (size_t i = 0; i < sizeof(statements) / sizeof(*statements); i++) {
		if (!take_word(&s, statements[i].word))
			continue;
		statements[i].scan(&s);
		break;
	}
	if (out->kind == TR_MYC_DDL_UNKNOWN)
		out->complete = false;
	if (out->kind >= TR_MYC_DDL_CREATE_TABLE)
		out->statement = statement_of(text, out->kind, sql_mode);
out:
	out->rest = tr_slice_of(s.start, (size_t)(s.end - s.start));
	return s.no_memory ? tr_err_set(err, TR_E_MEMORY, "out of memory for the names in a statement") : 0;
}

const char *tr_myc_ddl_name_of(tr_myc_ddl_kind kind)
{
	static const char *const names[] = {
	    [TR_MYC_DDL_UNKNOWN] = "statement",
	    [TR_MYC_DDL_OTHER] = "statement",
	    [TR_MYC_DDL_BEGIN] = "BEGIN",
	    [TR_MYC_DDL_COMMIT] = "COMMIT",
	    [TR_MYC_DDL_ROLLBACK] = "ROLLBACK",
	    [TR_MYC_DDL_SAVEPOINT] = "SAVEPOINT",
	    [TR_MYC_DDL_ROLLBACK_TO] = "ROLLBACK TO SAVEPOINT",
	    [TR_MYC_DDL_RELEASE] = "RELEASE SAVEPOINT",
	    [TR_MYC_DDL_XA_START] = "XA START",
	    [TR_MYC_DDL_XA_END] = "XA END",
	    [TR_MYC_DDL_XA_PREPARE] = "XA PREPARE",
	    [TR_MYC_DDL_XA_COMMIT] = "XA COMMIT",
	    [TR_MYC_DDL_XA_ROLLBACK] = "XA ROLLBACK",
	    [TR_MYC_DDL_DML] = "statement that changes rows",
	    [TR_MYC_DDL_CREATE_TABLE] = "CREATE TABLE",
	    [TR_MYC_DDL_ALTER_TABLE] = "ALTER TABLE",
	    [TR_MYC_DDL_DROP_TABLE] = "DROP TABLE",
	    [TR_MYC_DDL_RENAME_TABLE] = "RENAME TABLE",
	    [TR_MYC_DDL_TRUNCATE_TABLE] = "TRUNCATE TABLE",
	    [TR_MYC_DDL_CREATE_INDEX] = "CREATE INDEX",
	    [TR_MYC_DDL_DROP_INDEX] = "DROP INDEX",
	    [TR_MYC_DDL_CREATE_DATABASE] = "CREATE DATABASE",
	    [TR_MYC_DDL_ALTER_DATABASE] = "ALTER DATABASE",
	    [TR_MYC_DDL_DROP_DATABASE] = "DROP DATABASE",
	};

	return names[kind];
}

bool tr_myc_ddl_changes_shape(tr_myc_ddl_kind kind)
{
	return kind == TR_MYC_DDL_UNKNOWN || (kind >= TR_MYC_DDL_CREATE_TABLE && kind != TR_MYC_DDL_TRUNCATE_TABLE);
}

/* Servers may compare names without regard to case; to be in doubt is the safe side. */
static bool same_table(const char *database, const char *name, const char *other_database, const char *other_name)
{
	return other_name && strcasecmp(database, other_database) == 0 &&
	       (!*other_name || strcasecmp(name, other_name) == 0);
}

bool tr_myc_ddl_touches(const tr_myc_ddl *ddl, const char *database, const char *name)
{
	if (!ddl->complete)
		return true;
	for (size_t i = 0; i < ddl->count; i++) {
		const tr_myc_ddl_name *n = &ddl->names[i];

		if (same_table(database, name, n->database, n->name) ||
		    same_table(database, name, n->new_database, n->new_name))
			return true;
	}
	return false;
}

/* --- the text ---------------------------------------------------------------------------------- */

static int convert(const char *charset, tr_slice in, tr_writer *w)
{
	/* What MySQL calls latin1 is Windows' 1252; the others iconv knows by name. */
	iconv_t cd = iconv_open("UTF-8", strcasecmp(charset, "latin1") == 0 ? "CP1252" : charset);
	char *from = (char *)(uintptr_t)in.ptr;
	size_t left = in.len;

	if (cd == (iconv_t)-1)
		return -1;
	while (left > 0 && tr_writer_reserve(w, left * 4 + 16)) {
		char *to = (char *)w->data + w->len;
		size_t room = w->cap - w->len;
		size_t before = room;
		size_t answer = iconv(cd, &from, &left, &to, &room);

		w->len += before - room;
		if (answer != (size_t)-1 || left == 0)
			continue;
		tr_writer_text(w, "\xef\xbf\xbd");
		from++;
		left--;
	}
	iconv_close(cd);
	return tr_writer_ok(w) ? 0 : -1;
}

int tr_myc_ddl_text(const tr_bl_query *query, tr_arena *arena, tr_slice *out, tr_err *err)
{
	const char *charset = query->client_collation ? tr_bl_collation_charset(query->client_collation) : NULL;
	bool utf8 = !charset || strncmp(charset, "utf8", 4) == 0 || strcmp(charset, "binary") == 0 ||
		    strcmp(charset, "ascii") == 0;
	const uint8_t *copy = NULL;
	tr_writer w;

	*out = query->text;
	if (tr_text_utf8_valid(query->text) && utf8)
		return 0;
	tr_writer_init(&w, query->text.len * 8 + 4096);
	if (utf8 || convert(charset, query->text, &w) != 0) {
		tr_writer_reset(&w);
		tr_text_utf8_mend(&w, query->text);
	}
	if (tr_writer_ok(&w))
		copy = tr_arena_memdup(arena, w.data ? (const void *)w.data : "", w.len);
	*out = tr_slice_of(copy, copy ? w.len : 0);
	tr_writer_release(&w);
	return copy ? 0 : tr_err_set(err, TR_E_MEMORY, "out of memory for the text of a statement");
}
