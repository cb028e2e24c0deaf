// SPDX-License-Identifier: GPL-2.0-only
/*
 * The guest under user space's debugger (see guest_debug.h).
 */
#include <linux/sched.h>
#include <asm/debugreg.h>
#include <asm/vmx.h>
#include "exits/emulation.h"
#include "exits/exits.h"
#include "uapi/refuse.h"
#include "vmx/apicv.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/event.h"
#include "vmx/guest_debug.h"
#include "vmx/regs.h"

/* ------------------------------------------------------------------ what is wanted */

void vtx_debug_load_dr7(struct vtx_vcpu *vcpu)
{
	bool ours = vcpu->debug.control & KVM_GUESTDBG_USE_HW_BP;

	vcpu->hw_db = ours ? vcpu->debug.db : vcpu->db;
	vcpu->hw_dr7 = ours ? vcpu->debug.dr7 : vcpu->dr7;
	vtx_vmwritel(GUEST_DR7, vcpu->hw_dr7);
}

u64 vtx_debug_rflags(struct vtx_vcpu *vcpu)
{
	u64 rflags = vtx_rflags(vcpu);

	return vtx_debug_steps(vcpu) ? rflags & ~(u64)X86_EFLAGS_TF : rflags;
}

static void inject(struct vtx_vcpu *vcpu, u32 control)
{
	if (control & KVM_GUESTDBG_INJECT_DB)
		vtx_inject_exception(vcpu, X86_TRAP_DB);
	else
		vtx_inject_soft(vcpu, X86_TRAP_BP, 1);	/* INT3 */
}

int vtx_debug_set(struct vtx_vcpu *vcpu, const struct kvm_guest_debug *arg)
{
	u64 rflags = vtx_debug_rflags(vcpu);
	unsigned int i;

	if (arg->control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)) {
		if (vcpu->events.exc.pending)
			return VTX_REFUSE(GUEST_DEBUG_BUSY, offsetof(struct kvm_guest_debug, control), vcpu->events.exc.vector, 0);
		inject(vcpu, arg->control);
	}

	vcpu->debug.control = arg->control & KVM_GUESTDBG_ENABLE ? arg->control : 0;
	if (vcpu->debug.control & KVM_GUESTDBG_USE_HW_BP) {
		for (i = 0; i < ARRAY_SIZE(vcpu->debug.db); i++)
			vcpu->debug.db[i] = arg->arch.debugreg[i];
		vcpu->debug.dr7 = (u32)arg->arch.debugreg[7] | VTX_DR7_FIXED;
	}
	vtx_debug_load_dr7(vcpu);
	vtx_controls_update_exceptions(vcpu);
	vtx_set_rflags(vcpu, vtx_debug_steps(vcpu) ? rflags | X86_EFLAGS_TF : rflags);
	if (!vtx_debug_steps(vcpu))
		clear_bit(VTX_REQ_DEBUG_STEP, &vcpu->requests);
	if (vcpu->apic)
		vtx_apicv_update(vcpu);
	/* What waited may come now, or not any more. */
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	return 0;
}

/* ------------------------------------------------------------------ what has happened */

bool vtx_debug_wants(const struct vtx_vcpu *vcpu, u8 vector)
{
	u32 bits = vector == X86_TRAP_DB ? KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_HW_BP : KVM_GUESTDBG_USE_SW_BP;

	return vcpu->debug.control & bits;
}

int vtx_debug_exit(struct vtx_vcpu *vcpu, u8 vector, u64 dr6)
{
	vcpu->run->exit_reason = KVM_EXIT_DEBUG;
	vcpu->run->debug.arch = (struct kvm_debug_exit_arch){
		.exception = vector,
		.pc = vtx_linear_rip(vcpu),
		.dr6 = dr6 | VTX_DR6_FIXED,
		.dr7 = vcpu->hw_dr7,
	};
	return VTX_EXIT_USER;
}

/* ------------------------------------------------------------------ steps */

void vtx_debug_stepped(struct vtx_vcpu *vcpu)
{
	if (vtx_debug_steps(vcpu))
		vtx_vcpu_request(vcpu, VTX_REQ_DEBUG_STEP);
	else
		vtx_inject_debug(vcpu, DR_STEP);
}

/*
 * Every time: delivery of an event, POPF and IRET may have cleared TF. Under blocking by STI or MOV SS the entry would want a pending
 * single step with it (SDM vol. 3, 27.3.1.5), which would be the step before this one; so the blocking ends early, as in KVM.
 */
void vtx_debug_arm_step(struct vtx_vcpu *vcpu)
{
	if (!(vtx_rflags(vcpu) & X86_EFLAGS_TF))
		vtx_set_rflags(vcpu, vtx_rflags(vcpu) | X86_EFLAGS_TF);
	vtx_end_shadow(vcpu);
}
