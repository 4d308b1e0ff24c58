/*
 * From PostgreSQL types to what is published: which tr_type a column gets in the configured modes, and which function
 * converts its values. No I/O: the catalogue's facts come in as tr_pg_type through a lookup.
 *
 * One row per built-in type in a table (types.def or a const array): oid or name -> rule. The same functions serve the
 * stream (pgoutput, text or binary data) and the snapshot (COPY, text or binary), so both publish the same value.
 */
#ifndef TR_PGOUTPUT_TYPES_H
#define TR_PGOUTPUT_TYPES_H

#include "events/table.h"

/* One row of pg_type as far as it matters. */
typedef struct tr_pg_type {
	uint32_t oid;
	const char *name, *schema;  /* "int4", "pg_catalog" */
	const char *extension;      /* owner extension ("hstore", "postgis", "vector", ...), or NULL */
	char typtype;               /* b base, c composite, d domain, e enum, p pseudo, r range, m multirange */
	char category;              /* typcategory */
	char delimiter;             /* typdelim, of the element type for arrays */
	uint32_t element;           /* typelem when an array type (typcategory A), else 0 */
	uint32_t base;              /* domain: typbasetype */
	int32_t base_typmod;        /* domain: typtypmod */
	const char *const *labels;  /* enum labels in enumsortorder */
	size_t label_count;
	const struct tr_pg_attribute *attributes; /* composite: attributes in order */
	size_t attribute_count;
} tr_pg_type;

typedef struct tr_pg_attribute {
	const char *name;
	uint32_t type;
	int32_t typmod;
} tr_pg_attribute;

/* Looks a type up by oid; NULL when unknown. Results stay valid while the resolving call runs; copy what is kept. */
typedef struct tr_pg_type_lookup {
	void *context;
	const tr_pg_type *(*find)(void *context, uint32_t oid);
} tr_pg_type_lookup;

/* One column as the catalogue tells it. */
typedef struct tr_pg_column {
	const char *name;
	uint32_t type;
	int32_t typmod;
	bool not_null;
	bool generated;           /* attgenerated <> '': resolved like any other. Whether it is part of the
	                             table is the capture's to say: a stream before PostgreSQL 18 does not have it */
	bool identity;            /* part of the replica identity */
	uint16_t key_rank;        /* 1.. in the primary key (or the chosen unique index), else 0 */
	/*
	 * pg_get_expr(adbin, adrelid) of the column's default, printed with the session settings below, or NULL; NULL for
	 * identity columns, and for generated ones unless the schema has to be Debezium's, who takes their expression for a
	 * default. What of it becomes the schema's default is decided here (defaults.c).
	 */
	const char *default_expr;
	/* For a source that has no expression; read only when default_expr is NULL. */
	const char *default_text; /* text output of a constant default, or NULL */
	bool default_volatile;    /* has a default that is not constant (nextval, now()) */
} tr_pg_column;

/*
 * The session settings the text forms depend on, for every connection whose values are decoded here (walsender and
 * snapshot alike). lc_monetary stays the server's: the number of digits after a money's point is known by it alone.
 */
#define TR_PG_SESSION_SETTINGS \
	"SET client_encoding = 'UTF8'", "SET DateStyle = 'ISO, YMD'", "SET IntervalStyle = 'postgres'", "SET TimeZone = 'UTC'", \
	    "SET extra_float_digits = 3", "SET bytea_output = 'hex'"

/*
 * Fills column->type (optional, default, semantic name and parameters set), decode, decode_arg, unavailable, absent and
 * the copied flags; type stays NULL when the rules say that the column is not published. All memory from `arena`.
 */
int tr_pg_resolve(const tr_pg_column *in, const tr_pg_type_lookup *lookup, const tr_event_options *options, tr_arena *arena,
                  tr_column *column, tr_err *err);
/* True when the column's own type (domains: their base) has a binary form that its decode function reads. */
bool tr_pg_binary_ok(uint32_t type);

/* For column.propagate.source.type: names, lengths and scales as the JDBC driver reports them. */
int tr_pg_source_column(const tr_pg_column *in, const tr_pg_type_lookup *lookup, tr_arena *arena, tr_source_column *out);

#endif
