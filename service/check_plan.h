/*
 * The plan layer of check: which tables become which topics, under which keys, columns and schemas. Compiles the captured
 * tables as `run` would, with the database's catalogue at hand, and lets the registry judge the schemas.
 *
 * Refuses: making anything (slot, publication, topic, schema version).
 */
#ifndef TR_SERVICE_CHECK_PLAN_H
#define TR_SERVICE_CHECK_PLAN_H

#include "pipeline/pipeline.h"
#include "service/report.h"

/* What the configuration alone says. */
void tr_check_plan(tr_report *r, const tr_pipeline_config *p);
/* What the database adds. A database or registry that cannot be asked is the environment layer's finding, not ours. */
void tr_check_plan_tables(tr_report *r, const tr_pipeline_config *p);

#endif
