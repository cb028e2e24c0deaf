/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Why an entry failed: the rules of vmx/entry_rules.h tried on the current VMCS.
 */
#ifndef VTX_VMX_ENTRY_STATE_H
#define VTX_VMX_ENTRY_STATE_H

#include <linux/jump_label.h>
#include "vmx/entry_rules.h"

struct vtx_vcpu;

/* Module load: what the processor is; @msrs are its VMX capability MSRs. */
void vtx_entry_state_setup(const struct vtx_msr_values *msrs);
/* Fills @s from the VMCS of @vcpu, which is loaded and has its cached registers flushed. Reads only fields that exist. */
void vtx_entry_state_read(struct vtx_vcpu *vcpu, struct vtx_entry_state *s);

/* vmx/entry_check.c. Part of a vCPU's creation and end; 0 or -ENOMEM. */
int vtx_entry_check_alloc(struct vtx_vcpu *vcpu);
void vtx_entry_check_free(struct vtx_vcpu *vcpu);
/* Module load: takes up the parameter check_entry. */
void vtx_entry_check_setup(void);

/*
 * Right before an entry, interrupts off: true when no rule is broken, or without check_entry=1. Else exit_reason and qualification say
 * what the processor would, and vtx_entry_explain() knows the rules.
 */
bool vtx_entry_allowed(struct vtx_vcpu *vcpu);
DECLARE_STATIC_KEY_FALSE(vtx_check_entry);	/* check_entry=1 or tlb_check=1: something is checked before each entry */

/*
 * After a failed entry, before anything in the VMCS changes: finds the broken rules, publishes a report of kind VTX_FAILURE_ENTRY
 * and says the first of them in dmesg. exit_reason is ~0 (VMLAUNCH or VMRESUME failed, qualification has the VM-instruction
 * error) or has bit 31.
 */
void vtx_entry_explain(struct vtx_vcpu *vcpu);

#endif /* VTX_VMX_ENTRY_STATE_H */
