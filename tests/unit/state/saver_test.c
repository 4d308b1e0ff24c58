#include <pthread.h>
#include <stdio.h>

#include "core/clock.h"
#include "state/saver.h"
#include "tests/unit/test.h"

/* A store whose disk answers when the test lets it. */
typedef struct slow_store {
	tr_store base;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int allowed, fail;
	uint64_t saved;
	char position[64];
} slow_store;

static int slow_save(tr_store *base, const tr_record_state *record, tr_err *err)
{
	slow_store *s = (slow_store *)(void *)base;

	pthread_mutex_lock(&s->lock);
	while (s->allowed == 0)
		pthread_cond_wait(&s->changed, &s->lock);
	s->allowed--;
	s->saved = record->sequence;
	snprintf(s->position, sizeof(s->position), "%.*s", (int)record->position.len, (const char *)record->position.data);
	pthread_mutex_unlock(&s->lock);
	return s->fail ? tr_err_set(err, TR_E_STATE_IO, "no space") : 0;
}

static const tr_store_ops slow_ops = {.kind = "slow", .save = slow_save};

static void allow(slow_store *s)
{
	pthread_mutex_lock(&s->lock);
	s->allowed++;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

typedef struct fixture {
	slow_store store;
	tr_record_state record;
	tr_saver *saver;
	tr_err err;
} fixture;

static void set_up(fixture *f)
{
	*f = (fixture){.store = {.base = {.magic = TR_STORE_MAGIC, .ops = &slow_ops}, .lock = PTHREAD_MUTEX_INITIALIZER,
				 .changed = PTHREAD_COND_INITIALIZER}};
	tr_record_state_init(&f->record);
	tr_writer_text(&f->record.position, "{\"lsn\":\"0/1\"}");
	f->record.sequence = 7;
	ck_assert_int_eq(tr_saver_new(&f->saver, &f->store.base, &f->err), 0);
}

static void tear_down(fixture *f)
{
	tr_saver_free(f->saver);
	tr_record_state_release(&f->record);
}

START_TEST(a_save_holds_up_nothing)
{
	fixture f;

	set_up(&f);
	ck_assert_int_eq(tr_saver_begin(f.saver, &f.record, &f.err), 0);
	ck_assert_int_eq(tr_saver_end(f.saver, false, &f.err), 0);
	/* What the caller does meanwhile to its record is not what is saved. */
	f.record.sequence = 8;
	tr_writer_reset(&f.record.position);
	tr_writer_text(&f.record.position, "{\"lsn\":\"0/2\"}");
	ck_assert_int_eq(tr_saver_end(f.saver, false, &f.err), 0);
	allow(&f.store);
	ck_assert_int_eq(tr_saver_end(f.saver, true, &f.err), 1);
	ck_assert_uint_eq(f.store.saved, 7);
	ck_assert_str_eq(f.store.position, "{\"lsn\":\"0/1\"}");
	ck_assert_uint_eq(tr_saver_record(f.saver)->sequence, 7);
	allow(&f.store);
	ck_assert_int_eq(tr_saver_begin(f.saver, &f.record, &f.err), 0);
	ck_assert_int_eq(tr_saver_end(f.saver, true, &f.err), 1);
	ck_assert_str_eq(f.store.position, "{\"lsn\":\"0/2\"}");
	tear_down(&f);
}
END_TEST

START_TEST(a_failure_is_told_at_the_end)
{
	fixture f;

	set_up(&f);
	f.store.fail = 1;
	allow(&f.store);
	ck_assert_int_eq(tr_saver_begin(f.saver, &f.record, &f.err), 0);
	ck_assert_int_eq(tr_saver_end(f.saver, true, &f.err), -1);
	ck_assert_int_eq(f.err.code, TR_E_STATE_IO);
	f.store.fail = 0;
	allow(&f.store);
	ck_assert_int_eq(tr_saver_begin(f.saver, &f.record, &f.err), 0);
	ck_assert_int_eq(tr_saver_end(f.saver, true, &f.err), 1);
	tear_down(&f);
}
END_TEST

static void *allow_later(void *store)
{
	tr_clock_sleep_ms(50);
	allow(store);
	return NULL;
}

START_TEST(the_end_waits_for_a_save_under_way)
{
	fixture f;
	pthread_t thread;

	set_up(&f);
	ck_assert_int_eq(tr_saver_begin(f.saver, &f.record, &f.err), 0);
	ck_assert_int_eq(pthread_create(&thread, NULL, allow_later, &f.store), 0);
	tear_down(&f);
	ck_assert_uint_eq(f.store.saved, 7);
	pthread_join(thread, NULL);
}
END_TEST

TEST_MAIN("state.saver", a_save_holds_up_nothing, a_failure_is_told_at_the_end, the_end_waits_for_a_save_under_way)
