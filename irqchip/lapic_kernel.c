// SPDX-License-Identifier: GPL-2.0-only
/*
 * Local APICs in the kernel: delivery of messages to vCPUs, the host timer behind the APIC timer, register access
 * from exits, IA32_APIC_BASE, KVM_GET_LAPIC and KVM_SET_LAPIC.
 *
 * No wake-up is lost.  A sender sets the IRR bit and the hint (locked operations), then VTX_REQ_EVENT (locked), then
 * looks at where the vCPU is (vtx_vcpu_kick()).  The vCPU says it is in guest mode (full barrier), then takes the
 * request (locked), then looks at the hint.  If it did not see the request, the sender's look at the mode comes after
 * its announcement, and the sender interrupts it.  If it took the request, it sees the hint and the IRR bit, which
 * were there before.  A halted vCPU does the same with rcuwait instead of the mode.  Who finds the IRR bit set
 * already needs no request: the one who set it makes one.
 *
 * The run loop looks only when VTX_REQ_EVENT is set.  So everything in the vCPU's own thread that may make an
 * interrupt deliverable (EOI, lower TPR, self IPI, timer due at once) ends in look_again(), which asks for it when
 * anything is pending at all.
 *
 * timer_lock (raw, interrupts off) protects lapic.timer together with the programming of the hrtimer.  The hrtimer
 * may fire when nothing is due (it is not cancelled when the guest disarms or postpones); vtx_lapic_timer_expire()
 * then does nothing.
 *
 * While `preempting`, which only the vCPU's thread changes, the deadline is left to the VMX-preemption timer (SDM vol. 3,
 * 26.5.1): VTX_REQ_TIMER stays set and makes the run loop write what is left until due_tsc before each entry.  That spares
 * programming the hrtimer and the host's interrupt.  It counts in the guest only, which is enough: a vCPU that is scheduled out, or
 * whose KVM_RUN returned, could not take the interrupt, and looks before its next entry.  One that goes to sleep in HLT takes the
 * deadline to the hrtimer (vtx_lapic_timer_sleep()), where it stays until it is set anew.
 */
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <asm/msr.h>
#include <asm/tsc.h>
#include "compat/compat.h"
#include "exits/cpuid.h"
#include "irqchip/kernel.h"
#include "pv/guest_tsc.h"
#include "trace/events_irq.h"
#include "uapi/refuse.h"
#include "vmx/apicv.h"
#include "vmx/caps.h"
#include "vmx/controls.h"
#include "vmx/event.h"

/* ---------------------------------------------------------------- delivery */

/* Makes the vCPU look at its IRR. The sender's own one is not in the guest now and needs no kick. */
static void notify(struct vtx_vcpu *vcpu, struct vtx_vcpu *sender)
{
	if (vcpu == sender)
		vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	else
		vtx_vcpu_request_kick(vcpu, VTX_REQ_EVENT);
}

/* The vCPU's own thread changed something that may let a pending interrupt through. */
static void look_again(struct vtx_vcpu *vcpu)
{
	if (unlikely(vtx_lapic_maybe_pending(&vcpu->apic->lapic)) && !vtx_vcpu_test_request(vcpu, VTX_REQ_EVENT))
		vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
}

/*
 * Where the processor delivers, one that is in the IRR may be taken while we look: another is sent behind it, in case it was, and
 * reported as coalesced, as nearly always it will be.
 */
static int accept(struct vtx_vcpu *vcpu, struct vtx_vcpu *sender, const struct vtx_apic_msg *msg)
{
	struct vtx_lapic *apic = &vcpu->apic->lapic;
	bool waits = apic->posted && vtx_lapic_in_irr(apic, msg->vector);
	int ret = vtx_lapic_accept(apic, msg->vector, msg->level);

	if (ret > 0)
		notify(vcpu, sender);
	return ret > 0 && waits ? 0 : ret;
}

static int deliver_to(struct vtx_vcpu *vcpu, struct vtx_vcpu *sender, const struct vtx_apic_msg *msg)
{
	trace_kvm_apic_accept_irq(vcpu->id, msg->mode, msg->level, msg->vector);
	switch (msg->mode) {
	case VTX_APIC_FIXED:
	case VTX_APIC_LOWEST:
		return accept(vcpu, sender, msg);
	case VTX_APIC_NMI:
		vtx_queue_nmi(vcpu);
		if (vcpu != sender)
			vtx_vcpu_kick(vcpu);
		return 1;
	case VTX_APIC_INIT_MODE:
		/* INIT forgets a SIPI that came before it. */
		clear_bit(VTX_APIC_SIPI, &vcpu->apic_events);
		set_bit(VTX_APIC_INIT, &vcpu->apic_events);
		vtx_vcpu_request_kick(vcpu, VTX_REQ_APIC_EVENT);
		return 1;
	case VTX_APIC_STARTUP:
		WRITE_ONCE(vcpu->sipi_vector, msg->vector);
		set_bit(VTX_APIC_SIPI, &vcpu->apic_events); /* a locked operation: the vector is there first */
		vtx_vcpu_request_kick(vcpu, VTX_REQ_APIC_EVENT);
		return 1;
	default: /* SMI: there is no SMM. ExtINT from an IOAPIC entry: the PIC's wire to LINT0 does that. */
		return -1;
	}
}

static bool addressed(struct vtx_vcpu *vcpu, struct vtx_vcpu *sender, const struct vtx_apic_msg *msg)
{
	if (!vcpu->apic)
		return false;
	switch (msg->shorthand) {
	case VTX_APIC_SELF:
		return vcpu == sender;
	case VTX_APIC_ALL:
		return vtx_lapic_hw_enabled(&vcpu->apic->lapic);
	case VTX_APIC_ALL_BUT_SELF:
		return vcpu != sender && vtx_lapic_hw_enabled(&vcpu->apic->lapic);
	default:
		return vtx_lapic_match(&vcpu->apic->lapic, msg);
	}
}

/*
 * Of the addressed APICs that take fixed interrupts, the one with the lowest priority; among equals they take turns.
 * The priorities of running vCPUs are read as they are: any choice is a correct one.
 */
static int deliver_lowest(struct vtx_vm *vm, struct vtx_vcpu *sender, const struct vtx_apic_msg *msg)
{
	unsigned int nr = vtx_vm_num_vcpus(vm), turn = READ_ONCE(vm->irqchip->turn), i;
	struct vtx_vcpu *best = NULL;
	int best_ppr = 256, ppr;

	for (i = 0; i < nr; i++) {
		struct vtx_vcpu *vcpu = vm->vcpus[(turn + i) % nr];

		if (!addressed(vcpu, sender, msg) || !vtx_lapic_accepts(&vcpu->apic->lapic))
			continue;
		ppr = vtx_lapic_ppr(&vcpu->apic->lapic) >> 4;
		if (ppr < best_ppr) {
			best = vcpu;
			best_ppr = ppr;
		}
	}
	if (!best)
		return -1;
	WRITE_ONCE(vm->irqchip->turn, best->index + 1);
	return deliver_to(best, sender, msg);
}

int vtx_apic_deliver(struct vtx_vm *vm, struct vtx_vcpu *sender, const struct vtx_apic_msg *msg)
{
	struct vtx_vcpu *vcpu;
	int i, r, ret = -1;

	if (vtx_apic_msg_one_of(msg) && (msg->mode == VTX_APIC_FIXED || msg->mode == VTX_APIC_LOWEST))
		return deliver_lowest(vm, sender, msg);
	if (msg->shorthand == VTX_APIC_SELF)
		return sender && sender->apic ? deliver_to(sender, sender, msg) : -1;
	/* One physical destination: vCPUs are nearly always created in the order of their ids. 0xff can be a broadcast. */
	if (msg->shorthand == VTX_APIC_NO_SHORTHAND && !msg->logical && msg->dest < vtx_vm_num_vcpus(vm) && msg->dest != 0xff) {
		vcpu = vm->vcpus[array_index_nospec(msg->dest, VTX_MAX_VCPUS)];
		if (addressed(vcpu, sender, msg))
			return deliver_to(vcpu, sender, msg);
	}
	vtx_for_each_vcpu(i, vcpu, vm) {
		if (!addressed(vcpu, sender, msg))
			continue;
		r = deliver_to(vcpu, sender, msg);
		if (r >= 0)
			ret = r + max(ret, 0);
	}
	return ret;
}

/* ---------------------------------------------------------------- the vCPU takes an interrupt */

/* INTR is asserted: by the PIC, or, where that is user space's, by KVM_INTERRUPT, which only the vCPU's own thread gives. */
static bool intr_asserted(struct vtx_vcpu *vcpu)
{
	return READ_ONCE(vcpu->vm->irqchip->pic_output) || vcpu->events.user_irq >= 0;
}

/* The PIC waits, and this vCPU's LINT0 lets it through. */
static bool extint_pending(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic *apic = &vcpu->apic->lapic;

	if (!(READ_ONCE(apic->irr_hint) & VTX_LAPIC_HINT_EXTINT))
		return false;
	if (!intr_asserted(vcpu)) {
		/* The PIC writes pic_output before it sets the hint: what we miss here sets the hint again. */
		vtx_lapic_drop_hint(apic, VTX_LAPIC_HINT_EXTINT);
		if (!intr_asserted(vcpu))
			return false;
		vtx_lapic_set_hint(apic, VTX_LAPIC_HINT_EXTINT);
	}
	return vtx_lapic_takes_extint(apic);
}

/* The INTA cycle: the vector, or -1 when the request is gone. */
static int take_extint(struct vtx_vcpu *vcpu)
{
	int vector = vcpu->events.user_irq;

	if (vector < 0)
		return vtx_pic_inta(vcpu->vm);
	vcpu->events.user_irq = -1;
	return vector;
}

void vtx_lapic_user_extint(struct vtx_vcpu *vcpu, u8 vector)
{
	vcpu->events.user_irq = vector;
	vtx_lapic_set_hint(&vcpu->apic->lapic, VTX_LAPIC_HINT_EXTINT);
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
}

bool vtx_lapic_extint_open(struct vtx_vcpu *vcpu)
{
	return vtx_lapic_takes_extint(&vcpu->apic->lapic);
}

int vtx_pending_irq_slow(struct vtx_vcpu *vcpu)
{
	return extint_pending(vcpu) ? 0 : vtx_lapic_find_deliverable(&vcpu->apic->lapic);
}

bool vtx_irq_to_inject(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic_kernel *k = vcpu->apic;

	return k && k->lapic.apicv ? extint_pending(vcpu) : vtx_pending_irq(vcpu) >= 0;
}

int vtx_ack_irq(struct vtx_vcpu *vcpu)
{
	int vector;

	if (!vcpu->apic)
		return -1;
	if (extint_pending(vcpu)) {
		vector = take_extint(vcpu);
		if (vector >= 0)
			return vector;
	}
	return vcpu->apic->lapic.apicv ? -1 : vtx_lapic_ack(&vcpu->apic->lapic);
}

/*
 * Mostly there is one; several come of a string instruction that writes EOI again and again. The highest first, as they were
 * served.
 */
int vtx_take_ioapic_eoi(struct vtx_vcpu *vcpu)
{
	unsigned long *ended = vcpu->apic->ended;
	unsigned long vector = find_last_bit(ended, 256);

	if (vector == 256)
		return -1;
	__clear_bit(vector, ended);
	if (!bitmap_empty(ended, 256))
		vtx_vcpu_request(vcpu, VTX_REQ_IOAPIC_EOI);
	return vector;
}

/* ---------------------------------------------------------------- timer */

static uint min_timer_period_us = 200;
module_param(min_timer_period_us, uint, 0444);
MODULE_PARM_DESC(min_timer_period_us, "shortest period of a guest's periodic timers in us, 10 to 1000000 (default 200)");

u32 vtx_min_timer_period_ns(void)
{
	return clamp(min_timer_period_us, 10U, 1000000U) * 1000;
}

static void trace_timer(struct vtx_lapic_kernel *k)
{
	trace_kvm_apic_accept_irq(k->vcpu->id, VTX_APIC_FIXED, false, vtx_lapic_get(&k->lapic, VTX_LAPIC_LVTT));
}

/* A deadline in as many ticks of the host's TSC can be left to the VMX-preemption timer, which has 32 bits. */
static bool in_reach(struct vtx_vm *vm, u64 ticks)
{
	/* Nor may it count in the C-state that a guest chooses by MWAIT. */
	return vtx_caps.preemption_timer && !vtx_exit_off(vm, KVM_X86_DISABLE_EXITS_MWAIT) &&
	       ticks >> vtx_caps.preemption_rate < U32_MAX && !check_tsc_unstable();
}

static void leave_preemption_timer(struct vtx_lapic_kernel *k)
{
	if (!k->preempting)
		return;
	k->preempting = false;
	clear_bit(VTX_REQ_TIMER, &k->vcpu->requests);
	vtx_controls_set_preemption_timer(k->vcpu, false);
}

/* The deadline is @ticks after @tsc. The hrtimer may be queued for an earlier one: then it fires and finds nothing to do. */
static void start_timer(struct vtx_lapic_kernel *k, u64 tsc, u64 ticks)
{
	if (in_reach(k->vcpu->vm, ticks)) {
		k->due_tsc = tsc + ticks;
		k->preempting = true;
		if (!vtx_vcpu_test_request(k->vcpu, VTX_REQ_TIMER))
			set_bit(VTX_REQ_TIMER, &k->vcpu->requests);
		return;
	}
	leave_preemption_timer(k);
	hrtimer_start(&k->timer, ns_to_ktime(k->lapic.timer.deadline_ns), HRTIMER_MODE_ABS_HARD);
}

/* Brings the host's timer in line with lapic.timer, or raises at once what is due (look_again() follows). timer_lock held. */
static void program_timer(struct vtx_lapic_kernel *k)
{
	u64 deadline = k->lapic.timer.deadline_ns, now;
	bool raised = false;

	if (!deadline) {
		leave_preemption_timer(k);
		return;
	}
	now = ktime_get_ns();
	if (deadline <= now)
		deadline = vtx_lapic_timer_expire(&k->lapic, now, &raised);
	if (raised)
		trace_timer(k);
	if (deadline)
		start_timer(k, rdtsc(), vtx_tsc_from_ns(deadline - now, tsc_khz));
	else
		leave_preemption_timer(k);
}

static enum hrtimer_restart timer_fn(struct hrtimer *timer)
{
	struct vtx_lapic_kernel *k = container_of(timer, struct vtx_lapic_kernel, timer);
	enum hrtimer_restart restart = HRTIMER_NORESTART;
	bool raised = false;
	unsigned long flags;
	u64 next;

	raw_spin_lock_irqsave(&k->timer_lock, flags);
	next = k->preempting ? 0 : vtx_lapic_timer_expire(&k->lapic, ktime_get_ns(), &raised);
	/* Queued already: the guest armed it anew while we waited for the lock. */
	if (next && !hrtimer_is_queued(timer)) {
		hrtimer_set_expires(timer, ns_to_ktime(next));
		restart = HRTIMER_RESTART;
	}
	raw_spin_unlock_irqrestore(&k->timer_lock, flags);
	if (raised) {
		trace_timer(k);
		notify(k->vcpu, NULL);
	}
	return restart;
}

/* The TSC has passed due_tsc. The clock of deadline_ns may be a little behind: it counts as reached. */
static void preemption_timer_due(struct vtx_lapic_kernel *k)
{
	unsigned long flags;
	u64 next, now;
	bool raised;

	raw_spin_lock_irqsave(&k->timer_lock, flags);
	now = k->lapic.timer.deadline_ns;
	if (vtx_lapic_timer_mode(&k->lapic) == VTX_TIMER_PERIODIC)
		now = max(now, ktime_get_ns());
	next = vtx_lapic_timer_expire(&k->lapic, now, &raised);
	if (raised)
		trace_timer(k);
	if (next)
		start_timer(k, rdtsc(), vtx_tsc_from_ns(next - now, tsc_khz));
	else
		leave_preemption_timer(k);
	raw_spin_unlock_irqrestore(&k->timer_lock, flags);
	look_again(k->vcpu);
}

void vtx_lapic_timer_look(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic_kernel *k = vcpu->apic;

	if (k && k->preempting && (s64)(k->due_tsc - rdtsc()) <= 0)
		preemption_timer_due(k);
}

void vtx_lapic_timer_before_entry(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic_kernel *k = vcpu->apic;
	s64 left = k->due_tsc - rdtsc();
	unsigned long flags;

	if (unlikely(left <= 0)) {
		preemption_timer_due(k);
		return;
	}
	left >>= vtx_caps.preemption_rate;
	if (unlikely(left >= U32_MAX)) { /* the host slept, and its TSC began anew */
		raw_spin_lock_irqsave(&k->timer_lock, flags);
		program_timer(k);
		raw_spin_unlock_irqrestore(&k->timer_lock, flags);
		look_again(vcpu);
		return;
	}
	vtx_vmwrite32(VMX_PREEMPTION_TIMER_VALUE, left + 1);
	vtx_controls_set_preemption_timer(vcpu, true);
}

void vtx_lapic_timer_sleep(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic_kernel *k = vcpu->apic;
	unsigned long flags;

	if (!k || !k->preempting)
		return;
	raw_spin_lock_irqsave(&k->timer_lock, flags);
	leave_preemption_timer(k);
	hrtimer_start(&k->timer, ns_to_ktime(k->lapic.timer.deadline_ns), HRTIMER_MODE_ABS_HARD);
	raw_spin_unlock_irqrestore(&k->timer_lock, flags);
}

u64 vtx_tsc_deadline_read(struct vtx_vcpu *vcpu)
{
	vtx_lapic_timer_look(vcpu);
	return vcpu->apic ? vtx_lapic_read_tsc_deadline(&vcpu->apic->lapic) : 0;
}

void vtx_tsc_deadline_write(struct vtx_vcpu *vcpu, u64 data)
{
	struct vtx_lapic_kernel *k = vcpu->apic;
	u64 tsc, guest, ticks;
	unsigned long flags;

	if (!k || vtx_lapic_timer_mode(&k->lapic) != VTX_TIMER_TSC_DEADLINE)
		return;
	raw_spin_lock_irqsave(&k->timer_lock, flags);
	tsc = rdtsc();
	guest = vtx_guest_tsc(vcpu, tsc);
	ticks = data > guest ? vtx_tsc_unscale(data - guest, vcpu->tsc_ratio) : 0;
	vtx_lapic_write_tsc_deadline(&k->lapic, data, ticks, tsc_khz, ktime_get_ns());
	if (data && ticks)
		start_timer(k, tsc, ticks);
	else
		program_timer(k);
	raw_spin_unlock_irqrestore(&k->timer_lock, flags);
	look_again(vcpu);
}

void vtx_lapic_tsc_moved(struct vtx_vcpu *vcpu)
{
	u64 deadline = vtx_tsc_deadline_read(vcpu);

	if (deadline)
		vtx_tsc_deadline_write(vcpu, deadline);
}

/* ---------------------------------------------------------------- register access */

/* CPUID may be set after the APIC was made. */
static void sync_features(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic *apic = &vcpu->apic->lapic;

	apic->x2apic_ok = vtx_cpuid_has(&vcpu->cpuid, VTX_F_X2APIC);
	apic->tsc_deadline_ok = vtx_cpuid_has(&vcpu->cpuid, VTX_F_TSC_DEADLINE);
}

/* Where the IOAPIC is user space's, it hears of the level-triggered vectors of its routes. */
static void ended(struct vtx_vcpu *vcpu, const struct vtx_lapic_fx *fx)
{
	struct vtx_vm *vm = vcpu->vm;
	struct vtx_irqchip *chip = vm->irqchip;
	u8 vector = fx->eoi_vector;
	bool watched = READ_ONCE(chip->watched[vector / 32]) & (1u << (vector & 31));
	bool level = fx->what & VTX_LAPIC_FX_EOI;

	if (likely(vm->irqchip_mode == VTX_IRQCHIP_KERNEL)) {
		if (level || watched)
			vtx_ioapic_broadcast_eoi(vm, vector);
	} else if (level && watched) {
		__set_bit(vector, vcpu->apic->ended);
		vtx_vcpu_request(vcpu, VTX_REQ_IOAPIC_EOI);
	}
}

static void effects(struct vtx_vcpu *vcpu, const struct vtx_lapic_fx *fx)
{
	if (fx->what & VTX_LAPIC_FX_ENDED) {
		trace_kvm_eoi(vcpu->id, fx->eoi_vector);
		ended(vcpu, fx);
	}
	if (fx->what & VTX_LAPIC_FX_SEND) {
		trace_kvm_apic_ipi(&fx->msg, vtx_lapic_x2apic(&vcpu->apic->lapic) ? fx->msg.dest : (u8)fx->msg.dest);
		vtx_apic_deliver(vcpu->vm, vcpu, &fx->msg);
	}
	if (fx->what & VTX_LAPIC_FX_LINT0) /* user space may wait for its window: kvm_run->request_interrupt_window */
		vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	look_again(vcpu);
}

/* An emulated access to a register. The vector in service is kept by the processor as well (SVI), and an EOI has changed it. */
static void emulated_effects(struct vtx_vcpu *vcpu, const struct vtx_lapic_fx *fx)
{
	if (vcpu->apic->lapic.apicv && (fx->what & VTX_LAPIC_FX_ENDED))
		vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	effects(vcpu, fx);
}

bool vtx_lapic_mmio(struct vtx_vcpu *vcpu, u64 gpa, unsigned int len, void *data, bool write)
{
	struct vtx_lapic_kernel *k = vcpu->apic;
	struct vtx_lapic_fx fx;
	unsigned long flags;
	u64 value = 0;
	u32 offset;

	if (!k || !vtx_lapic_covers(&k->lapic, gpa))
		return false;
	offset = gpa - VTX_LAPIC_BASE_ADDR(k->lapic.base);
	if (!write) {
		value = vtx_lapic_mmio_read(&k->lapic, offset, len,
					    (offset & ~0xfu) == VTX_LAPIC_TMCCT ? ktime_get_ns() : 0);
		trace_kvm_apic(false, offset, value);
		memcpy(data, &value, min(len, 8u));
		return true;
	}
	memcpy(&value, data, min(len, 8u));
	trace_kvm_apic(true, offset, value);
	if (vtx_lapic_is_timer_reg(offset)) {
		sync_features(vcpu);
		raw_spin_lock_irqsave(&k->timer_lock, flags);
		vtx_lapic_mmio_write(&k->lapic, offset, len, value, ktime_get_ns(), &fx);
		program_timer(k);
		raw_spin_unlock_irqrestore(&k->timer_lock, flags);
	} else {
		vtx_lapic_mmio_write(&k->lapic, offset, len, value, 0, &fx);
	}
	emulated_effects(vcpu, &fx);
	return true;
}

void vtx_lapic_stored_write(struct vtx_vcpu *vcpu, u32 offset)
{
	struct vtx_lapic_kernel *k = vcpu->apic;
	struct vtx_lapic_fx fx;
	unsigned long flags;

	trace_kvm_apic(true, offset, vtx_lapic_get(&k->lapic, offset & 0xff0));
	if (vtx_lapic_is_timer_reg(offset & 0xff0)) {
		sync_features(vcpu);
		raw_spin_lock_irqsave(&k->timer_lock, flags);
		vtx_lapic_stored(&k->lapic, offset, ktime_get_ns(), &fx);
		program_timer(k);
		raw_spin_unlock_irqrestore(&k->timer_lock, flags);
	} else {
		vtx_lapic_stored(&k->lapic, offset, 0, &fx);
	}
	effects(vcpu, &fx);
}

void vtx_lapic_eoi_exit(struct vtx_vcpu *vcpu, u8 vector)
{
	struct vtx_lapic_fx fx;

	vtx_lapic_eoi_taken(&vcpu->apic->lapic, vector, &fx);
	effects(vcpu, &fx);
}

static u32 msr_offset(u32 msr)
{
	return (msr - VTX_LAPIC_MSR_BASE) << 4;
}

int vtx_x2apic_msr_read(struct vtx_vcpu *vcpu, u32 msr, u64 *data)
{
	if (!vcpu->apic || vtx_lapic_msr_read(&vcpu->apic->lapic, msr, data,
					      msr_offset(msr) == VTX_LAPIC_TMCCT ? ktime_get_ns() : 0))
		return 1;
	trace_kvm_apic(false, msr_offset(msr), *data);
	return 0;
}

int vtx_x2apic_msr_write(struct vtx_vcpu *vcpu, u32 msr, u64 data)
{
	struct vtx_lapic_kernel *k = vcpu->apic;
	struct vtx_lapic_fx fx;
	unsigned long flags;
	int ret;

	if (!k)
		return 1;
	if (vtx_lapic_is_timer_reg(msr_offset(msr))) {
		sync_features(vcpu);
		raw_spin_lock_irqsave(&k->timer_lock, flags);
		ret = vtx_lapic_msr_write(&k->lapic, msr, data, ktime_get_ns(), &fx);
		if (!ret)
			program_timer(k);
		raw_spin_unlock_irqrestore(&k->timer_lock, flags);
	} else {
		ret = vtx_lapic_msr_write(&k->lapic, msr, data, 0, &fx);
	}
	if (ret)
		return 1;
	trace_kvm_apic(true, msr_offset(msr), data);
	emulated_effects(vcpu, &fx);
	return 0;
}

u64 vtx_lapic_cr8(struct vtx_vcpu *vcpu)
{
	return vcpu->apic ? (vtx_lapic_get(&vcpu->apic->lapic, VTX_LAPIC_TPR) >> 4) & 0xf : 0;
}

void vtx_lapic_set_cr8(struct vtx_vcpu *vcpu, u64 value)
{
	if (!vcpu->apic)
		return;
	vtx_lapic_put(&vcpu->apic->lapic, VTX_LAPIC_TPR, (value & 0xf) << 4);
	look_again(vcpu);
}

/* Without a local APIC the register is just kept, within what it could hold. */
static int bare_base_write(struct vtx_vcpu *vcpu, u64 data)
{
	u64 allowed = VTX_LAPIC_BASE_BSP | VTX_LAPIC_BASE_ENABLE | VTX_LAPIC_BASE_X2APIC | GENMASK_ULL(51, 12);

	if ((data & ~allowed) || ((data & VTX_LAPIC_BASE_X2APIC) && !(data & VTX_LAPIC_BASE_ENABLE)))
		return 1;
	vcpu->apic_base = data;
	vtx_cpuid_update(vcpu);
	return 0;
}

int vtx_apic_base_write(struct vtx_vcpu *vcpu, u64 data, bool host_initiated)
{
	struct vtx_lapic_kernel *k = vcpu->apic;
	unsigned long flags;
	int ret;

	if (!k)
		return bare_base_write(vcpu, data);
	sync_features(vcpu);
	raw_spin_lock_irqsave(&k->timer_lock, flags);
	ret = vtx_lapic_set_base(&k->lapic, data, vcpu->cpuid.maxphyaddr, host_initiated);
	if (!ret)
		program_timer(k);
	raw_spin_unlock_irqrestore(&k->timer_lock, flags);
	if (ret)
		return 1;
	if ((vcpu->apic_base ^ data) & VTX_LAPIC_BASE_ENABLE) {
		vcpu->apic_base = data;
		vtx_cpuid_update(vcpu);
	}
	vcpu->apic_base = data;
	vtx_vcpu_request(vcpu, VTX_REQ_EVENT); /* LINT0 is ExtINT while the APIC is off */
	vtx_apicv_update(vcpu);
	look_again(vcpu);
	return 0;
}

/* ---------------------------------------------------------------- life, save and restore */

int vtx_lapic_create(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic_kernel *k = kzalloc(sizeof(*k), GFP_KERNEL_ACCOUNT);
	u32 *regs = (u32 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);

	if (!k || !regs || (vtx_caps.apicv && vtx_ept_alloc_apic_page(vcpu->vm))) {
		kfree(k);
		free_page((unsigned long)regs);
		return -ENOMEM;
	}
	k->vcpu = vcpu;
	raw_spin_lock_init(&k->timer_lock);
	vtx_hrtimer_setup(&k->timer, timer_fn, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	vtx_lapic_init(&k->lapic, regs, vcpu->id, vcpu->id == vcpu->vm->boot_cpu_id);
	k->lapic.min_period_ns = vtx_min_timer_period_ns();
	/* The PIC may have been asserted before we could be told. */
	vtx_lapic_set_hint(&k->lapic, VTX_LAPIC_HINT_EXTINT);
	k->lapic.posted = vtx_caps.apicv;
	vtx_lapic_reset(&k->lapic, false);
	vcpu->apic = k;
	vcpu->apic_base = k->lapic.base;
	return 0;
}

void vtx_lapic_destroy(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic_kernel *k = vcpu->apic;

	if (!k)
		return;
	hrtimer_cancel(&k->timer);
	vcpu->apic = NULL;
	free_page((unsigned long)k->lapic.regs);
	kfree(k);
}

void vtx_lapic_reset_vcpu(struct vtx_vcpu *vcpu, bool init)
{
	struct vtx_lapic_kernel *k = vcpu->apic;
	unsigned long flags;

	if (!k) {
		if (!init)
			vcpu->apic_base = VTX_LAPIC_DEFAULT_BASE | VTX_LAPIC_BASE_ENABLE |
					  (vcpu->id == vcpu->vm->boot_cpu_id ? VTX_LAPIC_BASE_BSP : 0);
		return;
	}
	k->lapic.lint0_extint = vtx_quirk(vcpu->vm, KVM_X86_QUIRK_LINT0_REENABLED);
	raw_spin_lock_irqsave(&k->timer_lock, flags);
	vtx_lapic_reset(&k->lapic, init);
	program_timer(k);
	raw_spin_unlock_irqrestore(&k->timer_lock, flags);
	bitmap_zero(k->ended, 256);
	vcpu->apic_base = k->lapic.base;
	vtx_apicv_update(vcpu);
}

int vtx_get_lapic(struct vtx_vcpu *vcpu, struct kvm_lapic_state *state)
{
	if (!vcpu->apic)
		return VTX_REFUSE(LAPIC_MISSING, VTX_NO_FIELD, 0, 0);
	vtx_lapic_timer_look(vcpu);
	vtx_lapic_get_state(&vcpu->apic->lapic, state, ktime_get_ns(), vtx_wide_ids(vcpu->vm));
	return 0;
}

int vtx_set_lapic(struct vtx_vcpu *vcpu, const struct kvm_lapic_state *state)
{
	struct vtx_lapic_kernel *k = vcpu->apic;
	unsigned long flags;
	int ret;

	if (!k)
		return VTX_REFUSE(LAPIC_MISSING, VTX_NO_FIELD, 0, 0);
	sync_features(vcpu);
	raw_spin_lock_irqsave(&k->timer_lock, flags);
	ret = vtx_lapic_set_state(&k->lapic, state, ktime_get_ns(), vtx_wide_ids(vcpu->vm));
	if (!ret)
		program_timer(k);
	raw_spin_unlock_irqrestore(&k->timer_lock, flags);
	if (!ret)
		vtx_vcpu_request(vcpu, VTX_REQ_EVENT);
	return ret;
}
