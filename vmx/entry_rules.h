/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules that a VM entry must keep (SDM vol. 3, 27.2 and 27.3) as tables of pure functions over a plain structure.
 *
 * A rule is a row: a stable name, the section of the manual, the VMCS field, and a test.  Only rules that every processor keeps,
 * or that the capability MSRs decide, are here: where the manual leaves something to the model, the rule counts only after
 * the processor has refused (vtx_entry_state.refused).  So "no rule matched" is possible, a guess is not.
 */
#ifndef VTX_VMX_ENTRY_RULES_H
#define VTX_VMX_ENTRY_RULES_H

#include "compat/pure.h"
#include "vmx/caps.h"

/* The registers in the order of the VMCS's fields. */
enum vtx_entry_seg_index { E_ES, E_CS, E_SS, E_DS, E_FS, E_GS, E_LDTR, E_TR, E_NR_SEGS };

struct vtx_entry_seg {
	u64 base;
	u32 limit, ar;
	u16 selector;
};

/* What the processor is and does, besides its VMX capability MSRs. */
struct vtx_entry_cpu {
	struct vtx_msr_values msrs;
	u64 vmfunc;			/* IA32_VMX_VMFUNC; 0 where it does not exist */
	u64 efer_valid;			/* bits that IA32_EFER has */
	u64 perf_global_valid;		/* bits that IA32_PERF_GLOBAL_CTRL has */
	u8 maxphyaddr;			/* physical-address width in bits */
	u8 linear_bits;			/* linear-address width it supports: 48 or 57 */
	bool long_mode;			/* IA32_EFER.LMA when the entry is tried */
	bool sgx, rtm;
};

/*
 * Everything the rules look at. A field that the processor does not have is 0 here, and so is the control that would use it.
 */
struct vtx_entry_state {
	struct vtx_entry_cpu cpu;
	bool refused;			/* the processor has refused this state: see above */

	/* VM-execution controls */
	u32 pin, proc, proc2;
	u32 cr3_target_count, tpr_threshold;
	u64 io_bitmap_a, io_bitmap_b, msr_bitmap;
	u64 virtual_apic, apic_access, pi_desc;
	u64 eptp, pml_address, vmfunc_controls, eptp_list;
	u64 vmread_bitmap, vmwrite_bitmap, ve_info, tsc_multiplier;
	u16 vpid, pi_vector;
	bool vtpr_known;		/* vtpr was read from the virtual-APIC page */
	u8 vtpr;

	/* VM-exit and VM-entry controls */
	u32 exit, exit_store_count, exit_load_count;
	u64 exit_store_addr, exit_load_addr;
	u32 entry, entry_load_count;
	u64 entry_load_addr;
	u32 intr_info, error_code, insn_len;

	/* host state */
	u64 host_cr0, host_cr3, host_cr4, host_rip;
	u64 host_fs_base, host_gs_base, host_tr_base, host_gdtr_base, host_idtr_base;
	u64 host_sysenter_esp, host_sysenter_eip, host_pat, host_efer, host_perf_global;
	u64 host_pkrs, host_s_cet, host_ssp, host_ssp_table;
	u16 host_es, host_cs, host_ss, host_ds, host_fs, host_gs, host_tr;

	/* guest state */
	u64 cr0, cr3, cr4, dr7, rip, rflags;
	u64 debugctl, sysenter_esp, sysenter_eip, pat, efer, perf_global;
	u64 bndcfgs, pkrs, s_cet, ssp, ssp_table;
	struct vtx_entry_seg seg[E_NR_SEGS];
	u64 gdtr_base, idtr_base;
	u32 gdtr_limit, idtr_limit;
	u32 activity, interruptibility;
	u64 pending_dbg, link_pointer, pdpte[4];
	u64 current_vmcs;		/* address of the VMCS itself; 0: not known */
	bool link_revision_known;	/* link_revision was read from the VMCS that link_pointer names */
	u32 link_revision;
};

/* Control bits that rules use; numbers as in SDM vol. 3, tables 25-5 to 25-8, 25-13, 25-15. */
#define PIN_EXT_INTR BIT(0)
#define PIN_NMI BIT(3)
#define PIN_VIRTUAL_NMI BIT(5)
#define PIN_PREEMPTION_TIMER BIT(6)
#define PIN_POSTED BIT(7)

#define PROC_TPR_SHADOW BIT(21)
#define PROC_NMI_WINDOW BIT(22)
#define PROC_IO_BITMAPS BIT(25)
#define PROC_MTF BIT(27)
#define PROC_MSR_BITMAPS BIT(28)
#define PROC_SECONDARY BIT(31)

#define PROC2_APIC_ACCESSES BIT(0)
#define PROC2_EPT BIT(1)
#define PROC2_X2APIC BIT(4)
#define PROC2_VPID BIT(5)
#define PROC2_UNRESTRICTED BIT(7)
#define PROC2_APIC_REGISTERS BIT(8)
#define PROC2_VIRTUAL_INTR BIT(9)
#define PROC2_VMFUNC BIT(13)
#define PROC2_SHADOWING BIT(14)
#define PROC2_PML BIT(17)
#define PROC2_VE BIT(18)
#define PROC2_MODE_BASED_EXEC BIT(22)
#define PROC2_PT_GUEST_PHYSICAL BIT(24)
#define PROC2_TSC_SCALING BIT(25)

#define EXIT_HOST_64 BIT(9)
#define EXIT_LOAD_PERF BIT(12)
#define EXIT_ACK_INTR BIT(15)
#define EXIT_LOAD_PAT BIT(19)
#define EXIT_LOAD_EFER BIT(21)
#define EXIT_SAVE_TIMER BIT(22)
#define EXIT_CLEAR_RTIT BIT(25)
#define EXIT_LOAD_CET BIT(28)
#define EXIT_LOAD_PKRS BIT(29)

#define ENTRY_LOAD_DEBUG BIT(2)
#define ENTRY_GUEST_64 BIT(9)
#define ENTRY_TO_SMM BIT(10)
#define ENTRY_NO_DUAL_MONITOR BIT(11)
#define ENTRY_LOAD_PERF BIT(13)
#define ENTRY_LOAD_PAT BIT(14)
#define ENTRY_LOAD_EFER BIT(15)
#define ENTRY_LOAD_BNDCFGS BIT(16)
#define ENTRY_LOAD_RTIT BIT(18)
#define ENTRY_LOAD_CET BIT(20)
#define ENTRY_LOAD_PKRS BIT(22)

/* Which check of the processor a rule belongs to. They are made in this order, and a failed one hides the next. */
enum vtx_rule_group { RULE_CONTROL = 1, RULE_HOST = 2, RULE_GUEST = 4, RULE_ALL = 7 };

struct vtx_entry_rule {
	const char *id, *section, *field, *text;
	u16 at, size;			/* the field in struct vtx_entry_state */
	u8 seg;				/* segment rules: enum vtx_entry_seg_index */
	u8 qualification;		/* exit qualification of the failed entry (SDM vol. 3, 27.8) */
	u64 mask;			/* for the test */
	/* When the rule counts; NULL: always. */
	bool (*when)(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule);
	/* Does the rule hold? *allowed has a default of mask and is what the report shows. */
	bool (*ok)(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed);
};

struct vtx_rule_table {
	const struct vtx_entry_rule *rows;
	u32 n;
	enum vtx_rule_group group;
};

extern const struct vtx_rule_table vtx_rules_exec;		/* 27.2.1.1 */
extern const struct vtx_rule_table vtx_rules_entry_exit;	/* 27.2.1.2, 27.2.1.3 */
extern const struct vtx_rule_table vtx_rules_host;		/* 27.2.2 to 27.2.4 */
extern const struct vtx_rule_table vtx_rules_guest;		/* 27.3.1.1, 27.3.1.3, 27.3.1.4 */
extern const struct vtx_rule_table vtx_rules_segment;		/* 27.3.1.2 */
extern const struct vtx_rule_table vtx_rules_state;		/* 27.3.1.5, 27.3.1.6 */
#define VTX_NR_RULE_TABLES 6
extern const struct vtx_rule_table *const vtx_rule_tables[VTX_NR_RULE_TABLES];

/* A rule that does not hold. */
struct vtx_entry_finding {
	const struct vtx_entry_rule *rule;
	enum vtx_rule_group group;
	u64 found, allowed;
};

/*
 * Tries all rules of @groups (bits of enum vtx_rule_group) in the order of the manual.
 * Return: how many do not hold; the first @max of them in @out.
 */
u32 vtx_entry_rules_check(const struct vtx_entry_state *s, u32 groups, struct vtx_entry_finding *out, u32 max);

/* ------------------------------------------------------------------ for the tables */

/* A row's field: where it is, and how wide. */
#define RULE_AT(member) .at = offsetof(struct vtx_entry_state, member), .size = sizeof(((struct vtx_entry_state *)NULL)->member)

u64 vtx_rule_value(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule);

static inline u32 rule_proc2(const struct vtx_entry_state *s)
{
	return s->proc & PROC_SECONDARY ? s->proc2 : 0;
}

static inline bool rule_unrestricted(const struct vtx_entry_state *s)
{
	return rule_proc2(s) & PROC2_UNRESTRICTED;
}

static inline bool rule_guest_64(const struct vtx_entry_state *s)
{
	return s->entry & ENTRY_GUEST_64;
}

#define RULE_CR0_PE BIT_ULL(0)
#define RULE_CR0_WP BIT_ULL(16)
#define RULE_CR0_PG BIT_ULL(31)
#define RULE_CR4_PAE BIT_ULL(5)
#define RULE_CR4_PCIDE BIT_ULL(17)
#define RULE_CR4_CET BIT_ULL(23)
#define RULE_RFLAGS_TF BIT_ULL(8)
#define RULE_RFLAGS_IF BIT_ULL(9)
#define RULE_RFLAGS_VM BIT_ULL(17)
#define RULE_EFER_LME BIT_ULL(8)
#define RULE_EFER_LMA BIT_ULL(10)

/* The VM-entry interruption-information field, SDM vol. 3, table 25-17. */
enum {
	RULE_EXT_INTR = 0,
	RULE_NMI = 2,
	RULE_HARD_EXCEPTION = 3,
	RULE_SOFT_INTR = 4,
	RULE_PRIV_SOFT = 5,
	RULE_SOFT_EXCEPTION = 6,
	RULE_OTHER = 7,
};

#define RULE_INTR_VALID BIT(31)
#define RULE_INTR_ERROR BIT(11)

static inline bool rule_injects(const struct vtx_entry_state *s)
{
	return s->intr_info & RULE_INTR_VALID;
}

static inline u32 rule_intr_type(const struct vtx_entry_state *s)
{
	return (s->intr_info >> 8) & 7;
}

static inline bool rule_injects_type(const struct vtx_entry_state *s, u32 type)
{
	return rule_injects(s) && rule_intr_type(s) == type;
}

/* Tests that many rows share (vmx/entry_rules.c). */
typedef bool rule_test(const struct vtx_entry_state *s, const struct vtx_entry_rule *rule, u64 found, u64 *allowed);
rule_test rule_never;		/* the condition itself is the offence; allowed: mask */
rule_test rule_zero;		/* the bits of mask are 0; allowed: the other bits */
rule_test rule_set;		/* the bits of mask are 1 */
rule_test rule_max;		/* at most mask */
rule_test rule_nonzero;
rule_test rule_physical;	/* no bit above the physical-address width */
rule_test rule_canonical;
rule_test rule_pat;		/* eight memory types of 0, 1, 4, 5, 6, 7 */

/* Tests that host and guest share (vmx/entry_rules.c). */
bool rule_cr4_fixed_to_1(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed);
bool rule_cr4_fixed_to_0(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed);
bool rule_efer_reserved(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed);
bool rule_perf_reserved(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed);

#endif /* VTX_VMX_ENTRY_RULES_H */
