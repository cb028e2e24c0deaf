// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts and NMIs of the machine that arrive while its CPU runs a guest reach the machine's own handlers: its counters go
 * on, and the processes that are entitled to a CPU get it. `test_hostnmi [N]` sends N NMIs (20 by default).
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/klog.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/vm.h"

static int nr_nmis = 20;

/* A counter of /proc/interrupts ("LOC", "NMI") on one CPU, or -1. */
static long counter(const char *name, int cpu)
{
	char line[1024];
	FILE *f = fopen("/proc/interrupts", "r");
	long value = -1;

	while (f && fgets(line, sizeof(line), f)) {
		char *p = line + strspn(line, " "), *colon = strchr(p, ':');

		if (!colon || strncmp(p, name, strlen(name)) || colon != p + strlen(name))
			continue;
		p = colon + 1;
		for (int i = 0; i <= cpu; i++)
			value = strtol(p, &p, 10);
		break;
	}
	if (f)
		fclose(f);
	return value;
}

GUEST static void spin_guest(u64 arg)
{
	(void)arg;
	g_sti();
	for (;;)
		g_pause();
}

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!sched_setaffinity(0, sizeof(set), &set), "sched_setaffinity");
}

static void interrupt_after(unsigned int ms)
{
	struct itimerval timer = { .it_value = { .tv_usec = 1000 * ms } };
	struct sigaction action;

	quiet_signal();
	sigaction(SIGUSR1, NULL, &action);
	sigaction(SIGALRM, &action, NULL);
	CHECK(!setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
}

/* A guest that never leaves on its own: the timer tick goes on counting, and the signal it carries arrives. */
static void timer_interrupts(void)
{
	struct vcpu *v = guest_new(0, spin_guest, 0);
	long before, after;

	on_cpu(0);
	before = counter("LOC", 0);
	CHECK(before >= 0, "no LOC in /proc/interrupts");
	for (int i = 0; i < 3; i++) {
		interrupt_after(20);
		EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	}
	after = counter("LOC", 0);
	EXPECT(after >= before + 3, "LOC went from %ld to %ld", before, after);
}

static volatile u64 progress;

static void *worker(void *arg)
{
	(void)arg;
	for (;;)
		progress++;
	return NULL;
}

/* Another thread of the same CPU gets its share while the guest spins. */
static void others_get_the_cpu(void)
{
	struct vcpu *v = guest_new(0, spin_guest, 0);
	pthread_t thread;
	u64 before;

	on_cpu(0);
	CHECK(!pthread_create(&thread, NULL, worker, NULL), "pthread_create");
	before = progress;
	interrupt_after(60);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	EXPECT(progress > before + 1000, "the other thread did %llu turns", (unsigned long long)(progress - before));
}

static void *spin_on_cpu_1(void *arg)
{
	struct vcpu *v = arg;

	on_cpu(1);
	for (;;)
		(void)!ioctl(v->fd, KVM_RUN, 0);
	return NULL;
}

/* The kernel's own backtrace request is an NMI to the other CPUs: each must be counted there. */
static void nmis(void)
{
	struct vcpu *v;
	pthread_t thread;
	long before, after = 0;
	int fd;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("one CPU");
	test_timeout(10 + (unsigned int)nr_nmis / 10);
	fd = open("/proc/sysrq-trigger", O_WRONLY);
	if (fd < 0)
		skip("no /proc/sysrq-trigger");
	klogctl(8, NULL, 1);	/* the backtraces are not for the console */
	v = guest_new(0, spin_guest, 0);
	CHECK(!pthread_create(&thread, NULL, spin_on_cpu_1, v), "pthread_create");
	on_cpu(0);
	usleep(2000);
	before = counter("NMI", 1);
	for (int i = 0; i < nr_nmis; i++) {
		CHECK(write(fd, "l", 1) == 1, "sysrq");
		usleep(2000);
	}
	after = counter("NMI", 1);
	klogctl(5, NULL, 0);	/* nor are they complaints */
	klogctl(8, NULL, 5);
	EXPECT(after >= before + nr_nmis, "NMI on CPU 1 went from %ld to %ld", before, after);
}

static const struct test tests[] = {
	TEST(timer_interrupts), TEST(others_get_the_cpu), TEST(nmis),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		nr_nmis = atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
