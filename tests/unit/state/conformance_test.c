/* The contract of state/store.h, run for every row of stores.def. The one in Kafka needs a broker (TR_TEST_KAFKA). */
#include <stdio.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/store.h"
#include "tests/unit/state/topic.h"
#include "tests/unit/test.h"

typedef struct rig {
	const tr_store_ops *ops;
	bool kafka;
	char dir[64], url[256], topic[128];
	tr_record_state record;
	tr_err err;
} rig;

static void begin(rig *r, int i)
{
	*r = (rig){.ops = tr_store_at((size_t)i)};
	r->kafka = strcmp(r->ops->kind, "kafka") == 0;
	snprintf(r->dir, sizeof(r->dir), "/tmp/tr-state-XXXXXX");
	ck_assert(mkdtemp(r->dir) != NULL);
	if (r->kafka) {
		topic_name(r->topic, sizeof(r->topic));
		snprintf(r->url, sizeof(r->url), "kafka://%s/%s", getenv("TR_TEST_KAFKA"), r->topic);
	} else {
		snprintf(r->url, sizeof(r->url), "%s:%s/a/b", r->ops->schemes, r->dir);
	}
	tr_record_state_init(&r->record);
}

static void end(rig *r)
{
	char command[128];

	if (r->kafka)
		topic_delete(getenv("TR_TEST_KAFKA"), r->topic);
	tr_record_state_release(&r->record);
	snprintf(command, sizeof(command), "rm -rf '%s'", r->dir);
	ck_assert(system(command) == 0);
}

static int try_open(rig *r, tr_store **out, const char *pipeline, bool read_only)
{
	tr_store_options options = {.url = r->url, .pipeline = pipeline, .read_only = read_only, .copies = r->dir};

	return r->ops->open(out, &options, &r->err);
}

static tr_store *open_store(rig *r, const char *pipeline, bool read_only)
{
	tr_store *s = NULL;

	ck_assert_msg(try_open(r, &s, pipeline, read_only) == 0, "%s: %s", r->err.text, r->err.detail);
	return s;
}

static void fill(tr_record_state *r, uint64_t sequence, const char *lsn)
{
	tr_writer_reset(&r->identity);
	tr_writer_text(&r->identity, "{\"system\":\"7412\",\"database\":\"shop\"}");
	tr_writer_reset(&r->position);
	tr_writer_format(&r->position, "{\"lsn\":\"%s\",\"index\":3}", lsn);
	tr_writer_reset(&r->tables);
	tr_writer_text(&r->tables, "{\"public.orders\":{\"rows\":10,\"done\":true}}");
	r->snapshot = TR_SNAPSHOT_RUNNING;
	r->delivery = sequence % 2 ? TR_STATE_AT_LEAST_ONCE : TR_STATE_EXACTLY_ONCE;
	r->sequence = sequence;
	r->saved_at_ms = 1700000000000;
}

static void save(rig *r, tr_store *s, uint64_t sequence, const char *lsn)
{
	fill(&r->record, sequence, lsn);
	ck_assert_msg(r->ops->save(s, &r->record, &r->err) == 0, "%s: %s", r->err.text, r->err.detail);
}

static void expect_text(const tr_writer *w, const char *text)
{
	ck_assert_msg(tr_slice_eq(tr_writer_view(w), tr_slice_str(text)), "%.*s is not %s", (int)w->len, (const char *)w->data, text);
}

START_TEST(keeps_a_record)
{
	rig r;
	tr_store *s;

	begin(&r, _i);
	s = open_store(&r, "shop", false);
	ck_assert_int_eq(r.ops->load(s, &r.record, &r.err), 0);
	save(&r, s, 1, "0/1");
	save(&r, s, 2, "0/2A");
	r.ops->free(s);
	tr_record_state_release(&r.record);
	tr_record_state_init(&r.record);
	s = open_store(&r, "shop", false);
	ck_assert_int_eq(r.ops->load(s, &r.record, &r.err), 1);
	ck_assert_uint_eq(r.record.sequence, 2);
	ck_assert_int_eq(r.record.saved_at_ms, 1700000000000);
	ck_assert_int_eq(r.record.snapshot, TR_SNAPSHOT_RUNNING);
	ck_assert_int_eq(r.record.delivery, TR_STATE_EXACTLY_ONCE);
	expect_text(&r.record.identity, "{\"system\":\"7412\",\"database\":\"shop\"}");
	expect_text(&r.record.position, "{\"lsn\":\"0/2A\",\"index\":3}");
	expect_text(&r.record.tables, "{\"public.orders\":{\"rows\":10,\"done\":true}}");
	r.ops->free(s);
	end(&r);
}
END_TEST

START_TEST(keeps_empty_members_empty)
{
	rig r;
	tr_store *s;

	begin(&r, _i);
	s = open_store(&r, "shop", false);
	r.record.sequence = 1;
	ck_assert_int_eq(r.ops->save(s, &r.record, &r.err), 0);
	fill(&r.record, 9, "0/9");
	ck_assert_int_eq(r.ops->load(s, &r.record, &r.err), 1);
	ck_assert_uint_eq(r.record.identity.len + r.record.position.len + r.record.tables.len, 0);
	ck_assert_int_eq(r.record.snapshot, TR_SNAPSHOT_NONE);
	r.ops->free(s);
	end(&r);
}
END_TEST

START_TEST(refuses_to_go_back)
{
	rig r;
	tr_store *s;

	begin(&r, _i);
	s = open_store(&r, "shop", false);
	save(&r, s, 5, "0/5");
	fill(&r.record, 5, "0/4");
	ck_assert_int_eq(r.ops->save(s, &r.record, &r.err), -1);
	ck_assert_int_eq(r.err.code, TR_E_STATE_BACKWARDS);
	fill(&r.record, 4, "0/4");
	ck_assert_int_eq(r.ops->save(s, &r.record, &r.err), -1);
	ck_assert_int_eq(r.ops->load(s, &r.record, &r.err), 1);
	expect_text(&r.record.position, "{\"lsn\":\"0/5\",\"index\":3}");
	save(&r, s, 6, "0/6");
	r.ops->free(s);
	end(&r);
}
END_TEST

START_TEST(refuses_what_could_not_be_read_back)
{
	rig r;
	tr_store *s;

	begin(&r, _i);
	s = open_store(&r, "shop", false);
	save(&r, s, 1, "0/1");
	fill(&r.record, 2, "0/2");
	tr_writer_reset(&r.record.position);
	tr_writer_text(&r.record.position, "{\"lsn\":");
	ck_assert_int_eq(r.ops->save(s, &r.record, &r.err), -1);
	ck_assert_int_eq(r.err.code, TR_E_BUG);
	ck_assert_int_eq(r.ops->load(s, &r.record, &r.err), 1);
	ck_assert_uint_eq(r.record.sequence, 1);
	r.ops->free(s);
	end(&r);
}
END_TEST

static void second_is_refused(rig *r)
{
	tr_store *other;
	char pid[32];

	ck_assert_int_eq(try_open(r, &other, "shop", false), -1);
	ck_assert_int_eq(r->err.code, TR_E_STATE_BUSY);
	snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
	ck_assert_msg(strstr(r->err.text, pid) != NULL, "%s", r->err.text);
	ck_assert(other == NULL && r->err.hint[0]);
}

START_TEST(one_process_a_pipeline)
{
	rig r;
	tr_store *s, *other;

	begin(&r, _i);
	s = open_store(&r, "shop", false);
	if (!r.ops->entry)
		second_is_refused(&r);
	/* Another pipeline in the same place, and readers, are welcome. */
	other = open_store(&r, "stock", false);
	save(&r, other, 1, "0/1");
	save(&r, s, 1, "0/1");
	r.ops->free(other);
	other = open_store(&r, "shop", true);
	ck_assert_int_eq(r.ops->load(other, &r.record, &r.err), 1);
	r.ops->free(other);
	save(&r, s, 2, "0/2");
	r.ops->free(s);
	s = open_store(&r, "shop", false);
	r.ops->free(s);
	end(&r);
}
END_TEST

/* Where nobody can be asked who has the lock, the newer one gets it: the older one can write nothing more, for good. */
START_TEST(newer_writer_fences_the_older)
{
	rig r;
	tr_store *s, *newer;

	if (!tr_store_at((size_t)_i)->entry)
		return;
	begin(&r, _i);
	s = open_store(&r, "shop", false);
	save(&r, s, 1, "0/1");
	newer = open_store(&r, "shop", false);
	for (int i = 0; i < 2; i++) {
		fill(&r.record, 2, "0/BAD");
		ck_assert_int_eq(r.ops->save(s, &r.record, &r.err), -1);
		ck_assert_msg(r.err.code == TR_E_SINK_FENCED, "%s: %s", r.err.text, r.err.detail);
		ck_assert(r.err.hint[0]);
	}
	ck_assert_int_eq(r.ops->load(newer, &r.record, &r.err), 1);
	expect_text(&r.record.position, "{\"lsn\":\"0/1\",\"index\":3}");
	save(&r, newer, 2, "0/2");
	r.ops->free(s);
	save(&r, newer, 3, "0/3");
	r.ops->free(newer);
	end(&r);
}
END_TEST

/* kill -9 in the middle: what save returned for is there, and the lock is free. */
START_TEST(survives_a_kill)
{
	rig r;
	tr_store *s;
	int told[2], status;
	uint64_t last = 0, n;

	begin(&r, _i);
	ck_assert(pipe(told) == 0);
	pid_t child = fork();
	if (child == 0) {
		s = open_store(&r, "shop", false);
		for (n = 1;; n++) {
			save(&r, s, n, "0/1");
			if (write(told[1], &n, sizeof(n)) != sizeof(n))
				_exit(1);
		}
	}
	close(told[1]);
	while (last < 40 && read(told[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	kill(child, SIGKILL);
	ck_assert(waitpid(child, &status, 0) == child);
	while (read(told[0], &n, sizeof(n)) == sizeof(n))
		last = n;
	close(told[0]);
	s = open_store(&r, "shop", false);
	ck_assert_msg(r.ops->load(s, &r.record, &r.err) == 1, "%s: %s", r.err.text, r.err.detail);
	ck_assert_uint_ge(last, 40);
	ck_assert_uint_ge(r.record.sequence, last);
	ck_assert_uint_le(r.record.sequence, last + 1);
	r.ops->free(s);
	end(&r);
}
END_TEST

START_TEST(reading_makes_nothing)
{
	rig r;
	tr_store *s;
	char path[128];

	begin(&r, _i);
	s = open_store(&r, "shop", true);
	ck_assert_int_eq(r.ops->load(s, &r.record, &r.err), 0);
	fill(&r.record, 1, "0/1");
	ck_assert_int_eq(r.ops->save(s, &r.record, &r.err), -1);
	ck_assert_int_eq(r.ops->reset(s, path, sizeof(path), &r.err), -1);
	r.ops->free(s);
	snprintf(path, sizeof(path), "%s/a", r.dir);
	ck_assert_int_ne(access(path, F_OK), 0);
	end(&r);
}
END_TEST

START_TEST(reset_keeps_a_copy)
{
	rig r;
	tr_store *s;
	char backup[512] = "x", text[1024] = "";

	begin(&r, _i);
	s = open_store(&r, "shop", false);
	ck_assert_int_eq(r.ops->reset(s, backup, sizeof(backup), &r.err), 0);
	ck_assert_str_eq(backup, "");
	save(&r, s, 7, "0/7");
	ck_assert_int_eq(r.ops->reset(s, backup, sizeof(backup), &r.err), 0);
	FILE *in = fopen(backup, "r");
	ck_assert(in != NULL);
	size_t n = fread(text, 1, sizeof(text) - 1, in);
	fclose(in);
	fill(&r.record, 1, "0/1");
	ck_assert_int_eq(tr_record_state_decode(&r.record, tr_slice_of(text, n), &r.err), 0);
	ck_assert_uint_eq(r.record.sequence, 7);
	ck_assert_int_eq(r.ops->load(s, &r.record, &r.err), 0);
	/* Nothing is there: nothing to copy a second time. */
	ck_assert_int_eq(r.ops->reset(s, backup, sizeof(backup), &r.err), 0);
	ck_assert_str_eq(backup, "");
	r.ops->free(s);
	s = open_store(&r, "shop", false);
	tr_record_state_release(&r.record);
	tr_record_state_init(&r.record);
	ck_assert_int_eq(r.ops->load(s, &r.record, &r.err), 0);
	ck_assert(r.record.sequence == 0 && !r.record.reset && r.record.position.len == 0);
	save(&r, s, 1, "0/8");
	ck_assert_int_eq(r.ops->load(s, &r.record, &r.err), 1);
	expect_text(&r.record.position, "{\"lsn\":\"0/8\",\"index\":3}");
	r.ops->free(s);
	end(&r);
}
END_TEST

static void note(void *context, const char *pipeline, const tr_record_state *record)
{
	char *out = context;
	size_t len = strlen(out);

	snprintf(out + len, 128 - len, "%s=%llu ", pipeline, (unsigned long long)record->sequence);
}

START_TEST(lists_all_pipelines)
{
	rig r;
	tr_store *a, *b, *c, *reader;
	char out[128] = "", backup[512];

	begin(&r, _i);
	a = open_store(&r, "shop", false);
	b = open_store(&r, "a name/with: all", false);
	save(&r, a, 3, "0/3");
	save(&r, b, 4, "0/4");
	c = open_store(&r, "gone", false);
	save(&r, c, 9, "0/9");
	ck_assert_int_eq(r.ops->reset(c, backup, sizeof(backup), &r.err), 0);
	r.ops->free(c);
	reader = open_store(&r, NULL, true);
	ck_assert_int_eq(r.ops->list(reader, note, out, &r.err), 0);
	ck_assert_str_eq(out, "a name/with: all=4 shop=3 ");
	r.ops->free(reader);
	r.ops->free(b);
	r.ops->free(a);
	r.ops->free(NULL);
	end(&r);
}
END_TEST

START_TEST(finds_by_scheme)
{
	const char *known = NULL;

	ck_assert_str_eq(tr_store_find("file:/x", &known)->kind, "sqlite");
	ck_assert(tr_store_find("fil:/x", NULL) == NULL);
	ck_assert_str_eq(known, "file kafka");
	ck_assert_str_eq(tr_store_find("kafka", NULL)->kind, "kafka");
	ck_assert_str_eq(tr_store_find("kafka:topic", NULL)->kind, "kafka");
	ck_assert_str_eq(tr_store_find("kafka://h:1/topic", NULL)->kind, "kafka");
}
END_TEST

int main(void)
{
	const TTest *const each[] = {keeps_a_record, keeps_empty_members_empty, refuses_to_go_back,
	    refuses_what_could_not_be_read_back, one_process_a_pipeline, newer_writer_fences_the_older, survives_a_kill, reading_makes_nothing, reset_keeps_a_copy,
	    lists_all_pipelines};
	Suite *suite = suite_create("stores");
	TCase *cases = tcase_create("conformance");
	int rows = 0, failed;

	while (tr_store_at((size_t)rows) && (getenv("TR_TEST_KAFKA") || strcmp(tr_store_at((size_t)rows)->kind, "kafka") != 0))
		rows++;
	tcase_set_timeout(cases, 60);
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		tcase_add_loop_test(cases, each[i], 0, rows);
	tcase_add_test(cases, finds_by_scheme);
	suite_add_tcase(suite, cases);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
