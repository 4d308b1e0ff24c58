/*
 * What the files of this room share; nobody else includes it.
 *
 * A pipeline runs sessions. A session begins with the durable record, connects, streams, and ends with the first error or
 * with a request to stop; both threads wind down before the next one begins, and the next one starts from the durable
 * record again. So there is one way back after any error, and it is the one a crash takes, too.
 */
#ifndef TR_PIPELINE_INTERNAL_H
#define TR_PIPELINE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "core/clock.h"
#include "core/obj.h"
#include "core/ring.h"
#include "pipeline/pipeline.h"
#include "state/saver.h"

typedef struct tr_session tr_session;

struct tr_pipeline {
	uint32_t magic;
	const tr_pipeline_config *config;
	tr_sink_options sink_options; /* the configured ones and what only the pipeline knows */
	tr_metrics metrics;
	/* made at start, freed at the end */
	tr_store *store;
	bool loaded;                /* the record was read */
	bool unsaved;               /* the record says more than the durable one */
	bool transactional;         /* exactly once: the record travels in the sink's transactions */
	char transactional_id[320];
	char instance[96];          /* of this run of the pipeline, as it signs its records */
	bool owner;                 /* a record was signed in this run */
	bool fenced;                /* the last session was refused as an older producer */
	bool lost;                  /* the state says that another instance has the pipeline */
	tr_source *source;
	const tr_encoder_ops *encoder_ops;
	tr_encoder *encoder;
	tr_arena arena;             /* holds the source type */
	tr_catalogue *catalogue;    /* made when the database's name is known */
	tr_batch_pool *pool;
	uint64_t batch_target_bytes, batch_max_bytes, pool_bytes;
	size_t batch_count;
	pthread_t thread;           /* capture; it starts the delivery thread of each session */
	bool started;
	/* owned by the thread that commits; between sessions by the capture thread */
	tr_record_state record;
	/* any thread */
	_Atomic(bool) stop;
	_Atomic(bool) abandoned;    /* and nothing that is open is waited for */
	volatile bool stop_flag;    /* the same, for those who poll a plain flag */
	_Atomic(bool) ended;
	_Atomic(int64_t) capture_turn_us, delivery_turn_us; /* monotonic: the loops are alive */
	_Atomic(int64_t) oldest_unsettled_us;               /* monotonic time the oldest batch in flight was sent; 0 = none */
	pthread_mutex_t lock;       /* guards what follows */
	pthread_cond_t changed;
	tr_pipeline_state state;
	int64_t state_since_us;
	int64_t snapshot_begin_us, snapshot_end_us; /* monotonic; 0 = not yet */
	char position[sizeof(((tr_pipeline_status *)0)->position)];
	int64_t saved_us;           /* monotonic; 0 = never in this run */
	uint64_t saves;
	tr_err error;
	int result;
	uint64_t restarts;
	uint64_t snapshot_tables, snapshot_tables_done, snapshot_rows, snapshot_rows_estimated;
};
#define TR_PIPELINE_MAGIC 0x919e1001u

/* One session: what lives between connecting and the next error. */
struct tr_session {
	tr_pipeline *p;
	tr_sink *sink;
	tr_ring *ring;
	pthread_t delivery;
	bool delivery_started;
	bool delivery_ended;        /* under the pipeline's lock; announced by `changed` */
	_Atomic(bool) last;         /* no other follows: the pipeline is left to whoever wants it */
	_Atomic(bool) failed;       /* the delivery thread gave up: error holds why */
	tr_err error;               /* written by the delivery thread before `failed`, read after it */
	pthread_mutex_t push_lock;  /* readers and the capture thread seal one at a time */
	uint64_t sequence;          /* under push_lock */
	/* Monotonic; 0 = take all the time it needs. Looked at once the ring is closed; past it the sink is interrupted. */
	_Atomic(int64_t) drain_deadline_us;
};

/* pipeline.c */
/* Once; on the capture thread when it may have to wait for brokers. */
int tr_pipeline_open_store(tr_pipeline *p, tr_err *err);
/* Reads the durable record into p->record. */
int tr_pipeline_load(tr_pipeline *p, tr_err *err);
void tr_pipeline_enter(tr_pipeline *p, tr_pipeline_state state, const tr_err *err);
static inline bool tr_pipeline_stopping(const tr_pipeline *p)
{
	return atomic_load_explicit(&p->stop, memory_order_relaxed);
}

/* capture_loop.c: the body of the capture thread; returns when the pipeline has ended. */
void *tr_capture_thread(void *pipeline);

/* owner.c: which instance has the pipeline, when its state lies in Kafka. The header of that file says how it is decided. */
#define TR_OWNER_SIGN_MS 10000 /* the state is signed at least this often, and so a loss is noticed */
#define TR_OWNER_TAKEOVER_MS 30000 /* for whoever lost the pipeline to notice it and to let the source go */
void tr_owner_name(tr_pipeline *p);
static inline bool tr_owner_signs(const tr_pipeline *p)
{
	return p->store->ops->entry != NULL;
}
/* Before the fence, and after it when the state was read. SINK_FENCED: another instance has the pipeline. */
int tr_owner_check_before(tr_pipeline *p, tr_err *err);
int tr_owner_check_after(tr_pipeline *p, tr_err *err);
/* Whether an error leaves open if there is another instance: the next session asks the state. */
bool tr_owner_doubts(const tr_pipeline *p, tr_err *err);

/* session.c */
int tr_session_open(tr_session *s, tr_pipeline *p, tr_err *err);
/* How long what was sealed may take to settle once there is a reason to end: shorter than the time a stop may take. */
#define TR_STOP_DRAIN_US (7 * 1000000)
static inline int64_t tr_session_deadline_us(const tr_pipeline *p)
{
	return tr_clock_mono_us() + (atomic_load(&p->abandoned) ? 0 : TR_STOP_DRAIN_US);
}
/* Lets the delivery thread finish what was sealed (or give up at the deadline, which a request to stop sets) and joins it.
 * -1: its error. */
int tr_session_close(tr_session *s, tr_err *err);
/* Seals the batch and hands it to the delivery thread, which owns it from then on. with_position: the source's position now. */
int tr_session_push(tr_session *s, tr_batch *batch, bool with_position, tr_err *err);
/* An empty batch with a note and the position; returns when it is durable. */
int tr_session_note(tr_session *s, tr_batch_note note, bool with_position, tr_err *err);

/* delivery_loop.c */
void *tr_delivery_thread(void *session);

/* commit.c: used by the delivery thread alone. */
typedef struct tr_commit {
	tr_pipeline *p;
	tr_sink *sink;
	/* of the sink's transaction, when there is one */
	bool open;
	bool moves;                /* something sent in it moves the record */
	bool inside;               /* what was sent ends inside of a source transaction */
	bool live;                 /* what was sent ends where the source had nothing more to read */
	int64_t begun_us;          /* monotonic */
	int64_t took_us;           /* what the last commit took */
	uint64_t bytes;            /* sent in it */
	bool dirty;                /* something settled is not in the durable record */
	bool urgent;               /* a note waits: save at once */
	tr_saver *saver;           /* at least once: saves beside the deliveries; NULL until the first such save */
	bool saving;               /* a save of its is under way */
	int64_t save_begun_us;     /* monotonic */
	int64_t saving_commit_us;  /* newest_commit_us as it was then */
	bool leaves;               /* the last save takes our name off the record */
	int64_t signed_us;         /* monotonic; when the record was written last, whatever it said */
	int64_t last_save_us;      /* monotonic */
	int64_t newest_commit_us;  /* wall clock of the newest source commit settled */
} tr_commit;
void tr_commit_init(tr_commit *c, tr_pipeline *p, tr_sink *sink);
/* To be called before a batch is sent: opens the sink's transaction when none is open. */
int tr_commit_sending(tr_commit *c, const tr_batch *batch, tr_err *err);
int tr_commit_settled(tr_commit *c, const tr_batch *batch, tr_err *err);
/* Milliseconds until the next save is due: 0 = now, -1 = nothing to save. idle: all is settled and nothing waits. */
int tr_commit_due_ms(const tr_commit *c, bool idle);
/* One step of it when it is due (see tr_commit_due_ms): at least once it may be left to the saver, and is ended by a later call. */
int tr_commit_turn(tr_commit *c, bool idle, tr_err *err);
/* Durable on return. With transactions: everything sent must be settled, for it is committed with the record. */
int tr_commit_save(tr_commit *c, tr_err *err);
/* Writes the record as it is, with our name. First of all in a session: whoever had the pipeline reads there that it is ours. */
int tr_commit_sign(tr_commit *c, tr_err *err);
/* At the beginning of a session: what an earlier one delivered and could not save is made durable, before the source hears of it
 * or reads on from it. */
int tr_commit_make_up(tr_pipeline *p, tr_err *err);
/* The next save is the last one of this run. */
void tr_commit_leave(tr_commit *c);
/* Waits for a save that is under way; what it says is not told to the source any more. */
void tr_commit_release(tr_commit *c);
/* The session ends without what was not saved: takes it back where the sink can. */
void tr_commit_abandon(tr_commit *c);

/* listener.c: the two kinds of listener, the stream's and a snapshot reader's. */
typedef struct tr_host_listener tr_host_listener;
int tr_stream_listener_new(tr_host_listener **out, tr_session *s, tr_err *err);
int tr_reader_listener_new(tr_host_listener **out, tr_session *s, tr_err *err);
tr_listener *tr_host_listener_base(tr_host_listener *l);
/* Seals what is left (discard: puts it back unsent) and frees. */
int tr_host_listener_free(tr_host_listener *l, bool discard, tr_err *err);

/* snapshot.c */
int tr_pipeline_snapshot(tr_session *s, tr_err *err);

#endif
