#include "service/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/text.h"

#define CONNECTIONS_MAX 32u
#define CONNECTION_SECONDS 10u
#define METRICS_MAX ((size_t)4 << 20) /* bytes */

struct tr_http {
	struct MHD_Daemon *daemon;
	const tr_status_view *view;
	int fd;
	unsigned port;
};

/* Takes the body over. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned code, const char *type, char *body)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (!body)
		return MHD_NO;
	response = MHD_create_response_from_buffer(strlen(body), body, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		free(body);
		return MHD_NO;
	}
	MHD_add_response_header(response, "Content-Type", type);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	result = MHD_queue_response(connection, code, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result get_status(struct MHD_Connection *connection, const tr_http *http)
{
	json_t *root = tr_status_json(http->view);
	char *body = json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(9));

	json_decref(root);
	return answer(connection, MHD_HTTP_OK, "application/json", body);
}

static enum MHD_Result get_ready(struct MHD_Connection *connection, const tr_http *http)
{
	char reason[512], text[520];
	bool ready = tr_status_ready(http->view, reason, sizeof(reason));

	snprintf(text, sizeof(text), "%s\n", reason);
	return answer(connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, "text/plain; charset=utf-8", strdup(text));
}

static enum MHD_Result get_metrics(struct MHD_Connection *connection, const tr_http *http)
{
	tr_fleet_status fleet;
	char *body = NULL;
	tr_writer w;

	tr_writer_init(&w, METRICS_MAX);
	if (http->view->fleet) {
		tr_fleet_status_get(http->view->fleet, &fleet);
		tr_metric_render_fleet(&w, http->view->fleet_options->group, fleet.member, (int64_t)fleet.owned);
	}
	if (tr_runner_render(http->view->runner, &w) == 0) {
		tr_writer_u8(&w, 0);
		body = tr_writer_ok(&w) ? strdup((const char *)w.data) : NULL;
	}
	tr_writer_release(&w);
	return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", body);
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **request)
{
	const tr_http *http = context;

	(void)version, (void)upload, (void)upload_size, (void)request;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
		return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", strdup("only GET\n"));
	if (strcmp(url, "/healthz") == 0)
		return answer(connection, MHD_HTTP_OK, "text/plain", strdup("ok\n"));
	if (strcmp(url, "/readyz") == 0)
		return get_ready(connection, http);
	if (strcmp(url, "/status") == 0)
		return get_status(connection, http);
	if (strcmp(url, "/metrics") == 0)
		return get_metrics(connection, http);
	if (strcmp(url, "/") == 0)
		return answer(connection, MHD_HTTP_OK, "text/html; charset=utf-8", strdup(tr_http_page));
	return answer(connection, MHD_HTTP_NOT_FOUND, "text/plain", strdup("see /, /status, /metrics, /healthz, /readyz\n"));
}

static int listen_error(const char *listen, const char *reason, tr_err *err)
{
	tr_err_set(err, TR_E_HTTP, "cannot listen on \"%s\"", listen);
	tr_err_detail(err, "%s", reason);
	return tr_err_hint(err, "Give another address with --http host:port, or --http \"\" for none.");
}

/* A socket of our own, so that the reason of a failure can be told. */
static int bind_socket(const char *listen_text, int *out_fd, unsigned *out_port, tr_err *err)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *all = NULL;
	struct sockaddr_storage bound;
	socklen_t bound_size = sizeof(bound);
	char host[256], port[8], shown[8];
	int fd, one = 1, failed;

	if (!tr_status_split(listen_text, host, sizeof(host), port, sizeof(port)))
		return listen_error(listen_text, "it is not of the form host:port", err);
	failed = getaddrinfo(*host ? host : NULL, port, &hints, &all);
	if (failed != 0)
		return listen_error(listen_text, gai_strerror(failed), err);
	fd = socket(all->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, all->ai_addr, all->ai_addrlen) < 0 || listen(fd, (int)CONNECTIONS_MAX) < 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &bound_size) < 0) {
		failed = errno;
		if (fd >= 0)
			close(fd);
		freeaddrinfo(all);
		return listen_error(listen_text, strerror(failed), err);
	}
	freeaddrinfo(all);
	*out_port = 0;
	if (getnameinfo((struct sockaddr *)&bound, bound_size, NULL, 0, shown, sizeof(shown), NI_NUMERICSERV) == 0)
		*out_port = (unsigned)strtoul(shown, NULL, 10);
	*out_fd = fd;
	return 0;
}

int tr_http_start(tr_http **out, const char *listen, const tr_status_view *view, tr_err *err)
{
	tr_http *http = calloc(1, sizeof(*http));

	*out = NULL;
	if (!http)
		return tr_err_set(err, TR_E_MEMORY, "out of memory for the HTTP server");
	http->view = view;
	if (bind_socket(listen, &http->fd, &http->port, err) < 0) {
		free(http);
		return -1;
	}
	http->daemon = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD, 0, NULL, NULL, handle, http,
	    MHD_OPTION_LISTEN_SOCKET, http->fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
	    CONNECTION_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32768, MHD_OPTION_END);
	if (!http->daemon) {
		close(http->fd);
		free(http);
		return listen_error(listen, "the HTTP server did not start", err);
	}
	*out = http;
	return 0;
}

unsigned tr_http_port(const tr_http *http)
{
	return http->port;
}

void tr_http_stop(tr_http *http)
{
	if (!http)
		return;
	MHD_stop_daemon(http->daemon); /* closes the socket */
	free(http);
}
