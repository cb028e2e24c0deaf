/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arithmetic of EPT entries (SDM vol. 3, 29.3.2): building, taking apart, and checking them.
 *
 * Levels count from the leaves: 1 maps 4 KiB, 2 is the page directory (2 MiB leaves), 3 the PDPT, 4 the root.
 */
#ifndef VTX_EPT_ENTRY_H
#define VTX_EPT_ENTRY_H

#include "compat/pure.h"

#define VTX_EPT_LEVELS 4
#define VTX_EPT_GPA_BITS 48
#define VTX_EPT_MAX_GFN ((1ULL << (VTX_EPT_GPA_BITS - 12)) - 1)

#define VTX_EPTE_READ		BIT_ULL(0)
#define VTX_EPTE_WRITE		BIT_ULL(1)
#define VTX_EPTE_EXEC		BIT_ULL(2)
#define VTX_EPTE_RWX		(VTX_EPTE_READ | VTX_EPTE_WRITE | VTX_EPTE_EXEC)
#define VTX_EPTE_TYPE_SHIFT	3
#define VTX_EPTE_TYPE_MASK	(7ULL << VTX_EPTE_TYPE_SHIFT)
#define VTX_EPTE_WRITE_BACK	(6ULL << VTX_EPTE_TYPE_SHIFT)
#define VTX_EPTE_IGNORE_PAT	BIT_ULL(6)
#define VTX_EPTE_LARGE		BIT_ULL(7)
#define VTX_EPTE_ACCESSED_BIT	8
#define VTX_EPTE_ACCESSED	BIT_ULL(VTX_EPTE_ACCESSED_BIT)
#define VTX_EPTE_DIRTY		BIT_ULL(9)
#define VTX_EPTE_ADDRESS	0x000ffffffffff000ULL

/* Frames that one entry of @level maps. */
static inline u64 vtx_ept_span(int level)
{
	return 1ULL << (9 * (level - 1));
}

/* Place of the entry for @gfn in a table of @level. */
static inline unsigned int vtx_ept_index(u64 gfn, int level)
{
	return (gfn >> (9 * (level - 1))) & 511;
}

/* Present means that some access is allowed (SDM vol. 3, 29.3.2); all other bits are then interpreted. */
static inline bool vtx_epte_present(u64 entry)
{
	return entry & VTX_EPTE_RWX;
}

/* Of a present entry. */
static inline bool vtx_epte_is_leaf(u64 entry, int level)
{
	return level == 1 || (entry & VTX_EPTE_LARGE);
}

static inline u64 vtx_epte_pfn(u64 entry)
{
	return (entry & VTX_EPTE_ADDRESS) >> 12;
}

/* Reference to the table at physical address @table: permissions are decided by the leaves alone. */
static inline u64 vtx_epte_table(u64 table)
{
	return table | VTX_EPTE_RWX;
}

/*
 * The leaf of @level that holds @pfn, with the permissions @rwx. Guest RAM is write-back whatever the guest's PAT
 * says: it is the host's ordinary memory. Accessed and, when writable, dirty are preset, which saves the CPU a
 * locked access.
 */
u64 vtx_epte_leaf(u64 pfn, int level, u64 rwx);

/* Part @i (0..511) of the leaf @leaf of @level (2 or 3), as a leaf one level below: the same memory with the same permissions. */
u64 vtx_epte_part(u64 leaf, int level, unsigned int i);

/* The permissions an access needs. */
static inline u64 vtx_ept_needs(bool write, bool exec)
{
	return VTX_EPTE_READ | (write ? VTX_EPTE_WRITE : 0) | (exec ? VTX_EPTE_EXEC : 0);
}

/*
 * Why the processor would call @entry of @level misconfigured (SDM vol. 3, 29.3.3.1), or NULL if it would not.
 * @phys_bits: the processor's physical-address width.
 */
const char *vtx_epte_misconfigured(u64 entry, int level, unsigned int phys_bits, bool exec_only);

#endif /* VTX_EPT_ENTRY_H */
