/*
 * Fields that many events share, encoded once. Of the source block these are version to db, and ts_us and ts_ns: they change with
 * the transaction, the table and the snapshot's mark. Of the envelope they are the three times, which change when more has been
 * read. The values stand for the fields as TR_V_ENCODED; formats without pieces get the fields themselves.
 */
#include "events/internal.h"

#define TEXTS_MAX_BYTES ((size_t)64 << 10) /* names are far shorter */

void tr_steady_init(tr_steady *s)
{
	*s = (tr_steady){0};
	for (size_t i = 0; i < TR_PIECE_COUNT; i++)
		tr_writer_init(&s->bytes[i], TEXTS_MAX_BYTES);
}

void tr_steady_release(tr_steady *s)
{
	for (size_t i = 0; i < TR_PIECE_COUNT; i++)
		tr_writer_release(&s->bytes[i]);
}

int tr_steady_pieces(tr_catalogue *c, tr_err *err)
{
	static const struct {
		size_t first, count;
	} places[TR_PIECE_COUNT] = {
	    [TR_PIECE_WHO] = {TR_SRC_VERSION, TR_SRC_SEQUENCE - TR_SRC_VERSION},
	    [TR_PIECE_WHEN] = {TR_SRC_TS_US, TR_SRC_OWN - TR_SRC_TS_US},
	    [TR_PIECE_MADE] = {TR_ENV_TS_MS, TR_ENV_COUNT - TR_ENV_TS_MS},
	};
	static const tr_type row = {.kind = TR_STRUCT}; /* only the times of the envelope are looked at */
	const tr_type *envelope = tr_envelope_type(&c->arena, "piece", &row, &row, &row);

	if (!c->config.encoder_ops->piece || c->config.source_type->field_count < TR_SRC_OWN)
		return 0;
	for (size_t i = 0; envelope && i < TR_PIECE_COUNT; i++) {
		const tr_type *whole = i == TR_PIECE_MADE ? envelope : c->config.source_type;
		const tr_type fields = {.kind = TR_STRUCT, .fields = whole->fields + places[i].first, .field_count = places[i].count};
		if (c->config.encoder_ops->piece(c->config.encoder, &fields, &c->pieces[i], err) != 0)
			return -1;
	}
	return envelope ? 0 : tr_err_set(err, TR_E_MEMORY, "out of memory for the types of events");
}

static int encode(tr_steady *s, const tr_catalogue *c, size_t piece, const tr_value *fields, size_t count, tr_err *err)
{
	const tr_value list = tr_value_list(fields, count);

	tr_writer_reset(&s->bytes[piece]);
	return c->pieces[piece]->write(c->pieces[piece], &list, &s->bytes[piece], err);
}

/* The fields from `first` on, as they were encoded. */
static inline void stand_in(const tr_steady *s, size_t piece, tr_value *first, size_t count)
{
	*first = tr_value_encoded(tr_writer_view(&s->bytes[piece]), count);
}

static void plain_source(const tr_catalogue *c, const tr_change *change)
{
	const tr_catalogue_config *config = &c->config;
	tr_value *fields = change->source->fields;
	int64_t us = change->commit_us;

	fields[TR_SRC_VERSION] = tr_value_text(config->version);
	fields[TR_SRC_CONNECTOR] = tr_value_text(config->connector);
	fields[TR_SRC_NAME] = tr_value_text(config->options->name);
	fields[TR_SRC_TS_MS] = tr_value_int(us / 1000);
	fields[TR_SRC_SNAPSHOT] = tr_value_text(tr_snapshot_mark_text(change->mark));
	fields[TR_SRC_DB] = tr_value_text(change->table	   ? change->table->database
					  : change->schema ? change->schema->database
							   : config->database);
	fields[TR_SRC_TS_US] = tr_value_int(us);
	fields[TR_SRC_TS_NS] = tr_value_int((int64_t)((uint64_t)us * 1000)); /* as Java: a clock past 2262 wraps */
}

static int encode_source(tr_steady *s, const tr_catalogue *c, const tr_change *change, tr_err *err)
{
	const tr_value *fields = change->source->fields;

	s->topic = NULL;
	plain_source(c, change);
	if (encode(s, c, TR_PIECE_WHO, &fields[TR_SRC_VERSION], TR_SRC_SEQUENCE - TR_SRC_VERSION, err) != 0 ||
	    encode(s, c, TR_PIECE_WHEN, &fields[TR_SRC_TS_US], TR_SRC_OWN - TR_SRC_TS_US, err) != 0)
		return -1;
	s->topic = change->table->topic;
	s->commit_us = change->commit_us;
	s->mark = change->mark;
	return 0;
}

int tr_steady_source(tr_steady *s, const tr_catalogue *c, const tr_change *change, tr_err *err)
{
	tr_value *fields = change->source->fields;

	if (!c->pieces[TR_PIECE_WHO] || !change->table) {
		plain_source(c, change);
		return 0;
	}
	/* A topic is one table's for the life of the pipeline, so it says the database, too. */
	if (s->topic != change->table->topic || s->commit_us != change->commit_us || s->mark != change->mark)
		if (encode_source(s, c, change, err) != 0)
			return -1;
	stand_in(s, TR_PIECE_WHO, &fields[TR_SRC_VERSION], TR_SRC_SEQUENCE - TR_SRC_VERSION);
	stand_in(s, TR_PIECE_WHEN, &fields[TR_SRC_TS_US], TR_SRC_OWN - TR_SRC_TS_US);
	return 0;
}

int tr_steady_times(tr_steady *s, const tr_catalogue *c, int64_t now_ns, tr_value *envelope, tr_err *err)
{
	tr_value *times = envelope + TR_ENV_TS_MS;

	if (!c->pieces[TR_PIECE_MADE] || s->now_ns != now_ns) {
		times[0] = tr_value_int(now_ns / 1000000);
		times[1] = tr_value_int(now_ns / 1000);
		times[2] = tr_value_int(now_ns);
		if (!c->pieces[TR_PIECE_MADE])
			return 0;
		s->now_ns = 0;
		if (encode(s, c, TR_PIECE_MADE, times, TR_ENV_COUNT - TR_ENV_TS_MS, err) != 0)
			return -1;
		s->now_ns = now_ns;
	}
	stand_in(s, TR_PIECE_MADE, times, TR_ENV_COUNT - TR_ENV_TS_MS);
	return 0;
}
