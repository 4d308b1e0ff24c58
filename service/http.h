/*
 * The service's small HTTP server: /healthz, /readyz, /status, /metrics and a status page at /. Reading only, no
 * credentials, one thread of its own; binds to 127.0.0.1 unless told otherwise.
 */
#ifndef TR_SERVICE_HTTP_H
#define TR_SERVICE_HTTP_H

#include "service/status.h"

typedef struct tr_http tr_http;

/* listen: "host:port", ":port" (all addresses), "[v6]:port"; port 0 picks one. view is borrowed until stop. */
int tr_http_start(tr_http **out, const char *listen, const tr_status_view *view, tr_err *err);
/* The port it listens on. */
unsigned tr_http_port(const tr_http *http);
void tr_http_stop(tr_http *http); /* NULL is fine */

extern const char tr_http_page[]; /* the status page (page.c) */

#endif
