/*
 * The servers themselves are the judges: every value that is written is read as text by SELECT and as bytes from the binary
 * log, and both have to give the same published value, in all modes. Servers come from TR_TEST_MYSQL_97,
 * TR_TEST_MARIADB_1011 and TR_TEST_MARIADB_118; without one its case says that it was left out.
 */
#include <mysql.h>

#include "core/writer.h"
#include "tests/unit/decoders_binlog/values.h"

#define DUMP 0x12
#define COLUMNS_MAX 96
#define ROWS_MAX 600

/* One table: types of its columns after the id, and rows of SQL literals. */
typedef struct oracle {
	const char *variable;
	bool mariadb;
	MYSQL *sql, *log;
	char database[32], file[256];
	unsigned long long position;
	tr_event_options options;
	tr_arena arena;
	tr_bl_column columns[COLUMNS_MAX];
	tr_column resolved[COLUMNS_MAX], mapped[COLUMNS_MAX];
	size_t column_count;
	bool map_seen;
	char **texts[ROWS_MAX];
	size_t row_count, rows_seen, different;
} oracle;

static void run(oracle *o, const char *text)
{
	MYSQL_RES *result;

	ck_assert_msg(mysql_query(o->sql, text) == 0, "%s: %.200s", mysql_error(o->sql), text);
	result = mysql_store_result(o->sql);
	if (result)
		mysql_free_result(result);
}

static MYSQL *connect_to(const char *address)
{
	const char *colon = strrchr(address, ':');
	char host[128];
	MYSQL *sql = mysql_init(NULL);

	snprintf(host, sizeof(host), "%.*s", (int)(colon - address), address);
	mysql_options(sql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	ck_assert_msg(mysql_real_connect(sql, host, "root", "", NULL, (unsigned)strtoul(colon + 1, NULL, 10), NULL, 0), "%s", mysql_error(sql));
	return sql;
}

/* The statement in the writer. */
static void run_writer(oracle *o, tr_writer *w)
{
	tr_writer_u8(w, 0);
	ck_assert(tr_writer_ok(w));
	run(o, (const char *)w->data);
	tr_writer_reset(w);
}

static bool open_oracle(oracle *o, const char *variable, const char *name)
{
	static const char *const settings[] = {TR_BL_SESSION_SETTINGS};
	const char *address = getenv(variable);
	char text[128];

	memset(o, 0, sizeof(*o));
	if (!address) {
		fprintf(stderr, "%s is not set: left out\n", variable);
		return false;
	}
	o->variable = variable;
	o->options = value_options();
	tr_arena_init(&o->arena, (size_t)256 << 20);
	o->sql = connect_to(address);
	o->mariadb = strstr(mysql_get_server_info(o->sql), "Maria");
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		run(o, settings[i]);
	snprintf(o->database, sizeof(o->database), "oracle_%s", name);
	snprintf(text, sizeof(text), "DROP DATABASE IF EXISTS %s", o->database);
	run(o, text);
	snprintf(text, sizeof(text), "CREATE DATABASE %s CHARACTER SET utf8mb4", o->database);
	run(o, text);
	snprintf(text, sizeof(text), "USE %s", o->database);
	run(o, text);
	return true;
}

static void close_oracle(oracle *o)
{
	char text[128];

	snprintf(text, sizeof(text), "DROP DATABASE %s", o->database);
	run(o, text);
	mysql_close(o->sql);
	for (size_t r = 0; r < o->row_count; r++) {
		for (size_t i = 0; i < o->column_count; i++)
			free(o->texts[r][i]);
		free(o->texts[r]);
	}
	tr_arena_release(&o->arena);
}

static void mark(oracle *o)
{
	MYSQL_RES *result;
	MYSQL_ROW row;

	if (mysql_query(o->sql, "SHOW BINARY LOG STATUS") != 0)
		ck_assert_int_eq(mysql_query(o->sql, "SHOW MASTER STATUS"), 0);
	result = mysql_store_result(o->sql);
	row = mysql_fetch_row(result);
	snprintf(o->file, sizeof(o->file), "%s", row[0]);
	o->position = strtoull(row[1], NULL, 10);
	mysql_free_result(result);
}

/* information_schema's facts, resolved. */
static void read_columns(oracle *o)
{
	MYSQL_RES *result;
	MYSQL_ROW row;
	tr_err err;
	char text[512];

	snprintf(text, sizeof(text),
	         "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, COLUMN_DEFAULT, EXTRA, IS_NULLABLE, "
	         "GENERATION_EXPRESSION, COLUMN_COMMENT FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '%s' AND "
	         "TABLE_NAME = 't' ORDER BY ORDINAL_POSITION",
	         o->database);
	ck_assert_int_eq(mysql_query(o->sql, text), 0);
	result = mysql_store_result(o->sql);
	o->column_count = 0;
	while ((row = mysql_fetch_row(result))) {
		const tr_bl_facts facts = {.mariadb = o->mariadb, .name = row[0], .data_type = row[1], .column_type = row[2],
		                           .charset = row[3], .column_default = row[4], .extra = row[5], .is_nullable = row[6],
		                           .generation = row[7], .comment = row[8]};
		size_t i = o->column_count++;

		ck_assert_msg(tr_bl_column_from_facts(&facts, &o->arena, &o->columns[i], &err) == 0, "%s", err.text);
		ck_assert_msg(tr_bl_resolve(&o->columns[i], &o->options, &o->arena, &o->resolved[i], &err) == 0, "%s", err.text);
	}
	mysql_free_result(result);
}

static char *published(oracle *o, const tr_column *column, tr_datum in)
{
	tr_value value;
	tr_err err;
	size_t used = o->arena.used;
	char *text;

	(void)used;
	if (in.form == TR_D_NULL)
		return strdup("null");
	if (column->decode(column->decode_arg, in, &o->arena, &value, &err) == 0)
		return rendered(column->type, &value);
	text = malloc(1024);
	snprintf(text, 1024, "error %s (%s)", err.text, strchr(err.detail, ';') ? "" : err.detail);
	return text;
}

static void read_texts(oracle *o)
{
	tr_writer w;
	MYSQL_RES *result;
	MYSQL_ROW row;

	tr_writer_init(&w, 1 << 16);
	for (size_t i = 0; i < o->column_count; i++)
		tr_writer_format(&w, "%s %s%s", i > 0 ? "," : "SELECT", o->columns[i].name, tr_bl_select_suffix(&o->columns[i]));
	tr_writer_format(&w, " FROM t ORDER BY id");
	tr_writer_u8(&w, 0);
	ck_assert_msg(mysql_query(o->sql, (const char *)w.data) == 0, "%s", mysql_error(o->sql));
	tr_writer_release(&w);
	result = mysql_store_result(o->sql);
	while ((row = mysql_fetch_row(result))) {
		unsigned long *lengths = mysql_fetch_lengths(result);
		char **texts = o->texts[o->row_count++] = calloc(o->column_count, sizeof(*texts));

		for (size_t i = 0; i < o->column_count; i++)
			texts[i] = published(o, &o->resolved[i],
			                     (tr_datum){.ptr = (const uint8_t *)row[i], .len = (uint32_t)lengths[i],
			                                .form = row[i] ? TR_D_TEXT : TR_D_NULL});
	}
	mysql_free_result(result);
}

static int on_map(void *context, const tr_bl_event *e, tr_bl_table *table, tr_err *err)
{
	oracle *o = context;

	(void)e;
	table->wanted = tr_slice_eq(table->database, tr_slice_str(o->database));
	for (size_t i = 0; o->map_seen && table->wanted && i < table->column_count; i++)
		if (tr_bl_unsure(table, i))
			ck_assert_int_eq(tr_bl_tell_fraction(table, i, o->columns[i].fsp, err), 0);
	if (!table->wanted || o->map_seen)
		return 0;
	o->map_seen = true;
	ck_assert_uint_eq(table->column_count, o->column_count);
	for (size_t i = 0; i < table->column_count; i++) {
		tr_bl_column column;
		char *have, *want;
		size_t same = 0; /* so far they are the same: up to the default */

		if (tr_bl_unsure(table, i))
			ck_assert_int_eq(tr_bl_tell_fraction(table, i, o->columns[i].fsp, err), 0);
		o->columns[i].wire_type = table->columns[i].type;
		ck_assert_int_eq(tr_bl_resolve(&o->columns[i], &o->options, &o->arena, &o->resolved[i], err), 0);
		ck_assert_msg(tr_bl_column_matches(table, i, &o->columns[i]), "%s %s: the map does not match", o->columns[i].name,
		              o->columns[i].type_text);
		ck_assert_msg(tr_bl_column_from_map(table, i, o->mariadb, &o->arena, &column, err) == 0, "%s", err->text);
		ck_assert_msg(tr_bl_resolve(&column, &o->options, &o->arena, &o->mapped[i], err) == 0, "%s", err->text);
		/* The map knows the same type, but for what MariaDB keeps in bytes and FLOAT's decimals. */
		if (o->mariadb && (o->columns[i].sql >= TR_BL_SQL_VECTOR))
			continue;
		if (o->columns[i].decimals_told && o->columns[i].sql == TR_BL_SQL_FLOAT)
			continue;
		have = type_text(o->mapped[i].type);
		want = type_text(o->resolved[i].type);
		while (want[same] && strncmp(want + same, " =", 2) != 0)
			same++;
		ck_assert_msg(strncmp(have, want, same + (want[same] == '\0')) == 0, "%s: %s, not %s", o->columns[i].name, have, want);
		free(have);
		free(want);
	}
	return 0;
}

static int on_row(void *context, const tr_bl_event *e, const tr_bl_row *row, tr_err *err)
{
	oracle *o = context;
	char **texts = o->texts[o->rows_seen++];

	(void)e;
	(void)err;
	ck_assert_uint_le(o->rows_seen, o->row_count);
	for (size_t i = 0; i < o->column_count; i++) {
		char *have = published(o, &o->resolved[i], row->after[i]);

		if (strcmp(have, texts[i]) != 0 || strncmp(have, "error", 5) == 0) {
			o->different++;
			fprintf(stderr, "%s row %zu %s %s: log %.600s, select %.600s\n", o->variable, o->rows_seen, o->columns[i].name,
			        o->columns[i].type_text, have, texts[i]);
		}
		free(have);
	}
	return 0;
}

/* Everything since mark(), without waiting for more. */
static void read_log(oracle *o)
{
	const tr_bl_handler handler = {.table_map = on_map, .row = on_row};
	tr_bl_decoder *decoder = tr_bl_decoder_new(&(tr_bl_limits){0}, &handler, o);
	unsigned char command[300];
	size_t len = strlen(o->file);
	tr_err err = {0};

	o->log = connect_to(getenv(o->variable));
	mysql_query(o->log, "SET @master_binlog_checksum = @@global.binlog_checksum");
	mysql_query(o->log, "SET @source_binlog_checksum = @@global.binlog_checksum");
	if (o->mariadb)
		mysql_query(o->log, "SET @mariadb_slave_capability = 4");
	for (unsigned i = 0; i < 4; i++)
		command[i] = (unsigned char)(o->position >> 8 * i);
	memcpy(command + 4, "\x01\0\x77\x77\x01\0", 6);
	memcpy(command + 10, o->file, len);
	ck_assert_int_eq(o->log->methods->db_command(o->log, (enum enum_server_command)DUMP, (const char *)command, 10 + len, 1, NULL),
	                 0);
	for (;;) {
		unsigned long packet = mysql_net_read_packet(o->log);

		if (packet == 0 || packet == (unsigned long)-1 || packet < 8)
			break;
		ck_assert_uint_eq(o->log->net.read_pos[0], 0);
		ck_assert_msg(tr_bl_decode(decoder, tr_slice_of(o->log->net.read_pos + 1, packet - 1), &err) == 0, "%s (%s)", err.text,
		              err.detail);
	}
	tr_bl_decoder_free(decoder);
	mysql_close(o->log);
}

static void compare(oracle *o)
{
	read_columns(o);
	read_texts(o);
	read_log(o);
	ck_assert(o->map_seen);
	ck_assert_uint_eq(o->rows_seen, o->row_count);
	ck_assert_uint_gt(o->row_count, 0);
	ck_assert_uint_eq(o->different, 0);
}

static const tr_event_options option_sets[] = {
	{.time = TR_TIME_ADAPTIVE_MICROSECONDS, .null_as_default = true},
	{.time = TR_TIME_ADAPTIVE, .decimal = TR_DECIMAL_STRING, .binary = TR_BINARY_HEX, .unsigned_bigint = TR_UNSIGNED_PRECISE},
	{.time = TR_TIME_CONNECT, .decimal = TR_DECIMAL_DOUBLE, .binary = TR_BINARY_BASE64},
	{.time = TR_TIME_ISOSTRING, .binary = TR_BINARY_BASE64_URL},
	{.time = TR_TIME_MICROSECONDS},
};
#define OPTION_SETS (sizeof(option_sets) / sizeof(option_sets[0]))

typedef struct sample {
	const char *type;
	const char *values[24]; /* up to the first NULL */
} sample;

/* As many rows as the column with most values; the others begin again. */
static void fill(oracle *o, const sample *samples, size_t count)
{
	tr_writer w;
	size_t rows = 0;

	tr_writer_init(&w, 1 << 20);
	tr_writer_text(&w, "CREATE TABLE t (id INT PRIMARY KEY");
	for (size_t i = 0; i < count; i++) {
		size_t values = 0;

		tr_writer_format(&w, ", c%zu ", i);
		tr_writer_text(&w, samples[i].type);
		while (values < 24 && samples[i].values[values])
			values++;
		rows = values > rows ? values : rows;
	}
	tr_writer_text(&w, ")");
	run_writer(o, &w);
	mark(o);
	for (size_t r = 0; r < rows; r++) {
		tr_writer_format(&w, "INSERT INTO t VALUES (%zu", r);
		for (size_t i = 0; i < count; i++) {
			size_t values = 0;

			while (values < 24 && samples[i].values[values])
				values++;
			tr_writer_text(&w, ", ");
			tr_writer_text(&w, samples[i].values[r % values]);
		}
		tr_writer_text(&w, ")");
		run_writer(o, &w);
	}
	tr_writer_release(&w);
}

static const sample numbers[] = {
	{"TINYINT", {"127", "-128", "0", "NULL", "-1"}},
	{"TINYINT UNSIGNED NOT NULL", {"255", "0", "128"}},
	{"SMALLINT", {"32767", "-32768", "NULL"}},
	{"SMALLINT UNSIGNED", {"65535", "0", "32768"}},
	{"MEDIUMINT", {"8388607", "-8388608", "-1"}},
	{"MEDIUMINT UNSIGNED", {"16777215", "0", "8388608"}},
	{"INT", {"2147483647", "-2147483648", "-1"}},
	{"INT UNSIGNED", {"4294967295", "0", "2147483648"}},
	{"BIGINT", {"9223372036854775807", "-9223372036854775808", "-1"}},
	{"BIGINT UNSIGNED", {"18446744073709551615", "0", "9223372036854775808", "128", "NULL"}},
	{"INT(8) ZEROFILL", {"7", "4294967295"}},
	{"BIGINT(20) ZEROFILL", {"7", "18446744073709551615"}},
	{"FLOAT", {"3.402823e38", "-1.175494e-38", "0.1", "123456.789", "16777217", "NULL", "1e-45", "0", "-0.0"}},
	{"FLOAT(7,3)", {"9999.999", "0.1", "1234.567", "-0.001"}},
	{"FLOAT UNSIGNED", {"0.3", "1.1"}},
	{"DOUBLE", {"1.7976931348623157e308", "-2.2250738585072014e-308", "0.1", "5e-324", "0.3333333333333333", "1e15", "123456789012345680"}},
	{"DOUBLE(10,4)", {"999999.9999", "0.1", "-0.0001"}},
	{"DECIMAL(5,2)", {"999.99", "-999.99", "0", "-0.01", "1.28", "NULL", "-1.28"}},
	{"DECIMAL(10)", {"9999999999", "-9999999999", "128", "-128", "127"}},
	{"DECIMAL(65,30)",
	 {"99999999999999999999999999999999999.999999999999999999999999999999",
	  "-99999999999999999999999999999999999.999999999999999999999999999999", "0.000000000000000000000000000001", "-1.5", "0"}},
	{"DECIMAL(65,0)", {"99999999999999999999999999999999999999999999999999999999999999999", "-1", "18446744073709551616"}},
	{"DECIMAL(30,30)", {"0.999999999999999999999999999999", "-0.000000000000000000000000000001", "0"}},
	{"DECIMAL(18,9)", {"123456789.987654321", "-1.000000001"}},
	{"DECIMAL(1,1)", {"0.9", "-0.9"}},
	{"DECIMAL(8,2) ZEROFILL", {"1.5", "0", "999999.99"}},
	{"DECIMAL(20,4) UNSIGNED", {"1234567890123456.7891", "0.0001"}},
	{"BIT(1)", {"b'1'", "b'0'", "NULL"}},
	{"BIT(4)", {"b'1010'", "b'0'"}},
	{"BIT(12)", {"b'100000000001'", "b'000100000000'"}},
	{"BIT(64)", {"18446744073709551615", "0", "256", "1"}},
	{"YEAR", {"1970", "1901", "2155", "0", "69", "NULL"}},
};

static const sample moments[] = {
	{"DATE", {"'1970-01-01'", "'1969-12-31'", "'2024-02-29'", "'1000-01-01'", "'9999-12-31'", "NULL", "'0000-00-00'",
	          "'2024-00-00'", "'0001-01-01'", "'1582-10-10'", "'0000-03-01'"}},
	{"DATE NOT NULL", {"'0000-00-00'", "'2024-01-00'", "'2000-01-01'"}},
	{"DATE NOT NULL DEFAULT '2001-02-03'", {"'0000-00-00'", "'2000-01-01'"}},
	{"TIME", {"'00:00:00'", "'23:59:59'", "NULL", "'-00:00:01'", "'838:59:59'", "'-838:59:59'", "'100:00:00'", "'-23:59:59'"}},
	{"TIME(1)", {"'00:00:00.1'", "'23:59:59.9'", "'-00:00:00.5'", "'100:00:00.5'", "'-100:00:00.5'", "'-00:00:01'", "'-00:00:00.1'"}},
	{"TIME(2)", {"'00:00:00.01'", "'-00:00:00.01'", "'-00:00:00.99'", "'-01:00:00.50'"}},
	{"TIME(3)", {"'00:00:00.123'", "'-12:00:00.001'", "'24:00:00'", "'-24:00:00.001'", "'-00:00:00.999'"}},
	{"TIME(4)", {"'00:00:00.1234'", "'-12:00:00.0001'", "'-00:00:00.9999'"}},
	{"TIME(5)", {"'00:00:00.12345'", "'-12:00:00.00001'", "'-00:00:59.99999'"}},
	{"TIME(6)", {"'00:00:00.000001'", "'-23:59:59.999999'", "'-838:59:59.000000'", "'838:59:58.999999'", "'-00:00:00.000001'"}},
	{"DATETIME", {"'1970-01-01 00:00:00'", "'2024-02-29 23:59:59'", "NULL", "'1000-01-01 00:00:00'", "'9999-12-31 23:59:59'",
	              "'0000-00-00 00:00:00'", "'2024-00-00 01:02:03'", "'0000-01-01 00:00:00'"}},
	{"DATETIME(1)", {"'1969-12-31 23:59:59.5'", "'1582-10-10 01:02:03.4'"}},
	{"DATETIME(3)", {"'1900-01-01 00:00:00.001'", "'2024-02-29 23:59:59.999'", "'0001-01-01 00:00:00'"}},
	{"DATETIME(5)", {"'1900-01-01 00:00:00.00001'"}},
	{"DATETIME(6)", {"'1883-11-18 12:03:58.123456'", "'9999-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.000001'"}},
	{"DATETIME(6) NOT NULL", {"'0000-00-00 00:00:00'", "'2024-01-01 00:00:00.5'"}},
	{"TIMESTAMP NULL", {"'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'", "NULL", "'0000-00-00 00:00:00'", "'2024-07-01 10:00:00'"}},
	{"TIMESTAMP(1) NULL", {"'1970-01-01 00:00:01.9'", "'0000-00-00 00:00:00'"}},
	{"TIMESTAMP(3) NULL", {"'2024-07-01 10:00:00.12'", "'2038-01-19 03:14:07.123'", "'0000-00-00 00:00:00'"}},
	{"TIMESTAMP(4) NULL", {"'2024-07-01 10:00:00.1234'"}},
	{"TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)", {"'2024-07-01 10:00:00.000001'", "'0000-00-00 00:00:00'"}},
};

static const sample texts[] = {
	{"CHAR(6)", {"'abc'", "''", "NULL", "'\xc5\xbelu\xc5\xa5'", "'a  '", "'\xf0\x9f\x98\x80'"}},
	{"CHAR(100)", {"'long enough for two bytes of length'", "' lead'"}},
	{"VARCHAR(40)", {"'plain'", "'na\xc3\xafve \xe6\x97\xa5\xe6\x9c\xac \xf0\x9f\x98\x80'", "'trail  '", "'quote \" \\' \\\\'"}},
	{"VARCHAR(300) CHARACTER SET utf8mb3", {"'\xc5\xbe'", "''"}},
	{"VARCHAR(20) CHARACTER SET latin1", {"'caf\xc3\xa9 \xe2\x82\xac\xe2\x80\x9c'", "_latin1 x'808183ff'", "''"}},
	{"VARCHAR(20) CHARACTER SET ascii", {"'a?b'"}},
	{"VARCHAR(20) CHARACTER SET utf16", {"'\xe6\x97\xa5\xf0\x9f\x98\x80'", "''", "'a'"}},
	{"CHAR(5) CHARACTER SET utf16", {"'a'", "'\xc5\xbe '"}},
	{"CHAR(5) CHARACTER SET ucs2", {"'a'", "'\xc5\xbe '"}},
	{"CHAR(5) CHARACTER SET utf32", {"'a'", "'\xc5\xbe '", "'\xf0\x9f\x98\x80'"}},
	{"VARCHAR(5) CHARACTER SET utf16le", {"'a\xc5\xbe'"}},
	{"VARCHAR(20) CHARACTER SET latin2", {"'\xc5\xbelu\xc5\xa5'"}},
	{"VARCHAR(20) CHARACTER SET cp1251", {"'\xd0\x9f\xd1\x80\xd0\xb8'"}},
	{"VARCHAR(20) CHARACTER SET greek", {"'\xce\xb1'"}},
	{"VARCHAR(20) CHARACTER SET swe7", {"'\xc3\xa5'"}},
	{"VARCHAR(20) CHARACTER SET gbk", {"'\xe4\xb8\xad'", "'a\xe4\xb8\xad b'"}},
	{"VARCHAR(20) CHARACTER SET big5", {"'\xe4\xb8\xad'"}},
	{"VARCHAR(20) CHARACTER SET sjis", {"'\xe6\x97\xa5\xef\xbd\xb1'"}},
	{"VARCHAR(20) CHARACTER SET ujis", {"'\xe6\x97\xa5\xef\xbd\xb1'"}},
	{"VARCHAR(20) CHARACTER SET euckr", {"'\xed\x95\x9c'"}},
	{"TINYTEXT", {"'\xc4\x8d'"}}, {"TEXT", {"'\xf0\x9f\x98\x80 text'", "repeat('\xc5\x99', 9000)"}},
	{"MEDIUMTEXT", {"'m'"}}, {"LONGTEXT", {"'l'"}}, {"TEXT CHARACTER SET latin1", {"'\xc3\x9f'"}},
	{"BINARY(4)", {"x'00010203'", "''", "'ab'", "x'ff000000'", "NULL"}},
	{"VARBINARY(10)", {"x'00ff'", "x'20'", "''"}}, {"VARBINARY(300)", {"x'00ff'", "repeat('a', 299)"}},
	{"TINYBLOB", {"x'fe'"}}, {"BLOB", {"x'0001020304fffefd'", "''"}}, {"MEDIUMBLOB", {"x'8000'"}}, {"LONGBLOB", {"x'007f'"}},
	{"ENUM('small','it''s \"big\"','a,b','gr\xc3\xb6\xc3\x9f""e','b\\\\c')", {"'small'", "'it''s \"big\"'", "'a,b'", "'gr\xc3\xb6\xc3\x9f""e'", "''", "'b\\\\c'", "NULL"}},
	{"ENUM('\xc3\xa4','b') CHARACTER SET latin1", {"'\xc3\xa4'", "'b'"}},
	{"SET('a','b','c d','\xc3\xa9')", {"'a'", "'a,c d'", "''", "'\xc3\xa9,b'", "NULL"}},
	{"SET('1','2','3','4','5','6','7','8','9')", {"'9'", "'1,9'"}},
};

static const sample shapes[] = {
	{"GEOMETRY", {"ST_GeomFromText('POINT(1.5 -2.25)')", "NULL", "ST_GeomFromText('LINESTRING(0 0,1 1)', 4326)"}},
	{"POINT", {"ST_GeomFromText('POINT(1 2)')", "NULL", "ST_GeomFromText('POINT(50 14)', 4326)"}},
	{"LINESTRING", {"ST_GeomFromText('LINESTRING(0 0,1 1,2 0)')"}},
	{"POLYGON", {"ST_GeomFromText('POLYGON((0 0,4 0,4 4,0 0))')"}},
	{"MULTIPOINT", {"ST_GeomFromText('MULTIPOINT(0 0,1 1)')"}},
	{"MULTILINESTRING", {"ST_GeomFromText('MULTILINESTRING((0 0,1 1))')"}},
	{"MULTIPOLYGON", {"ST_GeomFromText('MULTIPOLYGON(((0 0,4 0,4 4,0 0)))')"}},
	{"GEOMETRYCOLLECTION", {"ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))')"}},
};

static const sample vectors[] = {{"VECTOR(3)", {"STRING_TO_VECTOR('[1,2.5,-3]')", "NULL"}}, {"VECTOR", {"STRING_TO_VECTOR('[0.1]')"}}};
static const sample maria_vectors[] = {{"VECTOR(3)", {"VEC_FromText('[1,2.5,-3]')", "NULL", "VEC_FromText('[0,0,0]')"}}};

static const sample maria[] = {
	{"UUID", {"'123e4567-e89b-12d3-a456-426655440000'", "NULL", "'00000000-0000-0000-0000-000000000000'",
	          "'01902de0-0000-7000-8000-0123456789ab'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'123e4567-e89b-42d3-a456-000000000000'"}},
	{"INET4", {"'1.2.3.4'", "'0.0.0.0'", "'255.255.255.0'"}},
	{"INET6", {"'2001:db8::ff00:42:8329'", "'::'", "'::1'", "'::ffff:1.2.3.4'", "'::1.2.3.4'", "'1:0:0:2:0:0:0:3'", "'fe80::'",
	           "'1:2:3:4:5:6:7:8'", "'0:1:0:1:0:1:0:1'", "'::ffff:0:1'", "'1::'", "'::1:2'", "'64:ff9b::1.2.3.4'", "'::0:ffff'"}},
	{"JSON", {"'{\"a\":  1}'", "NULL", "'[]'"}},
	{"VARCHAR(200) COMPRESSED", {"repeat('ab', 90)", "''", "'x'"}},
	{"TEXT COMPRESSED", {"repeat('\xc5\xbe', 900)", "'short'"}},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void check_samples(const char *variable, const char *name, const sample *samples, size_t count)
{
	for (size_t i = 0; i < OPTION_SETS; i++) {
		oracle o;

		if (!open_oracle(&o, variable, name))
			return;
		o.options = option_sets[i];
		fill(&o, samples, count);
		compare(&o);
		close_oracle(&o);
	}
}

static const char *const variables[] = {"TR_TEST_MYSQL_97", "TR_TEST_MARIADB_1011", "TR_TEST_MARIADB_118"};
#define ALL_SERVERS(name, table)                                          \
	for (size_t server = 0; server < COUNT(variables); server++)      \
		check_samples(variables[server], name, table, COUNT(table))

START_TEST(log_and_select_agree_on_numbers) { ALL_SERVERS("numbers", numbers); } END_TEST
START_TEST(log_and_select_agree_on_moments) { ALL_SERVERS("moments", moments); } END_TEST
START_TEST(log_and_select_agree_on_texts) { ALL_SERVERS("texts", texts); } END_TEST
START_TEST(log_and_select_agree_on_shapes) { ALL_SERVERS("shapes", shapes); } END_TEST
START_TEST(log_and_select_agree_on_own_types)
{
	check_samples("TR_TEST_MYSQL_97", "vectors", vectors, COUNT(vectors));
	check_samples("TR_TEST_MARIADB_1011", "maria", maria, COUNT(maria));
	check_samples("TR_TEST_MARIADB_118", "maria", maria, COUNT(maria));
	check_samples("TR_TEST_MARIADB_118", "vectors", maria_vectors, COUNT(maria_vectors));
}
END_TEST

static const char *const documents[] = {
	"'{\"b\": 1,  \"a\": [true, null, 1.50], \"c\": {\"d\": \"x\"}}'", "'null'", "NULL", "'[]'", "'{}'", "'true'", "'false'", "'3.0'",
	"'\"str \\\\u00e9 \\\\\" \\\\\\\\ /\\\\b\\\\f\\\\n\\\\r\\\\t\\\\u0001\\\\u001f\\\\u007f\"'",
	"'[1, -1, 32767, -32768, 32768, 65535, 65536, -32769, 2147483647, -2147483648, 4294967295, 4294967296, 9223372036854775807, "
	"-9223372036854775808, 18446744073709551615]'",
	"'[1.5e300, 0.1, 123456789.123456789, 1e14, 1e15, 1e16, 123456789012345680.0, 1e17, 1e20, 1e21, 1e22, 1e23, 0.0001, 0.00001, "
	"1e-14, 1e-15, 1e-16, 5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, -0.0, 100.0, 2.5e-5, 9007199254740993.0, "
	"4.35, 0.3, 2.675, 1536234243126633.5, 1000000000000000.5, 1536234243126633.0, 1.1, 299792458.0, 6.02214076e23, 1.6e-19, 9999999999999998.0, 0.5, 123e45, 8.5e15, 5e15]'",
	"JSON_ARRAY(CAST(1.50 AS DECIMAL(10,2)), CAST(-0.01 AS DECIMAL(5,2)), CAST(12345678901234567890 AS DECIMAL(30,5)))",
	"JSON_ARRAY(CAST('2020-01-02' AS DATE), CAST('2020-01-02 03:04:05.6' AS DATETIME(1)), CAST('-12:13:14.5' AS TIME(3)), "
	"CAST('838:59:59' AS TIME), CAST('0000-00-00' AS DATE), TIMESTAMP'2020-01-01 00:00:00')",
	"JSON_ARRAY(x'00ff', REPEAT(x'41', 100), CAST(x'0102' AS BINARY), b'101', ST_GeomFromText('POINT(1 1)'), CAST(2020 AS YEAR), '')",
	"JSON_OBJECT('a\"\\\\\n\t', 'v', '', 0, 'k 1', '\xf0\x9f\x98\x80', 'aaa', JSON_ARRAY(), 'zz', JSON_OBJECT('x', JSON_ARRAY(1, JSON_ARRAY(2))))",
	"(SELECT JSON_ARRAYAGG(REPEAT('x', 100)) FROM information_schema.COLLATIONS LIMIT 1)",
	"JSON_ARRAY(REPEAT('long', 40000), 70000, 1, JSON_OBJECT('k', REPEAT('z', 200)))",
	"JSON_OBJECT('d', REPEAT('long', 40000), 'i', 70000, 'j', -70000, 's', 3, 'n', NULL, 'e', JSON_OBJECT('k', REPEAT('z', 66000)))",
	"CAST(CONCAT(REPEAT('[', 100), REPEAT(']', 100)) AS JSON)",
	"CAST(REPEAT('[1,', 0) + 1 AS JSON)",
};

/* Doubles at random, as text that the server reads. */
static void random_doubles(oracle *o)
{
	uint64_t seed = 88172645463325252u;
	tr_writer w;

	tr_writer_init(&w, 1 << 16);
	for (unsigned i = 0; i < 200; i++) {
		tr_writer_format(&w, "INSERT INTO t VALUES (%u, '[0", 1000 + i);
		for (unsigned k = 0; k < 20; k++) {
			double value;

			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			memcpy(&value, &seed, sizeof(value));
			if (!(value - value == 0))
				value = (double)(seed >> 11) / 1e9;
			tr_writer_format(&w, ",%.17g", k % 3 == 0 ? (double)(seed % 1000000007) / 1000 : value);
		}
		tr_writer_text(&w, "]')");
		run_writer(o, &w);
	}
	tr_writer_release(&w);
}

START_TEST(json_is_printed_as_the_server_prints_it)
{
	oracle o;

	if (!open_oracle(&o, "TR_TEST_MYSQL_97", "json"))
		return;
	run(&o, "CREATE TABLE t (id INT PRIMARY KEY, j JSON)");
	mark(&o);
	for (unsigned i = 0; i < COUNT(documents); i++) {
		char text[4096];

		snprintf(text, sizeof(text), "INSERT INTO t VALUES (%u, %s)", i, documents[i]);
		run(&o, text);
	}
	random_doubles(&o);
	compare(&o);
	close_oracle(&o);
}
END_TEST

/* Partial updates come through the event decoder as text; they are compared with the document that the server has. */
START_TEST(json_partial_updates)
{
	static const char *const updates[] = {
		"JSON_SET(j, '$.a', 2)", "JSON_SET(j, '$.b[1]', 'x')", "JSON_REMOVE(j, '$.c.d')", "JSON_REPLACE(j, '$.b[0]', 7, '$.a', 'short')",
		"JSON_SET(j, '$.\"k \\\\\"q\\\\\" 1\"', 5)", "JSON_REMOVE(j, '$.b[2]')", "JSON_SET(j, '$.c.z', 1, '$.c.n', 'new')",
		"JSON_REMOVE(j, '$.b[0]', '$.b[0]')", "JSON_SET(j, '$.b[5]', 'end')", "JSON_SET(j, '$.a', JSON_OBJECT('deep', JSON_ARRAY(1,2)))",
		"JSON_SET(j, '$.a.deep[1]', 3)", "JSON_REMOVE(j, '$.a')",
	};
	oracle o;

	if (!open_oracle(&o, "TR_TEST_MYSQL_97", "diff"))
		return;
	run(&o, "SET SESSION binlog_row_value_options = PARTIAL_JSON");
	run(&o, "CREATE TABLE t (id INT PRIMARY KEY, j JSON)");
	run(&o, "CREATE TABLE u (id INT PRIMARY KEY, j JSON)");
	run(&o, "INSERT INTO u VALUES (1, '{\"a\": 1, \"b\": [1, \"some text\", {\"x\": 1}], \"c\": {\"d\": \"e\", \"f\": null, \"z\": 0}, "
	        "\"k \\\\\"q\\\\\" 1\": 1}')");
	mark(&o);
	for (unsigned i = 0; i < COUNT(updates); i++) {
		char text[512];

		snprintf(text, sizeof(text), "UPDATE u SET j = %s", updates[i]);
		run(&o, text);
		/* What the log has of u has to be what t has. */
		snprintf(text, sizeof(text), "INSERT INTO t SELECT %u, j FROM u", i);
		run(&o, text);
	}
	o.row_count = 0;
	read_columns(&o);
	read_texts(&o);
	/* Each update is one row of u, then one of t: both are compared with the same text. */
	for (size_t i = o.row_count; i > 0; i--) {
		o.texts[2 * i - 1] = o.texts[i - 1];
		o.texts[2 * i - 2] = calloc(o.column_count, sizeof(char *));
		o.texts[2 * i - 2][0] = strdup("1");
		o.texts[2 * i - 2][1] = strdup(o.texts[2 * i - 1][1]);
	}
	o.row_count *= 2;
	read_log(&o);
	ck_assert_uint_eq(o.rows_seen, o.row_count);
	ck_assert_uint_eq(o.different, 0);
	close_oracle(&o);
}
END_TEST

/* What a server converts of each byte, and of many pairs, is what the tables say. */
START_TEST(charsets_convert_as_the_servers_do)
{
	static const char *const sets[] = {"latin1", "latin2", "cp1250", "cp1251", "cp1256", "cp1257", "greek", "hebrew", "koi8r",
	                                   "macroman", "swe7", "tis620", "geostd8", "dec8", "cp850"};
	static const char *const wide_sets[] = {"big5", "gbk", "gb2312", "euckr", "sjis", "cp932", "ujis", "eucjpms"};
	oracle o;
	char text[512];

	if (!open_oracle(&o, "TR_TEST_MYSQL_97", "charsets"))
		return;
	run(&o, "SET SESSION cte_max_recursion_depth = 100000");
	for (size_t i = 0; i < COUNT(sets) + COUNT(wide_sets); i++) {
		bool wide = i >= COUNT(sets);
		const char *set = wide ? wide_sets[i - COUNT(sets)] : sets[i];
		probe p;
		MYSQL_RES *result;
		MYSQL_ROW row;
		tr_bl_facts facts = {.name = "c", .data_type = "varchar", .column_type = "varchar(9)", .charset = set};
		size_t compared = 0;

		snprintf(text, sizeof(text),
		         "WITH RECURSIVE n AS (SELECT %u AS b UNION ALL SELECT b + %u FROM n WHERE b < %u) SELECT UNHEX(LPAD(HEX(b), %u, '0')), "
		         "CONVERT(CONVERT(UNHEX(LPAD(HEX(b), %u, '0')) USING %s) USING utf8mb4), "
		         "HEX(CONVERT(CONVERT(CONVERT(UNHEX(LPAD(HEX(b), %u, '0')) USING %s) USING utf8mb4) USING %s)) = LPAD(HEX(b), %u, '0') FROM n",
		         wide ? 0x8140 : 0, wide ? 7 : 1, wide ? 0xfffe - 7 : 255, wide ? 4 : 2, wide ? 4 : 2, set, wide ? 4 : 2, set, set,
		         wide ? 4 : 2);
		ck_assert_msg(mysql_query(o.sql, text) == 0, "%s", mysql_error(o.sql));
		result = mysql_store_result(o.sql);
		probe_facts(&p, &facts, &o.options);
		while ((row = mysql_fetch_row(result))) {
			tr_value value;

			/* What is malformed is cut or refused by the server, in its own ways. */
			if (!row[1] || (wide && (!row[2] || row[2][0] != '1')))
				continue;
			ck_assert_int_eq(decode_as(&p, row[0], wide ? 2 : 1, TR_D_BINARY, &value), 0);
			ck_assert_msg(tr_slice_eq(value.s, tr_slice_of(row[1], mysql_fetch_lengths(result)[1])), "%s %02x%02x: %.*s, not %s", set,
			              (unsigned char)row[0][0], (unsigned char)row[0][1], (int)value.s.len, value.s.ptr, row[1]);
			compared++;
		}
		ck_assert_uint_gt(compared, 50);
		mysql_free_result(result);
		probe_release(&p);
	}
	close_oracle(&o);
}
END_TEST

TEST_MAIN("oracle", log_and_select_agree_on_numbers, log_and_select_agree_on_moments, log_and_select_agree_on_texts,
          log_and_select_agree_on_shapes, log_and_select_agree_on_own_types, json_is_printed_as_the_server_prints_it,
          json_partial_updates, charsets_convert_as_the_servers_do)
