#include "state/saver.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/obj.h"

struct tr_saver {
	tr_store *store;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows; the record is the thread's from BEGUN to DONE */
	pthread_cond_t changed;
	enum { NONE, BEGUN, DONE, LEAVING } step;
	int result;
	tr_err error;
	tr_record_state record;
};

static void *work(void *saver)
{
	tr_saver *s = saver;

	pthread_mutex_lock(&s->lock);
	for (;;) {
		while (s->step != BEGUN && s->step != LEAVING)
			pthread_cond_wait(&s->changed, &s->lock);
		if (s->step == LEAVING)
			break;
		pthread_mutex_unlock(&s->lock);
		tr_err error = {0};
		int result = s->store->ops->save(s->store, &s->record, &error);
		pthread_mutex_lock(&s->lock);
		s->result = result;
		s->error = error;
		s->step = DONE;
		pthread_cond_broadcast(&s->changed);
	}
	pthread_mutex_unlock(&s->lock);
	return NULL;
}

static void release(tr_saver *s)
{
	tr_record_state_release(&s->record);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

int tr_saver_new(tr_saver **out, tr_store *store, tr_err *err)
{
	tr_saver *s = calloc(1, sizeof(*s));

	*out = NULL;
	if (!s)
		return tr_err_set(err, TR_E_MEMORY, "out of memory");
	s->store = store;
	tr_record_state_init(&s->record);
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	if (pthread_create(&s->thread, NULL, work, s) != 0) {
		release(s);
		return tr_err_set(err, TR_E_SYSTEM, "the thread that saves the state could not be started");
	}
	*out = s;
	return 0;
}

static void step(tr_saver *s, int to)
{
	pthread_mutex_lock(&s->lock);
	s->step = to;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

int tr_saver_begin(tr_saver *s, const tr_record_state *record, tr_err *err)
{
	TR_ASSERT(s->step == NONE);
	if (tr_record_state_copy(&s->record, record, err) != 0)
		return -1;
	step(s, BEGUN);
	return 0;
}

int tr_saver_end(tr_saver *s, bool wait, tr_err *err)
{
	int result = 0;

	pthread_mutex_lock(&s->lock);
	TR_ASSERT(s->step != NONE);
	while (wait && s->step != DONE)
		pthread_cond_wait(&s->changed, &s->lock);
	if (s->step == DONE) {
		result = s->result == 0 ? 1 : -1;
		if (result < 0 && err)
			*err = s->error;
		s->step = NONE;
	}
	pthread_mutex_unlock(&s->lock);
	return result;
}

const tr_record_state *tr_saver_record(const tr_saver *s)
{
	return &s->record;
}

void tr_saver_free(tr_saver *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	while (s->step == BEGUN)
		pthread_cond_wait(&s->changed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	step(s, LEAVING);
	pthread_join(s->thread, NULL);
	release(s);
}
