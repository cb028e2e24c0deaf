// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of VM entry: the guest's control and debug registers and MSRs, descriptor-table registers, RIP, RFLAGS and SSP
 * (SDM vol. 3, 27.3.1.1, 27.3.1.3, 27.3.1.4).
 */
#include "compat/pure.h"
#include "vmx/entry_rules.h"

#define REGS "vol. 3, 27.3.1.1"
#define TABLES "vol. 3, 27.3.1.3"
#define FLOW "vol. 3, 27.3.1.4"

/* ------------------------------------------------------------------ conditions */

static bool guest_64(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_guest_64(s);
}

static bool guest_not_64(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !rule_guest_64(s);
}

static bool code_64(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_guest_64(s) && (s->seg[E_CS].ar & BIT(13));
}

static bool code_not_64(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !code_64(s, r);
}

static bool no_pe(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !(s->cr0 & RULE_CR0_PE);
}

/* One reason for each: in IA-32e mode the first rule about RFLAGS.VM speaks. */
static bool real_mode(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return no_pe(s, r) && !rule_guest_64(s);
}

static bool no_pe_if_unrestricted(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return no_pe(s, r) && rule_unrestricted(s);
}

static bool no_wp(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !(s->cr0 & RULE_CR0_WP);
}

static bool loads_debug(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->entry & ENTRY_LOAD_DEBUG;
}

static bool loads_pat(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->entry & ENTRY_LOAD_PAT;
}

static bool loads_efer(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->entry & ENTRY_LOAD_EFER;
}

/* EFER.LMA has a rule of its own, so that LME is compared with what LMA must be. */
static bool loads_efer_with_paging(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return loads_efer(s, r) && (s->cr0 & RULE_CR0_PG);
}

static bool loads_perf(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->entry & ENTRY_LOAD_PERF;
}

static bool loads_bndcfgs(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->entry & ENTRY_LOAD_BNDCFGS;
}

static bool loads_pkrs(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->entry & ENTRY_LOAD_PKRS;
}

static bool loads_cet(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->entry & ENTRY_LOAD_CET;
}

static bool loads_cet_32(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return loads_cet(s, r) && code_not_64(s, r);
}

static bool loads_cet_64(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return loads_cet(s, r) && code_64(s, r);
}

static bool injects_ext_intr(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_injects_type(s, RULE_EXT_INTR);
}

/* ------------------------------------------------------------------ tests */

#define CR0_UNCHECKED (BIT_ULL(29) | BIT_ULL(30)) /* NW and CD: VM entry does not load them */

static bool cr0_fixed_to_1(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.msrs.cr0_fixed0 & ~CR0_UNCHECKED;
	if (rule_unrestricted(s))
		*allowed &= ~(RULE_CR0_PE | RULE_CR0_PG);
	else if (rule_guest_64(s))
		*allowed &= ~RULE_CR0_PG; /* its own rule */
	return !(*allowed & ~found);
}

static bool cr0_fixed_to_0(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.msrs.cr0_fixed1 | CR0_UNCHECKED;
	return !(found & ~*allowed);
}

static bool efer_agrees(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = rule_guest_64(s) ? r->mask : 0;
	return (found & r->mask) == *allowed;
}

/* Not quite canonical: only the bits that the processor does not have must be the same. */
static bool rip_width(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	u64 high = found >> s->cpu.linear_bits;

	*allowed = BIT_ULL(s->cpu.linear_bits) - 1;
	return high == 0 || high == ~0ULL >> s->cpu.linear_bits;
}

/* ------------------------------------------------------------------ the table */

#define ROW(name, sec, vmcs_field, member, condition, test, bits, sentence)                                 \
	{ .id = "guest." name, .section = sec, .field = vmcs_field, .text = sentence, RULE_AT(member),     \
	  .when = condition, .ok = test, .mask = bits }

#define CANONICAL " is not canonical"
/* IA32_DEBUGCTL: bits no processor has. Bit 2 and those above 5 depend on the model. */
#define DEBUGCTL_RESERVED (GENMASK_ULL(63, 16) | GENMASK_ULL(5, 3))
#define RFLAGS_RESERVED (GENMASK_ULL(63, 22) | BIT_ULL(15) | BIT_ULL(5) | BIT_ULL(3))

static const struct vtx_entry_rule rows[] = {
	ROW("cr0.fixed-1", REGS, "GUEST_CR0", cr0, NULL, cr0_fixed_to_1, 0, "A CR0 bit that VMX operation fixes to 1 is 0"),
	ROW("cr0.fixed-0", REGS, "GUEST_CR0", cr0, NULL, cr0_fixed_to_0, 0, "A CR0 bit that VMX operation fixes to 0 is 1"),
	ROW("cr0.pg-without-pe", REGS, "GUEST_CR0", cr0, no_pe_if_unrestricted, rule_zero, RULE_CR0_PG, "CR0.PG needs CR0.PE"),
	ROW("cr0.pg-in-ia32e", REGS, "GUEST_CR0", cr0, guest_64, rule_set, RULE_CR0_PG, "An IA-32e mode guest needs CR0.PG"),
	ROW("cr4.fixed-1", REGS, "GUEST_CR4", cr4, NULL, rule_cr4_fixed_to_1, 0, "A CR4 bit that VMX operation fixes to 1 is 0"),
	ROW("cr4.fixed-0", REGS, "GUEST_CR4", cr4, NULL, rule_cr4_fixed_to_0, 0, "A CR4 bit that VMX operation fixes to 0 is 1"),
	ROW("cr4.cet-wp", REGS, "GUEST_CR4", cr4, no_wp, rule_zero, RULE_CR4_CET, "CR4.CET needs CR0.WP"),
	ROW("cr4.pae-in-ia32e", REGS, "GUEST_CR4", cr4, guest_64, rule_set, RULE_CR4_PAE, "An IA-32e mode guest needs CR4.PAE"),
	ROW("cr4.pcide", REGS, "GUEST_CR4", cr4, guest_not_64, rule_zero, RULE_CR4_PCIDE, "CR4.PCIDE needs an IA-32e mode guest"),
	ROW("cr3.width", REGS, "GUEST_CR3", cr3, NULL, rule_physical, 0, "CR3 has bits above the physical-address width"),
	ROW("debugctl.reserved", REGS, "GUEST_IA32_DEBUGCTL", debugctl, loads_debug, rule_zero, DEBUGCTL_RESERVED,
	    "IA32_DEBUGCTL has reserved bits set"),
	ROW("dr7.high", REGS, "GUEST_DR7", dr7, loads_debug, rule_zero, GENMASK_ULL(63, 32), "Bits 63:32 of DR7 must be 0"),
	ROW("sysenter-esp.canonical", REGS, "GUEST_SYSENTER_ESP", sysenter_esp, NULL, rule_canonical, 0,
	    "SYSENTER_ESP" CANONICAL),
	ROW("sysenter-eip.canonical", REGS, "GUEST_SYSENTER_EIP", sysenter_eip, NULL, rule_canonical, 0,
	    "SYSENTER_EIP" CANONICAL),
	ROW("perf-global-ctrl.reserved", REGS, "GUEST_IA32_PERF_GLOBAL_CTRL", perf_global, loads_perf, rule_perf_reserved, 0,
	    "IA32_PERF_GLOBAL_CTRL has reserved bits set"),
	ROW("pat.type", REGS, "GUEST_IA32_PAT", pat, loads_pat, rule_pat, 0, "Each byte of IA32_PAT must be 0, 1, 4, 5, 6 or 7"),
	ROW("efer.reserved", REGS, "GUEST_IA32_EFER", efer, loads_efer, rule_efer_reserved, 0, "IA32_EFER has reserved bits set"),
	ROW("efer.lma", REGS, "GUEST_IA32_EFER", efer, loads_efer, efer_agrees, RULE_EFER_LMA,
	    "EFER.LMA must be the IA-32e mode guest control"),
	ROW("efer.lme", REGS, "GUEST_IA32_EFER", efer, loads_efer_with_paging, efer_agrees, RULE_EFER_LME,
	    "With CR0.PG, EFER.LME must be EFER.LMA"),
	ROW("bndcfgs.reserved", REGS, "GUEST_BNDCFGS", bndcfgs, loads_bndcfgs, rule_zero, GENMASK_ULL(11, 2),
	    "Bits 11:2 of IA32_BNDCFGS are reserved"),
	ROW("bndcfgs.canonical", REGS, "GUEST_BNDCFGS", bndcfgs, loads_bndcfgs, rule_canonical, 0,
	    "The bound directory" CANONICAL),
	ROW("pkrs.reserved", REGS, "GUEST_IA32_PKRS", pkrs, loads_pkrs, rule_zero, GENMASK_ULL(63, 32),
	    "Bits 63:32 of IA32_PKRS must be 0"),
	ROW("s-cet.reserved", REGS, "GUEST_S_CET", s_cet, loads_cet, rule_zero, GENMASK_ULL(9, 6),
	    "Bits 9:6 of IA32_S_CET are reserved"),
	ROW("s-cet.canonical", REGS, "GUEST_S_CET", s_cet, loads_cet, rule_canonical, 0, "IA32_S_CET" CANONICAL),
	ROW("ssp-table.canonical", REGS, "GUEST_INTR_SSP_TABLE", ssp_table, loads_cet, rule_canonical, 0,
	    "IA32_INTERRUPT_SSP_TABLE_ADDR" CANONICAL),

	ROW("gdtr.base", TABLES, "GUEST_GDTR_BASE", gdtr_base, NULL, rule_canonical, 0, "The GDTR base" CANONICAL),
	ROW("gdtr.limit", TABLES, "GUEST_GDTR_LIMIT", gdtr_limit, NULL, rule_zero, 0xffff0000,
	    "Bits 31:16 of the GDTR limit must be 0"),
	ROW("idtr.base", TABLES, "GUEST_IDTR_BASE", idtr_base, NULL, rule_canonical, 0, "The IDTR base" CANONICAL),
	ROW("idtr.limit", TABLES, "GUEST_IDTR_LIMIT", idtr_limit, NULL, rule_zero, 0xffff0000,
	    "Bits 31:16 of the IDTR limit must be 0"),

	ROW("rip.high", FLOW, "GUEST_RIP", rip, code_not_64, rule_zero, GENMASK_ULL(63, 32),
	    "Bits 63:32 of RIP must be 0 outside 64-bit code"),
	ROW("rip.width", FLOW, "GUEST_RIP", rip, code_64, rip_width, 0, "RIP has more bits than a linear address"),
	ROW("rflags.reserved", FLOW, "GUEST_RFLAGS", rflags, NULL, rule_zero, RFLAGS_RESERVED,
	    "Bits 63:22, 15, 5 and 3 of RFLAGS must be 0"),
	ROW("rflags.bit-1", FLOW, "GUEST_RFLAGS", rflags, NULL, rule_set, 2, "Bit 1 of RFLAGS must be 1"),
	ROW("rflags.vm-in-ia32e", FLOW, "GUEST_RFLAGS", rflags, guest_64, rule_zero, RULE_RFLAGS_VM,
	    "There is no virtual-8086 mode in an IA-32e mode guest (RFLAGS.VM)"),
	ROW("rflags.vm-in-real-mode", FLOW, "GUEST_RFLAGS", rflags, real_mode, rule_zero, RULE_RFLAGS_VM,
	    "There is no virtual-8086 mode without CR0.PE (RFLAGS.VM)"),
	ROW("rflags.if-injection", FLOW, "GUEST_RFLAGS", rflags, injects_ext_intr, rule_set, RULE_RFLAGS_IF,
	    "RFLAGS.IF must be 1 when an external interrupt is injected"),
	ROW("ssp.aligned", FLOW, "GUEST_SSP", ssp, loads_cet, rule_zero, 3, "Bits 1:0 of SSP must be 0"),
	ROW("ssp.high", FLOW, "GUEST_SSP", ssp, loads_cet_32, rule_zero, GENMASK_ULL(63, 32),
	    "Bits 63:32 of SSP must be 0 outside 64-bit code"),
	ROW("ssp.canonical", FLOW, "GUEST_SSP", ssp, loads_cet_64, rule_canonical, 0, "SSP" CANONICAL),
};

const struct vtx_rule_table vtx_rules_guest = { rows, ARRAY_SIZE(rows), RULE_GUEST };
