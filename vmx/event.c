// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events for the guest (SDM vol. 3, 27.6 and 28.2.4).
 *
 * An event is "injected" from the moment it is chosen for the VM-entry interruption field until an exit shows that it was
 * delivered.  An exit in the middle of delivery hands it back in the IDT-vectoring information, and it is chosen again before
 * anything new: exceptions and software interrupts first, then NMI, then external interrupt.  This is what keeps events sent
 * and events delivered equal.
 */
#include <linux/sched.h>
#include <asm/debugreg.h>
#include "irqchip/irqchip.h"
#include "trace/events.h"
#include "vmx/controls.h"
#include "vmx/cr.h"
#include "vmx/event.h"
#include "vmx/guest_debug.h"
#include "vmx/regs.h"

/* Interruption-type field of the VM-entry and IDT-vectoring information (SDM vol. 3, table 25-17). */
enum { TYPE_EXT_INTR = 0, TYPE_NMI = 2, TYPE_HARD_EXCEPTION = 3, TYPE_SOFT_INTR = 4, TYPE_PRIV_SOFT = 5, TYPE_SOFT_EXCEPTION = 6 };

#define INFO_VALID INTR_INFO_VALID_MASK
#define INFO_ERROR INTR_INFO_DELIVER_CODE_MASK

/* ------------------------------------------------------------------ exceptions */

void vtx_fault_here(struct vtx_vcpu *vcpu, struct vtx_fault_link *link)
{
	struct vtx_fault *f = &link->fault;

	f->rip = vtx_rip(vcpu);
	f->rsp = vtx_rsp(vcpu);
	f->rflags = vtx_rflags(vcpu);
	f->cs = vtx_vmread16(GUEST_CS_SELECTOR);
	f->tsc = rdtsc();
	link->linear_rip = f->rip + vtx_vmreadl(GUEST_CS_BASE);
	if (!vtx_in_protected_mode(vcpu)) {
		f->flags &= ~VTX_FAULT_HAS_ERROR;
		f->error = 0;
	}
}

static u8 error_flag(bool has_error)
{
	return has_error ? VTX_FAULT_HAS_ERROR : 0;
}

/* Writes the exception down (trace/fault_chain.h), before it meets the one that is on its way. */
static void note(struct vtx_vcpu *vcpu, const struct vtx_exception *new)
{
	const struct vtx_exception *e = &vcpu->events.exc;
	struct vtx_fault before = { .vector = e->vector, .error = e->error, .flags = error_flag(e->has_error) };
	struct vtx_fault_link link = {
		.fault = { .vector = new->vector, .error = new->error, .flags = error_flag(new->has_error) },
	};

	if (new->vector == X86_TRAP_PF && new->has_payload) {
		link.fault.cr2 = new->payload;
		link.fault.flags |= VTX_FAULT_HAS_CR2;
	}
	vtx_fault_here(vcpu, &link);
	vtx_fault_chain_add(&vcpu->faults, &link, e->pending || e->injected ? &before : NULL);
}

static void put_exception(struct vtx_vcpu *vcpu, const struct vtx_exception *new)
{
	note(vcpu, new);
	vcpu->events.exc = *new;
	vcpu->events.exc.pending = true;
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
}

/* A page fault changes CR2 even if #DF or a triple fault comes of it (SDM vol. 3, 6.15). */
static void page_fault_address(struct vtx_vcpu *vcpu, const struct vtx_exception *e)
{
	if (e->vector == X86_TRAP_PF && e->has_payload)
		vcpu->cr2 = e->payload;
}

/* A second exception while one is on its way. */
static void queue_exception(struct vtx_vcpu *vcpu, u8 vector, bool has_error, u32 error, bool has_payload, u64 payload)
{
	static const struct vtx_exception double_fault = { .vector = X86_TRAP_DF, .has_error = true };
	struct vtx_exception new = { .vector = vector, .has_error = has_error, .error = error, .has_payload = has_payload,
				     .payload = payload };
	struct vtx_exception *e = &vcpu->events.exc;
	enum vtx_exc_outcome outcome = VTX_EXC_SERIAL;

	if (e->pending || e->injected)
		outcome = vtx_exception_combine(e->vector, vector);
	if (outcome == VTX_EXC_SERIAL) {
		put_exception(vcpu, &new);
		return;
	}
	page_fault_address(vcpu, e);
	page_fault_address(vcpu, &new);
	note(vcpu, &new);
	*e = new;
	e->pending = outcome == VTX_EXC_DOUBLE;
	if (outcome == VTX_EXC_DOUBLE)
		put_exception(vcpu, &double_fault);
	else
		vtx_vcpu_request(vcpu, VTX_REQ_TRIPLE_FAULT);
}

void vtx_inject_exception(struct vtx_vcpu *vcpu, u8 vector)
{
	queue_exception(vcpu, vector, false, 0, false, 0);
}

void vtx_inject_exception_error(struct vtx_vcpu *vcpu, u8 vector, u32 error)
{
	queue_exception(vcpu, vector, true, error, false, 0);
}

void vtx_inject_page_fault(struct vtx_vcpu *vcpu, u64 cr2, u32 error)
{
	queue_exception(vcpu, X86_TRAP_PF, true, error, true, cr2);
}

void vtx_inject_debug(struct vtx_vcpu *vcpu, u64 dr6_bits)
{
	queue_exception(vcpu, X86_TRAP_DB, false, 0, true, dr6_bits);
}

void vtx_inject_soft(struct vtx_vcpu *vcpu, u8 vector, unsigned int len)
{
	queue_exception(vcpu, vector, false, 0, false, 0);
	vcpu->events.exc.soft = true;
	vcpu->events.insn_len = len;
}

void vtx_events_give_way(struct vtx_vcpu *vcpu)
{
	struct vtx_events *ev = &vcpu->events;

	ev->irq.injected = false;
	if (!ev->nmi_injected)
		return;
	ev->nmi_injected = false;
	vtx_set_nmi_blocked(vcpu, true);
}

/* CR2 and DR6 change when the exception is delivered, not when it is raised. */
static void deliver_payload(struct vtx_vcpu *vcpu)
{
	struct vtx_exception *e = &vcpu->events.exc;

	if (!e->has_payload)
		return;
	e->has_payload = false;
	if (e->vector == X86_TRAP_PF) {
		vcpu->cr2 = e->payload;
	} else if (e->vector == X86_TRAP_DB) {
		/* B0-B3 are replaced, BD, BS and BT only set; RTM is active low (SDM vol. 3, 17.2.3). */
		vcpu->dr6 = (vcpu->dr6 & ~(u64)DR_TRAP_BITS) | VTX_DR6_FIXED | (e->payload & (DR_TRAP_BITS | VTX_DR6_BD | DR_STEP | VTX_DR6_BT));
		if (vcpu->dr7 & VTX_DR7_GD) {
			vcpu->dr7 &= ~(u64)VTX_DR7_GD;
			vtx_debug_load_dr7(vcpu);
		}
	}
}

void vtx_deliver_payload_to_user(struct vtx_vcpu *vcpu)
{
	if (!READ_ONCE(vcpu->vm->exception_payload))
		deliver_payload(vcpu);
}

/* ------------------------------------------------------------------ NMI, windows */

void vtx_queue_nmi(struct vtx_vcpu *vcpu)
{
	/* One in service and one latched is all the processor has. */
	atomic_add_unless(&vcpu->events.nmi_pending, 1, 2);
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
}

u32 vtx_interruptibility(struct vtx_vcpu *vcpu)
{
	return vtx_vmread32(GUEST_INTERRUPTIBILITY_INFO);
}

void vtx_set_interruptibility(struct vtx_vcpu *vcpu, u32 value)
{
	vtx_vmwrite32(GUEST_INTERRUPTIBILITY_INFO, value);
}

bool vtx_nmi_blocked(struct vtx_vcpu *vcpu)
{
	return vcpu->events.nmi_injected || (vtx_interruptibility(vcpu) & GUEST_INTR_STATE_NMI);
}

void vtx_set_nmi_blocked(struct vtx_vcpu *vcpu, bool blocked)
{
	u32 now = vtx_interruptibility(vcpu);
	u32 want = blocked ? now | GUEST_INTR_STATE_NMI : now & ~GUEST_INTR_STATE_NMI;

	if (want != now)
		vtx_set_interruptibility(vcpu, want);
}

static bool event_on_its_way(struct vtx_vcpu *vcpu)
{
	struct vtx_events *ev = &vcpu->events;

	return ev->exc.injected || ev->exc.pending || ev->nmi_injected || ev->irq.injected;
}

bool vtx_irq_window_open(struct vtx_vcpu *vcpu)
{
	return (vtx_rflags(vcpu) & X86_EFLAGS_IF) && !(vtx_interruptibility(vcpu) & VTX_SHADOW) && !event_on_its_way(vcpu);
}

/* User space's controller is heard: with a local APIC here it is a PIC at LINT0. */
static bool hears_user(struct vtx_vcpu *vcpu)
{
	return !vcpu->apic || vtx_lapic_extint_open(vcpu);
}

bool vtx_user_irq_welcome(struct vtx_vcpu *vcpu)
{
	return vcpu->events.user_irq < 0 && hears_user(vcpu) && vtx_irq_window_open(vcpu);
}

/* User space, whose interrupt controller it is, asks to be told when the next interrupt can go in. */
static bool user_waits_for_window(struct vtx_vcpu *vcpu)
{
	return vcpu->vm->irqchip_mode != VTX_IRQCHIP_KERNEL && READ_ONCE(vcpu->run->request_interrupt_window) && hears_user(vcpu);
}

static bool irq_waits(struct vtx_vcpu *vcpu)
{
	if (vcpu->apic)
		return vtx_pending_irq(vcpu) >= 0;
	return vcpu->events.user_irq >= 0;
}

/* Does an NMI wait that may come? */
static bool nmi_waits(struct vtx_vcpu *vcpu)
{
	return atomic_read(&vcpu->events.nmi_pending) && !vtx_debug_blocks_irqs(vcpu);
}

/* Does an interrupt wait that vtx has to inject? */
static bool waits_for_us(struct vtx_vcpu *vcpu)
{
	if (vtx_debug_blocks_irqs(vcpu))
		return false;
	return vcpu->apic ? vtx_irq_to_inject(vcpu) : vcpu->events.user_irq >= 0;
}

bool vtx_vcpu_has_event(struct vtx_vcpu *vcpu)
{
	struct vtx_events *ev = &vcpu->events;

	if (ev->exc.pending || ev->exc.injected || ev->nmi_injected || ev->irq.injected)
		return true;
	if (atomic_read(&ev->nmi_pending) && !vtx_nmi_blocked(vcpu))
		return true;
	return (vtx_rflags(vcpu) & X86_EFLAGS_IF) && !(vtx_interruptibility(vcpu) & VTX_SHADOW) && irq_waits(vcpu);
}

/* ------------------------------------------------------------------ before an entry */

static void write_entry(struct vtx_vcpu *vcpu, u32 info, u32 error, u32 insn_len)
{
	vcpu->entry_event = info;
	vtx_vmwrite32(VM_ENTRY_INTR_INFO_FIELD, info);
	/* The event ends HLT in any case, and not every one may be injected into a halted processor (SDM vol. 3, 27.3.1.5). */
	if (unlikely(vtx_exit_off(vcpu->vm, KVM_X86_DISABLE_EXITS_HLT)))
		vtx_vmwrite32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	if (info & INFO_ERROR)
		vtx_vmwrite32(VM_ENTRY_EXCEPTION_ERROR_CODE, error);
	if (insn_len)
		vtx_vmwrite32(VM_ENTRY_INSTRUCTION_LEN, insn_len);
}

static u32 exception_type(const struct vtx_exception *e)
{
	if (!e->soft)
		return TYPE_HARD_EXCEPTION;
	return e->vector == X86_TRAP_DB ? TYPE_PRIV_SOFT /* INT1 */ : TYPE_SOFT_EXCEPTION;
}

static void enter_exception(struct vtx_vcpu *vcpu)
{
	struct vtx_exception *e = &vcpu->events.exc;
	u32 info = INFO_VALID | e->vector;
	bool again = !e->pending;
	bool fault = e->vector != X86_TRAP_DB && e->vector != X86_TRAP_BP && e->vector != X86_TRAP_OF && e->vector != X86_TRAP_MC;

	if (e->pending) {
		deliver_payload(vcpu);
		/* Faults save RF set, so that the instruction's own breakpoint does not hit twice (SDM vol. 3, 17.3.1.1). */
		if (fault)
			vtx_set_rflags(vcpu, vtx_rflags(vcpu) | X86_EFLAGS_RF);
		e->pending = false;
		e->injected = true;
	}
	/* Real mode has no error codes, and an entry that asks for one fails (SDM vol. 3, 27.2.1.3). */
	if (e->has_error && vtx_in_protected_mode(vcpu))
		info |= INFO_ERROR;
	info |= exception_type(e) << 8;
	trace_kvm_inj_exception(e->vector, info & INFO_ERROR, e->error, again);
	write_entry(vcpu, info, e->error, e->soft ? vcpu->events.insn_len : 0);
}

static void enter_irq(struct vtx_vcpu *vcpu, bool again)
{
	struct vtx_events *ev = &vcpu->events;

	vcpu->counts.irq_injections++;
	trace_kvm_inj_virq(ev->irq.vector, ev->irq.soft, again);
	if (ev->irq.soft)
		write_entry(vcpu, INFO_VALID | TYPE_SOFT_INTR << 8 | ev->irq.vector, 0, ev->insn_len);
	else
		write_entry(vcpu, INFO_VALID | TYPE_EXT_INTR << 8 | ev->irq.vector, 0, 0);
}

static void enter_nmi(struct vtx_vcpu *vcpu)
{
	vcpu->counts.nmi_injections++;
	/* Delivery sets blocking by NMI; an entry with both fails (SDM vol. 3, 27.3.1.5). */
	vtx_set_nmi_blocked(vcpu, false);
	write_entry(vcpu, INFO_VALID | TYPE_NMI << 8 | X86_TRAP_NMI, 0, 0);
}

/* Chooses something new to inject. Nothing is on its way. */
static void choose_new(struct vtx_vcpu *vcpu)
{
	struct vtx_events *ev = &vcpu->events;
	int vector;

	if (ev->exc.pending) {
		enter_exception(vcpu);
		return;
	}
	/* While one is in service only one more is latched. */
	if (atomic_read(&ev->nmi_pending) > 1 && vtx_nmi_blocked(vcpu))
		atomic_set(&ev->nmi_pending, 1);
	if (nmi_waits(vcpu) && !(vtx_interruptibility(vcpu) & (GUEST_INTR_STATE_NMI | VTX_SHADOW))) {
		atomic_dec(&ev->nmi_pending);
		ev->nmi_injected = true;
		enter_nmi(vcpu);
		return;
	}
	if (!waits_for_us(vcpu) || !vtx_irq_window_open(vcpu))
		return;
	if (vcpu->apic) {
		vector = vtx_ack_irq(vcpu);
	} else {
		vector = ev->user_irq;
		ev->user_irq = -1;
	}
	if (vector < 0)
		return;
	ev->irq.injected = true;
	ev->irq.soft = false;
	ev->irq.vector = vector;
	enter_irq(vcpu, false);
}

void vtx_events_before_entry(struct vtx_vcpu *vcpu)
{
	struct vtx_events *ev = &vcpu->events;
	bool wants_irq, held;

	if (ev->exc.injected)
		enter_exception(vcpu);
	else if (ev->nmi_injected)
		enter_nmi(vcpu);
	else if (ev->irq.injected)
		enter_irq(vcpu, true);
	else
		choose_new(vcpu);

	ev->user_window = user_waits_for_window(vcpu);
	wants_irq = waits_for_us(vcpu) || ev->user_window;
	/* What the processor delivers by itself needs no window, except to see whether IF is ever set. */
	held = vtx_apicv_before_entry(vcpu);
	if (unlikely(wants_irq | held || vcpu->livelock.window_since))
		vtx_livelock_waits(&vcpu->livelock, !(wants_irq | held) || (vtx_rflags(vcpu) & X86_EFLAGS_IF));
	vtx_controls_set_windows(vcpu, wants_irq || (held && vcpu->livelock.window_watched), nmi_waits(vcpu));
	/* An exception still pending behind a re-injected event gets its turn at the next exit. */
	if (ev->exc.pending)
		vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
}

void vtx_events_cancel(struct vtx_vcpu *vcpu)
{
	/* The "injected" flags stay: the event is chosen again at the next attempt. */
	vtx_vmwrite32(VM_ENTRY_INTR_INFO_FIELD, 0);
	vcpu->entry_event = 0;
	if (event_on_its_way(vcpu))
		vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
}

/* ------------------------------------------------------------------ after an exit */

void vtx_events_after_exit(struct vtx_vcpu *vcpu)
{
	struct vtx_events *ev = &vcpu->events;
	u32 info = vtx_vmread32(IDT_VECTORING_INFO_FIELD);
	u8 vector = info & INTR_INFO_VECTOR_MASK;
	u32 type = (info & INTR_INFO_INTR_TYPE_MASK) >> 8;
	bool was_injected = ev->irq.injected;

	vcpu->vectoring = info;
	ev->exc_entered = ev->exc.injected;
	ev->exc.injected = false;
	ev->nmi_injected = false;
	ev->irq.injected = false;
	if (likely(!(info & INFO_VALID)))
		return;

	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	switch (type) {
	case TYPE_NMI:
		ev->nmi_injected = true;
		/* Its delivery had set the blocking already; it has not been delivered after all. */
		vtx_set_nmi_blocked(vcpu, false);
		break;
	case TYPE_SOFT_EXCEPTION:
	case TYPE_PRIV_SOFT:
	case TYPE_HARD_EXCEPTION:
		ev->insn_len = vtx_vmread32(VM_EXIT_INSTRUCTION_LEN);
		ev->exc = (struct vtx_exception){ .injected = true, .vector = vector, .soft = type != TYPE_HARD_EXCEPTION,
						  .has_error = info & VECTORING_INFO_DELIVER_CODE_MASK };
		if (ev->exc.has_error)
			ev->exc.error = vtx_vmread32(IDT_VECTORING_ERROR_CODE);
		break;
	case TYPE_SOFT_INTR:
		ev->insn_len = vtx_vmread32(VM_EXIT_INSTRUCTION_LEN);
		fallthrough;
	case TYPE_EXT_INTR:
		ev->irq.injected = true;
		ev->irq.soft = type == TYPE_SOFT_INTR;
		ev->irq.vector = vector;
		/* One that vtx did not inject is the processor's own, and that is the vector in service: Bochs 2.7 gives an older one. */
		if (type == TYPE_EXT_INTR && !was_injected && vcpu->apic && vcpu->apic->lapic.apicv)
			ev->irq.vector = vtx_vmread16(GUEST_INTR_STATUS) >> 8;
		break;
	}
}
