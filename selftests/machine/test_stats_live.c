// SPDX-License-Identifier: GPL-2.0-only
/*
 * The statistics that move because somebody else acts while the vCPU runs: interrupts of the host, wake-ups, flushes from another CPU,
 * the time that user space takes; and those of huge pages. The others are in test_stats_fd.
 */
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/servant.h"
#include "lib/sides.h"
#include "lib/vm.h"

#define FRESH (GUEST_FREE + 0x400000)

static volatile u64 irqs;

/* ------------------------------------------------------------------ time in user space */

GUEST static void outs_guest(u64 n)
{
	g_say(0);
	for (u64 i = 0; i < n; i++)
		g_outb(0x80, 0);
	g_done(0);
}

static u64 tsc(void)
{
	u32 lo, hi;

	asm volatile("lfence\n\trdtsc\n\tlfence" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (u64)hi << 32;
}

/*
 * Between the return from KVM_RUN and the next entry: at least what the program measures between its two calls, and at most what it
 * measures around them.
 */
static void user_time(void)
{
	struct vcpu *v = guest_new(0, outs_guest, 20);
	u64 inner = 0, outer = 0, before, after, last_before, last_after, ticks;
	struct sides s;

	last_before = tsc();
	vcpu_expect_port(v, PORT_SAY);
	last_after = tsc();
	sides_then(&s, v);
	do {
		before = tsc();
		vcpu_expect(v, KVM_EXIT_IO);
		after = tsc();
		inner += before - last_after;
		outer += after - last_before;
		last_before = before;
		last_after = after;
		for (volatile int i = 0; i < 1000; i++)
			;
	} while (v->run->io.port != PORT_DONE);
	sides_now(&s);
	ticks = sides_moved(&s, "exit_io_instruction_user_ticks", 0);
	EXPECT(ticks >= inner, "%llu ticks in user space, the program measured at least %llu", (unsigned long long)ticks,
	       (unsigned long long)inner);
	EXPECT(ticks <= outer, "%llu ticks in user space, the program measured at most %llu", (unsigned long long)ticks,
	       (unsigned long long)outer);
	EXPECT_EQ(sides_moved(&s, "exit_cpuid_user_ticks", 0), 0, "ticks in user space because of CPUID");
	sides_free(&s);
}

/* ------------------------------------------------------------------ while the vCPU runs */

static volatile u64 stop;

GUEST static void spin_guest(u64 arg)
{
	(void)arg;
	g_sti();
	g_say(0);
	while (!stop)
		g_write32(FRESH, 1);
	g_done(0);
}

/* Interrupts of the host end guest mode; the file is read meanwhile, which no lock of the vCPU stops. */
static void host_interrupts(void)
{
	struct vcpu *v = guest_new(0, spin_guest, 0);
	struct sides s;
	pthread_t thread;

	vcpu_expect_port(v, PORT_SAY);
	sides_then(&s, v);
	thread = vcpu_start(v);
	while (stats_value(s.vcpu, "irq_exits") < 2)
		sched_yield();
	G(v->vm, stop) = 1;
	CHECK_EQ(vcpu_join(thread), 0, "the result");
	sides_now(&s);
	sides_check_reason(&s, stat_reason("exit_external_interrupt"));
	EXPECT_EQ(sides_moved(&s, "irq_exits", 0), sides_moved(&s, "exit_external_interrupt", 0), "irq_exits");
	EXPECT_EQ(sides_moved(&s, "exits", 0), s.ring->head - s.head, "exits");
	sides_free(&s);
}

/* ------------------------------------------------------------------ halting */

GUEST static void wake_handler(struct g_frame *frame)
{
	(void)frame;
	irqs++;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void halting_guest(u64 rounds)
{
	g_handler[0xb1] = wake_handler;
	g_apic_on();
	/* A delivery that has to fault its pages in begins anew, and counts twice. */
	asm volatile("int $0xb1" : : : "memory");
	irqs = 0;
	g_say(0);
	for (u64 i = 1; i <= rounds; i++) {
		g_sti_hlt();
		g_cli();
		G_CHECK_EQ(irqs, i);
	}
	g_done(0);
}

#define ROUNDS 4

static unsigned int bucket(u64 value)
{
	unsigned int n = value ? 64 - __builtin_clzll(value) : 0;

	return n < 31 ? n : 31;
}

/* One interrupt for each HLT, sent once the vCPU is asleep: a wake-up each, and the time asleep in the bucket it belongs to. */
static void halting(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0xb1 };
	struct vcpu *v = guest_new(VM_IRQCHIP, halting_guest, ROUNDS);
	u64 ns, before = 0, hist[32] = {};
	struct sides s;
	pthread_t thread;

	/* On one CPU, a thread that is seen between its two steps into sleep cannot be. */
	stay_here();
	vcpu_expect_port(v, PORT_SAY);
	sides_then(&s, v);
	EXPECT_EQ(stats_value(s.vcpu, "blocking"), 0, "blocking of a vCPU that does not run");
	thread = vcpu_start(v);
	for (int i = 1; i <= ROUNDS; i++) {
		while (!stats_value(s.vcpu, "blocking"))
			sched_yield();
		EXPECT_EQ(stats_value(s.vcpu, "halt_wakeup"), i - 1, "wake-ups before the interrupt");
		EXPECT(ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi) > 0, "KVM_SIGNAL_MSI");
		while (G(v->vm, irqs) < (u64)i)
			sched_yield();
		ns = stats_value(s.vcpu, "halt_wait_ns");
		EXPECT(ns > before, "no time passed asleep");
		hist[bucket(ns - before)]++;
		before = ns;
	}
	CHECK_EQ(vcpu_join(thread), 0, "the result");
	sides_now(&s);
	EXPECT_EQ(stats_value(s.vcpu, "blocking"), 0, "blocking at the end");
	EXPECT_EQ(sides_moved(&s, "halt_wakeup", 0), ROUNDS, "halt_wakeup");
	EXPECT_EQ(sides_moved(&s, "halt_exits", 0), ROUNDS, "halt_exits");
	EXPECT_EQ(sides_moved(&s, "irq_injections", 0), ROUNDS, "irq_injections");
	for (u32 i = 0; i < 32; i++)
		EXPECT(sides_moved(&s, "halt_wait_hist", i) == hist[i], "halt_wait_hist[%u] is %llu, not %llu", i,
		       (unsigned long long)sides_moved(&s, "halt_wait_hist", i), (unsigned long long)hist[i]);
	sides_free(&s);
}

/* ------------------------------------------------------------------ memory that needs more than one page or one CPU */

#define HUGE_AT 0x20000000UL

GUEST static void huge_guest(u64 arg)
{
	(void)arg;
	g_say(0);
	g_write32(HUGE_AT + 0x1000, 1);
	g_write32(HUGE_AT + HUGE - 8, 1);
	g_done(0);
}

static void huge_page(void)
{
	u8 *raw = host_pages(3 * HUGE), *data = (u8 *)(((uintptr_t)raw + HUGE - 1) & ~(HUGE - 1));
	struct vcpu *v;
	struct stats *s, *vs;
	u64 before, fixed;

	small_pages(true);
	v = guest_new(0, huge_guest, 0);
	s = stats_open(v->vm->fd);
	vs = stats_open(v->fd);
	CHECK_OK(madvise(v->vm->mem, v->vm->size, MADV_NOHUGEPAGE));
	small_pages(false);
	CHECK(!madvise(data, HUGE, MADV_HUGEPAGE), "madvise");
	memset(data, 0, HUGE);
	if (huge_kilobytes(data) < 2048)
		skip("no transparent huge page to be had");
	CHECK_OK(vm_slot(v->vm, 1, HUGE_AT, HUGE, data, 0));
	vcpu_expect_port(v, PORT_SAY);
	before = stats_value(s, "pages_4k");
	fixed = stats_value(vs, "pf_fixed");
	EXPECT_EQ(stats_value(s, "pages_2m"), 0, "pages_2m before");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	EXPECT_EQ(stats_value(s, "pages_2m"), 1, "pages_2m");
	EXPECT_EQ(stats_value(s, "pages_4k"), before, "pages_4k");
	EXPECT_EQ(stats_value(vs, "pf_fixed"), fixed + 1, "pf_fixed");
	CHECK_OK(munmap(raw, 3 * HUGE));
	EXPECT_EQ(stats_value(s, "pages_2m"), 0, "pages_2m after munmap");
}

/*
 * Memory goes away while the vCPU is in guest mode on another CPU: that one is interrupted, which is the flush. Whether it was in
 * guest mode at that moment is not in the test's hands, so it tries until it was; no try may count more than one.
 */
static void remote_flush(void)
{
	struct vcpu *v;
	struct stats *s;
	u64 tries = 0, remote = 0, then, requests;
	pthread_t thread;
	cpu_set_t set;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("one CPU");
	v = guest_new(0, spin_guest, 0);
	s = stats_open(v->vm->fd);
	vcpu_expect_port(v, PORT_SAY);
	stay_here();
	thread = vcpu_start(v);
	CPU_ZERO(&set);
	CPU_SET(!sched_getcpu(), &set);
	CHECK(!pthread_setaffinity_np(thread, sizeof(set), &set), "pthread_setaffinity_np");
	requests = stats_value(s, "remote_tlb_flush_requests");
	for (tries = 0; tries < 200 && remote < 2; tries++) {
		then = stats_value(s, "remote_tlb_flush");
		CHECK_OK(madvise(v->vm->mem + FRESH, PAGE_SIZE, MADV_DONTNEED));
		EXPECT(stats_value(s, "remote_tlb_flush") - then <= 1, "one flush counts more than once");
		remote = stats_value(s, "remote_tlb_flush");
		usleep(1000);
	}
	EXPECT(remote >= 1, "no flush of %llu interrupted a CPU", (unsigned long long)tries);
	EXPECT(remote <= stats_value(s, "remote_tlb_flush_requests") - requests, "more flushes than requests");
	G(v->vm, stop) = 1;
	CHECK_EQ(vcpu_join(thread), 0, "the result");
}

static const struct test tests[] = {
	TEST(user_time), TEST(host_interrupts), TEST(halting), TEST(huge_page), TEST(remote_flush),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
