/* Findings of check and lint: collected in order, printed for people or as JSON, and turned into an exit status. */
#ifndef TR_SERVICE_REPORT_H
#define TR_SERVICE_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "core/finding.h"

#define TR_REPORT_MAX 20000

typedef struct tr_report_entry {
	const char *layer, *pipeline; /* "file", "plan", "environment"; pipeline may be NULL */
	tr_finding finding;
} tr_report_entry;

typedef struct tr_report {
	tr_report_entry *entries;
	size_t count, capacity, dropped;
	const char *layer, *pipeline; /* of what is added next */
	json_t *tables;               /* for print with json: the plan of each table; NULL = none was looked at */
} tr_report;

void tr_report_init(tr_report *r);
void tr_report_release(tr_report *r);
void tr_report_add(void *report, const tr_finding *finding); /* a tr_finding_fn */
/* An error as a finding: what, and the hint as the fix. */
void tr_report_error(tr_report *r, const char *subject, const tr_err *err);
void tr_report_ok(tr_report *r, const char *subject, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Takes the object over. */
void tr_report_table(tr_report *r, json_t *table);
/* 0 without errors; else the status of the first error of the worst kind. */
int tr_report_exit_code(const tr_report *r);
/* True when a layer holds an error. */
bool tr_report_failed(const tr_report *r, const char *layer);
void tr_report_print(const tr_report *r, bool json, FILE *out);

#endif
