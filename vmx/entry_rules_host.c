// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of VM entry: the host-state area (SDM vol. 3, 27.2.2 to 27.2.4).
 */
#include "compat/pure.h"
#include "vmx/entry_rules.h"

#define REGS "vol. 3, 27.2.2"
#define SEGS "vol. 3, 27.2.3"
#define SIZE "vol. 3, 27.2.4"

/* ------------------------------------------------------------------ conditions */

static bool host_64(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->exit & EXIT_HOST_64;
}

static bool host_32(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !host_64(s, r);
}

static bool in_long_mode(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->cpu.long_mode;
}

static bool not_in_long_mode(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !s->cpu.long_mode;
}

static bool loads_pat(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->exit & EXIT_LOAD_PAT;
}

static bool loads_efer(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->exit & EXIT_LOAD_EFER;
}

static bool loads_perf(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->exit & EXIT_LOAD_PERF;
}

static bool loads_pkrs(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->exit & EXIT_LOAD_PKRS;
}

static bool loads_cet(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return s->exit & EXIT_LOAD_CET;
}

static bool no_wp(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !(s->host_cr0 & RULE_CR0_WP);
}

/* ------------------------------------------------------------------ tests */

/* Bits of CR0 that VMX operation fixes (SDM vol. 3, A.7). */
static bool cr0_fixed_to_1(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.msrs.cr0_fixed0;
	return !(*allowed & ~found);
}

static bool cr0_fixed_to_0(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = s->cpu.msrs.cr0_fixed1;
	return !(found & ~*allowed);
}

static bool efer_agrees(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = host_64(s, r) ? r->mask : 0;
	return (found & r->mask) == *allowed;
}

/* ------------------------------------------------------------------ the table */

#define ROW(name, sec, vmcs_field, member, condition, test, bits, sentence)                                \
	{ .id = "host." name, .section = sec, .field = vmcs_field, .text = sentence, RULE_AT(member),     \
	  .when = condition, .ok = test, .mask = bits }

#define CANONICAL " is not canonical"
#define FLAGS " selector: RPL (bits 1:0) and TI (bit 2) must be 0"

static const struct vtx_entry_rule rows[] = {
	ROW("cr0.fixed-1", REGS, "HOST_CR0", host_cr0, NULL, cr0_fixed_to_1, 0, "A CR0 bit that VMX operation fixes to 1 is 0"),
	ROW("cr0.fixed-0", REGS, "HOST_CR0", host_cr0, NULL, cr0_fixed_to_0, 0, "A CR0 bit that VMX operation fixes to 0 is 1"),
	ROW("cr4.fixed-1", REGS, "HOST_CR4", host_cr4, NULL, rule_cr4_fixed_to_1, 0, "A CR4 bit that VMX operation fixes to 1 is 0"),
	ROW("cr4.fixed-0", REGS, "HOST_CR4", host_cr4, NULL, rule_cr4_fixed_to_0, 0, "A CR4 bit that VMX operation fixes to 0 is 1"),
	ROW("cr4.cet-wp", REGS, "HOST_CR4", host_cr4, no_wp, rule_zero, RULE_CR4_CET, "CR4.CET needs CR0.WP"),
	ROW("cr3.width", REGS, "HOST_CR3", host_cr3, NULL, rule_physical, 0, "CR3 has bits above the physical-address width"),
	ROW("sysenter-esp.canonical", REGS, "HOST_IA32_SYSENTER_ESP", host_sysenter_esp, NULL, rule_canonical, 0,
	    "SYSENTER_ESP" CANONICAL),
	ROW("sysenter-eip.canonical", REGS, "HOST_IA32_SYSENTER_EIP", host_sysenter_eip, NULL, rule_canonical, 0,
	    "SYSENTER_EIP" CANONICAL),
	ROW("perf-global-ctrl.reserved", REGS, "HOST_IA32_PERF_GLOBAL_CTRL", host_perf_global, loads_perf, rule_perf_reserved, 0,
	    "IA32_PERF_GLOBAL_CTRL has reserved bits set"),
	ROW("pat.type", REGS, "HOST_IA32_PAT", host_pat, loads_pat, rule_pat, 0,
	    "Each byte of IA32_PAT must be 0, 1, 4, 5, 6 or 7"),
	ROW("efer.reserved", REGS, "HOST_IA32_EFER", host_efer, loads_efer, rule_efer_reserved, 0, "IA32_EFER has reserved bits set"),
	ROW("efer.lma", REGS, "HOST_IA32_EFER", host_efer, loads_efer, efer_agrees, RULE_EFER_LMA,
	    "EFER.LMA must be the host address-space size control"),
	ROW("efer.lme", REGS, "HOST_IA32_EFER", host_efer, loads_efer, efer_agrees, RULE_EFER_LME,
	    "EFER.LME must be the host address-space size control"),
	ROW("s-cet.reserved", REGS, "HOST_IA32_S_CET", host_s_cet, loads_cet, rule_zero, GENMASK_ULL(9, 6),
	    "Bits 9:6 of IA32_S_CET are reserved"),
	ROW("s-cet.canonical", REGS, "HOST_IA32_S_CET", host_s_cet, loads_cet, rule_canonical, 0, "IA32_S_CET" CANONICAL),
	ROW("ssp.aligned", REGS, "HOST_SSP", host_ssp, loads_cet, rule_zero, 3, "Bits 1:0 of SSP must be 0"),
	ROW("ssp.canonical", REGS, "HOST_SSP", host_ssp, loads_cet, rule_canonical, 0, "SSP" CANONICAL),
	ROW("ssp-table.canonical", REGS, "HOST_IA32_INT_SSP_TAB", host_ssp_table, loads_cet, rule_canonical, 0,
	    "IA32_INTERRUPT_SSP_TABLE_ADDR" CANONICAL),
	ROW("pkrs.reserved", REGS, "HOST_IA32_PKRS", host_pkrs, loads_pkrs, rule_zero, GENMASK_ULL(63, 32),
	    "Bits 63:32 of IA32_PKRS must be 0"),

	ROW("es.flags", SEGS, "HOST_ES_SELECTOR", host_es, NULL, rule_zero, 7, "ES" FLAGS),
	ROW("cs.flags", SEGS, "HOST_CS_SELECTOR", host_cs, NULL, rule_zero, 7, "CS" FLAGS),
	ROW("ss.flags", SEGS, "HOST_SS_SELECTOR", host_ss, NULL, rule_zero, 7, "SS" FLAGS),
	ROW("ds.flags", SEGS, "HOST_DS_SELECTOR", host_ds, NULL, rule_zero, 7, "DS" FLAGS),
	ROW("fs.flags", SEGS, "HOST_FS_SELECTOR", host_fs, NULL, rule_zero, 7, "FS" FLAGS),
	ROW("gs.flags", SEGS, "HOST_GS_SELECTOR", host_gs, NULL, rule_zero, 7, "GS" FLAGS),
	ROW("tr.flags", SEGS, "HOST_TR_SELECTOR", host_tr, NULL, rule_zero, 7, "TR" FLAGS),
	ROW("cs.null", SEGS, "HOST_CS_SELECTOR", host_cs, NULL, rule_nonzero, 0xfff8, "The CS selector is 0"),
	ROW("tr.null", SEGS, "HOST_TR_SELECTOR", host_tr, NULL, rule_nonzero, 0xfff8, "The TR selector is 0"),
	ROW("ss.null", SEGS, "HOST_SS_SELECTOR", host_ss, host_32, rule_nonzero, 0xfff8,
	    "The SS selector is 0, which only a 64-bit host may have"),
	ROW("fs-base.canonical", SEGS, "HOST_FS_BASE", host_fs_base, NULL, rule_canonical, 0, "The FS base" CANONICAL),
	ROW("gs-base.canonical", SEGS, "HOST_GS_BASE", host_gs_base, NULL, rule_canonical, 0, "The GS base" CANONICAL),
	ROW("tr-base.canonical", SEGS, "HOST_TR_BASE", host_tr_base, NULL, rule_canonical, 0, "The TR base" CANONICAL),
	ROW("gdtr-base.canonical", SEGS, "HOST_GDTR_BASE", host_gdtr_base, NULL, rule_canonical, 0, "The GDTR base" CANONICAL),
	ROW("idtr-base.canonical", SEGS, "HOST_IDTR_BASE", host_idtr_base, NULL, rule_canonical, 0, "The IDTR base" CANONICAL),

	/* That an IA-32e mode guest needs a 64-bit host follows from these three. */
	ROW("size.32-bit-cpu", SIZE, "VM_EXIT_CONTROLS", exit, not_in_long_mode, rule_zero, EXIT_HOST_64,
	    "A processor outside IA-32e mode cannot return to a 64-bit host"),
	ROW("size.32-bit-cpu-guest", SIZE, "VM_ENTRY_CONTROLS", entry, not_in_long_mode, rule_zero, ENTRY_GUEST_64,
	    "A processor outside IA-32e mode cannot enter an IA-32e mode guest"),
	ROW("size.64-bit-cpu", SIZE, "VM_EXIT_CONTROLS", exit, in_long_mode, rule_set, EXIT_HOST_64,
	    "A processor in IA-32e mode must return to a 64-bit host"),
	ROW("cr4.pcide", SIZE, "HOST_CR4", host_cr4, host_32, rule_zero, RULE_CR4_PCIDE, "CR4.PCIDE needs a 64-bit host"),
	ROW("rip.high", SIZE, "HOST_RIP", host_rip, host_32, rule_zero, GENMASK_ULL(63, 32),
	    "Bits 63:32 of a 32-bit host's RIP must be 0"),
	ROW("cr4.pae", SIZE, "HOST_CR4", host_cr4, host_64, rule_set, RULE_CR4_PAE, "A 64-bit host needs CR4.PAE"),
	ROW("rip.canonical", SIZE, "HOST_RIP", host_rip, host_64, rule_canonical, 0, "RIP" CANONICAL),
};

const struct vtx_rule_table vtx_rules_host = { rows, ARRAY_SIZE(rows), RULE_HOST };
