// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupts sent are interrupts delivered: fixed IPIs and NMIs between two vCPUs, MSIs and irqfds by the program, a level through
 * the IOAPIC with a resampling irqfd. Meanwhile threads take the guest's memory away (IDT, GDT, stacks, page tables, the handlers'
 * code), so that delivery itself faults, move the vCPUs' threads from CPU to CPU, and take a CPU of the machine off and on.
 *
 *   test_accounting [COUNT] [CASE...]    interrupts of each kind, by default 640
 *
 * One interrupt is under way at a time where a second would be lost by rights (the same vector, NMI, a level), otherwise as many as
 * there are vectors.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "lib/guest.h"
#include "lib/irq.h"

#define WIDTH 64		/* interrupts at once, each with a vector of its own */
#define FIRST 0x40		/* ... from here on */
#define REPLY 0xc0
#define END 0xc1
#define TICK 0x31
#define PORT_BELL 0x720
#define PIN 10

static u64 total = 640;

/* With APIC virtualization in Bochs an exit during a delivery loses it, and interrupts come with IF clear (docs/errata.md): the memory stays. */
static bool memory_stays;

/* ------------------------------------------------------------------ the guest */

static volatile u64 got[2], by_vector[256], ready, stop, ticks;

G_INLINE u32 my_id(void)
{
	return g_apic_read(APIC_ID) >> 24;
}

GUEST static void send(u32 dest, u32 command)
{
	g_apic_write(APIC_ICR2, dest << 24);
	g_apic_write(APIC_ICR, command);
}

/* With interrupts on again afterwards; not for what an NMI does, which can come between the look and HLT. */
GUEST static void wait_for(volatile u64 *what, u64 value)
{
	for (;;) {
		g_cli();
		if (*what >= value)
			break;
		g_sti_hlt();
	}
	g_sti();
}

GUEST static void counting(struct g_frame *frame)
{
	got[my_id() & 1]++;
	by_vector[frame->vector & 255]++;
	g_apic_write(APIC_EOI, 0);
}

/* vCPU 1 answers each interrupt from its handler. */
GUEST static void echoing(struct g_frame *frame)
{
	got[1]++;
	send(0, REPLY);
	if (frame->vector != 2)
		g_apic_write(APIC_EOI, 0);
}

GUEST static void ending(struct g_frame *frame)
{
	(void)frame;
	stop = 1;
	g_apic_write(APIC_EOI, 0);
}

GUEST static void ticking(struct g_frame *frame)
{
	(void)frame;
	g_apic_write(APIC_EOI, 0);
}

/*
 * A timer where Bochs would leave the guest in HLT for good (docs/errata.md): with APIC virtualization, when an interrupt came between CLI
 * and HLT; and where NMIs are sent, as a CPU that a guest left while they were blocked blocks them for the next guest until its IRET.
 */
GUEST static void interrupts_on(void)
{
	g_apic_on();
	if (!ticks)
		return;
	g_handler[TICK] = ticking;
	g_apic_write(APIC_TDCR, 0xb);
	g_apic_write(APIC_LVTT, 0x20000 | TICK);
	g_apic_write(APIC_TMICT, 1000000);
}

GUEST static void echo_guest(u64 arg)
{
	(void)arg;
	g_handler[FIRST] = echoing;
	g_handler[2] = echoing;
	g_handler[END] = ending;
	interrupts_on();
	ready = 1;
	wait_for(&stop, 1);
	g_done((u32)got[1]);
}

/* One after the other: command is FIRST, or an NMI. */
GUEST static void sender_guest(u64 arg)
{
	u32 command = (u32)arg;
	u64 rounds = arg >> 32;

	g_handler[REPLY] = counting;
	interrupts_on();
	g_sti();
	while (!ready)
		g_pause();
	for (u64 i = 1; i <= rounds; i++) {
		send(1, command);
		wait_for(&got[0], i);
		G_CHECK_EQ(got[0], i);
		G_CHECK_EQ(got[1], i);
	}
	send(1, END);
	g_done((u32)got[0]);
}

/* Rings when all of a batch have come; each vector once. */
GUEST static void sink_guest(u64 rounds)
{
	for (int i = 0; i < WIDTH; i++)
		g_handler[FIRST + i] = counting;
	interrupts_on();
	g_sti();
	g_outb(PORT_BELL, 0);
	for (u64 batch = 1; batch <= rounds / WIDTH; batch++) {
		wait_for(&got[0], batch * WIDTH);
		G_CHECK_EQ(got[0], batch * WIDTH);
		for (int i = 0; i < WIDTH; i++)
			G_CHECK_EQ(by_vector[FIRST + i], batch);
		g_outb(PORT_BELL, 0);
	}
	g_done((u32)got[0]);
}

GUEST static void level_guest(u64 rounds)
{
	g_handler[FIRST] = counting;
	interrupts_on();
	g_write32(0xfec00000, 0x10 + 2 * PIN + 1);
	g_write32(0xfec00010, 0);
	g_write32(0xfec00000, 0x10 + 2 * PIN);
	g_write32(0xfec00010, 0x8000 | FIRST);
	g_sti();
	g_outb(PORT_BELL, 0);
	wait_for(&got[0], rounds);
	/* One more would be one too many. */
	for (int i = 0; i < 100; i++)
		g_pause();
	g_done((u32)got[0]);
}

/* ------------------------------------------------------------------ what disturbs */

static volatile bool over;
static pthread_t runners[2];
static int nr_runners;
static struct vm *moving;

static void set_protection(struct vm *vm, int prot)
{
	CHECK(!mprotect(vm->mem, GUEST_FREE, prot), "mprotect");
}

/* Shared memory keeps its contents when it goes out of the process's page tables. */
static void *take_pages_away(void *arg)
{
	const u64 pages[] = { GUEST_IDT, GUEST_GDT, GUEST_TSS, GUEST_PML4, GUEST_PDPT, GUEST_PD, GUEST_STACKS, GUEST_STACKS + 0xf000,
			      GUEST_STACKS + 0x1f000, (uintptr_t)counting & ~0xfffULL, (uintptr_t)got & ~0xfffULL,
			      (uintptr_t)g_idt_stubs & ~0xfffULL };

	(void)arg;
	for (unsigned int i = 0; !over; i++) {
		if (i % 64 == 63)
			vm_zap(moving, 0, GUEST_FREE);
		else
			vm_zap(moving, pages[i % ARRAY_SIZE(pages)], PAGE_SIZE);
		if (i % 16 == 0)
			set_protection(moving, i & 16 ? PROT_READ | PROT_WRITE : PROT_READ | PROT_WRITE | PROT_EXEC);
		usleep(100);
	}
	return NULL;
}

/* Private memory becomes copy-on-write, page by page anew. */
static void *fork_again(void *arg)
{
	(void)arg;
	while (!over) {
		pid_t pid = fork();

		if (!pid)
			_exit(0);
		CHECK(pid > 0, "fork");
		waitpid(pid, NULL, 0);
		usleep(500);
	}
	return NULL;
}

static void put_cpu(int cpu, const char *state)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d/online", cpu);
	fd = open(path, O_WRONLY);
	CHECK(fd >= 0, "%s", path);
	CHECK(write(fd, state, 1) == 1 || errno == EBUSY, "%s", path);
	close(fd);
}

/* The vCPUs hop between the CPUs, one of which comes and goes. */
static void *move_threads(void *arg)
{
	(void)arg;
	for (unsigned int i = 0; !over; i++) {
		cpu_set_t set;

		for (int k = 0; k < nr_runners; k++) {
			CPU_ZERO(&set);
			CPU_SET((i + i / 3 * (unsigned int)k) & 1, &set);
			pthread_setaffinity_np(runners[k], sizeof(set), &set);
		}
		if (i % 32 == 31)
			put_cpu(1, i & 32 ? "0" : "1");
		usleep(300);
	}
	put_cpu(1, "1");
	return NULL;
}

static pthread_t disturbers[2];
static int nr_disturbers;

static void start_thread(void *(*fn)(void *))
{
	CHECK(!pthread_create(&disturbers[nr_disturbers++], NULL, fn, NULL), "pthread_create");
}

static void disturb(struct vm *vm)
{
	over = false;
	moving = vm;
	if (!memory_stays)
		start_thread(vm->flags & VM_SHARED ? take_pages_away : fork_again);
	if (sysconf(_SC_NPROCESSORS_CONF) > 1)
		start_thread(move_threads);
}

static void settle(void)
{
	over = true;
	while (nr_disturbers)
		pthread_join(disturbers[--nr_disturbers], NULL);
}

/* Half of all with each kind of memory. */
static void both(void (*fn)(unsigned int vm_flags, u64 rounds))
{
	u64 half = total / 2 / WIDTH * WIDTH;

	test_timeout((unsigned int)(20 + total / 200));
	if (half)
		fn(VM_SHARED, half);
	fn(0, total - half);
}

/* ------------------------------------------------------------------ the kinds */

static void between_vcpus(unsigned int vm_flags, u64 rounds, u32 command)
{
	struct vcpu *v = guest_new(VM_IRQCHIP | vm_flags, sender_guest, rounds << 32 | command), *echo = vcpu_new(v->vm, 1);

	vcpu_mode_long(echo, echo_guest, 0);
	set_mp_state(echo, KVM_MP_STATE_RUNNABLE);
	runners[0] = vcpu_start(v);
	runners[1] = vcpu_start(echo);
	nr_runners = 2;
	disturb(v->vm);
	EXPECT_EQ(vcpu_join(runners[0]), rounds, "the replies");
	EXPECT_EQ(vcpu_join(runners[1]), rounds, "the interrupts");
	nr_runners = 0;
	settle();
	vm_free(v->vm);
	vcpu_free(v);
	vcpu_free(echo);
}

static void fixed_rounds(unsigned int vm_flags, u64 rounds)
{
	between_vcpus(vm_flags, rounds, FIRST);
}

static void fixed_ipi(void)
{
	both(fixed_rounds);
}

static void nmi_rounds(unsigned int vm_flags, u64 rounds)
{
	between_vcpus(vm_flags, rounds, 0x400);
}

static void nmi_ipi(void)
{
	ticks = 1;
	both(nmi_rounds);
}

/* A guest with a bell, in a thread. */
static struct vcpu *start_sink(unsigned int vm_flags, void (*entry)(u64), u64 rounds, int bell)
{
	struct vcpu *v = guest_new(VM_IRQCHIP | vm_flags, entry, rounds);
	struct kvm_ioeventfd args = { .addr = PORT_BELL, .len = 1, .fd = bell, .flags = KVM_IOEVENTFD_FLAG_PIO };

	CHECK_OK(ioctl(v->vm->fd, KVM_IOEVENTFD, &args));
	return v;
}

static void wait_bell(int bell)
{
	struct pollfd p = { .fd = bell, .events = POLLIN };

	CHECK(poll(&p, 1, -1) == 1, "poll");
	CHECK_EQ(drain(bell), 1, "the bell's rings");
}

/* The guest has run and rung, and is disturbed from now on. */
static void set_going(struct vcpu *v, int bell)
{
	runners[0] = vcpu_start(v);
	nr_runners = 1;
	wait_bell(bell);
	disturb(v->vm);
}

static void finish(struct vcpu *v, u64 rounds, int bell)
{
	EXPECT_EQ(vcpu_join(runners[0]), rounds, "the interrupts");
	nr_runners = 0;
	settle();
	vm_free(v->vm);
	vcpu_free(v);
	close(bell);
}

static void msi_rounds(unsigned int vm_flags, u64 rounds)
{
	int bell = event();
	struct vcpu *v = start_sink(vm_flags, sink_guest, rounds / WIDTH * WIDTH, bell);

	set_going(v, bell);
	for (u64 batch = 0; batch < rounds / WIDTH; batch++) {
		for (u32 i = 0; i < WIDTH; i++)
			CHECK_EQ(msi(v->vm, 0xfee00000, 0, FIRST + i), 1, "KVM_SIGNAL_MSI");
		wait_bell(bell);
	}
	finish(v, rounds / WIDTH * WIDTH, bell);
}

static void signal_msi(void)
{
	both(msi_rounds);
}

static void irqfd_rounds(unsigned int vm_flags, u64 rounds)
{
	int bell = event(), fds[WIDTH];
	struct vcpu *v = start_sink(vm_flags, sink_guest, rounds / WIDTH * WIDTH, bell);
	struct kvm_irq_routing_entry routes[WIDTH];

	for (u32 i = 0; i < WIDTH; i++) {
		routes[i] = (struct kvm_irq_routing_entry)MSI_ROUTE(32 + i, FIRST + i);
		fds[i] = event();
	}
	CHECK_OK(routing(v->vm, routes, WIDTH, 0));
	for (u32 i = 0; i < WIDTH; i++)
		CHECK_OK(irqfd(v->vm, fds[i], 32 + i, 0));
	set_going(v, bell);
	for (u64 batch = 0; batch < rounds / WIDTH; batch++) {
		for (u32 i = 0; i < WIDTH; i++)
			kick(fds[i]);
		wait_bell(bell);
	}
	finish(v, rounds / WIDTH * WIDTH, bell);
	for (u32 i = 0; i < WIDTH; i++)
		close(fds[i]);
}

static void via_irqfd(void)
{
	both(irqfd_rounds);
}

/* The EOI is what comes back: the resample eventfd. */
static void level_rounds(unsigned int vm_flags, u64 rounds)
{
	int bell = event(), fd = event(), ended = event();
	struct vcpu *v = start_sink(vm_flags, level_guest, rounds, bell);

	CHECK_OK(irqfd_resample(v->vm, fd, PIN, ended));
	set_going(v, bell);
	for (u64 i = 0; i < rounds; i++) {
		kick(fd);
		wait_bell(ended);
	}
	finish(v, rounds, bell);
	EXPECT_EQ(drain(ended), 0, "ends that nobody waited for");
	close(fd);
	close(ended);
}

static void level_resample(void)
{
	both(level_rounds);
}

static const struct test tests[] = {
	TEST(fixed_ipi), TEST(nmi_ipi), TEST(signal_msi), TEST(via_irqfd), TEST(level_resample),
};

int main(int argc, char **argv)
{
	char *rest;
	u64 count = argc > 1 ? strtoull(argv[1], &rest, 10) : 0;

	if (count && !*rest) {
		total = count;
		argv[1] = argv[0];
		argc--;
		argv++;
	}
	memory_stays = apicv_on();
	ticks = memory_stays;
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
