/*
 * Looking into a JSON text without building anything: members of an object as slices of the text, so numbers of any size
 * are shown exactly as they were written. The text is trusted to be JSON (our decoders wrote it, or it is shown as it is).
 */
#ifndef TR_SERVICE_JSON_VIEW_H
#define TR_SERVICE_JSON_VIEW_H

#include "core/slice.h"

/* Steps through an object's members; start with *at = 0. False at the end, or when it is not an object. */
bool tr_json_view_next(tr_slice object, size_t *at, tr_slice *key, tr_slice *value);
/* The member's value; empty when there is none. The key is compared as written (without its quotes). */
tr_slice tr_json_view_get(tr_slice object, const char *key);
/* The text between the quotes of a plain string; the value itself otherwise. */
tr_slice tr_json_view_text(tr_slice value);

#endif
