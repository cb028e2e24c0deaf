// SPDX-License-Identifier: GPL-2.0-only
/*
 * Matching guest writes with ioeventfds: order, collision, search.
 */
#include "compat/pure.h"
#include "irqchip/bus_match.h"

int vtx_bus_event_compare(const struct vtx_bus_event *a, const struct vtx_bus_event *b)
{
	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	if (a->wildcard != b->wildcard)
		return a->wildcard ? -1 : 1;
	if (a->datamatch != b->datamatch)
		return a->datamatch < b->datamatch ? -1 : 1;
	return 0;
}

bool vtx_bus_event_collides(const struct vtx_bus_event *a, const struct vtx_bus_event *b)
{
	if (a->addr != b->addr)
		return false;
	if (!a->len || !b->len)
		return true;
	if (a->len != b->len)
		return false;
	return a->wildcard || b->wildcard || a->datamatch == b->datamatch;
}

static const struct vtx_bus_event *search(const struct vtx_bus_event *events, unsigned int nr,
					  const struct vtx_bus_event *key)
{
	unsigned int low = 0, high = nr, middle;
	int order;

	while (low < high) {
		middle = low + (high - low) / 2;
		order = vtx_bus_event_compare(&events[middle], key);
		if (!order)
			return &events[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

const struct vtx_bus_event *vtx_bus_event_find(const struct vtx_bus_event *events, unsigned int nr, u64 addr,
					       unsigned int len, u64 value)
{
	struct vtx_bus_event key = { .addr = addr, .len = len, .datamatch = value };
	const struct vtx_bus_event *found;

	if (!nr)
		return NULL;
	found = search(events, nr, &key);
	if (found)
		return found;
	key.wildcard = true;
	key.datamatch = 0;
	found = search(events, nr, &key);
	if (found)
		return found;
	key.len = 0;
	return search(events, nr, &key);
}
