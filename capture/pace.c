#include "capture/pace.h"

#define WINDOW_US          20000
#define GATHER_BYTES_PER_S (256u << 10)
#define FILL_BYTES_PER_S   (4u << 20)

void tr_pace_measure(tr_pace *p, int64_t now_us, tr_metrics *metrics)
{
	int64_t elapsed_us = now_us - p->window_start_us;

	if (elapsed_us < WINDOW_US)
		return;
	uint64_t rate = p->bytes * 1000000 / (uint64_t)elapsed_us;
	p->kind = rate >= FILL_BYTES_PER_S ? TR_PACE_FILL : rate >= GATHER_BYTES_PER_S ? TR_PACE_GATHER : TR_PACE_EACH;
	p->window_start_us = now_us;
	if (metrics && p->bytes)
		tr_metric_add(metrics, TR_M_BYTES_IN, (int64_t)p->bytes);
	p->bytes = 0;
}

int tr_pace_linger_ms(const tr_pace *p)
{
	return p->kind == TR_PACE_EACH ? 0 : p->kind == TR_PACE_FILL ? TR_PACE_FILL_MS : TR_PACE_GATHER_MS;
}

bool tr_pace_gathers(tr_pace *p, int64_t now_us)
{
	if (p->gather_since_us == 0)
		p->gather_since_us = now_us;
	return p->kind == TR_PACE_FILL || now_us - p->gather_since_us < TR_PACE_GATHER_MS * 1000;
}
