/*
 * A store in Kafka with a copy of its record in a directory: what state.url: file:DIR means when the record travels in the
 * transactions of the sink. Kafka is the authority; the copy serves readers that cannot or need not ask Kafka, and is the
 * proof that there was a record, should the topic be lost.
 *
 * Kept in this order, the copy never leads: records are written to Kafka first, removed from the copy first. It may lag by one
 * save. It is ahead only when it was the authority meanwhile (delivery at_least_once); then it is the one to go on from. What
 * was done to it then may have a lower count of saves (a reset, an import) and tells by its time, which only grows.
 */
#include <stdlib.h>

#include "core/obj.h"
#include "state/internal.h"

typedef struct store {
	tr_store base;
	tr_store *kafka; /* NULL: only the copy is asked */
	tr_store *copy;
	const char *pipeline, *url;
} store;

static store *self(tr_store *s)
{
	TR_CHECK_OBJ(s, TR_STORE_MAGIC);
	return (store *)(void *)s;
}

static int open_store(tr_store **out, const tr_store_options *options, tr_err *err)
{
	store *s = calloc(1, sizeof(*s));
	tr_store_options kafka = *options;

	*out = NULL;
	if (!s)
		return tr_err_set(err, TR_E_MEMORY, "the store could not be made");
	s->base = (tr_store){.magic = TR_STORE_MAGIC, .ops = &tr_store_with_copy};
	s->pipeline = options->pipeline;
	s->url = options->url;
	kafka.url = "kafka";
	if (tr_store_find(options->url, NULL)->open(&s->copy, options, err) != 0)
		goto fail;
	if (!(options->read_only && options->copy_suffices) && tr_store_find(kafka.url, NULL)->open(&s->kafka, &kafka, err) != 0)
		goto fail;
	*out = &s->base;
	return 0;
fail:
	s->base.ops->free(&s->base);
	return -1;
}

static int records_lost(const store *s, uint64_t there, uint64_t here, tr_err *err)
{
	tr_err_set(err, TR_E_STATE_CORRUPT, "the state in Kafka has lost records of pipeline \"%s\"", s->pipeline);
	tr_err_detail(err, "it ends at save %llu, the copy in \"%s\" at %llu", (unsigned long long)there, s->url,
		      (unsigned long long)here);
	return tr_err_hint(err, "Nothing was read or written. If the topics with the events are whole, save the copy by `tailrace offsets "
				"export > FILE` and put it back by `tailrace offsets import FILE --force`. If they are gone, too: "
				"`tailrace offsets reset`, then run, with a new snapshot.");
}

/* Written, or reset, behind Kafka's record while Kafka was not asked. */
static bool is_later(const tr_record_state *copy, int copied, const tr_record_state *record)
{
	return copy->saved_at_ms > record->saved_at_ms && (copied == 0 || copy->delivery == TR_STATE_AT_LEAST_ONCE);
}

/* The count goes on above both, so that both take the next save. */
static void take_copy(tr_record_state *copy, tr_record_state *record)
{
	tr_record_state older = *record;

	*record = *copy;
	*copy = older;
	if (record->sequence < older.sequence)
		record->sequence = older.sequence;
}

static int load(tr_store *base, tr_record_state *record, tr_err *err)
{
	store *s = self(base);
	tr_record_state copy;
	int found, copied, result;

	if (!s->kafka)
		return s->copy->ops->load(s->copy, record, err);
	found = result = s->kafka->ops->load(s->kafka, record, err);
	tr_record_state_init(&copy);
	copied = found < 0 ? 0 : s->copy->ops->load(s->copy, &copy, err);
	if (copied < 0) {
		result = -1;
	} else if (copied == 1 && (found == 0 || copy.sequence > record->sequence)) {
		if (copy.delivery == TR_STATE_EXACTLY_ONCE) {
			result = records_lost(s, found == 1 ? record->sequence : 0, copy.sequence, err);
		} else {
			take_copy(&copy, record);
			result = 1;
		}
	} else if (found == 1 && is_later(&copy, copied, record)) {
		take_copy(&copy, record);
		result = copied;
	}
	/* The next save is behind the reset. */
	if (result == 0 && record->saved_at_ms < copy.saved_at_ms)
		record->saved_at_ms = copy.saved_at_ms;
	tr_record_state_release(&copy);
	return result;
}

static int save(tr_store *base, const tr_record_state *record, tr_err *err)
{
	store *s = self(base);

	return s->kafka->ops->save(s->kafka, record, err) != 0 ? -1 : s->copy->ops->save(s->copy, record, err);
}

static int entry(tr_store *base, const tr_record_state *record, tr_store_entry *out, tr_err *err)
{
	store *s = self(base);

	return s->kafka->ops->entry(s->kafka, record, out, err);
}

static int committed(tr_store *base, const tr_record_state *record, tr_err *err)
{
	store *s = self(base);

	return s->copy->ops->save(s->copy, record, err);
}

static int reset(tr_store *base, char *backup, size_t backup_size, tr_err *err)
{
	store *s = self(base);
	char other[4096] = "";

	if (s->copy->ops->reset(s->copy, backup, backup_size, err) != 0)
		return -1;
	/* One name is told; both files are kept. */
	return s->kafka->ops->reset(s->kafka, backup_size > 0 && backup[0] ? other : backup,
				    backup_size > 0 && backup[0] ? sizeof(other) : backup_size, err);
}

static int list(tr_store *base, void (*each)(void *context, const char *pipeline, const tr_record_state *record), void *context,
		tr_err *err)
{
	store *s = self(base);
	tr_store *of = s->kafka ? s->kafka : s->copy;

	return of->ops->list(of, each, context, err);
}

static void free_store(tr_store *base)
{
	if (!base)
		return;
	store *s = self(base);
	if (s->kafka)
		s->kafka->ops->free(s->kafka);
	if (s->copy)
		s->copy->ops->free(s->copy);
	s->base.magic = 0;
	free(s);
}

const tr_store_ops tr_store_with_copy = {
    .kind = "kafka with a copy",
    .schemes = "",
    .open = open_store,
    .load = load,
    .save = save,
    .entry = entry,
    .committed = committed,
    .reset = reset,
    .list = list,
    .free = free_store,
};
