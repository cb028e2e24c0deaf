// SPDX-License-Identifier: GPL-2.0-only
/*
 * What an exit costs, in ticks of the time-stamp counter, measured inside the guest: the time of a loop of 4,000 exits of one kind
 * divided by 4,000, the loop's own instructions included, the better of two runs.
 *
 *   bench                      the table of $VTX_DEV
 *   bench --raw                the same as lines "name<TAB>ticks", for --merge
 *   bench --compare A,B        the devices A and B side by side, where both can be open at once
 *   bench --merge FILE FILE [FILE]   results of --raw side by side; the ratio is that of the second to the first
 */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../uapi/vtx.h"
#include "lib/differs.h"
#include "lib/guest.h"
#include "lib/vm.h"

#define EXITS 4000
#define BENCH_MEMORY (GUEST_FREE + 2 * EXITS * PAGE_SIZE + 0x100000)

static volatile u64 ticks;

/* One loop: the instruction is given as text, so that nothing of the compiler's comes between. */
#define LOOP(name, setup, insn)                                                                            \
	GUEST static void name(u64 arg)                                                                    \
	{                                                                                                  \
		for (int round = 0; round < 2; round++) {                                                  \
			u64 start = g_rdtsc(), left = EXITS;                                               \
                                                                                                           \
			asm volatile(setup "\n1:\t" insn "\n\tdecq %0\n\tjnz 1b"                            \
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
		start = g_rdtsc() - start;
		if (!ticks || start < ticks)
			ticks = start;
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

static const struct bench {
	const char *name;
	void (*loop)(u64);
	u64 arg;
	unsigned int vm_flags;
} benches[] = {
	{ "CPUID answered in the kernel", cpuid_loop, 0, 0 },
	{ "VMCALL, unknown number", vmcall_loop, 0, 0 },
	{ "RDMSR of IA32_MISC_ENABLE", rdmsr_loop, 0, 0 },
	{ "OUT to user space and back", out_loop, 0, 0 },
	{ "OUT to an ioeventfd", eventfd_loop, 0, 0 },
	{ "MMIO write to user space and back", mmio_loop, GUEST_ABSENT, 0 },
	{ "first touch of a 4K page", touch_loop, GUEST_FREE, 0 },
	{ "CPUID while a timer is armed", armed_loop, 0, VM_IRQCHIP },
	{ "timer interrupt, 5,000 ticks ahead", timer_loop, 0, VM_IRQCHIP },
};

#define COUNT ARRAY_SIZE(benches)

static u64 run_bench(const struct bench *b)
{
	struct kvm_ioeventfd bell = { .addr = 0x700, .len = 1, .fd = eventfd(0, EFD_CLOEXEC),
				      .flags = KVM_IOEVENTFD_FLAG_PIO };
	struct vm *vm = vm_new_sized(b->vm_flags, BENCH_MEMORY);
	struct vcpu *v = vcpu_new(vm, 0);
	u64 result;

	madvise(vm->mem, vm->size, MADV_NOHUGEPAGE);
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
	close(bell.fd);
	return result;
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

static int table(void)
{
	printf("ticks per exit, %s, loop of %d, best of two\n", what_is(device_path()), EXITS);
	for (size_t i = 0; i < COUNT; i++)
		printf("%-36s %8llu\n", benches[i].name, (unsigned long long)run_bench(&benches[i]));
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
		printf("%-36s", benches[i].name);
		for (int k = 0; k < n; k++)
			printf(" %12llu", (unsigned long long)r[k].ticks[i]);
		printf(" %8.2f\n", r[0].ticks[i] ? (double)r[1].ticks[i] / (double)r[0].ticks[i] : 0.0);
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
		return table();
	if (argc == 2 && !strcmp(argv[1], "--raw"))
		return raw();
	if (argc == 3 && !strcmp(argv[1], "--compare"))
		return compare("/proc/self/exe", argv[2]);
	if (argc >= 4 && argc <= 2 + MAX_RESULTS && !strcmp(argv[1], "--merge"))
		return merge(argc - 2, argv + 2);
	fprintf(stderr, "usage: bench [--raw | --compare DEVICE,DEVICE | --merge FILE FILE [FILE]]\n");
	return 2;
}
