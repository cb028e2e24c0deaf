/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Zones of coalesced writes: which writes fall into one, and where in the ring there is room. Pure logic; see irqchip/coalesced.c.
 */
#ifndef VTX_IRQCHIP_ZONES_H
#define VTX_IRQCHIP_ZONES_H

#include <linux/kvm.h>
#include "compat/pure.h"

#define VTX_RING_FULL (~0u)

/* Does the zone hold all of [@addr, @addr + @len)? Not when that wraps, and never nothing. */
bool vtx_zone_holds(const struct kvm_coalesced_mmio_zone *zone, u64 addr, u64 len);

/**
 * vtx_coalesced_place() - the entry for the next write
 * @first: what user space has taken out so far, which it writes: any value
 * @last: where the next entry goes, which user space can write as well
 * @entries: of the ring; one stays free, so that full and empty differ
 *
 * Return: below @entries, or VTX_RING_FULL: no room, or @last is no entry at all.
 */
u32 vtx_coalesced_place(u32 first, u32 last, u32 entries);

#endif /* VTX_IRQCHIP_ZONES_H */
