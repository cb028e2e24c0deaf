// SPDX-License-Identifier: GPL-2.0-only
/*
 * RDMSR and WRMSR in the guest: registers that keep what is written, values that fault, a sweep over every index of
 * the usual ranges with hostile values, and the same registers as KVM_GET_MSRS and KVM_SET_MSRS see them.
 */
#include "lib/guest.h"
#include "lib/vm.h"

static const struct {
	u32 index;
	u64 value;
} plain[] = {
	{ 0x174, 0x10 }, { 0x175, 0xffffffff81000000ULL }, { 0x176, 0x123456789abcULL },
	{ 0x277, 0x0606060606060606ULL }, { 0x277, 0x0007040600070406ULL },
	{ 0xc0000081, 0x0023001000000000ULL }, { 0xc0000082, 0xffffffff81800000ULL },
	{ 0xc0000083, 0xffff800000000000ULL }, { 0xc0000084, 0x47700 },
	{ 0xc0000100, 0x7fffffffffffULL }, { 0xc0000101, 0xffff888000000000ULL },
	{ 0xc0000102, 0xffffffffffffffffULL }, { 0xc0000102, 0 },
	{ 0x2ff, 0xc06 }, { 0x200, 0x80000006 }, { 0x201, 0xff80000800ULL }, { 0x250, 0x0606060606060606ULL },
	{ 0x26f, 0x0505050505050505ULL }, { 0x1fc, 2 },
};

GUEST static void plain_guest(u64 count)
{
	u64 value;

	for (u64 i = 0; i < count; i++) {
		G_CHECK_EQ(g_try_wrmsr(plain[i].index, plain[i].value), -1);
		G_CHECK_EQ(g_try_rdmsr(plain[i].index, &value), -1);
		if (value != plain[i].value)
			g_fail("MSR of row (expected) reads", __LINE__, value, i);
		if (i % 5 == 0)
			g_say(plain[i].index);	/* the value survives exits to the program */
		G_CHECK_EQ(g_rdmsr(plain[i].index), plain[i].value);
	}
	g_done(0);
}

static void plain_values(void)
{
	struct vcpu *v = guest_new(0, plain_guest, ARRAY_SIZE(plain));

	for (size_t i = 0; i < ARRAY_SIZE(plain); i += 5) {
		u32 index = vcpu_expect_port(v, PORT_SAY);

		EXPECT_EQ(vcpu_msr(v, index), plain[i].value, "the MSR as KVM_GET_MSRS sees it");
	}
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (i + 1 == ARRAY_SIZE(plain) || plain[i].index != plain[i + 1].index)
			EXPECT_EQ(vcpu_msr(v, plain[i].index), plain[i].value, "the MSR afterwards");
}

GUEST static void set_by_program_guest(u64 arg)
{
	(void)arg;
	G_CHECK_EQ(g_rdmsr(0xc0000082), 0x1234000);
	G_CHECK_EQ(g_rdmsr(0xc0000102), 0xffff880011112222ULL);
	G_CHECK_EQ(g_rdmsr(0x174), 0x60);
	G_CHECK_EQ(g_rdmsr(0x1a0) & 1, 1);
	g_say(0);
	G_CHECK_EQ(g_rdmsr(0xc0000082), 0x5678000);
	g_done(0);
}

static void set_by_program(void)
{
	struct vcpu *v = guest_new(0, set_by_program_guest, 0);

	CHECK_EQ(vcpu_set_msr(v, 0xc0000082, 0x1234000), 1, "KVM_SET_MSRS of LSTAR");
	CHECK_EQ(vcpu_set_msr(v, 0xc0000102, 0xffff880011112222ULL), 1, "KVM_SET_MSRS of KERNEL_GS_BASE");
	CHECK_EQ(vcpu_set_msr(v, 0x174, 0x60), 1, "KVM_SET_MSRS of SYSENTER_CS");
	CHECK_EQ(vcpu_set_msr(v, 0x1a0, 1), 1, "KVM_SET_MSRS of MISC_ENABLE");
	vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(vcpu_set_msr(v, 0xc0000082, 0x5678000), 1, "KVM_SET_MSRS of LSTAR");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

static const struct {
	u32 index;
	u64 value;
} faulting[] = {
	{ 0xc0000082, 0x8000000000000000ULL }, { 0xc0000082, 0x0000800000000000ULL },
	{ 0xc0000083, 0x7fff800000000000ULL }, { 0xc0000100, 0x8000000000000000ULL },
	{ 0xc0000101, 0x0000800000000000ULL }, { 0xc0000102, 0xf000000000000000ULL },
	{ 0x277, 0x0000000000000002ULL }, { 0x277, 0x0800000000000000ULL }, { 0x277, 0x0000000300000000ULL },
	{ 0x200, 0x02 }, { 0x2ff, 0x02 }, { 0x2ff, 0x1000 }, { 0x250, 0x03 }, { 0xfe, 0 },
	{ 0xc0000080, 0xffffffffffffffffULL }, { 0xc0000080, 0 /* LME cannot go while paging is on */ },
	{ 0xc0000080, 0x500 | 1ULL << 40 }, { 0xc0000080, 0x500 | 2 },
	{ 0x12345678, 0 }, { 0xdeadbeef, 1 }, { 0x80000000, 0 }, { 0x3fffffff, 0 }, { 0xffffffff, 0 },
};

GUEST static void faulting_guest(u64 count)
{
	u64 value, efer = g_rdmsr(0xc0000080);

	G_CHECK_EQ(efer, 0x500);
	for (u64 i = 0; i < count; i++) {
		int vector = g_try_wrmsr(faulting[i].index, faulting[i].value);

		if (vector != 13)
			g_fail("WRMSR must fault: got vector, row", __LINE__, (u64)vector, i);
		G_CHECK_EQ(g_trap.error, 0);
	}
	G_CHECK_EQ(g_rdmsr(0xc0000080), efer);
	G_CHECK_EQ(g_try_rdmsr(0x12345678, &value), 13);
	G_CHECK_EQ(g_try_rdmsr(0xdeadbeef, &value), 13);
	G_CHECK_EQ(g_try_rdmsr(0xffffffff, &value), 13);
	G_CHECK_EQ(g_try_rdmsr(0xc0002000, &value), 13);
	G_CHECK_EQ(g_try_rdmsr(0x2000, &value), 13);
	/* SYSCALL and NX may be switched on. */
	G_CHECK_EQ(g_try_wrmsr(0xc0000080, 0xd01), -1);
	G_CHECK_EQ(g_rdmsr(0xc0000080), 0xd01);
	G_CHECK_EQ(g_try_wrmsr(0xc0000080, 0x500), -1);
	/* LMA is read-only: written 0, it stays; WRMSR does not fault for it (SDM vol. 4). */
	G_CHECK_EQ(g_try_wrmsr(0xc0000080, 0x100), -1);
	G_CHECK_EQ(g_rdmsr(0xc0000080), 0x500);
}

static void faulting_values(void)
{
	guest_passes(0, faulting_guest, ARRAY_SIZE(faulting));
}

static volatile u32 sweep_ok, sweep_fault, sweep_other;

GUEST static void sweep_range(u32 from, u32 to)
{
	static const u64 values[] = { 0, ~0ULL, 1ULL << 63, 0x0000800000000000ULL };

	for (u32 index = from; index < to; index++) {
		u64 old;
		int vector = g_try_rdmsr(index, &old);

		if (vector == -1)
			sweep_ok++;
		else if (vector == 13)
			sweep_fault++;
		else
			sweep_other++;
		/* These would change the guest's own mode or time. */
		if (index == 0xc0000080 || index == 0x1b || index == 0x10 || index == 0x3b)
			continue;
		for (unsigned int i = 0; i < 4; i++) {
			int written = g_try_wrmsr(index, values[i]);

			if (written != -1 && written != 13)
				sweep_other++;
		}
		if (vector == -1)
			g_try_wrmsr(index, old);
	}
}

GUEST static void sweep_guest(u64 arg)
{
	(void)arg;
	sweep_range(0, 0x200);
	sweep_range(0x200, 0x2a0);
	sweep_range(0x2f8, 0x310);
	sweep_range(0x340, 0x3a0);
	sweep_range(0x400, 0x480);
	sweep_range(0x480, 0x4a0);
	sweep_range(0x560, 0x590);
	sweep_range(0x600, 0x660);
	sweep_range(0x6a0, 0x700);
	sweep_range(0x800, 0x840);
	sweep_range(0xbf0, 0xc10);
	sweep_range(0xd90, 0xdb0);
	sweep_range(0x1ff0, 0x2010);
	sweep_range(0x40000000, 0x40000020);
	sweep_range(0x4b564d00, 0x4b564d10);
	sweep_range(0xc0000080, 0xc0000110);
	sweep_range(0xc0001ff0, 0xc0002010);
	G_CHECK_EQ(sweep_other, 0);
	G_CHECK(sweep_ok > 30);
	G_CHECK(sweep_fault > 500);
	g_done(0);
}

GUEST static void nothing(u64 arg)
{
	(void)arg;
}

/* Every index either answers or faults; the host lives on, with its own registers as they were. */
static void sweep(void)
{
	struct vcpu *v = guest_new(0, sweep_guest, 0);
	u32 result;

	test_timeout(8);
	result = vcpu_finish(v);
	CHECK_EQ(result, 0, "the result");
	note("%u readable, %u faulting", G(v->vm, sweep_ok), G(v->vm, sweep_fault));
	guest_passes(0, nothing, 0);
}

/* The same from the program's side: each call answers 1, 0, or an error; nothing falls over. */
static void sweep_by_ioctl(void)
{
	static const u32 ranges[][2] = { { 0, 0x20 }, { 0x170, 0x210 }, { 0x400, 0x430 }, { 0x480, 0x494 },
					 { 0x800, 0x840 }, { 0xd90, 0xda8 }, { 0x4b564d00, 0x4b564d10 },
					 { 0xc0000080, 0xc0000108 } };
	static const u64 values[] = { 0, ~0ULL, 1ULL << 63, 0x0000800000000000ULL, 1 };
	struct vcpu *v = guest_new(VM_IRQCHIP, nothing, 0);
	unsigned int accepted = 0;

	for (size_t r = 0; r < ARRAY_SIZE(ranges); r++)
		for (u32 index = ranges[r][0]; index < ranges[r][1]; index++)
			for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
				int ret = vcpu_set_msr(v, index, values[i]);

				EXPECT(ret == 0 || ret == 1, "MSR %#x, %#llx: %d", index, (unsigned long long)values[i],
				       ret);
				accepted += ret == 1;
			}
	note("%u writes accepted", accepted);
	/* The vCPU's state is now odd; whatever it does, the next VM is well. */
	for (int i = 0; i < 3; i++)
		(void)!ioctl(v->fd, KVM_RUN, 0);
	guest_passes(0, nothing, 0);
}

/* DEBUGCTL may not switch on what would hang the host (branch trace store); only LBR and BTF can stick. */
GUEST static void debugctl_guest(u64 arg)
{
	u64 value;

	(void)arg;
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (g_try_wrmsr(0x1d9, 1ULL << bit) != -1)
			continue;
		if (g_try_rdmsr(0x1d9, &value) == -1 && value & ~3ULL)
			g_fail("DEBUGCTL keeps bit", __LINE__, value, bit);
		g_try_wrmsr(0x1d9, 0);
	}
}

static void debugctl(void)
{
	guest_passes(0, debugctl_guest, 0);
}

/* x2APIC registers are not the host's: without a local APIC, or in xAPIC mode, they fault. */
GUEST static void x2apic_guest(u64 arg)
{
	u64 value;

	(void)arg;
	for (u32 index = 0x800; index < 0x900; index++) {
		G_CHECK_EQ(g_try_rdmsr(index, &value), 13);
		G_CHECK_EQ(g_try_wrmsr(index, 0), 13);
	}
}

static void x2apic_registers_fault(void)
{
	guest_passes(VM_IRQCHIP, x2apic_guest, 0);
}

GUEST static void platform_info_guest(u64 count)
{
	u64 value;

	while (count--)
		g_say((u32)(g_try_rdmsr(0xce, &value) + 1));	/* 0: no exception */
	g_done(0);
}

/* KVM_CAP_MSR_PLATFORM_INFO: the guest's reads of MSR_PLATFORM_INFO; user space's go on. */
static void platform_info(void)
{
	struct kvm_enable_cap flagged = { .cap = KVM_CAP_MSR_PLATFORM_INFO, .flags = 1, .args = { 1 } };
	struct vcpu *v = guest_new(0, platform_info_guest, 4);

	CHECK_EQ(dev_has(KVM_CAP_MSR_PLATFORM_INFO), 1, "KVM_CAP_MSR_PLATFORM_INFO");
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), 0, "before it is hidden");
	CHECK_OK(enable_cap(v->vm, KVM_CAP_MSR_PLATFORM_INFO, 0));
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), 14, "#GP + 1");
	EXPECT_EQ(vcpu_msr(v, 0xce), 1ULL << 31, "what KVM_GET_MSRS sees");
	EXPECT_ERRNO(ioctl(v->vm->fd, KVM_ENABLE_CAP, &flagged), EINVAL);
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), 14, "#GP + 1, after a call that failed");
	CHECK_OK(enable_cap(v->vm, KVM_CAP_MSR_PLATFORM_INFO, 1));
	EXPECT_EQ(vcpu_expect_port(v, PORT_SAY), 0, "when it is shown again");
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

/* Where SYSCALL lands: which of the two in RAX, RFLAGS in RDX. CS is the same; RCX has where to go on. */
asm("landing_1: movl $1, %eax\n jmp landed\n"
    "landing_2: movl $2, %eax\n"
    "landed: pushfq\n popq %rdx\n cld\n jmp *%rcx\n");
extern const char landing_1[], landing_2[];

/* Returns 1 or 2, or 0 for #UD. */
GUEST static u64 do_syscall(u64 *flags)
{
	u64 where, rflags;

	asm volatile("std\n\tsyscall\n\tcld" : "=a"(where), "=d"(rflags) : "a"(0), "d"(0) : "rcx", "r11", "memory", "cc");
	*flags = rflags;
	return where;
}

static volatile u64 undefined;

GUEST static void skip_syscall(struct g_frame *frame)
{
	undefined++;
	frame->rip += 2;
}

#define EFER_SCE 1

/* SYSCALL's MSRs count from the moment SYSCALL is on, whenever they were written, and across exits to user space. */
GUEST static void syscall_guest(u64 cs)
{
	u64 efer = g_rdmsr(0xc0000080), flags;

	g_handler[6] = skip_syscall;
	g_wrmsr(0xc0000081, cs << 32);
	g_wrmsr(0xc0000082, (u64)landing_1);
	g_wrmsr(0xc0000084, 0x400);
	G_CHECK_EQ(do_syscall(&flags), 0);
	G_CHECK_EQ(undefined, 1);
	for (int round = 0; round < 2; round++) {
		g_wrmsr(0xc0000080, efer | EFER_SCE);
		g_wrmsr(0xc0000084, 0x400);
		G_CHECK_EQ(do_syscall(&flags), round ? 2 : 1);
		G_CHECK_EQ(flags & 0x400, 0);
		g_say(0);
		g_wrmsr(0xc0000082, (u64)landing_2);
		g_wrmsr(0xc0000084, 0);
		G_CHECK_EQ(do_syscall(&flags), 2);
		G_CHECK_EQ(flags & 0x400, 0x400);
		g_say(0);
		G_CHECK_EQ(do_syscall(&flags), 2);
		g_wrmsr(0xc0000080, efer);
		G_CHECK_EQ(do_syscall(&flags), 0);
	}
	G_CHECK_EQ(undefined, 3);
	g_done(0);
}

static void syscall_msrs(void)
{
	struct vcpu *v = guest_new(0, syscall_guest, 0);

	vcpu_mode_long(v, syscall_guest, vcpu_sregs(v).cs.selector);
	for (int i = 0; i < 4; i++)
		vcpu_expect_port(v, PORT_SAY);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	EXPECT_EQ(vcpu_msr(v, 0xc0000082), (u64)landing_2, "LSTAR");
}

static const struct test tests[] = {
	TEST(plain_values), TEST(set_by_program), TEST(faulting_values), TEST(sweep), TEST(sweep_by_ioctl),
	TEST(debugctl), TEST(platform_info), TEST(syscall_msrs), TEST(x2apic_registers_fault),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
