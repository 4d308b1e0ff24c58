/*
 * Digests as Debezium's column.mask.hash publishes them: lower-case hexadecimal digits of digest(salt, value). The names of
 * the algorithms are Java's.
 */
#ifndef TR_EVENTS_DIGEST_H
#define TR_EVENTS_DIGEST_H

#include "core/err.h"
#include "core/slice.h"

#define TR_DIGEST_HEX_MAX 128 /* SHA-512 */

typedef struct tr_digest tr_digest;

/* In any case of letters; NULL = not known, or not to be had here (MD5 where only approved algorithms are). */
const tr_digest *tr_digest_find(const char *name);
/* What tr_digest_find knows, for messages. */
#define TR_DIGEST_NAMES "MD5, SHA-1, SHA-224, SHA-256, SHA-384, SHA-512, SHA-512/224, SHA-512/256, SHA3-224 to SHA3-512"

/*
 * value is UTF-8. java: what is digested is the value as Java serializes a String (Debezium's version 1), not its bytes
 * (version 2). Writes the digits, no NUL, and their count. Any thread; allocates once in each.
 */
int tr_digest_hex(const tr_digest *d, tr_slice salt, bool java, tr_slice value, char out[TR_DIGEST_HEX_MAX], size_t *len,
		  tr_err *err);

#endif
