/*
 * The value of a record in the state topic, a JSON object in exactly this form, so that it can be told from any other value
 * without being parsed:
 *   {"tailrace_state":1,"serial":12,"crc32":"89abcdef","record":{…state/record.h…}}
 * serial counts what was written under this key, resets included: of two records the one with the higher serial is the newer,
 * also when the record's own sequence began anew. crc32 is that of the key's bytes, a NUL, serial as it is printed, a NUL, and
 * the record's bytes: a record that was edited, cut, or copied under another key is not taken for a position.
 * A higher number of tailrace_state is refused.
 */
#ifndef TR_STATE_KAFKA_FRAME_H
#define TR_STATE_KAFKA_FRAME_H

#include "core/writer.h"

#define TR_STATE_FRAME_VERSION 1

typedef enum tr_state_frame {
	TR_STATE_FRAME_OK,
	TR_STATE_FRAME_FOREIGN, /* not of this form */
	TR_STATE_FRAME_NEWER,
	TR_STATE_FRAME_DAMAGED, /* the checksum does not match, or it ends too early */
} tr_state_frame;

void tr_state_frame_put(tr_writer *out, tr_slice key, uint64_t serial, tr_slice record);
/* serial and record (a part of value) are set only for OK. */
tr_state_frame tr_state_frame_get(tr_slice key, tr_slice value, uint64_t *serial, tr_slice *record);

#endif
