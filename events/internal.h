/*
 * What the format-neutral files of this room share; nobody else includes it.
 *
 * The catalogue is shared by threads: its maps and its arena are under its lock, codecs are set once with release order,
 * the rest does not change once made.
 */
#ifndef TR_EVENTS_INTERNAL_H
#define TR_EVENTS_INTERNAL_H

#include <pthread.h>

#include "core/map.h"
#include "core/obj.h"
#include "events/emitter.h"
#include "events/envelope.h"

/* Records that belong to no table: topic, types and codecs, made at the first one. */
typedef struct tr_meta_kind {
	tr_topic *topic;
	tr_record_types types;
	_Atomic(const tr_codec *) key_codec, value_codec;
} tr_meta_kind;

#define TR_CONTEXT_HEADERS 4

/* Runs of fields that steady.c encodes once for many events. */
enum { TR_PIECE_WHO, TR_PIECE_WHEN, TR_PIECE_MADE, TR_PIECE_COUNT };

struct tr_catalogue {
	uint32_t magic;
	tr_catalogue_config config;
	const tr_type *transaction_block;
	const tr_codec *pieces[TR_PIECE_COUNT]; /* NULL = the format has none */
	tr_meta_kind transaction, heartbeat, message, schema_change;
	char run_id[37]; /* a UUID */
	tr_header headers[TR_CONTEXT_HEADERS];
	size_t header_count;
	pthread_mutex_t lock; /* guards what follows */
	tr_arena arena;       /* everything above that is text or type, and the topics */
	tr_map *topics;       /* name -> tr_topic */
	tr_map *owners;       /* topic name -> collection that publishes there */
	tr_map *versions;     /* collection -> uint32_t: shapes seen */
};
#define TR_CATALOGUE_MAGIC 0xca7a1001u

/* The codec of one part of the records of a topic, compiled at first use. key: the part. */
int tr_catalogue_codec(tr_catalogue *c, _Atomic(const tr_codec *) *slot, const tr_topic *topic, const tr_type *type,
		       bool key, const tr_codec **out, tr_err *err);
/* The topic for a table's records and the next version of its shape. NAME_COLLISION when another table publishes there.
 */
int tr_catalogue_enter(tr_catalogue *c, const char *topic, const char *collection, tr_topic **out, uint32_t *version,
		       tr_err *err);

/* rules.c: column rules, applied to the columns of a table before its types are built. The columns are the row's: their
 * key copies are made before. Excluded columns lose their type. */
int tr_rules_apply(const tr_event_options *options, const char *collection, tr_column *columns,
		   const tr_source_column *sources, size_t count, tr_arena *a, tr_err *err);
/* The columns chosen by key rules, as places in `columns`, in the order of the rules; *chosen_count 0 when no rule
 * matches. */
int tr_rules_key(const tr_event_options *options, const char *collection, const tr_column *columns, size_t count,
		 size_t *chosen, size_t *chosen_count, tr_err *err);

/* steady.c: one emitter's encoded fields, and what they were made from. */
typedef struct tr_steady {
	const tr_topic *topic; /* of the source's pieces; NULL = not made */
	int64_t commit_us;
	tr_snapshot_mark mark;
	int64_t now_ns; /* of the envelope's; 0 = not made */
	tr_writer bytes[TR_PIECE_COUNT];
} tr_steady;

/* Makes the catalogue's pieces. */
int tr_steady_pieces(tr_catalogue *c, tr_err *err);
void tr_steady_init(tr_steady *s);
void tr_steady_release(tr_steady *s);
/* Fills the emitter's fields of the change's source block. The bytes are borrowed until the next call. */
int tr_steady_source(tr_steady *s, const tr_catalogue *c, const tr_change *change, tr_err *err);
/* Fills ts_ms, ts_us and ts_ns of an envelope's fields; the same. */
int tr_steady_times(tr_steady *s, const tr_catalogue *c, int64_t now_ns, tr_value *envelope, tr_err *err);

/* txn.c: how many events a transaction had, per table and together. */
typedef struct tr_txn_collection {
	const char *name; /* the table's collection; its own copy lives until the end of the transaction */
	uint32_t hash;
	uint64_t events;
	uint32_t place; /* in the order of first events */
} tr_txn_collection;

typedef struct tr_txn {
	tr_writer id; /* given with begin */
	int64_t commit_us;
	bool open, announced;
	uint64_t total;                 /* events */
	uint64_t messages;              /* of them logical messages; each is a collection of its own, as in Debezium */
	tr_txn_collection *collections; /* by topic number */
	uint32_t *touched;              /* topic numbers, in order of first events; as large as collections */
	size_t capacity, touched_count;
	size_t order_slots; /* see tr_txn_end_order */
	tr_arena names;
} tr_txn;

void tr_txn_init(tr_txn *t);
void tr_txn_release(tr_txn *t);
int tr_txn_begin(tr_txn *t, tr_slice id, int64_t commit_us, tr_err *err);
/* Counts one event; *order is its number among those of the table. */
int tr_txn_count(tr_txn *t, const tr_table *table, uint64_t *order, tr_err *err);
/* Takes one event back (the last counted first). */
void tr_txn_uncount(tr_txn *t, const tr_table *table);
/*
 * The touched collections in the order in which Debezium lists them: that of a Java HashMap with the collections' names
 * as keys, which depends on nothing but the names and the largest transaction so far. NULL when the arena is full.
 */
const tr_txn_collection **tr_txn_end_order(tr_txn *t, tr_arena *scratch);

#endif
