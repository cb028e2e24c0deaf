// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exceptions of the guest that vtx intercepts: #DB and #AC, whose delivery can otherwise loop in microcode for ever
 * (CVE-2015-5307, CVE-2015-8104), #UD, which VMMCALL raises here (exits/hypercall.c), and all others where the chain of faults is wanted.
 * Each is handed to the guest as it came. NMIs and machine checks of the host share the exit reason; the run loop has passed them to the
 * host's handlers before it asks here, and has blocked NMIs again where an IRET faulted.
 */
#include <linux/mm.h>
#include <asm/debugreg.h>
#include <asm/vmx.h>
#include "exits/exits.h"
#include "vmx/event.h"
#include "vmx/guest_debug.h"
#include "vmx/regs.h"

#define INTR_TYPE(info) ((info) & INTR_INFO_INTR_TYPE_MASK)
#define PENDING_BS	BIT(14)
#define DEBUG_BITS	(DR_TRAP_BITS | BIT(13) | BIT(14))	/* of the qualification, SDM vol. 3, table 28-1 */

/*
 * INT1 exits as an instruction, before it has moved RIP, but what it raises is a trap. RIP moves without the single-step trap
 * of an ordinary skip: the #DB at hand takes precedence (SDM vol. 3, 6.9).
 */
static void step_over_int1(struct vtx_vcpu *vcpu)
{
	u64 rip = vtx_rip(vcpu) + vtx_insn_len(vcpu);

	vtx_set_rip(vcpu, vtx_in_64bit_code(vcpu) ? rip : (u32)rip);
	vtx_end_shadow(vcpu);
}

static int debug_exception(struct vtx_vcpu *vcpu, u32 info)
{
	u64 bits = vtx_qualification(vcpu) & DEBUG_BITS;

	if (INTR_TYPE(info) == INTR_TYPE_PRIV_SW_EXCEPTION) {
		step_over_int1(vcpu);
	} else if ((vtx_rflags(vcpu) & X86_EFLAGS_TF) && (vtx_interruptibility(vcpu) & VTX_SHADOW)) {
		/* The entry that injects it demands a pending single step in this state (SDM vol. 3, 27.3.1.5; XSA-308). */
		vtx_vmwritel(GUEST_PENDING_DBG_EXCEPTIONS, vtx_vmreadl(GUEST_PENDING_DBG_EXCEPTIONS) | PENDING_BS);
	}
	vtx_inject_debug(vcpu, bits);
	return VTX_EXIT_RESUME;
}

/* An exception the bitmap does not name. */
static int unexpected_exception(struct vtx_vcpu *vcpu, u32 vector, u32 error)
{
	vcpu->run->exit_reason = KVM_EXIT_EXCEPTION;
	vcpu->run->ex.exception = vector;
	vcpu->run->ex.error_code = error;
	return VTX_EXIT_USER;
}

/* All exceptions are intercepted to see the chain they make (vmx/event.c notes it); the guest gets each as it came. */
static int seen_exception(struct vtx_vcpu *vcpu, u32 info, u32 error)
{
	u32 vector = info & INTR_INFO_VECTOR_MASK;

	if (vector == X86_TRAP_PF)
		vtx_inject_page_fault(vcpu, vtx_qualification(vcpu), error);
	else if (INTR_TYPE(info) == INTR_TYPE_SOFT_EXCEPTION)
		vtx_inject_soft(vcpu, vector, vtx_insn_len(vcpu));
	else if (info & INTR_INFO_DELIVER_CODE_MASK)
		vtx_inject_exception_error(vcpu, vector, error);
	else
		vtx_inject_exception(vcpu, vector);
	return VTX_EXIT_RESUME;
}

/*
 * The run loop has blocked NMIs again if an IRET unblocked them and then faulted, as is right for an instruction that will be executed
 * once more. But the guest's handler gets this fault, and finds NMIs as IRET has left them.
 */
static void unblock_nmi(struct vtx_vcpu *vcpu, u32 info)
{
	if (!(info & INTR_INFO_UNBLOCK_NMI) || (info & INTR_INFO_VECTOR_MASK) == X86_TRAP_DF ||
	    (vtx_vmread32(IDT_VECTORING_INFO_FIELD) & VECTORING_INFO_VALID_MASK))
		return;
	vtx_set_nmi_blocked(vcpu, false);
}

static int exception_nmi(struct vtx_vcpu *vcpu, u32 info)
{
	u32 vector = info & INTR_INFO_VECTOR_MASK, error = 0;

	if (INTR_TYPE(info) == INTR_TYPE_NMI_INTR || vector == X86_TRAP_MC)
		return VTX_EXIT_RESUME;

	vtx_events_give_way(vcpu);
	unblock_nmi(vcpu, info);
	if (info & INTR_INFO_DELIVER_CODE_MASK)
		error = vtx_vmread32(VM_EXIT_INTR_ERROR_CODE);
	if ((vector == X86_TRAP_DB || vector == X86_TRAP_BP) && vtx_debug_wants(vcpu, vector))
		return vtx_debug_exit(vcpu, vector, vector == X86_TRAP_DB ? vtx_qualification(vcpu) & DEBUG_BITS : 0);
	if (vector == X86_TRAP_DB)
		return debug_exception(vcpu, info);
	if (vcpu->fault_chain || vector == X86_TRAP_AC || vector == X86_TRAP_UD)
		return seen_exception(vcpu, info, error);
	return unexpected_exception(vcpu, vector, error);
}

static bool is_ud(u32 info)
{
	return INTR_TYPE(info) == INTR_TYPE_HARD_EXCEPTION && (info & INTR_INFO_VECTOR_MASK) == X86_TRAP_UD;
}

/* #UD may be VMMCALL, and to see that sleeps; nothing else does. */
int vtx_fast_exception_nmi(struct vtx_vcpu *vcpu)
{
	u32 info = vtx_vmread32(VM_EXIT_INTR_INFO);

	return is_ud(info) ? VTX_EXIT_SLOW : exception_nmi(vcpu, info);
}

int vtx_exit_exception_nmi(struct vtx_vcpu *vcpu)
{
	u32 info = vtx_vmread32(VM_EXIT_INTR_INFO);

	return is_ud(info) && vtx_fix_hypercall(vcpu) ? VTX_EXIT_RESUME : exception_nmi(vcpu, info);
}
