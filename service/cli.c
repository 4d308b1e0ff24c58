#include "service/cli.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/failpoint.h"
#include "core/text.h"

#define DEFAULT_FILE "tailrace.yaml"
#define SYSTEM_FILE "/etc/tailrace/tailrace.yaml"

typedef struct flag {
	const char *name, *shorthand, *argument;
	unsigned command_flags; /* any of them */
	const char *help;
} flag;

static const flag flags[] = {
    {"--config", "-c", "FILE", TR_CLI_CONFIG, "configuration; default: ./tailrace.yaml, /etc/tailrace/tailrace.yaml"},
    {"--set", NULL, "KEY=VALUE", TR_CLI_CONFIG | TR_CLI_SET, "any key of the configuration, e.g. limits.memory=128MiB"},
    {"--pipeline", NULL, "NAME", TR_CLI_PIPELINE, "which one, when the configuration has several"},
    {"--once", NULL, NULL, TR_CLI_ONCE, "end when everything committed at start is durable"},
    {"--no-environment", NULL, NULL, TR_CLI_NO_ENVIRONMENT, "connect to nothing"},
    {"--from-beginning", NULL, NULL, TR_CLI_TAIL, "from the oldest event there is, not only new ones"},
    {"--limit", NULL, "N", TR_CLI_TAIL, "end after N events"},
    {"--ready", NULL, NULL, TR_CLI_READY, "say by the exit status whether it is ready (for health checks)"},
    {"--yes", "-y", NULL, TR_CLI_YES, "do not ask"},
    {"--force", NULL, NULL, TR_CLI_FORCE, "import over a state that is there, or one of another name"},
    {"--drop", NULL, NULL, TR_CLI_DROP, "reset: also drop slot and publication at the source"},
    {"--json", NULL, NULL, TR_CLI_JSON, "print facts as JSON"},
    {"--help", "-h", NULL, ~0u, "this help"},
};
#define FLAG_COUNT (sizeof(flags) / sizeof(flags[0]))

tr_colours tr_cli_colours(FILE *out)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (!isatty(fileno(out)) || (no && *no) || (term && strcmp(term, "dumb") == 0))
		return (tr_colours){"", "", "", "", "", "", ""};
	return (tr_colours){"\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[0m"};
}

void tr_cli_error(const tr_err *err)
{
	tr_colours c = tr_cli_colours(stderr);

	fprintf(stderr, "%serror:%s %s (TR%d %s)\n", c.red, c.reset, err->text, (int)err->code, tr_err_symbol(err->code));
	if (*err->detail)
		fprintf(stderr, "  detail: %s\n", err->detail);
	if (*err->hint)
		fprintf(stderr, "  hint: %s\n", err->hint);
}

static int usage_error(tr_err *err, const char *what, const char *name, const char *near, const tr_command *command)
{
	tr_err_set(err, TR_E_USAGE, "%s \"%s\"", what, name);
	if (near)
		return tr_err_hint(err, "Did you mean \"%s\"? See: tailrace %s%s--help", near, command ? command->name : "",
		    command ? " " : "");
	return tr_err_hint(err, "See: tailrace %s%s--help", command ? command->name : "", command ? " " : "");
}

static const tr_command *find_command(const char *name, tr_err *err)
{
	const char *names[32];
	size_t count = 0;

	for (size_t i = 0; i < tr_command_count; i++) {
		if (strcmp(tr_commands[i].name, name) == 0)
			return &tr_commands[i];
		if (count < 32)
			names[count++] = tr_commands[i].name;
	}
	usage_error(err, "unknown command", name, tr_text_nearest(name, names, count), NULL);
	return NULL;
}

static int add_set(tr_cli *cli, const char *path, const char *value, tr_err *err)
{
	if (cli->set_count == TR_CLI_SETS_MAX)
		return tr_err_set(err, TR_E_USAGE, "more than %d keys are set on the command line", TR_CLI_SETS_MAX);
	cli->sets[cli->set_count++] = (tr_config_set){.path = path, .value = value};
	return 0;
}

/* "key.path=value": the text before the first = is the path. Map keys (sink.properties.a.b) have none either. */
static int add_set_text(tr_cli *cli, char *text, tr_err *err)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		tr_err_set(err, TR_E_USAGE, "--set \"%.80s\" has no value", text);
		return tr_err_hint(err, "Write it as --set key.path=value.");
	}
	*equals = '\0';
	return add_set(cli, text, equals + 1, err);
}

static int unknown_flag(const tr_cli *cli, const char *name, tr_err *err)
{
	const char *names[FLAG_COUNT + TR_OPTIONS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (flags[i].command_flags & cli->command->flags || flags[i].command_flags == ~0u)
			names[count++] = flags[i].name;
	}
	for (size_t i = 0; i < tr_option_count; i++) {
		if (tr_options[i].flag && cli->command->flags & TR_CLI_CONFIG)
			names[count++] = tr_options[i].flag;
	}
	return usage_error(err, "unknown option", name, tr_text_nearest(name, names, count), cli->command);
}

static int apply_flag(tr_cli *cli, const char *name, char *value, tr_err *err)
{
	char *end;

	if (strcmp(name, "--config") == 0)
		cli->config_file = value;
	else if (strcmp(name, "--set") == 0)
		return add_set_text(cli, value, err);
	else if (strcmp(name, "--pipeline") == 0)
		cli->pipeline = value;
	else if (strcmp(name, "--once") == 0)
		cli->once = true;
	else if (strcmp(name, "--no-environment") == 0)
		cli->no_environment = true;
	else if (strcmp(name, "--from-beginning") == 0)
		cli->from_beginning = true;
	else if (strcmp(name, "--yes") == 0)
		cli->yes = true;
	else if (strcmp(name, "--force") == 0)
		cli->force = true;
	else if (strcmp(name, "--drop") == 0)
		cli->drop = true;
	else if (strcmp(name, "--ready") == 0)
		cli->ready = true;
	else if (strcmp(name, "--json") == 0)
		cli->json = true;
	else if (strcmp(name, "--help") == 0)
		cli->help = true;
	else if (strcmp(name, "--limit") == 0) {
		cli->limit = strtoull(value, &end, 10);
		if (end == value || *end || *value == '-')
			return tr_err_set(err, TR_E_USAGE, "--limit \"%.40s\" is not a number", value);
	}
	return 0;
}

/* The flag's argument: after "=", or the next word. */
static int take_value(const tr_cli *cli, const char *name, char *inline_value, char ***at, char **out, tr_err *err)
{
	if (inline_value) {
		*out = inline_value;
		return 0;
	}
	if (!(*at)[1])
		return usage_error(err, "a value is missing after", name, NULL, cli->command);
	*out = *++*at;
	return 0;
}

static int parse_flag(tr_cli *cli, char ***at, tr_err *err)
{
	char *text = **at, *value = strchr(text, '=');
	size_t len = value ? (size_t)(value - text) : strlen(text);
	char name[64];

	tr_text_format(name, sizeof(name), "%.*s", (int)len, text);
	value = value ? value + 1 : NULL;
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		const flag *f = &flags[i];

		if (strcmp(f->name, name) != 0 && !(f->shorthand && strcmp(f->shorthand, name) == 0))
			continue;
		if (!(f->command_flags & cli->command->flags) && f->command_flags != ~0u)
			break;
		if (f->argument && take_value(cli, name, value, at, &value, err) < 0)
			return -1;
		if (!f->argument && value)
			return usage_error(err, "option takes no value:", name, NULL, cli->command);
		return apply_flag(cli, f->name, value, err);
	}
	for (size_t i = 0; i < tr_option_count && cli->command->flags & TR_CLI_CONFIG; i++) {
		if (!tr_options[i].flag || strcmp(tr_options[i].flag, name) != 0)
			continue;
		if (take_value(cli, name, value, at, &value, err) < 0)
			return -1;
		return add_set(cli, tr_options[i].path, value, err);
	}
	return unknown_flag(cli, name, err);
}

static int parse(tr_cli *cli, char **argv, tr_err *err)
{
	bool only_args = false;

	for (char **at = argv; *at; at++) {
		if (!only_args && strcmp(*at, "--") == 0) {
			only_args = true;
		} else if (!only_args && **at == '-' && (*at)[1] != '\0') {
			if (parse_flag(cli, &at, err) < 0)
				return -1;
		} else if (cli->arg_count == cli->command->args_max || cli->arg_count == TR_CLI_ARGS_MAX) {
			return usage_error(err, "unexpected argument", *at, NULL, cli->command);
		} else {
			cli->args[cli->arg_count++] = *at;
		}
	}
	if (!cli->help && cli->arg_count < cli->command->args_min)
		return usage_error(err, "an argument is missing:", cli->command->arguments, NULL, cli->command);
	return 0;
}

static void help_flags(FILE *out, const tr_command *command)
{
	fprintf(out, "\nOptions:\n");
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		char left[64];
		const flag *f = &flags[i];

		if (!(f->command_flags & command->flags) && f->command_flags != ~0u)
			continue;
		snprintf(left, sizeof(left), "%s%s%s%s%s", f->shorthand ? f->shorthand : "", f->shorthand ? ", " : "    ", f->name,
		    f->argument ? " " : "", f->argument ? f->argument : "");
		fprintf(out, "  %-30s %s\n", left, f->help);
	}
}

/* True when the list names the key or a section that it is in. */
static bool uses(const char *keys, const char *path)
{
	while (keys && *keys) {
		size_t len = strcspn(keys, " ");

		if (strncmp(path, keys, len) == 0 && (path[len] == '\0' || path[len] == '.'))
			return true;
		keys += len + (keys[len] == ' ');
	}
	return !keys;
}

static void help_option(FILE *out, const tr_option *o)
{
	fprintf(out, "  %s%s%s (", o->path, o->flag ? ", " : "", o->flag ? o->flag : "");
	for (size_t j = 0; o->choices && o->choices[j]; j++)
		fprintf(out, "%s%s", j > 0 ? " | " : "", o->choices[j]);
	fprintf(out, "%s%s%s)\n      %s\n", o->choices ? "" : tr_option_type_name(o), o->fallback ? ", default " : "",
	    o->fallback ? (*o->fallback ? o->fallback : "\"\"") : "", o->help);
}

/* The keys of one section, which begin at *i: where the command uses all, those without an option of their own by name only. */
static void help_section(FILE *out, const tr_command *command, size_t *i)
{
	const char *path = tr_options[*i].path;
	size_t len = strcspn(path, "."), first = *i, named = 0;

	fprintf(out, "\n%.*s\n", path[len] == '.' ? (int)len : (int)strlen("pipeline"), path[len] == '.' ? path : "pipeline");
	for (; *i < tr_option_count; (*i)++) {
		const tr_option *o = &tr_options[*i];

		if (path[len] == '.' ? strncmp(o->path, path, len + 1) != 0 : strchr(o->path, '.') != NULL)
			break;
		if (uses(command->keys, o->path) && (command->keys || o->flag))
			help_option(out, o);
	}
	for (size_t k = first; !command->keys && k < *i; k++)
		if (!tr_options[k].flag)
			fprintf(out, "%s%s", named++ > 0 ? ", " : "  and ", tr_options[k].path);
	fprintf(out, "%s", named > 0 ? "\n" : "");
}

static bool section_is_used(const tr_command *command, size_t i)
{
	size_t len = strcspn(tr_options[i].path, ".") + 1;

	for (size_t k = i; k < tr_option_count && (k == i || strncmp(tr_options[k].path, tr_options[i].path, len) == 0); k++)
		if (uses(command->keys, tr_options[k].path))
			return true;
	return false;
}

static void help_options(FILE *out, const tr_command *command)
{
	size_t i = 0;

	fprintf(out, "\nKeys of the configuration that it uses (in the file, as --set key=value, some as an option of their own);\n"
	             "`tailrace docs options` describes them all:\n");
	while (i < tr_option_count) {
		if (section_is_used(command, i))
			help_section(out, command, &i);
		else
			i++;
	}
}

void tr_cli_help(FILE *out, const tr_command *command)
{
	tr_colours c = tr_cli_colours(out);

	if (command) {
		fprintf(out, "%stailrace %s%s %s%s\n\n%s\n\nExample:\n%s", c.bold, command->name, c.reset, command->arguments,
		    command->flags ? " [options]" : "", command->description, command->example);
		help_flags(out, command);
		if (command->flags & TR_CLI_CONFIG)
			help_options(out, command);
		return;
	}
	fprintf(out, "%stailrace%s: a database's changes to Kafka, files or standard output\n\nCommands:\n", c.bold, c.reset);
	for (size_t i = 0; i < tr_command_count; i++)
		fprintf(out, "  %-16s %s\n", tr_commands[i].name, tr_commands[i].summary);
	fprintf(out, "\nExample:\n  tailrace run --source postgres://user@host/shop --tables 'public.*' --sink stdout\n\n"
	             "tailrace COMMAND --help tells more.\n");
}

/* Flags that make a file unnecessary. */
static bool sets_source(const tr_cli *cli)
{
	for (size_t i = 0; i < cli->set_count; i++) {
		if (strcmp(cli->sets[i].path, "source.url") == 0 || (cli->command->flags & TR_CLI_TAIL &&
		    strcmp(cli->sets[i].path, "sink.url") == 0))
			return true;
	}
	return false;
}

int tr_cli_config(tr_cli *cli, tr_config_need need, tr_config **out, tr_err *err)
{
	tr_config_request request = {.file = cli->config_file, .sets = cli->sets, .set_count = cli->set_count, .need = need};

	if (!request.file && !sets_source(cli))
		request.file = access(DEFAULT_FILE, R_OK) == 0 ? DEFAULT_FILE : access(SYSTEM_FILE, R_OK) == 0 ? SYSTEM_FILE : NULL;
	return tr_config_load(out, &request, err);
}

static int run_command(tr_cli *cli, const char *name, char **argv, tr_err *err)
{
	cli->command = find_command(name, err);
	if (!cli->command || parse(cli, argv, err) < 0)
		return -1;
	if (cli->help) {
		tr_cli_help(stdout, cli->command);
		return 0;
	}
	return cli->command->run(cli, err);
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
	return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

/* As `| head` does when it has seen enough: nothing to complain about. */
static bool reader_is_gone(int fd)
{
	struct pollfd out = {.fd = fd};

	return poll(&out, 1, 0) == 1 && (out.revents & POLLERR);
}

int tr_cli_main(int argc, char **argv)
{
	static tr_cli cli; /* large, and there is one */
	tr_err err = {0};
	const char *word = argc > 1 ? argv[1] : NULL;

	/* A connection or pipe that the other side closes is an error of its user, not the end of the process. */
	signal(SIGPIPE, SIG_IGN);
	tr_failpoint_setup();
	tr_log_setup(TR_LOG_AUTO, TR_LOG_INFO);
	cli = (tr_cli){.program = argc > 0 ? argv[0] : "tailrace"};
	if (!word) {
		tr_cli_help(stderr, NULL);
		return tr_err_exit_code(TR_E_USAGE);
	}
	if (is_one_of(word, "help", "--help", "-h")) {
		tr_cli_help(stdout, argc > 2 ? find_command(argv[2], &err) : NULL);
		return 0;
	}
	if (is_one_of(word, "--version", "-V", "-v"))
		word = "version";
	if (run_command(&cli, word, argv + 2, &err) < 0) {
		tr_cli_error(&err);
		return tr_err_exit_code(err.code);
	}
	/* Facts that could not be written are a failure: `tailrace status > /full` must not end with 0. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (reader_is_gone(STDOUT_FILENO))
			return 128 + SIGPIPE;
		tr_err_set(&err, TR_E_SYSTEM, "could not write to standard output");
		tr_cli_error(&err);
		return tr_err_exit_code(err.code);
	}
	return cli.exit_code;
}
