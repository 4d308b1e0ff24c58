#include "state/record.h"

#include <jansson.h>
#include <stdlib.h>

#include "core/clock.h"
#include "core/text.h"
#include "generated/version.h"

#define PART_BYTES_MAX ((size_t)16 << 20) /* of one member; tables grows with the number of tables */
#define WAY_OUT                                                                                          \
	"Nothing was changed. Restore the state from a backup, or see what the topics hold last and use " \
	"`tailrace offsets set`, or `tailrace offsets reset` to start anew."

static const char *const snapshot_names[] = {"none", "running", "done"};
static const char *const delivery_names[] = {[TR_STATE_AT_LEAST_ONCE] = "at_least_once", [TR_STATE_EXACTLY_ONCE] = "exactly_once"};

void tr_record_state_init(tr_record_state *r)
{
	*r = (tr_record_state){0};
	tr_writer_init(&r->pipeline, TR_STATE_NAME_MAX);
	tr_writer_init(&r->sink, TR_STATE_NAME_MAX);
	tr_writer_init(&r->owner, TR_STATE_NAME_MAX);
	tr_writer_init(&r->identity, PART_BYTES_MAX);
	tr_writer_init(&r->position, PART_BYTES_MAX);
	tr_writer_init(&r->tables, PART_BYTES_MAX);
}

void tr_record_state_release(tr_record_state *r)
{
	tr_writer_release(&r->pipeline);
	tr_writer_release(&r->sink);
	tr_writer_release(&r->owner);
	tr_writer_release(&r->identity);
	tr_writer_release(&r->position);
	tr_writer_release(&r->tables);
}

static bool copy_text(tr_writer *to, const tr_writer *from)
{
	tr_writer_reset(to);
	tr_writer_slice(to, tr_writer_view(from));
	return tr_writer_ok(to);
}

int tr_record_state_copy(tr_record_state *to, const tr_record_state *from, tr_err *err)
{
	to->snapshot = from->snapshot;
	to->delivery = from->delivery;
	to->reset = from->reset;
	to->sequence = from->sequence;
	to->saved_at_ms = from->saved_at_ms;
	if (copy_text(&to->pipeline, &from->pipeline) && copy_text(&to->sink, &from->sink) && copy_text(&to->owner, &from->owner) &&
	    copy_text(&to->identity, &from->identity) && copy_text(&to->position, &from->position) &&
	    copy_text(&to->tables, &from->tables))
		return 0;
	return tr_err_set(err, TR_E_MEMORY, "the state's record could not be copied");
}

void tr_record_state_stamp(tr_record_state *r, int64_t after_ms)
{
	int64_t now_ms = tr_clock_wall_ns() / 1000000;

	r->saved_at_ms = now_ms > after_ms ? now_ms : after_ms + 1;
}

/* What is written must read back: a member that is not an object would make the record unreadable. */
static int put_object(tr_writer *out, const char *name, const tr_writer *text, const char *empty, tr_err *err)
{
	json_error_t why;

	tr_writer_format(out, ",\"%s\":", name);
	if (text->len == 0) {
		tr_writer_text(out, empty);
		return 0;
	}
	json_t *node = json_loadb((const char *)text->data, text->len, JSON_REJECT_DUPLICATES, &why);
	bool object = json_is_object(node);
	json_decref(node);
	if (!object)
		return tr_err_set(err, TR_E_BUG, "the state's \"%s\" is not a JSON object", name);
	tr_writer_slice(out, tr_writer_view(text));
	return 0;
}

static void put_name(tr_writer *out, const char *name, const tr_writer *text)
{
	if (text->len == 0)
		return;
	tr_writer_format(out, ",\"%s\":\"", name);
	tr_text_json_escape(out, tr_writer_view(text));
	tr_writer_u8(out, '"');
}

int tr_record_state_encode(const tr_record_state *r, const char *pipeline, tr_writer *out, tr_err *err)
{
	tr_writer_format(out, "{\"version\":%d,\"pipeline\":\"", TR_STATE_VERSION);
	tr_text_json_escape(out, tr_slice_str(pipeline));
	tr_writer_format(out, "\",\"delivery\":\"%s\"", delivery_names[r->delivery]);
	put_name(out, "sink", &r->sink);
	put_name(out, "owner", &r->owner);
	if (put_object(out, "source", &r->identity, "{}", err) != 0 || put_object(out, "position", &r->position, "null", err) != 0)
		return -1;
	tr_writer_format(out, ",\"snapshot\":{\"state\":\"%s\"", snapshot_names[r->snapshot]);
	if (put_object(out, "tables", &r->tables, "{}", err) != 0)
		return -1;
	tr_writer_format(out, "},\"sequence\":%llu,\"saved_at_ms\":%lld%s,\"writer\":\"tailrace %s\"}",
	    (unsigned long long)r->sequence, (long long)r->saved_at_ms, r->reset ? ",\"reset\":true" : "", TR_VERSION);
	return tr_writer_ok(out) ? 0 : tr_err_set(err, TR_E_MEMORY, "the state of pipeline \"%s\" could not be built", pipeline);
}

static int corrupt(tr_err *err, const char *why)
{
	tr_err_set(err, TR_E_STATE_CORRUPT, "the stored state cannot be read");
	tr_err_detail(err, "%s", why);
	return tr_err_hint(err, WAY_OUT);
}

static int only_known(const json_t *object, const char *const *names, tr_err *err)
{
	const char *key;
	json_t *value;
	char text[128];

	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		const char *const *n = names;
		while (*n && strcmp(*n, key) != 0)
			n++;
		if (*n)
			continue;
		tr_text_format(text, sizeof(text), "its version has no member \"%s\"", key);
		return corrupt(err, text);
	}
	return 0;
}

/* An object as text; an empty object or null leaves the writer empty. */
static int take_object(const json_t *object, const char *name, tr_writer *out, tr_err *err)
{
	const json_t *node = json_object_get(object, name);
	char text[128];

	tr_writer_reset(out);
	if (json_is_null(node) || (json_is_object(node) && json_object_size(node) == 0))
		return 0;
	if (!json_is_object(node)) {
		tr_text_format(text, sizeof(text), "member \"%s\" is not an object", name);
		return corrupt(err, text);
	}
	char *dump = json_dumps(node, JSON_COMPACT | JSON_REAL_PRECISION(17));
	if (!dump)
		return tr_err_set(err, TR_E_MEMORY, "the stored state could not be read");
	tr_writer_text(out, dump);
	free(dump);
	return tr_writer_ok(out) ? 0 : tr_err_set(err, TR_E_MEMORY, "the stored state could not be read");
}

static int take_integer(const json_t *object, const char *name, int64_t *out, tr_err *err)
{
	const json_t *node = json_object_get(object, name);
	char text[128];

	*out = json_integer_value(node);
	if (json_is_integer(node) && *out >= 0)
		return 0;
	tr_text_format(text, sizeof(text), "member \"%s\" is not a number", name);
	return corrupt(err, text);
}

static int take_snapshot(const json_t *root, tr_record_state *r, tr_err *err)
{
	static const char *const known[] = {"state", "tables", NULL};
	const json_t *snapshot = json_object_get(root, "snapshot");
	const char *state = json_string_value(json_object_get(snapshot, "state"));

	if (!json_is_object(snapshot) || !state)
		return corrupt(err, "member \"snapshot\" has no state");
	if (only_known(snapshot, known, err) != 0)
		return -1;
	for (size_t i = 0; i < sizeof(snapshot_names) / sizeof(snapshot_names[0]); i++) {
		if (strcmp(state, snapshot_names[i]) == 0) {
			r->snapshot = (tr_snapshot_state)i;
			return take_object(snapshot, "tables", &r->tables, err);
		}
	}
	return corrupt(err, "the snapshot's state has no known name");
}

static int take_version(const json_t *root, json_int_t *out, tr_err *err)
{
	const json_t *version = json_object_get(root, "version");
	const char *writer = json_string_value(json_object_get(root, "writer"));

	*out = json_integer_value(version);
	if (!json_is_integer(version))
		return corrupt(err, "it has no version");
	if (*out > TR_STATE_VERSION) {
		tr_err_set(err, TR_E_STATE_NEWER, "the stored state has version %lld, this program reads up to %d", (long long)*out,
		    TR_STATE_VERSION);
		tr_err_detail(err, "written by %s", writer ? writer : "a program that it does not name");
		return tr_err_hint(err, "Run the version of tailrace that wrote it, or a newer one. Nothing was changed.");
	}
	return *out >= 1 ? 0 : corrupt(err, "its version does not exist");
}

/* What version 2 has beyond version 1. */
static int take_delivery(const json_t *root, json_int_t version, tr_record_state *r, tr_err *err)
{
	const char *name = json_string_value(json_object_get(root, "delivery"));
	const json_t *reset = json_object_get(root, "reset");

	r->delivery = TR_STATE_AT_LEAST_ONCE;
	r->reset = json_is_true(reset);
	if (version == 1)
		return 0;
	if (reset && !json_is_true(reset))
		return corrupt(err, "member \"reset\" is not true");
	for (size_t i = 0; name && i < sizeof(delivery_names) / sizeof(delivery_names[0]); i++) {
		if (strcmp(name, delivery_names[i]) == 0) {
			r->delivery = (tr_state_delivery)i;
			return 0;
		}
	}
	return corrupt(err, "its delivery has no known name");
}

/* What version 3 has beyond version 2; absent is empty. */
static int take_name(const json_t *root, const char *name, tr_writer *out, tr_err *err)
{
	const json_t *node = json_object_get(root, name);
	char text[128];

	tr_writer_reset(out);
	if (!node)
		return 0;
	tr_writer_put(out, json_string_value(node), json_string_length(node));
	if (json_string_length(node) > 0 && tr_writer_ok(out))
		return 0;
	tr_text_format(text, sizeof(text), "member \"%s\" is not a name", name);
	return corrupt(err, text);
}

static int take_pipeline(const json_t *root, tr_record_state *r, tr_err *err)
{
	const char *name = json_string_value(json_object_get(root, "pipeline"));

	tr_writer_reset(&r->pipeline);
	tr_writer_text(&r->pipeline, name ? name : "");
	return name && tr_writer_ok(&r->pipeline) ? 0 : corrupt(err, "it names no pipeline");
}

static int take(const json_t *root, tr_record_state *r, tr_err *err)
{
	static const char *const known_1[] = {"version", "pipeline", "source", "position", "snapshot", "sequence", "saved_at_ms",
	    "writer", NULL};
	static const char *const known_2[] = {"version", "pipeline", "source", "position", "snapshot", "sequence", "saved_at_ms",
	    "writer", "delivery", "reset", NULL};
	static const char *const known_3[] = {"version", "pipeline", "source", "position", "snapshot", "sequence", "saved_at_ms",
	    "writer", "delivery", "reset", "sink", "owner", NULL};
	static const char *const *const known[] = {NULL, known_1, known_2, known_3};
	json_int_t version;
	int64_t sequence;

	if (!json_is_object(root))
		return corrupt(err, "it is not a JSON object");
	if (take_version(root, &version, err) != 0 || only_known(root, known[version], err) != 0)
		return -1;
	if (take_pipeline(root, r, err) != 0 || take_delivery(root, version, r, err) != 0 ||
	    take_name(root, "sink", &r->sink, err) != 0 || take_name(root, "owner", &r->owner, err) != 0 ||
	    take_object(root, "source", &r->identity, err) != 0 || take_object(root, "position", &r->position, err) != 0 ||
	    take_snapshot(root, r, err) != 0 || take_integer(root, "sequence", &sequence, err) != 0 ||
	    take_integer(root, "saved_at_ms", &r->saved_at_ms, err) != 0)
		return -1;
	r->sequence = (uint64_t)sequence;
	return 0;
}

int tr_record_state_decode(tr_record_state *r, tr_slice text, tr_err *err)
{
	json_error_t why;
	json_t *root = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
	int result = root ? take(root, r, err) : corrupt(err, why.text);

	json_decref(root);
	return result;
}
