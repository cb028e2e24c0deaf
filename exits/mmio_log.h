/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of an emulated instruction's device accesses, pure: each access is made once, however often the instruction starts
 * over (exits/mmio.c).
 */
#ifndef VTX_EXITS_MMIO_LOG_H
#define VTX_EXITS_MMIO_LOG_H

#include "exits/io_pending.h"

enum vtx_log_result {
	VTX_LOG_ANSWERED,	/* made before: data of a read is filled in */
	VTX_LOG_NEW,		/* frag[done] describes it: find somebody to answer */
	VTX_LOG_FULL,		/* more accesses than any instruction makes */
};

/* The instruction is final, or will never be finished: nothing is remembered. */
void vtx_log_clear(struct vtx_io_pending *io);
/* The instruction starts over: its next access is the first one of the log. */
void vtx_log_rewind(struct vtx_io_pending *io);
/* The next access: 1 to 8 bytes at a guest-physical address or a port. */
enum vtx_log_result vtx_log_access(struct vtx_io_pending *io, u64 addr, void *data, unsigned int len, bool write,
				   bool port);
/* frag[done] has been answered by a device in the kernel (data of a read is in the fragment); goes on behind it. */
void vtx_log_answered_now(struct vtx_io_pending *io, void *data);
/* frag[done] has been answered by user space: @data, for a read. The instruction will start over. */
void vtx_log_answered_later(struct vtx_io_pending *io, const void *data);

#endif /* VTX_EXITS_MMIO_LOG_H */
