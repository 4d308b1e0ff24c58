/* Messages: hand-made ones field by field, and a recording of a real server's (stream.hex) whole, cut and lengthened. */
#include "decoders/pgoutput/message.h"

#include <stdio.h>

#include "core/writer.h"
#include "tests/unit/test.h"

#define LINE_BYTES 16384
#define EPOCH_2000_US INT64_C(946684800000000)

/* What the handler saw last, and how often. */
typedef struct seen {
	unsigned begins, commits, origins, relations, type_names, inserts, updates, deletes, truncates, messages;
	tr_pg_begin begin;
	tr_pg_commit commit;
	tr_pg_row row;
	tr_pg_logical logical;
	char text[256];
	int answer;
} seen;

static int on_begin(void *context, const tr_pg_begin *m, tr_err *err)
{
	seen *s = context;

	(void)err;
	s->begins++;
	s->begin = *m;
	return s->answer;
}

static int on_commit(void *context, const tr_pg_commit *m, tr_err *err)
{
	seen *s = context;

	(void)err;
	s->commits++;
	s->commit = *m;
	return 0;
}

static int on_origin(void *context, const tr_pg_origin *m, tr_err *err)
{
	seen *s = context;

	(void)err;
	s->origins++;
	snprintf(s->text, sizeof(s->text), "%.*s@%lx", (int)m->name.len, (const char *)m->name.ptr, (unsigned long)m->lsn);
	return 0;
}

static int on_relation(void *context, const tr_pg_relation *m, tr_err *err)
{
	seen *s = context;
	int len;

	(void)err;
	s->relations++;
	len = snprintf(s->text, sizeof(s->text), "%u %.*s.%.*s %c", m->oid, (int)m->schema.len, (const char *)m->schema.ptr,
	               (int)m->name.len, (const char *)m->name.ptr, m->identity);
	for (size_t i = 0; i < m->column_count && (size_t)len < sizeof(s->text); i++)
		len += snprintf(s->text + len, sizeof(s->text) - (size_t)len, " %s%.*s:%u:%d", m->columns[i].identity ? "*" : "",
		                (int)m->columns[i].name.len, (const char *)m->columns[i].name.ptr, m->columns[i].type,
		                m->columns[i].typmod);
	return 0;
}

static int on_type_name(void *context, const tr_pg_typename *m, tr_err *err)
{
	seen *s = context;

	(void)err;
	s->type_names++;
	snprintf(s->text, sizeof(s->text), "%u %.*s.%.*s", m->oid, (int)m->schema.len, (const char *)m->schema.ptr,
	         (int)m->name.len, (const char *)m->name.ptr);
	return 0;
}

static int on_insert(void *context, const tr_pg_row *m, tr_err *err)
{
	seen *s = context;

	(void)err;
	s->inserts++;
	s->row = *m;
	return 0;
}

static int on_update(void *context, const tr_pg_row *m, tr_err *err)
{
	seen *s = context;

	(void)err;
	s->updates++;
	s->row = *m;
	return 0;
}

static int on_delete(void *context, const tr_pg_row *m, tr_err *err)
{
	seen *s = context;

	(void)err;
	s->deletes++;
	s->row = *m;
	return 0;
}

static int on_truncate(void *context, const tr_pg_truncate *m, tr_err *err)
{
	seen *s = context;
	int len = snprintf(s->text, sizeof(s->text), "%d%d", m->cascade, m->restart_identity);

	(void)err;
	s->truncates++;
	for (size_t i = 0; i < m->count && (size_t)len < sizeof(s->text); i++)
		len += snprintf(s->text + len, sizeof(s->text) - (size_t)len, " %u", m->relations[i]);
	return 0;
}

static int on_logical(void *context, const tr_pg_logical *m, tr_err *err)
{
	seen *s = context;

	(void)err;
	s->messages++;
	s->logical = *m;
	return 0;
}

static const tr_pg_handler handler = {
	.begin = on_begin, .commit = on_commit, .origin = on_origin, .relation = on_relation, .type_name = on_type_name,
	.insert = on_insert, .update = on_update, .delete_row = on_delete, .truncate = on_truncate, .logical = on_logical};

/* The copy is exactly as long as the message, so that a sanitizer sees any byte read beyond it. */
static int decode_bytes(tr_pg_decoder *d, const void *bytes, size_t len, seen *s, tr_err *err)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	int result;

	memcpy(copy, bytes, len);
	result = tr_pg_decode(d, tr_slice_of(copy, len), &handler, s, err);
	free(copy);
	return result;
}

/* Hexadecimal with spaces, as a test writes it. */
static int decode_hex(const char *hex, seen *s, tr_err *err)
{
	static uint8_t bytes[4096];
	tr_pg_decoder *d = tr_pg_decoder_new();
	size_t len = 0;
	int result;

	for (; *hex; hex += *hex ? 1 : 0) {
		unsigned byte;

		if (*hex == ' ')
			continue;
		ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
		bytes[len++] = (uint8_t)byte;
		hex++;
	}
	result = tr_pg_decode(d, tr_slice_of(bytes, len), &handler, s, err);
	tr_pg_decoder_free(d);
	return result;
}

START_TEST(transaction_limits)
{
	seen s = {0};
	tr_err err = {0};

	ck_assert_int_eq(decode_hex("42 0000000001020304 0000000000000005 00000007", &s, &err), 0);
	ck_assert_uint_eq(s.begin.final_lsn, 0x01020304);
	ck_assert_int_eq(s.begin.commit_us, EPOCH_2000_US + 5);
	ck_assert_uint_eq(s.begin.xid, 7);
	ck_assert_int_eq(decode_hex("43 00 0000000000000010 0000000000000020 ffffffffffffffff", &s, &err), 0);
	ck_assert_uint_eq(s.commit.commit_lsn, 0x10);
	ck_assert_uint_eq(s.commit.end_lsn, 0x20);
	ck_assert_int_eq(s.commit.commit_us, EPOCH_2000_US - 1);
	ck_assert_int_eq(decode_hex("43 01 0000000000000010 0000000000000020 ffffffffffffffff", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_UNKNOWN);
}
END_TEST

START_TEST(relation_and_type)
{
	seen s = {0};
	tr_err err = {0};

	ck_assert_int_eq(decode_hex("52 00004000 00 7400 64 0002 01 696400 00000017 ffffffff 00 6e00 000006a4 00050006", &s, &err), 0);
	ck_assert_str_eq(s.text, "16384 pg_catalog.t d *id:23:-1 n:1700:327686");
	ck_assert_int_eq(decode_hex("59 00004001 7000 6d6f6f6400", &s, &err), 0);
	ck_assert_str_eq(s.text, "16385 p.mood");
	ck_assert_int_eq(decode_hex("52 00004000 00 7400 78 0000", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_UNKNOWN);
	/* more columns than a table can have */
	ck_assert_int_eq(decode_hex("52 00004000 00 7400 64 ffff", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_PROTOCOL);
}
END_TEST

START_TEST(rows)
{
	seen s = {0};
	tr_err err = {0};

	ck_assert_int_eq(decode_hex("49 00004000 4e 0004 6e 75 74 00000002 6162 62 00000004 00000001", &s, &err), 0);
	ck_assert_uint_eq(s.row.relation, 0x4000);
	ck_assert_int_eq(s.row.old_kind, 0);
	ck_assert_ptr_null(s.row.old_row);
	ck_assert_uint_eq(s.row.new_count, 4);
	ck_assert_int_eq(decode_hex("55 00004000 4b 0001 74 00000001 31 4e 0001 74 00000001 32", &s, &err), 0);
	ck_assert_int_eq(s.row.old_kind, 'K');
	ck_assert_uint_eq(s.row.old_count, 1);
	ck_assert_int_eq(decode_hex("55 00004000 4e 0000", &s, &err), 0);
	ck_assert_int_eq(s.row.old_kind, 0);
	ck_assert_int_eq(decode_hex("44 00004000 4f 0001 6e", &s, &err), 0);
	ck_assert_int_eq(s.row.old_kind, 'O');
	ck_assert_ptr_null(s.row.new_row);
	ck_assert_int_eq(decode_hex("44 00004000 4e 0000", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_UNKNOWN);
	ck_assert_int_eq(decode_hex("49 00004000 4e 0001 78", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(err.detail, "byte 8"));
	/* a length beyond the message */
	ck_assert_int_eq(decode_hex("49 00004000 4e 0001 74 7fffffff 61", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_SHORT);
}
END_TEST

/* The decoder's arrays are there for the next message: forms and lengths must be this message's. */
START_TEST(row_values)
{
	static const uint8_t first[] = "I\0\0\0\1N\0\3t\0\0\0\2abnu";
	static const uint8_t second[] = "I\0\0\0\1N\0\3ub\0\0\0\1zt\0\0\0\0";
	tr_pg_decoder *d = tr_pg_decoder_new();
	seen s = {0};
	tr_err err = {0};

	ck_assert_int_eq(tr_pg_decode(d, tr_slice_of(first, sizeof(first) - 1), &handler, &s, &err), 0);
	ck_assert_int_eq(s.row.new_row[0].form, TR_D_TEXT);
	ck_assert_uint_eq(s.row.new_row[0].len, 2);
	ck_assert_ptr_eq(s.row.new_row[0].ptr, first + 13);
	ck_assert_int_eq(s.row.new_row[1].form, TR_D_NULL);
	ck_assert_int_eq(s.row.new_row[2].form, TR_D_UNCHANGED);
	ck_assert_int_eq(tr_pg_decode(d, tr_slice_of(second, sizeof(second) - 1), &handler, &s, &err), 0);
	ck_assert_int_eq(s.row.new_row[0].form, TR_D_UNCHANGED);
	ck_assert_int_eq(s.row.new_row[1].form, TR_D_BINARY);
	ck_assert_uint_eq(s.row.new_row[1].len, 1);
	ck_assert_int_eq(s.row.new_row[2].form, TR_D_TEXT);
	ck_assert_uint_eq(s.row.new_row[2].len, 0);
	ck_assert_ptr_nonnull(s.row.new_row[2].ptr);
	tr_pg_decoder_free(d);
}
END_TEST

START_TEST(truncates_origins_messages)
{
	seen s = {0};
	tr_err err = {0};

	ck_assert_int_eq(decode_hex("54 00000002 03 00000001 00000002", &s, &err), 0);
	ck_assert_str_eq(s.text, "11 1 2");
	ck_assert_int_eq(decode_hex("54 00000000 00", &s, &err), 0);
	/* a count that the message has no bytes for */
	ck_assert_int_eq(decode_hex("54 ffffffff 00 00000001", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_SHORT);
	ck_assert_int_eq(decode_hex("4f 0000000000001234 6f3100", &s, &err), 0);
	ck_assert_str_eq(s.text, "o1@1234");
	ck_assert_int_eq(decode_hex("4d 01 0000000000000009 707800 00000003 00ff01", &s, &err), 0);
	ck_assert(s.logical.transactional);
	ck_assert_uint_eq(s.logical.lsn, 9);
	ck_assert_uint_eq(s.logical.prefix.len, 2);
	ck_assert_uint_eq(s.logical.content.len, 3);
	ck_assert_int_eq(decode_hex("4d 00 0000000000000009 00 00000000", &s, &err), 0);
	ck_assert(!s.logical.transactional);
}
END_TEST

START_TEST(unknown_and_empty)
{
	seen s = {0};
	tr_err err = {0};

	ck_assert_int_eq(decode_hex("", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_SHORT);
	/* a stream start belongs to protocol 2 */
	ck_assert_int_eq(decode_hex("53 00000001 01", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(err.detail, "0x53"));
	ck_assert_int_eq(decode_hex("42 0000000001020304 0000000000000005 00000007 00", &s, &err), -1);
	ck_assert_int_eq(err.code, TR_E_DECODE_PROTOCOL);
	ck_assert_uint_eq(s.begins, 0);
}
END_TEST

START_TEST(handlers_error_goes_up)
{
	seen s = {.answer = -1};
	tr_err err = {0};

	ck_assert_int_eq(decode_hex("42 0000000001020304 0000000000000005 00000007", &s, &err), -1);
	ck_assert_uint_eq(s.begins, 1);
}
END_TEST

static size_t read_hex(const char *line, uint8_t *out)
{
	size_t len = strcspn(line, "\n") / 2;

	for (size_t i = 0; i < len; i++) {
		unsigned byte = 0;

		sscanf(line + 2 * i, "%2x", &byte);
		out[i] = (uint8_t)byte;
	}
	return len;
}

START_TEST(recorded_stream)
{
	const char *root = getenv("TAILRACE_SOURCE_DIR");
	tr_pg_decoder *d = tr_pg_decoder_new();
	static char line[LINE_BYTES];
	static uint8_t message[LINE_BYTES];
	char path[512];
	seen s = {0}, ignored = {0};
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/unit/pgoutput/stream.hex", root ? root : ".");
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		size_t len = read_hex(line, message);
		tr_err err = {0};

		ck_assert_msg(decode_bytes(d, message, len, &s, &err) == 0, "%s: %s", line, err.detail);
		for (size_t cut = 0; cut < len; cut++) {
			ck_assert_int_eq(decode_bytes(d, message, cut, &ignored, &err), -1);
			ck_assert_int_eq(err.code, TR_E_DECODE_SHORT);
		}
		ck_assert_int_eq(decode_bytes(d, message, len + 1, &ignored, &err), -1);
	}
	fclose(file);
	tr_pg_decoder_free(d);
	ck_assert_uint_eq(s.begins, 57);
	ck_assert_uint_eq(s.commits, 57);
	ck_assert_uint_eq(s.relations, 19);
	ck_assert_uint_eq(s.type_names, 3);
	ck_assert_uint_eq(s.inserts, 59);
	ck_assert_uint_eq(s.updates, 42);
	ck_assert_uint_eq(s.deletes, 22);
	ck_assert_uint_eq(s.truncates, 4);
	ck_assert_uint_eq(s.messages, 6);
	ck_assert_uint_eq(s.origins, 1);
	ck_assert_uint_eq(ignored.begins, 0);
}
END_TEST

TEST_MAIN("pgoutput.message", transaction_limits, relation_and_type, rows, row_values, truncates_origins_messages,
          unknown_and_empty, handlers_error_goes_up, recorded_stream)
