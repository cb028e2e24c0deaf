// SPDX-License-Identifier: GPL-2.0-only
/*
 * INIT and SIPI in every state of a processor (SDM vol. 3, 8.4 and table 10-1), KVM_GET/SET_MP_STATE beside them, and as many
 * vCPUs as the device says at work at the same time.
 */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/vm.h"

#define INIT 0x4500
#define SIPI 0x4600

/* ------------------------------------------------------------------ a boot processor that sends what it is told */

static volatile u32 dest, command;
static volatile u64 ready, wanted;

GUEST static void sender(u64 arg)
{
	(void)arg;
	g_apic_on();
	g_sti();
	for (;;) {
		g_say(0);
		g_apic_write(APIC_ICR2, dest << 24);
		g_apic_write(APIC_ICR, command);
	}
}

static struct vcpu *bsp_new(void)
{
	struct vcpu *bsp = guest_new(VM_IRQCHIP, sender, 0);

	vcpu_expect_port(bsp, PORT_SAY);
	return bsp;
}

static void send(struct vcpu *bsp, u32 to, u32 what)
{
	G(bsp->vm, dest) = to;
	G(bsp->vm, command) = what;
	vcpu_expect_port(bsp, PORT_SAY);
}

static u32 mp_state(struct vcpu *v)
{
	struct kvm_mp_state mp;

	CHECK_OK(ioctl(v->fd, KVM_GET_MP_STATE, &mp));
	return mp.mp_state;
}

/* Says its CS; then halts with interrupts off, at its start + 11 bytes. */
GUEST_CODE(says_cs, 16, "movw $0x3e0, %dx\n xorl %eax, %eax\n movw %cs, %ax\n outl %eax, %dx\n 1: hlt\n jmp 1b");

/* Counts its starts at 7000h and spins with interrupts on. */
GUEST_CODE(counts, 16, "lock incl 0x7000\n sti\n 1: pause\n jmp 1b");
/* The same, and sleeps. */
GUEST_CODE(sleeps, 16, "lock incl 0x7000\n 1: hlt\n jmp 1b");

static struct vcpu *ap_new(struct vcpu *bsp)
{
	struct vcpu *ap = vcpu_new(bsp->vm, 1);

	for (u64 at = 0x8000; at < 0xa000; at += 0x1000)
		vm_load_code(bsp->vm, at, says_cs, says_cs_end);
	return ap;
}

/* KVM_RUN of a waiting CPU whose INIT and SIPI have come returns EAGAIN, or goes on into the guest (as KVM after INIT). */
static void expect_start(struct vcpu *ap, u32 cs)
{
	EXPECT_EQ(mp_state(ap), KVM_MP_STATE_RUNNABLE, "the AP's mp_state");
	CHECK_EQ(vcpu_finish(ap), cs, "CS of the AP");
}

static void expect_reset(struct vcpu *ap)
{
	struct kvm_sregs s;

	/* First: this lets the INIT happen. */
	EXPECT_EQ(mp_state(ap), KVM_MP_STATE_INIT_RECEIVED, "mp_state");
	s = vcpu_sregs(ap);
	EXPECT_EQ(vcpu_regs(ap).rip, 0xfff0, "RIP");
	EXPECT_EQ(s.cs.selector, 0xf000, "CS");
	EXPECT_EQ(s.cr0 & 1, 0, "CR0.PE");
}

/* ------------------------------------------------------------------ one thing after the other, in one thread */

static void from_uninitialized(void)
{
	struct vcpu *bsp = bsp_new(), *ap = ap_new(bsp);

	send(bsp, 1, SIPI | 8);		/* without INIT: nothing */
	EXPECT_EQ(mp_state(ap), KVM_MP_STATE_UNINITIALIZED, "mp_state");
	send(bsp, 1, INIT);
	expect_reset(ap);
	send(bsp, 1, SIPI | 8);
	expect_start(ap, 0x800);
}

/* INIT while it waits for its SIPI, and INIT and SIPI that are both there before anybody looks. */
static void while_waiting(void)
{
	struct vcpu *bsp = bsp_new(), *ap = ap_new(bsp);

	send(bsp, 1, INIT);
	expect_reset(ap);
	send(bsp, 1, INIT);
	expect_reset(ap);
	send(bsp, 1, SIPI | 8);
	expect_start(ap, 0x800);
	send(bsp, 1, INIT);
	send(bsp, 1, SIPI | 9);
	expect_start(ap, 0x900);
	/* INIT forgets the SIPI that came before it. */
	send(bsp, 1, INIT);
	send(bsp, 1, SIPI | 8);
	send(bsp, 1, INIT);
	expect_reset(ap);
	send(bsp, 1, SIPI | 9);
	expect_start(ap, 0x900);
}

/* Two SIPIs, as the manual's procedure sends them: one start. */
static void double_sipi(void)
{
	struct vcpu *bsp = bsp_new(), *ap = ap_new(bsp);
	struct kvm_regs regs;

	send(bsp, 1, INIT);
	send(bsp, 1, SIPI | 8);
	expect_start(ap, 0x800);
	regs = vcpu_regs(ap);
	send(bsp, 1, SIPI | 9);
	EXPECT_EQ(mp_state(ap), KVM_MP_STATE_RUNNABLE, "mp_state");
	EXPECT_EQ(vcpu_regs(ap).rip, regs.rip, "RIP");
	EXPECT_EQ(vcpu_sregs(ap).cs.selector, 0x800, "CS");
}

static volatile int run_errno;

static void *run_until_error(void *arg)
{
	struct vcpu *v = arg;

	while (!ioctl(v->fd, KVM_RUN, 0))
		;
	run_errno = errno;
	return NULL;
}

/* A halted CPU, asleep in KVM_RUN or outside: SIPI does not end that, INIT does. */
static void while_halted(void)
{
	struct vcpu *bsp = bsp_new(), *ap = ap_new(bsp);
	pthread_t thread;

	quiet_signal();
	send(bsp, 1, INIT);
	send(bsp, 1, SIPI | 8);
	expect_start(ap, 0x800);
	CHECK(!pthread_create(&thread, NULL, run_until_error, ap), "pthread_create");
	usleep(2000);			/* asleep by now, or on the way: either way nothing may come of the SIPI */
	send(bsp, 1, SIPI | 9);
	while (!run_errno) {
		usleep(1000);
		pthread_kill(thread, SIGUSR1);
	}
	pthread_join(thread, NULL);
	EXPECT_EQ(run_errno, EINTR, "errno");
	EXPECT_EQ(mp_state(ap), KVM_MP_STATE_HALTED, "mp_state");
	EXPECT_EQ(vcpu_sregs(ap).cs.selector, 0x800, "CS");
	send(bsp, 1, INIT);
	expect_reset(ap);
	send(bsp, 1, SIPI | 9);
	expect_start(ap, 0x900);
}

/* The boot processor starts anew at the reset vector, without SIPI. */
static void init_to_bsp(void)
{
	struct vcpu *bsp = bsp_new(), *ap = vcpu_new(bsp->vm, 1);
	u8 *top = host_pages(0x10000);

	/* mov $0x3e0, %dx; mov $0x5a, %ax; cwde; out %eax, (%dx) */
	memcpy(top + 0xfff0, "\xba\xe0\x03\xb8\x5a\x00\x66\x98\x66\xef", 10);
	CHECK_OK(vm_slot(bsp->vm, 1, 0xffff0000, 0x10000, top, 0));
	vcpu_mode_long(ap, sender, 0);
	set_mp_state(ap, KVM_MP_STATE_RUNNABLE);
	vcpu_expect_port(ap, PORT_SAY);
	send(ap, 0, INIT);
	EXPECT_EQ(mp_state(bsp), KVM_MP_STATE_RUNNABLE, "mp_state");
	EXPECT_EQ(vcpu_regs(bsp).rip, 0xfff0, "RIP");
	CHECK_EQ(vcpu_finish(bsp), 0x5a, "the word from the reset vector");
	send(ap, 0, SIPI | 8);
	EXPECT_EQ(vcpu_sregs(bsp).cs.selector, 0xf000, "CS");
}

/* Each state that user space sets is there afterwards, and SIPI_RECEIVED starts at the vector of KVM_SET_VCPU_EVENTS. */
static void states_set(void)
{
	static const u32 states[] = {
		KVM_MP_STATE_RUNNABLE, KVM_MP_STATE_UNINITIALIZED, KVM_MP_STATE_INIT_RECEIVED, KVM_MP_STATE_HALTED,
	};
	struct vcpu *bsp = bsp_new(), *ap = ap_new(bsp);
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp = { .mp_state = KVM_MP_STATE_STOPPED };

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		set_mp_state(ap, states[i]);
		EXPECT_EQ(mp_state(ap), states[i], "mp_state");
	}
	EXPECT_ERRNO(ioctl(ap->fd, KVM_SET_MP_STATE, &mp), EINVAL);
	mp.mp_state = 0xffffffff;
	EXPECT_ERRNO(ioctl(ap->fd, KVM_SET_MP_STATE, &mp), EINVAL);
	set_mp_state(ap, KVM_MP_STATE_UNINITIALIZED);
	send(bsp, 1, INIT);
	expect_reset(ap);
	CHECK_OK(ioctl(ap->fd, KVM_GET_VCPU_EVENTS, &events));
	events.flags |= KVM_VCPUEVENT_VALID_SIPI_VECTOR;
	events.sipi_vector = 9;
	CHECK_OK(ioctl(ap->fd, KVM_SET_VCPU_EVENTS, &events));
	set_mp_state(ap, KVM_MP_STATE_SIPI_RECEIVED);
	CHECK_EQ(vcpu_finish(ap), 0x900, "CS of the AP");
}

/* ------------------------------------------------------------------ at any moment */

/*
 * Starts CPU 1 again and again while it runs or sleeps. A SIPI to the running CPU goes before, which makes it look for events just
 * when the INIT and its SIPI arrive.
 */
GUEST static void restarter(u64 rounds)
{
	g_apic_on();
	g_sti();
	g_apic_write(APIC_ICR2, 1 << 24);
	for (u64 i = 1; i <= rounds; i++) {
		if (i > 1)
			g_apic_write(APIC_ICR, SIPI | 8);
		for (u64 n = i * 997 % 2048; n; n--)
			g_pause();
		g_apic_write(APIC_ICR, INIT);
		g_apic_write(APIC_ICR, SIPI | 8);
		while (g_read32(0x7000) < i)
			g_pause();
		G_CHECK_EQ(g_read32(0x7000), i);
	}
	g_done(0);
}

static void restart(const u8 *code, const u8 *end, u64 rounds)
{
	struct vcpu *bsp = guest_new(VM_IRQCHIP, restarter, rounds), *ap = vcpu_new(bsp->vm, 1);

	test_timeout(10);
	vm_load_code(bsp->vm, 0x8000, code, end);
	*(u32 *)(bsp->vm->mem + 0x7000) = 0;
	vcpu_start(ap);		/* runs until the case ends */
	CHECK_EQ(vcpu_finish(bsp), 0, "the result");
}

static void restart_running(void)
{
	restart(counts, counts_end, 200);
}

static void restart_sleeping(void)
{
	restart(sleeps, sleeps_end, 200);
}

/* ------------------------------------------------------------------ as many as the device says */

GUEST static void meet(u64 arg)
{
	(void)arg;
	g_sti();
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	while (ready != wanted)
		g_pause();
	g_done(0x600d);
}

/* No vCPU gets on before all of them are inside their guest. */
static void all_at_once(void)
{
	struct vm *vm = vm_new(0);
	int max = dev_has(KVM_CAP_MAX_VCPUS), n = max < 255 ? max : 255; /* as many as file descriptors last */
	struct vcpu **v = calloc((size_t)n, sizeof(*v));
	pthread_t *threads = calloc((size_t)n, sizeof(*threads));

	test_timeout(60);
	CHECK(n >= 64, "KVM_CAP_MAX_VCPUS is %d", max);
	EXPECT(dev_has(KVM_CAP_NR_VCPUS) == sysconf(_SC_NPROCESSORS_ONLN), "KVM_CAP_NR_VCPUS is %d", dev_has(KVM_CAP_NR_VCPUS));
	EXPECT(dev_has(KVM_CAP_MAX_VCPU_ID) >= max, "KVM_CAP_MAX_VCPU_ID is %d", dev_has(KVM_CAP_MAX_VCPU_ID));
	for (int i = 0; i < n; i++) {
		struct kvm_regs regs;

		v[i] = vcpu_new(vm, i);
		vcpu_mode_long(v[i], meet, 0);
		regs = vcpu_regs(v[i]);
		regs.rsp = GUEST_FREE + (u64)i * 0x1000 + 0xff8;
		vcpu_set_regs(v[i], &regs);
	}
	EXPECT_ERRNO(ioctl(vm->fd, KVM_CREATE_VCPU, max), EINVAL);
	G(vm, wanted) = (u64)n;
	for (int i = 0; i < n; i++)
		threads[i] = vcpu_start(v[i]);
	for (int i = 0; i < n; i++)
		CHECK_EQ(vcpu_join(threads[i]), 0x600d, "the result");
	note("%d vCPUs met on %ld CPUs", n, sysconf(_SC_NPROCESSORS_ONLN));
}

static const struct test tests[] = {
	TEST(from_uninitialized), TEST(while_waiting), TEST(double_sipi), TEST(while_halted), TEST(init_to_bsp), TEST(states_set),
	TEST(restart_running), TEST(restart_sleeping), TEST(all_at_once),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
