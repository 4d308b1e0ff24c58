/* Inside of the room: one value of a binary JSON document, and the text that grows out of it. See json.h. */
#ifndef TR_BINLOG_JSON_VALUE_H
#define TR_BINLOG_JSON_VALUE_H

#include "decoders/binlog/json.h"

enum {
	TR_BL_JSON_SMALL_OBJECT, TR_BL_JSON_LARGE_OBJECT, TR_BL_JSON_SMALL_ARRAY, TR_BL_JSON_LARGE_ARRAY, TR_BL_JSON_LITERAL,
	TR_BL_JSON_INT16, TR_BL_JSON_UINT16, TR_BL_JSON_INT32, TR_BL_JSON_UINT32, TR_BL_JSON_INT64, TR_BL_JSON_UINT64,
	TR_BL_JSON_DOUBLE, TR_BL_JSON_STRING, TR_BL_JSON_OPAQUE = 15,
};

/* bytes: from the value's first byte to the end of what holds it; the value itself may be shorter. */
typedef struct tr_bl_json_value {
	uint8_t type;
	tr_slice bytes;
} tr_bl_json_value;

typedef struct tr_bl_json_container {
	bool object;
	unsigned word;  /* bytes of a count or an offset: 2 or 4 */
	uint32_t count;
	tr_slice bytes; /* offsets count from its start */
} tr_bl_json_container;

/* All are false when the bytes are no such thing. */
bool tr_bl_json_document(tr_slice bytes, tr_bl_json_value *out);
bool tr_bl_json_open(const tr_bl_json_value *value, tr_bl_json_container *out);
bool tr_bl_json_child(const tr_bl_json_container *c, uint32_t index, tr_bl_json_value *out);
bool tr_bl_json_key(const tr_bl_json_container *c, uint32_t index, tr_slice *out);

/* Text in a scratch arena: it doubles when it is full. why: NULL, or the reason of the failure. */
typedef struct tr_bl_json_text {
	tr_arena *scratch;
	uint8_t *data;
	size_t len, cap;
	const char *why;
	bool full; /* the arena is at its maximum */
} tr_bl_json_text;

bool tr_bl_json_room(tr_bl_json_text *t, size_t bytes);
bool tr_bl_json_fail(tr_bl_json_text *t, const char *why);
bool tr_bl_json_put(tr_bl_json_text *t, const void *bytes, size_t len);
/* Between quotes, escaped as the server does it. */
bool tr_bl_json_put_string(tr_bl_json_text *t, tr_slice text);
/* depth: containers around the value. */
bool tr_bl_json_put_value(tr_bl_json_text *t, const tr_bl_json_value *value, unsigned depth);
/* Fills the result or the error. */
int tr_bl_json_finish(const tr_bl_json_text *t, tr_slice *out, tr_err *err);

#endif
