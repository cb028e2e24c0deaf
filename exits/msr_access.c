// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSRs of a guest: what is behind each row of the policy table (exits/msr_policy.c), and their values after reset.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/apicdef.h>
#include <asm/msr.h>
#include <asm/msr-index.h>
#include "exits/cpuid.h"
#include "exits/exits.h"
#include "exits/msr_filter.h"
#include "exits/msr_policy.h"
#include "irqchip/irqchip.h"
#include "pv/clock.h"
#include "pv/guest_tsc.h"
#include "vmx/host_msrs.h"
#include "vmx/regs.h"
#include "vmx/vcpu.h"

#define PAT_RESET 0x0007040600070406ull		/* SDM vol. 3, 12.12.4 */
#define MTRR_CAP (BIT_ULL(10) /* WC */ | BIT_ULL(8) /* fixed */ | 8 /* variable pairs */)
#define UCODE_REV_RESET BIT_ULL(32)
/* In IA32_MISC_ENABLE: no branch trace, no PEBS, and the guest cannot change that. */
#define MISC_ENABLE_FIXED (MSR_IA32_MISC_ENABLE_BTS_UNAVAIL | MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL)

/* ------------------------------------------------------------------ writes with rules of their own */

static int write_misc_enable(struct vtx_vcpu *vcpu, u64 value, bool host)
{
	bool cpuid_follows;

	if (!host) {
		if ((value ^ vcpu->msr_misc_enable) & MISC_ENABLE_FIXED)
			return 1;
		/* Performance monitoring available: read-only, writes are ignored. */
		value &= ~(u64)MSR_IA32_MISC_ENABLE_EMON;
		value |= vcpu->msr_misc_enable & MSR_IA32_MISC_ENABLE_EMON;
	}
	cpuid_follows = ((value ^ vcpu->msr_misc_enable) & MSR_IA32_MISC_ENABLE_MWAIT) &&
			!vtx_quirk(vcpu->vm, KVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT);
	/* The bit exists with SSE3 (SDM vol. 4, table 2-2). */
	if (cpuid_follows && !vtx_cpuid_1_ecx(&vcpu->cpuid, VTX_CPUID_1_ECX_SSE3))
		return 1;
	vcpu->msr_misc_enable = value;
	if (cpuid_follows)
		vtx_cpuid_update(vcpu);
	return 0;
}

static int write_misc_features(struct vtx_vcpu *vcpu, u64 value)
{
	if (value && !(vcpu->msr_platform_info & MSR_PLATFORM_INFO_CPUID_FAULT))
		return 1;
	vcpu->msr_misc_features = value;
	return 0;
}

static int write_platform_info(struct vtx_vcpu *vcpu, u64 value)
{
	if (vcpu->msr_misc_features && !(value & MSR_PLATFORM_INFO_CPUID_FAULT))
		return 1;
	vcpu->msr_platform_info = value;
	return 0;
}

/* The host's facts, as far as they hold in a guest. */
static u64 host_arch_capabilities(void)
{
	u64 value = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, value);
	return value & vtx_msr_rows[VTX_MSR_ARCH_CAPABILITIES].mask;
}

static int write_pred_cmd(u64 value, bool host)
{
	if (value && !host && boot_cpu_has(X86_FEATURE_IBPB))
		wrmsrl(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
	return 0;
}

/* A non-canonical value is made canonical here, as KVM does: the processor refuses it in a guest-state field. */
static unsigned long canonical(u64 value)
{
	return (s64)(value << 16) >> 16;
}

/* ------------------------------------------------------------------ what needs no code: tables by id */

#define AT(field) offsetof(struct vtx_vcpu, field)

/* MSRs that read as a field of the vCPU; for a range, its first. Nothing of interest is at offset 0. */
static const u16 read_from[VTX_NR_MSR_IDS] = {
	[VTX_MSR_KVM_SYSTEM_TIME] = AT(pv_clock.system_time_msr),
	[VTX_MSR_KVM_SYSTEM_TIME_NEW] = AT(pv_clock.system_time_msr),
	[VTX_MSR_KVM_STEAL_TIME] = AT(pv_steal.msr),
	[VTX_MSR_APIC_BASE] = AT(apic_base),
	[VTX_MSR_TSC_ADJUST] = AT(tsc_adjust),
	[VTX_MSR_SPEC_CTRL] = AT(msr_spec_ctrl),
	[VTX_MSR_UCODE_REV] = AT(msr_ucode_rev),
	[VTX_MSR_PLATFORM_INFO] = AT(msr_platform_info),
	[VTX_MSR_ARCH_CAPABILITIES] = AT(msr_arch_capabilities),
	[VTX_MSR_MISC_FEATURES] = AT(msr_misc_features),
	[VTX_MSR_MCG_STATUS] = AT(mcg_status),
	[VTX_MSR_MCG_CTL] = AT(mcg_ctl),
	[VTX_MSR_MISC_ENABLE] = AT(msr_misc_enable),
	[VTX_MSR_POWER_CTL] = AT(msr_power_ctl),
	[VTX_MSR_MTRR_VAR] = AT(mtrr_var),
	[VTX_MSR_MTRR_DEF_TYPE] = AT(mtrr_def_type),
	[VTX_MSR_EFER] = AT(efer),
	[VTX_MSR_CSTAR] = AT(msr_cstar),
};

/* Those of them that are written by storing the (valid) value. */
static const u16 written_to[VTX_NR_MSR_IDS] = {
	[VTX_MSR_SPEC_CTRL] = AT(msr_spec_ctrl),
	[VTX_MSR_MCG_STATUS] = AT(mcg_status),
	[VTX_MSR_MCG_CTL] = AT(mcg_ctl),
	[VTX_MSR_POWER_CTL] = AT(msr_power_ctl),
	[VTX_MSR_MTRR_VAR] = AT(mtrr_var),
	[VTX_MSR_MTRR_DEF_TYPE] = AT(mtrr_def_type),
	[VTX_MSR_CSTAR] = AT(msr_cstar),
};

/* MSRs whose place is the VMCS. */
static const u16 vmcs_field[VTX_NR_MSR_IDS] = {
	[VTX_MSR_SYSENTER_CS] = GUEST_SYSENTER_CS,
	[VTX_MSR_SYSENTER_ESP] = GUEST_SYSENTER_ESP,
	[VTX_MSR_SYSENTER_EIP] = GUEST_SYSENTER_EIP,
	[VTX_MSR_PAT] = GUEST_IA32_PAT,
	[VTX_MSR_FS_BASE] = GUEST_FS_BASE,
	[VTX_MSR_GS_BASE] = GUEST_GS_BASE,
};

static u64 *field(struct vtx_vcpu *vcpu, u16 at, u32 place)
{
	return (u64 *)((u8 *)vcpu + at) + place;
}

/* ------------------------------------------------------------------ the two directions */

static int get_value(struct vtx_vcpu *vcpu, enum vtx_msr_id id, u32 index, u64 *data)
{
	if (read_from[id]) {
		*data = *field(vcpu, read_from[id], index - vtx_msr_rows[id].first);
		return 0;
	}
	if (vmcs_field[id]) {
		*data = vtx_vmread(vmcs_field[id]);
		return 0;
	}
	switch (id) {
	case VTX_MSR_TSC:
		*data = vtx_guest_tsc(vcpu, rdtsc());
		return 0;
	case VTX_MSR_KVM_WALL_CLOCK:
	case VTX_MSR_KVM_WALL_CLOCK_NEW:
		*data = READ_ONCE(vcpu->vm->clock.wall_clock_msr);
		return 0;
	case VTX_MSR_PLATFORM_ID:
	case VTX_MSR_EBL_CR_POWERON:
	case VTX_MSR_DEBUGCTL:
	case VTX_MSR_LAST_BRANCH:
	case VTX_MSR_MCG_CAP:
	case VTX_MSR_MC_BANK:
		*data = 0;
		return 0;
	case VTX_MSR_FEATURE_CONTROL:
		*data = FEAT_CTL_LOCKED;
		return 0;
	case VTX_MSR_MTRR_CAP:
		*data = MTRR_CAP;
		return 0;
	case VTX_MSR_MTRR_FIX64K:
	case VTX_MSR_MTRR_FIX16K:
	case VTX_MSR_MTRR_FIX4K:
		*data = vcpu->mtrr_fixed[vtx_mtrr_fixed_slot(index)];
		return 0;
	case VTX_MSR_TSC_DEADLINE:
		*data = vtx_tsc_deadline_read(vcpu);
		return 0;
	case VTX_MSR_X2APIC:
		return vcpu->apic ? vtx_x2apic_msr_read(vcpu, index, data) : 1;
	default:	/* STAR and friends, which may be in the CPU; 1 for all others */
		return vtx_guest_msr_read(vcpu, index, data);
	}
}

static void set_vmcs_value(enum vtx_msr_id id, u64 data)
{
	if (id == VTX_MSR_SYSENTER_ESP || id == VTX_MSR_SYSENTER_EIP)
		data = canonical(data);
	vtx_vmwrite(vmcs_field[id], data);
}

/* Time: these do more than store. */
static int set_time_value(struct vtx_vcpu *vcpu, enum vtx_msr_id id, u64 data, bool host)
{
	switch (id) {
	case VTX_MSR_TSC:
		if (host)
			vtx_tsc_host_write(vcpu, data);
		else
			vtx_tsc_guest_write(vcpu, data);
		return 0;
	case VTX_MSR_TSC_ADJUST:
		vtx_tsc_adjust_write(vcpu, data, host);
		return 0;
	case VTX_MSR_TSC_DEADLINE:
		vtx_tsc_deadline_write(vcpu, data);
		return 0;
	case VTX_MSR_KVM_WALL_CLOCK:
	case VTX_MSR_KVM_WALL_CLOCK_NEW:
		if (vtx_pv_clock_set_wall_clock(vcpu, data))
			return 1;
		WRITE_ONCE(vcpu->vm->clock.wall_clock_msr, data);
		return 0;
	case VTX_MSR_KVM_SYSTEM_TIME:
	case VTX_MSR_KVM_SYSTEM_TIME_NEW:
		return vtx_pv_clock_set_system_time(vcpu, data);
	case VTX_MSR_KVM_STEAL_TIME:
		vtx_pv_steal_set(vcpu, data);
		return 0;
	default:
		return 1;
	}
}

static int set_value(struct vtx_vcpu *vcpu, enum vtx_msr_id id, u32 index, u64 data, bool host)
{
	if (written_to[id]) {
		*field(vcpu, written_to[id], index - vtx_msr_rows[id].first) = data;
		return 0;
	}
	if (vmcs_field[id]) {
		set_vmcs_value(id, data);
		return 0;
	}
	switch (id) {
	case VTX_MSR_APIC_BASE:
		return vtx_apic_base_write(vcpu, data, host);
	case VTX_MSR_FEATURE_CONTROL:	/* can only be the value it has */
		return data != FEAT_CTL_LOCKED;
	case VTX_MSR_PRED_CMD:
		return write_pred_cmd(data, host);
	case VTX_MSR_UCODE_REV:	/* the guest's write of 0 is a part of reading the revision (SDM vol. 3, 10.11.7.1) */
		if (host)
			vcpu->msr_ucode_rev = data;
		return 0;
	case VTX_MSR_PLATFORM_INFO:
		return write_platform_info(vcpu, data);
	case VTX_MSR_ARCH_CAPABILITIES:
		if (data & ~host_arch_capabilities())
			return 1;
		vcpu->msr_arch_capabilities = data;
		return 0;
	case VTX_MSR_MISC_FEATURES:
		return write_misc_features(vcpu, data);
	case VTX_MSR_MISC_ENABLE:
		return write_misc_enable(vcpu, data, host);
	case VTX_MSR_MTRR_FIX64K:
	case VTX_MSR_MTRR_FIX16K:
	case VTX_MSR_MTRR_FIX4K:
		vcpu->mtrr_fixed[vtx_mtrr_fixed_slot(index)] = data;
		return 0;
	case VTX_MSR_X2APIC:
		return vcpu->apic ? vtx_x2apic_msr_write(vcpu, index, data) : 1;
	case VTX_MSR_EFER:
		/* LMA follows CR0.PG and LME, whoever writes. */
		return vtx_set_efer(vcpu, (data & ~(u64)EFER_LMA) | (vcpu->efer & EFER_LMA), host);
	case VTX_MSR_DEBUGCTL:		/* LBR and BTF: dropped */
	case VTX_MSR_UCODE_WRITE:	/* microcode: dropped */
	case VTX_MSR_MC_BANK:		/* banks that do not exist: dropped, see the policy */
		return 0;
	case VTX_MSR_STAR:
	case VTX_MSR_LSTAR:
	case VTX_MSR_FMASK:
	case VTX_MSR_KERNEL_GS_BASE:
	case VTX_MSR_TSC_AUX:
		return vtx_guest_msr_write(vcpu, index, data);
	default:
		return set_time_value(vcpu, id, data, host);
	}
}

/*
 * User space reaches what the processor has, whatever the vCPU's CPUID says. @host is never NULL: it was made when the vCPU was.
 */
static bool backed(enum vtx_msr_id id, const struct vtx_cpuid *host)
{
	return host && (id != VTX_MSR_TSC_AUX || vtx_cpuid_has(host, VTX_F_RDTSCP) || vtx_cpuid_has(host, VTX_F_RDPID));
}

int vtx_msr_get(struct vtx_vcpu *vcpu, u32 index, u64 *data, bool host)
{
	enum vtx_msr_id id = vtx_msr_find(index);

	if (!vtx_msr_readable(id, &vcpu->cpuid, host))
		return 1;
	if (host && !backed(id, vtx_cpuid_host()))
		return 1;
	if (id == VTX_MSR_PLATFORM_INFO && !host && READ_ONCE(vcpu->vm->platform_info_hidden))
		return 1;
	return get_value(vcpu, id, index, data);
}

int vtx_msr_set(struct vtx_vcpu *vcpu, u32 index, u64 data, bool host)
{
	const struct vtx_cpuid *limits = host ? vtx_cpuid_host() : &vcpu->cpuid;
	enum vtx_msr_id id = vtx_msr_find(index);

	if (!vtx_msr_writable(id, &vcpu->cpuid, host) || (host && !backed(id, limits)))
		return 1;
	if (!vtx_msr_value_ok(id, index, data, &vcpu->cpuid, limits))
		return 1;
	return set_value(vcpu, id, index, data, host);
}

/* ------------------------------------------------------------------ lists, features */

/* Both: 0 when out of memory at the very first use; vtx_cpuid_host() says so beforehand. */
u32 vtx_msr_index_list(u32 *out, u32 n)
{
	const struct vtx_cpuid *host = vtx_cpuid_host();

	return host ? vtx_msr_list(host, VTX_MSR_LISTED, out, n) : 0;
}

u32 vtx_msr_feature_list(u32 *out, u32 n)
{
	const struct vtx_cpuid *host = vtx_cpuid_host();

	return host ? vtx_msr_list(host, VTX_MSR_FEATURE, out, n) : 0;
}

int vtx_msr_feature_get(u32 index, u64 *data)
{
	*data = 0;
	switch (vtx_msr_find(index)) {
	case VTX_MSR_ARCH_CAPABILITIES:
		*data = host_arch_capabilities();
		return 0;
	case VTX_MSR_UCODE_REV:
		rdmsrl_safe(MSR_IA32_UCODE_REV, data);
		return 0;
	default:
		return 1;
	}
}

/* ------------------------------------------------------------------ a new or reset vCPU */

static const struct vtx_msr_filter *filter_of(struct vtx_vm *vm)
{
	return rcu_dereference_check(vm->msr_filter, srcu_read_lock_held(&vm->srcu) || lockdep_is_held(&vm->lock));
}

/* Counters of the processor's own, which a guest may read with KVM_X86_DISABLE_EXITS_CSTATE; without, it has none of them. */
static const u32 cstate_msrs[] = { MSR_CORE_C1_RES, MSR_CORE_C3_RESIDENCY, MSR_CORE_C6_RESIDENCY, MSR_CORE_C7_RESIDENCY };

void vtx_msr_bitmap_update(struct vtx_vcpu *vcpu)
{
	const struct vtx_msr_filter *filter = filter_of(vcpu->vm);

	vtx_msr_filter_bitmap(filter, vcpu->msr_bitmap);
	if (!vtx_exit_off(vcpu->vm, KVM_X86_DISABLE_EXITS_CSTATE))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(cstate_msrs); i++)
		vtx_msr_bitmap_set(vcpu->msr_bitmap, cstate_msrs[i], false, !vtx_msr_filter_allows(filter, cstate_msrs[i], false));
}

void vtx_msr_bitmap_init(struct vtx_vcpu *vcpu)
{
	vtx_msr_bitmap_fill(vcpu->msr_bitmap);
	vtx_msr_bitmap_update(vcpu);
}

bool vtx_msr_filtered(struct vtx_vcpu *vcpu, u32 index, bool write)
{
	return !vtx_msr_filter_allows(filter_of(vcpu->vm), index, write);
}

/*
 * vtx_msrs_reset() - values after RESET, or INIT, which leaves most as they are (SDM vol. 3, table 10-1)
 * vCPU loaded. Those that vmx/ owns (EFER, segment bases, SPEC_CTRL, DEBUGCTL) are its caller's.
 */
void vtx_msrs_reset(struct vtx_vcpu *vcpu, bool init)
{
	/* Pages that the host writes: after INIT they may be somebody else's, as in KVM. */
	vcpu->pv_clock.system_time_msr = 0;
	vcpu->pv_steal.msr = 0;
	if (init)
		return;
	vtx_guest_msr_write(vcpu, MSR_STAR, 0);
	vtx_guest_msr_write(vcpu, MSR_LSTAR, 0);
	vtx_guest_msr_write(vcpu, MSR_SYSCALL_MASK, 0);
	vtx_guest_msr_write(vcpu, MSR_KERNEL_GS_BASE, 0);
	vtx_guest_msr_write(vcpu, MSR_TSC_AUX, 0);
	vcpu->msr_cstar = 0;
	vtx_vmwrite32(GUEST_SYSENTER_CS, 0);
	vtx_vmwritel(GUEST_SYSENTER_ESP, 0);
	vtx_vmwritel(GUEST_SYSENTER_EIP, 0);
	vtx_vmwrite64(GUEST_IA32_PAT, PAT_RESET);

	vcpu->msr_misc_enable = MISC_ENABLE_FIXED | MSR_IA32_MISC_ENABLE_FAST_STRING;
	vcpu->msr_misc_features = 0;
	vcpu->msr_power_ctl = 0;
	vcpu->msr_platform_info = MSR_PLATFORM_INFO_CPUID_FAULT;
	vcpu->msr_arch_capabilities = host_arch_capabilities();
	vcpu->msr_ucode_rev = UCODE_REV_RESET;
	vcpu->mcg_status = 0;
	vcpu->mcg_ctl = 0;
	memset(vcpu->mtrr_fixed, 0, sizeof(vcpu->mtrr_fixed));
	memset(vcpu->mtrr_var, 0, sizeof(vcpu->mtrr_var));
	vcpu->mtrr_def_type = 0;

	vcpu->tsc_adjust = 0;
	/* With an APIC in the kernel, that one's reset sets it. */
	if (!vcpu->apic)
		vcpu->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE |
				  (vcpu->id == vcpu->vm->boot_cpu_id ? MSR_IA32_APICBASE_BSP : 0);
}
