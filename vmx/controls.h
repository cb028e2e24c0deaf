/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VM-execution, VM-exit and VM-entry controls of a vCPU: their start values, and the few bits that change while it runs.
 */
#ifndef VTX_VMX_CONTROLS_H
#define VTX_VMX_CONTROLS_H

#include "vmx/vcpu.h"

void vtx_controls_setup(struct vtx_vcpu *vcpu);		/* new VMCS, loaded */
void vtx_controls_set_ia32e(struct vtx_vcpu *vcpu, bool on);
void vtx_controls_set_exceptions(struct vtx_vcpu *vcpu, bool all);	/* intercept all, or those that must be */
void vtx_controls_update_exceptions(struct vtx_vcpu *vcpu);	/* the debugger wants others */
void vtx_controls_update_exits(struct vtx_vcpu *vcpu);	/* KVM_CAP_X86_DISABLE_EXITS: the VM does without these */
void vtx_controls_set_windows(struct vtx_vcpu *vcpu, bool irq, bool nmi);
void vtx_controls_set_preemption_timer(struct vtx_vcpu *vcpu, bool on);

#endif /* VTX_VMX_CONTROLS_H */
