/* Events of the binary log made by hand: what no server sends on demand, and what none should. */
#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include "tests/unit/decoders_binlog/trace.h"

#define EVENT_MAX 4096
#define MYSQL_TYPES 42
#define MARIADB_TYPES 172

enum { FLAG_NONE = 0, TABLE = 7 };

/* A decoder, what it reported, and where the next event of its log begins. */
typedef struct made_log {
	tr_bl_decoder *d;
	trace t;
	tr_err err;
	uint32_t position;
} made_log;

static int feed_at(made_log *l, uint8_t type, uint16_t flags, uint32_t next_position, const void *body, size_t len)
{
	uint8_t *event = malloc(19 + len);
	int result;

	put_le(event, 1700000000, 4);
	event[4] = type;
	put_le(event + 5, 1, 4);
	put_le(event + 9, 19 + len, 4);
	put_le(event + 13, next_position, 4);
	put_le(event + 17, flags, 2);
	memcpy(event + 19, body, len);
	l->err = (tr_err){0};
	result = tr_bl_decode(l->d, tr_slice_of(event, 19 + len), &l->err);
	free(event);
	return result;
}

static int feed(made_log *l, uint8_t type, const void *body, size_t len)
{
	l->position += (uint32_t)(19 + len);
	return feed_at(l, type, FLAG_NONE, l->position, body, len);
}
#define FEED(l, type, ...) feed((l), (type), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static size_t make_format(uint8_t *body, size_t types)
{
	memset(body, 0, 57 + types + 5);
	put_le(body, 4, 2);
	snprintf((char *)body + 2, 50, "%s", types == MYSQL_TYPES ? "9.7.0" : "12.3.1-MariaDB");
	body[56] = 19;
	body[57 + 2 - 1] = 13;
	body[57 + 4 - 1] = 8;
	body[57 + 18 - 1] = 26;
	body[57 + 19 - 1] = 8;
	for (int type = 23; type <= 25; type++)
		body[57 + type - 1] = 8;
	body[57 + 26 - 1] = 2;
	for (int type = 30; type <= 32; type++)
		body[57 + type - 1] = 10;
	body[57 + 39 - 1] = 10;
	for (int type = 166; type <= 168 && types == MARIADB_TYPES; type++)
		body[57 + type - 1] = 8;
	return 57 + types + 5;
}

static void open_log(made_log *l, size_t types, const tr_bl_limits *limits)
{
	uint8_t body[300];
	size_t len = make_format(body, types);

	*l = (made_log){.position = 4};
	trace_init(&l->t);
	l->d = tr_bl_decoder_new(limits, &trace_handler, &l->t);
	ck_assert_ptr_nonnull(l->d);
	ck_assert_int_eq(tr_bl_decoder_at(l->d, "f", 4, &l->err), 0);
	ck_assert_int_eq(feed(l, TR_BL_FORMAT_EVENT, body, len), 0);
	tr_writer_reset(&l->t.w);
}

static void close_log(made_log *l)
{
	tr_bl_decoder_free(l->d);
	trace_release(&l->t);
}

static void expect(made_log *l, const char *part)
{
	ck_assert_msg(strstr(trace_text(&l->t), part) != NULL, "no \"%s\" in\n%s%s %s", part, trace_text(&l->t), l->err.text,
	              l->err.detail);
}

static void expect_error(made_log *l, int result, tr_err_code code, const char *part)
{
	ck_assert_int_eq(result, -1);
	ck_assert_msg(l->err.code == code, "%s: %s", l->err.text, l->err.detail);
	ck_assert_msg(strstr(l->err.detail, part) != NULL, "no \"%s\" in \"%s\"", part, l->err.detail);
	ck_assert(l->err.hint[0] != '\0');
}

/* d.t (a int): with a table number of 6 bytes. */
static int feed_table(made_log *l, uint8_t id)
{
	return FEED(l, TR_BL_TABLE_MAP_EVENT, id, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, TR_BL_LONG, 0, 1);
}

static int feed_insert(made_log *l, uint8_t id, uint8_t flags)
{
	return FEED(l, 30, id, 0, 0, 0, 0, 0, flags, 0, 2, 0, 1, 0xff, 0, 1, 0, 0, 0);
}

START_TEST(rows_need_a_table_map_of_their_statement)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	expect_error(&l, feed_insert(&l, TABLE, 1), TR_E_DECODE_PROTOCOL, "table number 7");
	close_log(&l);

	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	ck_assert_int_eq(feed_insert(&l, TABLE, 0), 0);
	ck_assert_int_eq(feed_insert(&l, TABLE, 1), 0);
	expect(&l, "row c 0 t end\n  after x01000000\n");
	/* The statement has ended. */
	expect_error(&l, feed_insert(&l, TABLE, 1), TR_E_DECODE_PROTOCOL, "no Table_map event of this statement");
	close_log(&l);
}
END_TEST

START_TEST(a_number_used_again_is_another_table)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	ck_assert_int_eq(feed_insert(&l, TABLE, 1), 0);
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	ck_assert_uint_eq(l.t.forgotten, 0);
	ck_assert_int_eq(FEED(&l, TR_BL_TABLE_MAP_EVENT, TABLE, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 'u', 0, 1, TR_BL_TINY, 0, 1), 0);
	ck_assert_uint_eq(l.t.forgotten, 1);
	expect(&l, "serial=2 d.u\n");
	tr_bl_decoder_free(l.d);
	ck_assert_uint_eq(l.t.forgotten, 2);
	trace_release(&l.t);
}
END_TEST

START_TEST(the_table_not_seen_for_longest_goes_first)
{
	const tr_bl_limits limits = {.tables_max = 3};
	made_log l;

	open_log(&l, MYSQL_TYPES, &limits);
	for (uint8_t id = 1; id <= 5; id++) {
		ck_assert_int_eq(feed_table(&l, id), 0);
		ck_assert_int_eq(feed_insert(&l, id, 1), 0);
	}
	ck_assert_uint_eq(l.t.forgotten, 2);
	ck_assert_int_eq(feed_table(&l, 3), 0);
	expect(&l, "id=3 serial=3 d.t\n");
	ck_assert_int_eq(feed_table(&l, 1), 0);
	expect(&l, "id=1 serial=6 d.t\n");
	/* 4 was the oldest, since 3 came again. */
	ck_assert_int_eq(feed_table(&l, 5), 0);
	expect(&l, "id=5 serial=5 d.t\n");
	close_log(&l);
}
END_TEST

START_TEST(a_rows_event_of_no_table_ends_its_statement)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	ck_assert_int_eq(FEED(&l, 30, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0, 2, 0, 0), 0);
	expect_error(&l, feed_insert(&l, TABLE, 1), TR_E_DECODE_PROTOCOL, "table number 7");
	close_log(&l);
}
END_TEST

START_TEST(rows_that_do_not_fit_their_table_are_refused)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	expect_error(&l, FEED(&l, 30, TABLE, 0, 0, 0, 0, 0, 1, 0, 2, 0, 2, 0xff, 0, 1, 0, 0, 0), TR_E_DECODE_PROTOCOL,
	             "rows of 2 columns for table d.t, which has 1");
	expect_error(&l, FEED(&l, 30, TABLE, 0, 0, 0, 0, 0, 1, 0, 2, 0, 1, 0xff, 0, 1, 0, 0), TR_E_DECODE_SHORT,
	             "row 1 of table d.t ends too early");
	expect_error(&l, FEED(&l, 30, TABLE, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0xff, 0, 1, 0, 0, 0), TR_E_DECODE_SHORT, "1 wanted");
	close_log(&l);
}
END_TEST

START_TEST(rows_without_columns_do_not_go_on_for_ever)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(FEED(&l, TR_BL_TABLE_MAP_EVENT, TABLE, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 0, 0), 0);
	expect_error(&l, FEED(&l, 30, TABLE, 0, 0, 0, 0, 0, 1, 0, 2, 0, 0, 9, 9), TR_E_DECODE_PROTOCOL, "rows without columns");
	close_log(&l);
}
END_TEST

START_TEST(v1_rows_and_updates_with_both_bitmaps)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	ck_assert_int_eq(FEED(&l, 24, TABLE, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0), 0);
	expect(&l, "row u 0 t\n  before x01000000\n  after x02000000\n");
	/* v2 has the second bitmap, too: a library has read it for v1 only. */
	ck_assert_int_eq(FEED(&l, 31, TABLE, 0, 0, 0, 0, 0, 1, 0, 2, 0, 1, 0xff, 0xff, 0, 3, 0, 0, 0, 0, 4, 0, 0, 0), 0);
	expect(&l, "row u 0 t end\n  before x03000000\n  after x04000000\n");
	close_log(&l);
}
END_TEST

START_TEST(table_numbers_of_four_bytes)
{
	uint8_t body[300];
	size_t len = make_format(body, MYSQL_TYPES);
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	body[57 + 19 - 1] = body[57 + 23 - 1] = 6;
	ck_assert_int_eq(feed(&l, TR_BL_FORMAT_EVENT, body, len), 0);
	ck_assert_int_eq(FEED(&l, TR_BL_TABLE_MAP_EVENT, TABLE, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, TR_BL_LONG, 0, 1), 0);
	ck_assert_int_eq(FEED(&l, 23, TABLE, 0, 0, 0, 1, 0, 1, 0xff, 0, 8, 0, 0, 0), 0);
	expect(&l, "row c 0 t end\n  after x08000000\n");
	close_log(&l);
}
END_TEST

START_TEST(a_longer_post_header_is_passed_over)
{
	uint8_t body[300];
	size_t len = make_format(body, MYSQL_TYPES);
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	body[57 + 26 - 1] = 5;
	ck_assert_int_eq(feed(&l, TR_BL_FORMAT_EVENT, body, len), 0);
	ck_assert_int_eq(FEED(&l, TR_BL_INCIDENT_EVENT, 1, 0, 9, 9, 9, 4, 'l', 'o', 's', 't'), 0);
	expect(&l, "incident 1 lost\n");
	close_log(&l);
}
END_TEST

START_TEST(unknown_types_stop_unless_they_may_be_ignored)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	l.position += 20;
	ck_assert_int_eq(feed_at(&l, 99, TR_BL_FLAG_IGNORABLE, l.position, "x", 1), 0);
	ck_assert_uint_eq(l.t.last.end, l.position);
	expect_error(&l, FEED(&l, 99, 1, 2, 3), TR_E_DECODE_UNKNOWN, "this type is not known");
	ck_assert_ptr_nonnull(strstr(l.err.text, "event (type 99) at f:"));
	close_log(&l);
}
END_TEST

START_TEST(nothing_comes_before_the_format)
{
	made_log l = {0};

	trace_init(&l.t);
	l.d = tr_bl_decoder_new(NULL, &trace_handler, &l.t);
	expect_error(&l, FEED(&l, TR_BL_XID_EVENT, 1, 0, 0, 0, 0, 0, 0, 0), TR_E_DECODE_PROTOCOL, "before the log's Format_desc");
	close_log(&l);
}
END_TEST

START_TEST(a_header_with_another_size_is_refused)
{
	uint8_t event[20] = {0};
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	event[4] = TR_BL_STOP_EVENT;
	event[9] = 21;
	ck_assert_int_eq(tr_bl_decode(l.d, tr_slice_of(event, 20), &l.err), -1);
	ck_assert_int_eq(l.err.code, TR_E_DECODE_PROTOCOL);
	ck_assert_int_eq(tr_bl_decode(l.d, tr_slice_of(event, 18), &l.err), -1);
	ck_assert_int_eq(l.err.code, TR_E_DECODE_SHORT);
	close_log(&l);
}
END_TEST

START_TEST(positions_go_beyond_four_gibibytes)
{
	const uint8_t rotate[] = {0x00, 0xff, 0xff, 0xff, 0, 0, 0, 0, 'b', '.', '1'};
	const uint8_t xid[8] = {0};
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(feed_at(&l, TR_BL_ROTATE_EVENT, TR_BL_FLAG_ARTIFICIAL, 0, rotate, sizeof(rotate)), 0);
	ck_assert_uint_eq(l.t.last.end, 0xffffff00u);
	ck_assert_str_eq(l.t.last.file, "b.1");
	ck_assert_int_eq(feed_at(&l, TR_BL_XID_EVENT, 0, 0xffffff00u + 27, xid, 8), 0);
	ck_assert_int_eq(feed_at(&l, TR_BL_XID_EVENT, 0, 0x10, xid, 8), 0);
	ck_assert_uint_eq(l.t.last.end, 0x100000010u);
	ck_assert_uint_eq(l.t.last.start, 0x100000010u - 27);
	ck_assert_int_eq(feed_at(&l, TR_BL_XID_EVENT, 0, 0x10 + 27, xid, 8), 0);
	ck_assert_uint_eq(l.t.last.end, 0x100000010u + 27);
	close_log(&l);
}
END_TEST

START_TEST(an_end_that_is_not_told_is_counted)
{
	const uint8_t xid[8] = {0};
	uint64_t before;
	made_log l;

	open_log(&l, MARIADB_TYPES, NULL);
	before = l.t.last.end;
	ck_assert_int_eq(feed_at(&l, TR_BL_XID_EVENT, 0, 0, xid, 8), 0);
	ck_assert_uint_eq(l.t.last.start, before);
	ck_assert_uint_eq(l.t.last.end, before + 27);
	close_log(&l);
}
END_TEST

START_TEST(heartbeats_tell_where_the_log_stands)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(feed_at(&l, TR_BL_HEARTBEAT_EVENT, 0, 1000, "b.000002", 8), 0);
	expect(&l, "heartbeat artificial b.000002 1000\n");
	/* 0x123456789a, an unknown field before it. */
	ck_assert_int_eq(feed_at(&l, TR_BL_HEARTBEAT_V2_EVENT, 0, 0,
	                         (const uint8_t[]){1, 3, 'b', '.', '2', 77, 1, 0, 2, 9, 254, 0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0}, 20),
	                 0);
	expect(&l, "f:78187493530-78187493530 heartbeat artificial b.2 78187493530\n");
	ck_assert_uint_eq(l.t.last.end, 0x123456789aull);
	expect_error(&l, FEED(&l, TR_BL_HEARTBEAT_V2_EVENT, 1, 9, 'b'), TR_E_DECODE_SHORT, "9 wanted");
	close_log(&l);
}
END_TEST

START_TEST(a_file_name_has_a_bound_and_no_nul)
{
	uint8_t rotate[8 + TR_BL_FILE_MAX] = {4};
	made_log l;

	memset(rotate + 8, 'a', TR_BL_FILE_MAX);
	open_log(&l, MYSQL_TYPES, NULL);
	expect_error(&l, feed(&l, TR_BL_ROTATE_EVENT, rotate, sizeof(rotate)), TR_E_DECODE_VALUE, "name");
	ck_assert_int_eq(feed(&l, TR_BL_ROTATE_EVENT, rotate, sizeof(rotate) - 1), 0);
	rotate[9] = 0;
	expect_error(&l, feed(&l, TR_BL_ROTATE_EVENT, rotate, 20), TR_E_DECODE_VALUE, "name");
	close_log(&l);
}
END_TEST

START_TEST(the_rotate_before_the_format_may_have_a_checksum)
{
	uint8_t event[19 + 8 + 3 + 4] = {0};
	trace t;
	tr_err err = {0};

	event[4] = TR_BL_ROTATE_EVENT;
	event[17] = TR_BL_FLAG_ARTIFICIAL;
	event[19] = 4;
	memcpy(event + 27, "b.7", 3);
	for (unsigned with = 0; with < 2; with++) {
		tr_bl_decoder *d;
		size_t len = sizeof(event) - (with ? 0 : 4);

		trace_init(&t);
		d = tr_bl_decoder_new(NULL, &trace_handler, &t);
		put_le(event + 9, len, 4);
		put_le(event + 30, crc32(0, event, 30), 4);
		ck_assert_int_eq(tr_bl_decode(d, tr_slice_of(event, len), &err), 0);
		ck_assert_str_eq(trace_text(&t), ":4-4 rotate artificial b.7 4\n");
		tr_bl_decoder_free(d);
		trace_release(&t);
	}
}
END_TEST

START_TEST(gtid_events_of_mysql_5_7_are_shorter)
{
	uint8_t body[42] = {1, 0xaa};
	made_log l;

	body[17] = 9;
	body[25] = 2;
	body[26] = 5;
	body[34] = 6;
	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(feed(&l, TR_BL_GTID_EVENT, body, 42), 0);
	expect(&l, "gtid aa000000000000000000000000000000::9 commit=0 original=0 clock=5,6 bytes=0\n");
	ck_assert_int_eq(feed(&l, TR_BL_ANONYMOUS_GTID_EVENT, body, 25), 0);
	expect(&l, "gtid anonymous ");
	expect_error(&l, feed(&l, TR_BL_GTID_EVENT, body, 24), TR_E_DECODE_SHORT, "8 wanted, 7 left");
	close_log(&l);
}
END_TEST

START_TEST(tagged_gtids_of_another_serialization_are_refused)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	expect_error(&l, FEED(&l, TR_BL_GTID_TAGGED_EVENT, 4, 6, 0), TR_E_DECODE_UNKNOWN, "serialization version 2");
	/* Field 12 is not known: needed, then not. Field 3 is a tag of 33 bytes. */
	expect_error(&l, FEED(&l, TR_BL_GTID_TAGGED_EVENT, 2, 10, 24, 24, 0), TR_E_DECODE_UNKNOWN, "field 12");
	ck_assert_int_eq(FEED(&l, TR_BL_GTID_TAGGED_EVENT, 2, 10, 0, 24, 0), 0);
	expect_error(&l, FEED(&l, TR_BL_GTID_TAGGED_EVENT, 2, 10, 0, 6, 66, 'a'), TR_E_DECODE_VALUE, "tag has 33 bytes");
	close_log(&l);
}
END_TEST

START_TEST(numbers_of_the_serialization_have_up_to_nine_bytes)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	/* Field 8, the transaction's bytes: 0xff and eight bytes; 0x7f and seven. */
	ck_assert_int_eq(FEED(&l, TR_BL_GTID_TAGGED_EVENT, 2, 10, 0, 16, 0xff, 1, 0, 0, 0, 0, 0, 0, 0x80), 0);
	expect(&l, "bytes=9223372036854775809\n");
	ck_assert_int_eq(FEED(&l, TR_BL_GTID_TAGGED_EVENT, 2, 10, 0, 16, 0x7f, 2, 0, 0, 0, 0, 0, 1), 0);
	expect(&l, "bytes=281474976710658\n");
	close_log(&l);
}
END_TEST

START_TEST(xa_names_have_a_bound)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	expect_error(&l, FEED(&l, TR_BL_XA_PREPARE_EVENT, 0, 1, 0, 0, 0, 65, 0, 0, 0, 0, 0, 0, 0), TR_E_DECODE_VALUE, "65 and 0");
	close_log(&l);
	open_log(&l, MARIADB_TYPES, NULL);
	expect_error(&l, FEED(&l, TR_BL_MARIADB_GTID_EVENT, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 0, 65, 0),
	             TR_E_DECODE_VALUE, "65 and 0");
	close_log(&l);
}
END_TEST

START_TEST(metadata_that_does_not_fit_is_refused)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	/* Signedness in two bytes for one column; a key of column 9; a type nobody knows; more columns than there can be. */
	expect_error(&l, FEED(&l, 19, 1, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, TR_BL_LONG, 0, 1, 1, 2, 0, 0), TR_E_DECODE_VALUE,
	             "metadata of type 1 does not fit");
	expect_error(&l, FEED(&l, 19, 1, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, TR_BL_LONG, 0, 1, 8, 1, 9), TR_E_DECODE_VALUE,
	             "metadata of type 8 does not fit");
	expect_error(&l, FEED(&l, 19, 1, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, 99, 0, 1), TR_E_DECODE_UNKNOWN,
	             "column 1 of table d.t has type 99");
	expect_error(&l, FEED(&l, 19, 1, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 252, 1, 16), TR_E_DECODE_PROTOCOL, "4097 columns");
	/* Enum members: four thousand million of them in two bytes. */
	expect_error(&l, FEED(&l, 19, 1, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, 254, 2, 247, 1, 1, 6, 9, 254, 0, 0, 0, 0, 1, 0, 0, 0),
	             TR_E_DECODE_VALUE, "metadata of type 6 does not fit");
	/* A later type of metadata is passed over. */
	ck_assert_int_eq(FEED(&l, 19, 1, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 1, TR_BL_LONG, 0, 1, 77, 2, 9, 9, 1, 1, 0x80), 0);
	expect(&l, " unsigned ");
	close_log(&l);
}
END_TEST

START_TEST(the_owner_may_stop_or_pass_over_a_table)
{
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	l.t.answer = -1;
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	ck_assert_int_eq(feed_insert(&l, TABLE, 0), -1);
	l.t.passes_over = true;
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	ck_assert_int_eq(feed_insert(&l, TABLE, 0), 0);
	close_log(&l);
}
END_TEST

/* A payload event around inner events. */
static size_t make_payload(uint8_t *body, uint8_t algorithm, size_t unpacked, const void *events, size_t len)
{
	size_t at = 0;

	body[at++] = 2, body[at++] = 1 + 2 * (algorithm > 250), body[at++] = algorithm > 250 ? 252 : algorithm;
	if (algorithm > 250)
		body[at++] = algorithm, body[at++] = 0;
	body[at++] = 3, body[at++] = 9, body[at++] = 254, put_le(body + at, unpacked, 8), at += 8;
	body[at++] = 1, body[at++] = 9, body[at++] = 254, put_le(body + at, len, 8), at += 8;
	body[at++] = 0;
	memcpy(body + at, events, len);
	return at + len;
}

static size_t make_inner(uint8_t *event, uint8_t type, uint32_t size)
{
	memset(event, 0, size);
	event[4] = type;
	put_le(event + 9, size, 4);
	return size;
}

START_TEST(a_payload_may_be_stored_as_it_is)
{
	uint8_t events[64], body[128];
	size_t len = make_inner(events, TR_BL_XID_EVENT, 27);
	made_log l;

	events[19] = 5;
	len += make_inner(events + len, TR_BL_XID_EVENT, 27);
	open_log(&l, MYSQL_TYPES, NULL);
	ck_assert_int_eq(feed(&l, TR_BL_TRANSACTION_PAYLOAD_EVENT, body, make_payload(body, 255, len, events, len)), 0);
	expect(&l, " xid inside 5\n");
	expect(&l, " xid inside 0\n");
	expect_error(&l, feed(&l, TR_BL_TRANSACTION_PAYLOAD_EVENT, body, make_payload(body, 255, len, events, len - 1)),
	             TR_E_DECODE_SHORT, "cut off");
	expect_error(&l, feed(&l, TR_BL_TRANSACTION_PAYLOAD_EVENT, body, make_payload(body, 3, len, events, len)),
	             TR_E_DECODE_UNKNOWN, "algorithm 3");
	close_log(&l);
}
END_TEST

START_TEST(payloads_do_not_nest)
{
	uint8_t events[64], body[128];
	size_t len = make_inner(events, TR_BL_TRANSACTION_PAYLOAD_EVENT, 20);
	made_log l;

	open_log(&l, MYSQL_TYPES, NULL);
	expect_error(&l, feed(&l, TR_BL_TRANSACTION_PAYLOAD_EVENT, body, make_payload(body, 255, len, events, len)),
	             TR_E_DECODE_PROTOCOL, "cannot be inside");
	close_log(&l);
}
END_TEST

START_TEST(a_small_payload_cannot_grow_beyond_the_limit)
{
	const size_t unpacked = (size_t)8 << 20;
	const tr_bl_limits limits = {.event_max_bytes = (size_t)4 << 20};
	uint8_t *events = malloc(unpacked), *packed = malloc(ZSTD_compressBound(unpacked)), *body = malloc(EVENT_MAX + unpacked);
	size_t len;
	made_log l;

	make_inner(events, TR_BL_QUERY_EVENT, (uint32_t)unpacked);
	len = ZSTD_compress(packed, ZSTD_compressBound(unpacked), events, unpacked, 3);
	ck_assert(!ZSTD_isError(len) && len < EVENT_MAX);
	open_log(&l, MYSQL_TYPES, &limits);
	expect_error(&l, feed(&l, TR_BL_TRANSACTION_PAYLOAD_EVENT, body, make_payload(body, 0, unpacked, packed, len)), TR_E_BATCH_LIMIT,
	             "8388608 bytes");
	close_log(&l);
	free(events);
	free(packed);
	free(body);
}
END_TEST

START_TEST(a_payload_cut_between_two_events_is_seen)
{
	uint8_t events[64], packed[256], body[512];
	size_t len = make_inner(events, TR_BL_XID_EVENT, 27);
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	ZSTD_outBuffer out = {.dst = packed, .size = sizeof(packed)};
	ZSTD_inBuffer in = {.src = events, .size = len};
	made_log l;

	/* Flushed, but not ended: more was to come. */
	ck_assert_uint_eq(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_flush), 0);
	ZSTD_freeCCtx(zstd);
	open_log(&l, MYSQL_TYPES, NULL);
	expect_error(&l, feed(&l, TR_BL_TRANSACTION_PAYLOAD_EVENT, body, make_payload(body, 0, len, packed, out.pos)),
	             TR_E_DECODE_SHORT, "before its last inner event");
	expect(&l, " xid inside 0\n");
	close_log(&l);
}
END_TEST

/* MariaDB's packed form of bytes. */
static size_t make_packed(uint8_t *out, const void *bytes, size_t len, size_t told)
{
	uLongf packed = EVENT_MAX - 64;

	out[0] = 0x82;
	out[1] = (uint8_t)(told >> 8);
	out[2] = (uint8_t)told;
	ck_assert_int_eq(compress(out + 3, &packed, bytes, len), Z_OK);
	return 3 + packed;
}

START_TEST(compressed_rows_have_their_size)
{
	const uint8_t rows[] = {0, 1, 0, 0, 0, 0, 2, 0, 0, 0};
	uint8_t body[EVENT_MAX] = {TABLE, 0, 0, 0, 0, 0, 1, 0, 1, 0xff};
	size_t len;
	made_log l;

	open_log(&l, MARIADB_TYPES, NULL);
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	len = make_packed(body + 10, rows, sizeof(rows), sizeof(rows));
	ck_assert_int_eq(feed(&l, 166, body, 10 + len), 0);
	expect(&l, "row c 1 t end\n  after x02000000\n");
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	for (size_t told = sizeof(rows) - 1; told <= sizeof(rows) + 1; told += 2) {
		len = make_packed(body + 10, rows, sizeof(rows), told);
		expect_error(&l, feed(&l, 166, body, 10 + len), TR_E_DECODE_VALUE, "do not unpack");
	}
	body[10] = 0x92;
	expect_error(&l, feed(&l, 166, body, 10 + len), TR_E_DECODE_UNKNOWN, "0x92");
	close_log(&l);
}
END_TEST

/* One piece: the manual's order is count, number; the other order is the server's comment's. */
static int feed_piece(made_log *l, bool count_first, uint32_t number, uint32_t count, uint64_t total, const uint8_t *bytes, size_t len)
{
	uint8_t body[EVENT_MAX];
	size_t at = 9;

	put_le(body, count_first ? count : number, 4);
	put_le(body + 4, count_first ? number : count, 4);
	body[8] = number == 1;
	if (number == 1)
		put_le(body + at, total, 8), at += 8;
	memcpy(body + at, bytes, len);
	return feed(l, 172, body, at + len);
}

static size_t make_rows(uint8_t *event)
{
	const uint8_t body[] = {TABLE, 0, 0, 0, 0, 0, 1, 0, 1, 0xff, 0, 1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0};

	make_inner(event, 23, (uint32_t)(19 + sizeof(body)));
	memcpy(event + 19, body, sizeof(body));
	return 19 + sizeof(body);
}

START_TEST(rows_in_pieces_are_joined)
{
	for (unsigned order = 0; order < 2; order++) {
		uint8_t event[64];
		size_t len = make_rows(event);
		made_log l;

		open_log(&l, MARIADB_TYPES, NULL);
		ck_assert_int_eq(feed_table(&l, TABLE), 0);
		ck_assert_int_eq(feed_piece(&l, order, 1, 3, len, event, 21), 0);
		ck_assert_int_eq(feed_piece(&l, order, 2, 3, len, event + 21, 10), 0);
		ck_assert_int_eq(feed_piece(&l, order, 3, 3, len, event + 31, len - 31), 0);
		expect(&l, "row c 0 t\n  after x01000000\n");
		expect(&l, "row c 2 t end\n  after x03000000\n");
		ck_assert_int_eq(feed_table(&l, TABLE), 0);
		ck_assert_int_eq(feed_piece(&l, order, 1, 1, len, event, len), 0);
		close_log(&l);
	}
}
END_TEST

START_TEST(pieces_that_do_not_fit_are_refused)
{
	const tr_bl_limits limits = {.event_max_bytes = EVENT_MAX};
	uint8_t event[64];
	size_t len = make_rows(event);
	made_log l;

	open_log(&l, MARIADB_TYPES, &limits);
	ck_assert_int_eq(feed_table(&l, TABLE), 0);
	expect_error(&l, feed_piece(&l, true, 2, 3, len, event, 5), TR_E_DECODE_PROTOCOL, "without the first one");
	ck_assert_int_eq(feed_piece(&l, true, 1, 3, len, event, 21), 0);
	expect_error(&l, feed_piece(&l, true, 3, 3, len, event, 5), TR_E_DECODE_PROTOCOL, "piece 3 of 3 after piece 1 of 3");
	/* A first piece that tells less than what comes has crashed a server. */
	ck_assert_int_eq(feed_piece(&l, true, 1, 2, 21, event, 21), 0);
	expect_error(&l, feed_piece(&l, true, 2, 2, 21, event + 21, len - 21), TR_E_DECODE_PROTOCOL, "more than the 21 bytes");
	expect_error(&l, feed_piece(&l, true, 1, 2, UINT64_MAX, event, 21), TR_E_BATCH_LIMIT, "the limit is 4096");
	event[4] = TR_BL_XID_EVENT;
	expect_error(&l, feed_piece(&l, true, 1, 1, len, event, len), TR_E_DECODE_PROTOCOL, "type 16, which has no rows");
	event[4] = 172;
	expect_error(&l, feed_piece(&l, true, 1, 1, len, event, len), TR_E_DECODE_PROTOCOL, "type 172, which has no rows");
	close_log(&l);
}
END_TEST

TEST_MAIN("binlog events made by hand", rows_need_a_table_map_of_their_statement, a_number_used_again_is_another_table,
          the_table_not_seen_for_longest_goes_first, a_rows_event_of_no_table_ends_its_statement,
          rows_that_do_not_fit_their_table_are_refused, rows_without_columns_do_not_go_on_for_ever,
          v1_rows_and_updates_with_both_bitmaps, table_numbers_of_four_bytes, a_longer_post_header_is_passed_over,
          unknown_types_stop_unless_they_may_be_ignored, nothing_comes_before_the_format, a_header_with_another_size_is_refused,
          positions_go_beyond_four_gibibytes, an_end_that_is_not_told_is_counted, heartbeats_tell_where_the_log_stands,
          a_file_name_has_a_bound_and_no_nul, the_rotate_before_the_format_may_have_a_checksum,
          gtid_events_of_mysql_5_7_are_shorter, tagged_gtids_of_another_serialization_are_refused,
          numbers_of_the_serialization_have_up_to_nine_bytes, xa_names_have_a_bound, metadata_that_does_not_fit_is_refused,
          the_owner_may_stop_or_pass_over_a_table, a_payload_may_be_stored_as_it_is, payloads_do_not_nest,
          a_small_payload_cannot_grow_beyond_the_limit, a_payload_cut_between_two_events_is_seen, compressed_rows_have_their_size,
          rows_in_pieces_are_joined, pieces_that_do_not_fit_are_refused)
