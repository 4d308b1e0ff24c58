#include "core/clock.h"
#include "core/failpoint.h"
#include "tests/unit/test.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Every case sets up once, in a process of its own. Returns the child's wait status. */
static int in_child(const char *setting, void (*body)(void))
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int null_fd = open("/dev/null", O_WRONLY);
		dup2(null_fd, STDERR_FILENO);
		setenv("TAILRACE_FAILPOINT", setting, 1);
		tr_failpoint_setup();
		body();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void three_passes(void)
{
	for (int i = 1; i <= 3; i++)
		if (tr_failpoint_at(TR_FP_SENT))
			_exit(i);
}

static void count_errors(void)
{
	int errors = 0;

	for (int i = 0; i < 5; i++)
		errors += tr_failpoint_at(TR_FP_STATE_WRITE);
	_exit(errors);
}

static void measure_sleep(void)
{
	int64_t start_us = tr_clock_mono_us();
	bool hit = tr_failpoint_at(TR_FP_READ);

	_exit(!hit && tr_clock_mono_us() - start_us >= 30000 ? 0 : 1);
}

static void expect_kill(int status)
{
	ck_assert(WIFSIGNALED(status));
	ck_assert_int_eq(WTERMSIG(status), SIGKILL);
}

static void expect_exit(int status, int code)
{
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), code);
}

START_TEST(kills_at_the_nth_pass)
{
	expect_kill(in_child("sent=kill", three_passes));
	expect_kill(in_child("sent=kill:3", three_passes));
	expect_exit(in_child("sent=kill:4", three_passes), 0);
	expect_exit(in_child("delivered=kill", three_passes), 0);
}
END_TEST

START_TEST(errors_at_one_pass_or_each)
{
	expect_exit(in_child("sent=error:2", three_passes), 2);
	expect_exit(in_child("state.write=error", count_errors), 5);
	expect_exit(in_child("state.write=error:4", count_errors), 1);
	expect_exit(in_child("read=kill,state.write=error", count_errors), 5);
	expect_exit(in_child("", count_errors), 0);
}
END_TEST

START_TEST(sleeps)
{
	expect_exit(in_child("read=sleep:30", measure_sleep), 0);
}
END_TEST

START_TEST(misspelt_settings_end_the_program)
{
	static const char *const bad[] = {"sent", "snet=kill", "sent=kil", "sent=kill:", "sent=kill:0", "sent=kill:x", "sent=kill:1x",
	    "sent=sleep", "=kill", "sent=", "read=kill,sent"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_exit(in_child(bad[i], three_passes), 64);
}
END_TEST

START_TEST(off_unless_set)
{
	unsetenv("TAILRACE_FAILPOINT");
	tr_failpoint_setup();
	ck_assert(!tr_failpoint_any);
	for (int i = 0; i < TR_FP_COUNT; i++) {
		ck_assert(!tr_failpoint_at((tr_failpoint)i));
		ck_assert_uint_gt(strlen(tr_failpoint_name((tr_failpoint)i)), 0);
	}
	ck_assert_str_eq(tr_failpoint_name(TR_FP_FILE_RENAME), "file.rename");
	ck_assert_str_eq(tr_failpoint_name(TR_FP_COUNT), "");
}
END_TEST

TEST_MAIN("failpoint", kills_at_the_nth_pass, errors_at_one_pass_or_each, sleeps, misspelt_settings_end_the_program,
    off_unless_set)
