/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of an emulated instruction's device accesses, pure: each access is made once, in the instruction's order, however
 * often the instruction starts over (exits/mmio.c).
 *
 * Three kinds of access meet here. A device in the kernel answers at once. A read from user space stops the instruction; once
 * answered, the instruction starts over and finds the value in the log. A write to user space is noted and the
 * instruction goes on; user space hears of it when the instruction is done, or before the next access that it could not
 * overtake. So a plain store costs one run of the emulator and shows user space RIP behind it, as KVM does.
 */
#ifndef VTX_EXITS_MMIO_LOG_H
#define VTX_EXITS_MMIO_LOG_H

#include "exits/io_pending.h"

enum vtx_log_result {
	VTX_LOG_ANSWERED,	/* made before: data of a read is filled in */
	VTX_LOG_NEW,		/* noted in frag[pos]: ask a device in the kernel, then vtx_log_answered_now() or vtx_log_defer() */
	VTX_LOG_WAIT,		/* user space has to hear of frag[done] first */
	VTX_LOG_FULL,		/* more accesses than any instruction makes */
};

static inline bool vtx_log_pending(const struct vtx_io_pending *io)
{
	return io->done < io->noted;
}

/* Nothing is remembered: a new instruction, or one that will never be finished. */
void vtx_log_clear(struct vtx_io_pending *io);
/* The instruction starts over: its next access is the first one of the log. */
void vtx_log_rewind(struct vtx_io_pending *io);
/* The instruction, or an iteration of it, took effect: what user space has not yet heard of is left to be told. */
void vtx_log_commit(struct vtx_io_pending *io);

/* The next access: 1 to 8 bytes at a guest-physical address or a port. */
enum vtx_log_result vtx_log_access(struct vtx_io_pending *io, u64 addr, void *data, unsigned int len, bool write,
				   bool port);
/* frag[pos] has been answered by a device in the kernel (data of a read is in the fragment). */
void vtx_log_answered_now(struct vtx_io_pending *io, void *data);
/* frag[pos] is for user space. True: the instruction may go on (a write); false: it must stop. */
bool vtx_log_defer(struct vtx_io_pending *io);
/* frag[done] has been answered by user space: @data, for a read. */
void vtx_log_answered_later(struct vtx_io_pending *io, const void *data);

#endif /* VTX_EXITS_MMIO_LOG_H */
