/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt messages: what travels between IOAPICs, MSIs, IPIs and local APICs.
 *
 * Whoever sends an interrupt describes it by a struct vtx_apic_msg; which local APICs take it is decided by
 * vtx_lapic_match().  Pure logic (compat/pure.h).
 */
#ifndef VTX_IRQCHIP_APIC_MSG_H
#define VTX_IRQCHIP_APIC_MSG_H

#include "compat/pure.h"

/* Delivery modes, as bits 10:8 of ICR, LVT, IOAPIC entry and MSI data carry them (SDM vol. 3, 11.6.1). */
enum vtx_apic_mode {
	VTX_APIC_FIXED = 0,
	VTX_APIC_LOWEST = 1,
	VTX_APIC_SMI = 2,
	VTX_APIC_RESERVED = 3,
	VTX_APIC_NMI = 4,
	VTX_APIC_INIT_MODE = 5,
	VTX_APIC_STARTUP = 6,
	VTX_APIC_EXTINT = 7,
};

/* Destination shorthands, ICR bits 19:18. */
enum vtx_apic_shorthand {
	VTX_APIC_NO_SHORTHAND,
	VTX_APIC_SELF,
	VTX_APIC_ALL,
	VTX_APIC_ALL_BUT_SELF,
};

/*
 * The one broadcast destination. Senders with an 8-bit destination field turn 0xff into this when they build the
 * message, so that a receiver in x2APIC mode, where 0xff is an ordinary id, knows what was meant.
 */
#define VTX_APIC_BROADCAST 0xffffffffu

struct vtx_apic_msg {
	u32 dest;	/* physical: APIC id; logical: message destination address */
	u8 vector;
	u8 mode;	/* enum vtx_apic_mode */
	u8 shorthand;	/* enum vtx_apic_shorthand; only IPIs have one */
	bool logical;
	bool level;	/* trigger mode */
	bool assert;
	bool redirect;	/* MSI redirection hint: deliver to one APIC, as lowest priority does */
};

/* Is the message meant for one of the addressed APICs only? */
static inline bool vtx_apic_msg_one_of(const struct vtx_apic_msg *msg)
{
	return msg->mode == VTX_APIC_LOWEST || msg->redirect;
}

/**
 * vtx_apic_msg_from_msi() - decode an MSI (SDM vol. 3, 11.11)
 * @address_lo: low half of the address; bits 19:12 are the destination, 3 the redirection hint, 2 the mode
 * @address_hi: high half; with @wide its bits 31:8 are bits 31:8 of the destination
 * @data: vector, delivery mode, level, trigger mode
 * @wide: the VM uses 32-bit destinations (KVM_X2APIC_API_USE_32BIT_IDS)
 * @broadcast_ff: destination 0xff addresses everybody (KVM's default; off with
 * KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
 */
void vtx_apic_msg_from_msi(struct vtx_apic_msg *msg, u32 address_lo, u32 address_hi, u32 data, bool wide,
			   bool broadcast_ff);

/**
 * vtx_apic_msg_from_icr() - decode an interrupt command (SDM vol. 3, 11.6.1)
 * @x2apic: @icr_hi is the whole 32-bit destination; otherwise its bits 31:24 are
 */
void vtx_apic_msg_from_icr(struct vtx_apic_msg *msg, u32 icr_lo, u32 icr_hi, bool x2apic);

#endif /* VTX_IRQCHIP_APIC_MSG_H */
