/*
 * Named places at which a test can stop the world. TAILRACE_FAILPOINT="name=kill[:n]" (kill -9 itself at the n-th pass),
 * "name=error[:n]" (the caller gets true, at the n-th pass or else at each, and must fail), "name=sleep:ms" (at each
 * pass). Several are separated by commas; one that cannot be understood ends the program with 64. Costs one
 * load when none is set. The names stand in failpoints.def so that a sweep can list them all.
 */
#ifndef TR_CORE_FAILPOINT_H
#define TR_CORE_FAILPOINT_H

#include <stdbool.h>

typedef enum tr_failpoint {
#define TR_FAILPOINT(symbol, name, prose) TR_FP_##symbol,
#include "core/failpoints.def"
#undef TR_FAILPOINT
	TR_FP_COUNT
} tr_failpoint;

extern bool tr_failpoint_any;
void tr_failpoint_setup(void); /* reads the environment once, at start */
bool tr_failpoint_hit(tr_failpoint point);
const char *tr_failpoint_name(tr_failpoint point);

static inline bool tr_failpoint_at(tr_failpoint point)
{
	return __builtin_expect(tr_failpoint_any, 0) && tr_failpoint_hit(point);
}

#endif
