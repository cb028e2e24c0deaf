/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 8254 programmable interval timer as a pure state machine: three counters computed from the time in ns.
 *
 * Nothing ticks: a counter is its reload value and the moment it was loaded.  The caller serialises all calls, passes
 * the time, and asks for the next rising edge of counter 0's output, which is IRQ 0.
 */
#ifndef VTX_IRQCHIP_PIT_H
#define VTX_IRQCHIP_PIT_H

#include "compat/pure.h"
#include <linux/kvm.h>

#define VTX_PIT_HZ 1193182u
#define VTX_PIT_CHANNELS 3

struct vtx_pit_channel {
	struct kvm_pit_channel_state s;
	bool counting;		/* a count was loaded (and, in modes 1 and 5, triggered) since the mode was set */
	bool paused;		/* gate low in a mode that counts only while it is high */
	u64 paused_ticks;	/* ticks counted when paused */
};

struct vtx_pit {
	struct vtx_pit_channel ch[VTX_PIT_CHANNELS];
	u32 flags;		/* KVM_PIT_FLAGS_HPET_LEGACY: counter 0 interrupts nobody */
	bool speaker_on;
};

void vtx_pit_reset(struct vtx_pit *pit, u64 now_ns);

/* Ports 0x40..0x43 as @index 0..3. Port 0x43 cannot be read: 0. */
u8 vtx_pit_read(struct vtx_pit *pit, unsigned int index, u64 now_ns);
void vtx_pit_write(struct vtx_pit *pit, unsigned int index, u8 value, u64 now_ns);

/* Port 0x61: speaker, gate and output of counter 2, refresh toggle. */
u8 vtx_pit_speaker_read(struct vtx_pit *pit, u64 now_ns);
void vtx_pit_speaker_write(struct vtx_pit *pit, u8 value, u64 now_ns);

/* Level of a counter's output pin. */
bool vtx_pit_output(const struct vtx_pit *pit, unsigned int channel, u64 now_ns);

/* Current count as the chip shows it (BCD in BCD mode). */
u16 vtx_pit_count(const struct vtx_pit *pit, unsigned int channel, u64 now_ns);

/* When the first rising edge of counter 0's output after @after_ns comes, in ns; 0 if none is to come. */
u64 vtx_pit_next_edge(const struct vtx_pit *pit, u64 after_ns);

/* How far apart they are when counter 0 is periodic, in ns; 0 when it is not. */
u64 vtx_pit_period_ns(const struct vtx_pit *pit);

/* How many rising edges of counter 0's output lie in (@from_ns, @to_ns]. */
u64 vtx_pit_edges(const struct vtx_pit *pit, u64 from_ns, u64 to_ns);

/* KVM_GET_PIT2, KVM_SET_PIT2. Counter 0 starts a new round at @now_ns, as in KVM. Any state is brought into order. */
void vtx_pit_get_state(const struct vtx_pit *pit, struct kvm_pit_state2 *state);
void vtx_pit_set_state(struct vtx_pit *pit, const struct kvm_pit_state2 *state, u64 now_ns);

#endif /* VTX_IRQCHIP_PIT_H */
