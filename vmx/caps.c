// SPDX-License-Identifier: GPL-2.0-only
/*
 * The capability decision: can vtx run on a processor with these MSR values, and if not, what is missing?
 *
 * Required controls (vmx/controls_table.c) are checked against the allowed-1 half of the control MSRs (SDM vol. 3, A.3 to A.5),
 * what the processor forces to 1 comes in through the allowed-0 half.
 */
#include "compat/pure.h"
#include "vmx/caps.h"

#define PIN_PREEMPTION_TIMER BIT(6)
#define MISC_PREEMPTION_RATE 0x1f	/* IA32_VMX_MISC, SDM vol. 3, A.6 */

#define PROC_CR3_EXITS (BIT(9) | BIT(15) | BIT(16)) /* INVLPG, CR3 load, CR3 store */

#define PIN_POSTED BIT(7)
#define PROC_TPR_SHADOW BIT(21)

#define PROC2_APIC_ACCESSES BIT(0)
#define PROC2_RDTSCP BIT(3)
#define PROC2_X2APIC BIT(4)
#define PROC2_VPID BIT(5)
#define PROC2_PLE BIT(10)
#define PROC2_APIC_REGISTERS BIT(8)
#define PROC2_VIRTUAL_INTR BIT(9)
#define PROC2_INVPCID BIT(12)
#define PROC2_PML BIT(17)
#define PROC2_TSC_SCALING BIT(25)

/* IA32_VMX_EPT_VPID_CAP, SDM vol. 3, A.10. */
#define EPT_EXEC_ONLY BIT_ULL(0)
#define EPT_2M BIT_ULL(16)
#define EPT_1G BIT_ULL(17)
#define EPT_AD BIT_ULL(21)
#define EPT_INVEPT_SINGLE BIT_ULL(25)
#define EPT_INVEPT_ALL BIT_ULL(26)
#define VPID_INVVPID BIT_ULL(32)
#define VPID_ADDR BIT_ULL(40)
#define VPID_SINGLE BIT_ULL(41)
#define VPID_ALL BIT_ULL(42)

#define FEATURE_LOCKED BIT_ULL(0)
#define FEATURE_VMX_OUTSIDE_SMX BIT_ULL(2)

/* The start value of a control word, with all that vtx needs; the name of the first bit that is not there, or NULL. */
static const char *take_controls(const struct vtx_msr_values *m, enum vtx_control_word word, u32 *value)
{
	const struct vtx_control *c;
	u32 later = 0;

	*value = (u32)vtx_control_word(m, word);
	for (c = vtx_controls; c < vtx_controls + vtx_nr_controls; c++) {
		if (c->word != word || (c->use != VTX_USE_NEEDED && c->use != VTX_USE_LATER))
			continue;
		if (!vtx_control_present(m, c))
			return c->missing;
		if (c->use == VTX_USE_LATER)
			later |= BIT(c->bit);
		else
			*value |= BIT(c->bit);
	}
	*value &= ~later;
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
	const char *missing;
	u32 unused;

	missing = take_controls(m, VTX_WORD_EPT_VPID, &unused);
	if (!missing && !(m->ept_vpid & (EPT_INVEPT_SINGLE | EPT_INVEPT_ALL)))
		missing = "INVEPT of one context or of all (IA32_VMX_EPT_VPID_CAP bits 25 and 26)";
	return missing;
}

/*
 * The TPR shadow is of use alone; the rest only together: where the processor does not deliver interrupts, virtual registers would
 * save a few exits and cost more than one way through the code.
 *
 * Posted interrupts, which vtx does not use, came with virtual-interrupt delivery. Who has the one without the other is an emulator,
 * and the one there is (Bochs 2.7, docs/errata.md) delivers wrongly: it has to be told explicitly. KVM asks for both as well.
 */
static void decide_apic(const struct vtx_msr_values *m, const struct vtx_wishes *w, struct vtx_caps *c)
{
	u32 allowed = (u32)(m->proc >> 32), allowed2 = (u32)(m->proc2 >> 32), pin = (u32)(m->pin >> 32);
	const u32 needed = PROC2_APIC_ACCESSES | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTR;

	c->tpr_shadow = w->tpr_shadow && (allowed & PROC_TPR_SHADOW);
	if (!(allowed & PROC_TPR_SHADOW) || (allowed2 & needed) != needed)
		c->apicv_why = VTX_APICV_LACKING;
	else if (!w->apicv || !c->tpr_shadow)
		c->apicv_why = VTX_APICV_UNWANTED;
	else if (!(pin & PIN_POSTED) && !w->apicv_forced)
		c->apicv_why = VTX_APICV_INCOMPLETE;
	else
		c->apicv_why = VTX_APICV_ON;
	c->apicv = c->apicv_why == VTX_APICV_ON;
	c->apicv_x2apic = c->apicv && (allowed2 & PROC2_X2APIC);
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
	/* PAUSE exiting alone would be an exit for each PAUSE, of guests that get their lock at once as well: no substitute. */
	c->ple = w->ple && (allowed2 & PROC2_PLE);
	c->virtual_nmi = true;
	if (c->vpid)
		c->proc2 |= PROC2_VPID;
	if (c->ple)
		c->proc2 |= PROC2_PLE;
	if (c->rdtscp)
		c->proc2 |= PROC2_RDTSCP;
	if (c->invpcid)
		c->proc2 |= PROC2_INVPCID;
	if (c->tsc_scaling)
		c->proc2 |= PROC2_TSC_SCALING;
	c->preemption_timer = w->preemption_timer && ((u32)(m->pin >> 32) & PIN_PREEMPTION_TIMER);
	if (c->preemption_timer)
		c->preemption_rate = m->misc & MISC_PREEMPTION_RATE;

	decide_apic(m, w, c);

	c->ept_ad = w->ept_ad && (m->ept_vpid & EPT_AD);
	c->pml = w->pml && (allowed2 & PROC2_PML) && c->ept_ad; /* it logs where dirty flags are set */
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

	missing = take_controls(m, VTX_WORD_PIN, &c->pin);
	if (!missing)
		missing = take_controls(m, VTX_WORD_PROC, &c->proc);
	if (!missing)
		missing = take_controls(m, VTX_WORD_PROC2, &c->proc2);
	if (!missing)
		missing = take_controls(m, VTX_WORD_EXIT, &c->exit);
	if (!missing)
		missing = take_controls(m, VTX_WORD_ENTRY, &c->entry);
	if (!missing)
		missing = check_ept(m);
	if (missing)
		return missing;

	if (c->proc & PROC_CR3_EXITS)
		return "CR3 and INVLPG exiting that can be switched off (the TRUE control MSRs, IA32_VMX_BASIC bit 55)";

	c->proc_allowed1 = (u32)(m->proc >> 32);
	c->proc2_allowed1 = (u32)(m->proc2 >> 32);
	c->cr0_fixed0 = m->cr0_fixed0;
	c->cr0_fixed1 = m->cr0_fixed1;
	c->cr4_fixed0 = m->cr4_fixed0;
	c->cr4_fixed1 = m->cr4_fixed1;
	decide_optional(m, w, c);
	return NULL;
}
