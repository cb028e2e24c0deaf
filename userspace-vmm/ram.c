// SPDX-License-Identifier: GPL-2.0-only
/* Guest RAM: layout around the hole, the mapping behind it, checked access. */
#define _GNU_SOURCE
#include "userspace-vmm/ram.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "userspace-vmm/layout.h"

#define VTX_HUGE_PAGE (2ULL << 20)

void vtx_ram_layout(struct vtx_ram *ram, uint64_t size)
{
	uint64_t low = size < VTX_HOLE_START ? size : VTX_HOLE_START;

	memset(ram, 0, sizeof(*ram));
	ram->size = size;
	ram->regions[0] = (struct vtx_ram_region){ .gpa = 0, .size = low };
	ram->count = 1;
	if (size > low) {
		ram->regions[1] = (struct vtx_ram_region){ .gpa = VTX_HOLE_END, .size = size - low };
		ram->count = 2;
	}
}

int vtx_ram_map(struct vtx_ram *ram, struct vtx_error *error)
{
	/*
	 * One huge page more than asked, so that host and guest addresses can agree modulo 2 MiB: only then can
	 * the host map the guest with 2 MiB EPT entries.
	 */
	size_t size = ram->size + VTX_HUGE_PAGE;
	uint8_t *base;

	ram->mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram->mapping == MAP_FAILED) {
		ram->mapping = NULL;
		return vtx_error_set(error, VTX_STATUS_HOST_ERROR,
				     "cannot map %llu MiB of guest memory: %s; ask for less with -m",
				     (unsigned long long)(ram->size >> 20), strerror(errno));
	}
	ram->mapping_size = size;
	base = (uint8_t *)(((uintptr_t)ram->mapping + VTX_HUGE_PAGE - 1) & ~(uintptr_t)(VTX_HUGE_PAGE - 1));
	ram->regions[0].hva = base;
	if (ram->count > 1)
		ram->regions[1].hva = base + ram->regions[0].size;
	/* Each of these is a wish: a kernel without the feature runs the guest just the same. */
	madvise(ram->mapping, size, MADV_HUGEPAGE);
	madvise(ram->mapping, size, MADV_DONTFORK);
	madvise(ram->mapping, size, MADV_DONTDUMP);
	return 0;
}

void vtx_ram_unmap(struct vtx_ram *ram)
{
	if (ram->mapping)
		munmap(ram->mapping, ram->mapping_size);
	ram->mapping = NULL;
}

void *vtx_ram_at(const struct vtx_ram *ram, uint64_t gpa, uint64_t len)
{
	for (unsigned int i = 0; i < ram->count; i++) {
		const struct vtx_ram_region *r = &ram->regions[i];
		uint64_t offset = gpa - r->gpa;

		if (gpa >= r->gpa && offset <= r->size && len <= r->size - offset)
			return r->hva + offset;
	}
	return NULL;
}

uint64_t vtx_ram_low_end(const struct vtx_ram *ram)
{
	return ram->regions[0].size;
}

int vtx_ram_place_high(const struct vtx_ram *ram, uint64_t size, uint64_t floor, uint64_t ceiling, uint64_t *gpa)
{
	uint64_t end = vtx_ram_low_end(ram);
	uint64_t start;

	if (ceiling < end)
		end = ceiling;
	if (size > end)
		return -1;
	start = (end - size) & ~0xfffULL;
	if (start < floor)
		return -1;
	*gpa = start;
	return 0;
}
