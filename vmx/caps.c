// SPDX-License-Identifier: GPL-2.0-only
/*
 * The capability decision: can vtx run on a processor with these MSR values, and if not, what is missing?
 *
 * Each requirement is a row: the bit, and the sentence that names it.  Required controls are checked against the allowed-1
 * half of the control MSRs (SDM vol. 3, A.3 to A.5), what the processor forces to 1 comes in through the allowed-0 half.
 */
#include "compat/pure.h"
#include "vmx/caps.h"

struct vtx_control {
	u32 bit;
	const char *name;
};

/* Bit numbers: SDM vol. 3, tables 25-5 to 25-8 and 25-13, 25-15. */
static const struct vtx_control required_pin[] = {
	{ 0, "external-interrupt exiting (pin-based control, bit 0)" },
	{ 3, "NMI exiting (pin-based control, bit 3)" },
	{ 5, "virtual NMIs (pin-based control, bit 5)" },
};

static const struct vtx_control required_proc[] = {
	{ 3, "TSC offsetting (primary processor-based control, bit 3)" },
	{ 7, "HLT exiting (primary processor-based control, bit 7)" },
	{ 10, "MWAIT exiting (primary processor-based control, bit 10)" },
	{ 11, "RDPMC exiting (primary processor-based control, bit 11)" },
	{ 19, "CR8-load exiting (primary processor-based control, bit 19)" },
	{ 20, "CR8-store exiting (primary processor-based control, bit 20)" },
	{ 23, "MOV-DR exiting (primary processor-based control, bit 23)" },
	{ 24, "unconditional I/O exiting (primary processor-based control, bit 24)" },
	{ 28, "MSR bitmaps (primary processor-based control, bit 28)" },
	{ 29, "MONITOR exiting (primary processor-based control, bit 29)" },
	{ 31, "secondary processor-based controls (primary processor-based control, bit 31)" },
};

static const struct vtx_control required_proc2[] = {
	{ 1, "EPT (secondary processor-based control, bit 1)" },
	{ 6, "WBINVD exiting (secondary processor-based control, bit 6)" },
	{ 7, "unrestricted guest (secondary processor-based control, bit 7)" },
};

static const struct vtx_control required_exit[] = {
	{ 2, "save debug controls (VM-exit control, bit 2)" },
	{ 9, "host address-space size (VM-exit control, bit 9)" },
	{ 18, "save IA32_PAT (VM-exit control, bit 18)" },
	{ 19, "load IA32_PAT (VM-exit control, bit 19)" },
	{ 20, "save IA32_EFER (VM-exit control, bit 20)" },
	{ 21, "load IA32_EFER (VM-exit control, bit 21)" },
};

static const struct vtx_control required_entry[] = {
	{ 2, "load debug controls (VM-entry control, bit 2)" },
	{ 9, "IA-32e mode guest (VM-entry control, bit 9)" },
	{ 14, "load IA32_PAT (VM-entry control, bit 14)" },
	{ 15, "load IA32_EFER (VM-entry control, bit 15)" },
};

/* Set per guest mode, so not in the start value although required. */
#define ENTRY_IA32E BIT(9)

#define PROC_INTR_WINDOW BIT(2)
#define PROC_CR3_EXITS (BIT(9) | BIT(15) | BIT(16)) /* INVLPG, CR3 load, CR3 store */
#define PROC_NMI_WINDOW BIT(22)

#define PROC2_RDTSCP BIT(3)
#define PROC2_VPID BIT(5)
#define PROC2_INVPCID BIT(12)
#define PROC2_TSC_SCALING BIT(25)

/* IA32_VMX_EPT_VPID_CAP, SDM vol. 3, A.10. */
#define EPT_EXEC_ONLY BIT_ULL(0)
#define EPT_WALK_4 BIT_ULL(6)
#define EPT_WB BIT_ULL(14)
#define EPT_2M BIT_ULL(16)
#define EPT_1G BIT_ULL(17)
#define EPT_INVEPT BIT_ULL(20)
#define EPT_AD BIT_ULL(21)
#define EPT_INVEPT_SINGLE BIT_ULL(25)
#define EPT_INVEPT_ALL BIT_ULL(26)
#define VPID_INVVPID BIT_ULL(32)
#define VPID_ADDR BIT_ULL(40)
#define VPID_SINGLE BIT_ULL(41)
#define VPID_ALL BIT_ULL(42)

#define FEATURE_LOCKED BIT_ULL(0)
#define FEATURE_VMX_OUTSIDE_SMX BIT_ULL(2)

static const char *take_controls(u64 msr, const struct vtx_control *rows, size_t n, u32 *value)
{
	u32 forced = (u32)msr, allowed = (u32)(msr >> 32);
	size_t i;

	*value = forced;
	for (i = 0; i < n; i++) {
		if (!(allowed & BIT(rows[i].bit)))
			return rows[i].name;
		*value |= BIT(rows[i].bit);
	}
	return NULL;
}

static const char *check_firmware(const struct vtx_msr_values *m)
{
	if (!m->cpuid_vmx)
		return "VMX (CPUID.1:ECX bit 5): no VT-x in this processor, or the hypervisor below does not nest it";
	if (!(m->feature_control & FEATURE_LOCKED))
		return NULL; /* unlocked: vtx may set it itself */
	if (!(m->feature_control & FEATURE_VMX_OUTSIDE_SMX))
		return "VMX outside SMX (IA32_FEATURE_CONTROL bit 2): the firmware has locked VT-x off, enable it in the BIOS setup";
	return NULL;
}

static const char *check_ept(const struct vtx_msr_values *m)
{
	u64 need_any = EPT_INVEPT_SINGLE | EPT_INVEPT_ALL;

	if (!(m->ept_vpid & EPT_WALK_4))
		return "4-level EPT (IA32_VMX_EPT_VPID_CAP bit 6)";
	if (!(m->ept_vpid & EPT_WB))
		return "write-back EPT structures (IA32_VMX_EPT_VPID_CAP bit 14)";
	if (!(m->ept_vpid & EPT_INVEPT) || !(m->ept_vpid & need_any))
		return "INVEPT (IA32_VMX_EPT_VPID_CAP bits 20, 25, 26)";
	return NULL;
}

static void decide_optional(const struct vtx_msr_values *m, const struct vtx_wishes *w, struct vtx_caps *c)
{
	u32 allowed2 = (u32)(m->proc2 >> 32);
	bool invvpid = (m->ept_vpid & VPID_INVVPID) && (m->ept_vpid & (VPID_SINGLE | VPID_ALL));

	c->vpid = w->vpid && (allowed2 & PROC2_VPID) && invvpid;
	c->rdtscp = allowed2 & PROC2_RDTSCP;
	c->invpcid = allowed2 & PROC2_INVPCID;
	c->xsaves = false; /* IA32_XSS is not virtualized, so XSAVES stays #UD */
	c->tsc_scaling = w->tsc_scaling && (allowed2 & PROC2_TSC_SCALING);
	c->virtual_nmi = true;
	if (c->vpid)
		c->proc2 |= PROC2_VPID;
	if (c->rdtscp)
		c->proc2 |= PROC2_RDTSCP;
	if (c->invpcid)
		c->proc2 |= PROC2_INVPCID;

	c->ept_ad = w->ept_ad && (m->ept_vpid & EPT_AD);
	c->ept_2m = w->large_pages && (m->ept_vpid & EPT_2M);
	c->ept_1g = w->large_pages && (m->ept_vpid & EPT_1G);
	c->ept_exec_only = m->ept_vpid & EPT_EXEC_ONLY;
	c->invept_single = m->ept_vpid & EPT_INVEPT_SINGLE;
	c->invvpid_single = m->ept_vpid & VPID_SINGLE;
	c->invvpid_addr = m->ept_vpid & VPID_ADDR;
	/* EPTP: memory type 6 (write-back), walk length minus one in bits 5:3, A/D enable in bit 6 (SDM vol. 3, table 25-9). */
	c->eptp_bits = 6 | (3 << 3) | (c->ept_ad ? BIT_ULL(6) : 0);
}

const char *vtx_caps_decide(const struct vtx_msr_values *m, const struct vtx_wishes *w, struct vtx_caps *c)
{
	const char *missing;

	memset(c, 0, sizeof(*c));
	missing = check_firmware(m);
	if (missing)
		return missing;

	/* IA32_VMX_BASIC: memory type 6 in bits 53:50, region size in 44:32 (SDM vol. 3, A.1). */
	if (((m->basic >> 50) & 15) != 6)
		return "write-back VMCS memory (IA32_VMX_BASIC bits 53:50)";
	c->vmcs_revision = m->basic & 0x7fffffff;
	c->vmcs_size = (m->basic >> 32) & 0x1fff;
	if (!c->vmcs_size || c->vmcs_size > 4096)
		return "a VMCS of at most one page (IA32_VMX_BASIC bits 44:32)";

	missing = take_controls(m->pin, required_pin, ARRAY_SIZE(required_pin), &c->pin);
	if (!missing)
		missing = take_controls(m->proc, required_proc, ARRAY_SIZE(required_proc), &c->proc);
	if (!missing)
		missing = take_controls(m->proc2, required_proc2, ARRAY_SIZE(required_proc2), &c->proc2);
	if (!missing)
		missing = take_controls(m->exit, required_exit, ARRAY_SIZE(required_exit), &c->exit);
	if (!missing)
		missing = take_controls(m->entry, required_entry, ARRAY_SIZE(required_entry), &c->entry);
	if (!missing)
		missing = check_ept(m);
	if (missing)
		return missing;

	if (c->proc & PROC_CR3_EXITS)
		return "CR3 and INVLPG exiting that can be switched off (the TRUE control MSRs, IA32_VMX_BASIC bit 55)";

	c->entry &= ~ENTRY_IA32E;
	c->proc_allowed1 = (u32)(m->proc >> 32);
	c->proc2_allowed1 = (u32)(m->proc2 >> 32);
	if (!(c->proc_allowed1 & PROC_INTR_WINDOW) || !(c->proc_allowed1 & PROC_NMI_WINDOW))
		return "interrupt-window and NMI-window exiting (primary processor-based controls, bits 2 and 22)";
	c->cr0_fixed0 = m->cr0_fixed0;
	c->cr0_fixed1 = m->cr0_fixed1;
	c->cr4_fixed0 = m->cr4_fixed0;
	c->cr4_fixed1 = m->cr4_fixed1;
	decide_optional(m, w, c);
	return NULL;
}
