/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU's time-stamp counter: its rate, its offset, and the writes that move it.
 */
#ifndef VTX_PV_GUEST_TSC_H
#define VTX_PV_GUEST_TSC_H

#include "pv/tsc.h"
#include "vmx/vcpu.h"

/* What the vCPU's TSC shows when the host's shows @host. Any thread. */
static __always_inline u64 vtx_guest_tsc(const struct vtx_vcpu *vcpu, u64 host)
{
	return vtx_tsc_scale(host, vcpu->tsc_ratio) + vcpu->tsc_offset;
}

/* A new vCPU, not yet loaded; vm->lock held. Its TSC runs at the VM's rate and agrees with that of the vCPUs there are. */
void vtx_tsc_init(struct vtx_vcpu *vcpu);

/* The rest is for the vCPU's thread, vCPU loaded. Writes TSC offset and multiplier into a new VMCS. */
void vtx_tsc_setup(struct vtx_vcpu *vcpu);
/* The offset as the processor adds it; the clock's pages and the local APIC's timer follow. */
void vtx_tsc_set_offset(struct vtx_vcpu *vcpu, u64 offset);

/* KVM_SET_MSRS of IA32_TSC: vCPUs that are written one after the other agree; see vtx_tsc_join(). */
void vtx_tsc_host_write(struct vtx_vcpu *vcpu, u64 value);
/* KVM_VCPU_TSC_OFFSET. */
void vtx_tsc_host_offset(struct vtx_vcpu *vcpu, u64 offset);
/* The guest's WRMSR. */
void vtx_tsc_guest_write(struct vtx_vcpu *vcpu, u64 value);
/* IA32_TSC_ADJUST. @host: by KVM_SET_MSRS, which does not move the TSC. */
void vtx_tsc_adjust_write(struct vtx_vcpu *vcpu, u64 value, bool host);

/*
 * KVM_SET_TSC_KHZ: the TSC goes on from where it is at @khz, 0: the host's. Without TSC scaling that can be the host's rate only.
 * Return: 0 or -EINVAL.
 */
int vtx_tsc_set_khz(struct vtx_vcpu *vcpu, u32 khz);
/* The same for vCPUs that are created from now on. vm->lock held. */
int vtx_tsc_set_vm_khz(struct vtx_vm *vm, u32 khz);

#endif /* VTX_PV_GUEST_TSC_H */
