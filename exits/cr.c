// SPDX-License-Identifier: GPL-2.0-only
/*
 * MOV to and from control and debug registers, CLTS, LMSW, XSETBV. The processor has checked the privilege level before each
 * of these exits (SDM vol. 3, 26.1.1), so only values are left to check; those checks are in vmx/cr.c.
 */
#include <asm/processor-flags.h>
#include "exits/exits.h"
#include "trace/events.h"
#include "vmx/cr.h"
#include "vmx/event.h"
#include "vmx/guest_debug.h"
#include "vmx/regs.h"

/* Exit qualification for control-register accesses, SDM vol. 3, table 28-3. */
#define QUAL_CR(q)   ((q) & 15)
#define QUAL_TYPE(q) ((q) >> 4 & 3)
#define QUAL_REG(q)  ((q) >> 8 & 15)
#define QUAL_LMSW(q) ((q) >> 16 & 0xffff)
enum { TYPE_MOV_TO, TYPE_MOV_FROM, TYPE_CLTS, TYPE_LMSW };

/* For MOV DR, table 28-4. */
#define QUAL_DR(q)   ((q) & 7)
#define QUAL_DR_FROM BIT(4)

#define LMSW_WRITES  (X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS)

/* The result of a register write: over to the next instruction, or #GP(0). */
static int finish(struct vtx_vcpu *vcpu, int fault)
{
	if (fault)
		vtx_inject_gp(vcpu);
	else
		vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

/* Outside 64-bit code MOV CR and MOV DR take 32 bits of the register. */
static u64 source(struct vtx_vcpu *vcpu, unsigned int reg)
{
	u64 value = vtx_gpr(vcpu, reg);

	return vtx_in_64bit_code(vcpu) ? value : (u32)value;
}

/*
 * Without a local APIC in the kernel the program keeps it, and wants to know when the priority drops: an interrupt it
 * held back may now go.
 */
static int mov_to_cr8(struct vtx_vcpu *vcpu, u64 value)
{
	u64 old = vtx_cr8(vcpu);
	int fault = vtx_set_cr8(vcpu, value);

	finish(vcpu, fault);
	if (fault || vcpu->apic || value >= old)
		return VTX_EXIT_RESUME;
	vcpu->run->exit_reason = KVM_EXIT_SET_TPR;
	return VTX_EXIT_USER;
}

static int mov_to_cr(struct vtx_vcpu *vcpu, unsigned int cr, u64 value)
{
	trace_kvm_cr(true, cr, value);
	switch (cr) {
	case 0:
		return finish(vcpu, vtx_set_cr0(vcpu, value));
	case 3:
		return finish(vcpu, vtx_set_cr3(vcpu, value));
	case 4:
		return finish(vcpu, vtx_set_cr4(vcpu, value));
	case 8:
		return mov_to_cr8(vcpu, value);
	default:
		vtx_inject_ud(vcpu);
		return VTX_EXIT_RESUME;
	}
}

static int mov_from_cr(struct vtx_vcpu *vcpu, unsigned int cr, unsigned int reg)
{
	u64 value;

	if (cr != 3 && cr != 8) {
		vtx_inject_ud(vcpu); /* CR0 and CR4 are read from their shadows, without an exit */
		return VTX_EXIT_RESUME;
	}
	value = cr == 3 ? vtx_cr3(vcpu) : vtx_cr8(vcpu);
	trace_kvm_cr(false, cr, value);
	vtx_set_gpr(vcpu, reg, value);
	return finish(vcpu, 0);
}

int vtx_exit_cr_access(struct vtx_vcpu *vcpu)
{
	u64 qual = vtx_qualification(vcpu), cr0;

	switch (QUAL_TYPE(qual)) {
	case TYPE_MOV_TO:
		return mov_to_cr(vcpu, QUAL_CR(qual), source(vcpu, QUAL_REG(qual)));
	case TYPE_MOV_FROM:
		return mov_from_cr(vcpu, QUAL_CR(qual), QUAL_REG(qual));
	case TYPE_CLTS:
		cr0 = vtx_cr0(vcpu) & ~(u64)X86_CR0_TS;
		break;
	default:
		/* LMSW can set PE but not clear it (SDM vol. 2, LMSW). */
		cr0 = vtx_cr0(vcpu);
		cr0 = (cr0 & ~(u64)(LMSW_WRITES & ~X86_CR0_PE)) | (QUAL_LMSW(qual) & LMSW_WRITES);
		break;
	}
	trace_kvm_cr(true, 0, cr0);
	return finish(vcpu, vtx_set_cr0(vcpu, cr0));
}

/* General detect comes before the access, as a fault (SDM vol. 3, 17.2.4); delivering it clears DR7.GD. */
int vtx_exit_dr_access(struct vtx_vcpu *vcpu)
{
	u64 qual = vtx_qualification(vcpu);
	unsigned int dr = QUAL_DR(qual), reg = QUAL_REG(qual);

	if ((dr == 4 || dr == 5) && (vtx_cr4(vcpu) & X86_CR4_DE)) {
		vtx_inject_ud(vcpu);
		return VTX_EXIT_RESUME;
	}
	if (vtx_cpl(vcpu) > 0)
		return finish(vcpu, 1);
	if ((vcpu->debug.control & KVM_GUESTDBG_USE_HW_BP) && (vcpu->debug.dr7 & VTX_DR7_GD))
		return vtx_debug_exit(vcpu, X86_TRAP_DB, VTX_DR6_BD);
	if (vtx_get_dr(vcpu, 7) & VTX_DR7_GD) {
		vtx_inject_debug(vcpu, VTX_DR6_BD);
		return VTX_EXIT_RESUME;
	}
	if (!(qual & QUAL_DR_FROM))
		return finish(vcpu, vtx_set_dr(vcpu, dr, source(vcpu, reg)));
	vtx_set_gpr(vcpu, reg, vtx_get_dr(vcpu, dr));
	return finish(vcpu, 0);
}

int vtx_exit_xsetbv(struct vtx_vcpu *vcpu)
{
	u64 value = (u32)vcpu->regs[VTX_RAX] | vcpu->regs[VTX_RDX] << 32;

	if (vtx_cpl(vcpu) > 0 || (u32)vcpu->regs[VTX_RCX] != 0)
		return finish(vcpu, 1);
	return finish(vcpu, vtx_set_xcr0(vcpu, value));
}
