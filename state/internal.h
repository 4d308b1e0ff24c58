/* What the top-level files of this room share; nobody else includes it. */
#ifndef TR_STATE_INTERNAL_H
#define TR_STATE_INTERNAL_H

#include "state/store.h"

/* with_copy.c: chosen by tr_store_open, not by a scheme. */
extern const tr_store_ops tr_store_with_copy;

#endif
