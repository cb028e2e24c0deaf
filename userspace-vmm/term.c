// SPDX-License-Identifier: GPL-2.0-only
/* Raw mode, and the ways back out of it. */
#define _GNU_SOURCE
#include "userspace-vmm/term.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static struct termios vtx_saved;
static volatile sig_atomic_t vtx_is_raw;
static pid_t vtx_guard;
static int vtx_guard_pipe = -1;

/*
 * The guard: sleeps in read() until the pipe says "goodbye" (a byte) or breaks (its only writer is dead).  It has its
 * own process group, so that what kills the group of the VMM spares it, and from there it may change the terminal
 * only because it ignores SIGTTOU.
 */
static void __attribute__((noreturn)) vtx_guard_main(int pipe_end)
{
	static const int ignored[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTTOU, SIGTSTP, SIGPIPE };
	sigset_t none;
	char goodbye;
	ssize_t n;

	setpgid(0, 0);
	prctl(PR_SET_NAME, "vtx-guard");
	for (unsigned int i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Readers of our stdout wait for its end of file: keep only the terminal and the pipe. */
	dup2(pipe_end, 3);
	close(STDOUT_FILENO);
	close(STDERR_FILENO);
	close_range(4, ~0U, 0);
	do {
		n = read(3, &goodbye, 1);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		tcsetattr(STDIN_FILENO, TCSANOW, &vtx_saved);
	_exit(0);
}

int vtx_term_open(bool *is_terminal, struct vtx_error *error)
{
	int ends[2];

	*is_terminal = isatty(STDIN_FILENO);
	if (!*is_terminal)
		return 0;
	if (tcgetattr(STDIN_FILENO, &vtx_saved) || pipe2(ends, O_CLOEXEC))
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot prepare the terminal: %s", strerror(errno));
	vtx_guard = fork();
	if (vtx_guard < 0)
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot start the terminal's guard process: %s",
				     strerror(errno));
	if (vtx_guard == 0) {
		close(ends[1]);
		vtx_guard_main(ends[0]);
	}
	/* It does so itself, too: whoever comes first, from here on nothing that kills our group finds it there. */
	setpgid(vtx_guard, vtx_guard);
	close(ends[0]);
	vtx_guard_pipe = ends[1];
	return 0;
}

void vtx_term_restore(void)
{
	if (!vtx_is_raw)
		return;
	vtx_is_raw = 0;
	vtx_terminal_is_raw = false;
	tcsetattr(STDIN_FILENO, TCSANOW, &vtx_saved);
}

/* A crash: give the terminal back, say so, and die of the same signal. */
static void vtx_crash(int sig)
{
	static const char text[] = "\nvtx: crashed; the terminal is restored. This is a bug in vtx.\n";

	vtx_term_restore();
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0) {
		/* nothing left to try */
	}
	signal(sig, SIG_DFL);
	raise(sig);
}

/* After Ctrl-Z from outside and `fg` the shell has set its own modes. */
static void vtx_continued(int sig)
{
	struct termios raw = vtx_saved;
	int saved_errno = errno;

	(void)sig;
	if (vtx_is_raw) {
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	errno = saved_errno;
}

int vtx_term_raw(struct vtx_error *error)
{
	static const int crashes[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT };
	struct sigaction action = { .sa_handler = vtx_crash, .sa_flags = SA_RESETHAND | SA_NODEFER };
	struct termios raw = vtx_saved;

	if (!vtx_guard)
		return 0;
	atexit(vtx_term_restore);
	for (unsigned int i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
		sigaction(crashes[i], &action, NULL);
	action = (struct sigaction){ .sa_handler = vtx_continued, .sa_flags = SA_RESTART };
	sigaction(SIGCONT, &action, NULL);
	cfmakeraw(&raw);
	vtx_is_raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw)) {
		vtx_is_raw = 0;
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR, "cannot switch the terminal to raw mode: %s",
				     strerror(errno));
	}
	vtx_terminal_is_raw = true;
	return 0;
}

void vtx_term_close(void)
{
	vtx_term_restore();
	if (vtx_guard_pipe < 0)
		return;
	if (write(vtx_guard_pipe, "q", 1) != 1)
		kill(vtx_guard, SIGKILL);
	close(vtx_guard_pipe);
	vtx_guard_pipe = -1;
	waitpid(vtx_guard, NULL, 0);
	vtx_guard = 0;
}
