// SPDX-License-Identifier: GPL-2.0-only
/* Page walks in all four paging modes (SDM vol. 3, 4.2 to 4.5; 5 levels included). */
#include "userspace-vmm/walk.h"

#include <string.h>

#define CR0_PG 0x80000000ULL
#define CR4_PSE 0x10ULL
#define CR4_PAE 0x20ULL
#define CR4_LA57 0x1000ULL
#define EFER_LMA 0x400ULL
#define PTE_PRESENT 1ULL
#define PTE_LARGE 0x80ULL
#define PTE_FRAME 0x000ffffffffff000ULL

static int vtx_read_entry(const struct vtx_ram *ram, uint64_t gpa, size_t width, uint64_t *entry)
{
	const void *p = vtx_ram_at(ram, gpa, width);

	*entry = 0;
	if (!p)
		return -1;
	memcpy(entry, p, width);
	return *entry & PTE_PRESENT ? 0 : -1;
}

static int vtx_walk_32(const struct vtx_ram *ram, const struct kvm_sregs *s, uint32_t linear, uint64_t *gpa)
{
	uint64_t entry;

	if (vtx_read_entry(ram, (s->cr3 & 0xfffff000) + (linear >> 22) * 4, 4, &entry))
		return -1;
	if (s->cr4 & CR4_PSE && entry & PTE_LARGE) {
		*gpa = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32 | (linear & 0x3fffff);
		return 0;
	}
	if (vtx_read_entry(ram, (entry & 0xfffff000) + (linear >> 12 & 0x3ff) * 4, 4, &entry))
		return -1;
	*gpa = (entry & 0xfffff000) | (linear & 0xfff);
	return 0;
}

int vtx_walk(const struct vtx_ram *ram, const struct kvm_sregs *s, uint64_t linear, uint64_t *gpa)
{
	uint64_t table, entry, mask;
	int level;

	if (!(s->cr0 & CR0_PG)) {
		*gpa = linear & 0xffffffff;
		return 0;
	}
	if (!(s->cr4 & CR4_PAE))
		return vtx_walk_32(ram, s, (uint32_t)linear, gpa);
	if (s->efer & EFER_LMA) {
		level = s->cr4 & CR4_LA57 ? 5 : 4;
		table = s->cr3 & PTE_FRAME;
	} else {
		level = 3;
		linear &= 0xffffffff;
		table = s->cr3 & 0xffffffe0;
	}
	for (;; level--) {
		unsigned int shift = 12 + 9 * (unsigned int)(level - 1);

		if (vtx_read_entry(ram, table + (linear >> shift & 0x1ff) * 8, 8, &entry))
			return -1;
		/* In a PAE directory pointer bit 7 is reserved; in the upper levels of the others too. */
		if (level == 1 || (entry & PTE_LARGE && (level == 2 || (level == 3 && s->efer & EFER_LMA)))) {
			mask = (1ULL << shift) - 1;
			*gpa = (entry & PTE_FRAME & ~mask) | (linear & mask);
			return 0;
		}
		table = entry & PTE_FRAME;
	}
}
