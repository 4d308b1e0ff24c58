#include "decoders/binlog/charset.h"

#include <iconv.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/text.h"
#include "decoders/binlog/column.h"

typedef enum kind { UTF8, ASCII, SINGLE, UTF16_BE, UTF16_LE, UTF32_BE, DOUBLE_BYTE, EUC_THREE, GB18030 } kind;

/* Code points of an East Asian set by the bytes of a character; 0: means nothing. */
typedef struct wide {
	uint16_t alone[0x80];   /* one byte from 0x80 on */
	uint16_t pairs[0x8000]; /* (first & 0x7f) << 8 | second */
	uint16_t longer[0xa000]; /* after 0x8f: (second & 0x7f) << 8 | third; of GB18030 the four-byte codes by their number */
} wide;

struct tr_bl_charset {
	const char *name;
	kind kind;
	uint8_t max_bytes;
	const char *iconv;             /* DOUBLE_BYTE and wider */
	const uint16_t *code_points;   /* SINGLE */
	bool whole;
	const wide *tables;
};

#define GB18030_BMP 39420   /* four-byte codes for the basic plane */
#define GB18030_REST 189000 /* the code of U+10000 */

static tr_bl_charset multi[] = {
	{.name = "utf8mb4", .kind = UTF8, .max_bytes = 4},
	{.name = "utf8mb3", .kind = UTF8, .max_bytes = 3},
	{.name = "utf8", .kind = UTF8, .max_bytes = 3},
	{.name = "ascii", .kind = ASCII, .max_bytes = 1},
	{.name = "ucs2", .kind = UTF16_BE, .max_bytes = 2},
	{.name = "utf16", .kind = UTF16_BE, .max_bytes = 4},
	{.name = "utf16le", .kind = UTF16_LE, .max_bytes = 4},
	{.name = "utf32", .kind = UTF32_BE, .max_bytes = 4},
	{.name = "big5", .kind = DOUBLE_BYTE, .max_bytes = 2, .iconv = "BIG5-HKSCS"},
	{.name = "gbk", .kind = DOUBLE_BYTE, .max_bytes = 2, .iconv = "GBK"},
	{.name = "gb2312", .kind = DOUBLE_BYTE, .max_bytes = 2, .iconv = "GB2312"},
	{.name = "euckr", .kind = DOUBLE_BYTE, .max_bytes = 2, .iconv = "UHC"},
	{.name = "sjis", .kind = DOUBLE_BYTE, .max_bytes = 2, .iconv = "SJIS"},
	{.name = "cp932", .kind = DOUBLE_BYTE, .max_bytes = 2, .iconv = "CP932"},
	{.name = "ujis", .kind = EUC_THREE, .max_bytes = 3, .iconv = "EUC-JP-MS"},
	{.name = "eucjpms", .kind = EUC_THREE, .max_bytes = 3, .iconv = "EUC-JP-MS"},
	{.name = "gb18030", .kind = GB18030, .max_bytes = 4, .iconv = "GB18030"},
};
#define MULTI (sizeof(multi) / sizeof(multi[0]))
#define SINGLES_MAX 32
static tr_bl_charset singles[SINGLES_MAX];
static pthread_once_t singles_once = PTHREAD_ONCE_INIT;
static pthread_mutex_t tables_lock = PTHREAD_MUTEX_INITIALIZER;

static void fill_singles(void)
{
	for (size_t i = 0; i < tr_bl_single_charset_count && i < SINGLES_MAX; i++)
		singles[i] = (tr_bl_charset){.name = tr_bl_single_charsets[i].name,
		                             .kind = SINGLE,
		                             .max_bytes = 1,
		                             .code_points = tr_bl_single_charsets[i].code_points,
		                             .whole = tr_bl_single_charsets[i].whole};
}

static tr_bl_charset *find(const char *name)
{
	pthread_once(&singles_once, fill_singles);
	for (size_t i = 0; i < MULTI; i++)
		if (strcmp(multi[i].name, name) == 0)
			return &multi[i];
	for (size_t i = 0; i < SINGLES_MAX && singles[i].name; i++)
		if (strcmp(singles[i].name, name) == 0)
			return &singles[i];
	return NULL;
}

uint32_t tr_bl_charset_max_bytes(const char *name)
{
	const tr_bl_charset *c = name ? find(name) : NULL;

	return c ? c->max_bytes : 1;
}

/* The code point of one character, 0 when it is none of the basic plane. */
static uint16_t ask(iconv_t handle, const uint8_t *bytes, size_t len)
{
	char in[4], out[4], *from = in, *to = out;
	size_t in_left = len, out_left = sizeof(out);

	memcpy(in, bytes, len);
	iconv(handle, NULL, NULL, NULL, NULL);
	if (iconv(handle, &from, &in_left, &to, &out_left) != 0 || in_left != 0 || out_left != 2)
		return 0;
	return (uint16_t)((unsigned)(uint8_t)out[0] << 8 | (uint8_t)out[1]);
}

static void fill_pairs(iconv_t handle, wide *w)
{
	for (unsigned first = 0x80; first < 0x100; first++) {
		w->alone[first - 0x80] = ask(handle, (const uint8_t[]){(uint8_t)first}, 1);
		for (unsigned second = 0x40; second < 0x100 && w->alone[first - 0x80] == 0; second++)
			w->pairs[(first & 0x7f) << 8 | second] =
			    ask(handle, (const uint8_t[]){(uint8_t)first, (uint8_t)second}, 2);
	}
}

static void fill_triples(iconv_t handle, wide *w)
{
	for (unsigned second = 0xa1; second < 0xff; second++)
		for (unsigned third = 0xa1; third < 0xff; third++)
			w->longer[(second & 0x7f) << 8 | third] =
			    ask(handle, (const uint8_t[]){0x8f, (uint8_t)second, (uint8_t)third}, 3);
}

static void fill_quads(iconv_t handle, wide *w)
{
	for (uint32_t n = 0; n < GB18030_BMP; n++)
		w->longer[n] = ask(handle, (const uint8_t[]){(uint8_t)(0x81 + n / 12600), (uint8_t)(0x30 + n / 1260 % 10),
		                                             (uint8_t)(0x81 + n / 10 % 126), (uint8_t)(0x30 + n % 10)},
		                   4);
}

/* Where the servers decide otherwise than the C library. */
static void correct(const char *name, wide *w)
{
	static const struct correction { const char *name; uint16_t bytes, code_point; } corrections[] = {
		{"sjis", 0x815f, 0x5c}, {"ujis", 0xa1c0, 0x5c}, {"ujis", 0xa1c1, 0x301c}, {"ujis", 0xa1c2, 0x2016},
		{"ujis", 0xa1dd, 0x2212}, {"ujis", 0xa1f1, 0xa2}, {"ujis", 0xa1f2, 0xa3}, {"ujis", 0xa2cc, 0xac},
		{"big5", 0xa15a, 0xfffd}, {"big5", 0xa1c3, 0xfffd}, {"big5", 0xa1c5, 0xfffd}, {"big5", 0xa1fe, 0xfffd},
		{"big5", 0xa240, 0xfffd}, {"big5", 0xa2cc, 0xfffd}, {"big5", 0xa2ce, 0xfffd},
	};

	for (size_t i = 0; i < sizeof(corrections) / sizeof(corrections[0]); i++)
		if (strcmp(corrections[i].name, name) == 0)
			w->pairs[corrections[i].bytes & 0x7fff] = corrections[i].code_point;
	for (unsigned i = 0; strcmp(name, "big5") == 0 && i < TR_BL_BIG5_MORE; i++)
		w->pairs[(TR_BL_BIG5_FIRST + i) & 0x7fff] = tr_bl_big5_more[i];
}

/* Under the lock. */
static int make_tables(tr_bl_charset *c, tr_err *err)
{
	wide *w = calloc(1, sizeof(*w));
	iconv_t handle = iconv_open("UTF-16BE", c->iconv);

	if (handle == (iconv_t)-1 || !w) {
		free(w);
		if (handle == (iconv_t)-1) {
			tr_err_set(err, TR_E_TYPE_UNSUPPORTED, "cannot convert character set \"%s\"", c->name);
			return tr_err_hint(err, "the system's iconv does not know \"%s\": install the conversion tables of the C "
			                        "library (libc6, libc-gconv-modules-extra), then start again", c->iconv);
		}
		iconv_close(handle);
		return tr_err_set(err, TR_E_MEMORY, "no memory for the tables of character set \"%s\"", c->name);
	}
	fill_pairs(handle, w);
	if (c->kind == EUC_THREE)
		fill_triples(handle, w);
	if (c->kind == GB18030)
		fill_quads(handle, w);
	iconv_close(handle);
	correct(c->name, w);
	c->tables = w;
	return 0;
}

int tr_bl_charset_find(const char *name, const tr_bl_charset **out, tr_err *err)
{
	tr_bl_charset *c = find(name);
	int result = 0;

	*out = c;
	if (!c) {
		tr_err_set(err, TR_E_TYPE_UNSUPPORTED, "cannot convert character set \"%s\"", name);
		return tr_err_hint(err, "it is not known here: exclude its columns, and please report it");
	}
	if (!c->iconv)
		return 0;
	pthread_mutex_lock(&tables_lock);
	if (!c->tables)
		result = make_tables(c, err);
	pthread_mutex_unlock(&tables_lock);
	return result;
}

/* The next character: its bytes (1 or more), and its code point or '?'. */
static size_t next_unit(const tr_bl_charset *c, const uint8_t *at, size_t left, uint32_t *code)
{
	bool little = c->kind == UTF16_LE;
	uint32_t low;

	*code = '?';
	if (c->kind == UTF32_BE) {
		if (left < 4)
			return left;
		low = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
		if (low < 0x110000 && (low < 0xd800 || low > 0xdfff))
			*code = low;
		return 4;
	}
	if (left < 2)
		return left;
	*code = (uint32_t)at[little] << 8 | at[!little];
	if (*code < 0xd800 || *code > 0xdfff)
		return 2;
	low = left < 4 ? 0 : (uint32_t)at[2 + little] << 8 | at[2 + !little];
	if (*code > 0xdbff || low < 0xdc00 || low > 0xdfff) {
		*code = '?';
		return 2;
	}
	*code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
	return 4;
}

static size_t next_gb18030(const wide *w, const uint8_t *at, uint32_t *code)
{
	uint32_t n = ((at[0] - 0x81u) * 10 + (at[1] - 0x30u)) * 1260 + (at[2] - 0x81u) * 10 + (at[3] - 0x30u);

	if (n < GB18030_BMP)
		*code = w->longer[n];
	else if (n >= GB18030_REST && n - GB18030_REST < 0x100000)
		*code = 0x10000 + (n - GB18030_REST);
	else
		*code = 0;
	return 4;
}

static size_t next_wide(const tr_bl_charset *c, const uint8_t *at, size_t left, uint32_t *code)
{
	const wide *w = c->tables;
	size_t used = 1;

	if (c->kind == GB18030 && left >= 4 && at[0] >= 0x81 && at[0] < 0xff && (unsigned)(at[1] - '0') <= 9 && at[2] >= 0x81 &&
	    at[2] < 0xff && (unsigned)(at[3] - '0') <= 9) {
		used = next_gb18030(w, at, code);
	} else if (c->kind == EUC_THREE && at[0] == 0x8f && left >= 3) {
		*code = w->longer[(at[1] & 0x7fu) << 8 | at[2]];
		used = *code ? 3 : 1;
	} else {
		*code = w->alone[at[0] - 0x80];
		if (*code == 0 && left >= 2) {
			*code = w->pairs[(at[0] & 0x7fu) << 8 | at[1]];
			used = *code ? 2 : 1;
		}
	}
	if (*code == 0)
		*code = '?';
	return used;
}

static size_t next_char(const tr_bl_charset *c, const uint8_t *at, size_t left, uint32_t *code)
{
	switch (c->kind) {
	case UTF16_BE: case UTF16_LE: case UTF32_BE:
		return next_unit(c, at, left, code);
	case SINGLE:
		if (c->whole || *at >= 0x80)
			*code = c->code_points[c->whole ? *at : *at - 0x80];
		else
			*code = *at;
		return 1;
	case DOUBLE_BYTE: case EUC_THREE: case GB18030:
		if (*at >= 0x80)
			return next_wide(c, at, left, code);
		break;
	case ASCII: case UTF8: break;
	}
	*code = *at < 0x80 ? *at : '?';
	return 1;
}

static uint8_t *put_utf8(uint8_t *at, uint32_t code)
{
	if (code < 0x80) {
		*at++ = (uint8_t)code;
		return at;
	}
	if (code < 0x800) {
		*at++ = (uint8_t)(0xc0 | code >> 6);
	} else {
		if (code < 0x10000) {
			*at++ = (uint8_t)(0xe0 | code >> 12);
		} else {
			*at++ = (uint8_t)(0xf0 | code >> 18);
			*at++ = (uint8_t)(0x80 | (code >> 12 & 0x3f));
		}
		*at++ = (uint8_t)(0x80 | (code >> 6 & 0x3f));
	}
	*at++ = (uint8_t)(0x80 | (code & 0x3f));
	return at;
}

static bool plain_ascii(tr_slice text)
{
	size_t i = 0;
	uint64_t word, high = 0;

	for (; i + 8 <= text.len; i += 8) {
		memcpy(&word, text.ptr + i, 8);
		high |= word;
	}
	high &= UINT64_C(0x8080808080808080);
	for (; i < text.len; i++)
		high |= text.ptr[i] & 0x80u;
	return high == 0;
}

bool tr_bl_charset_utf8(const tr_bl_charset *charset, tr_slice text, tr_arena *scratch, tr_slice *out)
{
	bool units = charset->kind == UTF16_BE || charset->kind == UTF16_LE || charset->kind == UTF32_BE;
	uint8_t *start, *to;

	*out = tr_slice_of(text.ptr ? text.ptr : (const uint8_t *)"", text.len);
	if (!units && !charset->whole && plain_ascii(text))
		return true;
	if (charset->kind == UTF8)
		return tr_text_utf8_valid(text);
	/* The worst: one byte to three, or two to three, or what is left over at the end. */
	start = to = tr_arena_array(scratch, 3, text.len + 1);
	*out = tr_slice_of(start, 0);
	if (!start)
		return false;
	for (size_t i = 0; i < text.len;) {
		uint32_t code;

		i += next_char(charset, text.ptr + i, text.len - i, &code);
		to = put_utf8(to, code);
	}
	out->len = (size_t)(to - start);
	return true;
}

/* The highest ids of MariaDB are a rule: each set has 256 of them for UCA 14.0. */
static const char *by_range(uint32_t id)
{
	static const struct range { uint16_t first, last; const char *name; } ranges[] = {
		{101, 124, "utf16"}, {128, 151, "ucs2"}, {159, 159, "ucs2"}, {160, 183, "utf32"}, {192, 223, "utf8mb3"},
		{224, 247, "utf8mb4"}, {248, 250, "gb18030"}, {255, 575, "utf8mb4"}, {576, 607, "utf8mb3"}, {608, 639, "utf8mb4"},
		{640, 671, "ucs2"}, {672, 703, "utf16"}, {736, 767, "utf32"}, {2048, 2303, "utf8mb3"}, {2304, 2559, "utf8mb4"},
		{2560, 2815, "ucs2"}, {2816, 3071, "utf16"}, {3072, 3327, "utf32"},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		if (id >= ranges[i].first && id <= ranges[i].last)
			return ranges[i].name;
	return NULL;
}

const char *tr_bl_collation_charset(uint32_t collation)
{
	static const char *const low[100] = {
		[1] = "big5", "latin2", "dec8", "cp850", "latin1", "hp8", "koi8r", "latin1", "latin2", "swe7", "ascii", "ujis",
		"sjis", "cp1251", "latin1", "hebrew", NULL, "tis620", "euckr", "latin7", "latin2", "koi8u", "cp1251", "gb2312",
		"greek", "cp1250", "latin2", "gbk", "cp1257", "latin5", "latin1", "armscii8", "utf8mb3", "cp1250", "ucs2", "cp866",
		"keybcs2", "macce", "macroman", "cp852", "latin7", "latin7", "macce", "cp1250", "utf8mb4", "utf8mb4", "latin1",
		"latin1", "latin1", "cp1251", "cp1251", "cp1251", "macroman", "utf16", "utf16", "utf16le", "cp1256", "cp1257",
		"cp1257", "utf32", "utf32", "utf16le", "binary", "armscii8", "ascii", "cp1250", "cp1256", "cp866", "dec8", "greek",
		"hebrew", "hp8", "keybcs2", "koi8r", "koi8u", "utf8mb3", "latin2", "latin5", "latin7", "cp850", "cp852", "swe7",
		"utf8mb3", "big5", "euckr", "gb2312", "gbk", "sjis", "tis620", "ucs2", "ujis", "geostd8", "geostd8", "latin1",
		"cp932", "cp932", "eucjpms", "eucjpms", "cp1250",
	};

	/* MariaDB's NO PAD variants are 1024 above the collation they come from. */
	if (collation >= 1024 && collation < 2048)
		collation -= 1024;
	return collation < 100 ? low[collation] : by_range(collation);
}
