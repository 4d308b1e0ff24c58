#include "core/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"
#include "core/writer.h"

#define LINE_MAX_BYTES ((size_t)16384)
#define MESSAGE_MAX_BYTES 2048

/* Set once at start, before there are threads; atomic so that a library's early log line is no race. */
static atomic_int min_level = TR_LOG_INFO;
static atomic_int chosen_format = TR_LOG_AUTO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void tr_log_setup(tr_log_format format, tr_log_level level)
{
	chosen_format = format;
	min_level = level;
}

typedef struct entry {
	tr_log_level level;
	const char *pipeline, *event, *message;
	const tr_err *err; /* or NULL */
} entry;

/* RFC 3339, UTC, milliseconds. */
static void write_time(tr_writer *w)
{
	int64_t now_ns = tr_clock_wall_ns();
	time_t seconds = (time_t)(now_ns / 1000000000);
	struct tm tm;

	gmtime_r(&seconds, &tm);
	tr_writer_format(w, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
	    tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(now_ns / 1000000 % 1000));
}

static void json_field(tr_writer *w, const char *name, const char *value)
{
	if (!value || !*value)
		return;
	tr_writer_format(w, ",\"%s\":\"", name);
	tr_text_json_escape(w, tr_slice_str(value));
	tr_writer_u8(w, '"');
}

static void write_json(tr_writer *w, const entry *e)
{
	tr_writer_text(w, "{\"ts\":\"");
	write_time(w);
	tr_writer_u8(w, '"');
	json_field(w, "level", level_names[e->level]);
	json_field(w, "pipeline", e->pipeline);
	json_field(w, "event", e->event);
	json_field(w, "message", e->message);
	if (e->err) {
		tr_writer_format(w, ",\"code\":\"TR%d\"", (int)e->err->code);
		json_field(w, "error", tr_err_symbol(e->err->code));
		json_field(w, "detail", e->err->detail);
		json_field(w, "hint", e->err->hint);
	}
	tr_writer_text(w, "}\n");
}

/* Texts may come from a server: only printable characters reach the terminal, further lines are indented. */
static void plain(tr_writer *w, const char *text, const char *line_end)
{
	size_t len = strlen(text);

	while (len > 0 && text[len - 1] == '\n')
		len--;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			tr_writer_format(w, "%s    ", line_end);
		else
			tr_writer_u8(w, ((uint8_t)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f ? '?' : (uint8_t)text[i]);
	}
}

static void plain_line(tr_writer *w, const char *name, const char *text, const char *line_end)
{
	if (!*text)
		return;
	tr_writer_format(w, "  %s: ", name);
	plain(w, text, line_end);
	tr_writer_text(w, line_end);
}

/* line_end: clears the rest of the line first where a progress bar may stand. */
static void write_text(tr_writer *w, const entry *e, bool colour, const char *line_end)
{
	static const char *const colours[] = {"\x1b[2m", "", "\x1b[33m", "\x1b[31m"};
	const char *on = colour ? colours[e->level] : "";

	write_time(w);
	tr_writer_format(w, " %s%-5s%s ", on, level_names[e->level], *on ? "\x1b[0m" : "");
	if (e->pipeline && *e->pipeline) {
		plain(w, e->pipeline, line_end);
		tr_writer_text(w, ": ");
	}
	plain(w, e->message, line_end);
	if (e->err)
		tr_writer_format(w, " (TR%d %s)", (int)e->err->code, tr_err_symbol(e->err->code));
	tr_writer_text(w, line_end);
	if (e->err) {
		plain_line(w, "detail", e->err->detail, line_end);
		plain_line(w, "hint", e->err->hint, line_end);
	}
}

/* One write, so that lines of several threads or processes do not mix. */
static void put_line(tr_slice line)
{
	while (line.len > 0) {
		ssize_t n = write(STDERR_FILENO, line.ptr, line.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		line = tr_slice_of(line.ptr + n, line.len - (size_t)n);
	}
}

static void put_entry(const entry *e)
{
	int saved = errno;
	bool terminal = isatty(STDERR_FILENO) == 1;
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	bool clears = terminal && !(term && strcmp(term, "dumb") == 0);
	tr_writer w;

	tr_writer_init(&w, LINE_MAX_BYTES);
	if (chosen_format == TR_LOG_JSON || (chosen_format == TR_LOG_AUTO && !terminal))
		write_json(&w, e);
	else
		write_text(&w, e, terminal && !(no_colour && *no_colour), clears ? "\x1b[K\n" : "\n");
	put_line(tr_writer_view(&w));
	tr_writer_release(&w);
	errno = saved;
}

void tr_log(tr_log_level level, const char *pipeline, const char *event, const char *format, ...)
{
	char message[MESSAGE_MAX_BYTES];
	va_list args;

	if ((int)level < min_level)
		return;
	va_start(args, format);
	tr_text_vformat(message, sizeof(message), format, args);
	va_end(args);
	put_entry(&(entry){.level = level, .pipeline = pipeline, .event = event, .message = message});
}

void tr_log_err(tr_log_level level, const char *pipeline, const char *event, const tr_err *err)
{
	if ((int)level < min_level)
		return;
	put_entry(&(entry){.level = level, .pipeline = pipeline, .event = event, .message = err->text, .err = err});
}
