#include "service/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/text.h"

#define BAR_CELLS 24u

void tr_progress_init(tr_progress *p)
{
	const char *term = getenv("TERM");

	*p = (tr_progress){.enabled = isatty(STDERR_FILENO) && !(term && strcmp(term, "dumb") == 0)};
}

void tr_progress_clear(tr_progress *p)
{
	if (!p->drawn)
		return;
	fputs("\r\x1b[K", stderr);
	fflush(stderr);
	p->drawn = false;
}

/* "12.3M", "456k", "78". */
static void short_number(double n, char *out, size_t size)
{
	if (n >= 1e9)
		snprintf(out, size, "%.1fG", n / 1e9);
	else if (n >= 1e6)
		snprintf(out, size, "%.1fM", n / 1e6);
	else if (n >= 1e4)
		snprintf(out, size, "%.0fk", n / 1e3);
	else
		snprintf(out, size, "%.0f", n);
}

static void time_left(double rows_left, double rows_per_second, char *out, size_t size)
{
	long seconds = rows_per_second > 0 ? (long)(rows_left / rows_per_second + 0.5) : -1;

	if (seconds < 0 || seconds > 100 * 3600)
		snprintf(out, size, "--:--");
	else if (seconds >= 3600)
		snprintf(out, size, "%ld:%02ld:%02ld", seconds / 3600, seconds / 60 % 60, seconds % 60);
	else
		snprintf(out, size, "%02ld:%02ld", seconds / 60, seconds % 60);
}

void tr_progress_line(const tr_pipeline_status *s, unsigned width, char *out, size_t size)
{
	double rows = (double)s->snapshot_rows, all = (double)s->snapshot_rows_estimated;
	double seconds = (double)s->snapshot_elapsed_us / 1e6, speed = seconds > 0.1 ? rows / seconds : 0;
	/* The estimate is the source's statistics: there may be more rows than it says. */
	double share = all > 0 ? (rows < all ? rows / all : 1) : 0;
	unsigned filled = (unsigned)(share * BAR_CELLS);
	char bar[BAR_CELLS + 1], done[16], total[16], rate[16], eta[16];

	for (unsigned i = 0; i < BAR_CELLS; i++)
		bar[i] = i < filled ? '#' : '-';
	bar[BAR_CELLS] = '\0';
	short_number(rows, done, sizeof(done));
	short_number(all > rows ? all : rows, total, sizeof(total));
	short_number(speed, rate, sizeof(rate));
	time_left(all > rows ? all - rows : 0, speed, eta, sizeof(eta));
	tr_text_format(out, width + 1 < size ? width + 1 : size, "%s: snapshot [%s] %3.0f%% %s/~%s rows, %s rows/s, %llu/%llu tables, ETA %s",
	    s->name, bar, share * 100, done, total, rate, (unsigned long long)s->snapshot_tables_done,
	    (unsigned long long)s->snapshot_tables, eta);
}

void tr_progress_draw(tr_progress *p, tr_runner *runner)
{
	struct winsize window;
	unsigned width = 100;
	char line[256];

	if (!p->enabled)
		return;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 20)
		width = window.ws_col - 1u;
	for (size_t i = 0; i < tr_runner_count(runner); i++) {
		tr_pipeline_status status;

		tr_runner_status(runner, i, &status);
		if (status.state != TR_PIPELINE_SNAPSHOT)
			continue;
		tr_progress_line(&status, width, line, sizeof(line));
		/* The cursor goes back to the start of the line: a log line then overwrites the bar. */
		fprintf(stderr, "\r%s\x1b[K\r", line);
		fflush(stderr);
		p->drawn = true;
		return;
	}
	tr_progress_clear(p);
}
