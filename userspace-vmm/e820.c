// SPDX-License-Identifier: GPL-2.0-only
/* The guest's memory map. */
#include "userspace-vmm/e820.h"

#include "userspace-vmm/layout.h"

static void vtx_e820_add(struct vtx_e820_range *map, unsigned int *n, uint64_t start, uint64_t end, uint32_t type)
{
	if (start < end && *n < VTX_E820_MAX)
		map[(*n)++] = (struct vtx_e820_range){ .addr = start, .size = end - start, .type = type };
}

unsigned int vtx_e820_build(const struct vtx_ram *ram, struct vtx_e820_range *map)
{
	unsigned int n = 0;

	/* 0xa0000-0xdffff stays out: no RAM that a guest should use, and no device either. */
	vtx_e820_add(map, &n, 0, VTX_EBDA_ADDR, VTX_E820_RAM);
	vtx_e820_add(map, &n, VTX_EBDA_ADDR, 0xa0000, VTX_E820_RESERVED);
	vtx_e820_add(map, &n, VTX_BIOS_ADDR, VTX_HIGH_MEMORY, VTX_E820_RESERVED);
	vtx_e820_add(map, &n, VTX_HIGH_MEMORY, vtx_ram_low_end(ram), VTX_E820_RAM);
	vtx_e820_add(map, &n, VTX_IDENTITY_MAP_ADDR, VTX_FIRMWARE_END, VTX_E820_RESERVED);
	if (ram->count > 1)
		vtx_e820_add(map, &n, ram->regions[1].gpa, ram->regions[1].gpa + ram->regions[1].size, VTX_E820_RAM);
	return n;
}
