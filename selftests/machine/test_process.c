// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the rest of the system does to a VMM: fork, exec, descriptors given away, signals in number, a debugger, a core dump, the
 * freezer, and a memory limit.  `test_process [N]`: N signals (2,000 by default).
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#undef PAGE_SIZE /* of sys/user.h */

#include "lib/host.h"
#include "lib/module.h"

static int signals = 2000;

GUEST static void answer(u64 arg)
{
	g_sti();
	g_done((u32)arg);
}

GUEST static void spin(u64 arg)
{
	(void)arg;
	g_sti();
	for (;;)
		g_pause();
}

static long module_users(void)
{
	return strtol(read_text("/sys/module/vtx/refcnt"), NULL, 10);
}

/* Descriptors are closed by task work, and a VM's end waits for RCU. */
static void users_are(long want, const char *when)
{
	for (int i = 0; i < 400 && module_users() != want; i++)
		usleep(2500);
	EXPECT_EQ(module_users(), want, when);
}

static void in_child(void (*fn)(void *), void *arg)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		fn(arg);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the child: %#x", status);
}

/* Another process may hold the descriptors and can do nothing with them. */
static void all_refused(void *arg)
{
	struct vcpu *v = arg;
	struct kvm_irq_level level = { .irq = 1 };
	struct kvm_irqfd irqfd = { .fd = (u32)eventfd(0, 0), .gsi = 3 };
	struct kvm_regs regs;

	if (ioctl(v->fd, KVM_RUN, 0) != -1 || errno != EIO || ioctl(v->fd, KVM_GET_REGS, &regs) != -1 || errno != EIO ||
	    ioctl(v->vm->fd, KVM_CREATE_VCPU, 5L) != -1 || errno != EIO || ioctl(v->vm->fd, KVM_IRQ_LINE, &level) != -1 || errno != EIO ||
	    ioctl(v->vm->fd, KVM_IRQFD, &irqfd) != -1 || errno != EIO || vm_slot(v->vm, 3, 1 << 30, 0x1000, v->vm->mem, 0) != -1 ||
	    errno != EIO)
		_exit(1);
	/* Its own VMs on the inherited device are no different from others. */
	guest_passes(VM_IRQCHIP, answer, 0);
}

static void forked(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP | VM_PIT, answer, 9);

	in_child(all_refused, v);
	CHECK_EQ(vcpu_finish(v), 9, "the result after the fork");
}

/* The parent of a fork goes on with memory that is now copied on write, under the guest. */
static void forked_while_running(void)
{
	struct busy b;

	test_timeout(10);
	busy_start(&b, 4);
	for (int i = 0; i < 20; i++) {
		pid_t pid = fork();
		int status;

		if (!pid) {
			memset(b.v[0]->vm->mem + GUEST_FREE, 0xee, 50 * PAGE_SIZE);
			_exit(0);
		}
		busy_progress(&b, 1);
		CHECK(waitpid(pid, &status, 0) == pid && !status, "the child: %#x", status);
	}
	busy_stop(&b);
}

static void need_vtx(void)
{
	if (!module_loaded("vtx") || access("/dev/vtx", F_OK))
		skip("vtx is not here, or serves another name");
}

/* The descriptor outlives its process: useless, and the module cannot go before it is closed. */
static void passed_on(void)
{
	char room[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct kvm_regs regs;
	int pair[2], fd[2], status;
	long before;
	pid_t pid;

	need_vtx();
	close(dev_open());
	before = module_users();
	CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	pid = fork();
	if (!pid) {
		struct vcpu *v;

		CHECK(dup2(open("/dev/vtx", O_RDWR), dev_open()) >= 0, "the device again");
		v = guest_new(VM_IRQCHIP | VM_PIT, answer, 0);
		*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(fd)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS };
		memcpy(CMSG_DATA(c), (int[]){ v->vm->fd, v->fd }, sizeof(fd));
		CHECK(sendmsg(pair[1], &msg, 0) == 1, "sendmsg");
		CHECK(vcpu_finish(v) == 0, "the result");
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the sender: %#x", status);
	CHECK(recvmsg(pair[0], &msg, MSG_CMSG_CLOEXEC) == 1, "recvmsg");
	memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	EXPECT_ERRNO(ioctl(fd[0], KVM_CREATE_VCPU, 1L), EIO);
	EXPECT_ERRNO(ioctl(fd[1], KVM_GET_REGS, &regs), EIO);
	EXPECT_ERRNO(ioctl(fd[1], KVM_RUN, 0), EIO);
	EXPECT(module_users() > before, "the descriptors do not hold the module");
	close(fd[0]);
	EXPECT_ERRNO(ioctl(fd[1], KVM_RUN, 0), EIO);
	close(fd[1]);
	users_are(before, "users of the module after the last close");
}

/* exec() closes what vtx handed out, and the new program finds nothing of it. */
static void exec(void)
{
	long before;
	int status, hold[2];
	pid_t pid;

	need_vtx();
	close(dev_open());
	before = module_users();
	CHECK(!pipe(hold), "pipe");
	pid = fork();
	if (!pid) {
		struct vcpu *v;

		dup2(hold[0], 0);
		close(hold[1]);
		CHECK(dup2(open("/dev/vtx", O_RDWR | O_CLOEXEC), 100) == 100, "dup2");
		fcntl(100, F_SETFD, FD_CLOEXEC);
		dup2(100, dev_open());
		fcntl(dev_open(), F_SETFD, FD_CLOEXEC);
		v = guest_new(VM_IRQCHIP | VM_PIT, spin, 0);
		vcpu_start(v);
		usleep(5000);
		execlp("sh", "sh", "-c", "ls -l /proc/self/fd 2>/dev/null | grep vtx && exit 7; read x; exit 0", NULL);
		_exit(1);
	}
	usleep(20000);
	users_are(before, "users of the module after exec");
	close(hold[1]);
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the program after exec: %#x", status);
}

static volatile u64 handled;

static void count_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(&handled, 1, __ATOMIC_SEQ_CST);
}

/* Queued signals, so that each must be seen: at threads that run the guest, and at ones that sleep in it. */
static void many_signals(void)
{
	struct sigaction action = { .sa_handler = count_signal };
	u64 sent = 0;
	struct busy b;

	test_timeout(20 + (unsigned int)signals / 200);
	sigaction(SIGRTMIN + 1, &action, NULL);
	busy_start(&b, 4);
	while (sent < (u64)signals) {
		union sigval value = { 0 };

		/* EAGAIN: the queue is full, the receivers have to catch up. */
		if (!pthread_sigqueue(b.thread[sent % 4], SIGRTMIN + 1, value))
			sent++;
		else
			sched_yield();
	}
	busy_progress(&b, 2);
	busy_stop(&b);
	CHECK_EQ(handled, sent, "signals handled");
}

/* ------------------------------------------------------------------ a debugger */

static void stopped(pid_t tid)
{
	int status;

	CHECK(waitpid(tid, &status, __WALL) == tid && WIFSTOPPED(status), "thread %d: %#x", tid, status);
}

/* Stopped in the middle of KVM_RUN, looked at, stepped, let go: the guest notices nothing. */
static void debugger(void)
{
	static volatile u64 *turns;
	struct user_regs_struct regs;
	u64 before;
	pid_t pid;

	test_timeout(10);
	turns = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(turns != MAP_FAILED, "mmap");
	pid = fork();
	if (!pid) {
		struct vcpu *v = busy_vcpu(vm_new(VM_IRQCHIP), 0);
		struct itimerspec often = { { 0, 2000000 }, { 0, 2000000 } };
		struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 };
		timer_t timer;

		quiet_signal();
		CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer) && !timer_settime(timer, 0, &often, NULL), "timer");
		for (;;) {
			CHECK(ioctl(v->fd, KVM_RUN, 0) && errno == EINTR, "exit %u, errno %d", v->run->exit_reason, errno);
			turns[0]++;
		}
	}
	while (turns[0] < 2)
		usleep(1000);
	for (int i = 0; i < 20; i++) {
		CHECK(!ptrace(PTRACE_ATTACH, pid, 0, 0), "attach");
		stopped(pid);
		CHECK(!ptrace(PTRACE_GETREGS, pid, 0, &regs), "registers");
		for (int step = 0; step < 3; step++) {
			CHECK(!ptrace(PTRACE_SINGLESTEP, pid, 0, 0), "step");
			stopped(pid);
		}
		before = turns[0];
		CHECK(!ptrace(PTRACE_DETACH, pid, 0, 0), "detach");
		while (turns[0] < before + 2)
			usleep(500);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A VMM that crashes while its vCPUs run: the core holds guest memory and run pages, and the VM is gone. */
static void core_dump(void)
{
	char pattern[256];
	struct stat st = { 0 };
	long before;
	int status;
	pid_t pid;

	test_timeout(10);
	need_vtx();
	close(dev_open());
	before = module_users();
	snprintf(pattern, sizeof(pattern), "%s", read_text("/proc/sys/kernel/core_pattern"));
	if (access("/proc/sys/kernel/core_pattern", F_OK))
		skip("the kernel writes no core files (CONFIG_COREDUMP)");
	CHECK(!write_file("/proc/sys/kernel/core_pattern", "/dev/shm/vtx-core"), "core_pattern");
	pid = fork();
	if (!pid) {
		struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
		struct busy b;

		setrlimit(RLIMIT_CORE, &all);
		prctl(PR_SET_DUMPABLE, 1);
		CHECK(dup2(open("/dev/vtx", O_RDWR), dev_open()) >= 0, "the device again");
		busy_start(&b, 4);
		busy_progress(&b, 3);
		abort();
	}
	CHECK(waitpid(pid, &status, 0) == pid, "waitpid");
	write_file("/proc/sys/kernel/core_pattern", pattern);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && WCOREDUMP(status), "status %#x", status);
	CHECK(!stat("/dev/shm/vtx-core", &st), "no core");
	EXPECT(st.st_size > (long)GUEST_MEMORY, "the core has %ld bytes", (long)st.st_size);
	unlink("/dev/shm/vtx-core");
	users_are(before, "users of the module after the crash");
}

/* ------------------------------------------------------------------ control groups */

static u64 cpu_time(clockid_t clock)
{
	struct timespec t;

	CHECK(!clock_gettime(clock, &t), "clock_gettime");
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

static void frozen(void)
{
	char *group = cgroup_new("frozen", ""), pid[16];
	struct busy b;
	int status;

	if (!group)
		skip("no cgroup v2");
	test_timeout(10);
	busy_start(&b, 4);
	/* The whole process; who says so must not be in it. */
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (!fork()) {
		clockid_t used;
		u64 then;

		CHECK(!cgroup_write(group, "cgroup.procs", pid) && !clock_getcpuclockid(getppid(), &used), "cgroup.procs");
		for (int i = 0; i < 5; i++) {
			CHECK(!cgroup_write(group, "cgroup.freeze", "1"), "cgroup.freeze");
			while (!strstr(cgroup_read(group, "cgroup.events"), "frozen 1"))
				usleep(1000);
			then = cpu_time(used);
			usleep(3000);
			CHECK_EQ(cpu_time(used), then, "CPU time of the frozen process");
			CHECK(!cgroup_write(group, "cgroup.freeze", "0"), "cgroup.freeze");
			usleep(3000);
		}
		_exit(0);
	}
	for (int i = 0; i < 10; i++)
		busy_progress(&b, 3);
	CHECK(wait(&status) > 0 && !status, "the one that froze it: %#x", status);
	busy_progress(&b, 3);
	busy_stop(&b);
	snprintf(pid, sizeof(pid), "%d", getpid());
	CHECK(!write_file("/run/cgroup/cgroup.procs", pid), "out of the group");
	cgroup_free(group);
}

/* In the group: VMs until something gives. Status 0: an errno, with the VMs made so far still usable. */
static void eat_memory(void)
{
	struct vcpu *first = guest_new(VM_IRQCHIP | VM_PIT, answer, 4);

	for (int i = 0; i < 2000; i++) {
		int vm = ioctl(dev_open(), KVM_CREATE_VM, 0);

		if (vm < 0 || ioctl(vm, KVM_CREATE_IRQCHIP, 0) || ioctl(vm, KVM_CREATE_VCPU, 0L) < 0)
			_exit(errno == ENOMEM && vcpu_finish(first) == 4 ? 0 : 3);
	}
	_exit(2);
}

static long group_memory(const char *group)
{
	return strtol(cgroup_read(group, "memory.current"), NULL, 10);
}

/* What vtx allocates for a VMM is the VMM's: it is charged, limited, and given back. */
static void memory_limit(void)
{
	char *group = cgroup_new("limit", "+memory"), pid[16];
	struct rlimit files = { 8192, 8192 };
	long one, users;
	int status, go[2];
	pid_t child;

	if (!group)
		skip("no memory controller");
	need_vtx();
	test_timeout(30);
	klogctl(8, NULL, 1);	/* the OOM killer talks much */
	users = module_users();
	CHECK(!cgroup_write(group, "memory.max", "12M") && !pipe(go), "memory.max");
	setrlimit(RLIMIT_NOFILE, &files);
	child = fork();
	if (!child) {
		CHECK(read(go[0], pid, 1) == 1, "read");
		eat_memory();
	}
	snprintf(pid, sizeof(pid), "%d", child);
	CHECK(!cgroup_write(group, "cgroup.procs", pid), "cgroup.procs");
	one = group_memory(group);
	CHECK(write(go[1], "g", 1) == 1, "write");
	CHECK(waitpid(child, &status, 0) == child, "waitpid");
	note("status %#x, %ld bytes at first, %ld after; %s", status, one, group_memory(group),
	     strstr(cgroup_read(group, "memory.events"), "oom_kill") ?: "");
	EXPECT(!status || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL), "the VMM ended with %#x", status);
	klogctl(5, NULL, 0);
	klogctl(8, NULL, 5);
	users_are(users, "users of the module after the VMM's end");
	/* What is freed through RCU and per-CPU lists needs a moment and a push. */
	for (int i = 0; i < 50 && group_memory(group) > 1 << 20; i++) {
		memory_in_use();
		cgroup_write(group, "memory.reclaim", "16M");
	}
	EXPECT(group_memory(group) < 2 << 20, "%ld bytes are still charged", group_memory(group));
	cgroup_free(group);
	guest_passes(VM_IRQCHIP | VM_PIT, answer, 0);
}

static const struct test tests[] = {
	TEST(forked), TEST(forked_while_running), TEST(passed_on), TEST(exec), TEST(many_signals), TEST(debugger), TEST(core_dump),
	TEST(frozen), TEST(memory_limit),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		signals = atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
