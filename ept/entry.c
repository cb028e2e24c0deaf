// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arithmetic of EPT entries: see the header.
 */
#include "compat/pure.h"
#include "ept/entry.h"

u64 vtx_epte_leaf(u64 pfn, int level, u64 rwx)
{
	u64 entry = (pfn & ~(vtx_ept_span(level) - 1)) << 12;

	entry |= rwx | VTX_EPTE_WRITE_BACK | VTX_EPTE_IGNORE_PAT | VTX_EPTE_ACCESSED;
	if (rwx & VTX_EPTE_WRITE)
		entry |= VTX_EPTE_DIRTY;
	if (level > 1)
		entry |= VTX_EPTE_LARGE;
	return entry;
}

u64 vtx_epte_part(u64 leaf, int level, unsigned int i)
{
	if (level == 2)
		leaf &= ~VTX_EPTE_LARGE;
	return leaf + ((i * vtx_ept_span(level - 1)) << 12);
}

const char *vtx_epte_misconfigured(u64 entry, int level, unsigned int phys_bits, bool exec_only)
{
	u64 rwx = entry & VTX_EPTE_RWX;

	if (!rwx)
		return NULL;
	if ((rwx & VTX_EPTE_WRITE) && !(rwx & VTX_EPTE_READ))
		return "writable but not readable";
	if (rwx == VTX_EPTE_EXEC && !exec_only)
		return "executable but not readable, which this processor cannot do";
	if (entry & VTX_EPTE_ADDRESS & ~((1ULL << phys_bits) - 1))
		return "address beyond the physical-address width";
	if (!vtx_epte_is_leaf(entry, level)) {
		if (entry & (VTX_EPTE_TYPE_MASK | VTX_EPTE_IGNORE_PAT))
			return "reserved bits 6:3 of a table reference";
		return NULL;
	}
	if (level == VTX_EPT_LEVELS)
		return "reserved bit 7 of a level-4 entry";
	if (entry & (vtx_ept_span(level) - 1) << 12)
		return "reserved address bits of a large page";
	switch ((entry & VTX_EPTE_TYPE_MASK) >> VTX_EPTE_TYPE_SHIFT) {
	case 2:
	case 3:
	case 7:
		return "reserved memory type";
	}
	return NULL;
}
