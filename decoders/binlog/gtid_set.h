/*
 * Sets of transactions, as positions. MySQL (manual, "GTID Format and Storage"; wire form: the server's Gtid_set encoding,
 * as in COM_BINLOG_DUMP_GTID and PREVIOUS_GTIDS): (server uuid, tag) -> intervals of transaction numbers, with gaps where
 * transactions are missing. MariaDB (Knowledge Base, "Global Transaction ID"): one GTID a replication domain, the last.
 *
 * Sets own their memory; init or zeroed memory is the empty set. Adding in ascending order costs one compare. One thread.
 * Refuses: texts and bytes of another shape (DECODE_VALUE, the set is empty then); more than TR_BL_INTERVALS_MAX
 * intervals; numbers outside of 1 to 2^63-2.
 */
#ifndef TR_BINLOG_GTID_SET_H
#define TR_BINLOG_GTID_SET_H

#include "core/err.h"
#include "core/slice.h"
#include "core/writer.h"

#define TR_BL_INTERVALS_MAX ((size_t)1 << 20)
#define TR_BL_SOURCES_MAX   ((size_t)1 << 16)
#define TR_BL_GTID_TEXT     112 /* one GTID as text with its NUL: uuid, tag of 32, number */

typedef struct tr_bl_interval {
	uint64_t first, last; /* both in it */
} tr_bl_interval;

typedef struct tr_bl_gtid_source {
	uint8_t uuid[16];
	char tag[33]; /* lower case, NUL-terminated; "" = none */
	tr_bl_interval *intervals; /* ascending, with gaps between them */
	size_t count, cap;
} tr_bl_gtid_source;

typedef struct tr_bl_gtid_set {
	tr_bl_gtid_source *sources; /* by uuid, then tag */
	size_t count, cap;
	size_t recent; /* where the last number was added */
} tr_bl_gtid_set;

void tr_bl_gtid_set_release(tr_bl_gtid_set *s);
void tr_bl_gtid_set_clear(tr_bl_gtid_set *s);
/* "uuid:1-5:7:tag:1-3,uuid:9": as the server prints it, blanks and line ends anywhere between. */
int tr_bl_gtid_set_parse(tr_bl_gtid_set *s, tr_slice text, tr_err *err);
void tr_bl_gtid_set_print(const tr_bl_gtid_set *s, tr_writer *out);
/* The wire form: the plain one unless the set has tags (servers since 8.3 know the other). */
int tr_bl_gtid_set_decode(tr_bl_gtid_set *s, tr_slice bytes, tr_err *err);
void tr_bl_gtid_set_encode(const tr_bl_gtid_set *s, tr_writer *out);

int tr_bl_gtid_set_add(tr_bl_gtid_set *s, const uint8_t uuid[16], tr_slice tag, uint64_t number, tr_err *err);
int tr_bl_gtid_set_copy(tr_bl_gtid_set *to, const tr_bl_gtid_set *from, tr_err *err);
/* to = to + other, to - other. */
int tr_bl_gtid_set_unite(tr_bl_gtid_set *to, const tr_bl_gtid_set *other, tr_err *err);
int tr_bl_gtid_set_subtract(tr_bl_gtid_set *to, const tr_bl_gtid_set *other, tr_err *err);

bool tr_bl_gtid_set_empty(const tr_bl_gtid_set *s);
bool tr_bl_gtid_set_has(const tr_bl_gtid_set *s, const uint8_t uuid[16], tr_slice tag, uint64_t number);
/* Whether all of `part` is in s. */
bool tr_bl_gtid_set_contains(const tr_bl_gtid_set *s, const tr_bl_gtid_set *part);
/* Whether s has any transaction of this server. */
bool tr_bl_gtid_set_knows(const tr_bl_gtid_set *s, const uint8_t uuid[16]);

/* "uuid:number" or "uuid:tag:number". */
void tr_bl_gtid_text(char out[TR_BL_GTID_TEXT], const uint8_t uuid[16], tr_slice tag, uint64_t number);
/* 36 characters with hyphens <-> 16 bytes. */
void tr_bl_uuid_text(char out[37], const uint8_t uuid[16]);
bool tr_bl_uuid_parse(tr_slice text, uint8_t uuid[16]);

/* --- MariaDB ---------------------------------------------------------------------------------- */

typedef struct tr_bl_domain_position {
	uint32_t domain, server_id;
	uint64_t sequence;
} tr_bl_domain_position;

#define TR_BL_DOMAINS_MAX 65536

typedef struct tr_bl_domain_set {
	tr_bl_domain_position *domains; /* by domain */
	size_t count, cap;
} tr_bl_domain_set;

void tr_bl_domain_set_release(tr_bl_domain_set *s);
/* "0-1-100,1-2-7"; an empty text is the empty set. The later one of two of a domain counts. */
int tr_bl_domain_set_parse(tr_bl_domain_set *s, tr_slice text, tr_err *err);
void tr_bl_domain_set_print(const tr_bl_domain_set *s, tr_writer *out);
/* The domain stands at this GTID from now on, also when its number is smaller. */
int tr_bl_domain_set_move(tr_bl_domain_set *s, uint32_t domain, uint32_t server_id, uint64_t sequence, tr_err *err);
int tr_bl_domain_set_copy(tr_bl_domain_set *to, const tr_bl_domain_set *from, tr_err *err);
/* NULL when the domain is not in it. */
const tr_bl_domain_position *tr_bl_domain_set_find(const tr_bl_domain_set *s, uint32_t domain);
/* Whether s stands at or behind `part` in each domain of it. */
bool tr_bl_domain_set_covers(const tr_bl_domain_set *s, const tr_bl_domain_set *part);
/* "0-1-100" */
void tr_bl_domain_text(char out[TR_BL_GTID_TEXT], uint32_t domain, uint32_t server_id, uint64_t sequence);

#endif
