/*
 * Text of the servers' character sets to UTF-8, as the servers themselves convert it: what means nothing becomes '?'.
 * Single-byte sets and the Unicode encodings are done by own tables and code; the East Asian ones by tables that are made
 * from iconv at first use, once in a process, and then only read: no state, no lock on the way of a value.
 *
 * Refuses: text that is not UTF-8 where the set is UTF-8 (the server stores what it was given and converts nothing).
 */
#ifndef TR_BINLOG_CHARSET_H
#define TR_BINLOG_CHARSET_H

#include "core/arena.h"
#include "core/err.h"

typedef struct tr_bl_charset tr_bl_charset;

/* code_points: of the bytes from 0x80 on, or of all when `whole`. */
typedef struct tr_bl_single_charset {
	const char *name;
	const uint16_t *code_points;
	bool whole;
} tr_bl_single_charset;
extern const tr_bl_single_charset tr_bl_single_charsets[];
extern const size_t tr_bl_single_charset_count;
#define TR_BL_BIG5_FIRST 0xc6a1u
#define TR_BL_BIG5_MORE 348
extern const uint16_t tr_bl_big5_more[TR_BL_BIG5_MORE];

/* By the servers' name ("utf8" is utf8mb3). TYPE_UNSUPPORTED when it is unknown here or the system has no table of it.
 * The result lives as long as the process. Thread-safe. */
int tr_bl_charset_find(const char *name, const tr_bl_charset **out, tr_err *err);
/* Bytes of the longest character; 1 for bytes (NULL) and what is unknown. */
uint32_t tr_bl_charset_max_bytes(const char *name);
/* False when the scratch arena is full (out->ptr NULL) or the text is not of the set (out->ptr set). UTF-8 and plain ASCII
 * are passed through uncopied. */
bool tr_bl_charset_utf8(const tr_bl_charset *charset, tr_slice text, tr_arena *scratch, tr_slice *out);

#endif
