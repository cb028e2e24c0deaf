/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Halt polling: a vCPU that executed HLT looks for an event for a while before its thread sleeps.
 */
#ifndef VTX_VMX_HALT_POLL_H
#define VTX_VMX_HALT_POLL_H

#include "vmx/vcpu.h"

/*
 * Polls while nobody else wants the CPU. @wake: is there a reason to run? vCPU thread, may be preempted.
 * Return: ktime in ns when polling ended, 0: there was none; *found: @wake said yes, or a signal came.
 */
u64 vtx_halt_poll(struct vtx_vcpu *vcpu, u64 now_ns, bool (*wake)(struct vtx_vcpu *vcpu), bool *found);

/* The halt took @ns in all. */
void vtx_halt_poll_learn(struct vtx_vcpu *vcpu, u64 ns);

/* KVM_CAP_HALT_POLL: @max_ns instead of the module parameter's. vm->lock held. */
void vtx_halt_poll_set(struct vtx_vm *vm, u32 max_ns);

#endif /* VTX_VMX_HALT_POLL_H */
