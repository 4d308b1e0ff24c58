#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/text.h"

typedef struct row {
	tr_err_code code;
	int exit_code;
	tr_reaction reaction;
	const char *symbol, *summary;
} row;

static const row catalogue[] = {
#define TR_ERROR(symbol, number, exit_code, reaction, summary) \
	{(tr_err_code)number, exit_code, TR_REACT_##reaction, #symbol, summary},
#include "core/errors.def"
#undef TR_ERROR
};

static const row *find(tr_err_code code)
{
	for (size_t i = 0; i < sizeof(catalogue) / sizeof(catalogue[0]); i++)
		if (catalogue[i].code == code)
			return &catalogue[i];
	return NULL;
}

void tr_err_clear(tr_err *err)
{
	if (!err)
		return;
	err->code = TR_OK;
	err->text[0] = err->detail[0] = err->hint[0] = '\0';
}

/* Formats aside first: callers may pass the error's own old texts as arguments. */
static void __attribute__((format(printf, 3, 0))) fill(char *field, size_t cap, const char *format, va_list args)
{
	char text[sizeof(((tr_err *)0)->detail)];

	tr_text_vformat(text, cap < sizeof(text) ? cap : sizeof(text), format, args);
	memcpy(field, text, strlen(text) + 1);
}

int tr_err_set(tr_err *err, tr_err_code code, const char *format, ...)
{
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	fill(err->text, sizeof(err->text), format, args);
	va_end(args);
	err->code = code;
	err->detail[0] = err->hint[0] = '\0';
	return -1;
}

int tr_err_detail(tr_err *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	fill(err->detail, sizeof(err->detail), format, args);
	va_end(args);
	return -1;
}

int tr_err_hint(tr_err *err, const char *format, ...)
{
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	fill(err->hint, sizeof(err->hint), format, args);
	va_end(args);
	return -1;
}

int tr_err_prefix(tr_err *err, const char *format, ...)
{
	char prefix[sizeof(err->text)], old[sizeof(err->text)];
	va_list args;

	if (!err)
		return -1;
	va_start(args, format);
	tr_text_vformat(prefix, sizeof(prefix), format, args);
	va_end(args);
	memcpy(old, err->text, sizeof(old));
	tr_text_format(err->text, sizeof(err->text), "%s: %s", prefix, old);
	return -1;
}

const char *tr_err_symbol(tr_err_code code)
{
	const row *r = find(code);
	return r ? r->symbol : code == TR_OK ? "OK" : "UNKNOWN";
}

int tr_err_exit_code(tr_err_code code)
{
	const row *r = find(code);
	return r ? r->exit_code : code == TR_OK ? 0 : 70;
}

tr_reaction tr_err_reaction(tr_err_code code)
{
	const row *r = find(code);
	return r ? r->reaction : TR_REACT_STOP;
}

const char *tr_err_summary(tr_err_code code)
{
	const row *r = find(code);
	return r ? r->summary : code == TR_OK ? "no error" : "unknown error";
}
