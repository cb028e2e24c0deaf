/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IOAPIC as a pure state machine (Intel 82093AA datasheet): 24 pins, no EOI register, version 0x11.
 *
 * The caller serialises all calls for one IOAPIC and delivers the messages that come out.  A pin can be driven by
 * several sources (user space, PIT, resampling irqfds); its level is their OR.
 */
#ifndef VTX_IRQCHIP_IOAPIC_H
#define VTX_IRQCHIP_IOAPIC_H

#include "compat/pure.h"
#include <linux/kvm.h>
#include "irqchip/apic_msg.h"

#define VTX_IOAPIC_PINS KVM_IOAPIC_NUM_PINS
#define VTX_IOAPIC_BASE 0xfec00000ull
#define VTX_IOAPIC_SIZE 0x100u
#define VTX_IOAPIC_NO_PIN VTX_IOAPIC_PINS
/* So often a pin sends again at once after its EOI, without its level having been low; then see vtx_ioapic_storms(). */
#define VTX_IOAPIC_STORM 100

/* Bits of a redirection entry. */
#define VTX_IOAPIC_STATUS BIT_ULL(12)
#define VTX_IOAPIC_REMOTE_IRR BIT_ULL(14)
#define VTX_IOAPIC_LEVEL BIT_ULL(15)
#define VTX_IOAPIC_MASKED BIT_ULL(16)

struct vtx_ioapic {
	u8 select;			/* IOREGSEL */
	u8 id;				/* 4 bits */
	u32 irr;			/* pin p is asserted: bit p */
	u64 base;			/* what user space set; the address decoded is always VTX_IOAPIC_BASE */
	u64 entry[VTX_IOAPIC_PINS];
	u8 sources[VTX_IOAPIC_PINS];	/* bit per source that asserts the pin */
	u8 repeats[VTX_IOAPIC_PINS];	/* EOIs since the pin was last low, up to VTX_IOAPIC_STORM */
};

void vtx_ioapic_reset(struct vtx_ioapic *io);

/* @offset: from VTX_IOAPIC_BASE. Sizes other than 4 read and write the low bytes. Undefined registers read as ones. */
u64 vtx_ioapic_read(const struct vtx_ioapic *io, u32 offset, unsigned int len);

/**
 * vtx_ioapic_write() - write IOREGSEL or the selected register
 * Return: the pin whose entry was written and which the caller offers to vtx_ioapic_fire(), else VTX_IOAPIC_NO_PIN.
 */
unsigned int vtx_ioapic_write(struct vtx_ioapic *io, u32 offset, unsigned int len, u64 value);

/**
 * vtx_ioapic_set_line() - a source raises or lowers a pin
 * @pin: below VTX_IOAPIC_PINS; @source: 0..7
 * Return: 1 with *send true: @msg is to be delivered, then vtx_ioapic_sent() called; 1 with *send false: the line was
 * lowered; 0: coalesced (no new edge, or the level interrupt is still in service); -1: masked.
 */
int vtx_ioapic_set_line(struct vtx_ioapic *io, unsigned int pin, unsigned int source, bool level,
			struct vtx_apic_msg *msg, bool *send);

/* Should the pin send now (level-triggered, asserted, not masked, not in service)? Fills @msg. */
bool vtx_ioapic_fire(struct vtx_ioapic *io, unsigned int pin, struct vtx_apic_msg *msg);

/**
 * vtx_ioapic_storms() - should the pin's next message after an EOI be late? Real hardware needs a moment from the EOI
 * to the next interrupt of a level that nobody lowers, in which the interrupted program gets on a little.  Here the
 * message would come before its next instruction, for ever.  So after VTX_IOAPIC_STORM repetitions the caller waits a
 * moment before it offers the pin to vtx_ioapic_fire().  To be called once per EOI of an asserted level-triggered
 * pin.
 */
bool vtx_ioapic_storms(struct vtx_ioapic *io, unsigned int pin);

/* A message of this pin was accepted by at least one APIC: a level-triggered pin waits for its EOI from now on. */
void vtx_ioapic_sent(struct vtx_ioapic *io, unsigned int pin);

/**
 * vtx_ioapic_eoi() - EOI broadcast Return: the pins (bit per pin) with this vector that were in service, plus the
 * edge-triggered ones with it. The caller tells whoever waits for the acknowledge, and then offers each pin to
 * vtx_ioapic_fire().
 */
u32 vtx_ioapic_eoi(struct vtx_ioapic *io, u8 vector);

/* Vectors of all entries whose pin is in @pins: bit per vector in @vectors[8]. */
void vtx_ioapic_vectors(const struct vtx_ioapic *io, u32 pins, u32 vectors[8]);

/* KVM_GET_IRQCHIP, KVM_SET_IRQCHIP. After set, the caller offers every pin to vtx_ioapic_fire(). */
void vtx_ioapic_get_state(const struct vtx_ioapic *io, struct kvm_ioapic_state *state);
void vtx_ioapic_set_state(struct vtx_ioapic *io, const struct kvm_ioapic_state *state);

#endif /* VTX_IRQCHIP_IOAPIC_H */
