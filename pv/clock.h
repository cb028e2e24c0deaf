/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KVM's paravirtual clock: system time and wall clock MSRs (Documentation/virt/kvm/x86/msr.rst of the kernel).
 */
#ifndef VTX_PV_CLOCK_H
#define VTX_PV_CLOCK_H

#include <linux/types.h>
#include <linux/spinlock.h>
#include "pv/scale.h"
#include "pv/tsc.h"

struct vtx_vm;
struct vtx_vcpu;
struct kvm_clock_data;

/* What KVM_CHECK_EXTENSION(KVM_CAP_ADJUST_CLOCK) answers: the flags of KVM_GET_CLOCK and KVM_SET_CLOCK. */
#define VTX_CLOCK_FLAGS (KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC)

struct vtx_vm_clock {
	raw_spinlock_t lock;
	s64 offset;		/* guest's clock = CLOCK_BOOTTIME (ns) + offset; used when the TSC cannot be */
	u64 base_tsc, base_ns;	/* host TSC and guest ns taken together: all vCPUs publish this pair */
	u64 ratio;		/* of guest TSC to host TSC on this line, 2^48 is 1 (pv/guest_tsc.c) */
	struct vtx_scale scale;	/* guest TSC to ns */
	/* MSR_KVM_WALL_CLOCK(_NEW) as last written; READ_ONCE/WRITE_ONCE (exits/msr_access.c). */
	u64 wall_clock_msr;
};

struct vtx_pv_clock {
	u64 system_time_msr;	/* MSR_KVM_SYSTEM_TIME(_NEW): gpa | enable bit */
	u32 version;
	bool stopped;		/* KVM_KVMCLOCK_CTRL: the guest is told once that it did not run */
};

void vtx_clock_init(struct vtx_vm *vm);
/* The line goes on, counted in ticks of guests whose TSC has this rate. clock->lock held; vtx_clock_tsc_changed() follows. */
void vtx_clock_set_rate(struct vtx_vm_clock *clock, u32 khz, u64 ratio);
u64 vtx_clock_ns(struct vtx_vm *vm);				/* the guest's system time now */
int vtx_get_clock(struct vtx_vm *vm, struct kvm_clock_data *out);	/* KVM_GET_CLOCK */
int vtx_set_clock(struct vtx_vm *vm, const struct kvm_clock_data *in);	/* KVM_SET_CLOCK: -EINVAL */
/* Whoever changed a vCPU's tsc_offset after it ran calls this: all pages are written anew. Any context. */
void vtx_clock_tsc_changed(struct vtx_vm *vm);
/* MSR writes from the guest (may sleep, vm->srcu held). 0 or 1 (#GP). */
int vtx_pv_clock_set_system_time(struct vtx_vcpu *vcpu, u64 data);
int vtx_pv_clock_set_wall_clock(struct vtx_vcpu *vcpu, u64 data);
/* VTX_REQ_CLOCK: writes this vCPU's page. May sleep, vm->srcu held. */
void vtx_pv_clock_update(struct vtx_vcpu *vcpu);
/* KVM_KVMCLOCK_CTRL. vcpu->mutex held. Return 0 or -EINVAL (the guest has no clock page). */
int vtx_pv_clock_stopped(struct vtx_vcpu *vcpu);
/* vCPU arrives on another CPU: asks for a new page where the CPUs' TSCs differ. Preemption may be off. */
void vtx_pv_clock_new_cpu(struct vtx_vcpu *vcpu);

#endif /* VTX_PV_CLOCK_H */
