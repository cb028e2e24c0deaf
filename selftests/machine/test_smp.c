// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several vCPUs, each in a thread: INIT and SIPI, IPIs of all kinds with exact counts, atomic instructions, threads that
 * move between the machine's CPUs; and what interrupts KVM_RUN: signals, immediate_exit, KVM_SET_SIGNAL_MASK.
 */
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "lib/guest.h"
#include "lib/vm.h"

#define CPUS 4

static volatile u64 count[CPUS][256];
static volatile u64 shared, ready, stop;

G_INLINE u32 my_id(void)
{
	return g_apic_read(APIC_ID) >> 24;
}

GUEST static void ipi_handler(struct g_frame *frame)
{
	count[my_id() & (CPUS - 1)][frame->vector & 255]++;
	if (frame->vector != 2)
		g_apic_write(APIC_EOI, 0);
}

GUEST static void send_ipi(u32 dest, u32 command)
{
	g_apic_write(APIC_ICR2, dest << 24);
	g_apic_write(APIC_ICR, command);
}

/* A second CPU in long mode at once, without the way through real mode. */
static struct vcpu *add_cpu(struct vm *vm, int id, void (*entry)(u64), u64 arg)
{
	struct vcpu *v = vcpu_new(vm, id);

	vcpu_mode_long(v, entry, arg);
	if (vm->flags & VM_IRQCHIP)
		set_mp_state(v, KVM_MP_STATE_RUNNABLE);
	return v;
}

/* What an AP does first: tells its CS and where it is, from real mode (SDM vol. 3, 8.4.4: CS = vector << 8). */
GUEST_CODE(ap_code, 16,
	   "movw %cs, %ax\n movw %ax, 0x7000\n movl $0x600d, 0x7004\n"
	   "movw $0x3e0, %dx\n movl $0x42, %eax\n outl %eax, %dx\n hlt");

GUEST static void bsp_guest(u64 arg)
{
	g_apic_on();
	g_sti();
	send_ipi(1, 0x4500);		/* INIT, assert */
	send_ipi(1, 0x4608);		/* SIPI to 8000h */
	if (arg)
		g_done(0);
	while (g_read32(0x7004) != 0x600d)
		g_pause();
	g_done(g_read32(0x7000) & 0xffff);
}

static void init_sipi(void)
{
	struct vcpu *bsp = guest_new(VM_IRQCHIP, bsp_guest, 0), *ap = vcpu_new(bsp->vm, 1);
	struct kvm_mp_state mp;
	pthread_t thread;

	vm_load_code(bsp->vm, 0x8000, ap_code, ap_code_end);
	thread = vcpu_start(ap);
	usleep(1000);
	CHECK_EQ(vcpu_finish(bsp), 0x800, "CS of the AP");
	CHECK_EQ(vcpu_join(thread), 0x42, "the AP's word");
	CHECK_OK(ioctl(ap->fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(mp.mp_state, KVM_MP_STATE_RUNNABLE, "the AP's mp_state");
}

static volatile int ap_errno;

static void *run_once(void *arg)
{
	struct vcpu *v = arg;

	ap_errno = 0;
	ap_errno = ioctl(v->fd, KVM_RUN, 0) ? errno : -1;
	return NULL;
}

/* A CPU that waits for its SIPI blocks; a signal ends that with EINTR, the SIPI with EAGAIN. */
static void uninitialized(void)
{
	struct vcpu *bsp = guest_new(VM_IRQCHIP, bsp_guest, 1), *ap = vcpu_new(bsp->vm, 1);
	struct kvm_mp_state mp;
	pthread_t thread;

	quiet_signal();
	vm_load_code(bsp->vm, 0x8000, ap_code, ap_code_end);
	CHECK_OK(ioctl(ap->fd, KVM_GET_MP_STATE, &mp));
	CHECK_EQ(mp.mp_state, KVM_MP_STATE_UNINITIALIZED, "the AP's mp_state");
	CHECK(!pthread_create(&thread, NULL, run_once, ap), "pthread_create");
	while (!ap_errno) {
		usleep(1000);
		pthread_kill(thread, SIGUSR1);
	}
	pthread_join(thread, NULL);
	CHECK_EQ(ap_errno, EINTR, "errno");
	EXPECT_EQ(ap->run->exit_reason, KVM_EXIT_INTR, "the exit reason");
	CHECK(!pthread_create(&thread, NULL, run_once, ap), "pthread_create");
	usleep(1000);
	CHECK_EQ(vcpu_finish(bsp), 0, "the result");
	pthread_join(thread, NULL);
	/* -1 where the device goes on into the guest at once. */
	CHECK(ap_errno == EAGAIN || ap_errno == -1, "errno %d", ap_errno);
	if (ap_errno == EAGAIN)
		CHECK_EQ(vcpu_finish(ap), 0x42, "the AP's word");
}

GUEST static void ping_guest(u64 rounds)
{
	g_handler[0xc0] = ipi_handler;
	g_apic_on();
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	g_sti();
	while (ready != 2)
		g_pause();
	for (u64 i = 1; i <= rounds; i++) {
		send_ipi(1, 0xc0);
		for (;;) {
			g_cli();
			if (count[0][0xc0] >= i)
				break;
			g_sti_hlt();
		}
		g_sti();
	}
	g_done((u32)count[0][0xc0]);
}

GUEST static void pong_guest(u64 rounds)
{
	g_apic_on();
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	for (u64 i = 1; i <= rounds; i++) {
		for (;;) {
			g_cli();
			if (count[1][0xc0] >= i)
				break;
			g_sti_hlt();
		}
		g_sti();
		send_ipi(0, 0xc0);
	}
	g_done((u32)count[1][0xc0]);
}

/* Two CPUs that sleep until the other one wakes them: no wake-up may be lost, none doubled. */
static void ipi_ping_pong(void)
{
	struct vcpu *a = guest_new(VM_IRQCHIP, ping_guest, 200), *b = add_cpu(a->vm, 1, pong_guest, 200);
	pthread_t thread;

	test_timeout(8);
	thread = vcpu_start(b);
	EXPECT_EQ(vcpu_finish(a), 200, "the interrupts at CPU 0");
	EXPECT_EQ(vcpu_join(thread), 200, "the interrupts at CPU 1");
}

GUEST static void receiver_guest(u64 id)
{
	g_apic_on();
	g_apic_write(0xe0, 0xffffffff);			/* flat model */
	g_apic_write(0xd0, 1U << (24 + id));		/* logical destination */
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	g_sti();
	while (!stop)
		g_pause();
	g_done(0);
}

GUEST static void wait_for(u64 cpu, u32 vector, u64 value)
{
	while (count[cpu][vector] < value)
		g_pause();
}

GUEST static void sender_guest(u64 arg)
{
	(void)arg;
	for (int i = 0x40; i < 0x100; i++)
		g_handler[i] = ipi_handler;
	g_handler[2] = ipi_handler;
	g_apic_on();
	g_apic_write(0xe0, 0xffffffff);
	g_apic_write(0xd0, 1U << 24);
	ready = 1;
	g_sti();
	g_say(0);
	while (ready != CPUS)
		g_pause();
	for (u64 i = 1; i <= 5; i++) {
		send_ipi(0, 0xc00c1);			/* all but self */
		for (u64 c = 1; c < CPUS; c++)
			wait_for(c, 0xc1, i);
		send_ipi(0, 0x800c2);			/* all */
		for (u64 c = 0; c < CPUS; c++)
			wait_for(c, 0xc2, i);
		send_ipi(0xc, 0x8c3);			/* logical: 2 and 3 */
		wait_for(2, 0xc3, i);
		wait_for(3, 0xc3, i);
		send_ipi(0xff, 0xc4);			/* physical broadcast */
		for (u64 c = 0; c < CPUS; c++)
			wait_for(c, 0xc4, i);
		send_ipi(2, 0x400);			/* NMI to 2 */
		wait_for(2, 2, i);
		send_ipi(0xe, 0x9c5);			/* lowest priority among 1 to 3: one of them */
		while (count[1][0xc5] + count[2][0xc5] + count[3][0xc5] < i)
			g_pause();
	}
	stop = 1;
	for (int i = 0; i < 1000; i++)
		g_pause();
	G_CHECK_EQ(count[0][0xc1], 0);
	G_CHECK_EQ(count[1][0xc3], 0);
	G_CHECK_EQ(count[0][2] + count[1][2] + count[3][2], 0);
	G_CHECK_EQ(count[1][0xc5] + count[2][0xc5] + count[3][0xc5], 5);
	for (u64 c = 1; c < CPUS; c++)
		G_CHECK_EQ(count[c][0xc1], 5);
	g_done(0);
}

static void ipi_kinds(void)
{
	struct vcpu *v[CPUS];
	pthread_t threads[CPUS];

	test_timeout(12);
	v[0] = guest_new(VM_IRQCHIP, sender_guest, 0);
	for (int i = 1; i < CPUS; i++)
		v[i] = add_cpu(v[0]->vm, i, receiver_guest, (u64)i);
	vcpu_expect_port(v[0], PORT_SAY);	/* the handlers are in place */
	for (int i = 1; i < CPUS; i++)
		threads[i] = vcpu_start(v[i]);
	CHECK_EQ(vcpu_finish(v[0]), 0, "the result");
	for (int i = 1; i < CPUS; i++)
		CHECK_EQ(vcpu_join(threads[i]), 0, "the result");
}

GUEST static void atomic_guest(u64 rounds)
{
	g_sti();
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	for (u64 i = 0; i < rounds; i++) {
		u64 old = shared;

		__atomic_add_fetch(&shared, 1, __ATOMIC_SEQ_CST);
		while (!__atomic_compare_exchange_n(&shared, &old, old + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			;
		if (i % 500 == 0)
			g_apic_read(APIC_ID);	/* an exit now and then */
	}
	g_done(0);
}

static void atomics(void)
{
	struct vcpu *v[CPUS];
	pthread_t threads[CPUS];

	v[0] = guest_new(VM_IRQCHIP, atomic_guest, 5000);
	for (int i = 1; i < CPUS; i++)
		v[i] = add_cpu(v[0]->vm, i, atomic_guest, 5000);
	for (int i = 0; i < CPUS; i++)
		threads[i] = vcpu_start(v[i]);
	for (int i = 0; i < CPUS; i++)
		CHECK_EQ(vcpu_join(threads[i]), 0, "the result");
	EXPECT_EQ(G(v[0]->vm, shared), 2 * CPUS * 5000, "the counter");
}

GUEST static void count_guest(u64 rounds)
{
	u64 r8 = 0x8888, r12 = 0x1212;

	g_sti();
	for (u64 i = 0; i < rounds; i++) {
		asm volatile("" : "+r"(r8), "+r"(r12));
		shared++;
		if (i % 64 == 0) {
			u32 out[4];

			g_cpuid(0, 0, out);
			G_CHECK(out[0] >= 0xd);
		}
	}
	G_CHECK_EQ(shared, rounds);
	G_CHECK(r8 == 0x8888 && r12 == 0x1212);
	g_done(0);
}

static void *hop(void *arg)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t target = *(pthread_t *)arg;

	for (int i = 0; i < 300; i++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(i % cpus, &set);
		pthread_setaffinity_np(target, sizeof(set), &set);
		usleep(100);
	}
	return NULL;
}

/* The vCPU's thread is moved from CPU to CPU while its guest runs: the VMCS, MSRs and FPU have to follow. */
static void migration(void)
{
	struct vcpu *v = guest_new(0, count_guest, 300000);
	pthread_t runner, mover;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("one CPU");
	test_timeout(12);
	runner = vcpu_start(v);
	CHECK(!pthread_create(&mover, NULL, hop, &runner), "pthread_create");
	CHECK_EQ(vcpu_join(runner), 0, "the result");
	pthread_join(mover, NULL);
}

static void *hop_both(void *arg)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	u32 seed = 3;

	for (int i = 0; i < 300; i++) {
		cpu_set_t set;

		seed = seed * 1664525 + 1013904223;
		CPU_ZERO(&set);
		CPU_SET((seed >> 16) % (u32)cpus, &set);
		pthread_setaffinity_np(((pthread_t *)arg)[seed >> 31], sizeof(set), &set);
		usleep(seed >> 24);
	}
	return NULL;
}

/* The ping-pong between sleepers, while both threads are moved at any moment: asleep, awake, with the interrupt on its way. */
static void ipis_on_the_move(void)
{
	struct vcpu *a = guest_new(VM_IRQCHIP, ping_guest, 600), *b = add_cpu(a->vm, 1, pong_guest, 600);
	pthread_t threads[2], mover;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("one CPU");
	test_timeout(12);
	threads[0] = vcpu_start(a);
	threads[1] = vcpu_start(b);
	CHECK(!pthread_create(&mover, NULL, hop_both, threads), "pthread_create");
	pthread_join(mover, NULL);	/* first: a thread that has been joined cannot be moved */
	EXPECT_EQ(vcpu_join(threads[0]), 600, "the interrupts at CPU 0");
	EXPECT_EQ(vcpu_join(threads[1]), 600, "the interrupts at CPU 1");
}

GUEST static void spin_guest(u64 arg)
{
	(void)arg;
	g_sti();
	g_say(0);
	for (;;)
		shared++;
}

static void *pester(void *arg)
{
	pthread_t target = *(pthread_t *)arg;

	while (!stop) {
		pthread_kill(target, SIGUSR1);
		usleep(300);
	}
	return NULL;
}

/* Signals at any phase: each KVM_RUN ends with EINTR and KVM_EXIT_INTR, the guest's work goes on where it was. */
static void signals(void)
{
	struct vcpu *v = guest_new(0, spin_guest, 0);
	pthread_t self = pthread_self(), thread;
	u64 last = 0;

	quiet_signal();
	vcpu_expect_port(v, PORT_SAY);
	CHECK(!pthread_create(&thread, NULL, pester, &self), "pthread_create");
	for (int i = 0; i < 100; i++) {
		u64 now;

		EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
		EXPECT_EQ(v->run->exit_reason, KVM_EXIT_INTR, "the exit reason");
		now = G(v->vm, shared);
		EXPECT(now >= last, "the guest's counter went back");
		last = now;
	}
	EXPECT(last > 0, "the guest did nothing");
	stop = 1;
	pthread_join(thread, NULL);
}

static void immediate_exit(void)
{
	struct vcpu *v = guest_new(0, spin_guest, 0);
	struct kvm_regs before, after;

	before = vcpu_regs(v);
	v->run->immediate_exit = 1;
	for (int i = 0; i < 3; i++) {
		EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
		after = vcpu_regs(v);
		EXPECT_EQ(after.rip, before.rip, "RIP");
	}
	EXPECT_EQ(G(v->vm, shared), 0, "the guest's counter");
	v->run->immediate_exit = 0;
	vcpu_expect_port(v, PORT_SAY);
	/* Fields that are read after every KVM_RUN, failed ones included. */
	v->run->immediate_exit = 1;
	v->run->apic_base = 0;
	v->run->if_flag = 9;
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	EXPECT_EQ(v->run->if_flag, 1, "if_flag");
	EXPECT_EQ(v->run->apic_base, vcpu_sregs(v).apic_base, "apic_base");
}

static void signal_mask(void)
{
	struct vcpu *v = guest_new(0, spin_guest, 0);
	struct {
		struct kvm_signal_mask head;
		u8 set[8];
	} __attribute__((packed)) mask = { .head.len = 8 };
	sigset_t set, pending;

	quiet_signal();
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	mask.head.len = 7;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_SIGNAL_MASK, &mask), EINVAL);
	mask.head.len = 128;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_SIGNAL_MASK, &mask), EINVAL);
	mask.head.len = 8;
	CHECK_OK(ioctl(v->fd, KVM_SET_SIGNAL_MASK, &mask));
	vcpu_expect_port(v, PORT_SAY);
	/* Blocked outside, let through inside: it interrupts the run and stays pending. */
	kill(getpid(), SIGUSR1);
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	sigpending(&pending);
	EXPECT(sigismember(&pending, SIGUSR1), "the signal has been taken");
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	/* Without a mask of the vCPU's own, the thread's counts: only the immediate exit ends it. */
	CHECK_OK(ioctl(v->fd, KVM_SET_SIGNAL_MASK, NULL));
	v->run->immediate_exit = 1;
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINTR);
	sigpending(&pending);
	EXPECT(sigismember(&pending, SIGUSR1), "the signal has been taken");
}

static const struct test tests[] = {
	TEST(init_sipi), TEST(uninitialized), TEST(ipi_ping_pong), TEST(ipi_kinds), TEST(atomics), TEST(migration), TEST(ipis_on_the_move),
	TEST(signals), TEST(immediate_exit), TEST(signal_mask),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
