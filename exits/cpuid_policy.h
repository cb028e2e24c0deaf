/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID: what a guest may see (pure policy), and a vCPU's own table.
 */
#ifndef VTX_EXITS_CPUID_POLICY_H
#define VTX_EXITS_CPUID_POLICY_H

#include "compat/pure.h"
#include <linux/kvm.h>

#define VTX_MAX_CPUID_ENTRIES 256

/* A vCPU's CPUID, sorted by function and index, and facts derived from it once. */
struct vtx_cpuid {
	struct kvm_cpuid_entry2 *entries;	/* allocated; NULL when nent == 0 */
	u32 nent;
	u8 maxphyaddr;			/* 36 without leaf 0x80000008 */
	u64 xcr0_allowed;		/* from leaf 0xd, within what vtx supports */
	u64 cr4_reserved;		/* CR4 bits this vCPU may not set */
	u64 efer_allowed;
	u64 features[4];		/* vtx's own bits, see enum vtx_feature */
};

/* Guest features the module asks about on the fast path. */
enum vtx_feature {
	VTX_F_X2APIC, VTX_F_TSC_DEADLINE, VTX_F_RDTSCP, VTX_F_XSAVE, VTX_F_FSGSBASE, VTX_F_INVPCID, VTX_F_PCID, VTX_F_LM, VTX_F_NX,
	VTX_F_SMEP, VTX_F_SMAP, VTX_F_UMIP, VTX_F_PKU, VTX_F_SPEC_CTRL, VTX_F_IBPB, VTX_F_ARCH_CAP, VTX_F_SYSCALL, VTX_F_MTRR, VTX_F_MCE,
	VTX_F_KVMCLOCK, VTX_F_KVMCLOCK2, VTX_F_MWAIT, VTX_F_TSC_ADJUST, VTX_F_LA57, VTX_F_OSXSAVE_VISIBLE, VTX_F_GBPAGES,
};

static inline bool vtx_cpuid_has(const struct vtx_cpuid *c, enum vtx_feature f)
{
	return c->features[f / 64] >> (f % 64) & 1;
}

#endif /* VTX_EXITS_CPUID_POLICY_H */
