/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's x87/SSE/AVX/AVX-512 state: an XSAVE area per vCPU and the switch between it and the host's.
 *
 * The state is in the CPU only inside the inner run loop, between vtx_fpu_enter() and vtx_fpu_leave(); everywhere else it
 * is in @area, in the standard (non-compacted) format of SDM vol. 1, 13.4, which is also KVM's ABI.
 */
#ifndef VTX_VMX_FPU_H
#define VTX_VMX_FPU_H

#include <linux/types.h>

struct vtx_vcpu;
struct kvm_fpu;
struct kvm_xsave;

struct vtx_fpu {
	void *area;		/* 64-byte aligned, vtx_fpu_size() bytes */
	bool loaded;		/* guest state is in the CPU's registers */
};

int vtx_fpu_setup(void);			/* at module load: learns the layout. -EOPNOTSUPP without FXSAVE */
u32 vtx_fpu_size(void);				/* bytes of an area that holds all supported components */
u64 vtx_fpu_supported_xcr0(void);		/* XCR0 bits a guest may set */
int vtx_fpu_alloc(struct vtx_vcpu *vcpu);	/* -ENOMEM; in the init state */
void vtx_fpu_free(struct vtx_vcpu *vcpu);
void vtx_fpu_reset(struct vtx_vcpu *vcpu);

void vtx_fpu_enter(struct vtx_vcpu *vcpu);	/* disables preemption until leave */
void vtx_fpu_leave(struct vtx_vcpu *vcpu);

/* KVM_GET/SET_FPU and KVM_GET/SET_XSAVE(2). set_xsave: -EINVAL for an impossible header or MXCSR, nothing changed. */
void vtx_fpu_get_fpu(struct vtx_vcpu *vcpu, struct kvm_fpu *out);
int vtx_fpu_set_fpu(struct vtx_vcpu *vcpu, const struct kvm_fpu *in);
void vtx_fpu_get_xsave(struct vtx_vcpu *vcpu, void *out, u32 size);
int vtx_fpu_set_xsave(struct vtx_vcpu *vcpu, const struct kvm_xsave *in);

/* Vector registers for the emulator. @reg 0..15, @len 4, 8, 16 or 32 bytes; write: bytes above len up to 32 zeroed if @zero_upper. */
void vtx_fpu_read_vector(struct vtx_vcpu *vcpu, unsigned int reg, void *out, unsigned int len);
void vtx_fpu_write_vector(struct vtx_vcpu *vcpu, unsigned int reg, const void *in, unsigned int len, bool zero_upper);

/* MMX registers for the emulator, @reg 0..7: emulate/mmx.h on the guest's area */
u64 vtx_fpu_read_mmx(struct vtx_vcpu *vcpu, unsigned int reg);
void vtx_fpu_write_mmx(struct vtx_vcpu *vcpu, unsigned int reg, u64 val);
void vtx_fpu_used_mmx(struct vtx_vcpu *vcpu);

#endif /* VTX_VMX_FPU_H */
