/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vCPU waits for from user space: a port access, or one fragment of an emulated instruction's accesses.
 *
 * kvm_run is shared memory that another thread may scribble on, so the facts are kept here and kvm_run is only a copy.
 *
 * An emulated instruction that reads from user space is restarted from its beginning after each answer: accesses that were
 * already made come from the log, in order. Writes are only noted; user space gets them when the instruction is
 * done (exits/mmio_log.h).
 */
#ifndef VTX_EXITS_IO_PENDING_H
#define VTX_EXITS_IO_PENDING_H

#include "compat/pure.h"
#include "exits/mov_decode.h"

#define VTX_MMIO_FRAGMENTS 24	/* the widest: REP MOVS of 32 bytes or CMPXCHG16B across pages, in 8-byte pieces */

struct vtx_mmio_fragment {
	u64 gpa;		/* or the port */
	u8 len;
	bool write;
	bool port;
	u8 data[8];
};

enum vtx_io_kind {
	VTX_IO_NONE,
	VTX_IO_PORT,		/* IN, OUT */
	VTX_IO_HYPERCALL,	/* VMCALL whose answer is user space's */
	VTX_IO_MSR,		/* RDMSR (in) or WRMSR that user space is asked about */
	VTX_IO_PORT_STRING,	/* INS, OUTS: a batch of elements in one guest page */
	VTX_IO_MMIO,		/* frag[done] of an emulated instruction, memory or port; then it starts over */
	VTX_IO_MMIO_POSTED,	/* frag[done], a write of an instruction that is done */
	VTX_IO_MMIO_LOAD,	/* frag[0], for the load described by mov */
};

struct vtx_io_pending {
	enum vtx_io_kind kind;
	/* VTX_IO_PORT, VTX_IO_PORT_STRING */
	u16 port;
	u8 size;
	bool in;
	bool skipped;		/* RIP is already past the instruction (OUT to port 0x7e) */
	u8 addr_bytes;		/* address size of INS and OUTS */
	bool down;		/* EFLAGS.DF */
	bool rep;
	u32 count;
	u64 gpa;		/* INS: where the first element goes */
	u64 linear_rip;		/* user space may move RIP between exit and completion: then nothing is completed */
	/* VTX_IO_MMIO */
	u8 done;		/* fragments answered */
	u8 noted;		/* fragments known; the unanswered ones are writes, but for the last perhaps */
	u8 pos;			/* next fragment of the run in progress */
	bool final;		/* the instruction or iteration that noted them is done */
	struct vtx_mov mov;
	struct vtx_mmio_fragment frag[VTX_MMIO_FRAGMENTS];
};

#endif /* VTX_EXITS_IO_PENDING_H */
