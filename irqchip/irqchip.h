/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The in-kernel interrupt controllers as the rest of the module sees them.
 */
#ifndef VTX_IRQCHIP_IRQCHIP_H
#define VTX_IRQCHIP_IRQCHIP_H

#include <linux/types.h>
#include <linux/kvm.h>

struct vtx_vm;
struct vtx_vcpu;

/* ---- life */
int vtx_irqchip_create(struct vtx_vm *vm);	/* KVM_CREATE_IRQCHIP, vm->lock held: -EEXIST, -EINVAL (vCPUs exist), -ENOMEM */
void vtx_irqchip_destroy(struct vtx_vm *vm);	/* last reference gone; also buses, routing, irqfds, ioeventfds */
void vtx_irqchip_release_fds(struct vtx_vm *vm);/* VM fd closed: shut irqfds and ioeventfds down */
int vtx_pit_create(struct vtx_vm *vm, const struct kvm_pit_config *config); /* vm->lock held: -EEXIST, -ENOENT without irqchip as KVM, -EINVAL */
int vtx_lapic_create(struct vtx_vcpu *vcpu);	/* -ENOMEM; only when vtx_has_lapic(vm) */
void vtx_lapic_destroy(struct vtx_vcpu *vcpu);
void vtx_lapic_reset_vcpu(struct vtx_vcpu *vcpu, bool init);

/* ---- interrupts for a vCPU; the vCPU thread, interrupts may be off, no sleeping.
 * vtx_pending_irq: vector that can be delivered now past TPR/PPR, ExtINT of the PIC included (vector of the PIC is only known at
 * acknowledge, so any value 0..255), or -1. vtx_ack_irq: takes it (IRR to ISR, INTA cycle) and returns the vector, or -1. */
int vtx_pending_irq(struct vtx_vcpu *vcpu);
int vtx_ack_irq(struct vtx_vcpu *vcpu);
/* TSC/oneshot timer etc. expired (VTX_REQ_TIMER), in vCPU context. */
void vtx_lapic_timer_expired(struct vtx_vcpu *vcpu);

/* ---- exits. Return true when handled here. In the vCPU thread; interrupts may be off in the lapic ones, no sleeping. */
bool vtx_lapic_mmio(struct vtx_vcpu *vcpu, u64 gpa, unsigned int len, void *data, bool write); /* gpa in the APIC page, not in x2APIC mode */
/* x2APIC MSRs 0x800..0x8ff and MSR_IA32_TSC_DEADLINE. Return 0, or 1 for #GP. */
int vtx_x2apic_msr_read(struct vtx_vcpu *vcpu, u32 msr, u64 *data);
int vtx_x2apic_msr_write(struct vtx_vcpu *vcpu, u32 msr, u64 data);
u64 vtx_tsc_deadline_read(struct vtx_vcpu *vcpu);
void vtx_tsc_deadline_write(struct vtx_vcpu *vcpu, u64 data);
int vtx_apic_base_write(struct vtx_vcpu *vcpu, u64 data, bool host_initiated); /* 0 or 1 (#GP); updates vcpu->apic_base */
u64 vtx_lapic_cr8(struct vtx_vcpu *vcpu);
void vtx_lapic_set_cr8(struct vtx_vcpu *vcpu, u64 value);

/* ---- buses (irqchip/bus.c): in-kernel PIO/MMIO devices and ioeventfds. Caller holds vm->srcu. No sleeping.
 * Return 0 handled, -EOPNOTSUPP nobody there. @len 1,2,4,8. */
int vtx_bus_write(struct vtx_vcpu *vcpu, int bus, u64 addr, unsigned int len, const void *data);
int vtx_bus_read(struct vtx_vcpu *vcpu, int bus, u64 addr, unsigned int len, void *data);

/* ---- lines. Any context (irqfds deliver with interrupts off). Return as KVM's status: >0 delivered, 0 coalesced, <0 ignored/masked. */
int vtx_set_irq(struct vtx_vm *vm, unsigned int source, u32 gsi, int level);

/* ---- ioctls; user pointers already copied in. vm ioctls hold nothing unless said. */
int vtx_irq_line(struct vtx_vm *vm, struct kvm_irq_level *irq);		/* fills irq->status; -ENXIO without irqchip */
int vtx_set_gsi_routing(struct vtx_vm *vm, const struct kvm_irq_routing_entry *entries, u32 nr, u32 flags);
int vtx_signal_msi(struct vtx_vm *vm, const struct kvm_msi *msi);
int vtx_irqfd(struct vtx_vm *vm, const struct kvm_irqfd *args);
int vtx_ioeventfd(struct vtx_vm *vm, const struct kvm_ioeventfd *args);
int vtx_get_irqchip(struct vtx_vm *vm, struct kvm_irqchip *chip);
int vtx_set_irqchip(struct vtx_vm *vm, const struct kvm_irqchip *chip);
int vtx_get_pit2(struct vtx_vm *vm, struct kvm_pit_state2 *state);
int vtx_set_pit2(struct vtx_vm *vm, const struct kvm_pit_state2 *state);
int vtx_reinject_control(struct vtx_vm *vm, const struct kvm_reinject_control *control);
int vtx_get_lapic(struct vtx_vcpu *vcpu, struct kvm_lapic_state *state);	/* vCPU loaded */
int vtx_set_lapic(struct vtx_vcpu *vcpu, const struct kvm_lapic_state *state);

#define VTX_MAX_IRQ_ROUTES 4096
#define VTX_IRQ_SOURCE_USER 0
#define VTX_IRQ_SOURCE_RESAMPLE 1
#define VTX_IRQ_SOURCE_PIT 2

#endif /* VTX_IRQCHIP_IRQCHIP_H */
