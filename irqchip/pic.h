/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pair of 8259A interrupt controllers with the edge/level registers of the PIIX, as a pure state machine.
 *
 * The caller serialises all calls for one pair, and looks at vtx_pic_output() after each.  Lines are 0..15; line 2 of
 * the master is the cascade and follows the slave.  A line can be driven by several sources; its level is their OR.
 */
#ifndef VTX_IRQCHIP_PIC_H
#define VTX_IRQCHIP_PIC_H

#include "compat/pure.h"
#include <linux/kvm.h>

#define VTX_PIC_LINES 16

struct vtx_pic {
	struct kvm_pic_state chip[2];	/* master, slave */
	u8 sources[VTX_PIC_LINES];	/* bit per source that asserts the line */
	u16 ended;			/* lines whose service ended since vtx_pic_take_ended() */
};

void vtx_pic_reset(struct vtx_pic *pic);

/**
 * vtx_pic_set_line() - a source raises or lowers a line
 * @line: 0..15; @source: 0..7
 * Return: 1 delivered to the request register (or lowered), 0 coalesced with one that waits, -1 masked.
 */
int vtx_pic_set_line(struct vtx_pic *pic, unsigned int line, unsigned int source, bool level);

/* Is INTR asserted? */
bool vtx_pic_output(const struct vtx_pic *pic);

/* The INTA cycle. Return: the vector; without a request, the spurious one (IR7 of the chip concerned). */
u8 vtx_pic_ack(struct vtx_pic *pic);

/* Ports 0x20, 0x21, 0xa0, 0xa1 and the ELCRs 0x4d0, 0x4d1. @port is one of these. */
void vtx_pic_write(struct vtx_pic *pic, u16 port, u8 value);
u8 vtx_pic_read(struct vtx_pic *pic, u16 port);

/* Lines whose service ended (EOI, automatic EOI, initialisation) since the last call: bit per line. */
u16 vtx_pic_take_ended(struct vtx_pic *pic);

/* KVM_GET_IRQCHIP, KVM_SET_IRQCHIP. @index: 0 master, 1 slave. */
void vtx_pic_get_state(const struct vtx_pic *pic, unsigned int index, struct kvm_pic_state *state);
void vtx_pic_set_state(struct vtx_pic *pic, unsigned int index, const struct kvm_pic_state *state);

#endif /* VTX_IRQCHIP_PIC_H */
