// SPDX-License-Identifier: GPL-2.0-only
/*
 * How `vtx run` with several CPUs ends: all threads come out, whoever ends the run and whatever the others are at.  A flat image
 * starts 3 CPUs with INIT and SIPI; two of them spin, one sleeps with interrupts off, and when all have said so the first one acts.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/differs.h"
#include "lib/guest.h"

#define VMM "/vtx/vtx"
#define AT "0x10000"

/* At 10000h: the boot processor, 32-bit. It starts the others, waits for three and says ~ on the serial port. */
GUEST_CODE(bsp_start, 32,
	   "movl $0x1ff, 0xfee000f0\n sti\n"
	   "movl $0xc4500, 0xfee00300\n movl $0xc4611, 0xfee00300\n"
	   "1: pause\n cmpl $3, 0xf000\n jne 1b\n"
	   "movb $'~', %al\n movw $0x3f8, %dx\n outb %al, %dx\n");
/* At 11000h, where the SIPI goes: the others, 16-bit. The third one to come sleeps. */
GUEST_CODE(ap_start, 16,
	   "movl $1, %eax\n lock xaddl %eax, 0xf000\n cmpl $2, %eax\n je 2f\n"
	   "sti\n 1: pause\n cmpb $0, 0xf004\n je 1b\n"
	   "lidtl 0xf010\n int $0x20\n" /* an IDT of nothing: triple fault */
	   "2: hlt\n jmp 2b");

/* What the boot processor does then. */
GUEST_CODE(ends_nothing, 32, "1: pause\n jmp 1b");
GUEST_CODE(ends_debug_exit, 32, "movb $42, %al\n outb %al, $0xf4\n 1: pause\n jmp 1b");
GUEST_CODE(ends_poweroff, 32, "movw $0x604, %dx\n movw $0x3400, %ax\n outw %ax, %dx\n 1: pause\n jmp 1b");
GUEST_CODE(ends_reset, 32, "movw $0xcf9, %dx\n movb $6, %al\n outb %al, %dx\n 1: pause\n jmp 1b");
GUEST_CODE(ends_other, 32, "movb $1, 0xf004\n 1: pause\n jmp 1b");

struct run {
	pid_t pid;
	int to, from;		/* the VMM's standard input and output */
	char output[8192];
	size_t len;
};

static void write_image(const char *path, const u8 *act, const u8 *act_end)
{
	u8 image[0x2000] = {};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	size_t len = (size_t)(bsp_start_end - bsp_start);

	memcpy(image, bsp_start, len);
	memcpy(image + len, act, (size_t)(act_end - act));
	memcpy(image + 0x1000, ap_start, (size_t)(ap_start_end - ap_start));
	CHECK(fd >= 0 && write(fd, image, sizeof(image)) == sizeof(image), "%s", path);
	close(fd);
}

static void open_terminal(int fds[2])
{
	fds[0] = posix_openpt(O_RDWR | O_NOCTTY);
	CHECK(fds[0] >= 0 && !grantpt(fds[0]) && !unlockpt(fds[0]), "a terminal");
	fds[1] = open(ptsname(fds[0]), O_RDWR | O_NOCTTY);
	CHECK(fds[1] >= 0, "a terminal");
}

static void start(struct run *r, const u8 *act, const u8 *act_end, bool terminal)
{
	int in[2], out[2], term[2];
	char path[64];

	if (access(VMM, X_OK))
		skip("no %s", VMM);
	test_timeout(20);
	*r = (struct run){ .len = 0 };
	snprintf(path, sizeof(path), "/run/test_smp_ends.%d", getpid());
	write_image(path, act, act_end);
	if (terminal)
		open_terminal(term);
	else
		CHECK(!pipe(in) && !pipe(out), "pipe");
	r->pid = fork();
	if (!r->pid) {
		dup2(terminal ? term[1] : in[0], 0);
		dup2(terminal ? term[1] : out[1], 1);
		dup2(terminal ? term[1] : out[1], 2);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		execl(VMM, "vtx", "run", "-v", "-k", path, "-c", "4", "-m", "16", "--flat", AT, "--flat-mode", "protected", "--debug-exit",
		      "--dev", device_path(), NULL);
		_exit(127);
	}
	r->to = terminal ? term[0] : in[1];
	r->from = terminal ? term[0] : out[0];
	close(terminal ? term[1] : out[1]);
}

/* Reads until the text is there, or to the end. */
static void read_until(struct run *r, const char *text)
{
	ssize_t got;

	while (!text || !strstr(r->output, text)) {
		got = read(r->from, r->output + r->len, sizeof(r->output) - 1 - r->len);
		if (got <= 0)
			break;
		r->len += (size_t)got;
		r->output[r->len] = '\0';
	}
}

/* The process is gone, and it had waited for each of its four threads. */
static int finish(struct run *r)
{
	char line[64];
	int status;

	read_until(r, NULL);
	CHECK(waitpid(r->pid, &status, 0) == r->pid, "waitpid");
	for (int i = 0; i < 4; i++) {
		snprintf(line, sizeof(line), "vCPU %d returned from KVM_RUN", i);
		EXPECT(strstr(r->output, line), "no last word of vCPU %d: %s", i, r->output);
	}
	EXPECT(!strstr(r->output, "does not come out"), "a thread was left");
	return status;
}

static void ends_by_itself(const u8 *act, const u8 *act_end, int want)
{
	struct run r;
	int status;

	start(&r, act, act_end, false);
	status = finish(&r);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == want, "status %#x, not %d: %s", status, want, r.output);
}

static void debug_exit(void)
{
	ends_by_itself(ends_debug_exit, ends_debug_exit_end, 42);
}

static void poweroff(void)
{
	ends_by_itself(ends_poweroff, ends_poweroff_end, 0);
}

static void reset(void)
{
	ends_by_itself(ends_reset, ends_reset_end, 10);
}

static void one_fails(void)
{
	ends_by_itself(ends_other, ends_other_end, 11);
}

static void terminated(void)
{
	struct run r;
	int status;

	start(&r, ends_nothing, ends_nothing_end, false);
	read_until(&r, "~");
	kill(r.pid, SIGTERM);
	status = finish(&r);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "status %#x: %s", status, r.output);
}

static void escape(void)
{
	struct run r;
	int status;

	start(&r, ends_nothing, ends_nothing_end, true);
	read_until(&r, "~");
	CHECK(write(r.to, "\001x", 2) == 2, "write");
	status = finish(&r);
	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x: %s", status, r.output);
}

static void killed(void)
{
	struct run r;
	int status;

	start(&r, ends_nothing, ends_nothing_end, false);
	read_until(&r, "~");
	kill(r.pid, SIGKILL);
	CHECK(waitpid(r.pid, &status, 0) == r.pid, "waitpid");
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "status %#x", status);
}

static const struct test tests[] = {
	TEST(debug_exit), TEST(poweroff), TEST(reset), TEST(one_fails), TEST(terminated), TEST(escape), TEST(killed),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
