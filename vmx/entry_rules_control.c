// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rules of VM entry: the VM-exit and VM-entry controls, and the event to inject (SDM vol. 3, 27.2.1.2 and 27.2.1.3).
 */
#include "compat/pure.h"
#include "vmx/entry_rules.h"

#define EXIT "vol. 3, 27.2.1.2"
#define ENTRY "vol. 3, 27.2.1.3"

/* ------------------------------------------------------------------ control words */

static u64 control_msr(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return r->at == offsetof(struct vtx_entry_state, exit) ? s->cpu.msrs.exit : s->cpu.msrs.entry;
}

static bool must_be_one(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = (u32)control_msr(s, r);
	return !(*allowed & ~found);
}

static bool may_be_one(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = control_msr(s, r) >> 32;
	return !(found & ~*allowed);
}

static bool no_timer(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return !(s->pin & PIN_PREEMPTION_TIMER);
}

/* ------------------------------------------------------------------ MSR areas */

static u32 area_count(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	if (r->at == offsetof(struct vtx_entry_state, exit_store_addr))
		return s->exit_store_count;
	if (r->at == offsetof(struct vtx_entry_state, exit_load_addr))
		return s->exit_load_count;
	return s->entry_load_count;
}

static bool area_used(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return area_count(s, r);
}

/* One rule for the first byte and one for the last: the second counts when the first holds. */
static bool area_starts_well(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return area_used(s, r) && vtx_rule_value(s, r) < BIT_ULL(s->cpu.maxphyaddr);
}

static bool area_ends_well(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = BIT_ULL(s->cpu.maxphyaddr) - 1;
	return found + 16ULL * area_count(s, r) - 1 <= *allowed;
}

/* ------------------------------------------------------------------ the event to inject */

static bool injects(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_injects(s);
}

static bool injects_nmi(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_injects_type(s, RULE_NMI);
}

static bool injects_exception(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_injects_type(s, RULE_HARD_EXCEPTION);
}

static bool injects_other(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_injects_type(s, RULE_OTHER);
}

static bool injects_software(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	u32 type = rule_intr_type(s);

	return rule_injects(s) && type >= RULE_SOFT_INTR && type <= RULE_SOFT_EXCEPTION;
}

static bool injects_error(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return rule_injects(s) && (s->intr_info & RULE_INTR_ERROR);
}

static bool real_mode(const struct vtx_entry_state *s)
{
	return rule_unrestricted(s) && !(s->cr0 & RULE_CR0_PE);
}

/* IA32_VMX_BASIC bit 56: any exception may come with or without an error code (SDM vol. 3, A.1). */
static bool exception_in_protected_mode(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return injects_exception(s, r) && !real_mode(s) && !(s->cpu.msrs.basic & BIT_ULL(56));
}

static bool error_in_real_mode(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return injects_error(s, r) && injects_exception(s, r) && real_mode(s);
}

static bool error_without_exception(const struct vtx_entry_state *s, const struct vtx_entry_rule *r)
{
	return injects_error(s, r) && !injects_exception(s, r);
}

/* #DF, #TS, #NP, #SS, #GP, #PF, #AC. */
static bool pushes_error(u32 vector)
{
	return vector < 32 && (0x27d00U >> vector & 1);
}

static bool has_its_error(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = RULE_INTR_ERROR;
	return !pushes_error(found & 0xff) || (found & RULE_INTR_ERROR);
}

static bool has_no_error(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = 0;
	return pushes_error(found & 0xff) || !(found & RULE_INTR_ERROR);
}

static bool type_exists(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	u32 type = rule_intr_type(s);

	*allowed = 0x7d; /* a bit per type */
	if (s->cpu.msrs.proc >> 32 & PROC_MTF)
		*allowed |= BIT(RULE_OTHER);
	return *allowed >> type & 1;
}

static bool vector_is(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	return (found & 0xff) == r->mask;
}

static bool vector_at_most(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	return (found & 0xff) <= r->mask;
}

/* IA32_VMX_MISC bit 30: length 0 is possible (SDM vol. 3, A.6). */
static bool length_zero(const struct vtx_entry_state *s, const struct vtx_entry_rule *r, u64 found, u64 *allowed)
{
	*allowed = 1;
	return found || (s->cpu.msrs.misc & BIT_ULL(30));
}

/* ------------------------------------------------------------------ the table */

#define ROW(name, sec, vmcs_field, member, condition, test, bits, sentence)                                   \
	{ .id = "control." name, .section = sec, .field = vmcs_field, .text = sentence, RULE_AT(member),     \
	  .when = condition, .ok = test, .mask = bits }

#define EXIT_FIELD "VM_EXIT_CONTROLS"
#define ENTRY_FIELD "VM_ENTRY_CONTROLS"
#define INFO "VM_ENTRY_INTR_INFO_FIELD"
#define ALIGNED " must be 16-byte aligned"
#define WIDTH " begins above the physical-address width"
#define END " ends above the physical-address width"
#define STORE "The VM-exit MSR-store area"
#define LOAD "The VM-exit MSR-load area"
#define ENTRY_LOAD "The VM-entry MSR-load area"

static const struct vtx_entry_rule rows[] = {
	ROW("exit.must-be-1", EXIT, EXIT_FIELD, exit, NULL, must_be_one, 0,
	    "A VM-exit control that must be 1 on this processor is 0"),
	ROW("exit.must-be-0", EXIT, EXIT_FIELD, exit, NULL, may_be_one, 0,
	    "A VM-exit control that this processor does not have is 1"),
	ROW("exit.save-timer", EXIT, EXIT_FIELD, exit, no_timer, rule_zero, EXIT_SAVE_TIMER,
	    "Saving the VMX-preemption timer needs the timer to be active"),
	ROW("exit-store.aligned", EXIT, "VM_EXIT_MSR_STORE_ADDR", exit_store_addr, area_used, rule_zero, 15, STORE ALIGNED),
	ROW("exit-store.width", EXIT, "VM_EXIT_MSR_STORE_ADDR", exit_store_addr, area_used, rule_physical, 0, STORE WIDTH),
	ROW("exit-store.end", EXIT, "VM_EXIT_MSR_STORE_ADDR", exit_store_addr, area_starts_well, area_ends_well, 0, STORE END),
	ROW("exit-load.aligned", EXIT, "VM_EXIT_MSR_LOAD_ADDR", exit_load_addr, area_used, rule_zero, 15, LOAD ALIGNED),
	ROW("exit-load.width", EXIT, "VM_EXIT_MSR_LOAD_ADDR", exit_load_addr, area_used, rule_physical, 0, LOAD WIDTH),
	ROW("exit-load.end", EXIT, "VM_EXIT_MSR_LOAD_ADDR", exit_load_addr, area_starts_well, area_ends_well, 0, LOAD END),

	ROW("entry.must-be-1", ENTRY, ENTRY_FIELD, entry, NULL, must_be_one, 0,
	    "A VM-entry control that must be 1 on this processor is 0"),
	ROW("entry.must-be-0", ENTRY, ENTRY_FIELD, entry, NULL, may_be_one, 0,
	    "A VM-entry control that this processor does not have is 1"),
	ROW("entry.smm", ENTRY, ENTRY_FIELD, entry, NULL, rule_zero, ENTRY_TO_SMM, "Only SMM can enter SMM"),
	ROW("entry.dual-monitor", ENTRY, ENTRY_FIELD, entry, NULL, rule_zero, ENTRY_NO_DUAL_MONITOR,
	    "Only SMM can deactivate the dual-monitor treatment"),
	ROW("entry-load.aligned", ENTRY, "VM_ENTRY_MSR_LOAD_ADDR", entry_load_addr, area_used, rule_zero, 15,
	    ENTRY_LOAD ALIGNED),
	ROW("entry-load.width", ENTRY, "VM_ENTRY_MSR_LOAD_ADDR", entry_load_addr, area_used, rule_physical, 0,
	    ENTRY_LOAD WIDTH),
	ROW("entry-load.end", ENTRY, "VM_ENTRY_MSR_LOAD_ADDR", entry_load_addr, area_starts_well, area_ends_well, 0,
	    ENTRY_LOAD END),

	ROW("inject.type", ENTRY, INFO, intr_info, injects, type_exists, 0,
	    "No such type of event to inject; allowed: a bit per type"),
	ROW("inject.reserved", ENTRY, INFO, intr_info, injects, rule_zero, GENMASK_ULL(30, 12),
	    "Bits 30:12 of the event to inject are reserved"),
	ROW("inject.nmi-vector", ENTRY, INFO, intr_info, injects_nmi, vector_is, 2, "An NMI has vector 2"),
	ROW("inject.exception-vector", ENTRY, INFO, intr_info, injects_exception, vector_at_most, 31,
	    "A hardware exception has a vector of at most 31"),
	ROW("inject.other-vector", ENTRY, INFO, intr_info, injects_other, vector_is, 0,
	    "The only other event is vector 0, a pending MTF exit"),
	ROW("inject.error-type", ENTRY, INFO, intr_info, error_without_exception, rule_never, 0,
	    "Only a hardware exception can come with an error code"),
	ROW("inject.error-real-mode", ENTRY, INFO, intr_info, error_in_real_mode, rule_never, 0,
	    "There are no error codes in real mode (CR0.PE is 0)"),
	ROW("inject.error-missing", ENTRY, INFO, intr_info, exception_in_protected_mode, has_its_error, 0,
	    "This exception must come with an error code (bit 11)"),
	ROW("inject.error-excess", ENTRY, INFO, intr_info, exception_in_protected_mode, has_no_error, 0,
	    "This exception cannot come with an error code (bit 11)"),
	ROW("inject.error-code", ENTRY, "VM_ENTRY_EXCEPTION_ERROR_CODE", error_code, injects_error, rule_zero, 0xffff0000,
	    "Bits 31:16 of the error code to inject must be 0"),
	ROW("inject.length-zero", ENTRY, "VM_ENTRY_INSTRUCTION_LEN", insn_len, injects_software, length_zero, 0,
	    "A software event needs the length of its instruction, at least 1"),
	ROW("inject.length", ENTRY, "VM_ENTRY_INSTRUCTION_LEN", insn_len, injects_software, rule_max, 15,
	    "A software event's instruction has at most 15 bytes"),
};

const struct vtx_rule_table vtx_rules_entry_exit = { rows, ARRAY_SIZE(rows), RULE_CONTROL };
