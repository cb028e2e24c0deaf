// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection, and its traces in the kernel's log (see faults.h).
 */
#include "lib/faults.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KLOG_CLEAR 5
#define KLOG_CONSOLE_LEVEL 8
#define MAX_SITES 1024
#define FRAME_TEXT 96

static int nth = -1, make_it_fail = -1, log_fd = -1;
static char sites[MAX_SITES][2 * FRAME_TEXT];
static size_t nr_sites;

static bool knob(const char *path, const char *value)
{
	char full[128];
	int fd;

	snprintf(full, sizeof(full), "/sys/kernel/debug/%s", path);
	fd = open(full, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	CHECK(write(fd, value, strlen(value)) == (ssize_t)strlen(value), "%s", full);
	close(fd);
	return true;
}

void faults_begin(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc" };

	nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	if (nth < 0 || !knob("failslab/ignore-gfp-wait", "N") || !knob("fail_page_alloc/ignore-gfp-wait", "N") ||
	    !knob("fail_page_alloc/min-order", "0"))
		skip("the kernel has no fault injection");
	make_it_fail = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	CHECK(make_it_fail >= 0, "make-it-fail");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char path[64];

		snprintf(path, sizeof(path), "%s/task-filter", kinds[i]);
		CHECK(knob(path, "Y"), "%s", path);
		snprintf(path, sizeof(path), "%s/times", kinds[i]);
		CHECK(knob(path, "-1"), "%s", path);
		snprintf(path, sizeof(path), "%s/probability", kinds[i]);
		CHECK(knob(path, "100"), "%s", path);
	}
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	CHECK(log_fd >= 0, "/dev/kmsg");
	lseek(log_fd, 0, SEEK_END);
	klogctl(KLOG_CONSOLE_LEVEL, NULL, 1);
}

/* fail-nth comes before make-it-fail, which so rules only when it is used up. */
void faults_arm(unsigned int n, bool all)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (all)
		CHECK_EQ(pwrite(make_it_fail, "1", 1, 0), 1, "write to make-it-fail");
	CHECK_EQ(pwrite(nth, text, (size_t)len, 0), len, "write to fail-nth");
}

/* Reading and writing this file are chances to fail themselves: then what was armed is used up, and not by the call. */
bool faults_disarm(void)
{
	char text[16] = "";
	ssize_t got = pread(nth, text, sizeof(text) - 1, 0);

	while (pwrite(make_it_fail, "0", 1, 0) != 1)
		;
	if (got > 0 && atoi(text) == 0)
		return true;
	while (pwrite(nth, "0", 1, 0) != 1)
		;
	return false;
}

bool fault_errno(int error)
{
	return error == ENOMEM || error == EFAULT || error == EINTR || error == EAGAIN || error == ENFILE;
}

/* ------------------------------------------------------------------ the log */

/* As in run-all. */
bool kernel_complains(const char *line)
{
	static const char *const words[] = {
		"WARNING:", "BUG:", "Oops", "general protection", "KASAN", "UBSAN", "lockdep", "deadlock", "inconsistent lock", "INFO: task",
		"INFO: rcu", "soft lockup", "unchecked MSR", "scheduling while atomic", "refcount_t", "Bad page", "corruption", "ODEBUG",
		"kmemleak disabled", "Objects remaining", "KCSAN",
	};

	/* A frame of a call trace: a failed allocation has one, too. */
	if (line[0] == ' ')
		return false;
	/* The kernel's own way to say that it had no memory for the fields of an event. */
	if (strstr(line, "event_define_fields+"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strstr(line, words[i]))
			return true;
	return false;
}

static void remember(const char *callee, const char *caller)
{
	char text[2 * FRAME_TEXT];

	snprintf(text, sizeof(text), "%s %s", caller, callee);
	for (size_t i = 0; i < nr_sites; i++)
		if (!strcmp(sites[i], text))
			return;
	if (nr_sites < MAX_SITES)
		strcpy(sites[nr_sites++], text);
}

struct trace {
	bool fault;		/* between a fault's first line and the end of its call trace */
	bool ours;		/* the module's frame has been seen */
	char before[FRAME_TEXT];
};

/* A line of a call trace; the first frame of the module and the one that it called are the site. */
static void frame(struct trace *t, const char *line)
{
	char text[FRAME_TEXT];

	while (*line == ' ')
		line++;
	if (t->ours || *line == '?' || !strstr(line, "+0x"))
		return;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, " \n"), line);
	if (strstr(line, "[vtx]")) {
		t->ours = true;
		remember(t->before, text);
	}
	strcpy(t->before, text);
}

static void read_line(struct trace *t, const char *what, const char *line)
{
	if (strstr(line, "FAULT_INJECTION: forcing a failure")) {
		memset(t, 0, sizeof(*t));
		t->fault = true;
	} else if (t->fault) {
		if (strstr(line, "</TASK>"))
			t->fault = false;
		else
			frame(t, line);
	} else if (kernel_complains(line)) {
		EXPECT(false, "%s: the kernel said: %s", what, line);
	}
}

bool faults_read_log(const char *what)
{
	static struct trace t;
	char record[8192], *text;
	bool ours = false;
	ssize_t got;

	for (;;) {
		got = read(log_fd, record, sizeof(record) - 1);
		if (got < 0 && errno == EPIPE)
			continue;
		if (got <= 0)
			break;
		record[got] = 0;
		text = strchr(record, ';');
		if (!text)
			continue;
		text[strcspn(text, "\n")] = 0;
		read_line(&t, what, text + 1);
		ours |= t.ours;
	}
	return ours;
}

size_t faults_sites(void)
{
	return nr_sites;
}

void faults_end(void)
{
	faults_read_log("the end");
	for (size_t i = 0; i < nr_sites; i++)
		note("site %s", sites[i]);
	klogctl(KLOG_CLEAR, NULL, 0);
	klogctl(KLOG_CONSOLE_LEVEL, NULL, 5);
}
