/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MSRs whose guest value may be live in the CPU while the vCPU is loaded.
 */
#ifndef VTX_VMX_HOST_MSRS_H
#define VTX_VMX_HOST_MSRS_H

#include <linux/types.h>

struct vtx_vcpu;

/*
 * STAR, LSTAR, SYSCALL_MASK (FMASK), TSC_AUX and KERNEL_GS_BASE. The vCPU is loaded. The value must be valid for WRMSR: canonical,
 * reserved bits clear. Return 0, or 1 when @index is none of them.
 */
int vtx_guest_msr_read(struct vtx_vcpu *vcpu, u32 index, u64 *value);
int vtx_guest_msr_write(struct vtx_vcpu *vcpu, u32 index, u64 value);

/* vcpu->efer has changed: SYSCALL's MSRs are in the CPU only while the guest has SYSCALL on. The vCPU is loaded. */
void vtx_guest_efer_changed(struct vtx_vcpu *vcpu);

#endif /* VTX_VMX_HOST_MSRS_H */
