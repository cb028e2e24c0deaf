/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session: the stretch of the inner run loop in which the guest's FPU, MSRs and debug registers are in the CPU and
 * interrupts are off.
 */
#ifndef VTX_VMX_SESSION_H
#define VTX_VMX_SESSION_H

#include "vmx/vcpu.h"

void vtx_session_begin(struct vtx_vcpu *vcpu);
void vtx_session_end(struct vtx_vcpu *vcpu);
/* Opens interrupts for what made the guest exit; the host runs its handlers. */
void vtx_session_take_interrupts(struct vtx_vcpu *vcpu);
void vtx_session_setup(void);	/* at module load */

#endif /* VTX_VMX_SESSION_H */
