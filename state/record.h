/*
 * The state record of a pipeline and its versioned encoding, one JSON object of version 3:
 *   {"version":3, "pipeline":"shop", "delivery":"exactly_once|at_least_once" (of who wrote it),
 *    "sink":"kafka:<cluster id>" (to which the position belongs; without it: to whichever sink runs next),
 *    "owner":"<instance>@<host>" (who writes to a state in Kafka; without it: nobody),
 *    "source":{identity…}, "position":{…source's own…} | null,
 *    "snapshot":{"state":"none|running|done","tables":{"public.orders":{"rows":n,"done":bool}}},
 *    "sequence":n (counts saves), "saved_at_ms":n (grows with it), "reset":true (only then), "writer":"tailrace 0.1.0"}
 * A record that says "reset" stands for none: a store that cannot remove its records writes it in their place.
 * Version 1 had neither "delivery" nor "reset"; its records are read as those of at_least_once. Version 2 had neither "sink" nor
 * "owner"; its positions are taken by the sink that runs next, as before. A higher version is refused
 * (STATE_NEWER); unknown members are kept out and reported as STATE_CORRUPT.
 */
#ifndef TR_STATE_RECORD_H
#define TR_STATE_RECORD_H

#include "core/err.h"
#include "core/writer.h"

#define TR_STATE_VERSION 3
#define TR_STATE_NAME_MAX 8192 /* bytes of pipeline, sink, owner */

typedef enum { TR_SNAPSHOT_NONE, TR_SNAPSHOT_RUNNING, TR_SNAPSHOT_DONE } tr_snapshot_state;

typedef enum { TR_STATE_AT_LEAST_ONCE, TR_STATE_EXACTLY_ONCE } tr_state_delivery;

typedef struct tr_record_state {
	tr_writer pipeline;  /* filled by decode: the name inside of the record */
	tr_writer sink;      /* the sink's identity; empty = not known */
	tr_writer owner;     /* the instance that writes; empty = none */
	tr_writer identity;  /* JSON object text; empty = none */
	tr_writer position;  /* JSON object text; empty = none */
	tr_writer tables;    /* JSON object text of snapshot progress; empty = none */
	tr_snapshot_state snapshot;
	tr_state_delivery delivery;
	bool reset;
	uint64_t sequence;
	int64_t saved_at_ms;
} tr_record_state;

void tr_record_state_init(tr_record_state *r);
void tr_record_state_release(tr_record_state *r);
/* All of `from` into `to`, which was initialised. MEMORY. */
int tr_record_state_copy(tr_record_state *to, const tr_record_state *from, tr_err *err);
/* It is saved now, and after the one that was saved at the given time, whatever happened to the clock in between. */
void tr_record_state_stamp(tr_record_state *r, int64_t after_ms);
int tr_record_state_encode(const tr_record_state *r, const char *pipeline, tr_writer *out, tr_err *err);
int tr_record_state_decode(tr_record_state *r, tr_slice text, tr_err *err);

#endif
