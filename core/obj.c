#include "core/obj.h"

void tr_panic(const char *file, int line, const char *what)
{
	fprintf(stderr, "tailrace: bug: %s:%d: %s does not hold\n", file, line, what);
	abort();
}
