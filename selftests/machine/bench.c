// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an exit costs, in ticks of the time-stamp counter, measured inside the guest: the time of a loop of 4,000 exits of one kind
 * divided by 4,000, the loop's own instructions included, the better of two runs.
 *
 * Rows about interrupts are measured by their own functions below. Rows that need two CPUs are measured where there are two, and
 * only those are then: a machine with two CPUs costs more time than it has to say about the others.
 *
 *   bench                      the table of $VTX_DEV
 *   bench ROW                  those of its rows whose names begin so
 *   bench --raw                the same as lines "name<TAB>ticks", for --merge
 *   bench --compare A,B        the devices A and B side by side, where both can be open at once
 *   bench --merge FILE FILE [FILE]   results of --raw side by side; the ratio is that of the second to the first
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../uapi/vtx.h"
#include "lib/differs.h"
#include "lib/guest.h"
#include "lib/irq.h"

#define EXITS 4000
#define BENCH_MEMORY (GUEST_FREE + 2 * EXITS * PAGE_SIZE + 0x100000)

static volatile u64 ticks;

/* For a Bochs that counts instructions between two of these (machine/count); else without effect. */
#define MARK "xchgw %%bx, %%bx\n\t"

/* One loop: the instruction is given as text, so that nothing of the compiler's comes between. */
#define LOOP(name, setup, insn)                                                                            \
	GUEST static void name(u64 arg)                                                                    \
	{                                                                                                  \
		for (int round = 0; round < 2; round++) {                                                  \
			u64 start = g_rdtsc(), left = EXITS;                                               \
                                                                                                           \
			asm volatile(setup "\n\t" MARK "1:\t" insn "\n\tdecq %0\n\tjnz 1b\n\t" MARK           \
				     : "+r"(left), "+D"(arg) : : "rax", "rbx", "rcx", "rdx", "memory", "cc"); \
			start = g_rdtsc() - start;                                                         \
			if (!ticks || start < ticks)                                                       \
				ticks = start;                                                             \
		}                                                                                          \
		g_done(0);                                                                                 \
	}

LOOP(cpuid_loop, "", "xorl %%eax, %%eax\n\txorl %%ecx, %%ecx\n\tcpuid")
LOOP(vmcall_loop, "", "movl $0x1234, %%eax\n\tvmcall")
LOOP(rdmsr_loop, "movl $0x1a0, %%ecx", "rdmsr")
LOOP(out_loop, "movl $0x5a0, %%edx", "outb %%al, %%dx")
LOOP(eventfd_loop, "movl $0x700, %%edx", "outb %%al, %%dx")
LOOP(mmio_loop, "", "movl %%eax, (%%rdi)")
LOOP(touch_loop, "", "movb $1, (%%rdi)\n\taddq $4096, %%rdi")

/* What the host has done with the memory before the guest touches it. */
enum backing { FRESH, POPULATED, THP };
/* ------------------------------------------------------------------ interrupts */

#define IPIS 2000
#define VECTOR 0x60

static volatile u64 taken[2], ready;

GUEST static void taking(struct g_frame *frame)
{
	taken[frame->vector & 1]++;
	g_wrmsr(0x80b, 0);
}

/* x2APIC mode, as a guest kernel uses it. */
GUEST static void apic_on(void)
{
	g_handler[VECTOR] = taking;
	g_handler[VECTOR + 1] = taking;
	g_apic_on();
	g_wrmsr(0x1b, g_rdmsr(0x1b) | 0x400);
	g_sti();
}

GUEST static void keep_best(u64 start)
{
	start = g_rdtsc() - start;
	if (!ticks || start < ticks)
		ticks = start;
}

/* An IPI to itself by the ICR, taken and ended. */
GUEST static void self_ipi_guest(u64 arg)
{
	apic_on();
	for (int round = 0; round < 2; round++) {
		u64 start = g_rdtsc();

		for (u64 i = 1; i <= arg; i++) {
			g_wrmsr(0x830, VECTOR);
			while (taken[0] < i + (u64)round * arg)
				;
		}
		keep_best(start);
	}
	g_done(0);
}

static volatile u64 fired;

GUEST static void timer_handler(struct g_frame *frame)
{
	(void)frame;
	fired++;
	g_wrmsr(0x80b, 0);
}

/* IA32_TSC_DEADLINE, 5,000 ticks ahead, until the handler ran; x2APIC. Those 5,000 are included. */
GUEST static void timer_loop(u64 arg)
{
	(void)arg;
	g_handler[0x80] = timer_handler;
	g_wrmsr(0x1b, g_rdmsr(0x1b) | 0xc00);
	g_wrmsr(0x80f, 0x1ff);
	g_wrmsr(0x832, 0x40080);
	g_sti();
	for (int round = 0; round < 2; round++) {
		u64 start = g_rdtsc();

		for (u64 i = 0; i < EXITS; i++) {
			u64 before = fired;

			g_wrmsr(0x6e0, g_rdtsc() + 5000);
			while (fired == before)
				g_pause();
		}
		keep_best(start);
	}
	g_done(0);
}

/* As a guest with a timer tick: the local APIC's timer runs, and is not due. */
GUEST static void armed_loop(u64 arg)
{
	g_wrmsr(0x1b, g_rdmsr(0x1b) | 0xc00);
	g_wrmsr(0x80f, 0x1ff);
	g_wrmsr(0x832, 0x40080);
	g_wrmsr(0x6e0, g_rdtsc() + (1ULL << 31));
	cpuid_loop(arg);
}

/* The program writes an eventfd at each of these exits. */
GUEST static void irqfd_guest(u64 arg)
{
	apic_on();
	for (int round = 0; round < 2; round++) {
		u64 start = g_rdtsc();

		for (u64 i = 1; i <= arg; i++) {
			g_outb(0x5a1, 0);
			while (taken[0] < i + (u64)round * arg)
				;
		}
		keep_best(start);
	}
	g_done(0);
}

/* There and back between two CPUs, both in the guest all the time. */
GUEST static void ping_guest(u64 arg)
{
	apic_on();
	while (!ready)
		g_pause();
	for (int round = 0; round < 2; round++) {
		u64 start = g_rdtsc();

		for (u64 i = 1; i <= arg; i++) {
			g_wrmsr(0x830, 1ULL << 32 | (VECTOR + 1));
			while (taken[0] < i + (u64)round * arg)
				;
		}
		keep_best(start);
	}
	g_done(0);
}

GUEST static void pong_guest(u64 arg)
{
	apic_on();
	ready = 1;
	for (u64 i = 1; i <= 2 * arg; i++) {
		while (taken[1] < i)
			;
		g_wrmsr(0x830, VECTOR);
	}
	g_done(0);
}

static u64 self_ipi(u64 unused)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, self_ipi_guest, IPIS);
	u64 result;

	(void)unused;
	vcpu_finish(v);
	result = G(v->vm, ticks) / IPIS;
	vm_free(v->vm);
	vcpu_free(v);
	return result;
}

static u64 irqfd_injection(u64 unused)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, irqfd_guest, IPIS);
	const struct kvm_irq_routing_entry route = MSI_ROUTE(32, VECTOR);
	int fd = event();
	u64 result;

	(void)unused;
	CHECK_OK(routing(v->vm, &route, 1, 0));
	CHECK_OK(irqfd(v->vm, fd, 32, 0));
	for (;;) {
		vcpu_expect(v, KVM_EXIT_IO);
		if (v->run->io.port == PORT_DONE)
			break;
		kick(fd);
	}
	result = G(v->vm, ticks) / IPIS;
	vm_free(v->vm);
	vcpu_free(v);
	close(fd);
	return result;
}

static void pin(pthread_t thread, int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CHECK(!pthread_setaffinity_np(thread, sizeof(set), &set), "pthread_setaffinity_np");
}

static u64 ipi_round_trip(u64 unused)
{
	struct vcpu *v = guest_new(VM_IRQCHIP, ping_guest, IPIS), *pong = vcpu_new(v->vm, 1);
	pthread_t thread;
	u64 result;

	(void)unused;
	vcpu_mode_long(pong, pong_guest, IPIS);
	set_mp_state(pong, KVM_MP_STATE_RUNNABLE);
	thread = vcpu_start(pong);
	pin(thread, 1);
	pin(pthread_self(), 0);
	vcpu_finish(v);
	vcpu_join(thread);
	result = G(v->vm, ticks) / IPIS;
	vm_free(v->vm);
	vcpu_free(v);
	vcpu_free(pong);
	return result;
}

/* ------------------------------------------------------------------ the dirty log */

#define LOG_MEMORY (256UL << 20)
#define LOG_PAGES (LOG_MEMORY / PAGE_SIZE)
#define LOG_GPA 0x40000000UL

GUEST static void write_pages(u64 pages)
{
	for (;;) {
		g_say(0);
		for (u64 i = 0; i < pages; i++)
			*(volatile u64 *)(LOG_GPA + i * PAGE_SIZE) = i;
	}
}

static u64 host_tsc(void)
{
	return __builtin_ia32_rdtsc();
}

static u64 timed_pass(struct vm *vm, u64 want)
{
	static u64 bitmap[LOG_PAGES / 64];
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = bitmap };
	u64 start, pages = 0;

	memset(bitmap, 0, sizeof(bitmap));
	start = host_tsc();
	CHECK_OK(ioctl(vm->fd, KVM_GET_DIRTY_LOG, &log));
	start = host_tsc() - start;
	for (size_t i = 0; i < ARRAY_SIZE(bitmap); i++)
		pages += (u64)__builtin_popcountll(bitmap[i]);
	CHECK_EQ(pages, want, "pages in the log");
	return start;
}

enum log_figure { LOG_ALL, LOG_NONE, LOG_WRITE, LOG_FIGURES };

/*
 * A guest that has written every page once in each round; the host gives it huge pages, which the log breaks up. The better
 * of two rounds.
 */
static u64 dirty_log(u64 figure)
{
	u64 best[LOG_FIGURES] = { ~0ULL, ~0ULL, ~0ULL }, start;
	struct vm *vm = vm_new_sized(0, BENCH_MEMORY);
	struct vcpu *v = vcpu_new(vm, 0);
	u8 *raw = host_pages(LOG_MEMORY + (2UL << 20)), *mem = (u8 *)(((uintptr_t)raw + (2UL << 20) - 1) & ~((2UL << 20) - 1));

	madvise(mem, LOG_MEMORY, MADV_HUGEPAGE);
	CHECK_OK(vm_slot(vm, 1, LOG_GPA, LOG_MEMORY, mem, 0));
	vcpu_mode_long(v, write_pages, LOG_PAGES);
	vcpu_expect_port(v, PORT_SAY);
	vcpu_expect_port(v, PORT_SAY);
	CHECK_OK(vm_slot(vm, 1, LOG_GPA, LOG_MEMORY, mem, KVM_MEM_LOG_DIRTY_PAGES));
	for (int round = 0; round < 2; round++) {
		start = host_tsc();
		vcpu_expect_port(v, PORT_SAY);
		start = (host_tsc() - start) / LOG_PAGES;
		best[LOG_WRITE] = start < best[LOG_WRITE] ? start : best[LOG_WRITE];
		start = timed_pass(vm, LOG_PAGES);
		best[LOG_ALL] = start < best[LOG_ALL] ? start : best[LOG_ALL];
		start = timed_pass(vm, 0);
		best[LOG_NONE] = start < best[LOG_NONE] ? start : best[LOG_NONE];
	}
	vm_free(vm);
	vcpu_free(v);
	munmap(raw, LOG_MEMORY + (2UL << 20));
	return best[figure];
}

/* ------------------------------------------------------------------ the rows */

static const struct bench {
	const char *name;
	void (*loop)(u64);
	u64 arg;
	unsigned int vm_flags;
	enum backing backing;
	u64 (*measure)(u64);	/* instead of loop; the name says what its figure is */
	bool two_cpus;
} benches[] = {
	{ "CPUID answered in the kernel", .loop = cpuid_loop },
	{ "VMCALL, unknown number", .loop = vmcall_loop },
	{ "RDMSR of IA32_MISC_ENABLE", .loop = rdmsr_loop },
	{ "OUT to user space and back", .loop = out_loop },
	{ "OUT to an ioeventfd", .loop = eventfd_loop },
	{ "MMIO write to user space and back", .loop = mmio_loop, .arg = GUEST_ABSENT },
	{ "first touch of a 4K page", .loop = touch_loop, .arg = GUEST_FREE },
	{ "first touch, page is there already", .loop = touch_loop, .arg = GUEST_FREE, .backing = POPULATED },
	{ "first touch, huge pages, per 4K", .loop = touch_loop, .arg = GUEST_FREE, .backing = THP },
	{ "CPUID while a timer is armed", .loop = armed_loop, .vm_flags = VM_IRQCHIP },
	{ "timer interrupt, 5,000 ticks ahead", .loop = timer_loop, .vm_flags = VM_IRQCHIP },
	{ "IPI to itself, taken and ended", .measure = self_ipi },
	{ "OUT, eventfd write, irqfd's interrupt", .measure = irqfd_injection },
	{ "IPI round trip, two CPUs", .measure = ipi_round_trip, .two_cpus = true },
	{ "write to a page with dirty log", .measure = dirty_log, .arg = LOG_WRITE },
	{ "dirty-log pass, 256 MiB, all dirty", .measure = dirty_log, .arg = LOG_ALL },
	{ "dirty-log pass, 256 MiB, none dirty", .measure = dirty_log, .arg = LOG_NONE },
};

#define COUNT ARRAY_SIZE(benches)

#define HUGE 0x200000UL

/* Puts the memory that is touched on huge pages, aligned as in the guest. */
static void *huge_backing(struct vm *vm)
{
	u8 *raw = host_pages(BENCH_MEMORY + HUGE), *at = (u8 *)(((uintptr_t)raw + HUGE - 1) & ~(HUGE - 1));
	u64 size = BENCH_MEMORY - GUEST_FREE;

	CHECK_OK(vm_slot(vm, 0, 0, 0, NULL, 0));
	CHECK_OK(vm_slot(vm, 0, 0, GUEST_FREE, vm->mem, 0));
	CHECK(!madvise(at, size, MADV_HUGEPAGE), "MADV_HUGEPAGE");
	CHECK_OK(vm_slot(vm, 1, GUEST_FREE, size, at, 0));
	return raw;
}

static u64 run_loop(const struct bench *b)
{
	struct kvm_ioeventfd bell = { .addr = 0x700, .len = 1, .fd = eventfd(0, EFD_CLOEXEC),
				      .flags = KVM_IOEVENTFD_FLAG_PIO };
	struct vm *vm = vm_new_sized(b->vm_flags, BENCH_MEMORY);
	struct vcpu *v = vcpu_new(vm, 0);
	void *big = NULL;
	u64 result;

	madvise(vm->mem, vm->size, MADV_NOHUGEPAGE);
	if (b->backing == POPULATED)
		memset(vm->mem + GUEST_FREE, 1, BENCH_MEMORY - GUEST_FREE);
	if (b->backing == THP)
		big = huge_backing(vm);
	CHECK_OK(ioctl(vm->fd, KVM_IOEVENTFD, &bell));
	vcpu_mode_long(v, b->loop, b->arg);
	while (!ioctl(v->fd, KVM_RUN, 0))
		if (v->run->exit_reason == KVM_EXIT_IO ? v->run->io.port != 0x5a0 : v->run->exit_reason != KVM_EXIT_MMIO)
			break;
	if (v->run->exit_reason != KVM_EXIT_IO || v->run->io.port != PORT_DONE)
		vcpu_fail(v, b->name);
	result = G(vm, ticks) / EXITS;
	vm_free(vm);
	vcpu_free(v);
	if (big)
		munmap(big, BENCH_MEMORY + HUGE);
	close(bell.fd);
	return result;
}

/* 0: not on this machine. */
static u64 run_bench(const struct bench *b)
{
	if (b->two_cpus != (sysconf(_SC_NPROCESSORS_ONLN) > 1))
		return 0;
	return b->measure ? b->measure(b->arg) : run_loop(b);
}

static const char *what_is(const char *path)
{
	switch (device_kind()) {
	case DEVICE_VTX: return dev_has(VTX_CAP_RECORDER) ? "vtx" : "no recorder";
	case DEVICE_KVM_INTEL: return "kvm_intel";
	default: return path;
	}
}

static int raw(void)
{
	printf("%s\t0\n", what_is(device_path()));
	for (size_t i = 0; i < COUNT; i++) {
		printf("%s\t%llu\n", benches[i].name, (unsigned long long)run_bench(&benches[i]));
		fflush(stdout);
	}
	return 0;
}

/* The rows whose names begin with @prefix. */
static int table(const char *prefix)
{
	printf("ticks per exit, %s, loop of %d, best of two\n", what_is(device_path()), EXITS);
	for (size_t i = 0; i < COUNT; i++) {
		u64 result = strncmp(benches[i].name, prefix, strlen(prefix)) ? 0 : run_bench(&benches[i]);

		if (result)
			printf("%-36s %8llu\n", benches[i].name, (unsigned long long)result);
	}
	return 0;
}

struct result {
	char name[64];
	u64 ticks[COUNT];
};

/* Reads what --raw printed; false when it is something else. */
static bool read_raw(FILE *f, struct result *r)
{
	char line[128];

	for (size_t i = 0; i <= COUNT; i++) {
		char *tab = f && fgets(line, sizeof(line), f) ? strchr(line, '\t') : NULL;

		if (!tab)
			return false;
		*tab = '\0';
		if (i == 0)
			snprintf(r->name, sizeof(r->name), "%.63s", line);
		else
			r->ticks[i - 1] = strtoull(tab + 1, NULL, 10);
	}
	return true;
}

#define MAX_RESULTS 3

static void print_results(const struct result *r, int n)
{
	printf("%-36s", "ticks per exit");
	for (int k = 0; k < n; k++)
		printf(" %12s", r[k].name);
	printf(" %8s\n", "ratio");
	for (size_t i = 0; i < COUNT; i++) {
		if (!r[0].ticks[i])
			continue;
		printf("%-36s", benches[i].name);
		for (int k = 0; k < n; k++)
			printf(" %12llu", (unsigned long long)r[k].ticks[i]);
		printf(" %8.2f\n", (double)r[1].ticks[i] / (double)r[0].ticks[i]);
	}
}

static int merge(int n, char **files)
{
	struct result r[MAX_RESULTS];

	for (int i = 0; i < n; i++) {
		FILE *f = fopen(files[i], "r");
		bool good = read_raw(f, &r[i]);

		if (f)
			fclose(f);
		if (!good) {
			fprintf(stderr, "bench: %s holds no result of --raw\n", files[i]);
			return 1;
		}
	}
	print_results(r, n);
	return 0;
}

/* Each device in a process of its own. */
static int compare(const char *self, char *devices)
{
	char *second = strchr(devices, ',');
	struct result r[2];

	if (!second)
		return 2;
	*second++ = '\0';
	for (int i = 0; i < 2; i++) {
		int pipes[2], status;
		pid_t pid;
		FILE *f;
		bool good;

		CHECK(!pipe(pipes), "pipe");
		pid = fork();
		if (!pid) {
			setenv("VTX_DEV", i ? second : devices, 1);
			dup2(pipes[1], 1);
			execl(self, self, "--raw", NULL);
			_exit(127);
		}
		close(pipes[1]);
		f = fdopen(pipes[0], "r");
		good = read_raw(f, &r[i]);
		fclose(f);
		waitpid(pid, &status, 0);
		if (!good || status) {
			fprintf(stderr, "bench: no result from %s\n", i ? second : devices);
			return 1;
		}
	}
	print_results(r, 2);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 1)
		return table("");
	if (argc == 2 && !strcmp(argv[1], "--raw"))
		return raw();
	if (argc == 2 && argv[1][0] != '-')
		return table(argv[1]);
	if (argc == 3 && !strcmp(argv[1], "--compare"))
		return compare("/proc/self/exe", argv[2]);
	if (argc >= 4 && argc <= 2 + MAX_RESULTS && !strcmp(argv[1], "--merge"))
		return merge(argc - 2, argv + 2);
	fprintf(stderr, "usage: bench [ROW | --raw | --compare DEVICE,DEVICE | --merge FILE FILE [FILE]]\n");
	return 2;
}
