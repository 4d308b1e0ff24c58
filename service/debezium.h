/*
 * A Debezium connector's configuration in our terms. Every property is either mapped or named with the reason why it has
 * no counterpart: nothing is dropped in silence. Debezium's defaults are written out where ours differ, so that topics
 * can be continued.
 */
#ifndef TR_SERVICE_DEBEZIUM_H
#define TR_SERVICE_DEBEZIUM_H

#include "service/config.h"

#define TR_DEBEZIUM_PROPERTIES_MAX 1024

typedef enum { TR_DBZ_POSTGRES = 1, TR_DBZ_MYSQL = 2, TR_DBZ_MARIADB = 4, TR_DBZ_ALL = 7 } tr_dbz_connector;

typedef struct tr_dbz_property {
	const char *name, *value;
	bool used;
} tr_dbz_property;

typedef struct tr_dbz {
	tr_arena *arena;
	tr_dbz_property properties[TR_DEBEZIUM_PROPERTIES_MAX];
	size_t count;
	tr_dbz_connector connector;
	tr_node *root;     /* our configuration as it grows */
	tr_node *columns;  /* events.columns, or NULL */
	void (*note)(void *context, const char *property, const char *reason);
	void *context;
} tr_dbz;

/* Connect's JSON ({"name","config"} or the configuration alone), a .properties file, or Debezium Server's. */
int tr_dbz_read(tr_dbz *d, tr_slice text, tr_err *err);
/* Fills d->root; note() is called for everything without a counterpart. */
int tr_dbz_map(tr_dbz *d, tr_err *err);
/* The value, marking the property as used; NULL when absent. */
const char *tr_dbz_take(tr_dbz *d, const char *name);
/* Sets a key of ours; ${ in the value becomes $${. */
int tr_dbz_set(tr_dbz *d, const char *path, const char *value, tr_err *err);

/* What one row per property cannot say (debezium_special.c). */
int tr_dbz_map_source(tr_dbz *d, tr_err *err);
int tr_dbz_map_columns(tr_dbz *d, tr_err *err);
int tr_dbz_map_converters(tr_dbz *d, tr_err *err);
int tr_dbz_map_sink(tr_dbz *d, tr_err *err);
int tr_dbz_map_rest(tr_dbz *d, tr_err *err);
/* Splits at commas that are not escaped, trims; the list node, or NULL when out of memory. */
tr_node *tr_dbz_list(tr_dbz *d, const char *text, char separator);

#endif
