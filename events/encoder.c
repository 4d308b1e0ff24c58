#include "events/encoder.h"

#define TR_ENCODER(format, ops) extern const tr_encoder_ops ops;
#include "events/encoders.def"
#undef TR_ENCODER

static const struct {
	tr_format format;
	const tr_encoder_ops *ops;
} encoders[] = {
#define TR_ENCODER(format, ops) {format, &ops},
#include "events/encoders.def"
#undef TR_ENCODER
};

const tr_encoder_ops *tr_encoder_find(tr_format format)
{
	for (size_t i = 0; i < sizeof(encoders) / sizeof(encoders[0]); i++)
		if (encoders[i].format == format)
			return encoders[i].ops;
	return NULL;
}
