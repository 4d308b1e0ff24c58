#include "core/metric.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"

typedef enum kind { KIND_COUNTER, KIND_GAUGE } kind;
typedef enum unit { UNIT_COUNT, UNIT_BYTES, UNIT_SECONDS, UNIT_AGE } unit;

typedef struct row {
	const char *name, *help; /* name: with labels */
	kind kind;
	unit unit;
} row;

static const row rows[TR_M_COUNT] = {
#define TR_METRIC(symbol, name, kind, unit, help) {name, help, KIND_##kind, UNIT_##unit},
#include "core/metrics.def"
#undef TR_METRIC
};

static const tr_err_code error_codes[TR_M_ERROR_COUNT] = {
#define TR_ERROR(symbol, number, exit_code, reaction, summary) TR_E_##symbol,
#include "core/errors.def"
#undef TR_ERROR
};

void tr_metric_touch(tr_metrics *m, tr_metric metric)
{
	tr_metric_set(m, metric, tr_clock_mono_us());
}

static int error_row(tr_err_code code)
{
	for (int i = 0; i < TR_M_ERROR_COUNT; i++)
		if (error_codes[i] == code)
			return i;
	return -1;
}

void tr_metric_error(tr_metrics *m, tr_err_code code)
{
	int i = error_row(code);

	if (i >= 0)
		atomic_fetch_add_explicit(&m->errors[i], 1, memory_order_relaxed);
}

int64_t tr_metric_errors(const tr_metrics *m, tr_err_code code)
{
	int i = error_row(code);

	return i < 0 ? 0 : atomic_load_explicit(&m->errors[i], memory_order_relaxed);
}

const char *tr_metric_name(tr_metric metric)
{
	return (unsigned)metric < TR_M_COUNT ? rows[metric].name : "";
}

static size_t family_len(const char *name)
{
	return strcspn(name, "{");
}

static void head(tr_writer *w, const char *name, kind k, const char *help)
{
	size_t len = family_len(name);

	tr_writer_format(w, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)len, name, help, (int)len, name,
	    k == KIND_COUNTER ? "counter" : "gauge");
}

/* A label's value: backslash, quote and line feed are escaped, as the text format asks. */
static void label_value(tr_writer *w, const char *value)
{
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			tr_writer_u8(w, '\\');
		if (*value == '\n')
			tr_writer_text(w, "\\n");
		else
			tr_writer_u8(w, (uint8_t)*value);
	}
}

/* name{pipeline="shop",op="create"} and a space. */
static void sample_name(tr_writer *w, const char *name, const char *pipeline)
{
	size_t len = family_len(name);

	tr_writer_put(w, name, len);
	tr_writer_text(w, "{pipeline=\"");
	label_value(w, pipeline);
	if (name[len] == '{') {
		tr_writer_text(w, "\",");
		tr_writer_text(w, name + len + 1);
	} else {
		tr_writer_text(w, "\"}");
	}
	tr_writer_u8(w, ' ');
}

static void seconds(tr_writer *w, int64_t us)
{
	uint64_t magnitude = us < 0 ? 0 - (uint64_t)us : (uint64_t)us;

	tr_writer_format(w, "%s%llu.%06u", us < 0 ? "-" : "", (unsigned long long)(magnitude / 1000000),
	    (unsigned)(magnitude % 1000000));
}

static void sample(tr_writer *w, const row *r, const char *pipeline, int64_t value, int64_t now_us)
{
	if (r->unit == UNIT_AGE && value == 0)
		return; /* it has not happened yet; any number would mislead */
	sample_name(w, r->name, pipeline);
	if (r->unit == UNIT_AGE)
		seconds(w, now_us > value ? now_us - value : 0);
	else if (r->unit == UNIT_SECONDS)
		seconds(w, value);
	else
		tr_writer_decimal_i64(w, value);
	tr_writer_u8(w, '\n');
}

static bool same_family(const char *a, const char *b)
{
	return family_len(a) == family_len(b) && memcmp(a, b, family_len(a)) == 0;
}

static void render_errors(tr_writer *w, const tr_metric_source *sources, size_t count)
{
	head(w, "tailrace_errors_total", KIND_COUNTER, "Errors by code, see ERRORS.md; a code appears with its first error.");
	for (size_t s = 0; s < count; s++)
		for (int i = 0; i < TR_M_ERROR_COUNT; i++) {
			int64_t n = atomic_load_explicit(&sources[s].metrics->errors[i], memory_order_relaxed);
			if (n == 0)
				continue;
			tr_writer_text(w, "tailrace_errors_total{pipeline=\"");
			label_value(w, sources[s].pipeline);
			tr_writer_format(w, "\",code=\"TR%d\",error=\"%s\"} ", (int)error_codes[i],
			    tr_err_symbol(error_codes[i]));
			tr_writer_decimal_i64(w, n);
			tr_writer_u8(w, '\n');
		}
}

int64_t tr_metric_resident_bytes(void)
{
	long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*d %lld", &pages) != 1)
		pages = 0;
	fclose(file);
	return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void fleet_sample(tr_writer *w, const char *name, const char *help, const char *group, int64_t value)
{
	head(w, name, KIND_GAUGE, help);
	tr_writer_format(w, "%s{group=\"", name);
	label_value(w, group);
	tr_writer_format(w, "\"} %lld\n", (long long)value);
}

void tr_metric_render_fleet(tr_writer *w, const char *group, bool member, int64_t owned)
{
	fleet_sample(w, "tailrace_fleet_member", "1 while the fleet's group counts this instance.", group, member);
	fleet_sample(w, "tailrace_fleet_pipelines_owned", "Pipelines of the fleet that this instance runs.", group, owned);
}

static void render_process(tr_writer *w)
{
	head(w, "process_resident_memory_bytes", KIND_GAUGE, "Resident memory of the process.");
	tr_writer_format(w, "process_resident_memory_bytes %lld\n", (long long)tr_metric_resident_bytes());
}

void tr_metric_render(tr_writer *w, const tr_metric_source *sources, size_t count)
{
	int64_t now_us = tr_clock_mono_us();

	for (int first = 0, next; first < TR_M_COUNT; first = next) {
		head(w, rows[first].name, rows[first].kind, rows[first].help);
		for (next = first; next < TR_M_COUNT && same_family(rows[first].name, rows[next].name); next++)
			for (size_t s = 0; s < count; s++)
				sample(w, &rows[next], sources[s].pipeline,
				    tr_metric_get(sources[s].metrics, (tr_metric)next), now_us);
	}
	render_errors(w, sources, count);
	render_process(w);
}
