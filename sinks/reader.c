#include "sinks/reader.h"

extern const tr_sink_reader_ops tr_sink_reader_kafka;
extern const tr_sink_reader_ops tr_sink_reader_file;

static const tr_sink_reader_ops *const kinds[] = {&tr_sink_reader_kafka, &tr_sink_reader_file};

const tr_sink_reader_ops *tr_sink_reader_find(const char *url)
{
	const tr_sink_ops *sink = tr_sink_find(url, NULL);

	for (size_t i = 0; sink && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i]->kind, sink->kind) == 0)
			return kinds[i];
	}
	return NULL;
}
