/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A second page walk, written from the manual's tables in another way than emulate/walk.c: one function for each
 * paging mode, plain loads, checks in the order of SDM vol. 3, 4.7.  It works on a copy of the same small physical
 * memory, so that accessed and dirty flags can be compared too.  Used by test_walk.c and fuzz_walk.c.
 */
#ifndef VTX_SELFTESTS_WALK_REFERENCE_H
#define VTX_SELFTESTS_WALK_REFERENCE_H

#include <assert.h>
#include <asm/processor-flags.h>
#include "emulate/walk.h"

#define LMA BIT_ULL(10)
#define NXE BIT_ULL(11)

#ifndef PAGES
#define PAGES 64
#endif
static u64 phys[PAGES * 512], ref_phys[PAGES * 512];
static unsigned int reads, races;
static int read_error;

static int read_pte(void *opaque, u64 gpa, unsigned int size, u64 *pte)
{
	reads++;
	if (read_error)
		return read_error;
	if (gpa + size > sizeof(phys))
		return -EFAULT;
	assert(gpa % size == 0);
	*pte = 0;
	memcpy(pte, (u8 *)phys + gpa, size);
	return 0;
}

static int cmpxchg_pte(void *opaque, u64 gpa, unsigned int size, u64 old, u64 new)
{
	assert(gpa + size <= sizeof(phys));
	if (races) {
		races--;
		return -EAGAIN;
	}
	if (memcmp((u8 *)phys + gpa, &old, size)) /* a table that maps itself: one entry at two levels */
		return -EAGAIN;
	assert(!((old ^ new) & ~0x60ULL));
	memcpy((u8 *)phys + gpa, &new, size);
	return 0;
}

static const struct vtx_walk_ops ops = { read_pte, cmpxchg_pte };

/* The reference works on ref_phys. */

struct reference {
	const struct vtx_walk_cpu *cpu;
	unsigned int access;
	bool efault;          /* a table is outside memory */
	bool fault, rsvd, present;
	u64 gpa, size;
	bool rw, us, xd;
	u64 used[5];          /* byte addresses of the entries used */
	unsigned int nr_used, entry;
};

static u64 ref_load(struct reference *r, u64 gpa)
{
	u64 val = 0;

	if (gpa + r->entry > sizeof(ref_phys)) {
		r->efault = true;
		return 0;
	}
	memcpy(&val, (u8 *)ref_phys + gpa, r->entry);
	r->used[r->nr_used++] = gpa;
	return val;
}

static bool bits(u64 val, unsigned int high, unsigned int low)
{
	unsigned int i;

	for (i = low; i <= high && i < 64; i++)
		if (val >> i & 1)
			return true;
	return false;
}

/* An entry in the long formats.  Returns true to stop. */
static bool ref_entry(struct reference *r, u64 pte, bool leaf, unsigned int page_bits, bool pae, bool ps_reserved)
{
	unsigned int m = r->cpu->maxphyaddr;

	if (r->efault)
		return true;
	if (!(pte & 1)) {
		r->fault = true;
		return true;
	}
	r->present = true;
	if (bits(pte, 51, m) || (pae && bits(pte, 62, 52)) || (!(r->cpu->efer & NXE) && pte >> 63) ||
	    (ps_reserved && (pte & 0x80)) || (leaf && page_bits > 12 && bits(pte, page_bits - 1, 13))) {
		r->fault = r->rsvd = true;
		return true;
	}
	r->present = false;
	r->rw = r->rw && (pte & 2);
	r->us = r->us && (pte & 4);
	r->xd = r->xd || pte >> 63;
	return false;
}

static u64 ref_address(u64 pte)
{
	return pte & 0x000ffffffffff000;
}

static void ref_long(struct reference *r, u64 gva, bool la57)
{
	u64 table = r->cpu->cr3 & 0x000ffffffffff000 & ((1ULL << r->cpu->maxphyaddr) - 1), pte;

	r->entry = 8;
	if (la57) {
		pte = ref_load(r, table + (gva >> 48 & 511) * 8);
		if (ref_entry(r, pte, false, 0, false, true))
			return;
		table = ref_address(pte);
	}
	pte = ref_load(r, table + (gva >> 39 & 511) * 8);
	if (ref_entry(r, pte, false, 0, false, true))
		return;
	pte = ref_load(r, ref_address(pte) + (gva >> 30 & 511) * 8);
	if ((pte & 0x80) && r->cpu->gbpages) {
		if (ref_entry(r, pte, true, 30, false, false))
			return;
		r->size = 1 << 30;
		r->gpa = (ref_address(pte) & ~0x3fffffffULL) + (gva & 0x3fffffff);
		return;
	}
	if (ref_entry(r, pte, false, 0, false, true))
		return;
	pte = ref_load(r, ref_address(pte) + (gva >> 21 & 511) * 8);
	if (ref_entry(r, pte, pte & 0x80, 21, false, false))
		return;
	if (pte & 0x80) {
		r->size = 1 << 21;
		r->gpa = (ref_address(pte) & ~0x1fffffULL) + (gva & 0x1fffff);
		return;
	}
	pte = ref_load(r, ref_address(pte) + (gva >> 12 & 511) * 8);
	if (ref_entry(r, pte, true, 12, false, false))
		return;
	r->size = 4096;
	r->gpa = ref_address(pte) + (gva & 0xfff);
}

static void ref_pae(struct reference *r, u64 gva)
{
	u64 pdpte = r->cpu->pdptrs[gva >> 30 & 3], pte;

	r->entry = 8;
	if (!(pdpte & 1)) {
		r->fault = true;
		return;
	}
	pdpte &= (1ULL << r->cpu->maxphyaddr) - 1;
	pte = ref_load(r, ref_address(pdpte) + (gva >> 21 & 511) * 8);
	if (ref_entry(r, pte, pte & 0x80, 21, true, false))
		return;
	if (pte & 0x80) {
		r->size = 1 << 21;
		r->gpa = (ref_address(pte) & ~0x1fffffULL) + (gva & 0x1fffff);
		return;
	}
	pte = ref_load(r, ref_address(pte) + (gva >> 12 & 511) * 8);
	if (ref_entry(r, pte, true, 12, true, false))
		return;
	r->size = 4096;
	r->gpa = ref_address(pte) + (gva & 0xfff);
}

static void ref_32(struct reference *r, u64 gva)
{
	unsigned int m = r->cpu->maxphyaddr < 40 ? r->cpu->maxphyaddr : 40;
	u64 pde, pte;

	r->entry = 4;
	pde = ref_load(r, (r->cpu->cr3 & 0xfffff000) + (gva >> 22 & 1023) * 4);
	if (r->efault)
		return;
	if (!(pde & 1)) {
		r->fault = true;
		return;
	}
	r->rw = pde & 2;
	r->us = pde & 4;
	if ((pde & 0x80) && (r->cpu->cr4 & X86_CR4_PSE)) {
		if (bits(pde, 21, m - 19)) {
			r->fault = r->rsvd = r->present = true;
			return;
		}
		r->size = 1 << 22;
		r->gpa = (pde & 0xffc00000) + ((pde >> 13 & 0xff) << 32) + (gva & 0x3fffff);
		return;
	}
	pte = ref_load(r, (pde & 0xfffff000) + (gva >> 12 & 1023) * 4);
	if (r->efault)
		return;
	if (!(pte & 1)) {
		r->fault = true;
		return;
	}
	r->rw = r->rw && (pte & 2);
	r->us = r->us && (pte & 4);
	r->size = 4096;
	r->gpa = (pte & 0xfffff000) + (gva & 0xfff);
}

/* The table of SDM vol. 3, 4.6.1, spelled out */
static bool ref_allowed(const struct reference *r)
{
	bool write = r->access & VTX_WALK_WRITE, exec = r->access & VTX_WALK_EXEC;
	bool implicit = r->access & VTX_WALK_IMPLICIT, wp = r->cpu->cr0 & X86_CR0_WP;
	bool smep = r->cpu->cr4 & X86_CR4_SMEP, smap = r->cpu->cr4 & X86_CR4_SMAP;
	bool supervisor = r->cpu->cpl < 3 || implicit;

	if (supervisor && !r->us) {
		if (exec)
			return !r->xd;
		return !write || !wp || r->rw;
	}
	if (supervisor) {
		if (exec)
			return !smep && !r->xd;
		if (smap && (implicit || !r->cpu->rflags_ac))
			return false;
		return !write || !wp || r->rw;
	}
	if (!r->us)
		return false;
	if (exec)
		return !r->xd;
	return !write || r->rw;
}

static u32 ref_error(const struct reference *r)
{
	bool nx_enabled = (r->cpu->cr4 & X86_CR4_PAE) && (r->cpu->efer & NXE);
	u32 code = 0;

	if (r->present)
		code |= 1;
	if (r->access & VTX_WALK_WRITE)
		code |= 2;
	if (r->cpu->cpl == 3 && !(r->access & VTX_WALK_IMPLICIT))
		code |= 4;
	if (r->rsvd)
		code |= 8;
	if ((r->access & VTX_WALK_EXEC) && (nx_enabled || (r->cpu->cr4 & X86_CR4_SMEP)))
		code |= 16;
	return code;
}

static void ref_set_bits(const struct reference *r)
{
	unsigned int i;

	if (r->access & VTX_WALK_NO_SET_AD)
		return;
	for (i = 0; i < r->nr_used; i++) {
		u8 *low = (u8 *)ref_phys + r->used[i];

		*low |= 0x20;
		if (i == r->nr_used - 1 && (r->access & VTX_WALK_WRITE))
			*low |= 0x40;
	}
}

static struct reference reference(const struct vtx_walk_cpu *cpu, u64 gva, unsigned int access)
{
	struct reference r = { .cpu = cpu, .access = access, .rw = true, .us = true };

	if (!(cpu->cr0 & X86_CR0_PG)) {
		r.size = 1ULL << 32;
		r.gpa = (u32)gva;
		return r;
	}
	if (cpu->efer & LMA)
		ref_long(&r, gva, cpu->cr4 & X86_CR4_LA57);
	else if (cpu->cr4 & X86_CR4_PAE)
		ref_pae(&r, (u32)gva);
	else
		ref_32(&r, (u32)gva);
	if (r.efault || r.fault)
		return r;
	if (!ref_allowed(&r)) {
		r.fault = r.present = true;
		return r;
	}
	ref_set_bits(&r);
	return r;
}

#endif /* VTX_SELFTESTS_WALK_REFERENCE_H */
