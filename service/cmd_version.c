#include <dlfcn.h>
#include <jansson.h>

#include "service/cli.h"
#include "generated/version.h"

/*
 * Versions as the libraries themselves say them, found by name in the running program: the rooms that use a library keep
 * it to themselves, and a library that is not linked is simply not listed.
 */
typedef struct library {
	const char *name, *symbol;
	enum { TEXT, NUMBER_PQ, TEXT_OF_0 } form;
} library;

static const library libraries[] = {
    {"libpq", "PQlibVersion", NUMBER_PQ}, {"mysql client", "mysql_get_client_info", TEXT},
    {"librdkafka", "rd_kafka_version_str", TEXT}, {"libzstd", "ZSTD_versionString", TEXT},
    {"sqlite", "sqlite3_libversion", TEXT}, {"libcurl", "curl_version", TEXT}, {"libyaml", "yaml_get_version_string", TEXT},
    {"libmicrohttpd", "MHD_get_version", TEXT}, {"jansson", "jansson_version_str", TEXT}, {"zlib", "zlibVersion", TEXT},
    {"openssl", "OpenSSL_version", TEXT_OF_0},
};

/* False when the library is not part of the program. */
static bool library_version(const library *lib, char *out, size_t size)
{
	void *symbol = dlsym(RTLD_DEFAULT, lib->symbol);
	const char *(*text)(void);
	const char *(*text_of)(int);
	int (*number)(void);
	int value;

	if (!symbol)
		return false;
	memcpy(&text, &symbol, sizeof(text));
	memcpy(&text_of, &symbol, sizeof(text_of));
	memcpy(&number, &symbol, sizeof(number));
	switch (lib->form) {
	case TEXT:
		snprintf(out, size, "%s", text());
		break;
	case TEXT_OF_0:
		snprintf(out, size, "%s", text_of(0));
		break;
	case NUMBER_PQ:
		value = number();
		snprintf(out, size, "%d.%d", value / 10000, value % 10000);
		break;
	}
	return true;
}

static void part(json_t *list, const char *known)
{
	json_array_append_new(list, json_string(known ? known : ""));
}

/* What the plug-in tables say; asking for an unknown scheme gives the list of known ones. */
static json_t *parts(void)
{
	const char *known = "";
	json_t *all = json_object(), *list;

	tr_source_find("?", &known);
	json_object_set_new(all, "sources", list = json_array());
	part(list, known);
	tr_sink_find("?", &known);
	json_object_set_new(all, "sinks", list = json_array());
	part(list, known);
	tr_store_find("?", &known);
	json_object_set_new(all, "stores", list = json_array());
	part(list, known);
	json_object_set_new(all, "formats", list = json_array());
	for (int f = TR_FORMAT_AVRO; f <= TR_FORMAT_JSON; f++) {
		const tr_encoder_ops *ops = tr_encoder_find((tr_format)f);
		if (ops)
			part(list, ops->name);
	}
	return all;
}

static void print_parts(json_t *all)
{
	const char *name;
	json_t *list, *item;
	size_t i;

	json_object_foreach(all, name, list) {
		printf("%-14s", name);
		json_array_foreach(list, i, item)
			printf(" %s", json_string_value(item));
		printf("\n");
	}
}

int tr_cmd_version(tr_cli *cli, tr_err *err)
{
	json_t *root = json_object(), *linked = json_object(), *all = parts();
	char text[256];

	(void)err;
	json_object_set_new(root, "version", json_string(TR_VERSION));
	json_object_set_new(root, "commit", json_string(TR_VERSION_COMMIT));
	json_object_set_new(root, "libraries", linked);
	json_object_set_new(root, "parts", all);
	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		if (library_version(&libraries[i], text, sizeof(text)))
			json_object_set_new(linked, libraries[i].name, json_string(text));
	}
	if (cli->json) {
		json_dumpf(root, stdout, JSON_INDENT(2));
		printf("\n");
	} else {
		const char *name;
		json_t *value;

		printf("tailrace %s%s%s%s\n", TR_VERSION, *TR_VERSION_COMMIT ? " (" : "", TR_VERSION_COMMIT,
		    *TR_VERSION_COMMIT ? ")" : "");
		json_object_foreach(linked, name, value)
			printf("%-14s %s\n", name, json_string_value(value));
		print_parts(all);
	}
	json_decref(root);
	return 0;
}
