// SPDX-License-Identifier: GPL-2.0-only
/* Register and segment state at entry, GDT and identity page tables (SDM vol. 3, chapters 3 and 4). */
#include "userspace-vmm/boot_state.h"

#include <string.h>

#include "userspace-vmm/layout.h"

#define CR0_PE 0x1ULL
#define CR0_ET 0x10ULL
#define CR0_NE 0x20ULL
#define CR0_PG 0x80000000ULL
#define CR4_PAE 0x20ULL
#define EFER_LME 0x100ULL
#define EFER_LMA 0x400ULL

#define PTE_PRESENT 0x1ULL
#define PTE_WRITE 0x2ULL
#define PTE_LARGE 0x80ULL

#define VTX_GDT_ENTRIES 6 /* null, unused, code, data, TSS (two slots in long mode) */

static const struct kvm_segment vtx_code32 = {
	.limit = 0xffffffff, .selector = VTX_SELECTOR_CODE, .type = 11, .present = 1, .db = 1, .s = 1, .g = 1,
};
static const struct kvm_segment vtx_code64 = {
	.limit = 0xffffffff, .selector = VTX_SELECTOR_CODE, .type = 11, .present = 1, .l = 1, .s = 1, .g = 1,
};
static const struct kvm_segment vtx_data = {
	.limit = 0xffffffff, .selector = VTX_SELECTOR_DATA, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1,
};
static const struct kvm_segment vtx_tss = {
	.limit = 0x67, .selector = VTX_SELECTOR_TSS, .type = 11, .present = 1,
};

/* The descriptor that loads as SEG: SDM vol. 3, figure 3-8. */
static uint64_t vtx_descriptor(const struct kvm_segment *seg)
{
	uint64_t limit = seg->g ? seg->limit >> 12 : seg->limit;
	uint64_t access = seg->type | (uint64_t)seg->s << 4 | (uint64_t)seg->dpl << 5 | (uint64_t)seg->present << 7;
	uint64_t flags = (uint64_t)seg->avl | (uint64_t)seg->l << 1 | (uint64_t)seg->db << 2 | (uint64_t)seg->g << 3;

	return (limit & 0xffff) | (seg->base & 0xffffff) << 16 | access << 40 | (limit >> 16 & 0xf) << 48 |
	       flags << 52 | (seg->base >> 24 & 0xff) << 56;
}

static void vtx_identity_tables(uint64_t *table)
{
	uint64_t *pdpt = table + 512, *pd = table + 1024;

	memset(table, 0, VTX_PAGE_TABLES_END - VTX_PAGE_TABLES_ADDR);
	table[0] = (VTX_PAGE_TABLES_ADDR + 0x1000) | PTE_PRESENT | PTE_WRITE;
	for (unsigned int i = 0; i < 4; i++)
		pdpt[i] = (VTX_PAGE_TABLES_ADDR + 0x2000 + 0x1000 * i) | PTE_PRESENT | PTE_WRITE;
	for (uint64_t i = 0; i < 4 * 512; i++)
		pd[i] = i << 21 | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
}

int vtx_boot_tables(const struct vtx_ram *ram, enum vtx_entry_mode mode, struct vtx_error *error)
{
	uint64_t *gdt = vtx_ram_at(ram, VTX_GDT_ADDR, VTX_GDT_ENTRIES * 8);
	uint64_t *tables = vtx_ram_at(ram, VTX_PAGE_TABLES_ADDR, VTX_PAGE_TABLES_END - VTX_PAGE_TABLES_ADDR);

	if (!gdt || !tables)
		return vtx_error_set(error, VTX_STATUS_IMAGE, "guest memory is too small for a GDT and page tables");
	if (mode == VTX_ENTRY_REAL)
		return 0;
	memset(gdt, 0, VTX_GDT_ENTRIES * 8);
	gdt[VTX_SELECTOR_CODE / 8] = vtx_descriptor(mode == VTX_ENTRY_LONG ? &vtx_code64 : &vtx_code32);
	gdt[VTX_SELECTOR_DATA / 8] = vtx_descriptor(&vtx_data);
	gdt[VTX_SELECTOR_TSS / 8] = vtx_descriptor(&vtx_tss);
	if (mode == VTX_ENTRY_LONG)
		vtx_identity_tables(tables);
	return 0;
}

static void vtx_real_sregs(const struct vtx_entry *entry, struct kvm_sregs *sregs)
{
	struct kvm_segment *const data[] = { &sregs->ds, &sregs->es, &sregs->fs, &sregs->gs, &sregs->ss };

	sregs->cr0 = CR0_ET;
	sregs->cs.selector = entry->cs;
	sregs->cs.base = (uint64_t)entry->cs << 4;
	for (unsigned int i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
		data[i]->selector = 0;
		data[i]->base = 0;
	}
}

void vtx_boot_sregs(const struct vtx_entry *entry, struct kvm_sregs *sregs)
{
	if (entry->mode == VTX_ENTRY_REAL) {
		vtx_real_sregs(entry, sregs);
		return;
	}
	sregs->cs = entry->mode == VTX_ENTRY_LONG ? vtx_code64 : vtx_code32;
	sregs->ds = sregs->es = sregs->fs = sregs->gs = sregs->ss = vtx_data;
	sregs->tr = vtx_tss;
	sregs->gdt.base = VTX_GDT_ADDR;
	sregs->gdt.limit = VTX_GDT_ENTRIES * 8 - 1;
	sregs->idt.base = 0;
	sregs->idt.limit = 0;
	if (entry->mode == VTX_ENTRY_PROTECTED) {
		sregs->cr0 = CR0_PE | CR0_ET;
		sregs->cr4 = 0;
		sregs->efer = 0;
		return;
	}
	sregs->cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
	sregs->cr3 = VTX_PAGE_TABLES_ADDR;
	sregs->cr4 = CR4_PAE;
	sregs->efer = EFER_LME | EFER_LMA;
}

void vtx_boot_regs(const struct vtx_entry *entry, struct kvm_regs *regs)
{
	memset(regs, 0, sizeof(*regs));
	regs->rflags = 2;
	regs->rip = entry->rip;
	regs->rsp = entry->rsp;
	regs->rsi = entry->rsi;
	regs->rbx = entry->rbx;
}
