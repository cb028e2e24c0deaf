/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest under user space's debugger (KVM_SET_GUEST_DEBUG): breakpoints and steps end KVM_RUN with KVM_EXIT_DEBUG instead of
 * being the guest's own. A vCPU that is not debugged pays a look at debug.control before an entry from the run loop, no more.
 *
 * All but the setting itself: the vCPU's thread, vCPU loaded.
 */
#ifndef VTX_VMX_GUEST_DEBUG_H
#define VTX_VMX_GUEST_DEBUG_H

#include "vmx/vcpu.h"

/*
 * Makes @arg the vCPU's debugging: its control (bits that nobody knows count for nothing, as in KVM), with KVM_GUESTDBG_USE_HW_BP its
 * debug registers. vCPU loaded. Return: 0; -EBUSY: an exception is to be injected, and another waits.
 */
int vtx_debug_set(struct vtx_vcpu *vcpu, const struct kvm_guest_debug *arg);

/* The breakpoints that count, the debugger's or the guest's, go to where the processor gets them from. After each change of DR7. */
void vtx_debug_load_dr7(struct vtx_vcpu *vcpu);

/* An intercepted #DB or #BP: is it the debugger's? */
bool vtx_debug_wants(const struct vtx_vcpu *vcpu, u8 vector);
/* Leaves with KVM_EXIT_DEBUG; @dr6: what happened, for #DB. Return VTX_EXIT_USER. */
int vtx_debug_exit(struct vtx_vcpu *vcpu, u8 vector, u64 dr6);

/*
 * An instruction that vtx has executed itself has ended, and RFLAGS.TF is set: the guest's single step, or the debugger's, which
 * VTX_REQ_DEBUG_STEP tells before the next entry.
 */
void vtx_debug_stepped(struct vtx_vcpu *vcpu);

/* Before entries, while steps are wanted. */
void vtx_debug_arm_step(struct vtx_vcpu *vcpu);
/* RFLAGS for user space, without the debugger's TF. */
u64 vtx_debug_rflags(struct vtx_vcpu *vcpu);

static inline bool vtx_debug_steps(const struct vtx_vcpu *vcpu)
{
	return unlikely(vcpu->debug.control & KVM_GUESTDBG_SINGLESTEP);
}

/* Interrupts and NMIs wait while the debugger looks. */
static inline bool vtx_debug_blocks_irqs(const struct vtx_vcpu *vcpu)
{
	return unlikely(vcpu->debug.control & KVM_GUESTDBG_BLOCKIRQ);
}

#endif /* VTX_VMX_GUEST_DEBUG_H */
