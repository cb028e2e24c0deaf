/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PAUSE-loop exiting and directed yield: a vCPU that spins gives its time to one that may end the spinning.
 */
#ifndef VTX_EXITS_PAUSE_H
#define VTX_EXITS_PAUSE_H

#include "exits/pause_policy.h"
#include "vmx/vcpu.h"

extern struct vtx_ple vtx_ple;	/* the module's parameters; all 0 where the processor has no PAUSE-loop exiting */

/* Module load, after the decision about the processor: has it PAUSE-loop exiting, wanted or not? */
void vtx_pause_setup(bool has_ple);

/* VMCS fields of a new vCPU. Loaded. */
void vtx_pause_init_vcpu(struct vtx_vcpu *vcpu);

/* The preemption notifier's part: interrupts off, the VMCS is loaded. */
void vtx_pause_sched_out(struct vtx_vcpu *vcpu);
void vtx_pause_sched_in(struct vtx_vcpu *vcpu);

/* KVM_HC_SCHED_YIELD: the vCPU with this id is to run, if it could and does not. May sleep. */
void vtx_pause_yield_to_id(struct vtx_vcpu *vcpu, u32 id);

/* The vCPU's thread is inside KVM_RUN between these two. Called by that thread. */
static inline void vtx_pause_run_begins(struct vtx_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->spin.runner, current);
}

static inline void vtx_pause_run_ends(struct vtx_vcpu *vcpu)
{
	WRITE_ONCE(vcpu->spin.runner, NULL);
}

#endif /* VTX_EXITS_PAUSE_H */
