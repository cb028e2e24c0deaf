// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs test cases in child processes with a time limit and prints KTAP (see harness.h).
 */
#include "lib/harness.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "lib/differs.h"

/* Exit codes of a case's process. */
#define CASE_PASSED 0
#define CASE_FAILED 1
#define CASE_SKIPPED 4

static bool complained;

void note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
}

static void vreport(const char *file, int line, const char *fmt, va_list args)
{
	int saved = errno;

	printf("# %s:%d: ", file, line);
	vprintf(fmt, args);
	printf(" [errno %d %s]\n", saved, strerror(saved));
	fflush(stdout);
}

void fail_at(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vreport(file, line, fmt, args);
	va_end(args);
	_exit(CASE_FAILED);
}

void complain_at(const char *file, int line, const char *fmt, ...)
{
	va_list args;

	complained = true;
	va_start(args, fmt);
	vreport(file, line, fmt, args);
	va_end(args);
}

void skip(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	printf("# SKIP: ");
	vprintf(fmt, args);
	printf("\n");
	va_end(args);
	fflush(stdout);
	_exit(CASE_SKIPPED);
}

unsigned int test_slowness(void)
{
	const char *factor = getenv("VTX_TEST_SLOW");

	return factor ? (unsigned int)atoi(factor) : 1;
}

/*
 * The child's own alarm ends a hang: SIGALRM's default action also ends a KVM_RUN.  The parent adds a limit of
 * its own for a child that cannot be killed.
 */
void test_timeout(unsigned int seconds)
{
	alarm(seconds * test_slowness());
}

static void run_child(const struct test *test)
{
	signal(SIGALRM, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	test_timeout(4);
	test->fn();
	fflush(stdout);
	_exit(complained ? CASE_FAILED : CASE_PASSED);
}

/* Waits at most this many seconds for the child; false when it is still there. */
static bool wait_child(pid_t pid, int *status, int seconds)
{
	struct timespec limit = { .tv_sec = seconds };
	sigset_t chld;

	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	for (;;) {
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
		if (sigtimedwait(&chld, NULL, &limit) < 0 && errno == EAGAIN)
			return waitpid(pid, status, WNOHANG) == pid;
	}
}

/* Runs one case, prints its result line, returns its CASE_ code. */
static int run_case(size_t number, const struct test *test, const char *program)
{
	const char *why = differs_reason(program, test->name);
	unsigned long long start = __rdtsc();
	int status = 0;
	pid_t pid;

	if (why) {
		printf("ok %zu %s # SKIP %s\n", number, test->name, why);
		return CASE_SKIPPED;
	}
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		run_child(test);
	if (pid < 0) {
		printf("not ok %zu %s # fork: %s\n", number, test->name, strerror(errno));
		return CASE_FAILED;
	}
	if (!wait_child(pid, &status, 240 * (int)test_slowness())) {
		kill(-pid, SIGKILL);
		if (!wait_child(pid, &status, 5)) {
			printf("not ok %zu %s # the process cannot be killed\n", number, test->name);
			return CASE_FAILED;
		}
	}
	kill(-pid, SIGKILL); /* whatever the case forked and left */
	if (WIFSIGNALED(status)) {
		printf("not ok %zu %s # %s\n", number, test->name,
		       WTERMSIG(status) == SIGALRM ? "timeout" : strsignal(WTERMSIG(status)));
		return CASE_FAILED;
	}
	if (WEXITSTATUS(status) == CASE_SKIPPED)
		printf("ok %zu %s # SKIP\n", number, test->name);
	else
		printf("%sok %zu %s # %llu million ticks\n", WEXITSTATUS(status) ? "not " : "", number, test->name,
		       (__rdtsc() - start) / 1000000);
	fflush(stdout);
	return WEXITSTATUS(status);
}

/* Is the case among the arguments? With none but "-NAME" every case is; those are told and left out. */
static bool wanted(int argc, char **argv, const char *name)
{
	bool all = true;

	for (int i = 1; i < argc; i++) {
		all &= argv[i][0] == '-';
		if (!strcmp(argv[i], name))
			return true;
	}
	return all;
}

static bool left_out(int argc, char **argv, const char *name)
{
	for (int i = 1; i < argc; i++)
		if (argv[i][0] == '-' && !strcmp(argv[i] + 1, name))
			return true;
	return false;
}

int harness_main(int argc, char **argv, const struct test *tests, size_t count)
{
	const char *slash = strrchr(argv[0], '/');
	const char *program = slash ? slash + 1 : argv[0];
	size_t run = 0, failed = 0, skipped = 0, chosen = 0;
	sigset_t chld;

	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < count; i++)
			printf("%s\n", tests[i].name);
		return KSFT_PASS;
	}
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	for (size_t i = 0; i < count; i++)
		chosen += wanted(argc, argv, tests[i].name);
	if (!chosen) {
		fprintf(stderr, "%s: no such case; --list prints the names\n", program);
		return KSFT_FAIL;
	}
	printf("KTAP version 1\n1..%zu\n", chosen);
	for (size_t i = 0; i < count; i++) {
		int result;

		if (!wanted(argc, argv, tests[i].name))
			continue;
		run++;
		if (left_out(argc, argv, tests[i].name)) {
			printf("ok %zu %s # SKIP not asked for\n", run, tests[i].name);
			skipped++;
			continue;
		}
		result = run_case(run, &tests[i], program);
		failed += result != CASE_PASSED && result != CASE_SKIPPED;
		skipped += result == CASE_SKIPPED;
	}
	printf("# %s: %zu passed, %zu failed, %zu skipped\n", program, run - failed - skipped, failed, skipped);
	fflush(stdout);
	if (failed)
		return KSFT_FAIL;
	return skipped == run ? KSFT_SKIP : KSFT_PASS;
}
