// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events for user space: KVM_GET/SET_VCPU_EVENTS, KVM_GET/SET_MP_STATE, KVM_INTERRUPT, KVM_NMI.
 *
 * All run with vcpu->mutex held and the vCPU loaded.
 */
#include <asm/trapnr.h>
#include <asm/vmx.h>
#include "irqchip/irqchip.h"
#include "uapi/ioctl.h"
#include "uapi/refuse.h"
#include "vmx/event.h"
#include "vmx/regs.h"

#define EVENT_FLAGS                                                                                              \
	(KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_SHADOW |        \
	 KVM_VCPUEVENT_VALID_SMM)

/* Flags that a capability adds. */
static u32 switched_flags(const struct vtx_vm *vm)
{
	return (READ_ONCE(vm->triple_fault_event) ? KVM_VCPUEVENT_VALID_TRIPLE_FAULT : 0) |
	       (READ_ONCE(vm->exception_payload) ? KVM_VCPUEVENT_VALID_PAYLOAD : 0);
}

/* ------------------------------------------------------------------ KVM_GET_VCPU_EVENTS */

/*
 * Without KVM_CAP_EXCEPTION_PAYLOAD "pending" is told as "injected", too, and its payload has gone to CR2 or DR6. A software exception
 * (INT3, INTO) is left out: the instruction has not finished and raises it again.
 */
static void get_exception(struct vtx_vcpu *vcpu, struct kvm_vcpu_events *out)
{
	const struct vtx_exception *exc = &vcpu->events.exc;
	bool told_apart = READ_ONCE(vcpu->vm->exception_payload);

	vtx_deliver_payload_to_user(vcpu);
	if (!exc->soft) {
		out->exception.pending = exc->pending;
		out->exception.injected = exc->injected || (exc->pending && !told_apart);
	}
	out->exception_has_payload = exc->has_payload;
	out->exception_payload = exc->payload;
	out->exception.nr = exc->vector;
	out->exception.has_error_code = exc->has_error;
	out->exception.error_code = exc->error;
}

static void get_interrupt(struct vtx_vcpu *vcpu, struct kvm_vcpu_events *out)
{
	const struct vtx_events *events = &vcpu->events;
	u32 shadow = vtx_interruptibility(vcpu);

	if (events->irq.injected && !events->irq.soft) {
		out->interrupt.injected = 1;
		out->interrupt.nr = events->irq.vector;
	} else if (!vcpu->apic && events->user_irq >= 0) {
		out->interrupt.injected = 1;
		out->interrupt.nr = events->user_irq;
	}
	if (shadow & GUEST_INTR_STATE_STI)
		out->interrupt.shadow |= KVM_X86_SHADOW_INT_STI;
	if (shadow & GUEST_INTR_STATE_MOV_SS)
		out->interrupt.shadow |= KVM_X86_SHADOW_INT_MOV_SS;
}

long vtx_call_get_events(struct vtx_call *call)
{
	struct vtx_vcpu *vcpu = call->vcpu;
	struct kvm_vcpu_events *out = call->data;

	get_exception(vcpu, out);
	get_interrupt(vcpu, out);
	out->nmi.injected = vcpu->events.nmi_injected;
	out->nmi.pending = atomic_read(&vcpu->events.nmi_pending) != 0;
	out->nmi.masked = vtx_nmi_blocked(vcpu);
	/* There is no SMM; an INIT that waits is told in its part of the structure. */
	out->smi.latched_init = vcpu->apic && test_bit(VTX_APIC_INIT, &vcpu->apic_events);
	out->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW | KVM_VCPUEVENT_VALID_SMM | switched_flags(vcpu->vm);
	if (out->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
		out->triple_fault.pending = vtx_vcpu_test_request(vcpu, VTX_REQ_TRIPLE_FAULT);
	return 0;
}

/* ------------------------------------------------------------------ KVM_SET_VCPU_EVENTS */

static int check_events(struct vtx_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	u32 allowed = EVENT_FLAGS | switched_flags(vcpu->vm);
	bool exception = in->exception.injected || ((in->flags & KVM_VCPUEVENT_VALID_PAYLOAD) && in->exception.pending);

	if (in->flags & ~allowed)
		return VTX_REFUSE(EVENTS_FLAGS, offsetof(struct kvm_vcpu_events, flags), in->flags, allowed);
	if (exception && (in->exception.nr > 31 || in->exception.nr == X86_TRAP_NMI))
		return VTX_REFUSE(EVENTS_EXCEPTION, offsetof(struct kvm_vcpu_events, exception.nr), in->exception.nr, 31);
	if (!(in->flags & KVM_VCPUEVENT_VALID_SMM))
		return 0;
	if (in->smi.smm)
		return VTX_REFUSE(EVENTS_SMM, offsetof(struct kvm_vcpu_events, smi.smm), in->smi.smm, 0);
	if (in->smi.pending)
		return VTX_REFUSE(EVENTS_SMM, offsetof(struct kvm_vcpu_events, smi.pending), in->smi.pending, 0);
	if (in->smi.smm_inside_nmi)
		return VTX_REFUSE(EVENTS_SMM, offsetof(struct kvm_vcpu_events, smi.smm_inside_nmi), in->smi.smm_inside_nmi, 0);
	return 0;
}

/* Without KVM_VCPUEVENT_VALID_PAYLOAD there is no pending exception; with it, one that is pending is not injected. */
static void set_exception(struct vtx_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	bool pending = (in->flags & KVM_VCPUEVENT_VALID_PAYLOAD) && in->exception.pending;

	vcpu->events.exc = (struct vtx_exception){
		.pending = pending,
		.injected = in->exception.injected && !pending,
		.vector = in->exception.nr,
		.has_error = in->exception.has_error_code,
		.error = in->exception.error_code,
		.has_payload = pending && in->exception_has_payload,
		.payload = in->exception_payload,
	};
}

static void set_interrupt(struct vtx_vcpu *vcpu, const struct kvm_vcpu_events *in)
{
	struct vtx_events *events = &vcpu->events;
	u32 shadow;

	/* With user space's own controller it is the interrupt that KVM_INTERRUPT gave, and waits for its window again. */
	events->irq.injected = false;
	if (!vcpu->apic) {
		events->user_irq = in->interrupt.injected ? in->interrupt.nr : -1;
	} else if (in->interrupt.injected) {
		events->irq.injected = true;
		events->irq.vector = in->interrupt.nr;
		events->irq.soft = in->interrupt.soft;
	}
	if (!(in->flags & KVM_VCPUEVENT_VALID_SHADOW))
		return;
	shadow = vtx_interruptibility(vcpu) & ~VTX_SHADOW;
	if (in->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS)
		shadow |= GUEST_INTR_STATE_MOV_SS;
	else if (in->interrupt.shadow & KVM_X86_SHADOW_INT_STI)
		shadow |= GUEST_INTR_STATE_STI;	/* both at once fail the VM entry (SDM vol. 3, 27.3.1.5) */
	vtx_set_interruptibility(vcpu, shadow);
}

static void set_latched_init(struct vtx_vcpu *vcpu, bool latched)
{
	if (!latched) {
		clear_bit(VTX_APIC_INIT, &vcpu->apic_events);
		return;
	}
	set_bit(VTX_APIC_INIT, &vcpu->apic_events);
	vtx_vcpu_request(vcpu, VTX_REQ_APIC_EVENT);
}

static void set_triple_fault(struct vtx_vcpu *vcpu, bool pending)
{
	if (pending)
		vtx_vcpu_request(vcpu, VTX_REQ_TRIPLE_FAULT);
	else
		clear_bit(VTX_REQ_TRIPLE_FAULT, &vcpu->requests);
}

long vtx_call_set_events(struct vtx_call *call)
{
	struct vtx_vcpu *vcpu = call->vcpu;
	const struct kvm_vcpu_events *in = call->data;
	int ret = check_events(vcpu, in);

	if (ret)
		return ret;
	set_exception(vcpu, in);
	set_interrupt(vcpu, in);
	vcpu->events.nmi_injected = in->nmi.injected;
	if (in->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		atomic_set(&vcpu->events.nmi_pending, !!in->nmi.pending);
	vtx_set_nmi_blocked(vcpu, in->nmi.masked);
	if ((in->flags & KVM_VCPUEVENT_VALID_SIPI_VECTOR) && vcpu->apic)
		vcpu->sipi_vector = in->sipi_vector;
	if ((in->flags & KVM_VCPUEVENT_VALID_SMM) && vcpu->apic)
		set_latched_init(vcpu, in->smi.latched_init);
	if (in->flags & KVM_VCPUEVENT_VALID_TRIPLE_FAULT)
		set_triple_fault(vcpu, in->triple_fault.pending);
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	return 0;
}

/* ------------------------------------------------------------------ KVM_GET/SET_MP_STATE */

long vtx_call_get_mp_state(struct vtx_call *call)
{
	struct kvm_mp_state *out = call->data;

	/* An INIT that waits is not part of any other state that user space reads: it must have happened. */
	if (vtx_vcpu_test_request(call->vcpu, VTX_REQ_APIC_EVENT))
		vtx_accept_apic_events(call->vcpu);
	out->mp_state = call->vcpu->mp_state;
	/* Halted without an exit: what KVM_SET_MP_STATE takes elsewhere to go on from here. Only a local APIC has a state for it. */
	if (call->vcpu->apic && out->mp_state == KVM_MP_STATE_RUNNABLE && vtx_vmread32(GUEST_ACTIVITY_STATE) == GUEST_ACTIVITY_HLT)
		out->mp_state = KVM_MP_STATE_HALTED;
	return 0;
}

/* -EINVAL: no such state, or one that only a local APIC in the kernel has. */
long vtx_call_set_mp_state(struct vtx_call *call)
{
	const struct kvm_mp_state *in = call->data;
	struct vtx_vcpu *vcpu = call->vcpu;

	switch (in->mp_state) {
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_HALTED:
	case KVM_MP_STATE_INIT_RECEIVED:
	case KVM_MP_STATE_SIPI_RECEIVED:
		if (!vcpu->apic)
			return VTX_REFUSE(MP_STATE_NO_LAPIC, 0, in->mp_state, KVM_MP_STATE_RUNNABLE);
		break;
	case KVM_MP_STATE_RUNNABLE:
		break;
	default:
		return VTX_REFUSE(MP_STATE, 0, in->mp_state, KVM_MP_STATE_SIPI_RECEIVED);
	}
	vcpu->mp_state = in->mp_state;
	vtx_vmwrite32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);	/* the guest's own HLT, without an exit, is over */
	if (in->mp_state == KVM_MP_STATE_SIPI_RECEIVED) {
		vcpu->mp_state = KVM_MP_STATE_INIT_RECEIVED;
		set_bit(VTX_APIC_SIPI, &vcpu->apic_events);
		vtx_vcpu_request(vcpu, VTX_REQ_APIC_EVENT);
	}
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	return 0;
}

/* ------------------------------------------------------------------ KVM_INTERRUPT, KVM_NMI */

/*
 * Without a local APIC in the kernel a second vector replaces one that waits; with one (split irqchip) it is the PIC's answer to
 * an INTA cycle, of which there is one at a time.
 * -EINVAL: no vector. -ENXIO: the controllers are in the kernel. -EEXIST: one waits for LINT0.
 */
long vtx_call_interrupt(struct vtx_call *call)
{
	const struct kvm_interrupt *in = call->data;
	struct vtx_vcpu *vcpu = call->vcpu;

	if (in->irq > 255)
		return VTX_REFUSE(INTERRUPT_VECTOR, 0, in->irq, 255);
	if (vtx_has_full_irqchip(vcpu->vm))
		return VTX_REFUSE(INTERRUPT_IRQCHIP, VTX_NO_FIELD, in->irq, 0);
	if (vcpu->apic && vcpu->events.user_irq >= 0)
		return VTX_REFUSE(INTERRUPT_WAITS, 0, in->irq, vcpu->events.user_irq);
	if (vcpu->apic) {
		vtx_lapic_user_extint(vcpu, in->irq);
		return 0;
	}
	vcpu->events.user_irq = in->irq;
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	return 0;
}

long vtx_call_nmi(struct vtx_call *call)
{
	vtx_queue_nmi(call->vcpu);
	return 0;
}
