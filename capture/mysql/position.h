/*
 * A position in the log of MySQL or MariaDB, and the identity it belongs to, with their texts. A position is a point
 * between transactions, or (transaction, number of its events already reported) inside one:
 *
 *     {"gtid_set":"3e11...:1-77","file":"binlog.000004","pos":1547}   MySQL: all of the set was reported or lies before the
 *                                                                   start; file and pos say where that is on this server
 *     {"gtid":"0-1-100,1-2-7","file":...,"pos":...}       MariaDB: the last transaction of each domain
 *     {"file":"binlog.000004","pos":1547}                 a server without GTIDs: everything before this place
 *     {...,"tx":"3e11...:78","index":4711,"filter":9}     of transaction tx, which begins there, 4711 events, too
 *     {...,"xa":[{"xid":"0x61,0x,1","gtid":...,"file":...,"pos":...}]}    prepared, neither committed nor rolled back
 *     {...,"incremental":{...}}                           and an incremental snapshot is under way
 *
 * `tx` is the transaction's GTID, or the place of its first event as file:pos. `index` counts rows and truncates of captured
 * tables; it holds for the set of captured tables that has the number `filter`. An `xa` entry has the GTID of the group
 * that prepared it ("gtid"), on MariaDB also where the domains stood before it ("after"), and its place.
 *
 * With GTIDs they decide, and file and pos are for people. A position owns its memory.
 *
 * Refuses: a row's own place as a position; texts of unknown shape (no guess is made).
 */
#ifndef TR_CAPTURE_MYSQL_POSITION_H
#define TR_CAPTURE_MYSQL_POSITION_H

#include "core/err.h"
#include "core/writer.h"
#include "decoders/binlog/event.h"
#include "decoders/binlog/gtid_set.h"

#define TR_MYC_XID_TEXT (4 * TR_BL_XID_MAX + 24) /* an XA transaction's name as text, with its NUL */
#define TR_MYC_XA_MAX   4096                     /* prepared transactions at one time */
#define TR_MYC_TX_TEXT  (TR_BL_FILE_MAX + 24)

typedef enum tr_myc_place_kind {
	TR_MYC_BY_NOTHING, /* no position */
	TR_MYC_BY_GTID,    /* MySQL */
	TR_MYC_BY_DOMAIN,  /* MariaDB */
	TR_MYC_BY_FILE,
} tr_myc_place_kind;

/* A group that ended with XA PREPARE. */
typedef struct tr_myc_xa {
	char xid[TR_MYC_XID_TEXT]; /* 0x<gtrid>,0x<bqual>,<format id>, hexadecimal, lower case */
	char gtid[TR_BL_GTID_TEXT];
	char *after; /* MariaDB: the domains' positions before it; or NULL */
	char file[TR_BL_FILE_MAX];
	uint64_t pos; /* of the group's first event */
} tr_myc_xa;

typedef struct tr_myc_position {
	tr_myc_place_kind kind;
	tr_bl_gtid_set gtids;
	tr_bl_domain_set domains;
	char file[TR_BL_FILE_MAX];
	uint64_t pos;
	char tx[TR_MYC_TX_TEXT]; /* "" = between transactions */
	uint64_t index;
	uint64_t filter;
	tr_myc_xa *xa;
	size_t xa_count, xa_cap;
	char *incremental; /* a JSON object, or NULL */
} tr_myc_position;

void tr_myc_position_release(tr_myc_position *p);
int tr_myc_position_copy(tr_myc_position *to, const tr_myc_position *from, tr_err *err);
void tr_myc_position_write(const tr_myc_position *p, tr_writer *out);
int tr_myc_position_read(tr_myc_position *out, tr_slice text, tr_err *err);
int tr_myc_position_compare(tr_slice a, tr_slice b); /* as tr_source_ops.compare */

/* Binlog file names: by their numbers when they have the same base name; 2 = not comparable. */
int tr_myc_file_compare(const char *a, const char *b);
/* -1, 0, 1; 2 = not comparable. */
int tr_myc_place_compare(const char *file_a, uint64_t pos_a, const char *file_b, uint64_t pos_b);

/* 0x<gtrid>,0x<bqual>,<format id> */
void tr_myc_xid_text(char out[TR_MYC_XID_TEXT], const tr_bl_xid *xid);
/* The same from the text behind "XA START", "XA COMMIT" and the like: X'6162',X'',1 or 'ab','',1. *rest, when not NULL,
 * receives what follows ("ONE PHASE"). False when it is no such text. */
bool tr_myc_xid_parse(char out[TR_MYC_XID_TEXT], tr_slice text, tr_slice *rest);

const tr_myc_xa *tr_myc_xa_find(const tr_myc_position *p, const char *xid);
/* Replaces one of the same name. */
int tr_myc_xa_add(tr_myc_position *p, const tr_myc_xa *xa, tr_err *err);
void tr_myc_xa_remove(tr_myc_position *p, const char *xid);

/*
 * {"flavour":"mysql","server_uuid":"3e11...","server_id":1,"gtid":true}. With GTIDs a position may be continued on another
 * server; without, only on the server with this server_uuid (MySQL) or server_id (MariaDB).
 */
typedef struct tr_myc_identity {
	char flavour[16];
	char server_uuid[40]; /* "" = the server has none */
	uint32_t server_id;
	bool gtid;
} tr_myc_identity;
void tr_myc_identity_write(const tr_myc_identity *id, char *out, size_t cap);
bool tr_myc_identity_read(tr_slice text, tr_myc_identity *out);

#endif
