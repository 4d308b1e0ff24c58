/*
 * DDL ahead of the stream, for tables whose log has MINIMAL metadata: a second connection reads the log from the stream's
 * place to a place that a catalogue question has told, and keeps the statements that may change a table's shape. Each part
 * of the log is read once: what was found is kept until the stream has passed it.
 *
 * Only headers are looked at, and QUERY events; rows go by unread. DDL never lies within a compressed transaction.
 */
#include <stdlib.h>

#include "capture/mysql/ddl.h"
#include "capture/mysql/mysql.h"
#include "core/text.h"

#define KEPT_MAX  ((size_t)64 << 20) /* names in statements that are ahead */
#define STEP_MS   1000
#define SILENT_MS 60000

enum { QUERY_COMPRESSED_EVENT = 165 };

typedef struct statement {
	struct statement *next;
	const char *file;
	uint64_t end; /* of its event */
	tr_myc_ddl ddl;
} statement;

struct tr_myc_ahead {
	tr_arena arena;
	statement *first, **tail;
	/* What was read: from `from` to `to`. */
	char from_file[TR_BL_FILE_MAX], to_file[TR_BL_FILE_MAX];
	uint64_t from_pos, to_pos;
	bool any;
};

void tr_myc_ahead_free(tr_myc_ahead *a)
{
	if (!a)
		return;
	tr_arena_release(&a->arena);
	free(a);
}

static void forget_all(tr_myc_ahead *a)
{
	tr_arena_reset(&a->arena);
	a->first = NULL;
	a->tail = &a->first;
	a->any = false;
}

static bool before(const char *file, uint64_t pos, const char *other_file, uint64_t other_pos)
{
	return tr_myc_place_compare(file, pos, other_file, other_pos) < 0;
}

/* --- reading ----------------------------------------------------------------------------------- */

static int keep(tr_myc_ahead *a, const tr_bl_event *e, const tr_myc_ddl *ddl, tr_err *err)
{
	statement *s = TR_ARENA_NEW(&a->arena, statement);

	if (s && (s->file = tr_arena_strdup(&a->arena, e->file))) {
		s->end = e->end;
		s->ddl = *ddl;
		*a->tail = s;
		a->tail = &s->next;
		return 0;
	}
	tr_err_set(err, TR_E_SOURCE_SETTING, "too many DDL statements lie ahead in the log");
	tr_err_detail(err, "their names take more than %zu bytes", KEPT_MAX);
	return tr_err_hint(err, "Set binlog_row_metadata = 'FULL', which needs no look ahead.");
}

static int on_query(void *context, const tr_bl_event *e, const tr_bl_query *m, tr_err *err)
{
	tr_myc_ahead *a = context;
	tr_myc_ddl ddl;
	tr_slice text;
	char database[1024];

	if (m->text.len <= 8 && (tr_slice_eq(m->text, tr_slice_str("BEGIN")) || tr_slice_eq(m->text, tr_slice_str("COMMIT"))))
		return 0;
	tr_text_format(database, sizeof(database), "%.*s", (int)m->database.len,
		       m->database.len ? (const char *)m->database.ptr : "");
	if (tr_myc_ddl_text(m, &a->arena, &text, err) ||
	    tr_myc_ddl_scan(text, tr_arena_strdup(&a->arena, database), m->sql_mode, &a->arena, &ddl, err))
		return -1;
	return tr_myc_ddl_changes_shape(ddl.kind) && !ddl.temporary ? keep(a, e, &ddl, err) : 0;
}

/* Feeds one event; *done when it lies at or behind the end. */
static int feed(tr_myc_ahead *a, tr_bl_decoder *d, tr_slice event, const char *file, uint64_t end, bool *done, tr_err *err)
{
	tr_bl_event e;

	if (!tr_bl_peek(event, &e))
		return tr_err_set(err, TR_E_DECODE_SHORT, "an event of the log is too short");
	switch (e.type) {
	case TR_BL_ROTATE_EVENT:
	case TR_BL_FORMAT_EVENT:
	case TR_BL_QUERY_EVENT:
	case QUERY_COMPRESSED_EVENT:
	case TR_BL_MARIADB_GTID_EVENT: /* MySQL's groups begin with a QUERY: either way their places are told */
		if (tr_bl_decode(d, event, err))
			return -1;
		break;
	default:
		break;
	}
	*done = *a->to_file && !before(a->to_file, a->to_pos, file, end);
	return 0;
}

/* Where the reading stands. */
static int on_end(void *context, const tr_bl_event *e, tr_err *err)
{
	tr_myc_ahead *a = context;

	(void)err;
	if (e->artificial && e->type != TR_BL_ROTATE_EVENT)
		return 0;
	tr_text_format(a->to_file, sizeof(a->to_file), "%s", e->file);
	a->to_pos = e->end;
	return 0;
}

static int read_events(tr_myc_ahead *a, tr_myc_dump *dump, tr_bl_decoder *d, tr_myc_place to, tr_err *err)
{
	bool done = false;
	int silent_ms = 0;

	while (!done) {
		tr_slice event;
		int got = tr_myc_dump_next(dump, STEP_MS, &event, err);

		if (got < 0)
			return -1;
		if (got == 2)
			break;
		silent_ms = got ? 0 : silent_ms + STEP_MS;
		if (silent_ms >= SILENT_MS)
			return tr_err_set(err, TR_E_SOURCE_UNAVAILABLE, "the log ahead could not be read: nothing comes");
		if (got && feed(a, d, event, to.file, to.position, &done, err))
			return -1;
	}
	return 0;
}

static int read_part(tr_myc_catalog *c, tr_myc_ahead *a, tr_myc_place from, tr_myc_place to, tr_err *err)
{
	static const tr_bl_handler handler = {.query = on_query, .end = on_end};
	const tr_myc_dump_from start = {
	    .kind = TR_MYC_BY_FILE, .file = from.file, .pos = from.position, .to_end = true};
	tr_bl_decoder *d = tr_bl_decoder_new(NULL, &handler, a);
	tr_myc_dump *dump = NULL;
	int result = -1;

	if (!d)
		tr_err_set(err, TR_E_MEMORY, "out of memory for a decoder");
	else if (tr_myc_dump_open(c->source, &start, &dump, err) == 0)
		result = read_events(a, dump, d, to, err);
	tr_myc_dump_close(dump);
	tr_bl_decoder_free(d);
	if (result)
		return tr_err_prefix(err, "look ahead in the log");
	tr_text_format(a->to_file, sizeof(a->to_file), "%s", to.file);
	a->to_pos = to.position;
	a->any = true;
	return 0;
}

/* Makes what was read cover the stretch. */
static int cover(tr_myc_catalog *c, tr_myc_ahead *a, tr_myc_place from, tr_myc_place to, tr_err *err)
{
	if (a->any && (before(from.file, from.position, a->from_file, a->from_pos) ||
		       before(a->to_file, a->to_pos, from.file, from.position)))
		forget_all(a);
	if (!a->any) {
		tr_text_format(a->from_file, sizeof(a->from_file), "%s", from.file);
		a->from_pos = from.position;
		return read_part(c, a, from, to, err);
	}
	if (!before(a->to_file, a->to_pos, to.file, to.position))
		return 0;
	char file[TR_BL_FILE_MAX];

	tr_text_format(file, sizeof(file), "%s", a->to_file);
	return read_part(c, a, (tr_myc_place){.file = file, .position = a->to_pos}, to, err);
}

/* --- judging ----------------------------------------------------------------------------------- */

static int judge(const tr_myc_catalog *c, const char *database, const char *name, tr_myc_place from, tr_myc_place to,
		 tr_err *err)
{
	for (const statement *s = c->ahead->first; s; s = s->next) {
		char why[320];

		if (!before(from.file, from.position, s->file, s->end) || before(to.file, to.position, s->file, s->end) ||
		    !tr_myc_ddl_touches(&s->ddl, database, name))
			continue;
		tr_text_format(why, sizeof(why), "%s before %s:%llu may have changed it since",
			       s->ddl.kind == TR_MYC_DDL_UNKNOWN ? "a statement that is not understood"
								 : tr_myc_ddl_name_of(s->ddl.kind),
			       s->file, (unsigned long long)s->end);
		return tr_myc_columns_unknown(c, database, name, why, err);
	}
	return 0;
}

int tr_myc_ahead_clear(tr_myc_catalog *c, const char *database, const char *name, tr_myc_place from, tr_myc_place to,
		       tr_err *err)
{
	if (!*from.file || !*to.file)
		return tr_myc_columns_unknown(c, database, name, "the server's log has no places to look ahead between", err);
	int order = tr_myc_place_compare(to.file, to.position, from.file, from.position);

	if (order == 2)
		return tr_myc_columns_unknown(c, database, name, "the log's files have changed their names", err);
	if (order <= 0)
		return 0;
	if (!c->source)
		return tr_myc_columns_unknown(c, database, name, "the log is not read ahead here", err);
	if (!c->ahead) {
		c->ahead = calloc(1, sizeof(*c->ahead));
		if (!c->ahead)
			return tr_err_set(err, TR_E_MEMORY, "out of memory to look ahead in the log");
		tr_arena_init(&c->ahead->arena, KEPT_MAX);
		forget_all(c->ahead);
	}
	if (cover(c, c->ahead, from, to, err))
		return -1;
	return judge(c, database, name, from, to, err);
}
