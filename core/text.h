/*
 * Small helpers on text that several rooms need: bounded formatting, patterns, suggestions, sizes and durations, hex and
 * base64, UTF-8. No locale anywhere, no allocation except in a writer.
 */
#ifndef TR_CORE_TEXT_H
#define TR_CORE_TEXT_H

#include <stdarg.h>

#include "core/err.h"
#include "core/slice.h"
#include "core/writer.h"

/* printf into `out` (cap bytes with the NUL); what does not fit is cut, between characters, and ends in "...". */
void tr_text_vformat(char *out, size_t cap, const char *format, va_list args) __attribute__((format(printf, 3, 0)));
void tr_text_format(char *out, size_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Edit distance (Levenshtein) of two names; texts longer than 63 bytes count as far away. */
unsigned tr_text_distance(const char *a, const char *b);
/* The known name nearest to `name`, or NULL when none is near enough to be meant. */
const char *tr_text_nearest(const char *name, const char *const *known, size_t count);

/* `*` any run, `?` one character (UTF-8), the rest itself; case-sensitive. The whole text must match. */
bool tr_text_glob(const char *pattern, tr_slice text);

/* "4096", "64KiB", "64MiB", "1GB" (also k, K, M, G alone, as binary units). CONFIG error otherwise. */
int tr_text_parse_size(const char *text, uint64_t *out_bytes, tr_err *err);
/* "200ms", "10s", "5m", "2h", "1d", "50us"; a bare number is refused except 0. CONFIG error otherwise. */
int tr_text_parse_duration(const char *text, int64_t *out_us, tr_err *err);

/* Lower-case hexadecimal. */
void tr_text_hex(tr_writer *w, tr_slice bytes);
/* -1 (nothing written) when the text is not pairs of hexadecimal digits. */
int tr_text_unhex(tr_writer *w, tr_slice text);
/* Base64 with padding: the standard alphabet, and the one for URLs and file names (RFC 4648 §4 and §5). */
void tr_text_base64(tr_writer *w, tr_slice bytes);
void tr_text_base64_url(tr_writer *w, tr_slice bytes);
/* The text between the quotes of a JSON string; bytes that are not UTF-8 become U+FFFD. */
void tr_text_json_escape(tr_writer *w, tr_slice text);

/* Strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool tr_text_utf8_valid(tr_slice text);
/* Bytes of the valid character at the start of the text, 0 when there is none. */
size_t tr_text_utf8_char(tr_slice text);
/* The text, with U+FFFD for each byte that belongs to no character. */
void tr_text_utf8_mend(tr_writer *w, tr_slice text);
/* Characters; each invalid byte counts as one. */
size_t tr_text_utf8_length(tr_slice text);
/* The longest prefix of at most `count` characters, or of at most `bytes` bytes; never splits a character. */
tr_slice tr_text_cut_chars(tr_slice text, size_t count);
tr_slice tr_text_cut_bytes(tr_slice text, size_t bytes);

/* A NUL-terminated copy on the heap, the caller's; NULL when memory ran out. The bytes need no NUL of their own. */
char *tr_text_copy(tr_slice bytes);

#endif
