/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The MSRs of a guest: which exist, who may read and write them, and which values are valid. Pure; exits/msr_access.c
 * says what is behind each.
 */
#ifndef VTX_EXITS_MSR_POLICY_H
#define VTX_EXITS_MSR_POLICY_H

#include "compat/pure.h"
#include "exits/cpuid_policy.h"

/* What is behind an index. A range is one id; the place in it is index - row->first. */
enum vtx_msr_id {
	VTX_MSR_NONE,		/* the MSR does not exist */
	VTX_MSR_TSC,
	VTX_MSR_KVM_WALL_CLOCK,
	VTX_MSR_KVM_SYSTEM_TIME,
	VTX_MSR_PLATFORM_ID,
	VTX_MSR_APIC_BASE,
	VTX_MSR_EBL_CR_POWERON,
	VTX_MSR_FEATURE_CONTROL,
	VTX_MSR_TSC_ADJUST,
	VTX_MSR_SPEC_CTRL,
	VTX_MSR_PRED_CMD,
	VTX_MSR_UCODE_WRITE,
	VTX_MSR_UCODE_REV,
	VTX_MSR_PLATFORM_INFO,
	VTX_MSR_MTRR_CAP,
	VTX_MSR_ARCH_CAPABILITIES,
	VTX_MSR_MISC_FEATURES,
	VTX_MSR_SYSENTER_CS,
	VTX_MSR_SYSENTER_ESP,
	VTX_MSR_SYSENTER_EIP,
	VTX_MSR_MCG_CAP,
	VTX_MSR_MCG_STATUS,
	VTX_MSR_MCG_CTL,
	VTX_MSR_MISC_ENABLE,
	VTX_MSR_DEBUGCTL,
	VTX_MSR_LAST_BRANCH,
	VTX_MSR_POWER_CTL,
	VTX_MSR_MTRR_VAR,
	VTX_MSR_MTRR_FIX64K,
	VTX_MSR_MTRR_FIX16K,
	VTX_MSR_MTRR_FIX4K,
	VTX_MSR_PAT,
	VTX_MSR_MTRR_DEF_TYPE,
	VTX_MSR_MC_BANK,
	VTX_MSR_TSC_DEADLINE,
	VTX_MSR_X2APIC,
	VTX_MSR_EFER,
	VTX_MSR_STAR,
	VTX_MSR_LSTAR,
	VTX_MSR_CSTAR,
	VTX_MSR_FMASK,
	VTX_MSR_FS_BASE,
	VTX_MSR_GS_BASE,
	VTX_MSR_KERNEL_GS_BASE,
	VTX_MSR_TSC_AUX,
	VTX_MSR_KVM_WALL_CLOCK_NEW,
	VTX_MSR_KVM_SYSTEM_TIME_NEW,
	VTX_MSR_KVM_STEAL_TIME,
	VTX_NR_MSR_IDS,
};

/* Who may do what, and how. */
enum {
	VTX_MSR_GR = BIT(0),	/* guest reads */
	VTX_MSR_GW = BIT(1),	/* guest writes */
	VTX_MSR_HR = BIT(2),	/* KVM_GET_MSRS reads */
	VTX_MSR_HW = BIT(3),	/* KVM_SET_MSRS writes */
	VTX_MSR_LISTED = BIT(4),	/* in KVM_GET_MSR_INDEX_LIST: both directions work for user space */
	VTX_MSR_FEATURE = BIT(5),	/* in KVM_GET_MSR_FEATURE_INDEX_LIST */
	VTX_MSR_SLOW_WRITE = BIT(6),	/* a write may sleep or touch guest memory: not in the inner loop */
	VTX_MSR_NO_INTERCEPT_R = BIT(7),	/* the guest reads the register itself (VM-execution MSR bitmap) */
	VTX_MSR_NO_INTERCEPT_W = BIT(8),
};

/* When is a value valid? */
enum vtx_msr_check {
	VTX_CHECK_ANY,
	VTX_CHECK_MASK,		/* only bits of row->mask; for a read-only value the same as ANY */
	VTX_CHECK_CANONICAL,	/* a 48-bit linear address, sign-extended */
	VTX_CHECK_PAT,
	VTX_CHECK_MTRR_VAR,	/* even index: base and type, odd: mask */
	VTX_CHECK_MTRR_FIX,
	VTX_CHECK_MTRR_DEF,
	VTX_CHECK_SPEC_CTRL,	/* bits the vCPU's CPUID enumerates */
};

/* Which CPUID features make the MSR exist for the guest (KVM_SET_MSRS does not care)? */
enum vtx_msr_need {
	VTX_NEED_NOTHING, VTX_NEED_TSC_ADJUST, VTX_NEED_SPEC_CTRL, VTX_NEED_IBPB, VTX_NEED_ARCH_CAP, VTX_NEED_MTRR,
	VTX_NEED_TSC_DEADLINE, VTX_NEED_LM, VTX_NEED_TSC_AUX, VTX_NEED_KVMCLOCK, VTX_NEED_KVMCLOCK2, VTX_NEED_STEAL_TIME,
};

struct vtx_msr_row {
	const char *name;
	u32 first, last;
	u16 access;		/* VTX_MSR_* bits above */
	u8 check;		/* enum vtx_msr_check */
	u8 need;		/* enum vtx_msr_need */
	u64 mask;		/* VTX_CHECK_MASK */
};

extern const struct vtx_msr_row vtx_msr_rows[VTX_NR_MSR_IDS];

/* Which MSR is @index? Constant time. */
enum vtx_msr_id vtx_msr_find(u32 index);

/* May the guest (@host false) or user space read or write it, given the vCPU's CPUID? */
bool vtx_msr_readable(enum vtx_msr_id id, const struct vtx_cpuid *cpuid, bool host);
bool vtx_msr_writable(enum vtx_msr_id id, const struct vtx_cpuid *cpuid, bool host);

/* Is @data a value that @index can hold? @limits: whose SPEC_CTRL bits count, the vCPU's or (user space) the host's. */
bool vtx_msr_value_ok(enum vtx_msr_id id, u32 index, u64 data, const struct vtx_cpuid *cpuid, const struct vtx_cpuid *limits);

static inline bool vtx_canonical48(u64 address)
{
	return (u64)((s64)(address << 16) >> 16) == address;
}

/*
 * The MSR bitmap of the VM-execution controls (SDM vol. 3, 25.6.9): 4 KiB that name the accesses that exit. Everything
 * does, but for the rows above that say otherwise.
 */
void vtx_msr_bitmap_fill(u8 bitmap[4096]);
/* One bit: does this access exit? Indices outside the two ranges are ignored. */
void vtx_msr_bitmap_set(u8 bitmap[4096], u32 index, bool write, bool exits);
/* Does the bitmap make this access exit? Indices outside its two ranges always do. */
bool vtx_msr_intercepted(const u8 bitmap[4096], u32 index, bool write);

/*
 * The index lists. @host: facts of the supported table, MSRs the host cannot back are left out. Writes at most @n,
 * returns how many there are. @access: VTX_MSR_LISTED or VTX_MSR_FEATURE.
 */
u32 vtx_msr_list(const struct vtx_cpuid *host, u16 access, u32 *out, u32 n);

/*
 * Position in the vCPU's array of fixed-range MTRRs, 0..10, of an index that vtx_msr_find() knows as one.
 */
unsigned int vtx_mtrr_fixed_slot(u32 index);

/*
 * KVM_SET_MSRS of IA32_TSC: which offset to the host's TSC should the vCPU get?  Clients write each vCPU in turn, some time
 * apart, and mean "all the same": a value less than a second (@hz ticks) from what the VM's TSC shows, and 0, join
 * the VM's common offset @common; another value starts a new one.  @now: the host's TSC.
 */
u64 vtx_tsc_join(u64 value, u64 now, u64 common, u64 hz);

#endif /* VTX_EXITS_MSR_POLICY_H */
