/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPUID: what a guest may see (pure policy), and a vCPU's own table.
 *
 * Two tables decide (exits/cpuid_policy.c): which bits of each leaf of the host vtx passes on and which it adds, and which
 * bits of a vCPU's table switch something on in the module.
 */
#ifndef VTX_EXITS_CPUID_POLICY_H
#define VTX_EXITS_CPUID_POLICY_H

#include "compat/pure.h"
#include <linux/kvm.h>

#define VTX_MAX_CPUID_ENTRIES 256
#define VTX_CPUID_1_ECX_MONITOR (1u << 3)
#define VTX_CPUID_1_ECX_SSE3 (1u << 0)

/* Leaves 0..31 of the basic, hypervisor (0x4000_0000) and extended (0x8000_0000) range are found without a search. */
#define VTX_CPUID_QUICK 32

/* A vCPU's CPUID in the order user space gave it, and facts derived from it once. */
struct vtx_cpuid {
	struct kvm_cpuid_entry2 *entries;	/* allocated; NULL when nent == 0 */
	u32 nent;
	u8 maxphyaddr;			/* 36 without leaf 0x80000008 */
	bool frozen;			/* the vCPU has run: the table cannot become another one */
	u64 xcr0_allowed;		/* from leaf 0xd, within what vtx supports */
	u64 cr4_reserved;		/* CR4 bits this vCPU may not set */
	u64 efer_allowed;
	u64 spec_ctrl_allowed;		/* IA32_SPEC_CTRL bits the guest may set */
	u64 features[4];		/* vtx's own bits, see enum vtx_feature */
	u16 quick[3][VTX_CPUID_QUICK];	/* 1 + position of the leaf's first entry, 0: none */
};

/* Guest features the module asks about on the fast path. Each is set only if the host has it, too. */
enum vtx_feature {
	VTX_F_X2APIC, VTX_F_TSC_DEADLINE, VTX_F_RDTSCP, VTX_F_XSAVE, VTX_F_FSGSBASE, VTX_F_INVPCID, VTX_F_PCID, VTX_F_LM, VTX_F_NX,
	VTX_F_SMEP, VTX_F_SMAP, VTX_F_UMIP, VTX_F_PKU, VTX_F_SPEC_CTRL, VTX_F_IBPB, VTX_F_ARCH_CAP, VTX_F_SYSCALL, VTX_F_MTRR, VTX_F_MCE,
	VTX_F_KVMCLOCK, VTX_F_KVMCLOCK2, VTX_F_PV_SCHED_YIELD, VTX_F_STEAL_TIME, VTX_F_MWAIT, VTX_F_TSC_ADJUST, VTX_F_LA57, VTX_F_OSXSAVE_VISIBLE, VTX_F_GBPAGES,
	VTX_F_RDPID,
	VTX_NR_FEATURES,
};

static inline bool vtx_cpuid_has(const struct vtx_cpuid *c, enum vtx_feature f)
{
	return c->features[f / 64] >> (f % 64) & 1;
}

struct vtx_cpuid_regs {
	union {
		struct {
			u32 eax, ebx, ecx, edx;
		};
		u32 reg[4];	/* the same, in this order */
	};
};

/* The host as the policy sees it. */
struct vtx_cpuid_host {
	/* The CPUID instruction. @opaque is the field below. */
	void (*read)(void *opaque, u32 leaf, u32 index, struct vtx_cpuid_regs *out);
	void *opaque;
	u64 xcr0;		/* state components that vtx switches */
	bool invpcid, rdtscp;	/* VM-execution controls that make the instructions usable in a guest */
	bool run_delay;		/* the kernel counts how long a thread waits for a CPU: steal time */
};

/* What leaves mirror of the vCPU's state. */
struct vtx_cpuid_state {
	bool osxsave;		/* CR4.OSXSAVE */
	bool apic_enabled;	/* IA32_APIC_BASE bit 11 */
	bool mwait_follows;	/* leaf 1's MONITOR is the next: KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT is off */
	bool mwait;		/* IA32_MISC_ENABLE bit 18 */
	u64 xcr0;
};

/*
 * KVM_GET_SUPPORTED_CPUID: writes at most @n entries to @out and returns how many there are (at most
 * VTX_MAX_CPUID_ENTRIES).
 */
u32 vtx_cpuid_build(const struct vtx_cpuid_host *host, struct kvm_cpuid_entry2 *out, u32 n);

/*
 * Fills the derived facts of @c from c->entries. @host: the same facts of the supported table, which bound them; NULL while
 * deriving those. @host_xcr0: state components that vtx switches.
 */
void vtx_cpuid_derive(struct vtx_cpuid *c, const struct vtx_cpuid *host, u64 host_xcr0);

/* Brings the mirroring bits up to date: OSXSAVE, OSPKE, APIC, and the XSAVE area sizes of leaf 0xd. */
void vtx_cpuid_mirror(struct vtx_cpuid *c, const struct vtx_cpuid_state *state);

/* The entry for @leaf, @index by search, or NULL. */
struct kvm_cpuid_entry2 *vtx_cpuid_find(const struct vtx_cpuid *c, u32 leaf, u32 index);

enum vtx_cpuid_source {
	VTX_CPUID_NONE,		/* no entry: zeroes, or what topology leaves say in every sub-leaf */
	VTX_CPUID_ENTRY,
	VTX_CPUID_BASIC,	/* out of range: the highest basic leaf's entry */
};

/* The answer for what vtx_cpuid_quick() does not find: other leaves, sub-leaves, and those out of range. */
enum vtx_cpuid_source vtx_cpuid_answer(const struct vtx_cpuid *c, u32 leaf, u32 index, struct vtx_cpuid_regs *out);

/* The entry for @leaf when it is in a quick range and has no sub-leaves or is its own first sub-leaf; otherwise NULL. */
static __always_inline const struct kvm_cpuid_entry2 *vtx_cpuid_quick(const struct vtx_cpuid *c, u32 leaf, u32 index)
{
	const struct kvm_cpuid_entry2 *e;
	u32 low = leaf & 0x3fffffff, slot;

	if (low >= VTX_CPUID_QUICK || leaf >> 30 == 3)
		return NULL;
	slot = c->quick[leaf >> 30][low];
	if (!slot)
		return NULL;
	e = &c->entries[slot - 1];
	if ((e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) && e->index != index)
		return NULL;
	return e;
}

/* Does the vCPU's own table, whatever the host has, show this bit? */
static inline bool vtx_cpuid_1_ecx(const struct vtx_cpuid *c, u32 bit)
{
	const struct kvm_cpuid_entry2 *e = vtx_cpuid_quick(c, 1, 0);

	return e && (e->ecx & bit);
}

#endif /* VTX_EXITS_CPUID_POLICY_H */
