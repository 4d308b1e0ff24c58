/* tailrace docs: what the repository generates from the option table. */
#include <stdlib.h>

#include "service/cli.h"

static void markdown_cell(const char *text)
{
	for (const char *p = text; *p; p++)
		printf(*p == '|' ? "\\|" : *p == '<' ? "&lt;" : "%c", *p);
}

static void print_values(const tr_option *o)
{
	if (!o->choices) {
		printf("%s", tr_option_type_name(o));
		return;
	}
	for (size_t i = 0; o->choices[i]; i++)
		printf("%s`%s`", i > 0 ? ", " : "", o->choices[i]);
}

static void print_option(const tr_option *o)
{
	printf("| `%s`%s%s%s | ", o->path, o->flag ? "<br>`" : "", o->flag ? o->flag : "", o->flag ? "`" : "");
	print_values(o);
	printf(" | ");
	if (o->fallback)
		printf("`%s`", *o->fallback ? o->fallback : "\"\"");
	printf(" | ");
	markdown_cell(o->help);
	if (o->flags & TR_OPTION_SECRET)
		printf(" Never printed.");
	printf(" | ");
	if (o->debezium)
		printf("`%s`", o->debezium);
	printf(" |\n");
}

static void print_section(const tr_option *o, char *section, size_t size)
{
	const char *dot = strchr(o->path, '.');
	char name[32];

	snprintf(name, sizeof(name), "%.*s", dot ? (int)(dot - o->path) : 0, o->path);
	if (strcmp(name, section) == 0 && o != tr_options)
		return;
	snprintf(section, size, "%s", name);
	printf("\n%s%s\n\n| key | type | default | meaning | Debezium's property |\n|---|---|---|---|---|\n", *name ? "## " : "## top level",
	    name);
}

static void print_markdown(void)
{
	char section[32] = "";

	printf("# Configuration\n\n"
	       "Generated from the option table (`service/option_table.c`) by `tailrace docs options`; do not edit.\n\n"
	       "The file is YAML. Every key below can also be given as `--set key=value`; those with a flag have it below their name.\n"
	       "Unknown and duplicate keys are errors. In values, `${VAR}`, `${VAR:-default}` and `${file:/path}` are replaced\n"
	       "(`$${` stands for `${`). Durations have a unit (`200ms`, `10s`, `5m`, `1h`), sizes too (`512KiB`, `64MiB`).\n\n"
	       "Several pipelines in one process: a list `pipelines:` of the same maps; what stands beside it (`sink`, `events`,\n"
	       "`state`, `limits`, ...) holds for all of them unless they say otherwise. `fleet`, `http` and `log` belong to the process.\n");
	for (size_t i = 0; i < tr_option_count; i++) {
		print_section(&tr_options[i], section, sizeof(section));
		print_option(&tr_options[i]);
	}
}

/* Help as comment lines of at most 100 characters. */
static void print_comment(const char *text, int indent)
{
	while (*text) {
		size_t len = strlen(text), at = (size_t)(98 - indent);

		if (len > at) {
			while (at > 0 && text[at] != ' ')
				at--;
			len = at > 0 ? at : len;
		}
		printf("%*s# %.*s\n", indent, "", (int)len, text);
		text += len;
		text += *text == ' ';
	}
}

static void print_sample_sections(const char *path, const char **open, size_t *depth)
{
	const char *part = path, *dot;
	size_t level = 0;

	for (; (dot = strchr(part, '.')); part = dot + 1, level++) {
		size_t len = (size_t)(dot - path);

		if (level < *depth && strncmp(open[level], path, len + 1) == 0)
			continue;
		*depth = level;
		printf("%*s%.*s:\n", (int)level * 2, "", (int)(dot - part), part);
		open[(*depth)++] = path;
	}
	*depth = level;
}

static void print_sample(void)
{
	const char *open[8];
	size_t depth = 0;

	printf("# Every key with its default; keys without one are commented out, with an example.\n"
	       "# Generated from the option table by `tailrace docs sample`; do not edit.\n");
	for (size_t i = 0; i < tr_option_count; i++) {
		const tr_option *o = &tr_options[i];
		const char *leaf = strrchr(o->path, '.');
		/* The file has to be valid as it stands: Avro on Kafka needs the registry. */
		bool required = strcmp(o->path, "source.url") == 0 || strcmp(o->path, "sink.url") == 0 ||
		    strcmp(o->path, "events.registry.url") == 0;
		const char *value = o->fallback ? o->fallback : o->example ? o->example : "\"\"";

		if (!leaf && i > 0)
			printf("\n");
		else if (leaf && (i == 0 || strncmp(tr_options[i - 1].path, o->path, strcspn(o->path, ".") + 1) != 0))
			printf("\n");
		print_sample_sections(o->path, open, &depth);
		print_comment(o->help, (int)depth * 2);
		printf("%*s%s%s: %s\n", (int)depth * 2, "", o->fallback || required ? "" : "# ", leaf ? leaf + 1 : o->path,
		    *value ? value : "\"\"");
	}
}

int tr_cmd_docs(tr_cli *cli, tr_err *err)
{
	if (strcmp(cli->args[0], "options") == 0)
		print_markdown();
	else if (strcmp(cli->args[0], "sample") == 0)
		print_sample();
	else
		return tr_err_set(err, TR_E_USAGE, "there is no page \"%.40s\"; there are options and sample", cli->args[0]);
	return 0;
}
