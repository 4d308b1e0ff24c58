/* What the tests of values share: a resolved column from the catalogue's texts, and values and types as text. */
#ifndef TR_TESTS_BINLOG_VALUES_H
#define TR_TESTS_BINLOG_VALUES_H

#include <stdio.h>

#include "decoders/binlog/column.h"
#include "tests/unit/test.h"

static inline tr_event_options value_options(void)
{
	return (tr_event_options){.time = TR_TIME_ADAPTIVE_MICROSECONDS, .null_as_default = true, .unavailable = "u"};
}

static inline void render(FILE *to, const tr_type *type, const tr_value *v)
{
	if (v->kind == TR_V_NULL) {
		fputs("null", to);
		return;
	}
	switch (type->kind) {
	case TR_BOOLEAN: fputs(v->i ? "true" : "false", to); break;
	case TR_FLOAT32: case TR_FLOAT64: fprintf(to, "%.17g", v->f); break;
	case TR_STRING: fprintf(to, "'%.*s'", (int)v->s.len, (const char *)v->s.ptr); break;
	case TR_BYTES:
		fputs("x", to);
		for (size_t i = 0; i < v->s.len; i++)
			fprintf(to, "%02x", v->s.ptr[i]);
		break;
	case TR_ARRAY: case TR_STRUCT:
		fputs("(", to);
		for (uint32_t i = 0; i < v->count; i++) {
			fputs(i > 0 ? "," : "", to);
			render(to, type->kind == TR_ARRAY ? type->item : type->fields[i].type, &v->list[i]);
		}
		fputs(")", to);
		break;
	default: fprintf(to, "%lld", (long long)v->i);
	}
}

/* The caller's to free. */
static inline char *rendered(const tr_type *type, const tr_value *v)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	render(to, type, v);
	fclose(to);
	return text;
}

/* "int32? io.debezium.time.Date {length=4} =0": kind, optional, name, parameters, default. */
static inline char *type_text(const tr_type *type)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	fprintf(to, "%s%s%s%s", tr_kind_name(type->kind), type->optional ? "?" : "", type->name ? " " : "",
	        type->name ? type->name : "");
	for (size_t i = 0; i < type->param_count; i++)
		fprintf(to, "%s%s=%s", i == 0 ? " {" : ", ", type->params[i].key, type->params[i].value);
	fputs(type->param_count > 0 ? "}" : "", to);
	if (type->default_value) {
		fputs(" =", to);
		render(to, type, type->default_value);
	}
	fclose(to);
	return text;
}

typedef struct probe {
	tr_arena arena, scratch;
	tr_bl_column in;
	tr_column column;
	tr_err err;
} probe;

static inline void probe_facts(probe *p, const tr_bl_facts *facts, const tr_event_options *options)
{
	memset(p, 0, sizeof(*p));
	tr_arena_init(&p->arena, (size_t)8 << 20);
	tr_arena_init(&p->scratch, (size_t)8 << 20);
	if (tr_bl_column_from_facts(facts, &p->arena, &p->in, &p->err) != 0 ||
	    tr_bl_resolve(&p->in, options, &p->arena, &p->column, &p->err) != 0)
		ck_abort_msg("%s: %s", facts->column_type, p->err.text);
}

/* type: COLUMN_TYPE; its first word is DATA_TYPE. */
static inline tr_bl_facts facts_of(const char *type, char data_type[64])
{
	size_t len = strcspn(type, "( ");

	memcpy(data_type, type, len);
	data_type[len] = '\0';
	return (tr_bl_facts){.name = "c", .data_type = data_type, .column_type = type, .is_nullable = "YES", .extra = "",
	                     .charset = strstr(data_type, "char") || strstr(data_type, "text") ? "utf8mb4" : NULL};
}

static inline void probe_type(probe *p, const char *type, const tr_event_options *options)
{
	char data_type[64];
	const tr_bl_facts facts = facts_of(type, data_type);

	probe_facts(p, &facts, options);
}

static inline void probe_release(probe *p)
{
	tr_arena_release(&p->arena);
	tr_arena_release(&p->scratch);
}

static inline int decode_as(probe *p, const void *bytes, size_t len, tr_datum_form form, tr_value *out)
{
	/* Exactly as long as the datum, so that a sanitizer sees any byte read beyond it. */
	uint8_t *copy = malloc(len + (len == 0));
	int result;

	memcpy(copy, bytes, len);
	result = p->column.decode(p->column.decode_arg, (tr_datum){.ptr = copy, .len = (uint32_t)len, .form = form}, &p->scratch,
	                          out, &p->err);
	if (result == 0) {
		tr_value kept;

		ck_assert(tr_value_copy(&p->arena, out, &kept));
		*out = kept;
	}
	free(copy);
	return result;
}

static inline size_t unhex(const char *hex, uint8_t *out)
{
	size_t len = 0;

	for (; hex[0]; hex += 2) {
		unsigned byte;

		while (*hex == ' ')
			hex++;
		ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
		out[len++] = (uint8_t)byte;
	}
	return len;
}

/* want NULL: refused. */
static inline void expect(probe *p, const void *bytes, size_t len, tr_datum_form form, const char *want, const char *what)
{
	tr_value value;
	int result = decode_as(p, bytes, len, form, &value);
	char *have;

	if (!want) {
		ck_assert_msg(result == -1, "%s accepted: %s", p->in.type_text, what);
		ck_assert_int_eq(p->err.code, TR_E_DECODE_VALUE);
		/* Row data never appears in an error. */
		ck_assert(strlen(what) < 4 || (!strstr(p->err.text, what) && !strstr(p->err.detail, what)));
		return;
	}
	ck_assert_msg(result == 0, "%s refused: %s (%s)", p->in.type_text, what, p->err.detail);
	have = rendered(p->column.type, &value);
	ck_assert_msg(strcmp(have, want) == 0, "%s of %s: %s, not %s", p->in.type_text, what, have, want);
	free(have);
}

static inline void expect_text(probe *p, const char *text, const char *want)
{
	expect(p, text, strlen(text), TR_D_TEXT, want, text);
}

static inline void expect_hex(probe *p, const char *hex, const char *want)
{
	uint8_t bytes[512];

	expect(p, bytes, unhex(hex, bytes), TR_D_BINARY, want, hex);
}

#endif
