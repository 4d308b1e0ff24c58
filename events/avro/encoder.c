/*
 * The format "avro": renders the schema, asks the registry for its id, compiles the plan, and keeps the codec until the
 * encoder ends. A record is <0> <schema id, 4 bytes big-endian> <body>; without a registry it is the body alone, and who
 * writes it (the file sink) carries the schema.
 */
#include "events/avro/encoder.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/map.h"
#include "core/obj.h"
#include "events/avro/codec.h"
#include "events/avro/registry.h"
#include "events/avro/schema.h"

#define SCHEMA_MAX_BYTES ((size_t)16 << 20)
#define FRAME_BYTES 5

typedef struct avro_codec {
	tr_codec base;
	struct avro_codec *next; /* of the pieces */
	tr_avro_plan *plan;
	uint8_t frame[FRAME_BYTES];
} avro_codec;

typedef struct avro_encoder {
	tr_encoder base;
	pthread_mutex_t lock; /* guards codecs, pieces and text */
	tr_map *codecs;       /* subject, NUL, schema text -> avro_codec */
	avro_codec *pieces;
	tr_avro_registry *registry; /* NULL = none */
	tr_writer text;
} avro_encoder;

static avro_encoder *self(tr_encoder *e)
{
	TR_CHECK_OBJ(e, TR_ENCODER_MAGIC);
	TR_ASSERT(e->ops == &tr_avro_encoder_ops);
	return (avro_encoder *)e;
}

static int write_body(const tr_codec *codec, const tr_value *v, tr_writer *w, tr_err *err)
{
	return tr_avro_plan_write(((const avro_codec *)codec)->plan, v, w, err);
}

static int write_framed(const tr_codec *codec, const tr_value *v, tr_writer *w, tr_err *err)
{
	const avro_codec *c = (const avro_codec *)codec;
	size_t start = w->len;

	tr_writer_put(w, c->frame, FRAME_BYTES);
	if (tr_avro_plan_write(c->plan, v, w, err) == 0)
		return 0;
	w->len = start;
	return -1;
}

static void codec_free(void *value)
{
	avro_codec *c = value;

	TR_CHECK_OBJ(&c->base, TR_CODEC_MAGIC);
	c->base.magic = 0;
	tr_avro_plan_free(c->plan);
	free((void *)(uintptr_t)c->base.subject);
	free((void *)(uintptr_t)c->base.schema);
	free(c);
}

static int avro_open(tr_encoder **out, const tr_event_options *options, const tr_registry_options *registry, tr_err *err)
{
	avro_encoder *e = calloc(1, sizeof(*e));

	(void)options;
	*out = NULL;
	if (!e)
		return tr_err_set(err, TR_E_MEMORY, "out of memory while opening the Avro encoder");
	e->base = (tr_encoder){.magic = TR_ENCODER_MAGIC, .ops = &tr_avro_encoder_ops};
	pthread_mutex_init(&e->lock, NULL);
	e->codecs = tr_map_new();
	tr_writer_init(&e->text, SCHEMA_MAX_BYTES);
	if (registry && registry->url && tr_avro_registry_new(&e->registry, registry, err) != 0) {
		tr_avro_encoder_ops.free(&e->base);
		return -1;
	}
	*out = &e->base;
	return 0;
}

/* subject and schema point into e->text. */
static int codec_new(avro_encoder *e, const char *subject, const char *schema, const tr_type *type, const volatile bool *stop,
                     avro_codec **out, tr_err *err)
{
	avro_codec *c = calloc(1, sizeof(*c));

	if (!c)
		goto no_memory;
	c->base = (tr_codec){.magic = TR_CODEC_MAGIC, .subject = strdup(subject), .schema = strdup(schema), .write = write_body};
	if (!c->base.subject || !c->base.schema)
		goto no_memory;
	if (tr_avro_plan_new(&c->plan, type, err) != 0)
		goto failed;
	if (e->registry) {
		if (tr_avro_registry_id(e->registry, subject, schema, stop, &c->base.schema_id, err) != 0)
			goto failed;
		c->base.write = write_framed;
		for (int i = 0; i < 4; i++)
			c->frame[1 + i] = (uint8_t)((uint32_t)c->base.schema_id >> (24 - 8 * i));
	}
	*out = c;
	return 0;
no_memory:
	tr_err_set(err, TR_E_MEMORY, "out of memory while compiling subject \"%s\"", subject);
failed:
	if (c)
		codec_free(c);
	return -1;
}

static int compile_locked(avro_encoder *e, const char *subject, const tr_type *type, const volatile bool *stop,
                          const tr_codec **out, tr_err *err)
{
	size_t schema_at = strlen(subject) + 1;
	avro_codec *c;

	tr_writer_reset(&e->text);
	tr_writer_put(&e->text, subject, schema_at);
	if (tr_avro_schema(type, &e->text, err) != 0)
		return tr_err_prefix(err, "subject \"%s\"", subject);
	tr_slice key = tr_writer_view(&e->text);
	c = tr_map_get(e->codecs, key);
	if (!c) {
		tr_writer_u8(&e->text, 0);
		if (!tr_writer_ok(&e->text))
			return tr_err_set(err, TR_E_MEMORY, "the Avro schema of subject \"%s\" is too large", subject);
		const char *text = (const char *)e->text.data;
		if (codec_new(e, text, text + schema_at, type, stop, &c, err) != 0)
			return -1;
		tr_map_put(e->codecs, tr_slice_of(e->text.data, key.len), c);
	}
	*out = &c->base;
	return 0;
}

static int avro_compile(tr_encoder *base, const char *subject, const tr_type *type, const volatile bool *stop,
                        const tr_codec **out, tr_err *err)
{
	avro_encoder *e = self(base);

	pthread_mutex_lock(&e->lock);
	int result = compile_locked(e, subject, type, stop, out, err);
	pthread_mutex_unlock(&e->lock);
	return result;
}

static int avro_piece(tr_encoder *base, const tr_type *fields, const tr_codec **out, tr_err *err)
{
	avro_encoder *e = self(base);
	avro_codec *c = calloc(1, sizeof(*c));

	if (!c)
		return tr_err_set(err, TR_E_MEMORY, "out of memory while compiling a piece of a schema");
	c->base = (tr_codec){.magic = TR_CODEC_MAGIC, .write = write_body};
	if (tr_avro_plan_new(&c->plan, fields, err) != 0) {
		codec_free(c);
		return -1;
	}
	pthread_mutex_lock(&e->lock);
	c->next = e->pieces;
	e->pieces = c;
	pthread_mutex_unlock(&e->lock);
	*out = &c->base;
	return 0;
}

static int avro_check(tr_encoder *base, tr_err *err)
{
	avro_encoder *e = self(base);

	return e->registry ? tr_avro_registry_check(e->registry, err) : 0;
}

static int avro_probe(tr_encoder *base, const char *subject, const char *schema, bool *known, tr_err *err)
{
	avro_encoder *e = self(base);

	*known = false;
	return e->registry ? tr_avro_registry_probe(e->registry, subject, schema, known, err) : 0;
}

static void avro_free(tr_encoder *base)
{
	if (!base)
		return;
	avro_encoder *e = self(base);
	base->magic = 0;
	tr_map_free(e->codecs, codec_free);
	for (avro_codec *c = e->pieces, *next; c; c = next) {
		next = c->next;
		codec_free(c);
	}
	tr_avro_registry_free(e->registry);
	tr_writer_release(&e->text);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

const tr_encoder_ops tr_avro_encoder_ops = {
    .name = "avro", .open = avro_open, .compile = avro_compile, .piece = avro_piece, .check = avro_check,
    .probe = avro_probe, .free = avro_free};
