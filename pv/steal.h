/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's steal time: the guest learns for how long a vCPU wanted to run and another thread had its CPU, and that it waits for one just
 * now (MSR_KVM_STEAL_TIME, Documentation/virt/kvm/x86/msr.rst of the kernel).
 */
#ifndef VTX_PV_STEAL_H
#define VTX_PV_STEAL_H

#include <linux/types.h>

struct vtx_vcpu;

struct vtx_pv_steal {
	u64 msr;			/* MSR_KVM_STEAL_TIME: gpa | enable bit */
	u64 runner;			/* start_time of the thread whose run_delay `seen` is: another thread may get its task_struct, not that */
	u64 seen;			/* run_delay that the guest knows of, in ns */
	bool preempted;			/* the guest's page says so */
};

/* The guest's WRMSR and KVM_SET_MSRS; the value has been checked. vCPU loaded. */
void vtx_pv_steal_set(struct vtx_vcpu *vcpu, u64 data);
/* VTX_REQ_STEAL: what was stolen since the last time. May sleep, vm->srcu held. */
void vtx_pv_steal_update(struct vtx_vcpu *vcpu);
/* KVM_RUN begins. */
void vtx_pv_steal_run(struct vtx_vcpu *vcpu);
/* The scheduler takes the vCPU's thread off its CPU, and gives it one. From the preempt notifier: interrupts are off. */
void vtx_pv_steal_sched_out(struct vtx_vcpu *vcpu);
void vtx_pv_steal_sched_in(struct vtx_vcpu *vcpu);

#endif /* VTX_PV_STEAL_H */
