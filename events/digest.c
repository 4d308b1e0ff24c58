#include "events/digest.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <strings.h>

struct tr_digest {
	const char *name;
	EVP_MD *md;
};

/* SHA is Java's other name of SHA-1. */
static tr_digest digests[] = {{"MD5", NULL},     {"SHA-1", NULL},       {"SHA", NULL},         {"SHA1", NULL},     {"SHA-224", NULL},
			      {"SHA-256", NULL}, {"SHA-384", NULL},     {"SHA-512", NULL},     {"SHA-512/224", NULL},
			      {"SHA-512/256", NULL}, {"SHA3-224", NULL}, {"SHA3-256", NULL}, {"SHA3-384", NULL}, {"SHA3-512", NULL}};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts;
static bool ready;

static void free_context(void *context)
{
	EVP_MD_CTX_free(context);
}

/* Fetched once for the process: looking an algorithm up for each value would cost more than short values do. */
static void prepare(void)
{
	ready = pthread_key_create(&contexts, free_context) == 0;
	for (size_t i = 0; i < sizeof(digests) / sizeof(*digests); i++)
		digests[i].md = EVP_MD_fetch(NULL, strcmp(digests[i].name, "SHA") == 0 ? "SHA-1" : digests[i].name, NULL);
}

const tr_digest *tr_digest_find(const char *name)
{
	pthread_once(&once, prepare);
	for (size_t i = 0; ready && i < sizeof(digests) / sizeof(*digests); i++)
		if (strcasecmp(digests[i].name, name) == 0)
			return digests[i].md ? &digests[i] : NULL;
	return NULL;
}

/* The thread's own, kept: readers of a snapshot share the rule, and a row allocates nothing. */
static EVP_MD_CTX *context_of_thread(void)
{
	EVP_MD_CTX *context = pthread_getspecific(contexts);

	if (context)
		return context;
	context = EVP_MD_CTX_new();
	if (context && pthread_setspecific(contexts, context) != 0) {
		EVP_MD_CTX_free(context);
		return NULL;
	}
	return context;
}

/* --- Java's String ----------------------------------------------------------------------------- */

/* Bytes of the UTF-8 character at p, of which `left` are there; what is none counts as one byte. */
static size_t char_length(const uint8_t *p, size_t left)
{
	return *p >= 0xf0 && left >= 4 ? 4 : 1;
}

/* Java's modified UTF-8 differs for U+0000 and for what is beyond U+FFFF: two surrogates of three bytes each. */
static uint64_t java_length(tr_slice value)
{
	uint64_t length = 0;
	size_t step;

	for (size_t i = 0; i < value.len; i += step) {
		step = char_length(value.ptr + i, value.len - i);
		length += step == 4 ? 6 : value.ptr[i] == 0 ? 2 : 1;
	}
	return length;
}

static void put_surrogate(uint8_t *out, uint32_t unit)
{
	out[0] = (uint8_t)(0xe0 | unit >> 12);
	out[1] = (uint8_t)(0x80 | (unit >> 6 & 0x3f));
	out[2] = (uint8_t)(0x80 | (unit & 0x3f));
}

/* The character at p in modified UTF-8; returns its length. Only for those that differ. */
static size_t put_java(uint8_t out[6], const uint8_t *p)
{
	uint32_t code;

	if (*p == 0) {
		memcpy(out, "\xc0\x80", 2);
		return 2;
	}
	code = ((uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f)) - 0x10000;
	put_surrogate(out, 0xd800 | (code >> 10 & 0x3ff));
	put_surrogate(out + 3, 0xdc00 | (code & 0x3ff));
	return 6;
}

/* Runs of what is the same in both are digested as they stand. */
static int update_java_text(EVP_MD_CTX *context, tr_slice value)
{
	size_t from = 0, step;
	uint8_t changed[6];

	for (size_t i = 0; i < value.len; i += step) {
		step = char_length(value.ptr + i, value.len - i);
		if (step == 1 && value.ptr[i] != 0)
			continue;
		if (EVP_DigestUpdate(context, value.ptr + from, i - from) != 1 ||
		    EVP_DigestUpdate(context, changed, put_java(changed, value.ptr + i)) != 1)
			return 0;
		from = i + step;
	}
	return EVP_DigestUpdate(context, value.ptr + from, value.len - from);
}

/* The stream's magic and version, TC_STRING with two bytes of length or TC_LONGSTRING with eight, the text. */
static int update_java(EVP_MD_CTX *context, tr_slice value)
{
	uint8_t head[13] = {0xac, 0xed, 0x00, 0x05, 0x74};
	uint64_t length = java_length(value);
	unsigned bytes = length > UINT16_MAX ? 8 : 2;

	head[4] = bytes == 8 ? 0x7c : 0x74;
	for (unsigned i = 0; i < bytes; i++)
		head[5 + i] = (uint8_t)(length >> 8 * (bytes - 1 - i));
	return EVP_DigestUpdate(context, head, 5 + bytes) == 1 && update_java_text(context, value) == 1;
}

/* --- digits ------------------------------------------------------------------------------------ */

static int failed(const tr_digest *d, tr_err *err)
{
	return tr_err_set(err, TR_E_SYSTEM, "a value could not be digested with %s", d->name);
}

int tr_digest_hex(const tr_digest *d, tr_slice salt, bool java, tr_slice value, char out[TR_DIGEST_HEX_MAX], size_t *len,
		  tr_err *err)
{
	static const char digits[] = "0123456789abcdef";
	EVP_MD_CTX *context = context_of_thread();
	uint8_t bytes[EVP_MAX_MD_SIZE];
	unsigned count = 0;

	if (!context || EVP_DigestInit_ex(context, d->md, NULL) != 1 || EVP_DigestUpdate(context, salt.ptr, salt.len) != 1)
		return failed(d, err);
	if ((java ? update_java(context, value) : EVP_DigestUpdate(context, value.ptr, value.len)) != 1 ||
	    EVP_DigestFinal_ex(context, bytes, &count) != 1)
		return failed(d, err);
	for (unsigned i = 0; i < count; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	*len = 2 * (size_t)count;
	return 0;
}
