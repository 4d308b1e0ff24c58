#include "events/avro/registry.h"

#include <curl/curl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/map.h"
#include "core/obj.h"
#include "core/text.h"
#include "events/json/json_text.h"

#define ANSWER_MAX_BYTES ((size_t)1 << 20)
#define REQUEST_MAX_BYTES ((size_t)64 << 20)
#define URL_MAX_BYTES ((size_t)16384)
#define ADDRESS_MAX 16
#define CACHED_SCHEMAS_MAX 10000 /* ids come from what is read, so their number needs a bound */
#define STOP_POLL_MS 50
#define SAY_AFTER_US 3000000
/* Where Apicurio serves this protocol; what stands before it is the root of its own API. */
#define APICURIO_PATH "/apis/ccompat/"
#define CONTENT_TYPE "application/vnd.schemaregistry.v1+json"

typedef struct address {
	char *url;   /* no slash at the end */
	char *shown; /* without user and password */
	char *secret; /* the password in url, or NULL */
} address;

struct tr_avro_registry {
	uint32_t magic;
	pthread_mutex_t lock; /* guards all below */
	CURL *curl;
	struct curl_slist *headers;
	address addresses[ADDRESS_MAX];
	size_t address_count, current; /* current: answered last */
	char *user, *password, *bearer_token, *ca_file, *cert_file, *key_file;
	bool auto_register;
	int timeout_ms, retry_ms;
	tr_map *schemas; /* id (its 4 bytes) -> schema text */
	tr_writer url, body, answer;
	bool answer_too_long;
	const volatile bool *stop; /* of the running call */
	char curl_message[CURL_ERROR_SIZE];
};
#define REGISTRY_MAGIC 0xa7205001u

/* One exchange: what is asked, and what came back. */
typedef struct exchange {
	const char *what;    /* for messages: `could not register the schema of subject "x"` */
	const char *subject; /* or NULL */
	const char *path;    /* after the address; already percent-encoded */
	bool post;           /* with r->body */
	const struct curl_slist *headers; /* instead of the usual ones, and `path` counts from before APICURIO_PATH; or NULL */
	long status;
	json_t *json;        /* the answer, owned by the caller; NULL when it is not JSON */
} exchange;

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_started;

static void start_curl(void)
{
	curl_started = curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static int no_memory(tr_err *err)
{
	return tr_err_set(err, TR_E_MEMORY, "out of memory in the schema registry client");
}

/* "http://user:secret@host/path" without the part before the @. */
static char *without_userinfo(const char *url)
{
	const char *host = strstr(url, "://");
	char *out = NULL;

	host = host ? host + 3 : url;
	size_t authority = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', authority);
	if (!at)
		return strdup(url);
	if (asprintf(&out, "%.*s%s", (int)(host - url), url, at + 1) < 0)
		return NULL;
	return out;
}

/* The password of "http://user:secret@host/path", decoded; NULL when there is none. */
static char *password_of(const char *url)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	const char *at = memrchr(host, '@', strcspn(host, "/?#"));
	const char *colon = at ? memchr(host, ':', (size_t)(at - host)) : NULL;
	if (!colon)
		return NULL;
	char *decoded = curl_easy_unescape(NULL, colon + 1, (int)(at - colon - 1), NULL);
	char *secret = copy(decoded);
	curl_free(decoded);
	return secret;
}

static int add_address(tr_avro_registry *r, tr_slice text, tr_err *err)
{
	while (text.len > 0 && (*text.ptr == ' ' || *text.ptr == '\t'))
		text = tr_slice_of(text.ptr + 1, text.len - 1);
	while (text.len > 0 && strchr(" \t/", text.ptr[text.len - 1]))
		text.len--;
	if (text.len == 0)
		return tr_err_set(err, TR_E_CONFIG, "events.registry.url has an empty address");
	if (r->address_count == ADDRESS_MAX)
		return tr_err_set(err, TR_E_CONFIG, "events.registry.url has more than %d addresses", ADDRESS_MAX);
	address *a = &r->addresses[r->address_count++];
	a->url = tr_text_copy(text);
	a->shown = a->url ? without_userinfo(a->url) : NULL;
	if (!a->shown)
		return no_memory(err);
	a->secret = password_of(a->url);
	if (strncasecmp(a->url, "http://", 7) != 0 && strncasecmp(a->url, "https://", 8) != 0) {
		tr_err_set(err, TR_E_CONFIG, "events.registry.url \"%s\" is not an http:// or https:// address", a->shown);
		return tr_err_hint(err, "write it as http://host:8081, or with its path as in http://host:8080/apis/ccompat/v7");
	}
	return 0;
}

static int split_addresses(tr_avro_registry *r, const char *urls, tr_err *err)
{
	for (const char *at = urls;; at++) {
		size_t len = strcspn(at, ",");
		if (add_address(r, tr_slice_of(at, len), err) != 0)
			return -1;
		at += len;
		if (*at == '\0')
			return 0;
	}
}

static size_t take_answer(char *bytes, size_t size, size_t count, void *context)
{
	tr_avro_registry *r = context;

	TR_CHECK_OBJ(r, REGISTRY_MAGIC);
	tr_writer_put(&r->answer, bytes, size * count);
	if (tr_writer_ok(&r->answer))
		return size * count;
	r->answer_too_long = true;
	return 0;
}

static bool stopped(const tr_avro_registry *r)
{
	/* Set by another thread or a signal handler; no other memory hangs on it. */
	return r->stop && __atomic_load_n(r->stop, __ATOMIC_RELAXED);
}

static int poll_stop(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	const tr_avro_registry *r = context;

	(void)a, (void)b, (void)c, (void)d;
	return stopped(r);
}

static int add_header(struct curl_slist **headers, const char *line, tr_err *err)
{
	struct curl_slist *longer = curl_slist_append(*headers, line);

	if (!longer)
		return no_memory(err);
	*headers = longer;
	return 0;
}

static int add_bearer(const tr_avro_registry *r, struct curl_slist **headers, tr_err *err)
{
	char *line = NULL;
	int result = -1;

	if (strpbrk(r->bearer_token, "\r\n"))
		return tr_err_set(err, TR_E_CONFIG, "events.registry: the bearer token contains a line break");
	if (asprintf(&line, "Authorization: Bearer %s", r->bearer_token) < 0)
		return no_memory(err);
	result = add_header(headers, line, err);
	free(line);
	return result;
}

/* What stays the same for all requests of this client. */
static int setup_curl(tr_avro_registry *r, tr_err *err)
{
	pthread_once(&curl_once, start_curl);
	r->curl = curl_started == CURLE_OK ? curl_easy_init() : NULL;
	if (!r->curl)
		return no_memory(err);
	if (add_header(&r->headers, "Content-Type: " CONTENT_TYPE, err) != 0 ||
	    add_header(&r->headers, "Accept: " CONTENT_TYPE ", application/vnd.schemaregistry+json, application/json", err) != 0 ||
	    add_header(&r->headers, "Expect:", err) != 0 || (r->bearer_token && add_bearer(r, &r->headers, err) != 0))
		return -1;
	curl_easy_setopt(r->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(r->curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(r->curl, CURLOPT_USERAGENT, "tailrace");
	curl_easy_setopt(r->curl, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(r->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)r->timeout_ms);
	curl_easy_setopt(r->curl, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(r->curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(r->curl, CURLOPT_ERRORBUFFER, r->curl_message);
	curl_easy_setopt(r->curl, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(r->curl, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(r->curl, CURLOPT_XFERINFOFUNCTION, poll_stop);
	curl_easy_setopt(r->curl, CURLOPT_XFERINFODATA, r);
	curl_easy_setopt(r->curl, CURLOPT_NOPROGRESS, 0L);
	if (r->user) {
		curl_easy_setopt(r->curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(r->curl, CURLOPT_USERNAME, r->user);
		curl_easy_setopt(r->curl, CURLOPT_PASSWORD, r->password ? r->password : "");
	}
	if (r->ca_file)
		curl_easy_setopt(r->curl, CURLOPT_CAINFO, r->ca_file);
	if (r->cert_file)
		curl_easy_setopt(r->curl, CURLOPT_SSLCERT, r->cert_file);
	if (r->key_file)
		curl_easy_setopt(r->curl, CURLOPT_SSLKEY, r->key_file);
	return 0;
}

int tr_avro_registry_new(tr_avro_registry **out, const tr_registry_options *options, tr_err *err)
{
	tr_avro_registry *r = calloc(1, sizeof(*r));

	*out = NULL;
	if (!r)
		return no_memory(err);
	r->magic = REGISTRY_MAGIC;
	pthread_mutex_init(&r->lock, NULL);
	tr_writer_init(&r->url, URL_MAX_BYTES);
	tr_writer_init(&r->body, REQUEST_MAX_BYTES);
	tr_writer_init(&r->answer, ANSWER_MAX_BYTES);
	r->user = copy(options->user);
	r->password = copy(options->password);
	r->bearer_token = copy(options->bearer_token);
	r->ca_file = copy(options->ca_file);
	r->cert_file = copy(options->cert_file);
	r->key_file = copy(options->key_file);
	r->auto_register = options->auto_register;
	r->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : 10000;
	r->retry_ms = options->retry_ms;
	r->schemas = tr_map_new();
	if (split_addresses(r, options->url, err) != 0 || setup_curl(r, err) != 0) {
		tr_avro_registry_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

static void free_secret(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void tr_avro_registry_free(tr_avro_registry *r)
{
	if (!r)
		return;
	TR_CHECK_OBJ(r, REGISTRY_MAGIC);
	r->magic = 0;
	if (r->curl)
		curl_easy_cleanup(r->curl);
	curl_slist_free_all(r->headers);
	for (size_t i = 0; i < r->address_count; i++) {
		free_secret(r->addresses[i].url);
		free(r->addresses[i].shown);
		free_secret(r->addresses[i].secret);
	}
	free(r->user);
	free_secret(r->password);
	free_secret(r->bearer_token);
	free(r->ca_file);
	free(r->cert_file);
	free(r->key_file);
	tr_map_free(r->schemas, free);
	tr_writer_release(&r->url);
	tr_writer_release(&r->body);
	tr_writer_release(&r->answer);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* Stars over every place where the secret stands: a proxy or registry may echo what it was sent. */
static void redact(char *text, const char *secret)
{
	size_t len = secret ? strlen(secret) : 0;

	if (len == 0)
		return;
	for (char *at = text; (at = strstr(at, secret)) != NULL; at += len)
		memset(at, '*', len);
}

static const char *json_text_at(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Detail: who answered what. */
static int answer_detail(tr_avro_registry *r, const exchange *x, tr_err *err)
{
	char message[400];
	long code = (long)json_integer_value(json_object_get(x->json, "error_code"));

	snprintf(message, sizeof(message), "%s", json_text_at(x->json, "message"));
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < 0x20)
			*c = ' ';
	redact(message, r->password);
	redact(message, r->bearer_token);
	redact(message, r->addresses[r->current].secret);
	tr_err_detail(err, "%s answered %ld%s%s", r->addresses[r->current].shown, x->status, *message ? ": " : "", message);
	if (code != 0 && code != x->status)
		tr_err_detail(err, "%s answered %ld, error %ld%s%s", r->addresses[r->current].shown, x->status, code,
		              *message ? ": " : "", message);
	return -1;
}

static int refused_schema(tr_avro_registry *r, const exchange *x, tr_err *err)
{
	tr_err_set(err, TR_E_REGISTRY_INCOMPATIBLE, "%s: the registry refuses the schema", x->what);
	answer_detail(r, x, err);
	return tr_err_hint(err, "nothing was published with this schema and no position moved; change the subject's compatibility "
	                        "level or delete its old versions, then start again");
}

static int refused_access(tr_avro_registry *r, const exchange *x, tr_err *err)
{
	tr_err_set(err, TR_E_REGISTRY_REFUSED, "%s: the registry refuses access", x->what);
	answer_detail(r, x, err);
	return tr_err_hint(err, "check user, password or token in events.registry%s",
	                   x->status == 403 ? " and what they are allowed to do with this subject" : "");
}

static int not_found(tr_avro_registry *r, const exchange *x, tr_err *err)
{
	long code = (long)json_integer_value(json_object_get(x->json, "error_code"));

	if (code == 40401 || code == 40403) {
		tr_err_set(err, TR_E_REGISTRY_INCOMPATIBLE, "%s: the registry does not have it", x->what);
		answer_detail(r, x, err);
		return x->subject ? tr_err_hint(err, "register the schema first, or set events.registry.auto_register: true") : -1;
	}
	tr_err_set(err, TR_E_REGISTRY_ANSWER, "%s: the registry does not know this request", x->what);
	answer_detail(r, x, err);
	return tr_err_hint(err, "check the path in events.registry.url (Apicurio: /apis/ccompat/v7)");
}

/* Apicurio's answer when another request makes the same subject at this moment, such as one of an instance that was killed
 * while it waited: the next try finds the subject. */
static bool made_meanwhile(const exchange *x)
{
	return x->status == 409 && strstr(json_text_at(x->json, "message"), "already exists");
}

static bool retriable_status(const exchange *x)
{
	long code = (long)json_integer_value(json_object_get(x->json, "error_code"));

	return x->status >= 500 || x->status == 429 || x->status == 408 || made_meanwhile(x) || (code >= 50001 && code <= 50004);
}

/* An answer other than 2xx, as an error. */
static int answer_error(tr_avro_registry *r, const exchange *x, tr_err *err)
{
	if (retriable_status(x)) {
		tr_err_set(err, TR_E_REGISTRY_UNAVAILABLE, "%s: the registry cannot answer now", x->what);
		answer_detail(r, x, err);
		return tr_err_hint(err, "look at the registry's own log; the request was repeated for events.registry.retry_for, and nothing "
		                        "was published meanwhile");
	}
	if (x->status == 401 || x->status == 403)
		return refused_access(r, x, err);
	if (x->status == 409 || x->status == 422)
		return refused_schema(r, x, err);
	if (x->status == 404)
		return not_found(r, x, err);
	tr_err_set(err, TR_E_REGISTRY_ANSWER, "%s: the registry gave an unexpected answer", x->what);
	answer_detail(r, x, err);
	return tr_err_hint(err, "check that events.registry.url leads to a schema registry");
}

/* A transfer that brought no answer, as an error. */
static int transfer_error(tr_avro_registry *r, const exchange *x, CURLcode code, tr_err *err)
{
	const char *shown = r->addresses[r->current].shown;
	const char *why = r->curl_message[0] ? r->curl_message : curl_easy_strerror(code);

	if (code == CURLE_ABORTED_BY_CALLBACK || stopped(r))
		return tr_err_set(err, TR_E_INTERRUPTED, "%s: stopped on request", x->what);
	if (r->answer_too_long) {
		tr_err_set(err, TR_E_REGISTRY_ANSWER, "%s: the registry's answer is too long", x->what);
		return tr_err_detail(err, "%s sent more than %zu bytes", shown, ANSWER_MAX_BYTES);
	}
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return no_memory(err);
	case CURLE_URL_MALFORMAT:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		tr_err_set(err, TR_E_CONFIG, "%s: the registry's address or TLS files cannot be used", x->what);
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		tr_err_set(err, TR_E_REGISTRY_REFUSED, "%s: the registry's certificate cannot be trusted", x->what);
		tr_err_hint(err, "set events.registry.ca_file to the authority that signed it");
		break;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL: /* only http and https get here: an answer without a status line */
		tr_err_set(err, TR_E_REGISTRY_ANSWER, "%s: the address does not speak HTTP", x->what);
		break;
	default:
		tr_err_set(err, TR_E_REGISTRY_UNAVAILABLE, "%s: the schema registry could not be reached", x->what);
		tr_err_hint(err, "check events.registry.url and that the registry runs; nothing was published meanwhile");
	}
	return tr_err_detail(err, "%s: %s", shown, why);
}

/* One request to the current address. */
static int request_once(tr_avro_registry *r, exchange *x, tr_err *err)
{
	const address *a = &r->addresses[r->current];

	json_decref(x->json);
	x->json = NULL;
	x->status = 0;
	r->answer_too_long = false;
	r->curl_message[0] = '\0';
	tr_writer_reset(&r->answer);
	tr_writer_reset(&r->url);
	const char *own_api = x->headers ? strstr(a->url, APICURIO_PATH) : NULL;
	tr_writer_put(&r->url, a->url, own_api ? (size_t)(own_api - a->url) : strlen(a->url));
	tr_writer_text(&r->url, x->path);
	tr_writer_u8(&r->url, 0);
	curl_easy_setopt(r->curl, CURLOPT_HTTPHEADER, x->headers ? x->headers : r->headers);
	if (!tr_writer_ok(&r->url))
		return tr_err_set(err, TR_E_CONFIG, "%s: the address is too long", x->what);
	curl_easy_setopt(r->curl, CURLOPT_URL, (const char *)r->url.data);
	if (x->post) {
		curl_easy_setopt(r->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(r->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body.len);
		curl_easy_setopt(r->curl, CURLOPT_POSTFIELDS, (const char *)r->body.data);
	} else {
		curl_easy_setopt(r->curl, CURLOPT_HTTPGET, 1L);
	}
	CURLcode code = curl_easy_perform(r->curl);
	if (code != CURLE_OK)
		return transfer_error(r, x, code, err);
	curl_easy_getinfo(r->curl, CURLINFO_RESPONSE_CODE, &x->status);
	x->json = json_loadb((const char *)r->answer.data, r->answer.len, JSON_ALLOW_NUL, NULL);
	return x->status >= 200 && x->status < 300 ? 0 : answer_error(r, x, err);
}

/* Every address once, the one that answered last first. */
static int request_all(tr_avro_registry *r, exchange *x, tr_err *err)
{
	for (size_t tried = 0;; r->current = (r->current + 1) % r->address_count) {
		tr_err_clear(err);
		if (request_once(r, x, err) == 0)
			return 0;
		if (err->code != TR_E_REGISTRY_UNAVAILABLE || ++tried == r->address_count)
			return -1;
	}
}

/* False when stop turned true meanwhile. */
static bool wait_ms(const tr_avro_registry *r, int64_t ms)
{
	int64_t until_us = tr_clock_mono_us() + ms * 1000;

	for (;;) {
		int64_t left_ms = (until_us - tr_clock_mono_us()) / 1000;
		if (stopped(r))
			return false;
		if (left_ms <= 0)
			return true;
		tr_clock_sleep_ms(left_ms < STOP_POLL_MS ? (int)left_ms : STOP_POLL_MS);
	}
}

static int request(tr_avro_registry *r, exchange *x, int retry_ms, tr_err *err)
{
	const int64_t begin_us = tr_clock_mono_us(), until_us = begin_us + (int64_t)retry_ms * 1000;
	tr_backoff backoff;
	tr_err local;
	bool said = false;

	err = err ? err : &local;
	tr_backoff_init(&backoff, 100, 5000);
	for (;;) {
		if (stopped(r))
			return tr_err_set(err, TR_E_INTERRUPTED, "%s: stopped on request", x->what);
		if (request_all(r, x, err) == 0)
			return 0;
		int64_t left_ms = (until_us - tr_clock_mono_us()) / 1000;
		if (err->code != TR_E_REGISTRY_UNAVAILABLE || left_ms <= 0)
			return -1;
		/* Nothing is published while this lasts, so somebody has to learn why. */
		if (!said && tr_clock_mono_us() - begin_us > SAY_AFTER_US) {
			tr_log_err(TR_LOG_WARN, NULL, "registry.retry", err);
			said = true;
		}
		int delay_ms = tr_backoff_next_ms(&backoff);
		if (!wait_ms(r, delay_ms < left_ms ? delay_ms : left_ms))
			return tr_err_set(err, TR_E_INTERRUPTED, "%s: stopped on request", x->what);
	}
}

static int bad_answer(tr_avro_registry *r, const exchange *x, const char *why, tr_err *err)
{
	tr_err_set(err, TR_E_REGISTRY_ANSWER, "%s: the registry's answer cannot be understood", x->what);
	tr_err_detail(err, "%s answered %ld with %s", r->addresses[r->current].shown, x->status, why);
	return tr_err_hint(err, "check that events.registry.url leads to a schema registry");
}

static int read_id(tr_avro_registry *r, const exchange *x, const char *member, int32_t *out_id, tr_err *err)
{
	const json_t *id = json_object_get(x->json, member);

	if (!json_is_object(x->json))
		return bad_answer(r, x, "something that is not a JSON object", err);
	if (!json_is_integer(id))
		return bad_answer(r, x, "no schema id", err);
	if (json_integer_value(id) < 1 || json_integer_value(id) > INT32_MAX)
		return bad_answer(r, x, "a schema id out of range", err);
	*out_id = (int32_t)json_integer_value(id);
	return 0;
}

/* "/subjects/<percent-encoded>" and a tail. */
static int subject_path(tr_avro_registry *r, const char *subject, const char *tail, char **out, tr_err *err)
{
	char *escaped = curl_easy_escape(r->curl, subject, (int)strlen(subject));
	int result = 0;

	*out = NULL;
	if (!escaped || asprintf(out, "/subjects/%s%s", escaped, tail) < 0) {
		*out = NULL;
		result = no_memory(err);
	}
	curl_free(escaped);
	return result;
}

/*
 * Apicurio's Confluent API finds out a schema's type by parsing its text, with a parser that refuses names which other
 * registries (and Debezium's readers) take, such as a namespace part that begins with a digit. Its own API is told the type.
 */
static bool type_not_found(const tr_avro_registry *r, const exchange *x, const char *schema)
{
	/* That API takes any text, so only a record as schema.c renders it goes there. */
	return strncmp(schema, "{\"type\":\"record\"", 16) == 0 && x->status == 422 && strstr(r->addresses[r->current].url, APICURIO_PATH) &&
	       strstr(json_text_at(x->json, "message"), "artifact type");
}

static int apicurio_headers(const tr_avro_registry *r, const char *subject, struct curl_slist **out, tr_err *err)
{
	char *id = NULL;
	int result = -1;

	if (asprintf(&id, "X-Registry-ArtifactId: %s", subject) < 0)
		return no_memory(err);
	if (add_header(out, id, err) == 0 && add_header(out, "X-Registry-ArtifactType: AVRO", err) == 0 &&
	    add_header(out, "Content-Type: application/json", err) == 0 && add_header(out, "Expect:", err) == 0 &&
	    (!r->bearer_token || add_bearer(r, out, err) == 0))
		result = 0;
	free(id);
	return result;
}

static int ask_apicurio(tr_avro_registry *r, exchange *x, const char *schema, int32_t *out_id, tr_err *err)
{
	struct curl_slist *headers = NULL;
	int result = apicurio_headers(r, x->subject, &headers, err);

	if (result != 0)
		goto out;
	x->headers = headers;
	x->path = "/apis/registry/v2/groups/default/artifacts?ifExists=RETURN_OR_UPDATE";
	tr_writer_reset(&r->body);
	tr_writer_text(&r->body, schema);
	result = request(r, x, r->retry_ms, err);
	if (result == 0)
		result = read_id(r, x, "contentId", out_id, err);
out:
	curl_slist_free_all(headers);
	return result;
}

/* {"schema":"..."} */
static int schema_body(tr_avro_registry *r, const char *schema, const char *what, tr_err *err)
{
	tr_writer_reset(&r->body);
	tr_writer_text(&r->body, "{\"schema\":");
	tr_json_string(&r->body, tr_slice_str(schema));
	tr_writer_u8(&r->body, '}');
	if (tr_writer_ok(&r->body))
		return 0;
	return tr_err_set(err, TR_E_REGISTRY_INCOMPATIBLE, "%s: it is larger than %zu bytes", what, REQUEST_MAX_BYTES);
}

static int ask_id(tr_avro_registry *r, const char *subject, const char *schema, int32_t *out_id, tr_err *err)
{
	char what[320];
	char *path = NULL;
	exchange x = {.what = what, .subject = subject, .post = true};
	int result = -1;

	snprintf(what, sizeof(what), "could not %s the schema of subject \"%.200s\"",
	         r->auto_register ? "register" : "look up", subject);
	if (schema_body(r, schema, what, err) != 0 ||
	    subject_path(r, subject, r->auto_register ? "/versions" : "", &path, err) != 0)
		goto out;
	x.path = path;
	if (request(r, &x, r->retry_ms, err) == 0)
		result = read_id(r, &x, "id", out_id, err);
	else if (r->auto_register && type_not_found(r, &x, schema))
		result = ask_apicurio(r, &x, schema, out_id, err);
out:
	json_decref(x.json);
	free(path);
	return result;
}

int tr_avro_registry_id(tr_avro_registry *r, const char *subject, const char *schema, const volatile bool *stop,
                        int32_t *out_id, tr_err *err)
{
	TR_CHECK_OBJ(r, REGISTRY_MAGIC);
	pthread_mutex_lock(&r->lock);
	r->stop = stop;
	int result = ask_id(r, subject, schema, out_id, err);
	r->stop = NULL;
	pthread_mutex_unlock(&r->lock);
	return result;
}

/* The registry's first reason, without control characters. */
static void incompatible_reason(const json_t *answer, char *out, size_t cap)
{
	const char *text = json_string_value(json_array_get(json_object_get(answer, "messages"), 0));

	snprintf(out, cap, "%s", text ? text : "it gives no reason");
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < 0x20)
			*c = ' ';
}

static int verdict(tr_avro_registry *r, const exchange *x, tr_err *err)
{
	const json_t *answer = json_object_get(x->json, "is_compatible");
	char reason[400];

	if (!json_is_boolean(answer))
		return bad_answer(r, x, "no verdict", err);
	if (json_is_true(answer))
		return 0;
	incompatible_reason(x->json, reason, sizeof(reason));
	tr_err_set(err, TR_E_REGISTRY_INCOMPATIBLE, "the registry would refuse the schema of subject \"%.200s\"", x->subject);
	tr_err_detail(err, "not compatible with the latest version: %s", reason);
	return tr_err_hint(err, "nothing was registered; change the subject's compatibility level, or delete its old versions");
}

/* No such subject, or none of its versions is left: the first schema is always taken. */
static bool subject_is_new(const exchange *x)
{
	long code = (long)json_integer_value(json_object_get(x->json, "error_code"));

	return x->status == 404 && (code == 40401 || code == 40402);
}

static int ask_verdict(tr_avro_registry *r, const char *subject, const char *schema, bool *known, tr_err *err)
{
	char what[320];
	char *escaped = curl_easy_escape(r->curl, subject, (int)strlen(subject)), *path = NULL;
	exchange x = {.what = what, .subject = subject, .post = true};
	int result = -1;

	snprintf(what, sizeof(what), "could not ask about the schema of subject \"%.200s\"", subject);
	if (!escaped || asprintf(&path, "/compatibility/subjects/%s/versions/latest?verbose=true", escaped) < 0) {
		path = NULL;
		no_memory(err);
		goto out;
	}
	x.path = path;
	if (schema_body(r, schema, what, err) != 0)
		goto out;
	*known = true;
	if (request(r, &x, 0, err) == 0) {
		result = verdict(r, &x, err);
	} else if (subject_is_new(&x)) {
		*known = false;
		tr_err_clear(err);
		result = 0;
	}
out:
	json_decref(x.json);
	curl_free(escaped);
	free(path);
	return result;
}

int tr_avro_registry_probe(tr_avro_registry *r, const char *subject, const char *schema, bool *known, tr_err *err)
{
	tr_err local;
	int32_t id;
	int result;

	TR_CHECK_OBJ(r, REGISTRY_MAGIC);
	err = err ? err : &local;
	pthread_mutex_lock(&r->lock);
	if (r->auto_register) {
		result = ask_verdict(r, subject, schema, known, err);
	} else {
		*known = true;
		result = ask_id(r, subject, schema, &id, err);
	}
	pthread_mutex_unlock(&r->lock);
	return result;
}

static int ask_schema(tr_avro_registry *r, int32_t id, tr_slice key, const char **out, tr_err *err)
{
	char what[64], path[64];
	exchange x = {.what = what, .path = path};
	int result = -1;

	snprintf(what, sizeof(what), "could not read the schema with id %d", (int)id);
	snprintf(path, sizeof(path), "/schemas/ids/%d", (int)id);
	if (tr_map_count(r->schemas) >= CACHED_SCHEMAS_MAX) {
		tr_err_set(err, TR_E_MEMORY, "%s: more than %d schemas in use", what, CACHED_SCHEMAS_MAX);
		goto out;
	}
	if (request(r, &x, r->retry_ms, err) != 0)
		goto out;
	const char *schema = json_string_value(json_object_get(x.json, "schema"));
	if (!schema) {
		bad_answer(r, &x, "no schema", err);
		goto out;
	}
	char *kept = strdup(schema);
	if (!kept) {
		no_memory(err);
		goto out;
	}
	tr_map_put(r->schemas, key, kept);
	*out = kept;
	result = 0;
out:
	json_decref(x.json);
	return result;
}

int tr_avro_registry_schema(tr_avro_registry *r, int32_t id, const volatile bool *stop, const char **out, tr_err *err)
{
	int result = 0;

	TR_CHECK_OBJ(r, REGISTRY_MAGIC);
	pthread_mutex_lock(&r->lock);
	tr_slice key = tr_slice_of(&id, sizeof(id));
	const char *known = tr_map_get(r->schemas, key);
	r->stop = stop;
	if (known)
		*out = known;
	else
		result = ask_schema(r, id, key, out, err);
	r->stop = NULL;
	pthread_mutex_unlock(&r->lock);
	return result;
}

int tr_avro_registry_check(tr_avro_registry *r, tr_err *err)
{
	exchange x = {.what = "could not ask the schema registry", .path = "/schemas/types"};

	TR_CHECK_OBJ(r, REGISTRY_MAGIC);
	pthread_mutex_lock(&r->lock);
	int result = request(r, &x, 0, err);
	if (result == 0 && !json_is_array(x.json))
		result = bad_answer(r, &x, "something that is not a list of schema types", err);
	json_decref(x.json);
	pthread_mutex_unlock(&r->lock);
	return result;
}
