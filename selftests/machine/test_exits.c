// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that leave the guest and come back with an answer: CPUID, control registers, VMCALL, VMX
 * instructions, XSETBV, the time-stamp counter, TLB and cache control.
 * Port I/O is in test_io.c, MSRs in test_msrs.c, exceptions, HLT and task switches in test_traps.c.
 */
#include <stdlib.h>

#include "lib/guest.h"
#include "lib/vm.h"

GUEST static void cpuid_guest(u64 at)
{
	struct {
		u32 leaf, index, out[4];
	} *q = (void *)at;

	for (; q->leaf != 0xdeadbeef; q++) {
		u64 a = q->leaf | 0xffffffff00000000ULL, c = q->index | 0xffffffff00000000ULL, b = ~0ULL, d = ~0ULL;

		asm volatile("cpuid" : "+a"(a), "+b"(b), "+c"(c), "+d"(d));
		G_CHECK(!((a | b | c | d) >> 32));
		q->out[0] = (u32)a;
		q->out[1] = (u32)b;
		q->out[2] = (u32)c;
		q->out[3] = (u32)d;
	}
}

/* What KVM_SET_CPUID2 said is what the guest reads, in all registers, whose upper halves are cleared. */
static void cpuid(void)
{
	struct kvm_cpuid2 *own = calloc(1, sizeof(*own) + 6 * sizeof(own->entries[0]));
	struct kvm_cpuid_entry2 entries[] = {
		{ .function = 0, .eax = 0x7, .ebx = 0x756e6547, .ecx = 0x6c65746e, .edx = 0x49656e69 },
		{ .function = 1, .eax = 0x306c3, .ebx = 0x800, .ecx = 0x80000001, .edx = 0x0783fbff },
		{ .function = 4, .index = 0, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 0x121, .ebx = 2 },
		{ .function = 4, .index = 1, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX, .eax = 0x122, .ebx = 3 },
		{ .function = 0x80000000, .eax = 0x80000001 },
		{ .function = 0x80000001, .ecx = 0x21, .edx = 0x28100800 },
	};
	struct {
		u32 leaf, index, out[4];
	} *q;
	static const u32 ask[][2] = { { 0, 0 }, { 0, 5 }, { 1, 0 }, { 1, 9 }, { 4, 0 }, { 4, 1 }, { 4, 2 },
				      { 0x80000000, 0 }, { 0x80000001, 0 } };
	static const int want[] = { 0, 0, 1, 1, 2, 3, -1, 4, 5 };
	struct vcpu *v = vcpu_new_bare(vm_new(0), 0);

	own->nent = 6;
	memcpy(own->entries, entries, sizeof(entries));
	CHECK_OK(ioctl(v->fd, KVM_SET_CPUID2, own));
	vcpu_mode_long(v, cpuid_guest, GUEST_SCRATCH);
	q = (void *)(v->vm->mem + GUEST_SCRATCH);
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
		q[i].leaf = ask[i][0];
		q[i].index = ask[i][1];
	}
	q[ARRAY_SIZE(ask)].leaf = 0xdeadbeef;
	CHECK_EQ(vcpu_finish(v), 0, "the result");
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++) {
		struct kvm_cpuid_entry2 none = { 0 }, *e = want[i] < 0 ? &none : &entries[want[i]];
		u32 apic = ask[i][0] == 1 ? 1u << 9 : 0; /* leaf 1 EDX.9 follows IA32_APIC_BASE */

		EXPECT(q[i].out[0] == e->eax && q[i].out[1] == e->ebx && q[i].out[2] == e->ecx &&
		       (q[i].out[3] | apic) == (e->edx | apic), "leaf %#x, %u: %#x %#x %#x %#x", ask[i][0],
		       ask[i][1], q[i].out[0], q[i].out[1], q[i].out[2], q[i].out[3]);
	}
}

/* A leaf above the largest basic one reads as the largest basic one (SDM vol. 2, CPUID). */
GUEST static void cpuid_beyond_guest(u64 arg)
{
	u32 max[4], last[4], beyond[4];

	(void)arg;
	g_cpuid(0, 0, max);
	g_cpuid(max[0], 0, last);
	g_cpuid(0x0fffffff, 0, beyond);
	for (int i = 0; i < 4; i++)
		G_CHECK_EQ(beyond[i], last[i]);
}

static void cpuid_beyond(void)
{
	guest_passes(0, cpuid_beyond_guest, 0);
}

/* OSXSAVE in leaf 1 follows CR4. */
GUEST static void cpuid_dynamic_guest(u64 arg)
{
	u32 out[4];

	(void)arg;
	g_cpuid(1, 0, out);
	if (!(out[2] >> 26 & 1))
		return;
	G_CHECK(!(out[2] >> 27 & 1));
	G_WRITE_CR(4, G_READ_CR(4) | 1 << 18);
	g_cpuid(1, 0, out);
	G_CHECK(out[2] >> 27 & 1);
	G_WRITE_CR(4, G_READ_CR(4) & ~(1UL << 18));
	g_cpuid(1, 0, out);
	G_CHECK(!(out[2] >> 27 & 1));
}

static void cpuid_dynamic(void)
{
	guest_passes(0, cpuid_dynamic_guest, 0);
}

GUEST static void cr0_guest(u64 arg)
{
	u64 cr0 = G_READ_CR(0), word;

	(void)arg;
	G_CHECK_EQ(cr0, 0x80000033);
	for (unsigned int bit = 0; bit < 64; bit++) {
		u64 value = cr0 ^ 1ULL << bit;
		/* PE and PG cannot go alone, NW needs CD; NE, ET and undefined low bits do not fault. */
		bool fault = bit >= 32 || bit == 0 || bit == 29;
		int got;

		if (bit == 31)
			continue; /* leaving paging is leaving long mode */
		got = G_TRY("mov %0, %%cr0", : : "r"(value) : "memory");
		if (got != (fault ? 13 : -1))
			g_fail("CR0 bit: got vector, bit", __LINE__, (u64)got, bit);
		if (!fault && bit != 4 && (bit <= 5 || bit == 16 || bit == 18 || bit == 30))
			G_CHECK_EQ(G_READ_CR(0), value);
		G_WRITE_CR(0, cr0);
	}
	G_CHECK_EQ(G_READ_CR(0), cr0);
	asm volatile("mov %0, %%cr0\n\tclts" : : "r"(cr0 | 8) : "memory");
	G_CHECK_EQ(G_READ_CR(0), cr0);
	asm volatile("smsw %0" : "=r"(word));
	G_CHECK_EQ(word & 0xffff, cr0 & 0xffff);
	asm volatile("lmsw %w0" : : "r"(word | 8));
	G_CHECK_EQ(G_READ_CR(0), cr0 | 8);
	asm volatile("lmsw %w0" : : "r"(0)); /* LMSW cannot clear PE */
	G_CHECK(G_READ_CR(0) & 1);
	G_WRITE_CR(0, cr0);
}

static void cr0(void)
{
	guest_passes(0, cr0_guest, 0);
}

GUEST static void cr4_guest(u64 arg)
{
	/* VME PVI TSD DE PSE MCE PGE PCE OSFXSR OSXMMEXCPT: there on every CPU that has VT-x. */
	static const u8 plain[] = { 0, 1, 2, 3, 4, 6, 7, 8, 9, 10 };
	u64 cr4 = G_READ_CR(4), cr3 = G_READ_CR(3);

	(void)arg;
	G_CHECK_EQ(cr4, 0x620);
	for (unsigned int i = 0; i < sizeof(plain); i++) {
		G_WRITE_CR(4, cr4 ^ 1ULL << plain[i]);
		G_CHECK_EQ(G_READ_CR(4), cr4 ^ 1ULL << plain[i]);
		G_WRITE_CR(4, cr4);
	}
	G_CHECK_EQ(G_TRY("mov %0, %%cr4", : : "r"(cr4 & ~0x20ULL) : "memory"), 13);	/* PAE in long mode */
	G_CHECK_EQ(G_TRY("mov %0, %%cr4", : : "r"(cr4 | 1 << 13) : "memory"), 13);	/* VMXE without VMX */
	G_CHECK_EQ(G_TRY("mov %0, %%cr4", : : "r"(cr4 | 1 << 14) : "memory"), 13);	/* SMXE */
	G_CHECK_EQ(G_TRY("mov %0, %%cr4", : : "r"(cr4 | 1 << 15) : "memory"), 13);
	G_CHECK_EQ(G_TRY("mov %0, %%cr4", : : "r"(cr4 | 1ULL << 31) : "memory"), 13);
	G_CHECK_EQ(G_TRY("mov %0, %%cr4", : : "r"(cr4 | 1ULL << 32) : "memory"), 13);
	G_CHECK_EQ(G_TRY("mov %0, %%cr4", : : "r"(cr4 | 1ULL << 63) : "memory"), 13);
	G_CHECK_EQ(G_READ_CR(4), cr4);
	G_CHECK_EQ(g_trap.error, 0);
	/* PCIDE wants CR3's low bits to be 0. */
	G_CHECK_EQ(G_TRY("mov %0, %%cr3", : : "r"(cr3 | 1ULL << 60) : "memory"), 13);
	G_WRITE_CR(3, cr3 | 0x18);
	G_CHECK_EQ(G_READ_CR(3), cr3 | 0x18);
	G_WRITE_CR(3, cr3);
	G_CHECK_EQ(G_TRY(".byte 0x0f, 0x20, 0xc8", : : : "rax", "memory"), 6);	/* mov %cr1, %rax */
	G_CHECK_EQ(G_TRY(".byte 0x0f, 0x22, 0xe8", : : : "rax", "memory"), 6);	/* mov %rax, %cr5 */
}

static void cr3_cr4(void)
{
	guest_passes(0, cr4_guest, 0);
}

/* Every register as source and as destination of MOV CR, RSP included. */
GUEST static void cr_operands_guest(u64 arg)
{
	u64 cr3 = G_READ_CR(3), value;

	(void)arg;
#define EACH(reg)                                                                                          \
	asm volatile("mov %%cr3, %%" reg "\n\tmov %%" reg ", %0" : "=m"(value) : : reg, "memory");         \
	G_CHECK_EQ(value, cr3);                                                                            \
	asm volatile("mov %0, %%" reg "\n\tmov %%" reg ", %%cr3" : : "m"(cr3) : reg, "memory");            \
	G_CHECK_EQ(G_READ_CR(3), cr3);                                                                     \
	asm volatile("mov %0, %%" reg "\n\tmov %%" reg ", %%cr0" : : "r"(G_READ_CR(0)) : reg, "memory")
	EACH("rax");
	EACH("rcx");
	EACH("rdx");
	EACH("rbx");
	EACH("rsi");
	EACH("rdi");
	EACH("r8");
	EACH("r9");
	EACH("r12");
	EACH("r13");
	EACH("r15");
#undef EACH
	asm volatile("mov %%rsp, %%r9\n\tmov %%cr3, %%rsp\n\tmov %%rsp, %0\n\tmov %%r9, %%rsp"
		     : "=r"(value) : : "r9", "memory");
	G_CHECK_EQ(value, cr3);
}

static void cr_operands(void)
{
	guest_passes(0, cr_operands_guest, 0);
}

GUEST static void cr8_guest(u64 arg)
{
	u64 value;

	(void)arg;
	for (u64 i = 0; i < 16; i++) {
		G_WRITE_CR(8, i);
		value = G_READ_CR(8);
		G_CHECK_EQ(value, i);
		if (arg)
			G_CHECK_EQ(g_apic_read(APIC_TPR), i << 4);
	}
	G_CHECK_EQ(G_TRY("mov %0, %%cr8", : : "r"(0x10UL) : "memory"), 13);
	/* Without the TPR shadow KVM looks at the low byte only; here every bit counts (SDM vol. 3, 10.8.6.1). */
	if (arg)
		G_CHECK_EQ(G_TRY("mov %0, %%cr8", : : "r"(1UL << 63) : "memory"), 13);
	G_CHECK_EQ(G_READ_CR(8), 15);
	if (arg) {
		g_apic_write(APIC_TPR, 0x52);
		G_CHECK_EQ(G_READ_CR(8), 5);
	}
	G_WRITE_CR(8, 3);
	g_done(0);
}

static void cr8_with_irqchip(void)
{
	guest_passes(VM_IRQCHIP, cr8_guest, 1);
}

/* Without a local APIC CR8 is the program's business: it sees it in kvm_run, and a lowered one as an exit. */
static void cr8_without_irqchip(void)
{
	struct vcpu *v = guest_new(0, cr8_guest, 0);

	v->run->cr8 = 0;
	vcpu_run(v);
	while (v->run->exit_reason == KVM_EXIT_SET_TPR) {
		EXPECT_EQ(v->run->cr8, 3, "CR8 in kvm_run");
		vcpu_run(v);
	}
	CHECK_EQ(v->run->exit_reason, KVM_EXIT_IO, "the exit");
	CHECK_EQ(v->run->io.port, PORT_DONE, "the port");
	EXPECT_EQ(v->run->cr8, 3, "CR8 in kvm_run");
}

G_INLINE s64 vmcall(u64 nr, u64 a, u64 b)
{
	s64 ret;

	asm volatile("vmcall" : "=a"(ret) : "a"(nr), "b"(a), "c"(b) : "memory");
	return ret;
}

static volatile s64 user_vmcall;

GUEST static void user_vmcall_fn(void)
{
	user_vmcall = vmcall(1, 0, 0);
}

GUEST static void vmcall_guest(u64 arg)
{
	(void)arg;
	G_CHECK_EQ(vmcall(0x1234, 1, 2), -1000);	/* -KVM_ENOSYS */
	G_CHECK_EQ(vmcall(0xffffffffULL, 1, 2), -1000);
	G_CHECK_EQ(vmcall(1ULL << 32 | 1, 1, 2), -1000);	/* 64-bit mode: all of RAX counts */
	G_CHECK_EQ(vmcall(1, 0, 0), 0);			/* VAPIC_POLL_IRQ does nothing */
	g_call_user(user_vmcall_fn, 0);
	G_CHECK_EQ(user_vmcall, -1);			/* -KVM_EPERM */
}

static void vmcall_numbers(void)
{
	guest_passes(VM_IRQCHIP, vmcall_guest, 0);
}

static volatile s32 vmx_wrong;

GUEST static void vmx_instructions(void)
{
	static u64 memory[2] __attribute__((aligned(4096)));
	s32 wrong = 0;

#define UD(insn, ...) wrong += G_TRY(insn, __VA_ARGS__) != 6
	UD("vmxon %0", : "+m"(memory[0]) : : "memory");
	UD("vmxoff", : : : "memory");
	UD("vmlaunch", : : : "memory");
	UD("vmresume", : : : "memory");
	UD("vmptrld %0", : "+m"(memory[0]) : : "memory");
	UD("vmptrst %0", : "+m"(memory[0]) : : "memory");
	UD("vmclear %0", : "+m"(memory[0]) : : "memory");
	UD("vmread %0, %1", : "+r"(memory[0]) : "r"(0x681eUL) : "memory");
	UD("vmwrite %0, %1", : : "r"(memory[0]), "r"(0x681eUL) : "memory");
	UD("invept %1, %0", : : "r"(2UL), "m"(*(u8(*)[16])memory) : "memory");
	UD("invvpid %1, %0", : : "r"(2UL), "m"(*(u8(*)[16])memory) : "memory");
	UD("vmfunc", : : "a"(0), "c"(0) : "memory");
	UD(".byte 0x0f, 0x37", : : "a"(0) : "memory");		/* GETSEC */
	UD(".byte 0x0f, 0xaa", : : : "memory");			/* RSM */
	UD(".byte 0x0f, 0x01, 0xcf", : : "a"(0) : "memory");	/* ENCLS */
	UD("ud2", : : : "memory");
#undef UD
	vmx_wrong = wrong;
}

GUEST static void vmx_guest(u64 arg)
{
	(void)arg;
	vmx_instructions();
	G_CHECK_EQ(vmx_wrong, 0);
	vmx_wrong = -1;
	g_call_user(vmx_instructions, 0);
	G_CHECK_EQ(vmx_wrong, 0);
}

static void vmx_undefined(void)
{
	guest_passes(0, vmx_guest, 0);
}

G_INLINE int xsetbv(u32 index, u64 value)
{
	return G_TRY("xsetbv", : : "c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}

static volatile s32 user_xsetbv;

GUEST static void user_xsetbv_fn(void)
{
	user_xsetbv = xsetbv(0, 3);
}

GUEST static void xsetbv_guest(u64 avx)
{
	u32 lo, hi;

	G_CHECK_EQ(xsetbv(0, 3), 6);		/* CR4.OSXSAVE is clear */
	G_WRITE_CR(4, G_READ_CR(4) | 1 << 18);
	G_CHECK_EQ(xsetbv(0, 3), -1);
	if (avx)
		G_CHECK_EQ(xsetbv(0, 7), -1);
	for (unsigned int bit = 0; bit < 64; bit++)
		if (bit != 0)
			G_CHECK_EQ(xsetbv(0, 1ULL << bit), 13);	/* x87 missing */
	G_CHECK_EQ(xsetbv(0, 0), 13);
	G_CHECK_EQ(xsetbv(0, 5), 13);		/* AVX without SSE */
	G_CHECK_EQ(xsetbv(0, 1ULL << 63 | 3), 13);
	G_CHECK_EQ(xsetbv(0, 1ULL << 62 | 3), 13);
	G_CHECK_EQ(xsetbv(0, 0x23), 13);	/* a part of AVX-512 */
	G_CHECK_EQ(xsetbv(1, 3), 13);
	G_CHECK_EQ(xsetbv(0xffffffff, 3), 13);
	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	G_CHECK_EQ(lo, avx ? 7 : 3);
	G_CHECK_EQ(hi, 0);
	g_call_user(user_xsetbv_fn, 0);
	G_CHECK_EQ(user_xsetbv, 13);
	G_CHECK_EQ(xsetbv(0, 1), -1);
}

/* A CPU without XSAVE. */
GUEST static void no_xsave_guest(u64 arg)
{
	(void)arg;
	G_CHECK_EQ(G_TRY("mov %0, %%cr4", : : "r"(G_READ_CR(4) | 1 << 18) : "memory"), 13);
	G_CHECK_EQ(xsetbv(0, 3), 6);
	G_CHECK_EQ(G_TRY("xgetbv", : : "c"(0) : "rax", "rdx", "memory"), 6);
}

static void xsetbv_values(void)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid_supported(), 1, 0);

	if (e && e->ecx >> 26 & 1)
		guest_passes(0, xsetbv_guest, guest_has_avx());
	else
		guest_passes(0, no_xsave_guest, 0);
}

static volatile s32 user_tsc[2];

GUEST static void user_rdtsc(void)
{
	user_tsc[0] = G_TRY("rdtsc", : : : "rax", "rdx", "memory");
	user_tsc[1] = G_TRY("rdtscp", : : : "rax", "rcx", "rdx", "memory");
}

GUEST static void tsc_guest(u64 has_rdtscp)
{
	u64 last = g_rdtsc();
	u32 lo, hi, aux;

	for (int i = 0; i < 1000; i++) {
		u64 now = g_rdtsc();

		if (i % 100 == 0)
			g_outb(0x80, 0);	/* also across exits to user space */
		G_CHECK(now > last);
		last = now;
	}
	if (has_rdtscp) {
		g_wrmsr(0xc0000103, 0x12345);
		asm volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
		G_CHECK_EQ(aux, 0x12345);
		G_CHECK((lo | (u64)hi << 32) > last);
		G_CHECK_EQ(g_rdmsr(0xc0000103), 0x12345);
	}
	g_call_user(user_rdtsc, 0);
	G_CHECK_EQ(user_tsc[0], -1);
	G_WRITE_CR(4, G_READ_CR(4) | 4);	/* TSD */
	g_call_user(user_rdtsc, 0);
	G_CHECK_EQ(user_tsc[0], 13);
	if (has_rdtscp)
		G_CHECK_EQ(user_tsc[1], 13);
}

static void tsc(void)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid_supported(), 0x80000001, 0);
	struct vcpu *v = guest_new(0, tsc_guest, e && e->edx >> 27 & 1);

	vcpu_run(v);
	while (v->run->exit_reason == KVM_EXIT_IO && v->run->io.port == 0x80)
		vcpu_run(v);
	if (v->run->exit_reason != KVM_EXIT_IO || v->run->io.port != PORT_DONE) {
		note("guest line %llu: %#llx, %#llx", (unsigned long long)G(v->vm, g_fail_line),
		     (unsigned long long)G(v->vm, g_fail_a), (unsigned long long)G(v->vm, g_fail_b));
		vcpu_fail(v, "unexpected exit");
	}
}

GUEST static void write_pte(u64 pt, u64 gva, u64 gpa)
{
	((volatile u64 *)pt)[gva >> 12 & 511] = gpa | 7;
}

/* A changed page-table entry after INVLPG, INVPCID, MOV CR3 and a toggled CR4.PGE. */
GUEST static void tlb_guest(u64 invpcid)
{
	const u64 page = 0x800000, pt = GUEST_PT, a = 0x900000, b = 0xa00000;
	u64 descriptor[2] = { 0, page };

	g_write32(a, 1);
	g_write32(b, 2);
	for (int i = 0; i < 10; i++) {
		write_pte(pt, page, a);
		asm volatile("invlpg (%0)" : : "r"(page) : "memory");
		G_CHECK_EQ(g_read32(page), 1);
		write_pte(pt, page, b);
		asm volatile("invlpg (%0)" : : "r"(page) : "memory");
		G_CHECK_EQ(g_read32(page), 2);
		write_pte(pt, page, a);
		G_WRITE_CR(3, G_READ_CR(3));
		G_CHECK_EQ(g_read32(page), 1);
		write_pte(pt, page, b);
		G_WRITE_CR(4, G_READ_CR(4) ^ 0x80);
		G_CHECK_EQ(g_read32(page), 2);
	}
	if (!invpcid) {
		G_CHECK_EQ(G_TRY("invpcid %1, %0", : : "r"(2UL), "m"(descriptor) : "memory"), 6);
		return;
	}
	for (u64 type = 0; type < 4; type++) {
		write_pte(pt, page, type & 1 ? a : b);
		G_CHECK_EQ(G_TRY("invpcid %1, %0", : : "r"(type), "m"(descriptor) : "memory"), -1);
		G_CHECK_EQ(g_read32(page), type & 1 ? 1 : 2);
	}
	G_CHECK_EQ(G_TRY("invpcid %1, %0", : : "r"(4UL), "m"(descriptor) : "memory"), 13);
	descriptor[0] = 1 << 12;	/* reserved bits of the descriptor */
	G_CHECK_EQ(G_TRY("invpcid %1, %0", : : "r"(0UL), "m"(descriptor) : "memory"), 13);
}

static void tlb(void)
{
	struct kvm_cpuid_entry2 *e = cpuid_find(cpuid_supported(), 7, 0);
	struct vcpu *v = guest_new(0, tlb_guest, e && e->ebx >> 10 & 1);

	vm_map_4k(v->vm, 0x800000, 0x900000, 7);
	CHECK_EQ(vcpu_finish(v), 0, "the result");
}

GUEST static void cache_guest(u64 arg)
{
	int got;

	(void)arg;
	asm volatile("wbinvd" : : : "memory");
	asm volatile("invd" : : : "memory");
	for (int i = 0; i < 1000; i++)
		g_pause();
	/* Not in the guest's CPUID: either undefined or without effect, but never an exit. */
	got = G_TRY("monitor", : : "a"(&vmx_wrong), "c"(0), "d"(0) : "memory");
	G_CHECK(got == -1 || got == 6);
	got = G_TRY("mwait", : : "a"(0), "c"(0) : "memory");
	G_CHECK(got == -1 || got == 6);
}

static void cache_and_idle(void)
{
	guest_passes(0, cache_guest, 0);
}

static const struct test tests[] = {
	TEST(cpuid), TEST(cpuid_beyond), TEST(cpuid_dynamic), TEST(cr0), TEST(cr3_cr4), TEST(cr_operands),
	TEST(cr8_with_irqchip), TEST(cr8_without_irqchip), TEST(vmcall_numbers), TEST(vmx_undefined),
	TEST(xsetbv_values), TEST(tsc), TEST(tlb), TEST(cache_and_idle),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
