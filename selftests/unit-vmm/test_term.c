// SPDX-License-Identifier: GPL-2.0-only
/* The terminal is as it was after every way a process can end, SIGKILL included. */
#include "unit.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "userspace-vmm/term.h"

enum way { WAY_CLOSE, WAY_EXIT, WAY_SEGV, WAY_ABORT, WAY_KILL, WAY_TERM_GROUP_KILL };

static int master, slave;
static struct termios before;

static int setup(void **state)
{
	(void)state;
	if (openpty(&master, &slave, NULL, NULL, NULL) || tcgetattr(slave, &before))
		return -1;
	before.c_cc[VINTR] = 0x1d; /* something that no default would restore */
	return tcsetattr(slave, TCSANOW, &before);
}

static int teardown(void **state)
{
	(void)state;
	close(master);
	close(slave);
	return 0;
}

static int go[2]; /* a pipe to the child */

static void __attribute__((noreturn)) child(enum way way)
{
	struct vtx_error error;
	bool is_terminal;
	char byte;

	setsid();
	dup2(slave, 0);
	dup2(open("/dev/null", O_WRONLY), 2);
	if (vtx_term_open(&is_terminal, &error) || !is_terminal || vtx_term_raw(&error))
		_exit(99);
	if (write(master, "", 0) < 0)
		_exit(98);
	kill(getppid(), SIGUSR1); /* raw now */
	if (read(go[0], &byte, 1) != 1) /* until the parent has seen that */
		_exit(96);
	switch (way) {
	case WAY_CLOSE:
		vtx_term_close();
		_exit(0);
	case WAY_EXIT:
		exit(0);
	case WAY_SEGV:
		raise(SIGSEGV);
		break;
	case WAY_ABORT:
		abort();
	case WAY_KILL:
		raise(SIGKILL);
		break;
	case WAY_TERM_GROUP_KILL:
		kill(0, SIGKILL);
		break;
	}
	_exit(97);
}

static bool same(void)
{
	struct termios now;

	return !tcgetattr(slave, &now) && now.c_lflag == before.c_lflag && now.c_iflag == before.c_iflag &&
	       now.c_oflag == before.c_oflag && now.c_cc[VINTR] == before.c_cc[VINTR];
}

static void check(enum way way, int signal)
{
	struct timespec limit = { .tv_sec = 10 };
	sigset_t set;
	int status;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	assert_false(pipe(go));
	pid = fork();
	if (!pid) {
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		child(way);
	}
	assert_int_equal(sigtimedwait(&set, NULL, &limit), SIGUSR1);
	assert_false(same());
	assert_int_equal(write(go[1], "", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (signal)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signal);
	else
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	/* only the guard needs a moment: it learns of the death when the process is gone */
	for (int i = 0; i < 200 && (way == WAY_KILL || way == WAY_TERM_GROUP_KILL) && !same(); i++)
		usleep(10000);
	assert_true(same());
	close(go[0]);
	close(go[1]);
}

static void test_close(void **state)
{
	(void)state;
	check(WAY_CLOSE, 0);
}

static void test_exit(void **state)
{
	(void)state;
	check(WAY_EXIT, 0);
}

static void test_crash(void **state)
{
	(void)state;
	check(WAY_SEGV, SIGSEGV);
}

static void test_abort(void **state)
{
	(void)state;
	check(WAY_ABORT, SIGABRT);
}

static void test_kill(void **state)
{
	(void)state;
	check(WAY_KILL, SIGKILL);
}

static void test_kill_of_the_whole_group(void **state)
{
	(void)state;
	check(WAY_TERM_GROUP_KILL, SIGKILL);
}

static void test_no_terminal(void **state)
{
	struct vtx_error error;
	bool is_terminal = true;
	int saved = dup(0), null = open("/dev/null", O_RDONLY);

	(void)state;
	dup2(null, 0);
	assert_int_equal(vtx_term_open(&is_terminal, &error), 0);
	assert_false(is_terminal);
	assert_int_equal(vtx_term_raw(&error), 0);
	vtx_term_close();
	dup2(saved, 0);
	close(saved);
	close(null);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_close, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_abort, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kill_of_the_whole_group, setup, teardown),
		cmocka_unit_test(test_no_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
