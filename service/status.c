#include "service/status.h"

#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/text.h"
#include "generated/version.h"

#define ANSWER_MAX ((size_t)1 << 20) /* bytes */

/* A position is a JSON object; cut ones are shown as text. */
static json_t *position_json(const char *text)
{
	json_t *value = *text ? json_loads(text, 0, NULL) : NULL;

	return value ? value : *text ? json_string(text) : json_null();
}

static json_t *error_json(const tr_err *err)
{
	char code[16];

	if (err->code == TR_OK)
		return json_null();
	snprintf(code, sizeof(code), "TR%d", (int)err->code);
	return json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", code, "error", tr_err_symbol(err->code), "message", err->text,
	    "detail", err->detail, "hint", err->hint);
}

static json_t *snapshot_json(const tr_pipeline_status *s)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:f}", "tables", (json_int_t)s->snapshot_tables, "tables_done",
	    (json_int_t)s->snapshot_tables_done, "rows", (json_int_t)s->snapshot_rows, "rows_estimated",
	    (json_int_t)s->snapshot_rows_estimated, "elapsed_seconds", (double)s->snapshot_elapsed_us / 1e6);
}

/* Who runs it; null when that is nobody, or not known. */
static json_t *owner_json(const tr_status_view *view, size_t i)
{
	tr_fleet_instance by;

	if (!tr_fleet_owner_of(view->fleet, i, &by))
		return json_null();
	return json_pack("{s:s, s:s}", "instance", by.name, "host", by.host);
}

static json_t *fleet_json(const tr_status_view *view)
{
	tr_fleet_status s;

	if (!view->fleet)
		return json_null();
	tr_fleet_status_get(view->fleet, &s);
	return json_pack("{s:s, s:s, s:b, s:I, s:I, s:o}", "group", view->fleet_options->group, "instance",
	    view->fleet_options->instance, "member", s.member, "instances", (json_int_t)s.members, "pipelines_owned",
	    (json_int_t)s.owned, "error", error_json(&s.error));
}

static json_t *pipeline_json(const tr_status_view *view, size_t i)
{
	tr_pipeline_status s;
	json_t *o = json_object();

	tr_runner_status(view->runner, i, &s);
	json_object_set_new(o, "name", json_string(s.name));
	json_object_set_new(o, "state", json_string(tr_pipeline_state_name(s.state)));
	json_object_set_new(o, "state_seconds", json_real((double)(tr_clock_mono_us() - s.state_since_us) / 1e6));
	json_object_set_new(o, "progressing", json_boolean(s.progressing));
	json_object_set_new(o, "position", position_json(s.position));
	json_object_set_new(o, "lag_bytes", json_integer((json_int_t)s.lag.lag_bytes));
	json_object_set_new(o, "lag_seconds", json_real((double)s.lag.lag_us / 1e6));
	json_object_set_new(o, "retained_bytes", json_integer((json_int_t)s.lag.retained_bytes));
	json_object_set_new(o, "events", json_integer((json_int_t)s.events));
	json_object_set_new(o, "transactions", json_integer((json_int_t)s.transactions));
	json_object_set_new(o, "records_delivered", json_integer((json_int_t)s.records_delivered));
	json_object_set_new(o, "bytes_delivered", json_integer((json_int_t)s.bytes_delivered));
	json_object_set_new(o, "saved_seconds_ago",
	    s.last_commit_age_us < 0 ? json_null() : json_real((double)s.last_commit_age_us / 1e6));
	json_object_set_new(o, "restarts", json_integer((json_int_t)s.restarts));
	json_object_set_new(o, "snapshot", snapshot_json(&s));
	json_object_set_new(o, "error", error_json(&s.error));
	if (view->fleet)
		json_object_set_new(o, "owner", owner_json(view, i));
	return o;
}

json_t *tr_status_json(const tr_status_view *view)
{
	json_t *root = json_object(), *list = json_array();

	json_object_set_new(root, "version", json_string(TR_VERSION));
	json_object_set_new(root, "uptime_seconds", json_real((double)(tr_clock_mono_us() - view->started_us) / 1e6));
	json_object_set_new(root, "fleet", fleet_json(view));
	json_object_set_new(root, "pipelines", list);
	for (size_t i = 0; i < tr_runner_count(view->runner); i++)
		json_array_append_new(list, pipeline_json(view, i));
	return root;
}

bool tr_status_ready(const tr_status_view *view, char *reason, size_t size)
{
	if (view->fleet && !tr_fleet_member(view->fleet)) {
		tr_text_format(reason, size, "fleet %s: the group has not heard of this instance", view->fleet_options->group);
		return false;
	}
	for (size_t i = 0; i < tr_runner_count(view->runner); i++) {
		tr_pipeline_status s;

		tr_runner_status(view->runner, i, &s);
		if (s.state == TR_PIPELINE_STANDBY)
			continue;
		if (s.state != TR_PIPELINE_SNAPSHOT && s.state != TR_PIPELINE_STREAMING) {
			tr_text_format(reason, size, "%s: %s%s%s", s.name, tr_pipeline_state_name(s.state),
			    s.error.code != TR_OK ? ": " : "", s.error.code != TR_OK ? s.error.text : "");
			return false;
		}
		if (!s.progressing) {
			tr_text_format(reason, size, "%s: no progress for too long while there is work", s.name);
			return false;
		}
	}
	tr_text_format(reason, size, "ok");
	return true;
}

bool tr_status_split(const char *listen, char *host, size_t host_size, char *port, size_t port_size)
{
	const char *colon = strrchr(listen, ':');
	size_t len;

	if (!colon || colon[1] == '\0' || strlen(colon + 1) >= port_size || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strtol(colon + 1, NULL, 10) > 65535)
		return false;
	len = (size_t)(colon - listen);
	if (len >= 2 && listen[0] == '[' && listen[len - 1] == ']') {
		listen++;
		len -= 2;
	} else if (memchr(listen, ':', len)) {
		return false;
	}
	if (len >= host_size)
		return false;
	memcpy(host, listen, len);
	host[len] = '\0';
	snprintf(port, port_size, "%s", colon + 1);
	return true;
}

static int connect_to(const char *listen)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *all = NULL;
	struct timeval limit = {.tv_sec = 2};
	char host[256], port[8];
	int fd = -1;

	if (!tr_status_split(listen, host, sizeof(host), port, sizeof(port)))
		return -1;
	/* An address to listen on everywhere is asked at home. */
	if (getaddrinfo(*host && strcmp(host, "0.0.0.0") != 0 && strcmp(host, "::") != 0 ? host : "127.0.0.1", port, &hints,
	        &all) != 0)
		return -1;
	for (struct addrinfo *a = all; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
		if (fd < 0)
			continue;
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		if (connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(all);
	return fd;
}

int tr_status_get(const char *listen, const char *path, int *http_code, char **body)
{
	char request[512], chunk[8192], *start;
	int fd = connect_to(listen), len, result = -1;
	ssize_t n;
	tr_writer w;

	*body = NULL;
	if (fd < 0)
		return -1;
	tr_writer_init(&w, ANSWER_MAX);
	/* 1.0: the answer ends with the connection and is not chunked. */
	len = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n", path, listen);
	if (send(fd, request, (size_t)len, MSG_NOSIGNAL) != len)
		goto out;
	while ((n = recv(fd, chunk, sizeof(chunk), 0)) > 0)
		tr_writer_put(&w, chunk, (size_t)n);
	tr_writer_u8(&w, 0);
	if (n < 0 || !tr_writer_ok(&w) || sscanf((const char *)w.data, "HTTP/%*d.%*d %d", http_code) != 1)
		goto out;
	start = strstr((char *)w.data, "\r\n\r\n");
	if (!start)
		goto out;
	*body = strdup(start + 4);
	result = *body ? 0 : -1;
out:
	tr_writer_release(&w);
	close(fd);
	return result;
}
