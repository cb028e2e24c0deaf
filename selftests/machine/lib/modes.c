// SPDX-License-Identifier: GPL-2.0-only
/*
 * The CPU modes a guest starts in: long mode with 4 GiB mapped one to one, flat 32-bit mode without paging, and
 * real mode; and the tables in guest memory that they need.
 */
#include "lib/vm.h"

#include "lib/guest.h"

static u64 descriptor(u32 base, u32 limit, u16 access)
{
	/* access: type, S, DPL, P in the low byte; AVL, L, D, G in bits 12-15 */
	return (limit & 0xffffULL) | (u64)(base & 0xffffff) << 16 | (u64)(access & 0xff) << 40 |
	       (u64)(limit >> 16 & 0xf) << 48 | (u64)(access >> 12 & 0xf) << 52 | (u64)(base >> 24) << 56;
}

static void build_gdt(struct vm *vm)
{
	u64 *gdt = (u64 *)(vm->mem + GUEST_GDT);

	gdt[0] = 0;
	gdt[SEL_CODE64 / 8] = descriptor(0, 0xfffff, 0xa09b);
	gdt[SEL_DATA / 8] = descriptor(0, 0xfffff, 0xc093);
	gdt[SEL_CODE32 / 8] = descriptor(0, 0xfffff, 0xc09b);
	gdt[SEL_CODE16 / 8] = descriptor(0, 0xffff, 0x009b);
	gdt[SEL_DATA16 / 8] = descriptor(0, 0xffff, 0x0093);
	gdt[SEL_USER_CODE64 / 8] = descriptor(0, 0xfffff, 0xa0fb);
	gdt[SEL_USER_DATA / 8] = descriptor(0, 0xfffff, 0xc0f3);
	gdt[SEL_TSS64 / 8] = descriptor(GUEST_TSS, 0x67, 0x008b);
	gdt[SEL_TSS64 / 8 + 1] = 0;
	gdt[SEL_TSS32_A / 8] = descriptor(GUEST_TSS32_A, 0x67, 0x0089);
	gdt[SEL_TSS32_B / 8] = descriptor(GUEST_TSS32_B, 0x67, 0x0089);
	gdt[SEL_USER_CODE32 / 8] = descriptor(0, 0xfffff, 0xc0fb);
	*(u64 *)(vm->mem + GUEST_TSS + 4) = GUEST_KERNEL_STACK;
	*(u16 *)(vm->mem + GUEST_TSS + 0x66) = 0x68; /* no I/O bitmap */
}

static void build_idt64(struct vm *vm)
{
	u64 *idt = (u64 *)(vm->mem + GUEST_IDT);

	for (unsigned int i = 0; i < 256; i++) {
		u64 handler = (uintptr_t)g_idt_stubs + i * 16;
		u64 type = i == 3 || i == 4 || i == 0x80 ? 0xee : 0x8e; /* these three may be raised from CPL 3 */

		idt[2 * i] = (handler & 0xffff) | SEL_CODE64 << 16 | type << 40 | (handler >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = handler >> 32;
	}
}

static void build_idt32(struct vm *vm)
{
	u64 *idt = (u64 *)(vm->mem + GUEST_IDT32);

	for (unsigned int i = 0; i < 256; i++) {
		u64 handler = (uintptr_t)g_idt32_stubs + i * 16;

		idt[i] = (handler & 0xffff) | SEL_CODE32 << 16 | 0x8eULL << 40 | (handler >> 16 & 0xffff) << 48;
	}
}

static void build_paging(struct vm *vm)
{
	u64 *pml4 = (u64 *)(vm->mem + GUEST_PML4);
	u64 *pdpt = (u64 *)(vm->mem + GUEST_PDPT);
	u64 *pd = (u64 *)(vm->mem + GUEST_PD);

	if (pml4[0])
		return;
	pml4[0] = GUEST_PDPT | 7;
	for (u64 i = 0; i < 4; i++)
		pdpt[i] = (GUEST_PD + i * PAGE_SIZE) | 7;
	for (u64 i = 0; i < 2048; i++)
		pd[i] = i << 21 | 0x87; /* 2M, user, writable */
}

/* Replaces the large page around gva by small ones where necessary, and maps one of them with these flags. */
void vm_map_4k(struct vm *vm, u64 gva, u64 gpa, u64 flags)
{
	u64 *pde = (u64 *)(vm->mem + GUEST_PD) + (gva >> 21);
	u64 *pt;

	build_paging(vm);
	if (*pde & 0x80) {
		CHECK(vm->next_pt < GUEST_PT_END, "out of page tables");
		pt = (u64 *)(vm->mem + vm->next_pt);
		for (u64 i = 0; i < 512; i++)
			pt[i] = (*pde & ~0x1fffffULL) + (i << 12) + 7;
		*pde = vm->next_pt | 7;
		vm->next_pt += PAGE_SIZE;
	}
	pt = (u64 *)(vm->mem + (*pde & ~0xfffULL));
	pt[gva >> 12 & 511] = gpa | flags;
}

static void set_segment(struct kvm_segment *s, u16 selector, u8 type, bool l, bool db)
{
	*s = (struct kvm_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.dpl = selector & 3,
		.db = db,
		.s = 1,
		.l = l,
		.g = 1,
	};
}

static void set_data_segments(struct kvm_sregs *sregs)
{
	set_segment(&sregs->ds, SEL_DATA, 3, false, true);
	sregs->es = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->ss = sregs->ds;
}

static void start_at(struct vcpu *v, u64 rip, u64 rsp, u64 arg)
{
	struct kvm_regs regs = { .rip = rip, .rsp = rsp, .rdi = arg, .rflags = 2 };

	vcpu_set_regs(v, &regs);
}

void vcpu_mode_long(struct vcpu *v, void (*entry)(u64), u64 arg)
{
	struct vm *vm = v->vm;
	struct kvm_sregs sregs = vcpu_sregs(v);
	u64 rsp = GUEST_STACKS + (u64)(v->id % 8 + 1) * 0x10000 - 16;

	build_gdt(vm);
	build_idt64(vm);
	build_paging(vm);
	set_segment(&sregs.cs, SEL_CODE64, 0xb, true, false);
	set_data_segments(&sregs);
	sregs.tr = (struct kvm_segment){ .selector = SEL_TSS64, .base = GUEST_TSS, .limit = 0x67,
					 .type = 0xb, .present = 1 };
	sregs.ldt = (struct kvm_segment){ .unusable = 1 };
	sregs.gdt.base = GUEST_GDT;
	sregs.gdt.limit = 0xff;
	sregs.idt.base = GUEST_IDT;
	sregs.idt.limit = 0xfff;
	sregs.cr0 = 0x80000033;	/* PG NE ET MP PE */
	sregs.cr3 = GUEST_PML4;
	sregs.cr4 = 0x620;	/* OSXMMEXCPT OSFXSR PAE */
	sregs.efer = 0x500;	/* LMA LME */
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &sregs));
	*(u64 *)(vm->mem + rsp - 8) = (uintptr_t)g_return;
	start_at(v, (uintptr_t)entry, rsp - 8, arg);
}

void vcpu_mode_prot32(struct vcpu *v, u32 entry)
{
	struct kvm_sregs sregs = vcpu_sregs(v);

	build_gdt(v->vm);
	build_idt32(v->vm);
	set_segment(&sregs.cs, SEL_CODE32, 0xb, false, true);
	set_data_segments(&sregs);
	sregs.tr = (struct kvm_segment){ .selector = SEL_TSS32_A, .base = GUEST_TSS32_A, .limit = 0x67,
					 .type = 0xb, .present = 1 };
	((u64 *)(v->vm->mem + GUEST_GDT))[SEL_TSS32_A / 8] |= 2ULL << 40; /* busy, as TR says */
	sregs.ldt = (struct kvm_segment){ .unusable = 1 };
	sregs.gdt.base = GUEST_GDT;
	sregs.gdt.limit = 0xff;
	sregs.idt.base = GUEST_IDT32;
	sregs.idt.limit = 0x7ff;
	sregs.cr0 = 0x33;
	sregs.cr4 = 0x600;
	sregs.efer = 0;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &sregs));
	start_at(v, entry, GUEST_STACKS + (u64)(v->id % 8 + 1) * 0x10000 - 16, 0);
}

void vcpu_mode_real(struct vcpu *v, u16 cs, u16 ip)
{
	struct kvm_sregs sregs = vcpu_sregs(v);

	sregs.cs.selector = cs;
	sregs.cs.base = (u32)cs << 4;
	sregs.ds.selector = sregs.es.selector = sregs.ss.selector = sregs.fs.selector = sregs.gs.selector = 0;
	sregs.ds.base = sregs.es.base = sregs.ss.base = sregs.fs.base = sregs.gs.base = 0;
	CHECK_OK(ioctl(v->fd, KVM_SET_SREGS, &sregs));
	start_at(v, ip, 0x7000, 0);
}

void vm_load_code(struct vm *vm, u64 gpa, const u8 *start, const u8 *stop)
{
	CHECK(gpa + (u64)(stop - start) <= vm->size, "code outside the guest's memory");
	memcpy(vm->mem + gpa, start, (size_t)(stop - start));
}
