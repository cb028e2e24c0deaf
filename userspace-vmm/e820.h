/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory map a guest is told, as e820 entries; PVH's memory map uses the same numbers for the types. */
#ifndef VTX_VMM_E820_H
#define VTX_VMM_E820_H

#include <stdint.h>

#include "userspace-vmm/ram.h"

#define VTX_E820_RAM 1
#define VTX_E820_RESERVED 2
#define VTX_E820_MAX 8

struct vtx_e820_range {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
};

/* Fills MAP (VTX_E820_MAX entries), in ascending order without overlap; returns the number of entries. */
unsigned int vtx_e820_build(const struct vtx_ram *ram, struct vtx_e820_range *map);

#endif
