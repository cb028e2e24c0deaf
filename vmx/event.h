/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events for the guest: exceptions, interrupts, NMIs, and their way through the VM-entry interruption field
 * (SDM vol. 3, 27.6), including those whose delivery an exit cut short (IDT-vectoring information, 28.2.4).
 */
#ifndef VTX_VMX_EVENT_H
#define VTX_VMX_EVENT_H

#include <asm/trapnr.h>
#include <asm/vmx.h>
#include "vmx/vcpu.h"

/*
 * An exception for the guest, delivered at the next entry. A second one while the first is pending becomes #DF or a
 * triple fault as the manual's table says (SDM vol. 3, table 6-5).
 */
void vtx_inject_exception(struct vtx_vcpu *vcpu, u8 vector);
void vtx_inject_exception_error(struct vtx_vcpu *vcpu, u8 vector, u32 error);
void vtx_inject_page_fault(struct vtx_vcpu *vcpu, u64 cr2, u32 error);
void vtx_inject_debug(struct vtx_vcpu *vcpu, u64 dr6_bits);
/* INT3 and INTO, which are still to be executed: delivery moves RIP over their @len bytes. */
void vtx_inject_soft(struct vtx_vcpu *vcpu, u8 vector, unsigned int len);

/*
 * An intercepted exception came up while something else than an exception was delivered. Without the intercept the processor would
 * deliver the exception in its place: an interrupt is lost then, an NMI has blocked others, and INT n comes again by itself.
 */
void vtx_events_give_way(struct vtx_vcpu *vcpu);

/* Fills in where the vCPU is now. In real mode there are no error codes. */
void vtx_fault_here(struct vtx_vcpu *vcpu, struct vtx_fault_link *link);

static inline void vtx_inject_ud(struct vtx_vcpu *vcpu)
{
	vtx_inject_exception(vcpu, X86_TRAP_UD);
}

static inline void vtx_inject_gp(struct vtx_vcpu *vcpu)
{
	vtx_inject_exception_error(vcpu, X86_TRAP_GP, 0);
}

/*
 * Moves the payload of the pending exception into CR2 or DR6, before user space reads these or the exception; not for one that reads
 * payloads by themselves (KVM_CAP_EXCEPTION_PAYLOAD). The vCPU is loaded.
 */
void vtx_deliver_payload_to_user(struct vtx_vcpu *vcpu);

/* KVM_NMI and the local APIC's LINT1: any context. */
void vtx_queue_nmi(struct vtx_vcpu *vcpu);

/* After an exit: takes back what was being delivered (IDT-vectoring information) so that it is injected again. */
void vtx_events_after_exit(struct vtx_vcpu *vcpu);
/* Before an entry, interrupts off: fills the VM-entry field and opens windows for what must wait. */
void vtx_events_before_entry(struct vtx_vcpu *vcpu);
/* Undoes the above when the entry does not take place after all. */
void vtx_events_cancel(struct vtx_vcpu *vcpu);

/* Could an external interrupt be taken now (IF, blocking by STI/MOV SS, nothing else in the entry field)? */
bool vtx_irq_window_open(struct vtx_vcpu *vcpu);
/* KVM_INTERRUPT would be taken at once: kvm_run->ready_for_interrupt_injection where the PIC is user space's. */
bool vtx_user_irq_welcome(struct vtx_vcpu *vcpu);
bool vtx_nmi_blocked(struct vtx_vcpu *vcpu);
void vtx_set_nmi_blocked(struct vtx_vcpu *vcpu, bool blocked);
/* STI / MOV SS shadow bits, GUEST_INTR_STATE_* of asm/vmx.h. */
#define VTX_SHADOW (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)
u32 vtx_interruptibility(struct vtx_vcpu *vcpu);
void vtx_set_interruptibility(struct vtx_vcpu *vcpu, u32 value);

/* An instruction has ended, and with it what the one before it blocked. */
static inline void vtx_end_shadow(struct vtx_vcpu *vcpu)
{
	u32 state = vtx_interruptibility(vcpu);

	if (unlikely(state & VTX_SHADOW))
		vtx_set_interruptibility(vcpu, state & ~VTX_SHADOW);
}

/* Is there a reason to leave HLT? Does not change anything. Caller: the vCPU thread. */
bool vtx_vcpu_has_event(struct vtx_vcpu *vcpu);

#endif /* VTX_VMX_EVENT_H */
