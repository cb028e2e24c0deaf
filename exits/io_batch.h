/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The arithmetic of INS and OUTS batches, pure: how many elements fit, and how registers move.
 */
#ifndef VTX_EXITS_IO_BATCH_H
#define VTX_EXITS_IO_BATCH_H

#include "compat/pure.h"

/* All ones in an address of 2, 4 or 8 bytes. */
static inline u64 vtx_addr_mask(unsigned int addr_bytes)
{
	return ~0ULL >> (64 - 8 * addr_bytes);
}

/*
 * Elements of @size bytes from offset @ea (cut to the address size) at linear address @lin on, that lie in lin's 4 KiB page and
 * do not wrap the address size; at least 1, at most @wanted. The first one is known not to cross the page.
 */
u32 vtx_io_batch_room(u64 ea, u64 lin, unsigned int size, unsigned int addr_bytes, bool down, u64 wanted);

/* @old + @n as an instruction of this address size computes it: 32 bits clear the upper half, 16 keep the rest. */
u64 vtx_io_add(u64 old, u64 n, unsigned int addr_bytes);

#endif /* VTX_EXITS_IO_BATCH_H */
