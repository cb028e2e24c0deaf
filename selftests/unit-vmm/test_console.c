// SPDX-License-Identifier: GPL-2.0-only
/*
 * The console end to end, with pipes for stdin and stdout and a thread in the place of the guest: nothing is lost and
 * nothing doubled, in either direction, whatever the guest's driver does; the run ends when stdout breaks.
 */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "board_stub.h"
#include "userspace-vmm/console.h"

#define OUTPUT_BYTES 300000
#define INPUT_BYTES 50000

static struct board_stub stub;
static struct vtx_uart uart;
static struct vtx_bus bus;
static struct vtx_console console;

static uint8_t pattern(unsigned int i)
{
	return (uint8_t)(i * 31 + (i >> 8));
}

static uint8_t in(unsigned int reg)
{
	return (uint8_t)vtx_bus_read(&bus, (uint16_t)(0x3f8 + reg), 1);
}

static void out(unsigned int reg, uint8_t value)
{
	vtx_bus_write(&bus, (uint16_t)(0x3f8 + reg), 1, value);
}

static void start(bool escapes)
{
	struct vtx_error error;

	signal(SIGPIPE, SIG_IGN);
	stub_init(&stub);
	vtx_uart_init(&uart, &stub.board, 0x3f8, 4);
	if (vtx_uart_attach(&uart, &bus) || vtx_console_start(&console, &uart, &stub.board, escapes, &error))
		_exit(90);
}

static void guest_sends(void)
{
	start(false);
	for (unsigned int i = 0; i < OUTPUT_BYTES; i++)
		out(0, pattern(i));
	vtx_console_stop(&console);
}

/* A driver that polls, then one that starts with interrupts and throws away what it finds in the FIFO first. */
static void guest_echoes(void)
{
	unsigned int i = 0;

	start(false);
	usleep(50000); /* input waits already: nobody listens */
	out(1, 0x0f);  /* a probe of the interrupt enable bits */
	usleep(50000);
	out(1, 0);
	out(2, 0x07);
	in(0);
	out(4, 0x08);
	out(1, 1);
	usleep(50000); /* a byte comes in before the FIFO is on, in Linux's order */
	out(2, 0xc1);
	while (i < INPUT_BYTES) {
		if (!(in(5) & 1))
			continue;
		out(0, in(0));
		i++;
		if (i % 1000 == 0) { /* as Linux does while its console writes: mask for a moment */
			out(1, 0);
			usleep(10);
			out(1, 1);
		}
	}
	vtx_console_stop(&console);
}

static void guest_until_broken(void)
{
	start(false);
	for (unsigned int i = 0; i < 10000000 && !__atomic_load_n(&stub.ended, __ATOMIC_SEQ_CST); i++)
		out(0, 'x');
	vtx_console_stop(&console);
	_exit(stub.ended == 1 && stub.status == VTX_STATUS_HOST_ERROR ? 0 : 91);
}

/* A guest that never reads; typing goes to a terminal's escape handling all the same. */
static void guest_deaf(void)
{
	start(true);
	for (unsigned int i = 0; i < 1000 && !__atomic_load_n(&stub.ended, __ATOMIC_SEQ_CST); i++)
		usleep(5000);
	vtx_console_stop(&console);
	_exit(stub.ended == 1 && stub.status == VTX_STATUS_SHUTDOWN ? 0 : 92);
}

static pid_t spawn(void (*guest)(void), int *to, int *from)
{
	int a[2], b[2];
	pid_t pid;

	assert_int_equal(pipe(a) | pipe(b), 0);
	pid = fork();
	if (!pid) {
		dup2(a[0], 0);
		dup2(b[1], 1);
		close(a[1]);
		close(b[0]);
		close(a[0]);
		close(b[1]);
		guest();
		_exit(0);
	}
	close(a[0]);
	close(b[1]);
	*to = a[1];
	*from = b[0];
	return pid;
}

static void expect_exit(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void expect_pattern(int from, unsigned int count)
{
	unsigned int i = 0;
	uint8_t buffer[4096];
	ssize_t n;

	while ((n = read(from, buffer, sizeof(buffer))) > 0)
		for (ssize_t k = 0; k < n; k++)
			assert_int_equal(buffer[k], pattern(i++));
	assert_int_equal(i, count);
}

static void test_output(void **state)
{
	int to, from;
	pid_t pid = spawn(guest_sends, &to, &from);

	(void)state;
	close(to);
	usleep(200000); /* a slow reader: the pipe and then the buffer fill up */
	expect_pattern(from, OUTPUT_BYTES);
	close(from);
	expect_exit(pid);
}

static void test_input(void **state)
{
	uint8_t *bytes = malloc(INPUT_BYTES);
	int to, from;
	pid_t pid = spawn(guest_echoes, &to, &from), writer;

	(void)state;
	for (unsigned int i = 0; i < INPUT_BYTES; i++)
		bytes[i] = pattern(i);
	writer = fork();
	if (!writer) {
		for (ssize_t done = 0; done < INPUT_BYTES;)
			done += write(to, bytes + done, (size_t)(INPUT_BYTES - done));
		_exit(0);
	}
	close(to);
	expect_pattern(from, INPUT_BYTES);
	close(from);
	expect_exit(writer);
	expect_exit(pid);
	free(bytes);
}

static void test_broken_stdout_ends_the_run(void **state)
{
	int to, from;
	pid_t pid = spawn(guest_until_broken, &to, &from);

	(void)state;
	close(from);
	expect_exit(pid);
	close(to);
}

static void test_quit_reaches_a_deaf_guest(void **state)
{
	int to, from;
	pid_t pid = spawn(guest_deaf, &to, &from);

	(void)state;
	assert_int_equal(write(to, "typed ahead \x01x", 14), 14);
	expect_exit(pid);
	close(to);
	close(from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_broken_stdout_ends_the_run),
		cmocka_unit_test(test_quit_reaches_a_deaf_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
