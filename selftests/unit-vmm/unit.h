/* SPDX-License-Identifier: GPL-2.0-only */
/* What every VMM unit test needs: cmocka in the right order, and guest memory without a VM. */
#ifndef VTX_UNIT_VMM_UNIT_H
#define VTX_UNIT_VMM_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "userspace-vmm/ram.h"

#define MIB (1ULL << 20)

/*
 * RAM of SIZE bytes.  Each region is its own malloc(), so that ASan sees an access one byte beyond it.
 */
static inline struct vtx_ram *test_ram_new(uint64_t size)
{
	struct vtx_ram *ram = malloc(sizeof(*ram));

	vtx_ram_layout(ram, size);
	for (unsigned int i = 0; i < ram->count; i++) {
		ram->regions[i].hva = calloc(1, ram->regions[i].size);
		assert_non_null(ram->regions[i].hva);
	}
	return ram;
}

static inline void test_ram_free(struct vtx_ram *ram)
{
	for (unsigned int i = 0; i < ram->count; i++)
		free(ram->regions[i].hva);
	free(ram);
}

static inline void test_put(uint8_t *at, uint64_t value, size_t len)
{
	memcpy(at, &value, len);
}

static inline uint64_t test_get(const void *at, size_t len)
{
	uint64_t value = 0;

	memcpy(&value, at, len);
	return value;
}

#endif
