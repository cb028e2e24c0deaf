/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's page walk: linear to guest-physical address, as SDM vol. 3 chapter 4 describes it.
 *
 * All paging modes (none, 32-bit with and without PSE, PAE, 4-level, 5-level), the permission checks with U/S, R/W, XD,
 * CR0.WP, SMEP and SMAP, reserved bits, and the accessed and dirty flags.  Protection keys, shadow stacks and LAM are
 * off: a guest that sets CR4.PKE, CR4.PKS or CR4.CET must be refused by who lets it write CR4.
 */
#ifndef VTX_EMULATE_WALK_H
#define VTX_EMULATE_WALK_H

#include "compat/pure.h"

/* What an access is.  READ is none of the others. */
#define VTX_WALK_READ     0
#define VTX_WALK_WRITE    BIT(0)
#define VTX_WALK_EXEC     BIT(1) /* instruction fetch; not together with WRITE */
#define VTX_WALK_IMPLICIT BIT(2) /* implicit supervisor access (descriptor tables, TSS): CPL and EFLAGS.AC ignored */
#define VTX_WALK_NO_SET_AD BIT(3) /* translate for inspection (KVM_TRANSLATE): accessed and dirty flags stay */

struct vtx_walk_cpu {
	u64 cr0, cr3, cr4, efer;
	bool rflags_ac;
	u8 cpl;
	u8 maxphyaddr;  /* guest's physical address width, 32 to 52 */
	bool gbpages;   /* CPUID says 1 GiB pages */
	u64 pdptrs[4];  /* PAE paging: the registers loaded at the last MOV to CR3 */
};

/* Each returns 0 or a negative errno, which ends the walk and is returned by vtx_walk(). */
struct vtx_walk_ops {
	/* The entry of size bytes (4 or 8, aligned) at gpa. */
	int (*read_pte)(void *opaque, u64 gpa, unsigned int size, u64 *pte);
	/* Set it to new if it is still old, atomically; -EAGAIN when it is not (the walk starts over). */
	int (*cmpxchg_pte)(void *opaque, u64 gpa, unsigned int size, u64 old, u64 new);
};

struct vtx_walk_result {
	bool fault;      /* #PF with error_code; otherwise gpa and the rest are valid */
	u32 error_code;
	u64 gpa;
	u64 page_size;   /* bytes; 4 GiB with paging off */
	bool writable;   /* R/W of all levels; the page's own attributes, whoever asks */
	bool user;       /* U/S of all levels */
	bool executable; /* no XD at any level */
};

/*
 * vtx_walk - translate gva for one access
 *
 * Returns 0 with *out filled (also when out->fault); an op's errno (-EFAULT: a table lies outside guest memory, for
 * example); -EAGAIN when the tables changed under the walk several times running: try again; -EINVAL when gva is not
 * canonical in 4- or 5-level paging, or maxphyaddr is out of range.
 * No locks are needed; each entry is read once per try.
 */
int vtx_walk(const struct vtx_walk_cpu *cpu, const struct vtx_walk_ops *ops, void *opaque, u64 gva,
	     unsigned int access, struct vtx_walk_result *out);

#endif /* VTX_EMULATE_WALK_H */
