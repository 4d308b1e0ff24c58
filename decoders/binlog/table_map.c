#include <stdlib.h>

#include "decoders/binlog/decoder.h"

static tr_bl_shape **bucket_of(tr_bl_decoder *d, uint64_t id)
{
	return &d->buckets[id & (TR_BL_SHAPE_BUCKETS - 1)];
}

static void free_shape(tr_bl_decoder *d, tr_bl_shape *s)
{
	if (d->handler.forget)
		d->handler.forget(d->context, &s->table);
	tr_arena_release(&s->arena);
	free(s);
	d->shape_count--;
}

static void drop_shape(tr_bl_decoder *d, tr_bl_shape **link)
{
	tr_bl_shape *s = *link;

	*link = s->next;
	free_shape(d, s);
}

void tr_bl_drop_shapes(tr_bl_decoder *d)
{
	for (size_t i = 0; i < TR_BL_SHAPE_BUCKETS; i++)
		while (d->buckets[i])
			drop_shape(d, &d->buckets[i]);
}

static tr_bl_shape **link_of(tr_bl_decoder *d, uint64_t id)
{
	tr_bl_shape **link = bucket_of(d, id);

	while (*link && (*link)->table.id != id)
		link = &(*link)->next;
	return link;
}

tr_bl_shape *tr_bl_find_shape(tr_bl_decoder *d, uint64_t id)
{
	tr_bl_shape *s = *link_of(d, id);

	return s && s->statement == d->statement ? s : NULL;
}

/* The one not seen for longest. A statement's own tables stay: they were seen last. */
static void make_room(tr_bl_decoder *d)
{
	tr_bl_shape **oldest = NULL;

	for (size_t i = 0; i < TR_BL_SHAPE_BUCKETS; i++)
		for (tr_bl_shape **link = &d->buckets[i]; *link; link = &(*link)->next)
			if ((*link)->statement != d->statement && (!oldest || (*link)->used < (*oldest)->used))
				oldest = link;
	if (oldest)
		drop_shape(d, oldest);
}

void tr_bl_list_tables(const tr_bl_decoder *d, tr_writer *out)
{
	const char *before = ", rows of ";

	for (size_t i = 0; i < TR_BL_SHAPE_BUCKETS; i++)
		for (const tr_bl_shape *s = d->buckets[i]; s; s = s->next)
			if (s->statement == d->statement) {
				tr_writer_format(out, "%s\"%.*s.%.*s\"", before, (int)s->table.database.len,
						 (const char *)s->table.database.ptr, (int)s->table.name.len, (const char *)s->table.name.ptr);
				before = " or ";
			}
}

static tr_slice read_name(tr_reader *r)
{
	tr_slice name = tr_reader_bytes(r, tr_bl_packed(r));

	tr_reader_u8(r); /* NUL */
	return name;
}

static int read_body(tr_bl_cursor *c, tr_bl_shape *s, tr_err *err)
{
	tr_reader_init(&c->r, s->body);
	s->table.database = read_name(&c->r);
	s->table.name = read_name(&c->r);
	s->table.column_count = tr_bl_packed(&c->r);
	if (tr_bl_finish(c, err) != 0)
		return -1;
	if (s->table.column_count > TR_BL_COLUMNS_MAX)
		return tr_bl_fail(c, TR_E_DECODE_PROTOCOL, err, "%zu columns; a table can have %d", s->table.column_count,
		                  TR_BL_COLUMNS_MAX);
	if (tr_bl_read_columns(c, s, err) != 0)
		return -1;
	return tr_bl_read_optional(c, s, err);
}

static int new_shape(tr_bl_cursor *c, uint64_t id, tr_slice body, tr_bl_shape **out, tr_err *err)
{
	tr_bl_decoder *d = c->d;
	tr_bl_shape **link, *s;

	if (d->shape_count >= d->tables_max)
		make_room(d);
	s = calloc(1, sizeof(*s));
	if (!s)
		return tr_bl_oom(c, err);
	tr_arena_init(&s->arena, d->event_max_bytes);
	s->body = tr_slice_of(tr_arena_memdup(&s->arena, body.ptr, body.len), body.len);
	s->table.id = id;
	s->table.serial = ++d->serial;
	if (!s->body.ptr || read_body(c, s, err) != 0) {
		int result = s->body.ptr ? -1 : tr_bl_oom(c, err);

		tr_arena_release(&s->arena);
		free(s);
		return result;
	}
	link = bucket_of(d, id);
	s->next = *link;
	*link = s;
	d->shape_count++;
	*out = s;
	return 0;
}

int tr_bl_read_table_map(tr_bl_cursor *c, tr_err *err)
{
	tr_bl_decoder *d = c->d;
	tr_reader post = tr_bl_post(c, 6);
	size_t post_bytes = tr_reader_left(&post);
	uint64_t id = post_bytes >= 2 + 6 ? tr_reader_le(&post, 6) : tr_reader_le(&post, 4);
	tr_slice body = tr_reader_bytes(&c->r, tr_reader_left(&c->r));
	tr_bl_shape **link = link_of(d, id), *s = *link;

	if (tr_bl_finish(c, err) != 0)
		return -1;
	if (s && !tr_slice_eq(s->body, body)) {
		drop_shape(d, link);
		s = NULL;
	}
	if (!s && new_shape(c, id, body, &s, err) != 0)
		return -1;
	s->statement = d->statement;
	s->used = ++d->clock;
	s->table.wanted = true;
	return d->handler.table_map ? d->handler.table_map(d->context, &c->e, &s->table, err) : 0;
}
