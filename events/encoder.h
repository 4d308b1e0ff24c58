/*
 * The contract of a format. A format compiles a type tree into a codec under a subject, and the codec writes values of
 * that type straight into a batch. encoders.def has one row per format.
 *
 * Threads: compile is called by the thread that met the table (capture, or a snapshot reader); it may block (registry)
 * and is internally locked. write is lock-free and may be called by several threads on one codec.
 */
#ifndef TR_EVENTS_ENCODER_H
#define TR_EVENTS_ENCODER_H

#include "core/err.h"
#include "core/metric.h"
#include "core/writer.h"
#include "events/options.h"
#include "events/type.h"

typedef struct tr_registry_options {
	const char *url;                 /* NULL = no registry: frames carry no schema id (file sinks) */
	const char *user, *password;     /* basic auth, or NULL */
	const char *bearer_token;
	const char *ca_file, *cert_file, *key_file; /* TLS */
	bool auto_register;              /* false: only look up (POST /subjects/x) */
	int timeout_ms;                  /* of one request */
	int retry_ms;                    /* total time for retriable answers (5xx, refused connections) */
} tr_registry_options;

typedef struct tr_encoder tr_encoder;

/* One compiled schema; lives until the encoder is freed (records in flight point at it). */
struct tr_codec {
	uint32_t magic;
	const char *subject;   /* "<topic>-value" */
	const char *schema;    /* canonical text: Avro schema JSON, or Connect schema JSON */
	int32_t schema_id;     /* in the registry; 0 = none */
	/* Appends the framed encoding of v. -1 with ENCODE_VALUE names the field, never the value. */
	int (*write)(const struct tr_codec *codec, const tr_value *v, tr_writer *w, tr_err *err);
};
typedef struct tr_codec tr_codec;
#define TR_CODEC_MAGIC 0xc0dec001u

typedef struct tr_encoder_ops {
	const char *name; /* "avro", "json" */
	int (*open)(tr_encoder **out, const tr_event_options *options, const tr_registry_options *registry, tr_err *err);
	/* Returns the codec for (subject, type): an equal type under the same subject gives the same codec. `type` is only
	 * read during the call. `stop` is polled while waiting for the registry; when it turns true: INTERRUPTED. */
	int (*compile)(tr_encoder *e, const char *subject, const tr_type *type, const volatile bool *stop,
	               const tr_codec **out, tr_err *err);
	/* A codec for some fields of a struct, given as a struct of their own: what it writes (no frame, no schema) may stand for
	 * them as TR_V_ENCODED in a value of the whole struct. Lives until the encoder is freed. Optional. */
	int (*piece)(tr_encoder *e, const tr_type *fields, const tr_codec **out, tr_err *err);
	/* One request that proves the registry answers and accepts our credentials (for `check`). */
	int (*check)(tr_encoder *e, tr_err *err);
	/* Whether the registry would take the schema under the subject; registers nothing. REGISTRY_INCOMPATIBLE when it would
	 * not. *known (when 0): the subject has versions already, or the exact schema when none may be registered. Optional. */
	int (*probe)(tr_encoder *e, const char *subject, const char *schema, bool *known, tr_err *err);
	void (*free)(tr_encoder *e); /* NULL is fine */
} tr_encoder_ops;

/* Every encoder struct starts with this. */
struct tr_encoder {
	uint32_t magic;
	const tr_encoder_ops *ops;
};
#define TR_ENCODER_MAGIC 0xe2c0de01u

const tr_encoder_ops *tr_encoder_find(tr_format format);

#endif
