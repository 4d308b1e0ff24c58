/* The row of the format "json" in encoders.def. */
#ifndef TR_EVENTS_JSON_ENCODER_H
#define TR_EVENTS_JSON_ENCODER_H

#include "events/encoder.h"

extern const tr_encoder_ops tr_json_encoder_ops;

#endif
