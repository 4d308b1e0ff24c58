/*
 * Client of a schema registry with Confluent's HTTP interface (Confluent, Apicurio, Karapace, Redpanda). The only file of
 * the program that uses libcurl.
 *
 * Registers or looks up schemas and reads them by id. Connection errors, 5xx, 429 and the registry's own "try again" codes
 * are repeated with jittered back-off, over all addresses in turn, until retry_ms; a refused schema, refused credentials and
 * answers that make no sense stop at once, each with its own code. Answers are read up to 1 MiB. Credentials never get
 * into a message. Thread-safe: one request at a time, over one kept connection.
 */
#ifndef TR_EVENTS_AVRO_REGISTRY_H
#define TR_EVENTS_AVRO_REGISTRY_H

#include "core/err.h"
#include "events/encoder.h"

typedef struct tr_avro_registry tr_avro_registry;

/* options->url holds one or more addresses separated by commas, each with its own path prefix. No connection is made. */
int tr_avro_registry_new(tr_avro_registry **out, const tr_registry_options *options, tr_err *err);
void tr_avro_registry_free(tr_avro_registry *r); /* NULL is fine */

/* The id of the schema under the subject: registered when it is not there, or only looked up (auto_register false). `stop`
 * may be NULL; when it turns true the call ends with INTERRUPTED. Not cached: codecs are. */
int tr_avro_registry_id(tr_avro_registry *r, const char *subject, const char *schema, const volatile bool *stop,
                        int32_t *out_id, tr_err *err);
/* The schema with this id, from a cache after the first time; the text belongs to the registry client. */
int tr_avro_registry_schema(tr_avro_registry *r, int32_t id, const volatile bool *stop, const char **out, tr_err *err);
/* Whether the registry would take the schema: by its compatibility rule for the subject or, when nothing may be registered,
 * by having it. *known: the subject has a version. REGISTRY_INCOMPATIBLE when it would not. Changes nothing. */
int tr_avro_registry_probe(tr_avro_registry *r, const char *subject, const char *schema, bool *known, tr_err *err);
/* One request, no repeats: the registry answers and takes our credentials. */
int tr_avro_registry_check(tr_avro_registry *r, tr_err *err);

#endif
