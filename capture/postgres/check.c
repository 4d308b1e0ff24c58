#include "capture/postgres/postgres.h"
int tr_pgc_check(tr_pgc *s, tr_finding_fn report, void *context, tr_err *err) { (void)s;(void)report;(void)context; return tr_err_set(err, TR_E_BUG, "x"); }
