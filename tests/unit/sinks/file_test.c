/* The file sink's files: read by avro-c, whole whatever happens, rolled, taken up again after a crash. */
#include <avro.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "core/failpoint.h"
#include "tests/unit/sinks/rig.h"

#define ROW "{\"type\":\"record\",\"name\":\"Value\",\"namespace\":\"shop.public.orders\",\"fields\":[{\"name\":\"id\",\"type\":\"long\"}]}"
#define ROW2 "{\"type\":\"record\",\"name\":\"Value\",\"namespace\":\"shop.public.orders\",\"fields\":[{\"name\":\"n\",\"type\":\"long\"}]}"
#define KEY "{\"type\":\"record\",\"name\":\"Key\",\"namespace\":\"shop.public.orders\",\"fields\":[{\"name\":\"k\",\"type\":\"long\"}]}"

static tr_codec row = {.magic = TR_CODEC_MAGIC, .subject = "v", .schema = ROW};
static tr_codec row2 = {.magic = TR_CODEC_MAGIC, .subject = "v", .schema = ROW2};
static tr_codec framed = {.magic = TR_CODEC_MAGIC, .subject = "v", .schema = ROW, .schema_id = 7};
static tr_codec key = {.magic = TR_CODEC_MAGIC, .subject = "k", .schema = KEY};
static rig r;
static char url[128], out[128];
static tr_err err;

static void setup(void)
{
	rig_init(&r, url);
	snprintf(url, sizeof(url), "file:%s/out/", r.dir);
	snprintf(out, sizeof(out), "%s/out", r.dir);
	r.events.format = TR_FORMAT_AVRO;
}

static void teardown(void)
{
	rig_close(&r);
	umount(out);
	rig_release(&r);
}

/* A row {long} and, when key_value >= 0, a key {long}; value -1 = absent. */
static void add(tr_batch *batch, int topic, const tr_codec *codec, int64_t key_value, int64_t value)
{
	tr_writer v, k;

	tr_writer_init(&v, 64);
	tr_writer_init(&k, 64);
	if (codec && codec->schema_id) {
		tr_writer_u8(&v, 0);
		tr_writer_be32(&v, (uint32_t)codec->schema_id);
	}
	tr_writer_zigzag(&v, value);
	tr_record *record = rig_add_bytes(&r, batch, topic, NULL, value < 0 ? NULL : v.data, v.len);
	record->value_codec = value < 0 ? NULL : codec;
	if (key_value >= 0) {
		tr_writer_zigzag(&k, key_value);
		record->key_codec = &key;
		record->key_at = (uint32_t)batch->bytes.len;
		record->key_len = (uint32_t)k.len;
		tr_writer_put(&batch->bytes, k.data, k.len);
	}
	tr_writer_release(&v);
	tr_writer_release(&k);
}

static void send_rows(int from, int count)
{
	tr_batch *batch = rig_batch(&r);

	for (int i = 0; i < count; i++)
		add(batch, i % 2, &row, -1, from + i);
	ck_assert_msg(rig_send(&r, batch, &err) == 0, "%s: %s", err.text, err.detail);
}

static void settle(size_t count)
{
	uint64_t next = r.sequence - count + 1;

	ck_assert_msg(rig_collect(&r, count, 10000, &next, &err) == count, "%s: %s", err.text, err.detail);
}

static bool there(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", out, name);
	return access(path, F_OK) == 0;
}

static int visible_files(void)
{
	DIR *d = opendir(out);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

/* Names that begin with a dot and are neither . nor .. */
static int hidden_files(void)
{
	DIR *d = opendir(out);
	struct dirent *e;
	int n = 0;

	while (d && (e = readdir(d)) != NULL)
		n += e->d_name[0] == '.' && strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	if (d)
		closedir(d);
	return n;
}

/* avro-c reads the file; the values of its one long field, or of the path "value/n". */
static size_t read_avro(const char *name, int64_t *values, size_t max)
{
	char path[256];
	avro_file_reader_t reader;
	avro_value_t v, field;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/%s", out, name);
	ck_assert_msg(avro_file_reader(path, &reader) == 0, "%s: %s", path, avro_strerror());
	avro_schema_t schema = avro_file_reader_get_writer_schema(reader);
	avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
	avro_generic_value_new(iface, &v);
	while (avro_file_reader_read_value(reader, &v) == 0) {
		ck_assert_uint_lt(n, max);
		ck_assert(avro_value_get_by_index(&v, 0, &field, NULL) == 0);
		ck_assert(avro_value_get_long(&field, &values[n++]) == 0);
		avro_value_reset(&v);
	}
	avro_value_decref(&v);
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
	avro_file_reader_close(reader);
	return n;
}

static void expect_rows(const char *name, int64_t from, int64_t step, size_t count)
{
	static int64_t values[200000];

	ck_assert_uint_eq(read_avro(name, values, 200000), count);
	for (size_t i = 0; i < count; i++)
		ck_assert_int_eq(values[i], from + (int64_t)i * step);
}

static void containers(const char *codec)
{
	r.options.file_codec = codec;
	rig_open(&r);
	for (int b = 0; b < 10; b++)
		send_rows(b * 20000, 20000);
	settle(10);
	ck_assert_int_eq(visible_files(), 0);
	ck_assert_int_eq(r.sink->ops->flush(r.sink, &err), 0);
	ck_assert_int_eq(visible_files(), 2);
	ck_assert_int_eq(hidden_files(), 0);
	expect_rows("shop.public.orders-000001.avro", 0, 2, 100000);
	expect_rows("shop.public.items-000001.avro", 1, 2, 100000);
}

START_TEST(containers_plain)
{
	containers("null");
}
END_TEST

START_TEST(containers_deflated)
{
	containers("deflate");
}
END_TEST

START_TEST(strips_the_registry_frame)
{
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	for (int i = 0; i < 10; i++)
		add(batch, 0, &framed, -1, i);
	ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	settle(1);
	rig_close(&r);
	expect_rows("shop.public.orders-000001.avro", 0, 1, 10);
}
END_TEST

START_TEST(new_schema_new_file)
{
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	for (int i = 0; i < 30; i++)
		add(batch, 0, i < 10 || i >= 20 ? &row : &row2, -1, i);
	ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	settle(1);
	rig_close(&r);
	expect_rows("shop.public.orders-000001.avro", 0, 1, 10);
	expect_rows("shop.public.orders-000002.avro", 10, 1, 10);
	expect_rows("shop.public.orders-000003.avro", 20, 1, 10);
}
END_TEST

/* Envelope: what a tombstone says the delete before it has said. */
START_TEST(leaves_tombstones_out)
{
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	add(batch, 0, &row, 1, 5);
	add(batch, 0, NULL, 1, -1);
	add(batch, 0, &row, 1, 6);
	add(batch, 1, NULL, 1, -1);
	ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	settle(1);
	rig_close(&r);
	expect_rows("shop.public.orders-000001.avro", 5, 1, 2);
	ck_assert_int_eq(visible_files(), 1);
}
END_TEST

/* Flat: {key, value or null}; avro-c reads it, and the value of a delete is null. */
START_TEST(flat_shows_deletes)
{
	static const int64_t expected[] = {5, -1, 6};
	char path[256];
	avro_file_reader_t reader;
	avro_value_t v, k, field, value;
	size_t n = 0;

	r.events.envelope = TR_ENVELOPE_FLAT;
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	add(batch, 0, &row, 41, 5);
	add(batch, 0, NULL, 42, -1);
	add(batch, 0, &row, 43, 6);
	ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	settle(1);
	rig_close(&r);
	snprintf(path, sizeof(path), "%s/shop.public.orders-000001.avro", out);
	ck_assert_msg(avro_file_reader(path, &reader) == 0, "%s", avro_strerror());
	avro_schema_t schema = avro_file_reader_get_writer_schema(reader);
	avro_value_iface_t *iface = avro_generic_class_from_schema(schema);
	avro_generic_value_new(iface, &v);
	for (; avro_file_reader_read_value(reader, &v) == 0; n++) {
		int64_t key_value = 0, row_value = -1;
		int branch;
		avro_value_get_by_name(&v, "key", &k, NULL);
		avro_value_get_by_name(&k, "k", &field, NULL);
		avro_value_get_long(&field, &key_value);
		avro_value_get_by_name(&v, "value", &value, NULL);
		avro_value_get_discriminant(&value, &branch);
		if (branch == 1) {
			avro_value_get_current_branch(&value, &field);
			avro_value_get_by_name(&field, "id", &k, NULL);
			avro_value_get_long(&k, &row_value);
		}
		ck_assert_int_eq(key_value, 41 + (int64_t)n);
		ck_assert_int_eq(row_value, expected[n]);
		avro_value_reset(&v);
	}
	ck_assert_uint_eq(n, 3);
	avro_value_decref(&v);
	avro_value_iface_decref(iface);
	avro_schema_decref(schema);
	avro_file_reader_close(reader);
}
END_TEST

START_TEST(flat_delete_comes_first)
{
	r.events.envelope = TR_ENVELOPE_FLAT;
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	add(batch, 0, NULL, 42, -1);
	add(batch, 0, &row, 43, 6);
	ck_assert_int_eq(rig_send(&r, batch, &err), 0);
	settle(1);
	rig_close(&r);
	ck_assert(there("shop.public.orders-000001.avro") && there("shop.public.orders-000002.avro"));
}
END_TEST

START_TEST(rolls_by_size)
{
	r.options.roll_bytes = 100000;
	rig_open(&r);
	for (int b = 0; b < 10; b++)
		send_rows(b * 40000, 40000);
	settle(10);
	ck_assert_int_ge(visible_files(), 10);
	ck_assert(there("shop.public.orders-000005.avro"));
}
END_TEST

START_TEST(rolls_by_age)
{
	r.options.roll_ms = 300;
	rig_open(&r);
	send_rows(0, 10);
	settle(1);
	ck_assert_int_eq(visible_files(), 0);
	for (int i = 0; i < 100 && visible_files() < 2; i++) {
		ck_assert_int_eq(r.sink->ops->poll(r.sink, 0, &err), 0);
		tr_clock_sleep_ms(10);
	}
	expect_rows("shop.public.orders-000001.avro", 0, 2, 5);
	ck_assert_int_eq(hidden_files(), 0);
}
END_TEST

START_TEST(numbers_go_on)
{
	char path[256];

	ck_assert(mkdir(out, 0755) == 0);
	snprintf(path, sizeof(path), "%s/shop.public.orders-000041.avro", out);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	rig_open(&r);
	send_rows(0, 10);
	settle(1);
	rig_close(&r);
	ck_assert(there("shop.public.orders-000042.avro") && there("shop.public.items-000001.avro"));
}
END_TEST

/* More topics than descriptors: they take turns. */
START_TEST(many_topics)
{
	enum { TOPICS = 260 };
	static tr_topic topics[TOPICS];
	static char names[TOPICS][32];

	rig_open(&r);
	for (int round = 0; round < 2; round++) {
		tr_batch *batch = rig_batch(&r);
		for (int i = 0; i < TOPICS; i++) {
			snprintf(names[i], sizeof(names[i]), "shop.t%d", i);
			topics[i].magic = TR_TOPIC_MAGIC;
			topics[i].name = names[i];
			add(batch, 0, &row, -1, round);
			batch->records[batch->count - 1].topic = &topics[i];
		}
		ck_assert_int_eq(rig_send(&r, batch, &err), 0);
		settle(1);
	}
	rig_close(&r);
	ck_assert_int_eq(visible_files(), TOPICS);
	for (int i = 0; i < TOPICS; i++) {
		char name[64];
		snprintf(name, sizeof(name), "shop.t%d-000001.avro", i);
		expect_rows(name, 0, 1, 2);
	}
}
END_TEST

/* In a child that dies: batches 0..settled-1 settled, one more written and not settled. */
static void run_and_die(int settled)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		rig_open(&r);
		for (int b = 0; b < settled; b++) {
			send_rows(b * 100, 100);
			settle(1);
		}
		send_rows(settled * 100, 100);
		kill(getpid(), SIGKILL);
	}
	ck_assert(waitpid(child, &status, 0) == child);
	ck_assert(WIFSIGNALED(status));
}

/* What was settled becomes visible at the next start, cut exactly there; nothing before the first batch is touched. */
START_TEST(kill_keeps_what_was_settled)
{
	run_and_die(5);
	ck_assert_int_eq(visible_files(), 0);
	rig_open(&r); /* as `check` may, beside a running pipeline */
	ck_assert_int_eq(visible_files(), 0);
	send_rows(500, 100);
	ck_assert_int_eq(visible_files(), 2);
	expect_rows("shop.public.orders-000001.avro", 0, 2, 250);
	expect_rows("shop.public.items-000001.avro", 1, 2, 250);
	settle(1);
	rig_close(&r);
	expect_rows("shop.public.orders-000002.avro", 500, 2, 50);
	ck_assert_int_eq(hidden_files(), 0);
}
END_TEST

START_TEST(kill_before_anything_settled)
{
	run_and_die(0);
	ck_assert_int_eq(visible_files(), 0);
	rig_open(&r);
	send_rows(0, 100);
	settle(1);
	rig_close(&r);
	ck_assert_int_eq(visible_files(), 2);
	ck_assert_int_eq(hidden_files(), 0);
	expect_rows("shop.public.orders-000002.avro", 0, 2, 50);
}
END_TEST

START_TEST(failpoint_before_rename)
{
	setenv("TAILRACE_FAILPOINT", "file.rename=error:1", 1);
	tr_failpoint_setup();
	rig_open(&r);
	send_rows(0, 100);
	settle(1);
	ck_assert_int_eq(r.sink->ops->flush(r.sink, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_IO);
	rig_close(&r);
	rig_open(&r);
	ck_assert_int_eq(rig_send(&r, rig_batch(&r), &err), 0);
	expect_rows("shop.public.orders-000001.avro", 0, 2, 50);
	expect_rows("shop.public.items-000001.avro", 1, 2, 50);
}
END_TEST

/* Not even at the end of the run: the next start publishes it. */
START_TEST(failpoint_before_every_rename)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		setenv("TAILRACE_FAILPOINT", "file.rename=error", 1);
		tr_failpoint_setup();
		rig_open(&r);
		send_rows(0, 100);
		settle(1);
		rig_close(&r);
		_exit(0);
	}
	ck_assert(waitpid(child, &status, 0) == child && status == 0);
	ck_assert_int_eq(visible_files(), 0);
	rig_open(&r);
	ck_assert_int_eq(rig_send(&r, rig_batch(&r), &err), 0);
	expect_rows("shop.public.orders-000001.avro", 0, 2, 50);
	expect_rows("shop.public.items-000001.avro", 1, 2, 50);
}
END_TEST

START_TEST(damaged_journal_is_refused)
{
	char path[256];

	run_and_die(3);
	snprintf(path, sizeof(path), "%s/.shop.parts", out);
	FILE *f = fopen(path, "w");
	fprintf(f, "12 shop.public.orders-000001.avro\n");
	fclose(f);
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	ck_assert_int_eq(rig_send(&r, batch, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_IO);
	ck_assert(strstr(err.text, ".shop.parts") && err.hint[0]);
}
END_TEST

START_TEST(refuses_names_that_leave_the_directory)
{
	static const char *const names[] = {"../x", ".x", "a/b", ""};

	rig_open(&r);
	for (size_t i = 0; i < 4; i++) {
		rig_close(&r);
		rig_open(&r);
		r.topics[0].name = names[i];
		tr_batch *batch = rig_batch(&r);
		add(batch, 0, &row, -1, 1);
		ck_assert_int_eq(rig_send(&r, batch, &err), -1);
		ck_assert_int_eq(err.code, TR_E_SINK_TOPIC);
	}
}
END_TEST

START_TEST(refuses_options)
{
	tr_sink *s;

	r.options.file_codec = "snappy";
	ck_assert_int_eq(tr_sink_file.open(&s, &r.options, NULL, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_CONFIG);
	r.options.file_codec = NULL;
	r.options.url = "file:";
	ck_assert_int_eq(tr_sink_file.open(&s, &r.options, NULL, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_CONFIG);
}
END_TEST

START_TEST(not_a_directory)
{
	int fd = open(out, O_CREAT | O_WRONLY, 0600);

	close(fd);
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	ck_assert_int_eq(rig_send(&r, batch, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_IO);
	ck_assert(strstr(err.text, out) && err.hint[0]);
	unlink(out);
}
END_TEST

/* Needs the right to mount; without it there is nothing to fill. */
START_TEST(disk_full)
{
	static int64_t values[200000];
	int b = 0;

	ck_assert(mkdir(out, 0755) == 0);
	if (mount("none", out, "tmpfs", 0, "size=512k") != 0)
		return;
	rig_open(&r);
	for (; b < 1000; b++) {
		uint64_t next = r.sequence + 1;
		tr_batch *batch = rig_batch(&r);
		for (int i = 0; i < 5000; i++)
			add(batch, 0, &row, -1, b * 5000 + i);
		if (rig_send(&r, batch, &err) != 0 || rig_collect(&r, 1, 10000, &next, &err) != 1)
			break;
	}
	ck_assert_msg(err.code == TR_E_SINK_IO, "%s: %s", err.text, err.detail);
	ck_assert(strstr(err.text, out) && err.detail[0] && err.hint[0]);
	rig_close(&r);
	/* Everything settled is there, whole. */
	size_t n = 0;
	if (there("shop.public.orders-000001.avro"))
		n = read_avro("shop.public.orders-000001.avro", values, 200000);
	ck_assert_uint_ge(n, (size_t)b * 5000);
	ck_assert_int_gt(b, 2);
}
END_TEST

START_TEST(read_only)
{
	ck_assert(mkdir(out, 0755) == 0);
	if (mount("none", out, "tmpfs", MS_RDONLY, "size=512k") != 0)
		return;
	rig_open(&r);
	tr_batch *batch = rig_batch(&r);
	add(batch, 0, &row, -1, 1);
	ck_assert_int_eq(rig_send(&r, batch, &err), -1);
	ck_assert_int_eq(err.code, TR_E_SINK_IO);
	ck_assert(strstr(err.text, out) && err.hint[0]);
}
END_TEST

int main(void)
{
	const TTest *const each[] = {containers_plain, containers_deflated, strips_the_registry_frame, new_schema_new_file,
	    leaves_tombstones_out, flat_shows_deletes, flat_delete_comes_first, rolls_by_size, rolls_by_age, numbers_go_on, many_topics,
	    kill_keeps_what_was_settled, kill_before_anything_settled, failpoint_before_rename, failpoint_before_every_rename, damaged_journal_is_refused,
	    refuses_names_that_leave_the_directory, refuses_options, not_a_directory, disk_full, read_only};
	Suite *suite = suite_create("file sink");
	TCase *cases = tcase_create("file sink");

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
