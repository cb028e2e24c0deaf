/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The port I/O bus: who answers which port.  Ranges are registered before the guest starts and never change, so
 * that dispatch takes no lock; each device locks itself.
 *
 * An access goes to the first range that covers it whole and allows its size.  Where there is none it is split
 * into bytes, as the ISA bus does; a byte nobody claims reads as all ones, and writes to it are dropped.
 */
#ifndef VTX_VMM_BUS_H
#define VTX_VMM_BUS_H

#include <stdbool.h>
#include <stdint.h>

#define VTX_BUS_MAX_RANGES 24

struct vtx_port_range {
	uint16_t first;
	uint16_t count;
	uint8_t max_size; /* 1, 2 or 4 bytes in one access */
	void *device;
	/* PORT is absolute.  The value sits in the low SIZE bytes. */
	uint32_t (*read)(void *device, uint16_t port, unsigned int size);
	void (*write)(void *device, uint16_t port, unsigned int size, uint32_t value);
};

struct vtx_bus {
	unsigned int count;
	struct vtx_port_range ranges[VTX_BUS_MAX_RANGES];
	/* Called for every byte that nobody claims; may be NULL. */
	void (*unclaimed)(uint16_t port, bool is_write, uint8_t value);
};

/* Returns 0, or -1 when the table is full or the range is empty or wraps. */
int vtx_bus_add(struct vtx_bus *bus, const struct vtx_port_range *range);

/* SIZE is 1, 2 or 4.  Ports wrap at 64 KiB. */
uint32_t vtx_bus_read(struct vtx_bus *bus, uint16_t port, unsigned int size);
void vtx_bus_write(struct vtx_bus *bus, uint16_t port, unsigned int size, uint32_t value);

#endif
