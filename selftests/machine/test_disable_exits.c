// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_CAP_X86_DISABLE_EXITS: what the guest's processor then does by itself, and that everything that ends a sleep still does.
 */
#include <linux/kvm_para.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "lib/guest.h"
#include "lib/host.h"
#include "lib/stats.h"
#include "lib/vm.h"
#include "../../uapi/vtx.h"

#define TIMER 0x40
#define WAKES 5

static volatile u32 woken, halted;

/* @before: the capability comes before the vCPU, else behind it. */
static struct vcpu *without_exits(u32 exits, bool before, void (*guest)(u64), u64 arg)
{
	struct vm *vm;
	struct vcpu *v;

	if ((dev_has(KVM_CAP_X86_DISABLE_EXITS) & (int)exits) != (int)exits)
		skip("KVM_CAP_X86_DISABLE_EXITS is %#x", dev_has(KVM_CAP_X86_DISABLE_EXITS));
	if (!before) {
		v = guest_new(VM_IRQCHIP, guest, arg);
		CHECK_OK(enable_cap(v->vm, KVM_CAP_X86_DISABLE_EXITS, exits));
		return v;
	}
	vm = vm_new(VM_IRQCHIP);
	CHECK_OK(enable_cap(vm, KVM_CAP_X86_DISABLE_EXITS, exits));
	v = vcpu_new(vm, 0);
	vcpu_mode_long(v, guest, arg);
	return v;
}

static u64 count(struct vcpu *v, const char *name)
{
	return stats_value(stats_open(v->fd), name);
}

/* ------------------------------------------------------------------ the call */

static void arguments(void)
{
	struct vm *vm = vm_new(0);
	int offered = dev_has(KVM_CAP_X86_DISABLE_EXITS);

	CHECK(offered & KVM_X86_DISABLE_EXITS_HLT, "KVM_CAP_X86_DISABLE_EXITS is %#x", offered);
	EXPECT_ERRNO(enable_cap(vm, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_VALID_EXITS + 1), EINVAL);
	CHECK_OK(enable_cap(vm, KVM_CAP_X86_DISABLE_EXITS, KVM_X86_DISABLE_VALID_EXITS));
	CHECK_OK(enable_cap(vm, KVM_CAP_X86_DISABLE_EXITS, 0));
}

/* ------------------------------------------------------------------ HLT */

GUEST static void wake_handler(struct g_frame *frame)
{
	(void)frame;
	woken++;
	g_apic_write(APIC_EOI, 0);
}

/* Sleeps WAKES times until its timer comes. */
GUEST static void sleeps(u64 arg)
{
	(void)arg;
	g_handler[TIMER] = wake_handler;
	g_apic_on();
	g_apic_write(APIC_TDCR, 0xb);
	g_apic_write(APIC_LVTT, TIMER);
	for (u32 n = 0; n < WAKES; n++) {
		g_apic_write(APIC_TMICT, 20000);
		while (woken == n) {
			g_sti_hlt();
			g_cli();
		}
	}
	g_done(woken);
}

static void hlt(void)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, sleeps, 0);

	CHECK_EQ(vcpu_finish(v), WAKES, "wake-ups");
	EXPECT(count(v, "halt_exits") >= WAKES, "exits of HLT");
	v = without_exits(KVM_X86_DISABLE_EXITS_HLT, true, sleeps, 0);
	CHECK_EQ(vcpu_finish(v), WAKES, "wake-ups");
	EXPECT_EQ(count(v, "halt_exits"), 0, "exits of HLT, switched off");
}

/* vCPUs that are there already: vtx's follow, KVM's do not. */
static void hlt_later(void)
{
	struct vcpu *v = without_exits(KVM_X86_DISABLE_EXITS_HLT, false, sleeps, 0);

	CHECK_EQ(vcpu_finish(v), WAKES, "wake-ups");
	if (dev_has(VTX_CAP_VTX) > 0)
		EXPECT_EQ(count(v, "halt_exits"), 0, "exits of HLT, switched off");
}

GUEST static void end_handler(struct g_frame *frame)
{
	g_done((u32)frame->vector);
}

GUEST static void halts(u64 arg)
{
	(void)arg;
	for (u32 vector = 2; vector < 0x50; vector++)
		g_handler[vector] = end_handler;
	g_apic_on();
	halted = 1;
	for (;;)
		g_sti_hlt();
}

static pthread_t runner;
static volatile bool out;

/* Ends KVM_RUN of the other thread again and again, once the guest is about to halt. */
static void *interrupts(void *arg)
{
	struct vcpu *v = arg;

	while (!G(v->vm, halted))
		sched_yield();
	for (unsigned int i = 0; !out; i++) {
		for (unsigned int n = 0; n < 50; n++)
			sched_yield();
		pthread_kill(runner, SIGUSR1);
	}
	return NULL;
}

/* A guest that sleeps by itself, out of KVM_RUN. */
static struct vcpu *asleep(void)
{
	struct vcpu *v = without_exits(KVM_X86_DISABLE_EXITS_HLT, true, halts, 0);
	struct kvm_mp_state mp;
	pthread_t thread;

	quiet_signal();
	runner = pthread_self();
	out = false;
	CHECK(!pthread_create(&thread, NULL, interrupts, v), "pthread_create");
	/* The second time it goes on sleeping where it was. */
	for (unsigned int i = 0; i < 2; i++) {
		int r = ioctl(v->fd, KVM_RUN, 0);

		CHECK(r == -1 && errno == EINTR, "KVM_RUN: %d, errno %d, exit %s", r, errno, exit_name(v->run->exit_reason));
	}
	out = true;
	pthread_join(thread, NULL);
	CHECK_OK(ioctl(v->fd, KVM_GET_MP_STATE, &mp));
	/* Bochs saves "active" when an interrupt ends a guest's HLT by an exit (docs/errata.md), and KVM does not look. */
	note("mp_state is %u", mp.mp_state);
	EXPECT(mp.mp_state == KVM_MP_STATE_HALTED || mp.mp_state == KVM_MP_STATE_RUNNABLE, "mp_state is %u", mp.mp_state);
	return v;
}

/* What ends the sleep: an NMI, an MSI, and an exception, which the processor would not take in HLT. */
static void woken_by_nmi(void)
{
	struct vcpu *v = asleep();

	CHECK_OK(ioctl(v->fd, KVM_NMI, 0));
	CHECK_EQ(vcpu_finish(v), 2, "the vector");
}

static void woken_by_msi(void)
{
	struct vcpu *v = asleep();
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x45 };

	CHECK_EQ(ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi), 1, "KVM_SIGNAL_MSI");
	CHECK_EQ(vcpu_finish(v), 0x45, "the vector");
}

static void woken_by_exception(void)
{
	struct vcpu *v = asleep();
	struct kvm_vcpu_events events;

	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events));
	events.exception.injected = 1;
	events.exception.nr = 6;
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events));
	CHECK_EQ(vcpu_finish(v), 6, "the vector");
}

/* Its state taken away and given back, as by a migration: it still sleeps, and an interrupt still wakes it. */
static void state_kept(void)
{
	struct vcpu *v = asleep();
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x46 };
	struct kvm_mp_state mp;

	CHECK_OK(ioctl(v->fd, KVM_GET_MP_STATE, &mp));
	CHECK_OK(ioctl(v->fd, KVM_SET_MP_STATE, &mp));
	CHECK_EQ(ioctl(v->vm->fd, KVM_SIGNAL_MSI, &msi), 1, "KVM_SIGNAL_MSI");
	CHECK_EQ(vcpu_finish(v), 0x46, "the vector");
}

/* ------------------------------------------------------------------ PAUSE, MWAIT, C-states */

/* The guest makes as many of these exits as expected, and none when they are switched off. vtx alone counts by exit reason. */
static void exits_go(u32 exits, void (*guest)(u64), const char *name, u64 expected)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, guest, 0);
	bool vtx = dev_has(VTX_CAP_VTX) > 0;

	CHECK_EQ(vcpu_finish(v), 0, "the result");
	if (vtx)
		EXPECT_EQ(count(v, name), expected, name);
	v = without_exits(exits, true, guest, 0);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	if (vtx)
		EXPECT_EQ(count(v, name), 0, name);
}

GUEST static void pauses(u64 arg)
{
	(void)arg;
	g_sti();
	for (u32 i = 0; i < 100000; i++)
		g_pause();
	g_done(0);
}

static void pause_loop(void)
{
	struct vcpu *v = without_exits(KVM_X86_DISABLE_EXITS_PAUSE, true, pauses, 0);

	CHECK_EQ(vcpu_finish(v), 0, "the result");
	if (dev_has(VTX_CAP_VTX) > 0)
		EXPECT_EQ(count(v, "exit_pause_instruction"), 0, "exits of PAUSE, switched off");
}

/* With interrupts on, so that the host's tick ends the sleep at the latest. */
GUEST static void waits(u64 arg)
{
	(void)arg;
	g_sti();
	for (u32 n = 0; n < WAKES; n++) {
		asm volatile("monitor" : : "a"(&woken), "c"(0), "d"(0) : "memory");
		asm volatile("mwait" : : "a"(0), "c"(0) : "memory");
	}
	g_done(0);
}

static void mwait(void)
{
	exits_go(KVM_X86_DISABLE_EXITS_MWAIT, waits, "exit_mwait_instruction", WAKES);
	exits_go(KVM_X86_DISABLE_EXITS_MWAIT, waits, "exit_monitor_instruction", WAKES);
}

GUEST static void reads_residency(u64 arg)
{
	u64 value;

	(void)arg;
	for (u32 msr = 0x3fc; msr <= 0x3fe; msr++)
		(void)g_try_rdmsr(msr, &value);
	(void)g_try_rdmsr(0x660, &value);
	g_done(0);
}

/* Whether the processor has these MSRs is its affair: what counts is who answers. */
static void cstate(void)
{
	exits_go(KVM_X86_DISABLE_EXITS_CSTATE, reads_residency, "exit_msr_read", 4);
}

static const struct test tests[] = {
	TEST(arguments), TEST(hlt), TEST(hlt_later), TEST(woken_by_nmi), TEST(woken_by_msi), TEST(woken_by_exception), TEST(state_kept),
	TEST(pause_loop), TEST(mwait), TEST(cstate),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
