/*
 * Events of the binary log. data/<name>.binlog are log files of real servers, *.events what a dump of them sent; beside each
 * lies the trace of everything reported, read through by hand when it was recorded (TR_TEST_RECORD=1 writes them anew).
 */
#include "decoders/binlog/event.h"

#include "tests/unit/decoders_binlog/trace.h"

static const char *const recordings[] = {
	"mysql97.binlog", "mysql97_statement.binlog", "mysql97_nosum.binlog", "mysql97_metadata.binlog", "mysql97_dump.events",
	"mariadb1011.binlog", "mariadb1011_old.binlog", "mariadb1011_metadata.binlog", "mariadb1011_dump.events",
	"mariadb118.binlog",
};
#define RECORDINGS (sizeof(recordings) / sizeof(recordings[0]))

/* Decodes a whole recording. */
static int decode_recording(const char *name, const tr_bl_limits *limits, trace *t, tr_err *err)
{
	size_t len, at;
	uint8_t *bytes = read_data(name, &len);
	tr_bl_decoder *d = tr_bl_decoder_new(limits, &trace_handler, t);
	int result = 0;

	ck_assert_ptr_nonnull(d);
	for (at = first_event(bytes, len); result == 0 && at < len;) {
		uint32_t size = le32(bytes + at + 9);

		result = tr_bl_decode(d, tr_slice_of(bytes + at, size), err);
		at += size;
	}
	tr_bl_decoder_free(d);
	free(bytes);
	return result;
}

static const char *traced(const char *name, trace *t)
{
	tr_err err = {0};

	trace_init(t);
	t->tells_fractions = true;
	ck_assert_msg(decode_recording(name, NULL, t, &err) == 0, "%s: %s: %s", name, err.text, err.detail);
	return trace_text(t);
}

START_TEST(recordings_are_reported_whole)
{
	for (size_t i = 0; i < RECORDINGS; i++) {
		char name[64];
		trace t;
		const char *text = traced(recordings[i], &t);
		size_t len;
		uint8_t *wanted;

		snprintf(name, sizeof(name), "%.*s.trace", (int)strcspn(recordings[i], "."), recordings[i]);
		if (getenv("TR_TEST_RECORD")) {
			FILE *f = fopen(data_path(name), "wb");

			ck_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
		}
		wanted = read_data(name, &len);
		wanted[len] = 0;
		ck_assert_str_eq(text, (const char *)wanted);
		free(wanted);
		trace_release(&t);
	}
}
END_TEST

/* Facts of a trace, each a part of a line. */
static void expect_lines(const char *name, const char *const *lines)
{
	trace t;
	const char *text = traced(name, &t);

	for (; *lines; lines++)
		ck_assert_msg(strstr(text, *lines) != NULL, "%s: no \"%s\" in\n%s", name, *lines, text);
	trace_release(&t);
}
#define EXPECT(name, ...) expect_lines((name), (const char *const[]){__VA_ARGS__, NULL})

START_TEST(a_compressed_payload_is_its_inner_events_and_no_position_lies_inside)
{
	EXPECT("mysql97.binlog", ":13053-13383 query inside ", ":13053-13383 row inside c 0 pk2 end\n  after x7a x1a000000",
	       ":13053-13383 xid inside ", ":13383-13462 gtid ");
}
END_TEST

START_TEST(a_partial_json_event_is_put_together_with_the_document_before)
{
	EXPECT("mysql97.binlog", "{\"a\": 2, \"long\": \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"} x02000000 [1, 2, 3] NULL\n",
	       " [\"one\", 2, 3, 4] x0000000400\n");
}
END_TEST

START_TEST(a_partial_json_event_without_the_document_before_is_unchanged_not_invented)
{
	EXPECT("mysql97.binlog", "  before x01000000 - - - -\n  after = = = = =\n");
}
END_TEST

START_TEST(v2_extra_data_of_partitions_is_passed_over)
{
	EXPECT("mysql97.binlog", "row c 0 part\n  after x01000000\n", "row c 0 part end\n  after x03000000\n");
}
END_TEST

START_TEST(null_bits_count_the_present_columns_only)
{
	EXPECT("mysql97.binlog", "row u 0 pk2 end\n  before x6b x01000000 -\n  after = = x75\n",
	       "row u 0 blobby end\n  before x01000000 x01000000 -\n  after x01000000 x02000000 =\n");
}
END_TEST

START_TEST(tagged_gtids_have_their_tag_and_times)
{
	EXPECT("mysql97.binlog",
	       "ba892ca2e69d11f197e702fc00000001:blue:1 commit=1795371049480724 original=1795371049480724 clock=32,33");
	EXPECT("mysql97_statement.binlog", "11111111222233334444555555555555::7 commit=", "11111111222233334444555555555555:red:7 commit=",
	       " original=1600000000123456 ");
}
END_TEST

START_TEST(statement_format_shows_as_queries_and_load_data)
{
	EXPECT("mysql97_statement.binlog", "insert into t (v) values (@u)", "load_data time=1700000000.", "time=1700000000.500000");
}
END_TEST

START_TEST(xa_groups_have_their_names)
{
	EXPECT("mysql97.binlog", "xa_prepare  xid=7:6731:6231\n", "xa_prepare  xid=1:6733: one phase\n");
	EXPECT("mariadb1011.binlog", "0-1-9 standalone=0 ddl=0 transactional=1 thread=0 prepared xid=7:6731:6231\n",
	       "0-1-12 standalone=1 ddl=0 transactional=1 thread=0 completed xid=1:6732:\n");
}
END_TEST

START_TEST(two_domains_of_mariadb)
{
	EXPECT("mariadb1011.binlog", "gtid 0-1-7 ", "gtid 5-1-1 ", "gtid 5-1-2 ", "gtid 0-1-8 ");
}
END_TEST

START_TEST(compressed_events_and_columns_of_mariadb_are_unpacked)
{
	EXPECT("mariadb1011.binlog", "create database d character set utf8mb4", "787878..500 x73686f7274 x6c6f6e67", "alter=2:17\n");
}
END_TEST

START_TEST(collations_are_counted_as_each_server_counts_columns)
{
	/* MariaDB counts geometries, MySQL vectors, neither JSON. */
	EXPECT("mysql97_metadata.binlog", "c3 type=15 length=5 precision=0 scale=0 collation=8 ",
	       "bb type=252 length=0 precision=0 scale=2 collation=63", "c1 type=15 length=10 precision=0 scale=0 collation=35",
	       "c2 type=15 length=8 precision=0 scale=0 collation=35",
	       "vec type=242 length=0 precision=0 scale=4 collation=63 geometry=0 dimensions=3");
	EXPECT("mariadb1011_metadata.binlog", "c3 type=15 length=5 precision=0 scale=0 collation=8 ",
	       "c1 type=15 length=10 precision=0 scale=0 collation=35",
	       "c4 type=252 length=0 precision=0 scale=2 collation=45");
}
END_TEST

START_TEST(old_temporal_columns_of_mariadb_want_their_fraction)
{
	trace t;
	tr_err err = {0};

	EXPECT("mariadb1011_old.binlog",
	       "x01000000 x25d8ff x457c178468120000 x257d9365 x00b44074f3 x010276129951f580 x65937d250c x4d000000\n");
	trace_init(&t);
	ck_assert_int_eq(decode_recording("mariadb1011_old.binlog", NULL, &t, &err), -1);
	ck_assert_int_eq(err.code, TR_E_TYPE_UNSUPPORTED);
	ck_assert_ptr_null(strstr(trace_text(&t), "row c"));
	trace_release(&t);
}
END_TEST

START_TEST(a_dump_names_its_file_and_stands_still_at_heartbeats)
{
	trace t;

	EXPECT("mysql97_dump.events", ":4-4 rotate artificial binlog.000001 3144\n", "binlog.000001:3144-3144 format artificial ",
	       "binlog.000001:3144-3223 gtid ", "binlog.000002:4-127 format ", "heartbeat artificial binlog.000003 284\n");
	traced("mysql97_dump.events", &t);
	ck_assert_uint_eq(t.last.end, 284);
	trace_release(&t);
	EXPECT("mariadb1011_dump.events", "bin.000001:591-591 gtid_list artificial 0-1-2 ", "heartbeat artificial bin.000004 373\n");
}
END_TEST

START_TEST(nothing_is_larger_than_the_limit)
{
	const tr_bl_limits limits = {.event_max_bytes = 1024};
	trace t;
	tr_err err = {0};

	trace_init(&t);
	t.tells_fractions = true;
	ck_assert_int_eq(decode_recording("mysql97.binlog", &limits, &t, &err), -1);
	ck_assert_int_eq(err.code, TR_E_BATCH_LIMIT);
	trace_release(&t);
}
END_TEST

START_TEST(one_wrong_bit_fails_the_checksum)
{
	size_t len;
	uint8_t *bytes = read_data("mysql97.binlog", &len);
	trace t;

	trace_init(&t);
	for (size_t at = 4; at < 4 + 123 + 31; at++) {
		tr_bl_decoder *d = tr_bl_decoder_new(NULL, &trace_handler, &t);
		tr_err err = {0};
		int result;

		if ((at >= 13 && at < 17) || (at >= 136 && at < 140)) {
			tr_bl_decoder_free(d); /* the size: another error */
			continue;
		}
		bytes[at] ^= 0x10;
		result = tr_bl_decode(d, tr_slice_of(bytes + 4, 123), &err);
		if (result == 0)
			result = tr_bl_decode(d, tr_slice_of(bytes + 127, 31), &err);
		bytes[at] ^= 0x10;
		ck_assert_msg(result == -1, "byte %zu", at);
		tr_bl_decoder_free(d);
	}
	free(bytes);
	trace_release(&t);
}
END_TEST

/* A copy of a recording without checksums, so that damage gets further than to them. */
static uint8_t *without_checksums(const char *name, size_t *out_len)
{
	size_t len, at, to = 0;
	uint8_t *bytes = read_data(name, &len);
	bool checksums = true;

	for (at = first_event(bytes, len); at < len;) {
		uint32_t size = le32(bytes + at + 9);
		const bool format = bytes[at + 4] == TR_BL_FORMAT_EVENT;

		if (format) {
			checksums = bytes[at + size - 5] == 1;
			bytes[at + size - 5] = 0;
		}
		uint32_t keep = checksums && !format ? size - 4 : size;
		memmove(bytes + to, bytes + at, keep);
		put_le(bytes + to + 9, keep, 4);
		to += keep;
		at += size;
	}
	*out_len = to;
	return bytes;
}

/* Decodes a copy of exactly its length, so that a sanitizer sees a byte too far. */
static int decode_copy(tr_bl_decoder *d, const uint8_t *bytes, size_t len, tr_err *err)
{
	uint8_t *copy = malloc(len);
	int result;

	memcpy(copy, bytes, len);
	if (len >= 13)
		put_le(copy + 9, len, 4);
	*err = (tr_err){0};
	result = tr_bl_decode(d, tr_slice_of(copy, len), err);
	ck_assert(result == 0 || err->code != TR_OK);
	free(copy);
	return result;
}

START_TEST(events_cut_anywhere_are_errors_or_whole)
{
	for (size_t i = 0; i < RECORDINGS; i++) {
		size_t len;
		uint8_t *bytes = without_checksums(recordings[i], &len);
		trace t;
		tr_bl_decoder *d;
		tr_err err;

		trace_init(&t);
		t.tells_fractions = true;
		d = tr_bl_decoder_new(NULL, &trace_handler, &t);
		for (size_t at = 0; at < len; at += le32(bytes + at + 9)) {
			uint32_t size = le32(bytes + at + 9);

			for (size_t cut = 1; bytes[at + 4] != TR_BL_FORMAT_EVENT && cut < size; cut++) {
				decode_copy(d, bytes + at, cut, &err);
				tr_writer_reset(&t.w);
			}
			decode_copy(d, bytes + at, size, &err);
		}
		tr_bl_decoder_free(d);
		trace_release(&t);
		free(bytes);
	}
}
END_TEST

START_TEST(damaged_events_do_no_harm)
{
	uint64_t random = 0x9e3779b97f4a7c15u;

	for (size_t i = 0; i < RECORDINGS; i++) {
		size_t len;
		uint8_t *bytes = without_checksums(recordings[i], &len);

		for (unsigned round = 0; round < 60; round++) {
			trace t;
			tr_bl_decoder *d;
			tr_err err;

			trace_init(&t);
			t.tells_fractions = true;
			d = tr_bl_decoder_new(NULL, &trace_handler, &t);
			for (size_t at = 0; at < len; at += le32(bytes + at + 9)) {
				uint32_t size = le32(bytes + at + 9);
				uint8_t *event = malloc(size);

				memcpy(event, bytes + at, size);
				random ^= random << 13, random ^= random >> 7, random ^= random << 17;
				if (at > 0 && random % 3 == 0)
					event[19 + (random >> 8) % (size - 19)] ^= (uint8_t)(random >> 40);
				decode_copy(d, event, size, &err);
				tr_writer_reset(&t.w);
				free(event);
			}
			tr_bl_decoder_free(d);
			trace_release(&t);
		}
		free(bytes);
	}
}
END_TEST

TEST_MAIN("binlog events", recordings_are_reported_whole, a_compressed_payload_is_its_inner_events_and_no_position_lies_inside,
          a_partial_json_event_is_put_together_with_the_document_before,
          a_partial_json_event_without_the_document_before_is_unchanged_not_invented, v2_extra_data_of_partitions_is_passed_over,
          null_bits_count_the_present_columns_only, tagged_gtids_have_their_tag_and_times,
          statement_format_shows_as_queries_and_load_data, xa_groups_have_their_names, two_domains_of_mariadb,
          compressed_events_and_columns_of_mariadb_are_unpacked, collations_are_counted_as_each_server_counts_columns,
          old_temporal_columns_of_mariadb_want_their_fraction, a_dump_names_its_file_and_stands_still_at_heartbeats,
          nothing_is_larger_than_the_limit, one_wrong_bit_fails_the_checksum,
          events_cut_anywhere_are_errors_or_whole, damaged_events_do_no_harm)
