// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zones of coalesced writes (zones.h).
 */
#include "compat/pure.h"
#include "irqchip/zones.h"

bool vtx_zone_holds(const struct kvm_coalesced_mmio_zone *zone, u64 addr, u64 len)
{
	u64 into = addr - zone->addr;

	return len && addr >= zone->addr && into < zone->size && len <= zone->size - into && addr + len >= addr;
}

u32 vtx_coalesced_place(u32 first, u32 last, u32 entries)
{
	if (last >= entries || (last + 1) % entries == first)
		return VTX_RING_FULL;
	return last;
}
