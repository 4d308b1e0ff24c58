/*
 * The command line: one table of commands, one of flags. Every flag that stands for an option of the configuration comes
 * from the option table; the others are here. Refuses unknown commands and flags with the nearest known one (exit 64).
 */
#ifndef TR_SERVICE_CLI_H
#define TR_SERVICE_CLI_H

#include <stdio.h>

#include "service/config.h"

#define TR_CLI_SETS_MAX 256
#define TR_CLI_ARGS_MAX 256

typedef enum tr_cli_flags {
	TR_CLI_CONFIG = 1,       /* -c, --set and the flags of options */
	TR_CLI_JSON = 2,
	TR_CLI_ONCE = 4,
	TR_CLI_NO_ENVIRONMENT = 8,
	TR_CLI_YES = 16,
	TR_CLI_PIPELINE = 32,
	TR_CLI_SET = 64,         /* --set alone */
	TR_CLI_TAIL = 128,       /* --from-beginning, --limit */
	TR_CLI_READY = 256,
	TR_CLI_FORCE = 512,
	TR_CLI_DROP = 1024,
} tr_cli_flags;

typedef struct tr_cli tr_cli;

typedef struct tr_command {
	const char *name;
	const char *arguments; /* "[TABLE...]", or "" */
	const char *summary;
	const char *description;
	const char *example;   /* whole lines */
	unsigned flags;        /* tr_cli_flags it takes */
	const char *keys;      /* with TR_CLI_CONFIG: keys and sections that it uses, separated by blanks; NULL = all */
	unsigned args_min, args_max;
	int (*run)(tr_cli *cli, tr_err *err); /* 0 and cli->exit_code, or -1 */
} tr_command;

struct tr_cli {
	const tr_command *command;
	const char *program;
	const char *config_file;
	tr_config_set sets[TR_CLI_SETS_MAX];
	size_t set_count;
	const char *args[TR_CLI_ARGS_MAX];
	size_t arg_count;
	const char *pipeline;
	uint64_t limit;      /* tail: events to show; 0 = no limit */
	bool json, once, yes, force, ready, no_environment, from_beginning, drop, help;
	int exit_code;
};

extern const tr_command tr_commands[];
extern const size_t tr_command_count;

/* Runs the program; returns its exit status. */
int tr_cli_main(int argc, char **argv);

/* For the commands: the configuration that -c, the default files and the flags name. */
int tr_cli_config(tr_cli *cli, tr_config_need need, tr_config **out, tr_err *err);
/* Command's help, or the overview when command is NULL. */
void tr_cli_help(FILE *out, const tr_command *command);

/* Escape sequences when `out` is a terminal and NO_COLOR is not set, else "". */
typedef struct tr_colours {
	const char *bold, *dim, *red, *green, *yellow, *blue, *reset;
} tr_colours;
tr_colours tr_cli_colours(FILE *out);

/* An error for a person on standard error: text, detail, hint. */
void tr_cli_error(const tr_err *err);

int tr_cmd_run(tr_cli *cli, tr_err *err);
int tr_cmd_check(tr_cli *cli, tr_err *err);
int tr_cmd_lint(tr_cli *cli, tr_err *err);
int tr_cmd_status(tr_cli *cli, tr_err *err);
int tr_cmd_offsets(tr_cli *cli, tr_err *err);
int tr_cmd_tail(tr_cli *cli, tr_err *err);
int tr_cmd_import_debezium(tr_cli *cli, tr_err *err);
int tr_cmd_version(tr_cli *cli, tr_err *err);
int tr_cmd_docs(tr_cli *cli, tr_err *err);

#endif
