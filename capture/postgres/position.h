/*
 * A position in PostgreSQL's log and the identity it belongs to, with their texts. A position is a point between
 * transactions, or (commit position, number of events already reported) inside one:
 *
 *     {"lsn":"0/16B3748"}                       everything that committed before this point was reported
 *     {"lsn":"0/16B3748","commit":"0/16B3700"}  commit: end of the newest reported transaction (source.sequence needs
 * it)
 *     {"lsn":...,"tx":"0/1700000","index":4711} and of the transaction whose commit record is at tx, 4711 events
 *
 *     {"lsn":...,"incremental":{...}}          and an incremental snapshot is under way: see progress.h
 *
 * Refuses: a row's own LSN as a position; texts with unknown shape (no guess is made).
 */
#ifndef TR_CAPTURE_POSTGRES_POSITION_H
#define TR_CAPTURE_POSTGRES_POSITION_H

#include "core/slice.h"
#include "core/writer.h"

typedef struct tr_pgc_position {
	uint64_t lsn;    /* restart here; 0 = none */
	uint64_t commit; /* end of the newest reported commit; 0 = none */
	uint64_t tx;     /* commit record of the transaction that was open; 0 = between transactions */
	uint64_t index;  /* events of it that were reported */
	const char *incremental; /* for write only: a JSON object, or NULL */
} tr_pgc_position;

void tr_pgc_position_write(const tr_pgc_position *p, tr_writer *out);
bool tr_pgc_position_read(tr_slice text, tr_pgc_position *out);
/* Writes the member "incremental" of a position, nothing when there is none. */
void tr_pgc_position_incremental(tr_slice text, tr_writer *out);
int tr_pgc_position_compare(tr_slice a, tr_slice b); /* as tr_source_ops.compare */

typedef struct tr_pgc_identity {
	char system[24]; /* system identifier */
	char database[64];
	char slot[64];
	uint32_t timeline;
} tr_pgc_identity;

/* {"system":"7412...","timeline":1,"database":"shop","slot":"tailrace_shop"} */
void tr_pgc_identity_write(const tr_pgc_identity *id, char *out, size_t cap);
bool tr_pgc_identity_read(tr_slice text, tr_pgc_identity *out);

#endif
