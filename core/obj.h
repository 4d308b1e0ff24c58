/* Typed void pointers: a long-lived struct starts with `uint32_t magic`; every void * border checks it. Stays on. */
#ifndef TR_CORE_OBJ_H
#define TR_CORE_OBJ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Prints the expression and place, then aborts: for what cannot happen. */
_Noreturn void tr_panic(const char *file, int line, const char *what);

#define TR_ASSERT(condition) ((condition) ? (void)0 : tr_panic(__FILE__, __LINE__, #condition))
/* For what is too frequent to be asked in a release. */
#ifdef TR_DEBUG
#define TR_DEBUG_ASSERT(condition) TR_ASSERT(condition)
#else
#define TR_DEBUG_ASSERT(condition) ((void)0)
#endif
#define TR_CHECK_OBJ(object, magic_value) TR_ASSERT((object) != NULL && (object)->magic == (magic_value))

#endif
