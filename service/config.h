/*
 * The whole configuration of a process: read, expanded, checked as far as it can be without a network, with every default
 * filled in. Owns all strings that the pipelines borrow.
 *
 * Refuses: unknown keys, duplicates, what this build cannot do, combinations that cannot work.
 */
#ifndef TR_SERVICE_CONFIG_H
#define TR_SERVICE_CONFIG_H

#include "core/finding.h"
#include "service/option.h"

#define TR_CONFIG_PIPELINES_MAX 256

/* One --set, or one of the usual flags. */
typedef struct tr_config_set {
	const char *path, *value;
} tr_config_set;

/* What a command is going to use: only that has to be there, and is filled in. */
typedef enum tr_config_need {
	TR_CONFIG_WHOLE, /* a pipeline that runs */
	TR_CONFIG_STATE, /* name and state */
	TR_CONFIG_READ,  /* nothing; the name when it can be known */
} tr_config_need;

typedef struct tr_config_request {
	const char *file; /* NULL: none */
	tr_slice text;    /* instead of a file, when ptr is set; `file` is then its name in messages */
	const tr_config_set *sets;
	size_t set_count;
	tr_config_need need;
} tr_config_request;

typedef struct tr_config {
	tr_arena arena;
	const char *file; /* NULL: flags only */
	tr_settings process; /* what stands at the top */
	tr_settings *pipelines;
	size_t count;
} tr_config;

int tr_config_load(tr_config **out, const tr_config_request *request, tr_err *err);
void tr_config_free(tr_config *config);
/* The pipeline with this name; NULL name: the only one. CONFIG or USAGE error otherwise. */
int tr_config_pipeline(tr_config *config, const char *name, tr_settings **out, tr_err *err);
/* What is allowed but worth knowing: notes and warnings. */
void tr_config_review(const tr_config *config, tr_finding_fn report, void *context);

/* Builds the tree a request describes, without checking keys: file, then sets. */
int tr_config_tree(tr_arena *arena, const tr_config_request *request, tr_node **out, tr_err *err);
/* Puts text under a dotted path, making maps on the way. */
int tr_config_put(tr_arena *arena, tr_node *root, const char *path, const char *text, tr_err *err);
int tr_config_put_node(tr_arena *arena, tr_node *root, const char *path, tr_node *value, tr_err *err);

/* Fills in what depends on other options, and checks the combination (config_finish.c). */
int tr_config_finish(tr_arena *arena, tr_settings *settings, tr_config_need need, const bool *given, tr_err *err);
/* The same for the process and its fleet, after its pipelines (config_fleet.c). */
int tr_config_fleet(tr_config *config, tr_err *err);
/* The url without its password; urls that cannot be understood become "(hidden)". Result in out. */
const char *tr_config_redact(const char *url, char *out, size_t size);
/* The database's name in a url, decoded: path, or dbname=; of PostgreSQL also the user, as libpq has it. NULL when there is
 * none. */
const char *tr_config_database(tr_arena *arena, const char *url);
/* Where a service keeps its state when it may, where a user's program keeps it otherwise. NULL: there is no such place. */
const char *tr_config_state_dir(tr_arena *arena);

#endif
