/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel glue of the interrupt controllers shares among its own files.
 *
 * Locks, outermost first (within vmx/vm.h's order):
 *
 *   vm->irq_lock (mutex)   irqfds and the routing table are changed under it
 *   eventfd's wqh.lock     held by the kernel around our irqfd wake-up, interrupts off
 *   ioapic_lock            raw; a message is delivered under it, so that Remote IRR and the message agree
 *   pic_lock               raw
 *   pit->lock              raw
 *   timer_lock             raw; one per local APIC
 *
 * ioapic_lock, pic_lock, pit->lock and timer_lock are never held together, taken with interrupts off, and nothing is
 * signalled to user space under them: an EOI collects what ended, drops its lock, and then tells the resamplers.
 * vtx_vcpu_kick() takes scheduler locks only, which never call back here.
 */
#ifndef VTX_IRQCHIP_KERNEL_H
#define VTX_IRQCHIP_KERNEL_H

#include <linux/rculist.h>
#include "irqchip/bus_match.h"
#include "irqchip/ioapic.h"
#include "irqchip/irqchip.h"
#include "irqchip/pic.h"
#include "irqchip/pit.h"
#include "irqchip/routes.h"

struct vtx_pit_kernel;

struct vtx_irqchip {
	struct vtx_vm *vm;		/* constant */
	raw_spinlock_t pic_lock;
	struct vtx_pic pic;		/* pic_lock */
	bool pic_output;		/* written under pic_lock, read by vCPUs without */

	raw_spinlock_t ioapic_lock;
	struct vtx_ioapic ioapic;	/* ioapic_lock */
	u32 pit_pins;			/* ioapic_lock: pins that GSI 0 goes to */
	u32 watched_pins;		/* ioapic_lock: these, and those of resampling irqfds */
	u32 late_pins;			/* ioapic_lock: pins that late_timer offers again */
	struct hrtimer late_timer;
	u32 watched[8];			/* their vectors: EOIs that count even when edge-triggered */

	struct vtx_pit_kernel *pit;	/* vm->lock, smp_store_release */
	u32 split_pins;			/* constant: GSIs that are user space's IOAPIC */
	struct list_head resamplers;	/* vm->irq_lock, read under RCU */
	unsigned int turn;		/* lowest priority: where to look first; a race only shifts the turn */
};

struct vtx_routing {
	struct vtx_route_table table;
	u32 memory[];
};

/* ---- lapic_kernel.c */

/**
 * vtx_apic_deliver() - hand a message to the local APICs it is for
 * @sender: the vCPU whose thread we are in the exit path of, NULL otherwise; it needs no kick. Any context.
 * Return: number of APICs in which it became pending; 0 if it was pending already; -1 nobody took it.
 */
int vtx_apic_deliver(struct vtx_vm *vm, struct vtx_vcpu *sender, const struct vtx_apic_msg *msg);

/* The shortest period of timers, in ns: module parameter min_timer_period_us. */
u32 vtx_min_timer_period_ns(void);

/* ---- kernel.c: lines of the chips; status as vtx_set_irq(). Any context. */
int vtx_pic_line(struct vtx_vm *vm, unsigned int line, unsigned int source, bool level);
int vtx_ioapic_line(struct vtx_vm *vm, unsigned int pin, unsigned int source, bool level);
void vtx_ioapic_broadcast_eoi(struct vtx_vm *vm, u8 vector);
int vtx_pic_inta(struct vtx_vm *vm);	/* vector, or -1 when INTR is not asserted (any more) */
void vtx_ioapic_watch(struct vtx_vm *vm, u32 pit_pins, u32 all_pins);
void vtx_irqchip_stop(struct vtx_vm *vm); /* no more interrupts by timers; no vCPU runs that could start one again */

/* ---- routing.c */
int vtx_routing_init(struct vtx_vm *vm, bool chips);	/* first table, nobody else can see the VM's irqchip yet */
void vtx_routing_destroy(struct vtx_vm *vm);
void vtx_routing_watch(struct vtx_vm *vm);	/* routes or resamplers changed; irq_lock held */

/* ---- irqfd.c */
int vtx_irqfd_init(void);		/* once per VM with irqchip: the work queue for hang-ups is there */
void vtx_irqfd_exit(void);
u32 vtx_irqfd_pins(struct vtx_vm *vm, const struct vtx_route_table *table); /* of all resampling irqfds; irq_lock held */
/* Service of these PIC lines and IOAPIC pins ended: resampling irqfds lower their line and signal. No locks held. */
void vtx_irqfd_ended(struct vtx_vm *vm, u16 lines, u32 pins);

/* ---- ioeventfd.c */
void vtx_ioeventfd_destroy(struct vtx_vm *vm);

/* ---- pit_kernel.c */
void vtx_pit_stop(struct vtx_vm *vm);
void vtx_pit_destroy(struct vtx_vm *vm);
void vtx_pit_ended(struct vtx_vm *vm);	/* IRQ 0 was finished by the guest */

/* ---- bus.c */
struct vtx_bus_ops {
	/* @addr is absolute; the access may begin or end outside the device's range. */
	void (*read)(struct vtx_vm *vm, u64 addr, unsigned int len, u8 *data);
	void (*write)(struct vtx_vm *vm, u64 addr, unsigned int len, const u8 *data);
};

struct vtx_bus_device {
	int bus;
	unsigned int len;
	u64 addr;
	const struct vtx_bus_ops *ops;
};

/* Adds all or none; they stay as long as the VM. Takes vm->slots_lock. -ENOMEM, -ENOSPC. */
int vtx_bus_add_devices(struct vtx_vm *vm, const struct vtx_bus_device *devices, unsigned int nr);
/* These want vm->slots_lock held, and sleep until no reader can see the old state. */
int vtx_bus_add_event(struct vtx_vm *vm, int bus, const struct vtx_bus_event *event); /* -EEXIST, -ENOSPC, -ENOMEM */
int vtx_bus_remove_event(struct vtx_vm *vm, int bus, const struct vtx_bus_event *event); /* -ENOENT, -ENOMEM */
void vtx_bus_destroy(struct vtx_vm *vm);

/* ---- coalesced.c */
/* A write that no device took: does it wait in the ring now? vm->srcu is held. */
bool vtx_coalesce(struct vtx_vm *vm, int bus, u64 addr, unsigned int len, const void *data);

/* An eventfd that could not be had: the reason of KVM_IRQFD or KVM_IOEVENTFD with @fd at @offset of its argument. Returns @err. */
int vtx_refuse_eventfd(int err, u32 offset, u32 fd);

#endif /* VTX_IRQCHIP_KERNEL_H */
