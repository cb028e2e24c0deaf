/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which ioeventfd does a guest write hit?  Pure logic on a sorted array; see irqchip/bus.c.
 */
#ifndef VTX_IRQCHIP_BUS_MATCH_H
#define VTX_IRQCHIP_BUS_MATCH_H

#include "compat/pure.h"

struct vtx_bus_event {
	u64 addr;
	u64 datamatch;	/* 0 with wildcard */
	u8 len;		/* 0 (any length), 1, 2, 4, 8 */
	bool wildcard;	/* any value */
	void *cookie;	/* whom to tell: struct eventfd_ctx in the kernel */
};

/* Sort order of the array: address, length, wildcard before a value, value. */
int vtx_bus_event_compare(const struct vtx_bus_event *a, const struct vtx_bus_event *b);

/* Would both answer to one and the same write? Then they must not both be there. */
bool vtx_bus_event_collides(const struct vtx_bus_event *a, const struct vtx_bus_event *b);

/**
 * vtx_bus_event_find() - the event for a write, or NULL
 * @events: sorted, without collisions. At most two binary searches.
 */
const struct vtx_bus_event *vtx_bus_event_find(const struct vtx_bus_event *events, unsigned int nr, u64 addr,
					       unsigned int len, u64 value);

#endif /* VTX_IRQCHIP_BUS_MATCH_H */
