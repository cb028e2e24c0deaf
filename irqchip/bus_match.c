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

/* The first of them that does not come before @key. */
static unsigned int lower_bound(const struct vtx_bus_event *events, unsigned int nr, const struct vtx_bus_event *key)
{
	unsigned int low = 0, high = nr, middle;

	while (low < high) {
		middle = low + (high - low) / 2;
		if (vtx_bus_event_compare(&events[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool same_place(const struct vtx_bus_event *e, u64 addr, unsigned int len)
{
	return e->addr == addr && e->len == len;
}

/*
 * At one address those of any length come first, then by length, of each length the one that takes any value; what collides
 * cannot be there together.
 */
const struct vtx_bus_event *vtx_bus_event_find(const struct vtx_bus_event *events, unsigned int nr, u64 addr,
					       unsigned int len, u64 value)
{
	struct vtx_bus_event key = { .addr = addr, .len = len, .wildcard = true };
	unsigned int at;

	/* Most writes of a guest are nowhere near one. */
	if (!nr || addr < events[0].addr || addr > events[nr - 1].addr)
		return NULL;
	at = lower_bound(events, nr, &key);
	if (at && same_place(&events[at - 1], addr, 0))
		return &events[at - 1];
	if (at == nr || !same_place(&events[at], addr, len))
		return NULL;
	if (events[at].wildcard || events[at].datamatch == value)
		return &events[at];
	key.wildcard = false;
	key.datamatch = value;
	at += lower_bound(events + at, nr - at, &key);
	return at < nr && same_place(&events[at], addr, len) && events[at].datamatch == value ? &events[at] : NULL;
}
