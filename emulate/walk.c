// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest's page walk (SDM vol. 3, 4.3 to 4.8).  One loop serves all paging modes; what differs is in struct
 * format.  Accessed and dirty flags are set only when the access is allowed, one compare-and-exchange for each
 * entry; when an entry has changed since it was read, the walk starts over.
 */
#include "compat/pure.h"
#include <asm/processor-flags.h>
#include "emulate/walk.h"

#define PTE_P    BIT_ULL(0)
#define PTE_RW   BIT_ULL(1)
#define PTE_US   BIT_ULL(2)
#define PTE_A    BIT_ULL(5)
#define PTE_D    BIT_ULL(6)
#define PTE_PS   BIT_ULL(7)
#define PTE_XD   BIT_ULL(63)

#define EFER_LMA BIT_ULL(10)
#define EFER_NXE BIT_ULL(11)

#define PF_PRESENT BIT(0)
#define PF_WRITE   BIT(1)
#define PF_USER    BIT(2)
#define PF_RSVD    BIT(3)
#define PF_FETCH   BIT(4)

#define MAX_LEVELS 5
#define MAX_TRIES  8

/* What the paging mode makes of the tables */
struct format {
	unsigned int levels;     /* 2 to 5; of PAE 2, its PDPTEs are registers */
	unsigned int index_bits; /* 10 or 9 */
	unsigned int entry_size;
	bool long_mode;
};

/* One try */
struct walk {
	const struct vtx_walk_cpu *cpu;
	const struct vtx_walk_ops *ops;
	void *opaque;
	struct format fmt;
	u64 gva;
	u64 table;                /* gpa of the present table */
	unsigned int level;       /* of the entry last read; 1 is the page table */
	u64 gpa[MAX_LEVELS + 1];  /* by level: where the entry is, */
	u64 pte[MAX_LEVELS + 1];  /* and what it held */
	u64 all, any;             /* AND and OR of the entries */
};

static bool canonical(const struct vtx_walk_cpu *cpu, u64 gva)
{
	unsigned int shift = cpu->cr4 & X86_CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(gva << shift) >> shift) == gva;
}

static struct format paging_format(const struct vtx_walk_cpu *cpu)
{
	if (cpu->efer & EFER_LMA)
		return (struct format){ cpu->cr4 & X86_CR4_LA57 ? 5 : 4, 9, 8, true };
	if (cpu->cr4 & X86_CR4_PAE)
		return (struct format){ 2, 9, 8, false };
	return (struct format){ 2, 10, 4, false };
}

static unsigned int level_shift(const struct walk *w)
{
	return 12 + (w->level - 1) * w->fmt.index_bits;
}

/* Bits m to 51 */
static u64 above_maxphyaddr(const struct vtx_walk_cpu *cpu)
{
	return GENMASK_ULL(51, 0) & ~(BIT_ULL(cpu->maxphyaddr) - 1);
}

static bool page_bit_means_page(const struct walk *w)
{
	if (w->fmt.entry_size == 4)
		return w->level == 2 && (w->cpu->cr4 & X86_CR4_PSE);
	return w->level == 2 || (w->level == 3 && w->fmt.long_mode && w->cpu->gbpages);
}

static bool is_leaf(const struct walk *w, u64 pte)
{
	return w->level == 1 || ((pte & PTE_PS) && page_bit_means_page(w));
}

/* 32-bit paging, 4 MiB page with PSE-36: bits 13 up to 20 are address bits 32 up to 39 (SDM vol. 3, table 4-4). */
static u64 pse36_reserved(const struct vtx_walk_cpu *cpu)
{
	unsigned int m = min_t(unsigned int, cpu->maxphyaddr, 40);

	return GENMASK_ULL(21, 0) & ~(BIT_ULL(m - 19) - 1);
}

/* Which bits must be 0 in a present entry (SDM vol. 3, tables 4-4 to 4-20) */
static u64 reserved_bits(const struct walk *w, u64 pte)
{
	bool leaf = is_leaf(w, pte);
	u64 rsvd;

	if (w->fmt.entry_size == 4)
		return leaf && w->level == 2 ? pse36_reserved(w->cpu) : 0;
	rsvd = above_maxphyaddr(w->cpu);
	if (!w->fmt.long_mode)
		rsvd |= GENMASK_ULL(62, 52); /* ignored in 4- and 5-level paging */
	if (!(w->cpu->efer & EFER_NXE))
		rsvd |= PTE_XD;
	if (w->level >= 3 && !page_bit_means_page(w))
		rsvd |= PTE_PS;
	if (leaf && w->level > 1)
		rsvd |= GENMASK_ULL(level_shift(w) - 1, 13); /* bit 12 is PAT */
	return rsvd;
}

static bool user_access(const struct walk *w, unsigned int access)
{
	return w->cpu->cpl == 3 && !(access & VTX_WALK_IMPLICIT);
}

static int fault(const struct walk *w, unsigned int access, u32 error, struct vtx_walk_result *out)
{
	u64 cr4 = w->cpu->cr4;

	if (access & VTX_WALK_WRITE)
		error |= PF_WRITE;
	if (user_access(w, access))
		error |= PF_USER;
	if ((access & VTX_WALK_EXEC) && ((cr4 & X86_CR4_SMEP) || ((cr4 & X86_CR4_PAE) && (w->cpu->efer & EFER_NXE))))
		error |= PF_FETCH;
	out->fault = true;
	out->error_code = error;
	return 0;
}

/* SDM vol. 3, 4.6.1 */
static bool access_allowed(const struct walk *w, unsigned int access, const struct vtx_walk_result *page)
{
	const struct vtx_walk_cpu *cpu = w->cpu;

	if (user_access(w, access)) {
		if (!page->user)
			return false;
		if (access & VTX_WALK_WRITE)
			return page->writable;
		return !(access & VTX_WALK_EXEC) || page->executable;
	}
	if (access & VTX_WALK_EXEC)
		return page->executable && !(page->user && (cpu->cr4 & X86_CR4_SMEP));
	if (page->user && (cpu->cr4 & X86_CR4_SMAP) && ((access & VTX_WALK_IMPLICIT) || !cpu->rflags_ac))
		return false;
	return !(access & VTX_WALK_WRITE) || page->writable || !(cpu->cr0 & X86_CR0_WP);
}

/* Set the table register for the topmost level.  False: PAE paging, and the PDPTE is not present. */
static bool start(struct walk *w)
{
	const struct vtx_walk_cpu *cpu = w->cpu;
	u64 pdpte;

	w->level = w->fmt.levels + 1;
	w->all = PTE_RW | PTE_US;
	w->any = 0;
	if (w->fmt.long_mode) {
		w->table = cpu->cr3 & GENMASK_ULL(51, 12) & ~above_maxphyaddr(cpu);
	} else if (w->fmt.entry_size == 4) {
		w->table = cpu->cr3 & 0xfffff000;
	} else {
		pdpte = cpu->pdptrs[(w->gva >> 30) & 3];
		w->table = pdpte & GENMASK_ULL(51, 12) & ~above_maxphyaddr(cpu);
		return pdpte & PTE_P;
	}
	return true;
}

/* Read entries down to the leaf.  *error: 0, or the bits of a #PF.  Returns 0 or the op's errno. */
static int descend(struct walk *w, u32 *error)
{
	u64 pte, index;
	int ret;

	*error = 0;
	do {
		w->level--;
		index = (w->gva >> level_shift(w)) & (BIT_ULL(w->fmt.index_bits) - 1);
		w->gpa[w->level] = w->table + index * w->fmt.entry_size;
		pte = 0;
		ret = w->ops->read_pte(w->opaque, w->gpa[w->level], w->fmt.entry_size, &pte);
		if (ret)
			return ret;
		if (w->fmt.entry_size == 4)
			pte = (u32)pte;
		w->pte[w->level] = pte;
		if (!(pte & PTE_P))
			return 0; /* error stays without PF_PRESENT; the caller sees the entry */
		if (pte & reserved_bits(w, pte)) {
			*error = PF_PRESENT | PF_RSVD;
			return 0;
		}
		w->all &= pte;
		w->any |= pte;
		w->table = pte & (w->fmt.entry_size == 4 ? 0xfffff000 : GENMASK_ULL(51, 12));
	} while (!is_leaf(w, pte));
	return 0;
}

static void describe_page(const struct walk *w, struct vtx_walk_result *out)
{
	u64 pte = w->pte[w->level];
	u64 size = BIT_ULL(level_shift(w));
	u64 base = w->table & ~(size - 1);

	if (w->fmt.entry_size == 4 && w->level == 2)
		base |= ((pte >> 13) & 0xff) << 32;
	out->page_size = size;
	out->gpa = base | (w->gva & (size - 1));
	out->writable = w->all & PTE_RW;
	out->user = w->all & PTE_US;
	out->executable = w->fmt.entry_size == 4 || !(w->any & PTE_XD);
}

/* SDM vol. 3, 4.8: accessed in every entry used, dirty in the one that maps the page */
static int set_accessed_dirty(const struct walk *w, unsigned int access)
{
	unsigned int level;
	int ret;

	for (level = w->fmt.levels; level >= w->level; level--) {
		u64 pte = w->pte[level], new = pte | PTE_A;

		if (level == w->level && (access & VTX_WALK_WRITE))
			new |= PTE_D;
		if (new == pte)
			continue;
		ret = w->ops->cmpxchg_pte(w->opaque, w->gpa[level], w->fmt.entry_size, pte, new);
		if (ret)
			return ret;
	}
	return 0;
}

static int walk_once(struct walk *w, unsigned int access, struct vtx_walk_result *out)
{
	u32 error;
	int ret;

	memset(out, 0, sizeof(*out));
	if (!start(w))
		return fault(w, access, 0, out);
	ret = descend(w, &error);
	if (ret)
		return ret;
	if (error || !(w->pte[w->level] & PTE_P))
		return fault(w, access, error, out);
	describe_page(w, out);
	if (!access_allowed(w, access, out)) {
		memset(out, 0, sizeof(*out));
		return fault(w, access, PF_PRESENT, out);
	}
	return access & VTX_WALK_NO_SET_AD ? 0 : set_accessed_dirty(w, access);
}

int vtx_walk(const struct vtx_walk_cpu *cpu, const struct vtx_walk_ops *ops, void *opaque, u64 gva,
	     unsigned int access, struct vtx_walk_result *out)
{
	struct walk w = { .cpu = cpu, .ops = ops, .opaque = opaque, .fmt = paging_format(cpu), .gva = gva };
	int ret = -EAGAIN, tries;

	if (cpu->maxphyaddr < 32 || cpu->maxphyaddr > 52)
		return -EINVAL;
	if (!(cpu->cr0 & X86_CR0_PG)) {
		*out = (struct vtx_walk_result){
			.gpa = (u32)gva, .page_size = BIT_ULL(32), .writable = true, .user = true, .executable = true,
		};
		return 0;
	}
	if (!w.fmt.long_mode)
		w.gva = (u32)gva;
	else if (!canonical(cpu, gva))
		return -EINVAL;
	for (tries = 0; tries < MAX_TRIES && ret == -EAGAIN; tries++)
		ret = walk_once(&w, access, out);
	return ret;
}
