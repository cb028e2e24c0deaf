// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSR policy as one table: every MSR that exists for a guest has a row; what has none does not exist (#GP).
 *
 * Indices and reserved bits are those of SDM vol. 4, chapter 2; KVM's own MSRs those of the kernel's
 * Documentation/virt/kvm/x86/msr.rst.
 */
#include "compat/pure.h"
#include "exits/msr_filter.h"
#include "exits/msr_policy.h"

#define GR VTX_MSR_GR
#define GRW (VTX_MSR_GR | VTX_MSR_GW)
#define HR VTX_MSR_HR
#define HRW (VTX_MSR_HR | VTX_MSR_HW)
#define LIST (VTX_MSR_HR | VTX_MSR_HW | VTX_MSR_LISTED)
#define DIRECT (VTX_MSR_NO_INTERCEPT_R | VTX_MSR_NO_INTERCEPT_W)

#define ONE(index) .first = (index), .last = (index)
#define RANGE(from, to) .first = (from), .last = (to)

/* Bits of IA32_ARCH_CAPABILITIES that state facts about the CPU and need no MSR that vtx does not have. */
#define ARCH_CAP_FACTS                                                                                     \
	(BIT_ULL(0) /* RDCL_NO */ | BIT_ULL(1) /* IBRS_ALL */ | BIT_ULL(2) /* RSBA */ | BIT_ULL(4) /* SSB_NO */ | \
	 BIT_ULL(5) /* MDS_NO */ | BIT_ULL(6) /* PSCHANGE_MC_NO */ | BIT_ULL(8) /* TAA_NO */ |                   \
	 BIT_ULL(13) /* SBDR_SSDP_NO */ | BIT_ULL(14) /* FBSDP_NO */ | BIT_ULL(15) /* PSDP_NO */ |               \
	 BIT_ULL(17) /* FB_CLEAR */ | BIT_ULL(19) /* RRSBA */ | BIT_ULL(20) /* BHI_NO */ |                       \
	 BIT_ULL(24) /* PBRSB_NO */ | BIT_ULL(26) /* GDS_NO */ | BIT_ULL(27) /* RFDS_NO */ |                     \
	 BIT_ULL(28) /* RFDS_CLEAR */)

const struct vtx_msr_row vtx_msr_rows[VTX_NR_MSR_IDS] = {
	[VTX_MSR_NONE] = { "none", RANGE(1, 0), .access = 0 },
	[VTX_MSR_TSC] = { "IA32_TIME_STAMP_COUNTER", ONE(0x10), GRW | LIST | VTX_MSR_NO_INTERCEPT_R },
	[VTX_MSR_KVM_WALL_CLOCK] = { "KVM_WALL_CLOCK", ONE(0x11), GRW | LIST | VTX_MSR_SLOW_WRITE, .need = VTX_NEED_KVMCLOCK },
	[VTX_MSR_KVM_SYSTEM_TIME] = { "KVM_SYSTEM_TIME", ONE(0x12), GRW | LIST | VTX_MSR_SLOW_WRITE, .need = VTX_NEED_KVMCLOCK },
	/* No platform id, no front-side-bus configuration: read as 0, as older guests expect them to be readable. */
	[VTX_MSR_PLATFORM_ID] = { "IA32_PLATFORM_ID", ONE(0x17), GR | HR },
	[VTX_MSR_APIC_BASE] = { "IA32_APIC_BASE", ONE(0x1b), GRW | HRW | VTX_MSR_SLOW_WRITE },
	[VTX_MSR_EBL_CR_POWERON] = { "EBL_CR_POWERON", ONE(0x2a), GR | HR },
	/* Locked, with VMX off: a guest's write is #GP as on any locked CPU; user space may write the value it reads. */
	[VTX_MSR_FEATURE_CONTROL] = { "IA32_FEATURE_CONTROL", ONE(0x3a), GR | HRW, VTX_CHECK_MASK, .mask = 1 },
	[VTX_MSR_TSC_ADJUST] = { "IA32_TSC_ADJUST", ONE(0x3b), GRW | LIST, .need = VTX_NEED_TSC_ADJUST },
	[VTX_MSR_SPEC_CTRL] = { "IA32_SPEC_CTRL", ONE(0x48), GRW | LIST, VTX_CHECK_SPEC_CTRL, VTX_NEED_SPEC_CTRL },
	[VTX_MSR_PRED_CMD] = { "IA32_PRED_CMD", ONE(0x49), VTX_MSR_GW | VTX_MSR_HW, VTX_CHECK_MASK, VTX_NEED_IBPB, .mask = 1 },
	/* Microcode updates are taken and dropped; the revision does not change. */
	[VTX_MSR_UCODE_WRITE] = { "IA32_BIOS_UPDT_TRIG", ONE(0x79), VTX_MSR_GW | VTX_MSR_HW },
	[VTX_MSR_UCODE_REV] = { "IA32_BIOS_SIGN_ID", ONE(0x8b), GRW | LIST | VTX_MSR_FEATURE },
	[VTX_MSR_PLATFORM_INFO] = { "MSR_PLATFORM_INFO", ONE(0xce), GR | LIST },
	[VTX_MSR_MTRR_CAP] = { "IA32_MTRRCAP", ONE(0xfe), GR | HR },
	[VTX_MSR_ARCH_CAPABILITIES] = { "IA32_ARCH_CAPABILITIES", ONE(0x10a), GR | LIST | VTX_MSR_FEATURE, VTX_CHECK_MASK,
					VTX_NEED_ARCH_CAP, .mask = ARCH_CAP_FACTS },
	[VTX_MSR_MISC_FEATURES] = { "MISC_FEATURES_ENABLES", ONE(0x140), GRW | LIST, VTX_CHECK_MASK, .mask = 1 },
	[VTX_MSR_SYSENTER_CS] = { "IA32_SYSENTER_CS", ONE(0x174), GRW | LIST | DIRECT },
	[VTX_MSR_SYSENTER_ESP] = { "IA32_SYSENTER_ESP", ONE(0x175), GRW | LIST | DIRECT },
	[VTX_MSR_SYSENTER_EIP] = { "IA32_SYSENTER_EIP", ONE(0x176), GRW | LIST | DIRECT },
	/* No machine-check banks. User space may write the banks' MSRs all the same: QEMU does without asking. */
	[VTX_MSR_MCG_CAP] = { "IA32_MCG_CAP", ONE(0x179), GR | HR },
	[VTX_MSR_MCG_STATUS] = { "IA32_MCG_STATUS", ONE(0x17a), GRW | LIST, VTX_CHECK_MASK, .mask = 7 },
	[VTX_MSR_MCG_CTL] = { "IA32_MCG_CTL", ONE(0x17b), LIST },
	[VTX_MSR_MISC_ENABLE] = { "IA32_MISC_ENABLE", ONE(0x1a0), GRW | LIST },
	/* LBR and BTF are accepted and dropped, as in KVM; everything else (BTS, trace, freezing) is #GP. */
	[VTX_MSR_DEBUGCTL] = { "IA32_DEBUGCTL", ONE(0x1d9), GRW | HRW, VTX_CHECK_MASK, .mask = 3 },
	[VTX_MSR_LAST_BRANCH] = { "MSR_LASTBRANCH, LER", RANGE(0x1db, 0x1de), GR | HR },
	/* Keeps what is written, for guests that switch C1E there. */
	[VTX_MSR_POWER_CTL] = { "MSR_POWER_CTL", ONE(0x1fc), GRW | LIST },
	[VTX_MSR_MTRR_VAR] = { "IA32_MTRR_PHYSBASE/MASK", RANGE(0x200, 0x20f), GRW | HRW, VTX_CHECK_MTRR_VAR },
	[VTX_MSR_MTRR_FIX64K] = { "IA32_MTRR_FIX64K", ONE(0x250), GRW | HRW, VTX_CHECK_MTRR_FIX },
	[VTX_MSR_MTRR_FIX16K] = { "IA32_MTRR_FIX16K", RANGE(0x258, 0x259), GRW | HRW, VTX_CHECK_MTRR_FIX },
	[VTX_MSR_MTRR_FIX4K] = { "IA32_MTRR_FIX4K", RANGE(0x268, 0x26f), GRW | HRW, VTX_CHECK_MTRR_FIX },
	[VTX_MSR_PAT] = { "IA32_PAT", ONE(0x277), GRW | LIST, VTX_CHECK_PAT },
	[VTX_MSR_MTRR_DEF_TYPE] = { "IA32_MTRR_DEF_TYPE", ONE(0x2ff), GRW | HRW, VTX_CHECK_MTRR_DEF },
	[VTX_MSR_MC_BANK] = { "IA32_MCi_*", RANGE(0x400, 0x47f), HRW },
	[VTX_MSR_TSC_DEADLINE] = { "IA32_TSC_DEADLINE", ONE(0x6e0), GRW | LIST, .need = VTX_NEED_TSC_DEADLINE },
	[VTX_MSR_X2APIC] = { "x2APIC registers", RANGE(0x800, 0x8ff), GRW | HRW },
	[VTX_MSR_EFER] = { "IA32_EFER", ONE(0xc0000080), GRW | HRW },
	[VTX_MSR_STAR] = { "IA32_STAR", ONE(0xc0000081), GRW | LIST },
	[VTX_MSR_LSTAR] = { "IA32_LSTAR", ONE(0xc0000082), GRW | LIST, VTX_CHECK_CANONICAL },
	[VTX_MSR_CSTAR] = { "IA32_CSTAR", ONE(0xc0000083), GRW | LIST, VTX_CHECK_CANONICAL },
	[VTX_MSR_FMASK] = { "IA32_FMASK", ONE(0xc0000084), GRW | LIST, VTX_CHECK_MASK, .mask = 0xffffffff },
	[VTX_MSR_FS_BASE] = { "IA32_FS_BASE", ONE(0xc0000100), GRW | HRW | DIRECT, VTX_CHECK_CANONICAL },
	[VTX_MSR_GS_BASE] = { "IA32_GS_BASE", ONE(0xc0000101), GRW | HRW | DIRECT, VTX_CHECK_CANONICAL },
	[VTX_MSR_KERNEL_GS_BASE] = { "IA32_KERNEL_GS_BASE", ONE(0xc0000102), GRW | LIST | DIRECT, VTX_CHECK_CANONICAL },
	[VTX_MSR_TSC_AUX] = { "IA32_TSC_AUX", ONE(0xc0000103), GRW | LIST, VTX_CHECK_MASK, VTX_NEED_TSC_AUX, .mask = 0xffffffff },
	[VTX_MSR_KVM_WALL_CLOCK_NEW] = { "KVM_WALL_CLOCK_NEW", ONE(0x4b564d00), GRW | LIST | VTX_MSR_SLOW_WRITE,
					 .need = VTX_NEED_KVMCLOCK2 },
	[VTX_MSR_KVM_SYSTEM_TIME_NEW] = { "KVM_SYSTEM_TIME_NEW", ONE(0x4b564d01), GRW | LIST | VTX_MSR_SLOW_WRITE,
					  .need = VTX_NEED_KVMCLOCK2 },
	/* An address aligned to 64 bytes, and bit 0. */
	[VTX_MSR_KVM_STEAL_TIME] = { "KVM_STEAL_TIME", ONE(0x4b564d03), GRW | LIST | VTX_MSR_SLOW_WRITE, VTX_CHECK_MASK,
				     VTX_NEED_STEAL_TIME, .mask = ~0x3eull },
};

/*
 * From index to row without a search. The unit test walks all indices and compares with the rows' ranges.
 */
static const u8 low_map[0x480] = {
	[0x10] = VTX_MSR_TSC,
	[0x11] = VTX_MSR_KVM_WALL_CLOCK,
	[0x12] = VTX_MSR_KVM_SYSTEM_TIME,
	[0x17] = VTX_MSR_PLATFORM_ID,
	[0x1b] = VTX_MSR_APIC_BASE,
	[0x2a] = VTX_MSR_EBL_CR_POWERON,
	[0x3a] = VTX_MSR_FEATURE_CONTROL,
	[0x3b] = VTX_MSR_TSC_ADJUST,
	[0x48] = VTX_MSR_SPEC_CTRL,
	[0x49] = VTX_MSR_PRED_CMD,
	[0x79] = VTX_MSR_UCODE_WRITE,
	[0x8b] = VTX_MSR_UCODE_REV,
	[0xce] = VTX_MSR_PLATFORM_INFO,
	[0xfe] = VTX_MSR_MTRR_CAP,
	[0x10a] = VTX_MSR_ARCH_CAPABILITIES,
	[0x140] = VTX_MSR_MISC_FEATURES,
	[0x174] = VTX_MSR_SYSENTER_CS,
	[0x175] = VTX_MSR_SYSENTER_ESP,
	[0x176] = VTX_MSR_SYSENTER_EIP,
	[0x179] = VTX_MSR_MCG_CAP,
	[0x17a] = VTX_MSR_MCG_STATUS,
	[0x17b] = VTX_MSR_MCG_CTL,
	[0x1a0] = VTX_MSR_MISC_ENABLE,
	[0x1d9] = VTX_MSR_DEBUGCTL,
	[0x1db ... 0x1de] = VTX_MSR_LAST_BRANCH,
	[0x1fc] = VTX_MSR_POWER_CTL,
	[0x200 ... 0x20f] = VTX_MSR_MTRR_VAR,
	[0x250] = VTX_MSR_MTRR_FIX64K,
	[0x258 ... 0x259] = VTX_MSR_MTRR_FIX16K,
	[0x268 ... 0x26f] = VTX_MSR_MTRR_FIX4K,
	[0x277] = VTX_MSR_PAT,
	[0x2ff] = VTX_MSR_MTRR_DEF_TYPE,
	[0x400 ... 0x47f] = VTX_MSR_MC_BANK,
};

#define HIGH_FIRST 0xc0000080u

static const u8 high_map[0x84] = {
	[0x00] = VTX_MSR_EFER,
	[0x01] = VTX_MSR_STAR,
	[0x02] = VTX_MSR_LSTAR,
	[0x03] = VTX_MSR_CSTAR,
	[0x04] = VTX_MSR_FMASK,
	[0x80] = VTX_MSR_FS_BASE,
	[0x81] = VTX_MSR_GS_BASE,
	[0x82] = VTX_MSR_KERNEL_GS_BASE,
	[0x83] = VTX_MSR_TSC_AUX,
};

enum vtx_msr_id vtx_msr_find(u32 index)
{
	if (index < ARRAY_SIZE(low_map))
		return low_map[index];
	if (index - HIGH_FIRST < ARRAY_SIZE(high_map))
		return high_map[index - HIGH_FIRST];
	if (index == 0x6e0)
		return VTX_MSR_TSC_DEADLINE;
	if (index - 0x800 < 0x100)
		return VTX_MSR_X2APIC;
	if (index == 0x4b564d00)
		return VTX_MSR_KVM_WALL_CLOCK_NEW;
	if (index == 0x4b564d01)
		return VTX_MSR_KVM_SYSTEM_TIME_NEW;
	if (index == 0x4b564d03)
		return VTX_MSR_KVM_STEAL_TIME;
	return VTX_MSR_NONE;
}

/* ------------------------------------------------------------------ who */

static bool need_met(u8 need, const struct vtx_cpuid *c)
{
	switch ((enum vtx_msr_need)need) {
	case VTX_NEED_NOTHING:
		return true;
	case VTX_NEED_TSC_ADJUST:
		return vtx_cpuid_has(c, VTX_F_TSC_ADJUST);
	case VTX_NEED_SPEC_CTRL:
		return c->spec_ctrl_allowed;
	case VTX_NEED_IBPB:
		return vtx_cpuid_has(c, VTX_F_IBPB);
	case VTX_NEED_ARCH_CAP:
		return vtx_cpuid_has(c, VTX_F_ARCH_CAP);
	case VTX_NEED_MTRR:
		return vtx_cpuid_has(c, VTX_F_MTRR);
	case VTX_NEED_TSC_DEADLINE:
		return vtx_cpuid_has(c, VTX_F_TSC_DEADLINE);
	case VTX_NEED_LM:
		return vtx_cpuid_has(c, VTX_F_LM);
	case VTX_NEED_TSC_AUX:
		return vtx_cpuid_has(c, VTX_F_RDTSCP) || vtx_cpuid_has(c, VTX_F_RDPID);
	case VTX_NEED_KVMCLOCK:
		return vtx_cpuid_has(c, VTX_F_KVMCLOCK);
	case VTX_NEED_KVMCLOCK2:
		return vtx_cpuid_has(c, VTX_F_KVMCLOCK2);
	case VTX_NEED_STEAL_TIME:
		return vtx_cpuid_has(c, VTX_F_STEAL_TIME);
	}
	return false;
}

static bool allowed(enum vtx_msr_id id, const struct vtx_cpuid *cpuid, u16 guest_bit, u16 host_bit, bool host)
{
	const struct vtx_msr_row *row = &vtx_msr_rows[id];

	if (host)
		return row->access & host_bit;
	return (row->access & guest_bit) && need_met(row->need, cpuid);
}

bool vtx_msr_readable(enum vtx_msr_id id, const struct vtx_cpuid *cpuid, bool host)
{
	return allowed(id, cpuid, VTX_MSR_GR, VTX_MSR_HR, host);
}

bool vtx_msr_writable(enum vtx_msr_id id, const struct vtx_cpuid *cpuid, bool host)
{
	return allowed(id, cpuid, VTX_MSR_GW, VTX_MSR_HW, host);
}

/* ------------------------------------------------------------------ values */

/* Memory types in MTRRs: UC 0, WC 1, WT 4, WP 5, WB 6 (SDM vol. 3, table 12-8); the PAT has UC- 7 as well. */
static bool mtrr_type_ok(u8 type)
{
	return type < 8 && (0x73 >> type & 1);
}

static bool each_byte(u64 data, u8 types)
{
	unsigned int i;

	for (i = 0; i < 64; i += 8)
		if ((u8)(data >> i) > 7 || !(types >> (u8)(data >> i) & 1))
			return false;
	return true;
}

static bool mtrr_var_ok(u32 index, u64 data, const struct vtx_cpuid *cpuid)
{
	u64 reserved = ~0ull << (cpuid->maxphyaddr ? cpuid->maxphyaddr : 36);

	if (index & 1)	/* mask: bit 11 is "valid" */
		return !(data & (reserved | 0x7ff));
	return mtrr_type_ok(data & 0xff) && !(data & (reserved | 0xf00));
}

bool vtx_msr_value_ok(enum vtx_msr_id id, u32 index, u64 data, const struct vtx_cpuid *cpuid, const struct vtx_cpuid *limits)
{
	const struct vtx_msr_row *row = &vtx_msr_rows[id];

	switch ((enum vtx_msr_check)row->check) {
	case VTX_CHECK_ANY:
		return true;
	case VTX_CHECK_MASK:
		return !(data & ~row->mask);
	case VTX_CHECK_CANONICAL:
		return vtx_canonical48(data);
	case VTX_CHECK_PAT:
		return each_byte(data, 0xf3);
	case VTX_CHECK_MTRR_VAR:
		return mtrr_var_ok(index, data, cpuid);
	case VTX_CHECK_MTRR_FIX:
		return each_byte(data, 0x73);
	case VTX_CHECK_MTRR_DEF:
		return !(data & ~0xcffull) && mtrr_type_ok(data & 0xff);
	case VTX_CHECK_SPEC_CTRL:
		return !(data & ~limits->spec_ctrl_allowed);
	}
	return false;
}

unsigned int vtx_mtrr_fixed_slot(u32 index)
{
	if (index >= 0x268)
		return 3 + (index - 0x268);
	return index >= 0x258 ? 1 + (index - 0x258) : 0;
}

/* ------------------------------------------------------------------ the MSR bitmap */

/*
 * Four bitmaps of 1024 bytes: reads of 0..1FFFH, reads of C0000000H..C0001FFFH, writes of the same two.
 * Return the bit's position, or -1 when the bitmap has none.
 */
static int bitmap_bit(u32 index, bool write)
{
	int bit;

	if (index <= 0x1fff)
		bit = index;
	else if (index - 0xc0000000u <= 0x1fff)
		bit = 8192 + (index - 0xc0000000u);
	else
		return -1;
	return bit + (write ? 16384 : 0);
}

void vtx_msr_bitmap_set(u8 bitmap[4096], u32 index, bool write, bool exits)
{
	int bit = bitmap_bit(index, write);

	if (bit < 0)
		return;
	if (exits)
		bitmap[bit / 8] |= 1u << (bit % 8);
	else
		bitmap[bit / 8] &= ~(1u << (bit % 8));
}

void vtx_msr_bitmap_fill(u8 bitmap[4096])
{
	memset(bitmap, 0xff, 4096);
	vtx_msr_filter_bitmap(NULL, bitmap);
}

bool vtx_msr_intercepted(const u8 bitmap[4096], u32 index, bool write)
{
	int bit = bitmap_bit(index, write);

	return bit < 0 || (bitmap[bit / 8] >> (bit % 8) & 1);
}

/* ------------------------------------------------------------------ lists, TSC */

u32 vtx_msr_list(const struct vtx_cpuid *host, u16 access, u32 *out, u32 n)
{
	u32 index, count = 0;
	unsigned int id;

	for (id = 0; id < VTX_NR_MSR_IDS; id++) {
		if (!(vtx_msr_rows[id].access & access) || !need_met(vtx_msr_rows[id].need, host))
			continue;
		for (index = vtx_msr_rows[id].first; index <= vtx_msr_rows[id].last; index++) {
			if (count < n)
				out[count] = index;
			count++;
		}
	}
	return count;
}

u64 vtx_tsc_join(u64 value, u64 now, u64 common, u64 hz)
{
	u64 shown = now + common;

	if (value == 0 || value - shown < hz || shown - value < hz)
		return common;
	return value - now;
}
