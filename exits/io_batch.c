// SPDX-License-Identifier: GPL-2.0-only
/*
 * The arithmetic of INS and OUTS batches.
 */
#include "compat/pure.h"
#include "exits/io_batch.h"

#define PAGE 4096

u32 vtx_io_batch_room(u64 ea, u64 lin, unsigned int size, unsigned int addr_bytes, bool down, u64 wanted)
{
	u64 in_page = lin & (PAGE - 1), after_ea = vtx_addr_mask(addr_bytes) - ea;
	u64 room, more; /* elements in the page; before the wrap, after the first */

	if (down) {
		room = in_page / size + 1;
		more = ea / size;
	} else {
		room = (PAGE - in_page) / size;
		more = after_ea < size - 1 ? 0 : (after_ea - (size - 1)) / size;
	}
	if (more < room)
		room = min(room, more + 1);
	return max_t(u64, 1, min(wanted, room));
}

u64 vtx_io_add(u64 old, u64 n, unsigned int addr_bytes)
{
	u64 mask = vtx_addr_mask(addr_bytes), value = (old + n) & mask;

	return addr_bytes == 2 ? (old & ~mask) | value : value;
}
