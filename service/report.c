#include "service/report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/text.h"
#include "service/cli.h"

static const char *const severity_names[] = {"ok", "note", "warning", "error"};

void tr_report_init(tr_report *r)
{
	*r = (tr_report){.layer = "file"};
}

void tr_report_release(tr_report *r)
{
	free(r->entries);
	json_decref(r->tables);
	*r = (tr_report){0};
}

void tr_report_add(void *report, const tr_finding *finding)
{
	tr_report *r = report;

	if (r->count == r->capacity) {
		size_t capacity = r->capacity ? r->capacity * 2 : 32;
		tr_report_entry *entries = capacity > TR_REPORT_MAX * 2 ? NULL : realloc(r->entries, capacity * sizeof(*entries));

		if (!entries || r->count >= TR_REPORT_MAX) {
			r->entries = entries ? entries : r->entries;
			r->dropped++;
			return;
		}
		r->entries = entries;
		r->capacity = capacity;
	}
	r->entries[r->count++] = (tr_report_entry){.layer = r->layer, .pipeline = r->pipeline, .finding = *finding};
}

void tr_report_error(tr_report *r, const char *subject, const tr_err *err)
{
	tr_finding f = {.severity = TR_FINDING_ERROR, .code = err->code};

	tr_text_format(f.subject, sizeof(f.subject), "%s", subject);
	tr_text_format(f.what, sizeof(f.what), "%s", err->text);
	tr_text_format(f.why, sizeof(f.why), "%s", *err->detail ? err->detail : tr_err_summary(err->code));
	tr_text_format(f.fix, sizeof(f.fix), "%s", err->hint);
	tr_report_add(r, &f);
}

void tr_report_ok(tr_report *r, const char *subject, const char *format, ...)
{
	tr_finding f = {.severity = TR_FINDING_OK};
	va_list args;

	tr_text_format(f.subject, sizeof(f.subject), "%s", subject);
	va_start(args, format);
	tr_text_vformat(f.what, sizeof(f.what), format, args);
	va_end(args);
	tr_report_add(r, &f);
}

void tr_report_table(tr_report *r, json_t *table)
{
	if (!r->tables)
		r->tables = json_array();
	json_array_append_new(r->tables, table);
}

int tr_report_exit_code(const tr_report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->entries[i].finding.severity == TR_FINDING_ERROR)
			return tr_err_exit_code(r->entries[i].finding.code == TR_OK ? TR_E_CONFIG : r->entries[i].finding.code);
	}
	return 0;
}

bool tr_report_failed(const tr_report *r, const char *layer)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->entries[i].finding.severity == TR_FINDING_ERROR && strcmp(r->entries[i].layer, layer) == 0)
			return true;
	}
	return false;
}

static void print_json(const tr_report *r, FILE *out)
{
	json_t *list = json_array(), *root = json_object();

	for (size_t i = 0; i < r->count; i++) {
		const tr_report_entry *e = &r->entries[i];
		const tr_finding *f = &e->finding;
		json_t *o = json_object();

		json_object_set_new(o, "layer", json_string(e->layer));
		if (e->pipeline)
			json_object_set_new(o, "pipeline", json_string(e->pipeline));
		json_object_set_new(o, "severity", json_string(severity_names[f->severity]));
		if (f->code != TR_OK) {
			char code[16];
			snprintf(code, sizeof(code), "TR%d", (int)f->code);
			json_object_set_new(o, "code", json_string(code));
			json_object_set_new(o, "error", json_string(tr_err_symbol(f->code)));
		}
		json_object_set_new(o, "subject", json_string(f->subject));
		json_object_set_new(o, "what", json_string(f->what));
		json_object_set_new(o, "why", json_string(f->why));
		json_object_set_new(o, "fix", json_string(f->fix));
		json_array_append_new(list, o);
	}
	json_object_set_new(root, "ok", json_boolean(tr_report_exit_code(r) == 0));
	json_object_set_new(root, "exit_code", json_integer(tr_report_exit_code(r)));
	json_object_set_new(root, "findings", list);
	if (r->tables)
		json_object_set(root, "tables", r->tables);
	json_dumpf(root, out, JSON_INDENT(2));
	fputc('\n', out);
	json_decref(root);
}

/* Further lines of a text (SQL may have several) keep the indentation. */
static void print_indented(FILE *out, const char *label, const char *text)
{
	fprintf(out, "    %s ", label);
	for (const char *p = text; *p; p++) {
		fputc(*p, out);
		if (*p == '\n')
			fprintf(out, "    %*s ", (int)strlen(label), "");
	}
	fputc('\n', out);
}

static void print_text(const tr_report *r, FILE *out)
{
	tr_colours c = tr_cli_colours(out);
	const char *const colours[] = {c.green, c.blue, c.yellow, c.red}, *layer = "", *pipeline = "";
	unsigned counts[4] = {0};

	for (size_t i = 0; i < r->count; i++) {
		const tr_report_entry *e = &r->entries[i];
		const tr_finding *f = &e->finding;

		if (strcmp(layer, e->layer) != 0 || strcmp(pipeline, e->pipeline ? e->pipeline : "") != 0)
			fprintf(out, "%s%s%s%s%s%s\n", c.bold, e->layer, e->pipeline ? " of " : "", e->pipeline ? e->pipeline : "", c.reset, ":");
		layer = e->layer;
		pipeline = e->pipeline ? e->pipeline : "";
		counts[f->severity]++;
		fprintf(out, "  %s%-7s%s %s: %s", colours[f->severity], severity_names[f->severity], c.reset, f->subject, f->what);
		if (f->code != TR_OK)
			fprintf(out, " (TR%d %s)", (int)f->code, tr_err_symbol(f->code));
		fputc('\n', out);
		if (*f->why)
			print_indented(out, "why:", f->why);
		if (*f->fix)
			print_indented(out, "fix:", f->fix);
	}
	if (r->dropped > 0)
		fprintf(out, "  ... and %zu more\n", r->dropped);
	fprintf(out, "%u ok, %u note%s, %u warning%s, %u error%s\n", counts[0], counts[1], counts[1] == 1 ? "" : "s", counts[2],
	    counts[2] == 1 ? "" : "s", counts[3], counts[3] == 1 ? "" : "s");
}

void tr_report_print(const tr_report *r, bool json, FILE *out)
{
	if (json)
		print_json(r, out);
	else
		print_text(r, out);
}
