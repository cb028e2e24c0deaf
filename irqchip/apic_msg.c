// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt messages: building them from an MSI and from an interrupt command register.
 */
#include "compat/pure.h"
#include "irqchip/apic_msg.h"

void vtx_apic_msg_from_msi(struct vtx_apic_msg *msg, u32 address_lo, u32 address_hi, u32 data, bool wide,
			   bool broadcast_ff)
{
	u32 dest = (address_lo >> 12) & 0xff;

	if (wide)
		dest |= address_hi & 0xffffff00u;
	if (dest == 0xff && broadcast_ff)
		dest = VTX_APIC_BROADCAST;
	*msg = (struct vtx_apic_msg){
		.dest = dest,
		.vector = (u8)data,
		.mode = (data >> 8) & 7,
		.shorthand = VTX_APIC_NO_SHORTHAND,
		.logical = (address_lo >> 2) & 1,
		.level = (data >> 15) & 1,
		.assert = true, /* a level MSI with deassert is meaningless to a local APIC: KVM takes both as assert */
		.redirect = (address_lo >> 3) & 1,
	};
}

void vtx_apic_msg_from_icr(struct vtx_apic_msg *msg, u32 icr_lo, u32 icr_hi, bool x2apic)
{
	u32 dest = x2apic ? icr_hi : icr_hi >> 24;
	bool level = (icr_lo >> 15) & 1;

	if (!x2apic && dest == 0xff)
		dest = VTX_APIC_BROADCAST;
	*msg = (struct vtx_apic_msg){
		.dest = dest,
		.vector = (u8)icr_lo,
		.mode = (icr_lo >> 8) & 7,
		.shorthand = (icr_lo >> 18) & 3,
		.logical = (icr_lo >> 11) & 1,
		/* The trigger bit means something only for the INIT de-assert; everything else is edge. */
		.level = level && ((icr_lo >> 8) & 7) == VTX_APIC_INIT_MODE,
		.assert = (icr_lo >> 14) & 1,
	};
}
