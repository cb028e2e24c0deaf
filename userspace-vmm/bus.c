// SPDX-License-Identifier: GPL-2.0-only
/* Dispatch of port accesses to devices. */
#include "userspace-vmm/bus.h"

#include <stddef.h>

int vtx_bus_add(struct vtx_bus *bus, const struct vtx_port_range *range)
{
	if (bus->count == VTX_BUS_MAX_RANGES || range->count == 0 || range->first + range->count > 0x10000)
		return -1;
	bus->ranges[bus->count++] = *range;
	return 0;
}

static struct vtx_port_range *vtx_bus_find(struct vtx_bus *bus, uint16_t port, unsigned int size)
{
	for (unsigned int i = 0; i < bus->count; i++) {
		struct vtx_port_range *r = &bus->ranges[i];

		if (port >= r->first && port + size <= (unsigned int)r->first + r->count && size <= r->max_size)
			return r;
	}
	return NULL;
}

static uint32_t vtx_bus_read_one(struct vtx_bus *bus, uint16_t port)
{
	struct vtx_port_range *r = vtx_bus_find(bus, port, 1);

	if (r)
		return r->read(r->device, port, 1) & 0xff;
	if (bus->unclaimed)
		bus->unclaimed(port, false, 0xff);
	return 0xff;
}

static void vtx_bus_write_one(struct vtx_bus *bus, uint16_t port, uint8_t value)
{
	struct vtx_port_range *r = vtx_bus_find(bus, port, 1);

	if (r)
		r->write(r->device, port, 1, value);
	else if (bus->unclaimed)
		bus->unclaimed(port, true, value);
}

uint32_t vtx_bus_read(struct vtx_bus *bus, uint16_t port, unsigned int size)
{
	struct vtx_port_range *r = size > 1 ? vtx_bus_find(bus, port, size) : NULL;
	uint32_t value = 0;

	if (r)
		return r->read(r->device, port, size);
	for (unsigned int i = 0; i < size; i++)
		value |= vtx_bus_read_one(bus, (uint16_t)(port + i)) << (8 * i);
	return value;
}

void vtx_bus_write(struct vtx_bus *bus, uint16_t port, unsigned int size, uint32_t value)
{
	struct vtx_port_range *r = size > 1 ? vtx_bus_find(bus, port, size) : NULL;

	if (r) {
		r->write(r->device, port, size, value);
		return;
	}
	for (unsigned int i = 0; i < size; i++)
		vtx_bus_write_one(bus, (uint16_t)(port + i), (uint8_t)(value >> (8 * i)));
}
