// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timers of the guest: the local APIC's in all its modes and corners, on the VMX-preemption timer and on the host's; the PIT with and
 * without reinjection; a program that is stopped meanwhile; and what a vCPU does in HLT.  test_time,N has N interrupts of each timer
 * counted instead of some hundred.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/stats.h"
#include "lib/trace.h"
#include "lib/vm.h"

#define VECTOR 0x80
#define DEADLINE 0x6e0
#define LVTT_ONESHOT VECTOR
#define LVTT_PERIODIC (0x20000 | VECTOR)
#define LVTT_TSC (0x40000 | VECTOR)
#define LVTT_MASKED 0x10000
#define IRR(vector) (APIC_IRR + (vector) / 32 * 0x10)

static u64 wanted = 300;	/* interrupts of each kind that accounting() counts */

static volatile u64 count, early, khz, due, stop;
static volatile u64 slow;	/* what a vCPU does between two interrupts takes so many times as long */
static volatile u64 in_handler;

/* In the program: ticks of the guest's TSC in a millisecond. */
static u64 tell_khz(struct vcpu *v)
{
	u64 rate = (u64)CHECK_OK(ioctl(v->fd, KVM_GET_TSC_KHZ, 0));

	G(v->vm, khz) = rate;
	return rate;
}

GUEST static void tick_handler(struct g_frame *frame)
{
	(void)frame;
	count++;
	in_handler = g_rdtsc();
	if (due && in_handler < due)
		early++;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void timer_on(u32 lvtt)
{
	g_handler[VECTOR] = tick_handler;
	g_apic_on();
	g_apic_write(APIC_TDCR, 0xb);	/* divide by 1: a tick is a nanosecond */
	g_apic_write(APIC_LVTT, lvtt);
}

GUEST static void pass(u64 ticks)
{
	u64 until = g_rdtsc() + ticks;

	while (g_rdtsc() < until)
		g_pause();
}

GUEST static void wait_for(u64 n)
{
	while (count < n)
		g_pause();
}

GUEST static void halt_for(u64 n)
{
	g_cli();
	while (count < n) {
		g_sti_hlt();
		g_cli();
	}
	g_sti();
}

GUEST static void arm(u64 ticks)
{
	due = g_rdtsc() + ticks;
	g_wrmsr(DEADLINE, due);
}

/* A module parameter as text; "" where the module has none. */
static const char *parameter(const char *name)
{
	static char text[32];
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/module/vtx/parameters/%s", name);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f))
		text[0] = '\0';
	if (f)
		fclose(f);
	return text;
}

/* ------------------------------------------------------------------ TSC deadline */

GUEST static void deadline_guest(u64 arg)
{
	u64 us = khz / 1000, n = 0;

	(void)arg;
	timer_on(LVTT_TSC);
	g_sti();
	/* From "now" to a millisecond: none is lost, none comes twice or early, and the MSR says that it is over. */
	for (u64 i = 0; i < 60; i++) {
		arm(i < 20 ? i * 50 : i * i * us / 4);
		wait_for(++n);
		G_CHECK_EQ(g_rdmsr(DEADLINE), 0);
		G_CHECK_EQ(early, 0);
	}
	/* The same asleep. */
	for (u64 i = 0; i < 30; i++) {
		arm(i * i * us);
		halt_for(++n);
		G_CHECK_EQ(g_rdmsr(DEADLINE), 0);
		G_CHECK_EQ(early, 0);
	}
	/* In the past. */
	due = 0;
	for (u64 i = 0; i < 10; i++) {
		g_wrmsr(DEADLINE, i ? g_rdtsc() - i * us : 1);
		wait_for(++n);
		G_CHECK_EQ(g_rdmsr(DEADLINE), 0);
	}
	/* Written anew while it is pending: only the last one counts; 0 disarms. */
	g_wrmsr(DEADLINE, g_rdtsc() + 100 * us);
	g_wrmsr(DEADLINE, ~0ULL);
	G_CHECK_EQ(g_rdmsr(DEADLINE), ~0ULL);
	pass(300 * us);
	G_CHECK_EQ(count, n);
	arm(100 * us);
	wait_for(++n);
	G_CHECK_EQ(early, 0);
	g_wrmsr(DEADLINE, g_rdtsc() + 100 * us);
	g_wrmsr(DEADLINE, 0);
	pass(300 * us);
	G_CHECK_EQ(count, n);
	/* Masked: it runs out unseen, and unmasking brings nothing back. */
	g_apic_write(APIC_LVTT, LVTT_TSC | LVTT_MASKED);
	g_wrmsr(DEADLINE, g_rdtsc() + 50 * us);
	pass(200 * us);
	G_CHECK_EQ(g_rdmsr(DEADLINE), 0);
	g_apic_write(APIC_LVTT, LVTT_TSC);
	pass(100 * us);
	G_CHECK_EQ(count, n);
	/* Armed masked, due unmasked. */
	g_apic_write(APIC_LVTT, LVTT_TSC | LVTT_MASKED);
	arm(100 * us);
	g_apic_write(APIC_LVTT, LVTT_TSC);
	wait_for(++n);
	/* Interrupts off: it waits. */
	g_cli();
	arm(50 * us);
	pass(200 * us);
	G_CHECK_EQ(count, n);
	/* Bochs keeps the host's timer interrupt from this loop (docs/errata.md), and with APIC virtualization the read is no exit. */
	g_say(0);
	G_CHECK_EQ(g_apic_read(IRR(VECTOR)), 1);
	g_sti();
	wait_for(++n);
	pass(100 * us);
	G_CHECK_EQ(count, n);
	G_CHECK_EQ(early, 0);
	g_done(0);
}

static struct vcpu *timer_new(void (*entry)(u64), u64 arg, unsigned int flags)
{
	struct vcpu *v = guest_new(VM_IRQCHIP | flags, entry, arg);

	tell_khz(v);
	test_timeout(10);
	return v;
}

static void tsc_deadline(void)
{
	struct vcpu *v = timer_new(deadline_guest, 0, 0);

	vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* More ticks than the VMX-preemption timer has bits. */
GUEST static void far_guest(u64 arg)
{
	(void)arg;
	timer_on(LVTT_TSC);
	g_sti();
	arm((1ULL << 32) + 1000);
	halt_for(1);
	G_CHECK_EQ(early, 0);
	arm((1ULL << 32) - 1000);
	arm(1ULL << 40);
	arm(1000);
	wait_for(2);
	G_CHECK_EQ(early, 0);
	g_done(0);
}

/* 2^32 ticks are 12 s where the machine's clock is slow. */
static void far_deadline(void)
{
	struct vcpu *v = timer_new(far_guest, 0, 0);

	test_timeout(60);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* ------------------------------------------------------------------ one-shot, periodic, from one mode to another */

GUEST static void modes_guest(u64 arg)
{
	u64 us = khz / 1000, n = 0;

	(void)arg;
	timer_on(LVTT_TSC);
	g_sti();
	/* Leaving TSC-deadline mode disarms. */
	g_wrmsr(DEADLINE, g_rdtsc() + 100 * us);
	g_apic_write(APIC_LVTT, LVTT_ONESHOT);
	G_CHECK_EQ(g_rdmsr(DEADLINE), 0);
	g_wrmsr(DEADLINE, g_rdtsc() + 100 * us);	/* ignored here */
	G_CHECK_EQ(g_rdmsr(DEADLINE), 0);
	pass(300 * us);
	G_CHECK_EQ(count, n);
	/* So does entering it. */
	g_apic_write(APIC_TMICT, 100000);
	g_apic_write(APIC_LVTT, LVTT_TSC);
	G_CHECK_EQ(g_apic_read(APIC_TMCCT), 0);
	g_apic_write(APIC_TMICT, 100000);		/* ignored here */
	pass(300 * us);
	G_CHECK_EQ(count, n);
	/* One-shot that becomes periodic: the round ends as it would have, then come more. */
	g_apic_write(APIC_LVTT, LVTT_ONESHOT);
	g_apic_write(APIC_TMICT, 250000);
	g_apic_write(APIC_LVTT, LVTT_PERIODIC);
	n += 3;
	wait_for(n);
	/* And back: one more at most. */
	g_apic_write(APIC_LVTT, LVTT_ONESHOT);
	pass(1000 * us);
	G_CHECK(count <= n + 1);
	n = count;
	pass(600 * us);
	G_CHECK_EQ(count, n);
	/* Written anew: the first never comes. */
	g_apic_write(APIC_TMICT, 100000);
	g_apic_write(APIC_TMICT, 100000000);
	pass(300 * us);
	G_CHECK_EQ(count, n);
	g_apic_write(APIC_TMICT, 0);
	G_CHECK_EQ(g_apic_read(APIC_TMCCT), 0);
	/* Disabled by software: masked, and not unmasked by enabling. */
	g_apic_write(APIC_TMICT, 100000);
	g_apic_write(APIC_SVR, 0xff);
	pass(200 * us);
	g_apic_write(APIC_SVR, 0x1ff);
	G_CHECK_EQ(g_apic_read(APIC_LVTT), LVTT_ONESHOT | LVTT_MASKED);
	pass(200 * us);
	G_CHECK_EQ(count, n);
	g_done(0);
}

static void modes(void)
{
	CHECK_EQ(vcpu_finish(timer_new(modes_guest, 0, 0)), 0, "the result");
}

/* Every divisor with every kind of count (bug-classes 56). */
GUEST static void corners_guest(u64 periodic)
{
	static const u32 counts[] = { 1, 2, 3, 127, 10000, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff };
	static const u32 dividers[] = { 0xb, 0, 1, 2, 3, 8, 9, 0xa };	/* 1, 2, 4, ... 128 */
	u64 us = khz / 1000, n;

	timer_on(periodic ? LVTT_PERIODIC : LVTT_ONESHOT);
	g_sti();
	for (u64 d = 0; d < ARRAY_SIZE(dividers); d++) {
		g_apic_write(APIC_TDCR, dividers[d]);
		for (u64 i = 0; i < ARRAY_SIZE(counts); i++) {
			u64 ns = (u64)counts[i] << d, start = g_rdtsc();
			u32 now;

			n = count;
			g_apic_write(APIC_TMICT, counts[i]);
			now = g_apic_read(APIC_TMCCT);
			G_CHECK(now <= counts[i]);
			if (ns <= 300000) {
				wait_for(n + (periodic ? 2 : 1));
				/* The clocks may differ by 500 parts per million, which NTP may do. */
				G_CHECK((in_handler - start) * 1000000 / khz + ns / 1000 + 2 >= ns);
				if (!periodic)
					G_CHECK_EQ(g_apic_read(APIC_TMCCT), 0);
			} else {
				G_CHECK(now > 0);
				G_CHECK(g_apic_read(APIC_TMCCT) <= now);
			}
			g_apic_write(APIC_TMICT, 0);
			G_CHECK_EQ(g_apic_read(APIC_TMCCT), 0);
			n = count;
			pass(10 * us);
			G_CHECK_EQ(count, n);
		}
	}
	g_done(0);
}

static void oneshot_corners(void)
{
	CHECK_EQ(vcpu_finish(timer_new(corners_guest, 0, 0)), 0, "the result");
}

static void periodic_corners(void)
{
	CHECK_EQ(vcpu_finish(timer_new(corners_guest, 1, 0)), 0, "the result");
}

/* ------------------------------------------------------------------ shortest periods */

static volatile u64 min_period_us;

GUEST static void shortest_guest(u64 pit)
{
	u64 start, us = khz / 1000, passed;

	timer_on(pit ? LVTT_ONESHOT : LVTT_PERIODIC);
	start = g_rdtsc();
	if (pit) {
		g_handler[0x20] = tick_handler;
		g_outb(0x21, 0xff);
		/* IOAPIC pin 0, where GSI 0 goes: vector 20h to APIC 0 */
		g_write32(0xfec00000, 0x10);
		g_write32(0xfec00010, 0x20);
		g_outb(0x43, 0x34);
		g_outb(0x40, 2);
		g_outb(0x40, 0);
	} else {
		g_apic_write(APIC_TMICT, 1);
	}
	g_sti();
	g_say(0);
	pass(20000 * us);
	passed = (g_rdtsc() - start) / us;
	g_cli();
	g_say((u32)(passed / min_period_us + 2));
	g_done((u32)count);
}

static u32 shortest(u64 pit, bool reinject)
{
	struct kvm_reinject_control control = { .pit_reinject = reinject };
	struct vcpu *v = timer_new(shortest_guest, pit, pit ? VM_PIT : 0);
	u32 most, n;

	G(v->vm, min_period_us) = strtoul(parameter("min_timer_period_us"), NULL, 10) ?: 200;
	if (pit)
		CHECK_OK(ioctl(v->vm->fd, KVM_REINJECT_CONTROL, &control));
	vcpu_expect_port(v, PORT_SAY);
	most = vcpu_expect_port(v, PORT_SAY);
	n = vcpu_finish(v);
	EXPECT(n >= 3, "%u interrupts", n);
	return n > most ? n - most : 0;
}

/* A guest that asks for a period of a nanosecond gets min_timer_period_us, 200 us (bug-classes 58). */
static void shortest_period(void)
{
	EXPECT_EQ(shortest(0, false), 0, "interrupts too many of the local APIC's timer");
	EXPECT_EQ(shortest(1, false), 0, "interrupts too many of the PIT");
}

/* With reinjection as well: what it owes grows no faster than it may be paid. */
static void shortest_reinjected(void)
{
	EXPECT(shortest(1, true) <= 2, "interrupts too many of the PIT");
}

/* ------------------------------------------------------------------ state through the ioctls, with an armed timer */

GUEST static void state_guest(u64 lvtt)
{
	u64 n = 0;

	timer_on((u32)lvtt);
	g_sti();
	for (;;) {
		if (lvtt == LVTT_TSC)
			arm(khz * slow);
		else
			g_apic_write(APIC_TMICT, (u32)(1000000 * slow));
		g_say(0);
		wait_for(++n);
		G_CHECK_EQ(early, 0);
	}
}

/* KVM_GET_LAPIC and back, with what else a VMM saves: the timer goes on. */
static void round_trip(struct vcpu *v, bool tsc)
{
	struct kvm_lapic_state state;
	u64 deadline = vcpu_msr(v, DEADLINE);

	CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &state));
	EXPECT(!tsc || deadline == G(v->vm, due), "IA32_TSC_DEADLINE reads %#llx", (unsigned long long)deadline);
	CHECK_OK(ioctl(v->fd, KVM_SET_LAPIC, &state));
	EXPECT_EQ(vcpu_msr(v, DEADLINE), deadline, "IA32_TSC_DEADLINE after KVM_SET_LAPIC");
	CHECK_EQ(vcpu_set_msr(v, DEADLINE, deadline), 1, "KVM_SET_MSRS");
	EXPECT_EQ(vcpu_msr(v, DEADLINE), deadline, "IA32_TSC_DEADLINE after KVM_SET_MSRS");
}

static void state(void)
{
	static const u64 modes_[] = { LVTT_TSC, LVTT_ONESHOT, LVTT_PERIODIC };
	struct kvm_lapic_state lapic;

	for (size_t i = 0; i < ARRAY_SIZE(modes_); i++) {
		struct vcpu *v = timer_new(state_guest, modes_[i], 0);
		bool tsc = modes_[i] == LVTT_TSC;

		vcpu_expect_port(v, PORT_SAY);
		vcpu_expect_port(v, PORT_SAY);
		round_trip(v, tsc);
		vcpu_expect_port(v, PORT_SAY);
		if (!tsc)
			continue;
		/* Over while nobody runs the vCPU: its state shows it all the same. */
		usleep(3000 * (unsigned int)slow);
		CHECK_EQ(vcpu_msr(v, DEADLINE), 0, "IA32_TSC_DEADLINE after its time");
		CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &lapic));
		EXPECT(lapic.regs[IRR(VECTOR)] & 1, "the interrupt is not in the IRR");
		vcpu_expect_port(v, PORT_SAY);
		/* User space disarms; the guest waits for ever, until user space arms. */
		CHECK_EQ(vcpu_set_msr(v, DEADLINE, 0), 1, "KVM_SET_MSRS");
		usleep(3000 * (unsigned int)slow);
		CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &lapic));
		EXPECT(!(lapic.regs[IRR(VECTOR)] & 1), "a disarmed timer interrupts");
		CHECK_EQ(vcpu_set_msr(v, DEADLINE, G(v->vm, due) + 1), 1, "KVM_SET_MSRS");
		vcpu_expect_port(v, PORT_SAY);
		/* Another mode by KVM_SET_LAPIC ends it. */
		CHECK_OK(ioctl(v->fd, KVM_GET_LAPIC, &lapic));
		lapic.regs[APIC_LVTT + 2] = 0;
		CHECK_OK(ioctl(v->fd, KVM_SET_LAPIC, &lapic));
		EXPECT_EQ(vcpu_msr(v, DEADLINE), 0, "IA32_TSC_DEADLINE in one-shot mode");
	}
}

/* The TSC is set while a deadline waits: what counts is what the TSC shows (SDM vol. 3, 11.5.4.1). */
static void tsc_jumps(void)
{
	struct vcpu *v = timer_new(state_guest, LVTT_TSC, 0);
	u64 rate = tell_khz(v);

	vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(vcpu_set_msr(v, DEADLINE, G(v->vm, due) + 1000000 * rate), 1, "KVM_SET_MSRS of the deadline");
	CHECK_EQ(vcpu_set_msr(v, 0x10, G(v->vm, due) + 1000000 * rate), 1, "KVM_SET_MSRS of the TSC");
	vcpu_expect_port(v, PORT_SAY);
}

/* ------------------------------------------------------------------ accounting: sent is delivered (issue's 100,000) */

static volatile int hop_done;

/* Moves the thread from CPU to CPU. */
static void *hop(void *arg)
{
	pid_t tid = *(pid_t *)arg;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	for (int i = 0; !hop_done; i++) {
		CPU_ZERO(&set);
		CPU_SET(i % cpus, &set);
		sched_setaffinity(tid, sizeof(set), &set);
		usleep(700);
	}
	return NULL;
}

/* Runs to the guest's end, hopping, and with its memory taken away now and then. */
static u32 finish_hopping(struct vcpu *v)
{
	pthread_t thread;
	pid_t tid = getpid();
	u32 result;

	hop_done = 0;
	CHECK(!pthread_create(&thread, NULL, hop, &tid), "pthread_create");
	result = vcpu_finish(v);
	hop_done = 1;
	pthread_join(thread, NULL);
	return result;
}

GUEST static void rearm_handler(struct g_frame *frame)
{
	(void)frame;
	count++;
	if (g_rdtsc() < due)
		early++;
	if (count < stop)
		arm(count % 64 * khz / 1024);
	g_apic_write(APIC_EOI, 0);
}

/* Armed from the handler for the next 60 microseconds, awake and asleep. */
GUEST static void rearm_guest(u64 n)
{
	timer_on(LVTT_TSC);
	g_handler[VECTOR] = rearm_handler;
	stop = n;
	g_sti();
	arm(1000);
	while (count < n / 2)
		g_pause();
	halt_for(n);
	pass(khz);
	G_CHECK_EQ(early, 0);
	g_done((u32)count);
}

static void lapic_accounting(void)
{
	struct vcpu *v = timer_new(rearm_guest, wanted, 0);

	test_timeout(10 + (unsigned int)(wanted / 5000));
	CHECK_EQ(finish_hopping(v), wanted, "interrupts of the local APIC's timer");
}

#define PIT_HZ 1193182ULL

/* A millisecond; shorter where many ticks are counted. */
static volatile u64 pit_count = 1193;

GUEST static void pit_handler(struct g_frame *frame)
{
	(void)frame;
	count++;
	g_outb(0x20, 0x20);
}

GUEST static void pit_on(void)
{
	g_handler[0x20] = pit_handler;
	g_outb(0x20, 0x11);	/* the PIC: vectors from 20h, only IRQ 0 */
	g_outb(0x21, 0x20);
	g_outb(0x21, 0x04);
	g_outb(0x21, 0x01);
	g_outb(0x21, 0xfe);
	g_outb(0x43, 0x34);
	g_outb(0x40, pit_count & 255);
	g_outb(0x40, (u8)(pit_count >> 8));
}

/* Says how many ticks it has had, each time that @n more have come; in between its interrupts are off for 20 ms. */
GUEST static void pit_guest(u64 n)
{
	g_apic_on();
	g_apic_write(APIC_LVT0, 0x700);
	pit_on();
	g_sti();
	for (;;) {
		u64 before = count;

		g_cli();
		pass(20 * khz);
		g_sti();
		wait_for(before + n / 4);
		halt_for(before + n);
		g_cli();
		g_say((u32)count);
	}
}

static u64 monotonic_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

/* Rising edges of counter 0 until @ns. */
static u64 pit_edges(struct vcpu *v, u64 ns)
{
	struct kvm_pit_state2 pit;

	CHECK_OK(ioctl(v->vm->fd, KVM_GET_PIT2, &pit));
	return (ns - (u64)pit.channels[0].count_load_time) / 1000 * PIT_HZ / 1000000 / pit_count;
}

/* All ticks of the PIT reach a guest that did not take interrupts for 20 of them, and one that the scheduler moves. */
static void pit_accounting(void)
{
	struct vcpu *v;
	u64 edges;
	u32 n;

	if (wanted >= 10000)
		pit_count = 300;
	v = timer_new(pit_guest, wanted, VM_PIT);
	test_timeout(10 + (unsigned int)(wanted / 1000));
	CHECK(wanted >= 100, "as many as 100 make a count");
	{
		pthread_t thread;
		pid_t tid = getpid();

		hop_done = 0;
		CHECK(!pthread_create(&thread, NULL, hop, &tid), "pthread_create");
		n = vcpu_expect_port(v, PORT_SAY);
		hop_done = 1;
		pthread_join(thread, NULL);
	}
	edges = pit_edges(v, monotonic_ns());
	/* The last ones may be on their way. */
	EXPECT(n <= edges && n + 4 >= edges, "%u ticks of %llu came", n, (unsigned long long)edges);
}

/* reinject=0: of 20 periods without interrupts one tick is left. */
GUEST static void drop_guest(u64 arg)
{
	(void)arg;
	g_apic_on();
	g_apic_write(APIC_LVT0, 0x700);
	pit_on();
	g_sti();
	wait_for(3);
	g_cli();
	g_say(0);
	arg = count;
	pass(20 * slow * khz);
	/* With reinjection each end of interrupt brings the next one, so that all come at once. */
	asm volatile("sti\n\tnop\n\tnop\n\tcli" : : : "memory");
	g_done((u32)(count - arg));
}

static void pit_drop(void)
{
	struct kvm_reinject_control control = { .pit_reinject = 0 };
	struct vcpu *v;
	u32 n;

	pit_count *= slow;
	v = timer_new(drop_guest, 0, VM_PIT);
	test_timeout(8);
	CHECK_OK(ioctl(v->vm->fd, KVM_REINJECT_CONTROL, &control));
	EXPECT_ERRNO(ioctl(v->vm->fd, KVM_REINJECT_CONTROL, 16), EFAULT);
	EXPECT_ERRNO(ioctl(vm_new(VM_NO_MEMORY | VM_IRQCHIP)->fd, KVM_REINJECT_CONTROL, &control), ENXIO);
	vcpu_expect_port(v, PORT_SAY);
	n = vcpu_finish(v);
	EXPECT(n >= 1 && n <= 2, "%u ticks after 20 periods without reinjection", n);
	/* Switched on again, they are owed again. */
	v = timer_new(drop_guest, 0, VM_PIT);
	CHECK_OK(ioctl(v->vm->fd, KVM_REINJECT_CONTROL, &control));
	control.pit_reinject = 1;
	CHECK_OK(ioctl(v->vm->fd, KVM_REINJECT_CONTROL, &control));
	vcpu_expect_port(v, PORT_SAY);
	n = vcpu_finish(v);
	EXPECT(n >= 19 && n <= 23, "%u ticks after 20 periods with reinjection", n);
}

/* ------------------------------------------------------------------ the program is stopped (bug-classes 58) */

/* Another process stops this one for a while, and lets it go on. */
static pid_t stopper(unsigned int ms)
{
	pid_t me = getpid(), pid = fork();

	if (!pid) {
		usleep(5000);
		kill(me, SIGSTOP);
		usleep(ms * 1000);
		kill(me, SIGCONT);
		_exit(0);
	}
	return pid;
}

/* Both timers tick; the guest ends when it sees that it did not run for half of @arg milliseconds, and 10 ms later. */
static volatile u64 apic_ticks, pit_ticks, catch_up;

GUEST static void both_handler(struct g_frame *frame)
{
	if (frame->vector == VECTOR) {
		apic_ticks++;
		g_apic_write(APIC_EOI, 0);
	} else {
		pit_ticks++;
		g_outb(0x20, 0x20);
	}
}

GUEST static void stopped_guest(u64 ms)
{
	u64 last, now, apic;

	timer_on(LVTT_PERIODIC);
	g_apic_write(APIC_LVT0, 0x700);
	pit_on();
	g_handler[VECTOR] = both_handler;
	g_handler[0x20] = both_handler;
	g_apic_write(APIC_TMICT, 1000000);
	g_sti();
	last = g_rdtsc();
	for (;;) {
		apic = apic_ticks;
		now = g_rdtsc();
		if (now - last > ms / 2 * khz)
			break;
		last = now;
		g_pause();
	}
	pass(10 * khz);
	g_cli();
	/* The LAPIC's ticks of that time were one. */
	catch_up = apic_ticks - apic;
	g_done(0);
}

#define STOPPED_MS 60

static void stopped(void)
{
	struct vcpu *v = timer_new(stopped_guest, STOPPED_MS, VM_PIT);
	pid_t pid = stopper(STOPPED_MS);
	u64 edges;

	test_timeout(20);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	edges = pit_edges(v, monotonic_ns());
	CHECK(waitpid(pid, NULL, 0) == pid, "waitpid");
	EXPECT(G(v->vm, catch_up) <= 13, "the local APIC's timer caught up with %llu ticks", (unsigned long long)G(v->vm, catch_up));
	EXPECT(G(v->vm, pit_ticks) <= edges && G(v->vm, pit_ticks) + 4 >= edges, "%llu ticks of the PIT of %llu",
	       (unsigned long long)G(v->vm, pit_ticks), (unsigned long long)edges);
}

/* ------------------------------------------------------------------ HLT: polling, and the preemption timer's exits */

GUEST static void nap_guest(u64 us)
{
	u64 n = 0;

	timer_on(LVTT_TSC);
	g_sti();
	g_say(0);
	for (int i = 0; i < 40; i++) {
		arm(us * khz / 1000);
		halt_for(++n);
	}
	G_CHECK_EQ(early, 0);
	g_done(0);
}

static u64 hist_sum(struct vcpu *v, const char *name)
{
	struct stats *s = stats_open(v->fd);
	const struct kvm_stats_desc *desc = stats_find(s, name);
	u64 *values = stats_read(s), sum = 0;

	CHECK(desc, "no statistic %s", name);
	for (u32 i = 0; i < desc->size; i++)
		sum += values[desc->offset / 8 + i];
	free(values);
	stats_close(s);
	return sum;
}

static u64 stat(struct vcpu *v, const char *name)
{
	struct stats *s = stats_open(v->fd);
	u64 value = stats_value(s, name);

	stats_close(s);
	return value;
}

static struct vcpu *nap(u64 us, bool limit, u64 max_ns)
{
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL, .args = { max_ns } };
	struct vcpu *v = timer_new(nap_guest, us, 0);

	if (limit)
		CHECK_OK(ioctl(v->vm->fd, KVM_ENABLE_CAP, &cap));
	vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	return v;
}

static void halt_polling(void)
{
	struct vcpu *v = nap(50 * slow, true, 400000 * slow);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_HALT_POLL };
	u64 attempted = stat(v, "halt_attempted_poll"), successful = stat(v, "halt_successful_poll");

	CHECK_EQ(dev_has(KVM_CAP_HALT_POLL), 1, "KVM_CAP_HALT_POLL");
	/* The first nap finds no polling, the next ones too little; then it is enough. Others may want the CPU at times. */
	EXPECT(attempted >= 20 && attempted < 40, "%llu polls of 40 naps", (unsigned long long)attempted);
	EXPECT(successful >= 15 && successful < attempted, "%llu of %llu successful", (unsigned long long)successful,
	       (unsigned long long)attempted);
	EXPECT(stat(v, "halt_poll_success_ns") >= successful * 20000, "polled for %llu ns",
	       (unsigned long long)stat(v, "halt_poll_success_ns"));
	EXPECT(stat(v, "halt_poll_fail_ns") >= 10000, "polled in vain for %llu ns", (unsigned long long)stat(v, "halt_poll_fail_ns"));
	EXPECT_EQ(hist_sum(v, "halt_poll_success_hist"), successful, "the histogram's sum");
	EXPECT_EQ(hist_sum(v, "halt_poll_fail_hist"), attempted - successful, "the histogram's sum");
	EXPECT(stat(v, "halt_wait_ns"), "it never slept");

	v = nap(50 * slow, true, 0);
	EXPECT_EQ(stat(v, "halt_attempted_poll"), 0, "polls that are switched off");
	/* Naps beyond the limit are not worth it, or only at first. */
	v = nap(1500 * slow, true, 100000 * slow);
	EXPECT_EQ(stat(v, "halt_successful_poll"), 0, "successful polls of long naps");
	EXPECT(stat(v, "halt_attempted_poll") <= 8, "%llu polls of long naps", (unsigned long long)stat(v, "halt_attempted_poll"));

	cap.args[0] = 1ULL << 32;
	EXPECT_ERRNO(ioctl(v->vm->fd, KVM_ENABLE_CAP, &cap), EINVAL);
	cap.args[0] = ~0U;
	CHECK_OK(ioctl(v->vm->fd, KVM_ENABLE_CAP, &cap));
	cap.flags = 1;
	EXPECT_ERRNO(ioctl(v->vm->fd, KVM_ENABLE_CAP, &cap), EINVAL);
}

GUEST static void awake_guest(u64 n)
{
	timer_on(LVTT_TSC);
	g_sti();
	g_say(0);
	for (u64 i = 1; i <= n; i++) {
		arm(khz / 50 * slow);
		wait_for(i);
	}
	g_done(0);
}

/* A guest that stays awake has its timer from the processor; without preemption_timer, from the host. */
static void preemption_timer_exits(void)
{
	struct vcpu *v = timer_new(awake_guest, 40, 0);
	bool on = parameter("preemption_timer")[0] == 'Y';
	u64 exits;

	vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	exits = stat(v, "exit_preemption_timer");
	/* A deadline may pass while the vCPU is outside the guest. */
	EXPECT(on ? exits >= 20 && exits <= 40 : exits == 0, "%llu exits of 40 deadlines, preemption_timer=%d",
	       (unsigned long long)exits, on);
	EXPECT(on || stat(v, "exit_external_interrupt") >= 20, "no interrupts of the host");
}

static const struct test tests[] = {
	TEST(tsc_deadline), TEST(far_deadline), TEST(modes), TEST(oneshot_corners), TEST(periodic_corners), TEST(shortest_period),
	TEST(shortest_reinjected), TEST(state), TEST(tsc_jumps), TEST(lapic_accounting), TEST(pit_accounting), TEST(pit_drop),
	TEST(stopped), TEST(halt_polling), TEST(preemption_timer_exits),
};

int main(int argc, char **argv)
{
	slow = test_slowness();
	if (argc > 1 && atoi(argv[1]) > 0) {
		wanted = (u64)atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
