// SPDX-License-Identifier: GPL-2.0-only
/* Names of MSRs, as the manual (SDM vol. 4) and KVM's documents give them: those that guests are seen to use. */
#include "userspace-vmm/decode.h"

#include <stdio.h>

static const struct {
	uint32_t index;
	const char *name;
} vtx_msr_names[] = {
	{ 0x0, "IA32_P5_MC_ADDR" },
	{ 0x1, "IA32_P5_MC_TYPE" },
	{ 0x10, "IA32_TIME_STAMP_COUNTER" },
	{ 0x17, "IA32_PLATFORM_ID" },
	{ 0x1b, "IA32_APIC_BASE" },
	{ 0x34, "MSR_SMI_COUNT" },
	{ 0x35, "MSR_CORE_THREAD_COUNT" },
	{ 0x3a, "IA32_FEATURE_CONTROL" },
	{ 0x3b, "IA32_TSC_ADJUST" },
	{ 0x48, "IA32_SPEC_CTRL" },
	{ 0x49, "IA32_PRED_CMD" },
	{ 0x79, "IA32_BIOS_UPDT_TRIG" },
	{ 0x8b, "IA32_BIOS_SIGN_ID" },
	{ 0xc1, "IA32_PMC0" },
	{ 0xc2, "IA32_PMC1" },
	{ 0xc3, "IA32_PMC2" },
	{ 0xc4, "IA32_PMC3" },
	{ 0xcd, "MSR_FSB_FREQ" },
	{ 0xce, "MSR_PLATFORM_INFO" },
	{ 0xe1, "IA32_UMWAIT_CONTROL" },
	{ 0xe7, "IA32_MPERF" },
	{ 0xe8, "IA32_APERF" },
	{ 0xfe, "IA32_MTRRCAP" },
	{ 0x10a, "IA32_ARCH_CAPABILITIES" },
	{ 0x10b, "IA32_FLUSH_CMD" },
	{ 0x122, "IA32_TSX_CTRL" },
	{ 0x123, "IA32_MCU_OPT_CTRL" },
	{ 0x140, "MSR_MISC_FEATURE_ENABLES" },
	{ 0x174, "IA32_SYSENTER_CS" },
	{ 0x175, "IA32_SYSENTER_ESP" },
	{ 0x176, "IA32_SYSENTER_EIP" },
	{ 0x179, "IA32_MCG_CAP" },
	{ 0x17a, "IA32_MCG_STATUS" },
	{ 0x17b, "IA32_MCG_CTL" },
	{ 0x186, "IA32_PERFEVTSEL0" },
	{ 0x187, "IA32_PERFEVTSEL1" },
	{ 0x188, "IA32_PERFEVTSEL2" },
	{ 0x189, "IA32_PERFEVTSEL3" },
	{ 0x198, "IA32_PERF_STATUS" },
	{ 0x199, "IA32_PERF_CTL" },
	{ 0x19a, "IA32_CLOCK_MODULATION" },
	{ 0x19b, "IA32_THERM_INTERRUPT" },
	{ 0x19c, "IA32_THERM_STATUS" },
	{ 0x1a0, "IA32_MISC_ENABLE" },
	{ 0x1a2, "MSR_TEMPERATURE_TARGET" },
	{ 0x1a6, "MSR_OFFCORE_RSP_0" },
	{ 0x1a7, "MSR_OFFCORE_RSP_1" },
	{ 0x1ad, "MSR_TURBO_RATIO_LIMIT" },
	{ 0x1b0, "IA32_ENERGY_PERF_BIAS" },
	{ 0x1c8, "MSR_LBR_SELECT" },
	{ 0x1c9, "MSR_LASTBRANCH_TOS" },
	{ 0x1d9, "IA32_DEBUGCTL" },
	{ 0x1f2, "IA32_SMRR_PHYSBASE" },
	{ 0x1f3, "IA32_SMRR_PHYSMASK" },
	{ 0x1fc, "MSR_POWER_CTL" },
	{ 0x250, "IA32_MTRR_FIX64K_00000" },
	{ 0x258, "IA32_MTRR_FIX16K_80000" },
	{ 0x259, "IA32_MTRR_FIX16K_A0000" },
	{ 0x277, "IA32_PAT" },
	{ 0x2ff, "IA32_MTRR_DEF_TYPE" },
	{ 0x309, "IA32_FIXED_CTR0" },
	{ 0x30a, "IA32_FIXED_CTR1" },
	{ 0x30b, "IA32_FIXED_CTR2" },
	{ 0x345, "IA32_PERF_CAPABILITIES" },
	{ 0x38d, "IA32_FIXED_CTR_CTRL" },
	{ 0x38e, "IA32_PERF_GLOBAL_STATUS" },
	{ 0x38f, "IA32_PERF_GLOBAL_CTRL" },
	{ 0x390, "IA32_PERF_GLOBAL_OVF_CTRL" },
	{ 0x3f1, "IA32_PEBS_ENABLE" },
	{ 0x480, "IA32_VMX_BASIC" },
	{ 0x600, "IA32_DS_AREA" },
	{ 0x606, "MSR_RAPL_POWER_UNIT" },
	{ 0x611, "MSR_PKG_ENERGY_STATUS" },
	{ 0x619, "MSR_DRAM_ENERGY_STATUS" },
	{ 0x639, "MSR_PP0_ENERGY_STATUS" },
	{ 0x641, "MSR_PP1_ENERGY_STATUS" },
	{ 0x64e, "MSR_PPERF" },
	{ 0x6a0, "IA32_U_CET" },
	{ 0x6a2, "IA32_S_CET" },
	{ 0x6e0, "IA32_TSC_DEADLINE" },
	{ 0x770, "IA32_PM_ENABLE" },
	{ 0xda0, "IA32_XSS" },
	{ 0xc0000080, "IA32_EFER" },
	{ 0xc0000081, "IA32_STAR" },
	{ 0xc0000082, "IA32_LSTAR" },
	{ 0xc0000083, "IA32_CSTAR" },
	{ 0xc0000084, "IA32_FMASK" },
	{ 0xc0000100, "IA32_FS_BASE" },
	{ 0xc0000101, "IA32_GS_BASE" },
	{ 0xc0000102, "IA32_KERNEL_GS_BASE" },
	{ 0xc0000103, "IA32_TSC_AUX" },
	{ 0xc0010015, "AMD_HWCR" },
	{ 0xc001001f, "AMD_NB_CFG" },
	{ 0xc0010055, "AMD_INT_PENDING" },
	{ 0xc0011029, "AMD_DE_CFG" },
	{ 0x11, "KVM_WALL_CLOCK" },
	{ 0x12, "KVM_SYSTEM_TIME" },
	{ 0x4b564d00, "KVM_WALL_CLOCK_NEW" },
	{ 0x4b564d01, "KVM_SYSTEM_TIME_NEW" },
	{ 0x4b564d02, "KVM_ASYNC_PF_EN" },
	{ 0x4b564d03, "KVM_STEAL_TIME" },
	{ 0x4b564d04, "KVM_EOI_EN" },
	{ 0x4b564d05, "KVM_POLL_CONTROL" },
	{ 0x4b564d06, "KVM_ASYNC_PF_INT" },
	{ 0x4b564d07, "KVM_ASYNC_PF_ACK" },
	{ 0x4b564d08, "KVM_MIGRATION_CONTROL" },
	{ 0x40000000, "HV_GUEST_OS_ID" },
	{ 0x40000001, "HV_HYPERCALL" },
	{ 0x40000020, "HV_TIME_REF_COUNT" },
};

/* Registers of the local APIC, by x2APIC MSR (SDM vol. 3, table 10-6) or by offset / 16 in its page. */
static const char *const vtx_apic_registers[64] = {
	[0x02] = "ID",	     [0x03] = "VERSION", [0x08] = "TPR",       [0x0a] = "PPR",	   [0x0b] = "EOI",
	[0x0d] = "LDR",	     [0x0e] = "DFR",	 [0x0f] = "SVR",       [0x10] = "ISR0",	   [0x11] = "ISR1",
	[0x12] = "ISR2",     [0x13] = "ISR3",	 [0x14] = "ISR4",      [0x15] = "ISR5",	   [0x16] = "ISR6",
	[0x17] = "ISR7",     [0x18] = "TMR0",	 [0x19] = "TMR1",      [0x1a] = "TMR2",	   [0x1b] = "TMR3",
	[0x1c] = "TMR4",     [0x1d] = "TMR5",	 [0x1e] = "TMR6",      [0x1f] = "TMR7",	   [0x20] = "IRR0",
	[0x21] = "IRR1",     [0x22] = "IRR2",	 [0x23] = "IRR3",      [0x24] = "IRR4",	   [0x25] = "IRR5",
	[0x26] = "IRR6",     [0x27] = "IRR7",	 [0x28] = "ESR",       [0x2f] = "LVT_CMCI", [0x30] = "ICR",
	[0x31] = "ICR2",     [0x32] = "LVT_TIMER", [0x33] = "LVT_THERMAL", [0x34] = "LVT_PMI", [0x35] = "LVT_LINT0",
	[0x36] = "LVT_LINT1", [0x37] = "LVT_ERROR", [0x38] = "INITIAL_COUNT", [0x39] = "CURRENT_COUNT",
	[0x3e] = "DIVIDE_CONFIG", [0x3f] = "SELF_IPI",
};

const char *vtx_name_apic_register(uint32_t offset)
{
	return offset < 0x400 ? vtx_apic_registers[offset >> 4] : NULL;
}

static const char *vtx_msr_in_range(uint32_t index, char *buffer, size_t size)
{
	static const char *const mc[] = { "CTL", "STATUS", "ADDR", "MISC" };

	if (index >= 0x200 && index < 0x214)
		snprintf(buffer, size, "IA32_MTRR_PHYS%s%u", index & 1 ? "MASK" : "BASE", (index - 0x200) / 2);
	else if (index >= 0x268 && index < 0x270)
		snprintf(buffer, size, "IA32_MTRR_FIX4K_%05X", 0xc0000 + (index - 0x268) * 0x8000);
	else if (index >= 0x280 && index < 0x2a0)
		snprintf(buffer, size, "IA32_MC%u_CTL2", index - 0x280);
	else if (index >= 0x400 && index < 0x480)
		snprintf(buffer, size, "IA32_MC%u_%s", (index - 0x400) / 4, mc[index & 3]);
	else if (index >= 0x481 && index <= 0x491)
		snprintf(buffer, size, "IA32_VMX_CAPABILITY_0x%x", index);
	else if (index >= 0x800 && index < 0x840 && vtx_apic_registers[index - 0x800])
		snprintf(buffer, size, "IA32_X2APIC_%s", vtx_apic_registers[index - 0x800]);
	else
		return NULL;
	return buffer;
}

const char *vtx_name_msr(uint32_t index, char *buffer, size_t size)
{
	for (size_t i = 0; i < sizeof(vtx_msr_names) / sizeof(vtx_msr_names[0]); i++)
		if (vtx_msr_names[i].index == index)
			return vtx_msr_names[i].name;
	return vtx_msr_in_range(index, buffer, size);
}
