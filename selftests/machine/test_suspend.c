// SPDX-License-Identifier: GPL-2.0-only
/*
 * The machine sleeps under running vCPUs, `test_suspend [N]` N times (2 by default).
 *
 * Debian's kernels have no pm_test. Hibernation without a swap device does all that suspending does - user space and kernel
 * threads frozen, devices suspended, CPUs offline, the core suspended, an image made - and then finds nowhere to write the image
 * and comes back the whole way. `test_suspend mem [N]` sleeps in S3 instead, for machines that wake by themselves: Bochs resets itself
 * and lets the BIOS resume. VMX operation really ends there, and so may the TSC's count.
 */
#include <stdlib.h>
#include <sys/klog.h>
#include <unistd.h>

#include "lib/host.h"
#include "lib/module.h"

static int rounds = 2;

static bool in_s3;

/* How often the machine has slept, by the kernel's log. */
static int slept(void)
{
	const char *at = kernel_log();
	int n = 0;

	while ((at = strstr(at, in_s3 ? "Low-level resume complete" : "Image created")) != NULL) {
		at++;
		n++;
	}
	return n;
}

static void sleep_once(void)
{
	int before = slept();

	/* Its chatter would take seconds on the serial port. */
	klogctl(8, NULL, 1);
	if (in_s3) {
		CHECK(!write_file("/sys/power/state", "mem"), "mem: %s", strerror(errno));
	} else {
		write_file("/sys/power/disk", "shutdown");
		EXPECT(write_file("/sys/power/state", "disk") && errno == ENODEV, "errno %d: is there a swap device?", errno);
	}
	klogctl(8, NULL, 5);
	CHECK_EQ(slept(), before + 1, "sleeps");
}

static void need_sleep(void)
{
	const char *states = read_text("/sys/power/state");

	if (!strstr(states, in_s3 ? "mem" : "disk"))
		skip("the kernel does not sleep like that");
	if (strchr(read_text("/proc/swaps"), '/'))
		skip("a swap device: the machine would write its image and go off");
	test_timeout(20 + 10 * (unsigned int)rounds);
}

static u64 guest_clock(struct vm *vm)
{
	struct kvm_clock_data clock;

	CHECK_OK(ioctl(vm->fd, KVM_GET_CLOCK, &clock));
	return clock.clock;
}

/* vCPUs that run and that sleep: frozen, and on again, with TSC (checked by the guest) and clock going forward. */
static void running(void)
{
	struct busy b;
	u64 clock;

	need_sleep();
	if (in_s3 && cpus_online() > 1)
		skip("Bochs: the CPUs' TSCs differ after S3 (docs/errata.md)");
	busy_start(&b, 4);
	clock = guest_clock(b.v[0]->vm);
	for (int round = 0; round < rounds; round++) {
		u64 now;

		sleep_once();
		busy_progress(&b, 5);
		now = guest_clock(b.v[0]->vm);
		CHECK(now > clock, "the guest's clock went from %lu to %lu ns", clock, now);
		clock = now;
	}
	busy_stop(&b);
}

#define CLOCK_PAGE 0x308000UL

static volatile u64 last_ns;

struct pv_time {
	u32 version, pad0;
	u64 tsc, ns;
	u32 mul;
	signed char shift;
	u8 flags;
};

GUEST static u64 clock_ns(void)
{
	volatile struct pv_time *t = (volatile struct pv_time *)CLOCK_PAGE;
	u64 ns, delta;
	u32 version;

	do {
		version = t->version & ~1u;
		asm volatile("lfence" : : : "memory");
		delta = g_rdtsc() - t->tsc;
		delta = t->shift < 0 ? delta >> -t->shift : delta << t->shift;
		ns = t->ns + (u64)(((unsigned __int128)delta * t->mul) >> 32);
		asm volatile("lfence" : : : "memory");
	} while (version != t->version);
	return ns;
}

GUEST static void clock_guest(u64 arg)
{
	(void)arg;
	g_sti();
	g_wrmsr(0x4b564d01, CLOCK_PAGE | 1);
	for (;;) {
		u64 ns = clock_ns();

		G_CHECK(ns >= last_ns);
		last_ns = ns;
		g_say(0);
	}
}

/* What the guest reads from its clock page agrees with KVM_GET_CLOCK before and after. */
static void clock_page(void)
{
	struct vcpu *v;

	need_sleep();
	v = guest_new(VM_IRQCHIP, clock_guest, 0);
	for (int round = 0; round < rounds; round++) {
		u64 before, between, after;

		for (int i = 0; i < 20; i++) {
			before = guest_clock(v->vm);
			vcpu_expect_port(v, PORT_SAY);
			between = G(v->vm, last_ns);
			after = guest_clock(v->vm);
			CHECK(before <= between && between <= after, "%lu, in the guest %lu, %lu ns", before, between, after);
		}
		sleep_once();
	}
}

GUEST static void answer(u64 arg)
{
	g_done((u32)arg);
}

/* VMs exist, none runs; and none exists: VT-x goes on again where it was on, and only there. */
static void resting(void)
{
	struct vcpu *v;

	need_sleep();
	sleep_once();
	v = guest_new(VM_IRQCHIP | VM_PIT, answer, 7);
	sleep_once();
	CHECK_EQ(vcpu_finish(v), 7, "the result");
	vm_free(v->vm);
	vcpu_free(v);
	guest_passes(0, answer, 0);
}

static const struct test tests[] = {
	TEST(running), TEST(clock_page), TEST(resting),
};

int main(int argc, char **argv)
{
	in_s3 = argc > 1 && !strcmp(argv[1], "mem");
	if (in_s3) {
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	if (argc > 1 && atoi(argv[1]) > 0) {
		rounds = atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
