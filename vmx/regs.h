/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest registers that live in the VMCS, cached: read at most once per exit, written back at most once per entry.
 * All functions need the vCPU loaded (vmx/vcpu.h).
 */
#ifndef VTX_VMX_REGS_H
#define VTX_VMX_REGS_H

#include <asm/processor-flags.h>
#include "vmx/vcpu.h"

static inline u64 vtx_rip(struct vtx_vcpu *vcpu)
{
	if (!(vcpu->cached & BIT(VTX_CACHE_RIP))) {
		vcpu->rip = vtx_vmreadl(GUEST_RIP);
		vcpu->cached |= BIT(VTX_CACHE_RIP);
	}
	return vcpu->rip;
}

static inline void vtx_set_rip(struct vtx_vcpu *vcpu, u64 rip)
{
	vcpu->rip = rip;
	vcpu->cached |= BIT(VTX_CACHE_RIP);
	vcpu->dirty |= BIT(VTX_CACHE_RIP);
}

static inline u64 vtx_rsp(struct vtx_vcpu *vcpu)
{
	if (!(vcpu->cached & BIT(VTX_CACHE_RSP))) {
		vcpu->regs[VTX_RSP] = vtx_vmreadl(GUEST_RSP);
		vcpu->cached |= BIT(VTX_CACHE_RSP);
	}
	return vcpu->regs[VTX_RSP];
}

static inline void vtx_set_rsp(struct vtx_vcpu *vcpu, u64 rsp)
{
	vcpu->regs[VTX_RSP] = rsp;
	vcpu->cached |= BIT(VTX_CACHE_RSP);
	vcpu->dirty |= BIT(VTX_CACHE_RSP);
}

static inline u64 vtx_gpr(struct vtx_vcpu *vcpu, unsigned int reg)
{
	return reg == VTX_RSP ? vtx_rsp(vcpu) : vcpu->regs[reg];
}

static inline void vtx_set_gpr(struct vtx_vcpu *vcpu, unsigned int reg, u64 value)
{
	if (reg == VTX_RSP)
		vtx_set_rsp(vcpu, value);
	else
		vcpu->regs[reg] = value;
}

static inline u64 vtx_rflags(struct vtx_vcpu *vcpu)
{
	if (!(vcpu->cached & BIT(VTX_CACHE_RFLAGS))) {
		vcpu->rflags = vtx_vmreadl(GUEST_RFLAGS);
		vcpu->cached |= BIT(VTX_CACHE_RFLAGS);
	}
	return vcpu->rflags;
}

static inline void vtx_set_rflags(struct vtx_vcpu *vcpu, u64 rflags)
{
	vcpu->rflags = rflags;
	vcpu->cached |= BIT(VTX_CACHE_RFLAGS);
	vcpu->dirty |= BIT(VTX_CACHE_RFLAGS);
}

static inline u64 vtx_cr3(struct vtx_vcpu *vcpu)
{
	if (!(vcpu->cached & BIT(VTX_CACHE_CR3))) {
		vcpu->cr3 = vtx_vmreadl(GUEST_CR3);
		vcpu->cached |= BIT(VTX_CACHE_CR3);
	}
	return vcpu->cr3;
}

/* The exit qualification of the last exit. */
static inline u64 vtx_qualification(struct vtx_vcpu *vcpu)
{
	if (!(vcpu->cached & BIT(VTX_CACHE_QUAL))) {
		vcpu->qualification = vtx_vmreadl(EXIT_QUALIFICATION);
		vcpu->cached |= BIT(VTX_CACHE_QUAL);
	}
	return vcpu->qualification;
}

/* The length of the instruction that caused the last exit; undefined for exits that no instruction caused. */
static inline u32 vtx_insn_len(struct vtx_vcpu *vcpu)
{
	if (!(vcpu->cached & BIT(VTX_CACHE_INSN_LEN))) {
		vcpu->insn_len = vtx_vmread32(VM_EXIT_INSTRUCTION_LEN);
		vcpu->cached |= BIT(VTX_CACHE_INSN_LEN);
	}
	return vcpu->insn_len;
}

/* CR0 and CR4 as the guest sees them. */
u64 vtx_cr0(struct vtx_vcpu *vcpu);
u64 vtx_cr4(struct vtx_vcpu *vcpu);

/*
 * Guest writes to control registers, with every check the manual asks for.
 * Return 0, or 1 when the guest deserves #GP(0) and nothing changed.
 */
int vtx_set_cr0(struct vtx_vcpu *vcpu, u64 value);
int vtx_set_cr3(struct vtx_vcpu *vcpu, u64 value);
int vtx_set_cr4(struct vtx_vcpu *vcpu, u64 value);
int vtx_set_cr8(struct vtx_vcpu *vcpu, u64 value);
u64 vtx_cr8(struct vtx_vcpu *vcpu);
int vtx_set_efer(struct vtx_vcpu *vcpu, u64 value, bool host_initiated);
int vtx_set_xcr0(struct vtx_vcpu *vcpu, u64 value);	/* checks the value against CPUID policy, not CPL */
int vtx_set_dr(struct vtx_vcpu *vcpu, unsigned int n, u64 value);
u64 vtx_get_dr(struct vtx_vcpu *vcpu, unsigned int n);

/* KVM_SET_SREGS: are these values possible together? 0 or -EINVAL; changes nothing. */
int vtx_check_sregs(struct vtx_vcpu *vcpu, const struct kvm_sregs *sregs);
/* Loads checked values without the side effects of a guest write. */
void vtx_load_sregs(struct vtx_vcpu *vcpu, const struct kvm_sregs *sregs);
void vtx_store_sregs(struct vtx_vcpu *vcpu, struct kvm_sregs *sregs);

/* Segments in struct kvm_segment's form. */
void vtx_get_segment(struct vtx_vcpu *vcpu, enum vtx_seg seg, struct kvm_segment *out);
void vtx_set_segment(struct vtx_vcpu *vcpu, enum vtx_seg seg, const struct kvm_segment *in);
u64 vtx_segment_base(struct vtx_vcpu *vcpu, enum vtx_seg seg);
unsigned int vtx_cpl(struct vtx_vcpu *vcpu);
bool vtx_in_long_mode(struct vtx_vcpu *vcpu);	/* EFER.LMA */
bool vtx_in_64bit_code(struct vtx_vcpu *vcpu);	/* LMA and CS.L */

static inline bool vtx_in_protected_mode(struct vtx_vcpu *vcpu)
{
	return vtx_cr0(vcpu) & X86_CR0_PE;
}

static inline bool vtx_paging(struct vtx_vcpu *vcpu)
{
	return vtx_cr0(vcpu) & X86_CR0_PG;
}

/* Steps over the instruction that exited: RIP moves (32 bits outside 64-bit code), STI/MOV SS blocking ends, TF counts. */
void vtx_skip_insn(struct vtx_vcpu *vcpu);
/* The same with a length known from elsewhere (the emulator). */
void vtx_skip_bytes(struct vtx_vcpu *vcpu, unsigned int len);

/* Drops what was cached of the VMCS (after a load from user space, or a fresh exit). Dirty values are kept. */
void vtx_regs_uncache(struct vtx_vcpu *vcpu);
/* Writes dirty registers to the VMCS; called right before entry. */
void vtx_regs_flush(struct vtx_vcpu *vcpu);

#endif /* VTX_VMX_REGS_H */
