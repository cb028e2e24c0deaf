// SPDX-License-Identifier: GPL-2.0-only
/*
 * IOAPIC: index and data register, redirection entries, edge and level pins, EOI.
 */
#include "compat/pure.h"
#include "irqchip/ioapic.h"

#define REG_SELECT 0x00
#define REG_WINDOW 0x10

#define INDEX_ID 0x00
#define INDEX_VERSION 0x01
#define INDEX_ARBITRATION 0x02
#define INDEX_ENTRIES 0x10

#define ENTRY_READ_ONLY (VTX_IOAPIC_STATUS | VTX_IOAPIC_REMOTE_IRR)
#define ENTRY_DEFINED (0xff00000000000000ull | 0x1ffffull)
#define ENTRY_WRITABLE (ENTRY_DEFINED & ~ENTRY_READ_ONLY)

void vtx_ioapic_reset(struct vtx_ioapic *io)
{
	unsigned int pin;

	memset(io, 0, sizeof(*io));
	io->base = VTX_IOAPIC_BASE;
	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++)
		io->entry[pin] = VTX_IOAPIC_MASKED;
}

static u32 read_indexed(const struct vtx_ioapic *io)
{
	unsigned int index = io->select, half;
	u64 entry;

	switch (index) {
	case INDEX_ID:
	case INDEX_ARBITRATION:
		return (u32)io->id << 24;
	case INDEX_VERSION:
		return 0x11 | ((VTX_IOAPIC_PINS - 1) << 16);
	}
	if (index < INDEX_ENTRIES || index >= INDEX_ENTRIES + 2 * VTX_IOAPIC_PINS)
		return 0xffffffff;
	half = index & 1;
	entry = io->entry[((index - INDEX_ENTRIES) / 2) & 31]; /* bounded above; masked against misprediction */
	return half ? entry >> 32 : (u32)entry;
}

u64 vtx_ioapic_read(const struct vtx_ioapic *io, u32 offset, unsigned int len)
{
	u64 value = 0;

	if (offset == REG_SELECT)
		value = io->select;
	else if (offset == REG_WINDOW)
		value = read_indexed(io);
	return len < 8 ? value & ((1ull << (8 * len)) - 1) : value;
}

static unsigned int write_entry(struct vtx_ioapic *io, unsigned int pin, unsigned int high, u32 value)
{
	u64 mask = high ? 0xffffffff00000000ull : 0xffffffffull;
	u64 bits = high ? (u64)value << 32 : value;
	u64 *entry = &io->entry[pin];

	mask &= ENTRY_WRITABLE;
	*entry = (*entry & ~mask) | (bits & mask);
	/*
	 * Going through edge mode clears Remote IRR. Operating systems use it as an EOI on IOAPICs that, like this
	 * one, have no EOI register.
	 */
	if (!(*entry & VTX_IOAPIC_LEVEL))
		*entry &= ~VTX_IOAPIC_REMOTE_IRR;
	return pin;
}

unsigned int vtx_ioapic_write(struct vtx_ioapic *io, u32 offset, unsigned int len, u64 value)
{
	unsigned int index = io->select;

	if (len < 4)
		value &= (1ull << (8 * len)) - 1;
	if (offset == REG_SELECT) {
		io->select = (u8)value;
		return VTX_IOAPIC_NO_PIN;
	}
	if (offset != REG_WINDOW)
		return VTX_IOAPIC_NO_PIN;
	if (index == INDEX_ID)
		io->id = (value >> 24) & 0xf;
	if (index < INDEX_ENTRIES || index >= INDEX_ENTRIES + 2 * VTX_IOAPIC_PINS)
		return VTX_IOAPIC_NO_PIN;
	return write_entry(io, ((index - INDEX_ENTRIES) / 2) & 31, index & 1, (u32)value);
}

static void make_msg(const struct vtx_ioapic *io, unsigned int pin, struct vtx_apic_msg *msg)
{
	u64 entry = io->entry[pin];
	u32 dest = entry >> 56;

	*msg = (struct vtx_apic_msg){
		.dest = dest == 0xff ? VTX_APIC_BROADCAST : dest,
		.vector = (u8)entry,
		.mode = (entry >> 8) & 7,
		.logical = (entry >> 11) & 1,
		.level = !!(entry & VTX_IOAPIC_LEVEL),
		.assert = true,
	};
}

bool vtx_ioapic_fire(struct vtx_ioapic *io, unsigned int pin, struct vtx_apic_msg *msg)
{
	u64 entry = io->entry[pin];

	if ((entry & (VTX_IOAPIC_MASKED | VTX_IOAPIC_REMOTE_IRR)) || !(entry & VTX_IOAPIC_LEVEL) ||
	    !(io->irr & (1u << pin)))
		return false;
	make_msg(io, pin, msg);
	return true;
}

int vtx_ioapic_set_line(struct vtx_ioapic *io, unsigned int pin, unsigned int source, bool level,
			struct vtx_apic_msg *msg, bool *send)
{
	u32 bit = 1u << pin;
	u64 entry = io->entry[pin];
	bool was = io->irr & bit;

	*send = false;
	if (level)
		io->sources[pin] |= 1u << source;
	else
		io->sources[pin] &= ~(1u << source);
	if (!io->sources[pin]) {
		io->irr &= ~bit;
		io->repeats[pin] = 0;
		return 1;
	}
	io->irr |= bit;
	if (!level) /* lowered by this source, but another one holds it */
		return 1;
	if (!(entry & VTX_IOAPIC_LEVEL) && was)
		return 0;
	if (entry & VTX_IOAPIC_MASKED)
		return -1;
	if ((entry & VTX_IOAPIC_LEVEL) && (entry & VTX_IOAPIC_REMOTE_IRR))
		return 0;
	make_msg(io, pin, msg);
	*send = true;
	return 1;
}

bool vtx_ioapic_storms(struct vtx_ioapic *io, unsigned int pin)
{
	if (io->repeats[pin] == VTX_IOAPIC_STORM)
		return true;
	io->repeats[pin]++;
	return false;
}

void vtx_ioapic_sent(struct vtx_ioapic *io, unsigned int pin)
{
	if (io->entry[pin] & VTX_IOAPIC_LEVEL)
		io->entry[pin] |= VTX_IOAPIC_REMOTE_IRR;
}

u32 vtx_ioapic_eoi(struct vtx_ioapic *io, u8 vector)
{
	unsigned int pin;
	u32 pins = 0;

	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++) {
		u64 entry = io->entry[pin];

		if ((u8)entry != vector)
			continue;
		if ((entry & VTX_IOAPIC_LEVEL) && !(entry & VTX_IOAPIC_REMOTE_IRR))
			continue;
		io->entry[pin] &= ~VTX_IOAPIC_REMOTE_IRR;
		pins |= 1u << pin;
	}
	return pins;
}

void vtx_ioapic_vectors(const struct vtx_ioapic *io, u32 pins, u32 vectors[8])
{
	unsigned int pin;

	memset(vectors, 0, 8 * sizeof(vectors[0]));
	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++) {
		u8 vector = (u8)io->entry[pin];

		if (pins & (1u << pin))
			vectors[vector / 32] |= 1u << (vector & 31);
	}
}

void vtx_ioapic_get_state(const struct vtx_ioapic *io, struct kvm_ioapic_state *state)
{
	unsigned int pin;

	memset(state, 0, sizeof(*state));
	state->base_address = io->base;
	state->ioregsel = io->select;
	state->id = io->id;
	state->irr = io->irr;
	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++)
		state->redirtbl[pin].bits = io->entry[pin];
}

void vtx_ioapic_set_state(struct vtx_ioapic *io, const struct kvm_ioapic_state *state)
{
	unsigned int pin;

	io->base = state->base_address;
	io->select = (u8)state->ioregsel;
	io->id = state->id & 0xf;
	io->irr = state->irr & ((1u << VTX_IOAPIC_PINS) - 1);
	for (pin = 0; pin < VTX_IOAPIC_PINS; pin++) {
		u64 entry = state->redirtbl[pin].bits & ENTRY_DEFINED & ~VTX_IOAPIC_STATUS;

		if (!(entry & VTX_IOAPIC_LEVEL))
			entry &= ~VTX_IOAPIC_REMOTE_IRR;
		io->entry[pin] = entry;
	}
}
