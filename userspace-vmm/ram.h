/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest RAM: at most two regions, below the hole at 3.25 GiB and above 4 GiB, backed by one private anonymous
 * mapping.  Every access by guest-physical address goes through vtx_ram_at(), which checks the bounds.
 */
#ifndef VTX_VMM_RAM_H
#define VTX_VMM_RAM_H

#include <stddef.h>
#include <stdint.h>

#include "userspace-vmm/message.h"

struct vtx_ram_region {
	uint64_t gpa;
	uint64_t size;
	uint8_t *hva;
};

struct vtx_ram {
	uint64_t size; /* bytes, all regions together */
	unsigned int count;
	struct vtx_ram_region regions[2];
	void *mapping;
	size_t mapping_size;
};

/* Fills in the regions (without memory behind them) for SIZE bytes. */
void vtx_ram_layout(struct vtx_ram *ram, uint64_t size);

/* Maps memory for a layout.  Returns 0, or -1 with ERROR filled. */
int vtx_ram_map(struct vtx_ram *ram, struct vtx_error *error);
void vtx_ram_unmap(struct vtx_ram *ram);

/* The host address of LEN bytes at GPA; NULL unless all of them lie in one region. */
void *vtx_ram_at(const struct vtx_ram *ram, uint64_t gpa, uint64_t len);

/* First address after the RAM below the hole. */
uint64_t vtx_ram_low_end(const struct vtx_ram *ram);

/*
 * Finds a page-aligned place for SIZE bytes as high as possible in low RAM, at or above FLOOR and ending at or
 * below CEILING.  Returns 0 and *GPA, or -1 where there is none.
 */
int vtx_ram_place_high(const struct vtx_ram *ram, uint64_t size, uint64_t floor, uint64_t ceiling, uint64_t *gpa);

#endif
