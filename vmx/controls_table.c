// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every VMX control and capability bit by name, and what vtx does with it: the one table that the module's decision
 * (vmx/caps.c) and `vtx doctor` read.
 *
 * Bit numbers and names: SDM vol. 3, 25.6.1, 25.6.2, 25.7.1, 25.8.1 and A.10. Bits the manual reserves have no row.
 */
#include "compat/pure.h"
#include "vmx/caps.h"

#define PIN_TEXT "pin-based control, bit "
#define PROC_TEXT "primary processor-based control, bit "
#define PROC2_TEXT "secondary processor-based control, bit "
#define EXIT_TEXT "VM-exit control, bit "
#define ENTRY_TEXT "VM-entry control, bit "
#define EPT_VPID_TEXT "IA32_VMX_EPT_VPID_CAP bit "

#define ROW(word, bit, use, name) \
	{ VTX_WORD_##word, bit, VTX_USE_##use, name, name " (" word##_TEXT #bit ")" }

const struct vtx_control vtx_controls[] = {
	ROW(PIN, 0, NEEDED, "external-interrupt exiting"),
	ROW(PIN, 3, NEEDED, "NMI exiting"),
	ROW(PIN, 5, NEEDED, "virtual NMIs"),
	ROW(PIN, 6, WANTED, "VMX-preemption timer"),
	ROW(PIN, 7, UNUSED, "posted interrupts"),

	ROW(PROC, 2, LATER, "interrupt-window exiting"),
	ROW(PROC, 3, NEEDED, "TSC offsetting"),
	ROW(PROC, 7, NEEDED, "HLT exiting"),
	ROW(PROC, 9, OFF, "INVLPG exiting"),
	ROW(PROC, 10, NEEDED, "MWAIT exiting"),
	ROW(PROC, 11, NEEDED, "RDPMC exiting"),
	ROW(PROC, 12, UNUSED, "RDTSC exiting"),
	ROW(PROC, 15, OFF, "CR3-load exiting"),
	ROW(PROC, 16, OFF, "CR3-store exiting"),
	ROW(PROC, 17, UNUSED, "tertiary controls"),
	ROW(PROC, 19, NEEDED, "CR8-load exiting"),
	ROW(PROC, 20, NEEDED, "CR8-store exiting"),
	ROW(PROC, 21, WANTED, "TPR shadow"),
	ROW(PROC, 22, LATER, "NMI-window exiting"),
	ROW(PROC, 23, NEEDED, "MOV-DR exiting"),
	ROW(PROC, 24, NEEDED, "unconditional I/O exiting"),
	ROW(PROC, 25, UNUSED, "I/O bitmaps"),
	ROW(PROC, 27, UNUSED, "monitor trap flag"),
	ROW(PROC, 28, NEEDED, "MSR bitmaps"),
	ROW(PROC, 29, NEEDED, "MONITOR exiting"),
	ROW(PROC, 30, UNUSED, "PAUSE exiting"),
	ROW(PROC, 31, NEEDED, "secondary processor-based controls"),

	ROW(PROC2, 0, WANTED, "virtualize APIC accesses"),
	ROW(PROC2, 1, NEEDED, "EPT"),
	ROW(PROC2, 2, UNUSED, "descriptor-table exiting"),
	ROW(PROC2, 3, WANTED, "RDTSCP"),
	ROW(PROC2, 4, WANTED, "virtualize x2APIC mode"),
	ROW(PROC2, 5, WANTED, "VPID"),
	ROW(PROC2, 6, NEEDED, "WBINVD exiting"),
	ROW(PROC2, 7, NEEDED, "unrestricted guest"),
	ROW(PROC2, 8, WANTED, "APIC-register virtualization"),
	ROW(PROC2, 9, WANTED, "virtual-interrupt delivery"),
	ROW(PROC2, 10, WANTED, "PAUSE-loop exiting"),
	ROW(PROC2, 11, UNUSED, "RDRAND exiting"),
	ROW(PROC2, 12, WANTED, "INVPCID"),
	ROW(PROC2, 13, UNUSED, "VM functions"),
	ROW(PROC2, 14, UNUSED, "VMCS shadowing"),
	ROW(PROC2, 15, UNUSED, "ENCLS exiting"),
	ROW(PROC2, 16, UNUSED, "RDSEED exiting"),
	ROW(PROC2, 17, WANTED, "page-modification logging"),
	ROW(PROC2, 18, UNUSED, "EPT-violation #VE"),
	ROW(PROC2, 19, UNUSED, "conceal VMX from PT"),
	ROW(PROC2, 20, UNUSED, "XSAVES/XRSTORS"),
	ROW(PROC2, 21, UNUSED, "PASID translation"),
	ROW(PROC2, 22, UNUSED, "mode-based execute control"),
	ROW(PROC2, 23, UNUSED, "sub-page write permissions"),
	ROW(PROC2, 24, UNUSED, "PT uses guest-physical addresses"),
	ROW(PROC2, 25, WANTED, "TSC scaling"),
	ROW(PROC2, 26, UNUSED, "user wait and pause"),
	ROW(PROC2, 27, UNUSED, "PCONFIG"),
	ROW(PROC2, 28, UNUSED, "ENCLV exiting"),
	ROW(PROC2, 30, UNUSED, "bus-lock detection"),
	ROW(PROC2, 31, UNUSED, "instruction timeout"),

	ROW(EXIT, 2, NEEDED, "save debug controls"),
	ROW(EXIT, 9, NEEDED, "host address-space size"),
	ROW(EXIT, 12, UNUSED, "load IA32_PERF_GLOBAL_CTRL"),
	ROW(EXIT, 15, UNUSED, "acknowledge interrupt on exit"),
	ROW(EXIT, 18, NEEDED, "save IA32_PAT"),
	ROW(EXIT, 19, NEEDED, "load IA32_PAT"),
	ROW(EXIT, 20, NEEDED, "save IA32_EFER"),
	ROW(EXIT, 21, NEEDED, "load IA32_EFER"),
	ROW(EXIT, 22, UNUSED, "save VMX-preemption timer value"),
	ROW(EXIT, 23, UNUSED, "clear IA32_BNDCFGS"),
	ROW(EXIT, 24, UNUSED, "conceal VMX from PT"),
	ROW(EXIT, 25, UNUSED, "clear IA32_RTIT_CTL"),
	ROW(EXIT, 26, UNUSED, "clear IA32_LBR_CTL"),
	ROW(EXIT, 27, UNUSED, "clear UINV"),
	ROW(EXIT, 28, UNUSED, "load CET state"),
	ROW(EXIT, 29, UNUSED, "load PKRS"),
	ROW(EXIT, 30, UNUSED, "save IA32_PERF_GLOBAL_CTRL"),
	ROW(EXIT, 31, UNUSED, "secondary VM-exit controls"),

	ROW(ENTRY, 2, NEEDED, "load debug controls"),
	ROW(ENTRY, 9, LATER, "IA-32e mode guest"),
	ROW(ENTRY, 10, UNUSED, "entry to SMM"),
	ROW(ENTRY, 11, UNUSED, "deactivate dual-monitor treatment"),
	ROW(ENTRY, 13, UNUSED, "load IA32_PERF_GLOBAL_CTRL"),
	ROW(ENTRY, 14, NEEDED, "load IA32_PAT"),
	ROW(ENTRY, 15, NEEDED, "load IA32_EFER"),
	ROW(ENTRY, 16, UNUSED, "load IA32_BNDCFGS"),
	ROW(ENTRY, 17, UNUSED, "conceal VMX from PT"),
	ROW(ENTRY, 18, UNUSED, "load IA32_RTIT_CTL"),
	ROW(ENTRY, 19, UNUSED, "load UINV"),
	ROW(ENTRY, 20, UNUSED, "load CET state"),
	ROW(ENTRY, 21, UNUSED, "load guest IA32_LBR_CTL"),
	ROW(ENTRY, 22, UNUSED, "load PKRS"),

	ROW(EPT_VPID, 0, UNUSED, "execute-only EPT pages"),
	ROW(EPT_VPID, 6, NEEDED, "4-level EPT"),
	ROW(EPT_VPID, 7, UNUSED, "5-level EPT"),
	ROW(EPT_VPID, 8, UNUSED, "uncacheable EPT structures"),
	ROW(EPT_VPID, 14, NEEDED, "write-back EPT structures"),
	ROW(EPT_VPID, 16, WANTED, "2M EPT pages"),
	ROW(EPT_VPID, 17, WANTED, "1G EPT pages"),
	ROW(EPT_VPID, 20, NEEDED, "INVEPT"),
	ROW(EPT_VPID, 21, WANTED, "EPT accessed and dirty flags"),
	ROW(EPT_VPID, 22, UNUSED, "advanced exit information for EPT violations"),
	ROW(EPT_VPID, 23, UNUSED, "supervisor shadow-stack control"),
	ROW(EPT_VPID, 25, WANTED, "single-context INVEPT"),
	ROW(EPT_VPID, 26, WANTED, "all-context INVEPT"),
	ROW(EPT_VPID, 32, WANTED, "INVVPID"),
	ROW(EPT_VPID, 40, UNUSED, "individual-address INVVPID"),
	ROW(EPT_VPID, 41, WANTED, "single-context INVVPID"),
	ROW(EPT_VPID, 42, WANTED, "all-context INVVPID"),
	ROW(EPT_VPID, 43, UNUSED, "single-context-retaining-globals INVVPID"),
};

const unsigned int vtx_nr_controls = ARRAY_SIZE(vtx_controls);

u64 vtx_control_word(const struct vtx_msr_values *m, enum vtx_control_word word)
{
	switch (word) {
	case VTX_WORD_PIN:
		return m->pin;
	case VTX_WORD_PROC:
		return m->proc;
	case VTX_WORD_PROC2:
		return m->proc2;
	case VTX_WORD_EXIT:
		return m->exit;
	case VTX_WORD_ENTRY:
		return m->entry;
	case VTX_WORD_EPT_VPID:
		return m->ept_vpid;
	}
	return 0;
}

/* A control may be 1 where the upper half of its MSR allows it (SDM vol. 3, A.3.1); a capability bit is itself. */
bool vtx_control_present(const struct vtx_msr_values *m, const struct vtx_control *c)
{
	u64 word = vtx_control_word(m, c->word);

	return (c->word == VTX_WORD_EPT_VPID ? word : word >> 32) & BIT_ULL(c->bit);
}

/* The lower half: the processor does not let it be 0. */
bool vtx_control_forced(const struct vtx_msr_values *m, const struct vtx_control *c)
{
	return c->word != VTX_WORD_EPT_VPID && (vtx_control_word(m, c->word) & BIT_ULL(c->bit));
}

/* ------------------------------------------------------------------ which MSRs */

#define MSR_FEATURE_CONTROL 0x3a
#define MSR_BASIC 0x480
#define MSR_PIN 0x481
#define MSR_PROC 0x482
#define MSR_EXIT 0x483
#define MSR_ENTRY 0x484
#define MSR_MISC 0x485
#define MSR_CR0_FIXED0 0x486
#define MSR_CR0_FIXED1 0x487
#define MSR_CR4_FIXED0 0x488
#define MSR_CR4_FIXED1 0x489
#define MSR_PROC2 0x48b
#define MSR_EPT_VPID 0x48c
#define MSR_TRUE_PIN 0x48d
#define MSR_TRUE_PROC 0x48e
#define MSR_TRUE_EXIT 0x48f
#define MSR_TRUE_ENTRY 0x490
#define BASIC_TRUE_CONTROLS BIT_ULL(55)

void vtx_caps_collect(struct vtx_msr_values *m, bool cpuid_vmx, u64 (*read)(u32 msr, void *data), void *data)
{
	bool is_true;

	memset(m, 0, sizeof(*m));
	m->cpuid_vmx = cpuid_vmx;
	if (!cpuid_vmx)
		return;
	m->feature_control = read(MSR_FEATURE_CONTROL, data);
	m->basic = read(MSR_BASIC, data);
	is_true = m->basic & BASIC_TRUE_CONTROLS;
	m->pin = read(is_true ? MSR_TRUE_PIN : MSR_PIN, data);
	m->proc = read(is_true ? MSR_TRUE_PROC : MSR_PROC, data);
	m->exit = read(is_true ? MSR_TRUE_EXIT : MSR_EXIT, data);
	m->entry = read(is_true ? MSR_TRUE_ENTRY : MSR_ENTRY, data);
	m->proc2 = read(MSR_PROC2, data);
	m->misc = read(MSR_MISC, data);
	m->cr0_fixed0 = read(MSR_CR0_FIXED0, data);
	m->cr0_fixed1 = read(MSR_CR0_FIXED1, data);
	m->cr4_fixed0 = read(MSR_CR4_FIXED0, data);
	m->cr4_fixed1 = read(MSR_CR4_FIXED1, data);
	m->ept_vpid = read(MSR_EPT_VPID, data);
}
