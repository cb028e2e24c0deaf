/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's own CPU state around guest execution: what the VMCS does not switch for us.
 */
#ifndef VTX_VMX_HOST_STATE_H
#define VTX_VMX_HOST_STATE_H

#include <linux/types.h>

struct vtx_vcpu;

void vtx_host_state_cpu_on(void);	/* on a CPU that entered VMX operation, interrupts off */
void vtx_host_state_cpu_off(void);

void vtx_host_state_setup(struct vtx_vcpu *vcpu);	/* constant host fields of a new VMCS */
void vtx_host_state_new_cpu(struct vtx_vcpu *vcpu);	/* per-CPU host fields; preemption off, VMCS current */

/* Guest MSRs and segments in; the host's are remembered. Interrupts off. Cheap when already in. */
void vtx_guest_state_load(struct vtx_vcpu *vcpu);
/* Host's back: before the thread leaves the CPU or returns to user space. Preemption off. */
void vtx_guest_state_unload(struct vtx_vcpu *vcpu);
/* CR3 and CR4 of the host may have moved since the last entry. Interrupts off. */
void vtx_host_state_refresh(struct vtx_vcpu *vcpu);

#endif /* VTX_VMX_HOST_STATE_H */
