#include "capture/incremental/window.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "core/clock.h"

static void iso_time(char out[40])
{
	int64_t now_us = tr_clock_wall_ns() / 1000;
	time_t seconds = (time_t)(now_us / 1000000);
	struct tm tm;
	char text[24];

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, 40, "%s.%06dZ", text, (int)(now_us % 1000000));
}

int tr_inc_window_new(tr_inc_window *w, tr_err *err)
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return tr_err_set(err, TR_E_SYSTEM, "could not make an id");
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(w->id, sizeof(w->id), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2],
		 b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
	iso_time(w->opened_at);
	return 0;
}

void tr_inc_window_values(const tr_inc_window *w, bool close, tr_writer *out)
{
	const char *word = close ? "close" : "open";
	char closed_at[40];

	tr_writer_format(out, "'%s-%s', 'snapshot-window-%s', '{\"openWindowTimestamp\": \"%s\"", w->id, word, word, w->opened_at);
	if (close) {
		iso_time(closed_at);
		tr_writer_format(out, ", \"closeWindowTimestamp\": \"%s\"", closed_at);
	}
	tr_writer_text(out, "}'");
}

bool tr_inc_window_is_closed_by(const tr_inc_window *w, tr_slice id)
{
	size_t len = strlen(w->id);

	return len > 0 && id.len == len + 6 && memcmp(id.ptr, w->id, len) == 0 && memcmp(id.ptr + len, "-close", 6) == 0;
}

uint32_t tr_inc_next_limit(uint32_t limit, uint32_t most, bool cut, bool too_many_keys, uint32_t row_count)
{
	if (cut || too_many_keys)
		limit = cut && row_count > 1 ? row_count : limit / 2;
	else if (limit < most)
		limit *= 2;
	return limit < 1 ? 1 : limit > most ? most : limit;
}
