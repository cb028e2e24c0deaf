// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kicks that cannot be lost: interrupts, NMIs, signals with immediate_exit and KVM_SET_MP_STATE at random moments, before, during
 * and after an entry and in HLT, from another thread. The next one is only made when the one before has had its effect, so one that
 * is lost stops the case; where the host's timer interrupt would make up for it, after milliseconds, prompt() sees that. On several
 * CPUs the vCPU's thread is moved about meanwhile. `test_kicks [N]`: N kicks in each case.
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "lib/guest.h"
#include "lib/vm.h"

static unsigned int kicks = 300;
static volatile u64 irqs, nmis, turns, stop;

/* ------------------------------------------------------------------ the guests */

GUEST static void irq_handler(struct g_frame *frame)
{
	(void)frame;
	irqs = irqs + 1;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void nmi_handler(struct g_frame *frame)
{
	(void)frame;
	nmis = nmis + 1;
}

/* Everything a guest may be at: asleep, computing, in exits answered in the inner loop, outside it, and in user space. */
GUEST static void busy_guest(u64 nap)
{
	u32 seed = 1, out[4];

	g_handler[0xb1] = irq_handler;
	g_handler[2] = nmi_handler;
	g_apic_on();
	g_sti();
	g_say(0);
	while (!stop) {
		seed = seed * 1664525 + 1013904223;
		turns = turns + 1;
		switch (seed >> 28 & 7) {
		case 0:
		case 1:
			if (nap)
				g_sti_hlt();
			break;
		case 2:
			g_cpuid(0, 0, out);
			break;
		case 3:
			g_apic_read(APIC_ID);
			break;
		case 4:
			g_cli();
			for (u32 i = 0; i < (seed & 63); i++)
				g_pause();
			g_sti();
			break;
		case 5:
			g_say(1);
			break;
		default:
			for (u32 i = 0; i < (seed & 255); i++)
				g_pause();
		}
	}
	g_done(0);
}

/* Sleeps with interrupts off: nothing but an NMI or user space ends that. */
GUEST static void deaf_guest(u64 arg)
{
	(void)arg;
	g_handler[2] = nmi_handler;
	g_apic_on();
	g_say(0);
	while (!stop) {
		asm volatile("hlt" : : : "memory");
		turns = turns + 1;
	}
	g_done(0);
}

/* Never leaves guest mode by itself. */
GUEST static void spinning_guest(u64 arg)
{
	(void)arg;
	g_handler[0xb1] = irq_handler;
	g_handler[2] = nmi_handler;
	g_apic_on();
	g_sti();
	g_say(0);
	while (!stop)
		turns = turns + 1;
	g_done(0);
}

/* ------------------------------------------------------------------ the two threads */

static volatile u64 acknowledged, ended;
static volatile bool let_run;		/* deaf_guest: KVM_SET_MP_STATE after each kick */
static volatile u64 nmis_wanted;	/* KVM_NMI by the vCPU's own thread */

/* Runs the guest; each kick (immediate_exit and a signal) is taken back and acknowledged. */
static void *runner(void *arg)
{
	struct vcpu *v = arg;
	u64 nmis_sent = 0;

	for (;;) {
		if (!ioctl(v->fd, KVM_RUN, 0)) {
			if (v->run->exit_reason != KVM_EXIT_IO)
				vcpu_fail(v, "unexpected exit");
			if (v->run->io.port == PORT_DONE)
				break;
			if (v->run->io.port != PORT_SAY)
				vcpu_fail(v, "the guest complains");
			continue;
		}
		CHECK(errno == EINTR, "KVM_RUN");
		if (!__atomic_exchange_n(&v->run->immediate_exit, 0, __ATOMIC_SEQ_CST))
			continue;	/* the signal of the kick before, which the flag had overtaken */
		while (nmis_sent < nmis_wanted) {
			CHECK_OK(ioctl(v->fd, KVM_NMI, 0));
			nmis_sent++;
		}
		if (let_run)
			set_mp_state(v, KVM_MP_STATE_RUNNABLE);
		__atomic_add_fetch(&acknowledged, 1, __ATOMIC_SEQ_CST);
	}
	ended = 1;
	return NULL;
}

struct pair {
	struct vcpu *v;
	pthread_t thread;
	u32 seed;
	unsigned int made;
};

static void pair_start(struct pair *p, void (*guest)(u64), u64 arg)
{
	test_timeout(8 + kicks / 50);
	quiet_signal();
	*p = (struct pair){ .v = guest_new(VM_IRQCHIP, guest, arg), .seed = 7 };
	vcpu_expect_port(p->v, PORT_SAY);
	CHECK(!pthread_create(&p->thread, NULL, runner, p->v), "pthread_create");
}

/* Some time between two kicks, often none; now and then the vCPU's thread gets another CPU. */
static void pair_wait(struct pair *p)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	p->seed = p->seed * 1664525 + 1013904223;
	if (cpus > 1 && ++p->made % 8 == 0) {
		CPU_ZERO(&set);
		CPU_SET(p->made / 8 % (unsigned int)cpus, &set);
		pthread_setaffinity_np(p->thread, sizeof(set), &set);
	}
	if (p->seed >> 31)
		for (u32 i = 0; i < (p->seed >> 8 & 0xfff); i++)
			__builtin_ia32_pause();
}

/* Waits until what a kick was to bring about has come about; the case's time limit is the failure. */
#define UNTIL(condition)               \
	do {                           \
		while (!(condition))   \
			sched_yield(); \
	} while (0)

static void kick(struct pair *p)
{
	__atomic_store_n(&p->v->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	pthread_kill(p->thread, SIGUSR1);
}

/* The guest leaves its loop; a sleeping one has to be woken for it, again and again until it has looked. */
static void pair_end(struct pair *p)
{
	struct kvm_msi nmi = { .address_lo = 0xfee00000, .data = 0x400 };

	G(p->v->vm, stop) = 1;
	while (!ended) {
		ioctl(p->v->vm->fd, KVM_SIGNAL_MSI, &nmi);
		usleep(100);
	}
	pthread_join(p->thread, NULL);
}

/* ------------------------------------------------------------------ the cases */

static void interrupts(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0xb1 };
	struct pair p;

	pair_start(&p, busy_guest, 1);
	for (u64 i = 1; i <= kicks; i++) {
		pair_wait(&p);
		CHECK_EQ(CHECK_OK(ioctl(p.v->vm->fd, KVM_SIGNAL_MSI, &msi)), 1, "KVM_SIGNAL_MSI");
		UNTIL(G(p.v->vm, irqs) >= i);
	}
	pair_end(&p);
	EXPECT_EQ(G(p.v->vm, irqs), kicks, "interrupts");
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!pthread_setaffinity_np(thread, sizeof(set), &set), "affinity");
}

static u64 ticks_per_millisecond(void)
{
	struct timespec from, to;
	u64 tsc = __rdtsc(), ns;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		clock_gettime(CLOCK_MONOTONIC, &to);
		ns = (u64)(to.tv_sec - from.tv_sec) * 1000000000 + (u64)to.tv_nsec - (u64)from.tv_nsec;
	} while (ns < 5000000);
	return (__rdtsc() - tsc) * 1000000 / ns;
}

/*
 * A guest that spins on another CPU: without the kick it would take the interrupt when that CPU's timer interrupt ends guest mode,
 * every 4 ms, and three of four would wait for more than one. So a quarter is allowed to.
 */
static void prompt(void)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0xb1 };
	struct pair p;
	u64 limit, slow = 0, then;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		skip("one CPU");
	pin(pthread_self(), 0);
	limit = ticks_per_millisecond();
	pair_start(&p, spinning_guest, 0);
	pin(p.thread, 1);
	for (u64 i = 1; i <= kicks; i++) {
		then = G(p.v->vm, turns);
		UNTIL(G(p.v->vm, turns) != then);	/* it is in its loop */
		then = __rdtsc();
		CHECK_EQ(CHECK_OK(ioctl(p.v->vm->fd, KVM_SIGNAL_MSI, &msi)), 1, "KVM_SIGNAL_MSI");
		while (G(p.v->vm, irqs) < i)
			;
		slow += __rdtsc() - then > limit;
	}
	EXPECT(slow <= kicks / 4, "%llu of %u interrupts took more than a millisecond", (unsigned long long)slow, kicks);
	pair_end(&p);
}

static void nmis_by_msi(void (*guest)(u64), u64 arg)
{
	struct kvm_msi msi = { .address_lo = 0xfee00000, .data = 0x400 };
	struct pair p;

	pair_start(&p, guest, arg);
	for (u64 i = 1; i <= kicks; i++) {
		pair_wait(&p);
		CHECK_EQ(CHECK_OK(ioctl(p.v->vm->fd, KVM_SIGNAL_MSI, &msi)), 1, "KVM_SIGNAL_MSI");
		UNTIL(G(p.v->vm, nmis) >= i);
	}
	EXPECT_EQ(G(p.v->vm, nmis), kicks, "NMIs");
	pair_end(&p);
}

static void nmis_while_busy(void)
{
	nmis_by_msi(busy_guest, 0);
}

static void nmis_in_deaf_sleep(void)
{
	nmis_by_msi(deaf_guest, 0);
}

static void signals_while_busy(void)
{
	struct pair p;

	pair_start(&p, busy_guest, 0);
	for (u64 i = 1; i <= kicks; i++) {
		pair_wait(&p);
		kick(&p);
		UNTIL(acknowledged >= i);
	}
	EXPECT_EQ(acknowledged, kicks, "kicks acknowledged");
	EXPECT(G(p.v->vm, turns) > 0, "the guest did nothing");
	pair_end(&p);
}

static void signals_in_sleep(void)
{
	struct pair p;

	pair_start(&p, deaf_guest, 0);
	for (u64 i = 1; i <= kicks; i++) {
		pair_wait(&p);
		kick(&p);
		UNTIL(acknowledged >= i);
	}
	EXPECT_EQ(G(p.v->vm, turns), 0, "the sleeping guest ran");
	pair_end(&p);
}

/* A kick, and KVM_NMI by the vCPU's own thread before the next KVM_RUN. */
static void nmi_calls(void)
{
	struct pair p;

	pair_start(&p, deaf_guest, 0);
	for (u64 i = 1; i <= kicks; i++) {
		pair_wait(&p);
		nmis_wanted = i;
		kick(&p);
		UNTIL(G(p.v->vm, nmis) >= i);
	}
	EXPECT_EQ(G(p.v->vm, nmis), kicks, "NMIs");
	pair_end(&p);
}

/* Out of HLT by KVM_SET_MP_STATE: the guest makes a turn each time. */
static void mp_state(void)
{
	struct pair p;

	let_run = true;
	pair_start(&p, deaf_guest, 0);
	for (u64 i = 1; i <= kicks; i++) {
		pair_wait(&p);
		kick(&p);
		UNTIL(acknowledged >= i);
		/* A kick before the guest was asleep (again) lets nothing run that did not run anyway. */
		EXPECT(G(p.v->vm, turns) <= i, "%llu turns after %llu kicks", (unsigned long long)G(p.v->vm, turns),
		       (unsigned long long)i);
	}
	EXPECT(G(p.v->vm, turns) > 0, "the guest did nothing");
	let_run = false;
	pair_end(&p);
}

static const struct test tests[] = {
	TEST(interrupts), TEST(nmis_while_busy), TEST(nmis_in_deaf_sleep), TEST(signals_while_busy), TEST(signals_in_sleep),
	TEST(nmi_calls), TEST(mp_state), TEST(prompt),
};

int main(int argc, char **argv)
{
	if (argc > 1 && atoi(argv[1]) > 0) {
		kicks = (unsigned int)atoi(argv[1]);
		argv[1] = argv[0];
		argv++;
		argc--;
	}
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
