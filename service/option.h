/*
 * The one table of options. Each row says a key's path, type, default and place in the settings; the YAML reader, --set,
 * the usual flags, --help, docs/CONFIGURATION.md and examples/full.yaml all come from it, so they cannot disagree.
 *
 * Refuses: options that exist only on the command line, and defaults that are written anywhere else (what depends on
 * other options is filled in by config.c and says so in its help sentence).
 */
#ifndef TR_SERVICE_OPTION_H
#define TR_SERVICE_OPTION_H

#include "core/log.h"
#include "pipeline/pipeline.h"
#include "service/tree.h"

typedef enum { TR_COMPATIBLE_DEBEZIUM_3_5, TR_COMPATIBLE_LATEST } tr_compatibility;

/* Pipelines shared with other instances; group NULL: none. */
typedef struct tr_fleet_settings {
	const char *group, *instance, *url;
	int session_timeout_ms;
	/* from the sink whose brokers these are (config_fleet.c) */
	const tr_property *properties;
	size_t property_count;
	int replication;
} tr_fleet_settings;

/* What one configuration (or one pipeline of it) says: the target of the table's offsets. */
typedef struct tr_settings {
	tr_pipeline_config pipeline;
	int compatibility; /* tr_compatibility */
	const char *http_listen;
	int log_level, log_format; /* tr_log_level, tr_log_format */
	tr_fleet_settings fleet;
} tr_settings;

typedef enum tr_option_type {
	TR_OPTION_STRING,   /* const char *; an empty text is NULL unless EMPTY_OK */
	TR_OPTION_CHOICE,   /* const char *, one of choices */
	TR_OPTION_ENUM,     /* int-sized enum: the index in choices */
	TR_OPTION_BOOL,
	TR_OPTION_INT,      /* of the member's width, within min and max */
	TR_OPTION_SIZE,     /* unsigned, bytes */
	TR_OPTION_DURATION, /* milliseconds */
	TR_OPTION_LIST,     /* const char *const * and a count */
	TR_OPTION_PATTERNS, /* list of regular expressions, joined with commas into one const char * */
	TR_OPTION_MAP,      /* tr_property * and a count */
	TR_OPTION_SPECIAL,  /* parse() */
} tr_option_type;

enum tr_option_flags {
	TR_OPTION_SECRET = 1,   /* never printed; a url's password is always hidden */
	TR_OPTION_EMPTY_OK = 2, /* "" is a value */
	TR_OPTION_PROCESS = 4,  /* belongs to the process, not to a pipeline */
	TR_OPTION_OWN = 8,      /* cannot be a default for all pipelines */
};

typedef struct tr_option tr_option;
struct tr_option {
	const char *path;          /* "events.registry.url" */
	tr_option_type type;
	const char *fallback;      /* default as text; NULL = none */
	size_t at, width, count_at; /* bytes, in tr_settings */
	const char *const *choices; /* NULL-terminated */
	int64_t min, max;          /* INT, SIZE, DURATION (milliseconds); 0 and 0 = any */
	int (*parse)(tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err);
	unsigned flags;
	const char *flag;          /* "--source", or NULL */
	const char *debezium;      /* property of the same meaning, or NULL */
	const char *example;       /* YAML flow text for the sample file when there is no default */
	const char *help;          /* sentences */
};

extern const tr_option tr_options[];
extern const size_t tr_option_count;
#define TR_OPTIONS_MAX 128

const tr_option *tr_option_find(const char *path);
/* True when some option's path starts with path and a dot. */
bool tr_option_is_section(const char *path);
/* The option whose path is the longest one that starts `path`; *rest is what follows its dot, NULL when all matched. */
const tr_option *tr_option_prefix(const char *path, const char **rest);
/* CONFIG_UNKNOWN_KEY with the nearest known key. */
int tr_option_unknown(const char *path, tr_err *err);
const char *tr_option_type_name(const tr_option *option);

/* Reads the node as the option's type and stores it. Errors name the place and the key. */
int tr_option_apply(const tr_option *option, tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err);
int tr_option_apply_default(const tr_option *option, tr_arena *arena, tr_settings *settings, tr_err *err);

/* Special types (option_rules.c). */
int tr_option_parse_skip(tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err);
int tr_option_parse_columns(tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err);
int tr_option_parse_key_columns(tr_arena *arena, const tr_node *node, tr_settings *settings, tr_err *err);

#endif
