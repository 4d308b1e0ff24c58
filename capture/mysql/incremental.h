/*
 * Incremental snapshots: tables are read in chunks by their key while the stream goes on. A window around each chunk is
 * marked by two rows in the signal table. From before the first mark is written until the chunk is published all streamed
 * keys of the table are noted; when the second mark has come through the stream, the chunk's rows are published but for
 * those that are noted, which are left to the stream.
 *
 * Why no row is put back to an older state: a transaction of the log was streamed before the noting began, and then the
 * chunk's view shows it (chunk.h proves that); or it was streamed while keys were noted, and then its rows are left out; or
 * it comes after the second mark, and then the view, which had ended before the mark was written, cannot show it and its
 * events come behind the chunk's rows. Why none is lost: what is left out was streamed.
 *
 * Keys are compared by their stored bytes (values, where text and binary differ), not by the column's collation: the log has
 * the old key of each changed row byte by byte as it was stored, so the row that a chunk has shown is found by its bytes,
 * and leaving out rows that are merely equal to something would lose them.
 *
 * A DDL on the table while keys are noted has the chunk read again. All of it but the statements (chunk.h) is on the
 * capture thread, and only between groups of the log.
 *
 * Refuses: tables without a key whose columns are all NOT NULL.
 */
#ifndef TR_CAPTURE_MYSQL_INCREMENTAL_H
#define TR_CAPTURE_MYSQL_INCREMENTAL_H

#include "capture/incremental/touched.h"
#include "capture/mysql/chunk.h"
#include "capture/mysql/stream.h"

typedef enum tr_myc_inc_phase {
	TR_MYC_INC_IDLE,
	TR_MYC_INC_WORKING,  /* the chunk's thread is at work */
	TR_MYC_INC_AWAITING, /* the second mark has to come through the stream */
} tr_myc_inc_phase;

/* The table that is read, as the catalogue has told it. */
typedef struct tr_myc_inc_shape {
	tr_myc_facts facts;
	tr_writer signature;
	tr_table *table; /* NULL = nothing is known yet */
	tr_myc_key key;
	tr_writer columns; /* SQL, NUL-terminated */
	tr_arena arena;
	tr_column match[TR_INC_KEY_MAX]; /* the key's columns, decoded without rules and masks */
} tr_myc_inc_shape;

struct tr_myc_incremental {
	tr_inc_progress progress;
	tr_myc_inc_phase phase;
	int64_t not_before_us; /* monotonic: after a failure */
	int64_t since_us;      /* of the phase AWAITING */
	unsigned failures, behind; /* behind: times in a row that what was streamed could not be seen */
	uint32_t limit; /* rows of the next chunk */
	tr_myc_inc_shape shape;
	tr_myc_chunk chunk;
	tr_myc_url url;  /* where the chunk's connection goes */
	tr_myc_dial dial;
	char signal_database[TR_MYC_INC_NAME_MAX], signal_name[TR_MYC_INC_NAME_MAX];
	char *database, *name, *filter; /* of the order: a signal may change the list of tables */
	tr_myc_xa_ended ended;
	size_t ordered_count; /* of them that the order has */
	uint64_t ordered_total;
	/* the window */
	tr_myc_relation *tracked; /* its streamed keys are noted; NULL = none */
	tr_inc_touched touched;
	bool again, is_closed;
	/* the stream's own shape of the table */
	const tr_table *stream_table;
	const tr_bl_table *stream_map;
	tr_arena stream_arena;
	uint16_t stream_index[TR_INC_KEY_MAX];
	tr_column stream_match[TR_INC_KEY_MAX];
	/* publishing */
	tr_source_block block; /* where the second mark is */
	char block_file[TR_BL_FILE_MAX], block_gtid[TR_BL_GTID_TEXT];
	tr_arena scratch;
	tr_datum *row;
	size_t row_capacity;
};

int tr_myc_incremental_new(tr_myc_incremental **out, tr_err *err);
void tr_myc_incremental_free(tr_myc_incremental *i);
/* The progress of a stored position; empty: a new beginning. */
int tr_myc_incremental_load(tr_myc *s, tr_slice text, tr_err *err);

/* Goes on as far as it can without waiting. Between events, often. */
int tr_myc_incremental_service(tr_myc *s, int64_t now_us, tr_err *err);
/* What to wait for as well, or -1; *wait_ms is lowered when it has to be called again soon. */
int tr_myc_incremental_fd(const tr_myc *s, int64_t *wait_ms);
/* True while it has something to do that will end by itself. */
bool tr_myc_incremental_busy(const tr_myc *s);
/* Forgets the chunk at hand; its rows will be read again. */
void tr_myc_incremental_abandon(tr_myc *s);

/* From group.c. */
static inline bool tr_myc_incremental_concerns(const tr_myc *s, const tr_myc_relation *rel)
{
	return rel == s->incremental->tracked || ((const tr_myc_table_info *)rel->table->source_data)->is_signal;
}
int tr_myc_incremental_row(tr_myc *s, const tr_myc_relation *rel, const tr_change *change, tr_err *err);
void tr_myc_incremental_ddl(tr_myc *s, const tr_myc_ddl *ddl);
int tr_myc_incremental_step(tr_myc *s, tr_err *err);
/* An event has ended, and no group is open. */
static inline int tr_myc_incremental_between(tr_myc *s, tr_err *err)
{
	return __builtin_expect(s->incremental->progress.count > 0, 0) ? tr_myc_incremental_step(s, err) : 0;
}

/* signal.c */
/* A row inserted into the signal table. -1 only when the signal has to be read again. */
int tr_myc_signal_row(tr_myc *s, const tr_change *change, tr_err *err);
/* Its names; false when source.signal_table is not database.table. */
bool tr_myc_signal_table(const tr_myc *s, char database[TR_MYC_INC_NAME_MAX], char name[TR_MYC_INC_NAME_MAX]);

typedef enum tr_myc_signal_state { TR_MYC_SIGNAL_GOOD, TR_MYC_SIGNAL_MISSING, TR_MYC_SIGNAL_MISSHAPEN, TR_MYC_SIGNAL_DENIED,
				   TR_MYC_SIGNAL_READ_ONLY } tr_myc_signal_state;
/* Whether marks can be written to it; nothing is. fix: the statement that mends it. */
int tr_myc_signal_try(tr_myc *s, tr_myc_signal_state *out, char *fix, size_t fix_cap, tr_err *err);
/* Before streaming: warns when it cannot serve. -1: the source did not answer. */
int tr_myc_signal_probe(tr_myc *s, tr_err *err);

#endif
