// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exits that need a line or two: idling, cache control, instructions that do not exist for a guest, windows.
 */
#include "ept/ept.h"
#include "exits/exits.h"
#include "irqchip/irqchip.h"
#include "vmx/event.h"
#include "vmx/regs.h"
#include "vmx/vm.h"

/* A host interrupt. The run loop lets interrupts in right after the exit, which is all the host needs. */
int vtx_fast_resume(struct vtx_vcpu *vcpu)
{
	return VTX_EXIT_RESUME;
}

/* A window that was asked for is open, or the TPR fell: vtx_events_before_entry() looks again at what waits. */
int vtx_fast_window(struct vtx_vcpu *vcpu)
{
	set_bit(VTX_REQ_EVENT, &vcpu->requests);
	return VTX_EXIT_RESUME;
}

/*
 * The window may have been asked for by user space: the outer loop then leaves with KVM_EXIT_IRQ_WINDOW_OPEN. Not from the inner
 * loop, and never in a circle there: this exit comes before a pending interrupt of the host (SDM vol. 3, 26.2), which would starve.
 */
int vtx_fast_irq_window(struct vtx_vcpu *vcpu)
{
	set_bit(VTX_REQ_EVENT, &vcpu->requests);
	return vcpu->events.user_window ? VTX_EXIT_SLOW : VTX_EXIT_RESUME;
}

/* The local APIC's timer is due. */
int vtx_fast_preemption_timer(struct vtx_vcpu *vcpu)
{
	vtx_lapic_timer_look(vcpu);
	return VTX_EXIT_RESUME;
}

/*
 * INVD and WBINVD: guest memory is write-back and coherent, there is nothing to do. MONITOR and MWAIT: a MWAIT that wakes
 * at once is allowed to; KVM as well lets them pass whether or not CPUID shows them.
 */
int vtx_fast_nop(struct vtx_vcpu *vcpu)
{
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}

/* MONITOR and MWAIT of a guest whose CPUID does not have them: undefined, for a client that does not want KVM's leniency. */
int vtx_fast_monitor(struct vtx_vcpu *vcpu)
{
	if (vtx_quirk(vcpu->vm, KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) || vtx_cpuid_1_ecx(&vcpu->cpuid, VTX_CPUID_1_ECX_MONITOR))
		return vtx_fast_nop(vcpu);
	return vtx_fast_ud(vcpu);
}

/* VMX and its relatives are not for this guest, whatever the processor would say (SDM vol. 3, 31.1.2, CR4.VMXE clear). */
int vtx_fast_ud(struct vtx_vcpu *vcpu)
{
	vtx_inject_ud(vcpu);
	return VTX_EXIT_RESUME;
}

/* RDPMC: the guest has no performance counters. */
int vtx_fast_gp(struct vtx_vcpu *vcpu)
{
	vtx_inject_gp(vcpu);
	return VTX_EXIT_RESUME;
}

/* With a local APIC in the kernel the run loop blocks until an event comes; without, that is the program's business. */
int vtx_exit_hlt(struct vtx_vcpu *vcpu)
{
	vtx_skip_insn(vcpu);
	if (vcpu->apic) {
		vcpu->mp_state = KVM_MP_STATE_HALTED;
		return VTX_EXIT_RESUME;
	}
	vcpu->run->exit_reason = KVM_EXIT_HLT;
	return VTX_EXIT_USER;
}

/* Not intercepted with EPT; where it is, one address is flushed by flushing all of them. */
int vtx_exit_invlpg(struct vtx_vcpu *vcpu)
{
	vtx_vcpu_request(vcpu, VTX_REQ_TLB_FLUSH);
	vtx_skip_insn(vcpu);
	return VTX_EXIT_RESUME;
}
