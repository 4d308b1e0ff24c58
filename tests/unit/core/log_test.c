#include "core/log.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char output[1 << 20];
static int saved_fd;
static FILE *capture;

static void begin(void)
{
	capture = tmpfile();
	ck_assert_ptr_nonnull(capture);
	saved_fd = dup(STDERR_FILENO);
	dup2(fileno(capture), STDERR_FILENO);
}

/* Everything logged since begin, NUL-terminated, in `output`. */
static void end(void)
{
	dup2(saved_fd, STDERR_FILENO);
	close(saved_fd);
	rewind(capture);
	output[fread(output, 1, sizeof(output) - 1, capture)] = '\0';
	fclose(capture);
}

static const char *field(const json_t *line, const char *name)
{
	const char *value = json_string_value(json_object_get(line, name));
	return value ? value : "(none)";
}

START_TEST(json_line_reads_back)
{
	const char *message = "quote \" backslash \\ tab \t line\nbell \a gr\xc3\xbc\xc3\x9f";

	begin();
	tr_log_setup(TR_LOG_JSON, TR_LOG_INFO);
	tr_log(TR_LOG_WARN, "sh\"op", "slot.created", "%s", message);
	end();
	ck_assert_ptr_eq(strchr(output, '\n'), output + strlen(output) - 1);
	json_t *line = json_loads(output, 0, NULL);
	ck_assert_ptr_nonnull(line);
	ck_assert_str_eq(field(line, "message"), message);
	ck_assert_str_eq(field(line, "pipeline"), "sh\"op");
	ck_assert_str_eq(field(line, "event"), "slot.created");
	ck_assert_str_eq(field(line, "level"), "warn");
	ck_assert_uint_eq(strlen(field(line, "ts")), strlen("2025-01-02T03:04:05.678Z"));
	json_decref(line);
}
END_TEST

/* What a terminal gets: `term` as TERM; the pseudo-terminal's own \r are taken out. */
static const char *on_terminal(const char *term, const tr_err *err)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), stderr_fd = dup(STDERR_FILENO);
	size_t len = 0;
	ssize_t n;

	ck_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(slave, 0);
	setenv("TERM", term, 1);
	dup2(slave, STDERR_FILENO);
	tr_log_setup(TR_LOG_AUTO, TR_LOG_INFO);
	tr_log_err(TR_LOG_INFO, "shop", "x", err);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	fcntl(master, F_SETFL, O_NONBLOCK);
	while ((n = read(master, output + len, sizeof(output) - len - 1)) > 0)
		len += (size_t)n;
	close(slave);
	close(master);
	size_t kept = 0;
	for (size_t i = 0; i < len; i++)
		if (output[i] != '\r')
			output[kept++] = output[i];
	output[kept] = '\0';
	return output;
}

/* A progress bar may be longer than the line that is written over it. */
START_TEST(clears_the_rest_of_the_line_on_a_terminal)
{
	tr_err err = {0};

	setenv("NO_COLOR", "1", 1);
	tr_err_set(&err, TR_E_SOURCE_UNAVAILABLE, "first\nsecond");
	tr_err_hint(&err, "wait");
	ck_assert_ptr_nonnull(strstr(on_terminal("xterm", &err), "shop: first\x1b[K\n    second (TR201 SOURCE_UNAVAILABLE)\x1b[K\n"
	    "  hint: wait\x1b[K\n"));
	ck_assert_ptr_null(strchr(on_terminal("dumb", &err), '\x1b'));
}
END_TEST

START_TEST(bytes_that_are_no_utf8)
{
	begin();
	tr_log_setup(TR_LOG_JSON, TR_LOG_INFO);
	tr_log(TR_LOG_INFO, NULL, "x", "bad \xff\xc3 end");
	end();
	json_t *line = json_loads(output, 0, NULL);
	ck_assert_ptr_nonnull(line);
	ck_assert_str_eq(field(line, "message"), "bad \xef\xbf\xbd\xef\xbf\xbd end");
	ck_assert_ptr_null(json_object_get(line, "pipeline"));
	json_decref(line);
}
END_TEST

START_TEST(error_with_all_its_texts)
{
	tr_err err;

	tr_err_set(&err, TR_E_SLOT_MISSING, "slot \"s\" does not exist");
	tr_err_detail(&err, "position 0/16B3748");
	tr_err_hint(&err, "Do \"this\".");
	begin();
	tr_log_setup(TR_LOG_AUTO, TR_LOG_INFO); /* a file is no terminal */
	tr_log_err(TR_LOG_ERROR, "shop", "pipeline.stopped", &err);
	end();
	json_t *line = json_loads(output, 0, NULL);
	ck_assert_ptr_nonnull(line);
	ck_assert_str_eq(field(line, "code"), "TR210");
	ck_assert_str_eq(field(line, "error"), "SLOT_MISSING");
	ck_assert_str_eq(field(line, "detail"), "position 0/16B3748");
	ck_assert_str_eq(field(line, "hint"), "Do \"this\".");
	json_decref(line);
	begin();
	tr_log_setup(TR_LOG_TEXT, TR_LOG_INFO);
	tr_log_err(TR_LOG_ERROR, "shop", "pipeline.stopped", &err);
	end();
	ck_assert_ptr_nonnull(strstr(output, "Z error shop: slot \"s\" does not exist (TR210 SLOT_MISSING)\n"));
	ck_assert_ptr_nonnull(strstr(output, "\n  detail: position 0/16B3748\n  hint: Do \"this\".\n"));
}
END_TEST

START_TEST(text_shows_no_control_characters)
{
	begin();
	tr_log_setup(TR_LOG_TEXT, TR_LOG_INFO);
	tr_log(TR_LOG_INFO, NULL, "x", "%s", "server says \x1b[2J\nsecond line\n");
	end();
	ck_assert_ptr_null(strchr(output, '\x1b'));
	ck_assert_ptr_nonnull(strstr(output, "server says ?[2J\n    second line\n"));
}
END_TEST

START_TEST(levels)
{
	begin();
	tr_log_setup(TR_LOG_TEXT, TR_LOG_WARN);
	tr_log(TR_LOG_DEBUG, NULL, "x", "one");
	tr_log(TR_LOG_INFO, NULL, "x", "two");
	tr_log(TR_LOG_WARN, NULL, "x", "three");
	tr_log_err(TR_LOG_INFO, NULL, "x", &(tr_err){.code = TR_E_BUG, .text = "four"});
	tr_log_setup(TR_LOG_TEXT, TR_LOG_DEBUG);
	tr_log(TR_LOG_DEBUG, NULL, "x", "five");
	end();
	ck_assert_ptr_null(strstr(output, "one"));
	ck_assert_ptr_null(strstr(output, "two"));
	ck_assert_ptr_nonnull(strstr(output, "warn  three\n"));
	ck_assert_ptr_null(strstr(output, "four"));
	ck_assert_ptr_nonnull(strstr(output, "debug five\n"));
}
END_TEST

START_TEST(huge_message_stays_one_valid_line)
{
	static char huge[10000];

	memset(huge, '"', sizeof(huge) - 1);
	begin();
	tr_log_setup(TR_LOG_JSON, TR_LOG_INFO);
	tr_log(TR_LOG_INFO, NULL, "x", "%s", huge);
	end();
	json_t *line = json_loads(output, 0, NULL);
	ck_assert_ptr_nonnull(line);
	ck_assert_uint_ge(strlen(field(line, "message")), 2000);
	json_decref(line);
}
END_TEST

static void *log_much(void *arg)
{
	for (int i = 0; i < 500; i++)
		tr_log(TR_LOG_INFO, arg, "thread.line", "line %d of a thread with some text to make it longer", i);
	return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
	static char names[4][2] = {"a", "b", "c", "d"};
	pthread_t threads[4];
	int lines = 0;

	begin();
	tr_log_setup(TR_LOG_JSON, TR_LOG_INFO);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, log_much, names[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	end();
	char *rest;
	for (char *line = strtok_r(output, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		json_t *object = json_loads(line, 0, NULL);
		ck_assert_msg(object != NULL, "%s", line);
		json_decref(object);
		lines++;
	}
	ck_assert_int_eq(lines, 2000);
}
END_TEST

TEST_MAIN("log", json_line_reads_back, bytes_that_are_no_utf8, error_with_all_its_texts, text_shows_no_control_characters,
    clears_the_rest_of_the_line_on_a_terminal, levels, huge_message_stays_one_valid_line, lines_of_threads_do_not_mix)
