// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM_X86_SET_MSR_FILTER and KVM_CAP_X86_USER_SPACE_MSR: RDMSR and WRMSR that the guest is refused, as #GP and as exits that the program
 * answers, with MSRs that exit in any case and those that the processor handles by itself.
 */
#include <unistd.h>

#include "lib/guest.h"
#include "lib/vm.h"

#define FS_BASE 0xc0000100	/* without a filter no exit */
#define GS_KERNEL 0xc0000102	/* the same */
#define LSTAR 0xc0000082	/* exits */
#define PAT 0x277
#define UNKNOWN 0x474f4f00
#define X2APIC_ID 0x802

#define ALL_EXITS (KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER)
#define RW (KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)

static int set_filter(struct vm *vm, const struct kvm_msr_filter *filter)
{
	return ioctl(vm->fd, KVM_X86_SET_MSR_FILTER, filter);
}

static u8 none[8], all[8] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* One MSR denied. */
static void deny(struct vm *vm, u32 index, u32 flags)
{
	struct kvm_msr_filter filter = { .ranges = { { .flags = flags, .nmsrs = 1, .base = index, .bitmap = none } } };

	CHECK_OK(set_filter(vm, &filter));
}

static void allow_all(struct vm *vm)
{
	struct kvm_msr_filter filter = { 0 };

	CHECK_OK(set_filter(vm, &filter));
}

static int exits_for(struct vm *vm, u64 reasons)
{
	return enable_cap(vm, KVM_CAP_X86_USER_SPACE_MSR, reasons);
}

static struct vcpu *start(unsigned int flags, void (*guest)(u64), u64 arg)
{
	if (dev_has(KVM_CAP_X86_MSR_FILTER) != 1 || dev_has(KVM_CAP_X86_USER_SPACE_MSR) != 1)
		skip("no KVM_CAP_X86_MSR_FILTER or KVM_CAP_X86_USER_SPACE_MSR");
	return guest_new(flags, guest, arg);
}

/* ------------------------------------------------------------------ #GP */

/* Says what became of a read and a write, until told to end. */
GUEST static void both(u64 index)
{
	for (;;) {
		u64 value;
		int read = g_try_rdmsr((u32)index, &value), written = g_try_wrmsr((u32)index, 0x1000);

		g_say((u32)(read & 0xff) << 8 | (written & 0xff));
	}
}

#define FINE 0xff
#define GP 13
#define SAYS(read, written) ((read) << 8 | (written))

static void denied(void)
{
	static const u32 indices[] = { FS_BASE, GS_KERNEL, LSTAR };

	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		struct vcpu *v = start(0, both, indices[i]);
		struct vm *vm = v->vm;

		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(FINE, FINE), "without a filter");
		deny(v->vm, indices[i], KVM_MSR_FILTER_READ);
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(GP, FINE), "reads denied");
		deny(v->vm, indices[i], KVM_MSR_FILTER_WRITE);
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(FINE, GP), "writes denied");
		deny(v->vm, indices[i], RW);
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(GP, GP), "both denied");
		/* The program's own way is another. */
		CHECK_EQ(vcpu_set_msr(v, indices[i], 0x2000), 1, "KVM_SET_MSRS");
		CHECK_EQ(vcpu_msr(v, indices[i]), 0x2000, "KVM_GET_MSRS");
		deny(v->vm, indices[i] + 1, RW);
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(FINE, FINE), "the next one denied");
		allow_all(v->vm);
		CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(FINE, FINE), "no filter again");
		vcpu_free(v);
		vm_free(vm);
	}
}

/* The first range that is about the access decides; what none is about goes by the default. */
static void ranges(void)
{
	u8 some[8] = { 1 << (LSTAR & 7) };
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges = {
			{ .flags = KVM_MSR_FILTER_WRITE, .nmsrs = 16, .base = LSTAR & ~7U, .bitmap = some },
			{ .flags = RW, .nmsrs = 64, .base = LSTAR & ~7U, .bitmap = all },
			{ .flags = RW, .nmsrs = 1, .base = LSTAR, .bitmap = none },
		},
	};
	struct vcpu *v = start(0, both, LSTAR), *w = guest_new(0, both, LSTAR + 1), *x = guest_new(0, both, FS_BASE);

	CHECK_OK(set_filter(v->vm, &filter));
	CHECK_OK(set_filter(w->vm, &filter));
	CHECK_OK(set_filter(x->vm, &filter));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(FINE, FINE), "the MSR whose bit is set");
	CHECK_EQ(vcpu_expect_port(w, PORT_SAY), SAYS(FINE, GP), "the MSR whose bit is not, for writes");
	CHECK_EQ(vcpu_expect_port(x, PORT_SAY), SAYS(GP, GP), "an MSR without range");
	filter.flags = KVM_MSR_FILTER_DEFAULT_ALLOW;
	CHECK_OK(set_filter(x->vm, &filter));
	CHECK_EQ(vcpu_expect_port(x, PORT_SAY), SAYS(FINE, FINE), "an MSR without range, allowed");
}

GUEST static void x2apic_id(u64 arg)
{
	u64 value;

	(void)arg;
	G_CHECK_EQ(g_try_rdmsr(X2APIC_ID, &value), -1);
	G_CHECK_EQ(g_try_rdmsr(LSTAR, &value), 13);
	g_done(0);
}

static void x2apic_passes_by(void)
{
	struct vcpu *v = start(VM_IRQCHIP, x2apic_id, 0);
	struct kvm_sregs s = vcpu_sregs(v);
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_DENY,
		.ranges = { { .flags = RW, .nmsrs = 64, .base = 0x800, .bitmap = none } },
	};

	s.apic_base |= 0xc00;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &s));
	CHECK_OK(set_filter(v->vm, &filter));
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* ------------------------------------------------------------------ exits */

static void expect_msr(struct vcpu *v, u32 exit, u64 reason, u32 index, u64 data)
{
	vcpu_expect(v, exit);
	CHECK_EQ(v->run->msr.error, 0, "error");
	CHECK_EQ(v->run->msr.reason, reason, "reason");
	CHECK_EQ(v->run->msr.index, index, "index");
	CHECK_EQ(v->run->msr.data, data, "data");
	for (size_t i = 0; i < ARRAY_SIZE(v->run->msr.pad); i++)
		CHECK_EQ(v->run->msr.pad[i], 0, "pad");
}

GUEST static void asking(u64 arg)
{
	u64 value;

	(void)arg;
	G_CHECK_EQ(g_try_rdmsr(FS_BASE, &value), -1);
	G_CHECK_EQ(value, 0x123456789abcdef0ULL);
	G_CHECK_EQ(g_try_wrmsr(FS_BASE, 0xfedcba9876543210ULL), -1);
	G_CHECK_EQ(g_try_rdmsr(FS_BASE, &value), 13);
	G_CHECK_EQ(g_try_wrmsr(FS_BASE, 1), 13);
	G_CHECK_EQ(g_try_rdmsr(UNKNOWN, &value), -1);
	G_CHECK_EQ(value, 7);
	G_CHECK_EQ(g_try_wrmsr(UNKNOWN, 8), 13);
	G_CHECK_EQ(g_try_wrmsr(PAT, 2), -1);	/* no such memory type */
	G_CHECK_EQ(g_try_rdmsr(PAT, &value), -1);
	G_CHECK_EQ(value, 0x0007040600070406ULL);
	g_done(0);
}

static void answered_by_program(void)
{
	struct vcpu *v = start(0, asking, 0);

	CHECK_OK(exits_for(v->vm, ALL_EXITS));
	deny(v->vm, FS_BASE, RW);
	v->run->msr.error = 1;
	expect_msr(v, KVM_EXIT_X86_RDMSR, KVM_MSR_EXIT_REASON_FILTER, FS_BASE, 0);
	v->run->msr.data = 0x123456789abcdef0ULL;
	expect_msr(v, KVM_EXIT_X86_WRMSR, KVM_MSR_EXIT_REASON_FILTER, FS_BASE, 0xfedcba9876543210ULL);
	v->run->msr.error = 0;
	vcpu_run(v);
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_X86_RDMSR, "exit reason");
	v->run->msr.error = 1;
	vcpu_run(v);
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_X86_WRMSR, "exit reason");
	v->run->msr.error = 1;
	vcpu_run(v);
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_X86_RDMSR, "exit reason");
	CHECK_EQ(v->run->msr.reason, KVM_MSR_EXIT_REASON_UNKNOWN, "reason");
	CHECK_EQ(v->run->msr.index, UNKNOWN, "index");
	v->run->msr.data = 7;
	vcpu_run(v);
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_X86_WRMSR, "exit reason");
	CHECK_EQ(v->run->msr.data, 8, "data");
	v->run->msr.error = 1;
	vcpu_run(v);
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_X86_WRMSR, "exit reason");
	CHECK_EQ(v->run->msr.reason, KVM_MSR_EXIT_REASON_INVAL, "reason");
	v->run->msr.error = 0;
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* Each reason alone: the other two are #GP. */
GUEST static void three(u64 arg)
{
	u64 value;

	(void)arg;
	for (;;) {
		int filtered = g_try_rdmsr(FS_BASE, &value), unknown = g_try_rdmsr(UNKNOWN, &value), invalid = g_try_wrmsr(PAT, 2);

		g_say((filtered == 13) * 4 + (unknown == 13) * 2 + (invalid == 13));
	}
}

static void reasons(void)
{
	struct vcpu *v = start(0, three, 0);

	deny(v->vm, FS_BASE, RW);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 7, "exceptions without the capability");
	CHECK_OK(exits_for(v->vm, KVM_MSR_EXIT_REASON_FILTER));
	vcpu_expect(v, KVM_EXIT_X86_RDMSR);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 3, "exceptions");
	CHECK_OK(exits_for(v->vm, KVM_MSR_EXIT_REASON_UNKNOWN));
	vcpu_expect(v, KVM_EXIT_X86_RDMSR);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 5, "exceptions");
	CHECK_OK(exits_for(v->vm, KVM_MSR_EXIT_REASON_INVAL));
	vcpu_expect(v, KVM_EXIT_X86_WRMSR);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 6, "exceptions");
	CHECK_OK(exits_for(v->vm, 0));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), 7, "exceptions without the capability");
}

/* ------------------------------------------------------------------ vCPUs that run, and new ones */

GUEST static void until_denied(u64 arg)
{
	u64 value;

	asm volatile("sti");	/* Bochs: docs/errata.md */
	*(volatile u32 *)arg = 1;
	while (g_try_rdmsr(FS_BASE, &value) == -1)
		;
	g_done(0);
}

/* FS_BASE does not exit: the guest runs until the kick takes it out. */
static void reaches_running_vcpu(void)
{
	struct vcpu *v = start(0, until_denied, GUEST_SCRATCH);
	volatile u32 *running = (volatile u32 *)(v->vm->mem + GUEST_SCRATCH);
	pthread_t thread;

	quiet_signal();
	thread = vcpu_start(v);
	while (!*running)
		usleep(100);
	deny(v->vm, FS_BASE, RW);
	CHECK_EQ(vcpu_join(thread), 0, "the result");
}

static void reaches_new_vcpu(void)
{
	struct vcpu *v = start(0, both, FS_BASE), *w;

	deny(v->vm, FS_BASE, RW);
	w = vcpu_new(v->vm, 1);
	vcpu_mode_long(w, both, FS_BASE);
	CHECK_EQ(vcpu_expect_port(w, PORT_SAY), SAYS(GP, GP), "the new vCPU");
}

/* ------------------------------------------------------------------ bad input */

static void refused(void)
{
	struct vcpu *v = start(0, both, LSTAR);
	struct kvm_msr_filter filter = { .flags = KVM_MSR_FILTER_DEFAULT_DENY }, bad;

	CHECK(exits_for(v->vm, 8) == -1 && errno == EINVAL, "an unknown reason");
	CHECK(exits_for(v->vm, 1ULL << 32) == -1 && errno == EINVAL, "an unknown reason");
	deny(v->vm, LSTAR, RW);
	EXPECT_ERRNO(set_filter(v->vm, &filter), EINVAL);	/* denies everything */
	filter.ranges[3] = (struct kvm_msr_filter_range){ .flags = RW, .nmsrs = 8, .base = LSTAR, .bitmap = all };
	bad = filter;
	bad.flags = 2;
	EXPECT_ERRNO(set_filter(v->vm, &bad), EINVAL);
	bad = filter;
	bad.ranges[3].flags = 4 | RW;
	EXPECT_ERRNO(set_filter(v->vm, &bad), EINVAL);
	bad = filter;
	bad.ranges[15] = (struct kvm_msr_filter_range){ .flags = RW, .nmsrs = 0x3001, .bitmap = all };
	EXPECT_ERRNO(set_filter(v->vm, &bad), EINVAL);
	bad.ranges[15].nmsrs = 0xffffffff;
	EXPECT_ERRNO(set_filter(v->vm, &bad), EINVAL);
	bad.ranges[15].nmsrs = 64;
	bad.ranges[15].bitmap = (u8 *)8;
	EXPECT_ERRNO(set_filter(v->vm, &bad), EFAULT);
	EXPECT_ERRNO(set_filter(v->vm, (void *)8), EFAULT);
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(GP, GP), "the filter that was there");
	CHECK_OK(set_filter(v->vm, &filter));
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(FINE, FINE), "the new filter");
}

/* The ioctl of a 32-bit program, whose structure is another; the program's data is below 4 GiB. */
static struct {
	u32 flags;
	struct {
		u32 flags, nmsrs, base, bitmap;
	} ranges[KVM_MSR_FILTER_MAX_RANGES];
} narrow;

static long ioctl32(int fd, u32 cmd, const void *arg)
{
	long ret;

	asm volatile("int $0x80" : "=a"(ret) : "a"(54), "b"(fd), "c"(cmd), "d"(arg) : "memory", "r8", "r9", "r10", "r11");
	return (int)ret;
}

static void of_32_bit_program(void)
{
	struct vcpu *v = start(0, both, LSTAR);
	u32 cmd = _IOW(KVMIO, 0xc6, narrow);

	if (ioctl32(v->vm->fd, KVM_CHECK_EXTENSION, (void *)KVM_CAP_USER_MEMORY) == -ENOSYS)
		skip("a kernel without 32-bit system calls");
	narrow.ranges[0].flags = RW;
	narrow.ranges[0].nmsrs = 1;
	narrow.ranges[0].base = LSTAR;
	narrow.ranges[0].bitmap = (u32)(uintptr_t)none;
	EXPECT_ERRNO(ioctl(v->vm->fd, cmd, &narrow), ENOTTY);	/* not of a 64-bit program */
	CHECK_EQ(ioctl32(v->vm->fd, cmd, &narrow), 0, "KVM_X86_SET_MSR_FILTER");
	CHECK_EQ(vcpu_expect_port(v, PORT_SAY), SAYS(GP, GP), "what it denies");
	narrow.ranges[0].bitmap = 8;
	CHECK_EQ(ioctl32(v->vm->fd, cmd, &narrow), -EFAULT, "a bitmap that cannot be read");
	narrow.flags = 2;
	CHECK_EQ(ioctl32(v->vm->fd, cmd, &narrow), -EINVAL, "unknown flags");
}

static const struct test tests[] = {
	TEST(denied), TEST(ranges), TEST(x2apic_passes_by), TEST(answered_by_program), TEST(reasons), TEST(reaches_running_vcpu),
	TEST(reaches_new_vcpu), TEST(refused), TEST(of_32_bit_program),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
