// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUs of the machine go offline and come back under running vCPUs, `test_hotplug [N]` N times (10 by default): no vCPU stops or
 * loses its registers, VMs are made and ended meanwhile, and a CPU that is back runs guests.
 */
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/host.h"

static int rounds = 10;

GUEST static void answer(u64 arg)
{
	g_sti();
	g_done((u32)arg);
}

static void need_two(void)
{
	if (cpus_online() < 2)
		skip("one CPU");
	if (access("/sys/devices/system/cpu/cpu1/online", W_OK))
		skip("CPU 1 cannot go offline");
	test_timeout(20 + 2 * (unsigned int)rounds);
}

static void offline(int cpu)
{
	CHECK(!cpu_set_online(cpu, false), "CPU %d offline: %s", cpu, strerror(errno));
}

static void online(int cpu)
{
	CHECK(!cpu_set_online(cpu, true), "CPU %d online: %s", cpu, strerror(errno));
}

/* A guest on this CPU and no other. */
static void guest_on(int cpu)
{
	cpu_set_t before;

	sched_getaffinity(0, sizeof(before), &before);
	on_cpu(cpu);
	guest_passes(VM_IRQCHIP, answer, 0);
	sched_setaffinity(0, sizeof(before), &before);
}

static volatile int done;

/* VMs that come and go all the time, each in a process of its own as most are. */
static void *other_vms(void *arg)
{
	(void)arg;
	while (!done) {
		int status;
		pid_t pid = fork();

		if (!pid) {
			guest_passes(VM_IRQCHIP | VM_PIT, answer, 0);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid && !status, "a guest beside it: %#x", status);
	}
	return NULL;
}

/* All vCPU threads sit on the CPU that goes; there is nothing else they could have been pushed off by. */
static void under_vcpus(void)
{
	pthread_t others;
	struct busy b;

	need_two();
	busy_start(&b, 6);
	CHECK(!pthread_create(&others, NULL, other_vms, NULL), "pthread_create");
	for (int round = 0; round < rounds; round++) {
		int cpu = 1 + round % (cpus_online() - 1);

		for (int i = 0; i < b.nr; i++)
			thread_on_cpu(b.thread[i], cpu);
		busy_progress(&b, 2);
		offline(cpu);
		busy_progress(&b, 5);
		online(cpu);
		guest_on(cpu);
		busy_progress(&b, 2);
	}
	done = 1;
	pthread_join(others, NULL);
	busy_stop(&b);
}

/* All CPUs but the first: where there are more than two. */
static void down_to_one(void)
{
	int cpus = cpus_online();
	struct busy b;

	need_two();
	busy_start(&b, 4);
	for (int round = 0; round < 2; round++) {
		for (int cpu = 1; cpu < cpus; cpu++)
			offline(cpu);
		CHECK_EQ(cpus_online(), 1, "CPUs online");
		busy_progress(&b, 3);
		for (int cpu = cpus - 1; cpu > 0; cpu--)
			online(cpu);
		busy_progress(&b, 3);
	}
	for (int cpu = 1; cpu < cpus; cpu++)
		guest_on(cpu);
	busy_stop(&b);
}

/* VT-x follows the VMs, not the CPUs: the first VM made or the last one ended while the CPU was away. */
static void without_vms(void)
{
	struct vcpu *v;

	need_two();
	offline(1);
	v = guest_new(0, answer, 3);
	online(1);
	on_cpu(1);
	CHECK_EQ(vcpu_finish(v), 3, "the result on the CPU that came back");
	on_cpu(0);
	offline(1);
	vm_free(v->vm);
	vcpu_free(v);
	online(1);
	guest_on(1);
	guest_on(0);
	/* Nobody has VT-x: nothing to turn off, nothing to turn on. */
	offline(1);
	online(1);
	guest_on(1);
}

/* A vCPU that is not running keeps its state, although the CPU it ran on last is gone. */
static void idle_vcpus(void)
{
	struct vcpu *v[4];

	need_two();
	on_cpu(1);
	for (int i = 0; i < 4; i++) {
		v[i] = guest_new(VM_IRQCHIP, answer, (u64)i);
		vcpu_regs(v[i]);
	}
	on_cpu(0);
	offline(1);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(vcpu_finish(v[i]), (u64)i, "the result while CPU 1 is away");
	vcpu_free(v[1]);
	online(1);
	on_cpu(1);
	for (int i = 2; i < 4; i++)
		CHECK_EQ(vcpu_finish(v[i]), (u64)i, "the result");
}

/*
 * Many threads wait in the run queue of the CPU that goes, and RCU does not give them time to be moved away one by one: some are
 * switched to after VT-x was turned off there.
 */
static void full_run_queue(void)
{
	bool expedited;
	struct busy b[3];

	need_two();
	expedited = read_text("/sys/kernel/rcu_expedited")[0] == '1';
	write_file("/sys/kernel/rcu_expedited", "1");
	for (size_t i = 0; i < ARRAY_SIZE(b); i++)
		busy_start(&b[i], BUSY_MAX);
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(b); i++)
			for (int n = 0; n < BUSY_MAX; n++)
				thread_on_cpu(b[i].thread[n], 1);
		busy_progress(&b[round % 3], 1);
		offline(1);
		busy_progress(&b[round % 3], 1);
		online(1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(b); i++)
		busy_stop(&b[i]);
	write_file("/sys/kernel/rcu_expedited", expedited ? "1" : "0");
}

static const struct test tests[] = {
	TEST(under_vcpus), TEST(down_to_one), TEST(without_vms), TEST(idle_vcpus), TEST(full_run_queue),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		rounds = atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
