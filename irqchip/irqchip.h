/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The in-kernel interrupt controllers as the rest of the module sees them.
 */
#ifndef VTX_IRQCHIP_IRQCHIP_H
#define VTX_IRQCHIP_IRQCHIP_H

#include <linux/hrtimer.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/kvm.h>
#include "irqchip/lapic.h"
#include "vmx/vcpu.h"

#define VTX_MAX_IRQ_ROUTES 4096
#define VTX_IRQ_SOURCE_USER 0
#define VTX_IRQ_SOURCE_RESAMPLE 1
#define VTX_IRQ_SOURCE_PIT 2

/* A vCPU's local APIC in the kernel (irqchip/lapic_kernel.c). */
struct vtx_lapic_kernel {
	struct vtx_lapic lapic;
	raw_spinlock_t timer_lock;	/* lapic.timer and the programming of timer */
	struct hrtimer timer;
	bool preempting;		/* timer_lock; the vCPU's thread writes: on the VMX-preemption timer, not the hrtimer */
	u64 due_tsc;			/* vCPU thread: then due at this TSC of the host */
	struct vtx_vcpu *vcpu;
	DECLARE_BITMAP(ended, 256);	/* vCPU thread: vectors for KVM_EXIT_IOAPIC_EOI (split irqchip) */
};

/* ---- life */

/**
 * vtx_irqchip_create() - KVM_CREATE_IRQCHIP: PIC pair, IOAPIC, local APICs for the vCPUs to come, default routes
 * vm->lock held. Return: 0; -EEXIST there is one already; -EINVAL vCPUs exist; -ENOMEM.
 */
int vtx_irqchip_create(struct vtx_vm *vm);

/**
 * vtx_irqchip_create_split() - KVM_CAP_SPLIT_IRQCHIP: local APICs here, PIC and IOAPIC in user space
 * @pins: GSIs below this are IOAPIC pins in user space. vm->lock held. Return: as above; -EINVAL too many pins as
 * well.
 */
int vtx_irqchip_create_split(struct vtx_vm *vm, u64 pins);

/*
 * The last reference is gone: stops PIT, irqfds, ioeventfds; frees buses and routing. Call it before the vCPUs are
 * destroyed, as the PIT and eventfds deliver to them. Works on a VM without irqchip as well. May sleep.
 */
void vtx_irqchip_destroy(struct vtx_vm *vm);

/*
 * The VM's file was closed: irqfds are shut down (they would otherwise keep interrupting vCPUs whose fds are still
 * open, for a VM nobody can talk to). ioeventfds stay until vtx_irqchip_destroy(), as in KVM. May sleep.
 */
void vtx_irqchip_release_fds(struct vtx_vm *vm);

/**
 * vtx_pit_create() - KVM_CREATE_PIT (flags 0), KVM_CREATE_PIT2
 * vm->lock held. Unknown flags are ignored, as in KVM. Return: 0; -EEXIST; -ENOENT without full irqchip; -ENOMEM.
 */
int vtx_pit_create(struct vtx_vm *vm, const struct kvm_pit_config *config);

/* Sets vcpu->apic in its state after RESET; before the vCPU is published. 0 or -ENOMEM; only when vtx_has_lapic(vm). */
int vtx_lapic_create(struct vtx_vcpu *vcpu);
/* Nobody can reach the vCPU any more. Waits for the timer's callback. */
void vtx_lapic_destroy(struct vtx_vcpu *vcpu);
/* RESET or INIT; sets vcpu->apic_base as well. vCPU thread. */
void vtx_lapic_reset_vcpu(struct vtx_vcpu *vcpu, bool init);

/* ---- interrupts for a vCPU: the vCPU thread, interrupts may be off, no sleeping */

int vtx_pending_irq_slow(struct vtx_vcpu *vcpu);

/*
 * The vector that can be delivered now past TPR and PPR, or -1. An ExtINT of the PIC counts, too: its vector is known
 * only at the acknowledge, so it is reported as 0. Two loads when nothing is pending.
 */
static __always_inline int vtx_pending_irq(struct vtx_vcpu *vcpu)
{
	struct vtx_lapic_kernel *k = vcpu->apic;

	if (!k || likely(!vtx_lapic_maybe_pending(&k->lapic) && !k->lapic.apicv))
		return -1;
	return vtx_pending_irq_slow(vcpu);
}

/* Is there something that the processor does not deliver by itself? Without APIC virtualization as above. */
bool vtx_irq_to_inject(struct vtx_vcpu *vcpu);

/* Takes it (INTA cycle, or IRR to ISR) and returns the vector, or -1 when it is gone, or the processor's. */
int vtx_ack_irq(struct vtx_vcpu *vcpu);

/*
 * The timer on the VMX-preemption timer (irqchip/lapic_kernel.c). vCPU loaded. _look(): raises what is due. _before_entry(), when
 * VTX_REQ_TIMER is set: the same, or switches the processor's timer on (vmx/run.c has the frequent case). _sleep(): the guest will
 * not run for a while, the host's timer takes over.
 */
void vtx_lapic_timer_look(struct vtx_vcpu *vcpu);
void vtx_lapic_timer_before_entry(struct vtx_vcpu *vcpu);
void vtx_lapic_timer_sleep(struct vtx_vcpu *vcpu);
/* The guest's TSC was set or runs at another rate: IA32_TSC_DEADLINE is reached at another moment. */
void vtx_lapic_tsc_moved(struct vtx_vcpu *vcpu);

/* VTX_REQ_IOAPIC_EOI, split irqchip: the vector whose EOI user space has to hear of (KVM_EXIT_IOAPIC_EOI), once; -1 none. */
int vtx_take_ioapic_eoi(struct vtx_vcpu *vcpu);

/* KVM_INTERRUPT with a split irqchip: the PIC of user space, which has none outstanding, hands over its vector. */
void vtx_lapic_user_extint(struct vtx_vcpu *vcpu, u8 vector);
/* ... and would be heard now: LINT0 is unmasked and ExtINT, or the APIC off. With a local APIC only. */
bool vtx_lapic_extint_open(struct vtx_vcpu *vcpu);

/* ---- exits. In the vCPU thread; interrupts may be off, no sleeping. */

/* MMIO at @gpa, @len 1..8. True when the local APIC's page is there (and not in x2APIC mode): handled. */
bool vtx_lapic_mmio(struct vtx_vcpu *vcpu, u64 gpa, unsigned int len, void *data, bool write);
/* The processor has stored a write to the register at @offset in the page. */
void vtx_lapic_stored_write(struct vtx_vcpu *vcpu, u32 offset);
/* The processor took the EOI of @vector. */
void vtx_lapic_eoi_exit(struct vtx_vcpu *vcpu, u8 vector);
/* x2APIC MSRs 0x800..0x8ff. Return 0, or 1 for #GP. */
int vtx_x2apic_msr_read(struct vtx_vcpu *vcpu, u32 msr, u64 *data);
int vtx_x2apic_msr_write(struct vtx_vcpu *vcpu, u32 msr, u64 data);
/* IA32_TSC_DEADLINE. The caller has checked that the guest has it. Without local APIC: 0, and ignored. */
u64 vtx_tsc_deadline_read(struct vtx_vcpu *vcpu);
void vtx_tsc_deadline_write(struct vtx_vcpu *vcpu, u64 data);
/* IA32_APIC_BASE: 0 or 1 (#GP); updates vcpu->apic_base, and CPUID when the enable bit moved. With interrupts on. */
int vtx_apic_base_write(struct vtx_vcpu *vcpu, u64 data, bool host_initiated);
/* CR8 with an in-kernel local APIC. */
u64 vtx_lapic_cr8(struct vtx_vcpu *vcpu);
void vtx_lapic_set_cr8(struct vtx_vcpu *vcpu, u64 value);

/* ---- buses (irqchip/bus.c): in-kernel devices and ioeventfds. Caller holds vm->srcu. No sleeping.
 * Return 0 handled, -EOPNOTSUPP nobody there. @len 1, 2, 4, 8.
 */
int vtx_bus_write(struct vtx_vcpu *vcpu, int bus, u64 addr, unsigned int len, const void *data);
int vtx_bus_read(struct vtx_vcpu *vcpu, int bus, u64 addr, unsigned int len, void *data);

/* ---- lines */

/**
 * vtx_set_irq() - raise or lower a GSI
 * @source: VTX_IRQ_SOURCE_*; a pin is high as long as one source holds it. Any context; no locks but raw ones are
 * taken. Return: KVM's status: > 0 delivered to so many, 0 coalesced with one that still waits, < 0 masked or nobody
 * there.
 */
int vtx_set_irq(struct vtx_vm *vm, unsigned int source, u32 gsi, int level);

/* ---- ioctls; user memory already copied in. The caller holds nothing unless said. */

int vtx_irq_line(struct vtx_vm *vm, struct kvm_irq_level *irq);	/* fills irq->status; -ENXIO without irqchip */
/* -EINVAL, -ENOMEM. Sleeps until no interrupt goes by the old table any more. */
int vtx_set_gsi_routing(struct vtx_vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr);
/* > 0 delivered, 0 coalesced, -1 nobody took it (user space sees EPERM, as with KVM), -EINVAL. */
int vtx_signal_msi(struct vtx_vm *vm, const struct kvm_msi *msi);
/* -EINVAL, -EBADF, -EBUSY (the VM has an irqfd with this eventfd), -ENOMEM. */
int vtx_irqfd(struct vtx_vm *vm, const struct kvm_irqfd *args);
/* -EINVAL, -EBADF, -EEXIST (another one answers to the same write), -ENOENT (deassign), -ENOSPC, -ENOMEM. */
int vtx_ioeventfd(struct vtx_vm *vm, const struct kvm_ioeventfd *args);
/* The ring of a VM's coalesced writes, for its whole life. -ENOMEM. */
int vtx_coalesced_alloc(struct vtx_vm *vm);
void vtx_coalesced_free(struct vtx_vm *vm);
/* -EINVAL (neither memory nor ports), -ENOSPC, -ENOMEM. No zone to take away is no error. */
int vtx_coalesced_register(struct vtx_vm *vm, const struct kvm_coalesced_mmio_zone *zone);
int vtx_coalesced_unregister(struct vtx_vm *vm, const struct kvm_coalesced_mmio_zone *part);
int vtx_get_irqchip(struct vtx_vm *vm, struct kvm_irqchip *chip); /* -ENXIO without full irqchip, -EINVAL chip_id */
int vtx_set_irqchip(struct vtx_vm *vm, const struct kvm_irqchip *chip);
int vtx_get_pit2(struct vtx_vm *vm, struct kvm_pit_state2 *state); /* -ENXIO without PIT; KVM_GET_PIT: the first part */
int vtx_set_pit2(struct vtx_vm *vm, const struct kvm_pit_state2 *state);
int vtx_reinject_control(struct vtx_vm *vm, const struct kvm_reinject_control *control); /* -ENXIO */
int vtx_get_lapic(struct vtx_vcpu *vcpu, struct kvm_lapic_state *state); /* vCPU loaded; -EINVAL without local APIC */
int vtx_set_lapic(struct vtx_vcpu *vcpu, const struct kvm_lapic_state *state);

#endif /* VTX_IRQCHIP_IRQCHIP_H */
