/* The row of the format "avro" in encoders.def. */
#ifndef TR_EVENTS_AVRO_ENCODER_H
#define TR_EVENTS_AVRO_ENCODER_H

#include "events/encoder.h"

extern const tr_encoder_ops tr_avro_encoder_ops;

#endif
