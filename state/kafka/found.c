/* What the topic holds, as one reading of it found it. */
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"
#include "state/kafka/kafka.h"

#define WAY_OUT                                                                                                     \
	"Nothing was changed. See where the source and the topics stand, then give the position: `tailrace offsets import` " \
	"of an export or a kept copy, `tailrace offsets set`, or `tailrace offsets reset` to start anew."

void tr_sk_key_free(void *object)
{
	tr_sk_key *key = object;

	if (!key)
		return;
	for (size_t i = 0; i < key->count; i++)
		tr_writer_release(&key->places[i].value);
	free(key->places);
	free(key->name);
	free(key);
}

void tr_sk_found_release(tr_sk_found *f)
{
	tr_map_free(f->keys, tr_sk_key_free);
	*f = (tr_sk_found){0};
}

static int no_memory(tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "the state topic could not be read");
}

static tr_sk_key *key_of(tr_sk_found *f, tr_slice name, tr_err *err)
{
	tr_sk_key *key = tr_map_get(f->keys, name);

	if (key)
		return key;
	if (tr_map_count(f->keys) >= TR_SK_KEYS_MAX) {
		tr_err_set(err, TR_E_STATE_CORRUPT, "the state topic has more than %d keys", TR_SK_KEYS_MAX);
		tr_err_hint(err, "It seems to belong to another application: give another topic in state.url.");
		return NULL;
	}
	key = calloc(1, sizeof(*key));
	if (key)
		key->name = tr_text_copy(name);
	if (!key || !key->name) {
		tr_sk_key_free(key);
		no_memory(err);
		return NULL;
	}
	tr_map_put(f->keys, name, key);
	return key;
}

static tr_sk_place *place_of(tr_sk_key *key, int32_t partition, tr_err *err)
{
	for (size_t i = 0; i < key->count; i++)
		if (key->places[i].partition == partition)
			return &key->places[i];
	tr_sk_place *more = realloc(key->places, (key->count + 1) * sizeof(*more));
	if (!more) {
		no_memory(err);
		return NULL;
	}
	key->places = more;
	more[key->count] = (tr_sk_place){.partition = partition, .kind = TR_SK_TOMBSTONE};
	tr_writer_init(&more[key->count].value, TR_SK_VALUE_MAX);
	return &more[key->count++];
}

static tr_sk_kind kind_of(tr_slice key, const rd_kafka_message_t *m, tr_slice value, uint64_t *serial, tr_slice *record)
{
	static const tr_sk_kind kinds[] = {[TR_STATE_FRAME_OK] = TR_SK_RECORD, [TR_STATE_FRAME_FOREIGN] = TR_SK_FOREIGN,
	    [TR_STATE_FRAME_NEWER] = TR_SK_NEWER, [TR_STATE_FRAME_DAMAGED] = TR_SK_DAMAGED};

	return m->payload ? kinds[tr_state_frame_get(key, value, serial, record)] : TR_SK_TOMBSTONE;
}

static int keep(tr_sk_place *p, tr_slice key, const rd_kafka_message_t *m, tr_err *err)
{
	uint64_t serial = p->serial;

	tr_writer_reset(&p->value);
	tr_writer_put(&p->value, m->payload, m->payload ? m->len : 0);
	if (!tr_writer_ok(&p->value))
		return no_memory(err);
	p->offset = m->offset;
	p->before = 0;
	p->kind = kind_of(key, m, tr_writer_view(&p->value), &serial, &p->record);
	/* Records of one writer rise: one that does not was written by two who did not know of each other. */
	if (p->kind == TR_SK_RECORD && serial <= p->serial)
		p->before = p->serial;
	p->serial = serial > p->serial ? serial : p->serial;
	return 0;
}

int tr_sk_found_take(tr_sk_found *f, const char *only, const rd_kafka_message_t *m, tr_err *err)
{
	tr_slice name = tr_slice_of(m->key, m->key_len), value = tr_slice_of(m->payload, m->len), record;
	uint64_t serial;
	tr_sk_kind kind = kind_of(name, m, value, &serial, &record);

	if (kind == TR_SK_FOREIGN)
		f->foreign++;
	else if (kind != TR_SK_TOMBSTONE)
		f->ours++;
	if (only ? !tr_slice_eq(name, tr_slice_str(only)) : kind == TR_SK_FOREIGN)
		return 0;
	/* A name has no NUL inside: such a key is nobody's. */
	if (name.len == 0 || memchr(name.ptr, 0, name.len))
		return 0;
	tr_sk_key *key = key_of(f, name, err);
	tr_sk_place *place = key ? place_of(key, m->partition, err) : NULL;
	return place ? keep(place, name, m, err) : -1;
}

static int refuse(const tr_sk_store *s, const tr_sk_key *key, const tr_sk_place *p, tr_err_code code, const char *why, tr_err *err)
{
	tr_err_set(err, code, "the state of pipeline \"%s\" in topic \"%s\" cannot be used", key->name, s->topic);
	return tr_err_detail(err, "partition %d, offset %lld: %s", (int)p->partition, (long long)p->offset, why);
}

static int check_place(const tr_sk_store *s, const tr_sk_key *key, const tr_sk_place *p, tr_err *err)
{
	char text[160];

	switch (p->kind) {
	case TR_SK_RECORD:
		if (p->before == 0)
			return 0;
		snprintf(text, sizeof(text), "save %llu stands behind save %llu: two writers did not know of each other",
		    (unsigned long long)p->serial, (unsigned long long)p->before);
		refuse(s, key, p, TR_E_STATE_BACKWARDS, text, err);
		return tr_err_hint(err, "See that only one instance runs this pipeline. " WAY_OUT);
	case TR_SK_NEWER:
		refuse(s, key, p, TR_E_STATE_NEWER, "it was written in a newer form", err);
		return tr_err_hint(err, "Run the version of tailrace that wrote it, or a newer one. Nothing was changed.");
	case TR_SK_FOREIGN:
		refuse(s, key, p, TR_E_STATE_CORRUPT, "what lies there is no state of tailrace", err);
		return tr_err_hint(err, "If the topic is another application's, give another one in state.url. " WAY_OUT);
	case TR_SK_DAMAGED:
		refuse(s, key, p, TR_E_STATE_CORRUPT, "the checksum of the record does not match", err);
		break;
	case TR_SK_TOMBSTONE:
		refuse(s, key, p, TR_E_STATE_CORRUPT, "the record was removed by another program (a tombstone lies there)", err);
		break;
	}
	return tr_err_hint(err, WAY_OUT);
}

const tr_sk_place *tr_sk_newest(const tr_sk_store *s, const tr_sk_key *key, tr_err *err)
{
	const tr_sk_place *best = NULL;

	for (size_t i = 0; i < key->count; i++) {
		const tr_sk_place *p = &key->places[i];
		if (check_place(s, key, p, err) != 0)
			return NULL;
		if (best && best->serial == p->serial) {
			refuse(s, key, p, TR_E_STATE_BACKWARDS, "another partition has a record of the same age", err);
			tr_err_hint(err, WAY_OUT);
			return NULL;
		}
		if (!best || p->serial > best->serial)
			best = p;
	}
	return best;
}

int tr_sk_check_owner(const tr_sk_store *s, const tr_sk_found *f, tr_err *err)
{
	if (f->foreign == 0 || f->ours > 0)
		return 0;
	tr_err_set(err, TR_E_STATE_CORRUPT, "topic \"%s\" belongs to another application", s->topic);
	tr_err_detail(err, "it has %zu records, none of them a state of tailrace", f->foreign);
	return tr_err_hint(err, "Give a topic of its own in state.url (kafka:TOPIC); tailrace makes it. Nothing was written.");
}

int tr_sk_cut_off(const tr_sk_store *s, tr_err *err)
{
	tr_err_set(err, TR_E_STATE_CORRUPT, "topic \"%s\" cannot say whether pipeline \"%s\" had a state", s->topic, s->pipeline);
	tr_err_detail(err, "its beginning was removed (records deleted, or another cleanup.policy at some time), and nothing of this "
	                   "pipeline is left");
	return tr_err_hint(err, "A pipeline that is new here: `tailrace offsets reset` says so, then it starts. Otherwise its "
	                        "position has to be given: `tailrace offsets import` of an export or a kept copy, or "
	                        "`tailrace offsets set`. Nothing was changed.");
}
