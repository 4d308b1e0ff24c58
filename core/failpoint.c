#include "core/failpoint.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"

typedef enum action { ACT_NONE, ACT_KILL, ACT_ERROR, ACT_SLEEP } action;

typedef struct armed {
	action action;
	long number; /* the pass it acts on, 0 = each; milliseconds for sleep */
	atomic_long passes;
} armed;

static const char *const names[TR_FP_COUNT] = {
#define TR_FAILPOINT(symbol, name, prose) name,
#include "core/failpoints.def"
#undef TR_FAILPOINT
};

static armed points[TR_FP_COUNT];
bool tr_failpoint_any;

/* A sweep with a misspelt name would pass without testing anything: so this ends the program. */
static _Noreturn void refuse(const char *entry)
{
	fprintf(stderr, "tailrace: TAILRACE_FAILPOINT: \"%s\" is not NAME=kill[:N], NAME=error[:N] or NAME=sleep:MS "
	                "with a known name\n", entry);
	exit(64);
}

static bool parse_action(const char *text, size_t len, action *out)
{
	static const struct {
		const char *name;
		action action;
	} actions[] = {{"kill", ACT_KILL}, {"error", ACT_ERROR}, {"sleep", ACT_SLEEP}};

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strlen(actions[i].name) == len && memcmp(actions[i].name, text, len) == 0) {
			*out = actions[i].action;
			return true;
		}
	return false;
}

static void arm(const char *entry)
{
	const char *equals = strchr(entry, '=');
	action act;

	if (!equals)
		refuse(entry);
	const char *colon = strchr(equals, ':');
	size_t act_len = colon ? (size_t)(colon - equals - 1) : strlen(equals + 1);
	if (!parse_action(equals + 1, act_len, &act) || (act == ACT_SLEEP && !colon))
		refuse(entry);
	long number = act == ACT_KILL;
	if (colon) {
		char *end;
		errno = 0;
		number = strtol(colon + 1, &end, 10);
		if (errno != 0 || end == colon + 1 || *end != '\0' || number < 1 || number > 1000000000)
			refuse(entry);
	}
	for (int i = 0; i < TR_FP_COUNT; i++)
		if (strlen(names[i]) == (size_t)(equals - entry) && memcmp(names[i], entry, strlen(names[i])) == 0) {
			points[i].action = act;
			points[i].number = number;
			points[i].passes = 0;
			tr_failpoint_any = true;
			return;
		}
	refuse(entry);
}

void tr_failpoint_setup(void)
{
	const char *setting = getenv("TAILRACE_FAILPOINT");
	char *copy, *rest, *entry;

	if (!setting || !*setting)
		return;
	copy = strdup(setting);
	if (!copy)
		return;
	for (entry = strtok_r(copy, ",", &rest); entry; entry = strtok_r(NULL, ",", &rest))
		arm(entry);
	free(copy);
}

bool tr_failpoint_hit(tr_failpoint point)
{
	armed *p = &points[point];
	long pass;

	if (p->action == ACT_NONE)
		return false;
	pass = atomic_fetch_add(&p->passes, 1) + 1;
	if (p->action == ACT_SLEEP) {
		tr_clock_sleep_ms((int)p->number);
		return false;
	}
	if (p->number != 0 && pass != p->number)
		return false;
	if (p->action == ACT_KILL) {
		kill(getpid(), SIGKILL);
		pause(); /* the signal may take a moment; nothing may happen after it */
	}
	return true;
}

const char *tr_failpoint_name(tr_failpoint point)
{
	return (unsigned)point < TR_FP_COUNT ? names[point] : "";
}
