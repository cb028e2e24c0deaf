// SPDX-License-Identifier: GPL-2.0-only
/*
 * vCPU state through the ioctls: reset values, round trips of every register set, and what each set call refuses.
 * States that no call refuses but that no CPU can be in are in test_entry.c.
 */
#include <stdlib.h>

#include "lib/guest.h"
#include "lib/vm.h"

static void reset_state(void)
{
	struct vcpu *v = vcpu_new_bare(vm_new(VM_IRQCHIP | VM_NO_MEMORY), 0);
	struct kvm_regs r = vcpu_regs(v);
	struct kvm_sregs s = vcpu_sregs(v);
	struct kvm_debugregs d;
	const u64 general[] = { r.rax, r.rbx, r.rcx, r.rsi, r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12,
				r.r13, r.r14, r.r15 };
	const struct kvm_segment *data[] = { &s.ds, &s.es, &s.fs, &s.gs, &s.ss };

	for (size_t i = 0; i < ARRAY_SIZE(general); i++)
		EXPECT_EQ(general[i], 0, "a general register");
	EXPECT_EQ(r.rip, 0xfff0, "RIP");
	EXPECT_EQ(r.rflags, 2, "RFLAGS");
	EXPECT(r.rdx >> 8, "RDX holds the CPU's family, %#llx", r.rdx);
	EXPECT_EQ(s.cs.selector, 0xf000, "CS");
	EXPECT_EQ(s.cs.base, 0xffff0000, "CS.base");
	EXPECT_EQ(s.cs.limit, 0xffff, "CS.limit");
	EXPECT(s.cs.type == 0xb && s.cs.present && s.cs.s && !s.cs.l && !s.cs.db && !s.cs.g, "CS's rights");
	for (size_t i = 0; i < ARRAY_SIZE(data); i++)
		EXPECT(data[i]->selector == 0 && data[i]->base == 0 && data[i]->limit == 0xffff &&
		       data[i]->type == 3 && data[i]->present && data[i]->s, "data segment %zu", i);
	EXPECT(s.tr.limit == 0xffff && s.tr.type == 0xb && s.tr.present && !s.tr.s, "TR");
	EXPECT(s.ldt.limit == 0xffff && s.ldt.type == 2, "LDTR");
	EXPECT(s.gdt.base == 0 && s.gdt.limit == 0xffff, "GDTR");
	EXPECT(s.idt.base == 0 && s.idt.limit == 0xffff, "IDTR");
	EXPECT_EQ(s.cr0, 0x60000010, "CR0");
	EXPECT_EQ(s.cr2, 0, "CR2");
	EXPECT_EQ(s.cr3, 0, "CR3");
	EXPECT_EQ(s.cr4, 0, "CR4");
	EXPECT_EQ(s.cr8, 0, "CR8");
	EXPECT_EQ(s.efer, 0, "EFER");
	EXPECT_EQ(s.apic_base, 0xfee00900, "IA32_APIC_BASE");
	CHECK_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &d));
	EXPECT_EQ(d.dr6, 0xffff0ff0, "DR6");
	EXPECT_EQ(d.dr7, 0x400, "DR7");
	EXPECT_EQ(vcpu_msr(v, 0x277), 0x0007040600070406ULL, "IA32_PAT");
	v = vcpu_new_bare(v->vm, 1);
	EXPECT_EQ(vcpu_sregs(v).apic_base, 0xfee00800, "the second CPU's IA32_APIC_BASE");
}

static void fill(void *mem, size_t size, u8 seed)
{
	u8 *p = mem;

	for (size_t i = 0; i < size; i++)
		p[i] = (u8)(seed + i * 7);
}

static void regs_round_trip(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	struct kvm_regs in, out;

	fill(&in, sizeof(in), 0x31);
	in.rflags = 0x246;
	vcpu_set_regs(v, &in);
	memset(&out, 0xa5, sizeof(out));
	CHECK_OK(ioctl(v->fd, KVM_GET_REGS, &out));
	EXPECT(!memcmp(&in, &out, sizeof(in)), "KVM_GET_REGS gives back what KVM_SET_REGS set");
	in.rflags = 0;
	vcpu_set_regs(v, &in);
	EXPECT_EQ(vcpu_regs(v).rflags, 2, "RFLAGS, whose bit 1 is always set,");
}

static bool same_segment(const struct kvm_segment *a, const struct kvm_segment *b)
{
	return a->base == b->base && a->limit == b->limit && a->selector == b->selector && a->type == b->type &&
	       a->present == b->present && a->dpl == b->dpl && a->db == b->db && a->s == b->s && a->l == b->l &&
	       a->g == b->g && a->avl == b->avl && a->unusable == b->unusable;
}

static void sregs_round_trip(void)
{
	struct vcpu *v = guest_new(0, NULL, 0);
	struct kvm_sregs in = vcpu_sregs(v), out;
	struct kvm_segment *a = &in.cs, *b = &out.cs;

	in.fs.base = 0x00007f1234567000ULL;
	in.gs.base = 0xffff888812345000ULL;
	in.ds.unusable = 1;
	in.ds.present = 0;
	in.cr2 = 0xfedcba9876543210ULL;
	in.cr3 = GUEST_PML4;
	in.cr4 |= 1 << 7;
	in.gdt.limit = 0x3f;
	in.idt.base = 0xffffffff81000000ULL;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &in));
	out = vcpu_sregs(v);
	for (int i = 0; i < 8; i++)	/* cs, ds, es, fs, gs, ss, tr, ldt, in this order */
		EXPECT(i == 1 ? b[i].unusable : same_segment(&a[i], &b[i]), "segment %d", i);
	EXPECT(in.gdt.base == out.gdt.base && in.gdt.limit == out.gdt.limit, "GDTR");
	EXPECT(in.idt.base == out.idt.base && in.idt.limit == out.idt.limit, "IDTR");
	EXPECT_EQ(out.cr0, in.cr0, "CR0");
	EXPECT_EQ(out.cr2, in.cr2, "CR2");
	EXPECT_EQ(out.cr3, in.cr3, "CR3");
	EXPECT_EQ(out.cr4, in.cr4, "CR4");
	EXPECT_EQ(out.efer, in.efer, "EFER");
	EXPECT_EQ(out.apic_base, in.apic_base, "IA32_APIC_BASE");
}

/* Control registers that KVM_SET_SREGS itself refuses. */
static void sregs_refused(void)
{
	static const struct {
		const char *what;
		u64 cr0, cr4, efer;
		u64 cr3;
		u8 l;
	} cases[] = {
		{ "CR0.PG without PE", 0x80000010, 0, 0, 0, 0 },
		{ "CR0.NW without CD", 0x20000011, 0, 0, 0, 0 },
		{ "CR0 bit 32", 0x100000011ULL, 0, 0, 0, 0 },
		{ "CR0 bit 63", 0x8000000000000011ULL, 0, 0, 0, 0 },
		{ "CR4 bit 32", 0x11, 1ULL << 32, 0, 0, 0 },
		{ "CR4 bit 63", 0x11, 1ULL << 63, 0, 0, 0 },
		{ "CR4 bit 15", 0x11, 1ULL << 15, 0, 0, 0 },
		{ "CR4.VMXE without VMX", 0x11, 1ULL << 13, 0, 0, 0 },
		{ "CR4.SMXE", 0x11, 1ULL << 14, 0, 0, 0 },
		{ "long mode without PAE", 0x80000011, 0, 0x500, 0, 0 },
		{ "LME and PG without LMA", 0x80000011, 0x20, 0x100, 0, 0 },
		{ "LMA without PG", 0x11, 0x20, 0x500, 0, 0 },
		{ "LMA without LME", 0x80000011, 0x20, 0x400, 0, 0 },
		{ "CS.L outside long mode", 0x11, 0, 0, 0, 1 },
		{ "CR3 beyond the physical address", 0x80000011, 0x20, 0x500, 1ULL << 60, 0 },
	};
	struct vcpu *v = vcpu_new(vm_new(0), 0);
	struct kvm_sregs before = vcpu_sregs(v), after;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kvm_sregs s = before;
		int ret;

		s.cr0 = cases[i].cr0;
		s.cr4 = cases[i].cr4;
		s.efer = cases[i].efer;
		s.cr3 = cases[i].cr3;
		s.cs.l = cases[i].l;
		s.fs.base = 0x12340;
		errno = 0;
		ret = ioctl(v->fd, KVM_SET_SREGS, &s);
		EXPECT(ret == -1 && errno == EINVAL, "%s: %d", cases[i].what, ret);
		after = vcpu_sregs(v);
		EXPECT(after.cr0 == before.cr0 && after.cr4 == before.cr4 && after.efer == before.efer &&
		       after.fs.base == before.fs.base, "%s: a refused call changed something", cases[i].what);
	}
}

static void apic_base_refused(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_IRQCHIP | VM_NO_MEMORY), 0);
	static const u64 bad[] = { 0xfee00900 | 1, 0xfee00900 | 0x200, 0xfee00500, 1ULL << 60 | 0xfee00900 };
	u64 before = vcpu_sregs(v).apic_base;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct kvm_sregs s = vcpu_sregs(v);

		s.apic_base = bad[i];
		errno = 0;
		EXPECT(ioctl(v->fd, KVM_SET_SREGS, &s) == -1 && errno == EINVAL, "APIC base %#llx",
		       (unsigned long long)bad[i]);
		EXPECT_EQ(vcpu_sregs(v).apic_base, before, "IA32_APIC_BASE");
	}
}

static void fpu_round_trip(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	struct kvm_fpu in = { 0 }, out;

	CHECK_OK(ioctl(v->fd, KVM_GET_FPU, &out));
	EXPECT_EQ(out.fcw, 0x37f, "the fresh FCW");
	EXPECT_EQ(out.fsw, 0, "the fresh FSW");
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 16; k++)
			EXPECT(out.xmm[i][k] == 0, "fresh XMM%d", i);
	for (int i = 0; i < 8; i++)
		fill(in.fpr[i], 10, (u8)(i * 16));
	for (int i = 0; i < 16; i++)
		fill(in.xmm[i], 16, (u8)(i * 9));
	in.fcw = 0x27f;
	in.fsw = 0x3800;
	in.ftwx = 0xff;
	in.last_opcode = 0x123;
	in.last_ip = 0x1122334455ULL;
	in.last_dp = 0x6677889900ULL;
	CHECK_OK(ioctl(v->fd, KVM_SET_FPU, &in));
	memset(&out, 0xa5, sizeof(out));
	CHECK_OK(ioctl(v->fd, KVM_GET_FPU, &out));
	EXPECT(!memcmp(in.fpr, out.fpr, sizeof(in.fpr)), "the x87 registers");
	EXPECT(!memcmp(in.xmm, out.xmm, sizeof(in.xmm)), "the XMM registers");
	EXPECT(in.fcw == out.fcw && in.fsw == out.fsw && in.ftwx == out.ftwx && in.last_ip == out.last_ip &&
	       in.last_dp == out.last_dp && in.last_opcode == out.last_opcode, "the control words: %#x %#x %#x",
	       out.fcw, out.fsw, out.ftwx);
}

/* What KVM_SET_FPU set is what KVM_GET_XSAVE shows, and so what the guest will have. */
static void fpu_reaches_xsave(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	struct kvm_fpu in = { .fcw = 0x27f, .ftwx = 0xff, .mxcsr = 0x1f80 };
	struct kvm_xsave x;

	fill(in.fpr, sizeof(in.fpr), 3);
	fill(in.xmm, sizeof(in.xmm), 4);
	CHECK_OK(ioctl(v->fd, KVM_SET_FPU, &in));
	CHECK_OK(ioctl(v->fd, KVM_GET_XSAVE, &x));
	EXPECT_EQ(x.region[0] & 0xffff, 0x27f, "FCW in the XSAVE image");
	EXPECT(!memcmp((u8 *)x.region + 160, in.xmm, sizeof(in.xmm)), "XMM in the XSAVE image");
	EXPECT(!memcmp((u8 *)x.region + 32, in.fpr[0], 10), "ST0 in the XSAVE image");
}

static void xsave_round_trip(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	struct kvm_xsave in, out;
	u64 *bv = (u64 *)((u8 *)&in + 512);
	bool avx = guest_has_avx();

	CHECK_OK(ioctl(v->fd, KVM_GET_XSAVE, &in));
	/* A component in its initial state reads as such, whether its bit is set or not. */
	for (int i = 160; i < 416; i++)
		EXPECT(((u8 *)&in)[i] == 0, "byte %d of the fresh XSAVE image", i);
	EXPECT_EQ(in.region[6], 0x1f80, "the fresh MXCSR");
	for (int i = 576; i < 832 && avx; i++)
		EXPECT(((u8 *)&in)[i] == 0, "byte %d of the fresh XSAVE image", i);
	fill((u8 *)&in + 160, 256, 0x55);
	if (avx)
		fill((u8 *)&in + 576, 256, 0x99);
	*bv = avx ? 7 : 3;
	in.region[0] = 0x37f;
	CHECK_OK(ioctl(v->fd, KVM_SET_XSAVE, &in));
	memset(&out, 0xa5, sizeof(out));
	CHECK_OK(ioctl(v->fd, KVM_GET_XSAVE, &out));
	EXPECT(!memcmp((u8 *)&in + 160, (u8 *)&out + 160, 256), "XMM");
	EXPECT(!avx || !memcmp((u8 *)&in + 576, (u8 *)&out + 576, 256), "the upper halves of YMM");
	EXPECT_EQ(((u64 *)&out)[64] & 6, avx ? 6 : 2, "XSTATE_BV");
}

static void xsave_refused(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	struct kvm_xsave good, x;

	if (!dev_has(KVM_CAP_XCRS))
		skip("no XSAVE on this host: the header means nothing");
	CHECK_OK(ioctl(v->fd, KVM_GET_XSAVE, &good));
	x = good;
	((u64 *)&x)[64] |= 1ULL << 62;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_XSAVE, &x), EINVAL);
	x = good;
	((u64 *)&x)[65] = 1ULL << 63;	/* XCOMP_BV: the compacted form */
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_XSAVE, &x), EINVAL);
	x = good;
	((u64 *)&x)[66] = 1;		/* reserved bytes of the header */
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_XSAVE, &x), EINVAL);
	x = good;
	x.region[6] = 0xffffffff;	/* MXCSR */
	((u64 *)&x)[64] |= 3;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_XSAVE, &x), EINVAL);
	CHECK_OK(ioctl(v->fd, KVM_SET_XSAVE, &good));
}

static void xcrs(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	struct kvm_xcrs x = { 0 };
	static const u64 bad[] = { 0, 2, 4, 5, 6, 1ULL << 63 | 3, 1ULL << 62 | 3, 0x21, 0x23, 0xffffffffffffffffULL };
	bool avx = guest_has_avx();

	if (!dev_has(KVM_CAP_XCRS))
		skip("no XCRS on this host");
	CHECK_OK(ioctl(v->fd, KVM_GET_XCRS, &x));
	EXPECT(x.nr_xcrs == 1 && x.xcrs[0].xcr == 0 && x.xcrs[0].value == 1, "the fresh XCR0 is %#llx",
	       x.xcrs[0].value);
	x.xcrs[0].value = avx ? 7 : 3;
	CHECK_OK(ioctl(v->fd, KVM_SET_XCRS, &x));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		x.xcrs[0].value = bad[i];
		errno = 0;
		EXPECT(ioctl(v->fd, KVM_SET_XCRS, &x) == -1 && errno == EINVAL, "XCR0 %#llx",
		       (unsigned long long)bad[i]);
	}
	x.nr_xcrs = 17;
	x.xcrs[0].value = 1;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_XCRS, &x), EINVAL);
	x.nr_xcrs = 0xffffffff;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_XCRS, &x), EINVAL);
	x.nr_xcrs = 1;
	x.flags = 1;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_XCRS, &x), EINVAL);
	memset(&x, 0, sizeof(x));
	CHECK_OK(ioctl(v->fd, KVM_GET_XCRS, &x));
	EXPECT_EQ(x.xcrs[0].value, avx ? 7 : 3, "XCR0");
}

static void debugregs(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	struct kvm_debugregs in = { .db = { 0x1000, 0x2000, 0xffff800000003000ULL, 0x4000 }, .dr6 = 0xffff0ff1,
				    .dr7 = 0x401 }, out;

	CHECK_OK(ioctl(v->fd, KVM_SET_DEBUGREGS, &in));
	memset(&out, 0xa5, sizeof(out));
	CHECK_OK(ioctl(v->fd, KVM_GET_DEBUGREGS, &out));
	EXPECT(!memcmp(in.db, out.db, sizeof(in.db)), "DR0 to DR3");
	EXPECT_EQ(out.dr6, in.dr6, "DR6");
	EXPECT_EQ(out.dr7, in.dr7, "DR7");
	EXPECT_EQ(out.flags, 0, "flags");
	in.flags = 1;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_DEBUGREGS, &in), EINVAL);
	in.flags = 0;
	in.dr6 = 1ULL << 32;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_DEBUGREGS, &in), EINVAL);
	in.dr6 = 0xffff0ff0;
	in.dr7 = 1ULL << 32 | 0x400;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_DEBUGREGS, &in), EINVAL);
}

static void vcpu_events(void)
{
	struct vcpu *v = vcpu_new(vm_new(VM_NO_MEMORY), 0);
	struct kvm_vcpu_events in = { 0 }, out;

	memset(&out, 0xa5, sizeof(out));
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &out));
	EXPECT(!out.exception.injected && !out.interrupt.injected && !out.nmi.injected && !out.nmi.pending &&
	       !out.nmi.masked && !out.interrupt.shadow, "nothing is pending on a fresh vCPU");
	in.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	in.exception.injected = 1;
	in.exception.nr = 14;
	in.exception.has_error_code = 1;
	in.exception.error_code = 2;
	in.nmi.masked = 1;
	in.nmi.pending = 1;
	in.interrupt.shadow = KVM_X86_SHADOW_INT_STI;
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &in));
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &out));
	EXPECT(out.exception.injected && out.exception.nr == 14 && out.exception.has_error_code &&
	       out.exception.error_code == 2, "the exception");
	EXPECT(out.nmi.masked && out.nmi.pending, "the NMI's state");
	EXPECT_EQ(out.interrupt.shadow, KVM_X86_SHADOW_INT_STI, "the shadow");
	memset(&in, 0, sizeof(in));
	in.interrupt.injected = 1;
	in.interrupt.nr = 0x77;
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &in));
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &out));
	EXPECT(out.interrupt.injected && out.interrupt.nr == 0x77 && !out.exception.injected, "the interrupt");
	in.flags = 0x80000000;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &in), EINVAL);
	in.flags = 0;
	in.exception.injected = 1;
	in.exception.nr = 32;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &in), EINVAL);
	in.exception.nr = 2;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &in), EINVAL);
}

static void mp_state(void)
{
	struct vm *with = vm_new(VM_IRQCHIP | VM_NO_MEMORY), *without = vm_new(VM_NO_MEMORY);
	struct vcpu *v = vcpu_new(with, 0), *w = vcpu_new(without, 0), *w1 = vcpu_new(without, 1);
	struct kvm_mp_state mp;

	for (u32 state = KVM_MP_STATE_RUNNABLE; state <= KVM_MP_STATE_HALTED; state++) {
		if (state == KVM_MP_STATE_INIT_RECEIVED)
			continue;	/* with INIT pending a CPU is on its way elsewhere */
		mp.mp_state = state;
		CHECK_OK(ioctl(v->fd, KVM_SET_MP_STATE, &mp));
		mp.mp_state = 99;
		CHECK_OK(ioctl(v->fd, KVM_GET_MP_STATE, &mp));
		EXPECT_EQ(mp.mp_state, state, "mp_state");
	}
	mp.mp_state = 99;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_MP_STATE, &mp), EINVAL);
	mp.mp_state = 0xffffffff;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_MP_STATE, &mp), EINVAL);
	/* Without a local APIC nothing could wake a CPU. */
	mp.mp_state = KVM_MP_STATE_UNINITIALIZED;
	EXPECT_ERRNO(ioctl(w->fd, KVM_SET_MP_STATE, &mp), EINVAL);
	mp.mp_state = KVM_MP_STATE_RUNNABLE;
	CHECK_OK(ioctl(w->fd, KVM_SET_MP_STATE, &mp));
	CHECK_OK(ioctl(w1->fd, KVM_GET_MP_STATE, &mp));
	EXPECT_EQ(mp.mp_state, KVM_MP_STATE_RUNNABLE, "mp_state of a second CPU without irqchip");
}

GUEST static void store_regs(u64 arg)
{
	asm volatile("movq %%r8, 0(%0)\n\tmovq %%r15, 8(%0)\n\tmovq %%rbp, 16(%0)\n\tmovq %%rbx, 24(%0)\n\t"
		     "movl $0x600d, %%eax\n\tmovl $0x3e0, %%edx\n\toutl %%eax, %%dx"
		     : : "D"(arg) : "rax", "rdx", "memory");
}

/* What the ioctls set is what the guest has, and the other way round, in every register. */
static void regs_reach_the_guest(void)
{
	struct vcpu *v = guest_new(0, store_regs, 0);
	struct kvm_regs r = vcpu_regs(v);
	u64 *words = (u64 *)(v->vm->mem + GUEST_SCRATCH);

	r.rdi = GUEST_SCRATCH;
	r.r8 = 0x8888888888888888ULL;
	r.r15 = 0xffffffff15151515ULL;
	r.rbp = 0xbbbbbbbb00000001ULL;
	r.rbx = 0xbbbb0000bbbb0000ULL;
	r.r12 = 0x1212121212121212ULL;
	vcpu_set_regs(v, &r);
	CHECK_EQ(vcpu_finish(v), 0x600d, "the result");
	EXPECT_EQ(words[0], r.r8, "R8 in the guest");
	EXPECT_EQ(words[1], r.r15, "R15 in the guest");
	EXPECT_EQ(words[2], r.rbp, "RBP in the guest");
	EXPECT_EQ(words[3], r.rbx, "RBX in the guest");
	EXPECT_EQ(vcpu_regs(v).r12, r.r12, "R12 afterwards");
}

/* ------------------------------------------------------------------ registers in struct kvm_run */

GUEST static void pass_rbx(u64 arg)
{
	asm volatile("movq $0x1234, %%rbx\n\toutb %%al, $0x80\n\tmovq %%rbx, 0(%0)\n\t"
		     "outb %%al, $0x80\n\tmovl $0x600d, %%eax\n\tmovl $0x3e0, %%edx\n\toutl %%eax, %%dx"
		     : : "D"(arg) : "rax", "rbx", "rdx", "memory");
}

static struct vcpu *sync_start(void)
{
	int sets = dev_has(KVM_CAP_SYNC_REGS);

	if (sets <= 0)
		skip("no KVM_CAP_SYNC_REGS");
	CHECK_EQ(sets, KVM_SYNC_X86_VALID_FIELDS, "KVM_CAP_SYNC_REGS");
	return guest_new(0, pass_rbx, GUEST_SCRATCH);
}

/* What the page shows after a run is what the ioctls tell, and only the sets that were asked for. */
static void synced_out(void)
{
	struct vcpu *v = sync_start();
	struct kvm_sync_regs *page = &v->run->s.regs;
	struct kvm_vcpu_events events = { .nmi.masked = 1 };
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	u8 *bytes = (u8 *)page;

	memset(page, 0xa5, sizeof(*page));
	v->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	vcpu_expect(v, KVM_EXIT_IO);
	regs = vcpu_regs(v);
	EXPECT_EQ(regs.rbx, 0x1234, "RBX");
	EXPECT(!memcmp(&regs, &page->regs, sizeof(regs)), "the general registers");
	for (size_t i = sizeof(regs); i < sizeof(*page); i++)
		CHECK(bytes[i] == 0xa5, "byte %zu was not asked for", i);
	memset(page, 0xa5, sizeof(*page));
	v->run->kvm_valid_regs = KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS;
	CHECK_OK(ioctl(v->fd, KVM_SET_VCPU_EVENTS, &events));
	vcpu_expect(v, KVM_EXIT_IO);
	CHECK_EQ(page->regs.rbx, 0xa5a5a5a5a5a5a5a5ULL, "RBX, which was not asked for,");
	sregs = vcpu_sregs(v);
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events));
	EXPECT_EQ(page->sregs.cr3, sregs.cr3, "CR3");
	EXPECT_EQ(page->sregs.cs.selector, sregs.cs.selector, "CS");
	EXPECT_EQ(page->events.flags, events.flags, "the events' flags");
	EXPECT_EQ(page->events.nmi.masked, 1, "NMIs masked");
	v->run->kvm_valid_regs = 0;
	page->regs.rip = 1;
	CHECK_EQ(vcpu_finish(v), 0x600d, "the result");
	EXPECT_EQ(page->regs.rip, 1, "RIP, which was not asked for,");
}

/* What the page holds is what the guest goes on with, once, and only the sets that are named. */
static void synced_in(void)
{
	struct vcpu *v = sync_start();
	struct kvm_sync_regs *page = &v->run->s.regs;
	struct kvm_vcpu_events events;
	u64 *word = (u64 *)(v->vm->mem + GUEST_SCRATCH);

	v->run->kvm_valid_regs = KVM_SYNC_X86_VALID_FIELDS;
	vcpu_expect(v, KVM_EXIT_IO);
	page->regs.rbx = 0x5678;
	page->sregs.fs.base = 0x77000;
	page->sregs.cr2 = 0x88000;
	page->events.nmi.masked = 1;
	v->run->kvm_dirty_regs = KVM_SYNC_X86_VALID_FIELDS;
	v->run->kvm_valid_regs = 0;
	vcpu_expect(v, KVM_EXIT_IO);
	EXPECT_EQ(v->run->kvm_dirty_regs, 0, "kvm_dirty_regs, once they are taken,");
	EXPECT_EQ(*word, 0x5678, "RBX in the guest");
	EXPECT_EQ(vcpu_sregs(v).fs.base, 0x77000, "FS.base");
	EXPECT_EQ(vcpu_sregs(v).cr2, 0x88000, "CR2");
	CHECK_OK(ioctl(v->fd, KVM_GET_VCPU_EVENTS, &events));
	EXPECT_EQ(events.nmi.masked, 1, "NMIs masked");
	page->regs.rip = 1;	/* not named any more */
	page->sregs.cr3 = 1;
	CHECK_EQ(vcpu_finish(v), 0x600d, "the result");
}

/* A set that is refused, and one behind it, stay dirty; the one before is taken. Registers are given out all the same. */
static void synced_refused(void)
{
	static const u64 unknown[] = { 8, 1ULL << 63, ~0ULL };
	struct vcpu *v = sync_start();
	struct kvm_sync_regs *page = &v->run->s.regs;

	v->run->kvm_valid_regs = KVM_SYNC_X86_VALID_FIELDS;
	vcpu_expect(v, KVM_EXIT_IO);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		v->run->kvm_valid_regs = unknown[i];
		EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINVAL);
		v->run->kvm_valid_regs = 0;
		v->run->kvm_dirty_regs = unknown[i];
		EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINVAL);
		EXPECT_EQ(v->run->kvm_dirty_regs, unknown[i], "kvm_dirty_regs");
	}
	v->run->kvm_valid_regs = KVM_SYNC_X86_REGS;
	v->run->kvm_dirty_regs = KVM_SYNC_X86_VALID_FIELDS;
	page->regs.rbx = 0x99;
	page->sregs.efer ^= 0x400;	/* LMA alone */
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINVAL);
	EXPECT_EQ(v->run->kvm_dirty_regs, KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS, "kvm_dirty_regs");
	EXPECT_EQ(vcpu_regs(v).rbx, 0x99, "RBX");
	EXPECT_EQ(page->regs.rbx, 0x99, "RBX in the page");
	page->sregs.efer ^= 0x400;
	page->events.exception.injected = 1;
	page->events.exception.nr = 32;
	EXPECT_ERRNO(ioctl(v->fd, KVM_RUN, 0), EINVAL);
	EXPECT_EQ(v->run->kvm_dirty_regs, KVM_SYNC_X86_EVENTS, "kvm_dirty_regs");
	page->events.exception.injected = 0;
	vcpu_expect(v, KVM_EXIT_IO);
	CHECK_EQ(*(u64 *)(v->vm->mem + GUEST_SCRATCH), 0x99, "RBX in the guest");
	CHECK_EQ(vcpu_finish(v), 0x600d, "the result");
}

/* ------------------------------------------------------------------ PAE: KVM_GET/SET_SREGS2 */

#define PDPTES 0x6000	/* where CR3 points */
#define CODE32 0x8000

/* movl [GUEST_SCRATCH], %eax; outb %al, $0x80; again */
static const u8 pae_code[] = { 0xa1, 0x00, 0x00, 0x30, 0x00, 0xe6, 0x80, 0xeb, 0xf7 };

static struct kvm_sregs2 sregs2_of(struct vcpu *v)
{
	struct kvm_sregs2 s;

	memset(&s, 0xa5, sizeof(s));
	CHECK_OK(ioctl(v->fd, KVM_GET_SREGS2, &s));
	return s;
}

static struct vcpu *pae_guest(void)
{
	struct vcpu *v;
	struct kvm_sregs s;
	u64 *pdptes;

	if (dev_has(KVM_CAP_SREGS2) <= 0)
		skip("no KVM_CAP_SREGS2");
	v = guest_new(0, store_regs, 0);	/* for its page directories */
	vm_load_code(v->vm, CODE32, pae_code, pae_code + sizeof(pae_code));
	pdptes = (u64 *)(v->vm->mem + PDPTES);
	for (u64 i = 0; i < 4; i++)
		pdptes[i] = (GUEST_PD + i * PAGE_SIZE) | 1;
	vcpu_mode_prot32(v, CODE32);
	s = vcpu_sregs(v);
	s.cr3 = PDPTES;
	s.cr4 |= 0x20;
	s.cr0 |= 0x80000000;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &s));
	*(u32 *)(v->vm->mem + GUEST_SCRATCH) = 0x11;
	return v;
}

static u32 pae_says(struct vcpu *v)
{
	vcpu_expect(v, KVM_EXIT_IO);
	return (u32)vcpu_regs(v).rax;
}

/* What is loaded counts, and not what is in memory meanwhile; without the flag it is what is in memory. */
static void pdptes(void)
{
	struct vcpu *v = pae_guest();
	u64 *in_memory = (u64 *)(v->vm->mem + PDPTES), good = in_memory[0];
	struct kvm_sregs2 s;

	CHECK_EQ(pae_says(v), 0x11, "what the guest reads");
	s = sregs2_of(v);
	CHECK_EQ(s.flags, KVM_SREGS2_FLAGS_PDPTRS_VALID, "flags");
	for (int i = 0; i < 4; i++)
		CHECK_EQ(s.pdptrs[i], in_memory[i], "a PDPTE");
	CHECK_EQ(s.cr3, PDPTES, "CR3");
	in_memory[0] = 0;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS2, &s));
	CHECK_EQ(pae_says(v), 0x11, "what the guest reads");
	in_memory[0] = good;
	in_memory[1] = good;
	s.flags = 0;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS2, &s));
	CHECK_EQ(sregs2_of(v).pdptrs[1], good, "the PDPTE of memory");
	CHECK_EQ(pae_says(v), 0x11, "what the guest reads");
}

static void sregs2_refused(void)
{
	struct vcpu *v = pae_guest(), *w = guest_new(0, store_regs, 0);
	struct kvm_sregs2 s = sregs2_of(v), wide = sregs2_of(w);
	struct kvm_sregs old = vcpu_sregs(w);

	s.flags |= 2;
	EXPECT_ERRNO(ioctl(v->fd, KVM_SET_SREGS2, &s), EINVAL);
	CHECK_EQ(wide.flags, 0, "flags in long mode");
	CHECK(!memcmp(&wide, &old, offsetof(struct kvm_sregs, interrupt_bitmap)), "the registers");
	wide.fs.base = 0x1000;
	wide.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
	EXPECT_ERRNO(ioctl(w->fd, KVM_SET_SREGS2, &wide), EINVAL);
	wide.flags = 0;
	wide.cr4 |= 1ULL << 63;
	EXPECT_ERRNO(ioctl(w->fd, KVM_SET_SREGS2, &wide), EINVAL);
	EXPECT_EQ(vcpu_sregs(w).fs.base, old.fs.base, "FS.base after calls that were refused");
}

/* The page's registers mean PDPTEs of memory, as those of KVM_SET_SREGS do. */
static void synced_pae(void)
{
	struct vcpu *v = pae_guest();
	u64 *in_memory = (u64 *)(v->vm->mem + PDPTES);

	v->run->kvm_valid_regs = KVM_SYNC_X86_SREGS;
	CHECK_EQ(pae_says(v), 0x11, "what the guest reads");
	in_memory[2] = in_memory[0];
	v->run->kvm_dirty_regs = KVM_SYNC_X86_SREGS;
	CHECK_EQ(pae_says(v), 0x11, "what the guest reads");
	CHECK_EQ(sregs2_of(v).pdptrs[2], in_memory[0], "the PDPTE of memory");
}

static const struct test tests[] = {
	TEST(reset_state), TEST(regs_round_trip), TEST(sregs_round_trip), TEST(sregs_refused),
	TEST(apic_base_refused), TEST(fpu_round_trip), TEST(fpu_reaches_xsave), TEST(xsave_round_trip), TEST(xsave_refused), TEST(xcrs),
	TEST(debugregs), TEST(vcpu_events), TEST(mp_state), TEST(regs_reach_the_guest),
	TEST(synced_out), TEST(synced_in), TEST(synced_refused), TEST(pdptes), TEST(sregs2_refused), TEST(synced_pae),
};

int main(int argc, char **argv)
{
	return harness_main(argc, argv, tests, ARRAY_SIZE(tests));
}
